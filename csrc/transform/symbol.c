#include "transform/symbol.h"

#include "base/strmap.h"

static bool grow(sl_merge *m) {
    sl_symbols *table = &m->symbols;
    uint32_t capacity = table->capacity ? table->capacity * 2 : 32;
    sl_symbol_slot *slots = sl_arena_zero(&m->scratch, capacity, sizeof *slots);
    sl_str *strings = sl_arena_alloc(&m->scratch, capacity / 2 * sizeof *strings);
    if (!slots || !strings) return sl_merge_no_memory(m) == 0;
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (!table->slots[i].number) continue;
        uint32_t at = table->slots[i].hash & (capacity - 1);
        while (slots[at].number)
            at = (at + 1) & (capacity - 1);
        slots[at] = table->slots[i];
    }
    if (table->count) memcpy(strings, table->strings, table->count * sizeof *strings);
    table->slots = slots;
    table->strings = strings;
    table->capacity = capacity;
    return true;
}

uint32_t sl_symbol_intern(sl_merge *m, sl_str s) {
    sl_symbols *table = &m->symbols;
    if (table->count >= table->capacity / 2 && !grow(m)) return SL_NO_NUMBER;
    uint32_t hash = (uint32_t)sl_hash_bytes(s.data, s.size);
    uint32_t at = hash & (table->capacity - 1);
    while (table->slots[at].number) {
        uint32_t number = table->slots[at].number - 1;
        if (table->slots[at].hash == hash && sl_str_eq(table->strings[number], s)) return number;
        at = (at + 1) & (table->capacity - 1);
    }
    table->strings[table->count] = s;
    table->slots[at] = (sl_symbol_slot){hash, ++table->count};
    return table->count - 1;
}

static bool hinted(const sl_merge_entry *entry, uint32_t sym) {
    const sl_merge_entry *hint = entry->hint;
    return hint && hint->symbols && sym < hint->string_count && hint->symbols[sym] &&
           sl_str_eq(hint->cs->strings[sym], entry->cs->strings[sym]);
}

uint32_t sl_symbol_slow(sl_merge *m, sl_merge_entry *entry, uint32_t sym) {
    if (sym >= entry->string_count) return sl_symbol_intern(m, SL_STR(""));
    if (!entry->symbols) {
        entry->symbols = sl_arena_zero(&m->scratch, entry->string_count, sizeof *entry->symbols);
        if (!entry->symbols) {
            sl_merge_no_memory(m);
            return SL_NO_NUMBER;
        }
    }
    if (hinted(entry, sym)) {
        entry->symbols[sym] = entry->hint->symbols[sym];
    } else {
        uint32_t number = sl_symbol_intern(m, entry->cs->strings[sym]);
        if (number == SL_NO_NUMBER) return SL_NO_NUMBER;
        entry->symbols[sym] = number + 1;
    }
    return entry->symbols[sym] - 1;
}
