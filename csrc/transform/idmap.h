/* idmap.h - pairs of small numbers to pointers, in scratch memory; private to the transform room.
 */
#ifndef SL_TRANSFORM_IDMAP_H
#define SL_TRANSFORM_IDMAP_H

#include "base/arena.h"

typedef struct sl_idmap_slot {
    uint64_t key;
    void *value; /* NULL = free */
} sl_idmap_slot;

/* Open addressing, at most half full. Memory comes from the arena and dies with it. */
typedef struct sl_idmap {
    sl_arena *arena;
    sl_idmap_slot *slots;
    uint32_t count, capacity; /* capacity: 0 or a power of two */
} sl_idmap;

static inline uint32_t sl_idmap_home(const sl_idmap *map, uint64_t key) {
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (map->capacity - 1);
}

/* The value of `key`, or NULL. */
static inline void *sl_idmap_get(const sl_idmap *map, uint64_t key) {
    if (map->count == 0) return NULL;
    uint32_t at = sl_idmap_home(map, key);
    while (map->slots[at].value && map->slots[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return map->slots[at].value;
}

/* Adds `key`, which is not in the map; `value` is not NULL. False: no memory. */
bool sl_idmap_add(sl_idmap *map, uint64_t key, void *value);

#endif
