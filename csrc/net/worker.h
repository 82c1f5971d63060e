/* worker.h - threads for work that would hold the loop. A job runs on one of them; its end is told
 * inside a step of the loop. The number of jobs that wait is bounded. */
#ifndef SL_NET_WORKER_H
#define SL_NET_WORKER_H

#include "net/loop.h"

typedef struct sl_workers sl_workers;

/* One piece of work, kept by the caller until `done`. Set run, done and ctx; the rest is private.
 */
typedef struct sl_job {
    /* On a thread of the pool: may touch nothing that the loop's thread uses meanwhile. */
    void (*run)(void *ctx);
    /* On the loop's thread, exactly once: inside a step, or inside sl_workers_free, where `ran` is
     * false if the job was never begun. The pool does not touch the job afterwards. */
    void (*done)(void *ctx, bool ran);
    void *ctx;
    struct sl_job *next;
} sl_job;

typedef struct sl_workers_options {
    unsigned threads; /* 1 .. 64; 0 = 2. They are started with the first jobs. */
    size_t queue;     /* jobs that may wait for a thread; 0 = 64 */
} sl_workers_options;

/* `options` borrowed for the call, may be NULL. NULL: SL_ERR_MEMORY. */
sl_workers *sl_workers_new(sl_loop *loop, const sl_workers_options *options, sl_status *st);
/* Waits for the jobs that run, and ends all others with ran = false. To be called before
 * sl_loop_free, not from inside `run`. */
void sl_workers_free(sl_workers *pool);
/* Takes `job` (borrowed until `done`). Refuses with SL_ERR_CONNECTION, code 503 ("busy"), when the
 * queue is full, SL_ERR_MEMORY when no thread can be had. */
bool sl_workers_add(sl_workers *pool, sl_job *job, sl_status *st);
/* Jobs that wait for a thread. */
size_t sl_workers_waiting(sl_workers *pool);

#endif
