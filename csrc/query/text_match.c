#include "query/text_match.h"

#include <string.h>

static uint8_t byte_at(sl_str s, uint32_t i) {
    return (uint8_t)s.data[i];
}

/* The length of the character at `i`; a stray byte is one of its own. */
static uint32_t char_size(sl_str s, uint32_t i) {
    uint8_t c = byte_at(s, i);
    uint32_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return i + size > s.size ? 1 : size;
}

/* The other case of the byte at `i`: ASCII letters, and the second byte of U+00C0 to U+00FE, where
 * U+00D7 and U+00F7 are no letters. */
static uint8_t other_case(sl_str s, uint32_t i) {
    uint8_t c = byte_at(s, i);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return c ^ 0x20;
    bool latin = i > 0 && byte_at(s, i - 1) == 0xc3 && c >= 0x80 && c <= 0xbe;
    return latin && c != 0x97 && c != 0x9f && c != 0xb7 ? c ^ 0x20 : c;
}

static bool same_byte(sl_str a, uint32_t i, sl_str b, uint32_t k, bool fold) {
    return byte_at(a, i) == byte_at(b, k) || (fold && byte_at(a, i) == other_case(b, k));
}

static bool same_at(sl_str text, uint32_t from, sl_str part, bool fold) {
    if (!fold) return memcmp(text.data + from, part.data, part.size) == 0;
    for (uint32_t i = 0; i < part.size; i++)
        if (!same_byte(text, from + i, part, i, true)) return false;
    return true;
}

bool sl_text_equal_folded(sl_str a, sl_str b) {
    return a.size == b.size && sl_text_begins(a, b, true);
}

bool sl_text_begins(sl_str text, sl_str part, bool fold) {
    return part.size <= text.size && (!part.size || same_at(text, 0, part, fold));
}

bool sl_text_ends(sl_str text, sl_str part, bool fold) {
    return part.size <= text.size &&
           (!part.size || same_at(text, text.size - part.size, part, fold));
}

bool sl_text_contains(sl_str text, sl_str part, bool fold) {
    if (part.size > text.size) return false;
    if (!part.size) return true;
    if (!fold) return memmem(text.data, text.size, part.data, part.size) != NULL;
    for (uint32_t from = 0; from + part.size <= text.size; from++)
        if (same_at(text, from, part, true)) return true;
    return false;
}

static bool same_char(sl_str text, uint32_t i, sl_str pattern, uint32_t k, uint32_t size,
                      bool fold) {
    if (i + size > text.size) return false;
    for (uint32_t n = 0; n < size; n++)
        if (!same_byte(text, i + n, pattern, k + n, fold)) return false;
    return true;
}

bool sl_text_like(sl_str text, sl_str pattern, bool fold, bool bytes) {
    uint32_t i = 0, k = 0, star = UINT32_MAX, again = 0;
    while (i < text.size) {
        uint32_t size = k < pattern.size ? (bytes ? 1 : char_size(pattern, k)) : 0;
        if (k < pattern.size && pattern.data[k] == '*') {
            star = ++k; /* take nothing for now */
            again = i;
        } else if (k < pattern.size && pattern.data[k] == '?') {
            i += bytes ? 1 : char_size(text, i);
            k++;
        } else if (size && same_char(text, i, pattern, k, size, fold)) {
            i += size;
            k += size;
        } else if (star != UINT32_MAX) {
            again += bytes ? 1 : char_size(text, again); /* the last star takes one more */
            i = again;
            k = star;
        } else {
            return false;
        }
    }
    /* As in the reference one star may be left, not several. */
    return k == pattern.size || (k + 1 == pattern.size && pattern.data[k] == '*');
}
