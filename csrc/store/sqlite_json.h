/* sqlite_json.h - collections, Mixed values and embedded objects as Extended JSON text
 * (value/ejson.h); whole numbers are written plainly. */
#ifndef SL_STORE_SQLITE_JSON_H
#define SL_STORE_SQLITE_JSON_H

#include "realm/object.h"
#include "store/sqlite_internal.h"

/* Appends `node` as one JSON value. Members of embedded objects have their stored names. Links to
 * class `target`, the one the property names, are written as keys; "" for none. */
bool sl_sqlite_json_write(sl_sqlite_store *store, const sl_node *node, sl_str target, sl_buf *out,
                          sl_status *st);
/* Fills the null `node` of a slot described by `property` from such text. */
bool sl_sqlite_json_read(sl_sqlite_store *store, sl_str text, const sl_property *property,
                         sl_node *node, sl_status *st);

#endif
