#include "history/feature_level.h"

#include "base/arena.h"

/* What the head of a path names: type, collection and link target of a property. */
typedef struct column {
    int type;
    int collection;
    sl_str target;
} column;

enum { NAME_ROOM = 1 + SL_MAX_CLASS_NAME + SL_MAX_PROPERTY_NAME };

/* `added`: the properties that the changeset itself adds, to the index of the first ADD_COLUMN of
 * each. Made when the schema does not know a property for the first time. */
typedef struct search {
    const sl_changeset *cs;
    const sl_schema *schema;
    sl_strmap added;
    sl_arena names; /* keys of `added` */
    bool listed, failed;
    uint64_t steps;
} search;

/* Class and property as one key; false if no schema can have these names. */
static bool full_name(sl_str class_name, sl_str property, char *room, sl_str *name) {
    if (class_name.size > SL_MAX_CLASS_NAME || property.size > SL_MAX_PROPERTY_NAME) return false;
    room[0] = (char)class_name.size;
    if (class_name.size) memcpy(room + 1, class_name.data, class_name.size);
    if (property.size) memcpy(room + 1 + class_name.size, property.data, property.size);
    *name = sl_str_of(room, 1 + class_name.size + property.size);
    return true;
}

static bool list_added(search *s) {
    char room[NAME_ROOM];
    sl_str name;
    s->steps += s->cs->count;
    for (uint32_t i = 0; i < s->cs->count; i++) {
        const sl_instruction *in = &s->cs->instructions[i];
        uint32_t first = i;
        bool added;
        if (in->op != SL_OP_ADD_COLUMN ||
            !full_name(s->cs->strings[in->class_name], s->cs->strings[in->field], room, &name))
            continue;
        sl_str kept = sl_arena_str(&s->names, name);
        if (!kept.data || !sl_strmap_put(&s->added, kept, &first, &added)) return false;
    }
    return true;
}

static bool column_in_changeset(search *s, sl_str class_name, sl_str property, column *out) {
    char room[NAME_ROOM];
    sl_str name;
    uint32_t at = 0;
    if (!s->listed) s->failed = !list_added(s);
    s->listed = true;
    if (s->failed || !full_name(class_name, property, room, &name) ||
        !sl_strmap_get(&s->added, name, &at))
        return false;
    const sl_instruction *in = &s->cs->instructions[at];
    out->type = in->type;
    out->collection = in->collection;
    out->target = in->target == SL_NO_SYM ? SL_STR("") : s->cs->strings[in->target];
    return true;
}

static bool column_find(search *s, sl_str class_name, sl_str property, column *out) {
    s->steps++;
    /* Longer names are not looked at: an upload may name one of 16 MB in each instruction. */
    if (class_name.size > SL_MAX_CLASS_NAME || property.size > SL_MAX_PROPERTY_NAME) return false;
    const sl_class *cls = sl_schema_find(s->schema, class_name);
    const sl_property *found = cls ? sl_class_find(cls, property) : NULL;
    if (!found) return column_in_changeset(s, class_name, property, out);
    out->type = found->type;
    out->collection = found->collection;
    out->target = found->target;
    return true;
}

/* True if the path goes into a Mixed. Clear empties what its path ends at, so it is inside as soon
 * as the path ends at a Mixed; the others only if a step leads further down. */
static bool goes_into_mixed(search *s, const sl_instruction *in) {
    sl_str class_name = s->cs->strings[in->class_name];
    uint32_t name = in->field;
    uint32_t step = 0;
    column col;
    if (in->path_size == 0 && in->op != SL_OP_CLEAR) return false;
    while (column_find(s, class_name, s->cs->strings[name], &col)) {
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

static int level_of(search *s) {
    int level = SL_FEATURE_LEVEL_BASE;
    for (uint32_t i = 0; i < s->cs->count && !s->failed; i++) {
        const sl_instruction *in = &s->cs->instructions[i];
        s->steps++;
        if (in->op == SL_OP_ADD_TABLE && in->table_kind == SL_TABLE_ASYMMETRIC) level = 6;
        if (!sl_op_has_path(in->op)) continue;
        if (in->value.type == SL_TYPE_LIST || in->value.type == SL_TYPE_DICTIONARY) return 13;
        if (goes_into_mixed(s, in)) return 13;
    }
    return level;
}

bool sl_feature_level(const sl_changeset *cs, const sl_schema *schema, int *level, uint64_t *steps,
                      sl_status *st) {
    search s = {.cs = cs, .schema = schema};
    sl_strmap_init(&s.added, cs->arena.alloc);
    sl_arena_init(&s.names, cs->arena.alloc);
    *level = level_of(&s);
    if (steps) *steps += s.steps;
    sl_strmap_free(&s.added);
    sl_arena_free(&s.names);
    return !s.failed || sl_fail_memory(st);
}
