/* bind_data.h - the JSON that FLX clients send in BIND. Source: protocol/1-wire.md, 4.1. */
#ifndef SL_PROTOCOL_BIND_DATA_H
#define SL_PROTOCOL_BIND_DATA_H

#include "protocol/message.h"

typedef struct sl_bind_data {
    bool has_migrated_partition;
    sl_str migrated_partition;
    uint64_t session_reason; /* 0 normal, 1 client reset */
    uint64_t schema_version;
} sl_bind_data;

/* Reads `json` (may be empty: all members zero) into *data; strings are copied into `arena`.
 * Unknown keys are ignored. Fails with SL_ERR_PROTOCOL code 103 if it is not an object or a known
 * key has the wrong type, or SL_ERR_MEMORY. */
bool sl_bind_data_parse(sl_bind_data *data, sl_str json, sl_arena *arena, sl_status *st);
/* Appends the JSON with all keys in alphabetical order, migratedPartition only if present. */
void sl_bind_data_write(sl_buf *out, const sl_bind_data *data);

#endif
