/* client_transfer.h - receiving the present state of a file from the server in place of its whole
 * history (protocol/1-wire.md, 4.9 and 5.12; doc/store.md).
 *
 * What has come is kept beside the file, with a note of it inside the file, so that a transfer goes
 * on after any interruption where it stood. When the state is complete and found good, the history
 * ends: its host closes everything, puts the state in the place of the file
 * (sl_sqlite_state_install, sl_memory_state_install) and opens it again, as a file that has
 * integrated everything up to the server version of the state. */
#ifndef SL_HISTORY_CLIENT_TRANSFER_H
#define SL_HISTORY_CLIENT_TRANSFER_H

#include "history/client_history.h"
#include "protocol/server_message.h"

/* How far it has come; all zero = nothing has come. */
typedef struct sl_client_transfer {
    uint64_t version; /* server version of the state */
    int64_t salt;
    uint64_t offset; /* in the server's stream: received and durable up to here */
    uint64_t max;    /* its end */
    uint64_t plain;  /* octets of the state so far */
} sl_client_transfer;

/* True if the file can take a state: nothing was ever integrated, nothing written, its schema is
 * empty, and its store can keep states. */
bool sl_client_transfer_possible(const sl_client_history *history);
/* The format number of the states that the file can take. Only if a transfer is possible. */
int sl_client_transfer_format(const sl_client_history *history);
/* What has come so far; all zero if nothing, or if it cannot be used. */
bool sl_client_transfer_load(sl_client_history *history, sl_client_transfer *transfer,
                             sl_status *st);

/* Takes one STATE with segments in. `expected`: *transfer is what the server was asked to go on
 * from, or what the message before left. Fails with SL_ERR_PROTOCOL if the message does not go on
 * there, with SL_ERR_STORAGE "DAMAGED" for a segment that cannot be (in both cases what has come is
 * forgotten), with SL_ERR_USAGE while a write is open, SL_ERR_STORAGE or SL_ERR_MEMORY. Complete
 * when offset equals max. */
bool sl_client_transfer_receive(sl_client_history *history, sl_client_transfer *transfer,
                                const sl_msg_state *msg, sl_status *st);

/* Checks the complete state and prepares it to become the file: with the ident of `history`, and
 * cursors at the state's version. SL_ERR_STORAGE "DAMAGED": it is no good; what has come is then
 * forgotten. */
bool sl_client_transfer_finish(sl_client_history *history, const sl_client_transfer *transfer,
                               sl_status *st);
/* Forgets what has come. */
bool sl_client_transfer_forget(sl_client_history *history, sl_status *st);

#endif
