/* live.c - results that are observed: which positions each commit has affected. The user value is a
 * table of what the query borrows, the realm and the filter. */
#include "query/live.h"
#include "lua/realm.h"
#include "lua/value.h"

typedef struct lua_live {
    sl_lua_head head;
    sl_lua_realm *owner;
    sl_live *live;
    lua_State *L; /* while it is updated; the userdata is at 1, the function that asks at 2 */
    const sl_query *query;
    bool raised; /* by the filter; what was raised is at 3 */
} lua_live;

static void live_close(lua_State *L, void *self) {
    (void)L;
    sl_live_free(((lua_live *)self)->live);
}

static const sl_lua_type live_type;

enum { KEPT_REALM = 1, KEPT_FILTER = 5 };

/* (live, key as light userdata) -> what the filter says about the object */
static int ask_protected(lua_State *L) {
    const lua_live *self = lua_touserdata(L, 1);
    const sl_key *key = lua_touserdata(L, 2);
    sl_lua_push_anchor(L, 1);
    lua_rawgeti(L, 3, KEPT_FILTER);
    lua_rawgeti(L, 3, KEPT_REALM);
    sl_lua_push_object(L, 5, self->owner, self->query->class_name, key);
    lua_remove(L, 5);
    lua_call(L, 1, 1);
    lua_pushboolean(L, lua_toboolean(L, -1));
    return 1;
}

static bool ask(void *ctx, const sl_key *key) {
    lua_live *self = ctx;
    lua_State *L = self->L;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, (void *)(uintptr_t)key);
    bool yes = lua_pcall(L, 2, 1, 0) == LUA_OK;
    if (yes) {
        yes = lua_toboolean(L, -1);
    } else if (!self->raised) {
        self->raised = true;
        lua_pushvalue(L, -1);
        lua_replace(L, 3);
    }
    lua_pop(L, 1);
    return yes;
}

/* realm:live(class, conditions, orders, filter) -> live; the tables must not change any more */
int sl_lua_realm_live(lua_State *L) {
    sl_lua_realm *owner = sl_lua_check_realm(L, 1);
    sl_query *query = sl_lua_read_query(L, owner);
    lua_live *self = sl_lua_new(L, &live_type);
    lua_createtable(L, 6, 0);
    for (int i = 1; i <= 6; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    sl_lua_set_anchor(L, -2);
    self->owner = owner;
    self->query = query;
    self->live = sl_live_new(query, lua_isnil(L, 5) ? NULL : ask, self);
    if (!self->live) return luaL_error(L, "not enough memory");
    return 1;
}

static void push_positions(lua_State *L, const size_t *positions, size_t count) {
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushinteger(L, (lua_Integer)positions[i] + 1);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* live:update(replaced) -> what the filter has raised or nil, and if something has changed:
 * deletions, insertions, old_modifications, modifications */
static int live_update(lua_State *L) {
    lua_live *self = sl_lua_check(L, 1, &live_type);
    bool replaced = lua_toboolean(L, 2);
    sl_status st = SL_STATUS_INIT;
    sl_live_change change;
    if (self->owner->head.closed) return luaL_error(L, "the realm of these results is closed");
    if (self->L) return luaL_error(L, "a filter must not write");
    lua_settop(L, 1);
    lua_pushcfunction(L, ask_protected);
    lua_pushnil(L);
    luaL_checkstack(L, 8, "results");
    self->L = L;
    self->raised = false;
    bool ok = sl_live_update(self->live, self->owner->realm, replaced, &change, &st);
    self->L = NULL;
    if (!ok) return sl_lua_throw(L, &st);
    if (!change.deletion_count && !change.insertion_count && !change.modification_count) return 1;
    push_positions(L, change.deletions, change.deletion_count);
    push_positions(L, change.insertions, change.insertion_count);
    push_positions(L, change.old_modifications, change.modification_count);
    push_positions(L, change.modifications, change.modification_count);
    return 5;
}

static const luaL_Reg live_methods[] = {{"update", live_update}, {NULL, NULL}};

static const sl_lua_type live_type = {"syncline.core.live", sizeof(lua_live), live_close,
                                      live_methods, NULL};

void sl_lua_open_live(lua_State *L) {
    sl_lua_register(L, &live_type);
}
