/* walk.h - the values that a path leads to; private to the room. */
#ifndef SL_QUERY_WALK_H
#define SL_QUERY_WALK_H

#include "query/evaluate.h"

/* Values are borrowed from the realm or live in the evaluation's arena. An embedded object is a
 * value of type OBJECT. */
typedef struct sl_found {
    sl_value *list;
    uint32_t count, capacity;
} sl_found;

typedef bool (*sl_object_seen)(void *ctx, const sl_object *object);

/* Appends the values of the path. Nothing is found where a step does not apply. With `seen` the
 * objects that the path leads to are handed over instead (embedded ones, or links with `follow` at
 * the last step). */
bool sl_walk(sl_evaluation *ev, const sl_query_path *path, const sl_object *object, sl_found *found,
             sl_object_seen seen, void *ctx);
bool sl_found_add(sl_evaluation *ev, sl_found *found, const sl_value *value);
/* Takes steps from the budget. */
bool sl_evaluation_spend(sl_evaluation *ev, uint64_t steps);

#endif
