/* errors.h - every error number and close code of the protocol, in one table.
 * Source: protocol/1-wire.md, 2.4 and section 7. */
#ifndef SL_PROTOCOL_ERRORS_H
#define SL_PROTOCOL_ERRORS_H

#include "protocol/message.h"

/* What a client does after an error (7.5). */
typedef enum sl_action {
    SL_ACTION_NONE, /* plain ERROR, or nothing said */
    SL_ACTION_PROTOCOL_VIOLATION,
    SL_ACTION_APPLICATION_BUG,
    SL_ACTION_WARNING,
    SL_ACTION_TRANSIENT,
    SL_ACTION_DELETE_REALM,
    SL_ACTION_CLIENT_RESET,
    SL_ACTION_CLIENT_RESET_NO_RECOVERY,
    SL_ACTION_MIGRATE_TO_FLX,
    SL_ACTION_REVERT_TO_PBS,
    SL_ACTION_REFRESH_USER,
    SL_ACTION_REFRESH_LOCATION,
    SL_ACTION_LOG_OUT_USER,
    SL_ACTION_MIGRATE_SCHEMA,
    SL_ACTION_COUNT
} sl_action;

/* The word on the wire ("ClientReset", ...); "" for NONE. Static storage. */
const char *sl_action_name(sl_action action);
/* Inverse; an unknown word is APPLICATION_BUG. */
sl_action sl_action_from_name(sl_str name);

/* One error number. */
typedef struct sl_error_info {
    int code;
    const char *name;   /* short, lower case: "bad client file ident" */
    bool ends;          /* false for 231 and 236, which do not end the session */
    bool try_again;     /* what our server sends */
    sl_action action;   /* what our server sends */
    bool deadly;        /* current clients end their process on it (7.3): never sent to them */
    int substitute;     /* for a deadly one: number to send instead; 1000..: close with it */
    const char *advice; /* for people: what it means and what to do */
} sl_error_info;

/* NULL for an unknown number. Static storage. */
const sl_error_info *sl_error_find(int code);
/* 100-199; the whole connection. */
static inline bool sl_error_is_connection(int code) {
    return code >= 100 && code <= 199;
}
/* 200-299; one session. */
static inline bool sl_error_is_session(int code) {
    return code >= 200 && code <= 299;
}
/* Iteration over the table: entries 0 .. n; NULL past the end. */
const sl_error_info *sl_error_at(size_t index);

/* How a server tells a peer about an error. */
typedef struct sl_error_form {
    enum { SL_FORM_JSON, SL_FORM_PLAIN, SL_FORM_CLOSE } form;
    int code;       /* JSON and PLAIN: the number to send (may differ in level from the wish) */
    int close_code; /* CLOSE */
    bool try_again;
    sl_action action;
} sl_error_form;

/* Chooses form and number for a peer on protocol `version` (7.1-7.3): JSON_ERROR from 4 on, ERROR
 * below, a close code or another number where the number itself would kill the peer or (206 below
 * 7) destroy its data. `code` must be in the table; otherwise 101 or 201 by level is used. */
sl_error_form sl_error_form_for(int code, int version);

/* Close codes (2.4). */
enum {
    SL_CLOSE_NORMAL = 1000,
    SL_CLOSE_GOING_AWAY = 1001,
    SL_CLOSE_PROTOCOL_ERROR = 1002,
    SL_CLOSE_UNSUPPORTED = 1003,
    SL_CLOSE_NO_STATUS = 1005,
    SL_CLOSE_ABNORMAL = 1006,
    SL_CLOSE_POLICY = 1008,
    SL_CLOSE_TOO_BIG = 1009,
    SL_CLOSE_SERVER_ERROR = 1011,
    SL_CLOSE_TLS = 1015,
    SL_CLOSE_UNAUTHORIZED = 4001,
    SL_CLOSE_FORBIDDEN = 4002,
    SL_CLOSE_MOVED = 4003,
    /* made up inside a client, never on the wire */
    SL_CLOSE_RESOLVE_FAILED = 4400,
    SL_CLOSE_CONNECT_FAILED = 4401,
    SL_CLOSE_READ_ERROR = 4402,
    SL_CLOSE_WRITE_ERROR = 4403,
    SL_CLOSE_RETRY = 4404,
    SL_CLOSE_FATAL = 4405
};

/* Why a connection ended, as far as the reconnect delay is concerned (8.2). */
typedef enum sl_end_reason {
    SL_END_NONE,
    SL_END_VOLUNTARY,
    SL_END_CONNECT_FAILED,
    SL_END_READ_WRITE_ERROR,
    SL_END_PONG_TIMEOUT,
    SL_END_WEBSOCKET_VIOLATION,
    SL_END_HTTP_NONFATAL,
    SL_END_HTTP_FATAL,
    SL_END_CERTIFICATE,
    SL_END_PROTOCOL_VIOLATION,
    SL_END_SERVER_TRY_AGAIN,    /* connection-level error, tryAgain true */
    SL_END_SERVER_DO_NOT_RETRY, /* connection-level error, tryAgain false */
    SL_END_MISSING_PROTOCOL
} sl_end_reason;

/* What a close code (received or made up) means to a client. */
typedef struct sl_close_info {
    int code; /* as understood: unknown ones have become 1008 */
    const char *name;
    bool ignored; /* 1000: wait for the end of the stream */
    bool fatal;
    sl_action action; /* REFRESH_LOCATION of 4400, 4401, 4405: only if the route is unverified */
    sl_end_reason reason;
} sl_close_info;

/* Never fails. `received`: from the peer (then 4400-4405 and unknown numbers count as 1008).
 * `route_verified`: a connection through the present route has succeeded before; changes 4400, 4401
 * and 4405. 1005 stands for a close frame without a code. */
sl_close_info sl_close_info_of(int code, bool received, bool route_verified);

#endif
