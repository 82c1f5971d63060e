/* timer.h - deadlines of a loop: an intrusive pairing heap, so that starting a timer cannot fail.
 */
#ifndef SL_NET_TIMER_H
#define SL_NET_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/* Lives inside the object it belongs to; zero-initialized means "not started". The object must stop
 * it before it goes away. `fire` may start or stop any timer, its own too. */
typedef struct sl_timer {
    int64_t due_ms; /* on the clock of the heap's owner */
    void (*fire)(void *ctx);
    void *ctx;
    struct sl_timer *child, *next, *back; /* back: older sibling, or parent for the first child */
    bool active;
} sl_timer;

/* Invariant: `root` is NULL or due no later than every other timer. */
typedef struct sl_timer_heap {
    sl_timer *root;
} sl_timer_heap;

/* Adds `timer` (borrowed until it fires or is removed); one that is active is moved. */
void sl_timer_heap_add(sl_timer_heap *heap, sl_timer *timer, int64_t due_ms);
/* Does nothing if it is not active. */
void sl_timer_heap_remove(sl_timer_heap *heap, sl_timer *timer);
/* Removes and returns the earliest timer if it is due at `now_ms`, else NULL. */
sl_timer *sl_timer_heap_pop(sl_timer_heap *heap, int64_t now_ms);

#endif
