#include "store/sqlite_cell.h"

#include <math.h>
#include <stdio.h>

#include "realm/dict.h"
#include "realm/list.h"
#include "store/key_code.h"
#include "store/sqlite_json.h"
#include "store/sqlite_time.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/utf8.h"

static bool fail_bind(sl_sqlite_store *store, int rc, sl_status *st) {
    return rc == SQLITE_OK || sl_sqlite_fail(store, rc, "binding a value", st);
}

static bool fail_cell(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, sl_status *st) {
    const char *column = sqlite3_column_name(stmt, at);
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "%s: column %s holds what is no such value",
                   store->path, column ? column : "?");
}

static bool bind_scratch(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, bool blob,
                         sl_status *st) {
    const sl_buf *buf = &store->scratch;
    if (buf->failed) return sl_fail_memory(st);
    sqlite3_destructor_type copy = SQLITE_TRANSIENT;
    const char *bytes = buf->data;
    if (store->saving) {
        copy = SQLITE_STATIC;
        bytes = sl_arena_str(&store->bound, sl_str_of(buf->data, buf->size)).data;
        if (!bytes && buf->size) return sl_fail_memory(st);
    }
    int rc = blob ? sqlite3_bind_blob64(stmt, at, bytes, buf->size, copy)
                  : sqlite3_bind_text64(stmt, at, bytes, buf->size, copy, SQLITE_UTF8);
    return fail_bind(store, rc, st);
}

/* --- keys --- */

static bool is_text(sl_str s) {
    return s.size == 0 || (!memchr(s.data, 0, s.size) && sl_utf8_valid(s));
}

static bool bind_key_code(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                          sl_status *st) {
    sl_buf_clear(&store->scratch);
    sl_key_encode(&store->scratch, key);
    return bind_scratch(store, stmt, at, true, st);
}

static bool bind_natural(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                         sl_status *st) {
    sl_buf_clear(&store->scratch);
    switch (key->type) {
    case SL_TYPE_INT:
        return fail_bind(store, sqlite3_bind_int64(stmt, at, key->integer), st);
    case SL_TYPE_STRING:
        return fail_bind(store, sl_sqlite_bind_str(stmt, at, key->string), st);
    case SL_TYPE_OBJECTID:
        sl_objectid_to_text(key->objectid, &store->scratch);
        break;
    case SL_TYPE_UUID:
        sl_uuid_to_text(key->uuid, &store->scratch);
        break;
    default:
        sl_buf_printf(&store->scratch, "%llx-%llx", (unsigned long long)key->global.hi,
                      (unsigned long long)key->global.lo);
    }
    return bind_scratch(store, stmt, at, false, st);
}

bool sl_sqlite_bind_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                        int type, bool link, sl_status *st) {
    if (key->type == SL_TYPE_NULL && !link)
        return fail_bind(store, sqlite3_bind_null(stmt, at), st);
    bool natural = key->type == type && type != SL_TYPE_NULL &&
                   (type != SL_TYPE_STRING || is_text(key->string));
    return natural ? bind_natural(store, stmt, at, key, st)
                   : bind_key_code(store, stmt, at, key, st);
}

static bool read_hex64(sl_str text, uint32_t *at, uint64_t *number) {
    uint32_t start = *at;
    *number = 0;
    for (; *at < text.size && *at - start < 16; ++*at) {
        char c = text.data[*at];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) break;
        *number = *number << 4 | (uint64_t)digit;
    }
    return *at > start;
}

static bool read_global(sl_str text, sl_global_key *global) {
    uint32_t at = 0;
    return read_hex64(text, &at, &global->hi) && at < text.size && text.data[at++] == '-' &&
           read_hex64(text, &at, &global->lo) && at == text.size;
}

bool sl_sqlite_column_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, int type, sl_key *key,
                          sl_status *st) {
    memset(key, 0, sizeof *key);
    key->type = (int8_t)type;
    int stored = sqlite3_column_type(stmt, at);
    if (stored == SQLITE_NULL) {
        key->type = SL_TYPE_NULL;
        return true;
    }
    sl_str bytes = stored == SQLITE_INTEGER ? SL_STR("") : sl_sqlite_column_str(stmt, at);
    bool ok = false;
    if (stored == SQLITE_BLOB) {
        ok = sl_key_decode(bytes, key);
    } else if (stored == SQLITE_INTEGER && type == SL_TYPE_INT) {
        key->integer = sqlite3_column_int64(stmt, at);
        ok = true;
    } else if (stored == SQLITE_TEXT && type == SL_TYPE_STRING) {
        key->string = bytes;
        ok = true;
    } else if (stored == SQLITE_TEXT) {
        ok = type == SL_TYPE_OBJECTID    ? sl_objectid_from_text(bytes, key->objectid)
             : type == SL_TYPE_UUID      ? sl_uuid_from_text(bytes, key->uuid)
             : type == SL_TYPE_GLOBALKEY ? read_global(bytes, &key->global)
                                         : false;
    }
    return ok || fail_cell(store, stmt, at, st);
}

bool sl_sqlite_bind_any_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, const sl_key *key,
                            sl_status *st) {
    bool plain = key->type == SL_TYPE_INT || (key->type == SL_TYPE_STRING && is_text(key->string));
    return plain ? bind_natural(store, stmt, at, key, st) : bind_key_code(store, stmt, at, key, st);
}

bool sl_sqlite_column_any_key(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, sl_key *key,
                              sl_status *st) {
    bool number = sqlite3_column_type(stmt, at) == SQLITE_INTEGER;
    return sl_sqlite_column_key(store, stmt, at, number ? SL_TYPE_INT : SL_TYPE_STRING, key, st);
}

/* --- values that have a column type of their own --- */

static void put_be(sl_buf *out, uint64_t bits, int size) {
    for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) {
        sl_buf_byte(out, (uint8_t)(bits >> shift));
    }
}

static uint64_t get_be(sl_str bytes) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < bytes.size; i++)
        bits = bits << 8 | (unsigned char)bytes.data[i];
    return bits;
}

/* SQLite has no NaN and stores -0 as 0: these go by their bits. */
static bool needs_bits(double value) {
    return isnan(value) || (value == 0 && signbit(value));
}

static bool bind_double(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, double value,
                        sl_status *st) {
    if (!needs_bits(value)) return fail_bind(store, sqlite3_bind_double(stmt, at, value), st);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_be(&store->scratch, bits, sizeof bits);
    return bind_scratch(store, stmt, at, true, st);
}

static bool bind_float(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, float value,
                       sl_status *st) {
    if (!needs_bits((double)value)) {
        return fail_bind(store, sqlite3_bind_double(stmt, at, (double)value), st);
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_be(&store->scratch, bits, sizeof bits);
    return bind_scratch(store, stmt, at, true, st);
}

static bool bind_timestamp(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, sl_timestamp t,
                           sl_status *st) {
    bool text = sl_sqlite_time_write(&store->scratch, t);
    if (!text) {
        put_be(&store->scratch, (uint64_t)t.seconds, 8);
        put_be(&store->scratch, (uint32_t)t.nanoseconds, 4);
    }
    return bind_scratch(store, stmt, at, !text, st);
}

static bool bind_decimal(sl_sqlite_store *store, sqlite3_stmt *stmt, int at, sl_decimal value,
                         sl_status *st) {
    bool text = sl_decimal_is_canonical(value);
    if (text) {
        sl_decimal_to_text(value, &store->scratch);
    } else {
        put_be(&store->scratch, value.hi, 8);
        put_be(&store->scratch, value.lo, 8);
    }
    return bind_scratch(store, stmt, at, !text, st);
}

static bool bind_link(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                      const sl_cat_property *property, const sl_link *link, sl_status *st) {
    if (!sl_str_eq(link->class_name, property->def.target)) {
        return sl_fail(st, SL_ERR_INTERNAL, "", "property %.*s holds a link to class %.*s",
                       (int)property->def.name.size, property->def.name.data,
                       (int)link->class_name.size, link->class_name.data);
    }
    return sl_sqlite_bind_key(store, stmt, at, &link->key, property->target_key, true, st);
}

static bool bind_scalar(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                        const sl_cat_property *property, const sl_value *value, sl_status *st) {
    sl_buf_clear(&store->scratch);
    switch (value->type) {
    case SL_TYPE_INT:
        return fail_bind(store, sqlite3_bind_int64(stmt, at, value->integer), st);
    case SL_TYPE_BOOL:
        return fail_bind(store, sqlite3_bind_int(stmt, at, value->boolean), st);
    case SL_TYPE_STRING:
        return fail_bind(store, sl_sqlite_bind_str(stmt, at, value->string), st);
    case SL_TYPE_BINARY:
        return fail_bind(store, sl_sqlite_bind_blob(stmt, at, value->string), st);
    case SL_TYPE_TIMESTAMP:
        return bind_timestamp(store, stmt, at, value->timestamp, st);
    case SL_TYPE_FLOAT:
        return bind_float(store, stmt, at, value->single, st);
    case SL_TYPE_DOUBLE:
        return bind_double(store, stmt, at, value->real, st);
    case SL_TYPE_DECIMAL:
        return bind_decimal(store, stmt, at, value->decimal, st);
    case SL_TYPE_LINK:
        return bind_link(store, stmt, at, property, value->link, st);
    case SL_TYPE_OBJECTID:
        sl_objectid_to_text(value->objectid, &store->scratch);
        break;
    default:
        sl_uuid_to_text(value->uuid, &store->scratch);
    }
    return bind_scratch(store, stmt, at, false, st);
}

bool sl_sqlite_is_json(const sl_property *property, bool embedded) {
    return property->collection != SL_SINGLE || property->type == SL_TYPE_MIXED || embedded;
}

/* As most collections of many objects are: their text needs no writer. */
static const char *empty_collection(const sl_property *def, const sl_node *node) {
    if (def->collection == SL_SINGLE) return NULL;
    if (node->kind == SL_NODE_DICT) return sl_dict_count(node->dict) ? NULL : "{}";
    if (node->kind == SL_NODE_LIST || node->kind == SL_NODE_SET)
        return sl_list_count(node->list) ? NULL : "[]";
    return NULL;
}

bool sl_sqlite_bind_node(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                         const sl_cat_property *property, bool embedded, const sl_node *node,
                         sl_status *st) {
    bool value = node->kind == SL_NODE_VALUE;
    if (value && node->value.type == SL_TYPE_NULL) {
        return fail_bind(store, sqlite3_bind_null(stmt, at), st);
    }
    const char *empty = empty_collection(&property->def, node);
    if (empty) return fail_bind(store, sqlite3_bind_text(stmt, at, empty, 2, SQLITE_STATIC), st);
    if (sl_sqlite_is_json(&property->def, embedded)) {
        sl_buf_clear(&store->scratch);
        return sl_sqlite_json_write(store, node, property->def.target, &store->scratch, st) &&
               bind_scratch(store, stmt, at, false, st);
    }
    if (value && node->value.type == property->def.type) {
        return bind_scalar(store, stmt, at, property, &node->value, st);
    }
    return sl_fail(st, SL_ERR_INTERNAL, "", "property %.*s holds a value of another type",
                   (int)property->def.name.size, property->def.name.data);
}

/* --- reading --- */

static bool read_double(sqlite3_stmt *stmt, int at, double *value) {
    if (sqlite3_column_type(stmt, at) != SQLITE_BLOB) {
        *value = sqlite3_column_double(stmt, at);
        return true;
    }
    sl_str bytes = sl_sqlite_column_str(stmt, at);
    uint64_t bits = get_be(bytes);
    memcpy(value, &bits, sizeof *value);
    return bytes.size == 8;
}

static bool read_float(sqlite3_stmt *stmt, int at, float *value) {
    if (sqlite3_column_type(stmt, at) != SQLITE_BLOB) {
        *value = (float)sqlite3_column_double(stmt, at);
        return true;
    }
    sl_str bytes = sl_sqlite_column_str(stmt, at);
    uint32_t bits = (uint32_t)get_be(bytes);
    memcpy(value, &bits, sizeof *value);
    return bytes.size == 4;
}

static bool read_timestamp(sqlite3_stmt *stmt, int at, sl_timestamp *t) {
    sl_str bytes = sl_sqlite_column_str(stmt, at);
    if (sqlite3_column_type(stmt, at) != SQLITE_BLOB) return sl_sqlite_time_read(bytes, t);
    if (bytes.size != 12) return false;
    t->seconds = (int64_t)get_be(sl_str_of(bytes.data, 8));
    t->nanoseconds = (int32_t)(uint32_t)get_be(sl_str_of(bytes.data + 8, 4));
    return true;
}

static bool read_decimal(sqlite3_stmt *stmt, int at, sl_decimal *value) {
    sl_str bytes = sl_sqlite_column_str(stmt, at);
    if (sqlite3_column_type(stmt, at) != SQLITE_BLOB) return sl_decimal_from_text(bytes, value);
    if (bytes.size != 16) return false;
    value->hi = get_be(sl_str_of(bytes.data, 8));
    value->lo = get_be(sl_str_of(bytes.data + 8, 8));
    return true;
}

/* `link` is room for a link. */
static bool read_scalar(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                        const sl_cat_property *property, sl_value *value, sl_link *link) {
    int stored = sqlite3_column_type(stmt, at);
    memset(value, 0, sizeof *value);
    value->type = property->def.type;
    switch (property->def.type) {
    case SL_TYPE_INT:
        value->integer = sqlite3_column_int64(stmt, at);
        return stored == SQLITE_INTEGER;
    case SL_TYPE_BOOL:
        value->boolean = sqlite3_column_int64(stmt, at) != 0;
        return stored == SQLITE_INTEGER;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        value->string = sl_sqlite_column_str(stmt, at);
        return true;
    case SL_TYPE_TIMESTAMP:
        return read_timestamp(stmt, at, &value->timestamp);
    case SL_TYPE_FLOAT:
        return read_float(stmt, at, &value->single);
    case SL_TYPE_DOUBLE:
        return read_double(stmt, at, &value->real);
    case SL_TYPE_DECIMAL:
        return read_decimal(stmt, at, &value->decimal);
    case SL_TYPE_OBJECTID:
        return sl_objectid_from_text(sl_sqlite_column_str(stmt, at), value->objectid);
    case SL_TYPE_UUID:
        return sl_uuid_from_text(sl_sqlite_column_str(stmt, at), value->uuid);
    default:
        link->class_name = property->def.target;
        value->link = link;
        return sl_sqlite_column_key(store, stmt, at, property->target_key, &link->key, NULL);
    }
}

bool sl_sqlite_column_node(sl_sqlite_store *store, sqlite3_stmt *stmt, int at,
                           const sl_cat_property *property, const sl_property *def, sl_node *node,
                           sl_status *st) {
    bool json = sl_sqlite_is_json(def, def->embedded);
    sl_property_default(def, node);
    if (def->collection == SL_SINGLE) *node = (sl_node){.kind = SL_NODE_VALUE};
    if (sqlite3_column_type(stmt, at) == SQLITE_NULL) return true;
    if (json) {
        return sl_sqlite_json_read(store, sl_sqlite_column_str(stmt, at), def, node, st);
    }
    sl_value value;
    sl_link link;
    if (!read_scalar(store, stmt, at, property, &value, &link)) {
        return fail_cell(store, stmt, at, st);
    }
    return sl_node_set_value(&store->alloc, node, &value) || sl_fail_memory(st);
}

/* --- declarations --- */

/* The affinity must never convert what is bound: INTEGER, REAL, TEXT and BLOB leave values of
 * their own kind and BLOBs alone. */
static const char *key_affinity(int type) {
    if (type == SL_TYPE_INT) return "INTEGER";
    return type == SL_TYPE_NULL ? "BLOB" : "TEXT";
}

void sl_sqlite_declare_key(sl_buf *out, int type, bool nullable) {
    const char *declared = key_affinity(type);
    /* "INTEGER PRIMARY KEY" would be the row number, which cannot be NULL; "INT" is not. */
    if (type == SL_TYPE_INT && nullable) declared = "INT";
    sl_buf_printf(out, "%s%s PRIMARY KEY", declared, nullable ? "" : " NOT NULL");
}

static const char *default_of(int type) {
    switch (type) {
    case SL_TYPE_INT:
    case SL_TYPE_BOOL:
        return "INTEGER DEFAULT 0";
    case SL_TYPE_STRING:
        return "TEXT DEFAULT ''";
    case SL_TYPE_BINARY:
        return "BLOB DEFAULT x''";
    case SL_TYPE_TIMESTAMP:
        return "TEXT DEFAULT '1970-01-01T00:00:00.000000000Z'";
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
        return "REAL DEFAULT 0";
    case SL_TYPE_DECIMAL:
        return "TEXT DEFAULT '0'";
    case SL_TYPE_OBJECTID:
        return "TEXT DEFAULT '000000000000000000000000'";
    default:
        return "TEXT DEFAULT '00000000-0000-0000-0000-000000000000'";
    }
}

static void declare_type(sl_buf *out, const char *declaration, bool with_default) {
    size_t size = strcspn(declaration, " ");
    sl_buf_add(out, declaration, with_default ? strlen(declaration) : size);
}

void sl_sqlite_declare_node(sl_buf *out, const sl_cat_property *property, bool embedded) {
    const sl_property *def = &property->def;
    if (def->collection != SL_SINGLE) {
        sl_buf_text(out,
                    def->collection == SL_DICTIONARY ? "TEXT DEFAULT '{}'" : "TEXT DEFAULT '[]'");
    } else if (sl_sqlite_is_json(def, embedded)) {
        sl_buf_text(out, "TEXT");
    } else if (def->type == SL_TYPE_LINK) {
        sl_buf_text(out, key_affinity(property->target_key));
    } else {
        declare_type(out, default_of(def->type), !def->nullable);
    }
}
