/* Everything two devices can do to a small realm: each edit against each edit, each two edits in a
 * row against each edit of the same property, and for lists two against two; in every order of age
 * and of file ident. Both devices must end up with the same state, except for the documented gaps
 * (protocol/3-transform.md, 11), which are recognised by their ingredients and counted.
 *
 * SYNCLINE_EXHAUSTIVE=1 adds two against two for every property. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "merge_case.h"
#include "merge_state.h"
#include "realm/read.h"

static const char schema[] =
    "table A(_id:int); embedded E; table B(_id:int); column E.i:int; column E.j:int;"
    "column A.i:int; column A.q:int?; column A.m:mixed; column A.li:int[]; column A.s:int();"
    "column A.d:mixed{}; column A.e:->E?; column A.f:->E?; column A.le:->E[]; column B.x:int";

static const char base[] =
    "create A1; create A2; create B2; ins A1.li[0] 10 |0|; ins A1.li[1] 11 |1|;"
    "ins A1.li[2] 12 |2|; add A1.s 1; add A1.s 2; A1.d.k = 1; A1.d.l = list;"
    "ins A1.d.l[0] 1 |0|; A1.e = object; A1.e.i = 5; ins A1.le[0] object |0|; A1.le[0].i = 10;"
    "ins A1.le[1] object |1|; A1.le[1].i = 11; A1.m = list; ins A1.m[0] list |0|;"
    "ins A1.m[0][0] 1 |0|; ins A1.m[0][1] 2 |1|; ins A1.m[1] 5 |1|; ins A1.m[2] dict |2|;"
    "A1.m[2].k = 1";

enum { MAX_EDITS = 128, PAD = 7, MAX_STEPS = 2 };

/* What a sequence consists of, as far as a gap can depend on it. */
typedef struct ingredients {
    uint32_t classes; /* bit per first letter */
    bool erases_column, other_than_update;
    char field[24];
    uint32_t inner_moves;            /* bit k: a move at depth k */
    uint32_t clears_element;         /* bit k: a Clear whose path ends with an index at depth k */
    uint32_t list_ops;               /* bit k: insertion, erasure or move at depth k */
    uint32_t depths;                 /* bit k: any path of k steps */
    uint32_t keeps_list, keeps_dict; /* bit k: UPDATE to a collection where there is one */
    uint32_t sets_list, sets_dict;   /* bit k: UPDATE to list or dictionary */
    uint32_t sets_other;             /* bit k: UPDATE to anything else */
    uint32_t removes;                /* bit k: UPDATE erased */
    uint32_t clears;                 /* bit k: Clear */
} ingredients;

/* One or two edits in a row, possible from the base. */
typedef struct edit {
    char text[160];
    sl_buf bytes[MAX_STEPS]; /* one changeset per step */
    int steps;
    bool keeps[MAX_STEPS];
    bool schema;
    ingredients what;
} edit;

typedef struct edits {
    edit *list;
    size_t count, capacity;
} edits;

typedef struct lab {
    sl_realm *realm;
    sl_savepoint base;
    sl_changeset cs;
    bool keeps; /* of the edit that was tried last */
    uint64_t cases, gaps, diverging_gaps;
} lab;

/* ---- making edits ---- */

/* The kind of node at the place of an instruction; -1 if there is none. */
static int kind_at(lab *l, const sl_instruction *in) {
    sl_view view;
    sl_step steps[4];
    bool found = false;
    if (in->path_size > 4) return -1;
    for (uint32_t k = 0; k < in->path_size; k++) {
        const sl_path_elem *step = &in->path[k];
        steps[k] = (sl_step){step->is_index, step->number, SL_STR("")};
        if (!step->is_index) steps[k].name = l->cs.strings[step->number];
    }
    sl_place place = {l->cs.strings[in->class_name], in->key, l->cs.strings[in->field], steps,
                      in->path_size};
    if (!sl_realm_get(l->realm, &place, &view, &found, NULL) || !found) return -1;
    return view.kind;
}

/* Whether the place of an UPDATE already holds the kind of collection that it assigns. */
static bool keeps(lab *l, const sl_instruction *in) {
    if (in->op != SL_OP_UPDATE) return false;
    if (in->value.type == SL_TYPE_LIST) return kind_at(l, in) == SL_NODE_LIST;
    return in->value.type == SL_TYPE_DICTIONARY && kind_at(l, in) == SL_NODE_DICT;
}

/* A device clears only what it sees. */
static bool clears_something_else(lab *l, const sl_instruction *in) {
    static const int kinds[] = {-1, SL_NODE_LIST, SL_NODE_DICT, SL_NODE_SET};
    return in->op == SL_OP_CLEAR && kind_at(l, in) != kinds[in->collection & 3];
}

static bool try_text(lab *l, const char *text, sl_buf *bytes) {
    sl_changeset_reset(&l->cs);
    sl_buf_clear(bytes);
    if (!notation_read(&l->cs, text)) abort();
    const sl_instruction *in = &l->cs.instructions[0];
    bool exists = false;
    if (in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT) {
        if (!sl_realm_exists(l->realm, l->cs.strings[in->class_name], &in->key, &exists, NULL))
            return false;
        if (exists == (in->op == SL_OP_CREATE_OBJECT)) return false;
    }
    l->keeps = keeps(l, in);
    if (clears_something_else(l, in)) return false;
    return sl_realm_apply(l->realm, &l->cs, NULL) &&
           sl_changeset_encode(&l->cs, SL_ENCODE_UPFRONT, bytes, NULL);
}

/* Applies `pattern` with the size of the list in place of '#'; false if a device could not do it.
 */
static bool try_pattern(lab *l, const char *pattern, char *text, sl_buf *bytes) {
    const char *hole = strchr(pattern, '#');
    if (!hole) {
        strcpy(text, pattern);
        return try_text(l, text, bytes);
    }
    for (int size = 0; size < 6; size++) {
        sprintf(text, "%.*s%d%s", (int)(hole - pattern), pattern, size, hole + 1);
        if (try_text(l, text, bytes)) return true;
    }
    return false;
}

static void note(ingredients *what, const sl_changeset *cs, const sl_instruction *in,
                 bool keeps_it) {
    uint32_t bit = 1u << in->path_size;
    int type = in->value.type;
    bool path = sl_op_has_path(in->op);
    what->classes |= 1u << (cs->strings[in->class_name].data[0] & 31);
    what->erases_column |= in->op == SL_OP_ERASE_COLUMN;
    what->other_than_update |= path && in->op != SL_OP_UPDATE;
    if (!path) return;
    snprintf(what->field, sizeof what->field, "%.*s", (int)cs->strings[in->field].size,
             cs->strings[in->field].data);
    what->depths |= bit;
    if (in->op == SL_OP_ARRAY_MOVE) what->inner_moves |= bit;
    if (in->op >= SL_OP_ARRAY_INSERT && in->op <= SL_OP_ARRAY_ERASE) what->list_ops |= bit;
    if (in->op == SL_OP_CLEAR) what->clears |= bit;
    if (in->op == SL_OP_CLEAR && sl_path_ends_with_index(in)) what->clears_element |= bit;
    if (in->op != SL_OP_UPDATE) return;
    if (keeps_it) *(type == SL_TYPE_LIST ? &what->keeps_list : &what->keeps_dict) |= bit;
    *(type == SL_TYPE_LIST         ? &what->sets_list
      : type == SL_TYPE_DICTIONARY ? &what->sets_dict
                                   : &what->sets_other) |= bit;
    if (type == SL_TYPE_ERASED) what->removes |= bit;
}

static void add_edit(lab *l, edits *all, const edit *made) {
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? all->capacity * 2 : 64;
        all->list = realloc(all->list, all->capacity * sizeof *all->list);
        if (!all->list) abort();
    }
    edit *e = &all->list[all->count++];
    *e = *made;
    for (int i = 0; i < e->steps; i++) {
        sl_changeset_reset(&l->cs);
        if (!sl_changeset_parse(&l->cs, e->bytes[i].data, e->bytes[i].size, NULL)) abort();
        note(&e->what, &l->cs, &l->cs.instructions[0], e->keeps[i]);
        e->schema |= l->cs.instructions[0].op <= SL_OP_ERASE_TABLE ||
                     l->cs.instructions[0].op == SL_OP_ADD_COLUMN ||
                     l->cs.instructions[0].op == SL_OP_ERASE_COLUMN;
    }
}

/* All edits of one step, or all of two steps in a row, that follow the patterns. */
static void make_edits(lab *l, const char *const *patterns, int steps, edits *all) {
    char text[64], second[64];
    for (const char *const *p = patterns; *p; p++) {
        edit e = {.steps = steps};
        sl_buf_init(&e.bytes[0], NULL);
        if (try_pattern(l, *p, text, &e.bytes[0]) && steps == 1) {
            strcpy(e.text, text);
            e.keeps[0] = l->keeps;
            add_edit(l, all, &e);
        } else if (steps == 2 && e.bytes[0].size) {
            e.keeps[0] = l->keeps;
            sl_savepoint after = sl_realm_savepoint(l->realm);
            for (const char *const *q = patterns; *q; q++) {
                edit two = e;
                sl_buf_init(&two.bytes[0], NULL);
                sl_buf_init(&two.bytes[1], NULL);
                if (try_pattern(l, *q, second, &two.bytes[1])) {
                    sl_buf_add(&two.bytes[0], e.bytes[0].data, e.bytes[0].size);
                    two.keeps[1] = l->keeps;
                    sprintf(two.text, "%s; %s", text, second);
                    add_edit(l, all, &two);
                } else {
                    sl_buf_free(&two.bytes[1]);
                }
                if (!sl_realm_rollback_to(l->realm, after, NULL)) abort();
            }
            sl_buf_free(&e.bytes[0]);
        } else {
            sl_buf_free(&e.bytes[0]);
        }
        if (!sl_realm_rollback_to(l->realm, l->base, NULL)) abort();
    }
}

static void free_edits(edits *all) {
    for (size_t i = 0; i < all->count; i++)
        for (int k = 0; k < all->list[i].steps; k++)
            sl_buf_free(&all->list[i].bytes[k]);
    free(all->list);
    *all = (edits){NULL, 0, 0};
}

/* ---- the documented gaps ---- */

static uint32_t below(uint32_t bits) {
    return bits ? (1u << (31 - __builtin_clz(bits))) - 1 : 0;
}

static bool one_sided_gap(const ingredients *a, const ingredients *b) {
    bool same_field = strcmp(a->field, b->field) == 0;
    if (a->erases_column && b->other_than_update) return true; /* G6 */
    if (!same_field) return false;
    if (a->keeps_list & (b->sets_dict | b->sets_other)) return true; /* G1 */
    if (a->keeps_dict & (b->sets_list | b->sets_other)) return true;
    if (a->clears_element & b->list_ops) return true;   /* G2 */
    if (a->removes & b->clears) return true;            /* G3 */
    if (a->inner_moves & below(b->depths)) return true; /* G5 */
    return false;
}

static bool is_gap(const edit *a, const edit *b) {
    return one_sided_gap(&a->what, &b->what) || one_sided_gap(&b->what, &a->what);
}

/* ---- one case ---- */

/* Ages of the steps: both sides' changesets by position; file idents decide ties. */
typedef struct order {
    uint64_t left[MAX_STEPS], right[MAX_STEPS], left_file, right_file;
} order;

static const order orders[] = {
    {{10, 10}, {20, 20}, 2, 3}, {{30, 30}, {20, 20}, 2, 3}, {{20, 20}, {20, 20}, 2, 3},
    {{20, 20}, {20, 20}, 3, 2}, {{10, 30}, {20, 20}, 2, 3}, {{30, 10}, {20, 20}, 2, 3},
    {{10, 30}, {20, 40}, 2, 3}, {{20, 40}, {10, 30}, 2, 3}, {{10, 40}, {20, 30}, 2, 3}};

static void load(merge_side *side, const edit *e, const uint64_t *times, uint64_t file) {
    side->count = (size_t)e->steps;
    for (int i = 0; i < e->steps; i++) {
        sl_changeset_reset(&side->changesets[i]);
        if (!sl_changeset_parse(&side->changesets[i], e->bytes[i].data, e->bytes[i].size, NULL))
            abort();
        side->items[i].origin_timestamp = times[i];
        side->items[i].origin_file = file;
    }
}

/* Unrelated work that makes the merge large enough for the index. */
static void pad(merge_side *side, int first) {
    sl_changeset *cs = &side->changesets[0];
    uint32_t cls = sl_changeset_intern(cs, SL_STR("X"));
    for (int i = 0; i < PAD; i++) {
        sl_instruction *in = sl_changeset_append(cs, SL_OP_CREATE_OBJECT);
        if (!in) abort();
        in->class_name = cls;
        in->key = (sl_key){.type = SL_TYPE_INT, .integer = first + i};
    }
}

static void unpad(merge_side *side) {
    side->changesets[0].count -= PAD;
}

static void put_side(const merge_side *side, sl_buf *out) {
    for (size_t i = 0; i < side->count; i++) {
        sl_buf_byte(out, side->items[i].modified);
        sl_buf_printf(out, "%u:", side->changesets[i].count);
        notation_write(&side->changesets[i], out);
    }
}

static void merge(const edit *a, const edit *b, const order *o, merge_side *left, merge_side *right,
                  int variant, bool padded, sl_buf *out) {
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.no_index = variant == 0};
    bool swapped = variant == 2;
    load(left, a, o->left, o->left_file);
    load(right, b, o->right, o->right_file);
    if (padded) {
        pad(left, 1000);
        pad(right, 2000);
    }
    merge_side *local = swapped ? right : left, *incoming = swapped ? left : right;
    if (!sl_transform(local->items, local->count, incoming->items, incoming->count, &options, &st))
        fail_msg("%s · %s: %s %s", a->text, b->text, st.id, st.message);
    if (padded) {
        unpad(left);
        unpad(right);
    }
    sl_buf_clear(out);
    put_side(left, out);
    put_side(right, out);
}

static void put_state(lab *l, bool everything, sl_buf *out) {
    static const char classes[] = "AAABB";
    static const int64_t keys[] = {1, 2, 3, 1, 2};
    sl_buf_clear(out);
    if (everything) {
        if (!sl_realm_state_text(l->realm, out, NULL)) abort();
        return;
    }
    for (int i = 0; i < 5; i++) {
        const sl_object *object = NULL;
        sl_key key = {.type = SL_TYPE_INT, .integer = keys[i]};
        if (!sl_realm_object(l->realm, sl_str_of(&classes[i], 1), &key, &object, NULL)) abort();
        if (object && !sl_realm_state_object(l->realm, object, out, NULL)) abort();
    }
}

/* One order of application: the original edits of a device, then what it receives. */
static bool device(lab *l, const edit *own, const merge_side *received, merge_side *scratch,
                   bool everything, sl_buf *out, sl_status *st) {
    static const uint64_t none[MAX_STEPS];
    load(scratch, own, none, 0);
    bool ok = state_apply(l->realm, scratch, st) && state_apply(l->realm, received, st);
    if (ok) put_state(l, everything, out);
    if (!sl_realm_rollback_to(l->realm, l->base, NULL)) abort();
    return ok;
}

static void check(lab *l, const edit *a, const edit *b, const order *o) {
    static merge_side left, right, scratch;
    static sl_buf want, got, seen[2];
    if (!left.changesets) {
        side_open(&left, MAX_STEPS, NULL);
        side_open(&right, MAX_STEPS, NULL);
        side_open(&scratch, MAX_STEPS, NULL);
    }
    merge(a, b, o, &left, &right, 0, false, &want);
    for (int variant = 1; variant < 4; variant++) {
        merge(a, b, o, &left, &right, variant, variant > 1, &got);
        if (!buf_same(&want, &got))
            fail_msg("%s · %s: variant %d gives\n%.*s\nnot\n%.*s", a->text, b->text, variant,
                     (int)got.size, got.data, (int)want.size, want.data);
    }
    sl_status st = SL_STATUS_INIT;
    bool everything = a->schema || b->schema, gap = is_gap(a, b);
    bool ok = device(l, a, &right, &scratch, everything, &seen[0], &st) &&
              device(l, b, &left, &scratch, everything, &seen[1], &st);
    bool same = ok && buf_same(&seen[0], &seen[1]);
    l->cases++;
    l->gaps += gap;
    l->diverging_gaps += gap && !same;
    if (same || gap) return;
    fail_msg("%s @%d/%d · %s @%d/%d: %s %s\nmerged: %.*s\nleft device:\n%.*s\nright device:\n%.*s",
             a->text, (int)o->left[0], (int)o->left_file, b->text, (int)o->right[0],
             (int)o->right_file, st.id, st.message, (int)want.size, want.data, (int)seen[0].size,
             seen[0].data, (int)seen[1].size, seen[1].data);
}

static void check_all(lab *l, const edits *as, const edits *bs, size_t first_order,
                      size_t order_count) {
    for (size_t i = 0; i < as->count; i++)
        for (size_t j = 0; j < bs->count; j++)
            for (size_t k = 0; k < order_count; k++)
                check(l, &as->list[i], &bs->list[j], &orders[first_order + k]);
}

/* ---- what can be done ---- */

static const char *const numbers[] = {"A1.i = 1", "A1.i = 2 default", "A1.i += 1", "A1.i += 5",
                                      NULL};
static const char *const nullable_numbers[] = {"A1.q = null", "A1.q = 7", "A1.q = 8 default",
                                               "A1.q += 2", NULL};
static const char *const list[] = {"ins A1.li[0] 1 |#|",
                                   "ins A1.li[1] 2 |#|",
                                   "ins A1.li[2] 3 |#|",
                                   "ins A1.li[3] 4 |#|",
                                   "ins A1.li[4] 5 |#|",
                                   "A1.li[0] = 6 |#|",
                                   "A1.li[1] = 7 |#|",
                                   "A1.li[2] = 8 |#|",
                                   "A1.li[3] = 9 |#|",
                                   "del A1.li[0] |#|",
                                   "del A1.li[1] |#|",
                                   "del A1.li[2] |#|",
                                   "del A1.li[3] |#|",
                                   "mov A1.li[0>1] |#|",
                                   "mov A1.li[0>2] |#|",
                                   "mov A1.li[1>0] |#|",
                                   "mov A1.li[1>2] |#|",
                                   "mov A1.li[2>0] |#|",
                                   "mov A1.li[2>1] |#|",
                                   "mov A1.li[0>3] |#|",
                                   "mov A1.li[3>0] |#|",
                                   "clr A1.li list",
                                   NULL};
static const char *const set[] = {"add A1.s 1", "add A1.s 2", "add A1.s 3",   "rem A1.s 1",
                                  "rem A1.s 2", "rem A1.s 3", "clr A1.s set", NULL};
static const char *const dictionary[] = {"A1.d.k = 2",
                                         "A1.d.k = erased",
                                         "A1.d.j = 3",
                                         "A1.d.j = list",
                                         "A1.d.k = list",
                                         "A1.d.k += 1",
                                         "ins A1.d.l[0] 4 |#|",
                                         "ins A1.d.l[1] 5 |#|",
                                         "del A1.d.l[0] |#|",
                                         "A1.d.l[0] = 6 |#|",
                                         "A1.d.l = erased",
                                         "A1.d.l = 7",
                                         "clr A1.d.l list",
                                         "clr A1.d dict",
                                         "A1.d.l = dict",
                                         "A1.d.l.x = 1",
                                         NULL};
static const char *const embedded[] = {
    "A1.e = null", "A1.e = object", "A1.e.i = 1",  "A1.e.i = 2 default", "A1.e.i += 3",
    "A1.e.j = 4",  "A1.f = object", "A1.f = null", "A1.f.i = 1",         "A1.f.j += 1",
    NULL};
static const char *const embedded_list[] = {
    "ins A1.le[0] object |#|", "ins A1.le[1] object |#|", "ins A1.le[2] object |#|",
    "ins A1.le[3] object |#|", "del A1.le[0] |#|",        "del A1.le[1] |#|",
    "del A1.le[2] |#|",        "mov A1.le[0>1] |#|",      "mov A1.le[1>0] |#|",
    "mov A1.le[0>2] |#|",      "clr A1.le list",          "A1.le[0].i = 1",
    "A1.le[1].i = 2",          "A1.le[2].i = 3",          "A1.le[0].i += 4",
    "A1.le[1].j += 5",         "A1.le[1].i = 6 default",  NULL};
static const char *const mixed[] = {"A1.m = null",
                                    "A1.m = 3",
                                    "A1.m = list",
                                    "A1.m = dict",
                                    "A1.m += 1",
                                    "clr A1.m list",
                                    "clr A1.m dict",
                                    "A1.m.k = 1",
                                    "ins A1.m[0] 1 |#|",
                                    "ins A1.m[1] list |#|",
                                    "ins A1.m[3] dict |#|",
                                    "del A1.m[0] |#|",
                                    "del A1.m[1] |#|",
                                    "del A1.m[2] |#|",
                                    "mov A1.m[0>1] |#|",
                                    "mov A1.m[2>0] |#|",
                                    "A1.m[0] = 8 |#|",
                                    "A1.m[1] = 9 |#|",
                                    "A1.m[0] = dict |#|",
                                    "A1.m[1] += 2",
                                    "ins A1.m[0][0] 1 |#|",
                                    "ins A1.m[0][2] 2 |#|",
                                    "del A1.m[0][0] |#|",
                                    "del A1.m[0][1] |#|",
                                    "mov A1.m[0][0>1] |#|",
                                    "A1.m[0][1] = 7 |#|",
                                    "clr A1.m[0] list",
                                    "A1.m[2].k = 2",
                                    "A1.m[2].k = erased",
                                    "A1.m[2].j = 4",
                                    "clr A1.m[2] dict",
                                    "A1.m[2].k += 1",
                                    NULL};
static const char *const objects[] = {"create A3",          "erase A1",   "erase A2",
                                      "create A1",          "create A2",  "A3.i = 1",
                                      "A2.i = 2",           "A2.q += 1",  "A2.li[0] = 1 |#|",
                                      "ins A2.li[0] 1 |#|", "add A2.s 1", "A2.e = object",
                                      "erase A3",           NULL};
static const char *const schema_edits[] = {"table N(_id:int)",
                                           "column N.x:int",
                                           "create N1",
                                           "N1.x = 1",
                                           "embedded M",
                                           "column B.y:int",
                                           "column B.z:->A?",
                                           "drop column B.x",
                                           "drop table B",
                                           "create B1",
                                           "B2.x = 1",
                                           "B2.x += 1",
                                           "erase B2",
                                           "column A.z:->B?",
                                           "A1.z = B2",
                                           "drop column B.y",
                                           "drop table N",
                                           "B2.y = 2",
                                           NULL};

static const struct {
    const char *name;
    const char *const *patterns;
} properties[] = {{"number", numbers},
                  {"nullable number", nullable_numbers},
                  {"list", list},
                  {"set", set},
                  {"dictionary", dictionary},
                  {"embedded object", embedded},
                  {"embedded list", embedded_list},
                  {"mixed", mixed},
                  {"objects", objects},
                  {"schema", schema_edits}};

enum { PROPERTIES = sizeof properties / sizeof *properties };

static void open_lab(lab *l) {
    *l = (lab){.realm = NULL};
    sl_changeset_init(&l->cs, NULL);
    assert_true(sl_realm_open(&l->realm, NULL, NULL));
    assert_true(sl_realm_begin(l->realm, NULL));
    const char *texts[] = {schema, base};
    for (int i = 0; i < 2; i++) {
        sl_changeset_reset(&l->cs);
        assert_true(notation_read(&l->cs, texts[i]));
        assert_true(sl_realm_apply(l->realm, &l->cs, NULL));
    }
    l->base = sl_realm_savepoint(l->realm);
}

static void close_lab(lab *l, const char *what) {
    print_message("%s: %llu cases, %llu with the ingredients of a gap, of which %llu diverge\n",
                  what, (unsigned long long)l->cases, (unsigned long long)l->gaps,
                  (unsigned long long)l->diverging_gaps);
    sl_changeset_free(&l->cs);
    sl_realm_close(l->realm);
}

static void every_edit_against_every_edit(void **state) {
    (void)state;
    lab l;
    edits all = {NULL, 0, 0};
    open_lab(&l);
    for (size_t i = 0; i < PROPERTIES; i++)
        make_edits(&l, properties[i].patterns, 1, &all);
    check_all(&l, &all, &all, 0, 4);
    free_edits(&all);
    close_lab(&l, "pairs");
}

static void two_edits_against_one(void **state) {
    (void)state;
    for (size_t i = 0; i < PROPERTIES; i++) {
        lab l;
        edits one = {NULL, 0, 0}, two = {NULL, 0, 0};
        open_lab(&l);
        make_edits(&l, properties[i].patterns, 1, &one);
        make_edits(&l, properties[i].patterns, 2, &two);
        check_all(&l, &two, &one, 0, 6);
        free_edits(&one);
        free_edits(&two);
        close_lab(&l, properties[i].name);
    }
}

static void two_against_two(const char *name, const char *const *patterns, size_t first,
                            size_t count) {
    lab l;
    edits two = {NULL, 0, 0};
    open_lab(&l);
    make_edits(&l, patterns, 2, &two);
    check_all(&l, &two, &two, first, count);
    free_edits(&two);
    close_lab(&l, name);
}

static void two_edits_against_two(void **state) {
    (void)state;
    bool everything = getenv("SYNCLINE_EXHAUSTIVE") != NULL;
    two_against_two("list, two against two", list, 0, everything ? 9 : 2);
    two_against_two("set, two against two", set, 0, 9);
    two_against_two("embedded object, two against two", embedded, 0, 9);
    for (size_t i = 0; everything && i < PROPERTIES; i++)
        two_against_two(properties[i].name, properties[i].patterns, 0, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edit_against_every_edit),
        cmocka_unit_test(two_edits_against_one),
        cmocka_unit_test(two_edits_against_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
