/* What the server makes of TRANSACT (protocol/1-wire.md, 4.14 and 5.15), message by message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

#define RAISE "P1.x = 2"

/* The types of the messages heard, joined with blanks. */
static const char *words(raw_client *client) {
    static char text[512];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < client->count; i++) {
        const sl_buf *m = &client->messages[i];
        const char *end = memchr(m->data, ' ', m->size);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? " " : "",
                               (int)(end - m->data), m->data);
    }
    return text;
}

/* The last TRANSACT heard; its status is 0 if there was none. Clears. */
static sl_msg_server_transact verdict(raw_client *client) {
    sl_msg_server_transact found = {0};
    for (size_t i = 0; i < client->count; i++) {
        sl_server_message msg;
        const sl_buf *m = &client->messages[i];
        assert_true(sl_server_message_parse(&msg, client->dialect, m->data, m->size, NULL));
        if (msg.type == SL_MSG_TRANSACT) found = msg.transact;
    }
    raw_clear(client);
    return found;
}

static void an_accepted_one_is_a_change_of_the_server(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    raw_take(&o.a);
    raw_clear(&o.a);
    raw_transact(&o.a, 5, 1, RAISE);
    assert_string_equal(raw_heard(&o.a), ""); /* nothing before it is durable */
    raw_work(&o.a);
    assert_string_equal(words(&o.a), "download transact");
    sl_msg_server_transact v = verdict(&o.a);
    assert_int_equal(v.status, 1);
    assert_int_equal(v.server_version, 2);
    assert_int_equal(v.server_salt, o.a.latest_salt);
    assert_int_equal(v.origin_ident, 1);
    assert_int_equal(v.origin_timestamp, o.rig.env.wall - SL_SYNC_EPOCH_MS);
    assert_int_equal(v.substitutions.size, 0);
    raw_take(&b);
    char expected[80];
    snprintf(expected, sizeof expected, "\n2 0 %llu 1 ", (unsigned long long)v.origin_timestamp);
    assert_non_null(strstr(raw_heard(&b), expected)); /* entry 2, origin 1 */
    raw_free(&b);
    one_end(&o);
}

static void a_refusal_comes_behind_what_was_in_the_way(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    raw_clear(&o.a);
    raw_commit(&b, 5, 1, "P1.x = 9");
    raw_transact(&o.a, 5, 1, RAISE); /* a has taken the DOWNLOAD with b's change just now */
    raw_clear(&o.a);
    raw_work(&o.a);
    hears(&o.a, "transact 1 2 0 0 0 0 0");
    raw_commit(&b, 6, 2, "P1.x = 10");
    /* Asked and decided before a takes any output: the news goes first. */
    sl_client_message msg = {.type = SL_MSG_TRANSACT, .session = 1};
    sl_buf wire;
    sl_buf_init(&wire, NULL);
    msg.transact = (sl_msg_client_transact){5, 2, SL_STR("")};
    sl_client_message_write(&wire, o.a.dialect, &msg);
    assert_true(sl_server_connection_receive(o.a.connection, wire.data, wire.size, NULL));
    sl_buf_free(&wire);
    assert_true(rig_work(&o.rig, NULL));
    raw_take(&o.a);
    assert_string_equal(words(&o.a), "download transact");
    assert_int_equal(verdict(&o.a).status, 2);
    raw_free(&b);
    one_end(&o);
}

static void a_repeated_one_gets_the_answer_of_the_first_time(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_transact(&o.a, 5, 1, RAISE);
    raw_work(&o.a);
    sl_msg_server_transact first = verdict(&o.a);
    raw_transact(&o.a, 5, 1, RAISE);
    raw_work(&o.a);
    sl_msg_server_transact second = verdict(&o.a);
    assert_int_equal(second.status, 1);
    assert_int_equal(second.server_version, first.server_version);
    assert_int_equal(second.server_salt, first.server_salt);
    assert_int_equal(second.origin_timestamp, first.origin_timestamp);
    assert_int_equal(sl_server_history_version(sl_server_file_history(o.rig.files[0].file)), 2);
    one_end(&o);
}

static void uploads_keep_their_place_around_it(void **state) {
    (void)state;
    one o;
    sl_buf body;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    /* All three before any work is done. */
    sl_buf_init(&body, NULL);
    raw_entry(&body, 6, 1, 2000, "P1.x = 6");
    raw_upload(&o.a, 6, 1, 0, &body);
    raw_transact(&o.a, 6, 1, "create P2");
    sl_buf_init(&body, NULL);
    raw_entry(&body, 8, 1, 2001, "P1.x = 8");
    raw_upload(&o.a, 8, 1, 0, &body);
    raw_work(&o.a);
    assert_int_equal(verdict(&o.a).server_version, 3); /* between entries 2 and 4 */
    assert_int_equal(o.a.ul_cv, 8);
    assert_int_equal(o.a.dl_cv, 8);
    assert_int_equal(o.a.dl_sv, 4);
    one_end(&o);
}

static void what_breaks_the_rules_ends_the_session(void **state) {
    (void)state;
    static const struct {
        uint64_t cv, sv;
        const char *text;
        int error;
    } cases[] = {
        {6, 1, RAISE, 201},      /* 221 for those who bear it: uploads are missing */
        {4, 1, RAISE, 210},      /* uploads that it does not know went before */
        {5, 2, RAISE, 209},      /* never sent */
        {5, 0, RAISE, 0},        /* legal, and too old */
        {5, 1, "P7.x = 2", 212}, /* there is no such object, and nobody erased it */
        {5, 1, "Q1.x = 2", 212}, /* there is no such class */
        {5, 1, "table P(_id:string)", 225},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        one o;
        one_start(&o);
        raw_commit(&o.a, 5, 0, CHANGE);
        raw_clear(&o.a);
        raw_transact(&o.a, cases[i].cv, cases[i].sv, cases[i].text);
        raw_work(&o.a);
        int error = raw_error(&o.a);
        if (error != cases[i].error) fail_msg("case %zu: error %d", i, error);
        one_end(&o);
    }
    one o;
    one_start(&o);
    raw_say(&o.a, "transact 1 0 0 2\nab");
    raw_work(&o.a);
    assert_int_equal(raw_error(&o.a), 212);
    one_end(&o);
}

static void one_at_a_time(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_clear(&o.a);
    raw_transact(&o.a, 5, 1, RAISE);
    raw_transact(&o.a, 5, 1, RAISE);
    assert_int_equal(raw_error(&o.a), 109);
    one_end(&o);
}

static void readers_are_refused(void **state) {
    (void)state;
    one o;
    rig_init(&o.rig);
    o.rig.access = SL_ACCESS_READ;
    raw_connect(&o.a, &o.rig, 14);
    raw_bind_new(&o.a, "\"p\"");
    raw_transact(&o.a, 0, 0, CHANGE);
    assert_int_equal(raw_error(&o.a), 230);
    one_end(&o);
}

static void switched_off_it_is_answered_with_status_3(void **state) {
    (void)state;
    one o;
    rig_init(&o.rig);
    o.rig.switched_off = SL_FEATURE_TRANSACT;
    raw_connect(&o.a, &o.rig, 14);
    raw_bind_new(&o.a, "\"p\"");
    raw_say(&o.a, "transact 1 5 1 2\nab");
    hears(&o.a, "transact 1 3 0 0 0 0 0");
    raw_say(&o.a, "transact 1 5 1 2\nab");
    hears(&o.a, "transact 1 3 0 0 0 0 0");
    one_end(&o);
}

/* A connection that was replaced has no say any more. */
static void what_waits_goes_with_its_session(void **state) {
    (void)state;
    one o;
    raw_client again;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_transact(&o.a, 5, 1, RAISE);
    raw_connect(&again, &o.rig, 14);
    raw_say(&again, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&again, "2 S 1 5 1 L", &o.a);
    raw_clear(&again);
    raw_work(&again);
    assert_int_equal(verdict(&again).status, 0);
    assert_int_equal(sl_server_history_version(sl_server_file_history(o.rig.files[0].file)), 1);
    raw_transact(&again, 5, 1, RAISE);
    raw_work(&again);
    assert_int_equal(verdict(&again).status, 1);
    raw_free(&again);
    one_end(&o);
}

static bool run_with_failure(uint64_t n) {
    server_rig rig;
    raw_client a;
    sl_status st = SL_STATUS_INIT;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_bind_new(&a, "\"p\"");
    raw_commit(&a, 5, 0, CHANGE);
    raw_clear(&a);
    rig.memory.fail_at = n;
    sl_changeset cs;
    sl_buf bytes, wire;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&bytes, NULL);
    sl_buf_init(&wire, NULL);
    assert_true(notation_read(&cs, RAISE) &&
                sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, &bytes, NULL));
    sl_client_message msg = {.type = SL_MSG_TRANSACT,
                             .session = 1,
                             .transact = {5, 1, sl_str_of(bytes.data, bytes.size)}};
    sl_client_message_write(&wire, a.dialect, &msg);
    bool ok = sl_server_connection_receive(a.connection, wire.data, wire.size, &st) &&
              rig_work(&rig, &st) && raw_try_take(&a, &st);
    bool failed = rig.memory.fail_at == 0;
    rig.memory.fail_at = 0;
    if (!ok) assert_int_equal(st.cls, SL_ERR_MEMORY);
    if (ok) assert_int_equal(verdict(&a).status, 1);
    sl_buf_free(&wire);
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
    raw_free(&a);
    rig_free(&rig);
    return failed;
}

static void any_allocation_may_fail_once(void **state) {
    (void)state;
    uint64_t n = 1;
    while (run_with_failure(n))
        n++;
    assert_true(n > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_one_is_a_change_of_the_server),
        cmocka_unit_test(a_refusal_comes_behind_what_was_in_the_way),
        cmocka_unit_test(a_repeated_one_gets_the_answer_of_the_first_time),
        cmocka_unit_test(uploads_keep_their_place_around_it),
        cmocka_unit_test(what_breaks_the_rules_ends_the_session),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(readers_are_refused),
        cmocka_unit_test(switched_off_it_is_answered_with_status_3),
        cmocka_unit_test(what_waits_goes_with_its_session),
        cmocka_unit_test(any_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
