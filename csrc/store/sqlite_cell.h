/* sqlite_cell.h - one property in one column, and object keys in columns. The forms are described
 * in doc/store.md. */
#ifndef SL_STORE_SQLITE_CELL_H
#define SL_STORE_SQLITE_CELL_H

#include "realm/object.h"
#include "store/sqlite_internal.h"

/* Keys. In a column for keys of type `type`: its natural form, NULL for null; any other key, and
 * a string that is no text, as the self-describing bytes of key_code.h in a BLOB. For links, null
 * is one of the other keys, because NULL means no link. */
bool sl_sqlite_bind_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                        int type, bool link, sl_status *st);
/* `key` borrows from the statement. */
bool sl_sqlite_column_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, int type, sl_key *key,
                          sl_status *st);
/* Keys of any type in one column: ints and text as they are, all others in a BLOB. */
bool sl_sqlite_bind_any_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                            sl_status *st);
bool sl_sqlite_column_any_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, sl_key *key,
                              sl_status *st);

/* True if the property's column holds Extended JSON text. `embedded`: it links to an embedded
 * class. */
bool sl_sqlite_is_json(const sl_property *property, bool embedded);

/* Binds the content of `node`, copying what is not in `node` itself. */
bool sl_sqlite_bind_node(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                         const sl_cat_property *property, bool embedded, const sl_node *node,
                         sl_status *st);
/* Fills `node`, which owns nothing. `def` = the realm's property. */
bool sl_sqlite_column_node(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                           const sl_cat_property *property, const sl_property *def, sl_node *node,
                           sl_status *st);

/* Appends the declared type of a column and, for columns of objects, DEFAULT and the default
 * content of 2-changeset.md, 10.2. */
void sl_sqlite_declare_key(sl_buf *out, int type, bool nullable);
void sl_sqlite_declare_node(sl_buf *out, const sl_cat_property *property, bool embedded);

#endif
