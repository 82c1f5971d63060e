#include "lua/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/check.h"
#include "lua/value.h"

static const char array_mark = 'a'; /* its address is the registry key of the array metatable */

enum { MAX_DEPTH = 512 };

static void push_array_metatable(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &array_mark);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void push_json(lua_State *L, const json_t *json);

static void push_object(lua_State *L, const json_t *json) {
    lua_createtable(L, 0, (int)json_object_size(json));
    /* The iteration functions take a non-const object but change nothing. */
    json_t *object = (json_t *)(uintptr_t)json;
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        lua_pushstring(L, json_object_iter_key(it));
        push_json(L, json_object_iter_value(it));
        lua_rawset(L, -3);
    }
}

static void push_array(lua_State *L, const json_t *json) {
    size_t size = json_array_size(json);
    lua_createtable(L, (int)size, 0);
    for (size_t i = 0; i < size; i++) {
        push_json(L, json_array_get(json, i));
        lua_rawseti(L, -2, (int)i + 1);
    }
    push_array_metatable(L);
    lua_setmetatable(L, -2);
}

static void push_json(lua_State *L, const json_t *json) {
    luaL_checkstack(L, 4, "JSON is nested too deeply");
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        push_object(L, json);
        return;
    case JSON_ARRAY:
        push_array(L, json);
        return;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(json), json_string_length(json));
        return;
    case JSON_INTEGER:
        sl_lua_push_int(L, json_integer_value(json));
        return;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(json));
        return;
    case JSON_TRUE:
        lua_pushboolean(L, 1);
        return;
    case JSON_FALSE:
        lua_pushboolean(L, 0);
        return;
    case JSON_NULL:
        sl_lua_push_null(L);
        return;
    }
}

static int depth_of(const json_t *json) {
    int deepest = 0;
    if (json_is_object(json)) {
        json_t *object = (json_t *)(uintptr_t)json;
        for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
            int depth = depth_of(json_object_iter_value(it));
            if (depth > deepest) deepest = depth;
        }
    } else if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            int depth = depth_of(json_array_get(json, i));
            if (depth > deepest) deepest = depth;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

/* Runs protected, so that an error in it cannot leak the JSON tree. */
static int push_protected(lua_State *L) {
    push_json(L, lua_touserdata(L, 1));
    return 1;
}

static int decode(lua_State *L) {
    sl_str text = sl_lua_check_str(L, 1);
    json_error_t error;
    json_t *json = json_loadb(text.data, text.size,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json || depth_of(json) > MAX_DEPTH) {
        lua_pushnil(L);
        if (json)
            lua_pushfstring(L, "JSON is nested deeper than %d levels", (int)MAX_DEPTH);
        else
            lua_pushfstring(L, "not JSON: %s (byte %d)", error.text, error.position);
        lua_pushliteral(L, "json");
        json_decref(json);
        return 3;
    }
    lua_pushcfunction(L, push_protected);
    lua_pushlightuserdata(L, json);
    int failed = lua_pcall(L, 1, 1, 0);
    json_decref(json);
    return failed ? lua_error(L) : 1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void add_json(lua_State *L, luaL_Buffer *out, int index, int depth);

/* Pieces go through the top of the stack, as luaL_Buffer wants it. */
static void add_string(lua_State *L, luaL_Buffer *out, const char *text, size_t size) {
    json_t *string = json_stringn(text, size);
    char *dump = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    if (!dump) luaL_error(L, "JSON strings must be valid UTF-8");
    luaL_addstring(out, dump);
    free(dump);
}

static void add_number(lua_State *L, luaL_Buffer *out, int index) {
    char text[40];
    int64_t integer;
    if (sl_lua_to_int(L, index, &integer)) {
        snprintf(text, sizeof text, "%lld", (long long)integer);
    } else {
        double number = lua_tonumber(L, index);
        if (!isfinite(number)) luaL_error(L, "JSON has no number for infinity or NaN");
        snprintf(text, sizeof text, "%.17g", number);
    }
    luaL_addstring(out, text);
}

static bool is_array(lua_State *L, int index) {
    if (lua_getmetatable(L, index)) {
        push_array_metatable(L);
        bool marked = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
        if (marked) return true;
    }
    lua_rawgeti(L, index, 1);
    bool first = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return first;
}

/* Pushes a sorted array of the member names of the table at `index`; returns how many. */
static int push_names(lua_State *L, int index) {
    int count = 0;
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "sort");
    lua_remove(L, -2);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "JSON member names must be strings");
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ++count);
    }
    lua_pushvalue(L, -1);
    lua_insert(L, -3);
    lua_call(L, 1, 0);
    return count;
}

static int encode_value(lua_State *L);

/* Encodes the value on top in a buffer of its own (buffers do not nest) and leaves its text. */
static void replace_by_text(lua_State *L, int depth) {
    lua_pushcfunction(L, encode_value);
    lua_insert(L, -2);
    lua_pushinteger(L, depth);
    lua_call(L, 2, 1);
}

static void add_array(lua_State *L, luaL_Buffer *out, int index, int depth) {
    int size = (int)lua_rawlen(L, index);
    luaL_addchar(out, '[');
    for (int i = 1; i <= size; i++) {
        if (i > 1) luaL_addchar(out, ',');
        lua_rawgeti(L, index, i);
        replace_by_text(L, depth);
        luaL_addvalue(out);
    }
    luaL_addchar(out, ']');
}

static int encode_value(lua_State *L) {
    int depth = (int)lua_tointeger(L, 2);
    lua_settop(L, 1);
    int count = 0;
    if (depth > MAX_DEPTH) return luaL_error(L, "JSON is nested too deeply (or a cycle)");
    if (lua_istable(L, 1) && !is_array(L, 1)) count = push_names(L, 1);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    if (lua_istable(L, 1) && lua_istable(L, 2)) {
        luaL_addchar(&out, '{');
        for (int i = 1; i <= count; i++) {
            if (i > 1) luaL_addchar(&out, ',');
            lua_rawgeti(L, 2, i);
            size_t size;
            const char *name = lua_tolstring(L, -1, &size);
            lua_pop(L, 1); /* still held by the table of names */
            add_string(L, &out, name, size);
            luaL_addchar(&out, ':');
            lua_pushlstring(L, name, size);
            lua_rawget(L, 1);
            replace_by_text(L, depth + 1);
            luaL_addvalue(&out);
        }
        luaL_addchar(&out, '}');
    } else {
        add_json(L, &out, 1, depth);
    }
    luaL_pushresult(&out);
    return 1;
}

static void add_json(lua_State *L, luaL_Buffer *out, int index, int depth) {
    size_t size;
    const char *text;
    int64_t integer;
    switch (lua_type(L, index)) {
    case LUA_TTABLE:
        add_array(L, out, index, depth + 1);
        return;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &size);
        add_string(L, out, text, size);
        return;
    case LUA_TNUMBER:
        add_number(L, out, index);
        return;
    case LUA_TBOOLEAN:
        luaL_addstring(out, lua_toboolean(L, index) ? "true" : "false");
        return;
    case LUA_TNIL:
        luaL_addstring(out, "null");
        return;
    default:
        if (sl_lua_is_null(L, index)) {
            luaL_addstring(out, "null");
        } else if (sl_lua_to_int(L, index, &integer)) {
            add_number(L, out, index);
        } else {
            luaL_error(L, "JSON cannot hold a %s", luaL_typename(L, index));
        }
    }
}

static int encode(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, 0);
    return encode_value(L);
}

static int mark_array(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_array_metatable(L);
    lua_setmetatable(L, 1);
    return 1;
}

int sl_lua_open_json(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"decode", decode}, {"encode", encode}, {"array", mark_array}, {NULL, NULL}};
    lua_newtable(L);
    lua_pushliteral(L, "syncline.json.array");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_mark);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    sl_lua_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
