/* results.c - the userdata that results are: a table of fields and a metatable, both of the Lua
 * half. A userdata because `#` asks the metatable of a userdata on every Lua, of a table only from
 * 5.2 on; and because walking over it with pairs or ipairs, which Lua 5.1 cannot, is an error there
 * instead of an empty loop. */
#include "lua/realm.h"

static const char results_name[] = "syncline.results";

/* core.realm.results(fields) -> a userdata with the metatable core.realm.results_meta */
static int new_results(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newuserdata(L, 1);
    lua_insert(L, 1);
    sl_lua_set_anchor(L, 1);
    luaL_getmetatable(L, results_name);
    lua_setmetatable(L, 1);
    return 1;
}

/* core.realm.fields(value) -> the fields of results, or nil if it is something else */
static int fields_of(lua_State *L) {
    luaL_checkany(L, 1);
    if (!luaL_testudata(L, 1, results_name)) return 0;
    sl_lua_push_anchor(L, 1);
    return 1;
}

void sl_lua_open_results(lua_State *L) {
    lua_pushcfunction(L, new_results);
    lua_setfield(L, -2, "results");
    lua_pushcfunction(L, fields_of);
    lua_setfield(L, -2, "fields");
    luaL_newmetatable(L, results_name);
    lua_pushstring(L, results_name);
    lua_setfield(L, -2, "__name");
    lua_setfield(L, -2, "results_meta");
}
