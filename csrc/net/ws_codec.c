#include "net/ws_codec.h"

#include <stdio.h>
#include <wslay/wslay.h>

/* libwslay's frame layer reads the frames; it keeps two buffers of 4 KiB, so it is made when a
 * frame begins and dropped when one has ended with nothing behind it. Its event layer is not used:
 * it would keep those buffers for every idle connection, and answers before we could judge. */

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

void sl_ws_codec_init(sl_ws_codec *c, bool server, size_t limit, uint64_t skip,
                      const sl_alloc *alloc, const sl_env *env) {
    memset(c, 0, sizeof *c);
    c->server = server;
    c->alloc = alloc;
    c->env = env;
    c->limit = limit ? limit : server ? SL_WS_SERVER_LIMIT : SL_WS_CLIENT_LIMIT;
    c->skip_left = skip;
    sl_buf_init(&c->message, alloc);
}

static void drop_frames(sl_ws_codec *c) {
    if (c->frames) wslay_frame_context_free(c->frames);
    c->frames = NULL;
    c->fed = c->used = 0;
}

void sl_ws_codec_free(sl_ws_codec *c) {
    drop_frames(c);
    sl_buf_free(&c->message);
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

bool sl_ws_utf8(sl_str s) {
    const uint8_t *at = (const uint8_t *)s.data, *end = at + s.size;
    while (at < end) {
        uint8_t c = *at++;
        if (c < 0x80) continue;
        unsigned more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - at) < more) return false;
        uint8_t low = 0x80, high = 0xbf;
        if (c == 0xe0) low = 0xa0;
        if (c == 0xed) high = 0x9f;
        if (c == 0xf0) low = 0x90;
        if (c == 0xf4) high = 0x8f;
        if (*at < low || *at > high) return false;
        for (at++; --more > 0; at++)
            if (*at < 0x80 || *at > 0xbf) return false;
    }
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static ssize_t give_input(uint8_t *buf, size_t len, int flags, void *user_data) {
    sl_ws_codec *c = user_data;
    (void)flags;
    if (c->input_size == 0) return -1; /* libwslay: would block */
    size_t n = len < c->input_size ? len : c->input_size;
    memcpy(buf, c->input, n);
    c->input += n;
    c->input_size -= n;
    c->fed += n;
    return (ssize_t)n;
}

static sl_ws_event failed(sl_ws_codec *c, int code, const char *why, sl_status *st) {
    c->ended = true;
    drop_frames(c);
    sl_buf_free(&c->message);
    sl_fail_code(st, SL_ERR_PROTOCOL, code, "%s", why);
    return SL_WS_FAILED;
}

static const char *frame_violation(const sl_ws_codec *c, const struct wslay_frame_iocb *f) {
    if (f->rsv) return "reserved bits are set";
    if (f->mask != c->server) return c->server ? "frame is not masked" : "frame is masked";
    switch (f->opcode) {
    case OP_CONTINUATION:
        return c->in_message ? NULL : "continuation without a message";
    case OP_TEXT:
    case OP_BINARY:
        return c->in_message ? "a message inside a fragmented message" : NULL;
    case OP_CLOSE:
    case OP_PING:
    case OP_PONG:
        return !f->fin || f->payload_length > 125 ? "control frame too long or fragmented" : NULL;
    default:
        return "unknown opcode";
    }
}

/* Of a message beyond the limit only the front is kept, and all of it counts. */
static bool skip_frame(sl_ws_codec *c, uint64_t size) {
    char front[SL_WS_FRONT_MAX];
    size_t held = c->skipping ? 0 : c->message.size;
    if (size > c->skip_left || held > c->skip_left - size) return false;
    c->skip_left -= size + held;
    if (held > sizeof front) {
        memcpy(front, c->message.data, sizeof front);
        sl_buf_free(&c->message);
        sl_buf_add(&c->message, front, sizeof front);
    }
    c->skipping = true;
    return true;
}

/* Judges a frame when its head is complete. MORE = go on. */
static sl_ws_event begin_frame(sl_ws_codec *c, const struct wslay_frame_iocb *f, sl_status *st) {
    const char *why = frame_violation(c, f);
    if (why) return failed(c, SL_WS_PROTOCOL, why, st);
    if (f->opcode == OP_TEXT) return failed(c, SL_WS_UNSUPPORTED, "text messages are refused", st);
    c->in_frame = true;
    c->fin = f->fin;
    c->opcode = f->opcode;
    c->frame_left = f->payload_length;
    c->control_size = 0;
    c->used += 2u + (f->mask ? 4u : 0u) +
               (f->payload_length > 0xffff ? 8u
                : f->payload_length > 125u ? 2u
                                           : 0u);
    if (f->opcode >= OP_CLOSE) return SL_WS_MORE;
    if (f->opcode == OP_BINARY) {
        sl_buf_clear(&c->message);
        c->in_message = true;
        c->skipping = c->told = false;
    }
    bool too_big = c->skipping || f->payload_length > c->limit ||
                   c->message.size > c->limit - f->payload_length;
    if (too_big && !skip_frame(c, f->payload_length)) {
        char text[64];
        snprintf(text, sizeof text, "read limited at %zu bytes", c->limit);
        return failed(c, SL_WS_TOO_BIG, text, st);
    }
    return SL_WS_MORE;
}

static sl_ws_event end_close(sl_ws_codec *c, sl_status *st) {
    c->ended = true;
    c->close_code = SL_WS_NO_CODE;
    c->payload = sl_str_of(NULL, 0);
    if (c->control_size == 0) return SL_WS_CLOSE;
    if (c->control_size == 1) return failed(c, SL_WS_PROTOCOL, "close frame of one byte", st);
    int code = c->control[0] << 8 | c->control[1];
    bool legal = (code >= 3000 && code <= 4999) ||
                 (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006);
    if (!legal) return failed(c, SL_WS_PROTOCOL, "close code that must not travel", st);
    c->close_code = code;
    c->payload = sl_str_of((const char *)c->control + 2, (size_t)c->control_size - 2);
    if (!sl_ws_utf8(c->payload)) return failed(c, SL_WS_BAD_DATA, "close reason is not UTF-8", st);
    return SL_WS_CLOSE;
}

static sl_ws_event tell_skipped(sl_ws_codec *c) {
    if (c->told) return SL_WS_MORE;
    c->told = true;
    c->payload = sl_str_of(c->message.data, c->message.size);
    return SL_WS_SKIPPED;
}

static sl_ws_event end_frame(sl_ws_codec *c, sl_status *st) {
    c->in_frame = false;
    if (c->fed == c->used && c->input_size == 0) drop_frames(c);
    switch (c->opcode) {
    case OP_CLOSE:
        return end_close(c, st);
    case OP_PING:
    case OP_PONG:
        c->payload = sl_str_of((const char *)c->control, c->control_size);
        return c->opcode == OP_PING ? SL_WS_PING : SL_WS_PONG;
    default:
        if (!c->fin) return SL_WS_MORE;
        c->in_message = false;
        if (c->skipping) return tell_skipped(c);
        c->payload = sl_str_of(c->message.data, c->message.size);
        return SL_WS_MESSAGE;
    }
}

static bool take_payload(sl_ws_codec *c, const uint8_t *data, size_t size) {
    c->used += size;
    c->frame_left -= size;
    if (c->opcode >= OP_CLOSE) {
        memcpy(c->control + c->control_size, data, size);
        c->control_size = (uint8_t)(c->control_size + size);
        return true;
    }
    size_t room = SL_WS_FRONT_MAX - (c->skipping ? c->message.size : 0);
    sl_buf_add(&c->message, data, c->skipping && size > room ? room : size);
    return !c->message.failed;
}

static bool have_frames(sl_ws_codec *c) {
    static const struct wslay_frame_callbacks callbacks = {NULL, give_input, NULL};
    if (c->frames) return true;
    return wslay_frame_context_init(&c->frames, &callbacks, c) == 0;
}

sl_ws_event sl_ws_codec_feed(sl_ws_codec *c, const char **data, size_t *size, sl_status *st) {
    sl_ws_event event = SL_WS_MORE;
    c->input = *data;
    c->input_size = *size;
    if (c->ended) c->input_size = 0;
    /* The message handed out by the last call is over; keep small buffers, return large ones. */
    if (!c->in_message && c->message.size) sl_buf_free(&c->message);
    while (event == SL_WS_MORE && !c->ended) {
        struct wslay_frame_iocb f;
        if (!c->frames && c->input_size == 0) break;
        if (!have_frames(c)) {
            event = failed(c, SL_WS_SERVER_ERROR, "out of memory", st);
            break;
        }
        memset(&f, 0, sizeof f);
        ssize_t n = wslay_frame_recv(c->frames, &f);
        if (n == WSLAY_ERR_WANT_READ) break;
        if (n < 0) {
            event = failed(c, SL_WS_PROTOCOL, "malformed frame", st);
            break;
        }
        if (!c->in_frame) event = begin_frame(c, &f, st);
        if (event != SL_WS_MORE) break;
        if (!take_payload(c, f.data, f.data_length)) {
            event = failed(c, SL_WS_SERVER_ERROR, "out of memory", st);
            break;
        }
        if (c->frame_left == 0)
            event = end_frame(c, st);
        else if (c->skipping && c->message.size == SL_WS_FRONT_MAX)
            event = tell_skipped(c);
    }
    if (c->ended) c->input_size = 0;
    *data += *size - c->input_size;
    *size = c->input_size;
    return event;
}

bool sl_ws_codec_pending(const sl_ws_codec *c) {
    return !c->ended && c->frames && c->fed != c->used;
}

/* ---- sending --------------------------------------------------------------------------------- */

size_t sl_ws_codec_head(const sl_ws_codec *c, uint8_t opcode, uint64_t size,
                        uint8_t head[SL_WS_HEAD_MAX], uint8_t mask[4]) {
    size_t n = 2;
    head[0] = (uint8_t)(0x80 | opcode);
    if (size <= 125) {
        head[1] = (uint8_t)size;
    } else if (size <= 0xffff) {
        head[1] = 126;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        n = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (uint8_t)(size >> (56 - 8 * i));
        n = 10;
    }
    memset(mask, 0, 4);
    if (c->server) return n;
    head[1] |= 0x80;
    c->env->random(c->env->ctx, mask, 4);
    memcpy(head + n, mask, 4);
    return n + 4;
}

/* Eight bytes at a time: one by one this was half the cost of a large message. */
static void apply_mask(uint8_t *data, size_t size, const uint8_t mask[4]) {
    uint64_t wide, word;
    memcpy(&wide, mask, 4);
    memcpy((uint8_t *)&wide + 4, mask, 4);
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        word ^= wide;
        memcpy(data + i, &word, 8);
    }
    for (; i < size; i++)
        data[i] = (uint8_t)(data[i] ^ mask[i & 3]);
}

void sl_ws_codec_frame(const sl_ws_codec *c, uint8_t opcode, const void *data, size_t size,
                       sl_buf *out) {
    uint8_t head[SL_WS_HEAD_MAX], mask[4];
    size_t n = sl_ws_codec_head(c, opcode, size, head, mask);
    sl_buf_add(out, head, n);
    size_t at = out->size;
    sl_buf_add(out, data, size);
    if (!out->failed && !c->server) apply_mask((uint8_t *)out->data + at, size, mask);
}

size_t sl_ws_close_payload(int code, sl_str reason, uint8_t payload[125]) {
    if (code < 1000 || code > 4999 || code == SL_WS_NO_CODE || code == SL_WS_ABNORMAL ||
        code == 1015)
        return 0;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    size_t n = reason.size > SL_WS_REASON_MAX ? SL_WS_REASON_MAX : reason.size;
    while (n > 0 && n < reason.size && ((uint8_t)reason.data[n] & 0xc0) == 0x80)
        n--;
    if (!sl_ws_utf8(sl_str_of(reason.data, n))) n = 0;
    if (n) memcpy(payload + 2, reason.data, n);
    return n + 2;
}
