/* message.h - what all protocol messages have in common. Source: protocol/1-wire.md, sections 3-5.
 */
#ifndef SL_PROTOCOL_MESSAGE_H
#define SL_PROTOCOL_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

/* Protocol versions we speak, and the last one with legacy tokens and historic messages (3.3). */
enum { SL_PROTOCOL_MIN = 2, SL_PROTOCOL_MAX = 14, SL_PROTOCOL_LAST_LEGACY = 3 };

/* Limits of 8.4 and 4.1, in octets. */
enum {
    SL_MAX_HEAD = 512,
    SL_MAX_PBS_PATH = 4096,
    SL_MAX_FLX_BIND = 16384,
    SL_MAX_TOKEN = 2048,
    SL_MAX_QUERY = 1048576,
    SL_MAX_DOWNLOAD_BODY = 16777216,
    SL_MAX_UPLOAD_SOFT = 131072,
    SL_MAX_UPLOAD_HARD = 16777216,
    SL_MAX_CLIENT_MESSAGE = 16777216, /* default for one message of a client: all servers take it */
    SL_MAX_SERVER_MESSAGE = 17825792, /* default for one inbound message at the server */
    SL_MAX_INFLATED = 268435456,      /* default bomb guard (3.2) */
    SL_MAX_SESSIONS = 1000            /* per connection */
};

/* The greatest session ident, file ident, version, request, timestamp on the wire. */
#define SL_MAX_NUMBER UINT64_C(0x7fffffffffffffff)

/* What the two ends of a connection agreed on. */
typedef struct sl_dialect {
    int version; /* SL_PROTOCOL_MIN .. SL_PROTOCOL_MAX */
    bool flx;    /* query-based connection; else partition-based */
} sl_dialect;

/* Message types of both directions. */
typedef enum sl_message_type {
    SL_MSG_BIND,
    SL_MSG_IDENT,
    SL_MSG_UPLOAD,
    SL_MSG_DOWNLOAD,
    SL_MSG_UNBIND,
    SL_MSG_UNBOUND,
    SL_MSG_MARK,
    SL_MSG_QUERY,
    SL_MSG_QUERY_ERROR,
    SL_MSG_PING,
    SL_MSG_PONG,
    SL_MSG_ERROR,
    SL_MSG_JSON_ERROR,
    SL_MSG_LOG_MESSAGE,
    SL_MSG_TEST_COMMAND,
    SL_MSG_TRANSACT,
    SL_MSG_ALLOC,
    SL_MSG_REFRESH,
    SL_MSG_STATE_REQUEST,
    SL_MSG_STATE,
    SL_MSG_CLIENT_VERSION_REQUEST,
    SL_MSG_CLIENT_VERSION,
    SL_MSG_COUNT
} sl_message_type;

/* The word on the wire ("bind", ...). Static storage; NULL for a number out of range. */
const char *sl_message_name(sl_message_type type);

/* The body of UPLOAD and DOWNLOAD as it stands on the wire (3.2). `bytes` has the compressed octets
 * if `compressed`, else the entries themselves, and then bytes.size == uncompressed_size. */
typedef struct sl_body {
    bool compressed;
    uint64_t uncompressed_size;
    sl_str bytes; /* borrowed */
} sl_body;

#endif
