/* compactor.h - takes out of old history what later history has made void, a little at a time.
 * Source: protocol/4-history-and-sessions.md, 8.2.
 *
 * A run rewrites the entries that no client needs in their original form any more: those up to the
 * limit of server_care.h. Each step is at most one unit of work and leaves a history that is whole,
 * so a run may end anywhere, also by a crash; the next one goes on from what is there. Entries keep
 * version, salt, author, client version and timestamp; some become empty. In the end the sums of
 * sizes are made right again.
 *
 * No unit may be open when a function is called. Functions that return bool fail with `st` filled;
 * the run can then only be freed. */
#ifndef SL_HISTORY_COMPACTOR_H
#define SL_HISTORY_COMPACTOR_H

#include "history/server_care.h"

typedef struct sl_compactor sl_compactor;

typedef struct sl_compactor_options {
    size_t memory;  /* bytes for what later entries write; 0 = 64 MiB. With less it finds less */
    size_t entries; /* looked at in one step; 0 = 512 */
    size_t bytes;   /* of changesets in one step, unless one entry is larger; 0 = 256 KiB */
} sl_compactor_options;

/* What a run has done so far. */
typedef struct sl_compactor_report {
    sl_server_limit limit;
    uint64_t entries, emptied;                        /* non-empty ones looked at; made empty */
    uint64_t instructions_before, instructions_after; /* of those entries */
    uint64_t bytes_before, bytes_after;
} sl_compactor_report;

/* Begins a run over `history` (borrowed, outlives it). `options` NULL = defaults. NULL with `st`
 * filled on failure. */
sl_compactor *sl_compactor_new(sl_server_history *history, const sl_compactor_options *options,
                               sl_status *st);
void sl_compactor_free(sl_compactor *compactor);
/* Does the next step; *more = there is another one. */
bool sl_compactor_step(sl_compactor *compactor, bool *more, sl_status *st);
sl_compactor_report sl_compactor_report_of(const sl_compactor *compactor);

#endif
