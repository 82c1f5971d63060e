/* bind_path.h - the binder's half that follows paths; private to the room. */
#ifndef SL_QUERY_BIND_PATH_H
#define SL_QUERY_BIND_PATH_H

#include "query/binder.h"

typedef struct sl_binder {
    const sl_schema *schema;
    sl_arena *arena;
    sl_status *st;
} sl_binder;

/* Resolves the steps of a path that begins at an object of `cls`. */
bool sl_bind_path(sl_binder *b, sl_query_path *path, const sl_class *cls);
/* As above; the path has to lead to objects, which are then followed (SUBQUERY). */
bool sl_bind_path_to_objects(sl_binder *b, sl_query_path *path, const sl_class *cls);
bool sl_bind_fail(sl_binder *b, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
