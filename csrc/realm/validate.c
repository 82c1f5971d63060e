#include "realm/path.h"
#include "realm/record.h"

static bool wrong(const sl_class *cls, const sl_property *property, const char *what,
                  sl_status *st) {
    if (property)
        return sl_fail(st, SL_ERR_USAGE, "SCHEMA", "class \"%.*s\", property \"%.*s\": %s",
                       sl_shown(cls->name), cls->name.data, sl_shown(property->name),
                       property->name.data, what);
    return sl_fail(st, SL_ERR_USAGE, "SCHEMA", "class \"%.*s\": %s", sl_shown(cls->name),
                   cls->name.data, what);
}

static const sl_class *find(const sl_schema_definition *definition, sl_str name) {
    for (uint32_t i = 0; i < definition->count; i++)
        if (sl_str_eq(definition->classes[i].name, name)) return &definition->classes[i];
    return NULL;
}

static bool check_key(const sl_class *cls, bool sdk_rules, sl_status *st) {
    if (cls->kind == SL_TABLE_EMBEDDED)
        return !cls->has_key || wrong(cls, NULL, "an embedded class has no key property", st);
    if (!cls->has_key)
        return !sdk_rules || wrong(cls, NULL, "a key property named _id is needed", st);
    if (sdk_rules && !sl_str_eq(cls->key_name, SL_STR("_id")))
        return wrong(cls, NULL, "the key property has to be named _id", st);
    switch (cls->key_type) {
    case SL_TYPE_INT:
    case SL_TYPE_STRING:
    case SL_TYPE_OBJECTID:
    case SL_TYPE_UUID:
        break;
    default:
        return wrong(cls, NULL, "a key is an int, string, objectid or uuid", st);
    }
    sl_status cause = SL_STATUS_INIT;
    return sl_check_property_name(cls->key_name, &cause) || wrong(cls, NULL, cause.message, st);
}

static bool check_link(const sl_schema_definition *definition, const sl_class *cls,
                       const sl_property *property, sl_status *st) {
    const sl_class *target = find(definition, property->target);
    if (!target) return wrong(cls, property, "its target class is not in the schema", st);
    if (target->kind == SL_TABLE_ASYMMETRIC)
        return wrong(cls, property, "nothing can link to an asymmetric class", st);
    if (target->kind == SL_TABLE_EMBEDDED && property->collection == SL_SET)
        return wrong(cls, property, "a set cannot hold embedded objects", st);
    return true;
}

static bool check_property(const sl_schema_definition *definition, const sl_class *cls,
                           uint32_t index, sl_status *st) {
    const sl_property *property = &cls->properties[index];
    sl_status cause = SL_STATUS_INIT;
    if (!sl_check_property_name(property->name, &cause)) return wrong(cls, NULL, cause.message, st);
    if (property->type < SL_TYPE_MIXED || property->type > SL_TYPE_UUID ||
        property->collection > SL_SET)
        return wrong(cls, property, "its type is unknown", st);
    if (cls->has_key && sl_str_eq(cls->key_name, property->name))
        return wrong(cls, property, "the key property is declared twice", st);
    for (uint32_t i = 0; i < index; i++)
        if (sl_str_eq(cls->properties[i].name, property->name))
            return wrong(cls, property, "it is declared twice", st);
    if (property->indexed && !sl_property_can_index(property))
        return wrong(cls, property,
                     "it cannot be indexed; int, bool, string, timestamp, objectid, uuid and mixed "
                     "can, collections cannot",
                     st);
    return property->type != SL_TYPE_LINK || check_link(definition, cls, property, st);
}

/* Whether the class holds an embedded class that is not marked. */
static bool holds_unmarked(const sl_schema_definition *definition, const sl_class *cls,
                           const bool *marked) {
    for (uint32_t i = 0; i < cls->property_count; i++) {
        const sl_property *property = &cls->properties[i];
        if (property->type != SL_TYPE_LINK) continue;
        const sl_class *target = find(definition, property->target);
        if (target && target->kind == SL_TABLE_EMBEDDED && !marked[target - definition->classes])
            return true;
    }
    return false;
}

/* Marks embedded classes that hold only marked ones until nothing changes; what is left lies on, or
 * leads to, a cycle. */
static bool check_cycles(const sl_schema_definition *definition, sl_status *st) {
    bool *marked = sl_new_zero(NULL, definition->count + 1, sizeof *marked);
    if (!marked) return sl_fail_memory(st);
    bool more = true;
    while (more) {
        more = false;
        for (uint32_t i = 0; i < definition->count; i++) {
            if (marked[i] || definition->classes[i].kind != SL_TABLE_EMBEDDED) continue;
            if (holds_unmarked(definition, &definition->classes[i], marked)) continue;
            marked[i] = more = true;
        }
    }
    bool ok = true;
    for (uint32_t i = 0; ok && i < definition->count; i++)
        if (!marked[i] && definition->classes[i].kind == SL_TABLE_EMBEDDED)
            ok = wrong(&definition->classes[i], NULL, "embedded classes hold one another in a ring",
                       st);
    sl_delete(NULL, marked);
    return ok;
}

bool sl_schema_validate(const sl_schema_definition *definition, bool sdk_rules, sl_status *st) {
    for (uint32_t i = 0; i < definition->count; i++) {
        const sl_class *cls = &definition->classes[i];
        sl_status cause = SL_STATUS_INIT;
        if (!sl_check_class_name(cls->name, &cause)) return wrong(cls, NULL, cause.message, st);
        if (find(definition, cls->name) != cls)
            return wrong(cls, NULL, "the class is declared twice", st);
        if (cls->kind > SL_TABLE_ASYMMETRIC) return wrong(cls, NULL, "unknown kind of class", st);
        if (!check_key(cls, sdk_rules, st)) return false;
        if (cls->property_count > SL_MAX_PROPERTIES)
            return wrong(cls, NULL, "it has too many properties", st);
        for (uint32_t k = 0; k < cls->property_count; k++)
            if (!check_property(definition, cls, k, st)) return false;
    }
    return !sdk_rules || check_cycles(definition, st);
}
