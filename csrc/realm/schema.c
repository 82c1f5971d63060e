#include "realm/schema.h"

#include "realm/object.h"

void sl_schema_init(sl_schema *schema, const sl_alloc *alloc) {
    *schema = (sl_schema){0};
    schema->alloc = alloc ? alloc : sl_alloc_default();
    sl_strmap_init(&schema->names, schema->alloc);
    schema->next_id = 1;
}

static void free_str(const sl_alloc *alloc, sl_str s) {
    if (s.size) sl_delete(alloc, (char *)(uintptr_t)s.data);
}

static void free_class(const sl_alloc *alloc, sl_class *cls) {
    if (!cls) return;
    for (uint32_t i = 0; i < cls->property_count; i++) {
        free_str(alloc, cls->properties[i].name);
        free_str(alloc, cls->properties[i].target);
    }
    free_str(alloc, cls->name);
    free_str(alloc, cls->key_name);
    sl_delete(alloc, cls->properties);
    sl_delete(alloc, cls->defaults);
    sl_strmap_free(&cls->names);
    sl_delete(alloc, cls);
}

void sl_schema_free(sl_schema *schema) {
    const sl_alloc *alloc = schema->alloc;
    for (uint32_t i = 0; i < schema->id_capacity; i++)
        free_class(alloc, schema->by_id[i]);
    sl_delete(alloc, schema->by_id);
    sl_delete(alloc, schema->classes);
    sl_strmap_free(&schema->names);
    sl_schema_init(schema, alloc);
}

void sl_schema_forget_class(sl_schema *schema, sl_class *cls) {
    schema->by_id[cls->id] = NULL;
    free_class(schema->alloc, cls);
}

sl_class *sl_schema_find(const sl_schema *schema, sl_str name) {
    uint32_t id;
    return sl_strmap_get(&schema->names, name, &id) ? schema->by_id[id] : NULL;
}

sl_property *sl_class_find(const sl_class *cls, sl_str name) {
    uint32_t index;
    return sl_strmap_get(&cls->names, name, &index) ? &cls->properties[index] : NULL;
}

/* The capacity to grow to so that `need` fits; 0 when it cannot be. */
static uint32_t grown(uint32_t capacity, uint32_t need) {
    uint32_t next = capacity ? capacity : 8;
    while (next < need) {
        if (next > UINT32_MAX / 2) return 0;
        next *= 2;
    }
    return next;
}

static bool reserve_ids(sl_schema *schema, uint32_t id) {
    if (id < schema->id_capacity) return true;
    uint32_t capacity = grown(schema->id_capacity, id + 1);
    if (!capacity) return false;
    sl_class **by_id = sl_resize(schema->alloc, schema->by_id, capacity * sizeof *by_id);
    if (!by_id) return false;
    memset(by_id + schema->id_capacity, 0, (capacity - schema->id_capacity) * sizeof *by_id);
    schema->by_id = by_id;
    schema->id_capacity = capacity;
    return true;
}

static bool reserve_class(sl_schema *schema) {
    if (schema->count < schema->capacity) return true;
    uint32_t capacity = grown(schema->capacity, schema->count + 1);
    if (!capacity) return false;
    sl_class **classes = sl_resize(schema->alloc, schema->classes, capacity * sizeof *classes);
    if (!classes) return false;
    schema->classes = classes;
    schema->capacity = capacity;
    return true;
}

static bool copy_str(const sl_alloc *alloc, sl_str *to, sl_str from) {
    *to = SL_STR("");
    if (!from.size) return true;
    char *bytes = sl_new(alloc, from.size);
    if (!bytes) return false;
    memcpy(bytes, from.data, from.size);
    *to = sl_str_of(bytes, from.size);
    return true;
}

static sl_class *make_class(const sl_alloc *alloc, const sl_class *definition, uint32_t id) {
    sl_class *cls = sl_new_zero(alloc, 1, sizeof *cls);
    if (!cls) return NULL;
    sl_strmap_init(&cls->names, alloc);
    cls->kind = definition->kind;
    cls->has_key = definition->has_key;
    cls->key_type = definition->has_key ? definition->key_type : (int8_t)SL_TYPE_GLOBALKEY;
    cls->key_nullable = definition->has_key && definition->key_nullable;
    cls->id = id;
    if (copy_str(alloc, &cls->name, definition->name) &&
        copy_str(alloc, &cls->key_name, definition->key_name))
        return cls;
    free_class(alloc, cls);
    return NULL;
}

sl_class *sl_schema_add_class(sl_schema *schema, const sl_class *definition) {
    uint32_t id = definition->id >= schema->next_id ? definition->id : schema->next_id;
    if (id == UINT32_MAX || !reserve_ids(schema, id) || !reserve_class(schema)) return NULL;
    sl_class *cls = make_class(schema->alloc, definition, id);
    uint32_t value = id;
    bool added;
    if (!cls || !sl_strmap_put(&schema->names, cls->name, &value, &added)) {
        free_class(schema->alloc, cls);
        return NULL;
    }
    schema->by_id[id] = cls;
    schema->classes[schema->count++] = cls;
    schema->next_id = id + 1;
    return cls;
}

static bool reserve_property(sl_schema *schema, sl_class *cls) {
    if (cls->property_count < cls->property_capacity) return true;
    uint32_t capacity = grown(cls->property_capacity, cls->property_count + 1);
    if (!capacity) return false;
    sl_property *properties =
        sl_resize(schema->alloc, cls->properties, capacity * sizeof *properties);
    if (!properties) return false;
    cls->properties = properties;
    sl_node *defaults = sl_resize(schema->alloc, cls->defaults, capacity * sizeof *defaults);
    if (!defaults) return false;
    cls->defaults = defaults;
    cls->property_capacity = capacity;
    return true;
}

static bool target_is_embedded(const sl_schema *schema, const sl_property *property) {
    if (property->type != SL_TYPE_LINK) return false;
    const sl_class *target = sl_schema_find(schema, property->target);
    return target && target->kind == SL_TABLE_EMBEDDED;
}

void sl_property_default(const sl_property *property, sl_node *node) {
    memset(node, 0, sizeof *node);
    switch (property->collection) {
    case SL_LIST:
        node->kind = SL_NODE_LIST;
        return;
    case SL_DICTIONARY:
        node->kind = SL_NODE_DICT;
        return;
    case SL_SET:
        node->kind = SL_NODE_SET;
        return;
    default:
        break;
    }
    node->kind = SL_NODE_VALUE;
    if (property->nullable || property->type == SL_TYPE_MIXED || property->type == SL_TYPE_LINK)
        return;
    node->value.type = property->type;
    if (property->type == SL_TYPE_STRING || property->type == SL_TYPE_BINARY)
        node->value.string = SL_STR("");
    /* The decimal 0 has the biased exponent 6176 in bits 113 to 126. */
    if (property->type == SL_TYPE_DECIMAL) node->value.decimal.hi = UINT64_C(6176) << 49;
}

bool sl_property_can_index(const sl_property *property) {
    if (property->collection != SL_SINGLE) return false;
    switch (property->type) {
    case SL_TYPE_MIXED:
    case SL_TYPE_INT:
    case SL_TYPE_BOOL:
    case SL_TYPE_STRING:
    case SL_TYPE_TIMESTAMP:
    case SL_TYPE_OBJECTID:
    case SL_TYPE_UUID:
        return true;
    default:
        return false;
    }
}

sl_property *sl_schema_add_property(sl_schema *schema, sl_class *cls,
                                    const sl_property *definition) {
    if (cls->property_count >= SL_MAX_PROPERTIES || !reserve_property(schema, cls)) return NULL;
    sl_property *property = &cls->properties[cls->property_count];
    *property = *definition;
    property->index = cls->property_count;
    property->erased = false;
    property->embedded = target_is_embedded(schema, property);
    property->target = SL_STR("");
    uint32_t value = property->index;
    bool added;
    if (copy_str(schema->alloc, &property->name, definition->name) &&
        copy_str(schema->alloc, &property->target, definition->target) &&
        sl_strmap_put(&cls->names, property->name, &value, &added)) {
        sl_property_default(property, &cls->defaults[property->index]);
        cls->property_count++;
        return property;
    }
    free_str(schema->alloc, property->name);
    free_str(schema->alloc, property->target);
    return NULL;
}

void sl_schema_resolve(sl_schema *schema) {
    for (uint32_t i = 0; i < schema->count; i++) {
        sl_class *cls = schema->classes[i];
        for (uint32_t k = 0; k < cls->property_count; k++)
            cls->properties[k].embedded = target_is_embedded(schema, &cls->properties[k]);
    }
}

uint32_t sl_schema_remove_class(sl_schema *schema, sl_class *cls) {
    uint32_t at = 0;
    while (schema->classes[at] != cls)
        at++;
    schema->count--;
    memmove(schema->classes + at, schema->classes + at + 1,
            (schema->count - at) * sizeof *schema->classes);
    sl_strmap_remove(&schema->names, cls->name);
    return at;
}

/* Room in the array and in the map is there, because the class was in both before. */
void sl_schema_restore_class(sl_schema *schema, sl_class *cls, uint32_t position) {
    memmove(schema->classes + position + 1, schema->classes + position,
            (schema->count - position) * sizeof *schema->classes);
    schema->classes[position] = cls;
    schema->count++;
    uint32_t value = cls->id;
    bool added;
    sl_strmap_put(&schema->names, cls->name, &value, &added);
}

void sl_class_drop_last_property(sl_schema *schema, sl_class *cls) {
    sl_property *last = &cls->properties[--cls->property_count];
    if (!last->erased) sl_strmap_remove(&cls->names, last->name);
    free_str(schema->alloc, last->name);
    free_str(schema->alloc, last->target);
}

void sl_class_hide_property(sl_class *cls, uint32_t index) {
    cls->properties[index].erased = true;
    sl_strmap_remove(&cls->names, cls->properties[index].name);
}

void sl_class_show_property(sl_class *cls, uint32_t index) {
    sl_property *property = &cls->properties[index];
    property->erased = false;
    uint32_t value = index;
    bool added;
    sl_strmap_put(&cls->names, property->name, &value, &added);
}
