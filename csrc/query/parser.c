#include "query/parser.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "query/literal.h"
#include "query/token.h"

typedef struct parser {
    sl_str text;
    sl_token token; /* the one that comes next */
    sl_arena *arena;
    sl_status *st;
    const sl_query_argument *args;
    uint32_t arg_count;
    uint32_t depth, operations;
    sl_str variable; /* of the subquery that is being read; size 0 = none */
} parser;

/* --- errors and tokens --- */

static bool expected(parser *p, const char *what) {
    const sl_token *t = &p->token;
    if (t->kind == SL_TOK_END)
        return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", t->offset,
                          "the query ends where %s was expected", what);
    return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", t->offset,
                      "'%.*s' where %s was expected", t->text.size > 40 ? 40 : (int)t->text.size,
                      t->text.data, what);
}

static bool advance(parser *p) {
    return sl_token_read(p->text, p->token.offset + p->token.text.size, &p->token, p->st);
}

static bool at(const parser *p, sl_token_kind kind) {
    return p->token.kind == kind;
}

static bool at_sign(const parser *p, char c) {
    return at(p, SL_TOK_PUNCTUATION) && *p->token.text.data == c;
}

static bool take_sign(parser *p, char c, const char *what) {
    return at_sign(p, c) ? advance(p) : expected(p, what);
}

/* --- nodes --- */

static sl_expr *node(parser *p, sl_expr_kind kind, uint32_t count) {
    sl_expr *e = sl_arena_zero(p->arena, 1, sizeof *e);
    if (e && count) e->items = sl_arena_zero(p->arena, count, sizeof *e->items);
    if (!e || (count && !e->items)) {
        sl_fail_memory(p->st);
        return NULL;
    }
    e->kind = (uint8_t)kind;
    e->count = count;
    e->offset = p->token.offset;
    return e;
}

/* Adds to the items of a node; the room doubles. */
static bool push(parser *p, sl_expr *e, sl_expr *item) {
    if ((e->count & (e->count - 1)) == 0) { /* 0 or a power of two: the room is full */
        size_t room = e->count ? 2 * (size_t)e->count : 1;
        sl_expr **items = sl_arena_alloc(p->arena, room * sizeof *items);
        if (!items) return sl_fail_memory(p->st);
        if (e->count) memcpy(items, e->items, e->count * sizeof *items);
        e->items = items;
    }
    e->items[e->count++] = item;
    return true;
}

static bool is_predicate(const sl_expr *e) {
    return e->kind <= SL_EXPR_WITHIN;
}

static bool enter(parser *p) {
    if (++p->depth <= SL_QUERY_MAX_NESTING) return true;
    return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", p->token.offset,
                      "more than %d parentheses, negations and subqueries in one another",
                      SL_QUERY_MAX_NESTING);
}

static sl_expr *parse_or(parser *p);
static sl_query_path *parse_path(parser *p);

/* --- constants --- */

static const sl_query_argument *argument(parser *p) {
    int64_t number = sl_literal_integer(sl_str_of(p->token.text.data + 1, p->token.text.size - 1));
    /* "$010" is not octal, and the text of no argument begins with a zero anyway. */
    if (number >= 0 && number < (int64_t)p->arg_count) return &p->args[number];
    sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", p->token.offset, "%.*s: there %s %u argument%s",
               (int)p->token.text.size, p->token.text.data, p->arg_count == 1 ? "is" : "are",
               p->arg_count, p->arg_count == 1 ? "" : "s");
    return NULL;
}

static sl_expr *constant_of(parser *p, const sl_value *value) {
    sl_expr *e = node(p, SL_EXPR_CONSTANT, 0);
    if (e) e->value = *value;
    return e;
}

static sl_expr *parse_argument(parser *p) {
    const sl_query_argument *arg = argument(p);
    if (!arg) return NULL;
    sl_expr *e = arg->list ? node(p, SL_EXPR_LIST, 0) : constant_of(p, arg->values);
    for (uint32_t i = 0; e && arg->list && i < arg->count; i++) {
        sl_expr *item = constant_of(p, &arg->values[i]);
        if (!item || !push(p, e, item)) return NULL;
    }
    return e && advance(p) ? e : NULL;
}

/* binary("...") and binary(B64"..."). */
static sl_expr *parse_binary(parser *p) {
    if (!advance(p) || !take_sign(p, '(', "'('")) return NULL;
    if (!at(p, SL_TOK_STRING) && !at(p, SL_TOK_BASE64)) {
        expected(p, "a string");
        return NULL;
    }
    sl_value value;
    if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return NULL;
    value.type = SL_TYPE_BINARY;
    sl_expr *e = constant_of(p, &value);
    return e && advance(p) && take_sign(p, ')', "')'") ? e : NULL;
}

static bool key_of(parser *p, const sl_expr *constant, sl_key *key) {
    const sl_value *v = &constant->value;
    *key = (sl_key){.type = v->type};
    switch (v->type) {
    case SL_TYPE_NULL:
        return true;
    case SL_TYPE_INT:
        key->integer = v->integer;
        return true;
    case SL_TYPE_STRING:
        key->string = v->string;
        return true;
    case SL_TYPE_OBJECTID:
        memcpy(key->objectid, v->objectid, sizeof key->objectid);
        return true;
    case SL_TYPE_UUID:
        memcpy(key->uuid, v->uuid, sizeof key->uuid);
        return true;
    default:
        return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", constant->offset,
                          "the value is no key of an object");
    }
}

static sl_expr *parse_constant(parser *p);

/* obj("Class", key) */
static sl_expr *parse_object(parser *p) {
    if (!advance(p) || !take_sign(p, '(', "'('")) return NULL;
    sl_value name;
    if (!at(p, SL_TOK_STRING)) {
        expected(p, "the name of a class as a string");
        return NULL;
    }
    if (!sl_literal_value(&p->token, p->arena, &name, p->st) || !advance(p)) return NULL;
    if (!take_sign(p, ',', "','")) return NULL;
    sl_expr *key = parse_constant(p);
    sl_link *link = key ? sl_arena_zero(p->arena, 1, sizeof *link) : NULL;
    if (key && !link) sl_fail_memory(p->st);
    if (!link || !key_of(p, key, &link->key) || !take_sign(p, ')', "')'")) return NULL;
    link->class_name = name.string;
    return constant_of(p, &(sl_value){.type = SL_TYPE_LINK, .link = link});
}

static bool begins_constant(const parser *p) {
    switch (p->token.kind) {
    case SL_TOK_NATURAL:
    case SL_TOK_NUMBER:
    case SL_TOK_FLOAT:
    case SL_TOK_INFINITY:
    case SL_TOK_NAN:
    case SL_TOK_STRING:
    case SL_TOK_BASE64:
    case SL_TOK_TIMESTAMP:
    case SL_TOK_DATE:
    case SL_TOK_UUID:
    case SL_TOK_OID:
    case SL_TOK_TRUE:
    case SL_TOK_FALSE:
    case SL_TOK_NULL:
    case SL_TOK_ARGUMENT:
    case SL_TOK_OBJ:
        return true;
    default:
        return false;
    }
}

/* `binary` is also a name: it begins a constant only before "(". */
static bool begins_binary(const parser *p) {
    size_t end = p->token.offset + p->token.text.size;
    sl_token next;
    return at(p, SL_TOK_BINARY) && sl_token_read(p->text, end, &next, NULL) &&
           next.kind == SL_TOK_PUNCTUATION && *next.text.data == '(';
}

static sl_expr *parse_constant(parser *p) {
    if (begins_binary(p)) return parse_binary(p);
    if (at(p, SL_TOK_OBJ)) return parse_object(p);
    if (at(p, SL_TOK_ARGUMENT)) return parse_argument(p);
    if (!begins_constant(p)) {
        expected(p, "a value");
        return NULL;
    }
    sl_value value;
    if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return NULL;
    sl_expr *e = constant_of(p, &value);
    if (!e) return NULL;
    if (value.type == SL_TYPE_INT || value.type == SL_TYPE_DOUBLE) e->text = p->token.text;
    return advance(p) ? e : NULL;
}

static sl_expr *parse_list(parser *p) {
    sl_expr *list = node(p, SL_EXPR_LIST, 0);
    if (!list || !advance(p)) return NULL;
    while (!at_sign(p, '}')) {
        if (list->count && !take_sign(p, ',', "',' or '}'")) return NULL;
        sl_expr *item = parse_constant(p);
        if (!item) return NULL;
        if (item->kind != SL_EXPR_CONSTANT) {
            sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", item->offset, "a list inside of a list");
            return NULL;
        }
        if (!push(p, list, item)) return NULL;
    }
    return advance(p) ? list : NULL;
}

/* --- paths --- */

typedef struct steps {
    sl_query_step list[SL_QUERY_MAX_STEPS];
    uint32_t count;
} steps;

static sl_query_step *add_step(parser *p, steps *s, sl_query_step_kind kind) {
    if (s->count == SL_QUERY_MAX_STEPS) {
        sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", p->token.offset,
                   "a path of more than %d steps", SL_QUERY_MAX_STEPS);
        return NULL;
    }
    sl_query_step *step = &s->list[s->count++];
    *step =
        (sl_query_step){.kind = (uint8_t)kind, .name = p->token.text, .offset = p->token.offset};
    return step;
}

/* What stands in brackets behind a path; *size = it was [SIZE]. */
static bool bracket(parser *p, steps *s, bool *size) {
    if (!advance(p)) return false;
    sl_value value;
    sl_query_step *step = NULL;
    if (at(p, SL_TOK_SIZE)) {
        *size = true;
        return advance(p) && take_sign(p, ']', "']'");
    }
    if (at(p, SL_TOK_NATURAL)) {
        step = add_step(p, s, SL_STEP_INDEX);
        int64_t index = sl_literal_integer(p->token.text);
        if (step) step->index = index > UINT32_MAX ? UINT32_MAX : (uint32_t)index;
    } else if (at(p, SL_TOK_FIRST)) {
        step = add_step(p, s, SL_STEP_FIRST);
    } else if (at(p, SL_TOK_LAST)) {
        step = add_step(p, s, SL_STEP_LAST);
    } else if (at_sign(p, '*')) {
        step = add_step(p, s, SL_STEP_EACH);
    } else if (at(p, SL_TOK_STRING)) {
        if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return false;
        if ((step = add_step(p, s, SL_STEP_ENTRY))) step->name = value.string;
    } else if (at(p, SL_TOK_ARGUMENT)) {
        const sl_query_argument *arg = argument(p);
        if (!arg || arg->list ||
            (arg->values->type != SL_TYPE_STRING && arg->values->type != SL_TYPE_INT))
            return arg && expected(p, "an argument that is a string or a whole number");
        bool entry = arg->values->type == SL_TYPE_STRING;
        if ((step = add_step(p, s, entry ? SL_STEP_ENTRY : SL_STEP_INDEX))) {
            if (entry)
                step->name = arg->values->string;
            else
                step->index =
                    arg->values->integer < 0 ? UINT32_MAX : (uint32_t)arg->values->integer;
        }
    } else {
        return expected(p, "a number, FIRST, LAST, SIZE, * or a key as a string");
    }
    return step && advance(p) && take_sign(p, ']', "']'");
}

/* The letters behind a backslash: the name holds the character itself. */
static bool unescape(parser *p, sl_str *name) {
    if (!memchr(name->data, '\\', name->size)) return true;
    char *to = sl_arena_bytes(p->arena, name->size);
    if (!to) return sl_fail_memory(p->st);
    uint32_t n = 0;
    for (uint32_t i = 0; i < name->size; i++) {
        char c = name->data[i];
        if (c == '\\') {
            c = name->data[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        to[n++] = c;
    }
    *name = sl_str_of(to, n);
    return true;
}

static bool suffix_of(sl_token_kind kind, sl_suffix *suffix) {
    static const uint8_t suffixes[] = {
        [SL_TOK_AT_SIZE] = SL_SUFFIX_SIZE, [SL_TOK_AT_TYPE] = SL_SUFFIX_TYPE,
        [SL_TOK_AT_MAX] = SL_SUFFIX_MAX,   [SL_TOK_AT_MIN] = SL_SUFFIX_MIN,
        [SL_TOK_AT_SUM] = SL_SUFFIX_SUM,   [SL_TOK_AT_AVG] = SL_SUFFIX_AVG};
    if ((size_t)kind >= sizeof suffixes || !suffixes[kind]) return false;
    *suffix = (sl_suffix)suffixes[kind];
    return true;
}

/* A name, or one of the words with @ that lead on. */
static bool named_step(parser *p, steps *s) {
    sl_query_step *step = NULL;
    if (at(p, SL_TOK_AT_KEYS)) {
        step = add_step(p, s, SL_STEP_KEYS);
    } else if (at(p, SL_TOK_AT_VALUES)) {
        step = add_step(p, s, SL_STEP_EACH);
    } else if (at(p, SL_TOK_AT_LINKS)) {
        step = add_step(p, s, SL_STEP_LINKS);
    } else if (sl_token_is_name(&p->token)) {
        step = add_step(p, s, SL_STEP_NAME);
        if (step && !unescape(p, &step->name)) return false;
    } else {
        return expected(p, "the name of a property");
    }
    return step && advance(p);
}

static sl_query_path *finish_path(parser *p, const steps *s, sl_suffix suffix) {
    sl_query_path *path = sl_arena_zero(p->arena, 1, sizeof *path);
    sl_query_step *list =
        path ? sl_arena_alloc(p->arena, (s->count + (size_t)1) * sizeof *list) : NULL;
    if (!list) {
        sl_fail_memory(p->st);
        return NULL;
    }
    memcpy(list, s->list, s->count * sizeof *list);
    path->steps = list;
    path->count = s->count;
    path->suffix = (uint8_t)suffix;
    return path;
}

/* Behind @max and its kind a member of the objects may come. */
static bool member(parser *p, sl_query_path *path) {
    if (path->suffix < SL_SUFFIX_MAX || !at_sign(p, '.')) return true;
    if (!advance(p)) return false;
    if (!sl_token_is_name(&p->token)) return expected(p, "the name of a property");
    path->member = p->token.text;
    return unescape(p, &path->member) && advance(p);
}

/* The variable of a subquery stands for the object itself. */
static bool skip_variable(parser *p) {
    if (!p->variable.size || !sl_str_eq(p->token.text, p->variable)) return true;
    return advance(p) && take_sign(p, '.', "'.' and a property of the object");
}

static sl_query_path *parse_path(parser *p) {
    steps s = {.count = 0};
    sl_suffix suffix = SL_SUFFIX_NOTHING;
    bool size = false;
    if (!skip_variable(p) || !named_step(p, &s)) return NULL;
    while (!size && !suffix) {
        if (at_sign(p, '[')) {
            if (!bracket(p, &s, &size)) return NULL;
        } else if (at_sign(p, '.')) {
            if (!advance(p)) return NULL;
            if (suffix_of(p->token.kind, &suffix) ? !advance(p) : !named_step(p, &s)) return NULL;
        } else {
            break;
        }
    }
    sl_query_path *path = finish_path(p, &s, size ? SL_SUFFIX_SIZE : suffix);
    return path && member(p, path) ? path : NULL;
}

/* SUBQUERY(path, $x, query).@count */
static sl_expr *parse_subquery(parser *p) {
    sl_expr *e = node(p, SL_EXPR_SUBQUERY, 1);
    if (!e || !enter(p) || !advance(p) || !take_sign(p, '(', "'('")) return NULL;
    e->path = parse_path(p);
    if (!e->path || !take_sign(p, ',', "','")) return NULL;
    if (!at(p, SL_TOK_ID) || *p->token.text.data != '$') {
        expected(p, "a variable such as $x");
        return NULL;
    }
    sl_str outer = p->variable;
    p->variable = p->token.text;
    if (!advance(p) || !take_sign(p, ',', "','") || !(e->items[0] = parse_or(p))) return NULL;
    p->variable = outer;
    if (!is_predicate(e->items[0])) {
        expected(p, "a comparison");
        return NULL;
    }
    if (!take_sign(p, ')', "')'") || !take_sign(p, '.', "'.@count'")) return NULL;
    if (!at(p, SL_TOK_AT_SIZE)) {
        expected(p, "@count");
        return NULL;
    }
    p->depth--;
    return advance(p) ? e : NULL;
}

/* --- areas --- */

/* The reference reads no whole negative number here, but writes them: what is spelled as its
 * printer spells the shape comes from an SDK and may hold them. */
static bool geo_number(parser *p, bool printed, double *number) {
    sl_value value;
    if (at(p, SL_TOK_ARGUMENT)) {
        const sl_query_argument *arg = argument(p);
        if (!arg) return false;
        value = (sl_value){.type = SL_TYPE_NULL};
        if (!arg->list) value = arg->values[0];
    } else {
        if (!at(p, SL_TOK_NATURAL) && !at(p, SL_TOK_FLOAT) && !at(p, SL_TOK_INFINITY) &&
            !at(p, SL_TOK_NAN) && !(printed && at(p, SL_TOK_NUMBER)))
            return expected(p, "a number");
        if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return false;
    }
    if (value.type != SL_TYPE_INT && value.type != SL_TYPE_DOUBLE) return expected(p, "a number");
    *number = value.type == SL_TYPE_INT ? (double)value.integer : value.real;
    return advance(p);
}

static bool geo_point(parser *p, bool printed, sl_geo_point *point) {
    double altitude;
    if (!take_sign(p, '[', "'[' and a point") || !geo_number(p, printed, &point->longitude) ||
        !take_sign(p, ',', "','") || !geo_number(p, printed, &point->latitude))
        return false;
    if (at_sign(p, ',') && (!advance(p) || !geo_number(p, printed, &altitude))) return false;
    return take_sign(p, ']', "']'");
}

static bool geo_box(parser *p, bool printed, sl_geo *geo) {
    geo->loops = sl_arena_zero(p->arena, 1, sizeof *geo->loops);
    sl_geo_point *points = sl_arena_zero(p->arena, 2, sizeof *points);
    if (!geo->loops || !points) return sl_fail_memory(p->st);
    geo->loop_count = 1;
    geo->loops[0] = (sl_geo_loop){.points = points, .count = 2};
    return geo_point(p, printed, &points[0]) && take_sign(p, ',', "','") &&
           geo_point(p, printed, &points[1]);
}

static bool geo_loop(parser *p, bool printed, sl_geo_loop *loop, uint32_t *budget) {
    uint32_t room = 0;
    if (!take_sign(p, '{', "'{' and points")) return false;
    do {
        if (loop->count && !advance(p)) return false;
        if (!*budget)
            return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", p->token.offset,
                              "a polygon of more than %d vertices", SL_GEO_MAX_VERTICES);
        if (loop->count == room) {
            room = room ? room * 2 : 8;
            sl_geo_point *points = sl_arena_alloc(p->arena, room * sizeof *points);
            if (!points) return sl_fail_memory(p->st);
            if (loop->count) memcpy(points, loop->points, loop->count * sizeof *points);
            loop->points = points;
        }
        if (!geo_point(p, printed, &loop->points[loop->count])) return false;
        loop->count++;
        (*budget)--;
    } while (at_sign(p, ','));
    return take_sign(p, '}', "',' or '}'");
}

static bool geo_polygon(parser *p, bool printed, sl_geo *geo) {
    uint32_t budget = SL_GEO_MAX_VERTICES, room = 0;
    do {
        if (geo->loop_count && !advance(p)) return false;
        if (geo->loop_count == room) {
            room = room ? room * 2 : 2;
            sl_geo_loop *loops = sl_arena_zero(p->arena, room, sizeof *loops);
            if (!loops) return sl_fail_memory(p->st);
            if (geo->loop_count) memcpy(loops, geo->loops, geo->loop_count * sizeof *loops);
            geo->loops = loops;
        }
        if (!geo_loop(p, printed, &geo->loops[geo->loop_count], &budget)) return false;
        geo->loop_count++;
    } while (at_sign(p, ','));
    return true;
}

static sl_geo *parse_geo(parser *p) {
    sl_geo *geo = sl_arena_zero(p->arena, 1, sizeof *geo);
    if (!geo) {
        sl_fail_memory(p->st);
        return NULL;
    }
    sl_token_kind kind = p->token.kind;
    if (kind != SL_TOK_GEOBOX && kind != SL_TOK_GEOPOLYGON && kind != SL_TOK_GEOCIRCLE) {
        expected(p, "geoBox, geoPolygon or geoCircle");
        return NULL;
    }
    geo->kind = (uint8_t)(kind == SL_TOK_GEOBOX       ? SL_GEO_BOX
                          : kind == SL_TOK_GEOPOLYGON ? SL_GEO_POLYGON
                                                      : SL_GEO_CIRCLE);
    bool printed = memcmp(p->token.text.data, "Geo", 3) == 0, ok;
    if (!advance(p) || !take_sign(p, '(', "'('")) return NULL;
    if (kind == SL_TOK_GEOCIRCLE)
        ok = geo_point(p, printed, &geo->centre) && take_sign(p, ',', "','") &&
             geo_number(p, printed, &geo->radius);
    else
        ok = kind == SL_TOK_GEOBOX ? geo_box(p, printed, geo) : geo_polygon(p, printed, geo);
    return ok && take_sign(p, ')', "')'") ? geo : NULL;
}

/* --- expressions --- */

static sl_quantifier quantifier(parser *p) {
    return at(p, SL_TOK_ANY)    ? SL_QUANT_ANY
           : at(p, SL_TOK_ALL)  ? SL_QUANT_ALL
           : at(p, SL_TOK_NONE) ? SL_QUANT_NONE
                                : SL_QUANT_UNSAID;
}

static sl_expr *parse_value(parser *p) {
    size_t offset = p->token.offset;
    sl_quantifier q = quantifier(p);
    sl_expr *e;
    if (q && !advance(p)) return NULL;
    if (at_sign(p, '{')) {
        e = parse_list(p);
    } else if (at(p, SL_TOK_ARGUMENT) || (!q && (begins_constant(p) || begins_binary(p)))) {
        e = parse_constant(p);
    } else if (!q && at(p, SL_TOK_SUBQUERY)) {
        e = parse_subquery(p);
    } else if (sl_token_is_name(&p->token) || at(p, SL_TOK_AT_LINKS)) {
        if ((e = node(p, SL_EXPR_PATH, 0)) && !(e->path = parse_path(p))) return NULL;
    } else {
        expected(p, "a property or a value");
        return NULL;
    }
    if (!e) return NULL;
    e->quantifier = (uint8_t)q;
    e->offset = offset;
    return e;
}

static sl_expr *parse_factor(parser *p) {
    if (!at_sign(p, '(')) return parse_value(p);
    if (!enter(p) || !advance(p)) return NULL;
    sl_expr *inner = parse_or(p);
    if (!inner || !take_sign(p, ')', "')'")) return NULL;
    p->depth--;
    return inner;
}

static sl_expr *arithmetic(parser *p, sl_expr *left, sl_expr *(*operand)(parser *)) {
    sl_expr *e = node(p, SL_EXPR_ARITHMETIC, 2);
    if (!e) return NULL;
    /* Each one makes the tree deeper. */
    if (++p->operations > SL_QUERY_MAX_DEPTH) {
        expected(p, "no more arithmetic");
        return NULL;
    }
    e->arithmetic = *p->token.text.data;
    if (is_predicate(left)) {
        expected(p, "AND, OR or the end");
        return NULL;
    }
    e->items[0] = left;
    if (!advance(p) || !(e->items[1] = operand(p))) return NULL;
    if (is_predicate(e->items[1])) {
        expected(p, "a value");
        return NULL;
    }
    return e;
}

static sl_expr *parse_term(parser *p) {
    sl_expr *left = parse_factor(p);
    while (left && (at_sign(p, '*') || at_sign(p, '/')))
        left = arithmetic(p, left, parse_factor);
    return left;
}

static sl_expr *parse_sum(parser *p) {
    sl_expr *left = parse_term(p);
    while (left && (at_sign(p, '+') || at_sign(p, '-')))
        left = arithmetic(p, left, parse_term);
    return left;
}

/* --- comparisons --- */

static bool operator_of(const parser *p, sl_operator *op, bool *text) {
    static const struct {
        sl_token_kind token;
        sl_operator op;
    } table[] = {{SL_TOK_EQUAL, SL_OP_EQUAL},
                 {SL_TOK_IN, SL_OP_EQUAL},
                 {SL_TOK_NOTEQUAL, SL_OP_NOTEQUAL},
                 {SL_TOK_LESS, SL_OP_LESS},
                 {SL_TOK_LESSEQ, SL_OP_LESSEQ},
                 {SL_TOK_GREATER, SL_OP_GREATER},
                 {SL_TOK_GREATEREQ, SL_OP_GREATEREQ},
                 {SL_TOK_BEGINSWITH, SL_OP_BEGINSWITH},
                 {SL_TOK_ENDSWITH, SL_OP_ENDSWITH},
                 {SL_TOK_CONTAINS, SL_OP_CONTAINS},
                 {SL_TOK_LIKE, SL_OP_LIKE}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (p->token.kind != table[i].token) continue;
        *op = table[i].op;
        *text = *op >= SL_OP_BEGINSWITH;
        return true;
    }
    return false;
}

static bool plain_value(parser *p, const sl_expr *e) {
    if (e->kind != SL_EXPR_ARITHMETIC && !is_predicate(e)) return true;
    return expected(p, "a property or a value on the left");
}

static sl_expr *parse_between(parser *p, sl_expr *left) {
    sl_expr *e = node(p, SL_EXPR_BETWEEN, 2);
    if (!e || !plain_value(p, left) || !advance(p)) return NULL;
    if (!at_sign(p, '{') && !at(p, SL_TOK_ARGUMENT)) {
        expected(p, "'{' and two values");
        return NULL;
    }
    e->items[0] = left;
    e->items[1] = at_sign(p, '{') ? parse_list(p) : parse_argument(p);
    return e->items[1] ? e : NULL;
}

static sl_expr *parse_within(parser *p, sl_expr *left) {
    sl_expr *e = node(p, SL_EXPR_WITHIN, 1);
    if (!e) return NULL;
    e->items[0] = left;
    if (left->kind != SL_EXPR_PATH) {
        expected(p, "a property on the left");
        return NULL;
    }
    if (!advance(p) || !(e->shape = parse_geo(p))) return NULL;
    return e;
}

static sl_expr *parse_compare(parser *p) {
    sl_expr *left = parse_sum(p);
    if (!left || is_predicate(left)) return left;
    if (at(p, SL_TOK_BETWEEN)) return parse_between(p, left);
    if (at(p, SL_TOK_GEOWITHIN)) return parse_within(p, left);
    if (at(p, SL_TOK_TEXT)) {
        sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", p->token.offset,
                   "TEXT: full-text search is not supported");
        return NULL;
    }
    sl_operator op;
    bool text;
    /* Inside of parentheses it may be a part of arithmetic; whoever needs a predicate says so. */
    if (!operator_of(p, &op, &text)) return left;
    sl_expr *e = node(p, SL_EXPR_COMPARE, 2);
    if (!e || (text && !plain_value(p, left))) return NULL;
    e->op = (uint8_t)op;
    e->in = at(p, SL_TOK_IN);
    if (!advance(p)) return NULL;
    if (at(p, SL_TOK_CASE) && (text || op <= SL_OP_NOTEQUAL)) {
        e->fold = true;
        if (!advance(p)) return NULL;
    }
    e->items[0] = left;
    e->items[1] = text ? parse_value(p) : parse_sum(p);
    if (!e->items[1]) return NULL;
    if (is_predicate(e->items[1])) {
        expected(p, "a value");
        return NULL;
    }
    return e;
}

static sl_expr *need_predicate(parser *p, sl_expr *e) {
    if (!e || is_predicate(e)) return e;
    expected(p, "a comparison such as == or IN");
    return NULL;
}

static sl_expr *parse_not(parser *p) {
    if (at(p, SL_TOK_TRUEPREDICATE) || at(p, SL_TOK_FALSEPREDICATE)) {
        sl_expr *e = node(p, at(p, SL_TOK_TRUEPREDICATE) ? SL_EXPR_TRUE : SL_EXPR_FALSE, 0);
        return e && advance(p) ? e : NULL;
    }
    if (!at(p, SL_TOK_NOT)) return parse_compare(p);
    sl_expr *e = node(p, SL_EXPR_NOT, 1);
    if (!e || !enter(p) || !advance(p)) return NULL;
    e->items[0] = need_predicate(p, parse_not(p));
    p->depth--;
    return e->items[0] ? e : NULL;
}

/* `a OP b OP c`: one node with all members. */
static sl_expr *chain(parser *p, sl_token_kind token, sl_expr_kind kind,
                      sl_expr *(*operand)(parser *)) {
    sl_expr *first = operand(p);
    if (!first || !at(p, token)) return first;
    sl_expr *e = node(p, kind, 0);
    if (!e || !need_predicate(p, first) || !push(p, e, first)) return NULL;
    while (at(p, token)) {
        if (!advance(p)) return NULL;
        sl_expr *next = need_predicate(p, operand(p));
        if (!next || !push(p, e, next)) return NULL;
    }
    return e;
}

static sl_expr *parse_and(parser *p) {
    return chain(p, SL_TOK_AND, SL_EXPR_AND, parse_not);
}

static sl_expr *parse_or(parser *p) {
    return chain(p, SL_TOK_OR, SL_EXPR_OR, parse_and);
}

/* --- what follows the predicate --- */

static bool sort_item(parser *p, sl_ordering *o) {
    if (o->count == SL_QUERY_MAX_STEPS) return expected(p, "')': no more properties");
    if (!(o->paths[o->count] = parse_path(p))) return false;
    if (o->kind == SL_ORDERING_SORT) {
        if (!at(p, SL_TOK_ASCENDING) && !at(p, SL_TOK_DESCENDING))
            return expected(p, "ASC or DESC");
        o->descending[o->count] = at(p, SL_TOK_DESCENDING);
        if (!advance(p)) return false;
    }
    o->count++;
    return true;
}

static bool parse_ordering(parser *p, sl_ordering *o) {
    *o = (sl_ordering){.kind = (uint8_t)(at(p, SL_TOK_SORT)       ? SL_ORDERING_SORT
                                         : at(p, SL_TOK_DISTINCT) ? SL_ORDERING_DISTINCT
                                                                  : SL_ORDERING_LIMIT)};
    if (!advance(p) || !take_sign(p, '(', "'('")) return false;
    if (o->kind == SL_ORDERING_LIMIT) {
        if (!at(p, SL_TOK_NATURAL)) return expected(p, "a whole number");
        o->limit = (uint64_t)sl_literal_integer(p->token.text);
        return advance(p) && take_sign(p, ')', "')'");
    }
    o->paths = sl_arena_zero(p->arena, SL_QUERY_MAX_STEPS, sizeof *o->paths);
    o->descending = sl_arena_zero(p->arena, SL_QUERY_MAX_STEPS, sizeof *o->descending);
    if (!o->paths || !o->descending) return sl_fail_memory(p->st);
    do {
        if (o->count && !advance(p)) return false;
        if (!sort_item(p, o)) return false;
    } while (at_sign(p, ','));
    return take_sign(p, ')', "',' or ')'");
}

static bool parse_orderings(parser *p, sl_parsed *out) {
    enum { MOST = 16 };
    out->orderings = sl_arena_zero(p->arena, MOST, sizeof *out->orderings);
    if (!out->orderings) return sl_fail_memory(p->st);
    while (at(p, SL_TOK_SORT) || at(p, SL_TOK_DISTINCT) || at(p, SL_TOK_LIMIT)) {
        if (out->ordering_count == MOST) return expected(p, "the end: no more orderings");
        if (!parse_ordering(p, &out->orderings[out->ordering_count])) return false;
        out->ordering_count++;
    }
    return true;
}

/* The nesting of the text bounds the recursion. */
static uint32_t tree_depth(const sl_expr *e) {
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < e->count && e->kind != SL_EXPR_LIST; i++) {
        uint32_t depth = tree_depth(e->items[i]);
        if (depth > deepest) deepest = depth;
    }
    return deepest + 1;
}

static bool check_depth(parser *p, const sl_expr *e) {
    if (tree_depth(e) <= SL_QUERY_MAX_DEPTH) return true;
    return sl_fail(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", "a query of more than %d levels",
                   SL_QUERY_MAX_DEPTH);
}

bool sl_query_parse(sl_str text, const sl_query_argument *args, uint32_t arg_count, sl_arena *arena,
                    sl_parsed *out, sl_status *st) {
    parser p = {.text = text, .arena = arena, .st = st, .args = args, .arg_count = arg_count};
    *out = (sl_parsed){0};
    if (text.size > SL_QUERY_MAX_TEXT)
        return sl_fail(st, SL_ERR_USAGE, "QUERY-SYNTAX",
                       "a query of %u bytes; at most %d are taken", text.size, SL_QUERY_MAX_TEXT);
    p.token = (sl_token){SL_TOK_END, sl_str_of(text.data, 0), 0};
    if (!sl_token_read(text, 0, &p.token, st)) return false;
    out->predicate = need_predicate(&p, parse_or(&p));
    if (!out->predicate || !parse_orderings(&p, out)) return false;
    if (!at(&p, SL_TOK_END)) return expected(&p, "AND, OR or the end");
    return check_depth(&p, out->predicate);
}
