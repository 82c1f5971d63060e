/* changeset.c - changesets for Lua: syncline.core.changeset.
 *
 * The tables have the shape of the text form (changeset/json.h): an array of instructions such as
 * {op = "Update", table = "Member", object = {int = 1}, field = "age", path = {}, value = {int =
 * 42}, default = false}. Differences: integers are Lua integers in the forms of lua/value.h (text
 * too when given), floats and doubles numbers except NaN, which stays text; null is syncline.null;
 * a string that is no UTF-8 may be given as it is. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "changeset/json.h"
#include "changeset/print.h"
#include "lua/check.h"
#include "lua/core.h"
#include "lua/value.h"
#include "value/base64.h"
#include "value/number.h"

/* The text form is five levels deep; more cannot be one. */
enum { MAX_DEPTH = 16 };

/* What has to be freed whatever happens; Lua owns it. */
typedef struct work {
    sl_lua_head head;
    sl_changeset cs;
    sl_buf out;
    json_t *json;
} work;

static void work_close(lua_State *L, void *self) {
    (void)L;
    work *w = self;
    sl_changeset_free(&w->cs);
    sl_buf_free(&w->out);
    if (w->json) json_decref(w->json);
}

static const sl_lua_type work_type = {"syncline.core.changeset", sizeof(work), work_close, NULL,
                                      NULL};

static work *new_work(lua_State *L) {
    work *w = sl_lua_new(L, &work_type);
    sl_changeset_init(&w->cs, NULL);
    sl_buf_init(&w->out, NULL);
    return w;
}

static int push_out(lua_State *L, const work *w) {
    lua_pushlstring(L, w->out.size ? w->out.data : "", w->out.size);
    return 1;
}

/* ---- to Lua ---------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names) {
    for (; name && *names; names++) {
        if (strcmp(name, *names) == 0) return true;
    }
    return false;
}

/* Members that hold 64-bit integers, and real numbers, as text. */
static const char *const integers[] = {"int", "s", "hi", "lo", NULL};
static const char *const reals[] = {"double", "float", NULL};

static void push_text(lua_State *L, const char *member, sl_str text) {
    int64_t integer;
    double real;
    if (is_one_of(member, integers) && sl_number_read_i64(text, &integer)) {
        sl_lua_push_int(L, integer);
    } else if (is_one_of(member, reals) && sl_number_read_double(text, &real)) {
        lua_pushnumber(L, real);
    } else if (is_one_of(member, reals) && memchr(text.data, 'i', text.size)) {
        lua_pushnumber(L, text.data[0] == '-' ? -(double)INFINITY : (double)INFINITY);
    } else {
        lua_pushlstring(L, text.data, text.size);
    }
}

static void push_json(lua_State *L, const char *member, const json_t *json) {
    json_t *object = (json_t *)(uintptr_t)json; /* iterating needs it non-const, changes nothing */
    luaL_checkstack(L, 4, "changeset");
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(json));
        for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
            push_json(L, json_object_iter_key(it), json_object_iter_value(it));
            lua_setfield(L, -2, json_object_iter_key(it));
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(json), 0);
        for (size_t i = 0; i < json_array_size(json); i++) {
            push_json(L, NULL, json_array_get(json, i));
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    case JSON_STRING:
        push_text(L, member, sl_str_of(json_string_value(json), json_string_length(json)));
        break;
    case JSON_INTEGER:
        sl_lua_push_int(L, json_integer_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(json));
        break;
    default:
        sl_lua_push_null(L);
        break;
    }
}

/* changeset.parse(bytes [, {raw = boolean}]) -> instructions, or nil, message, code.
 * raw: with InternString pseudo-instructions at their places. */
static int parse(lua_State *L) {
    sl_str bytes = sl_lua_check_str(L, 1);
    bool raw = sl_lua_option_bool(L, 2, "raw", false);
    sl_status st = SL_STATUS_INIT;
    work *w = new_work(L);
    if (!sl_changeset_parse(&w->cs, bytes.data, bytes.size, &st) ||
        !sl_changeset_to_json(&w->cs, raw, &w->out, &st))
        return sl_lua_fail(L, &st);
    w->json = sl_text_parse(w->out.data, w->out.size, &st);
    if (!w->json) return sl_lua_fail(L, &st);
    push_json(L, NULL, w->json);
    return 1;
}

/* ---- from Lua -------------------------------------------------------------------------------- */

/* A JSON value that the caller owns; every failure raises, so nothing may be pending. */
static json_t *new_or_raise(lua_State *L, json_t *json) {
    if (!json) luaL_error(L, "out of memory");
    return json;
}

/* Hands `child` over to `parent` under `name`, or to its end; a parent is always reachable from
 * the work userdata, so that raising frees it. */
static void attach(lua_State *L, json_t *parent, const char *name, json_t *child) {
    int failed =
        name ? json_object_set_new(parent, name, child) : json_array_append_new(parent, child);
    if (failed) luaL_error(L, "a changeset cannot hold this value");
}

static void add_value(lua_State *L, work *w, json_t *parent, const char *name, int index,
                      int depth);

static void add_table(lua_State *L, work *w, json_t *parent, const char *name, int index,
                      int depth) {
    if (depth == 0) luaL_error(L, "tables are nested too deeply for a changeset");
    luaL_checkstack(L, 6, "changeset");
    size_t size = lua_rawlen(L, index);
    lua_pushnil(L);
    bool array = size > 0 || !lua_next(L, index);
    lua_pop(L, size > 0 ? 1 : array ? 0 : 2);
    json_t *json = new_or_raise(L, array ? json_array() : json_object());
    attach(L, parent, name, json);
    for (size_t i = 1; i <= size; i++) {
        lua_rawgeti(L, index, (int)i);
        add_value(L, w, json, NULL, lua_gettop(L), depth - 1);
        lua_pop(L, 1);
    }
    if (array) return;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "an instruction has a member without a name");
        add_value(L, w, json, lua_tostring(L, -2), lua_gettop(L), depth - 1);
        lua_pop(L, 1);
    }
}

static void add_bytes(lua_State *L, work *w, json_t *parent, const char *name, sl_str bytes) {
    json_t *json = json_stringn(bytes.data, bytes.size);
    if (json) {
        attach(L, parent, name, json);
        return;
    }
    /* Not UTF-8: the text form has an object for that. */
    sl_buf_clear(&w->out);
    sl_value_base64_encode(bytes.data, bytes.size, &w->out);
    if (w->out.failed) luaL_error(L, "out of memory");
    json_t *object = new_or_raise(L, json_object());
    attach(L, parent, name, object);
    attach(L, object, "b64", new_or_raise(L, json_stringn(w->out.data, w->out.size)));
}

static void real_text(double value, bool single, sl_buf *out) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    sl_buf_clear(out);
    if (isinf(value)) {
        sl_buf_text(out, value < 0 ? "-inf" : "inf");
    } else if (isnan(value) && single) {
        sl_buf_text(out, "nan:7fc00000");
    } else if (isnan(value)) {
        sl_buf_printf(out, "nan:%016llx", (unsigned long long)bits);
    } else {
        sl_number_put_real(single ? (double)(float)value : value, 17, out);
    }
}

/* True if the value at `index` was written as text into w->out: integers of 64 bits, reals. */
static bool number_text(lua_State *L, work *w, const char *name, int index) {
    int64_t integer;
    if (is_one_of(name, reals) && lua_type(L, index) == LUA_TNUMBER) {
        real_text(lua_tonumber(L, index), strcmp(name, "float") == 0, &w->out);
        return true;
    }
    if (!is_one_of(name, integers) || !sl_lua_to_int(L, index, &integer)) return false;
    sl_buf_clear(&w->out);
    sl_number_put_i64(integer, &w->out);
    return true;
}

static void add_value(lua_State *L, work *w, json_t *parent, const char *name, int index,
                      int depth) {
    int64_t integer;
    size_t size;
    if (number_text(L, w, name, index)) {
        if (w->out.failed) luaL_error(L, "out of memory");
        attach(L, parent, name, new_or_raise(L, json_stringn(w->out.data, w->out.size)));
    } else if (lua_type(L, index) == LUA_TSTRING) {
        const char *text = lua_tolstring(L, index, &size);
        add_bytes(L, w, parent, name, sl_str_of(text, size));
    } else if (lua_istable(L, index)) {
        add_table(L, w, parent, name, index, depth);
    } else if (lua_isboolean(L, index)) {
        attach(L, parent, name, json_boolean(lua_toboolean(L, index)));
    } else if (sl_lua_is_null(L, index)) {
        attach(L, parent, name, json_null());
    } else if (sl_lua_to_int(L, index, &integer)) {
        attach(L, parent, name, new_or_raise(L, json_integer(integer)));
    } else {
        luaL_error(L, "a changeset cannot hold a %s%s%s", luaL_typename(L, index),
                   name ? " in " : "", name ? name : "");
    }
}

/* Encodes what is in w->cs. */
static int push_encoded(lua_State *L, work *w, sl_encoding how) {
    sl_status st = SL_STATUS_INIT;
    sl_buf_clear(&w->out);
    if (!sl_changeset_encode(&w->cs, how, &w->out, &st)) return sl_lua_fail(L, &st);
    return push_out(L, w);
}

/* changeset.encode(instructions [, {upfront = boolean}]) -> bytes. Strings are interned lazily, as
 * a recorder does, or all in front. Raises for what is no changeset. */
static int encode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    bool upfront = sl_lua_option_bool(L, 2, "upfront", false);
    sl_status st = SL_STATUS_INIT;
    lua_settop(L, 1);
    work *w = new_work(L);
    w->json = new_or_raise(L, json_array());
    add_table(L, w, w->json, NULL, 1, MAX_DEPTH);
    if (!sl_changeset_from_json_value(&w->cs, json_array_get(w->json, 0), &st))
        return sl_lua_fail_or_raise(L, &st);
    return push_encoded(L, w, upfront ? SL_ENCODE_UPFRONT : SL_ENCODE_AS_PARSED);
}

/* changeset.from_json(text [, {upfront = boolean}]) -> bytes, or nil, message, code. */
static int from_json(lua_State *L) {
    sl_str text = sl_lua_check_str(L, 1);
    bool upfront = sl_lua_option_bool(L, 2, "upfront", false);
    sl_status st = SL_STATUS_INIT;
    work *w = new_work(L);
    if (!sl_changeset_from_json(&w->cs, text.data, text.size, &st)) return sl_lua_fail(L, &st);
    return push_encoded(L, w, upfront ? SL_ENCODE_UPFRONT : SL_ENCODE_AS_PARSED);
}

/* changeset.print(bytes [, {format = "json" | "text", raw = boolean}]) -> text, or nil, message,
 * code. */
static int print(lua_State *L) {
    sl_str bytes = sl_lua_check_str(L, 1);
    bool raw = sl_lua_option_bool(L, 2, "raw", false);
    sl_str format = sl_lua_option_str(L, 2, "format", "json");
    bool text = sl_str_eq(format, SL_STR("text"));
    if (!text && !sl_str_eq(format, SL_STR("json")))
        return luaL_error(L, "option 'format': \"json\" or \"text\" expected");
    sl_status st = SL_STATUS_INIT;
    work *w = new_work(L);
    if (!sl_changeset_parse(&w->cs, bytes.data, bytes.size, &st)) return sl_lua_fail(L, &st);
    bool ok = text ? sl_changeset_to_text(&w->cs, raw, &w->out, &st)
                   : sl_changeset_to_json(&w->cs, raw, &w->out, &st);
    return ok ? push_out(L, w) : sl_lua_fail(L, &st);
}

int sl_lua_open_changeset(lua_State *L) {
    static const luaL_Reg functions[] = {{"parse", parse},
                                         {"encode", encode},
                                         {"from_json", from_json},
                                         {"print", print},
                                         {NULL, NULL}};
    sl_lua_register(L, &work_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
