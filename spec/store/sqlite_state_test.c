/* States of the SQLite store: made while others write, received in pieces, and files of which the
 * receiver can believe nothing. */
#include <fcntl.h>

#include "failing_alloc.h"
#include "object_maker.h"
#include "store/sqlite_store.h"
#include "store_samples.h"
#include "store_sql.h"
#include "temp_dir.h"

enum { OBJECTS = 1000 };

typedef struct world {
    temp_dir dir;
    char path[300], client[300], part[300];
    sl_store *store, *receiver;
    maker m;
    sl_class *cls;
    sl_buf stream; /* the segments of the kept state */
    sl_state_facts facts;
} world;

static const sl_state_store *states_of(sl_store *store) {
    return store->vtbl->states(store);
}

static void create(world *w, int64_t id, const char *text) {
    sl_key key = int_key(id);
    sl_object *object = make_object(&w->m, w->cls, &key);
    set_link(&w->m, &object->values[1], SL_STR("C"), int_key(id + 1));
    set_link(&w->m, add_item(&w->m, &object->values[2]), SL_STR("C"), int_key(id + 2));
    set_value(&w->m, &object->values[0],
              (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(text)});
    save_object(&w->m, object);
    sl_object_free(w->m.alloc, object);
}

static void fill(world *w) {
    maker_open(&w->m, w->store);
    BEGIN(w->store);
    fill_every_table(w->store, 1, "first");
    w->cls = make_class(&w->m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(&w->m, w->cls, SL_STR("s"), SL_TYPE_STRING, SL_SINGLE, true, SL_STR(""));
    make_property(&w->m, w->cls, SL_STR("one"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    make_property(&w->m, w->cls, SL_STR("many"), SL_TYPE_LINK, SL_LIST, false, SL_STR("C"));
    sl_class *log = make_class(&w->m, SL_STR("Log"), SL_TABLE_ASYMMETRIC, SL_TYPE_INT);
    make_property(&w->m, log, SL_STR("of"), SL_TYPE_LINK, SL_LIST, false, SL_STR("C"));
    sl_key key = int_key(1);
    sl_object *object = make_object(&w->m, log, &key);
    set_link(&w->m, add_item(&w->m, &object->values[0]), SL_STR("C"), int_key(1));
    save_object(&w->m, object);
    sl_object_free(w->m.alloc, object);
    for (int64_t i = 0; i < OBJECTS; i++)
        create(w, i, "some text that every object has");
    COMMIT(w->store);
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    temp_dir_make(&w->dir);
    temp_dir_file(&w->dir, "server.realm", w->path);
    temp_dir_file(&w->dir, "client.realm", w->client);
    temp_dir_file(&w->dir, "client.realm.receiving", w->part);
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
    OK(sl_sqlite_open(w->client, NULL, &w->receiver, st));
    sl_buf_init(&w->stream, NULL);
    fill(w);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    maker_close(&w->m);
    if (w->store) w->store->vtbl->close(w->store);
    if (w->receiver) w->receiver->vtbl->close(w->receiver);
    sl_buf_free(&w->stream);
    temp_dir_remove(&w->dir);
    free(w);
    return 0;
}

static size_t make_state(world *w) {
    const sl_state_store *states = states_of(w->store);
    bool done = false;
    size_t steps = 0;
    OK(states->make_begin(states->ctx, st));
    for (; !done; steps++)
        OK(states->make_step(states->ctx, &done, st));
    states->kept(states->ctx, &w->facts);
    sl_buf_clear(&w->stream);
    while (w->stream.size < w->facts.size)
        OK(states->kept_read(states->ctx, w->stream.size, 1, &w->stream, st));
    assert_int_equal(w->stream.size, w->facts.size);
    return steps;
}

/* Puts the whole stream together beside the client's file. */
static void receive(world *w) {
    const sl_state_store *states = states_of(w->receiver);
    sl_str left = sl_str_of(w->stream.data, w->stream.size);
    char *blocks = malloc(SL_STATE_SEGMENT_BYTES);
    bool found;
    OK(states->part_begin(states->ctx, 0, &found, st));
    while (left.size) {
        size_t size;
        OK(sl_state_unpack(NULL, &left, blocks, &size, st));
        OK(states->part_add(states->ctx, sl_str_of(blocks, size), st));
    }
    OK(states->part_sync(states->ctx, st));
    free(blocks);
}

static void install(world *w) {
    w->receiver->vtbl->close(w->receiver);
    w->receiver = NULL;
    OK(sl_sqlite_state_install(w->client, st));
    OK(sl_sqlite_open(w->client, NULL, &w->receiver, st));
}

static const char schema[] =
    "SELECT name, kind, key_type, objects_made FROM _sl_classes ORDER BY name";

static void same_rows(world *w, const char *sql) {
    char *there = strdup(sql_text(w->path, sql));
    assert_string_equal(sql_text(w->client, sql), there);
    free(there);
}

static void a_state_holds_the_objects_and_nothing_else(void **state) {
    world *w = *state;
    assert_true(make_state(w) > 5); /* many small steps */
    assert_int_equal(w->facts.version, 1);
    assert_true(w->facts.salt != 0);
    receive(w);
    const sl_state_store *states = states_of(w->receiver);
    sl_store *part = NULL;
    OK(states->part_open(states->ctx, &part, st));
    part->vtbl->close(part);
    install(w);
    same_rows(w, schema);
    same_rows(w, "SELECT count(*), sum(length(s)), sum(one) FROM C");
    same_rows(w, "SELECT * FROM C ORDER BY 1 LIMIT 60");
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM _sl_links"), "1000\n");
    assert_string_equal(sql_text(w->path, "SELECT count(*) FROM _sl_links"), "1001\n");
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM Log"), "0\n");
    assert_string_equal(sql_text(w->client,
                                 "SELECT (SELECT count(*) FROM _sl_history) + (SELECT count(*) FROM"
                                 " _sl_client_files) + (SELECT count(*) FROM _sl_reciprocal)"),
                        "0\n");
    uint64_t findings = 1;
    OK(sl_sqlite_check(w->receiver, NULL, NULL, &findings, st));
    assert_int_equal(findings, 0);
    assert_int_equal(access(w->part, F_OK), -1);
    assert_string_equal(sql_text(w->client, "PRAGMA journal_mode"), "wal\n");
}

static void a_state_is_that_of_one_moment(void **state) {
    world *w = *state;
    const sl_state_store *states = states_of(w->store);
    bool done = false;
    OK(states->make_begin(states->ctx, st));
    for (uint64_t version = 2; !done; version++) {
        OK(states->make_step(states->ctx, &done, st));
        BEGIN(w->store);
        fill_every_table(w->store, version, "later");
        create(w, 10000 + (int64_t)version, "later");
        create(w, (int64_t)version, "overwritten");
        COMMIT(w->store);
    }
    states->kept(states->ctx, &w->facts);
    assert_int_equal(w->facts.version, 1);
    sl_buf_clear(&w->stream);
    while (w->stream.size < w->facts.size)
        OK(states->kept_read(states->ctx, w->stream.size, 100000, &w->stream, st));
    receive(w);
    states = states_of(w->receiver);
    sl_store *part = NULL;
    OK(states->part_open(states->ctx, &part, st));
    part->vtbl->close(part);
    install(w);
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM C WHERE s LIKE 'some text%'"),
                        "1000\n");
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM C"), "1000\n");
    /* What was copied last is of that moment, too. */
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM _sl_links"), "1000\n");
}

static void a_kept_state_survives_and_is_dropped(void **state) {
    world *w = *state;
    make_state(w);
    maker_close(&w->m);
    w->store->vtbl->close(w->store);
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
    maker_open(&w->m, w->store);
    const sl_state_store *states = states_of(w->store);
    sl_state_facts facts;
    states->kept(states->ctx, &facts);
    assert_memory_equal(&facts, &w->facts, sizeof facts);
    bool starts = true;
    OK(states->kept_at(states->ctx, 0, &starts, st));
    assert_true(starts);
    OK(states->kept_at(states->ctx, 1, &starts, st));
    assert_false(starts);
    OK(states->kept_at(states->ctx, facts.size, &starts, st));
    assert_true(starts);
    OK(states->kept_at(states->ctx, facts.size + 1, &starts, st));
    assert_false(starts);
    /* Cut off, it is none. */
    char kept[320];
    snprintf(kept, sizeof kept, "%s.state", w->path);
    states->kept_drop(states->ctx);
    assert_int_equal(access(kept, F_OK), -1);
    states->kept(states->ctx, &facts);
    assert_int_equal(facts.version, 0);
    make_state(w);
    assert_int_equal(truncate(kept, (off_t)w->facts.size), 0);
    maker_close(&w->m);
    w->store->vtbl->close(w->store);
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
    maker_open(&w->m, w->store);
    states = states_of(w->store);
    states->kept(states->ctx, &facts);
    assert_int_equal(facts.version, 0);
}

static void a_part_goes_on_where_it_stood(void **state) {
    world *w = *state;
    make_state(w);
    const sl_state_store *states = states_of(w->receiver);
    char block[SL_STATE_BLOCK];
    bool found = true;
    OK(states->part_begin(states->ctx, SL_STATE_BLOCK, &found, st));
    assert_false(found);
    OK(states->part_begin(states->ctx, 0, &found, st));
    assert_true(found);
    for (char c = 'a'; c < 'e'; c++) {
        memset(block, c, sizeof block);
        OK(states->part_add(states->ctx, sl_str_of(block, sizeof block), st));
    }
    w->receiver->vtbl->close(w->receiver);
    OK(sl_sqlite_open(w->client, NULL, &w->receiver, st));
    states = states_of(w->receiver);
    OK(states->part_begin(states->ctx, 2 * SL_STATE_BLOCK, &found, st));
    assert_true(found);
    OK(states->part_add(states->ctx, sl_str_of(block, sizeof block), st));
    char room[4 * SL_STATE_BLOCK];
    int fd = open(w->part, O_RDONLY);
    assert_int_equal(read(fd, room, sizeof room), 3 * SL_STATE_BLOCK);
    close(fd);
    assert_int_equal(room[SL_STATE_BLOCK], 'b');
    assert_int_equal(room[2 * SL_STATE_BLOCK], 'd');
    states->part_drop(states->ctx);
    assert_int_equal(access(w->part, F_OK), -1);
}

/* The part as `harm` left it is refused, and nothing of it is opened. */
static void refuses(world *w, const char *harm) {
    const sl_state_store *states = states_of(w->receiver);
    sl_status status = SL_STATUS_INIT;
    sl_store *part = NULL;
    if (states->part_open(states->ctx, &part, &status)) fail_msg("accepted: %s", harm);
    if (status.cls != SL_ERR_STORAGE || strcmp(status.id, "DAMAGED") != 0)
        fail_msg("%s: %s %s", harm, status.id, status.message);
}

/* A server may be anybody. */
static void a_hostile_file_is_refused(void **state) {
    world *w = *state;
    static const char *const harms[] = {
        "CREATE TRIGGER t AFTER INSERT ON C BEGIN DELETE FROM C; END",
        "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT * FROM"
        " n",
        "DROP VIEW _sl_log; CREATE VIEW _sl_log AS SELECT 1 AS version",
        "CREATE TABLE more(a)",
        "CREATE INDEX more ON C(s)",
        "DROP INDEX _sl_index_1_2",
        "ALTER TABLE C ADD COLUMN d DEFAULT 5",
        "ALTER TABLE C ADD COLUMN d GENERATED ALWAYS AS (length(s)) VIRTUAL",
        "ALTER TABLE C RENAME COLUMN s TO other",
        "DROP TABLE C",
        "DROP TABLE _sl_history",
        "INSERT INTO _sl_history VALUES(1,0,0,0,0,0,x'',x'')",
        "INSERT INTO _sl_client_files VALUES(2,3,2,0,0,0,0,0,1,'')",
        "INSERT INTO _sl_reciprocal VALUES(1,1,x'')",
        "INSERT INTO _sl_meta VALUES('client_state', 'version=1')",
        "UPDATE _sl_meta SET value = 4000000000",
        "UPDATE _sl_classes SET id = 4000000000 WHERE name = 'C'",
        "UPDATE _sl_classes SET table_name = '_sl_history' WHERE name = 'C'",
        "UPDATE _sl_classes SET kind = 'nonsense'",
        "UPDATE _sl_classes SET key_type = 'nonsense'",
        "UPDATE _sl_properties SET type = 'nonsense'",
        "UPDATE _sl_properties SET column_name = 'x\"; DROP TABLE C; --'",
        "UPDATE _sl_properties SET class = 99 WHERE name = 's'",
        "DELETE FROM _sl_properties",
        "PRAGMA user_version = 1",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 5",
        "PRAGMA journal_mode = WAL",
        "PRAGMA auto_vacuum = FULL; VACUUM",
        "PRAGMA page_size = 8192; VACUUM",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 2 WHERE name = 'C'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE C(x)' WHERE name"
        " = 'C'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'nonsense' WHERE name = 'C'",
    };
    make_state(w);
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        receive(w);
        sql_run(w->part, harms[i]);
        refuses(w, harms[i]);
    }
    receive(w);
    assert_int_equal(truncate(w->part, 3 * SL_STATE_BLOCK), 0);
    refuses(w, "cut off");
    assert_int_equal(truncate(w->part, 0), 0);
    refuses(w, "empty");
    receive(w); /* and as it came it is good */
    const sl_state_store *states = states_of(w->receiver);
    sl_store *part = NULL;
    OK(states->part_open(states->ctx, &part, st));
    part->vtbl->close(part);
}

static bool count_key(void *ctx, const sl_key *key) {
    (void)key;
    ++*(uint64_t *)ctx;
    return true;
}

/* Reads whatever can be read. */
static void read_everything(sl_store *part) {
    sl_status status = SL_STATUS_INIT;
    uint64_t findings = 0, keys = 0;
    sl_sqlite_check(part, NULL, NULL, &findings, &status);
    sl_schema loaded;
    const sl_realm_source *source = part->vtbl->source(part);
    sl_schema_init(&loaded, NULL);
    if (source->schema_load(source->ctx, &loaded, &status))
        for (uint32_t i = 0; i < loaded.count; i++)
            source->object_scan(source->ctx, loaded.classes[i], count_key, &keys, &status);
    sl_schema_free(&loaded);
}

static void any_bytes_do_no_harm(void **state) {
    world *w = *state;
    make_state(w);
    receive(w);
    const sl_state_store *states = states_of(w->receiver);
    maker_random random = {77};
    int fd = open(w->part, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END);
    int opened = 0;
    for (int round = 0; round < 200; round++) {
        char old[64];
        /* Often the first pages, where the schema is. */
        off_t from = round & 1 ? (off_t)random_below(&random, 12 * SL_STATE_BLOCK)
                               : (off_t)random_below(&random, (uint32_t)size - 64);
        size_t length = 1 + random_below(&random, round % 3 ? 4 : 60);
        assert_int_equal(pread(fd, old, length, from), length);
        for (size_t i = 0; i < length; i++) {
            char byte = (char)random_below(&random, 256);
            assert_int_equal(pwrite(fd, &byte, 1, from + (off_t)i), 1);
        }
        sl_store *part = NULL;
        sl_status status = SL_STATUS_INIT;
        if (states->part_open(states->ctx, &part, &status)) {
            opened++;
            read_everything(part);
            part->vtbl->close(part);
        } else {
            assert_int_equal(status.cls, SL_ERR_STORAGE);
        }
        assert_int_equal(pwrite(fd, old, length, from), length);
    }
    close(fd);
    assert_true(opened > 20); /* values of objects may be anything */
}

static void a_segment_is_checked(void **state) {
    world *w = *state;
    char *blocks = malloc(SL_STATE_SEGMENT_BYTES + SL_STATE_BLOCK);
    memset(blocks, 'x', SL_STATE_SEGMENT_BYTES + SL_STATE_BLOCK);
    static const struct {
        size_t plain;
        int cut, more;
        bool good;
    } cases[] = {{SL_STATE_BLOCK, 0, 0, true},
                 {SL_STATE_SEGMENT_BYTES, 0, 0, true},
                 {SL_STATE_SEGMENT_BYTES + SL_STATE_BLOCK, 0, 0, false}, /* a bomb */
                 {SL_STATE_BLOCK + 1, 0, 0, false},
                 {0, 0, 0, false},
                 {SL_STATE_BLOCK, 1, 0, false},
                 {SL_STATE_BLOCK, 1, 1, false},
                 {SL_STATE_BLOCK, 0, 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_status status = SL_STATUS_INIT;
        size_t size = 0;
        sl_buf_clear(&w->stream);
        OK(sl_state_pack(&w->stream, sl_str_of(blocks, cases[i].plain), st));
        w->stream.size -= (size_t)cases[i].cut;
        if (cases[i].more) { /* the size says so, the stream does not */
            if (!cases[i].cut) sl_buf_byte(&w->stream, 0);
            w->stream.data[3] = (char)(w->stream.size - 4);
            w->stream.data[2] = (char)((w->stream.size - 4) >> 8);
        }
        sl_str left = sl_str_of(w->stream.data, w->stream.size);
        char *out = malloc(SL_STATE_SEGMENT_BYTES);
        bool good = sl_state_unpack(NULL, &left, out, &size, &status);
        if (good != cases[i].good) fail_msg("case %zu: %s", i, status.message);
        if (good) assert_int_equal(size, cases[i].plain);
        if (good) assert_int_equal(left.size, 0);
        if (!good) assert_string_equal(status.id, "DAMAGED");
        free(out);
    }
    for (size_t size = 0; size < 4; size++) {
        sl_str left = sl_str_of("\0\0\0", size);
        size_t made;
        FAILS(SL_ERR_STORAGE, sl_state_unpack(NULL, &left, blocks, &made, st));
    }
    free(blocks);
}

static void nothing_is_installed_over_an_open_file(void **state) {
    world *w = *state;
    make_state(w);
    receive(w);
    sl_status status = SL_STATUS_INIT;
    assert_false(sl_sqlite_state_install(w->client, &status));
    assert_string_equal(status.id, "LOCKED");
    assert_int_equal(access(w->part, F_OK), 0);
    /* A log left by a crash must not be taken for the new file's. */
    const sl_state_store *states = states_of(w->receiver);
    BEGIN(w->receiver);
    OK(w->receiver->vtbl->meta_put_int(w->receiver, "old", 1, st));
    COMMIT(w->receiver);
    char log[320], copy[320];
    snprintf(log, sizeof log, "%s-wal", w->client);
    snprintf(copy, sizeof copy, "%s/copy", w->dir.path);
    assert_int_equal(link(log, copy), 0);
    sl_store *part = NULL;
    OK(states->part_open(states->ctx, &part, st));
    part->vtbl->close(part);
    w->receiver->vtbl->close(w->receiver);
    w->receiver = NULL;
    assert_int_equal(rename(copy, log), 0);
    OK(sl_sqlite_state_install(w->client, st));
    OK(sl_sqlite_open(w->client, NULL, &w->receiver, st));
    int64_t old = 1;
    OK(w->receiver->vtbl->meta_get_int(w->receiver, "old", &old, st));
    assert_int_equal(old, 0);
    assert_string_equal(sql_text(w->client, "SELECT count(*) FROM C"), "1000\n");
}

static void making_stops_without_memory_and_leaves_nothing(void **state) {
    world *w = *state;
    failing_alloc memory;
    failing_alloc_init(&memory);
    maker_close(&w->m);
    w->store->vtbl->close(w->store);
    sl_sqlite_options options = {.alloc = &memory.alloc};
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        sl_status status = SL_STATUS_INIT;
        OK(sl_sqlite_open(w->path, &options, &w->store, st));
        const sl_state_store *states = states_of(w->store);
        memory.fail_at = n;
        bool ok = states->make_begin(states->ctx, &status);
        while (ok && !done)
            ok = states->make_step(states->ctx, &done, &status);
        memory.fail_at = 0;
        if (!ok) assert_int_equal(status.cls, SL_ERR_MEMORY);
        char name[320];
        snprintf(name, sizeof name, "%s.state-db", w->path);
        assert_int_equal(access(name, F_OK), -1);
        w->store->vtbl->close(w->store);
        w->store = NULL;
        assert_int_equal(memory.live, 0);
    }
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
    maker_open(&w->m, w->store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_state_holds_the_objects_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_state_is_that_of_one_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kept_state_survives_and_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_goes_on_where_it_stood, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hostile_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(any_bytes_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(a_segment_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_installed_over_an_open_file, setup, teardown),
        cmocka_unit_test_setup_teardown(making_stops_without_memory_and_leaves_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
