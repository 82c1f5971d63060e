#include "value/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

enum { DIGITS = 34, FINITE_MAX = 6111, INFINITE_EXP = 9184, NAN_EXP = 9696 };

static u128 power10(int n) {
    u128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

static u128 coefficient(sl_decimal_parts p) {
    return (u128)p.hi << 64 | p.lo;
}

static int digit_count(u128 v) {
    int n = 0;
    for (; v; v /= 10)
        n++;
    return n;
}

sl_decimal_class sl_decimal_classify(sl_decimal d) {
    unsigned top = (unsigned)(d.hi >> 58) & 31;
    return top == 31 ? SL_DECIMAL_NAN : top == 30 ? SL_DECIMAL_INFINITE : SL_DECIMAL_FINITE;
}

/* The numeric coefficient of a finite word: 0 for the words outside the canonical set. */
static u128 magnitude(sl_decimal d) {
    sl_decimal_parts p = sl_decimal_split(d);
    u128 c = coefficient(p);
    return p.exponent > FINITE_MAX || c >= power10(DIGITS) ? 0 : c;
}

static sl_decimal make(bool negative, u128 c, int exponent) {
    return sl_decimal_join(
        (sl_decimal_parts){(uint64_t)c, (uint64_t)(c >> 64), exponent, negative});
}

sl_decimal sl_decimal_from_int(int64_t value) {
    uint64_t m = value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
    return make(value < 0, m, 0);
}

sl_decimal sl_decimal_from_double(double value, int digits) {
    if (isnan(value)) return make(false, 0, NAN_EXP);
    if (isinf(value)) return make(value < 0, 0, INFINITE_EXP);
    char text[64];
    int n = snprintf(text, sizeof text, "%.*e", digits - 1, value);
    for (int i = 0; i < n; i++) {
        /* Whatever the locale puts between the digits is the point. */
        bool own = (text[i] >= '0' && text[i] <= '9') || strchr("+-e", text[i]);
        if (!own) text[i] = '.';
    }
    sl_decimal d = make(false, 0, 0);
    sl_decimal_from_text(sl_str_of(text, (size_t)n), &d);
    return d;
}

double sl_decimal_to_double(sl_decimal d) {
    bool negative = d.hi >> 63;
    switch (sl_decimal_classify(d)) {
    case SL_DECIMAL_NAN:
        return (double)NAN;
    case SL_DECIMAL_INFINITE:
        return negative ? -(double)INFINITY : (double)INFINITY;
    default:
        break;
    }
    char text[64], digits[48];
    int at = (int)sizeof digits;
    digits[--at] = 0;
    u128 c = magnitude(d);
    do
        digits[--at] = (char)('0' + (int)(c % 10));
    while (c /= 10);
    snprintf(text, sizeof text, "%s%se%d", negative ? "-" : "", digits + at,
             (int)sl_decimal_split(d).exponent);
    return strtod(text, NULL);
}

/* Compares magnitudes c * 10^e, both coefficients positive. */
static int cmp_magnitude(u128 ca, int ea, u128 cb, int eb) {
    int da = digit_count(ca), db = digit_count(cb);
    if (da + ea != db + eb) return da + ea < db + eb ? -1 : 1;
    /* Same number of digits before the point: lengthen the shorter one, at most to 34 digits. */
    if (da < db) ca *= power10(db - da);
    if (db < da) cb *= power10(da - db);
    return ca < cb ? -1 : ca > cb;
}

static int cmp_words(sl_decimal a, sl_decimal b) {
    if (a.hi != b.hi) return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* -2 minus infinity, -1 negative, 0, 1 positive, 2 infinity. */
static int level(sl_decimal d) {
    int sign = d.hi >> 63 ? -1 : 1;
    if (sl_decimal_classify(d) == SL_DECIMAL_INFINITE) return 2 * sign;
    return magnitude(d) ? sign : 0;
}

int sl_decimal_cmp(sl_decimal a, sl_decimal b) {
    bool nan_a = sl_decimal_classify(a) == SL_DECIMAL_NAN;
    bool nan_b = sl_decimal_classify(b) == SL_DECIMAL_NAN;
    if (nan_a || nan_b) return nan_a && nan_b ? cmp_words(a, b) : nan_a ? -1 : 1;
    int la = level(a), lb = level(b);
    if (la != lb) return la < lb ? -1 : 1;
    if (la != 1 && la != -1) return 0;
    int c = cmp_magnitude(magnitude(a), sl_decimal_split(a).exponent, magnitude(b),
                          sl_decimal_split(b).exponent);
    return la < 0 ? -c : c;
}

/* Writes the decimal digits of `c`, NUL-terminated, into `text` and returns how many. */
static int put_digits(u128 c, char text[48]) {
    char reversed[48];
    int n = 0;
    do
        reversed[n++] = (char)('0' + (int)(c % 10));
    while (c /= 10);
    for (int i = 0; i < n; i++)
        text[i] = reversed[n - 1 - i];
    text[n] = 0;
    return n;
}

void sl_decimal_to_triple(sl_decimal d, sl_buf *out) {
    sl_decimal_parts p = sl_decimal_split(d);
    u128 c = coefficient(p);
    if (p.negative) sl_buf_byte(out, '-');
    if (c == 0 && p.exponent == INFINITE_EXP) {
        sl_buf_text(out, "Infinity");
    } else if (c == 0 && p.exponent == NAN_EXP) {
        sl_buf_text(out, "NaN");
    } else {
        char digits[48];
        put_digits(c, digits);
        sl_buf_printf(out, "%sE%d", digits, (int)p.exponent);
    }
}

bool sl_decimal_from_triple(sl_str text, sl_decimal *d) {
    const char *p = text.data, *end = p + text.size;
    bool negative = p < end && *p == '-';
    if (negative) p++;
    sl_str rest = sl_str_of(p, (size_t)(end - p));
    if (sl_str_eq(rest, SL_STR("Infinity"))) return *d = make(negative, 0, INFINITE_EXP), true;
    if (sl_str_eq(rest, SL_STR("NaN"))) return *d = make(negative, 0, NAN_EXP), true;
    u128 c = 0;
    const char *first = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p > first && *first == '0') return false;
        c = c * 10 + (unsigned)(*p - '0');
        if (c >> 113) return false;
    }
    if (p == first || p == end || *p++ != 'E') return false;
    bool minus = p < end && *p == '-';
    if (minus) p++;
    int e = 0;
    first = p;
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p > first && *first == '0') return false;
        e = e * 10 + (*p - '0');
        if (e > SL_DECIMAL_EXP_MAX) return false;
    }
    if (p == first || p != end || (minus && e == 0)) return false;
    if (minus) e = -e;
    if (e < SL_DECIMAL_EXP_MIN) return false;
    *d = make(negative, c, e);
    return true;
}

bool sl_decimal_is_canonical(sl_decimal d) {
    sl_decimal_parts p = sl_decimal_split(d);
    u128 c = coefficient(p);
    if (p.exponent <= FINITE_MAX) return c < power10(DIGITS);
    return c == 0 && (p.exponent == INFINITE_EXP || (p.exponent == NAN_EXP && !p.negative));
}

void sl_decimal_to_text(sl_decimal d, sl_buf *out) {
    sl_decimal_class cls = sl_decimal_classify(d);
    if (cls == SL_DECIMAL_NAN) {
        sl_buf_text(out, "NaN");
        return;
    }
    if (d.hi >> 63) sl_buf_byte(out, '-');
    if (cls == SL_DECIMAL_INFINITE) {
        sl_buf_text(out, "Infinity");
        return;
    }
    char digits[48];
    int n = put_digits(magnitude(d), digits), e = sl_decimal_split(d).exponent;
    int adjusted = e + n - 1;
    if (e > 0 || adjusted < -6) {
        sl_buf_byte(out, (uint8_t)digits[0]);
        if (n > 1) sl_buf_printf(out, ".%s", digits + 1);
        sl_buf_printf(out, "E%+d", adjusted);
    } else if (e == 0) {
        sl_buf_text(out, digits);
    } else if (n + e > 0) {
        sl_buf_printf(out, "%.*s.%s", n + e, digits, digits + n + e);
    } else {
        sl_buf_text(out, "0.");
        for (int i = n + e; i < 0; i++)
            sl_buf_byte(out, '0');
        sl_buf_text(out, digits);
    }
}

static bool same_word(const char *p, const char *end, const char *word) {
    for (; *word && p < end; p++, word++) {
        if ((*p | 0x20) != *word) return false;
    }
    return p == end && !*word;
}

/* Digits with an optional point. `dropped` counts zeros that no longer fitted into `c`; a later
 * digit other than zero cannot be exact. */
static bool scan_digits(const char **at, const char *end, u128 *c, long *scale) {
    bool any = false, point = false;
    long dropped = 0;
    const char *p = *at;
    for (; p < end; p++) {
        if (*p == '.') {
            if (point) return false;
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9') break;
        any = true;
        if (point) --*scale;
        if (dropped || *c >= power10(DIGITS - 1)) {
            if (*p != '0') return false;
            dropped++;
        } else {
            *c = *c * 10 + (unsigned)(*p - '0');
        }
    }
    *scale += dropped;
    *at = p;
    return any;
}

static bool scan_exponent(const char *p, const char *end, long *e) {
    if (p == end) return true;
    if ((*p | 0x20) != 'e') return false;
    p++;
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end) return false;
    long v = 0;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        if (v < 100000000) v = v * 10 + (*p - '0');
    }
    *e += minus ? -v : v;
    return true;
}

bool sl_decimal_from_text(sl_str text, sl_decimal *d) {
    const char *p = text.data, *end = p + text.size;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (same_word(p, end, "nan")) return *d = make(false, 0, NAN_EXP), true;
    if (same_word(p, end, "infinity") || same_word(p, end, "inf"))
        return *d = make(negative, 0, INFINITE_EXP), true;
    u128 c = 0;
    long e = 0;
    if (!scan_digits(&p, end, &c, &e) || !scan_exponent(p, end, &e)) return false;
    if (c == 0) {
        if (e > FINITE_MAX) e = FINITE_MAX;
        if (e < SL_DECIMAL_EXP_MIN) e = SL_DECIMAL_EXP_MIN;
    }
    for (; e > FINITE_MAX && c < power10(DIGITS - 1); e--)
        c *= 10;
    for (; e < SL_DECIMAL_EXP_MIN && c % 10 == 0; e++)
        c /= 10;
    if (e > FINITE_MAX || e < SL_DECIMAL_EXP_MIN) return false;
    *d = make(negative, c, (int)e);
    return true;
}
