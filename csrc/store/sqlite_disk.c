#include "store/sqlite_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool sl_sqlite_fail_errno(const char *path, int error, sl_status *st) {
    const char *id = "IO";
    if (error == EACCES || error == EPERM || error == EROFS) id = "READONLY";
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) id = "FULL";
    return sl_fail(st, SL_ERR_STORAGE, id, "%s: %s", path, strerror(error));
}

char *sl_sqlite_beside(const sl_alloc *alloc, const char *path, const char *suffix) {
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *name = sl_new(alloc, size);
    if (name) snprintf(name, size, "%s%s", path, suffix);
    return name;
}

bool sl_sqlite_write_at(int fd, const char *path, const void *data, size_t size, uint64_t offset,
                        sl_status *st) {
    const char *at = data;
    while (size > 0) {
        ssize_t done = pwrite(fd, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return sl_sqlite_fail_errno(path, done < 0 ? errno : ENOSPC, st);
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return true;
}

bool sl_sqlite_read_at(int fd, const char *path, void *data, size_t size, uint64_t offset,
                       sl_status *st) {
    char *at = data;
    while (size > 0) {
        ssize_t done = pread(fd, at, size, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return sl_sqlite_fail_errno(path, errno, st);
        if (done == 0) return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "%s is cut off", path);
        at += done;
        offset += (uint64_t)done;
        size -= (size_t)done;
    }
    return true;
}

static bool flush_path(const char *path, int flags, sl_status *st) {
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) return sl_sqlite_fail_errno(path, errno, st);
    bool ok = fsync(fd) == 0 || sl_sqlite_fail_errno(path, errno, st);
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

bool sl_sqlite_publish(const char *from, const char *to, sl_status *st) {
    if (!flush_path(from, O_RDWR, st)) return false;
    char *directory = sl_sqlite_beside(NULL, to, "");
    if (!directory) return sl_fail_memory(st);
    bool ok = rename(from, to) == 0 || sl_sqlite_fail_errno(to, errno, st);
    to_directory(directory);
    ok = ok && flush_path(directory, O_RDONLY | O_DIRECTORY, st);
    sl_delete(NULL, directory);
    return ok;
}
