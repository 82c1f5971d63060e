#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>

typedef struct sl_arena_chunk {
    struct sl_arena_chunk *next;
    size_t size; /* of `data` */
    max_align_t data[];
} sl_arena_chunk;

enum { FIRST_CHUNK = 2048, LARGEST_CHUNK = 1 << 20, ALIGN = 16 };

void sl_arena_init(sl_arena *arena, const sl_alloc *alloc) {
    *arena = (sl_arena){alloc ? alloc : sl_alloc_default(), NULL, NULL, NULL, 0};
}

static void free_chunks(sl_arena *arena, sl_arena_chunk *chunk) {
    while (chunk) {
        sl_arena_chunk *next = chunk->next;
        sl_delete(arena->alloc, chunk);
        chunk = next;
    }
}

void sl_arena_free(sl_arena *arena) {
    free_chunks(arena, arena->chunks);
    sl_arena_init(arena, arena->alloc);
}

void sl_arena_reset(sl_arena *arena) {
    sl_arena_chunk *keep = arena->chunks;
    if (!keep) return;
    /* Chunks grow, so the newest is the largest, unless an oversized block came in between. */
    free_chunks(arena, keep->next);
    keep->next = NULL;
    arena->at = (char *)keep->data;
    arena->end = arena->at + keep->size;
    arena->total = keep->size + sizeof *keep;
}

static bool add_chunk(sl_arena *arena, size_t size) {
    size_t want = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
    if (want > LARGEST_CHUNK) want = LARGEST_CHUNK;
    if (want < size) want = size;
    if (want > SIZE_MAX - sizeof(sl_arena_chunk)) return false;
    sl_arena_chunk *chunk = sl_new(arena->alloc, sizeof *chunk + want);
    if (!chunk) return false;
    chunk->next = arena->chunks;
    chunk->size = want;
    arena->chunks = chunk;
    arena->at = (char *)chunk->data;
    arena->end = arena->at + want;
    arena->total += want + sizeof *chunk;
    return true;
}

void *sl_arena_alloc(sl_arena *arena, size_t size) {
    size_t pad = (size_t)(-(uintptr_t)arena->at & (ALIGN - 1));
    size_t left = (size_t)(arena->end - arena->at);
    if (!arena->at || pad > left || size > left - pad) {
        if (size > SIZE_MAX - ALIGN || !add_chunk(arena, size + ALIGN)) return NULL;
        pad = (size_t)(-(uintptr_t)arena->at & (ALIGN - 1));
    }
    char *block = arena->at + pad;
    arena->at = block + size;
    return block;
}

void *sl_arena_zero(sl_arena *arena, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return NULL;
    void *block = sl_arena_alloc(arena, count * size);
    if (block) memset(block, 0, count * size);
    return block;
}

char *sl_arena_bytes(sl_arena *arena, size_t size) {
    if (!arena->at || size > (size_t)(arena->end - arena->at)) {
        if (!add_chunk(arena, size ? size : 1)) return NULL;
    }
    char *block = arena->at;
    arena->at += size;
    return block;
}

sl_str sl_arena_str(sl_arena *arena, sl_str s) {
    sl_str copy = {NULL, s.size, s.sym};
    if (s.size == 0) {
        copy.data = "";
        return copy;
    }
    char *data = sl_arena_bytes(arena, s.size);
    if (data) memcpy(data, s.data, s.size);
    copy.data = data;
    return copy;
}
