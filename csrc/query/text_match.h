/* text_match.h - how the query language compares strings (protocol/6-flexible-sync.md, 3.3). */
#ifndef SL_QUERY_TEXT_MATCH_H
#define SL_QUERY_TEXT_MATCH_H

#include <stdbool.h>

#include "base/str.h"

/* [c]: the same number of bytes, and every character the upper or lower form of the other's, over
 * ASCII and U+00C0 to U+00FE. */
bool sl_text_equal_folded(sl_str a, sl_str b);
bool sl_text_begins(sl_str text, sl_str part, bool fold);
bool sl_text_ends(sl_str text, sl_str part, bool fold);
/* In time proportional to the product of the lengths when `fold`. */
bool sl_text_contains(sl_str text, sl_str part, bool fold);
/* `*` stands for any number of characters, `?` for one; with `bytes` (binaries) for one byte. No
 * escape. Each star is settled where it fits first, so the time is at most the product of the
 * lengths. */
bool sl_text_like(sl_str text, sl_str pattern, bool fold, bool bytes);

#endif
