/* State transfer between our client and our server in memory: a new file receives the present
 * content instead of the history, whatever is cut or crashes meanwhile (protocol/1-wire.md, 4.9 and
 * 5.12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "history/client_transfer.h"
#include "pair_world.h"

/* A server with some content that changed often, so that its history is larger than its state. */
static void fill(world *w, uint64_t seed, int objects, int changes) {
    world_init(w, seed, 1);
    w->max_download = 1; /* one segment in each message */
    client_file *a = &w->clients[0].file;
    FILE_WRITE(a, item_schema(realm, st));
    for (int k = 1; k <= objects; k++)
        FILE_WRITE(a, item_create(realm, k, st));
    char name[200];
    for (int k = 0; k < changes; k++) {
        for (size_t i = 0; i < sizeof name - 1; i++)
            name[i] = (char)('a' + test_random(&w->env) % 26);
        name[sizeof name - 1] = 0;
        FILE_WRITE(a, item_name(realm, k % objects + 1, name, st) &&
                          item_tag(realm, k % objects + 1, 0, "tag", st));
    }
    world_settle(w, 3);
}

static void no_errors(const world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].errors) fail_msg("client %zu: %s", i, w->clients[i].last_error);
}

static void same_everywhere(world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (!world_same(w, i)) fail_msg("client %zu differs from the server", i);
}

static void a_new_file_receives_the_state_and_goes_on_from_it(void **state) {
    (void)state;
    world w;
    fill(&w, 1, 200, 300);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(b->states, 1);
    assert_true(b->state_parts > 3);
    assert_int_equal(b->integrated, 0); /* nothing came as history */
    same_everywhere(&w);
    const sl_client_cursors *c = sl_client_history_cursors(b->file.history);
    uint64_t version = sl_server_history_version(sl_server_file_history(w.file));
    assert_int_equal(c->dl_sv, version);
    assert_int_equal(c->dl_cv, 0);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "afterwards", st));
    FILE_WRITE(&b->file, item_tag(realm, 1, 0, "here, too", st) && item_add(realm, 2, 5, st));
    world_settle(&w, 3);
    assert_int_equal(b->integrated, 1);
    same_everywhere(&w);
    world_crash_client(b, SL_CRASH_POWER);
    world_settle(&w, 3);
    FILE_WRITE(&b->file, item_name(realm, 3, "after the crash", st));
    world_settle(&w, 3);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void the_state_is_made_once_for_many(void **state) {
    (void)state;
    world w;
    fill(&w, 2, 40, 100);
    w.state_age = 1 << 20;
    world_crash_server(&w, SL_CRASH_POWER);
    world_settle(&w, 3);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    uint64_t version = sl_client_history_cursors(b->file.history)->dl_sv;
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    world_run(&w);
    world_client *c = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(c->states, 1);
    assert_int_equal(c->integrated, 1); /* the state was the old one */
    assert_int_equal(sl_client_history_cursors(c->file.history)->dl_sv, version + 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void an_old_state_is_made_anew(void **state) {
    (void)state;
    world w;
    fill(&w, 3, 40, 100);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(b->states, 1);
    w.state_age = 1;
    world_crash_server(&w, SL_CRASH_PROCESS);
    world_settle(&w, 3);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    world_run(&w);
    world_client *c = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(c->states, 1);
    assert_int_equal(c->integrated, 0);
    same_everywhere(&w);
    world_free(&w);
}

/* Who cannot or may not receive a state gets the history. */
static void otherwise_the_history_comes(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        world w;
        fill(&w, 4, 20, 50);
        if (way == 0) w.features = SL_FEATURE_ALLOC; /* a server that does not know STATE_REQUEST */
        if (way == 1) w.no_states = true;            /* a host that makes none */
        if (way == 2) w.min_state = 1 << 30;         /* too small to be worth it */
        world_crash_server(&w, SL_CRASH_PROCESS);
        world_client *b = world_add_client_with(&w, true);
        if (way == 3) FILE_WRITE(&b->file, item_schema(realm, st) && item_create(realm, 1, st));
        world_settle(&w, 5);
        assert_int_equal(b->states, 0);
        assert_int_equal(b->state_parts, 0);
        assert_true(b->integrated > 50);
        same_everywhere(&w);
        no_errors(&w);
        world_free(&w);
    }
}

/* Runs until the new client has received `messages` messages, then `harm` comes over it. */
static size_t receive_some(world *w, world_client *c, size_t messages) {
    size_t received = 0;
    for (bool busy = true; busy && received < messages;) {
        busy = false;
        for (unsigned which = 0; which < 7 && received < messages; which++)
            while (received < messages && world_step(w, 1, which)) {
                busy = true;
                if (which == 5) received++;
            }
    }
    (void)c;
    return received;
}

static void a_cut_loses_nothing_that_has_come(void **state) {
    (void)state;
    for (size_t after = 1;; after++) {
        world w;
        fill(&w, 5, 200, 300);
        world_client *b = world_add_client_with(&w, true);
        bool all = receive_some(&w, b, after) < after;
        world_cut(b);
        world_reconnect(&w);
        world_settle(&w, 5);
        if (b->integrated) fail_msg("after %zu messages the history came", after);
        same_everywhere(&w);
        no_errors(&w);
        assert_int_equal(b->states, 1);
        sl_state_facts kept;
        const sl_state_store *states =
            sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
        states->kept(states->ctx, &kept);
        /* Heads of the messages included, and nothing twice. */
        assert_in_range(b->state_octets, kept.size, kept.size + 100 * b->state_parts);
        world_free(&w);
        if (all) break;
    }
}

static void a_crash_of_the_client_loses_nothing_that_has_come(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        for (size_t after = 1;; after++) {
            world w;
            fill(&w, 6, 200, 300);
            world_client *b = world_add_client_with(&w, true);
            bool all = receive_some(&w, b, after) < after;
            world_crash_client(b, kind ? SL_CRASH_POWER : SL_CRASH_PROCESS);
            world_settle(&w, 5);
            assert_int_equal(b->states, 1);
            assert_int_equal(b->integrated, 0);
            sl_state_facts kept;
            const sl_state_store *states =
                sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
            states->kept(states->ctx, &kept);
            assert_in_range(b->state_octets, kept.size, kept.size + 100 * b->state_parts);
            same_everywhere(&w);
            no_errors(&w);
            world_free(&w);
            if (all) break;
        }
    }
}

static void a_crash_of_the_server_does_no_harm(void **state) {
    (void)state;
    for (size_t after = 1; after < 12; after++) {
        world w;
        fill(&w, 7, 200, 300);
        world_client *b = world_add_client_with(&w, true);
        receive_some(&w, b, after);
        world_crash_server(&w, after & 1 ? SL_CRASH_POWER : SL_CRASH_PROCESS);
        world_reconnect(&w);
        world_settle(&w, 5);
        assert_int_equal(b->states, 1);
        same_everywhere(&w);
        no_errors(&w);
        world_free(&w);
    }
}

/* The state that a client is receiving is thrown away, and another one is made. */
static void a_state_that_is_gone_starts_over(void **state) {
    (void)state;
    world w;
    fill(&w, 8, 200, 300);
    w.state_age = 1;
    world_crash_server(&w, SL_CRASH_PROCESS);
    world_settle(&w, 3);
    world_client *b = world_add_client_with(&w, true);
    receive_some(&w, b, 4);
    assert_true(b->state_parts > 0 && b->states == 0);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    const sl_state_store *states =
        sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
    world_cut(b);
    world_settle(&w, 1);
    states->kept_drop(states->ctx);
    world_reconnect(&w);
    world_settle(&w, 5);
    assert_int_equal(b->states, 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void a_state_of_another_history_is_not_handed_out(void **state) {
    (void)state;
    world w;
    fill(&w, 9, 20, 50);
    world_client *b = world_add_client_with(&w, true);
    world_settle(&w, 2);
    assert_int_equal(b->states, 1);
    const sl_state_store *states =
        sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
    sl_state_facts facts;
    states->kept(states->ctx, &facts);
    bool holds = true;
    sl_status st = SL_STATUS_INIT;
    sl_server_history *history = sl_server_file_history(w.file);
    assert_true(sl_server_history_holds(history, facts.version, facts.salt, &holds, &st));
    assert_true(holds);
    assert_true(sl_server_history_holds(history, facts.version, facts.salt + 1, &holds, &st));
    assert_false(holds);
    assert_true(sl_server_history_holds(history, facts.version + 1, facts.salt, &holds, &st));
    assert_false(holds);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_receives_the_state_and_goes_on_from_it),
        cmocka_unit_test(the_state_is_made_once_for_many),
        cmocka_unit_test(an_old_state_is_made_anew),
        cmocka_unit_test(otherwise_the_history_comes),
        cmocka_unit_test(a_cut_loses_nothing_that_has_come),
        cmocka_unit_test(a_crash_of_the_client_loses_nothing_that_has_come),
        cmocka_unit_test(a_crash_of_the_server_does_no_harm),
        cmocka_unit_test(a_state_that_is_gone_starts_over),
        cmocka_unit_test(a_state_of_another_history_is_not_handed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
