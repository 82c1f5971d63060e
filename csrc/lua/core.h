/* core.h - the parts of syncline.core, one opener per file. Each pushes one table and returns 1;
 * core.c puts it under the name of the file. */
#ifndef SL_LUA_CORE_H
#define SL_LUA_CORE_H

#include "lua/compat.h"

SL_LUA_EXPORT int luaopen_syncline_core(lua_State *L);

int sl_lua_open_auth(lua_State *L);
int sl_lua_open_changeset(lua_State *L);
int sl_lua_open_client(lua_State *L);
int sl_lua_open_disk(lua_State *L);
int sl_lua_open_ejson(lua_State *L);
int sl_lua_open_json(lua_State *L);
int sl_lua_open_net(lua_State *L);
int sl_lua_open_protocol(lua_State *L);
int sl_lua_open_realm(lua_State *L);
int sl_lua_open_server(lua_State *L);
int sl_lua_open_sim(lua_State *L);
int sl_lua_open_store(lua_State *L);
int sl_lua_open_transform(lua_State *L);
/* Puts its functions into the table at the top. */
void sl_lua_open_where(lua_State *L);

#endif
