#include "mutation.h"

#include "history/adopt_ident.h"
#include "history/server_care.h"
#include "history/server_history_private.h"
#include "history/server_transact.h"
#include "lying_store.h"
#include "session/server_member.h"
#include "transform/order.h"
#include "transform/rules.h"

/* Switched off by redirected calls. */
typedef enum redirected {
    NOTHING,
    SKIP_INTEGRATED,
    CHECK_SALTS,
    CHECK_CURSORS,
    BREAK_TIES,
    RESCAN_UPLOADS,
    FILTER_OWN,
    KEEP_TIMESTAMPS,
    END_ZOMBIES,
    LIMIT_CARE,
    CHECK_EXPIRY,
    REFUSE_LATE_TRANSACT,
    TRANSACT_ONCE,
    CHECK_STATE_AGE,
    DROP_EVENTS,
    ADOPT_IDENT,
    MERGE_DEEP
} redirected;

typedef struct mutation {
    const char *name;
    bool server, client; /* whose store lies */
    lies lies;
    redirected call;
} mutation;

static const mutation mutations[] = {
    {"server: commits are flushed before they are acknowledged",
     true,
     false,
     {.commits_not_flushed = true},
     NOTHING},
    {"server: a file ident is flushed before it is given out",
     true,
     false,
     {.idents_not_flushed = true},
     NOTHING},
    {"server: upload progress is committed together with the data",
     true,
     false,
     {.rows_put_later = true},
     NOTHING},
    {"server: an empty reciprocal form is not the same as none",
     true,
     false,
     {.empty_forms_vanish = true},
     NOTHING},
    {"server: reciprocal forms are kept", true, false, {.forms_not_kept = true}, NOTHING},
    {"server: reciprocal forms are trimmed only up to the client's progress",
     true,
     false,
     {.forms_dropped_early = true},
     NOTHING},
    {"server: what was integrated is skipped when it comes again",
     true,
     false,
     {0},
     SKIP_INTEGRATED},
    {"server: salts of idents and versions are checked", true, false, {0}, CHECK_SALTS},
    {"server: cursors in IDENT are checked", true, false, {0}, CHECK_CURSORS},
    {"server: a client does not get its own changes", true, false, {0}, FILTER_OWN},
    {"server: a new connection ends the one that hangs on", true, false, {0}, END_ZOMBIES},
    {"server: history is compacted only as far as no client needs it",
     true,
     false,
     {0},
     LIMIT_CARE},
    {"server: expired clients are refused", true, false, {0}, CHECK_EXPIRY},
    {"server: a serialized transaction is refused when others came between",
     true,
     false,
     {0},
     REFUSE_LATE_TRANSACT},
    {"server: a serialized transaction that is asked for again is not done again",
     true,
     false,
     {0},
     TRANSACT_ONCE},
    {"server: a state from before a compaction is not handed out",
     true,
     false,
     {0},
     CHECK_STATE_AGE},
    {"server: reciprocal forms nobody needs are removed",
     true,
     false,
     {.forms_never_dropped = true},
     NOTHING},
    {"client: changes are flushed before they are uploaded",
     false,
     true,
     {.commits_not_flushed = true},
     NOTHING},
    {"client: progress is committed together with the data",
     false,
     true,
     {.facts_put_later = true},
     NOTHING},
    {"client: an empty reciprocal form is not the same as none",
     false,
     true,
     {.empty_forms_vanish = true},
     NOTHING},
    {"client: reciprocal forms are kept", false, true, {.forms_not_kept = true}, NOTHING},
    {"client: history is trimmed only up to what the server has integrated",
     false,
     true,
     {.entries_dropped_early = true},
     NOTHING},
    {"client: uploads start again at the confirmed place after a reconnect",
     false,
     true,
     {0},
     RESCAN_UPLOADS},
    {"client: the time of a change is sent as it was stored", false, true, {0}, KEEP_TIMESTAMPS},
    {"client: history the server has integrated is removed",
     false,
     true,
     {.entries_never_dropped = true},
     NOTHING},
    {"client: events leave the file after the commit", false, true, {0}, DROP_EVENTS},
    {"client: objects without key get its ident before they are uploaded",
     false,
     true,
     {0},
     ADOPT_IDENT},
    {"both: changes inside embedded objects and nested collections are merged",
     true,
     true,
     {0},
     MERGE_DEEP},
    {"both: equal times are ordered by file ident", true, true, {0}, BREAK_TIES},
};

static const mutation *chosen;
static bool in_work;
static uint64_t transacts;

int mutation_count(void) {
    return (int)(sizeof mutations / sizeof *mutations);
}

const char *mutation_name(int number) {
    return mutations[number].name;
}

void mutation_choose(int number) {
    chosen = number < 0 ? NULL : &mutations[number];
}

bool mutation_active(void) {
    return chosen != NULL;
}

void mutation_run_begins(void) {
    in_work = false;
    transacts = 0;
}

sl_store *mutation_wrap_store(int who, sl_store *store) {
    static const lies none = {0};
    bool lying = chosen && (who < 0 ? chosen->server : chosen->client);
    return lying_store_new(store, who, lying ? &chosen->lies : &none);
}

static bool off(redirected call) {
    return chosen && chosen->call == call;
}

/* ---- calls between object files that the linker sends here --------------------------------------
 */

#define REDIRECT(type, name, ...)                                                                  \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

REDIRECT(bool, sl_file_member_upload, sl_file_member *member, const sl_queued_upload *upload,
         sl_status *st) {
    sl_queued_upload all = *upload;
    if (off(SKIP_INTEGRATED)) all.skip = 0;
    return __real_sl_file_member_upload(member, &all, st);
}

REDIRECT(bool, sl_server_history_integrate, sl_server_history *history,
         const sl_server_upload *upload, sl_status *st) {
    lying_store *store = off(SKIP_INTEGRATED) ? lying_store_of(history->store) : NULL;
    if (store) store->hide_progress = true;
    bool ok = __real_sl_server_history_integrate(history, upload, st);
    if (store) store->hide_progress = false;
    return ok;
}

/* The salts as they should be. */
static bool correct_salts(sl_server_history *history, sl_ident_claim *claim) {
    sl_client_file row;
    sl_history_entry entry;
    bool found = false;
    sl_store *store = history->store;
    if (!store->vtbl->client_get(store, claim->file_ident, &row, &found, NULL) || !found)
        return false;
    claim->salt = row.salt;
    claim->latest_salt = 0;
    if (claim->latest_sv == 0) return true;
    if (!store->vtbl->entry_get(store, claim->latest_sv, &entry, &found, NULL) || !found)
        return false;
    claim->latest_salt = entry.salt;
    return true;
}

static bool accept_cursors(sl_server_history *history, const sl_ident_claim *claim,
                           sl_client_file *row) {
    bool found = false;
    if (!sl_server_history_client(history, claim->file_ident, row, &found, NULL) || !found)
        return false;
    row->user = SL_STR("");
    return true;
}

REDIRECT(bool, sl_server_history_check_ident, sl_server_history *history,
         const sl_ident_claim *claim, sl_client_file *row, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    sl_ident_claim correct = *claim;
    if (__real_sl_server_history_check_ident(history, claim, row, &why)) return true;
    if (off(CHECK_SALTS) && why.code == 211 && correct_salts(history, &correct))
        return __real_sl_server_history_check_ident(history, &correct, row, st);
    if (off(CHECK_CURSORS) && (why.code == 209 || why.code == 210) &&
        accept_cursors(history, claim, row))
        return true;
    if (off(CHECK_EXPIRY) && why.code == 222 && accept_cursors(history, claim, row)) return true;
    if (st) *st = why;
    return false;
}

REDIRECT(bool, sl_server_history_transact, sl_server_history *history,
         const sl_server_transact *request, sl_server_verdict *verdict, sl_status *st) {
    sl_server_transact altered = *request;
    uint64_t newest = sl_server_history_version(history);
    if (off(REFUSE_LATE_TRANSACT) && altered.server_version < newest)
        altered.server_version = newest;
    if (off(TRANSACT_ONCE)) altered.client_version += ++transacts << 32;
    return __real_sl_server_history_transact(history, &altered, verdict, st);
}

REDIRECT(bool, sl_server_history_holds, sl_server_history *history, uint64_t version, int64_t salt,
         bool *holds, uint64_t *after, sl_status *st) {
    if (!__real_sl_server_history_holds(history, version, salt, holds, after, st)) return false;
    if (off(CHECK_STATE_AGE) && version && version < sl_server_history_compacted(history))
        *holds = true;
    return true;
}

REDIRECT(bool, sl_realm_open, sl_realm **out, const sl_realm_options *options, sl_status *st) {
    sl_realm_options altered = *options;
    if (off(DROP_EVENTS)) altered.keep_asymmetric = true;
    return __real_sl_realm_open(out, &altered, st);
}

REDIRECT(bool, sl_changeset_adopt_ident, sl_changeset *cs, uint64_t ident, bool *changed,
         sl_status *st) {
    if (!off(ADOPT_IDENT)) return __real_sl_changeset_adopt_ident(cs, ident, changed, st);
    *changed = false;
    return true;
}

REDIRECT(bool, sl_merge_pair, sl_merge *m, sl_merge_node *local, sl_merge_node *incoming) {
    if (off(MERGE_DEEP) && local->path_size > 1 && incoming->path_size > 1) return true;
    return __real_sl_merge_pair(m, local, incoming);
}

REDIRECT(bool, sl_server_history_scan, sl_server_history *history, uint64_t peer, sl_cursor from,
         size_t limit, sl_buf *entries, sl_server_scan *scan, sl_status *st) {
    return __real_sl_server_history_scan(history, off(FILTER_OWN) ? 0 : peer, from, limit, entries,
                                         scan, st);
}

REDIRECT(bool, sl_server_file_work, sl_server_file *file, sl_status *st) {
    in_work = true;
    bool ok = __real_sl_server_file_work(file, st);
    in_work = false;
    return ok;
}

REDIRECT(sl_file_member *, sl_server_file_member, const sl_server_file *file, uint64_t ident) {
    if (off(END_ZOMBIES) && !in_work) return NULL;
    return __real_sl_server_file_member(file, ident);
}

REDIRECT(bool, sl_client_history_scan_uploads, sl_client_history *history, sl_upload_cursor from,
         uint64_t last, int protocol, sl_buf *entries, sl_upload_batch *batch, sl_status *st) {
    lying_store *store =
        off(RESCAN_UPLOADS) ? lying_store_of(sl_client_history_store(history)) : NULL;
    if (store && store->scanned.client_version > from.client_version) from = store->scanned;
    bool ok =
        __real_sl_client_history_scan_uploads(history, from, last, protocol, entries, batch, st);
    if (store && ok) store->scanned = batch->cursor;
    return ok;
}

REDIRECT(void, sl_upload_entry_write, sl_buf *out, const sl_upload_entry *entry) {
    sl_upload_entry altered = *entry;
    if (off(KEEP_TIMESTAMPS)) altered.origin_timestamp -= altered.origin_timestamp % 60000;
    __real_sl_upload_entry_write(out, &altered);
}

/* Gives all items of a side the same file, so that one side always wins a tie. */
static void set_files(sl_merge_side *side, uint64_t *files, size_t count, uint64_t file) {
    for (size_t i = 0; i < side->count && i < count; i++) {
        sl_merge_item *item = (sl_merge_item *)(uintptr_t)side->entries[i].item;
        files[i] = item->origin_file;
        item->origin_file = file;
    }
}

static void reset_files(sl_merge_side *side, const uint64_t *files, size_t count) {
    for (size_t i = 0; i < side->count && i < count; i++)
        ((sl_merge_item *)(uintptr_t)side->entries[i].item)->origin_file = files[i];
}

enum { MOST_FILES = 512 };

REDIRECT(bool, sl_order_entries, sl_merge *m) {
    uint64_t local[MOST_FILES], incoming[MOST_FILES];
    if (!off(BREAK_TIES)) return __real_sl_order_entries(m);
    set_files(&m->local, local, MOST_FILES, 1);
    set_files(&m->incoming, incoming, MOST_FILES, 2);
    bool ok = __real_sl_order_entries(m);
    reset_files(&m->local, local, MOST_FILES);
    reset_files(&m->incoming, incoming, MOST_FILES);
    return ok;
}

REDIRECT(bool, sl_server_history_limit, sl_server_history *history, sl_server_limit *limit,
         sl_status *st) {
    if (!__real_sl_server_history_limit(history, limit, st)) return false;
    if (off(LIMIT_CARE)) limit->version = sl_server_history_version(history);
    return true;
}
