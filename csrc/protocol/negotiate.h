/* negotiate.h - the Sec-WebSocket-Protocol header on both sides. Source: protocol/1-wire.md, 1.4.
 */
#ifndef SL_PROTOCOL_NEGOTIATE_H
#define SL_PROTOCOL_NEGOTIATE_H

#include "protocol/message.h"

/* What a server answers. */
typedef struct sl_negotiated {
    sl_dialect dialect;
    bool mismatch; /* no common version: `token` is the client's nearest one; complete the
                    * upgrade, send error 105, close */
    uint64_t
        newest_offered; /* greatest version the client listed; >= 8: it understands close codes */
    char token[64];     /* NUL-terminated, exactly in the form the client offered */
} sl_negotiated;

/* Chooses among the elements of the request header `value` (all header lines joined by ","; any
 * length) the greatest version in min_version .. max_version. Unknown elements are skipped. Fails
 * with SL_ERR_CONNECTION code 400 (answer HTTP 400) when a known class has a malformed range or no
 * known element exists. With a mismatch, dialect.version is the nearest version offered, cut to 1
 * .. 99. */
bool sl_negotiate(sl_negotiated *result, sl_str value, int min_version, int max_version,
                  sl_status *st);

/* Appends what a client offers: single versions, newest first, joined by ", ". */
void sl_offer_write(sl_buf *out, bool flx, int min_version, int max_version);

/* Checks the server's answer; *version is set on success. Fails with SL_ERR_CONNECTION code 0 when
 * it is not exactly one token of the class and separator "#" with a version in
 * min_version..max_version. */
bool sl_offer_accept(sl_str token, bool flx, int min_version, int max_version, int *version,
                     sl_status *st);

#endif
