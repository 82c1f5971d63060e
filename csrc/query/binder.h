/* binder.h - gives the names and literals of a parsed query their meaning in a schema. */
#ifndef SL_QUERY_BINDER_H
#define SL_QUERY_BINDER_H

#include "query/parser.h"

/* Completes the tree for objects of `cls`, which stays borrowed with `schema` as long as the tree
 * is used: a change of the schema ends its life. Literals take the type of what they are compared
 * with (protocol/6-flexible-sync.md, 1.3). Fails with SL_ERR_USAGE "QUERY-TYPE": unknown names,
 * values that do not fit, quantifiers without a collection, comparisons that mean nothing. */
bool sl_query_bind(sl_parsed *parsed, const sl_schema *schema, const sl_class *cls, sl_arena *arena,
                   sl_status *st);
/* What a name behind .@type stands for: bits 1 << sl_type, and those below. False: no such name. */
enum { SL_TYPE_BIT_LIST = 1 << 16, SL_TYPE_BIT_DICT = 1 << 17, SL_TYPE_BIT_NULL = 1 << 18 };
bool sl_query_type_named(sl_str name, uint32_t *bits);

#endif
