/* protocol.c - messages and errors of the protocol for Lua: syncline.core.protocol.
 *
 * A message is a table with `type`, `session` and the fields of its struct (client_message.h,
 * server_message.h). UPLOAD and DOWNLOAD have their changesets in `entries`. */
#include <stddef.h>

#include "lua/check.h"
#include "lua/core.h"
#include "lua/value.h"
#include "protocol/entries.h"
#include "protocol/errors.h"
#include "protocol/server_message.h"

/* ---- fields ---------------------------------------------------------------------------------- */

typedef enum field_kind {
    FIELD_U64,
    FIELD_I64,
    FIELD_I32,
    FIELD_BOOL,
    FIELD_STR,
    FIELD_REAL
} field_kind;

/* One member of a message's struct. */
typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset;
} field;

/* Fields of one message type, ended by a NULL name. */
typedef struct layout {
    sl_message_type type;
    bool has_session;
    field fields[14];
} layout;

#define C(kind, member, name)                                                                      \
    { name, FIELD_##kind, offsetof(sl_client_message, member) }
#define S(kind, member, name)                                                                      \
    { name, FIELD_##kind, offsetof(sl_server_message, member) }

static const layout client_layouts[] = {
    {SL_MSG_BIND,
     true,
     {C(STR, bind.path, "path"), C(STR, bind.token, "token"),
      C(BOOL, bind.need_ident, "need_ident"), C(BOOL, bind.is_subserver, "is_subserver")}},
    {SL_MSG_IDENT,
     true,
     {C(U64, ident.file_ident, "file_ident"), C(I64, ident.salt, "salt"),
      C(U64, ident.dl_sv, "download_server_version"),
      C(U64, ident.dl_cv, "download_client_version"),
      C(U64, ident.latest_sv, "latest_server_version"), C(I64, ident.latest_salt, "latest_salt"),
      C(I64, ident.query_version, "query_version"), C(STR, ident.query, "query")}},
    {SL_MSG_UPLOAD,
     true,
     {C(U64, upload.progress_cv, "progress_client_version"),
      C(U64, upload.progress_sv, "progress_server_version"),
      C(U64, upload.locked_sv, "locked_server_version")}},
    {SL_MSG_UNBIND, true, {{0}}},
    {SL_MSG_MARK, true, {C(U64, mark, "request")}},
    {SL_MSG_QUERY, true, {C(I64, query.version, "version"), C(STR, query.query, "query")}},
    {SL_MSG_PING, false, {C(I64, ping.timestamp_ms, "timestamp"), C(I64, ping.rtt_ms, "rtt")}},
    {SL_MSG_JSON_ERROR, true, {C(I32, error.code, "code"), C(STR, error.json, "json")}},
    {SL_MSG_TEST_COMMAND, true, {C(U64, test.request, "request"), C(STR, test.json, "json")}},
    {SL_MSG_TRANSACT,
     true,
     {C(U64, transact.client_version, "client_version"),
      C(U64, transact.server_version, "server_version"), C(STR, transact.changeset, "changeset")}},
    {SL_MSG_ALLOC, true, {{0}}},
    {SL_MSG_REFRESH, true, {C(STR, refresh, "token")}},
    {SL_MSG_STATE_REQUEST,
     true,
     {C(U64, state_request.partial_sv, "partial_server_version"),
      C(I64, state_request.partial_salt, "partial_salt"), C(U64, state_request.offset, "offset"),
      C(BOOL, state_request.need_recent, "need_recent"),
      C(I32, state_request.min_file_format, "min_file_format"),
      C(I32, state_request.max_file_format, "max_file_format"),
      C(I32, state_request.min_history_schema, "min_history_schema"),
      C(I32, state_request.max_history_schema, "max_history_schema")}},
    {SL_MSG_CLIENT_VERSION_REQUEST,
     true,
     {C(U64, version_request.file_ident, "file_ident"), C(I64, version_request.salt, "salt")}},
};

static const layout server_layouts[] = {
    {SL_MSG_IDENT, true, {S(U64, ident.file_ident, "file_ident"), S(I64, ident.salt, "salt")}},
    {SL_MSG_DOWNLOAD,
     true,
     {S(U64, download.dl_sv, "download_server_version"),
      S(U64, download.dl_cv, "download_client_version"),
      S(U64, download.latest_sv, "latest_server_version"),
      S(I64, download.latest_salt, "latest_salt"), S(U64, download.ul_cv, "upload_client_version"),
      S(U64, download.ul_sv, "upload_server_version"),
      S(U64, download.downloadable, "downloadable_bytes"),
      S(I64, download.query_version, "query_version"),
      S(REAL, download.progress, "progress_estimate")}},
    {SL_MSG_UNBOUND, true, {{0}}},
    {SL_MSG_MARK, true, {S(U64, mark, "request")}},
    {SL_MSG_PONG, false, {S(I64, pong, "timestamp")}},
    {SL_MSG_ERROR,
     true,
     {S(I32, error.code, "code"), S(BOOL, error.try_again, "try_again"),
      S(STR, error.text, "text")}},
    {SL_MSG_JSON_ERROR, true, {S(I32, json_error.code, "code"), S(STR, json_error.json, "json")}},
    {SL_MSG_QUERY_ERROR,
     true,
     {S(I32, query_error.code, "code"), S(I64, query_error.query_version, "query_version"),
      S(STR, query_error.text, "text")}},
    {SL_MSG_LOG_MESSAGE, true, {S(STR, log, "json")}},
    {SL_MSG_TEST_COMMAND, true, {S(U64, test.request, "request"), S(STR, test.json, "json")}},
    {SL_MSG_STATE,
     true,
     {S(U64, state.server_version, "server_version"), S(I64, state.server_salt, "server_salt"),
      S(U64, state.begin_offset, "begin_offset"), S(U64, state.end_offset, "end_offset"),
      S(U64, state.max_offset, "max_offset"), S(STR, state.segments, "segments")}},
    {SL_MSG_CLIENT_VERSION, true, {S(U64, client_version, "client_version")}},
    {SL_MSG_ALLOC, true, {S(U64, alloc, "file_ident")}},
    {SL_MSG_TRANSACT,
     true,
     {S(U64, transact.status, "status"), S(U64, transact.server_version, "server_version"),
      S(I64, transact.server_salt, "server_salt"),
      S(U64, transact.origin_timestamp, "origin_timestamp"),
      S(U64, transact.origin_ident, "origin_file"),
      S(STR, transact.substitutions, "substitutions")}},
};

enum {
    CLIENT_LAYOUTS = sizeof(client_layouts) / sizeof(client_layouts[0]),
    SERVER_LAYOUTS = sizeof(server_layouts) / sizeof(server_layouts[0])
};

static void push_field(lua_State *L, const field *f, const void *base) {
    const void *at = (const char *)base + f->offset;
    switch (f->kind) {
    case FIELD_U64:
        sl_lua_push_int(L, (int64_t) * (const uint64_t *)at);
        break;
    case FIELD_I64:
        sl_lua_push_int(L, *(const int64_t *)at);
        break;
    case FIELD_I32:
        sl_lua_push_int(L, *(const int32_t *)at);
        break;
    case FIELD_BOOL:
        lua_pushboolean(L, *(const bool *)at);
        break;
    case FIELD_REAL:
        lua_pushnumber(L, *(const double *)at);
        break;
    case FIELD_STR: {
        sl_str s = *(const sl_str *)at;
        lua_pushlstring(L, s.data ? s.data : "", s.size);
        break;
    }
    }
    lua_setfield(L, -2, f->name);
}

/* Absent fields are 0, false and "". */
static void read_field(lua_State *L, int index, const field *f, void *base) {
    void *at = (char *)base + f->offset;
    switch (f->kind) {
    case FIELD_U64:
        *(uint64_t *)at = (uint64_t)sl_lua_option_int(L, index, f->name, 0, INT64_MAX, 0);
        break;
    case FIELD_I64:
        *(int64_t *)at = sl_lua_option_int(L, index, f->name, 0, INT64_MAX, 0);
        break;
    case FIELD_I32:
        *(int32_t *)at = (int32_t)sl_lua_option_int(L, index, f->name, INT32_MIN, INT32_MAX, 0);
        break;
    case FIELD_BOOL:
        *(bool *)at = sl_lua_option_bool(L, index, f->name, false);
        break;
    case FIELD_REAL:
        *(double *)at = sl_lua_option_number(L, index, f->name, 0);
        break;
    case FIELD_STR:
        *(sl_str *)at = sl_lua_option_str(L, index, f->name, "");
        break;
    }
}

/* ---- options --------------------------------------------------------------------------------- */

/* Memory that Lua frees, whatever happens. */
typedef struct scratch {
    sl_lua_head head;
    sl_buf plain, packed, out;
} scratch;

static void scratch_close(lua_State *L, void *self) {
    (void)L;
    scratch *s = self;
    sl_buf_free(&s->plain);
    sl_buf_free(&s->packed);
    sl_buf_free(&s->out);
}

static const sl_lua_type scratch_type = {"syncline.core.protocol", sizeof(scratch), scratch_close,
                                         NULL, NULL};

typedef struct dialect_options {
    sl_dialect dialect;
    bool from_client;
} dialect_options;

static dialect_options read_options(lua_State *L, int index) {
    dialect_options o;
    sl_str from = sl_lua_option_str(L, index, "from", "client");
    o.dialect.version = (int)sl_lua_option_int(L, index, "version", 1, 14, 14);
    o.dialect.flx = sl_lua_option_bool(L, index, "flx", false);
    o.from_client = sl_str_eq(from, SL_STR("client"));
    if (!o.from_client && !sl_str_eq(from, SL_STR("server")))
        luaL_error(L, "option 'from': 'client' or 'server' expected");
    return o;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void set_int(lua_State *L, const char *name, uint64_t value) {
    sl_lua_push_int(L, (int64_t)value);
    lua_setfield(L, -2, name);
}

static void set_str(lua_State *L, const char *name, sl_str s) {
    lua_pushlstring(L, s.data ? s.data : "", s.size);
    lua_setfield(L, -2, name);
}

static bool push_upload_entry(lua_State *L, sl_entry_reader *reader, bool *more, sl_status *st) {
    sl_upload_entry e;
    if (!sl_entry_reader_upload(reader, &e, more, st)) return false;
    if (!*more) return true;
    lua_createtable(L, 0, 5);
    set_int(L, "client_version", e.client_version);
    set_int(L, "server_version", e.server_version);
    set_int(L, "origin_timestamp", e.origin_timestamp);
    set_int(L, "origin_file", e.origin_file);
    set_str(L, "changeset", e.changeset);
    return true;
}

static bool push_download_entry(lua_State *L, sl_entry_reader *reader, bool *more, sl_status *st) {
    sl_download_entry e;
    if (!sl_entry_reader_download(reader, &e, more, st)) return false;
    if (!*more) return true;
    lua_createtable(L, 0, 6);
    set_int(L, "server_version", e.server_version);
    set_int(L, "client_version", e.client_version);
    set_int(L, "origin_timestamp", e.origin_timestamp);
    set_int(L, "origin_file", e.origin_file);
    set_int(L, "original_size", e.original_size);
    set_str(L, "changeset", e.changeset);
    return true;
}

/* Pushes the entries, or leaves the stack as it was. */
static bool push_entries(lua_State *L, bool upload, const sl_body *body, scratch *s,
                         sl_status *st) {
    sl_str entries;
    sl_entry_reader reader;
    int count = 0;
    if (!sl_body_open(body, 0, &s->plain, &entries, st)) return false;
    sl_entry_reader_init(&reader, entries);
    lua_newtable(L);
    for (bool more = true;;) {
        bool ok = upload ? push_upload_entry(L, &reader, &more, st)
                         : push_download_entry(L, &reader, &more, st);
        if (!ok) return lua_pop(L, 1), false;
        if (!more) return true;
        lua_rawseti(L, -2, ++count);
    }
}

static void read_upload_entry(lua_State *L, sl_buf *out) {
    sl_upload_entry e = {
        .client_version = (uint64_t)sl_lua_option_int(L, -1, "client_version", 1, INT64_MAX, 1),
        .server_version = (uint64_t)sl_lua_option_int(L, -1, "server_version", 0, INT64_MAX, 0),
        .origin_timestamp = (uint64_t)sl_lua_option_int(L, -1, "origin_timestamp", 0, INT64_MAX, 0),
        .origin_file = (uint64_t)sl_lua_option_int(L, -1, "origin_file", 0, INT64_MAX, 0),
        .changeset = sl_lua_option_str(L, -1, "changeset", "")};
    sl_upload_entry_write(out, &e);
}

static void read_download_entry(lua_State *L, sl_buf *out) {
    sl_download_entry e = {
        .server_version = (uint64_t)sl_lua_option_int(L, -1, "server_version", 1, INT64_MAX, 1),
        .client_version = (uint64_t)sl_lua_option_int(L, -1, "client_version", 0, INT64_MAX, 0),
        .origin_timestamp = (uint64_t)sl_lua_option_int(L, -1, "origin_timestamp", 0, INT64_MAX, 0),
        .origin_file = (uint64_t)sl_lua_option_int(L, -1, "origin_file", 1, INT64_MAX, 1),
        .changeset = sl_lua_option_str(L, -1, "changeset", "")};
    e.original_size = (uint64_t)sl_lua_option_int(L, -1, "original_size", 0, INT64_MAX,
                                                  (int64_t)e.changeset.size);
    sl_download_entry_write(out, &e);
}

/* Fills *body from the table's `entries`. */
static bool read_entries(lua_State *L, int index, bool upload, sl_body *body, scratch *s,
                         sl_status *st) {
    lua_getfield(L, index, "entries");
    int count = lua_istable(L, -1) ? (int)lua_rawlen(L, -1) : 0;
    if (!lua_istable(L, -1) && !lua_isnil(L, -1)) luaL_error(L, "entries: a table expected");
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        if (!lua_istable(L, -1)) luaL_error(L, "entries: tables expected");
        if (upload)
            read_upload_entry(L, &s->plain);
        else
            read_download_entry(L, &s->plain);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (s->plain.failed) return sl_fail_memory(st);
    return sl_body_pack(NULL, sl_str_of(s->plain.data, s->plain.size), &s->packed, body, st);
}

/* ---- parse ----------------------------------------------------------------------------------- */

static const layout *find_layout(bool from_client, sl_message_type type) {
    const layout *list = from_client ? client_layouts : server_layouts;
    size_t count = from_client ? CLIENT_LAYOUTS : SERVER_LAYOUTS;
    for (size_t i = 0; i < count; i++)
        if (list[i].type == type) return &list[i];
    return NULL;
}

static void push_message(lua_State *L, const layout *l, uint64_t session, const void *msg) {
    lua_createtable(L, 0, 12);
    lua_pushstring(L, sl_message_name(l->type));
    lua_setfield(L, -2, "type");
    if (l->has_session) set_int(L, "session", session);
    for (const field *f = l->fields; f->name; f++)
        push_field(L, f, msg);
}

/* Adds `entries` and `compressed`. */
static bool add_body(lua_State *L, bool upload, const sl_body *body, sl_status *st) {
    scratch *s = sl_lua_new(L, &scratch_type);
    lua_insert(L, -2);
    if (!push_entries(L, upload, body, s, st)) return false;
    lua_setfield(L, -2, "entries");
    lua_pushboolean(L, body->compressed);
    lua_setfield(L, -2, "compressed");
    return true;
}

static bool parse_client(lua_State *L, sl_dialect dialect, sl_str wire, sl_status *st) {
    sl_client_message msg;
    if (!sl_client_message_parse(&msg, dialect, wire.data, wire.size, st)) return false;
    push_message(L, find_layout(true, msg.type), msg.session, &msg);
    return msg.type != SL_MSG_UPLOAD || add_body(L, true, &msg.upload.body, st);
}

static bool parse_server(lua_State *L, sl_dialect dialect, sl_str wire, sl_status *st) {
    sl_server_message msg;
    if (!sl_server_message_parse(&msg, dialect, wire.data, wire.size, st)) return false;
    push_message(L, find_layout(false, msg.type), msg.session, &msg);
    if (msg.type != SL_MSG_DOWNLOAD) return true;
    set_int(L, "batch_state", (uint64_t)msg.download.batch);
    return add_body(L, false, &msg.download.body, st);
}

/* protocol.parse(message, {from = "client"|"server", version = 14, flx = false}) -> table, or nil,
 * message, code (error number of the protocol) */
static int protocol_parse(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    sl_str wire = sl_lua_check_str(L, 1);
    dialect_options o = read_options(L, 2);
    bool ok = o.from_client ? parse_client(L, o.dialect, wire, &st)
                            : parse_server(L, o.dialect, wire, &st);
    return ok ? 1 : sl_lua_fail(L, &st);
}

/* ---- encode ---------------------------------------------------------------------------------- */

static const layout *check_type(lua_State *L, bool from_client) {
    sl_str name = sl_lua_option_str(L, 1, "type", "");
    for (int type = 0; type < SL_MSG_COUNT; type++) {
        if (!sl_str_eq(name, sl_str_c(sl_message_name((sl_message_type)type)))) continue;
        const layout *l = find_layout(from_client, (sl_message_type)type);
        if (l) return l;
    }
    luaL_error(L, "type: '%s' is no message of a %s", name.data, from_client ? "client" : "server");
    return NULL;
}

static uint64_t read_head(lua_State *L, const layout *l, void *msg) {
    for (const field *f = l->fields; f->name; f++)
        read_field(L, 1, f, msg);
    return l->has_session ? (uint64_t)sl_lua_option_int(L, 1, "session", 0, INT64_MAX, 0) : 0;
}

static bool encode_client(lua_State *L, sl_dialect dialect, scratch *s, sl_status *st) {
    sl_client_message msg = {0};
    const layout *l = check_type(L, true);
    msg.type = l->type;
    msg.session = read_head(L, l, &msg);
    if (l->type == SL_MSG_UPLOAD && !read_entries(L, 1, true, &msg.upload.body, s, st))
        return false;
    sl_client_message_write(&s->out, dialect, &msg);
    return true;
}

static bool encode_server(lua_State *L, sl_dialect dialect, scratch *s, sl_status *st) {
    sl_server_message msg = {0};
    const layout *l = check_type(L, false);
    msg.type = l->type;
    msg.session = read_head(L, l, &msg);
    if (l->type == SL_MSG_DOWNLOAD) {
        msg.download.batch = (sl_batch_state)sl_lua_option_int(L, 1, "batch_state", 0, 2, 0);
        if (!read_entries(L, 1, false, &msg.download.body, s, st)) return false;
    }
    sl_server_message_write(&s->out, dialect, &msg);
    return true;
}

/* protocol.encode(table, {from, version, flx}) -> message, or nil, message, code when memory runs
 * out. Raises for what is no message. Absent fields are 0, false and "". */
static int protocol_encode(lua_State *L) {
    sl_status st = SL_STATUS_INIT;
    luaL_checktype(L, 1, LUA_TTABLE);
    dialect_options o = read_options(L, 2);
    scratch *s = sl_lua_new(L, &scratch_type);
    bool ok =
        o.from_client ? encode_client(L, o.dialect, s, &st) : encode_server(L, o.dialect, s, &st);
    if (ok && s->out.failed) ok = sl_fail_memory(&st);
    if (!ok) return sl_lua_fail(L, &st);
    lua_pushlstring(L, s->out.data, s->out.size);
    return 1;
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void push_error(lua_State *L, const sl_error_info *info) {
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, info->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, info->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, sl_error_is_connection(info->code) ? "connection" : "session");
    lua_setfield(L, -2, "level");
    lua_pushboolean(L, info->try_again);
    lua_setfield(L, -2, "try_again");
    lua_pushstring(L, sl_action_name(info->action));
    lua_setfield(L, -2, "action");
    lua_pushstring(L, info->advice);
    lua_setfield(L, -2, "advice");
}

/* protocol.error(code) -> {code, name, level, try_again, action, advice}, or nil */
static int protocol_error(lua_State *L) {
    const sl_error_info *info = sl_error_find((int)sl_lua_check_int(L, 1, INT32_MIN, INT32_MAX));
    if (info)
        push_error(L, info);
    else
        lua_pushnil(L);
    return 1;
}

/* protocol.errors() -> array of all of them, ascending by code */
static int protocol_errors(lua_State *L) {
    lua_newtable(L);
    for (size_t i = 0; sl_error_at(i); i++) {
        push_error(L, sl_error_at(i));
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

int sl_lua_open_protocol(lua_State *L) {
    static const luaL_Reg functions[] = {{"parse", protocol_parse},
                                         {"encode", protocol_encode},
                                         {"error", protocol_error},
                                         {"errors", protocol_errors},
                                         {NULL, NULL}};
    sl_lua_register(L, &scratch_type);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
