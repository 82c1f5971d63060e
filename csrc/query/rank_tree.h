/* rank_tree.h - a balanced tree that knows the position of everything in it. Nodes are part of what
 * they stand for, so that nothing here takes memory or fails. */
#ifndef SL_QUERY_RANK_TREE_H
#define SL_QUERY_RANK_TREE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sl_rank_node {
    struct sl_rank_node *left, *right;
    size_t size; /* of the subtree */
} sl_rank_node;

/* <0, 0, >0. Nodes of one tree are never equal. */
typedef int (*sl_rank_compare)(const sl_rank_node *a, const sl_rank_node *b);

typedef struct sl_rank_tree {
    sl_rank_node *root; /* NULL: empty */
    sl_rank_compare compare;
} sl_rank_tree;

static inline size_t sl_rank_size(const sl_rank_tree *tree) {
    return tree->root ? tree->root->size : 0;
}
/* Makes the tree of `count` nodes that are in order; at[i] gives node i. */
void sl_rank_build(sl_rank_tree *tree, void *ctx, sl_rank_node *(*at)(void *ctx, size_t i),
                   size_t count);
void sl_rank_insert(sl_rank_tree *tree, sl_rank_node *node);
/* The node must be in the tree. */
void sl_rank_erase(sl_rank_tree *tree, const sl_rank_node *node);
/* The node that equals `like`, or NULL. `rank` (may be NULL) gets how many are before it. */
sl_rank_node *sl_rank_find(const sl_rank_tree *tree, const sl_rank_node *like, size_t *rank);

#endif
