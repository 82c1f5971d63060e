#include "net/worker.h"

#include <pthread.h>
#include <signal.h>

enum { THREADS = 2, THREADS_MAX = 64, QUEUE = 64 };

typedef struct job_list {
    sl_job *first, **last;
} job_list;

/* Invariant: `waiting` .. `ending` are touched under `lock`, the rest by the loop's thread alone. A
 * job is in `waiting`, or run by one thread, or in `finished` until the loop has told of its end.
 */
struct sl_workers {
    sl_loop *loop;
    pthread_mutex_t lock;
    pthread_cond_t work;
    job_list waiting, finished;
    size_t waiting_count, idle;
    bool ending;
    sl_task end;
    bool telling, freed; /* freed while `done` of a job was called: goes afterwards */
    size_t queue;
    unsigned started, threads;
    pthread_t thread[THREADS_MAX];
};

static void list_init(job_list *list) {
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(job_list *list, sl_job *job) {
    job->next = NULL;
    *list->last = job;
    list->last = &job->next;
}

static sl_job *list_take(job_list *list) {
    sl_job *job = list->first;
    if (!job) return NULL;
    list->first = job->next;
    if (!list->first) list->last = &list->first;
    return job;
}

static void *work(void *arg) {
    sl_workers *pool = arg;
    pthread_mutex_lock(&pool->lock);
    while (!pool->ending) {
        sl_job *job = list_take(&pool->waiting);
        if (!job) {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->lock);
            pool->idle--;
            continue;
        }
        pool->waiting_count--;
        pthread_mutex_unlock(&pool->lock);
        job->run(job->ctx);
        pthread_mutex_lock(&pool->lock);
        list_add(&pool->finished, job);
        sl_loop_post(pool->loop, &pool->end);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static sl_job *take(sl_workers *pool, job_list *list) {
    pthread_mutex_lock(&pool->lock);
    sl_job *job = list_take(list);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void destroy(sl_workers *pool) {
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    sl_delete(sl_loop_alloc(pool->loop), pool);
}

static void tell_finished(void *ctx) {
    sl_workers *pool = ctx;
    sl_job *job;
    pool->telling = true;
    while ((job = take(pool, &pool->finished)) != NULL)
        job->done(job->ctx, true);
    pool->telling = false;
    if (pool->freed) destroy(pool);
}

sl_workers *sl_workers_new(sl_loop *loop, const sl_workers_options *options, sl_status *st) {
    sl_workers *pool = sl_new_zero(sl_loop_alloc(loop), 1, sizeof *pool);
    if (!pool) {
        sl_fail_memory(st);
        return NULL;
    }
    pool->loop = loop;
    pool->end = (sl_task){.run = tell_finished, .ctx = pool};
    list_init(&pool->waiting);
    list_init(&pool->finished);
    pool->threads = options && options->threads ? options->threads : THREADS;
    if (pool->threads > THREADS_MAX) pool->threads = THREADS_MAX;
    pool->queue = options && options->queue ? options->queue : QUEUE;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    return pool;
}

/* Signals stay with the thread of the loop. */
static bool start_thread(sl_workers *pool) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&pool->thread[pool->started], NULL, work, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok) pool->started++;
    return ok;
}

bool sl_workers_add(sl_workers *pool, sl_job *job, sl_status *st) {
    pthread_mutex_lock(&pool->lock);
    bool full = pool->waiting_count >= pool->queue;
    bool more = pool->waiting_count >= pool->idle && pool->started < pool->threads;
    pthread_mutex_unlock(&pool->lock);
    if (full)
        return sl_fail_code(st, SL_ERR_CONNECTION, 503, "busy: %zu jobs wait already", pool->queue);
    if (more && !start_thread(pool) && pool->started == 0)
        return sl_fail(st, SL_ERR_MEMORY, "", "the system gives no thread");
    pthread_mutex_lock(&pool->lock);
    list_add(&pool->waiting, job);
    pool->waiting_count++;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    return true;
}

size_t sl_workers_waiting(sl_workers *pool) {
    pthread_mutex_lock(&pool->lock);
    size_t waiting = pool->waiting_count;
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

void sl_workers_free(sl_workers *pool) {
    sl_job *job;
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->started; i++)
        pthread_join(pool->thread[i], NULL);
    sl_loop_unpost(pool->loop, &pool->end);
    while ((job = list_take(&pool->finished)) != NULL)
        job->done(job->ctx, true);
    while ((job = list_take(&pool->waiting)) != NULL)
        job->done(job->ctx, false);
    pool->freed = true;
    if (!pool->telling) destroy(pool);
}
