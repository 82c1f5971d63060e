/* str.h - a borrowed run of bytes. */
#ifndef SL_BASE_STR_H
#define SL_BASE_STR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* `sym` of a string that is in no table. */
#define SL_NO_SYM UINT32_MAX

/* Bytes owned by somebody else (an arena, a message, a literal); not NUL-terminated, any content.
 * `sym` is the index of the string in the string table of the changeset it belongs to, or SL_NO_SYM
 * for a string that stands for itself (a payload, a realm's own name). `data` may be NULL only if
 * `size` is 0. */
typedef struct sl_str {
    const char *data;
    uint32_t size;
    uint32_t sym;
} sl_str;

#define SL_STR(literal) ((sl_str){(literal), (uint32_t)(sizeof(literal) - 1), SL_NO_SYM})

static inline sl_str sl_str_of(const char *data, size_t size) {
    return (sl_str){data, (uint32_t)size, SL_NO_SYM};
}

static inline sl_str sl_str_c(const char *text) {
    return sl_str_of(text, strlen(text));
}

static inline bool sl_str_eq(sl_str a, sl_str b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Order by unsigned bytes, a prefix before what it is a prefix of. Returns <0, 0 or >0. */
static inline int sl_str_cmp(sl_str a, sl_str b) {
    uint32_t n = a.size < b.size ? a.size : b.size;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    if (c != 0) return c;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif
