/* features.h - what a server of ours says it can do beyond the servers of today. Those end a
 * connection on a message they do not know (protocol/1-wire.md, 7.1: 102, 103), so TRANSACT, ALLOC
 * and STATE_REQUEST are sent only to a server that has named them in the header SL_FEATURES_HEADER
 * of its 101 answer, as a comma list of words. */
#ifndef SL_PROTOCOL_FEATURES_H
#define SL_PROTOCOL_FEATURES_H

#include "base/buf.h"
#include "base/str.h"

#define SL_FEATURES_HEADER "Syncline-Features"

/* Bits of a set. */
typedef enum sl_feature {
    SL_FEATURE_TRANSACT = 1, /* serialized transactions (1-wire.md, 4.14) */
    SL_FEATURE_STATE = 2,    /* state transfer (4.9) */
    SL_FEATURE_ALLOC = 4     /* file idents for the clients of a server (4.13) */
} sl_feature;

/* The set that a header value names; all lines of the header joined by ",". Words that nobody
 * knows, of later servers, are skipped. */
unsigned sl_features_read(sl_str value);
/* Appends the header value for a set; nothing for the empty one. */
void sl_features_write(sl_buf *out, unsigned features);

#endif
