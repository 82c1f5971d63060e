/* sqlite_nth.c - the object at a position, in the order of keys that SQLite's index keeps. */
#include "store/sqlite_cell.h"
#include "store/sqlite_class.h"
#include "store/sqlite_names.h"

static sqlite3_stmt *prepare(sl_sqlite_store *store, const sl_cat_class *cat, uint64_t position,
                             bool backwards, sl_status *st) {
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "SELECT ");
    sl_sqlite_quote(&sql, cat->key_column);
    sl_buf_text(&sql, " FROM ");
    sl_sqlite_quote(&sql, cat->table);
    sl_buf_text(&sql, " ORDER BY ");
    sl_sqlite_quote(&sql, cat->key_column);
    sl_buf_text(&sql, backwards ? " DESC LIMIT 1 OFFSET ?1" : " LIMIT 1 OFFSET ?1");
    sqlite3_stmt *stmt = NULL;
    if (sql.failed)
        sl_fail_memory(st);
    else
        stmt = sl_sqlite_prepare(store, sl_str_of(sql.data, sql.size), st);
    sl_buf_free(&sql);
    if (stmt) sqlite3_bind_int64(stmt, 1, (int64_t)position);
    return stmt;
}

/* Strings that are no text are BLOBs and sort behind all others there: then the last is one. */
static bool has_blobs(sl_sqlite_store *store, const sl_cat_class *cat, bool *yes, sl_status *st) {
    sqlite3_stmt *stmt = prepare(store, cat, 0, true, st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    *yes = rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_BLOB;
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "looking for the last key of a class", st);
    sqlite3_finalize(stmt);
    return ok;
}

bool sl_sqlite_object_nth(void *ctx, const sl_class *cls, uint64_t position, bool backwards,
                          sl_key_visitor visit, void *visit_ctx, bool *ordered, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    if (!cat) return false;
    int type = cat->def.key_type;
    bool blobs = false;
    *ordered = false;
    if (type == SL_TYPE_GLOBALKEY || position > INT64_MAX) return true; /* its text does not sort */
    if (type == SL_TYPE_STRING && !has_blobs(store, cat, &blobs, st)) return false;
    if (blobs) return true;
    sqlite3_stmt *stmt = prepare(store, cat, position, backwards, st);
    if (!stmt) return false;
    *ordered = true;
    sl_key key;
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE ||
              sl_sqlite_fail(store, rc, "looking for an object by its position", st);
    if (rc == SQLITE_ROW) {
        ok = sl_sqlite_column_key(store, stmt, 0, type, &key, st);
        if (ok) visit(visit_ctx, &key);
    }
    sqlite3_finalize(stmt);
    return ok;
}
