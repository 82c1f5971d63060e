/* shrink.h - which instructions of old changesets later ones have made void. Private to this room.
 *
 * Works on the history of a server from its newest entry of a range towards the first one, in
 * pieces of any size. What is left behaves like the original for everybody who has seen none of it:
 * every instruction still finds what it needs when it is applied, and the state at the end is the
 * same. What a last-writer-wins conflict with other changes comes to is kept as well, with rare
 * exceptions that are the same on every device (the rules of merging can depend on instructions in
 * between, 3-transform.md, 9): increments are summed up under the time of the newest of them.
 *
 * Each rule looks at one earlier and one later instruction that stays:
 *
 *   later instruction          earlier ones that go
 *   EraseObject                everything of the object; an EraseObject only if it is not younger
 *   Update to a scalar, link,  everything inside the place; of the place itself Updates, Clears and
 *   null or "erased"           increments that are not younger. Marked as default: only Updates of
 *                              the place that are marked, too, and not younger
 *   Clear                      everything inside the place and elements of the set; a Clear of the
 *                              same kind that is not younger
 *   Update to a collection     with a Clear of the place behind it: as an Update to a scalar
 *   AddInteger                 an AddInteger of the place is added to it
 *
 * as long as nothing that stays between the two needs what the earlier one did. Places inside a
 * list count only until the list changes its shape. CreateObject goes with everything else in front
 * of an EraseObject; an object without primary key, to which nothing that stays refers, loses both
 * when they are in one piece. Erasing a class or property ends the effect of everything behind it.
 * Source of the rules that this rests on: protocol/3-transform.md, 5, 6 and 10. */
#ifndef SL_HISTORY_SHRINK_H
#define SL_HISTORY_SHRINK_H

#include "changeset/changeset.h"

typedef struct sl_shrink sl_shrink;

/* One entry. Out: `changed`, and `changeset` with what is left of it (the string table stays). */
typedef struct sl_shrink_entry {
    uint64_t version, timestamp, file;
    sl_changeset *changeset;
    bool changed;
} sl_shrink_entry;

/* To be added to the AddInteger at place `index` of entry `version`, which was handed back
 * before. */
typedef struct sl_shrink_sum {
    uint64_t version;
    uint32_t index;
    int64_t delta;
} sl_shrink_sum;

/* `memory`: bytes that may be remembered; beyond, it forgets and finds less. NULL without memory.
 */
sl_shrink *sl_shrink_new(const sl_alloc *alloc, size_t memory);
void sl_shrink_free(sl_shrink *shrink);

/* Looks at `count` entries, ascending, all before those of earlier calls. */
bool sl_shrink_piece(sl_shrink *shrink, sl_shrink_entry *entries, size_t count, sl_status *st);
/* Sums that the last call found for entries of earlier calls. Borrowed until the next call. */
const sl_shrink_sum *sl_shrink_sums(const sl_shrink *shrink, size_t *count);

#endif
