#include "realm/apply.h"

#include "realm/apply_internal.h"

bool sl_apply_bad(sl_applier *ap, const sl_instruction *in, const char *id, const char *what) {
    sl_str cls = ap->cs->strings[in->class_name], field = ap->cs->strings[in->field];
    return sl_fail(ap->st, SL_ERR_CHANGESET, id, "%s on \"%.*s\".\"%.*s\": %s", sl_op_name(in->op),
                   sl_shown(cls), cls.data, sl_shown(field), field.data, what);
}

void sl_applier_forget(sl_applier *ap) {
    memset(ap->names, 0, ap->cs->string_count * sizeof *ap->names);
    ap->last = NULL;
}

sl_table *sl_applier_table(sl_applier *ap, uint32_t sym) {
    if (ap->names[sym].table) return ap->names[sym].table;
    sl_str name = ap->cs->strings[sym];
    bool missing = true;
    sl_table *table = sl_realm_table_named(ap->realm, name, &missing);
    if (table)
        ap->names[sym].table = table;
    else if (!missing)
        sl_fail_memory(ap->st);
    else if (name.size <= SL_MAX_CLASS_NAME)
        sl_fail(ap->st, SL_ERR_CHANGESET, "A-NOCLASS", "class \"%.*s\" does not exist",
                sl_shown(name), name.data);
    else
        sl_check_class_name(name, ap->st);
    return table;
}

static bool same_key(const sl_key *a, const sl_key *b) {
    if (a->type == SL_TYPE_STRING && b->type == SL_TYPE_STRING)
        return a->string.sym == b->string.sym;
    return sl_key_eq(a, b);
}

sl_cell *sl_applier_cell(sl_applier *ap, const sl_instruction *in) {
    if (ap->last && ap->last_class == in->class_name && same_key(&ap->last_key, &in->key))
        return ap->last;
    sl_table *table = sl_applier_table(ap, in->class_name);
    if (!table || !sl_check_key(table->cls, &in->key, ap->st)) return NULL;
    sl_cell *cell = sl_table_cell(ap->realm, table, &in->key);
    if (!cell) {
        sl_fail_memory(ap->st);
        return NULL;
    }
    if (!sl_cell_load(ap->realm, cell, ap->st)) return NULL;
    ap->last = cell;
    ap->last_class = in->class_name;
    ap->last_key = in->key;
    return cell;
}

static bool no_object(sl_applier *ap, const sl_instruction *in) {
    return sl_apply_bad(ap, in, "A-NOOBJECT", "the object does not exist");
}

/* The top-level property of a path instruction. */
static bool property_of(sl_applier *ap, const sl_instruction *in, const sl_class *cls,
                        uint32_t *index) {
    sl_applier_name *name = &ap->names[in->field];
    if (name->cls != cls) {
        if (!sl_path_property(cls, ap->cs->strings[in->field], &name->index, ap->st)) return false;
        name->cls = cls;
    }
    *index = name->index;
    return true;
}

static bool apply_at(sl_applier *ap, const sl_instruction *in, const sl_target *target) {
    switch (in->op) {
    case SL_OP_UPDATE:
        return sl_apply_update(ap, in, target);
    case SL_OP_ADD_INTEGER:
        return sl_apply_add_integer(ap, in, target);
    case SL_OP_ARRAY_INSERT:
        return sl_apply_array_insert(ap, in, target);
    case SL_OP_ARRAY_MOVE:
        return sl_apply_array_move(ap, in, target);
    case SL_OP_ARRAY_ERASE:
        return sl_apply_array_erase(ap, in, target);
    case SL_OP_CLEAR:
        return sl_apply_clear(ap, in, target);
    case SL_OP_SET_INSERT:
        return sl_apply_set_insert(ap, in, target);
    default:
        return sl_apply_set_erase(ap, in, target);
    }
}

static bool apply_path(sl_applier *ap, const sl_instruction *in) {
    sl_cell *cell = sl_applier_cell(ap, in);
    if (!cell) return false;
    if (!cell->object) return no_object(ap, in);
    uint32_t index;
    if (!property_of(ap, in, cell->object->cls, &index)) return false;
    if (in->path_size > SL_MAX_PATH) return sl_apply_bad(ap, in, "A-PATH", "the path is too long");
    sl_step steps[SL_MAX_PATH];
    for (uint32_t i = 0; i < in->path_size; i++) {
        const sl_path_elem *elem = &in->path[i];
        steps[i].is_index = elem->is_index;
        steps[i].index = elem->number;
        if (!elem->is_index) steps[i].name = ap->cs->strings[elem->number];
    }
    sl_target target = {0};
    return sl_path_follow(ap->realm, cell, index, steps, in->path_size, true, &target, ap->st) &&
           apply_at(ap, in, &target);
}

static bool apply_one(sl_applier *ap, const sl_instruction *in) {
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        return sl_apply_add_table(ap, in);
    case SL_OP_ERASE_TABLE:
        return sl_apply_erase_table(ap, in);
    case SL_OP_ADD_COLUMN:
        return sl_apply_add_column(ap, in);
    case SL_OP_ERASE_COLUMN:
        return sl_apply_erase_column(ap, in);
    case SL_OP_CREATE_OBJECT:
        return sl_apply_create_object(ap, in);
    case SL_OP_ERASE_OBJECT:
        return sl_apply_erase_object(ap, in);
    default:
        return apply_path(ap, in);
    }
}

static bool apply_all(sl_applier *ap) {
    for (uint32_t i = 0; i < ap->cs->count; i++) {
        if (apply_one(ap, &ap->cs->instructions[i])) continue;
        if (ap->st && ap->st->cls == SL_ERR_CHANGESET) ap->st->offset = i;
        return false;
    }
    return true;
}

bool sl_realm_apply(sl_realm *realm, const sl_changeset *cs, sl_status *st) {
    enum { FEW = 48 };
    sl_applier_name few[FEW];
    if (!sl_realm_check_open(realm, st)) return false;
    sl_applier ap = {.realm = realm, .cs = cs, .st = st, .names = few};
    if (cs->string_count > FEW) {
        ap.names = sl_new(realm->alloc, cs->string_count * sizeof *ap.names);
        if (!ap.names) return sl_fail_memory(st);
    }
    sl_applier_forget(&ap);
    sl_savepoint point = sl_realm_savepoint(realm);
    bool ok = apply_all(&ap);
    if (!ok) sl_realm_rollback_to(realm, point, st);
    if (ap.names != few) sl_delete(realm->alloc, ap.names);
    return ok;
}
