/* client_connection.h - one connection to a server, shared by many sessions; no sockets inside.
 * Source: protocol/1-wire.md, 6.1, 8 and 2.4; protocol/4-history-and-sessions.md, 11.
 *
 * The host opens and closes WebSockets when events ask for it, hands complete binary messages in,
 * takes messages out whenever the socket has room, and calls step when the deadline has passed.
 * After every call it reads the events.
 *
 * All functions that return bool fail with `st` filled: SL_ERR_MEMORY (nothing was changed; call
 * again or give up) or SL_ERR_USAGE. Trouble with the network, the peer or the store is no failure
 * of a call but an event. */
#ifndef SL_SESSION_CLIENT_CONNECTION_H
#define SL_SESSION_CLIENT_CONNECTION_H

#include "base/env.h"
#include "base/steps.h"
#include "protocol/features.h"
#include "protocol/message.h"
#include "session/client_event.h"

typedef struct sl_client_connection sl_client_connection;
typedef struct sl_client_session sl_client_session;

/* Zero in any number means the default. All times in milliseconds (8.1). */
typedef struct sl_client_connection_options {
    const sl_alloc *alloc;        /* borrowed, NULL = heap; must outlive the connection */
    const sl_env *env;            /* borrowed; must outlive the connection */
    sl_str route;                 /* copied: path of the sync endpoint, without the token */
    sl_str token;                 /* copied: access token; "" sends no baas_at */
    bool route_verified;          /* the route came from the server and not from a guess */
    int min_version, max_version; /* protocol versions to offer; 2 .. 14 */
    int64_t connect_timeout_ms;   /* 120 000 */
    int64_t linger_ms;            /* 30 000: idle without sessions */
    int64_t ack_delay_ms;         /* 0: an UPLOAD that only acknowledges goes out at once; otherwise
                                   * it waits this long for more to acknowledge, or for company */
    int64_t ping_period_ms;       /* 60 000 */
    int64_t pong_timeout_ms;      /* 120 000 */
    int64_t fast_reconnect_ms;    /* 60 000: shorter losses do not delay uploads */
    uint64_t max_inflated;        /* SL_MAX_INFLATED: largest body after decompression */
} sl_client_connection_options;

/* `options` borrowed. NULL with `st` filled on failure. */
sl_client_connection *sl_client_connection_new(const sl_client_connection_options *options,
                                               sl_status *st);
/* Frees the connection and its sessions without a word to anybody; histories are only let go.
 * NULL is allowed. */
void sl_client_connection_free(sl_client_connection *connection);

/* ---- the socket ------------------------------------------------------------------------------
 * `attempt` is the number from the CONNECT event; calls with an old number are ignored, so late
 * callbacks of a socket that was given up do no harm. */

/* What the server of `attempt` says in its 101 answer that it can do beyond the protocol: a set of
 * sl_feature (protocol/features.h). Call it before `opened`; without it: nothing. The set lasts as
 * long as the connection. */
void sl_client_connection_set_features(sl_client_connection *connection, uint64_t attempt,
                                       unsigned features);
/* The upgrade succeeded; `subprotocol` is the answered Sec-WebSocket-Protocol ("" if there was
 * none). A token that was not offered ends the attempt (1.4). */
bool sl_client_connection_opened(sl_client_connection *connection, uint64_t attempt,
                                 sl_str subprotocol, sl_status *st);
/* The upgrade was answered with HTTP `status` other than 101 (1.6). */
bool sl_client_connection_refused(sl_client_connection *connection, uint64_t attempt, int status,
                                  sl_str text, sl_status *st);
/* A close frame came: `code` as received, 1005 if it had none. */
bool sl_client_connection_closed(sl_client_connection *connection, uint64_t attempt, int code,
                                 sl_str reason, sl_status *st);
/* The socket failed or ended: `code` is SL_CLOSE_RESOLVE_FAILED, CONNECT_FAILED, READ_ERROR,
 * WRITE_ERROR or SL_CLOSE_TLS. */
bool sl_client_connection_lost(sl_client_connection *connection, uint64_t attempt, int code,
                               sl_str text, sl_status *st);
/* One complete binary message (borrowed). SL_ERR_USAGE: the history it is for has an open write
 * transaction; finish that and hand the message in again. */
bool sl_client_connection_receive(sl_client_connection *connection, uint64_t attempt,
                                  const void *data, size_t size, sl_status *st);
/* The same for `count` > 0 messages that have come one after the other: deals with the first of
 * them, or with more if they are DOWNLOADs that can be integrated as one commit, and sets *done to
 * how many it was; 0 on failure. Events come between two calls as they would between single
 * messages.
 *
 * `steps` counts the work (instructions applied, objects saved). With a limit, a DOWNLOAD whose
 * changesets go beyond it is integrated in several commits, one or more per call: *done is 0 as
 * long as changesets of the first message are left, and the call after that takes the same message
 * again. One changeset is never divided, and each call integrates at least one. */
bool sl_client_connection_receive_some(sl_client_connection *connection, uint64_t attempt,
                                       const sl_str *messages, size_t count, sl_steps *steps,
                                       size_t *done, sl_status *st);
/* A text message came: ends the connection with close code 1003 (2.1). */
bool sl_client_connection_received_text(sl_client_connection *connection, uint64_t attempt,
                                        sl_status *st);
/* Appends the next message to `out` (initialised, borrowed) and sets *any; *any = false when there
 * is nothing to send now. Call while the socket has room. */
bool sl_client_connection_send(sl_client_connection *connection, sl_buf *out, bool *any,
                               sl_status *st);

/* ---- time and news --------------------------------------------------------------------------- */

/* Does what time demands. Harmless at any moment. */
bool sl_client_connection_step(sl_client_connection *connection, sl_status *st);
/* When step should be called next, on the monotonic clock; INT64_MAX = not for the sake of time. */
int64_t sl_client_connection_deadline(const sl_client_connection *connection);
bool sl_client_connection_has_events(const sl_client_connection *connection);
/* Takes the oldest event; false if there is none. */
bool sl_client_connection_next_event(sl_client_connection *connection, sl_client_event *event);

/* ---- the host's wishes ----------------------------------------------------------------------- */

/* A new access token (copied): used for the next attempt, which starts at once if the connection
 * waits, unless the token before it was refused too. Resumes sessions that waited for it. */
bool sl_client_connection_set_token(sl_client_connection *connection, sl_str token, sl_status *st);
/* A new route (copied); ends a present connection, and starts over at once. */
bool sl_client_connection_set_route(sl_client_connection *connection, sl_str route, bool verified,
                                    sl_status *st);
/* Forgets every delay. If connected, proves the link with a PING at once (8.1). */
bool sl_client_connection_reconnect_now(sl_client_connection *connection, sl_status *st);
/* Ends the connection and stays disconnected until reconnect_now. */
bool sl_client_connection_disconnect(sl_client_connection *connection, sl_status *st);

sl_connection_state sl_client_connection_state(const sl_client_connection *connection);
/* Negotiated protocol version; 0 if not connected. */
int sl_client_connection_version(const sl_client_connection *connection);
/* What the server has announced; 0 if not connected. */
unsigned sl_client_connection_features(const sl_client_connection *connection);
/* Last measured round trip in milliseconds; -1 before the first PONG. */
int64_t sl_client_connection_rtt(const sl_client_connection *connection);
/* The id the server gave the connection in its log message; "" if none. Borrowed. */
sl_str sl_client_connection_id(const sl_client_connection *connection);

#endif
