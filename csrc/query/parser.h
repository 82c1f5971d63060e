/* parser.h - the text of a query to its tree (protocol/6-flexible-sync.md, 1.2). */
#ifndef SL_QUERY_PARSER_H
#define SL_QUERY_PARSER_H

#include "query/expression.h"

/* What a hostile text may ask for. */
enum {
    SL_QUERY_MAX_TEXT = 262144, /* bytes; the vendor's limit of a subscription */
    SL_QUERY_MAX_DEPTH = 100,   /* of the tree */
    SL_QUERY_MAX_NESTING = 400, /* parentheses, negations and subqueries in one another; what is
                                   printed has more of them than what was read */
    SL_QUERY_MAX_STEPS = 64     /* of one path */
};

/* An argument: one value, or a list of them. */
typedef struct sl_query_argument {
    const sl_value *values;
    uint32_t count; /* 1 unless `list` */
    bool list;
} sl_query_argument;

typedef struct sl_parsed {
    sl_expr *predicate;
    sl_ordering *orderings;
    uint32_t ordering_count;
} sl_parsed;

/* Parses `text` into `arena`; strings are borrowed from `text` or live in the arena. `args` are $0,
 * $1, ...; their bytes are borrowed. Fails with SL_ERR_USAGE: "QUERY-SYNTAX" (with the byte
 * offset, what stands there and what was expected), "QUERY-TYPE" for a literal that is none
 * and for an argument that was not given, or with SL_ERR_MEMORY. */
bool sl_query_parse(sl_str text, const sl_query_argument *args, uint32_t arg_count, sl_arena *arena,
                    sl_parsed *out, sl_status *st);

#endif
