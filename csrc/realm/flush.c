#include "realm/path.h"

static bool extend_deep(sl_realm *realm, sl_cell *cell, sl_object *object);

static bool extend_node(sl_realm *realm, sl_cell *cell, const sl_node *node) {
    if (node->kind == SL_NODE_OBJECT) return extend_deep(realm, cell, node->object);
    if (node->kind == SL_NODE_LIST) {
        /* Either all elements are embedded objects or none is. */
        for (uint32_t i = 0; i < sl_list_count(node->list); i++) {
            const sl_node *item = sl_list_at(node->list, i);
            if (item->kind != SL_NODE_OBJECT) break;
            if (!extend_deep(realm, cell, item->object)) return false;
        }
    }
    if (node->kind == SL_NODE_DICT) {
        for (uint32_t i = 0; i < sl_dict_count(node->dict); i++) {
            const sl_node *item = &sl_dict_at(node->dict, i)->node;
            if (item->kind == SL_NODE_OBJECT && !extend_deep(realm, cell, item->object))
                return false;
        }
    }
    return true;
}

static bool extend_deep(sl_realm *realm, sl_cell *cell, sl_object *object) {
    if (!sl_cell_extend(realm, cell, object)) return false;
    /* What an erased property held may be of a class that is gone, too. */
    for (uint32_t i = 0; i < object->value_count; i++) {
        const sl_node *node = &object->values[i];
        if (node->kind == SL_NODE_VALUE || object->cls->properties[i].erased) continue;
        if (!extend_node(realm, cell, node)) return false;
    }
    return true;
}

static uint64_t object_bytes(const sl_object *object);

static uint64_t value_bytes(const sl_value *value) {
    if (value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY) return value->string.size;
    return sizeof(value->decimal);
}

static uint64_t node_bytes(const sl_node *node) {
    uint64_t sum = 0;
    switch (node->kind) {
    case SL_NODE_VALUE:
        return value_bytes(&node->value);
    case SL_NODE_OBJECT:
        return object_bytes(node->object);
    case SL_NODE_DICT:
        for (uint32_t i = 0; i < sl_dict_count(node->dict); i++) {
            const sl_dict_entry *entry = sl_dict_at(node->dict, i);
            sum += entry->key.size + node_bytes(&entry->node);
        }
        return sum;
    default:
        for (uint32_t i = 0; i < sl_list_count(node->list); i++)
            sum += node_bytes(sl_list_at(node->list, i));
        return sum;
    }
}

static uint64_t object_bytes(const sl_object *object) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < object->value_count; i++)
        if (!object->cls->properties[i].erased) sum += node_bytes(&object->values[i]);
    return sum;
}

static bool check_size(const sl_realm *realm, const sl_class *cls, const sl_object *object,
                       sl_status *st) {
    uint64_t most = realm->limits.object_bytes;
    if (most == 0) return true;
    uint64_t size = object_bytes(object);
    return size <= most ||
           sl_fail(st, SL_ERR_STORAGE, "LIMIT",
                   "an object of class \"%.*s\" would have %llu bytes, at most %llu are taken",
                   sl_shown(cls->name), cls->name.data, (unsigned long long)size,
                   (unsigned long long)most);
}

static bool write_object(sl_realm *realm, const sl_cell *cell, sl_status *st) {
    const sl_realm_source *source = realm->source;
    const sl_class *cls = cell->table->cls;
    bool whole = !cell->in_source || !source->object_update || cell->properties == UINT64_MAX;
    return whole ? source->object_save(source->ctx, cls, cell->object, st)
                 : source->object_update(source->ctx, cls, cell->object, cell->properties, st);
}

static bool save(sl_realm *realm, sl_cell *cell, sl_status *st) {
    const sl_realm_source *source = realm->source;
    const sl_class *cls = cell->table->cls;
    if (cell->object) {
        /* Asymmetric objects are gone with the commit; the source need not see them. */
        if (cls->kind == SL_TABLE_ASYMMETRIC && !realm->keep_asymmetric && !cell->in_source)
            return true;
        if (!check_size(realm, cls, cell->object, st)) return false;
        if (!extend_deep(realm, cell, cell->object)) return sl_fail_memory(st);
        if (!write_object(realm, cell, st)) return false;
        cell->in_source = true;
    } else if (cell->in_source) {
        if (!source->object_erase(source->ctx, cls, &cell->key, st)) return false;
        cell->in_source = false;
    }
    cell->dirty = false;
    return true;
}

static bool save_sequences(sl_realm *realm, sl_status *st) {
    const sl_realm_source *source = realm->source;
    for (uint32_t i = 0; i < realm->table_capacity; i++) {
        sl_table *table = realm->tables[i];
        if (!table || !table->sequence_dirty) continue;
        if (!source->sequence_put(source->ctx, table->cls, table->next_sequence, st)) return false;
        table->sequence_dirty = false;
    }
    return true;
}

bool sl_realm_flush(sl_realm *realm, sl_status *st) {
    if (!sl_realm_check_open(realm, st)) return false;
    if (!realm->source) return true;
    for (size_t i = 0; i < realm->touched_count; i++) {
        sl_cell *cell = realm->touched[i];
        if (cell->dirty && !cell->table->detached && !save(realm, cell, st)) return false;
    }
    return save_sequences(realm, st);
}
