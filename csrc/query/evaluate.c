#include "query/evaluate.h"

#include <math.h>

#include "query/text_match.h"
#include "query/walk.h"
#include "realm/list.h"
#include "realm/source.h"
#include "value/decimal.h"

static bool is_nan(const sl_value *v) {
    return (v->type == SL_TYPE_FLOAT && isnan(v->single)) ||
           (v->type == SL_TYPE_DOUBLE && isnan(v->real));
}

/* --- two values --- */

/* One comparison, with what the schema knows of both sides. `null_is_least`: a string property
 * against a string literal, where null counts as less than every string. */
typedef struct comparison {
    sl_evaluation *ev;
    uint8_t op;
    bool fold, typed, null_is_least, types;
} comparison;

static bool against_null(const comparison *c, const sl_value *a, const sl_value *b) {
    bool both = a->type == b->type;
    if (c->null_is_least && a->type == SL_TYPE_NULL && !both &&
        (c->op == SL_OP_LESS || c->op == SL_OP_LESSEQ))
        return true;
    switch (c->op) {
    case SL_OP_EQUAL:
    case SL_OP_LESSEQ:
    case SL_OP_GREATEREQ:
        return both;
    case SL_OP_NOTEQUAL:
        return !both;
    default:
        return false;
    }
}

static bool search(const comparison *c, const sl_value *a, const sl_value *b) {
    if (b->type == SL_TYPE_NULL) return c->op != SL_OP_LIKE || a->type == SL_TYPE_NULL;
    if (a->type != b->type || (a->type != SL_TYPE_STRING && a->type != SL_TYPE_BINARY))
        return false;
    switch (c->op) {
    case SL_OP_BEGINSWITH:
        return sl_text_begins(a->string, b->string, c->fold);
    case SL_OP_ENDSWITH:
        return sl_text_ends(a->string, b->string, c->fold);
    case SL_OP_CONTAINS:
        return sl_text_contains(a->string, b->string, c->fold);
    default:
        return sl_text_like(a->string, b->string, c->fold, a->type == SL_TYPE_BINARY);
    }
}

static bool by_order(uint8_t op, int order) {
    switch (op) {
    case SL_OP_EQUAL:
        return order == 0;
    case SL_OP_NOTEQUAL:
        return order != 0;
    case SL_OP_LESS:
        return order < 0;
    case SL_OP_LESSEQ:
        return order <= 0;
    case SL_OP_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool holds(const comparison *c, const sl_value *a, const sl_value *b) {
    if (c->op >= SL_OP_BEGINSWITH) return search(c, a, b);
    if (c->types) return ((a->integer & b->integer) != 0) == (c->op == SL_OP_EQUAL);
    if (a->type == SL_TYPE_NULL || b->type == SL_TYPE_NULL) return against_null(c, a, b);
    bool family = a->type == b->type || (sl_type_is_number(a->type) && sl_type_is_number(b->type));
    bool value = a->type > SL_TYPE_NULL && b->type > SL_TYPE_NULL; /* no collection, no object */
    if (!family || !value) return c->op == SL_OP_NOTEQUAL;
    if (c->typed && (is_nan(a) || is_nan(b))) return c->op == SL_OP_NOTEQUAL;
    bool text = a->type == SL_TYPE_STRING || a->type == SL_TYPE_BINARY;
    if (c->fold && text)
        return sl_text_equal_folded(a->string, b->string) == (c->op == SL_OP_EQUAL);
    return by_order(c->op, sl_value_cmp(a, b));
}

/* --- quantifiers --- */

static bool reduce_done(uint8_t quantifier, bool one, bool *yes) {
    bool all = quantifier == SL_QUANT_ALL;
    if (one == all) return false;
    *yes = quantifier == SL_QUANT_ANY || quantifier == SL_QUANT_UNSAID;
    return true;
}

/* What no element decided: nothing spoke against ALL and NONE, or for ANY. */
static bool undecided(uint8_t quantifier) {
    return quantifier == SL_QUANT_ALL || quantifier == SL_QUANT_NONE;
}

/* The values of one side. */
typedef struct side {
    const sl_expr *e;
    sl_found found;
    bool many;
} side;

static bool search_sorted(const sl_expr *list, const sl_value *value) {
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = sl_value_cmp(&list->items[middle]->value, value);
        if (order == 0) {
            /* Values of different types may be equal in order only; numbers are one family. */
            const sl_value *item = &list->items[middle]->value;
            return item->type == value->type ||
                   (sl_type_is_number(item->type) && sl_type_is_number(value->type));
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* `value` against all of `other`; `flipped`: the other side is the left one. */
static bool against(const comparison *c, const sl_value *value, const side *other, bool flipped,
                    uint8_t quantifier, bool *yes) {
    if (other->e->kind == SL_EXPR_LIST && other->e->sorted) {
        *yes = !is_nan(value) && search_sorted(other->e, value);
        return sl_evaluation_spend(c->ev, 1);
    }
    if (!sl_evaluation_spend(c->ev, other->found.count)) return false;
    *yes = undecided(quantifier);
    for (uint32_t i = 0; i < other->found.count; i++) {
        const sl_value *o = &other->found.list[i];
        bool one = flipped ? holds(c, o, value) : holds(c, value, o);
        if (reduce_done(quantifier, one, yes)) return true;
    }
    return true;
}

/* Without a quantifier two lists are compared as a whole, in order. */
static bool whole_lists(const comparison *c, const side *a, const side *b) {
    comparison equal = *c;
    equal.op = SL_OP_EQUAL;
    bool same = a->found.count == b->found.count;
    for (uint32_t i = 0; same && i < a->found.count; i++)
        same = holds(&equal, &a->found.list[i], &b->found.list[i]);
    return same == (c->op != SL_OP_NOTEQUAL);
}

static bool two_lists(const comparison *c, const side *a, const side *b, bool *yes) {
    uint8_t qa = a->e->quantifier, qb = b->e->quantifier;
    if (!qa && !qb) {
        *yes = whole_lists(c, a, b);
        return true;
    }
    *yes = undecided(qa);
    for (uint32_t i = 0; i < a->found.count; i++) {
        bool one;
        if (!against(c, &a->found.list[i], b, false, qb, &one)) return false;
        if (reduce_done(qa, one, yes)) break;
    }
    return true;
}

/* --- sides --- */

typedef struct counting {
    sl_evaluation *ev;
    const sl_expr *predicate;
    int64_t count;
} counting;

static bool count_object(void *ctx, const sl_object *object) {
    counting *c = ctx;
    bool yes = true;
    if (c->predicate && !sl_evaluate(c->ev, c->predicate, object, &yes)) return false;
    c->count += yes;
    return true;
}

static bool subquery(sl_evaluation *ev, const sl_expr *e, const sl_object *object,
                     sl_found *found) {
    counting c = {ev, e->items[0], 0};
    if (!sl_walk(ev, e->path, object, found, count_object, &c)) return false;
    sl_value value = {.type = SL_TYPE_INT, .integer = c.count};
    return sl_found_add(ev, found, &value);
}

static double as_double(const sl_value *v) {
    switch (v->type) {
    case SL_TYPE_INT:
        return (double)v->integer;
    case SL_TYPE_FLOAT:
        return (double)v->single;
    case SL_TYPE_DECIMAL:
        return sl_decimal_to_double(v->decimal);
    default:
        return v->real;
    }
}

static sl_value number_of(double real, bool decimal) {
    if (decimal)
        return (sl_value){.type = SL_TYPE_DECIMAL, .decimal = sl_decimal_from_double(real, 15)};
    return (sl_value){.type = SL_TYPE_DOUBLE, .real = real};
}

/* Like the processor: whole numbers wrap; nothing is divided by a whole zero. */
static sl_value calculate_whole(char op, int64_t a, int64_t b) {
    sl_value value = {.type = SL_TYPE_INT};
    switch (op) {
    case '+':
        value.integer = (int64_t)((uint64_t)a + (uint64_t)b);
        return value;
    case '-':
        value.integer = (int64_t)((uint64_t)a - (uint64_t)b);
        return value;
    case '*':
        value.integer = (int64_t)((uint64_t)a * (uint64_t)b);
        return value;
    default:
        if (b == 0) return (sl_value){.type = SL_TYPE_NULL};
        value.integer = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
        return value;
    }
}

static sl_value calculate(char op, const sl_value *a, const sl_value *b) {
    if (!sl_type_is_number(a->type) || !sl_type_is_number(b->type))
        return (sl_value){.type = SL_TYPE_NULL};
    if (a->type == SL_TYPE_INT && b->type == SL_TYPE_INT)
        return calculate_whole(op, a->integer, b->integer);
    double x = as_double(a), y = as_double(b);
    double result = op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : x / y;
    return number_of(result, a->type == SL_TYPE_DECIMAL || b->type == SL_TYPE_DECIMAL);
}

static bool values_of(sl_evaluation *ev, const sl_expr *e, const sl_object *object,
                      sl_found *found);

static bool single(sl_evaluation *ev, const sl_expr *e, const sl_object *object, sl_value *value) {
    sl_found found = {0};
    if (!values_of(ev, e, object, &found)) return false;
    *value = found.count ? found.list[0] : (sl_value){.type = SL_TYPE_NULL};
    return true;
}

static bool arithmetic(sl_evaluation *ev, const sl_expr *e, const sl_object *object,
                       sl_found *found) {
    sl_value a, b;
    if (!single(ev, e->items[0], object, &a) || !single(ev, e->items[1], object, &b)) return false;
    sl_value result = calculate(e->arithmetic, &a, &b);
    return sl_found_add(ev, found, &result);
}

/* --- aggregates and sizes of paths --- */

typedef struct members {
    sl_evaluation *ev;
    const sl_query_path *path;
    sl_found *found;
} members;

static bool add_member(void *ctx, const sl_object *object) {
    members *m = ctx;
    sl_value value = {.type = SL_TYPE_NULL};
    if (m->path->member_slot == SL_KEY_SLOT) {
        sl_key_value(&object->key, &value);
    } else {
        const sl_node *node = sl_object_at(object, m->path->member_slot);
        if (node->kind == SL_NODE_VALUE) value = node->value;
    }
    return sl_found_add(m->ev, m->found, &value);
}

static bool counts(const sl_value *v, bool order) {
    return (sl_type_is_number(v->type) && !is_nan(v)) || (order && v->type == SL_TYPE_TIMESTAMP);
}

/* Nulls and NaN are passed over; of nothing the sum is 0, everything else null. */
static sl_value aggregate(const sl_query_path *path, const sl_found *all) {
    bool order = path->suffix == SL_SUFFIX_MAX || path->suffix == SL_SUFFIX_MIN;
    sl_value best = {.type = SL_TYPE_NULL}, sum = {.type = SL_TYPE_INT};
    int64_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        const sl_value *v = &all->list[i];
        if (!counts(v, order)) continue;
        count++;
        if (!order) {
            sum = calculate('+', &sum, v);
            continue;
        }
        int way = best.type == SL_TYPE_NULL ? 1 : sl_value_cmp(v, &best);
        if (best.type == SL_TYPE_NULL || (path->suffix == SL_SUFFIX_MAX ? way > 0 : way < 0))
            best = *v;
    }
    if (order) return best;
    if (path->suffix == SL_SUFFIX_SUM) return sum;
    if (!count) return best;
    return number_of(as_double(&sum) / (double)count, sum.type == SL_TYPE_DECIMAL);
}

static bool path_values(sl_evaluation *ev, const sl_query_path *path, const sl_object *object,
                        sl_found *found) {
    if (path->suffix < SL_SUFFIX_SIZE || path->suffix == SL_SUFFIX_TYPE)
        return sl_walk(ev, path, object, found, NULL, NULL);
    if (path->suffix == SL_SUFFIX_SIZE) {
        sl_found sizes = {0};
        if (path->many) return sl_walk(ev, path, object, found, NULL, NULL);
        if (!sl_walk(ev, path, object, &sizes, NULL, NULL)) return false;
        if (!sizes.count && !path->through_links) return true;
        sl_value sum = {.type = SL_TYPE_INT};
        for (uint32_t i = 0; i < sizes.count; i++)
            sum = calculate('+', &sum, &sizes.list[i]);
        return sl_found_add(ev, found, &sum);
    }
    sl_found all = {0};
    members m = {ev, path, &all};
    bool ok = path->member.size ? sl_walk(ev, path, object, &all, add_member, &m)
                                : sl_walk(ev, path, object, &all, NULL, NULL);
    if (!ok) return false;
    sl_value value = aggregate(path, &all);
    return sl_found_add(ev, found, &value);
}

static bool values_of(sl_evaluation *ev, const sl_expr *e, const sl_object *object,
                      sl_found *found) {
    switch (e->kind) {
    case SL_EXPR_CONSTANT:
        return sl_found_add(ev, found, &e->value);
    case SL_EXPR_PATH:
        return path_values(ev, e->path, object, found);
    case SL_EXPR_SUBQUERY:
        return subquery(ev, e, object, found);
    case SL_EXPR_ARITHMETIC:
        return arithmetic(ev, e, object, found);
    default:
        for (uint32_t i = 0; i < e->count; i++)
            if (!sl_found_add(ev, found, &e->items[i]->value)) return false;
        return true;
    }
}

static bool side_of(sl_evaluation *ev, const sl_expr *e, const sl_object *object, side *s) {
    *s = (side){.e = e};
    s->many = e->kind == SL_EXPR_LIST || (e->kind == SL_EXPR_PATH && e->path->many);
    /* A sorted list is searched where it lies. */
    if (e->kind == SL_EXPR_LIST && e->sorted) return true;
    return values_of(ev, e, object, &s->found);
}

/* --- comparisons --- */

static bool direct_string(const sl_expr *e) {
    return e->kind == SL_EXPR_PATH && e->type == SL_TYPE_STRING && !e->path->many &&
           e->path->count == 1 && !e->path->suffix;
}

static void comparison_of(comparison *c, sl_evaluation *ev, const sl_expr *e, uint8_t op) {
    const sl_expr *left = e->items[0], *right = e->items[1];
    bool literal = right->kind == SL_EXPR_CONSTANT || e->kind == SL_EXPR_BETWEEN;
    *c = (comparison){.ev = ev, .op = op, .fold = e->fold};
    c->typed =
        left->type != SL_TYPE_MIXED || left->kind == SL_EXPR_LIST || left->kind == SL_EXPR_CONSTANT;
    bool right_mixed = right->type == SL_TYPE_MIXED && right->kind != SL_EXPR_LIST &&
                       right->kind != SL_EXPR_CONSTANT;
    c->typed = c->typed && !right_mixed;
    c->null_is_least = literal && direct_string(left);
    c->types = (left->kind == SL_EXPR_PATH && left->path->suffix == SL_SUFFIX_TYPE) ||
               (right->kind == SL_EXPR_PATH && right->path->suffix == SL_SUFFIX_TYPE);
}

static bool empty_keys(const side *s) {
    return s->e->kind == SL_EXPR_PATH && s->e->path->whole_keys && !s->found.count;
}

static bool compare(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes) {
    comparison c;
    side a, b;
    comparison_of(&c, ev, e, e->op);
    *yes = false;
    if (!side_of(ev, e->items[0], object, &a) || !side_of(ev, e->items[1], object, &b))
        return false;
    if (empty_keys(&a) || empty_keys(&b)) return true;
    if (a.many && b.many) return two_lists(&c, &a, &b, yes);
    if (a.many) return !b.found.count || against(&c, b.found.list, &a, true, a.e->quantifier, yes);
    if (!a.found.count) return true; /* there is no value, so nothing holds of it */
    return (!b.many && !b.found.count) ||
           against(&c, a.found.list, &b, false, b.e->quantifier, yes);
}

static bool between(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes) {
    static const uint8_t ops[] = {SL_OP_GREATEREQ, SL_OP_LESSEQ};
    comparison c;
    side s;
    if (!side_of(ev, e->items[0], object, &s)) return false;
    *yes = s.many || s.found.count;
    for (uint32_t i = 0; *yes && i < 2; i++) {
        comparison_of(&c, ev, e, ops[i]);
        const sl_value *end = &e->items[1]->items[i]->value;
        if (s.many ? !against(&c, end, &s, true, SL_QUANT_ALL, yes)
                   : ((*yes = holds(&c, s.found.list, end)), false))
            return false;
    }
    return true;
}

/* --- areas --- */

typedef struct placing {
    const sl_geo *shape;
    uint8_t quantifier;
    bool decided, yes;
} placing;

static bool number_at(const sl_list *list, uint32_t at, double *number) {
    const sl_node *node = sl_list_at(list, at);
    if (node->kind != SL_NODE_VALUE || node->value.type != SL_TYPE_DOUBLE) return false;
    *number = node->value.real;
    return true;
}

static bool is_point(const sl_object *object, sl_geo_point *point) {
    const sl_property *type = sl_class_find(object->cls, sl_str_c("type"));
    const sl_property *place = sl_class_find(object->cls, sl_str_c("coordinates"));
    if (!type || !place) return false;
    const sl_node *name = sl_object_at(object, type->index);
    const sl_node *list = sl_object_at(object, place->index);
    bool named = name->kind == SL_NODE_VALUE && name->value.type == SL_TYPE_STRING &&
                 sl_text_equal_folded(name->value.string, sl_str_c("Point"));
    if (!named || list->kind != SL_NODE_LIST || sl_list_count(list->list) < 2) return false;
    return number_at(list->list, 0, &point->longitude) &&
           number_at(list->list, 1, &point->latitude);
}

static bool place(void *ctx, const sl_object *object) {
    placing *p = ctx;
    sl_geo_point point;
    bool one = is_point(object, &point) && sl_geo_contains(p->shape, point);
    if (!p->decided) p->decided = reduce_done(p->quantifier, one, &p->yes);
    return true;
}

static bool within(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes) {
    uint8_t quantifier = e->items[0]->quantifier;
    placing p = {.shape = e->shape, .quantifier = quantifier, .yes = undecided(quantifier)};
    sl_found none = {0};
    uint64_t cost = 1;
    for (uint32_t i = 0; i < e->shape->loop_count; i++)
        cost += e->shape->loops[i].count;
    if (!sl_evaluation_spend(ev, cost)) return false;
    if (!sl_walk(ev, e->items[0]->path, object, &none, place, &p)) return false;
    *yes = p.yes;
    return true;
}

/* --- the tree --- */

static bool members_hold(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes) {
    bool any = e->kind == SL_EXPR_OR;
    *yes = !any;
    for (uint32_t i = 0; i < e->count && *yes != any; i++)
        if (!sl_evaluate(ev, e->items[i], object, yes)) return false;
    return true;
}

bool sl_evaluate(sl_evaluation *ev, const sl_expr *e, const sl_object *object, bool *yes) {
    if (!sl_evaluation_spend(ev, 1)) return false;
    switch (e->kind) {
    case SL_EXPR_AND:
    case SL_EXPR_OR:
        return members_hold(ev, e, object, yes);
    case SL_EXPR_NOT:
        if (!sl_evaluate(ev, e->items[0], object, yes)) return false;
        *yes = !*yes;
        return true;
    case SL_EXPR_COMPARE:
        return compare(ev, e, object, yes);
    case SL_EXPR_BETWEEN:
        return between(ev, e, object, yes);
    case SL_EXPR_WITHIN:
        return within(ev, e, object, yes);
    default:
        *yes = e->kind == SL_EXPR_TRUE;
        return true;
    }
}

bool sl_evaluate_path(sl_evaluation *ev, const sl_query_path *path, const sl_object *object,
                      sl_value *value) {
    sl_found found = {0};
    if (!path_values(ev, path, object, &found)) return false;
    *value = found.count ? found.list[0] : (sl_value){.type = SL_TYPE_NULL};
    return true;
}
