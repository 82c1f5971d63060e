#include "store/sqlite_cell.h"
#include "store/sqlite_class.h"
#include "store/sqlite_names.h"

/* A name that no caller can use for metadata, because of the space. */
static const char next_class_name[] = "next class";

static const char *const kinds[] = {"toplevel", "embedded", "asymmetric"};

/* --- the class in memory --- */

sl_cat_class *sl_sqlite_class_of(sl_sqlite_store *store, const sl_class *cls, sl_status *st) {
    sl_cat_class *cat = sl_catalogue_find(&store->catalogue, cls->id);
    if (!cat) {
        sl_fail(st, SL_ERR_INTERNAL, "", "the store does not know class %.*s", (int)cls->name.size,
                cls->name.data);
    }
    return cat;
}

sl_sqlite_class *sl_sqlite_class_extra(sl_sqlite_store *store, sl_cat_class *cls) {
    if (!cls->extra) cls->extra = sl_new_zero(&store->alloc, 1, sizeof(sl_sqlite_class));
    return cls->extra;
}

void sl_sqlite_class_reset(sl_sqlite_store *store, sl_cat_class *cls) {
    sl_sqlite_class *extra = cls->extra;
    if (!extra) return;
    sqlite3_finalize(extra->save);
    sqlite3_finalize(extra->load);
    sqlite3_finalize(extra->erase);
    for (uint32_t i = 0; i < SL_SQLITE_UPDATES; i++)
        sqlite3_finalize(extra->updates[i].stmt);
    for (uint32_t i = 0; i < extra->finds; i++)
        sqlite3_finalize(extra->find[i]);
    sl_delete(&store->alloc, extra->find);
    sl_delete(&store->alloc, extra);
    cls->extra = NULL;
}

bool sl_sqlite_embeds(const sl_sqlite_store *store, const sl_property *property) {
    if (property->type != SL_TYPE_LINK) return false;
    const sl_cat_class *target = sl_catalogue_named(&store->catalogue, property->target);
    return target && target->def.kind == SL_TABLE_EMBEDDED;
}

bool sl_sqlite_has_link_column(const sl_sqlite_store *store, const sl_property *property) {
    return property->type == SL_TYPE_LINK && property->collection == SL_SINGLE &&
           !sl_sqlite_embeds(store, property);
}

void sl_sqlite_catalogue_drop(sl_sqlite_store *store) {
    for (uint32_t id = 0; id < store->catalogue.capacity; id++) {
        if (store->catalogue.by_id[id]) sl_sqlite_class_reset(store, store->catalogue.by_id[id]);
    }
    sl_catalogue_clear(&store->catalogue);
    store->catalogue_stale = true;
}

/* --- reading the catalogue --- */

static bool fail_catalogue(sl_sqlite_store *store, const char *what, sl_status *st) {
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                   "%s: the catalogue is broken: %s; restore a backup, or see doc/store.md",
                   store->path, what);
}

static bool read_kind(sl_str name, uint8_t *kind) {
    for (uint8_t i = 0; i < 3; i++) {
        if (!sl_str_eq(name, sl_str_c(kinds[i]))) continue;
        *kind = i;
        return true;
    }
    return false;
}

static bool read_key_type(sl_str name, int8_t *type) {
    int found;
    if (!sl_type_from_name(name, &found)) return false;
    *type = (int8_t)found;
    return found == SL_TYPE_INT || found == SL_TYPE_STRING || found == SL_TYPE_OBJECTID ||
           found == SL_TYPE_UUID || found == SL_TYPE_GLOBALKEY;
}

static bool read_class(sl_sqlite_store *store, sqlite3_stmt *stmt, sl_status *st) {
    sl_class def = {0};
    sqlite3_int64 id = sqlite3_column_int64(stmt, 0);
    def.name = sl_sqlite_column_str(stmt, 1);
    def.key_name = sl_sqlite_column_str(stmt, 4);
    def.key_nullable = sqlite3_column_int(stmt, 6) != 0;
    if (id < 1 || id >= UINT32_MAX || !read_kind(sl_sqlite_column_str(stmt, 3), &def.kind) ||
        !read_key_type(sl_sqlite_column_str(stmt, 5), &def.key_type)) {
        return fail_catalogue(store, "a class that cannot be", st);
    }
    def.id = (uint32_t)id;
    def.has_key = def.key_type != SL_TYPE_GLOBALKEY;
    return sl_catalogue_add(&store->catalogue, &def, sl_sqlite_column_str(stmt, 2),
                            sl_sqlite_column_str(stmt, 7)) ||
           sl_fail_memory(st);
}

static bool read_property(sl_sqlite_store *store, sqlite3_stmt *stmt, sl_status *st) {
    sqlite3_int64 id = sqlite3_column_int64(stmt, 0), number = sqlite3_column_int64(stmt, 1);
    sl_cat_class *cls =
        id > 0 && id < UINT32_MAX ? sl_catalogue_find(&store->catalogue, (uint32_t)id) : NULL;
    sl_property def = {0};
    sl_collection collection;
    int type;
    bool ok = cls && number >= sl_cat_class_next_number(cls) && number < UINT32_MAX &&
              sl_type_from_name(sl_sqlite_column_str(stmt, 4), &type) && type >= 0 &&
              sl_collection_from_name(sl_sqlite_column_str(stmt, 5), &collection);
    if (!ok) return fail_catalogue(store, "a property that cannot be", st);
    def.name = sl_sqlite_column_str(stmt, 2);
    def.type = (int8_t)type;
    def.collection = (uint8_t)collection;
    def.nullable = sqlite3_column_int(stmt, 6) != 0;
    def.target = sl_sqlite_column_str(stmt, 7);
    sl_cat_property *property = sl_cat_class_add(&store->catalogue, cls, &def,
                                                 sl_sqlite_column_str(stmt, 3), (uint32_t)number);
    if (!property) return sl_fail_memory(st);
    property->retired = sqlite3_column_int(stmt, 9) != 0;
    read_key_type(sl_sqlite_column_str(stmt, 8), &property->target_key);
    property->def.indexed = sqlite3_column_int(stmt, 10) && sl_property_can_index(&property->def);
    return true;
}

static bool read_rows(sl_sqlite_store *store, const char *sql,
                      bool (*read)(sl_sqlite_store *, sqlite3_stmt *, sl_status *), sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, sl_str_c(sql), st);
    if (!stmt) return false;
    bool ok = true;
    int rc = SQLITE_DONE;
    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        ok = read(store, stmt, st);
    if (ok && rc != SQLITE_DONE) ok = sl_sqlite_fail(store, rc, "reading the catalogue", st);
    sqlite3_finalize(stmt);
    return ok;
}

static bool read_catalogue(sl_sqlite_store *store, sl_status *st) {
    int64_t next = 0;
    if (!read_rows(store,
                   "SELECT id, name, table_name, kind, key_name, key_type, key_nullable,"
                   " key_column FROM _sl_classes ORDER BY id",
                   read_class, st) ||
        !read_rows(store,
                   "SELECT class, number, name, column_name, type, collection, nullable, target,"
                   " target_key, retired, '_sl_index_' || class || '_' || number IN"
                   " (SELECT name FROM sqlite_master WHERE type = 'index')"
                   " FROM _sl_properties ORDER BY class, number",
                   read_property, st) ||
        !sl_sqlite_meta_int(store, next_class_name, &next, st)) {
        return false;
    }
    if (next > store->catalogue.next_id && next < UINT32_MAX) {
        store->catalogue.next_id = (uint32_t)next;
    }
    return true;
}

bool sl_sqlite_catalogue_need(sl_sqlite_store *store, sl_status *st) {
    if (!store->catalogue_stale) return true;
    sl_sqlite_catalogue_drop(store);
    if (!read_catalogue(store, st)) {
        sl_sqlite_catalogue_drop(store);
        return false;
    }
    store->catalogue_stale = false;
    return true;
}

/* Preparing a statement over all columns fails if one of them is not there. */
static bool verify_class(sl_sqlite_store *store, const sl_cat_class *cls, sl_status *st) {
    if (cls->table.size == 0) return true;
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "SELECT t.");
    sl_sqlite_quote(&sql, cls->key_column);
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_buf_text(&sql, ", t.");
        sl_sqlite_quote(&sql, cls->properties[i].stored);
    }
    sl_buf_text(&sql, " FROM ");
    sl_sqlite_quote(&sql, cls->table);
    sl_buf_text(&sql, " t");
    sl_status inner = SL_STATUS_INIT;
    sqlite3_stmt *stmt = NULL;
    bool ok = !sql.failed || sl_fail_memory(&inner);
    if (ok) {
        stmt = sl_sqlite_prepare(store, sl_str_of(sql.data, sql.size), &inner);
        ok = stmt != NULL;
    }
    sqlite3_finalize(stmt);
    sl_buf_free(&sql);
    if (ok) return true;
    return inner.cls == SL_ERR_MEMORY ? sl_fail_memory(st)
                                      : fail_catalogue(store, sqlite3_errmsg(store->db), st);
}

bool sl_sqlite_catalogue_verify(sl_sqlite_store *store, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    if (!sl_sqlite_catalogue_need(store, &inner)) {
        /* A table of ours that is not there is damage, not a failure of the system. */
        bool missing = inner.cls == SL_ERR_STORAGE && strcmp(inner.id, "IO") == 0;
        if (st) *st = inner;
        return missing ? fail_catalogue(store, sqlite3_errmsg(store->db), st) : false;
    }
    for (uint32_t id = 0; id < store->catalogue.capacity; id++) {
        const sl_cat_class *cls = store->catalogue.by_id[id];
        if (cls && !verify_class(store, cls, st)) return false;
    }
    return true;
}

/* --- changing the catalogue and the tables --- */

static bool schema_step(sl_sqlite_store *store, sl_status *st) {
    if (!sl_sqlite_changing(store, st) || !sl_sqlite_catalogue_need(store, st)) return false;
    store->schema_changed = true;
    return true;
}

static bool run_ddl(sl_sqlite_store *store, sl_buf *sql, sl_status *st) {
    sl_buf_byte(sql, 0);
    bool ok = !sql->failed ? sl_sqlite_exec(store, sql->data, "changing a table", st)
                           : sl_fail_memory(st);
    sl_buf_free(sql);
    return ok;
}

static bool table_taken(const void *ctx, sl_str candidate) {
    const sl_catalogue *cat = ctx;
    for (uint32_t id = 0; id < cat->capacity; id++) {
        if (cat->by_id[id] && sl_sqlite_same_name(cat->by_id[id]->table, candidate)) return true;
    }
    return false;
}

static bool never_taken(const void *ctx, sl_str candidate) {
    (void)ctx;
    (void)candidate;
    return false;
}

static bool column_taken(const void *ctx, sl_str candidate) {
    const sl_cat_class *cls = ctx;
    if (sl_sqlite_same_name(cls->key_column, candidate)) return true;
    for (uint32_t i = 0; i < cls->count; i++) {
        if (sl_sqlite_same_name(cls->properties[i].stored, candidate)) return true;
    }
    return false;
}

/* Members of JSON text are told apart by case. */
static bool member_taken(const void *ctx, sl_str candidate) {
    const sl_cat_class *cls = ctx;
    for (uint32_t i = 0; i < cls->count; i++) {
        if (sl_str_eq(cls->properties[i].stored, candidate)) return true;
    }
    return false;
}

/* Puts the class into the catalogue in memory, with the names of its table and key column. */
static sl_cat_class *name_class(sl_sqlite_store *store, const sl_class *def, sl_status *st) {
    sl_buf table, key;
    sl_buf_init(&table, &store->alloc);
    sl_buf_init(&key, &store->alloc);
    bool ok = true;
    if (def->kind != SL_TABLE_EMBEDDED) {
        ok = sl_sqlite_choose_name(def->name, def->id, table_taken, &store->catalogue, &table);
        if (def->has_key) {
            ok = ok && sl_sqlite_choose_name(def->key_name, def->id, never_taken, NULL, &key);
        } else {
            sl_buf_text(&key, "_sl_key");
        }
    }
    sl_cat_class *cls = NULL;
    if (ok && !key.failed) {
        cls = sl_catalogue_add(&store->catalogue, def, sl_str_of(table.data, table.size),
                               sl_str_of(key.data, key.size));
    }
    sl_buf_free(&table);
    sl_buf_free(&key);
    if (!cls) sl_fail_memory(st);
    return cls;
}

static bool record_class(sl_sqlite_store *store, const sl_cat_class *cls, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_CLASS_PUT, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, cls->id);
    sl_sqlite_bind_str(stmt, 2, cls->def.name);
    sqlite3_bind_null(stmt, 3);
    sqlite3_bind_null(stmt, 5);
    sqlite3_bind_null(stmt, 8);
    if (cls->table.size) sl_sqlite_bind_str(stmt, 3, cls->table);
    sqlite3_bind_text(stmt, 4, kinds[cls->def.kind], -1, SQLITE_STATIC);
    if (cls->def.has_key) sl_sqlite_bind_str(stmt, 5, cls->def.key_name);
    sqlite3_bind_text(stmt, 6, sl_type_name(cls->def.key_type), -1, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 7, cls->def.key_nullable);
    if (cls->table.size) sl_sqlite_bind_str(stmt, 8, cls->key_column);
    return sl_sqlite_query_run(store, SL_Q_CLASS_PUT, stmt, "recording a class", st);
}

bool sl_sqlite_class_added(void *ctx, const sl_class *cls, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!schema_step(store, st)) return false;
    if (cls->kind > SL_TABLE_ASYMMETRIC) return sl_fail(st, SL_ERR_INTERNAL, "", "no such kind");
    sl_cat_class *cat = name_class(store, cls, st);
    if (!cat) return false;
    cat->pending = cat->table.size > 0;
    return record_class(store, cat, st) &&
           sl_sqlite_meta_put_int(store, next_class_name, store->catalogue.next_id, st);
}

static bool run_for_class(sl_sqlite_store *store, sl_sqlite_query query, uint32_t id,
                          sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, query, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, id);
    return sl_sqlite_query_run(store, query, stmt, "erasing a class", st);
}

bool sl_sqlite_class_erased(void *ctx, const sl_class *cls, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_class_of(store, cls, st);
    if (!cat) return false;
    sl_sqlite_class_reset(store, cat);
    if (cat->table.size && !cat->pending) {
        sl_buf sql;
        sl_buf_init(&sql, &store->alloc);
        sl_buf_text(&sql, "DROP TABLE ");
        sl_sqlite_quote(&sql, cat->table);
        if (!run_ddl(store, &sql, st)) return false;
    }
    if (!run_for_class(store, SL_Q_CLASS_DROP, cat->id, st) ||
        !run_for_class(store, SL_Q_CLASS_DROP_PROPERTIES, cat->id, st) ||
        !run_for_class(store, SL_Q_CLASS_DROP_LINKS, cat->id, st)) {
        return false;
    }
    sl_catalogue_remove(&store->catalogue, cat->id);
    return true;
}

static void add_index_name(sl_buf *sql, const sl_cat_class *cls, const sl_cat_property *property) {
    sl_buf_printf(sql, "_sl_index_%lu_%lu", (unsigned long)cls->id,
                  (unsigned long)property->number);
}

static void add_column_text(sl_sqlite_store *store, sl_buf *sql, const sl_cat_property *property) {
    sl_sqlite_quote(sql, property->stored);
    sl_buf_byte(sql, ' ');
    sl_sqlite_declare_node(sql, property, sl_sqlite_embeds(store, &property->def));
}

static void add_index_text(sl_sqlite_store *store, sl_buf *sql, const sl_cat_class *cls,
                           const sl_cat_property *property) {
    if (!property->def.indexed && !sl_sqlite_has_link_column(store, &property->def)) return;
    sl_buf_text(sql, "; CREATE INDEX ");
    add_index_name(sql, cls, property);
    sl_buf_text(sql, " ON ");
    sl_sqlite_quote(sql, cls->table);
    sl_buf_byte(sql, '(');
    sl_sqlite_quote(sql, property->stored);
    /* Nobody looks for null links, and most links of many classes are null. */
    sl_buf_text(sql, ") WHERE ");
    sl_sqlite_quote(sql, property->stored);
    sl_buf_text(sql, " IS NOT NULL");
}

static bool add_column(sl_sqlite_store *store, const sl_cat_class *cls,
                       const sl_cat_property *property, sl_status *st) {
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "ALTER TABLE ");
    sl_sqlite_quote(&sql, cls->table);
    sl_buf_text(&sql, " ADD COLUMN ");
    add_column_text(store, &sql, property);
    add_index_text(store, &sql, cls, property);
    return run_ddl(store, &sql, st);
}

bool sl_sqlite_class_build(sl_sqlite_store *store, sl_cat_class *cls, sl_status *st) {
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "CREATE TABLE ");
    sl_sqlite_quote(&sql, cls->table);
    sl_buf_byte(&sql, '(');
    sl_sqlite_quote(&sql, cls->key_column);
    sl_buf_byte(&sql, ' ');
    sl_sqlite_declare_key(&sql, cls->def.key_type, cls->def.key_nullable);
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_buf_text(&sql, ", ");
        add_column_text(store, &sql, &cls->properties[i]);
    }
    sl_buf_byte(&sql, ')');
    for (uint32_t i = 0; i < cls->count; i++) {
        add_index_text(store, &sql, cls, &cls->properties[i]);
    }
    if (!run_ddl(store, &sql, st)) return false;
    cls->pending = false;
    return true;
}

bool sl_sqlite_catalogue_build(sl_sqlite_store *store, sl_status *st) {
    for (uint32_t id = 0; id < store->catalogue.capacity; id++) {
        sl_cat_class *cls = store->catalogue.by_id[id];
        if (cls && cls->pending && !sl_sqlite_class_build(store, cls, st)) return false;
    }
    return true;
}

static bool record_property(sl_sqlite_store *store, const sl_cat_class *cls,
                            const sl_cat_property *property, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_PROPERTY_PUT, st);
    if (!stmt) return false;
    const sl_property *def = &property->def;
    sqlite3_bind_int64(stmt, 1, cls->id);
    sqlite3_bind_int64(stmt, 2, property->number);
    sl_sqlite_bind_str(stmt, 3, def->name);
    sl_sqlite_bind_str(stmt, 4, property->stored);
    sqlite3_bind_text(stmt, 5, sl_type_name(def->type), -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 6, sl_collection_name((sl_collection)def->collection), -1,
                      SQLITE_STATIC);
    sqlite3_bind_int(stmt, 7, def->nullable);
    sqlite3_bind_null(stmt, 8);
    sqlite3_bind_null(stmt, 9);
    if (def->type == SL_TYPE_LINK) sl_sqlite_bind_str(stmt, 8, def->target);
    if (property->target_key) {
        sqlite3_bind_text(stmt, 9, sl_type_name(property->target_key), -1, SQLITE_STATIC);
    }
    return sl_sqlite_query_run(store, SL_Q_PROPERTY_PUT, stmt, "recording a property", st);
}

static sl_cat_property *name_property(sl_sqlite_store *store, sl_cat_class *cls,
                                      const sl_property *def, sl_status *st) {
    uint32_t number = sl_cat_class_next_number(cls);
    sl_cat_property *property = NULL;
    sl_buf name;
    sl_buf_init(&name, &store->alloc);
    sl_sqlite_taken taken = cls->table.size ? column_taken : member_taken;
    if (sl_sqlite_choose_name(def->name, number, taken, cls, &name)) {
        property =
            sl_cat_class_add(&store->catalogue, cls, def, sl_str_of(name.data, name.size), number);
    }
    sl_buf_free(&name);
    if (!property) sl_fail_memory(st);
    return property;
}

bool sl_sqlite_property_added(void *ctx, const sl_class *cls, const sl_property *prop,
                              sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_class_of(store, cls, st);
    if (!cat) return false;
    if (cat->table.size && cat->count >= SL_SQLITE_MAX_COLUMNS) {
        return sl_fail(st, SL_ERR_STORAGE, "LIMIT",
                       "class %.*s: an SQLite table has room for %d properties",
                       (int)cls->name.size, cls->name.data, SL_SQLITE_MAX_COLUMNS);
    }
    sl_sqlite_class_reset(store, cat);
    sl_cat_property *property = name_property(store, cat, prop, st);
    if (!property) return false;
    if (sl_sqlite_has_link_column(store, prop)) {
        const sl_cat_class *target = sl_catalogue_named(&store->catalogue, prop->target);
        property->target_key = target ? target->def.key_type : (int8_t)SL_TYPE_NULL;
    }
    bool alter = cat->table.size && !cat->pending;
    if (alter && !add_column(store, cat, property, st)) return false;
    return record_property(store, cat, property, st);
}

static sl_cat_property *known_property(const sl_cat_class *cls, const sl_property *prop,
                                       sl_status *st) {
    sl_cat_property *property = sl_cat_class_find(cls, prop->name);
    if (!property) {
        sl_fail(st, SL_ERR_INTERNAL, "", "class %.*s: the store does not know %.*s",
                (int)cls->def.name.size, cls->def.name.data, (int)prop->name.size, prop->name.data);
    }
    return property;
}

static bool drop_column(sl_sqlite_store *store, const sl_cat_class *cls,
                        const sl_cat_property *property, sl_status *st) {
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "DROP INDEX IF EXISTS ");
    add_index_name(&sql, cls, property);
    sl_buf_text(&sql, "; ALTER TABLE ");
    sl_sqlite_quote(&sql, cls->table);
    sl_buf_text(&sql, " DROP COLUMN ");
    sl_sqlite_quote(&sql, property->stored);
    return run_ddl(store, &sql, st);
}

/* The name says what the index is of, so that the file needs no other note of it. */
bool sl_sqlite_property_indexed(void *ctx, const sl_class *cls, const sl_property *prop,
                                bool indexed, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_class_of(store, cls, st);
    sl_cat_property *property = cat ? known_property(cat, prop, st) : NULL;
    if (!property) return false;
    sl_sqlite_class_reset(store, cat);
    property->def.indexed = indexed;
    if (cat->table.size == 0 || cat->pending) return true;
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    if (indexed) {
        add_index_text(store, &sql, cat, property);
    } else {
        sl_buf_text(&sql, "DROP INDEX IF EXISTS ");
        add_index_name(&sql, cat, property);
    }
    return run_ddl(store, &sql, st);
}

/* A column goes with its content. A member of embedded objects stays where it was written until
 * those objects are saved again, so its name is not given to another property. */
bool sl_sqlite_property_erased(void *ctx, const sl_class *cls, const sl_property *prop,
                               sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_class_of(store, cls, st);
    sl_cat_property *property = cat ? known_property(cat, prop, st) : NULL;
    if (!property) return false;
    sl_sqlite_class_reset(store, cat);
    bool retire = cat->table.size == 0;
    if (!retire && !cat->pending && !drop_column(store, cat, property, st)) return false;
    sl_sqlite_query query = retire ? SL_Q_PROPERTY_RETIRE : SL_Q_PROPERTY_DROP;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, query, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, cat->id);
    sqlite3_bind_int64(stmt, 2, property->number);
    if (!sl_sqlite_query_run(store, query, stmt, "erasing a property", st)) return false;
    sl_cat_class_drop(cat, property, retire);
    return true;
}

bool sl_sqlite_schema_load(void *ctx, sl_schema *schema, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st) || !sl_sqlite_catalogue_need(store, st)) return false;
    store->schema = schema;
    sl_catalogue_forget_slots(&store->catalogue);
    return sl_catalogue_publish(&store->catalogue, schema) || sl_fail_memory(st);
}
