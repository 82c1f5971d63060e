#include "query/parser.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "query/literal.h"
#include "query/parser_private.h"

/* --- errors and tokens --- */

bool sl_parser_expected(sl_parser *p, const char *what) {
    const sl_token *t = &p->token;
    if (t->kind == SL_TOK_END)
        return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", t->offset,
                          "the query ends where %s was expected", what);
    return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", t->offset,
                      "'%.*s' where %s was expected", t->text.size > 40 ? 40 : (int)t->text.size,
                      t->text.data, what);
}

bool sl_parser_advance(sl_parser *p) {
    return sl_token_read(p->text, p->token.offset + p->token.text.size, &p->token, p->st);
}

bool sl_parser_at(const sl_parser *p, sl_token_kind kind) {
    return p->token.kind == kind;
}

bool sl_parser_at_sign(const sl_parser *p, char c) {
    return sl_parser_at(p, SL_TOK_PUNCTUATION) && *p->token.text.data == c;
}

bool sl_parser_take_sign(sl_parser *p, char c, const char *what) {
    return sl_parser_at_sign(p, c) ? sl_parser_advance(p) : sl_parser_expected(p, what);
}

/* --- nodes --- */

static sl_expr *node(sl_parser *p, sl_expr_kind kind, uint32_t count) {
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
static bool push(sl_parser *p, sl_expr *e, sl_expr *item) {
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

static bool enter(sl_parser *p) {
    if (++p->depth <= SL_QUERY_MAX_NESTING) return true;
    return sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", p->token.offset,
                      "more than %d parentheses, negations and subqueries in one another",
                      SL_QUERY_MAX_NESTING);
}

static sl_expr *parse_or(sl_parser *p);
static sl_query_path *parse_path(sl_parser *p);

/* --- constants --- */

const sl_query_argument *sl_parser_argument(sl_parser *p) {
    int64_t number = sl_literal_integer(sl_str_of(p->token.text.data + 1, p->token.text.size - 1));
    /* "$010" is not octal, and the text of no argument begins with a zero anyway. */
    if (number >= 0 && number < (int64_t)p->arg_count) return &p->args[number];
    sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", p->token.offset, "%.*s: there %s %u argument%s",
               (int)p->token.text.size, p->token.text.data, p->arg_count == 1 ? "is" : "are",
               p->arg_count, p->arg_count == 1 ? "" : "s");
    return NULL;
}

static sl_expr *constant_of(sl_parser *p, const sl_value *value) {
    sl_expr *e = node(p, SL_EXPR_CONSTANT, 0);
    if (e) e->value = *value;
    return e;
}

static sl_expr *parse_argument(sl_parser *p) {
    const sl_query_argument *arg = sl_parser_argument(p);
    if (!arg) return NULL;
    sl_expr *e = arg->list ? node(p, SL_EXPR_LIST, 0) : constant_of(p, arg->values);
    for (uint32_t i = 0; e && arg->list && i < arg->count; i++) {
        sl_expr *item = constant_of(p, &arg->values[i]);
        if (!item || !push(p, e, item)) return NULL;
    }
    return e && sl_parser_advance(p) ? e : NULL;
}

/* binary("...") and binary(B64"..."). */
static sl_expr *parse_binary(sl_parser *p) {
    if (!sl_parser_advance(p) || !sl_parser_take_sign(p, '(', "'('")) return NULL;
    if (!sl_parser_at(p, SL_TOK_STRING) && !sl_parser_at(p, SL_TOK_BASE64)) {
        sl_parser_expected(p, "a string");
        return NULL;
    }
    sl_value value;
    if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return NULL;
    value.type = SL_TYPE_BINARY;
    sl_expr *e = constant_of(p, &value);
    return e && sl_parser_advance(p) && sl_parser_take_sign(p, ')', "')'") ? e : NULL;
}

static bool key_of(sl_parser *p, const sl_expr *constant, sl_key *key) {
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

static sl_expr *parse_constant(sl_parser *p);

/* obj("Class", key) */
static sl_expr *parse_object(sl_parser *p) {
    if (!sl_parser_advance(p) || !sl_parser_take_sign(p, '(', "'('")) return NULL;
    sl_value name;
    if (!sl_parser_at(p, SL_TOK_STRING)) {
        sl_parser_expected(p, "the name of a class as a string");
        return NULL;
    }
    if (!sl_literal_value(&p->token, p->arena, &name, p->st) || !sl_parser_advance(p)) return NULL;
    if (!sl_parser_take_sign(p, ',', "','")) return NULL;
    sl_expr *key = parse_constant(p);
    sl_link *link = key ? sl_arena_zero(p->arena, 1, sizeof *link) : NULL;
    if (key && !link) sl_fail_memory(p->st);
    if (!link || !key_of(p, key, &link->key) || !sl_parser_take_sign(p, ')', "')'")) return NULL;
    link->class_name = name.string;
    return constant_of(p, &(sl_value){.type = SL_TYPE_LINK, .link = link});
}

static bool begins_constant(const sl_parser *p) {
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
static bool begins_binary(const sl_parser *p) {
    size_t end = p->token.offset + p->token.text.size;
    sl_token next;
    return sl_parser_at(p, SL_TOK_BINARY) && sl_token_read(p->text, end, &next, NULL) &&
           next.kind == SL_TOK_PUNCTUATION && *next.text.data == '(';
}

static sl_expr *parse_constant(sl_parser *p) {
    if (begins_binary(p)) return parse_binary(p);
    if (sl_parser_at(p, SL_TOK_OBJ)) return parse_object(p);
    if (sl_parser_at(p, SL_TOK_ARGUMENT)) return parse_argument(p);
    if (!begins_constant(p)) {
        sl_parser_expected(p, "a value");
        return NULL;
    }
    sl_value value;
    if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return NULL;
    sl_expr *e = constant_of(p, &value);
    if (!e) return NULL;
    if (value.type == SL_TYPE_INT || value.type == SL_TYPE_DOUBLE) e->text = p->token.text;
    return sl_parser_advance(p) ? e : NULL;
}

static sl_expr *parse_list(sl_parser *p) {
    sl_expr *list = node(p, SL_EXPR_LIST, 0);
    if (!list || !sl_parser_advance(p)) return NULL;
    while (!sl_parser_at_sign(p, '}')) {
        if (list->count && !sl_parser_take_sign(p, ',', "',' or '}'")) return NULL;
        sl_expr *item = parse_constant(p);
        if (!item) return NULL;
        if (item->kind != SL_EXPR_CONSTANT) {
            sl_fail_at(p->st, SL_ERR_USAGE, "QUERY-TYPE", item->offset, "a list inside of a list");
            return NULL;
        }
        if (!push(p, list, item)) return NULL;
    }
    return sl_parser_advance(p) ? list : NULL;
}

/* --- paths --- */

typedef struct steps {
    sl_query_step list[SL_QUERY_MAX_STEPS];
    uint32_t count;
} steps;

static sl_query_step *add_step(sl_parser *p, steps *s, sl_query_step_kind kind) {
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
static bool bracket(sl_parser *p, steps *s, bool *size) {
    if (!sl_parser_advance(p)) return false;
    sl_value value;
    sl_query_step *step = NULL;
    if (sl_parser_at(p, SL_TOK_SIZE)) {
        *size = true;
        return sl_parser_advance(p) && sl_parser_take_sign(p, ']', "']'");
    }
    if (sl_parser_at(p, SL_TOK_NATURAL)) {
        step = add_step(p, s, SL_STEP_INDEX);
        int64_t index = sl_literal_integer(p->token.text);
        if (step) step->index = index > UINT32_MAX ? UINT32_MAX : (uint32_t)index;
    } else if (sl_parser_at(p, SL_TOK_FIRST)) {
        step = add_step(p, s, SL_STEP_FIRST);
    } else if (sl_parser_at(p, SL_TOK_LAST)) {
        step = add_step(p, s, SL_STEP_LAST);
    } else if (sl_parser_at_sign(p, '*')) {
        step = add_step(p, s, SL_STEP_EACH);
    } else if (sl_parser_at(p, SL_TOK_STRING)) {
        if (!sl_literal_value(&p->token, p->arena, &value, p->st)) return false;
        if ((step = add_step(p, s, SL_STEP_ENTRY))) step->name = value.string;
    } else if (sl_parser_at(p, SL_TOK_ARGUMENT)) {
        const sl_query_argument *arg = sl_parser_argument(p);
        if (!arg || arg->list ||
            (arg->values->type != SL_TYPE_STRING && arg->values->type != SL_TYPE_INT))
            return arg && sl_parser_expected(p, "an argument that is a string or a whole number");
        bool entry = arg->values->type == SL_TYPE_STRING;
        if ((step = add_step(p, s, entry ? SL_STEP_ENTRY : SL_STEP_INDEX))) {
            if (entry)
                step->name = arg->values->string;
            else
                step->index =
                    arg->values->integer < 0 ? UINT32_MAX : (uint32_t)arg->values->integer;
        }
    } else {
        return sl_parser_expected(p, "a number, FIRST, LAST, SIZE, * or a key as a string");
    }
    return step && sl_parser_advance(p) && sl_parser_take_sign(p, ']', "']'");
}

/* The letters behind a backslash: the name holds the character itself. */
static bool unescape(sl_parser *p, sl_str *name) {
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
static bool named_step(sl_parser *p, steps *s) {
    sl_query_step *step = NULL;
    if (sl_parser_at(p, SL_TOK_AT_KEYS)) {
        step = add_step(p, s, SL_STEP_KEYS);
    } else if (sl_parser_at(p, SL_TOK_AT_VALUES)) {
        step = add_step(p, s, SL_STEP_EACH);
    } else if (sl_parser_at(p, SL_TOK_AT_LINKS)) {
        step = add_step(p, s, SL_STEP_LINKS);
    } else if (sl_token_is_name(&p->token)) {
        step = add_step(p, s, SL_STEP_NAME);
        if (step && !unescape(p, &step->name)) return false;
    } else {
        return sl_parser_expected(p, "the name of a property");
    }
    return step && sl_parser_advance(p);
}

static sl_query_path *finish_path(sl_parser *p, const steps *s, sl_suffix suffix) {
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
static bool member(sl_parser *p, sl_query_path *path) {
    if (path->suffix < SL_SUFFIX_MAX || !sl_parser_at_sign(p, '.')) return true;
    if (!sl_parser_advance(p)) return false;
    if (!sl_token_is_name(&p->token)) return sl_parser_expected(p, "the name of a property");
    path->member = p->token.text;
    return unescape(p, &path->member) && sl_parser_advance(p);
}

/* The variable of a subquery stands for the object itself. */
static bool skip_variable(sl_parser *p) {
    if (!p->variable.size || !sl_str_eq(p->token.text, p->variable)) return true;
    return sl_parser_advance(p) && sl_parser_take_sign(p, '.', "'.' and a property of the object");
}

static sl_query_path *parse_path(sl_parser *p) {
    steps s = {.count = 0};
    sl_suffix suffix = SL_SUFFIX_NOTHING;
    bool size = false;
    if (!skip_variable(p) || !named_step(p, &s)) return NULL;
    while (!size && !suffix) {
        if (sl_parser_at_sign(p, '[')) {
            if (!bracket(p, &s, &size)) return NULL;
        } else if (sl_parser_at_sign(p, '.')) {
            if (!sl_parser_advance(p)) return NULL;
            if (suffix_of(p->token.kind, &suffix) ? !sl_parser_advance(p) : !named_step(p, &s))
                return NULL;
        } else {
            break;
        }
    }
    sl_query_path *path = finish_path(p, &s, size ? SL_SUFFIX_SIZE : suffix);
    return path && member(p, path) ? path : NULL;
}

/* SUBQUERY(path, $x, query).@count */
static sl_expr *parse_subquery(sl_parser *p) {
    sl_expr *e = node(p, SL_EXPR_SUBQUERY, 1);
    if (!e || !enter(p) || !sl_parser_advance(p) || !sl_parser_take_sign(p, '(', "'('"))
        return NULL;
    e->path = parse_path(p);
    if (!e->path || !sl_parser_take_sign(p, ',', "','")) return NULL;
    if (!sl_parser_at(p, SL_TOK_ID) || *p->token.text.data != '$') {
        sl_parser_expected(p, "a variable such as $x");
        return NULL;
    }
    sl_str outer = p->variable;
    p->variable = p->token.text;
    if (!sl_parser_advance(p) || !sl_parser_take_sign(p, ',', "','") ||
        !(e->items[0] = parse_or(p)))
        return NULL;
    p->variable = outer;
    if (!is_predicate(e->items[0])) {
        sl_parser_expected(p, "a comparison");
        return NULL;
    }
    if (!sl_parser_take_sign(p, ')', "')'") || !sl_parser_take_sign(p, '.', "'.@count'"))
        return NULL;
    if (!sl_parser_at(p, SL_TOK_AT_SIZE)) {
        sl_parser_expected(p, "@count");
        return NULL;
    }
    p->depth--;
    return sl_parser_advance(p) ? e : NULL;
}

/* --- expressions --- */

static sl_quantifier quantifier(sl_parser *p) {
    return sl_parser_at(p, SL_TOK_ANY)    ? SL_QUANT_ANY
           : sl_parser_at(p, SL_TOK_ALL)  ? SL_QUANT_ALL
           : sl_parser_at(p, SL_TOK_NONE) ? SL_QUANT_NONE
                                          : SL_QUANT_UNSAID;
}

static sl_expr *parse_value(sl_parser *p) {
    size_t offset = p->token.offset;
    sl_quantifier q = quantifier(p);
    sl_expr *e;
    if (q && !sl_parser_advance(p)) return NULL;
    if (sl_parser_at_sign(p, '{')) {
        e = parse_list(p);
    } else if (sl_parser_at(p, SL_TOK_ARGUMENT) ||
               (!q && (begins_constant(p) || begins_binary(p)))) {
        e = parse_constant(p);
    } else if (!q && sl_parser_at(p, SL_TOK_SUBQUERY)) {
        e = parse_subquery(p);
    } else if (sl_token_is_name(&p->token) || sl_parser_at(p, SL_TOK_AT_LINKS)) {
        if ((e = node(p, SL_EXPR_PATH, 0)) && !(e->path = parse_path(p))) return NULL;
    } else {
        sl_parser_expected(p, "a property or a value");
        return NULL;
    }
    if (!e) return NULL;
    e->quantifier = (uint8_t)q;
    e->offset = offset;
    return e;
}

static sl_expr *parse_factor(sl_parser *p) {
    if (!sl_parser_at_sign(p, '(')) return parse_value(p);
    if (!enter(p) || !sl_parser_advance(p)) return NULL;
    sl_expr *inner = parse_or(p);
    if (!inner || !sl_parser_take_sign(p, ')', "')'")) return NULL;
    p->depth--;
    return inner;
}

static sl_expr *arithmetic(sl_parser *p, sl_expr *left, sl_expr *(*operand)(sl_parser *)) {
    sl_expr *e = node(p, SL_EXPR_ARITHMETIC, 2);
    if (!e) return NULL;
    /* Each one makes the tree deeper. */
    if (++p->operations > SL_QUERY_MAX_DEPTH) {
        sl_parser_expected(p, "no more arithmetic");
        return NULL;
    }
    e->arithmetic = *p->token.text.data;
    if (is_predicate(left)) {
        sl_parser_expected(p, "AND, OR or the end");
        return NULL;
    }
    e->items[0] = left;
    if (!sl_parser_advance(p) || !(e->items[1] = operand(p))) return NULL;
    if (is_predicate(e->items[1])) {
        sl_parser_expected(p, "a value");
        return NULL;
    }
    return e;
}

static sl_expr *parse_term(sl_parser *p) {
    sl_expr *left = parse_factor(p);
    while (left && (sl_parser_at_sign(p, '*') || sl_parser_at_sign(p, '/')))
        left = arithmetic(p, left, parse_factor);
    return left;
}

static sl_expr *parse_sum(sl_parser *p) {
    sl_expr *left = parse_term(p);
    while (left && (sl_parser_at_sign(p, '+') || sl_parser_at_sign(p, '-')))
        left = arithmetic(p, left, parse_term);
    return left;
}

/* --- comparisons --- */

static bool operator_of(const sl_parser *p, sl_operator *op, bool *text) {
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

static bool plain_value(sl_parser *p, const sl_expr *e) {
    if (e->kind != SL_EXPR_ARITHMETIC && !is_predicate(e)) return true;
    return sl_parser_expected(p, "a property or a value on the left");
}

static sl_expr *parse_between(sl_parser *p, sl_expr *left) {
    sl_expr *e = node(p, SL_EXPR_BETWEEN, 2);
    if (!e || !plain_value(p, left) || !sl_parser_advance(p)) return NULL;
    if (!sl_parser_at_sign(p, '{') && !sl_parser_at(p, SL_TOK_ARGUMENT)) {
        sl_parser_expected(p, "'{' and two values");
        return NULL;
    }
    e->items[0] = left;
    e->items[1] = sl_parser_at_sign(p, '{') ? parse_list(p) : parse_argument(p);
    return e->items[1] ? e : NULL;
}

static sl_expr *parse_within(sl_parser *p, sl_expr *left) {
    sl_expr *e = node(p, SL_EXPR_WITHIN, 1);
    if (!e) return NULL;
    e->items[0] = left;
    if (left->kind != SL_EXPR_PATH) {
        sl_parser_expected(p, "a property on the left");
        return NULL;
    }
    if (!sl_parser_advance(p) || !(e->shape = sl_parser_geo(p))) return NULL;
    return e;
}

static sl_expr *parse_compare(sl_parser *p) {
    sl_expr *left = parse_sum(p);
    if (!left || is_predicate(left)) return left;
    if (sl_parser_at(p, SL_TOK_BETWEEN)) return parse_between(p, left);
    if (sl_parser_at(p, SL_TOK_GEOWITHIN)) return parse_within(p, left);
    if (sl_parser_at(p, SL_TOK_TEXT)) {
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
    e->in = sl_parser_at(p, SL_TOK_IN);
    if (!sl_parser_advance(p)) return NULL;
    if (sl_parser_at(p, SL_TOK_CASE) && (text || op <= SL_OP_NOTEQUAL)) {
        e->fold = true;
        if (!sl_parser_advance(p)) return NULL;
    }
    e->items[0] = left;
    e->items[1] = text ? parse_value(p) : parse_sum(p);
    if (!e->items[1]) return NULL;
    if (is_predicate(e->items[1])) {
        sl_parser_expected(p, "a value");
        return NULL;
    }
    return e;
}

static sl_expr *need_predicate(sl_parser *p, sl_expr *e) {
    if (!e || is_predicate(e)) return e;
    sl_parser_expected(p, "a comparison such as == or IN");
    return NULL;
}

static sl_expr *parse_not(sl_parser *p) {
    if (sl_parser_at(p, SL_TOK_TRUEPREDICATE) || sl_parser_at(p, SL_TOK_FALSEPREDICATE)) {
        sl_expr *e =
            node(p, sl_parser_at(p, SL_TOK_TRUEPREDICATE) ? SL_EXPR_TRUE : SL_EXPR_FALSE, 0);
        return e && sl_parser_advance(p) ? e : NULL;
    }
    if (!sl_parser_at(p, SL_TOK_NOT)) return parse_compare(p);
    sl_expr *e = node(p, SL_EXPR_NOT, 1);
    if (!e || !enter(p) || !sl_parser_advance(p)) return NULL;
    e->items[0] = need_predicate(p, parse_not(p));
    p->depth--;
    return e->items[0] ? e : NULL;
}

/* `a OP b OP c`: one node with all members. */
static sl_expr *chain(sl_parser *p, sl_token_kind token, sl_expr_kind kind,
                      sl_expr *(*operand)(sl_parser *)) {
    sl_expr *first = operand(p);
    if (!first || !sl_parser_at(p, token)) return first;
    sl_expr *e = node(p, kind, 0);
    if (!e || !need_predicate(p, first) || !push(p, e, first)) return NULL;
    while (sl_parser_at(p, token)) {
        if (!sl_parser_advance(p)) return NULL;
        sl_expr *next = need_predicate(p, operand(p));
        if (!next || !push(p, e, next)) return NULL;
    }
    return e;
}

static sl_expr *parse_and(sl_parser *p) {
    return chain(p, SL_TOK_AND, SL_EXPR_AND, parse_not);
}

static sl_expr *parse_or(sl_parser *p) {
    return chain(p, SL_TOK_OR, SL_EXPR_OR, parse_and);
}

/* --- what follows the predicate --- */

static bool sort_item(sl_parser *p, sl_ordering *o) {
    if (o->count == SL_QUERY_MAX_STEPS) return sl_parser_expected(p, "')': no more properties");
    if (!(o->paths[o->count] = parse_path(p))) return false;
    if (o->kind == SL_ORDERING_SORT) {
        if (!sl_parser_at(p, SL_TOK_ASCENDING) && !sl_parser_at(p, SL_TOK_DESCENDING))
            return sl_parser_expected(p, "ASC or DESC");
        o->descending[o->count] = sl_parser_at(p, SL_TOK_DESCENDING);
        if (!sl_parser_advance(p)) return false;
    }
    o->count++;
    return true;
}

static bool parse_ordering(sl_parser *p, sl_ordering *o) {
    *o = (sl_ordering){.kind = (uint8_t)(sl_parser_at(p, SL_TOK_SORT)       ? SL_ORDERING_SORT
                                         : sl_parser_at(p, SL_TOK_DISTINCT) ? SL_ORDERING_DISTINCT
                                                                            : SL_ORDERING_LIMIT)};
    if (!sl_parser_advance(p) || !sl_parser_take_sign(p, '(', "'('")) return false;
    if (o->kind == SL_ORDERING_LIMIT) {
        if (!sl_parser_at(p, SL_TOK_NATURAL)) return sl_parser_expected(p, "a whole number");
        o->limit = (uint64_t)sl_literal_integer(p->token.text);
        return sl_parser_advance(p) && sl_parser_take_sign(p, ')', "')'");
    }
    o->paths = sl_arena_zero(p->arena, SL_QUERY_MAX_STEPS, sizeof *o->paths);
    o->descending = sl_arena_zero(p->arena, SL_QUERY_MAX_STEPS, sizeof *o->descending);
    if (!o->paths || !o->descending) return sl_fail_memory(p->st);
    do {
        if (o->count && !sl_parser_advance(p)) return false;
        if (!sort_item(p, o)) return false;
    } while (sl_parser_at_sign(p, ','));
    return sl_parser_take_sign(p, ')', "',' or ')'");
}

static bool parse_orderings(sl_parser *p, sl_parsed *out) {
    enum { MOST = 16 };
    out->orderings = sl_arena_zero(p->arena, MOST, sizeof *out->orderings);
    if (!out->orderings) return sl_fail_memory(p->st);
    while (sl_parser_at(p, SL_TOK_SORT) || sl_parser_at(p, SL_TOK_DISTINCT) ||
           sl_parser_at(p, SL_TOK_LIMIT)) {
        if (out->ordering_count == MOST) return sl_parser_expected(p, "the end: no more orderings");
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

static bool check_depth(sl_parser *p, const sl_expr *e) {
    if (tree_depth(e) <= SL_QUERY_MAX_DEPTH) return true;
    return sl_fail(p->st, SL_ERR_USAGE, "QUERY-SYNTAX", "a query of more than %d levels",
                   SL_QUERY_MAX_DEPTH);
}

bool sl_query_parse(sl_str text, const sl_query_argument *args, uint32_t arg_count, sl_arena *arena,
                    sl_parsed *out, sl_status *st) {
    sl_parser p = {.text = text, .arena = arena, .st = st, .args = args, .arg_count = arg_count};
    *out = (sl_parsed){0};
    if (text.size > SL_QUERY_MAX_TEXT)
        return sl_fail(st, SL_ERR_USAGE, "QUERY-SYNTAX",
                       "a query of %u bytes; at most %d are taken", text.size, SL_QUERY_MAX_TEXT);
    p.token = (sl_token){SL_TOK_END, sl_str_of(text.data, 0), 0};
    if (!sl_token_read(text, 0, &p.token, st)) return false;
    out->predicate = need_predicate(&p, parse_or(&p));
    if (!out->predicate || !parse_orderings(&p, out)) return false;
    if (!sl_parser_at(&p, SL_TOK_END)) return sl_parser_expected(&p, "AND, OR or the end");
    return check_depth(&p, out->predicate);
}
