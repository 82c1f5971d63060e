/* Server, client and WebSocket over real sockets while memory fails: at every single allocation,
 * with no leak, no hang, and a clear end for everybody. */
#include "net_support.h"

#include "net/http_client.h"
#include "net/http_server.h"

typedef struct world {
    count_alloc memory;
    sl_loop *loop;
    sl_http_server *server;
    test_cert cert;
    bool answered, closed, server_closed, accepted;
    unsigned status;
    size_t echoed;
    int code;
    sl_websocket *client, *peer;
} world;

static void peer_message(void *ctx, const char *data, size_t size) {
    world *w = ctx;
    sl_websocket_send(w->peer, data, size, NULL);
}

static void peer_close(void *ctx, int code, sl_str reason, const sl_status *why) {
    world *w = ctx;
    (void)code;
    (void)reason;
    (void)why;
    w->server_closed = true;
}

static const sl_websocket_events peer_events = {NULL, peer_message, NULL, NULL, NULL, peer_close};

static void on_upgrade(void *ctx, sl_http_exchange *x) {
    world *w = ctx;
    w->peer = sl_http_accept(x, SL_STR("b"), NULL, 0, NULL, &peer_events, w, NULL);
    if (w->peer)
        w->accepted = true;
    else
        sl_http_respond(x, 503, NULL, 0, SL_STR("busy"), NULL);
}

static void on_request(void *ctx, sl_http_exchange *x) {
    (void)ctx;
    if (!sl_http_respond(x, 200, NULL, 0, sl_http_exchange_body(x), NULL))
        sl_http_respond(x, 503, NULL, 0, SL_STR(""), NULL);
}

static const sl_http_server_events server_events = {NULL, on_request, on_upgrade, NULL};

static void on_done(void *ctx, const sl_http_head *head, sl_str body, const sl_status *why) {
    world *w = ctx;
    (void)body;
    (void)why;
    w->answered = true;
    w->status = head ? head->status : 0;
}

static void on_open(void *ctx, sl_str protocol, const sl_http_head *answer) {
    world *w = ctx;
    (void)answer;
    assert_true(sl_str_eq(protocol, SL_STR("b")));
    static char big[40000];
    if (!sl_websocket_send(w->client, big, sizeof big, NULL)) sl_websocket_abort(w->client);
}

static void on_message(void *ctx, const char *data, size_t size) {
    world *w = ctx;
    (void)data;
    w->echoed = size;
    sl_websocket_close(w->client, 1000, SL_STR("done"));
}

static void on_close(void *ctx, int code, sl_str reason, const sl_status *why) {
    world *w = ctx;
    (void)reason;
    (void)why;
    w->closed = true;
    w->code = code;
}

static const sl_websocket_events client_events = {on_open, on_message, NULL, NULL, NULL, on_close};

/* Opens everything with an allocator that fails at the n-th allocation from here on. */
static void run(world *w, const test_cert *cert, bool tls, long fail_at) {
    char url[80];
    memset(w, 0, sizeof *w);
    count_alloc_init(&w->memory, 0);
    sl_loop_options loop = {.alloc = &w->memory.alloc};
    w->loop = sl_loop_new(&loop, NULL);
    sl_tls_server identity = {cert->cert, cert->key, SL_TLS_1_3};
    sl_http_server_options options = {.host = "127.0.0.1", .tls = tls ? &identity : NULL};
    w->server = sl_http_server_new(w->loop, &options, &server_events, w, NULL);
    assert_non_null(w->server);
    w->memory.fail_at = fail_at;
    unsigned port = sl_http_server_port(w->server);
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/x", tls ? "https" : "http", port);
    sl_http_call_options call = {.url = url,
                                 .method = "POST",
                                 .body = SL_STR("hello"),
                                 .tls = {.ca_file = cert->cert},
                                 .timeout_ms = 5000};
    if (!sl_http_call_new(w->loop, &call, on_done, w, NULL)) w->answered = true;
    snprintf(url, sizeof url, "%s://127.0.0.1:%u/x", tls ? "wss" : "ws", port);
    sl_websocket_dial dial = {.url = url,
                              .protocols = SL_STR("a, b"),
                              .tls = {.ca_file = cert->cert},
                              .connect_timeout_ms = 5000};
    w->client = sl_websocket_connect(w->loop, &dial, &client_events, w, NULL);
    if (!w->client) w->closed = true;
    UNTIL(w->loop, w->answered && w->closed && (!w->accepted || w->server_closed));
    UNTIL(w->loop, sl_http_server_count(w->server) == 0);
}

static void finish(world *w) {
    sl_http_server_free(w->server);
    sl_loop_free(w->loop);
    if (w->memory.live != 0) fail_msg("%ld blocks leak", w->memory.live);
}

static void everything_works_with_memory(void **state) {
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        world w;
        test_cert cert;
        test_cert_make(&cert, NULL);
        run(&w, &cert, tls == 1, 0);
        assert_int_equal(w.status, 200);
        assert_int_equal(w.echoed, 40000);
        assert_int_equal(w.code, 1000);
        finish(&w);
        test_cert_free(&cert);
    }
}

static void every_failing_allocation_is_survived(void **state) {
    (void)state;
    test_cert cert;
    long n = 1;
    test_cert_make(&cert, NULL);
    for (bool failed = true; failed; n++) {
        world w;
        run(&w, &cert, n % 8 == 0, n);
        failed = w.memory.failed;
        finish(&w);
    }
    assert_true(n > 20);
    test_cert_free(&cert);
}

static void a_server_can_go_at_any_moment(void **state) {
    (void)state;
    test_cert cert;
    test_cert_make(&cert, NULL);
    for (int steps = 0; steps < 12; steps++) {
        world w;
        char url[80];
        memset(&w, 0, sizeof w);
        count_alloc_init(&w.memory, 0);
        sl_loop_options loop = {.alloc = &w.memory.alloc};
        w.loop = sl_loop_new(&loop, NULL);
        sl_http_server_options options = {.host = "127.0.0.1"};
        w.server = sl_http_server_new(w.loop, &options, &server_events, &w, NULL);
        snprintf(url, sizeof url, "ws://127.0.0.1:%u/", (unsigned)sl_http_server_port(w.server));
        sl_websocket_dial dial = {.url = url, .protocols = SL_STR("b")};
        w.client = sl_websocket_connect(w.loop, &dial, &client_events, &w, NULL);
        for (int i = 0; i < steps; i++)
            sl_loop_step(w.loop, 1, NULL);
        if (steps % 2) {
            sl_http_server_stop(w.server);
            sl_loop_step(w.loop, 0, NULL);
        }
        finish(&w);
    }
    test_cert_free(&cert);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_works_with_memory),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(a_server_can_go_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
