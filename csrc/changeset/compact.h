/* compact.h - dropping overwritten updates before upload. Off unless an application asks for it:
 * without it, uploads are the recorded bytes (protocol/2-changeset.md, section 14). */
#ifndef SL_CHANGESET_COMPACT_H
#define SL_CHANGESET_COMPACT_H

#include "changeset/changeset.h"

/* Rule C1 (14.3): removes Updates with a scalar or link value whose path does not end with an index
 * when a later Update gives the same place a scalar, null or link value, marked as default only if
 * the earlier one is, and nothing in between touches the place, what it is in, what is in it, its
 * object or its class. A null is never removed: it may have erased an embedded object. *dropped
 * (may be NULL) becomes the number of instructions removed. The string table stays as it is. Time
 * and memory are linear in the number of instructions. Fails only when memory runs out; `cs` is
 * then unchanged. */
bool sl_changeset_compact(sl_changeset *cs, uint32_t *dropped, sl_status *st);

#endif
