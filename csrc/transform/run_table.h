/* run_table.h - the compact copy of a run; private to the transform room.
 *
 * Its cells lie under a tree whose parts know between which positions they have to do with an
 * instruction of the other side at all. One that passes in front of everything in a part moves the
 * whole part on, one that passes behind everything is itself moved on: both are one step, whatever
 * the size of the part. What gets between the cells of a part meets them one by one. */
#ifndef SL_TRANSFORM_RUN_TABLE_H
#define SL_TRANSFORM_RUN_TABLE_H

#include "transform/run.h"
#include "transform/slot.h"

/* Cells in a leaf, parts below a part. */
enum { SL_RUN_LEAF = 64, SL_RUN_FAN = 16, SL_RUN_LEVELS = 8 };

/* The compact copy of one list instruction. */
typedef struct sl_run_cell {
    sl_slot slot;
    uint32_t age;
    uint32_t node; /* index in sl_run_table.nodes */
    uint8_t op;
    bool changed;
} sl_run_cell;

/* Positions are those of an instruction that comes to the first cell of the part: with
 * `behind[k]` or more it passes behind all cells, with less than `front[k]` in front of all. [0]
 * goes for one that goes behind an insertion at its own place, or that is no insertion; [1] for an
 * insertion that goes in front of it. Nothing is known while `stale`, nothing can be said when not
 * `sound`. */
typedef struct sl_run_part {
    int64_t behind[2], front[2];
    uint64_t end;              /* no node below has a position behind this one */
    int64_t growth;            /* of the list, by all cells */
    uint32_t size;             /* of the list before the first cell */
    uint32_t oldest, youngest; /* age of the insertions; oldest > youngest: there are none */
    uint32_t first, count;     /* leaf: cells */
    uint32_t add_i, add_n;     /* not yet told to what is below */
    bool touched;              /* what is below counts as changed, not yet told either */
    bool stale, sound, empty;
    bool grows;             /* there is an insertion or erasure */
    uint8_t patience, wait; /* after misses the part is left alone for a while */
} sl_run_part;

/* `cells` hold the truth about positions while `valid`, together with what the parts above them
 * have not yet told them; only cells of nodes that are not dropped exist, unless `purge` is set. */
typedef struct sl_run_table {
    sl_merge_run *run;
    struct sl_run_table *next; /* all tables of the merge */
    sl_run_cell *cells;
    sl_merge_node **nodes;
    sl_run_part *parts[SL_RUN_LEVELS]; /* [0]: leaves */
    uint32_t widths[SL_RUN_LEVELS];
    uint32_t levels;
    bool valid, purge;
} sl_run_table;

/* Makes the compact copy if there is none. False: no memory (reported). */
bool sl_run_table_make(sl_merge *m, sl_merge_run *run);
/* Takes out the cells of dropped nodes. */
void sl_run_table_purge(sl_run_table *table);
/* Everything in the part moves on by `i`, in a list that has become larger by `n`. */
void sl_run_part_shift(sl_run_part *part, uint32_t i, uint32_t n);
/* Tells what is below one part what it does not know yet. */
void sl_run_part_tell(sl_run_table *table, uint32_t level, uint32_t number);
/* Looks up what is not known any more about a part. Returns the number of steps it took. */
uint64_t sl_run_part_learn(sl_run_table *table, uint32_t level, uint32_t number);
/* Writes a cell back to its node. */
void sl_run_cell_store(const sl_run_table *table, const sl_run_cell *cell);

static inline uint32_t sl_run_parts_below(const sl_run_table *table, uint32_t level,
                                          uint32_t number) {
    uint32_t from = number * SL_RUN_FAN, width = table->widths[level - 1];
    return width - from < SL_RUN_FAN ? width - from : SL_RUN_FAN;
}

#endif
