#include "realm/internal.h"

bool sl_cell_touch(sl_realm *realm, sl_cell *cell, uint32_t index) {
    realm->content++;
    if (cell->touched != realm->tx) {
        if (!sl_reserve_pointer(realm->alloc, &realm->touched, realm->touched_count,
                                &realm->touched_capacity))
            return false;
        realm->touched[realm->touched_count++] = cell;
        cell->touched = cell->used = realm->tx;
        cell->was_here = cell->object != NULL;
        cell->properties = 0;
    }
    cell->dirty = true;
    cell->properties |= UINT64_C(1) << (index < 63 ? index : 63);
    return true;
}

/* An object that the log will free as a whole needs no log of its own. */
static bool logged(const sl_realm *realm, const sl_cell *cell) {
    return cell->created != realm->tx || cell->created_undo < realm->savepoint;
}

bool sl_cell_extend(sl_realm *realm, sl_cell *cell, sl_object *object) {
    uint32_t before = object->value_count;
    if (before >= object->cls->property_count) return true;
    bool log = logged(realm, cell);
    sl_undo *undo = log ? sl_undo_next(realm) : NULL;
    if ((log && !undo) || !sl_object_complete(realm->alloc, object)) return false;
    if (!log) return true;
    undo->op = SL_UNDO_EXTEND;
    undo->target = object;
    undo->a = before;
    sl_undo_push(realm);
    return true;
}

bool sl_cell_create(sl_realm *realm, sl_cell *cell) {
    sl_undo *undo = sl_undo_next(realm);
    if (!undo || !sl_cell_touch(realm, cell, 63)) return false;
    sl_object *object = sl_object_new_borrowed(realm->alloc, cell->table->cls, &cell->key);
    if (!object) return false;
    undo->op = SL_UNDO_CREATE;
    undo->target = cell;
    undo->number = cell->created;
    cell->created_undo = realm->undo_count;
    sl_undo_push(realm);
    cell->object = object;
    cell->presence = SL_HERE;
    cell->created = realm->tx;
    cell->properties = UINT64_MAX;
    cell->table->live++;
    realm->cached++;
    return true;
}

bool sl_cell_erase(sl_realm *realm, sl_cell *cell) {
    sl_undo *undo = sl_undo_next(realm);
    if (!undo || !sl_cell_touch(realm, cell, 63)) return false;
    undo->op = SL_UNDO_ERASE;
    undo->target = cell;
    undo->object = cell->object;
    sl_undo_push(realm);
    cell->object = NULL;
    cell->presence = SL_ABSENT;
    cell->properties = UINT64_MAX;
    cell->table->live--;
    realm->cached--;
    return true;
}

sl_node *sl_holder_node(const sl_holder *holder) {
    switch (holder->kind) {
    case SL_SLOT:
        return &holder->object->values[holder->index];
    case SL_ITEM:
        return sl_list_at(holder->list, holder->index);
    default:
        return &sl_dict_at(holder->dict, holder->index)->node;
    }
}

bool sl_put_node(sl_realm *realm, sl_cell *cell, const sl_holder *holder, sl_node *node) {
    sl_node *place = sl_holder_node(holder);
    if (!logged(realm, cell)) {
        sl_node_clear(realm->alloc, place);
        *place = *node;
        return true;
    }
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) {
        sl_node_clear(realm->alloc, node);
        return false;
    }
    undo->op = SL_UNDO_NODE;
    undo->holder = holder->kind;
    undo->target = holder->any;
    undo->a = holder->index;
    undo->node = *place;
    sl_undo_push(realm);
    *place = *node;
    return true;
}

/* A node with a copy of the value; a link is noted at its target. */
static bool make_node(sl_realm *realm, sl_cell *cell, const sl_value *value, sl_node *node) {
    if (value->type == SL_TYPE_LINK && !sl_link_note(realm, cell, value->link)) return false;
    return sl_node_set_value(realm->alloc, node, value);
}

bool sl_put_value(sl_realm *realm, sl_cell *cell, const sl_holder *holder, const sl_value *value) {
    sl_node node;
    return make_node(realm, cell, value, &node) && sl_put_node(realm, cell, holder, &node);
}

bool sl_insert_node(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at, sl_node *node) {
    bool log = logged(realm, cell);
    sl_undo *undo = log ? sl_undo_next(realm) : NULL;
    sl_node *place = log && !undo ? NULL : sl_list_insert(realm->alloc, list, at);
    if (!place) {
        sl_node_clear(realm->alloc, node);
        return false;
    }
    *place = *node;
    if (!log) return true;
    undo->op = SL_UNDO_INSERT;
    undo->target = list;
    undo->a = at;
    sl_undo_push(realm);
    return true;
}

bool sl_insert_value(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at,
                     const sl_value *value) {
    sl_node node;
    return make_node(realm, cell, value, &node) && sl_insert_node(realm, cell, list, at, &node);
}

bool sl_take_item(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at) {
    if (!logged(realm, cell)) {
        sl_list_erase(realm->alloc, list, at);
        return true;
    }
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) return false;
    undo->op = SL_UNDO_TAKE;
    undo->target = list;
    undo->a = at;
    sl_list_take(realm->alloc, list, at, &undo->node);
    sl_undo_push(realm);
    return true;
}

bool sl_move_item(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t from, uint32_t to) {
    bool log = logged(realm, cell);
    sl_undo *undo = log ? sl_undo_next(realm) : NULL;
    if (log && !undo) return false;
    sl_node node;
    sl_list_take(realm->alloc, list, from, &node);
    /* Cannot fail: the room that the element had is still there. */
    *sl_list_insert(realm->alloc, list, to) = node;
    if (!log) return true;
    undo->op = SL_UNDO_MOVE;
    undo->target = list;
    undo->a = from;
    undo->b = to;
    sl_undo_push(realm);
    return true;
}

bool sl_insert_entry(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at, sl_str key,
                     sl_node *node) {
    bool log = logged(realm, cell);
    sl_undo *undo = log ? sl_undo_next(realm) : NULL;
    sl_dict_entry *entry = log && !undo ? NULL : sl_dict_insert(realm->alloc, dict, at, key);
    if (!entry) {
        sl_node_clear(realm->alloc, node);
        return false;
    }
    entry->node = *node;
    if (!log) return true;
    undo->op = SL_UNDO_DICT_INSERT;
    undo->target = dict;
    undo->a = at;
    sl_undo_push(realm);
    return true;
}

bool sl_insert_entry_value(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at, sl_str key,
                           const sl_value *value) {
    sl_node node;
    return make_node(realm, cell, value, &node) &&
           sl_insert_entry(realm, cell, dict, at, key, &node);
}

bool sl_take_entry(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at) {
    if (!logged(realm, cell)) {
        sl_dict_entry_free(realm->alloc, sl_dict_take(dict, at));
        return true;
    }
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) return false;
    undo->op = SL_UNDO_DICT_TAKE;
    undo->target = dict;
    undo->a = at;
    undo->entry = sl_dict_take(dict, at);
    sl_undo_push(realm);
    return true;
}

sl_list *sl_node_list(sl_realm *realm, sl_node *node) {
    if (!node->list) node->list = sl_list_new(realm->alloc);
    return node->list;
}

sl_dict *sl_node_dict(sl_realm *realm, sl_node *node) {
    if (!node->dict) node->dict = sl_dict_new(realm->alloc);
    return node->dict;
}
