/* The integer codec: what decodes encodes to the shortest form and decodes to the same again. The
 * first byte selects the width. */
#include <stdlib.h>
#include <string.h>

#include "changeset/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) abort();
}

static void check_signed(const uint8_t *p, const uint8_t *next, int64_t value) {
    uint8_t room[SL_VARINT_MAX];
    sl_varint_error error;
    int64_t again;
    uint8_t *end = sl_varint_put_i64(room, value);
    require(end - room <= next - p);
    require(sl_varint_i64(room, end, &again, &error) == end && again == value);
}

static void check_unsigned(const uint8_t *p, const uint8_t *next, uint64_t value) {
    uint8_t room[SL_VARINT_MAX];
    sl_varint_error error;
    uint64_t again;
    uint8_t *end = sl_varint_put_u64(room, value);
    require(end - room <= next - p);
    require(sl_varint_u64(room, end, &again, &error) == end && again == value);
}

static void check_u128(const uint8_t *p, const uint8_t *next, uint64_t lo, uint64_t hi) {
    uint8_t room[SL_VARINT_U128_MAX];
    sl_varint_error error;
    uint64_t lo2, hi2;
    uint8_t *end = sl_varint_put_u128(room, lo, hi);
    /* A last byte with bit 6 set is written as two. */
    require(end - room <= next - p + 1);
    if (end - room > 17) return;
    require(sl_varint_u128(room, end, &lo2, &hi2, &error) == end && lo2 == lo && hi2 == hi);
}

/* The fast decoder agrees with the strict one wherever it has an opinion. */
static void check_short(const uint8_t *p, size_t size) {
    uint8_t padded[18] = {0};
    uint64_t magnitude;
    unsigned negative;
    memcpy(padded, p, size < 10 ? size : 10);
    unsigned n = sl_varint_short(padded, &magnitude, &negative);
    sl_varint_error error;
    int64_t value;
    if (n == 0) return;
    require(sl_varint_i64(padded, padded + sizeof padded, &value, &error) == padded + n);
    require(value == (negative ? -(int64_t)magnitude - 1 : (int64_t)magnitude));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    const uint8_t *p = data + 1, *end = data + size, *next;
    sl_varint_error error;
    uint64_t u64 = 0, hi = 0;
    int64_t i64 = 0;
    uint32_t u32 = 0;
    int32_t i32 = 0;
    uint8_t u8 = 0;
    check_short(p, size - 1);
    switch (data[0] % 6) {
    case 0:
        if ((next = sl_varint_i64(p, end, &i64, &error))) check_signed(p, next, i64);
        break;
    case 1:
        if ((next = sl_varint_u64(p, end, &u64, &error))) check_unsigned(p, next, u64);
        break;
    case 2:
        if ((next = sl_varint_i32(p, end, &i32, &error))) check_signed(p, next, i32);
        break;
    case 3:
        if ((next = sl_varint_u32(p, end, &u32, &error))) check_unsigned(p, next, u32);
        break;
    case 4:
        if ((next = sl_varint_u8(p, end, &u8, &error))) check_unsigned(p, next, u8);
        break;
    default:
        if ((next = sl_varint_u128(p, end, &u64, &hi, &error))) check_u128(p, next, u64, hi);
        break;
    }
    return 0;
}
