#include "changeset/changeset.h"

static bool is_mine(const sl_key *key) {
    return key->type == SL_TYPE_GLOBALKEY && key->global.hi == 0;
}

static bool has_key(uint8_t op) {
    return sl_op_has_path(op) || op == SL_OP_CREATE_OBJECT || op == SL_OP_ERASE_OBJECT;
}

bool sl_changeset_rewrite_ident(sl_changeset *cs, uint64_t ident, bool *changed, sl_status *st) {
    *changed = false;
    for (uint32_t i = 0; i < cs->count; i++) {
        sl_instruction *in = &cs->instructions[i];
        if (!has_key(in->op)) continue;
        if (is_mine(&in->key)) {
            in->key.global.hi = ident;
            *changed = true;
        }
        if (in->value.type != SL_TYPE_LINK || !is_mine(&in->value.link->key)) continue;
        /* Links may be shared between instructions of different changesets: never write to one. */
        sl_link *link = sl_arena_alloc(&cs->arena, sizeof *link);
        if (!link) return sl_fail_memory(st);
        *link = *in->value.link;
        link->key.global.hi = ident;
        in->value.link = link;
        *changed = true;
    }
    return true;
}
