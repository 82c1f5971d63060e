/* store_history_suite.h - what every store promises about transactions, history entries, reciprocal
 * forms, client files and metadata. Include once, after store_fixture.h. */
#ifndef SL_SPEC_STORE_HISTORY_SUITE_H
#define SL_SPEC_STORE_HISTORY_SUITE_H

#include "store_samples.h"

typedef struct seen_versions {
    uint64_t versions[64];
    uint32_t count, stop_after;
    uint64_t bytes;
    bool data;
} seen_versions;

static bool see_version(void *ctx, const sl_history_entry *entry) {
    seen_versions *seen = ctx;
    seen->versions[seen->count++] = entry->version;
    seen->bytes += entry->changeset.size + entry->original.size;
    if (entry->changeset.data) seen->data = true;
    return seen->count != seen->stop_after;
}

static void an_empty_store_holds_nothing(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    assert_range(store, 0, 0);
    assert_false(has_entry(store, 1));
    sl_client_file row;
    bool found = true;
    OK(store->vtbl->client_get(store, 2, &row, &found, st));
    assert_false(found);
    sl_str bytes;
    found = true;
    OK(store->vtbl->reciprocal_get(store, 1, 1, &bytes, &found, st));
    assert_false(found);
    int64_t number = 5;
    OK(store->vtbl->meta_get_int(store, "nothing", &number, st));
    assert_int_equal(number, 0);
    OK(store->vtbl->meta_get_bytes(store, "nothing", &bytes, st));
    assert_int_equal(bytes.size, 0);
}

static void entries_come_back_as_they_were_after_reopening(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    sl_history_entry entries[3] = {an_entry(1, "", ""), an_entry(4, "abc", ""),
                                   an_entry(900, "", "xyz")};
    entries[1].changeset = sl_str_of("a\0b", 3);
    entries[2].version = entries[2].origin_file = entries[2].peer_version = INT64_MAX;
    entries[2].origin_timestamp = entries[2].cumulative_size = INT64_MAX;
    BEGIN(store);
    for (int i = 0; i < 3; i++)
        OK(store->vtbl->entry_append(store, &entries[i], st));
    COMMIT(store);
    fixture_reopen(fixture);
    store = fixture->store;
    assert_range(store, 1, INT64_MAX);
    for (int i = 0; i < 3; i++) {
        sl_history_entry entry;
        bool found = false;
        OK(store->vtbl->entry_get(store, entries[i].version, &entry, &found, st));
        assert_true(found);
        assert_entry(&entry, &entries[i]);
    }
    assert_false(has_entry(store, 2));
}

static void versions_must_increase(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    BEGIN(store);
    sl_history_entry entry = an_entry(0, "", "");
    FAILS(SL_ERR_USAGE, store->vtbl->entry_append(store, &entry, st));
    append(store, 5, "a");
    entry.version = 5;
    FAILS(SL_ERR_USAGE, store->vtbl->entry_append(store, &entry, st));
    entry.version = 3;
    FAILS(SL_ERR_USAGE, store->vtbl->entry_append(store, &entry, st));
    entry.version = (uint64_t)INT64_MAX + 1;
    FAILS(SL_ERR_USAGE, store->vtbl->entry_append(store, &entry, st));
    append(store, 6, "b");
    COMMIT(store);
    assert_range(store, 5, 6);
}

static void a_scan_visits_the_half_open_range_in_order_and_stops_when_told(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    BEGIN(store);
    for (uint64_t v = 2; v <= 20; v += 3)
        append(store, v, "abcd");
    COMMIT(store);
    seen_versions seen = {0};
    OK(store->vtbl->entry_scan(store, 2, 14, true, see_version, &seen, st));
    assert_int_equal(seen.count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(seen.versions[i] == 5 + 3 * i);
    assert_true(seen.data);
    assert_int_equal(seen.bytes, 4 * 5);
    seen = (seen_versions){.stop_after = 2};
    OK(store->vtbl->entry_scan(store, 0, UINT64_MAX, true, see_version, &seen, st));
    assert_int_equal(seen.count, 2);
    seen = (seen_versions){0};
    OK(store->vtbl->entry_scan(store, 0, UINT64_MAX, false, see_version, &seen, st));
    assert_int_equal(seen.count, 7);
    assert_int_equal(seen.bytes, 7 * 5);
    assert_false(seen.data);
    seen = (seen_versions){0};
    OK(store->vtbl->entry_scan(store, 20, UINT64_MAX, true, see_version, &seen, st));
    OK(store->vtbl->entry_scan(store, UINT64_MAX, UINT64_MAX, true, see_version, &seen, st));
    OK(store->vtbl->entry_scan(store, 14, 5, true, see_version, &seen, st));
    assert_int_equal(seen.count, 0);
}

typedef struct rewriting {
    sl_store *store;
    uint32_t count;
} rewriting;

static bool rewrite_while_scanning(void *ctx, const sl_history_entry *entry) {
    rewriting *work = ctx;
    sl_history_entry changed = *entry;
    changed.changeset = SL_STR("changed");
    sl_store *store = work->store;
    sl_history_entry other;
    bool found;
    OK(store->vtbl->entry_get(store, entry->version, &other, &found, st));
    assert_true(found);
    OK(store->vtbl->entry_replace(store, &changed, st));
    assert_str(entry->original, "o", 1);
    work->count++;
    return true;
}

static void a_visitor_may_call_the_store(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    BEGIN(store);
    for (uint64_t v = 1; v <= 5; v++)
        append(store, v, "before");
    rewriting work = {store, 0};
    OK(store->vtbl->entry_scan(store, 0, 5, true, rewrite_while_scanning, &work, st));
    COMMIT(store);
    assert_int_equal(work.count, 5);
    sl_history_entry entry;
    bool found;
    OK(store->vtbl->entry_get(store, 5, &entry, &found, st));
    assert_str(entry.changeset, "changed", 7);
}

static void replacing_changes_four_fields_and_no_other(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    sl_history_entry before = an_entry(3, "abc", "original");
    BEGIN(store);
    OK(store->vtbl->entry_append(store, &before, st));
    sl_history_entry change = an_entry(3, "", "");
    change.peer_version = 77;
    change.cumulative_size = 1;
    change.origin_file = 1;
    change.salt = 1;
    change.origin_timestamp = 1;
    OK(store->vtbl->entry_replace(store, &change, st));
    change.version = 4;
    FAILS(SL_ERR_USAGE, store->vtbl->entry_replace(store, &change, st));
    COMMIT(store);
    sl_history_entry after;
    bool found;
    OK(store->vtbl->entry_get(store, 3, &after, &found, st));
    before.peer_version = 77;
    before.cumulative_size = 1;
    before.changeset = before.original = SL_STR("");
    assert_entry(&after, &before);
}

static void dropping_removes_up_to_a_version(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    BEGIN(store);
    for (uint64_t v = 1; v <= 10; v++)
        append(store, v, "x");
    OK(store->vtbl->entry_drop(store, 0, st));
    assert_range(store, 1, 10);
    OK(store->vtbl->entry_drop(store, 4, st));
    assert_range(store, 5, 10);
    OK(store->vtbl->entry_drop(store, UINT64_MAX, st));
    assert_range(store, 0, 0);
    append(store, 11, "y");
    COMMIT(store);
    assert_range(store, 11, 11);
}

static void an_empty_reciprocal_form_differs_from_none(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    BEGIN(store);
    OK(store->vtbl->reciprocal_put(store, 2, 1, SL_STR("one"), st));
    OK(store->vtbl->reciprocal_put(store, 2, 2, SL_STR(""), st));
    OK(store->vtbl->reciprocal_put(store, 3, 1, sl_str_of("\0\1", 2), st));
    OK(store->vtbl->reciprocal_put(store, 2, 1, SL_STR("uno"), st));
    COMMIT(store);
    fixture_reopen(fixture);
    store = fixture->store;
    sl_str bytes;
    bool found = false;
    OK(store->vtbl->reciprocal_get(store, 2, 1, &bytes, &found, st));
    assert_true(found);
    assert_str(bytes, "uno", 3);
    OK(store->vtbl->reciprocal_get(store, 2, 2, &bytes, &found, st));
    assert_true(found);
    assert_int_equal(bytes.size, 0);
    OK(store->vtbl->reciprocal_get(store, 2, 3, &bytes, &found, st));
    assert_false(found);
    BEGIN(store);
    OK(store->vtbl->reciprocal_drop(store, 2, 1, st));
    COMMIT(store);
    OK(store->vtbl->reciprocal_get(store, 2, 1, &bytes, &found, st));
    assert_false(found);
    OK(store->vtbl->reciprocal_get(store, 2, 2, &bytes, &found, st));
    assert_true(found);
    OK(store->vtbl->reciprocal_get(store, 3, 1, &bytes, &found, st));
    assert_true(found);
    assert_str(bytes, "\0\1", 2);
}

static bool see_client(void *ctx, const sl_client_file *row) {
    seen_versions *seen = ctx;
    seen->versions[seen->count++] = row->ident;
    return seen->count != seen->stop_after;
}

static void client_rows_are_added_replaced_and_visited_in_order(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    BEGIN(store);
    static const uint64_t idents[] = {5, 2, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        sl_client_file row = a_client(idents[i]);
        OK(store->vtbl->client_put(store, &row, st));
    }
    sl_client_file changed = a_client(5);
    changed.client_version = 1;
    changed.user = SL_STR("");
    OK(store->vtbl->client_put(store, &changed, st));
    sl_client_file wrong = a_client((uint64_t)INT64_MAX + 1);
    FAILS(SL_ERR_USAGE, store->vtbl->client_put(store, &wrong, st));
    COMMIT(store);
    fixture_reopen(fixture);
    store = fixture->store;
    sl_client_file row, expected = a_client(2);
    bool found = false;
    OK(store->vtbl->client_get(store, 2, &row, &found, st));
    assert_true(found);
    assert_client(&row, &expected);
    OK(store->vtbl->client_get(store, 5, &row, &found, st));
    assert_client(&row, &changed);
    OK(store->vtbl->client_get(store, 3, &row, &found, st));
    assert_false(found);
    seen_versions seen = {0};
    OK(store->vtbl->client_scan(store, see_client, &seen, st));
    assert_int_equal(seen.count, 3);
    assert_true(seen.versions[0] == 2 && seen.versions[1] == 5 && seen.versions[2] == INT64_MAX);
    seen = (seen_versions){.stop_after = 1};
    OK(store->vtbl->client_scan(store, see_client, &seen, st));
    assert_int_equal(seen.count, 1);
}

static void named_facts_keep_numbers_and_bytes(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    BEGIN(store);
    OK(store->vtbl->meta_put_int(store, "low", INT64_MIN, st));
    OK(store->vtbl->meta_put_int(store, "high", 1, st));
    OK(store->vtbl->meta_put_int(store, "high", INT64_MAX, st));
    OK(store->vtbl->meta_put_bytes(store, "bytes", sl_str_of("\xff\0x", 3), st));
    OK(store->vtbl->meta_put_bytes(store, "Bytes", SL_STR("other"), st));
    OK(store->vtbl->meta_put_int(store, "kind", 3, st));
    OK(store->vtbl->meta_put_bytes(store, "kind", SL_STR("3"), st));
    FAILS(SL_ERR_USAGE, store->vtbl->meta_put_int(store, "", 1, st));
    FAILS(SL_ERR_USAGE, store->vtbl->meta_put_int(store, "gr\xc3\xbc\xc3\x9f", 1, st));
    char name[66];
    memset(name, 'n', 65);
    name[65] = 0;
    FAILS(SL_ERR_USAGE, store->vtbl->meta_put_int(store, name, 1, st));
    OK(store->vtbl->meta_put_int(store, name + 1, 4, st));
    COMMIT(store);
    fixture_reopen(fixture);
    store = fixture->store;
    int64_t number;
    OK(store->vtbl->meta_get_int(store, "low", &number, st));
    assert_true(number == INT64_MIN);
    OK(store->vtbl->meta_get_int(store, "high", &number, st));
    assert_true(number == INT64_MAX);
    OK(store->vtbl->meta_get_int(store, name + 1, &number, st));
    assert_true(number == 4);
    OK(store->vtbl->meta_get_int(store, "kind", &number, st));
    assert_true(number == 0);
    sl_str bytes;
    OK(store->vtbl->meta_get_bytes(store, "bytes", &bytes, st));
    assert_str(bytes, "\xff\0x", 3);
    OK(store->vtbl->meta_get_bytes(store, "Bytes", &bytes, st));
    assert_str(bytes, "other", 5);
    OK(store->vtbl->meta_get_bytes(store, "low", &bytes, st));
    assert_int_equal(bytes.size, 0);
}

static void a_transaction_is_seen_inside_and_gone_after_rollback(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    store->vtbl->rollback(store);
    BEGIN(store);
    fill_every_table(store, 1, "kept");
    assert_newest(store, 1);
    COMMIT(store);
    BEGIN(store);
    fill_every_table(store, 2, "dropped");
    assert_newest(store, 2);
    store->vtbl->rollback(store);
    assert_newest(store, 1);
    BEGIN(store);
    fill_every_table(store, 2, "closed on");
    fixture_reopen(fixture);
    assert_newest(fixture->store, 1);
}

static void changes_need_exactly_one_transaction(void **state) {
    sl_store *store = ((store_fixture *)*state)->store;
    sl_history_entry entry = an_entry(1, "", "");
    sl_client_file row = a_client(2);
    FAILS(SL_ERR_USAGE, store->vtbl->entry_append(store, &entry, st));
    FAILS(SL_ERR_USAGE, store->vtbl->entry_replace(store, &entry, st));
    FAILS(SL_ERR_USAGE, store->vtbl->entry_drop(store, 1, st));
    FAILS(SL_ERR_USAGE, store->vtbl->reciprocal_put(store, 1, 1, SL_STR("x"), st));
    FAILS(SL_ERR_USAGE, store->vtbl->reciprocal_drop(store, 1, 1, st));
    FAILS(SL_ERR_USAGE, store->vtbl->client_put(store, &row, st));
    FAILS(SL_ERR_USAGE, store->vtbl->meta_put_int(store, "a", 1, st));
    FAILS(SL_ERR_USAGE, store->vtbl->meta_put_bytes(store, "a", SL_STR("x"), st));
    FAILS(SL_ERR_USAGE, store->vtbl->commit(store, true, st));
    BEGIN(store);
    FAILS(SL_ERR_USAGE, store->vtbl->begin(store, st));
    COMMIT(store);
    assert_range(store, 0, 0);
}

static void commits_of_both_kinds_and_sync_keep_everything(void **state) {
    store_fixture *fixture = *state;
    sl_store *store = fixture->store;
    for (uint64_t v = 1; v <= 6; v++) {
        BEGIN(store);
        fill_every_table(store, v, "x");
        OK(store->vtbl->commit(store, v % 3 == 0, st));
        if (v == 4) OK(store->vtbl->sync(store, st));
    }
    OK(store->vtbl->sync(store, st));
    OK(store->vtbl->sync(store, st));
    fixture_reopen(fixture);
    assert_newest(fixture->store, 6);
}

#define STORE_HISTORY_TESTS(setup, teardown)                                                       \
    cmocka_unit_test_setup_teardown(an_empty_store_holds_nothing, setup, teardown),                \
        cmocka_unit_test_setup_teardown(entries_come_back_as_they_were_after_reopening, setup,     \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(versions_must_increase, setup, teardown),                  \
        cmocka_unit_test_setup_teardown(                                                           \
            a_scan_visits_the_half_open_range_in_order_and_stops_when_told, setup, teardown),      \
        cmocka_unit_test_setup_teardown(a_visitor_may_call_the_store, setup, teardown),            \
        cmocka_unit_test_setup_teardown(replacing_changes_four_fields_and_no_other, setup,         \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(dropping_removes_up_to_a_version, setup, teardown),        \
        cmocka_unit_test_setup_teardown(an_empty_reciprocal_form_differs_from_none, setup,         \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(client_rows_are_added_replaced_and_visited_in_order,       \
                                        setup, teardown),                                          \
        cmocka_unit_test_setup_teardown(named_facts_keep_numbers_and_bytes, setup, teardown),      \
        cmocka_unit_test_setup_teardown(a_transaction_is_seen_inside_and_gone_after_rollback,      \
                                        setup, teardown),                                          \
        cmocka_unit_test_setup_teardown(changes_need_exactly_one_transaction, setup, teardown),    \
        cmocka_unit_test_setup_teardown(commits_of_both_kinds_and_sync_keep_everything, setup,     \
                                        teardown)

#endif
