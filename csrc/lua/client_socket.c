/* client_socket.c - a connection to a server joined to its socket: messages wait for the end of the
 * loop's turn, where all that came together is dealt with, answers go out and deadlines are set,
 * without Lua in between as long as there is nothing to tell. */
#include "lua/client.h"

#include <string.h>

enum {
    MOST = 64,              /* messages handed in at once */
    KEEP_BYTES = 64 * 1024, /* of buffers between messages */
    INBOX_BYTES = 1 << 20,  /* that wait before the socket is read on */
    BYTES_PER_STEP = 16     /* of what is sent */
};

static sl_lua_client_connection *of_sink(sl_lua_sink *sink) {
    return (sl_lua_client_connection *)(void *)((char *)sink -
                                                offsetof(sl_lua_client_connection, sink));
}

void sl_lua_client_detach(sl_lua_client_connection *self) {
    if (!self->socket) return;
    sl_loop_timer_stop(self->loop, &self->timer);
    sl_loop_undefer(self->loop, &self->task);
    sl_lua_connection_unserve(self->socket);
    self->socket = NULL;
}

/* ---- traffic --------------------------------------------------------------------------------- */

/* The last three numbers of an UPLOAD's or DOWNLOAD's head, at most `end`: whether the body is
 * compressed, its size before, and after. */
static bool last_numbers(const char *data, size_t end, uint64_t numbers[3]) {
    for (int i = 2; i >= 0; i--) {
        uint64_t unit = 1;
        size_t start = end;
        numbers[i] = 0;
        for (; start > 0 && data[start - 1] >= '0' && data[start - 1] <= '9'; start--) {
            numbers[i] += unit * (uint64_t)(data[start - 1] - '0');
            unit *= 10;
        }
        if (start == end || start == 0 || end - start > 18) return false;
        end = start - 1;
    }
    return numbers[0] == 1;
}

/* An UPLOAD has three more numbers behind those. */
static size_t end_of_sizes(const char *data, size_t size, bool upload) {
    const char *line = memchr(data, '\n', size);
    size_t end = line ? (size_t)(line - data) : 0;
    for (int blanks = upload ? 3 : 0; blanks > 0 && end > 0;)
        if (data[--end] == ' ') blanks--;
    return end;
}

static uint64_t size_without_compression(const char *data, size_t size) {
    static const char upload[] = "upload ", download[] = "download ";
    bool up = size > sizeof upload && memcmp(data, upload, sizeof upload - 1) == 0;
    bool down = size > sizeof download && memcmp(data, download, sizeof download - 1) == 0;
    uint64_t numbers[3];
    if (!up && !down) return size;
    if (!last_numbers(data, end_of_sizes(data, size, up), numbers)) return size;
    return size + numbers[1] - numbers[2];
}

static void count(sl_lua_client_connection *self, uint64_t *way, const char *data, size_t size) {
    *way += size;
    self->traffic.uncompressed += size_without_compression(data, size);
    self->traffic.messages++;
}

/* ---- messages in ----------------------------------------------------------------------------- */

static bool writing(const sl_lua_client_connection *self) {
    for (const sl_lua_client_session *s = self->sessions; s; s = s->next)
        if (s->realm->history && sl_client_history_writing(s->realm->history)) return true;
    return false;
}

/* The messages that wait, up to MOST of them. */
static size_t list_inbox(const sl_lua_client_connection *self, sl_str *messages) {
    size_t at = self->taken, found = 0;
    while (at < self->inbox.size && found < MOST) {
        uint32_t size;
        memcpy(&size, self->inbox.data + at, sizeof size);
        messages[found++] = sl_str_of(self->inbox.data + at + sizeof size, size);
        at += sizeof size + size;
    }
    return found;
}

static void take_from_inbox(sl_lua_client_connection *self, const sl_str *messages, size_t number) {
    for (size_t i = 0; i < number; i++)
        self->taken += sizeof(uint32_t) + messages[i].size;
    if (self->taken < self->inbox.size) return;
    self->taken = 0;
    sl_buf_clear(&self->inbox);
    if (self->inbox.capacity > KEEP_BYTES) sl_buf_free(&self->inbox);
}

/* Whether there is budget for more in this step of the loop; the next one goes on. */
static bool may_work(sl_lua_client_connection *self) {
    if (!self->pace) return true;
    self->held = !sl_lua_loop_may_work(self->pace);
    return !self->held;
}

/* Deals with what has come until something is to be told, or the budget of the loop's step is used
 * up. False with `st`: out of memory. */
static bool read_inbox(sl_lua_client_connection *self, sl_status *st) {
    sl_str messages[MOST];
    size_t there, done;
    sl_steps all = {.limit = 0}, *steps = self->pace ? &self->pace->work : &all;
    while (!sl_client_connection_has_events(self->connection) &&
           (there = list_inbox(self, messages)) > 0) {
        if (writing(self) || !may_work(self)) return true;
        bool ok = sl_client_connection_receive_some(self->connection, self->attempt, messages,
                                                    there, steps, &done, st);
        take_from_inbox(self, messages, done);
        for (sl_lua_client_session *s = self->sessions; s; s = s->next)
            sl_lua_realm_touched(s->realm);
        if (!ok) return false;
    }
    return true;
}

/* ---- messages out ---------------------------------------------------------------------------- */

static bool produce(sl_lua_client_connection *self, sl_status *st) {
    sl_websocket *ws = self->socket ? sl_lua_connection_socket(self->socket) : NULL;
    bool any = true, ok = true;
    while (ok && any && ws && !sl_websocket_full(ws) && may_work(self)) {
        sl_buf_clear(&self->out);
        ok = sl_client_connection_send(self->connection, &self->out, &any, st);
        if (!ok || !any) break;
        if (!sl_websocket_send(ws, self->out.data, self->out.size, NULL)) break;
        count(self, &self->traffic.sent, self->out.data, self->out.size);
        if (self->pace) sl_steps_take(&self->pace->work, self->out.size / BYTES_PER_STEP);
    }
    if (self->out.capacity > KEEP_BYTES) sl_buf_free(&self->out);
    return ok;
}

static void arm(sl_lua_client_connection *self) {
    if (!self->socket) return;
    int64_t deadline = sl_client_connection_deadline(self->connection);
    sl_websocket *ws = sl_lua_connection_socket(self->socket);
    if (ws) sl_websocket_pause(ws, self->inbox.size - self->taken > INBOX_BYTES);
    if (self->held) deadline = sl_loop_now(self->loop);
    if (deadline == INT64_MAX)
        sl_loop_timer_stop(self->loop, &self->timer);
    else if (!self->timer.active || self->timer.due_ms != deadline)
        sl_loop_timer_start(self->loop, &self->timer, deadline - sl_loop_now(self->loop));
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool turn(sl_lua_client_connection *self, sl_status *st) {
    self->held = false;
    bool ok = read_inbox(self, st) && (self->held || produce(self, st));
    arm(self);
    return ok;
}

/* The wake function was kept in the socket's table. */
static int run_turn(lua_State *L) {
    sl_lua_client_connection *self = lua_touserdata(L, 1);
    sl_status st = SL_STATUS_INIT;
    if (!self->connection || !self->socket) return 0;
    if (!sl_client_connection_step(self->connection, &st) || !turn(self, &st))
        return sl_lua_fail_or_raise(L, &st);
    if (!self->connection) return 0;
    if (!self->eager && !sl_client_connection_has_events(self->connection)) return 0;
    if (sl_lua_connection_callback(L, self->socket, "wake")) sl_lua_run_callback(L, 1);
    return 0;
}

static void on_turn(void *ctx) {
    sl_lua_client_connection *self = ctx;
    if (self->socket) sl_lua_net_protect(sl_lua_connection_loop(self->socket), run_turn, self);
}

static void on_event(sl_lua_sink *sink, lua_State *L, sl_lua_socket_event event, sl_str data) {
    sl_lua_client_connection *self = of_sink(sink);
    if (!self->connection || event == SL_LUA_SOCKET_PING) return;
    if (event == SL_LUA_SOCKET_MESSAGE) {
        uint32_t size = data.size;
        count(self, &self->traffic.received, data.data, data.size);
        sl_buf_add(&self->inbox, &size, sizeof size);
        sl_buf_str(&self->inbox, data);
        if (self->inbox.failed) {
            sl_buf_free(&self->inbox);
            self->taken = 0;
            luaL_error(L, "out of memory for a message of the server");
        }
    }
    sl_loop_defer(self->loop, &self->task);
}

static void on_gone(sl_lua_sink *sink) {
    sl_lua_client_detach(of_sink(sink));
}

/* ---- methods --------------------------------------------------------------------------------- */

static sl_lua_client_connection *check(lua_State *L) {
    return sl_lua_check(L, 1, &sl_lua_client_connection_type);
}

/* connection:attach(socket, attempt, wake): from now on messages pass between the two at the end of
 * each turn of the loop, and deadlines are kept; `wake` is called when there are events. Of the
 * socket's callbacks only on_close matters. */
int sl_lua_client_attach(lua_State *L) {
    sl_lua_client_connection *self = check(L);
    uint64_t attempt = (uint64_t)sl_lua_check_int(L, 3, 0, INT64_MAX);
    luaL_checktype(L, 4, LUA_TFUNCTION);
    sl_lua_client_detach(self);
    self->sink = (sl_lua_sink){on_event, on_gone};
    sl_lua_connection *socket = sl_lua_connection_serve(L, 2, &self->sink);
    sl_lua_get_table(L, 2);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "served");
    lua_pushvalue(L, 4);
    lua_setfield(L, -2, "wake");
    lua_createtable(L, 1, 0); /* the loop stays, for its budget, when the socket is gone */
    lua_rawgeti(L, -2, 1);
    lua_rawseti(L, -2, 1);
    sl_lua_set_table(L, 1);
    sl_buf_clear(&self->inbox);
    self->taken = 0;
    self->attempt = attempt;
    self->socket = socket;
    self->pace = sl_lua_connection_loop(socket);
    self->loop = self->pace->loop;
    self->timer.fire = self->task.run = on_turn;
    self->timer.ctx = self->task.ctx = self;
    return 0;
}

/* connection:attached() -> whether it keeps its deadlines itself */
int sl_lua_client_attached(lua_State *L) {
    lua_pushboolean(L, check(L)->socket != NULL);
    return 1;
}

/* connection:eager(on): `wake` is called at the end of every turn in which something came */
int sl_lua_client_eager(lua_State *L) {
    check(L)->eager = sl_lua_opt_bool(L, 2, true);
    return 0;
}

/* connection:turn() -> whether there are events: deals with messages that have come until there
 * are, and sends what is to be sent; also what came before the socket ended. */
int sl_lua_client_turn(lua_State *L) {
    sl_lua_client_connection *self = check(L);
    sl_status st = SL_STATUS_INIT;
    if (!turn(self, &st)) return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, sl_client_connection_has_events(self->connection));
    return 1;
}

/* connection:waiting() -> whether messages that have come wait for another step of the loop */
int sl_lua_client_waiting(lua_State *L) {
    lua_pushboolean(L, check(L)->held);
    return 1;
}

/* connection:traffic() -> {sent, received, uncompressed, messages} */
int sl_lua_client_traffic(lua_State *L) {
    const sl_lua_traffic *t = &check(L)->traffic;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"sent", t->sent},
                  {"received", t->received},
                  {"uncompressed", t->uncompressed},
                  {"messages", t->messages}};
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushnumber(L, (lua_Number)fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}
