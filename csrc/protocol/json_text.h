/* json_text.h - small helpers for the JSON bodies of messages. Private to this room. */
#ifndef SL_PROTOCOL_JSON_TEXT_H
#define SL_PROTOCOL_JSON_TEXT_H

#include <jansson.h>

#include "protocol/message.h"

/* Parses a body that must be one JSON object. The caller owns the result (json_decref). NULL and
 * SL_ERR_PROTOCOL code 103 otherwise; `what` names the message in the text. */
json_t *sl_json_object(sl_str text, const char *what, sl_status *st);
/* Copies the string `value` into the arena. False without memory. */
bool sl_json_copy(const json_t *value, sl_arena *arena, sl_str *copy);

/* Appends `s` (UTF-8) as a JSON string with quotes. */
void sl_json_put_string(sl_buf *out, sl_str s);
/* Writes "{" or "," and the quoted key and ":". */
void sl_json_put_key(sl_buf *out, const char *key, bool *first);

#endif
