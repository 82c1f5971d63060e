#include "realm/scan.h"

#include <stdlib.h>

#include "realm/read.h"

bool sl_usage_class(sl_str name, sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "A-NOCLASS", "class \"%.*s\" does not exist",
                   name.size > 60 ? 60 : (int)name.size, name.data);
}

bool sl_realm_find_table(sl_realm *realm, sl_str name, sl_table **table, sl_status *st) {
    bool missing;
    *table = sl_realm_table_named(realm, name, &missing);
    if (*table) return true;
    return missing ? sl_usage_class(name, st) : sl_fail_memory(st);
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
    sl_key_visitor visit;
    void *ctx;
    bool stopped;
} scan;

/* A stored key that memory knows better is left out. */
static bool visit_stored(void *ctx, const sl_key *key) {
    scan *s = ctx;
    const sl_cell *cell = sl_table_peek(s->table, key);
    if (cell && cell->dirty) return true;
    s->stopped = !s->visit(s->ctx, key);
    return !s->stopped;
}

/* The visitor may read, and reading may add cells to the table; so the cells are collected first.
 */
static bool scan_memory(sl_realm *realm, const sl_table *table, sl_key_visitor visit, void *ctx,
                        sl_status *st) {
    if (!table->live) return true;
    sl_cell **cells = sl_new(realm->alloc, table->live * sizeof *cells);
    if (!cells) return sl_fail_memory(st);
    size_t count = 0;
    for (uint32_t i = 0; i < table->capacity; i++) {
        sl_cell *cell = table->slots[i].cell;
        if (cell && cell->object) cells[count++] = cell;
    }
    for (size_t i = 0; i < count && visit(ctx, &cells[i]->key);)
        i++;
    sl_delete(realm->alloc, cells);
    return true;
}

bool sl_realm_scan(sl_realm *realm, sl_str class_name, sl_key_visitor visit, void *ctx,
                   sl_status *st) {
    sl_table *table;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    scan s = {table, visit, ctx, false};
    bool stored = has_stored(realm, table);
    if (stored) {
        const sl_realm_source *source = realm->source;
        if (!source->object_scan(source->ctx, table->cls, visit_stored, &s, st)) return false;
        for (size_t i = 0; i < realm->touched_count && !s.stopped; i++) {
            const sl_cell *cell = realm->touched[i];
            if (cell->table == table && cell->dirty && cell->object)
                s.stopped = !visit(ctx, &cell->key);
        }
        return true;
    }
    return scan_memory(realm, table, visit, ctx, st);
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
