/* client_message.h - messages from client to server. Source: protocol/1-wire.md, section 4. */
#ifndef SL_PROTOCOL_CLIENT_MESSAGE_H
#define SL_PROTOCOL_CLIENT_MESSAGE_H

#include "protocol/message.h"

/* BIND (4.1). */
typedef struct sl_msg_bind {
    sl_str path;  /* PBS: partition value or legacy path; FLX: JSON or empty (bind_data.h) */
    sl_str token; /* empty from all current clients */
    bool need_ident;
    bool is_subserver;
} sl_msg_bind;

/* IDENT (4.2). `query_version` and `query` are on the wire only in FLX. */
typedef struct sl_msg_client_ident {
    uint64_t file_ident;
    int64_t salt;
    uint64_t dl_sv, dl_cv;
    uint64_t latest_sv;
    int64_t latest_salt;
    int64_t query_version;
    sl_str query;
} sl_msg_client_ident;

/* UPLOAD (4.3). Entries: entries.h. */
typedef struct sl_msg_upload {
    uint64_t progress_cv, progress_sv, locked_sv;
    sl_body body;
} sl_msg_upload;

/* QUERY (4.6), FLX only. */
typedef struct sl_msg_query {
    int64_t version;
    sl_str query;
} sl_msg_query;

/* JSON_ERROR of a client (4.7): `json` is an object with the key "message" (json_error.h). */
typedef struct sl_msg_client_error {
    int32_t code;
    sl_str json;
} sl_msg_client_error;

/* TEST_COMMAND, both directions (4.8, 5.11). */
typedef struct sl_msg_test_command {
    uint64_t request;
    sl_str json;
} sl_msg_test_command;

/* PING (4.11); has no session. */
typedef struct sl_msg_ping {
    int64_t timestamp_ms, rtt_ms;
} sl_msg_ping;

/* STATE_REQUEST (4.9), historic. */
typedef struct sl_msg_state_request {
    uint64_t partial_sv;
    int64_t partial_salt;
    uint64_t offset;
    bool need_recent;
    int32_t min_file_format, max_file_format, min_history_schema, max_history_schema;
} sl_msg_state_request;

/* CLIENT_VERSION_REQUEST (4.10), historic. */
typedef struct sl_msg_version_request {
    uint64_t file_ident;
    int64_t salt;
} sl_msg_version_request;

/* TRANSACT of a client (4.14), historic. */
typedef struct sl_msg_client_transact {
    uint64_t client_version, server_version;
    sl_str changeset;
} sl_msg_client_transact;

/* One message. `type` selects the member; UNBIND and ALLOC have none. All strings are borrowed:
 * from the input after a parse, from the caller when writing. */
typedef struct sl_client_message {
    sl_message_type type;
    uint64_t session; /* 0 for PING */
    union {
        sl_msg_bind bind;
        sl_msg_client_ident ident;
        sl_msg_upload upload;
        uint64_t mark; /* request number */
        sl_msg_query query;
        sl_msg_client_error error;
        sl_msg_test_command test;
        sl_msg_ping ping;
        sl_str refresh; /* token */
        sl_msg_state_request state_request;
        sl_msg_version_request version_request;
        sl_msg_client_transact transact;
    };
} sl_client_message;

/* Parses one WebSocket message of `size` octets at `data` (borrowed; `msg` points into it) the way
 * a server does. Fails with SL_ERR_PROTOCOL, the offset, and in `code` the connection-level error
 * to raise: 102 unknown type (or QUERY in PBS), 103 bad syntax, number out of range, wrong length
 * or a limit of 8.4, 106 session ident 0 or above 2^63-1 in BIND, 112 a body that would inflate to
 * more than SL_MAX_INFLATED. Bodies are not looked into. Never allocates. */
bool sl_client_message_parse(sl_client_message *msg, sl_dialect dialect, const void *data,
                             size_t size, sl_status *st);

/* Reads the head of an UPLOAD from the first `size` octets of it: `body.bytes` gets the size that
 * the head tells, and no octets. False for anything else. */
bool sl_client_message_upload_front(sl_client_message *msg, const void *front, size_t size);

/* Appends the message to `out`; the values must be in the ranges of 3.1. Look at out->failed. */
void sl_client_message_write(sl_buf *out, sl_dialect dialect, const sl_client_message *msg);

#endif
