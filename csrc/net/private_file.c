#include "net/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(const char *path, int error, sl_status *st) {
    return sl_fail(st, SL_ERR_STORAGE, "", "cannot write %s: %s", path, strerror(error));
}

static bool write_all(int fd, sl_str data) {
    while (data.size > 0) {
        ssize_t done = write(fd, data.data, data.size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        data = sl_str_of(data.data + done, data.size - (size_t)done);
    }
    return true;
}

/* A rename is there after a loss of power only when the folder was flushed. */
static bool flush_folder(char *path) {
    char *slash = strrchr(path, '/');
    const char *folder = !slash ? "." : slash == path ? "/" : path;
    if (slash && slash != path) *slash = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return ok;
}

bool sl_private_file_write(const char *path, sl_str data, int mode, sl_status *st) {
    char beside[4096];
    int n = snprintf(beside, sizeof beside, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof beside) return fail(path, ENAMETOOLONG, st);
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return fail(path, errno, st);
    bool ok = fchmod(fd, (mode_t)mode) == 0 && write_all(fd, data) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        error = errno;
    }
    if (ok && rename(beside, path) != 0) {
        ok = false;
        error = errno;
    }
    if (!ok) {
        unlink(beside);
        return fail(path, error, st);
    }
    return flush_folder(beside) || fail(path, errno, st);
}
