/* object.c - objects as Lua sees them: properties by name, methods beside them. */
#include "lua/realm.h"
#include "lua/value.h"
#include "realm/missing.h"

/* The class of an object proxy; raises if the realm has it no more. */
static const sl_class *class_of(lua_State *L, const sl_lua_place *self) {
    const sl_class *cls = sl_realm_class(self->owner->realm, self->object_class);
    if (!cls) luaL_error(L, "the class of this object was removed");
    return cls;
}

/* The property, or NULL: then *is_key tells whether it is the key property. */
static const sl_property *property_of(const sl_class *cls, sl_str name, bool *is_key) {
    *is_key = cls->has_key && sl_str_eq(cls->key_name, name);
    return *is_key ? NULL : sl_class_find(cls, name);
}

/* The name is argument 2. */
static int no_property(lua_State *L, const sl_class *cls) {
    sl_status st = SL_STATUS_INIT;
    size_t size;
    const char *name = luaL_tolstring(L, 2, &size);
    sl_no_property(cls, sl_str_of(name, size), &st);
    return sl_lua_raise(L, &st);
}

static int is_gone(lua_State *L) {
    return luaL_error(L, "the object does not exist any more (object:is_valid() tells)");
}

/* Pushes the property `name`, nil for null. */
static int push_property(lua_State *L, sl_lua_place *self, sl_str name) {
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    sl_view view;
    bool found;
    sl_lua_extend_name(L, self, name, &target);
    if (!sl_realm_get(self->owner->realm, &target.place, &view, &found, &st))
        return sl_lua_throw(L, &st);
    if (!found) return is_gone(L);
    if (view.kind == SL_NODE_VALUE && view.value.type == SL_TYPE_NULL)
        lua_pushnil(L);
    else
        sl_lua_push_view(L, 1, self->owner, &target.place, &view);
    return 1;
}

static int object_index(lua_State *L) {
    /* A closed realm has no schema to look into, but object:is_valid() must still be callable. */
    const sl_lua_place *raw = sl_lua_test_place(L, 1);
    if (raw && raw->owner->head.closed && sl_lua_push_method(L)) return 1;
    sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    const sl_class *cls = class_of(L, self);
    if (lua_type(L, 2) == LUA_TSTRING) {
        bool is_key;
        sl_str name = sl_lua_check_str(L, 2);
        if (property_of(cls, name, &is_key) || is_key) return push_property(L, self, name);
        if (sl_lua_push_method(L)) return 1;
    }
    return no_property(L, cls);
}

/* object:get(name): as object.name, for properties that are named like a method. */
static int object_get(lua_State *L) {
    sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    return push_property(L, self, sl_lua_check_str(L, 2));
}

/* Writes a plain value or link (argument 3) to the property (argument 2). */
static int set_property(lua_State *L, sl_lua_place *self, const sl_property *property,
                        bool is_default) {
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    sl_value value;
    sl_link link;
    sl_lua_extend_name(L, self, sl_lua_check_str(L, 2), &target);
    if (!sl_lua_to_stored(L, 3, self->owner, property->type, &value, &link, &st))
        return luaL_error(L, "property '%s': %s", lua_tostring(L, 2), st.message);
    if (!sl_record_set(self->owner->realm, &target.place, &value, is_default, &st))
        return sl_lua_throw(L, &st);
    return 0;
}

static int object_newindex(lua_State *L) {
    sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    const sl_class *cls = class_of(L, self);
    if (lua_type(L, 2) != LUA_TSTRING) return no_property(L, cls);
    bool is_key;
    const sl_property *property = property_of(cls, sl_lua_check_str(L, 2), &is_key);
    if (is_key) return luaL_error(L, "the primary key '%s' cannot be changed", lua_tostring(L, 2));
    if (!property) return no_property(L, cls);
    bool whole = property->collection != SL_SINGLE || property->embedded || lua_istable(L, 3);
    const sl_lua_place *from = sl_lua_test_place(L, 3);
    if (from && (from->kind != SL_LUA_PLACE_OBJECT || from->place.property.size)) whole = true;
    if (whole && !(property->embedded && property->collection == SL_SINGLE && sl_lua_is_null(L, 3)))
        return sl_lua_assign(L);
    return set_property(L, self, property, false);
}

/* object:set_default(name, value): a value that comes from the schema's defaults; plain values and
 * links only. */
static int object_set_default(lua_State *L) {
    sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    const sl_class *cls = class_of(L, self);
    bool is_key;
    const sl_property *property = property_of(cls, sl_lua_check_str(L, 2), &is_key);
    if (!property) return no_property(L, cls);
    lua_settop(L, 3);
    return set_property(L, self, property, true);
}

/* object:increment(name [, delta = 1]): adds to an int, so that concurrent increments add up. */
static int object_increment(lua_State *L) {
    sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    int64_t delta = sl_lua_opt_int(L, 3, INT64_MIN, INT64_MAX, 1);
    sl_lua_target target;
    sl_status st = SL_STATUS_INIT;
    sl_lua_extend_name(L, self, sl_lua_check_str(L, 2), &target);
    if (!sl_record_add_integer(self->owner->realm, &target.place, delta, &st))
        return sl_lua_throw(L, &st);
    return 0;
}

/* object:class() -> class name. */
static int object_class(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    lua_pushlstring(L, self->object_class.data, self->object_class.size);
    return 1;
}

/* object:key() -> primary key, or the syncline.globalkey of a class without one; nil if embedded.
 */
static int object_key(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    if (self->place.property.size) return 0;
    sl_lua_push_key(L, &self->place.key);
    return 1;
}

/* object:is_embedded(). */
static int object_is_embedded(lua_State *L) {
    lua_pushboolean(L, sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT)->place.property.size > 0);
    return 1;
}

/* object:names() -> names of the properties in order, the key property first. */
static int object_names(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    const sl_class *cls = class_of(L, self);
    int count = 0;
    lua_newtable(L);
    if (cls->has_key) {
        lua_pushlstring(L, cls->key_name.data, cls->key_name.size);
        lua_rawseti(L, -2, ++count);
    }
    for (uint32_t i = 0; i < cls->property_count; i++) {
        const sl_property *property = &cls->properties[i];
        if (property->erased) continue;
        lua_pushlstring(L, property->name.data, property->name.size);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* ---- links to this object -------------------------------------------------------------------- */

typedef struct collect {
    lua_State *L;
    sl_lua_realm *owner;
    sl_str class_name;
    int count;
} collect;

static bool add_backlink(void *ctx, const sl_key *key, uint32_t count) {
    (void)count;
    collect *to = ctx;
    sl_lua_push_object(to->L, 1, to->owner, to->class_name, key);
    lua_rawseti(to->L, -2, ++to->count);
    return true;
}

/* object:linking_objects(class, property) -> array of the objects whose property links here. */
static int object_linking_objects(lua_State *L) {
    const sl_lua_place *self = sl_lua_check_place_kind(L, 1, SL_LUA_PLACE_OBJECT);
    sl_str origin = sl_lua_check_str(L, 2), property = sl_lua_check_str(L, 3);
    sl_status st = SL_STATUS_INIT;
    collect to = {L, self->owner, origin, 0};
    lua_newtable(L);
    if (!sl_realm_backlinks(self->owner->realm, self->place.class_name, &self->place.key, origin,
                            property, add_backlink, &to, &st))
        return sl_lua_throw(L, &st);
    return 1;
}

void sl_lua_open_object(lua_State *L) {
    static const luaL_Reg metamethods[] = {
        {"__index", object_index}, {"__newindex", object_newindex}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"get", object_get},
                                       {"set_default", object_set_default},
                                       {"make", sl_lua_place_make},
                                       {"increment", object_increment},
                                       {"class", object_class},
                                       {"key", object_key},
                                       {"is_embedded", object_is_embedded},
                                       {"names", object_names},
                                       {"linking_objects", object_linking_objects},
                                       {NULL, NULL}};
    sl_lua_register_place(L, SL_LUA_PLACE_OBJECT, "object", metamethods, methods);
}
