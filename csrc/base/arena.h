/* arena.h - memory that dies together: a message, a changeset, a transaction. */
#ifndef SL_BASE_ARENA_H
#define SL_BASE_ARENA_H

#include "base/alloc.h"
#include "base/str.h"

struct sl_arena_chunk;

/* Bump allocator. Invariant: `at <= end`, both inside the newest chunk, or all three NULL.
 * Everything handed out lives until sl_arena_reset or sl_arena_free. Not thread-safe. */
typedef struct sl_arena {
    const sl_alloc *alloc; /* borrowed */
    struct sl_arena_chunk *chunks;
    char *at, *end;
    size_t total; /* bytes taken from `alloc` */
} sl_arena;

/* `alloc` borrowed (NULL = heap), must outlive the arena. Allocates nothing. */
void sl_arena_init(sl_arena *arena, const sl_alloc *alloc);
/* Frees everything; the arena may be used again. */
void sl_arena_free(sl_arena *arena);
/* Forgets everything but keeps the largest chunk for reuse. */
void sl_arena_reset(sl_arena *arena);

/* `size` bytes aligned for any type, not cleared. NULL when there is no memory. A size of 0 gives a
 * valid pointer that must not be read. */
void *sl_arena_alloc(sl_arena *arena, size_t size);
/* As above, cleared; NULL also when count * size overflows. */
void *sl_arena_zero(sl_arena *arena, size_t count, size_t size);
/* Without alignment, for bytes. */
char *sl_arena_bytes(sl_arena *arena, size_t size);
/* A copy of `s` in the arena (`sym` kept). On failure `data` is NULL with `size` > 0 kept. */
sl_str sl_arena_str(sl_arena *arena, sl_str s);

#endif
