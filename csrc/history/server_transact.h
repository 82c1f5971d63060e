/* server_transact.h - serialized transactions on the server: integrated as they are, or not at all
 * (protocol/1-wire.md, 4.14 and 5.15). Private to the sync core. */
#ifndef SL_HISTORY_SERVER_TRANSACT_H
#define SL_HISTORY_SERVER_TRANSACT_H

#include "history/server_history.h"

/* What a client asks for. Its uploads up to `client_version` have been integrated, and none behind
 * it. */
typedef struct sl_server_transact {
    uint64_t ident;          /* the client file */
    uint64_t client_version; /* names the request: a client uses each for one transaction only */
    uint64_t server_version; /* what the client had integrated when it made the changeset */
    sl_schema_right schema;  /* of the author */
    sl_str changeset;        /* borrowed */
} sl_server_transact;

/* What became of it. The numbers are 0 unless it was accepted, but for `seen`. */
typedef struct sl_server_verdict {
    bool accepted;
    uint64_t version;
    int64_t salt;
    uint64_t timestamp;
    uint64_t seen; /* the newest version that the decision rests on */
} sl_server_verdict;

/* Decides, inside an open unit, and on acceptance integrates: as a change of the server itself, so
 * that it comes to its author by DOWNLOAD like everything else. Accepted if every change behind
 * `server_version` is the client's own; a request that was accepted before (the client did not hear
 * of it, and asks again) is answered as it was then and not integrated twice. Fails like
 * sl_server_history_integrate; the unit must then be rolled back. */
bool sl_server_history_transact(sl_server_history *history, const sl_server_transact *request,
                                sl_server_verdict *verdict, sl_status *st);

#endif
