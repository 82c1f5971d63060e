#include "realm/dict.h"

/* Entries are blocks of their own, so that an insertion moves only pointers. The array never
 * shrinks, so that an entry taken out can be put back without memory. */
struct sl_dict {
    sl_dict_entry **entries;
    uint32_t count, capacity;
};

sl_dict *sl_dict_new(const sl_alloc *alloc) {
    return sl_new_zero(alloc, 1, sizeof(sl_dict));
}

void sl_dict_entry_free(const sl_alloc *alloc, sl_dict_entry *entry) {
    sl_node_clear(alloc, &entry->node);
    sl_delete(alloc, entry);
}

void sl_dict_free(const sl_alloc *alloc, sl_dict *dict) {
    if (!dict) return;
    for (uint32_t i = 0; i < dict->count; i++)
        sl_dict_entry_free(alloc, dict->entries[i]);
    sl_delete(alloc, dict->entries);
    sl_delete(alloc, dict);
}

uint32_t sl_dict_count(const sl_dict *dict) {
    return dict ? dict->count : 0;
}

sl_dict_entry *sl_dict_at(const sl_dict *dict, uint32_t at) {
    return dict->entries[at];
}

bool sl_dict_search(const sl_dict *dict, sl_str key, uint32_t *at) {
    uint32_t low = 0, high = sl_dict_count(dict);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = sl_str_cmp(dict->entries[middle]->key, key);
        if (order == 0) {
            *at = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return false;
}

sl_node *sl_dict_find(const sl_dict *dict, sl_str key) {
    uint32_t at;
    return sl_dict_search(dict, key, &at) ? &dict->entries[at]->node : NULL;
}

static bool reserve(const sl_alloc *alloc, sl_dict *dict) {
    if (dict->count < dict->capacity) return true;
    if (dict->capacity > UINT32_MAX / 2) return false;
    uint32_t capacity = dict->capacity ? dict->capacity * 2 : 4;
    sl_dict_entry **entries = sl_resize(alloc, dict->entries, capacity * sizeof *entries);
    if (!entries) return false;
    dict->entries = entries;
    dict->capacity = capacity;
    return true;
}

void sl_dict_restore(sl_dict *dict, uint32_t at, sl_dict_entry *entry) {
    memmove(dict->entries + at + 1, dict->entries + at, (dict->count - at) * sizeof *dict->entries);
    dict->entries[at] = entry;
    dict->count++;
}

sl_dict_entry *sl_dict_insert(const sl_alloc *alloc, sl_dict *dict, uint32_t at, sl_str key) {
    if (!reserve(alloc, dict)) return NULL;
    sl_dict_entry *entry = sl_new(alloc, sizeof *entry + key.size);
    if (!entry) return NULL;
    memset(entry, 0, sizeof *entry);
    char *bytes = (char *)(entry + 1);
    if (key.size) memcpy(bytes, key.data, key.size);
    entry->key = sl_str_of(bytes, key.size);
    sl_dict_restore(dict, at, entry);
    return entry;
}

sl_node *sl_dict_put(const sl_alloc *alloc, sl_dict *dict, sl_str key) {
    uint32_t at;
    if (sl_dict_search(dict, key, &at)) return &dict->entries[at]->node;
    sl_dict_entry *entry = sl_dict_insert(alloc, dict, at, key);
    return entry ? &entry->node : NULL;
}

sl_dict_entry *sl_dict_take(sl_dict *dict, uint32_t at) {
    sl_dict_entry *entry = dict->entries[at];
    dict->count--;
    memmove(dict->entries + at, dict->entries + at + 1, (dict->count - at) * sizeof *dict->entries);
    return entry;
}
