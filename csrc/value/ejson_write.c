#include <math.h>

#include "value/base64.h"
#include "value/date.h"
#include "value/decimal.h"
#include "value/ejson.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/text.h"
#include "value/utf8.h"

static void next(sl_ejson *w) {
    if (w->comma) sl_buf_byte(w->out, ',');
    w->comma = true;
}

static void begin(sl_ejson *w, uint8_t bracket) {
    next(w);
    sl_buf_byte(w->out, bracket);
    w->comma = false;
}

static void end(sl_ejson *w, uint8_t bracket) {
    sl_buf_byte(w->out, bracket);
    w->comma = true;
}

void sl_ejson_begin_array(sl_ejson *w) {
    begin(w, '[');
}

void sl_ejson_end_array(sl_ejson *w) {
    end(w, ']');
}

void sl_ejson_begin_object(sl_ejson *w) {
    begin(w, '{');
}

void sl_ejson_end_object(sl_ejson *w) {
    end(w, '}');
}

static bool plain_name(sl_str name) {
    if (name.size == 0) return true;
    return name.data[0] != '$' && !memchr(name.data, 0, name.size) && sl_utf8_valid(name);
}

void sl_ejson_name(sl_ejson *w, sl_str name) {
    next(w);
    if (plain_name(name)) {
        sl_text_quote(name, w->out);
    } else {
        sl_buf_text(w->out, "\"$b64:");
        sl_value_base64_encode(name.data, name.size, w->out);
        sl_buf_byte(w->out, '"');
    }
    sl_buf_byte(w->out, ':');
    w->comma = false;
}

static void put_string(sl_str s, sl_buf *out) {
    if (sl_utf8_valid(s)) {
        sl_text_quote(s, out);
        return;
    }
    sl_buf_text(out, "{\"$stringBytes\":\"");
    sl_value_base64_encode(s.data, s.size, out);
    sl_buf_text(out, "\"}");
}

static void put_long(int64_t value, sl_buf *out) {
    sl_buf_text(out, "{\"$numberLong\":\"");
    sl_number_put_i64(value, out);
    sl_buf_text(out, "\"}");
}

static void put_binary(const void *data, size_t size, const char *subtype, sl_buf *out) {
    sl_buf_text(out, "{\"$binary\":{\"base64\":\"");
    sl_value_base64_encode(data, size, out);
    sl_buf_printf(out, "\",\"subType\":\"%s\"}}", subtype);
}

static void put_objectid(const uint8_t id[12], sl_buf *out) {
    sl_buf_text(out, "{\"$oid\":\"");
    sl_objectid_to_text(id, out);
    sl_buf_text(out, "\"}");
}

static void put_timestamp(sl_timestamp t, sl_buf *out) {
    int64_t ms;
    if (sl_date_to_ms(t, &ms)) {
        sl_buf_text(out, "{\"$date\":");
        put_long(ms, out);
        sl_buf_byte(out, '}');
        return;
    }
    sl_buf_text(out, "{\"$dateNanos\":{\"seconds\":\"");
    sl_number_put_i64(t.seconds, out);
    sl_buf_text(out, "\",\"nanoseconds\":");
    sl_number_put_i64(t.nanoseconds, out);
    sl_buf_text(out, "}}");
}

/* The fewest digits from `digits` on that read back as the same number; a whole number gets ".0".
 */
static void put_shortest(double value, int digits, bool single, sl_buf *out) {
    size_t start = out->size;
    for (int most = single ? 9 : 17; digits <= most; digits++) {
        out->size = start;
        sl_number_put_real(value, digits, out);
        if (out->failed || digits == most) break;
        sl_str text = sl_str_of(out->data + start, out->size - start);
        double back = 0;
        float narrow = 0;
        bool same = single ? sl_number_read_float(text, &narrow) && narrow == (float)value
                           : sl_number_read_double(text, &back) && back == value;
        if (same) break;
    }
    if (out->failed) return;
    for (size_t i = start; i < out->size; i++) {
        if (out->data[i] == '.' || out->data[i] == 'e') return;
    }
    sl_buf_text(out, ".0");
}

static void put_float(float v, sl_buf *out) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v) && bits != UINT32_C(0x7fc00000)) {
        sl_buf_printf(out, "{\"$numberFloatBits\":\"%08lx\"}", (unsigned long)bits);
        return;
    }
    sl_buf_text(out, "{\"$numberFloat\":\"");
    if (isnan(v)) {
        sl_buf_text(out, "NaN");
    } else if (isinf(v)) {
        sl_buf_text(out, v < 0 ? "-Infinity" : "Infinity");
    } else {
        put_shortest((double)v, 6, true, out);
    }
    sl_buf_text(out, "\"}");
}

static void put_double(double v, sl_buf *out) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v) && bits != UINT64_C(0x7ff8000000000000)) {
        sl_buf_printf(out, "{\"$numberDoubleBits\":\"%016llx\"}", (unsigned long long)bits);
        return;
    }
    sl_buf_text(out, "{\"$numberDouble\":\"");
    if (isnan(v)) {
        sl_buf_text(out, "NaN");
    } else if (isinf(v)) {
        sl_buf_text(out, v < 0 ? "-Infinity" : "Infinity");
    } else {
        put_shortest(v, 15, false, out);
    }
    sl_buf_text(out, "\"}");
}

static void put_decimal(sl_decimal d, sl_buf *out) {
    bool canonical = sl_decimal_is_canonical(d);
    sl_buf_text(out, canonical ? "{\"$numberDecimal\":\"" : "{\"$decimalTriple\":\"");
    if (canonical) {
        sl_decimal_to_text(d, out);
    } else {
        sl_decimal_to_triple(d, out);
    }
    sl_buf_text(out, "\"}");
}

static void put_key(const sl_key *key, sl_buf *out) {
    switch (key->type) {
    case SL_TYPE_INT:
        put_long(key->integer, out);
        break;
    case SL_TYPE_STRING:
        put_string(key->string, out);
        break;
    case SL_TYPE_OBJECTID:
        put_objectid(key->objectid, out);
        break;
    case SL_TYPE_UUID:
        put_binary(key->uuid, sizeof key->uuid, "04", out);
        break;
    case SL_TYPE_GLOBALKEY:
        sl_buf_text(out, "{\"$globalKey\":{\"hi\":\"");
        sl_number_put_u64(key->global.hi, out);
        sl_buf_text(out, "\",\"lo\":\"");
        sl_number_put_u64(key->global.lo, out);
        sl_buf_text(out, "\"}}");
        break;
    default:
        sl_buf_text(out, "null");
        break;
    }
}

static void put_link(const sl_link *link, sl_buf *out) {
    sl_buf_text(out, "{\"$link\":{\"class\":");
    put_string(link->class_name, out);
    sl_buf_text(out, ",\"key\":");
    put_key(&link->key, out);
    sl_buf_text(out, "}}");
}

void sl_ejson_value(sl_ejson *w, const sl_value *value) {
    sl_buf *out = w->out;
    next(w);
    switch (value->type) {
    case SL_TYPE_INT:
        put_long(value->integer, out);
        break;
    case SL_TYPE_BOOL:
        sl_buf_text(out, value->boolean ? "true" : "false");
        break;
    case SL_TYPE_STRING:
        put_string(value->string, out);
        break;
    case SL_TYPE_BINARY:
        put_binary(value->string.data, value->string.size, "00", out);
        break;
    case SL_TYPE_TIMESTAMP:
        put_timestamp(value->timestamp, out);
        break;
    case SL_TYPE_FLOAT:
        put_float(value->single, out);
        break;
    case SL_TYPE_DOUBLE:
        put_double(value->real, out);
        break;
    case SL_TYPE_DECIMAL:
        put_decimal(value->decimal, out);
        break;
    case SL_TYPE_LINK:
        put_link(value->link, out);
        break;
    case SL_TYPE_OBJECTID:
        put_objectid(value->objectid, out);
        break;
    case SL_TYPE_UUID:
        put_binary(value->uuid, sizeof value->uuid, "04", out);
        break;
    default:
        sl_buf_text(out, "null");
        break;
    }
}

void sl_ejson_key(sl_ejson *w, const sl_key *key) {
    next(w);
    put_key(key, w->out);
}
