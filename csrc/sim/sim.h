/* sim.h - a server and its clients in one process, in virtual time, joined by links in memory that
 * can be slow, cut and left hanging, on disks that can fill up, fail and lose power. Sessions,
 * histories and merges are the real ones; a seed and the order of calls decide everything that
 * happens, so every run can be repeated.
 *
 * Time stands still between calls; sl_sim_advance and sl_sim_settle let it pass. All times are
 * milliseconds. Clients are numbered from 0; SL_SIM_SERVER means the server where `who` is asked
 * for.
 *
 * Functions that return bool fail with `st` filled: SL_ERR_MEMORY, SL_ERR_USAGE (no such client,
 * machine is down), SL_ERR_INTERNAL (a session broke its contract: a bug). After a failure of the
 * first or last kind the simulation can only be freed. */
#ifndef SL_SIM_SIM_H
#define SL_SIM_SIM_H

#include "session/client_connection.h"
#include "session/server_file.h"
#include "store/memory_store.h"

typedef struct sl_sim sl_sim;

enum { SL_SIM_SERVER = -1, SL_SIM_MAX_CLIENTS = 64 };

/* What is done to a realm after the server has asked for a client reset. */
typedef enum sl_sim_reset {
    SL_SIM_RESET_RECOVER, /* keeps what the server had not confirmed */
    SL_SIM_RESET_DISCARD,
    SL_SIM_RESET_MANUAL /* nothing: the session stays ended */
} sl_sim_reset;

/* Callbacks may be NULL; they must not let time pass or do anything to a machine or a link. Zero in
 * a number means the default. */
typedef struct sl_sim_options {
    const sl_alloc *alloc; /* borrowed, NULL = heap; outlives the simulation */
    uint64_t seed;
    int clients;         /* 1 .. SL_SIM_MAX_CLIENTS */
    int64_t start_ms;    /* wall clock at the beginning; default 2023-11-14 */
    int64_t jitter_ms;   /* sides react after up to this time; default 3 */
    bool fast_commits;   /* of the clients (sl_client_history_options) */
    size_t buffer;       /* bytes a socket takes in before its reader has read; default 65 536 */
    sl_sim_reset reset;  /* what clients do when asked for a client reset */
    bool state_transfer; /* clients whose file has nothing yet ask for the server's state; it takes
                          * the place of their file (`closing`, then `opened`) */
    void *ctx;
    /* Something happened; `line` is borrowed. */
    void (*log)(void *ctx, int64_t now_ms, const char *line);
    /* A client was told of an error. */
    void (*error)(void *ctx, int client, const sl_client_error *error);
    /* Changes of others are in a client's realm, which may be read and written here. */
    void (*changed)(void *ctx, int client);
    /* The outcome of a serialized transaction is known, or will never be, because the client ends.
     */
    void (*transacted)(void *ctx, int client, uint64_t request, sl_transact_outcome outcome);
    /* A client's realm is about to be closed: every pointer into it dies. */
    void (*closing)(void *ctx, int client);
    /* A client's realm was opened again after a crash; the history may be looked at. */
    void (*opened)(void *ctx, int client, const sl_client_history *history);
    /* May put another store between `store` and its user (`who`); ownership goes to the returned
     * one. */
    sl_store *(*wrap)(void *ctx, int who, sl_store *store);
} sl_sim_options;

/* Starts the server and the clients, which begin to connect. `options` borrowed. NULL with `st`
 * filled on failure. */
sl_sim *sl_sim_new(const sl_sim_options *options, sl_status *st);
void sl_sim_free(sl_sim *sim);

/* ---- time ------------------------------------------------------------------------------------ */

/* Since the beginning. */
int64_t sl_sim_now(const sl_sim *sim);
bool sl_sim_advance(sl_sim *sim, int64_t ms, sl_status *st);
/* Ends every fault (links, disks, machines that are down, pauses), connects everybody, after a
 * restored backup or an expiry with the newest protocol (older ones cannot ask for a client reset),
 * and lets
 * time pass until all is quiet (sl_sim_quiet), at most `limit_ms`. *quiet tells whether it was
 * reached. */
bool sl_sim_settle(sl_sim *sim, int64_t limit_ms, bool *quiet, sl_status *st);
/* Nothing is on its way, and every client has everything the server has and the other way round. */
bool sl_sim_quiet(sl_sim *sim);

/* ---- the two sides --------------------------------------------------------------------------- */

int sl_sim_clients(const sl_sim *sim);
/* The history of a client's realm for reading and writing; NULL while the client is down. Borrowed
 * until `closing`. Call sl_sim_wrote after a commit. */
sl_client_history *sl_sim_history(sl_sim *sim, int client);
bool sl_sim_wrote(sl_sim *sim, int client, sl_status *st);
/* Ends the write that is open on a client's history as a serialized transaction
 * (sl_client_session_transact); `transacted` hears of the outcome. *request = 0: nothing was
 * recorded, or the client cannot do it now (nothing was done; st says why). */
bool sl_sim_transact(sl_sim *sim, int client, uint64_t *request, sl_status *st);
/* True if no serialized transaction of the client is on its way. */
bool sl_sim_may_transact(const sl_sim *sim, int client);
/* NULL while the server is down. Borrowed until the server crashes or is restored. */
sl_server_file *sl_sim_server(sl_sim *sim);
/* After changes of the server itself (sl_server_file_commit_write). */
bool sl_sim_server_wrote(sl_sim *sim, sl_status *st);
/* The state of a realm as text, appended to `out`. */
bool sl_sim_state(sl_sim *sim, int who, sl_buf *out, sl_status *st);
/* Whether the realms of all clients equal the server's, but for objects of asymmetric classes,
 * which only the server keeps. */
bool sl_sim_equal(sl_sim *sim, bool *equal, sl_status *st);
/* States that a client has received in place of a history. */
uint64_t sl_sim_states(const sl_sim *sim, int client);
/* Client resets a client has been through. */
uint64_t sl_sim_resets(const sl_sim *sim, int client);
/* Greatest number of bytes that were on their way in one direction of one link. */
size_t sl_sim_peak(const sl_sim *sim);
/* What a client's session says of itself: sl_session_state_name, or "down". Static storage. */
const char *sl_sim_session_state(const sl_sim *sim, int client);

/* ---- the network ----------------------------------------------------------------------------- */

typedef struct sl_sim_link_options {
    int64_t latency_ms; /* default 5 */
    int64_t spread_ms;  /* up to so much more, by chance */
    int64_t batch_ms;   /* messages arrive together every so often; 0 = each by itself */
    int64_t rate;       /* bytes per second, 0 = no limit */
} sl_sim_link_options;

/* How a broken link is noticed. */
typedef enum sl_sim_cut {
    SL_SIM_CUT_BOTH,   /* by both ends at once */
    SL_SIM_CUT_CLIENT, /* by the client; the server's end hangs on for a while */
    SL_SIM_CUT_SERVER  /* by the server; the client's end hangs on */
} sl_sim_cut;

/* Holds for messages sent from now on, over this and later links of the client. */
bool sl_sim_set_link(sl_sim *sim, int client, const sl_sim_link_options *options, sl_status *st);
/* Newest protocol version that a client, or SL_SIM_SERVER, knows from its next connection on; 0 =
 * all. Both ends agree on the older one's. */
bool sl_sim_set_version(sl_sim *sim, int who, int version, sl_status *st);
/* Breaks the link of a client, if there is one. Of the messages on their way some are lost, those
 * sent last. `linger_ms`: how long the end that does not notice hangs on. The client will connect
 * again. */
bool sl_sim_cut_link(sl_sim *sim, int client, sl_sim_cut cut, int64_t linger_ms, sl_status *st);
/* No network for a client until sl_sim_connect, which also ends its waiting. */
bool sl_sim_disconnect(sl_sim *sim, int client, sl_status *st);
bool sl_sim_connect(sl_sim *sim, int client, sl_status *st);
/* The session's pause (sl_client_session_pause). */
bool sl_sim_pause(sl_sim *sim, int client, bool paused, sl_status *st);

/* ---- machines -------------------------------------------------------------------------------- */

/* The process or the machine of `who` ends now and starts again after `down_ms`. A loss of power
 * takes what was not flushed: all of it, or, by chance, the commits from one of them on (stores
 * write in order, so no other part can be missing). */
bool sl_sim_crash(sl_sim *sim, int who, sl_memory_crash kind, int64_t down_ms, sl_status *st);
/* The same in the middle of the `nth` storage operation from now. If that is a commit, chance
 * decides whether it has happened; nobody was told. */
bool sl_sim_crash_at(sl_sim *sim, int who, uint64_t nth, sl_memory_crash kind, sl_status *st);
/* Ends a client's process, throws its file away with everything in it that was not uploaded, and
 * starts it after `down_ms` with a new one: an app that is installed anew. */
bool sl_sim_renew(sl_sim *sim, int client, int64_t down_ms, sl_status *st);
/* The `nth` storage operation from now fails once; 0 takes it back. */
bool sl_sim_fail_at(sl_sim *sim, int who, uint64_t nth, sl_status *st);
/* The disk takes only `room` bytes more; UINT64_MAX = no limit. */
bool sl_sim_limit_disk(sl_sim *sim, int who, uint64_t room, sl_status *st);
/* A client's wall clock is off by `ms`; SL_SIM_SERVER: the server's. */
bool sl_sim_set_clock(sl_sim *sim, int who, int64_t ms, sl_status *st);
/* The server begins to compact its history (sl_server_file_compact), a step at a time; no effect
 * while it is down. `client_ttl`: seconds after which clients that stayed away expire, -1 = never.
 */
bool sl_sim_compact(sl_sim *sim, int64_t client_ttl, sl_status *st);
/* Keeps the server's file as it is now; the server goes on with that file after a restore. What it
 * had sent before is lost. */
bool sl_sim_backup(sl_sim *sim, sl_status *st);
bool sl_sim_restore(sl_sim *sim, sl_status *st);

#endif
