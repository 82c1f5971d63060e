#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { BUSY_MS = 20, BUSY_TRIES = 250 };

static bool is_busy(int rc) {
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED;
}

static bool fail_errno(const char *path, int error, sl_status *st) {
    const char *id = "IO";
    if (error == EACCES || error == EPERM || error == EROFS) id = "READONLY";
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) id = "FULL";
    return sl_fail(st, SL_ERR_STORAGE, id, "%s: %s", path, strerror(error));
}

static bool flush_path(const char *path, int flags, sl_status *st) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return fail_errno(path, errno, st);
    bool ok = fsync(fd) == 0 || fail_errno(path, errno, st);
    close(fd);
    return ok;
}

/* The directory that holds `path`, in place. */
static void to_directory(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(path, 2, ".");
    else
        slash[slash == path] = 0;
}

/* Copies all pages in one step, so within one read transaction of the source. The copy is left in
 * the rollback mode of a single file: no log belongs to it. */
static bool copy_pages(sqlite3 *from, const char *path, const char *to, sl_status *st) {
    sqlite3 *target = NULL;
    int rc = sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_exec(target, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
        sqlite3_backup *backup = sqlite3_backup_init(target, "main", from, "main");
        if (backup) {
            rc = sqlite3_backup_step(backup, -1);
            for (int i = 0; i < BUSY_TRIES && is_busy(rc); i++) {
                sqlite3_sleep(BUSY_MS);
                rc = sqlite3_backup_step(backup, -1);
            }
            sqlite3_backup_finish(backup);
        }
        /* A busy step is no error of the connection, so that the code of it is kept here. */
        if (!is_busy(rc)) rc = sqlite3_errcode(target);
    }
    bool ok = rc == SQLITE_OK || sl_sqlite_fail_db(target, path, rc, "copying", st);
    if (ok) {
        rc = sqlite3_exec(target, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
        ok = rc == SQLITE_OK || sl_sqlite_fail_db(target, path, rc, "finishing the copy", st);
    }
    sqlite3_close_v2(target);
    return ok;
}

static bool publish(const char *part, const char *to, char *directory, sl_status *st) {
    if (!flush_path(part, O_RDWR, st)) return false;
    if (rename(part, to) != 0) return fail_errno(to, errno, st);
    to_directory(directory);
    return flush_path(directory, O_RDONLY | O_DIRECTORY, st);
}

/* The copy grows under another name in the same directory and takes its own when it is whole. */
static bool backup_connection(sqlite3 *from, const char *path, const char *to, sl_status *st) {
    size_t size = strlen(to) + sizeof ".part";
    char *part = sl_new(NULL, 2 * size);
    if (!part) return sl_fail_memory(st);
    char *directory = part + size;
    snprintf(part, size, "%s.part", to);
    snprintf(directory, size, "%s", to);
    unlink(part);
    bool ok = copy_pages(from, path, part, st) && publish(part, to, directory, st);
    if (!ok) unlink(part);
    sl_delete(NULL, part);
    return ok;
}

bool sl_sqlite_backup(const char *path, const char *to, sl_status *st) {
    sl_store *store = NULL;
    sl_sqlite_options options = {.read_only = true};
    if (!sl_sqlite_open(path, &options, &store, st)) return false;
    bool ok = backup_connection(sl_sqlite_self(store)->db, path, to, st);
    store->vtbl->close(store);
    return ok;
}

bool sl_sqlite_backup_store(sl_store *base, const char *to, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (!sl_sqlite_reading(store, st)) return false;
    /* A connection of its own sees what is committed and nothing else. */
    if (!store->in_memory) return sl_sqlite_backup(store->path, to, st);
    if (store->writing) {
        return sl_fail(st, SL_ERR_USAGE, "",
                       "a store in memory cannot be copied inside a transaction");
    }
    return backup_connection(store->db, store->path, to, st);
}
