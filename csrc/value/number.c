#include "value/number.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

void sl_number_put_u64(uint64_t value, sl_buf *out) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    sl_buf_add(out, digits + at, sizeof digits - at);
}

void sl_number_put_i64(int64_t value, sl_buf *out) {
    if (value < 0) sl_buf_byte(out, '-');
    sl_number_put_u64(value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value, out);
}

bool sl_number_read_u64(sl_str text, uint64_t *value) {
    if (text.size == 0 || (text.size > 1 && text.data[0] == '0')) return false;
    uint64_t v = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

bool sl_number_read_i64(sl_str text, int64_t *value) {
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t m;
    sl_str digits = negative ? sl_str_of(text.data + 1, text.size - 1) : text;
    if (!sl_number_read_u64(digits, &m)) return false;
    if (!negative) {
        if (m > INT64_MAX) return false;
        *value = (int64_t)m;
        return true;
    }
    if (m == 0 || m > (uint64_t)INT64_MAX + 1) return false;
    *value = -(int64_t)(m - 1) - 1;
    return true;
}

void sl_number_put_real(double value, int digits, sl_buf *out) {
    char text[48];
    int n = snprintf(text, sizeof text, "%.*g", digits, value);
    for (int i = 0; i < n; i++) {
        char c = text[i];
        bool own = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e';
        sl_buf_byte(out, own ? (uint8_t)c : '.');
    }
}

enum { LITERAL_MAX = 400 };

static const char *skip_digits(const char *p, const char *end) {
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Copies the literal with the point of the locale, NUL-terminated; false if it is none. */
static bool prepare(sl_str text, char copy[LITERAL_MAX]) {
    if (text.size == 0 || text.size >= LITERAL_MAX) return false;
    const char *p = text.data, *end = p + text.size, *from;
    if (*p == '-') p++;
    p = skip_digits(from = p, end);
    if (p == from) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    if (p < end && *p == '.') {
        copy[p - text.data] = localeconv()->decimal_point[0];
        p = skip_digits(from = p + 1, end);
        if (p == from) return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '-' || *p == '+')) p++;
        p = skip_digits(from = p, end);
        if (p == from) return false;
    }
    return p == end;
}

bool sl_number_read_double(sl_str text, double *value) {
    char copy[LITERAL_MAX];
    if (!prepare(text, copy)) return false;
    *value = strtod(copy, NULL);
    return true;
}

bool sl_number_read_float(sl_str text, float *value) {
    char copy[LITERAL_MAX];
    if (!prepare(text, copy)) return false;
    *value = strtof(copy, NULL);
    return true;
}
