/* server_care.h - what a server may forget, and on whose behalf it must remember: the slowest
 * client, clients that stayed away for too long, and runs of empty entries.
 * Source: protocol/4-history-and-sessions.md, 8.1 and 8.2.
 *
 * Functions that return bool fail with `st` filled. */
#ifndef SL_HISTORY_SERVER_CARE_H
#define SL_HISTORY_SERVER_CARE_H

#include "history/server_history.h"

/* How far the history is needed by nobody in the form it has. */
typedef struct sl_server_limit {
    uint64_t version;
    uint64_t holder;     /* the client file that needs what follows; 0 = there is no client */
    int64_t holder_seen; /* when it was last seen, Unix seconds */
} sl_server_limit;

/* The smallest of what clients that have not expired need: min(reciprocal base, locked version). A
 * client that was given an ident and has reported nothing yet needs everything. */
bool sl_server_history_limit(sl_server_history *history, sl_server_limit *limit, sl_status *st);
/* Entries up to this version have been, or are being, through compaction: what was told of them
 * before does not go together with what is told now. */
uint64_t sl_server_history_compacted(const sl_server_history *history);

/* Entries that are not known to be empty. */
uint64_t sl_server_history_live(const sl_server_history *history);

/* Inside a unit: notes that `ident` was there at `seen` (Unix seconds); no effect if it has expired
 * or was seen later. */
bool sl_server_history_touch(sl_server_history *history, uint64_t ident, int64_t seen,
                             sl_status *st);
/* Inside a unit: expires every client that was last seen before `before` and that `spared` (may be
 * NULL) does not name. Its reciprocal forms go, and it will be told error 222; there is no way
 * back. *expired is their number. */
bool sl_server_history_expire(sl_server_history *history, int64_t before,
                              bool (*spared)(void *ctx, uint64_t ident), void *ctx, size_t *expired,
                              sl_status *st);

#endif
