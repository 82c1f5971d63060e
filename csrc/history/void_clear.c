#include "history/void_clear.h"

static bool same_place(const sl_instruction *a, const sl_instruction *b) {
    if (a->class_name != b->class_name || a->field != b->field || a->path_size != b->path_size ||
        !sl_key_eq(&a->key, &b->key))
        return false;
    for (uint16_t i = 0; i < a->path_size; i++)
        if (a->path[i].is_index != b->path[i].is_index || a->path[i].number != b->path[i].number)
            return false;
    return true;
}

/* The Clear of another kind would turn the list into a dictionary or the other way round. */
static bool is_void(const sl_instruction *clear, const sl_instruction *before) {
    if (clear->op != SL_OP_CLEAR || before->op != SL_OP_ARRAY_INSERT) return false;
    int8_t inserted = before->value.type;
    return ((inserted == SL_TYPE_LIST && clear->collection == SL_LIST) ||
            (inserted == SL_TYPE_DICTIONARY && clear->collection == SL_DICTIONARY)) &&
           same_place(clear, before);
}

bool sl_changeset_drop_void_clears(sl_changeset *cs) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < cs->count; i++) {
        if (kept && is_void(&cs->instructions[i], &cs->instructions[kept - 1])) continue;
        cs->instructions[kept++] = cs->instructions[i];
    }
    bool changed = kept != cs->count;
    cs->count = kept;
    return changed;
}
