/* Error table, JSON bodies, negotiation and delays (protocol/1-wire.md, 1.4, 2.4, 7 and 8). */
#include "protocol/backoff.h"
#include "protocol/bind_data.h"
#include "protocol/json_error.h"
#include "protocol/log_message.h"
#include "protocol/negotiate.h"
#include "test_support.h"

static void no_peer_gets_a_number_that_kills_it(void **state) {
    (void)state;
    static const int deadly[] = {104, 202, 203, 205, 207, 214, 215, 218, 219, 220, 221, 224};
    for (size_t i = 0; sl_error_at(i); i++) {
        const sl_error_info *info = sl_error_at(i);
        bool listed = false;
        for (size_t k = 0; k < COUNT(deadly); k++)
            listed = listed || deadly[k] == info->code;
        assert_int_equal(listed, info->deadly);
        assert_true(strlen(info->advice) > 10);
        for (int version = 1; version <= 14; version++) {
            sl_error_form form = sl_error_form_for(info->code, version);
            if (form.form == SL_FORM_CLOSE) continue;
            assert_int_equal(form.form, version >= 4 ? SL_FORM_JSON : SL_FORM_PLAIN);
            assert_true(form.code != 202);
            assert_false(form.code == 206 && version < 7);
            if (version >= 4) assert_false(sl_error_find(form.code)->deadly);
        }
    }
}

static void unknown_errors_become_the_general_ones(void **state) {
    (void)state;
    assert_int_equal(sl_error_form_for(150, 14).code, 101);
    assert_int_equal(sl_error_form_for(250, 14).code, 201);
    assert_int_equal(sl_error_form_for(202, 14).close_code, 4001);
    assert_int_equal(sl_error_form_for(202, 3).code, 203);
    assert_int_equal(sl_error_form_for(228, 14).code, 200);
    assert_int_equal(sl_error_form_for(228, 13).code, 228);
    assert_null(sl_error_find(300));
    assert_null(sl_error_find(99));
}

static void actions_keep_their_words(void **state) {
    (void)state;
    for (int a = 1; a < SL_ACTION_COUNT; a++)
        assert_int_equal(sl_action_from_name(sl_str_c(sl_action_name((sl_action)a))), a);
    assert_int_equal(sl_action_from_name(SL_STR("Dance")), SL_ACTION_APPLICATION_BUG);
}

static const struct {
    int code;
    const char *json;
} bodies[] = {
    {229, "{\"action\":\"Transient\",\"backoffIntervalSec\":2,\"backoffMaxDelaySec\":60,"
          "\"backoffMultiplier\":2,\"isRecoveryModeDisabled\":false,\"logURL\":\"\",\"message\":"
          "\"initial sync in progress\",\"shouldClientReset\":false,\"tryAgain\":true}"},
    {208, "{\"action\":\"ClientReset\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
          "\"message\":\"unknown client file\",\"shouldClientReset\":true,\"tryAgain\":false}"},
    {231, "{\"action\":\"Warning\",\"compensatingWriteServerVersion\":24,"
          "\"isRecoveryModeDisabled\":false,\"logURL\":\"\",\"message\":\"write was rejected\","
          "\"rejectedClientVersion\":8,\"rejectedUpdates\":[{\"pk\":\"AwJhMQ==\",\"reason\":"
          "\"outside of query view\",\"table\":\"Dog\"}],\"shouldClientReset\":false,"
          "\"tryAgain\":true}"},
    {232, "{\"action\":\"MigrateToFLX\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
          "\"message\":\"app now uses flexible sync\",\"partitionQuery\":\"region == "
          "\\\"europe\\\"\",\"shouldClientReset\":true,\"tryAgain\":false}"},
    {236, "{\"action\":\"MigrateSchema\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
          "\"message\":\"schema version changed\",\"previousSchemaVersion\":0,"
          "\"shouldClientReset\":false,\"tryAgain\":true}"},
};

static void json_error_bodies_survive(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        sl_arena arena;
        sl_buf out;
        sl_json_error error;
        sl_status st = SL_STATUS_INIT;
        sl_arena_init(&arena, NULL);
        sl_buf_init(&out, NULL);
        if (!sl_json_error_parse(&error, bodies[i].code, 14, sl_str_c(bodies[i].json), &arena, &st))
            fail_msg("%s", st.message);
        sl_json_error_write(&out, &error);
        assert_text(sl_str_of(out.data, out.size), bodies[i].json);
        sl_buf_free(&out);
        sl_arena_free(&arena);
    }
}

static void incomplete_json_errors_are_violations(void **state) {
    (void)state;
    static const struct {
        int code, version;
        bool ok;
        const char *json;
    } cases[] = {
        {208, 14, false, "[]"},
        {208, 14, false, "{"},
        {208, 14, false, "{\"message\":\"m\"}"},
        {208, 6, true,
         "{\"isRecoveryModeDisabled\":false,\"logURL\":\"\",\"message\":\"m\","
         "\"shouldClientReset\":true,\"tryAgain\":false,\"later\":[1]}"},
        {208, 7, false,
         "{\"isRecoveryModeDisabled\":false,\"logURL\":\"\",\"message\":\"m\","
         "\"shouldClientReset\":true,\"tryAgain\":false}"},
        {208, 14, false,
         "{\"action\":\"ClientReset\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
         "\"message\":5,\"shouldClientReset\":true,\"tryAgain\":false}"},
        {232, 14, false,
         "{\"action\":\"MigrateToFLX\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
         "\"message\":\"m\",\"shouldClientReset\":true,\"tryAgain\":false}"},
        {231, 14, false,
         "{\"action\":\"Warning\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\","
         "\"message\":\"m\",\"shouldClientReset\":true,\"tryAgain\":false}"},
        {100, 14, false,
         "{\"action\":\"Transient\",\"backoffIntervalSec\":2,\"isRecoveryModeDisabled\":false,"
         "\"logURL\":\"\",\"message\":\"m\",\"shouldClientReset\":true,\"tryAgain\":false}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        sl_arena arena;
        sl_json_error error;
        sl_status st = SL_STATUS_INIT;
        sl_arena_init(&arena, NULL);
        bool ok = sl_json_error_parse(&error, cases[i].code, cases[i].version,
                                      sl_str_c(cases[i].json), &arena, &st);
        if (ok != cases[i].ok) fail_msg("case %zu: %s", i, st.message);
        if (!ok) assert_int_equal(st.code, 103);
        sl_arena_free(&arena);
    }
}

static void small_json_bodies_survive(void **state) {
    (void)state;
    sl_arena arena;
    sl_buf out;
    sl_status st = SL_STATUS_INIT;
    sl_arena_init(&arena, NULL);
    sl_buf_init(&out, NULL);
    const char *bind = "{\"migratedPartition\":\"\\\"europe\\\"\",\"schemaVersion\":7,"
                       "\"sessionReason\":1}";
    sl_bind_data data;
    assert_true(sl_bind_data_parse(&data, sl_str_c(bind), &arena, &st));
    assert_text(data.migrated_partition, "\"europe\"");
    sl_bind_data_write(&out, &data);
    assert_text(sl_str_of(out.data, out.size), bind);
    assert_true(sl_bind_data_parse(&data, SL_STR(""), &arena, &st));
    assert_false(data.has_migrated_partition);
    assert_false(sl_bind_data_parse(&data, SL_STR("7"), &arena, &st));
    assert_false(sl_bind_data_parse(&data, SL_STR("{\"schemaVersion\":-1}"), &arena, &st));
    assert_true(sl_bind_data_parse(&data, SL_STR("{\"x\":-1}"), &arena, &st));

    const char *text =
        "{\"co_id\":\"a\",\"level\":\"info\",\"msg\":\"tab\\there \\u0001 \xc3\xa9\"}";
    sl_log_message log;
    sl_buf_clear(&out);
    assert_true(sl_log_message_parse(&log, sl_str_c(text), &arena, &st));
    sl_log_message_write(&out, &log);
    assert_text(sl_str_of(out.data, out.size), text);
    assert_false(
        sl_log_message_parse(&log, SL_STR("{\"level\":\"loud\",\"msg\":\"x\"}"), &arena, &st));
    assert_true(sl_log_message_parse(&log, SL_STR("{\"level\":\"loud\"}"), &arena, &st));

    sl_str message;
    sl_buf_clear(&out);
    sl_client_error_write(&out, SL_STR("a \"b\" \\"));
    assert_true(sl_client_error_parse(sl_str_of(out.data, out.size), &arena, &message, &st));
    assert_text(message, "a \"b\" \\");
    assert_false(sl_client_error_parse(SL_STR("{}"), &arena, &message, &st));
    sl_buf_free(&out);
    sl_arena_free(&arena);
}

#define P "com.mongodb.realm-sync"
#define Q "com.mongodb.realm-query-sync"

static void servers_choose_the_newest_common_version(void **state) {
    (void)state;
    static const struct {
        const char *header, *token;
        int version;
        bool flx, mismatch;
    } cases[] = {
        {P "#14, " P "#13, " P "#2", P "#14", 14, false, false},
        {P "/7, " P "/6", P "/7", 7, false, false},
        {P "#2-14", P "#14", 14, false, false},
        {P "#10-30", P "#14", 14, false, false},
        {P "/1-7," P "#8-9", P "#9", 9, false, false},
        {"chat, " Q "#14\t,\r\n superchat", Q "#14", 14, true, false},
        {P "#15, " P "#16", P "#15", 15, false, true},
        {P "#1", P "#1", 1, false, true},
        {P "#0-1, " P "#99999999999999999999999", P "#1", 1, false, true},
        {P "#2", P "#2", 2, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        sl_negotiated n;
        sl_status st = SL_STATUS_INIT;
        if (!sl_negotiate(&n, sl_str_c(cases[i].header), 2, 14, &st))
            fail_msg("%s: %s", cases[i].header, st.message);
        assert_string_equal(n.token, cases[i].token);
        assert_int_equal(n.dialect.version, cases[i].version);
        assert_int_equal(n.dialect.flx, cases[i].flx);
        assert_int_equal(n.mismatch, cases[i].mismatch);
    }
}

static void malformed_lists_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",       "chat",           P,          P "#",
                                      P "#x",   P "#14-",         P "#14-13", P "#1-2-3",
                                      P "# 14", P "#14, " P "#y", P "#-1",    P "14"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        sl_negotiated n;
        sl_status st = SL_STATUS_INIT;
        if (sl_negotiate(&n, sl_str_c(bad[i]), 2, 14, &st)) fail_msg("%s: accepted", bad[i]);
        assert_int_equal(st.code, 400);
    }
}

static void lists_of_any_length_are_read(void **state) {
    (void)state;
    sl_buf list;
    sl_buf_init(&list, NULL);
    for (int i = 0; i < 100000; i++)
        sl_buf_text(&list, "com.mongodb.other#1, ");
    sl_buf_text(&list, P "#12");
    sl_negotiated n;
    assert_true(sl_negotiate(&n, sl_str_of(list.data, list.size), 2, 14, NULL));
    assert_string_equal(n.token, P "#12");
    sl_buf_free(&list);
}

static void clients_take_only_what_they_offered(void **state) {
    (void)state;
    sl_buf out;
    int version = 0;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&out, NULL);
    sl_offer_write(&out, false, 2, 14);
    assert_int_equal(out.size, 341); /* as native SDKs send it */
    sl_negotiated n;
    assert_true(sl_negotiate(&n, sl_str_of(out.data, out.size), 2, 14, &st));
    assert_true(sl_offer_accept(sl_str_c(n.token), false, 2, 14, &version, &st));
    assert_int_equal(version, 14);
    static const char *const bad[] = {"", P "/7", P "#15", P "#1", P "#14 ", P "#14,", Q "#14", P};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(sl_offer_accept(sl_str_c(bad[i]), false, 2, 14, &version, &st));
    sl_buf_free(&out);
}

static int64_t no_time(void *ctx) {
    (void)ctx;
    return 0;
}

static void all_ones_or_zeros(void *ctx, void *data, size_t size) {
    memset(data, *(int *)ctx, size);
}

static void delays_double_up_to_five_minutes(void **state) {
    (void)state;
    int byte = 0;
    sl_env env = {no_time, no_time, all_ones_or_zeros, &byte};
    sl_backoff b;
    sl_backoff_init(&b);
    sl_backoff_note(&b, SL_END_CONNECT_FAILED, NULL);
    int64_t expected = 1000;
    for (int i = 0; i < 20; i++) {
        int64_t delay = sl_backoff_next(&b, &env);
        assert_true(delay <= expected && delay >= expected - expected / 4);
        sl_backoff_note(&b, SL_END_CONNECT_FAILED, NULL);
        expected = expected * 2 > 300000 ? 300000 : expected * 2;
    }
    sl_backoff_note(&b, SL_END_HTTP_NONFATAL, NULL); /* another reason starts afresh */
    assert_true(sl_backoff_next(&b, &env) <= 1000);
    sl_backoff_rule rule = {INT64_MAX, INT64_MAX, INT64_MAX, 0};
    sl_backoff_note(&b, 229, &rule);
    assert_true(sl_backoff_next(&b, &env) == INT64_MAX);
    assert_true(sl_backoff_next(&b, &env) == INT64_MAX);
    sl_backoff_reset(&b);
    assert_int_equal(b.current_ms, -1);
}

static void close_codes_mean_what_the_table_says(void **state) {
    (void)state;
    assert_int_equal(sl_close_info_of(4001, true, true).action, SL_ACTION_REFRESH_USER);
    assert_true(sl_close_info_of(4002, true, true).fatal);
    assert_int_equal(sl_close_info_of(4003, true, true).action, SL_ACTION_REFRESH_LOCATION);
    assert_int_equal(sl_close_info_of(4405, true, true).code, 1008);
    assert_int_equal(sl_close_info_of(777, true, true).code, 1008);
    assert_true(sl_close_info_of(4405, false, true).fatal);
    assert_int_equal(sl_close_info_of(4405, false, false).action, SL_ACTION_REFRESH_LOCATION);
    assert_true(sl_close_info_of(1000, true, true).ignored);
    assert_int_equal(sl_close_info_of(1009, true, true).action, SL_ACTION_CLIENT_RESET);
    for (int code = 0; code < 5000; code++)
        assert_true(strlen(sl_close_info_of(code, true, false).name) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_peer_gets_a_number_that_kills_it),
        cmocka_unit_test(unknown_errors_become_the_general_ones),
        cmocka_unit_test(actions_keep_their_words),
        cmocka_unit_test(json_error_bodies_survive),
        cmocka_unit_test(incomplete_json_errors_are_violations),
        cmocka_unit_test(small_json_bodies_survive),
        cmocka_unit_test(servers_choose_the_newest_common_version),
        cmocka_unit_test(malformed_lists_are_refused),
        cmocka_unit_test(lists_of_any_length_are_read),
        cmocka_unit_test(clients_take_only_what_they_offered),
        cmocka_unit_test(delays_double_up_to_five_minutes),
        cmocka_unit_test(close_codes_mean_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
