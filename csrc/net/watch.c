#include "net/watch.h"

#include <string.h>
#include <unistd.h>

static void run_ready(void *ctx) {
    sl_watch *watch = ctx;
    unsigned bits = watch->bits;
    watch->bits = 0;
    if (bits && watch->fd >= 0) watch->ready(watch->ctx, bits);
}

static void note(sl_watch *watch, unsigned char bit) {
    watch->bits |= bit;
    sl_loop_defer(watch->loop, &watch->task);
}

/* libwebsockets ends the watch by itself when the socket reports an error. The descriptor is still
 * open now and not any more when the task would run, so this one call comes straight. */
static void gone(struct lws *wsi, sl_watch *watch) {
    unsigned bits = watch->bits | SL_READY_READ | SL_READY_GONE;
    lws_set_opaque_user_data(wsi, NULL);
    watch->wsi = NULL;
    watch->bits = 0;
    sl_loop_undefer(watch->loop, &watch->task);
    watch->ready(watch->ctx, bits); /* may have freed the watch */
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len) {
    sl_watch *watch;
    (void)user;
    (void)in;
    (void)len;
    switch (reason) {
    case LWS_CALLBACK_RAW_RX_FILE:
    case LWS_CALLBACK_RAW_WRITEABLE_FILE:
        watch = lws_get_opaque_user_data(wsi);
        /* After the callback for "writable" libwebsockets stops watching for it, so nothing may be
         * written and asked for again in here: only the fact is noted. */
        if (watch)
            note(watch, reason == LWS_CALLBACK_RAW_RX_FILE ? SL_READY_READ
                                                           : (unsigned char)SL_READY_WRITE);
        return 0;
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        watch = lws_get_opaque_user_data(wsi);
        if (watch) gone(wsi, watch);
        return 0;
    default:
        return 0;
    }
}

const struct lws_protocols sl_watch_protocols[] = {{"sl", on_lws, 0, 0, 0, NULL, 0},
                                                   {NULL, NULL, 0, 0, 0, NULL, 0}};

static void set_up(sl_watch *watch, sl_loop *loop, void (*ready)(void *ctx, unsigned bits),
                   void *ctx) {
    memset(watch, 0, sizeof *watch);
    watch->loop = loop;
    watch->reading = true;
    watch->ready = ready;
    watch->ctx = ctx;
    watch->task.run = run_ready;
    watch->task.ctx = watch;
}

bool sl_watch_open(sl_watch *watch, sl_loop *loop, int fd, void (*ready)(void *ctx, unsigned bits),
                   void *ctx, sl_status *st) {
    lws_sock_file_fd_type desc;
    set_up(watch, loop, ready, ctx);
    watch->fd = fd;
    memset(&desc, 0, sizeof desc);
    desc.filefd = fd;
    if (fd < loop->max_fd)
        watch->wsi =
            lws_adopt_descriptor_vhost(loop->vhost, LWS_ADOPT_RAW_FILE_DESC, desc, "sl", NULL);
    if (!watch->wsi) {
        close(fd);
        watch->fd = -1;
        return sl_fail(st, SL_ERR_CONNECTION, "",
                       "no more sockets can be watched; raise the limit on open files");
    }
    lws_set_opaque_user_data(watch->wsi, watch);
    loop->touched = true;
    return true;
}

void sl_watch_move(sl_watch *to, sl_watch *from, void (*ready)(void *ctx, unsigned bits),
                   void *ctx) {
    set_up(to, from->loop, ready, ctx);
    to->wsi = from->wsi;
    to->fd = from->fd;
    to->reading = from->reading;
    if (to->wsi) lws_set_opaque_user_data(to->wsi, to);
    sl_loop_undefer(from->loop, &from->task);
    from->wsi = NULL;
    from->fd = -1;
}

void sl_watch_want_write(sl_watch *watch) {
    if (!watch->wsi) return;
    lws_callback_on_writable(watch->wsi);
    watch->loop->touched = true;
}

void sl_watch_read(sl_watch *watch, bool on) {
    if (watch->reading == on || !watch->wsi) return;
    watch->reading = on;
    lws_rx_flow_control(watch->wsi, on);
    watch->loop->touched = true;
}

void sl_watch_close(sl_watch *watch) {
    struct lws *wsi = watch->wsi;
    watch->wsi = NULL;
    watch->fd = -1;
    watch->bits = 0;
    if (watch->loop) sl_loop_undefer(watch->loop, &watch->task);
    if (!wsi) return;
    lws_set_opaque_user_data(wsi, NULL);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    watch->loop->touched = true;
}
