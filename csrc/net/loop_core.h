/* loop_core.h - the inside of the loop, for the files of this room only. */
#ifndef SL_NET_LOOP_CORE_H
#define SL_NET_LOOP_CORE_H

#include "net/loop.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <uv.h>

enum {
    SL_LOOP_SIGNALS = 8,
    /* One whole TLS record fits, so that no decrypted bytes stay behind inside OpenSSL, where the
     * kernel would not tell of them. */
    SL_LOOP_READ_SIZE = 32 * 1024,
    SL_LOOP_DESCRIPTORS = 64 * 1024
};

struct sl_client_tls;

typedef struct sl_loop_signal {
    uv_signal_t handle;
    sl_loop *loop;
    int signum; /* 0: free */
    void (*fire)(void *ctx, int signum);
    void *ctx;
} sl_loop_signal;

/* Invariant: while `uv_on`, `uv` is a running private loop and `lws` was made on it. Nothing in the
 * loop is touched from two threads except by sl_loop_wake and sl_loop_post: `posted` and the tasks
 * in it belong to who holds `post_lock`. */
struct sl_loop {
    const sl_alloc *alloc;
    const sl_env *env;
    void (*on_log)(void *ctx, const char *text);
    void *log_ctx;
    struct lws_context *lws;
    int max_fd; /* descriptors from here on cannot be watched */
    bool uv_on, stepping, freeing;
    bool touched; /* descriptors changed outside a step: the kernel does not know yet */
    bool woken;   /* by another thread or a signal */
    uv_loop_t uv;
    uv_async_t uv_wake;
    int64_t woken_ms; /* beginning of what the running step does */
    int held_limit_ms;
    void (*on_held)(void *ctx, int64_t held_ms); /* NULL = nobody asks */
    void *held_ctx;
    lws_sorted_usec_list_t sul; /* the end of the running step in poll mode */
    sl_timer_heap timers;
    sl_task *tasks, **tasks_end;
    pthread_mutex_t post_lock;
    sl_task *posted, **posted_end;
    struct lws_vhost *vhost;
    struct sl_client_tls *client_tls; /* contexts of TLS clients, one per configuration */
    char *scratch;                    /* SL_LOOP_READ_SIZE bytes to read into */
    struct sl_stream *streams;        /* all that live, so that sl_loop_free can end them */
    struct sl_listener *listeners;    /* likewise */
    sl_loop_signal signals[SL_LOOP_SIGNALS];
};

/* Frees the contexts of TLS clients. */
void sl_client_tls_free(sl_loop *loop);
/* End all streams and listeners at once, with their on_close. */
void sl_streams_end(sl_loop *loop);
void sl_listeners_end(sl_loop *loop);

#endif
