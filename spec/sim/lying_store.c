#include "lying_store.h"

#include <stdio.h>
#include <stdlib.h>

static const sl_store_vtbl vtbl;

lying_store *lying_store_of(sl_store *store) {
    return store->vtbl == &vtbl ? (lying_store *)(void *)store : NULL;
}

static lying_store *self_of(sl_store *store) {
    return (lying_store *)(void *)store;
}

#define INNER(store)               self_of(store)->inner
#define CALL(store, function, ...) INNER(store)->vtbl->function(INNER(store), __VA_ARGS__)

static void lie_close(sl_store *store) {
    INNER(store)->vtbl->close(INNER(store));
    free(store);
}

static bool lie_begin(sl_store *store, sl_status *st) {
    lying_store *self = self_of(store);
    self->ident_made = self->entry_made = false;
    if (!CALL(store, begin, st)) return false;
    bool ok = true;
    if (self->row_waits) ok = CALL(store, client_put, &self->row, st);
    if (ok && self->fact_waits)
        ok = CALL(store, meta_put_bytes, self->fact_name, sl_str_of(self->fact, self->fact_size),
                  st);
    self->row_waits = self->fact_waits = false;
    if (!ok) INNER(store)->vtbl->rollback(INNER(store));
    return ok;
}

static bool lie_commit(sl_store *store, bool durable, sl_status *st) {
    const lying_store *self = self_of(store);
    if (self->lies.commits_not_flushed) durable = false;
    if (self->lies.idents_not_flushed && self->ident_made && !self->entry_made) durable = false;
    return CALL(store, commit, durable, st);
}

static void lie_rollback(sl_store *store) {
    lying_store *self = self_of(store);
    if (self->fresh) self->row_waits = self->fact_waits = self->fresh = false;
    INNER(store)->vtbl->rollback(INNER(store));
}

static bool lie_sync(sl_store *store, sl_status *st) {
    if (self_of(store)->lies.commits_not_flushed) return true;
    return INNER(store)->vtbl->sync(INNER(store), st);
}

static const sl_realm_source *lie_source(sl_store *store) {
    return INNER(store)->vtbl->source(INNER(store));
}

static const sl_state_store *lie_states(sl_store *store) {
    return INNER(store)->vtbl->states(INNER(store));
}

static bool lie_entry_append(sl_store *store, const sl_history_entry *entry, sl_status *st) {
    self_of(store)->entry_made = true;
    return CALL(store, entry_append, entry, st);
}

static bool lie_entry_get(sl_store *store, uint64_t version, sl_history_entry *entry, bool *found,
                          sl_status *st) {
    return CALL(store, entry_get, version, entry, found, st);
}

static bool lie_entry_scan(sl_store *store, uint64_t after, uint64_t last, bool bytes,
                           sl_entry_visitor visit, void *ctx, sl_status *st) {
    return CALL(store, entry_scan, after, last, bytes, visit, ctx, st);
}

static bool lie_entry_replace(sl_store *store, const sl_history_entry *entry, sl_status *st) {
    return CALL(store, entry_replace, entry, st);
}

static bool lie_entry_drop(sl_store *store, uint64_t last, sl_status *st) {
    if (self_of(store)->lies.entries_dropped_early) last = INT64_MAX;
    if (self_of(store)->lies.entries_never_dropped) last = 0;
    return CALL(store, entry_drop, last, st);
}

static bool lie_entry_range(sl_store *store, uint64_t *first, uint64_t *last, sl_status *st) {
    return CALL(store, entry_range, first, last, st);
}

static bool lie_reciprocal_put(sl_store *store, uint64_t peer, uint64_t version, sl_str bytes,
                               sl_status *st) {
    if (self_of(store)->lies.forms_not_kept) return true;
    return CALL(store, reciprocal_put, peer, version, bytes, st);
}

static bool lie_reciprocal_get(sl_store *store, uint64_t peer, uint64_t version, sl_str *bytes,
                               bool *found, sl_status *st) {
    if (!CALL(store, reciprocal_get, peer, version, bytes, found, st)) return false;
    if (self_of(store)->lies.empty_forms_vanish && bytes->size == 0) *found = false;
    return true;
}

static bool lie_reciprocal_drop(sl_store *store, uint64_t peer, uint64_t last, sl_status *st) {
    if (self_of(store)->lies.forms_dropped_early) last = INT64_MAX;
    if (self_of(store)->lies.forms_never_dropped) last = 0;
    return CALL(store, reciprocal_drop, peer, last, st);
}

static bool lie_client_put(sl_store *store, const sl_client_file *row, sl_status *st) {
    lying_store *self = self_of(store);
    if (row->client_version == 0) self->ident_made = true;
    if (!self->lies.rows_put_later || row->client_version == 0)
        return CALL(store, client_put, row, st);
    if (self->row_waits && self->row.ident != row->ident &&
        !CALL(store, client_put, &self->row, st))
        return false;
    self->row = *row;
    self->row.user = SL_STR("");
    self->row_waits = self->fresh = true;
    return true;
}

static bool lie_client_get(sl_store *store, uint64_t ident, sl_client_file *row, bool *found,
                           sl_status *st) {
    const lying_store *self = self_of(store);
    if (!CALL(store, client_get, ident, row, found, st)) return false;
    if (self->row_waits && self->row.ident == ident) *row = self->row;
    if (self->hide_progress && *found) row->client_version = 0;
    return true;
}

static bool lie_client_scan(sl_store *store, sl_client_visitor visit, void *ctx, sl_status *st) {
    return CALL(store, client_scan, visit, ctx, st);
}

static bool lie_meta_put_int(sl_store *store, const char *name, int64_t value, sl_status *st) {
    return CALL(store, meta_put_int, name, value, st);
}

static bool lie_meta_get_int(sl_store *store, const char *name, int64_t *value, sl_status *st) {
    return CALL(store, meta_get_int, name, value, st);
}

static bool lie_meta_put_bytes(sl_store *store, const char *name, sl_str value, sl_status *st) {
    lying_store *self = self_of(store);
    if (!self->lies.facts_put_later || value.size > sizeof self->fact)
        return CALL(store, meta_put_bytes, name, value, st);
    snprintf(self->fact_name, sizeof self->fact_name, "%s", name);
    memcpy(self->fact, value.data, value.size);
    self->fact_size = value.size;
    self->fact_waits = self->fresh = true;
    return true;
}

static bool lie_meta_get_bytes(sl_store *store, const char *name, sl_str *value, sl_status *st) {
    const lying_store *self = self_of(store);
    if (!CALL(store, meta_get_bytes, name, value, st)) return false;
    if (self->fact_waits && strcmp(self->fact_name, name) == 0)
        *value = sl_str_of(self->fact, self->fact_size);
    return true;
}

static const sl_store_vtbl vtbl = {
    lie_close,        lie_begin,          lie_commit,         lie_rollback,
    lie_sync,         lie_source,         lie_states,         lie_entry_append,
    lie_entry_get,    lie_entry_scan,     lie_entry_replace,  lie_entry_drop,
    lie_entry_range,  lie_reciprocal_put, lie_reciprocal_get, lie_reciprocal_drop,
    lie_client_put,   lie_client_get,     lie_client_scan,    lie_meta_put_int,
    lie_meta_get_int, lie_meta_put_bytes, lie_meta_get_bytes};

sl_store *lying_store_new(sl_store *inner, int who, const lies *what) {
    lying_store *self = calloc(1, sizeof *self);
    if (!self) abort();
    self->base.vtbl = &vtbl;
    self->inner = inner;
    self->who = who;
    self->lies = *what;
    return &self->base;
}
