#include "transform/run_table.h"

#include "transform/index.h"

/* ---- making and giving up the copy ---- */

static bool make_parts(sl_merge *m, sl_run_table *table, uint32_t cells) {
    uint32_t width = (cells + SL_RUN_LEAF - 1) / SL_RUN_LEAF;
    for (table->levels = 0;; width = (width + SL_RUN_FAN - 1) / SL_RUN_FAN) {
        uint32_t level = table->levels++;
        table->widths[level] = width;
        table->parts[level] = sl_arena_alloc(&m->scratch, width * sizeof **table->parts);
        if (!table->parts[level]) return false;
        if (width <= 1) return true;
    }
}

static sl_run_table *make_room(sl_merge *m, sl_merge_run *run) {
    if (run->table) return run->table;
    sl_run_table *table = sl_arena_zero(&m->scratch, 1, sizeof *table);
    if (!table) return NULL;
    table->run = run;
    table->cells = sl_arena_alloc(&m->scratch, run->count * sizeof *table->cells);
    table->nodes = sl_arena_alloc(&m->scratch, run->count * sizeof *table->nodes);
    if (!table->cells || !table->nodes || !make_parts(m, table, run->count)) return NULL;
    table->next = m->index->tables;
    m->index->tables = table;
    run->table = table;
    return table;
}

/* Nothing is known about any part. Without cells in them, parts keep their places. */
static void divide(sl_run_table *table, uint32_t count) {
    for (uint32_t level = 0; level < table->levels; level++)
        for (uint32_t k = 0; k < table->widths[level]; k++) {
            sl_run_part *part = &table->parts[level][k];
            *part = (sl_run_part){.stale = true};
            if (level > 0) {
                uint32_t last = k * SL_RUN_FAN + sl_run_parts_below(table, level, k) - 1;
                part->end = table->parts[level - 1][last].end;
                continue;
            }
            part->first = k * SL_RUN_LEAF;
            if (part->first < count)
                part->count = count - part->first < SL_RUN_LEAF ? count - part->first : SL_RUN_LEAF;
            if (part->count)
                part->end = table->nodes[part->first + part->count - 1]->position;
            else if (k > 0)
                part->end = table->parts[0][k - 1].end;
        }
}

bool sl_run_table_make(sl_merge *m, sl_merge_run *run) {
    sl_run_table *table = make_room(m, run);
    uint32_t count = 0;
    if (!table) return sl_merge_no_memory(m) == 0;
    if (table->valid) return true;
    for (sl_merge_node *node = sl_run_first(run); node; node = sl_run_after(run, node)) {
        sl_slot slot = {(uint32_t)node->path[node->path_size - 1], node->prior_size, node->to};
        table->nodes[count] = node;
        table->cells[count] = (sl_run_cell){slot, node->age, count, node->op, node->changed};
        node->table = table;
        count++;
    }
    divide(table, count);
    table->valid = true;
    table->purge = false;
    return sl_merge_spend(m, count);
}

void sl_run_cell_store(const sl_run_table *table, const sl_run_cell *cell) {
    sl_merge_node *node = table->nodes[cell->node];
    node->path[node->path_size - 1] = SL_STEP_INDEX | cell->slot.i;
    node->prior_size = cell->slot.n;
    node->to = cell->slot.t;
    node->changed = cell->changed;
}

void sl_run_expand(sl_merge_run *run) {
    sl_run_table *table = run->table;
    if (!table || !table->valid) return;
    for (uint32_t level = table->levels; level-- > 0;)
        for (uint32_t k = 0; k < table->widths[level]; k++)
            sl_run_part_tell(table, level, k);
    for (uint32_t k = 0; k < table->widths[0]; k++) {
        const sl_run_part *leaf = &table->parts[0][k];
        for (uint32_t j = leaf->first; j < leaf->first + leaf->count; j++) {
            sl_run_cell_store(table, &table->cells[j]);
            table->nodes[table->cells[j].node]->table = NULL;
        }
    }
    table->valid = false;
}

void sl_run_table_purge(sl_run_table *table) {
    for (uint32_t k = 0; k < table->widths[0]; k++) {
        sl_run_part *leaf = &table->parts[0][k];
        sl_run_cell *cells = &table->cells[leaf->first];
        uint32_t kept = 0;
        for (uint32_t j = 0; j < leaf->count; j++)
            if (!table->nodes[cells[j].node]->dropped) cells[kept++] = cells[j];
        leaf->count = kept;
    }
    for (uint32_t level = 0; level < table->levels; level++)
        for (uint32_t k = 0; k < table->widths[level]; k++)
            table->parts[level][k].stale = true;
    table->purge = false;
}

/* ---- what parts know ---- */

static void tell_cells(sl_run_table *table, const sl_run_part *leaf) {
    sl_run_cell *cell = &table->cells[leaf->first];
    for (uint32_t j = 0; j < leaf->count; j++, cell++) {
        cell->slot.i += leaf->add_i;
        cell->slot.n += leaf->add_n;
        cell->changed |= leaf->touched;
    }
}

void sl_run_part_shift(sl_run_part *part, uint32_t i, uint32_t n) {
    part->add_i += i;
    part->add_n += n;
    part->touched = true;
    if (part->stale || part->empty) return;
    int32_t by = (int32_t)i;
    for (int k = 0; k < 2; k++) {
        part->behind[k] += by;
        part->front[k] += by;
    }
    part->size += n;
}

void sl_run_part_tell(sl_run_table *table, uint32_t level, uint32_t number) {
    sl_run_part *part = &table->parts[level][number];
    if (!part->touched) return;
    if (level == 0) {
        tell_cells(table, part);
    } else {
        sl_run_part *below = &table->parts[level - 1][number * SL_RUN_FAN];
        uint32_t count = sl_run_parts_below(table, level, number);
        for (uint32_t k = 0; k < count; k++)
            sl_run_part_shift(&below[k], part->add_i, part->add_n);
    }
    part->add_i = part->add_n = 0;
    part->touched = false;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* What is known about no cells at all. */
static void clear(sl_run_part *part) {
    part->behind[0] = part->behind[1] = INT64_MIN;
    part->front[0] = part->front[1] = INT64_MAX;
    part->oldest = UINT32_MAX;
    part->youngest = 0;
    part->growth = 0;
    part->sound = true;
    part->grows = false;
    part->empty = true;
    part->stale = false;
}

/* Below this size no sum of sizes and shifts wraps. */
enum { SOUND_SIZE = 1 << 30 };

static void learn_from_cells(sl_run_part *leaf, const sl_run_cell *cell, uint32_t add_i,
                             uint32_t add_n) {
    leaf->empty = leaf->count == 0;
    leaf->size = leaf->empty ? 0 : cell->slot.n + add_n;
    for (uint32_t j = 0; j < leaf->count && leaf->sound; j++, cell++) {
        bool insert = cell->op == SL_OP_ARRAY_INSERT;
        uint32_t n = cell->slot.n + add_n;
        int64_t i = cell->slot.i + add_i, from = i - leaf->growth;
        leaf->sound = cell->op != SL_OP_ARRAY_MOVE && n < SOUND_SIZE && i < (int64_t)n + insert &&
                      n == leaf->size + leaf->growth;
        leaf->behind[0] = larger(leaf->behind[0], from + !insert);
        leaf->behind[1] = larger(leaf->behind[1], from + 1);
        leaf->front[0] = smaller(leaf->front[0], i);
        leaf->front[1] = smaller(leaf->front[1], i + 1);
        if (insert && cell->age < leaf->oldest) leaf->oldest = cell->age;
        if (insert && cell->age > leaf->youngest) leaf->youngest = cell->age;
        leaf->grows |= cell->op != SL_OP_UPDATE;
        if (cell->op != SL_OP_UPDATE) leaf->growth += insert ? 1 : -1;
    }
}

static void learn_from_part(sl_run_part *part, const sl_run_part *below) {
    if (part->empty) part->size = below->size;
    part->empty = false;
    part->sound = part->sound && below->sound && below->size == part->size + part->growth;
    for (int k = 0; k < 2; k++) {
        part->behind[k] = larger(part->behind[k], below->behind[k] - part->growth);
        part->front[k] = smaller(part->front[k], below->front[k]);
    }
    if (below->oldest < part->oldest) part->oldest = below->oldest;
    if (below->youngest > part->youngest) part->youngest = below->youngest;
    part->grows |= below->grows;
    part->growth += below->growth;
}

uint64_t sl_run_part_learn(sl_run_table *table, uint32_t level, uint32_t number) {
    sl_run_part *part = &table->parts[level][number];
    if (!part->stale) return 0;
    clear(part);
    if (level == 0) {
        learn_from_cells(part, &table->cells[part->first], part->add_i, part->add_n);
        return part->count;
    }
    sl_run_part_tell(table, level, number);
    uint32_t from = number * SL_RUN_FAN, count = sl_run_parts_below(table, level, number);
    uint64_t steps = count;
    for (uint32_t k = from; k < from + count; k++) {
        steps += sl_run_part_learn(table, level - 1, k);
        const sl_run_part *below = &table->parts[level - 1][k];
        if (!below->empty) learn_from_part(part, below);
    }
    return steps;
}
