/* schema.c - schema definitions between Lua tables and the core. The tables are the normalised form
 * that syncline.schema makes:
 *   { {name=, kind="toplevel"|"embedded"|"asymmetric", key={name=, type=, nullable=} or nil,
 *      properties={ {name=, type=, collection="single"|"list"|"set"|"dictionary", nullable=,
 *                    target= or nil, indexed= or nil}, ... }}, ... } */
#include "lua/realm.h"

static const char *const kind_names[] = {"toplevel", "embedded", "asymmetric", NULL};

/* Copies a string field of the table at the top into `arena`. */
static bool field_str(lua_State *L, sl_arena *arena, const char *name, bool required, sl_str *out) {
    sl_str text = sl_lua_option_str(L, -1, name, "");
    if (required && text.size == 0) luaL_error(L, "schema: '%s' is missing or empty", name);
    *out = sl_arena_str(arena, text);
    return out->data || out->size == 0;
}

static int8_t field_type(lua_State *L) {
    int type;
    sl_str name = sl_lua_option_str(L, -1, "type", "");
    if (!sl_type_from_name(name, &type)) luaL_error(L, "schema: unknown type '%s'", name.data);
    return (int8_t)type;
}

static bool read_property(lua_State *L, sl_arena *arena, sl_property *out) {
    sl_collection collection = SL_SINGLE;
    if (!field_str(L, arena, "name", true, &out->name)) return false;
    if (!field_str(L, arena, "target", false, &out->target)) return false;
    sl_str name = sl_lua_option_str(L, -1, "collection", "single");
    if (!sl_collection_from_name(name, &collection))
        luaL_error(L, "schema: unknown collection '%s'", name.data);
    out->type = field_type(L);
    out->collection = (uint8_t)collection;
    out->nullable = sl_lua_option_bool(L, -1, "nullable", false);
    out->indexed = sl_lua_option_bool(L, -1, "indexed", false);
    return true;
}

static bool read_key(lua_State *L, sl_arena *arena, sl_class *out) {
    lua_getfield(L, -1, "key");
    out->has_key = lua_istable(L, -1);
    out->key_type = SL_TYPE_GLOBALKEY;
    bool ok = true;
    if (out->has_key) {
        ok = field_str(L, arena, "name", true, &out->key_name);
        out->key_type = field_type(L);
        out->key_nullable = sl_lua_option_bool(L, -1, "nullable", false);
    }
    lua_pop(L, 1);
    return ok;
}

static bool read_class(lua_State *L, sl_arena *arena, sl_class *out) {
    *out = (sl_class){.kind = SL_TABLE_TOPLEVEL};
    if (!field_str(L, arena, "name", true, &out->name)) return false;
    sl_str kind = sl_lua_option_str(L, -1, "kind", "toplevel");
    while (strcmp(kind_names[out->kind], kind.data) != 0)
        if (!kind_names[++out->kind]) luaL_error(L, "schema: unknown kind '%s'", kind.data);
    if (!read_key(L, arena, out)) return false;
    lua_getfield(L, -1, "properties");
    luaL_argcheck(L, lua_istable(L, -1), 1, "schema: 'properties' must be a table");
    size_t count = lua_rawlen(L, -1);
    luaL_argcheck(L, count <= SL_MAX_PROPERTIES, 1, "schema: too many properties");
    out->property_count = (uint32_t)count;
    out->properties = sl_arena_zero(arena, count, sizeof *out->properties);
    bool ok = out->properties != NULL;
    for (uint32_t i = 0; ok && i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        out->properties[i].index = i;
        ok = read_property(L, arena, &out->properties[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return ok;
}

bool sl_lua_to_schema(lua_State *L, int index, sl_arena *arena, sl_schema_definition *out) {
    luaL_checktype(L, index, LUA_TTABLE);
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "schema");
    size_t count = lua_rawlen(L, index);
    luaL_argcheck(L, count <= UINT32_MAX, index, "too many classes");
    sl_class *classes = sl_arena_zero(arena, count, sizeof *classes);
    bool ok = classes != NULL;
    for (uint32_t i = 0; ok && i < count; i++) {
        lua_rawgeti(L, index, (int)i + 1);
        luaL_argcheck(L, lua_istable(L, -1), index, "schema: a class must be a table");
        ok = read_class(L, arena, &classes[i]);
        lua_pop(L, 1);
    }
    *out = (sl_schema_definition){classes, (uint32_t)count};
    return ok;
}

/* ---- to Lua ---------------------------------------------------------------------------------- */

static void set_str(lua_State *L, const char *name, sl_str value) {
    lua_pushlstring(L, value.data ? value.data : "", value.size);
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* Column type 0 shares its number with null. */
static const char *column_type(int8_t type) {
    return type == SL_TYPE_MIXED ? "mixed" : sl_type_name(type);
}

static void push_property(lua_State *L, const sl_property *property) {
    lua_createtable(L, 0, 5);
    set_str(L, "name", property->name);
    set_text(L, "type", column_type(property->type));
    set_text(L, "collection", sl_collection_name((sl_collection)property->collection));
    set_bool(L, "nullable", property->nullable);
    if (property->target.size) set_str(L, "target", property->target);
    if (property->indexed) set_bool(L, "indexed", true);
}

static void push_class(lua_State *L, const sl_class *cls) {
    lua_createtable(L, 0, 4);
    set_str(L, "name", cls->name);
    set_text(L, "kind", kind_names[cls->kind]);
    if (cls->has_key) {
        lua_createtable(L, 0, 3);
        set_str(L, "name", cls->key_name);
        set_text(L, "type", column_type(cls->key_type));
        set_bool(L, "nullable", cls->key_nullable);
        lua_setfield(L, -2, "key");
    }
    lua_newtable(L);
    int count = 0;
    for (uint32_t i = 0; i < cls->property_count; i++) {
        if (cls->properties[i].erased) continue;
        push_property(L, &cls->properties[i]);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "properties");
}

void sl_lua_push_schema(lua_State *L, const sl_schema *schema) {
    luaL_checkstack(L, 8, "schema");
    lua_createtable(L, (int)schema->count, 0);
    for (uint32_t i = 0; i < schema->count; i++) {
        push_class(L, schema->classes[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}
