#include "value/date.h"

enum { NANOS = 1000000000, DAY = 86400 };

bool sl_date_to_ms(sl_timestamp t, int64_t *ms) {
    const int64_t limit = INT64_MAX / 1000 - 1;
    if (t.nanoseconds % 1000000 || t.seconds > limit || t.seconds < -limit) return false;
    *ms = t.seconds * 1000 + t.nanoseconds / 1000000;
    return true;
}

sl_timestamp sl_date_from_ms(int64_t ms) {
    return (sl_timestamp){ms / 1000, (int32_t)(ms % 1000 * 1000000)};
}

bool sl_date_normal(int64_t seconds, int64_t nanoseconds, sl_timestamp *t) {
    int64_t carry = nanoseconds / NANOS, ns = nanoseconds % NANOS;
    if ((carry > 0 && seconds > INT64_MAX - carry) || (carry < 0 && seconds < INT64_MIN - carry))
        return false;
    seconds += carry;
    if (seconds > 0 && ns < 0) {
        seconds--;
        ns += NANOS;
    } else if (seconds < 0 && ns > 0) {
        seconds++;
        ns -= NANOS;
    }
    *t = (sl_timestamp){seconds, (int32_t)ns};
    return true;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years count from March, so that the leap
 * day is the last one. */
static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void day_to_date(int64_t days, int64_t *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

typedef struct scanner {
    const char *p, *end;
} scanner;

/* Exactly `digits` digits with a value in [low, high]. */
static bool number(scanner *s, int digits, int low, int high, int *value) {
    int v = 0;
    for (int i = 0; i < digits; i++, s->p++) {
        if (s->p == s->end || *s->p < '0' || *s->p > '9') return false;
        v = v * 10 + (*s->p - '0');
    }
    *value = v;
    return v >= low && v <= high;
}

static bool accept(scanner *s, char c) {
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool fraction(scanner *s, int32_t *ns) {
    *ns = 0;
    if (!accept(s, '.')) return true;
    int32_t unit = NANOS / 10;
    const char *first = s->p;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, unit /= 10) {
        if (unit == 0) return false;
        *ns += (*s->p - '0') * unit;
    }
    return s->p > first;
}

static bool zone(scanner *s, int *offset) {
    *offset = 0;
    if (accept(s, 'Z')) return true;
    bool minus = accept(s, '-');
    int hours, minutes = 0;
    if (!minus && !accept(s, '+')) return false;
    if (!number(s, 2, 0, 23, &hours)) return false;
    accept(s, ':');
    if (s->p < s->end && !number(s, 2, 0, 59, &minutes)) return false;
    *offset = (hours * 60 + minutes) * (minus ? -60 : 60);
    return true;
}

static int month_days(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

bool sl_date_from_text(sl_str text, sl_timestamp *t) {
    scanner s = {text.data, text.data + text.size};
    int year, month, day, hour, minute, second, offset;
    int32_t ns;
    if (!number(&s, 4, 0, 9999, &year) || !accept(&s, '-')) return false;
    if (!number(&s, 2, 1, 12, &month) || !accept(&s, '-')) return false;
    if (!number(&s, 2, 1, month_days(year, month), &day) || !accept(&s, 'T')) return false;
    if (!number(&s, 2, 0, 23, &hour) || !accept(&s, ':')) return false;
    if (!number(&s, 2, 0, 59, &minute) || !accept(&s, ':')) return false;
    if (!number(&s, 2, 0, 59, &second) || !fraction(&s, &ns) || !zone(&s, &offset)) return false;
    if (s.p != s.end) return false;
    int64_t seconds = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    return sl_date_normal(seconds, ns, t);
}

bool sl_date_to_text(sl_timestamp t, sl_buf *out) {
    int64_t seconds = t.seconds;
    int32_t ns = t.nanoseconds;
    if (ns < 0) {
        if (seconds == INT64_MIN) return false;
        seconds--;
        ns += NANOS;
    }
    int64_t days = seconds / DAY - (seconds % DAY < 0), rest = seconds - days * DAY, year;
    if (days < -800000 || days > 4000000) return false;
    int month, day;
    day_to_date(days, &year, &month, &day);
    if (year < 0 || year > 9999) return false;
    sl_buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day, (int)(rest / 3600),
                  (int)(rest / 60 % 60), (int)(rest % 60));
    if (ns) {
        int digits = 9;
        for (; ns % 10 == 0; ns /= 10)
            digits--;
        sl_buf_printf(out, ".%0*d", digits, (int)ns);
    }
    sl_buf_byte(out, 'Z');
    return true;
}
