/* stream.h - a byte stream: TCP, or TLS over TCP, accepted or dialled. */
#ifndef SL_NET_STREAM_H
#define SL_NET_STREAM_H

#include "net/loop.h"
#include "net/tls.h"

typedef struct sl_stream sl_stream;

/* `code` of the status that on_close gets when a stream failed by itself; the local close codes of
 * protocol/1-wire.md, 2.4. */
enum {
    SL_NET_TLS_FAILED = 1015,     /* handshake, certificate or name */
    SL_NET_RESOLVE_FAILED = 4400, /* the host name has no address */
    SL_NET_CONNECT_FAILED = 4401, /* refused, unreachable, or not in time */
    SL_NET_READ_FAILED = 4402,    /* end of stream, or reset */
    SL_NET_WRITE_FAILED = 4403    /* the peer takes no more bytes */
};

/* A constant table chosen by the layer above. All run inside a step of the loop. */
typedef struct sl_stream_events {
    /* Dialled streams only: connected, certificate and name verified. May be NULL. */
    void (*on_open)(void *ctx);
    /* `data` is borrowed for the call. Never after sl_stream_close or sl_stream_abort. */
    void (*on_data)(void *ctx, const char *data, size_t size);
    /* A write was refused, or the backlog had reached the high-water mark, and it has now fallen to
     * half of it. May be NULL. */
    void (*on_writable)(void *ctx);
    /* Exactly once, last of all; the stream is freed after it. `why` is borrowed: cls SL_OK if this
     * side closed, else SL_ERR_CONNECTION and a code from above. Bytes that were still queued are
     * lost. */
    void (*on_close)(void *ctx, const sl_status *why);
} sl_stream_events;

typedef struct sl_stream_options {
    const char *host; /* name or literal address, no brackets; at most 127 bytes with TLS */
    uint16_t port;
    const sl_tls_client *tls; /* borrowed for the call; NULL = plain */
    int connect_timeout_ms;   /* lookup to the end of the TLS handshake; 0 = 120 s */
    size_t high_water;        /* 0 = 1 MiB */
    bool public_only;         /* connect to public addresses alone (address.h), whatever the name */
    const char *socket;       /* connect to this Unix socket, whatever the host; may be NULL */
} sl_stream_options;

/* Starts to connect; every address of the host is tried in turn. The stream belongs to the loop and
 * ends with on_close. `events` must be static. NULL: SL_ERR_USAGE, SL_ERR_MEMORY, or
 * SL_ERR_CONNECTION for an unusable CA file. Never calls back before the next step. */
sl_stream *sl_stream_connect(sl_loop *loop, const sl_stream_options *options,
                             const sl_stream_events *events, void *ctx, sl_status *st);

/* Hands the stream to another layer. */
void sl_stream_set_events(sl_stream *stream, const sl_stream_events *events, void *ctx);

/* Sends or queues a copy of `data`. Refuses with SL_ERR_CONNECTION ("busy", code 0) while the
 * backlog is at the high-water mark, so that at most that plus one write waits; with `force` (short
 * control data) only memory limits. */
bool sl_stream_write(sl_stream *stream, const void *data, size_t size, bool force, sl_status *st);
/* As sl_stream_write, two pieces that travel together. */
bool sl_stream_write2(sl_stream *stream, const void *head, size_t head_size, const void *data,
                      size_t size, bool force, sl_status *st);
/* Bytes accepted but not yet given to the kernel. */
size_t sl_stream_backlog(const sl_stream *stream);
/* Whether sl_stream_write would refuse. */
bool sl_stream_full(const sl_stream *stream);
void sl_stream_set_high_water(sl_stream *stream, size_t bytes);

/* Stops or resumes reading; what the kernel holds waits there. */
void sl_stream_pause(sl_stream *stream, bool paused);
/* Sends what is queued, then the end of stream; waits at most `linger_ms` for the peer's end. No
 * on_data any more. Idempotent. */
void sl_stream_close(sl_stream *stream, int linger_ms);
/* Drops the connection and the queue. Idempotent, also after sl_stream_close. */
void sl_stream_abort(sl_stream *stream);

/* "127.0.0.1:4711" or "[::1]:4711"; "" before the connection stands. */
void sl_stream_peer(const sl_stream *stream, char *text, size_t size);
/* "TLSv1.3", or "" for a plain stream. Static storage. */
const char *sl_stream_tls_version(const sl_stream *stream);
sl_loop *sl_stream_loop(const sl_stream *stream);

#endif
