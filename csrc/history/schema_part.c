#include "history/schema_part.h"

static bool adds(const sl_instruction *in) {
    return in->op == SL_OP_ADD_TABLE || in->op == SL_OP_ADD_COLUMN;
}

bool sl_changeset_touches_schema(const sl_changeset *cs) {
    for (uint32_t i = 0; i < cs->count; i++) {
        const sl_instruction *in = &cs->instructions[i];
        if (adds(in) || in->op == SL_OP_ERASE_TABLE || in->op == SL_OP_ERASE_COLUMN) return true;
    }
    return false;
}

bool sl_changeset_only_adds_schema(const sl_changeset *cs) {
    for (uint32_t i = 0; i < cs->count; i++)
        if (!adds(&cs->instructions[i])) return false;
    return true;
}
