#include <errno.h>

#include "store/sqlite_internal.h"

static const char *id_of(int rc, int system_error) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "LOCKED";
    case SQLITE_CORRUPT:
        return "DAMAGED";
    case SQLITE_NOTADB:
        return "FOREIGN";
    case SQLITE_FULL:
        return "FULL";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "READONLY";
    case SQLITE_CANTOPEN:
        return system_error == EACCES || system_error == EROFS ? "READONLY" : "IO";
    default:
        return system_error == EFBIG || system_error == EDQUOT || system_error == ENOSPC ? "FULL"
                                                                                         : "IO";
    }
}

static const char *hint_of(const char *id) {
    if (strcmp(id, "DAMAGED") == 0) return "; restore a backup, or see doc/store.md";
    if (strcmp(id, "LOCKED") == 0) return "; another program is writing to it";
    if (strcmp(id, "FULL") == 0) return "; free some space";
    return "";
}

/* SQLite keeps the system's reason only for some failures; after a failed write it is still there.
 */
static bool is_no_space(int rc, int error) {
    bool writing = rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_SHMSIZE ||
                   rc == SQLITE_IOERR_TRUNCATE || rc == SQLITE_IOERR_FSYNC;
    return writing && (error == EFBIG || error == EDQUOT || error == ENOSPC);
}

bool sl_sqlite_fail_db(sqlite3 *db, const char *path, int rc, const char *what, sl_status *st) {
    int last_error = errno;
    if ((rc & 0xff) == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) return sl_fail_memory(st);
    if ((rc & 0xff) == SQLITE_TOOBIG) {
        return sl_fail(st, SL_ERR_STORAGE, "LIMIT", "%s: %s: more than a gigabyte in one value",
                       path, what);
    }
    int system_error = db ? sqlite3_system_errno(db) : 0;
    if (system_error == 0 && is_no_space(rc, last_error)) system_error = last_error;
    const char *id = id_of(rc, system_error);
    return sl_fail(st, SL_ERR_STORAGE, id, "%s: %s: %s (%d)%s%s%s", path, what,
                   db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), rc, system_error ? ", " : "",
                   system_error ? strerror(system_error) : "", hint_of(id));
}

bool sl_sqlite_fail(sl_sqlite_store *store, int rc, const char *what, sl_status *st) {
    return sl_sqlite_fail_db(store->db, store->path, rc, what, st);
}
