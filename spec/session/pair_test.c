/* Our client against our server in memory: first syncs, conflicts, offline work, cut links, crashes
 * of either side at any moment. Whatever happens, all files end up equal and nothing is lost or
 * done twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pair_world.h"
#include "random_program.h"

static void same_everywhere(world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (!world_same(w, i)) fail_msg("client %zu differs from the server", i);
}

static void no_errors(const world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].errors) fail_msg("client %zu: %s", i, w->clients[i].last_error);
}

static void a_change_reaches_the_other_client(void **state) {
    (void)state;
    world w;
    world_init(&w, 1, 2);
    client_file *a = &w.clients[0].file;
    FILE_WRITE(a, item_schema(realm, st) && item_create(realm, 1, st));
    FILE_WRITE(a, item_name(realm, 1, "one", st));
    world_run(&w);
    same_everywhere(&w);
    assert_int_equal(w.clients[1].integrated, 2);
    assert_int_equal(sl_client_history_ident(w.clients[0].file.history), 2);
    no_errors(&w);
    world_free(&w);
}

static void concurrent_writes_converge_to_the_younger(void **state) {
    (void)state;
    world w;
    world_init(&w, 2, 2);
    client_file *a = &w.clients[0].file, *b = &w.clients[1].file;
    FILE_WRITE(a, item_schema(realm, st) && item_create(realm, 1, st));
    world_run(&w);
    FILE_WRITE(a, item_name(realm, 1, "older", st) && item_add(realm, 1, 5, st) &&
                      item_tag(realm, 1, 0, "a", st));
    w.clients[1].env.wall += 10;
    FILE_WRITE(b, item_name(realm, 1, "younger", st) && item_add(realm, 1, 7, st) &&
                      item_tag(realm, 1, 0, "b", st));
    world_run(&w);
    same_everywhere(&w);
    sl_buf text;
    sl_buf_init(&text, NULL);
    file_state(a, &text);
    assert_non_null(strstr(text.data, "younger"));
    assert_null(strstr(text.data, "older"));
    sl_buf_free(&text);
    no_errors(&w);
    world_free(&w);
}

static void offline_work_is_merged_on_return(void **state) {
    (void)state;
    world w;
    world_init(&w, 3, 3);
    FILE_WRITE(&w.clients[0].file, item_schema(realm, st) && item_create(realm, 1, st));
    world_settle(&w, 3);
    for (size_t i = 0; i < 3; i++)
        sl_client_connection_disconnect(w.clients[i].connection, NULL);
    for (size_t i = 0; i < 3; i++)
        world_drain(&w.clients[i]);
    for (int k = 0; k < 5; k++)
        for (size_t i = 0; i < 3; i++) {
            w.clients[i].env.wall += (int64_t)(i * 7 + 1);
            FILE_WRITE(&w.clients[i].file, item_add(realm, 1, 1 << i, st) &&
                                               item_tag(realm, 1, 0, k & 1 ? "odd" : "even", st));
        }
    for (size_t i = 0; i < 3; i++)
        sl_client_connection_reconnect_now(w.clients[i].connection, NULL);
    for (size_t i = 0; i < 3; i++)
        world_drain(&w.clients[i]);
    world_settle(&w, 3);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void quiet_files_exchange_nothing_more(void **state) {
    (void)state;
    world w;
    world_init(&w, 4, 2);
    FILE_WRITE(&w.clients[0].file, item_schema(realm, st));
    world_run(&w);
    uint64_t versions[2] = {sl_client_history_version(w.clients[0].file.history),
                            sl_client_history_version(w.clients[1].file.history)};
    world_run(&w);
    for (size_t i = 0; i < 2; i++)
        assert_true(sl_client_history_version(w.clients[i].file.history) == versions[i]);
    world_free(&w);
}

static void waits_end_when_everything_is_there(void **state) {
    (void)state;
    world w;
    uint64_t request;
    world_init(&w, 5, 2);
    FILE_WRITE(&w.clients[0].file, item_schema(realm, st) && item_create(realm, 1, st));
    assert_true(sl_client_session_wait_upload(w.clients[0].session, &request, NULL));
    world_run(&w);
    assert_int_equal(w.clients[0].waits_done, 1);
    assert_true(sl_client_session_wait_download(w.clients[1].session, &request, NULL));
    world_run(&w);
    assert_int_equal(w.clients[1].waits_done, 1);
    same_everywhere(&w);
    world_free(&w);
}

/* The same conversation, cut after every single message in turn. */
static void a_cut_after_any_message_does_no_harm(void **state) {
    (void)state;
    for (int at = 0;; at++) {
        world w;
        world_init(&w, 6, 2);
        int steps = 0;
        bool cut = false;
        FILE_WRITE(&w.clients[0].file, item_schema(realm, st) && item_create(realm, 1, st));
        FILE_WRITE(&w.clients[0].file, item_add(realm, 1, 3, st));
        for (bool busy = true; busy;) {
            busy = false;
            for (size_t i = 0; i < 2; i++)
                for (unsigned which = 0; which < 7; which++) {
                    if (!world_step(&w, i, which)) continue;
                    busy = true;
                    if (steps++ != at) continue;
                    cut = true;
                    world_cut(&w.clients[0]);
                    world_cut(&w.clients[1]);
                    FILE_WRITE(&w.clients[0].file, item_add(realm, 1, 100, st));
                }
        }
        world_settle(&w, 4);
        same_everywhere(&w);
        no_errors(&w);
        sl_buf text;
        sl_buf_init(&text, NULL);
        file_state(&w.clients[1].file, &text);
        assert_non_null(strstr(text.data, cut ? "103" : "3"));
        sl_buf_free(&text);
        world_free(&w);
        if (!cut) break;
        assert_true(at < 1000);
    }
}

typedef enum crash_victim {
    CRASH_CLIENT_PROCESS,
    CRASH_CLIENT_POWER,
    CRASH_SERVER_PROCESS,
    CRASH_SERVER_POWER,
    CRASH_COUNT
} crash_victim;

static void crash(world *w, crash_victim victim) {
    switch (victim) {
    case CRASH_CLIENT_PROCESS:
        world_crash_client(&w->clients[0], SL_CRASH_PROCESS);
        break;
    case CRASH_CLIENT_POWER:
        world_crash_client(&w->clients[0], SL_CRASH_POWER);
        break;
    case CRASH_SERVER_PROCESS:
        world_crash_server(w, SL_CRASH_PROCESS);
        break;
    default:
        world_crash_server(w, SL_CRASH_POWER);
        break;
    }
}

/* Either side loses its memory, or its power, after every single step in turn (part 4, 17.4 and
 * 17.5). The counter tells whether a change was lost or done twice. */
static void a_crash_after_any_step_does_no_harm(void **state) {
    (void)state;
    for (int victim = 0; victim < CRASH_COUNT; victim++)
        for (int at = 0;; at++) {
            world w;
            world_init(&w, 7, 2);
            int steps = 0;
            bool crashed = false;
            FILE_WRITE(&w.clients[0].file, item_schema(realm, st) && item_create(realm, 1, st));
            FILE_WRITE(&w.clients[0].file, item_add(realm, 1, 3, st));
            for (bool busy = true; busy;) {
                busy = false;
                for (size_t i = 0; i < 2; i++)
                    for (unsigned which = 0; which < 7; which++) {
                        if (!world_step(&w, i, which)) continue;
                        busy = true;
                        if (steps++ != at) continue;
                        crashed = true;
                        crash(&w, (crash_victim)victim);
                        FILE_WRITE(&w.clients[0].file, item_add(realm, 1, 100, st));
                    }
            }
            world_settle(&w, 4);
            same_everywhere(&w);
            no_errors(&w);
            sl_buf text;
            sl_buf_init(&text, NULL);
            file_state(&w.clients[1].file, &text);
            if (!strstr(text.data, crashed ? "103" : "3"))
                fail_msg("victim %d, step %d: %s", victim, at, text.data);
            sl_buf_free(&text);
            world_free(&w);
            if (!crashed) break;
            assert_true(at < 1000);
        }
}

/* Commits that were not flushed may be lost with the power, but only those nobody heard of. */
static void fast_commits_lose_nothing_that_was_uploaded(void **state) {
    (void)state;
    world w;
    world_init(&w, 8, 2);
    world_client *a = &w.clients[0];
    sl_client_connection_free(a->connection);
    file_close(&a->file);
    a->file.fast_commits = true;
    file_open(&a->file, &a->env);
    world_start_client(a);
    FILE_WRITE(&a->file, item_schema(realm, st) && item_create(realm, 1, st));
    world_run(&w);
    FILE_WRITE(&a->file, item_add(realm, 1, 3, st));
    world_run(&w);
    FILE_WRITE(&a->file, item_add(realm, 1, 100, st)); /* never sent */
    world_crash_client(a, SL_CRASH_POWER);
    world_settle(&w, 3);
    FILE_WRITE(&a->file, item_add(realm, 1, 5, st));
    world_settle(&w, 3);
    same_everywhere(&w);
    no_errors(&w);
    sl_buf text;
    sl_buf_init(&text, NULL);
    file_state(&w.clients[1].file, &text);
    assert_non_null(strstr(text.data, "8"));
    assert_null(strstr(text.data, "108"));
    sl_buf_free(&text);
    world_free(&w);
}

/* ---- random programs ------------------------------------------------------------------------- */

static void random_step(world *w, bool crashes) {
    uint64_t dice = test_random(&w->env) % 1000;
    world_client *c = &w->clients[test_random(&w->env) % w->client_count];
    if (dice < 60) {
        c->env.wall += (int64_t)(test_random(&w->env) % 50);
        program_write(&c->file, &w->env);
    } else if (dice < 64) {
        world_cut(c);
    } else if (dice < 68) {
        world_pass(w, (int64_t)(test_random(&w->env) % 3000));
    } else if (crashes && dice < 70) {
        world_crash_client(c, dice & 1 ? SL_CRASH_PROCESS : SL_CRASH_POWER);
    } else if (crashes && dice < 72) {
        world_crash_server(w, dice & 1 ? SL_CRASH_PROCESS : SL_CRASH_POWER);
    } else {
        world_step(w, (size_t)(c - w->clients), (unsigned)(test_random(&w->env) % 7));
    }
}

static void run_program(uint64_t seed, size_t clients, int steps, bool crashes) {
    world w;
    world_init(&w, seed, clients);
    program_schema(&w.clients[0].file);
    world_settle(&w, 2);
    for (int i = 0; i < steps; i++)
        random_step(&w, crashes);
    world_reconnect(&w);
    world_settle(&w, 10);
    for (size_t i = 0; i < w.client_count; i++) {
        if (w.clients[i].errors)
            fail_msg("seed %llu, client %zu: %s", (unsigned long long)seed, i,
                     w.clients[i].last_error);
        if (!world_same(&w, i))
            fail_msg("seed %llu: client %zu differs", (unsigned long long)seed, i);
    }
    world_free(&w);
}

static int seeds(void) {
    const char *text = getenv("SYNCLINE_SEEDS");
    return text ? atoi(text) : 60;
}

static uint64_t first_seed(void) {
    const char *text = getenv("SYNCLINE_SEED");
    return text ? (uint64_t)atoll(text) : 1;
}

static void random_programs_converge(void **state) {
    (void)state;
    for (int i = 0; i < seeds(); i++)
        run_program(first_seed() + (uint64_t)i, 2 + (size_t)((first_seed() + (uint64_t)i) % 3),
                    1500, false);
}

static void random_programs_converge_through_crashes(void **state) {
    (void)state;
    for (int i = 0; i < seeds(); i++)
        run_program(first_seed() + 100000 + (uint64_t)i,
                    2 + (size_t)((first_seed() + (uint64_t)i) % 3), 1500, true);
}

int main(int argc, char **argv) {
    if (argc == 2) cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_reaches_the_other_client),
        cmocka_unit_test(concurrent_writes_converge_to_the_younger),
        cmocka_unit_test(offline_work_is_merged_on_return),
        cmocka_unit_test(quiet_files_exchange_nothing_more),
        cmocka_unit_test(waits_end_when_everything_is_there),
        cmocka_unit_test(a_cut_after_any_message_does_no_harm),
        cmocka_unit_test(a_crash_after_any_step_does_no_harm),
        cmocka_unit_test(fast_commits_lose_nothing_that_was_uploaded),
        cmocka_unit_test(random_programs_converge),
        cmocka_unit_test(random_programs_converge_through_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
