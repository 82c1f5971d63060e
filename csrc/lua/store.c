/* store.c - care for realm files as files: check, statistics, backup. */
#include "lua/check.h"
#include "lua/client_rows.h"
#include "lua/core.h"
#include "lua/value.h"
#include "store/sqlite_store.h"

/* A store that Lua closes, whatever happens in between. */
typedef struct store_box {
    sl_lua_head head;
    sl_store *store;
} store_box;

static void store_box_close(lua_State *L, void *self) {
    (void)L;
    store_box *box = self;
    if (box->store) box->store->vtbl->close(box->store);
}

static const sl_lua_type store_box_type = {"syncline.core.store", sizeof(store_box),
                                           store_box_close, NULL, NULL};

static const char *check_path(lua_State *L, int index) {
    sl_str path = sl_lua_check_str(L, index);
    luaL_argcheck(L, path.size > 0 && strlen(path.data) == path.size, index,
                  "a file name expected");
    return path.data;
}

static store_box *open_read_only(lua_State *L, sl_status *st) {
    const char *path = check_path(L, 1);
    sl_sqlite_options options = {.read_only = true, .must_exist = true};
    store_box *box = sl_lua_new(L, &store_box_type);
    return sl_sqlite_open(path, &options, &box->store, st) ? box : NULL;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

/* store.stat(path) -> table of numbers, or nil, message, code */
static int store_stat(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_sqlite_stat stat;
    store_box *box = open_read_only(L, &st);
    if (!box || !sl_sqlite_stat_read(box->store, &stat, &st)) return sl_lua_fail(L, &st);
    lua_createtable(L, 0, 13);
    set_count(L, "classes", stat.classes);
    set_count(L, "properties", stat.properties);
    set_count(L, "objects", stat.objects);
    set_count(L, "links", stat.links);
    set_count(L, "entries", stat.entries);
    set_count(L, "first_version", stat.first_version);
    set_count(L, "last_version", stat.last_version);
    set_count(L, "changeset_bytes", stat.changeset_bytes);
    set_count(L, "original_bytes", stat.original_bytes);
    set_count(L, "reciprocals", stat.reciprocals);
    set_count(L, "clients", stat.clients);
    set_count(L, "file_bytes", stat.file_bytes);
    set_count(L, "free_bytes", stat.free_bytes);
    return 1;
}

typedef struct finding_list {
    lua_State *L;
    int count;
} finding_list;

static void add_finding(void *ctx, const char *text) {
    finding_list *list = ctx;
    lua_pushstring(list->L, text);
    lua_rawseti(list->L, -2, ++list->count);
}

/* store.check(path) -> array of findings (empty: the file is sound), or nil, message, code */
static int store_check(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    uint64_t findings;
    store_box *box = open_read_only(L, &st);
    if (!box) return sl_lua_fail(L, &st);
    finding_list list = {L, 0};
    lua_newtable(L);
    if (!sl_sqlite_check(box->store, add_finding, &list, &findings, &st))
        return sl_lua_fail(L, &st);
    return 1;
}

/* store.clients(path) -> as file:clients() of a server's file, or nil, message, code */
static int store_clients(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    store_box *box = open_read_only(L, &st);
    return box && sl_lua_push_clients(L, box->store, &st) ? 1 : sl_lua_fail(L, &st);
}

/* store.backup(path, to) -> true, or nil, message, code */
static int store_backup(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    if (!sl_sqlite_backup(check_path(L, 1), check_path(L, 2), &st)) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

int sl_lua_open_store(lua_State *L) {
    static const luaL_Reg functions[] = {{"stat", store_stat},
                                         {"check", store_check},
                                         {"clients", store_clients},
                                         {"backup", store_backup},
                                         {NULL, NULL}};
    sl_lua_register(L, &store_box_type);
    sl_lua_open_client_rows(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
