#include "query/query.h"

#include <stdlib.h>

#include "base/arena.h"
#include "query/match.h"
#include "realm/missing.h"
#include "realm/read.h"

/* --- rows that were found --- */

/* `values` are in the order of query->orders. */
typedef struct row {
    sl_key key;
    const sl_query *query;
    const sl_value *values;
} row;

static int compare_values(const row *x, const sl_value *b) {
    const sl_query *query = x->query;
    for (uint32_t i = 0; i < query->order_count; i++) {
        int order = sl_value_cmp(&x->values[i], &b[i]);
        if (order) return query->orders[i].descending ? -order : order;
    }
    return 0;
}

static int compare_rows(const void *a, const void *b) {
    const row *x = a, *y = b;
    int order = compare_values(x, y->values);
    return order ? order : sl_key_cmp(&x->key, &y->key);
}

/* What one run gathers. With a limit, `rows` holds at most twice as many and is cut back when it is
 * full; `cut` tells that rows[limit - 1] is the last that matters. */
typedef struct run {
    sl_realm *realm;
    const sl_query *query;
    const sl_plan *plan;
    sl_status *st;
    bool failed, cut, counting;
    uint64_t found;
    sl_arena arena;
    sl_value *values; /* of the row that is looked at */
    row *rows;
    size_t count, capacity;
} run;

static bool fail(run *r) {
    r->failed = true;
    return false;
}

static void sort_rows(run *r) {
    if (r->count) qsort(r->rows, r->count, sizeof *r->rows, compare_rows);
    if (r->query->limit && r->count > r->query->limit) r->count = (size_t)r->query->limit;
}

static bool grow(run *r) {
    size_t limit = r->query->limit < SIZE_MAX / 4 ? (size_t)r->query->limit : 0;
    if (limit && r->count >= 2 * limit && r->count >= 64) {
        sort_rows(r);
        r->cut = true;
    }
    if (r->count < r->capacity) return true;
    size_t capacity = r->capacity ? r->capacity * 2 : 64;
    row *rows = sl_resize(r->arena.alloc, r->rows, capacity * sizeof *rows);
    if (!rows) return false;
    r->rows = rows;
    r->capacity = capacity;
    return true;
}

static bool copy_value(run *r, sl_value *to, const sl_value *from) {
    *to = *from;
    if (from->type == SL_TYPE_STRING || from->type == SL_TYPE_BINARY) {
        to->string = sl_arena_str(&r->arena, from->string);
        return to->string.data || !to->string.size;
    }
    if (from->type != SL_TYPE_LINK) return true;
    sl_link *link = sl_arena_alloc(&r->arena, sizeof *link);
    if (!link) return false;
    *link = *from->link;
    to->link = link;
    link->class_name = sl_arena_str(&r->arena, link->class_name);
    if (link->key.type == SL_TYPE_STRING) {
        link->key.string = sl_arena_str(&r->arena, link->key.string);
        if (link->key.string.size && !link->key.string.data) return false;
    }
    return link->class_name.data || !link->class_name.size;
}

static bool keep(run *r, const sl_key *key) {
    const sl_query *query = r->query;
    row fresh = {*key, query, r->values};
    if (r->cut && compare_rows(&fresh, &r->rows[query->limit - 1]) >= 0) return true;
    if (!grow(r)) return false;
    sl_value *values = sl_arena_alloc(&r->arena, (query->order_count + (size_t)1) * sizeof *values);
    if (!values) return false;
    for (uint32_t i = 0; i < query->order_count; i++)
        if (!copy_value(r, &values[i], &r->values[i])) return false;
    fresh.values = values;
    if (key->type == SL_TYPE_STRING) {
        fresh.key.string = sl_arena_str(&r->arena, key->string);
        if (key->string.size && !fresh.key.string.data) return false;
    }
    r->rows[r->count++] = fresh;
    return true;
}

/* --- looking at a row --- */

static bool look(void *ctx, const sl_key *key, const sl_node *const *nodes) {
    run *r = ctx;
    const sl_query *query = r->query;
    sl_match match = {r->realm, query, r->plan};
    bool yes;
    if (!sl_match_holds(&match, key, nodes, &yes, r->st)) return fail(r);
    if (!yes) return true;
    r->found++;
    if (r->counting) return true;
    for (uint32_t i = 0; i < query->order_count; i++)
        sl_match_value(key, nodes, r->plan->order_columns[i], &r->values[i]);
    if (keep(r, key)) return true;
    sl_fail_memory(r->st);
    return fail(r);
}

static bool gather(run *r, sl_realm *realm, const sl_query *query, sl_status *st) {
    sl_arena_init(&r->arena, query->alloc);
    sl_plan plan;
    const sl_class *cls = sl_realm_class(realm, query->class_name);
    r->realm = realm;
    r->query = query;
    r->plan = &plan;
    r->st = st;
    r->values = sl_arena_alloc(&r->arena, (query->order_count + (size_t)1) * sizeof *r->values);
    bool ok = (r->values && sl_plan_make(&plan, cls, query, &r->arena)) || sl_fail_memory(st);
    ok =
        ok && sl_realm_select(realm, query->class_name, &plan.selection, look, r, st) && !r->failed;
    r->plan = NULL;
    return ok;
}

static void run_free(run *r) {
    sl_delete(r->arena.alloc, r->rows);
    sl_arena_free(&r->arena);
}

/* --- the public functions --- */

static bool check_order(const sl_class *cls, const sl_order *order, sl_status *st) {
    sl_str name = order->property;
    const sl_property *property = NULL;
    if (!cls->has_key || !sl_str_eq(cls->key_name, name)) {
        property = sl_class_find(cls, name);
        if (!property) return sl_no_property(cls, name, st);
    }
    if (!property || (property->collection == SL_SINGLE && property->type != SL_TYPE_LINK))
        return true;
    return sl_fail(st, SL_ERR_USAGE, "QUERY",
                   "class %.*s, property '%.*s': collections and objects have no order; give a "
                   "function that compares",
                   (int)cls->name.size, cls->name.data, (int)name.size, name.data);
}

bool sl_query_check(const sl_realm *realm, const sl_query *query, sl_status *st) {
    const sl_class *cls = sl_realm_class(realm, query->class_name);
    if (!cls) return sl_no_class(sl_realm_schema(realm), query->class_name, st);
    for (uint32_t i = 0; i < query->condition_count; i++)
        if (!sl_condition_check(cls, &query->conditions[i], st)) return false;
    for (uint32_t i = 0; i < query->order_count; i++)
        if (!check_order(cls, &query->orders[i], st)) return false;
    return true;
}

bool sl_query_run(sl_realm *realm, const sl_query *query, sl_key_visitor visit, void *ctx,
                  sl_status *st) {
    if (!sl_query_check(realm, query, st)) return false;
    run r = {0};
    bool ok = gather(&r, realm, query, st);
    if (ok) {
        sort_rows(&r);
        for (size_t i = 0; i < r.count && visit(ctx, &r.rows[i].key);)
            i++;
    }
    run_free(&r);
    return ok;
}

bool sl_query_count(sl_realm *realm, const sl_query *query, uint64_t *count, sl_status *st) {
    if (!sl_query_check(realm, query, st)) return false;
    if (!query->condition_count) return sl_realm_count(realm, query->class_name, count, st);
    run r = {.counting = true};
    bool ok = gather(&r, realm, query, st);
    *count = r.found;
    run_free(&r);
    return ok;
}
