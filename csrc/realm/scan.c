#include "realm/scan.h"

#include <stdlib.h>

#include "realm/missing.h"
#include "realm/path.h"
#include "realm/read.h"

bool sl_realm_find_table(sl_realm *realm, sl_str name, sl_table **table, sl_status *st) {
    bool missing;
    *table = sl_realm_table_named(realm, name, &missing);
    if (*table) return true;
    return missing ? sl_no_class(&realm->schema, name, st) : sl_fail_memory(st);
}

/* Whether the source may hold objects of the class that memory does not know. */
static bool has_stored(const sl_realm *realm, const sl_table *table) {
    return realm->source && !(realm->open && table->added == realm->tx);
}

bool sl_realm_count(sl_realm *realm, sl_str class_name, uint64_t *count, sl_status *st) {
    sl_table *table;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    *count = table->live;
    if (!realm->source) return true;
    if (!realm->source->object_count(realm->source->ctx, table->cls, count, st)) return false;
    for (size_t i = 0; realm->open && i < realm->touched_count; i++) {
        const sl_cell *cell = realm->touched[i];
        if (cell->table != table || !cell->dirty) continue;
        if (cell->object && !cell->in_source) ++*count;
        if (!cell->object && cell->in_source) --*count;
    }
    return true;
}

typedef struct scan {
    const sl_table *table;
    bool open; /* only then memory knows more than the source */
    sl_key_visitor visit;
    void *ctx;
    bool stopped;
} scan;

/* A stored key that memory knows better is left out. */
static bool visit_stored(void *ctx, const sl_key *key) {
    scan *s = ctx;
    const sl_cell *cell = s->open ? sl_table_peek(s->table, key) : NULL;
    if (cell && cell->dirty) return true;
    s->stopped = !s->visit(s->ctx, key);
    return !s->stopped;
}

/* The cells of all objects in memory. Visitors may read, and reading may add cells to the table; so
 * they are collected first. *cells (sl_delete) is NULL when there are none. */
static bool collect_cells(const sl_realm *realm, const sl_table *table, sl_cell ***cells,
                          size_t *count, sl_status *st) {
    *count = 0;
    *cells = NULL;
    if (!table->live) return true;
    *cells = sl_new(realm->alloc, table->live * sizeof **cells);
    if (!*cells) return sl_fail_memory(st);
    for (uint32_t i = 0; i < table->capacity; i++) {
        sl_cell *cell = table->slots[i].cell;
        if (cell && cell->object) (*cells)[(*count)++] = cell;
    }
    return true;
}

static bool scan_memory(sl_realm *realm, const sl_table *table, sl_key_visitor visit, void *ctx,
                        sl_status *st) {
    sl_cell **cells;
    size_t count;
    if (!collect_cells(realm, table, &cells, &count, st)) return false;
    for (size_t i = 0; i < count && visit(ctx, &cells[i]->key);)
        i++;
    sl_delete(realm->alloc, cells);
    return true;
}

bool sl_realm_scan(sl_realm *realm, sl_str class_name, sl_key_visitor visit, void *ctx,
                   sl_status *st) {
    sl_table *table;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    scan s = {table, realm->open, visit, ctx, false};
    bool stored = has_stored(realm, table);
    if (stored) {
        const sl_realm_source *source = realm->source;
        if (!source->object_scan(source->ctx, table->cls, visit_stored, &s, st)) return false;
        for (size_t i = 0; realm->open && i < realm->touched_count && !s.stopped; i++) {
            const sl_cell *cell = realm->touched[i];
            if (cell->table == table && cell->dirty && cell->object)
                s.stopped = !visit(ctx, &cell->key);
        }
        return true;
    }
    return scan_memory(realm, table, visit, ctx, st);
}

/* --- rows with content --- */

typedef struct selecting {
    const sl_table *table;
    bool open; /* only then memory knows more than the source */
    const sl_selection *selection;
    const sl_node **nodes; /* of an object in memory */
    sl_row_visitor visit;
    void *ctx;
    bool stopped;
} selecting;

static bool visit_row(void *ctx, const sl_key *key, const sl_node *const *nodes) {
    selecting *s = ctx;
    const sl_cell *cell = s->open ? sl_table_peek(s->table, key) : NULL;
    if (cell && cell->dirty) return true;
    s->stopped = !s->visit(s->ctx, key, nodes);
    return !s->stopped;
}

static void visit_cell(selecting *s, const sl_cell *cell) {
    for (uint32_t i = 0; i < s->selection->slot_count; i++)
        s->nodes[i] = sl_object_at(cell->object, s->selection->slots[i]);
    s->stopped = !s->visit(s->ctx, &cell->key, s->nodes);
}

static bool select_memory(sl_realm *realm, selecting *s, sl_status *st) {
    sl_cell **cells;
    size_t count;
    if (!collect_cells(realm, s->table, &cells, &count, st)) return false;
    for (size_t i = 0; i < count && !s->stopped; i++)
        visit_cell(s, cells[i]);
    sl_delete(realm->alloc, cells);
    return true;
}

static bool select_stored(sl_realm *realm, selecting *s, sl_status *st) {
    const sl_realm_source *source = realm->source;
    if (!source->object_select(source->ctx, s->table->cls, s->selection, visit_row, s, st))
        return false;
    /* What is listed as touched after a commit has been saved. */
    for (size_t i = 0; realm->open && i < realm->touched_count && !s->stopped; i++) {
        const sl_cell *cell = realm->touched[i];
        if (cell->table == s->table && cell->dirty && cell->object) visit_cell(s, cell);
    }
    return true;
}

bool sl_realm_select(sl_realm *realm, sl_str class_name, const sl_selection *selection,
                     sl_row_visitor visit, void *ctx, sl_status *st) {
    sl_table *table;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    if (table->cls->kind == SL_TABLE_EMBEDDED)
        return sl_fail(st, SL_ERR_USAGE, "QUERY",
                       "class \"%.*s\" is embedded: its objects are found "
                       "through the objects that hold them",
                       sl_shown(class_name), class_name.data);
    selecting s = {table, realm->open, selection, NULL, visit, ctx, false};
    s.nodes = sl_new(realm->alloc, (selection->slot_count + (size_t)1) * sizeof *s.nodes);
    if (!s.nodes) return sl_fail_memory(st);
    bool stored = has_stored(realm, table);
    bool ok = stored ? select_stored(realm, &s, st) : select_memory(realm, &s, st);
    sl_delete(realm->alloc, s.nodes);
    return ok;
}

typedef struct key_list {
    const sl_alloc *alloc;
    sl_arena *arena;
    sl_key *keys;
    size_t count, capacity;
    bool failed;
} key_list;

static bool keep_key(void *ctx, const sl_key *key) {
    key_list *list = ctx;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        sl_key *keys = sl_resize(list->alloc, list->keys, capacity * sizeof *keys);
        if (!keys) return !(list->failed = true);
        list->keys = keys;
        list->capacity = capacity;
    }
    sl_key *copy = &list->keys[list->count];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy->string = sl_arena_str(list->arena, key->string);
        if (!copy->string.data) return !(list->failed = true);
    }
    list->count++;
    return true;
}

static int by_key(const void *a, const void *b) {
    return sl_key_cmp(a, b);
}

bool sl_realm_sorted_keys(sl_realm *realm, sl_str class_name, sl_arena *arena, sl_key **keys,
                          size_t *count, sl_status *st) {
    key_list list = {realm->alloc, arena, NULL, 0, 0, false};
    bool ok = sl_realm_scan(realm, class_name, keep_key, &list, st);
    if (ok && list.failed) ok = sl_fail_memory(st);
    if (!ok) {
        sl_delete(realm->alloc, list.keys);
        return false;
    }
    if (list.count) qsort(list.keys, list.count, sizeof *list.keys, by_key);
    *keys = list.keys;
    *count = list.count;
    return true;
}

/* Whether the source knows all there is of the class. */
static bool is_saved(const sl_realm *realm, const sl_table *table) {
    if (!realm->source || !realm->source->object_nth) return false;
    for (size_t i = 0; realm->open && i < realm->touched_count; i++)
        if (realm->touched[i]->table == table && realm->touched[i]->dirty) return false;
    return !realm->open || table->added != realm->tx;
}

bool sl_realm_nth(sl_realm *realm, sl_str class_name, uint64_t position, bool backwards,
                  sl_key_visitor visit, void *ctx, sl_status *st) {
    sl_table *table;
    bool ordered = false;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    if (is_saved(realm, table)) {
        const sl_realm_source *source = realm->source;
        if (!source->object_nth(source->ctx, table->cls, position, backwards, visit, ctx, &ordered,
                                st))
            return false;
        if (ordered) return true;
    }
    sl_arena arena;
    sl_key *keys;
    size_t count;
    sl_arena_init(&arena, realm->alloc);
    bool ok = sl_realm_sorted_keys(realm, class_name, &arena, &keys, &count, st);
    if (ok && position < count) {
        size_t at = (size_t)position;
        visit(ctx, &keys[backwards ? count - 1 - at : at]);
    }
    if (ok) sl_delete(realm->alloc, keys);
    sl_arena_free(&arena);
    return ok;
}
