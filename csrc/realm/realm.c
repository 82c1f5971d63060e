#include "realm/realm.h"

#include "realm/internal.h"

enum { DEFAULT_CACHE = 100000 };

static bool load_schema(sl_realm *realm, sl_status *st) {
    if (!realm->source) return true;
    if (!realm->source->schema_load(realm->source->ctx, &realm->schema, st)) return false;
    sl_schema_resolve(&realm->schema);
    return true;
}

bool sl_realm_open(sl_realm **out, const sl_realm_options *options, sl_status *st) {
    static const sl_realm_options defaults = {0};
    if (!options) options = &defaults;
    const sl_alloc *alloc = options->alloc ? options->alloc : sl_alloc_default();
    sl_realm *realm = sl_new_zero(alloc, 1, sizeof *realm);
    if (!realm) return sl_fail_memory(st);
    realm->alloc = alloc;
    realm->source = options->source;
    realm->cache_objects = options->cache_objects ? options->cache_objects : DEFAULT_CACHE;
    realm->keep_asymmetric = options->keep_asymmetric;
    realm->limits = options->limits;
    realm->schema_version = 1;
    sl_schema_init(&realm->schema, alloc);
    if (!load_schema(realm, st)) {
        sl_realm_close(realm);
        return false;
    }
    *out = realm;
    return true;
}

/* Erased classes with all that is known about their objects. */
static void free_graves(sl_realm *realm) {
    for (size_t i = 0; i < realm->grave_count; i++) {
        sl_class *cls = realm->graves[i]->cls;
        sl_table_free(realm, realm->graves[i]);
        sl_schema_forget_class(&realm->schema, cls);
    }
    realm->grave_count = 0;
}

static void free_objects(sl_realm *realm) {
    realm->content++;
    for (uint32_t i = 0; i < realm->table_capacity; i++) {
        sl_table_free(realm, realm->tables[i]);
        realm->tables[i] = NULL;
    }
    free_graves(realm);
    realm->cached = realm->touched_count = realm->linked_count = 0;
}

void sl_realm_close(sl_realm *realm) {
    if (!realm) return;
    if (realm->open) sl_realm_discard(realm);
    free_objects(realm);
    sl_schema_free(&realm->schema);
    sl_delete(realm->alloc, realm->tables);
    sl_delete(realm->alloc, realm->graves);
    sl_delete(realm->alloc, realm->undo);
    sl_delete(realm->alloc, realm->touched);
    sl_delete(realm->alloc, realm->linked);
    sl_delete(realm->alloc, realm);
}

const sl_schema *sl_realm_schema(const sl_realm *realm) {
    return &realm->schema;
}

const sl_class *sl_realm_class(const sl_realm *realm, sl_str name) {
    return sl_schema_find(&realm->schema, name);
}

uint64_t sl_realm_schema_version(const sl_realm *realm) {
    return realm->schema_version;
}

bool sl_realm_in_transaction(const sl_realm *realm) {
    return realm->open;
}

size_t sl_realm_cached(const sl_realm *realm) {
    return realm->cached;
}

bool sl_realm_check_open(const sl_realm *realm, sl_status *st) {
    return realm->open || sl_fail(st, SL_ERR_USAGE, "",
                                  "no transaction is open: call sl_realm_begin before changing "
                                  "the realm");
}

bool sl_realm_begin(sl_realm *realm, sl_status *st) {
    if (realm->open)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "a transaction is open already: commit or discard it first");
    /* Tables of erased classes were kept for sl_realm_changes of the last transaction. */
    if (realm->grave_count) {
        sl_link_sweep(realm);
        free_graves(realm);
    }
    realm->open = true;
    realm->tx++;
    realm->touched_count = 0;
    realm->savepoint = 0;
    realm->class_ops = 0;
    realm->first_id = realm->schema.next_id;
    realm->schema_changed = false;
    return true;
}

/* Asymmetric objects leave the file with the commit (protocol/2-changeset.md, 12.9). */
static void drop_asymmetric(sl_realm *realm) {
    for (size_t i = 0; i < realm->touched_count; i++) {
        sl_cell *cell = realm->touched[i];
        if (cell->table->cls->kind != SL_TABLE_ASYMMETRIC || !cell->object) continue;
        if (cell->table->detached) continue;
        sl_object_free(realm->alloc, cell->object);
        cell->object = NULL;
        cell->presence = SL_ABSENT;
        cell->table->live--;
        realm->cached--;
    }
}

static void end(sl_realm *realm) {
    realm->open = false;
    realm->recording = NULL;
    enum { KEEP_UNDO = 4096 };
    if (realm->undo_capacity > KEEP_UNDO) {
        sl_delete(realm->alloc, realm->undo);
        realm->undo = NULL;
        realm->undo_capacity = 0;
    }
}

void sl_realm_discard(sl_realm *realm) {
    if (!realm->open) return;
    sl_undo_back(realm, 0);
    for (size_t i = 0; i < realm->touched_count; i++) {
        sl_cell *cell = realm->touched[i];
        cell->dirty = false;
        cell->in_source = realm->source && cell->object;
        cell->touched = 0;
        cell->created = 0;
    }
    for (uint32_t i = 0; i < realm->table_capacity; i++) {
        sl_table *table = realm->tables[i];
        if (table) table->sequence_dirty = false;
    }
    realm->touched_count = 0;
    /* The classes it added are gone for good, and their numbers free again. */
    if (realm->grave_count) {
        sl_link_sweep(realm);
        free_graves(realm);
    }
    realm->schema.next_id = realm->first_id;
    if (realm->schema_changed) realm->schema_version++;
    realm->schema_changed = false;
    end(realm);
}

sl_savepoint sl_realm_savepoint(sl_realm *realm) {
    realm->savepoint = realm->undo_count;
    return (sl_savepoint){realm->undo_count};
}

static bool source_back(sl_realm *realm, const sl_undo *undo, sl_status *st) {
    const sl_realm_source *source = realm->source;
    sl_class *cls = undo->target;
    switch (undo->op) {
    case SL_UNDO_CLASS_ADD:
        return source->class_erased(source->ctx, cls, st);
    case SL_UNDO_PROPERTY_ADD:
        return source->property_erased(source->ctx, cls, &cls->properties[cls->property_count - 1],
                                       st);
    case SL_UNDO_PROPERTY_INDEX: {
        const sl_property *property = &cls->properties[undo->a];
        return source->property_indexed(source->ctx, cls, property, !property->indexed, st);
    }
    case SL_UNDO_CLASS_ERASE:
    case SL_UNDO_PROPERTY_ERASE:
        return sl_fail(st, SL_ERR_STORAGE, "DISCARD",
                       "an erased class or property cannot come back from the store inside this "
                       "transaction: discard it");
    default:
        return true;
    }
}

bool sl_realm_rollback_to(sl_realm *realm, sl_savepoint point, sl_status *st) {
    while (realm->undo_count > point.undo) {
        if (realm->source && !source_back(realm, &realm->undo[realm->undo_count - 1], st))
            return false;
        sl_undo_back(realm, realm->undo_count - 1);
    }
    realm->savepoint = point.undo;
    realm->schema_version++;
    for (size_t i = 0; i < realm->touched_count; i++)
        realm->touched[i]->dirty = true;
    return true;
}

static void drop_cell(sl_realm *realm, sl_cell *cell) {
    if (cell->object) {
        sl_object_free(realm->alloc, cell->object);
        cell->table->live--;
        realm->cached--;
    }
    realm->cell_count--;
    sl_key_free(realm->alloc, &cell->key);
    sl_delete(realm->alloc, cell->referrers);
    sl_delete(realm->alloc, cell);
}

/* Forgets the cells that no transaction since `oldest` used, or none when there is no memory for
 * the smaller table. */
static void trim_table(sl_realm *realm, sl_table *table, uint64_t oldest) {
    uint32_t kept = 0, capacity = 16;
    for (uint32_t i = 0; i < table->capacity; i++)
        kept += table->slots[i].cell && table->slots[i].cell->used >= oldest;
    while (capacity / 4 * 3 <= kept)
        capacity *= 2;
    sl_cell_slot *slots = kept ? sl_new_zero(realm->alloc, capacity, sizeof *slots) : NULL;
    if (kept && !slots) return;
    if (kept < table->count) table->trimmed = true;
    for (uint32_t i = 0; i < table->capacity; i++) {
        sl_cell_slot slot = table->slots[i];
        if (!slot.cell) continue;
        if (slot.cell->used < oldest) {
            drop_cell(realm, slot.cell);
            continue;
        }
        uint32_t at = slot.hash & (capacity - 1);
        while (slots[at].cell)
            at = (at + 1) & (capacity - 1);
        slots[at] = slot;
    }
    sl_delete(realm->alloc, table->slots);
    table->slots = slots;
    table->capacity = slots ? capacity : 0;
    table->count = kept;
}

static void trim_tables(sl_realm *realm, uint64_t oldest) {
    realm->content++;
    for (uint32_t i = 0; i < realm->table_capacity; i++)
        if (realm->tables[i]) trim_table(realm, realm->tables[i], oldest);
}

void sl_realm_trim(sl_realm *realm, size_t keep) {
    if (!realm->source || realm->open || realm->cell_count <= keep) return;
    sl_link_forget(realm);
    trim_tables(realm, realm->tx);
    if (realm->cell_count <= keep) return;
    realm->touched_count = 0;
    realm->committed_tx = 0;
    trim_tables(realm, UINT64_MAX);
}

void sl_realm_commit(sl_realm *realm) {
    if (!realm->open) return;
    sl_undo_forget(realm);
    if (!realm->keep_asymmetric) drop_asymmetric(realm);
    if (realm->touched_count || realm->schema_changed) {
        realm->commits++;
        realm->committed_tx = realm->tx;
    }
    end(realm);
    realm->content++;
    if (!realm->source) return;
    /* What was saved is found through the source again. */
    sl_link_forget(realm);
    /* What this transaction used stays: its changes can still be asked for. */
    if (realm->cell_count > realm->cache_objects) trim_tables(realm, realm->tx);
}

bool sl_realm_reload(sl_realm *realm, sl_status *st) {
    if (realm->open)
        return sl_fail(st, SL_ERR_USAGE, "", "a transaction is open: commit or discard it first");
    if (!realm->source) return true;
    free_objects(realm);
    sl_schema_free(&realm->schema);
    realm->schema_version++;
    realm->commits++;
    realm->committed_tx = 0;
    return load_schema(realm, st);
}
