#include "history/client_history_private.h"

#include "history/adopt_ident.h"
#include "history/feature_level.h"
#include "protocol/message.h"
#include "realm/change.h"
#include "realm/record.h"

/* Set: nobody will ever synchronise this file. */
#define META_LOCAL "client.local_only"

/* ---- opening and closing --------------------------------------------------------------------- */

sl_client_history *sl_client_history_open(sl_store *store, sl_realm *realm,
                                          const sl_client_history_options *options, sl_status *st) {
    sl_client_state state;
    uint64_t recorded;
    if (!options->env) {
        sl_fail(st, SL_ERR_USAGE, "", "a client history needs a clock: set options.env");
        return NULL;
    }
    int64_t local = 0;
    if (!sl_client_state_load(&state, &recorded, store, st) ||
        !store->vtbl->meta_get_int(store, META_LOCAL, &local, st))
        return NULL;
    if (options->local_only && state.ident != 0) {
        sl_fail(st, SL_ERR_USAGE, "LOCAL",
                "this realm is synchronised and needs its history: open it without local_only");
        return NULL;
    }
    sl_client_history *history = sl_new_zero(options->alloc, 1, sizeof *history);
    if (!history) {
        sl_fail_memory(st);
        return NULL;
    }
    history->alloc = options->alloc;
    history->env = options->env;
    history->store = store;
    history->realm = realm;
    history->durable = !options->fast_commits;
    history->local_stored = local != 0;
    history->local = options->local_only || history->local_stored;
    /* An earlier process may have ended between a commit and its flush. */
    history->unsynced = true;
    history->state = state;
    history->recorded_version = recorded;
    if (state.ident) history->max_message = SL_MAX_CLIENT_MESSAGE;
    history->stale = SIZE_MAX;
    sl_own_changes_init(&history->own, history->alloc);
    sl_changeset_init(&history->recorded, history->alloc);
    sl_buf_init(&history->encoded, history->alloc);
    return history;
}

void sl_client_history_close(sl_client_history *history) {
    if (!history) return;
    if (history->writing) sl_client_history_rollback(history);
    sl_own_changes_forget(&history->own);
    sl_changeset_free(&history->recorded);
    sl_buf_free(&history->encoded);
    sl_delete(history->alloc, history);
}

sl_store *sl_client_history_store(const sl_client_history *history) {
    return history->store;
}

sl_realm *sl_client_history_realm(const sl_client_history *history) {
    return history->realm;
}

/* ---- transactions ---------------------------------------------------------------------------- */

bool sl_client_history_now(const sl_client_history *history, uint64_t *now, sl_status *st) {
    int64_t wall = history->env->wall_ms(history->env->ctx);
    if (wall < SL_SYNC_EPOCH_MS)
        return sl_fail(st, SL_ERR_USAGE, "CLOCK",
                       "the clock of this machine stands before 2015, where the time of changes "
                       "starts; set the clock and write again");
    *now = (uint64_t)(wall - SL_SYNC_EPOCH_MS);
    return true;
}

static bool refuse_open_write(const sl_client_history *history, sl_status *st) {
    if (!history->writing) return true;
    return sl_fail(st, SL_ERR_USAGE, "", "a write transaction is open; commit or cancel it first");
}

bool sl_client_history_begin_private(sl_client_history *history, sl_status *st) {
    if (!refuse_open_write(history, st)) return false;
    if (!history->store->vtbl->begin(history->store, st)) return false;
    if (sl_realm_begin(history->realm, st)) return true;
    history->store->vtbl->rollback(history->store);
    return false;
}

bool sl_client_history_abandon(sl_client_history *history) {
    history->store->vtbl->rollback(history->store);
    sl_realm_discard(history->realm);
    return false;
}

bool sl_client_history_need_own(sl_client_history *history, sl_status *st) {
    return sl_own_changes_need(&history->own, history->store, history->state.base,
                               history->state.version, st);
}

/* An entry tells all about a local commit; the record follows now and then, so that opening the
 * file never has many entries to read. */
static bool record_wanted(const sl_client_history *history, const sl_client_state *state,
                          const sl_history_entry *entry) {
    enum { ENTRIES_AFTER_RECORD = 256 };
    sl_client_state told = history->state;
    if (entry->changeset.size == 0) return true;
    sl_client_state_add(&told, entry);
    return memcmp(&told, state, sizeof told) != 0 ||
           state->version - history->recorded_version >= ENTRIES_AFTER_RECORD;
}

/* Everything that is to be stored, up to the commit. */
static bool store_all(sl_client_history *history, const sl_client_state *state,
                      const sl_history_entry *entry, bool record, sl_status *st) {
    sl_store *store = history->store;
    return sl_own_changes_reserve(&history->own, st) && sl_realm_flush(history->realm, st) &&
           (entry->changeset.size == 0 || store->vtbl->entry_append(store, entry, st)) &&
           (!record || sl_client_state_save(state, store, st));
}

bool sl_client_history_finish(sl_client_history *history, sl_client_state *state,
                              sl_history_entry *entry, bool durable, sl_status *st) {
    sl_store *store = history->store;
    state->version = sl_client_state_next_version(&history->state);
    state->size += entry->changeset.size;
    entry->version = state->version;
    entry->cumulative_size = state->size;
    if (state->version > SL_MAX_NUMBER) {
        sl_fail(st, SL_ERR_USAGE, "", "the history of this file has reached its last version");
        return sl_client_history_abandon(history);
    }
    bool record = record_wanted(history, state, entry);
    if (!store_all(history, state, entry, record, st)) return sl_client_history_abandon(history);
    if (!store->vtbl->commit(store, durable, st)) {
        sl_realm_discard(history->realm);
        return false;
    }
    sl_realm_commit(history->realm);
    history->state = *state;
    if (record) history->recorded_version = state->version;
    history->unsynced = !durable;
    sl_own_changes_add(&history->own, entry);
    sl_own_changes_drop(&history->own, state->base);
    return true;
}

static bool check_author(const sl_client_history *history, uint64_t author, sl_status *st) {
    uint64_t own = history->state.ident;
    if (author == 0 || (own != 0 && author != own && author > 1 && author <= SL_MAX_NUMBER))
        return true;
    return sl_fail(st, SL_ERR_USAGE, "",
                   "the author of a write is a file ident that this file's session has allocated");
}

bool sl_client_history_begin(sl_client_history *history, sl_status *st) {
    return sl_client_history_begin_for(history, 0, st);
}

bool sl_client_history_begin_for(sl_client_history *history, uint64_t author, sl_status *st) {
    uint64_t now = 0;
    if (!refuse_open_write(history, st) || !check_author(history, author, st) ||
        !sl_client_history_now(history, &now, st))
        return false;
    if (!history->store->vtbl->begin(history->store, st)) return false;
    sl_changeset_reset(&history->recorded);
    history->measured = (sl_changeset_size){0, 0, 0};
    uint64_t ident = author ? author : history->state.ident;
    if (!sl_realm_begin_write(history->realm, &history->recorded, ident, st)) {
        history->store->vtbl->rollback(history->store);
        return false;
    }
    history->writing = true;
    history->author = author;
    return true;
}

bool sl_client_history_writing(const sl_client_history *history) {
    return history->writing;
}

bool sl_client_history_recorded(sl_client_history *history, uint64_t *bytes, sl_status *st) {
    *bytes = 0;
    if (!history->writing) return true;
    if (!sl_changeset_measure(&history->recorded, &history->measured, &history->encoded, st))
        return false;
    *bytes = history->measured.bytes;
    return true;
}

void sl_client_history_rollback(sl_client_history *history) {
    if (!history->writing) return;
    history->writing = false;
    sl_client_history_abandon(history);
}

/* The recorder's bytes; what uploads carry for ever. */
static bool encode_recorded(sl_client_history *history, sl_status *st) {
    sl_buf_clear(&history->encoded);
    if (!sl_changeset_encode(&history->recorded, SL_ENCODE_AS_PARSED, &history->encoded, st))
        return false;
    if (history->encoded.failed) return sl_fail_memory(st);
    if (history->encoded.size > UINT32_MAX)
        return sl_fail(st, SL_ERR_USAGE, "", "the transaction is larger than 4 GiB; split it");
    return true;
}

/* What an upload adds to a changeset: heads, and the file's ident where it is not known yet. */
static uint64_t room_beside(const sl_client_history *history) {
    enum { HEADS = 1024, IDENT_BYTES = 8 };
    return HEADS + (history->state.ident ? 0 : IDENT_BYTES * (uint64_t)history->recorded.count);
}

void sl_client_history_limit(sl_client_history *history, uint64_t max_message) {
    history->max_message = max_message;
}

/* What could never be uploaded is refused while it can still be written in smaller pieces. */
static bool check_size(const sl_client_history *history, sl_status *st) {
    uint64_t size = history->encoded.size, room = room_beside(history);
    uint64_t limit = history->max_message;
    if (limit == 0 || size + room <= limit) return true;
    sl_buf packed;
    sl_body body;
    sl_buf_init(&packed, history->alloc);
    bool ok =
        sl_body_pack(NULL, sl_str_of(history->encoded.data, (size_t)size), &packed, &body, st);
    uint64_t wire = ok ? body.bytes.size : 0;
    sl_buf_free(&packed);
    if (!ok || (wire + room <= limit && size + room <= SL_MAX_INFLATED)) return ok;
    return sl_fail(st, SL_ERR_SESSION, "too_big",
                   "the transaction is too large to be synchronised: %llu bytes, %llu when "
                   "compressed, where %llu are possible; it was taken back, write it in smaller "
                   "pieces",
                   (unsigned long long)size, (unsigned long long)wire,
                   (unsigned long long)(limit > room ? limit - room : 0));
}

/* The first commit of a file that keeps no history: what there was of it goes. */
static bool make_local(const sl_client_history *history, sl_status *st) {
    sl_store *store = history->store;
    return !history->local || history->local_stored ||
           (sl_client_state_save(&history->state, store, st) &&
            store->vtbl->entry_drop(store, SL_MAX_NUMBER, st) &&
            store->vtbl->meta_put_int(store, META_LOCAL, 1, st));
}

/* A change of indexes, or of a file without history, concerns this file alone: it is committed, but
 * makes no version. */
static bool commit_unrecorded(sl_client_history *history, sl_status *st) {
    sl_store *store = history->store;
    history->writing = false;
    if (!sl_realm_flush(history->realm, st) || !make_local(history, st))
        return sl_client_history_abandon(history);
    if (!store->vtbl->commit(store, history->durable, st)) {
        sl_realm_discard(history->realm);
        return false;
    }
    sl_realm_commit(history->realm);
    if (history->local && !history->local_stored) {
        sl_own_changes_forget(&history->own);
        history->recorded_version = history->state.version;
        history->local_stored = true;
    }
    if (!history->durable) history->unsynced = true;
    return true;
}

bool sl_client_history_commit(sl_client_history *history, uint64_t *version, sl_status *st) {
    if (!history->writing)
        return sl_fail(st, SL_ERR_USAGE, "", "no write is open; realm:write opens one");
    if (history->recorded.count == 0) {
        if (version) *version = history->state.version;
        if (sl_realm_schema_changed(history->realm)) return commit_unrecorded(history, st);
        sl_client_history_rollback(history);
        return true;
    }
    if (history->local) {
        if (version) *version = history->state.version;
        return commit_unrecorded(history, st);
    }
    uint64_t now = 0;
    if (!encode_recorded(history, st) || !check_size(history, st) ||
        !sl_client_history_now(history, &now, st)) {
        sl_client_history_rollback(history);
        return false;
    }
    sl_client_state state = history->state;
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv,
                              .origin_timestamp = now,
                              .salt = (int64_t)history->author};
    entry.changeset = sl_str_of(history->encoded.data, history->encoded.size);
    state.progress.uploadable_bytes += entry.changeset.size;
    state.progress.uploadable_changesets++;
    history->writing = false;
    if (!sl_client_history_finish(history, &state, &entry, history->durable, st)) return false;
    if (version) *version = state.version;
    return true;
}

bool sl_client_history_is_local(const sl_client_history *history) {
    return history->local;
}

/* ---- facts ----------------------------------------------------------------------------------- */

uint64_t sl_client_history_version(const sl_client_history *history) {
    return history->state.version;
}

uint64_t sl_client_history_base(const sl_client_history *history) {
    return history->state.base;
}

uint64_t sl_client_history_ident(const sl_client_history *history) {
    return history->state.ident;
}

int64_t sl_client_history_salt(const sl_client_history *history) {
    return history->state.salt;
}

const sl_client_cursors *sl_client_history_cursors(const sl_client_history *history) {
    return &history->state.cursors;
}

const sl_client_progress *sl_client_history_progress(const sl_client_history *history) {
    return &history->state.progress;
}

bool sl_client_history_sync(sl_client_history *history, sl_status *st) {
    if (!history->unsynced) return true;
    if (!refuse_open_write(history, st)) return false;
    if (!history->store->vtbl->sync(history->store, st)) return false;
    history->unsynced = false;
    return true;
}

static bool waits_for_upload(const sl_history_entry *entry) {
    return entry->origin_file == 0 && entry->changeset.size > 0;
}

bool sl_client_history_confirmed(sl_client_history *history, uint64_t version, bool *done,
                                 sl_status *st) {
    const sl_own_changes *own = &history->own;
    if (!sl_client_history_need_own(history, st)) return false;
    size_t next = sl_own_changes_after(own, history->state.cursors.ul_cv);
    *done = next == own->count || own->items[next].version > version;
    return true;
}

/* ---- the server's ident ---------------------------------------------------------------------- */

static bool rewrite_entry(sl_client_history *history, uint64_t version, uint64_t ident,
                          sl_client_state *state, sl_status *st) {
    sl_store *store = history->store;
    sl_history_entry entry;
    bool found;
    if (!store->vtbl->entry_get(store, version, &entry, &found, st)) return false;
    if (!found || !waits_for_upload(&entry)) return true;
    sl_changeset cs;
    sl_changeset_init(&cs, history->alloc);
    bool changed = false;
    bool ok = sl_changeset_parse(&cs, entry.changeset.data, entry.changeset.size, st) &&
              sl_changeset_adopt_ident(&cs, ident, &changed, st);
    if (ok && changed) {
        sl_buf_clear(&history->encoded);
        ok = sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, &history->encoded, st);
        if (ok) {
            uint64_t before = entry.changeset.size;
            entry.changeset = sl_str_of(history->encoded.data, history->encoded.size);
            state->progress.uploadable_bytes += entry.changeset.size - before;
            ok = store->vtbl->entry_replace(store, &entry, st);
        }
    }
    sl_changeset_free(&cs);
    return ok;
}

static bool collect_next(void *ctx, const sl_history_entry *entry) {
    uint64_t *version = ctx;
    *version = entry->version;
    return false;
}

/* Everything written before the first ident is still there: nothing can have been confirmed. */
static bool rewrite_history(sl_client_history *history, uint64_t ident, sl_client_state *state,
                            sl_status *st) {
    uint64_t at = state->base;
    while (at < state->version) {
        uint64_t next = 0;
        if (!history->store->vtbl->entry_scan(history->store, at, state->version, false,
                                              collect_next, &next, st))
            return false;
        if (next == 0) break;
        if (!rewrite_entry(history, next, ident, state, st)) return false;
        at = next;
    }
    return true;
}

bool sl_client_history_set_ident(sl_client_history *history, uint64_t ident, int64_t salt,
                                 sl_status *st) {
    uint64_t now = 0;
    if (history->state.ident != 0)
        return sl_fail(st, SL_ERR_USAGE, "", "the file has a client file ident already");
    if (ident == 0 || ident > SL_MAX_NUMBER || salt <= 0)
        return sl_fail(st, SL_ERR_PROTOCOL, "IDENT", "the server sent the ident or salt 0");
    /* A bookkeeping entry needs no exact time. */
    sl_status clock = SL_STATUS_INIT;
    if (!sl_client_history_now(history, &now, &clock)) now = 0;
    if (!sl_client_history_begin_private(history, st)) return false;
    sl_client_state state = history->state;
    state.ident = ident;
    state.salt = salt;
    state.cursors.dl_cv = 0;
    state.cursors.ul_cv = 0;
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv, .origin_timestamp = now};
    if (!sl_realm_adopt_ident(history->realm, ident, st) ||
        !rewrite_history(history, ident, &state, st))
        return sl_client_history_abandon(history);
    sl_own_changes_forget(&history->own);
    return sl_client_history_finish(history, &state, &entry, true, st);
}

/* ---- upload ---------------------------------------------------------------------------------- */

typedef struct upload_scan {
    sl_client_history *history;
    sl_buf *entries;
    sl_upload_batch *batch;
    uint64_t taken; /* bytes of changesets */
    uint64_t hard;  /* never reached by more than one changeset */
    int protocol;
    bool ok;
    sl_status *st;
} upload_scan;

/* Only asked for old peers, so the parse costs nothing in the usual case. */
static bool check_gate(upload_scan *scan, const sl_history_entry *entry) {
    if (scan->protocol >= 13) return true;
    sl_changeset cs;
    sl_changeset_init(&cs, scan->history->alloc);
    scan->ok = sl_changeset_parse(&cs, entry->changeset.data, entry->changeset.size, scan->st);
    int level = SL_FEATURE_LEVEL_BASE;
    scan->ok = scan->ok &&
               sl_feature_level(&cs, sl_realm_schema(scan->history->realm), &level, NULL, scan->st);
    if (scan->ok) {
        if (level > SL_FEATURE_LEVEL_BASE && level > scan->protocol) {
            scan->batch->gated = true;
            scan->batch->gate_version = entry->version;
            scan->batch->gate_level = level;
        }
    }
    sl_changeset_free(&cs);
    return scan->ok && !scan->batch->gated;
}

static bool take_entry(void *ctx, const sl_history_entry *entry) {
    upload_scan *scan = ctx;
    sl_upload_batch *batch = scan->batch;
    if (batch->count > 0 &&
        (scan->taken >= SL_MAX_UPLOAD_SOFT || scan->taken + entry->changeset.size >= scan->hard)) {
        batch->more = true;
        return false;
    }
    if (!check_gate(scan, entry)) return false;
    sl_upload_entry_write(scan->entries,
                          &(sl_upload_entry){.client_version = entry->version,
                                             .server_version = entry->peer_version,
                                             .origin_timestamp = entry->origin_timestamp,
                                             .origin_file = entry->origin_file,
                                             .changeset = entry->changeset});
    scan->taken += entry->changeset.size;
    batch->count++;
    batch->cursor = (sl_upload_cursor){entry->version, entry->peer_version};
    if (scan->taken < SL_MAX_UPLOAD_SOFT) return true;
    batch->more = true;
    return false;
}

bool sl_client_history_scan_uploads(sl_client_history *history, sl_upload_cursor from,
                                    uint64_t last, int protocol, sl_buf *entries,
                                    sl_upload_batch *batch, sl_status *st) {
    const sl_client_state *state = &history->state;
    *batch = (sl_upload_batch){.cursor = from};
    upload_scan scan = {history, entries, batch, 0, SL_MAX_UPLOAD_HARD, protocol, true, st};
    uint64_t limit = history->max_message;
    if (limit && limit < scan.hard) scan.hard = limit;
    if (last > state->version) last = state->version;
    if (!sl_client_history_need_own(history, st) ||
        !sl_own_changes_scan(&history->own, history->store, from.client_version, last, take_entry,
                             &scan, st))
        return false;
    if (entries->failed) return sl_fail_memory(st);
    /* Versions after the last own change are downloads, which only the server's versions tell. */
    if (scan.ok && !batch->more && !batch->gated && last == state->version &&
        last > from.client_version)
        batch->cursor = (sl_upload_cursor){state->version, state->cursors.dl_sv};
    return scan.ok;
}
