#include "transform/run.h"

#include "transform/index.h"

static sl_merge_node **link_of(const sl_merge_run *run, sl_merge_node *node) {
    return run->branch ? &node->next_in_branch : &node->next_in_run;
}

static bool is_list_op(const sl_merge_node *node) {
    return (node->op >= SL_OP_ARRAY_INSERT && node->op <= SL_OP_ARRAY_ERASE) ||
           (node->op == SL_OP_UPDATE && sl_ends_with_index(node));
}

static bool is_sibling(const sl_merge_node *first, const sl_merge_node *node) {
    return is_list_op(node) && node->path_size == first->path_size &&
           sl_same_steps(first, node, first->path_size - 1u);
}

void sl_run_add(sl_merge_run *run, sl_merge_node *node) {
    if (run->count == 0) {
        run->head = node;
        run->shortest = run->longest = node->path_size;
        run->siblings = is_list_op(node);
    } else {
        *link_of(run, run->tail) = node;
        run->siblings = run->siblings && is_sibling(run->head, node);
        if (node->path_size < run->shortest) run->shortest = node->path_size;
        if (node->path_size > run->longest) run->longest = node->path_size;
    }
    run->tail = node;
    run->kinds |= 1u << node->op;
    run->count++;
}

sl_merge_node *sl_run_first(sl_merge_run *run) {
    while (run->head && run->head->dropped)
        run->head = *link_of(run, run->head);
    return run->head;
}

sl_merge_node *sl_run_after(sl_merge_run *run, sl_merge_node *node) {
    sl_merge_node **link = link_of(run, node), *next = *link;
    while (next && next->dropped)
        next = *link_of(run, next);
    *link = next;
    return next;
}

bool sl_run_concerns(const sl_merge_run *run, uint8_t op, uint16_t path_size) {
    if (!run->head) return false;
    if (path_size >= run->shortest && path_size <= run->longest &&
        (run->kinds & sl_matrix_partners[op]))
        return true;
    if (run->longest > path_size && (sl_matrix_outers >> op & 1)) return true;
    return run->shortest < path_size && (run->kinds & sl_matrix_outers);
}

bool sl_run_accepts(const sl_merge_run *run, const sl_merge_node *local) {
    return run->siblings && run->head && is_sibling(run->head, local);
}

/* ---- the compact copy ---- */

static sl_run_table *make_room(sl_merge *m, sl_merge_run *run) {
    if (run->table) return run->table;
    sl_run_table *table = sl_arena_zero(&m->scratch, 1, sizeof *table);
    if (!table) return NULL;
    table->run = run;
    table->cells = sl_arena_alloc(&m->scratch, run->count * sizeof *table->cells);
    table->nodes = sl_arena_alloc(&m->scratch, run->count * sizeof *table->nodes);
    if (!table->cells || !table->nodes) return NULL;
    table->next = m->index->tables;
    m->index->tables = table;
    run->table = table;
    return table;
}

static bool make_compact(sl_merge *m, sl_merge_run *run) {
    sl_run_table *table = make_room(m, run);
    if (!table) return sl_merge_no_memory(m) == 0;
    uint32_t count = 0;
    for (sl_merge_node *node = sl_run_first(run); node; node = sl_run_after(run, node)) {
        sl_slot slot = {(uint32_t)node->path[node->path_size - 1], node->prior_size, node->to};
        table->nodes[count] = node;
        table->cells[count] = (sl_run_cell){slot, node->age, count, node->op, node->changed};
        node->table = table;
        count++;
    }
    table->count = count;
    table->valid = true;
    table->purge = false;
    return true;
}

static void write_back(sl_merge_node *node, const sl_run_cell *cell) {
    node->path[node->path_size - 1] = SL_STEP_INDEX | cell->slot.i;
    node->prior_size = cell->slot.n;
    node->to = cell->slot.t;
    node->changed = cell->changed;
}

void sl_run_expand(sl_merge_run *run) {
    sl_run_table *table = run->table;
    if (!table || !table->valid) return;
    for (uint32_t j = 0; j < table->count; j++) {
        sl_merge_node *node = table->nodes[table->cells[j].node];
        write_back(node, &table->cells[j]);
        node->table = NULL;
    }
    table->valid = false;
}

static void purge(sl_run_table *table) {
    uint32_t kept = 0;
    for (uint32_t j = 0; j < table->count; j++)
        if (!table->nodes[table->cells[j].node]->dropped) table->cells[kept++] = table->cells[j];
    table->count = kept;
    table->purge = false;
}

/* The number of cells that stand before `limit`. */
static uint32_t cells_before(const sl_run_table *table, uint64_t limit) {
    uint32_t low = 0, high = table->count;
    if (limit == UINT64_MAX) return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->nodes[table->cells[middle].node]->position < limit)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Two updates of one element are decided by their values, on the nodes. */
static unsigned update_update(sl_merge *m, sl_merge_node *local, sl_slot a,
                              const sl_run_table *table, const sl_run_cell *cell) {
    if (a.i != cell->slot.i) return 0;
    sl_merge_node *node = table->nodes[cell->node];
    write_back(node, cell);
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

/* Moves the cells from `from` on down to `kept`. */
static void close_gap(sl_run_table *table, uint32_t kept, uint32_t from) {
    if (kept == from) return;
    memmove(&table->cells[kept], &table->cells[from], (table->count - from) * sizeof *table->cells);
    table->count -= from - kept;
}

static inline __attribute__((always_inline)) bool
merge_row(sl_merge *m, sl_run_table *table, sl_merge_node *local, uint8_t op, uint32_t count) {
    sl_slot a = {(uint32_t)local->path[local->path_size - 1], local->prior_size, local->to};
    bool changed = false;
    uint32_t kept = 0, j = 0;
    while (j < count && !local->dropped) {
        sl_run_cell *cell = &table->cells[j++];
        if (op != SL_OP_ARRAY_MOVE && easy_cell(op, local->age < cell->age, &a, cell, &changed)) {
            if (kept + 1 != j) table->cells[kept] = *cell;
            kept++;
            continue;
        }
        sl_slot old_a = a, old_b = cell->slot;
        unsigned verdict = merge_cell(m, local, op, &a, table, cell);
        changed |= slot_differs(a, old_a);
        cell->changed |= slot_differs(cell->slot, old_b);
        if (verdict == 0) {
            if (kept + 1 != j) table->cells[kept] = *cell;
            kept++;
            continue;
        }
        if (verdict > (SL_SLOT_DROP_X | SL_SLOT_DROP_Y) &&
            row_failed(m, verdict, local, table, cell))
            return false;
        if (verdict & SL_SLOT_DROP_X) sl_merge_drop(m, local);
        if (verdict & SL_SLOT_DROP_Y)
            drop_cell(m, table->nodes[cell->node]);
        else
            table->cells[kept++] = *cell;
    }
    close_gap(table, kept, j);
    local->path[local->path_size - 1] = SL_STEP_INDEX | a.i;
    local->prior_size = a.n;
    local->to = a.t;
    local->changed |= changed;
    return true;
}

bool sl_run_merge(sl_merge *m, sl_merge_run *run, sl_merge_node *local, uint64_t limit) {
    if ((!run->table || !run->table->valid) && !make_compact(m, run)) return false;
    sl_run_table *table = run->table;
    if (table->purge) purge(table);
    uint32_t count = cells_before(table, limit);
    switch (local->op) {
    case SL_OP_UPDATE:
        return merge_row(m, table, local, SL_OP_UPDATE, count);
    case SL_OP_ARRAY_INSERT:
        return merge_row(m, table, local, SL_OP_ARRAY_INSERT, count);
    case SL_OP_ARRAY_MOVE:
        return merge_row(m, table, local, SL_OP_ARRAY_MOVE, count);
    default:
        return merge_row(m, table, local, SL_OP_ARRAY_ERASE, count);
    }
}
