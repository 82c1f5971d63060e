/* object.h - objects, collections and nested values in memory. */
#ifndef SL_REALM_OBJECT_H
#define SL_REALM_OBJECT_H

#include "base/arena.h"
#include "base/status.h"
#include "realm/schema.h"
#include "value/value.h"

typedef struct sl_object sl_object;
typedef struct sl_list sl_list;
typedef struct sl_dict sl_dict;

/* What a slot, a list element or a dictionary entry holds. Owns its bytes (heap of the realm). */
typedef enum sl_node_kind {
    SL_NODE_VALUE,  /* `value`: null, scalar or link */
    SL_NODE_LIST,   /* list column, or list in a Mixed */
    SL_NODE_DICT,   /* dictionary column, or dictionary in a Mixed */
    SL_NODE_SET,    /* set column; `list` holds the elements, no order, no duplicates */
    SL_NODE_OBJECT  /* embedded object */
} sl_node_kind;

typedef struct sl_node {
    uint8_t kind;
    union {
        sl_value value;
        sl_list *list;
        sl_dict *dict;
        sl_object *object;
    };
} sl_node;

struct sl_list {
    sl_node *items;
    uint32_t count, capacity;
};

typedef struct sl_dict_entry {
    sl_str key;
    sl_node node;
} sl_dict_entry;

/* Entries sorted by key bytes. */
struct sl_dict {
    sl_dict_entry *entries;
    uint32_t count, capacity;
};

/* A top-level or embedded object. `values[i]` belongs to the property with index i. */
struct sl_object {
    const sl_class *cls;
    sl_key key; /* owned copy; unused for embedded objects */
    sl_node *values;
    uint32_t value_count;
};

/* Copies `value` with its bytes into memory of `alloc`; null patterns become null. */
bool sl_node_set_value(const sl_alloc *alloc, sl_node *node, const sl_value *value);
/* Frees what the node owns and makes it a null value. */
void sl_node_clear(const sl_alloc *alloc, sl_node *node);
/* An empty collection; NULL: no memory. */
sl_list *sl_list_new(const sl_alloc *alloc);
sl_dict *sl_dict_new(const sl_alloc *alloc);
/* Inserts a null node at `at` (<= count) and returns it; NULL: no memory. */
sl_node *sl_list_insert(const sl_alloc *alloc, sl_list *list, uint32_t at);
void sl_list_erase(const sl_alloc *alloc, sl_list *list, uint32_t at);
/* The entry's node or NULL. */
sl_node *sl_dict_find(const sl_dict *dict, sl_str key);
/* Finds or adds (null node, key copied); NULL: no memory. */
sl_node *sl_dict_put(const sl_alloc *alloc, sl_dict *dict, sl_str key);
/* A new object of `cls` with default content (2-changeset.md, 10.2); key copied, NULL for embedded. */
sl_object *sl_object_new(const sl_alloc *alloc, const sl_class *cls, const sl_key *key);
void sl_object_free(const sl_alloc *alloc, sl_object *object);

#endif
