/* typed.c - immutable value objects: what plain Lua values cannot say by themselves. */
#include "lua/check.h"
#include "lua/typed_text.h"
#include "lua/value.h"
#include "value/decimal.h"

#include <openssl/rand.h>
#include <string.h>
#include <time.h>

static const char *const metatable_names[SL_LUA_TYPED_COUNT] = {
    "syncline.int64",     "syncline.float",    "syncline.double",   "syncline.binary",
    "syncline.timestamp", "syncline.decimal",  "syncline.objectid", "syncline.uuid",
    "syncline.link",      "syncline.globalkey"};

/* Marks our metatables; its address is the key. */
static const char typed_mark = 0;

const sl_lua_typed *sl_lua_test_typed(lua_State *L, int index) {
    const sl_lua_typed *typed =
        lua_type(L, index) == LUA_TUSERDATA ? lua_touserdata(L, index) : NULL;
    if (!typed || !lua_getmetatable(L, index)) return NULL;
    lua_rawgetp(L, -1, &typed_mark);
    bool ours = lua_toboolean(L, -1) != 0;
    lua_pop(L, 2);
    return ours ? typed : NULL;
}

static const sl_lua_typed *check(lua_State *L, int index, sl_lua_typed_kind kind) {
    return luaL_checkudata(L, index, metatable_names[kind]);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Copies `from` to `*at` and lets `str` point there. */
static void copy_str(sl_str *str, char **at) {
    if (str->size) memcpy(*at, str->data, str->size);
    str->data = *at;
    str->sym = SL_NO_SYM;
    *at += str->size;
}

static size_t extra_bytes(const sl_value *value) {
    if (value->type == SL_TYPE_BINARY) return value->string.size;
    if (value->type != SL_TYPE_LINK) return 0;
    const sl_link *link = value->link;
    return (size_t)link->class_name.size +
           (link->key.type == SL_TYPE_STRING ? link->key.string.size : 0);
}

void sl_lua_push_typed(lua_State *L, sl_lua_typed_kind kind, const sl_value *value) {
    sl_lua_typed *typed = lua_newuserdata(L, sizeof *typed + extra_bytes(value));
    char *at = typed->bytes;
    *typed = (sl_lua_typed){.kind = (uint8_t)kind, .value = *value};
    if (value->type == SL_TYPE_BINARY) {
        copy_str(&typed->value.string, &at);
    } else if (value->type == SL_TYPE_LINK) {
        typed->link = *value->link;
        copy_str(&typed->link.class_name, &at);
        if (typed->link.key.type == SL_TYPE_STRING) copy_str(&typed->link.key.string, &at);
        typed->value.link = &typed->link;
    }
    luaL_getmetatable(L, metatable_names[kind]);
    lua_setmetatable(L, -2);
}

void sl_lua_push_globalkey(lua_State *L, sl_global_key key) {
    sl_value none = {.type = SL_TYPE_GLOBALKEY};
    sl_lua_push_typed(L, SL_LUA_GLOBALKEY, &none);
    sl_lua_typed *typed = lua_touserdata(L, -1);
    typed->link.key = (sl_key){.type = SL_TYPE_GLOBALKEY, .global = key};
}

/* ---- metamethods ----------------------------------------------------------------------------- */

static bool same_kind(lua_State *L, const sl_lua_typed **a, const sl_lua_typed **b) {
    *a = sl_lua_test_typed(L, 1);
    *b = sl_lua_test_typed(L, 2);
    return *a && *b && (*a)->kind == (*b)->kind;
}

static int typed_eq(lua_State *L) {
    const sl_lua_typed *a, *b;
    bool equal =
        same_kind(L, &a, &b) && (a->kind == SL_LUA_GLOBALKEY ? sl_key_eq(&a->link.key, &b->link.key)
                                                             : sl_value_eq(&a->value, &b->value));
    lua_pushboolean(L, equal);
    return 1;
}

static int compare(lua_State *L) {
    const sl_lua_typed *a, *b;
    if (!same_kind(L, &a, &b)) return luaL_error(L, "attempt to compare values of different types");
    return a->kind == SL_LUA_GLOBALKEY ? sl_key_cmp(&a->link.key, &b->link.key)
                                       : sl_value_cmp(&a->value, &b->value);
}

static int typed_lt(lua_State *L) {
    lua_pushboolean(L, compare(L) < 0);
    return 1;
}

static int typed_le(lua_State *L) {
    lua_pushboolean(L, compare(L) <= 0);
    return 1;
}

static int typed_tostring(lua_State *L) {
    const sl_lua_typed *typed = sl_lua_test_typed(L, 1);
    luaL_argcheck(L, typed, 1, "syncline value expected");
    if (typed->kind == SL_LUA_LINK) {
        luaL_Buffer out;
        luaL_buffinit(L, &out);
        luaL_addlstring(&out, typed->link.class_name.data, typed->link.class_name.size);
        luaL_addchar(&out, '(');
        sl_lua_push_key(L, &typed->link.key);
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
        luaL_addvalue(&out);
        luaL_addchar(&out, ')');
        luaL_pushresult(&out);
    } else if (typed->kind == SL_LUA_BINARY) {
        lua_pushlstring(L, typed->value.string.data, typed->value.string.size);
    } else {
        char text[SL_LUA_TEXT_MAX];
        lua_pushlstring(L, text, sl_lua_typed_text(typed, text));
    }
    return 1;
}

static int binary_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)check(L, 1, SL_LUA_BINARY)->value.string.size);
    return 1;
}

/* Fields by kind; returns false if there is no such field. */
static bool push_field(lua_State *L, const sl_lua_typed *typed, const char *name) {
    const sl_value *value = &typed->value;
    if (typed->kind == SL_LUA_TIMESTAMP && strcmp(name, "seconds") == 0)
        sl_lua_push_int(L, value->timestamp.seconds);
    else if (typed->kind == SL_LUA_TIMESTAMP && strcmp(name, "nanoseconds") == 0)
        lua_pushinteger(L, value->timestamp.nanoseconds);
    else if (typed->kind == SL_LUA_LINK && strcmp(name, "class") == 0)
        lua_pushlstring(L, typed->link.class_name.data, typed->link.class_name.size);
    else if (typed->kind == SL_LUA_LINK && strcmp(name, "key") == 0)
        sl_lua_push_key(L, &typed->link.key);
    else if (typed->kind == SL_LUA_GLOBALKEY && strcmp(name, "file") == 0)
        sl_lua_push_int(L, (int64_t)typed->link.key.global.hi);
    else if (typed->kind == SL_LUA_GLOBALKEY && strcmp(name, "number") == 0)
        sl_lua_push_int(L, (int64_t)typed->link.key.global.lo);
    else if (strcmp(name, "type") == 0)
        lua_pushstring(L, sl_type_name(value->type));
    else
        return false;
    return true;
}

static int typed_index(lua_State *L) {
    const sl_lua_typed *typed = sl_lua_test_typed(L, 1);
    luaL_argcheck(L, typed, 1, "syncline value expected");
    if (lua_type(L, 2) == LUA_TSTRING && push_field(L, typed, lua_tostring(L, 2))) return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

/* ---- methods --------------------------------------------------------------------------------- */

/* value:tonumber(): the nearest Lua number, of int64, float, double, decimal and timestamp. */
static int typed_tonumber(lua_State *L) {
    const sl_lua_typed *typed = sl_lua_test_typed(L, 1);
    luaL_argcheck(L, typed, 1, "syncline value expected");
    const sl_value *value = &typed->value;
    switch (typed->kind) {
    case SL_LUA_INT64:
        lua_pushnumber(L, (lua_Number)value->integer);
        return 1;
    case SL_LUA_FLOAT:
        lua_pushnumber(L, (lua_Number)value->single);
        return 1;
    case SL_LUA_DOUBLE:
        lua_pushnumber(L, value->real);
        return 1;
    case SL_LUA_TIMESTAMP:
        lua_pushnumber(L, (lua_Number)value->timestamp.seconds +
                              (lua_Number)value->timestamp.nanoseconds / 1e9);
        return 1;
    case SL_LUA_DECIMAL:
        lua_pushnumber(L, sl_decimal_to_double(value->decimal));
        return 1;
    default:
        return luaL_error(L, "a %s is no number", sl_type_name(value->type));
    }
}

/* value:bytes(): the octets of a binary, ObjectId or UUID as a string. */
static int typed_bytes(lua_State *L) {
    const sl_lua_typed *typed = sl_lua_test_typed(L, 1);
    luaL_argcheck(L, typed, 1, "syncline value expected");
    const sl_value *value = &typed->value;
    switch (typed->kind) {
    case SL_LUA_BINARY:
        lua_pushlstring(L, value->string.data, value->string.size);
        return 1;
    case SL_LUA_OBJECTID:
        lua_pushlstring(L, (const char *)value->objectid, 12);
        return 1;
    case SL_LUA_UUID:
        lua_pushlstring(L, (const char *)value->uuid, 16);
        return 1;
    default:
        return luaL_error(L, "a %s has no bytes", sl_type_name(value->type));
    }
}

/* ---- constructors ---------------------------------------------------------------------------- */

/* Converts argument 1 to `type` and pushes it as an object of `kind`. */
static int construct(lua_State *L, sl_lua_typed_kind kind, int type) {
    sl_value value;
    sl_status st = SL_STATUS_INIT;
    luaL_checkany(L, 1);
    luaL_argcheck(L, !sl_lua_is_null(L, 1), 1, "a value expected, got null");
    if (!sl_lua_to_value(L, 1, type, &value, &st)) return luaL_argerror(L, 1, st.message);
    sl_lua_push_typed(L, kind, &value);
    return 1;
}

/* syncline.int64(number | "decimal digits"): the smallest form that is exact. */
static int make_int64(lua_State *L) {
    int64_t integer;
    if (lua_type(L, 1) == LUA_TSTRING) {
        size_t size;
        const char *text = lua_tolstring(L, 1, &size);
        if (!sl_lua_int_from_text(sl_str_of(text, size), &integer))
            return luaL_argerror(L, 1, "decimal digits of a 64-bit integer expected");
    } else {
        integer = sl_lua_check_int(L, 1, INT64_MIN, INT64_MAX);
    }
    sl_lua_push_int(L, integer);
    return 1;
}

static int make_float(lua_State *L) {
    return construct(L, SL_LUA_FLOAT, SL_TYPE_FLOAT);
}
static int make_double(lua_State *L) {
    return construct(L, SL_LUA_DOUBLE, SL_TYPE_DOUBLE);
}
static int make_binary(lua_State *L) {
    return construct(L, SL_LUA_BINARY, SL_TYPE_BINARY);
}
static int make_decimal(lua_State *L) {
    return construct(L, SL_LUA_DECIMAL, SL_TYPE_DECIMAL);
}

/* syncline.timestamp([seconds | text [, nanoseconds]]): now without arguments. */
static int make_timestamp(lua_State *L) {
    sl_value value = {.type = SL_TYPE_TIMESTAMP};
    if (lua_isnoneornil(L, 1)) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        value.timestamp = (sl_timestamp){now.tv_sec, (int32_t)now.tv_nsec};
    } else if (lua_type(L, 1) == LUA_TSTRING) {
        if (!sl_lua_timestamp_from_text(sl_lua_check_str(L, 1), &value.timestamp))
            return luaL_argerror(L, 1, "a time like 2024-05-01T12:30:00.5Z expected");
    } else if (lua_isnoneornil(L, 2)) {
        return construct(L, SL_LUA_TIMESTAMP, SL_TYPE_TIMESTAMP);
    } else {
        value.timestamp.seconds = sl_lua_check_int(L, 1, INT64_MIN, INT64_MAX);
        value.timestamp.nanoseconds = (int32_t)sl_lua_check_int(L, 2, -999999999, 999999999);
        int64_t s = value.timestamp.seconds, ns = value.timestamp.nanoseconds;
        luaL_argcheck(L, !(s > 0 && ns < 0) && !(s < 0 && ns > 0), 2,
                      "seconds and nanoseconds must not have opposite signs");
    }
    sl_lua_push_typed(L, SL_LUA_TIMESTAMP, &value);
    return 1;
}

/* What the ObjectIds of one Lua state share; a random start, then counted. */
typedef struct objectid_state {
    uint8_t random[5];
    uint32_t counter;
    bool ready;
} objectid_state;

static int random_failed(lua_State *L) {
    return luaL_error(L, "the system's random source failed");
}

static int new_objectid(lua_State *L, objectid_state *state) {
    if (!state->ready) {
        if (RAND_bytes(state->random, (int)sizeof state->random) != 1 ||
            RAND_bytes((unsigned char *)&state->counter, (int)sizeof state->counter) != 1)
            return random_failed(L);
        state->ready = true;
    }
    sl_value value = {.type = SL_TYPE_OBJECTID};
    uint32_t now = (uint32_t)time(NULL), count = state->counter++;
    for (int i = 0; i < 4; i++)
        value.objectid[i] = (uint8_t)(now >> (24 - 8 * i));
    memcpy(value.objectid + 4, state->random, sizeof state->random);
    for (int i = 0; i < 3; i++)
        value.objectid[9 + i] = (uint8_t)(count >> (16 - 8 * i));
    sl_lua_push_typed(L, SL_LUA_OBJECTID, &value);
    return 1;
}

/* syncline.objectid([24 hex digits]): a new one without argument. */
static int make_objectid(lua_State *L) {
    if (lua_isnoneornil(L, 1)) return new_objectid(L, lua_touserdata(L, lua_upvalueindex(1)));
    return construct(L, SL_LUA_OBJECTID, SL_TYPE_OBJECTID);
}

/* syncline.uuid([text]): a new random one (version 4) without argument. */
static int make_uuid(lua_State *L) {
    if (!lua_isnoneornil(L, 1)) return construct(L, SL_LUA_UUID, SL_TYPE_UUID);
    sl_value value = {.type = SL_TYPE_UUID};
    if (RAND_bytes(value.uuid, (int)sizeof value.uuid) != 1) return random_failed(L);
    value.uuid[6] = (uint8_t)((value.uuid[6] & 0x0f) | 0x40);
    value.uuid[8] = (uint8_t)((value.uuid[8] & 0x3f) | 0x80);
    sl_lua_push_typed(L, SL_LUA_UUID, &value);
    return 1;
}

/* syncline.link(class, key): a link to an object that need not exist. */
static int make_link(lua_State *L) {
    sl_link link = {.class_name = sl_lua_check_str(L, 1)};
    sl_status st = SL_STATUS_INIT;
    luaL_checkany(L, 2);
    const sl_lua_typed *typed = sl_lua_test_typed(L, 2);
    int type = typed && typed->kind == SL_LUA_GLOBALKEY ? SL_TYPE_GLOBALKEY : SL_TYPE_MIXED;
    if (!sl_lua_to_key(L, 2, type, &link.key, &st)) return luaL_argerror(L, 2, st.message);
    sl_value value = {.type = SL_TYPE_LINK, .link = &link};
    sl_lua_push_typed(L, SL_LUA_LINK, &value);
    return 1;
}

/* syncline.typeof(value): "int", "timestamp", ... of what the value would be in a Mixed; nil if it
 * is no value. */
static int type_of(lua_State *L) {
    sl_value value;
    luaL_checkany(L, 1);
    if (!sl_lua_to_value(L, 1, SL_TYPE_MIXED, &value, NULL)) return 0;
    lua_pushstring(L, value.type == SL_TYPE_NULL ? "null" : sl_type_name(value.type));
    return 1;
}

/* ---- opening --------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {{"tonumber", typed_tonumber},
                                   {"bytes", typed_bytes},
                                   {"tostring", typed_tostring},
                                   {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__eq", typed_eq},
                                       {"__lt", typed_lt},
                                       {"__le", typed_le},
                                       {"__tostring", typed_tostring},
                                       {NULL, NULL}};
static const luaL_Reg constructors[] = {{"int64", make_int64},         {"float", make_float},
                                        {"double", make_double},       {"binary", make_binary},
                                        {"timestamp", make_timestamp}, {"decimal", make_decimal},
                                        {"uuid", make_uuid},           {"link", make_link},
                                        {"typeof", type_of},           {NULL, NULL}};

/* The functions are shared by all metatables, which Lua 5.1 asks for when it compares. */
static void register_kinds(lua_State *L) {
    lua_newtable(L);
    luaL_setfuncs(L, metamethods, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushcclosure(L, typed_index, 1);
    lua_setfield(L, -2, "__index");
    for (int kind = 0; kind < SL_LUA_TYPED_COUNT; kind++) {
        if (!luaL_newmetatable(L, metatable_names[kind])) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushnil(L);
        while (lua_next(L, -3)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_settable(L, -4);
        }
        lua_pushboolean(L, 1);
        lua_rawsetp(L, -2, &typed_mark);
        lua_pushstring(L, metatable_names[kind]);
        lua_setfield(L, -2, "__name");
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, "__metatable");
        if (kind == SL_LUA_BINARY) {
            lua_pushcfunction(L, binary_len);
            lua_setfield(L, -2, "__len");
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void sl_lua_open_value(lua_State *L) {
    register_kinds(L);
    luaL_setfuncs(L, constructors, 0);
    objectid_state *state = lua_newuserdata(L, sizeof *state);
    *state = (objectid_state){.ready = false};
    lua_pushcclosure(L, make_objectid, 1);
    lua_setfield(L, -2, "objectid");
    sl_lua_push_null(L);
    lua_setfield(L, -2, "null");
}
