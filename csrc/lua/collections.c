#include "lua/collections.h"

#include "lua/value.h"

sl_view sl_lua_view(lua_State *L, const sl_lua_place *self) {
    sl_view view;
    sl_status st = SL_STATUS_INIT;
    bool found;
    if (!sl_realm_get(self->owner->realm, &self->place, &view, &found, &st)) sl_lua_throw(L, &st);
    if (!found) luaL_error(L, "the collection does not exist any more");
    return view;
}

bool sl_lua_element(lua_State *L, int index, const sl_lua_place *self, const sl_view *view,
                    sl_value *out, sl_link *link) {
    const sl_property *property = view->property;
    sl_status st = SL_STATUS_INIT;
    const sl_lua_place *from = sl_lua_test_place(L, index);
    if (property->embedded || lua_istable(L, index)) return false;
    if (from && (from->kind != SL_LUA_PLACE_OBJECT || from->place.property.size)) return false;
    if (!sl_lua_to_stored(L, index, self->owner, property->type, out, link, &st))
        luaL_error(L, "element: %s", st.message);
    return true;
}

int sl_lua_push_element(lua_State *L, const sl_lua_place *self, uint32_t index, bool with_key) {
    sl_view view;
    sl_status st = SL_STATUS_INIT;
    sl_str key;
    bool found;
    if (!sl_realm_element(self->owner->realm, &self->place, index, &key, &view, &found, &st))
        return sl_lua_throw(L, &st);
    if (!found) return 0;
    sl_lua_target target;
    target.place = self->place;
    if (self->kind == SL_LUA_PLACE_DICT)
        sl_lua_extend_name(L, self, key, &target);
    else if (self->kind == SL_LUA_PLACE_LIST)
        sl_lua_extend_index(L, self, index, &target);
    if (with_key) lua_pushlstring(L, key.size ? key.data : "", key.size);
    sl_lua_push_view(L, 1, self->owner, &target.place, &view);
    return with_key ? 2 : 1;
}

int sl_lua_collection_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)sl_lua_view(L, sl_lua_check_place(L, 1)).size);
    return 1;
}

/* Takes out the last element or entry. */
static bool take_last(lua_State *L, const sl_lua_place *self, uint32_t last, sl_status *st) {
    sl_realm *realm = self->owner->realm;
    if (self->kind == SL_LUA_PLACE_LIST) return sl_record_list_erase(realm, &self->place, last, st);
    sl_lua_target target;
    sl_view view;
    sl_str key;
    bool found;
    if (!sl_realm_element(realm, &self->place, last, &key, &view, &found, st)) return false;
    sl_lua_extend_name(L, self, key, &target);
    return sl_record_dict_erase(realm, &target.place, NULL, st);
}

/* The merge does not move the Clear of a list element when others insert or erase elements before
 * it (protocol/3-transform.md, G2), so such a collection is emptied piece by piece. */
static bool is_element(const sl_lua_place *self) {
    uint32_t count = self->place.step_count;
    return count && self->place.steps[count - 1].is_index;
}

int sl_lua_collection_clear(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (is_element(self)) {
        for (uint32_t left = sl_lua_view(L, self).size; left > 0; left--)
            if (!take_last(L, self, left - 1, &st)) return sl_lua_throw(L, &st);
        return 0;
    }
    if (!sl_record_clear(self->owner->realm, &self->place, &st)) return sl_lua_throw(L, &st);
    return 0;
}

int sl_lua_collection_element_type(lua_State *L) {
    sl_view view = sl_lua_view(L, sl_lua_check_place(L, 1));
    const sl_property *property = view.property;
    lua_pushstring(L, property->type == SL_TYPE_MIXED ? "mixed" : sl_type_name(property->type));
    lua_pushlstring(L, property->target.size ? property->target.data : "", property->target.size);
    lua_pushboolean(L, property->embedded);
    return 3;
}

/* Iterator of lists and sets: (collection, position) -> position + 1, value. */
static int next_position(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    lua_Integer position = luaL_checkinteger(L, 2);
    lua_settop(L, 1);
    lua_pushinteger(L, position + 1);
    return sl_lua_push_element(L, self, (uint32_t)position, false) ? 2 : 0;
}

typedef struct key_list {
    lua_State *L;
    int count;
} key_list;

static bool add_key(void *ctx, uint32_t index, sl_str key, const sl_view *view) {
    (void)index;
    (void)view;
    key_list *keys = ctx;
    lua_pushlstring(keys->L, key.size ? key.data : "", key.size);
    lua_rawseti(keys->L, -2, ++keys->count);
    return true;
}

/* Iterator of dictionaries; upvalues: dictionary, keys, position. */
static int next_key(lua_State *L) {
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    for (;;) {
        lua_Integer position = lua_tointeger(L, lua_upvalueindex(3)) + 1;
        lua_pushinteger(L, position);
        lua_replace(L, lua_upvalueindex(3));
        lua_rawgeti(L, lua_upvalueindex(2), (int)position);
        if (lua_isnil(L, -1)) return 0;
        sl_lua_target target;
        sl_status st = SL_STATUS_INIT;
        sl_view view;
        bool found;
        sl_lua_extend_name(L, self, sl_lua_check_str(L, -1), &target);
        if (!sl_realm_get(self->owner->realm, &target.place, &view, &found, &st))
            return sl_lua_throw(L, &st);
        if (found) {
            sl_lua_push_view(L, 1, self->owner, &target.place, &view);
            return 2;
        }
        lua_pop(L, 1);
    }
}

int sl_lua_collection_each(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    if (self->kind != SL_LUA_PLACE_DICT) {
        lua_pushcfunction(L, next_position);
        lua_pushvalue(L, 1);
        lua_pushinteger(L, 0);
        return 3;
    }
    sl_status st = SL_STATUS_INIT;
    key_list keys = {L, 0};
    lua_pushvalue(L, 1);
    lua_newtable(L);
    if (!sl_realm_elements(self->owner->realm, &self->place, add_key, &keys, &st))
        return sl_lua_throw(L, &st);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_key, 3);
    return 1;
}
