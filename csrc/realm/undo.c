#include "realm/internal.h"

sl_undo *sl_undo_next(sl_realm *realm) {
    if (realm->undo_count == realm->undo_capacity) {
        if (realm->undo_capacity > SIZE_MAX / (4 * sizeof(sl_undo))) return NULL;
        size_t capacity = realm->undo_capacity ? realm->undo_capacity * 2 : 64;
        sl_undo *undo = sl_resize(realm->alloc, realm->undo, capacity * sizeof *undo);
        if (!undo) return NULL;
        realm->undo = undo;
        realm->undo_capacity = capacity;
    }
    sl_undo *next = &realm->undo[realm->undo_count];
    next->holder = 0;
    next->a = next->b = 0;
    return next;
}

static void back_node(sl_realm *realm, sl_undo *undo) {
    sl_holder holder = {.kind = undo->holder, .index = undo->a, .any = undo->target};
    sl_node *node = sl_holder_node(&holder);
    sl_node_clear(realm->alloc, node);
    *node = undo->node;
}

static void back_extend(sl_realm *realm, const sl_undo *undo) {
    sl_object *object = undo->target;
    for (uint32_t i = undo->a; i < object->value_count; i++)
        sl_node_clear(realm->alloc, &object->values[i]);
    object->value_count = undo->a;
}

static void back_create(sl_realm *realm, const sl_undo *undo) {
    sl_cell *cell = undo->target;
    sl_object_free(realm->alloc, cell->object);
    cell->object = NULL;
    cell->presence = SL_ABSENT;
    cell->created = undo->number;
    cell->created_undo = 0;
    cell->table->live--;
    realm->cached--;
}

static void back_erase(sl_realm *realm, const sl_undo *undo) {
    sl_cell *cell = undo->target;
    cell->object = undo->object;
    cell->presence = SL_HERE;
    cell->table->live++;
    realm->cached++;
}

static void shorten(sl_realm *realm, sl_object *object) {
    while (object->value_count >= object->cls->property_count)
        sl_node_clear(realm->alloc, &object->values[--object->value_count]);
}

/* Shortens every embedded object of `cls` below `node`. */
static void shorten_embedded(sl_realm *realm, const sl_class *cls, sl_node *node) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        return;
    case SL_NODE_DICT:
        for (uint32_t i = 0; i < sl_dict_count(node->dict); i++)
            shorten_embedded(realm, cls, &sl_dict_at(node->dict, i)->node);
        return;
    case SL_NODE_OBJECT:
        if (node->object->cls == cls) shorten(realm, node->object);
        for (uint32_t i = 0; i < node->object->value_count; i++)
            shorten_embedded(realm, cls, &node->object->values[i]);
        return;
    default:
        for (uint32_t i = 0; i < sl_list_count(node->list); i++)
            shorten_embedded(realm, cls, sl_list_at(node->list, i));
    }
}

/* Objects that were only loaded since then have a slot too many, which no entry of the log knows:
 * top-level ones in the table of their class, embedded ones inside any object. */
static void back_property_add(sl_realm *realm, sl_class *cls) {
    for (uint32_t t = 0; t < realm->table_capacity; t++) {
        sl_table *table = realm->tables[t];
        if (!table || (cls->kind != SL_TABLE_EMBEDDED && table->cls != cls)) continue;
        for (uint32_t i = 0; i < table->capacity; i++) {
            sl_object *object = table->slots[i].cell ? table->slots[i].cell->object : NULL;
            sl_node top = {.kind = SL_NODE_OBJECT, .object = object};
            if (!object) continue;
            if (table->cls == cls)
                shorten(realm, object);
            else
                shorten_embedded(realm, cls, &top);
        }
    }
    sl_class_drop_last_property(&realm->schema, cls);
}

static void back_class_add(sl_realm *realm, const sl_undo *undo) {
    sl_class *cls = undo->target;
    sl_table *table = realm->tables[cls->id];
    sl_schema_remove_class(&realm->schema, cls);
    /* Cells of the table may still be on lists of referrers and of touched objects. */
    table->detached = true;
    realm->tables[cls->id] = NULL;
    realm->graves[realm->grave_count++] = table;
}

static void back_class_erase(sl_realm *realm, sl_undo *undo) {
    sl_table *table = undo->target;
    table->detached = false;
    realm->tables[table->cls->id] = table;
    realm->cached += table->live;
    sl_schema_restore_class(&realm->schema, table->cls, undo->a);
}

static void back_move(sl_realm *realm, const sl_undo *undo) {
    sl_node node;
    sl_list_take(realm->alloc, undo->target, undo->b, &node);
    *sl_list_insert(realm->alloc, undo->target, undo->a) = node;
}

/* Nothing here needs memory: collections keep the room they had (list.c, dict.c). */
static void back(sl_realm *realm, sl_undo *undo) {
    switch (undo->op) {
    case SL_UNDO_NODE:
        back_node(realm, undo);
        break;
    case SL_UNDO_INSERT:
        sl_list_erase(realm->alloc, undo->target, undo->a);
        break;
    case SL_UNDO_TAKE:
        *sl_list_insert(realm->alloc, undo->target, undo->a) = undo->node;
        break;
    case SL_UNDO_MOVE:
        back_move(realm, undo);
        break;
    case SL_UNDO_DICT_INSERT:
        sl_dict_entry_free(realm->alloc, sl_dict_take(undo->target, undo->a));
        break;
    case SL_UNDO_DICT_TAKE:
        sl_dict_restore(undo->target, undo->a, undo->entry);
        break;
    case SL_UNDO_EXTEND:
        back_extend(realm, undo);
        break;
    case SL_UNDO_CREATE:
        back_create(realm, undo);
        break;
    case SL_UNDO_ERASE:
        back_erase(realm, undo);
        break;
    case SL_UNDO_CLASS_ADD:
        back_class_add(realm, undo);
        break;
    case SL_UNDO_CLASS_ERASE:
        back_class_erase(realm, undo);
        break;
    case SL_UNDO_PROPERTY_ADD:
        back_property_add(realm, undo->target);
        break;
    case SL_UNDO_PROPERTY_ERASE:
        sl_class_show_property(undo->target, undo->a);
        break;
    case SL_UNDO_PROPERTY_INDEX: {
        sl_property *property = &((sl_class *)undo->target)->properties[undo->a];
        property->indexed = !property->indexed;
        break;
    }
    case SL_UNDO_SEQUENCE:
        ((sl_table *)undo->target)->next_sequence = undo->number;
        break;
    default:
        break;
    }
}

void sl_undo_back(sl_realm *realm, size_t count) {
    realm->content++;
    while (realm->undo_count > count)
        back(realm, &realm->undo[--realm->undo_count]);
}

static void forget(sl_realm *realm, sl_undo *undo) {
    switch (undo->op) {
    case SL_UNDO_NODE:
    case SL_UNDO_TAKE:
        sl_node_clear(realm->alloc, &undo->node);
        break;
    case SL_UNDO_DICT_TAKE:
        sl_dict_entry_free(realm->alloc, undo->entry);
        break;
    case SL_UNDO_ERASE:
        sl_object_free(realm->alloc, undo->object);
        break;
    case SL_UNDO_CLASS_ERASE:
        realm->graves[realm->grave_count++] = undo->target;
        break;
    default:
        break;
    }
}

void sl_undo_forget(sl_realm *realm) {
    for (size_t i = 0; i < realm->undo_count; i++)
        forget(realm, &realm->undo[i]);
    realm->undo_count = 0;
}
