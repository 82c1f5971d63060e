/* server_private.h - the inside of a server connection and its sessions. Private to this room. */
#ifndef SL_SESSION_SERVER_PRIVATE_H
#define SL_SESSION_SERVER_PRIVATE_H

#include "base/strmap.h"
#include "protocol/client_message.h"
#include "protocol/errors.h"
#include "protocol/log_message.h"
#include "protocol/server_message.h"
#include "session/server_connection.h"
#include "session/server_member.h"

/* protocol/1-wire.md, 6.3. */
typedef enum sl_session_phase {
    SL_PHASE_ALLOCATING, /* waits for the file to make an ident */
    SL_PHASE_SEND_IDENT, /* owes IDENT */
    SL_PHASE_WAIT_IDENT, /* waits for the client's IDENT */
    SL_PHASE_SEND_STATE, /* owes STATE, up to the last one */
    SL_PHASE_ACTIVE,
    SL_PHASE_SEND_ERROR,  /* owes ERROR */
    SL_PHASE_ERROR_SENT,  /* ignores all but UNBIND */
    SL_PHASE_SEND_UNBOUND /* owes UNBOUND, then it is gone */
} sl_session_phase;

/* An error to be told. */
typedef struct sl_pending_error {
    int code;
    bool try_again;
    sl_action action;
    char text[240];
} sl_pending_error;

enum { SL_MAX_TEST_REPLIES = 32 };

/* Invariants: `member` belongs to `file` (or to none after an error); in ACTIVE member.ident is the
 * client file ident. `enlisted` iff in the connection's ready queue. */
typedef struct sl_server_session {
    sl_file_member member; /* first */
    sl_server_connection *connection;
    uint64_t number;
    size_t slot; /* in connection->sessions */
    sl_session_phase phase;
    sl_server_file *file; /* lent by the host; NULL if there is none */
    sl_access access;
    bool subserver;
    bool state_requested;
    uint64_t ident; /* owed by SEND_IDENT */
    int64_t salt;

    sl_cursor download; /* sent so far: server version, client version */
    bool download_sent;
    uint64_t sent_latest;       /* latest server version of the last DOWNLOAD */
    sl_cursor threshold;        /* T of 3.5 */
    sl_cursor upload;           /* P of 3.5 */
    uint64_t locked;            /* L of 3.5 */
    uint64_t mark, mark_target; /* request (0 = none), and the version it waits for */

    sl_msg_state_request state_request; /* what SEND_STATE answers */
    sl_state_offer state;               /* HERE: being sent */

    bool log_wanted;     /* owes the LOG_MESSAGE of the session */
    bool version_wanted; /* owes CLIENT_VERSION */
    uint64_t version_answer;
    bool alloc_waits, alloc_ready; /* owes ALLOC */
    uint64_t alloc_ident;
    bool transact_waits, transact_ready; /* owes TRANSACT */
    bool transact_refused;               /* the feature is switched off */
    sl_server_verdict verdict;
    uint64_t test_replies[SL_MAX_TEST_REPLIES];
    size_t test_count;

    sl_pending_error error;
    bool enlisted;
    struct sl_server_session *next; /* in the ready queue */
} sl_server_session;

struct sl_server_connection {
    sl_server_connection_options options;
    char *user, *co_id; /* owned copies behind options.user and options.co_id */
    sl_strmap numbers;  /* session number (8 octets) -> slot */
    sl_server_session **sessions;
    size_t session_count, session_capacity;
    sl_server_session *ready, *ready_last;
    bool log_wanted; /* owes the LOG_MESSAGE of the connection */
    bool pong_wanted;
    int64_t pong_timestamp;
    bool error_wanted; /* owes a connection-level error */
    bool ending;       /* a connection-level error was raised: input is ignored */
    sl_pending_error error;
    int64_t last_heard_ms, expires_ms, end_ms;
    sl_wish wish;
    char reason[124];
    sl_buf inflated, entries, packed; /* scratch */
};

/* ---- server_error.c -------------------------------------------------------------------------- */

/* Fills `error` as the table says for this peer; *close_code is set (else 0) if the error has to be
 * told by closing. `code` may change level. */
void sl_pending_error_set(sl_pending_error *error, int code, int version, const char *text,
                          int *close_code);
/* Writes ERROR or JSON_ERROR for `session` (0 = the connection). */
void sl_pending_error_write(const sl_pending_error *error, sl_dialect dialect, uint64_t session,
                            sl_buf *out);

/* ---- server_connection.c --------------------------------------------------------------------- */

/* Raises a connection-level error: all sessions go. */
void sl_server_connection_fail(sl_server_connection *c, int code, const char *text);
void sl_server_connection_close(sl_server_connection *c, int code, const char *reason);
void sl_server_connection_drop(sl_server_connection *c);
void sl_server_connection_trouble(sl_server_connection *c, const sl_status *st);
/* Whether the peer is told what happens (1-wire.md, 5.10). */
bool sl_server_connection_logs(const sl_server_connection *c);
/* Writes a LOG_MESSAGE about `session` (0 = the connection). */
void sl_server_connection_write_log(const sl_server_connection *c, uint64_t session,
                                    const sl_log_message *log, sl_buf *out);
/* Puts the session at the end of the ready queue, unless it is there. */
void sl_server_connection_enlist(sl_server_session *session);
void sl_server_connection_wake(sl_server_connection *c);
/* NULL if the number is not in use. */
sl_server_session *sl_server_connection_find(const sl_server_connection *c, uint64_t number);
/* Adds a session; NULL without memory. */
sl_server_session *sl_server_connection_add(sl_server_connection *c, uint64_t number);
/* Forgets it and frees it. */
void sl_server_connection_remove(sl_server_session *session);
/* Replaces the identity. False without memory. */
bool sl_server_connection_set_user(sl_server_connection *c, sl_str user);

/* ---- server_session.c ------------------------------------------------------------------------ */

extern const sl_member_vtbl sl_server_session_member;

/* Raises a session-level error (or what the table makes of it for this peer). */
void sl_server_session_fail(sl_server_session *session, int code, const char *text);
/* Its UPLOAD with `body` (without octets) is larger than the limit of a message. */
void sl_server_session_too_big(sl_server_session *session, const sl_body *body);
/* As above with the number and text of `st`: SL_ERR_SESSION its code, SL_ERR_PROTOCOL the
 * connection, SL_ERR_MEMORY returns false, anything else is trouble and 201. */
bool sl_server_session_fail_with(sl_server_session *session, const sl_status *st);
/* Lets go of file and host. */
void sl_server_session_release(sl_server_session *session);

/* Handle a message for the session. False: no memory (`st` filled). */
bool sl_server_session_bind(sl_server_connection *c, const sl_client_message *msg, sl_status *st);
bool sl_server_session_receive(sl_server_session *session, const sl_client_message *msg,
                               sl_status *st);
bool sl_server_session_upload(sl_server_session *session, const sl_msg_upload *msg, sl_status *st);
bool sl_server_session_transact(sl_server_session *session, const sl_msg_client_transact *msg,
                                sl_status *st);
/* False if the file holds data this client cannot read (7.6); the session has been ended then. */
bool sl_server_session_check_level(sl_server_session *session);

/* ---- server_output.c ------------------------------------------------------------------------- */

/* Appends the session's next message; *any = false if it has none. *more: it may have another one.
 * The session may be gone afterwards (*gone). False: no memory. */
bool sl_server_session_produce(sl_server_session *session, sl_buf *out, bool *any, bool *more,
                               bool *gone, sl_status *st);

#endif
