/* aggregate.h - count, sum, average, least and greatest of many values. */
#ifndef SL_QUERY_AGGREGATE_H
#define SL_QUERY_AGGREGATE_H

#include "query/query.h"

/* Numbers and timestamps count, everything else (null among it) is left out. NaN is in the sum and
 * the average, but neither least nor greatest. Timestamps and decimals are not summed. */
typedef struct sl_aggregate {
    uint64_t count;           /* values that count */
    uint64_t summed;          /* ints and binary floating point among them */
    uint64_t decimals;        /* decimals among them */
    bool whole;               /* all that is summed are ints */
    __int128 integer;         /* their sum */
    long double real, lost;   /* the sum of all, and what rounding has taken from it */
    sl_value least, greatest; /* null: there is none */
} sl_aggregate;

void sl_aggregate_init(sl_aggregate *aggregate);
void sl_aggregate_add(sl_aggregate *aggregate, const sl_value *value);
/* The sum, if all are ints. False: it does not fit. */
bool sl_aggregate_whole(const sl_aggregate *aggregate, int64_t *sum);
/* The sum as a double. */
double sl_aggregate_real(const sl_aggregate *aggregate);
/* Whether values of the property may count: SL_ERR_USAGE with a message if not. */
bool sl_aggregate_check(const sl_class *cls, sl_str property, sl_status *st);
/* Of `property` of all objects that fulfil the query; its orders and limit are not looked at. Reads
 * the properties where they are, no object is loaded. */
bool sl_query_aggregate(sl_realm *realm, const sl_query *query, sl_str property,
                        sl_aggregate *aggregate, sl_status *st);

#endif
