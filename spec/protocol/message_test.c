/* Heads and bodies of all messages (protocol/1-wire.md, sections 3 to 5). */
#include "test_support.h"

typedef struct example {
    bool from_client;
    int version;
    bool flx;
    size_t size;
    const char *wire;
} example;

#define C true
#define S false

/* Every worked example of the document with its octet count. */
static const example examples[] = {
    {C, 14, false, 23, "bind 1 8 0 1 0\n\"europe\""},
    {C, 3, false, 20, "bind 1 5 0 1 0\n/test"},
    {C, 14, true, 53, "bind 1 37 0 1 0\n{\"schemaVersion\":0,\"sessionReason\":0}"},
    {C, 14, true, 86,
     "bind 3 70 0 0 0\n{\"migratedPartition\":\"\\\"europe\\\"\",\"schemaVersion\":0,"
     "\"sessionReason\":1}"},
    {C, 14, false, 38, "ident 1 6 4096193072651378107 0 0 0 0\n"},
    {C, 14, false, 58, "ident 1 6 4096193072651378107 17 5 19 8121223384501265332\n"},
    {C, 14, true, 44, "ident 1 6 4096193072651378107 0 0 0 0 0 2\n{}"},
    {C, 14, true, 88,
     "ident 1 6 4096193072651378107 17 5 19 8121223384501265332 2 25\n"
     "{\"Dog\":\"(TRUEPREDICATE)\"}"},
    {C, 14, false, 88,
     "upload 1 0 66 0 6 0 0\n5 0 336614400123 0 11 CHANGESET-A6 0 336614401456 0 11 CHANGESET-B"},
    {C, 14, false, 24, "upload 1 0 0 0 10 20 20\n"},
    {C, 14, false, 9, "unbind 1\n"},
    {C, 14, false, 9, "mark 1 1\n"},
    {C, 14, true, 53, "query 1 3 40\n{\"Dog\":\"(age > 3) OR (name == \\\"Rex\\\")\"}"},
    {C, 14, false, 85,
     "json_error 212 65 1\n"
     "{\"message\":\"Failed to parse received changeset: bad instruction\"}"},
    {C, 14, false, 54, "test_command 1 1 34\n{\"command\":\"PAUSE_ROUTER_SESSION\"}"},
    {C, 1, false, 34, "state_request 1 0 0 0 0 20 0 11 0\n"},
    {C, 1, false, 54, "state_request 1 42 5518820093317 524288 1 20 22 10 11\n"},
    {C, 1, false, 47, "client_version_request 1 6 4096193072651378107\n"},
    {C, 14, false, 14, "ping 182034 0\n"},
    {C, 14, false, 15, "ping 240517 37\n"},
    {C, 3, false, 25, "refresh 1 12\ndG9rZW4:c2ln"},
    {C, 3, false, 8, "alloc 1\n"},
    {C, 1, false, 30, "transact 1 9 19 11\nCHANGESET-T"},
    {S, 14, false, 30, "ident 1 6 4096193072651378107\n"},
    {S, 14, false, 31, "download 1 0 0 0 0 0 0 0 0 0 0\n"},
    {S, 14, false, 127,
     "download 1 19 5 19 8121223384501265332 5 0 0 0 75 0\n17 4 336614400999 9 11 11 CHANGESET-X"
     "19 5 336614401999 12 14 11 CHANGESET-Y"},
    {S, 14, false, 51, "download 1 20 6 20 2206511842997135021 6 0 0 0 0 0\n"},
    {S, 14, true, 84,
     "download 1 20 0 20 77881234 0 0 2 0 0.5 0 37 0\n20 0 336614400999 9 11 11 CHANGESET-X"},
    {S, 14, true, 119,
     "download 1 20 0 20 77881234 0 0 2 1 1 0 74 0\n20 0 336614400999 9 11 11 CHANGESET-X"
     "20 0 336614400999 9 11 11 CHANGESET-Y"},
    {S, 14, true, 81,
     "download 1 21 5 21 99001 5 20 2 2 1 0 38 0\n21 5 336614409999 12 11 11 CHANGESET-Z"},
    {S, 14, false, 10, "unbound 1\n"},
    {S, 3, false, 42, "error 204 25 0 1\nIllegal Realm path (BIND)"},
    {S, 3, false, 27, "error 103 10 0 0\nBad syntax"},
    {S, 3, false, 37, "error 100 20 1 0\nServer shutting down"},
    {S, 14, true, 50, "query_error 226 27 1 3\nInvalid query: no table Cat"},
    {S, 14, false, 9, "mark 1 1\n"},
    {S, 14, false, 12, "pong 182034\n"},
    {S, 14, false, 96,
     "log_message 0 79\n{\"co_id\":\"6650f1c2a1b2c3d4e5f60718\",\"level\":\"info\","
     "\"msg\":\"connection accepted\"}"},
    {S, 14, false, 48, "log_message 1 31\n{\"level\":\"debug\",\"msg\":\"bound\"}"},
    {S, 14, false, 21, "test_command 1 1 2\n{}"},
    {S, 1, false, 20, "state 1 0 0 0 0 0 0\n"},
    {S, 1, false, 20, "client_version 1 17\n"},
    {S, 1, false, 10, "alloc 1 7\n"},
    {S, 1, false, 47, "transact 1 1 20 5518820093317 336614402000 1 0\n"},
    {S, 1, false, 23, "transact 1 2 0 0 0 0 0\n"},
};

static void worked_examples_keep_their_octets(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const example *e = &examples[i];
        sl_status st = SL_STATUS_INIT;
        if (strlen(e->wire) != e->size)
            fail_msg("%s: %zu octets instead of %zu", e->wire, strlen(e->wire), e->size);
        if (!same_again(e->from_client, (sl_dialect){e->version, e->flx}, sl_str_c(e->wire), &st))
            fail_msg("%s: %s", e->wire, st.message);
    }
}

/* Every truncation fails cleanly, and so does every message with an octet too many. */
static void cut_and_longer_messages_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const example *e = &examples[i];
        sl_dialect dialect = {e->version, e->flx};
        char longer[512];
        memcpy(longer, e->wire, e->size);
        longer[e->size] = 'x';
        for (size_t n = 0; n <= e->size + 1; n++) {
            sl_status st = SL_STATUS_INIT;
            if (n == e->size) continue;
            char *copy = malloc(n ? n : 1); /* exact size, so that a sanitizer sees an overrun */
            memcpy(copy, longer, n);
            bool ok = same_again(e->from_client, dialect, sl_str_of(copy, n), &st);
            free(copy);
            if (ok) fail_msg("%s: %zu octets were accepted", e->wire, n);
            assert_int_equal(st.cls, SL_ERR_PROTOCOL);
            assert_true(st.code == 103 || st.code == 102);
        }
    }
}

typedef struct refusal {
    bool from_client;
    int version;
    bool flx;
    int code;
    const char *wire;
} refusal;

static const refusal refusals[] = {
    {C, 14, false, 103, ""},
    {C, 14, false, 103, "ping 1 0"},
    {C, 14, false, 102, "pang 1 0\n"},
    {C, 14, false, 102, "PING 1 0\n"},
    {C, 14, false, 102, " ping 1 0\n"},
    {C, 14, false, 102, "\n"},
    {C, 14, false, 102, "download 1 0 0 0 0 0 0 0 0 0 0\n"},
    {C, 14, false, 102, "query 1 3 2\n{}"},
    {C, 14, false, 103, "ping 1\n"},
    {C, 14, false, 103, "ping 1 0 0\n"},
    {C, 14, false, 103, "ping  1 0\n"},
    {C, 14, false, 103, "ping 1 0 \n"},
    {C, 14, false, 103, "ping +1 0\n"},
    {C, 14, false, 103, "ping -1 0\n"},
    {C, 14, false, 103, "ping 1\t0\n"},
    {C, 14, false, 103, "ping 0x1 0\n"},
    {C, 14, false, 103, "ping 9223372036854775808 0\n"},
    {C, 14, false, 103, "mark 18446744073709551616 1\n"},
    {C, 14, false, 103, "mark 1 0\n"},
    {C, 14, false, 103, "bind 1 5 0 2 0\n/test"},
    {C, 14, false, 103, "bind 1 0 0 1 0\n"},
    {C, 14, false, 103, "bind 1 4097 0 1 0\n/test"},
    {C, 14, false, 103, "bind 1 5 2049 1 0\n/test"},
    {C, 14, true, 103, "bind 1 16385 0 1 0\n/test"},
    {C, 14, false, 106, "bind 0 5 0 1 0\n/test"},
    {C, 14, false, 106, "bind 9223372036854775808 5 0 1 0\n/test"},
    {C, 14, false, 103, "upload 1 0 3 1 6 0 0\nabc"},
    {C, 14, false, 103, "upload 1 0 4 0 6 0 0\nabc"},
    {C, 14, false, 103, "upload 1 1 4 4 6 0 0\nabc"},
    {C, 14, false, 112, "upload 1 1 268435457 3 6 0 0\nabc"},
    {C, 14, true, 103, "query 1 3 1048577\n{}"},
    {C, 14, false, 103, "ident 1 6 9223372036854775808 0 0 0 0\n"},
    {C, 14, false, 103, "json_error 2147483648 2 1\n{}"},
    {S, 14, false, 103, "ident 0 6 5\n"},
    {S, 14, false, 103, "ident 1 0 5\n"},
    {S, 14, false, 103, "ident 1 6 0\n"},
    {S, 14, false, 103, "unbound 0\n"},
    {S, 14, false, 102, "query_error 226 2 1 3\nab"},
    {S, 14, true, 103, "query_error 226 2 0 3\nab"},
    {S, 14, true, 103, "download 1 0 0 0 0 0 0 0 3 1 0 0 0\n"},
    {S, 13, true, 103, "download 1 0 0 0 0 0 0 0 2 1 0 0 0\n"},
    {S, 14, true, 103, "download 1 0 0 0 0 0 0 0 2 1.1 0 0 0\n"},
    {S, 14, true, 103, "download 1 0 0 0 0 0 0 0 2 nan 0 0 0\n"},
    {S, 14, true, 103, "download 1 0 0 0 0 0 0 0 2 -0 0 0 0\n"},
    {S, 14, true, 103, "download 1 0 0 0 0 0 0 0 2 0. 0 0 0\n"},
    {S, 11, true, 103, "download 1 0 0 0 0 0 0 0 1 0.5 0 0 0\n"},
    {S, 14, false, 103, "transact 1 4 0 0 0 0 0\n"},
};

static void bad_messages_are_refused_with_their_number(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const refusal *r = &refusals[i];
        sl_status st = SL_STATUS_INIT;
        if (same_again(r->from_client, (sl_dialect){r->version, r->flx}, sl_str_c(r->wire), &st))
            fail_msg("%s: accepted", r->wire);
        if (st.code != r->code) fail_msg("%s: %d %s", r->wire, st.code, st.message);
    }
}

static void leading_zeros_are_accepted(void **state) {
    (void)state;
    sl_client_message msg;
    sl_status st = SL_STATUS_INIT;
    const char *wire = "ping 00000000000000000000000182034 00\n";
    assert_true(sl_client_message_parse(&msg, (sl_dialect){14, false}, wire, strlen(wire), &st));
    assert_int_equal(msg.ping.timestamp_ms, 182034);
}

static void a_head_of_513_octets_is_refused(void **state) {
    (void)state;
    char wire[514];
    memset(wire, '0', sizeof(wire));
    memcpy(wire, "ping 1 ", 7);
    wire[511] = '\n';
    sl_client_message msg;
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_client_message_parse(&msg, (sl_dialect){14, false}, wire, 512, &st));
    wire[511] = '0';
    wire[512] = '\n';
    assert_false(sl_client_message_parse(&msg, (sl_dialect){14, false}, wire, 513, &st));
    assert_int_equal(st.code, 103);
}

static void bodies_and_fields_land_where_they_belong(void **state) {
    (void)state;
    sl_client_message msg;
    sl_status st = SL_STATUS_INIT;
    const char *wire = "bind 7 5 3 0 1\n/test"
                       "tok";
    assert_true(sl_client_message_parse(&msg, (sl_dialect){3, false}, wire, strlen(wire), &st));
    assert_int_equal(msg.session, 7);
    assert_text(msg.bind.path, "/test");
    assert_text(msg.bind.token, "tok");
    assert_false(msg.bind.need_ident);
    assert_true(msg.bind.is_subserver);
}

typedef struct progress_case {
    double value;
    const char *text;
} progress_case;

static void progress_has_at_most_four_decimals(void **state) {
    (void)state;
    const progress_case cases[] = {{0, "0"},
                                   {1, "1"},
                                   {0.5, "0.5"},
                                   {0.25, "0.25"},
                                   {0.12345, "0.1235"},
                                   {0.99999, "0.9999"},
                                   {0.1234, "0.1234"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        sl_server_message msg = {.type = SL_MSG_DOWNLOAD, .session = 1};
        char expected[80];
        sl_buf out;
        sl_buf_init(&out, NULL);
        msg.download.progress = cases[i].value;
        sl_server_message_write(&out, (sl_dialect){14, true}, &msg);
        snprintf(expected, sizeof(expected), "download 1 0 0 0 0 0 0 0 0 %s 0 0 0\n",
                 cases[i].text);
        assert_text(sl_str_of(out.data, out.size), expected);
        sl_buf_free(&out);
    }
}

static void steady_state_is_the_last_batch_below_version_14(void **state) {
    (void)state;
    sl_server_message msg = {.type = SL_MSG_DOWNLOAD, .session = 1};
    sl_buf out;
    sl_buf_init(&out, NULL);
    msg.download.batch = SL_BATCH_STEADY;
    msg.download.downloadable = 9;
    sl_server_message_write(&out, (sl_dialect){11, true}, &msg);
    assert_text(sl_str_of(out.data, out.size), "download 1 0 0 0 0 0 0 0 1 9 0 0 0\n");
    sl_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_examples_keep_their_octets),
        cmocka_unit_test(cut_and_longer_messages_are_refused),
        cmocka_unit_test(bad_messages_are_refused_with_their_number),
        cmocka_unit_test(leading_zeros_are_accepted),
        cmocka_unit_test(a_head_of_513_octets_is_refused),
        cmocka_unit_test(bodies_and_fields_land_where_they_belong),
        cmocka_unit_test(progress_has_at_most_four_decimals),
        cmocka_unit_test(steady_state_is_the_last_batch_below_version_14),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
