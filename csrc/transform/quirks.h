/* quirks.h - the places where real devices decide in a way nobody would choose. Both ends of a
 * connection have to decide alike, so each is reproduced here, and only here: a mode in which both
 * ends are known to be Syncline can replace this one file.
 *
 * Besides the functions below there are rules that devices lack. They show as empty cells of the
 * matrix (matrix.c), and a better mode would fill them in:
 * - G2: CLEAR at a list element against ARRAY_INSERT, ARRAY_ERASE, ARRAY_MOVE of that list.
 * - G3: UPDATE "erased" against a younger CLEAR below the same key drops the removal (F16).
 * - G4: two UPDATEs that create an embedded object at one dictionary key (F11).
 * - G1: UPDATE to a collection over a place that already holds it (F11 keeps both).
 * Source: protocol/3-transform.md, 5, 6 and 11. */
#ifndef SL_TRANSFORM_QUIRKS_H
#define SL_TRANSFORM_QUIRKS_H

#include "transform/merge.h"

/* F19, step 3: an insertion and the destination of a move at one place. Everywhere else the younger
 * one goes behind; here it goes first. */
static inline bool sl_quirk_move_shifts(bool move_older) {
    return move_older;
}

/* F8, G6: the only path instruction that an erased column takes with it is UPDATE. */
static inline bool sl_quirk_column_takes(uint8_t op) {
    return op == SL_OP_UPDATE;
}

/* N6, G5: a move that meets an instruction inside an element of the list changes the move, as if
 * the inner instruction were the one that moves things. `inside` = the element the inner path
 * passes. */
uint32_t sl_quirk_outer_move(uint32_t from, uint32_t to, uint32_t inside);

/* F29, G7: whether two SET_ERASE take away the same value, by the policy of `m`. */
bool sl_quirk_set_erase_same(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y);

/* 2.5: devices find out what a pair changed by comparing copies, and a NaN differs from its own
 * copy; so they call a changeset with a NaN modified as soon as it meets another one on the same
 * object. Harmless, but the flag shows in what they store. */
bool sl_quirk_looks_modified(const sl_instruction *in);

#endif
