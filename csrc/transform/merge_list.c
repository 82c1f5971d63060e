/* Rules of list instructions: F13-F15, F18-F23, N5-N7. The arithmetic is in slot.h. */
#include "transform/quirks.h"
#include "transform/rules.h"
#include "transform/slot.h"

static sl_slot slot_of(const sl_merge_node *node) {
    return (sl_slot){(uint32_t)node->path[node->path_size - 1], node->prior_size, node->to};
}

static void put_slot(sl_merge_node *node, sl_slot before, sl_slot slot) {
    if (before.i == slot.i && before.n == slot.n && before.t == slot.t) return;
    node->path[node->path_size - 1] = SL_STEP_INDEX | slot.i;
    node->prior_size = slot.n;
    node->to = slot.t;
    node->changed = true;
}

unsigned sl_merge_reject_slot(sl_merge *m, unsigned verdict, const sl_merge_node *x,
                              const sl_merge_node *y) {
    switch (verdict) {
    case SL_SLOT_V1:
        return sl_merge_reject(m, "V1", "they disagree about the size of the list", x, y);
    case SL_SLOT_V2:
        return sl_merge_reject(m, "V2", "an element is inserted behind the end", x, y);
    case SL_SLOT_V3:
        return sl_merge_reject(m, "V3", "the updated element does not exist", x, y);
    case SL_SLOT_V4:
        return sl_merge_reject(m, "V4", "the erased element does not exist", x, y);
    case SL_SLOT_V5:
        return sl_merge_reject(m, "V5", "the moved element does not exist", x, y);
    default:
        return sl_merge_reject(m, "V6", "an element is moved behind the end", x, y);
    }
}

/* What surrounds the arithmetic of every pair of siblings. */
#define SLOT_RULE(name, guard, compute)                                                            \
    unsigned name(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {                               \
        if (!sl_siblings(x, y)) return 0;                                                          \
        if (guard) return mismatch(m, x, y);                                                       \
        sl_slot a = slot_of(x), b = slot_of(y), old_a = a, old_b = b;                              \
        unsigned verdict = compute;                                                                \
        if (verdict >= SL_SLOT_V1) return sl_merge_reject_slot(m, verdict, x, y);                  \
        put_slot(x, old_a, a);                                                                     \
        put_slot(y, old_b, b);                                                                     \
        return verdict;                                                                            \
    }

static unsigned mismatch(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    return sl_merge_reject(m, "V8", "one takes the place for a list, the other for a dictionary", x,
                           y);
}

SLOT_RULE(sl_rule_update_insert, !sl_ends_with_index(x), sl_slot_update_insert(&a, &b)) /* F13 */
SLOT_RULE(sl_rule_update_move, !sl_ends_with_index(x), sl_slot_update_move(&a, &b))     /* F14 */
SLOT_RULE(sl_rule_update_erase, !sl_ends_with_index(x), sl_slot_update_erase(&a, &b))   /* F15 */
SLOT_RULE(sl_rule_insert_insert, false, sl_slot_insert_insert(&a, &b, sl_older(x, y)))  /* F18 */
SLOT_RULE(sl_rule_insert_move, false, sl_slot_insert_move(&a, &b, sl_older(y, x)))      /* F19 */
SLOT_RULE(sl_rule_insert_erase, false, sl_slot_insert_erase(&a, &b))                    /* F20 */
SLOT_RULE(sl_rule_move_move, false, sl_slot_move_move(&a, &b, sl_older(x, y)))          /* F21 */
SLOT_RULE(sl_rule_move_erase, false, sl_slot_move_erase(&a, &b))                        /* F22 */
SLOT_RULE(sl_rule_list_erase_erase, false, sl_slot_erase_erase(&a, &b))                 /* F23 */

/* The step of the inner path at the level of the outer list; false if it is a name (V7). */
static bool crossing(sl_merge *m, const sl_merge_node *outer, const sl_merge_node *inner,
                     uint32_t *element) {
    uint64_t step = inner->path[outer->path_size - 1];
    *element = (uint32_t)step;
    if (step & SL_STEP_INDEX) return true;
    sl_merge_reject(m, "V7", "one takes the place for a list, the other for something with names",
                    outer, inner);
    return false;
}

static void shift_crossing(const sl_merge_node *outer, sl_merge_node *inner, uint32_t element) {
    inner->path[outer->path_size - 1] = SL_STEP_INDEX | element;
    inner->changed = true;
}

/* N5 */
unsigned sl_rule_in_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    uint32_t element;
    if (!sl_passes(x, y)) return 0;
    if (!crossing(m, x, y, &element)) return SL_MERGE_FAILED;
    if (element >= slot_of(x).i) shift_crossing(x, y, element + 1);
    return 0;
}

/* N6 */
unsigned sl_rule_in_move(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    uint32_t element;
    if (!sl_passes(x, y)) return 0;
    if (!crossing(m, x, y, &element)) return SL_MERGE_FAILED;
    sl_slot slot = slot_of(x), old = slot;
    slot.i = sl_quirk_outer_move(slot.i, slot.t, element);
    put_slot(x, old, slot);
    return 0;
}

/* N7 */
unsigned sl_rule_in_list_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    uint32_t element;
    if (!sl_passes(x, y)) return 0;
    if (!crossing(m, x, y, &element)) return SL_MERGE_FAILED;
    uint32_t erased = slot_of(x).i;
    if (element == erased) return SL_DROP_Y;
    if (erased < element) shift_crossing(x, y, element - 1);
    return 0;
}
