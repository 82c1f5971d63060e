/* dial.c - connecting: look the host up, try its addresses in turn, then TLS. */
#include "net/address.h"
#include "net/lookup.h"
#include "net/stream_core.h"
#include "net/tls_core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDRESSES = 8, NEXT_ADDRESS_MS = 5000 };

/* Contexts live as long as the loop: reading the system's roots costs milliseconds and memory. */
typedef struct sl_client_tls {
    struct sl_client_tls *next;
    SSL_CTX *ctx;
    sl_tls_min min;
    bool no_verify, system_store;
    char ca_file[];
} sl_client_tls;

typedef struct sl_dial {
    sl_loop *loop;
    sl_stream *stream;
    SSL_CTX *tls;
    sl_lookup *lookup;         /* while it runs */
    bool public_only, refused; /* refused: an address was left out because it is not public */
    unsigned count, at;        /* addresses, next one to try */
    struct sockaddr_storage address[ADDRESSES];
    int64_t deadline;
    sl_task start;
    sl_watch watch; /* of the attempt under way */
    char last_error[80];
    uint16_t port;
    char host[];
} sl_dial;

static void try_next(sl_dial *d);
static void on_attempt(void *ctx, unsigned bits);

/* ---- TLS configurations ---------------------------------------------------------------------- */

static SSL_CTX *client_tls(sl_loop *loop, const sl_tls_client *tls, sl_status *st) {
    const char *ca = tls->ca_file ? tls->ca_file : "";
    for (sl_client_tls *c = loop->client_tls; c; c = c->next)
        if (c->min == tls->min && c->no_verify == tls->no_verify &&
            c->system_store == !tls->ca_file && strcmp(c->ca_file, ca) == 0)
            return c->ctx;
    sl_client_tls *c = sl_new(loop->alloc, sizeof *c + strlen(ca) + 1);
    if (!c) {
        sl_fail_memory(st);
        return NULL;
    }
    c->ctx = sl_tls_client_context(tls, st);
    if (!c->ctx) {
        sl_delete(loop->alloc, c);
        return NULL;
    }
    c->min = tls->min;
    c->no_verify = tls->no_verify;
    c->system_store = !tls->ca_file;
    memcpy(c->ca_file, ca, strlen(ca) + 1);
    c->next = loop->client_tls;
    loop->client_tls = c;
    return c->ctx;
}

void sl_client_tls_free(sl_loop *loop) {
    while (loop->client_tls) {
        sl_client_tls *c = loop->client_tls;
        loop->client_tls = c->next;
        SSL_CTX_free(c->ctx);
        sl_delete(loop->alloc, c);
    }
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void add_address(sl_dial *d, const struct sockaddr *from) {
    struct sockaddr_storage *to = &d->address[d->count];
    if (d->count == ADDRESSES) return;
    /* Here, where the connection is made, so that no second lookup can say something else. */
    if (d->public_only && !sl_address_is_public(from)) {
        d->refused = true;
        return;
    }
    if (from->sa_family == AF_INET) {
        memcpy(to, from, sizeof(struct sockaddr_in));
        ((struct sockaddr_in *)to)->sin_port = htons(d->port);
    } else if (from->sa_family == AF_INET6) {
        memcpy(to, from, sizeof(struct sockaddr_in6));
        ((struct sockaddr_in6 *)to)->sin6_port = htons(d->port);
    } else {
        return;
    }
    d->count++;
}

static void take_addresses(sl_dial *d, int error, struct addrinfo *list) {
    for (struct addrinfo *a = error ? NULL : list; a; a = a->ai_next)
        add_address(d, a->ai_addr);
    if (d->count > 0)
        try_next(d);
    else if (d->refused)
        sl_stream_fail(d->stream, SL_NET_CONNECT_FAILED, "%s has private addresses only", d->host);
    else
        sl_stream_fail(d->stream, SL_NET_RESOLVE_FAILED, "the host %s is not known: %s", d->host,
                       error ? gai_strerror(error) : "it has no address");
}

static void on_lookup(void *ctx, int error, struct addrinfo *list) {
    sl_dial *d = ctx;
    d->lookup = NULL;
    take_addresses(d, error, list);
}

static void use_socket(sl_dial *d, const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&d->address[0], &un, sizeof un);
    d->count = 1;
}

static bool literal_address(sl_dial *d) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, d->host, &in.sin_addr) == 1)
        add_address(d, (struct sockaddr *)&in);
    else if (inet_pton(AF_INET6, d->host, &in6.sin6_addr) == 1)
        add_address(d, (struct sockaddr *)&in6);
    return d->count > 0 || d->refused;
}

static void start(void *ctx) {
    sl_dial *d = ctx;
    sl_status st = SL_STATUS_INIT;
    if (d->count > 0 || literal_address(d)) {
        take_addresses(d, 0, NULL);
        return;
    }
    /* "localhost" without asking anybody, and also on a machine without any other address. */
    int flags = strcmp(d->host, "localhost") == 0 ? 0 : AI_ADDRCONFIG;
    d->lookup = sl_lookup_start(d->loop, d->host, flags, on_lookup, d, &st);
    if (!d->lookup) sl_stream_fail(d->stream, SL_NET_RESOLVE_FAILED, "%s", st.message);
}

/* ---- one attempt after the other ------------------------------------------------------------- */

static void connected(sl_dial *d) {
    sl_stream *s = d->stream;
    sl_status st = SL_STATUS_INIT;
    SSL *ssl = NULL;
    int64_t left = d->deadline - sl_loop_now(d->loop);
    if (d->tls) {
        ssl = sl_tls_client_session(d->tls, d->host);
        if (!ssl) {
            sl_stream_fail(s, SL_NET_TLS_FAILED, "no TLS session for %s", d->host);
            return;
        }
    }
    sl_watch socket = {.fd = -1};
    sl_watch_move(&socket, &d->watch, on_attempt, d);
    sl_dial_cancel(s);
    if (!sl_stream_begin(s, &socket, -1, ssl, left > 0 ? left : 0, &st))
        sl_stream_fail(s, SL_NET_CONNECT_FAILED, "%s", st.message);
}

static void attempt_failed(sl_dial *d, int error) {
    sl_watch_close(&d->watch);
    snprintf(d->last_error, sizeof d->last_error, "%s", strerror(error));
    try_next(d);
}

static void on_attempt(void *ctx, unsigned bits) {
    sl_dial *d = ctx;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(d->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if ((bits & SL_READY_GONE) && error == 0) error = ECONNREFUSED;
    if (error)
        attempt_failed(d, error);
    else if (bits & SL_READY_WRITE)
        connected(d);
}

static void on_attempt_timeout(void *ctx) {
    sl_stream *s = ctx;
    if (s->dial) attempt_failed(s->dial, ETIMEDOUT);
}

static bool begin_attempt(sl_dial *d, const struct sockaddr_storage *to) {
    socklen_t size = to->ss_family == AF_INET    ? (socklen_t)sizeof(struct sockaddr_in)
                     : to->ss_family == AF_INET6 ? (socklen_t)sizeof(struct sockaddr_in6)
                                                 : (socklen_t)sizeof(struct sockaddr_un);
    int fd = socket(to->ss_family, SOCK_STREAM, 0);
    if (fd < 0) return false;
    sl_socket_prepare(fd);
    if (connect(fd, (const struct sockaddr *)to, size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    if (!sl_watch_open(&d->watch, d->loop, fd, on_attempt, d, NULL)) {
        errno = ENOMEM;
        return false;
    }
    sl_watch_read(&d->watch, false);
    sl_watch_want_write(&d->watch);
    return true;
}

static void try_next(sl_dial *d) {
    sl_stream *s = d->stream;
    while (d->at < d->count) {
        int64_t left = d->deadline - sl_loop_now(d->loop);
        bool last = d->at + 1 == d->count;
        if (left <= 0) {
            snprintf(d->last_error, sizeof d->last_error, "%s", strerror(ETIMEDOUT));
            break;
        }
        if (begin_attempt(d, &d->address[d->at++])) {
            s->timer.fire = on_attempt_timeout;
            sl_loop_timer_start(d->loop, &s->timer,
                                last || left < NEXT_ADDRESS_MS ? left : NEXT_ADDRESS_MS);
            return;
        }
        snprintf(d->last_error, sizeof d->last_error, "%s", strerror(errno));
    }
    sl_stream_fail(s, SL_NET_CONNECT_FAILED, "%s port %u: %s", d->host, (unsigned)d->port,
                   d->last_error);
}

void sl_dial_cancel(sl_stream *s) {
    sl_dial *d = s->dial;
    s->dial = NULL;
    sl_loop_timer_stop(d->loop, &s->timer);
    sl_loop_undefer(d->loop, &d->start);
    sl_watch_close(&d->watch);
    if (d->lookup) sl_lookup_cancel(d->lookup);
    sl_delete(d->loop->alloc, d);
}

static void on_lookup_timeout(void *ctx) {
    sl_stream *s = ctx;
    sl_stream_fail(s, SL_NET_RESOLVE_FAILED,
                   "looking up the host took too long (name servers that do not answer?)");
}

sl_stream *sl_stream_connect(sl_loop *loop, const sl_stream_options *options,
                             const sl_stream_events *events, void *ctx, sl_status *st) {
    size_t host_size = options->host ? strlen(options->host) : 0;
    if (host_size == 0 || host_size > 253 || options->port == 0) {
        sl_fail(st, SL_ERR_USAGE, "", "connect: a host of 1 to 253 bytes and a port are needed");
        return NULL;
    }
    if (options->socket &&
        strlen(options->socket) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        sl_fail(st, SL_ERR_USAGE, "", "connect: the path of the socket is too long");
        return NULL;
    }
    SSL_CTX *tls = options->tls ? client_tls(loop, options->tls, st) : NULL;
    if (options->tls && !tls) return NULL;
    sl_dial *d = sl_new_zero(loop->alloc, 1, sizeof *d + host_size + 1);
    sl_stream *s = d ? sl_stream_new(loop, options->high_water) : NULL;
    if (!s) {
        sl_delete(loop->alloc, d);
        sl_fail_memory(st);
        return NULL;
    }
    int timeout = options->connect_timeout_ms ? options->connect_timeout_ms : SL_CONNECT_TIMEOUT_MS;
    d->loop = loop;
    d->stream = s;
    d->tls = tls;
    d->port = options->port;
    d->public_only = options->public_only;
    d->deadline = sl_loop_now(loop) + timeout;
    d->watch.fd = -1;
    d->start.run = start;
    d->start.ctx = d;
    memcpy(d->host, options->host, host_size);
    if (options->socket) use_socket(d, options->socket);
    s->dial = d;
    s->dialled = true;
    s->state = SL_STREAM_DIALLING;
    sl_stream_set_events(s, events, ctx);
    s->timer.fire = on_lookup_timeout;
    sl_loop_timer_start(loop, &s->timer, timeout);
    sl_loop_defer(loop, &d->start);
    return s;
}
