#include "history/entry_cache.h"

/* The changeset's bytes stand behind the entry. */
struct sl_cached_entry {
    sl_history_entry entry;
    char bytes[];
};

void sl_entry_cache_init(sl_entry_cache *cache, const sl_alloc *alloc, size_t limit) {
    *cache = (sl_entry_cache){.alloc = alloc, .limit = limit};
}

static struct sl_cached_entry **slot(const sl_entry_cache *cache, size_t index) {
    return &cache->ring[(cache->head + index) & (cache->capacity - 1)];
}

static void drop_first(sl_entry_cache *cache) {
    cache->bytes -= (*slot(cache, 0))->entry.changeset.size;
    sl_delete(cache->alloc, *slot(cache, 0));
    cache->head = (cache->head + 1) & (cache->capacity - 1);
    cache->count--;
    cache->first++;
}

static void clear(sl_entry_cache *cache) {
    while (cache->count)
        drop_first(cache);
}

void sl_entry_cache_free(sl_entry_cache *cache) {
    clear(cache);
    sl_delete(cache->alloc, cache->ring);
    cache->ring = NULL;
    cache->capacity = 0;
}

static bool grow(sl_entry_cache *cache) {
    size_t capacity = cache->capacity ? cache->capacity * 2 : 16;
    struct sl_cached_entry **ring = sl_new_zero(cache->alloc, capacity, sizeof(*ring));
    if (!ring) return false;
    for (size_t i = 0; i < cache->count; i++)
        ring[i] = *slot(cache, i);
    sl_delete(cache->alloc, cache->ring);
    cache->ring = ring;
    cache->head = 0;
    cache->capacity = capacity;
    return true;
}

static struct sl_cached_entry *copy_of(const sl_entry_cache *cache, const sl_history_entry *entry) {
    struct sl_cached_entry *copy =
        sl_new(cache->alloc, sizeof(*copy) + (size_t)entry->changeset.size);
    if (!copy) return NULL;
    copy->entry = *entry;
    copy->entry.original = SL_STR("");
    if (entry->changeset.size) memcpy(copy->bytes, entry->changeset.data, entry->changeset.size);
    copy->entry.changeset.data = copy->bytes;
    return copy;
}

void sl_entry_cache_push(sl_entry_cache *cache, const sl_history_entry *entry) {
    if (cache->count && entry->version != cache->first + cache->count) clear(cache);
    if (cache->count == 0) cache->first = entry->version;
    struct sl_cached_entry *copy = NULL;
    if (cache->count < cache->capacity || grow(cache)) copy = copy_of(cache, entry);
    if (!copy) {
        clear(cache);
        return;
    }
    *slot(cache, cache->count) = copy;
    cache->count++;
    cache->bytes += entry->changeset.size;
    while (cache->bytes > cache->limit && cache->count > 1)
        drop_first(cache);
}

void sl_entry_cache_truncate(sl_entry_cache *cache, uint64_t version) {
    while (cache->count && cache->first + cache->count - 1 > version) {
        struct sl_cached_entry *last = *slot(cache, cache->count - 1);
        cache->bytes -= last->entry.changeset.size;
        sl_delete(cache->alloc, last);
        cache->count--;
    }
}

void sl_entry_cache_forget(sl_entry_cache *cache, uint64_t version) {
    while (cache->count && cache->first <= version)
        drop_first(cache);
}

bool sl_entry_cache_covers(const sl_entry_cache *cache, uint64_t after) {
    return cache->count > 0 && after + 1 >= cache->first;
}

void sl_entry_cache_scan(const sl_entry_cache *cache, uint64_t after, uint64_t last,
                         sl_entry_visitor visit, void *ctx) {
    size_t index = after + 1 > cache->first ? (size_t)(after + 1 - cache->first) : 0;
    for (; index < cache->count; index++) {
        const sl_history_entry *entry = &(*slot(cache, index))->entry;
        if (entry->version > last || !visit(ctx, entry)) return;
    }
}
