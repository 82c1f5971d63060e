/* merge.h - the working state of one merge; private to the transform room. */
#ifndef SL_TRANSFORM_MERGE_H
#define SL_TRANSFORM_MERGE_H

#include "transform/transform.h"

/* `op` of an instruction that was dropped but still stands in its changeset until the merge ends.
 */
enum { SL_OP_DROPPED = 0x80 };
#define SL_NO_NUMBER UINT32_MAX

/* A path step in the common symbol space: list indices carry this bit, names are symbols. */
#define SL_STEP_INDEX (UINT64_C(1) << 32)

struct sl_run_table;

/* One instruction as the rules see it: names, keys and path steps are numbers that mean the same on
 * both sides. `path`, `prior_size` and `to` are the truth while the merge runs; the instruction
 * gets them when the node is stored. Invariants: `object` is set for CREATE_OBJECT, ERASE_OBJECT
 * and path instructions and implies `class_name`; equal objects have equal numbers; `position`
 * orders the incoming side strictly. */
typedef struct sl_merge_node {
    sl_instruction *in;
    uint64_t *path;
    uint64_t position;
    struct sl_merge_node *previous, *next;              /* all incoming instructions */
    struct sl_merge_node *next_in_object, *next_in_run; /* see index.h */
    struct sl_merge_node *next_in_branch;
    struct sl_run_table *table; /* the compact copy that is newer than this node */
    uint32_t class_name, field, target, object;
    uint32_t prior_size, to;
    uint32_t value_hash; /* SET_*: equal values have equal hashes */
    uint32_t age;        /* rank of the discriminant: smaller = older */
    uint32_t entry;      /* its changeset, in its side */
    uint16_t depth, path_size;
    uint8_t op;
    bool local, dropped, changed;
    uint32_t inserted; /* how many instructions were put in front of it */
} sl_merge_node;

/* An instruction that rule F4 puts in front of another one. */
typedef struct sl_merge_insertion {
    struct sl_merge_insertion *next;
    const sl_instruction *before;
    sl_instruction *in;
} sl_merge_insertion;

/* One changeset of a side. */
typedef struct sl_merge_entry {
    sl_merge_item *item;
    sl_changeset *cs;                  /* never NULL */
    uint32_t *symbols;                 /* common symbol + 1 of each string, 0 = not yet known */
    const struct sl_merge_entry *hint; /* a changeset that probably has the same strings */
    uint64_t *positions;               /* rule F29; NULL until needed */
    sl_merge_insertion *inserted, **inserted_end;
    uint32_t string_count; /* before the merge */
    uint32_t age;
    bool dropped;
} sl_merge_entry;

typedef struct sl_merge_side {
    sl_merge_entry *entries;
    size_t count;
    size_t instructions;
} sl_merge_side;

/* Strings of all changesets to numbers. While there are few, `slots` is NULL; then open addressing,
 * never full. */
typedef struct sl_symbol_slot {
    uint32_t hash, number; /* number + 1; 0 = free */
} sl_symbol_slot;

typedef struct sl_symbols {
    sl_symbol_slot *slots;
    sl_str *strings;
    uint32_t count, capacity;
} sl_symbols;

struct sl_merge_index;

/* `failed` is set together with *st; everything then unwinds. */
typedef struct sl_merge {
    sl_arena scratch;
    sl_merge_options options;
    sl_merge_side local, incoming;
    sl_symbols symbols;
    struct sl_merge_index *index;
    sl_status *st;
    sl_steps steps;
    bool failed;
} sl_merge;

/* What a rule decided. Bits of an unsigned; SL_MERGE_FAILED when `failed` was set. x and y are the
 * rule's operands. Changes are marked on the nodes. */
enum { SL_DROP_X = 1, SL_DROP_Y = 2, SL_MERGE_FAILED = 4 };

static inline sl_merge_entry *sl_merge_entry_of(const sl_merge *m, const sl_merge_node *node) {
    return &(node->local ? &m->local : &m->incoming)->entries[node->entry];
}

/* Sets SL_ERR_CHANGESET with the id of 3-transform.md, 7 and a text that names both instructions.
 * Returns SL_MERGE_FAILED. */
unsigned sl_merge_reject(sl_merge *m, const char *id, const char *why, const sl_merge_node *x,
                         const sl_merge_node *y);
/* Counts steps; false, with SL_MERGE_TOO_LONG set, when there are too many. */
bool sl_merge_too_long(sl_merge *m);
static inline bool sl_merge_spend(sl_merge *m, uint64_t steps) {
    return sl_steps_take(&m->steps, steps) || sl_merge_too_long(m);
}
/* Sets SL_ERR_MEMORY. Returns SL_MERGE_FAILED. */
unsigned sl_merge_no_memory(sl_merge *m);

/* Marks the node dropped, its instruction and its changeset modified. */
void sl_merge_drop(sl_merge *m, sl_merge_node *node);
/* Fills `node` from an instruction of `entry`; the object number is left at SL_NO_NUMBER. False: no
 * memory (reported). `path` has room for SL_MAX_PATH steps or is NULL: then from scratch. */
bool sl_merge_load(sl_merge *m, const sl_merge_side *side, uint32_t entry, sl_instruction *in,
                   uint64_t *path, sl_merge_node *node);
/* Writes indices, sizes and destination of a changed node back to its instruction. */
void sl_merge_store(sl_merge *m, const sl_merge_node *node);

/* Copy of the node's instruction as it stands now, with its path in `path` (SL_MAX_PATH room). */
void sl_merge_picture(const sl_merge_node *node, sl_instruction *picture, sl_path_elem *path);

#endif
