#include "history/feature_level.h"

/* What the head of a path names: type, collection and link target of a property. */
typedef struct column {
    int type;
    int collection;
    sl_str target;
} column;

static bool column_in_changeset(const sl_changeset *cs, sl_str class_name, sl_str property,
                                column *out) {
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (in->op != SL_OP_ADD_COLUMN || !sl_str_eq(cs->strings[in->class_name], class_name) ||
            !sl_str_eq(cs->strings[in->field], property))
            continue;
        out->type = in->type;
        out->collection = in->collection;
        out->target = in->target == SL_NO_SYM ? SL_STR("") : cs->strings[in->target];
        return true;
    }
    return false;
}

static bool column_find(const sl_changeset *cs, const sl_schema *schema, sl_str class_name,
                        sl_str property, column *out) {
    const sl_class *cls = sl_schema_find(schema, class_name);
    const sl_property *found = cls ? sl_class_find(cls, property) : NULL;
    if (!found) return column_in_changeset(cs, class_name, property, out);
    out->type = found->type;
    out->collection = found->collection;
    out->target = found->target;
    return true;
}

/* True if the path goes into a Mixed. Clear empties what its path ends at, so it is inside as soon
 * as the path ends at a Mixed; the others only if a step leads further down. */
static bool goes_into_mixed(const sl_changeset *cs, const sl_schema *schema,
                            const sl_instruction *in) {
    sl_str class_name = cs->strings[in->class_name];
    uint32_t name = in->field;
    uint32_t step = 0;
    column col;
    while (column_find(cs, schema, class_name, cs->strings[name], &col)) {
        if (col.collection != SL_SINGLE) {
            if (step == in->path_size) return false;
            step++; /* index or key inside the collection */
        }
        if (col.type == SL_TYPE_MIXED) return in->op == SL_OP_CLEAR || step < in->path_size;
        if (step == in->path_size || in->path[step].is_index) return false;
        class_name = col.target;
        name = in->path[step++].number;
    }
    return false;
}

int sl_feature_level(const sl_changeset *cs, const sl_schema *schema) {
    int level = SL_FEATURE_LEVEL_BASE;
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (in->op == SL_OP_ADD_TABLE && in->table_kind == SL_TABLE_ASYMMETRIC) level = 6;
        if (!sl_op_has_path(in->op)) continue;
        if (in->value.type == SL_TYPE_LIST || in->value.type == SL_TYPE_DICTIONARY) return 13;
        if (goes_into_mixed(cs, schema, in)) return 13;
    }
    return level;
}
