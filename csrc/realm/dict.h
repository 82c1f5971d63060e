/* dict.h - the entries of a dictionary, sorted by key bytes. */
#ifndef SL_REALM_DICT_H
#define SL_REALM_DICT_H

#include "realm/object.h"

/* The bytes of the key lie behind the entry in the same block. */
typedef struct sl_dict_entry {
    sl_str key;
    sl_node node;
} sl_dict_entry;

/* An empty dictionary; NULL: no memory. */
sl_dict *sl_dict_new(const sl_alloc *alloc);
/* Frees the dictionary with everything in it; NULL is allowed. */
void sl_dict_free(const sl_alloc *alloc, sl_dict *dict);
/* Number of entries; 0 for NULL. */
uint32_t sl_dict_count(const sl_dict *dict);
/* Entry `at` (< count) in the order of keys; valid until the dictionary is changed. */
sl_dict_entry *sl_dict_at(const sl_dict *dict, uint32_t at);
/* True and *at = where `key` is, or false and *at = where it would go. `dict` may be NULL. */
bool sl_dict_search(const sl_dict *dict, sl_str key, uint32_t *at);
/* The entry's node or NULL. `dict` may be NULL. */
sl_node *sl_dict_find(const sl_dict *dict, sl_str key);
/* Finds or adds (null node, key copied); NULL: no memory. */
sl_node *sl_dict_put(const sl_alloc *alloc, sl_dict *dict, sl_str key);
/* Inserts a null entry at `at`, the place that sl_dict_search named; key copied. NULL: no memory.
 */
sl_dict_entry *sl_dict_insert(const sl_alloc *alloc, sl_dict *dict, uint32_t at, sl_str key);
/* Removes entry `at` and hands it over to the caller (sl_dict_entry_free). */
sl_dict_entry *sl_dict_take(sl_dict *dict, uint32_t at);
/* Puts an entry taken before back; cannot fail while the dictionary has not been refilled. */
void sl_dict_restore(sl_dict *dict, uint32_t at, sl_dict_entry *entry);
void sl_dict_entry_free(const sl_alloc *alloc, sl_dict_entry *entry);

#endif
