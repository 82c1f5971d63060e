#include "realm/internal.h"

bool sl_reserve_pointer(const sl_alloc *alloc, void *array_of_pointers, size_t count,
                        size_t *capacity) {
    if (count < *capacity) return true;
    if (*capacity > SIZE_MAX / (4 * sizeof(void *))) return false;
    size_t next = *capacity ? *capacity * 2 : 8;
    void *old;
    memcpy(&old, array_of_pointers, sizeof old);
    void *grown = sl_resize(alloc, old, next * sizeof(void *));
    if (!grown) return false;
    memcpy(array_of_pointers, &grown, sizeof grown);
    *capacity = next;
    return true;
}

static bool reserve_table(sl_realm *realm, uint32_t id) {
    if (id < realm->table_capacity) return true;
    uint32_t capacity = realm->table_capacity ? realm->table_capacity : 16;
    while (capacity <= id) {
        if (capacity > UINT32_MAX / 2) return false;
        capacity *= 2;
    }
    sl_table **tables = sl_resize(realm->alloc, realm->tables, capacity * sizeof *tables);
    if (!tables) return false;
    memset(tables + realm->table_capacity, 0, (capacity - realm->table_capacity) * sizeof *tables);
    realm->tables = tables;
    realm->table_capacity = capacity;
    return true;
}

sl_table *sl_realm_table(sl_realm *realm, const sl_class *cls) {
    if (cls->id < realm->table_capacity && realm->tables[cls->id]) return realm->tables[cls->id];
    if (!reserve_table(realm, cls->id)) return NULL;
    sl_table *table = sl_new_zero(realm->alloc, 1, sizeof *table);
    if (!table) return NULL;
    table->cls = realm->schema.by_id[cls->id];
    realm->tables[cls->id] = table;
    return table;
}

sl_table *sl_realm_table_named(sl_realm *realm, sl_str name, bool *missing) {
    const sl_class *cls = sl_schema_find(&realm->schema, name);
    *missing = cls == NULL;
    return cls ? sl_realm_table(realm, cls) : NULL;
}

static uint32_t hash_of(const sl_key *key) {
    uint64_t hash = sl_key_hash(key);
    return (uint32_t)(hash ^ hash >> 32);
}

/* The slot of the key, or the free slot where it would go. The table is never full. */
static sl_cell_slot *slot_of(const sl_table *table, const sl_key *key, uint32_t hash) {
    uint32_t mask = table->capacity - 1, i = hash & mask;
    for (;; i = (i + 1) & mask) {
        sl_cell_slot *slot = &table->slots[i];
        if (!slot->cell || (slot->hash == hash && sl_key_eq(&slot->cell->key, key))) return slot;
    }
}

sl_cell *sl_table_peek(const sl_table *table, const sl_key *key) {
    return table->capacity ? slot_of(table, key, hash_of(key))->cell : NULL;
}

static bool grow(sl_realm *realm, sl_table *table) {
    if (table->count < table->capacity / 4 * 3) return true;
    uint32_t capacity = table->capacity ? table->capacity * 2 : 16;
    if (!capacity) return false;
    sl_cell_slot *slots = sl_new_zero(realm->alloc, capacity, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < table->capacity; i++) {
        sl_cell_slot *from = &table->slots[i];
        if (!from->cell) continue;
        uint32_t at = from->hash & (capacity - 1);
        while (slots[at].cell)
            at = (at + 1) & (capacity - 1);
        slots[at] = *from;
    }
    sl_delete(realm->alloc, table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

sl_cell *sl_table_cell(sl_realm *realm, sl_table *table, const sl_key *key) {
    uint32_t hash = hash_of(key);
    if (table->capacity) {
        sl_cell *cell = slot_of(table, key, hash)->cell;
        if (cell) return cell;
    }
    if (!grow(realm, table)) return NULL;
    sl_cell *cell = sl_new_zero(realm->alloc, 1, sizeof *cell);
    if (!cell) return NULL;
    if (!sl_key_copy(realm->alloc, &cell->key, key)) {
        sl_delete(realm->alloc, cell);
        return NULL;
    }
    if (cell->key.type == SL_TYPE_STRING) cell->key.string.sym = SL_NO_SYM;
    cell->table = table;
    cell->hash = hash;
    cell->presence = realm->source ? SL_UNKNOWN : SL_ABSENT;
    *slot_of(table, key, hash) = (sl_cell_slot){cell, hash};
    table->count++;
    realm->cell_count++;
    return cell;
}

bool sl_cell_load(sl_realm *realm, sl_cell *cell, sl_status *st) {
    cell->used = realm->tx;
    if (cell->presence != SL_UNKNOWN) return true;
    sl_table *table = cell->table;
    const sl_realm_source *source = realm->source;
    if (!source || (table->added && !table->trimmed)) {
        cell->presence = SL_ABSENT;
        return true;
    }
    sl_object *object = sl_object_new_borrowed(realm->alloc, table->cls, &cell->key);
    if (!object) return sl_fail_memory(st);
    bool found = false;
    bool ok = source->object_load(source->ctx, table->cls, &cell->key, object, &found, st);
    if (!ok || !found) {
        sl_object_free(realm->alloc, object);
        if (ok) cell->presence = SL_ABSENT;
        return ok;
    }
    cell->object = object;
    cell->presence = SL_HERE;
    cell->in_source = true;
    table->live++;
    realm->cached++;
    return true;
}

void sl_table_free(sl_realm *realm, sl_table *table) {
    if (!table) return;
    for (uint32_t i = 0; i < table->capacity; i++) {
        sl_cell *cell = table->slots[i].cell;
        if (!cell) continue;
        realm->cell_count--;
        sl_object_free(realm->alloc, cell->object);
        sl_key_free(realm->alloc, &cell->key);
        sl_delete(realm->alloc, cell->referrers);
        sl_delete(realm->alloc, cell);
    }
    sl_delete(realm->alloc, table->slots);
    sl_delete(realm->alloc, table);
}
