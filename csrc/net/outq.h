/* outq.h - bytes that wait to be written: a chain of segments, empty costs nothing. */
#ifndef SL_NET_OUTQ_H
#define SL_NET_OUTQ_H

#include "base/alloc.h"

#include <stdbool.h>

struct sl_outq_segment;

/* Invariant: `size` is the sum over the segments of what is not consumed; no segment is empty
 * except while it is being filled. */
typedef struct sl_outq {
    struct sl_outq_segment *first, *last;
    size_t size;
} sl_outq;

/* Appends a copy. All or nothing: false when there is no memory. `alloc` borrowed, the same for all
 * calls on one queue. */
bool sl_outq_add(sl_outq *q, const sl_alloc *alloc, const void *data, size_t size);
/* The oldest bytes that lie together; *size is 0 and the result NULL when the queue is empty. */
const char *sl_outq_front(const sl_outq *q, size_t *size);
/* Removes `size` (at most what sl_outq_front gave) bytes from the front. */
void sl_outq_consume(sl_outq *q, const sl_alloc *alloc, size_t size);
void sl_outq_clear(sl_outq *q, const sl_alloc *alloc);

#endif
