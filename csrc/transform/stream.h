/* stream.h - merging a single local instruction without any index; private to the transform room.
 */
#ifndef SL_TRANSFORM_STREAM_H
#define SL_TRANSFORM_STREAM_H

#include "transform/merge.h"

/* True if the local side is one instruction that addresses an object: the most common merge of a
 * client that has been offline for a moment, or of a server with one new upload. */
bool sl_stream_fits(const sl_merge *m);

/* Merges it while reading the incoming side once. False: failed. */
bool sl_stream_merge(sl_merge *m);

#endif
