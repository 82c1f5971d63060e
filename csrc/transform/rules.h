/* rules.h - the merge rules and their matrix; private to the transform room.
 * Source: protocol/3-transform.md, 3.5, 4, 5 and 6. */
#ifndef SL_TRANSFORM_RULES_H
#define SL_TRANSFORM_RULES_H

#include "transform/merge.h"

/* A rule looks at two instructions of different sides, changes them in place and says which of them
 * to drop. Flat rules (F): x is the one whose kind comes first in the matrix, the local one if both
 * are of one kind. Nested rules (N): x is the outer one, y the inner one. */
typedef unsigned (*sl_merge_rule)(sl_merge *m, sl_merge_node *x, sl_merge_node *y);

typedef struct sl_matrix_cell {
    const char *name;    /* "F1" ...; NULL: no rule, both are kept as they are */
    sl_merge_rule apply; /* NULL together with `name` */
} sl_matrix_cell;

/* The place of a kind in the rows and columns of the matrix: 0 .. SL_OP_COUNT-1. */
unsigned sl_matrix_rank(uint8_t op);
/* The flat rule of two kinds, in any order. Never NULL. */
const sl_matrix_cell *sl_matrix_flat(uint8_t op, uint8_t other);
/* The nested rule of the outer instruction's kind. Never NULL. */
const sl_matrix_cell *sl_matrix_nested(uint8_t outer);
/* Bit set (1 << op) of the kinds that have a flat rule with `op`, and of those that can be outer.
 */
extern const uint32_t sl_matrix_partners[SL_OP_COUNT];
extern const uint32_t sl_matrix_outers;

/* Merges a local and an incoming instruction in place (3.5). False: `m` has failed. */
bool sl_merge_pair(sl_merge *m, sl_merge_node *local, sl_merge_node *incoming);

/* Puts an ERASE_COLUMN for the column that `add` adds in front of `erase` (rule F4). False: no
 * memory (reported). */
bool sl_merge_insert_erase_column(sl_merge *m, sl_merge_node *erase, const sl_merge_node *add);

/* The rejection that belongs to a failed check of slot.h. */
unsigned sl_merge_reject_slot(sl_merge *m, unsigned verdict, const sl_merge_node *x,
                              const sl_merge_node *y);

static inline bool sl_older(const sl_merge_node *x, const sl_merge_node *y) {
    return x->age < y->age;
}

static inline bool sl_same_field(const sl_merge_node *x, const sl_merge_node *y) {
    return x->object == y->object && x->field == y->field;
}

/* 3.4: class and column, of instructions that name a column. */
static inline bool sl_same_column(const sl_merge_node *x, const sl_merge_node *y) {
    return x->class_name == y->class_name && x->field == y->field;
}

static inline bool sl_same_steps(const sl_merge_node *x, const sl_merge_node *y, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        if (x->path[k] != y->path[k]) return false;
    return true;
}

static inline bool sl_same_path(const sl_merge_node *x, const sl_merge_node *y) {
    return sl_same_field(x, y) && x->path_size == y->path_size && sl_same_steps(x, y, x->path_size);
}

/* 3.4: slots of one list. Only asked where at least one path is not empty. */
static inline bool sl_siblings(const sl_merge_node *x, const sl_merge_node *y) {
    return x->path_size == y->path_size && sl_same_field(x, y) && x->path_size > 0 &&
           sl_same_steps(x, y, x->path_size - 1u);
}

static inline bool sl_inside(const sl_merge_node *outer, const sl_merge_node *inner) {
    return outer->path_size < inner->path_size && sl_same_field(outer, inner) &&
           sl_same_steps(outer, inner, outer->path_size);
}

static inline bool sl_passes(const sl_merge_node *outer, const sl_merge_node *inner) {
    return outer->path_size >= 1 && outer->path_size < inner->path_size &&
           sl_same_field(outer, inner) && sl_same_steps(outer, inner, outer->path_size - 1u);
}

static inline bool sl_ends_with_index(const sl_merge_node *node) {
    return node->path_size > 0 && (node->path[node->path_size - 1] & SL_STEP_INDEX);
}

unsigned sl_rule_add_table_add_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_add_table_erase_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_erase_table_erase_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_erase_table_add_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_add_column_add_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_add_column_erase_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_erase_column_erase_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_erase_column_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_create_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_erase_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_add(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_move(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_update_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_add_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_insert_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_insert_move(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_insert_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_move_move(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_move_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_list_erase_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_clear_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_clear_element(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_set_insert_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_set_insert_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_set_erase_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);

unsigned sl_rule_in_erased_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_erased_object(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_add(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_move(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_list_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y);
unsigned sl_rule_in_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y);

#endif
