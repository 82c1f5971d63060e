#include "net/loop.h"

#include "net/loop_core.h"
#include "net/system_env.h"
#include "net/watch.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Timers are kept in a heap of our own instead of in libwebsockets' sorted list: its libuv plugin
 * (4.1.6) re-arms its uv timer only after a socket event, so a timer set from outside would be
 * late. The heap also works unchanged in poll mode. */

static void on_uv_wake(uv_async_t *async) {
    ((sl_loop *)async->data)->woken = true;
}
static void on_sul(lws_sorted_usec_list_t *sul) {
    (void)sul;
}

/* libwebsockets makes two tables of all descriptors the process may have, some 16 MiB where that is
 * a million. So it sees a lower limit while it looks. */
static struct lws_context *create_context(sl_loop *loop,
                                          const struct lws_context_creation_info *info) {
    struct rlimit own, low;
    bool lower = getrlimit(RLIMIT_NOFILE, &own) == 0 && own.rlim_cur > SL_LOOP_DESCRIPTORS;
    if (lower) {
        low = own;
        low.rlim_cur = SL_LOOP_DESCRIPTORS;
        lower = setrlimit(RLIMIT_NOFILE, &low) == 0;
    }
    long open_max = sysconf(_SC_OPEN_MAX);
    loop->max_fd = open_max > 0 && open_max < INT_MAX ? (int)open_max : SL_LOOP_DESCRIPTORS;
    struct lws_context *lws = lws_create_context(info);
    if (lower) setrlimit(RLIMIT_NOFILE, &own);
    return lws;
}

static struct lws_context *make_context(sl_loop *loop, bool with_uv) {
    struct lws_context_creation_info info;
    void *foreign[1] = {&loop->uv};
    memset(&info, 0, sizeof info);
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    if (with_uv) {
        info.options |= LWS_SERVER_OPTION_LIBUV;
        info.foreign_loops = foreign;
    }
    info.gid = -1;
    info.uid = -1;
    struct lws_context *lws = create_context(loop, &info);
    if (!lws) return NULL;
    info.protocols = sl_watch_protocols;
    info.vhost_name = "sl";
    loop->vhost = lws_create_vhost(lws, &info);
    if (loop->vhost) return lws;
    lws_context_destroy(lws);
    return NULL;
}

static bool start_uv(sl_loop *loop) {
    if (uv_loop_init(&loop->uv) != 0) return false;
    loop->lws = make_context(loop, true);
    if (!loop->lws) {
        uv_loop_close(&loop->uv);
        return false;
    }
    loop->uv_on = true;
    uv_async_init(&loop->uv, &loop->uv_wake, on_uv_wake);
    loop->uv_wake.data = loop;
    return true;
}

sl_loop *sl_loop_new(const sl_loop_options *options, sl_status *st) {
    static const sl_loop_options defaults;
    if (!options) options = &defaults;
    const sl_alloc *alloc = options->alloc ? options->alloc : sl_alloc_default();
    sl_loop *loop = sl_new_zero(alloc, 1, sizeof *loop);
    if (!loop) {
        sl_fail_memory(st);
        return NULL;
    }
    loop->alloc = alloc;
    loop->env = options->env ? options->env : sl_system_env();
    loop->on_log = options->on_log;
    loop->log_ctx = options->log_ctx;
    loop->tasks_end = &loop->tasks;
    loop->posted_end = &loop->posted;
    pthread_mutex_init(&loop->post_lock, NULL);
    loop->scratch = sl_new(alloc, SL_LOOP_READ_SIZE);
    if (!loop->scratch) {
        sl_delete(alloc, loop);
        sl_fail_memory(st);
        return NULL;
    }
    lws_set_log_level(0, NULL);
    if (options->poll_only || !start_uv(loop)) loop->lws = make_context(loop, false);
    if (!loop->lws) {
        sl_fail(st, SL_ERR_CONNECTION, "",
                "libwebsockets gave no context; check the limit on open files and memory");
        sl_delete(alloc, loop->scratch);
        sl_delete(alloc, loop);
        return NULL;
    }
    if (!loop->uv_on) sl_loop_log(loop, "loop: no libuv plugin, poll(2) without a descriptor");
    return loop;
}

void sl_loop_log(sl_loop *loop, const char *format, ...) {
    char text[512];
    va_list args;
    if (!loop->on_log) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    loop->on_log(loop->log_ctx, text);
}

static void on_walk_close(uv_handle_t *handle, void *arg) {
    (void)arg;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void free_uv(sl_loop *loop) {
    /* The context closes its handles inside the loop. */
    lws_context_destroy(loop->lws);
    for (int i = 0; i < 100; i++)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    lws_context_destroy(loop->lws);
    uv_walk(&loop->uv, on_walk_close, NULL);
    while (uv_run(&loop->uv, UV_RUN_NOWAIT) != 0) {
    }
    uv_loop_close(&loop->uv);
}

static sl_task *take_task(sl_task **first, sl_task ***end) {
    sl_task *task = *first;
    if (!task) return NULL;
    *first = task->next;
    if (!*first) *end = first;
    task->next = NULL;
    task->queued = false;
    return task;
}

static void add_task(sl_task ***end, sl_task *task) {
    task->queued = true;
    task->next = NULL;
    **end = task;
    *end = &task->next;
}

static void remove_task(sl_task **first, sl_task ***end, sl_task *task) {
    sl_task **at = first;
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    if (!*at) *end = at;
    task->next = NULL;
    task->queued = false;
}

static void run_tasks(sl_loop *loop) {
    sl_task *task;
    while ((task = take_task(&loop->tasks, &loop->tasks_end)) != NULL)
        task->run(task->ctx);
}

static void run_posted(sl_loop *loop) {
    for (;;) {
        pthread_mutex_lock(&loop->post_lock);
        sl_task *task = take_task(&loop->posted, &loop->posted_end);
        pthread_mutex_unlock(&loop->post_lock);
        if (!task) return;
        task->run(task->ctx);
        run_tasks(loop);
    }
}

void sl_loop_free(sl_loop *loop) {
    if (!loop) return;
    loop->freeing = true;
    sl_listeners_end(loop);
    sl_streams_end(loop);
    run_tasks(loop);
    if (loop->uv_on) {
        free_uv(loop);
    } else {
        lws_sul_cancel(&loop->sul);
        lws_context_destroy(loop->lws);
    }
    run_tasks(loop);
    sl_client_tls_free(loop);
    pthread_mutex_destroy(&loop->post_lock);
    sl_delete(loop->alloc, loop->scratch);
    sl_delete(loop->alloc, loop);
}

static void run_timers(sl_loop *loop) {
    /* The clock is read once, so a timer that restarts itself with 0 waits for the next step. */
    int64_t now = sl_loop_now(loop);
    for (;;) {
        sl_timer *timer = sl_timer_heap_pop(&loop->timers, now);
        if (!timer) return;
        timer->fire(timer->ctx);
        run_tasks(loop);
    }
}

static int until_due(const sl_loop *loop) {
    if (loop->tasks) return 0;
    if (!loop->timers.root) return -1;
    int64_t left = loop->timers.root->due_ms - sl_loop_now(loop);
    if (left <= 0) return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* The waiting is done here and not by libuv, which goes on waiting after a signal: a program whose
 * own handler was called (Ctrl-C in a Lua interpreter) gets its turn at once. */
static void wait_uv(sl_loop *loop, int wait_ms, bool touched) {
    if (wait_ms != 0 && touched) { /* the kernel has to know what to watch before */
        loop->woken = false;
        loop->woken_ms = sl_loop_now(loop);
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        if (loop->woken || loop->tasks) return;
    }
    if (wait_ms != 0) {
        uv_update_time(&loop->uv);
        int most = uv_backend_timeout(&loop->uv);
        if (most >= 0 && (wait_ms < 0 || most < wait_ms)) wait_ms = most;
        struct pollfd descriptor = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
        poll(&descriptor, 1, wait_ms);
    }
    loop->woken_ms = sl_loop_now(loop);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
}

static void wait_poll(sl_loop *loop, int wait_ms) {
    if (wait_ms > 0) lws_sul_schedule(loop->lws, 0, &loop->sul, on_sul, (lws_usec_t)wait_ms * 1000);
    lws_service(loop->lws, wait_ms == 0 ? -1 : 0);
    lws_sul_cancel(&loop->sul);
    loop->woken_ms = sl_loop_now(loop); /* what it has called itself is not known */
}

void sl_loop_on_held(sl_loop *loop, int ms, void (*fire)(void *ctx, int64_t held_ms), void *ctx) {
    loop->held_limit_ms = ms;
    loop->on_held = fire;
    loop->held_ctx = ctx;
}

static void tell_held(sl_loop *loop) {
    if (!loop->on_held) return;
    int64_t held = sl_loop_now(loop) - loop->woken_ms;
    if (held >= loop->held_limit_ms) loop->on_held(loop->held_ctx, held);
}

bool sl_loop_step(sl_loop *loop, int timeout_ms, sl_status *st) {
    if (loop->stepping || loop->freeing)
        return sl_fail(st, SL_ERR_USAGE, "", "the loop is already inside a step; return first");
    int due = until_due(loop);
    if (due >= 0 && (timeout_ms < 0 || due < timeout_ms)) timeout_ms = due;
    bool touched = loop->touched;
    loop->stepping = true;
    loop->touched = false;
    if (loop->uv_on)
        wait_uv(loop, timeout_ms, touched);
    else
        wait_poll(loop, timeout_ms);
    run_tasks(loop);
    run_posted(loop);
    run_timers(loop);
    run_tasks(loop);
    tell_held(loop);
    loop->stepping = false;
    return true;
}

int sl_loop_fd(const sl_loop *loop) {
    return loop->uv_on ? uv_backend_fd(&loop->uv) : -1;
}

int sl_loop_timeout(sl_loop *loop) {
    int due = until_due(loop);
    if (loop->touched) return 0;
    if (!loop->uv_on) return due;
    uv_update_time(&loop->uv);
    int uv = uv_backend_timeout(&loop->uv);
    if (uv < 0) return due;
    return due >= 0 && due < uv ? due : uv;
}

void sl_loop_wake(sl_loop *loop) {
    if (loop->uv_on)
        uv_async_send(&loop->uv_wake);
    else
        lws_cancel_service(loop->lws);
}

void sl_loop_timer_start(sl_loop *loop, sl_timer *timer, int64_t delay_ms) {
    sl_timer_heap_add(&loop->timers, timer, sl_loop_now(loop) + (delay_ms > 0 ? delay_ms : 0));
}

void sl_loop_timer_stop(sl_loop *loop, sl_timer *timer) {
    sl_timer_heap_remove(&loop->timers, timer);
}

int64_t sl_loop_now(const sl_loop *loop) {
    return loop->env->mono_ms(loop->env->ctx);
}

void sl_loop_defer(sl_loop *loop, sl_task *task) {
    if (!task->queued) add_task(&loop->tasks_end, task);
}

void sl_loop_undefer(sl_loop *loop, sl_task *task) {
    if (task->queued) remove_task(&loop->tasks, &loop->tasks_end, task);
}

void sl_loop_post(sl_loop *loop, sl_task *task) {
    pthread_mutex_lock(&loop->post_lock);
    if (!task->queued) add_task(&loop->posted_end, task);
    pthread_mutex_unlock(&loop->post_lock);
    sl_loop_wake(loop);
}

void sl_loop_unpost(sl_loop *loop, sl_task *task) {
    pthread_mutex_lock(&loop->post_lock);
    if (task->queued) remove_task(&loop->posted, &loop->posted_end, task);
    pthread_mutex_unlock(&loop->post_lock);
}

static void on_uv_signal(uv_signal_t *handle, int signum) {
    sl_loop_signal *s = handle->data;
    s->loop->woken = true;
    if (s->fire) s->fire(s->ctx, signum);
}

bool sl_loop_on_signal(sl_loop *loop, int signum, void (*fire)(void *ctx, int signum), void *ctx,
                       sl_status *st) {
    sl_loop_signal *found = NULL;
    if (!loop->uv_on)
        return sl_fail(st, SL_ERR_USAGE, "", "signals need libwebsockets' libuv plugin");
    for (int i = 0; i < SL_LOOP_SIGNALS; i++) {
        sl_loop_signal *s = &loop->signals[i];
        if (s->signum == signum) {
            found = s;
            break;
        }
        if (s->signum == 0 && !found) found = s;
    }
    if (!found) return sl_fail(st, SL_ERR_USAGE, "", "at most %d signals", SL_LOOP_SIGNALS);
    if (found->signum == 0) {
        if (!fire) return true;
        found->loop = loop;
        if (!found->handle.data) uv_signal_init(&loop->uv, &found->handle);
        found->handle.data = found;
        if (uv_signal_start(&found->handle, on_uv_signal, signum) != 0)
            return sl_fail(st, SL_ERR_USAGE, "", "signal %d cannot be watched", signum);
        uv_unref((uv_handle_t *)&found->handle);
        found->signum = signum;
    }
    if (!fire) {
        uv_signal_stop(&found->handle);
        found->signum = 0;
    }
    found->fire = fire;
    found->ctx = ctx;
    loop->touched = true;
    return true;
}

const sl_alloc *sl_loop_alloc(const sl_loop *loop) {
    return loop->alloc;
}
const sl_env *sl_loop_env(const sl_loop *loop) {
    return loop->env;
}
