/* server_history.h - the history of a realm file on the server: versions, client files, integration
 * of uploads, and what each client still has to hear.
 * Source: protocol/4-history-and-sessions.md, sections 1 to 8 and 18.1.
 *
 * A server history joins a store and the realm over that store's source; all changes go through it.
 * Work is done in units: one unit is one durable transaction (6.2, 6.4). What a unit adds can be
 * read only after its commit.
 *
 * Functions that return bool fail with `st` filled. */
#ifndef SL_HISTORY_SERVER_HISTORY_H
#define SL_HISTORY_SERVER_HISTORY_H

#include "base/env.h"
#include "history/cursor.h"
#include "protocol/entries.h"
#include "realm/realm.h"
#include "store/store.h"

/* Client types in the client table (4.2). */
enum { SL_CLIENT_INDIRECT = 1, SL_CLIENT_REGULAR = 2, SL_CLIENT_SUBSERVER = 4 };

/* The server's own file ident, and the first one given to a client. */
enum { SL_SERVER_FILE_IDENT = 1, SL_FIRST_CLIENT_IDENT = 2 };

typedef struct sl_server_history sl_server_history;

typedef struct sl_server_history_options {
    const sl_alloc *alloc; /* borrowed, NULL = heap */
    const sl_env *env;     /* borrowed: wall clock, salts */
    size_t cache_bytes;    /* recent changesets kept in memory; 0 = 8 MiB */
    bool keep_originals;   /* store each changeset as uploaded too, where it differs */
    /* Steps (sl_merge_options) that the merges of one upload may take; 0 = 100 million, some tenths
     * of a second. Beyond them the client is told 222 and comes back on a fresh copy. */
    uint64_t max_merge_steps;
    /* Classes that clients may bring a file to; 0 = 2,000. Making a table costs a store time in
     * proportion to the tables there are. */
    uint32_t max_classes;
} sl_server_history_options;

/* Opens the history of `store` and `realm` (both borrowed, must outlive it; the realm was opened
 * over the store's source with keep_asymmetric). NULL with `st` filled on failure. */
sl_server_history *sl_server_history_open(sl_store *store, sl_realm *realm,
                                          const sl_server_history_options *options, sl_status *st);
/* Closes; an open unit is rolled back. Store and realm stay open. NULL is allowed. */
void sl_server_history_close(sl_server_history *history);

/* ---- facts of the newest commit -------------------------------------------------------------- */

/* The exposed version, 0 = empty file, and its salt. */
uint64_t sl_server_history_version(const sl_server_history *history);
int64_t sl_server_history_salt(const sl_server_history *history);
/* Sum of the sizes of all stored changesets. */
uint64_t sl_server_history_size(const sl_server_history *history);
/* The protocol version a session needs to read the file (7.6); 3 = any. */
int sl_server_history_level(const sl_server_history *history);
/* Whether a client that has the content of `version` with this salt can go on from it: the version
 * is of this history, and what follows is there as it was (server_care.h). *after: the bytes of
 * what follows. */
bool sl_server_history_holds(sl_server_history *history, uint64_t version, int64_t salt,
                             bool *holds, uint64_t *after, sl_status *st);
/* A row of the client table; its `user` is borrowed until the next call. */
bool sl_server_history_client(sl_server_history *history, uint64_t ident, sl_client_file *row,
                              bool *found, sl_status *st);

/* ---- IDENT ----------------------------------------------------------------------------------- */

/* What a client says in IDENT. */
typedef struct sl_ident_claim {
    uint64_t file_ident;
    int64_t salt;
    sl_cursor download; /* scan server version, scan client version */
    uint64_t latest_sv;
    int64_t latest_salt;
    bool subserver;
    bool check_user; /* the server has users: the ident must have been issued to `user` */
    sl_str user;
} sl_ident_claim;

/* The checks 0 to 9 of 3.4 in their order. Fails with SL_ERR_SESSION and the error number in `code`
 * (208, 209, 210, 211, 222, 223). On success *row is the client's row, `user` emptied. */
bool sl_server_history_check_ident(sl_server_history *history, const sl_ident_claim *claim,
                                   sl_client_file *row, sl_status *st);

/* ---- DOWNLOAD -------------------------------------------------------------------------------- */

typedef struct sl_server_scan {
    sl_cursor cursor;      /* where the scan stands: server version, client version of the peer */
    uint64_t downloadable; /* bytes of history after the cursor */
    size_t count;          /* entries appended */
} sl_server_scan;

/* Scans from `from` towards the exposed version and appends to `entries` what client file `peer`
 * has to hear, in wire form (7.1): not its own, not empty ones. Stops before the body would exceed
 * `limit` octets, unless it is the first entry. What is told has been flushed. `entries` is cut
 * back on failure. */
bool sl_server_history_scan(sl_server_history *history, uint64_t peer, sl_cursor from, size_t limit,
                            sl_buf *entries, sl_server_scan *scan, sl_status *st);

/* ---- units of work --------------------------------------------------------------------------- */

/* What a client may do to the schema; each right is less than the one before. */
typedef enum sl_schema_right {
    SL_SCHEMA_OWNER,    /* everything */
    SL_SCHEMA_ADDITIVE, /* add classes and properties, erase none */
    SL_SCHEMA_LOCKED    /* nothing; to say again what is there is no change */
} sl_schema_right;

/* What one client waits for: its uploads since the last unit. */
typedef struct sl_server_upload {
    uint64_t ident;
    const sl_upload_entry *entries; /* borrowed, client versions ascending */
    size_t count;
    sl_cursor progress;     /* progress client version, progress server version; 0,0 = unknown */
    uint64_t locked;        /* locked server version */
    sl_schema_right schema; /* beyond it: code 225 */
} sl_server_upload;

/* Begins a unit: one transaction of store and realm. */
bool sl_server_history_begin(sl_server_history *history, sl_status *st);
/* Adds a row: `type`, `proxy` and `user` are read from *row; ident and salt are put into it. The
 * ident may be told to anybody only after the commit. */
bool sl_server_history_allocate(sl_server_history *history, sl_client_file *row, sl_status *st);
/* Integrates (6.3, steps 1 to 8). Entries the client had integrated before are skipped. Fails with
 * SL_ERR_SESSION (code 201, 209, 212, 216, 222 or 225: the client is to blame and must be left
 * out) or with SL_ERR_STORAGE, SL_ERR_MEMORY or SL_ERR_INTERNAL; the unit must then be rolled back.
 */
bool sl_server_history_integrate(sl_server_history *history, const sl_server_upload *upload,
                                 sl_status *st);
/* Commits and exposes what was added; *added (may be NULL) = number of new versions. Durable,
 * unless the unit holds progress of clients only: that is flushed before anybody hears of it, by
 * the next durable unit or by sl_server_history_scan. On failure everything is rolled back;
 * "LIMIT": something in the unit is more than realm or store can hold, only without it there is a
 * commit. */
bool sl_server_history_commit(sl_server_history *history, uint64_t *added, sl_status *st);
void sl_server_history_rollback(sl_server_history *history);
bool sl_server_history_in_unit(const sl_server_history *history);

/* Begins a unit that records changes of the server itself (sl_record_... on the realm). Ends with
 * commit or rollback; a write that recorded nothing adds no version. */
bool sl_server_history_begin_write(sl_server_history *history, sl_status *st);

#endif
