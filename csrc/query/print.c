#include <math.h>
#include <string.h>

#include "query/predicate.h"
#include "value/base64.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/number.h"

/* --- values --- */

/* What no quotes can hold goes as base64. */
static bool is_plain(sl_str s) {
    for (uint32_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c == 0x7f || c == '"' || c == '\\') return false;
    }
    return true;
}

static void print_string(sl_str s, sl_buf *out) {
    bool plain = is_plain(s);
    sl_buf_text(out, plain ? "\"" : "B64\"");
    if (plain)
        sl_buf_str(out, s);
    else
        sl_value_base64_encode(s.data, s.size, out);
    sl_buf_byte(out, '"');
}

/* As short as it can be and still be the same number. */
static void print_real(double value, bool single, sl_buf *out) {
    if (isnan(value)) {
        sl_buf_text(out, "nan");
    } else if (isinf(value)) {
        sl_buf_text(out, value < 0 ? "-inf" : "inf");
    } else if (single) {
        sl_number_put_real(value, 9, out);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            size_t from = out->size;
            double back;
            sl_number_put_real(value, digits, out);
            if (out->failed || digits == 17) return;
            sl_str text = sl_str_of(out->data + from, out->size - from);
            if (sl_number_read_double(text, &back) && back == value) return;
            out->size = from;
        }
    }
}

static void print_decimal(sl_decimal d, sl_buf *out) {
    if (sl_decimal_classify(d) == SL_DECIMAL_INFINITE)
        sl_buf_text(out, sl_decimal_split(d).negative ? "-Inf" : "Inf");
    else
        sl_decimal_to_text(d, out);
}

static void print_key(const sl_key *key, sl_buf *out);

static void print_value(const sl_value *v, sl_buf *out) {
    switch (v->type) {
    case SL_TYPE_INT:
        sl_number_put_i64(v->integer, out);
        break;
    case SL_TYPE_BOOL:
        sl_buf_text(out, v->boolean ? "true" : "false");
        break;
    case SL_TYPE_STRING:
        print_string(v->string, out);
        break;
    case SL_TYPE_BINARY:
        sl_buf_text(out, "binary(");
        print_string(v->string, out);
        sl_buf_byte(out, ')');
        break;
    case SL_TYPE_TIMESTAMP:
        sl_buf_printf(out, "T%lld:%d", (long long)v->timestamp.seconds,
                      (int)v->timestamp.nanoseconds);
        break;
    case SL_TYPE_FLOAT:
        print_real((double)v->single, true, out);
        break;
    case SL_TYPE_DOUBLE:
        print_real(v->real, false, out);
        break;
    case SL_TYPE_DECIMAL:
        print_decimal(v->decimal, out);
        break;
    case SL_TYPE_OBJECTID:
        sl_buf_text(out, "oid(");
        sl_objectid_to_text(v->objectid, out);
        sl_buf_byte(out, ')');
        break;
    case SL_TYPE_UUID:
        sl_buf_text(out, "uuid(");
        sl_uuid_to_text(v->uuid, out);
        sl_buf_byte(out, ')');
        break;
    case SL_TYPE_LINK:
        sl_buf_text(out, "obj(");
        print_string(v->link->class_name, out);
        sl_buf_text(out, ", ");
        print_key(&v->link->key, out);
        sl_buf_byte(out, ')');
        break;
    default:
        sl_buf_text(out, "NULL");
    }
}

static void print_key(const sl_key *key, sl_buf *out) {
    sl_value value;
    sl_key_value(key, &value);
    print_value(&value, out);
}

/* The name of a type behind @type stays as it was written. */
static void print_constant(const sl_expr *c, sl_buf *out) {
    if (c->names_type)
        print_string(c->text, out);
    else
        print_value(&c->value, out);
}

static void print_list(const sl_expr *list, sl_buf *out) {
    sl_buf_byte(out, '{');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i) sl_buf_text(out, ", ");
        print_constant(list->items[i], out);
    }
    sl_buf_byte(out, '}');
}

/* --- paths --- */

/* Blanks and line ends inside of a name, as the lexer takes them. */
static void print_name(sl_str name, sl_buf *out) {
    static const char plain[] = " \n\r\t", letters[] = " nrt";
    for (uint32_t i = 0; i < name.size; i++) {
        const char *escape = name.data[i] ? strchr(plain, name.data[i]) : NULL;
        if (escape) sl_buf_byte(out, '\\');
        sl_buf_byte(out, (uint8_t)(escape ? letters[escape - plain] : name.data[i]));
    }
}

static void print_step(const sl_query_step *step, const char *dot, bool list, sl_buf *out) {
    switch (step->kind) {
    case SL_STEP_INDEX:
        if (step->index == 0)
            sl_buf_text(out, "[FIRST]");
        else
            sl_buf_printf(out, "[%u]", step->index);
        break;
    case SL_STEP_FIRST:
        sl_buf_text(out, "[FIRST]");
        break;
    case SL_STEP_LAST:
        sl_buf_text(out, "[LAST]");
        break;
    case SL_STEP_EACH:
        if (!list) sl_buf_text(out, "[*]");
        break;
    case SL_STEP_ENTRY:
        sl_buf_text(out, "['");
        sl_buf_str(out, step->name);
        sl_buf_text(out, "']");
        break;
    case SL_STEP_KEYS:
        sl_buf_printf(out, "%s@keys", dot);
        break;
    case SL_STEP_LINKS:
        sl_buf_printf(out, "%s@links", dot);
        if (!step->cls) break;
        sl_buf_byte(out, '.');
        print_name(step->cls->name, out);
        sl_buf_byte(out, '.');
        print_name(step->name, out);
        break;
    default:
        sl_buf_text(out, dot);
        print_name(step->name, out);
    }
}

static const char *suffix_text(const sl_query_path *path) {
    static const char *const texts[] = {
        [SL_SUFFIX_NOTHING] = "",  [SL_SUFFIX_SIZE] = ".@size", [SL_SUFFIX_TYPE] = ".@type",
        [SL_SUFFIX_MAX] = ".@max", [SL_SUFFIX_MIN] = ".@min",   [SL_SUFFIX_SUM] = ".@sum",
        [SL_SUFFIX_AVG] = ".@avg"};
    return path->suffix == SL_SUFFIX_SIZE && path->counts_links ? ".@count" : texts[path->suffix];
}

static void print_path(const sl_query_path *path, sl_str variable, sl_buf *out) {
    sl_buf_str(out, variable);
    for (uint32_t i = 0; i < path->count; i++) {
        const sl_query_step *step = &path->steps[i];
        print_step(step, i || variable.size ? "." : "", step->kind == SL_STEP_EACH && step->of_list,
                   out);
    }
    if (path->all_entries) sl_buf_text(out, "[*]");
    sl_buf_text(out, suffix_text(path));
    if (path->member.size) sl_buf_byte(out, '.');
    print_name(path->member, out);
}

/* --- sides --- */

static void print_quantifier(uint8_t quantifier, sl_buf *out) {
    static const char *const texts[] = {"", "ANY ", "ALL ", "NONE "};
    sl_buf_text(out, texts[quantifier]);
}

/* Inside of a subquery paths begin with its variable. */
static const sl_str NO_VARIABLE = {"", 0, SL_NO_SYM};

static void print_in(const sl_expr *e, sl_str variable, sl_buf *out);

static void print_side(const sl_expr *e, sl_str variable, sl_buf *out);

/* A whole double stays a double: it divides otherwise than an int. */
static void print_operand(const sl_expr *e, sl_str variable, sl_buf *out) {
    print_side(e, variable, out);
    bool real = e->kind == SL_EXPR_CONSTANT && e->value.type == SL_TYPE_DOUBLE;
    if (real && e->value.real == floor(e->value.real) && fabs(e->value.real) < 1e15)
        sl_buf_text(out, ".0");
}

static void print_side(const sl_expr *e, sl_str variable, sl_buf *out) {
    print_quantifier(e->quantifier, out);
    switch (e->kind) {
    case SL_EXPR_LIST:
        print_list(e, out);
        break;
    case SL_EXPR_PATH:
        print_path(e->path, variable, out);
        break;
    case SL_EXPR_SUBQUERY:
        sl_buf_text(out, "SUBQUERY(");
        print_path(e->path, variable, out);
        sl_buf_text(out, ", $x, ");
        print_in(e->items[0], sl_str_c("$x"), out);
        sl_buf_text(out, ").@count");
        break;
    case SL_EXPR_ARITHMETIC:
        sl_buf_byte(out, '(');
        print_operand(e->items[0], variable, out);
        sl_buf_printf(out, " %c ", e->arithmetic);
        print_operand(e->items[1], variable, out);
        sl_buf_byte(out, ')');
        break;
    default:
        print_constant(e, out);
    }
}

static const char *operator_text(uint8_t op) {
    static const char *const texts[] = {"==", "!=",         "<",        "<=",       ">",
                                        ">=", "BEGINSWITH", "ENDSWITH", "CONTAINS", "LIKE"};
    return texts[op];
}

/* --- comparisons, in the forms that the reference compiles them to --- */

static bool single_path(const sl_expr *e) {
    return e->kind == SL_EXPR_PATH && !e->path->many && !e->path->suffix && !e->path->through_links;
}

/* i >= 5 is i > 4. False: printed as it is. */
static bool print_whole_bound(const sl_expr *e, sl_str variable, sl_buf *out) {
    const sl_expr *left = e->items[0], *right = e->items[1];
    bool least = e->op == SL_OP_GREATEREQ;
    if (!least && e->op != SL_OP_LESSEQ) return false;
    if (!single_path(left) || left->type != SL_TYPE_INT || right->kind != SL_EXPR_CONSTANT ||
        right->value.type != SL_TYPE_INT)
        return false;
    int64_t bound = right->value.integer;
    if (bound == (least ? INT64_MIN : INT64_MAX)) {
        sl_buf_text(out, "TRUEPREDICATE");
        return true;
    }
    print_side(left, variable, out);
    sl_buf_printf(out, " %c %lld", least ? '>' : '<', (long long)(least ? bound - 1 : bound + 1));
    return true;
}

static void print_one(const sl_expr *left, const char *op, const sl_expr *c, sl_str variable,
                      sl_buf *out) {
    print_side(left, variable, out);
    sl_buf_printf(out, " %s ", op);
    print_constant(c, out);
}

/* A single property that is one of some constants. False: printed as it is. */
static bool print_membership(const sl_expr *e, sl_str variable, sl_buf *out) {
    const sl_expr *left = e->items[0], *list = e->items[1];
    bool any = list->quantifier == SL_QUANT_UNSAID || list->quantifier == SL_QUANT_ANY;
    if (list->kind != SL_EXPR_LIST || e->op != SL_OP_EQUAL || e->fold || !any || !list->count ||
        !single_path(left) || left->type == SL_TYPE_MIXED)
        return false;
    if (left->type == SL_TYPE_INT || left->type == SL_TYPE_STRING ||
        left->type == SL_TYPE_OBJECTID || left->type == SL_TYPE_UUID) {
        print_side(left, variable, out);
        sl_buf_text(out, " IN ");
        print_list(list, out);
        return true;
    }
    if (list->count > 1) sl_buf_byte(out, '(');
    for (uint32_t i = 0; i < list->count; i++) {
        if (i) sl_buf_text(out, " or ");
        print_one(left, "==", list->items[i], variable, out);
    }
    if (list->count > 1) sl_buf_byte(out, ')');
    return true;
}

static void print_compare(const sl_expr *e, sl_str variable, sl_buf *out) {
    const sl_expr *left = e->items[0], *right = e->items[1];
    if (print_whole_bound(e, variable, out) || print_membership(e, variable, out)) return;
    bool null = right->kind == SL_EXPR_CONSTANT && right->value.type == SL_TYPE_NULL;
    print_side(left, variable, out);
    sl_buf_printf(out, " %s%s ", operator_text(e->op), e->fold && !null ? "[c]" : "");
    if (null && single_path(left) && left->type == SL_TYPE_MIXED)
        sl_buf_text(out, "null");
    else
        print_side(right, variable, out);
}

static void print_between(const sl_expr *e, sl_str variable, sl_buf *out) {
    const sl_expr *value = e->items[0], *ends = e->items[1];
    bool one =
        single_path(value) && (value->type == SL_TYPE_INT || value->type == SL_TYPE_TIMESTAMP);
    if (one) {
        print_side(value, variable, out);
        sl_buf_text(out, " between ");
        print_list(ends, out);
        return;
    }
    print_one(value, ">=", ends->items[0], variable, out);
    sl_buf_text(out, " and ");
    print_one(value, "<=", ends->items[1], variable, out);
}

/* --- areas --- */

static void print_point(sl_geo_point point, sl_buf *out) {
    sl_buf_byte(out, '[');
    print_real(point.longitude, false, out);
    sl_buf_text(out, ", ");
    print_real(point.latitude, false, out);
    sl_buf_byte(out, ']');
}

static void print_shape(const sl_geo *geo, sl_buf *out) {
    if (geo->kind == SL_GEO_CIRCLE) {
        sl_buf_text(out, "GeoCircle(");
        print_point(geo->centre, out);
        sl_buf_text(out, ", ");
        print_real(geo->radius, false, out);
        sl_buf_byte(out, ')');
        return;
    }
    sl_buf_text(out, "GeoPolygon(");
    for (uint32_t i = 0; i < geo->loop_count; i++) {
        sl_buf_text(out, i ? ", {" : "{");
        for (uint32_t k = 0; k < geo->loops[i].count; k++) {
            if (k) sl_buf_text(out, ", ");
            print_point(geo->loops[i].points[k], out);
        }
        sl_buf_byte(out, '}');
    }
    sl_buf_byte(out, ')');
}

/* --- the tree --- */

static void print_chain(const sl_expr *e, sl_str variable, sl_buf *out) {
    bool any = e->kind == SL_EXPR_OR;
    if (any) sl_buf_byte(out, '(');
    for (uint32_t i = 0; i < e->count; i++) {
        if (i) sl_buf_text(out, any ? " or " : " and ");
        print_in(e->items[i], variable, out);
    }
    if (any) sl_buf_byte(out, ')');
}

static void print_in(const sl_expr *e, sl_str variable, sl_buf *out) {
    switch (e->kind) {
    case SL_EXPR_TRUE:
        sl_buf_text(out, "TRUEPREDICATE");
        break;
    case SL_EXPR_FALSE:
        sl_buf_text(out, "FALSEPREDICATE");
        break;
    case SL_EXPR_AND:
    case SL_EXPR_OR:
        print_chain(e, variable, out);
        break;
    case SL_EXPR_NOT:
        sl_buf_text(out, "!(");
        print_in(e->items[0], variable, out);
        sl_buf_byte(out, ')');
        break;
    case SL_EXPR_BETWEEN:
        print_between(e, variable, out);
        break;
    case SL_EXPR_WITHIN:
        print_side(e->items[0], variable, out);
        sl_buf_text(out, " GEOWITHIN ");
        print_shape(e->shape, out);
        break;
    default:
        print_compare(e, variable, out);
    }
}

static void print_ordering(const sl_ordering *o, sl_buf *out) {
    static const char *const names[] = {" SORT(", " DISTINCT(", " LIMIT("};
    sl_buf_text(out, names[o->kind]);
    if (o->kind == SL_ORDERING_LIMIT) sl_number_put_u64(o->limit, out);
    for (uint32_t i = 0; i < o->count; i++) {
        if (i) sl_buf_text(out, ", ");
        print_path(o->paths[i], NO_VARIABLE, out);
        if (o->kind == SL_ORDERING_SORT) sl_buf_text(out, o->descending[i] ? " DESC" : " ASC");
    }
    sl_buf_byte(out, ')');
}

bool sl_predicate_print(const sl_predicate *p, sl_buf *out) {
    uint32_t count;
    print_in(sl_predicate_tree(p), NO_VARIABLE, out);
    const sl_ordering *orderings = sl_predicate_orderings(p, &count);
    for (uint32_t i = 0; i < count; i++)
        print_ordering(&orderings[i], out);
    return !out->failed;
}
