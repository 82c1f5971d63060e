/* own_changes.h - the local changes of a client file that may still be needed, listed in memory:
 * what waits for upload, and what incoming changesets must be merged with. So that a file without
 * any asks its store for nothing.
 * Source: protocol/4-history-and-sessions.md, 9.4, 10.1 and 10.3. Private to the client side. */
#ifndef SL_HISTORY_OWN_CHANGES_H
#define SL_HISTORY_OWN_CHANGES_H

#include "store/store.h"

/* One history entry made here whose changeset is not empty. */
typedef struct sl_own_change {
    uint64_t version, peer_version, origin_timestamp, cumulative_size;
    uint64_t author; /* made for this file of a second-tier server's client; 0 = for itself */
    uint32_t size;
    char *bytes; /* of the changeset, owned; NULL: only the store has them */
} sl_own_change;

/* Invariants: items[first..count) ascend by version; `known` iff they are all entries of that kind
 * above the base of the history. */
typedef struct sl_own_changes {
    const sl_alloc *alloc;
    sl_own_change *items;
    size_t first; /* those in front of it are done with */
    size_t count, capacity;
    size_t held; /* bytes of changesets in memory */
    bool known;
} sl_own_changes;

/* `alloc` borrowed, NULL = heap. Allocates nothing; not known yet. */
void sl_own_changes_init(sl_own_changes *own, const sl_alloc *alloc);
/* Frees everything; not known any more. May be used again. */
void sl_own_changes_forget(sl_own_changes *own);
/* Reads the list from `store` (versions base+1 .. last) unless it is known. */
bool sl_own_changes_need(sl_own_changes *own, sl_store *store, uint64_t base, uint64_t last,
                         sl_status *st);

/* Makes room so that the next sl_own_changes_add cannot fail. Nothing while not known. */
bool sl_own_changes_reserve(sl_own_changes *own, sl_status *st);
/* An entry was committed (borrowed). Ignored if it is not of that kind or nothing is known. */
void sl_own_changes_add(sl_own_changes *own, const sl_history_entry *entry);
/* Entries with version <= last are not needed any more. Returns how many there were. */
size_t sl_own_changes_drop(sl_own_changes *own, uint64_t last);

/* Index of the first one above `version`; own->count if there is none. */
size_t sl_own_changes_after(const sl_own_changes *own, uint64_t version);
/* As entry_scan of the store with bytes, but hands out changes of this list only, with their author
 * as origin. */
bool sl_own_changes_scan(sl_own_changes *own, sl_store *store, uint64_t after, uint64_t last,
                         sl_entry_visitor visit, void *ctx, sl_status *st);

#endif
