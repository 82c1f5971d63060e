#include "net/http_client.h"

#include "net/http_reader.h"
#include "net/stream.h"
#include "net/url.h"
#include "net/ws_handshake.h"

#include <string.h>

enum { TIMEOUT_MS = 60 * 1000, MAX_BODY = 16 * 1024 * 1024 };

/* Invariant: on_done has been called or is not wanted once `done`. The stream always outlives it:
 * the call is freed by the stream's on_close. */
struct sl_http_call {
    sl_loop *loop;
    sl_stream *stream;
    void (*on_done)(void *ctx, const sl_http_head *head, sl_str body, const sl_status *why);
    void *ctx;
    sl_http_reader reader;
    sl_buf request, body;
    sl_timer timer;
    bool done;
};

static void finish(sl_http_call *c, const sl_status *why) {
    if (c->done) return;
    c->done = true;
    sl_loop_timer_stop(c->loop, &c->timer);
    if (why)
        c->on_done(c->ctx, NULL, sl_str_of(NULL, 0), why);
    else
        c->on_done(c->ctx, &c->reader.head, sl_str_of(c->body.data, c->body.size), NULL);
    sl_stream_close(c->stream, 0);
}

static void on_open(void *ctx) {
    sl_http_call *c = ctx;
    sl_stream_write(c->stream, c->request.data, c->request.size, true, NULL);
    sl_buf_free(&c->request);
}

static void on_data(void *ctx, const char *data, size_t size) {
    sl_http_call *c = ctx;
    while (!c->done) {
        sl_status why = SL_STATUS_INIT;
        switch (sl_http_reader_feed(&c->reader, &data, &size, &why)) {
        case SL_HTTP_MORE:
            if (size == 0) return;
            break;
        case SL_HTTP_HEAD:
            break;
        case SL_HTTP_BODY:
            sl_buf_str(&c->body, c->reader.piece);
            if (!c->body.failed) break;
            sl_fail_memory(&why);
            finish(c, &why);
            return;
        case SL_HTTP_DONE:
            if (c->reader.head.status < 200 && c->reader.head.status != 101) {
                bool no_body = c->reader.no_body;
                sl_http_reader_next(&c->reader); /* 100, 103: the answer is still to come */
                c->reader.no_body = no_body;
                break;
            }
            finish(c, NULL);
            return;
        default:
            why.code = SL_NET_READ_FAILED;
            finish(c, &why);
            return;
        }
    }
}

static void on_close(void *ctx, const sl_status *why) {
    sl_http_call *c = ctx;
    sl_status early = SL_STATUS_INIT;
    const sl_alloc *alloc = sl_loop_alloc(c->loop);
    if (!c->done && c->reader.head.fields && sl_http_reader_eof(&c->reader, &early))
        finish(c, NULL);
    else
        finish(c, why);
    sl_loop_timer_stop(c->loop, &c->timer);
    sl_http_reader_free(&c->reader);
    sl_buf_free(&c->request);
    sl_buf_free(&c->body);
    sl_delete(alloc, c);
}

static const sl_stream_events stream_events = {on_open, on_data, NULL, on_close};

static void on_timeout(void *ctx) {
    sl_http_call *c = ctx;
    sl_status why = SL_STATUS_INIT;
    sl_fail_code(&why, SL_ERR_CONNECTION, SL_NET_READ_FAILED, "HTTP: no answer in time");
    finish(c, &why);
}

void sl_http_call_cancel(sl_http_call *c) {
    c->done = true;
    sl_loop_timer_stop(c->loop, &c->timer);
    sl_stream_abort(c->stream);
}

static bool write_request(sl_http_call *c, const sl_http_call_options *o, const sl_url *url,
                          sl_status *st) {
    char host[264];
    const char *method = o->method ? o->method : "GET";
    sl_str name = sl_str_c(method);
    bool get = sl_http_same(name, "GET") || sl_http_same(name, "HEAD");
    if (!sl_http_valid_name(name)) return sl_fail(st, SL_ERR_USAGE, "", "bad HTTP method");
    if (!sl_http_check_fields(o->fields, o->count, st)) return false;
    sl_url_host_field(url, host, sizeof host);
    sl_buf_str(&c->request, name);
    sl_buf_byte(&c->request, ' ');
    sl_buf_str(&c->request, url->target);
    sl_buf_text(&c->request, " HTTP/1.1\r\nHost: ");
    sl_buf_text(&c->request, host);
    sl_buf_text(&c->request, "\r\nConnection: close\r\n");
    sl_http_write_fields(o->fields, o->count, &c->request);
    if (o->body.size > 0 || !get)
        sl_buf_printf(&c->request, "Content-Length: %u\r\n", (unsigned)o->body.size);
    sl_buf_text(&c->request, "\r\n");
    sl_buf_str(&c->request, o->body);
    c->reader.no_body = sl_http_same(name, "HEAD");
    return !c->request.failed || sl_fail_memory(st);
}

sl_http_call *sl_http_call_new(sl_loop *loop, const sl_http_call_options *o,
                               void (*on_done)(void *ctx, const sl_http_head *head, sl_str body,
                                               const sl_status *why),
                               void *ctx, sl_status *st) {
    sl_url url;
    const sl_alloc *alloc = sl_loop_alloc(loop);
    int timeout = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    sl_http_limits limits = sl_http_default_limits;
    if (!sl_url_parse(&url, o->url, st)) return NULL;
    sl_http_call *c = sl_new_zero(alloc, 1, sizeof *c);
    if (!c) {
        sl_fail_memory(st);
        return NULL;
    }
    c->loop = loop;
    c->on_done = on_done;
    c->ctx = ctx;
    limits.body = o->max_body ? o->max_body : MAX_BODY;
    sl_http_reader_init(&c->reader, false, &limits, alloc);
    sl_buf_init(&c->request, alloc);
    sl_buf_init(&c->body, alloc);
    sl_stream_options stream = {.host = url.host,
                                .port = url.port,
                                .tls = url.tls ? &o->tls : NULL,
                                .connect_timeout_ms = timeout,
                                .socket = o->socket,
                                .public_only = o->public_only};
    if (write_request(c, o, &url, st))
        c->stream = sl_stream_connect(loop, &stream, &stream_events, c, st);
    if (!c->stream) {
        sl_buf_free(&c->request);
        sl_delete(alloc, c);
        return NULL;
    }
    c->timer.fire = on_timeout;
    c->timer.ctx = c;
    sl_loop_timer_start(loop, &c->timer, timeout);
    return c;
}
