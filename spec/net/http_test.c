/* HTTP/1.1 messages without sockets: what is accepted, what is refused and how, in pieces of any
 * size, with failing memory, and URLs. */
#include "net_support.h"

#include "net/http_reader.h"
#include "net/url.h"

#define HOST "Host: a\r\n"

typedef struct result {
    sl_http_event end; /* DONE or FAILED or MORE */
    int code;
    char body[64];
    size_t body_size, left;
    bool websocket, keep_alive;
    char path[64], query[64], authority[64];
    unsigned status;
} result;

static void copy(char *to, sl_str s) {
    snprintf(to, 64, "%.*s", (int)s.size, s.data ? s.data : "");
}

/* Feeds `text` in pieces of `step` bytes. */
static result run(bool request, const char *text, size_t size, size_t step, const sl_alloc *alloc) {
    sl_http_reader reader;
    result r = {.end = SL_HTTP_MORE};
    sl_status st = SL_STATUS_INIT;
    sl_http_limits limits = {64, 256, 4, 32};
    sl_http_reader_init(&reader, request, &limits, alloc);
    for (size_t at = 0; at < size && r.end == SL_HTTP_MORE;) {
        const char *data = text + at;
        size_t n = size - at < step ? size - at : step, left = n;
        for (bool more = true; more;) {
            sl_http_event e = sl_http_reader_feed(&reader, &data, &left, &st);
            switch (e) {
            case SL_HTTP_MORE:
                more = left > 0;
                break;
            case SL_HTTP_HEAD:
                r.websocket = reader.head.websocket;
                r.keep_alive = reader.head.keep_alive;
                r.status = reader.head.status;
                copy(r.path, reader.head.path);
                copy(r.query, reader.head.query);
                copy(r.authority, reader.head.authority);
                break;
            case SL_HTTP_BODY:
                memcpy(r.body + r.body_size, reader.piece.data, reader.piece.size);
                r.body_size += reader.piece.size;
                break;
            default:
                r.end = e;
                r.code = st.code;
                more = false;
            }
        }
        at += n - left;
        if (r.end == SL_HTTP_DONE) r.left = size - at;
    }
    if (r.end == SL_HTTP_MORE && sl_http_reader_eof(&reader, &st)) r.end = SL_HTTP_DONE;
    sl_http_reader_free(&reader);
    return r;
}

static result whole(bool request, const char *text) {
    return run(request, text, strlen(text), 65536, NULL);
}

static void hostile_requests_are_refused_with_the_right_status(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\r\n\tb: c\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHo st: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n: a\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
        {"GET / HTTP/0.9\r\n" HOST "\r\n", 505},
        {"GET /\r\n" HOST "\r\n", 400},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET /#x HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://u:p@h/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 501},
        {"FROBNICATE / HTTP/1.1\r\n" HOST "\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 33\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
         400},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "21\r\n123456789012345678901234567890123\r\n0\r\n\r\n",
         413},
        {"GET /0123456789012345678901234567890123456789012345678901234567890123 HTTP/1.1\r\n" HOST
         "\r\n",
         414},
        {"GET / HTTP/1.1\r\n" HOST "a:1\r\nb:1\r\nc:1\r\nd:1\r\n\r\n", 431},
        {"GET / HTTP/1.1\r\n" HOST "a: "
         "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
         "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "90"
         "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "90"
         "\r\n\r\n",
         431},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step < 4096; step = step * 3 + 1) {
            result r = run(true, cases[i].text, strlen(cases[i].text), step, NULL);
            if (r.end != SL_HTTP_FAILED || r.code != cases[i].code)
                fail_msg("case %zu, step %zu: event %d, status %d instead of %d: %s", i, step,
                         (int)r.end, r.code, cases[i].code, cases[i].text);
        }
    }
}

static void a_nul_byte_is_refused(void **state) {
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    result r = run(true, text, sizeof text - 1, 999, NULL);
    assert_int_equal(r.end, SL_HTTP_FAILED);
    assert_int_equal(r.code, 400);
}

static void requests_of_real_clients_are_understood(void **state) {
    (void)state;
    result r = whole(true, "GET /a/b?x=1&y HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_string_equal(r.path, "/a/b");
    assert_string_equal(r.query, "x=1&y");
    assert_string_equal(r.authority, "a");
    assert_true(r.keep_alive);
    /* The C++ SDK: absolute form, no length for an empty body. */
    r = whole(true, "POST https://h.example:8080/api?q HTTP/1.1\r\nHost: h.example\r\n\r\n");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_string_equal(r.path, "/api");
    assert_string_equal(r.authority, "h.example:8080");
    assert_int_equal(r.body_size, 0);
    r = whole(true, "GET http://[::1]:80 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(r.path, "/");
    assert_string_equal(r.authority, "[::1]:80");
    /* Old cores double the slash. */
    r = whole(true, "GET //api/x HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(r.path, "//api/x");
    r = whole(true, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(r.path, "*");
    r = whole(true, "GET / HTTP/1.0\r\n\r\n");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_false(r.keep_alive);
    r = whole(true, "\r\nGET / HTTP/1.1\r\nConnection: close\r\n" HOST "\r\n");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_false(r.keep_alive);
}

static void bodies_and_what_follows_are_told_apart(void **state) {
    (void)state;
    static const char *const texts[] = {
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloGET",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: z\r\n\r\nGET",
        "POST / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\n\r\n"
        "0005\r\nhello\r\n0\r\n\r\nGET"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t step = 1; step < 200; step++) {
            result r = run(true, texts[i], strlen(texts[i]), step, NULL);
            if (r.end != SL_HTTP_DONE || r.body_size != 5 || memcmp(r.body, "hello", 5) != 0 ||
                r.left != 3)
                fail_msg("text %zu step %zu: event %d, body %zu, left %zu", i, step, (int)r.end,
                         r.body_size, r.left);
        }
    }
}

static void answers_end_by_length_chunks_status_or_end_of_stream(void **state) {
    (void)state;
    result r = whole(false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_int_equal(r.status, 200);
    r = whole(false, "HTTP/1.1 200 OK\r\n\r\nuntil close");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_int_equal(r.body_size, 11);
    r = whole(false, "HTTP/1.1 204 No Content\r\n\r\nrest");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_int_equal(r.left, 4);
    r = whole(false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi");
    assert_int_equal(r.end, SL_HTTP_MORE); /* cut off */
    r = whole(false, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
                     "websocket\r\n\r\nframe");
    assert_int_equal(r.end, SL_HTTP_DONE);
    assert_true(r.websocket);
    assert_int_equal(r.left, 5);
    r = whole(false, "SSH-2.0-x\r\n\r\n");
    assert_int_equal(r.end, SL_HTTP_FAILED);
}

static void an_upgrade_needs_all_its_parts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool upgrade;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
         "websocket\r\nSec-WebSocket-Key: k\r\n\r\n",
         true},
        {"GET / HTTP/1.1\r\nHost: a\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n"
         "sec-websocket-key: k\r\n\r\n",
         true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", false},
        {"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: k\r\n\r\n",
         false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
         "Sec-WebSocket-Key: k\r\n\r\n",
         false},
        {"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: k\r\n\r\n",
         false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        result r = whole(true, cases[i].text);
        assert_int_equal(r.end, SL_HTTP_DONE);
        if (r.websocket != cases[i].upgrade) fail_msg("case %zu", i);
    }
}

static void a_failing_allocation_is_reported(void **state) {
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    for (long n = 1;; n++) {
        count_alloc memory;
        count_alloc_init(&memory, n);
        result r = run(true, text, sizeof text - 1, 7, &memory.alloc);
        assert_int_equal(memory.live, 0);
        if (!memory.failed) {
            assert_int_equal(r.end, SL_HTTP_DONE);
            return;
        }
        assert_int_equal(r.end, SL_HTTP_FAILED);
    }
}

static void urls_are_taken_apart(void **state) {
    (void)state;
    sl_url u;
    char host[264];
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_url_parse(&u, "wss://example.org/a?b=c", &st));
    assert_true(u.tls && u.port == 443 && strcmp(u.host, "example.org") == 0);
    assert_memory_equal(u.target.data, "/a?b=c", 7);
    sl_url_host_field(&u, host, sizeof host);
    assert_string_equal(host, "example.org");
    assert_true(sl_url_parse(&u, "ws://[::1]:8080", &st));
    assert_true(!u.tls && u.port == 8080 && strcmp(u.host, "::1") == 0 && u.target.size == 1);
    sl_url_host_field(&u, host, sizeof host);
    assert_string_equal(host, "[::1]:8080");
    assert_true(sl_url_parse(&u, "realms://h:443/", &st) && u.tls);
    sl_url_host_field(&u, host, sizeof host);
    assert_string_equal(host, "h");
    static const char *const bad[] = {"",           "h/a",          "ftp://h/",     "ws://",
                                      "ws://u@h/",  "ws://h/#f",    "ws://h:0/",    "ws://h:99999/",
                                      "ws://h/a b", "ws://h/\r\nX", "ws://h?a=b@c", "ws:///a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (sl_url_parse(&u, bad[i], &st)) fail_msg("accepted: %s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_requests_are_refused_with_the_right_status),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(requests_of_real_clients_are_understood),
        cmocka_unit_test(bodies_and_what_follows_are_told_apart),
        cmocka_unit_test(answers_end_by_length_chunks_status_or_end_of_stream),
        cmocka_unit_test(an_upgrade_needs_all_its_parts),
        cmocka_unit_test(a_failing_allocation_is_reported),
        cmocka_unit_test(urls_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
