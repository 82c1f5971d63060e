#include "protocol/negotiate.h"

#include <stdio.h>

#include "protocol/scan.h"

static const char pbs_class[] = "com.mongodb.realm-sync";
static const char flx_class[] = "com.mongodb.realm-query-sync";

/* One element of the list that names a class we know. */
typedef struct offer {
    bool flx;
    char separator;
    uint64_t first, last;
} offer;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static sl_str trim(sl_str s) {
    while (s.size && is_blank(s.data[0]))
        s = sl_str_of(s.data + 1, s.size - 1);
    while (s.size && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

static bool starts_with(sl_str s, const char *prefix, size_t size) {
    return s.size > size && memcmp(s.data, prefix, size) == 0 &&
           (s.data[size] == '#' || s.data[size] == '/');
}

/* Numbers of any length are legal in the grammar; what does not fit counts as endless. */
static bool read_number(sl_str s, size_t *at, uint64_t *value) {
    size_t start = *at;
    uint64_t v = 0;
    for (; *at < s.size && s.data[*at] >= '0' && s.data[*at] <= '9'; ++*at)
        v = v > SL_MAX_NUMBER / 10 ? SL_MAX_NUMBER : v * 10 + (uint64_t)(s.data[*at] - '0');
    *value = v > SL_MAX_NUMBER ? SL_MAX_NUMBER : v;
    return *at > start;
}

static bool read_range(sl_str s, offer *o) {
    size_t at = 0;
    if (!read_number(s, &at, &o->first)) return false;
    o->last = o->first;
    if (at == s.size) return true;
    if (s.data[at++] != '-') return false;
    return read_number(s, &at, &o->last) && at == s.size && o->first <= o->last;
}

/* *known = false for an element that is none of ours. */
static bool read_offer(sl_str element, offer *o, bool *known, sl_status *st) {
    size_t skip = 0;
    *known = true;
    if (starts_with(element, pbs_class, sizeof(pbs_class) - 1)) {
        o->flx = false;
        skip = sizeof(pbs_class) - 1;
    } else if (starts_with(element, flx_class, sizeof(flx_class) - 1)) {
        o->flx = true;
        skip = sizeof(flx_class) - 1;
    } else {
        *known = false;
        return true;
    }
    o->separator = element.data[skip];
    if (read_range(sl_str_of(element.data + skip + 1, element.size - skip - 1), o)) return true;
    return sl_fail_code(st, SL_ERR_CONNECTION, 400,
                        "malformed version range in Sec-WebSocket-Protocol: \"%.*s\"",
                        (int)(element.size < 60 ? element.size : 60), element.data);
}

/* State of the choice while the list is walked. `distance`: how far `version` lies outside the
 * range of the server; 0 = inside. */
typedef struct choice {
    bool any;
    bool flx;
    char separator;
    uint64_t version, distance, newest;
} choice;

static void consider(choice *c, const offer *o, uint64_t min, uint64_t max) {
    uint64_t version = o->last, distance = 0;
    if (o->first > max) {
        version = o->first;
        distance = version - max;
    } else if (o->last < min) {
        distance = min - version;
    } else if (version > max) {
        version = max;
    }
    if (o->last > c->newest) c->newest = o->last;
    bool better = !c->any || distance < c->distance ||
                  (distance == 0 && c->distance == 0 && version > c->version);
    if (!better) return;
    c->any = true;
    c->flx = o->flx;
    c->separator = o->separator;
    c->version = version;
    c->distance = distance;
}

static void take_choice(sl_negotiated *result, const choice *c) {
    result->mismatch = c->distance != 0;
    result->newest_offered = c->newest;
    result->dialect.flx = c->flx;
    result->dialect.version = c->version > 99 ? 99 : c->version < 1 ? 1 : (int)c->version;
    snprintf(result->token, sizeof(result->token), "%s%c%llu", c->flx ? flx_class : pbs_class,
             c->separator, (unsigned long long)c->version);
}

bool sl_negotiate(sl_negotiated *result, sl_str value, int min_version, int max_version,
                  sl_status *st) {
    choice c = {0};
    size_t start = 0;
    for (size_t i = 0; i <= value.size; i++) {
        if (i < value.size && value.data[i] != ',') continue;
        offer o = {0};
        bool known;
        if (!read_offer(trim(sl_str_of(value.data + start, i - start)), &o, &known, st))
            return false;
        if (known) consider(&c, &o, (uint64_t)min_version, (uint64_t)max_version);
        start = i + 1;
    }
    if (!c.any)
        return sl_fail_code(st, SL_ERR_CONNECTION, 400,
                            "Sec-WebSocket-Protocol names no protocol of Device Sync");
    take_choice(result, &c);
    return true;
}

void sl_offer_write(sl_buf *out, bool flx, int min_version, int max_version) {
    for (int version = max_version; version >= min_version; version--) {
        if (version < max_version) sl_buf_text(out, ", ");
        sl_buf_text(out, flx ? flx_class : pbs_class);
        sl_buf_byte(out, '#');
        sl_put_uint(out, (uint64_t)version);
    }
}

bool sl_offer_accept(sl_str token, bool flx, int min_version, int max_version, int *version,
                     sl_status *st) {
    const char *name = flx ? flx_class : pbs_class;
    size_t at = strlen(name), value_size = token.size;
    uint64_t value = 0;
    if (starts_with(token, name, at) && token.data[at] == '#') {
        at++;
        if (sl_scan_digits(token.data, value_size, &at, (uint64_t)max_version, &value) &&
            at == value_size && value >= (uint64_t)min_version) {
            *version = (int)value;
            return true;
        }
    }
    return sl_fail_code(st, SL_ERR_CONNECTION, 0,
                        "the server answered with the sub-protocol \"%.*s\", which was not offered",
                        (int)(token.size < 60 ? token.size : 60), token.data ? token.data : "");
}
