/* listener.h - a listening port that turns peers into streams. */
#ifndef SL_NET_LISTENER_H
#define SL_NET_LISTENER_H

#include "net/stream.h"

typedef struct sl_listener sl_listener;

typedef struct sl_listener_options {
    const char *host;         /* literal address; NULL or "*" = all, "localhost" = 127.0.0.1 */
    uint16_t port;            /* 0 = any free one */
    const char *socket;       /* a Unix socket at this path instead, for its owner only */
    const sl_tls_server *tls; /* borrowed for the call; NULL = plain */
    size_t high_water;        /* of its streams; 0 = 1 MiB */
    size_t max_connections;   /* 0 = 10,000; never more than open files; beyond: closed */
    size_t max_per_address;   /* 0 = no limit */
    int handshake_ms;         /* for TLS; 0 = 10 s */
    /* A peer has arrived (TLS may still be under way). Sets events and context of `stream` with
     * sl_stream_set_events, or returns false to drop it. */
    bool (*on_accept)(void *ctx, sl_stream *stream);
    void *ctx;
} sl_listener_options;

/* What is at the path of a Unix socket is removed first, unless it is no socket. NULL:
 * SL_ERR_CONNECTION (address in use, certificate unusable), SL_ERR_MEMORY. */
sl_listener *sl_listener_new(sl_loop *loop, const sl_listener_options *options, sl_status *st);
/* The port it listens on. */
uint16_t sl_listener_port(const sl_listener *listener);
/* From now on new peers get this certificate; those that are here keep theirs. False, and nothing
 * changed: the files are unusable (SL_ERR_CONNECTION), or the listener is plain (SL_ERR_USAGE). */
bool sl_listener_set_tls(sl_listener *listener, const sl_tls_server *tls, sl_status *st);
/* Takes no further peers from now on; those that came stay. */
void sl_listener_stop(sl_listener *listener);
/* Ends the streams it accepted (with on_close) and frees it at the end of the step. */
void sl_listener_free(sl_listener *listener);
/* Streams accepted and not yet closed. */
size_t sl_listener_count(const sl_listener *listener);

#endif
