#include "query/live_row.h"

#include "base/alloc.h"
#include "realm/object.h"

sl_live_row *sl_live_row_new(const sl_query *query, const sl_plan *plan, const sl_key *key,
                             const sl_node *const *nodes) {
    size_t size = sizeof(sl_live_row) + query->order_count * sizeof(sl_node);
    sl_live_row *row = sl_new_zero(query->alloc, 1, size);
    if (!row) return NULL;
    row->query = query;
    bool ok = sl_key_copy(query->alloc, &row->key, key);
    for (uint32_t i = 0; ok && i < query->order_count; i++) {
        sl_value value;
        sl_match_value(key, nodes, plan->order_columns[i], &value);
        ok = sl_node_set_value(query->alloc, &row->values[i], &value);
    }
    if (ok) return row;
    sl_live_row_free(row);
    return NULL;
}

void sl_live_row_free(sl_live_row *row) {
    if (!row) return;
    const sl_query *query = row->query;
    for (uint32_t i = 0; i < query->order_count; i++)
        sl_node_clear(query->alloc, &row->values[i]);
    sl_key_free(query->alloc, &row->key);
    sl_delete(query->alloc, row);
}

int sl_live_row_order(const sl_live_row *a, const sl_live_row *b) {
    for (uint32_t i = 0; i < a->query->order_count; i++) {
        int order = sl_value_cmp(&a->values[i].value, &b->values[i].value);
        if (order) return a->query->orders[i].descending ? -order : order;
    }
    return 0;
}

int sl_live_row_compare_keys(const sl_rank_node *a, const sl_rank_node *b) {
    return sl_key_cmp(&sl_live_row_by_key(a)->key, &sl_live_row_by_key(b)->key);
}

int sl_live_row_compare(const sl_rank_node *a, const sl_rank_node *b) {
    const sl_live_row *x = sl_live_row_by_order(a), *y = sl_live_row_by_order(b);
    int order = sl_live_row_order(x, y);
    return order ? order : sl_key_cmp(&x->key, &y->key);
}
