#include "net/timer.h"

#include <stddef.h>

static sl_timer *meld(sl_timer *a, sl_timer *b) {
    if (!a) return b;
    if (!b) return a;
    if (b->due_ms < a->due_ms) {
        sl_timer *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    b->back = a;
    if (a->child) a->child->back = b;
    a->child = b;
    return a;
}

/* The usual two passes: pairs from the left, then everything into one from the right. */
static sl_timer *meld_siblings(sl_timer *first) {
    sl_timer *pairs = NULL;
    while (first) {
        sl_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->back = NULL;
        if (b) b->next = b->back = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    sl_timer *root = NULL;
    while (pairs) {
        sl_timer *rest = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = rest;
    }
    if (root) root->next = root->back = NULL;
    return root;
}

void sl_timer_heap_remove(sl_timer_heap *heap, sl_timer *timer) {
    if (!timer->active) return;
    sl_timer *children = meld_siblings(timer->child);
    if (timer == heap->root) {
        heap->root = children;
    } else {
        if (timer->back->child == timer)
            timer->back->child = timer->next;
        else
            timer->back->next = timer->next;
        if (timer->next) timer->next->back = timer->back;
        heap->root = meld(heap->root, children);
    }
    timer->child = timer->next = timer->back = NULL;
    timer->active = false;
}

void sl_timer_heap_add(sl_timer_heap *heap, sl_timer *timer, int64_t due_ms) {
    sl_timer_heap_remove(heap, timer);
    timer->due_ms = due_ms;
    timer->child = timer->next = timer->back = NULL;
    timer->active = true;
    heap->root = meld(heap->root, timer);
}

sl_timer *sl_timer_heap_pop(sl_timer_heap *heap, int64_t now_ms) {
    sl_timer *timer = heap->root;
    if (!timer || timer->due_ms > now_ms) return NULL;
    sl_timer_heap_remove(heap, timer);
    return timer;
}
