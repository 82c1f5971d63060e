#include "protocol/message.h"

static const char *const names[SL_MSG_COUNT] = {
    [SL_MSG_BIND] = "bind",
    [SL_MSG_IDENT] = "ident",
    [SL_MSG_UPLOAD] = "upload",
    [SL_MSG_DOWNLOAD] = "download",
    [SL_MSG_UNBIND] = "unbind",
    [SL_MSG_UNBOUND] = "unbound",
    [SL_MSG_MARK] = "mark",
    [SL_MSG_QUERY] = "query",
    [SL_MSG_QUERY_ERROR] = "query_error",
    [SL_MSG_PING] = "ping",
    [SL_MSG_PONG] = "pong",
    [SL_MSG_ERROR] = "error",
    [SL_MSG_JSON_ERROR] = "json_error",
    [SL_MSG_LOG_MESSAGE] = "log_message",
    [SL_MSG_TEST_COMMAND] = "test_command",
    [SL_MSG_TRANSACT] = "transact",
    [SL_MSG_ALLOC] = "alloc",
    [SL_MSG_REFRESH] = "refresh",
    [SL_MSG_STATE_REQUEST] = "state_request",
    [SL_MSG_STATE] = "state",
    [SL_MSG_CLIENT_VERSION_REQUEST] = "client_version_request",
    [SL_MSG_CLIENT_VERSION] = "client_version",
};

const char *sl_message_name(sl_message_type type) {
    return (unsigned)type < SL_MSG_COUNT ? names[type] : NULL;
}
