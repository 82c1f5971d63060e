/* server.c - the userdata of a client's connection on the server. Sockets are the host's: it hands
 * messages in and takes messages out. Times are seconds. */
#include "lua/server.h"

#include "lua/core.h"
#include "lua/value.h"
#include "net/system_env.h"
#include "protocol/negotiate.h"

typedef sl_lua_server_connection lua_server_connection;

/* ---- what the types share -------------------------------------------------------------------- */

#if LUA_VERSION_NUM < 502
#define set_table(L, index) ((void)lua_setfenv((L), (index)))
#define get_table(L, index) lua_getfenv((L), (index))
#else
#define set_table(L, index) ((void)lua_setuservalue((L), (index)))
#define get_table(L, index) ((void)lua_getuservalue((L), (index)))
#endif

/* Addresses are the registry keys. */
static const char room_key, parts_key;

sl_lua_server_room *sl_lua_server_room_of(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &room_key);
    sl_lua_server_room *room = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return room;
}

static void room_close(lua_State *L, void *self) {
    sl_lua_server_room *room = self;
    (void)L;
    sl_packer_free(room->packer);
    room->packer = NULL;
}

static const sl_lua_type room_type = {"syncline.core.server_room", sizeof(sl_lua_server_room),
                                      room_close, NULL, NULL};

static void make_room(lua_State *L) {
    sl_lua_register(L, &room_type);
    sl_lua_server_room *room = sl_lua_new(L, &room_type);
    room->packer = sl_packer_new(NULL);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &room_key);
    /* Userdata by address, weak: an address stands for nothing once its userdata is collected. */
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &parts_key);
}

void sl_lua_server_adopt(lua_State *L, sl_lua_server_part *part, const char *const *names) {
    int self = lua_gettop(L);
    lua_newtable(L);
    for (; *names; names++) {
        if (sl_lua_option_function(L, 1, *names))
            lua_setfield(L, -2, *names);
        else
            lua_pop(L, 1);
    }
    set_table(L, self);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &parts_key);
    lua_pushvalue(L, self);
    lua_rawsetp(L, -2, part);
    lua_pop(L, 1);
    part->room = sl_lua_server_room_of(L);
}

void sl_lua_server_push_self(lua_State *L, const sl_lua_server_part *part) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &parts_key);
    lua_rawgetp(L, -1, part);
    lua_remove(L, -2);
}

void sl_lua_server_push_table(lua_State *L, const sl_lua_server_part *part) {
    sl_lua_server_push_self(L, part);
    if (lua_isnil(L, -1)) return;
    get_table(L, -1);
    lua_remove(L, -2);
}

bool sl_lua_server_callback(const sl_lua_server_part *part, const char *name) {
    lua_State *L = part->room->L;
    if (!L || part->head.closed || !lua_checkstack(L, 12)) return false;
    sl_lua_server_push_table(L, part);
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, name);
        lua_remove(L, -2);
    }
    if (lua_isfunction(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

lua_State *sl_lua_server_enter(lua_State *L, const sl_lua_server_part *part) {
    lua_State *before = part->room->L;
    part->room->L = L;
    return before;
}

void sl_lua_server_leave(const sl_lua_server_part *part, lua_State *before) {
    part->room->L = before;
}

/* ---- the host: Lua functions ----------------------------------------------------------------- */

static void push_kind(lua_State *L, sl_partition_kind kind) {
    static const char *const kinds[] = {"text", "int", "oid", "uuid", "null", "path"};
    lua_pushstring(L, kinds[kind]);
}

static void push_str(lua_State *L, sl_str s) {
    lua_pushlstring(L, s.data ? s.data : "", s.size);
}

static void set_str(lua_State *L, const char *name, sl_str s) {
    push_str(L, s);
    lua_setfield(L, -2, name);
}

static void push_request(lua_State *L, const sl_bind_request *request) {
    lua_createtable(L, 0, 5);
    sl_lua_push_int(L, (int64_t)request->session);
    lua_setfield(L, -2, "session");
    push_kind(L, request->kind);
    lua_setfield(L, -2, "kind");
    set_str(L, "partition", request->partition);
    set_str(L, "path", request->path);
    set_str(L, "user", request->user);
}

/* nil, message, code at index top + 1 .. top + 3. */
static bool refused(lua_State *L, int top, sl_status *st) {
    const char *text = lua_tostring(L, top + 2);
    if (!text) text = "the server could not open the file";
    int64_t code = 0;
    if (sl_lua_to_int(L, top + 3, &code) && code >= 200 && code <= 299)
        return sl_fail_code(st, SL_ERR_SESSION, (int)code, "%.200s", text);
    return sl_fail(st, SL_ERR_STORAGE, "OPEN", "%.200s", text);
}

static bool one_of(lua_State *L, int index, const char *const *words, int *found) {
    const char *word = lua_tostring(L, index);
    for (*found = 0; word && words[*found]; ++*found)
        if (strcmp(word, words[*found]) == 0) return true;
    return false;
}

/* "none", "read" or "write", and behind it what may be done to the schema: "locked", "additive" or
 * "owner", which is what nil stands for. */
static bool read_access(lua_State *L, int index, sl_access *access, sl_status *st) {
    static const char *const levels[] = {"none", "read", "write", NULL};
    static const char *const rights[] = {"locked", "additive", "owner", NULL};
    int level, right = 2;
    if (!one_of(L, index, levels, &level))
        return sl_fail(st, SL_ERR_USAGE, "OPEN",
                       "open: second result 'none', 'read' or 'write' expected");
    if (!lua_isnil(L, index + 1) && !one_of(L, index + 1, rights, &right))
        return sl_fail(st, SL_ERR_USAGE, "OPEN",
                       "open: third result 'owner', 'additive', 'locked' or nil expected");
    static const sl_access writes[] = {SL_ACCESS_WRITE_OBJECTS, SL_ACCESS_WRITE_ADDITIVE,
                                       SL_ACCESS_WRITE};
    *access = level == 2 ? writes[right] : level == 1 ? SL_ACCESS_READ : SL_ACCESS_NONE;
    return true;
}

/* The connection keeps the file's userdata, so that it is not collected under the session. */
static void keep_file(lua_State *L, const lua_server_connection *self, int index) {
    sl_lua_server_push_table(L, &self->part);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, lua_touserdata(L, index));
    lua_pop(L, 1);
}

static bool read_answer(lua_State *L, const lua_server_connection *self, int top,
                        sl_server_file **file, sl_access *access, sl_status *st) {
    if (lua_isnil(L, top + 1)) return refused(L, top, st);
    sl_lua_server_file *box = sl_lua_test(L, top + 1, &sl_lua_server_file_type);
    if (!read_access(L, top + 2, access, st)) return false;
    if (*access == SL_ACCESS_NONE) return true;
    if (!box || !box->file)
        return sl_fail(st, SL_ERR_USAGE, "OPEN",
                       "open: first result: an open server file expected");
    keep_file(L, self, top + 1);
    *file = box->file;
    return true;
}

static bool host_open(void *ctx, const sl_bind_request *request, sl_server_file **file,
                      sl_access *access, sl_status *st) {
    lua_server_connection *self = ctx;
    if (!sl_lua_server_callback(&self->part, "open"))
        return sl_fail(st, SL_ERR_INTERNAL, "OPEN", "nobody opens files for this connection");
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L) - 1;
    push_request(L, request);
    bool ok = sl_lua_call(L, 1, 3);
    if (ok) {
        ok = read_answer(L, self, top, file, access, st);
    } else {
        const char *text = lua_tostring(L, -1);
        sl_fail(st, SL_ERR_INTERNAL, "OPEN", "open failed: %.200s", text ? text : "?");
    }
    lua_settop(L, top);
    return ok;
}

static void host_wake(void *ctx) {
    lua_server_connection *self = ctx;
    if (self->socket) {
        sl_loop_defer(self->loop, &self->pump);
        return;
    }
    if (!sl_lua_server_callback(&self->part, "wake")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L) - 1;
    sl_lua_server_push_self(L, &self->part);
    sl_lua_call(L, 1, 0);
    lua_settop(L, top);
}

static bool host_token(void *ctx, sl_str token, sl_str now, sl_str *user) {
    lua_server_connection *self = ctx;
    if (!sl_lua_server_callback(&self->part, "token")) return false;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L) - 1;
    push_str(L, token);
    push_str(L, now);
    bool ok = sl_lua_call(L, 2, 1) && lua_type(L, -1) == LUA_TSTRING;
    if (ok) {
        size_t size = 0;
        const char *name = lua_tolstring(L, -1, &size);
        sl_buf_clear(&self->out);
        sl_buf_add(&self->out, name, size);
        *user = sl_str_of(self->out.data, self->out.size);
        ok = !self->out.failed;
    }
    lua_settop(L, top);
    return ok;
}

static void host_trouble(void *ctx, const sl_status *st) {
    lua_server_connection *self = ctx;
    if (!sl_lua_server_callback(&self->part, "trouble")) return;
    lua_State *L = self->part.room->L;
    int top = lua_gettop(L) - 1;
    lua_pushstring(L, st->message);
    sl_lua_push_code(L, st);
    lua_pushstring(L, sl_status_class_name(st->cls));
    sl_lua_call(L, 3, 0);
    lua_settop(L, top);
}

static void host_release(void *ctx, sl_server_file *file) {
    (void)ctx, (void)file; /* the file's userdata lives as long as the connection */
}

static const sl_server_host host = {host_open, host_release, host_wake, host_token, host_trouble};

/* ---- connections: lifetime ------------------------------------------------------------------- */

static void connection_close(lua_State *L, void *self) {
    lua_server_connection *c = self;
    lua_State *before = c->part.room ? sl_lua_server_enter(L, &c->part) : NULL;
    sl_server_connection *closing = c->connection;
    sl_lua_server_detach(c);
    c->connection = NULL;
    sl_server_connection_free(closing);
    sl_buf_free(&c->out);
    if (c->part.room) sl_lua_server_leave(&c->part, before);
}

static lua_server_connection *check_connection(lua_State *L) {
    return sl_lua_check(L, 1, &sl_lua_server_connection_type);
}

static int64_t option_ms(lua_State *L, const char *name) {
    double seconds = sl_lua_option_number(L, 1, name, 0);
    if (!(seconds >= 0 && seconds <= 86400 * 365.0))
        luaL_error(L, "option '%s': seconds between 0 and one year expected", name);
    return (int64_t)(seconds * 1000);
}

static void read_limits(lua_State *L, sl_server_connection_options *o) {
    o->max_message = (size_t)sl_lua_option_int(L, 1, "max_message", 0, INT32_MAX, 0);
    o->max_inflated = (uint64_t)sl_lua_option_int(L, 1, "max_inflated", 0, SL_MAX_INFLATED, 0);
    o->max_download = (size_t)sl_lua_option_int(L, 1, "max_download", 0, INT32_MAX, 0);
    o->max_sessions = (size_t)sl_lua_option_int(L, 1, "max_sessions", 0, 1000000, 0);
    o->max_partition = (size_t)sl_lua_option_int(L, 1, "max_partition", 0, INT32_MAX, 0);
    o->idle_ms = option_ms(L, "idle");
    o->soft_close_ms = option_ms(L, "soft_close");
}

/* server.connection{version, flx, mismatch = false, authenticated = true, users = false, user = "",
 * co_id = "", open = function(request) -> file, "read"|"write"|"none" (or nil, message, code),
 * wake = function(connection), token = function(token, user) -> user or nil, trouble =
 * function(message, code, class), max_message, max_inflated, max_download, max_sessions,
 * max_partition, idle,
 * soft_close} -> connection, or nil, message, code. `request` is {session, kind, partition, path,
 * user}. Callbacks must not call methods of the connection or of a file; note what is to be done.
 */
static int server_connection(lua_State *L) {
    static const char *const names[] = {"open", "wake", "token", "trouble", NULL};
    sl_status st = SL_STATUS_INIT;
    luaL_checktype(L, 1, LUA_TTABLE);
    sl_server_connection_options options = {.env = sl_system_env(), .host = &host};
    options.dialect.version = (int)sl_lua_option_int(L, 1, "version", 1, 99, SL_PROTOCOL_MAX);
    options.dialect.flx = sl_lua_option_bool(L, 1, "flx", false);
    options.mismatch = sl_lua_option_bool(L, 1, "mismatch", false);
    options.authenticated = sl_lua_option_bool(L, 1, "authenticated", true);
    options.users = sl_lua_option_bool(L, 1, "users", false);
    options.user = sl_lua_option_str(L, 1, "user", "");
    options.co_id = sl_lua_option_str(L, 1, "co_id", "");
    read_limits(L, &options);
    lua_server_connection *self = sl_lua_new(L, &sl_lua_server_connection_type);
    sl_lua_server_adopt(L, &self->part, names);
    options.ctx = self;
    options.packer = self->part.room->packer;
    lua_State *before = sl_lua_server_enter(L, &self->part);
    self->connection = sl_server_connection_new(&options, &st);
    sl_lua_server_leave(&self->part, before);
    return self->connection ? 1 : sl_lua_fail(L, &st);
}

/* ---- connections: messages ------------------------------------------------------------------- */

/* connection:receive(message) -> true, or nil, message, code */
static int connection_receive(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    sl_status st = SL_STATUS_INIT;
    size_t size = 0;
    const char *data = luaL_checklstring(L, 2, &size);
    lua_State *before = sl_lua_server_enter(L, &self->part);
    bool ok = sl_server_connection_receive(self->connection, data, size, &st);
    sl_lua_server_leave(&self->part, before);
    if (!ok) return sl_lua_fail(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

static int connection_receive_text(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_receive_text(self->connection);
    sl_lua_server_leave(&self->part, before);
    return 0;
}

static int connection_receive_ping(lua_State *L) {
    sl_str payload = sl_lua_check_str(L, 2);
    sl_server_connection_receive_ping(check_connection(L)->connection, payload.data, payload.size);
    return 0;
}

/* connection:send() -> the next message as a string, or false when there is none now; nil,
 * message, code when memory has run out */
static int connection_send(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    sl_status st = SL_STATUS_INIT;
    bool any = false;
    sl_buf_clear(&self->out);
    lua_State *before = sl_lua_server_enter(L, &self->part);
    bool ok = sl_server_connection_send(self->connection, &self->out, &any, &st);
    sl_lua_server_leave(&self->part, before);
    if (!ok) return sl_lua_fail(L, &st);
    if (any)
        lua_pushlstring(L, self->out.data, self->out.size);
    else
        lua_pushboolean(L, 0);
    if (self->out.capacity > 16384) sl_buf_free(&self->out);
    return 1;
}

/* connection:wish() -> nil (stay), "close", code, reason, or "drop" */
static int connection_wish(lua_State *L) {
    sl_wish wish = sl_server_connection_wish(check_connection(L)->connection);
    if (wish.kind == SL_WISH_STAY) return lua_pushnil(L), 1;
    lua_pushstring(L, wish.kind == SL_WISH_CLOSE ? "close" : "drop");
    if (wish.kind == SL_WISH_DROP) return 1;
    lua_pushinteger(L, wish.code);
    push_str(L, wish.reason);
    return 3;
}

/* ---- connections: time and the end ----------------------------------------------------------- */

static int connection_step(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_step(self->connection);
    sl_lua_server_leave(&self->part, before);
    return 0;
}

static int64_t mono_now(void) {
    const sl_env *env = sl_system_env();
    return env->mono_ms(env->ctx);
}

/* connection:timeout() -> seconds until step is wanted (0 = now), or nil for never */
static int connection_timeout(lua_State *L) {
    int64_t deadline = sl_server_connection_deadline(check_connection(L)->connection);
    int64_t now = mono_now();
    if (deadline == INT64_MAX) return lua_pushnil(L), 1;
    lua_pushnumber(L, deadline > now ? (lua_Number)(deadline - now) / 1000 : 0);
    return 1;
}

/* connection:expire_in(seconds): the token ends then (grace and jitter included) */
static int connection_expire_in(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e12, 2, "seconds expected");
    sl_server_connection_expire_at(self->connection, mono_now() + (int64_t)(seconds * 1000));
    return 0;
}

static int connection_revoke(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    const char *reason = luaL_optstring(L, 2, "access revoked");
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_revoke(self->connection, reason);
    sl_lua_server_leave(&self->part, before);
    return 0;
}

static int connection_shutdown(lua_State *L) {
    lua_server_connection *self = check_connection(L);
    lua_State *before = sl_lua_server_enter(L, &self->part);
    sl_server_connection_shutdown(self->connection);
    sl_lua_server_leave(&self->part, before);
    return 0;
}

static int connection_sessions(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_server_connection_sessions(check_connection(L)->connection));
    return 1;
}

static int connection_version(lua_State *L) {
    lua_pushinteger(L, sl_server_connection_dialect(check_connection(L)->connection).version);
    return 1;
}

static int connection_user(lua_State *L) {
    push_str(L, sl_server_connection_user(check_connection(L)->connection));
    return 1;
}

static const luaL_Reg connection_methods[] = {{"receive", connection_receive},
                                              {"receive_text", connection_receive_text},
                                              {"receive_ping", connection_receive_ping},
                                              {"send", connection_send},
                                              {"wish", connection_wish},
                                              {"step", connection_step},
                                              {"timeout", connection_timeout},
                                              {"expire_in", connection_expire_in},
                                              {"revoke", connection_revoke},
                                              {"shutdown", connection_shutdown},
                                              {"sessions", connection_sessions},
                                              {"version", connection_version},
                                              {"user", connection_user},
                                              {"attach", sl_lua_server_attach},
                                              {"pump", sl_lua_server_pump},
                                              {NULL, NULL}};

const sl_lua_type sl_lua_server_connection_type = {"syncline.core.server_connection",
                                                   sizeof(lua_server_connection), connection_close,
                                                   connection_methods, NULL};

/* ---- functions ------------------------------------------------------------------------------- */

/* server.negotiate(header, min = 2, max = 14) -> {version, flx, token, mismatch, newest_offered},
 * or nil, message, 400 */
static int server_negotiate(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_negotiated n;
    sl_str header = sl_lua_check_str(L, 1);
    int min = (int)sl_lua_opt_int(L, 2, SL_PROTOCOL_MIN, SL_PROTOCOL_MAX, SL_PROTOCOL_MIN);
    int max = (int)sl_lua_opt_int(L, 3, min, SL_PROTOCOL_MAX, SL_PROTOCOL_MAX);
    if (!sl_negotiate(&n, header, min, max, &st)) return sl_lua_fail(L, &st);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, n.dialect.version);
    lua_setfield(L, -2, "version");
    lua_pushboolean(L, n.dialect.flx);
    lua_setfield(L, -2, "flx");
    lua_pushstring(L, n.token);
    lua_setfield(L, -2, "token");
    lua_pushboolean(L, n.mismatch);
    lua_setfield(L, -2, "mismatch");
    sl_lua_push_int(L, (int64_t)n.newest_offered);
    lua_setfield(L, -2, "newest_offered");
    return 1;
}

/* server.partition(text) -> canonical form, kind ("text", "int", "oid", "uuid", "null", "path"), or
 * nil, message, 204 */
static int server_partition(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_partition_kind kind;
    sl_buf out;
    sl_str text = sl_lua_check_str(L, 1);
    sl_buf_init(&out, NULL);
    if (!sl_partition_canonical(text, &out, &kind, &st)) {
        sl_buf_free(&out);
        return sl_lua_fail(L, &st);
    }
    lua_pushlstring(L, out.data, out.size);
    sl_buf_free(&out);
    push_kind(L, kind);
    return 2;
}

/* server.features{state = true} -> value of the header Syncline-Features; what is false is left out
 */
static int server_features(lua_State *L) {
    char text[64];
    sl_buf out;
    unsigned features = SL_SERVER_FEATURES;
    if (lua_istable(L, 1) && !sl_lua_option_bool(L, 1, "state", true))
        features &= ~(unsigned)SL_FEATURE_STATE;
    sl_buf_init(&out, NULL);
    sl_features_write(&out, features);
    snprintf(text, sizeof text, "%.*s", (int)out.size, out.size ? out.data : "");
    sl_buf_free(&out);
    lua_pushstring(L, text);
    return 1;
}

int sl_lua_open_server(lua_State *L) {
    static const luaL_Reg functions[] = {{"connection", server_connection},
                                         {"negotiate", server_negotiate},
                                         {"features", server_features},
                                         {"partition", server_partition},
                                         {NULL, NULL}};
    make_room(L);
    sl_lua_register(L, &sl_lua_server_connection_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    sl_lua_open_server_file(L);
    return 1;
}
