/* server_file.c - the userdata of a realm file on the server. */
#include "lua/client_rows.h"
#include "lua/server.h"
#include "lua/value.h"
#include "net/system_env.h"
#include "realm/state.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

static void file_close(lua_State *L, void *self) {
    sl_lua_server_file *file = self;
    lua_State *before = file->part.room ? sl_lua_server_enter(L, &file->part) : NULL;
    sl_server_file *closing = file->file;
    file->file = NULL;
    sl_server_file_close(closing);
    if (file->part.room) sl_lua_server_leave(&file->part, before);
}

static sl_lua_server_file *check_file(lua_State *L) {
    return sl_lua_check(L, 1, &sl_lua_server_file_type);
}

static sl_server_history *history_of(lua_State *L) {
    return sl_server_file_history(check_file(L)->file);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static void on_work(void *ctx, sl_server_file *file) {
    sl_lua_server_file *self = ctx;
    (void)file;
    if (!sl_lua_server_callback(&self->part, "on_work")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L);
    sl_lua_server_push_self(L, &self->part);
    sl_lua_call(L, 1, 0);
    lua_settop(L, top - 1); /* an error has nobody to go to here */
}

static void on_commit(void *ctx, sl_server_file *file, uint64_t version) {
    sl_lua_server_file *self = ctx;
    (void)file;
    if (!sl_lua_server_callback(&self->part, "on_commit")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L);
    sl_lua_server_push_self(L, &self->part);
    sl_lua_push_int(L, (int64_t)version);
    sl_lua_call(L, 2, 0);
    lua_settop(L, top - 1);
}

static void on_state(void *ctx, sl_server_file *file) {
    sl_lua_server_file *self = ctx;
    (void)file;
    if (!sl_lua_server_callback(&self->part, "on_state")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L);
    sl_lua_server_push_self(L, &self->part);
    sl_lua_call(L, 1, 0);
    lua_settop(L, top - 1);
}

static void on_trouble(void *ctx, sl_server_file *file, const sl_status *st) {
    sl_lua_server_file *self = ctx;
    (void)file;
    if (!sl_lua_server_callback(&self->part, "on_trouble")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L);
    sl_lua_server_push_self(L, &self->part);
    lua_pushstring(L, st->message);
    sl_lua_push_code(L, st);
    sl_lua_call(L, 3, 0);
    lua_settop(L, top - 1);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool open_store(const char *path, sl_store **store, sl_status *st) {
    if (strcmp(path, ":memory:") == 0) return sl_memory_open(NULL, store, st);
    return sl_sqlite_open(path, NULL, store, st);
}

static bool open_file(sl_lua_server_file *self, const char *path,
                      const sl_server_file_options *options, sl_status *st) {
    sl_store *store = NULL;
    if (!open_store(path, &store, st)) return false;
    self->file = sl_server_file_open(store, options, st);
    if (!self->file) store->vtbl->close(store);
    return self->file != NULL;
}

static sl_realm_limits read_limits(lua_State *L) {
    return (sl_realm_limits){
        .properties = (uint32_t)sl_lua_option_int(L, 1, "max_properties", 0, INT32_MAX, 0),
        .key_bytes = (uint32_t)sl_lua_option_int(L, 1, "max_key_bytes", 0, INT32_MAX, 0),
        .nesting = (uint32_t)sl_lua_option_int(L, 1, "max_nesting", 0, 100, 0),
        .object_bytes = (uint64_t)sl_lua_option_int(L, 1, "max_object_bytes", 0, INT64_MAX, 0)};
}

/* server.file{path = file or ":memory:", keep_originals = false, cache_bytes, max_backlog,
 * max_merge_steps, max_classes, max_properties, max_key_bytes, max_nesting, max_object_bytes,
 * min_state, state_age (bytes of history), client_ttl (seconds, 0 = never), compact_interval
 * (seconds, 0 = one hour, -1 = only when asked for), on_work = function(file), on_commit =
 * function(file, version), on_state = function(file) (without it no states are made), on_trouble =
 * function(file, message, code)} -> file, or nil, message, code */
static int server_file(lua_State *L) {
    static const char *const names[] = {"on_work", "on_commit", "on_state", "on_trouble", NULL};
    sl_status st = SL_STATUS_INIT;
    luaL_checktype(L, 1, LUA_TTABLE);
    sl_str path = sl_lua_option_str(L, 1, "path", "");
    luaL_argcheck(L, path.size > 0, 1, "option 'path': a file name or ':memory:' expected");
    luaL_argcheck(L, strlen(path.data) == path.size, 1, "option 'path' contains a zero byte");
    sl_server_file_options options = {
        .env = sl_system_env(),
        .keep_originals = sl_lua_option_bool(L, 1, "keep_originals", false),
        .cache_bytes = (size_t)sl_lua_option_int(L, 1, "cache_bytes", 0, INT32_MAX, 0),
        .max_backlog = (uint64_t)sl_lua_option_int(L, 1, "max_backlog", 0, INT64_MAX, 0),
        .max_merge_steps = (uint64_t)sl_lua_option_int(L, 1, "max_merge_steps", 0, INT64_MAX, 0),
        .max_classes = (uint32_t)sl_lua_option_int(L, 1, "max_classes", 0, INT32_MAX, 0),
        .limits = read_limits(L),
        .client_ttl = sl_lua_option_int(L, 1, "client_ttl", 0, INT32_MAX, 0),
        .compact_interval = sl_lua_option_int(L, 1, "compact_interval", -1, INT32_MAX, 0),
        .on_work = on_work,
        .on_commit = on_commit,
        .min_state = (uint64_t)sl_lua_option_int(L, 1, "min_state", 0, INT64_MAX, 0),
        .state_age = (uint64_t)sl_lua_option_int(L, 1, "state_age", 0, INT64_MAX, 0),
        .on_trouble = on_trouble};
    sl_lua_server_file *self = sl_lua_new(L, &sl_lua_server_file_type);
    sl_lua_server_adopt(L, &self->part, names);
    options.ctx = self;
    if (sl_lua_option_function(L, 1, "on_state")) options.on_state = on_state;
    lua_pop(L, 1);
    return open_file(self, path.data, &options, &st) ? 1 : sl_lua_fail(L, &st);
}

/* ---- work ------------------------------------------------------------------------------------ */

/* After uploads of this many bytes the heap gives back to the system what it holds for nobody. */
enum { LARGE_UNIT = 1 << 20 };

static void give_back(uint64_t uploads) {
#ifdef __GLIBC__
    if (uploads >= LARGE_UNIT) malloc_trim(0);
#else
    (void)uploads;
#endif
}

/* file:work() -> true, or nil, message, code: does what waits as one durable transaction; call it
 * when file:rest() says so, but not inside on_work. After a failure the work still waits. */
static int file_work(lua_State *L) {
    sl_lua_server_file *self = check_file(L);
    sl_status st = SL_STATUS_INIT;
    lua_State *before = sl_lua_server_enter(L, &self->part);
    uint64_t waiting = sl_server_file_backlog(self->file);
    bool ok = sl_server_file_work(self->file, &st);
    uint64_t left = sl_server_file_backlog(self->file);
    if (left < waiting) give_back(waiting - left);
    sl_lua_server_leave(&self->part, before);
    if (!ok) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* file:make_state() -> whether there is more to do, or nil, message, code: does some milliseconds'
 * worth of making a state; after on_state, call it until it says false */
static int file_make_state(lua_State *L) {
    sl_lua_server_file *self = check_file(L);
    sl_status st = SL_STATUS_INIT;
    bool more = false;
    lua_State *before = sl_lua_server_enter(L, &self->part);
    bool ok = sl_server_file_make_state(self->file, &more, &st);
    sl_lua_server_leave(&self->part, before);
    if (!ok) return sl_lua_fail(L, &st);
    lua_pushboolean(L, more);
    return 1;
}

/* file:care() -> true if it is to be called again soon, false if in a minute or so, or nil,
 * message, code (what was under way has ended; with "SYNC" the file has to be opened again) */
static int file_care(lua_State *L) {
    sl_lua_server_file *self = check_file(L);
    sl_status st = SL_STATUS_INIT;
    bool more = false;
    lua_State *before = sl_lua_server_enter(L, &self->part);
    bool ok = sl_server_file_care(self->file, &more, &st);
    sl_lua_server_leave(&self->part, before);
    if (!ok) return sl_lua_fail(L, &st);
    lua_pushboolean(L, more);
    return 1;
}

/* file:compact([client_ttl]): the next file:care() begins a run; clients that stayed away for so
 * many seconds expire. */
static int file_compact(lua_State *L) {
    sl_server_file *file = check_file(L)->file;
    sl_server_file_compact(file, (int64_t)luaL_optinteger(L, 2, -1));
    return 0;
}

static int file_caring(lua_State *L) {
    lua_pushboolean(L, sl_server_file_caring(check_file(L)->file));
    return 1;
}

static int file_waiting(lua_State *L) {
    lua_pushboolean(L, sl_server_file_waiting(check_file(L)->file));
    return 1;
}

/* file:rest() -> seconds until work that waits had best be done (0 = now), nil if there is none */
static int file_rest(lua_State *L) {
    int64_t ms = sl_server_file_rest(check_file(L)->file);
    if (ms < 0) return lua_pushnil(L), 1;
    lua_pushnumber(L, (lua_Number)ms / 1000);
    return 1;
}

static int file_sessions(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_server_file_sessions(check_file(L)->file));
    return 1;
}

static int file_backlog(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_server_file_backlog(check_file(L)->file));
    return 1;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static int file_version(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_server_history_version(history_of(L)));
    return 1;
}

static int file_size(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_server_history_size(history_of(L)));
    return 1;
}

static int file_level(lua_State *L) {
    sl_lua_push_int(L, sl_server_history_level(history_of(L)));
    return 1;
}

/* A buffer that Lua frees, whatever happens while it is used. */
typedef struct text_box {
    sl_lua_head head;
    sl_buf text;
} text_box;

static void text_box_close(lua_State *L, void *self) {
    (void)L;
    sl_buf_free(&((text_box *)self)->text);
}

static const sl_lua_type text_box_type = {"syncline.core.server.text", sizeof(text_box),
                                          text_box_close, NULL, NULL};

/* file:state() -> the content as canonical text, or nil, message, code */
static int file_state(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_realm *realm = sl_server_file_realm(check_file(L)->file);
    text_box *box = sl_lua_new(L, &text_box_type);
    if (!sl_realm_state_text(realm, &box->text, &st)) return sl_lua_fail(L, &st);
    lua_pushlstring(L, box->text.data, box->text.size);
    return 1;
}

static void set_int(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

/* file:clients() -> array of {ident, type, proxy, client_version, reciprocal_base, locked_version,
 * last_seen (Unix seconds, 0 = expired), user}, or nil, message, code. Salts are secrets and stay.
 */
static int file_clients(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_store *store = sl_server_file_store(check_file(L)->file);
    return sl_lua_push_clients(L, store, &st) ? 1 : sl_lua_fail(L, &st);
}

/* file:care_report() -> {ran, expired (clients), limit (version up to which nobody needs the
 * original), holder (ident of who holds it back, 0 = nobody), holder_seen (Unix seconds), entries,
 * emptied, instructions_before, instructions_after, bytes_before, bytes_after}: of the run at hand,
 * or the last one */
static int file_care_report(lua_State *L) {
    sl_care_report report = sl_server_file_care_report(check_file(L)->file);
    const sl_compactor_report *c = &report.compaction;
    lua_createtable(L, 0, 11);
    lua_pushboolean(L, report.ran);
    lua_setfield(L, -2, "ran");
    set_int(L, "expired", report.expired);
    set_int(L, "limit", c->limit.version);
    set_int(L, "holder", c->limit.holder);
    set_int(L, "holder_seen", (uint64_t)c->limit.holder_seen);
    set_int(L, "entries", c->entries);
    set_int(L, "emptied", c->emptied);
    set_int(L, "instructions_before", c->instructions_before);
    set_int(L, "instructions_after", c->instructions_after);
    set_int(L, "bytes_before", c->bytes_before);
    set_int(L, "bytes_after", c->bytes_after);
    return 1;
}

/* What file:entries asks for. */
typedef struct entry_query {
    sl_buf *out;
    uint64_t left;
    bool bytes;
} entry_query;

static bool copy_entry(void *ctx, const sl_history_entry *entry) {
    entry_query *query = ctx;
    sl_buf_add(query->out, entry, sizeof(*entry));
    if (query->bytes) sl_buf_str(query->out, entry->changeset);
    return !query->out->failed && --query->left > 0;
}

static void push_entry(lua_State *L, const sl_history_entry *entry, const char *bytes) {
    lua_createtable(L, 0, 6);
    set_int(L, "version", entry->version);
    set_int(L, "client_version", entry->peer_version);
    set_int(L, "origin", entry->origin_file ? entry->origin_file : SL_SERVER_FILE_IDENT);
    set_int(L, "timestamp", entry->origin_timestamp);
    set_int(L, "size", entry->changeset.size);
    if (!bytes) return;
    lua_pushlstring(L, bytes, entry->changeset.size);
    lua_setfield(L, -2, "changeset");
}

/* file:entries{after = 0, last = newest, limit = 1000, changesets = false} -> array of {version,
 * client_version, origin, timestamp (ms since 2015), size, changeset (binary, if asked for)}, or
 * nil, message, code */
static int file_entries(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_lua_server_file *self = check_file(L);
    sl_store *store = sl_server_file_store(self->file);
    uint64_t after = (uint64_t)sl_lua_option_int(L, 2, "after", 0, INT64_MAX, 0);
    uint64_t last = (uint64_t)sl_lua_option_int(L, 2, "last", 0, INT64_MAX, INT64_MAX);
    text_box *box = NULL;
    entry_query query = {.left = (uint64_t)sl_lua_option_int(L, 2, "limit", 1, INT32_MAX, 1000),
                         .bytes = sl_lua_option_bool(L, 2, "changesets", false)};
    box = sl_lua_new(L, &text_box_type);
    query.out = &box->text;
    bool ok = store->vtbl->entry_scan(store, after, last, query.bytes, copy_entry, &query, &st);
    if (ok && box->text.failed) ok = sl_fail_memory(&st);
    if (!ok) return sl_lua_fail(L, &st);
    lua_newtable(L);
    int count = 0;
    for (size_t at = 0; at < box->text.size;) {
        sl_history_entry entry;
        memcpy(&entry, box->text.data + at, sizeof(entry));
        at += sizeof(entry);
        push_entry(L, &entry, query.bytes ? box->text.data + at : NULL);
        lua_rawseti(L, -2, ++count);
        if (query.bytes) at += entry.changeset.size;
    }
    return 1;
}

/* file:backup(path) -> true, or nil, message, code */
static int file_backup(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_lua_server_file *self = check_file(L);
    sl_str path = sl_lua_check_str(L, 2);
    luaL_argcheck(L, path.size > 0 && strlen(path.data) == path.size, 2, "a file name expected");
    if (!sl_sqlite_backup_store(sl_server_file_store(self->file), path.data, &st))
        return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

static const luaL_Reg file_methods[] = {{"work", file_work},
                                        {"make_state", file_make_state},
                                        {"waiting", file_waiting},
                                        {"sessions", file_sessions},
                                        {"backlog", file_backlog},
                                        {"version", file_version},
                                        {"size", file_size},
                                        {"level", file_level},
                                        {"state", file_state},
                                        {"clients", file_clients},
                                        {"entries", file_entries},
                                        {"backup", file_backup},
                                        {"rest", file_rest},
                                        {"care", file_care},
                                        {"compact", file_compact},
                                        {"caring", file_caring},
                                        {"care_report", file_care_report},
                                        {NULL, NULL}};

const sl_lua_type sl_lua_server_file_type = {
    "syncline.core.server_file", sizeof(sl_lua_server_file), file_close, file_methods, NULL};

void sl_lua_open_server_file(lua_State *L) {
    sl_lua_register(L, &sl_lua_server_file_type);
    sl_lua_register(L, &text_box_type);
    sl_lua_open_client_rows(L);
    lua_pushcfunction(L, server_file);
    lua_setfield(L, -2, "file");
}
