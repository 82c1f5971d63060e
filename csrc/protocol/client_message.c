#include "protocol/client_message.h"

#include "protocol/scan.h"

typedef void (*reader)(sl_scan *scan, sl_dialect dialect, sl_client_message *msg);

static void read_session(sl_scan *scan, sl_client_message *msg) {
    msg->session = sl_scan_uint(scan, UINT64_MAX);
}

static void read_bind(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    sl_msg_bind *bind = &msg->bind;
    read_session(scan, msg);
    uint64_t path_size = sl_scan_number(scan);
    uint64_t token_size = sl_scan_number(scan);
    bind->need_ident = sl_scan_bool(scan);
    bind->is_subserver = sl_scan_bool(scan);
    if (path_size > (uint64_t)(dialect.flx ? SL_MAX_FLX_BIND : SL_MAX_PBS_PATH))
        sl_scan_fail(scan, 103, "the path is longer than the limit");
    if (path_size == 0 && !dialect.flx) sl_scan_fail(scan, 103, "the path is empty");
    if (token_size > SL_MAX_TOKEN) sl_scan_fail(scan, 103, "the token is longer than the limit");
    if (msg->session == 0 || msg->session > SL_MAX_NUMBER)
        sl_scan_fail(scan, 106, "the session ident is 0 or too large");
    bind->path = sl_scan_body(scan, path_size);
    bind->token = sl_scan_body(scan, token_size);
}

static void read_ident(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    sl_msg_client_ident *ident = &msg->ident;
    read_session(scan, msg);
    ident->file_ident = sl_scan_number(scan);
    ident->salt = (int64_t)sl_scan_number(scan);
    ident->dl_sv = sl_scan_number(scan);
    ident->dl_cv = sl_scan_number(scan);
    ident->latest_sv = sl_scan_number(scan);
    ident->latest_salt = (int64_t)sl_scan_number(scan);
    ident->query_version = 0;
    ident->query = SL_STR("");
    if (!dialect.flx) return;
    ident->query_version = (int64_t)sl_scan_number(scan);
    ident->query = sl_scan_sized_body(scan, SL_MAX_QUERY);
}

static uint64_t read_upload_head(sl_scan *scan, sl_client_message *msg) {
    sl_msg_upload *upload = &msg->upload;
    read_session(scan, msg);
    upload->body.compressed = sl_scan_bool(scan);
    upload->body.uncompressed_size = sl_scan_number(scan);
    uint64_t compressed_size = sl_scan_number(scan);
    upload->progress_cv = sl_scan_number(scan);
    upload->progress_sv = sl_scan_number(scan);
    upload->locked_sv = sl_scan_number(scan);
    return compressed_size;
}

static void read_upload(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    uint64_t compressed_size = read_upload_head(scan, msg);
    sl_scan_packed_body(scan, &msg->upload.body, compressed_size);
}

static void read_session_only(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
}

static void read_mark(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->mark = sl_scan_number(scan);
    if (msg->mark == 0) sl_scan_fail(scan, 103, "the request number is 0");
}

static void read_query(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->query.version = (int64_t)sl_scan_number(scan);
    msg->query.query = sl_scan_sized_body(scan, SL_MAX_QUERY);
}

static void read_ping(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    msg->ping.timestamp_ms = (int64_t)sl_scan_number(scan);
    msg->ping.rtt_ms = (int64_t)sl_scan_number(scan);
}

static void read_json_error(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    msg->error.code = sl_scan_int32(scan);
    uint64_t size = sl_scan_number(scan);
    read_session(scan, msg);
    msg->error.json = sl_scan_body(scan, size);
}

static void read_test_command(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->test.request = sl_scan_number(scan);
    msg->test.json = sl_scan_sized_body(scan, SL_MAX_NUMBER);
}

static void read_transact(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->transact.client_version = sl_scan_number(scan);
    msg->transact.server_version = sl_scan_number(scan);
    msg->transact.changeset = sl_scan_sized_body(scan, SL_MAX_NUMBER);
}

static void read_refresh(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->refresh = sl_scan_sized_body(scan, SL_MAX_TOKEN);
}

static int32_t scan_range(sl_scan *scan) {
    return (int32_t)sl_scan_uint(scan, INT32_MAX);
}

static void read_state_request(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    sl_msg_state_request *request = &msg->state_request;
    (void)dialect;
    read_session(scan, msg);
    request->partial_sv = sl_scan_number(scan);
    request->partial_salt = (int64_t)sl_scan_number(scan);
    request->offset = sl_scan_number(scan);
    request->need_recent = sl_scan_bool(scan);
    request->min_file_format = scan_range(scan);
    request->max_file_format = scan_range(scan);
    request->min_history_schema = scan_range(scan);
    request->max_history_schema = scan_range(scan);
}

static void read_version_request(sl_scan *scan, sl_dialect dialect, sl_client_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->version_request.file_ident = sl_scan_number(scan);
    msg->version_request.salt = (int64_t)sl_scan_number(scan);
}

static const struct {
    sl_message_type type;
    reader read;
} readers[] = {
    {SL_MSG_UPLOAD, read_upload},
    {SL_MSG_PING, read_ping},
    {SL_MSG_MARK, read_mark},
    {SL_MSG_BIND, read_bind},
    {SL_MSG_IDENT, read_ident},
    {SL_MSG_UNBIND, read_session_only},
    {SL_MSG_QUERY, read_query},
    {SL_MSG_JSON_ERROR, read_json_error},
    {SL_MSG_TEST_COMMAND, read_test_command},
    {SL_MSG_TRANSACT, read_transact},
    {SL_MSG_ALLOC, read_session_only},
    {SL_MSG_REFRESH, read_refresh},
    {SL_MSG_STATE_REQUEST, read_state_request},
    {SL_MSG_CLIENT_VERSION_REQUEST, read_version_request},
};

bool sl_client_message_parse(sl_client_message *msg, sl_dialect dialect, const void *data,
                             size_t size, sl_status *st) {
    sl_scan scan;
    memset(msg, 0, sizeof(*msg));
    if (!sl_scan_init(&scan, data, size))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103,
                            "no line feed in the first %d octets of a message", SL_MAX_HEAD);
    sl_str word = sl_scan_word(&scan);
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (!sl_str_eq(word, sl_str_c(sl_message_name(readers[i].type)))) continue;
        if (readers[i].type == SL_MSG_QUERY && !dialect.flx) break;
        msg->type = readers[i].type;
        readers[i].read(&scan, dialect, msg);
        return sl_scan_finish(&scan, word, st);
    }
    return sl_fail_code(st, SL_ERR_PROTOCOL, 102,
                        "message type \"%.*s\" is unknown on this kind of connection",
                        (int)(word.size < 40 ? word.size : 40), word.data);
}

bool sl_client_message_upload_front(sl_client_message *msg, const void *front, size_t size) {
    sl_scan scan;
    memset(msg, 0, sizeof(*msg));
    if (!sl_scan_init(&scan, front, size)) return false;
    if (!sl_str_eq(sl_scan_word(&scan), sl_str_c(sl_message_name(SL_MSG_UPLOAD)))) return false;
    msg->type = SL_MSG_UPLOAD;
    uint64_t compressed_size = read_upload_head(&scan, msg);
    sl_body *body = &msg->upload.body;
    body->bytes = sl_str_of(NULL, body->compressed ? compressed_size : body->uncompressed_size);
    return !scan.problem && scan.at == scan.head_end;
}

static void put_head(sl_buf *out, const sl_client_message *msg) {
    sl_buf_text(out, sl_message_name(msg->type));
    if (msg->type != SL_MSG_PING && msg->type != SL_MSG_JSON_ERROR) sl_put_field(out, msg->session);
}

static void put_ident(sl_buf *out, sl_dialect dialect, const sl_msg_client_ident *ident) {
    sl_put_field(out, ident->file_ident);
    sl_put_int_field(out, ident->salt);
    sl_put_field(out, ident->dl_sv);
    sl_put_field(out, ident->dl_cv);
    sl_put_field(out, ident->latest_sv);
    sl_put_int_field(out, ident->latest_salt);
    if (dialect.flx) {
        sl_put_int_field(out, ident->query_version);
        sl_put_field(out, ident->query.size);
    }
    sl_buf_byte(out, '\n');
    if (dialect.flx) sl_buf_str(out, ident->query);
}

static void put_upload(sl_buf *out, const sl_msg_upload *upload) {
    const sl_body *body = &upload->body;
    sl_put_field(out, body->compressed);
    sl_put_field(out, body->uncompressed_size);
    sl_put_field(out, body->compressed ? body->bytes.size : 0);
    sl_put_field(out, upload->progress_cv);
    sl_put_field(out, upload->progress_sv);
    sl_put_field(out, upload->locked_sv);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, body->bytes);
}

static void put_bind(sl_buf *out, const sl_msg_bind *bind) {
    sl_put_field(out, bind->path.size);
    sl_put_field(out, bind->token.size);
    sl_put_field(out, bind->need_ident);
    sl_put_field(out, bind->is_subserver);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, bind->path);
    sl_buf_str(out, bind->token);
}

static void put_state_request(sl_buf *out, const sl_msg_state_request *request) {
    sl_put_field(out, request->partial_sv);
    sl_put_int_field(out, request->partial_salt);
    sl_put_field(out, request->offset);
    sl_put_field(out, request->need_recent);
    sl_put_int_field(out, request->min_file_format);
    sl_put_int_field(out, request->max_file_format);
    sl_put_int_field(out, request->min_history_schema);
    sl_put_int_field(out, request->max_history_schema);
    sl_buf_byte(out, '\n');
}

static void put_numbers(sl_buf *out, uint64_t a, uint64_t b) {
    sl_put_field(out, a);
    sl_put_field(out, b);
    sl_buf_byte(out, '\n');
}

void sl_client_message_write(sl_buf *out, sl_dialect dialect, const sl_client_message *msg) {
    put_head(out, msg);
    switch (msg->type) {
    case SL_MSG_BIND:
        put_bind(out, &msg->bind);
        break;
    case SL_MSG_IDENT:
        put_ident(out, dialect, &msg->ident);
        break;
    case SL_MSG_UPLOAD:
        put_upload(out, &msg->upload);
        break;
    case SL_MSG_MARK:
        sl_put_field(out, msg->mark);
        sl_buf_byte(out, '\n');
        break;
    case SL_MSG_QUERY:
        sl_put_int_field(out, msg->query.version);
        sl_put_sized_body(out, msg->query.query);
        break;
    case SL_MSG_PING:
        put_numbers(out, (uint64_t)msg->ping.timestamp_ms, (uint64_t)msg->ping.rtt_ms);
        break;
    case SL_MSG_JSON_ERROR:
        sl_put_json_error(out, msg->error.code, msg->error.json, msg->session);
        break;
    case SL_MSG_TEST_COMMAND:
        sl_put_field(out, msg->test.request);
        sl_put_sized_body(out, msg->test.json);
        break;
    case SL_MSG_TRANSACT:
        sl_put_field(out, msg->transact.client_version);
        sl_put_field(out, msg->transact.server_version);
        sl_put_sized_body(out, msg->transact.changeset);
        break;
    case SL_MSG_REFRESH:
        sl_put_sized_body(out, msg->refresh);
        break;
    case SL_MSG_STATE_REQUEST:
        put_state_request(out, &msg->state_request);
        break;
    case SL_MSG_CLIENT_VERSION_REQUEST:
        put_numbers(out, msg->version_request.file_ident, (uint64_t)msg->version_request.salt);
        break;
    default:
        sl_buf_byte(out, '\n'); /* UNBIND and ALLOC have no more fields */
    }
}
