#include "base/alloc.h"
#include "query/live_private.h"

#include <stdlib.h>

static bool grow(const sl_alloc *alloc, void *array, size_t rows, size_t size) {
    void **at = array;
    void *block = sl_resize(alloc, *at, rows * size);
    if (block) *at = block;
    return block != NULL;
}

bool sl_live_delta_start(sl_live *live, size_t rows, sl_status *st) {
    sl_live_delta *delta = &live->delta;
    const sl_alloc *alloc = live->query->alloc;
    delta->deleted_count = delta->inserted_count = delta->pair_count = 0;
    if (rows <= delta->room) return true;
    /* Pairs may become deletions and insertions. */
    if (rows < SIZE_MAX / 64 && grow(alloc, &delta->deleted, 2 * rows, sizeof(size_t)) &&
        grow(alloc, &delta->inserted, 2 * rows, sizeof(size_t)) &&
        grow(alloc, &delta->old, rows, sizeof(size_t)) &&
        grow(alloc, &delta->now, rows, sizeof(size_t)) &&
        grow(alloc, &delta->pairs, rows, sizeof(sl_live_pair))) {
        delta->room = rows;
        return true;
    }
    return sl_fail_memory(st);
}

void sl_live_delta_free(sl_live_delta *delta, const sl_alloc *alloc) {
    sl_delete(alloc, delta->deleted);
    sl_delete(alloc, delta->inserted);
    sl_delete(alloc, delta->old);
    sl_delete(alloc, delta->now);
    sl_delete(alloc, delta->pairs);
    *delta = (sl_live_delta){0};
}

static int by_number(const void *a, const void *b) {
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

static int by_place(const void *a, const void *b) {
    return by_number(&((const sl_live_pair *)a)->to, &((const sl_live_pair *)b)->to);
}

static void sort_numbers(size_t *numbers, size_t count) {
    if (count) qsort(numbers, count, sizeof *numbers, by_number);
}

/* How many of the ascending numbers are smaller than `limit`. */
static size_t count_below(const size_t *numbers, size_t count, size_t limit) {
    size_t low = 0;
    while (low < count) {
        size_t half = low + (count - low) / 2;
        if (numbers[half] < limit)
            low = half + 1;
        else
            count = half;
    }
    return low;
}

/* A candidate has kept its place if as many of the rows that nothing happened to are before it as
 * there were, and if it comes after the candidates that have kept theirs and were before it. */
void sl_live_delta_tell(sl_live_delta *delta, sl_live_change *change) {
    size_t gone = delta->deleted_count, come = delta->inserted_count, stayed = 0;
    size_t left = gone, entered = come;
    for (size_t i = 0; i < delta->pair_count; i++) {
        if (!delta->pairs[i].candidate) continue;
        delta->deleted[left++] = delta->pairs[i].from;
        delta->inserted[entered++] = delta->pairs[i].to;
    }
    /* In front: all that is not where it was for certain, to count what is before a row. */
    sort_numbers(delta->deleted, left);
    sort_numbers(delta->inserted, entered);
    if (delta->pair_count) qsort(delta->pairs, delta->pair_count, sizeof *delta->pairs, by_place);
    size_t next = 0; /* the first old position that a candidate may have kept its place with */
    for (size_t i = 0; i < delta->pair_count; i++) {
        sl_live_pair *pair = &delta->pairs[i];
        if (pair->candidate) {
            size_t before = pair->from - count_below(delta->deleted, left, pair->from);
            size_t now = pair->to - count_below(delta->inserted, entered, pair->to);
            if (before != now || pair->from < next) continue;
            next = pair->from + 1;
        }
        pair->candidate = false;
        delta->old[stayed] = pair->from;
        delta->now[stayed++] = pair->to;
    }
    /* Candidates that kept their place are taken out of both again. */
    size_t d = 0, n = 0, k = 0;
    for (size_t i = 0; i < left; i++) {
        while (k < stayed && delta->old[k] < delta->deleted[i])
            k++;
        if (k == stayed || delta->old[k] != delta->deleted[i])
            delta->deleted[d++] = delta->deleted[i];
    }
    k = 0;
    for (size_t i = 0; i < entered; i++) {
        while (k < stayed && delta->now[k] < delta->inserted[i])
            k++;
        if (k == stayed || delta->now[k] != delta->inserted[i])
            delta->inserted[n++] = delta->inserted[i];
    }
    *change =
        (sl_live_change){delta->deleted, delta->inserted, delta->old, delta->now, d, n, stayed};
}
