/* aggregate.c - sums and the like. All functions here return: how many values counted, their sum
 * (false: there is none, because the values are not summed; nil: it does not fit into an int),
 * average, least, greatest (nil each, if there is none). */
#include "query/aggregate.h"
#include "lua/collections.h"
#include "lua/value.h"

static void push_value(lua_State *L, const sl_value *value, bool typed) {
    if (value->type == SL_TYPE_NULL)
        lua_pushnil(L);
    else
        sl_lua_push_value(L, value, typed);
}

static void push_sum(lua_State *L, const sl_aggregate *aggregate) {
    int64_t sum;
    if (aggregate->decimals || (aggregate->count && !aggregate->summed))
        lua_pushboolean(L, 0);
    else if (!aggregate->whole)
        lua_pushnumber(L, sl_aggregate_real(aggregate));
    else if (sl_aggregate_whole(aggregate, &sum))
        sl_lua_push_int(L, sum);
    else
        lua_pushnil(L);
}

static int push_all(lua_State *L, const sl_aggregate *aggregate, bool typed) {
    luaL_checkstack(L, 6, "an aggregate");
    sl_lua_push_int(L, (int64_t)aggregate->count);
    push_sum(L, aggregate);
    if (aggregate->summed && !aggregate->decimals)
        lua_pushnumber(L, sl_aggregate_real(aggregate) / (double)aggregate->summed);
    else
        lua_pushnil(L);
    push_value(L, &aggregate->least, typed);
    push_value(L, &aggregate->greatest, typed);
    return 5;
}

static bool is_typed(const sl_class *cls, sl_str name) {
    const sl_property *property = sl_class_find(cls, name);
    return !property || property->type != SL_TYPE_MIXED;
}

/* realm:aggregate(class, conditions, nil, property): of all objects that fulfil the conditions */
int sl_lua_realm_aggregate(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_query *query = sl_lua_read_query(L, self);
    sl_str property = sl_lua_check_str(L, 5);
    sl_status st = SL_STATUS_INIT;
    sl_aggregate aggregate;
    if (!sl_query_aggregate(self->realm, query, property, &aggregate, &st))
        return sl_lua_throw(L, &st);
    return push_all(L, &aggregate,
                    is_typed(sl_realm_class(self->realm, query->class_name), property));
}

/* realm:aggregate_objects(class, objects, property): of the objects of that class in an array */
int sl_lua_realm_aggregate_objects(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_str class_name = sl_lua_check_str(L, 2), property = sl_lua_check_str(L, 4);
    const sl_class *cls = sl_realm_class(self->realm, class_name);
    sl_status st = SL_STATUS_INIT;
    sl_aggregate aggregate;
    if (!cls) return sl_lua_no_class(L, self, class_name);
    if (!sl_aggregate_check(cls, property, &st)) return sl_lua_throw(L, &st);
    sl_aggregate_init(&aggregate);
    luaL_checktype(L, 3, LUA_TTABLE);
    for (size_t i = 1; i <= lua_rawlen(L, 3); i++) {
        lua_rawgeti(L, 3, (int)i);
        sl_lua_place *object = sl_lua_check_place_kind(L, -1, SL_LUA_PLACE_OBJECT);
        sl_lua_target target;
        sl_view view;
        bool found;
        sl_lua_extend_name(L, object, property, &target);
        if (!sl_realm_get(self->realm, &target.place, &view, &found, &st))
            return sl_lua_throw(L, &st);
        if (found && view.kind == SL_NODE_VALUE) sl_aggregate_add(&aggregate, &view.value);
        lua_pop(L, 1);
    }
    return push_all(L, &aggregate, is_typed(cls, property));
}

static bool add_element(void *ctx, uint32_t index, sl_str key, const sl_view *view) {
    (void)index;
    (void)key;
    if (view->kind == SL_NODE_VALUE) sl_aggregate_add(ctx, &view->value);
    return true;
}

int sl_lua_collection_aggregate(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place(L, 1);
    const sl_property *property = sl_lua_view(L, self).property;
    sl_status st = SL_STATUS_INIT;
    sl_aggregate aggregate;
    sl_aggregate_init(&aggregate);
    if (!sl_realm_elements(self->owner->realm, &self->place, add_element, &aggregate, &st))
        return sl_lua_throw(L, &st);
    return push_all(L, &aggregate, property && property->type != SL_TYPE_MIXED);
}
