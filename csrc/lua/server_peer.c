/* server_peer.c - a client's connection on the server joined to its socket: messages in, messages
 * out and deadlines, without Lua in between. */
#include "lua/server.h"

enum {
    KEEP_OUT = 1024, /* an idle connection keeps no more for its next message */
    /* Deadlines mostly move away with every message, so the timer is left alone until it fires,
     * unless it would fire much too late. */
    SLACK_MS = 60 * 1000
};

static sl_lua_server_connection *of_sink(sl_lua_sink *sink) {
    return (sl_lua_server_connection *)(void *)((char *)sink -
                                                offsetof(sl_lua_server_connection, sink));
}

void sl_lua_server_detach(sl_lua_server_connection *self) {
    if (!self->socket) return;
    sl_loop_timer_stop(self->loop, &self->timer);
    sl_loop_undefer(self->loop, &self->pump);
    sl_lua_connection_unserve(self->socket);
    self->socket = NULL;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void produce(sl_lua_server_connection *self, sl_websocket *ws) {
    bool any = true;
    while (any && !sl_websocket_full(ws)) {
        sl_buf_clear(&self->out);
        if (!sl_server_connection_send(self->connection, &self->out, &any, NULL) || !any) break;
        if (!sl_websocket_send(ws, self->out.data, self->out.size, NULL)) break;
    }
    if (self->out.capacity > KEEP_OUT) sl_buf_free(&self->out);
}

static void obey(sl_lua_server_connection *self, sl_websocket *ws) {
    sl_wish wish = sl_server_connection_wish(self->connection);
    if (wish.kind == SL_WISH_STAY) return;
    self->leaving = true;
    if (wish.kind == SL_WISH_CLOSE)
        sl_websocket_close(ws, wish.code, wish.reason);
    else
        sl_websocket_abort(ws);
}

static void arm(sl_lua_server_connection *self) {
    int64_t deadline = sl_server_connection_deadline(self->connection);
    if (deadline == INT64_MAX) return;
    if (self->timer.active && deadline > self->timer.due_ms - SLACK_MS) return;
    sl_loop_timer_start(self->loop, &self->timer, deadline - sl_loop_now(self->loop));
}

/* What the sessions have to say goes out as far as the socket takes it. */
static void pump(lua_State *L, sl_lua_server_connection *self) {
    sl_websocket *ws = self->socket ? sl_lua_connection_socket(self->socket) : NULL;
    if (!self->connection || !ws) return;
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_step(self->connection);
    if (!self->leaving) {
        produce(self, ws);
        obey(self, ws);
    }
    sl_lua_server_leave(&self->part, before);
    arm(self);
}

static int run_pump(lua_State *L) {
    pump(L, lua_touserdata(L, 1));
    return 0;
}

static void on_due(void *ctx) {
    sl_lua_server_connection *self = ctx;
    if (self->socket) sl_lua_net_protect(sl_lua_connection_loop(self->socket), run_pump, self);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void receive(lua_State *L, sl_lua_server_connection *self, sl_str data) {
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_receive(self->connection, data.data, data.size, NULL);
    sl_lua_server_leave(&self->part, before);
}

static void on_event(sl_lua_sink *sink, lua_State *L, sl_lua_socket_event event, sl_str data) {
    sl_lua_server_connection *self = of_sink(sink);
    if (!self->connection) return;
    if (event == SL_LUA_SOCKET_PING) {
        sl_server_connection_receive_ping(self->connection, data.data, data.size);
        return;
    }
    if (event == SL_LUA_SOCKET_SKIPPED)
        sl_server_connection_receive_skipped(self->connection, data.data, data.size);
    if (event == SL_LUA_SOCKET_MESSAGE) receive(L, self, data);
    pump(L, self);
}

static void on_gone(sl_lua_sink *sink) {
    sl_lua_server_detach(of_sink(sink));
}

/* ---- methods --------------------------------------------------------------------------------- */

/* connection:attach(socket): from now on messages pass between the two, deadlines are kept and
 * wishes obeyed without any Lua function being called; of the socket's callbacks only on_close
 * matters. `wake` is not called any more. The socket keeps the connection. */
int sl_lua_server_attach(lua_State *L) {
    sl_lua_server_connection *self = sl_lua_check(L, 1, &sl_lua_server_connection_type);
    luaL_argcheck(L, !self->socket, 1, "the connection has a socket already");
    self->sink = (sl_lua_sink){on_event, on_gone};
    sl_lua_connection *socket = sl_lua_connection_serve(L, 2, &self->sink);
    sl_lua_get_table(L, 2);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "served");
    self->socket = socket;
    self->loop = sl_lua_connection_loop(socket)->loop;
    self->timer.fire = on_due;
    self->pump.run = on_due;
    self->timer.ctx = self->pump.ctx = self;
    pump(L, self);
    return 0;
}

/* connection:pump(): after something that it is to do at once (revoke, shutdown, expire_in) */
int sl_lua_server_pump(lua_State *L) {
    pump(L, sl_lua_check(L, 1, &sl_lua_server_connection_type));
    return 0;
}
