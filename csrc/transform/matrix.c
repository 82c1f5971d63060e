/* Which rule decides about which two kinds, and how one pair is merged. */
#include "transform/rules.h"

enum { AT, ET, AC, EC, CO, EO, UP, AI, LI, LM, LE, CL, SI, SE };

static const uint8_t rank_of[SL_OP_COUNT] = {
    [SL_OP_ADD_TABLE] = AT,    [SL_OP_ERASE_TABLE] = ET,   [SL_OP_ADD_COLUMN] = AC,
    [SL_OP_ERASE_COLUMN] = EC, [SL_OP_CREATE_OBJECT] = CO, [SL_OP_ERASE_OBJECT] = EO,
    [SL_OP_UPDATE] = UP,       [SL_OP_ADD_INTEGER] = AI,   [SL_OP_ARRAY_INSERT] = LI,
    [SL_OP_ARRAY_MOVE] = LM,   [SL_OP_ARRAY_ERASE] = LE,   [SL_OP_CLEAR] = CL,
    [SL_OP_SET_INSERT] = SI,   [SL_OP_SET_ERASE] = SE,
};

/* Row <= column. Empty cells: both instructions are kept unchanged. */
static const sl_matrix_cell flat[SL_OP_COUNT][SL_OP_COUNT] = {
    [AT][AT] = {"F1", sl_rule_add_table_add_table},
    [AT][ET] = {"F2", sl_rule_add_table_erase_table},
    [ET][ET] = {"F3", sl_rule_erase_table_erase_table},
    [ET][AC] = {"F4", sl_rule_erase_table_add_column},
    [AC][AC] = {"F5", sl_rule_add_column_add_column},
    [AC][EC] = {"F6", sl_rule_add_column_erase_column},
    [EC][EC] = {"F7", sl_rule_erase_column_erase_column},
    [EC][UP] = {"F8", sl_rule_erase_column_update},
    [CO][EO] = {"F9", sl_rule_create_erase},
    [EO][EO] = {"F10", sl_rule_erase_erase},
    [UP][UP] = {"F11", sl_rule_update_update},
    [UP][AI] = {"F12", sl_rule_update_add},
    [UP][LI] = {"F13", sl_rule_update_insert},
    [UP][LM] = {"F14", sl_rule_update_move},
    [UP][LE] = {"F15", sl_rule_update_erase},
    [UP][CL] = {"F16", sl_rule_update_clear},
    [AI][CL] = {"F17", sl_rule_add_clear},
    [LI][LI] = {"F18", sl_rule_insert_insert},
    [LI][LM] = {"F19", sl_rule_insert_move},
    [LI][LE] = {"F20", sl_rule_insert_erase},
    [LM][LM] = {"F21", sl_rule_move_move},
    [LM][LE] = {"F22", sl_rule_move_erase},
    [LE][LE] = {"F23", sl_rule_list_erase_erase},
    [CL][CL] = {"F24", sl_rule_clear_clear},
    [CL][SI] = {"F25", sl_rule_clear_element},
    [CL][SE] = {"F26", sl_rule_clear_element},
    [SI][SI] = {"F27", sl_rule_set_insert_insert},
    [SI][SE] = {"F28", sl_rule_set_insert_erase},
    [SE][SE] = {"F29", sl_rule_set_erase_erase},
};

static const sl_matrix_cell nested[SL_OP_COUNT] = {
    [ET] = {"N1", sl_rule_in_erased_table}, [EO] = {"N2", sl_rule_in_erased_object},
    [UP] = {"N3", sl_rule_in_update},       [AI] = {"N4", sl_rule_in_add},
    [LI] = {"N5", sl_rule_in_insert},       [LM] = {"N6", sl_rule_in_move},
    [LE] = {"N7", sl_rule_in_list_erase},   [CL] = {"N8", sl_rule_in_clear},
};

unsigned sl_matrix_rank(uint8_t op) {
    return rank_of[op];
}

const sl_matrix_cell *sl_matrix_flat(uint8_t op, uint8_t other) {
    uint8_t row = rank_of[op], column = rank_of[other];
    return row <= column ? &flat[row][column] : &flat[column][row];
}

const sl_matrix_cell *sl_matrix_nested(uint8_t outer) {
    return &nested[rank_of[outer]];
}

#define BIT(name) (1u << SL_OP_##name)
#define LIST_OPS  (BIT(ARRAY_INSERT) | BIT(ARRAY_MOVE) | BIT(ARRAY_ERASE))
#define SET_OPS   (BIT(SET_INSERT) | BIT(SET_ERASE))

/* The cells of `flat` that are not empty, as bit sets; a test compares the two. */
const uint32_t sl_matrix_partners[SL_OP_COUNT] = {
    [SL_OP_ADD_TABLE] = BIT(ADD_TABLE) | BIT(ERASE_TABLE),
    [SL_OP_ERASE_TABLE] = BIT(ADD_TABLE) | BIT(ERASE_TABLE) | BIT(ADD_COLUMN),
    [SL_OP_CREATE_OBJECT] = BIT(ERASE_OBJECT),
    [SL_OP_ERASE_OBJECT] = BIT(CREATE_OBJECT) | BIT(ERASE_OBJECT),
    [SL_OP_UPDATE] = BIT(UPDATE) | BIT(ADD_INTEGER) | BIT(ERASE_COLUMN) | BIT(CLEAR) | LIST_OPS,
    [SL_OP_ADD_INTEGER] = BIT(UPDATE) | BIT(CLEAR),
    [SL_OP_ADD_COLUMN] = BIT(ERASE_TABLE) | BIT(ADD_COLUMN) | BIT(ERASE_COLUMN),
    [SL_OP_ERASE_COLUMN] = BIT(ADD_COLUMN) | BIT(ERASE_COLUMN) | BIT(UPDATE),
    [SL_OP_ARRAY_INSERT] = BIT(UPDATE) | LIST_OPS,
    [SL_OP_ARRAY_MOVE] = BIT(UPDATE) | LIST_OPS,
    [SL_OP_ARRAY_ERASE] = BIT(UPDATE) | LIST_OPS,
    [SL_OP_CLEAR] = BIT(UPDATE) | BIT(ADD_INTEGER) | BIT(CLEAR) | SET_OPS,
    [SL_OP_SET_INSERT] = BIT(CLEAR) | SET_OPS,
    [SL_OP_SET_ERASE] = BIT(CLEAR) | SET_OPS,
};
const uint32_t sl_matrix_outers =
    BIT(ERASE_TABLE) | BIT(ERASE_OBJECT) | BIT(UPDATE) | BIT(ADD_INTEGER) | BIT(CLEAR) | LIST_OPS;

/* What an observer is told about: the two operands before the rule. */
typedef struct before_rule {
    sl_instruction local, incoming;
    sl_path_elem local_path[SL_MAX_PATH], incoming_path[SL_MAX_PATH];
} before_rule;

static int64_t number_of(const sl_instruction *in) {
    return in->value.type == SL_TYPE_INT ? in->value.integer : 0;
}

static bool differs(const sl_instruction *a, const sl_instruction *b) {
    if (a->prior_size != b->prior_size || a->to != b->to || number_of(a) != number_of(b))
        return true;
    for (uint32_t k = 0; k < a->path_size; k++)
        if (a->path[k].number != b->path[k].number) return true;
    return false;
}

static void report(sl_merge *m, const char *rule, const sl_merge_node *node,
                   const sl_merge_node *other, const sl_instruction *before,
                   const sl_instruction *other_before) {
    sl_path_elem path[SL_MAX_PATH];
    sl_instruction after;
    sl_merge_picture(node, &after, path);
    if (!node->dropped && !differs(before, &after)) return;
    sl_merge_event event = {.rule = rule,
                            .local = node->local,
                            .dropped = node->dropped,
                            .item = node->entry,
                            .other_item = other->entry,
                            .changeset = sl_merge_entry_of(m, node)->cs,
                            .other_changeset = sl_merge_entry_of(m, other)->cs,
                            .before = before,
                            .after = node->dropped ? NULL : &after,
                            .other = other_before};
    m->options.explain(m->options.explain_ctx, &event);
}

static unsigned apply(sl_merge *m, const sl_matrix_cell *cell, sl_merge_node *x, sl_merge_node *y) {
    unsigned verdict = cell->apply(m, x, y);
    if (m->failed) return SL_MERGE_FAILED;
    if (verdict & SL_DROP_X) sl_merge_drop(m, x);
    if (verdict & SL_DROP_Y) sl_merge_drop(m, y);
    return verdict;
}

static unsigned apply_explained(sl_merge *m, const sl_matrix_cell *cell, sl_merge_node *x,
                                sl_merge_node *y) {
    before_rule before;
    sl_merge_node *local = x->local ? x : y, *incoming = x->local ? y : x;
    sl_merge_picture(local, &before.local, before.local_path);
    sl_merge_picture(incoming, &before.incoming, before.incoming_path);
    unsigned verdict = apply(m, cell, x, y);
    if (verdict == SL_MERGE_FAILED) return verdict;
    report(m, cell->name, local, incoming, &before.local, &before.incoming);
    report(m, cell->name, incoming, local, &before.incoming, &before.local);
    return verdict;
}

static unsigned decide(sl_merge *m, const sl_matrix_cell *cell, sl_merge_node *x,
                       sl_merge_node *y) {
    if (!cell->apply) return 0;
    return m->options.explain ? apply_explained(m, cell, x, y) : apply(m, cell, x, y);
}

/* With unequal depths only these two flat rules can have an effect (3.5). */
static bool flat_across_depths(const sl_merge_node *x, const sl_merge_node *y) {
    return (x->op == SL_OP_ERASE_TABLE && y->op == SL_OP_ADD_COLUMN) ||
           (x->op == SL_OP_ERASE_COLUMN && y->op == SL_OP_UPDATE);
}

bool sl_merge_pair(sl_merge *m, sl_merge_node *local, sl_merge_node *incoming) {
    if (local->depth != incoming->depth) {
        bool local_outer = local->depth < incoming->depth;
        sl_merge_node *outer = local_outer ? local : incoming;
        sl_merge_node *inner = local_outer ? incoming : local;
        decide(m, &nested[rank_of[outer->op]], outer, inner);
        if (m->failed) return false;
        if (inner->dropped || !flat_across_depths(outer, inner)) return true;
    }
    bool local_first = rank_of[local->op] <= rank_of[incoming->op];
    sl_merge_node *x = local_first ? local : incoming, *y = local_first ? incoming : local;
    decide(m, &flat[rank_of[x->op]][rank_of[y->op]], x, y);
    return !m->failed;
}
