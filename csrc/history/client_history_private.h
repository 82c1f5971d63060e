/* client_history_private.h - what the client-side files of this room share. */
#ifndef SL_HISTORY_CLIENT_HISTORY_PRIVATE_H
#define SL_HISTORY_CLIENT_HISTORY_PRIVATE_H

#include "history/client_state.h"
#include "history/own_changes.h"

/* Invariants: `state` is what the last commit made of the file; the record in the store is that of
 * version `recorded_version`, and the entries after it tell the rest; `writing` iff a local write
 * is open, and then store and realm have a transaction and `recorded` collects it; `unsynced` iff a
 * commit since the last flush was not durable. */
struct sl_client_history {
    const sl_alloc *alloc;
    const sl_env *env;
    sl_store *store;
    sl_realm *realm;
    bool durable;
    bool local, local_stored; /* no history is kept; the file says so, too */
    bool writing;
    uint64_t author; /* of the open write; 0 = the file itself */
    bool unsynced;
    sl_client_state state;
    uint64_t recorded_version;
    uint64_t max_message; /* what one upload may have on the wire; 0 = nobody uploads */
    sl_own_changes own;
    /* Entries at or before the base that are still in the store; SIZE_MAX: nobody knows. */
    size_t stale, stale_bytes;
    sl_changeset recorded;
    sl_changeset_size measured; /* of `recorded` */
    sl_buf encoded;
};

/* Milliseconds since 2015; SL_ERR_USAGE "CLOCK" if the wall clock stands before that. */
bool sl_client_history_now(const sl_client_history *history, uint64_t *now, sl_status *st);

/* Begins a store transaction and a realm transaction without recording. */
bool sl_client_history_begin_private(sl_client_history *history, sl_status *st);
/* Flushes the realm, appends `entry` if it has a changeset (its version and cumulative_size are
 * filled in here), stores `state` unless the entry tells it, commits, and makes `state` current.
 * Rolls everything back on failure. */
bool sl_client_history_finish(sl_client_history *history, sl_client_state *state,
                              sl_history_entry *entry, bool durable, sl_status *st);
/* Rolls back store and realm; returns false. */
bool sl_client_history_abandon(sl_client_history *history);
/* Makes the list of own changes known. */
bool sl_client_history_need_own(sl_client_history *history, sl_status *st);

#endif
