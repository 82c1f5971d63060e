/* server_connection.h - one client's connection on the server, with many sessions; no sockets
 * inside. Source: protocol/1-wire.md, sections 2, 4 to 8; protocol/4-history-and-sessions.md, 3 and
 * 5 to 7.
 *
 * The host accepts the upgrade, negotiates (protocol/negotiate.h) and authenticates; then it hands
 * complete binary messages in, takes messages out whenever the socket has room, calls step when the
 * deadline has passed, and looks at the wish after every call. Output is made only when asked for,
 * so a slow client costs no memory. */
#ifndef SL_SESSION_SERVER_CONNECTION_H
#define SL_SESSION_SERVER_CONNECTION_H

#include "base/env.h"
#include "protocol/features.h"
#include "protocol/message.h"
#include "session/partition.h"
#include "session/server_file.h"

typedef struct sl_server_connection sl_server_connection;

/* What this side can do for clients of ours: the host announces it in the answer to the upgrade
 * (protocol/features.h), less what it has switched off. */
enum { SL_SERVER_FEATURES = SL_FEATURE_TRANSACT | SL_FEATURE_STATE | SL_FEATURE_ALLOC };

typedef enum sl_access {
    SL_ACCESS_NONE,           /* error 206 */
    SL_ACCESS_READ,           /* an UPLOAD with changesets is error 230 */
    SL_ACCESS_WRITE_OBJECTS,  /* objects, but a change of the schema is error 225 */
    SL_ACCESS_WRITE_ADDITIVE, /* and new classes and properties; to erase some is error 225 */
    SL_ACCESS_WRITE           /* everything */
} sl_access;

/* A BIND that the host has to judge. Strings borrowed during the call. */
typedef struct sl_bind_request {
    uint64_t session;
    sl_partition_kind kind;
    sl_str partition; /* canonical (partition.h) */
    sl_str path;      /* as sent */
    sl_str user;      /* "" without users */
} sl_bind_request;

/* What the connection asks of its host; `ctx` comes from the options. No callback may call back
 * into the connection, except that `wake` may be noted for later. */
typedef struct sl_server_host {
    /* Finds or opens the file for a partition: *file is lent until `release`, *access is the right
     * of the user. Return false with `st` filled: SL_ERR_SESSION sends its code (206, 229, ...),
     * anything else is error 201 (and is reported to `trouble`). With SL_ACCESS_NONE *file may stay
     * NULL. */
    bool (*open)(void *ctx, const sl_bind_request *request, sl_server_file **file,
                 sl_access *access, sl_status *st);
    void (*release)(void *ctx, sl_server_file *file);
    /* Output or a wish has come up from outside a call on this connection. */
    void (*wake)(void *ctx);
    /* Judges a legacy token (BIND and REFRESH of clients on version <= 3, when the upgrade carried
     * none). On success the identity is put into *user (borrowed until the next call); `user_now`
     * is the one known so far ("" before the first). NULL: such tokens are refused with 203. */
    bool (*token)(void *ctx, sl_str token, sl_str user_now, sl_str *user);
    /* Something the operator should know: storage, memory, a misbehaving client. NULL is allowed.
     */
    void (*trouble)(void *ctx, const sl_status *status);
} sl_server_host;

/* Zero in a number means the default. */
typedef struct sl_server_connection_options {
    const sl_alloc *alloc;      /* borrowed, NULL = heap; outlives the connection */
    const sl_env *env;          /* borrowed; outlives the connection */
    const sl_server_host *host; /* borrowed; outlives the connection */
    void *ctx;
    sl_packer *packer; /* borrowed; outlives the connection; NULL: one for every body */
    sl_dialect dialect;
    bool mismatch;         /* no common version (sl_negotiated): says 105 and ends */
    bool authenticated;    /* false: a legacy token in BIND decides */
    bool users;            /* idents belong to users: enforce error 223 */
    sl_str user;           /* copied */
    sl_str co_id;          /* copied: id of the connection for logs; "" = none is sent */
    unsigned switched_off; /* set of sl_feature that are answered as if this side had them not */
    size_t max_message;    /* SL_MAX_SERVER_MESSAGE; above: close 1009 */
    uint64_t max_inflated; /* SL_MAX_INFLATED */
    size_t max_download;   /* SL_MAX_DOWNLOAD_BODY: entries in one DOWNLOAD */
    size_t max_sessions;   /* SL_MAX_SESSIONS; above: error 100 */
    size_t max_partition;  /* SL_MAX_PARTITION octets as sent; above: error 204 */
    int64_t idle_ms;       /* 600 000: silence after which the client is taken for dead */
    int64_t soft_close_ms; /* 30 000: after a connection-level error */
} sl_server_connection_options;

/* `options` borrowed. NULL with `st` filled (SL_ERR_MEMORY) on failure. */
sl_server_connection *sl_server_connection_new(const sl_server_connection_options *options,
                                               sl_status *st);
/* Frees the connection and its sessions; uploads that wait in a file stay there. NULL is allowed.
 */
void sl_server_connection_free(sl_server_connection *connection);

/* One complete binary message (borrowed). Trouble with the message ends sessions or the connection
 * in the protocol's ways and is no failure. Fails with SL_ERR_MEMORY only, and then wishes close
 * 1011. */
bool sl_server_connection_receive(sl_server_connection *connection, const void *data, size_t size,
                                  sl_status *st);
/* A message larger than max_message is coming, which the host drops: its first octets. An UPLOAD
 * ends its session with error 201 and says why; anything else is close 1009. */
void sl_server_connection_receive_skipped(sl_server_connection *connection, const void *front,
                                          size_t size);
/* A text message came: close 1003 (2.1). */
void sl_server_connection_receive_text(sl_server_connection *connection);
/* A control ping came: counts as a sign of life if its payload is a heartbeat (2.2). The host
 * answers with a control pong. */
void sl_server_connection_receive_ping(sl_server_connection *connection, const void *payload,
                                       size_t size);

/* Appends the next message to `out` (initialised, borrowed) and sets *any; *any = false when there
 * is nothing to send now. Fails with SL_ERR_MEMORY only, and then wishes close 1011. */
bool sl_server_connection_send(sl_server_connection *connection, sl_buf *out, bool *any,
                               sl_status *st);

typedef enum sl_wish_kind {
    SL_WISH_STAY,
    SL_WISH_CLOSE, /* send a close frame with `code` and `reason`, then end */
    SL_WISH_DROP   /* end without a word */
} sl_wish_kind;

typedef struct sl_wish {
    sl_wish_kind kind;
    int code;
    sl_str reason; /* at most 123 octets; borrowed from the connection */
} sl_wish;

/* What should become of the socket. Once it is not STAY, nothing more is sent or accepted. */
sl_wish sl_server_connection_wish(const sl_server_connection *connection);

/* Does what time demands. Harmless at any moment. */
void sl_server_connection_step(sl_server_connection *connection);
/* When step should be called next, on the monotonic clock. */
int64_t sl_server_connection_deadline(const sl_server_connection *connection);

/* ---- the host's wishes ----------------------------------------------------------------------- */

/* The access token ends at `mono_ms` (monotonic clock, grace and jitter included; INT64_MAX =
 * never): then close 4001, or for a peer below version 8 just the end (part 5, 13.5). */
void sl_server_connection_expire_at(sl_server_connection *connection, int64_t mono_ms);
/* The user was disabled or lost rights: the same at once. */
void sl_server_connection_revoke(sl_server_connection *connection, const char *reason);
/* The server shuts down: close 1011, below version 8 just the end. */
void sl_server_connection_shutdown(sl_server_connection *connection);

size_t sl_server_connection_sessions(const sl_server_connection *connection);
sl_dialect sl_server_connection_dialect(const sl_server_connection *connection);
/* Borrowed; changes with a legacy token. */
sl_str sl_server_connection_user(const sl_server_connection *connection);

#endif
