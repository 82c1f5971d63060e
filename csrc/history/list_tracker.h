/* list_tracker.h - which positions of a list a client reset knows
 * (protocol/4-history-and-sessions.md, 12.4, "Lists"). Private to the client side. */
#ifndef SL_HISTORY_LIST_TRACKER_H
#define SL_HISTORY_LIST_TRACKER_H

#include "base/alloc.h"
#include <stdbool.h>
#include <stdint.h>

/* One element that the replay itself inserted: where it stands in the local list, and where in the
 * server's. */
typedef struct sl_known_position {
    uint32_t local, remote;
} sl_known_position;

/* Invariants: positions ascend in both members. `marked`: the list is to be overwritten as a whole,
 * and positions do not matter any more. */
typedef struct sl_list_tracker {
    sl_known_position *known;
    uint32_t count, capacity;
    bool marked;
} sl_list_tracker;

void sl_list_tracker_free(sl_list_tracker *tracker, const sl_alloc *alloc);
/* After a Clear: both lists are empty, everything to come is known. */
void sl_list_tracker_restart(sl_list_tracker *tracker);
/* The server's position of local position `local`; false if it is not known. */
bool sl_list_tracker_find(const sl_list_tracker *tracker, uint32_t local, uint32_t *remote);
/* An insertion at `local`; *remote = where it goes in the server's list of `size` elements. False:
 * no memory, nothing changed. */
bool sl_list_tracker_insert(sl_list_tracker *tracker, const sl_alloc *alloc, uint32_t local,
                            uint32_t size, uint32_t *remote);
/* An insertion at `local` that the server's list does not get. */
void sl_list_tracker_skip(sl_list_tracker *tracker, uint32_t local);
/* The removal of the known position `local`. */
void sl_list_tracker_erase(sl_list_tracker *tracker, uint32_t local);

#endif
