#include "realm/apply_internal.h"

static bool type_error(sl_applier *ap, const sl_instruction *in) {
    return sl_apply_bad(ap, in, "A-TYPE", "a value of this type does not fit there");
}

/* An embedded object: a property keeps the one it has, a list element always, a dictionary entry
 * never (protocol/2-changeset.md, 11.8). */
static bool update_object(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    const sl_class *cls = sl_target_class(ap->realm, target);
    if (!cls) return type_error(ap, in);
    if (target->at == SL_AT_ELEMENT) return true;
    if (target->at == SL_AT_PROPERTY && target->node->kind == SL_NODE_OBJECT) return true;
    return sl_target_put_new(ap->realm, target, SL_NODE_OBJECT, cls, ap->st);
}

/* A collection in a Mixed: one of the same kind stays with its content. */
static bool update_collection(sl_applier *ap, const sl_instruction *in, const sl_target *target,
                              uint8_t kind) {
    if (target->property->type != SL_TYPE_MIXED) return type_error(ap, in);
    if (!sl_check_depth(ap->realm, target, ap->st)) return false;
    if (target->node && target->node->kind == kind) return true;
    return sl_target_put_new(ap->realm, target, kind, NULL, ap->st);
}

static bool update_erased(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (target->at != SL_AT_ENTRY) return type_error(ap, in);
    if (!target->node) return true;
    return (sl_cell_touch(ap->realm, target->cell, target->top) &&
            sl_take_entry(ap->realm, target->cell, target->holder.dict, target->index)) ||
           sl_fail_memory(ap->st);
}

static bool place_fits(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    switch (target->at) {
    case SL_AT_PROPERTY:
        return true;
    case SL_AT_ELEMENT:
        if (!target->node) return sl_apply_bad(ap, in, "A-BOUNDS", "the index is outside the list");
        if (in->prior_size != sl_list_count(target->owner->list))
            return sl_apply_bad(ap, in, "A-PRIOR", "the list has another size than stated");
        return true;
    case SL_AT_ENTRY:
        return sl_check_dict_key(target->key, ap->st);
    default:
        return sl_apply_bad(ap, in, "A-PATH", "a whole collection cannot be updated");
    }
}

bool sl_apply_update(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (!place_fits(ap, in, target)) return false;
    switch (in->value.type) {
    case SL_TYPE_OBJECT:
        return update_object(ap, in, target);
    case SL_TYPE_LIST:
        return update_collection(ap, in, target, SL_NODE_LIST);
    case SL_TYPE_DICTIONARY:
        return update_collection(ap, in, target, SL_NODE_DICT);
    case SL_TYPE_ERASED:
        return update_erased(ap, in, target);
    case SL_TYPE_SET:
        return type_error(ap, in);
    default:
        return sl_check_value(ap->realm, target->property, &in->value, ap->st) &&
               sl_target_put_value(ap->realm, target, &in->value, ap->st);
    }
}

bool sl_apply_add_integer(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    if (target->at != SL_AT_PROPERTY)
        return sl_apply_bad(ap, in, "A-PATH", "only a property can be incremented");
    const sl_node *node = target->node;
    if (node->kind != SL_NODE_VALUE) return type_error(ap, in);
    if (node->value.type == SL_TYPE_NULL) return true;
    if (node->value.type != SL_TYPE_INT) return type_error(ap, in);
    sl_value sum = {.type = SL_TYPE_INT};
    sum.integer = (int64_t)((uint64_t)node->value.integer + (uint64_t)in->value.integer);
    return sl_target_put_value(ap->realm, target, &sum, ap->st);
}
