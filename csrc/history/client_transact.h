/* client_transact.h - serialized transactions on the client: a write that is not committed here but
 * sent to the server, which decides (protocol/1-wire.md, 4.14). Private to the sync core. */
#ifndef SL_HISTORY_CLIENT_TRANSACT_H
#define SL_HISTORY_CLIENT_TRANSACT_H

#include "history/client_history.h"

/* What a serialized transaction is based on. */
typedef struct sl_client_base {
    uint64_t
        client_version; /* all own changes up to here; names the transaction: never used twice */
    uint64_t server_version; /* and what was integrated of the server */
} sl_client_base;

/* Takes the open write back and keeps what it recorded in `changeset` (initialised; emptied first).
 * An empty commit takes its place, so that neither its version nor the numbers of its keyless
 * objects are ever used again; flush it (sl_client_history_sync) before the server hears of it.
 * A write that recorded nothing leaves no trace and an empty `changeset`. Fails with SL_ERR_USAGE
 * (no open write, no file ident yet, a change of the schema, too large), SL_ERR_STORAGE or
 * SL_ERR_MEMORY; the write has been taken back then too. */
bool sl_client_history_withdraw(sl_client_history *history, sl_buf *changeset, sl_client_base *base,
                                sl_status *st);

#endif
