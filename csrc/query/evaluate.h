/* evaluate.h - whether an object fulfils a bound query (protocol/6-flexible-sync.md, 3). */
#ifndef SL_QUERY_EVALUATE_H
#define SL_QUERY_EVALUATE_H

#include "query/expression.h"
#include "realm/realm.h"

/* What evaluation reads from. `budget`: steps (values looked at, objects followed, constants
 * compared) that are left; when they are used up evaluation fails with SL_ERR_USAGE "QUERY-COST".
 */
typedef struct sl_evaluation {
    sl_realm *realm;
    uint64_t budget;
    sl_arena arena; /* of the current object */
    sl_status *st;
} sl_evaluation;

/* `object` is borrowed; linked objects are loaded through the realm. */
bool sl_evaluate(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes);
/* The one value of a path that gives no more: for sorting. Null where there is none. Borrowed from
 * the realm or the evaluation's arena. */
bool sl_evaluate_path(sl_evaluation *ev, const sl_query_path *path, const sl_object *object,
                      sl_value *value);

#endif
