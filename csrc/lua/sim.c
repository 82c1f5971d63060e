/* sim.c - the userdata of simulations. Times are seconds here, clients are numbered from 1, and 0
 * is the server. What happens is told to one Lua function, on_event(kind, client, ...). */
#include "sim/sim.h"
#include "lua/core.h"
#include "lua/realm.h"
#include "lua/value.h"

/* Invariants: `sim` is NULL after close. realms[i] is the open handle of client i, or NULL. `L` is
 * the state of the call that is under way, NULL outside. */
typedef struct lua_sim {
    sl_lua_head head;
    sl_sim *sim;
    lua_State *L;
    int self; /* stack index of the userdata during a call */
    sl_lua_realm *realms[SL_SIM_MAX_CLIENTS];
} lua_sim;

/* ---- realms ---------------------------------------------------------------------------------- */

/* The parts belong to the simulation: the handle only lets go. */
static void detach(sl_lua_realm *realm) {
    lua_sim *self = realm->session;
    for (int i = 0; i < SL_SIM_MAX_CLIENTS; i++)
        if (self->realms[i] == realm) self->realms[i] = NULL;
    if (realm->history && sl_client_history_writing(realm->history))
        sl_client_history_rollback(realm->history);
    realm->store = NULL;
    realm->realm = NULL;
    realm->history = NULL;
    realm->session = NULL;
    realm->detach = NULL;
}

static void end_realm(lua_sim *self, int client) {
    sl_lua_realm *realm = self->realms[client];
    if (!realm) return;
    realm->head.closed = true;
    detach(realm);
}

static void sim_close(lua_State *L, void *data) {
    (void)L;
    lua_sim *self = data;
    for (int i = 0; i < SL_SIM_MAX_CLIENTS; i++)
        end_realm(self, i);
    self->L = NULL;
    sl_sim_free(self->sim);
    self->sim = NULL;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* Pushes on_event and its first two arguments; false if nobody listens. */
static bool begin_event(lua_sim *self, const char *kind, int client) {
    lua_State *L = self->L;
    if (!L || !lua_checkstack(L, 12)) return false;
#ifdef SL_LUA_DOUBLES_ONLY
    lua_getfenv(L, self->self);
#else
    lua_getuservalue(L, self->self);
#endif
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
    lua_pushstring(L, kind);
    lua_pushinteger(L, client + 1);
    return true;
}

/* The Lua half catches the errors of users; what is left has nowhere to go. */
static void end_event(lua_sim *self, int more) {
    if (lua_pcall(self->L, 2 + more, 0, 0) != 0) lua_pop(self->L, 1);
}

static void on_log(void *ctx, int64_t now, const char *line) {
    lua_sim *self = ctx;
    if (!begin_event(self, "log", -1)) return;
    lua_pushnumber(self->L, (lua_Number)now / 1000);
    lua_pushstring(self->L, line);
    end_event(self, 2);
}

static void on_error(void *ctx, int client, const sl_client_error *error) {
    lua_sim *self = ctx;
    if (!begin_event(self, "error", client)) return;
    lua_pushstring(self->L, error->message);
    lua_pushinteger(self->L, error->code);
    lua_pushstring(self->L, sl_status_class_name(error->cls));
    lua_pushboolean(self->L, error->client_reset);
    end_event(self, 4);
}

static void on_changed(void *ctx, int client) {
    lua_sim *self = ctx;
    if (self->realms[client]) sl_lua_realm_touched(self->realms[client]);
    if (begin_event(self, "changed", client)) end_event(self, 0);
}

static void on_transacted(void *ctx, int client, uint64_t request, sl_transact_outcome outcome) {
    lua_sim *self = ctx;
    if (!begin_event(self, "transacted", client)) return;
    sl_lua_push_int(self->L, (int64_t)request);
    lua_pushstring(self->L, sl_transact_outcome_name(outcome));
    end_event(self, 2);
}

static void on_closing(void *ctx, int client) {
    end_realm(ctx, client);
}

/* ---- making ---------------------------------------------------------------------------------- */

static const luaL_Reg sim_methods[];
static const sl_lua_type sim_type = {"syncline.core.sim", sizeof(lua_sim), sim_close, sim_methods,
                                     NULL};

static int64_t milliseconds(lua_State *L, int index, double limit) {
    double seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= -limit && seconds <= limit, index, "seconds out of range");
    return (int64_t)(seconds * 1000);
}

enum { MOST_SECONDS = 2000000000 };

static sl_sim_reset check_reset(lua_State *L) {
    sl_str word = sl_lua_option_str(L, 1, "reset", "recover");
    if (sl_str_eq(word, SL_STR("discard"))) return SL_SIM_RESET_DISCARD;
    if (sl_str_eq(word, SL_STR("manual"))) return SL_SIM_RESET_MANUAL;
    if (!sl_str_eq(word, SL_STR("recover")))
        luaL_error(L, "option 'reset': \"recover\", \"discard\" or \"manual\" expected");
    return SL_SIM_RESET_RECOVER;
}

/* sim.new(options, on_event) -> simulation, or nil, message, code */
static int sim_new(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    sl_sim_options options = {.seed = (uint64_t)sl_lua_option_int(L, 1, "seed", 0, INT64_MAX, 1),
                              .clients =
                                  (int)sl_lua_option_int(L, 1, "clients", 1, SL_SIM_MAX_CLIENTS, 2),
                              .fast_commits = sl_lua_option_bool(L, 1, "fast_commits", false),
                              .state_transfer = sl_lua_option_bool(L, 1, "state_transfer", false),
                              .reset = check_reset(L),
                              .log = sl_lua_option_bool(L, 1, "log", false) ? on_log : NULL,
                              .error = on_error,
                              .changed = on_changed,
                              .transacted = on_transacted,
                              .closing = on_closing};
    lua_sim *self = sl_lua_new(L, &sim_type);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 1);
#ifdef SL_LUA_DOUBLES_ONLY
    lua_setfenv(L, -2);
#else
    lua_setuservalue(L, -2);
#endif
    options.ctx = self;
    self->sim = sl_sim_new(&options, &st);
    if (self->sim) return 1;
    self->head.closed = true;
    return sl_lua_fail_or_raise(L, &st);
}

/* ---- methods --------------------------------------------------------------------------------- */

/* Time cannot pass inside a write or an event. */
static lua_sim *enter(lua_State *L) {
    lua_sim *self = sl_lua_check(L, 1, &sim_type);
    if (self->L) luaL_error(L, "the simulation is under way: do this after the notification");
    for (int i = 0; i < sl_sim_clients(self->sim); i++) {
        const sl_client_history *history = sl_sim_history(self->sim, i);
        if (history && sl_client_history_writing(history))
            luaL_error(L, "client %d has an open write: finish it first", i + 1);
    }
    self->L = L;
    self->self = 1;
    return self;
}

static int leave(lua_State *L, lua_sim *self, bool ok, const sl_status *st) {
    self->L = NULL;
    if (!ok) return sl_lua_fail_or_raise(L, st);
    lua_pushboolean(L, 1);
    return 1;
}

static int check_client(lua_State *L, const lua_sim *self, int index) {
    return (int)sl_lua_check_int(L, index, 1, sl_sim_clients(self->sim)) - 1;
}

static int check_who(lua_State *L, const lua_sim *self, int index) {
    return (int)sl_lua_check_int(L, index, 0, sl_sim_clients(self->sim)) - 1;
}

static lua_sim *check(lua_State *L) {
    return sl_lua_check(L, 1, &sim_type);
}

static int sim_advance(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int64_t ms = milliseconds(L, 2, MOST_SECONDS);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_advance(self->sim, ms, &st), &st);
}

/* sim:settle(seconds) -> whether all is quiet, or nil, message, code */
static int sim_settle(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    bool quiet = false;
    int64_t ms = milliseconds(L, 2, MOST_SECONDS);
    lua_sim *self = enter(L);
    int count = leave(L, self, sl_sim_settle(self->sim, ms, &quiet, &st), &st);
    if (count == 1) lua_pushboolean(L, quiet);
    return count;
}

static int sim_now(lua_State *L) {
    lua_pushnumber(L, (lua_Number)sl_sim_now(check(L)->sim) / 1000);
    return 1;
}

static int sim_disconnect(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_disconnect(self->sim, client, &st), &st);
}

static int sim_connect(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_connect(self->sim, client, &st), &st);
}

/* sim:cut(client, "both" | "client" | "server", linger) */
static int sim_cut(lua_State *L) {
    static const char *const sides[] = {"both", "client", "server", NULL};
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    sl_sim_cut cut = (sl_sim_cut)luaL_checkoption(L, 3, "both", sides);
    int64_t linger = lua_isnoneornil(L, 4) ? 10000 : milliseconds(L, 4, MOST_SECONDS);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_cut_link(self->sim, client, cut, linger, &st), &st);
}

/* sim:pause(client, paused) */
static int sim_pause(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    bool paused = lua_toboolean(L, 3);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_pause(self->sim, client, paused, &st), &st);
}

/* sim:crash(who, "process" | "power", down) */
static int sim_crash(lua_State *L) {
    static const char *const kinds[] = {"process", "power", NULL};
    sl_status st = SL_STATUS_INIT;
    int who = check_who(L, check(L), 2);
    sl_memory_crash kind = (sl_memory_crash)luaL_checkoption(L, 3, "power", kinds);
    int64_t down = lua_isnoneornil(L, 4) ? 0 : milliseconds(L, 4, MOST_SECONDS);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_crash(self->sim, who, kind, down, &st), &st);
}

/* sim:renew(client, seconds it is down) */
static int sim_renew(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    int64_t down = lua_isnoneornil(L, 3) ? 0 : milliseconds(L, 3, MOST_SECONDS);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_renew(self->sim, client, down, &st), &st);
}

/* sim:set_clock(who, seconds) */
static int sim_set_clock(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int who = check_who(L, check(L), 2);
    int64_t ms = milliseconds(L, 3, MOST_SECONDS);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_set_clock(self->sim, who, ms, &st), &st);
}

/* sim:limit_disk(who, bytes or nil) */
static int sim_limit_disk(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int who = check_who(L, check(L), 2);
    int64_t room = sl_lua_opt_int(L, 3, 0, INT64_MAX, -1);
    lua_sim *self = enter(L);
    bool ok = sl_sim_limit_disk(self->sim, who, room < 0 ? UINT64_MAX : (uint64_t)room, &st);
    return leave(L, self, ok, &st);
}

/* sim:set_link(client, {latency=, spread=, batch=, rate=}) */
static int sim_set_link(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int client = check_client(L, check(L), 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    sl_sim_link_options link = {
        .latency_ms = (int64_t)(sl_lua_option_number(L, 3, "latency", 0) * 1000),
        .spread_ms = (int64_t)(sl_lua_option_number(L, 3, "spread", 0) * 1000),
        .batch_ms = (int64_t)(sl_lua_option_number(L, 3, "batch", 0) * 1000),
        .rate = sl_lua_option_int(L, 3, "rate", 0, INT32_MAX, 0)};
    luaL_argcheck(L, link.latency_ms >= 0 && link.spread_ms >= 0 && link.batch_ms >= 0, 3,
                  "times must not be negative");
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_set_link(self->sim, client, &link, &st), &st);
}

static int sim_set_version(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int who = check_who(L, check(L), 2);
    int version = (int)sl_lua_opt_int(L, 3, 2, 14, 0);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_set_version(self->sim, who, version, &st), &st);
}

static int sim_compact(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    int64_t ttl = sl_lua_opt_int(L, 2, -1, INT32_MAX, -1);
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_compact(self->sim, ttl, &st), &st);
}

static int sim_backup(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_backup(self->sim, &st), &st);
}

static int sim_restore(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_sim *self = enter(L);
    return leave(L, self, sl_sim_restore(self->sim, &st), &st);
}

/* sim:states_equal() -> boolean, or nil, message, code when a machine is down */
static int sim_states_equal(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    bool equal = false;
    if (!sl_sim_equal(check(L)->sim, &equal, &st)) return sl_lua_fail(L, &st);
    lua_pushboolean(L, equal);
    return 1;
}

/* sim:state(who) -> text, or nil, message, code */
static int sim_state(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_buf text;
    int who = check_who(L, check(L), 2);
    sl_buf_init(&text, NULL);
    bool ok = sl_sim_state(check(L)->sim, who, &text, &st);
    if (ok && text.failed) ok = sl_fail_memory(&st);
    if (ok) lua_pushlstring(L, text.size ? text.data : "", text.size);
    sl_buf_free(&text);
    return ok ? 1 : sl_lua_fail(L, &st);
}

/* sim:info(client) -> session state, client resets and states received so far */
static int sim_info(lua_State *L) {
    const lua_sim *self = check(L);
    int client = check_client(L, self, 2);
    lua_pushstring(L, sl_sim_session_state(self->sim, client));
    sl_lua_push_int(L, (int64_t)sl_sim_resets(self->sim, client));
    sl_lua_push_int(L, (int64_t)sl_sim_states(self->sim, client));
    return 3;
}

/* sim:realm(client) -> a new handle of the client's realm; nil while it is down or has one */
static int sim_realm(lua_State *L) {
    lua_sim *self = check(L);
    int client = check_client(L, self, 2);
    sl_client_history *history = sl_sim_history(self->sim, client);
    if (!history || self->realms[client]) return 0;
    sl_lua_realm *realm = sl_lua_push_realm(L, NULL, NULL, NULL);
    realm->session = self;
    realm->detach = detach;
    realm->store = sl_client_history_store(history);
    realm->realm = sl_client_history_realm(history);
    realm->history = history;
    self->realms[client] = realm;
    return 1;
}

/* sim:wrote(client): call after a commit, also inside a notification. */
static int sim_wrote(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_sim *self = check(L);
    if (!sl_sim_wrote(self->sim, check_client(L, self, 2), &st))
        return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* sim:transact(client) -> request of the "transacted" event, or 0 if the open write had recorded
 * nothing; or nil, message, code. Ends the open write of the client's realm. */
static int sim_transact(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_sim *self = check(L);
    int client = check_client(L, self, 2);
    uint64_t request = 0;
    bool ok = sl_sim_transact(self->sim, client, &request, &st);
    if (self->realms[client]) self->realms[client]->generation++;
    if (!ok || st.cls != SL_OK) return sl_lua_fail(L, &st);
    sl_lua_push_int(L, (int64_t)request);
    return 1;
}

static const luaL_Reg sim_methods[] = {{"advance", sim_advance},
                                       {"settle", sim_settle},
                                       {"now", sim_now},
                                       {"disconnect", sim_disconnect},
                                       {"connect", sim_connect},
                                       {"cut", sim_cut},
                                       {"pause", sim_pause},
                                       {"crash", sim_crash},
                                       {"renew", sim_renew},
                                       {"set_clock", sim_set_clock},
                                       {"limit_disk", sim_limit_disk},
                                       {"set_link", sim_set_link},
                                       {"set_version", sim_set_version},
                                       {"backup", sim_backup},
                                       {"restore", sim_restore},
                                       {"states_equal", sim_states_equal},
                                       {"state", sim_state},
                                       {"info", sim_info},
                                       {"realm", sim_realm},
                                       {"wrote", sim_wrote},
                                       {"transact", sim_transact},
                                       {"compact", sim_compact},
                                       {NULL, NULL}};
int sl_lua_open_sim(lua_State *L) {
    static const luaL_Reg functions[] = {{"new", sim_new}, {NULL, NULL}};
    sl_lua_register(L, &sim_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
