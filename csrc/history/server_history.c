#include "history/server_history_private.h"

enum { DEFAULT_CACHE = 8 * 1024 * 1024, DEFAULT_MERGE_STEPS = 100000000, DEFAULT_CLASSES = 2000 };

/* ---- opening --------------------------------------------------------------------------------- */

static bool see_client(void *ctx, const sl_client_file *row) {
    sl_server_history *h = ctx;
    if (row->type != SL_CLIENT_INDIRECT) return true;
    return sl_server_history_note_indirect(h, row->ident, row->proxy);
}

/* Almost no file has indirect clients, so the table is read only if one was ever made. */
static bool load_indirect(sl_server_history *h, sl_status *st) {
    int64_t made = 0;
    if (!h->store->vtbl->meta_get_int(h->store, SL_META_INDIRECT, &made, st)) return false;
    if (made == 0) return true;
    if (!h->store->vtbl->client_scan(h->store, see_client, h, st)) return false;
    return h->indirect_count == (size_t)made ||
           sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "the client table lacks indirect clients");
}

static bool load_care(sl_server_history *h, sl_status *st) {
    const sl_store_vtbl *v = h->store->vtbl;
    int64_t until = 0;
    sl_str gaps;
    if (!v->meta_get_int(h->store, SL_META_COMPACTED, &until, st)) return false;
    h->compacted = (uint64_t)until;
    return v->meta_get_bytes(h->store, SL_META_GAPS, &gaps, st) && sl_gaps_read(&h->gaps, gaps, st);
}

static bool load_state(sl_server_history *h, sl_status *st) {
    const sl_store_vtbl *v = h->store->vtbl;
    uint64_t first = 0, last = 0;
    int64_t level = 0, next = 0, schema = 0;
    if (!v->entry_range(h->store, &first, &last, st) ||
        !v->meta_get_int(h->store, SL_META_LEVEL, &level, st) ||
        !v->meta_get_int(h->store, SL_META_NEXT_IDENT, &next, st) ||
        !v->meta_get_int(h->store, SL_META_SCHEMA, &schema, st))
        return false;
    h->now.level = level > SL_FEATURE_LEVEL_BASE ? (int)level : SL_FEATURE_LEVEL_BASE;
    h->now.next_ident = next ? (uint64_t)next : SL_FIRST_CLIENT_IDENT;
    if (last == 0) return true;
    sl_history_entry entry;
    bool found = false;
    if (!v->entry_get(h->store, last, &entry, &found, st)) return false;
    if (!found) return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "the newest history entry is gone");
    h->now.version = last;
    h->now.salt = entry.salt;
    h->now.size = entry.cumulative_size;
    h->now.schema = schema ? (uint64_t)schema : last;
    return true;
}

sl_server_history *sl_server_history_open(sl_store *store, sl_realm *realm,
                                          const sl_server_history_options *options, sl_status *st) {
    sl_server_history *h = sl_new_zero(options->alloc, 1, sizeof(*h));
    if (!h) {
        sl_fail_memory(st);
        return NULL;
    }
    h->alloc = options->alloc;
    h->env = options->env;
    h->keep_originals = options->keep_originals;
    h->max_merge_steps = options->max_merge_steps ? options->max_merge_steps : DEFAULT_MERGE_STEPS;
    h->max_classes = options->max_classes ? options->max_classes : DEFAULT_CLASSES;
    h->store = store;
    h->realm = realm;
    sl_entry_cache_init(&h->cache, h->alloc,
                        options->cache_bytes ? options->cache_bytes : DEFAULT_CACHE);
    sl_buf_init(&h->encoded, h->alloc);
    sl_gaps_init(&h->gaps, h->alloc);
    sl_changeset_init(&h->recorded, h->alloc);
    if (!load_state(h, st) || !load_care(h, st) || !load_indirect(h, st)) {
        sl_server_history_close(h);
        return NULL;
    }
    h->unit = h->now;
    /* An earlier process may have ended between a commit and its flush. */
    h->unsynced = true;
    return h;
}

void sl_server_history_close(sl_server_history *h) {
    if (!h) return;
    if (h->in_unit) sl_server_history_rollback(h);
    sl_entry_cache_free(&h->cache);
    sl_buf_free(&h->encoded);
    sl_gaps_free(&h->gaps);
    sl_changeset_free(&h->recorded);
    sl_delete(h->alloc, h->indirect);
    sl_delete(h->alloc, h);
}

/* ---- facts ----------------------------------------------------------------------------------- */

uint64_t sl_server_history_version(const sl_server_history *h) {
    return h->now.version;
}

int64_t sl_server_history_salt(const sl_server_history *h) {
    return h->now.salt;
}

uint64_t sl_server_history_size(const sl_server_history *h) {
    return h->now.size;
}

int sl_server_history_level(const sl_server_history *h) {
    return h->now.level;
}

bool sl_server_history_in_unit(const sl_server_history *h) {
    return h->in_unit;
}

bool sl_server_history_client(sl_server_history *h, uint64_t ident, sl_client_file *row,
                              bool *found, sl_status *st) {
    *found = false;
    /* The server's own row is not for clients, and there is none for 0. */
    if (ident < SL_FIRST_CLIENT_IDENT || ident > SL_MAX_NUMBER) return true;
    return h->store->vtbl->client_get(h->store, ident, row, found, st);
}

bool sl_server_history_note_indirect(sl_server_history *h, uint64_t ident, uint64_t proxy) {
    sl_indirect *grown = sl_resize(h->alloc, h->indirect, (h->indirect_count + 1) * sizeof(*grown));
    if (!grown) return false;
    h->indirect = grown;
    h->indirect[h->indirect_count++] = (sl_indirect){ident, proxy};
    return true;
}

bool sl_server_history_speaks_for(const sl_server_history *h, uint64_t client, uint64_t origin) {
    if (client == origin) return true;
    for (size_t i = 0; i < h->indirect_count; i++)
        if (h->indirect[i].ident == origin) return h->indirect[i].proxy == client;
    return false;
}

bool sl_server_history_scan_entries(void *ctx, uint64_t after, uint64_t last,
                                    sl_entry_visitor visit, void *visit_ctx, sl_status *st) {
    sl_server_history *h = ctx;
    if (after >= last) return true;
    if (sl_entry_cache_covers(&h->cache, after)) {
        sl_entry_cache_scan(&h->cache, after, last, visit, visit_ctx);
        return true;
    }
    return h->store->vtbl->entry_scan(h->store, after, last, true, visit, visit_ctx, st);
}

/* Notes whether the visitor wants to go on. */
typedef struct stepping {
    sl_entry_visitor visit;
    void *ctx;
    bool stopped;
} stepping;

static bool see_step(void *ctx, const sl_history_entry *entry) {
    stepping *s = ctx;
    s->stopped = !s->visit(s->ctx, entry);
    return !s->stopped;
}

bool sl_server_history_scan_full(void *ctx, uint64_t after, uint64_t last, sl_entry_visitor visit,
                                 void *visit_ctx, sl_status *st) {
    sl_server_history *h = ctx;
    stepping s = {visit, visit_ctx, false};
    const sl_gap *gap;
    while (!s.stopped && after < last && (gap = sl_gaps_after(&h->gaps, after)) != NULL &&
           gap->first <= last) {
        if (gap->first > after + 1 &&
            !sl_server_history_scan_entries(h, after, gap->first - 1, see_step, &s, st))
            return false;
        after = gap->last;
    }
    return s.stopped || sl_server_history_scan_entries(h, after, last, see_step, &s, st);
}

/* ---- IDENT ----------------------------------------------------------------------------------- */

static bool refuse(sl_status *st, int code, const char *why) {
    return sl_fail_code(st, SL_ERR_SESSION, code, "%s", why);
}

static bool see_salt(void *ctx, const sl_history_entry *entry) {
    *(int64_t *)ctx = entry->salt;
    return false;
}

/* 0 for version 0 and for a version that is not held. */
static bool salt_of(sl_server_history *h, uint64_t version, int64_t *salt, sl_status *st) {
    *salt = 0;
    if (version == 0) return true;
    if (version == h->now.version) {
        *salt = h->now.salt;
        return true;
    }
    return sl_server_history_scan_entries(h, version - 1, version, see_salt, salt, st);
}

static bool see_entry_head(void *ctx, const sl_history_entry *entry) {
    *(sl_history_entry *)ctx = *entry;
    return false;
}

bool sl_server_history_holds(sl_server_history *h, uint64_t version, int64_t salt, bool *holds,
                             uint64_t *after, sl_status *st) {
    sl_history_entry entry = {0};
    *holds = false;
    *after = 0;
    if (version == 0 || version > h->now.version || version < h->compacted) return true;
    if (!sl_server_history_scan_entries(h, version - 1, version, see_entry_head, &entry, st))
        return false;
    *holds = entry.version == version && entry.salt == salt;
    if (h->now.size > entry.cumulative_size) *after = h->now.size - entry.cumulative_size;
    return true;
}

static bool check_progress(sl_server_history *h, const sl_ident_claim *claim,
                           const sl_client_file *row, sl_status *st) {
    int64_t salt;
    if (claim->download.own < row->reciprocal_base)
        return refuse(st, 209, "the download position lies before the history kept for the client");
    if (row->last_seen == 0) return refuse(st, 222, "the client file has expired");
    if (claim->download.own > h->now.version)
        return refuse(st, 209, "the download position lies beyond the newest server version");
    if (claim->download.other > row->client_version)
        return refuse(st, 210, "the client remembers uploads that the server does not have");
    if (claim->latest_sv < claim->download.own)
        return refuse(st, 209, "the latest server version lies before the download position");
    if (!salt_of(h, claim->latest_sv, &salt, st)) return false;
    if (claim->latest_salt != salt)
        return refuse(st, 211, "the client saw another continuation of this history");
    return true;
}

bool sl_server_history_check_ident(sl_server_history *h, const sl_ident_claim *claim,
                                   sl_client_file *row, sl_status *st) {
    bool found = false;
    if (claim->latest_sv > h->now.version)
        return refuse(st, 209, "the latest server version lies beyond the newest one");
    if (!sl_server_history_client(h, claim->file_ident, row, &found, st)) return false;
    if (!found) return refuse(st, 208, "unknown client file");
    if (row->salt == 0 || row->salt != claim->salt)
        return refuse(st, 211, "the salt of the client file does not match");
    if (claim->check_user && !sl_str_eq(row->user, claim->user))
        return refuse(st, 223, "the client file belongs to another user");
    row->user = SL_STR("");
    if (!check_progress(h, claim, row, st)) return false;
    if ((row->type == SL_CLIENT_SUBSERVER) != claim->subserver)
        return refuse(st, 208, "the client file is of another kind");
    return true;
}

/* ---- DOWNLOAD -------------------------------------------------------------------------------- */

/* State of a scan between two entries. */
typedef struct walk {
    const sl_server_history *history;
    uint64_t peer;
    size_t limit;
    size_t start; /* size of the buffer before the scan */
    sl_buf *out;
    sl_server_scan *scan;
    uint64_t cumulative; /* at the cursor */
    bool full;
} walk;

/* Room for the numbers in front of a changeset; generous. */
enum { ENTRY_HEADER = 80 };

static bool see_entry(void *ctx, const sl_history_entry *entry) {
    walk *w = ctx;
    size_t used = w->out->size - w->start;
    bool own = sl_server_history_speaks_for(w->history, w->peer, entry->origin_file);
    if (!own && entry->changeset.size) {
        if (w->scan->count && used + entry->changeset.size + ENTRY_HEADER > w->limit) {
            w->full = true;
            return false;
        }
        sl_download_entry wire = {.server_version = entry->version,
                                  .client_version = w->scan->cursor.other,
                                  .origin_timestamp = entry->origin_timestamp,
                                  .origin_file = entry->origin_file ? entry->origin_file
                                                                    : SL_SERVER_FILE_IDENT,
                                  .original_size = entry->changeset.size,
                                  .changeset = entry->changeset};
        sl_download_entry_write(w->out, &wire);
        w->scan->count++;
    }
    if (own && entry->peer_version > w->scan->cursor.other)
        w->scan->cursor.other = entry->peer_version;
    w->scan->cursor.own = entry->version;
    w->cumulative = entry->cumulative_size;
    return !w->out->failed;
}

bool sl_server_history_scan(sl_server_history *h, uint64_t peer, sl_cursor from, size_t limit,
                            sl_buf *entries, sl_server_scan *scan, sl_status *st) {
    *scan = (sl_server_scan){.cursor = from};
    if (h->unsynced && !h->store->vtbl->sync(h->store, st)) return false;
    h->unsynced = false;
    walk w = {h, peer, limit, entries->size, entries, scan, h->now.size, false};
    bool ok = sl_server_history_scan_full(h, from.own, h->now.version, see_entry, &w, st);
    if (ok && entries->failed) ok = sl_fail_memory(st);
    if (!ok) {
        entries->size = w.start;
        entries->failed = false;
        return false;
    }
    if (!w.full) {
        scan->cursor.own = h->now.version;
        w.cumulative = h->now.size;
    }
    /* While a compaction is on its way the sums are too large here and there. */
    scan->downloadable = h->now.size > w.cumulative ? h->now.size - w.cumulative : 0;
    return true;
}
