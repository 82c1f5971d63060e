/* sim_private.h - the inside of a simulation. Private to this room. */
#ifndef SL_SIM_SIM_PRIVATE_H
#define SL_SIM_SIM_PRIVATE_H

#include "session/client_session.h"
#include "session/server_connection.h"
#include "sim/file.h"
#include "sim/pipe.h"

#define SL_SIM_NEVER INT64_MAX

/* A machine's clocks and chance. */
typedef struct sl_sim_clock {
    sl_env env;
    const struct sl_sim *sim;
    int64_t skew;
    uint64_t random;
} sl_sim_clock;

/* A crash in the middle of a storage operation. */
typedef struct sl_sim_trap {
    bool set;
    uint64_t operation;
    sl_memory_crash kind;
} sl_sim_trap;

/* One connection. The client's end is attached while `attached`; the server's end is `peer`. The
 * link ends when both are gone. */
typedef struct sl_sim_link {
    struct sl_sim_link *next;
    struct sl_sim *sim;
    int client;
    uint64_t attempt;
    bool attached;
    bool cut; /* what is on its way still arrives; nothing sent after it does */
    sl_server_connection *peer;
    int version;
    int64_t opens_at;       /* handshake; SL_SIM_NEVER afterwards */
    int64_t client_lost_at; /* the client's end notices the cut */
    int64_t server_lost_at; /* the server's end notices the cut */
    sl_sim_pipe up, down;
    int64_t client_sends_at, server_sends_at;
} sl_sim_link;

/* A client reset on its way. */
typedef enum sl_sim_reset_phase {
    SL_SIM_NO_RESET,
    SL_SIM_RESET_WANTED,   /* a fresh copy will be made as soon as possible */
    SL_SIM_RESET_FETCHING, /* the fresh copy is synchronised */
    SL_SIM_RESET_READY,    /* it is complete */
    SL_SIM_RESET_TRACKED   /* done; the note of it is taken away when all is in step again */
} sl_sim_reset_phase;

/* Invariants: `connection` and `session` are NULL while the machine is down. `link` is the link of
 * attempt `attempt`, or NULL. */
typedef struct sl_sim_client {
    struct sl_sim *sim;
    int number;
    sl_sim_clock clock;
    sl_sim_file file;
    sl_client_connection *connection;
    sl_client_session *session;
    sl_sim_link *link;
    uint64_t attempt;
    int64_t connects_at; /* an attempt begins, or fails */
    int64_t starts_at;   /* the machine is down until then */
    bool started, offline, paused;
    int version;
    sl_sim_link_options link_options;
    sl_sim_trap trap;
    uint64_t resets, states;
    uint64_t asked; /* serialized transaction on its way, 0 = none */

    sl_sim_reset_phase phase;
    int reset_code;
    bool no_recovery;
    sl_sim_file fresh;
    sl_client_session *fresh_session;
    uint64_t fresh_wait, upload_wait, download_wait;
    int64_t reset_at; /* the next step of the reset is tried */
} sl_sim_client;

struct sl_sim {
    sl_sim_options options;
    int64_t now;
    uint64_t random;
    sl_sim_clock clock; /* the server's */
    sl_server_host host;
    sl_memory_disk *disk, *backup;
    sl_server_file *file;
    bool resets_clients; /* a backup was restored, or clients expired */
    int version;         /* newest protocol version of the server; 0 = all */
    int64_t server_starts_at, works_at, cares_at, makes_at;
    sl_sim_trap trap;
    sl_sim_link *links;
    sl_sim_client *clients;
    int client_count;
    size_t peak;
    bool broken; /* `failure` says why */
    sl_status failure;
};

/* ---- sim.c ----------------------------------------------------------------------------------- */

uint64_t sl_sim_random(sl_sim *sim);
void sl_sim_clock_init(sl_sim_clock *clock, const sl_sim *sim, uint64_t seed);
/* Ends what a crash of this kind ends on a disk. */
void sl_sim_crash_disk(sl_sim *sim, sl_memory_disk *disk, sl_memory_crash kind);
/* A moment after now, within the jitter. */
int64_t sl_sim_soon(sl_sim *sim);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sl_sim_log(const sl_sim *sim, const char *format, ...);
/* Notes a failure that ends the simulation. */
void sl_sim_break(sl_sim *sim, const sl_status *why);

/* ---- link.c ---------------------------------------------------------------------------------- */

/* Begins a connection of `client`; false without memory. */
bool sl_sim_link_begin(sl_sim_client *client);
int64_t sl_sim_link_next(const sl_sim_link *link);
/* Does what is due. */
void sl_sim_link_step(sl_sim_link *link);
void sl_sim_link_client_talks(sl_sim_link *link);
/* The client's end is gone; the server's follows at `server_lost_at`. */
void sl_sim_link_detach(sl_sim_link *link, int64_t server_lost_at);
/* The server's end is gone; the client's follows at `client_lost_at`. */
void sl_sim_link_drop_peer(sl_sim_link *link, int64_t client_lost_at);
void sl_sim_link_free(sl_sim_link *link);

/* ---- client.c -------------------------------------------------------------------------------- */

void sl_sim_client_start(sl_sim_client *client);
/* Ends the process; what the disk keeps is decided by `kind`. */
void sl_sim_client_stop(sl_sim_client *client, sl_memory_crash kind, int64_t starts_at);
int64_t sl_sim_client_next(const sl_sim_client *client);
void sl_sim_client_step(sl_sim_client *client);
/* Reads the events; call after every call on the connection. */
void sl_sim_client_drain(sl_sim_client *client);
bool sl_sim_client_quiet(sl_sim_client *client);
void sl_sim_client_free(sl_sim_client *client);

/* ---- reset.c --------------------------------------------------------------------------------- */

void sl_sim_reset_begin(sl_sim_client *client, const sl_client_error *error);
void sl_sim_reset_event(sl_sim_client *client, const sl_client_event *event);
void sl_sim_reset_step(sl_sim_client *client);
/* Forgets the fresh copy. */
void sl_sim_reset_drop(sl_sim_client *client);
/* After a start: goes on with a reset that was not finished. */
void sl_sim_reset_resume(sl_sim_client *client);

/* ---- server.c -------------------------------------------------------------------------------- */

void sl_sim_server_start(sl_sim *sim);
void sl_sim_server_stop(sl_sim *sim, sl_memory_crash kind, int64_t starts_at);
int64_t sl_sim_server_next(const sl_sim *sim);
void sl_sim_server_step(sl_sim *sim);
void sl_sim_server_free(sl_sim *sim);

#endif
