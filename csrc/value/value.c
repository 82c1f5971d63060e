#include "value/value.h"

#include <math.h>

#include "value/decimal.h"

static bool is_number(int type) {
    return type == SL_TYPE_INT || type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE ||
           type == SL_TYPE_DECIMAL;
}

static bool link_eq(const sl_link *a, const sl_link *b) {
    return sl_str_eq(a->class_name, b->class_name) && sl_key_eq(&a->key, &b->key);
}

bool sl_value_eq(const sl_value *a, const sl_value *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case SL_TYPE_INT:
        return a->integer == b->integer;
    case SL_TYPE_BOOL:
        return a->boolean == b->boolean;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return sl_str_eq(a->string, b->string);
    case SL_TYPE_TIMESTAMP:
        return a->timestamp.seconds == b->timestamp.seconds &&
               a->timestamp.nanoseconds == b->timestamp.nanoseconds;
    case SL_TYPE_FLOAT:
        return a->single == b->single;
    case SL_TYPE_DOUBLE:
        return a->real == b->real;
    case SL_TYPE_DECIMAL:
        return sl_decimal_cmp(a->decimal, b->decimal) == 0;
    case SL_TYPE_LINK:
        return link_eq(a->link, b->link);
    case SL_TYPE_OBJECTID:
        return memcmp(a->objectid, b->objectid, sizeof a->objectid) == 0;
    case SL_TYPE_UUID:
        return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0;
    default:
        return true;
    }
}

static double as_double(const sl_value *v) {
    return v->type == SL_TYPE_FLOAT ? (double)v->single : v->real;
}

static int cmp_double(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) ? (isnan(b) ? 0 : -1) : 1;
    return a < b ? -1 : a > b;
}

/* Exact: a conversion to double would make neighbours of 2^53 equal. */
static int cmp_int_double(int64_t a, double b) {
    if (isnan(b)) return 1;
    if (b >= 9223372036854775808.0) return -1;
    if (b < -9223372036854775808.0) return 1;
    int64_t whole = (int64_t)b;
    if (a != whole) return a < whole ? -1 : 1;
    double fraction = b - (double)whole;
    return fraction > 0 ? -1 : fraction < 0;
}

/* The reference compares a decimal with a binary number after rounding the latter to the digits its
 * format guarantees, so that double 0.1 equals decimal 0.1. */
static sl_decimal as_decimal(const sl_value *v) {
    switch (v->type) {
    case SL_TYPE_INT:
        return sl_decimal_from_int(v->integer);
    case SL_TYPE_FLOAT:
        return sl_decimal_from_double((double)v->single, 7);
    case SL_TYPE_DOUBLE:
        return sl_decimal_from_double(v->real, 15);
    default:
        return v->decimal;
    }
}

static int cmp_number(const sl_value *a, const sl_value *b) {
    if (a->type == SL_TYPE_DECIMAL || b->type == SL_TYPE_DECIMAL)
        return sl_decimal_cmp(as_decimal(a), as_decimal(b));
    bool ia = a->type == SL_TYPE_INT, ib = b->type == SL_TYPE_INT;
    if (ia && ib) return a->integer < b->integer ? -1 : a->integer > b->integer;
    if (ia) return cmp_int_double(a->integer, as_double(b));
    if (ib) return -cmp_int_double(b->integer, as_double(a));
    return cmp_double(as_double(a), as_double(b));
}

bool sl_value_eq_mixed(const sl_value *a, const sl_value *b) {
    if (is_number(a->type) && is_number(b->type)) return cmp_number(a, b) == 0;
    return sl_value_eq(a, b);
}

static int rank(int type) {
    switch (type) {
    case SL_TYPE_NULL:
        return 0;
    case SL_TYPE_BOOL:
        return 1;
    case SL_TYPE_INT:
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
    case SL_TYPE_DECIMAL:
        return 2;
    case SL_TYPE_STRING:
        return 3;
    case SL_TYPE_BINARY:
        return 4;
    case SL_TYPE_TIMESTAMP:
        return 5;
    case SL_TYPE_OBJECTID:
        return 6;
    case SL_TYPE_UUID:
        return 7;
    case SL_TYPE_LINK:
        return 8;
    default:
        return 9 - type;
    }
}

static int cmp_timestamp(sl_timestamp a, sl_timestamp b) {
    if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
    return a.nanoseconds < b.nanoseconds ? -1 : a.nanoseconds > b.nanoseconds;
}

static int cmp_link(const sl_link *a, const sl_link *b) {
    int c = sl_str_cmp(a->class_name, b->class_name);
    return c ? c : sl_key_cmp(&a->key, &b->key);
}

int sl_value_cmp(const sl_value *a, const sl_value *b) {
    int ra = rank(a->type), rb = rank(b->type);
    if (ra != rb) return ra - rb;
    switch (a->type) {
    case SL_TYPE_BOOL:
        return (int)a->boolean - (int)b->boolean;
    case SL_TYPE_INT:
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
    case SL_TYPE_DECIMAL:
        return cmp_number(a, b);
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return sl_str_cmp(a->string, b->string);
    case SL_TYPE_TIMESTAMP:
        return cmp_timestamp(a->timestamp, b->timestamp);
    case SL_TYPE_OBJECTID:
        return memcmp(a->objectid, b->objectid, sizeof a->objectid);
    case SL_TYPE_UUID:
        return memcmp(a->uuid, b->uuid, sizeof a->uuid);
    case SL_TYPE_LINK:
        return cmp_link(a->link, b->link);
    default:
        return 0;
    }
}

bool sl_value_is_null_pattern(const sl_value *value) {
    if (value->type == SL_TYPE_FLOAT) {
        uint32_t bits;
        memcpy(&bits, &value->single, sizeof bits);
        return bits == UINT32_C(0x7fc000aa);
    }
    if (value->type == SL_TYPE_DOUBLE) {
        uint64_t bits;
        memcpy(&bits, &value->real, sizeof bits);
        return bits == UINT64_C(0x7ff80000000000aa);
    }
    if (value->type == SL_TYPE_DECIMAL)
        return value->decimal.lo == 0xaa && value->decimal.hi == UINT64_C(0x7c00000000000000);
    return false;
}
