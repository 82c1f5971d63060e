/* match.h - whether one object, given by the properties that a plan reads, fulfils a query. */
#ifndef SL_QUERY_MATCH_H
#define SL_QUERY_MATCH_H

#include "query/plan.h"

typedef struct sl_match {
    sl_realm *realm;
    const sl_query *query;
    const sl_plan *plan;
} sl_match;

/* nodes[i] is the content of plan->selection.slots[i]. A link whose target is gone counts as null;
 * the realm is only asked when it matters. False: the source failed. */
bool sl_match_holds(const sl_match *match, const sl_key *key, const sl_node *const *nodes,
                    bool *yes, sl_status *st);
/* The value of a column of the plan; collections come as the types LIST, SET, DICTIONARY. */
void sl_match_value(const sl_key *key, const sl_node *const *nodes, uint32_t column,
                    sl_value *value);

#endif
