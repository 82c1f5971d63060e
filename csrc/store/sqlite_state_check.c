#include <stdio.h>

#include "store/sqlite_internal.h"

/* Numbers of classes are places in an array, so a file may not choose them at will. */
enum { LARGEST_CLASS = 1000000 };

static bool refuse(sl_sqlite_store *store, const char *what, sl_status *st) {
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                   "%s: the state that the server sent cannot be used: %s", store->path, what);
}

/* What the file is to blame for is damage; memory and the disk are not its fault. */
static bool blame(sl_sqlite_store *store, const sl_status *inner, sl_status *st) {
    if (inner->cls == SL_ERR_MEMORY) return sl_fail_memory(st);
    if (inner->cls == SL_ERR_STORAGE && strcmp(inner->id, "FULL") == 0) {
        if (st) *st = *inner;
        return false;
    }
    char text[160];
    snprintf(text, sizeof text, "%.*s", 150, inner->message);
    return refuse(store, text, st);
}

/* --- tables, indexes, views --- */

static const char objects[] =
    "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name, tbl_name";

static bool same_row(sqlite3_stmt *a, sqlite3_stmt *b) {
    for (int i = 0; i < 4; i++) {
        if (sqlite3_column_type(a, i) != sqlite3_column_type(b, i) ||
            !sl_str_eq(sl_sqlite_column_str(a, i), sl_sqlite_column_str(b, i)))
            return false;
    }
    return true;
}

/* True if every row of `model` is in `file`; with `exact` also the other way round. */
static bool compare(sl_sqlite_store *model, sl_sqlite_store *file, bool exact, bool *same,
                    sl_status *st) {
    sqlite3_stmt *a = sl_sqlite_prepare(model, sl_str_c(objects), st);
    sqlite3_stmt *b = a ? sl_sqlite_prepare(file, sl_str_c(objects), st) : NULL;
    bool ok = b != NULL;
    *same = true;
    while (ok && *same && sqlite3_step(a) == SQLITE_ROW) {
        int rc = sqlite3_step(b);
        while (!exact && rc == SQLITE_ROW && !same_row(a, b))
            rc = sqlite3_step(b);
        *same = rc == SQLITE_ROW && same_row(a, b);
    }
    if (ok && *same && exact) *same = sqlite3_step(b) == SQLITE_DONE;
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    return ok;
}

static bool number_of(sl_sqlite_store *store, const char *sql, int64_t *number, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, sl_str_c(sql), st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(stmt, 0);
    else
        sl_sqlite_fail(store, rc, "checking", st);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW;
}

/* The tables that every file has are as they should be, so that they can be read. */
static bool check_frame(sl_sqlite_store *store, sl_sqlite_store *model, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    bool same = false;
    int64_t found = 0;
    if (!compare(model, store, false, &same, &inner)) return blame(store, &inner, st);
    if (!same) return refuse(store, "its tables are not those of a realm", st);
    if (!number_of(store,
                   "SELECT (SELECT count(*) FROM _sl_history) + (SELECT count(*) FROM"
                   " _sl_reciprocal) + (SELECT count(*) FROM _sl_client_files) + (SELECT count(*)"
                   " FROM _sl_meta WHERE instr(name, ' ') = 0)",
                   &found, &inner))
        return blame(store, &inner, st);
    if (found) return refuse(store, "there is more in it than objects", st);
    if (!number_of(store,
                   "SELECT max((SELECT ifnull(max(id), 0) FROM _sl_classes),"
                   " (SELECT ifnull(max(CAST(value AS INTEGER)), 0) FROM _sl_meta))",
                   &found, &inner))
        return blame(store, &inner, st);
    return found <= LARGEST_CLASS || refuse(store, "a class has an impossible number", st);
}

/* The tables are those that we would make for the classes it names. */
static bool check_classes(sl_sqlite_store *store, sl_sqlite_store *model, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    bool same = false;
    if (!sl_sqlite_exec(model, "BEGIN", "checking", &inner) ||
        !sl_sqlite_copy_catalogue(store->db, model, &inner) ||
        !sl_sqlite_exec(model, "COMMIT", "checking", &inner) ||
        !compare(model, store, true, &same, &inner))
        return blame(store, &inner, st);
    return same || refuse(store, "its tables do not fit its classes", st);
}

static bool check_pages(sl_sqlite_store *store, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, SL_STR("PRAGMA main.quick_check(1)"), &inner);
    if (!stmt) return blame(store, &inner, st);
    bool sound =
        sqlite3_step(stmt) == SQLITE_ROW && sl_str_eq(sl_sqlite_column_str(stmt, 0), SL_STR("ok"));
    sqlite3_finalize(stmt);
    return sound || refuse(store, "its pages are damaged", st);
}

bool sl_sqlite_state_check(sl_sqlite_store *store, sl_status *st) {
    sl_store *model = NULL;
    sl_sqlite_options options = {.alloc = &store->alloc};
    if (!sl_sqlite_open(":memory:", &options, &model, st)) return false;
    bool ok = check_frame(store, sl_sqlite_self(model), st) &&
              check_classes(store, sl_sqlite_self(model), st) && check_pages(store, st);
    model->vtbl->close(model);
    return ok;
}
