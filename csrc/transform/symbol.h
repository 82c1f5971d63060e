/* symbol.h - one number per name for all changesets of a merge; private to the transform room. */
#ifndef SL_TRANSFORM_SYMBOL_H
#define SL_TRANSFORM_SYMBOL_H

#include "transform/merge.h"

/* The common number of `s`. SL_NO_NUMBER when there is no memory (reported). `s` is borrowed until
 * the merge ends. */
uint32_t sl_symbol_intern(sl_merge *m, sl_str s);

/* The common number of string `sym` of the entry's changeset; the number of the empty string when
 * `sym` is SL_NO_SYM. Names are looked up once per changeset, and usually without hashing:
 * successive changesets tend to have the same strings at the same places. */
uint32_t sl_symbol_slow(sl_merge *m, sl_merge_entry *entry, uint32_t sym);

static inline uint32_t sl_symbol_of(sl_merge *m, sl_merge_entry *entry, uint32_t sym) {
    if (sym < entry->string_count && entry->symbols[sym]) return entry->symbols[sym] - 1;
    return sl_symbol_slow(m, entry, sym);
}

#endif
