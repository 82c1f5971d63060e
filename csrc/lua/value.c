#include "lua/value.h"

#include "value/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest magnitude up to which every integer is a double (2^53). */
#define EXACT_LIMIT 9007199254740992.0

/* ---- integers -------------------------------------------------------------------------------- */

void sl_lua_push_int(lua_State *L, int64_t value) {
#ifdef SL_LUA_DOUBLES_ONLY
    if (value > (int64_t)EXACT_LIMIT || value < -(int64_t)EXACT_LIMIT) {
        sl_value boxed = {.type = SL_TYPE_INT, .integer = value};
        sl_lua_push_typed(L, SL_LUA_INT64, &boxed);
    } else {
        lua_pushnumber(L, (lua_Number)value);
    }
#else
    lua_pushinteger(L, value);
#endif
}

/* Integral and inside the range of int64 (2^63 itself is outside). */
static bool double_to_int(double number, int64_t *value) {
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0)) return false;
    if (floor(number) != number) return false;
    *value = (int64_t)number;
    return true;
}

#ifdef SL_LUA_DOUBLES_ONLY
enum { CDATA_TYPE = 10 }; /* LuaJIT's type tag of FFI objects */

/* LuaJIT prints its 64-bit numbers as "123LL" and "123ULL"; nothing else ends so. */
static bool cdata_to_int(lua_State *L, int index, int64_t *value) {
    size_t size;
    const char *text = luaL_tolstring(L, index, &size);
    char *end = NULL;
    bool ok = size > 2 && text[size - 1] == 'L' && text[size - 2] == 'L';
    if (ok) {
        long long number = strtoll(text, &end, 10);
        ok = (end[0] == 'L' || (end[0] == 'U' && number >= 0 && number < INT64_MAX)) && end != text;
        *value = number;
    }
    lua_pop(L, 1);
    return ok;
}
#endif

bool sl_lua_to_int(lua_State *L, int index, int64_t *value) {
    if (lua_type(L, index) == LUA_TNUMBER) {
#ifndef SL_LUA_DOUBLES_ONLY
        if (lua_isinteger(L, index)) {
            *value = lua_tointeger(L, index);
            return true;
        }
#endif
        return double_to_int(lua_tonumber(L, index), value);
    }
    const sl_lua_typed *typed = sl_lua_test_typed(L, index);
    if (typed && typed->kind == SL_LUA_INT64) {
        *value = typed->value.integer;
        return true;
    }
#ifdef SL_LUA_DOUBLES_ONLY
    if (lua_type(L, index) == CDATA_TYPE) return cdata_to_int(L, index, value);
#endif
    return false;
}

/* ---- to Lua ---------------------------------------------------------------------------------- */

void sl_lua_push_null(lua_State *L) {
    lua_pushlightuserdata(L, NULL);
}

bool sl_lua_is_null(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ||
           (lua_islightuserdata(L, index) && lua_touserdata(L, index) == NULL);
}

static void push_double(lua_State *L, const sl_value *value, bool typed) {
#ifdef SL_LUA_DOUBLES_ONLY
    if (!typed && floor(value->real) == value->real && fabs(value->real) < 9.3e18) {
        sl_lua_push_typed(L, SL_LUA_DOUBLE, value);
        return;
    }
#else
    (void)typed;
#endif
    lua_pushnumber(L, value->real);
}

void sl_lua_push_value(lua_State *L, const sl_value *value, bool typed) {
    luaL_checkstack(L, 4, "a value");
    switch (value->type) {
    case SL_TYPE_NULL:
        sl_lua_push_null(L);
        return;
    case SL_TYPE_INT:
        sl_lua_push_int(L, value->integer);
        return;
    case SL_TYPE_BOOL:
        lua_pushboolean(L, value->boolean);
        return;
    case SL_TYPE_STRING:
        lua_pushlstring(L, value->string.size ? value->string.data : "", value->string.size);
        return;
    case SL_TYPE_BINARY:
        if (typed)
            lua_pushlstring(L, value->string.size ? value->string.data : "", value->string.size);
        else
            sl_lua_push_typed(L, SL_LUA_BINARY, value);
        return;
    case SL_TYPE_FLOAT:
        if (typed)
            lua_pushnumber(L, (lua_Number)value->single);
        else
            sl_lua_push_typed(L, SL_LUA_FLOAT, value);
        return;
    case SL_TYPE_DOUBLE:
        push_double(L, value, typed);
        return;
    case SL_TYPE_TIMESTAMP:
        sl_lua_push_typed(L, SL_LUA_TIMESTAMP, value);
        return;
    case SL_TYPE_DECIMAL:
        sl_lua_push_typed(L, SL_LUA_DECIMAL, value);
        return;
    case SL_TYPE_OBJECTID:
        sl_lua_push_typed(L, SL_LUA_OBJECTID, value);
        return;
    case SL_TYPE_UUID:
        sl_lua_push_typed(L, SL_LUA_UUID, value);
        return;
    case SL_TYPE_LINK:
        sl_lua_push_typed(L, SL_LUA_LINK, value);
        return;
    default:
        lua_pushstring(L, sl_type_name(value->type));
        return;
    }
}

/* ---- from Lua -------------------------------------------------------------------------------- */

static bool expected(lua_State *L, int index, int type, sl_status *st) {
    const char *name = type == SL_TYPE_MIXED ? "a value" : sl_type_name(type);
    const sl_lua_typed *typed = sl_lua_test_typed(L, index);
    char got[80];
    if (lua_type(L, index) == LUA_TSTRING) {
        snprintf(got, sizeof got, "the string \"%.40s\"", lua_tostring(L, index));
    } else if (lua_type(L, index) == LUA_TNUMBER) {
        snprintf(got, sizeof got, "the number %.14g", (double)lua_tonumber(L, index));
    } else {
        snprintf(got, sizeof got, "%s",
                 typed ? sl_type_name(typed->value.type) : luaL_typename(L, index));
    }
    return sl_fail(st, SL_ERR_USAGE, "", "%s expected, got %s", name ? name : "a value", got);
}

static bool to_number(lua_State *L, int index, const sl_lua_typed *typed, double *number) {
    if (lua_type(L, index) == LUA_TNUMBER) {
        *number = lua_tonumber(L, index);
    } else if (typed && typed->kind == SL_LUA_DOUBLE) {
        *number = typed->value.real;
    } else if (typed && typed->kind == SL_LUA_FLOAT) {
        *number = (double)typed->value.single;
    } else {
        int64_t integer;
        if (!sl_lua_to_int(L, index, &integer)) return false;
        *number = (double)integer;
    }
    return true;
}

/* Seconds as a number, with a fraction if need be. */
static bool seconds_to_timestamp(double number, sl_timestamp *out) {
    double whole = trunc(number);
    int64_t seconds;
    if (!double_to_int(whole, &seconds)) return false;
    int32_t nanoseconds = (int32_t)llround((number - whole) * 1e9);
    if (nanoseconds == 1000000000 || nanoseconds == -1000000000) {
        seconds += nanoseconds > 0 ? 1 : -1;
        nanoseconds = 0;
    }
    *out = (sl_timestamp){seconds, nanoseconds};
    return true;
}

static sl_str text_at(lua_State *L, int index) {
    size_t size;
    const char *data = lua_tolstring(L, index, &size);
    return sl_str_of(data, size);
}

static bool to_decimal(lua_State *L, int index, sl_decimal *out) {
    int64_t integer;
    if (lua_type(L, index) == LUA_TSTRING) return sl_decimal_from_text(text_at(L, index), out);
    if (!sl_lua_to_int(L, index, &integer)) return false;
    *out = sl_decimal_from_int(integer);
    return true;
}

/* What Lua value suits a place of any type: Mixed. */
static bool to_any(lua_State *L, int index, sl_value *out, sl_status *st) {
    int64_t integer;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        *out = (sl_value){.type = SL_TYPE_BOOL, .boolean = lua_toboolean(L, index) != 0};
        return true;
    case LUA_TSTRING:
        *out = (sl_value){.type = SL_TYPE_STRING, .string = text_at(L, index)};
        return true;
    case LUA_TNUMBER:
#ifdef SL_LUA_DOUBLES_ONLY
        if (sl_lua_to_int(L, index, &integer)) {
#else
        if (lua_isinteger(L, index) && sl_lua_to_int(L, index, &integer)) {
#endif
            *out = (sl_value){.type = SL_TYPE_INT, .integer = integer};
        } else {
            *out = (sl_value){.type = SL_TYPE_DOUBLE, .real = lua_tonumber(L, index)};
        }
        return true;
    default:
        if (!sl_lua_to_int(L, index, &integer)) return expected(L, index, SL_TYPE_MIXED, st);
        *out = (sl_value){.type = SL_TYPE_INT, .integer = integer};
        return true;
    }
}

bool sl_lua_to_value(lua_State *L, int index, int type, sl_value *out, sl_status *st) {
    index = lua_absindex(L, index);
    *out = (sl_value){.type = SL_TYPE_NULL};
    if (sl_lua_is_null(L, index)) return true;
    const sl_lua_typed *typed = sl_lua_test_typed(L, index);
    if (typed && typed->kind != SL_LUA_GLOBALKEY &&
        (type == SL_TYPE_MIXED || type == typed->value.type)) {
        *out = typed->value;
        return true;
    }
    if (type == SL_TYPE_MIXED) return to_any(L, index, out, st);

    bool is_text = lua_type(L, index) == LUA_TSTRING, ok = false;
    double number;
    sl_value value = {.type = (int8_t)type};
    switch (type) {
    case SL_TYPE_INT:
        ok = sl_lua_to_int(L, index, &value.integer);
        break;
    case SL_TYPE_BOOL:
        ok = lua_isboolean(L, index);
        value.boolean = lua_toboolean(L, index) != 0;
        break;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        ok = is_text;
        if (ok) value.string = text_at(L, index);
        break;
    case SL_TYPE_TIMESTAMP:
        ok = to_number(L, index, NULL, &number) && seconds_to_timestamp(number, &value.timestamp);
        break;
    case SL_TYPE_FLOAT:
        ok = to_number(L, index, typed, &number);
        if (ok) value.single = (float)number;
        break;
    case SL_TYPE_DOUBLE:
        ok = to_number(L, index, typed, &value.real);
        break;
    case SL_TYPE_DECIMAL:
        ok = to_decimal(L, index, &value.decimal);
        break;
    case SL_TYPE_OBJECTID:
        ok = is_text && sl_lua_objectid_from_text(text_at(L, index), value.objectid);
        break;
    case SL_TYPE_UUID:
        ok = is_text && sl_lua_uuid_from_text(text_at(L, index), value.uuid);
        break;
    default:
        break;
    }
    if (!ok) return expected(L, index, type, st);
    *out = value;
    return true;
}

/* ---- keys ------------------------------------------------------------------------------------ */

void sl_lua_push_key(lua_State *L, const sl_key *key) {
    sl_value value = {.type = key->type};
    switch (key->type) {
    case SL_TYPE_INT:
        value.integer = key->integer;
        break;
    case SL_TYPE_STRING:
        value.string = key->string;
        break;
    case SL_TYPE_OBJECTID:
        memcpy(value.objectid, key->objectid, sizeof value.objectid);
        break;
    case SL_TYPE_UUID:
        memcpy(value.uuid, key->uuid, sizeof value.uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        sl_lua_push_globalkey(L, key->global);
        return;
    default:
        value.type = SL_TYPE_NULL;
        break;
    }
    sl_lua_push_value(L, &value, true);
}

bool sl_lua_to_key(lua_State *L, int index, int type, sl_key *out, sl_status *st) {
    sl_value value;
    *out = (sl_key){.type = SL_TYPE_NULL};
    if (type == SL_TYPE_GLOBALKEY) {
        const sl_lua_typed *typed = sl_lua_test_typed(L, index);
        if (!typed || typed->kind != SL_LUA_GLOBALKEY)
            return expected(L, index, SL_TYPE_GLOBALKEY, st);
        *out = typed->link.key;
        return true;
    }
    if (!sl_lua_to_value(L, index, type, &value, st)) return false;
    out->type = value.type;
    switch (value.type) {
    case SL_TYPE_NULL:
        break;
    case SL_TYPE_INT:
        out->integer = value.integer;
        break;
    case SL_TYPE_STRING:
        out->string = value.string;
        break;
    case SL_TYPE_OBJECTID:
        memcpy(out->objectid, value.objectid, sizeof out->objectid);
        break;
    case SL_TYPE_UUID:
        memcpy(out->uuid, value.uuid, sizeof out->uuid);
        break;
    default:
        return sl_fail(st, SL_ERR_USAGE, "", "a %s cannot be a key", sl_type_name(value.type));
    }
    return true;
}
