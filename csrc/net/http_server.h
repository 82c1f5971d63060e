/* http_server.h - HTTP/1.1 and WebSocket on one listening port. */
#ifndef SL_NET_HTTP_SERVER_H
#define SL_NET_HTTP_SERVER_H

#include "net/http_head.h"
#include "net/listener.h"
#include "net/websocket.h"

typedef struct sl_http_server sl_http_server;
/* One request that waits for its answer. */
typedef struct sl_http_exchange sl_http_exchange;

/* All run inside a step of the loop. */
typedef struct sl_http_server_events {
    /* How long the body of this request may be; beyond: 413. NULL: limits.body. */
    size_t (*body_limit)(void *ctx, const sl_http_head *head);
    /* A whole request. Answer now or later with sl_http_respond. */
    void (*on_request)(void *ctx, sl_http_exchange *exchange);
    /* A valid WebSocket upgrade request. Answer now or later with sl_http_accept or (refusal)
     * sl_http_respond. NULL: on_request gets it. */
    void (*on_upgrade)(void *ctx, sl_http_exchange *exchange);
    /* The peer has left before the answer: `exchange` must not be used any more. May be NULL. */
    void (*on_abandon)(void *ctx, sl_http_exchange *exchange);
} sl_http_server_events;

typedef struct sl_http_server_options {
    const char *host; /* see sl_listener_options */
    uint16_t port;
    const char *socket; /* see listener.h */
    const sl_tls_server *tls;
    size_t max_connections, max_per_address;
    sl_http_limits limits; /* fields that are 0: sl_http_default_limits */
    /* protocol/5-app-services-http.md, 18, row 14; 0 = the number there */
    int handshake_ms;  /* TLS: 10 s */
    int head_ms;       /* from the first byte (or the connection) to the end of the head: 10 s */
    int body_ms;       /* window in which at least 16 KiB of body must come: 30 s */
    int keep_alive_ms; /* between requests: 75 s */
} sl_http_server_options;

/* `options` borrowed for the call, `events` static. See sl_listener_new for the errors. */
sl_http_server *sl_http_server_new(sl_loop *loop, const sl_http_server_options *options,
                                   const sl_http_server_events *events, void *ctx, sl_status *st);
uint16_t sl_http_server_port(const sl_http_server *server);
/* See sl_listener_set_tls. */
bool sl_http_server_set_tls(sl_http_server *server, const sl_tls_server *tls, sl_status *st);
/* Connections of all kinds. */
size_t sl_http_server_count(const sl_http_server *server);
/* Takes no further connections, and ends those that wait between requests. */
void sl_http_server_stop(sl_http_server *server);
/* Ends all connections, WebSockets too (with their on_close), and frees the server by the end of
 * the next step; to be called before sl_loop_free. Only on_abandon may still come. */
void sl_http_server_free(sl_http_server *server);

/* Borrowed until the exchange is answered or abandoned. */
const sl_http_head *sl_http_exchange_head(const sl_http_exchange *exchange);
sl_str sl_http_exchange_body(const sl_http_exchange *exchange);
void sl_http_exchange_peer(const sl_http_exchange *exchange, char *text, size_t size);
const char *sl_http_exchange_tls(const sl_http_exchange *exchange);
/* Room for one pointer of the caller, NULL at first. */
void sl_http_exchange_set_data(sl_http_exchange *exchange, void *data);
void *sl_http_exchange_data(const sl_http_exchange *exchange);

/* Answers; the exchange is over on success. `status` 200 to 599. Adds Date, Content-Length or (body
 * above 8 KiB) chunks of at most 8190 bytes, and Connection. A body with 204 or 304 is
 * SL_ERR_USAGE, as are forbidden header fields; on failure the exchange still waits. */
bool sl_http_respond(sl_http_exchange *exchange, unsigned status, const sl_http_header *fields,
                     size_t count, sl_str body, sl_status *st);
/* Completes the upgrade; the exchange is over on success. `protocol`: one that was offered, or
 * empty. The WebSocket belongs to the loop; close it at once to refuse with a close code. NULL:
 * SL_ERR_USAGE, SL_ERR_MEMORY. */
sl_websocket *sl_http_accept(sl_http_exchange *exchange, sl_str protocol,
                             const sl_http_header *fields, size_t count,
                             const sl_websocket_options *options, const sl_websocket_events *events,
                             void *ctx, sl_status *st);

#endif
