/* Server sessions against clients played by hand (protocol/1-wire.md, 4 to 7;
 * protocol/4-history-and-sessions.md, 3 to 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHANGE       "table P(_id:int); column P.x:int; create P1; P1.x = 1"

static void hears(raw_client *client, const char *expected) {
    assert_string_equal(raw_heard(client), expected);
}

/* A rig with one identified client on protocol 14. */
typedef struct one {
    server_rig rig;
    raw_client a;
} one;

static void one_start(one *o) {
    rig_init(&o->rig);
    raw_connect(&o->a, &o->rig, 14);
    raw_bind_new(&o->a, "\"p\"");
}

static void one_end(one *o) {
    raw_free(&o->a);
    rig_free(&o->rig);
}

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

/* ---- BIND --------------------------------------------------------------------------------------
 */

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

/* ---- IDENT (3.4) -------------------------------------------------------------------------------
 */

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

static void say_ident(raw_client *client, const char *fields, const raw_client *of) {
    char text[300];
    size_t at = 0;
    for (const char *p = fields; *p; p++) {
        if (*p == 'S')
            at += (size_t)snprintf(text + at, sizeof text - at, "%lld", (long long)of->salt);
        else if (*p == 'L')
            at += (size_t)snprintf(text + at, sizeof text - at, "%lld", (long long)of->latest_salt);
        else
            text[at++] = *p;
    }
    text[at] = 0;
    raw_say(client, "ident 1 %s\n", text);
}

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

/* ---- the order of messages ---------------------------------------------------------------------
 */

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

/* ---- UPLOAD (3.5) ------------------------------------------------------------------------------
 */

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

/* ---- integration -------------------------------------------------------------------------------
 */

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

/* ---- DOWNLOAD and MARK -------------------------------------------------------------------------
 */

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

/* ---- the rest ----------------------------------------------------------------------------------
 */

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
    raw_say(&o.a, "transact 1 5 1 2\nab");
    hears(&o.a, "transact 1 3 0 0 0 0 0");
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
    raw_say(&c, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&c, "unbind 1\n");
    raw_free(&c);
    raw_free(&b);
    one_end(&o);
}

static void silence_of_half_an_hour_ends_a_connection(void **state) {
    (void)state;
    one o;
    one_start(&o);
    assert_int_equal(sl_server_connection_deadline(o.a.connection), o.rig.env.mono + 1800000);
    o.rig.env.mono += 1799999;
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_STAY);
    sl_server_connection_receive_ping(o.a.connection, "hello", 5);
    sl_server_connection_receive_ping(o.a.connection, "12 34", 5);
    o.rig.env.mono += 1;
    sl_server_connection_receive_ping(o.a.connection, "12 34\n", 6); /* a heartbeat */
    sl_server_connection_step(o.a.connection);
    assert_int_equal(sl_server_connection_wish(o.a.connection).kind, SL_WISH_STAY);
    o.rig.env.mono += 1800000;
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
        cmocka_unit_test(uploads_are_checked),
        cmocka_unit_test(inconsistent_cursors_are_refused),
        cmocka_unit_test(malformed_upload_bodies_are_refused),
        cmocka_unit_test(changesets_seen_before_are_skipped),
        cmocka_unit_test(uploads_that_are_queued_count_for_the_next_session),
        cmocka_unit_test(progress_alone_wakes_nobody),
        cmocka_unit_test(readers_may_not_upload_changes),
        cmocka_unit_test(a_full_backlog_sends_the_client_away_for_a_while),
        cmocka_unit_test(a_bad_client_does_not_hold_up_the_others),
        cmocka_unit_test(unparsable_changesets_are_refused_the_second_time_for_good),
        cmocka_unit_test(foreign_origins_are_refused),
        cmocka_unit_test(concurrent_changes_are_merged_for_everybody),
        cmocka_unit_test(downloads_are_cut_at_the_limit_and_mark_waits_for_the_end),
        cmocka_unit_test(only_the_newest_mark_is_answered),
        cmocka_unit_test(pong_goes_first),
        cmocka_unit_test(sessions_take_turns),
        cmocka_unit_test(a_failed_integration_at_the_client_leads_to_a_reset),
        cmocka_unit_test(historic_messages_are_answered),
        cmocka_unit_test(second_tier_servers_may_speak_for_others),
        cmocka_unit_test(files_with_newer_features_are_closed_to_older_clients),
        cmocka_unit_test(silence_of_half_an_hour_ends_a_connection),
        cmocka_unit_test(ends_are_told_in_the_way_the_client_understands),
        cmocka_unit_test(wrong_frames_close_the_connection),
        cmocka_unit_test(a_closing_file_sends_its_sessions_away),
        cmocka_unit_test(the_server_can_write_too),
        cmocka_unit_test(version_mismatch_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
