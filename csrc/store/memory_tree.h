/* memory_tree.h - an ordered map of bytes to bytes whose old versions stay usable: the table of the
 * in-memory store. A snapshot is one reference, so rollback and crash cost nothing and cannot fail.
 */
#ifndef SL_STORE_MEMORY_TREE_H
#define SL_STORE_MEMORY_TREE_H

#include "base/alloc.h"
#include "base/str.h"

/* Shared by all versions that contain it; never changed after it was made. */
typedef struct sl_memory_item {
    uint32_t refs;
    uint32_t key_size, value_size;
    char bytes[]; /* key, then value */
} sl_memory_item;

static inline sl_str sl_memory_item_key(const sl_memory_item *item) {
    return sl_str_of(item->bytes, item->key_size);
}

static inline sl_str sl_memory_item_value(const sl_memory_item *item) {
    return sl_str_of(item->bytes + item->key_size, item->value_size);
}

typedef struct sl_memory_node sl_memory_node;

/* One version. A treap whose priorities are hashes of the keys, so equal content has equal shape.
 * Nodes that a second version also holds are copied before a change, others are changed in place.
 * `bytes` is the sum of key and value sizes, `count` the number of keys. All zero = empty. */
typedef struct sl_memory_tree {
    sl_memory_node *root;
    uint64_t bytes, count;
} sl_memory_tree;

/* Another reference to the same version; each must be released. Cannot fail. */
sl_memory_tree sl_memory_tree_share(const sl_memory_tree *tree);
/* Gives up the reference; `tree` becomes empty. `alloc` as given to the changes. */
void sl_memory_tree_release(const sl_alloc *alloc, sl_memory_tree *tree);

/* Adds or replaces; key and value are copied. false: no memory, content unchanged. */
bool sl_memory_tree_put(const sl_alloc *alloc, sl_memory_tree *tree, sl_str key, sl_str value);
/* Removes; true also when the key was absent. false: no memory, content unchanged. */
bool sl_memory_tree_erase(const sl_alloc *alloc, sl_memory_tree *tree, sl_str key);

/* All return NULL if there is no such key; the item is borrowed from the version. */
const sl_memory_item *sl_memory_tree_get(const sl_memory_tree *tree, sl_str key);
/* Smallest key >= `key`, or > `key` if `after`. */
const sl_memory_item *sl_memory_tree_seek(const sl_memory_tree *tree, sl_str key, bool after);
/* Largest key < `key`. */
const sl_memory_item *sl_memory_tree_before(const sl_memory_tree *tree, sl_str key);

#endif
