#include "protocol/scan.h"

bool sl_scan_init(sl_scan *scan, const void *data, size_t size) {
    *scan = (sl_scan){.data = data, .size = size};
    size_t window = size < SL_MAX_HEAD ? size : SL_MAX_HEAD;
    const char *lf = window ? memchr(data, '\n', window) : NULL;
    if (!lf) return false;
    scan->head_end = (size_t)(lf - scan->data);
    return true;
}

void sl_scan_fail(sl_scan *scan, int code, const char *problem) {
    if (scan->problem) return;
    scan->problem = problem;
    scan->code = code;
    scan->problem_at = scan->at;
}

sl_str sl_scan_word(sl_scan *scan) {
    size_t start = scan->at;
    while (scan->at < scan->head_end && scan->data[scan->at] != ' ')
        scan->at++;
    return sl_str_of(scan->data + start, scan->at - start);
}

bool sl_scan_digits(const char *data, size_t size, size_t *at, uint64_t max, uint64_t *value) {
    uint64_t v = 0;
    size_t i = *at;
    while (i < size && data[i] >= '0' && data[i] <= '9') {
        uint64_t digit = (uint64_t)(data[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) return false;
        v = v * 10 + digit;
        i++;
    }
    if (i == *at || v > max) return false;
    *at = i;
    *value = v;
    return true;
}

static bool take_space(sl_scan *scan) {
    if (scan->problem) return false;
    if (scan->at >= scan->head_end || scan->data[scan->at] != ' ') {
        sl_scan_fail(scan, 103, "a field is missing");
        return false;
    }
    scan->at++;
    return true;
}

uint64_t sl_scan_uint(sl_scan *scan, uint64_t max) {
    uint64_t value = 0;
    if (!take_space(scan)) return 0;
    if (!sl_scan_digits(scan->data, scan->head_end, &scan->at, max, &value)) {
        sl_scan_fail(scan, 103, "a number is malformed or out of range");
        return 0;
    }
    return value;
}

int32_t sl_scan_int32(sl_scan *scan) {
    uint64_t value = 0;
    if (!take_space(scan)) return 0;
    bool negative = scan->at < scan->head_end && scan->data[scan->at] == '-';
    if (negative) scan->at++;
    uint64_t max = negative ? UINT64_C(0x80000000) : UINT64_C(0x7fffffff);
    if (!sl_scan_digits(scan->data, scan->head_end, &scan->at, max, &value)) {
        sl_scan_fail(scan, 103, "a number is malformed or out of range");
        return 0;
    }
    return (int32_t)(negative ? -(int64_t)value : (int64_t)value);
}

bool sl_scan_bool(sl_scan *scan) {
    return sl_scan_uint(scan, 1) == 1;
}

/* Digits of a fraction or an exponent; locale-free, unlike strtod. */
static double scan_fraction_digits(sl_scan *scan) {
    uint64_t digits = 0;
    double scale = 1;
    size_t start = scan->at;
    for (; scan->at < scan->head_end; scan->at++) {
        char c = scan->data[scan->at];
        if (c < '0' || c > '9') break;
        if (scale < 1e15) {
            digits = digits * 10 + (uint64_t)(c - '0');
            scale *= 10;
        }
    }
    if (scan->at == start) sl_scan_fail(scan, 103, "a fraction has no digits");
    return (double)digits / scale;
}

static double scan_exponent(sl_scan *scan, double value) {
    uint64_t exponent = 0;
    bool negative = false;
    scan->at++;
    if (scan->at < scan->head_end && (scan->data[scan->at] == '-' || scan->data[scan->at] == '+'))
        negative = scan->data[scan->at++] == '-';
    if (!sl_scan_digits(scan->data, scan->head_end, &scan->at, 999, &exponent))
        sl_scan_fail(scan, 103, "an exponent is malformed");
    for (uint64_t i = 0; i < exponent && value > 0 && value < 10; i++)
        value = negative ? value / 10 : value * 10;
    return value;
}

double sl_scan_fraction(sl_scan *scan) {
    uint64_t whole = 0;
    if (!take_space(scan)) return 0;
    if (!sl_scan_digits(scan->data, scan->head_end, &scan->at, 9, &whole)) {
        sl_scan_fail(scan, 103, "a real number is malformed or out of range");
        return 0;
    }
    double value = (double)whole;
    if (scan->at < scan->head_end && scan->data[scan->at] == '.') {
        scan->at++;
        value += scan_fraction_digits(scan);
    }
    if (!scan->problem && scan->at < scan->head_end &&
        (scan->data[scan->at] == 'e' || scan->data[scan->at] == 'E'))
        value = scan_exponent(scan, value);
    if (value > 1) sl_scan_fail(scan, 103, "a progress estimate lies above 1");
    return scan->problem ? 0 : value;
}

/* The first body part starts after the LF, and all fields must have been read by then. */
static bool enter_body(sl_scan *scan) {
    if (scan->problem) return false;
    if (scan->at < scan->head_end) {
        sl_scan_fail(scan, 103, "the head has more than its fields");
        return false;
    }
    if (scan->at == scan->head_end) scan->at++;
    return true;
}

sl_str sl_scan_body(sl_scan *scan, uint64_t size) {
    if (!enter_body(scan)) return SL_STR("");
    if (size > scan->size - scan->at) {
        sl_scan_fail(scan, 103, "the body is shorter than its declared size");
        return SL_STR("");
    }
    sl_str part = sl_str_of(scan->data + scan->at, (size_t)size);
    scan->at += (size_t)size;
    return part;
}

sl_str sl_scan_sized_body(sl_scan *scan, uint64_t max) {
    uint64_t size = sl_scan_uint(scan, max);
    return sl_scan_body(scan, size);
}

uint64_t sl_scan_number(sl_scan *scan) {
    return sl_scan_uint(scan, SL_MAX_NUMBER);
}

void sl_scan_packed_body(sl_scan *scan, sl_body *body, uint64_t compressed_size) {
    if (body->uncompressed_size > SL_MAX_INFLATED)
        sl_scan_fail(scan, 112, "the body is larger than the limit");
    if (!body->compressed && compressed_size != 0)
        sl_scan_fail(scan, 103, "a body that is not compressed has a compressed size");
    body->bytes = sl_scan_body(scan, body->compressed ? compressed_size : body->uncompressed_size);
}

bool sl_scan_finish(sl_scan *scan, sl_str name, sl_status *st) {
    if (enter_body(scan) && scan->at != scan->size)
        sl_scan_fail(scan, 103, "octets follow the declared body");
    if (!scan->problem) return true;
    sl_fail_code(st, SL_ERR_PROTOCOL, scan->code, "%.*s at octet %zu: %s; the sender is at fault",
                 (int)name.size, name.data, scan->problem_at, scan->problem);
    if (st) st->offset = scan->problem_at;
    return false;
}

void sl_put_uint(sl_buf *out, uint64_t value) {
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    sl_buf_add(out, digits + n, sizeof(digits) - n);
}

void sl_put_field(sl_buf *out, uint64_t value) {
    sl_buf_byte(out, ' ');
    sl_put_uint(out, value);
}

void sl_put_int_field(sl_buf *out, int64_t value) {
    sl_buf_byte(out, ' ');
    if (value < 0) sl_buf_byte(out, '-');
    sl_put_uint(out, value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value);
}

void sl_put_sized_body(sl_buf *out, sl_str body) {
    sl_put_field(out, body.size);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, body);
}

void sl_put_json_error(sl_buf *out, int code, sl_str json, uint64_t session) {
    sl_put_int_field(out, code);
    sl_put_field(out, json.size);
    sl_put_field(out, session);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, json);
}
