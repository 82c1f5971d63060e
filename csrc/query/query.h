/* query.h - objects of a class by the values of their properties.
 *
 * A query is evaluated where the objects are: the source reads the few properties that it names and
 * uses its indexes (realm/source.h, object_select), this room decides about each row. Objects that
 * the open transaction changed are looked at in memory. No object is loaded. */
#ifndef SL_QUERY_QUERY_H
#define SL_QUERY_QUERY_H

#include "query/condition.h"
#include "realm/realm.h"

typedef struct sl_order {
    sl_str property;
    bool descending;
} sl_order;

/* The objects that fulfil all conditions; ordered by the first of `orders`, among equals by the
 * next, at last by key. Order is that of sl_value_cmp (null first); collections in a Mixed come
 * last. `limit`: at most so many, the first ones; 0 = all. Everything is borrowed. */
typedef struct sl_query {
    sl_str class_name;
    const sl_condition *conditions;
    uint32_t condition_count;
    const sl_order *orders;
    uint32_t order_count;
    uint64_t limit;
    const sl_alloc *alloc; /* for what the query needs itself; NULL = heap */
} sl_query;

/* Whether class and properties are there and everything fits; SL_ERR_USAGE otherwise. The other
 * functions check it, too. */
bool sl_query_check(const sl_realm *realm, const sl_query *query, sl_status *st);
/* Visits the keys in order, when all of them are known: the visitor may change the realm. Links are
 * as an application sees them: one that dangles counts as null. */
bool sl_query_run(sl_realm *realm, const sl_query *query, sl_key_visitor visit, void *ctx,
                  sl_status *st);
/* Counts without ordering or keeping anything; `limit` is not looked at. */
bool sl_query_count(sl_realm *realm, const sl_query *query, uint64_t *count, sl_status *st);

#endif
