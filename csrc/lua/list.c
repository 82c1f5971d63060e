/* list.c - lists: positions from 1, as in Lua's tables. */
#include "lua/collections.h"
#include "lua/value.h"

static sl_lua_place *check_list(lua_State *L) {
    return sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_LIST);
}

/* A position argument 1 .. size (or size + 1 when `appending`), from 0. */
static uint32_t check_position(lua_State *L, int index, uint32_t size, bool appending) {
    int64_t position = sl_lua_check_int(L, index, INT64_MIN, INT64_MAX);
    if (position < 1 || position > (int64_t)size + (appending ? 1 : 0))
        luaL_error(L, "there is no position %s: the list has %d element%s",
                   luaL_tolstring(L, index, NULL), (int)size, size == 1 ? "" : "s");
    return (uint32_t)(position - 1);
}

static int list_index(lua_State *L) {
    if (sl_lua_push_method(L)) return 1;
    const sl_lua_place *self = check_list(L);
    int64_t position;
    if (lua_type(L, 2) == LUA_TSTRING) return sl_lua_no_method(L, "a list");
    if (!sl_lua_to_int(L, 2, &position) || position < 1 || position > UINT32_MAX) return 0;
    return sl_lua_push_element(L, self, (uint32_t)(position - 1), false);
}

static int insert_at(lua_State *L, const sl_lua_place *self, const sl_view *view, uint32_t index,
                     int value_index) {
    sl_value value;
    sl_link link;
    sl_status st = SL_STATUS_INIT;
    if (!sl_lua_element(L, value_index, self, view, &value, &link)) {
        lua_getfield(L, lua_upvalueindex(1), "__insert");
        lua_pushvalue(L, 1);
        lua_pushinteger(L, (lua_Integer)index + 1);
        lua_pushvalue(L, value_index);
        lua_call(L, 3, 0);
        return 0;
    }
    if (!sl_record_list_insert(self->owner->realm, &self->place, index, &value, &st))
        return sl_lua_throw(L, &st);
    return 0;
}

/* list[position] = value; position size + 1 appends. */
static int list_newindex(lua_State *L) {
    const sl_lua_place *self = check_list(L);
    sl_view view = sl_lua_view(L, self);
    uint32_t index = check_position(L, 2, view.size, true);
    if (index == view.size) return insert_at(L, self, &view, index, 3);
    sl_lua_target target;
    sl_value value;
    sl_link link;
    sl_status st = SL_STATUS_INIT;
    if (!sl_lua_element(L, 3, self, &view, &value, &link)) return sl_lua_assign(L);
    sl_lua_extend_index(L, self, index, &target);
    if (!sl_record_set(self->owner->realm, &target.place, &value, false, &st))
        return sl_lua_throw(L, &st);
    return 0;
}

/* list:insert([position,] value): before `position`; at the end without. */
static int list_insert(lua_State *L) {
    const sl_lua_place *self = check_list(L);
    sl_view view = sl_lua_view(L, self);
    bool at_end = lua_gettop(L) < 3;
    luaL_checkany(L, 2);
    uint32_t index = at_end ? view.size : check_position(L, 2, view.size, true);
    return insert_at(L, self, &view, index, at_end ? 2 : 3);
}

/* list:insert_new(position, "object" | "list" | "dictionary"): a new embedded object or nested
 * collection; returns its proxy. */
static int list_insert_new(lua_State *L) {
    static const char *const kinds[] = {"object", "list", "dictionary", NULL};
    static const int8_t types[] = {SL_TYPE_OBJECT, SL_TYPE_LIST, SL_TYPE_DICTIONARY};
    const sl_lua_place *self = check_list(L);
    uint32_t index = check_position(L, 2, sl_lua_view(L, self).size, true);
    sl_value value = {.type = types[luaL_checkoption(L, 3, NULL, kinds)]};
    sl_status st = SL_STATUS_INIT;
    if (!sl_record_list_insert(self->owner->realm, &self->place, index, &value, &st))
        return sl_lua_throw(L, &st);
    return sl_lua_push_element(L, self, index, false);
}

/* list:remove([position]) -> the value that was there; the last element without. */
static int list_remove(lua_State *L) {
    const sl_lua_place *self = check_list(L);
    uint32_t size = sl_lua_view(L, self).size;
    sl_status st = SL_STATUS_INIT;
    if (lua_isnoneornil(L, 2) && size == 0) return 0;
    uint32_t index = lua_isnoneornil(L, 2) ? size - 1 : check_position(L, 2, size, false);
    int results = sl_lua_push_element(L, self, index, false);
    if (!sl_record_list_erase(self->owner->realm, &self->place, index, &st))
        return sl_lua_throw(L, &st);
    const sl_lua_place *removed = sl_lua_test_place(L, -1);
    /* What was embedded has gone with its place. */
    if (removed && removed->place.property.size) return 0;
    return results;
}

/* list:move(from, to), list:swap(a, b) */
static int list_reorder(lua_State *L, bool (*reorder)(sl_realm *, const sl_place *, uint32_t,
                                                      uint32_t, sl_status *)) {
    const sl_lua_place *self = check_list(L);
    uint32_t size = sl_lua_view(L, self).size;
    uint32_t a = check_position(L, 2, size, false), b = check_position(L, 3, size, false);
    sl_status st = SL_STATUS_INIT;
    if (!reorder(self->owner->realm, &self->place, a, b, &st)) return sl_lua_throw(L, &st);
    return 0;
}

static int list_move(lua_State *L) {
    return list_reorder(L, sl_record_list_move);
}
static int list_swap(lua_State *L) {
    return list_reorder(L, sl_record_list_swap);
}

void sl_lua_open_list(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__index", list_index},
                                           {"__newindex", list_newindex},
                                           {"__len", sl_lua_collection_count},
                                           {"__pairs", sl_lua_collection_each},
                                           {NULL, NULL}};
    static const luaL_Reg methods[] = {{"insert", list_insert},
                                       {"insert_new", list_insert_new},
                                       {"remove", list_remove},
                                       {"move", list_move},
                                       {"swap", list_swap},
                                       {"make", sl_lua_place_make},
                                       {"clear", sl_lua_collection_clear},
                                       {"aggregate", sl_lua_collection_aggregate},
                                       {"count", sl_lua_collection_count},
                                       {"element_type", sl_lua_collection_element_type},
                                       {"each", sl_lua_collection_each},
                                       {NULL, NULL}};
    sl_lua_register_place(L, SL_LUA_PLACE_LIST, "list", metamethods, methods);
}
