/* stream_core.h - the inside of a stream, shared by stream.c, dial.c and listener.c. */
#ifndef SL_NET_STREAM_CORE_H
#define SL_NET_STREAM_CORE_H

#include "net/outq.h"
#include "net/stream.h"
#include "net/watch.h"

#include <openssl/ssl.h>

struct sl_dial;
struct sl_listener;

enum {
    SL_CONNECT_TIMEOUT_MS = 120 * 1000,  /* protocol/1-wire.md, 8.1 */
    SL_HANDSHAKE_TIMEOUT_MS = 10 * 1000, /* protocol/5-app-services-http.md, 18, row 14 */
    SL_STALL_TIMEOUT_MS = 120 * 1000,
    SL_HIGH_WATER = 1024 * 1024
};

typedef enum sl_stream_state {
    SL_STREAM_DIALLING,  /* no usable socket yet; `dial` is set */
    SL_STREAM_HANDSHAKE, /* TLS */
    SL_STREAM_OPEN,
    SL_STREAM_DRAINING,  /* closing: the queue goes out first */
    SL_STREAM_LINGERING, /* end of stream sent, waiting for the peer's */
    SL_STREAM_DEAD       /* only on_close and the end of its memory are left */
} sl_stream_state;

/* Invariants: `watch.fd` >= 0 from HANDSHAKE to LINGERING; `ssl` is NULL for a plain stream and
 * after DEAD; `dial` is NULL except while connecting; `timer` is the handshake's deadline, then the
 * stall watch of the queue, then the lingering. */
struct sl_stream {
    sl_loop *loop;
    const sl_stream_events *events;
    void *ctx;
    sl_stream *next, **back; /* list of the loop */
    struct sl_listener *listener;
    struct sl_dial *dial;
    SSL *ssl;
    sl_status *why; /* NULL: closed by this side, or no memory for the reason */
    sl_outq out;
    size_t high_water;
    sl_watch watch;
    sl_timer timer;
    sl_timer again; /* reads what OpenSSL holds back, of which the kernel does not tell */
    sl_task end;
    int linger_ms;
    sl_stream_state state;
    bool dialled;       /* client side */
    bool want_writable; /* on_writable is owed */
    bool paused;
    bool corked;         /* inside a read: what is written waits for its end */
    bool progress;       /* bytes went out since the stall watch started */
    bool write_dead;     /* the peer takes nothing more; what it sent may still be read */
    bool failed;         /* ended by itself */
    uint8_t address[16]; /* of the peer, for the listener's limits */
};

/* A stream without socket, in the loop's list. NULL = no memory. */
sl_stream *sl_stream_new(sl_loop *loop, size_t high_water);
/* Takes a connected socket (the one that `dialled` watches, or `fd` if that is NULL) and `ssl`
 * (NULL = plain), all transferred, and goes on to the handshake or to OPEN. False = no memory; both
 * are closed. */
bool sl_stream_begin(sl_stream *stream, sl_watch *dialled, int fd, SSL *ssl, int64_t deadline_ms,
                     sl_status *st);
/* Ends the stream by itself; on_close follows at the end of the step. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void sl_stream_fail(sl_stream *stream, int code, const char *format, ...);

/* dial.c: forgets the attempt; `dial` becomes NULL. */
void sl_dial_cancel(sl_stream *stream);
/* listener.c: one of its streams is gone. */
void sl_listener_forget(struct sl_listener *listener, sl_stream *stream);
/* TCP_NODELAY, close-on-exec, non-blocking. */
void sl_socket_prepare(int fd);

#endif
