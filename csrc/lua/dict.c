/* dict.c - dictionaries: string keys, any values. Names of methods hide entries of the same name
 * when indexing; get and set reach every key. */
#include "lua/collections.h"
#include "lua/value.h"

static sl_lua_place *check_dict(lua_State *L) {
    return sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_DICT);
}

/* dict:get(key) -> value, or nil if there is no entry (an entry that holds null: syncline.null). */
static int dict_get(lua_State *L) {
    const sl_lua_place *self = check_dict(L);
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    sl_view view;
    bool found;
    sl_lua_extend_name(L, self, sl_lua_check_str(L, 2), &target);
    if (!sl_realm_get(self->owner->realm, &target.place, &view, &found, &st))
        return sl_lua_throw(L, &st);
    if (!found) return 0;
    sl_lua_push_view(L, 1, self->owner, &target.place, &view);
    return 1;
}

static int dict_index(lua_State *L) {
    if (sl_lua_push_method(L)) return 1;
    check_dict(L);
    return lua_type(L, 2) == LUA_TSTRING ? dict_get(L) : 0;
}

/* dict:remove(key) -> whether it was there. */
static int dict_remove(lua_State *L) {
    const sl_lua_place *self = check_dict(L);
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    bool changed;
    sl_lua_extend_name(L, self, sl_lua_check_str(L, 2), &target);
    if (!sl_record_dict_erase(self->owner->realm, &target.place, &changed, &st))
        return sl_lua_throw(L, &st);
    lua_pushboolean(L, changed);
    return 1;
}

/* dict:set(key, value), dict[key] = value; nil removes the entry, syncline.null stores a null. */
static int dict_set(lua_State *L) {
    const sl_lua_place *self = check_dict(L);
    sl_lua_target target;
    sl_value value;
    sl_link link;
    sl_status st = SL_STATUS_INIT;
    sl_str key = sl_lua_check_str(L, 2);
    if (lua_isnoneornil(L, 3)) {
        dict_remove(L);
        return 0;
    }
    sl_view view = sl_lua_view(L, self);
    bool plain = view.property->embedded && sl_lua_is_null(L, 3);
    if (plain)
        value = (sl_value){.type = SL_TYPE_NULL};
    else if (!sl_lua_element(L, 3, self, &view, &value, &link))
        return sl_lua_assign(L);
    sl_lua_extend_name(L, self, key, &target);
    if (!sl_record_set(self->owner->realm, &target.place, &value, false, &st))
        return sl_lua_throw(L, &st);
    return 0;
}

void sl_lua_open_dict(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__index", dict_index},
                                           {"__newindex", dict_set},
                                           {"__len", sl_lua_collection_count},
                                           {"__pairs", sl_lua_collection_each},
                                           {NULL, NULL}};
    static const luaL_Reg methods[] = {{"get", dict_get},
                                       {"set", dict_set},
                                       {"remove", dict_remove},
                                       {"make", sl_lua_place_make},
                                       {"clear", sl_lua_collection_clear},
                                       {"count", sl_lua_collection_count},
                                       {"element_type", sl_lua_collection_element_type},
                                       {"each", sl_lua_collection_each},
                                       {NULL, NULL}};
    sl_lua_register_place(L, SL_LUA_PLACE_DICT, "dictionary", metamethods, methods);
}
