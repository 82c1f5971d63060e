/* sqlite_disk.h - plain files beside a realm file. Not for other rooms. */
#ifndef SL_STORE_SQLITE_DISK_H
#define SL_STORE_SQLITE_DISK_H

#include "base/alloc.h"
#include "base/status.h"

/* SL_ERR_STORAGE with the id for `error` (READONLY, FULL, IO); returns false. */
bool sl_sqlite_fail_errno(const char *path, int error, sl_status *st);
/* `path` with `suffix`; NULL without memory. */
char *sl_sqlite_beside(const sl_alloc *alloc, const char *path, const char *suffix);
/* Writes or reads exactly `size` bytes at `offset`; `path` for the text of a failure. A file that
 * ends before is "DAMAGED". */
bool sl_sqlite_write_at(int fd, const char *path, const void *data, size_t size, uint64_t offset,
                        sl_status *st);
bool sl_sqlite_read_at(int fd, const char *path, void *data, size_t size, uint64_t offset,
                       sl_status *st);
/* Flushes the file and puts it at `to`, in the same directory, which is flushed, too. */
bool sl_sqlite_publish(const char *from, const char *to, sl_status *st);

#endif
