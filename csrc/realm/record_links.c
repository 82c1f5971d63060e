#include "realm/record_internal.h"

/* A walk over one object that does something at each link to the target. `spot` carries the path.
 */
typedef struct link_walk {
    sl_realm *realm;
    const sl_cell *target;
    sl_value link; /* the link as a value */
    bool relink;
    sl_spot spot;
    sl_status *st;
} link_walk;

static bool walk_node(link_walk *w, sl_node *node);

static bool push(link_walk *w, bool is_index, uint32_t index, sl_str name) {
    if (w->spot.count == SL_MAX_PATH)
        return sl_fail(w->st, SL_ERR_USAGE, "A-DEPTH", "a link lies deeper than %d elements",
                       SL_MAX_PATH);
    w->spot.steps[w->spot.count++] = (sl_step){is_index, index, name};
    return true;
}

static void pop(link_walk *w) {
    w->spot.count--;
}

static bool matches(const link_walk *w, const sl_node *node) {
    return node->kind == SL_NODE_VALUE && node->value.type == SL_TYPE_LINK &&
           sl_link_is(node->value.link, w->target->table->cls->name, &w->target->key);
}

static bool emit(link_walk *w, sl_op op, const sl_value *value, uint32_t prior_size) {
    sl_emission what = {.op = op, .value = value, .prior_size = prior_size};
    return sl_spot_refresh(w->realm, &w->spot, w->st) &&
           sl_emit_path(w->realm, &w->spot, &what, w->st);
}

static bool touch(link_walk *w) {
    const sl_target *target = &w->spot.target;
    return sl_cell_touch(w->realm, target->cell, target->top) || sl_fail_memory(w->st);
}

/* A property or dictionary entry. */
static bool at_value(link_walk *w) {
    static const sl_value null = {.type = SL_TYPE_NULL};
    if (w->relink) return emit(w, SL_OP_UPDATE, &w->link, 0) && touch(w);
    return emit(w, SL_OP_UPDATE, &null, 0) &&
           sl_target_put_value(w->realm, &w->spot.target, &null, w->st);
}

static bool at_item(link_walk *w, sl_list *list, uint32_t at, bool *erased) {
    uint32_t size = sl_list_count(list);
    *erased = !w->relink;
    if (w->relink) return emit(w, SL_OP_UPDATE, &w->link, size) && touch(w);
    if (!emit(w, SL_OP_ARRAY_ERASE, NULL, size) || !touch(w)) return false;
    return sl_take_item(w->realm, w->spot.target.cell, list, at) || sl_fail_memory(w->st);
}

static bool walk_list(link_walk *w, sl_list *list) {
    for (uint32_t i = 0; i < sl_list_count(list);) {
        sl_node *item = sl_list_at(list, i);
        bool erased = false;
        if (item->kind != SL_NODE_VALUE || matches(w, item)) {
            if (!push(w, true, i, SL_STR(""))) return false;
            bool ok =
                item->kind == SL_NODE_VALUE ? at_item(w, list, i, &erased) : walk_node(w, item);
            if (!ok) return false;
            pop(w);
        }
        if (!erased) i++;
    }
    return true;
}

static bool walk_set(link_walk *w, sl_list *list) {
    uint32_t at;
    if (!sl_set_find(list, &w->link, &at)) return true;
    if (!emit(w, SL_OP_SET_ERASE, &w->link, 0) || !touch(w)) return false;
    if (w->relink) return emit(w, SL_OP_SET_INSERT, &w->link, 0);
    return sl_take_item(w->realm, w->spot.target.cell, list, at) || sl_fail_memory(w->st);
}

static bool walk_dict(link_walk *w, const sl_dict *dict) {
    for (uint32_t i = 0; i < sl_dict_count(dict); i++) {
        sl_dict_entry *entry = sl_dict_at(dict, i);
        if (!push(w, false, 0, entry->key) || !walk_node(w, &entry->node)) return false;
        pop(w);
    }
    return true;
}

static bool walk_embedded(link_walk *w, sl_object *object) {
    if (!sl_cell_extend(w->realm, w->spot.target.cell, object)) return sl_fail_memory(w->st);
    for (uint32_t i = 0; i < object->cls->property_count; i++) {
        const sl_property *property = &object->cls->properties[i];
        if (property->erased || (property->type != SL_TYPE_LINK && property->type != SL_TYPE_MIXED))
            continue;
        if (!push(w, false, 0, property->name) || !walk_node(w, &object->values[i])) return false;
        pop(w);
    }
    return true;
}

static bool walk_node(link_walk *w, sl_node *node) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        return !matches(w, node) || at_value(w);
    case SL_NODE_LIST:
        return walk_list(w, node->list);
    case SL_NODE_SET:
        return walk_set(w, node->list);
    case SL_NODE_DICT:
        return walk_dict(w, node->dict);
    default:
        return walk_embedded(w, node->object);
    }
}

static bool walk_cell(link_walk *w, sl_cell *cell) {
    sl_object *object = cell->object;
    if (!sl_cell_extend(w->realm, cell, object)) return sl_fail_memory(w->st);
    w->spot.target.cell = cell;
    for (uint32_t i = 0; i < object->cls->property_count; i++) {
        const sl_property *property = &object->cls->properties[i];
        if (property->erased || (property->type != SL_TYPE_LINK && property->type != SL_TYPE_MIXED))
            continue;
        w->spot.target.top = i;
        w->spot.count = 0;
        if (!walk_node(w, &object->values[i])) return false;
    }
    return true;
}

static bool walk_all(sl_realm *realm, const sl_cell *target, const sl_class *spare, bool relink,
                     sl_status *st) {
    sl_cell **cells;
    size_t count;
    sl_str name = target->table->cls->name;
    if (!sl_link_referrers(realm, name, &target->key, &cells, &count, st)) return false;
    if (!count) {
        sl_delete(realm->alloc, cells);
        return true;
    }
    const sl_link link = {name, target->key};
    link_walk w = {.realm = realm, .target = target, .relink = relink, .st = st};
    w.link.type = SL_TYPE_LINK;
    w.link.link = &link;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        if (cells[i]->table->cls != spare) ok = walk_cell(&w, cells[i]);
    sl_delete(realm->alloc, cells);
    return ok;
}

bool sl_record_unlink(sl_realm *realm, const sl_cell *target, const sl_class *spare,
                      sl_status *st) {
    return walk_all(realm, target, spare, false, st);
}

bool sl_record_relink(sl_realm *realm, const sl_cell *target, sl_status *st) {
    return walk_all(realm, target, NULL, true, st);
}
