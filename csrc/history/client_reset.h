/* client_reset.h - replacing the local state by the server's, under a new client file ident
 * (protocol/4-history-and-sessions.md, 12).
 *
 * The host does what needs a connection: it keeps the session of the file ended, synchronises a
 * fresh copy (an empty file) in a session that does not upload until a download wait is done, ends
 * that session too, calls sl_client_reset_run, throws the copy away and restarts the session of the
 * file. When both an upload and a download wait of the restarted session are done it calls
 * sl_client_reset_finish. */
#ifndef SL_HISTORY_CLIENT_RESET_H
#define SL_HISTORY_CLIENT_RESET_H

#include "history/client_history.h"

typedef enum sl_reset_mode {
    SL_RESET_DISCARD, /* local changes the server does not know are lost */
    SL_RESET_RECOVER, /* they are made again on the server's state; fails if that cannot be */
    SL_RESET_RECOVER_OR_DISCARD /* recover; discard if a recovery was tried before in vain */
} sl_reset_mode;

typedef struct sl_reset_request {
    sl_reset_mode mode;
    bool no_recovery; /* the server said ClientResetNoRecovery */
    int code;         /* error number that asked for the reset; for the record */
    bool reseed;      /* give back what the server does not have; mode SL_RESET_RECOVER only */
    bool lost;        /* the server lost nearly all: it gets the schema back, and its keys of
                         objects without a primary key mean others */
} sl_reset_request;

typedef struct sl_reset_result {
    bool recovered;      /* local changes were recovered (there may have been none) */
    uint64_t candidates; /* local changesets the server did not know */
    uint64_t kept;       /* of these, with something left to upload; with `reseed`: all uploads */
    uint64_t dropped;    /* changes in them that are lost, as a whole or in part */
    uint64_t taken;      /* objects here that are gone, or not as they were */
} sl_reset_result;

/* What a tracker found in the file says about an earlier reset that was not finished. */
typedef struct sl_reset_trace {
    bool found;
    bool recovery; /* it was a recovery, else a discard */
    int code;
    bool failed; /* and it could not be done */
    int tries;   /* resets in a row that were done, and not finished before the next was needed */
} sl_reset_trace;

/* Does the reset of the file of `history` from the state of `fresh` (12.3 steps 3 to 8): notes the
 * attempt durably first, then changes state, history, ident and cursors in one durable commit. The
 * copy's realm is left as it was; its ident now belongs to the file, so the copy must not be used
 * again. `request` borrowed; *result is filled on success.
 * A reset that is asked for before an earlier one was finished recovers again if the server has
 * another history once more (208 to 211 and the like), because nothing is wrong with what was
 * recovered. Fails with SL_ERR_SESSION id "LOOP" (another error has come of an earlier attempt in
 * the same mode, or there were too many in a row, or recovery is demanded and forbidden) or
 * "SCHEMA" (12.4, 12.6): the host treats the reset as manual; SL_ERR_USAGE when a write is open or
 * the copy has no ident; SL_ERR_STORAGE, SL_ERR_MEMORY. Nothing but the note has changed then. */
bool sl_client_reset_run(sl_client_history *history, sl_client_history *fresh,
                         const sl_reset_request *request, sl_reset_result *result, sl_status *st);
/* What a reset would be about, before it is done. */
typedef struct sl_reset_facts {
    uint64_t unsent;  /* local changesets the server did not confirm */
    uint64_t known;   /* objects here that the server had, about */
    uint64_t missing; /* of these, not on the server any more */
    bool younger;     /* the server's history ends before what the file knew of it */
} sl_reset_facts;

/* Compares the file with the copy; changes nothing. Effort grows with the number of objects. Fails
 * as sl_client_reset_run for its parties, or with SL_ERR_STORAGE, SL_ERR_MEMORY. */
bool sl_client_reset_compare(sl_client_history *history, sl_client_history *fresh,
                             sl_reset_facts *facts, sl_status *st);
/* Reads the note. */
bool sl_client_reset_trace(sl_client_history *history, sl_reset_trace *trace, sl_status *st);
/* Removes the note: the file is in step with the server again. Cheap when there is none. */
bool sl_client_reset_finish(sl_client_history *history, sl_status *st);

/* "discard", "recover", "recover_or_discard"; false for another word. */
bool sl_reset_mode_from_name(sl_str name, sl_reset_mode *mode);

#endif
