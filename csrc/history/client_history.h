/* client_history.h - the history of a realm file on a client: own changes waiting for the server,
 * what is known of the server, and the integration of what it sends.
 * Source: protocol/4-history-and-sessions.md, sections 1 to 3, 9, 10 and 18.2.
 *
 * A client history joins a store and the realm over that store's source. All writes to the realm go
 * through it. Versions count commits: an untouched file is at version 0, the first commit makes 2,
 * every commit counts (1.3); they are stored and never used again.
 *
 * Functions that return bool fail with `st` filled and leave history, realm and store as they were
 * before the call, unless stated otherwise. */
#ifndef SL_HISTORY_CLIENT_HISTORY_H
#define SL_HISTORY_CLIENT_HISTORY_H

#include "base/env.h"
#include "protocol/entries.h"
#include "realm/realm.h"
#include "store/store.h"

typedef struct sl_client_history sl_client_history;

typedef struct sl_client_history_options {
    const sl_alloc *alloc; /* borrowed, NULL = heap */
    const sl_env *env;     /* borrowed: wall clock */
    bool fast_commits; /* local commits are not flushed one by one, but at the latest before they
                        * are uploaded (18.2) */
    /* The realm will never be synchronised: its history is not kept. From its first commit on that
     * holds for the file, whoever opens it. SL_ERR_USAGE for a file that has an ident. */
    bool local_only;
} sl_client_history_options;

/* What a client knows of the server, as stored (2.1). */
typedef struct sl_client_cursors {
    uint64_t latest_sv; /* newest server version heard of */
    int64_t latest_salt;
    uint64_t dl_sv, dl_cv; /* download cursor: integrated here */
    uint64_t ul_cv, ul_sv; /* upload cursor: integrated by the server */
} sl_client_cursors;

/* For display. Bytes are sizes of changesets. `uploadable` includes `uploaded`, `downloadable`
 * includes `downloaded`. */
typedef struct sl_client_progress {
    uint64_t uploaded_bytes, uploadable_bytes, downloaded_bytes, downloadable_bytes;
    uint64_t uploaded_changesets, uploadable_changesets, downloaded_changesets;
} sl_client_progress;

/* Opens the history of `store` and `realm` (both borrowed, must outlive it; the realm was opened
 * over the store's source). `options` borrowed. NULL with `st` filled on failure; SL_ERR_STORAGE if
 * the stored state is damaged. */
sl_client_history *sl_client_history_open(sl_store *store, sl_realm *realm,
                                          const sl_client_history_options *options, sl_status *st);
/* Closes; an open write is rolled back. Store and realm stay open. NULL is allowed. */
void sl_client_history_close(sl_client_history *history);

sl_store *sl_client_history_store(const sl_client_history *history);
sl_realm *sl_client_history_realm(const sl_client_history *history);

/* ---- local writes ---------------------------------------------------------------------------- */

/* Begins a write transaction: store and realm, recording. SL_ERR_USAGE if one is open, or, with id
 * "CLOCK", if the wall clock stands before 2015 (1.4). */
bool sl_client_history_begin(sl_client_history *history, sl_status *st);
/* As above, for a file that is itself a server's (second tier): what is written was made by client
 * file `author`, an ident from sl_client_session_allocate, and is uploaded in its name; 0 = by the
 * file itself. SL_ERR_USAGE for the file's own ident, or while it has none. */
bool sl_client_history_begin_for(sl_client_history *history, uint64_t author, sl_status *st);
bool sl_client_history_writing(const sl_client_history *history);
/* Bytes of the changeset that the open write has recorded so far, 0 without one. All calls of a
 * write together take time in proportion to the write. */
bool sl_client_history_recorded(sl_client_history *history, uint64_t *bytes, sl_status *st);
/* True if the file keeps no history, and so cannot be synchronised. Its commits make no versions.
 */
bool sl_client_history_is_local(const sl_client_history *history);
/* Commits it as one history entry and sets *version (may be NULL) to the version made. A write that
 * recorded nothing is rolled back and leaves the version. On failure everything is rolled back. */
bool sl_client_history_commit(sl_client_history *history, uint64_t *version, sl_status *st);
void sl_client_history_rollback(sl_client_history *history);

/* ---- facts ----------------------------------------------------------------------------------- */

/* Newest version; 0 for an untouched file. */
uint64_t sl_client_history_version(const sl_client_history *history);
/* Entries at or before it count no more; they leave the store sooner or later. */
uint64_t sl_client_history_base(const sl_client_history *history);
/* Client file ident and salt; 0 and 0 before the server assigned them. */
uint64_t sl_client_history_ident(const sl_client_history *history);
int64_t sl_client_history_salt(const sl_client_history *history);
const sl_client_cursors *sl_client_history_cursors(const sl_client_history *history);
const sl_client_progress *sl_client_history_progress(const sl_client_history *history);
/* Makes earlier commits survive power loss. Cheap when nothing is pending. Must succeed before
 * anything derived from the history is sent (18.2). */
bool sl_client_history_sync(sl_client_history *history, sl_status *st);

/* Sets *done if nothing made up to `version` waits for a confirmation of the server (11.4). */
bool sl_client_history_confirmed(sl_client_history *history, uint64_t version, bool *done,
                                 sl_status *st);

/* ---- the server's ident ---------------------------------------------------------------------- */

/* Stores ident (>= 1) and salt (!= 0) durably as one commit, and puts the ident into GlobalKeys
 * that were made without one, in the realm and in the stored changesets (9.6; 2-changeset.md,
 * 13.4). SL_ERR_USAGE if an ident is stored already. */
bool sl_client_history_set_ident(sl_client_history *history, uint64_t ident, int64_t salt,
                                 sl_status *st);

/* ---- upload ---------------------------------------------------------------------------------- */

/* A place in the history: what was scanned, and the server version at that place. */
typedef struct sl_upload_cursor {
    uint64_t client_version, server_version;
} sl_upload_cursor;

typedef struct sl_upload_batch {
    sl_upload_cursor cursor; /* after the batch: progress of the UPLOAD, start of the next scan */
    uint64_t count;          /* changesets taken */
    bool more;               /* the limit was reached before the end */
    bool gated;              /* stopped before a changeset that needs a newer protocol */
    uint64_t gate_version;   /* that changeset's version */
    int gate_level;          /* and the protocol version it needs */
} sl_upload_batch;

/* Walks the own changes after `from` up to version `last` (at most the newest) and appends their
 * changesets to `entries` in wire form, originals always (9.4): stops after 131,072 bytes, never
 * starts one that would reach 16 MiB unless it is the first. `protocol`: negotiated version; below
 * 13 changesets that the peer cannot read stop the scan (2-changeset.md, 9.2). The cursor of a
 * `last` before the newest version is that of the last change taken. */
bool sl_client_history_scan_uploads(sl_client_history *history, sl_upload_cursor from,
                                    uint64_t last, int protocol, sl_buf *entries,
                                    sl_upload_batch *batch, sl_status *st);

/* From now on a write whose changeset does not fit into a message of `max_message` octets is
 * refused by commit: SL_ERR_SESSION "too_big". 0: no limit, as long as nobody uploads. */
void sl_client_history_limit(sl_client_history *history, uint64_t max_message);

/* ---- download -------------------------------------------------------------------------------- */

/* One DOWNLOAD, opened. */
typedef struct sl_client_download {
    sl_client_cursors cursors;        /* the header */
    uint64_t downloadable;            /* bytes still to come */
    const sl_download_entry *entries; /* borrowed */
    size_t count;
} sl_client_download;

typedef struct sl_client_integration {
    uint64_t version;    /* client version it made */
    uint64_t changesets; /* of others */
    bool changed;        /* instructions were applied: the realm's change set tells which objects */
    bool confirmed;      /* the upload cursor moved */
    uint64_t steps;      /* of work: instructions applied and objects saved */
} sl_client_integration;

/* The checks of 3.6 (1 to 8) against what is stored. Fails with SL_ERR_PROTOCOL; the connection is
 * then to be closed. Changes nothing. */
bool sl_client_history_check_download(const sl_client_history *history,
                                      const sl_client_download *download, sl_status *st);

/* Whether `download` passes all checks when it comes after one that set the cursors to `after`
 * (borrowed). */
bool sl_client_history_check_next(const sl_client_history *history, const sl_client_cursors *after,
                                  const sl_client_download *download);

/* Integrates a DOWNLOAD as one commit (10.1): merges with own unconfirmed changes, applies, keeps
 * reciprocal forms, stores the progress, trims. The commit is flushed by the next local commit or
 * sl_client_history_sync: after a power failure before that the server sends the same again. Fails
 * with SL_ERR_CHANGESET (code 212: does not parse, merge or apply), SL_ERR_SESSION code 233
 * (progress behind what is stored), SL_ERR_USAGE (a local write is open), SL_ERR_STORAGE or
 * SL_ERR_MEMORY. */
bool sl_client_history_integrate(sl_client_history *history, const sl_client_download *download,
                                 sl_client_integration *result, sl_status *st);

#endif
