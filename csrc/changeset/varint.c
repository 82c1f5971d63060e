#include "changeset/varint.h"

/* `limit`: largest magnitude; `most`: bytes at most. *negative tells the sign bit. */
static const uint8_t *decode(const uint8_t *p, const uint8_t *end, unsigned most, uint64_t limit,
                             uint64_t *magnitude, bool *negative, sl_varint_error *error) {
    uint64_t m = 0;
    for (unsigned i = 0; p < end; i++) {
        uint64_t byte = *p++;
        if (byte & 0x80) {
            if (i + 1 == most) {
                *error = SL_VARINT_LONG;
                return NULL;
            }
            m |= (byte & 0x7f) << 7 * i;
            continue;
        }
        uint64_t last = byte & 0x3f;
        if (last > limit >> 7 * i) {
            *error = SL_VARINT_RANGE;
            return NULL;
        }
        *magnitude = m | last << 7 * i;
        *negative = (byte & 0x40) != 0;
        return p;
    }
    *error = SL_VARINT_EOF;
    return NULL;
}

static const uint8_t *decode_signed(const uint8_t *p, const uint8_t *end, unsigned most,
                                    uint64_t limit, int64_t *value, sl_varint_error *error) {
    uint64_t m = 0;
    bool negative = false;
    p = decode(p, end, most, limit, &m, &negative, error);
    if (!p) return NULL;
    if (m > limit) {
        *error = SL_VARINT_RANGE;
        return NULL;
    }
    *value = negative ? -(int64_t)m - 1 : (int64_t)m;
    return p;
}

static const uint8_t *decode_unsigned(const uint8_t *p, const uint8_t *end, unsigned most,
                                      uint64_t limit, uint64_t *value, sl_varint_error *error) {
    uint64_t m = 0;
    bool negative = false;
    p = decode(p, end, most, limit, &m, &negative, error);
    if (!p) return NULL;
    if (negative || m > limit) {
        *error = negative ? SL_VARINT_NEGATIVE : SL_VARINT_RANGE;
        return NULL;
    }
    *value = m;
    return p;
}

const uint8_t *sl_varint_i64(const uint8_t *p, const uint8_t *end, int64_t *value,
                             sl_varint_error *error) {
    return decode_signed(p, end, 10, INT64_MAX, value, error);
}

const uint8_t *sl_varint_u64(const uint8_t *p, const uint8_t *end, uint64_t *value,
                             sl_varint_error *error) {
    return decode_unsigned(p, end, 10, UINT64_MAX, value, error);
}

const uint8_t *sl_varint_i32(const uint8_t *p, const uint8_t *end, int32_t *value,
                             sl_varint_error *error) {
    int64_t v = 0;
    p = decode_signed(p, end, 5, INT32_MAX, &v, error);
    if (p) *value = (int32_t)v;
    return p;
}

const uint8_t *sl_varint_u32(const uint8_t *p, const uint8_t *end, uint32_t *value,
                             sl_varint_error *error) {
    uint64_t v = 0;
    p = decode_unsigned(p, end, 5, UINT32_MAX, &v, error);
    if (p) *value = (uint32_t)v;
    return p;
}

const uint8_t *sl_varint_u8(const uint8_t *p, const uint8_t *end, uint8_t *value,
                            sl_varint_error *error) {
    uint64_t v = 0;
    p = decode_unsigned(p, end, 2, UINT8_MAX, &v, error);
    if (p) *value = (uint8_t)v;
    return p;
}

const uint8_t *sl_varint_u128(const uint8_t *p, const uint8_t *end, uint64_t *lo, uint64_t *hi,
                              sl_varint_error *error) {
    uint64_t l = 0, h = 0;
    for (unsigned i = 0; p < end; i++) {
        uint64_t byte = *p++, bits = byte & 0x7f;
        unsigned shift = 7 * i;
        if (shift < 64) l |= bits << shift;
        if (shift >= 64) {
            h |= bits << (shift - 64);
        } else if (shift > 57) {
            h |= bits >> (64 - shift);
        }
        if (!(byte & 0x80)) {
            *lo = l;
            *hi = h;
            return p;
        }
        if (i + 1 == 17) {
            *error = SL_VARINT_LONG;
            return NULL;
        }
    }
    *error = SL_VARINT_EOF;
    return NULL;
}

uint8_t *sl_varint_put_u128(uint8_t *p, uint64_t lo, uint64_t hi) {
    while (hi || lo > 0x3f) {
        *p++ = (uint8_t)(0x80 | (lo & 0x7f));
        lo = lo >> 7 | hi << 57;
        hi >>= 7;
    }
    *p++ = (uint8_t)lo;
    return p;
}
