/* Messages of both directions in every dialect: what parses is written again and parses to the same
 * octets; bodies and JSON are opened; the header list is negotiated. The first byte selects
 * direction and dialect. */
#include <stdlib.h>
#include <string.h>

#include "protocol/bind_data.h"
#include "protocol/entries.h"
#include "protocol/json_error.h"
#include "protocol/log_message.h"
#include "protocol/negotiate.h"
#include "protocol/server_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) abort();
}

/* Ends of bodies are where the reader stops, and errors have their numbers. */
static void read_body(const sl_body *body, int upload) {
    sl_buf inflated, packed;
    sl_str entries;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&inflated, NULL);
    sl_buf_init(&packed, NULL);
    if (sl_body_open(body, 1 << 20, &inflated, &entries, &st)) {
        sl_entry_reader reader;
        sl_upload_entry up;
        sl_download_entry down;
        sl_body again;
        bool more = true, ok = true;
        sl_entry_reader_init(&reader, entries);
        while (ok && more)
            ok = upload ? sl_entry_reader_upload(&reader, &up, &more, &st)
                        : sl_entry_reader_download(&reader, &down, &more, &st);
        require(ok || st.code == 111 || st.code == 112);
        require(sl_body_pack(NULL, entries, &packed, &again, &st));
    } else {
        require(st.code == 110 || st.code == 112);
    }
    sl_buf_free(&inflated);
    sl_buf_free(&packed);
}

static void read_json(int kind, int code, int version, sl_str json) {
    sl_arena arena;
    sl_json_error error;
    sl_log_message log;
    sl_bind_data bind;
    sl_str message;
    sl_status st = SL_STATUS_INIT;
    sl_buf out;
    sl_arena_init(&arena, NULL);
    sl_buf_init(&out, NULL);
    switch (kind) {
    case 0:
        if (sl_json_error_parse(&error, code, version, json, &arena, &st))
            sl_json_error_write(&out, &error);
        break;
    case 1:
        if (sl_log_message_parse(&log, json, &arena, &st)) sl_log_message_write(&out, &log);
        break;
    case 2:
        if (sl_bind_data_parse(&bind, json, &arena, &st)) sl_bind_data_write(&out, &bind);
        break;
    default:
        if (sl_client_error_parse(json, &arena, &message, &st))
            sl_client_error_write(&out, message);
    }
    sl_buf_free(&out);
    sl_arena_free(&arena);
}

static void read_client(sl_dialect dialect, const uint8_t *data, size_t size) {
    sl_client_message msg, again;
    sl_status st = SL_STATUS_INIT;
    sl_buf one, two;
    if (!sl_client_message_parse(&msg, dialect, data, size, &st)) {
        require(st.cls == SL_ERR_PROTOCOL && st.code != 0);
        return;
    }
    sl_buf_init(&one, NULL);
    sl_buf_init(&two, NULL);
    sl_client_message_write(&one, dialect, &msg);
    require(sl_client_message_parse(&again, dialect, one.data, one.size, &st));
    sl_client_message_write(&two, dialect, &again);
    require(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
    if (msg.type == SL_MSG_UPLOAD) read_body(&msg.upload.body, 1);
    if (msg.type == SL_MSG_BIND) read_json(2, 0, 14, msg.bind.path);
    if (msg.type == SL_MSG_JSON_ERROR) read_json(3, 0, 14, msg.error.json);
    sl_buf_free(&one);
    sl_buf_free(&two);
}

static void read_server(sl_dialect dialect, const uint8_t *data, size_t size) {
    sl_server_message msg, again;
    sl_status st = SL_STATUS_INIT;
    sl_buf one, two;
    if (!sl_server_message_parse(&msg, dialect, data, size, &st)) {
        require(st.cls == SL_ERR_PROTOCOL && st.code != 0);
        return;
    }
    sl_buf_init(&one, NULL);
    sl_buf_init(&two, NULL);
    sl_server_message_write(&one, dialect, &msg);
    require(sl_server_message_parse(&again, dialect, one.data, one.size, &st));
    sl_server_message_write(&two, dialect, &again);
    require(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
    if (msg.type == SL_MSG_DOWNLOAD) read_body(&msg.download.body, 0);
    if (msg.type == SL_MSG_JSON_ERROR)
        read_json(0, msg.json_error.code, dialect.version, msg.json_error.json);
    if (msg.type == SL_MSG_LOG_MESSAGE) read_json(1, 0, 14, msg.log);
    sl_buf_free(&one);
    sl_buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sl_negotiated n;
    if (size == 0) return 0;
    sl_dialect dialect = {2 + data[0] % 13, data[0] & 64};
    if (data[0] & 128)
        read_client(dialect, data + 1, size - 1);
    else
        read_server(dialect, data + 1, size - 1);
    sl_negotiate(&n, sl_str_of((const char *)data + 1, size - 1), 2, 14, NULL);
    return 0;
}
