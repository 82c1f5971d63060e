#include <stdlib.h>

#include "base/strmap.h"
#include "changeset/changeset.h"
#include "changeset/tables.h"

/* Up to this many strings comparing each with all is faster than any table. */
enum { FEW = 12 };

/* A word that differs for nearly all different strings: bytes from both ends, and the size. */
static inline uint64_t digest(sl_str s) {
    uint64_t word = 0;
    if (s.size >= 8) {
        memcpy(&word, s.data, 8);
        uint64_t tail;
        memcpy(&tail, s.data + s.size - 8, 8);
        word += tail << 1;
    } else if (s.size >= 4) {
        uint32_t a, b;
        memcpy(&a, s.data, 4);
        memcpy(&b, s.data + s.size - 4, 4);
        word = (uint64_t)b << 32 | a;
    } else if (s.size) {
        word = (uint64_t)(uint8_t)s.data[0] | (uint64_t)(uint8_t)s.data[s.size / 2] << 8 |
               (uint64_t)(uint8_t)s.data[s.size - 1] << 16;
    }
    return word ^ (uint64_t)s.size << 56;
}

/* The digest covers short strings whole; of longer ones it leaves out the middle. */
static inline uint32_t hash_of(sl_str s) {
    uint64_t h =
        s.size <= 16 ? digest(s) * UINT64_C(0x9e3779b97f4a7c15) : sl_hash_bytes(s.data, s.size);
    return (uint32_t)(h >> 32);
}

/* Makes the index fit for `strings` strings, at most half full; it may have to be filled anew. */
static bool index_reserve(sl_changeset *cs, uint32_t strings) {
    if (cs->index_count && cs->index_mask / 2 >= strings) return true;
    uint64_t capacity = 32;
    while (capacity / 2 <= strings)
        capacity *= 2;
    if (capacity > UINT32_MAX) return false;
    if (capacity > cs->index_capacity) {
        uint32_t *index = sl_resize(cs->arena.alloc, cs->index, (size_t)capacity * sizeof *index);
        if (!index) return false;
        cs->index = index;
        cs->index_capacity = (uint32_t)capacity;
    }
    memset(cs->index, 0, (size_t)capacity * sizeof *cs->index);
    cs->index_mask = (uint32_t)capacity - 1;
    cs->index_count = 0;
    return true;
}

/* Enters strings [index_count, string_count) as long as there is no repeat and at most `probes`
 * other strings are met on the way. Returns the repeat, or SL_NO_SYM. */
static uint32_t index_fill(sl_changeset *cs, uint64_t probes) {
    uint32_t mask = cs->index_mask;
    for (uint32_t i = cs->index_count; i < cs->string_count; i++) {
        sl_str s = cs->strings[i];
        uint32_t at = hash_of(s) & mask;
        for (; cs->index[at]; at = (at + 1) & mask) {
            if (sl_str_eq(cs->strings[cs->index[at] - 1], s)) return i;
            if (probes-- == 0) return SL_NO_SYM;
        }
        cs->index[at] = i + 1;
        cs->index_count = i + 1;
    }
    return SL_NO_SYM;
}

static uint32_t repeat_among_few(const sl_changeset *cs) {
    uint64_t seen[FEW], bits = 0;
    for (uint32_t i = 0; i < cs->string_count; i++) {
        seen[i] = digest(cs->strings[i]);
        /* One bit of 64 each: as long as all differ, so do the strings. */
        uint64_t bit = UINT64_C(1) << (seen[i] * UINT64_C(0x9e3779b97f4a7c15) >> 58);
        for (uint32_t k = 0; (bits & bit) && k < i; k++) {
            if (seen[k] == seen[i] && sl_str_eq(cs->strings[k], cs->strings[i])) return i;
        }
        bits |= bit;
    }
    return SL_NO_SYM;
}

static int by_content(const void *a, const void *b) {
    const sl_str *x = a, *y = b;
    int c = sl_str_cmp(*x, *y);
    return c ? c : x->sym < y->sym ? -1 : x->sym > y->sym;
}

/* For input that was made to collide: n log n whatever it is. */
static uint32_t repeat_by_sorting(const sl_changeset *cs, bool *memory) {
    uint32_t count = cs->string_count, repeat = SL_NO_SYM;
    sl_str *sorted = sl_new(cs->arena.alloc, count * sizeof *sorted);
    if (!sorted) {
        *memory = false;
        return SL_NO_SYM;
    }
    memcpy(sorted, cs->strings, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_content);
    for (uint32_t i = 1; i < count; i++) {
        if (sl_str_eq(sorted[i - 1], sorted[i]) && sorted[i].sym < repeat) repeat = sorted[i].sym;
    }
    sl_delete(cs->arena.alloc, sorted);
    return repeat;
}

uint32_t sl_changeset_find_repeat(sl_changeset *cs, bool *memory) {
    *memory = true;
    if (cs->string_count <= FEW) return repeat_among_few(cs);
    if (!index_reserve(cs, cs->string_count)) {
        *memory = false;
        return SL_NO_SYM;
    }
    uint32_t repeat = index_fill(cs, (uint64_t)cs->string_count * 8 + 1000);
    if (repeat != SL_NO_SYM || cs->index_count == cs->string_count) return repeat;
    return repeat_by_sorting(cs, memory);
}

static uint32_t find_among_few(const sl_changeset *cs, sl_str s) {
    for (uint32_t i = 0; i < cs->string_count; i++) {
        if (sl_str_eq(cs->strings[i], s)) return i;
    }
    return SL_NO_SYM;
}

static uint32_t find(sl_changeset *cs, sl_str s, bool *memory) {
    *memory = true;
    if (cs->string_count < FEW) return find_among_few(cs, s);
    if (!index_reserve(cs, cs->string_count + 1)) {
        *memory = false;
        return SL_NO_SYM;
    }
    index_fill(cs, UINT64_MAX);
    for (uint32_t at = hash_of(s) & cs->index_mask; cs->index[at]; at = (at + 1) & cs->index_mask) {
        if (sl_str_eq(cs->strings[cs->index[at] - 1], s)) return cs->index[at] - 1;
    }
    return SL_NO_SYM;
}

uint32_t sl_changeset_intern(sl_changeset *cs, sl_str s) {
    bool memory;
    uint32_t sym = find(cs, s, &memory);
    if (sym != SL_NO_SYM || !memory) return sym;
    if (!sl_changeset_reserve_strings(cs, cs->string_count + 1)) return SL_NO_SYM;
    sl_str copy = sl_arena_str(&cs->arena, s);
    if (!copy.data) return SL_NO_SYM;
    sym = cs->string_count;
    copy.sym = sym;
    cs->strings[sym] = copy;
    cs->string_at[sym] = cs->count;
    cs->string_count++;
    return sym;
}
