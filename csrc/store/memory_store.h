/* memory_store.h - a complete store in memory, with a disk that can crash, fill up and fail on
 * purpose: for tests, simulations and realms that need no file. */
#ifndef SL_STORE_MEMORY_STORE_H
#define SL_STORE_MEMORY_STORE_H

#include "base/alloc.h"
#include "store/store.h"

/* What survives the store: the file of this kind of store. Holds two states: what was committed,
 * and the older or equal one that a loss of power would leave. Not thread-safe; stores on one disk
 * belong to one thread. */
typedef struct sl_memory_disk sl_memory_disk;

/* An empty disk; `alloc` borrowed (NULL = heap), must outlive the disk and its stores, and is what
 * every later operation allocates from. NULL: no memory. */
sl_memory_disk *sl_memory_disk_new(const sl_alloc *alloc);
/* Gives up the caller's hold; an open store keeps its disk alive until it is closed. */
void sl_memory_disk_free(sl_memory_disk *disk);
/* Opens the store on `disk`. SL_ERR_STORAGE "LOCKED" while another store is open on it. The new
 * store is owned by the caller (vtbl->close). */
bool sl_memory_disk_open(sl_memory_disk *disk, sl_store **store, sl_status *st);
/* A second disk with the committed content, as a backup taken now; NULL: no memory. */
sl_memory_disk *sl_memory_disk_copy(const sl_memory_disk *disk);

typedef enum sl_memory_crash {
    SL_CRASH_PROCESS, /* an open transaction is lost, every commit survives */
    SL_CRASH_POWER    /* commits since the last durable commit or sync are lost too */
} sl_memory_crash;

/* What the crash leaves. An open store goes on with the surviving state and without a transaction;
 * what its user remembers of it (schema, cursors) is out of date, so normally it is closed next. */
void sl_memory_disk_crash(sl_memory_disk *disk, sl_memory_crash kind);

/* A disk writes in order, as a write-ahead log does, but not only when it is told to: a loss of
 * power may leave any number of the commits since the last durable one, the oldest first. From now
 * on the disk remembers them (which costs memory until the next durable commit or sync). */
void sl_memory_disk_keep_unflushed(sl_memory_disk *disk);
/* How many it remembers; 0 if it does not. */
size_t sl_memory_disk_unflushed(const sl_memory_disk *disk);
/* SL_CRASH_POWER that leaves the first `keep` of them, all if there are not so many. */
void sl_memory_disk_tear(sl_memory_disk *disk, size_t keep);

/* The machine dies in the middle of the `nth` (1 = next) call of a function that can fail: that
 * call and all later ones fail with SL_ERR_STORAGE "IO" until sl_memory_disk_crash or _tear. If it
 * is a commit, `stays` decides whether it has happened although nobody was told; 0 = does not die.
 */
void sl_memory_disk_die(sl_memory_disk *disk, uint64_t nth, bool stays);

/* From now on the `nth` (1 = next) call of a function that can fail fails once with SL_ERR_STORAGE
 * "IO", without any effect but that of a failed commit (rollback); 0 = no failure planned. */
void sl_memory_disk_fail(sl_memory_disk *disk, uint64_t nth);
/* As sl_memory_disk_fail, but it fails with SL_ERR_STORAGE "LIMIT". */
void sl_memory_disk_refuse(sl_memory_disk *disk, uint64_t nth);
/* Calls that could have failed since the disk was made. */
uint64_t sl_memory_disk_operations(const sl_memory_disk *disk);
/* Bytes of keys and values the disk may hold, UINT64_MAX (the start) = no limit. A change that
 * would exceed it fails with SL_ERR_STORAGE "FULL" and has no effect; what is there already stays.
 */
void sl_memory_disk_limit(sl_memory_disk *disk, uint64_t bytes);
/* Bytes that one value (an object, an entry, a client's row, ...) may have, UINT64_MAX (the start)
 * = no limit. A larger one fails with SL_ERR_STORAGE "LIMIT" at every try. */
void sl_memory_disk_limit_values(sl_memory_disk *disk, uint64_t bytes);
/* Bytes of keys and values committed. */
uint64_t sl_memory_disk_size(const sl_memory_disk *disk);

/* Puts the state that was received on `disk` (sl_state_store.part_open, closed since) in the place
 * of what is there, durably. No store may be open on it. False: there is none. */
bool sl_memory_state_install(sl_memory_disk *disk);

/* A store on a disk of its own that vanishes with it. */
bool sl_memory_open(const sl_alloc *alloc, sl_store **store, sl_status *st);
/* The disk under a store that was opened here; borrowed. */
sl_memory_disk *sl_memory_disk_of(sl_store *store);

#endif
