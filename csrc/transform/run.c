#include "transform/run.h"

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
