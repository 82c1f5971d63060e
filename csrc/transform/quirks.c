#include "transform/quirks.h"

#include "transform/slot.h"

uint32_t sl_quirk_outer_move(uint32_t from, uint32_t to, uint32_t inside) {
    return sl_slot_moved(from, inside, to);
}

bool sl_quirk_looks_modified(const sl_instruction *in) {
    if (!sl_op_has_path(in->op)) return false;
    if (in->value.type == SL_TYPE_DOUBLE) return in->value.real != in->value.real;
    return in->value.type == SL_TYPE_FLOAT && in->value.single != in->value.single;
}

static bool has_bytes(const sl_value *value) {
    return value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY;
}

static bool carries_value(uint8_t op) {
    return op == SL_OP_UPDATE || op == SL_OP_ARRAY_INSERT || op == SL_OP_SET_INSERT ||
           op == SL_OP_SET_ERASE;
}

/* Where each instruction's string or binary value starts in the byte area that the reference's
 * decoder would build: interned strings and values, in the order of the byte stream. */
static bool find_positions(sl_merge *m, sl_merge_entry *entry) {
    if (entry->positions) return true;
    const sl_changeset *cs = entry->cs;
    uint64_t *positions = sl_arena_alloc(&m->scratch, cs->count * sizeof *positions);
    if (!positions) {
        sl_merge_no_memory(m);
        return false;
    }
    uint64_t at = 0;
    uint32_t string = 0;
    for (uint32_t j = 0; j < cs->count; j++) {
        while (string < entry->string_count && (!cs->string_at || cs->string_at[string] <= j))
            at += cs->strings[string++].size;
        const sl_instruction *in = &cs->instructions[j];
        positions[j] = at;
        uint8_t op = (uint8_t)(in->op & ~SL_OP_DROPPED);
        if (carries_value(op) && has_bytes(&in->value)) at += in->value.string.size;
    }
    entry->positions = positions;
    return true;
}

static bool same_position(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    sl_merge_entry *ex = sl_merge_entry_of(m, x), *ey = sl_merge_entry_of(m, y);
    if (x->in->value.string.size != y->in->value.string.size) return false;
    if (!find_positions(m, ex) || !find_positions(m, ey)) return false;
    return ex->positions[x->in - ex->cs->instructions] ==
           ey->positions[y->in - ey->cs->instructions];
}

/* Links are compared by the numbers their names have in the two string tables. */
static bool same_link_numbers(const sl_link *x, const sl_link *y) {
    if (x->class_name.sym != y->class_name.sym || x->key.type != y->key.type) return false;
    if (x->key.type == SL_TYPE_STRING) return x->key.string.sym == y->key.string.sym;
    return sl_key_eq(&x->key, &y->key);
}

static bool literally_same(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    const sl_value *vx = &x->in->value, *vy = &y->in->value;
    if (vx->type != vy->type) return false;
    if (has_bytes(vx)) return same_position(m, x, y);
    if (vx->type == SL_TYPE_LINK) return same_link_numbers(vx->link, vy->link);
    return sl_value_eq(vx, vy);
}

bool sl_quirk_set_erase_same(sl_merge *m, const sl_merge_node *x, const sl_merge_node *y) {
    if (m->options.set_erase == SL_SET_ERASE_LITERAL) return literally_same(m, x, y);
    if (x->value_hash != y->value_hash || !sl_value_eq(&x->in->value, &y->in->value)) return false;
    return m->options.set_erase == SL_SET_ERASE_CONTENT || literally_same(m, x, y);
}
