#include "net/http_server.h"

#include "net/http_reader.h"
#include "net/websocket_core.h"
#include "net/ws_handshake.h"

#include <string.h>
#include <time.h>

enum {
    HANDSHAKE_MS = 10 * 1000,
    HEAD_MS = 10 * 1000,
    BODY_MS = 30 * 1000,
    BODY_WINDOW = 16 * 1024,
    KEEP_ALIVE_MS = 75 * 1000,
    LINGER_MS = 2000,
    HELD_MAX = 16 * 1024,
    PLAIN_BODY = 8192, /* longest body with a length: protocol/5-app-services-http.md, 2.2 */
    CHUNK = 8190
};

struct sl_http_server {
    sl_loop *loop;
    sl_listener *listener;
    const sl_http_server_events *events;
    void *ctx;
    sl_http_limits limits;
    int handshake_ms, head_ms, body_ms, keep_alive_ms;
    struct sl_http_exchange *connections;
    size_t count;
    bool freed;
    sl_task end;
};

/* A connection; it is the exchange while a request waits. Invariant: `waiting` from the moment the
 * request is handed out until it is answered; nothing is read meanwhile, so at most one read's
 * worth of bytes is in `held`. */
struct sl_http_exchange {
    sl_http_server *server;
    sl_stream *stream;
    struct sl_http_exchange *next, **back;
    sl_http_reader reader;
    sl_buf body, held;
    sl_timer timer;
    sl_task resume;
    uint64_t body_mark;
    bool waiting, handing_out, closing, keep_alive;
    sl_websocket *upgraded; /* what it became, while the callback that did it still runs */
    void *data;
};

typedef struct sl_http_exchange connection;

/* ---- answers --------------------------------------------------------------------------------- */

static void write_date(const sl_http_server *server, sl_buf *out) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const sl_env *env = sl_loop_env(server->loop);
    time_t now = (time_t)(env->wall_ms(env->ctx) / 1000);
    struct tm tm;
    if (!gmtime_r(&now, &tm)) return;
    sl_buf_printf(out, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday],
                  tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
                  tm.tm_sec);
}

static bool bodyless(unsigned status) {
    return status == 204 || status == 304;
}

static void write_head(connection *c, unsigned status, const sl_http_header *fields, size_t count,
                       size_t body_size, bool chunked, sl_buf *out) {
    sl_buf_printf(out, "HTTP/1.1 %u %s\r\n", status, sl_http_reason(status));
    write_date(c->server, out);
    sl_http_write_fields(fields, count, out);
    if (chunked)
        sl_buf_text(out, "Transfer-Encoding: chunked\r\n");
    else if (!bodyless(status))
        sl_buf_printf(out, "Content-Length: %zu\r\n", body_size);
    if (!c->keep_alive)
        sl_buf_text(out, "Connection: close\r\n");
    else if (c->reader.head.minor == 0)
        sl_buf_text(out, "Connection: keep-alive\r\n");
    sl_buf_text(out, "\r\n");
}

static void write_chunks(sl_str body, sl_buf *out) {
    for (uint32_t at = 0; at < body.size;) {
        uint32_t n = body.size - at < CHUNK ? body.size - at : CHUNK;
        sl_buf_printf(out, "%x\r\n", (unsigned)n);
        sl_buf_add(out, body.data + at, n);
        sl_buf_text(out, "\r\n");
        at += n;
    }
    sl_buf_text(out, "0\r\n\r\n");
}

static bool send_answer(connection *c, unsigned status, const sl_http_header *fields, size_t count,
                        sl_str body, sl_status *st) {
    bool head_only = sl_http_same(c->reader.head.method, "HEAD");
    bool chunked = body.size > PLAIN_BODY && c->reader.head.minor >= 1;
    sl_buf out;
    sl_buf_init(&out, sl_loop_alloc(c->server->loop));
    write_head(c, status, fields, count, body.size, chunked, &out);
    if (chunked && !head_only)
        write_chunks(body, &out);
    else if (!head_only)
        sl_buf_add(&out, body.data, body.size);
    bool ok =
        out.failed ? sl_fail_memory(st) : sl_stream_write(c->stream, out.data, out.size, true, st);
    sl_buf_free(&out);
    return ok;
}

static void close_connection(connection *c) {
    c->closing = true;
    sl_loop_timer_stop(c->server->loop, &c->timer);
    sl_stream_close(c->stream, LINGER_MS);
}

/* An answer of our own to something that is not handed out; the connection ends with it. */
static void refuse(connection *c, const sl_status *why) {
    static const sl_http_header version = {{"Sec-WebSocket-Version", 21, SL_NO_SYM},
                                           {"13", 2, SL_NO_SYM}};
    unsigned status = why->code >= 400 && why->code < 600 ? (unsigned)why->code : 500;
    sl_http_header fields[2] = {{SL_STR("Content-Type"), SL_STR("text/plain")}, version};
    sl_loop_log(c->server->loop, "http: %u %s", status, why->message);
    c->keep_alive = false;
    send_answer(c, status, fields, status == 426 ? 2 : 1, sl_str_c(why->message), NULL);
    close_connection(c);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static void arm(connection *c, void (*fire)(void *ctx), int ms) {
    c->timer.fire = fire;
    sl_loop_timer_start(c->server->loop, &c->timer, ms);
}

static void on_head_timeout(void *ctx) {
    connection *c = ctx;
    sl_status why = SL_STATUS_INIT;
    if (sl_http_reader_idle(&c->reader)) {
        close_connection(c);
        return;
    }
    sl_fail_code(&why, SL_ERR_CONNECTION, 408, "HTTP: the request takes too long");
    refuse(c, &why);
}

static void on_keep_alive_timeout(void *ctx) {
    close_connection(ctx);
}

static void on_body_timeout(void *ctx) {
    connection *c = ctx;
    if (c->reader.seen - c->body_mark < BODY_WINDOW) {
        on_head_timeout(c);
        return;
    }
    c->body_mark = c->reader.seen;
    arm(c, on_body_timeout, c->server->body_ms);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void hand_out(connection *c) {
    sl_http_server *s = c->server;
    sl_status why = SL_STATUS_INIT;
    const sl_http_head *head = &c->reader.head;
    bool upgrade = head->websocket && s->events->on_upgrade;
    sl_loop_timer_stop(s->loop, &c->timer);
    if (upgrade && !sl_ws_check_request(head, &why)) {
        refuse(c, &why);
        return;
    }
    c->keep_alive = head->keep_alive && !head->websocket;
    c->waiting = c->handing_out = true;
    (upgrade ? s->events->on_upgrade : s->events->on_request)(s->ctx, c);
}

static void got_head(connection *c) {
    sl_http_server *s = c->server;
    const sl_http_head *head = &c->reader.head;
    if (s->events->body_limit)
        c->reader.limits.body = s->events->body_limit(s->ctx, head);
    else
        c->reader.limits.body = s->limits.body;
    c->body_mark = 0;
    arm(c, on_body_timeout, s->body_ms);
    bool fits = !head->has_length || head->length <= c->reader.limits.body;
    if (head->expect_continue && fits && (head->chunked || head->length > 0)) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        sl_stream_write(c->stream, go_on, sizeof go_on - 1, true, NULL);
    }
}

/* Ready for the next request, or the end of the connection. */
static void after_answer(connection *c) {
    sl_buf_free(&c->body);
    c->data = NULL;
    if (!c->keep_alive || c->server->freed) {
        close_connection(c);
        return;
    }
    sl_http_reader_next(&c->reader);
    arm(c, on_keep_alive_timeout, c->server->keep_alive_ms);
    if (c->held.size > 0)
        sl_loop_defer(c->server->loop, &c->resume);
    else
        sl_stream_pause(c->stream, false);
}

static void process(connection *c, const char **data, size_t *size) {
    while (!c->waiting && !c->closing && !c->upgraded) {
        sl_status why = SL_STATUS_INIT;
        bool fresh = sl_http_reader_idle(&c->reader);
        switch (sl_http_reader_feed(&c->reader, data, size, &why)) {
        case SL_HTTP_MORE:
            if (*size > 0) break;
            if (fresh && !sl_http_reader_idle(&c->reader))
                arm(c, on_head_timeout, c->server->head_ms);
            return;
        case SL_HTTP_HEAD:
            got_head(c);
            break;
        case SL_HTTP_BODY:
            sl_buf_str(&c->body, c->reader.piece);
            if (!c->body.failed) break;
            sl_fail_code(&why, SL_ERR_MEMORY, 503, "HTTP: out of memory");
            refuse(c, &why);
            return;
        case SL_HTTP_DONE:
            hand_out(c);
            return;
        default:
            refuse(c, &why);
            return;
        }
    }
}

/* While an answer is awaited reading goes on, else the peer's end would go unnoticed; but only for
 * so many bytes. */
static void hold(connection *c, const char *data, size_t size) {
    sl_buf_add(&c->held, data, size);
    if (c->held.failed)
        sl_stream_abort(c->stream);
    else if (c->held.size > HELD_MAX)
        sl_stream_pause(c->stream, true);
}

static void free_connection(connection *c);

/* Returns false if the connection is gone. The exchange may be answered, or the connection handed
 * to a WebSocket, inside: bytes left over are then put where they belong. */
static bool take_bytes(connection *c, const char *data, size_t size) {
    c->handing_out = false;
    process(c, &data, &size);
    if (c->upgraded) {
        if (!sl_websocket_preload(c->upgraded, data, size)) sl_websocket_abort(c->upgraded);
        free_connection(c);
        return false;
    }
    if (size > 0 && !c->closing) hold(c, data, size);
    if (!c->handing_out) return true;
    c->handing_out = false;
    if (!c->waiting && !c->closing) after_answer(c);
    return true;
}

static void on_data(void *ctx, const char *data, size_t size) {
    connection *c = ctx;
    if (c->waiting || c->held.size > 0)
        hold(c, data, size);
    else
        take_bytes(c, data, size);
}

static void on_resume(void *ctx) {
    connection *c = ctx;
    sl_buf held = c->held;
    if (c->waiting || c->closing || c->server->freed) return;
    sl_buf_init(&c->held, held.alloc);
    bool alive = take_bytes(c, held.data, held.size);
    sl_buf_free(&held);
    if (alive && !c->waiting && !c->closing && c->held.size == 0) sl_stream_pause(c->stream, false);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void server_gone(void *ctx) {
    sl_http_server *s = ctx;
    sl_delete(sl_loop_alloc(s->loop), s);
}

static void maybe_gone(sl_http_server *s) {
    if (s->freed && s->count == 0) sl_loop_defer(s->loop, &s->end);
}

static void free_connection(connection *c) {
    sl_http_server *s = c->server;
    sl_loop_timer_stop(s->loop, &c->timer);
    sl_loop_undefer(s->loop, &c->resume);
    sl_http_reader_free(&c->reader);
    sl_buf_free(&c->body);
    sl_buf_free(&c->held);
    *c->back = c->next;
    if (c->next) c->next->back = c->back;
    s->count--;
    sl_delete(sl_loop_alloc(s->loop), c);
    maybe_gone(s);
}

static void on_close(void *ctx, const sl_status *why) {
    connection *c = ctx;
    (void)why;
    if (c->waiting && c->server->events->on_abandon)
        c->server->events->on_abandon(c->server->ctx, c);
    free_connection(c);
}

static const sl_stream_events stream_events = {NULL, on_data, NULL, on_close};

static bool on_accept(void *ctx, sl_stream *stream) {
    sl_http_server *s = ctx;
    const sl_alloc *alloc = sl_loop_alloc(s->loop);
    connection *c = sl_new_zero(alloc, 1, sizeof *c);
    if (!c) return false;
    c->server = s;
    c->stream = stream;
    c->timer.ctx = c;
    c->resume.run = on_resume;
    c->resume.ctx = c;
    sl_http_reader_init(&c->reader, true, &s->limits, alloc);
    sl_buf_init(&c->body, alloc);
    sl_buf_init(&c->held, alloc);
    c->next = s->connections;
    c->back = &s->connections;
    if (c->next) c->next->back = &c->next;
    s->connections = c;
    s->count++;
    sl_stream_set_events(stream, &stream_events, c);
    arm(c, on_head_timeout, s->head_ms + s->handshake_ms);
    return true;
}

sl_http_server *sl_http_server_new(sl_loop *loop, const sl_http_server_options *options,
                                   const sl_http_server_events *events, void *ctx, sl_status *st) {
    sl_http_server *s = sl_new_zero(sl_loop_alloc(loop), 1, sizeof *s);
    const sl_http_limits *d = &sl_http_default_limits, *l = &options->limits;
    if (!s) {
        sl_fail_memory(st);
        return NULL;
    }
    s->loop = loop;
    s->events = events;
    s->ctx = ctx;
    s->limits = (sl_http_limits){l->request_line ? l->request_line : d->request_line,
                                 l->head ? l->head : d->head, l->fields ? l->fields : d->fields,
                                 l->body ? l->body : d->body};
    int handshake_ms = options->handshake_ms ? options->handshake_ms : HANDSHAKE_MS;
    s->handshake_ms = options->tls ? handshake_ms : 0;
    s->head_ms = options->head_ms ? options->head_ms : HEAD_MS;
    s->body_ms = options->body_ms ? options->body_ms : BODY_MS;
    s->keep_alive_ms = options->keep_alive_ms ? options->keep_alive_ms : KEEP_ALIVE_MS;
    s->end.run = server_gone;
    s->end.ctx = s;
    sl_listener_options listen = {.host = options->host,
                                  .port = options->port,
                                  .socket = options->socket,
                                  .tls = options->tls,
                                  .max_connections = options->max_connections,
                                  .max_per_address = options->max_per_address,
                                  .handshake_ms = handshake_ms,
                                  .on_accept = on_accept,
                                  .ctx = s};
    s->listener = sl_listener_new(loop, &listen, st);
    if (s->listener) return s;
    sl_delete(sl_loop_alloc(loop), s);
    return NULL;
}

uint16_t sl_http_server_port(const sl_http_server *s) {
    return sl_listener_port(s->listener);
}
bool sl_http_server_set_tls(sl_http_server *s, const sl_tls_server *tls, sl_status *st) {
    return sl_listener_set_tls(s->listener, tls, st);
}
size_t sl_http_server_count(const sl_http_server *s) {
    return sl_listener_count(s->listener);
}

void sl_http_server_stop(sl_http_server *s) {
    sl_listener_stop(s->listener);
    for (connection *c = s->connections; c; c = c->next)
        if (!c->waiting && sl_http_reader_idle(&c->reader)) close_connection(c);
}

void sl_http_server_free(sl_http_server *s) {
    if (!s || s->freed) return;
    s->freed = true;
    sl_listener_free(s->listener);
    maybe_gone(s);
}

/* ---- the exchange ---------------------------------------------------------------------------- */

const sl_http_head *sl_http_exchange_head(const sl_http_exchange *c) {
    return &c->reader.head;
}

sl_str sl_http_exchange_body(const sl_http_exchange *c) {
    return sl_str_of(c->body.data, c->body.size);
}

void sl_http_exchange_peer(const sl_http_exchange *c, char *text, size_t size) {
    sl_stream_peer(c->stream, text, size);
}

const char *sl_http_exchange_tls(const sl_http_exchange *c) {
    return sl_stream_tls_version(c->stream);
}

void sl_http_exchange_set_data(sl_http_exchange *c, void *data) {
    c->data = data;
}
void *sl_http_exchange_data(const sl_http_exchange *c) {
    return c->data;
}

static bool answerable(const connection *c, sl_status *st) {
    if (c->waiting) return true;
    return sl_fail(st, SL_ERR_USAGE, "", "the request is already answered");
}

bool sl_http_respond(sl_http_exchange *c, unsigned status, const sl_http_header *fields,
                     size_t count, sl_str body, sl_status *st) {
    if (!answerable(c, st) || !sl_http_check_fields(fields, count, st)) return false;
    if (status < 200 || status > 599)
        return sl_fail(st, SL_ERR_USAGE, "", "HTTP status %u is not 200 to 599", status);
    if (body.size > 0 && bodyless(status))
        return sl_fail(st, SL_ERR_USAGE, "", "an answer %u has no body", status);
    if (!send_answer(c, status, fields, count, body, st)) return false;
    c->waiting = false;
    /* Inside on_request the caller of the callback goes on when all its bytes are in place. */
    if (!c->handing_out) after_answer(c);
    return true;
}

sl_websocket *sl_http_accept(sl_http_exchange *c, sl_str protocol, const sl_http_header *fields,
                             size_t count, const sl_websocket_options *options,
                             const sl_websocket_events *events, void *ctx, sl_status *st) {
    sl_buf answer;
    sl_loop *loop = c->server->loop;
    if (!answerable(c, st)) return NULL;
    if (!c->reader.head.websocket || !sl_ws_check_request(&c->reader.head, st)) {
        sl_fail(st, SL_ERR_USAGE, "", "not a WebSocket upgrade request");
        return NULL;
    }
    sl_buf_init(&answer, sl_loop_alloc(loop));
    sl_websocket *ws = NULL;
    if (sl_ws_write_answer(&c->reader.head, protocol, fields, count, &answer, st)) {
        ws = sl_websocket_adopt(c->stream, true, options, events, ctx);
        if (!ws) sl_fail_memory(st);
    }
    if (ws) {
        sl_stream_write(c->stream, answer.data, answer.size, true, NULL);
        sl_stream_pause(c->stream, false);
        c->waiting = false;
        c->upgraded = ws;
        if (!c->handing_out) {
            if (!sl_websocket_preload(ws, c->held.data, c->held.size)) sl_websocket_abort(ws);
            free_connection(c);
        }
    }
    sl_buf_free(&answer);
    return ws;
}
