#include "realm/internal.h"

/* Drops repetitions; returns the new count. */
static void dedupe(sl_realm *realm, sl_cell *target) {
    uint64_t stamp = ++realm->stamp;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < target->referrer_count; i++) {
        sl_cell *from = target->referrers[i];
        if (from->stamp == stamp) continue;
        from->stamp = stamp;
        target->referrers[kept++] = from;
    }
    target->referrer_count = kept;
}

static bool reserve_referrer(sl_realm *realm, sl_cell *target) {
    if (target->referrer_count < target->referrer_capacity) return true;
    dedupe(realm, target);
    /* Growing at half full keeps the effort per link constant. */
    if (target->referrer_count < target->referrer_capacity / 2) return true;
    if (target->referrer_capacity > UINT32_MAX / 2) return false;
    uint32_t capacity = target->referrer_capacity ? target->referrer_capacity * 2 : 2;
    sl_cell **grown = sl_resize(realm->alloc, target->referrers, capacity * sizeof *grown);
    if (!grown) return target->referrer_count < target->referrer_capacity;
    target->referrers = grown;
    target->referrer_capacity = capacity;
    return true;
}

bool sl_link_note(sl_realm *realm, sl_cell *from, const sl_link *link) {
    bool missing;
    sl_table *table = sl_realm_table_named(realm, link->class_name, &missing);
    if (!table) return missing;
    sl_cell *target = sl_table_cell(realm, table, &link->key);
    if (!target) return false;
    if (target->referrer_count && target->referrers[target->referrer_count - 1] == from)
        return true;
    if (!sl_reserve_pointer(realm->alloc, &realm->linked, realm->linked_count,
                            &realm->linked_capacity) ||
        !reserve_referrer(realm, target))
        return false;
    if (!target->referrer_count) realm->linked[realm->linked_count++] = target;
    target->referrers[target->referrer_count++] = from;
    return true;
}

static bool note_node(sl_realm *realm, sl_cell *from, const sl_node *node) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        return node->value.type != SL_TYPE_LINK || sl_link_note(realm, from, node->value.link);
    case SL_NODE_DICT:
        for (uint32_t i = 0; i < sl_dict_count(node->dict); i++)
            if (!note_node(realm, from, &sl_dict_at(node->dict, i)->node)) return false;
        return true;
    case SL_NODE_OBJECT:
        for (uint32_t i = 0; i < node->object->value_count; i++)
            if (!note_node(realm, from, &node->object->values[i])) return false;
        return true;
    default:
        for (uint32_t i = 0; i < sl_list_count(node->list); i++)
            if (!note_node(realm, from, sl_list_at(node->list, i))) return false;
        return true;
    }
}

bool sl_link_note_all(sl_realm *realm, sl_cell *from) {
    sl_node object = {.kind = SL_NODE_OBJECT, .object = from->object};
    return note_node(realm, from, &object);
}

bool sl_link_alive(sl_realm *realm, const sl_link *link, bool *alive, sl_status *st) {
    bool missing;
    *alive = false;
    sl_table *table = sl_realm_table_named(realm, link->class_name, &missing);
    if (!table) return missing || sl_fail_memory(st);
    sl_cell *cell = sl_table_cell(realm, table, &link->key);
    if (!cell) return sl_fail_memory(st);
    if (!sl_cell_load(realm, cell, st)) return false;
    *alive = cell->presence == SL_HERE;
    return true;
}

bool sl_link_is(const sl_link *link, sl_str class_name, const sl_key *key) {
    return sl_key_eq(&link->key, key) && sl_str_eq(link->class_name, class_name);
}

static uint32_t object_links(const sl_object *object, sl_str class_name, const sl_key *key) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < object->value_count; i++)
        if (!object->cls->properties[i].erased)
            count += sl_node_links(&object->values[i], class_name, key);
    return count;
}

uint32_t sl_node_links(const sl_node *node, sl_str class_name, const sl_key *key) {
    uint32_t count = 0;
    switch (node->kind) {
    case SL_NODE_VALUE:
        return node->value.type == SL_TYPE_LINK && sl_link_is(node->value.link, class_name, key);
    case SL_NODE_LIST:
    case SL_NODE_SET:
        for (uint32_t i = 0; i < sl_list_count(node->list); i++)
            count += sl_node_links(sl_list_at(node->list, i), class_name, key);
        return count;
    case SL_NODE_DICT:
        for (uint32_t i = 0; i < sl_dict_count(node->dict); i++)
            count += sl_node_links(&sl_dict_at(node->dict, i)->node, class_name, key);
        return count;
    default:
        return object_links(node->object, class_name, key);
    }
}

typedef struct referrer_set {
    sl_realm *realm;
    sl_cell **cells;
    size_t count, capacity;
    uint64_t stamp;
    sl_status *st;
    bool failed;
} referrer_set;

static bool collect(referrer_set *set, sl_cell *cell) {
    if (cell->stamp == set->stamp || cell->table->detached) return true;
    cell->stamp = set->stamp;
    if (!sl_reserve_pointer(set->realm->alloc, &set->cells, set->count, &set->capacity))
        return sl_fail_memory(set->st);
    set->cells[set->count++] = cell;
    return true;
}

static bool visit_stored(void *ctx, sl_str class_name, const sl_key *key) {
    referrer_set *set = ctx;
    bool missing;
    sl_table *table = sl_realm_table_named(set->realm, class_name, &missing);
    if (missing) return true;
    sl_cell *cell = table ? sl_table_cell(set->realm, table, key) : NULL;
    set->failed = cell ? !collect(set, cell) : !sl_fail_memory(set->st);
    return !set->failed;
}

/* Loads the candidates and keeps those that hold such a link now. */
static bool keep_real(referrer_set *set, sl_str class_name, const sl_key *key) {
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        sl_cell *cell = set->cells[i];
        if (!sl_cell_load(set->realm, cell, set->st)) return false;
        if (cell->object && object_links(cell->object, class_name, key)) set->cells[kept++] = cell;
    }
    set->count = kept;
    return true;
}

bool sl_link_referrers(sl_realm *realm, sl_str class_name, const sl_key *key, sl_cell ***cells,
                       size_t *count, sl_status *st) {
    *cells = NULL;
    *count = 0;
    bool missing;
    sl_table *table = sl_realm_table_named(realm, class_name, &missing);
    if (!table) return missing || sl_fail_memory(st);
    if (!sl_table_can_link(realm, table)) return true;
    referrer_set set = {realm, NULL, 0, 0, ++realm->stamp, st, false};
    const sl_cell *target = sl_table_peek(table, key);
    bool ok = true;
    for (uint32_t i = 0; target && ok && i < target->referrer_count; i++)
        ok = collect(&set, target->referrers[i]);
    const sl_realm_source *source = realm->source;
    if (ok && source && !(realm->open && table->added == realm->tx))
        ok = source->referrers(source->ctx, class_name, key, visit_stored, &set, st) && !set.failed;
    if (!ok || !keep_real(&set, class_name, key)) {
        sl_delete(realm->alloc, set.cells);
        return false;
    }
    *cells = set.cells;
    *count = set.count;
    return true;
}

static bool schema_can_link(const sl_schema *schema, const sl_class *target) {
    for (uint32_t i = 0; i < schema->count; i++) {
        const sl_class *cls = schema->classes[i];
        for (uint32_t k = 0; k < cls->property_count; k++) {
            const sl_property *property = &cls->properties[k];
            if (property->erased) continue;
            if (property->type == SL_TYPE_MIXED) return true;
            if (property->type == SL_TYPE_LINK && sl_str_eq(property->target, target->name))
                return true;
        }
    }
    return false;
}

bool sl_table_can_link(sl_realm *realm, sl_table *table) {
    if (table->can_link_version != realm->schema_version) {
        table->can_link = schema_can_link(&realm->schema, table->cls);
        table->can_link_version = realm->schema_version;
    }
    return table->can_link;
}

void sl_link_sweep(sl_realm *realm) {
    size_t kept_cells = 0;
    for (size_t i = 0; i < realm->linked_count; i++) {
        sl_cell *target = realm->linked[i];
        if (target->table->detached) continue;
        uint32_t kept = 0;
        for (uint32_t k = 0; k < target->referrer_count; k++)
            if (!target->referrers[k]->table->detached)
                target->referrers[kept++] = target->referrers[k];
        target->referrer_count = kept;
        if (kept) realm->linked[kept_cells++] = target;
    }
    realm->linked_count = kept_cells;
}

void sl_link_forget(sl_realm *realm) {
    for (size_t i = 0; i < realm->linked_count; i++) {
        sl_cell *target = realm->linked[i];
        sl_delete(realm->alloc, target->referrers);
        target->referrers = NULL;
        target->referrer_count = target->referrer_capacity = 0;
    }
    realm->linked_count = 0;
}
