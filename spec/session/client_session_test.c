/* A client session against a server played by hand: order of messages, errors, waits, reconnects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_rig.h"
#include "protocol/errors.h"

static int setup(void **state) {
    client_rig *rig = calloc(1, sizeof *rig);
    rig_init(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state) {
    client_rig *rig = *state;
    rig_free(rig);
    free(rig);
    return 0;
}

static void first_connect_binds_idents_and_marks(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", false);
    assert_string_equal(rig->target, "/realm-sync?baas_at=dummy-token");
    assert_non_null(strstr(rig->offer, "com.mongodb.realm-sync#14, com.mongodb.realm-sync#13"));
    rig_connect(rig, 14);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_UNBOUND);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_BINDING);
    rig_expect_nothing(rig);
    rig_give(rig, "ident 1 2 1624753260795183714\n");
    rig_expect(rig, "ident 1 2 1624753260795183714 0 0 0 0\n");
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_ACTIVE);
    rig_expect(rig, "mark 1 1\n"); /* the one that allows uploads */
    rig_expect_nothing(rig);
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
    rig_give(rig, "mark 1 1\n");
    rig_expect_nothing(rig);
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
}

static void uploads_wait_for_the_first_mark(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", false);
    FILE_WRITE(&rig->file, item_schema(realm, st) && item_create(realm, 1, st));
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    rig_give(rig, "ident 1 2 77\n");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_expect(rig, "mark 1 1\n");
    rig_expect_nothing(rig);
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
    rig_expect_nothing(rig);
    rig_give(rig, "mark 1 1\n");
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "upload 1 0 ", 11);
    rig_expect_nothing(rig);
}

static void a_local_change_is_uploaded_confirmed_and_forgotten(void **state) {
    client_rig *rig = *state;
    uint64_t request;
    const sl_client_event *done = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_expect_nothing(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_int_equal(sl_client_history_version(rig->file.history), 4);
    assert_true(sl_client_session_wait_upload(rig->session, &request, NULL));
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "upload 1 0 ", 11);
    assert_non_null(strstr(rig->out.data, " 4 0 0\n4 0 279929600000 0 "));
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, NULL), 0);
    rig_give(rig, "download 1 1 4 1 99 4 0 0 0 0 0\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, &done), 1);
    assert_true(done->ok);
    assert_int_equal(done->request, request);
    rig_expect(rig, "upload 1 0 0 0 5 1 1\n"); /* acknowledges server version 1 */
    rig_expect_nothing(rig);
    assert_int_equal(sl_client_history_base(rig->file.history), 4);
    assert_int_equal(sl_client_history_progress(rig->file.history)->uploaded_changesets, 1);
    assert_int_equal(rig_count(rig, SL_CLIENT_PROGRESS, NULL), 2);
}

static void unconfirmed_changes_are_sent_again_after_a_loss(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_true(rig_take(rig));
    sl_buf first = rig->out;
    sl_buf_init(&rig->out, NULL);
    assert_true(sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR,
                                          SL_STR("reset"), NULL));
    rig_drain(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    rig_wait(rig, 1000);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    assert_true(rig_take(rig));
    assert_int_equal(rig->out.size, first.size);
    assert_memory_equal(rig->out.data, first.data, first.size);
    sl_buf_free(&first);
    /* The server had integrated it: the confirmation stops a third time. */
    rig_give(rig, "download 1 1 4 1 99 4 0 0 0 0 0\n");
    rig_expect(rig, "upload 1 0 0 0 5 1 1\n");
    rig_expect_nothing(rig);
}

static void a_confirmation_that_overtakes_the_scan_stops_the_resending(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_true(rig_take(rig));
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    rig_wait(rig, 1000);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_give(rig, "download 1 1 4 1 99 4 0 0 0 0 0\n");
    rig_expect(rig, "upload 1 0 0 0 5 1 1\n");
    rig_expect_nothing(rig);
}

static void a_quick_reconnect_does_not_delay_uploads_a_slow_one_does(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", false);
    rig_bind_new(rig);
    rig_expect(rig, "mark 1 1\n");
    rig_give(rig, "mark 1 1\n");
    FILE_WRITE(&rig->file, item_schema(realm, st));
    for (int slow = 0; slow < 2; slow++) {
        sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""),
                                  NULL);
        rig_wait(rig, slow ? 60001 : 3000);
        rig_connect(rig, 14);
        rig_expect(rig, "bind 1 5 0 0 0\n/test");
        rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
        if (slow) {
            rig_expect(rig, "mark 1 2\n");
            rig_expect_nothing(rig);
        } else {
            assert_true(rig_take(rig));
            assert_memory_equal(rig->out.data, "upload", 6);
        }
    }
}

static void waits_for_downloads_are_answered_by_marks(void **state) {
    client_rig *rig = *state;
    uint64_t a, b, c;
    const sl_client_event *last = NULL;
    rig_start(rig, "/test", true);
    assert_true(sl_client_session_wait_download(rig->session, &a, NULL));
    assert_true(sl_client_session_wait_download(rig->session, &b, NULL));
    rig_bind_new(rig);
    rig_expect(rig, "mark 1 2\n"); /* only the newest */
    assert_true(sl_client_session_wait_download(rig->session, &c, NULL));
    rig_expect(rig, "mark 1 3\n");
    rig_give(rig, "mark 1 2\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, &last), 2);
    assert_int_equal(last->request, b);
    rig_give(rig, "mark 1 3\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, &last), 3);
    assert_int_equal(last->request, c);
    assert_true(last->ok);
    assert_true(a < b && b < c);
}

static void an_unanswered_mark_is_asked_again_after_a_loss(void **state) {
    client_rig *rig = *state;
    uint64_t request;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    assert_true(sl_client_session_wait_download(rig->session, &request, NULL));
    rig_expect(rig, "mark 1 1\n");
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    rig_wait(rig, 1000);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_expect(rig, "mark 1 1\n");
    rig_give(rig, "mark 1 1\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, NULL), 1);
}

/* ---- illegal messages ------------------------------------------------------------------------ */

static void illegal_messages_close_the_connection(void **state) {
    client_rig *rig = *state;
    static const char *const messages[] = {
        "nonsense 1\n",
        "ident 1 2 77\n",                                /* has an ident */
        "mark 1 1\n",                                    /* never asked */
        "unbound 1\n",                                   /* no UNBIND sent */
        "pong 5\n",                                      /* no PING sent */
        "mark 9 1\n",                                    /* no such session */
        "test_command 1 1 2\n{}",                        /* never asked */
        "alloc 1 7\n",                                   /* never asked */
        "download 1 1 0 0 0 0 0 0 0 0 0\n",              /* download above latest */
        "download 1 0 0 0 0 9 0 0 0 0 0\n",              /* confirms what was never made */
        "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 2 0 0 ", /* own change */
        "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 0 0 0 ", /* nobody's change */
        "download 1 1 0 1 5 0 0 0 0 12 0\n2 0 1 3 0 0 ", /* entry above the header */
        "download 1 1 0 1 5 0 0 0 0 12 0\n1 1 1 3 0 0 ", /* client version above the header */
        "download 1 1 0 1 5 0 0 0 0 8 0\n1 0 1 3 0 0 ",  /* sizes */
        "download 1 1 0 1 5 0 0 0 1 9 4\nabcd",          /* does not inflate */
        "error 205 0 0 0\n",                             /* level */
        "error 104 0 0 1\n",                             /* level */
        "error 150 0 0 0\n",                             /* unknown at connection level */
        "json_error 208 2 1\n{}",                        /* keys missing */
        "log_message 1 3\n{\"a",                         /* no JSON */
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        if (rig->connection) rig_stop(rig);
        file_free(&rig->file);
        file_open(&rig->file, &rig->env);
        rig_start(rig, "/test", true);
        rig_bind_new(rig);
        rig_forget(rig);
        uint64_t before = sl_client_history_version(rig->file.history);
        rig_give(rig, messages[i]);
        const sl_client_event *error = NULL;
        if (rig_count(rig, SL_CLIENT_ERROR, &error) != 1) fail_msg("accepted: %s", messages[i]);
        assert_int_equal(error->error.cls, SL_ERR_PROTOCOL);
        assert_true(error->error.message[0] != 0);
        assert_int_equal(rig->closed, 1002);
        assert_int_equal(sl_client_history_version(rig->file.history), before);
        /* It comes back by itself, after a delay. */
        assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
        rig_wait(rig, 1000);
        assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
    }
}

static void rules_for_downloads_are_checked_against_earlier_ones(void **state) {
    client_rig *rig = *state;
    static const char *const messages[] = {
        "download 1 5 3 4 9 3 5 0 0 0 0\n",              /* latest behind */
        "download 1 5 3 5 9 2 5 0 0 0 0\n",              /* upload client version behind */
        "download 1 4 3 5 9 3 4 0 0 0 0\n",              /* download server version behind */
        "download 1 5 2 5 9 3 5 0 0 0 0\n",              /* download client version behind */
        "download 1 6 4 6 9 3 5 0 0 0 0\n",              /* download cv above upload cv */
        "download 1 6 3 6 9 3 7 0 0 0 0\n",              /* upload sv above download sv */
        "download 1 6 3 6 9 3 5 0 0 12 0\n5 3 1 3 0 0 ", /* entry not above the cursor */
        "download 1 7 3 7 9 3 5 0 0 24 0\n7 3 1 3 0 0 6 3 1 3 0 0 ", /* order */
        "download 1 6 3 6 9 3 5 0 0 12 0\n6 2 1 3 0 0 ", /* entry client version behind */
    };
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        if (rig->connection) rig_stop(rig);
        file_free(&rig->file);
        file_open(&rig->file, &rig->env);
        rig_start(rig, "/test", true);
        rig_bind_new(rig);
        rig_give(rig, "download 1 5 3 5 9 3 5 0 0 12 0\n5 3 1 3 0 0 ");
        assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
        rig_give(rig, messages[i]);
        if (rig_count(rig, SL_CLIENT_ERROR, NULL) != 1) fail_msg("accepted: %s", messages[i]);
        assert_int_equal(rig->closed, 1002);
        assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 5);
    }
}

static void progress_that_a_restored_server_has_forgotten_is_kept(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give(rig, "download 1 5 0 5 9 3 5 0 0 12 0\n5 0 1 3 0 0 ");
    assert_int_equal(sl_client_history_cursors(rig->file.history)->ul_cv, 3);
    rig_stop(rig);
    rig_start(rig, "/test", true);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 5 0 5 9\n");
    rig_give(rig, "download 1 6 0 6 9 0 0 0 0 12 0\n6 0 1 3 0 0 ");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
    const sl_client_cursors *known = sl_client_history_cursors(rig->file.history);
    assert_int_equal(known->dl_sv, 6);
    assert_int_equal(known->ul_cv, 3);
    assert_int_equal(known->ul_sv, 5);
    /* But not what it said since the session was bound. */
    rig_give(rig, "download 1 6 0 6 9 2 2 0 0 0 0\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
    rig_give(rig, "download 1 6 0 6 9 1 1 0 0 0 0\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 1);
    assert_int_equal(rig->closed, 1002);
}

static void a_changeset_that_does_not_apply_is_reported_to_both_sides(void **state) {
    client_rig *rig = *state;
    const sl_client_event *error = NULL;
    uint64_t request;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    assert_true(sl_client_session_wait_download(rig->session, &request, NULL));
    rig_expect(rig, "mark 1 1\n");
    rig_give(rig, "download 1 1 0 1 9 0 0 0 0 16 0\n1 0 1 3 4 4 \xff\xff\xff\xff");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &error), 1);
    assert_int_equal(error->error.code, 212);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_FAILED);
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "json_error 212 ", 15);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    rig_expect_nothing(rig); /* no UPLOAD, no MARK */
    rig_give(rig, "download 1 2 0 2 9 0 0 0 0 0 0\n");
    rig_give(rig, "mark 1 1\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, NULL), 0);
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 0);
    rig_forget(rig);
    rig_give_error(rig, 1, 212, "ClientReset", false, "");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &error), 1);
    assert_true(error->error.client_reset);
    rig_expect(rig, "unbind 1\n");
    rig_expect_nothing(rig);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_INACTIVE);
}

static void before_version_7_a_bad_changeset_closes_the_connection(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_connect(rig, 6);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    rig_give(rig, "ident 1 2 77\n");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_give(rig, "download 1 1 0 1 9 0 0 0 0 16 0\n1 0 1 3 4 4 \xff\xff\xff\xff");
    assert_int_equal(rig->closed, 1002);
}

/* ---- errors of the server -------------------------------------------------------------------- */

static void a_transient_error_suspends_and_resumes_with_growing_delays(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    int64_t before = 0;
    for (int round = 0; round < 4; round++) {
        rig_forget(rig);
        rig_give_error(rig, 1, 229, "Transient", true, "");
        assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
        assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_SUSPENDED);
        rig_expect(rig, "unbind 1\n");
        rig_expect_nothing(rig);
        int64_t delay = sl_client_connection_deadline(rig->connection) - rig->env.mono;
        assert_in_range(delay, (INT64_C(750) << round), INT64_C(1000) << round);
        assert_true(delay > before);
        before = delay;
        rig_wait(rig, delay - 1);
        rig_expect_nothing(rig);
        rig_wait(rig, 1);
        rig_expect(rig, "bind 1 5 0 0 0\n/test");
        rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    }
    /* A good DOWNLOAD ends the growth. */
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
    rig_give_error(rig, 1, 229, "Transient", true, "");
    rig_expect(rig, "unbind 1\n");
    assert_true(sl_client_connection_deadline(rig->connection) - rig->env.mono <= 1000);
}

static void error_200_waits_one_second_every_time(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    for (int round = 0; round < 3; round++) {
        rig_give_error(rig, 1, 200, "Transient", true, "");
        rig_expect(rig, "unbind 1\n");
        assert_int_equal(sl_client_connection_deadline(rig->connection), rig->env.mono + 1000);
        rig_wait(rig, 1000);
        rig_expect(rig, "bind 1 5 0 0 0\n/test");
        rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    }
}

static void the_server_may_set_the_delays(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give_error(rig, 1, 229, "Transient", true,
                   ",\"backoffIntervalSec\":8,\"backoffMaxDelaySec\":9,\"backoffMultiplier\":3");
    rig_expect(rig, "unbind 1\n");
    int64_t delay = sl_client_connection_deadline(rig->connection) - rig->env.mono;
    assert_in_range(delay, 6000, 8000);
}

static void every_error_number_is_survived(void **state) {
    client_rig *rig = *state;
    for (int form = 0; form < 2; form++)
        for (int code = 100; code < 300; code++) {
            if (rig->connection) rig_stop(rig);
            file_free(&rig->file);
            file_open(&rig->file, &rig->env);
            rig_start(rig, "/test", true);
            rig_bind_new(rig);
            rig_forget(rig);
            int session = code < 200 ? 0 : 1;
            char text[64];
            snprintf(text, sizeof text, "error %d 2 0 %d\nab", code, session);
            if (form == 0)
                rig_give_error(rig, session, code, "ApplicationBug", false,
                               code == 231   ? ",\"compensatingWriteServerVersion\":3,"
                                               "\"rejectedClientVersion\":2,\"rejectedUpdates\":[]"
                               : code == 236 ? ",\"previousSchemaVersion\":1"
                               : code == 232 ? ",\"partitionQuery\":\"x == 1\""
                                             : "");
            else
                rig_give(rig, text);
            bool told = rig_count(rig, SL_CLIENT_ERROR, NULL) == 1 ||
                        rig_count(rig, SL_CLIENT_TOKEN_WANTED, NULL) == 1;
            if (!told) fail_msg("error %d in form %d was not reported", code, form);
            rig_step(rig);
        }
}

static void a_fatal_error_stops_the_session_until_restarted(void **state) {
    client_rig *rig = *state;
    uint64_t request;
    const sl_client_event *event = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_true(sl_client_session_wait_upload(rig->session, &request, NULL));
    rig_give_error(rig, 1, 206, "ApplicationBug", false, "");
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, &event), 1);
    assert_false(event->ok);
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &event), 1);
    assert_int_equal(event->error.code, 206);
    assert_string_equal(event->error.message, "words");
    assert_true(event->error.advice[0] != 0);
    rig_expect(rig, "unbind 1\n");
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_INACTIVE);
    rig_wait(rig, 20000);
    rig_expect_nothing(rig);
    assert_true(sl_client_session_restart(rig->session, NULL));
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
}

static void after_an_error_other_messages_are_violations(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give_error(rig, 1, 229, "Transient", true, "");
    rig_give_error(rig, 1, 229, "Transient", true, "");
    assert_int_equal(rig->closed, 1002);
}

static void a_warning_about_single_writes_does_not_end_the_session(void **state) {
    client_rig *rig = *state;
    const sl_client_event *event = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give_error(rig, 1, 231, "Warning", true,
                   ",\"compensatingWriteServerVersion\":3,\"rejectedClientVersion\":2,"
                   "\"rejectedUpdates\":[]");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &event), 1);
    assert_int_equal(event->error.action, SL_ACTION_WARNING);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_ACTIVE);
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
    assert_int_equal(rig->closed, 0);
}

static void a_refused_token_suspends_until_a_new_one_comes(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give(rig, "error 203 3 0 1\nbad");
    assert_int_equal(rig_count(rig, SL_CLIENT_TOKEN_WANTED, NULL), 1);
    rig_expect(rig, "unbind 1\n");
    assert_true(sl_client_connection_set_token(rig->connection, SL_STR("new"), NULL));
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
}

/* ---- ends of sessions ------------------------------------------------------------------------ */

static void pause_and_resume_rebind_with_the_stored_position(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    assert_true(sl_client_session_pause(rig->session, NULL));
    rig_expect(rig, "unbind 1\n");
    FILE_WRITE(&rig->file, item_schema(realm, st));
    rig_give(rig, "download 1 7 0 7 5 0 0 0 0 0 0\n"); /* crossed with UNBIND: ignored */
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 0);
    assert_true(sl_client_session_resume(rig->session, NULL));
    rig_expect_nothing(rig); /* the ident is not free yet */
    rig_give(rig, "unbound 1\n");
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "upload 1", 8);
}

static void a_closed_session_unbinds_before_its_successor_binds(void **state) {
    client_rig *rig = *state;
    sl_status st = SL_STATUS_INIT;
    const sl_client_event *event = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    sl_client_session_close(rig->session);
    sl_client_session_options options = {.path = SL_STR("/test"), .no_upload_delay = true};
    rig->session = sl_client_session_open(rig->connection, rig->file.history, &options, &st);
    assert_non_null(rig->session);
    rig_expect(rig, "unbind 1\n");
    rig_expect(rig, "bind 2 5 0 0 0\n/test");
    rig_expect(rig, "ident 2 2 77 0 0 0 0\n");
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n"); /* in flight: ignored */
    rig_give(rig, "unbound 1\n");
    rig_drain(rig);
    assert_true(rig_count(rig, SL_CLIENT_SESSION_STATE, &event) > 0);
    bool closed = false;
    for (size_t i = 0; i < rig->event_count; i++)
        if (rig->events[i].type == SL_CLIENT_SESSION_STATE && rig->events[i].session == 1 &&
            rig->events[i].state == SL_SESSION_CLOSED)
            closed = true;
    assert_true(closed);
    rig_give(rig, "unbound 1\n"); /* forgotten: a violation */
    assert_int_equal(rig->closed, 1002);
}

static void two_sessions_share_a_connection_in_turns(void **state) {
    client_rig *rig = *state;
    sl_status st = SL_STATUS_INIT;
    client_file other = {0};
    file_open(&other, &rig->env);
    rig_start(rig, "/test", true);
    sl_client_session_options options = {.path = SL_STR("/more"), .no_upload_delay = true};
    assert_non_null(sl_client_session_open(rig->connection, other.history, &options, &st));
    assert_null(sl_client_session_open(rig->connection, other.history, &options, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    rig_expect(rig, "bind 2 5 0 1 0\n/more");
    rig_give(rig, "ident 2 7 5\n");
    rig_give(rig, "ident 1 6 4\n");
    rig_expect(rig, "ident 1 6 4 0 0 0 0\n");
    rig_expect(rig, "ident 2 7 5 0 0 0 0\n");
    rig_stop(rig);
    file_free(&other);
}

static void nothing_is_uploaded_in_a_write_and_messages_must_wait(void **state) {
    client_rig *rig = *state;
    sl_status st = SL_STATUS_INIT;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    assert_true(sl_client_history_begin(rig->file.history, &st));
    assert_true(item_schema(rig->file.realm, &st));
    rig_expect_nothing(rig);
    static const char message[] = "download 1 1 0 1 5 0 0 0 0 0 0\n";
    assert_false(sl_client_connection_receive(rig->connection, rig->attempt, message,
                                              sizeof message - 1, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    assert_true(sl_client_history_commit(rig->file.history, NULL, &st));
    rig_give(rig, message);
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 1);
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "upload 1 0 ", 11);
}

static void trouble_with_the_disk_suspends_and_loses_nothing(void **state) {
    client_rig *rig = *state;
    const sl_client_event *event = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    sl_memory_disk_fail(rig->file.disk, 3);
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &event), 1);
    assert_int_equal(event->error.cls, SL_ERR_STORAGE);
    assert_false(event->error.client_reset);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_SUSPENDED);
    rig_expect(rig, "unbind 1\n");
    rig_give(rig, "unbound 1\n");
    rig_wait(rig, 1000);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 1);
}

/* It would be fetched and refused for ever. */
static void what_the_file_can_never_hold_ends_the_session(void **state) {
    client_rig *rig = *state;
    const sl_client_event *event = NULL;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    sl_memory_disk_refuse(rig->file.disk, 3);
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &event), 1);
    assert_int_equal(event->error.cls, SL_ERR_STORAGE);
    assert_false(event->error.client_reset);
    assert_false(event->error.try_again);
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_INACTIVE);
    rig_expect(rig, "unbind 1\n");
    rig_give(rig, "unbound 1\n");
    rig_wait(rig, 3600 * 1000);
    assert_false(rig_take(rig));
}

/* What was not integrated will not be sent again in this binding, so it has to end, however quickly
 * the session comes back. */
static void a_binding_that_left_something_out_is_not_revived(void **state) {
    client_rig *rig = *state;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    sl_memory_disk_fail(rig->file.disk, 3);
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    assert_true(sl_client_session_restart(rig->session, NULL));
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_UNBOUND);
    rig_give(rig, "download 1 2 0 2 6 0 0 0 0 12 0\n2 0 1 3 0 0 ");
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 0);
    rig_expect(rig, "unbind 1\n");
    rig_give(rig, "unbound 1\n");
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    /* The same with a pause. */
    assert_true(sl_client_session_pause(rig->session, NULL));
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    assert_true(sl_client_session_resume(rig->session, NULL));
    rig_expect(rig, "unbind 1\n");
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 0);
}

static void a_download_only_session_never_uploads(void **state) {
    client_rig *rig = *state;
    sl_status st = SL_STATUS_INIT;
    rig_start(rig, NULL, true);
    sl_client_session_options options = {.path = SL_STR("/test"), .no_upload = true};
    rig->session = sl_client_session_open(rig->connection, rig->file.history, &options, &st);
    rig_bind_new(rig);
    rig_expect(rig, "mark 1 1\n");
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    rig_give(rig, "mark 1 1\n");
    rig_expect_nothing(rig);
}

static bool nested_list(sl_realm *realm, sl_status *st) {
    sl_property any = {
        .name = SL_STR("any"), .type = SL_TYPE_MIXED, .nullable = true, .target = SL_STR("")};
    if (!sl_record_add_property(realm, SL_STR("Item"), &any, st)) return false;
    sl_place place = item_place(1, "any");
    sl_value list = {.type = SL_TYPE_LIST};
    return sl_record_set(realm, &place, &list, false, st);
}

static void a_change_the_server_cannot_read_waits_for_a_newer_one(void **state) {
    client_rig *rig = *state;
    const sl_client_event *event = NULL;
    FILE_WRITE(&rig->file, item_schema(realm, st) && item_create(realm, 1, st));
    FILE_WRITE(&rig->file, nested_list(realm, st));
    rig_start(rig, "/test", true);
    rig_connect(rig, 12);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    rig_give(rig, "ident 1 2 77\n");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    assert_true(rig_take(rig)); /* what it can read */
    assert_non_null(strstr(rig->out.data, " 2 0 0\n2 0 "));
    rig_expect(rig, "unbind 1\n");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &event), 1);
    assert_int_equal(event->error.action, SL_ACTION_APPLICATION_BUG);
    assert_non_null(strstr(event->error.message, "13"));
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_INACTIVE);
    rig_give(rig, "unbound 1\n");
    /* The server is updated. */
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    assert_true(sl_client_session_restart(rig->session, NULL));
    rig_wait(rig, 1000);
    rig_connect(rig, 13);
    rig_expect(rig, "bind 1 5 0 0 0\n/test");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    assert_true(rig_take(rig));
    assert_non_null(strstr(rig->out.data, " 4 0 0\n2 0 ")); /* both, and the ident's version */
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 1);
}

static void acknowledgements_may_wait_for_company(void **state) {
    client_rig *rig = *state;
    rig->ack_delay_ms = 200;
    rig_start(rig, "/test", true);
    rig_bind_new(rig);
    rig_give(rig, "download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ");
    rig_expect_nothing(rig);
    assert_int_equal(sl_client_connection_deadline(rig->connection), rig->env.mono + 200);
    rig_wait(rig, 150);
    rig_give(rig, "download 1 2 0 2 5 0 0 0 0 12 0\n2 0 1 3 0 0 ");
    rig_expect_nothing(rig);
    rig_wait(rig, 50);
    rig_expect(rig, "upload 1 0 0 0 5 2 2\n"); /* both at once */
    rig_expect_nothing(rig);
    rig_give(rig, "download 1 3 0 3 5 0 0 0 0 12 0\n3 0 1 3 0 0 ");
    rig_expect_nothing(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_true(rig_take(rig)); /* a change waits for nothing, and tells it along the way */
    assert_non_null(strstr(rig->out.data, " 7 3 3\n7 3 "));
    rig_expect_nothing(rig);
    rig_wait(rig, 300);
    rig_expect_nothing(rig);
    /* A lost link forgets the appointment. */
    rig_give(rig, "download 1 4 0 4 5 0 0 0 0 12 0\n4 0 1 3 0 0 ");
    rig_expect_nothing(rig);
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    assert_true(sl_client_connection_deadline(rig->connection) > rig->env.mono + 200);
}

static void closing_a_session_gives_its_waits_up(void **state) {
    client_rig *rig = *state;
    const sl_client_event *event = NULL;
    uint64_t request;
    rig_start(rig, "/test", true);
    assert_true(sl_client_session_wait_download(rig->session, &request, NULL));
    sl_client_session_close(rig->session);
    rig_drain(rig);
    assert_int_equal(rig_count(rig, SL_CLIENT_WAIT_DONE, &event), 1);
    assert_false(event->ok);
    assert_int_equal(event->request, request);
}

/* Hands all messages in as a host does to which they came together; *calls: how many it took. */
static void give_together(client_rig *rig, const char *const *texts, size_t count, size_t *calls) {
    sl_str messages[8];
    size_t done = 0;
    for (size_t i = 0; i < count; i++)
        messages[i] = sl_str_c(texts[i]);
    *calls = 0;
    for (size_t at = 0; at < count; at += done) {
        sl_status st = SL_STATUS_INIT;
        sl_steps steps = {.limit = 0};
        if (!sl_client_connection_receive_some(rig->connection, rig->attempt, messages + at,
                                               count - at, &steps, &done, &st))
            file_fatal("receive", &st);
        assert_in_range(done, 1, count - at);
        rig_drain(rig);
        ++*calls;
    }
}

static void downloads_that_come_together_are_one_commit(void **state) {
    client_rig *rig = *state;
    static const char *const texts[] = {
        "download 1 1 0 1 9 0 0 0 0 12 0\n1 0 1 3 0 0 ", "download 1 2 0 4 9 0 0 7 0 0 0\n",
        "download 1 4 0 4 9 0 0 5 0 24 0\n3 0 1 3 0 0 4 0 1 3 0 0 ", "mark 1 1\n",
        "download 1 5 0 5 9 0 0 0 0 12 0\n5 0 1 3 0 0 "};
    const sl_client_event *integrated = NULL;
    size_t calls;
    rig_start(rig, "/test", false);
    rig_bind_new(rig);
    rig_expect(rig, "mark 1 1\n");
    rig_forget(rig);
    uint64_t version = sl_client_history_version(rig->file.history);
    give_together(rig, texts, 3, &calls);
    assert_int_equal(calls, 1);
    assert_int_equal(sl_client_history_version(rig->file.history), version + 1);
    assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 4);
    assert_int_equal(rig_count(rig, SL_CLIENT_INTEGRATED, &integrated), 1);
    assert_int_equal(integrated->changesets, 3);
    const sl_client_progress *p = sl_client_history_progress(rig->file.history);
    assert_int_equal(p->downloadable_bytes, p->downloaded_bytes + 5);
    give_together(rig, texts + 3, 2, &calls);
    assert_int_equal(calls, 2);
    assert_int_equal(sl_client_history_version(rig->file.history), version + 2);
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
}

static void a_bad_download_among_others_spoils_only_what_follows(void **state) {
    client_rig *rig = *state;
    static const char *const bad[] = {
        "download 1 3 0 3 9 0 0 0 0 16 0\n3 0 1 3 4 4 \xff\xff\xff\xff", /* does not parse */
        "download 1 1 0 3 9 0 0 0 0 0 0\n",                              /* goes back */
        "download 1 3 0 3 9 0 0 0 1 9 4\nabcd",                          /* does not inflate */
        "download 1 3 0 3 9 5 0 0 0 0 0\n"}; /* confirms what was never made */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const texts[] = {"download 1 1 0 1 9 0 0 0 0 12 0\n1 0 1 3 0 0 ",
                                     "download 1 2 0 2 9 0 0 0 0 12 0\n2 0 1 3 0 0 ", bad[i],
                                     "download 1 4 0 4 9 0 0 0 0 12 0\n4 0 1 3 0 0 "};
        const sl_client_event *error = NULL;
        size_t calls;
        rig_free(rig);
        rig_init(rig);
        rig_start(rig, "/test", true);
        rig_bind_new(rig);
        rig_forget(rig);
        give_together(rig, texts, 4, &calls);
        assert_int_equal(sl_client_history_cursors(rig->file.history)->dl_sv, 2);
        assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &error), 1);
        assert_int_equal(error->error.code, i == 0 ? 212 : 103);
    }
}
int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(downloads_that_come_together_are_one_commit),
        T(a_bad_download_among_others_spoils_only_what_follows),
        T(first_connect_binds_idents_and_marks),
        T(uploads_wait_for_the_first_mark),
        T(a_local_change_is_uploaded_confirmed_and_forgotten),
        T(unconfirmed_changes_are_sent_again_after_a_loss),
        T(a_confirmation_that_overtakes_the_scan_stops_the_resending),
        T(a_quick_reconnect_does_not_delay_uploads_a_slow_one_does),
        T(waits_for_downloads_are_answered_by_marks),
        T(an_unanswered_mark_is_asked_again_after_a_loss),
        T(illegal_messages_close_the_connection),
        T(rules_for_downloads_are_checked_against_earlier_ones),
        T(progress_that_a_restored_server_has_forgotten_is_kept),
        T(a_changeset_that_does_not_apply_is_reported_to_both_sides),
        T(before_version_7_a_bad_changeset_closes_the_connection),
        T(a_transient_error_suspends_and_resumes_with_growing_delays),
        T(error_200_waits_one_second_every_time),
        T(the_server_may_set_the_delays),
        T(every_error_number_is_survived),
        T(a_fatal_error_stops_the_session_until_restarted),
        T(after_an_error_other_messages_are_violations),
        T(a_warning_about_single_writes_does_not_end_the_session),
        T(a_refused_token_suspends_until_a_new_one_comes),
        T(pause_and_resume_rebind_with_the_stored_position),
        T(a_closed_session_unbinds_before_its_successor_binds),
        T(two_sessions_share_a_connection_in_turns),
        T(nothing_is_uploaded_in_a_write_and_messages_must_wait),
        T(trouble_with_the_disk_suspends_and_loses_nothing),
        T(what_the_file_can_never_hold_ends_the_session),
        T(a_binding_that_left_something_out_is_not_revived),
        T(a_download_only_session_never_uploads),
        T(a_change_the_server_cannot_read_waits_for_a_newer_one),
        T(acknowledgements_may_wait_for_company),
        T(closing_a_session_gives_its_waits_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
