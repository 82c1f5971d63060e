#include "query/rank_tree.h"

/* A weight-balanced tree: no side is more than three times as heavy as the other, which two kinds
 * of rotation keep so after every insertion and removal. */

static size_t size_of(const sl_rank_node *node) {
    return node ? node->size : 0;
}

static size_t weight(const sl_rank_node *node) {
    return size_of(node) + 1;
}

static void measure(sl_rank_node *node) {
    node->size = size_of(node->left) + size_of(node->right) + 1;
}

static sl_rank_node *lift_right(sl_rank_node *node) {
    sl_rank_node *up = node->right;
    node->right = up->left;
    up->left = node;
    measure(node);
    measure(up);
    return up;
}

static sl_rank_node *lift_left(sl_rank_node *node) {
    sl_rank_node *up = node->left;
    node->left = up->right;
    up->right = node;
    measure(node);
    measure(up);
    return up;
}

static sl_rank_node *balance(sl_rank_node *node) {
    measure(node);
    if (weight(node->right) > 3 * weight(node->left)) {
        sl_rank_node *side = node->right;
        if (weight(side->left) >= 2 * weight(side->right)) node->right = lift_left(side);
        return lift_right(node);
    }
    if (weight(node->left) > 3 * weight(node->right)) {
        sl_rank_node *side = node->left;
        if (weight(side->right) >= 2 * weight(side->left)) node->left = lift_right(side);
        return lift_left(node);
    }
    return node;
}

static sl_rank_node *build(void *ctx, sl_rank_node *(*at)(void *ctx, size_t i), size_t first,
                           size_t count) {
    if (!count) return NULL;
    size_t half = count / 2;
    sl_rank_node *node = at(ctx, first + half);
    node->left = build(ctx, at, first, half);
    node->right = build(ctx, at, first + half + 1, count - half - 1);
    node->size = count;
    return node;
}

void sl_rank_build(sl_rank_tree *tree, void *ctx, sl_rank_node *(*at)(void *ctx, size_t i),
                   size_t count) {
    tree->root = build(ctx, at, 0, count);
}

static sl_rank_node *insert(sl_rank_node *into, sl_rank_node *node, sl_rank_compare compare) {
    if (!into) {
        *node = (sl_rank_node){NULL, NULL, 1};
        return node;
    }
    if (compare(node, into) < 0)
        into->left = insert(into->left, node, compare);
    else
        into->right = insert(into->right, node, compare);
    return balance(into);
}

void sl_rank_insert(sl_rank_tree *tree, sl_rank_node *node) {
    tree->root = insert(tree->root, node, tree->compare);
}

/* Takes the first node of the subtree out. */
static sl_rank_node *take_first(sl_rank_node *from, sl_rank_node **first) {
    if (!from->left) {
        *first = from;
        return from->right;
    }
    from->left = take_first(from->left, first);
    return balance(from);
}

static sl_rank_node *erase(sl_rank_node *from, const sl_rank_node *node, sl_rank_compare compare) {
    if (from != node) {
        if (compare(node, from) < 0)
            from->left = erase(from->left, node, compare);
        else
            from->right = erase(from->right, node, compare);
        return balance(from);
    }
    if (!from->left) return from->right;
    if (!from->right) return from->left;
    sl_rank_node *next, *rest = take_first(from->right, &next);
    next->left = from->left;
    next->right = rest;
    return balance(next);
}

void sl_rank_erase(sl_rank_tree *tree, const sl_rank_node *node) {
    tree->root = erase(tree->root, node, tree->compare);
}

sl_rank_node *sl_rank_find(const sl_rank_tree *tree, const sl_rank_node *like, size_t *rank) {
    sl_rank_node *node = tree->root;
    size_t before = 0;
    while (node) {
        int order = tree->compare(like, node);
        if (!order) break;
        if (order > 0) before += size_of(node->left) + 1;
        node = order < 0 ? node->left : node->right;
    }
    if (node && rank) *rank = before + size_of(node->left);
    return node;
}
