#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/sqlite_disk.h"
#include "store/sqlite_internal.h"

enum { BUSY_MS = 20, BUSY_TRIES = 250 };

static bool is_busy(int rc) {
    return rc == SQLITE_BUSY || rc == SQLITE_LOCKED;
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

/* The copy grows under another name in the same directory and takes its own when it is whole. */
static bool backup_connection(sqlite3 *from, const char *path, const char *to, sl_status *st) {
    char *part = sl_sqlite_beside(NULL, to, ".part");
    if (!part) return sl_fail_memory(st);
    unlink(part);
    /* The copy is for its owner only, from its first byte on. */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        sl_sqlite_fail_errno(part, errno, st);
        sl_delete(NULL, part);
        return false;
    }
    close(fd);
    bool ok = copy_pages(from, path, part, st) && sl_sqlite_publish(part, to, st);
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
