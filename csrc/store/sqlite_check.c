#include <stdarg.h>
#include <stdio.h>

#include "store/node_links.h"
#include "store/sqlite_cell.h"
#include "store/sqlite_class.h"

typedef struct checker {
    sl_sqlite_store *store;
    sl_sqlite_finding report;
    void *ctx;
    uint64_t findings;
    sl_status *st;
    sl_schema *schema;
    const sl_class *cls; /* being checked */
    sl_object *object;
    bool failed; /* the check itself, not the file */
} checker;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
found(checker *check, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->findings++;
    if (check->report) check->report(check->ctx, text);
}

/* Damage is what the check is for; anything else ends it. */
static void found_or_failed(checker *check, const char *where, const sl_status *inner) {
    if (inner->cls == SL_ERR_STORAGE && strcmp(inner->id, "DAMAGED") == 0) {
        found(check, "%s: %s", where, inner->message);
    } else {
        if (check->st) *check->st = *inner;
        check->failed = true;
    }
}

/* --- pages --- */

static void check_pages(checker *check) {
    sl_status inner = SL_STATUS_INIT;
    sqlite3_stmt *stmt =
        sl_sqlite_prepare(check->store, SL_STR("PRAGMA main.integrity_check(50)"), &inner);
    if (!stmt) {
        found_or_failed(check, "pages", &inner);
        return;
    }
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && strcmp(text, "ok") != 0) found(check, "pages: %s", text);
    }
    if (rc != SQLITE_DONE) {
        sl_sqlite_fail(check->store, rc, "checking pages", &inner);
        found_or_failed(check, "pages", &inner);
    }
    sqlite3_finalize(stmt);
}

/* --- catalogue --- */

/* Each row of `sql` is the name of something that should not be. */
static void check_query(checker *check, const char *sql, const char *what) {
    sl_status inner = SL_STATUS_INIT;
    sqlite3_stmt *stmt = sl_sqlite_prepare(check->store, sl_str_c(sql), &inner);
    if (!stmt) {
        found_or_failed(check, what, &inner);
        return;
    }
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        found(check, "%s: %s", what, (const char *)sqlite3_column_text(stmt, 0));
    }
    if (rc != SQLITE_DONE) {
        sl_sqlite_fail(check->store, rc, what, &inner);
        found_or_failed(check, what, &inner);
    }
    sqlite3_finalize(stmt);
}

static void check_catalogue(checker *check) {
    sl_status inner = SL_STATUS_INIT;
    if (!sl_sqlite_catalogue_verify(check->store, &inner)) {
        found_or_failed(check, "catalogue", &inner);
        return;
    }
    check_query(check,
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_sl_*'"
                " AND name NOT GLOB 'sqlite_*'"
                " AND name NOT IN (SELECT table_name FROM _sl_classes"
                " WHERE table_name IS NOT NULL)",
                "a table that belongs to no class");
    check_query(check, "SELECT name FROM sqlite_master WHERE type = 'trigger'",
                "a trigger, which changes data behind the history");
    check_query(check,
                "SELECT c.table_name || '.' || i.name FROM _sl_classes c,"
                " pragma_table_info(c.table_name) i WHERE i.name <> c.key_column AND NOT EXISTS"
                " (SELECT 1 FROM _sl_properties p WHERE p.class = c.id AND p.column_name = i.name)",
                "a column that belongs to no property");
    check_query(check,
                "SELECT class || ' refers to ' || target FROM _sl_links"
                " WHERE class NOT IN (SELECT id FROM _sl_classes)",
                "an index entry of a class that does not exist");
}

/* --- objects and links --- */

static bool has_link(checker *check, const sl_link *link, bool *there) {
    sl_status inner = SL_STATUS_INIT;
    sqlite3_stmt *stmt = sl_sqlite_prepare(
        check->store,
        SL_STR("SELECT 1 FROM _sl_links WHERE class = ?1 AND key = ?2 AND target = ?3"
               " AND target_key = ?4"),
        &inner);
    bool ok = stmt != NULL;
    if (ok) {
        sqlite3_bind_int64(stmt, 1, check->cls->id);
        sl_sqlite_bind_str(stmt, 3, link->class_name);
        ok = sl_sqlite_bind_any_key(check->store, stmt, 2, &check->object->key, &inner) &&
             sl_sqlite_bind_any_key(check->store, stmt, 4, &link->key, &inner);
        *there = ok && sqlite3_step(stmt) == SQLITE_ROW;
    }
    sqlite3_finalize(stmt);
    if (!ok) found_or_failed(check, "links", &inner);
    return ok;
}

static bool check_link(void *ctx, const sl_link *link) {
    checker *check = ctx;
    bool there;
    if (!has_link(check, link, &there)) return false;
    if (!there) {
        found(check, "links: class %.*s: a link to class %.*s is not in the index",
              (int)check->cls->name.size, check->cls->name.data, (int)link->class_name.size,
              link->class_name.data);
    }
    return true;
}

static void check_links(checker *check) {
    for (uint32_t i = 0; i < check->object->value_count; i++) {
        const sl_property *property = &check->cls->properties[i];
        if (sl_sqlite_has_link_column(check->store, property)) continue;
        if (!sl_store_node_links(&check->object->values[i], check_link, check)) return;
    }
}

static bool check_object(void *ctx, const sl_key *key) {
    checker *check = ctx;
    const sl_realm_source *source = &check->store->source;
    sl_status inner = SL_STATUS_INIT;
    char where[100];
    snprintf(where, sizeof where, "class %.*s", (int)check->cls->name.size, check->cls->name.data);
    bool there = false;
    sl_object *object = sl_object_new(source->alloc, check->cls, key);
    bool ok = (object && sl_object_complete(source->alloc, object)) || sl_fail_memory(&inner);
    ok = ok && source->object_load(source->ctx, check->cls, key, object, &there, &inner);
    if (!ok) found_or_failed(check, where, &inner);
    if (ok && !there) found(check, "%s: an object is not found by its key", where);
    check->object = object;
    if (ok && there) check_links(check);
    check->object = NULL;
    sl_object_free(source->alloc, object);
    return !check->failed;
}

static void check_class(checker *check, const sl_class *cls) {
    const sl_realm_source *source = &check->store->source;
    sl_status inner = SL_STATUS_INIT;
    if (cls->kind == SL_TABLE_EMBEDDED) return;
    check->cls = cls;
    if (!source->object_scan(source->ctx, cls, check_object, check, &inner)) {
        char where[100];
        snprintf(where, sizeof where, "class %.*s", (int)cls->name.size, cls->name.data);
        found_or_failed(check, where, &inner);
    }
}

/* Loads every object with a schema of the check's own; the realm's is put back afterwards. */
static void check_objects(checker *check) {
    sl_sqlite_store *store = check->store;
    sl_schema *realm_schema = store->schema;
    sl_schema schema;
    sl_schema_init(&schema, store->source.alloc);
    sl_status inner = SL_STATUS_INIT;
    if (!sl_sqlite_schema_load(store, &schema, &inner)) {
        found_or_failed(check, "catalogue", &inner);
    }
    for (uint32_t i = 0; i < schema.count && !check->failed; i++) {
        check_class(check, schema.classes[i]);
    }
    sl_schema_free(&schema);
    store->schema = realm_schema;
    sl_catalogue_forget_slots(&store->catalogue);
}

/* --- history --- */

static void check_history(checker *check) {
    check_query(check,
                "SELECT version FROM (SELECT version, cumulative_size,"
                " lag(cumulative_size) OVER (ORDER BY version) AS before FROM _sl_history)"
                " WHERE cumulative_size < before",
                "history: the cumulative size falls at version");
    /* Only a server file, which has client files, relies on the exact sums; while a compaction of
     * its history is not finished, they are still those of before. */
    check_query(check,
                "SELECT version FROM (SELECT version, cumulative_size, length(changeset) AS size,"
                " lag(cumulative_size) OVER (ORDER BY version) AS before FROM _sl_history)"
                " WHERE cumulative_size > before AND cumulative_size <> before + size"
                " AND EXISTS (SELECT 1 FROM _sl_client_files)"
                " AND ifnull((SELECT value FROM _sl_meta WHERE name = 'server.sums_from'), 0) = 0",
                "history: the cumulative size is not the sum of the sizes at version");
    check_query(check, "SELECT version FROM _sl_history WHERE version < 1",
                "history: no such version");
    check_query(check,
                "SELECT ident FROM _sl_client_files WHERE client_version < 0"
                " OR reciprocal_base < 0 OR locked_version < 0",
                "client files: a negative version for file");
}

bool sl_sqlite_check(sl_store *base, sl_sqlite_finding report, void *ctx, uint64_t *findings,
                     sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    checker check = {.store = store, .report = report, .ctx = ctx, .st = st};
    check_pages(&check);
    if (!check.failed) check_catalogue(&check);
    if (!check.failed && check.findings == 0) check_objects(&check);
    if (!check.failed) check_history(&check);
    *findings = check.findings;
    return !check.failed;
}

/* --- counting --- */

static bool count_of(sl_sqlite_store *store, const char *sql, uint64_t *out, int columns,
                     sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, sl_str_c(sql), st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    bool ok = rc == SQLITE_ROW || sl_sqlite_fail(store, rc, "counting", st);
    for (int i = 0; ok && i < columns; i++)
        out[i] = (uint64_t)sqlite3_column_int64(stmt, i);
    sqlite3_finalize(stmt);
    return ok;
}

static bool count_objects(sl_sqlite_store *store, uint64_t *objects, sl_status *st) {
    for (uint32_t id = 0; id < store->catalogue.capacity; id++) {
        const sl_cat_class *cls = store->catalogue.by_id[id];
        uint64_t count = 0;
        if (!cls || cls->table.size == 0) continue;
        if (!store->source.object_count(store, &cls->def, &count, st)) return false;
        *objects += count;
    }
    return true;
}

bool sl_sqlite_stat_read(sl_store *base, sl_sqlite_stat *stat, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    uint64_t schema[3], history[5], others[2], page[3];
    memset(stat, 0, sizeof *stat);
    if (!sl_sqlite_reading(store, st) || !sl_sqlite_catalogue_need(store, st) ||
        !count_of(store,
                  "SELECT (SELECT count(*) FROM _sl_classes),"
                  " (SELECT count(*) FROM _sl_properties WHERE retired = 0),"
                  " (SELECT count(*) FROM _sl_links)",
                  schema, 3, st) ||
        !count_of(store,
                  "SELECT count(*), min(version), max(version), sum(length(changeset)),"
                  " sum(length(original)) FROM _sl_history",
                  history, 5, st) ||
        !count_of(store,
                  "SELECT (SELECT count(*) FROM _sl_reciprocal),"
                  " (SELECT count(*) FROM _sl_client_files)",
                  others, 2, st) ||
        !count_of(store,
                  "SELECT page_count, page_size, freelist_count FROM pragma_page_count,"
                  " pragma_page_size, pragma_freelist_count",
                  page, 3, st)) {
        return false;
    }
    *stat = (sl_sqlite_stat){.classes = schema[0],
                             .properties = schema[1],
                             .links = schema[2],
                             .entries = history[0],
                             .first_version = history[1],
                             .last_version = history[2],
                             .changeset_bytes = history[3],
                             .original_bytes = history[4],
                             .reciprocals = others[0],
                             .clients = others[1],
                             .file_bytes = page[0] * page[1],
                             .free_bytes = page[2] * page[1]};
    return count_objects(store, &stat->objects, st);
}
