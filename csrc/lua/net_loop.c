/* net_loop.c - the event loop for Lua: steps, timers, signals, and the life of what runs on it. */
#include "lua/net_core.h"

#include <limits.h>
#include <math.h>
#include <signal.h>
#include <time.h>

enum { LOOP_SLOT = 1 }; /* of the loop in a child's table */

/* ---- children -------------------------------------------------------------------------------- */

void sl_lua_child_begin(lua_State *L, sl_lua_child *child, int loop, int options,
                        const char *const *names, void (*end)(sl_lua_child *child)) {
    int self = lua_gettop(L);
    loop = lua_absindex(L, loop);
    lua_newtable(L);
    lua_pushvalue(L, loop);
    lua_rawseti(L, -2, LOOP_SLOT);
    for (; options && names && *names; names++) {
        sl_lua_option_function(L, options, *names);
        lua_setfield(L, -2, *names);
    }
    sl_lua_set_table(L, self);
    lua_pushvalue(L, self);
    child->self = luaL_ref(L, LUA_REGISTRYINDEX);
    child->loop = lua_touserdata(L, loop);
    child->end = end;
    child->next = child->loop->children;
    child->back = &child->loop->children;
    if (child->next) child->next->back = &child->next;
    child->loop->children = child;
}

void sl_lua_child_end(lua_State *L, sl_lua_child *child) {
    if (!child->loop) return;
    child->loop = NULL;
    *child->back = child->next;
    if (child->next) child->next->back = child->back;
    luaL_unref(L, LUA_REGISTRYINDEX, child->self);
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static int call_handler(lua_State *L) {
    lua_call(L, 1, 0);
    return 0;
}

/* The error is on top of the stack; it is popped. */
static void report(sl_lua_loop *loop) {
    lua_State *L = loop->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, loop->handlers);
    lua_pushliteral(L, "on_error");
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_isfunction(L, -1)) {
        lua_pushcfunction(L, call_handler);
        lua_insert(L, -2);
        lua_pushvalue(L, -3);
        if (lua_pcall(L, 2, 0, 0) == LUA_OK) {
            lua_pop(L, 1);
            return;
        }
        lua_remove(L, -2); /* the handler's own error is the one to raise */
    } else {
        lua_pop(L, 1);
    }
    if (loop->error_ref == LUA_NOREF)
        loop->error_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    else
        lua_pop(L, 1);
}

bool sl_lua_net_protect(sl_lua_loop *loop, lua_CFunction run, void *arg) {
    lua_State *L = loop->L;
    if (!L || loop->head.closed || !lua_checkstack(L, 24)) return false;
#if LUA_VERSION_NUM < 502
    int code = lua_cpcall(L, run, arg);
#else
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, arg);
    int code = lua_pcall(L, 1, 0, 0);
#endif
    if (code == LUA_OK) return true;
    report(loop);
    return false;
}

bool sl_lua_push_callback(lua_State *L, const sl_lua_child *child, const char *name) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, child->self);
    sl_lua_get_table(L, -1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 2);
        return false;
    }
    lua_insert(L, -2);
    return true;
}

void sl_lua_run_callback(lua_State *L, int args) {
    if (!sl_lua_call(L, args, 0)) lua_error(L);
}

/* ---- the loop -------------------------------------------------------------------------------- */

typedef struct log_call {
    sl_lua_loop *loop;
    const char *text;
} log_call;

static int run_log(lua_State *L) {
    log_call *call = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->loop->handlers);
    lua_getfield(L, -1, "on_log");
    lua_pushstring(L, call->text);
    if (lua_isfunction(L, -2)) lua_call(L, 1, 0);
    return 0;
}

static void on_log(void *ctx, const char *text) {
    log_call call = {ctx, text};
    sl_lua_net_protect(call.loop, run_log, &call);
}

static void loop_close(lua_State *L, void *self) {
    sl_lua_loop *l = self;
    while (l->children) {
        sl_lua_child *child = l->children;
        child->end(child);
        sl_lua_child_end(L, child);
    }
    sl_loop_free(l->loop);
    l->loop = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, l->error_ref);
}

static sl_lua_loop *check_loop(lua_State *L) {
    return sl_lua_check(L, 1, &sl_lua_loop_type);
}

/* loop:close(): not from inside a step, whose C code would come back to freed memory. */
static int l_close(lua_State *L) {
    sl_lua_loop *l = luaL_checkudata(L, 1, sl_lua_loop_type.name);
    if (l->head.closed) return 0;
    if (l->L) return luaL_error(L, "loop:close() inside a callback; return from step() first");
    l->head.closed = true;
    loop_close(L, l);
    return 0;
}

enum {
    DEFAULT_STEPS = 5000, /* some milliseconds on a slow machine */
    UNIT_STEPS = 1000     /* between two looks at the clock */
};

static double monotonic(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The budget at `index`: nil, seconds, or {steps = number}. */
static void take_budget(lua_State *L, int index, sl_lua_loop *l) {
    l->work = (sl_steps){.limit = DEFAULT_STEPS};
    l->seconds = l->until = 0;
    if (lua_isnoneornil(L, index)) return;
    if (lua_istable(L, index)) {
        int64_t steps = sl_lua_option_int(L, index, "steps", 1, INT32_MAX, DEFAULT_STEPS);
        l->work.limit = (uint64_t)steps;
        return;
    }
    l->seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, l->seconds > 0 && l->seconds < 2e6, index,
                  "a budget is a number of seconds above 0, or {steps = number}");
}

bool sl_lua_loop_may_work(sl_lua_loop *l) {
    if (l->seconds == 0) return l->work.taken < l->work.limit;
    double now = monotonic();
    if (l->until == 0) l->until = now + l->seconds;
    if (now >= l->until) return false;
    l->work.limit = l->work.taken + UNIT_STEPS;
    return true;
}

/* loop:step(timeout, budget) -> true, or nil, message, code */
static int l_step(lua_State *L) {
    sl_lua_loop *l = check_loop(L);
    sl_status st = SL_STATUS_INIT;
    double seconds = luaL_optnumber(L, 2, -1);
    int ms = seconds < 0 ? -1 : seconds > 1e6 ? INT_MAX : (int)ceil(seconds * 1000);
    if (l->L) return luaL_error(L, "loop:step() inside a callback of the same loop");
    lua_settop(L, 3);
    take_budget(L, 3, l);
    sl_lua_get_table(L, 1);
    l->handlers = luaL_ref(L, LUA_REGISTRYINDEX);
    l->L = L;
    bool ok = sl_loop_step(l->loop, ms, &st);
    l->L = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, l->handlers);
    if (l->error_ref != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, l->error_ref);
        luaL_unref(L, LUA_REGISTRYINDEX, l->error_ref);
        l->error_ref = LUA_NOREF;
        return lua_error(L);
    }
    if (!ok) return sl_lua_fail_or_raise(L, &st);
    lua_pushboolean(L, 1);
    return 1;
}

/* loop:stepping() -> whether a step is under way: the caller is a callback */
static int l_stepping(lua_State *L) {
    lua_pushboolean(L, check_loop(L)->L != NULL);
    return 1;
}

static int l_pollfd(lua_State *L) {
    int fd = sl_loop_fd(check_loop(L)->loop);
    if (fd < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, fd);
    return 1;
}

static int l_events(lua_State *L) {
    check_loop(L);
    lua_pushliteral(L, "r");
    return 1;
}

static int l_timeout(lua_State *L) {
    int ms = sl_loop_timeout(check_loop(L)->loop);
    if (ms < 0)
        lua_pushnil(L);
    else
        lua_pushnumber(L, ms / 1000.0);
    return 1;
}

static int l_wake(lua_State *L) {
    sl_loop_wake(check_loop(L)->loop);
    return 0;
}

/* loop:now() -> seconds of a clock that never steps; finer than the milliseconds of timers, for
 * whoever measures. */
static int l_now(lua_State *L) {
    check_loop(L);
    lua_pushnumber(L, (lua_Number)monotonic());
    return 1;
}

/* loop:worked() -> counted steps of the running or last step of the loop: instructions applied,
 * objects saved, and one for 16 bytes of what was uploaded */
static int l_worked(lua_State *L) {
    lua_pushnumber(L, (lua_Number)check_loop(L)->work.taken);
    return 1;
}

/* ---- timers ---------------------------------------------------------------------------------- */

typedef struct lua_timer {
    sl_lua_child child;
    sl_timer timer;
} lua_timer;

static void timer_end(sl_lua_child *child) {
    lua_timer *t = (lua_timer *)child;
    sl_loop_timer_stop(child->loop->loop, &t->timer);
}

static int run_timer(lua_State *L) {
    lua_timer *t = lua_touserdata(L, 1);
    bool there = sl_lua_push_callback(L, &t->child, "fire");
    /* Over before it is called, so that it may start itself again. */
    sl_lua_child_end(L, &t->child);
    if (there) sl_lua_run_callback(L, 1);
    return 0;
}

static void on_timer(void *ctx) {
    lua_timer *t = ctx;
    sl_lua_net_protect(t->child.loop, run_timer, t);
}

static int to_ms(lua_State *L, int index) {
    double seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds >= 0 && seconds < 2e6, index, "seconds must be 0 to 2,000,000");
    return (int)ceil(seconds * 1000);
}

static int l_timer(lua_State *L) {
    sl_lua_loop *l = check_loop(L);
    int ms = to_ms(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_timer *t = sl_lua_new(L, &sl_lua_timer_type);
    t->timer.fire = on_timer;
    t->timer.ctx = t;
    sl_lua_child_begin(L, &t->child, 1, 0, NULL, timer_end);
    sl_lua_get_table(L, -1);
    lua_pushvalue(L, 3);
    lua_setfield(L, -2, "fire");
    lua_pop(L, 1);
    sl_loop_timer_start(l->loop, &t->timer, ms);
    return 1;
}

static int timer_stop(lua_State *L) {
    lua_timer *t = luaL_checkudata(L, 1, sl_lua_timer_type.name);
    if (t->child.loop) sl_loop_timer_stop(t->child.loop->loop, &t->timer);
    sl_lua_child_end(L, &t->child);
    return 0;
}

static int timer_restart(lua_State *L) {
    lua_timer *t = luaL_checkudata(L, 1, sl_lua_timer_type.name);
    int ms = to_ms(L, 2);
    if (!t->child.loop) {
        sl_lua_get_table(L, 1);
        lua_getfield(L, -1, "fire");
        lua_rawgeti(L, -2, LOOP_SLOT);
        sl_lua_check(L, lua_gettop(L), &sl_lua_loop_type);
        int loop = lua_gettop(L);
        lua_pushvalue(L, 1);
        sl_lua_child_begin(L, &t->child, loop, 0, NULL, timer_end);
        sl_lua_get_table(L, 1);
        lua_pushvalue(L, loop - 1);
        lua_setfield(L, -2, "fire");
    }
    sl_loop_timer_start(t->child.loop->loop, &t->timer, ms);
    lua_settop(L, 1);
    return 1;
}

static void timer_close(lua_State *L, void *self) {
    lua_timer *t = self;
    if (t->child.loop) sl_loop_timer_stop(t->child.loop->loop, &t->timer);
    sl_lua_child_end(L, &t->child);
}

static const luaL_Reg timer_methods[] = {
    {"stop", timer_stop}, {"restart", timer_restart}, {NULL, NULL}};

const sl_lua_type sl_lua_timer_type = {"syncline.timer", sizeof(lua_timer), timer_close,
                                       timer_methods, NULL};

/* ---- signals --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int number;
} signals[] = {{"term", SIGTERM}, {"int", SIGINT},   {"hup", SIGHUP},
               {"quit", SIGQUIT}, {"usr1", SIGUSR1}, {"usr2", SIGUSR2}};

typedef struct signal_call {
    sl_lua_loop *loop;
    int number;
} signal_call;

static int run_signal(lua_State *L) {
    signal_call *call = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->loop->handlers);
    lua_rawgeti(L, -1, call->number);
    if (lua_isfunction(L, -1)) sl_lua_run_callback(L, 0);
    return 0;
}

static void on_signal(void *ctx, int signum) {
    signal_call call = {ctx, signum};
    sl_lua_net_protect(call.loop, run_signal, &call);
}

static int l_on_signal(lua_State *L) {
    sl_lua_loop *l = check_loop(L);
    const char *name = luaL_checkstring(L, 2);
    sl_status st = SL_STATUS_INIT;
    int number = 0;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcmp(signals[i].name, name) == 0) number = signals[i].number;
    luaL_argcheck(L, number, 2, "'term', 'int', 'hup', 'quit', 'usr1' or 'usr2' expected");
    if (!lua_isnoneornil(L, 3)) luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    if (!sl_loop_on_signal(l->loop, number, lua_isnil(L, 3) ? NULL : on_signal, l, &st))
        return sl_lua_fail(L, &st);
    sl_lua_get_table(L, 1);
    lua_insert(L, -2);
    lua_rawseti(L, -2, number);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- being held ------------------------------------------------------------------------------ */

typedef struct held_call {
    sl_lua_loop *loop;
    int64_t ms;
} held_call;

static int run_held(lua_State *L) {
    const held_call *call = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->loop->handlers);
    lua_getfield(L, -1, "on_held");
    lua_pushnumber(L, (lua_Number)call->ms / 1000);
    if (lua_isfunction(L, -2)) sl_lua_run_callback(L, 1);
    return 0;
}

static void on_held(void *ctx, int64_t held_ms) {
    held_call call = {ctx, held_ms};
    sl_lua_net_protect(call.loop, run_held, &call);
}

/* loop:on_held(seconds, function(held) end): called at the end of a step that held the thread for
 * that long; nil instead of the function ends it. */
static int l_on_held(lua_State *L) {
    sl_lua_loop *l = check_loop(L);
    int ms = to_ms(L, 2);
    if (!lua_isnoneornil(L, 3)) luaL_checktype(L, 3, LUA_TFUNCTION);
    lua_settop(L, 3);
    sl_loop_on_held(l->loop, ms, lua_isnil(L, 3) ? NULL : on_held, l);
    sl_lua_get_table(L, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "on_held");
    return 0;
}

static const luaL_Reg loop_methods[] = {{"close", l_close},
                                        {"step", l_step},
                                        {"stepping", l_stepping},
                                        {"pollfd", l_pollfd},
                                        {"events", l_events},
                                        {"timeout", l_timeout},
                                        {"wake", l_wake},
                                        {"now", l_now},
                                        {"worked", l_worked},
                                        {"timer", l_timer},
                                        {"on_signal", l_on_signal},
                                        {"on_held", l_on_held},
                                        {"listen", sl_lua_loop_listen},
                                        {"connect_websocket", sl_lua_loop_connect},
                                        {"request", sl_lua_loop_request},
                                        {"workers", sl_lua_loop_workers},
                                        {NULL, NULL}};

const sl_lua_type sl_lua_loop_type = {"syncline.loop", sizeof(sl_lua_loop), loop_close,
                                      loop_methods, NULL};

int sl_lua_net_loop(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) luaL_checktype(L, 1, LUA_TTABLE);
    sl_lua_loop *l = sl_lua_new(L, &sl_lua_loop_type);
    l->head.closed = true; /* until it has a loop */
    l->error_ref = LUA_NOREF;
    l->work.limit = DEFAULT_STEPS;
    lua_newtable(L);
    sl_lua_option_function(L, 1, "on_error");
    lua_setfield(L, -2, "on_error");
    bool log = sl_lua_option_function(L, 1, "on_log");
    lua_setfield(L, -2, "on_log");
    sl_lua_set_table(L, 2);
    sl_loop_options options = {.on_log = log ? on_log : NULL,
                               .log_ctx = l,
                               .poll_only = sl_lua_option_bool(L, 1, "poll_only", false)};
    l->loop = sl_loop_new(&options, &st);
    if (!l->loop) return sl_lua_fail(L, &st);
    l->head.closed = false;
    return 1;
}
