#include "history/adopt_ident.h"

static bool adopt_key(sl_key *key, uint64_t ident) {
    if (key->type != SL_TYPE_GLOBALKEY || key->global.hi != 0) return false;
    key->global.hi = ident;
    return true;
}

static bool names_object(const sl_instruction *in) {
    return sl_op_has_path(in->op) || in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT;
}

/* Links are shared and constant, so one that changes becomes a new one in the changeset's arena. */
static bool adopt_link(sl_changeset *cs, sl_value *value, uint64_t ident, bool *changed) {
    if (value->type != SL_TYPE_LINK) return true;
    sl_link copy = *value->link;
    if (!adopt_key(&copy.key, ident)) return true;
    sl_link *link = sl_arena_alloc(&cs->arena, sizeof(*link));
    if (!link) return false;
    *link = copy;
    value->link = link;
    *changed = true;
    return true;
}

bool sl_changeset_adopt_ident(sl_changeset *cs, uint64_t ident, bool *changed, sl_status *st) {
    *changed = false;
    for (uint32_t i = 0; i < cs->count; i++) {
        sl_instruction *in = &cs->instructions[i];
        if (names_object(in) && adopt_key(&in->key, ident)) *changed = true;
        if (sl_op_has_path(in->op) && !adopt_link(cs, &in->value, ident, changed))
            return sl_fail_memory(st);
    }
    return true;
}
