/* value.h - the values of properties and the keys of objects.
 * Source of all rules: protocol/2-changeset.md, sections 4 and 5. */
#ifndef SL_VALUE_VALUE_H
#define SL_VALUE_VALUE_H

#include "base/str.h"

/* Wire codes: the same numbers name value types, key types and column types. */
typedef enum sl_type {
    SL_TYPE_NULL = 0, /* as a column type: Mixed */
    SL_TYPE_MIXED = 0,
    SL_TYPE_INT = 1,
    SL_TYPE_BOOL = 2,
    SL_TYPE_STRING = 3,
    SL_TYPE_BINARY = 4,
    SL_TYPE_TIMESTAMP = 5,
    SL_TYPE_FLOAT = 6,
    SL_TYPE_DOUBLE = 7,
    SL_TYPE_DECIMAL = 8,
    SL_TYPE_LINK = 9,
    SL_TYPE_OBJECTID = 10,
    SL_TYPE_UUID = 11,
    SL_TYPE_GLOBALKEY = -1,  /* keys and class key types only */
    SL_TYPE_OBJECT = -2,     /* create an embedded object */
    SL_TYPE_DICTIONARY = -3, /* create a dictionary in a Mixed */
    SL_TYPE_ERASED = -4,     /* remove a dictionary entry */
    SL_TYPE_LIST = -5,       /* create a list in a Mixed */
    SL_TYPE_SET = -6         /* parses, is refused everywhere else */
} sl_type;

static inline bool sl_type_is_number(int type) {
    return type == SL_TYPE_INT || type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE ||
           type == SL_TYPE_DECIMAL;
}

/* How a property holds its values; wire codes. In Clear, SINGLE means "kind not stated". */
typedef enum sl_collection {
    SL_SINGLE = 0,
    SL_LIST = 1,
    SL_DICTIONARY = 2,
    SL_SET = 3
} sl_collection;

/* What a class is; wire codes. */
typedef enum sl_table_kind {
    SL_TABLE_TOPLEVEL = 0,
    SL_TABLE_EMBEDDED = 1,
    SL_TABLE_ASYMMETRIC = 2
} sl_table_kind;

/* Seconds and nanoseconds since 1970-01-01Z; never of opposite signs, |nanoseconds| < 10^9. */
typedef struct sl_timestamp {
    int64_t seconds;
    int32_t nanoseconds;
} sl_timestamp;

/* IEEE-754 decimal128, BID form; `lo` = bits 0-63, `hi` = bits 64-127. */
typedef struct sl_decimal {
    uint64_t lo, hi;
} sl_decimal;

/* Key of an object without key property. hi = client file ident of the creator (0 = mine). */
typedef struct sl_global_key {
    uint64_t hi, lo;
} sl_global_key;

/* Key of an object inside its class. `type` is NULL, INT, STRING, OBJECTID, UUID or GLOBALKEY and
 * selects the member. A string key inside a changeset has its string-table index in `string.sym`.
 */
typedef struct sl_key {
    int8_t type;
    union {
        int64_t integer;
        sl_str string;
        uint8_t objectid[12];
        uint8_t uuid[16];
        sl_global_key global;
    };
} sl_key;

/* Target of a link; the object need not exist. */
typedef struct sl_link {
    sl_str class_name;
    sl_key key;
} sl_link;

/* One value; `type` selects the member (NULL, OBJECT, DICTIONARY, ERASED, LIST, SET have none).
 * Bytes and links are borrowed: they live as long as the arena, message or object they came from.
 */
typedef struct sl_value {
    int8_t type;
    union {
        int64_t integer;
        bool boolean;
        sl_str string; /* STRING and BINARY */
        sl_timestamp timestamp;
        float single;
        double real;
        sl_decimal decimal;
        const sl_link *link;
        uint8_t objectid[12];
        uint8_t uuid[16];
    };
} sl_value;

/* Same kind and same content (protocol/3-transform.md, 3.3). */
bool sl_key_eq(const sl_key *a, const sl_key *b);
/* Order of STATE dumps: null, ints by value, strings by bytes, global keys by (hi, lo), object ids
 * and uuids by bytes. */
int sl_key_cmp(const sl_key *a, const sl_key *b);
uint64_t sl_key_hash(const sl_key *key);
/* The value of a key property; strings borrowed from `key`. A null or global key gives a value of
 * that type without content. */
void sl_key_value(const sl_key *key, sl_value *value);

/* Value equality of the merge rules (protocol/3-transform.md, 3.3): type codes identical, floating
 * point by IEEE comparison, decimals numerically. int 1 and double 1.0 differ. */
bool sl_value_eq(const sl_value *a, const sl_value *b);
/* Equality inside a set of Mixed: numbers compare by numeric value across types
 * (protocol/2-changeset.md, 10.6). */
bool sl_value_eq_mixed(const sl_value *a, const sl_value *b);
/* Total order of core 14: null, bool, numbers (NaN first), string, binary, timestamp, object id,
 * uuid, link. Returns <0, 0, >0. */
int sl_value_cmp(const sl_value *a, const sl_value *b);

/* True for the NaN patterns that mean null (protocol/2-changeset.md, 4.4). */
bool sl_value_is_null_pattern(const sl_value *value);

/* "int", "string", ... as in the text form (2-changeset.md, 15.2); NULL for an unknown code. */
const char *sl_type_name(int type);
/* Inverse for column types ("mixed" = 0 ... "uuid" = 11) and "globalkey"; false if unknown. */
bool sl_type_from_name(sl_str name, int *type);
const char *sl_collection_name(sl_collection collection);
bool sl_collection_from_name(sl_str name, sl_collection *collection);

#endif
