/* value.h - the one place where sl_value and Lua values meet.
 *
 * Where the schema states a type, Lua sees plain values: int, float and double are numbers, binary
 * is a string. Where it does not (Mixed), values that a plain Lua value could not be told apart
 * from another type arrive as typed objects: syncline.float, syncline.binary. Timestamp, decimal,
 * ObjectId and UUID are typed objects everywhere; null is syncline.null (the light userdata NULL,
 * the same value as cjson.null).
 *
 * 64-bit integers: on Lua 5.3 and later they are Lua integers. On Lua 5.1 and LuaJIT they are
 * numbers when |v| <= 2^53 and syncline.int64 objects otherwise; and a double of Mixed whose value
 * is integral arrives as syncline.double there, so that writing it back does not make an int of it.
 * All forms are accepted as input everywhere, LuaJIT's LL and ULL numbers too. */
#ifndef SL_LUA_VALUE_H
#define SL_LUA_VALUE_H

#include "base/status.h"
#include "lua/compat.h"
#include "value/value.h"

/* Pushes `value` as described above. */
void sl_lua_push_int(lua_State *L, int64_t value);
/* Reads any accepted integer form; false for anything else (strings, fractions, out of range). */
bool sl_lua_to_int(lua_State *L, int index, int64_t *value);

/* Pushes a copy of `value` (borrowed). `typed`: the reader knows the type from the schema. NULL
 * pushes syncline.null; OBJECT, DICTIONARY, LIST, SET and ERASED push their name as a string. */
void sl_lua_push_value(lua_State *L, const sl_value *value, bool typed);
void sl_lua_push_null(lua_State *L);
/* True for nil, none and syncline.null. */
bool sl_lua_is_null(lua_State *L, int index);

/* Reads the Lua value at `index` as a value of `type` (sl_type; MIXED takes any scalar). nil and
 * syncline.null become null whatever the type. *out borrows bytes from the Lua value: valid while
 * it is on the stack. Besides the typed objects these are taken: numbers (seconds) for timestamps,
 * integers and decimal strings for decimals, hexadecimal text for ObjectIds and UUIDs, strings for
 * binaries. Fails with SL_ERR_USAGE, "<type> expected, got ...". */
bool sl_lua_to_value(lua_State *L, int index, int type, sl_value *out, sl_status *st);

/* A key of an object: pushed typed; GLOBALKEY as a syncline.globalkey object. */
void sl_lua_push_key(lua_State *L, const sl_key *key);
/* Reads a key of `type` (NULL, INT, STRING, OBJECTID, UUID, GLOBALKEY); nil and null are the null
 * key. Borrowing and failures as in sl_lua_to_value. */
bool sl_lua_to_key(lua_State *L, int index, int type, sl_key *out, sl_status *st);

/* ---- typed objects (typed.c) ----------------------------------------------------------------- */

/* Kinds of typed objects, in the order of their metatable names. */
typedef enum sl_lua_typed_kind {
    SL_LUA_INT64,
    SL_LUA_FLOAT,
    SL_LUA_DOUBLE,
    SL_LUA_BINARY,
    SL_LUA_TIMESTAMP,
    SL_LUA_DECIMAL,
    SL_LUA_OBJECTID,
    SL_LUA_UUID,
    SL_LUA_LINK,
    SL_LUA_GLOBALKEY,
    SL_LUA_TYPED_COUNT
} sl_lua_typed_kind;

/* An immutable value with everything it points to. GLOBALKEY uses `link.key` only. */
typedef struct sl_lua_typed {
    uint8_t kind; /* sl_lua_typed_kind */
    sl_value value;
    sl_link link;
    char bytes[];
} sl_lua_typed;

/* Pushes a typed object with a copy of `value` (its type must suit `kind`). */
void sl_lua_push_typed(lua_State *L, sl_lua_typed_kind kind, const sl_value *value);
void sl_lua_push_globalkey(lua_State *L, sl_global_key key);
/* The typed object at `index`, or NULL. */
const sl_lua_typed *sl_lua_test_typed(lua_State *L, int index);

/* Text forms; false if `text` is not one. Hyphens of UUIDs are obligatory, case does not matter. */
bool sl_lua_objectid_from_text(sl_str text, uint8_t out[12]);
bool sl_lua_uuid_from_text(sl_str text, uint8_t out[16]);

/* Adds null and the constructors to the table at the top of the stack. */
void sl_lua_open_value(lua_State *L);

#endif
