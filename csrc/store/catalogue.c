#include "store/catalogue.h"

void sl_catalogue_init(sl_catalogue *cat, const sl_alloc *alloc) {
    *cat = (sl_catalogue){0};
    cat->alloc = alloc ? alloc : sl_alloc_default();
    sl_arena_init(&cat->arena, cat->alloc);
    cat->next_id = 1;
}

static void free_class(sl_catalogue *cat, sl_cat_class *cls) {
    sl_delete(cat->alloc, cls->properties);
    sl_delete(cat->alloc, cls->slots);
}

void sl_catalogue_clear(sl_catalogue *cat) {
    for (uint32_t i = 0; i < cat->capacity; i++) {
        if (cat->by_id[i]) free_class(cat, cat->by_id[i]);
    }
    sl_delete(cat->alloc, cat->by_id);
    sl_arena_free(&cat->arena);
    sl_catalogue_init(cat, cat->alloc);
}

void sl_catalogue_forget_slots(sl_catalogue *cat) {
    for (uint32_t i = 0; i < cat->capacity; i++) {
        if (cat->by_id[i]) cat->by_id[i]->slots_of = NULL;
    }
}

sl_cat_class *sl_catalogue_find(const sl_catalogue *cat, uint32_t id) {
    return id < cat->capacity ? cat->by_id[id] : NULL;
}

sl_cat_class *sl_catalogue_named(const sl_catalogue *cat, sl_str name) {
    for (uint32_t i = 0; i < cat->capacity; i++) {
        if (cat->by_id[i] && sl_str_eq(cat->by_id[i]->def.name, name)) return cat->by_id[i];
    }
    return NULL;
}

static bool copy(sl_catalogue *cat, sl_str *to, sl_str from) {
    *to = sl_arena_str(&cat->arena, from);
    to->sym = SL_NO_SYM;
    return to->size == 0 || to->data != NULL;
}

static bool reserve_id(sl_catalogue *cat, uint32_t id) {
    if (id < cat->capacity) return true;
    uint32_t capacity = cat->capacity ? cat->capacity : 16;
    while (capacity <= id) {
        if (capacity > UINT32_MAX / 2) return false;
        capacity *= 2;
    }
    sl_cat_class **by_id = sl_resize(cat->alloc, cat->by_id, capacity * sizeof(sl_cat_class *));
    if (!by_id) return false;
    memset(by_id + cat->capacity, 0, (capacity - cat->capacity) * sizeof(sl_cat_class *));
    cat->by_id = by_id;
    cat->capacity = capacity;
    return true;
}

sl_cat_class *sl_catalogue_add(sl_catalogue *cat, const sl_class *def, sl_str table,
                               sl_str key_column) {
    if (def->id == UINT32_MAX || !reserve_id(cat, def->id)) return NULL;
    sl_cat_class *cls = sl_arena_zero(&cat->arena, 1, sizeof *cls);
    if (!cls || !copy(cat, &cls->def.name, def->name) ||
        !copy(cat, &cls->def.key_name, def->key_name) || !copy(cat, &cls->table, table) ||
        !copy(cat, &cls->key_column, key_column)) {
        return NULL;
    }
    cls->id = cls->def.id = def->id;
    cls->def.kind = def->kind;
    cls->def.has_key = def->has_key;
    cls->def.key_type = def->has_key ? def->key_type : (int8_t)SL_TYPE_GLOBALKEY;
    cls->def.key_nullable = def->key_nullable;
    cat->by_id[def->id] = cls;
    if (def->id >= cat->next_id) cat->next_id = def->id + 1;
    return cls;
}

void sl_catalogue_remove(sl_catalogue *cat, uint32_t id) {
    sl_cat_class *cls = sl_catalogue_find(cat, id);
    if (!cls) return;
    free_class(cat, cls);
    cat->by_id[id] = NULL;
}

sl_cat_property *sl_cat_class_add(sl_catalogue *cat, sl_cat_class *cls, const sl_property *def,
                                  sl_str stored, uint32_t number) {
    if (cls->count == cls->capacity) {
        uint32_t capacity = cls->capacity ? cls->capacity * 2 : 8;
        sl_cat_property *grown =
            sl_resize(cat->alloc, cls->properties, capacity * sizeof *cls->properties);
        if (!grown) return NULL;
        cls->properties = grown;
        cls->capacity = capacity;
    }
    sl_cat_property *property = &cls->properties[cls->count];
    *property = (sl_cat_property){.def = *def, .number = number};
    property->def.erased = false;
    if (!copy(cat, &property->def.name, def->name) ||
        !copy(cat, &property->def.target, def->target) || !copy(cat, &property->stored, stored)) {
        return NULL;
    }
    cls->count++;
    cls->slots_of = NULL;
    return property;
}

uint32_t sl_cat_class_next_number(const sl_cat_class *cls) {
    return cls->count ? cls->properties[cls->count - 1].number + 1 : 1;
}

sl_cat_property *sl_cat_class_find(const sl_cat_class *cls, sl_str name) {
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_cat_property *property = &cls->properties[i];
        if (!property->retired && sl_str_eq(property->def.name, name)) return property;
    }
    return NULL;
}

sl_cat_property *sl_cat_class_numbered(const sl_cat_class *cls, uint32_t number) {
    uint32_t low = 0, high = cls->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cls->properties[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool hit = low < cls->count && cls->properties[low].number == number;
    return hit ? &cls->properties[low] : NULL;
}

void sl_cat_class_drop(sl_cat_class *cls, sl_cat_property *property, bool retire) {
    cls->slots_of = NULL;
    if (retire) {
        property->retired = true;
        return;
    }
    size_t after = (size_t)(cls->properties + cls->count - property - 1);
    memmove(property, property + 1, after * sizeof *property);
    cls->count--;
}

static bool fill_slots(sl_cat_class *cls, const sl_class *realm_class, sl_status *st) {
    for (uint32_t i = 0; i < realm_class->property_count; i++) {
        const sl_property *slot = &realm_class->properties[i];
        cls->slots[i] = SL_NO_SLOT;
        if (slot->erased) continue;
        const sl_cat_property *property = sl_cat_class_find(cls, slot->name);
        if (!property) {
            return sl_fail(st, SL_ERR_INTERNAL, "", "class %.*s: the store does not know %.*s",
                           (int)cls->def.name.size, cls->def.name.data, (int)slot->name.size,
                           slot->name.data);
        }
        cls->slots[i] = (uint32_t)(property - cls->properties);
    }
    return true;
}

const uint32_t *sl_cat_class_slots(sl_catalogue *cat, sl_cat_class *cls,
                                   const sl_class *realm_class, sl_status *st) {
    if (cls->slots_of == realm_class && cls->slot_count == realm_class->property_count) {
        return cls->slots;
    }
    size_t size = ((size_t)realm_class->property_count + 1) * sizeof *cls->slots;
    uint32_t *slots = sl_resize(cat->alloc, cls->slots, size);
    if (!slots) {
        sl_fail_memory(st);
        return NULL;
    }
    cls->slots = slots;
    cls->slots_of = NULL;
    if (!fill_slots(cls, realm_class, st)) return NULL;
    cls->slots_of = realm_class;
    cls->slot_count = realm_class->property_count;
    return slots;
}

bool sl_catalogue_publish(const sl_catalogue *cat, sl_schema *schema) {
    for (uint32_t id = 0; id < cat->capacity; id++) {
        const sl_cat_class *cls = cat->by_id[id];
        if (!cls) continue;
        sl_class *made = sl_schema_add_class(schema, &cls->def);
        if (!made) return false;
        for (uint32_t i = 0; i < cls->count; i++) {
            const sl_cat_property *property = &cls->properties[i];
            if (property->retired) continue;
            if (!sl_schema_add_property(schema, made, &property->def)) return false;
        }
    }
    if (schema->next_id < cat->next_id) schema->next_id = cat->next_id;
    sl_schema_resolve(schema);
    return true;
}
