/* sqlite_lock.h - one writing process per file. */
#ifndef SL_STORE_SQLITE_LOCK_H
#define SL_STORE_SQLITE_LOCK_H

#include "base/alloc.h"
#include "base/status.h"

/* A file "<path>.lock" next to the realm, locked with flock while held and holding the process id
 * as text. The kernel releases the lock of a process that dies. `fd` < 0: not held. */
typedef struct sl_sqlite_lock {
    int fd;
    char *path;
} sl_sqlite_lock;

#define SL_SQLITE_LOCK_INIT                                                                        \
    { -1, NULL }

/* SL_ERR_STORAGE "LOCKED" if somebody holds it, "READONLY" or "IO" if the lock file cannot be made.
 * `path` borrowed; memory from `alloc`. */
bool sl_sqlite_lock_take(sl_sqlite_lock *lock, const sl_alloc *alloc, const char *path,
                         sl_status *st);
/* Removes the lock file and lets go; harmless when not held. */
void sl_sqlite_lock_release(sl_sqlite_lock *lock, const sl_alloc *alloc);

#endif
