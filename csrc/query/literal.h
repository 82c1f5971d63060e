/* literal.h - the values that literals of the query language stand for. */
#ifndef SL_QUERY_LITERAL_H
#define SL_QUERY_LITERAL_H

#include "base/arena.h"
#include "query/token.h"
#include "value/value.h"

/* The value of a literal token (not BASE64 inside of binary(...), which the parser makes a binary
 * of itself). Fails with SL_ERR_USAGE "QUERY-TYPE" when the spelling is no value, or SL_ERR_MEMORY.
 */
bool sl_literal_value(const sl_token *token, sl_arena *arena, sl_value *value, sl_status *st);
/* Whole numbers: decimal, 0x..., and octal behind a leading zero; beyond 64 bits the nearest. */
int64_t sl_literal_integer(sl_str text);

#endif
