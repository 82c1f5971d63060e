/* realm.h - the userdata syncline.core.realm: one open realm file with its history, and the
 * addresses (places) that Lua holds into it.
 *
 * Anchoring: every userdata made from a realm has the realm's anchor table as its user value, and
 * the anchor's element 1 is the realm userdata. So a realm lives as long as anything points into
 * it, and the raw `owner` pointers below stay valid. */
#ifndef SL_LUA_REALM_H
#define SL_LUA_REALM_H

#include "history/client_history.h"
#include "lua/check.h"
#include "query/query.h"
#include "realm/place.h"
#include "realm/read.h"
#include "realm/realm.h"
#include "realm/record.h"
#include "store/store.h"

/* `generation` rises whenever the set of objects may have changed; caches of keys compare it. After
 * close all pointers are NULL. While the realm is synchronised the client (client.c) keeps its
 * session in `session` and sets `detach`, which the close calls first: it ends the session so that
 * nothing uses the history any more. */
typedef struct sl_lua_realm sl_lua_realm;
struct sl_lua_realm {
    sl_lua_head head;
    sl_store *store;
    sl_realm *realm;
    sl_client_history *history;
    uint64_t generation;
    bool read_only;
    bool on_disk; /* the store is one of SQLite's */
    void *session;
    void (*detach)(sl_lua_realm *realm);
};

extern const sl_lua_type sl_lua_realm_type;

/* Pushes a realm over parts that somebody else owns, or will fill in. `detach` (and `session`, its
 * business) must take parts that are not the realm's own out of it again. */
sl_lua_realm *sl_lua_push_realm(lua_State *L, sl_store *store, sl_realm *realm,
                                sl_client_history *history);
/* The open realm at `index`; raises otherwise. */
sl_lua_realm *sl_lua_check_realm(lua_State *L, int index);
/* Closes the parts of an open realm over the file at `path`, puts the state that was received for
 * it in its place, and opens the parts again. On failure the realm is closed. */
bool sl_lua_realm_install(sl_lua_realm *realm, const char *path, bool fast_commits, sl_status *st);
/* After the history changed the realm from outside Lua's writes (integration of a download, new
 * ident): makes key caches stale. */
void sl_lua_realm_touched(sl_lua_realm *realm);
/* Raises: the realm has no such class. Does not return. */
int sl_lua_no_class(lua_State *L, const sl_lua_realm *realm, sl_str name);
/* Pushes the changes of the open or last transaction, or nil if it touched no object:
 * { [class] = { inserted = {key, ...}, modified = {{key = key, properties = {name, ...}}, ...},
 *   deleted = {key, ...} } }, and a boolean, whether the schema changed. */
void sl_lua_push_changes(lua_State *L, sl_lua_realm *realm);

/* Gives the userdata at `index` the anchor table of the userdata at `anchored`. */
void sl_lua_share_anchor(lua_State *L, int index, int anchored);
/* Pushes the table that is the user value of a userdata: of everything of a realm its anchor. */
void sl_lua_push_anchor(lua_State *L, int index);
/* Makes the table at the top the user value of the userdata at `index`, and pops it. */
void sl_lua_set_anchor(lua_State *L, int index);

/* ---- places (place.c) ------------------------------------------------------------------------ */

/* What a place proxy stands for; each has its own metatable. */
typedef enum sl_lua_place_kind {
    SL_LUA_PLACE_OBJECT, /* top-level object (no property) or embedded object */
    SL_LUA_PLACE_LIST,
    SL_LUA_PLACE_SET,
    SL_LUA_PLACE_DICT,
    SL_LUA_PLACE_COUNT
} sl_lua_place_kind;

/* An immutable address; `place`'s pointers go into `bytes`. Names are copies. A GlobalKey made
 * before the file had its ident is brought up to date on use. */
typedef struct sl_lua_place {
    uint8_t kind;
    sl_lua_realm *owner;
    sl_str object_class; /* OBJECT: class of the object, embedded or not; else "" */
    sl_place place;
    char bytes[];
} sl_lua_place;

enum { SL_LUA_MAX_STEPS = 256 };

/* A place with one more step, on the C stack: valid while `base` lives and the step's bytes do. */
typedef struct sl_lua_target {
    sl_place place;
    sl_step steps[SL_LUA_MAX_STEPS];
} sl_lua_target;

/* The place proxy at `index` (of any kind, or of `kind`); raises for anything else and when its
 * realm is closed. */
sl_lua_place *sl_lua_check_place(lua_State *L, int index);
sl_lua_place *sl_lua_check_place_kind(lua_State *L, int index, sl_lua_place_kind kind);
/* As above, NULL instead of raising for other values. */
sl_lua_place *sl_lua_test_place(lua_State *L, int index);
/* Pushes a proxy for `place` (copied); the anchor table is taken from the userdata at `anchored`.
 */
void sl_lua_push_place(lua_State *L, int anchored, sl_lua_realm *owner, sl_lua_place_kind kind,
                       sl_str object_class, const sl_place *place);
/* Pushes a proxy for the top-level object (class_name, key). */
void sl_lua_push_object(lua_State *L, int anchored, sl_lua_realm *owner, sl_str class_name,
                        const sl_key *key);
/* Fills `target` with base plus a name or an index; raises when the path gets too long. */
void sl_lua_extend_name(lua_State *L, const sl_lua_place *base, sl_str name, sl_lua_target *target);
void sl_lua_extend_index(lua_State *L, const sl_lua_place *base, uint32_t index,
                         sl_lua_target *target);
/* Pushes what `view` shows at `place`: a value, an object for a link, or a proxy. */
void sl_lua_push_view(lua_State *L, int anchored, sl_lua_realm *owner, const sl_place *place,
                      const sl_view *view);

/* The value at `index` for a place of type `type`, like sl_lua_to_value; besides, an object proxy
 * of the same realm is a link to it. *link is where such a link is kept. */
bool sl_lua_to_stored(lua_State *L, int index, const sl_lua_realm *owner, int type, sl_value *out,
                      sl_link *link, sl_status *st);

/* Makes the metatable of one kind of proxy, with `metamethods` and `methods` (upvalue 1 of all of
 * them is the table of methods), and puts the table of methods under `name` into the table at the
 * top of the stack, so that the Lua half can add to it. */
void sl_lua_register_place(lua_State *L, sl_lua_place_kind kind, const char *name,
                           const luaL_Reg *metamethods, const luaL_Reg *methods);
/* For __index: leaves the method named by the value at 2 and returns true, or pushes nothing. */
bool sl_lua_push_method(lua_State *L);
/* Raises that `what`, argument 1, has nothing named as argument 2, with the nearest method. Only in
 * metamethods. */
int sl_lua_no_method(lua_State *L, const char *what);
/* For __newindex: calls the method `__assign` of the Lua half with the three arguments; it takes
 * tables apart. */
int sl_lua_assign(lua_State *L);

/* The method `make` of objects, lists and dictionaries. */
int sl_lua_place_make(lua_State *L);

/* Each registers one kind of proxy. */
void sl_lua_open_object(lua_State *L);
void sl_lua_open_list(lua_State *L);
void sl_lua_open_set(lua_State *L);
void sl_lua_open_dict(lua_State *L);

/* ---- queries --------------------------------------------------------------------------------- */

/* keys.c: the keys of some objects of one class, in memory that Lua frees. */
typedef struct sl_lua_keys {
    sl_lua_head head;
    bool failed; /* a key did not fit into memory */
    sl_lua_realm *owner;
    sl_arena arena;
    sl_str class_name; /* kept by the user value */
    sl_key *keys;
    size_t count, capacity;
} sl_lua_keys;

/* Pushes an empty one for the realm at index 1 and the class whose name is at `name`. */
sl_lua_keys *sl_lua_new_keys(lua_State *L, int name);
/* A visitor of keys; ctx: the sl_lua_keys. */
bool sl_lua_add_key(void *ctx, const sl_key *key);

/* query.c: the query in the arguments realm, class, conditions, orders. The stack has five values
 * then, and above them the userdata with what the query borrows besides the arguments. */
sl_query *sl_lua_read_query(lua_State *L, const sl_lua_realm *owner);
/* Methods of the realm. */
int sl_lua_realm_query(lua_State *L);
int sl_lua_realm_query_count(lua_State *L);
int sl_lua_realm_predicate(lua_State *L); /* predicate.c */
void sl_lua_open_predicate(lua_State *L);
int sl_lua_realm_query_check(lua_State *L);
int sl_lua_realm_live(lua_State *L);
int sl_lua_realm_aggregate(lua_State *L);
int sl_lua_realm_aggregate_objects(lua_State *L);

void sl_lua_open_query(lua_State *L);
void sl_lua_open_keys(lua_State *L);
void sl_lua_open_live(lua_State *L);
/* Puts its functions into the table at the top. */
void sl_lua_open_results(lua_State *L);

/* ---- schema (schema.c) ----------------------------------------------------------------------- */

/* Reads the definition table at `index` into `arena`; raises for malformed tables (the Lua half has
 * normalised them). False when memory runs out. */
bool sl_lua_to_schema(lua_State *L, int index, sl_arena *arena, sl_schema_definition *out);
/* Pushes the realm's schema in the same form. */
void sl_lua_push_schema(lua_State *L, const sl_schema *schema);

#endif
