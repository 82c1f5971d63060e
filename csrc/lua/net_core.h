/* net_core.h - what the userdata types of syncline.core.net share. */
#ifndef SL_LUA_NET_CORE_H
#define SL_LUA_NET_CORE_H

#include "base/steps.h"
#include "lua/check.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "net/websocket.h"

/* Lua code runs only inside loop:step(), on the thread that called it. A callback that fails goes
 * to the loop's on_error, or, without one, is raised by step() when the C code has returned. Once
 * the loop is being closed nothing is called any more. */
typedef struct sl_lua_loop {
    sl_lua_head head;
    sl_loop *loop;
    lua_State *L;  /* of the running step, else NULL */
    int handlers;  /* during a step: reference to the user value, {on_error, on_log, signals} */
    int error_ref; /* first error without a handler, or LUA_NOREF */
    struct sl_lua_child *children;
    sl_steps work;  /* of the running step; counted by what integrates and uploads */
    double seconds; /* budget of the running step in time; 0 = in steps */
    double until;   /* when that is used up; 0 = nothing was done yet */
} sl_lua_loop;

/* Whether the running step has budget left for work that can as well be done in the next one; the
 * work itself is added to `work`, and ends at its limit. */
bool sl_lua_loop_may_work(sl_lua_loop *loop);

/* First member (after the head) of what lives on a loop. Invariant: while `loop` is set the object
 * is in use by the loop, in its list, and anchored in the registry by `self`. Its user value is a
 * table: the callbacks by name, and the loop at index 1. */
typedef struct sl_lua_child {
    sl_lua_head head;
    sl_lua_loop *loop;
    struct sl_lua_child *next, **back;
    int self;
    void (*end)(struct sl_lua_child *child); /* the loop goes away; must not call Lua */
} sl_lua_child;

/* C code that serves a WebSocket connection in place of its Lua callbacks: messages, pings and
 * "writable" go there without becoming Lua values; on_close is told to both. */
typedef enum sl_lua_socket_event {
    SL_LUA_SOCKET_MESSAGE,
    SL_LUA_SOCKET_SKIPPED, /* `data`: the front of a message beyond the limit */
    SL_LUA_SOCKET_PING,
    SL_LUA_SOCKET_WRITABLE
} sl_lua_socket_event;

typedef struct sl_lua_sink {
    /* Runs protected, inside a step; `data` borrowed. May raise. */
    void (*event)(struct sl_lua_sink *sink, lua_State *L, sl_lua_socket_event event, sl_str data);
    /* The connection is over; must not call Lua. */
    void (*gone)(struct sl_lua_sink *sink);
} sl_lua_sink;

typedef struct sl_lua_connection sl_lua_connection;

/* The connection userdata at `index` (anything else raises) gets `sink`, borrowed until it is gone
 * or taken back with NULL. */
sl_lua_connection *sl_lua_connection_serve(lua_State *L, int index, sl_lua_sink *sink);
void sl_lua_connection_unserve(sl_lua_connection *connection);
/* Pushes the function that the connection's table has under `name`, and the connection; false
 * (nothing pushed) when there is none, or it is over. */
bool sl_lua_connection_callback(lua_State *L, const sl_lua_connection *connection,
                                const char *name);
/* NULL once it is over. */
sl_websocket *sl_lua_connection_socket(const sl_lua_connection *connection);
sl_lua_loop *sl_lua_connection_loop(const sl_lua_connection *connection);

extern const sl_lua_type sl_lua_loop_type, sl_lua_timer_type, sl_lua_server_type,
    sl_lua_request_type, sl_lua_connection_type, sl_lua_call_type, sl_lua_workers_type;

/* Takes the userdata on top of the stack, and the callbacks in the option table at `options` (0 =
 * none) named in the NULL-terminated list `names`, into the loop at stack index `loop`. Raises for
 * a callback that is no function. */
void sl_lua_child_begin(lua_State *L, sl_lua_child *child, int loop, int options,
                        const char *const *names, void (*end)(sl_lua_child *child));
/* The loop is done with it: it may be collected. Idempotent. Needs no Lua state of a step. */
void sl_lua_child_end(lua_State *L, sl_lua_child *child);
/* Calls `run` protected, inside a step; errors are reported. `run` gets `arg` as light userdata at
 * index 1. False if it failed or nothing may be called. */
bool sl_lua_net_protect(sl_lua_loop *loop, lua_CFunction run, void *arg);
/* For use in `run`: pushes the callback and the child; returns false (nothing pushed) when there is
 * none. */
bool sl_lua_push_callback(lua_State *L, const sl_lua_child *child, const char *name);
/* For use in `run`: calls what was pushed, raising its error with a traceback. */
void sl_lua_run_callback(lua_State *L, int args);

/* Reads a table of header fields: name = value or list of values, and/or pairs {name, value}.
 * Returns an array that lives while the userdata it pushes is on the stack. */
const sl_http_header *sl_lua_check_fields(lua_State *L, int options, const char *name,
                                          size_t *count);
/* Pushes a table with lower-case names; repeated fields are joined with ", ". */
void sl_lua_push_fields(lua_State *L, const sl_http_head *head);
/* The option `name`: {ca=, verify=, min=}. Strings are borrowed from the table. */
void sl_lua_check_tls_client(lua_State *L, int options, sl_tls_client *tls);
sl_tls_min sl_lua_check_tls_min(lua_State *L, int table);
/* Seconds (any positive number) as milliseconds; `fallback` when absent. */
int sl_lua_option_ms(lua_State *L, int index, const char *name, int fallback);
void sl_lua_check_ws_options(lua_State *L, int options, sl_websocket_options *ws);

/* net.loop(options) */
int sl_lua_net_loop(lua_State *L);
/* loop:listen, loop:connect_websocket, loop:request, loop:workers: methods of the loop in other
 * files. */
int sl_lua_loop_listen(lua_State *L);
int sl_lua_loop_connect(lua_State *L);
int sl_lua_loop_request(lua_State *L);
int sl_lua_loop_workers(lua_State *L);
/* request:accept. The exchange is taken from the request at index 1. */
int sl_lua_accept(lua_State *L, sl_lua_child *request, sl_http_exchange *exchange);

#if LUA_VERSION_NUM < 502
#define sl_lua_set_table(L, index) ((void)lua_setfenv((L), (index)))
#define sl_lua_get_table(L, index) lua_getfenv((L), (index))
#else
#define sl_lua_set_table(L, index) ((void)lua_setuservalue((L), (index)))
#define sl_lua_get_table(L, index) ((void)lua_getuservalue((L), (index)))
#endif

#endif
