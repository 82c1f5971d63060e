/* Server sessions against clients played by hand (protocol/1-wire.md, 4 to 7;
 * protocol/4-history-and-sessions.md, 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

static void a_new_client_gets_an_ident_and_an_empty_download(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    char expected[200];
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 8 0 1 0\n\"europe\"");
    hears(&a, ""); /* not before the row is durable */
    raw_work(&a);
    snprintf(expected, sizeof expected, "ident 1 2 %lld", (long long)a.salt);
    hears(&a, expected);
    raw_say(&a, "ident 1 2 %lld 0 0 0 0\n", (long long)a.salt);
    hears(&a, "download 1 0 0 0 0 0 0 0 0 0 0");
    raw_say(&a, "mark 1 1\n");
    hears(&a, "mark 1 1");
    raw_say(&a, "ping 182034 0\n");
    hears(&a, "pong 182034");
    raw_say(&a, "unbind 1\n");
    hears(&a, "unbound 1");
    assert_int_equal(sl_server_connection_sessions(a.connection), 0);
    raw_free(&a);
    rig_free(&rig);
}

static void uploads_are_acknowledged_and_reach_the_others(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    assert_int_equal(b.ident, 3);
    sl_buf body;
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 0, 77, CHANGE);
    size_t size = body.size - strlen("5 0 77 0 nn ");
    raw_upload(&o.a, 6, 0, 0, &body);
    hears(&o.a, ""); /* nothing before the commit */
    raw_take(&b);
    hears(&b, "");
    raw_work(&o.a);
    char expected[200];
    long long salt = (long long)o.a.latest_salt;
    snprintf(expected, sizeof expected, "download 1 1 5 1 %lld 6 0 0 0 0 0", salt);
    hears(&o.a, expected);
    raw_take(&b);
    snprintf(expected, sizeof expected, "download 1 1 0 1 %lld 0 0 0 0 %zu 0\n1 0 77 2 %zu %zu ",
             salt, size + strlen("1 0 77 2 nn nn "), size, size);
    assert_int_equal(b.count, 1);
    assert_memory_equal(b.messages[0].data, expected, strlen(expected));
    raw_free(&b);
    one_end(&o);
}

static void the_author_does_not_get_its_own_changes_back_after_a_reconnect(void **state) {
    (void)state;
    one o;
    raw_client again;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_client before = o.a;
    sl_server_connection_free(o.a.connection);
    o.a.connection = NULL;
    raw_connect(&again, &o.rig, 14);
    raw_say(&again, "bind 9 3 0 0 0\n\"p\"");
    raw_say(&again, "ident 9 2 %lld 0 0 0 0\n", (long long)before.salt);
    char expected[200];
    snprintf(expected, sizeof expected, "download 9 1 5 1 %lld 5 0 0 0 0 0",
             (long long)before.latest_salt);
    hears(&again, expected);
    raw_free(&again);
    one_end(&o);
}

/* ---- DOWNLOAD and MARK ----------------------------------------------------------------------- */

static void downloads_are_cut_at_the_limit_and_mark_waits_for_the_end(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_commit(&o.a, 2, 0, CHANGE);
    for (uint64_t i = 3; i < 9; i++)
        raw_commit(&o.a, i, 0, "P1.x = 5; P1.x = 6");
    raw_client b;
    memset(&b, 0, sizeof b);
    b.rig = &o.rig;
    b.dialect = (sl_dialect){14, false};
    sl_server_connection_options options = {.alloc = &o.rig.memory.alloc,
                                            .env = &o.rig.env.env,
                                            .host = &o.rig.host,
                                            .ctx = &o.rig,
                                            .dialect = b.dialect,
                                            .authenticated = true,
                                            .max_download = 250};
    b.connection = sl_server_connection_new(&options, NULL);
    raw_say(&b, "bind 1 3 0 1 0\n\"p\"");
    raw_work(&b);
    raw_clear(&b);
    char text[200];
    snprintf(text, sizeof text, "ident 1 3 %lld 0 0 0 0\n", (long long)b.salt);
    assert_true(sl_server_connection_receive(b.connection, text, strlen(text), NULL));
    assert_true(sl_server_connection_receive(b.connection, "mark 1 4\n", 9, NULL));
    raw_take(&b);
    assert_true(b.count > 2);
    uint64_t at = 0;
    for (size_t i = 0; i < b.count; i++) {
        sl_server_message msg;
        assert_true(
            sl_server_message_parse(&msg, b.dialect, b.messages[i].data, b.messages[i].size, NULL));
        assert_int_equal(msg.type, i + 1 < b.count ? SL_MSG_DOWNLOAD : SL_MSG_MARK);
        if (msg.type != SL_MSG_DOWNLOAD) continue;
        assert_true(msg.download.dl_sv > at);
        assert_int_equal(msg.download.downloadable == 0, msg.download.dl_sv == 7);
        at = msg.download.dl_sv;
    }
    assert_int_equal(at, 7);
    raw_free(&b);
    one_end(&o);
}

static void only_the_newest_mark_is_answered(void **state) {
    (void)state;
    one o;
    one_start(&o);
    assert_true(sl_server_connection_receive(o.a.connection, "mark 1 1\n", 9, NULL));
    assert_true(sl_server_connection_receive(o.a.connection, "mark 1 2\n", 9, NULL));
    raw_take(&o.a);
    hears(&o.a, "mark 1 2");
    one_end(&o);
}

static void pong_goes_first(void **state) {
    (void)state;
    one o;
    one_start(&o);
    assert_true(sl_server_connection_receive(o.a.connection, "mark 1 1\n", 9, NULL));
    assert_true(sl_server_connection_receive(o.a.connection, "ping 5 0\n", 9, NULL));
    raw_take(&o.a);
    hears(&o.a, "pong 5|mark 1 1");
    one_end(&o);
}

static void sessions_take_turns(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&a, "bind 2 3 0 0 0\n\"q\"");
    const char *messages[] = {"test_command 1 1 2\n{}", "test_command 1 2 2\n{}",
                              "test_command 2 1 2\n{}", "test_command 2 2 2\n{}"};
    for (size_t i = 0; i < COUNT(messages); i++)
        assert_true(
            sl_server_connection_receive(a.connection, messages[i], strlen(messages[i]), NULL));
    raw_take(&a);
    hears(&a, "test_command 1 1 23\n{\"error\":\"unsupported\"}|test_command 2 1 23\n"
              "{\"error\":\"unsupported\"}|test_command 1 2 23\n{\"error\":\"unsupported\"}|"
              "test_command 2 2 23\n{\"error\":\"unsupported\"}");
    raw_free(&a);
    rig_free(&rig);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void a_failed_integration_at_the_client_leads_to_a_reset(void **state) {
    (void)state;
    static const struct {
        int sent, heard;
    } cases[] = {{212, 212}, {233, 233}, {112, 201}, {201, 201}, {299, 299}, {250, 201}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        one o;
        one_start(&o);
        raw_say(&o.a, "json_error %d 15 1\n{\"message\":\"m\"}", cases[i].sent);
        assert_int_equal(o.a.count, 1);
        o.a.messages[0].data[o.a.messages[0].size - 1] = 0;
        assert_non_null(strstr(o.a.messages[0].data, "\"ClientReset\""));
        assert_non_null(strstr(o.a.messages[0].data, "\"shouldClientReset\":true"));
        o.a.messages[0].data[o.a.messages[0].size - 1] = '}';
        assert_int_equal(raw_error(&o.a), cases[i].heard);
        assert_int_equal(o.rig.troubles, 1);
        one_end(&o);
    }
}

static void historic_messages_are_answered(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_connect(&b, &o.rig, 2);
    raw_say(&b, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&b, "client_version_request 1 2 %lld\n", (long long)o.a.salt);
    hears(&b, "client_version 1 5");
    raw_say(&b, "client_version_request 1 2 77\n");
    hears(&b, "client_version 1 0");
    raw_say(&b, "client_version_request 1 99 77\n");
    hears(&b, "client_version 1 0");
    raw_say(&b, "state_request 1 0 0 0 0 20 0 11 0\n");
    hears(&b, "state 1 0 0 0 0 0 0");
    raw_say(&b, "state_request 1 0 0 0 0 20 0 11 0\n");
    assert_int_equal(raw_error(&b), 109);
    raw_free(&b);
    raw_clear(&o.a);
    raw_say(&o.a, "alloc 1\n");
    assert_int_equal(raw_error(&o.a), 206);
    one_end(&o);
}

static void second_tier_servers_may_speak_for_others(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    rig_init(&rig);
    raw_connect(&b, &rig, 2);
    raw_bind_new(&b, "\"p\"");
    raw_connect(&a, &rig, 2);
    raw_say(&a, "bind 1 3 0 1 1\n\"p\"");
    raw_work(&a);
    raw_say(&a, "ident 1 3 %lld 0 0 0 0\n", (long long)a.salt);
    raw_clear(&a);
    raw_say(&a, "alloc 1\n");
    raw_work(&a);
    hears(&a, "alloc 1 4");
    raw_say(&a, "upload 1 0 11 0 5 0 0\n5 0 77 4 0 ");
    raw_work(&a);
    assert_int_equal(a.ul_cv, 5);
    assert_int_equal(a.dl_cv, 5); /* an entry of its client counts as its own */
    raw_say(&a, "upload 1 0 11 0 6 1 0\n6 1 77 2 0 ");
    raw_work(&a);
    assert_int_equal(raw_error(&a), 216);
    raw_free(&a);
    raw_free(&b);
    rig_free(&rig);
}

static void files_with_newer_features_are_closed_to_older_clients(void **state) {
    (void)state;
    one o;
    raw_client b, c;
    one_start(&o);
    raw_connect(&b, &o.rig, 12);
    raw_bind_new(&b, "\"p\"");
    raw_connect(&c, &o.rig, 5);
    raw_bind_new(&c, "\"p\"");
    raw_commit(&o.a, 5, 0, "asymmetric P(_id:int)"); /* needs 6 */
    raw_take(&b);
    assert_int_equal(raw_error(&b), 0);
    raw_take(&c);
    assert_int_equal(raw_error(&c), 201);
    assert_int_equal(c.dl_sv, 0);
    raw_free(&c);
    raw_connect(&c, &o.rig, 5);
    raw_say(&c, "bind 1 3 0 1 0\n\"p\"");
    raw_work(&c);
    raw_clear(&c);
    raw_say(&c, "ident 1 5 %lld 0 0 0 0\n", (long long)c.salt);
    assert_int_equal(raw_error(&c), 201);
    raw_free(&c);
    raw_free(&b);
    one_end(&o);
}

static void who_wrote_a_newer_feature_can_read_it(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 5);
    raw_bind_new(&a, "\"p\"");
    raw_commit(&a, 5, 0, "asymmetric P(_id:int)");
    assert_int_equal(raw_error(&a), 0);
    assert_int_equal(a.ul_cv, 5);
    raw_say(&a, "unbind 1\n");
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    raw_clear(&a);
    say_ident(&a, "2 S 1 5 1 L", &a);
    assert_int_equal(raw_error(&a), 0);
    raw_free(&a);
    rig_free(&rig);
}

static void silence_of_ten_minutes_ends_a_connection(void **state) {
    (void)state;
    one o;
    one_start(&o);
    assert_int_equal(sl_server_connection_deadline(o.a.connection), o.rig.env.mono + 600000);
    o.rig.env.mono += 599999;
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_STAY);
    sl_server_connection_receive_ping(o.a.connection, "hello", 5);
    sl_server_connection_receive_ping(o.a.connection, "12 34", 5);
    o.rig.env.mono += 1;
    sl_server_connection_receive_ping(o.a.connection, "12 34\n", 6); /* a heartbeat */
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_STAY);
    o.rig.env.mono += 600000;
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_DROP);
    one_end(&o);
}

static void ends_are_told_in_the_way_the_client_understands(void **state) {
    (void)state;
    for (int version = 7; version <= 8; version++) {
        for (int way = 0; way < 3; way++) {
            static const int codes[] = {4001, 4001, 1011};
            server_rig rig;
            raw_client a;
            rig_init(&rig);
            raw_connect(&a, &rig, version);
            if (way == 0) sl_server_connection_expire_at(a.connection, rig.env.mono + 5);
            if (way == 0) rig.env.mono = sl_server_connection_deadline(a.connection);
            if (way == 0) sl_server_connection_step(a.connection);
            if (way == 1) sl_server_connection_revoke(a.connection, "user disabled");
            if (way == 2) sl_server_connection_shutdown(a.connection);
            sl_wish wish = sl_server_connection_wish(a.connection);
            assert_int_equal(wish.kind, version < 8 ? SL_WISH_DROP : SL_WISH_CLOSE);
            if (version >= 8) assert_int_equal(wish.code, codes[way]);
            raw_free(&a);
            rig_free(&rig);
        }
    }
}

static void wrong_frames_close_the_connection(void **state) {
    (void)state;
    one o;
    one_start(&o);
    sl_server_connection_receive_text(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).code, 1003);
    raw_free(&o.a);
    raw_connect(&o.a, &o.rig, 14);
    char *big = calloc(1, SL_MAX_SERVER_MESSAGE + 1);
    assert_true(sl_server_connection_receive(o.a.connection, big, SL_MAX_SERVER_MESSAGE + 1, NULL));
    assert_int_equal(sl_server_connection_wish(o.a.connection).code, 1009);
    free(big);
    one_end(&o);
}

static void a_closing_file_sends_its_sessions_away(void **state) {
    (void)state;
    one o;
    one_start(&o);
    sl_server_file *file = o.rig.files[0].file;
    sl_server_file_close(file);
    o.rig.files[0].file = NULL;
    o.rig.files[0].lent = 0;
    raw_take(&o.a);
    assert_int_equal(raw_error(&o.a), 200);
    raw_say(&o.a, "unbind 1\n");
    one_end(&o);
}

static void the_server_can_write_too(void **state) {
    (void)state;
    one o;
    one_start(&o);
    sl_server_file *file = o.rig.files[0].file;
    sl_realm *realm = sl_server_file_realm(file);
    sl_status st = SL_STATUS_INIT;
    sl_class definition = {
        .name = SL_STR("P"), .has_key = true, .key_name = SL_STR("_id"), .key_type = SL_TYPE_INT};
    assert_true(sl_server_file_begin_write(file, &st));
    if (!sl_record_add_class(realm, &definition, &st)) fail_msg("%s", st.message);
    assert_true(sl_server_file_commit_write(file, &st));
    raw_take(&o.a);
    assert_int_equal(o.a.count, 1);
    assert_non_null(memmem(o.a.messages[0].data, o.a.messages[0].size, " 1 ", 3));
    assert_int_equal(o.a.dl_sv, 1);
    raw_clear(&o.a);
    assert_true(sl_server_file_begin_write(file, &st));
    assert_true(sl_server_file_commit_write(file, &st)); /* nothing recorded, nothing added */
    raw_take(&o.a);
    hears(&o.a, "");
    one_end(&o);
}

static void version_mismatch_is_told_at_once(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    memset(&a, 0, sizeof a);
    a.rig = &rig;
    a.dialect = (sl_dialect){15, false};
    sl_server_connection_options options = {.alloc = &rig.memory.alloc,
                                            .env = &rig.env.env,
                                            .host = &rig.host,
                                            .ctx = &rig,
                                            .dialect = a.dialect,
                                            .mismatch = true};
    a.connection = sl_server_connection_new(&options, NULL);
    raw_take(&a);
    assert_int_equal(raw_error(&a), 105);
    raw_free(&a);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_client_gets_an_ident_and_an_empty_download),
        cmocka_unit_test(uploads_are_acknowledged_and_reach_the_others),
        cmocka_unit_test(the_author_does_not_get_its_own_changes_back_after_a_reconnect),
        cmocka_unit_test(downloads_are_cut_at_the_limit_and_mark_waits_for_the_end),
        cmocka_unit_test(only_the_newest_mark_is_answered),
        cmocka_unit_test(pong_goes_first),
        cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(a_failed_integration_at_the_client_leads_to_a_reset),
        cmocka_unit_test(historic_messages_are_answered),
        cmocka_unit_test(second_tier_servers_may_speak_for_others),
        cmocka_unit_test(files_with_newer_features_are_closed_to_older_clients),
        cmocka_unit_test(who_wrote_a_newer_feature_can_read_it),
        cmocka_unit_test(silence_of_ten_minutes_ends_a_connection),
        cmocka_unit_test(ends_are_told_in_the_way_the_client_understands),
        cmocka_unit_test(wrong_frames_close_the_connection),
        cmocka_unit_test(a_closing_file_sends_its_sessions_away),
        cmocka_unit_test(the_server_can_write_too),
        cmocka_unit_test(version_mismatch_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
