#include "store/memory_tree.h"

#include "base/strmap.h"

struct sl_memory_node {
    uint32_t refs;
    uint32_t priority;
    sl_memory_item *item;
    sl_memory_node *left, *right;
};

static sl_memory_node *node_ref(sl_memory_node *node) {
    if (node) node->refs++;
    return node;
}

static void item_unref(const sl_alloc *alloc, sl_memory_item *item) {
    if (--item->refs == 0) sl_delete(alloc, item);
}

/* The depth is logarithmic in the number of keys, so recursion is safe. */
static void node_unref(const sl_alloc *alloc, sl_memory_node *node) {
    if (!node || --node->refs > 0) return;
    node_unref(alloc, node->left);
    node_unref(alloc, node->right);
    item_unref(alloc, node->item);
    sl_delete(alloc, node);
}

/* Makes *at a node that only this version holds. False: no memory, nothing changed. */
static bool own(const sl_alloc *alloc, sl_memory_node **at) {
    sl_memory_node *node = *at;
    if (!node || node->refs == 1) return true;
    sl_memory_node *copy = sl_new(alloc, sizeof *copy);
    if (!copy) return false;
    *copy = *node;
    copy->refs = 1;
    copy->item->refs++;
    node_ref(copy->left);
    node_ref(copy->right);
    node->refs--;
    *at = copy;
    return true;
}

static int compare(sl_str key, const sl_memory_node *node) {
    return sl_str_cmp(key, sl_memory_item_key(node->item));
}

/* Owns every node on the way to `key`, up to where it is or would be. */
static bool own_path(const sl_alloc *alloc, sl_memory_node **at, sl_str key) {
    while (*at) {
        if (!own(alloc, at)) return false;
        int c = compare(key, *at);
        if (c == 0) return true;
        at = c < 0 ? &(*at)->left : &(*at)->right;
    }
    return true;
}

/* Owns the nodes that joining `left` and `right` will relink. */
static bool own_join(const sl_alloc *alloc, sl_memory_node **left, sl_memory_node **right) {
    while (*left && *right) {
        bool take_left = (*left)->priority >= (*right)->priority;
        sl_memory_node **top = take_left ? left : right;
        if (!own(alloc, top)) return false;
        if (take_left)
            left = &(*left)->right;
        else
            right = &(*right)->left;
    }
    return true;
}

/* Joins two trees of owned spines, every key of `left` before every key of `right`. */
static sl_memory_node *join(sl_memory_node *left, sl_memory_node *right) {
    sl_memory_node *root = NULL, **at = &root;
    while (left && right) {
        if (left->priority >= right->priority) {
            *at = left;
            at = &left->right;
            left = *at;
        } else {
            *at = right;
            at = &right->left;
            right = *at;
        }
    }
    *at = left ? left : right;
    return root;
}

/* Splits a tree whose path to `key` is owned into keys before and after `key` (which is absent). */
static void split(sl_memory_node *node, sl_str key, sl_memory_node **before,
                  sl_memory_node **after) {
    while (node) {
        if (compare(key, node) < 0) {
            *after = node;
            after = &node->left;
            node = node->left;
        } else {
            *before = node;
            before = &node->right;
            node = node->right;
        }
    }
    *before = *after = NULL;
}

static sl_memory_item *item_new(const sl_alloc *alloc, sl_str key, sl_str value) {
    sl_memory_item *item = sl_new(alloc, sizeof *item + key.size + value.size);
    if (!item) return NULL;
    item->refs = 1;
    item->key_size = key.size;
    item->value_size = value.size;
    if (key.size) memcpy(item->bytes, key.data, key.size);
    if (value.size) memcpy(item->bytes + key.size, value.data, value.size);
    return item;
}

sl_memory_tree sl_memory_tree_share(const sl_memory_tree *tree) {
    node_ref(tree->root);
    return *tree;
}

void sl_memory_tree_release(const sl_alloc *alloc, sl_memory_tree *tree) {
    node_unref(alloc, tree->root);
    *tree = (sl_memory_tree){NULL, 0, 0};
}

static void replace(const sl_alloc *alloc, sl_memory_tree *tree, sl_memory_item *item) {
    sl_str key = sl_memory_item_key(item);
    sl_memory_node *node = tree->root;
    for (int c; (c = compare(key, node)) != 0;)
        node = c < 0 ? node->left : node->right;
    tree->bytes = tree->bytes - node->item->value_size + item->value_size;
    item_unref(alloc, node->item);
    node->item = item;
}

/* The path to the key is owned and the key absent, so nothing here can fail. */
static void insert(sl_memory_tree *tree, sl_memory_node *node) {
    sl_str key = sl_memory_item_key(node->item);
    sl_memory_node **at = &tree->root;
    while (*at && (*at)->priority >= node->priority) {
        at = compare(key, *at) < 0 ? &(*at)->left : &(*at)->right;
    }
    split(*at, key, &node->left, &node->right);
    *at = node;
    tree->bytes += (uint64_t)node->item->key_size + node->item->value_size;
    tree->count++;
}

bool sl_memory_tree_put(const sl_alloc *alloc, sl_memory_tree *tree, sl_str key, sl_str value) {
    bool present = sl_memory_tree_get(tree, key) != NULL;
    sl_memory_node *node = NULL;
    sl_memory_item *item = item_new(alloc, key, value);
    if (!item) return false;
    if (!present && !(node = sl_new(alloc, sizeof *node))) goto fail;
    if (!own_path(alloc, &tree->root, key)) goto fail;
    if (present) {
        replace(alloc, tree, item);
        return true;
    }
    *node = (sl_memory_node){1, (uint32_t)sl_hash_bytes(key.data, key.size), item, NULL, NULL};
    insert(tree, node);
    return true;
fail:
    sl_delete(alloc, node);
    sl_delete(alloc, item);
    return false;
}

bool sl_memory_tree_erase(const sl_alloc *alloc, sl_memory_tree *tree, sl_str key) {
    if (!sl_memory_tree_get(tree, key)) return true;
    if (!own_path(alloc, &tree->root, key)) return false;
    sl_memory_node **at = &tree->root;
    for (int c; (c = compare(key, *at)) != 0;)
        at = c < 0 ? &(*at)->left : &(*at)->right;
    sl_memory_node *node = *at;
    if (!own_join(alloc, &node->left, &node->right)) return false;
    *at = join(node->left, node->right);
    tree->bytes -= (uint64_t)node->item->key_size + node->item->value_size;
    tree->count--;
    node->left = node->right = NULL;
    node_unref(alloc, node);
    return true;
}

const sl_memory_item *sl_memory_tree_get(const sl_memory_tree *tree, sl_str key) {
    const sl_memory_node *node = tree->root;
    while (node) {
        int c = compare(key, node);
        if (c == 0) return node->item;
        node = c < 0 ? node->left : node->right;
    }
    return NULL;
}

const sl_memory_item *sl_memory_tree_seek(const sl_memory_tree *tree, sl_str key, bool after) {
    const sl_memory_node *node = tree->root;
    const sl_memory_item *best = NULL;
    while (node) {
        int c = compare(key, node);
        if (c < 0 || (c == 0 && !after)) {
            best = node->item;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

const sl_memory_item *sl_memory_tree_before(const sl_memory_tree *tree, sl_str key) {
    const sl_memory_node *node = tree->root;
    const sl_memory_item *best = NULL;
    while (node) {
        if (compare(key, node) > 0) {
            best = node->item;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return best;
}
