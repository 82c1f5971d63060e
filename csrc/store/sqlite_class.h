/* sqlite_class.h - what the SQLite store keeps for each class besides the catalogue. */
#ifndef SL_STORE_SQLITE_CLASS_H
#define SL_STORE_SQLITE_CLASS_H

#include "store/sqlite_internal.h"

/* Writes some columns of a row that is there; see sl_sqlite_update_statement. */
typedef struct sl_sqlite_update {
    uint64_t columns; /* bit i: column i of the class; 0: free */
    sqlite3_stmt *stmt;
    uint32_t wanted; /* how often, while there was no statement */
} sl_sqlite_update;

enum { SL_SQLITE_UPDATES = 8 };

/* The statements of one class, prepared when first needed and thrown away when its columns change.
 * Columns are those of the catalogue's properties, in that order. */
typedef struct sl_sqlite_class {
    sqlite3_stmt *save, *load, *erase;
    sl_sqlite_update updates[SL_SQLITE_UPDATES];
    uint32_t next_update; /* the one that is given up next */
    sqlite3_stmt **find;  /* for each property: who links to a key; NULL or `finds` of them */
    uint32_t finds;
    bool known;        /* the two below are worked out */
    bool links_inside; /* links can hide in JSON columns, so _sl_links has to be kept */
} sl_sqlite_class;

/* The class in the catalogue; NULL with SL_ERR_INTERNAL if there is none. */
sl_cat_class *sl_sqlite_class_of(sl_sqlite_store *store, const sl_class *cls, sl_status *st);
/* Its statements; NULL: no memory. */
sl_sqlite_class *sl_sqlite_class_extra(sl_sqlite_store *store, sl_cat_class *cls);
/* Throws the statements away. */
void sl_sqlite_class_reset(sl_sqlite_store *store, sl_cat_class *cls);

/* The statement that writes these columns (not none) of the row with key ?1, column i from ?(i +
 * 2). *stmt = NULL: they are not written often enough, save the whole row. */
bool sl_sqlite_update_statement(sl_sqlite_store *store, const sl_cat_class *cls,
                                sl_sqlite_class *extra, uint64_t columns, sqlite3_stmt **stmt,
                                sl_status *st);

/* First lines of every function on objects: the class as stored, its table made if it was pending.
 * NULL with SL_ERR_INTERNAL for an embedded class, which has none. */
sl_cat_class *sl_sqlite_table_of(sl_sqlite_store *store, const sl_class *cls, sl_status *st);

/* True if the property links to an embedded class. */
bool sl_sqlite_embeds(const sl_sqlite_store *store, const sl_property *property);
/* True if the property has a column of its own for links. */
bool sl_sqlite_has_link_column(const sl_sqlite_store *store, const sl_property *property);

/* Makes the table of a new class with all columns it has so far. Until then nothing is in the file
 * but the catalogue, so that a class with many properties costs one statement. */
bool sl_sqlite_class_build(sl_sqlite_store *store, sl_cat_class *cls, sl_status *st);

enum { SL_SQLITE_MAX_COLUMNS = 1990 };

/* The schema half of the source. */
bool sl_sqlite_schema_load(void *ctx, sl_schema *schema, sl_status *st);
bool sl_sqlite_class_added(void *ctx, const sl_class *cls, sl_status *st);
bool sl_sqlite_class_erased(void *ctx, const sl_class *cls, sl_status *st);
bool sl_sqlite_property_added(void *ctx, const sl_class *cls, const sl_property *prop,
                              sl_status *st);
bool sl_sqlite_property_erased(void *ctx, const sl_class *cls, const sl_property *prop,
                               sl_status *st);
bool sl_sqlite_property_indexed(void *ctx, const sl_class *cls, const sl_property *prop,
                                bool indexed, sl_status *st);

/* sqlite_select.c: object_select of the source. */
bool sl_sqlite_object_select(void *ctx, const sl_class *cls, const sl_selection *selection,
                             sl_row_visitor visit, void *visit_ctx, sl_status *st);
/* sqlite_nth.c: object_nth of the source. */
bool sl_sqlite_object_nth(void *ctx, const sl_class *cls, uint64_t position, bool backwards,
                          sl_key_visitor visit, void *visit_ctx, bool *ordered, sl_status *st);

#endif
