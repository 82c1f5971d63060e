/* state.h - the present content of a file, to be handed to a new client in place of its history
 * (protocol/1-wire.md, 4.9 and 5.12): made on the server as a stream of segments, put together
 * again on the client. What the stream holds is the business of the kind of store; it is named by a
 * format number, and both sides must have the same (doc/store.md).
 *
 * A segment is a size (32 bits, big endian) and so many octets of a zlib stream, which inflates by
 * itself to 1 to 64 blocks of 4096 octets. */
#ifndef SL_STORE_STATE_H
#define SL_STORE_STATE_H

#include "base/buf.h"
#include "base/status.h"

typedef struct sl_store sl_store;

enum {
    SL_STATE_BLOCK = 4096,
    SL_STATE_SEGMENT_BLOCKS = 64,
    SL_STATE_SEGMENT_BYTES = SL_STATE_BLOCK * SL_STATE_SEGMENT_BLOCKS,
    /* The file format of a state is one of these plus the version of the tables in it. Realm files
     * have format numbers of two digits. */
    SL_STATE_FORMAT_SQLITE = 1000,
    SL_STATE_FORMAT_MEMORY = 2000
};

/* What a state is the state of. */
typedef struct sl_state_facts {
    uint64_t version; /* server version; 0 = there is no state */
    int64_t salt;     /* of that version */
    uint64_t history; /* bytes of history up to it */
    uint64_t size;    /* octets of all segments */
} sl_state_facts;

/* What a store can do with states; `ctx` is the first argument of every function. Functions that
 * return bool fail with SL_ERR_STORAGE or SL_ERR_MEMORY. One server file keeps one state at a time,
 * beside itself; it survives a restart. One client file has at most one part, the state it is
 * receiving; it survives a restart, too. */
typedef struct sl_state_store {
    int format;
    void *ctx;

    /* ---- server: making ---- */

    /* Begins to make a state of what is committed now; outside a transaction. One that was being
     * made is given up; the kept one stays until the new one is complete. */
    bool (*make_begin)(void *ctx, sl_status *st);
    /* Does a little of it, some milliseconds' worth, whatever happens to the file meanwhile. *done:
     * it is complete and is the kept one now. After a failure it has been given up. */
    bool (*make_step)(void *ctx, bool *done, sl_status *st);
    void (*make_stop)(void *ctx);

    /* ---- server: the kept state ---- */

    /* Version 0 if there is none, or none that can be read. */
    void (*kept)(void *ctx, sl_state_facts *facts);
    /* *starts: a segment begins at `offset`, or the stream ends there. */
    bool (*kept_at)(void *ctx, uint64_t offset, bool *starts, sl_status *st);
    /* Appends whole segments from `offset` on: as many as fit into `limit`, but at least one. A
     * segment begins at `offset`, which is below the size. */
    bool (*kept_read)(void *ctx, uint64_t offset, size_t limit, sl_buf *out, sl_status *st);
    void (*kept_drop)(void *ctx);

    /* ---- client: the part ---- */

    /* Makes it `size` octets long, whatever was there; *found = false if it is shorter. Size 0
     * always succeeds and makes an empty part. */
    bool (*part_begin)(void *ctx, uint64_t size, bool *found, sl_status *st);
    /* Appends blocks. Legal after part_begin. */
    bool (*part_add)(void *ctx, sl_str blocks, sl_status *st);
    /* What was added survives a loss of power. */
    bool (*part_sync)(void *ctx, sl_status *st);
    /* Checks the complete part, which may hold anything, and opens it as a store, in which there is
     * a schema, objects and nothing else. SL_ERR_STORAGE "DAMAGED" if it is none. The store is to
     * be closed before anything else happens to the part; when it was closed, what was committed is
     * on its way to the disk but not flushed. */
    bool (*part_open)(void *ctx, sl_store **store, sl_status *st);
    void (*part_drop)(void *ctx);
} sl_state_store;

/* ---- segments (state.c) ---------------------------------------------------------------------- */

/* Appends one segment with `blocks`, 1 to 64 of them. SL_ERR_MEMORY. */
bool sl_state_pack(sl_buf *out, sl_str blocks, sl_status *st);
/* Takes the first segment off `segments` and inflates it into `blocks` (room for
 * SL_STATE_SEGMENT_BYTES), of which it fills *size octets. Fails with SL_ERR_STORAGE "DAMAGED" for
 * anything that is no segment, or with SL_ERR_MEMORY. `alloc`: NULL = heap. */
bool sl_state_unpack(const sl_alloc *alloc, sl_str *segments, char *blocks, size_t *size,
                     sl_status *st);

#endif
