#include "realm/record_internal.h"

static bool refuse(const sl_spot *spot, const char *id, const char *what, sl_status *st) {
    sl_str name = spot->target.property->name;
    return sl_fail(st, SL_ERR_USAGE, id, "property \"%.*s\": %s", sl_shown(name), name.data, what);
}

/* Opens the place of a list. */
static bool open_list(sl_realm *realm, const sl_place *place, sl_spot *spot, sl_status *st) {
    if (!sl_spot_open(realm, place, spot, st)) return false;
    return (spot->target.node && spot->target.node->kind == SL_NODE_LIST) ||
           refuse(spot, "A-PATH", "there is no list", st);
}

/* The raw index of what the application calls `index`; at most `limit`. */
static bool raw_index(sl_realm *realm, const sl_spot *spot, uint32_t index, bool inserting,
                      uint32_t *raw, sl_status *st) {
    const sl_node *node = spot->target.node;
    *raw = index;
    if (sl_hides_dangling(spot->target.property, node) &&
        !sl_raw_index(realm, node->list, index, raw, st))
        return false;
    uint32_t count = sl_list_count(node->list);
    return *raw < count || (inserting && *raw == count) ||
           refuse(spot, "A-BOUNDS", "the index is outside the list", st);
}

static bool insert_new(sl_realm *realm, const sl_spot *spot, const sl_value *value,
                       const sl_emission *what, sl_status *st) {
    const sl_target *target = &spot->target;
    const sl_class *cls = sl_target_class(realm, target);
    uint8_t kind = SL_NODE_OBJECT;
    if (value->type == SL_TYPE_OBJECT) {
        if (!cls) return refuse(spot, "A-TYPE", "the list does not hold embedded objects", st);
    } else {
        if (target->property->type != SL_TYPE_MIXED)
            return refuse(spot, "A-TYPE", "only a list of Mixed can hold collections", st);
        sl_status cause = SL_STATUS_INIT;
        if (!sl_check_depth(realm, target, &cause)) return sl_usage(st, &cause);
        kind = value->type == SL_TYPE_LIST ? SL_NODE_LIST : SL_NODE_DICT;
    }
    return sl_emit_path(realm, spot, what, st) &&
           sl_target_insert_new(realm, target, kind, cls, st);
}

bool sl_record_list_insert(sl_realm *realm, const sl_place *place, uint32_t index,
                           const sl_value *value, sl_status *st) {
    sl_spot spot;
    uint32_t raw;
    if (!open_list(realm, place, &spot, st) || !raw_index(realm, &spot, index, true, &raw, st))
        return false;
    sl_emission what = {.op = SL_OP_ARRAY_INSERT, .value = value};
    what.prior_size = sl_list_count(spot.target.node->list);
    if (!sl_spot_element(realm, &spot, raw, st)) return false;
    switch (value->type) {
    case SL_TYPE_OBJECT:
    case SL_TYPE_LIST:
    case SL_TYPE_DICTIONARY:
        return insert_new(realm, &spot, value, &what, st);
    case SL_TYPE_SET:
    case SL_TYPE_ERASED:
        return refuse(&spot, "A-TYPE", "a value of this type cannot be stored", st);
    default:
        return sl_record_check_value(realm, &spot.target, value, st) &&
               sl_emit_path(realm, &spot, &what, st) &&
               sl_target_insert_value(realm, &spot.target, value, st);
    }
}

/* Moves by raw indices; `spot` is the list. */
static bool move(sl_realm *realm, const sl_spot *spot, uint32_t from, uint32_t to, sl_status *st) {
    sl_spot element = *spot;
    sl_list *list = spot->target.node->list;
    if (!sl_spot_element(realm, &element, from, st)) return false;
    sl_emission what = {.op = SL_OP_ARRAY_MOVE, .to = to, .prior_size = sl_list_count(list)};
    if (!sl_emit_path(realm, &element, &what, st)) return false;
    const sl_target *target = &spot->target;
    return (sl_cell_touch(realm, target->cell, target->top) &&
            sl_move_item(realm, target->cell, list, from, to)) ||
           sl_fail_memory(st);
}

bool sl_record_list_move(sl_realm *realm, const sl_place *place, uint32_t from, uint32_t to,
                         sl_status *st) {
    sl_spot spot;
    uint32_t raw_from, raw_to;
    if (!open_list(realm, place, &spot, st) ||
        !raw_index(realm, &spot, from, false, &raw_from, st) ||
        !raw_index(realm, &spot, to, false, &raw_to, st))
        return false;
    return raw_from == raw_to || move(realm, &spot, raw_from, raw_to, st);
}

bool sl_record_list_swap(sl_realm *realm, const sl_place *place, uint32_t a, uint32_t b,
                         sl_status *st) {
    sl_spot spot;
    uint32_t low, high;
    if (!open_list(realm, place, &spot, st) ||
        !raw_index(realm, &spot, a < b ? a : b, false, &low, st) ||
        !raw_index(realm, &spot, a < b ? b : a, false, &high, st))
        return false;
    if (low == high) return true;
    return move(realm, &spot, high, low, st) &&
           (low + 1 == high || move(realm, &spot, low + 1, high, st));
}

bool sl_record_list_erase(sl_realm *realm, const sl_place *place, uint32_t index, sl_status *st) {
    sl_spot spot;
    uint32_t raw;
    if (!open_list(realm, place, &spot, st) || !raw_index(realm, &spot, index, false, &raw, st))
        return false;
    sl_list *list = spot.target.node->list;
    sl_emission what = {.op = SL_OP_ARRAY_ERASE, .prior_size = sl_list_count(list)};
    if (!sl_spot_element(realm, &spot, raw, st) || !sl_emit_path(realm, &spot, &what, st))
        return false;
    return (sl_cell_touch(realm, spot.target.cell, spot.target.top) &&
            sl_take_item(realm, spot.target.cell, list, raw)) ||
           sl_fail_memory(st);
}

/* Opens the place of a set and finds the value in it. */
static bool open_set(sl_realm *realm, const sl_place *place, sl_spot *spot, const sl_value *value,
                     sl_value *stored, bool *there, uint32_t *at, sl_status *st) {
    if (!sl_spot_open(realm, place, spot, st)) return false;
    if (spot->target.at != SL_AT_SET) return refuse(spot, "A-PATH", "there is no set", st);
    *stored = *value;
    if (sl_value_is_null_pattern(value)) stored->type = SL_TYPE_NULL;
    sl_status cause = SL_STATUS_INIT;
    if (!sl_check_value(realm, spot->target.property, stored, &cause)) return sl_usage(st, &cause);
    *there = sl_set_find(spot->target.node->list, stored, at);
    return true;
}

/* Puts the value into the set or takes it out; nothing happens when it is so already. */
static bool change_set(sl_realm *realm, const sl_place *place, const sl_value *value, bool insert,
                       bool *changed, sl_status *st) {
    sl_spot spot;
    sl_value stored;
    bool there = false;
    uint32_t at;
    if (changed) *changed = false;
    if (!open_set(realm, place, &spot, value, &stored, &there, &at, st)) return false;
    if (there == insert) return true;
    const sl_target *target = &spot.target;
    sl_emission what = {.op = insert ? SL_OP_SET_INSERT : SL_OP_SET_ERASE, .value = &stored};
    if (insert && !sl_record_check_value(realm, target, &stored, st)) return false;
    if (!sl_emit_path(realm, &spot, &what, st)) return false;
    sl_list *list = sl_node_list(realm, target->node);
    if (!list || !sl_cell_touch(realm, target->cell, target->top) ||
        !(insert ? sl_insert_value(realm, target->cell, list, at, &stored)
                 : sl_take_item(realm, target->cell, list, at)))
        return sl_fail_memory(st);
    if (changed) *changed = true;
    return true;
}

bool sl_record_set_insert(sl_realm *realm, const sl_place *place, const sl_value *value,
                          bool *changed, sl_status *st) {
    return change_set(realm, place, value, true, changed, st);
}

bool sl_record_set_erase(sl_realm *realm, const sl_place *place, const sl_value *value,
                         bool *changed, sl_status *st) {
    return change_set(realm, place, value, false, changed, st);
}

static uint32_t node_size(const sl_node *node) {
    return node->kind == SL_NODE_DICT ? sl_dict_count(node->dict) : sl_list_count(node->list);
}

bool sl_record_clear(sl_realm *realm, const sl_place *place, sl_status *st) {
    sl_spot spot;
    if (!sl_spot_open(realm, place, &spot, st)) return false;
    const sl_node *node = spot.target.node;
    sl_emission what = {.op = SL_OP_CLEAR};
    switch (node ? node->kind : SL_NODE_VALUE) {
    case SL_NODE_LIST:
        what.collection = SL_LIST;
        break;
    case SL_NODE_DICT:
        what.collection = SL_DICTIONARY;
        break;
    case SL_NODE_SET:
        what.collection = SL_SET;
        break;
    default:
        return refuse(&spot, "A-PATH", "there is no collection", st);
    }
    /* A collection inside a Mixed is cleared on the wire even when it is empty (12.6). */
    bool column = spot.target.holder.kind == SL_SLOT && spot.target.property->collection;
    if (column && node_size(node) == 0) return true;
    return sl_emit_path(realm, &spot, &what, st) &&
           sl_target_clear(realm, &spot.target, node->kind, st);
}
