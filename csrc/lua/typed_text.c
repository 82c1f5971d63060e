#include "lua/typed_text.h"

#include "value/decimal.h"

#include <stdio.h>
#include <string.h>

/* ---- hexadecimal ----------------------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool read_hex(const char *text, size_t count, uint8_t *out) {
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static char *write_hex(char *out, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

bool sl_lua_objectid_from_text(sl_str text, uint8_t out[12]) {
    return text.size == 24 && read_hex(text.data, 12, out);
}

/* Octets per group of a UUID's text: 8-4-4-4-12 digits. */
static const uint8_t uuid_groups[] = {4, 2, 2, 2, 6};

bool sl_lua_uuid_from_text(sl_str text, uint8_t out[16]) {
    if (text.size != 36) return false;
    const char *at = text.data;
    for (size_t i = 0; i < sizeof uuid_groups; i++) {
        if (i && *at++ != '-') return false;
        if (!read_hex(at, uuid_groups[i], out)) return false;
        at += 2 * uuid_groups[i];
        out += uuid_groups[i];
    }
    return true;
}

static size_t uuid_text(const uint8_t *bytes, char *out) {
    char *at = out;
    for (size_t i = 0; i < sizeof uuid_groups; i++) {
        if (i) *at++ = '-';
        at = write_hex(at, bytes, uuid_groups[i]);
        bytes += uuid_groups[i];
    }
    return (size_t)(at - out);
}

/* ---- time ------------------------------------------------------------------------------------ */

enum { DAYS_TO_1970 = 719468, DAYS_PER_ERA = 146097 }; /* from 0000-03-01; 400 years */

/* Days since 1970-01-01 of a date of the Gregorian calendar. Years begin in March, so that the day
 * that comes and goes is the last one. */
static int64_t days_of(int64_t year, int month, int day) {
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_1970;
}

static void date_of(int64_t days, int64_t *year, int *month, int *day) {
    days += DAYS_TO_1970;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t of_era = days - era * DAYS_PER_ERA;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int shifted = (int)((5 * of_year + 2) / 153);
    *day = (int)(of_year - (153 * shifted + 2) / 5 + 1);
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = y + era * 400 + (*month <= 2);
}

static const int64_t year_0 = INT64_C(-62167219200), year_10000 = INT64_C(253402300800);

static size_t timestamp_text(sl_timestamp t, char *out) {
    int64_t seconds = t.seconds;
    int32_t nanoseconds = t.nanoseconds;
    if (nanoseconds < 0) {
        seconds--;
        nanoseconds += 1000000000;
    }
    if (seconds < year_0 || seconds >= year_10000)
        return (size_t)snprintf(out, SL_LUA_TEXT_MAX, "%lld s %d ns", (long long)t.seconds,
                                (int)t.nanoseconds);
    int64_t days = (seconds >= 0 ? seconds : seconds - 86399) / 86400, year;
    int of_day = (int)(seconds - days * 86400), month, day;
    date_of(days, &year, &month, &day);
    int size = snprintf(out, SL_LUA_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month,
                        day, of_day / 3600, of_day / 60 % 60, of_day % 60);
    if (nanoseconds) {
        size += snprintf(out + size, SL_LUA_TEXT_MAX - (size_t)size, ".%09d", (int)nanoseconds);
        while (out[size - 1] == '0')
            size--;
    }
    out[size++] = 'Z';
    return (size_t)size;
}

/* `count` digits; -1 if there are fewer. */
static int digits_at(const char **at, const char *end, int count) {
    int number = 0;
    for (; count > 0; count--, (*at)++) {
        if (*at == end || **at < '0' || **at > '9') return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

static bool skip(const char **at, const char *end, char c) {
    if (*at == end || **at != c) return false;
    (*at)++;
    return true;
}

static bool read_fraction(const char **at, const char *end, int32_t *nanoseconds) {
    int count = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++)
        if (count < 9) {
            *nanoseconds = *nanoseconds * 10 + (**at - '0');
            count++;
        }
    bool any = count > 0;
    for (; count < 9; count++)
        *nanoseconds *= 10;
    return any;
}

bool sl_lua_timestamp_from_text(sl_str text, sl_timestamp *out) {
    const char *at = text.data, *end = text.data + text.size;
    int year = digits_at(&at, end, 4);
    if (year < 0 || !skip(&at, end, '-')) return false;
    int month = digits_at(&at, end, 2);
    if (month < 1 || month > 12 || !skip(&at, end, '-')) return false;
    int day = digits_at(&at, end, 2), hour = 0, minute = 0, second = 0;
    int32_t nanoseconds = 0;
    if (day < 1 || day > 31) return false;
    if (skip(&at, end, 'T') || skip(&at, end, ' ')) {
        hour = digits_at(&at, end, 2);
        if (hour < 0 || hour > 23 || !skip(&at, end, ':')) return false;
        minute = digits_at(&at, end, 2);
        if (minute < 0 || minute > 59 || !skip(&at, end, ':')) return false;
        second = digits_at(&at, end, 2);
        if (second < 0 || second > 60) return false;
        if (skip(&at, end, '.') && !read_fraction(&at, end, &nanoseconds)) return false;
    }
    skip(&at, end, 'Z');
    if (at != end) return false;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    if (seconds < 0 && nanoseconds > 0) {
        seconds++;
        nanoseconds -= 1000000000;
    }
    *out = (sl_timestamp){seconds, nanoseconds};
    return true;
}

/* ---- numbers --------------------------------------------------------------------------------- */

bool sl_lua_int_from_text(sl_str text, int64_t *out) {
    const char *at = text.data, *end = text.data + text.size;
    bool negative = skip(&at, end, '-');
    if (at == end) return false;
    int64_t value = 0; /* gathered on the negative side, which reaches one further */
    for (; at < end; at++) {
        if (*at < '0' || *at > '9') return false;
        int digit = *at - '0';
        if (value < (INT64_MIN + digit) / 10) return false;
        value = value * 10 - digit;
    }
    if (!negative && value == INT64_MIN) return false;
    *out = negative ? value : -value;
    return true;
}

static size_t decimal_text(sl_decimal decimal, char out[SL_LUA_TEXT_MAX]) {
    sl_buf text;
    sl_buf_init(&text, NULL);
    sl_decimal_to_text(decimal, &text);
    size_t size = text.failed || text.size > SL_LUA_TEXT_MAX ? 0 : text.size;
    if (size) memcpy(out, text.data, size);
    sl_buf_free(&text);
    return size;
}

size_t sl_lua_typed_text(const sl_lua_typed *typed, char out[SL_LUA_TEXT_MAX]) {
    const sl_value *value = &typed->value;
    switch (typed->kind) {
    case SL_LUA_INT64:
        return (size_t)snprintf(out, SL_LUA_TEXT_MAX, "%lld", (long long)value->integer);
    case SL_LUA_FLOAT:
        return (size_t)snprintf(out, SL_LUA_TEXT_MAX, "%.9g", (double)value->single);
    case SL_LUA_DOUBLE:
        return (size_t)snprintf(out, SL_LUA_TEXT_MAX, "%.17g", value->real);
    case SL_LUA_TIMESTAMP:
        return timestamp_text(value->timestamp, out);
    case SL_LUA_DECIMAL:
        return decimal_text(value->decimal, out);
    case SL_LUA_OBJECTID:
        return (size_t)(write_hex(out, value->objectid, 12) - out);
    case SL_LUA_UUID:
        return uuid_text(value->uuid, out);
    case SL_LUA_GLOBALKEY:
        return (size_t)snprintf(out, SL_LUA_TEXT_MAX, "%llx-%llx",
                                (unsigned long long)typed->link.key.global.hi,
                                (unsigned long long)typed->link.key.global.lo);
    default:
        return 0;
    }
}
