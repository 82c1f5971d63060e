#include "realm/internal.h"

/* Room for the tables that this transaction may bury, so that ending it cannot fail. */
static bool reserve_graves(sl_realm *realm) {
    size_t need = realm->grave_count + realm->class_ops + 1;
    while (realm->grave_capacity < need)
        if (!sl_reserve_pointer(realm->alloc, &realm->graves, realm->grave_capacity,
                                &realm->grave_capacity))
            return false;
    return true;
}

static void schema_changed(sl_realm *realm) {
    realm->schema_changed = true;
    realm->schema_version++;
}

static void drop_new_class(sl_realm *realm, sl_class *cls) {
    sl_table *table = cls->id < realm->table_capacity ? realm->tables[cls->id] : NULL;
    if (table) realm->tables[cls->id] = NULL;
    sl_table_free(realm, table);
    sl_schema_remove_class(&realm->schema, cls);
    sl_schema_forget_class(&realm->schema, cls);
}

sl_class *sl_realm_add_class(sl_realm *realm, const sl_class *definition, sl_status *st) {
    sl_undo *undo = sl_undo_next(realm);
    sl_class fresh = *definition;
    fresh.id = 0;
    sl_class *cls =
        undo && reserve_graves(realm) ? sl_schema_add_class(&realm->schema, &fresh) : NULL;
    if (!cls) {
        sl_fail_memory(st);
        return NULL;
    }
    sl_table *table = sl_realm_table(realm, cls);
    bool ok = table != NULL || sl_fail_memory(st);
    const sl_realm_source *source = realm->source;
    if (ok && source) ok = source->class_added(source->ctx, cls, st);
    if (!ok) {
        drop_new_class(realm, cls);
        return NULL;
    }
    table->added = realm->tx;
    table->sequence_known = true;
    undo->op = SL_UNDO_CLASS_ADD;
    undo->target = cls;
    sl_undo_push(realm);
    realm->class_ops++;
    schema_changed(realm);
    return cls;
}

bool sl_realm_erase_class(sl_realm *realm, sl_class *cls, sl_status *st) {
    sl_undo *undo = sl_undo_next(realm);
    sl_table *table = undo && reserve_graves(realm) ? sl_realm_table(realm, cls) : NULL;
    if (!table) return sl_fail_memory(st);
    const sl_realm_source *source = realm->source;
    if (source && !source->class_erased(source->ctx, cls, st)) return false;
    undo->op = SL_UNDO_CLASS_ERASE;
    undo->target = table;
    undo->a = sl_schema_remove_class(&realm->schema, cls);
    sl_undo_push(realm);
    realm->tables[cls->id] = NULL;
    realm->cached -= table->live;
    table->detached = true;
    realm->class_ops++;
    schema_changed(realm);
    return true;
}

sl_property *sl_realm_add_property(sl_realm *realm, sl_class *cls, const sl_property *definition,
                                   sl_status *st) {
    sl_undo *undo = sl_undo_next(realm);
    sl_property *property = undo ? sl_schema_add_property(&realm->schema, cls, definition) : NULL;
    if (!property) {
        sl_fail_memory(st);
        return NULL;
    }
    property->indexed = false;
    const sl_realm_source *source = realm->source;
    if (source && !source->property_added(source->ctx, cls, property, st)) {
        sl_class_drop_last_property(&realm->schema, cls);
        return NULL;
    }
    undo->op = SL_UNDO_PROPERTY_ADD;
    undo->target = cls;
    sl_undo_push(realm);
    schema_changed(realm);
    return property;
}

bool sl_realm_erase_property(sl_realm *realm, sl_class *cls, uint32_t index, sl_status *st) {
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) return sl_fail_memory(st);
    const sl_realm_source *source = realm->source;
    if (source && !source->property_erased(source->ctx, cls, &cls->properties[index], st))
        return false;
    undo->op = SL_UNDO_PROPERTY_ERASE;
    undo->target = cls;
    undo->a = index;
    sl_undo_push(realm);
    sl_class_hide_property(cls, index);
    schema_changed(realm);
    return true;
}

bool sl_realm_index_property(sl_realm *realm, sl_class *cls, uint32_t index, bool indexed,
                             sl_status *st) {
    sl_property *property = &cls->properties[index];
    if (property->indexed == indexed) return true;
    sl_undo *undo = sl_undo_next(realm);
    if (!undo) return sl_fail_memory(st);
    const sl_realm_source *source = realm->source;
    if (source && !source->property_indexed(source->ctx, cls, property, indexed, st)) return false;
    undo->op = SL_UNDO_PROPERTY_INDEX;
    undo->target = cls;
    undo->a = index;
    sl_undo_push(realm);
    property->indexed = indexed;
    schema_changed(realm);
    return true;
}
