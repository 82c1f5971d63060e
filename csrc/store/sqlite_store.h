/* sqlite_store.h - a realm in one SQLite file that any SQLite tool can read. The tables, the form
 * of values and the durability are described in doc/store.md. */
#ifndef SL_STORE_SQLITE_STORE_H
#define SL_STORE_SQLITE_STORE_H

#include "base/alloc.h"
#include "store/store.h"

/* All zero = defaults. */
typedef struct sl_sqlite_options {
    const sl_alloc *alloc; /* borrowed, must outlive the store; NULL = heap. SQLite has its own */
    bool read_only;        /* look only: no lock file, begin fails with "READONLY" */
    bool snapshot;         /* with read_only: everything is read as it is committed now */
    bool must_exist;       /* fail with "MISSING" instead of making a new file */
    uint32_t busy_ms;      /* how long to wait for somebody else's lock; 0 = 5000 */
    uint32_t cache_kib;    /* page cache; 0 = 8192 */
    uint32_t wal_pages;    /* write-ahead log pages (4 KiB) that start a checkpoint; 0 = 4096 */
    bool scratch; /* a file nobody needs after a crash: no log, no lock file, nothing is flushed */
    bool wipe;    /* what is deleted is overwritten in the file, wherever it was */
    bool untrusted; /* it came from elsewhere: checked as sl_state_store.part_open says */
} sl_sqlite_options;

/* Opens or creates the file at `path` (borrowed, UTF-8, NUL-terminated); ":memory:" keeps
 * everything in memory. `options` borrowed, may be NULL. On success *out is owned by the caller
 * (vtbl->close). On failure *out is untouched and `st` says why: SL_ERR_STORAGE with one of the ids
 *
 *   LOCKED   another process (or this one) has it open for writing; the text names the process
 *   FOREIGN  not an SQLite file, or one that another program made
 *   NEWER    made by a newer version of this library
 *   DAMAGED  an SQLite file of ours whose content is broken
 *   MISSING  no such file (must_exist, read_only)
 *   READONLY the file or its directory cannot be written
 *   FULL     no space left
 *   IO       any other failure of the operating system
 *
 * or SL_ERR_MEMORY. A class with more properties than a table has columns is refused with "LIMIT"
 * when the property is added. Every other function of the store may fail with these, too, and with
 * "SYNC": flushing failed after a commit, so nobody knows what would survive a loss of power; the
 * store then refuses every call but close. */
bool sl_sqlite_open(const char *path, const sl_sqlite_options *options, sl_store **out,
                    sl_status *st);

/* Writes a copy of what is committed in the file at `path` to the new file `to`, while others may
 * be writing. All or nothing: `to` appears, flushed, when it is complete, and replaces what was
 * there. */
bool sl_sqlite_backup(const char *path, const char *to, sl_status *st);
/* Empties the write-ahead log of an open store into its file, outside of transactions, so that
 * nothing of what was overwritten or deleted is left in the log. Does not wait: while others read,
 * it stays for a later checkpoint. */
bool sl_sqlite_flush_log(sl_store *store, sl_status *st);
/* As sl_sqlite_backup for an open store; not inside a transaction for one in memory. */
bool sl_sqlite_backup_store(sl_store *store, const char *to, sl_status *st);

/* Puts the state that was received for the file at `path` (sl_state_store.part_open, closed since)
 * in the place of that file, which is not open: all or nothing, and it survives a loss of power
 * when the call returns. "LOCKED" if somebody has the file open for writing. */
bool sl_sqlite_state_install(const char *path, sl_status *st);

/* One finding of sl_sqlite_check; `text` borrowed. */
typedef void (*sl_sqlite_finding)(void *ctx, const char *text);

typedef struct sl_sqlite_stat {
    uint64_t classes, properties, objects, links;
    uint64_t entries, first_version, last_version, changeset_bytes, original_bytes;
    uint64_t reciprocals, clients;
    uint64_t file_bytes; /* pages in use and free, without the write-ahead log */
    uint64_t free_bytes;
} sl_sqlite_stat;

/* Checks the whole content: pages and indexes, catalogue against tables, every value readable,
 * links index against objects, history order and sizes. Calls `report` for each finding; *findings
 * = their number. False only if the check could not be carried out. */
bool sl_sqlite_check(sl_store *store, sl_sqlite_finding report, void *ctx, uint64_t *findings,
                     sl_status *st);
/* Counts what is in the file. */
bool sl_sqlite_stat_read(sl_store *store, sl_sqlite_stat *stat, sl_status *st);

#endif
