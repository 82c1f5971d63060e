/* void_clear.h - leaving out Clears that do nothing (protocol/3-transform.md, G2). */
#ifndef SL_HISTORY_VOID_CLEAR_H
#define SL_HISTORY_VOID_CLEAR_H

#include "changeset/changeset.h"

/* Takes out of `cs` every Clear of a collection that the instruction right before it has inserted
 * into a list. SDKs record such a Clear whenever a program inserts a list or dictionary. It meets
 * an empty collection, but the merge does not move it along with the element, so that it would
 * empty another one. Returns whether there was one. */
bool sl_changeset_drop_void_clears(sl_changeset *cs);

#endif
