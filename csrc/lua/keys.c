/* keys.c - the keys of some objects of a class: what results remember instead of objects. The user
 * value is a table with the name of the class and the realm; the realm's anchor is the anchor of
 * the objects. */
#include "lua/realm.h"
#include "lua/value.h"

static void keys_close(lua_State *L, void *self) {
    (void)L;
    sl_lua_keys *keys = self;
    sl_delete(NULL, keys->keys);
    sl_arena_free(&keys->arena);
}

static const sl_lua_type keys_type;

sl_lua_keys *sl_lua_new_keys(lua_State *L, int name) {
    sl_lua_keys *keys = sl_lua_new(L, &keys_type);
    sl_arena_init(&keys->arena, NULL);
    keys->owner = sl_lua_check_realm(L, 1);
    keys->class_name = sl_lua_check_str(L, name);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, name);
    lua_rawseti(L, -2, 2);
    sl_lua_set_anchor(L, -2);
    return keys;
}

bool sl_lua_add_key(void *ctx, const sl_key *key) {
    sl_lua_keys *list = ctx;
    list->failed = true; /* unless everything below goes well */
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        sl_key *keys = sl_resize(NULL, list->keys, capacity * sizeof *keys);
        if (!keys) return false;
        list->keys = keys;
        list->capacity = capacity;
    }
    sl_key *copy = &list->keys[list->count];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy->string = sl_arena_str(&list->arena, key->string);
        if (key->string.size && !copy->string.data) return false;
    }
    list->count++;
    list->failed = false;
    return true;
}

static sl_lua_keys *check_keys(lua_State *L, int index) {
    sl_lua_keys *keys = sl_lua_check(L, index, &keys_type);
    if (keys->owner->head.closed) luaL_error(L, "the realm of these results is closed");
    return keys;
}

/* Leaves the realm's userdata on the stack. */
static void push_realm(lua_State *L, int keys) {
    sl_lua_push_anchor(L, keys);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
}

static void push_object(lua_State *L, int realm, const sl_lua_keys *keys, size_t i) {
    sl_lua_push_object(L, realm, keys->owner, keys->class_name, &keys->keys[i]);
}

/* keys:at(position) -> object, or nil beyond the ends */
static int keys_at(lua_State *L) {
    const sl_lua_keys *keys = check_keys(L, 1);
    int64_t position;
    if (!sl_lua_to_int(L, 2, &position) || position < 1 || (uint64_t)position > keys->count)
        return 0;
    push_realm(L, 1);
    push_object(L, lua_gettop(L), keys, (size_t)position - 1);
    return 1;
}

static int keys_count(lua_State *L) {
    sl_lua_push_int(L, (int64_t)check_keys(L, 1)->count);
    return 1;
}

/* keys:objects() -> array of the objects */
static int keys_objects(lua_State *L) {
    const sl_lua_keys *keys = check_keys(L, 1);
    push_realm(L, 1);
    int realm = lua_gettop(L);
    lua_createtable(L, keys->count < INT32_MAX ? (int)keys->count : 0, 0);
    for (size_t i = 0; i < keys->count; i++) {
        push_object(L, realm, keys, i);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* Upvalues: keys, realm, position, whether the position goes before the object. */
static int next_object(lua_State *L) {
    const sl_lua_keys *keys = check_keys(L, lua_upvalueindex(1));
    size_t at = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    bool exists = false, numbered = lua_toboolean(L, lua_upvalueindex(4));
    sl_status st = SL_STATUS_INIT;
    for (; at < keys->count && !exists; at++) {
        if (!sl_realm_exists(keys->owner->realm, keys->class_name, &keys->keys[at], &exists, &st))
            return sl_lua_throw(L, &st);
    }
    lua_pushinteger(L, (lua_Integer)at);
    lua_replace(L, lua_upvalueindex(3));
    if (!exists) return 0;
    if (numbered) lua_pushinteger(L, (lua_Integer)at);
    push_object(L, lua_upvalueindex(2), keys, at - 1);
    return numbered ? 2 : 1;
}

/* keys:each(numbered) -> iterator over the objects that still exist, or over positions and objects
 */
static int keys_each(lua_State *L) {
    check_keys(L, 1);
    bool numbered = lua_toboolean(L, 2);
    lua_pushvalue(L, 1);
    push_realm(L, 1);
    lua_pushinteger(L, 0);
    lua_pushboolean(L, numbered);
    lua_pushcclosure(L, next_object, 4);
    return 1;
}

static const luaL_Reg keys_methods[] = {{"at", keys_at},
                                        {"count", keys_count},
                                        {"objects", keys_objects},
                                        {"each", keys_each},
                                        {NULL, NULL}};

static const sl_lua_type keys_type = {"syncline.core.keys", sizeof(sl_lua_keys), keys_close,
                                      keys_methods, NULL};

void sl_lua_open_keys(lua_State *L) {
    sl_lua_register(L, &keys_type);
}
