#include "store/sqlite_class.h"
#include "store/sqlite_state.h"

/* What a row costs besides its cells, so that small rows count, too. */
enum { ROW_COST = 64 };

/* Both connections hold the bytes as they are: no value changes on the way. */
static int pass(sqlite3_stmt *from, sqlite3_stmt *to, int column, size_t *bytes) {
    switch (sqlite3_column_type(from, column)) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(to, column + 1, sqlite3_column_int64(from, column));
    case SQLITE_FLOAT:
        return sqlite3_bind_double(to, column + 1, sqlite3_column_double(from, column));
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(from, column);
        int size = sqlite3_column_bytes(from, column);
        *bytes += (size_t)size;
        return text ? sqlite3_bind_text(to, column + 1, text, size, SQLITE_STATIC) : SQLITE_NOMEM;
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(from, column);
        int size = sqlite3_column_bytes(from, column);
        *bytes += (size_t)size;
        return sqlite3_bind_blob(to, column + 1, data ? data : "", size, SQLITE_STATIC);
    }
    default:
        return sqlite3_bind_null(to, column + 1);
    }
}

bool sl_sqlite_copy_begin(sl_sqlite_copy *copy, sqlite3 *from, const char *select,
                          sl_sqlite_store *to, sl_str table, sl_status *st) {
    *copy = (sl_sqlite_copy){NULL, NULL};
    int rc = sqlite3_prepare_v2(from, select, -1, &copy->read, NULL);
    if (rc != SQLITE_OK) return sl_sqlite_fail_db(from, to->path, rc, "reading for a state", st);
    sl_buf sql;
    sl_buf_init(&sql, &to->alloc);
    sl_buf_text(&sql, "INSERT INTO ");
    sl_buf_str(&sql, table);
    sl_buf_text(&sql, " VALUES(?");
    for (int i = 1; i < sqlite3_column_count(copy->read); i++)
        sl_buf_text(&sql, ",?");
    sl_buf_byte(&sql, ')');
    if (!sql.failed) copy->write = sl_sqlite_prepare(to, sl_str_of(sql.data, sql.size), st);
    bool ok = copy->write || (sql.failed && sl_fail_memory(st));
    sl_buf_free(&sql);
    if (!ok) sl_sqlite_copy_end(copy);
    return ok;
}

bool sl_sqlite_copy_some(sl_sqlite_copy *copy, sl_sqlite_store *to, size_t bytes, bool *done,
                         sl_status *st) {
    int columns = sqlite3_column_count(copy->read);
    int rc = SQLITE_OK;
    *done = false;
    for (size_t copied = 0; copied < bytes; copied += ROW_COST) {
        rc = sqlite3_step(copy->read);
        *done = rc == SQLITE_DONE;
        if (*done) return true;
        if (rc != SQLITE_ROW)
            return sl_sqlite_fail_db(sqlite3_db_handle(copy->read), to->path, rc,
                                     "reading for a state", st);
        rc = SQLITE_OK;
        for (int i = 0; i < columns && rc == SQLITE_OK; i++)
            rc = pass(copy->read, copy->write, i, &copied);
        if (rc == SQLITE_OK) sqlite3_step(copy->write);
        if (rc == SQLITE_OK) rc = sqlite3_reset(copy->write);
        if (rc != SQLITE_OK) return sl_sqlite_fail(to, rc, "writing a state", st);
    }
    return true;
}

void sl_sqlite_copy_end(sl_sqlite_copy *copy) {
    sqlite3_finalize(copy->read);
    sqlite3_finalize(copy->write);
    *copy = (sl_sqlite_copy){NULL, NULL};
}

static bool copy_all(sqlite3 *from, const char *select, sl_sqlite_store *to, sl_str table,
                     sl_status *st) {
    sl_sqlite_copy copy;
    bool done = false;
    bool ok = sl_sqlite_copy_begin(&copy, from, select, to, table, st) &&
              sl_sqlite_copy_some(&copy, to, SIZE_MAX / 2, &done, st);
    sl_sqlite_copy_end(&copy);
    return ok;
}

bool sl_sqlite_copy_catalogue(sqlite3 *from, sl_sqlite_store *to, sl_status *st) {
    /* Facts of the store itself have a space in their name, which those of its users cannot. */
    if (!copy_all(from, "SELECT * FROM _sl_meta WHERE instr(name, ' ') > 0", to, SL_STR("_sl_meta"),
                  st) ||
        !copy_all(from, "SELECT * FROM _sl_classes", to, SL_STR("_sl_classes"), st) ||
        !copy_all(from, "SELECT * FROM _sl_properties", to, SL_STR("_sl_properties"), st))
        return false;
    sl_sqlite_catalogue_drop(to);
    if (!sl_sqlite_catalogue_need(to, st)) return false;
    for (uint32_t id = 0; id < to->catalogue.capacity; id++) {
        sl_cat_class *cls = to->catalogue.by_id[id];
        if (cls) cls->pending = cls->table.size > 0;
    }
    return sl_sqlite_catalogue_build(to, st);
}
