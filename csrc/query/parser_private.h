/* parser_private.h - what the parts of the parser share; private to the room. */
#ifndef SL_QUERY_PARSER_PRIVATE_H
#define SL_QUERY_PARSER_PRIVATE_H

#include "query/parser.h"
#include "query/token.h"

typedef struct sl_parser {
    sl_str text;
    sl_token token; /* the one that comes next */
    sl_arena *arena;
    sl_status *st;
    const sl_query_argument *args;
    uint32_t arg_count;
    uint32_t depth, operations;
    sl_str variable; /* of the subquery that is being read; size 0 = none */
} sl_parser;

/* Fails with what stands there and `what` was expected. */
bool sl_parser_expected(sl_parser *p, const char *what);
bool sl_parser_advance(sl_parser *p);
bool sl_parser_at(const sl_parser *p, sl_token_kind kind);
/* Punctuation. */
bool sl_parser_at_sign(const sl_parser *p, char c);
bool sl_parser_take_sign(sl_parser *p, char c, const char *what);
/* What the argument token stands for; NULL: there is no such argument. */
const sl_query_argument *sl_parser_argument(sl_parser *p);
/* geoBox, geoPolygon or geoCircle (parse_geo.c); NULL on failure. */
sl_geo *sl_parser_geo(sl_parser *p);

#endif
