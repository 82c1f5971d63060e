#include "history/list_tracker.h"

#include <string.h>

void sl_list_tracker_free(sl_list_tracker *tracker, const sl_alloc *alloc) {
    sl_delete(alloc, tracker->known);
    memset(tracker, 0, sizeof *tracker);
}

void sl_list_tracker_restart(sl_list_tracker *tracker) {
    tracker->count = 0;
    tracker->marked = false;
}

bool sl_list_tracker_find(const sl_list_tracker *tracker, uint32_t local, uint32_t *remote) {
    for (uint32_t i = 0; i < tracker->count; i++)
        if (tracker->known[i].local == local) {
            *remote = tracker->known[i].remote;
            return true;
        }
    return false;
}

/* Index of the first known position at or behind `local`. */
static uint32_t first_behind(const sl_list_tracker *tracker, uint32_t local) {
    uint32_t at = 0;
    while (at < tracker->count && tracker->known[at].local < local)
        at++;
    return at;
}

bool sl_list_tracker_insert(sl_list_tracker *tracker, const sl_alloc *alloc, uint32_t local,
                            uint32_t size, uint32_t *remote) {
    if (tracker->count == tracker->capacity) {
        uint32_t capacity = tracker->capacity ? tracker->capacity * 2 : 8;
        void *known = sl_resize(alloc, tracker->known, capacity * sizeof *tracker->known);
        if (!known) return false;
        tracker->known = known;
        tracker->capacity = capacity;
    }
    uint32_t at = first_behind(tracker, local);
    uint32_t to = local < size ? local : size;
    /* Stay on the right side of what is known: next to a neighbour, at its place in that list. */
    if (at > 0 && to <= tracker->known[at - 1].remote) to = tracker->known[at - 1].remote + 1;
    if (at < tracker->count && to > tracker->known[at].remote) to = tracker->known[at].remote;
    for (uint32_t i = at; i < tracker->count; i++) {
        tracker->known[i].local++;
        tracker->known[i].remote++;
    }
    memmove(tracker->known + at + 1, tracker->known + at,
            (tracker->count - at) * sizeof *tracker->known);
    tracker->known[at] = (sl_known_position){local, to};
    tracker->count++;
    *remote = to;
    return true;
}

void sl_list_tracker_skip(sl_list_tracker *tracker, uint32_t local) {
    for (uint32_t i = first_behind(tracker, local); i < tracker->count; i++)
        tracker->known[i].local++;
}

void sl_list_tracker_erase(sl_list_tracker *tracker, uint32_t local) {
    uint32_t at = first_behind(tracker, local);
    if (at == tracker->count || tracker->known[at].local != local) return;
    tracker->count--;
    memmove(tracker->known + at, tracker->known + at + 1,
            (tracker->count - at) * sizeof *tracker->known);
    for (uint32_t i = at; i < tracker->count; i++) {
        tracker->known[i].local--;
        tracker->known[i].remote--;
    }
}
