/* feature_level.h - the protocol version a peer must speak to read a changeset
 * (protocol/2-changeset.md, 9.2; protocol/4-history-and-sessions.md, 7.6). Both sides use it. */
#ifndef SL_HISTORY_FEATURE_LEVEL_H
#define SL_HISTORY_FEATURE_LEVEL_H

#include "changeset/changeset.h"
#include "realm/schema.h"

/* Every version reads a changeset of this level. */
#define SL_FEATURE_LEVEL_BASE 3

/* *level: 3, 6 (asymmetric classes) or 13 (collections inside Mixed). `schema` (borrowed) is the
 * schema the changeset was made on or a later one; classes and properties that the changeset itself
 * adds are found in it too. A path that fits neither counts as 3: applying refuses it anyway.
 * `steps` (may be NULL) is raised by the instructions and the steps of paths that were looked at,
 * which grow with the changeset and nothing else. Fails with SL_ERR_MEMORY only. */
bool sl_feature_level(const sl_changeset *cs, const sl_schema *schema, int *level, uint64_t *steps,
                      sl_status *st);

#endif
