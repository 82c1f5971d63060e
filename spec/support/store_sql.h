/* store_sql.h - looking into a realm file from outside, as a user with sqlite3 does. */
#ifndef SL_SPEC_STORE_SQL_H
#define SL_SPEC_STORE_SQL_H

#include <sqlite3.h>

#include "store_fixture.h"

/* Opens a connection of its own. */
static inline sqlite3 *sql_open(const char *path) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

/* Runs statements; the test fails with SQLite's message. */
static inline void sql_run(const char *path, const char *sql) {
    sqlite3 *db = sql_open(path);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* All rows of a query as text: columns joined by "|", rows by newlines, NULL as "NULL". */
static inline const char *sql_text(const char *path, const char *sql) {
    static char text[20000];
    sqlite3 *db = sql_open(path);
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    size_t size = 0;
    text[0] = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *column = (const char *)sqlite3_column_text(stmt, i);
            size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", i ? "|" : "",
                                     column ? column : "NULL");
        }
        size += (size_t)snprintf(text + size, sizeof text - size, "\n");
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

#endif
