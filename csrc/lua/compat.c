#include "lua/compat.h"

#include <stdint.h>

#if LUA_VERSION_NUM < 503

int sl_compat_absindex(lua_State *L, int index) {
    return index > 0 || index <= LUA_REGISTRYINDEX ? index : lua_gettop(L) + index + 1;
}

size_t sl_compat_rawlen(lua_State *L, int index) {
    return lua_objlen(L, index);
}

void sl_compat_setfuncs(lua_State *L, const luaL_Reg *list, int upvalues) {
    luaL_checkstack(L, upvalues + 1, "too many upvalues");
    for (; list->name; list++) {
        for (int i = 0; i < upvalues; i++)
            lua_pushvalue(L, -upvalues);
        lua_pushcclosure(L, list->func, upvalues);
        lua_setfield(L, -(upvalues + 2), list->name);
    }
    lua_pop(L, upvalues);
}

void *sl_compat_testudata(lua_State *L, int index, const char *name) {
    void *data = lua_touserdata(L, index);
    if (!data || !lua_getmetatable(L, index)) return NULL;
    lua_getfield(L, LUA_REGISTRYINDEX, name);
    if (!lua_rawequal(L, -1, -2)) data = NULL;
    lua_pop(L, 2);
    return data;
}

const char *sl_compat_tolstring(lua_State *L, int index, size_t *size) {
    index = lua_absindex(L, index);
    if (luaL_callmeta(L, index, "__tostring")) {
        if (!lua_isstring(L, -1)) luaL_error(L, "'__tostring' must return a string");
        return lua_tolstring(L, -1, size);
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER:
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    default:
        lua_pushfstring(L, "%s: %p", luaL_typename(L, index), lua_topointer(L, index));
    }
    return lua_tolstring(L, -1, size);
}

void sl_compat_rawgetp(lua_State *L, int index, const void *key) {
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_rawget(L, index);
}

void sl_compat_rawsetp(lua_State *L, int index, const void *key) {
    index = lua_absindex(L, index);
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    lua_insert(L, -2);
    lua_rawset(L, index);
}

#else
/* ISO C wants at least one declaration in a file. */
typedef int sl_compat_nothing_to_do;
#endif
