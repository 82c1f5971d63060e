#include "store/sqlite_internal.h"
#include "store/store_check.h"
#include "value/utf8.h"

static const char *const texts[SL_Q_COUNT] = {
    [SL_Q_BEGIN] = "BEGIN IMMEDIATE",
    [SL_Q_COMMIT] = "COMMIT",
    [SL_Q_ROLLBACK] = "ROLLBACK",
    [SL_Q_ENTRY_APPEND] =
        "INSERT INTO _sl_history(version, peer_version, origin_file, origin_timestamp, salt,"
        " cumulative_size, changeset, original) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SL_Q_ENTRY_GET] =
        "SELECT version, peer_version, origin_file, origin_timestamp, salt, cumulative_size,"
        " changeset, original FROM _sl_history WHERE version = ?1",
    [SL_Q_ENTRY_SCAN] =
        "SELECT version, peer_version, origin_file, origin_timestamp, salt, cumulative_size,"
        " changeset, original FROM _sl_history WHERE version > ?1 AND version <= ?2"
        " ORDER BY version",
    [SL_Q_ENTRY_SCAN_SIZES] =
        "SELECT version, peer_version, origin_file, origin_timestamp, salt, cumulative_size,"
        " length(changeset), length(original) FROM _sl_history"
        " WHERE version > ?1 AND version <= ?2 ORDER BY version",
    [SL_Q_ENTRY_REPLACE] =
        "UPDATE _sl_history SET peer_version = ?2, cumulative_size = ?6, changeset = ?7,"
        " original = ?8 WHERE version = ?1",
    [SL_Q_ENTRY_DROP] = "DELETE FROM _sl_history WHERE version <= ?1",
    [SL_Q_ENTRY_RANGE] = "SELECT (SELECT min(version) FROM _sl_history),"
                         " (SELECT max(version) FROM _sl_history)",
    [SL_Q_RECIPROCAL_PUT] =
        "INSERT INTO _sl_reciprocal(peer, version, changeset) VALUES(?1, ?2, ?3)"
        " ON CONFLICT(peer, version) DO UPDATE SET changeset = excluded.changeset",
    [SL_Q_RECIPROCAL_GET] = "SELECT changeset FROM _sl_reciprocal WHERE peer = ?1 AND version = ?2",
    [SL_Q_RECIPROCAL_DROP] = "DELETE FROM _sl_reciprocal WHERE peer = ?1 AND version <= ?2",
    [SL_Q_CLIENT_PUT] =
        "INSERT OR REPLACE INTO _sl_client_files(ident, salt, type, proxy, client_version,"
        " reciprocal_base, locked_version, feature_level, last_seen, user)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [SL_Q_CLIENT_GET] =
        "SELECT ident, salt, type, proxy, client_version, reciprocal_base, locked_version,"
        " feature_level, last_seen, user FROM _sl_client_files WHERE ident = ?1",
    [SL_Q_CLIENT_SCAN] =
        "SELECT ident, salt, type, proxy, client_version, reciprocal_base, locked_version,"
        " feature_level, last_seen, user FROM _sl_client_files ORDER BY ident",
    [SL_Q_META_PUT] = "INSERT OR REPLACE INTO _sl_meta(name, value) VALUES(?1, ?2)",
    [SL_Q_META_GET] = "SELECT value FROM _sl_meta WHERE name = ?1",
    [SL_Q_CLASS_PUT] =
        "INSERT INTO _sl_classes(id, name, table_name, kind, key_name, key_type, key_nullable,"
        " key_column) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [SL_Q_CLASS_DROP] = "DELETE FROM _sl_classes WHERE id = ?1",
    [SL_Q_CLASS_DROP_PROPERTIES] = "DELETE FROM _sl_properties WHERE class = ?1",
    [SL_Q_CLASS_DROP_LINKS] = "DELETE FROM _sl_links WHERE class = ?1",
    [SL_Q_PROPERTY_PUT] =
        "INSERT INTO _sl_properties(class, number, name, column_name, type, collection, nullable,"
        " target, target_key, retired) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)",
    [SL_Q_PROPERTY_DROP] = "DELETE FROM _sl_properties WHERE class = ?1 AND number = ?2",
    [SL_Q_PROPERTY_RETIRE] =
        "UPDATE _sl_properties SET retired = 1 WHERE class = ?1 AND number = ?2",
    [SL_Q_SEQUENCE_GET] = "SELECT objects_made FROM _sl_classes WHERE id = ?1",
    [SL_Q_SEQUENCE_PUT] = "UPDATE _sl_classes SET objects_made = ?2 WHERE id = ?1",
    [SL_Q_LINK_PUT] = "INSERT INTO _sl_links(class, key, target, target_key)"
                      " VALUES(?1, ?2, ?3, ?4)",
    [SL_Q_LINK_CLEAR] = "DELETE FROM _sl_links WHERE class = ?1 AND key = ?2",
    [SL_Q_LINK_LIST] = "SELECT target, target_key FROM _sl_links WHERE class = ?1 AND key = ?2",
    [SL_Q_LINK_DROP] = "DELETE FROM _sl_links WHERE class = ?1 AND key = ?2 AND target = ?3"
                       " AND target_key = ?4",
    [SL_Q_LINK_FIND] = "SELECT class, key FROM _sl_links WHERE target = ?1 AND target_key = ?2",
};

bool sl_sqlite_exec(sl_sqlite_store *store, const char *sql, const char *what, sl_status *st) {
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || sl_sqlite_fail(store, rc, what, st);
}

static sqlite3_stmt *prepare(sl_sqlite_store *store, const char *sql, size_t size, unsigned flags,
                             sl_status *st) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v3(store->db, sql, (int)size, flags, &stmt, NULL);
    if (rc != SQLITE_OK) sl_sqlite_fail(store, rc, "preparing a statement", st);
    return rc == SQLITE_OK ? stmt : NULL;
}

sqlite3_stmt *sl_sqlite_prepare(sl_sqlite_store *store, sl_str sql, sl_status *st) {
    return prepare(store, sql.data, sql.size, 0, st);
}

sqlite3_stmt *sl_sqlite_query_take(sl_sqlite_store *store, sl_sqlite_query query, sl_status *st) {
    const char *text = texts[query];
    sqlite3_stmt *stmt = store->statements[query];
    if (stmt && !sqlite3_stmt_busy(stmt)) return stmt;
    unsigned flags = stmt ? 0 : SQLITE_PREPARE_PERSISTENT;
    sqlite3_stmt *made = prepare(store, text, strlen(text), flags, st);
    if (made && !stmt) store->statements[query] = made;
    return made;
}

void sl_sqlite_query_release(sl_sqlite_store *store, sl_sqlite_query query, sqlite3_stmt *stmt) {
    if (stmt == store->statements[query])
        sqlite3_reset(stmt);
    else
        sqlite3_finalize(stmt);
}

bool sl_sqlite_query_run(sl_sqlite_store *store, sl_sqlite_query query, sqlite3_stmt *stmt,
                         const char *what, sl_status *st) {
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_DONE || rc == SQLITE_ROW || sl_sqlite_fail(store, rc, what, st);
    sl_sqlite_query_release(store, query, stmt);
    return ok;
}

void sl_sqlite_finalize_all(sl_sqlite_store *store) {
    for (int i = 0; i < SL_Q_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

int sl_sqlite_bind_str(sqlite3_stmt *stmt, int at, sl_str s) {
    if (s.size == 0) return sqlite3_bind_text(stmt, at, "", 0, SQLITE_STATIC);
    if (memchr(s.data, 0, s.size) || !sl_utf8_valid(s)) return sl_sqlite_bind_blob(stmt, at, s);
    return sqlite3_bind_text64(stmt, at, s.data, s.size, SQLITE_STATIC, SQLITE_UTF8);
}

int sl_sqlite_bind_blob(sqlite3_stmt *stmt, int at, sl_str s) {
    return sqlite3_bind_blob64(stmt, at, s.size ? s.data : "", s.size, SQLITE_STATIC);
}

sl_str sl_sqlite_column_str(sqlite3_stmt *stmt, int at) {
    const char *data = sqlite3_column_blob(stmt, at);
    int size = sqlite3_column_bytes(stmt, at);
    return sl_str_of(data ? data : "", data ? (size_t)size : 0);
}

bool sl_sqlite_reading(sl_sqlite_store *store, sl_status *st) {
    if (!store->failed) return true;
    return sl_fail(st, SL_ERR_STORAGE, "SYNC",
                   "%s: flushing a commit failed before; close the store and open it again",
                   store->path);
}

bool sl_sqlite_changing(sl_sqlite_store *store, sl_status *st) {
    if (!sl_sqlite_reading(store, st)) return false;
    if (!store->writing) return sl_store_fail_no_transaction(st);
    /* SQLite takes a whole transaction back on its own when it meets a full disk or broken pages.
     */
    if (sqlite3_get_autocommit(store->db)) {
        return sl_fail(st, SL_ERR_STORAGE, "IO",
                       "%s: the transaction was rolled back by an earlier failure", store->path);
    }
    store->wrote = true;
    return true;
}
