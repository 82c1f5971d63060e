/* watch.h - a socket that libwebsockets' loop watches for us; for the files of this room only.
 *
 * Why the streams read and write their sockets themselves, with libwebsockets as loop and watcher
 * ("raw file" role), and OpenSSL directly on the descriptor. Tried with Debian's 4.1.6:
 *  - Its client role "RAW" with TLS starts the handshake before there is a socket (builds without
 *    asynchronous DNS) and lws_client_connect_via_info returns NULL: no TLS client is possible.
 *  - A connect that fails at once (no route) closes the descriptor under a live libuv watcher; the
 *    descriptor number is spoiled for the next connection.
 *  - For a server name that is an IPv6 literal the name check is switched off (cut at the first
 *    colon), and without a CA file the relative directory "../share" is trusted.
 *  - While its own output list is not empty a raw socket does not read, and spins at 100 % if the
 *    peer sends meanwhile: two ends that both upload would stand still.
 *  - A raw socket's end of stream, reset and TLS close all look alike, and a raw close never sends
 *    close_notify.
 */
#ifndef SL_NET_WATCH_H
#define SL_NET_WATCH_H

#include "net/loop_core.h"

enum {
    SL_READY_READ = 1,
    SL_READY_WRITE = 2,
    SL_READY_GONE = 4 /* error on the socket: the descriptor is closed after this call, so `ready`
                       * must call sl_watch_close */
};

/* Lives inside a stream or listener. Invariant: `wsi` is non-NULL exactly while the loop watches
 * `fd`; `fd` is -1 or open. */
typedef struct sl_watch {
    sl_loop *loop;
    struct lws *wsi;
    int fd;
    unsigned char bits; /* what happened since `ready` was called */
    bool reading;
    void (*ready)(void *ctx, unsigned bits);
    void *ctx;
    sl_task task;
} sl_watch;

extern const struct lws_protocols sl_watch_protocols[];

/* Watches `fd` (transferred, also on failure) for reading. `ready` is called from the loop's step,
 * never from inside libwebsockets except with SL_READY_GONE, and may close the watch. */
bool sl_watch_open(sl_watch *watch, sl_loop *loop, int fd, void (*ready)(void *ctx, unsigned bits),
                   void *ctx, sl_status *st);
/* Makes `to` (not open) the owner of what `from` watches; `from` is closed then, without closing
 * the descriptor. */
void sl_watch_move(sl_watch *to, sl_watch *from, void (*ready)(void *ctx, unsigned bits),
                   void *ctx);
/* Asks for one SL_READY_WRITE. */
void sl_watch_want_write(sl_watch *watch);
void sl_watch_read(sl_watch *watch, bool on);
/* Closes the descriptor; no `ready` any more. Idempotent. */
void sl_watch_close(sl_watch *watch);

#endif
