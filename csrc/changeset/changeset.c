#include "changeset/changeset.h"

#include "changeset/tables.h"

void sl_changeset_init(sl_changeset *cs, const sl_alloc *alloc) {
    memset(cs, 0, sizeof *cs);
    sl_arena_init(&cs->arena, alloc);
}

void sl_changeset_free(sl_changeset *cs) {
    const sl_alloc *alloc = cs->arena.alloc;
    sl_delete(alloc, cs->strings);
    sl_delete(alloc, cs->string_at);
    sl_delete(alloc, cs->block);
    sl_delete(alloc, cs->index);
    sl_arena_free(&cs->arena);
    sl_changeset_init(cs, alloc);
}

void sl_changeset_reset(sl_changeset *cs) {
    sl_arena_reset(&cs->arena);
    cs->instructions = cs->block;
    cs->capacity = cs->block_capacity;
    cs->count = cs->string_count = cs->index_count = 0;
}

bool sl_changeset_reserve(sl_changeset *cs, uint32_t want) {
    if (want <= cs->capacity) return true;
    uint64_t grown = (uint64_t)cs->capacity * 2;
    if (grown < want) grown = want;
    if (grown < 8) grown = 8;
    if (grown > UINT32_MAX) return false;
    if (grown > cs->block_capacity) {
        if (grown > SIZE_MAX / sizeof *cs->block) return false;
        sl_instruction *block =
            sl_resize(cs->arena.alloc, cs->block, (size_t)grown * sizeof *block);
        if (!block) return false;
        if (cs->instructions == cs->block) cs->instructions = block;
        cs->block = block;
        cs->block_capacity = (uint32_t)grown;
    }
    if (cs->instructions != cs->block) {
        if (cs->count) memcpy(cs->block, cs->instructions, cs->count * sizeof *cs->block);
        cs->instructions = cs->block;
    }
    cs->capacity = cs->block_capacity;
    return true;
}

bool sl_changeset_reserve_strings(sl_changeset *cs, uint32_t want) {
    if (want <= cs->string_capacity) return true;
    uint64_t grown = (uint64_t)cs->string_capacity * 2;
    if (grown < want) grown = want;
    if (grown < 8) grown = 8;
    if (grown >= SL_NO_SYM) return false;
    sl_str *strings = sl_resize(cs->arena.alloc, cs->strings, (size_t)grown * sizeof *strings);
    if (!strings) return false;
    cs->strings = strings;
    uint32_t *at = sl_resize(cs->arena.alloc, cs->string_at, (size_t)grown * sizeof *at);
    if (!at) return false;
    cs->string_at = at;
    cs->string_capacity = (uint32_t)grown;
    return true;
}

sl_instruction *sl_changeset_append(sl_changeset *cs, sl_op op) {
    if (cs->count == UINT32_MAX || !sl_changeset_reserve(cs, cs->count + 1)) return NULL;
    sl_instruction *in = &cs->instructions[cs->count++];
    sl_instruction_clear(in, (uint8_t)op);
    return in;
}

static const char *const op_names[SL_OP_COUNT] = {
    "AddTable",   "EraseTable", "CreateObject", "EraseObject", "Update",
    "AddInteger", "AddColumn",  "EraseColumn",  "ArrayInsert", "ArrayMove",
    "ArrayErase", "Clear",      "SetInsert",    "SetErase"};

const char *sl_op_name(int op) {
    return op >= 0 && op < SL_OP_COUNT ? op_names[op] : NULL;
}
