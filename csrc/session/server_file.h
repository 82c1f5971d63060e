/* server_file.h - one synced realm on the server: an actor that owns its store, its history and a
 * queue of work. Source: protocol/4-history-and-sessions.md, sections 4 to 6 and 18.1.
 *
 * Sessions put requests for idents and uploads into the queue; sl_server_file_work turns everything
 * that waits into one durable transaction and then tells the sessions. A file and all sessions
 * bound to it belong to one thread. */
#ifndef SL_SESSION_SERVER_FILE_H
#define SL_SESSION_SERVER_FILE_H

#include "history/compactor.h"

typedef struct sl_server_file sl_server_file;

typedef struct sl_server_file_options {
    const sl_alloc *alloc; /* borrowed, NULL = heap; outlives the file */
    const sl_env *env;     /* borrowed; outlives the file */
    size_t cache_bytes;    /* sl_server_history_options */
    bool keep_originals;
    uint64_t max_merge_steps;
    uint32_t max_classes;
    sl_realm_limits limits; /* of what clients upload; 0 = 1,000 properties, 16,384 octets of a key,
                             * 100 levels, 64 MiB of an object. A store may hold less. */
    uint64_t max_backlog;   /* bytes of uploads that may wait; 0 = 1 GiB. Above it: error 100 */
    size_t
        unit_bytes; /* of changesets in one unit, and always at least one changeset; 0 = 131,072 */
    /* Seconds after which a client that stayed away is expired (error 222); 0 = never. */
    int64_t client_ttl;
    /* Seconds from one compaction of the history to the next, and up to half of that more; 0 = one
     * hour, negative = only when asked for. */
    int64_t compact_interval;
    uint64_t compact_min; /* new versions that are worth one; 0 = 256 */
    /* Called when work waits that is due earlier than all that waited before: call
     * sl_server_file_work when sl_server_file_rest says so, but not from inside the callback. NULL
     * is allowed. */
    void (*on_work)(void *ctx, sl_server_file *file);
    /* Called after a commit that added versions up to `version`. NULL is allowed. */
    void (*on_commit)(void *ctx, sl_server_file *file, uint64_t version);
    /* Called when a state for new clients is to be made: call sl_server_file_make_state soon, until
     * there is no more to do, but not from inside the callback. NULL: no states are made. */
    void (*on_state)(void *ctx, sl_server_file *file);
    uint64_t min_state; /* bytes of history below which a new client gets the history instead of a
                         * state; 0 = 65,536 */
    uint64_t state_age; /* bytes by which the history may grow until a state is made anew; 0 = a
                         * quarter of the state's size, but at least 262,144 */
    /* Called when a client had to be left out for a reason that is not its own (a damaged entry, a
     * broken invariant); its session gets 201. NULL is allowed. */
    void (*on_trouble)(void *ctx, sl_server_file *file, const sl_status *status);
    void *ctx;
} sl_server_file_options;

/* Opens the file over `store`, which is transferred on success (and stays the caller's on failure).
 * `options` borrowed. NULL with `st` filled on failure. */
sl_server_file *sl_server_file_open(sl_store *store, const sl_server_file_options *options,
                                    sl_status *st);
/* Closes the file and its store. Work that waits is lost, which no client was promised (18.1).
 * Sessions still bound get error 200 and let go of it. NULL is allowed. */
void sl_server_file_close(sl_server_file *file);

/* True if work waits. */
bool sl_server_file_waiting(const sl_server_file *file);
/* Milliseconds after which work that waits had best be done; 0 = now, -1 = there is none. Mostly 0,
 * but while uploads arrive faster than units are done, one unit shall take several of them: each
 * unit is a commit here, and a message and a commit for every reader, whatever its size. What
 * clients have merely received is kept with the next upload, or when it has waited for a while.
 * Working earlier is never wrong. */
int64_t sl_server_file_rest(const sl_server_file *file);
/* Does what waits as one durable transaction, up to `unit_bytes` of changesets, clients in turn; if
 * work still waits afterwards, call it again soon, other things first. A client whose upload cannot
 * be integrated is left out and its session told; that is no failure of the call. On failure
 * (SL_ERR_STORAGE, SL_ERR_MEMORY) nothing has happened, the work still waits, and the call may be
 * repeated; after a store's "SYNC" the file has to be closed and opened again instead. */
bool sl_server_file_work(sl_server_file *file, sl_status *st);

/* Does some milliseconds' worth of making the state that new clients receive; *more: call it again.
 * On failure the clients that wait for it get the history instead. */
bool sl_server_file_make_state(sl_server_file *file, bool *more, sl_status *st);

/* What a run of care has done (sl_server_file_care). */
typedef struct sl_care_report {
    bool ran;       /* at least one run since the file was opened has ended */
    size_t expired; /* clients */
    sl_compactor_report compaction;
} sl_care_report;

/* Care of the history (protocol/4-history-and-sessions.md, 8.2): keeps in mind when clients were
 * there, and at most once in an interval expires those that stayed away and compacts. To be called
 * once a minute or so; does at most one bounded unit of work. *more: a run is on its way, call
 * again soon, other work first. A client that is bound never expires. A failure ends the run; what
 * it did stands. */
bool sl_server_file_care(sl_server_file *file, bool *more, sl_status *st);
/* The next call of care begins a run, whatever the time. `client_ttl` counts for this run instead
 * of that of the options; -1 = that one. */
void sl_server_file_compact(sl_server_file *file, int64_t client_ttl);
/* True while a run is on its way or asked for. */
bool sl_server_file_caring(const sl_server_file *file);
sl_care_report sl_server_file_care_report(const sl_server_file *file);

/* Changes of the server itself: begins a write on the file's realm (record.h), ends it durably and
 * tells all sessions, or takes it back. */
bool sl_server_file_begin_write(sl_server_file *file, sl_status *st);
bool sl_server_file_commit_write(sl_server_file *file, sl_status *st);
void sl_server_file_rollback_write(sl_server_file *file);

/* Borrowed. */
sl_server_history *sl_server_file_history(const sl_server_file *file);
sl_realm *sl_server_file_realm(const sl_server_file *file);
sl_store *sl_server_file_store(const sl_server_file *file);
/* Sessions bound to it. */
size_t sl_server_file_sessions(const sl_server_file *file);
/* Bytes of uploads that wait. */
uint64_t sl_server_file_backlog(const sl_server_file *file);

#endif
