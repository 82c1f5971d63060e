/* client_state.h - the one record in which a client file keeps its numbers
 * (protocol/4-history-and-sessions.md, 9.1). Private to the client side. */
#ifndef SL_HISTORY_CLIENT_STATE_H
#define SL_HISTORY_CLIENT_STATE_H

#include "history/client_history.h"

/* Invariants: base <= version; cursors.dl_cv <= cursors.ul_cv unless a client reset has put (0,
 * fresh) there; `size` counts all entries ever appended and does not shrink. */
typedef struct sl_client_state {
    uint64_t version; /* newest client version, 0 = untouched */
    uint64_t base;    /* entries at or before it are gone */
    uint64_t ident;
    int64_t salt;
    uint64_t size; /* cumulative size of the history */
    sl_client_cursors cursors;
    sl_client_progress progress;
} sl_client_state;

/* Reads the record (all zero if there is none yet) and adds what the entries after it tell: local
 * commits do not write it every time. *recorded: the version it was written at. SL_ERR_STORAGE if
 * it is damaged. */
bool sl_client_state_load(sl_client_state *state, uint64_t *recorded, sl_store *store,
                          sl_status *st);
/* Writes it, inside the open transaction of `store`. */
bool sl_client_state_save(const sl_client_state *state, sl_store *store, sl_status *st);
/* Adds what a new entry (version and cumulative size filled in) means for the state. */
void sl_client_state_add(sl_client_state *state, const sl_history_entry *entry);
/* The version the next commit makes. */
uint64_t sl_client_state_next_version(const sl_client_state *state);

#endif
