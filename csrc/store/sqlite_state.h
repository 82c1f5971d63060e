/* sqlite_state.h - states of the SQLite store: a small SQLite file with the tables of doc/store.md,
 * cut into segments. Not for other rooms.
 *
 *   <realm>.state      server: the kept state, a head of 128 octets and the segments
 *   <realm>.state-new  server: the same while it is made
 *   <realm>.state-db   server: the small file, until it is packed
 *   <realm>.receiving  client: the small file as far as it has come */
#ifndef SL_STORE_SQLITE_STATE_H
#define SL_STORE_SQLITE_STATE_H

#include <sqlite3.h>

#include "store/state.h"

#define SL_SQLITE_STATE_KEPT ".state"
#define SL_SQLITE_STATE_NEW  ".state-new"
#define SL_SQLITE_STATE_DB   ".state-db"
#define SL_SQLITE_STATE_PART ".receiving"
#define SL_SQLITE_STATE_HEAD 128

typedef struct sl_sqlite_store sl_sqlite_store;
typedef struct sl_sqlite_maker sl_sqlite_maker;

/* Part of an open store. File descriptors are -1 when nothing is open. */
typedef struct sl_sqlite_states {
    sl_state_store vtbl;
    sl_sqlite_maker *maker; /* NULL: nothing is being made */
    bool kept_known;        /* the two below say what is on the disk */
    int kept_fd;
    sl_state_facts kept;
    int part_fd;
    uint64_t part_size;
} sl_sqlite_states;

/* Fills store->states; no files are touched. */
void sl_sqlite_states_init(sl_sqlite_store *store);
/* Closes files; what is on the disk stays, but what was being made is removed. */
void sl_sqlite_states_close(sl_sqlite_store *store);

/* --- sqlite_state_make.c --- */

bool sl_sqlite_make_begin(void *ctx, sl_status *st);
bool sl_sqlite_make_step(void *ctx, bool *done, sl_status *st);
void sl_sqlite_make_stop(void *ctx);

/* --- sqlite_state_part.c --- */

bool sl_sqlite_part_begin(void *ctx, uint64_t size, bool *found, sl_status *st);
bool sl_sqlite_part_add(void *ctx, sl_str blocks, sl_status *st);
bool sl_sqlite_part_sync(void *ctx, sl_status *st);
bool sl_sqlite_part_open(void *ctx, sl_store **out, sl_status *st);
void sl_sqlite_part_drop(void *ctx);

/* --- sqlite_state_check.c --- */

/* The first look at a file of unknown origin, right after the tables were identified:
 * SL_ERR_STORAGE "DAMAGED" unless its tables, indexes and views are exactly those that a store
 * would make for its catalogue, its pages are sound, and it holds no history and no facts. */
bool sl_sqlite_state_check(sl_sqlite_store *store, sl_status *st);

/* --- sqlite_state_copy.c --- */

/* Rows on their way from one database to another. */
typedef struct sl_sqlite_copy {
    sqlite3_stmt *read, *write; /* NULL when there is nothing to copy */
} sl_sqlite_copy;

/* Begins to copy the rows of `select` (SQL on `from`) into all columns of `table`, quoted if need
 * be. */
bool sl_sqlite_copy_begin(sl_sqlite_copy *copy, sqlite3 *from, const char *select,
                          sl_sqlite_store *to, sl_str table, sl_status *st);
/* Copies until about `bytes` have been copied; *done: that was the last row. */
bool sl_sqlite_copy_some(sl_sqlite_copy *copy, sl_sqlite_store *to, size_t bytes, bool *done,
                         sl_status *st);
void sl_sqlite_copy_end(sl_sqlite_copy *copy);
/* Copies classes and properties, makes the tables for them, and leaves the catalogue of `to`
 * loaded. Inside a transaction of `to`. */
bool sl_sqlite_copy_catalogue(sqlite3 *from, sl_sqlite_store *to, sl_status *st);

#endif
