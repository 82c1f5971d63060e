/* Lookups that take as long as they like hold nothing up; signals end the waiting of a step. */
#include "net/lookup.h"
#include "net/stream.h"
#include "net_support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

/* The resolver of this program: "stalls" until it is let go, everything else is unknown. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int inside, ended;
static bool let_go;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
    (void)service;
    (void)hints;
    *list = NULL;
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&changed);
    while (strcmp(host, "stalls") == 0 && !let_go)
        pthread_cond_wait(&changed, &lock);
    ended++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return EAI_NONAME;
}

static void wait_for(const int *count, int wanted) {
    pthread_mutex_lock(&lock);
    while (*count < wanted)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

typedef struct end {
    bool closed;
    sl_status why;
} end;

static void on_close(void *ctx, const sl_status *why) {
    end *e = ctx;
    e->closed = true;
    if (why) e->why = *why;
}

static const sl_stream_events events = {.on_close = on_close};

static void dial(sl_loop *loop, const char *host, int timeout_ms, end *e) {
    *e = (end){0};
    sl_stream_options options = {.host = host, .port = 9, .connect_timeout_ms = timeout_ms};
    assert_non_null(sl_stream_connect(loop, &options, &events, e, NULL));
}

static void an_unknown_host_is_told_with_the_reason(void **state) {
    (void)state;
    end e;
    sl_loop *loop = sl_loop_new(NULL, NULL);
    dial(loop, "nowhere.invalid", 60 * 1000, &e);
    UNTIL(loop, e.closed);
    assert_int_equal(e.why.code, SL_NET_RESOLVE_FAILED);
    assert_non_null(strstr(e.why.message, "the host nowhere.invalid is not known"));
    sl_loop_free(loop);
}

static void a_lookup_that_stalls_holds_up_neither_loop_nor_end(void **state) {
    (void)state;
    end given_up, open;
    int before = inside;
    sl_loop *loop = sl_loop_new(NULL, NULL);
    dial(loop, "stalls", 30, &given_up);
    dial(loop, "stalls", 60 * 1000, &open);
    UNTIL(loop, given_up.closed);
    assert_int_equal(given_up.why.code, SL_NET_RESOLVE_FAILED);
    wait_for(&inside, before + 2);
    sl_loop_free(loop); /* with both still on their threads */
    assert_true(open.closed);
    int done = ended;
    pthread_mutex_lock(&lock);
    let_go = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    wait_for(&ended, done + 2);
}

static volatile sig_atomic_t seen;

static void on_alarm(int signal_number) {
    (void)signal_number;
    seen = 1;
}

static void a_signal_ends_the_waiting(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;
    struct itimerval soon = {.it_value = {.tv_usec = 20 * 1000}};
    sl_loop *loop = sl_loop_new(NULL, NULL);
    sigaction(SIGALRM, &action, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    int64_t limit = sl_loop_now(loop) + 20 * 1000;
    /* The first step may end because of what the loop itself has to do. */
    while (!seen && sl_loop_now(loop) < limit)
        assert_true(sl_loop_step(loop, 30 * 1000, NULL));
    assert_true(sl_loop_now(loop) < limit);
    assert_true(seen);
    sigaction(SIGALRM, &old, NULL);
    sl_loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_host_is_told_with_the_reason),
        cmocka_unit_test(a_lookup_that_stalls_holds_up_neither_loop_nor_end),
        cmocka_unit_test(a_signal_ends_the_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
