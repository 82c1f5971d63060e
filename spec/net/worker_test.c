/* Workers: jobs run beside the loop, their ends come inside it, the queue is bounded. */
#include "net_support.h"

#include "net/worker.h"

#include <pthread.h>
#include <semaphore.h>

typedef struct task {
    sl_job job;
    sem_t *gate; /* waited for while it runs; NULL = does not wait */
    sem_t *begun;
    pthread_t ran_on, done_on;
    int done, ran;
    sl_workers *free_inside;
} task;

static void run(void *ctx) {
    task *t = ctx;
    t->ran_on = pthread_self();
    if (t->begun) sem_post(t->begun);
    if (t->gate) sem_wait(t->gate);
}

static void done(void *ctx, bool ran) {
    task *t = ctx;
    t->done_on = pthread_self();
    t->done++;
    t->ran += ran;
    if (t->free_inside) sl_workers_free(t->free_inside);
}

static task make(sem_t *gate, sem_t *begun) {
    return (task){.gate = gate, .begun = begun, .job = {.run = run, .done = done}};
}

static bool add(sl_workers *pool, task *t, sl_status *st) {
    t->job.ctx = t;
    return sl_workers_add(pool, &t->job, st);
}

typedef struct world {
    count_alloc memory;
    sl_loop *loop;
    sl_workers *pool;
    sem_t gate, begun;
} world;

static void begin(world *w, bool poll_only, unsigned threads, size_t queue) {
    count_alloc_init(&w->memory, 0);
    sl_loop_options options = {.alloc = &w->memory.alloc, .poll_only = poll_only};
    sl_workers_options workers = {threads, queue};
    w->loop = sl_loop_new(&options, NULL);
    assert_non_null(w->loop);
    w->pool = sl_workers_new(w->loop, &workers, NULL);
    assert_non_null(w->pool);
    sem_init(&w->gate, 0, 0);
    sem_init(&w->begun, 0, 0);
}

static void end(world *w) {
    sl_loop_free(w->loop);
    assert_int_equal(w->memory.live, 0);
    sem_destroy(&w->gate);
    sem_destroy(&w->begun);
}

/* A job that runs holds nobody: the loop steps meanwhile, and its end wakes a waiting step. */
static void beside_the_loop(bool poll_only) {
    world w;
    begin(&w, poll_only, 1, 8);
    task t = make(&w.gate, &w.begun);
    assert_true(add(w.pool, &t, NULL));
    sem_wait(&w.begun);
    for (int i = 0; i < 5; i++)
        assert_true(sl_loop_step(w.loop, 0, NULL));
    assert_int_equal(t.done, 0);
    sem_post(&w.gate);
    UNTIL(w.loop, t.done == 1);
    assert_int_equal(t.ran, 1);
    assert_false(pthread_equal(t.ran_on, pthread_self()));
    assert_true(pthread_equal(t.done_on, pthread_self()));
    sl_workers_free(w.pool);
    end(&w);
}

static void ends_come_inside_the_loop(void **state) {
    (void)state;
    beside_the_loop(false);
    beside_the_loop(true);
}

static void the_queue_is_bounded(void **state) {
    (void)state;
    world w;
    sl_status st = SL_STATUS_INIT;
    begin(&w, false, 1, 2);
    task t[4];
    for (int i = 0; i < 4; i++)
        t[i] = make(&w.gate, &w.begun);
    assert_true(add(w.pool, &t[0], &st));
    sem_wait(&w.begun); /* it runs and does not count any more */
    assert_true(add(w.pool, &t[1], &st) && add(w.pool, &t[2], &st));
    assert_int_equal(sl_workers_waiting(w.pool), 2);
    assert_false(add(w.pool, &t[3], &st));
    assert_int_equal(st.code, 503);
    for (int i = 0; i < 3; i++)
        sem_post(&w.gate);
    UNTIL(w.loop, t[0].done + t[1].done + t[2].done == 3);
    assert_int_equal(t[3].done, 0);
    sem_post(&w.gate);
    assert_true(add(w.pool, &t[3], NULL)); /* there is room again */
    UNTIL(w.loop, t[3].done == 1);
    sl_workers_free(w.pool);
    end(&w);
}

static void several_run_at_once(void **state) {
    (void)state;
    world w;
    begin(&w, false, 3, 8);
    task t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = make(&w.gate, &w.begun);
        assert_true(add(w.pool, &t[i], NULL));
    }
    for (int i = 0; i < 3; i++)
        sem_wait(&w.begun); /* all three have begun, none has ended */
    for (int i = 0; i < 3; i++)
        sem_post(&w.gate);
    UNTIL(w.loop, t[0].done + t[1].done + t[2].done == 3);
    sl_workers_free(w.pool);
    end(&w);
}

/* What runs is waited for, what waits is given back, and each job hears of its end once. */
static void closing_ends_every_job(void **state) {
    (void)state;
    world w;
    begin(&w, false, 1, 8);
    task t[3] = {make(&w.gate, &w.begun), make(NULL, NULL), make(NULL, NULL)};
    for (int i = 0; i < 3; i++)
        assert_true(add(w.pool, &t[i], NULL));
    sem_wait(&w.begun);
    sem_post(&w.gate);
    sl_workers_free(w.pool);
    int ran = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t[i].done, 1);
        ran += t[i].ran;
    }
    assert_in_range(ran, 1, 3);
    end(&w);
}

static void a_pool_can_be_freed_by_the_end_of_a_job(void **state) {
    (void)state;
    world w;
    begin(&w, false, 2, 8);
    task t[2] = {make(&w.gate, &w.begun), make(&w.gate, &w.begun)};
    for (int i = 0; i < 2; i++)
        assert_true(add(w.pool, &t[i], NULL));
    for (int i = 0; i < 2; i++)
        sem_wait(&w.begun);
    t[0].free_inside = w.pool;
    for (int i = 0; i < 2; i++)
        sem_post(&w.gate);
    UNTIL(w.loop, t[0].done == 1 && t[1].done == 1);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_come_inside_the_loop),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(several_run_at_once),
        cmocka_unit_test(closing_ends_every_job),
        cmocka_unit_test(a_pool_can_be_freed_by_the_end_of_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
