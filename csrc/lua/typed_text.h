/* typed_text.h - text forms of value objects, for people: tostring() and the constructors. */
#ifndef SL_LUA_TYPED_TEXT_H
#define SL_LUA_TYPED_TEXT_H

#include "lua/value.h"

enum { SL_LUA_TEXT_MAX = 96 };

/* Writes the text of any typed object but LINK and BINARY (whose length is not bounded) to `out`
 * and returns its length. Timestamps: ISO 8601 in UTC from year 0 to 9999, else "seconds s
 * nanoseconds". */
size_t sl_lua_typed_text(const sl_lua_typed *typed, char out[SL_LUA_TEXT_MAX]);

/* The inverse of the timestamp form (fraction and "Z" optional). */
bool sl_lua_timestamp_from_text(sl_str text, sl_timestamp *out);
/* Decimal digits with an optional sign, nothing else; false out of range. */
bool sl_lua_int_from_text(sl_str text, int64_t *out);

#endif
