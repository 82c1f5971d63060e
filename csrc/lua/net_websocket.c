/* net_websocket.c - a WebSocket connection for Lua, either side. */
#include "lua/net_core.h"

#include <math.h>

enum { CLOSED_CODE = 4402 };

/* Invariant: `ws` is NULL from on_close on, and `sink` too. */
struct sl_lua_connection {
    sl_lua_child child;
    sl_websocket *ws;
    sl_lua_sink *sink; /* NULL: the callbacks get everything */
};

typedef sl_lua_connection lua_connection;

static const char *const callbacks[] = {"on_open", "on_message", "on_skipped", "on_writable",
                                        "on_ping", "on_close",   NULL};

/* ---- events ---------------------------------------------------------------------------------- */

typedef struct event {
    lua_connection *c;
    const char *name;
    sl_str data;
    bool with_data;
    int code;
    const sl_status *why;       /* on_close only */
    const sl_http_head *answer; /* on_open only */
} event;

static int run_event(lua_State *L) {
    const event *e = lua_touserdata(L, 1);
    int args = 1;
    if (!sl_lua_push_callback(L, &e->c->child, e->name)) return 0;
    if (e->why) {
        lua_pushinteger(L, e->code);
        lua_pushlstring(L, e->data.size ? e->data.data : "", e->data.size);
        args += 2;
        if (e->why->cls != SL_OK) {
            lua_pushstring(L, e->why->message);
            sl_lua_push_code(L, e->why);
            args += 2;
        }
    } else if (e->with_data) {
        lua_pushlstring(L, e->data.size ? e->data.data : "", e->data.size);
        args++;
        if (e->answer) {
            sl_lua_push_fields(L, e->answer);
            args++;
        }
    }
    sl_lua_run_callback(L, args);
    return 0;
}

static void fire(lua_connection *c, const char *name, bool with_data, sl_str data) {
    event e = {.c = c, .name = name, .data = data, .with_data = with_data};
    if (c->child.loop) sl_lua_net_protect(c->child.loop, run_event, &e);
}

static void on_open(void *ctx, sl_str protocol, const sl_http_head *answer) {
    lua_connection *c = ctx;
    event e = {.c = c, .name = "on_open", .data = protocol, .with_data = true, .answer = answer};
    if (c->child.loop) sl_lua_net_protect(c->child.loop, run_event, &e);
}

typedef struct sink_event {
    sl_lua_sink *sink;
    sl_lua_socket_event event;
    sl_str data;
} sink_event;

static int run_sink(lua_State *L) {
    const sink_event *e = lua_touserdata(L, 1);
    e->sink->event(e->sink, L, e->event, e->data);
    return 0;
}

static void serve(lua_connection *c, sl_lua_socket_event what, const char *name, sl_str data) {
    if (!c->sink) {
        fire(c, name, what != SL_LUA_SOCKET_WRITABLE, data);
        return;
    }
    sink_event e = {c->sink, what, data};
    if (c->child.loop) sl_lua_net_protect(c->child.loop, run_sink, &e);
}

static void on_message(void *ctx, const char *data, size_t size) {
    serve(ctx, SL_LUA_SOCKET_MESSAGE, "on_message", sl_str_of(data, size));
}

static void on_skipped(void *ctx, const char *front, size_t size) {
    serve(ctx, SL_LUA_SOCKET_SKIPPED, "on_skipped", sl_str_of(front, size));
}

static void on_writable(void *ctx) {
    serve(ctx, SL_LUA_SOCKET_WRITABLE, "on_writable", sl_str_of(NULL, 0));
}

static void on_ping(void *ctx, const char *data, size_t size) {
    serve(ctx, SL_LUA_SOCKET_PING, "on_ping", sl_str_of(data, size));
}

static void on_close(void *ctx, int code, sl_str reason, const sl_status *why) {
    lua_connection *c = ctx;
    sl_lua_loop *loop = c->child.loop;
    event e = {.c = c, .name = "on_close", .data = reason, .code = code, .why = why};
    sl_lua_sink *sink = c->sink;
    c->ws = NULL;
    c->sink = NULL;
    if (sink) sink->gone(sink);
    if (!loop) return;
    sl_lua_net_protect(loop, run_event, &e);
    if (loop->L) sl_lua_child_end(loop->L, &c->child);
}

static const sl_websocket_events events = {on_open,     on_message, on_skipped,
                                           on_writable, on_ping,    on_close};

static void connection_end(sl_lua_child *child) {
    (void)child;
} /* sl_loop_free tells on_close */

/* ---- making one ------------------------------------------------------------------------------ */

void sl_lua_check_ws_options(lua_State *L, int options, sl_websocket_options *ws) {
    *ws = (sl_websocket_options){
        .limit = (size_t)sl_lua_option_int(L, options, "limit", 0, INT32_MAX, 0),
        .skip = (uint64_t)sl_lua_option_int(L, options, "skip", 0, INT32_MAX, 0),
        .high_water = (size_t)sl_lua_option_int(L, options, "high_water", 0, INT32_MAX, 0),
        .first_ms = sl_lua_option_ms(L, options, "first_timeout", 0),
        .idle_ms = sl_lua_option_ms(L, options, "idle_timeout", 0)};
}

static void begin(lua_State *L, lua_connection *c, int loop, int options) {
    sl_lua_child_begin(L, &c->child, loop, options, callbacks, connection_end);
}

/* The option `protocols`: a text, or a list of texts. Leaves one value on the stack. */
static sl_str check_protocols(lua_State *L, int options) {
    lua_getfield(L, options, "protocols");
    if (lua_isnil(L, -1)) return sl_str_of(NULL, 0);
    if (lua_type(L, -1) == LUA_TTABLE) {
        luaL_Buffer b;
        int list = lua_gettop(L);
        int n = (int)lua_rawlen(L, list);
        luaL_buffinit(L, &b);
        for (int i = 1; i <= n; i++) {
            if (i > 1) luaL_addstring(&b, ", ");
            lua_rawgeti(L, list, i);
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "option 'protocols': list of strings expected");
            luaL_addvalue(&b);
        }
        luaL_pushresult(&b);
        lua_replace(L, list);
    }
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "option 'protocols': string or list of strings expected");
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    return sl_str_of(text, size);
}

/* loop:connect_websocket{url=, protocols=, headers=, tls=, timeout=, limit=, on_...=} */
int sl_lua_loop_connect(lua_State *L) {
    sl_lua_loop *l = sl_lua_check(L, 1, &sl_lua_loop_type);
    sl_status st = SL_STATUS_INIT;
    sl_websocket_dial dial = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    sl_str url = sl_lua_option_str(L, 2, "url", NULL);
    if (!url.data) return luaL_error(L, "option 'url' is missing");
    dial.url = url.data;
    dial.protocols = check_protocols(L, 2);
    dial.fields = sl_lua_check_fields(L, 2, "headers", &dial.count);
    dial.connect_timeout_ms = sl_lua_option_ms(L, 2, "timeout", 0);
    sl_lua_check_tls_client(L, 2, &dial.tls);
    sl_lua_check_ws_options(L, 2, &dial.options);
    lua_connection *c = sl_lua_new(L, &sl_lua_connection_type);
    begin(L, c, 1, 2);
    c->ws = sl_websocket_connect(l->loop, &dial, &events, c, &st);
    if (c->ws) return 1;
    sl_lua_child_end(L, &c->child);
    return sl_lua_fail_or_raise(L, &st);
}

/* request:accept{protocol=, headers=, limit=, ..., on_...=} */
int sl_lua_accept(lua_State *L, sl_lua_child *request, sl_http_exchange *exchange) {
    sl_status st = SL_STATUS_INIT;
    sl_websocket_options options;
    size_t count = 0;
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    sl_str protocol = sl_lua_option_str(L, 2, "protocol", "");
    const sl_http_header *fields = sl_lua_check_fields(L, 2, "headers", &count);
    sl_lua_check_ws_options(L, 2, &options);
    (void)request;
    sl_lua_get_table(L, 1);
    lua_rawgeti(L, -1, 1);
    int loop = lua_gettop(L);
    lua_connection *c = sl_lua_new(L, &sl_lua_connection_type);
    begin(L, c, loop, 2);
    c->ws = sl_http_accept(exchange, protocol, fields, count, &options, &events, c, &st);
    if (c->ws) return 1;
    sl_lua_child_end(L, &c->child);
    return sl_lua_fail_or_raise(L, &st);
}

/* ---- served by C ----------------------------------------------------------------------------- */

sl_lua_connection *sl_lua_connection_serve(lua_State *L, int index, sl_lua_sink *sink) {
    lua_connection *c = luaL_checkudata(L, index, sl_lua_connection_type.name);
    luaL_argcheck(L, c->ws && !c->sink, index, "an open connection that nobody serves expected");
    c->sink = sink;
    return c;
}

void sl_lua_connection_unserve(sl_lua_connection *c) {
    c->sink = NULL;
}

bool sl_lua_connection_callback(lua_State *L, const sl_lua_connection *c, const char *name) {
    return c->child.loop && sl_lua_push_callback(L, &c->child, name);
}

sl_websocket *sl_lua_connection_socket(const sl_lua_connection *c) {
    return c->ws;
}

sl_lua_loop *sl_lua_connection_loop(const sl_lua_connection *c) {
    return c->child.loop;
}

/* ---- methods --------------------------------------------------------------------------------- */

static lua_connection *check(lua_State *L) {
    return luaL_checkudata(L, 1, sl_lua_connection_type.name);
}

static int gone(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_fail_code(&st, SL_ERR_CONNECTION, CLOSED_CODE, "the connection is closed");
    return sl_lua_fail(L, &st);
}

static int done(lua_State *L, bool ok, const sl_status *st) {
    if (ok) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (st->cls != SL_ERR_CONNECTION || st->code) return sl_lua_fail_or_raise(L, st);
    lua_pushnil(L);
    lua_pushstring(L, st->message);
    lua_pushliteral(L, "busy");
    return 3;
}

static int c_send(lua_State *L) {
    lua_connection *c = check(L);
    sl_str data = sl_lua_check_str(L, 2);
    sl_status st = SL_STATUS_INIT;
    if (!c->ws) return gone(L);
    return done(L, sl_websocket_send(c->ws, data.data, data.size, &st), &st);
}

static int c_ping(lua_State *L) {
    lua_connection *c = check(L);
    sl_str data = sl_lua_opt_str(L, 2, "");
    sl_status st = SL_STATUS_INIT;
    if (!c->ws) return gone(L);
    return done(L, sl_websocket_ping(c->ws, data.data, data.size, &st), &st);
}

static int c_close(lua_State *L) {
    lua_connection *c = check(L);
    int code = (int)sl_lua_opt_int(L, 2, 1000, 4999, SL_WS_NORMAL);
    sl_str reason = sl_lua_opt_str(L, 3, "");
    if (c->ws) sl_websocket_close(c->ws, code, reason);
    return 0;
}

static int c_abort(lua_State *L) {
    lua_connection *c = check(L);
    if (c->ws) sl_websocket_abort(c->ws);
    return 0;
}

static int c_pause(lua_State *L) {
    lua_connection *c = check(L);
    if (c->ws) sl_websocket_pause(c->ws, sl_lua_opt_bool(L, 2, true));
    return 0;
}

static int c_backlog(lua_State *L) {
    lua_connection *c = check(L);
    lua_pushinteger(L, c->ws ? (lua_Integer)sl_websocket_backlog(c->ws) : 0);
    return 1;
}

static int c_full(lua_State *L) {
    lua_connection *c = check(L);
    lua_pushboolean(L, c->ws && sl_websocket_full(c->ws));
    return 1;
}

static int c_peer(lua_State *L) {
    lua_connection *c = check(L);
    char text[80] = "";
    if (c->ws) sl_websocket_peer(c->ws, text, sizeof text);
    if (text[0])
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
    return 1;
}

static int c_tls(lua_State *L) {
    lua_connection *c = check(L);
    const char *version = c->ws ? sl_websocket_tls_version(c->ws) : "";
    if (version[0])
        lua_pushstring(L, version);
    else
        lua_pushnil(L);
    return 1;
}

/* connection:set{on_message=...}: replaces the callbacks that are named. */
static int c_set(lua_State *L) {
    lua_connection *c = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (!c->child.loop) return 0;
    sl_lua_get_table(L, 1);
    for (const char *const *name = callbacks; *name; name++) {
        if (sl_lua_option_function(L, 2, *name))
            lua_setfield(L, -2, *name);
        else
            lua_pop(L, 1);
    }
    return 0;
}

static void close_connection(lua_State *L, void *self) {
    lua_connection *c = self;
    if (c->ws) sl_websocket_abort(c->ws);
    (void)L;
}

static const luaL_Reg methods[] = {{"send", c_send},   {"ping", c_ping},   {"close", c_close},
                                   {"abort", c_abort}, {"pause", c_pause}, {"backlog", c_backlog},
                                   {"full", c_full},   {"peer", c_peer},   {"tls_version", c_tls},
                                   {"set", c_set},     {NULL, NULL}};

const sl_lua_type sl_lua_connection_type = {"syncline.connection", sizeof(lua_connection),
                                            close_connection, methods, NULL};
