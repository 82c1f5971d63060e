/* One pass from the last instruction to the first. Time is the index of an instruction: a place
 * remembers the Update met last (the next one in order), and class, object and field remember the
 * instruction met last that cut them off. An Update is overwritten if the next Update of its place
 * does not come after a cut. */
#include "changeset/compact.h"
#include "base/strmap.h"

enum { NEVER = UINT32_MAX };

typedef enum level { OBJECT, FIELD, PLACE } level;

/* One object, field of an object, or place, named by an instruction that addresses it. */
typedef struct node {
    uint32_t example; /* index of that instruction + 1; 0 = free slot */
    uint32_t at;      /* OBJECT, FIELD: the last cut; PLACE: the last Update; NEVER */
    uint16_t depth;   /* FIELD: path size of the Updates since the last cut */
    uint8_t level;
} node;

typedef struct table {
    sl_changeset *cs;
    node *nodes;
    size_t mask;
    uint32_t *class_cut; /* by string index */
    uint8_t *drop;       /* by instruction */
} table;

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 32;
}

static uint64_t hash(const sl_instruction *in, level l) {
    uint64_t h = mix(mix(sl_key_hash(&in->key), in->class_name), (uint64_t)l);
    if (l >= FIELD) h = mix(h, in->field);
    for (uint32_t i = 0; l == PLACE && i < in->path_size; i++)
        h = mix(h, (uint64_t)in->path[i].number << 1 | in->path[i].is_index);
    return h;
}

static bool same_path(const sl_instruction *a, const sl_instruction *b) {
    if (a->path_size != b->path_size) return false;
    for (uint32_t i = 0; i < a->path_size; i++) {
        if (a->path[i].is_index != b->path[i].is_index || a->path[i].number != b->path[i].number)
            return false;
    }
    return true;
}

static bool same(const sl_instruction *a, const sl_instruction *b, level l) {
    return a->class_name == b->class_name && sl_key_eq(&a->key, &b->key) &&
           (l < FIELD || a->field == b->field) && (l < PLACE || same_path(a, b));
}

static node *find(table *t, uint32_t i, level l) {
    const sl_instruction *all = t->cs->instructions;
    size_t at = (size_t)hash(&all[i], l) & t->mask;
    for (node *n; (n = &t->nodes[at])->example; at = (at + 1) & t->mask) {
        if (n->level == l && same(&all[n->example - 1], &all[i], l)) return n;
    }
    t->nodes[at] = (node){i + 1, NEVER, 0, (uint8_t)l};
    return &t->nodes[at];
}

/* A scalar, null or link for a place that is no list element. */
static bool overwrites(const sl_instruction *in) {
    return in->op == SL_OP_UPDATE && in->value.type >= SL_TYPE_NULL && !sl_path_ends_with_index(in);
}

static bool may_go(const sl_instruction *in, const sl_instruction *later) {
    return in->value.type != SL_TYPE_NULL && (!later->is_default || in->is_default);
}

static void visit_update(table *t, uint32_t i) {
    const sl_instruction *in = &t->cs->instructions[i];
    node *field = find(t, i, FIELD);
    /* Paths of one length are equal or unrelated; another length may be above or below. */
    if (field->depth != in->path_size) field->at = i;
    field->depth = in->path_size;
    node *place = find(t, i, PLACE);
    uint32_t later = place->at;
    place->at = i;
    if (later == NEVER || later > field->at || later > find(t, i, OBJECT)->at ||
        later > t->class_cut[in->class_name])
        return;
    t->drop[i] = may_go(in, &t->cs->instructions[later]);
}

static void visit(table *t, uint32_t i) {
    const sl_instruction *in = &t->cs->instructions[i];
    if (overwrites(in)) {
        visit_update(t, i);
    } else if (sl_op_has_path(in->op)) {
        find(t, i, FIELD)->at = i;
    } else if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        find(t, i, OBJECT)->at = i;
    } else {
        t->class_cut[in->class_name] = i;
    }
}

static uint32_t remove_dropped(table *t) {
    sl_changeset *cs = t->cs;
    uint32_t kept = 0, string = 0;
    for (uint32_t i = 0; i < cs->count; i++) {
        for (; string < cs->string_count && cs->string_at[string] <= i; string++)
            cs->string_at[string] = kept;
        if (!t->drop[i]) cs->instructions[kept++] = cs->instructions[i];
    }
    for (; string < cs->string_count; string++)
        cs->string_at[string] = kept;
    uint32_t dropped = cs->count - kept;
    cs->count = kept;
    return dropped;
}

static bool table_init(table *t, sl_changeset *cs) {
    size_t capacity = 16;
    while (capacity / 4 < cs->count)
        capacity *= 2;
    const sl_alloc *alloc = cs->arena.alloc;
    *t = (table){cs, sl_new_zero(alloc, capacity, sizeof *t->nodes), capacity - 1,
                 sl_new_zero(alloc, (size_t)cs->string_count + 1, sizeof *t->class_cut),
                 sl_new_zero(alloc, (size_t)cs->count + 1, 1)};
    if (!t->nodes || !t->class_cut || !t->drop) return false;
    for (uint32_t i = 0; i < cs->string_count; i++)
        t->class_cut[i] = NEVER;
    return true;
}

bool sl_changeset_compact(sl_changeset *cs, uint32_t *dropped, sl_status *st) {
    if (dropped) *dropped = 0;
    table t;
    bool ok = table_init(&t, cs);
    if (ok) {
        for (uint32_t i = cs->count; i-- > 0;)
            visit(&t, i);
        uint32_t n = remove_dropped(&t);
        if (dropped) *dropped = n;
    }
    sl_delete(cs->arena.alloc, t.nodes);
    sl_delete(cs->arena.alloc, t.class_cut);
    sl_delete(cs->arena.alloc, t.drop);
    return ok || sl_fail_memory(st);
}
