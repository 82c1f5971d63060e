#include "realm/path.h"

#include "realm/missing.h"

static bool bad(sl_status *st, const char *id, const char *what, sl_str name) {
    return sl_fail(st, SL_ERR_CHANGESET, id, "%s: \"%.*s\"", what, sl_shown(name), name.data);
}

bool sl_path_property(const sl_class *cls, sl_str name, uint32_t *index, sl_status *st) {
    const sl_property *property = sl_class_find(cls, name);
    if (property) {
        *index = property->index;
        return true;
    }
    if (cls->has_key && sl_str_eq(cls->key_name, name))
        return bad(st, "A-PATH", "the key property cannot be changed", name);
    sl_no_property(cls, name, st);
    if (st) st->cls = SL_ERR_CHANGESET;
    return false;
}

/* The walk: where it stands and what is still to go. */
typedef struct walk {
    sl_realm *realm;
    const sl_step *steps;
    uint32_t count, at;
    bool write;
    sl_target *target;
    sl_status *st;
} walk;

static bool stuck(const walk *w, const char *what) {
    return bad(w->st, "A-PATH", what, w->target->property->name);
}

static bool enter_property(walk *w, sl_object *object, uint32_t index) {
    sl_target *t = w->target;
    if (w->write && object->value_count <= index && !sl_cell_extend(w->realm, t->cell, object))
        return sl_fail_memory(w->st);
    t->object = object;
    t->property = &object->cls->properties[index];
    t->holder = (sl_holder){.kind = SL_SLOT, .index = index, .object = object};
    t->node = (sl_node *)(uintptr_t)sl_object_at(object, index);
    t->depth = 0;
    return true;
}

static bool enter_element(walk *w) {
    sl_target *t = w->target;
    const sl_step *step = &w->steps[w->at++];
    if (!step->is_index) return stuck(w, "a list is addressed by index, the path has a name");
    t->owner = t->node;
    t->index = step->index;
    t->depth++;
    t->at = SL_AT_ELEMENT;
    bool there = step->index < sl_list_count(t->owner->list);
    t->node = there ? sl_list_at(t->owner->list, step->index) : NULL;
    t->holder = (sl_holder){.kind = SL_ITEM, .index = step->index, .list = t->owner->list};
    if (!there && w->at < w->count)
        return bad(w->st, "A-BOUNDS", "the path goes through a list index that does not exist",
                   t->property->name);
    return true;
}

static bool enter_entry(walk *w) {
    sl_target *t = w->target;
    const sl_step *step = &w->steps[w->at++];
    if (step->is_index) return stuck(w, "a dictionary is addressed by key, the path has an index");
    t->owner = t->node;
    t->key = step->name;
    t->depth++;
    t->at = SL_AT_ENTRY;
    bool there = sl_dict_search(t->owner->dict, step->name, &t->index);
    t->node = there ? &sl_dict_at(t->owner->dict, t->index)->node : NULL;
    t->holder = (sl_holder){.kind = SL_ENTRY, .index = t->index, .dict = t->owner->dict};
    if (!there && w->at < w->count)
        return stuck(w, "the path goes through a dictionary entry that does not exist");
    return true;
}

static bool enter_embedded(walk *w) {
    const sl_step *step = &w->steps[w->at++];
    if (step->is_index)
        return stuck(w, "an embedded object is addressed by property name, the path has an index");
    sl_object *object = w->target->node->object;
    uint32_t index;
    return sl_path_property(object->cls, step->name, &index, w->st) &&
           enter_property(w, object, index);
}

/* One step down from what `target->node` holds. */
static bool descend(walk *w) {
    switch (w->target->node->kind) {
    case SL_NODE_LIST:
        return enter_element(w);
    case SL_NODE_DICT:
        return enter_entry(w);
    case SL_NODE_OBJECT:
        return enter_embedded(w);
    case SL_NODE_SET:
        return stuck(w, "a path cannot go into a set");
    default:
        return stuck(w, w->target->property->embedded
                            ? "the path goes through an embedded object that is null"
                            : "the path goes through a value that holds nothing further");
    }
}

static void name_terminal(sl_target *t) {
    if (t->holder.kind != SL_SLOT) return;
    switch (t->property->collection) {
    case SL_LIST:
        t->at = SL_AT_LIST;
        break;
    case SL_DICTIONARY:
        t->at = SL_AT_DICT;
        break;
    case SL_SET:
        t->at = SL_AT_SET;
        break;
    default:
        t->at = SL_AT_PROPERTY;
        break;
    }
}

bool sl_path_follow(sl_realm *realm, sl_cell *cell, uint32_t index, const sl_step *steps,
                    uint32_t count, bool write, sl_target *target, sl_status *st) {
    walk w = {realm, steps, count, 0, write, target, st};
    target->cell = cell;
    target->top = index;
    if (!enter_property(&w, cell->object, index)) return false;
    while (w.at < count)
        if (!descend(&w)) return false;
    name_terminal(target);
    return true;
}

const sl_class *sl_target_class(const sl_realm *realm, const sl_target *target) {
    return target->property->embedded ? sl_schema_find(&realm->schema, target->property->target)
                                      : NULL;
}

/* Content to be: an embedded object, or an empty collection. */
static bool make_new(sl_realm *realm, uint8_t kind, const sl_class *cls, sl_node *node) {
    memset(node, 0, sizeof *node);
    node->kind = kind;
    if (kind != SL_NODE_OBJECT) return true;
    node->object = sl_object_new(realm->alloc, cls, NULL);
    return node->object != NULL;
}

static bool touch(sl_realm *realm, const sl_target *target) {
    return sl_cell_touch(realm, target->cell, target->top);
}

static bool insert_entry(sl_realm *realm, const sl_target *target, sl_node *node,
                         const sl_value *value) {
    sl_dict *dict = sl_node_dict(realm, target->owner);
    if (dict && value)
        return sl_insert_entry_value(realm, target->cell, dict, target->index, target->key, value);
    if (dict) return sl_insert_entry(realm, target->cell, dict, target->index, target->key, node);
    if (node) sl_node_clear(realm->alloc, node);
    return false;
}

bool sl_target_put_new(sl_realm *realm, const sl_target *target, uint8_t kind, const sl_class *cls,
                       sl_status *st) {
    sl_node node;
    if (!touch(realm, target) || !make_new(realm, kind, cls, &node)) return sl_fail_memory(st);
    bool ok = target->node ? sl_put_node(realm, target->cell, &target->holder, &node)
                           : insert_entry(realm, target, &node, NULL);
    return ok || sl_fail_memory(st);
}

/* An equal number stays as it is, with its sign of zero and its digits: SDKs do not store a number
 * that compares equal to the present one, except in a property of decimals. */
static bool keeps_number(const sl_target *target, const sl_value *value) {
    const sl_node *node = target->node;
    if (!node || node->kind != SL_NODE_VALUE || node->value.type != value->type) return false;
    switch (value->type) {
    case SL_TYPE_FLOAT:
        return node->value.single == value->single;
    case SL_TYPE_DOUBLE:
        return node->value.real == value->real;
    case SL_TYPE_DECIMAL:
        return (target->at != SL_AT_PROPERTY || target->property->type == SL_TYPE_MIXED) &&
               sl_value_eq(&node->value, value);
    default:
        return false;
    }
}

/* Likewise null over a dangling link in a list of Mixed, which reads as null there: the link stays,
 * and leads to the object if that is created again. */
static bool keeps_dangling(sl_realm *realm, const sl_target *target, const sl_value *value,
                           bool *keeps, sl_status *st) {
    const sl_node *node = target->node;
    bool alive;
    *keeps = false;
    if (value->type != SL_TYPE_NULL || target->at != SL_AT_ELEMENT || !node ||
        node->kind != SL_NODE_VALUE || node->value.type != SL_TYPE_LINK)
        return true;
    if (!sl_link_alive(realm, node->value.link, &alive, st)) return false;
    *keeps = !alive;
    return true;
}

bool sl_target_put_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                         sl_status *st) {
    bool keeps = keeps_number(target, value);
    if (!touch(realm, target)) return sl_fail_memory(st);
    if (!keeps && !keeps_dangling(realm, target, value, &keeps, st)) return false;
    if (keeps) return true;
    bool ok = target->node ? sl_put_value(realm, target->cell, &target->holder, value)
                           : insert_entry(realm, target, NULL, value);
    return ok || sl_fail_memory(st);
}

bool sl_target_insert_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                            sl_status *st) {
    sl_list *list = sl_node_list(realm, target->owner);
    return (list && touch(realm, target) &&
            sl_insert_value(realm, target->cell, list, target->index, value)) ||
           sl_fail_memory(st);
}

bool sl_target_insert_new(sl_realm *realm, const sl_target *target, uint8_t kind,
                          const sl_class *cls, sl_status *st) {
    sl_node node;
    sl_list *list = sl_node_list(realm, target->owner);
    return (list && touch(realm, target) && make_new(realm, kind, cls, &node) &&
            sl_insert_node(realm, target->cell, list, target->index, &node)) ||
           sl_fail_memory(st);
}

bool sl_target_clear(sl_realm *realm, const sl_target *target, uint8_t kind, sl_status *st) {
    const sl_node *node = target->node;
    if (node->kind == kind) {
        uint32_t count =
            kind == SL_NODE_DICT ? sl_dict_count(node->dict) : sl_list_count(node->list);
        if (count == 0) return true;
    }
    return sl_target_put_new(realm, target, kind, NULL, st);
}
