/* Byte streams over real loopback sockets: TLS rules, names, limits, ends. */
#include "net_support.h"

#include "net/listener.h"
#include "net/stream.h"
#include "net/stream_core.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

typedef struct end {
    sl_stream *stream;
    char data[256];
    size_t size, total, pause_at;
    bool open, closed, writable, echo, hold;
    sl_status why;
    char tls[16];
} end;

static void on_open(void *ctx) {
    end *e = ctx;
    e->open = true;
    snprintf(e->tls, sizeof e->tls, "%s", sl_stream_tls_version(e->stream));
}

static void on_data(void *ctx, const char *data, size_t size) {
    end *e = ctx;
    e->total += size;
    if (e->total == e->pause_at) sl_stream_pause(e->stream, true);
    if (e->echo) {
        sl_stream_write(e->stream, data, size, true, NULL);
        return;
    }
    if (size > sizeof e->data - e->size) size = sizeof e->data - e->size;
    memcpy(e->data + e->size, data, size);
    e->size += size;
}

static void on_writable(void *ctx) {
    ((end *)ctx)->writable = true;
}

static void on_close(void *ctx, const sl_status *why) {
    end *e = ctx;
    e->closed = true;
    e->why = *why;
    e->stream = NULL;
}

static const sl_stream_events events = {on_open, on_data, on_writable, on_close};

typedef struct world {
    count_alloc memory;
    sl_loop *loop;
    sl_listener *listener;
    test_cert cert;
    bool has_cert, echo;
    end server[8];
    int accepted;
} world;

static bool on_accept(void *ctx, sl_stream *stream) {
    world *w = ctx;
    end *e = &w->server[w->accepted++ % 8];
    *e = (end){.stream = stream, .echo = w->echo};
    sl_stream_set_events(stream, &events, e);
    return true;
}

static void open_world(world *w, bool tls, sl_tls_min min, sl_listener_options options) {
    sl_status st = SL_STATUS_INIT;
    memset(w, 0, sizeof *w);
    count_alloc_init(&w->memory, 0);
    sl_loop_options loop = {.alloc = &w->memory.alloc};
    w->loop = sl_loop_new(&loop, &st);
    assert_non_null(w->loop);
    sl_tls_server identity = {0};
    if (tls) {
        test_cert_make(&w->cert, NULL);
        w->has_cert = true;
        identity = (sl_tls_server){w->cert.cert, w->cert.key, min};
        options.tls = &identity;
    }
    if (!options.host) options.host = "127.0.0.1";
    options.on_accept = on_accept;
    options.ctx = w;
    w->listener = sl_listener_new(w->loop, &options, &st);
    if (!w->listener) fail_msg("%s", st.message);
}

static void close_world(world *w) {
    sl_loop_free(w->loop);
    if (w->has_cert) test_cert_free(&w->cert);
    assert_int_equal(w->memory.live, 0);
}

static sl_stream *dial(world *w, end *e, const char *host, const sl_tls_client *tls) {
    sl_status st = SL_STATUS_INIT;
    sl_stream_options options = {.host = host,
                                 .port = sl_listener_port(w->listener),
                                 .tls = tls,
                                 .connect_timeout_ms = 5000};
    *e = (end){0};
    e->stream = sl_stream_connect(w->loop, &options, &events, e, &st);
    if (!e->stream) fail_msg("%s", st.message);
    return e->stream;
}

static void bytes_cross_a_plain_stream(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, false, 0, (sl_listener_options){0});
    w.echo = true;
    dial(&w, &c, "127.0.0.1", NULL);
    sl_stream_write(c.stream, "early ", 6, false, NULL); /* before it is open: queued */
    UNTIL(w.loop, c.open);
    assert_string_equal(c.tls, "");
    sl_stream_write(c.stream, "late", 4, false, NULL);
    UNTIL(w.loop, c.size == 10);
    assert_memory_equal(c.data, "early late", 10);
    sl_stream_close(c.stream, 1000);
    UNTIL(w.loop, c.closed && w.server[0].closed);
    assert_int_equal(c.why.cls, SL_OK);
    assert_int_equal(w.server[0].why.code, SL_NET_READ_FAILED);
    close_world(&w);
}

/* What the kernel says it would do with the next bytes that come: acknowledge them at once? */
static bool acknowledges_at_once(const sl_stream *s) {
    int on = 0;
    socklen_t size = sizeof on;
    assert_int_equal(getsockopt(s->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &on, &size), 0);
    return on != 0;
}

/* Questions and answers make the kernel delay acknowledgements, for which a sender with Nagle's
 * algorithm waits. */
static void what_is_read_is_acknowledged_at_once(void **state) {
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        world w;
        end c;
        open_world(&w, tls, SL_TLS_1_3, (sl_listener_options){0});
        w.echo = true;
        sl_tls_client trust = {.ca_file = w.cert.cert};
        dial(&w, &c, "127.0.0.1", tls ? &trust : NULL);
        UNTIL(w.loop, c.open);
        for (size_t i = 1; i <= 20; i++) {
            assert_true(sl_stream_write(c.stream, "x", 1, false, NULL));
            UNTIL(w.loop, c.size == i);
            assert_true(acknowledges_at_once(w.server[0].stream));
        }
        close_world(&w);
    }
}

static void tls_is_1_3_and_verified_by_default(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    w.echo = true;
    sl_tls_client tls = {.ca_file = w.cert.cert};
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        dial(&w, &c, hosts[i], &tls);
        UNTIL(w.loop, c.open || c.closed);
        assert_string_equal(c.tls, "TLSv1.3");
        sl_stream_write(c.stream, "hello", 5, false, NULL);
        UNTIL(w.loop, c.size == 5);
        sl_stream_close(c.stream, 1000);
        UNTIL(w.loop, c.closed);
    }
    close_world(&w);
}

static void refused(world *w, const char *host, const sl_tls_client *tls, const char *text) {
    end c;
    dial(w, &c, host, tls);
    UNTIL(w->loop, c.closed);
    assert_false(c.open);
    assert_int_equal(c.why.code, SL_NET_TLS_FAILED);
    if (!strstr(c.why.message, text)) fail_msg("'%s' lacks '%s'", c.why.message, text);
}

static void bad_certificates_and_names_are_refused(void **state) {
    (void)state;
    world w;
    end c;
    test_cert other;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){.host = "*"});
    test_cert_make(&other, NULL);
    sl_tls_client system = {0}, wrong = {.ca_file = other.cert}, right = {.ca_file = w.cert.cert};
    sl_tls_client off = {.no_verify = true};
    refused(&w, "localhost", &system, "certificate");
    refused(&w, "localhost", &wrong, "certificate");
    refused(&w, "127.0.0.2", &right, "IP address mismatch");
    refused(&w, "::ffff:127.0.0.2", &right, "IP address mismatch");
    /* The system resolver answers names below localhost with loopback addresses on most machines;
     * the refusal must come either way, as unknown host or as wrong name. */
    dial(&w, &c, "wrong.localhost", &right);
    UNTIL(w.loop, c.closed);
    assert_true(c.why.code == SL_NET_TLS_FAILED || c.why.code == SL_NET_RESOLVE_FAILED);
    dial(&w, &c, "127.0.0.2", &off); /* only because it was asked for */
    UNTIL(w.loop, c.open || c.closed);
    assert_true(c.open);
    sl_stream_abort(c.stream);
    UNTIL(w.loop, c.closed);
    test_cert_free(&other);
    close_world(&w);
}

static void ipv6_literals_are_verified_too(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){.host = "*"});
    sl_tls_client right = {.ca_file = w.cert.cert};
    dial(&w, &c, "::1", &right);
    UNTIL(w.loop, c.open || c.closed);
    if (c.closed && c.why.code == SL_NET_CONNECT_FAILED) { /* a machine without IPv6 */
        close_world(&w);
        skip();
    }
    assert_true(c.open);
    sl_stream_abort(c.stream);
    UNTIL(w.loop, c.closed);
    close_world(&w);
}

static void older_tls_needs_consent_on_both_sides(void **state) {
    (void)state;
    for (int server = 0; server < 2; server++) {
        world w;
        char command[512], out[4096];
        open_world(&w, true, server ? SL_TLS_1_2 : SL_TLS_1_3, (sl_listener_options){0});
        snprintf(command, sizeof command,
                 "openssl s_client -connect 127.0.0.1:%u -CAfile %s -tls1_2 </dev/null 2>&1",
                 (unsigned)sl_listener_port(w.listener), w.cert.cert);
        FILE *p = popen(command, "r");
        struct pollfd fd = {fileno(p), POLLIN, 0};
        size_t size = 0;
        for (int64_t end_ms = sl_loop_now(w.loop) + 10000; sl_loop_now(w.loop) < end_ms;) {
            sl_loop_step(w.loop, 10, NULL);
            if (poll(&fd, 1, 0) <= 0) continue;
            ssize_t n = read(fd.fd, out + size, sizeof out - 1 - size);
            if (n <= 0) break;
            size += (size_t)n;
        }
        out[size] = '\0';
        pclose(p);
        if ((strstr(out, "New, TLSv1.2, Cipher is ECDHE") != NULL) != (server == 1))
            fail_msg("server %d: %s", server, out);
        if (server == 0) assert_non_null(strstr(out, "alert"));
        close_world(&w);
    }
}

static void a_plain_peer_on_a_tls_port_is_dropped(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    dial(&w, &c, "127.0.0.1", NULL);
    UNTIL(w.loop, c.open);
    sl_stream_write(c.stream, "GET / HTTP/1.1\r\n\r\n", 18, false, NULL);
    UNTIL(w.loop, c.closed && w.server[0].closed);
    assert_int_equal(w.server[0].why.code, SL_NET_TLS_FAILED);
    close_world(&w);
}

static void a_closed_port_is_a_connect_failure(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, false, 0, (sl_listener_options){0});
    uint16_t port = sl_listener_port(w.listener);
    sl_listener_free(w.listener);
    w.listener = NULL;
    sl_loop_step(w.loop, 0, NULL);
    sl_loop_step(w.loop, 0, NULL);
    for (int i = 0; i < 3; i++) {
        sl_stream_options options = {.host = "localhost", .port = port};
        c = (end){0};
        c.stream = sl_stream_connect(w.loop, &options, &events, &c, NULL);
        UNTIL(w.loop, c.closed);
        assert_int_equal(c.why.code, SL_NET_CONNECT_FAILED);
        assert_non_null(strstr(c.why.message, "refused"));
    }
    sl_stream_options nowhere = {.host = "no-such-host.invalid", .port = 1};
    c = (end){0};
    c.stream = sl_stream_connect(w.loop, &nowhere, &events, &c, NULL);
    UNTIL(w.loop, c.closed);
    assert_int_equal(c.why.code, SL_NET_RESOLVE_FAILED);
    close_world(&w);
}

static void a_slow_reader_fills_a_bounded_queue(void **state) {
    (void)state;
    world w;
    end c;
    static char block[64 * 1024];
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){.high_water = 256 * 1024});
    sl_tls_client tls = {.ca_file = w.cert.cert};
    dial(&w, &c, "localhost", &tls);
    UNTIL(w.loop, c.open);
    sl_stream_write(c.stream, "x", 1, false, NULL);
    UNTIL(w.loop, w.accepted == 1 && w.server[0].size == 1);
    sl_stream_pause(c.stream, true);
    size_t sent = 0;
    sl_status st = SL_STATUS_INIT;
    for (int i = 0; i < 4000; i++) {
        if (!sl_stream_write(w.server[0].stream, block, sizeof block, false, &st)) break;
        sent += sizeof block;
        sl_loop_step(w.loop, 0, NULL);
    }
    assert_int_equal(st.cls, SL_ERR_CONNECTION);
    assert_non_null(strstr(st.message, "busy"));
    assert_true(sl_stream_full(w.server[0].stream));
    assert_true(sl_stream_backlog(w.server[0].stream) <= 256 * 1024 + sizeof block);
    /* The blocked writer still reads: two ends that both send do not stand still. */
    sl_stream_write(c.stream, "yz", 2, false, NULL);
    UNTIL(w.loop, w.server[0].size == 3);
    assert_false(w.server[0].writable);
    sl_stream_pause(c.stream, false);
    UNTIL(w.loop, w.server[0].writable && c.total == sent);
    assert_int_equal(sl_stream_backlog(w.server[0].stream), 0);
    close_world(&w);
}

/* Many small records arrive as one: what the turn of a reader leaves inside OpenSSL, and what a
 * pause does, comes without anything more from the peer. */
static void many_small_records_all_arrive(void **state) {
    (void)state;
    enum { RECORDS = 2000, FEW = 500 /* fit into the memory of OpenSSL */ };
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    sl_tls_client tls = {.ca_file = w.cert.cert};
    dial(&w, &c, "localhost", &tls);
    UNTIL(w.loop, c.open);
    sl_stream_write(c.stream, "x", 1, false, NULL);
    UNTIL(w.loop, w.accepted == 1 && w.server[0].total == 1);
    for (int i = 0; i < RECORDS; i++)
        assert_true(sl_stream_write(c.stream, "y", 1, false, NULL));
    UNTIL(w.loop, w.server[0].total == 1 + RECORDS);
    size_t some = w.server[0].pause_at = RECORDS + 100;
    for (int i = 0; i < FEW; i++)
        assert_true(sl_stream_write(c.stream, "z", 1, false, NULL));
    UNTIL(w.loop, w.server[0].total == some);
    for (int i = 0; i < 20; i++)
        sl_loop_step(w.loop, 1, NULL);
    assert_int_equal(w.server[0].total, some);
    sl_stream_pause(w.server[0].stream, false);
    UNTIL(w.loop, w.server[0].total == 1 + RECORDS + FEW);
    close_world(&w);
}

static void closing_sends_what_is_queued_first(void **state) {
    (void)state;
    world w;
    end c;
    size_t size = 3 * 1024 * 1024;
    char *data = calloc(1, size);
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    sl_tls_client tls = {.ca_file = w.cert.cert};
    dial(&w, &c, "localhost", &tls);
    UNTIL(w.loop, c.open);
    sl_stream_write(c.stream, data, size, false, NULL);
    sl_stream_close(c.stream, 1000);
    UNTIL(w.loop, c.closed && w.server[0].closed);
    assert_int_equal(w.server[0].total, size);
    free(data);
    close_world(&w);
}

static int raw_connect(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void a_reset_is_only_a_lost_connection(void **state) {
    (void)state;
    world w;
    struct linger hard = {1, 0};
    open_world(&w, false, 0, (sl_listener_options){0});
    int fd = raw_connect(sl_listener_port(w.listener));
    assert_int_equal(write(fd, "abc", 3), 3);
    UNTIL(w.loop, w.accepted == 1 && w.server[0].size == 3);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    UNTIL(w.loop, w.server[0].closed);
    assert_int_equal(w.server[0].why.code, SL_NET_READ_FAILED);
    close_world(&w);
}

static void a_slow_handshake_is_cut_off(void **state) {
    (void)state;
    world w;
    char byte;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){.handshake_ms = 50});
    int silent = raw_connect(sl_listener_port(w.listener));
    int slow = raw_connect(sl_listener_port(w.listener));
    assert_int_equal(write(slow, "\x16\x03\x01", 3), 3);
    UNTIL(w.loop, w.accepted == 2 && w.server[0].closed && w.server[1].closed);
    assert_int_equal(w.server[0].why.code, SL_NET_TLS_FAILED);
    UNTIL(w.loop, recv(silent, &byte, 1, MSG_DONTWAIT) == 0);
    close(silent);
    close(slow);
    close_world(&w);
}

static void too_many_connections_are_turned_away(void **state) {
    (void)state;
    for (int by_address = 0; by_address < 2; by_address++) {
        world w;
        int fd[4];
        char byte;
        sl_listener_options options = {.max_connections = by_address ? 0 : 3,
                                       .max_per_address = by_address ? 3 : 0};
        open_world(&w, false, 0, options);
        for (int i = 0; i < 4; i++)
            fd[i] = raw_connect(sl_listener_port(w.listener));
        UNTIL(w.loop, recv(fd[3], &byte, 1, MSG_DONTWAIT) == 0);
        assert_int_equal(sl_listener_count(w.listener), 3);
        close(fd[0]);
        UNTIL(w.loop, sl_listener_count(w.listener) == 2);
        fd[0] = raw_connect(sl_listener_port(w.listener));
        UNTIL(w.loop, sl_listener_count(w.listener) == 3);
        for (int i = 0; i < 4; i++)
            close(fd[i]);
        close_world(&w);
    }
}

static void the_poll_fallback_works_without_a_descriptor(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    sl_loop_options options = {.poll_only = true};
    sl_listener_free(w.listener);
    sl_loop_free(w.loop);
    w.loop = sl_loop_new(&options, NULL);
    assert_int_equal(sl_loop_fd(w.loop), -1);
    sl_tls_server identity = {w.cert.cert, w.cert.key, SL_TLS_1_3};
    sl_listener_options listen = {
        .host = "127.0.0.1", .tls = &identity, .on_accept = on_accept, .ctx = &w};
    w.listener = sl_listener_new(w.loop, &listen, NULL);
    w.echo = true;
    sl_tls_client tls = {.ca_file = w.cert.cert};
    dial(&w, &c, "localhost", &tls);
    UNTIL(w.loop, c.open);
    sl_stream_write(c.stream, "hello", 5, false, NULL);
    UNTIL(w.loop, c.size == 5);
    close_world(&w);
}

static void a_foreign_loop_can_drive_the_descriptor(void **state) {
    (void)state;
    world w;
    end c;
    open_world(&w, true, SL_TLS_1_3, (sl_listener_options){0});
    w.echo = true;
    sl_tls_client tls = {.ca_file = w.cert.cert};
    dial(&w, &c, "localhost", &tls);
    assert_true(sl_loop_fd(w.loop) >= 0);
    bool sent = false;
    int64_t deadline = sl_loop_now(w.loop) + 10000;
    while (c.size < 5 && sl_loop_now(w.loop) < deadline) {
        struct pollfd fd = {sl_loop_fd(w.loop), POLLIN, 0};
        int timeout = sl_loop_timeout(w.loop);
        if (timeout < 0 || timeout > 5000) timeout = 5000;
        poll(&fd, 1, timeout);
        sl_loop_step(w.loop, 0, NULL);
        if (c.open && !sent) {
            sent = true;
            sl_stream_write(c.stream, "hello", 5, false, NULL);
        }
    }
    assert_int_equal(c.size, 5);
    /* Far from the 5 s that a missed wake-up would cost. */
    assert_true(sl_loop_now(w.loop) < deadline - 7000);
    close_world(&w);
}

static void a_failing_allocation_is_survived(void **state) {
    (void)state;
    for (long n = 1; n < 200; n++) {
        world w;
        end c = {0};
        open_world(&w, false, 0, (sl_listener_options){0});
        w.echo = true;
        w.memory.fail_at = n;
        sl_stream_options options = {.host = "127.0.0.1", .port = sl_listener_port(w.listener)};
        c.stream = sl_stream_connect(w.loop, &options, &events, &c, NULL);
        if (c.stream) {
            UNTIL(w.loop, c.open || c.closed);
            if (!c.closed) sl_stream_write(c.stream, "hello", 5, false, NULL);
            UNTIL(w.loop, c.closed || c.size == 5);
        }
        bool failed = w.memory.failed;
        close_world(&w);
        if (!failed) return;
    }
    fail_msg("the allocations do not end");
}

static void the_self_made_certificate_is_private_and_kept(void **state) {
    (void)state;
    test_cert c;
    struct stat info;
    char *cert, *key;
    bool created = true;
    sl_status st = SL_STATUS_INIT;
    test_cert_make(&c, "192.0.2.1");
    assert_int_equal(stat(c.key, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_true(sl_tls_cert_ensure(NULL, c.directory, NULL, &cert, &key, &created, &st));
    assert_false(created);
    assert_string_equal(cert, c.cert);
    sl_delete(NULL, cert);
    sl_delete(NULL, key);
    /* Somebody's own broken pair is not overwritten. */
    assert_int_equal(truncate(c.key, 10), 0);
    assert_false(sl_tls_cert_ensure(NULL, c.directory, NULL, &cert, &key, &created, &st));
    assert_int_equal(st.cls, SL_ERR_STORAGE);
    assert_false(sl_tls_cert_ensure(NULL, "/nonexistent", NULL, &cert, &key, &created, &st));
    assert_false(sl_tls_cert_ensure(NULL, c.directory, "a,DNS:b", &cert, &key, &created, &st));
    test_cert_free(&c);
}

static void counting(void *ctx) {
    ++*(int *)ctx;
}

static void timers_fire_in_order_and_can_be_stopped(void **state) {
    (void)state;
    enum { N = 500 };
    static sl_timer timers[N];
    sl_timer_heap heap = {NULL};
    memset(timers, 0, sizeof timers);
    srand(7);
    for (int i = 0; i < N; i++)
        sl_timer_heap_add(&heap, &timers[i], rand() % 100);
    for (int i = 0; i < N; i += 3)
        sl_timer_heap_remove(&heap, &timers[i]);
    for (int i = 1; i < N; i += 6)
        sl_timer_heap_add(&heap, &timers[i], rand() % 100);
    int64_t last = -1;
    int count = 0;
    for (sl_timer *t; (t = sl_timer_heap_pop(&heap, 1000)); count++) {
        assert_true(t->due_ms >= last);
        last = t->due_ms;
    }
    assert_int_equal(count, N - (N + 2) / 3);
    sl_loop *loop = sl_loop_new(NULL, NULL);
    int fired = 0;
    sl_timer soon = {.fire = counting, .ctx = &fired}, never = soon;
    sl_loop_timer_start(loop, &never, 5);
    sl_loop_timer_start(loop, &soon, 20);
    sl_loop_timer_stop(loop, &never);
    assert_true(sl_loop_timeout(loop) <= 20);
    UNTIL(loop, fired == 1);
    assert_int_equal(fired, 1);
    sl_loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_can_be_stopped),
        cmocka_unit_test(bytes_cross_a_plain_stream),
        cmocka_unit_test(what_is_read_is_acknowledged_at_once),
        cmocka_unit_test(tls_is_1_3_and_verified_by_default),
        cmocka_unit_test(bad_certificates_and_names_are_refused),
        cmocka_unit_test(ipv6_literals_are_verified_too),
        cmocka_unit_test(older_tls_needs_consent_on_both_sides),
        cmocka_unit_test(a_plain_peer_on_a_tls_port_is_dropped),
        cmocka_unit_test(a_closed_port_is_a_connect_failure),
        cmocka_unit_test(a_slow_reader_fills_a_bounded_queue),
        cmocka_unit_test(many_small_records_all_arrive),
        cmocka_unit_test(closing_sends_what_is_queued_first),
        cmocka_unit_test(a_reset_is_only_a_lost_connection),
        cmocka_unit_test(a_slow_handshake_is_cut_off),
        cmocka_unit_test(too_many_connections_are_turned_away),
        cmocka_unit_test(the_poll_fallback_works_without_a_descriptor),
        cmocka_unit_test(a_foreign_loop_can_drive_the_descriptor),
        cmocka_unit_test(a_failing_allocation_is_survived),
        cmocka_unit_test(the_self_made_certificate_is_private_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
