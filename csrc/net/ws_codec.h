/* ws_codec.h - WebSocket frames (RFC 6455) without I/O: bytes in, events out; messages in, bytes
 * out. */
#ifndef SL_NET_WS_CODEC_H
#define SL_NET_WS_CODEC_H

#include "base/buf.h"
#include "base/env.h"
#include "base/status.h"
#include "base/str.h"

struct wslay_frame_context;

/* Close codes that travel (protocol/1-wire.md, 2.4), and two that only stand for what happened. */
enum {
    SL_WS_NORMAL = 1000,
    SL_WS_GOING_AWAY = 1001,
    SL_WS_PROTOCOL = 1002,
    SL_WS_UNSUPPORTED = 1003,
    SL_WS_NO_CODE = 1005,  /* a close frame without a code */
    SL_WS_ABNORMAL = 1006, /* no close frame at all */
    SL_WS_BAD_DATA = 1007,
    SL_WS_TOO_BIG = 1009,
    SL_WS_SERVER_ERROR = 1011,
    SL_WS_UNAUTHORIZED = 4001,
    SL_WS_FORBIDDEN = 4002,
    SL_WS_MOVED = 4003
};

enum { SL_WS_REASON_MAX = 123 };

/* Inbound limits of protocol/1-wire.md, 2.1. */
#define SL_WS_SERVER_LIMIT ((size_t)17825792)
#define SL_WS_CLIENT_LIMIT ((size_t)2147483647)

/* How much of a skipped message is kept and shown. */
enum { SL_WS_FRONT_MAX = 256 };

typedef enum sl_ws_event {
    SL_WS_MORE,    /* all bytes taken */
    SL_WS_MESSAGE, /* a whole binary message: `payload` */
    SL_WS_SKIPPED, /* a message beyond the limit, whose rest is dropped: `payload` = its front */
    SL_WS_PING,    /* `payload`, at most 125 bytes, to be echoed */
    SL_WS_PONG,    /* `payload` */
    SL_WS_CLOSE,   /* `close_code`, `payload` = reason (valid UTF-8); ignore what follows */
    SL_WS_FAILED   /* violation: code = close code to send, message = reason; ignore what follows */
} sl_ws_event;

/* Invariant: `frames` exists only while a frame is under way, so an idle connection costs no
 * buffers; `fed` is what it was given and `used` what the frames it delivered account for. */
typedef struct sl_ws_codec {
    bool server;
    bool ended;
    const sl_alloc *alloc;
    const sl_env *env;
    size_t limit;
    uint64_t skip_left; /* bytes of messages beyond the limit that may still come */
    struct wslay_frame_context *frames;
    const char *input; /* what the running call still has */
    size_t input_size;
    uint64_t fed, used;
    bool in_frame, fin;
    uint8_t opcode;
    uint64_t frame_left;
    bool in_message; /* a fragmented message is open */
    bool skipping;   /* it is beyond the limit: `message` has its front only */
    bool told;       /* SL_WS_SKIPPED was */
    sl_buf message;
    uint8_t control[125];
    uint8_t control_size;
    sl_str payload; /* borrowed from the codec or the input until the next call */
    int close_code;
} sl_ws_codec;

/* `server`: this end receives masked and sends unmasked frames. `env` (borrowed) gives the masks of
 * a client. `limit`: largest message accepted, 0 = by role. `skip`: bytes of larger messages, in
 * total, that are dropped as they come instead of failing. Allocates nothing. */
void sl_ws_codec_init(sl_ws_codec *codec, bool server, size_t limit, uint64_t skip,
                      const sl_alloc *alloc, const sl_env *env);
void sl_ws_codec_free(sl_ws_codec *codec);

/* Takes bytes from the front of *data (which moves) up to the next event; to be called again, also
 * with *size 0, until SL_WS_MORE. Refused, with the code to
 * close with: reserved bits, unknown opcodes, wrong masking, fragmented or long control frames, a
 * message inside a message, bad lengths (1002), text (1003), bad UTF-8 in a close reason (1007), a
 * message beyond the limit and what may be skipped (1009, as soon as its length is known). */
sl_ws_event sl_ws_codec_feed(sl_ws_codec *codec, const char **data, size_t *size, sl_status *st);

/* Whether bytes that were taken may still hold events. */
bool sl_ws_codec_pending(const sl_ws_codec *codec);

enum { SL_WS_HEAD_MAX = 14 };
/* Frame head of an unfragmented message or control frame into `head`; returns its size. For a
 * client `mask` gets the four bytes the payload must be XORed with, else it is zero. */
size_t sl_ws_codec_head(const sl_ws_codec *codec, uint8_t opcode, uint64_t size,
                        uint8_t head[SL_WS_HEAD_MAX], uint8_t mask[4]);
/* Appends a whole frame to `out`. Out of memory shows in out->failed. */
void sl_ws_codec_frame(const sl_ws_codec *codec, uint8_t opcode, const void *data, size_t size,
                       sl_buf *out);
/* Payload of a close frame: `reason` is cut to 123 bytes at a character boundary; a code that must
 * not travel (1005, 1006, 1015, below 1000) becomes an empty payload. Returns the size. */
size_t sl_ws_close_payload(int code, sl_str reason, uint8_t payload[125]);
/* Whether `s` is well-formed UTF-8. */
bool sl_ws_utf8(sl_str s);

#endif
