/* RFC 6455 without sockets: a table of frames, every way to cut them, both roles, the upgrade. */
#include "net_support.h"

#include "net/system_env.h"
#include "net/ws_codec.h"
#include "net/ws_handshake.h"

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

static void fixed_random(void *ctx, void *data, size_t size) {
    (void)ctx;
    memset(data, 0x5a, size);
}

static const sl_env env = {NULL, NULL, fixed_random, NULL};

/* A frame with everything settable; payload masked if `masked`. */
static size_t frame(uint8_t *out, int first, bool masked, const void *payload, size_t size) {
    static const uint8_t mask[4] = {1, 2, 3, 4};
    size_t n = 0;
    out[n++] = (uint8_t)first;
    uint8_t bit = masked ? 0x80 : 0;
    if (size < 126) {
        out[n++] = (uint8_t)(bit | size);
    } else if (size < 65536) {
        out[n++] = bit | 126;
        out[n++] = (uint8_t)(size >> 8);
        out[n++] = (uint8_t)size;
    } else {
        out[n++] = bit | 127;
        for (int i = 0; i < 8; i++)
            out[n++] = (uint8_t)((uint64_t)size >> (56 - 8 * i));
    }
    if (masked) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    for (size_t i = 0; i < size; i++)
        out[n + i] = (uint8_t)(((const uint8_t *)payload)[i] ^ (masked ? mask[i & 3] : 0));
    return n + size;
}

typedef struct seen {
    char log[400];
    int code;
    char reason[240];
} seen;

static void add(seen *s, const char *what, sl_str payload) {
    size_t n = strlen(s->log);
    if (payload.size <= 12)
        snprintf(s->log + n, sizeof s->log - n, "%s(%.*s) ", what, (int)payload.size,
                 payload.size ? payload.data : "");
    else
        snprintf(s->log + n, sizeof s->log - n, "%s[%u] ", what, (unsigned)payload.size);
}

/* Feeds the bytes in pieces of `step`, stops at close or failure. */
static seen feed(sl_ws_codec *c, const uint8_t *bytes, size_t size, size_t step) {
    seen s = {"", 0, ""};
    sl_status st = SL_STATUS_INIT;
    for (size_t at = 0; at < size;) {
        size_t n = size - at < step ? size - at : step;
        const char *data = (const char *)bytes + at;
        at += n;
        for (bool more = true; more;) {
            switch (sl_ws_codec_feed(c, &data, &n, &st)) {
            case SL_WS_MESSAGE:
                add(&s, "message", c->payload);
                break;
            case SL_WS_SKIPPED:
                add(&s, "skipped", c->payload);
                break;
            case SL_WS_PING:
                add(&s, "ping", c->payload);
                break;
            case SL_WS_PONG:
                add(&s, "pong", c->payload);
                break;
            case SL_WS_CLOSE:
                add(&s, "close", c->payload);
                s.code = c->close_code;
                return s;
            case SL_WS_FAILED:
                add(&s, "failed", sl_str_of(NULL, 0));
                s.code = st.code;
                snprintf(s.reason, sizeof s.reason, "%s", st.message);
                return s;
            case SL_WS_MORE:
                more = false;
                break;
            }
        }
    }
    return s;
}

typedef struct conformance {
    const char *name;
    const char *hex; /* of the server's input; lower-case, blanks ignored */
    const char *log;
    int code;
} conformance;

static size_t unhex(const char *hex, uint8_t *out) {
    size_t n = 0;
    unsigned byte;
    for (; *hex; hex++) {
        if (*hex == ' ') continue;
        sscanf(hex, "%2x", &byte);
        out[n++] = (uint8_t)byte;
        hex++;
    }
    return n;
}

/* Masked with 00000000, so the payload can be read. */
static const conformance table[] = {
    {"empty binary message", "82 80 00000000", "message() ", 0},
    {"binary message", "82 83 00000000 616263", "message(abc) ", 0},
    {"mask is applied", "82 83 01020304 606060", "message(abc) ", 0},
    {"two messages", "82 81 00000000 61 82 81 00000000 62", "message(a) message(b) ", 0},
    {"16-bit length",
     "82 fe 007e 00000000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000000000000000000000000000000000000000000000000000000000000000"
     "000000000000000000",
     "message[126] ", 0},
    {"fragments", "02 81 00000000 61 00 81 00000000 62 80 81 00000000 63", "message(abc) ", 0},
    {"empty fragments", "02 80 00000000 00 80 00000000 80 80 00000000", "message() ", 0},
    {"ping between fragments", "02 81 00000000 61 89 81 00000000 70 80 81 00000000 62",
     "ping(p) message(ab) ", 0},
    {"ping", "89 85 00000000 68656c6c6f", "ping(hello) ", 0},
    {"empty ping", "89 80 00000000", "ping() ", 0},
    {"unsolicited pong", "8a 81 00000000 61", "pong(a) ", 0},
    {"close without code", "88 80 00000000", "close() ", 1005},
    {"close with code", "88 82 00000000 03e8", "close() ", 1000},
    {"close with reason", "88 85 00000000 0fa1 627965", "close(bye) ", 4001},
    {"close with UTF-8", "88 84 00000000 03e8 c3a9", "close(\xc3\xa9) ", 1000},
    {"nothing after close", "88 82 00000000 03e8 82 81 00000000 61", "close() ", 1000},
    {"close of one byte", "88 81 00000000 03", "failed() ", 1002},
    {"close code 999", "88 82 00000000 03e7", "failed() ", 1002},
    {"close code 1004", "88 82 00000000 03ec", "failed() ", 1002},
    {"close code 1005", "88 82 00000000 03ed", "failed() ", 1002},
    {"close code 1006", "88 82 00000000 03ee", "failed() ", 1002},
    {"close code 1015", "88 82 00000000 03f7", "failed() ", 1002},
    {"close code 2000", "88 82 00000000 07d0", "failed() ", 1002},
    {"close code 5000", "88 82 00000000 1388", "failed() ", 1002},
    {"close reason not UTF-8", "88 83 00000000 03e8 ff", "failed() ", 1007},
    {"close reason surrogate", "88 85 00000000 03e8 eda080", "failed() ", 1007},
    {"close reason overlong", "88 84 00000000 03e8 c0af", "failed() ", 1007},
    {"close reason cut", "88 84 00000000 03e8 e282", "failed() ", 1007},
    {"text", "81 81 00000000 61", "failed() ", 1003},
    {"fragmented text", "01 81 00000000 61", "failed() ", 1003},
    {"RSV1", "c2 81 00000000 61", "failed() ", 1002},
    {"RSV2", "a2 81 00000000 61", "failed() ", 1002},
    {"RSV3", "92 81 00000000 61", "failed() ", 1002},
    {"opcode 3", "83 81 00000000 61", "failed() ", 1002},
    {"opcode 7", "87 80 00000000", "failed() ", 1002},
    {"opcode 11", "8b 80 00000000", "failed() ", 1002},
    {"opcode 15", "8f 80 00000000", "failed() ", 1002},
    {"unmasked", "82 01 61", "failed() ", 1002},
    {"continuation first", "80 81 00000000 61", "failed() ", 1002},
    {"message inside a message", "02 81 00000000 61 82 81 00000000 62", "failed() ", 1002},
    {"fragmented ping", "09 81 00000000 61", "failed() ", 1002},
    {"ping of 126", "89 fe 007e 00000000", "failed() ", 1002},
    {"16-bit length for 125", "82 fe 007d 00000000", "failed() ", 1002},
    {"64-bit length for 65535", "82 ff 000000000000ffff 00000000", "failed() ", 1002},
    {"64-bit length with top bit", "82 ff 8000000000000001 00000000", "failed() ", 1002},
    {"too big at once", "82 fe 0401 00000000 61", "failed() ", 1009},
    {"too big by far", "82 ff 0000ffffffffffff 00000000 61", "failed() ", 1009},
};

static void the_conformance_table_holds_however_it_is_cut(void **state) {
    (void)state;
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t size = unhex(table[i].hex, bytes);
        for (size_t step = 1; step <= size; step++) {
            sl_ws_codec c;
            count_alloc memory;
            count_alloc_init(&memory, 0);
            sl_ws_codec_init(&c, true, 1024, 0, &memory.alloc, &env);
            seen s = feed(&c, bytes, size, step);
            if (strcmp(s.log, table[i].log) != 0 || s.code != table[i].code)
                fail_msg("%s, step %zu: %s%d (%s), expected %s%d", table[i].name, step, s.log,
                         s.code, s.reason, table[i].log, table[i].code);
            sl_ws_codec_free(&c);
            assert_int_equal(memory.live, 0);
        }
    }
}

static void a_client_refuses_masked_frames(void **state) {
    (void)state;
    uint8_t bytes[32];
    sl_ws_codec c;
    sl_ws_codec_init(&c, false, 0, 0, NULL, &env);
    seen s = feed(&c, bytes, frame(bytes, 0x82, false, "abc", 3), 1);
    assert_string_equal(s.log, "message(abc) ");
    s = feed(&c, bytes, frame(bytes, 0x82, true, "abc", 3), 99);
    assert_int_equal(s.code, SL_WS_PROTOCOL);
    sl_ws_codec_free(&c);
}

static void limits_count_the_whole_message(void **state) {
    (void)state;
    uint8_t bytes[256], payload[60] = {0};
    sl_ws_codec c;
    sl_ws_codec_init(&c, true, 100, 0, NULL, &env);
    size_t n = frame(bytes, 0x02, true, payload, 60);
    n += frame(bytes + n, 0x80, true, payload, 40);
    seen s = feed(&c, bytes, n, 7);
    assert_string_equal(s.log, "message[100] ");
    n = frame(bytes, 0x02, true, payload, 60);
    n += frame(bytes + n, 0x80, true, payload, 41);
    s = feed(&c, bytes, n, 7);
    assert_int_equal(s.code, SL_WS_TOO_BIG);
    assert_string_equal(s.reason, "read limited at 100 bytes");
    sl_ws_codec_free(&c);
}

/* However it is cut: the front of a message beyond the limit is shown once, its rest is dropped, a
 * ping in between and a message behind it come, and what may be skipped is used up. */
static void what_is_beyond_the_limit_is_skipped(void **state) {
    static uint8_t bytes[8192];
    static const char payload[1000] = "upload";
    static const size_t steps[] = {1, 7, 300, sizeof bytes};
    (void)state;
    size_t n = frame(bytes, 0x80 | BINARY, true, payload, 1000);
    n += frame(bytes + n, BINARY, true, payload, 60);
    n += frame(bytes + n, 0x80 | PING, true, "?", 1);
    n += frame(bytes + n, 0, true, payload, 340);
    n += frame(bytes + n, 0x80, true, payload, 400);
    n += frame(bytes + n, BINARY, true, payload, 101);
    n += frame(bytes + n, 0x80, true, "", 0);
    n += frame(bytes + n, 0x80 | BINARY, true, "abc", 3);
    n += frame(bytes + n, 0x80 | BINARY, true, payload, 100);
    n += frame(bytes + n, 0x80 | BINARY, true, payload, 101);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        sl_ws_codec c;
        sl_ws_codec_init(&c, true, 100, 2000, NULL, &env);
        seen s = feed(&c, bytes, n, steps[i]);
        assert_string_equal(s.log, "skipped[256] ping(?) skipped[256] skipped[101] message(abc) "
                                   "message[100] failed() ");
        assert_int_equal(s.code, 1009);
        assert_int_equal(c.skip_left, 2000 - 1000 - 800 - 101);
        sl_ws_codec_free(&c);
    }
}

static void what_one_role_writes_the_other_reads(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 300000};
    for (int server = 0; server < 2; server++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            sl_ws_codec from, to;
            sl_buf out;
            sl_status st = SL_STATUS_INIT;
            char *payload = malloc(sizes[i] + 1);
            for (size_t k = 0; k < sizes[i]; k++)
                payload[k] = (char)(k * 7);
            sl_buf_init(&out, NULL);
            sl_ws_codec_init(&from, server, 0, 0, NULL, sl_system_env());
            sl_ws_codec_init(&to, !server, 0, 0, NULL, sl_system_env());
            sl_ws_codec_frame(&from, BINARY, payload, sizes[i], &out);
            const char *data = out.data;
            size_t size = out.size;
            assert_int_equal(sl_ws_codec_feed(&to, &data, &size, &st), SL_WS_MESSAGE);
            assert_int_equal(to.payload.size, sizes[i]);
            if (sizes[i]) assert_memory_equal(to.payload.data, payload, sizes[i]);
            assert_null(to.frames); /* idle again: nothing kept */
            free(payload);
            sl_buf_free(&out);
            sl_ws_codec_free(&from);
            sl_ws_codec_free(&to);
        }
    }
}

static void close_frames_are_always_legal(void **state) {
    (void)state;
    uint8_t p[125];
    char text[200];
    /* The example of protocol/1-wire.md, 2.4. */
    sl_ws_codec c;
    sl_buf out;
    sl_ws_codec_init(&c, true, 0, 0, NULL, &env);
    sl_buf_init(&out, NULL);
    size_t n = sl_ws_close_payload(SL_WS_UNAUTHORIZED, SL_STR("token expired"), p);
    sl_ws_codec_frame(&c, CLOSE, p, n, &out);
    assert_int_equal(out.size, 17);
    assert_memory_equal(out.data, "\x88\x0f\x0f\xa1token expired", 17);
    sl_buf_free(&out);
    assert_int_equal(sl_ws_close_payload(SL_WS_NO_CODE, SL_STR("x"), p), 0);
    assert_int_equal(sl_ws_close_payload(SL_WS_ABNORMAL, SL_STR("x"), p), 0);
    assert_int_equal(sl_ws_close_payload(1000, SL_STR("\xff"), p), 2);
    memset(text, 'a', sizeof text);
    assert_int_equal(sl_ws_close_payload(1000, sl_str_of(text, sizeof text), p), 125);
    memcpy(text + 122, "\xc3\xa9", 2); /* a character across the cut goes as a whole */
    assert_int_equal(sl_ws_close_payload(1000, sl_str_of(text, sizeof text), p), 124);
}

static void failing_memory_ends_the_connection_only(void **state) {
    (void)state;
    uint8_t bytes[600], payload[500] = {0};
    size_t n = frame(bytes, 0x82, true, payload, 500);
    for (long k = 1;; k++) {
        sl_ws_codec c;
        count_alloc memory;
        count_alloc_init(&memory, k);
        sl_ws_codec_init(&c, true, 0, 0, &memory.alloc, &env);
        seen s = feed(&c, bytes, n, 100);
        sl_ws_codec_free(&c);
        assert_int_equal(memory.live, 0);
        if (!memory.failed) {
            assert_string_equal(s.log, "message[500] ");
            return;
        }
        assert_int_equal(s.code, SL_WS_SERVER_ERROR);
    }
}

/* ---- upgrade --------------------------------------------------------------------------------- */

static void parse(sl_http_head *head, const char *text, bool request) {
    sl_status st = SL_STATUS_INIT;
    if (!sl_http_head_parse(head, NULL, text, strlen(text), request, &sl_http_default_limits, &st))
        fail_msg("%s", st.message);
}

static void the_accept_value_is_that_of_the_rfc(void **state) {
    (void)state;
    char accept[SL_WS_ACCEPT_SIZE + 1];
    sl_ws_accept(SL_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void long_protocol_lists_are_answered(void **state) {
    (void)state;
    char list[1024] = "", text[2048];
    for (int v = 14; v >= 1; v--)
        snprintf(list + strlen(list), sizeof list - strlen(list),
                 "%scom.mongodb.realm-query-sync#%d", v == 14 ? "" : ", ", v);
    assert_true(strlen(list) >= 419);
    snprintf(text, sizeof text,
             "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
             list);
    sl_http_head head;
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    parse(&head, text, true);
    assert_true(sl_ws_check_request(&head, &st));
    sl_buf_init(&out, NULL);
    assert_true(
        sl_ws_write_answer(&head, SL_STR("com.mongodb.realm-query-sync#14"), NULL, 0, &out, &st));
    sl_buf_byte(&out, 0);
    assert_non_null(
        strstr(out.data, "Sec-WebSocket-Protocol: com.mongodb.realm-query-sync#14\r\n"));
    assert_non_null(strstr(out.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_null(strstr(out.data, "Extensions"));
    sl_buf_clear(&out);
    assert_false(
        sl_ws_write_answer(&head, SL_STR("com.mongodb.realm-query-sync#15"), NULL, 0, &out, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    sl_http_header bad = {SL_STR("X"), SL_STR("a\r\nSet-Cookie: b")};
    assert_false(sl_ws_write_answer(&head, SL_STR(""), &bad, 1, &out, &st));
    sl_buf_free(&out);
    sl_http_head_free(&head);
}

static void bad_upgrade_requests_get_a_status(void **state) {
    (void)state;
    static const struct {
        const char *fields;
        int code;
    } cases[] = {
        {"Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 426},
        {"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", 400},
        {"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!\r\n", 400}};
    for (size_t i = 0; i < 4; i++) {
        char text[512];
        sl_http_head head;
        sl_status st = SL_STATUS_INIT;
        snprintf(
            text, sizeof text,
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n%s\r\n",
            cases[i].fields);
        parse(&head, text, true);
        assert_false(sl_ws_check_request(&head, &st));
        assert_int_equal(st.code, cases[i].code);
        sl_http_head_free(&head);
    }
}

static void answers_that_break_the_rules_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int code; /* 0: accepted */
    } cases[] = {
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: b\r\n\r\n",
         0},
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         0},
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 4405},
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
         4405},
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: c\r\n\r\n",
         4405},
        {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: "
         "x"
         "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
         4405},
        {"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", 4405},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", 401},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_http_head head;
        sl_str protocol;
        sl_status st = SL_STATUS_INIT;
        parse(&head, cases[i].text, false);
        bool ok =
            sl_ws_check_answer(&head, "dGhlIHNhbXBsZSBub25jZQ==", SL_STR("a, b"), &protocol, &st);
        if (ok != (cases[i].code == 0) || st.code != cases[i].code)
            fail_msg("case %zu: %d %s", i, st.code, st.message);
        sl_http_head_free(&head);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_conformance_table_holds_however_it_is_cut),
        cmocka_unit_test(a_client_refuses_masked_frames),
        cmocka_unit_test(limits_count_the_whole_message),
        cmocka_unit_test(what_is_beyond_the_limit_is_skipped),
        cmocka_unit_test(what_one_role_writes_the_other_reads),
        cmocka_unit_test(close_frames_are_always_legal),
        cmocka_unit_test(failing_memory_ends_the_connection_only),
        cmocka_unit_test(the_accept_value_is_that_of_the_rfc),
        cmocka_unit_test(long_protocol_lists_are_answered),
        cmocka_unit_test(bad_upgrade_requests_get_a_status),
        cmocka_unit_test(answers_that_break_the_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
