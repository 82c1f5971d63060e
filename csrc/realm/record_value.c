#include "realm/record_internal.h"

static bool refuse(const sl_spot *spot, const char *id, const char *what, sl_status *st) {
    sl_str name = spot->target.property->name;
    return sl_fail(st, SL_ERR_USAGE, id, "property \"%.*s\": %s", sl_shown(name), name.data, what);
}

static uint32_t size_of(const sl_spot *spot) {
    return spot->target.at == SL_AT_ELEMENT ? sl_list_count(spot->target.owner->list) : 0;
}

static bool emit_update(sl_realm *realm, const sl_spot *spot, const sl_value *value,
                        bool is_default, sl_status *st) {
    sl_emission what = {.op = SL_OP_UPDATE, .value = value, .prior_size = size_of(spot)};
    what.is_default = is_default && spot->target.at != SL_AT_ELEMENT;
    return sl_emit_path(realm, spot, &what, st);
}

/* A new embedded object in a list takes the old one's place by erasing and inserting (12.6). */
static bool replace_in_list(sl_realm *realm, const sl_spot *spot, const sl_value *value,
                            sl_status *st) {
    uint32_t size = size_of(spot);
    sl_emission erase = {.op = SL_OP_ARRAY_ERASE, .prior_size = size};
    sl_emission insert = {.op = SL_OP_ARRAY_INSERT, .value = value, .prior_size = size - 1};
    return sl_emit_path(realm, spot, &erase, st) && sl_emit_path(realm, spot, &insert, st);
}

static bool set_object(sl_realm *realm, const sl_spot *spot, const sl_value *value, sl_status *st) {
    const sl_target *target = &spot->target;
    const sl_class *cls = sl_target_class(realm, target);
    if (!cls) return refuse(spot, "A-TYPE", "it does not hold embedded objects", st);
    bool ok;
    if (target->at == SL_AT_ELEMENT) {
        ok = replace_in_list(realm, spot, value, st);
    } else {
        static const sl_value null = {.type = SL_TYPE_NULL};
        bool replaces = target->at == SL_AT_PROPERTY && target->node->kind == SL_NODE_OBJECT;
        ok = (!replaces || emit_update(realm, spot, &null, false, st)) &&
             emit_update(realm, spot, value, false, st);
    }
    return ok && sl_target_put_new(realm, target, SL_NODE_OBJECT, cls, st);
}

static bool set_collection(sl_realm *realm, const sl_spot *spot, const sl_value *value,
                           sl_status *st) {
    const sl_target *target = &spot->target;
    if (target->property->type != SL_TYPE_MIXED)
        return refuse(spot, "A-TYPE", "only a Mixed can become a list or dictionary", st);
    sl_status cause = SL_STATUS_INIT;
    if (!sl_check_depth(realm, target, &cause)) return sl_usage(st, &cause);
    uint8_t kind = value->type == SL_TYPE_LIST ? SL_NODE_LIST : SL_NODE_DICT;
    if (!emit_update(realm, spot, value, false, st)) return false;
    if (target->node && target->node->kind == kind) return true;
    return sl_target_put_new(realm, target, kind, NULL, st);
}

static bool set_plain(sl_realm *realm, const sl_spot *spot, const sl_value *value, bool is_default,
                      sl_status *st) {
    const sl_target *target = &spot->target;
    if (!sl_record_check_value(realm, target, value, st)) return false;
    bool property = target->at == SL_AT_PROPERTY;
    if (property && is_default && value->type == SL_TYPE_NULL &&
        target->property->type == SL_TYPE_LINK)
        return sl_emit_class_name(realm, spot, st);
    bool flag = is_default && property && value->type != SL_TYPE_LINK;
    return emit_update(realm, spot, value, flag, st) &&
           sl_target_put_value(realm, target, value, st);
}

static bool check_place(const sl_spot *spot, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    switch (spot->target.at) {
    case SL_AT_PROPERTY:
        return true;
    case SL_AT_ELEMENT:
        return spot->target.node || refuse(spot, "A-BOUNDS", "the list has no such element", st);
    case SL_AT_ENTRY:
        if (spot->target.key.size > SL_MAX_STRING)
            return refuse(spot, "A-DICTKEY", "the dictionary key is too long", st);
        return sl_check_dict_key(spot->target.key, &cause) || sl_usage(st, &cause);
    default:
        return refuse(spot, "A-PATH", "a whole collection is changed element by element", st);
    }
}

bool sl_record_set(sl_realm *realm, const sl_place *place, const sl_value *value, bool is_default,
                   sl_status *st) {
    sl_spot spot;
    if (!sl_spot_open(realm, place, &spot, st) || !check_place(&spot, st)) return false;
    switch (value->type) {
    case SL_TYPE_OBJECT:
        return set_object(realm, &spot, value, st);
    case SL_TYPE_LIST:
    case SL_TYPE_DICTIONARY:
        return set_collection(realm, &spot, value, st);
    case SL_TYPE_SET:
    case SL_TYPE_ERASED:
        return refuse(&spot, "A-TYPE", "a value of this type cannot be stored", st);
    default:
        return set_plain(realm, &spot, value, is_default, st);
    }
}

bool sl_record_add_integer(sl_realm *realm, const sl_place *place, int64_t delta, sl_status *st) {
    sl_spot spot;
    if (!sl_spot_open(realm, place, &spot, st)) return false;
    const sl_target *target = &spot.target;
    if (target->at != SL_AT_PROPERTY)
        return refuse(&spot, "A-PATH", "only a property can be incremented", st);
    const sl_node *node = target->node;
    if (node->kind != SL_NODE_VALUE || node->value.type != SL_TYPE_INT)
        return refuse(&spot, "A-TYPE", "only an integer can be incremented, and not null", st);
    sl_value value = {.type = SL_TYPE_INT, .integer = delta};
    sl_emission what = {.op = SL_OP_ADD_INTEGER, .value = &value};
    if (!sl_emit_path(realm, &spot, &what, st)) return false;
    value.integer = (int64_t)((uint64_t)node->value.integer + (uint64_t)delta);
    return sl_target_put_value(realm, target, &value, st);
}

bool sl_record_dict_erase(sl_realm *realm, const sl_place *place, bool *changed, sl_status *st) {
    sl_spot spot;
    if (changed) *changed = false;
    if (!sl_spot_open(realm, place, &spot, st)) return false;
    const sl_target *target = &spot.target;
    if (target->at != SL_AT_ENTRY)
        return refuse(&spot, "A-PATH", "the place is no dictionary entry", st);
    if (!target->node) return true;
    static const sl_value erased = {.type = SL_TYPE_ERASED};
    if (!emit_update(realm, &spot, &erased, false, st)) return false;
    if (!sl_cell_touch(realm, target->cell, target->top) ||
        !sl_take_entry(realm, target->cell, target->holder.dict, target->index))
        return sl_fail_memory(st);
    if (changed) *changed = true;
    return true;
}
