/* client_event.h - what a client connection and its sessions tell their host.
 * Source: protocol/1-wire.md, 6 to 8; protocol/4-history-and-sessions.md, 11. */
#ifndef SL_SESSION_CLIENT_EVENT_H
#define SL_SESSION_CLIENT_EVENT_H

#include "base/str.h"
#include "history/client_history.h"
#include "protocol/errors.h"

typedef enum sl_client_event_type {
    SL_CLIENT_CONNECT,          /* open a WebSocket: `attempt`, `target`, `offer` */
    SL_CLIENT_DISCONNECT,       /* end the WebSocket of `attempt` with close code `code` */
    SL_CLIENT_CONNECTION_STATE, /* `state` (sl_connection_state), `delay_ms` to the next attempt */
    SL_CLIENT_SESSION_STATE,    /* `session`, `state` (sl_session_state), `delay_ms` */
    SL_CLIENT_TOKEN_WANTED,     /* get a new access token, then sl_client_connection_set_token */
    SL_CLIENT_LOCATION_WANTED,  /* ask for the location, then sl_client_connection_set_route */
    SL_CLIENT_LOG_OUT,          /* the user is no longer welcome */
    SL_CLIENT_ERROR,            /* `session` or 0, `error` */
    SL_CLIENT_INTEGRATED,       /* `session`; changes of others are in the realm: `changesets` of
                                 * them, `changed` = the state may differ. The realm's change set
                                 * describes it until the next write or received message */
    SL_CLIENT_PROGRESS,         /* `session`, `progress` */
    SL_CLIENT_WAIT_DONE,        /* `session`, `request`, `ok`; not ok: the wait was given up */
    SL_CLIENT_STATE_PROGRESS,   /* `session`; `done` of `total` octets of a state have come */
    SL_CLIENT_STATE_READY,      /* `session`: put the state in place, then call
                                 * sl_client_session_adopt */
    SL_CLIENT_ALLOCATED,        /* `session`, `request`, `ident`; 0: the wish was given up */
    SL_CLIENT_TRANSACTED,       /* `session`, `request`, `code` (sl_transact_outcome) */
    SL_CLIENT_LOG               /* `session` or 0, `text`, `level`: message of the server */
} sl_client_event_type;

typedef enum sl_connection_state {
    SL_CONNECTION_DISCONNECTED,
    SL_CONNECTION_CONNECTING,
    SL_CONNECTION_CONNECTED
} sl_connection_state;

typedef enum sl_session_state {
    SL_SESSION_UNBOUND,   /* waits for the connection, or for the end of an earlier binding */
    SL_SESSION_BINDING,   /* BIND sent */
    SL_SESSION_ACTIVE,    /* IDENT sent: data flows */
    SL_SESSION_SUSPENDED, /* after an error; comes back by itself after the delay */
    SL_SESSION_PAUSED,    /* on the application's wish */
    SL_SESSION_INACTIVE,  /* after an error; stays so until sl_client_session_restart */
    SL_SESSION_FAILED,    /* a download could not be integrated; waits for the server's answer */
    SL_SESSION_CLOSED     /* the last event of a session */
} sl_session_state;

/* What became of a serialized transaction. */
typedef enum sl_transact_outcome {
    SL_TRANSACT_ACCEPTED, /* it is in the history of the server, and in the realm here */
    SL_TRANSACT_CONFLICT, /* nothing was done: the server had changes that were not seen here. They
                           * are here now */
    SL_TRANSACT_UNSUPPORTED, /* nothing was done: the server does not do it */
    SL_TRANSACT_GIVEN_UP,    /* nothing was done: the session ended before it was sent */
    SL_TRANSACT_UNKNOWN      /* the session ended before the answer came */
} sl_transact_outcome;

/* "accepted", "conflict", "unsupported", "given_up", "unknown". Static storage. */
const char *sl_transact_outcome_name(sl_transact_outcome outcome);

/* "disconnected", ...; "unbound", ... Static storage. */
const char *sl_connection_state_name(sl_connection_state state);
const char *sl_session_state_name(sl_session_state state);

/* One failure, in a form that can be shown and acted on. */
typedef struct sl_client_error {
    sl_status_class cls; /* SESSION: the server's word on one session; CONNECTION: close code or
                          * HTTP status; PROTOCOL: one side broke the protocol; CHANGESET, STORAGE:
                          * found here while integrating */
    int code;            /* protocol error number, close code, HTTP status, or 0 */
    const char *name;    /* short name of the code; static storage */
    sl_action action;
    bool try_again;     /* comes back without help */
    const char *advice; /* what a person can do; static storage, "" if there is nothing */
    char message[240];  /* the server's words, or ours */
    sl_str json;        /* the body of a JSON_ERROR, "" if none; borrowed like the event */
    bool client_reset;  /* only a client reset will help */
    bool no_recovery;   /* and unsynchronised changes must not be recovered */
} sl_client_error;

/* Strings are borrowed: valid until the next call of sl_client_connection_next_event. Sessions are
 * named by the number of sl_client_session_number; 0 is the connection. */
typedef struct sl_client_event {
    sl_client_event_type type;
    uint64_t session;
    uint64_t attempt;
    sl_str target, offer; /* path with query for the HTTP request; Sec-WebSocket-Protocol */
    int state;
    int code;
    int64_t delay_ms; /* -1: unknown or never */
    uint64_t request;
    uint64_t ident;
    bool ok, changed;
    uint64_t changesets;
    uint64_t done, total;
    sl_client_progress progress;
    sl_str text, level;
    sl_client_error error;
} sl_client_event;

#endif
