#include "transform/idmap.h"

static void place(const sl_idmap *map, sl_idmap_slot slot) {
    uint32_t at = sl_idmap_home(map, slot.key);
    while (map->slots[at].value)
        at = (at + 1) & (map->capacity - 1);
    map->slots[at] = slot;
}

static bool grow(sl_idmap *map) {
    sl_idmap old = *map;
    map->capacity = old.capacity ? old.capacity * 4 : 16;
    map->slots = sl_arena_zero(map->arena, map->capacity, sizeof *map->slots);
    if (!map->slots) {
        *map = old;
        return false;
    }
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.slots[i].value) place(map, old.slots[i]);
    return true;
}

bool sl_idmap_add(sl_idmap *map, uint64_t key, void *value) {
    if (map->count >= map->capacity / 2 && !grow(map)) return false;
    place(map, (sl_idmap_slot){key, value});
    map->count++;
    return true;
}
