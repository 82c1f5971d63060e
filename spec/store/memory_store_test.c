/* The in-memory store: the contract of every store, and a disk that fails on purpose. */
#include "store/memory_store.h"

#include "failing_alloc.h"
#include "store_fixture.h"
#include "store_history_suite.h"
#include "store_object_suite.h"

typedef struct memory_fixture {
    store_fixture base;
    failing_alloc memory;
    sl_memory_disk *disk;
} memory_fixture;

static sl_store *open_disk(store_fixture *base) {
    sl_store *store = NULL;
    OK(sl_memory_disk_open(((memory_fixture *)base)->disk, &store, st));
    return store;
}

static int setup(void **state) {
    memory_fixture *fixture = calloc(1, sizeof *fixture);
    failing_alloc_init(&fixture->memory);
    fixture->base.open = open_disk;
    fixture->disk = sl_memory_disk_new(&fixture->memory.alloc);
    fixture->base.store = open_disk(&fixture->base);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    memory_fixture *fixture = *state;
    if (fixture->base.store) fixture->base.store->vtbl->close(fixture->base.store);
    sl_memory_disk_free(fixture->disk);
    int64_t live = fixture->memory.live;
    free(fixture);
    assert_int_equal(live, 0);
    return 0;
}

static void power_loss_takes_back_what_was_not_made_durable(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    for (uint64_t v = 1; v <= 3; v++) {
        BEGIN(store);
        fill_every_table(store, v, "x");
        OK(store->vtbl->commit(store, v == 2, st));
    }
    BEGIN(store);
    fill_every_table(store, 4, "open");
    sl_memory_disk_crash(fixture->disk, SL_CRASH_PROCESS);
    assert_newest(store, 3);
    sl_memory_disk_crash(fixture->disk, SL_CRASH_POWER);
    assert_newest(store, 2);
    fixture_reopen(&fixture->base);
    assert_newest(fixture->base.store, 2);
}

static void sync_makes_earlier_commits_survive_power_loss(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    BEGIN(store);
    fill_every_table(store, 1, "x");
    OK(store->vtbl->commit(store, false, st));
    OK(store->vtbl->sync(store, st));
    sl_memory_disk_crash(fixture->disk, SL_CRASH_POWER);
    assert_newest(store, 1);
}

static void power_loss_may_leave_the_first_of_what_was_not_flushed(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    sl_memory_disk_keep_unflushed(fixture->disk);
    for (uint64_t v = 1; v <= 5; v++) {
        BEGIN(store);
        fill_every_table(store, v, "x");
        OK(store->vtbl->commit(store, v == 2, st));
    }
    assert_int_equal(sl_memory_disk_unflushed(fixture->disk), 3);
    sl_memory_disk_tear(fixture->disk, 2);
    assert_newest(store, 4);
    sl_memory_disk_tear(fixture->disk, 9);
    assert_newest(store, 4);
    sl_memory_disk_tear(fixture->disk, 1);
    assert_newest(store, 3);
    OK(store->vtbl->sync(store, st));
    assert_int_equal(sl_memory_disk_unflushed(fixture->disk), 0);
    sl_memory_disk_tear(fixture->disk, 0);
    assert_newest(store, 3);
}

static void nothing_happens_after_the_machine_has_died(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    sl_status status = SL_STATUS_INIT;
    for (int stays = 0; stays < 2; stays++) {
        BEGIN(store);
        fill_every_table(store, (uint64_t)stays + 1, "x");
        sl_memory_disk_die(fixture->disk, 1, stays);
        assert_false(store->vtbl->commit(store, true, &status));
        assert_string_equal(status.id, "IO");
        assert_false(store->vtbl->begin(store, &status));
        assert_false(store->vtbl->sync(store, &status));
        sl_memory_disk_crash(fixture->disk, SL_CRASH_POWER);
        assert_newest(store, stays ? 2 : 0);
    }
}

static void a_planned_failure_hits_one_operation_once(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    uint64_t before = sl_memory_disk_operations(fixture->disk);
    BEGIN(store);
    fill_every_table(store, 1, "x");
    COMMIT(store);
    assert_int_equal(sl_memory_disk_operations(fixture->disk) - before, 8);
    const uint64_t operations = 6; /* of the calls below */
    for (uint64_t n = 1; n <= operations; n++) {
        sl_memory_disk_fail(fixture->disk, n);
        sl_status status = SL_STATUS_INIT;
        sl_history_entry entry = an_entry(2, "y", "");
        sl_client_file row = a_client(2);
        bool ok = store->vtbl->begin(store, &status) &&
                  store->vtbl->entry_append(store, &entry, &status) &&
                  store->vtbl->reciprocal_put(store, 1, 2, SL_STR("y"), &status) &&
                  store->vtbl->client_put(store, &row, &status) &&
                  store->vtbl->meta_put_int(store, "version", 2, &status) &&
                  store->vtbl->commit(store, true, &status);
        assert_false(ok);
        assert_int_equal(status.cls, SL_ERR_STORAGE);
        assert_string_equal(status.id, "IO");
        store->vtbl->rollback(store);
        assert_newest(store, 1);
    }
}

static void a_full_disk_refuses_growth_and_keeps_what_is_there(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    BEGIN(store);
    fill_every_table(store, 1, "x");
    COMMIT(store);
    sl_memory_disk_limit(fixture->disk, sl_memory_disk_size(fixture->disk));
    BEGIN(store);
    sl_history_entry entry = an_entry(2, "more", "");
    FAILS(SL_ERR_STORAGE, store->vtbl->entry_append(store, &entry, st));
    store->vtbl->rollback(store);
    assert_newest(store, 1);
    BEGIN(store);
    OK(store->vtbl->entry_drop(store, 1, st));
    OK(store->vtbl->meta_put_int(store, "version", 9, st));
    COMMIT(store);
    sl_memory_disk_limit(fixture->disk, UINT64_MAX);
    BEGIN(store);
    OK(store->vtbl->entry_append(store, &entry, st));
    COMMIT(store);
    assert_range(store, 2, 2);
}

static void a_disk_is_opened_once_and_copied_whole(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store, *second = NULL;
    FAILS(SL_ERR_STORAGE, sl_memory_disk_open(fixture->disk, &second, st));
    BEGIN(store);
    fill_every_table(store, 1, "x");
    COMMIT(store);
    BEGIN(store);
    fill_every_table(store, 2, "not in the copy");
    sl_memory_disk *copy = sl_memory_disk_copy(fixture->disk);
    COMMIT(store);
    OK(sl_memory_disk_open(copy, &second, st));
    sl_memory_disk_free(copy);
    assert_newest(second, 1);
    BEGIN(second);
    fill_every_table(second, 5, "only in the copy");
    COMMIT(second);
    assert_newest(store, 2);
    assert_newest(second, 5);
    second->vtbl->close(second);
}

/* A small pseudo-random sequence, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_changes_match_a_plain_model(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    int64_t model[40] = {0}, saved[40];
    uint32_t seed = 12345;
    for (int round = 0; round < 300; round++) {
        memcpy(saved, model, sizeof model);
        BEGIN(store);
        for (int i = 0; i < 12; i++) {
            uint32_t slot = next_random(&seed) % 40;
            char name[16];
            snprintf(name, sizeof name, "n%u", slot);
            model[slot] = (int64_t)next_random(&seed);
            OK(store->vtbl->meta_put_int(store, name, model[slot], st));
        }
        if (next_random(&seed) % 3 == 0) {
            store->vtbl->rollback(store);
            memcpy(model, saved, sizeof model);
        } else {
            OK(store->vtbl->commit(store, next_random(&seed) % 2, st));
        }
        for (uint32_t slot = 0; slot < 40; slot++) {
            char name[16];
            int64_t value;
            snprintf(name, sizeof name, "n%u", slot);
            OK(store->vtbl->meta_get_int(store, name, &value, st));
            assert_true(value == model[slot]);
        }
    }
}

static void every_failed_allocation_leaves_the_last_commit(void **state) {
    memory_fixture *fixture = *state;
    sl_store *store = fixture->base.store;
    BEGIN(store);
    fill_every_table(store, 1, "x");
    COMMIT(store);
    for (uint64_t n = 1;; n++) {
        fixture->memory.fail_at = n;
        sl_status status = SL_STATUS_INIT;
        sl_history_entry entry = an_entry(2, "y", "");
        sl_client_file row = a_client(2);
        bool ok = store->vtbl->begin(store, &status) &&
                  store->vtbl->entry_append(store, &entry, &status) &&
                  store->vtbl->reciprocal_put(store, 1, 2, SL_STR("y"), &status) &&
                  store->vtbl->entry_drop(store, 1, &status) &&
                  store->vtbl->client_put(store, &row, &status) &&
                  store->vtbl->meta_put_int(store, "version", 2, &status) &&
                  store->vtbl->commit(store, true, &status);
        fixture->memory.fail_at = 0;
        if (ok) {
            assert_true(n > 5);
            break;
        }
        assert_int_equal(status.cls, SL_ERR_MEMORY);
        store->vtbl->rollback(store);
        assert_newest(store, 1);
    }
    assert_newest(store, 2);
}

static void opening_survives_failed_allocations(void **state) {
    (void)state;
    failing_alloc memory;
    failing_alloc_init(&memory);
    for (uint64_t n = 1;; n++) {
        memory.fail_at = n;
        sl_store *store = NULL;
        sl_status status = SL_STATUS_INIT;
        bool ok = sl_memory_open(&memory.alloc, &store, &status);
        memory.fail_at = 0;
        if (ok) {
            store->vtbl->close(store);
            assert_int_equal(memory.live, 0);
            break;
        }
        assert_int_equal(status.cls, SL_ERR_MEMORY);
        assert_int_equal(memory.live, 0);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_HISTORY_TESTS(setup, teardown),
        STORE_OBJECT_TESTS(setup, teardown),
        T(power_loss_takes_back_what_was_not_made_durable),
        T(sync_makes_earlier_commits_survive_power_loss),
        T(power_loss_may_leave_the_first_of_what_was_not_flushed),
        T(nothing_happens_after_the_machine_has_died),
        T(a_planned_failure_hits_one_operation_once),
        T(a_full_disk_refuses_growth_and_keeps_what_is_there),
        T(a_disk_is_opened_once_and_copied_whole),
        T(random_changes_match_a_plain_model),
        T(every_failed_allocation_leaves_the_last_commit),
        cmocka_unit_test(opening_survives_failed_allocations),
    };
    return cmocka_run_group_tests_name("memory store", tests, NULL, NULL);
}
