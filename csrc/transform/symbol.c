#include "transform/symbol.h"

#include "base/strmap.h"

/* Up to this many names are compared one by one; the first table has room for them without slots.
 */
enum { FEW = 8 };

static void place(const sl_symbols *table, uint32_t number) {
    uint32_t hash =
        (uint32_t)sl_hash_bytes(table->strings[number].data, table->strings[number].size);
    uint32_t at = hash & (table->capacity - 1);
    while (table->slots[at].number)
        at = (at + 1) & (table->capacity - 1);
    table->slots[at] = (sl_symbol_slot){hash, number + 1};
}

static bool grow(sl_merge *m) {
    sl_symbols *table = &m->symbols;
    uint32_t capacity = table->count ? table->count * 4 : FEW * 2;
    sl_str *strings = sl_arena_alloc(&m->scratch, capacity / 2 * sizeof *strings);
    if (!strings) return sl_merge_no_memory(m) == 0;
    if (table->count) {
        memcpy(strings, table->strings, table->count * sizeof *strings);
        table->slots = sl_arena_zero(&m->scratch, capacity, sizeof *table->slots);
        if (!table->slots) return sl_merge_no_memory(m) == 0;
    }
    table->strings = strings;
    table->capacity = capacity;
    for (uint32_t number = 0; table->slots && number < table->count; number++)
        place(table, number);
    return true;
}

static uint32_t find_among_few(const sl_symbols *table, sl_str s) {
    for (uint32_t number = 0; number < table->count; number++)
        if (sl_str_eq(table->strings[number], s)) return number;
    return SL_NO_NUMBER;
}

static uint32_t find(const sl_symbols *table, sl_str s) {
    if (!table->slots) return find_among_few(table, s);
    uint32_t hash = (uint32_t)sl_hash_bytes(s.data, s.size), mask = table->capacity - 1;
    for (uint32_t at = hash & mask; table->slots[at].number; at = (at + 1) & mask) {
        uint32_t number = table->slots[at].number - 1;
        if (table->slots[at].hash == hash && sl_str_eq(table->strings[number], s)) return number;
    }
    return SL_NO_NUMBER;
}

uint32_t sl_symbol_intern(sl_merge *m, sl_str s) {
    sl_symbols *table = &m->symbols;
    uint32_t number = find(table, s);
    if (number != SL_NO_NUMBER) return number;
    if (table->count >= table->capacity / 2 && !grow(m)) return SL_NO_NUMBER;
    number = table->count++;
    table->strings[number] = s;
    if (table->slots) place(table, number);
    return number;
}

static bool hinted(const sl_merge_entry *entry, uint32_t sym) {
    const sl_merge_entry *hint = entry->hint;
    return hint && sym < hint->string_count && hint->symbols[sym] &&
           sl_str_eq(hint->cs->strings[sym], entry->cs->strings[sym]);
}

uint32_t sl_symbol_slow(sl_merge *m, sl_merge_entry *entry, uint32_t sym) {
    if (sym >= entry->string_count) return sl_symbol_intern(m, SL_STR(""));
    if (hinted(entry, sym)) {
        entry->symbols[sym] = entry->hint->symbols[sym];
    } else {
        uint32_t number = sl_symbol_intern(m, entry->cs->strings[sym]);
        if (number == SL_NO_NUMBER) return SL_NO_NUMBER;
        entry->symbols[sym] = number + 1;
    }
    return entry->symbols[sym] - 1;
}
