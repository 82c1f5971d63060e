/* reset_replay.h - bringing local changes onto the server's state in a client reset
 * (protocol/4-history-and-sessions.md, 12.4). Private to the client side. */
#ifndef SL_HISTORY_RESET_REPLAY_H
#define SL_HISTORY_RESET_REPLAY_H

#include "changeset/changeset.h"
#include "realm/realm.h"

typedef struct sl_reset_replay sl_reset_replay;

typedef struct sl_reset_replay_options {
    const sl_alloc *alloc; /* borrowed; NULL = heap */
    sl_realm *fresh;       /* the server's state, in an open transaction; is changed */
    sl_realm *local;       /* the local final state; is only read */
    bool schema_only;      /* nothing but added classes and properties is brought over */
} sl_reset_replay_options;

/* `options` borrowed during the call, what they point to until the end. NULL: no memory. */
sl_reset_replay *sl_reset_replay_new(const sl_reset_replay_options *options);
void sl_reset_replay_free(sl_reset_replay *replay);

/* Replays one local changeset (borrowed) on the fresh realm and gives in `out` (initialised or
 * reset) what was really done; nothing may be left of it. Call in the order of the history. Fails
 * with SL_ERR_SESSION id "SCHEMA" when the change cannot be recovered (it contradicts the server's
 * schema, or takes a class or property away), or with SL_ERR_MEMORY, SL_ERR_STORAGE. */
bool sl_reset_replay_changeset(sl_reset_replay *replay, const sl_changeset *cs, sl_changeset *out,
                               sl_status *st);

/* How many changes could not be brought over so far, or not as a whole (a link became null). */
uint64_t sl_reset_replay_dropped(const sl_reset_replay *replay);

#endif
