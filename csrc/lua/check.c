#include "lua/check.h"

#include "base/nearest.h"

#include "lua/value.h"

#include <stdio.h>
#include <string.h>

/* ---- errors ---------------------------------------------------------------------------------- */

static void push_message(lua_State *L, const sl_status *st) {
    if (st->offset == SL_STATUS_NO_OFFSET) {
        lua_pushstring(L, st->message);
        return;
    }
    char place[48];
    snprintf(place, sizeof place, " (at byte %zu)", st->offset);
    lua_pushfstring(L, "%s%s", st->message, place);
}

void sl_lua_push_code(lua_State *L, const sl_status *st) {
    if (st->code != 0)
        lua_pushinteger(L, st->code);
    else
        lua_pushstring(L, st->id[0] ? st->id : sl_status_class_name(st->cls));
}

int sl_lua_fail(lua_State *L, const sl_status *st) {
    lua_pushnil(L);
    push_message(L, st);
    sl_lua_push_code(L, st);
    return 3;
}

int sl_lua_raise(lua_State *L, const sl_status *st) {
    sl_lua_where(L);
    push_message(L, st);
    lua_concat(L, 2);
    return lua_error(L);
}

static int error_text(lua_State *L) {
    lua_getfield(L, 1, "message");
    return 1;
}

int sl_lua_throw(lua_State *L, const sl_status *st) {
    if (st->cls == SL_ERR_USAGE) return sl_lua_raise(L, st);
    lua_newtable(L);
    push_message(L, st);
    lua_setfield(L, -2, "message");
    sl_lua_push_code(L, st);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, sl_status_class_name(st->cls));
    lua_setfield(L, -2, "class");
    if (luaL_newmetatable(L, "syncline.error")) {
        lua_pushcfunction(L, error_text);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -2);
    return lua_error(L);
}

int sl_lua_fail_or_raise(lua_State *L, const sl_status *st) {
    return st->cls == SL_ERR_USAGE ? sl_lua_raise(L, st) : sl_lua_fail(L, st);
}

/* ---- arguments ------------------------------------------------------------------------------- */

sl_str sl_lua_check_str(lua_State *L, int index) {
    luaL_checktype(L, index, LUA_TSTRING);
    size_t size;
    const char *data = lua_tolstring(L, index, &size);
    luaL_argcheck(L, size < UINT32_MAX, index, "string too long");
    return sl_str_of(data, size);
}

sl_str sl_lua_opt_str(lua_State *L, int index, const char *fallback) {
    return lua_isnoneornil(L, index) ? sl_str_c(fallback) : sl_lua_check_str(L, index);
}

int64_t sl_lua_check_int(lua_State *L, int index, int64_t min, int64_t max) {
    int64_t value;
    if (!sl_lua_to_int(L, index, &value)) {
        const char *text = lua_pushfstring(L, "integer expected, got %s", luaL_typename(L, index));
        luaL_argerror(L, index, text);
    }
    if (value < min || value > max) {
        char text[96];
        snprintf(text, sizeof text, "must be between %lld and %lld", (long long)min,
                 (long long)max);
        luaL_argerror(L, index, text);
    }
    return value;
}

int64_t sl_lua_opt_int(lua_State *L, int index, int64_t min, int64_t max, int64_t fallback) {
    return lua_isnoneornil(L, index) ? fallback : sl_lua_check_int(L, index, min, max);
}

bool sl_lua_opt_bool(lua_State *L, int index, bool fallback) {
    if (lua_isnoneornil(L, index)) return fallback;
    luaL_checktype(L, index, LUA_TBOOLEAN);
    return lua_toboolean(L, index) != 0;
}

/* Pushes the option; returns false (with nothing pushed) when it is absent. */
static bool push_option(lua_State *L, int index, const char *name) {
    if (lua_isnoneornil(L, index)) return false;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

static int option_error(lua_State *L, const char *name, const char *expected) {
    return luaL_error(L, "option '%s': %s expected, got %s", name, expected, luaL_typename(L, -1));
}

sl_str sl_lua_option_str(lua_State *L, int index, const char *name, const char *fallback) {
    if (!push_option(L, index, name)) return fallback ? sl_str_c(fallback) : (sl_str){0};
    if (lua_type(L, -1) != LUA_TSTRING) option_error(L, name, "string");
    size_t size;
    const char *data = lua_tolstring(L, -1, &size);
    if (size >= UINT32_MAX) luaL_error(L, "option '%s': string too long", name);
    lua_pop(L, 1);
    return sl_str_of(data, size);
}

int64_t sl_lua_option_int(lua_State *L, int index, const char *name, int64_t min, int64_t max,
                          int64_t fallback) {
    if (!push_option(L, index, name)) return fallback;
    int64_t value;
    if (!sl_lua_to_int(L, -1, &value)) option_error(L, name, "integer");
    if (value < min || value > max) {
        char range[64];
        snprintf(range, sizeof range, "%lld and %lld", (long long)min, (long long)max);
        luaL_error(L, "option '%s' must be between %s", name, range);
    }
    lua_pop(L, 1);
    return value;
}

bool sl_lua_option_bool(lua_State *L, int index, const char *name, bool fallback) {
    if (!push_option(L, index, name)) return fallback;
    if (!lua_isboolean(L, -1)) option_error(L, name, "boolean");
    bool value = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return value;
}

double sl_lua_option_number(lua_State *L, int index, const char *name, double fallback) {
    if (!push_option(L, index, name)) return fallback;
    if (lua_type(L, -1) != LUA_TNUMBER) option_error(L, name, "number");
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

static bool is_among(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(name, *names) == 0) return true;
    return false;
}

void sl_lua_check_options(lua_State *L, int index, const char *const *names) {
    if (!lua_istable(L, index)) return;
    index = lua_absindex(L, index);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (name && is_among(name, names)) continue;
        sl_nearest found = {.wanted = sl_str_c(name ? name : "")};
        for (const char *const *each = names; *each; each++)
            sl_nearest_try(&found, sl_str_c(*each));
        name = luaL_tolstring(L, -2, NULL);
        if (found.best.size)
            luaL_error(L, "unknown option '%s'; did you mean '%s'?", name, found.best.data);
        luaL_error(L, "unknown option '%s'", name);
    }
}

bool sl_lua_option_function(lua_State *L, int index, const char *name) {
    if (!push_option(L, index, name)) {
        lua_pushnil(L);
        return false;
    }
    if (!lua_isfunction(L, -1)) option_error(L, name, "function");
    return true;
}

/* ---- userdata -------------------------------------------------------------------------------- */

static const char type_field[] = "__syncline";

/* Marks first, closes second; every path to the end of a userdata comes through here. */
static int close_once(lua_State *L) {
    const sl_lua_type *type = lua_touserdata(L, lua_upvalueindex(1));
    sl_lua_head *head = luaL_checkudata(L, 1, type->name);
    if (head->closed) return 0;
    head->closed = true;
    if (type->close) type->close(L, head);
    return 0;
}

static int describe(lua_State *L) {
    const sl_lua_type *type = lua_touserdata(L, lua_upvalueindex(1));
    sl_lua_head *head = luaL_checkudata(L, 1, type->name);
    lua_pushfstring(L, "%s (%s)", type->name, head->closed ? "closed" : "open");
    return 1;
}

/* Sets table[name] (table at the top) to a closure over the type. */
static void set_closure(lua_State *L, const sl_lua_type *type, const char *name, lua_CFunction f) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)type);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

void sl_lua_register(lua_State *L, const sl_lua_type *type) {
    if (!luaL_newmetatable(L, type->name)) {
        lua_pop(L, 1);
        return;
    }
    lua_newtable(L);
    set_closure(L, type, "close", close_once);
    if (type->methods) luaL_setfuncs(L, type->methods, 0);
    lua_setfield(L, -2, "__index");
    set_closure(L, type, "__gc", close_once);
    set_closure(L, type, "__close", close_once);
    set_closure(L, type, "__tostring", describe);
    lua_pushstring(L, type->name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, (void *)(uintptr_t)type);
    lua_setfield(L, -2, type_field);
    if (type->metamethods) luaL_setfuncs(L, type->metamethods, 0);
    lua_pop(L, 1);
}

void *sl_lua_new(lua_State *L, const sl_lua_type *type) {
    void *self = lua_newuserdata(L, type->size);
    memset(self, 0, type->size);
    luaL_getmetatable(L, type->name);
    lua_setmetatable(L, -2);
    return self;
}

void *sl_lua_check(lua_State *L, int index, const sl_lua_type *type) {
    sl_lua_head *head = luaL_checkudata(L, index, type->name);
    if (head->closed) {
        const char *dot = strrchr(type->name, '.');
        luaL_error(L, "the %s is closed", dot ? dot + 1 : type->name);
    }
    return head;
}

void *sl_lua_test(lua_State *L, int index, const sl_lua_type *type) {
    return luaL_testudata(L, index, type->name);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static int add_traceback(lua_State *L) {
    if (lua_type(L, 1) != LUA_TSTRING) return 1; /* an error object: somebody knows it */
    lua_getglobal(L, "debug");
    if (!lua_istable(L, -1)) return lua_settop(L, 1), 1;
    lua_getfield(L, -1, "traceback");
    if (!lua_isfunction(L, -1)) return lua_settop(L, 1), 1;
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 2);
    lua_call(L, 2, 1);
    return 1;
}

bool sl_lua_call(lua_State *L, int args, int results) {
    int function = lua_gettop(L) - args;
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, function);
    int code = lua_pcall(L, args, results, function);
    lua_remove(L, function);
    return code == LUA_OK;
}
