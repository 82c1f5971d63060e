/* transform.c - merging changesets for Lua: syncline.core.transform.
 *
 * A side is a list of tables {changeset = bytes, timestamp = ms since 2015-01-01Z, file = ident} in
 * the order of the history (left, the local side) or in the order received (right, the incoming
 * side). */
#include <stdlib.h>

#include "lua/check.h"
#include "lua/core.h"
#include "lua/value.h"
#include "transform/explain.h"

typedef struct side {
    sl_changeset *changesets;
    sl_merge_item *items;
    size_t count;
} side;

/* What has to be freed whatever happens; Lua owns it. */
typedef struct work {
    sl_lua_head head;
    side left, right;
    sl_explanation explanation;
    sl_buf out;
} work;

static void free_side(side *s) {
    for (size_t i = 0; i < s->count; i++)
        sl_changeset_free(&s->changesets[i]);
    sl_delete(NULL, s->changesets);
    sl_delete(NULL, s->items);
    *s = (side){NULL, NULL, 0};
}

static void work_close(lua_State *L, void *self) {
    (void)L;
    work *w = self;
    free_side(&w->left);
    free_side(&w->right);
    sl_explanation_free(&w->explanation);
    sl_buf_free(&w->out);
}

static const sl_lua_type work_type = {"syncline.core.transform", sizeof(work), work_close, NULL,
                                      NULL};

static work *new_work(lua_State *L) {
    work *w = sl_lua_new(L, &work_type);
    sl_explanation_init(&w->explanation, NULL, NULL, NULL);
    sl_buf_init(&w->out, NULL);
    return w;
}

/* ---- arguments ---------------------------------------------------------------------------------
 */

static uint64_t field_number(lua_State *L, int entry, const char *side_name, int number,
                             const char *name, int64_t min) {
    int64_t value = 0;
    lua_getfield(L, entry, name);
    if (!sl_lua_to_int(L, -1, &value) || value < min)
        luaL_error(L, "%s[%d].%s: an integer from %d expected", side_name, number, name, (int)min);
    lua_pop(L, 1);
    return (uint64_t)value;
}

static bool read_entry(lua_State *L, const char *name, int number, sl_changeset *cs,
                       sl_merge_item *item, sl_status *st) {
    int entry = lua_gettop(L);
    size_t size = 0;
    if (!lua_istable(L, entry))
        luaL_error(L, "%s[%d]: a table expected, got %s", name, number, luaL_typename(L, entry));
    lua_getfield(L, entry, "changeset");
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s[%d].changeset: a string expected", name, number);
    const char *bytes = lua_tolstring(L, -1, &size);
    lua_pop(L, 1); /* the entry keeps it */
    item->changeset = cs;
    item->origin_timestamp = field_number(L, entry, name, number, "timestamp", 0);
    item->origin_file = field_number(L, entry, name, number, "file", 1);
    return sl_changeset_parse(cs, bytes, size, st);
}

static bool read_side(lua_State *L, int index, const char *name, side *s, sl_status *st) {
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lua_rawlen(L, index);
    if (count > INT32_MAX / 64) luaL_error(L, "%s: too many changesets", name);
    s->changesets = sl_new_zero(NULL, count + 1, sizeof *s->changesets);
    s->items = sl_new_zero(NULL, count + 1, sizeof *s->items);
    if (!s->changesets || !s->items) return sl_fail_memory(st);
    for (size_t i = 0; i < count; i++) {
        sl_changeset_init(&s->changesets[i], NULL);
        s->count = i + 1;
        lua_rawgeti(L, index, (int)i + 1);
        if (!read_entry(L, name, (int)i + 1, &s->changesets[i], &s->items[i], st)) return false;
        lua_pop(L, 1);
    }
    return true;
}

static sl_set_erase_policy policy_of(lua_State *L, int index) {
    sl_str name = sl_lua_option_str(L, index, "set_erase", "both");
    if (sl_str_eq(name, SL_STR("content"))) return SL_SET_ERASE_CONTENT;
    if (sl_str_eq(name, SL_STR("literal"))) return SL_SET_ERASE_LITERAL;
    if (!sl_str_eq(name, SL_STR("both")))
        luaL_error(L, "option 'set_erase': \"both\", \"content\" or \"literal\" expected");
    return SL_SET_ERASE_BOTH;
}

/* ---- results -----------------------------------------------------------------------------------
 */

static bool push_side(lua_State *L, work *w, const side *s, sl_status *st) {
    lua_createtable(L, (int)s->count, 0);
    for (size_t i = 0; i < s->count; i++) {
        sl_buf_clear(&w->out);
        if (!sl_changeset_encode(&s->changesets[i], SL_ENCODE_UPFRONT, &w->out, st)) return false;
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, w->out.size ? w->out.data : "", w->out.size);
        lua_setfield(L, -2, "changeset");
        lua_pushboolean(L, s->items[i].modified);
        lua_setfield(L, -2, "modified");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return true;
}

static void set_text(lua_State *L, const char *name, sl_str text) {
    lua_pushlstring(L, text.size ? text.data : "", text.size);
    lua_setfield(L, -2, name);
}

static void set_number(lua_State *L, const char *name, uint64_t number) {
    sl_lua_push_int(L, (int64_t)number);
    lua_setfield(L, -2, name);
}

static void push_record(lua_State *L, const sl_merge_record *r) {
    lua_createtable(L, 0, 14);
    set_text(L, "rule", sl_str_c(r->rule));
    set_text(L, "side", r->local ? SL_STR("left") : SL_STR("right"));
    set_text(L, "action",
             r->dropped ? SL_STR("dropped")
             : r->added ? SL_STR("added")
                        : SL_STR("changed"));
    set_number(L, "changeset", r->item + 1);
    set_number(L, "against", r->other_item + 1);
    set_number(L, "timestamp", r->timestamp);
    set_number(L, "file", r->file);
    set_number(L, "other_timestamp", r->other_timestamp);
    set_number(L, "other_file", r->other_file);
    if (!r->added) set_text(L, "before", r->before);
    if (!r->dropped) set_text(L, "after", r->after);
    set_text(L, "other", r->other);
    set_text(L, "why", sl_str_c(r->why));
    lua_pushboolean(L, r->by_age);
    lua_setfield(L, -2, "by_age");
}

static bool push_explanation(lua_State *L, work *w, sl_status *st) {
    lua_createtable(L, (int)w->explanation.count, 0);
    for (uint32_t i = 0; i < w->explanation.count; i++) {
        push_record(L, &w->explanation.records[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "events");
    sl_buf_clear(&w->out);
    if (!sl_explanation_text(&w->explanation, &w->out, st)) return false;
    set_text(L, "text", sl_str_of(w->out.data, w->out.size));
    return true;
}

static int run(lua_State *L, bool explain) {
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.set_erase = policy_of(L, 3),
                                .no_index = !sl_lua_option_bool(L, 3, "index", true)};
    lua_settop(L, 2);
    work *w = new_work(L);
    if (!read_side(L, 1, "left", &w->left, &st) || !read_side(L, 2, "right", &w->right, &st))
        return sl_lua_fail(L, &st);
    sl_explanation_init(&w->explanation, NULL, w->left.items, w->right.items);
    if (explain) {
        options.explain = sl_explanation_event;
        options.explain_ctx = &w->explanation;
    }
    if (!sl_transform(w->left.items, w->left.count, w->right.items, w->right.count, &options, &st))
        return sl_lua_fail(L, &st);
    lua_createtable(L, 0, 4);
    if (!push_side(L, w, &w->left, &st)) return sl_lua_fail(L, &st);
    lua_setfield(L, -2, "left");
    if (!push_side(L, w, &w->right, &st)) return sl_lua_fail(L, &st);
    lua_setfield(L, -2, "right");
    if (explain && !push_explanation(L, w, &st)) return sl_lua_fail(L, &st);
    return 1;
}

/* transform.merge(left, right [, {set_erase = text, index = boolean}])
 * -> {left = {{changeset =, modified =}, ...}, right = ...}, or nil, message, code. */
static int merge(lua_State *L) {
    return run(L, false);
}

/* transform.explain(left, right [, options]) -> as merge, and events = {...}, text = text. */
static int explain(lua_State *L) {
    return run(L, true);
}

int sl_lua_open_transform(lua_State *L) {
    static const luaL_Reg functions[] = {{"merge", merge}, {"explain", explain}, {NULL, NULL}};
    sl_lua_register(L, &work_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
