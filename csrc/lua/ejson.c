/* ejson.c - Extended JSON between text and Lua values (value/ejson.h says what it looks like). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/check.h"
#include "lua/core.h"
#include "lua/value.h"
#include "value/ejson.h"

enum { MAX_DEPTH = 200 };

/* What both directions need to be freed, whatever happens; Lua owns it. */
typedef struct ejson_work {
    sl_lua_head head;
    sl_arena arena;
    sl_buf text;
    json_t *json;
} ejson_work;

static void work_close(lua_State *L, void *self) {
    (void)L;
    ejson_work *work = self;
    sl_arena_free(&work->arena);
    sl_buf_free(&work->text);
    if (work->json) json_decref(work->json);
}

static const sl_lua_type work_type = {"syncline.core.ejson", sizeof(ejson_work), work_close, NULL,
                                      NULL};

static ejson_work *new_work(lua_State *L) {
    ejson_work *work = sl_lua_new(L, &work_type);
    sl_arena_init(&work->arena, NULL);
    sl_buf_init(&work->text, NULL);
    return work;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Stack indices of decode: 2 and 3 are the metatables of lists and dictionaries. */
static bool push_decoded(lua_State *L, ejson_work *work, const json_t *json, sl_status *st);

static bool push_list(lua_State *L, ejson_work *work, const json_t *json, sl_status *st) {
    size_t size = json_array_size(json);
    lua_createtable(L, (int)size, 0);
    for (size_t i = 0; i < size; i++) {
        if (!push_decoded(L, work, json_array_get(json, i), st)) return false;
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_pushvalue(L, 2);
    lua_setmetatable(L, -2);
    return true;
}

static bool push_dictionary(lua_State *L, ejson_work *work, const json_t *json, sl_status *st) {
    json_t *object = (json_t *)(uintptr_t)json; /* iterating needs it non-const, changes nothing */
    lua_createtable(L, 0, (int)json_object_size(json));
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        sl_str name;
        if (!sl_ejson_read_name(json_object_iter_key(it), &work->arena, &name, st)) return false;
        lua_pushlstring(L, name.size ? name.data : "", name.size);
        if (!push_decoded(L, work, json_object_iter_value(it), st)) return false;
        lua_rawset(L, -3);
    }
    lua_pushvalue(L, 3);
    lua_setmetatable(L, -2);
    return true;
}

static bool push_decoded(lua_State *L, ejson_work *work, const json_t *json, sl_status *st) {
    luaL_checkstack(L, 6, "Extended JSON is nested too deeply");
    if (!sl_ejson_is_scalar(json)) {
        return json_is_array(json) ? push_list(L, work, json, st)
                                   : push_dictionary(L, work, json, st);
    }
    sl_value value;
    if (!sl_ejson_read_value(json, &work->arena, &value, st)) return false;
    sl_lua_push_value(L, &value, false);
    return true;
}

/* ejson.decode(text, list_metatable, dictionary_metatable) -> value, or nil, message, code */
static int decode(lua_State *L) {
    sl_str text = sl_lua_check_str(L, 1);
    sl_status st = SL_STATUS_INIT;
    lua_settop(L, 3);
    ejson_work *work = new_work(L);
    work->json = sl_ejson_parse(text.data, text.size, &st);
    if (!work->json || !push_decoded(L, work, work->json, &st)) return sl_lua_fail(L, &st);
    return 1;
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct encoder {
    sl_ejson out;
    bool relaxed; /* plain numbers where the reader gets the same value back */
    int depth;
} encoder;

static void encode_value(lua_State *L, encoder *to, int index);

static void raw_number(encoder *to, const char *text) {
    if (to->out.comma) sl_buf_byte(to->out.out, ',');
    sl_buf_text(to->out.out, text);
    to->out.comma = true;
}

static void encode_scalar(encoder *to, const sl_value *value) {
    char text[40];
    if (to->relaxed && value->type == SL_TYPE_INT) {
        snprintf(text, sizeof text, "%lld", (long long)value->integer);
        raw_number(to, text);
    } else if (to->relaxed && value->type == SL_TYPE_DOUBLE && isfinite(value->real)) {
        snprintf(text, sizeof text, "%.17g", value->real);
        if (!strpbrk(text, ".e")) strcat(text, ".0");
        raw_number(to, text);
    } else {
        sl_ejson_value(&to->out, value);
    }
}

static bool is_list(lua_State *L, int index) {
    if (luaL_getmetafield(L, index, "__ejson")) {
        bool list = strcmp(luaL_checkstring(L, -1), "list") == 0;
        lua_pop(L, 1);
        return list;
    }
    lua_pushnil(L);
    if (!lua_next(L, index)) return true;
    lua_pop(L, 2);
    return lua_rawlen(L, index) > 0;
}

static void encode_member(lua_State *L, encoder *to, int table, int name) {
    size_t size;
    const char *text = lua_tolstring(L, name, &size);
    sl_ejson_name(&to->out, sl_str_of(text, size));
    lua_pushvalue(L, name);
    lua_gettable(L, table);
    encode_value(L, to, lua_gettop(L));
    lua_pop(L, 1);
}

/* Members in byte order: the same table gives the same text. */
static void encode_members(lua_State *L, encoder *to, int table) {
    int count = 0;
    lua_newtable(L);
    int names = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, table)) {
        if (lua_type(L, -2) != LUA_TSTRING) luaL_error(L, "keys of a dictionary must be strings");
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, names, ++count);
    }
    lua_getglobal(L, "table");
    lua_getfield(L, -1, "sort");
    lua_pushvalue(L, names);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, names, i);
        encode_member(L, to, table, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void encode_table(lua_State *L, encoder *to, int index) {
    if (++to->depth > MAX_DEPTH) luaL_error(L, "tables are nested too deeply");
    luaL_checkstack(L, 12, "Extended JSON");
    if (is_list(L, index)) {
        size_t size = lua_rawlen(L, index);
        sl_ejson_begin_array(&to->out);
        for (size_t i = 1; i <= size; i++) {
            lua_rawgeti(L, index, (int)i);
            encode_value(L, to, lua_gettop(L));
            lua_pop(L, 1);
        }
        sl_ejson_end_array(&to->out);
    } else {
        sl_ejson_begin_object(&to->out);
        encode_members(L, to, index);
        sl_ejson_end_object(&to->out);
    }
    to->depth--;
}

static void encode_value(lua_State *L, encoder *to, int index) {
    sl_value value;
    sl_status st = SL_STATUS_INIT;
    if (lua_istable(L, index)) {
        encode_table(L, to, index);
    } else if (sl_lua_to_value(L, index, SL_TYPE_MIXED, &value, &st)) {
        encode_scalar(to, &value);
    } else {
        luaL_error(L, "%s", st.message);
    }
}

/* ejson.encode(value [, "relaxed" | "canonical" [, names]]) -> text. `names`: the members of a
 * top-level table in this order; those that are nil are left out. */
static int encode(lua_State *L) {
    static const char *const forms[] = {"canonical", "relaxed", NULL};
    luaL_checkany(L, 1);
    bool relaxed = luaL_checkoption(L, 2, "canonical", forms) == 1;
    lua_settop(L, 3);
    ejson_work *work = new_work(L);
    encoder to = {.out = {.out = &work->text}, .relaxed = relaxed};
    if (lua_istable(L, 3)) {
        sl_ejson_begin_object(&to.out);
        for (int i = 1, count = (int)lua_rawlen(L, 3); i <= count; i++) {
            lua_rawgeti(L, 3, i);
            luaL_checktype(L, -1, LUA_TSTRING);
            lua_pushvalue(L, -1);
            lua_gettable(L, 1);
            bool there = !lua_isnil(L, -1);
            lua_pop(L, 1);
            if (there) encode_member(L, &to, 1, lua_gettop(L));
            lua_pop(L, 1);
        }
        sl_ejson_end_object(&to.out);
    } else {
        encode_value(L, &to, 1);
    }
    if (work->text.failed) return luaL_error(L, "out of memory");
    lua_pushlstring(L, work->text.data, work->text.size);
    return 1;
}

int sl_lua_open_ejson(lua_State *L) {
    static const luaL_Reg functions[] = {{"decode", decode}, {"encode", encode}, {NULL, NULL}};
    sl_lua_register(L, &work_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
