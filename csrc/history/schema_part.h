/* schema_part.h - what a changeset does to the schema. Private to this room.
 *
 * Instructions that add classes and properties meet only others of the schema in a merge
 * (protocol/3-transform.md, rules F1 to F7). A device that begins with an empty file uploads its
 * schema on the basis of version 0, so without this every new device would be merged with the whole
 * history. */
#ifndef SL_HISTORY_SCHEMA_PART_H
#define SL_HISTORY_SCHEMA_PART_H

#include "changeset/changeset.h"

/* True if any instruction adds or erases a class or a property. */
bool sl_changeset_touches_schema(const sl_changeset *cs);
/* True if all instructions add a class or a property; also for an empty changeset. */
bool sl_changeset_only_adds_schema(const sl_changeset *cs);

#endif
