/* live_row.h - one object of a live result, and its place in the orders; for live*.c alone. */
#ifndef SL_QUERY_LIVE_ROW_H
#define SL_QUERY_LIVE_ROW_H

#include "query/match.h"
#include "query/rank_tree.h"

/* `values` are nodes for query->orders; the row owns all. */
typedef struct sl_live_row {
    sl_rank_node by_key;
    sl_rank_node by_order; /* of a query with orders */
    sl_key key;
    const sl_query *query;
    bool touched;
    size_t from, to; /* positions, while changes are worked out */
    sl_node values[];
} sl_live_row;

static inline sl_live_row *sl_live_row_by_key(const sl_rank_node *node) {
    return (sl_live_row *)(void *)((char *)(uintptr_t)node - offsetof(sl_live_row, by_key));
}
static inline sl_live_row *sl_live_row_by_order(const sl_rank_node *node) {
    return (sl_live_row *)(void *)((char *)(uintptr_t)node - offsetof(sl_live_row, by_order));
}

/* A copy of key and the values that `plan` orders by. NULL: no memory. */
sl_live_row *sl_live_row_new(const sl_query *query, const sl_plan *plan, const sl_key *key,
                             const sl_node *const *nodes);
void sl_live_row_free(sl_live_row *row);
/* By the values of the orders alone. */
int sl_live_row_order(const sl_live_row *a, const sl_live_row *b);
int sl_live_row_compare_keys(const sl_rank_node *a, const sl_rank_node *b);
int sl_live_row_compare(const sl_rank_node *a, const sl_rank_node *b);

#endif
