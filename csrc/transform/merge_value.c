/* Rules of values, counters, clears and sets: F11, F12, F16, F17, F24-F29, N3, N4, N8. */
#include "transform/quirks.h"
#include "transform/rules.h"

static bool is_default(const sl_merge_node *update) {
    return update->in->is_default && !sl_ends_with_index(update);
}

static bool both_are(const sl_merge_node *x, const sl_merge_node *y, int type) {
    return x->in->value.type == type && y->in->value.type == type;
}

/* G4: applied to a dictionary, a creation replaces what is there. */
static bool creates_again(const sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    return m->options.keep_created && x->path_size > 0 && !sl_ends_with_index(x) &&
           both_are(x, y, SL_TYPE_OBJECT);
}

/* F11 */
unsigned sl_rule_update_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    if (!sl_same_path(x, y)) return 0;
    if (sl_ends_with_index(x) && x->prior_size != y->prior_size)
        return sl_merge_reject(m, "V1", "they disagree about the size of the list", x, y);
    bool x_creates = x->in->value.type == SL_TYPE_OBJECT;
    bool y_creates = y->in->value.type == SL_TYPE_OBJECT;
    if (x_creates != y_creates) return x_creates ? SL_DROP_X : SL_DROP_Y;
    if (both_are(x, y, SL_TYPE_LIST) || both_are(x, y, SL_TYPE_DICTIONARY)) return 0;
    if (is_default(x) != is_default(y)) return is_default(x) ? SL_DROP_X : SL_DROP_Y;
    if (!sl_older(x, y)) return SL_DROP_Y;
    return creates_again(m, x, y) ? SL_DROP_X | SL_DROP_Y : SL_DROP_X;
}

/* Adds with the wrap-around of two's complement. */
static void fold(sl_merge_node *update, int64_t delta) {
    if (delta == 0) return;
    uint64_t sum = (uint64_t)update->in->value.integer + (uint64_t)delta;
    memcpy(&update->in->value.integer, &sum, sizeof sum);
    update->changed = true;
}

/* F12: x sets, y adds. */
unsigned sl_rule_update_add(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    if (!sl_same_path(x, y)) return 0;
    if (!sl_older(x, y) && !is_default(x)) return SL_DROP_Y;
    if (x->in->value.type == SL_TYPE_NULL) return 0;
    if (x->in->value.type != SL_TYPE_INT) return SL_DROP_Y;
    fold(x, y->in->value.integer);
    return 0;
}

/* F16: x sets, y clears. */
unsigned sl_rule_update_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    if (!sl_same_path(x, y)) return 0;
    int type = x->in->value.type;
    uint8_t collection = y->in->collection;
    if (type == SL_TYPE_SET)
        return sl_merge_reject(m, "V9", "a set cannot be assigned to a property", x, y);
    if (collection == SL_LIST && type == SL_TYPE_LIST) return 0;
    if (collection == SL_DICTIONARY && type == SL_TYPE_DICTIONARY) return 0;
    return sl_older(y, x) ? SL_DROP_Y : SL_DROP_X;
}

/* F17: x adds, y clears. */
unsigned sl_rule_add_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_same_path(x, y) ? SL_DROP_X : 0;
}

static unsigned keep_younger(const sl_merge_node *x, const sl_merge_node *y) {
    return sl_older(x, y) ? SL_DROP_X : SL_DROP_Y;
}

/* F24 */
unsigned sl_rule_clear_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_same_path(x, y) ? keep_younger(x, y) : 0;
}

/* F25, F26: x clears, y inserts into or erases from the set. */
unsigned sl_rule_clear_element(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_same_path(x, y) ? SL_DROP_Y : 0;
}

static bool same_element(const sl_merge_node *x, const sl_merge_node *y) {
    return x->value_hash == y->value_hash && sl_same_path(x, y) &&
           sl_value_eq(&x->in->value, &y->in->value);
}

/* F27 */
unsigned sl_rule_set_insert_insert(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return same_element(x, y) ? keep_younger(x, y) : 0;
}

/* F28: x inserts, y erases. */
unsigned sl_rule_set_insert_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    if (!same_element(x, y)) return 0;
    return sl_older(y, x) ? SL_DROP_Y : SL_DROP_X;
}

/* F29 */
unsigned sl_rule_set_erase_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    if (!sl_same_path(x, y)) return 0;
    bool same = sl_quirk_set_erase_same(m, x, y);
    if (m->failed) return SL_MERGE_FAILED;
    return same ? keep_younger(x, y) : 0;
}

/* N3: writing a collection spares the concurrent work that fits it; writing anything else does not.
 */
unsigned sl_rule_in_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    int type = x->in->value.type;
    if (type == SL_TYPE_OBJECT || !sl_inside(x, y)) return 0;
    bool next_is_index = (y->path[x->path_size] & SL_STEP_INDEX) != 0;
    if (type == SL_TYPE_LIST && next_is_index) return 0;
    if (type == SL_TYPE_DICTIONARY && !next_is_index) return 0;
    return SL_DROP_Y;
}

/* N4 */
unsigned sl_rule_in_add(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_inside(x, y) ? SL_DROP_Y : 0;
}

/* N8 */
unsigned sl_rule_in_clear(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_inside(x, y) ? SL_DROP_Y : 0;
}
