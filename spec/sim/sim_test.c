/* The simulation itself: no failed allocation makes it crash, leak or lie, and what a crash leaves
 * is one of the states that a disk permits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_file.h"
#include "failing_alloc.h"
#include "realm/read.h"
#include "sim/sim.h"

static bool write_item(sl_sim *sim, int client, int64_t id, sl_status *st) {
    sl_client_history *history = sl_sim_history(sim, client);
    if (!history) return true;
    sl_realm *realm = sl_client_history_realm(history);
    if (!sl_client_history_begin(history, st)) return false;
    if (!item_schema(realm, st) || !item_create(realm, id, st) || !item_add(realm, id, 1, st)) {
        sl_client_history_rollback(history);
        return false;
    }
    return sl_client_history_commit(history, NULL, st) && sl_sim_wrote(sim, client, st);
}

/* A bit of everything the simulation does by itself. */
static bool live(sl_sim *sim, bool *quiet, bool *equal, sl_status *st) {
    static const sl_sim_link_options slow = {5, 20, 0, 20000};
    *quiet = *equal = false;
    return sl_sim_advance(sim, 60, st) && write_item(sim, 0, 1, st) &&
           sl_sim_advance(sim, 60, st) && sl_sim_backup(sim, st) &&
           sl_sim_set_link(sim, 1, &slow, st) && write_item(sim, 1, 2, st) &&
           sl_sim_advance(sim, 300, st) && sl_sim_cut_link(sim, 0, SL_SIM_CUT_CLIENT, 500, st) &&
           write_item(sim, 0, 3, st) && sl_sim_crash(sim, 0, SL_CRASH_POWER, 20, st) &&
           sl_sim_advance(sim, 2000, st) &&
           sl_sim_crash(sim, SL_SIM_SERVER, SL_CRASH_PROCESS, 20, st) && sl_sim_restore(sim, st) &&
           sl_sim_settle(sim, 600000, quiet, st) && (!*quiet || sl_sim_equal(sim, equal, st));
}

static sl_sim *new_sim(const sl_alloc *alloc, sl_status *st) {
    sl_sim_options options = {.alloc = alloc, .seed = 5, .clients = 2, .fast_commits = true};
    return sl_sim_new(&options, st);
}

static void every_failed_allocation_is_reported_or_survived(void **state) {
    (void)state;
    failing_alloc memory;
    uint64_t needed = 0;
    for (uint64_t n = 0; n <= needed; n++) {
        sl_status st = SL_STATUS_INIT;
        bool quiet = false, equal = false;
        failing_alloc_init(&memory);
        memory.fail_at = n;
        sl_sim *sim = new_sim(&memory.alloc, &st);
        bool ok = sim && live(sim, &quiet, &equal, &st);
        if (n == 0) needed = memory.requests;
        if (n == 0) assert_true(ok && quiet && equal);
        if (!ok && st.cls != SL_ERR_MEMORY)
            fail_msg("allocation %llu: %s %s", (unsigned long long)n, sl_status_class_name(st.cls),
                     st.message);
        if (ok && quiet && !equal) fail_msg("allocation %llu: not equal", (unsigned long long)n);
        sl_sim_free(sim);
        assert_int_equal(memory.live, 0);
    }
    assert_true(needed > 500);
}

static int64_t newest_item(sl_sim *sim) {
    int64_t newest = 0;
    sl_realm *realm = sl_client_history_realm(sl_sim_history(sim, 0));
    for (int64_t id = 1; id <= 8 && sl_realm_class(realm, SL_STR("Item")); id++) {
        sl_key key = int_key(id);
        bool exists = false;
        assert_true(sl_realm_exists(realm, SL_STR("Item"), &key, &exists, NULL));
        if (!exists) continue;
        assert_int_equal(id, newest + 1); /* nothing is missing in between */
        newest = id;
    }
    return newest;
}

static void a_loss_of_power_leaves_any_beginning_of_what_was_not_flushed(void **state) {
    (void)state;
    int seen[9] = {0};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        sl_status st = SL_STATUS_INIT;
        bool quiet;
        sl_sim_options options = {.seed = seed, .clients = 1, .fast_commits = true};
        sl_sim *sim = sl_sim_new(&options, &st);
        assert_non_null(sim);
        assert_true(sl_sim_settle(sim, 60000, &quiet, &st));
        assert_true(sl_sim_disconnect(sim, 0, &st));
        for (int64_t id = 1; id <= 8; id++)
            assert_true(write_item(sim, 0, id, &st));
        assert_true(sl_sim_crash(sim, 0, SL_CRASH_POWER, 0, &st));
        seen[newest_item(sim)]++;
        sl_sim_free(sim);
    }
    assert_true(seen[0] > 10);
    for (int i = 1; i <= 8; i++)
        assert_true(seen[i] > 0);
}

static void a_commit_may_have_happened_when_the_machine_died_in_it(void **state) {
    (void)state;
    int there = 0, gone = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        sl_status st = SL_STATUS_INIT;
        bool quiet;
        sl_sim_options options = {.seed = seed, .clients = 1};
        sl_sim *sim = sl_sim_new(&options, &st);
        assert_non_null(sim);
        assert_true(sl_sim_settle(sim, 60000, &quiet, &st));
        assert_true(write_item(sim, 0, 1, &st));
        /* The commit is the last operation of a transaction. */
        sl_memory_disk *disk = sl_memory_disk_of(sl_client_history_store(sl_sim_history(sim, 0)));
        uint64_t before = sl_memory_disk_operations(disk);
        assert_true(write_item(sim, 0, 2, &st));
        uint64_t each = sl_memory_disk_operations(disk) - before;
        assert_true(sl_sim_settle(sim, 60000, &quiet, &st));
        assert_true(sl_sim_crash_at(sim, 0, each, SL_CRASH_POWER, &st));
        bool told = write_item(sim, 0, 3, &st);
        assert_true(sl_sim_advance(sim, 1000, &st));
        int64_t newest = newest_item(sim);
        assert_true(newest >= (told ? 3 : 2));
        there += newest == 3 && !told;
        gone += newest == 2;
        sl_sim_free(sim);
    }
    assert_true(there > 5);
    assert_true(gone > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failed_allocation_is_reported_or_survived),
        cmocka_unit_test(a_loss_of_power_leaves_any_beginning_of_what_was_not_flushed),
        cmocka_unit_test(a_commit_may_have_happened_when_the_machine_died_in_it),
    };
    return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
