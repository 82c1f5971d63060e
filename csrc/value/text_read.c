#include <math.h>

#include "value/base64.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/text.h"

static bool expected(sl_status *st, const char *what) {
    return sl_fail(st, SL_ERR_USAGE, "", "text form: expected %s", what);
}

static sl_str str_of(const json_t *json) {
    return sl_str_of(json_string_value(json), json_string_length(json));
}

json_t *sl_text_parse(const char *text, size_t size, sl_status *st) {
    json_error_t error;
    json_t *json =
        json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!json)
        sl_fail_at(st, SL_ERR_USAGE, "", (size_t)error.position, "invalid JSON, line %d: %s",
                   error.line, error.text);
    return json;
}

/* The only member of an object: its name, or NULL. */
static const char *only_member(const json_t *json, const json_t **member) {
    if (!json_is_object(json) || json_object_size(json) != 1) return NULL;
    void *iter = json_object_iter((json_t *)(uintptr_t)json);
    *member = json_object_iter_value(iter);
    return json_object_iter_key(iter);
}

static bool read_base64(const json_t *json, sl_arena *arena, sl_str *s, sl_status *st) {
    bool memory;
    if (!json_is_string(json)) return expected(st, "a string of base64");
    if (sl_value_base64_decode(str_of(json), arena, s, &memory)) return true;
    return memory ? expected(st, "base64 with padding") : sl_fail_memory(st);
}

bool sl_text_read_str(const json_t *json, sl_arena *arena, sl_str *s, sl_status *st) {
    if (json_is_string(json)) {
        *s = sl_arena_str(arena, str_of(json));
        return s->data || sl_fail_memory(st);
    }
    const json_t *member;
    const char *name = only_member(json, &member);
    if (!name || strcmp(name, "b64") != 0) return expected(st, "a string or {\"b64\":...}");
    return read_base64(member, arena, s, st);
}

static bool read_i64(const json_t *json, int64_t *value, sl_status *st) {
    if (json_is_string(json) && sl_number_read_i64(str_of(json), value)) return true;
    return expected(st, "a 64-bit integer in a string, like \"-5\"");
}

static bool read_u64(const json_t *json, uint64_t *value, sl_status *st) {
    if (json_is_string(json) && sl_number_read_u64(str_of(json), value)) return true;
    return expected(st, "an unsigned 64-bit integer in a string, like \"5\"");
}

static bool read_objectid(const json_t *json, uint8_t id[12], sl_status *st) {
    if (json_is_string(json) && sl_objectid_from_text(str_of(json), id)) return true;
    return expected(st, "24 hexadecimal digits");
}

static bool read_uuid(const json_t *json, uint8_t uuid[16], sl_status *st) {
    if (json_is_string(json) && sl_uuid_from_text(str_of(json), uuid)) return true;
    return expected(st, "a UUID as 8-4-4-4-12 hexadecimal digits");
}

static bool read_global(const json_t *json, sl_global_key *global, sl_status *st) {
    const json_t *hi = json_object_get(json, "hi"), *lo = json_object_get(json, "lo");
    if (!hi || !lo || json_object_size(json) != 2) return expected(st, "{\"hi\":U64,\"lo\":U64}");
    return read_u64(hi, &global->hi, st) && read_u64(lo, &global->lo, st);
}

bool sl_text_read_key(const json_t *json, sl_arena *arena, sl_key *key, sl_status *st) {
    memset(key, 0, sizeof *key);
    if (json_is_null(json)) return true;
    const json_t *member = NULL;
    const char *name = only_member(json, &member);
    int type;
    if (!name || !sl_type_from_name(sl_str_c(name), &type)) type = SL_TYPE_NULL;
    key->type = (int8_t)type;
    switch (type) {
    case SL_TYPE_INT:
        return read_i64(member, &key->integer, st);
    case SL_TYPE_STRING:
        return sl_text_read_str(member, arena, &key->string, st);
    case SL_TYPE_OBJECTID:
        return read_objectid(member, key->objectid, st);
    case SL_TYPE_UUID:
        return read_uuid(member, key->uuid, st);
    case SL_TYPE_GLOBALKEY:
        return read_global(member, &key->global, st);
    default:
        return expected(st, "a key: null or one of int, string, objectid, uuid, globalkey");
    }
}

/* "inf", "-inf", or the digits of a NaN in *nan_digits. */
static bool special(sl_str text, double *value, sl_str *nan_digits) {
    *nan_digits = sl_str_of(NULL, 0);
    if (sl_str_eq(text, SL_STR("inf"))) return *value = (double)INFINITY, true;
    if (sl_str_eq(text, SL_STR("-inf"))) return *value = -(double)INFINITY, true;
    if (text.size > 4 && memcmp(text.data, "nan:", 4) == 0)
        *nan_digits = sl_str_of(text.data + 4, text.size - 4);
    return false;
}

static bool read_float(const json_t *json, float *value, sl_status *st) {
    sl_str digits;
    double wide;
    uint8_t b[4];
    if (!json_is_string(json)) return expected(st, "a float in a string");
    if (special(str_of(json), &wide, &digits)) return *value = (float)wide, true;
    if (digits.size == 0)
        return sl_number_read_float(str_of(json), value) || expected(st, "a float, like \"1.5\"");
    if (!sl_value_hex_decode(digits, b, sizeof b))
        return expected(st, "8 hexadecimal digits of a NaN");
    uint32_t bits = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    memcpy(value, &bits, sizeof bits);
    return isnan(*value) || expected(st, "the bit pattern of a NaN");
}

static bool read_double(const json_t *json, double *value, sl_status *st) {
    sl_str digits;
    uint8_t b[8];
    if (!json_is_string(json)) return expected(st, "a double in a string");
    if (special(str_of(json), value, &digits)) return true;
    if (digits.size == 0)
        return sl_number_read_double(str_of(json), value) || expected(st, "a double, like \"1.5\"");
    if (!sl_value_hex_decode(digits, b, sizeof b))
        return expected(st, "16 hexadecimal digits of a NaN");
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    memcpy(value, &bits, sizeof bits);
    return isnan(*value) || expected(st, "the bit pattern of a NaN");
}

static bool read_timestamp(const json_t *json, sl_timestamp *t, sl_status *st) {
    const json_t *s = json_object_get(json, "s"), *ns = json_object_get(json, "ns");
    if (!s || !json_is_integer(ns) || json_object_size(json) != 2)
        return expected(st, "{\"s\":I64,\"ns\":number}");
    if (!read_i64(s, &t->seconds, st)) return false;
    json_int_t n = json_integer_value(ns);
    if (n <= -1000000000 || n >= 1000000000 || (t->seconds < 0 && n > 0) ||
        (t->seconds > 0 && n < 0))
        return expected(st, "nanoseconds below a second, with the sign of the seconds");
    t->nanoseconds = (int32_t)n;
    return true;
}

static bool read_link(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st) {
    const json_t *table = json_object_get(json, "table"), *object = json_object_get(json, "object");
    if (!table || !object || json_object_size(json) != 2)
        return expected(st, "{\"table\":STR,\"object\":KEY}");
    sl_link *link = sl_arena_zero(arena, 1, sizeof *link);
    if (!link) return sl_fail_memory(st);
    value->link = link;
    return sl_text_read_str(table, arena, &link->class_name, st) &&
           sl_text_read_key(object, arena, &link->key, st);
}

static bool read_new(const json_t *json, sl_value *value, sl_status *st) {
    static const int8_t kinds[] = {SL_TYPE_OBJECT, SL_TYPE_DICTIONARY, SL_TYPE_LIST, SL_TYPE_SET};
    for (size_t i = 0; json_is_string(json) && i < sizeof kinds; i++) {
        value->type = kinds[i];
        if (sl_str_eq(str_of(json), sl_str_c(sl_type_name(kinds[i])))) return true;
    }
    return expected(st, "one of \"object\", \"list\", \"dictionary\", \"set\"");
}

static bool read_decimal(const json_t *json, sl_decimal *d, sl_status *st) {
    if (json_is_string(json) && sl_decimal_from_triple(str_of(json), d)) return true;
    return expected(st, "a decimal as coefficient and exponent, like \"15E-1\"");
}

static bool read_bool(const json_t *json, bool *value, sl_status *st) {
    *value = json_is_true(json);
    return json_is_boolean(json) || expected(st, "true or false");
}

static bool read_typed(int type, const json_t *json, sl_arena *arena, sl_value *value,
                       sl_status *st) {
    switch (type) {
    case SL_TYPE_INT:
        return read_i64(json, &value->integer, st);
    case SL_TYPE_BOOL:
        return read_bool(json, &value->boolean, st);
    case SL_TYPE_STRING:
        return sl_text_read_str(json, arena, &value->string, st);
    case SL_TYPE_BINARY:
        return read_base64(json, arena, &value->string, st);
    case SL_TYPE_TIMESTAMP:
        return read_timestamp(json, &value->timestamp, st);
    case SL_TYPE_FLOAT:
        return read_float(json, &value->single, st);
    case SL_TYPE_DOUBLE:
        return read_double(json, &value->real, st);
    case SL_TYPE_DECIMAL:
        return read_decimal(json, &value->decimal, st);
    case SL_TYPE_LINK:
        return read_link(json, arena, value, st);
    case SL_TYPE_OBJECTID:
        return read_objectid(json, value->objectid, st);
    case SL_TYPE_UUID:
        return read_uuid(json, value->uuid, st);
    default:
        return expected(st, "a value: null or an object with one member named after its type");
    }
}

bool sl_text_read_value(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st) {
    memset(value, 0, sizeof *value);
    if (json_is_null(json)) return true;
    const json_t *member = NULL;
    const char *name = only_member(json, &member);
    int type;
    if (!name) name = "";
    if (strcmp(name, "new") == 0) return read_new(member, value, st);
    if (strcmp(name, "erased") == 0) {
        value->type = SL_TYPE_ERASED;
        return json_is_true(member) || expected(st, "true");
    }
    if (!sl_type_from_name(sl_str_c(name), &type)) type = SL_TYPE_NULL;
    value->type = (int8_t)type;
    return read_typed(type, member, arena, value, st);
}
