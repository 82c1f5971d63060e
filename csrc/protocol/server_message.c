#include "protocol/server_message.h"

#include "protocol/scan.h"

typedef void (*reader)(sl_scan *scan, sl_dialect dialect, sl_server_message *msg);

static void read_session(sl_scan *scan, sl_server_message *msg) {
    msg->session = sl_scan_number(scan);
    if (msg->session == 0) sl_scan_fail(scan, 103, "the session ident is 0");
}

static void read_session_or_0(sl_scan *scan, sl_server_message *msg) {
    msg->session = sl_scan_number(scan);
}

static uint64_t scan_positive(sl_scan *scan, const char *problem) {
    uint64_t value = sl_scan_number(scan);
    if (value == 0) sl_scan_fail(scan, 103, problem);
    return value;
}

static void read_ident(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->ident.file_ident = scan_positive(scan, "the file ident is 0");
    msg->ident.salt = (int64_t)scan_positive(scan, "the salt is 0");
}

static void read_batch(sl_scan *scan, sl_dialect dialect, sl_msg_download *download) {
    download->query_version = (int64_t)sl_scan_number(scan);
    uint64_t batch = sl_scan_uint(scan, dialect.version >= 14 ? 2 : 1);
    download->batch = (sl_batch_state)batch;
    if (dialect.version >= 12) {
        download->progress = sl_scan_fraction(scan);
    } else {
        download->downloadable = sl_scan_number(scan);
    }
}

static void read_download(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    sl_msg_download *download = &msg->download;
    read_session(scan, msg);
    download->dl_sv = sl_scan_number(scan);
    download->dl_cv = sl_scan_number(scan);
    download->latest_sv = sl_scan_number(scan);
    download->latest_salt = (int64_t)sl_scan_number(scan);
    download->ul_cv = sl_scan_number(scan);
    download->ul_sv = sl_scan_number(scan);
    if (dialect.flx) {
        read_batch(scan, dialect, download);
    } else {
        download->downloadable = sl_scan_number(scan);
    }
    sl_body *body = &download->body;
    body->compressed = sl_scan_bool(scan);
    body->uncompressed_size = sl_scan_number(scan);
    uint64_t compressed_size = sl_scan_number(scan);
    sl_scan_packed_body(scan, body, compressed_size);
}

static void read_session_only(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
}

static void read_mark(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->mark = scan_positive(scan, "the request number is 0");
}

static void read_error(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    msg->error.code = sl_scan_int32(scan);
    uint64_t size = sl_scan_number(scan);
    msg->error.try_again = sl_scan_bool(scan);
    read_session_or_0(scan, msg);
    msg->error.text = sl_scan_body(scan, size);
}

static void read_json_error(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    msg->json_error.code = sl_scan_int32(scan);
    uint64_t size = sl_scan_number(scan);
    read_session_or_0(scan, msg);
    msg->json_error.json = sl_scan_body(scan, size);
}

static void read_query_error(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    msg->query_error.code = sl_scan_int32(scan);
    uint64_t size = sl_scan_number(scan);
    read_session(scan, msg);
    msg->query_error.query_version = (int64_t)sl_scan_number(scan);
    msg->query_error.text = sl_scan_body(scan, size);
}

static void read_pong(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    msg->pong = (int64_t)sl_scan_number(scan);
}

static void read_log(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session_or_0(scan, msg);
    msg->log = sl_scan_sized_body(scan, SL_MAX_NUMBER);
}

static void read_test_command(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->test.request = sl_scan_number(scan);
    msg->test.json = sl_scan_sized_body(scan, SL_MAX_NUMBER);
}

static void read_state(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    sl_msg_state *state = &msg->state;
    (void)dialect;
    read_session(scan, msg);
    state->server_version = sl_scan_number(scan);
    state->server_salt = (int64_t)sl_scan_number(scan);
    state->begin_offset = sl_scan_number(scan);
    state->end_offset = sl_scan_number(scan);
    state->max_offset = sl_scan_number(scan);
    state->segments = sl_scan_sized_body(scan, SL_MAX_NUMBER);
}

static void read_client_version(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->client_version = sl_scan_number(scan);
}

static void read_alloc(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    (void)dialect;
    read_session(scan, msg);
    msg->alloc = scan_positive(scan, "the file ident is 0");
}

static void read_transact(sl_scan *scan, sl_dialect dialect, sl_server_message *msg) {
    sl_msg_server_transact *transact = &msg->transact;
    (void)dialect;
    read_session(scan, msg);
    transact->status = sl_scan_uint(scan, 3);
    transact->server_version = sl_scan_number(scan);
    transact->server_salt = (int64_t)sl_scan_number(scan);
    transact->origin_timestamp = sl_scan_number(scan);
    transact->origin_ident = sl_scan_number(scan);
    transact->substitutions = sl_scan_sized_body(scan, SL_MAX_NUMBER);
    if (transact->status == 0) sl_scan_fail(scan, 103, "the status is 0");
}

static const struct {
    sl_message_type type;
    reader read;
} readers[] = {
    {SL_MSG_DOWNLOAD, read_download},
    {SL_MSG_PONG, read_pong},
    {SL_MSG_MARK, read_mark},
    {SL_MSG_IDENT, read_ident},
    {SL_MSG_UNBOUND, read_session_only},
    {SL_MSG_ERROR, read_error},
    {SL_MSG_JSON_ERROR, read_json_error},
    {SL_MSG_QUERY_ERROR, read_query_error},
    {SL_MSG_LOG_MESSAGE, read_log},
    {SL_MSG_TEST_COMMAND, read_test_command},
    {SL_MSG_STATE, read_state},
    {SL_MSG_CLIENT_VERSION, read_client_version},
    {SL_MSG_ALLOC, read_alloc},
    {SL_MSG_TRANSACT, read_transact},
};

bool sl_server_message_parse(sl_server_message *msg, sl_dialect dialect, const void *data,
                             size_t size, sl_status *st) {
    sl_scan scan;
    memset(msg, 0, sizeof(*msg));
    if (!sl_scan_init(&scan, data, size))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103,
                            "no line feed in the first %d octets of a message", SL_MAX_HEAD);
    sl_str word = sl_scan_word(&scan);
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (!sl_str_eq(word, sl_str_c(sl_message_name(readers[i].type)))) continue;
        if (readers[i].type == SL_MSG_QUERY_ERROR && !dialect.flx) break;
        msg->type = readers[i].type;
        readers[i].read(&scan, dialect, msg);
        return sl_scan_finish(&scan, word, st);
    }
    return sl_fail_code(st, SL_ERR_PROTOCOL, 102,
                        "message type \"%.*s\" is unknown on this kind of connection",
                        (int)(word.size < 40 ? word.size : 40), word.data);
}

/* At most four decimals, no trailing zeros, "0" and "1" without a point. Below 1 stays below 1, so
 * that an estimate never says "all" too early. */
static void put_progress(sl_buf *out, double progress) {
    unsigned parts = 0;
    if (progress >= 1)
        parts = 10000;
    else if (progress > 0) {
        parts = (unsigned)(progress * 10000 + 0.5);
        if (parts > 9999) parts = 9999;
    }
    sl_put_field(out, parts / 10000);
    if (parts % 10000 == 0) return;
    char digits[5] = {'.', (char)('0' + parts / 1000 % 10), (char)('0' + parts / 100 % 10),
                      (char)('0' + parts / 10 % 10), (char)('0' + parts % 10)};
    size_t n = sizeof(digits);
    while (digits[n - 1] == '0')
        n--;
    sl_buf_add(out, digits, n);
}

static void put_batch(sl_buf *out, sl_dialect dialect, const sl_msg_download *download) {
    sl_put_int_field(out, download->query_version);
    int batch = (int)download->batch;
    if (dialect.version < 14 && batch == SL_BATCH_STEADY) batch = SL_BATCH_LAST;
    sl_put_field(out, (uint64_t)batch);
    if (dialect.version >= 12) {
        put_progress(out, download->progress);
    } else {
        sl_put_field(out, download->downloadable);
    }
}

static void put_download(sl_buf *out, sl_dialect dialect, const sl_msg_download *download) {
    sl_put_field(out, download->dl_sv);
    sl_put_field(out, download->dl_cv);
    sl_put_field(out, download->latest_sv);
    sl_put_int_field(out, download->latest_salt);
    sl_put_field(out, download->ul_cv);
    sl_put_field(out, download->ul_sv);
    if (dialect.flx) {
        put_batch(out, dialect, download);
    } else {
        sl_put_field(out, download->downloadable);
    }
    const sl_body *body = &download->body;
    sl_put_field(out, body->compressed);
    sl_put_field(out, body->uncompressed_size);
    sl_put_field(out, body->compressed ? body->bytes.size : 0);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, body->bytes);
}

static void put_error(sl_buf *out, const sl_server_message *msg) {
    sl_put_int_field(out, msg->error.code);
    sl_put_field(out, msg->error.text.size);
    sl_put_field(out, msg->error.try_again);
    sl_put_field(out, msg->session);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, msg->error.text);
}

static void put_query_error(sl_buf *out, const sl_server_message *msg) {
    sl_put_int_field(out, msg->query_error.code);
    sl_put_field(out, msg->query_error.text.size);
    sl_put_field(out, msg->session);
    sl_put_int_field(out, msg->query_error.query_version);
    sl_buf_byte(out, '\n');
    sl_buf_str(out, msg->query_error.text);
}

static void put_state(sl_buf *out, const sl_msg_state *state) {
    sl_put_field(out, state->server_version);
    sl_put_int_field(out, state->server_salt);
    sl_put_field(out, state->begin_offset);
    sl_put_field(out, state->end_offset);
    sl_put_field(out, state->max_offset);
    sl_put_sized_body(out, state->segments);
}

static void put_transact(sl_buf *out, const sl_msg_server_transact *transact) {
    sl_put_field(out, transact->status);
    sl_put_field(out, transact->server_version);
    sl_put_int_field(out, transact->server_salt);
    sl_put_field(out, transact->origin_timestamp);
    sl_put_field(out, transact->origin_ident);
    sl_put_sized_body(out, transact->substitutions);
}

/* ERROR, JSON_ERROR and QUERY_ERROR have the session in another place, PONG has none. */
static bool session_comes_first(sl_message_type type) {
    return type != SL_MSG_PONG && type != SL_MSG_ERROR && type != SL_MSG_JSON_ERROR &&
           type != SL_MSG_QUERY_ERROR;
}

static void put_line(sl_buf *out, uint64_t value) {
    sl_put_field(out, value);
    sl_buf_byte(out, '\n');
}

void sl_server_message_write(sl_buf *out, sl_dialect dialect, const sl_server_message *msg) {
    sl_buf_text(out, sl_message_name(msg->type));
    if (session_comes_first(msg->type)) sl_put_field(out, msg->session);
    switch (msg->type) {
    case SL_MSG_IDENT:
        sl_put_field(out, msg->ident.file_ident);
        put_line(out, (uint64_t)msg->ident.salt);
        break;
    case SL_MSG_DOWNLOAD:
        put_download(out, dialect, &msg->download);
        break;
    case SL_MSG_ERROR:
        put_error(out, msg);
        break;
    case SL_MSG_JSON_ERROR:
        sl_put_json_error(out, msg->json_error.code, msg->json_error.json, msg->session);
        break;
    case SL_MSG_QUERY_ERROR:
        put_query_error(out, msg);
        break;
    case SL_MSG_MARK:
        put_line(out, msg->mark);
        break;
    case SL_MSG_PONG:
        put_line(out, (uint64_t)msg->pong);
        break;
    case SL_MSG_LOG_MESSAGE:
        sl_put_sized_body(out, msg->log);
        break;
    case SL_MSG_TEST_COMMAND:
        sl_put_field(out, msg->test.request);
        sl_put_sized_body(out, msg->test.json);
        break;
    case SL_MSG_STATE:
        put_state(out, &msg->state);
        break;
    case SL_MSG_CLIENT_VERSION:
        put_line(out, msg->client_version);
        break;
    case SL_MSG_ALLOC:
        put_line(out, msg->alloc);
        break;
    case SL_MSG_TRANSACT:
        put_transact(out, &msg->transact);
        break;
    default:
        sl_buf_byte(out, '\n'); /* UNBOUND has no more fields */
    }
}
