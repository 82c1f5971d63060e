/* token.h - the words of the query language (protocol/6-flexible-sync.md, 1.1). */
#ifndef SL_QUERY_TOKEN_H
#define SL_QUERY_TOKEN_H

#include "base/status.h"
#include "base/str.h"

typedef enum sl_token_kind {
    SL_TOK_END,
    SL_TOK_PUNCTUATION, /* one of + - * / [ ] , ( ) { } . in `text` */
    SL_TOK_EQUAL,
    SL_TOK_NOTEQUAL,
    SL_TOK_LESS,
    SL_TOK_LESSEQ,
    SL_TOK_GREATER,
    SL_TOK_GREATEREQ,
    SL_TOK_IN,
    SL_TOK_AND,
    SL_TOK_OR,
    SL_TOK_NOT,
    SL_TOK_ANY,
    SL_TOK_ALL,
    SL_TOK_NONE,
    SL_TOK_BEGINSWITH,
    SL_TOK_ENDSWITH,
    SL_TOK_CONTAINS,
    SL_TOK_LIKE,
    SL_TOK_TEXT,
    SL_TOK_BETWEEN,
    SL_TOK_GEOWITHIN,
    SL_TOK_GEOBOX,
    SL_TOK_GEOPOLYGON,
    SL_TOK_GEOCIRCLE,
    SL_TOK_TRUEPREDICATE,
    SL_TOK_FALSEPREDICATE,
    SL_TOK_SORT,
    SL_TOK_DISTINCT,
    SL_TOK_LIMIT,
    SL_TOK_ASCENDING,
    SL_TOK_DESCENDING,
    SL_TOK_SUBQUERY,
    SL_TOK_OBJ,
    SL_TOK_BINARY,
    SL_TOK_AT_SIZE,
    SL_TOK_AT_MAX,
    SL_TOK_AT_MIN,
    SL_TOK_AT_SUM,
    SL_TOK_AT_AVG,
    SL_TOK_AT_LINKS,
    SL_TOK_AT_TYPE,
    SL_TOK_AT_KEYS,
    SL_TOK_AT_VALUES,
    SL_TOK_FIRST,
    SL_TOK_LAST,
    SL_TOK_SIZE,
    SL_TOK_CASE, /* [c] */
    SL_TOK_TRUE,
    SL_TOK_FALSE,
    SL_TOK_NULL,
    SL_TOK_INFINITY,
    SL_TOK_NAN,
    SL_TOK_UUID,
    SL_TOK_OID,
    SL_TOK_TIMESTAMP, /* T s:ns */
    SL_TOK_DATE,      /* Y-M-D@h:m:s[:n] */
    SL_TOK_LINK,      /* O1, L1:2: never on the wire, refused */
    SL_TOK_NATURAL,
    SL_TOK_NUMBER,
    SL_TOK_FLOAT,
    SL_TOK_ARGUMENT,         /* $0 */
    SL_TOK_KEYPATH_ARGUMENT, /* $K0: refused */
    SL_TOK_BASE64,
    SL_TOK_STRING,
    SL_TOK_ID
} sl_token_kind;

/* `text` is the whole spelling, borrowed from the query. */
typedef struct sl_token {
    sl_token_kind kind;
    sl_str text;
    size_t offset;
} sl_token;

/* Reads the token at or behind `offset`; blanks are passed over. The longest spelling wins. Fails
 * with SL_ERR_USAGE "QUERY-SYNTAX" at a byte that begins none, with its offset. */
bool sl_token_read(sl_str query, size_t offset, sl_token *token, sl_status *st);
/* Whether the token may also be the name of a property. */
bool sl_token_is_name(const sl_token *token);

#endif
