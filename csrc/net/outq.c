#include "net/outq.h"

#include <string.h>

enum { SEGMENT = 4096 - 64 };

typedef struct sl_outq_segment {
    struct sl_outq_segment *next;
    size_t at, end, capacity;
    char data[];
} sl_outq_segment;

static sl_outq_segment *segment_new(const sl_alloc *alloc, size_t need) {
    size_t capacity = need > SEGMENT ? need : SEGMENT;
    sl_outq_segment *s = sl_new(alloc, sizeof *s + capacity);
    if (s) *s = (sl_outq_segment){NULL, 0, 0, capacity};
    return s;
}

bool sl_outq_add(sl_outq *q, const sl_alloc *alloc, const void *data, size_t size) {
    const char *from = data;
    sl_outq_segment *tail = q->last, *fresh = NULL;
    size_t room = tail ? tail->capacity - tail->end : 0;
    if (room > size) room = size;
    if (size > room) {
        fresh = segment_new(alloc, size - room);
        if (!fresh) return false;
    }
    if (room) {
        memcpy(tail->data + tail->end, from, room);
        tail->end += room;
    }
    if (fresh) {
        memcpy(fresh->data, from + room, size - room);
        fresh->end = size - room;
        if (tail)
            tail->next = fresh;
        else
            q->first = fresh;
        q->last = fresh;
    }
    q->size += size;
    return true;
}

const char *sl_outq_front(const sl_outq *q, size_t *size) {
    *size = q->first ? q->first->end - q->first->at : 0;
    return q->first ? q->first->data + q->first->at : NULL;
}

void sl_outq_consume(sl_outq *q, const sl_alloc *alloc, size_t size) {
    sl_outq_segment *s = q->first;
    if (!s) return;
    s->at += size;
    q->size -= size;
    if (s->at < s->end) return;
    q->first = s->next;
    if (!q->first) q->last = NULL;
    sl_delete(alloc, s);
}

void sl_outq_clear(sl_outq *q, const sl_alloc *alloc) {
    while (q->first) {
        sl_outq_segment *s = q->first;
        q->first = s->next;
        sl_delete(alloc, s);
    }
    q->last = NULL;
    q->size = 0;
}
