/* Serialized transactions: the server takes them in as they are or not at all, once, whatever
 * breaks between the request and the answer. The measure is a counter that clients raise by reading
 * and setting it: every raise that was reported as done must be in it, and none besides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair_world.h"
#include "realm/read.h"

/* ---- the counter ----------------------------------------------------------------------------- */

static int64_t counter(sl_realm *realm) {
    sl_status st = SL_STATUS_INIT;
    sl_place place = item_place(1, "n");
    sl_view view;
    bool found = false;
    if (!sl_realm_get(realm, &place, &view, &found, &st)) file_fatal("get", &st);
    assert_true(found);
    return view.value.type == SL_TYPE_INT ? view.value.integer : 0;
}

static bool set_counter(sl_realm *realm, int64_t to, sl_status *st) {
    sl_place place = item_place(1, "n");
    sl_value value = {.type = SL_TYPE_INT, .integer = to};
    return sl_record_set(realm, &place, &value, false, st);
}

/* Ends the open write as a serialized transaction. */
static uint64_t send(world_client *c) {
    uint64_t request = 0;
    sl_status st = SL_STATUS_INIT;
    if (!sl_client_session_transact(c->session, &request, &st)) file_fatal("transact", &st);
    world_drain(c);
    return request;
}

#define TRANSACT(client, body)                                                                     \
    do {                                                                                           \
        sl_status write_st = SL_STATUS_INIT, *st = &write_st;                                      \
        sl_realm *realm = (client)->file.realm;                                                    \
        if (!sl_client_history_begin((client)->file.history, st)) file_fatal("begin", st);         \
        if (!(body)) file_fatal(#body, st);                                                        \
        send(client);                                                                              \
    } while (0)

static void raise(world_client *c) {
    TRANSACT(c, set_counter(realm, counter(realm) + 1, st));
}

static size_t accepted(const world *w) {
    size_t sum = 0;
    for (size_t i = 0; i < w->client_count; i++)
        sum += w->clients[i].outcomes[SL_TRANSACT_ACCEPTED];
    return sum;
}

static void same_everywhere(world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (!world_same(w, i)) fail_msg("client %zu differs from the server", i);
}

static void no_errors(const world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].errors) fail_msg("client %zu: %s", i, w->clients[i].last_error);
}

static void begin(world *w, uint64_t seed, size_t clients) {
    world_init(w, seed, clients);
    FILE_WRITE(&w->clients[0].file,
               item_schema(realm, st) && item_create(realm, 1, st) && set_counter(realm, 0, st));
    world_settle(w, 2);
}

static void end(world *w) {
    same_everywhere(w);
    no_errors(w);
    world_free(w);
}

/* ---- the decision ---------------------------------------------------------------------------- */

static void an_accepted_one_comes_back_as_a_change_of_the_server(void **state) {
    (void)state;
    world w;
    begin(&w, 1, 2);
    world_client *a = &w.clients[0];
    uint64_t versions = sl_server_history_version(sl_server_file_history(w.file));
    size_t heard = a->integrated;
    raise(a);
    assert_int_equal(counter(a->file.realm), 0); /* taken back until the server has spoken */
    assert_false(sl_client_session_may_transact(a->session));
    world_run(&w);
    assert_int_equal(a->outcomes[SL_TRANSACT_ACCEPTED], 1);
    assert_int_equal(counter(a->file.realm), 1);
    assert_int_equal(counter(w.clients[1].file.realm), 1);
    assert_int_equal(a->integrated, heard + 1);
    assert_int_equal(sl_server_history_version(sl_server_file_history(w.file)), versions + 1);
    sl_store *store = sl_server_file_store(w.file);
    sl_history_entry entry;
    bool found = false;
    assert_true(store->vtbl->entry_get(store, versions + 1, &entry, &found, NULL));
    assert_true(found && entry.origin_file == 0);
    end(&w);
}

static void a_change_of_another_client_in_between_refuses_it(void **state) {
    (void)state;
    world w;
    begin(&w, 2, 2);
    world_client *a = &w.clients[0], *b = &w.clients[1];
    FILE_WRITE(&b->file, item_name(realm, 1, "b", st));
    raise(a);
    while (world_step_client_send(b)) {
    }
    while (world_step_server_receive(b)) {
    }
    assert_true(world_step_server_work(&w));
    world_run(&w);
    assert_int_equal(a->outcomes[SL_TRANSACT_CONFLICT], 1);
    assert_int_equal(counter(a->file.realm), 0);
    raise(a); /* what was in the way is here: the next attempt goes through */
    world_run(&w);
    assert_int_equal(a->outcomes[SL_TRANSACT_ACCEPTED], 1);
    assert_int_equal(counter(b->file.realm), 1);
    end(&w);
}

static void a_change_of_the_server_itself_refuses_it(void **state) {
    (void)state;
    world w;
    begin(&w, 3, 1);
    sl_status st = SL_STATUS_INIT;
    raise(&w.clients[0]);
    assert_true(sl_server_file_begin_write(w.file, &st));
    assert_true(set_counter(sl_server_file_realm(w.file), 40, &st));
    assert_true(sl_server_file_commit_write(w.file, &st));
    world_run(&w);
    assert_int_equal(w.clients[0].outcomes[SL_TRANSACT_CONFLICT], 1);
    assert_int_equal(counter(w.clients[0].file.realm), 40);
    end(&w);
}

static void own_writes_before_and_behind_it_are_no_obstacle(void **state) {
    (void)state;
    world w;
    begin(&w, 4, 2);
    world_client *a = &w.clients[0];
    FILE_WRITE(&a->file,
               set_counter(realm, 10, st)); /* not uploaded yet: the request waits for it */
    raise(a);
    FILE_WRITE(&a->file, item_name(realm, 1, "later", st)); /* waits for the answer */
    while (world_step_client_send(a)) {
    }
    size_t uploads = 0;
    for (size_t i = 0; i < a->to_server.count; i++)
        if (memcmp(a->to_server.items[i].data, "upload", 6) == 0) uploads++;
    assert_int_equal(uploads, 1);
    world_run(&w);
    assert_int_equal(a->outcomes[SL_TRANSACT_ACCEPTED], 1);
    assert_int_equal(counter(w.clients[1].file.realm), 11);
    sl_buf text;
    sl_buf_init(&text, NULL);
    file_state(&w.clients[1].file, &text);
    assert_non_null(strstr(text.data, "later"));
    sl_buf_free(&text);
    end(&w);
}

static void of_two_in_one_unit_one_is_accepted(void **state) {
    (void)state;
    world w;
    begin(&w, 5, 2);
    for (size_t i = 0; i < 2; i++) {
        raise(&w.clients[i]);
        while (world_step_client_send(&w.clients[i])) {
        }
        while (world_step_server_receive(&w.clients[i])) {
        }
    }
    assert_true(world_step_server_work(&w));
    world_run(&w);
    assert_int_equal(accepted(&w), 1);
    assert_int_equal(w.clients[1].outcomes[SL_TRANSACT_CONFLICT], 1);
    assert_int_equal(counter(w.clients[1].file.realm), 1);
    end(&w);
}

/* Everybody tries again until it works. One at least gets through in every round. */
static void under_contention_everybody_gets_through_in_the_end(void **state) {
    (void)state;
    world w;
    begin(&w, 6, 4);
    size_t goal[4] = {5, 5, 5, 5}, rounds = 0;
    for (bool busy = true; busy; rounds++) {
        busy = false;
        size_t before = accepted(&w);
        for (size_t i = 0; i < 4; i++) {
            if (w.clients[i].outcomes[SL_TRANSACT_ACCEPTED] == goal[i]) continue;
            raise(&w.clients[i]);
            busy = true;
        }
        world_run(&w);
        assert_true(!busy || accepted(&w) > before);
    }
    assert_true(rounds <= 21);
    assert_int_equal(counter(w.clients[0].file.realm), 20);
    end(&w);
}

/* ---- trouble --------------------------------------------------------------------------------- */

/* A conversation of two rivals; whatever happens after step `at`, `harm` happens to the world. */
static bool rivals(uint64_t seed, int at, void (*harm)(world *w), size_t *done) {
    world w;
    begin(&w, seed, 2);
    int steps = 0;
    bool harmed = false;
    raise(&w.clients[0]);
    raise(&w.clients[1]);
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < 2; i++)
            for (unsigned which = 0; which < 7; which++) {
                if (!world_step(&w, i, which)) continue;
                busy = true;
                if (steps++ != at) continue;
                harmed = true;
                harm(&w);
            }
    }
    world_settle(&w, 4);
    for (size_t i = 0; i < 2; i++) {
        const size_t *outcomes = w.clients[i].outcomes;
        if (outcomes[SL_TRANSACT_ACCEPTED] + outcomes[SL_TRANSACT_CONFLICT] != 1)
            fail_msg("step %d: client %zu heard %zu times of success and %zu of conflict", at, i,
                     outcomes[SL_TRANSACT_ACCEPTED], outcomes[SL_TRANSACT_CONFLICT]);
    }
    *done = accepted(&w);
    if (counter(sl_server_file_realm(w.file)) != (int64_t)*done)
        fail_msg("step %d: %zu successes, but the counter is %lld", at, *done,
                 (long long)counter(sl_server_file_realm(w.file)));
    end(&w);
    return harmed;
}

static void cut_both(world *w) {
    world_cut(&w->clients[0]);
    world_cut(&w->clients[1]);
}
static void lose_server(world *w) {
    world_crash_server(w, SL_CRASH_PROCESS);
}
static void lose_power(world *w) {
    world_crash_server(w, SL_CRASH_POWER);
}

static void an_answer_that_was_lost_is_asked_for_again(void **state) {
    (void)state;
    void (*const harms[])(world *) = {cut_both, lose_server, lose_power};
    for (size_t h = 0; h < sizeof harms / sizeof *harms; h++) {
        size_t done = 0;
        for (int at = 0; rivals(7, at, harms[h], &done); at++) {
            assert_in_range(done, 1, 2);
            assert_true(at < 1000);
        }
    }
}

/* What was on its way when the client ended is either in the realm or not, but never twice, and the
 * numbers of versions and objects that it used up are not used again. */
static void a_client_that_ends_leaves_nothing_half_done(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int at = 0;; at++) {
            world w;
            begin(&w, 8, 2);
            int steps = 0;
            bool crashed = false;
            raise(&w.clients[0]);
            for (bool busy = true; busy;) {
                busy = false;
                for (size_t i = 0; i < 2; i++)
                    for (unsigned which = 0; which < 7; which++) {
                        if (!world_step(&w, i, which)) continue;
                        busy = true;
                        if (steps++ != at) continue;
                        crashed = true;
                        world_crash_client(&w.clients[0], kind ? SL_CRASH_POWER : SL_CRASH_PROCESS);
                    }
            }
            world_settle(&w, 4);
            int64_t before = counter(w.clients[0].file.realm);
            assert_in_range(before, 0, 1);
            if (accepted(&w)) assert_int_equal(before, 1);
            size_t old = accepted(&w);
            raise(&w.clients[0]);
            world_settle(&w, 2);
            assert_int_equal(accepted(&w), old + 1);
            assert_int_equal(counter(w.clients[1].file.realm), before + 1);
            end(&w);
            if (!crashed) break;
            assert_true(at < 1000);
        }
}

/* ---- random programs ------------------------------------------------------------------------- */

static void random_step(world *w, bool crashes) {
    uint64_t dice = test_random(&w->env) % 1000;
    world_client *c = &w->clients[test_random(&w->env) % w->client_count];
    if (dice < 40) {
        if (sl_client_session_may_transact(c->session)) raise(c);
    } else if (dice < 50) {
        c->env.wall += (int64_t)(test_random(&w->env) % 50);
        FILE_WRITE(&c->file, item_tag(realm, 1, 0, "tag", st));
    } else if (dice < 56) {
        world_cut(c);
    } else if (dice < 60) {
        world_pass(w, (int64_t)(test_random(&w->env) % 3000));
    } else if (crashes && dice < 64) {
        world_crash_server(w, dice & 1 ? SL_CRASH_PROCESS : SL_CRASH_POWER);
    } else {
        world_step(w, (size_t)(c - w->clients), (unsigned)(test_random(&w->env) % 7));
    }
}

static void the_counter_counts_the_successes(void **state) {
    (void)state;
    const char *text = getenv("SYNCLINE_SEEDS");
    uint64_t seeds = text ? (uint64_t)atoi(text) : 40;
    size_t sum = 0, refused = 0;
    const char *from = getenv("SYNCLINE_SEED");
    uint64_t first = from ? (uint64_t)atoll(from) : 100;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        world w;
        begin(&w, seed, 2 + seed % 3);
        for (int i = 0; i < 1500; i++)
            random_step(&w, seed & 1);
        world_reconnect(&w);
        world_settle(&w, 10);
        for (size_t i = 0; i < w.client_count; i++) {
            if (!sl_client_session_may_transact(w.clients[i].session))
                fail_msg("seed %llu: client %zu never got an answer", (unsigned long long)seed, i);
            assert_int_equal(w.clients[i].outcomes[SL_TRANSACT_UNKNOWN], 0);
            refused += w.clients[i].outcomes[SL_TRANSACT_CONFLICT];
        }
        if (counter(sl_server_file_realm(w.file)) != (int64_t)accepted(&w))
            fail_msg("seed %llu: %zu successes, but the counter is %lld", (unsigned long long)seed,
                     accepted(&w), (long long)counter(sl_server_file_realm(w.file)));
        sum += accepted(&w);
        end(&w);
    }
    assert_true(sum > seeds * 3 && refused > seeds);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static bool keyless_schema(sl_realm *realm, sl_status *st) {
    sl_property text = {.name = SL_STR("text"), .type = SL_TYPE_STRING, .target = SL_STR("")};
    sl_class note = {.name = SL_STR("Note"),
                     .key_type = SL_TYPE_GLOBALKEY,
                     .properties = &text,
                     .property_count = 1};
    sl_schema_definition definition = {&note, 1};
    return sl_record_schema(realm, &definition, NULL, st);
}

static bool note_create(sl_realm *realm, sl_key *key, sl_status *st) {
    bool created;
    return sl_record_create(realm, SL_STR("Note"), NULL, key, &created, st);
}

static void ids_of_keyless_objects_are_not_used_again(void **state) {
    (void)state;
    world w;
    begin(&w, 9, 2);
    world_client *a = &w.clients[0];
    sl_key first = {0}, second = {0}, third = {0};
    uint64_t count = 0;
    FILE_WRITE(&a->file, keyless_schema(realm, st));
    world_settle(&w, 2);
    TRANSACT(a, note_create(realm, &first, st));
    FILE_WRITE(&a->file, note_create(realm, &second, st));
    assert_int_not_equal(first.global.lo, second.global.lo);
    world_run(&w);
    assert_int_equal(a->outcomes[SL_TRANSACT_ACCEPTED], 1);
    assert_true(sl_realm_count(w.clients[1].file.realm, SL_STR("Note"), &count, NULL));
    assert_int_equal(count, 2);
    /* Refused or not, and over a restart. */
    FILE_WRITE(&w.clients[1].file, item_name(realm, 1, "rival", st));
    TRANSACT(a, note_create(realm, &first, st));
    world_step(&w, 1, 1);
    world_step(&w, 1, 2);
    world_run(&w);
    world_crash_client(a, SL_CRASH_PROCESS);
    FILE_WRITE(&a->file, note_create(realm, &third, st));
    assert_int_not_equal(first.global.lo, third.global.lo);
    world_settle(&w, 3);
    end(&w);
}

static void a_server_without_it_is_not_asked(void **state) {
    (void)state;
    world w;
    begin(&w, 10, 1);
    world_client *a = &w.clients[0];
    world_cut(a);
    w.switched_off = SL_FEATURE_TRANSACT;
    raise(a);
    world_settle(&w, 3);
    assert_int_equal(a->outcomes[SL_TRANSACT_UNSUPPORTED], 1);
    assert_int_equal(counter(a->file.realm), 0);
    FILE_WRITE(&a->file, set_counter(realm, 3, st)); /* uploads go on */
    world_settle(&w, 1);
    end(&w);
}

/* A client that asks all the same is told so. */
static void a_server_without_it_says_so(void **state) {
    (void)state;
    world w;
    begin(&w, 11, 1);
    world_client *a = &w.clients[0];
    w.switched_off = SL_FEATURE_TRANSACT;
    world_cut(a);
    world_pass(&w, 2000);
    raise(a);
    sl_client_connection_set_features(a->connection, a->attempt, SL_FEATURE_TRANSACT);
    w.switched_off = SL_FEATURE_TRANSACT | 1u << 30;
    sl_server_connection_options options = {.env = &w.env.env,
                                            .host = &w.host,
                                            .ctx = &w,
                                            .dialect = {14, false},
                                            .switched_off = SL_FEATURE_TRANSACT,
                                            .authenticated = true};
    a->wants_link = false;
    a->peer = sl_server_connection_new(&options, NULL);
    assert_true(sl_client_connection_opened(a->connection, a->attempt,
                                            SL_STR("com.mongodb.realm-sync#14"), NULL));
    world_drain(a);
    world_settle(&w, 1);
    assert_int_equal(a->outcomes[SL_TRANSACT_UNSUPPORTED], 1);
    end(&w);
}

static void readers_may_not_write_this_way_either(void **state) {
    (void)state;
    world w;
    begin(&w, 12, 2);
    world_client *a = &w.clients[0];
    world_cut(a);
    w.access = SL_ACCESS_READ;
    raise(a);
    world_settle(&w, 3);
    assert_int_equal(a->outcomes[SL_TRANSACT_UNKNOWN], 1); /* sent, and the session ended */
    assert_int_equal(a->errors, 1);
    assert_non_null(strstr(a->last_error, "230"));
    assert_int_equal(counter(w.clients[1].file.realm), 0);
    world_free(&w);
}

static void what_is_given_up_in_time_does_not_happen(void **state) {
    (void)state;
    world w;
    begin(&w, 13, 1);
    world_client *a = &w.clients[0];
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_client_history_begin(a->file.history, &st));
    assert_true(set_counter(a->file.realm, 5, &st));
    uint64_t request = send(a);
    assert_true(sl_client_session_forget_transact(a->session, request));
    assert_true(sl_client_session_may_transact(a->session));
    world_run(&w);
    assert_int_equal(counter(a->file.realm), 0);
    /* Once it is under way nobody can tell, and the next one waits for its answer. */
    assert_true(sl_client_history_begin(a->file.history, &st));
    assert_true(set_counter(a->file.realm, 6, &st));
    request = send(a);
    while (world_step_client_send(a)) {
    }
    assert_false(sl_client_session_forget_transact(a->session, request));
    assert_false(sl_client_session_may_transact(a->session));
    world_run(&w);
    assert_true(sl_client_session_may_transact(a->session));
    assert_int_equal(a->outcomes[SL_TRANSACT_ACCEPTED], 0); /* nobody was told */
    assert_int_equal(counter(a->file.realm), 6);
    end(&w);
}

static void a_write_that_changes_nothing_asks_nobody(void **state) {
    (void)state;
    world w;
    begin(&w, 14, 1);
    world_client *a = &w.clients[0];
    uint64_t version = sl_client_history_version(a->file.history);
    assert_true(sl_client_history_begin(a->file.history, NULL));
    assert_int_equal(send(a), 0);
    assert_true(sl_client_history_version(a->file.history) == version);
    assert_true(sl_client_session_may_transact(a->session));
    end(&w);
}

static void what_cannot_be_one_is_taken_back(void **state) {
    (void)state;
    world w;
    begin(&w, 15, 1);
    world_client *a = &w.clients[0];
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 7;
    assert_true(sl_client_history_begin(a->file.history, &st));
    assert_true(keyless_schema(a->file.realm, &st));
    assert_false(sl_client_session_transact(a->session, &request, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    assert_false(sl_client_history_writing(a->file.history));
    raise(a);
    assert_true(sl_client_history_begin(a->file.history, &st));
    assert_true(set_counter(a->file.realm, 9, &st));
    assert_false(sl_client_session_transact(a->session, &request, &st)); /* one at a time */
    assert_false(sl_client_history_writing(a->file.history));
    world_run(&w);
    assert_int_equal(counter(a->file.realm), 1);
    world_client *fresh = world_add_client(&w); /* without an ident */
    assert_true(sl_client_history_begin(fresh->file.history, &st));
    assert_true(item_schema(fresh->file.realm, &st));
    assert_false(sl_client_session_transact(fresh->session, &request, &st));
    world_settle(&w, 2);
    end(&w);
}

int main(int argc, char **argv) {
    if (argc == 2) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_accepted_one_comes_back_as_a_change_of_the_server),
        cmocka_unit_test(a_change_of_another_client_in_between_refuses_it),
        cmocka_unit_test(a_change_of_the_server_itself_refuses_it),
        cmocka_unit_test(own_writes_before_and_behind_it_are_no_obstacle),
        cmocka_unit_test(of_two_in_one_unit_one_is_accepted),
        cmocka_unit_test(under_contention_everybody_gets_through_in_the_end),
        cmocka_unit_test(an_answer_that_was_lost_is_asked_for_again),
        cmocka_unit_test(a_client_that_ends_leaves_nothing_half_done),
        cmocka_unit_test(the_counter_counts_the_successes),
        cmocka_unit_test(ids_of_keyless_objects_are_not_used_again),
        cmocka_unit_test(a_server_without_it_is_not_asked),
        cmocka_unit_test(a_server_without_it_says_so),
        cmocka_unit_test(readers_may_not_write_this_way_either),
        cmocka_unit_test(what_is_given_up_in_time_does_not_happen),
        cmocka_unit_test(a_write_that_changes_nothing_asks_nobody),
        cmocka_unit_test(what_cannot_be_one_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
