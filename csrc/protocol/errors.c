#include "protocol/errors.h"

static const char *const actions[SL_ACTION_COUNT] = {
    [SL_ACTION_NONE] = "",
    [SL_ACTION_PROTOCOL_VIOLATION] = "ProtocolViolation",
    [SL_ACTION_APPLICATION_BUG] = "ApplicationBug",
    [SL_ACTION_WARNING] = "Warning",
    [SL_ACTION_TRANSIENT] = "Transient",
    [SL_ACTION_DELETE_REALM] = "DeleteRealm",
    [SL_ACTION_CLIENT_RESET] = "ClientReset",
    [SL_ACTION_CLIENT_RESET_NO_RECOVERY] = "ClientResetNoRecovery",
    [SL_ACTION_MIGRATE_TO_FLX] = "MigrateToFLX",
    [SL_ACTION_REVERT_TO_PBS] = "RevertToPBS",
    [SL_ACTION_REFRESH_USER] = "RefreshUser",
    [SL_ACTION_REFRESH_LOCATION] = "RefreshLocation",
    [SL_ACTION_LOG_OUT_USER] = "LogOutUser",
    [SL_ACTION_MIGRATE_SCHEMA] = "MigrateSchema",
};

const char *sl_action_name(sl_action action) {
    return (unsigned)action < SL_ACTION_COUNT ? actions[action] : "";
}

sl_action sl_action_from_name(sl_str name) {
    for (int i = 1; i < SL_ACTION_COUNT; i++)
        if (sl_str_eq(name, sl_str_c(actions[i]))) return (sl_action)i;
    return SL_ACTION_APPLICATION_BUG;
}

#define VIOLATION SL_ACTION_PROTOCOL_VIOLATION
#define BUG       SL_ACTION_APPLICATION_BUG
#define TRANSIENT SL_ACTION_TRANSIENT
#define RESET     SL_ACTION_CLIENT_RESET

#define PEER_BUG                                                                                   \
    "The two programs disagree about the protocol: update the older one, and report it with a "    \
    "trace if both are current."
#define NEEDS_RESET                                                                                \
    "The local file and the server's history no longer fit together (restored backup, wiped "      \
    "server, old file): the client has to download a fresh copy."

/* code, name, ends, try again, action, deadly, substitute, advice */
static const sl_error_info table[] = {
    {100, "connection closed", true, true, TRANSIENT, false, 0,
     "The server closes for a while or has too much to do; the client comes back by itself."},
    {101, "other connection error", true, true, TRANSIENT, false, 0,
     "See the text of the error and the log of the server; the client tries again."},
    {102, "unknown message type", true, false, VIOLATION, false, 0, PEER_BUG},
    {103, "bad syntax in message", true, false, VIOLATION, false, 0, PEER_BUG},
    {104, "limits exceeded", true, false, VIOLATION, true, SL_CLOSE_TOO_BIG,
     "A message is larger than the receiver takes; write smaller transactions."},
    {105, "wrong protocol version", true, false, BUG, false, 0,
     "Client and server have no protocol version in common; update the older one."},
    {106, "bad session ident", true, false, VIOLATION, false, 0, PEER_BUG},
    {107, "session ident reused", true, false, VIOLATION, false, 0, PEER_BUG},
    {108, "client file bound in another session", true, false, VIOLATION, false, 0,
     "One local file is open in two sessions of a connection; open it once per process."},
    {109, "bad message order", true, false, VIOLATION, false, 0, PEER_BUG},
    {110, "decompression failed", true, false, VIOLATION, false, 0, PEER_BUG},
    {111, "bad changeset header", true, false, VIOLATION, false, 0, PEER_BUG},
    {112, "bad changeset size", true, false, VIOLATION, false, 0, PEER_BUG},
    {113, "must use query-based sync", true, false, BUG, false, 0,
     "The app on the server uses flexible sync; open the realm with a flexible configuration."},
    {114, "must use partition-based sync", true, false, BUG, false, 0,
     "The app on the server uses partitions; open the realm with a partition value."},
    {199, "reserved connection error", true, false, VIOLATION, false, 0,
     "Reserved for tests of unknown errors."},
    {200, "session closed", true, true, TRANSIENT, false, 0,
     "The server ended the session without fault; the client binds again."},
    {201, "other session error", true, true, TRANSIENT, false, 0,
     "See the text of the error and the log of the server; the client tries again."},
    {202, "token expired", true, false, SL_ACTION_REFRESH_USER, true, SL_CLOSE_UNAUTHORIZED,
     "The access token is too old; log in again if it cannot be renewed."},
    {203, "bad authentication", true, false, SL_ACTION_REFRESH_USER, true, SL_CLOSE_UNAUTHORIZED,
     "The access token is not valid for this server; check keys, issuer and app id."},
    {204, "illegal path or partition", true, false, BUG, false, 0,
     "The partition value is malformed or of a type that the app does not use."},
    {205, "no such file", true, false, BUG, true, 204,
     "No realm exists for this partition and the server does not create it."},
    {206, "permission denied", true, false, BUG, false, 0,
     "The user may not read this partition; check the rules of the app."},
    {207, "bad server file ident", true, false, RESET, true, 208, NEEDS_RESET},
    {208, "bad client file ident", true, false, RESET, false, 0, NEEDS_RESET},
    {209, "bad server version", true, false, RESET, false, 0, NEEDS_RESET},
    {210, "bad client version", true, false, RESET, false, 0, NEEDS_RESET},
    {211, "diverging histories", true, false, RESET, false, 0, NEEDS_RESET},
    {212, "bad changeset", true, false, RESET, false, 0,
     "A changeset does not fit the server's data; the client has to download a fresh copy."},
    {213, "superseded session", true, true, TRANSIENT, false, 0,
     "Another session took over; the client binds again."},
    {214, "partial sync disabled", true, false, BUG, true, 204,
     "The old query-based sync no longer exists; open the realm with a partition value."},
    {215, "unsupported session feature", true, false, BUG, true, 201,
     "The client asked for something this server does not do."},
    {216, "bad origin file ident", true, false, RESET, false, 0,
     "A changeset claims an author that the client does not speak for."},
    {217, "client file cannot be synchronised any more", true, false, RESET, false, 0, NEEDS_RESET},
    {218, "server file deleted", true, false, RESET, true, 217, NEEDS_RESET},
    {219, "client file blacklisted", true, false, RESET, true, 208, NEEDS_RESET},
    {220, "user blacklisted", true, false, BUG, true, 206,
     "The user is disabled; ask the administrator of the app."},
    {221, "transaction before upload completion", true, false, BUG, true, 201, PEER_BUG},
    {222, "client file expired", true, false, RESET, false, 0,
     "The client was away for longer than the server keeps history; it needs a fresh copy."},
    {223, "user mismatch", true, false, BUG, false, 0,
     "The local file belongs to another user; give every user a file of their own."},
    {224, "too many sessions", true, true, TRANSIENT, true, 100,
     "Close realms that are not in use."},
    {225, "invalid schema change", true, false, BUG, false, 0,
     "The schema of the client contradicts the one on the server; compare the two definitions."},
    {226, "bad query", true, false, BUG, false, 0,
     "A subscription does not parse, or names classes or properties that may not be queried."},
    {227, "object exists outside the view", true, false, RESET, false, 0,
     "An object with this primary key exists where the client does not see it."},
    {228, "permissions changed", true, false, RESET, false, 0,
     "The rights of the user changed; the client has to download a fresh copy."},
    {229, "initial sync not completed", true, true, TRANSIENT, false, 0,
     "The server is still preparing the data; the client tries again."},
    {230, "write not allowed", true, false, RESET, false, 0,
     "The user may not write here; the client has to give up its local changes."},
    {231, "compensating write", false, true, SL_ACTION_WARNING, false, 0,
     "The server took a change back, because the user may not make it or cannot see its object."},
    {232, "server migrated to query-based sync", true, false, SL_ACTION_MIGRATE_TO_FLX, false, 0,
     "The app moved from partitions to flexible sync; the client migrates by itself."},
    {233, "bad progress", true, false, RESET, false, 0, NEEDS_RESET},
    {234, "server rolled back to partition-based sync", true, false, SL_ACTION_REVERT_TO_PBS, false,
     0, "The app moved back to partitions; the client follows by itself."},
    {235, "bad schema version", true, false, BUG, false, 0,
     "The server does not know this schema version; deploy it first."},
    {236, "schema version changed", false, true, SL_ACTION_MIGRATE_SCHEMA, false, 0,
     "The file was last opened with another schema version; the client migrates by itself."},
    {299, "reserved session error", true, false, BUG, false, 0,
     "Reserved for tests of unknown errors."},
};

enum { TABLE_SIZE = sizeof(table) / sizeof(table[0]) };

const sl_error_info *sl_error_at(size_t index) {
    return index < TABLE_SIZE ? &table[index] : NULL;
}

const sl_error_info *sl_error_find(int code) {
    size_t low = 0, high = TABLE_SIZE;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < TABLE_SIZE && table[low].code == code ? &table[low] : NULL;
}

/* The number as this peer may hear it. */
static int number_for(const sl_error_info *info, int version) {
    /* On 206 an old client deletes its file, changes that were never uploaded included. */
    if (info->code == 206 && version < 7) return 204;
    if (version <= SL_PROTOCOL_LAST_LEGACY) {
        /* Old clients know all numbers, but some assert on 202. */
        return info->code == 202 ? 203 : info->code;
    }
    if (info->code == 228 && version >= 14) return 200;
    if (!info->deadly) return info->code;
    /* 220 is replaced by 206, which must not reach an old client either. */
    return info->substitute == 206 && version < 7 ? 204 : info->substitute;
}

sl_error_form sl_error_form_for(int code, int version) {
    const sl_error_info *info = sl_error_find(code);
    if (!info) info = sl_error_find(sl_error_is_connection(code) ? 101 : 201);
    int number = number_for(info, version);
    if (number >= 1000)
        return (sl_error_form){SL_FORM_CLOSE, info->code, number, info->try_again, info->action};
    if (number == 104) /* the frame itself is too large for an old peer as well */
        return (sl_error_form){SL_FORM_CLOSE, 104, SL_CLOSE_TOO_BIG, false, info->action};
    if (number != info->code) info = sl_error_find(number);
    return (sl_error_form){version > SL_PROTOCOL_LAST_LEGACY ? SL_FORM_JSON : SL_FORM_PLAIN, number,
                           0, info->try_again, info->action};
}

/* Codes that look alike to a client: 1002-1005, 1007, 1008, 1010. */
static sl_close_info plain_close(int code, const char *name) {
    return (sl_close_info){code, name, false, false, SL_ACTION_NONE, SL_END_WEBSOCKET_VIOLATION};
}

static sl_close_info local_close(int code, bool verified) {
    sl_action location = verified ? SL_ACTION_NONE : SL_ACTION_REFRESH_LOCATION;
    switch (code) {
    case SL_CLOSE_RESOLVE_FAILED:
        return (sl_close_info){code,  "resolve failed", false,
                               false, location,         SL_END_CONNECT_FAILED};
    case SL_CLOSE_CONNECT_FAILED:
        return (sl_close_info){code,     "connection failed",  false, false,
                               location, SL_END_CONNECT_FAILED};
    case SL_CLOSE_READ_ERROR:
        return (sl_close_info){code,  "read error",        false,
                               false, SL_ACTION_TRANSIENT, SL_END_READ_WRITE_ERROR};
    case SL_CLOSE_WRITE_ERROR:
        return (sl_close_info){code,  "write error",       false,
                               false, SL_ACTION_TRANSIENT, SL_END_READ_WRITE_ERROR};
    case SL_CLOSE_RETRY:
        return (sl_close_info){code, "retry", false, false, SL_ACTION_NONE, SL_END_HTTP_NONFATAL};
    default:
        return (sl_close_info){code,     "fatal",
                               false,    verified,
                               location, verified ? SL_END_HTTP_FATAL : SL_END_CONNECT_FAILED};
    }
}

sl_close_info sl_close_info_of(int code, bool received, bool route_verified) {
    switch (code) {
    case SL_CLOSE_NORMAL:
        return (sl_close_info){code,  "normal",       true,
                               false, SL_ACTION_NONE, SL_END_READ_WRITE_ERROR};
    case SL_CLOSE_GOING_AWAY:
        return plain_close(code, "going away");
    case 1002:
        return plain_close(code, "protocol error");
    case 1003:
        return plain_close(code, "unsupported data");
    case 1004:
        return plain_close(code, "reserved");
    case SL_CLOSE_NO_STATUS:
        return plain_close(code, "no status");
    case 1007:
        return plain_close(code, "invalid payload");
    case 1010:
        return plain_close(code, "missing extension");
    case SL_CLOSE_ABNORMAL:
        return (sl_close_info){
            code, "abnormal", false, false, SL_ACTION_REFRESH_USER, SL_END_HTTP_NONFATAL};
    case SL_CLOSE_TOO_BIG:
        return (sl_close_info){code,  "message too big",         false, false,
                               RESET, SL_END_WEBSOCKET_VIOLATION};
    case SL_CLOSE_SERVER_ERROR:
        return (sl_close_info){code,  "server error", false,
                               false, SL_ACTION_NONE, SL_END_HTTP_NONFATAL};
    case SL_CLOSE_TLS:
        return (sl_close_info){code,  "TLS failed",   false,
                               false, SL_ACTION_NONE, SL_END_CERTIFICATE};
    case SL_CLOSE_UNAUTHORIZED:
        return (sl_close_info){code,  "unauthorized",         false,
                               false, SL_ACTION_REFRESH_USER, SL_END_HTTP_NONFATAL};
    case SL_CLOSE_FORBIDDEN:
        return (sl_close_info){
            code, "forbidden", false, true, SL_ACTION_LOG_OUT_USER, SL_END_HTTP_FATAL};
    case SL_CLOSE_MOVED:
        return (sl_close_info){code,  "moved permanently",        false,
                               false, SL_ACTION_REFRESH_LOCATION, SL_END_HTTP_NONFATAL};
    default:
        break;
    }
    if (!received && code >= SL_CLOSE_RESOLVE_FAILED && code <= SL_CLOSE_FATAL)
        return local_close(code, route_verified);
    return plain_close(SL_CLOSE_POLICY, "policy violation");
}
