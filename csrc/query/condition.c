#include "query/condition.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "realm/missing.h"
#include "value/decimal.h"

/* --- names --- */

static const char *const names[SL_TEST_COUNT] = {
    "=", "~=", "<", "<=", ">", ">=", "between", "in", "begins_with", "ends_with", "contains"};

const char *sl_test_name(sl_test test) {
    return names[test];
}

bool sl_test_named(sl_str name, sl_test *test) {
    for (int i = 0; i < SL_TEST_COUNT; i++) {
        if (!sl_str_eq(name, sl_str_c(names[i]))) continue;
        *test = (sl_test)i;
        return true;
    }
    return false;
}

/* --- comparing --- */

enum { UNORDERED = 2 };

bool sl_condition_is_nan(const sl_value *value) {
    switch (value->type) {
    case SL_TYPE_FLOAT:
        return isnan(value->single);
    case SL_TYPE_DOUBLE:
        return isnan(value->real);
    case SL_TYPE_DECIMAL:
        return sl_decimal_classify(value->decimal) == SL_DECIMAL_NAN;
    default:
        return false;
    }
}

static bool has_order(int type) {
    return sl_type_is_number(type) || type == SL_TYPE_STRING || type == SL_TYPE_BINARY ||
           type == SL_TYPE_TIMESTAMP || type == SL_TYPE_OBJECTID || type == SL_TYPE_UUID;
}

/* -1, 0, 1 or UNORDERED. */
static int compare(const sl_value *a, const sl_value *b) {
    if (sl_condition_is_nan(a) || sl_condition_is_nan(b)) return UNORDERED;
    if (sl_type_is_number(a->type) ? !sl_type_is_number(b->type) : a->type != b->type)
        return UNORDERED;
    if (!has_order(a->type)) return UNORDERED;
    int order = sl_value_cmp(a, b);
    return order < 0 ? -1 : order > 0;
}

static bool equal(const sl_value *a, const sl_value *b) {
    if (a->type == SL_TYPE_NULL || b->type == SL_TYPE_NULL) return a->type == b->type;
    if (has_order(a->type)) return compare(a, b) == 0;
    bool value = a->type == SL_TYPE_BOOL || a->type == SL_TYPE_LINK;
    return value && sl_value_eq(a, b);
}

static bool contains(sl_str text, sl_str part) {
    return part.size == 0 || memmem(text.data, text.size, part.data, part.size) != NULL;
}

static bool text_holds(sl_test test, const sl_value *value, const sl_value *part) {
    if (value->type != part->type) return false;
    sl_str text = value->string, want = part->string;
    if (want.size > text.size) return false;
    if (want.size == 0) return true;
    if (test == SL_TEST_CONTAINS) return contains(text, want);
    const char *from = test == SL_TEST_BEGINS ? text.data : text.data + text.size - want.size;
    return memcmp(from, want.data, want.size) == 0;
}

bool sl_condition_holds(const sl_condition *condition, const sl_value *value) {
    const sl_value *want = condition->values;
    int order;
    switch (condition->test) {
    case SL_TEST_EQUAL:
        return equal(value, want);
    case SL_TEST_UNEQUAL:
        return !equal(value, want);
    case SL_TEST_LESS:
        return compare(value, want) == -1;
    case SL_TEST_AT_MOST:
        return compare(value, want) <= 0;
    case SL_TEST_GREATER:
        return compare(value, want) == 1;
    case SL_TEST_AT_LEAST:
        order = compare(value, want);
        return order == 0 || order == 1;
    case SL_TEST_BETWEEN:
        order = compare(value, want);
        return (order == 0 || order == 1) && compare(value, want + 1) <= 0;
    case SL_TEST_IN:
        for (uint32_t i = 0; i < condition->count; i++)
            if (equal(value, &want[i])) return true;
        return false;
    default:
        return text_holds((sl_test)condition->test, value, want);
    }
}

/* --- checking --- */

static const char *type_name(int type) {
    return type == SL_TYPE_MIXED ? "mixed" : sl_type_name(type);
}

static bool refuse(const sl_class *cls, const sl_condition *condition, const char *what,
                   sl_status *st) {
    sl_str name = condition->property;
    return sl_fail(st, SL_ERR_USAGE, "QUERY", "class %.*s, property '%.*s': %s",
                   (int)cls->name.size, cls->name.data, name.size > 60 ? 60 : (int)name.size,
                   name.data, what);
}

static bool refuse_name(const sl_class *cls, const sl_condition *condition, sl_status *st) {
    char what[128];
    sl_str meant = sl_class_nearest(cls, condition->property);
    snprintf(what, sizeof what, "there is no such property%s%.*s%s",
             meant.size ? "; did you mean '" : "", (int)meant.size, meant.data,
             meant.size ? "'?" : "");
    return refuse(cls, condition, what, st);
}

static bool refuse_test(const sl_class *cls, const sl_condition *condition, const char *format,
                        const char *type, sl_status *st) {
    char what[160];
    snprintf(what, sizeof what, format, sl_test_name((sl_test)condition->test), type);
    return refuse(cls, condition, what, st);
}

/* Whether a property of `type` may be compared with the value. */
static bool fits(const sl_property *property, int type, const sl_value *value) {
    if (value->type == SL_TYPE_NULL || type == SL_TYPE_MIXED) return true;
    if (sl_type_is_number(type)) return sl_type_is_number(value->type);
    if (value->type != type) return false;
    return type != SL_TYPE_LINK || sl_str_eq(value->link->class_name, property->target);
}

static bool check_values(const sl_class *cls, const sl_condition *condition,
                         const sl_property *property, int type, sl_status *st) {
    bool ordered = condition->test >= SL_TEST_LESS && condition->test <= SL_TEST_BETWEEN;
    bool text = condition->test >= SL_TEST_BEGINS;
    for (uint32_t i = 0; i < condition->count; i++) {
        const sl_value *value = &condition->values[i];
        if (!fits(property, type, value))
            return refuse_test(cls, condition, "%s: a value of another type than %s",
                               type_name(type), st);
        if (ordered && !has_order(value->type))
            return refuse_test(cls, condition, "%s: there is no order among values of type %s",
                               value->type == SL_TYPE_NULL ? "null" : type_name(value->type), st);
        if (text && value->type != SL_TYPE_STRING && value->type != SL_TYPE_BINARY)
            return refuse_test(cls, condition, "%s looks into strings and binaries, not into %s",
                               value->type == SL_TYPE_NULL ? "null" : type_name(value->type), st);
    }
    return true;
}

static bool check_count(const sl_class *cls, const sl_condition *condition, sl_status *st) {
    uint32_t want = condition->test == SL_TEST_BETWEEN ? 2 : 1;
    if (condition->test == SL_TEST_IN || condition->count == want) return true;
    return refuse_test(cls, condition, "'%s' takes %s", want == 2 ? "two values" : "one value", st);
}

bool sl_condition_check(const sl_class *cls, const sl_condition *condition, sl_status *st) {
    if (condition->test >= SL_TEST_COUNT) return refuse(cls, condition, "no such test", st);
    if (!check_count(cls, condition, st)) return false;
    if (cls->has_key && sl_str_eq(cls->key_name, condition->property))
        return check_values(cls, condition, NULL, cls->key_type, st);
    const sl_property *property = sl_class_find(cls, condition->property);
    if (!property) return refuse_name(cls, condition, st);
    if (property->collection != SL_SINGLE)
        return refuse(cls, condition, "a collection has no single value; use filter", st);
    if (property->embedded)
        return refuse(cls, condition, "an embedded object has no value of its own; use filter", st);
    return check_values(cls, condition, property, property->type, st);
}
