/* where.c - errors that name the line of the program that made the mistake, not one of ours. */
#include "base/nearest.h"
#include "lua/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef luaL_error
#undef luaL_argerror

enum { DEEPEST = 200 }; /* frames that are looked at */

/* Its address is the key of a table in the registry: sources of ours, and folders of ours at 1. */
static const char own_sources = 0;

static bool is_own(lua_State *L, const char *source) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &own_sources);
    if (!lua_istable(L, -1)) return lua_pop(L, 1), false;
    lua_getfield(L, -1, source);
    bool own = lua_toboolean(L, -1) != 0;
    lua_rawgeti(L, -2, 1);
    const char *folder = lua_tostring(L, -1);
    own = own || (folder && strncmp(source, folder, strlen(folder)) == 0);
    lua_pop(L, 3);
    return own;
}

void sl_lua_where(lua_State *L) {
    lua_Debug frame;
    luaL_checkstack(L, 8, "an error");
    for (int level = 1; level < DEEPEST && lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "Sl", &frame);
        if (frame.currentline <= 0 || is_own(L, frame.source)) continue;
        lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
        return;
    }
    lua_pushliteral(L, "");
}

int sl_lua_error(lua_State *L, const char *format, ...) {
    va_list args;
    sl_lua_where(L);
    va_start(args, format);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    return lua_error(L);
}

/* Whether Lua code of ours has called the running function. */
static bool called_by_own(lua_State *L) {
    lua_Debug frame;
    if (!lua_getstack(L, 1, &frame)) return false;
    lua_getinfo(L, "S", &frame);
    return is_own(L, frame.source);
}

/* Numbers of arguments mean something to whoever has written the call: of a call of ours the text
 * alone is shown. */
int sl_lua_arg_error(lua_State *L, int index, const char *text) {
    return called_by_own(L) ? sl_lua_error(L, "%s", text) : luaL_argerror(L, index, text);
}

/* core.where() -> "file:line: " of the innermost frame that is not ours, or "" */
static int where(lua_State *L) {
    sl_lua_where(L);
    return 1;
}

/* core.own(source, folder = false): a chunk of ours by its source, or all in a folder */
static int own(lua_State *L) {
    luaL_checkstring(L, 1);
    bool folder = lua_toboolean(L, 2) != 0;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &own_sources);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &own_sources);
    }
    lua_pushvalue(L, 1);
    if (folder) {
        lua_rawseti(L, -2, 1);
    } else {
        lua_pushboolean(L, 1);
        lua_rawset(L, -3);
    }
    return 0;
}

/* core.nearest(name, table with names as keys) -> the name that may have been meant, or nil */
static int nearest(lua_State *L) {
    sl_nearest found = {0};
    size_t size;
    const char *name = luaL_checklstring(L, 1, &size);
    found.wanted = sl_str_of(name, size);
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) continue;
        const char *text = lua_tolstring(L, -2, &size);
        sl_nearest one = {.wanted = found.wanted};
        sl_nearest_try(&one, sl_str_of(text, size));
        /* Tables have no order: of equally near ones the first by name. */
        if (one.best.size &&
            (!found.best.size || one.distance < found.distance ||
             (one.distance == found.distance && sl_str_cmp(one.best, found.best) < 0)))
            found = one;
    }
    if (!found.best.size) return 0;
    lua_pushlstring(L, found.best.data, found.best.size);
    return 1;
}

void sl_lua_open_where(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"where", where}, {"own", own}, {"nearest", nearest}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
