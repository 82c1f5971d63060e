#include "net/stream.h"

#include "net/stream_core.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_core.h"

enum {
    /* Then the others have a turn. A read of TLS yields one record, which often is one small
     * message, so it is the bytes that count. */
    READ_PER_TURN = 128 * 1024,
    READS_PER_TURN = 128,
    WRITE_PER_TURN = 256 * 1024,
    WRITE_PIECE = 64 * 1024,
    CORK_MAX = 64 * 1024,
    DEAD_WRITE_MS = 1000 /* for what the peer still says after it took no more */
};

/* Results of one read or write besides a count. */
enum { IO_AGAIN = 0, IO_END = -1, IO_FAILED = -2 };

/* ---- life ------------------------------------------------------------------------------------ */

static void on_end(void *ctx) {
    sl_stream *s = ctx;
    sl_status closed = SL_STATUS_INIT;
    const sl_status *why = s->why ? s->why : &closed;
    if (s->failed && !s->why)
        sl_fail_code(&closed, SL_ERR_CONNECTION, SL_NET_READ_FAILED, "connection lost");
    if (s->listener) sl_listener_forget(s->listener, s);
    if (s->events && s->events->on_close) s->events->on_close(s->ctx, why);
    *s->back = s->next;
    if (s->next) s->next->back = s->back;
    sl_delete(s->loop->alloc, s->why);
    sl_delete(s->loop->alloc, s);
}

static void on_again(void *ctx);

sl_stream *sl_stream_new(sl_loop *loop, size_t high_water) {
    sl_stream *s = sl_new_zero(loop->alloc, 1, sizeof *s);
    if (!s) return NULL;
    s->loop = loop;
    s->watch.fd = -1;
    s->high_water = high_water ? high_water : SL_HIGH_WATER;
    s->end.run = on_end;
    s->end.ctx = s;
    s->timer.ctx = s;
    s->again.ctx = s;
    s->again.fire = on_again;
    s->next = loop->streams;
    s->back = &loop->streams;
    if (s->next) s->next->back = &s->next;
    loop->streams = s;
    return s;
}

static void die(sl_stream *s) {
    if (s->state == SL_STREAM_DEAD) return;
    s->state = SL_STREAM_DEAD;
    sl_loop_timer_stop(s->loop, &s->timer);
    sl_loop_timer_stop(s->loop, &s->again);
    if (s->dial) sl_dial_cancel(s);
    if (s->ssl) SSL_free(s->ssl);
    s->ssl = NULL;
    sl_watch_close(&s->watch);
    sl_outq_clear(&s->out, s->loop->alloc);
    sl_loop_defer(s->loop, &s->end);
}

static void remember(sl_stream *s, int code, const char *format, va_list args) {
    char text[200];
    s->failed = true;
    if (s->why) return;
    vsnprintf(text, sizeof text, format, args);
    sl_loop_log(s->loop, "stream: %s", text);
    s->why = sl_new_zero(s->loop->alloc, 1, sizeof *s->why);
    if (s->why) sl_fail_code(s->why, SL_ERR_CONNECTION, code, "%s", text);
}

void sl_stream_fail(sl_stream *s, int code, const char *format, ...) {
    va_list args;
    if (s->state == SL_STREAM_DEAD) return;
    if (s->state < SL_STREAM_DRAINING) {
        va_start(args, format);
        remember(s, code, format, args);
        va_end(args);
    }
    die(s);
}

static void note_failure(sl_stream *s, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    remember(s, code, format, args);
    va_end(args);
}

void sl_stream_abort(sl_stream *s) {
    die(s);
}

void sl_streams_end(sl_loop *loop) {
    for (sl_stream *s = loop->streams; s; s = s->next)
        die(s);
}

/* ---- one read, one write --------------------------------------------------------------------- */

static int ssl_result(sl_stream *s, int n) {
    switch (SSL_get_error(s->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        sl_watch_want_write(&s->watch);
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_END;
    default:
        /* An end of TCP without close_notify comes here too; many peers end that way. */
        return errno == 0 || ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                   ? IO_END
                   : IO_FAILED;
    }
}

static int read_some(sl_stream *s, char *to, int size) {
    errno = 0;
    if (s->ssl) {
        ERR_clear_error();
        int n = SSL_read(s->ssl, to, size);
        return n > 0 ? n : ssl_result(s, n);
    }
    ssize_t n = recv(s->watch.fd, to, (size_t)size, 0);
    if (n > 0) return (int)n;
    if (n == 0) return IO_END;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static int write_some(sl_stream *s, const char *from, size_t size) {
    int piece = size > WRITE_PIECE ? WRITE_PIECE : (int)size;
    errno = 0;
    if (s->ssl) {
        ERR_clear_error();
        int n = SSL_write(s->ssl, from, piece);
        if (n > 0) return n;
        n = ssl_result(s, n);
        return n == IO_END ? IO_FAILED : n;
    }
    ssize_t n = send(s->watch.fd, from, (size_t)piece, MSG_NOSIGNAL);
    if (n >= 0) return (int)n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_stall(void *ctx) {
    sl_stream *s = ctx;
    if (!s->progress) {
        sl_stream_fail(s, SL_NET_WRITE_FAILED, "the peer took nothing for %d s",
                       SL_STALL_TIMEOUT_MS / 1000);
        return;
    }
    s->progress = false;
    sl_loop_timer_start(s->loop, &s->timer, SL_STALL_TIMEOUT_MS);
}

static void on_dead_write(void *ctx) {
    sl_stream *s = ctx;
    die(s);
}

static void on_linger(void *ctx) {
    die(ctx);
}

static void send_end(sl_stream *s) {
    s->state = SL_STREAM_LINGERING;
    if (s->ssl) {
        ERR_clear_error();
        SSL_shutdown(s->ssl);
    }
    shutdown(s->watch.fd, SHUT_WR);
    sl_watch_read(&s->watch, true);
    s->timer.fire = on_linger;
    sl_loop_timer_start(s->loop, &s->timer, s->linger_ms);
}

/* The peer may have answered before it stopped listening: its words are still read, for a moment.
 */
static void write_failed(sl_stream *s) {
    int error = errno;
    if (s->state >= SL_STREAM_DRAINING) {
        die(s);
        return;
    }
    note_failure(s, SL_NET_WRITE_FAILED, "write failed: %s",
                 error ? strerror(error) : "connection closed");
    s->write_dead = true;
    sl_outq_clear(&s->out, s->loop->alloc);
    sl_watch_read(&s->watch, true);
    s->timer.fire = on_dead_write;
    sl_loop_timer_start(s->loop, &s->timer, DEAD_WRITE_MS);
}

static void watch_stall(sl_stream *s) {
    if (s->timer.active) return;
    s->progress = false;
    s->timer.fire = on_stall;
    sl_loop_timer_start(s->loop, &s->timer, SL_STALL_TIMEOUT_MS);
}

static void after_flush(sl_stream *s) {
    if (s->out.size == 0) {
        if (s->state == SL_STREAM_DRAINING) {
            send_end(s);
            return;
        }
        sl_loop_timer_stop(s->loop, &s->timer);
    } else {
        watch_stall(s);
    }
    if (s->want_writable && s->state == SL_STREAM_OPEN && s->out.size <= s->high_water / 2) {
        s->want_writable = false;
        if (s->events->on_writable) s->events->on_writable(s->ctx);
    }
}

/* Gives the kernel what it takes. False if the peer takes nothing any more. */
static bool push_queue(sl_stream *s) {
    size_t done = 0, size;
    while (s->out.size > 0 && done < WRITE_PER_TURN) {
        const char *data = sl_outq_front(&s->out, &size);
        int n = write_some(s, data, size);
        if (n == IO_AGAIN) break;
        if (n < 0) {
            write_failed(s);
            return false;
        }
        sl_outq_consume(&s->out, s->loop->alloc, (size_t)n);
        done += (size_t)n;
    }
    if (done) s->progress = true;
    return true;
}

static void flush(sl_stream *s) {
    if (!push_queue(s)) return;
    if (s->out.size > 0) sl_watch_want_write(&s->watch);
    after_flush(s);
}

/* Straight to the kernel what it takes, so that a short message neither waits for the next turn of
 * the loop nor is copied into the queue. Returns how much went. */
static size_t write_now(sl_stream *s, const char *data, size_t size) {
    size_t done = 0;
    if (s->state != SL_STREAM_OPEN || s->out.size > 0 || s->corked) return 0;
    while (done < size && done < WRITE_PER_TURN) {
        int n = write_some(s, data + done, size - done);
        if (n == IO_AGAIN) break;
        if (n < 0) {
            write_failed(s);
            return size;
        }
        done += (size_t)n;
    }
    return done;
}

bool sl_stream_write2(sl_stream *s, const void *head, size_t head_size, const void *data,
                      size_t size, bool force, sl_status *st) {
    enum { TOGETHER = 4096 };
    char both[TOGETHER];
    if (s->state > SL_STREAM_OPEN || s->write_dead)
        return sl_fail_code(st, SL_ERR_CONNECTION, SL_NET_WRITE_FAILED, "the stream is closed");
    if (!force && sl_stream_full(s)) {
        s->want_writable = true;
        return sl_fail(st, SL_ERR_CONNECTION, "", "busy: the peer is slow; wait for writable");
    }
    if (size > 0 && head_size < TOGETHER && size <= TOGETHER - head_size) {
        memcpy(both, head, head_size);
        memcpy(both + head_size, data, size);
        head = both;
        head_size += size;
        size = 0;
    }
    size_t sent = write_now(s, head, head_size);
    size_t sent2 = sent == head_size && size > 0 ? write_now(s, data, size) : 0;
    if (s->write_dead)
        return sl_fail_code(st, SL_ERR_CONNECTION, SL_NET_WRITE_FAILED, "the stream is closed");
    if ((sent < head_size &&
         !sl_outq_add(&s->out, s->loop->alloc, (const char *)head + sent, head_size - sent)) ||
        (sent2 < size &&
         !sl_outq_add(&s->out, s->loop->alloc, (const char *)data + sent2, size - sent2))) {
        /* Half a message may be out: the stream cannot go on. */
        sl_stream_fail(s, SL_NET_WRITE_FAILED, "no memory for the output queue");
        return sl_fail_memory(st);
    }
    /* What is written while bytes are being read goes out together when they have been read, or
     * when enough of it is there. */
    if (s->corked && s->out.size >= CORK_MAX) {
        size_t left = s->out.size;
        if (!push_queue(s))
            return sl_fail_code(st, SL_ERR_CONNECTION, SL_NET_WRITE_FAILED, "the stream is closed");
        s->corked = s->out.size < left;
    }
    if (s->out.size >= s->high_water) s->want_writable = true;
    if (s->out.size > 0 && s->state == SL_STREAM_OPEN && !s->corked) {
        sl_watch_want_write(&s->watch);
        watch_stall(s);
    }
    return true;
}

bool sl_stream_write(sl_stream *s, const void *data, size_t size, bool force, sl_status *st) {
    return sl_stream_write2(s, data, size, NULL, 0, force, st);
}

size_t sl_stream_backlog(const sl_stream *s) {
    return s->out.size;
}
bool sl_stream_full(const sl_stream *s) {
    return s->out.size >= s->high_water;
}
void sl_stream_set_high_water(sl_stream *s, size_t bytes) {
    s->high_water = bytes;
}

void sl_stream_close(sl_stream *s, int linger_ms) {
    if (s->state >= SL_STREAM_DRAINING) return;
    if (s->state < SL_STREAM_OPEN || s->write_dead) {
        die(s);
        return;
    }
    s->state = SL_STREAM_DRAINING;
    s->linger_ms = linger_ms;
    sl_watch_read(&s->watch, true);
    if (s->out.size == 0) send_end(s);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A peer that has only ended its own side still gets what was written before. Returns whether more
 * of it is to come. */
static bool last_words(sl_stream *s) {
    if (s->out.size == 0 || s->write_dead || s->state > SL_STREAM_DRAINING) return false;
    if (!push_queue(s) || s->out.size == 0 || s->state != SL_STREAM_DRAINING) return false;
    sl_watch_read(&s->watch, false);
    sl_watch_want_write(&s->watch);
    watch_stall(s);
    return true;
}

static void end_of_input(sl_stream *s, int result) {
    int error = errno;
    if (result == IO_END && last_words(s)) return;
    if (s->state >= SL_STREAM_DRAINING || s->write_dead)
        die(s);
    else if (result == IO_END)
        sl_stream_fail(s, SL_NET_READ_FAILED, "the peer closed the connection");
    else
        sl_stream_fail(s, SL_NET_READ_FAILED, "read failed: %s",
                       error ? strerror(error) : "TLS error");
}

/* True if the turn was over before the input was. */
static bool read_pieces(sl_stream *s) {
    size_t done = 0;
    for (int i = 0; i < READS_PER_TURN && done < READ_PER_TURN; i++) {
        if (s->state == SL_STREAM_DEAD || (s->paused && s->state == SL_STREAM_OPEN)) return false;
        int n = read_some(s, s->loop->scratch, SL_LOOP_READ_SIZE);
        if (n == IO_AGAIN) return false;
        if (n < 0) {
            end_of_input(s, n);
            return false;
        }
        done += (size_t)n;
        if (s->state == SL_STREAM_OPEN) s->events->on_data(s->ctx, s->loop->scratch, (size_t)n);
    }
    return true;
}

/* OpenSSL reads ahead: one call of the kernel for many records. Those that nobody has asked for yet
 * are read in the next step. */
static void read_held_back(sl_stream *s) {
    bool reading = s->state == SL_STREAM_OPEN ? !s->paused : s->state > SL_STREAM_OPEN;
    if (s->ssl && reading && SSL_has_pending(s->ssl)) sl_loop_timer_start(s->loop, &s->again, 0);
}

/* Answers to what is read wait for each other: one packet, one TLS record. */
static void read_turn(sl_stream *s) {
    bool blocked = s->out.size > 0;
    s->corked = true;
    if (read_pieces(s)) read_held_back(s);
    s->corked = false;
    if (s->out.size > 0 && !blocked &&
        (s->state == SL_STREAM_OPEN || s->state == SL_STREAM_DRAINING))
        flush(s);
}

static void on_again(void *ctx) {
    sl_stream *s = ctx;
    if (s->state >= SL_STREAM_OPEN && s->state < SL_STREAM_DEAD) read_turn(s);
}

void sl_stream_pause(sl_stream *s, bool paused) {
    s->paused = paused;
    if (s->state != SL_STREAM_OPEN) return;
    sl_watch_read(&s->watch, !paused);
    read_held_back(s);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void on_handshake_timeout(void *ctx) {
    sl_stream *s = ctx;
    sl_stream_fail(s, s->dialled ? SL_NET_CONNECT_FAILED : SL_NET_TLS_FAILED,
                   "the TLS handshake took too long");
}

static void opened(sl_stream *s) {
    s->state = SL_STREAM_OPEN;
    sl_loop_timer_stop(s->loop, &s->timer);
    if (s->paused) sl_watch_read(&s->watch, false);
    if (s->dialled && s->events->on_open) s->events->on_open(s->ctx);
    if (s->state == SL_STREAM_OPEN && s->out.size > 0) flush(s);
}

static void handshake(sl_stream *s) {
    char text[160];
    ERR_clear_error();
    errno = 0;
    int n = SSL_do_handshake(s->ssl);
    if (n == 1) {
        opened(s);
        return;
    }
    int error = SSL_get_error(s->ssl, n);
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_WANT_WRITE) {
        sl_watch_want_write(&s->watch);
        return;
    }
    sl_tls_describe_failure(s->ssl, text, sizeof text);
    sl_stream_fail(s, SL_NET_TLS_FAILED, "TLS handshake failed: %s", text);
}

/* A peer with Nagle's algorithm on, as all native SDKs have it, keeps its next small write back
 * until the last one is acknowledged, and the kernel does that up to 40 ms late. The kernel forgets
 * the option with every answer, so it is set again after each turn of reading; an acknowledgement
 * that an answer has carried meanwhile is not sent twice. */
static void acknowledge(const sl_stream *s) {
#ifdef TCP_QUICKACK
    int on = 1;
    if (s->state < SL_STREAM_DEAD)
        setsockopt(s->watch.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
#else
    (void)s;
#endif
}

static void on_ready(void *ctx, unsigned bits) {
    sl_stream *s = ctx;
    if (s->state == SL_STREAM_HANDSHAKE) handshake(s);
    if (s->state == SL_STREAM_OPEN || s->state == SL_STREAM_DRAINING) {
        if (s->out.size > 0 && (bits & SL_READY_WRITE) && !(bits & SL_READY_GONE)) flush(s);
    }
    if (s->state >= SL_STREAM_OPEN && s->state < SL_STREAM_DEAD) read_turn(s);
    if (bits & SL_READY_READ) acknowledge(s);
    if ((bits & SL_READY_GONE) && s->state != SL_STREAM_DEAD) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        sl_stream_fail(s, SL_NET_READ_FAILED, "connection lost: %s",
                       error ? strerror(error) : "reset by the peer");
    }
}

bool sl_stream_begin(sl_stream *s, sl_watch *dialled, int fd, SSL *ssl, int64_t deadline_ms,
                     sl_status *st) {
    if (dialled) {
        sl_watch_move(&s->watch, dialled, on_ready, s);
        sl_watch_read(&s->watch, true);
    } else if (!sl_watch_open(&s->watch, s->loop, fd, on_ready, s, st)) {
        SSL_free(ssl);
        return false;
    }
    s->ssl = ssl;
    if (ssl && SSL_set_fd(ssl, s->watch.fd) != 1) {
        sl_watch_close(&s->watch);
        return sl_fail_memory(st);
    }
    if (!ssl) {
        opened(s);
        return true;
    }
    if (s->dialled)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    s->state = SL_STREAM_HANDSHAKE;
    s->timer.fire = on_handshake_timeout;
    sl_loop_timer_start(s->loop, &s->timer, deadline_ms);
    if (s->dialled) handshake(s);
    return true;
}

void sl_stream_set_events(sl_stream *s, const sl_stream_events *events, void *ctx) {
    s->events = events;
    s->ctx = ctx;
}

/* ---- questions ------------------------------------------------------------------------------- */

void sl_socket_prepare(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

void sl_stream_peer(const sl_stream *s, char *text, size_t size) {
    struct sockaddr_storage addr;
    socklen_t addr_size = sizeof addr;
    char host[INET6_ADDRSTRLEN] = "";
    text[0] = '\0';
    if (s->watch.fd < 0 || getpeername(s->watch.fd, (struct sockaddr *)&addr, &addr_size) != 0)
        return;
    if (addr.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&addr;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, (unsigned)ntohs(in->sin_port));
        return;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&addr;
    if (addr.ss_family != AF_INET6) return;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof host);
        snprintf(text, size, "%s:%u", host, (unsigned)ntohs(in6->sin6_port));
        return;
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    snprintf(text, size, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
}

const char *sl_stream_tls_version(const sl_stream *s) {
    return s->ssl && s->state >= SL_STREAM_OPEN ? SSL_get_version(s->ssl) : "";
}

sl_loop *sl_stream_loop(const sl_stream *s) {
    return s->loop;
}
