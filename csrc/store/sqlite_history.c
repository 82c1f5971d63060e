#include "store/sqlite_internal.h"
#include "store/store_check.h"

/* --- history entries --- */

static void bind_u64(sqlite3_stmt *stmt, int at, uint64_t number) {
    sqlite3_bind_int64(stmt, at, (sqlite3_int64)number);
}

static uint64_t column_u64(sqlite3_stmt *stmt, int at) {
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

/* Versions fit 63 bits; a larger limit means "all". */
static uint64_t clamp(uint64_t version) {
    return version > (uint64_t)INT64_MAX ? (uint64_t)INT64_MAX : version;
}

static void bind_entry(sqlite3_stmt *stmt, const sl_history_entry *entry) {
    bind_u64(stmt, 1, entry->version);
    bind_u64(stmt, 2, entry->peer_version);
    bind_u64(stmt, 3, entry->origin_file);
    bind_u64(stmt, 4, entry->origin_timestamp);
    sqlite3_bind_int64(stmt, 5, entry->salt);
    bind_u64(stmt, 6, entry->cumulative_size);
    sl_sqlite_bind_blob(stmt, 7, entry->changeset);
    sl_sqlite_bind_blob(stmt, 8, entry->original);
}

static void read_entry(sqlite3_stmt *stmt, bool bytes, sl_history_entry *entry) {
    entry->version = column_u64(stmt, 0);
    entry->peer_version = column_u64(stmt, 1);
    entry->origin_file = column_u64(stmt, 2);
    entry->origin_timestamp = column_u64(stmt, 3);
    entry->salt = sqlite3_column_int64(stmt, 4);
    entry->cumulative_size = column_u64(stmt, 5);
    if (bytes) {
        entry->changeset = sl_sqlite_column_str(stmt, 6);
        entry->original = sl_sqlite_column_str(stmt, 7);
    } else {
        entry->changeset = sl_str_of(NULL, (size_t)sqlite3_column_int64(stmt, 6));
        entry->original = sl_str_of(NULL, (size_t)sqlite3_column_int64(stmt, 7));
    }
}

static bool read_range(sl_sqlite_store *store, uint64_t *first, uint64_t *last, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ENTRY_RANGE, st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_ROW || sl_sqlite_fail(store, rc, "reading the history", st);
    if (ok) {
        *first = column_u64(stmt, 0);
        *last = column_u64(stmt, 1);
    }
    sl_sqlite_query_release(store, SL_Q_ENTRY_RANGE, stmt);
    return ok;
}

static bool need_last(sl_sqlite_store *store, sl_status *st) {
    uint64_t first;
    if (store->last_known) return true;
    store->last_known = read_range(store, &first, &store->last_version, st);
    return store->last_known;
}

static bool entry_append(sl_store *base, const sl_history_entry *entry, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st) || !need_last(store, st) ||
        !sl_store_check_append(entry, store->last_version, st)) {
        return false;
    }
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ENTRY_APPEND, st);
    if (!stmt) return false;
    bind_entry(stmt, entry);
    if (!sl_sqlite_query_run(store, SL_Q_ENTRY_APPEND, stmt, "adding a history entry", st)) {
        return false;
    }
    store->last_version = entry->version;
    return true;
}

/* Moves what an entry or row borrows from a statement into store->bytes. */
static bool keep(sl_sqlite_store *store, sl_str *first, sl_str *second, sl_status *st) {
    sl_buf_clear(&store->bytes);
    if (!sl_buf_reserve(&store->bytes, (size_t)first->size + (second ? second->size : 0) + 1)) {
        return sl_fail_memory(st);
    }
    sl_buf_str(&store->bytes, *first);
    first->data = store->bytes.data;
    if (!second) return true;
    sl_buf_str(&store->bytes, *second);
    second->data = store->bytes.data + first->size;
    return true;
}

static bool entry_get(sl_store *base, uint64_t version, sl_history_entry *entry, bool *found,
                      sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ENTRY_GET, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, version);
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "reading a history entry", st);
    if (*found) {
        read_entry(stmt, true, entry);
        ok = keep(store, &entry->changeset, &entry->original, st);
    }
    sl_sqlite_query_release(store, SL_Q_ENTRY_GET, stmt);
    return ok;
}

static bool entry_scan(sl_store *base, uint64_t after, uint64_t last, bool bytes,
                       sl_entry_visitor visit, void *ctx, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    sl_sqlite_query query = bytes ? SL_Q_ENTRY_SCAN : SL_Q_ENTRY_SCAN_SIZES;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, query, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, clamp(after));
    bind_u64(stmt, 2, clamp(last));
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sl_history_entry entry;
        read_entry(stmt, bytes, &entry);
        if (!visit(ctx, &entry)) break;
    }
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "reading the history", st);
    sl_sqlite_query_release(store, query, stmt);
    return ok;
}

static bool entry_replace(sl_store *base, const sl_history_entry *entry, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st) || !sl_store_check_entry(entry, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ENTRY_REPLACE, st);
    if (!stmt) return false;
    bind_entry(stmt, entry);
    if (!sl_sqlite_query_run(store, SL_Q_ENTRY_REPLACE, stmt, "replacing a history entry", st)) {
        return false;
    }
    return sqlite3_changes(store->db) == 1 || sl_store_fail_no_entry(entry->version, st);
}

static bool entry_drop(sl_store *base, uint64_t last, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ENTRY_DROP, st);
    if (!stmt) return false;
    store->last_known = false;
    bind_u64(stmt, 1, clamp(last));
    return sl_sqlite_query_run(store, SL_Q_ENTRY_DROP, stmt, "dropping history entries", st);
}

static bool entry_range(sl_store *base, uint64_t *first, uint64_t *last, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    return sl_sqlite_reading(store, st) && read_range(store, first, last, st);
}

/* --- reciprocal forms --- */

static bool reciprocal_put(sl_store *base, uint64_t peer, uint64_t version, sl_str bytes,
                           sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st) || !sl_store_check_number("peer", peer, st) ||
        !sl_store_check_number("version", version, st)) {
        return false;
    }
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_RECIPROCAL_PUT, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, peer);
    bind_u64(stmt, 2, version);
    sl_sqlite_bind_blob(stmt, 3, bytes);
    return sl_sqlite_query_run(store, SL_Q_RECIPROCAL_PUT, stmt, "keeping a reciprocal form", st);
}

static bool reciprocal_get(sl_store *base, uint64_t peer, uint64_t version, sl_str *bytes,
                           bool *found, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_RECIPROCAL_GET, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, peer);
    bind_u64(stmt, 2, version);
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "reading a reciprocal form", st);
    if (*found) {
        *bytes = sl_sqlite_column_str(stmt, 0);
        ok = keep(store, bytes, NULL, st);
    }
    sl_sqlite_query_release(store, SL_Q_RECIPROCAL_GET, stmt);
    return ok;
}

static bool reciprocal_drop(sl_store *base, uint64_t peer, uint64_t last, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_RECIPROCAL_DROP, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, peer);
    bind_u64(stmt, 2, clamp(last));
    return sl_sqlite_query_run(store, SL_Q_RECIPROCAL_DROP, stmt, "dropping reciprocal forms", st);
}

/* --- client files --- */

static bool client_put(sl_store *base, const sl_client_file *row, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st) || !sl_store_check_client(row, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_CLIENT_PUT, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, row->ident);
    sqlite3_bind_int64(stmt, 2, row->salt);
    sqlite3_bind_int(stmt, 3, row->type);
    bind_u64(stmt, 4, row->proxy);
    bind_u64(stmt, 5, row->client_version);
    bind_u64(stmt, 6, row->reciprocal_base);
    bind_u64(stmt, 7, row->locked_version);
    bind_u64(stmt, 8, row->feature_level);
    sqlite3_bind_int64(stmt, 9, row->last_seen);
    sl_sqlite_bind_str(stmt, 10, row->user);
    return sl_sqlite_query_run(store, SL_Q_CLIENT_PUT, stmt, "keeping a client file", st);
}

static void read_client(sqlite3_stmt *stmt, sl_client_file *row) {
    row->ident = column_u64(stmt, 0);
    row->salt = sqlite3_column_int64(stmt, 1);
    row->type = (uint8_t)sqlite3_column_int(stmt, 2);
    row->proxy = column_u64(stmt, 3);
    row->client_version = column_u64(stmt, 4);
    row->reciprocal_base = column_u64(stmt, 5);
    row->locked_version = column_u64(stmt, 6);
    row->feature_level = column_u64(stmt, 7);
    row->last_seen = sqlite3_column_int64(stmt, 8);
    row->user = sl_sqlite_column_str(stmt, 9);
}

static bool client_get(sl_store *base, uint64_t ident, sl_client_file *row, bool *found,
                       sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_CLIENT_GET, st);
    if (!stmt) return false;
    bind_u64(stmt, 1, ident);
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "reading a client file", st);
    if (*found) {
        read_client(stmt, row);
        ok = keep(store, &row->user, NULL, st);
    }
    sl_sqlite_query_release(store, SL_Q_CLIENT_GET, stmt);
    return ok;
}

static bool client_scan(sl_store *base, sl_client_visitor visit, void *ctx, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_CLIENT_SCAN, st);
    if (!stmt) return false;
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sl_client_file row;
        read_client(stmt, &row);
        if (!visit(ctx, &row)) break;
    }
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "reading the client files", st);
    sl_sqlite_query_release(store, SL_Q_CLIENT_SCAN, stmt);
    return ok;
}

/* --- metadata --- */

bool sl_sqlite_meta_put_int(sl_sqlite_store *store, const char *name, int64_t value,
                            sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_META_PUT, st);
    if (!stmt) return false;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, value);
    return sl_sqlite_query_run(store, SL_Q_META_PUT, stmt, "keeping metadata", st);
}

static bool meta_put_int(sl_store *base, const char *name, int64_t value, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    return sl_sqlite_changing(store, st) && sl_store_check_meta_name(name, st) &&
           sl_sqlite_meta_put_int(store, name, value, st);
}

bool sl_sqlite_meta_int(sl_sqlite_store *store, const char *name, int64_t *value, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_META_GET, st);
    if (!stmt) return false;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    bool ok =
        rc == SQLITE_ROW || rc == SQLITE_DONE || sl_sqlite_fail(store, rc, "reading metadata", st);
    bool number = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER;
    *value = number ? sqlite3_column_int64(stmt, 0) : 0;
    sl_sqlite_query_release(store, SL_Q_META_GET, stmt);
    return ok;
}

static bool meta_get_int(sl_store *base, const char *name, int64_t *value, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    return sl_sqlite_reading(store, st) && sl_store_check_meta_name(name, st) &&
           sl_sqlite_meta_int(store, name, value, st);
}

static bool meta_put_bytes(sl_store *base, const char *name, sl_str value, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_changing(store, st) || !sl_store_check_meta_name(name, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_META_PUT, st);
    if (!stmt) return false;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sl_sqlite_bind_str(stmt, 2, value);
    return sl_sqlite_query_run(store, SL_Q_META_PUT, stmt, "keeping metadata", st);
}

static bool meta_get_bytes(sl_store *base, const char *name, sl_str *value, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st) || !sl_store_check_meta_name(name, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_META_GET, st);
    if (!stmt) return false;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    bool ok =
        rc == SQLITE_ROW || rc == SQLITE_DONE || sl_sqlite_fail(store, rc, "reading metadata", st);
    *value = sl_str_of("", 0);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_INTEGER) {
        *value = sl_sqlite_column_str(stmt, 0);
        ok = keep(store, value, NULL, st);
    }
    sl_sqlite_query_release(store, SL_Q_META_GET, stmt);
    return ok;
}

static const sl_realm_source *get_source(sl_store *base) {
    return &sl_sqlite_self(base)->source;
}

static const sl_state_store *get_states(sl_store *base) {
    const sl_sqlite_store *store = sl_sqlite_self(base);
    return store->in_memory || store->unlogged || store->read_only ? NULL : &store->states.vtbl;
}

const sl_store_vtbl sl_sqlite_vtable = {
    .close = sl_sqlite_close,
    .begin = sl_sqlite_begin,
    .commit = sl_sqlite_commit,
    .rollback = sl_sqlite_rollback,
    .sync = sl_sqlite_sync,
    .source = get_source,
    .states = get_states,
    .entry_append = entry_append,
    .entry_get = entry_get,
    .entry_scan = entry_scan,
    .entry_replace = entry_replace,
    .entry_drop = entry_drop,
    .entry_range = entry_range,
    .reciprocal_put = reciprocal_put,
    .reciprocal_get = reciprocal_get,
    .reciprocal_drop = reciprocal_drop,
    .client_put = client_put,
    .client_get = client_get,
    .client_scan = client_scan,
    .meta_put_int = meta_put_int,
    .meta_get_int = meta_get_int,
    .meta_put_bytes = meta_put_bytes,
    .meta_get_bytes = meta_get_bytes,
};
