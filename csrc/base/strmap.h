/* strmap.h - byte strings to small numbers: interning, names, keys. */
#ifndef SL_BASE_STRMAP_H
#define SL_BASE_STRMAP_H

#include "base/alloc.h"
#include "base/str.h"

/* Open addressing; keys are borrowed and must stay where they are while they are in the map.
 * Iteration order is not defined and must not decide anything. */
typedef struct sl_strmap {
    const sl_alloc *alloc;
    struct sl_strmap_slot *slots;
    uint32_t count, capacity; /* capacity: 0 or a power of two */
} sl_strmap;

/* `alloc` borrowed (NULL = heap). Allocates nothing. */
void sl_strmap_init(sl_strmap *map, const sl_alloc *alloc);
void sl_strmap_free(sl_strmap *map);
/* Empties the map, memory kept. */
void sl_strmap_clear(sl_strmap *map);
/* Finds `key`; *value is set only if it is there. */
bool sl_strmap_get(const sl_strmap *map, sl_str key, uint32_t *value);
/* Adds `key` (borrowed) with *value if it is absent; if present, *value becomes the stored value.
 * *added tells which. Returns false only when there is no memory. */
bool sl_strmap_put(sl_strmap *map, sl_str key, uint32_t *value, bool *added);
/* Removes `key`; false if it was not there. */
bool sl_strmap_remove(sl_strmap *map, sl_str key);

/* 64-bit hash of bytes; deterministic for a given build of the library. */
uint64_t sl_hash_bytes(const void *data, size_t size);

#endif
