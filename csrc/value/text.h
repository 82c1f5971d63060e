/* text.h - the JSON text form of values and keys (protocol/2-changeset.md, 15.2 to 15.4): the form
 * of test vectors, dumps and `changeset print`. Lossless. */
#ifndef SL_VALUE_TEXT_H
#define SL_VALUE_TEXT_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "value/value.h"

/* Appends a JSON string with the escapes of 15.4; the bytes are not checked. */
void sl_text_quote(sl_str s, sl_buf *out);
/* Append STR (a JSON string, or {"b64":...} if it is not UTF-8), KEY and VAL. */
void sl_text_str(sl_str s, sl_buf *out);
void sl_text_key(const sl_key *key, sl_buf *out);
void sl_text_value(const sl_value *value, sl_buf *out);

/* Read STR, KEY and VAL; bytes and links go into `arena`. Unknown and missing members fail with
 * SL_ERR_USAGE and what was expected; nothing read is referred to afterwards. */
bool sl_text_read_str(const json_t *json, sl_arena *arena, sl_str *s, sl_status *st);
bool sl_text_read_key(const json_t *json, sl_arena *arena, sl_key *key, sl_status *st);
bool sl_text_read_value(const json_t *json, sl_arena *arena, sl_value *value, sl_status *st);

/* Parses JSON text for these readers: no duplicate members, U+0000 in strings allowed, any value at
 * the top. The result is to be given to json_decref; NULL with SL_ERR_USAGE (byte offset set). */
json_t *sl_text_parse(const char *text, size_t size, sl_status *st);

#endif
