/* Nothing committed is lost: processes killed at random moments, and power lost at random moments,
 * where what was not flushed is gone. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "object_maker.h"
#include "store/sqlite_store.h"
#include "store_samples.h"
#include "temp_dir.h"

/* --- a disk that remembers what was flushed --- */

static struct {
    bool on;
    char prefix[300]; /* files whose names begin so */
    unsigned log_flushes, file_flushes;
    unsigned fail_write, fail_flush; /* count down to the call that fails, 0 = none */
} disk;

static bool copy_file(const char *from, const char *to) {
    char block[65536];
    int in = open(from, O_RDONLY), out = -1;
    ssize_t size = -1;
    if (in >= 0 && (out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666)) >= 0) {
        while ((size = read(in, block, sizeof block)) > 0) {
            if (write(out, block, (size_t)size) != size) break;
        }
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return size == 0;
}

/* The path of a watched file behind `fd`, or false. */
static bool watched(int fd, char path[600]) {
    char link[64];
    if (!disk.on) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, 599);
    if (size < 0) return false;
    path[size] = 0;
    return strncmp(path, disk.prefix, strlen(disk.prefix)) == 0 && !strstr(path, ".lock");
}

static bool is_log(const char *path) {
    return strcmp(path + strlen(path) - 4, "-wal") == 0;
}

/* True if this call is the one to fail. */
static bool strikes(unsigned *countdown) {
    if (*countdown == 0 || --*countdown > 0) return false;
    errno = EIO;
    return true;
}

static bool note_flush(int fd) {
    char path[600], shadow[620];
    if (!watched(fd, path)) return true;
    if (strikes(&disk.fail_flush)) return false;
    if (is_log(path))
        disk.log_flushes++;
    else
        disk.file_flushes++;
    snprintf(shadow, sizeof shadow, "%s.flushed", path);
    copy_file(path, shadow);
    return true;
}

/* These stand before the C library's for all of the process, SQLite too. */
#define EXPORTED __attribute__((visibility("default")))

EXPORTED int fsync(int fd) {
    return note_flush(fd) ? (int)syscall(SYS_fsync, fd) : -1;
}

EXPORTED int fdatasync(int fd) {
    return note_flush(fd) ? (int)syscall(SYS_fdatasync, fd) : -1;
}

EXPORTED ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    char path[600];
    if (watched(fd, path) && strikes(&disk.fail_write)) return -1;
    return syscall(SYS_pwrite64, fd, data, size, at);
}

EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return pwrite64(fd, data, size, at);
}

/* --- a program of transactions that touch everything --- */

enum { OBJECTS = 20 };

typedef struct world {
    temp_dir dir;
    char path[300], after[300];
    sl_store *store;
    maker m;
    sl_class *cls;
    bool large_log; /* no checkpoints */
} world;

static void open_world(world *w, const char *path) {
    sl_sqlite_options options = {.wal_pages = w->large_log ? 10000 : 30};
    OK(sl_sqlite_open(path, &options, &w->store, st));
    maker_open(&w->m, w->store);
    w->cls = sl_schema_find(&w->m.schema, SL_STR("C"));
}

static void close_world(world *w) {
    maker_close(&w->m);
    w->store->vtbl->close(w->store);
    w->store = NULL;
}

static void make_tables(world *w) {
    w->cls = make_class(&w->m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(&w->m, w->cls, SL_STR("n"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&w->m, w->cls, SL_STR("list"), SL_TYPE_LINK, SL_LIST, false, SL_STR("C"));
}

/* Transaction `version` gives every table that number. */
static void write_version(world *w, uint64_t version, bool durable) {
    maker *m = &w->m;
    BEGIN(w->store);
    if (!w->cls) make_tables(w);
    fill_every_table(w->store, version, "some changeset");
    for (int64_t i = 0; i < OBJECTS; i++) {
        sl_key key = int_key(i);
        sl_object *object = make_object(m, w->cls, &key);
        set_value(m, &object->values[0],
                  (sl_value){.type = SL_TYPE_INT, .integer = (int64_t)version});
        set_link(m, add_item(m, &object->values[1]), SL_STR("C"), int_key((int64_t)version));
        save_object(m, object);
        sl_object_free(m->alloc, object);
    }
    OK(w->store->vtbl->commit(w->store, durable, st));
}

static bool count_referrer(void *ctx, sl_str class_name, const sl_key *key) {
    (void)class_name;
    (void)key;
    ++*(int *)ctx;
    return true;
}

/* The newest version, after asserting that every table agrees on it. */
static uint64_t whole_version(world *w) {
    uint64_t first, version, findings = 9;
    OK(w->store->vtbl->entry_range(w->store, &first, &version, st));
    assert_newest(w->store, version);
    for (int64_t i = 0; version && i < OBJECTS; i++) {
        sl_key key = int_key(i);
        sl_object *object = load_object(&w->m, w->cls, &key);
        assert_non_null(object);
        assert_true(object->values[0].value.integer == (int64_t)version);
        sl_object_free(w->m.alloc, object);
    }
    int referrers = 0;
    sl_key key = int_key((int64_t)version);
    OK(w->m.source->referrers(w->m.source->ctx, SL_STR("C"), &key, count_referrer, &referrers, st));
    assert_int_equal(referrers, version ? OBJECTS : 0);
    OK(sl_sqlite_check(w->store, NULL, NULL, &findings, st));
    assert_int_equal(findings, 0);
    return version;
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    temp_dir_make(&w->dir);
    temp_dir_file(&w->dir, "one.realm", w->path);
    temp_dir_file(&w->dir, "after.realm", w->after);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    disk.on = false;
    disk.fail_write = disk.fail_flush = 0;
    if (w->store) close_world(w);
    temp_dir_remove(&w->dir);
    free(w);
    return 0;
}

/* Writes until it is killed, reporting each version after its commit. */
static void write_for_ever(world *w, int report) {
    open_world(w, w->path);
    uint64_t first, version;
    OK(w->store->vtbl->entry_range(w->store, &first, &version, st));
    for (;;) {
        version++;
        write_version(w, version, version % 3 == 0);
        if (write(report, &version, sizeof version) != sizeof version) _exit(1);
    }
}

static void a_killed_process_loses_no_commit(void **state) {
    world *w = *state;
    maker_random random = {2026};
    uint64_t known = 0;
    for (int round = 0; round < 40; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_for_ever(w, ends[1]);
        }
        close(ends[1]);
        uint64_t version = known;
        for (uint32_t wanted = random_below(&random, 30); wanted > 0; wanted--) {
            assert_int_equal(read(ends[0], &version, sizeof version), sizeof version);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &version, sizeof version) == sizeof version) {
        }
        close(ends[0]);
        open_world(w, w->path);
        uint64_t found = whole_version(w);
        if (found < version) fail_msg("round %d: %d of %d", round, (int)found, (int)version);
        assert_true(found <= version + 1);
        known = found;
        close_world(w);
    }
}

/* Opens what a loss of power would leave now: each file as it was when it was last flushed. */
static uint64_t version_after_power_loss(world *w) {
    char from[320], to[320];
    world after = {0};
    disk.on = false;
    static const char *const tails[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s%s.flushed", w->path, tails[i]);
        snprintf(to, sizeof to, "%s%s", w->after, tails[i]);
        unlink(to);
        copy_file(from, to);
    }
    open_world(&after, w->after);
    uint64_t version = whole_version(&after);
    close_world(&after);
    unlink(w->after);
    disk.on = true;
    return version;
}

static void watch_disk(world *w) {
    disk.on = true;
    snprintf(disk.prefix, sizeof disk.prefix, "%s", w->path);
    disk.log_flushes = disk.file_flushes = 0;
}

static void power_loss_takes_no_durable_commit_and_leaves_no_half_one(void **state) {
    world *w = *state;
    maker_random random = {77};
    watch_disk(w);
    open_world(w, w->path);
    uint64_t durable = 0;
    for (uint64_t version = 1; version <= 150; version++) {
        uint32_t kind = random_below(&random, 4);
        write_version(w, version, kind == 0);
        if (kind == 1) OK(w->store->vtbl->sync(w->store, st));
        if (kind <= 1) durable = version;
        if (random_below(&random, 3)) continue;
        uint64_t found = version_after_power_loss(w);
        if (found < durable)
            fail_msg("version %d: %d, not %d", (int)version, (int)found, (int)durable);
        assert_true(found <= version);
    }
    assert_true(disk.file_flushes > 2);
}

static void a_new_file_survives_power_loss_from_its_first_durable_commit(void **state) {
    world *w = *state;
    watch_disk(w);
    open_world(w, w->path);
    assert_true(version_after_power_loss(w) == 0);
    write_version(w, 1, true);
    assert_true(version_after_power_loss(w) == 1);
}

static void only_durable_commits_and_sync_wait_for_the_disk(void **state) {
    world *w = *state;
    w->large_log = true;
    open_world(w, w->path);
    write_version(w, 1, true);
    watch_disk(w);
    write_version(w, 2, false);
    write_version(w, 3, false);
    assert_int_equal(disk.log_flushes, 0);
    OK(w->store->vtbl->sync(w->store, st));
    assert_int_equal(disk.log_flushes, 1);
    OK(w->store->vtbl->sync(w->store, st));
    assert_int_equal(disk.log_flushes, 1);
    write_version(w, 4, true);
    assert_int_equal(disk.log_flushes, 2);
    BEGIN(w->store);
    COMMIT(w->store);
    assert_int_equal(disk.log_flushes, 2);
    assert_int_equal(disk.file_flushes, 0);
}

/* One transaction; false if a call failed, the reason in `st`. */
static bool try_version(world *w, uint64_t version, sl_status *st) {
    sl_store *store = w->store;
    sl_history_entry entry = an_entry(version, "some changeset", "o");
    entry.cumulative_size = 14 * version;
    sl_client_file row = a_client(version);
    maker *m = &w->m;
    bool ok = store->vtbl->begin(store, st) && store->vtbl->entry_append(store, &entry, st) &&
              store->vtbl->reciprocal_put(store, 1, version, SL_STR("x"), st) &&
              store->vtbl->client_put(store, &row, st) &&
              store->vtbl->meta_put_int(store, "version", (int64_t)version, st);
    for (int64_t i = 0; ok && i < OBJECTS; i++) {
        sl_key key = int_key(i);
        sl_object *object = make_object(m, w->cls, &key);
        set_value(m, &object->values[0],
                  (sl_value){.type = SL_TYPE_INT, .integer = (int64_t)version});
        set_link(m, add_item(m, &object->values[1]), SL_STR("C"), int_key((int64_t)version));
        ok = m->source->object_save(m->source->ctx, w->cls, object, st);
        sl_object_free(m->alloc, object);
    }
    ok = ok && store->vtbl->commit(store, true, st);
    store->vtbl->rollback(store);
    return ok;
}

static void a_failed_write_takes_the_transaction_back(void **state) {
    world *w = *state;
    open_world(w, w->path);
    write_version(w, 1, true);
    watch_disk(w);
    uint64_t version = 1;
    unsigned n = 1;
    for (;; n++) {
        disk.fail_write = n;
        sl_status status = SL_STATUS_INIT;
        bool ok = try_version(w, version + 1, &status);
        bool struck = disk.fail_write == 0;
        disk.fail_write = 0;
        if (ok)
            version++;
        else
            assert_int_equal(status.cls, SL_ERR_STORAGE);
        assert_true(whole_version(w) == version);
        if (!struck) break;
        if (n % 7 == 0) {
            close_world(w);
            open_world(w, w->path);
        }
    }
    assert_true(n > 5);
    close_world(w);
    open_world(w, w->path);
    assert_true(whole_version(w) == version);
}

static void after_a_failed_flush_only_closing_helps(void **state) {
    world *w = *state;
    w->large_log = true;
    open_world(w, w->path);
    write_version(w, 1, true);
    watch_disk(w);
    disk.fail_flush = 1;
    sl_status status = SL_STATUS_INIT;
    assert_false(try_version(w, 2, &status));
    assert_string_equal(status.id, "SYNC");
    uint64_t first, last;
    FAILS(SL_ERR_STORAGE, w->store->vtbl->entry_range(w->store, &first, &last, st));
    FAILS(SL_ERR_STORAGE, w->store->vtbl->begin(w->store, st));
    FAILS(SL_ERR_STORAGE, w->store->vtbl->sync(w->store, st));
    close_world(w);
    open_world(w, w->path);
    uint64_t version = whole_version(w);
    assert_true(version == 1 || version == 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(a_killed_process_loses_no_commit),
        T(power_loss_takes_no_durable_commit_and_leaves_no_half_one),
        T(a_new_file_survives_power_loss_from_its_first_durable_commit),
        T(only_durable_commits_and_sync_wait_for_the_disk),
        T(a_failed_write_takes_the_transaction_back),
        T(after_a_failed_flush_only_closing_helps),
    };
    return cmocka_run_group_tests_name("sqlite crashes", tests, NULL, NULL);
}
