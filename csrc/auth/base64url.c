#include "auth/key.h"

static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char plain_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(sl_str bytes, const char *alphabet, bool pad, sl_buf *out) {
    const unsigned char *p = (const unsigned char *)bytes.data;
    for (uint32_t i = 0; i < bytes.size; i += 3) {
        uint32_t left = bytes.size - i;
        uint32_t bits = (uint32_t)p[i] << 16;
        if (left > 1) bits |= (uint32_t)p[i + 1] << 8;
        if (left > 2) bits |= p[i + 2];
        uint32_t digits = left > 2 ? 4 : left + 1;
        for (uint32_t d = 0; d < digits; d++)
            sl_buf_byte(out, (uint8_t)alphabet[bits >> (18 - 6 * d) & 63]);
        for (uint32_t d = digits; pad && d < 4; d++)
            sl_buf_byte(out, '=');
    }
}

void sl_base64url_encode(sl_str bytes, sl_buf *out) {
    encode(bytes, url_alphabet, false, out);
}

void sl_auth_base64(sl_str bytes, sl_buf *out) {
    encode(bytes, plain_alphabet, true, out);
}

static int digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-' || c == '+') return 62;
    if (c == '_' || c == '/') return 63;
    return -1;
}

bool sl_base64url_decode(sl_str text, sl_buf *out) {
    for (int pads = 0; text.size > 0 && text.data[text.size - 1] == '='; pads++) {
        if (pads == 2) return false;
        text.size--;
    }
    if (text.size % 4 == 1) return false;
    uint32_t bits = 0;
    int count = 0;
    for (uint32_t i = 0; i < text.size; i++) {
        int value = digit(text.data[i]);
        if (value < 0) return false;
        bits = (bits << 6 | (uint32_t)value) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            sl_buf_byte(out, (uint8_t)(bits >> count));
        }
    }
    /* Bits beyond the last byte must be zero, or one token would have several spellings. */
    return (bits & ((1u << count) - 1)) == 0 && !out->failed;
}
