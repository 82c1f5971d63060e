#include "net/websocket.h"

#include "net/http_reader.h"
#include "net/websocket_core.h"
#include "net/ws_handshake.h"

#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 120 * 1000,
    CLOSE_WAIT_MS = 1000,
    ANSWER_BODY = 8192,
    OP_BINARY = 2,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG
};

typedef enum ws_state {
    WS_UPGRADING, /* client: request sent or waiting for the connection */
    WS_OPEN,
    WS_CLOSING, /* our close frame is out, the peer's is awaited */
    WS_ENDED    /* nothing more is read; the stream is closing */
} ws_state;

/* A client's upgrade, freed when it is over. */
typedef struct ws_upgrade {
    sl_http_reader reader;
    sl_buf request;
    char key[SL_WS_KEY_SIZE + 1];
    sl_str protocols; /* behind the struct */
} ws_upgrade;

/* Invariant: `upgrade` is non-NULL exactly in WS_UPGRADING. `held` are bytes that came while paused
 * (or with the upgrade) and go through the codec first. */
struct sl_websocket {
    sl_stream *stream;
    const sl_websocket_events *events;
    void *ctx;
    sl_ws_codec codec;
    ws_upgrade *upgrade;
    sl_buf held;
    sl_timer timer; /* upgrade, first message, idle, close wait */
    sl_task resume;
    int first_ms, idle_ms;
    ws_state state;
    bool paused, active, got_message;
    int code;       /* for on_close */
    char *reason;   /* owned, NULL = none */
    sl_status *why; /* owned, NULL = the stream's */
};

static const sl_alloc *alloc_of(const sl_websocket *ws) {
    return sl_loop_alloc(sl_stream_loop(ws->stream));
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void remember_reason(sl_websocket *ws, int code, sl_str reason) {
    if (ws->code != SL_WS_ABNORMAL) return;
    ws->code = code;
    if (reason.size == 0) return;
    ws->reason = sl_new(alloc_of(ws), (size_t)reason.size + 1);
    if (!ws->reason) return;
    memcpy(ws->reason, reason.data, reason.size);
    ws->reason[reason.size] = '\0';
}

static void remember_why(sl_websocket *ws, const sl_status *why) {
    if (ws->why) return;
    ws->why = sl_new(alloc_of(ws), sizeof *ws->why);
    if (ws->why) *ws->why = *why;
}

static void free_upgrade(sl_websocket *ws) {
    if (!ws->upgrade) return;
    sl_http_reader_free(&ws->upgrade->reader);
    sl_buf_free(&ws->upgrade->request);
    sl_delete(alloc_of(ws), ws->upgrade);
    ws->upgrade = NULL;
}

static void end_stream(sl_websocket *ws, int linger_ms) {
    ws->state = WS_ENDED;
    sl_loop_timer_stop(sl_stream_loop(ws->stream), &ws->timer);
    sl_stream_close(ws->stream, linger_ms);
}

static void on_stream_close(void *ctx, const sl_status *why) {
    sl_websocket *ws = ctx;
    const sl_alloc *alloc = alloc_of(ws);
    sl_status none = SL_STATUS_INIT;
    /* After a close frame the way the stream ended does not matter. */
    const sl_status *told = ws->why ? ws->why : ws->code == SL_WS_ABNORMAL ? why : &none;
    sl_loop_timer_stop(sl_stream_loop(ws->stream), &ws->timer);
    sl_loop_undefer(sl_stream_loop(ws->stream), &ws->resume);
    free_upgrade(ws);
    ws->events->on_close(ws->ctx, ws->code, ws->reason ? sl_str_c(ws->reason) : sl_str_of(NULL, 0),
                         told);
    sl_ws_codec_free(&ws->codec);
    sl_buf_free(&ws->held);
    sl_delete(alloc, ws->reason);
    sl_delete(alloc, ws->why);
    sl_delete(alloc, ws);
}

static void on_close_wait(void *ctx) {
    sl_websocket *ws = ctx;
    ws->state = WS_ENDED;
    if (sl_stream_backlog(ws->stream) > 0)
        sl_stream_abort(ws->stream);
    else
        sl_stream_close(ws->stream, 0);
}

static bool send_frame(sl_websocket *ws, uint8_t opcode, const void *data, size_t size, bool force,
                       sl_status *st) {
    if (ws->codec.server) {
        uint8_t head[SL_WS_HEAD_MAX], mask[4];
        size_t n = sl_ws_codec_head(&ws->codec, opcode, size, head, mask);
        return sl_stream_write2(ws->stream, head, n, data, size, force, st);
    }
    sl_buf frame;
    if (!force && sl_stream_full(ws->stream)) return sl_stream_write(ws->stream, "", 0, false, st);
    sl_buf_init(&frame, alloc_of(ws));
    sl_buf_reserve(&frame, size + SL_WS_HEAD_MAX);
    sl_ws_codec_frame(&ws->codec, opcode, data, size, &frame);
    bool ok = frame.failed ? sl_fail_memory(st)
                           : sl_stream_write(ws->stream, frame.data, frame.size, force, st);
    sl_buf_free(&frame);
    return ok;
}

static void send_close(sl_websocket *ws, int code, sl_str reason) {
    uint8_t payload[125];
    size_t size = sl_ws_close_payload(code, reason, payload);
    send_frame(ws, OP_CLOSE, payload, size, true, NULL);
}

void sl_websocket_abort(sl_websocket *ws) {
    if (ws->state != WS_ENDED) sl_loop_timer_stop(sl_stream_loop(ws->stream), &ws->timer);
    ws->state = WS_ENDED;
    sl_stream_abort(ws->stream);
}

void sl_websocket_close(sl_websocket *ws, int code, sl_str reason) {
    if (ws->state == WS_UPGRADING) {
        remember_reason(ws, code, reason);
        sl_websocket_abort(ws);
        return;
    }
    if (ws->state != WS_OPEN) return;
    remember_reason(ws, code, reason);
    send_close(ws, code, reason);
    ws->state = WS_CLOSING;
    ws->timer.fire = on_close_wait;
    sl_loop_timer_start(sl_stream_loop(ws->stream), &ws->timer, CLOSE_WAIT_MS);
    /* Reading goes on for the peer's close frame, paused or not. */
    sl_websocket_pause(ws, false);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void on_idle(void *ctx) {
    sl_websocket *ws = ctx;
    sl_status why = SL_STATUS_INIT;
    bool first = ws->first_ms && !ws->got_message;
    if (!first && ws->active) {
        ws->active = false;
        sl_loop_timer_start(sl_stream_loop(ws->stream), &ws->timer, ws->idle_ms);
        return;
    }
    sl_fail_code(&why, SL_ERR_CONNECTION, SL_NET_READ_FAILED, "nothing came for %d s",
                 (first ? ws->first_ms : ws->idle_ms) / 1000);
    remember_why(ws, &why);
    end_stream(ws, CLOSE_WAIT_MS);
}

static void start_idle(sl_websocket *ws) {
    int ms = ws->first_ms && !ws->got_message ? ws->first_ms : ws->idle_ms;
    if (ms == 0) {
        sl_loop_timer_stop(sl_stream_loop(ws->stream), &ws->timer);
        return;
    }
    ws->timer.fire = on_idle;
    sl_loop_timer_start(sl_stream_loop(ws->stream), &ws->timer, ms);
}

static void got_message(sl_websocket *ws, bool skipped) {
    sl_str p = ws->codec.payload;
    if (ws->state != WS_OPEN) return;
    if (!ws->got_message) {
        ws->got_message = true;
        if (ws->first_ms) start_idle(ws);
    }
    (skipped ? ws->events->on_skipped : ws->events->on_message)(ws->ctx, p.data, p.size);
}

static void got_close(sl_websocket *ws) {
    if (ws->state == WS_OPEN) {
        remember_reason(ws, ws->codec.close_code, ws->codec.payload);
        send_close(ws, ws->codec.close_code, sl_str_of(NULL, 0));
    }
    end_stream(ws, CLOSE_WAIT_MS);
}

static void violated(sl_websocket *ws, const sl_status *why) {
    if (ws->state == WS_OPEN) {
        remember_why(ws, why);
        remember_reason(ws, why->code, sl_str_c(why->message));
        send_close(ws, why->code, sl_str_c(why->message));
    }
    end_stream(ws, CLOSE_WAIT_MS);
}

static void got_ping(sl_websocket *ws) {
    sl_str p = ws->codec.payload;
    if (ws->state != WS_OPEN) return;
    /* A peer that pings but does not read gets no answers piled up for it. */
    if (!sl_stream_full(ws->stream)) send_frame(ws, OP_PONG, p.data, p.size, true, NULL);
    if (ws->events->on_ping) ws->events->on_ping(ws->ctx, p.data, p.size);
}

/* Feeds the codec until the bytes are used up, reading is paused, or it is over. */
static void process(sl_websocket *ws, const char **data, size_t *size) {
    while ((ws->state == WS_OPEN || ws->state == WS_CLOSING) && !ws->paused) {
        sl_status why = SL_STATUS_INIT;
        sl_ws_event event = sl_ws_codec_feed(&ws->codec, data, size, &why);
        switch (event) {
        case SL_WS_MESSAGE:
        case SL_WS_SKIPPED:
            got_message(ws, event == SL_WS_SKIPPED);
            break;
        case SL_WS_PING:
            got_ping(ws);
            break;
        case SL_WS_CLOSE:
            got_close(ws);
            break;
        case SL_WS_FAILED:
            violated(ws, &why);
            break;
        case SL_WS_PONG:
            break;
        case SL_WS_MORE:
            return;
        }
    }
}

static void hold(sl_websocket *ws, const char *data, size_t size) {
    sl_buf_add(&ws->held, data, size);
    if (ws->held.failed) sl_websocket_abort(ws);
}

static void on_data(void *ctx, const char *data, size_t size) {
    sl_websocket *ws = ctx;
    ws->active = true;
    if (ws->held.size > 0) {
        hold(ws, data, size);
        return;
    }
    process(ws, &data, &size);
    if (size > 0 && ws->state < WS_ENDED) hold(ws, data, size);
}

static void on_resume(void *ctx) {
    sl_websocket *ws = ctx;
    const char *data = ws->held.data;
    size_t size = ws->held.size, all = size;
    process(ws, &data, &size);
    sl_buf_consume(&ws->held, all - size);
    if (ws->held.size == 0) sl_buf_free(&ws->held);
    if (!ws->paused && ws->state < WS_ENDED) sl_stream_pause(ws->stream, false);
}

void sl_websocket_pause(sl_websocket *ws, bool paused) {
    ws->paused = paused;
    if (ws->state == WS_ENDED) return;
    if (paused)
        sl_stream_pause(ws->stream, true);
    else if (ws->held.size > 0 || sl_ws_codec_pending(&ws->codec))
        sl_loop_defer(sl_stream_loop(ws->stream), &ws->resume);
    else
        sl_stream_pause(ws->stream, false);
}

static void on_writable(void *ctx) {
    sl_websocket *ws = ctx;
    if (ws->state == WS_OPEN && ws->events->on_writable) ws->events->on_writable(ws->ctx);
}

static const sl_stream_events open_events = {NULL, on_data, on_writable, on_stream_close};

/* ---- the client's upgrade -------------------------------------------------------------------- */

static void upgrade_failed(sl_websocket *ws, const sl_status *why) {
    remember_why(ws, why);
    end_stream(ws, 0);
}

static void on_connected(void *ctx) {
    sl_websocket *ws = ctx;
    sl_buf *request = &ws->upgrade->request;
    sl_stream_write(ws->stream, request->data, request->size, true, NULL);
    sl_buf_free(request);
}

static void upgraded(sl_websocket *ws, const char *data, size_t size) {
    sl_status st = SL_STATUS_INIT;
    sl_str protocol;
    ws_upgrade *u = ws->upgrade;
    if (!sl_ws_check_answer(&u->reader.head, u->key, u->protocols, &protocol, &st)) {
        upgrade_failed(ws, &st);
        return;
    }
    ws->state = WS_OPEN;
    start_idle(ws);
    sl_stream_set_events(ws->stream, &open_events, ws);
    if (ws->events->on_open) ws->events->on_open(ws->ctx, protocol, &u->reader.head);
    free_upgrade(ws);
    if (size > 0) on_data(ws, data, size);
}

/* The body of a refusal is of no interest: the status decides. */
static void on_answer(void *ctx, const char *data, size_t size) {
    sl_websocket *ws = ctx;
    sl_status st = SL_STATUS_INIT;
    if (ws->state != WS_UPGRADING) return;
    switch (sl_http_reader_feed(&ws->upgrade->reader, &data, &size, &st)) {
    case SL_HTTP_HEAD:
        if (ws->upgrade->reader.head.status < 200 && ws->upgrade->reader.head.status != 101) {
            sl_http_reader_next(&ws->upgrade->reader); /* 100, 103: the answer is still to come */
            if (size > 0) on_answer(ws, data, size);
            return;
        }
        upgraded(ws, data, size);
        return;
    case SL_HTTP_FAILED:
        st.code = 4405;
        upgrade_failed(ws, &st);
        return;
    default:
        return;
    }
}

static void on_upgrade_timeout(void *ctx) {
    sl_websocket *ws = ctx;
    sl_status st = SL_STATUS_INIT;
    sl_fail_code(&st, SL_ERR_CONNECTION, SL_NET_CONNECT_FAILED, "connect timeout");
    upgrade_failed(ws, &st);
}

static const sl_stream_events upgrade_events = {on_connected, on_answer, NULL, on_stream_close};

static ws_upgrade *make_upgrade(sl_loop *loop, const sl_websocket_dial *dial, const sl_url *url,
                                sl_status *st) {
    ws_upgrade *u = sl_new_zero(sl_loop_alloc(loop), 1, sizeof *u + dial->protocols.size);
    if (!u) {
        sl_fail_memory(st);
        return NULL;
    }
    char *protocols = (char *)(u + 1);
    if (dial->protocols.size) memcpy(protocols, dial->protocols.data, dial->protocols.size);
    u->protocols = sl_str_of(protocols, dial->protocols.size);
    sl_http_limits limits = sl_http_default_limits;
    limits.body = ANSWER_BODY;
    sl_http_reader_init(&u->reader, false, &limits, sl_loop_alloc(loop));
    sl_buf_init(&u->request, sl_loop_alloc(loop));
    if (sl_ws_write_request(url, u->protocols, dial->fields, dial->count, sl_loop_env(loop), u->key,
                            &u->request, st))
        return u;
    sl_buf_free(&u->request);
    sl_delete(sl_loop_alloc(loop), u);
    return NULL;
}

sl_websocket *sl_websocket_connect(sl_loop *loop, const sl_websocket_dial *dial,
                                   const sl_websocket_events *events, void *ctx, sl_status *st) {
    sl_url url;
    int timeout = dial->connect_timeout_ms ? dial->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    if (!sl_url_parse(&url, dial->url, st)) return NULL;
    sl_stream_options options = {.host = url.host,
                                 .port = url.port,
                                 .tls = url.tls ? &dial->tls : NULL,
                                 .connect_timeout_ms = timeout,
                                 .high_water = dial->options.high_water};
    ws_upgrade *u = make_upgrade(loop, dial, &url, st);
    if (!u) return NULL;
    sl_stream *stream = sl_stream_connect(loop, &options, NULL, NULL, st);
    sl_websocket *ws =
        stream ? sl_websocket_adopt(stream, false, &dial->options, events, ctx) : NULL;
    if (!ws) {
        if (stream) {
            sl_stream_abort(stream);
            sl_fail_memory(st);
        }
        sl_buf_free(&u->request);
        sl_delete(sl_loop_alloc(loop), u);
        return NULL;
    }
    ws->upgrade = u;
    ws->state = WS_UPGRADING;
    sl_stream_set_events(stream, &upgrade_events, ws);
    ws->timer.fire = on_upgrade_timeout;
    sl_loop_timer_start(loop, &ws->timer, timeout + 1);
    return ws;
}

/* ---- life ------------------------------------------------------------------------------------ */

sl_websocket *sl_websocket_adopt(sl_stream *stream, bool server,
                                 const sl_websocket_options *options,
                                 const sl_websocket_events *events, void *ctx) {
    sl_loop *loop = sl_stream_loop(stream);
    sl_websocket *ws = sl_new_zero(sl_loop_alloc(loop), 1, sizeof *ws);
    if (!ws) return NULL;
    ws->stream = stream;
    ws->events = events;
    ws->ctx = ctx;
    ws->state = WS_OPEN;
    ws->code = SL_WS_ABNORMAL;
    ws->first_ms = options ? options->first_ms : 0;
    ws->idle_ms = options ? options->idle_ms : 0;
    ws->timer.ctx = ws;
    ws->resume.run = on_resume;
    ws->resume.ctx = ws;
    sl_ws_codec_init(&ws->codec, server, options ? options->limit : 0, options ? options->skip : 0,
                     sl_loop_alloc(loop), sl_loop_env(loop));
    sl_buf_init(&ws->held, sl_loop_alloc(loop));
    if (options && options->high_water) sl_stream_set_high_water(stream, options->high_water);
    sl_stream_set_events(stream, &open_events, ws);
    if (server) start_idle(ws);
    return ws;
}

bool sl_websocket_preload(sl_websocket *ws, const char *data, size_t size) {
    sl_buf_add(&ws->held, data, size);
    if (ws->held.failed) return false;
    if (size > 0) sl_loop_defer(sl_stream_loop(ws->stream), &ws->resume);
    return true;
}

bool sl_websocket_send(sl_websocket *ws, const void *data, size_t size, sl_status *st) {
    if (ws->state != WS_OPEN)
        return sl_fail_code(st, SL_ERR_CONNECTION, SL_NET_WRITE_FAILED,
                            "the connection is not open");
    return send_frame(ws, OP_BINARY, data, size, false, st);
}

bool sl_websocket_ping(sl_websocket *ws, const void *data, size_t size, sl_status *st) {
    if (size > 125) return sl_fail(st, SL_ERR_USAGE, "", "a ping has at most 125 bytes");
    if (ws->state != WS_OPEN)
        return sl_fail_code(st, SL_ERR_CONNECTION, SL_NET_WRITE_FAILED,
                            "the connection is not open");
    return send_frame(ws, OP_PING, data, size, false, st);
}

size_t sl_websocket_backlog(const sl_websocket *ws) {
    return sl_stream_backlog(ws->stream);
}
bool sl_websocket_full(const sl_websocket *ws) {
    return sl_stream_full(ws->stream);
}
void sl_websocket_peer(const sl_websocket *ws, char *text, size_t size) {
    sl_stream_peer(ws->stream, text, size);
}
const char *sl_websocket_tls_version(const sl_websocket *ws) {
    return sl_stream_tls_version(ws->stream);
}
