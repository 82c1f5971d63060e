/* realm.c - the userdata of an open realm: opening, transactions, classes as a whole. */
#include "lua/realm.h"
#include "lua/core.h"
#include "lua/value.h"
#include "net/system_env.h"
#include "realm/change.h"
#include "realm/missing.h"
#include "realm/state.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

#include <stdlib.h>

sl_lua_realm *sl_lua_check_realm(lua_State *L, int index) {
    return sl_lua_check(L, index, &sl_lua_realm_type);
}

void sl_lua_realm_touched(sl_lua_realm *realm) {
    realm->generation++;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void close_parts(sl_lua_realm *realm) {
    sl_client_history_close(realm->history);
    sl_realm_close(realm->realm);
    if (realm->store) realm->store->vtbl->close(realm->store);
    realm->history = NULL;
    realm->realm = NULL;
    realm->store = NULL;
}

static void realm_close(lua_State *L, void *self) {
    (void)L;
    sl_lua_realm *realm = self;
    if (realm->detach) realm->detach(realm);
    close_parts(realm);
}

/* What a realm that is only local deletes is really gone: nobody else has it. */
static bool open_store(sl_lua_realm *self, const char *path, bool local, sl_status *st) {
    sl_sqlite_options options = {
        .read_only = self->read_only, .snapshot = self->read_only, .wipe = local};
    self->on_disk = strcmp(path, ":memory:") != 0;
    if (!self->on_disk) return sl_memory_open(NULL, &self->store, st);
    return sl_sqlite_open(path, &options, &self->store, st);
}

static bool open_parts(sl_lua_realm *self, const char *path, bool fast, bool local, sl_status *st) {
    if (!open_store(self, path, local, st)) return false;
    sl_realm_options options = {.source = self->store->vtbl->source(self->store)};
    if (!sl_realm_open(&self->realm, &options, st)) return false;
    sl_client_history_options history = {
        .env = sl_system_env(), .fast_commits = fast, .local_only = local};
    self->history = sl_client_history_open(self->store, self->realm, &history, st);
    return self->history != NULL;
}

bool sl_lua_realm_install(sl_lua_realm *realm, const char *path, bool fast, sl_status *st) {
    close_parts(realm);
    realm->generation++;
    if (sl_sqlite_state_install(path, st) && open_parts(realm, path, fast, false, st)) return true;
    realm->head.closed = true;
    close_parts(realm);
    return false;
}

sl_lua_realm *sl_lua_push_realm(lua_State *L, sl_store *store, sl_realm *realm,
                                sl_client_history *history) {
    sl_lua_realm *self = sl_lua_new(L, &sl_lua_realm_type);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
#ifdef SL_LUA_DOUBLES_ONLY
    lua_setfenv(L, -2);
#else
    lua_setuservalue(L, -2);
#endif
    self->store = store;
    self->realm = realm;
    self->history = history;
    return self;
}

/* realm.open{path = file or ":memory:", fast_commits = false, local_only = false} -> realm, or nil,
 * message, code */
static int realm_open(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_str path = sl_lua_option_str(L, 1, "path", "");
    bool fast = sl_lua_option_bool(L, 1, "fast_commits", false);
    bool local = sl_lua_option_bool(L, 1, "local_only", false);
    luaL_argcheck(L, path.size > 0, 1, "option 'path': a file name or ':memory:' expected");
    luaL_argcheck(L, strlen(path.data) == path.size, 1, "option 'path' contains a zero byte");
    sl_lua_realm *self = sl_lua_push_realm(L, NULL, NULL, NULL);
    self->read_only = sl_lua_option_bool(L, 1, "read_only", false);
    if (open_parts(self, path.data, fast, local, &st)) return 1;
    self->head.closed = true;
    realm_close(L, self);
    return sl_lua_fail(L, &st);
}

/* realm:refresh(path) -> true, or nil, message, code (and the realm is closed): a realm that only
 * reads looks at its file anew */
static int realm_refresh(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_str path = sl_lua_check_str(L, 2);
    sl_status st = SL_STATUS_INIT;
    luaL_argcheck(L, self->read_only, 1, "a realm that only reads expected");
    close_parts(self);
    self->generation++;
    if (open_parts(self, path.data, false, false, &st)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    self->head.closed = true;
    close_parts(self);
    return sl_lua_fail(L, &st);
}

/* realm:anchor() -> the table shared by everything that points into the realm */
static int realm_anchor(lua_State *L) {
    sl_lua_check_realm(L, 1);
    sl_lua_push_anchor(L, 1);
    return 1;
}

/* ---- transactions ---------------------------------------------------------------------------- */

/* realm:flush_log() -> true, or nil, message, code: nothing that was deleted is left in the log */
static int realm_flush_log(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (self->on_disk && !sl_sqlite_flush_log(self->store, &st)) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* realm:local_only() -> whether it keeps no history and cannot be synchronised */
static int realm_local_only(lua_State *L) {
    lua_pushboolean(L, sl_client_history_is_local(sl_lua_check_realm(L, 1)->history));
    return 1;
}

/* realm:begin(author = 0) -> true, or nil, message, code. `author`: an ident that the realm's
 * session has allocated; what is written is uploaded in its name. */
static int realm_begin(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    uint64_t author = (uint64_t)sl_lua_opt_int(L, 2, 0, INT64_MAX, 0);
    if (!sl_client_history_begin_for(self->history, author, &st)) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* realm:commit() -> version of the file, or nil, message, code (and everything is rolled back) */
static int realm_commit(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    uint64_t version = 0;
    self->generation++;
    if (!sl_client_history_commit(self->history, &version, &st)) return sl_lua_fail(L, &st);
    sl_lua_push_int(L, (int64_t)version);
    return 1;
}

static int realm_rollback(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    if (sl_client_history_writing(self->history)) sl_client_history_rollback(self->history);
    self->generation++;
    return 0;
}

static int realm_writing(lua_State *L) {
    lua_pushboolean(L, sl_client_history_writing(sl_lua_check_realm(L, 1)->history));
    return 1;
}

/* realm:recorded_bytes() -> size of the changeset that the open write has recorded so far, 0
 * without one. The work of all calls together grows with the write alone. */
static int realm_recorded_bytes(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    uint64_t bytes;
    if (!sl_client_history_recorded(sl_lua_check_realm(L, 1)->history, &bytes, &st))
        return sl_lua_throw(L, &st);
    sl_lua_push_int(L, (int64_t)bytes);
    return 1;
}

/* realm:sync_to_disk() -> true, or nil, message, code: earlier commits survive a loss of power. */
static int realm_sync_to_disk(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (!sl_client_history_sync(self->history, &st)) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- schema ---------------------------------------------------------------------------------- */

static int realm_schema(lua_State *L) {
    sl_lua_push_schema(L, sl_realm_schema(sl_lua_check_realm(L, 1)->realm));
    return 1;
}

static int realm_schema_version(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_realm_schema_version(sl_lua_check_realm(L, 1)->realm));
    return 1;
}

/* An arena that Lua frees, whatever happens while a definition is read into it. */
typedef struct arena_box {
    sl_lua_head head;
    sl_arena arena;
} arena_box;

static void arena_box_close(lua_State *L, void *self) {
    (void)L;
    sl_arena_free(&((arena_box *)self)->arena);
}

static const sl_lua_type arena_box_type = {"syncline.core.arena", sizeof(arena_box),
                                           arena_box_close, NULL, NULL};

/* realm:apply_schema(definition, strict_ids) -> whether anything was added; raises for what is
 * wrong with the definition. Inside a transaction. */
static int realm_apply_schema(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    bool strict = sl_lua_opt_bool(L, 3, false), changed = false;
    sl_status st = SL_STATUS_INIT;
    sl_schema_definition definition;
    arena_box *box = sl_lua_new(L, &arena_box_type);
    sl_arena_init(&box->arena, NULL);
    if (!sl_lua_to_schema(L, 2, &box->arena, &definition)) {
        sl_fail_memory(&st);
        return sl_lua_throw(L, &st);
    }
    if (!sl_schema_validate(&definition, strict, &st) ||
        !sl_record_schema(self->realm, &definition, &changed, &st))
        return sl_lua_throw(L, &st);
    self->generation++;
    lua_pushboolean(L, changed);
    return 1;
}

/* realm:erase_class(name), realm:erase_property(class, name) */
static int realm_erase_class(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    self->generation++;
    if (!sl_record_erase_class(self->realm, sl_lua_check_str(L, 2), &st))
        return sl_lua_throw(L, &st);
    return 0;
}

static int realm_erase_property(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (!sl_record_erase_property(self->realm, sl_lua_check_str(L, 2), sl_lua_check_str(L, 3), &st))
        return sl_lua_throw(L, &st);
    return 0;
}

/* ---- objects --------------------------------------------------------------------------------- */

int sl_lua_no_class(lua_State *L, const sl_lua_realm *realm, sl_str name) {
    sl_status st = SL_STATUS_INIT;
    sl_no_class(sl_realm_schema(realm->realm), name, &st);
    return sl_lua_raise(L, &st);
}

static const sl_class *check_class(lua_State *L, const sl_lua_realm *self, int index) {
    sl_str name = sl_lua_check_str(L, index);
    const sl_class *cls = sl_realm_class(self->realm, name);
    if (!cls) sl_lua_no_class(L, self, name);
    return cls;
}

static void check_key(lua_State *L, int index, const sl_class *cls, sl_key *key) {
    sl_status st = SL_STATUS_INIT;
    if (!sl_lua_to_key(L, index, cls->key_type, key, &st)) luaL_argerror(L, index, st.message);
    if (key->type == SL_TYPE_NULL && !cls->key_nullable)
        luaL_argerror(L, index, "the key must not be null");
}

/* realm:create(class, key) -> object, whether it is new. `key` is ignored in classes without one.
 */
static int realm_create(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_class *cls = check_class(L, self, 2);
    sl_status st = SL_STATUS_INIT;
    sl_key key, made;
    bool created;
    if (cls->has_key) check_key(L, 3, cls, &key);
    if (!sl_record_create(self->realm, cls->name, cls->has_key ? &key : NULL, &made, &created, &st))
        return sl_lua_throw(L, &st);
    self->generation++;
    sl_lua_push_object(L, 1, self, cls->name, cls->has_key ? &key : &made);
    lua_pushboolean(L, created);
    return 2;
}

/* realm:object(class, key) -> object or nil */
static int realm_object(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_class *cls = check_class(L, self, 2);
    sl_status st = SL_STATUS_INIT;
    sl_key key;
    bool exists;
    if (!sl_lua_to_key(L, 3, cls->key_type, &key, &st)) return luaL_argerror(L, 3, st.message);
    if (!sl_realm_exists(self->realm, cls->name, &key, &exists, &st)) return sl_lua_throw(L, &st);
    if (!exists) return 0;
    sl_lua_push_object(L, 1, self, cls->name, &key);
    return 1;
}

/* realm:delete(object) */
static int realm_delete(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_lua_place *object = sl_lua_check_place_kind(L, 2, SL_LUA_PLACE_OBJECT);
    sl_status st = SL_STATUS_INIT;
    luaL_argcheck(L, object->owner == self, 2, "the object belongs to another realm");
    luaL_argcheck(L, object->place.property.size == 0, 2,
                  "an embedded object goes when its place is set to nil or removed");
    if (!sl_record_erase(self->realm, object->place.class_name, &object->place.key, &st))
        return sl_lua_throw(L, &st);
    self->generation++;
    return 0;
}

/* realm:delete_all(class) */
static int realm_delete_all(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_class *cls = check_class(L, self, 2);
    sl_status st = SL_STATUS_INIT;
    if (!sl_record_erase_all(self->realm, cls->name, &st)) return sl_lua_throw(L, &st);
    self->generation++;
    return 0;
}

static int realm_count(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    uint64_t count;
    if (!sl_realm_count(self->realm, check_class(L, self, 2)->name, &count, &st))
        return sl_lua_throw(L, &st);
    sl_lua_push_int(L, (int64_t)count);
    return 1;
}

static int compare_keys(const void *a, const void *b) {
    return sl_key_cmp(a, b);
}

/* realm:objects(class) -> keys of all objects, in order */
static int realm_objects(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_class *cls = check_class(L, self, 2);
    sl_status st = SL_STATUS_INIT;
    sl_lua_keys *keys = sl_lua_new_keys(L, 2);
    bool ok = sl_realm_scan(self->realm, cls->name, sl_lua_add_key, keys, &st);
    if (ok && keys->failed) ok = sl_fail_memory(&st);
    if (!ok) return sl_lua_throw(L, &st);
    if (keys->count) qsort(keys->keys, keys->count, sizeof *keys->keys, compare_keys);
    return 1;
}

/* realm:nth(class, position) -> the object at a position in the order of keys, counted from the end
 * if it is negative, or nil */
static int realm_nth(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    const sl_class *cls = check_class(L, self, 2);
    sl_status st = SL_STATUS_INIT;
    int64_t position;
    if (!sl_lua_to_int(L, 3, &position) || position == 0 || position == INT64_MIN) return 0;
    uint64_t from = (uint64_t)(position < 0 ? -position : position) - 1;
    sl_lua_keys *keys = sl_lua_new_keys(L, 2);
    bool ok = sl_realm_nth(self->realm, cls->name, from, position < 0, sl_lua_add_key, keys, &st);
    if (ok && keys->failed) ok = sl_fail_memory(&st);
    if (!ok) return sl_lua_throw(L, &st);
    if (keys->count == 0) return 0;
    sl_lua_push_object(L, 1, self, keys->class_name, &keys->keys[0]);
    return 1;
}

/* realm:generation() -> a number that rises whenever objects may have come or gone */
static int realm_generation(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_lua_check_realm(L, 1)->generation);
    return 1;
}

/* ---- changes --------------------------------------------------------------------------------- */

typedef struct change_walk {
    lua_State *L;
    bool any;
} change_walk;

/* Leaves the array `name` of the class's entry on the stack, making what is missing. */
static void push_list(lua_State *L, const sl_class *cls, const char *name) {
    lua_pushlstring(L, cls->name.data, cls->name.size);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        static const char *const lists[] = {"inserted", "modified", "deleted"};
        lua_pop(L, 1);
        lua_createtable(L, 0, 3);
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            lua_newtable(L);
            lua_setfield(L, -2, lists[i]);
        }
        lua_pushlstring(L, cls->name.data, cls->name.size);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

static void push_modified(lua_State *L, const sl_change *change) {
    int count = 0;
    lua_createtable(L, 0, 2);
    sl_lua_push_key(L, change->key);
    lua_setfield(L, -2, "key");
    lua_newtable(L);
    for (uint32_t i = 0; i < change->cls->property_count; i++) {
        const sl_property *property = &change->cls->properties[i];
        if (property->erased || !sl_change_touches(change, i)) continue;
        lua_pushlstring(L, property->name.data, property->name.size);
        lua_rawseti(L, -2, ++count);
    }
    lua_setfield(L, -2, "properties");
}

static bool add_change(void *ctx, const sl_change *change) {
    static const char *const names[] = {[SL_CHANGE_CREATED] = "inserted",
                                        [SL_CHANGE_MODIFIED] = "modified",
                                        [SL_CHANGE_ERASED] = "deleted"};
    change_walk *walk = ctx;
    lua_State *L = walk->L;
    walk->any = true;
    push_list(L, change->cls, names[change->kind]);
    if (change->kind == SL_CHANGE_MODIFIED)
        push_modified(L, change);
    else
        sl_lua_push_key(L, change->key);
    lua_rawseti(L, -2, (int)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    return true;
}

void sl_lua_push_changes(lua_State *L, sl_lua_realm *realm) {
    luaL_checkstack(L, 16, "changes");
    change_walk walk = {L, false};
    lua_newtable(L);
    sl_realm_changes(realm->realm, add_change, &walk);
    if (!walk.any) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    lua_pushboolean(L, sl_realm_schema_changed(realm->realm));
}

static int realm_changes(lua_State *L) {
    sl_lua_push_changes(L, sl_lua_check_realm(L, 1));
    return 2;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void set_int(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

/* realm:info() -> table of numbers: version, base, ident, cursors and progress */
static int realm_info(lua_State *L) {
    const sl_client_history *history = sl_lua_check_realm(L, 1)->history;
    const sl_client_cursors *cursors = sl_client_history_cursors(history);
    const sl_client_progress *progress = sl_client_history_progress(history);
    lua_createtable(L, 0, 16);
    set_int(L, "version", sl_client_history_version(history));
    set_int(L, "base_version", sl_client_history_base(history));
    set_int(L, "client_file_ident", sl_client_history_ident(history));
    set_int(L, "latest_server_version", cursors->latest_sv);
    set_int(L, "download_server_version", cursors->dl_sv);
    set_int(L, "download_client_version", cursors->dl_cv);
    set_int(L, "upload_client_version", cursors->ul_cv);
    set_int(L, "upload_server_version", cursors->ul_sv);
    set_int(L, "uploaded_bytes", progress->uploaded_bytes);
    set_int(L, "uploadable_bytes", progress->uploadable_bytes);
    set_int(L, "downloaded_bytes", progress->downloaded_bytes);
    set_int(L, "downloadable_bytes", progress->downloadable_bytes);
    set_int(L, "uploaded_changesets", progress->uploaded_changesets);
    set_int(L, "uploadable_changesets", progress->uploadable_changesets);
    set_int(L, "downloaded_changesets", progress->downloaded_changesets);
    return 1;
}

/* realm:state() -> the text dump by which two copies are compared, or nil, message, code */
static int realm_state(lua_State *L) {
    sl_lua_realm *self = sl_lua_check_realm(L, 1);
    sl_status st = SL_STATUS_INIT;
    sl_buf text;
    sl_buf_init(&text, NULL);
    bool ok = sl_realm_state_text(self->realm, &text, &st);
    if (ok) lua_pushlstring(L, text.size ? text.data : "", text.size);
    sl_buf_free(&text);
    return ok ? 1 : sl_lua_fail(L, &st);
}

/* core.realm.kind(value) -> "object", "list", "set", "dictionary", or nil if it is no proxy */
static int kind_of(lua_State *L) {
    static const char *const names[] = {"object", "list", "set", "dictionary"};
    const sl_lua_place *place = sl_lua_test_place(L, 1);
    if (!place) return 0;
    lua_pushstring(L, names[place->kind]);
    return 1;
}

static const luaL_Reg realm_methods[] = {{"anchor", realm_anchor},
                                         {"refresh", realm_refresh},
                                         {"begin", realm_begin},
                                         {"local_only", realm_local_only},
                                         {"flush_log", realm_flush_log},
                                         {"commit", realm_commit},
                                         {"rollback", realm_rollback},
                                         {"writing", realm_writing},
                                         {"recorded_bytes", realm_recorded_bytes},
                                         {"sync_to_disk", realm_sync_to_disk},
                                         {"schema", realm_schema},
                                         {"schema_version", realm_schema_version},
                                         {"apply_schema", realm_apply_schema},
                                         {"erase_class", realm_erase_class},
                                         {"erase_property", realm_erase_property},
                                         {"create", realm_create},
                                         {"object", realm_object},
                                         {"objects", realm_objects},
                                         {"query", sl_lua_realm_query},
                                         {"query_count", sl_lua_realm_query_count},
                                         {"query_check", sl_lua_realm_query_check},
                                         {"predicate", sl_lua_realm_predicate},
                                         {"live", sl_lua_realm_live},
                                         {"aggregate", sl_lua_realm_aggregate},
                                         {"aggregate_objects", sl_lua_realm_aggregate_objects},
                                         {"nth", realm_nth},
                                         {"delete", realm_delete},
                                         {"delete_all", realm_delete_all},
                                         {"count", realm_count},
                                         {"generation", realm_generation},
                                         {"changes", realm_changes},
                                         {"info", realm_info},
                                         {"state", realm_state},
                                         {NULL, NULL}};

const sl_lua_type sl_lua_realm_type = {"syncline.core.realm", sizeof(sl_lua_realm), realm_close,
                                       realm_methods, NULL};

int sl_lua_open_realm(lua_State *L) {
    sl_lua_register(L, &sl_lua_realm_type);
    sl_lua_register(L, &arena_box_type);
    sl_lua_open_query(L);
    sl_lua_open_predicate(L);
    lua_newtable(L);
    sl_lua_open_keys(L);
    sl_lua_open_live(L);
    sl_lua_open_results(L);
    lua_pushcfunction(L, realm_open);
    lua_setfield(L, -2, "open");
    lua_pushcfunction(L, kind_of);
    lua_setfield(L, -2, "kind");
    sl_lua_open_object(L);
    sl_lua_open_list(L);
    sl_lua_open_set(L);
    sl_lua_open_dict(L);
    return 1;
}
