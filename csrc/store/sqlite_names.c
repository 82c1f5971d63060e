#include "store/sqlite_names.h"

#include <sqlite3.h>

#include "value/utf8.h"

void sl_sqlite_quote(sl_buf *out, sl_str name) {
    sl_buf_byte(out, '"');
    for (uint32_t i = 0; i < name.size; i++) {
        if (name.data[i] == '"') sl_buf_byte(out, '"');
        sl_buf_byte(out, (uint8_t)name.data[i]);
    }
    sl_buf_byte(out, '"');
}

bool sl_sqlite_same_name(sl_str a, sl_str b) {
    return a.size == b.size && (a.size == 0 || sqlite3_strnicmp(a.data, b.data, (int)a.size) == 0);
}

static bool has_prefix(sl_str name, const char *prefix) {
    size_t size = strlen(prefix);
    return name.size >= size && sqlite3_strnicmp(name.data, prefix, (int)size) == 0;
}

static bool is_reserved(sl_str name) {
    return name.size == 0 || has_prefix(name, "sqlite_") || has_prefix(name, "_sl_");
}

static bool is_text(sl_str name) {
    return name.size == 0 || (!memchr(name.data, 0, name.size) && sl_utf8_valid(name));
}

static void add_likeness(sl_buf *out, sl_str name) {
    if (is_reserved(name)) sl_buf_byte(out, 'x');
    bool text = is_text(name);
    for (uint32_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        sl_buf_byte(out, text || (c > 0 && c < 0x80) ? c : '?');
    }
}

bool sl_sqlite_choose_name(sl_str name, uint32_t number, sl_sqlite_taken taken, const void *ctx,
                           sl_buf *out) {
    sl_buf_clear(out);
    add_likeness(out, name);
    bool changed = is_reserved(name) || !is_text(name);
    while (!out->failed && (changed || taken(ctx, sl_str_of(out->data, out->size)))) {
        sl_buf_printf(out, "~%lu", (unsigned long)number);
        changed = false;
    }
    return !out->failed;
}
