/* alloc.h - where memory comes from. Injected, so that a test can make the n-th allocation fail. */
#ifndef SL_BASE_ALLOC_H
#define SL_BASE_ALLOC_H

#include <stddef.h>

/* `realloc(ctx, NULL, n)` allocates, `realloc(ctx, p, 0)` frees and returns NULL, anything else
 * resizes. Returns NULL when there is no memory; the old block then stays valid. */
typedef struct sl_alloc {
    void *(*realloc)(void *ctx, void *block, size_t size);
    void *ctx;
} sl_alloc;

/* The C library's heap. Static storage. */
const sl_alloc *sl_alloc_default(void);

/* `alloc` borrowed; NULL means sl_alloc_default(). Memory is not cleared. NULL on failure or when
 * `size` is 0. */
void *sl_new(const sl_alloc *alloc, size_t size);
/* As sl_new, all bytes zero; NULL also when count * size overflows. */
void *sl_new_zero(const sl_alloc *alloc, size_t count, size_t size);
/* Grows or shrinks; NULL on failure, `block` then stays valid. */
void *sl_resize(const sl_alloc *alloc, void *block, size_t size);
/* `block` may be NULL. */
void sl_delete(const sl_alloc *alloc, void *block);

/* Clears a struct on a hot path. An initialiser of 100 to 1000 bytes becomes one string instruction
 * in compilers' generic code, whose start alone costs more than the C library takes for all of it.
 */
void sl_zero(void *at, size_t size);

#endif
