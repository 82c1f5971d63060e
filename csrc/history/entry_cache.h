/* entry_cache.h - the newest history entries of a server file in memory, so that serving and
 * merging recent changes reads nothing from the store. Private to this room. */
#ifndef SL_HISTORY_ENTRY_CACHE_H
#define SL_HISTORY_ENTRY_CACHE_H

#include "store/store.h"

/* Invariant: holds `count` entries with consecutive versions first .. first + count - 1, in a ring
 * that starts at `head`. A loss of memory empties the cache and is no error. */
typedef struct sl_entry_cache {
    const sl_alloc *alloc; /* borrowed */
    struct sl_cached_entry **ring;
    size_t head, count, capacity; /* capacity: 0 or a power of two */
    uint64_t first;
    size_t bytes, limit;
} sl_entry_cache;

/* `limit`: bytes of changesets to keep. */
void sl_entry_cache_init(sl_entry_cache *cache, const sl_alloc *alloc, size_t limit);
void sl_entry_cache_free(sl_entry_cache *cache);
/* Copies `entry` (without its original); its version follows the newest one, else the cache starts
 * over with it. Oldest entries leave when the limit is exceeded. */
void sl_entry_cache_push(sl_entry_cache *cache, const sl_history_entry *entry);
/* Forgets entries above `version`. */
void sl_entry_cache_truncate(sl_entry_cache *cache, uint64_t version);
/* Forgets entries up to `version`. */
void sl_entry_cache_forget(sl_entry_cache *cache, uint64_t version);
/* True if every entry above `after` up to the newest one is here (and there is one). */
bool sl_entry_cache_covers(const sl_entry_cache *cache, uint64_t after);
/* Entries with after < version <= last, ascending; only if covered. */
void sl_entry_cache_scan(const sl_entry_cache *cache, uint64_t after, uint64_t last,
                         sl_entry_visitor visit, void *ctx);

#endif
