/* steps.h - work counted in steps, not in seconds: the same on every machine. */
#ifndef SL_BASE_STEPS_H
#define SL_BASE_STEPS_H

#include <stdbool.h>
#include <stdint.h>

/* A counter that is handed along. Whoever works adds to `taken` and stops, with an error, when it
 * has gone beyond `limit` (0 = none). */
typedef struct sl_steps {
    uint64_t taken, limit;
} sl_steps;

/* Adds `count`; false if it is too much now. */
static inline bool sl_steps_take(sl_steps *steps, uint64_t count) {
    steps->taken += count;
    return steps->limit == 0 || steps->taken <= steps->limit;
}

#endif
