/* The SQLite store keeps the contract of every store, in a file and in memory. */
#include "store/sqlite_store.h"

#include "failing_alloc.h"
#include "store_fixture.h"
#include "store_history_suite.h"
#include "store_object_suite.h"
#include "temp_dir.h"

typedef struct sqlite_fixture {
    store_fixture base;
    failing_alloc memory;
    temp_dir dir;
    char path[300];
} sqlite_fixture;

static sl_store *open_file(store_fixture *base) {
    sqlite_fixture *fixture = (sqlite_fixture *)base;
    sl_sqlite_options options = {.alloc = &fixture->memory.alloc};
    sl_store *store = NULL;
    OK(sl_sqlite_open(fixture->path, &options, &store, st));
    return store;
}

static int setup(void **state) {
    sqlite_fixture *fixture = calloc(1, sizeof *fixture);
    failing_alloc_init(&fixture->memory);
    temp_dir_make(&fixture->dir);
    temp_dir_file(&fixture->dir, "one.realm", fixture->path);
    fixture->base.open = open_file;
    fixture->base.store = open_file(&fixture->base);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    sqlite_fixture *fixture = *state;
    if (fixture->base.store) fixture->base.store->vtbl->close(fixture->base.store);
    temp_dir_remove(&fixture->dir);
    int64_t live = fixture->memory.live;
    free(fixture);
    assert_int_equal(live, 0);
    return 0;
}

static void many_random_objects_come_back_bit_by_bit(void **state) {
    for (uint64_t seed = 2; seed < 12; seed++) {
        sqlite_fixture *fixture = *state;
        fixture->base.store->vtbl->close(fixture->base.store);
        char name[32];
        snprintf(name, sizeof name, "random%d.realm", (int)seed);
        temp_dir_file(&fixture->dir, name, fixture->path);
        fixture->base.store = open_file(&fixture->base);
        check_random_objects(&fixture->base, seed);
    }
}

static void a_store_in_memory_needs_no_file(void **state) {
    (void)state;
    sl_store *store = NULL;
    OK(sl_sqlite_open(":memory:", NULL, &store, st));
    BEGIN(store);
    fill_every_table(store, 1, "x");
    COMMIT(store);
    OK(store->vtbl->sync(store, st));
    assert_newest(store, 1);
    store->vtbl->close(store);
}

/* Schema, objects and history in one transaction; false if any call failed. */
static bool change_everything(sl_store *store, sl_status *st) {
    const sl_realm_source *source = store->vtbl->source(store);
    sl_schema schema;
    sl_schema_init(&schema, source->alloc);
    sl_object *object = NULL;
    sl_class def = {.name = SL_STR("C"),
                    .has_key = true,
                    .key_name = SL_STR("_id"),
                    .key_type = SL_TYPE_STRING,
                    .key_nullable = true};
    sl_property list = {.name = SL_STR("list"), .type = SL_TYPE_MIXED, .collection = SL_LIST};
    sl_property time = {.name = SL_STR("time"), .type = SL_TYPE_TIMESTAMP};
    sl_key key = string_key(SL_STR("key"));
    bool ok = store->vtbl->begin(store, st) && source->schema_load(source->ctx, &schema, st);
    sl_class *cls = ok ? sl_schema_find(&schema, def.name) : NULL;
    if (ok && !cls) {
        cls = sl_schema_add_class(&schema, &def);
        ok = (cls || sl_fail_memory(st)) && source->class_added(source->ctx, cls, st);
        const sl_property *property = ok ? sl_schema_add_property(&schema, cls, &list) : NULL;
        ok = ok && (property || sl_fail_memory(st)) &&
             source->property_added(source->ctx, cls, property, st);
        property = ok ? sl_schema_add_property(&schema, cls, &time) : NULL;
        ok = ok && (property || sl_fail_memory(st)) &&
             source->property_added(source->ctx, cls, property, st);
    }
    if (ok) {
        object = sl_object_new(source->alloc, cls, &key);
        ok = (object && sl_object_complete(source->alloc, object)) || sl_fail_memory(st);
    }
    sl_history_entry entry = an_entry(1, "changeset", "original");
    sl_client_file row = a_client(1);
    bool found;
    ok = ok && source->object_save(source->ctx, cls, object, st) &&
         source->object_load(source->ctx, cls, &key, object, &found, st) &&
         source->object_erase(source->ctx, cls, &key, st) &&
         store->vtbl->entry_append(store, &entry, st) &&
         store->vtbl->entry_get(store, 1, &entry, &found, st) &&
         store->vtbl->reciprocal_put(store, 1, 1, SL_STR("y"), st) &&
         store->vtbl->client_put(store, &row, st) &&
         store->vtbl->meta_put_int(store, "version", 1, st) && store->vtbl->commit(store, true, st);
    store->vtbl->rollback(store);
    sl_object_free(source->alloc, object);
    sl_schema_free(&schema);
    return ok;
}

static void every_failed_allocation_leaves_the_last_commit(void **state) {
    sqlite_fixture *fixture = *state;
    for (uint64_t n = 1;; n++) {
        fixture->memory.fail_at = n;
        sl_status status = SL_STATUS_INIT;
        bool ok = change_everything(fixture->base.store, &status);
        fixture->memory.fail_at = 0;
        if (ok) break;
        assert_int_equal(status.cls, SL_ERR_MEMORY);
        assert_newest(fixture->base.store, 0);
        assert_range(fixture->base.store, 0, 0);
    }
    assert_newest(fixture->base.store, 1);
}

static void opening_survives_failed_allocations(void **state) {
    sqlite_fixture *fixture = *state;
    sl_status status = SL_STATUS_INIT;
    assert_true(change_everything(fixture->base.store, &status));
    fixture->base.store->vtbl->close(fixture->base.store);
    fixture->base.store = NULL;
    int64_t live = fixture->memory.live;
    for (uint64_t n = 1;; n++) {
        sl_sqlite_options options = {.alloc = &fixture->memory.alloc};
        fixture->memory.fail_at = n;
        bool ok = sl_sqlite_open(fixture->path, &options, &fixture->base.store, &status);
        fixture->memory.fail_at = 0;
        if (ok) break;
        assert_int_equal(status.cls, SL_ERR_MEMORY);
        assert_int_equal(fixture->memory.live, live);
    }
    assert_newest(fixture->base.store, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_HISTORY_TESTS(setup, teardown),
        STORE_OBJECT_TESTS(setup, teardown),
        T(many_random_objects_come_back_bit_by_bit),
        cmocka_unit_test(a_store_in_memory_needs_no_file),
        T(every_failed_allocation_leaves_the_last_commit),
        T(opening_survives_failed_allocations),
    };
    return cmocka_run_group_tests_name("sqlite store", tests, NULL, NULL);
}
