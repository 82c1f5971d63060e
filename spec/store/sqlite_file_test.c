/* Files the SQLite store meets: older, newer, foreign, damaged, locked, full; backups and checks.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "object_maker.h"
#include "store/sqlite_store.h"
#include "store_samples.h"
#include "store_sql.h"
#include "temp_dir.h"

typedef struct world {
    temp_dir dir;
    char path[300], other[300];
    sl_store *store;
} world;

static void open_store(world *w) {
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
}

static void close_store(world *w) {
    w->store->vtbl->close(w->store);
    w->store = NULL;
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    temp_dir_make(&w->dir);
    temp_dir_file(&w->dir, "one.realm", w->path);
    temp_dir_file(&w->dir, "two.realm", w->other);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    if (w->store) close_store(w);
    temp_dir_remove(&w->dir);
    free(w);
    return 0;
}

/* Two transactions of everything, with objects that link in every way. */
static void fill_file(world *w) {
    maker m;
    maker_open(&m, w->store);
    BEGIN(w->store);
    fill_every_table(w->store, 1, "first");
    sl_class *part = make_class(&m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    make_property(&m, part, SL_STR("of"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(&m, cls, SL_STR("n"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, cls, SL_STR("one"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    make_property(&m, cls, SL_STR("many"), SL_TYPE_LINK, SL_LIST, false, SL_STR("C"));
    make_property(&m, cls, SL_STR("part"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    for (int64_t i = 0; i < 100; i++) {
        sl_key key = int_key(i);
        sl_object *object = make_object(&m, cls, &key);
        set_link(&m, &object->values[1], SL_STR("C"), int_key(i + 1));
        set_link(&m, add_item(&m, &object->values[2]), SL_STR("C"), int_key(i + 2));
        set_link(&m, &set_embedded(&m, &object->values[3], part)->values[0], SL_STR("C"),
                 int_key(i + 3));
        save_object(&m, object);
        sl_object_free(m.alloc, object);
    }
    COMMIT(w->store);
    BEGIN(w->store);
    fill_every_table(w->store, 2, "second");
    COMMIT(w->store);
    maker_close(&m);
}

/* Opening fails with SL_ERR_STORAGE and this id, leaves the file as it was, and takes no lock. */
static void refuses(world *w, const char *path, const sl_sqlite_options *options, const char *id) {
    sl_status status = SL_STATUS_INIT;
    sl_store *store = NULL;
    struct stat before = {0}, after = {0};
    stat(path, &before);
    if (sl_sqlite_open(path, options, &store, &status)) fail_msg("%s was opened", path);
    if (strcmp(status.id, id) != 0) fail_msg("%s, not %s: %s", status.id, id, status.message);
    assert_int_equal(status.cls, SL_ERR_STORAGE);
    assert_non_null(strstr(status.message, strrchr(path, '/') + 1));
    stat(path, &after);
    assert_true(before.st_size == after.st_size);
    (void)w;
}

static void write_file(const char *path, const void *data, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_true(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void a_file_of_something_else_is_refused_and_left_alone(void **state) {
    world *w = *state;
    static const char text[] = "Dear diary, today I wrote a file that is no database at all.";
    write_file(w->path, text, sizeof text);
    refuses(w, w->path, NULL, "FOREIGN");
    char page[5000] = "no header";
    write_file(w->path, page, sizeof page);
    refuses(w, w->path, NULL, "FOREIGN");
    sql_run(w->other, "CREATE TABLE theirs(a); INSERT INTO theirs VALUES(1)");
    refuses(w, w->other, NULL, "FOREIGN");
    assert_string_equal(sql_text(w->other, "PRAGMA journal_mode"), "delete\n");
    sql_run(w->other, "PRAGMA application_id = 77");
    refuses(w, w->other, NULL, "FOREIGN");
}

static bool is_private(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && (info.st_mode & 0777) == 0600;
}

static void a_file_that_was_cut_to_nothing_is_not_taken_for_new(void **state) {
    world *w = *state;
    sl_sqlite_options look = {.read_only = true};
    open_store(w);
    fill_file(w);
    close_store(w);
    write_file(w->path, "", 0);
    refuses(w, w->path, NULL, "DAMAGED");
    refuses(w, w->path, &look, "DAMAGED");
}

static void a_file_whose_making_was_interrupted_becomes_a_realm(void **state) {
    world *w = *state;
    char mark[320];
    snprintf(mark, sizeof mark, "%s.making", w->path);
    write_file(mark, "", 0);
    write_file(w->path, "", 0);
    open_store(w);
    assert_int_not_equal(access(mark, F_OK), 0);
    fill_file(w);
    close_store(w);
    open_store(w);
    assert_newest(w->store, 2);
    assert_string_equal(sql_text(w->path, "PRAGMA journal_mode"), "wal\n");
}

static void files_and_backups_are_for_their_owner_only(void **state) {
    world *w = *state;
    mode_t before = umask(0);
    open_store(w);
    fill_file(w);
    OK(sl_sqlite_backup(w->path, w->other, st));
    umask(before);
    assert_true(is_private(w->path));
    assert_true(is_private(w->other));
}

static void a_missing_file_is_made_only_when_wanted(void **state) {
    world *w = *state;
    sl_sqlite_options exist = {.must_exist = true}, look = {.read_only = true};
    refuses(w, w->path, &exist, "MISSING");
    refuses(w, w->path, &look, "MISSING");
    char nowhere[400];
    snprintf(nowhere, sizeof nowhere, "%s/no/such/dir/one.realm", w->dir.path);
    sl_status status = SL_STATUS_INIT;
    assert_false(sl_sqlite_open(nowhere, NULL, &w->store, &status));
    assert_int_equal(status.cls, SL_ERR_STORAGE);
    assert_false(sl_sqlite_open("", NULL, &w->store, &status));
    assert_int_equal(status.cls, SL_ERR_USAGE);
    assert_false(sl_sqlite_open(w->dir.path, NULL, &w->store, &status));
    assert_int_equal(status.cls, SL_ERR_STORAGE);
}

static void a_newer_file_is_refused(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    sql_run(w->path, "PRAGMA user_version = 1000");
    refuses(w, w->path, NULL, "NEWER");
}

/* A file of version 1 is what version 2 is without its views. */
static void an_older_file_is_brought_up_to_date(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    sql_run(w->path, "DROP VIEW _sl_log; DROP VIEW _sl_schema; PRAGMA user_version = 1");
    sl_sqlite_options look = {.read_only = true};
    refuses(w, w->path, &look, "READONLY");
    open_store(w);
    assert_newest(w->store, 2);
    assert_string_equal(sql_text(w->path, "PRAGMA user_version"), "2\n");
    assert_string_equal(sql_text(w->path, "SELECT version, author, made_at FROM _sl_log"),
                        "1|7|2015-01-01T00:00:01.001Z\n2|7|2015-01-01T00:00:01.002Z\n");
}

static void an_upgrade_that_fails_changes_nothing(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    /* The second view cannot be made: the step as a whole is taken back. */
    sql_run(w->path, "DROP VIEW _sl_log; PRAGMA user_version = 1");
    sl_status status = SL_STATUS_INIT;
    assert_false(sl_sqlite_open(w->path, NULL, &w->store, &status));
    assert_string_equal(sql_text(w->path, "PRAGMA user_version"), "1\n");
    assert_string_equal(
        sql_text(w->path, "SELECT count(*) FROM sqlite_master WHERE name = '_sl_log'"), "0\n");
}

static void a_file_cut_off_or_overwritten_is_damaged(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    struct stat info;
    stat(w->path, &info);
    assert_int_equal(truncate(w->path, info.st_size - 4096), 0);
    refuses(w, w->path, NULL, "DAMAGED");
    assert_int_equal(truncate(w->path, 200), 0);
    refuses(w, w->path, NULL, "DAMAGED");
}

static void a_catalogue_that_does_not_fit_its_tables_is_damaged(void **state) {
    world *w = *state;
    static const char *const edits[] = {
        "ALTER TABLE C DROP COLUMN n",
        "DROP TABLE C",
        "DROP TABLE _sl_classes",
        "UPDATE _sl_classes SET kind = 'strange'",
        "UPDATE _sl_classes SET key_type = 'float'",
        "UPDATE _sl_properties SET type = 'strange'",
        "UPDATE _sl_properties SET collection = ''",
        "DELETE FROM _sl_classes WHERE name = 'C'",
        "UPDATE _sl_classes SET id = -1 WHERE name = 'C'",
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        open_store(w);
        fill_file(w);
        close_store(w);
        sql_run(w->path, edits[i]);
        refuses(w, w->path, NULL, "DAMAGED");
        remove(w->path);
    }
}

/* Every byte of the first pages, one after the other, set to something else: an error or a store
 * that works, never a crash. */
static void damaged_pages_never_crash(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    int fd = open(w->path, O_RDWR);
    struct stat info;
    fstat(fd, &info);
    maker_random random = {99};
    for (int round = 0; round < 400; round++) {
        off_t at = (off_t)(random_bits(&random) % (uint64_t)info.st_size);
        char old[8], changed[8];
        assert_true(pread(fd, old, sizeof old, at) > 0);
        for (int i = 0; i < 8; i++)
            changed[i] = (char)random_bits(&random);
        ssize_t size = info.st_size - at < 8 ? (ssize_t)(info.st_size - at) : 8;
        assert_true(pwrite(fd, changed, (size_t)size, at) == size);
        sl_status status = SL_STATUS_INIT;
        sl_store *store = NULL;
        sl_sqlite_options look = {.read_only = true};
        if (sl_sqlite_open(w->path, &look, &store, &status)) {
            uint64_t findings;
            sl_sqlite_check(store, NULL, NULL, &findings, &status);
            store->vtbl->close(store);
        } else {
            assert_true(status.message[0] != 0);
        }
        assert_true(pwrite(fd, old, (size_t)size, at) == size);
    }
    close(fd);
    open_store(w);
    assert_newest(w->store, 2);
}

static void a_second_writer_is_told_who_holds_the_file(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    sl_status status = SL_STATUS_INIT;
    sl_store *second = NULL;
    char pid[40];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_false(sl_sqlite_open(w->path, NULL, &second, &status));
    assert_string_equal(status.id, "LOCKED");
    assert_non_null(strstr(status.message, pid));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        bool ok = sl_sqlite_open(w->path, NULL, &second, &status);
        _exit(!ok && strcmp(status.id, "LOCKED") == 0 && strstr(status.message, pid) ? 0 : 1);
    }
    int result = -1;
    waitpid(child, &result, 0);
    assert_int_equal(result, 0);
    close_store(w);
    open_store(w);
    assert_newest(w->store, 2);
}

static void readers_look_while_a_transaction_is_open(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    BEGIN(w->store);
    fill_every_table(w->store, 3, "third");
    assert_string_equal(sql_text(w->path, "SELECT max(version) FROM _sl_history"), "2\n");
    sl_sqlite_options look = {.read_only = true};
    sl_store *reader = NULL;
    OK(sl_sqlite_open(w->path, &look, &reader, st));
    assert_newest(reader, 2);
    FAILS(SL_ERR_STORAGE, reader->vtbl->begin(reader, st));
    COMMIT(w->store);
    assert_newest(reader, 3);
    reader->vtbl->close(reader);
}

static void another_programs_write_lock_is_waited_for_and_reported(void **state) {
    world *w = *state;
    sl_sqlite_options options = {.busy_ms = 30};
    OK(sl_sqlite_open(w->path, &options, &w->store, st));
    sqlite3 *other = sql_open(w->path);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sl_status status = SL_STATUS_INIT;
    assert_false(w->store->vtbl->begin(w->store, &status));
    assert_string_equal(status.id, "LOCKED");
    sqlite3_close(other);
    BEGIN(w->store);
    fill_every_table(w->store, 1, "x");
    COMMIT(w->store);
}

static void a_file_that_may_not_be_written_says_so(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    if (geteuid() == 0) return; /* root may write everything */
    chmod(w->path, 0444);
    refuses(w, w->path, NULL, "READONLY");
    chmod(w->path, 0644);
}

/* In a child, so that the limit dies with it. */
static void a_full_disk_rolls_back_and_the_store_goes_on(void **state) {
    world *w = *state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sl_status status = SL_STATUS_INIT;
        char big[20000] = {0};
        struct rlimit limit = {400000, RLIM_INFINITY};
        signal(SIGXFSZ, SIG_IGN);
        if (!sl_sqlite_open(w->path, NULL, &w->store, &status)) _exit(10);
        const sl_store_vtbl *v = w->store->vtbl;
        setrlimit(RLIMIT_FSIZE, &limit);
        uint64_t version = 0;
        bool ok = true;
        for (; ok && version < 100; version++) {
            sl_history_entry entry = {.version = version + 1,
                                      .changeset = sl_str_of(big, sizeof big)};
            ok = v->begin(w->store, &status) && v->entry_append(w->store, &entry, &status) &&
                 v->commit(w->store, true, &status);
            if (!ok) v->rollback(w->store);
        }
        if (ok || status.cls != SL_ERR_STORAGE || strcmp(status.id, "FULL") != 0) _exit(11);
        uint64_t first, last;
        if (!v->entry_range(w->store, &first, &last, &status) || last != version - 1) _exit(12);
        limit.rlim_cur = RLIM_INFINITY;
        setrlimit(RLIMIT_FSIZE, &limit);
        sl_history_entry entry = {.version = version, .changeset = sl_str_of(big, sizeof big)};
        if (!v->begin(w->store, &status) || !v->entry_append(w->store, &entry, &status) ||
            !v->commit(w->store, true, &status)) {
            _exit(13);
        }
        v->close(w->store);
        _exit(0);
    }
    int result = -1;
    waitpid(child, &result, 0);
    assert_int_equal(WIFEXITED(result) ? WEXITSTATUS(result) : -1, 0);
    open_store(w);
    uint64_t findings = 9;
    OK(sl_sqlite_check(w->store, NULL, NULL, &findings, st));
    assert_int_equal(findings, 0);
}

static void an_erased_object_is_back_after_rollback(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    close_store(w);
    open_store(w);
    BEGIN(w->store);
    maker m;
    maker_open(&m, w->store);
    sl_class *cls = sl_schema_find(&m.schema, SL_STR("C"));
    sl_key key = int_key(5);
    OK(m.source->object_erase(m.source->ctx, cls, &key, st));
    w->store->vtbl->rollback(w->store);
    sl_object *object = load_object(&m, cls, &key);
    assert_non_null(object);
    sl_object_free(m.alloc, object);
    maker_close(&m);
}

static void count_finding(void *ctx, const char *text) {
    (void)text;
    ++*(int *)ctx;
}

static void the_check_finds_what_is_wrong(void **state) {
    world *w = *state;
    static const char *const edits[] = {
        "DELETE FROM _sl_links WHERE target_key = 50",
        "CREATE TABLE stray(a)",
        "CREATE TRIGGER stray AFTER INSERT ON C BEGIN SELECT 1; END",
        "ALTER TABLE C ADD COLUMN stray",
        "UPDATE C SET many = '[' WHERE _id = 3",
        "UPDATE C SET one = 'text' WHERE _id = 3",
        "UPDATE _sl_history SET cumulative_size = 0 WHERE version = 2",
        "UPDATE _sl_history SET cumulative_size = cumulative_size + 1 WHERE version = 2",
        "INSERT INTO _sl_links VALUES(77, 1, 'C', 1)",
    };
    open_store(w);
    fill_file(w);
    uint64_t findings = 9;
    int reported = 0;
    OK(sl_sqlite_check(w->store, count_finding, &reported, &findings, st));
    assert_int_equal(findings, 0);
    close_store(w);
    OK(sl_sqlite_backup(w->path, w->other, st));
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        OK(sl_sqlite_backup(w->other, w->path, st));
        sql_run(w->path, edits[i]);
        open_store(w);
        reported = 0;
        OK(sl_sqlite_check(w->store, count_finding, &reported, &findings, st));
        if (findings == 0) fail_msg("nothing found after: %s", edits[i]);
        assert_int_equal(findings, reported);
        close_store(w);
    }
}

static void counts_tell_what_is_in_the_file(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    sl_sqlite_stat stat;
    OK(sl_sqlite_stat_read(w->store, &stat, st));
    assert_true(stat.classes == 2 && stat.properties == 5 && stat.objects == 100);
    assert_true(stat.links > 100 && stat.links <= 200);
    assert_true(stat.entries == 2 && stat.first_version == 1 && stat.last_version == 2);
    assert_true(stat.changeset_bytes == 11 && stat.original_bytes == 2);
    assert_true(stat.reciprocals == 2 && stat.clients == 2);
    assert_true(stat.file_bytes > 0 && stat.file_bytes % 4096 == 0);
}

static void a_backup_is_the_last_commit_even_while_writing(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    BEGIN(w->store);
    fill_every_table(w->store, 3, "third");
    write_file(w->other, "old backup", 10);
    OK(sl_sqlite_backup_store(w->store, w->other, st));
    COMMIT(w->store);
    sl_store *copy = NULL;
    OK(sl_sqlite_open(w->other, NULL, &copy, st));
    assert_newest(copy, 2);
    uint64_t findings = 9;
    OK(sl_sqlite_check(copy, NULL, NULL, &findings, st));
    assert_int_equal(findings, 0);
    BEGIN(copy);
    fill_every_table(copy, 3, "of the copy");
    COMMIT(copy);
    copy->vtbl->close(copy);
    OK(sl_sqlite_backup(w->path, w->other, st));
    OK(sl_sqlite_open(w->other, NULL, &copy, st));
    assert_newest(copy, 3);
    copy->vtbl->close(copy);
}

static void a_backup_that_fails_leaves_the_old_one(void **state) {
    world *w = *state;
    open_store(w);
    fill_file(w);
    char nowhere[400];
    snprintf(nowhere, sizeof nowhere, "%s/no/such/backup", w->dir.path);
    FAILS(SL_ERR_STORAGE, sl_sqlite_backup_store(w->store, nowhere, st));
    FAILS(SL_ERR_STORAGE, sl_sqlite_backup(w->other, w->path, st));
    assert_newest(w->store, 2);
    sl_store *memory = NULL;
    OK(sl_sqlite_open(":memory:", NULL, &memory, st));
    BEGIN(memory);
    fill_every_table(memory, 1, "x");
    FAILS(SL_ERR_USAGE, sl_sqlite_backup_store(memory, w->other, st));
    COMMIT(memory);
    OK(sl_sqlite_backup_store(memory, w->other, st));
    memory->vtbl->close(memory);
    OK(sl_sqlite_open(w->other, NULL, &memory, st));
    assert_newest(memory, 1);
    memory->vtbl->close(memory);
}

static void the_log_stays_bounded(void **state) {
    world *w = *state;
    sl_sqlite_options options = {.wal_pages = 50};
    OK(sl_sqlite_open(w->path, &options, &w->store, st));
    char big[3000] = {0}, log[310];
    snprintf(log, sizeof log, "%s-wal", w->path);
    for (uint64_t v = 1; v <= 500; v++) {
        sl_history_entry entry = {.version = v, .changeset = sl_str_of(big, sizeof big)};
        BEGIN(w->store);
        OK(w->store->vtbl->entry_append(w->store, &entry, st));
        OK(w->store->vtbl->commit(w->store, false, st));
    }
    struct stat info;
    assert_int_equal(stat(log, &info), 0);
    assert_true(info.st_size < 100 * 4200);
    close_store(w);
    assert_int_equal(stat(log, &info), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_file_of_something_else_is_refused_and_left_alone),
        T(a_file_that_was_cut_to_nothing_is_not_taken_for_new),
        T(a_file_whose_making_was_interrupted_becomes_a_realm),
        T(files_and_backups_are_for_their_owner_only),
        T(a_missing_file_is_made_only_when_wanted),
        T(a_newer_file_is_refused),
        T(an_older_file_is_brought_up_to_date),
        T(an_upgrade_that_fails_changes_nothing),
        T(a_file_cut_off_or_overwritten_is_damaged),
        T(a_catalogue_that_does_not_fit_its_tables_is_damaged),
        T(damaged_pages_never_crash),
        T(a_second_writer_is_told_who_holds_the_file),
        T(readers_look_while_a_transaction_is_open),
        T(another_programs_write_lock_is_waited_for_and_reported),
        T(a_file_that_may_not_be_written_says_so),
        T(a_full_disk_rolls_back_and_the_store_goes_on),
        T(an_erased_object_is_back_after_rollback),
        T(the_check_finds_what_is_wrong),
        T(counts_tell_what_is_in_the_file),
        T(a_backup_is_the_last_commit_even_while_writing),
        T(a_backup_that_fails_leaves_the_old_one),
        T(the_log_stays_bounded),
    };
    return cmocka_run_group_tests_name("sqlite files", tests, NULL, NULL);
}
