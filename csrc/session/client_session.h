/* client_session.h - one realm file bound to its server file over a connection.
 * Source: protocol/1-wire.md, 6.2 and 8.3; protocol/4-history-and-sessions.md, 9 to 11. */
#ifndef SL_SESSION_CLIENT_SESSION_H
#define SL_SESSION_CLIENT_SESSION_H

#include "session/client_connection.h"

typedef struct sl_client_session_options {
    sl_str path;    /* copied: partition value as extended JSON, or a legacy path; 1 .. 4096 */
    bool no_upload; /* download only: the fresh copy of a client reset (part 4, 12.3) */
    bool no_upload_delay; /* upload before the first MARK is answered (part 4, 9.5) */
    bool paused;          /* starts paused */
    uint64_t max_message; /* octets of the largest message to send; larger writes are refused; 0 =
                           * SL_MAX_CLIENT_MESSAGE */
    bool subserver;       /* the file is a server's: it speaks for clients of its own (1-wire.md,
                           * 4.13). Holds for the life of a file: its ident is of that kind */
    bool state_transfer;  /* a file that has nothing yet receives the present state instead of the
                           * whole history, if the server can do that: see
                           * sl_client_session_adopt */
} sl_client_session_options;

/* Adds a session to `connection`. `history` is borrowed until sl_client_session_close returns, the
 * CLOSED event comes, or the connection is freed. `options` borrowed. NULL with `st` filled on
 * failure (SL_ERR_USAGE: bad path, or the history already has a session). */
sl_client_session *sl_client_session_open(sl_client_connection *connection,
                                          sl_client_history *history,
                                          const sl_client_session_options *options, sl_status *st);
/* Ends it: the history is let go at once, waits are given up, UNBIND is sent when possible. The
 * pointer is dead afterwards; the CLOSED event comes when the server has confirmed or the
 * connection has ended. Never fails. NULL is allowed. */
void sl_client_session_close(sl_client_session *session);

/* Ends the waiting after SL_CLIENT_STATE_READY: the session has then let its history go. The host
 * closes it with everything below, puts the received state in the place of the file
 * (history/client_transfer.h), opens it again and hands the new history in (borrowed, as in
 * sl_client_session_open), before anything else happens to the connection; then there is something
 * to send. If that fails it closes the session. */
bool sl_client_session_adopt(sl_client_session *session, sl_client_history *history, sl_status *st);

/* Unbinds and stays so; changes keep collecting in the history. */
bool sl_client_session_pause(sl_client_session *session, sl_status *st);
/* Ends a pause. */
bool sl_client_session_resume(sl_client_session *session, sl_status *st);
/* Ends suspension and inactivity: binds again at once, if need be with the identifier and progress
 * that a client reset put into the history meanwhile. */
bool sl_client_session_restart(sl_client_session *session, sl_status *st);

/* Leaves out the events INTEGRATED or PROGRESS, for a host that nobody listens to. */
void sl_client_session_mute(sl_client_session *session, bool integrated, bool progress);

/* Asks for a WAIT_DONE event when everything committed so far is confirmed by the server, or when
 * everything the server has at the time is integrated (part 4, 11.4). *request: its number, > 0,
 * rising within a session. */
bool sl_client_session_wait_upload(sl_client_session *session, uint64_t *request, sl_status *st);
bool sl_client_session_wait_download(sl_client_session *session, uint64_t *request, sl_status *st);

/* Asks the server for a file ident for a client of this one's own; an ALLOCATED event with *request
 * and the ident comes, after a lost connection too (idents that got lost with it stay unused), or
 * one with 0 when the session ends or the server cannot do it. What such a client writes is
 * uploaded with sl_client_history_begin_for. SL_ERR_USAGE without the option `subserver`. */
bool sl_client_session_allocate(sl_client_session *session, uint64_t *request, sl_status *st);

/* Ends the write that is open on the session's history as a serialized transaction
 * (protocol/1-wire.md, 4.14): it is taken back here and sent to the server, which takes it in as it
 * is if it has seen no change of others meanwhile, and refuses it otherwise. *request: the number
 * that a TRANSACTED event will repeat; 0 if the write had recorded nothing, then there is nothing
 * to do and no event comes. Uploads wait until the answer is there; other writes may go on. If the
 * connection is lost it asks again after the next one was made, and gets the answer that was meant
 * the first time: an event comes as soon as the outcome is certain, and "unknown" only when the
 * session ends before. Fails with SL_ERR_USAGE (one is on its way already, a session that does not
 * upload, and what sl_client_history_withdraw says), SL_ERR_STORAGE or SL_ERR_MEMORY; the write has
 * been taken back then too. */
bool sl_client_session_transact(sl_client_session *session, uint64_t *request, sl_status *st);
/* Nobody waits for the outcome of `request` any more; no event will come. Returns true if it was
 * not sent and so certainly will not happen. */
bool sl_client_session_forget_transact(sl_client_session *session, uint64_t request);
/* True if sl_client_session_transact would find none on its way. */
bool sl_client_session_may_transact(const sl_client_session *session);

sl_session_state sl_client_session_state(const sl_client_session *session);
/* The session ident on the wire: unique in the connection, > 0. */
uint64_t sl_client_session_number(const sl_client_session *session);
/* NULL after the end, and between SL_CLIENT_STATE_READY and sl_client_session_adopt. */
sl_client_history *sl_client_session_history(const sl_client_session *session);

#endif
