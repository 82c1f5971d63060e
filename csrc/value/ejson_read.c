#include <math.h>

#include "value/base64.h"
#include "value/date.h"
#include "value/decimal.h"
#include "value/ejson.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/text.h"

static const char escape[] = "$b64:";

static bool expected(sl_status *st, const char *what) {
    return sl_fail(st, SL_ERR_USAGE, "", "Extended JSON: expected %s", what);
}

json_t *sl_ejson_parse(const char *text, size_t size, sl_status *st) {
    return sl_text_parse(text, size, st);
}

static sl_str str_of(const json_t *json) {
    return json_is_string(json) ? sl_str_of(json_string_value(json), json_string_length(json))
                                : SL_STR("");
}

static const char *first_name(const json_t *json) {
    return json_object_iter_key(json_object_iter((json_t *)(uintptr_t)json));
}

bool sl_ejson_is_scalar(const json_t *json) {
    if (json_is_array(json)) return false;
    if (!json_is_object(json)) return true;
    const char *name = first_name(json);
    return name && name[0] == '$' && strncmp(name, escape, sizeof escape - 1) != 0;
}

/* A copy in the arena; NULL data (memory) is reported. */
static bool copy(sl_str s, sl_arena *arena, sl_str *out, sl_status *st) {
    *out = sl_arena_str(arena, s);
    return out->data || sl_fail_memory(st);
}

static bool read_base64(sl_str text, sl_arena *arena, sl_str *out, sl_status *st) {
    bool memory;
    if (sl_value_base64_decode(text, arena, out, &memory)) return true;
    return memory ? expected(st, "base64 with padding") : sl_fail_memory(st);
}

bool sl_ejson_read_name(const char *name, sl_arena *arena, sl_str *s, sl_status *st) {
    size_t n = sizeof escape - 1;
    if (strncmp(name, escape, n) == 0) return read_base64(sl_str_c(name + n), arena, s, st);
    if (name[0] == '$') return expected(st, "a name that does not start with \"$\"");
    return copy(sl_str_c(name), arena, s, st);
}

static bool read_i64(const json_t *json, int64_t *value, sl_status *st) {
    if (json_is_integer(json)) return *value = json_integer_value(json), true;
    return sl_number_read_i64(str_of(json), value) ||
           expected(st, "a 64-bit integer in a string, like \"-5\"");
}

static bool read_int32(const json_t *json, int64_t *value, sl_status *st) {
    return read_i64(json, value, st) &&
           ((*value >= INT32_MIN && *value <= INT32_MAX) || expected(st, "a 32-bit integer"));
}

/* "Infinity", "-Infinity", "NaN", or a literal. */
static bool special(sl_str text, double *value) {
    if (sl_str_eq(text, SL_STR("NaN"))) {
        const uint64_t bits = UINT64_C(0x7ff8000000000000);
        memcpy(value, &bits, sizeof bits);
        return true;
    }
    bool minus = sl_str_eq(text, SL_STR("-Infinity"));
    *value = minus ? -(double)INFINITY : (double)INFINITY;
    return minus || sl_str_eq(text, SL_STR("Infinity"));
}

static bool read_double(sl_str text, double *value, sl_status *st) {
    return special(text, value) || sl_number_read_double(text, value) ||
           expected(st, "a double in a string, like \"1.5\"");
}

static bool read_float(sl_str text, float *value, sl_status *st) {
    double wide;
    if (special(text, &wide)) return *value = (float)wide, true;
    return sl_number_read_float(text, value) || expected(st, "a float in a string, like \"1.5\"");
}

static bool read_float_bits(sl_str text, float *value, sl_status *st) {
    uint8_t b[4];
    if (!sl_value_hex_decode(text, b, sizeof b)) return expected(st, "8 hexadecimal digits");
    uint32_t bits = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    memcpy(value, &bits, sizeof bits);
    return true;
}

static bool read_double_bits(sl_str text, double *value, sl_status *st) {
    uint8_t b[8];
    if (!sl_value_hex_decode(text, b, sizeof b)) return expected(st, "16 hexadecimal digits");
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    memcpy(value, &bits, sizeof bits);
    return true;
}

/* Bytes of subtype 00, or a UUID of subtype 04. */
static bool set_binary(sl_str base64, sl_str subtype, sl_arena *arena, sl_value *value,
                       sl_status *st) {
    sl_str bytes;
    if (!read_base64(base64, arena, &bytes, st)) return false;
    if (sl_str_eq(subtype, SL_STR("00")) || sl_str_eq(subtype, SL_STR("0"))) {
        value->type = SL_TYPE_BINARY;
        value->string = bytes;
        return true;
    }
    if (!sl_str_eq(subtype, SL_STR("04")) && !sl_str_eq(subtype, SL_STR("4")))
        return expected(st, "$binary of subtype 00 (bytes) or 04 (UUID)");
    if (bytes.size != sizeof value->uuid) return expected(st, "16 bytes of a UUID");
    value->type = SL_TYPE_UUID;
    memcpy(value->uuid, bytes.data, bytes.size);
    return true;
}

static bool read_binary(const json_t *json, const json_t *member, sl_arena *arena, sl_value *value,
                        sl_status *st) {
    const json_t *type = json_object_get(json, "$type");
    if (json_is_string(member) && type && json_object_size(json) == 2)
        return set_binary(str_of(member), str_of(type), arena, value, st);
    const json_t *base64 = json_object_get(member, "base64");
    const json_t *subtype = json_object_get(member, "subType");
    if (!json_is_string(base64) || !subtype || json_object_size(member) != 2 ||
        json_object_size(json) != 1)
        return expected(st, "{\"$binary\":{\"base64\":\"...\",\"subType\":\"00\"}}");
    return set_binary(str_of(base64), str_of(subtype), arena, value, st);
}

static bool read_date(const json_t *member, sl_timestamp *t, sl_status *st) {
    if (json_is_string(member))
        return sl_date_from_text(str_of(member), t) ||
               expected(st, "a date like \"2020-01-31T12:00:00Z\"");
    const json_t *number = json_object_get(member, "$numberLong");
    int64_t ms;
    if (json_is_object(member) && (!number || json_object_size(member) != 1))
        return expected(st, "{\"$date\":{\"$numberLong\":\"...\"}}");
    if (!read_i64(number ? number : member, &ms, st)) return false;
    *t = sl_date_from_ms(ms);
    return true;
}

static bool read_nanos(const json_t *member, sl_timestamp *t, sl_status *st) {
    const json_t *seconds = json_object_get(member, "seconds");
    const json_t *nanos = json_object_get(member, "nanoseconds");
    if (!seconds || !json_is_integer(nanos) || json_object_size(member) != 2)
        return expected(st, "{\"seconds\":\"...\",\"nanoseconds\":...}");
    json_int_t ns = json_integer_value(nanos);
    if (!read_i64(seconds, &t->seconds, st)) return false;
    if (ns <= -1000000000 || ns >= 1000000000 || (t->seconds < 0 && ns > 0) ||
        (t->seconds > 0 && ns < 0))
        return expected(st, "nanoseconds below a second, with the sign of the seconds");
    t->nanoseconds = (int32_t)ns;
    return true;
}

static bool read_link(const json_t *member, sl_arena *arena, sl_value *value, sl_status *st) {
    const json_t *name = json_object_get(member, "class"), *key = json_object_get(member, "key");
    if (!name || !key || json_object_size(member) != 2)
        return expected(st, "{\"$link\":{\"class\":...,\"key\":...}}");
    sl_link *link = sl_arena_zero(arena, 1, sizeof *link);
    sl_value text;
    if (!link) return sl_fail_memory(st);
    if (!sl_ejson_read_value(name, arena, &text, st)) return false;
    if (text.type != SL_TYPE_STRING) return expected(st, "the name of a class");
    link->class_name = text.string;
    value->link = link;
    return sl_ejson_read_key(key, arena, &link->key, st);
}

typedef enum word {
    NUMBER_LONG,
    NUMBER_INT,
    NUMBER_DOUBLE,
    NUMBER_DECIMAL,
    NUMBER_FLOAT,
    FLOAT_BITS,
    DOUBLE_BITS,
    DECIMAL_TRIPLE,
    OID,
    UUID,
    STRING_BYTES,
    BINARY,
    DATE,
    DATE_NANOS,
    LINK,
    UNKNOWN
} word;

static const struct {
    const char *name;
    int8_t type;
} words[] = {
    [NUMBER_LONG] = {"$numberLong", SL_TYPE_INT},
    [NUMBER_INT] = {"$numberInt", SL_TYPE_INT},
    [NUMBER_DOUBLE] = {"$numberDouble", SL_TYPE_DOUBLE},
    [NUMBER_DECIMAL] = {"$numberDecimal", SL_TYPE_DECIMAL},
    [NUMBER_FLOAT] = {"$numberFloat", SL_TYPE_FLOAT},
    [FLOAT_BITS] = {"$numberFloatBits", SL_TYPE_FLOAT},
    [DOUBLE_BITS] = {"$numberDoubleBits", SL_TYPE_DOUBLE},
    [DECIMAL_TRIPLE] = {"$decimalTriple", SL_TYPE_DECIMAL},
    [OID] = {"$oid", SL_TYPE_OBJECTID},
    [UUID] = {"$uuid", SL_TYPE_UUID},
    [STRING_BYTES] = {"$stringBytes", SL_TYPE_STRING},
    [BINARY] = {"$binary", SL_TYPE_BINARY},
    [DATE] = {"$date", SL_TYPE_TIMESTAMP},
    [DATE_NANOS] = {"$dateNanos", SL_TYPE_TIMESTAMP},
    [LINK] = {"$link", SL_TYPE_LINK},
};

static word word_of(const char *name) {
    for (int i = 0; name && i < UNKNOWN; i++) {
        if (strcmp(name, words[i].name) == 0) return (word)i;
    }
    return UNKNOWN;
}

/* The words whose member is a plain text. */
static bool read_text(word w, sl_str text, sl_arena *arena, sl_value *value, sl_status *st) {
    switch (w) {
    case NUMBER_DOUBLE:
        return read_double(text, &value->real, st);
    case NUMBER_FLOAT:
        return read_float(text, &value->single, st);
    case FLOAT_BITS:
        return read_float_bits(text, &value->single, st);
    case DOUBLE_BITS:
        return read_double_bits(text, &value->real, st);
    case NUMBER_DECIMAL:
        return sl_decimal_from_text(text, &value->decimal) ||
               expected(st, "a decimal of at most 34 digits, like \"1.5\"");
    case DECIMAL_TRIPLE:
        return sl_decimal_from_triple(text, &value->decimal) ||
               expected(st, "coefficient and exponent of a decimal, like \"15E-1\"");
    case OID:
        return sl_objectid_from_text(text, value->objectid) ||
               expected(st, "24 hexadecimal digits");
    case UUID:
        return sl_uuid_from_text(text, value->uuid) ||
               expected(st, "a UUID as 8-4-4-4-12 hexadecimal digits");
    default: /* STRING_BYTES */
        return read_base64(text, arena, &value->string, st);
    }
}

static bool read_object(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st) {
    word w = word_of(first_name(json));
    /* The older form of binary has two members in any order. */
    if (w == UNKNOWN && json_object_get(json, "$binary")) w = BINARY;
    if (w == UNKNOWN)
        return expected(st, "a known \"$\" word; this one is unknown or not a single value");
    const json_t *member = json_object_get(json, words[w].name);
    value->type = words[w].type;
    if (w == BINARY) return read_binary(json, member, arena, value, st);
    if (json_object_size(json) != 1) return expected(st, "an object with one member");
    switch (w) {
    case NUMBER_LONG:
        return read_i64(member, &value->integer, st);
    case NUMBER_INT:
        return read_int32(member, &value->integer, st);
    case DATE:
        return read_date(member, &value->timestamp, st);
    case DATE_NANOS:
        return read_nanos(member, &value->timestamp, st);
    case LINK:
        return read_link(member, arena, value, st);
    default:
        if (!json_is_string(member)) return expected(st, "a string");
        return read_text(w, str_of(member), arena, value, st);
    }
}

bool sl_ejson_read_value(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st) {
    memset(value, 0, sizeof *value);
    switch (json ? json_typeof(json) : JSON_ARRAY) {
    case JSON_NULL:
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        value->type = SL_TYPE_BOOL;
        value->boolean = json_is_true(json);
        return true;
    case JSON_STRING:
        value->type = SL_TYPE_STRING;
        return copy(str_of(json), arena, &value->string, st);
    case JSON_INTEGER:
        value->type = SL_TYPE_INT;
        value->integer = json_integer_value(json);
        return true;
    case JSON_REAL:
        value->type = SL_TYPE_DOUBLE;
        value->real = json_real_value(json);
        return true;
    case JSON_OBJECT:
        return read_object(json, arena, value, st);
    default:
        return expected(st, "a single value, not a list");
    }
}

static bool read_global(const json_t *member, sl_key *key, sl_status *st) {
    const json_t *hi = json_object_get(member, "hi"), *lo = json_object_get(member, "lo");
    key->type = SL_TYPE_GLOBALKEY;
    if (json_object_size(member) == 2 && sl_number_read_u64(str_of(hi), &key->global.hi) &&
        sl_number_read_u64(str_of(lo), &key->global.lo))
        return true;
    return expected(st, "{\"$globalKey\":{\"hi\":\"...\",\"lo\":\"...\"}}");
}

bool sl_ejson_read_key(const json_t *json, sl_arena *arena, sl_key *key, sl_status *st) {
    memset(key, 0, sizeof *key);
    const json_t *global = json_object_get(json, "$globalKey");
    if (global && json_object_size(json) == 1) return read_global(global, key, st);
    sl_value value;
    if (!sl_ejson_read_value(json, arena, &value, st)) return false;
    key->type = value.type;
    switch (value.type) {
    case SL_TYPE_NULL:
        return true;
    case SL_TYPE_INT:
        key->integer = value.integer;
        return true;
    case SL_TYPE_STRING:
        key->string = value.string;
        return true;
    case SL_TYPE_OBJECTID:
        memcpy(key->objectid, value.objectid, sizeof key->objectid);
        return true;
    case SL_TYPE_UUID:
        memcpy(key->uuid, value.uuid, sizeof key->uuid);
        return true;
    default:
        return expected(st, "a key: null, int, string, object id, UUID or $globalKey");
    }
}
