#include "query/binder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "query/bind_path.h"
#include "query/literal.h"
#include "value/decimal.h"
#include "value/number.h"

static bool bind(sl_binder *b, sl_expr *e, const sl_class *cls);

static bool is_text(int type) {
    return type == SL_TYPE_STRING || type == SL_TYPE_BINARY;
}

static const char *type_name(int type) {
    return type == SL_TYPE_MIXED ? "mixed" : sl_type_name(type);
}

static bool is_constant(const sl_expr *e) {
    return e->kind == SL_EXPR_CONSTANT || e->kind == SL_EXPR_LIST;
}

static bool is_many(const sl_expr *e) {
    return e->kind == SL_EXPR_PATH && e->path->many;
}

/* --- literals take the type of what they are compared with --- */

static bool misfit(sl_binder *b, const sl_expr *c, int type) {
    const char *what = c->value.type == SL_TYPE_NULL ? "null" : type_name(c->value.type);
    return sl_bind_fail(b, c->offset, "a value of type %s is compared with one of type %s", what,
                        type_name(type));
}

static bool to_decimal(sl_binder *b, sl_expr *c, int type) {
    sl_value *v = &c->value;
    sl_decimal d;
    sl_str text = v->type == SL_TYPE_STRING ? v->string : c->text;
    bool read = text.size && sl_decimal_from_text(text, &d);
    if (!read && v->type == SL_TYPE_STRING) return misfit(b, c, type);
    if (!read && v->type == SL_TYPE_INT) d = sl_decimal_from_int(v->integer);
    if (!read && v->type == SL_TYPE_DOUBLE) d = sl_decimal_from_double(v->real, 15);
    *v = (sl_value){.type = SL_TYPE_DECIMAL, .decimal = d};
    return true;
}

/* A string that is a number counts as that number. */
static bool string_to_number(sl_binder *b, sl_expr *c, int type) {
    sl_str text = c->value.string;
    double real;
    if (!sl_number_read_double(text, &real)) return misfit(b, c, type);
    bool whole = !memchr(text.data, '.', text.size) && !memchr(text.data, 'e', text.size) &&
                 !memchr(text.data, 'E', text.size);
    if (whole)
        c->value = (sl_value){.type = SL_TYPE_INT, .integer = sl_literal_integer(text)};
    else
        c->value = (sl_value){.type = SL_TYPE_DOUBLE, .real = real};
    return true;
}

static bool to_number(sl_binder *b, sl_expr *c, int type) {
    sl_value *v = &c->value;
    if (v->type == SL_TYPE_DECIMAL) return true;
    if (type == SL_TYPE_DECIMAL) return to_decimal(b, c, type);
    if (v->type == SL_TYPE_STRING && !string_to_number(b, c, type)) return false;
    if (type == SL_TYPE_INT) {
        if (v->type == SL_TYPE_DOUBLE && isinf(v->real)) return misfit(b, c, type);
        if (v->type == SL_TYPE_DOUBLE && v->real == floor(v->real) && fabs(v->real) < 9e18)
            *v = (sl_value){.type = SL_TYPE_INT, .integer = (int64_t)v->real};
        return true;
    }
    double real = v->type == SL_TYPE_INT     ? (double)v->integer
                  : v->type == SL_TYPE_FLOAT ? (double)v->single
                                             : v->real;
    if (type == SL_TYPE_FLOAT)
        *v = (sl_value){.type = SL_TYPE_FLOAT, .single = (float)real};
    else
        *v = (sl_value){.type = SL_TYPE_DOUBLE, .real = real};
    return true;
}

/* `type` is that of the other side. */
static bool fit_constant(sl_binder *b, sl_expr *c, int type) {
    sl_value *v = &c->value;
    if (v->type == SL_TYPE_NULL || type == SL_TYPE_MIXED) return true;
    if (sl_type_is_number(type)) {
        if (!sl_type_is_number(v->type) && v->type != SL_TYPE_STRING) return misfit(b, c, type);
        return to_number(b, c, type);
    }
    /* Cores up to 13 print binary constants as strings. */
    if (type == SL_TYPE_BINARY && v->type == SL_TYPE_STRING) v->type = SL_TYPE_BINARY;
    return v->type == type || misfit(b, c, type);
}

static bool fit_type_name(sl_binder *b, sl_expr *c) {
    uint32_t bits;
    if (c->value.type != SL_TYPE_STRING || !sl_query_type_named(c->value.string, &bits))
        return sl_bind_fail(b, c->offset, "@type is compared with the name of a type");
    c->names_type = true;
    c->text = c->value.string;
    c->value = (sl_value){.type = SL_TYPE_INT, .integer = bits};
    return true;
}

static bool fit(sl_binder *b, sl_expr *side, const sl_expr *other) {
    bool names = other->kind == SL_EXPR_PATH && other->path->suffix == SL_SUFFIX_TYPE;
    uint32_t count = side->kind == SL_EXPR_LIST ? side->count : 1;
    for (uint32_t i = 0; i < count; i++) {
        sl_expr *c = side->kind == SL_EXPR_LIST ? side->items[i] : side;
        if (names ? !fit_type_name(b, c) : !fit_constant(b, c, other->type)) return false;
    }
    return true;
}

/* --- lists of constants that are looked through by halves --- */

static int compare_items(const void *a, const void *b) {
    const sl_expr *const *x = a, *const *y = b;
    return sl_value_cmp(&(*x)->value, &(*y)->value);
}

static bool has_nan(const sl_expr *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        const sl_value *v = &list->items[i]->value;
        if ((v->type == SL_TYPE_DOUBLE && isnan(v->real)) ||
            (v->type == SL_TYPE_FLOAT && isnan(v->single)))
            return true;
    }
    return false;
}

static void sort_list(sl_expr *e, sl_expr *list, const sl_expr *other) {
    bool any = list->quantifier == SL_QUANT_ANY || list->quantifier == SL_QUANT_UNSAID;
    bool names = other->kind == SL_EXPR_PATH && other->path->suffix == SL_SUFFIX_TYPE;
    if (list->count < 8 || !any || e->op != SL_OP_EQUAL || e->fold || names || has_nan(list))
        return;
    /* Whole lists are compared in order. */
    if (is_many(other) && !list->quantifier && !other->quantifier) return;
    qsort(list->items, list->count, sizeof *list->items, compare_items);
    list->sorted = true;
}

/* --- comparisons --- */

static bool types_meet(int a, int b) {
    if (a == SL_TYPE_MIXED || b == SL_TYPE_MIXED || a == b) return true;
    return sl_type_is_number(a) && sl_type_is_number(b);
}

static bool check_links(sl_binder *b, const sl_expr *e, const sl_expr *side) {
    if (side->type != SL_TYPE_LINK || side->kind != SL_EXPR_PATH) return true;
    const sl_expr *other = e->items[0] == side ? e->items[1] : e->items[0];
    if (e->op > SL_OP_NOTEQUAL)
        return sl_bind_fail(b, e->offset, "there is no order among objects");
    bool null = other->kind == SL_EXPR_CONSTANT && other->value.type == SL_TYPE_NULL;
    if (null && side->path->many && !side->path->through_links)
        return sl_bind_fail(b, e->offset, "a collection of objects is compared with null");
    if (!null && side->path->embedded)
        return sl_bind_fail(b, e->offset, "an embedded object is compared with null only");
    return true;
}

static bool check_text(sl_binder *b, const sl_expr *e) {
    const sl_expr *left = e->items[0], *right = e->items[1];
    if (!is_text(left->type) && left->type != SL_TYPE_MIXED)
        return sl_bind_fail(b, e->offset,
                            "strings and binaries are searched, not values of type %s",
                            type_name(left->type));
    if (right->kind != SL_EXPR_CONSTANT)
        return right->kind != SL_EXPR_LIST ||
               sl_bind_fail(b, right->offset, "a list stands where one string is meant");
    int type = right->value.type;
    if (is_text(type) || (type == SL_TYPE_NULL && left->type != SL_TYPE_MIXED)) return true;
    return sl_bind_fail(b, right->offset, "a string is searched for a value that is none");
}

static bool check_quantifier(sl_binder *b, const sl_expr *side) {
    if (!side->quantifier || side->kind == SL_EXPR_LIST || is_many(side)) return true;
    return sl_bind_fail(b, side->offset, "ANY, ALL or NONE stands before what is not a collection");
}

static bool check_compare(sl_binder *b, sl_expr *e) {
    sl_expr *left = e->items[0], *right = e->items[1];
    if (!check_quantifier(b, left) || !check_quantifier(b, right)) return false;
    if (is_constant(left) && is_constant(right))
        return sl_bind_fail(b, e->offset, "two values are compared, and no property");
    if (is_many(left) && is_many(right))
        return sl_bind_fail(b, e->offset, "two collections are compared");
    if (e->in && !is_many(right) && right->kind != SL_EXPR_LIST)
        return sl_bind_fail(b, right->offset, "IN goes on with a list or a collection");
    if (e->op >= SL_OP_BEGINSWITH && !check_text(b, e)) return false;
    bool names = (left->kind == SL_EXPR_PATH && left->path->suffix == SL_SUFFIX_TYPE) ||
                 (right->kind == SL_EXPR_PATH && right->path->suffix == SL_SUFFIX_TYPE);
    if (names && e->op > SL_OP_NOTEQUAL)
        return sl_bind_fail(b, e->offset, "there is no order among types");
    if (e->in && right->kind == SL_EXPR_LIST) e->fold = false; /* as in core 14 */
    if (!check_links(b, e, left) || !check_links(b, e, right)) return false;
    if (is_constant(left)) return fit(b, left, right);
    if (is_constant(right)) return fit(b, right, left);
    return types_meet(left->type, right->type) ||
           sl_bind_fail(b, e->offset, "a value of type %s is compared with one of type %s",
                        type_name(right->type), type_name(left->type));
}

static bool bind_compare(sl_binder *b, sl_expr *e, const sl_class *cls) {
    if (!bind(b, e->items[0], cls) || !bind(b, e->items[1], cls) || !check_compare(b, e))
        return false;
    if (e->items[1]->kind == SL_EXPR_LIST) sort_list(e, e->items[1], e->items[0]);
    if (e->items[0]->kind == SL_EXPR_LIST) sort_list(e, e->items[0], e->items[1]);
    return true;
}

static bool bind_between(sl_binder *b, sl_expr *e, const sl_class *cls) {
    sl_expr *value = e->items[0], *list = e->items[1];
    if (!bind(b, value, cls)) return false;
    if (list->kind != SL_EXPR_LIST || list->count != 2)
        return sl_bind_fail(b, e->offset, "BETWEEN goes on with a list of two values");
    if (is_constant(value))
        return sl_bind_fail(b, e->offset, "two values are compared, and no property");
    if (!check_quantifier(b, value)) return false;
    if (is_many(value) && value->quantifier != SL_QUANT_ALL)
        return sl_bind_fail(b, e->offset, "BETWEEN of a collection needs ALL");
    if (value->type == SL_TYPE_LINK)
        return sl_bind_fail(b, e->offset, "there is no order among objects");
    return fit(b, list, value);
}

/* --- areas --- */

static bool bind_within(sl_binder *b, sl_expr *e, const sl_class *cls) {
    sl_expr *value = e->items[0];
    if (!bind(b, value, cls)) return false;
    sl_query_path *path = value->path;
    const sl_class *point = path->type == SL_TYPE_LINK && path->embedded ? path->target : NULL;
    const sl_property *type = point ? sl_class_find(point, sl_str_c("type")) : NULL;
    const sl_property *place = point ? sl_class_find(point, sl_str_c("coordinates")) : NULL;
    bool fits = type && type->type == SL_TYPE_STRING && type->collection == SL_SINGLE && place &&
                place->type == SL_TYPE_DOUBLE && place->collection == SL_LIST;
    if (!fits)
        return sl_bind_fail(b, e->offset,
                            "GEOWITHIN is asked of embedded objects with a string 'type' "
                            "and a list of doubles 'coordinates'");
    return check_quantifier(b, value) && sl_geo_prepare(e->shape, b->arena, b->st);
}

/* --- the rest --- */

static bool bind_arithmetic(sl_binder *b, sl_expr *e, const sl_class *cls) {
    e->type = SL_TYPE_INT;
    for (uint32_t i = 0; i < 2; i++) {
        sl_expr *side = e->items[i];
        if (!bind(b, side, cls)) return false;
        if (side->kind == SL_EXPR_LIST || is_many(side) || side->quantifier)
            return sl_bind_fail(b, side->offset, "a collection stands in a calculation");
        int type = side->kind == SL_EXPR_CONSTANT ? side->value.type : side->type;
        if (!sl_type_is_number(type) && type != SL_TYPE_MIXED)
            return sl_bind_fail(b, side->offset, "a value of type %s stands in a calculation",
                                type_name(type));
        if (type == SL_TYPE_MIXED || e->type == SL_TYPE_MIXED)
            e->type = SL_TYPE_MIXED;
        else if (type == SL_TYPE_DECIMAL || e->type == SL_TYPE_DECIMAL)
            e->type = SL_TYPE_DECIMAL;
        else if (type != SL_TYPE_INT)
            e->type = SL_TYPE_DOUBLE;
    }
    return true;
}

static bool bind_subquery(sl_binder *b, sl_expr *e, const sl_class *cls) {
    e->type = SL_TYPE_INT;
    return sl_bind_path_to_objects(b, e->path, cls) && bind(b, e->items[0], e->path->target);
}

static bool bind(sl_binder *b, sl_expr *e, const sl_class *cls) {
    switch (e->kind) {
    case SL_EXPR_TRUE:
    case SL_EXPR_FALSE:
        return true;
    case SL_EXPR_AND:
    case SL_EXPR_OR:
    case SL_EXPR_NOT:
        for (uint32_t i = 0; i < e->count; i++)
            if (!bind(b, e->items[i], cls)) return false;
        return true;
    case SL_EXPR_COMPARE:
        return bind_compare(b, e, cls);
    case SL_EXPR_BETWEEN:
        return bind_between(b, e, cls);
    case SL_EXPR_WITHIN:
        return bind_within(b, e, cls);
    case SL_EXPR_CONSTANT:
        e->type = e->value.type == SL_TYPE_NULL ? SL_TYPE_MIXED : e->value.type;
        return true;
    case SL_EXPR_PATH:
        if (!sl_bind_path(b, e->path, cls)) return false;
        e->type = e->path->type;
        return true;
    case SL_EXPR_SUBQUERY:
        return bind_subquery(b, e, cls);
    case SL_EXPR_ARITHMETIC:
        return bind_arithmetic(b, e, cls);
    default:
        e->type = SL_TYPE_MIXED; /* LIST: its members take the type of the other side */
        return true;
    }
}

static bool bind_ordering(sl_binder *b, sl_ordering *o, const sl_class *cls) {
    for (uint32_t i = 0; i < o->count; i++) {
        if (!sl_bind_path(b, o->paths[i], cls)) return false;
        if (o->paths[i]->many || o->paths[i]->type == SL_TYPE_LINK)
            return sl_bind_fail(b, o->paths[i]->steps[0].offset,
                                "collections and objects have no order");
    }
    return true;
}

bool sl_query_bind(sl_parsed *parsed, const sl_schema *schema, const sl_class *cls, sl_arena *arena,
                   sl_status *st) {
    sl_binder b = {schema, arena, st};
    for (uint32_t i = 0; i < parsed->ordering_count; i++)
        if (!bind_ordering(&b, &parsed->orderings[i], cls)) return false;
    return bind(&b, parsed->predicate, cls);
}

/* --- names of types --- */

bool sl_query_type_named(sl_str name, uint32_t *bits) {
    enum {
        NUMBERS = 1 << SL_TYPE_INT | 1 << SL_TYPE_FLOAT | 1 << SL_TYPE_DOUBLE | 1 << SL_TYPE_DECIMAL
    };
    static const struct {
        const char *name;
        uint32_t bits;
    } names[] = {{"null", SL_TYPE_BIT_NULL},
                 {"int", 1 << SL_TYPE_INT},
                 {"integer", 1 << SL_TYPE_INT},
                 {"int16", 1 << SL_TYPE_INT},
                 {"int32", 1 << SL_TYPE_INT},
                 {"int64", 1 << SL_TYPE_INT},
                 {"short", 1 << SL_TYPE_INT},
                 {"long", 1 << SL_TYPE_INT},
                 {"byte", 1 << SL_TYPE_INT},
                 {"char", 1 << SL_TYPE_INT},
                 {"bool", 1 << SL_TYPE_BOOL},
                 {"boolean", 1 << SL_TYPE_BOOL},
                 {"string", 1 << SL_TYPE_STRING},
                 {"binary", 1 << SL_TYPE_BINARY},
                 {"data", 1 << SL_TYPE_BINARY},
                 {"bytearray", 1 << SL_TYPE_BINARY},
                 {"byte[]", 1 << SL_TYPE_BINARY},
                 {"date", 1 << SL_TYPE_TIMESTAMP},
                 {"timestamp", 1 << SL_TYPE_TIMESTAMP},
                 {"datetimeoffset", 1 << SL_TYPE_TIMESTAMP},
                 {"float", 1 << SL_TYPE_FLOAT},
                 {"double", 1 << SL_TYPE_DOUBLE},
                 {"decimal128", 1 << SL_TYPE_DECIMAL},
                 {"decimal", 1 << SL_TYPE_DECIMAL},
                 {"objectlink", 1 << SL_TYPE_LINK},
                 {"link", 1 << SL_TYPE_LINK},
                 {"objectid", 1 << SL_TYPE_OBJECTID},
                 {"uuid", 1 << SL_TYPE_UUID},
                 {"guid", 1 << SL_TYPE_UUID},
                 {"numeric", NUMBERS},
                 {"object", SL_TYPE_BIT_DICT},
                 {"dictionary", SL_TYPE_BIT_DICT},
                 {"array", SL_TYPE_BIT_LIST},
                 {"list", SL_TYPE_BIT_LIST},
                 {"collection", SL_TYPE_BIT_LIST | SL_TYPE_BIT_DICT}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) != name.size ||
            strncasecmp(names[i].name, name.data, name.size) != 0)
            continue;
        *bits = names[i].bits;
        return true;
    }
    return false;
}
