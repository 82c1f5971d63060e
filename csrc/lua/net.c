/* net.c - syncline.core.net: loop, servers, WebSockets, requests, certificates. */
#include "lua/core.h"
#include "lua/net_core.h"
#include "net/http_client.h"
#include "net/tls_cert.h"

#include <limits.h>
#include <math.h>
#include <signal.h>

/* ---- options --------------------------------------------------------------------------------- */

int sl_lua_option_ms(lua_State *L, int index, const char *name, int fallback) {
    double seconds = sl_lua_option_number(L, index, name, -1);
    if (seconds < 0) return fallback;
    if (seconds > 2e6) luaL_error(L, "option '%s': at most 2,000,000 seconds", name);
    return seconds == 0 ? 0 : (int)ceil(seconds * 1000);
}

sl_tls_min sl_lua_check_tls_min(lua_State *L, int table) {
    const char *min = sl_lua_option_str(L, table, "min", "1.3").data;
    if (strcmp(min, "1.3") == 0) return SL_TLS_1_3;
    if (strcmp(min, "1.2") == 0) return SL_TLS_1_2;
    luaL_error(L, "option 'tls.min': '1.3' or '1.2' expected, got '%s'", min);
    return SL_TLS_1_3;
}

void sl_lua_check_tls_client(lua_State *L, int options, sl_tls_client *tls) {
    static const char *const known[] = {"ca", "min", "verify", NULL};
    lua_getfield(L, options, "tls"); /* stays on the stack: the strings are borrowed */
    *tls = (sl_tls_client){0};
    if (!lua_toboolean(L, -1)) return;
    if (!lua_istable(L, -1)) luaL_error(L, "option 'tls': table expected");
    int table = lua_gettop(L);
    sl_lua_check_options(L, table, known);
    tls->ca_file = sl_lua_option_str(L, table, "ca", NULL).data;
    tls->no_verify = !sl_lua_option_bool(L, table, "verify", true);
    tls->min = sl_lua_check_tls_min(L, table);
}

/* ---- header fields --------------------------------------------------------------------------- */

typedef struct field_list {
    sl_http_header *fields; /* NULL while counting */
    size_t count;
} field_list;

static void add_field(lua_State *L, field_list *list, int name, int value) {
    if (lua_type(L, name) != LUA_TSTRING || lua_type(L, value) != LUA_TSTRING)
        luaL_error(L, "header fields: names and values must be strings");
    if (list->fields) {
        size_t name_size, value_size;
        const char *n = lua_tolstring(L, name, &name_size);
        const char *v = lua_tolstring(L, value, &value_size);
        list->fields[list->count] =
            (sl_http_header){sl_str_of(n, name_size), sl_str_of(v, value_size)};
    }
    list->count++;
}

/* The table keeps the strings alive, so they may leave the stack. */
static void walk_fields(lua_State *L, int table, field_list *list) {
    list->count = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        int key = lua_gettop(L) - 1, value = key + 1;
        bool pair = lua_type(L, key) == LUA_TNUMBER && lua_istable(L, value);
        if (pair) {
            lua_rawgeti(L, value, 1);
            lua_rawgeti(L, value, 2);
            add_field(L, list, value + 1, value + 2);
            lua_pop(L, 2);
        } else if (lua_istable(L, value)) {
            int n = (int)lua_rawlen(L, value);
            for (int i = 1; i <= n; i++) {
                lua_rawgeti(L, value, i);
                add_field(L, list, key, value + 1);
                lua_pop(L, 1);
            }
        } else {
            add_field(L, list, key, value);
        }
    }
}

const sl_http_header *sl_lua_check_fields(lua_State *L, int options, const char *name,
                                          size_t *count) {
    field_list list = {NULL, 0};
    *count = 0;
    lua_getfield(L, options, name);
    if (lua_isnil(L, -1)) return NULL;
    if (!lua_istable(L, -1)) luaL_error(L, "option '%s': table expected", name);
    int table = lua_gettop(L);
    walk_fields(L, table, &list);
    list.fields = lua_newuserdata(L, (list.count + 1) * sizeof *list.fields);
    walk_fields(L, table, &list);
    *count = list.count;
    return list.fields;
}

void sl_lua_push_fields(lua_State *L, const sl_http_head *head) {
    lua_newtable(L);
    for (size_t i = 0; i < head->count; i++) {
        sl_str name = head->fields[i].name, value = head->fields[i].value;
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        for (uint32_t k = 0; k < name.size; k++) {
            char c = name.data[k];
            luaL_addchar(&b, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
        }
        luaL_pushresult(&b);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, value.size ? value.data : "", value.size);
        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, value.size ? value.data : "", value.size);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

typedef struct lua_call_object {
    sl_lua_child child;
    sl_http_call *call; /* NULL when it is over */
} lua_call_object;

typedef struct answer {
    lua_call_object *c;
    const sl_http_head *head;
    sl_str body;
    const sl_status *why;
} answer;

static int run_answer(lua_State *L) {
    const answer *a = lua_touserdata(L, 1);
    if (!sl_lua_push_callback(L, &a->c->child, "on_done")) return 0;
    lua_pop(L, 1); /* the call itself is not an argument */
    if (a->why) {
        sl_lua_fail(L, a->why);
        sl_lua_run_callback(L, 3);
        return 0;
    }
    lua_newtable(L);
    lua_pushinteger(L, (lua_Integer)a->head->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, a->body.size ? a->body.data : "", a->body.size);
    lua_setfield(L, -2, "body");
    sl_lua_push_fields(L, a->head);
    lua_setfield(L, -2, "headers");
    sl_lua_run_callback(L, 1);
    return 0;
}

static void on_done(void *ctx, const sl_http_head *head, sl_str body, const sl_status *why) {
    lua_call_object *c = ctx;
    sl_lua_loop *loop = c->child.loop;
    answer a = {c, head, body, why};
    c->call = NULL;
    if (!loop) return;
    sl_lua_net_protect(loop, run_answer, &a);
    if (loop->L) sl_lua_child_end(loop->L, &c->child);
}

static void call_end(sl_lua_child *child) {
    lua_call_object *c = (lua_call_object *)child;
    if (c->call) sl_http_call_cancel(c->call);
    c->call = NULL;
}

/* loop:request{url=, method=, headers=, body=, tls=, timeout=, max_body=,
 * public_only=, socket=, on_done=} */
int sl_lua_loop_request(lua_State *L) {
    static const char *const names[] = {"on_done", NULL};
    static const char *const known[] = {"url",    "method",  "headers",  "body",
                                        "tls",    "timeout", "max_body", "public_only",
                                        "socket", "on_done", NULL};
    sl_lua_loop *l = sl_lua_check(L, 1, &sl_lua_loop_type);
    sl_status st = SL_STATUS_INIT;
    sl_http_call_options options = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    sl_lua_check_options(L, 2, known);
    options.url = sl_lua_option_str(L, 2, "url", NULL).data;
    if (!options.url) return luaL_error(L, "option 'url' is missing");
    options.method = sl_lua_option_str(L, 2, "method", "GET").data;
    options.body = sl_lua_option_str(L, 2, "body", "");
    options.fields = sl_lua_check_fields(L, 2, "headers", &options.count);
    options.timeout_ms = sl_lua_option_ms(L, 2, "timeout", 0);
    options.max_body = (size_t)sl_lua_option_int(L, 2, "max_body", 0, INT32_MAX, 0);
    options.socket = sl_lua_option_str(L, 2, "socket", NULL).data;
    options.public_only = sl_lua_option_bool(L, 2, "public_only", false);
    sl_lua_check_tls_client(L, 2, &options.tls);
    lua_call_object *c = sl_lua_new(L, &sl_lua_call_type);
    sl_lua_child_begin(L, &c->child, 1, 2, names, call_end);
    c->call = sl_http_call_new(l->loop, &options, on_done, c, &st);
    if (c->call) return 1;
    sl_lua_child_end(L, &c->child);
    return sl_lua_fail_or_raise(L, &st);
}

static int call_cancel(lua_State *L) {
    lua_call_object *c = luaL_checkudata(L, 1, sl_lua_call_type.name);
    if (c->call) sl_http_call_cancel(c->call);
    c->call = NULL;
    sl_lua_child_end(L, &c->child);
    return 0;
}

static void call_close(lua_State *L, void *self) {
    lua_call_object *c = self;
    if (c->call && c->child.loop) sl_http_call_cancel(c->call);
    c->call = NULL;
    sl_lua_child_end(L, &c->child);
}

static const luaL_Reg call_methods[] = {{"cancel", call_cancel}, {NULL, NULL}};

const sl_lua_type sl_lua_call_type = {"syncline.http_call", sizeof(lua_call_object), call_close,
                                      call_methods, NULL};

/* ---- the part -------------------------------------------------------------------------------- */

/* net.certificate(directory [, host]) -> cert, key, created */
static int net_certificate(lua_State *L) {
    const char *directory = luaL_checkstring(L, 1);
    const char *host = luaL_optstring(L, 2, NULL);
    sl_status st = SL_STATUS_INIT;
    char *cert, *key;
    bool created;
    if (!sl_tls_cert_ensure(NULL, directory, host, &cert, &key, &created, &st))
        return sl_lua_fail_or_raise(L, &st);
    lua_pushstring(L, cert);
    lua_pushstring(L, key);
    lua_pushboolean(L, created);
    sl_delete(NULL, cert);
    sl_delete(NULL, key);
    return 3;
}

/* net.default_signals(): Ctrl-C ends the process at once again, also inside a call of C, instead of
 * asking the interpreter to raise an error when it is back in Lua */
static int net_default_signals(lua_State *L) {
    (void)L;
    signal(SIGINT, SIG_DFL);
    return 0;
}

int sl_lua_open_net(lua_State *L) {
    static const luaL_Reg functions[] = {{"loop", sl_lua_net_loop},
                                         {"certificate", net_certificate},
                                         {"default_signals", net_default_signals},
                                         {NULL, NULL}};
    sl_lua_register(L, &sl_lua_loop_type);
    sl_lua_register(L, &sl_lua_timer_type);
    sl_lua_register(L, &sl_lua_server_type);
    sl_lua_register(L, &sl_lua_request_type);
    sl_lua_register(L, &sl_lua_connection_type);
    sl_lua_register(L, &sl_lua_call_type);
    sl_lua_register(L, &sl_lua_workers_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
