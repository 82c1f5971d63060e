#include "protocol/json_text.h"

json_t *sl_json_object(sl_str text, const char *what, sl_status *st) {
    json_error_t error;
    json_t *root = json_loadb(text.data ? text.data : "", text.size, JSON_ALLOW_NUL, &error);
    if (root && json_is_object(root)) return root;
    sl_fail_code(st, SL_ERR_PROTOCOL, 103, "the body of %s is not a JSON object%s%s", what,
                 root ? "" : ": ", root ? "" : error.text);
    json_decref(root);
    return NULL;
}

bool sl_json_copy(const json_t *value, sl_arena *arena, sl_str *copy) {
    size_t size = json_string_length(value);
    *copy = sl_arena_str(arena, sl_str_of(json_string_value(value), size));
    return copy->data || size == 0;
}

static char short_escape(uint8_t c) {
    switch (c) {
    case '"':
        return '"';
    case '\\':
        return '\\';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

void sl_json_put_string(sl_buf *out, sl_str s) {
    size_t start = 0;
    sl_buf_byte(out, '"');
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = (uint8_t)s.data[i];
        char escape = short_escape(c);
        if (!escape && c >= 0x20) continue;
        sl_buf_add(out, s.data + start, i - start);
        start = i + 1;
        if (escape) {
            sl_buf_byte(out, '\\');
            sl_buf_byte(out, (uint8_t)escape);
        } else {
            sl_buf_printf(out, "\\u%04x", c);
        }
    }
    if (s.size > start) sl_buf_add(out, s.data + start, s.size - start);
    sl_buf_byte(out, '"');
}

void sl_json_put_key(sl_buf *out, const char *key, bool *first) {
    sl_buf_byte(out, *first ? '{' : ',');
    *first = false;
    sl_buf_byte(out, '"');
    sl_buf_text(out, key);
    sl_buf_text(out, "\":");
}
