#include "value/ids.h"

#include "value/base64.h"

void sl_objectid_to_text(const uint8_t id[12], sl_buf *out) {
    sl_value_hex_encode(id, 12, out);
}

bool sl_objectid_from_text(sl_str text, uint8_t id[12]) {
    return sl_value_hex_decode(text, id, 12);
}

static const uint8_t groups[] = {4, 2, 2, 2, 6};

void sl_uuid_to_text(const uint8_t uuid[16], sl_buf *out) {
    size_t at = 0;
    for (size_t i = 0; i < sizeof groups; i++) {
        if (i) sl_buf_byte(out, '-');
        sl_value_hex_encode(uuid + at, groups[i], out);
        at += groups[i];
    }
}

bool sl_uuid_from_text(sl_str text, uint8_t uuid[16]) {
    if (text.size != 36) return false;
    const char *p = text.data;
    uint8_t bytes[16];
    size_t at = 0;
    for (size_t i = 0; i < sizeof groups; i++) {
        if (i && *p++ != '-') return false;
        if (!sl_value_hex_decode(sl_str_of(p, 2u * groups[i]), bytes + at, groups[i])) return false;
        p += 2u * groups[i];
        at += groups[i];
    }
    memcpy(uuid, bytes, sizeof bytes);
    return true;
}
