/* client_private.h - what the client-side files of this room share: the structs of connection and
 * session, and the calls between them.
 *
 * Order of things: every public function first makes room for all events it could cause (the only
 * allocation that may fail it without a trace), then acts, then settles: due timers run, states,
 * progress and finished waits are reported. */
#ifndef SL_SESSION_CLIENT_PRIVATE_H
#define SL_SESSION_CLIENT_PRIVATE_H

#include "history/client_transact.h"
#include "history/client_transfer.h"
#include "protocol/backoff.h"
#include "protocol/client_message.h"
#include "protocol/json_error.h"
#include "protocol/server_message.h"
#include "session/client_event_queue.h"
#include "session/client_session.h"

/* No time set. */
#define SL_CLIENT_NEVER INT64_MAX

/* A wish of the application for a WAIT_DONE or ALLOCATED event. */
typedef enum sl_wait_kind { SL_WAIT_UPLOAD, SL_WAIT_DOWNLOAD, SL_WAIT_IDENT } sl_wait_kind;

typedef struct sl_client_wait {
    uint64_t request;
    sl_wait_kind kind;
    uint64_t target; /* upload: client version; download: MARK number */
} sl_client_wait;

/* A serialized transaction on its way (protocol/1-wire.md, 4.14). */
typedef enum sl_transact_phase {
    SL_TRANSACT_NONE,
    SL_TRANSACT_WAITING, /* to be sent, behind everything it is based on */
    SL_TRANSACT_SENT,    /* in this binding; no answer yet */
    SL_TRANSACT_ANSWERED /* what the answer is about has to come by DOWNLOAD */
} sl_transact_phase;

typedef struct sl_client_transact {
    sl_transact_phase phase;
    uint64_t request;
    sl_client_base base;
    sl_buf changeset;
    bool based;       /* the server was told of the base in this binding */
    bool told;        /* it was sent at least once: the server may have decided */
    bool forgotten;   /* nobody waits for the outcome */
    uint64_t version; /* ANSWERED: server version it became, 0 = refused */
    uint64_t mark;    /* ANSWERED, refused: the MARK that proves that the news is here */
} sl_client_transact;

/* What lives as long as one binding: from BIND to its end (protocol/1-wire.md, 6.2). */
typedef struct sl_client_binding {
    bool bind_sent, ident_sent, unbind_sent;
    bool state_sent, state_over; /* STATE_REQUEST was sent; there is no state (any more) to come */
    bool error_received, unbound_received;
    bool alloc_sent; /* and not answered */
    bool broken; /* a message of the server was left out: it can only be ended, even if the session
                  * has come back to life meanwhile */
    uint64_t confirmed; /* greatest upload client version the server told of */
    /* The largest UPLOAD so far: what a server refuses for its size is never smaller. */
    uint64_t largest, largest_version;
    bool uploaded; /* an UPLOAD with changesets was sent */
    int failure;   /* error number of a failed integration, 0 = none */
    bool failure_sent;
    char failure_text[240];
} sl_client_binding;

/* Invariants: history is NULL iff closing or installing. last_mark_received <= last_mark_sent <=
 * target_mark. resume_at is set only while suspended. */
struct sl_client_session {
    sl_client_connection *connection; /* owner */
    sl_client_history *history;       /* borrowed */
    uint64_t number;                  /* session ident on the wire */
    char *path;
    size_t path_size;
    bool no_upload, no_upload_delay, subserver;
    uint64_t max_message;
    /* How often in a row the connection ended before anything after version `cut_at` was confirmed,
     * although it was sent. */
    uint64_t cut_at;
    uint32_t cuts;

    bool want_state; /* ask for a state as long as the file can take one */
    bool installing; /* the state is complete, the host puts it in place */
    sl_client_transfer transfer;

    bool closing, paused, suspended, inactive;
    bool wants_token;  /* suspended until a new token came */
    int64_t resume_at; /* end of suspension, SL_CLIENT_NEVER = only by the host */
    sl_backoff backoff;

    sl_client_binding binding;
    sl_upload_cursor cursor; /* upload scan of this binding */
    uint64_t idle_version; /* newest version known to have nothing to upload, only to acknowledge */
    int64_t ack_at;        /* when to acknowledge it; SL_CLIENT_NEVER = nothing to acknowledge */
    bool allow_upload;
    uint64_t gate_mark; /* MARK that allows uploads */
    uint64_t target_mark, last_mark_sent, last_mark_received;

    sl_client_transact transact;

    sl_client_wait *waits;
    size_t wait_count, wait_capacity;
    uint64_t next_request;
    bool check_waits; /* something happened that could end one */
    bool fail_waits;  /* give them all up when settling */

    bool mute_integrated, mute_progress; /* the host wants no such events */
    sl_session_state reported_state;
    int64_t reported_delay;
    sl_client_progress reported_progress;
};

/* A DOWNLOAD whose first changesets have been integrated; the host hands it in again for the rest.
 * Invariant: `session` is 0 if there is none, else the body's bytes are in `body` or `arena`. */
typedef struct sl_client_rest {
    uint64_t session, attempt;
    sl_client_download download; /* what is left */
    sl_buf body;
    sl_arena arena;
    bool resumed; /* the message that is dealt with was this one */
} sl_client_rest;

struct sl_client_connection {
    const sl_alloc *alloc;
    const sl_env *env;
    sl_client_connection_options options; /* strings unused, numbers complete */
    sl_buf route, token, target, offer;
    bool route_verified;

    sl_connection_state state;
    uint64_t attempt;
    int version;
    unsigned features; /* of the server; set before the connection stands, 0 without one */
    bool held;         /* the host said disconnect */
    bool forbidden;    /* the server said not to come back */
    int refusals;      /* tokens refused in a row */
    sl_backoff backoff;
    bool forget_delay; /* an urgent PING decides whether the link lives (8.1) */
    int64_t retry_at, connect_deadline, linger_at, lost_at;
    bool ever_connected;

    int64_t ping_at, pong_deadline, ping_time, last_rtt;
    bool ping_due, ping_outstanding, first_ping;

    sl_client_session **sessions;
    size_t session_count, session_capacity;
    uint64_t next_number;
    size_t turn;

    sl_steps *steps; /* budget of the running call; NULL = none */
    sl_client_rest rest;
    uint64_t paced_bytes, paced_steps; /* of the last changesets; 0 = there were none */
    size_t alone; /* so many messages are not to be joined: it was tried and failed */
    char id[64];
    sl_arena arena; /* one message */
    sl_buf inflated, entries, packed;
    sl_client_event_queue events;
};

/* ---- client_connection.c --------------------------------------------------------------------- */

int64_t sl_client_now(const sl_client_connection *connection);
/* Makes room for events; see above. */
bool sl_client_enter(sl_client_connection *connection, sl_status *st);
/* Runs due timers and reports what changed. Cannot fail. */
void sl_client_settle(sl_client_connection *connection);
/* Appends an event with these members set. */
sl_client_event *sl_client_emit(sl_client_connection *connection, sl_client_event_type type,
                                uint64_t session);

/* Why and how a connection ends. */
typedef struct sl_client_end {
    sl_end_reason reason;
    const sl_backoff_rule *rule; /* borrowed; NULL = default */
    int close_code;              /* to send; 0: the socket has ended already */
    bool never;                  /* do not come back by itself */
} sl_client_end;

/* Leaves CONNECTING or CONNECTED: sessions lose their bindings, the delay starts. */
void sl_client_end_connection(sl_client_connection *connection, const sl_client_end *end);
/* The peer broke the protocol: reports it, gives up waits, closes. `session` 0 = connection. */
void sl_client_violation(sl_client_connection *connection, uint64_t session, const char *format,
                         ...) __attribute__((format(printf, 3, 4)));
/* A connection-level failure with a number and an action: reports, acts, and ends the connection.
 * `error` borrowed; `end` says how. */
void sl_client_fail_connection(sl_client_connection *connection, const sl_client_error *error,
                               const sl_client_end *end);

/* ---- client_receive.c ------------------------------------------------------------------------ */

/* NULL if there is none of that number. */
sl_client_session *sl_client_find_session(const sl_client_connection *connection, uint64_t number);
/* Acts on one message while connected. False: SL_ERR_MEMORY or SL_ERR_USAGE, nothing was done. */
bool sl_client_dispatch(sl_client_connection *connection, const void *data, size_t size,
                        sl_status *st);

/* ---- client_error.c -------------------------------------------------------------------------- */

/* Fills the static parts for a protocol error number; message and action stay empty. */
void sl_client_error_init(sl_client_error *error, sl_status_class cls, int code);
/* A server's error number for session or connection, from JSON_ERROR or plain ERROR. */
void sl_client_error_from_json(sl_client_error *error, int code, const sl_json_error *json);
void sl_client_error_from_plain(sl_client_error *error, int code, bool try_again, sl_str text);
/* Copies, cutting where it must, never inside a UTF-8 sequence. */
void sl_client_error_text(sl_client_error *error, sl_str text);

/* ---- client_session.c ------------------------------------------------------------------------ */

void sl_client_session_delete(sl_client_session *session);
sl_session_state sl_client_session_compute_state(const sl_client_session *session);
/* Needs a connection: not suspended, paused, inactive or closing. */
bool sl_client_session_wants_bind(const sl_client_session *session);
/* A connection was made, or the session was added to one. */
void sl_client_session_connected(sl_client_session *session);
void sl_client_session_disconnected(sl_client_session *session);
/* Ends a suspension whose time has come. */
void sl_client_session_tick(sl_client_session *session, int64_t now);
/* Whether somebody waits for an ident. */
bool sl_client_session_wants_alloc(const sl_client_session *session);
/* An ident was allocated, for whoever has waited longest; 0: the server allocates none. */
void sl_client_session_allocated(sl_client_session *session, uint64_t ident);
/* Reports state, progress and waits. True: the session has ended and is to be deleted. */
bool sl_client_session_settle(sl_client_session *session);
/* Stops the session; with `retry` a delay is drawn after which it comes back. */
void sl_client_session_suspend(sl_client_session *session, int reason, const sl_backoff_rule *rule,
                               bool retry);
/* Stops it until the host restarts it; gives up waits. */
/* Tells the application that the change `version` is too large to be sent, as a message of `size`
 * octets, and ends the session. */
void sl_client_session_too_big(sl_client_session *s, sl_client_error *error, uint64_t size,
                               uint64_t version);
void sl_client_session_deactivate(sl_client_session *session);
/* A server's error for this session, or one found here: acts and reports. */
void sl_client_session_fail(sl_client_session *session, const sl_client_error *error,
                            const sl_backoff_rule *rule);

/* ---- client_transact.c ----------------------------------------------------------------------- */

/* True while uploads are none but those it needs; *wanted: one is due. */
bool sl_client_transact_blocks(const sl_client_session *session, bool *wanted);
/* How far uploads may go. */
uint64_t sl_client_transact_limit(const sl_client_session *session);
/* True if `batch` has everything that the transaction is based on: the server has to hear of that
 * progress even without changesets. */
bool sl_client_transact_complete(const sl_client_session *session, sl_upload_batch *batch);
/* Gives it up if the server of this connection does not do it. */
void sl_client_transact_check_support(sl_client_session *session);
/* Everything it is based on was told: TRANSACT is next. */
bool sl_client_transact_due(const sl_client_session *session);
/* The answer. False: SL_ERR_PROTOCOL, it breaks the protocol. */
bool sl_client_transact_receive(sl_client_session *session, const sl_msg_server_transact *msg,
                                sl_status *st);
/* Changes of others were integrated. */
void sl_client_transact_overtaken(sl_client_session *session);
/* The binding has ended. */
void sl_client_transact_disconnected(sl_client_session *session);
/* Reports what has become certain; `end`: the session has ended, so everything is. */
void sl_client_transact_settle(sl_client_session *session, bool end);

/* ---- client_binding.c ------------------------------------------------------------------------ */

/* An UNBIND is due: it goes before everything else of the connection but PING. */
bool sl_client_binding_unbind_due(const sl_client_session *session);
/* BIND was never sent, or the binding's last message has come. */
bool sl_client_binding_over(const sl_client_session *session);
/* Appends the session's next message, if any. False: SL_ERR_MEMORY, nothing was done. */
bool sl_client_binding_send(sl_client_session *session, sl_buf *out, bool *any, sl_status *st);
/* Acts on a message for the session. False: SL_ERR_PROTOCOL (a violation), SL_ERR_MEMORY or
 * SL_ERR_USAGE. */
bool sl_client_binding_receive(sl_client_session *session, const sl_server_message *msg,
                               sl_status *st);
/* Trouble with the file itself: suspends the session and reports. */
void sl_client_binding_fail_locally(sl_client_session *session, const sl_status *why);
/* Storage trouble (`why`) suspends the session and is dealt with, everything else is put into `st`
 * and the caller's: false. */
bool sl_client_binding_absorb(sl_client_session *session, sl_status *why, sl_status *st);

/* ---- client_download.c ----------------------------------------------------------------------- */

/* Integrates a DOWNLOAD, or as much of it as the budget of the running call allows; fails as
 * sl_client_binding_receive. */
bool sl_client_download_receive(sl_client_session *session, const sl_msg_download *msg,
                                sl_status *st);
/* What is left of a DOWNLOAD is not wanted any more. */
void sl_client_download_forget(sl_client_connection *connection);
/* Integrates the DOWNLOADs of one session that `messages` begin with as one commit, and says how
 * many they were. 0: there are no two of them, or something is wrong: nothing was done, and they
 * are to be dealt with one by one. */
size_t sl_client_download_group(sl_client_connection *connection, const sl_str *messages,
                                size_t count);

/* ---- client_transfer.c ----------------------------------------------------------------------- */

/* Before IDENT: a state is wanted, and can be had. */
bool sl_client_transfer_due(sl_client_session *session);
/* Fills the request into *msg and sets *any, unless it was sent, or nothing is left to ask for. */
bool sl_client_transfer_send(sl_client_session *session, sl_client_message *msg, bool *any,
                             sl_status *st);
/* Acts on STATE; fails as sl_client_binding_receive. */
bool sl_client_transfer_take(sl_client_session *session, const sl_msg_state *msg, sl_status *st);

#endif
