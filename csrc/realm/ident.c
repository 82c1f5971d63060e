#include "realm/internal.h"
#include "realm/scan.h"

/* One renaming: hi 0 becomes `ident`. */
typedef struct rename_walk {
    sl_realm *realm;
    sl_cell *cell;
    uint32_t top;
    uint64_t ident;
    sl_status *st;
} rename_walk;

static bool walk_node(rename_walk *w, const sl_holder *holder);

static bool is_mine(const sl_node *node) {
    if (node->kind != SL_NODE_VALUE || node->value.type != SL_TYPE_LINK) return false;
    const sl_key *key = &node->value.link->key;
    return key->type == SL_TYPE_GLOBALKEY && key->global.hi == 0;
}

static bool put_link(rename_walk *w, const sl_holder *holder, const sl_node *node) {
    sl_link link = *node->value.link;
    link.key.global.hi = w->ident;
    sl_value value = {.type = SL_TYPE_LINK, .link = &link};
    return (sl_cell_touch(w->realm, w->cell, w->top) &&
            sl_put_value(w->realm, w->cell, holder, &value)) ||
           sl_fail_memory(w->st);
}

/* The order of a set depends on the keys, so a link is taken out and put in where it belongs. */
static bool walk_set(rename_walk *w, sl_list *list) {
    for (uint32_t i = 0; i < sl_list_count(list);) {
        const sl_node *node = sl_list_at(list, i);
        if (!is_mine(node)) {
            i++;
            continue;
        }
        sl_link link = *node->value.link;
        sl_str name = node->value.link->class_name;
        const sl_class *cls = sl_schema_find(&w->realm->schema, name);
        link.key.global.hi = w->ident;
        /* The node is freed before the new one is made; the class keeps its name. */
        link.class_name = cls ? cls->name : name;
        sl_value value = {.type = SL_TYPE_LINK, .link = &link};
        uint32_t at;
        if (!cls) {
            i++;
            continue;
        }
        if (!sl_cell_touch(w->realm, w->cell, w->top) || !sl_take_item(w->realm, w->cell, list, i))
            return sl_fail_memory(w->st);
        if (sl_set_find(list, &value, &at)) continue;
        if (!sl_insert_value(w->realm, w->cell, list, at, &value)) return sl_fail_memory(w->st);
    }
    return true;
}

static bool walk_object(rename_walk *w, sl_object *object, bool top) {
    for (uint32_t i = 0; i < object->value_count; i++) {
        if (object->cls->properties[i].erased) continue;
        if (top) w->top = i;
        sl_holder holder = {.kind = SL_SLOT, .index = i, .object = object};
        if (!walk_node(w, &holder)) return false;
    }
    return true;
}

static bool walk_node(rename_walk *w, const sl_holder *holder) {
    sl_node *node = sl_holder_node(holder);
    sl_holder inner = {.kind = SL_ITEM};
    switch (node->kind) {
    case SL_NODE_VALUE:
        return !is_mine(node) || put_link(w, holder, node);
    case SL_NODE_SET:
        return !node->list || walk_set(w, node->list);
    case SL_NODE_OBJECT:
        return walk_object(w, node->object, false);
    case SL_NODE_DICT:
        inner.kind = SL_ENTRY;
        inner.dict = node->dict;
        for (; inner.index < sl_dict_count(inner.dict); inner.index++)
            if (!walk_node(w, &inner)) return false;
        return true;
    default:
        inner.list = node->list;
        for (; inner.index < sl_list_count(inner.list); inner.index++)
            if (!walk_node(w, &inner)) return false;
        return true;
    }
}

static bool rename_links(sl_realm *realm, sl_str class_name, const sl_key *old, uint64_t ident,
                         sl_status *st) {
    sl_cell **cells;
    size_t count;
    if (!sl_link_referrers(realm, class_name, old, &cells, &count, st)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        rename_walk w = {realm, cells[i], 0, ident, st};
        ok = walk_object(&w, cells[i]->object, true);
    }
    sl_delete(realm->alloc, cells);
    return ok;
}

/* The object under its new key: same content, put into an object of its own. */
static bool rename_object(sl_realm *realm, sl_table *table, const sl_key *old, uint64_t ident,
                          sl_status *st) {
    sl_key key = *old;
    key.global.hi = ident;
    sl_cell *from = sl_table_cell(realm, table, old);
    sl_cell *to = from ? sl_table_cell(realm, table, &key) : NULL;
    if (!to) return sl_fail_memory(st);
    if (!sl_cell_load(realm, from, st) || !sl_cell_load(realm, to, st)) return false;
    if (!from->object) return true;
    if (!to->object && !sl_cell_create(realm, to)) return sl_fail_memory(st);
    if (!sl_cell_extend(realm, to, to->object)) return sl_fail_memory(st);
    for (uint32_t i = 0; i < from->object->value_count; i++) {
        if (table->cls->properties[i].erased) continue;
        sl_holder holder = {.kind = SL_SLOT, .index = i, .object = to->object};
        sl_node copy;
        if (!sl_node_copy(realm->alloc, &copy, &from->object->values[i]) ||
            !sl_put_node(realm, to, &holder, &copy))
            return sl_fail_memory(st);
    }
    /* Its links that keep their targets have to be noted for the new holder. */
    return (sl_link_note_all(realm, to) && sl_cell_erase(realm, from)) || sl_fail_memory(st);
}

static bool adopt_class(sl_realm *realm, sl_table *table, uint64_t ident, sl_status *st) {
    sl_arena arena;
    sl_arena_init(&arena, realm->alloc);
    sl_key *keys = NULL;
    size_t count = 0;
    sl_str name = table->cls->name;
    bool ok = sl_realm_sorted_keys(realm, name, &arena, &keys, &count, st);
    for (size_t i = 0; ok && i < count; i++) {
        if (keys[i].global.hi != 0) continue;
        ok = rename_links(realm, name, &keys[i], ident, st) &&
             rename_object(realm, table, &keys[i], ident, st);
    }
    sl_delete(realm->alloc, keys);
    sl_arena_free(&arena);
    return ok;
}

bool sl_realm_adopt_ident(sl_realm *realm, uint64_t ident, sl_status *st) {
    if (!sl_realm_check_open(realm, st)) return false;
    if (ident == 0 || ident >= UINT64_C(1) << 30)
        return sl_fail(st, SL_ERR_USAGE, "A-KEY", "a file ident lies between 1 and 2^30 - 1");
    for (uint32_t i = 0; i < realm->schema.count; i++) {
        const sl_class *cls = realm->schema.classes[i];
        if (cls->has_key || cls->kind == SL_TABLE_EMBEDDED) continue;
        sl_table *table = sl_realm_table(realm, cls);
        if (!table) return sl_fail_memory(st);
        if (!adopt_class(realm, table, ident, st)) return false;
    }
    return true;
}
