#include "store/key_code.h"

static void add_be64(sl_buf *out, uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8)
        sl_buf_byte(out, (uint8_t)(number >> shift));
}

static uint64_t get_be64(const char *in) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)in[i];
    return number;
}

#define SIGN (UINT64_C(1) << 63)

void sl_key_encode(sl_buf *out, const sl_key *key) {
    sl_buf_byte(out, (uint8_t)key->type);
    switch (key->type) {
    case SL_TYPE_INT:
        add_be64(out, (uint64_t)key->integer ^ SIGN);
        break;
    case SL_TYPE_STRING:
        sl_buf_str(out, key->string);
        break;
    case SL_TYPE_OBJECTID:
        sl_buf_add(out, key->objectid, sizeof key->objectid);
        break;
    case SL_TYPE_UUID:
        sl_buf_add(out, key->uuid, sizeof key->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        add_be64(out, key->global.hi);
        add_be64(out, key->global.lo);
        break;
    default:
        break;
    }
}

bool sl_key_decode(sl_str bytes, sl_key *key) {
    if (bytes.size < 1) return false;
    const char *data = bytes.data + 1;
    uint32_t size = bytes.size - 1;
    memset(key, 0, sizeof *key);
    key->type = (int8_t)bytes.data[0];
    switch (key->type) {
    case SL_TYPE_NULL:
        return size == 0;
    case SL_TYPE_INT:
        if (size != 8) return false;
        key->integer = (int64_t)(get_be64(data) ^ SIGN);
        return true;
    case SL_TYPE_STRING:
        key->string = sl_str_of(data, size);
        return true;
    case SL_TYPE_OBJECTID:
        if (size != sizeof key->objectid) return false;
        memcpy(key->objectid, data, size);
        return true;
    case SL_TYPE_UUID:
        if (size != sizeof key->uuid) return false;
        memcpy(key->uuid, data, size);
        return true;
    case SL_TYPE_GLOBALKEY:
        if (size != 16) return false;
        key->global = (sl_global_key){get_be64(data), get_be64(data + 8)};
        return true;
    default:
        return false;
    }
}
