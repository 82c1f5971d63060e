/* varint.h - the integer codec of changesets (protocol/2-changeset.md, section 2). */
#ifndef SL_CHANGESET_VARINT_H
#define SL_CHANGESET_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Little-endian words, whatever the machine is. */
static inline uint64_t sl_load_le64(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}
static inline void sl_store_le64(uint8_t *p, uint64_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(p, &word, sizeof word);
}

/* Room an encoder needs at most. */
enum { SL_VARINT_MAX = 10, SL_VARINT_U128_MAX = 19 };

/* Why a decoder failed. */
typedef enum sl_varint_error {
    SL_VARINT_EOF,     /* the input ends inside the number */
    SL_VARINT_LONG,    /* more bytes than the width allows */
    SL_VARINT_RANGE,   /* too large for the width */
    SL_VARINT_NEGATIVE /* negative, but the field is unsigned */
} sl_varint_error;

/* Decoders: read one number at `p` (p <= end) and return where it ends, or NULL with *error set.
 * `value` is set only on success. Over-long forms that fit the width's byte limit are accepted, a
 * negative number in an unsigned field is not. */
const uint8_t *sl_varint_i64(const uint8_t *p, const uint8_t *end, int64_t *value,
                             sl_varint_error *error);
const uint8_t *sl_varint_u64(const uint8_t *p, const uint8_t *end, uint64_t *value,
                             sl_varint_error *error);
const uint8_t *sl_varint_i32(const uint8_t *p, const uint8_t *end, int32_t *value,
                             sl_varint_error *error);
const uint8_t *sl_varint_u32(const uint8_t *p, const uint8_t *end, uint32_t *value,
                             sl_varint_error *error);
const uint8_t *sl_varint_u8(const uint8_t *p, const uint8_t *end, uint8_t *value,
                            sl_varint_error *error);
/* The decimal coefficient (2.5): plain groups of 7 bits, at most 17 bytes (SL_VARINT_LONG). */
const uint8_t *sl_varint_u128(const uint8_t *p, const uint8_t *end, uint64_t *lo, uint64_t *hi,
                              sl_varint_error *error);

/* Decodes a number of at most 8 bytes at `p`, behind which 8 bytes can be read. Sets magnitude and
 * sign bit and returns its length, or 0 if it is longer. Any width may be checked afterwards. */
static inline unsigned sl_varint_short(const uint8_t *p, uint64_t *magnitude, unsigned *negative) {
    uint64_t x = sl_load_le64(p);
    uint64_t stop = ~x & UINT64_C(0x8080808080808080);
    if (!stop) return 0;
    unsigned bit = (unsigned)__builtin_ctzll(stop); /* bit 7 of the last byte */
    *negative = (unsigned)(x >> (bit - 1)) & 1;
    /* Everything below the sign bit, then the groups of 7 bits moved together. */
    x &= (UINT64_C(1) << (bit - 1)) - 1;
    x &= UINT64_C(0x7f7f7f7f7f7f7f7f);
    x = (x & UINT64_C(0x007f007f007f007f)) | (x & UINT64_C(0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C(0x00003fff00003fff)) | (x & UINT64_C(0x3fff00003fff0000)) >> 2;
    x = (x & UINT64_C(0x000000000fffffff)) | (x & UINT64_C(0x0fffffff00000000)) >> 4;
    *magnitude = x;
    return (bit + 1) / 8;
}

/* Encoders: write the shortest form at `p`, which has room, and return where it ends. */
static inline uint8_t *sl_varint_put(uint8_t *p, uint64_t magnitude, uint8_t sign) {
    while (magnitude > 0x3f) {
        *p++ = (uint8_t)(0x80 | (magnitude & 0x7f));
        magnitude >>= 7;
    }
    *p++ = (uint8_t)(magnitude | sign);
    return p;
}
static inline uint8_t *sl_varint_put_u64(uint8_t *p, uint64_t value) {
    return sl_varint_put(p, value, 0);
}
static inline uint8_t *sl_varint_put_i64(uint8_t *p, int64_t value) {
    return value < 0 ? sl_varint_put(p, ~(uint64_t)value, 0x40)
                     : sl_varint_put(p, (uint64_t)value, 0);
}
uint8_t *sl_varint_put_u128(uint8_t *p, uint64_t lo, uint64_t hi);

#endif
