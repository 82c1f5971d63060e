/* client_rows.c - see client_rows.h. */
#include "lua/client_rows.h"

#include "base/buf.h"
#include "lua/value.h"

/* Rows that Lua frees, whatever happens while they are used. */
typedef struct row_box {
    sl_lua_head head;
    sl_buf rows;
} row_box;

static void row_box_close(lua_State *L, void *self) {
    (void)L;
    sl_buf_free(&((row_box *)self)->rows);
}

static const sl_lua_type row_box_type = {"syncline.core.client_rows", sizeof(row_box),
                                         row_box_close, NULL, NULL};

void sl_lua_open_client_rows(lua_State *L) {
    sl_lua_register(L, &row_box_type);
}

/* Lua may run out of memory while a store visits, so rows are copied first and pushed afterwards.
 */
static bool copy_client(void *ctx, const sl_client_file *row) {
    sl_buf *rows = ctx;
    sl_buf_add(rows, row, sizeof(*row));
    sl_buf_str(rows, row->user);
    return !rows->failed;
}

static void set_int(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

static void push_client(lua_State *L, const sl_client_file *row, const char *user) {
    lua_createtable(L, 0, 8);
    set_int(L, "ident", row->ident);
    set_int(L, "type", row->type);
    set_int(L, "proxy", row->proxy);
    set_int(L, "client_version", row->client_version);
    set_int(L, "reciprocal_base", row->reciprocal_base);
    set_int(L, "locked_version", row->locked_version);
    set_int(L, "last_seen", (uint64_t)row->last_seen);
    lua_pushlstring(L, user, row->user.size);
    lua_setfield(L, -2, "user");
}

bool sl_lua_push_clients(lua_State *L, sl_store *store, sl_status *st) {
    row_box *box = sl_lua_new(L, &row_box_type);
    bool ok = store->vtbl->client_scan(store, copy_client, &box->rows, st);
    if (ok && box->rows.failed) ok = sl_fail_memory(st);
    if (!ok) return false;
    lua_newtable(L);
    int count = 0;
    for (size_t at = 0; at < box->rows.size;) {
        sl_client_file row;
        memcpy(&row, box->rows.data + at, sizeof(row));
        at += sizeof(row);
        push_client(L, &row, box->rows.data + at);
        lua_rawseti(L, -2, ++count);
        at += row.user.size;
    }
    return true;
}
