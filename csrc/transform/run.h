/* run.h - a row of incoming instructions that share a field; private to the transform room. */
#ifndef SL_TRANSFORM_RUN_H
#define SL_TRANSFORM_RUN_H

#include "transform/rules.h"

struct sl_run_table;

/* Incoming instructions in order. A node is in at most two runs: linked by next_in_run (roots and
 * rest of a field, erasures of an object) or by next_in_branch (the instructions below one name).
 * Dropped nodes stay linked until a traversal meets them.
 *
 * When all instructions are list instructions of one and the same list (`siblings`) the run may
 * have a compact copy; the nodes are then stale until sl_run_expand. */
typedef struct sl_merge_run {
    sl_merge_node *head, *tail;
    struct sl_run_table *table; /* NULL until it is needed */
    uint32_t kinds;             /* bit set of ops, dropped ones included */
    uint32_t count;             /* nodes ever added */
    uint16_t shortest, longest; /* path sizes */
    bool branch;                /* linked by next_in_branch */
    bool siblings;
} sl_merge_run;

void sl_run_add(sl_merge_run *run, sl_merge_node *node);

/* The first node of the run that is not dropped; unlinks dropped ones. */
sl_merge_node *sl_run_first(sl_merge_run *run);
/* The one after `node`, which is not dropped. */
sl_merge_node *sl_run_after(sl_merge_run *run, sl_merge_node *node);

/* True if an instruction of kind `op` with a path of `path_size` steps can have an effect on, or be
 * affected by, any instruction of the run. */
bool sl_run_concerns(const sl_merge_run *run, uint8_t op, uint16_t path_size);

/* True if `local` is an instruction of the very list that the run is about. */
bool sl_run_accepts(const sl_merge_run *run, const sl_merge_node *local);
/* Merges `local`, which the run accepts, with all its instructions before `limit`. */
bool sl_run_merge(sl_merge *m, sl_merge_run *run, sl_merge_node *local, uint64_t limit);
/* Writes the compact copy back to the nodes. */
void sl_run_expand(sl_merge_run *run);

#endif
