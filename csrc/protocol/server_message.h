/* server_message.h - messages from server to client. Source: protocol/1-wire.md, section 5. */
#ifndef SL_PROTOCOL_SERVER_MESSAGE_H
#define SL_PROTOCOL_SERVER_MESSAGE_H

#include "protocol/client_message.h"
#include "protocol/message.h"

/* IDENT (5.2). */
typedef struct sl_msg_server_ident {
    uint64_t file_ident;
    int64_t salt;
} sl_msg_server_ident;

/* batch_state of a FLX DOWNLOAD. Below version 14 only MORE and LAST are on the wire. */
typedef enum sl_batch_state {
    SL_BATCH_MORE = 0,
    SL_BATCH_LAST = 1,
    SL_BATCH_STEADY = 2
} sl_batch_state;

/* DOWNLOAD (5.3). `downloadable` is on the wire in PBS and in FLX up to version 11; `progress` in
 * FLX from 12 on; `query_version` and `batch` in FLX. Absent ones are 0 after a parse. */
typedef struct sl_msg_download {
    uint64_t dl_sv, dl_cv;
    uint64_t latest_sv;
    int64_t latest_salt;
    uint64_t ul_cv, ul_sv;
    uint64_t downloadable;
    int64_t query_version;
    sl_batch_state batch;
    double progress; /* 0 .. 1 */
    sl_body body;    /* entries: entries.h */
} sl_msg_download;

/* ERROR (5.5). Session 0: the connection. */
typedef struct sl_msg_error {
    int32_t code;
    bool try_again;
    sl_str text;
} sl_msg_error;

/* JSON_ERROR (5.6); `json` is read and written by json_error.h. Session 0: the connection. */
typedef struct sl_msg_json_error {
    int32_t code;
    sl_str json;
} sl_msg_json_error;

/* QUERY_ERROR (5.7), FLX only. */
typedef struct sl_msg_query_error {
    int32_t code;
    int64_t query_version;
    sl_str text;
} sl_msg_query_error;

/* STATE (5.12), historic. */
typedef struct sl_msg_state {
    uint64_t server_version;
    int64_t server_salt;
    uint64_t begin_offset, end_offset, max_offset;
    sl_str segments;
} sl_msg_state;

/* TRANSACT of a server (5.15), historic. status: 1 accepted, 2 rejected, 3 not supported. */
typedef struct sl_msg_server_transact {
    uint64_t status;
    uint64_t server_version;
    int64_t server_salt;
    uint64_t origin_timestamp, origin_ident;
    sl_str substitutions;
} sl_msg_server_transact;

/* One message. `type` selects the member; UNBOUND has none. All strings are borrowed: from the
 * input after a parse, from the caller when writing. */
typedef struct sl_server_message {
    sl_message_type type;
    uint64_t session; /* 0: PONG, and ERROR, JSON_ERROR, LOG_MESSAGE about the connection */
    union {
        sl_msg_server_ident ident;
        sl_msg_download download;
        sl_msg_error error;
        sl_msg_json_error json_error;
        sl_msg_query_error query_error;
        uint64_t mark; /* request number */
        int64_t pong;  /* timestamp_ms */
        sl_str log;    /* JSON (log_message.h) */
        sl_msg_test_command test;
        sl_msg_state state;
        uint64_t client_version;
        uint64_t alloc; /* file ident */
        sl_msg_server_transact transact;
    };
} sl_server_message;

/* Parses one WebSocket message of `size` octets at `data` (borrowed; `msg` points into it) the way
 * a client does: numbers in range, session ident legal for the type, nothing after the body, a FLX
 * message in FLX only. Any failure is SL_ERR_PROTOCOL with code 102, 103 or 112 (for the log; a
 * client never sends them but closes the connection) and the offset. Never allocates. */
bool sl_server_message_parse(sl_server_message *msg, sl_dialect dialect, const void *data,
                             size_t size, sl_status *st);

/* Appends the message to `out`; the values must be in the ranges of 3.1. Look at out->failed. */
void sl_server_message_write(sl_buf *out, sl_dialect dialect, const sl_server_message *msg);

#endif
