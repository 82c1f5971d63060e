/* set.c - sets: no order of their own, no duplicates. */
#include "lua/collections.h"
#include "lua/value.h"

static sl_lua_place *check_set(lua_State *L) {
    return sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_SET);
}

static int set_index(lua_State *L) {
    if (sl_lua_push_method(L)) return 1;
    const sl_lua_place *self = check_set(L);
    int64_t position;
    if (lua_type(L, 2) == LUA_TSTRING) return sl_lua_no_method(L, "a set");
    if (!sl_lua_to_int(L, 2, &position) || position < 1 || position > UINT32_MAX) return 0;
    return sl_lua_push_element(L, self, (uint32_t)(position - 1), false);
}

static int set_newindex(lua_State *L) {
    return luaL_error(L, "elements of a set have no place; use set:add and set:remove");
}

static void check_value(lua_State *L, const sl_lua_place *self, sl_value *value, sl_link *link) {
    sl_view view = sl_lua_view(L, self);
    luaL_checkany(L, 2);
    if (!sl_lua_element(L, 2, self, &view, value, link))
        luaL_argerror(L, 2, "a set holds no collections and no embedded objects");
}

static int set_change(lua_State *L, bool (*change)(sl_realm *, const sl_place *, const sl_value *,
                                                   bool *, sl_status *)) {
    const sl_lua_place *self = check_set(L);
    sl_value value;
    sl_link link;
    sl_status st = SL_STATUS_INIT;
    bool changed;
    check_value(L, self, &value, &link);
    if (!change(self->owner->realm, &self->place, &value, &changed, &st))
        return sl_lua_throw(L, &st);
    lua_pushboolean(L, changed);
    return 1;
}

/* set:add(value) -> whether it was new; set:remove(value) -> whether it was there. */
static int set_add(lua_State *L) {
    return set_change(L, sl_record_set_insert);
}
static int set_remove(lua_State *L) {
    return set_change(L, sl_record_set_erase);
}

/* set:has(value) */
static int set_has(lua_State *L) {
    const sl_lua_place *self = check_set(L);
    sl_value value;
    sl_link link;
    sl_status st = SL_STATUS_INIT;
    bool contains;
    check_value(L, self, &value, &link);
    if (!sl_realm_set_contains(self->owner->realm, &self->place, &value, &contains, &st))
        return sl_lua_throw(L, &st);
    lua_pushboolean(L, contains);
    return 1;
}

void sl_lua_open_set(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__index", set_index},
                                           {"__newindex", set_newindex},
                                           {"__len", sl_lua_collection_count},
                                           {"__pairs", sl_lua_collection_each},
                                           {NULL, NULL}};
    static const luaL_Reg methods[] = {{"add", set_add},
                                       {"remove", set_remove},
                                       {"has", set_has},
                                       {"clear", sl_lua_collection_clear},
                                       {"aggregate", sl_lua_collection_aggregate},
                                       {"count", sl_lua_collection_count},
                                       {"element_type", sl_lua_collection_element_type},
                                       {"each", sl_lua_collection_each},
                                       {NULL, NULL}};
    sl_lua_register_place(L, SL_LUA_PLACE_SET, "set", metamethods, methods);
}
