/* sqlite_names.h - names of classes and properties as names of tables and columns. SQLite compares
 * names without regard to case and keeps some for itself; Realm does neither. */
#ifndef SL_STORE_SQLITE_NAMES_H
#define SL_STORE_SQLITE_NAMES_H

#include "base/buf.h"

/* Appends the identifier in double quotes. */
void sl_sqlite_quote(sl_buf *out, sl_str name);
/* The same name for SQLite: equal but for the case of ASCII letters. */
bool sl_sqlite_same_name(sl_str a, sl_str b);

typedef bool (*sl_sqlite_taken)(const void *ctx, sl_str candidate);

/* Writes the name to be used into `out` (cleared first): `name` itself if it is UTF-8 without NUL,
 * not empty, does not begin with "sqlite_" or "_sl_" in any case, and is not taken; else a readable
 * likeness of it, "~" and `number`, repeated until it is free. False: no memory. */
bool sl_sqlite_choose_name(sl_str name, uint32_t number, sl_sqlite_taken taken, const void *ctx,
                           sl_buf *out);

#endif
