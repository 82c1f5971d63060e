/* predicate.c - queries in the query language:
 *   p = realm:predicate(class, text, args, count)   args[i] is $(i-1): a value, or a table of
 * values p:holds(object)   p:text() as Realm SDKs print it   p:orders() what SORT says */
#include "query/predicate.h"

#include "lua/realm.h"
#include "lua/value.h"

/* Steps of one object: no query that a person writes comes near it. */
enum { STEPS_PER_OBJECT = 10000000 };

/* `version` of the schema that the predicate was bound to: it is parsed again when that changes.
 * Text and arguments lie in `arena`. */
typedef struct predicate_box {
    sl_lua_head head;
    sl_lua_realm *owner;
    sl_arena arena;
    sl_str class_name, text;
    sl_query_argument *args;
    uint32_t arg_count;
    sl_predicate *predicate;
    uint64_t version;
} predicate_box;

static void predicate_close(lua_State *L, void *self) {
    predicate_box *box = self;
    (void)L;
    sl_predicate_free(box->predicate);
    sl_arena_free(&box->arena);
}

static int predicate_holds(lua_State *L);
static int predicate_text(lua_State *L);
static int predicate_orders(lua_State *L);

static const luaL_Reg methods[] = {{"holds", predicate_holds},
                                   {"text", predicate_text},
                                   {"orders", predicate_orders},
                                   {NULL, NULL}};

static const sl_lua_type predicate_type = {"syncline.core.predicate", sizeof(predicate_box),
                                           predicate_close, methods, NULL};

static void *take(lua_State *L, predicate_box *box, size_t count, size_t size) {
    void *memory = sl_arena_zero(&box->arena, count ? count : 1, size);
    if (!memory) luaL_error(L, "not enough memory");
    return memory;
}

static sl_str keep(lua_State *L, predicate_box *box, sl_str s) {
    sl_str copy = sl_arena_str(&box->arena, s);
    if (s.size && !copy.data) luaL_error(L, "not enough memory");
    return copy;
}

/* The value at the top; its bytes are copied. */
static void read_value(lua_State *L, predicate_box *box, int number, sl_value *value) {
    sl_status st = SL_STATUS_INIT;
    sl_link link;
    if (!sl_lua_to_stored(L, lua_gettop(L), box->owner, SL_TYPE_MIXED, value, &link, &st))
        luaL_error(L, "argument $%d: %s", number, st.message);
    if (value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY)
        value->string = keep(L, box, value->string);
    if (value->type != SL_TYPE_LINK) return;
    sl_link *kept = take(L, box, 1, sizeof *kept);
    *kept = *value->link;
    kept->class_name = keep(L, box, kept->class_name);
    if (kept->key.type == SL_TYPE_STRING) kept->key.string = keep(L, box, kept->key.string);
    value->link = kept;
}

static void read_argument(lua_State *L, predicate_box *box, int number, sl_query_argument *arg) {
    arg->list = lua_istable(L, -1);
    arg->count = arg->list ? (uint32_t)lua_rawlen(L, -1) : 1;
    sl_value *values = take(L, box, arg->count, sizeof *values);
    arg->values = values;
    if (!arg->list) {
        read_value(L, box, number, values);
        return;
    }
    for (uint32_t i = 0; i < arg->count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        read_value(L, box, number, &values[i]);
        lua_pop(L, 1);
    }
}

static void parse(lua_State *L, predicate_box *box) {
    sl_status st = SL_STATUS_INIT;
    const sl_realm *realm = box->owner->realm;
    sl_predicate_free(box->predicate);
    box->version = sl_realm_schema_version(realm);
    if (!sl_predicate_parse(sl_realm_schema(realm), box->class_name, box->text, box->args,
                            box->arg_count, NULL, &box->predicate, &st))
        sl_lua_raise(L, &st);
}

/* realm:predicate(class, text, args, count) */
int sl_lua_realm_predicate(lua_State *L) {
    sl_lua_realm *owner = sl_lua_check_realm(L, 1);
    sl_str class_name = sl_lua_check_str(L, 2), text = sl_lua_check_str(L, 3);
    uint32_t count = (uint32_t)sl_lua_opt_int(L, 5, 0, 1000, 0);
    lua_settop(L, 4);
    predicate_box *box = sl_lua_new(L, &predicate_type);
    sl_arena_init(&box->arena, NULL);
    box->owner = owner;
    sl_lua_share_anchor(L, lua_gettop(L), 1);
    box->class_name = keep(L, box, class_name);
    box->text = keep(L, box, text);
    box->args = take(L, box, count, sizeof *box->args);
    box->arg_count = count;
    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(L, 4, (int)i + 1);
        read_argument(L, box, (int)i, &box->args[i]);
        lua_pop(L, 1);
    }
    parse(L, box);
    return 1;
}

static predicate_box *check(lua_State *L) {
    predicate_box *box = sl_lua_check(L, 1, &predicate_type);
    if (box->owner->head.closed) luaL_error(L, "the realm is closed");
    if (box->version != sl_realm_schema_version(box->owner->realm)) parse(L, box);
    return box;
}

static int predicate_holds(lua_State *L) {
    predicate_box *box = check(L);
    sl_lua_place *place = sl_lua_check_place_kind(L, 2, SL_LUA_PLACE_OBJECT);
    sl_status st = SL_STATUS_INIT;
    const sl_object *object;
    uint64_t budget = STEPS_PER_OBJECT;
    bool yes = false;
    sl_realm *realm = box->owner->realm;
    if (!sl_realm_object(realm, place->place.class_name, &place->place.key, &object, &st) ||
        (object && !sl_predicate_holds(box->predicate, realm, object, &budget, &yes, &st)))
        return sl_lua_throw(L, &st);
    lua_pushboolean(L, yes);
    return 1;
}

static int predicate_text(lua_State *L) {
    predicate_box *box = check(L);
    sl_buf out;
    sl_buf_init(&out, NULL);
    if (!sl_predicate_print(box->predicate, &out)) {
        sl_buf_free(&out);
        return luaL_error(L, "not enough memory");
    }
    lua_pushlstring(L, out.data ? out.data : "", out.size);
    sl_buf_free(&out);
    return 1;
}

/* { {property=, descending=}, ... } of SORT by properties of the object itself, or nil and what
 * stands in the way. */
static int predicate_orders(lua_State *L) {
    predicate_box *box = check(L);
    uint32_t count;
    const sl_ordering *orderings = sl_predicate_orderings(box->predicate, &count);
    lua_newtable(L);
    int at = 0;
    /* The last SORT is the one that counts first. */
    for (uint32_t i = count; i-- > 0;) {
        const sl_ordering *o = &orderings[i];
        for (uint32_t k = 0; k < o->count || o->kind != SL_ORDERING_SORT; k++) {
            if (o->kind != SL_ORDERING_SORT || o->paths[k]->count != 1 || o->paths[k]->suffix) {
                lua_pushnil(L);
                lua_pushstring(L, o->kind == SL_ORDERING_LIMIT      ? "LIMIT"
                                  : o->kind == SL_ORDERING_DISTINCT ? "DISTINCT"
                                                                    : "SORT over links");
                return 2;
            }
            lua_newtable(L);
            lua_pushlstring(L, o->paths[k]->steps[0].name.data, o->paths[k]->steps[0].name.size);
            lua_setfield(L, -2, "property");
            lua_pushboolean(L, o->descending[k]);
            lua_setfield(L, -2, "descending");
            lua_rawseti(L, -2, ++at);
        }
    }
    return 1;
}

void sl_lua_open_predicate(lua_State *L) {
    sl_lua_register(L, &predicate_type);
}
