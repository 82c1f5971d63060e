#include "query/aggregate.h"

#include <math.h>

#include "query/match.h"
#include "realm/missing.h"
#include "realm/path.h"
#include "realm/read.h"

void sl_aggregate_init(sl_aggregate *aggregate) {
    *aggregate = (sl_aggregate){.whole = true};
    aggregate->least.type = aggregate->greatest.type = SL_TYPE_NULL;
}

/* The larger of two summands keeps its digits; what the smaller one loses is kept aside, so that
 * the order of the values, which differs between stores, does not show in the result. */
static void add_real(sl_aggregate *aggregate, long double value) {
    long double sum = aggregate->real + value;
    if (isfinite(sum)) {
        if (fabsl(aggregate->real) >= fabsl(value))
            aggregate->lost += (aggregate->real - sum) + value;
        else
            aggregate->lost += (value - sum) + aggregate->real;
    }
    aggregate->real = sum;
}

static bool is_number(const sl_value *value) {
    return value->type == SL_TYPE_INT || value->type == SL_TYPE_FLOAT ||
           value->type == SL_TYPE_DOUBLE;
}

/* Equal numbers may look different (1.0 and 1.00, 0.0 and -0.0); which of them is found must not
 * depend on the order either. */
static bool is_before(const sl_value *a, const sl_value *b) {
    int order = sl_value_cmp(a, b);
    if (order || a->type != b->type) return order ? order < 0 : a->type < b->type;
    if (a->type == SL_TYPE_DECIMAL)
        return a->decimal.hi != b->decimal.hi ? a->decimal.hi < b->decimal.hi
                                              : a->decimal.lo < b->decimal.lo;
    if (a->type == SL_TYPE_DOUBLE) return signbit(a->real) > signbit(b->real);
    return a->type == SL_TYPE_FLOAT && signbit(a->single) > signbit(b->single);
}

static void compare(sl_aggregate *aggregate, const sl_value *value) {
    if (sl_condition_is_nan(value)) return;
    bool first = aggregate->least.type == SL_TYPE_NULL;
    if (first || is_before(value, &aggregate->least)) aggregate->least = *value;
    if (first || is_before(&aggregate->greatest, value)) aggregate->greatest = *value;
}

void sl_aggregate_add(sl_aggregate *aggregate, const sl_value *value) {
    bool number = is_number(value);
    if (!number && value->type != SL_TYPE_DECIMAL && value->type != SL_TYPE_TIMESTAMP) return;
    aggregate->count++;
    aggregate->decimals += value->type == SL_TYPE_DECIMAL;
    compare(aggregate, value);
    if (!number) return;
    aggregate->summed++;
    if (value->type == SL_TYPE_INT)
        aggregate->integer += value->integer;
    else
        aggregate->whole = false;
    add_real(aggregate, value->type == SL_TYPE_INT     ? (long double)value->integer
                        : value->type == SL_TYPE_FLOAT ? (long double)value->single
                                                       : (long double)value->real);
}

bool sl_aggregate_whole(const sl_aggregate *aggregate, int64_t *sum) {
    *sum = (int64_t)aggregate->integer;
    return *sum == aggregate->integer;
}

double sl_aggregate_real(const sl_aggregate *aggregate) {
    return (double)(isfinite(aggregate->real) ? aggregate->real + aggregate->lost
                                              : aggregate->real);
}

bool sl_aggregate_check(const sl_class *cls, sl_str name, sl_status *st) {
    const sl_property *property = NULL;
    int type = cls->key_type;
    if (!cls->has_key || !sl_str_eq(cls->key_name, name)) {
        property = sl_class_find(cls, name);
        if (!property) return sl_no_property(cls, name, st);
        type = property->type;
    }
    bool fits = type == SL_TYPE_INT || type == SL_TYPE_FLOAT || type == SL_TYPE_DOUBLE ||
                type == SL_TYPE_DECIMAL || type == SL_TYPE_TIMESTAMP || type == SL_TYPE_MIXED;
    if (fits && (!property || property->collection == SL_SINGLE)) return true;
    return sl_fail(st, SL_ERR_USAGE, "QUERY",
                   "class %.*s, property '%.*s': a property with numbers or timestamps expected",
                   sl_shown(cls->name), cls->name.data, sl_shown(name), name.data);
}

typedef struct adding {
    sl_match match;
    sl_aggregate *aggregate;
    sl_status *st;
    bool failed;
} adding;

static bool look(void *ctx, const sl_key *key, const sl_node *const *nodes) {
    adding *a = ctx;
    bool yes;
    a->failed = !sl_match_holds(&a->match, key, nodes, &yes, a->st);
    if (a->failed || !yes) return !a->failed;
    sl_value value;
    sl_match_value(key, nodes, a->match.plan->order_columns[0], &value);
    sl_aggregate_add(a->aggregate, &value);
    return true;
}

bool sl_query_aggregate(sl_realm *realm, const sl_query *query, sl_str property,
                        sl_aggregate *aggregate, sl_status *st) {
    sl_order order = {.property = property};
    sl_query reading = *query; /* the plan reads what is ordered by */
    reading.orders = &order;
    reading.order_count = 1;
    const sl_class *cls = sl_realm_class(realm, query->class_name);
    if (cls && !sl_aggregate_check(cls, property, st)) return false;
    if (!sl_query_check(realm, &reading, st)) return false;
    sl_arena arena;
    sl_plan plan;
    sl_arena_init(&arena, query->alloc);
    sl_aggregate_init(aggregate);
    adding a = {{realm, &reading, &plan}, aggregate, st, false};
    bool ok = sl_plan_make(&plan, cls, &reading, &arena) || sl_fail_memory(st);
    ok =
        ok && sl_realm_select(realm, query->class_name, &plan.selection, look, &a, st) && !a.failed;
    sl_arena_free(&arena);
    return ok;
}
