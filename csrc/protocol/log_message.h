/* log_message.h - the JSON of LOG_MESSAGE. Source: protocol/1-wire.md, 5.10. */
#ifndef SL_PROTOCOL_LOG_MESSAGE_H
#define SL_PROTOCOL_LOG_MESSAGE_H

#include "protocol/message.h"

typedef struct sl_log_message {
    sl_str co_id; /* "" if absent */
    sl_str level; /* "" if absent; then "debug" is meant */
    sl_str text;  /* "" if absent */
} sl_log_message;

/* Reads `json` into *log; strings are copied into `arena`. Fails with SL_ERR_PROTOCOL code 103 if
 * it is not an object of strings, or if a non-empty text comes with an unknown level. */
bool sl_log_message_parse(sl_log_message *log, sl_str json, sl_arena *arena, sl_status *st);
/* Appends the JSON; empty members are left out. */
void sl_log_message_write(sl_buf *out, const sl_log_message *log);

#endif
