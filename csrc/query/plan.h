/* plan.h - which properties a query reads, and what it can tell the source in advance. */
#ifndef SL_QUERY_PLAN_H
#define SL_QUERY_PLAN_H

#include "base/arena.h"
#include "query/query.h"

/* Columns are positions in selection.slots, or SL_KEY_SLOT. */
typedef struct sl_plan {
    sl_selection selection;
    const uint32_t *condition_columns;
    const uint32_t *order_columns;
} sl_plan;

/* Makes the plan of a query that was checked, in `arena`. False: no memory. */
bool sl_plan_make(sl_plan *plan, const sl_class *cls, const sl_query *query, sl_arena *arena);

#endif
