#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *heap_realloc(void *ctx, void *block, size_t size) {
    (void)ctx;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

static const sl_alloc heap = {heap_realloc, NULL};

const sl_alloc *sl_alloc_default(void) {
    return &heap;
}

void *sl_resize(const sl_alloc *alloc, void *block, size_t size) {
    if (!alloc) alloc = &heap;
    return alloc->realloc(alloc->ctx, block, size);
}

void *sl_new(const sl_alloc *alloc, size_t size) {
    return size ? sl_resize(alloc, NULL, size) : NULL;
}

void *sl_new_zero(const sl_alloc *alloc, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return NULL;
    void *block = sl_new(alloc, count * size);
    if (block) memset(block, 0, count * size);
    return block;
}

void sl_delete(const sl_alloc *alloc, void *block) {
    if (block) sl_resize(alloc, block, 0);
}

void sl_zero(void *at, size_t size) {
    memset(at, 0, size);
}
