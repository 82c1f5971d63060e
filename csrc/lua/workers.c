/* workers.c - passwords on threads for Lua: loop:workers(options). */
#include "lua/net_core.h"

#include <openssl/crypto.h>

#include "lua/auth.h"
#include "net/system_env.h"
#include "net/worker.h"

#include <limits.h>

enum { FIRST_JOB = 2, THREADS_MAX = 64, QUEUE_MAX = 100000 };

/* Its user value holds the loop at index 1, and the callback of each job at the job's number. */
typedef struct lua_workers {
    sl_lua_child child;
    sl_workers *pool;
    int last; /* number of the newest job */
} lua_workers;

/* One hash or check. The thread reads `password`, `stored` and `cost` and writes the rest. */
typedef struct password_job {
    sl_job job;
    lua_workers *owner;
    int number;
    sl_buf password, stored; /* `stored` is what to check against, or what was made */
    sl_scrypt_cost cost;
    bool check, ok, match;
    sl_status why;
} password_job;

static void free_job(password_job *job) {
    if (job->password.data) OPENSSL_cleanse(job->password.data, job->password.size);
    sl_buf_free(&job->password);
    sl_buf_free(&job->stored);
    sl_delete(NULL, job);
}

/* On a thread. */
static void run_job(void *ctx) {
    password_job *j = ctx;
    sl_str password = sl_str_of(j->password.data, j->password.size);
    if (j->check) {
        sl_str stored = sl_str_of(j->stored.data, j->stored.size);
        j->ok = sl_password_check(password, stored, &j->match, &j->why);
    } else {
        j->ok = sl_password_hash(password, j->cost, sl_system_env(), &j->stored, &j->why);
    }
}

/* Pushes the callback of the job with that number, which is forgotten; the pool is at `index`. */
static void take_callback(lua_State *L, int index, int number) {
    sl_lua_get_table(L, index);
    lua_rawgeti(L, -1, number);
    lua_pushnil(L);
    lua_rawseti(L, -3, number);
    lua_remove(L, -2);
}

static int tell_job(lua_State *L) {
    password_job *j = lua_touserdata(L, 1);
    int results = 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, j->owner->child.self);
    take_callback(L, lua_gettop(L), j->number);
    if (!j->ok)
        results = sl_lua_fail(L, &j->why);
    else if (j->check)
        lua_pushboolean(L, j->match);
    else
        lua_pushlstring(L, j->stored.data, j->stored.size);
    sl_lua_run_callback(L, results);
    return 0;
}

static void job_done(void *ctx, bool ran) {
    password_job *j = ctx;
    /* Once the pool is being closed nobody is told. */
    if (ran && j->owner->pool) sl_lua_net_protect(j->owner->child.loop, tell_job, j);
    free_job(j);
}

static lua_workers *check_workers(lua_State *L) {
    lua_workers *w = luaL_checkudata(L, 1, sl_lua_workers_type.name);
    if (!w->pool) luaL_error(L, "the workers are closed");
    return w;
}

/* A new job, whose end the callback at stack index `callback` will hear; NULL without memory. */
static password_job *begin_job(lua_State *L, int callback) {
    lua_workers *w = check_workers(L);
    luaL_checktype(L, callback, LUA_TFUNCTION);
    w->last = w->last < INT_MAX ? w->last + 1 : FIRST_JOB;
    sl_lua_get_table(L, 1);
    lua_pushvalue(L, callback);
    lua_rawseti(L, -2, w->last);
    password_job *j = sl_new_zero(NULL, 1, sizeof *j);
    if (!j) return NULL;
    j->owner = w;
    j->number = w->last;
    j->job = (sl_job){.run = run_job, .done = job_done, .ctx = j};
    return j;
}

/* Pushes true, or nil, message, code when the pool did not take the job. */
static int submit_job(lua_State *L, password_job *j) {
    lua_workers *w = check_workers(L);
    sl_status st = SL_STATUS_INIT;
    if (!j || j->password.failed || j->stored.failed)
        sl_fail_memory(&st);
    else
        sl_workers_add(w->pool, &j->job, &st);
    if (st.cls == SL_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    take_callback(L, 1, w->last);
    if (j) free_job(j);
    if (st.code != 503) return sl_lua_fail(L, &st);
    lua_pushnil(L);
    lua_pushstring(L, st.message);
    lua_pushliteral(L, "busy");
    return 3;
}

/* workers:hash_password(password, cost, callback): the callback gets what auth.hash_password
 * returns. */
static int w_hash(lua_State *L) {
    sl_str password = sl_lua_check_str(L, 2);
    sl_scrypt_cost cost = sl_lua_check_cost(L, 3);
    password_job *j = begin_job(L, 4);
    if (j) {
        j->cost = cost;
        sl_buf_str(&j->password, password);
    }
    return submit_job(L, j);
}

/* workers:check_password(password, stored, callback): likewise for auth.check_password. */
static int w_check(lua_State *L) {
    sl_str password = sl_lua_check_str(L, 2), stored = sl_lua_check_str(L, 3);
    password_job *j = begin_job(L, 4);
    if (j) {
        j->check = true;
        sl_buf_str(&j->password, password);
        sl_buf_str(&j->stored, stored);
    }
    return submit_job(L, j);
}

static int w_waiting(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)sl_workers_waiting(check_workers(L)->pool));
    return 1;
}

static void end_pool(lua_workers *w) {
    sl_workers *pool = w->pool;
    w->pool = NULL;
    sl_workers_free(pool);
}

static void workers_end(sl_lua_child *child) {
    end_pool((lua_workers *)child);
}

/* Its metatable's close comes with the collector as well, when the loop has ended it already. */
static void workers_close(lua_State *L, void *self) {
    lua_workers *w = self;
    end_pool(w);
    sl_lua_child_end(L, &w->child);
}

/* loop:workers{threads=, queue=} */
int sl_lua_loop_workers(lua_State *L) {
    sl_lua_loop *l = sl_lua_check(L, 1, &sl_lua_loop_type);
    sl_status st = SL_STATUS_INIT;
    lua_settop(L, 2);
    sl_workers_options options = {
        .threads = (unsigned)sl_lua_option_int(L, 2, "threads", 1, THREADS_MAX, 0),
        .queue = (size_t)sl_lua_option_int(L, 2, "queue", 1, QUEUE_MAX, 0)};
    lua_workers *w = sl_lua_new(L, &sl_lua_workers_type);
    w->last = FIRST_JOB - 1;
    sl_lua_child_begin(L, &w->child, 1, 0, NULL, workers_end);
    w->pool = sl_workers_new(l->loop, &options, &st);
    if (w->pool) return 1;
    sl_lua_child_end(L, &w->child);
    return sl_lua_fail(L, &st);
}

static const luaL_Reg workers_methods[] = {
    {"hash_password", w_hash}, {"check_password", w_check}, {"waiting", w_waiting}, {NULL, NULL}};

const sl_lua_type sl_lua_workers_type = {"syncline.workers", sizeof(lua_workers), workers_close,
                                         workers_methods, NULL};
