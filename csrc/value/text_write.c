#include <math.h>

#include "value/base64.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/text.h"
#include "value/utf8.h"

void sl_text_quote(sl_str s, sl_buf *out) {
    sl_buf_byte(out, '"');
    const char *p = s.data, *end = p + s.size, *run = p;
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        sl_buf_add(out, run, (size_t)(p - run));
        run = p + 1;
        if (c < 0x20) {
            sl_buf_printf(out, "\\u%04x", c);
        } else {
            sl_buf_byte(out, '\\');
            sl_buf_byte(out, c);
        }
    }
    if (s.size) sl_buf_add(out, run, (size_t)(end - run));
    sl_buf_byte(out, '"');
}

static void put_base64(sl_str s, sl_buf *out) {
    sl_buf_byte(out, '"');
    sl_value_base64_encode(s.data, s.size, out);
    sl_buf_byte(out, '"');
}

void sl_text_str(sl_str s, sl_buf *out) {
    if (sl_utf8_valid(s)) {
        sl_text_quote(s, out);
        return;
    }
    sl_buf_text(out, "{\"b64\":");
    put_base64(s, out);
    sl_buf_byte(out, '}');
}

void sl_text_key(const sl_key *key, sl_buf *out) {
    switch (key->type) {
    case SL_TYPE_INT:
        sl_buf_text(out, "{\"int\":\"");
        sl_number_put_i64(key->integer, out);
        sl_buf_text(out, "\"}");
        break;
    case SL_TYPE_STRING:
        sl_buf_text(out, "{\"string\":");
        sl_text_str(key->string, out);
        sl_buf_byte(out, '}');
        break;
    case SL_TYPE_OBJECTID:
        sl_buf_text(out, "{\"objectid\":\"");
        sl_objectid_to_text(key->objectid, out);
        sl_buf_text(out, "\"}");
        break;
    case SL_TYPE_UUID:
        sl_buf_text(out, "{\"uuid\":\"");
        sl_uuid_to_text(key->uuid, out);
        sl_buf_text(out, "\"}");
        break;
    case SL_TYPE_GLOBALKEY:
        sl_buf_text(out, "{\"globalkey\":{\"hi\":\"");
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

static void put_float(float v, sl_buf *out) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v)) {
        sl_buf_printf(out, "{\"float\":\"nan:%08lx\"}", (unsigned long)bits);
    } else if (isinf(v)) {
        sl_buf_text(out, v < 0 ? "{\"float\":\"-inf\"}" : "{\"float\":\"inf\"}");
    } else {
        sl_buf_text(out, "{\"float\":\"");
        sl_number_put_real((double)v, 9, out);
        sl_buf_text(out, "\"}");
    }
}

static void put_double(double v, sl_buf *out) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (isnan(v)) {
        sl_buf_printf(out, "{\"double\":\"nan:%016llx\"}", (unsigned long long)bits);
    } else if (isinf(v)) {
        sl_buf_text(out, v < 0 ? "{\"double\":\"-inf\"}" : "{\"double\":\"inf\"}");
    } else {
        sl_buf_text(out, "{\"double\":\"");
        sl_number_put_real(v, 17, out);
        sl_buf_text(out, "\"}");
    }
}

static void put_timestamp(sl_timestamp t, sl_buf *out) {
    sl_buf_text(out, "{\"timestamp\":{\"s\":\"");
    sl_number_put_i64(t.seconds, out);
    sl_buf_text(out, "\",\"ns\":");
    sl_number_put_i64(t.nanoseconds, out);
    sl_buf_text(out, "}}");
}

static void put_link(const sl_link *link, sl_buf *out) {
    sl_buf_text(out, "{\"link\":{\"table\":");
    sl_text_str(link->class_name, out);
    sl_buf_text(out, ",\"object\":");
    sl_text_key(&link->key, out);
    sl_buf_text(out, "}}");
}

static void put_text(const char *open, sl_buf *out, const sl_value *value) {
    sl_buf_text(out, open);
    switch (value->type) {
    case SL_TYPE_INT:
        sl_number_put_i64(value->integer, out);
        break;
    case SL_TYPE_DECIMAL:
        sl_decimal_to_triple(value->decimal, out);
        break;
    case SL_TYPE_OBJECTID:
        sl_objectid_to_text(value->objectid, out);
        break;
    case SL_TYPE_UUID:
        sl_uuid_to_text(value->uuid, out);
        break;
    default: /* SL_TYPE_BINARY */
        sl_value_base64_encode(value->string.data, value->string.size, out);
        break;
    }
    sl_buf_text(out, "\"}");
}

void sl_text_value(const sl_value *value, sl_buf *out) {
    switch (value->type) {
    case SL_TYPE_INT:
        put_text("{\"int\":\"", out, value);
        break;
    case SL_TYPE_BOOL:
        sl_buf_text(out, value->boolean ? "{\"bool\":true}" : "{\"bool\":false}");
        break;
    case SL_TYPE_STRING:
        sl_buf_text(out, "{\"string\":");
        sl_text_str(value->string, out);
        sl_buf_byte(out, '}');
        break;
    case SL_TYPE_BINARY:
        put_text("{\"binary\":\"", out, value);
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
        put_text("{\"decimal\":\"", out, value);
        break;
    case SL_TYPE_LINK:
        put_link(value->link, out);
        break;
    case SL_TYPE_OBJECTID:
        put_text("{\"objectid\":\"", out, value);
        break;
    case SL_TYPE_UUID:
        put_text("{\"uuid\":\"", out, value);
        break;
    case SL_TYPE_ERASED:
        sl_buf_text(out, "{\"erased\":true}");
        break;
    case SL_TYPE_OBJECT:
    case SL_TYPE_DICTIONARY:
    case SL_TYPE_LIST:
    case SL_TYPE_SET:
        sl_buf_printf(out, "{\"new\":\"%s\"}", sl_type_name(value->type));
        break;
    default:
        sl_buf_text(out, "null");
        break;
    }
}
