#include "store/sqlite_cell.h"
#include "store/sqlite_class.h"
#include "store/sqlite_links.h"
#include "store/sqlite_names.h"

/* --- statements of a class --- */

static void add_columns(sl_buf *sql, const sl_cat_class *cls, const char *before) {
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_buf_text(sql, i ? ", " : before);
        sl_sqlite_quote(sql, cls->properties[i].stored);
    }
}

static void add_upsert(sl_buf *sql, const sl_cat_class *cls) {
    sl_buf_text(sql, ") ON CONFLICT(");
    sl_sqlite_quote(sql, cls->key_column);
    sl_buf_text(sql, cls->count ? ") DO UPDATE SET " : ") DO NOTHING");
    for (uint32_t i = 0; i < cls->count; i++) {
        if (i) sl_buf_text(sql, ", ");
        sl_sqlite_quote(sql, cls->properties[i].stored);
        sl_buf_text(sql, " = excluded.");
        sl_sqlite_quote(sql, cls->properties[i].stored);
    }
}

static void save_text(sl_buf *sql, const sl_cat_class *cls) {
    sl_buf_text(sql, "INSERT INTO ");
    sl_sqlite_quote(sql, cls->table);
    sl_buf_byte(sql, '(');
    sl_sqlite_quote(sql, cls->key_column);
    add_columns(sql, cls, ", ");
    sl_buf_text(sql, ") VALUES(?1");
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_buf_printf(sql, ", ?%lu", (unsigned long)i + 2);
    }
    add_upsert(sql, cls);
}

static void load_text(sl_buf *sql, const sl_cat_class *cls) {
    sl_buf_text(sql, "SELECT 1");
    add_columns(sql, cls, ", ");
    sl_buf_text(sql, " FROM ");
    sl_sqlite_quote(sql, cls->table);
    sl_buf_text(sql, " WHERE ");
    sl_sqlite_quote(sql, cls->key_column);
    sl_buf_text(sql, " IS ?1");
}

static void erase_text(sl_buf *sql, const sl_cat_class *cls) {
    sl_buf_text(sql, "DELETE FROM ");
    sl_sqlite_quote(sql, cls->table);
    sl_buf_text(sql, " WHERE ");
    sl_sqlite_quote(sql, cls->key_column);
    sl_buf_text(sql, " IS ?1");
}

/* The statement at *slot of the class, made from `text` when it is not there yet. */
static sqlite3_stmt *class_statement(sl_sqlite_store *store, const sl_cat_class *cls,
                                     sqlite3_stmt **slot,
                                     void (*text)(sl_buf *, const sl_cat_class *), sl_status *st) {
    sqlite3_stmt *kept = *slot;
    if (kept) return kept;
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    text(&sql, cls);
    if (sql.failed)
        sl_fail_memory(st);
    else
        *slot = sl_sqlite_prepare(store, sl_str_of(sql.data, sql.size), st);
    sl_buf_free(&sql);
    return *slot;
}

/* A statement for one use, so that visitors may do as they like meanwhile. */
static sqlite3_stmt *select_keys(sl_sqlite_store *store, const sl_cat_class *cls, const char *what,
                                 const sl_cat_property *where, sl_status *st) {
    sl_buf sql;
    sl_buf_init(&sql, &store->alloc);
    sl_buf_text(&sql, "SELECT ");
    if (what)
        sl_buf_text(&sql, what);
    else
        sl_sqlite_quote(&sql, cls->key_column);
    sl_buf_text(&sql, " FROM ");
    sl_sqlite_quote(&sql, cls->table);
    if (where) {
        sl_buf_text(&sql, " WHERE ");
        sl_sqlite_quote(&sql, where->stored);
        sl_buf_text(&sql, " = ?1");
    }
    sqlite3_stmt *stmt = NULL;
    if (sql.failed)
        sl_fail_memory(st);
    else
        stmt = sl_sqlite_prepare(store, sl_str_of(sql.data, sql.size), st);
    sl_buf_free(&sql);
    return stmt;
}

static sl_sqlite_class *need_extra(sl_sqlite_store *store, sl_cat_class *cls, sl_status *st) {
    sl_sqlite_class *extra = sl_sqlite_class_extra(store, cls);
    if (!extra) {
        sl_fail_memory(st);
        return NULL;
    }
    if (extra->known) return extra;
    extra->known = true;
    for (uint32_t i = 0; i < cls->count && !extra->links_inside; i++) {
        extra->links_inside = sl_sqlite_hides_links(store, &cls->properties[i].def);
    }
    return extra;
}

sl_cat_class *sl_sqlite_table_of(sl_sqlite_store *store, const sl_class *cls, sl_status *st) {
    if (!sl_sqlite_catalogue_need(store, st)) return NULL;
    sl_cat_class *cat = sl_sqlite_class_of(store, cls, st);
    if (!cat) return NULL;
    if (cat->table.size) return cat->pending && !sl_sqlite_class_build(store, cat, st) ? NULL : cat;
    sl_fail(st, SL_ERR_INTERNAL, "", "class %.*s is embedded and has no objects of its own",
            (int)cls->name.size, cls->name.data);
    return NULL;
}

static bool step_once(sl_sqlite_store *store, sqlite3_stmt *stmt, const char *what, sl_status *st) {
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_DONE || sl_sqlite_fail(store, rc, what, st);
    sqlite3_reset(stmt);
    return ok;
}

/* --- saving and erasing --- */

static bool erase_row(sl_sqlite_store *store, const sl_cat_class *cls, sl_sqlite_class *extra,
                      const sl_key *key, sl_status *st) {
    sqlite3_stmt *stmt = class_statement(store, cls, &extra->erase, erase_text, st);
    return stmt && sl_sqlite_bind_key(store, stmt, 1, key, cls->def.key_type, false, st) &&
           step_once(store, stmt, "erasing an object", st);
}

/* Whether a set of properties as object_update has it holds property `index`. */
static bool holds(uint64_t properties, uint32_t index) {
    return properties >> (index < 63 ? index : 63) & 1;
}

static bool bind_columns(sl_sqlite_store *store, sqlite3_stmt *stmt, sl_cat_class *cls,
                         const sl_object *object, uint64_t properties, sl_status *st) {
    const uint32_t *slots = sl_cat_class_slots(&store->catalogue, cls, object->cls, st);
    if (!slots) return false;
    if (!sl_sqlite_bind_key(store, stmt, 1, &object->key, cls->def.key_type, false, st)) {
        return false;
    }
    for (uint32_t i = 0; i < object->cls->property_count; i++) {
        if (slots[i] == SL_NO_SLOT || !holds(properties, i)) continue;
        const sl_cat_property *property = &cls->properties[slots[i]];
        if (!sl_sqlite_bind_node(store, stmt, (int)slots[i] + 2, property,
                                 object->cls->properties[i].embedded, sl_object_at(object, i),
                                 st)) {
            return false;
        }
    }
    return true;
}

static bool bind_object(sl_sqlite_store *store, sqlite3_stmt *stmt, sl_cat_class *cls,
                        const sl_object *object, uint64_t properties, sl_status *st) {
    sl_arena_reset(&store->bound);
    store->saving = true;
    bool ok = bind_columns(store, stmt, cls, object, properties, st);
    store->saving = false;
    return ok;
}

/* Steps the statement that saves. *added: no row was there before. */
static bool save_row(sl_sqlite_store *store, sqlite3_stmt *stmt, bool *added, sl_status *st) {
    sqlite3_set_last_insert_rowid(store->db, INT64_MIN);
    bool ok = step_once(store, stmt, "saving an object", st);
    *added = sqlite3_last_insert_rowid(store->db) != INT64_MIN;
    return ok;
}

static bool object_save(void *ctx, const sl_class *cls, const sl_object *object, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_changing(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sl_sqlite_class *extra = cat ? need_extra(store, cat, st) : NULL;
    if (!extra) return false;
    sqlite3_stmt *stmt = class_statement(store, cat, &extra->save, save_text, st);
    if (!stmt) return false;
    /* To SQLite no two NULL keys are the same, so the row is replaced by hand. */
    bool by_hand = object->key.type == SL_TYPE_NULL;
    if (by_hand && !erase_row(store, cat, extra, &object->key, st)) return false;
    bool added = false;
    return bind_object(store, stmt, cat, object, UINT64_MAX, st) &&
           save_row(store, stmt, &added, st) &&
           (!extra->links_inside ||
            sl_sqlite_links_save(store, cat, object, added && !by_hand, st));
}

/* *columns: those of the properties, 0 if one of them is not among the first 64. *links: links can
 * hide in one of them. */
static void columns_of(const sl_sqlite_store *store, const sl_cat_class *cls, const uint32_t *slots,
                       uint32_t slot_count, uint64_t properties, uint64_t *columns, bool *links) {
    *columns = 0;
    *links = false;
    for (uint32_t i = 0; i < slot_count; i++) {
        if (slots[i] == SL_NO_SLOT || !holds(properties, i)) continue;
        if (slots[i] >= 64) {
            *columns = 0;
            return;
        }
        *columns |= UINT64_C(1) << slots[i];
        *links = *links || sl_sqlite_hides_links(store, &cls->properties[slots[i]].def);
    }
}

/* A whole row costs as much again for the columns that stay as they are: SQLite compares and moves
 * their entries in indexes, collections are written as text, links are looked up. */
static bool object_update(void *ctx, const sl_class *cls, const sl_object *object,
                          uint64_t properties, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_changing(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sl_sqlite_class *extra = cat ? need_extra(store, cat, st) : NULL;
    const uint32_t *slots = extra ? sl_cat_class_slots(&store->catalogue, cat, cls, st) : NULL;
    if (!slots) return false;
    uint64_t columns = 0;
    bool links = false;
    if (object->key.type != SL_TYPE_NULL)
        columns_of(store, cat, slots, cls->property_count, properties, &columns, &links);
    sqlite3_stmt *stmt = NULL;
    if (columns && !sl_sqlite_update_statement(store, cat, extra, columns, &stmt, st)) return false;
    if (!stmt) return object_save(ctx, cls, object, st);
    if (!bind_object(store, stmt, cat, object, properties, st) ||
        !step_once(store, stmt, "saving an object", st))
        return false;
    if (sqlite3_changes(store->db) == 0) return object_save(ctx, cls, object, st);
    return !links || sl_sqlite_links_save(store, cat, object, false, st);
}

static bool object_erase(void *ctx, const sl_class *cls, const sl_key *key, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_changing(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sl_sqlite_class *extra = cat ? need_extra(store, cat, st) : NULL;
    return extra && erase_row(store, cat, extra, key, st) &&
           (!extra->links_inside || sl_sqlite_links_clear(store, cat, key, st));
}

/* --- loading --- */

static bool read_row(sl_sqlite_store *store, sqlite3_stmt *stmt, sl_cat_class *cat,
                     sl_object *object, sl_status *st) {
    const uint32_t *slots = sl_cat_class_slots(&store->catalogue, cat, object->cls, st);
    if (!slots) return false;
    for (uint32_t i = 0; i < object->value_count; i++) {
        if (slots[i] == SL_NO_SLOT) continue;
        sl_node *node = &object->values[i];
        sl_node_clear(&store->alloc, node);
        if (!sl_sqlite_column_node(store, stmt, (int)slots[i] + 1, &cat->properties[slots[i]],
                                   &object->cls->properties[i], node, st)) {
            return false;
        }
    }
    return true;
}

static bool object_load(void *ctx, const sl_class *cls, const sl_key *key, sl_object *object,
                        bool *found, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sl_sqlite_class *extra = cat ? need_extra(store, cat, st) : NULL;
    if (!extra) return false;
    sqlite3_stmt *stmt = class_statement(store, cat, &extra->load, load_text, st);
    if (!stmt || !sl_sqlite_bind_key(store, stmt, 1, key, cat->def.key_type, false, st)) {
        return false;
    }
    sl_arena_reset(&store->arena);
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_ROW
                  ? read_row(store, stmt, cat, object, st)
                  : rc == SQLITE_DONE || sl_sqlite_fail(store, rc, "loading an object", st);
    sqlite3_reset(stmt);
    return ok;
}

static bool object_scan(void *ctx, const sl_class *cls, sl_key_visitor visit, void *visit_ctx,
                        sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sqlite3_stmt *stmt = cat ? select_keys(store, cat, NULL, NULL, st) : NULL;
    if (!stmt) return false;
    int rc = SQLITE_ROW, type = cat->def.key_type;
    bool ok = true;
    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sl_key key;
        ok = sl_sqlite_column_key(store, stmt, 0, type, &key, st);
        if (ok && !visit(visit_ctx, &key)) break;
    }
    if (ok && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ok = sl_sqlite_fail(store, rc, "reading the keys of a class", st);
    }
    sqlite3_finalize(stmt);
    return ok;
}

static bool object_count(void *ctx, const sl_class *cls, uint64_t *count, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sl_cat_class *cat = sl_sqlite_table_of(store, cls, st);
    sqlite3_stmt *stmt = cat ? select_keys(store, cat, "count(*)", NULL, st) : NULL;
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_ROW || sl_sqlite_fail(store, rc, "counting objects", st);
    if (ok) *count = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return ok;
}

/* --- referrers --- */

/* The statement that finds the objects whose link column `at` holds a key: the kept one, or a new
 * one while that is in use. */
static sqlite3_stmt *find_statement(sl_sqlite_store *store, sl_cat_class *cls, uint32_t at,
                                    sl_status *st) {
    sl_sqlite_class *extra = need_extra(store, cls, st);
    if (!extra) return NULL;
    if (!extra->find) {
        extra->find = sl_new_zero(&store->alloc, cls->count, sizeof(sqlite3_stmt *));
        if (!extra->find) {
            sl_fail_memory(st);
            return NULL;
        }
        extra->finds = cls->count;
    }
    sqlite3_stmt *kept = extra->find[at];
    if (kept && !sqlite3_stmt_busy(kept)) return kept;
    sqlite3_stmt *made = select_keys(store, cls, NULL, &cls->properties[at], st);
    if (!kept) extra->find[at] = made;
    return made;
}

static void release_find(const sl_cat_class *cls, uint32_t at, sqlite3_stmt *stmt) {
    const sl_sqlite_class *extra = cls->extra;
    if (stmt == extra->find[at])
        sqlite3_reset(stmt);
    else
        sqlite3_finalize(stmt);
}

/* *more = false when the visitor wants no more. */
static bool visit_column(sl_sqlite_store *store, sl_cat_class *cls, uint32_t at, const sl_key *key,
                         sl_referrer_visitor visit, void *ctx, bool *more, sl_status *st) {
    sqlite3_stmt *stmt = find_statement(store, cls, at, st);
    if (!stmt) return false;
    int rc = SQLITE_DONE;
    bool ok = sl_sqlite_bind_key(store, stmt, 1, key, cls->properties[at].target_key, true, st);
    while (ok && *more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sl_key referrer;
        ok = sl_sqlite_column_key(store, stmt, 0, cls->def.key_type, &referrer, st);
        if (ok) *more = visit(ctx, cls->def.name, &referrer);
    }
    if (ok && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ok = sl_sqlite_fail(store, rc, "looking for referrers", st);
    }
    release_find(cls, at, stmt);
    return ok;
}

static bool visit_class(sl_sqlite_store *store, sl_cat_class *cls, sl_str target, const sl_key *key,
                        sl_referrer_visitor visit, void *ctx, bool *more, sl_status *st) {
    if (cls->table.size == 0 || cls->pending) return true;
    for (uint32_t i = 0; *more && i < cls->count; i++) {
        const sl_property *property = &cls->properties[i].def;
        if (!sl_str_eq(property->target, target) || !sl_sqlite_has_link_column(store, property)) {
            continue;
        }
        if (!visit_column(store, cls, i, key, visit, ctx, more, st)) return false;
    }
    return true;
}

static bool visit_inside(sl_sqlite_store *store, sl_str target, const sl_key *key,
                         sl_referrer_visitor visit, void *ctx, bool *more, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_LINK_FIND, st);
    if (!stmt) return false;
    sl_sqlite_bind_str(stmt, 1, target);
    bool ok = sl_sqlite_bind_any_key(store, stmt, 2, key, st);
    int rc = SQLITE_DONE;
    while (ok && *more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(stmt, 0);
        const sl_cat_class *cls = sl_catalogue_find(&store->catalogue, (uint32_t)id);
        sl_key referrer;
        ok = sl_sqlite_column_any_key(store, stmt, 1, &referrer, st);
        if (ok && cls) *more = visit(ctx, cls->def.name, &referrer);
    }
    if (ok && rc != SQLITE_ROW && rc != SQLITE_DONE) {
        ok = sl_sqlite_fail(store, rc, "looking for referrers", st);
    }
    sl_sqlite_query_release(store, SL_Q_LINK_FIND, stmt);
    return ok;
}

static bool referrers(void *ctx, sl_str class_name, const sl_key *key, sl_referrer_visitor visit,
                      void *visit_ctx, sl_status *st) {
    sl_sqlite_store *store = ctx;
    bool more = true;
    if (!sl_sqlite_reading(store, st) || !sl_sqlite_catalogue_need(store, st) ||
        !visit_inside(store, class_name, key, visit, visit_ctx, &more, st)) {
        return false;
    }
    for (uint32_t id = 0; more && id < store->catalogue.capacity; id++) {
        sl_cat_class *cls = store->catalogue.by_id[id];
        if (cls && !visit_class(store, cls, class_name, key, visit, visit_ctx, &more, st)) {
            return false;
        }
    }
    return true;
}

/* --- the number of objects ever made --- */

static bool sequence_get(void *ctx, const sl_class *cls, uint64_t *next, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_reading(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_SEQUENCE_GET, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, cls->id);
    int rc = sqlite3_step(stmt);
    bool ok =
        rc == SQLITE_ROW || rc == SQLITE_DONE || sl_sqlite_fail(store, rc, "reading a counter", st);
    *next = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sl_sqlite_query_release(store, SL_Q_SEQUENCE_GET, stmt);
    return ok;
}

static bool sequence_put(void *ctx, const sl_class *cls, uint64_t next, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (!sl_sqlite_changing(store, st)) return false;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_SEQUENCE_PUT, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, cls->id);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)next);
    return sl_sqlite_query_run(store, SL_Q_SEQUENCE_PUT, stmt, "raising a counter", st);
}

void sl_sqlite_source_init(sl_sqlite_store *store) {
    sl_catalogue_init(&store->catalogue, &store->alloc);
    store->catalogue_stale = true;
    store->source = (sl_realm_source){
        .schema_load = sl_sqlite_schema_load,
        .class_added = sl_sqlite_class_added,
        .class_erased = sl_sqlite_class_erased,
        .property_added = sl_sqlite_property_added,
        .property_erased = sl_sqlite_property_erased,
        .property_indexed = sl_sqlite_property_indexed,
        .object_load = object_load,
        .object_save = object_save,
        .object_update = object_update,
        .object_erase = object_erase,
        .object_scan = object_scan,
        .object_nth = sl_sqlite_object_nth,
        .object_select = sl_sqlite_object_select,
        .object_count = object_count,
        .referrers = referrers,
        .sequence_get = sequence_get,
        .sequence_put = sequence_put,
        .ctx = store,
    };
}
