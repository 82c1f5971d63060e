/* model.h - what a run has written, and what has to be left of it in the end. */
#ifndef SL_SPEC_SIM_MODEL_H
#define SL_SPEC_SIM_MODEL_H

#include "program.h"
#include "sim/sim.h"

/* One committed transaction: it made the object Write/`id`, added one to the counter and the id to
 * the journal. */
typedef struct model_write {
    int64_t id;
    int client;
    uint64_t version;  /* of the client's history */
    uint64_t request;  /* of a serialized transaction, whose outcome is open; else 0 */
    bool transacted;   /* it is one */
    bool serial;       /* what its machine holds says nothing of it */
    bool acknowledged; /* the client was told so */
    bool in_backup;
    bool lost;     /* its machine lost it before anybody heard of it: must not be there */
    bool unknown;  /* the commit failed because the machine died: it may have happened */
    bool may_lose; /* was confirmed by a server that has been set back since */
} model_write;

typedef struct model_ident {
    uint64_t ident;
    int64_t salt;
    int client;
} model_ident;

/* What was seen of a client last. */
typedef struct model_seen {
    uint64_t resets, ident, version, latest, downloaded, uploaded;
} model_seen;

typedef struct model {
    model_write *writes;
    size_t count, capacity;
    model_ident *idents;
    size_t ident_count, ident_capacity;
    model_seen seen[SL_SIM_MAX_CLIENTS];
    int64_t next_id;
    int level;                      /* of the content (content.h) */
    bool dying[SL_SIM_MAX_CLIENTS]; /* a crash in the middle of a storage operation was planned */
    int restores;
    int expiries, replacements;
    bool faults; /* disks failed or were full: errors of storage are to be expected */
    bool crashes;
    bool old_versions; /* clients spoke older protocols */
    char why[400];     /* first violation; "" = none */
    size_t messages;
} model;

void model_free(model *m);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void model_violated(model *m, const char *format, ...);

/* One transaction of a client. */
void model_do_write(model *m, sl_sim *sim, const sim_step *s);
/* One serialized transaction: as above, and it sets a number to one more than it read. */
void model_do_transact(model *m, sl_sim *sim, const sim_step *s);
void model_on_outcome(model *m, int client, uint64_t request, sl_transact_outcome outcome);
/* The client's machine is lost, with what had not been sent. */
void model_on_replace(model *m, sl_sim *sim, int client);
void model_do_server_write(model *m, sl_sim *sim, const sim_step *s);
void model_do_schema(model *m, sl_sim *sim, const sim_step *s);
/* Looks at all clients: nothing goes back, no ident is used twice. */
void model_look(model *m, sl_sim *sim);
/* Whether the server has heard of the schema. */
bool model_server_ready(sl_sim *sim);
void model_on_backup(model *m, sl_sim *sim);
void model_on_restore(model *m, sl_sim *sim);
/* A client has started again: what its disk lost is not expected any more. */
void model_after_crash(model *m, const program *p, int client, const sl_client_history *history);
/* Everything is quiet: is everything as it has to be? */
void model_check(model *m, sl_sim *sim);

/* After a restart and a change of each client: no client keeps what it needs no more. */
void model_check_trimmed(model *m, sl_sim *sim);

#endif
