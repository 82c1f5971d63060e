/* One local list instruction against all incoming ones of its list. */
#include "transform/index.h"
#include "transform/run_table.h"

/* ---- pairs ---- */

/* Two updates of one element are decided by their values, on the nodes. */
static unsigned update_update(sl_merge *m, sl_merge_node *local, sl_slot a,
                              const sl_run_table *table, const sl_run_cell *cell) {
    if (a.i != cell->slot.i) return 0;
    sl_merge_node *node = table->nodes[cell->node];
    sl_run_cell_store(table, cell);
    local->path[local->path_size - 1] = SL_STEP_INDEX | a.i;
    local->prior_size = a.n;
    return sl_rule_update_update(m, local, node);
}

/* The verdict with the operands exchanged. */
static unsigned swapped(unsigned verdict) {
    if (verdict >= SL_SLOT_V1) return verdict;
    return (verdict & SL_SLOT_DROP_X ? SL_SLOT_DROP_Y : 0u) |
           (verdict & SL_SLOT_DROP_Y ? SL_SLOT_DROP_X : 0u);
}

/* One pair: a local and b incoming. `op` is a constant wherever this is expanded, so that each row
 * function below keeps only its own four cases. X is local, y incoming in the verdict. */
static inline __attribute__((always_inline)) unsigned merge_cell(sl_merge *m, sl_merge_node *local,
                                                                 uint8_t op, sl_slot *a,
                                                                 const sl_run_table *table,
                                                                 sl_run_cell *cell) {
    sl_slot *b = &cell->slot;
    bool local_older = local->age<cell->age, local_younger = local->age> cell->age;
    switch (op << 4 | cell->op) {
    case SL_OP_UPDATE << 4 | SL_OP_UPDATE:
        return update_update(m, local, *a, table, cell);
    case SL_OP_UPDATE << 4 | SL_OP_ARRAY_INSERT:
        return sl_slot_update_insert(a, b);
    case SL_OP_UPDATE << 4 | SL_OP_ARRAY_MOVE:
        return sl_slot_update_move(a, b);
    case SL_OP_UPDATE << 4 | SL_OP_ARRAY_ERASE:
        return sl_slot_update_erase(a, b);
    case SL_OP_ARRAY_INSERT << 4 | SL_OP_UPDATE:
        return swapped(sl_slot_update_insert(b, a));
    case SL_OP_ARRAY_INSERT << 4 | SL_OP_ARRAY_INSERT:
        return sl_slot_insert_insert(a, b, local_older);
    case SL_OP_ARRAY_INSERT << 4 | SL_OP_ARRAY_MOVE:
        return sl_slot_insert_move(a, b, local_younger);
    case SL_OP_ARRAY_INSERT << 4 | SL_OP_ARRAY_ERASE:
        return sl_slot_insert_erase(a, b);
    case SL_OP_ARRAY_MOVE << 4 | SL_OP_UPDATE:
        return swapped(sl_slot_update_move(b, a));
    case SL_OP_ARRAY_MOVE << 4 | SL_OP_ARRAY_INSERT:
        return swapped(sl_slot_insert_move(b, a, local_older));
    case SL_OP_ARRAY_MOVE << 4 | SL_OP_ARRAY_MOVE:
        return sl_slot_move_move(a, b, local_older);
    case SL_OP_ARRAY_MOVE << 4 | SL_OP_ARRAY_ERASE:
        return sl_slot_move_erase(a, b);
    case SL_OP_ARRAY_ERASE << 4 | SL_OP_UPDATE:
        return swapped(sl_slot_update_erase(b, a));
    case SL_OP_ARRAY_ERASE << 4 | SL_OP_ARRAY_INSERT:
        return swapped(sl_slot_insert_erase(b, a));
    case SL_OP_ARRAY_ERASE << 4 | SL_OP_ARRAY_MOVE:
        return swapped(sl_slot_move_erase(b, a));
    default:
        return sl_slot_erase_erase(a, b);
    }
}

/* What an instruction adds to the size of the list, for those that say nothing about moves. */
static const uint32_t growth_of[16] = {[SL_OP_ARRAY_INSERT] = 1, [SL_OP_ARRAY_ERASE] = UINT32_MAX};

/* All bits set or none. */
static inline uint32_t mask_of(bool condition) {
    return 0u - (uint32_t)condition;
}

/* The pairs of F13, F15, F18, F20 and F23 without branches that depend on the data, and without
 * those in which something is dropped or refused: false for these, with nothing changed. The
 * results are those of slot.h:
 *
 *   local \ cell   update          insert                   erase
 *   update         -               n+1, i+1 if i >= b.i     n-1, i-1 if i > b.i
 *   insert         b.n+1, b.i+1 if the local one stays, else the local i follows the cell
 *   erase          b.n-1, b.i-1 if b.i > i, else the local i follows the cell
 *
 * where "follows" is +1 for an insertion, -1 for an erasure, and n follows in any case. */
static inline __attribute__((always_inline)) bool
easy_cell(uint8_t op, bool local_older, sl_slot *a, sl_run_cell *cell, bool *changed) {
    sl_slot *b = &cell->slot;
    uint32_t growth = growth_of[cell->op & 15], insert = cell->op == SL_OP_ARRAY_INSERT;
    bool equal_sizes = a->n == b->n, both_there = b->i < b->n + insert;
    if (cell->op == SL_OP_ARRAY_MOVE) return false;
    if (op == SL_OP_UPDATE) {
        bool easy = growth == 0
                        ? a->i != b->i
                        : equal_sizes & both_there & (a->i < a->n) & (insert | (a->i != b->i));
        if (!easy) return false;
        a->i += growth & mask_of(a->i >= b->i);
    } else if (op == SL_OP_ARRAY_INSERT) {
        if (!(equal_sizes & (insert | ((a->i <= a->n) & (b->i < b->n))))) return false;
        /* 64 bits wide, so that the sum cannot wrap. */
        uint64_t bound = (uint64_t)b->i + ((insert ^ 1) | local_older);
        bool stays = a->i < bound;
        b->i += stays;
        a->i += growth & mask_of(!stays);
        b->n += 1;
        cell->changed = true;
    } else {
        if (!(equal_sizes & both_there & (a->i < a->n) & (insert | (a->i != b->i)))) return false;
        bool behind = b->i > a->i;
        b->i -= behind;
        a->i += growth & mask_of(!behind);
        b->n -= 1;
        cell->changed = true;
    }
    a->n += growth;
    *changed |= growth != 0;
    return true;
}

static bool slot_differs(sl_slot x, sl_slot y) {
    return ((x.i ^ y.i) | (x.n ^ y.n) | (x.t ^ y.t)) != 0;
}

static bool row_failed(sl_merge *m, unsigned verdict, const sl_merge_node *local,
                       const sl_run_table *table, const sl_run_cell *cell) {
    if (verdict >= SL_SLOT_V1) sl_merge_reject_slot(m, verdict, local, table->nodes[cell->node]);
    return m->failed;
}

/* The cell goes with it, so there is nothing to purge. */
static void drop_cell(sl_merge *m, sl_merge_node *node) {
    node->table = NULL;
    sl_merge_drop(m, node);
}

/* ---- the cells of a leaf ---- */

/* The local instruction on its way through the table. */
typedef struct row {
    sl_merge *m;
    sl_run_table *table;
    sl_merge_node *local;
    sl_slot a;
    uint64_t limit;
    uint64_t steps;
    bool changed, ended;
} row;

/* The number of cells of a leaf that stand before the limit. */
static uint32_t cells_before(const row *r, const sl_run_part *leaf) {
    uint32_t low = 0, high = leaf->count;
    if (leaf->end < r->limit) return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->table->nodes[r->table->cells[leaf->first + middle].node]->position < r->limit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Moves the cells from `from` on down to `kept`. */
static void close_gap(sl_run_part *leaf, sl_run_cell *cells, uint32_t kept, uint32_t from) {
    if (kept == from) return;
    memmove(&cells[kept], &cells[from], (leaf->count - from) * sizeof *cells);
    leaf->count -= from - kept;
}

static inline __attribute__((always_inline)) bool merge_cells(row *r, sl_run_part *leaf, uint8_t op,
                                                              uint32_t count) {
    sl_merge_node *local = r->local;
    sl_run_cell *cells = &r->table->cells[leaf->first];
    sl_slot a = r->a;
    bool changed = r->changed;
    uint32_t kept = 0, j = 0;
    while (j < count && !local->dropped) {
        sl_run_cell *cell = &cells[j++];
        if (op != SL_OP_ARRAY_MOVE && easy_cell(op, local->age < cell->age, &a, cell, &changed)) {
            if (kept + 1 != j) cells[kept] = *cell;
            kept++;
            continue;
        }
        sl_slot old_a = a, old_b = cell->slot;
        unsigned verdict = merge_cell(r->m, local, op, &a, r->table, cell);
        changed |= slot_differs(a, old_a);
        cell->changed |= slot_differs(cell->slot, old_b);
        if (verdict == 0) {
            if (kept + 1 != j) cells[kept] = *cell;
            kept++;
            continue;
        }
        if (verdict > (SL_SLOT_DROP_X | SL_SLOT_DROP_Y) &&
            row_failed(r->m, verdict, local, r->table, cell))
            return false;
        if (verdict & SL_SLOT_DROP_X) sl_merge_drop(r->m, local);
        if (verdict & SL_SLOT_DROP_Y)
            drop_cell(r->m, r->table->nodes[cell->node]);
        else
            cells[kept++] = *cell;
    }
    r->steps += j;
    close_gap(leaf, cells, kept, j);
    r->a = a;
    r->changed = changed;
    return true;
}

static bool merge_leaf(row *r, sl_run_part *leaf) {
    uint32_t count = cells_before(r, leaf);
    r->ended = count < leaf->count;
    switch (r->local->op) {
    case SL_OP_UPDATE:
        return merge_cells(r, leaf, SL_OP_UPDATE, count);
    case SL_OP_ARRAY_INSERT:
        return merge_cells(r, leaf, SL_OP_ARRAY_INSERT, count);
    case SL_OP_ARRAY_MOVE:
        return merge_cells(r, leaf, SL_OP_ARRAY_MOVE, count);
    default:
        return merge_cells(r, leaf, SL_OP_ARRAY_ERASE, count);
    }
}

/* ---- whole parts ---- */

/* What the row does to all of a part, if it is the same for each of its cells. */
typedef enum passage { GOES_BETWEEN, GOES_BEHIND, GOES_IN_FRONT } passage;

static passage find_passage(const row *r, const sl_run_part *part) {
    bool insert = r->local->op == SL_OP_ARRAY_INSERT;
    if (!part->sound || r->a.n != part->size || r->a.i >= r->a.n + insert) return GOES_BETWEEN;
    /* An insertion at the place of another one goes in front if it is the older. */
    bool in_front = insert && r->local->age < part->oldest;
    bool behind = !insert || part->oldest > part->youngest || r->local->age >= part->youngest;
    if (r->a.i >= part->behind[!behind]) return GOES_BEHIND;
    return r->a.i < part->front[in_front] ? GOES_IN_FRONT : GOES_BETWEEN;
}

/* Two parts in a row whose cells all had to be looked at are not asked at once again, so that
 * where nothing can be gained by asking next to nothing is lost. */
enum { MOST_PATIENCE = 6 };

static bool pass_whole(row *r, uint32_t level, uint32_t number) {
    sl_run_part *part = &r->table->parts[level][number];
    r->steps++;
    if (part->end >= r->limit || r->local->op == SL_OP_ARRAY_MOVE) return false;
    if (part->wait) {
        part->wait--;
        return false;
    }
    r->steps += sl_run_part_learn(r->table, level, number);
    if (part->empty) return true;
    passage way = find_passage(r, part);
    if (way == GOES_BETWEEN) {
        if (part->patience < MOST_PATIENCE) part->patience++;
        part->wait = (uint8_t)((1u << part->patience) - 1);
        return false;
    }
    part->patience = 0;
    uint32_t growth = growth_of[r->local->op & 15];
    if (growth) sl_run_part_shift(part, way == GOES_IN_FRONT ? growth : 0, growth);
    if (way == GOES_BEHIND) r->a.i += (uint32_t)part->growth;
    r->a.n += (uint32_t)part->growth;
    r->changed |= part->grows;
    return true;
}

static bool merge_part(row *r, uint32_t level, uint32_t number) {
    if (pass_whole(r, level, number)) return true;
    sl_run_part *part = &r->table->parts[level][number];
    sl_run_part_tell(r->table, level, number);
    part->stale = true;
    if (level == 0) return merge_leaf(r, part);
    uint32_t from = number * SL_RUN_FAN, count = sl_run_parts_below(r->table, level, number);
    for (uint32_t k = from; k < from + count && !r->ended && !r->local->dropped; k++)
        if (!merge_part(r, level - 1, k)) return false;
    return true;
}

bool sl_run_merge(sl_merge *m, sl_merge_run *run, sl_merge_node *local, uint64_t limit) {
    if (!sl_run_table_make(m, run)) return false;
    sl_run_table *table = run->table;
    if (table->purge) sl_run_table_purge(table);
    row r = {.m = m,
             .table = table,
             .local = local,
             .a = {(uint32_t)local->path[local->path_size - 1], local->prior_size, local->to},
             .limit = limit};
    if (!merge_part(&r, table->levels - 1, 0)) return false;
    local->path[local->path_size - 1] = SL_STEP_INDEX | r.a.i;
    local->prior_size = r.a.n;
    local->to = r.a.t;
    local->changed |= r.changed;
    return sl_merge_spend(m, r.steps);
}
