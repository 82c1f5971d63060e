/* query.c - queries by value as the Lua half states them:
 *   conditions = { {property=, test=, count=, values={...}}, ... }
 *   orders     = { {property=, descending=}, ... } */
#include "query/query.h"
#include "lua/realm.h"
#include "lua/value.h"

/* What a query needs while it runs, in memory that Lua frees. Strings stay in the tables. */
typedef struct query_box {
    sl_lua_head head;
    sl_arena arena;
    sl_query query;
} query_box;

static void query_close(lua_State *L, void *self) {
    (void)L;
    sl_arena_free(&((query_box *)self)->arena);
}

static const sl_lua_type query_type = {"syncline.core.query", sizeof(query_box), query_close, NULL,
                                       NULL};

static void *take(lua_State *L, query_box *box, size_t count, size_t size) {
    void *memory = sl_arena_zero(&box->arena, count ? count : 1, size);
    if (!memory) luaL_error(L, "not enough memory");
    return memory;
}

/* The type that values of the property are read as. Numbers are told apart by the value, since they
 * compare across types; only text needs to know that a decimal is meant. */
static int type_of(lua_State *L, const sl_class *cls, sl_str property) {
    const sl_property *found = sl_class_find(cls, property);
    int type = found ? found->type : SL_TYPE_MIXED;
    if (cls->has_key && sl_str_eq(cls->key_name, property)) type = cls->key_type;
    bool number = type == SL_TYPE_INT || type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE ||
                  (type == SL_TYPE_DECIMAL && lua_type(L, -1) != LUA_TSTRING);
    return number ? SL_TYPE_MIXED : type;
}

/* Reads the value at the top. */
static void read_value(lua_State *L, const sl_lua_realm *owner, query_box *box, const sl_class *cls,
                       sl_str property, sl_value *value) {
    sl_status st = SL_STATUS_INIT;
    sl_link link;
    int type = type_of(L, cls, property);
    if (!sl_lua_to_stored(L, lua_gettop(L), owner, type, value, &link, &st)) {
        lua_pushlstring(L, property.data, property.size);
        luaL_error(L, "property '%s': %s", lua_tostring(L, -1), st.message);
    }
    if (value->type != SL_TYPE_LINK || value->link != &link) return;
    sl_link *kept = take(L, box, 1, sizeof *kept);
    *kept = link;
    value->link = kept;
}

static void read_condition(lua_State *L, const sl_lua_realm *owner, query_box *box,
                           const sl_class *cls, sl_condition *condition) {
    sl_test test;
    sl_str name = sl_lua_option_str(L, -1, "test", "");
    condition->property = sl_lua_option_str(L, -1, "property", "");
    if (!sl_test_named(name, &test)) luaL_error(L, "there is no test '%s'", name.data);
    condition->test = (uint8_t)test;
    condition->count = (uint32_t)sl_lua_option_int(L, -1, "count", 0, INT32_MAX, 0);
    sl_value *values = take(L, box, condition->count, sizeof *values);
    condition->values = values;
    lua_getfield(L, -1, "values");
    for (uint32_t i = 0; i < condition->count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        read_value(L, owner, box, cls, condition->property, &values[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static uint32_t length(lua_State *L, int index) {
    return lua_istable(L, index) ? (uint32_t)lua_rawlen(L, index) : 0;
}

sl_query *sl_lua_read_query(lua_State *L, const sl_lua_realm *owner) {
    lua_settop(L, 5);
    luaL_checkstack(L, 8, "query");
    sl_str name = sl_lua_check_str(L, 2);
    query_box *box = sl_lua_new(L, &query_type);
    sl_arena_init(&box->arena, NULL);
    sl_query *query = &box->query;
    const sl_class *cls = sl_realm_class(owner->realm, name);
    if (!cls) sl_lua_no_class(L, owner, name);
    query->class_name = name;
    query->condition_count = length(L, 3);
    sl_condition *conditions = take(L, box, query->condition_count, sizeof *conditions);
    query->conditions = conditions;
    for (uint32_t i = 0; i < query->condition_count; i++) {
        lua_rawgeti(L, 3, (int)i + 1);
        read_condition(L, owner, box, cls, &conditions[i]);
        lua_pop(L, 1);
    }
    query->order_count = length(L, 4);
    sl_order *orders = take(L, box, query->order_count, sizeof *orders);
    query->orders = orders;
    for (uint32_t i = 0; i < query->order_count; i++) {
        lua_rawgeti(L, 4, (int)i + 1);
        orders[i].property = sl_lua_option_str(L, -1, "property", "");
        orders[i].descending = sl_lua_option_bool(L, -1, "descending", false);
        lua_pop(L, 1);
    }
    return query;
}

/* realm:query(class, conditions, orders, limit) -> keys of the objects in order */
int sl_lua_realm_query(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    sl_query *query = sl_lua_read_query(L, self);
    query->limit = (uint64_t)sl_lua_opt_int(L, 5, 0, INT32_MAX, 0);
    sl_lua_keys *keys = sl_lua_new_keys(L, 2);
    bool ok = sl_query_run(self->realm, query, sl_lua_add_key, keys, &st);
    if (ok && keys->failed) ok = sl_fail_memory(&st);
    return ok ? 1 : sl_lua_throw(L, &st);
}

/* realm:query_count(class, conditions) -> how many objects fulfil them */
int sl_lua_realm_query_count(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    uint64_t count;
    if (!sl_query_count(self->realm, sl_lua_read_query(L, self), &count, &st))
        return sl_lua_throw(L, &st);
    sl_lua_push_int(L, (int64_t)count);
    return 1;
}

/* realm:query_check(class, conditions, orders): raises for what is wrong with them */
int sl_lua_realm_query_check(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (!sl_query_check(self->realm, sl_lua_read_query(L, self), &st)) return sl_lua_throw(L, &st);
    return 0;
}

void sl_lua_open_query(lua_State *L) {
    sl_lua_register(L, &query_type);
}
