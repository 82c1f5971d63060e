/* nearest.h - the name that somebody who has mistyped one may have meant. */
#ifndef SL_BASE_NEAREST_H
#define SL_BASE_NEAREST_H

#include "base/str.h"

#include <stdbool.h>

/* Start with {.wanted = name}; `best` is borrowed from the candidates, empty if none is close. */
typedef struct sl_nearest {
    sl_str wanted, best;
    uint32_t distance; /* of `best` */
} sl_nearest;

/* Looks at one more name that exists. */
void sl_nearest_try(sl_nearest *nearest, sl_str candidate);

#endif
