/* ejson.h - values as MongoDB Extended JSON v2, canonical form, without loss.
 *
 *   null, bool, string        as in JSON
 *   int                       {"$numberLong":"5"}
 *   double                    {"$numberDouble":"1.5"}, also "Infinity", "-Infinity", "NaN"
 *   decimal                   {"$numberDecimal":"1.50"}
 *   binary                    {"$binary":{"base64":"...","subType":"00"}}
 *   UUID                      {"$binary":{"base64":"...","subType":"04"}}
 *   object id                 {"$oid":"24 hexadecimal digits"}
 *   timestamp                 {"$date":{"$numberLong":"milliseconds"}} if that is exact
 *
 * What Extended JSON has no word for gets a key of ours:
 *
 *   float                     {"$numberFloat":"1.5"}
 *   timestamp, finer          {"$dateNanos":{"seconds":"-1","nanoseconds":-5}}
 *   link                      {"$link":{"class":"Person","key":KEY}}, KEY = the key as a value
 *   global key (keys only)    {"$globalKey":{"hi":"2","lo":"7"}}
 *   string that is no UTF-8   {"$stringBytes":"base64"}
 *   NaN with another pattern  {"$numberFloatBits":"7fc00001"}, {"$numberDoubleBits":"fff8..."}
 *   decimal with another word {"$decimalTriple":"1E9696"}, coefficient and exponent
 *
 * The reader takes all of these and the relaxed form: plain numbers (whole = int, else double),
 * {"$numberInt":"5"}, {"$date":"2020-01-31T12:00:00.5Z"}, {"$uuid":"..."}, and the older
 * {"$binary":"base64","$type":"00"}.
 *
 * Lists are arrays; dictionaries and embedded objects are objects whose member names are the keys,
 * except that a name that starts with "$", is no UTF-8 or has a NUL in it is written as "$b64:" and
 * its base64. So an object is a scalar exactly if its first member name starts with "$" but not
 * with
 * "$b64:". */
#ifndef SL_VALUE_EJSON_H
#define SL_VALUE_EJSON_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "value/value.h"

/* Writes into `out` (borrowed), putting commas where they belong. Start with both members set and
 * the rest zero: {.out = &buf}. Failure shows in `out->failed`. */
typedef struct sl_ejson {
    sl_buf *out;
    bool comma; /* something stands before, inside the innermost array or object */
} sl_ejson;

void sl_ejson_begin_array(sl_ejson *w);
void sl_ejson_end_array(sl_ejson *w);
void sl_ejson_begin_object(sl_ejson *w);
void sl_ejson_end_object(sl_ejson *w);
/* The name of the next member: a dictionary key or the name of a property. */
void sl_ejson_name(sl_ejson *w, sl_str name);
/* A scalar, null or a link. A type without content (list, object, ...) is a usage error of the
 * caller and comes out as null. */
void sl_ejson_value(sl_ejson *w, const sl_value *value);
void sl_ejson_key(sl_ejson *w, const sl_key *key);

/* Parses text for the readers below: 64-bit integers exact, duplicate names refused, nesting
 * limited. To be given to json_decref; NULL with SL_ERR_USAGE. */
json_t *sl_ejson_parse(const char *text, size_t size, sl_status *st);
/* False for arrays and for objects that are dictionaries or embedded objects. */
bool sl_ejson_is_scalar(const json_t *json);
/* Read a scalar, null or link, or a key; bytes go into `arena`. Fail with SL_ERR_USAGE and what was
 * expected. */
bool sl_ejson_read_value(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st);
bool sl_ejson_read_key(const json_t *json, sl_arena *arena, sl_key *key, sl_status *st);
/* The key or property name that a member name stands for. */
bool sl_ejson_read_name(const char *name, sl_arena *arena, sl_str *s, sl_status *st);

#endif
