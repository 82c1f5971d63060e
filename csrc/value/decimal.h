/* decimal.h - IEEE-754 decimal128 in BID form: slicing, order, text.
 * Source: protocol/2-changeset.md, 4.3 and 15.3. */
#ifndef SL_VALUE_DECIMAL_H
#define SL_VALUE_DECIMAL_H

#include "base/buf.h"
#include "base/status.h"
#include "value/value.h"

/* The three fields of the word, just sliced: -6176 <= exponent <= 10207, coefficient < 2^113
 * (`lo` = bits 0-63, `hi` = bits 64-112). Infinity is (0, 9184), NaN (payload, 9696). */
typedef struct sl_decimal_parts {
    uint64_t lo, hi;
    int32_t exponent;
    bool negative;
} sl_decimal_parts;

enum { SL_DECIMAL_EXP_MIN = -6176, SL_DECIMAL_EXP_MAX = 10207, SL_DECIMAL_BIAS = 6176 };

/* What a word stands for. Words that no computation produces count as zero, as IEEE-754 has it. */
typedef enum sl_decimal_class {
    SL_DECIMAL_FINITE,
    SL_DECIMAL_INFINITE,
    SL_DECIMAL_NAN
} sl_decimal_class;

/* Word to fields. Lossless. */
static inline sl_decimal_parts sl_decimal_split(sl_decimal d) {
    return (sl_decimal_parts){d.lo, d.hi & UINT64_C(0x1ffffffffffff),
                              (int32_t)(d.hi >> 49 & 0x3fff) - SL_DECIMAL_BIAS, (d.hi >> 63) != 0};
}

/* Fields (in range) to word. */
static inline sl_decimal sl_decimal_join(sl_decimal_parts p) {
    return (sl_decimal){p.lo, p.hi | (uint64_t)(uint32_t)(p.exponent + SL_DECIMAL_BIAS) << 49 |
                                  (p.negative ? UINT64_C(1) << 63 : 0)};
}

sl_decimal_class sl_decimal_classify(sl_decimal d);
/* Exact value of an integer. */
sl_decimal sl_decimal_from_int(int64_t value);
/* The double rounded to `digits` (1-17) significant digits, halves as printf rounds them; NaN and
 * infinities become theirs. */
sl_decimal sl_decimal_from_double(double value, int digits);
/* The nearest double. */
double sl_decimal_to_double(sl_decimal d);

/* Order by numeric value: NaN before everything, NaNs among themselves by their words; 1.0 and 1.00
 * are equal, and so are 0 and -0. Returns <0, 0, >0. */
int sl_decimal_cmp(sl_decimal a, sl_decimal b);

/* Appends the lossless form "15E-1", "Infinity", "NaN" (2-changeset.md, 15.3, DEC). */
void sl_decimal_to_triple(sl_decimal d, sl_buf *out);
/* Reads that form; every triple in range is accepted. False: malformed or out of range. */
bool sl_decimal_from_triple(sl_str text, sl_decimal *d);

/* True if the scientific text keeps every bit: no NaN payload or sign, no word outside the
 * canonical set. */
bool sl_decimal_is_canonical(sl_decimal d);
/* Appends the usual text of decimal128: "1.5", "1.50", "1E+3", "Infinity", "NaN". */
void sl_decimal_to_text(sl_decimal d, sl_buf *out);
/* Reads decimal text: digits with optional point and exponent, or Infinity, Inf, NaN in any case,
 * with optional sign. Trailing zeros are kept. False if it is no number or not exact in decimal128
 * (more than 34 significant digits, exponent out of range that zeros cannot absorb). */
bool sl_decimal_from_text(sl_str text, sl_decimal *d);

#endif
