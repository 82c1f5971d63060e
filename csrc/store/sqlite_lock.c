#include "store/sqlite_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail_errno(const char *path, int error, sl_status *st) {
    const char *id = "IO";
    if (error == EACCES || error == EPERM || error == EROFS) id = "READONLY";
    if (error == ENOSPC || error == EDQUOT) id = "FULL";
    return sl_fail(st, SL_ERR_STORAGE, id, "cannot make the lock file %s: %s", path,
                   strerror(error));
}

static bool fail_locked(const char *path, int fd, sl_status *st) {
    char pid[24] = "";
    ssize_t size = pread(fd, pid, sizeof pid - 1, 0);
    pid[size > 0 ? size : 0] = 0;
    pid[strspn(pid, "0123456789")] = 0;
    return sl_fail(
        st, SL_ERR_STORAGE, "LOCKED",
        "in use by process %s (lock file %s): close it there, or open it with read_only = true",
        pid[0] ? pid : "?", path);
}

/* True if the locked descriptor is still the file under that name: another process may have removed
 * it between our open and our lock. */
static bool still_there(int fd, const char *path) {
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
           mine.st_dev == named.st_dev;
}

static void note_pid(int fd) {
    char text[24];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Only for people: the lock does not depend on it. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)size, 0) != size) ftruncate(fd, 0);
}

bool sl_sqlite_lock_take(sl_sqlite_lock *lock, const sl_alloc *alloc, const char *path,
                         sl_status *st) {
    size_t size = strlen(path);
    char *name = sl_new(alloc, size + sizeof ".lock");
    if (!name) return sl_fail_memory(st);
    memcpy(name, path, size);
    memcpy(name + size, ".lock", sizeof ".lock");
    for (;;) {
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        bool ok = fd >= 0 || fail_errno(name, errno, st);
        if (ok && flock(fd, LOCK_EX | LOCK_NB) != 0) ok = fail_locked(name, fd, st);
        if (!ok) {
            if (fd >= 0) close(fd);
            sl_delete(alloc, name);
            return false;
        }
        if (still_there(fd, name)) {
            note_pid(fd);
            *lock = (sl_sqlite_lock){fd, name};
            return true;
        }
        close(fd);
    }
}

void sl_sqlite_lock_release(sl_sqlite_lock *lock, const sl_alloc *alloc) {
    if (lock->fd < 0) return;
    unlink(lock->path);
    close(lock->fd);
    sl_delete(alloc, lock->path);
    *lock = (sl_sqlite_lock)SL_SQLITE_LOCK_INIT;
}
