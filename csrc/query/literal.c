#include "query/literal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "value/base64.h"
#include "value/date.h"
#include "value/ids.h"
#include "value/number.h"

static bool bad(const sl_token *token, const char *what, sl_status *st) {
    return sl_fail_at(st, SL_ERR_USAGE, "QUERY-TYPE", token->offset, "'%.*s' %s",
                      token->text.size > 60 ? 60 : (int)token->text.size, token->text.data, what);
}

/* --- numbers --- */

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

int64_t sl_literal_integer(sl_str text) {
    const char *at = text.data, *end = at + text.size;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    int base = end - at > 1 && *at == '0' ? 8 : 10;
    if (base == 8 && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, sum = 0;
    for (; at < end && digit_of(*at) < base; at++) {
        uint64_t digit = (uint64_t)digit_of(*at);
        if (sum > (limit - digit) / (uint64_t)base) {
            sum = limit;
            break;
        }
        sum = sum * (uint64_t)base + digit;
    }
    if (!negative) return (int64_t)sum;
    return sum == limit ? INT64_MIN : -(int64_t)sum;
}

/* sl_number_read_double knows no "+", no bare point and no "f". */
static bool real(const sl_token *token, sl_arena *arena, sl_value *value, sl_status *st) {
    char *copy = sl_arena_bytes(arena, (size_t)token->text.size + 3);
    if (!copy) return sl_fail_memory(st);
    size_t n = 0;
    bool digit = false;
    for (uint32_t i = 0; i < token->text.size; i++) {
        char c = token->text.data[i];
        if ((c == '+' && i == 0) || (c == 'f' && i + 1 == token->text.size)) continue;
        bool next = i + 1 < token->text.size && digit_of(token->text.data[i + 1]) < 10;
        if (c == '.' && !digit) copy[n++] = '0';
        if (c == '.' && !next) continue;
        digit = digit || digit_of(c) < 10;
        copy[n++] = c;
    }
    *value = (sl_value){.type = SL_TYPE_DOUBLE};
    return sl_number_read_double(sl_str_of(copy, n), &value->real) ||
           bad(token, "is not a number", st);
}

static void infinite(const sl_token *token, sl_value *value) {
    bool negative = token->text.data[0] == '-';
    *value = (sl_value){.type = SL_TYPE_DOUBLE, .real = negative ? -INFINITY : INFINITY};
}

/* --- time --- */

/* The parts of T s:ns, or of a date: up to seven whole numbers behind any separators. */
static int parts_of(sl_str text, bool with_signs, int64_t parts[7]) {
    int count = 0;
    for (uint32_t i = 0; i < text.size && count < 7;) {
        uint32_t from = i;
        if (with_signs && (text.data[i] == '-' || text.data[i] == '+')) i++;
        uint32_t digits = i;
        while (i < text.size && digit_of(text.data[i]) < 10)
            i++;
        if (i == digits) {
            i = from + 1;
            continue;
        }
        /* No leading zero may make it octal. */
        while (digits + 1 < i && text.data[digits] == '0')
            digits++;
        int64_t number = sl_literal_integer(sl_str_of(text.data + digits, i - digits));
        parts[count++] = with_signs && text.data[from] == '-' ? -number : number;
    }
    return count;
}

static bool timestamp(const sl_token *token, sl_value *value, sl_status *st) {
    int64_t parts[7] = {0};
    sl_str text = sl_str_of(token->text.data + 1, token->text.size - 1);
    parts_of(text, true, parts);
    bool mixed = (parts[0] < 0 && parts[1] > 0) || (parts[0] > 0 && parts[1] < 0);
    if (mixed) return bad(token, "has seconds and nanoseconds of different signs", st);
    if (parts[1] <= -1000000000 || parts[1] >= 1000000000)
        return bad(token, "has a second or more of nanoseconds", st);
    *value = (sl_value){.type = SL_TYPE_TIMESTAMP,
                        .timestamp = {.seconds = parts[0], .nanoseconds = (int32_t)parts[1]}};
    return true;
}

static bool date(const sl_token *token, sl_value *value, sl_status *st) {
    int64_t p[7] = {0};
    parts_of(token->text, false, p);
    bool fits = p[0] >= 1900 && p[0] <= 9999 && p[1] <= 12 && p[2] <= 31 && p[3] < 24 &&
                p[4] < 60 && p[5] < 60 && p[6] < 1000000000;
    if (!fits) return bad(token, "is not a date from the year 1900 on", st);
    char room[40];
    sl_timestamp t;
    int n = snprintf(room, sizeof room, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)p[0], (int)p[1],
                     (int)p[2], (int)p[3], (int)p[4], (int)p[5]);
    if (!sl_date_from_text(sl_str_of(room, (size_t)n), &t) || !sl_date_normal(t.seconds, p[6], &t))
        return bad(token, "is not a date", st);
    *value = (sl_value){.type = SL_TYPE_TIMESTAMP, .timestamp = t};
    return true;
}

/* --- strings --- */

/* Strings keep their backslashes: the language has no escapes but towards the lexer. */
static void string(const sl_token *token, sl_value *value) {
    sl_str inner = sl_str_of(token->text.data + 1, token->text.size - 2);
    *value = (sl_value){.type = SL_TYPE_STRING, .string = inner};
}

static bool base64(const sl_token *token, sl_arena *arena, sl_value *value, sl_status *st) {
    sl_str inner = sl_str_of(token->text.data + 4, token->text.size - 5);
    bool memory;
    *value = (sl_value){.type = SL_TYPE_STRING};
    if (sl_value_base64_decode(inner, arena, &value->string, &memory)) return true;
    return memory ? bad(token, "is not base64", st) : sl_fail_memory(st);
}

bool sl_literal_value(const sl_token *token, sl_arena *arena, sl_value *value, sl_status *st) {
    sl_str text = token->text;
    switch (token->kind) {
    case SL_TOK_NATURAL:
    case SL_TOK_NUMBER:
        *value = (sl_value){.type = SL_TYPE_INT, .integer = sl_literal_integer(text)};
        return true;
    case SL_TOK_FLOAT:
        return real(token, arena, value, st);
    case SL_TOK_INFINITY:
        infinite(token, value);
        return true;
    case SL_TOK_NAN:
        *value = (sl_value){.type = SL_TYPE_DOUBLE, .real = (double)NAN};
        return true;
    case SL_TOK_TRUE:
    case SL_TOK_FALSE:
        *value = (sl_value){.type = SL_TYPE_BOOL, .boolean = token->kind == SL_TOK_TRUE};
        return true;
    case SL_TOK_NULL:
        *value = (sl_value){.type = SL_TYPE_NULL};
        return true;
    case SL_TOK_TIMESTAMP:
        return timestamp(token, value, st);
    case SL_TOK_DATE:
        return date(token, value, st);
    case SL_TOK_UUID:
        *value = (sl_value){.type = SL_TYPE_UUID};
        return sl_uuid_from_text(sl_str_of(text.data + 5, 36), value->uuid) ||
               bad(token, "is not a UUID", st);
    case SL_TOK_OID:
        *value = (sl_value){.type = SL_TYPE_OBJECTID};
        return sl_objectid_from_text(sl_str_of(text.data + 4, 24), value->objectid) ||
               bad(token, "is not an object id", st);
    case SL_TOK_BASE64:
        return base64(token, arena, value, st);
    case SL_TOK_STRING:
        string(token, value);
        return true;
    default:
        return bad(token, "is not a value", st);
    }
}
