#include "history/server_care.h"
#include "history/server_history_private.h"

/* Clients that speak for themselves. */
static bool is_direct(const sl_client_file *row) {
    return row->ident >= SL_FIRST_CLIENT_IDENT && row->type != SL_CLIENT_INDIRECT;
}

static bool see_need(void *ctx, const sl_client_file *row) {
    sl_server_limit *limit = ctx;
    if (!is_direct(row) || row->last_seen == 0) return true;
    uint64_t need =
        row->reciprocal_base < row->locked_version ? row->reciprocal_base : row->locked_version;
    if (limit->holder && need >= limit->version) return true;
    *limit = (sl_server_limit){need, row->ident, row->last_seen};
    return true;
}

bool sl_server_history_limit(sl_server_history *h, sl_server_limit *limit, sl_status *st) {
    *limit = (sl_server_limit){0};
    if (!h->store->vtbl->client_scan(h->store, see_need, limit, st)) return false;
    if (limit->holder == 0) limit->version = h->now.version;
    return true;
}

uint64_t sl_server_history_compacted(const sl_server_history *h) {
    return h->compacted;
}

uint64_t sl_server_history_live(const sl_server_history *h) {
    uint64_t live = h->now.version;
    for (size_t i = 0; i < h->gaps.count; i++)
        live -= h->gaps.list[i].last - h->gaps.list[i].first + 1;
    return live;
}

/* ---- seen and expired ------------------------------------------------------------------------ */

/* The row's user is borrowed from the store, which reads it again for the change. */
static bool put_seen(sl_server_history *h, sl_client_file *row, int64_t seen, sl_status *st) {
    sl_buf user;
    sl_buf_init(&user, h->alloc);
    sl_buf_str(&user, row->user);
    bool ok = !user.failed || sl_fail_memory(st);
    row->user = user.size ? sl_str_of(user.data, user.size) : SL_STR("");
    row->last_seen = seen;
    ok = ok && h->store->vtbl->client_put(h->store, row, st);
    sl_buf_free(&user);
    return ok;
}

static bool need_unit(const sl_server_history *h, sl_status *st) {
    return h->in_unit || sl_fail(st, SL_ERR_USAGE, "", "no unit of work is open");
}

bool sl_server_history_touch(sl_server_history *h, uint64_t ident, int64_t seen, sl_status *st) {
    sl_client_file row;
    bool found = false;
    if (!need_unit(h, st) || !sl_server_history_client(h, ident, &row, &found, st)) return false;
    if (!found || row.last_seen == 0 || row.last_seen >= seen) return true;
    return put_seen(h, &row, seen, st);
}

/* Idents, because a row may not be changed while the rows are read. */
typedef struct absent {
    sl_buf idents;
    int64_t before;
    bool (*spared)(void *ctx, uint64_t ident);
    void *ctx;
} absent;

static bool see_absent(void *ctx, const sl_client_file *row) {
    absent *a = ctx;
    if (!is_direct(row) || row->last_seen == 0 || row->last_seen >= a->before) return true;
    if (!a->spared || !a->spared(a->ctx, row->ident))
        sl_buf_add(&a->idents, &row->ident, sizeof row->ident);
    return !a->idents.failed;
}

static bool expire_one(sl_server_history *h, uint64_t ident, sl_status *st) {
    sl_client_file row;
    bool found = false;
    if (!sl_server_history_client(h, ident, &row, &found, st)) return false;
    if (!found) return true;
    return put_seen(h, &row, 0, st) &&
           h->store->vtbl->reciprocal_drop(h->store, ident, SL_MAX_NUMBER, st);
}

bool sl_server_history_expire(sl_server_history *h, int64_t before,
                              bool (*spared)(void *ctx, uint64_t ident), void *ctx, size_t *expired,
                              sl_status *st) {
    absent a = {.before = before, .spared = spared, .ctx = ctx};
    *expired = 0;
    if (!need_unit(h, st)) return false;
    sl_buf_init(&a.idents, h->alloc);
    bool ok = h->store->vtbl->client_scan(h->store, see_absent, &a, st);
    if (ok && a.idents.failed) ok = sl_fail_memory(st);
    for (size_t at = 0; ok && at < a.idents.size; at += sizeof(uint64_t)) {
        uint64_t ident;
        memcpy(&ident, a.idents.data + at, sizeof ident);
        ok = expire_one(h, ident, st);
        *expired += ok;
    }
    sl_buf_free(&a.idents);
    return ok;
}
