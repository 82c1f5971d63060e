#include "store/sqlite_internal.h"
#include "store/store_check.h"

static bool run(sl_sqlite_store *store, sl_sqlite_query query, const char *what, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, query, st);
    return stmt && sl_sqlite_query_run(store, query, stmt, what, st);
}

bool sl_sqlite_begin(sl_store *base, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    if (store->writing) return sl_store_fail_nested(st);
    if (store->read_only) {
        return sl_fail(st, SL_ERR_STORAGE, "READONLY", "%s is open read-only", store->path);
    }
    if (!run(store, SL_Q_BEGIN, "beginning a transaction", st)) return false;
    store->writing = true;
    store->wrote = false;
    return true;
}

void sl_sqlite_rollback(sl_store *base) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!store->writing) return;
    if (!sqlite3_get_autocommit(store->db)) {
        sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_ROLLBACK, NULL);
        if (stmt) sl_sqlite_query_run(store, SL_Q_ROLLBACK, stmt, "rolling back", NULL);
        /* No memory for the statement: the text form tries once more. */
        else
            sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    store->writing = false;
    store->last_known = false;
    if (store->schema_changed) sl_sqlite_catalogue_drop(store);
    store->schema_changed = false;
}

/* Flushes the write-ahead log, which holds every commit that is not in the database file yet. What
 * SQLite does at the end of a commit with synchronous=FULL is this one call; with NORMAL it leaves
 * it out, so that it can be made here, for a commit that asks for it or for many at once. */
static bool flush_log(sl_sqlite_store *store, sl_status *st) {
    if (!store->unsynced || store->in_memory || store->unlogged) return true;
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc == SQLITE_OK && log && log->pMethods) {
        rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
    }
    if (rc == SQLITE_OK) {
        store->unsynced = false;
        return true;
    }
    store->failed = true;
    return sl_fail(st, SL_ERR_STORAGE, "SYNC",
                   "%s: the operating system could not flush a commit (%s): close the store and "
                   "open it again to see what was kept",
                   store->path, sqlite3_errstr(rc));
}

bool sl_sqlite_commit(sl_store *base, bool durable, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    if (!store->writing) return sl_store_fail_no_transaction(st);
    bool wrote = store->wrote;
    bool ok = sl_sqlite_changing(store, st) &&
              (!store->schema_changed || sl_sqlite_catalogue_build(store, st)) &&
              run(store, SL_Q_COMMIT, "committing", st);
    if (!ok) {
        sl_sqlite_rollback(base);
        return false;
    }
    store->writing = store->schema_changed = false;
    if (wrote) store->unsynced = true;
    return !durable || flush_log(store, st);
}

bool sl_sqlite_sync(sl_store *base, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    return sl_sqlite_reading(store, st) && flush_log(store, st);
}
