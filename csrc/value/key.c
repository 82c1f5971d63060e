#include "base/strmap.h"
#include "value/value.h"

bool sl_key_eq(const sl_key *a, const sl_key *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case SL_TYPE_INT:
        return a->integer == b->integer;
    case SL_TYPE_STRING:
        return sl_str_eq(a->string, b->string);
    case SL_TYPE_OBJECTID:
        return memcmp(a->objectid, b->objectid, sizeof a->objectid) == 0;
    case SL_TYPE_UUID:
        return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0;
    case SL_TYPE_GLOBALKEY:
        return a->global.hi == b->global.hi && a->global.lo == b->global.lo;
    default:
        return true;
    }
}

/* Place of a kind in the order of dumps: null, int, string, global key, object id, uuid. */
static int rank(int type) {
    switch (type) {
    case SL_TYPE_NULL:
        return 0;
    case SL_TYPE_INT:
        return 1;
    case SL_TYPE_STRING:
        return 2;
    case SL_TYPE_GLOBALKEY:
        return 3;
    case SL_TYPE_OBJECTID:
        return 4;
    default:
        return 5;
    }
}

static int cmp_u64(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

int sl_key_cmp(const sl_key *a, const sl_key *b) {
    if (a->type != b->type) return rank(a->type) - rank(b->type);
    switch (a->type) {
    case SL_TYPE_INT:
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    case SL_TYPE_STRING:
        return sl_str_cmp(a->string, b->string);
    case SL_TYPE_OBJECTID:
        return memcmp(a->objectid, b->objectid, sizeof a->objectid);
    case SL_TYPE_UUID:
        return memcmp(a->uuid, b->uuid, sizeof a->uuid);
    case SL_TYPE_GLOBALKEY: {
        int c = cmp_u64(a->global.hi, b->global.hi);
        return c ? c : cmp_u64(a->global.lo, b->global.lo);
    }
    default:
        return 0;
    }
}

uint64_t sl_key_hash(const sl_key *key) {
    uint64_t h;
    switch (key->type) {
    case SL_TYPE_INT:
        h = sl_hash_bytes(&key->integer, sizeof key->integer);
        break;
    case SL_TYPE_STRING:
        h = sl_hash_bytes(key->string.data, key->string.size);
        break;
    case SL_TYPE_OBJECTID:
        h = sl_hash_bytes(key->objectid, sizeof key->objectid);
        break;
    case SL_TYPE_UUID:
        h = sl_hash_bytes(key->uuid, sizeof key->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        h = sl_hash_bytes(&key->global, sizeof key->global);
        break;
    default:
        h = UINT64_C(0x5851f42d4c957f2d);
        break;
    }
    return h ^ (uint64_t)(uint8_t)key->type * UINT64_C(0x9e3779b97f4a7c15);
}

void sl_key_value(const sl_key *key, sl_value *value) {
    memset(value, 0, sizeof *value);
    value->type = key->type;
    switch (key->type) {
    case SL_TYPE_INT:
        value->integer = key->integer;
        break;
    case SL_TYPE_STRING:
        value->string = key->string;
        break;
    case SL_TYPE_OBJECTID:
        memcpy(value->objectid, key->objectid, sizeof key->objectid);
        break;
    case SL_TYPE_UUID:
        memcpy(value->uuid, key->uuid, sizeof key->uuid);
        break;
    default:
        break;
    }
}
