/* websocket.h - a WebSocket connection over a stream, either role. */
#ifndef SL_NET_WEBSOCKET_H
#define SL_NET_WEBSOCKET_H

#include "net/http_head.h"
#include "net/stream.h"
#include "net/ws_codec.h"

typedef struct sl_websocket sl_websocket;

/* A constant table chosen by the layer above. All run inside a step of the loop; everything
 * borrowed is valid for the call. */
typedef struct sl_websocket_events {
    /* Client only: the upgrade succeeded. `protocol` is the one chosen, or empty. May be NULL. */
    void (*on_open)(void *ctx, sl_str protocol, const sl_http_head *answer);
    /* A whole binary message. Never after sl_websocket_close or _abort. */
    void (*on_message)(void *ctx, const char *data, size_t size);
    /* A message beyond the limit is coming and its rest will be dropped: its first bytes, at most
     * SL_WS_FRONT_MAX. May be NULL if nothing is skipped. */
    void (*on_skipped)(void *ctx, const char *front, size_t size);
    /* A send was refused, or the backlog had reached the high-water mark; now it has fallen to half
     * of it. May be NULL. */
    void (*on_writable)(void *ctx);
    /* A control ping has come (and was answered). May be NULL. */
    void (*on_ping)(void *ctx, const char *data, size_t size);
    /* Exactly once, last of all; the connection is freed after it. `code`: what the peer's close
     * frame said (1005: none in it), what this side said if it closed first, or 1006 without any
     * close frame. `why`: cls SL_OK after close frames or when this side aborted; else what went
     * wrong, with the code of stream.h, the HTTP status of a refused upgrade, or 4405. */
    void (*on_close)(void *ctx, int code, sl_str reason, const sl_status *why);
} sl_websocket_events;

typedef struct sl_websocket_options {
    size_t limit;      /* largest inbound message; 0 = by role (ws_codec.h) */
    uint64_t skip;     /* bytes of larger messages that are dropped, in total; then 1009 */
    size_t high_water; /* of the output; 0 = 1 MiB */
    int first_ms;      /* the first message must have come by then; 0 = no limit */
    int idle_ms;       /* end if nothing at all came for this long (up to twice); 0 = no limit */
} sl_websocket_options;

/* Sends one binary message (copied or written). Refused with SL_ERR_CONNECTION: code 0 "busy" while
 * the backlog is at the high-water mark (wait for on_writable), else the connection is closing. */
bool sl_websocket_send(sl_websocket *ws, const void *data, size_t size, sl_status *st);
/* Sends a control ping of at most 125 bytes. */
bool sl_websocket_ping(sl_websocket *ws, const void *data, size_t size, sl_status *st);
/* Sends a close frame behind what is queued, waits at most a second for the peer's, then ends the
 * stream. `reason` (UTF-8) is cut to 123 bytes. Idempotent. */
void sl_websocket_close(sl_websocket *ws, int code, sl_str reason);
/* Ends at once, without a close frame. Idempotent. */
void sl_websocket_abort(sl_websocket *ws);
/* Stops or resumes on_message and, behind it, the peer. */
void sl_websocket_pause(sl_websocket *ws, bool paused);
size_t sl_websocket_backlog(const sl_websocket *ws);
bool sl_websocket_full(const sl_websocket *ws);
/* See sl_stream_peer, sl_stream_tls_version. */
void sl_websocket_peer(const sl_websocket *ws, char *text, size_t size);
const char *sl_websocket_tls_version(const sl_websocket *ws);

typedef struct sl_websocket_dial {
    const char *url;              /* ws, wss, realm, realms, http, https */
    sl_str protocols;             /* value of Sec-WebSocket-Protocol, any length; may be empty */
    const sl_http_header *fields; /* further header fields */
    size_t count;
    sl_tls_client tls;      /* used for the schemes with TLS */
    int connect_timeout_ms; /* lookup to the end of the upgrade; 0 = 120 s */
    sl_websocket_options options;
} sl_websocket_dial;

/* Connects and upgrades; `dial` borrowed for the call, `events` static. Never calls back before the
 * next step. NULL: SL_ERR_USAGE (URL, fields), SL_ERR_CONNECTION (CA file), SL_ERR_MEMORY. */
sl_websocket *sl_websocket_connect(sl_loop *loop, const sl_websocket_dial *dial,
                                   const sl_websocket_events *events, void *ctx, sl_status *st);

#endif
