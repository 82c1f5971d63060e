/* core.c - the private C module syncline.core: one table per part, value constructors on top. */
#include "lua/core.h"

#include "lua/value.h"

static const luaL_Reg parts[] = {
    {"auth", sl_lua_open_auth},
    {"changeset", sl_lua_open_changeset},
    {"client", sl_lua_open_client},
    {"disk", sl_lua_open_disk},
    {"ejson", sl_lua_open_ejson},
    {"json", sl_lua_open_json},
    {"net", sl_lua_open_net},
    {"protocol", sl_lua_open_protocol},
    {"realm", sl_lua_open_realm},
    {"server", sl_lua_open_server},
    {"sim", sl_lua_open_sim},
    {"store", sl_lua_open_store},
    {"transform", sl_lua_open_transform},
    {NULL, NULL},
};

int luaopen_syncline_core(lua_State *L) {
    lua_newtable(L);
    sl_lua_open_value(L);
    sl_lua_open_where(L);
    for (const luaL_Reg *part = parts; part->name; part++) {
        lua_pushcfunction(L, part->func);
        lua_call(L, 0, 1);
        lua_setfield(L, -2, part->name);
    }
    return 1;
}
