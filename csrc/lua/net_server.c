/* net_server.c - a listening server and its requests for Lua. */
#include "lua/net_core.h"

#include <limits.h>

typedef struct lua_server {
    sl_lua_child child;
    sl_http_server *server;
    size_t max_body;
} lua_server;

/* Invariant: `exchange` is NULL once answered or abandoned. The user value holds the callbacks
 * (here none), the loop, and under "fields" what the request says. */
typedef struct lua_request {
    sl_lua_child child;
    sl_http_exchange *exchange;
} lua_request;

/* ---- requests -------------------------------------------------------------------------------- */

static void set_str(lua_State *L, const char *name, sl_str s) {
    lua_pushlstring(L, s.size ? s.data : "", s.size);
    lua_setfield(L, -2, name);
}

static void push_request_fields(lua_State *L, sl_http_exchange *x) {
    const sl_http_head *head = sl_http_exchange_head(x);
    char peer[80];
    lua_newtable(L);
    set_str(L, "method", head->method);
    set_str(L, "target", head->target);
    set_str(L, "path", head->path);
    set_str(L, "query", head->query);
    set_str(L, "authority", head->authority);
    set_str(L, "body", sl_http_exchange_body(x));
    sl_http_exchange_peer(x, peer, sizeof peer);
    lua_pushstring(L, peer);
    lua_setfield(L, -2, "peer");
    lua_pushstring(L, sl_http_exchange_tls(x));
    lua_setfield(L, -2, "tls_version");
    lua_pushboolean(L, head->websocket);
    lua_setfield(L, -2, "is_upgrade");
    sl_lua_push_fields(L, head);
    lua_setfield(L, -2, "headers");
}

static void request_end(sl_lua_child *child) {
    ((lua_request *)child)->exchange = NULL;
}

typedef struct request_call {
    lua_server *server;
    sl_http_exchange *exchange;
    const char *callback;
} request_call;

static int run_request(lua_State *L) {
    request_call *call = lua_touserdata(L, 1);
    lua_server *s = call->server;
    if (!sl_lua_push_callback(L, &s->child, call->callback)) return luaL_error(L, "no handler");
    int server = lua_gettop(L); /* callback, server */
    sl_lua_get_table(L, server);
    lua_rawgeti(L, -1, 1);
    int loop = lua_gettop(L);
    lua_request *r = sl_lua_new(L, &sl_lua_request_type);
    sl_lua_child_begin(L, &r->child, loop, 0, NULL, request_end);
    r->exchange = call->exchange;
    sl_http_exchange_set_data(call->exchange, r);
    sl_lua_get_table(L, -1);
    push_request_fields(L, call->exchange);
    lua_setfield(L, -2, "fields");
    lua_pop(L, 1);
    lua_replace(L, server);
    lua_settop(L, server);
    sl_lua_run_callback(L, 1);
    return 0;
}

static void forget_request(lua_request *r) {
    r->exchange = NULL;
    if (r->child.loop && r->child.loop->L) sl_lua_child_end(r->child.loop->L, &r->child);
}

static void handle(lua_server *s, sl_http_exchange *x, const char *callback) {
    request_call call = {s, x, callback};
    if (sl_lua_net_protect(s->child.loop, run_request, &call)) return;
    /* The handler failed. If it had not answered yet, the peer shall not wait for ever. */
    lua_request *r = sl_http_exchange_data(x);
    if (r && !r->exchange) return;
    sl_http_respond(x, 500, NULL, 0, sl_str_of(NULL, 0), NULL);
    if (r) forget_request(r);
}

static void on_request(void *ctx, sl_http_exchange *x) {
    handle(ctx, x, "on_request");
}
static void on_upgrade(void *ctx, sl_http_exchange *x) {
    handle(ctx, x, "on_upgrade");
}

static void on_abandon(void *ctx, sl_http_exchange *x) {
    lua_request *r = sl_http_exchange_data(x);
    (void)ctx;
    if (r) forget_request(r);
}

typedef struct limit_call {
    lua_server *server;
    const sl_http_head *head;
    size_t limit;
} limit_call;

static int run_limit(lua_State *L) {
    limit_call *call = lua_touserdata(L, 1);
    if (!sl_lua_push_callback(L, &call->server->child, "body_limit")) return 0;
    lua_pop(L, 1);
    lua_pushlstring(L, call->head->method.data, call->head->method.size);
    lua_pushlstring(L, call->head->path.data, call->head->path.size);
    if (!sl_lua_call(L, 2, 1)) return lua_error(L);
    lua_Number limit = lua_tonumber(L, -1);
    if (limit > 0 && limit < 4e9) call->limit = (size_t)limit;
    return 0;
}

static size_t body_limit(void *ctx, const sl_http_head *head) {
    lua_server *s = ctx;
    limit_call call = {s, head, s->max_body};
    sl_lua_net_protect(s->child.loop, run_limit, &call);
    return call.limit;
}

static const sl_http_server_events events = {body_limit, on_request, on_upgrade, on_abandon};
static const sl_http_server_events without_upgrade = {body_limit, on_request, NULL, on_abandon};

static lua_request *check_request(lua_State *L) {
    return luaL_checkudata(L, 1, sl_lua_request_type.name);
}

static int gone(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_fail(&st, SL_ERR_CONNECTION, "", "the request is answered, or its connection is gone");
    return sl_lua_fail(L, &st);
}

/* request:respond{status=, headers=, body=} */
static int r_respond(lua_State *L) {
    lua_request *r = check_request(L);
    sl_status st = SL_STATUS_INIT;
    size_t count = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    unsigned status = (unsigned)sl_lua_option_int(L, 2, "status", 200, 599, 200);
    const sl_http_header *fields = sl_lua_check_fields(L, 2, "headers", &count);
    sl_str body = sl_lua_option_str(L, 2, "body", "");
    if (!r->exchange) return gone(L);
    if (!sl_http_respond(r->exchange, status, fields, count, body, &st))
        return sl_lua_fail_or_raise(L, &st);
    r->exchange = NULL;
    sl_lua_child_end(L, &r->child);
    lua_pushboolean(L, 1);
    return 1;
}

static int r_accept(lua_State *L) {
    lua_request *r = check_request(L);
    if (!r->exchange) return gone(L);
    int results = sl_lua_accept(L, &r->child, r->exchange);
    if (results == 1) {
        r->exchange = NULL;
        sl_lua_child_end(L, &r->child);
    }
    return results;
}

static int r_waiting(lua_State *L) {
    lua_pushboolean(L, check_request(L)->exchange != NULL);
    return 1;
}

static const luaL_Reg request_methods[] = {
    {"respond", r_respond}, {"accept", r_accept}, {"waiting", r_waiting}, {NULL, NULL}};

/* Methods, then what the request says. */
static int r_index(lua_State *L) {
    check_request(L);
    for (const luaL_Reg *m = request_methods; m->name; m++) {
        if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), m->name) == 0) {
            lua_pushcfunction(L, m->func);
            return 1;
        }
    }
    sl_lua_get_table(L, 1);
    lua_getfield(L, -1, "fields");
    if (!lua_istable(L, -1)) return 0;
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static const luaL_Reg request_metamethods[] = {{"__index", r_index}, {NULL, NULL}};

static void request_close(lua_State *L, void *self) {
    (void)L;
    ((lua_request *)self)->exchange = NULL;
}

const sl_lua_type sl_lua_request_type = {"syncline.request", sizeof(lua_request), request_close,
                                         NULL, request_metamethods};

/* ---- the server ------------------------------------------------------------------------------ */

static void server_end(sl_lua_child *child) {
    lua_server *s = (lua_server *)child;
    sl_http_server_free(s->server);
    s->server = NULL;
}

/* Borrows from the table at `index`. */
static void read_tls(lua_State *L, int index, sl_tls_server *tls) {
    tls->cert_file = sl_lua_option_str(L, index, "cert", NULL).data;
    tls->key_file = sl_lua_option_str(L, index, "key", NULL).data;
    tls->min = sl_lua_check_tls_min(L, index);
    if (!tls->cert_file || !tls->key_file)
        luaL_error(L, "option 'tls': 'cert' and 'key' are needed");
}

static bool check_tls(lua_State *L, sl_tls_server *tls) {
    lua_getfield(L, 2, "tls"); /* stays on the stack: the strings are borrowed */
    if (!lua_toboolean(L, -1)) return false;
    if (!lua_istable(L, -1)) luaL_error(L, "option 'tls': table or false expected");
    read_tls(L, lua_gettop(L), tls);
    return true;
}

static size_t size_option(lua_State *L, const char *name) {
    return (size_t)sl_lua_option_int(L, 2, name, 0, INT32_MAX, 0);
}

/* loop:listen{host=, port=, or socket=path, tls={cert=, key=, min=}, on_request=, on_upgrade=,
 * body_limit=, ...} */
int sl_lua_loop_listen(lua_State *L) {
    static const char *const names[] = {"on_request", "on_upgrade", "body_limit", NULL};
    sl_lua_loop *l = sl_lua_check(L, 1, &sl_lua_loop_type);
    sl_status st = SL_STATUS_INIT;
    sl_tls_server tls = {0};
    sl_http_server_options options = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    options.host = sl_lua_option_str(L, 2, "host", "127.0.0.1").data;
    options.socket = sl_lua_option_str(L, 2, "socket", NULL).data;
    options.port = (uint16_t)sl_lua_option_int(L, 2, "port", 0, 65535, 0);
    if (check_tls(L, &tls)) options.tls = &tls;
    options.max_connections = size_option(L, "max_connections");
    options.max_per_address = size_option(L, "max_per_address");
    options.limits.request_line = size_option(L, "max_request_line");
    options.limits.head = size_option(L, "max_head");
    options.limits.fields = size_option(L, "max_fields");
    options.handshake_ms = sl_lua_option_ms(L, 2, "handshake_timeout", 0);
    options.head_ms = sl_lua_option_ms(L, 2, "head_timeout", 0);
    options.body_ms = sl_lua_option_ms(L, 2, "body_timeout", 0);
    options.keep_alive_ms = sl_lua_option_ms(L, 2, "keep_alive_timeout", 0);
    size_t max_body = size_option(L, "max_body");
    if (!sl_lua_option_function(L, 2, "on_request"))
        return luaL_error(L, "option 'on_request' is missing");
    bool upgrade = sl_lua_option_function(L, 2, "on_upgrade");
    lua_pop(L, 2);
    lua_server *s = sl_lua_new(L, &sl_lua_server_type);
    s->max_body = max_body ? max_body : sl_http_default_limits.body;
    sl_lua_child_begin(L, &s->child, 1, 2, names, server_end);
    s->server = sl_http_server_new(l->loop, &options, upgrade ? &events : &without_upgrade, s, &st);
    if (s->server) return 1;
    sl_lua_child_end(L, &s->child);
    return sl_lua_fail_or_raise(L, &st);
}

static lua_server *check_server(lua_State *L) {
    lua_server *s = luaL_checkudata(L, 1, sl_lua_server_type.name);
    if (!s->server) luaL_error(L, "the server is closed");
    return s;
}

static int s_port(lua_State *L) {
    lua_pushinteger(L, sl_http_server_port(check_server(L)->server));
    return 1;
}

/* server:set_tls{cert=, key=, min=} -> true, or nil, message, code: for connections from now on */
static int s_set_tls(lua_State *L) {
    lua_server *s = check_server(L);
    sl_status st = SL_STATUS_INIT;
    sl_tls_server tls = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    read_tls(L, 2, &tls);
    if (!sl_http_server_set_tls(s->server, &tls, &st)) return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

static int s_count(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)sl_http_server_count(check_server(L)->server));
    return 1;
}

static int s_stop(lua_State *L) {
    sl_http_server_stop(check_server(L)->server);
    return 0;
}

/* Its handlers are not called any more; requests that wait are abandoned through their own data. */
static int s_close(lua_State *L) {
    lua_server *s = luaL_checkudata(L, 1, sl_lua_server_type.name);
    if (s->server) sl_http_server_free(s->server);
    s->server = NULL;
    sl_lua_child_end(L, &s->child);
    return 0;
}

static void server_close(lua_State *L, void *self) {
    lua_server *s = self;
    (void)L;
    if (s->server && s->child.loop) sl_http_server_free(s->server);
    s->server = NULL;
}

static const luaL_Reg server_methods[] = {{"port", s_port},   {"set_tls", s_set_tls},
                                          {"count", s_count}, {"stop", s_stop},
                                          {"close", s_close}, {NULL, NULL}};

const sl_lua_type sl_lua_server_type = {"syncline.server_port", sizeof(lua_server), server_close,
                                        server_methods, NULL};
