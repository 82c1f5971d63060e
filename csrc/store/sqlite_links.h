/* sqlite_links.h - the table _sl_links: which objects link where from inside JSON text. Links in
 * columns of their own are found by the index of the column. */
#ifndef SL_STORE_SQLITE_LINKS_H
#define SL_STORE_SQLITE_LINKS_H

#include "realm/object.h"
#include "store/sqlite_class.h"

/* True if links can hide in the JSON text of the property's column. */
bool sl_sqlite_hides_links(const sl_sqlite_store *store, const sl_property *property);
/* Brings the rows of `object` up to date, touching only those that change. `added`: the object is
 * new, so there are no rows of it. */
bool sl_sqlite_links_save(sl_sqlite_store *store, const sl_cat_class *cls, const sl_object *object,
                          bool added, sl_status *st);
/* Removes all rows of an object. */
bool sl_sqlite_links_clear(sl_sqlite_store *store, const sl_cat_class *cls, const sl_key *key,
                           sl_status *st);

#endif
