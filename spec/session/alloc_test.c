/* A client file that is itself a server's: it asks for idents on behalf of its own clients, uploads
 * in their names, and never gets back what they wrote (protocol/1-wire.md, 4.13 and 5.14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_rig.h"
#include "pair_world.h"

static void begin(world *w, uint64_t seed) {
    world_init(w, seed, 1);
    FILE_WRITE(&w->clients[0].file, item_schema(realm, st) && item_create(realm, 1, st));
    w->clients[1].subserver = true;
    world_add_client(w);
    world_settle(w, 2);
}

static void end(world *w) {
    for (size_t i = 0; i < w->client_count; i++) {
        if (!world_same(w, i)) fail_msg("client %zu differs from the server", i);
        if (w->clients[i].errors) fail_msg("client %zu: %s", i, w->clients[i].last_error);
    }
    world_free(w);
}

static uint64_t allocate(world_client *c) {
    uint64_t request = 0;
    sl_status st = SL_STATUS_INIT;
    if (!sl_client_session_allocate(c->session, &request, &st)) file_fatal("allocate", &st);
    world_drain(c);
    return request;
}

static void write_for(world_client *c, uint64_t author, int64_t delta) {
    sl_status st = SL_STATUS_INIT;
    if (!sl_client_history_begin_for(c->file.history, author, &st)) file_fatal("begin", &st);
    if (!item_add(c->file.realm, 1, delta, &st)) file_fatal("add", &st);
    if (!sl_client_history_commit(c->file.history, NULL, &st)) file_fatal("commit", &st);
}

static uint64_t author_of_newest(world *w) {
    sl_store *store = sl_server_file_store(w->file);
    sl_history_entry entry;
    bool found = false;
    uint64_t version = sl_server_history_version(sl_server_file_history(w->file));
    assert_true(store->vtbl->entry_get(store, version, &entry, &found, NULL) && found);
    return entry.origin_file;
}

static void every_wish_gets_an_ident_of_its_own(void **state) {
    (void)state;
    world w;
    begin(&w, 1);
    world_client *s = &w.clients[1];
    for (int i = 0; i < 5; i++)
        allocate(s); /* one is on the wire at a time */
    world_run(&w);
    assert_int_equal(s->ident_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_true(s->idents[i] > sl_client_history_ident(s->file.history));
        for (size_t k = 0; k < i; k++)
            assert_true(s->idents[i] != s->idents[k]);
    }
    end(&w);
}

static void what_is_written_for_others_carries_their_names_and_does_not_come_back(void **state) {
    (void)state;
    world w;
    begin(&w, 2);
    world_client *s = &w.clients[1];
    allocate(s);
    allocate(s);
    world_run(&w);
    size_t heard = s->integrated;
    write_for(s, s->idents[0], 5);
    world_run(&w);
    assert_true(author_of_newest(&w) == s->idents[0]);
    write_for(s, 0, 7);
    world_run(&w);
    assert_true(author_of_newest(&w) == sl_client_history_ident(s->file.history));
    /* Over a restart before the upload, too. */
    sl_client_connection_disconnect(s->connection, NULL);
    world_drain(s);
    write_for(s, s->idents[1], 9);
    world_crash_client(s, SL_CRASH_POWER);
    world_settle(&w, 3);
    assert_true(author_of_newest(&w) == s->idents[1]);
    assert_int_equal(s->integrated, heard);
    end(&w);
}

/* At the same millisecond the author's ident decides, here as there. */
static void merges_know_the_author(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 30; seed++) {
        world w;
        begin(&w, seed);
        world_client *a = &w.clients[0], *s = &w.clients[1];
        world_client *late = world_add_client(&w); /* its ident is between the two of `s` */
        world_run(&w);
        allocate(s);
        world_run(&w);
        sl_status why = SL_STATUS_INIT;
        world_cut(s); /* the server has the rivals' changes first, and s merges them itself */
        FILE_WRITE(&a->file, item_name(realm, 1, "a", st));
        FILE_WRITE(&late->file, item_name(realm, 1, "late", st));
        world_run(&w);
        s->env.wall = late->env.wall = a->env.wall;
        assert_true(sl_client_history_begin_for(s->file.history, s->idents[0], &why));
        assert_true(item_name(s->file.realm, 1, "s", &why));
        assert_true(sl_client_history_commit(s->file.history, NULL, &why));
        world_reconnect(&w);
        world_settle(&w, 3);
        end(&w);
    }
}

static void a_wish_survives_cuts_and_crashes_of_the_server(void **state) {
    (void)state;
    for (int victim = 0; victim < 3; victim++)
        for (int at = 0;; at++) {
            world w;
            begin(&w, 3);
            world_client *s = &w.clients[1];
            int steps = 0;
            bool harmed = false;
            allocate(s);
            allocate(s);
            for (bool busy = true; busy;) {
                busy = false;
                for (unsigned which = 0; which < 7; which++) {
                    if (!world_step(&w, 1, which)) continue;
                    busy = true;
                    if (steps++ != at) continue;
                    harmed = true;
                    if (victim == 0)
                        world_cut(s);
                    else
                        world_crash_server(&w, victim == 1 ? SL_CRASH_PROCESS : SL_CRASH_POWER);
                }
            }
            world_settle(&w, 4);
            assert_int_equal(s->ident_count, 2);
            assert_true(s->idents[0] && s->idents[1] && s->idents[0] != s->idents[1]);
            write_for(s, s->idents[0], 3); /* the server knows whom it gave them to */
            write_for(s, s->idents[1], 4);
            world_settle(&w, 2);
            assert_true(author_of_newest(&w) == s->idents[1]);
            end(&w);
            if (!harmed) break;
            assert_true(at < 1000);
        }
}

static void wishes_end_with_the_session_or_a_server_that_cannot(void **state) {
    (void)state;
    world w;
    begin(&w, 4);
    world_client *s = &w.clients[1];
    world_cut(s);
    w.features &= ~(unsigned)SL_FEATURE_ALLOC;
    allocate(s);
    world_settle(&w, 3);
    assert_int_equal(s->ident_count, 1);
    assert_true(s->idents[0] == 0);
    world_cut(s);
    allocate(s);
    sl_client_session_close(s->session);
    world_drain(s);
    assert_int_equal(s->ident_count, 2);
    assert_true(s->idents[1] == 0);
    world_free(&w);
}

static void only_servers_files_may_ask_and_only_others_are_authors(void **state) {
    (void)state;
    world w;
    begin(&w, 5);
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 0;
    world_client *a = &w.clients[0];
    assert_false(sl_client_session_allocate(a->session, &request, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    uint64_t own = sl_client_history_ident(a->file.history);
    assert_false(sl_client_history_begin_for(a->file.history, own, &st));
    assert_false(sl_client_history_begin_for(a->file.history, 1, &st));
    assert_false(sl_client_history_writing(a->file.history));
    /* A name that was not given to it: the server asks for a fresh copy. */
    write_for(a, 77, 1);
    world_run(&w);
    assert_int_equal(a->errors, 1);
    assert_non_null(strstr(a->last_error, "216"));
    world_free(&w);
}

/* ---- what the server must not send ----------------------------------------------------------- */

static void start_subserver(client_rig *rig) {
    memset(rig, 0, sizeof *rig);
    test_env_init(&rig->env, 3);
    sl_buf_init(&rig->out, NULL);
    file_open(&rig->file, &rig->env);
    rig_start(rig, NULL, true);
    sl_client_session_options session = {
        .path = SL_STR("/test"), .no_upload_delay = true, .subserver = true};
    rig->session = sl_client_session_open(rig->connection, rig->file.history, &session, NULL);
    assert_non_null(rig->session);
    rig_drain(rig);
    rig_step(rig);
    sl_client_connection_set_features(rig->connection, rig->attempt, SL_FEATURE_ALLOC);
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 1 1\n/test");
    rig_give(rig, "ident 1 6 77\n");
    rig_expect(rig, "ident 1 6 77 0 0 0 0\n");
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
}

static void answers_that_break_the_rules_end_the_connection(void **state) {
    (void)state;
    static const struct {
        bool asked;
        const char *answer;
        bool fine;
    } cases[] = {{true, "alloc 1 7\n", true},
                 {false, "alloc 1 7\n", false},
                 {true, "alloc 1 0\n", false},
                 {true, "alloc 1 1\n", false},
                 {true, "alloc 1 6\n", false}, /* its own */
                 {true, "alloc 1 9223372036854775808\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client_rig rig;
        uint64_t request;
        const sl_client_event *event = NULL;
        start_subserver(&rig);
        if (cases[i].asked) {
            assert_true(sl_client_session_allocate(rig.session, &request, NULL));
            rig_expect(&rig, "alloc 1\n");
            rig_expect_nothing(&rig);
        }
        rig_forget(&rig);
        rig_give(&rig, cases[i].answer);
        assert_int_equal(rig_count(&rig, SL_CLIENT_ALLOCATED, &event), cases[i].asked);
        if (cases[i].asked) assert_true(event->ident == (cases[i].fine ? 7 : 0));
        assert_int_equal(sl_client_connection_state(rig.connection) == SL_CONNECTION_CONNECTED,
                         cases[i].fine);
        rig_free(&rig);
    }
}

int main(int argc, char **argv) {
    if (argc == 2) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_wish_gets_an_ident_of_its_own),
        cmocka_unit_test(what_is_written_for_others_carries_their_names_and_does_not_come_back),
        cmocka_unit_test(merges_know_the_author),
        cmocka_unit_test(a_wish_survives_cuts_and_crashes_of_the_server),
        cmocka_unit_test(wishes_end_with_the_session_or_a_server_that_cannot),
        cmocka_unit_test(only_servers_files_may_ask_and_only_others_are_authors),
        cmocka_unit_test(answers_that_break_the_rules_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
