/* predicate.h - a query in the query language: parsed once, asked of many objects.
 *
 * One form serves subscriptions, rules and the local database (protocol/6-flexible-sync.md, 1 to
 * 3).
 */
#ifndef SL_QUERY_PREDICATE_H
#define SL_QUERY_PREDICATE_H

#include "base/buf.h"
#include "query/evaluate.h"
#include "query/parser.h"

typedef struct sl_predicate sl_predicate;

/* Parses `text` for objects of `class_name`. `args` are the values of $0, $1, ... (borrowed during
 * the call only when they hold no bytes; else as long as the predicate). `text` is copied. A change
 * of the realm's schema ends the predicate's life: parse again. Fails with SL_ERR_USAGE:
 * "QUERY-SYNTAX" or "QUERY-TYPE", with the byte offset in `st`, or SL_ERR_MEMORY. `alloc` NULL =
 * heap. To be given to sl_predicate_free. */
bool sl_predicate_parse(const sl_schema *schema, sl_str class_name, sl_str text,
                        const sl_query_argument *args, uint32_t arg_count, const sl_alloc *alloc,
                        sl_predicate **predicate, sl_status *st);
/* NULL is allowed. */
void sl_predicate_free(sl_predicate *predicate);

/* SORT, DISTINCT and LIMIT in the order of the text; *count may be 0. Borrowed. */
const sl_ordering *sl_predicate_orderings(const sl_predicate *predicate, uint32_t *count);
const sl_expr *sl_predicate_tree(const sl_predicate *predicate);

/* Whether `object` fulfils it; orderings are not looked at. *budget is what is left of the steps
 * that the caller grants; "QUERY-COST" when they do not suffice. */
bool sl_predicate_holds(const sl_predicate *predicate, sl_realm *realm, const sl_object *object,
                        uint64_t *budget, bool *yes, sl_status *st);
/* Visits the keys of all objects that fulfil it, in the order of keys, or as SORT, DISTINCT and
 * LIMIT say, one after the other; when all are known, so the visitor may change the realm. */
bool sl_predicate_run(const sl_predicate *predicate, sl_realm *realm, uint64_t *budget,
                      sl_key_visitor visit, void *ctx, sl_status *st);

/* Appends the query as Realm SDKs send it (part 6, 1.4). The order of members is that of the text.
 * False: no memory. */
bool sl_predicate_print(const sl_predicate *predicate, sl_buf *out);

#endif
