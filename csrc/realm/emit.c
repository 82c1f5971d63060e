#include "realm/record_internal.h"

static bool intern(sl_changeset *cs, sl_str s, uint32_t *sym, sl_status *st) {
    *sym = sl_changeset_intern(cs, s);
    return *sym != SL_NO_SYM || sl_fail_memory(st);
}

static sl_instruction *append(sl_changeset *cs, sl_op op, sl_status *st) {
    sl_instruction *in = sl_changeset_append(cs, op);
    if (!in) sl_fail_memory(st);
    return in;
}

bool sl_emit_add_table(sl_realm *realm, const sl_class *cls, sl_status *st) {
    sl_changeset *cs = realm->recording;
    if (!cs) return true;
    uint32_t name, key = SL_NO_SYM;
    bool embedded = cls->kind == SL_TABLE_EMBEDDED;
    if (!intern(cs, cls->name, &name, st) ||
        (!embedded && !intern(cs, cls->has_key ? cls->key_name : SL_STR(""), &key, st)))
        return false;
    sl_instruction *in = append(cs, SL_OP_ADD_TABLE, st);
    if (!in) return false;
    in->class_name = name;
    in->table_kind = cls->kind;
    if (embedded) return true;
    in->field = key;
    in->type = cls->key_type;
    in->nullable = cls->key_nullable;
    return true;
}

bool sl_emit_erase_table(sl_realm *realm, sl_str class_name, sl_status *st) {
    sl_changeset *cs = realm->recording;
    uint32_t name;
    if (!cs) return true;
    if (!intern(cs, class_name, &name, st)) return false;
    sl_instruction *in = append(cs, SL_OP_ERASE_TABLE, st);
    if (in) in->class_name = name;
    return in != NULL;
}

bool sl_emit_add_column(sl_realm *realm, const sl_class *cls, const sl_property *property,
                        sl_status *st) {
    sl_changeset *cs = realm->recording;
    if (!cs) return true;
    uint32_t name, field, target;
    /* Without a target the reference interns "" all the same. */
    if (!intern(cs, cls->name, &name, st) || !intern(cs, property->name, &field, st) ||
        !intern(cs, property->target, &target, st))
        return false;
    sl_instruction *in = append(cs, SL_OP_ADD_COLUMN, st);
    if (!in) return false;
    in->class_name = name;
    in->field = field;
    in->type = property->type;
    in->nullable = property->nullable;
    in->collection = property->collection;
    if (property->type == SL_TYPE_LINK) in->target = target;
    if (property->collection == SL_DICTIONARY) in->key_type = SL_TYPE_STRING;
    return true;
}

bool sl_emit_erase_column(sl_realm *realm, sl_str class_name, sl_str property, sl_status *st) {
    sl_changeset *cs = realm->recording;
    uint32_t name, field;
    if (!cs) return true;
    if (!intern(cs, class_name, &name, st) || !intern(cs, property, &field, st)) return false;
    sl_instruction *in = append(cs, SL_OP_ERASE_COLUMN, st);
    if (!in) return false;
    in->class_name = name;
    in->field = field;
    return true;
}

static bool intern_key(sl_changeset *cs, const sl_key *key, sl_key *out, sl_status *st) {
    *out = *key;
    if (key->type != SL_TYPE_STRING) return true;
    uint32_t sym;
    if (!intern(cs, key->string, &sym, st)) return false;
    out->string = sl_changeset_string(cs, sym);
    return true;
}

bool sl_emit_object(sl_realm *realm, sl_op op, const sl_cell *cell, sl_status *st) {
    sl_changeset *cs = realm->recording;
    uint32_t name;
    sl_key key;
    if (!cs) return true;
    if (!intern(cs, cell->table->cls->name, &name, st) || !intern_key(cs, &cell->key, &key, st))
        return false;
    sl_instruction *in = append(cs, op, st);
    if (!in) return false;
    in->class_name = name;
    in->key = key;
    return true;
}

/* The value with its bytes in the changeset's arena, names of a link interned. */
static bool keep_value(sl_changeset *cs, const sl_value *value, sl_value *out, sl_status *st) {
    *out = *value;
    if (value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY) {
        out->string = sl_arena_str(&cs->arena, value->string);
        out->string.sym = SL_NO_SYM;
        return out->string.data || sl_fail_memory(st);
    }
    if (value->type != SL_TYPE_LINK) {
        if (sl_value_is_null_pattern(value)) out->type = SL_TYPE_NULL;
        return true;
    }
    sl_link *link = sl_arena_zero(&cs->arena, 1, sizeof *link);
    if (!link) return sl_fail_memory(st);
    uint32_t name;
    if (!intern(cs, value->link->class_name, &name, st) ||
        !intern_key(cs, &value->link->key, &link->key, st))
        return false;
    link->class_name = sl_changeset_string(cs, name);
    out->link = link;
    return true;
}

static bool keep_path(sl_changeset *cs, const sl_spot *spot, sl_path_elem **path, sl_status *st) {
    *path = NULL;
    if (!spot->count) return true;
    *path = sl_arena_zero(&cs->arena, spot->count, sizeof **path);
    if (!*path) return sl_fail_memory(st);
    for (uint32_t i = 0; i < spot->count; i++) {
        sl_path_elem *elem = &(*path)[i];
        elem->is_index = spot->steps[i].is_index;
        elem->number = spot->steps[i].index;
        if (!elem->is_index && !intern(cs, spot->steps[i].name, &elem->number, st)) return false;
    }
    return true;
}

static bool is_inside_embedded(const sl_target *target) {
    return target->object != target->cell->object;
}

bool sl_emit_class_name(sl_realm *realm, const sl_spot *spot, sl_status *st) {
    uint32_t sym;
    return !realm->recording || intern(realm->recording, spot->target.object->cls->name, &sym, st);
}

bool sl_emit_path(sl_realm *realm, const sl_spot *spot, const sl_emission *what, sl_status *st) {
    sl_changeset *cs = realm->recording;
    if (!cs) return true;
    const sl_target *target = &spot->target;
    const sl_class *cls = target->cell->table->cls;
    sl_instruction made = {.op = (uint8_t)what->op};
    if ((is_inside_embedded(target) && !sl_emit_class_name(realm, spot, st)) ||
        !intern(cs, cls->name, &made.class_name, st) ||
        !intern_key(cs, &target->cell->key, &made.key, st) ||
        !intern(cs, cls->properties[target->top].name, &made.field, st) ||
        !keep_path(cs, spot, &made.path, st) ||
        (what->value && !keep_value(cs, what->value, &made.value, st)))
        return false;
    sl_instruction *in = append(cs, what->op, st);
    if (!in) return false;
    in->class_name = made.class_name;
    in->key = made.key;
    in->field = made.field;
    in->path = made.path;
    in->path_size = (uint16_t)spot->count;
    if (what->value) in->value = made.value;
    in->prior_size = what->prior_size;
    in->to = what->to;
    in->collection = what->collection;
    in->is_default = what->is_default;
    return true;
}
