#include "base/strmap.h"

typedef struct sl_strmap_slot {
    const char *data; /* NULL = free */
    uint32_t size;
    uint32_t hash;
    uint32_t value;
} sl_strmap_slot;

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h;
}

uint64_t sl_hash_bytes(const void *data, size_t size) {
    const unsigned char *p = data;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) ^ size;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        h = mix(h ^ word);
        p += 8;
        size -= 8;
    }
    uint64_t tail = 0;
    if (size) memcpy(&tail, p, size);
    return mix(h ^ tail ^ ((uint64_t)size << 56));
}

void sl_strmap_init(sl_strmap *map, const sl_alloc *alloc) {
    *map = (sl_strmap){alloc ? alloc : sl_alloc_default(), NULL, 0, 0};
}

void sl_strmap_free(sl_strmap *map) {
    sl_delete(map->alloc, map->slots);
    sl_strmap_init(map, map->alloc);
}

void sl_strmap_clear(sl_strmap *map) {
    if (map->slots) memset(map->slots, 0, map->capacity * sizeof *map->slots);
    map->count = 0;
}

static bool same(const sl_strmap_slot *slot, sl_str key, uint32_t hash) {
    return slot->hash == hash && slot->size == key.size &&
           (key.size == 0 || memcmp(slot->data, key.data, key.size) == 0);
}

/* The slot of `key`, or the free slot where it would go. The map is never full. */
static sl_strmap_slot *find(const sl_strmap *map, sl_str key, uint32_t hash) {
    uint32_t mask = map->capacity - 1, i = hash & mask;
    while (map->slots[i].data && !same(&map->slots[i], key, hash))
        i = (i + 1) & mask;
    return &map->slots[i];
}

bool sl_strmap_get(const sl_strmap *map, sl_str key, uint32_t *value) {
    if (map->count == 0) return false;
    const sl_strmap_slot *slot = find(map, key, (uint32_t)sl_hash_bytes(key.data, key.size));
    if (!slot->data) return false;
    *value = slot->value;
    return true;
}

static bool grow(sl_strmap *map) {
    uint32_t capacity = map->capacity ? map->capacity * 2 : 16;
    sl_strmap_slot *slots = sl_new_zero(map->alloc, capacity, sizeof *slots);
    if (!slots) return false;
    sl_strmap old = *map;
    map->slots = slots;
    map->capacity = capacity;
    for (uint32_t i = 0; i < old.capacity; i++) {
        const sl_strmap_slot *slot = &old.slots[i];
        if (slot->data) *find(map, sl_str_of(slot->data, slot->size), slot->hash) = *slot;
    }
    sl_delete(map->alloc, old.slots);
    return true;
}

bool sl_strmap_put(sl_strmap *map, sl_str key, uint32_t *value, bool *added) {
    if (map->count >= map->capacity / 4 * 3 && !grow(map)) return false;
    uint32_t hash = (uint32_t)sl_hash_bytes(key.data, key.size);
    sl_strmap_slot *slot = find(map, key, hash);
    *added = !slot->data;
    if (slot->data) {
        *value = slot->value;
        return true;
    }
    *slot = (sl_strmap_slot){key.data ? key.data : "", key.size, hash, *value};
    map->count++;
    return true;
}

bool sl_strmap_remove(sl_strmap *map, sl_str key) {
    if (map->count == 0) return false;
    sl_strmap_slot *slot = find(map, key, (uint32_t)sl_hash_bytes(key.data, key.size));
    if (!slot->data) return false;
    /* Backward-shift deletion keeps probe runs without gaps. */
    uint32_t mask = map->capacity - 1, hole = (uint32_t)(slot - map->slots), i = hole;
    for (;;) {
        i = (i + 1) & mask;
        sl_strmap_slot *next = &map->slots[i];
        if (!next->data) break;
        uint32_t home = next->hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = *next;
            hole = i;
        }
    }
    map->slots[hole] = (sl_strmap_slot){NULL, 0, 0, 0};
    map->count--;
    return true;
}
