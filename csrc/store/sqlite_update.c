#include "store/sqlite_class.h"
#include "store/sqlite_names.h"

/* Preparing a statement costs as much as saving several rows: it has to be wanted so often first.
 */
enum { WORTH_PREPARING = 16 };

static void update_text(sl_buf *sql, const sl_cat_class *cls, uint64_t columns) {
    const char *before = " SET ";
    sl_buf_text(sql, "UPDATE ");
    sl_sqlite_quote(sql, cls->table);
    for (uint32_t i = 0; i < cls->count && i < 64; i++) {
        if (!(columns >> i & 1)) continue;
        sl_buf_text(sql, before);
        sl_sqlite_quote(sql, cls->properties[i].stored);
        sl_buf_printf(sql, " = ?%lu", (unsigned long)i + 2);
        before = ", ";
    }
    sl_buf_text(sql, " WHERE ");
    sl_sqlite_quote(sql, cls->key_column);
    sl_buf_text(sql, " = ?1");
}

/* The place of the columns among the statements of the class: the one they have, or the next one in
 * turn. */
static sl_sqlite_update *place_of(sl_sqlite_class *extra, uint64_t columns) {
    for (uint32_t i = 0; i < SL_SQLITE_UPDATES; i++)
        if (extra->updates[i].columns == columns) return &extra->updates[i];
    sl_sqlite_update *place = &extra->updates[extra->next_update++ % SL_SQLITE_UPDATES];
    sqlite3_finalize(place->stmt);
    *place = (sl_sqlite_update){.columns = columns};
    return place;
}

bool sl_sqlite_update_statement(sl_sqlite_store *store, const sl_cat_class *cls,
                                sl_sqlite_class *extra, uint64_t columns, sqlite3_stmt **stmt,
                                sl_status *st) {
    sl_sqlite_update *place = place_of(extra, columns);
    *stmt = place->stmt;
    if (place->stmt || ++place->wanted < WORTH_PREPARING) return true;
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    update_text(&sql, cls, columns);
    if (sql.failed)
        sl_fail_memory(st);
    else
        place->stmt = sl_sqlite_prepare(store, sl_str_of(sql.data, sql.size), st);
    sl_buf_free(&sql);
    *stmt = place->stmt;
    return *stmt != NULL;
}
