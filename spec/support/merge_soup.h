/* merge_soup.h - random instructions that need not make sense together: few names, few objects,
 * short lists, so that most pairs collide. */
#ifndef SPEC_SUPPORT_MERGE_SOUP_H
#define SPEC_SUPPORT_MERGE_SOUP_H

#include "merge_side.h"

typedef struct soup {
    uint64_t state;
    unsigned classes, objects, fields, names;
    bool consistent; /* list sizes are `size` and indices below it; containers have one type */
    uint32_t size;
} soup;

static inline uint32_t soup_below(soup *s, uint32_t limit) {
    s->state ^= s->state << 13;
    s->state ^= s->state >> 7;
    s->state ^= s->state << 17;
    return (uint32_t)(s->state >> 33) % limit;
}

static inline soup soup_of(uint64_t seed, bool consistent) {
    soup s = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252u,
              .consistent = consistent};
    for (int i = 0; i < 8; i++)
        soup_below(&s, 2);
    s.classes = 1 + soup_below(&s, 2);
    s.objects = 1 + soup_below(&s, 4);
    s.fields = 1 + soup_below(&s, 3);
    s.names = 1 + soup_below(&s, 3);
    s.size = 2 + soup_below(&s, 5);
    return s;
}

static inline uint32_t soup_name(soup *s, sl_changeset *cs, char prefix, unsigned count) {
    char name[3] = {prefix, (char)('a' + soup_below(s, count)), 0};
    return sl_changeset_intern(cs, sl_str_c(name));
}

static inline sl_value soup_value(soup *s, sl_changeset *cs) {
    static const int8_t types[] = {SL_TYPE_NULL,       SL_TYPE_INT,    SL_TYPE_INT,
                                   SL_TYPE_INT,        SL_TYPE_STRING, SL_TYPE_DOUBLE,
                                   SL_TYPE_BOOL,       SL_TYPE_OBJECT, SL_TYPE_LIST,
                                   SL_TYPE_DICTIONARY, SL_TYPE_ERASED};
    static const char *const texts[] = {"ab", "cd", "longer", ""};
    sl_value value = {.type = types[soup_below(s, sizeof types)]};
    if (value.type == SL_TYPE_INT) value.integer = soup_below(s, 4);
    if (value.type == SL_TYPE_BOOL) value.boolean = soup_below(s, 2);
    if (value.type == SL_TYPE_DOUBLE) value.real = soup_below(s, 3);
    if (value.type == SL_TYPE_STRING)
        value.string = sl_arena_str(&cs->arena, sl_str_c(texts[soup_below(s, 4)]));
    return value;
}

/* Steps below `depth`: in a consistent soup a field's name decides what each level is. */
static inline void soup_path(soup *s, sl_changeset *cs, sl_instruction *in, uint32_t depth) {
    in->path_size = (uint16_t)depth;
    if (depth == 0) return;
    in->path = sl_arena_zero(&cs->arena, depth, sizeof *in->path);
    if (!in->path) abort();
    for (uint32_t k = 0; k < depth; k++) {
        bool index = soup_below(s, 2);
        if (s->consistent) index = (cs->strings[in->field].data[1] + (int)k) % 2;
        if (index)
            in->path[k] = (sl_path_elem){true, soup_below(s, s->size)};
        else
            in->path[k] = (sl_path_elem){false, soup_name(s, cs, 'n', s->names)};
    }
}

static inline void soup_path_op(soup *s, sl_changeset *cs, sl_instruction *in) {
    bool list_op = in->op >= SL_OP_ARRAY_INSERT && in->op <= SL_OP_ARRAY_ERASE;
    in->field = soup_name(s, cs, 'f', s->fields);
    soup_path(s, cs, in, soup_below(s, 4));
    if (list_op && !sl_path_ends_with_index(in)) {
        uint32_t depth = 1 + soup_below(s, 2);
        if (s->consistent && (cs->strings[in->field].data[1] + (int)depth - 1) % 2 == 0) depth++;
        soup_path(s, cs, in, depth);
        in->path[depth - 1].is_index = true;
        in->path[depth - 1].number = soup_below(s, s->size);
    }
    if (list_op || sl_path_ends_with_index(in)) in->prior_size = s->size;
    if (!s->consistent && soup_below(s, 20) == 0) in->prior_size++;
    if (in->op == SL_OP_ARRAY_MOVE) in->to = soup_below(s, s->size);
    if (in->op == SL_OP_CLEAR) in->collection = (uint8_t)soup_below(s, 4);
    if (in->op == SL_OP_UPDATE || in->op == SL_OP_ARRAY_INSERT || in->op >= SL_OP_SET_INSERT)
        in->value = soup_value(s, cs);
    if (in->op == SL_OP_ADD_INTEGER)
        in->value = (sl_value){.type = SL_TYPE_INT, .integer = soup_below(s, 5)};
    if (in->op == SL_OP_UPDATE && !sl_path_ends_with_index(in))
        in->is_default = soup_below(s, 8) == 0;
    if (in->op == SL_OP_UPDATE && !sl_path_ends_with_index(in)) in->prior_size = 0;
    if (in->op == SL_OP_ADD_INTEGER || in->op == SL_OP_CLEAR || in->op >= SL_OP_SET_INSERT)
        in->prior_size = 0;
}

static inline void soup_schema_op(soup *s, sl_changeset *cs, sl_instruction *in) {
    if (in->op == SL_OP_ADD_TABLE) {
        in->field = sl_changeset_intern(cs, SL_STR("_id"));
        in->type = SL_TYPE_INT;
        if (!s->consistent && soup_below(s, 20) == 0) in->table_kind = SL_TABLE_ASYMMETRIC;
        return;
    }
    if (in->op == SL_OP_ERASE_TABLE) return;
    in->field = soup_name(s, cs, 'f', s->fields);
    if (in->op == SL_OP_ERASE_COLUMN) return;
    bool link = cs->strings[in->field].data[1] == 'a';
    in->type = link ? SL_TYPE_LINK : SL_TYPE_INT;
    in->nullable = link;
    if (link) in->target = soup_name(s, cs, 'C', 1);
}

/* Appends one random instruction; `schema` permits schema instructions. */
static inline void soup_add(soup *s, sl_changeset *cs, bool schema) {
    static const sl_op ops[] = {SL_OP_ADD_TABLE,    SL_OP_ERASE_TABLE,  SL_OP_ADD_COLUMN,
                                SL_OP_ADD_COLUMN,   SL_OP_ERASE_COLUMN, SL_OP_CREATE_OBJECT,
                                SL_OP_ERASE_OBJECT, SL_OP_UPDATE,       SL_OP_UPDATE,
                                SL_OP_UPDATE,       SL_OP_ADD_INTEGER,  SL_OP_ARRAY_INSERT,
                                SL_OP_ARRAY_INSERT, SL_OP_ARRAY_MOVE,   SL_OP_ARRAY_ERASE,
                                SL_OP_CLEAR,        SL_OP_SET_INSERT,   SL_OP_SET_ERASE};
    uint32_t first = schema && soup_below(s, 4) == 0 ? 0 : 5;
    sl_op op = ops[first + soup_below(s, (uint32_t)(sizeof ops / sizeof *ops) - first)];
    uint32_t cls = soup_name(s, cs, 'C', s->classes);
    sl_instruction in = {
        .op = (uint8_t)op, .class_name = cls, .field = SL_NO_SYM, .target = SL_NO_SYM};
    if (op <= SL_OP_ERASE_TABLE || op == SL_OP_ADD_COLUMN || op == SL_OP_ERASE_COLUMN) {
        soup_schema_op(s, cs, &in);
    } else {
        in.key = (sl_key){.type = SL_TYPE_INT, .integer = soup_below(s, s->objects)};
        if (sl_op_has_path(in.op)) soup_path_op(s, cs, &in);
    }
    sl_instruction *slot = sl_changeset_append(cs, op);
    if (!slot) abort();
    *slot = in;
}

/* A side of up to `changesets` changesets with `instructions` in all. */
static inline void soup_side(soup *s, merge_side *side, size_t changesets, size_t instructions,
                             uint64_t file, bool schema) {
    side_open(side, changesets, NULL);
    for (size_t i = 0; i < changesets; i++) {
        side->items[i].origin_file = file + 2 * soup_below(s, 2);
        side->items[i].origin_timestamp = 10 + soup_below(s, 6);
    }
    for (size_t j = 0; j < instructions; j++)
        soup_add(s, &side->changesets[soup_below(s, (uint32_t)changesets)], schema);
}

#endif
