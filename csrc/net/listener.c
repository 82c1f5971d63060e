#include "net/listener.h"

#include "net/stream_core.h"
#include "net/tls_core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_PER_TURN = 64, MAX_CONNECTIONS = 10000, SPARE_DESCRIPTORS = 64, RETRY_MS = 100 };

/* Invariant: `count` is the number of living streams whose `listener` is this one. */
struct sl_listener {
    sl_loop *loop;
    sl_listener *next, **back;
    sl_watch watch;
    SSL_CTX *tls;
    bool (*on_accept)(void *ctx, sl_stream *stream);
    void *ctx;
    size_t count, max_connections, max_per_address, high_water;
    int handshake_ms;
    sl_timer retry; /* reading resumes after a lack of descriptors */
    sl_task end;
    bool freed;
    uint16_t port;
};

static void peer_address(const struct sockaddr_storage *from, uint8_t to[16]) {
    memset(to, 0, 16);
    if (from->ss_family == AF_INET) {
        to[10] = to[11] = 0xff;
        memcpy(to + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        /* One customer has a whole /64. */
        const uint8_t *bytes = ((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)from)->sin6_addr);
        memcpy(to, bytes, mapped ? 16 : 8);
    }
}

static bool address_full(const sl_listener *l, const uint8_t address[16]) {
    size_t same = 0;
    if (l->max_per_address == 0) return false;
    for (const sl_stream *s = l->loop->streams; s; s = s->next)
        if (s->listener == l && s->state != SL_STREAM_DEAD && memcmp(s->address, address, 16) == 0)
            if (++same >= l->max_per_address) return true;
    return false;
}

static void welcome(sl_listener *l, int fd, const struct sockaddr_storage *from) {
    uint8_t address[16];
    sl_status st = SL_STATUS_INIT;
    peer_address(from, address);
    if (l->count >= l->max_connections || address_full(l, address)) {
        sl_loop_log(l->loop, "listener: peer turned away, %zu connections", l->count);
        close(fd);
        return;
    }
    sl_socket_prepare(fd);
    SSL *ssl = l->tls ? SSL_new(l->tls) : NULL;
    sl_stream *s = l->tls && !ssl ? NULL : sl_stream_new(l->loop, l->high_water);
    if (!s) {
        SSL_free(ssl);
        close(fd);
        return;
    }
    s->listener = l;
    l->count++;
    memcpy(s->address, address, sizeof address);
    if (!l->on_accept(l->ctx, s)) {
        SSL_free(ssl);
        close(fd);
        s->events = NULL;
        sl_stream_abort(s);
        return;
    }
    if (!sl_stream_begin(s, NULL, fd, ssl, l->handshake_ms, &st))
        sl_stream_fail(s, SL_NET_READ_FAILED, "%s", st.message);
}

static void on_retry(void *ctx) {
    sl_listener *l = ctx;
    sl_watch_read(&l->watch, true);
}

static void on_ready(void *ctx, unsigned bits) {
    sl_listener *l = ctx;
    if (bits & SL_READY_GONE) {
        sl_listener_stop(l);
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && l->watch.fd >= 0; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept(l->watch.fd, (struct sockaddr *)&from, &size);
        if (fd >= 0) {
            welcome(l, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The peer stays in the kernel's queue, which would wake us without end. */
            sl_loop_log(l->loop, "listener: accept: %s", strerror(errno));
            sl_watch_read(&l->watch, false);
            sl_loop_timer_start(l->loop, &l->retry, RETRY_MS);
        }
        return;
    }
}

void sl_listener_forget(sl_listener *l, sl_stream *s) {
    s->listener = NULL;
    l->count--;
    if (l->freed && l->count == 0) sl_loop_defer(l->loop, &l->end);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int open_socket(const struct sockaddr_storage *at, socklen_t size, bool both_families) {
    int on = 1, off = both_families ? 0 : 1;
    int fd = socket(at->ss_family, SOCK_STREAM, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sl_socket_prepare(fd);
    if (bind(fd, (const struct sockaddr *)at, size) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* All addresses of the machine: both families where there is IPv6. */
static int open_everywhere(uint16_t port) {
    struct sockaddr_storage at;
    memset(&at, 0, sizeof at);
    ((struct sockaddr_in6 *)&at)->sin6_family = AF_INET6;
    ((struct sockaddr_in6 *)&at)->sin6_port = htons(port);
    int fd = open_socket(&at, sizeof(struct sockaddr_in6), true);
    if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)) return fd;
    memset(&at, 0, sizeof at);
    ((struct sockaddr_in *)&at)->sin_family = AF_INET;
    ((struct sockaddr_in *)&at)->sin_port = htons(port);
    return open_socket(&at, sizeof(struct sockaddr_in), false);
}

/* -1 with errno, 0 there for a text that is no address. */
static int open_at(const char *host, uint16_t port) {
    struct sockaddr_storage at;
    struct sockaddr_in *in = (struct sockaddr_in *)&at;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&at;
    memset(&at, 0, sizeof at);
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return open_socket(&at, sizeof *in, false);
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        return open_socket(&at, sizeof *in6, false);
    }
    errno = 0;
    return -1;
}

static int open_listening(const char *host, uint16_t port, sl_status *st) {
    bool all = !host || !*host || strcmp(host, "*") == 0;
    const char *shown = all ? "*" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    int fd = all ? open_everywhere(port) : open_at(shown, port);
    if (fd >= 0) return fd;
    if (errno == 0)
        sl_fail(st, SL_ERR_USAGE, "", "listen: '%.80s' is no address; use an IPv4 or IPv6 literal",
                shown);
    else
        sl_fail(st, SL_ERR_CONNECTION, "", "listen on %.80s port %u: %s", shown, (unsigned)port,
                strerror(errno));
    return -1;
}

/* Nobody but the owner can connect, from the first moment on: the path appears with bind. */
static int open_local(const char *path, sl_status *st) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_storage at = {0};
    struct stat info;
    if (strlen(path) >= sizeof un.sun_path) {
        sl_fail(st, SL_ERR_USAGE, "", "listen: the path of the socket is too long");
        return -1;
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&at, &un, sizeof un);
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) unlink(path);
    mode_t before = umask(0177);
    int fd = open_socket(&at, sizeof un, false);
    int error = errno;
    umask(before);
    if (fd < 0) sl_fail(st, SL_ERR_CONNECTION, "", "listen on %.80s: %s", path, strerror(error));
    return fd;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0) return 0;
    if (at.ss_family == AF_UNIX) return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void on_end(void *ctx) {
    sl_listener *l = ctx;
    *l->back = l->next;
    if (l->next) l->next->back = l->back;
    SSL_CTX_free(l->tls);
    sl_delete(l->loop->alloc, l);
}

sl_listener *sl_listener_new(sl_loop *loop, const sl_listener_options *options, sl_status *st) {
    SSL_CTX *tls = options->tls ? sl_tls_server_context(options->tls, st) : NULL;
    if (options->tls && !tls) return NULL;
    int fd = options->socket ? open_local(options->socket, st)
                             : open_listening(options->host, options->port, st);
    sl_listener *l = fd < 0 ? NULL : sl_new_zero(loop->alloc, 1, sizeof *l);
    if (!l) {
        if (fd >= 0) {
            close(fd);
            sl_fail_memory(st);
        }
        SSL_CTX_free(tls);
        return NULL;
    }
    *l = (sl_listener){.loop = loop,
                       .tls = tls,
                       .on_accept = options->on_accept,
                       .ctx = options->ctx,
                       .high_water = options->high_water,
                       .max_per_address = options->max_per_address,
                       .port = bound_port(fd)};
    l->max_connections = options->max_connections ? options->max_connections : MAX_CONNECTIONS;
    /* libwebsockets cannot watch more descriptors than the process may have; some are for others.
     */
    long open_max = sysconf(_SC_OPEN_MAX);
    if (open_max > 2 * SPARE_DESCRIPTORS &&
        l->max_connections > (size_t)open_max - SPARE_DESCRIPTORS)
        l->max_connections = (size_t)open_max - SPARE_DESCRIPTORS;
    l->handshake_ms = options->handshake_ms ? options->handshake_ms : SL_HANDSHAKE_TIMEOUT_MS;
    l->retry.fire = on_retry;
    l->retry.ctx = l;
    l->end.run = on_end;
    l->end.ctx = l;
    if (!sl_watch_open(&l->watch, loop, fd, on_ready, l, st)) {
        SSL_CTX_free(tls);
        sl_delete(loop->alloc, l);
        return NULL;
    }
    l->next = loop->listeners;
    l->back = &loop->listeners;
    if (l->next) l->next->back = &l->next;
    loop->listeners = l;
    return l;
}

uint16_t sl_listener_port(const sl_listener *l) {
    return l->port;
}
size_t sl_listener_count(const sl_listener *l) {
    return l->count;
}

bool sl_listener_set_tls(sl_listener *l, const sl_tls_server *tls, sl_status *st) {
    if (!l->tls) return sl_fail(st, SL_ERR_USAGE, "", "this listener was opened without TLS");
    SSL_CTX *fresh = sl_tls_server_context(tls, st);
    if (!fresh) return false;
    SSL_CTX_free(l->tls); /* sessions hold it as long as they need it */
    l->tls = fresh;
    return true;
}

void sl_listener_stop(sl_listener *l) {
    sl_loop_timer_stop(l->loop, &l->retry);
    sl_watch_close(&l->watch);
}

void sl_listener_free(sl_listener *l) {
    if (!l || l->freed) return;
    l->freed = true;
    sl_listener_stop(l);
    for (sl_stream *s = l->loop->streams; s; s = s->next)
        if (s->listener == l) sl_stream_abort(s);
    if (l->count == 0) sl_loop_defer(l->loop, &l->end);
}

void sl_listeners_end(sl_loop *loop) {
    for (sl_listener *l = loop->listeners; l; l = l->next)
        sl_listener_free(l);
}
