/* live.h - what a query finds, kept up to date: after each transaction it tells which positions of
 * the result were affected.
 *
 * A transaction that touched k objects of the class costs k steps of log n each. Everything is
 * looked at again, which costs as much as running the query, when transactions were missed or the
 * schema changed, and when an object that was made or erased may be the target of a link that the
 * query looks at; with a filter, also when anything was touched and the class has links at all. */
#ifndef SL_QUERY_LIVE_H
#define SL_QUERY_LIVE_H

#include "query/query.h"

typedef struct sl_live sl_live;

/* Positions from 0, ascending. Deletions and old_modifications are positions in the result as it
 * was, insertions and modifications in the result as it is. modifications[i] was at
 * old_modifications[i]. An object whose place among the others changed counts as deleted and
 * inserted. */
typedef struct sl_live_change {
    const size_t *deletions, *insertions, *old_modifications, *modifications;
    size_t deletion_count, insertion_count, modification_count;
} sl_live_change;

/* Whether an object that fulfils the query belongs to the result. It may read the realm. */
typedef bool (*sl_live_filter)(void *ctx, const sl_key *key);

/* Empty until the first update. `query` is borrowed for as long as it lives (its limit is not
 * looked at); `filter` may be NULL. NULL: no memory. */
sl_live *sl_live_new(const sl_query *query, sl_live_filter filter, void *ctx);
void sl_live_free(sl_live *live);

/* Brings it up to date after a transaction; call it after each one. The first call finds out what
 * there is and reports no change. `replaced`: nothing is known about what happened to the realm, so
 * that everything that is still there counts as modified. *change is valid until the next call. On
 * failure nothing has changed, and the next call reports everything that was missed. A class or
 * property that exists no more makes the result empty. Not inside a transaction. */
bool sl_live_update(sl_live *live, sl_realm *realm, bool replaced, sl_live_change *change,
                    sl_status *st);
size_t sl_live_count(const sl_live *live);

#endif
