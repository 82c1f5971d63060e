#include "realm/place_internal.h"

#include "realm/scan.h"

bool sl_usage(sl_status *st, const sl_status *cause) {
    if (st) {
        *st = *cause;
        if (st->cls == SL_ERR_CHANGESET) st->cls = SL_ERR_USAGE;
        st->offset = SL_STATUS_NO_OFFSET;
    }
    return false;
}

bool sl_hides_dangling(const sl_property *property, const sl_node *node) {
    return property->type == SL_TYPE_LINK && !property->embedded &&
           (node->kind == SL_NODE_LIST || node->kind == SL_NODE_SET);
}

/* Whether raw element `at` of a list or set of links is hidden. */
static bool hidden(sl_realm *realm, const sl_list *list, uint32_t at, bool *is, sl_status *st) {
    const sl_node *item = sl_list_at(list, at);
    bool alive = false;
    if (item->value.type == SL_TYPE_LINK && !sl_link_alive(realm, item->value.link, &alive, st))
        return false;
    *is = !alive;
    return true;
}

static bool is_whole(const sl_realm *realm, const sl_list *list) {
    return realm->whole_list == list && realm->whole_content == realm->content;
}

bool sl_raw_index(sl_realm *realm, const sl_list *list, uint32_t visible, uint32_t *raw,
                  sl_status *st) {
    uint32_t count = sl_list_count(list), r = visible;
    *raw = visible;
    if (is_whole(realm, list)) return true;
    for (uint32_t p = 0; p < count && p <= r; p++) {
        bool is;
        if (!hidden(realm, list, p, &is, st)) return false;
        if (is) r++;
    }
    *raw = r;
    return true;
}

bool sl_visible_count(sl_realm *realm, const sl_list *list, uint32_t *count, sl_status *st) {
    uint32_t size = sl_list_count(list);
    *count = size;
    if (is_whole(realm, list)) return true;
    for (uint32_t i = 0; i < size; i++) {
        bool is;
        if (!hidden(realm, list, i, &is, st)) return false;
        *count -= is;
    }
    if (*count == size) {
        realm->whole_list = list;
        realm->whole_content = realm->content;
    }
    return true;
}

static bool show_raw(sl_realm *realm, sl_target *target, sl_status *st) {
    const sl_list *list = target->owner->list;
    uint32_t raw;
    if (!sl_raw_index(realm, list, target->index, &raw, st)) return false;
    target->index = target->holder.index = raw;
    target->node = raw < sl_list_count(list) ? sl_list_at(list, raw) : NULL;
    return true;
}

bool sl_place_cell(sl_realm *realm, sl_str class_name, const sl_key *key, sl_cell **cell,
                   sl_status *st) {
    sl_table *table;
    if (!sl_realm_find_table(realm, class_name, &table, st)) return false;
    sl_status cause = SL_STATUS_INIT;
    if (!sl_check_key(table->cls, key, &cause)) return sl_usage(st, &cause);
    *cell = sl_table_cell(realm, table, key);
    if (!*cell) return sl_fail_memory(st);
    return sl_cell_load(realm, *cell, st);
}

bool sl_place_follow(sl_realm *realm, sl_cell *cell, const sl_place *place, bool write,
                     sl_target *target, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    uint32_t index;
    if (!sl_path_property(cell->object->cls, place->property, &index, &cause) ||
        !sl_path_follow(realm, cell, index, place->steps, place->step_count, write, target, &cause))
        return sl_usage(st, &cause);
    if (target->at == SL_AT_ELEMENT && sl_hides_dangling(target->property, target->owner))
        return show_raw(realm, target, st);
    return true;
}
