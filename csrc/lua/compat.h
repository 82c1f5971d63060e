/* compat.h - one C dialect for Lua 5.1, LuaJIT, 5.3 and 5.4: what the older ones lack of the 5.3
 * API, under its 5.3 name. Everything in lua/ includes this header and no Lua header of its own. */
#ifndef SL_LUA_COMPAT_H
#define SL_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#if defined(__GNUC__)
#define SL_LUA_EXPORT __attribute__((visibility("default")))
#else
#define SL_LUA_EXPORT
#endif

#if LUA_VERSION_NUM < 503
/* Lua 5.1 and LuaJIT: numbers are doubles, there are no integers beyond 2^53. */
#define SL_LUA_DOUBLES_ONLY 1

#ifndef LUA_OK
#define LUA_OK 0
#endif

int sl_compat_absindex(lua_State *L, int index);
size_t sl_compat_rawlen(lua_State *L, int index);
void sl_compat_setfuncs(lua_State *L, const luaL_Reg *list, int upvalues);
void *sl_compat_testudata(lua_State *L, int index, const char *name);
const char *sl_compat_tolstring(lua_State *L, int index, size_t *size);
void sl_compat_rawgetp(lua_State *L, int index, const void *key);
void sl_compat_rawsetp(lua_State *L, int index, const void *key);

#define lua_absindex sl_compat_absindex
#define lua_rawlen   sl_compat_rawlen
#undef luaL_setfuncs
#define luaL_setfuncs sl_compat_setfuncs
#undef luaL_testudata
#define luaL_testudata sl_compat_testudata
#define luaL_tolstring sl_compat_tolstring
#define lua_rawgetp    sl_compat_rawgetp
#define lua_rawsetp    sl_compat_rawsetp
#endif

/* Errors name the line of the program that made the mistake (where.c), through any number of our
 * own functions between it and the check. */
int sl_lua_error(lua_State *L, const char *format, ...);
int sl_lua_arg_error(lua_State *L, int index, const char *text);
/* Pushes "file:line: " of that line, or "". */
void sl_lua_where(lua_State *L);
#define luaL_error    sl_lua_error
#define luaL_argerror sl_lua_arg_error

#endif
