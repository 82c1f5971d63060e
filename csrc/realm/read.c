#include "realm/read.h"

#include "realm/place_internal.h"
#include "realm/scan.h"

bool sl_realm_object(sl_realm *realm, sl_str class_name, const sl_key *key,
                     const sl_object **object, sl_status *st) {
    sl_cell *cell;
    if (!sl_place_cell(realm, class_name, key, &cell, st)) return false;
    *object = cell->object;
    return true;
}

bool sl_realm_exists(sl_realm *realm, sl_str class_name, const sl_key *key, bool *exists,
                     sl_status *st) {
    const sl_object *object;
    if (!sl_realm_object(realm, class_name, key, &object, st)) return false;
    *exists = object != NULL;
    return true;
}

static bool view_value(sl_realm *realm, const sl_value *value, sl_view *view, sl_status *st) {
    view->value = *value;
    if (value->type != SL_TYPE_LINK) return true;
    bool alive;
    if (!sl_link_alive(realm, value->link, &alive, st)) return false;
    if (!alive) view->value.type = SL_TYPE_NULL;
    return true;
}

static bool make_view(sl_realm *realm, const sl_property *property, const sl_node *node,
                      sl_view *view, sl_status *st) {
    memset(view, 0, sizeof *view);
    view->kind = node->kind;
    view->property = property;
    view->node = node;
    switch (node->kind) {
    case SL_NODE_VALUE:
        return view_value(realm, &node->value, view, st);
    case SL_NODE_DICT:
        view->size = sl_dict_count(node->dict);
        return true;
    case SL_NODE_OBJECT:
        view->cls = node->object->cls;
        return true;
    default:
        view->size = sl_list_count(node->list);
        return !sl_hides_dangling(property, node) ||
               sl_visible_count(realm, node->list, &view->size, st);
    }
}

/* The key property, which is no slot of the object. */
static void view_key(const sl_key *key, sl_view *view) {
    memset(view, 0, sizeof *view);
    view->kind = SL_NODE_VALUE;
    sl_key_value(key, &view->value);
}

/* A path that leads nowhere because of the content is no error of the reader. */
static bool absent(const sl_status *cause) {
    return cause->cls == SL_ERR_USAGE &&
           (strcmp(cause->id, "A-PATH") == 0 || strcmp(cause->id, "A-BOUNDS") == 0);
}

static bool find(sl_realm *realm, const sl_place *place, sl_target *target, bool *found,
                 sl_status *st) {
    sl_cell *cell;
    *found = false;
    if (!sl_place_cell(realm, place->class_name, &place->key, &cell, st)) return false;
    if (!cell->object) return true;
    sl_status cause = SL_STATUS_INIT;
    if (!sl_place_follow(realm, cell, place, false, target, &cause)) {
        if (absent(&cause)) return true;
        return sl_usage(st, &cause);
    }
    *found = target->node != NULL;
    return true;
}

static bool is_key_property(const sl_realm *realm, const sl_place *place) {
    const sl_class *cls = sl_schema_find(&realm->schema, place->class_name);
    return cls && cls->has_key && place->step_count == 0 &&
           sl_str_eq(cls->key_name, place->property);
}

bool sl_realm_get(sl_realm *realm, const sl_place *place, sl_view *view, bool *found,
                  sl_status *st) {
    if (is_key_property(realm, place)) {
        sl_cell *cell;
        if (!sl_place_cell(realm, place->class_name, &place->key, &cell, st)) return false;
        *found = cell->object != NULL;
        if (*found) view_key(&cell->key, view);
        return true;
    }
    sl_target target;
    if (!find(realm, place, &target, found, st)) return false;
    return !*found || make_view(realm, target.property, target.node, view, st);
}

static bool not_a_collection(const sl_target *target, sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "A-PATH", "property \"%.*s\" holds no collection there",
                   sl_shown(target->property->name), target->property->name.data);
}

bool sl_realm_element(sl_realm *realm, const sl_place *place, uint32_t index, sl_str *key,
                      sl_view *view, bool *found, sl_status *st) {
    sl_target target;
    if (!find(realm, place, &target, found, st) || !*found) return *found == false;
    const sl_node *node = target.node, *item = NULL;
    if (node->kind == SL_NODE_DICT) {
        if (index < sl_dict_count(node->dict)) {
            const sl_dict_entry *entry = sl_dict_at(node->dict, index);
            if (key) *key = entry->key;
            item = &entry->node;
        }
    } else if (node->kind == SL_NODE_LIST || node->kind == SL_NODE_SET) {
        uint32_t raw = index;
        if (sl_hides_dangling(target.property, node) &&
            !sl_raw_index(realm, node->list, index, &raw, st))
            return false;
        if (raw < sl_list_count(node->list)) item = sl_list_at(node->list, raw);
    } else {
        return not_a_collection(&target, st);
    }
    *found = item != NULL;
    return !item || make_view(realm, target.property, item, view, st);
}

static bool each_entry(sl_realm *realm, const sl_target *target, sl_element_visitor visit,
                       void *ctx, sl_status *st) {
    const sl_dict *dict = target->node->dict;
    for (uint32_t i = 0; i < sl_dict_count(dict); i++) {
        const sl_dict_entry *entry = sl_dict_at(dict, i);
        sl_view view;
        if (!make_view(realm, target->property, &entry->node, &view, st)) return false;
        if (!visit(ctx, i, entry->key, &view)) return true;
    }
    return true;
}

static bool each_item(sl_realm *realm, const sl_target *target, sl_element_visitor visit, void *ctx,
                      sl_status *st) {
    const sl_list *list = target->node->list;
    bool hides = sl_hides_dangling(target->property, target->node);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < sl_list_count(list); i++) {
        sl_view view;
        if (!make_view(realm, target->property, sl_list_at(list, i), &view, st)) return false;
        if (hides && view.value.type == SL_TYPE_NULL) continue;
        if (!visit(ctx, shown++, SL_STR(""), &view)) return true;
    }
    return true;
}

bool sl_realm_elements(sl_realm *realm, const sl_place *place, sl_element_visitor visit, void *ctx,
                       sl_status *st) {
    sl_target target;
    bool found;
    if (!find(realm, place, &target, &found, st)) return false;
    if (!found) return true;
    switch (target.node->kind) {
    case SL_NODE_DICT:
        return each_entry(realm, &target, visit, ctx, st);
    case SL_NODE_LIST:
    case SL_NODE_SET:
        return each_item(realm, &target, visit, ctx, st);
    default:
        return not_a_collection(&target, st);
    }
}

bool sl_realm_set_contains(sl_realm *realm, const sl_place *place, const sl_value *value,
                           bool *contains, sl_status *st) {
    sl_target target;
    bool found;
    *contains = false;
    if (!find(realm, place, &target, &found, st)) return false;
    if (!found) return true;
    if (target.node->kind != SL_NODE_SET) return not_a_collection(&target, st);
    uint32_t at;
    *contains = sl_set_find(target.node->list, value, &at);
    return true;
}

bool sl_realm_referrers(sl_realm *realm, sl_str class_name, const sl_key *key,
                        sl_referrer_visitor visit, void *ctx, sl_status *st) {
    sl_cell **cells;
    size_t count;
    if (!sl_link_referrers(realm, class_name, key, &cells, &count, st)) return false;
    for (size_t i = 0; i < count; i++)
        if (!visit(ctx, cells[i]->table->cls->name, &cells[i]->key)) break;
    sl_delete(realm->alloc, cells);
    return true;
}

bool sl_realm_backlinks(sl_realm *realm, sl_str class_name, const sl_key *key, sl_str origin,
                        sl_str property, sl_backlink_visitor visit, void *ctx, sl_status *st) {
    sl_table *table;
    uint32_t index;
    sl_status cause = SL_STATUS_INIT;
    if (!sl_realm_find_table(realm, origin, &table, st)) return false;
    if (!sl_path_property(table->cls, property, &index, &cause)) return sl_usage(st, &cause);
    sl_cell **cells;
    size_t count;
    if (!sl_link_referrers(realm, class_name, key, &cells, &count, st)) return false;
    for (size_t i = 0; i < count; i++) {
        if (cells[i]->table != table) continue;
        uint32_t links = sl_node_links(sl_object_at(cells[i]->object, index), class_name, key);
        if (links && !visit(ctx, &cells[i]->key, links)) break;
    }
    sl_delete(realm->alloc, cells);
    return true;
}
