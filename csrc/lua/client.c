/* client.c - the userdata of client connections and their sessions. Sockets are the Lua half's: it
 * opens and closes them as events ask, hands messages in and takes messages out. Times are seconds.
 */
#include "lua/client.h"
#include "history/client_reset.h"
#include "lua/core.h"
#include "lua/realm.h"
#include "lua/value.h"
#include "net/system_env.h"
#include "protocol/errors.h"
#include "session/client_session.h"

typedef sl_lua_client_session lua_session;
typedef sl_lua_client_connection lua_connection;

/* ---- sessions: lifetime ---------------------------------------------------------------------- */

static void forget_session(lua_session *self) {
    lua_session **link = &self->owner->sessions;
    while (*link && *link != self)
        link = &(*link)->next;
    if (*link) *link = self->next;
    self->realm->session = NULL;
    self->realm->detach = NULL;
    self->session = NULL;
}

static void end_session(lua_session *self) {
    sl_client_session *session = self->session;
    if (!session) return;
    forget_session(self);
    sl_client_session_close(session);
}

static void session_close(lua_State *L, void *self) {
    (void)L;
    end_session(self);
}

/* The realm is closing and takes its history along. */
static void realm_detaches(sl_lua_realm *realm) {
    end_session(realm->session);
}

static void connection_close(lua_State *L, void *self) {
    (void)L;
    lua_connection *connection = self;
    sl_lua_client_detach(connection);
    sl_buf_free(&connection->inbox);
    sl_buf_free(&connection->out);
    while (connection->sessions)
        forget_session(connection->sessions);
    sl_client_connection_free(connection->connection);
    connection->connection = NULL;
}

/* Two objects that must live as long as the userdata at `index`. */
static void keep(lua_State *L, int index, int first, int second) {
    index = lua_absindex(L, index);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, first);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, second);
    lua_rawseti(L, -2, 2);
#ifdef SL_LUA_DOUBLES_ONLY
    lua_setfenv(L, index);
#else
    lua_setuservalue(L, index);
#endif
}

/* ---- sessions: methods ----------------------------------------------------------------------- */

static const luaL_Reg session_methods[];
static const sl_lua_type session_type = {"syncline.core.client_session", sizeof(lua_session),
                                         session_close, session_methods, NULL};

static lua_session *check_session(lua_State *L) {
    lua_session *self = sl_lua_check(L, 1, &session_type);
    if (!self->session) luaL_error(L, "the session has ended: its realm or connection was closed");
    return self;
}

static int done(lua_State *L, bool ok, const sl_status *st) {
    if (!ok) return sl_lua_fail_or_raise(L, st);
    lua_pushboolean(L, 1);
    return 1;
}

/* session:pause(), :resume(), :restart() -> true, or nil, message, code */
static int session_pause(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_session_pause(check_session(L)->session, &st), &st);
}

static int session_resume(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_session_resume(check_session(L)->session, &st), &st);
}

static int session_restart(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_session_restart(check_session(L)->session, &st), &st);
}

/* session:wait_upload(), :wait_download() -> number of the request, which a wait_done event
 * repeats; or nil, message, code */
static int session_wait_upload(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 0;
    if (!sl_client_session_wait_upload(check_session(L)->session, &request, &st))
        return sl_lua_fail_or_raise(L, &st);
    sl_lua_push_int(L, (int64_t)request);
    return 1;
}

static int session_wait_download(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 0;
    if (!sl_client_session_wait_download(check_session(L)->session, &request, &st))
        return sl_lua_fail_or_raise(L, &st);
    sl_lua_push_int(L, (int64_t)request);
    return 1;
}

/* session:install_state(path, fast_commits) -> true, or nil, message, code (and realm and session
 * are at their end): answers the event "state_ready" */
static int session_install_state(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_session *self = check_session(L);
    sl_str path = sl_lua_check_str(L, 2);
    luaL_argcheck(L, path.size > 0 && strlen(path.data) == path.size, 2, "a file name expected");
    if (sl_lua_realm_install(self->realm, path.data, sl_lua_opt_bool(L, 3, false), &st) &&
        sl_client_session_adopt(self->session, self->realm->history, &st))
        return done(L, true, &st);
    end_session(self);
    return sl_lua_fail(L, &st);
}

/* session:allocate() -> number of the request, which an allocated event repeats, with an ident or
 * without one (given up); or nil, message, code */
static int session_allocate(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 0;
    if (!sl_client_session_allocate(check_session(L)->session, &request, &st))
        return sl_lua_fail_or_raise(L, &st);
    sl_lua_push_int(L, (int64_t)request);
    return 1;
}

/* session:transact() -> number of the request, which a transacted event repeats, or 0 if the open
 * write recorded nothing; or nil, message, code. Ends the realm's open write in any case. */
static int session_transact(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_session *self = check_session(L);
    uint64_t request = 0;
    bool ok = sl_client_session_transact(self->session, &request, &st);
    self->realm->generation++;
    if (!ok) return sl_lua_fail_or_raise(L, &st);
    sl_lua_push_int(L, (int64_t)request);
    return 1;
}

/* session:forget_transact(request) -> true if it certainly will not happen; no event comes */
static int session_forget_transact(lua_State *L) {
    lua_session *self = check_session(L);
    uint64_t request = (uint64_t)sl_lua_check_int(L, 2, 0, INT64_MAX);
    lua_pushboolean(L, sl_client_session_forget_transact(self->session, request));
    return 1;
}

/* session:may_transact() -> whether none is on its way */
static int session_may_transact(lua_State *L) {
    lua_pushboolean(L, sl_client_session_may_transact(check_session(L)->session));
    return 1;
}

/* session:mute(integrated, progress): no events of these kinds any more, or again */
static int session_mute(lua_State *L) {
    sl_client_session_mute(check_session(L)->session, sl_lua_opt_bool(L, 2, false),
                           sl_lua_opt_bool(L, 3, false));
    return 0;
}

/* session:state() -> "unbound", "binding", "active", ..., "closed" */
static int session_state(lua_State *L) {
    const lua_session *self = sl_lua_check(L, 1, &session_type);
    sl_session_state state =
        self->session ? sl_client_session_state(self->session) : SL_SESSION_CLOSED;
    lua_pushstring(L, sl_session_state_name(state));
    return 1;
}

/* session:number() -> how events name it */
static int session_number(lua_State *L) {
    sl_lua_push_int(L, (int64_t)sl_client_session_number(check_session(L)->session));
    return 1;
}

static const luaL_Reg session_methods[] = {{"pause", session_pause},
                                           {"resume", session_resume},
                                           {"restart", session_restart},
                                           {"wait_upload", session_wait_upload},
                                           {"wait_download", session_wait_download},
                                           {"mute", session_mute},
                                           {"install_state", session_install_state},
                                           {"allocate", session_allocate},
                                           {"transact", session_transact},
                                           {"forget_transact", session_forget_transact},
                                           {"may_transact", session_may_transact},
                                           {"state", session_state},
                                           {"number", session_number},
                                           {NULL, NULL}};

/* ---- connections: lifetime ------------------------------------------------------------------- */

static const luaL_Reg connection_methods[];
const sl_lua_type sl_lua_client_connection_type = {"syncline.core.client_connection",
                                                   sizeof(lua_connection), connection_close,
                                                   connection_methods, NULL};

static lua_connection *check_connection(lua_State *L) {
    return sl_lua_check(L, 1, &sl_lua_client_connection_type);
}

static uint64_t check_attempt(lua_State *L) {
    return (uint64_t)sl_lua_check_int(L, 2, 0, INT64_MAX);
}

static int64_t option_ms(lua_State *L, const char *name) {
    double seconds = sl_lua_option_number(L, 1, name, 0);
    if (!(seconds >= 0 && seconds <= 86400 * 365.0))
        luaL_error(L, "option '%s': seconds between 0 and one year expected", name);
    return (int64_t)(seconds * 1000);
}

/* client.connection{route = path, token = "", route_verified = false, min_version, max_version,
 * connect_timeout, linger, ack_delay, ping_period, pong_timeout, fast_reconnect, max_inflated} ->
 * connection, or nil, message, code */
static int client_connection(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_client_connection_options options = {.env = sl_system_env()};
    luaL_checktype(L, 1, LUA_TTABLE);
    options.route = sl_lua_option_str(L, 1, "route", "/realm-sync");
    options.token = sl_lua_option_str(L, 1, "token", "");
    options.route_verified = sl_lua_option_bool(L, 1, "route_verified", false);
    options.min_version = (int)sl_lua_option_int(L, 1, "min_version", SL_PROTOCOL_MIN,
                                                 SL_PROTOCOL_MAX, SL_PROTOCOL_MIN);
    options.max_version = (int)sl_lua_option_int(L, 1, "max_version", options.min_version,
                                                 SL_PROTOCOL_MAX, SL_PROTOCOL_MAX);
    options.connect_timeout_ms = option_ms(L, "connect_timeout");
    options.linger_ms = option_ms(L, "linger");
    options.ack_delay_ms = option_ms(L, "ack_delay");
    options.ping_period_ms = option_ms(L, "ping_period");
    options.pong_timeout_ms = option_ms(L, "pong_timeout");
    options.fast_reconnect_ms = option_ms(L, "fast_reconnect");
    options.max_inflated = (uint64_t)sl_lua_option_int(L, 1, "max_inflated", 0, INT64_MAX, 0);
    lua_connection *self = sl_lua_new(L, &sl_lua_client_connection_type);
    sl_buf_init(&self->inbox, NULL);
    sl_buf_init(&self->out, NULL);
    self->connection = sl_client_connection_new(&options, &st);
    if (self->connection) return 1;
    self->head.closed = true;
    return sl_lua_fail_or_raise(L, &st);
}

/* connection:session(realm, {path = partition, upload = true, upload_delay = true, paused = false,
 * max_message, state_transfer = false (only for a realm in a file)}) -> session, or nil, message,
 * code. The session ends when it is collected: hold on to it. */
static int connection_session(lua_State *L) {
    lua_connection *owner = check_connection(L);
    sl_lua_realm *realm = sl_lua_check_realm(L, 2);
    sl_status st = SL_STATUS_INIT;
    sl_client_session_options options = {.path = sl_lua_option_str(L, 3, "path", "")};
    options.no_upload = !sl_lua_option_bool(L, 3, "upload", true);
    options.no_upload_delay = !sl_lua_option_bool(L, 3, "upload_delay", true);
    options.max_message = (uint64_t)sl_lua_option_int(L, 3, "max_message", 0, SL_MAX_INFLATED, 0);
    options.paused = sl_lua_option_bool(L, 3, "paused", false);
    options.subserver = sl_lua_option_bool(L, 3, "subserver", false);
    options.state_transfer = sl_lua_option_bool(L, 3, "state_transfer", false);
    luaL_argcheck(L, !realm->session, 2, "the realm is synchronised already");
    lua_session *self = sl_lua_new(L, &session_type);
    self->owner = owner;
    self->realm = realm;
    keep(L, -1, 1, 2);
    self->session = sl_client_session_open(owner->connection, realm->history, &options, &st);
    if (!self->session) {
        self->head.closed = true;
        return sl_lua_fail_or_raise(L, &st);
    }
    self->next = owner->sessions;
    owner->sessions = self;
    realm->session = self;
    realm->detach = realm_detaches;
    return 1;
}

/* ---- connections: the socket ----------------------------------------------------------------- */

/* connection:set_features(attempt, value of the header Syncline-Features): before opened */
static int connection_set_features(lua_State *L) {
    lua_connection *self = check_connection(L);
    sl_client_connection_set_features(self->connection, check_attempt(L),
                                      sl_features_read(sl_lua_opt_str(L, 3, "")));
    return 0;
}

/* connection:opened(attempt, subprotocol) and the like -> true, or nil, message, code */
static int connection_opened(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    return done(L,
                sl_client_connection_opened(self->connection, check_attempt(L),
                                            sl_lua_opt_str(L, 3, ""), &st),
                &st);
}

/* connection:refused(attempt, http_status, text) */
static int connection_refused(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    int status = (int)sl_lua_check_int(L, 3, 0, 999);
    return done(L,
                sl_client_connection_refused(self->connection, check_attempt(L), status,
                                             sl_lua_opt_str(L, 4, ""), &st),
                &st);
}

/* connection:closed(attempt, close_code, reason): a close frame came */
static int connection_closed(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    int code = (int)sl_lua_opt_int(L, 3, 0, 65535, SL_CLOSE_NO_STATUS);
    return done(L,
                sl_client_connection_closed(self->connection, check_attempt(L), code,
                                            sl_lua_opt_str(L, 4, ""), &st),
                &st);
}

/* connection:lost(attempt, "resolve" | "connect" | "read" | "write" | "tls", text) */
static int connection_lost(lua_State *L) {
    static const char *const causes[] = {"resolve", "connect", "read", "write", "tls", NULL};
    static const int codes[] = {SL_CLOSE_RESOLVE_FAILED, SL_CLOSE_CONNECT_FAILED,
                                SL_CLOSE_READ_ERROR, SL_CLOSE_WRITE_ERROR, SL_CLOSE_TLS};
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    int code = codes[luaL_checkoption(L, 3, "read", causes)];
    return done(L,
                sl_client_connection_lost(self->connection, check_attempt(L), code,
                                          sl_lua_opt_str(L, 4, ""), &st),
                &st);
}

/* connection:receive(attempt, message). Raises while the realm it is for has an open write. */
static int connection_receive(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    sl_str message = sl_lua_check_str(L, 3);
    bool ok = sl_client_connection_receive(self->connection, check_attempt(L), message.data,
                                           message.size, &st);
    for (lua_session *s = self->sessions; s; s = s->next)
        sl_lua_realm_touched(s->realm);
    return done(L, ok, &st);
}

static int connection_receive_text(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    return done(L, sl_client_connection_received_text(self->connection, check_attempt(L), &st),
                &st);
}

/* connection:send() -> the next message, or false if there is nothing to send now; or nil, message,
 * code */
static int connection_send(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    bool any = false;
    sl_buf_clear(&self->out);
    bool ok = sl_client_connection_send(self->connection, &self->out, &any, &st);
    if (ok && any)
        lua_pushlstring(L, self->out.data, self->out.size);
    else
        lua_pushboolean(L, 0);
    return ok ? 1 : sl_lua_fail_or_raise(L, &st);
}

/* ---- connections: time, wishes, facts -------------------------------------------------------- */

static int connection_step(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_connection_step(check_connection(L)->connection, &st), &st);
}

/* connection:timeout() -> seconds until step wants to be called, or nil for "not for time's sake"
 */
static int connection_timeout(lua_State *L) {
    const sl_env *env = sl_system_env();
    int64_t at = sl_client_connection_deadline(check_connection(L)->connection);
    if (at == INT64_MAX) return 0;
    int64_t wait = at - env->mono_ms(env->ctx);
    lua_pushnumber(L, wait > 0 ? (double)wait / 1000 : 0);
    return 1;
}

static int connection_set_token(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    return done(L, sl_client_connection_set_token(self->connection, sl_lua_check_str(L, 2), &st),
                &st);
}

/* connection:set_route(path, verified) */
static int connection_set_route(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_connection *self = check_connection(L);
    return done(L,
                sl_client_connection_set_route(self->connection, sl_lua_check_str(L, 2),
                                               sl_lua_opt_bool(L, 3, true), &st),
                &st);
}

static int connection_reconnect_now(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_connection_reconnect_now(check_connection(L)->connection, &st), &st);
}

static int connection_disconnect(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_connection_disconnect(check_connection(L)->connection, &st), &st);
}

static int connection_state(lua_State *L) {
    sl_connection_state state = sl_client_connection_state(check_connection(L)->connection);
    lua_pushstring(L, sl_connection_state_name(state));
    return 1;
}

/* connection:version() -> negotiated protocol version, or nil */
static int connection_version(lua_State *L) {
    int version = sl_client_connection_version(check_connection(L)->connection);
    if (version == 0) return 0;
    lua_pushinteger(L, version);
    return 1;
}

/* connection:rtt() -> last round trip in seconds, or nil */
static int connection_rtt(lua_State *L) {
    int64_t rtt = sl_client_connection_rtt(check_connection(L)->connection);
    if (rtt < 0) return 0;
    lua_pushnumber(L, (double)rtt / 1000);
    return 1;
}

/* connection:features() -> what the server has announced, {transact = true, ...} */
static int connection_features(lua_State *L) {
    unsigned features = sl_client_connection_features(check_connection(L)->connection);
    lua_createtable(L, 0, 3);
    for (unsigned bit = 1; bit <= features; bit *= 2) {
        if (!(features & bit)) continue;
        sl_buf word;
        sl_buf_init(&word, NULL);
        sl_features_write(&word, bit);
        if (word.size && !word.failed) {
            lua_pushlstring(L, word.data, word.size);
            lua_pushboolean(L, 1);
            lua_rawset(L, -3);
        }
        sl_buf_free(&word);
    }
    return 1;
}

static int connection_id(lua_State *L) {
    sl_str id = sl_client_connection_id(check_connection(L)->connection);
    lua_pushlstring(L, id.data, id.size);
    return 1;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void set_str(lua_State *L, const char *name, sl_str value) {
    lua_pushlstring(L, value.size ? value.data : "", value.size);
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

static void set_int(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static void set_delay(lua_State *L, int64_t delay_ms) {
    if (delay_ms < 0) return;
    lua_pushnumber(L, (double)delay_ms / 1000);
    lua_setfield(L, -2, "delay");
}

static void set_error(lua_State *L, const sl_client_error *error) {
    lua_createtable(L, 0, 10);
    set_text(L, "class", sl_status_class_name(error->cls));
    set_int(L, "code", (uint64_t)error->code);
    set_text(L, "name", error->name);
    set_text(L, "action", sl_action_name(error->action));
    set_text(L, "message", error->message);
    set_text(L, "advice", error->advice);
    set_bool(L, "try_again", error->try_again);
    set_bool(L, "client_reset", error->client_reset);
    set_bool(L, "no_recovery", error->no_recovery);
    set_str(L, "json", error->json);
    lua_setfield(L, -2, "error");
}

static void set_progress(lua_State *L, const sl_client_progress *p) {
    set_int(L, "uploaded_bytes", p->uploaded_bytes);
    set_int(L, "uploadable_bytes", p->uploadable_bytes);
    set_int(L, "downloaded_bytes", p->downloaded_bytes);
    set_int(L, "downloadable_bytes", p->downloadable_bytes);
    set_int(L, "uploaded_changesets", p->uploaded_changesets);
    set_int(L, "uploadable_changesets", p->uploadable_changesets);
    set_int(L, "downloaded_changesets", p->downloaded_changesets);
}

static void set_details(lua_State *L, const sl_client_event *event) {
    switch (event->type) {
    case SL_CLIENT_CONNECT:
        set_int(L, "attempt", event->attempt);
        set_str(L, "target", event->target);
        set_str(L, "offer", event->offer);
        break;
    case SL_CLIENT_DISCONNECT:
        set_int(L, "attempt", event->attempt);
        set_int(L, "code", (uint64_t)event->code);
        break;
    case SL_CLIENT_CONNECTION_STATE:
        set_text(L, "state", sl_connection_state_name((sl_connection_state)event->state));
        set_delay(L, event->delay_ms);
        break;
    case SL_CLIENT_SESSION_STATE:
        set_text(L, "state", sl_session_state_name((sl_session_state)event->state));
        set_delay(L, event->delay_ms);
        break;
    case SL_CLIENT_ERROR:
        set_error(L, &event->error);
        break;
    case SL_CLIENT_INTEGRATED:
        set_int(L, "changesets", event->changesets);
        set_bool(L, "changed", event->changed);
        break;
    case SL_CLIENT_PROGRESS:
        set_progress(L, &event->progress);
        break;
    case SL_CLIENT_WAIT_DONE:
        set_int(L, "request", event->request);
        set_bool(L, "ok", event->ok);
        break;
    case SL_CLIENT_STATE_PROGRESS:
        set_int(L, "done", event->done);
        set_int(L, "total", event->total);
        break;
    case SL_CLIENT_ALLOCATED:
        set_int(L, "request", event->request);
        if (event->ident) set_int(L, "ident", event->ident);
        break;
    case SL_CLIENT_TRANSACTED:
        set_int(L, "request", event->request);
        set_text(L, "outcome", sl_transact_outcome_name((sl_transact_outcome)event->code));
        break;
    case SL_CLIENT_LOG:
        set_str(L, "text", event->text);
        set_str(L, "level", event->level);
        break;
    default:
        break;
    }
}

/* connection:next_event() -> table, or nil when there is none. `type` is one of the names below;
 * `session` is the number of the session it is about, nil for the connection. */
static int connection_next_event(lua_State *L) {
    static const char *const names[] = {
        [SL_CLIENT_CONNECT] = "connect",
        [SL_CLIENT_DISCONNECT] = "disconnect",
        [SL_CLIENT_CONNECTION_STATE] = "connection_state",
        [SL_CLIENT_SESSION_STATE] = "session_state",
        [SL_CLIENT_TOKEN_WANTED] = "token_wanted",
        [SL_CLIENT_LOCATION_WANTED] = "location_wanted",
        [SL_CLIENT_LOG_OUT] = "log_out",
        [SL_CLIENT_ERROR] = "error",
        [SL_CLIENT_INTEGRATED] = "integrated",
        [SL_CLIENT_PROGRESS] = "progress",
        [SL_CLIENT_WAIT_DONE] = "wait_done",
        [SL_CLIENT_STATE_PROGRESS] = "state_progress",
        [SL_CLIENT_STATE_READY] = "state_ready",
        [SL_CLIENT_ALLOCATED] = "allocated",
        [SL_CLIENT_TRANSACTED] = "transacted",
        [SL_CLIENT_LOG] = "log",
    };
    sl_client_event event;
    if (!sl_client_connection_next_event(check_connection(L)->connection, &event)) return 0;
    lua_createtable(L, 0, 8);
    set_text(L, "type", names[event.type]);
    if (event.session) set_int(L, "session", event.session);
    set_details(L, &event);
    return 1;
}

static const luaL_Reg connection_methods[] = {{"session", connection_session},
                                              {"set_features", connection_set_features},
                                              {"opened", connection_opened},
                                              {"refused", connection_refused},
                                              {"closed", connection_closed},
                                              {"lost", connection_lost},
                                              {"receive", connection_receive},
                                              {"receive_text", connection_receive_text},
                                              {"send", connection_send},
                                              {"step", connection_step},
                                              {"timeout", connection_timeout},
                                              {"next_event", connection_next_event},
                                              {"set_token", connection_set_token},
                                              {"set_route", connection_set_route},
                                              {"reconnect_now", connection_reconnect_now},
                                              {"disconnect", connection_disconnect},
                                              {"state", connection_state},
                                              {"version", connection_version},
                                              {"attach", sl_lua_client_attach},
                                              {"turn", sl_lua_client_turn},
                                              {"waiting", sl_lua_client_waiting},
                                              {"attached", sl_lua_client_attached},
                                              {"eager", sl_lua_client_eager},
                                              {"traffic", sl_lua_client_traffic},
                                              {"rtt", connection_rtt},
                                              {"id", connection_id},
                                              {"features", connection_features},
                                              {NULL, NULL}};

/* ---- client reset ---------------------------------------------------------------------------- */

/* client.reset(realm, fresh, {mode = "discard" | "recover" | "recover_or_discard", no_recovery =
 * false, code = 0, reseed = false, lost = false}) -> {recovered, candidates, kept, dropped, taken};
 * or nil, message, code ("LOOP" or "SCHEMA": it has to be done by hand). Neither realm may be
 * synchronising: end the copy's session before. */
static int client_reset(lua_State *L) {
    sl_lua_realm *realm = sl_lua_check_realm(L, 1), *fresh = sl_lua_check_realm(L, 2);
    sl_status st = SL_STATUS_INIT;
    sl_reset_request request;
    sl_reset_result result;
    sl_str mode = sl_lua_option_str(L, 3, "mode", "recover_or_discard");
    luaL_argcheck(L, sl_reset_mode_from_name(mode, &request.mode), 3,
                  "option 'mode': 'discard', 'recover' or 'recover_or_discard' expected");
    luaL_argcheck(L, realm != fresh && !fresh->session, 2,
                  "a fresh copy whose session has ended expected");
    request.no_recovery = sl_lua_option_bool(L, 3, "no_recovery", false);
    request.code = (int)sl_lua_option_int(L, 3, "code", 0, 9999, 0);
    request.reseed = sl_lua_option_bool(L, 3, "reseed", false);
    request.lost = sl_lua_option_bool(L, 3, "lost", false);
    bool ok = sl_client_reset_run(realm->history, fresh->history, &request, &result, &st);
    sl_lua_realm_touched(realm);
    if (!ok) return sl_lua_fail_or_raise(L, &st);
    lua_createtable(L, 0, 3);
    set_bool(L, "recovered", result.recovered);
    set_int(L, "candidates", result.candidates);
    set_int(L, "kept", result.kept);
    set_int(L, "dropped", result.dropped);
    set_int(L, "taken", result.taken);
    return 1;
}

/* client.reset_compare(realm, fresh) -> {unsent, known, missing, younger} (history/client_reset.h),
 * or nil, message, code */
static int client_reset_compare(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_reset_facts facts;
    if (!sl_client_reset_compare(sl_lua_check_realm(L, 1)->history,
                                 sl_lua_check_realm(L, 2)->history, &facts, &st))
        return sl_lua_fail_or_raise(L, &st);
    lua_createtable(L, 0, 3);
    set_int(L, "unsent", facts.unsent);
    set_int(L, "known", facts.known);
    set_int(L, "missing", facts.missing);
    set_bool(L, "younger", facts.younger);
    return 1;
}

/* client.reset_finish(realm) -> true; once uploads and downloads after a reset are through */
static int client_reset_finish(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    return done(L, sl_client_reset_finish(sl_lua_check_realm(L, 1)->history, &st), &st);
}

/* client.reset_pending(realm) -> "recover" or "discard" if a reset was begun and not finished */
static int client_reset_pending(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_reset_trace trace;
    if (!sl_client_reset_trace(sl_lua_check_realm(L, 1)->history, &trace, &st))
        return sl_lua_fail_or_raise(L, &st);
    if (!trace.found) return 0;
    lua_pushstring(L, trace.recovery ? "recover" : "discard");
    return 1;
}

int sl_lua_open_client(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"connection", client_connection},       {"reset", client_reset},
        {"reset_compare", client_reset_compare}, {"reset_finish", client_reset_finish},
        {"reset_pending", client_reset_pending}, {NULL, NULL}};
    sl_lua_register(L, &sl_lua_client_connection_type);
    sl_lua_register(L, &session_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
