#include "value/value.h"

static const char *const positive[] = {"mixed",   "int",       "bool",     "string",
                                       "binary",  "timestamp", "float",    "double",
                                       "decimal", "link",      "objectid", "uuid"};
static const char *const negative[] = {"",       "globalkey", "object", "dictionary",
                                       "erased", "list",      "set"};

enum {
    POSITIVE = sizeof positive / sizeof *positive,
    NEGATIVE = sizeof negative / sizeof *negative
};

const char *sl_type_name(int type) {
    if (type >= 0) return type < POSITIVE ? positive[type] : NULL;
    return type > -NEGATIVE ? negative[-type] : NULL;
}

bool sl_type_from_name(sl_str name, int *type) {
    for (int i = SL_TYPE_GLOBALKEY; i < POSITIVE; i++) {
        if (!sl_str_eq(name, sl_str_c(sl_type_name(i)))) continue;
        *type = i;
        return true;
    }
    return false;
}

static const char *const collections[] = {"single", "list", "dictionary", "set"};

const char *sl_collection_name(sl_collection collection) {
    return (unsigned)collection < 4 ? collections[collection] : NULL;
}

bool sl_collection_from_name(sl_str name, sl_collection *collection) {
    for (int i = 0; i < 4; i++) {
        if (!sl_str_eq(name, sl_str_c(collections[i]))) continue;
        *collection = (sl_collection)i;
        return true;
    }
    return false;
}
