#include "history/client_history_private.h"

#include "history/window.h"
#include "protocol/message.h"
#include "realm/apply.h"
#include "realm/change.h"

/* The server's number among the peers of a client file. */
enum { SERVER_PEER = 1 };

typedef unsigned long long ull;

/* ---- checks ---------------------------------------------------------------------------------- */

static bool refuse(sl_status *st, int check, const char *what, uint64_t value, uint64_t bound) {
    return sl_fail_code(st, SL_ERR_PROTOCOL, 103,
                        "DOWNLOAD breaks rule %d: %s (%llu, known: %llu); the server's answer "
                        "contradicts what it said before",
                        check, what, (ull)value, (ull)bound);
}

static bool check_header(const sl_client_state *held, const sl_client_cursors *h, sl_status *st) {
    const sl_client_cursors *c = &held->cursors;
    if (h->latest_sv < c->latest_sv)
        return refuse(st, 1, "latest server version decreases", h->latest_sv, c->latest_sv);
    if (h->ul_cv < c->ul_cv)
        return refuse(st, 2, "upload client version decreases", h->ul_cv, c->ul_cv);
    if (h->ul_cv > held->version)
        return refuse(st, 2, "upload client version was never made", h->ul_cv, held->version);
    if (h->dl_sv < c->dl_sv)
        return refuse(st, 3, "download server version decreases", h->dl_sv, c->dl_sv);
    if (h->dl_sv > h->latest_sv)
        return refuse(st, 3, "download server version above latest", h->dl_sv, h->latest_sv);
    if (h->dl_cv < c->dl_cv)
        return refuse(st, 4, "download client version decreases", h->dl_cv, c->dl_cv);
    if (h->dl_cv > h->ul_cv)
        return refuse(st, 4, "download client version above upload's", h->dl_cv, h->ul_cv);
    if (h->ul_sv > h->dl_sv)
        return refuse(st, 5, "upload server version above download's", h->ul_sv, h->dl_sv);
    return true;
}

static bool check_entries(const sl_client_state *held, const sl_client_download *d, sl_status *st) {
    uint64_t server = held->cursors.dl_sv, client = held->cursors.dl_cv;
    for (size_t i = 0; i < d->count; i++) {
        const sl_download_entry *e = &d->entries[i];
        if (e->server_version <= server || e->server_version > d->cursors.dl_sv)
            return refuse(st, 6, "server version of an entry out of order", e->server_version,
                          server);
        if (e->client_version < client || e->client_version > d->cursors.dl_cv)
            return refuse(st, 7, "client version of an entry out of order", e->client_version,
                          client);
        if (e->origin_file == 0 || e->origin_file == held->ident)
            return refuse(st, 8, "author of an entry is nobody else", e->origin_file, held->ident);
        server = e->server_version;
        client = e->client_version;
    }
    return true;
}

bool sl_client_history_check_download(const sl_client_history *history,
                                      const sl_client_download *download, sl_status *st) {
    return check_header(&history->state, &download->cursors, st) &&
           check_entries(&history->state, download, st);
}

/* The second check of 3.6, against what is stored. An upload server version of 0 is what a server
 * knows of an ident that a client reset took over. */
static bool check_progress(const sl_client_cursors *held, const sl_client_cursors *h,
                           sl_status *st) {
    const char *what = NULL;
    if (h->latest_sv < held->latest_sv) what = "latest server version";
    if (h->dl_sv < held->dl_sv) what = "download server version";
    if (h->dl_cv < held->dl_cv) what = "download client version";
    if (h->ul_cv < held->ul_cv) what = "upload client version";
    if (h->ul_sv < held->ul_sv && h->ul_sv != 0) what = "upload server version";
    if (!what) return true;
    return sl_fail_code(st, SL_ERR_SESSION, 233,
                        "bad progress: the %s of a DOWNLOAD lies behind what is stored", what);
}

bool sl_client_history_check_next(const sl_client_history *history, const sl_client_cursors *after,
                                  const sl_client_download *download) {
    sl_client_state held = history->state;
    held.cursors = *after;
    return check_header(&held, &download->cursors, NULL) && check_entries(&held, download, NULL) &&
           check_progress(after, &download->cursors, NULL);
}

/* ---- parsing and merging --------------------------------------------------------------------- */

/* The changesets of one DOWNLOAD. */
typedef struct incoming {
    const sl_alloc *alloc;
    sl_changeset *changesets;
    sl_merge_item *items;
    size_t count;
} incoming;

static void incoming_free(incoming *in) {
    for (size_t i = 0; i < in->count; i++)
        sl_changeset_free(&in->changesets[i]);
    sl_delete(in->alloc, in->changesets);
    sl_delete(in->alloc, in->items);
}

static bool incoming_parse(incoming *in, const sl_alloc *alloc, const sl_client_download *d,
                           sl_status *st) {
    *in = (incoming){.alloc = alloc};
    if (d->count == 0) return true;
    in->changesets = sl_new_zero(alloc, d->count, sizeof *in->changesets);
    in->items = sl_new_zero(alloc, d->count, sizeof *in->items);
    bool ok = in->changesets && in->items;
    if (!ok) sl_fail_memory(st);
    for (size_t i = 0; ok && i < d->count; i++) {
        const sl_download_entry *e = &d->entries[i];
        sl_changeset_init(&in->changesets[i], alloc);
        in->count = i + 1;
        ok = sl_changeset_parse(&in->changesets[i], e->changeset.data, e->changeset.size, st);
        in->items[i] = (sl_merge_item){.changeset = &in->changesets[i],
                                       .origin_timestamp = e->origin_timestamp,
                                       .origin_file = e->origin_file};
    }
    if (!ok) incoming_free(in);
    return ok;
}

/* The list that the window reads holds changes of this side only. */
static bool takes_part(void *ctx, const sl_history_entry *entry) {
    (void)ctx;
    (void)entry;
    return true;
}

/* Where the window reads from. */
static bool scan_own(void *ctx, uint64_t after, uint64_t last, sl_entry_visitor visit,
                     void *visit_ctx, sl_status *st) {
    sl_client_history *history = ctx;
    return sl_own_changes_scan(&history->own, history->store, after, last, visit, visit_ctx, st);
}

static bool apply_range(sl_client_history *history, incoming *in, size_t first, size_t end,
                        sl_client_integration *result, sl_status *st) {
    for (size_t i = first; i < end; i++) {
        if (in->changesets[i].count == 0) continue;
        if (!sl_realm_apply(history->realm, &in->changesets[i], st)) return false;
        result->changed = true;
        result->steps += in->changesets[i].count;
    }
    return true;
}

/* What was trimmed between base and the entry's version could take part in no window (10.3). */
static uint64_t base_of(const sl_client_history *history, const sl_download_entry *entry) {
    uint64_t base = history->state.base;
    return entry->client_version < base ? base : entry->client_version;
}

/* Consecutive changesets with one base are merged in one go (3-transform.md, 1.8). */
static bool merge_and_apply(sl_client_history *history, const sl_client_download *d, incoming *in,
                            sl_client_integration *result, sl_status *st) {
    const sl_merge_options merge = {.keep_created = true};
    sl_window_options options = {.alloc = history->alloc,
                                 .store = history->store,
                                 .peer = SERVER_PEER,
                                 .self = history->state.ident,
                                 .last = history->state.version,
                                 .takes_part = takes_part,
                                 .scan = scan_own,
                                 .scan_ctx = history,
                                 .merge = &merge};
    /* Nothing of ours that the authors had not seen: nothing to merge with. Later changesets of the
     * server are based on later versions of ours. */
    if (d->count == 0 ||
        sl_own_changes_after(&history->own, base_of(history, &d->entries[0])) == history->own.count)
        return apply_range(history, in, 0, d->count, result, st);
    sl_window *window = sl_window_new(&options);
    if (!window) return sl_fail_memory(st);
    bool ok = true;
    for (size_t first = 0, end; ok && first < d->count; first = end) {
        uint64_t base = base_of(history, &d->entries[first]);
        for (end = first + 1; end < d->count && base_of(history, &d->entries[end]) == base;)
            end++;
        ok = sl_window_merge(window, base, &in->items[first], end - first, st) &&
             apply_range(history, in, first, end, result, st);
    }
    ok = ok && sl_window_store(window, st);
    sl_window_free(window);
    return ok;
}

/* ---- progress and trimming ------------------------------------------------------------------- */

static void count_confirmed(const sl_own_changes *own, uint64_t after, uint64_t last,
                            sl_client_progress *progress) {
    for (size_t i = sl_own_changes_after(own, after); i < own->count; i++) {
        if (own->items[i].version > last) return;
        progress->uploaded_bytes += own->items[i].size;
        progress->uploaded_changesets++;
    }
}

static void update_progress(sl_client_history *history, const sl_client_download *d,
                            sl_client_state *state) {
    sl_client_cursors *c = &state->cursors;
    uint64_t stored_ul_sv = c->ul_sv;
    count_confirmed(&history->own, c->ul_cv, d->cursors.ul_cv, &state->progress);
    *c = d->cursors;
    if (d->cursors.ul_sv == 0) c->ul_sv = stored_ul_sv;
    for (size_t i = 0; i < d->count; i++)
        state->progress.downloaded_bytes += d->entries[i].original_size;
    state->progress.downloaded_changesets += d->count;
    state->progress.downloadable_bytes = state->progress.downloaded_bytes + d->downloadable;
}

/* What trimming does to the entries in the store, when it has been committed. */
typedef struct leftovers {
    size_t count, bytes;
} leftovers;

/* Up to the download client version, not the acknowledgement: an entry in between may still be
 * needed as merge window (10.3). Entries before the base count no more; they leave the store in
 * groups, because removing them touches pages that nothing else does. */
static bool trim(sl_client_history *history, sl_client_state *state, leftovers *left,
                 sl_status *st) {
    enum { STALE_ENTRIES = 128, STALE_BYTES = 256 * 1024 };
    sl_store *store = history->store;
    const sl_own_changes *own = &history->own;
    uint64_t last = state->cursors.dl_cv > state->base ? state->cursors.dl_cv : state->base;
    size_t next = sl_own_changes_after(own, last);
    last = next < own->count ? own->items[next].version - 1 : state->version;
    *left = (leftovers){history->stale, history->stale_bytes};
    state->base = last;
    if (next == own->first) return true;
    if (left->count != SIZE_MAX) left->count += next - own->first;
    for (size_t i = own->first; i < next; i++)
        left->bytes += own->items[i].size;
    if (left->count < STALE_ENTRIES && left->bytes < STALE_BYTES) return true;
    *left = (leftovers){0, 0};
    return store->vtbl->entry_drop(store, last, st) &&
           store->vtbl->reciprocal_drop(store, SERVER_PEER, last, st);
}

/* ---- one DOWNLOAD ---------------------------------------------------------------------------- */

static bool integrate_open(sl_client_history *history, const sl_client_download *d, incoming *in,
                           uint64_t now, sl_client_integration *result, sl_status *st) {
    sl_client_state state = history->state;
    sl_history_entry entry = {.peer_version = d->cursors.dl_sv, .origin_timestamp = now};
    if (d->count > 0) {
        entry.origin_file = d->entries[d->count - 1].origin_file;
        entry.origin_timestamp = d->entries[d->count - 1].origin_timestamp;
    }
    leftovers left;
    if (!merge_and_apply(history, d, in, result, st)) return sl_client_history_abandon(history);
    update_progress(history, d, &state);
    if (!trim(history, &state, &left, st)) return sl_client_history_abandon(history);
    result->changesets = d->count;
    result->confirmed = state.cursors.ul_cv > history->state.cursors.ul_cv;
    /* Not flushed one by one: what came from the server can come again, and nothing is told about
     * it before sl_client_history_sync. */
    if (!sl_client_history_finish(history, &state, &entry, false, st)) return false;
    result->steps += sl_realm_touched(history->realm);
    history->stale = left.count;
    history->stale_bytes = left.bytes;
    result->version = state.version;
    return true;
}

bool sl_client_history_integrate(sl_client_history *history, const sl_client_download *download,
                                 sl_client_integration *result, sl_status *st) {
    uint64_t now = 0;
    *result = (sl_client_integration){0};
    if (history->state.ident == 0)
        return sl_fail(st, SL_ERR_USAGE, "", "the file has no client file ident yet");
    /* A bookkeeping entry needs no exact time; a clock before 2015 must not stop a download. */
    sl_status clock = SL_STATUS_INIT;
    if (!sl_client_history_now(history, &now, &clock)) now = 0;
    incoming in;
    if (!sl_client_history_need_own(history, st)) return false;
    if (!incoming_parse(&in, history->alloc, download, st)) return false;
    bool ok = check_progress(&history->state.cursors, &download->cursors, st) &&
              sl_client_history_begin_private(history, st) &&
              integrate_open(history, download, &in, now, result, st);
    incoming_free(&in);
    return ok;
}
