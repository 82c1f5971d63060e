/* Binding and identifying at the server (protocol/1-wire.md, 4.1, 4.2 and 6.3;
 * protocol/4-history-and-sessions.md, 3.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

/* ---- BIND ------------------------------------------------------------------------------------ */

static void bind_errors_have_their_numbers(void **state) {
    (void)state;
    static const struct {
        const char *message;
        int open_code, error;
        sl_access access;
    } cases[] = {
        {"bind 1 4 0 1 0\ntrue", 0, 204, SL_ACCESS_WRITE},
        {"bind 1 3 0 1 0\n\"p\"", 0, 206, SL_ACCESS_NONE},
        {"bind 1 3 0 1 0\n\"p\"", 229, 229, SL_ACCESS_WRITE},
        {"bind 1 3 0 1 0\n\"p\"", 205, 204, SL_ACCESS_WRITE},
        {"bind 1 3 0 1 0\n\"p\"", 224, 100, SL_ACCESS_WRITE},
        {"bind 0 3 0 1 0\n\"p\"", 0, 106, SL_ACCESS_WRITE},
        {"bind 1 3 0 1 2\n\"p\"", 0, 103, SL_ACCESS_WRITE},
        {"mark 1 1\n", 0, 106, SL_ACCESS_WRITE},
        {"gnu 1 1\n", 0, 102, SL_ACCESS_WRITE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        server_rig rig;
        raw_client a;
        rig_init(&rig);
        rig.access = cases[i].access;
        rig.open_code = cases[i].open_code;
        raw_connect(&a, &rig, 14);
        raw_say(&a, "%s", cases[i].message);
        assert_int_equal(raw_error(&a), cases[i].error);
        raw_free(&a);
        rig_free(&rig);
    }
}

static void a_session_in_error_hears_nothing_until_unbind(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 4 0 1 0\ntrue");
    hears(&a,
          "json_error 204 189 1\n{\"action\":\"ApplicationBug\",\"isRecoveryModeDisabled\":false,"
          "\"logURL\":\"\",\"message\":\"illegal partition: a value of a type that cannot be a "
          "partition\",\"shouldClientReset\":false,\"tryAgain\":false}");
    raw_say(&a, "ident 1 2 3 0 0 0 0\n");
    raw_say(&a, "mark 1 1\n");
    raw_say(&a, "upload 1 0 0 0 0 0 0\n");
    hears(&a, "");
    raw_say(&a, "unbind 1\n");
    hears(&a, ""); /* the error was the last word */
    raw_say(&a, "bind 1 3 0 1 0\n\"p\"");
    raw_work(&a);
    assert_int_equal(a.count, 1); /* the number is free again */
    raw_free(&a);
    rig_free(&rig);
}

static void old_clients_get_plain_errors(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 3);
    raw_say(&a, "bind 1 4 0 1 0\ntrue");
    hears(&a, "error 204 63 0 1\nillegal partition: a value of a type that cannot be a partition");
    raw_say(&a, "bind 1 4 0 1 0\ntrue");
    assert_int_equal(raw_error(&a), 107);
    raw_free(&a);
    rig_init(&rig);
    rig.access = SL_ACCESS_NONE; /* 206 would make them delete their file */
    raw_connect(&a, &rig, 6);
    raw_say(&a, "bind 1 3 0 1 0\n\"p\"");
    assert_int_equal(raw_error(&a), 204);
    raw_free(&a);
    rig_free(&rig);
}

static void legacy_tokens_are_judged_in_bind_and_refresh(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    rig.token = "good";
    raw_connect(&a, &rig, 3);
    raw_say(&a, "bind 1 5 3 1 0\n/test"
                "bad");
    assert_int_equal(raw_error(&a), 203);
    raw_say(&a, "bind 2 5 4 1 0\n/test"
                "good");
    raw_work(&a);
    assert_int_equal(a.ident, 2);
    assert_true(sl_str_eq(sl_server_connection_user(a.connection), SL_STR("ann")));
    raw_clear(&a);
    raw_say(&a, "refresh 2 4\ngood");
    hears(&a, "");
    raw_say(&a, "refresh 2 3\nbad");
    assert_int_equal(raw_error(&a), 203);
    raw_free(&a);
    raw_connect(&a, &rig, 14); /* would kill this client: closes instead */
    raw_say(&a, "bind 1 5 3 1 0\n/test"
                "bad");
    hears(&a, "");
    assert_int_equal(sl_server_connection_wish(a.connection).code, 4001);
    raw_free(&a);
    rig_free(&rig);
}

static void flexible_connections_are_told_to_use_partitions(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    memset(&a, 0, sizeof a);
    a.rig = &rig;
    a.dialect = (sl_dialect){14, true};
    sl_server_connection_options options = {.alloc = &rig.memory.alloc,
                                            .env = &rig.env.env,
                                            .host = &rig.host,
                                            .ctx = &rig,
                                            .dialect = a.dialect,
                                            .authenticated = true};
    a.connection = sl_server_connection_new(&options, NULL);
    raw_say(&a, "bind 1 0 0 1 0\n");
    assert_int_equal(raw_error(&a), 114);
    raw_free(&a);
    rig_free(&rig);
}

static void too_many_sessions_end_the_connection(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    for (int i = 1; i <= 1000; i++)
        raw_say(&a, "bind %d 3 0 0 0\n\"p\"", i);
    hears(&a, "");
    assert_int_equal(sl_server_connection_sessions(a.connection), 1000);
    for (int i = 1; i <= 1000; i += 7) /* out of order, so that slots move */
        raw_say(&a, "unbind %d\n", i), raw_clear(&a);
    for (int i = 2; i <= 1000; i += 7)
        raw_say(&a, "test_command %d 5 2\n{}", i), raw_clear(&a);
    for (int i = 1; i <= 1000; i += 7)
        raw_say(&a, "bind %d 3 0 0 0\n\"p\"", i);
    raw_say(&a, "bind 2000 3 0 0 0\n\"p\"");
    assert_int_equal(raw_error(&a), 100);
    raw_free(&a);
    rig_free(&rig);
}

/* ---- IDENT (3.4) ----------------------------------------------------------------------------- */

typedef struct ident_case {
    const char *fields; /* after "ident 1 2 "; S = the client's salt, L = salt of version 2 */
    int error;
} ident_case;

/* The file stands at version 2; client 2 has uploaded up to client version 6 with base 0. */
static const ident_case ident_cases[] = {
    {"2 S 0 0 3 L", 209},                       /* 0: beyond the newest version, before all else */
    {"9 S 0 0 3 L", 209}, {"9 S 0 0 0 0", 208}, /* 1: never issued */
    {"1 S 0 0 0 0", 208}, {"0 S 0 0 0 0", 208}, {"2 5 0 0 0 0", 211}, /* 2: salt */
    {"2 0 0 0 0 0", 211}, {"2 S 3 0 2 L", 209},                       /* 5: beyond */
    {"2 S 2 7 2 L", 210}, /* 6: uploads that the server does not know */
    {"2 S 2 5 1 L", 209}, /* 7: latest before the position */
    {"2 S 2 6 2 5", 211}, /* 8: other continuation */
    {"2 S 0 0 0 5", 211}, {"2 S 2 6 2 L", 0},   {"2 S 1 5 2 L", 0},   {"2 S 0 0 0 0", 0},
};

static void ident_is_checked_in_order(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ident_cases); i++) {
        one o;
        raw_client b;
        one_start(&o);
        raw_commit(&o.a, 5, 0, CHANGE);
        raw_commit(&o.a, 6, 0, "P1.x = 2");
        raw_say(&o.a, "unbind 1\n");
        raw_connect(&b, &o.rig, 14);
        raw_say(&b, "bind 1 3 0 0 0\n\"p\"");
        say_ident(&b, ident_cases[i].fields, &o.a);
        int error = raw_error(&b);
        if (error != ident_cases[i].error) fail_msg("ident %s: %d", ident_cases[i].fields, error);
        raw_free(&b);
        one_end(&o);
    }
}

static void positions_before_the_reciprocal_base_are_refused(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    raw_commit(&b, 5, 0, CHANGE);
    raw_take(&o.a);
    raw_commit(&o.a, 5, 1, "P1.x = 2"); /* base of client 2 becomes 1 */
    raw_say(&o.a, "unbind 1\n");
    raw_clear(&o.a);
    raw_say(&o.a, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&o.a, "2 S 0 0 2 L", &o.a);
    assert_int_equal(raw_error(&o.a), 209);
    raw_free(&b);
    one_end(&o);
}

static void expired_clients_are_sent_to_a_client_reset(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_say(&o.a, "unbind 1\n");
    raw_clear(&o.a);
    sl_store *store = sl_server_file_store(o.rig.files[0].file);
    sl_client_file row;
    bool found;
    assert_true(store->vtbl->begin(store, NULL));
    assert_true(store->vtbl->client_get(store, 2, &row, &found, NULL) && found);
    row.last_seen = 0;
    assert_true(store->vtbl->client_put(store, &row, NULL));
    assert_true(store->vtbl->commit(store, true, NULL));
    raw_say(&o.a, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&o.a, "2 S 0 0 0 0", &o.a);
    assert_int_equal(raw_error(&o.a), 222);
    one_end(&o);
}

static void the_kind_of_client_may_not_change(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_say(&o.a, "unbind 1\n");
    raw_clear(&o.a);
    raw_say(&o.a, "bind 1 3 0 0 1\n\"p\"");
    say_ident(&o.a, "2 S 0 0 0 0", &o.a);
    assert_int_equal(raw_error(&o.a), 208);
    one_end(&o);
}

static void one_client_file_is_bound_once_per_connection(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_say(&o.a, "bind 2 3 0 0 0\n\"p\"");
    raw_say(&o.a, "ident 2 2 %lld 0 0 0 0\n", (long long)o.a.salt);
    assert_int_equal(raw_error(&o.a), 108);
    assert_int_equal(sl_server_connection_sessions(o.a.connection), 0);
    one_end(&o);
}

static void unbind_frees_the_client_file_for_the_next_session(void **state) {
    (void)state;
    one o;
    one_start(&o);
    char text[200];
    /* Both arrive before the server had a chance to answer. */
    const char *unbind = "unbind 1\n", *bind = "bind 2 3 0 0 0\n\"p\"";
    snprintf(text, sizeof text, "ident 2 2 %lld 0 0 0 0\n", (long long)o.a.salt);
    assert_true(sl_server_connection_receive(o.a.connection, unbind, strlen(unbind), NULL));
    assert_true(sl_server_connection_receive(o.a.connection, bind, strlen(bind), NULL));
    assert_true(sl_server_connection_receive(o.a.connection, text, strlen(text), NULL));
    raw_take(&o.a);
    hears(&o.a, "unbound 1|download 2 0 0 0 0 0 0 0 0 0 0");
    one_end(&o);
}

static void the_newest_connection_of_a_client_file_wins(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_connect(&b, &o.rig, 14);
    raw_say(&b, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&b, "2 S 0 0 0 0", &o.a);
    hears(&b, "download 1 0 0 0 0 0 0 0 0 0 0");
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_DROP);
    assert_true(o.rig.wakes > 0);
    raw_free(&b);
    one_end(&o);
}

static void idents_belong_to_users(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    sl_status st = SL_STATUS_INIT;
    rig_init(&rig);
    for (int pass = 0; pass < 2; pass++) {
        memset(&a, 0, sizeof a);
        a.rig = &rig;
        a.dialect = (sl_dialect){14, false};
        sl_server_connection_options options = {.alloc = &rig.memory.alloc,
                                                .env = &rig.env.env,
                                                .host = &rig.host,
                                                .ctx = &rig,
                                                .dialect = a.dialect,
                                                .authenticated = true,
                                                .users = true,
                                                .user = pass ? SL_STR("bob") : SL_STR("ann")};
        a.connection = sl_server_connection_new(&options, &st);
        if (pass == 0) {
            raw_bind_new(&a, "\"p\"");
        } else {
            sl_client_file row;
            bool found;
            sl_server_history *h = sl_server_file_history(rig.files[0].file);
            assert_true(sl_server_history_client(h, 2, &row, &found, &st) && found);
            int64_t salt = row.salt;
            raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
            raw_say(&a, "ident 1 2 %lld 0 0 0 0\n", (long long)salt);
            assert_int_equal(raw_error(&a), 223);
        }
        raw_free(&a);
    }
    rig_free(&rig);
}

/* ---- the order of messages ------------------------------------------------------------------- */

static void misplaced_messages_end_the_connection(void **state) {
    (void)state;
    static const struct {
        const char *first, *second;
        int error;
    } cases[] = {
        {"bind 1 3 0 1 0\n\"p\"", "ident 1 2 3 0 0 0 0\n", 109}, /* the server's IDENT is owed */
        {"bind 1 3 0 0 0\n\"p\"", "upload 1 0 0 0 0 0 0\n", 109},
        {"bind 1 3 0 0 0\n\"p\"", "mark 1 1\n", 109},
        {"bind 1 3 0 0 0\n\"p\"", "alloc 1\n", 109},
        {"bind 1 3 0 0 0\n\"p\"", "transact 1 0 0 0\n", 109},
        {"bind 1 3 0 0 0\n\"p\"", "json_error 212 2 1\n{}", 109},
        {"bind 1 3 0 1 0\n\"p\"", "state_request 1 0 0 0 0 20 0 11 0\n", 109},
        {"bind 1 3 0 0 0\n\"p\"", "refresh 1 2\nab", 102},
        {"bind 1 3 0 0 0\n\"p\"", "bind 1 3 0 0 0\n\"p\"", 107},
        {"bind 1 3 0 0 0\n\"p\"", "unbind 2\n", 106},
        {"bind 1 3 0 0 0\n\"p\"", "query 1 3 2\n{}", 102},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        server_rig rig;
        raw_client a;
        rig_init(&rig);
        raw_connect(&a, &rig, 14);
        raw_say(&a, "%s", cases[i].first);
        raw_say(&a, "%s", cases[i].second);
        int error = raw_error(&a);
        if (error != cases[i].error) fail_msg("%s: %d", cases[i].second, error);
        raw_say(&a, "ping 1 0\n"); /* nothing is listened to any more */
        hears(&a, "");
        raw_free(&a);
        rig_free(&rig);
    }
}

static void nothing_may_follow_unbind(void **state) {
    (void)state;
    static const char *const after[] = {"unbind 1\n", "mark 1 1\n", "ident 1 2 3 0 0 0 0\n"};
    for (size_t i = 0; i < COUNT(after); i++) {
        one o;
        one_start(&o);
        assert_true(sl_server_connection_receive(o.a.connection, "unbind 1\n", 9, NULL));
        raw_say(&o.a, "%s", after[i]);
        assert_int_equal(raw_error(&o.a), 109);
        one_end(&o);
    }
    one o;
    one_start(&o);
    raw_say(&o.a, "ident 1 2 %lld 0 0 0 0\n", (long long)o.a.salt);
    assert_int_equal(raw_error(&o.a), 109); /* a second IDENT */
    one_end(&o);
}

static void after_a_connection_error_the_client_has_30_seconds(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_say(&o.a, "nonsense\n");
    assert_int_equal(raw_error(&o.a), 102);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_STAY);
    assert_int_equal(sl_server_connection_deadline(o.a.connection), o.rig.env.mono + 30000);
    o.rig.env.mono += 30000;
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_CLOSE);
    one_end(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bind_errors_have_their_numbers),
        cmocka_unit_test(a_session_in_error_hears_nothing_until_unbind),
        cmocka_unit_test(old_clients_get_plain_errors),
        cmocka_unit_test(legacy_tokens_are_judged_in_bind_and_refresh),
        cmocka_unit_test(flexible_connections_are_told_to_use_partitions),
        cmocka_unit_test(too_many_sessions_end_the_connection),
        cmocka_unit_test(ident_is_checked_in_order),
        cmocka_unit_test(positions_before_the_reciprocal_base_are_refused),
        cmocka_unit_test(expired_clients_are_sent_to_a_client_reset),
        cmocka_unit_test(the_kind_of_client_may_not_change),
        cmocka_unit_test(one_client_file_is_bound_once_per_connection),
        cmocka_unit_test(unbind_frees_the_client_file_for_the_next_session),
        cmocka_unit_test(the_newest_connection_of_a_client_file_wins),
        cmocka_unit_test(idents_belong_to_users),
        cmocka_unit_test(misplaced_messages_end_the_connection),
        cmocka_unit_test(nothing_may_follow_unbind),
        cmocka_unit_test(after_a_connection_error_the_client_has_30_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
