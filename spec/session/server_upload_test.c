/* Uploads at the server: checks, queue, integration (protocol/4-history-and-sessions.md, 3.5 and
 * 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

/* ---- UPLOAD (3.5) ---------------------------------------------------------------------------- */

typedef struct upload_entry_case {
    uint64_t cv, sv;
} upload_entry_case;

typedef struct upload_case {
    uint64_t cv, sv, locked;
    upload_entry_case entries[3];
    int error;
} upload_case;

/* The server stands at 2 and has sent that to client 2, whose stored progress is (5, 1); in this
 * session it has uploaded (8, 2) with locked version 1. */
static const upload_case upload_cases[] = {
    {7, 2, 1, {{0, 0}}, 210},           /* progress goes back */
    {9, 3, 1, {{0, 0}}, 209},           /* server version never sent */
    {9, 1, 1, {{0, 0}}, 209},           /* contradicts P */
    {8, 1, 1, {{0, 0}}, 209},           /* same client version, other server version */
    {9, 2, 0, {{0, 0}}, 209},           /* promise taken back */
    {9, 2, 3, {{0, 0}}, 209},           /* promise about an unsent version */
    {9, 2, 1, {{8, 2}}, 210},           /* not above P */
    {11, 2, 1, {{10, 2}, {9, 2}}, 210}, /* not increasing */
    {11, 2, 1, {{9, 2}, {9, 2}}, 210},
    {11, 2, 1, {{9, 1}}, 209}, /* contradicts P */
    {11, 2, 1, {{9, 2}, {10, 1}}, 209},
    {9, 2, 1, {{10, 2}}, 210},  /* beyond progress */
    {11, 2, 1, {{10, 3}}, 209}, /* ahead of progress */
    {9, 2, 1, {{9, 2}}, 0},
    {9, 2, 2, {{0, 0}}, 0},
    {8, 2, 1, {{0, 0}}, 0},
};

static void start_upload_case(one *o, raw_client *b) {
    one_start(o);
    raw_connect(b, &o->rig, 14);
    raw_bind_new(b, "\"p\"");
    raw_commit(b, 4, 0, CHANGE);
    raw_take(&o->a);
    raw_commit(&o->a, 5, 1, "P1.x = 2");
    raw_say(&o->a, "unbind 1\n");
    raw_say(&o->a, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&o->a, "ident 1 2 %lld 2 5 2 %lld\n", (long long)o->a.salt,
            (long long)o->a.latest_salt);
    raw_say(&o->a, "upload 1 0 0 0 8 2 1\n");
    assert_int_equal(raw_error(&o->a), 0);
}

static void uploads_are_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(upload_cases); i++) {
        const upload_case *u = &upload_cases[i];
        one o;
        raw_client b;
        sl_buf body;
        start_upload_case(&o, &b);
        sl_buf_init(&body, NULL);
        for (int e = 0; e < 3 && u->entries[e].cv; e++)
            raw_entry(&body, u->entries[e].cv, u->entries[e].sv, 9000, "P1.x = 3");
        raw_upload(&o.a, u->cv, u->sv, u->locked, &body);
        int error = raw_error(&o.a);
        if (error != u->error) fail_msg("upload case %zu: %d", i, error);
        raw_work(&o.a);
        raw_free(&b);
        one_end(&o);
    }
}

static void inconsistent_cursors_are_refused(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    raw_commit(&b, 4, 0, CHANGE);
    raw_take(&o.a);
    raw_clear(&o.a);
    raw_say(&o.a, "upload 1 0 0 0 0 1 0\n"); /* client version 0, but server version 1 */
    assert_int_equal(raw_error(&o.a), 209);
    raw_free(&b);
    one_end(&o);
}

static void malformed_upload_bodies_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *message;
        int error;
    } cases[] = {
        {"upload 1 0 3 0 6 0 0\nabc", 111},           {"upload 1 0 9 0 6 0 0\n5 0 1 0 9", 111},
        {"upload 1 0 12 0 6 0 0\n5 0 1 0 9 ab", 112}, {"upload 1 1 9 3 6 0 0\nabc", 110},
        {"upload 1 1 999999999 3 6 0 0\nabc", 112},   {"upload 1 0 4 0 6 0 0\nabc", 103},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        one o;
        one_start(&o);
        /* Sizes in the table are those of the bodies. */
        raw_say(&o.a, "%s", cases[i].message);
        int error = raw_error(&o.a);
        if (error != cases[i].error) fail_msg("%s: %d", cases[i].message, error);
        one_end(&o);
    }
}

static void changesets_seen_before_are_skipped(void **state) {
    (void)state;
    one o;
    sl_buf body;
    one_start(&o);
    raw_commit(&o.a, 5, 0, CHANGE);
    raw_say(&o.a, "unbind 1\n");
    raw_say(&o.a, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&o.a, "2 S 0 0 0 0", &o.a);
    raw_clear(&o.a);
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 0, 1, "create Q1"); /* would fail */
    raw_entry(&body, 6, 0, 2, "P1.x = 9");
    raw_upload(&o.a, 6, 0, 0, &body);
    raw_work(&o.a);
    assert_int_equal(o.a.ul_cv, 6);
    assert_int_equal(o.a.dl_sv, 2);
    one_end(&o);
}

static void uploads_that_are_queued_count_for_the_next_session(void **state) {
    (void)state;
    one o;
    sl_buf body;
    one_start(&o);
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 0, 1, CHANGE);
    raw_upload(&o.a, 5, 0, 0, &body); /* waits in the queue */
    raw_say(&o.a, "unbind 1\n");
    raw_say(&o.a, "bind 1 3 0 0 0\n\"p\"");
    say_ident(&o.a, "2 S 0 0 0 0", &o.a);
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 0, 1, CHANGE);
    raw_upload(&o.a, 5, 0, 0, &body); /* the client sends it again, as it must */
    raw_work(&o.a);
    assert_int_equal(raw_error(&o.a), 0);
    assert_int_equal(sl_server_history_version(sl_server_file_history(o.rig.files[0].file)), 1);
    assert_int_equal(o.a.ul_cv, 5);
    one_end(&o);
}

static void progress_alone_wakes_nobody(void **state) {
    (void)state;
    one o;
    one_start(&o);
    raw_say(&o.a, "upload 1 0 0 0 9 0 0\n");
    raw_work(&o.a);
    hears(&o.a, "");
    raw_commit(&o.a, 10, 0, CHANGE);
    assert_int_equal(o.a.ul_cv, 10);
    one_end(&o);
}

static void readers_may_not_upload_changes(void **state) {
    (void)state;
    one o;
    sl_buf body;
    rig_init(&o.rig);
    o.rig.access = SL_ACCESS_READ;
    raw_connect(&o.a, &o.rig, 14);
    raw_bind_new(&o.a, "\"p\"");
    raw_say(&o.a, "upload 1 0 0 0 9 0 0\n"); /* progress is fine */
    assert_int_equal(raw_error(&o.a), 0);
    sl_buf_init(&body, NULL);
    raw_entry(&body, 10, 0, 1, CHANGE);
    raw_upload(&o.a, 10, 0, 0, &body);
    assert_int_equal(raw_error(&o.a), 230);
    one_end(&o);
}

static void a_full_backlog_sends_the_client_away_for_a_while(void **state) {
    (void)state;
    one o;
    sl_buf body;
    rig_init(&o.rig);
    o.rig.max_backlog = 100;
    raw_connect(&o.a, &o.rig, 14);
    raw_bind_new(&o.a, "\"p\"");
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 0, 1, CHANGE);
    raw_upload(&o.a, 5, 0, 0, &body);
    assert_int_equal(raw_error(&o.a), 0);
    for (int i = 6; i < 9; i++) {
        sl_buf_init(&body, NULL);
        raw_entry(&body, (uint64_t)i, 0, 1, "P1.x = 5; P1.x = 6; P1.x = 7");
        raw_upload(&o.a, (uint64_t)i, 0, 0, &body);
    }
    assert_int_equal(raw_error(&o.a), 100);
    one_end(&o);
}

static void compressed_uploads_are_inflated(void **state) {
    (void)state;
    one o;
    sl_buf body, packed, wire, text;
    one_start(&o);
    sl_buf_init(&body, NULL);
    sl_buf_init(&packed, NULL);
    sl_buf_init(&wire, NULL);
    sl_buf_init(&text, NULL);
    sl_buf_text(&text, CHANGE);
    for (int i = 2; i < 100; i++)
        sl_buf_printf(&text, "; create P%d; P%d.x = %d", i, i, i);
    sl_buf_byte(&text, 0);
    raw_entry(&body, 5, 0, 1, text.data);
    sl_client_message msg = {.type = SL_MSG_UPLOAD, .session = 1, .upload = {.progress_cv = 5}};
    assert_true(
        sl_body_pack(NULL, sl_str_of(body.data, body.size), &packed, &msg.upload.body, NULL));
    assert_true(msg.upload.body.compressed);
    sl_client_message_write(&wire, o.a.dialect, &msg);
    assert_true(sl_server_connection_receive(o.a.connection, wire.data, wire.size, NULL));
    raw_work(&o.a);
    assert_int_equal(o.a.ul_cv, 5);
    raw_client b; /* gets it compressed as well */
    raw_connect(&b, &o.rig, 14);
    raw_say(&b, "bind 1 3 0 1 0\n\"p\"");
    raw_work(&b);
    raw_clear(&b);
    raw_say(&b, "ident 1 3 %lld 0 0 0 0\n", (long long)b.salt);
    sl_server_message heard;
    assert_int_equal(b.count, 1);
    assert_true(
        sl_server_message_parse(&heard, b.dialect, b.messages[0].data, b.messages[0].size, NULL));
    assert_true(heard.download.body.compressed);
    sl_buf_free(&body);
    sl_buf_free(&packed);
    sl_buf_free(&wire);
    sl_buf_free(&text);
    raw_free(&b);
    one_end(&o);
}

static void unbind_cancels_what_bind_asked_for(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 3 0 1 0\n\"p\"");
    raw_say(&a, "unbind 1\n");
    hears(&a, "unbound 1");
    raw_work(&a);
    hears(&a, "");
    raw_bind_new(&a, "\"p\"");
    assert_int_equal(a.ident, 2); /* none was made for nobody */
    raw_free(&a);
    rig_free(&rig);
}

static void a_connection_carries_files_that_know_nothing_of_each_other(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_bind_new(&a, "\"p\"");
    raw_commit(&a, 5, 0, CHANGE);
    raw_clear(&a);
    raw_say(&a, "bind 2 3 0 1 0\n\"q\"");
    raw_work(&a);
    assert_int_equal(a.ident, 2); /* idents count per file */
    raw_say(&a, "ident 2 2 %lld 0 0 0 0\n", (long long)a.salt);
    raw_clear(&a);
    assert_int_equal(sl_server_history_version(sl_server_file_history(rig.files[0].file)), 1);
    assert_int_equal(sl_server_history_version(sl_server_file_history(rig.files[1].file)), 0);
    raw_connect(&b, &rig, 14);
    raw_bind_new(&b, "\"q\"");
    raw_commit(&b, 5, 0, "table Q(_id:int)");
    raw_take(&a);
    assert_int_equal(a.count, 1);
    assert_memory_equal(a.messages[0].data, "download 2 1 ", 13);
    raw_say(&a, "bind 3 4 0 1 0\ntrue"); /* an error of one session */
    raw_clear(&a);
    raw_say(&a, "mark 1 1\n");
    raw_say(&a, "mark 2 1\n");
    hears(&a, "mark 1 1|mark 2 1");
    raw_free(&a);
    raw_free(&b);
    rig_free(&rig);
}

/* ---- integration ----------------------------------------------------------------------------- */

static void a_bad_client_does_not_hold_up_the_others(void **state) {
    (void)state;
    static const struct {
        const char *instructions;
        int error;
    } cases[] = {
        {"P9.x = 1", 212},            /* no such object */
        {"create Q1", 212},           /* no such class */
        {"table P(_id:string)", 225}, /* the class has another key: a fresh copy would not help */
        {"column P.x:string", 225},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        one o;
        raw_client b;
        sl_buf body;
        one_start(&o);
        raw_connect(&b, &o.rig, 14);
        raw_bind_new(&b, "\"p\"");
        raw_commit(&b, 3, 0, CHANGE);
        raw_take(&o.a);
        raw_clear(&o.a);
        raw_clear(&b);
        sl_buf_init(&body, NULL);
        raw_entry(&body, 5, 1, 1, "P1.x = 5");
        raw_entry(&body, 6, 1, 1, cases[i].instructions);
        raw_upload(&o.a, 6, 1, 0, &body);
        sl_buf_init(&body, NULL);
        raw_entry(&body, 4, 0, 1, "P1.x = 7");
        raw_upload(&b, 4, 0, 0, &body);
        raw_work(&b);
        assert_int_equal(b.ul_cv, 4);
        assert_int_equal(b.dl_sv, 2); /* only its own */
        raw_take(&o.a);
        int error = raw_error(&o.a);
        if (error != cases[i].error) fail_msg("%s: %d", cases[i].instructions, error);
        assert_int_equal(o.a.ul_cv, 0);
        raw_free(&b);
        one_end(&o);
    }
}

static void unparsable_changesets_are_refused_the_second_time_for_good(void **state) {
    (void)state;
    one o;
    one_start(&o);
    for (int pass = 0; pass < 2; pass++) {
        raw_say(&o.a, "upload 1 0 14 0 5 0 0\n5 0 1 0 4 @@@@");
        raw_work(&o.a);
        assert_int_equal(o.a.count, 1);
        const char *action = pass ? "\"ClientResetNoRecovery\"" : "\"ClientReset\"";
        o.a.messages[0].data[o.a.messages[0].size - 1] = 0;
        assert_non_null(strstr(o.a.messages[0].data, action));
        assert_non_null(strstr(o.a.messages[0].data, "json_error 212 "));
        raw_clear(&o.a);
        raw_say(&o.a, "unbind 1\n");
        raw_say(&o.a, "bind 1 3 0 0 0\n\"p\"");
        say_ident(&o.a, "2 S 0 0 0 0", &o.a);
        raw_clear(&o.a);
    }
    one_end(&o);
}

static void foreign_origins_are_refused(void **state) {
    (void)state;
    static const int origins[] = {1, 2, 3, 99};
    for (size_t i = 0; i < COUNT(origins); i++) {
        one o;
        one_start(&o);
        raw_say(&o.a, "upload 1 0 %d 0 5 0 0\n5 0 1 %d 0 ", origins[i] > 9 ? 11 : 10, origins[i]);
        raw_work(&o.a);
        assert_int_equal(raw_error(&o.a), 216);
        one_end(&o);
    }
}

static void concurrent_changes_are_merged_for_everybody(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    raw_connect(&b, &o.rig, 14);
    raw_bind_new(&b, "\"p\"");
    raw_commit(&o.a, 2, 0, CHANGE "; column P.l:int[]");
    raw_take(&b);
    /* Both insert at the front of a list without having seen the other, twice each. */
    raw_commit(&o.a, 3, 1, "ins P1.l[0] 1 |0|");
    raw_commit(&b, 2, 1, "ins P1.l[0] 11 |0|");
    raw_commit(&o.a, 4, 1, "ins P1.l[1] 2 |1|");
    raw_commit(&b, 3, 1, "ins P1.l[1] 12 |1|");
    sl_buf text;
    sl_buf_init(&text, NULL);
    assert_true(sl_realm_state_text(sl_server_file_realm(o.rig.files[0].file), &text, NULL));
    sl_buf_byte(&text, 0);
    const char *list = strstr(text.data, "\"l\":{\"list\":[");
    assert_non_null(list);
    /* At equal places the older change goes first, and of equally old ones that of the smaller
     * ident: 11, 1, 12, 2. The second insert of each client refers to its own first one. */
    char values[64], *to = values;
    for (const char *p = list; *p != ']' && to < values + 60; p++)
        if (*p >= '0' && *p <= '9') *to++ = *p;
    *to = 0;
    assert_string_equal(values, "111122");
    sl_buf_free(&text);
    raw_free(&b);
    one_end(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uploads_are_checked),
        cmocka_unit_test(inconsistent_cursors_are_refused),
        cmocka_unit_test(malformed_upload_bodies_are_refused),
        cmocka_unit_test(changesets_seen_before_are_skipped),
        cmocka_unit_test(uploads_that_are_queued_count_for_the_next_session),
        cmocka_unit_test(progress_alone_wakes_nobody),
        cmocka_unit_test(readers_may_not_upload_changes),
        cmocka_unit_test(a_full_backlog_sends_the_client_away_for_a_while),
        cmocka_unit_test(compressed_uploads_are_inflated),
        cmocka_unit_test(unbind_cancels_what_bind_asked_for),
        cmocka_unit_test(a_connection_carries_files_that_know_nothing_of_each_other),
        cmocka_unit_test(a_bad_client_does_not_hold_up_the_others),
        cmocka_unit_test(unparsable_changesets_are_refused_the_second_time_for_good),
        cmocka_unit_test(foreign_origins_are_refused),
        cmocka_unit_test(concurrent_changes_are_merged_for_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
