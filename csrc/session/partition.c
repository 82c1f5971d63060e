#include "session/partition.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

static bool refuse(sl_status *st, const char *why) {
    return sl_fail_code(st, SL_ERR_SESSION, 204, "illegal partition: %s", why);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_escape(sl_buf *out, uint8_t c) {
    static const char plain[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
    const char *found = c ? strchr(plain, c) : NULL;
    sl_buf_byte(out, '\\');
    if (found)
        sl_buf_byte(out, (uint8_t)letters[found - plain]);
    else
        sl_buf_printf(out, "u%04x", c);
}

static void put_text(sl_buf *out, sl_str s) {
    sl_buf_byte(out, '"');
    for (uint32_t i = 0; i < s.size; i++) {
        uint8_t c = (uint8_t)s.data[i];
        if (c < 0x20 || c == '"' || c == '\\')
            put_escape(out, c);
        else
            sl_buf_byte(out, c);
    }
    sl_buf_byte(out, '"');
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool put_int(sl_buf *out, int64_t value) {
    sl_buf_printf(out, "{\"$numberLong\":\"%lld\"}", (long long)value);
    return true;
}

static bool int_from_text(const json_t *value, int64_t min, int64_t max, int64_t *result) {
    const char *text = json_string_value(value);
    char *end = NULL;
    if (!text || json_string_length(value) != strlen(text)) return false;
    const char *digits = text[0] == '-' ? text + 1 : text;
    if (digits[0] < '0' || digits[0] > '9') return false;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    *result = number;
    return errno == 0 && *end == 0 && number >= min && number <= max;
}

static bool take_int(const json_t *value, bool is_long, sl_buf *out, sl_status *st) {
    int64_t number = 0;
    int64_t min = is_long ? INT64_MIN : INT32_MIN, max = is_long ? INT64_MAX : INT32_MAX;
    if (!int_from_text(value, min, max, &number)) return refuse(st, "malformed number");
    return put_int(out, number);
}

/* ---- object ids and UUIDs -------------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool take_oid(const json_t *value, sl_buf *out, sl_status *st) {
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) != 24) return refuse(st, "malformed object id");
    sl_buf_text(out, "{\"$oid\":\"");
    for (int i = 0; i < 24; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) return refuse(st, "malformed object id");
        sl_buf_byte(out, (uint8_t) "0123456789abcdef"[digit]);
    }
    sl_buf_text(out, "\"}");
    return true;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool put_uuid(sl_buf *out, const uint8_t uuid[16]) {
    sl_buf_text(out, "{\"$binary\":{\"base64\":\"");
    for (int i = 0; i < 15; i += 3) {
        uint32_t group = (uint32_t)uuid[i] << 16 | (uint32_t)uuid[i + 1] << 8 | uuid[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            sl_buf_byte(out, (uint8_t)base64[group >> shift & 63]);
    }
    sl_buf_byte(out, (uint8_t)base64[uuid[15] >> 2]);
    sl_buf_byte(out, (uint8_t)base64[(uuid[15] & 3) << 4]);
    sl_buf_text(out, "==\",\"subType\":\"04\"}}");
    return true;
}

/* 16 octets are 22 digits and two "="; the last digit has four bits to spare. */
static bool uuid_from_base64(const char *text, size_t size, uint8_t uuid[16]) {
    uint32_t bits = 0;
    int have = 0, made = 0;
    if (size != 24 || text[22] != '=' || text[23] != '=') return false;
    for (int i = 0; i < 22; i++) {
        const char *found = text[i] ? strchr(base64, text[i]) : NULL;
        if (!found) return false;
        bits = bits << 6 | (uint32_t)(found - base64);
        have += 6;
        if (have < 8) continue;
        have -= 8;
        uuid[made++] = (uint8_t)(bits >> have & 0xff);
    }
    return made == 16 && (bits & 15) == 0;
}

static bool uuid_from_hex(const char *text, size_t size, uint8_t uuid[16]) {
    size_t at = 0;
    if (size != 36) return false;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return false;
        int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0) return false;
        uuid[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

static bool take_binary(const json_t *value, sl_buf *out, sl_status *st) {
    uint8_t uuid[16] = {0};
    const json_t *bytes = json_object_get(value, "base64");
    const char *type = json_string_value(json_object_get(value, "subType"));
    bool is_uuid = json_is_object(value) && json_object_size(value) == 2 && type &&
                   (strcmp(type, "04") == 0 || strcmp(type, "4") == 0);
    if (!is_uuid || !json_is_string(bytes) ||
        !uuid_from_base64(json_string_value(bytes), json_string_length(bytes), uuid))
        return refuse(st, "malformed UUID");
    return put_uuid(out, uuid);
}

static bool take_uuid(const json_t *value, sl_buf *out, sl_status *st) {
    uint8_t uuid[16] = {0};
    if (!json_is_string(value) ||
        !uuid_from_hex(json_string_value(value), json_string_length(value), uuid))
        return refuse(st, "malformed UUID");
    return put_uuid(out, uuid);
}

static bool take_object(const json_t *root, sl_buf *out, sl_partition_kind *kind, sl_status *st) {
    const json_t *value;
    if (json_object_size(root) != 1) return refuse(st, "an object that is not Extended JSON");
    *kind = SL_PARTITION_INT;
    if ((value = json_object_get(root, "$numberLong"))) return take_int(value, true, out, st);
    if ((value = json_object_get(root, "$numberInt"))) return take_int(value, false, out, st);
    *kind = SL_PARTITION_OID;
    if ((value = json_object_get(root, "$oid"))) return take_oid(value, out, st);
    *kind = SL_PARTITION_UUID;
    if ((value = json_object_get(root, "$binary"))) return take_binary(value, out, st);
    if ((value = json_object_get(root, "$uuid"))) return take_uuid(value, out, st);
    return refuse(st, "a value of a type that cannot be a partition");
}

static bool take_json(const json_t *root, sl_buf *out, sl_partition_kind *kind, sl_status *st) {
    switch (json_typeof(root)) {
    case JSON_STRING:
        *kind = SL_PARTITION_TEXT;
        put_text(out, sl_str_of(json_string_value(root), json_string_length(root)));
        return true;
    case JSON_INTEGER:
        *kind = SL_PARTITION_INT;
        return put_int(out, json_integer_value(root));
    case JSON_NULL:
        *kind = SL_PARTITION_NULL;
        sl_buf_text(out, "null");
        return true;
    case JSON_OBJECT:
        return take_object(root, out, kind, st);
    default:
        return refuse(st, "a value of a type that cannot be a partition");
    }
}

/* ---- legacy paths ---------------------------------------------------------------------------- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool path_char(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool ends_with(sl_str s, const char *suffix) {
    size_t n = strlen(suffix);
    return s.size >= n && memcmp(s.data + s.size - n, suffix, n) == 0;
}

static bool legal_segment(sl_str s) {
    if (s.size == 0 || s.data[0] == '.') return false;
    for (uint32_t i = 0; i < s.size; i++)
        if (!path_char(s.data[i])) return false;
    return !ends_with(s, ".realm") && !ends_with(s, ".realm.lock") &&
           !ends_with(s, ".realm.management");
}

/* `path` starts after the first slash. */
static bool legal_path(sl_str path) {
    size_t start = 0;
    unsigned segments = 0, partial_at = 0, partials = 0;
    for (size_t i = 0; i <= path.size; i++) {
        if (i < path.size && path.data[i] != '/') continue;
        sl_str segment = sl_str_of(path.data + start, i - start);
        if (!legal_segment(segment)) return false;
        segments++;
        if (sl_str_eq(segment, SL_STR("__partial"))) {
            partials++;
            partial_at = segments;
        }
        start = i + 1;
    }
    return partials == 0 || (partials == 1 && partial_at > 1 && partial_at < segments);
}

static bool take_path(sl_str path, sl_buf *out, sl_partition_kind *kind, sl_status *st) {
    sl_str rest = path.data[0] == '/' ? sl_str_of(path.data + 1, path.size - 1) : path;
    if (path.data[0] != '/' && !is_letter(path.data[0]))
        return refuse(st, "neither Extended JSON nor a path");
    if (!legal_path(rest))
        return refuse(st, "a path with characters or names that are not allowed");
    *kind = SL_PARTITION_PATH;
    sl_buf_byte(out, '/');
    sl_buf_str(out, rest);
    return true;
}

bool sl_partition_canonical(sl_str path, sl_buf *out, sl_partition_kind *kind, sl_status *st) {
    size_t start = out->size;
    if (path.size == 0) return refuse(st, "it is empty");
    json_t *root =
        path.data[0] == '/'
            ? NULL
            : json_loadb(path.data, path.size,
                         JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    bool ok = root ? take_json(root, out, kind, st) : take_path(path, out, kind, st);
    json_decref(root);
    if (ok && out->failed) ok = sl_fail_memory(st);
    if (!ok) out->size = start;
    return ok;
}
