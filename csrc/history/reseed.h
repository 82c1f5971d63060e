/* reseed.h - giving a server that lost its data what is here: in a client reset, everything that
 * the fresh copy does not have is made again there, as local changes. Private to the client side.
 *
 * Objects with primary keys keep them, so that several devices give the same object back once.
 * Objects without one get a key that is computed from their old one, because the idents in old keys
 * are given out again by the new server; every device computes the same. An object that the server
 * has is left as it is there. */
#ifndef SL_HISTORY_RESEED_H
#define SL_HISTORY_RESEED_H

#include "history/reset_writer.h"

typedef struct sl_reseed sl_reseed;

typedef struct sl_reseed_options {
    const sl_alloc *alloc; /* borrowed; NULL = heap */
    sl_realm *fresh;       /* the server's state, in an open transaction; is changed */
    sl_realm *local;       /* the local final state; is only read */
    bool lost;        /* no object without a primary key is taken for one that the server has */
    bool schema_only; /* classes and properties are given back, no objects */
    /* Gets every changeset (borrowed) that was applied to `fresh`, of about a mebibyte unless one
     * property is larger. */
    bool (*take)(void *ctx, const sl_changeset *cs, sl_status *st);
    void *ctx;
} sl_reseed_options;

/* `options` borrowed during the call, what they point to until the end. NULL: no memory. */
sl_reseed *sl_reseed_new(const sl_reseed_options *options);
void sl_reseed_free(sl_reseed *reseed);

/* Schema and empty objects; before local changes are replayed. Fails with what `take` fails with,
 * SL_ERR_SESSION "SCHEMA", SL_ERR_MEMORY, SL_ERR_STORAGE. */
bool sl_reseed_objects(sl_reseed *reseed, sl_status *st);
/* Puts the new keys into a local change that is going to be replayed. */
bool sl_reseed_rename(sl_reseed *reseed, sl_changeset *cs, sl_status *st);
/* What the objects hold; after local changes were replayed. Fails as above. */
bool sl_reseed_content(sl_reseed *reseed, sl_status *st);
/* How many objects here are on the server with something else in them. */
uint64_t sl_reseed_taken(const sl_reseed *reseed);

#endif
