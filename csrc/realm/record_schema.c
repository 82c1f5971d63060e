#include <stdlib.h>

#include "realm/missing.h"
#include "realm/record_internal.h"
#include "realm/scan.h"

bool sl_record_add_class(sl_realm *realm, const sl_class *definition, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    bool exists;
    if (!sl_record_ready(realm, st)) return false;
    sl_class wanted = *definition;
    if (!wanted.has_key) wanted.key_type = SL_TYPE_GLOBALKEY;
    if (!sl_check_add_class(realm, &wanted, &exists, &cause)) return sl_usage(st, &cause);
    if (exists) return true;
    return sl_emit_add_table(realm, &wanted, st) && sl_realm_add_class(realm, &wanted, st);
}

bool sl_record_add_property(sl_realm *realm, sl_str class_name, const sl_property *definition,
                            sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    bool exists;
    if (!sl_record_ready(realm, st)) return false;
    sl_class *cls = sl_schema_find(&realm->schema, class_name);
    if (!cls) return sl_no_class(&realm->schema, class_name, st);
    sl_property wanted = *definition;
    if (wanted.type != SL_TYPE_LINK) wanted.target = SL_STR("");
    if (!sl_check_add_property(realm, cls, &wanted, SL_TYPE_STRING, &exists, &cause))
        return sl_usage(st, &cause);
    if (exists) return true;
    return sl_emit_add_column(realm, cls, &wanted, st) &&
           sl_realm_add_property(realm, cls, &wanted, st);
}

bool sl_record_erase_property(sl_realm *realm, sl_str class_name, sl_str property, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    uint32_t index;
    if (!sl_record_ready(realm, st)) return false;
    sl_class *cls = sl_schema_find(&realm->schema, class_name);
    if (!cls) return sl_no_class(&realm->schema, class_name, st);
    if (!sl_check_erase_property(cls, property, &index, &cause)) return sl_usage(st, &cause);
    return sl_emit_erase_column(realm, class_name, property, st) &&
           sl_realm_erase_property(realm, cls, index, st);
}

bool sl_record_erase_class(sl_realm *realm, sl_str class_name, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    if (!sl_record_ready(realm, st)) return false;
    sl_class *cls = sl_schema_find(&realm->schema, class_name);
    if (!cls) return sl_no_class(&realm->schema, class_name, st);
    if (!sl_check_erase_class(realm, cls, &cause)) return sl_usage(st, &cause);
    return sl_emit_erase_table(realm, class_name, st) && sl_realm_erase_class(realm, cls, st);
}

static const sl_property *declared(const sl_class *cls, sl_str name) {
    for (uint32_t i = 0; i < cls->property_count; i++)
        if (sl_str_eq(cls->properties[i].name, name)) return &cls->properties[i];
    return NULL;
}

static bool mismatch(const sl_class *cls, sl_str property, const char *what, sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "SCHEMA",
                   "class \"%.*s\"%s%.*s%s: the file has %s; a synchronized file only takes "
                   "additions",
                   sl_shown(cls->name), cls->name.data, property.size ? ", property \"" : "",
                   sl_shown(property), property.data ? property.data : "",
                   property.size ? "\"" : "", what);
}

static bool same_key(const sl_class *a, const sl_class *b) {
    if (a->has_key != b->has_key) return false;
    return !a->has_key || (a->key_type == b->key_type && a->key_nullable == b->key_nullable &&
                           sl_str_eq(a->key_name, b->key_name));
}

static bool stored_nullable(const sl_property *property) {
    if (property->type == SL_TYPE_MIXED) return true;
    if (property->type != SL_TYPE_LINK) return property->nullable;
    return property->collection == SL_SINGLE || property->collection == SL_DICTIONARY;
}

static bool check_property(const sl_class *cls, const sl_property *stored,
                           const sl_property *wanted, sl_status *st) {
    if (stored->type != wanted->type) return mismatch(cls, wanted->name, "another type", st);
    if (stored->collection != wanted->collection)
        return mismatch(cls, wanted->name, "another kind of collection", st);
    if (stored->type == SL_TYPE_LINK && !sl_str_eq(stored->target, wanted->target))
        return mismatch(cls, wanted->name, "another target class", st);
    if (stored->nullable != stored_nullable(wanted))
        return mismatch(cls, wanted->name, "the other nullability", st);
    return true;
}

/* Everything that could be refused, before anything is recorded. */
static bool check_against_file(const sl_realm *realm, const sl_class *wanted, sl_status *st) {
    const sl_class *stored = sl_schema_find(&realm->schema, wanted->name);
    if (!stored) return true;
    if (stored->kind != wanted->kind)
        return mismatch(wanted, SL_STR(""), "another kind of class", st);
    if (!same_key(stored, wanted)) return mismatch(wanted, SL_STR(""), "another key property", st);
    for (uint32_t i = 0; i < stored->property_count; i++) {
        const sl_property *property = &stored->properties[i];
        const sl_property *want = property->erased ? NULL : declared(wanted, property->name);
        if (want && !check_property(wanted, property, want, st)) return false;
    }
    return true;
}

static int by_class_name(const void *a, const void *b) {
    return sl_str_cmp((*(const sl_class *const *)a)->name, (*(const sl_class *const *)b)->name);
}

static bool add_all(sl_realm *realm, const sl_class *const *sorted, uint32_t count, sl_status *st) {
    for (uint32_t i = 0; i < count; i++)
        if (!sl_record_add_class(realm, sorted[i], st)) return false;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < sorted[i]->property_count; k++)
            if (!sl_record_add_property(realm, sorted[i]->name, &sorted[i]->properties[k], st))
                return false;
    return true;
}

/* Indexes follow what is declared; properties that are not are left as they are. Objects of
 * embedded classes are found through their owners alone, so there the wish has no meaning. */
static bool index_class(sl_realm *realm, const sl_class *wanted, sl_status *st) {
    sl_class *cls = sl_schema_find(&realm->schema, wanted->name);
    if (!cls || cls->kind == SL_TABLE_EMBEDDED) return true;
    for (uint32_t i = 0; i < wanted->property_count; i++) {
        const sl_property *want = &wanted->properties[i];
        const sl_property *property = sl_class_find(cls, want->name);
        if (property && !sl_realm_index_property(realm, cls, property->index, want->indexed, st))
            return false;
    }
    return true;
}

bool sl_record_schema(sl_realm *realm, const sl_schema_definition *definition, bool *changed,
                      sl_status *st) {
    if (changed) *changed = false;
    if (!sl_record_ready(realm, st) || !sl_schema_validate(definition, false, st)) return false;
    for (uint32_t i = 0; i < definition->count; i++)
        if (!check_against_file(realm, &definition->classes[i], st)) return false;
    const sl_class **sorted = sl_new_zero(realm->alloc, definition->count + 1, sizeof *sorted);
    if (!sorted) return sl_fail_memory(st);
    for (uint32_t i = 0; i < definition->count; i++)
        sorted[i] = &definition->classes[i];
    qsort(sorted, definition->count, sizeof *sorted, by_class_name);
    uint64_t before = realm->schema_version;
    bool ok = add_all(realm, sorted, definition->count, st);
    for (uint32_t i = 0; ok && i < definition->count; i++)
        ok = index_class(realm, sorted[i], st);
    sl_delete(realm->alloc, sorted);
    if (ok && changed) *changed = realm->schema_version != before;
    return ok;
}
