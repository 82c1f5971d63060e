/* json_error.h - the body of JSON_ERROR, both directions. Source: protocol/1-wire.md, 7.4 and 4.7.
 */
#ifndef SL_PROTOCOL_JSON_ERROR_H
#define SL_PROTOCOL_JSON_ERROR_H

#include "protocol/errors.h"

/* An object whose change the server took back. `pk` is base64 of a changeset payload (5.1). */
typedef struct sl_rejected_update {
    sl_str table, pk, reason;
} sl_rejected_update;

typedef struct sl_json_error {
    sl_str message;
    bool try_again;
    sl_str log_url;
    bool should_client_reset;
    bool recovery_mode_disabled;
    bool has_action; /* below version 7 the key may be absent */
    sl_action action;
    bool has_backoff;
    int64_t backoff_interval_s, backoff_max_s, backoff_multiplier;
    sl_str partition_query; /* "" if absent */
    bool has_previous_schema_version;
    uint64_t previous_schema_version;
    sl_rejected_update *rejected; /* in the arena */
    size_t rejected_count;
    bool has_rejected_client_version;
    uint64_t rejected_client_version;
    bool has_compensating_version;
    uint64_t compensating_version;
} sl_json_error;

/* Reads the body of a server's JSON_ERROR with error number `code` on protocol `version`;
 * everything is copied into `arena`. Fails with SL_ERR_PROTOCOL code 103 when a required key is
 * missing or any known key has the wrong type (7.4), or SL_ERR_MEMORY. Unknown keys are ignored. */
bool sl_json_error_parse(sl_json_error *error, int code, int version, sl_str json, sl_arena *arena,
                         sl_status *st);
/* Appends the JSON, keys in alphabetical order, absent ones left out (action is written when it is
 * not NONE). `message` must be UTF-8. */
void sl_json_error_write(sl_buf *out, const sl_json_error *error);

/* The body of a client's JSON_ERROR: *message is copied into `arena`. Fails as above. */
bool sl_client_error_parse(sl_str json, sl_arena *arena, sl_str *message, sl_status *st);
void sl_client_error_write(sl_buf *out, sl_str message);

#endif
