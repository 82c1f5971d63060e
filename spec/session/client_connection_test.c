/* A client connection: timers, delays, close codes, HTTP outcomes, many sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_rig.h"
#include "failing_alloc.h"
#include "protocol/errors.h"

static int setup(void **state) {
    client_rig *rig = calloc(1, sizeof *rig);
    rig_init(rig);
    rig_start(rig, "/test", true);
    *state = rig;
    return 0;
}

static int teardown(void **state) {
    client_rig *rig = *state;
    rig_free(rig);
    free(rig);
    return 0;
}

static int64_t until_deadline(const client_rig *rig) {
    return sl_client_connection_deadline(rig->connection) - rig->env.mono;
}

/* Starts over with a fresh connection on the same file. */
static void restart(client_rig *rig) {
    rig_stop(rig);
    rig_start(rig, "/test", true);
}

/* ---- heartbeat ------------------------------------------------------------------------------- */

static void pings_keep_the_pace_and_measure_the_link(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    int64_t first = until_deadline(rig);
    assert_in_range(first, 0, 60000);
    rig_wait(rig, first);
    char ping[64], pong[64];
    snprintf(ping, sizeof ping, "ping %lld 0\n", (long long)rig->env.mono);
    snprintf(pong, sizeof pong, "pong %lld\n", (long long)rig->env.mono);
    rig_expect(rig, ping);
    rig_expect_nothing(rig);
    rig->env.mono += 37;
    rig_give(rig, pong);
    assert_int_equal(sl_client_connection_rtt(rig->connection), 37);
    int64_t next = until_deadline(rig);
    assert_in_range(next, 54000 - 37, 60000 - 37);
    rig_wait(rig, next);
    snprintf(ping, sizeof ping, "ping %lld 37\n", (long long)rig->env.mono);
    rig_expect(rig, ping);
}

static void a_missing_pong_ends_the_connection(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    rig_wait(rig, until_deadline(rig));
    assert_true(rig_take(rig));
    assert_int_equal(until_deadline(rig), 120000);
    rig_wait(rig, 119999);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTED);
    rig_wait(rig, 1);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_int_equal(rig->closed, 1001);
    assert_in_range(until_deadline(rig), 750, 1000);
}

static void a_pong_nobody_asked_for_is_a_violation(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    rig_wait(rig, until_deadline(rig));
    assert_true(rig_take(rig));
    rig_give(rig, "pong 1\n");
    assert_int_equal(rig->closed, 1002);
}

static void an_urgent_ping_proves_the_link(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    assert_true(sl_client_connection_reconnect_now(rig->connection, NULL));
    rig_drain(rig);
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "ping ", 5);
    /* No answer: the next attempt starts without a delay. */
    rig_wait(rig, 120000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
}

/* ---- delays ---------------------------------------------------------------------------------- */

static void failed_attempts_wait_longer_each_time_up_to_five_minutes(void **state) {
    client_rig *rig = *state;
    int64_t expected = 1000;
    for (int round = 0; round < 12; round++) {
        assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
        assert_true(sl_client_connection_lost(rig->connection, rig->attempt,
                                              SL_CLOSE_CONNECT_FAILED, SL_STR("refused"), NULL));
        rig_drain(rig);
        int64_t delay = until_deadline(rig);
        assert_in_range(delay, expected - expected / 4, expected);
        expected = expected * 2 > 300000 ? 300000 : expected * 2;
        rig_wait(rig, delay);
    }
}

static void the_first_pong_ends_the_growth(void **state) {
    client_rig *rig = *state;
    char pong[64];
    for (int round = 0; round < 3; round++) {
        sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""),
                                  NULL);
        rig_drain(rig);
        rig_wait(rig, until_deadline(rig));
    }
    rig_bind_new(rig);
    rig_wait(rig, until_deadline(rig));
    assert_true(rig_take(rig));
    snprintf(pong, sizeof pong, "pong %lld\n", (long long)rig->env.mono);
    rig_give(rig, pong);
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    rig_drain(rig);
    assert_in_range(until_deadline(rig), 750, 1000);
}

static void an_attempt_that_hangs_is_given_up(void **state) {
    client_rig *rig = *state;
    assert_int_equal(until_deadline(rig), 120000);
    rig_wait(rig, 120000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_int_equal(rig->closed, 1001);
    assert_int_equal(rig_count(rig, SL_CLIENT_LOCATION_WANTED, NULL), 0);
}

static void late_callbacks_of_an_old_socket_are_ignored(void **state) {
    client_rig *rig = *state;
    uint64_t old = rig->attempt;
    rig_wait(rig, 120000);
    rig_wait(rig, 1000);
    assert_true(rig->attempt > old);
    assert_true(sl_client_connection_opened(rig->connection, old,
                                            SL_STR("com.mongodb.realm-sync#14"), NULL));
    assert_true(
        sl_client_connection_lost(rig->connection, old, SL_CLOSE_READ_ERROR, SL_STR(""), NULL));
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
}

static void what_a_server_announced_is_forgotten_with_its_connection(void **state) {
    client_rig *rig = *state;
    uint64_t first = rig->attempt;
    sl_client_connection_set_features(rig->connection, first, SL_FEATURE_TRANSACT);
    assert_int_equal(sl_client_connection_features(rig->connection), 0); /* not connected yet */
    rig_bind_new(rig);
    assert_int_equal(sl_client_connection_features(rig->connection), SL_FEATURE_TRANSACT);
    sl_client_connection_lost(rig->connection, first, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    rig_drain(rig);
    assert_int_equal(sl_client_connection_features(rig->connection), 0);
    rig_wait(rig, 1000);
    assert_true(rig->attempt > first);
    sl_client_connection_set_features(rig->connection, first, SL_FEATURE_STATE); /* late */
    rig_connect(rig, 14);
    assert_int_equal(sl_client_connection_features(rig->connection), 0);
}

static void without_sessions_the_connection_lingers_and_closes(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    sl_client_session_close(rig->session);
    rig_drain(rig);
    rig_expect(rig, "unbind 1\n");
    rig_give(rig, "unbound 1\n");
    rig_wait(rig, 29999);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTED);
    rig_wait(rig, 1);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_int_equal(rig->closed, 1000);
    assert_true(sl_client_connection_deadline(rig->connection) == INT64_MAX);
}

static void disconnect_holds_until_asked_again(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    assert_true(sl_client_connection_disconnect(rig->connection, NULL));
    rig_drain(rig);
    assert_int_equal(rig->closed, 1000);
    rig_wait(rig, 1000000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_true(sl_client_connection_reconnect_now(rig->connection, NULL));
    rig_drain(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
}

/* ---- upgrade --------------------------------------------------------------------------------- */

static void an_answer_that_was_not_offered_is_refused(void **state) {
    client_rig *rig = *state;
    static const char *const tokens[] = {"",
                                         "com.mongodb.realm-sync/7",
                                         "com.mongodb.realm-sync#15",
                                         "com.mongodb.realm-sync#1",
                                         "com.mongodb.realm-query-sync#14",
                                         "com.mongodb.realm-sync#14, com.mongodb.realm-sync#13",
                                         "com.mongodb.realm-sync#14 "};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        const sl_client_event *error = NULL;
        restart(rig);
        assert_true(
            sl_client_connection_opened(rig->connection, rig->attempt, sl_str_c(tokens[i]), NULL));
        rig_drain(rig);
        if (rig_count(rig, SL_CLIENT_ERROR, &error) != 1) fail_msg("accepted: %s", tokens[i]);
        assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
        assert_in_range(until_deadline(rig), 750, 1000);
    }
}

typedef struct outcome {
    bool http;
    int code;
    bool token, location, log_out, error, comes_back;
} outcome;

static void outcomes_of_the_upgrade_and_close_codes_have_their_effects(void **state) {
    client_rig *rig = *state;
    static const outcome outcomes[] = {
        {true, 401, true, false, false, false, true},
        {true, 403, false, false, true, true, false},
        {true, 301, false, true, false, false, true},
        {true, 308, false, true, false, false, true},
        {true, 302, false, false, false, false, true},
        {true, 500, false, false, false, false, true},
        {true, 503, false, false, false, false, true},
        {true, 200, false, false, false, true, true},
        {true, 404, false, false, false, true, true},
        {true, 429, false, false, false, true, true},
        {false, 4001, true, false, false, false, true},
        {false, 4002, false, false, true, true, false},
        {false, 4003, false, true, false, false, true},
        {false, 1001, false, false, false, true, true},
        {false, 1005, false, false, false, true, true},
        {false, 1008, false, false, false, true, true},
        {false, 1011, false, false, false, true, true},
        {false, 4400, false, false, false, true, true}, /* from the peer: as 1008 */
        {false, 4999, false, false, false, true, true},
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        const outcome *o = &outcomes[i];
        restart(rig);
        if (o->http)
            sl_client_connection_refused(rig->connection, rig->attempt, o->code, SL_STR("x"), NULL);
        else {
            rig_connect(rig, 14);
            sl_client_connection_closed(rig->connection, rig->attempt, o->code, SL_STR("x"), NULL);
        }
        rig_drain(rig);
        if (rig_count(rig, SL_CLIENT_TOKEN_WANTED, NULL) != o->token ||
            rig_count(rig, SL_CLIENT_LOCATION_WANTED, NULL) != o->location ||
            rig_count(rig, SL_CLIENT_LOG_OUT, NULL) != o->log_out ||
            (rig_count(rig, SL_CLIENT_ERROR, NULL) > 0) != o->error)
            fail_msg("code %d: token %zu location %zu logout %zu error %zu", o->code,
                     rig_count(rig, SL_CLIENT_TOKEN_WANTED, NULL),
                     rig_count(rig, SL_CLIENT_LOCATION_WANTED, NULL),
                     rig_count(rig, SL_CLIENT_LOG_OUT, NULL),
                     rig_count(rig, SL_CLIENT_ERROR, NULL));
        rig_wait(rig, 400000);
        bool back = sl_client_connection_state(rig->connection) == SL_CONNECTION_CONNECTING;
        if (back != o->comes_back) fail_msg("code %d: comes back: %d", o->code, back);
    }
}

static void close_1000_waits_for_the_end_of_the_stream(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    sl_client_connection_closed(rig->connection, rig->attempt, 1000, SL_STR(""), NULL);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTED);
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""), NULL);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
}

static void close_1009_stops_the_file_that_uploads_and_keeps_it(void **state) {
    client_rig *rig = *state;
    const sl_client_event *error = NULL;
    rig_bind_new(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    assert_true(rig_take(rig));
    rig_forget(rig);
    sl_client_connection_closed(rig->connection, rig->attempt, 1009, SL_STR("big"), NULL);
    rig_drain(rig);
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, &error), 1);
    assert_int_equal(error->session, 1);
    assert_false(error->error.client_reset);
    assert_int_equal(error->error.code, 1009);
    assert_string_equal(error->error.name, "message too big");
    assert_int_equal(sl_client_session_state(rig->session), SL_SESSION_INACTIVE);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
}

/* The close frame that says why may be lost each time. */
static void an_upload_that_is_cut_again_and_again_is_told(void **state) {
    client_rig *rig = *state;
    const sl_client_event *error = NULL;
    rig_bind_new(rig);
    FILE_WRITE(&rig->file, item_schema(realm, st));
    for (int times = 1; times <= 10; times++) {
        while (rig_take(rig)) {
        }
        rig_forget(rig);
        sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_READ_ERROR, SL_STR(""),
                                  NULL);
        rig_drain(rig);
        size_t told = rig_count(rig, SL_CLIENT_ERROR, &error);
        size_t cut = 0;
        for (size_t i = 0; i < told; i++)
            cut += error && error->error.name && strcmp(error->error.name, "upload cut") == 0;
        assert_int_equal(cut, times == 5 || times == 10);
        if (cut) assert_true(error->error.try_again);
        rig_wait(rig, until_deadline(rig));
        rig_connect(rig, 14);
    }
}

static void a_new_token_is_tried_at_once_but_not_for_ever(void **state) {
    client_rig *rig = *state;
    sl_client_connection_refused(rig->connection, rig->attempt, 401, SL_STR(""), NULL);
    rig_drain(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_true(sl_client_connection_set_token(rig->connection, SL_STR("second"), NULL));
    rig_drain(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
    assert_string_equal(rig->target, "/realm-sync?baas_at=second");
    sl_client_connection_refused(rig->connection, rig->attempt, 401, SL_STR(""), NULL);
    assert_true(sl_client_connection_set_token(rig->connection, SL_STR("third"), NULL));
    rig_drain(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    rig_wait(rig, until_deadline(rig));
    assert_string_equal(rig->target, "/realm-sync?baas_at=third");
}

static void a_new_route_starts_over_at_once(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    assert_true(sl_client_connection_set_route(rig->connection, SL_STR("/other?x=1"), true, NULL));
    rig_drain(rig);
    assert_int_equal(rig->closed, 1000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
    assert_string_equal(rig->target, "/other?x=1&baas_at=dummy-token");
}

static void an_unverified_route_is_questioned_when_it_fails(void **state) {
    client_rig *rig = *state;
    rig_stop(rig);
    sl_status st = SL_STATUS_INIT;
    sl_client_connection_options options = {.env = &rig->env.env, .route = SL_STR("/guess")};
    rig->connection = sl_client_connection_new(&options, &st);
    sl_client_session_options session = {.path = SL_STR("/test")};
    rig->session = sl_client_session_open(rig->connection, rig->file.history, &session, &st);
    rig_drain(rig);
    assert_string_equal(rig->target, "/guess");
    sl_client_connection_lost(rig->connection, rig->attempt, SL_CLOSE_RESOLVE_FAILED, SL_STR(""),
                              NULL);
    rig_drain(rig);
    assert_int_equal(rig_count(rig, SL_CLIENT_LOCATION_WANTED, NULL), 1);
}

/* ---- connection-level errors ----------------------------------------------------------------- */

static void the_server_may_forbid_to_come_back(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    rig_give_error(rig, 0, 113, "ApplicationBug", false, "");
    assert_int_equal(rig->closed, 1000);
    rig_wait(rig, 10000000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_DISCONNECTED);
    assert_true(sl_client_session_restart(rig->session, NULL));
    rig_drain(rig);
    rig_wait(rig, 1000);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
}

static void the_server_may_ask_to_come_back_later(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    rig_give_error(rig, 0, 100, "Transient", true,
                   ",\"backoffIntervalSec\":40,\"backoffMaxDelaySec\":90,\"backoffMultiplier\":2");
    assert_int_equal(rig_count(rig, SL_CLIENT_ERROR, NULL), 0);
    assert_in_range(until_deadline(rig), 30000, 40000);
}

static void give_log(client_rig *rig, int session, const char *json) {
    char message[256];
    snprintf(message, sizeof message, "log_message %d %zu\n%s", session, strlen(json), json);
    rig_give(rig, message);
}

static void log_messages_are_passed_on(void **state) {
    client_rig *rig = *state;
    rig_connect(rig, 14);
    give_log(rig, 0, "{\"co_id\":\"6650f1\",\"level\":\"info\",\"msg\":\"accepted\"}");
    assert_int_equal(rig_count(rig, SL_CLIENT_LOG, NULL), 1);
    sl_str id = sl_client_connection_id(rig->connection);
    assert_int_equal(id.size, 6);
    give_log(rig, 7, "{\"level\":\"debug\",\"msg\":\"bound\"}");
    assert_int_equal(rig_count(rig, SL_CLIENT_LOG, NULL), 2);
    assert_int_equal(rig->closed, 0);
}

static void a_text_message_closes_with_1003(void **state) {
    client_rig *rig = *state;
    rig_bind_new(rig);
    assert_true(sl_client_connection_received_text(rig->connection, rig->attempt, NULL));
    rig_drain(rig);
    assert_int_equal(rig->closed, 1003);
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* One call at a time, repeated until it has memory: nothing may be lost or done twice. */
#define INSIST(call)                                                                               \
    do {                                                                                           \
        sl_status st_ = SL_STATUS_INIT, *st = &st_;                                                \
        if (call) break;                                                                           \
        assert_int_equal(st_.cls, SL_ERR_MEMORY);                                                  \
    } while (1)

static void take_next(sl_client_connection *c, sl_buf *out, bool *any) {
    sl_buf_clear(out);
    INSIST(sl_client_connection_send(c, out, any, st));
}

static bool run_with_failure(uint64_t fail_at) {
    failing_alloc memory;
    failing_alloc_init(&memory);
    test_env env;
    test_env_init(&env, 3);
    client_file file = {.alloc = &memory.alloc};
    file_open(&file, &env);
    memory.requests = 0;
    memory.fail_at = fail_at;
    sl_client_connection_options options = {
        .alloc = &memory.alloc, .env = &env.env, .route = SL_STR("/realm-sync")};
    sl_client_session_options session = {.path = SL_STR("/test"), .no_upload_delay = true};
    sl_client_connection *c = NULL;
    sl_client_session *s = NULL;
    sl_client_event event;
    sl_buf out;
    bool any;
    uint64_t request;
    sl_buf_init(&out, NULL);
    INSIST((c = sl_client_connection_new(&options, st)) != NULL);
    INSIST((s = sl_client_session_open(c, file.history, &session, st)) != NULL);
    INSIST(sl_client_session_wait_download(s, &request, st));
    env.mono += 1500; /* an attempt may have been put off for want of memory */
    INSIST(sl_client_connection_step(c, st));
    INSIST(sl_client_connection_opened(c, 1, SL_STR("com.mongodb.realm-sync#14"), st));
    static const char *const script[] = {
        ">bind 1 5 0 1 0\n/test",
        "<ident 1 2 77\n",
        ">ident 1 2 77 0 0 0 0\n",
        ">mark 1 1\n",
        "<log_message 0 14\n{\"co_id\":\"ab\"}",
        "<download 1 1 0 1 5 0 0 0 0 12 0\n1 0 1 3 0 0 ",
        ">upload 1 0 0 0 3 1 1\n",
        "<mark 1 1\n",
        "<json_error 229 141 1\n{\"action\":\"Transient\",\"isRecoveryModeDisabled\":false,"
        "\"logURL\":\"\",\"message\":\"please come again\",\"shouldClientReset\":false,"
        "\"tryAgain\":true}    ",
        ">unbind 1\n"};
    for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
        const char *text = script[i] + 1;
        if (script[i][0] == '<') {
            INSIST(sl_client_connection_receive(c, 1, text, strlen(text), st));
            continue;
        }
        take_next(c, &out, &any);
        if (!any || out.size != strlen(text) || memcmp(out.data, text, out.size) != 0)
            fail_msg("failure %d: expected %s", (int)fail_at, text);
    }
    while (sl_client_connection_next_event(c, &event)) {
        if (event.type == SL_CLIENT_ERROR) fail_msg("%s", event.error.message);
    }
    bool reached = memory.requests >= fail_at;
    memory.fail_at = 0;
    sl_client_connection_free(c);
    file_free(&file);
    sl_buf_free(&out);
    assert_int_equal(memory.live, 0);
    return reached;
}

static void any_allocation_may_fail_once(void **state) {
    (void)state;
    uint64_t n = 1;
    while (run_with_failure(n))
        n++;
    assert_true(n > 20);
}

static void damaged_messages_never_harm(void **state) {
    client_rig *rig = *state;
    static const char base[] = "download 1 1 0 1 5 0 0 0 0 24 0\n1 0 1 3 0 0 1 0 1 3 0 0 ";
    char message[sizeof base];
    for (int round = 0; round < 2000; round++) {
        restart(rig);
        if (sl_client_history_ident(rig->file.history) != 0) {
            file_free(&rig->file);
            rig_stop(rig);
            file_open(&rig->file, &rig->env);
            rig_start(rig, "/test", true);
        }
        rig_bind_new(rig);
        memcpy(message, base, sizeof base);
        size_t size = test_random(&rig->env) % sizeof base;
        for (int k = 0; k < 3; k++)
            message[test_random(&rig->env) % (sizeof base - 1)] =
                (char)(k ? '0' + (int)(test_random(&rig->env) % 10)
                         : (int)(test_random(&rig->env) % 256));
        rig_give_bytes(rig, message, round & 1 ? sizeof base - 1 : size);
    }
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pings_keep_the_pace_and_measure_the_link),
        T(a_missing_pong_ends_the_connection),
        T(a_pong_nobody_asked_for_is_a_violation),
        T(an_urgent_ping_proves_the_link),
        T(failed_attempts_wait_longer_each_time_up_to_five_minutes),
        T(the_first_pong_ends_the_growth),
        T(an_attempt_that_hangs_is_given_up),
        T(late_callbacks_of_an_old_socket_are_ignored),
        T(what_a_server_announced_is_forgotten_with_its_connection),
        T(without_sessions_the_connection_lingers_and_closes),
        T(disconnect_holds_until_asked_again),
        T(an_answer_that_was_not_offered_is_refused),
        T(outcomes_of_the_upgrade_and_close_codes_have_their_effects),
        T(close_1000_waits_for_the_end_of_the_stream),
        T(close_1009_stops_the_file_that_uploads_and_keeps_it),
        T(an_upload_that_is_cut_again_and_again_is_told),
        T(a_new_token_is_tried_at_once_but_not_for_ever),
        T(a_new_route_starts_over_at_once),
        T(an_unverified_route_is_questioned_when_it_fails),
        T(the_server_may_forbid_to_come_back),
        T(the_server_may_ask_to_come_back_later),
        T(log_messages_are_passed_on),
        T(a_text_message_closes_with_1003),
        cmocka_unit_test(any_allocation_may_fail_once),
        T(damaged_messages_never_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
