/* loop.h - the event loop: libwebsockets on a private libuv loop, one object, no globals. */
#ifndef SL_NET_LOOP_H
#define SL_NET_LOOP_H

#include "base/alloc.h"
#include "base/env.h"
#include "base/status.h"
#include "net/timer.h"

typedef struct sl_loop sl_loop;

typedef struct sl_loop_options {
    const sl_alloc *alloc; /* borrowed; NULL = heap */
    const sl_env *env;     /* borrowed; NULL = sl_system_env() */
    /* Debugging notes of the loop and its connections (peer, cause; never a target, header or
     * payload, so no token can be in them). May be NULL. `text` is borrowed for the call. */
    void (*on_log)(void *ctx, const char *text);
    void *log_ctx;
    bool poll_only; /* do not use the libuv plugin: no pollable descriptor, no signals */
} sl_loop_options;

/* Work to be done at the end of the current (or else the next) step. Zero-initialized = idle. */
typedef struct sl_task {
    struct sl_task *next;
    void (*run)(void *ctx);
    void *ctx;
    bool queued;
} sl_task;

/* `options` borrowed for the call, may be NULL. Without the libuv plugin of libwebsockets the loop
 * falls back to poll(2) by itself. Makes the process ignore SIGPIPE and silences libwebsockets'
 * own log (both are per process). NULL on failure: SL_ERR_MEMORY, SL_ERR_CONNECTION. */
sl_loop *sl_loop_new(const sl_loop_options *options, sl_status *st);
/* Ends every connection and listener (each gets its on_close), then frees. Not from a callback. */
void sl_loop_free(sl_loop *loop);

/* Waits up to `timeout_ms` (-1: for ever) for events and timers and handles them; callbacks run
 * inside. Returns false only for a call from inside a callback (SL_ERR_USAGE). */
bool sl_loop_step(sl_loop *loop, int timeout_ms, sl_status *st);
/* One descriptor that becomes readable when a step has something to do, for poll/epoll/kqueue of a
 * foreign loop; -1 if the loop has none (no libuv plugin). */
int sl_loop_fd(const sl_loop *loop);
/* Milliseconds after which the foreign loop must call sl_loop_step even if the descriptor stays
 * silent; 0 = at once; -1 = no limit. Ask again after every step and after every other call. */
int sl_loop_timeout(sl_loop *loop);
/* Makes a waiting sl_loop_step return soon. May be called from any thread and from a signal handler
 * while the loop exists. */
void sl_loop_wake(sl_loop *loop);

/* Starts or restarts `timer` (borrowed, its `fire` and `ctx` set); delay < 0 counts as 0. */
void sl_loop_timer_start(sl_loop *loop, sl_timer *timer, int64_t delay_ms);
void sl_loop_timer_stop(sl_loop *loop, sl_timer *timer);
/* Monotonic milliseconds of the loop's environment. */
int64_t sl_loop_now(const sl_loop *loop);

/* Calls `fire` at the end of a step that has held the thread for `ms` or longer: the time from the
 * moment the kernel told of something until everything that it led to was done, during which nobody
 * else was served. NULL removes it. Without libuv only tasks and timers are counted. */
void sl_loop_on_held(sl_loop *loop, int ms, void (*fire)(void *ctx, int64_t held_ms), void *ctx);

/* Runs `task` (borrowed until it ran) at the end of the step; once, however often it is asked. */
void sl_loop_defer(sl_loop *loop, sl_task *task);
void sl_loop_undefer(sl_loop *loop, sl_task *task);
/* The same from any thread, while the loop exists: `task` (borrowed until it ran) runs in the
 * running or the next step, which begins soon. A task is either posted or deferred, never both. */
void sl_loop_post(sl_loop *loop, sl_task *task);
/* On the loop's thread: takes back what was posted and has not run. */
void sl_loop_unpost(sl_loop *loop, sl_task *task);

/* Calls `fire` inside a step whenever the process gets `signum`. One handler per loop and signal:
 * NULL removes it. SL_ERR_USAGE if the loop has no libuv or too many signals are watched (8). */
bool sl_loop_on_signal(sl_loop *loop, int signum, void (*fire)(void *ctx, int signum), void *ctx,
                       sl_status *st);

const sl_alloc *sl_loop_alloc(const sl_loop *loop);
const sl_env *sl_loop_env(const sl_loop *loop);
/* Writes a debugging note through `on_log`. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sl_loop_log(sl_loop *loop, const char *format, ...);

#endif
