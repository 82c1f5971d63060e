#include "realm/apply_internal.h"

static bool bounds(sl_applier *ap, const sl_instruction *in) {
    return sl_apply_bad(ap, in, "A-BOUNDS", "the index is outside the list");
}

static bool prior(sl_applier *ap, const sl_instruction *in) {
    return sl_apply_bad(ap, in, "A-PRIOR", "the list has another size than stated");
}

static bool type_error(sl_applier *ap, const sl_instruction *in) {
    return sl_apply_bad(ap, in, "A-TYPE", "a value of this type does not fit there");
}

static bool need_element(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    return target->at == SL_AT_ELEMENT ||
           sl_apply_bad(ap, in, "A-PATH", "the path does not end in a list");
}

static bool insert_new(sl_applier *ap, const sl_instruction *in, const sl_target *target,
                       uint8_t kind) {
    const sl_class *cls = NULL;
    if (kind == SL_NODE_OBJECT) {
        cls = sl_target_class(ap->realm, target);
        if (!cls) return type_error(ap, in);
    } else if (target->property->type != SL_TYPE_MIXED) {
        return type_error(ap, in);
    } else if (!sl_check_depth(ap->realm, target, ap->st)) {
        return false;
    }
    return sl_target_insert_new(ap->realm, target, kind, cls, ap->st);
}

bool sl_apply_array_insert(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (!need_element(ap, in, target)) return false;
    uint32_t size = sl_list_count(target->owner->list);
    if (target->index > in->prior_size || target->index > size) return bounds(ap, in);
    if (in->prior_size != size) return prior(ap, in);
    switch (in->value.type) {
    case SL_TYPE_OBJECT:
        return insert_new(ap, in, target, SL_NODE_OBJECT);
    case SL_TYPE_LIST:
        return insert_new(ap, in, target, SL_NODE_LIST);
    case SL_TYPE_DICTIONARY:
        return insert_new(ap, in, target, SL_NODE_DICT);
    case SL_TYPE_SET:
    case SL_TYPE_ERASED:
        return type_error(ap, in);
    default:
        return sl_check_value(ap->realm, target->property, &in->value, ap->st) &&
               sl_target_insert_value(ap->realm, target, &in->value, ap->st);
    }
}

bool sl_apply_array_move(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (!need_element(ap, in, target)) return false;
    uint32_t size = sl_list_count(target->owner->list);
    if (target->index >= size || in->to >= size) return bounds(ap, in);
    if (target->index == in->to)
        return sl_apply_bad(ap, in, "A-MOVE", "an element would be moved onto itself");
    if (in->prior_size != size) return prior(ap, in);
    return (sl_cell_touch(ap->realm, target->cell, target->top) &&
            sl_move_item(ap->realm, target->cell, target->owner->list, target->index, in->to)) ||
           sl_fail_memory(ap->st);
}

bool sl_apply_array_erase(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (!need_element(ap, in, target)) return false;
    uint32_t size = sl_list_count(target->owner->list);
    if (target->index >= in->prior_size || target->index >= size) return bounds(ap, in);
    if (in->prior_size != size) return prior(ap, in);
    return (sl_cell_touch(ap->realm, target->cell, target->top) &&
            sl_take_item(ap->realm, target->cell, target->owner->list, target->index)) ||
           sl_fail_memory(ap->st);
}

static uint8_t node_kind(uint8_t collection) {
    return collection == SL_LIST ? SL_NODE_LIST : SL_NODE_DICT;
}

/* A Mixed becomes an empty collection, whatever it held (protocol/2-changeset.md, 11.10). */
static bool clear_mixed(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (target->property->type != SL_TYPE_MIXED)
        return sl_apply_bad(ap, in, "A-PATH", "there is no collection");
    if (in->collection != SL_LIST && in->collection != SL_DICTIONARY) return type_error(ap, in);
    if (!target->node && target->at == SL_AT_ELEMENT) return bounds(ap, in);
    if (!target->node) return sl_apply_bad(ap, in, "A-PATH", "the dictionary has no such entry");
    return sl_check_depth(ap->realm, target, ap->st) &&
           sl_target_clear(ap->realm, target, node_kind(in->collection), ap->st);
}

bool sl_apply_clear(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (target->at == SL_AT_PROPERTY || target->at == SL_AT_ELEMENT || target->at == SL_AT_ENTRY)
        return clear_mixed(ap, in, target);
    if (in->collection != SL_SINGLE && in->collection != target->property->collection)
        return sl_apply_bad(ap, in, "A-TYPE", "the collection is of another kind");
    return sl_target_clear(ap->realm, target, target->node->kind, ap->st);
}

/* The value as it is stored: a number that means null is null (4.4). */
static bool set_value(sl_applier *ap, const sl_instruction *in, const sl_target *target,
                      sl_value *value) {
    if (target->at != SL_AT_SET)
        return sl_apply_bad(ap, in, "A-PATH", "the path does not end in a set");
    *value = in->value;
    if (sl_value_is_null_pattern(value)) value->type = SL_TYPE_NULL;
    return sl_check_value(ap->realm, target->property, value, ap->st);
}

bool sl_apply_set_insert(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    sl_value value;
    uint32_t at;
    if (!set_value(ap, in, target, &value)) return false;
    if (sl_set_find(target->node->list, &value, &at)) return true;
    sl_list *list = sl_node_list(ap->realm, target->node);
    return (list && sl_cell_touch(ap->realm, target->cell, target->top) &&
            sl_insert_value(ap->realm, target->cell, list, at, &value)) ||
           sl_fail_memory(ap->st);
}

bool sl_apply_set_erase(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    sl_value value;
    uint32_t at;
    if (!set_value(ap, in, target, &value)) return false;
    if (!sl_set_find(target->node->list, &value, &at)) return true;
    return (sl_cell_touch(ap->realm, target->cell, target->top) &&
            sl_take_item(ap->realm, target->cell, target->node->list, at)) ||
           sl_fail_memory(ap->st);
}
