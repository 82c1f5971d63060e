#include "value/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sl_value_base64_encode(const void *data, size_t size, sl_buf *out) {
    const uint8_t *p = data;
    char *at = sl_buf_reserve(out, size / 3 * 4 + 4);
    if (!at) return;
    char *start = at;
    for (; size >= 3; size -= 3, p += 3) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        *at++ = alphabet[v >> 6 & 63];
        *at++ = alphabet[v & 63];
    }
    if (size) {
        unsigned v = (unsigned)p[0] << 16 | (size > 1 ? (unsigned)p[1] << 8 : 0);
        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        *at++ = size > 1 ? alphabet[v >> 6 & 63] : '=';
        *at++ = '=';
    }
    out->size += (size_t)(at - start);
}

static int digit64(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool sl_value_base64_decode(sl_str text, sl_arena *arena, sl_str *bytes, bool *memory) {
    *memory = true;
    if (text.size % 4) return false;
    uint32_t pad = 0;
    while (pad < 2 && pad < text.size && text.data[text.size - 1 - pad] == '=')
        pad++;
    uint32_t size = text.size / 4 * 3 - pad;
    uint8_t *data = (uint8_t *)sl_arena_bytes(arena, size);
    if (!data) return *memory = false;
    uint32_t at = 0, word = 0;
    for (uint32_t i = 0; i < text.size - pad; i++) {
        int d = digit64(text.data[i]);
        if (d < 0) return false;
        word = word << 6 | (uint32_t)d;
        if (i % 4 == 0) continue;
        unsigned left = 6 - 2 * (i % 4);
        data[at++] = (uint8_t)(word >> left);
        word &= (UINT32_C(1) << left) - 1;
    }
    if (word) return false;
    *bytes = sl_str_of((const char *)data, size);
    return true;
}

void sl_value_hex_encode(const void *data, size_t size, sl_buf *out) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    char *at = sl_buf_reserve(out, 2 * size);
    if (!at) return;
    for (size_t i = 0; i < size; i++) {
        *at++ = digits[p[i] >> 4];
        *at++ = digits[p[i] & 15];
    }
    out->size += 2 * size;
}

static int digit16(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sl_value_hex_decode(sl_str text, void *data, size_t size) {
    uint8_t *p = data;
    if (text.size != 2 * size) return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit16(text.data[2 * i]), low = digit16(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        p[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
