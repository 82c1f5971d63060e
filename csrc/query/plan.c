#include "query/plan.h"

static uint32_t slot_of(const sl_class *cls, sl_str name) {
    if (cls->has_key && sl_str_eq(cls->key_name, name)) return SL_KEY_SLOT;
    return sl_class_find(cls, name)->index;
}

static uint32_t column_of(uint32_t *slots, uint32_t *count, uint32_t slot) {
    if (slot == SL_KEY_SLOT) return SL_KEY_SLOT;
    uint32_t at = 0;
    while (at < *count && slots[at] != slot)
        at++;
    if (at == *count) slots[(*count)++] = slot;
    return at;
}

/* Where null is asked for, links whose target is gone count, which only the query can tell. */
static bool hides_null(const sl_property *property, const sl_condition *condition) {
    bool may_link = property && (property->type == SL_TYPE_LINK || property->type == SL_TYPE_MIXED);
    for (uint32_t i = 0; may_link && i < condition->count; i++)
        if (condition->values[i].type == SL_TYPE_NULL) return true;
    return false;
}

/* A string that no string with this beginning exceeds; it begins with as much of `prefix` as ends
 * in an ASCII character that has a next one, so that text stays text. NULL in *end: there is none,
 * or (false) no memory. */
static bool end_of_prefix(const sl_value *prefix, sl_arena *arena, const sl_value **end) {
    uint32_t size = prefix->string.size;
    *end = NULL;
    while (size && (unsigned char)prefix->string.data[size - 1] >= 0x7f)
        size--;
    if (!size) return true;
    sl_value *made = sl_arena_alloc(arena, sizeof *made);
    char *bytes = sl_arena_bytes(arena, size);
    if (!made || !bytes) return false;
    memcpy(bytes, prefix->string.data, size);
    bytes[size - 1]++;
    *made = *prefix;
    made->string = sl_str_of(bytes, size);
    *end = made;
    return true;
}

/* *useful = false: the source cannot know. False: no memory. */
static bool make_bound(const sl_condition *condition, sl_arena *arena, sl_bound *bound,
                       bool *useful) {
    const sl_value *values = condition->values;
    *useful = true;
    switch (condition->test) {
    case SL_TEST_EQUAL:
    case SL_TEST_IN:
        bound->values = values;
        bound->value_count = condition->count;
        *useful = condition->count > 0;
        return true;
    case SL_TEST_LESS:
    case SL_TEST_AT_MOST:
        bound->high = values;
        return true;
    case SL_TEST_GREATER:
    case SL_TEST_AT_LEAST:
        bound->low = values;
        return true;
    case SL_TEST_BETWEEN:
        bound->low = values;
        bound->high = values + 1;
        return true;
    case SL_TEST_BEGINS:
        bound->low = values;
        return end_of_prefix(values, arena, &bound->high);
    default:
        *useful = false;
        return true;
    }
}

static bool add_bound(const sl_class *cls, const sl_condition *condition, sl_arena *arena,
                      sl_bound *bounds, uint32_t *count) {
    sl_bound bound = {.slot = slot_of(cls, condition->property)};
    const sl_property *property = bound.slot == SL_KEY_SLOT ? NULL : &cls->properties[bound.slot];
    bool useful = !hides_null(property, condition);
    /* NaN has no place in an order; what holds with it is found by looking. */
    for (uint32_t i = 0; useful && i < condition->count; i++)
        useful = !sl_condition_is_nan(&condition->values[i]);
    if (!useful) return true;
    if (!make_bound(condition, arena, &bound, &useful)) return false;
    if (useful) bounds[(*count)++] = bound;
    return true;
}

bool sl_plan_make(sl_plan *plan, const sl_class *cls, const sl_query *query, sl_arena *arena) {
    size_t conditions = query->condition_count, orders = query->order_count;
    uint32_t *slots = sl_arena_alloc(arena, (conditions + orders) * sizeof *slots);
    uint32_t *columns = sl_arena_alloc(arena, (conditions + orders) * sizeof *columns);
    sl_bound *bounds = sl_arena_zero(arena, conditions + 1, sizeof *bounds);
    if (!slots || !columns || !bounds) return false;
    uint32_t slot_count = 0, bound_count = 0;
    for (uint32_t i = 0; i < conditions; i++) {
        const sl_condition *condition = &query->conditions[i];
        columns[i] = column_of(slots, &slot_count, slot_of(cls, condition->property));
        if (!add_bound(cls, condition, arena, bounds, &bound_count)) return false;
    }
    for (uint32_t i = 0; i < orders; i++)
        columns[conditions + i] =
            column_of(slots, &slot_count, slot_of(cls, query->orders[i].property));
    plan->selection = (sl_selection){slots, slot_count, bounds, bound_count};
    plan->condition_columns = columns;
    plan->order_columns = columns + conditions;
    return true;
}
