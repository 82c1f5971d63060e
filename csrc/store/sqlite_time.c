#include "store/sqlite_time.h"

enum { DAY = 86400, ERA_DAYS = 146097, BILLION = 1000000000, TEXT_MAX = 48 };

typedef struct civil_day {
    int64_t year;
    int month, day;
} civil_day;

/* Days since 1970-01-01 to a date and back, counting years from March so that leap days come last;
 * an era is 400 years. */
static civil_day day_to_civil(int64_t days) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t of_era = days - era * ERA_DAYS;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    civil_day civil;
    civil.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    civil.month = (int)(month < 10 ? month + 3 : month - 9);
    civil.year = year + era * 400 + (civil.month <= 2);
    return civil;
}

static int64_t civil_to_day(civil_day civil) {
    int64_t year = civil.year - (civil.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t month = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    int64_t of_year = (153 * month + 2) / 5 + civil.day - 1;
    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* `before`, then `count` digits; returns the end. Timestamps are written too often for printf. */
static char *put_digits(char *at, char before, int64_t number, int count) {
    *at++ = before;
    for (int i = count - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + count;
}

static char *put_year(char *at, int64_t year) {
    if (year >= 0 && year <= 9999) {
        return put_digits(at, (char)('0' + year / 1000), year % 1000, 3);
    }
    int count = 6;
    int64_t size = year < 0 ? -year : year;
    for (int64_t rest = size / 1000000; rest; rest /= 10)
        count++;
    return put_digits(at, year < 0 ? '-' : '+', size, count);
}

bool sl_sqlite_time_write(sl_buf *out, sl_timestamp t) {
    int32_t fraction = t.nanoseconds;
    if (fraction <= -BILLION || fraction >= BILLION) return false;
    if ((t.seconds < 0 && fraction > 0) || (t.seconds > 0 && fraction < 0)) return false;
    int64_t days = t.seconds / DAY, second = t.seconds % DAY;
    if (fraction < 0) {
        fraction += BILLION;
        second--;
    }
    if (second < 0) {
        second += DAY;
        days--;
    }
    civil_day civil = day_to_civil(days);
    char *text = sl_buf_reserve(out, TEXT_MAX), *at = text;
    if (!text) return true; /* shows in `out` */
    at = put_year(at, civil.year);
    at = put_digits(at, '-', civil.month, 2);
    at = put_digits(at, '-', civil.day, 2);
    at = put_digits(at, 'T', second / 3600, 2);
    at = put_digits(at, ':', second / 60 % 60, 2);
    at = put_digits(at, ':', second % 60, 2);
    at = put_digits(at, '.', fraction, 9);
    *at++ = 'Z';
    out->size += (size_t)(at - text);
    return true;
}

/* Reads `count` digits at *at; false if something else is there. */
static bool read_digits(sl_str text, uint32_t *at, uint32_t count, int64_t *value) {
    if (text.size - *at < count) return false;
    *value = 0;
    for (uint32_t i = 0; i < count; i++) {
        char c = text.data[(*at)++];
        if (c < '0' || c > '9') return false;
        *value = *value * 10 + (c - '0');
    }
    return true;
}

static bool read_year(sl_str text, uint32_t *at, int64_t *year) {
    if (text.size == 0) return false;
    char sign = text.data[0];
    if (sign != '+' && sign != '-') return read_digits(text, at, 4, year);
    uint32_t end = 1;
    while (end < text.size && text.data[end] != '-')
        end++;
    *at = 1;
    if (end < 7 || end > 13 || !read_digits(text, at, end - 1, year)) return false;
    if (sign == '-') *year = -*year;
    return true;
}

static bool read_part(sl_str text, uint32_t *at, char before, uint32_t count, int64_t *value) {
    if (*at >= text.size || text.data[*at] != before) return false;
    ++*at;
    return read_digits(text, at, count, value);
}

/* Seconds toward zero, nanoseconds of the same sign; false if the seconds overflow. */
static bool join(int64_t days, int64_t second, int64_t fraction, sl_timestamp *t) {
    __extension__ typedef __int128 wide;
    wide seconds = (wide)days * DAY + second;
    if (seconds < 0 && fraction > 0) {
        seconds++;
        fraction -= BILLION;
    }
    if (seconds < INT64_MIN || seconds > INT64_MAX) return false;
    *t = (sl_timestamp){(int64_t)seconds, (int32_t)fraction};
    return true;
}

bool sl_sqlite_time_read(sl_str text, sl_timestamp *t) {
    uint32_t at = 0;
    int64_t year, month, day, hour, minute, second, fraction;
    if (!read_year(text, &at, &year) || !read_part(text, &at, '-', 2, &month) ||
        !read_part(text, &at, '-', 2, &day) || !read_part(text, &at, 'T', 2, &hour) ||
        !read_part(text, &at, ':', 2, &minute) || !read_part(text, &at, ':', 2, &second) ||
        !read_part(text, &at, '.', 9, &fraction) || at + 1 != text.size || text.data[at] != 'Z') {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    civil_day civil = {year, (int)month, (int)day};
    return join(civil_to_day(civil), hour * 3600 + minute * 60 + second, fraction, t);
}
