/* expression.h - the tree of a query: what the parser makes, the binder completes, and evaluation
 * and printing read. Everything lives in the arena of its predicate. */
#ifndef SL_QUERY_EXPRESSION_H
#define SL_QUERY_EXPRESSION_H

#include "base/arena.h"
#include "query/geo.h"
#include "realm/schema.h"
#include "value/value.h"

typedef enum sl_expr_kind {
    /* predicates */
    SL_EXPR_TRUE,
    SL_EXPR_FALSE,
    SL_EXPR_AND,     /* items */
    SL_EXPR_OR,      /* items */
    SL_EXPR_NOT,     /* items[0] */
    SL_EXPR_COMPARE, /* items[0] `op` items[1] */
    SL_EXPR_BETWEEN, /* items[0] is a value, items[1] a LIST of two */
    SL_EXPR_WITHIN,  /* items[0] is a PATH; `shape` */
    /* expressions */
    SL_EXPR_CONSTANT,
    SL_EXPR_LIST, /* items, all CONSTANT */
    SL_EXPR_PATH,
    SL_EXPR_SUBQUERY,  /* `path` leads to a list of links, items[0] is the predicate on each */
    SL_EXPR_ARITHMETIC /* items[0] `arithmetic` items[1] */
} sl_expr_kind;

typedef enum sl_operator {
    SL_OP_EQUAL,
    SL_OP_NOTEQUAL,
    SL_OP_LESS,
    SL_OP_LESSEQ,
    SL_OP_GREATER,
    SL_OP_GREATEREQ,
    SL_OP_BEGINSWITH,
    SL_OP_ENDSWITH,
    SL_OP_CONTAINS,
    SL_OP_LIKE
} sl_operator;

typedef enum sl_quantifier {
    SL_QUANT_UNSAID, /* counts as ANY, except between whole lists */
    SL_QUANT_ANY,
    SL_QUANT_ALL,
    SL_QUANT_NONE
} sl_quantifier;

typedef enum sl_query_step_kind {
    SL_STEP_NAME,  /* as parsed: becomes PROPERTY, KEY, BACKLINKS or ENTRY */
    SL_STEP_INDEX, /* [n] */
    SL_STEP_FIRST,
    SL_STEP_LAST,
    SL_STEP_EACH,  /* [*], .@values */
    SL_STEP_ENTRY, /* ['k'] */
    SL_STEP_KEYS,  /* .@keys */
    SL_STEP_LINKS, /* @links.Class.property; bare @links has no `cls` */
    SL_STEP_PROPERTY,
    SL_STEP_KEY
} sl_query_step_kind;

/* One step of a path. `follow`: the links that it gives are followed to their objects, because a
 * step of an object comes next. */
typedef struct sl_query_step {
    uint8_t kind; /* sl_query_step_kind */
    bool follow;
    bool of_mixed;   /* an index or entry inside of a Mixed */
    bool collection; /* PROPERTY: a list, set or dictionary, not a Mixed that holds one */
    bool of_list;    /* EACH of a list or set, which says nothing */
    sl_str name;
    uint32_t index;      /* INDEX: position; PROPERTY: slot */
    const sl_class *cls; /* LINKS: class of origin */
    size_t offset;       /* in the text */
} sl_query_step;

typedef enum sl_suffix {
    SL_SUFFIX_NOTHING,
    SL_SUFFIX_SIZE,
    SL_SUFFIX_TYPE,
    SL_SUFFIX_MAX,
    SL_SUFFIX_MIN,
    SL_SUFFIX_SUM,
    SL_SUFFIX_AVG
} sl_suffix;

/* What a bound path gives. */
typedef struct sl_query_path {
    sl_query_step *steps;
    uint32_t count;
    uint8_t suffix;       /* sl_suffix */
    sl_str member;        /* @max.member: of the objects that the path leads to; "" = its values */
    uint32_t member_slot; /* or SL_KEY_SLOT */
    int8_t type;          /* of the values; MIXED = any */
    bool many;            /* gives any number of values, of which a quantifier speaks */
    bool through_links;
    bool counts_links; /* SIZE: of objects */
    bool all_entries;  /* SIZE: of a dictionary */
    bool whole_keys;   /* ends in @keys: an empty list matches nothing, whatever the quantifier */
    const sl_class *target; /* type LINK: class of the objects */
    bool embedded;
} sl_query_path;

typedef struct sl_expr sl_expr;
struct sl_expr {
    uint8_t kind;        /* sl_expr_kind */
    uint8_t op;          /* sl_operator */
    uint8_t quantifier;  /* sl_quantifier: LIST, PATH */
    bool fold;           /* [c] */
    bool in;             /* written as IN */
    bool names_type;     /* CONSTANT: `text` is the name behind @type, `value` its bits */
    bool sorted;         /* LIST: items in the order of sl_value_cmp, one family, to be searched */
    char arithmetic;     /* + - * / */
    sl_value value;      /* CONSTANT */
    sl_str text;         /* CONSTANT: its spelling, for decimals and for printing numbers */
    sl_query_path *path; /* PATH, SUBQUERY */
    sl_geo *shape;       /* WITHIN */
    sl_expr **items;
    uint32_t count;
    int8_t type;   /* of the values that a bound expression gives; MIXED = any */
    size_t offset; /* in the text */
};

typedef enum sl_ordering_kind {
    SL_ORDERING_SORT,
    SL_ORDERING_DISTINCT,
    SL_ORDERING_LIMIT
} sl_ordering_kind;

typedef struct sl_ordering {
    uint8_t kind; /* sl_ordering_kind */
    sl_query_path **paths;
    bool *descending; /* SORT: one per path */
    uint32_t count;
    uint64_t limit;
} sl_ordering;

#endif
