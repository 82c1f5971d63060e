/* live_private.h - what the files of the live result share. */
#ifndef SL_QUERY_LIVE_PRIVATE_H
#define SL_QUERY_LIVE_PRIVATE_H

#include "query/live.h"
#include "query/live_row.h"
#include "realm/change.h"

/* An object of the class whose place in the result may have changed. */
typedef struct sl_live_touch {
    sl_key key; /* bytes in the arena of the touches */
    bool modified;
    bool erased;
    sl_live_row *before; /* in the result before, or NULL */
    sl_live_row *after;  /* belongs to it now, or NULL; a fresh row until it is put in */
} sl_live_touch;

/* A row that was there before and is there now. */
typedef struct sl_live_pair {
    size_t from, to;
    bool candidate; /* its place among the others may have changed */
} sl_live_pair;

/* What happened to the rows, before it is told; the arrays grow only. */
typedef struct sl_live_delta {
    size_t *deleted, *inserted; /* positions before, and now */
    size_t *old, *now;          /* of modifications */
    sl_live_pair *pairs;
    size_t deleted_count, inserted_count, pair_count, room;
} sl_live_delta;

struct sl_live {
    const sl_query *query;
    sl_live_filter filter;
    void *filter_ctx;
    sl_arena arena; /* of the plan */
    sl_plan plan;
    bool planned;          /* class and properties are there */
    const sl_node **nodes; /* room for what the plan reads of one object */
    uint64_t schema_version, commits;
    bool filled;
    sl_rank_tree by_key, by_order;
    sl_arena touch_arena;
    sl_live_touch *touches;
    size_t touch_count, touch_room;
    sl_live_delta delta;
};

/* The row's position; it must be in the result. */
size_t sl_live_rank(const sl_live *live, const sl_live_row *row);
/* The row with this key, or NULL. */
sl_live_row *sl_live_find(const sl_live *live, const sl_key *key);

/* --- live_touch.c --- */

/* Fills live->touches from the last transaction, ordered by key, each key once: the objects of the
 * class that it touched, and those with a link that the query looks at, to an object that came or
 * went. */
bool sl_live_gather(sl_live *live, sl_realm *realm, sl_status *st);
/* Whether anything that was touched can be reached from objects of the class over links, so that a
 * filter might have looked at it. */
bool sl_live_reaches(const sl_live *live, sl_realm *realm, bool *yes, sl_status *st);

/* --- live_delta.c --- */

/* Empties the delta and makes room for `rows` of each kind. */
bool sl_live_delta_start(sl_live *live, size_t rows, sl_status *st);
/* Sorts what is in the delta into what is told. */
void sl_live_delta_tell(sl_live_delta *delta, sl_live_change *change);
void sl_live_delta_free(sl_live_delta *delta, const sl_alloc *alloc);

/* --- live_fill.c --- */

/* Looks at everything anew. `unknown`: whatever is still there counts as modified. */
bool sl_live_refill(sl_live *live, sl_realm *realm, bool unknown, sl_live_change *change,
                    sl_status *st);
void sl_live_drop_rows(sl_live *live);

#endif
