/* Rules of schema and object instructions: F1-F10, N1, N2. */
#include "transform/quirks.h"
#include "transform/rules.h"

static sl_str name_of(const sl_merge *m, const sl_merge_node *node, uint32_t sym) {
    const sl_changeset *cs = sl_merge_entry_of(m, node)->cs;
    return sym < cs->string_count ? cs->strings[sym] : SL_STR("");
}

static unsigned compare_keys(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    const sl_instruction *a = x->in, *b = y->in;
    if (!sl_str_eq(name_of(m, x, a->field), name_of(m, y, b->field)))
        return sl_merge_reject(m, "S1", "the primary key has another name", x, y);
    if (a->type != b->type)
        return sl_merge_reject(m, "S2", "the primary key has another type", x, y);
    if (a->nullable != b->nullable)
        return sl_merge_reject(m, "S3", "the primary key may be null on one side only", x, y);
    if (a->table_kind != b->table_kind)
        return sl_merge_reject(m, "S4", "the class is asymmetric on one side only", x, y);
    return SL_DROP_X | SL_DROP_Y;
}

/* F1 */
unsigned sl_rule_add_table_add_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    if (x->class_name != y->class_name) return 0;
    bool x_embedded = x->in->table_kind == SL_TABLE_EMBEDDED;
    bool y_embedded = y->in->table_kind == SL_TABLE_EMBEDDED;
    if (x_embedded != y_embedded)
        return sl_merge_reject(m, "S5", "the class is embedded on one side only", x, y);
    return x_embedded ? SL_DROP_X | SL_DROP_Y : compare_keys(m, x, y);
}

/* F2 */
unsigned sl_rule_add_table_erase_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return x->class_name == y->class_name ? SL_DROP_X : 0;
}

/* F3 */
unsigned sl_rule_erase_table_erase_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return x->class_name == y->class_name ? SL_DROP_X | SL_DROP_Y : 0;
}

/* F4: peers that already have the link column must lose it before its target class goes. */
unsigned sl_rule_erase_table_add_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    if (y->in->type != SL_TYPE_LINK || y->target != x->class_name) return 0;
    return sl_merge_insert_erase_column(m, x, y) ? SL_DROP_Y : SL_MERGE_FAILED;
}

/* F5 */
unsigned sl_rule_add_column_add_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    const sl_instruction *a = x->in, *b = y->in;
    if (!sl_same_column(x, y)) return 0;
    if (a->type != b->type) return sl_merge_reject(m, "S6", "the property has another type", x, y);
    if (a->nullable != b->nullable)
        return sl_merge_reject(m, "S7", "the property may be null on one side only", x, y);
    if (a->collection != b->collection)
        return sl_merge_reject(m, "S8", "the property is another kind of collection", x, y);
    if (a->type == SL_TYPE_LINK && x->target != y->target)
        return sl_merge_reject(m, "S9", "the property links to another class", x, y);
    return SL_DROP_X | SL_DROP_Y;
}

/* F6 */
unsigned sl_rule_add_column_erase_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_same_column(x, y) ? SL_DROP_X : 0;
}

/* F7 */
unsigned sl_rule_erase_column_erase_column(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_same_column(x, y) ? SL_DROP_X | SL_DROP_Y : 0;
}

/* F8 */
unsigned sl_rule_erase_column_update(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return sl_quirk_column_takes(y->op) && sl_same_column(x, y) ? SL_DROP_Y : 0;
}

/* F9: erasing prevails, whatever the age. */
unsigned sl_rule_create_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return x->object == y->object ? SL_DROP_X : 0;
}

/* F10 */
unsigned sl_rule_erase_erase(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    if (x->object != y->object) return 0;
    return sl_older(y, x) ? SL_DROP_Y : SL_DROP_X;
}

/* N1 */
unsigned sl_rule_in_erased_table(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return x->class_name == y->class_name ? SL_DROP_Y : 0;
}

/* N2 */
unsigned sl_rule_in_erased_object(sl_merge *m, sl_merge_node *x, sl_merge_node *y) {
    (void)m;
    return x->object == y->object && sl_op_has_path(y->op) ? SL_DROP_Y : 0;
}
