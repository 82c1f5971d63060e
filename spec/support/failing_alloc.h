/* failing_alloc.h - an allocator that counts what is alive and can refuse the n-th request, or all
 * that are too large. */
#ifndef SL_SPEC_FAILING_ALLOC_H
#define SL_SPEC_FAILING_ALLOC_H

#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"

/* `fail_at` counts down with each request for memory; the one that brings it to 0 fails, once. */
typedef struct failing_alloc {
    sl_alloc alloc;
    uint64_t fail_at;
    int64_t live;
    uint64_t requests;
    size_t largest; /* larger requests fail; 0 = no limit */
} failing_alloc;

static inline void *failing_realloc(void *ctx, void *block, size_t size) {
    failing_alloc *self = ctx;
    if (size == 0) {
        if (block) self->live--;
        free(block);
        return NULL;
    }
    self->requests++;
    if (self->fail_at && --self->fail_at == 0) return NULL;
    if (self->largest && size > self->largest) return NULL;
    void *result = realloc(block, size);
    if (!block && result) self->live++;
    return result;
}

static inline void failing_alloc_init(failing_alloc *self) {
    *self = (failing_alloc){{failing_realloc, self}, 0, 0, 0, 0};
}

#endif
