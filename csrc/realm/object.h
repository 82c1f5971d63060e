/* object.h - objects, collections and nested values in memory. */
#ifndef SL_REALM_OBJECT_H
#define SL_REALM_OBJECT_H

#include "base/arena.h"
#include "base/status.h"
#include "realm/schema.h"
#include "value/value.h"

typedef struct sl_object sl_object;
typedef struct sl_list sl_list; /* list.h */
typedef struct sl_dict sl_dict; /* dict.h */

/* What a slot, a list element or a dictionary entry holds. Owns its bytes (memory of the realm). */
typedef enum sl_node_kind {
    SL_NODE_VALUE, /* `value`: null, scalar or link */
    SL_NODE_LIST,  /* list column, or list in a Mixed; `list` NULL = empty */
    SL_NODE_DICT,  /* dictionary column, or dictionary in a Mixed; `dict` NULL = empty */
    SL_NODE_SET,   /* set column; `list` (NULL = empty) sorted by sl_value_cmp, no duplicates */
    SL_NODE_OBJECT /* embedded object, never NULL */
} sl_node_kind;

/* A string or binary of size 0 has static data; others own `data`. A link owns one block. */
typedef struct sl_node {
    uint8_t kind;
    union {
        sl_value value;
        sl_list *list;
        sl_dict *dict;
        sl_object *object;
    };
} sl_node;

/* A top-level or embedded object. `values[i]` belongs to the property with index i. value_count may
 * be smaller than cls->property_count when properties were added after the object was made: read
 * with sl_object_at. Before object_save the realm makes them equal, also in embedded objects. */
struct sl_object {
    const sl_class *cls;
    sl_key key; /* unused for embedded objects */
    sl_node *values;
    uint32_t value_count;
    bool key_owned;
};

/* Copies `value` with its bytes into memory of `alloc`; null patterns become null. `node` must hold
 * nothing that needs freeing (a null value, or fresh). OBJECT, LIST, ... are not values: the caller
 * sets `kind`. False: no memory, `node` is then a null value. */
bool sl_node_set_value(const sl_alloc *alloc, sl_node *node, const sl_value *value);
/* Frees what the node owns and makes it a null value. */
void sl_node_clear(const sl_alloc *alloc, sl_node *node);
/* A deep copy of `from` in `to` (fresh). False: no memory, `to` is then a null value. */
bool sl_node_copy(const sl_alloc *alloc, sl_node *to, const sl_node *from);

/* A new object of `cls` with default content (2-changeset.md, 10.2); key copied, NULL for embedded.
 */
sl_object *sl_object_new(const sl_alloc *alloc, const sl_class *cls, const sl_key *key);
/* As above but the bytes of a string key stay borrowed and must outlive the object. */
sl_object *sl_object_new_borrowed(const sl_alloc *alloc, const sl_class *cls, const sl_key *key);
void sl_object_free(const sl_alloc *alloc, sl_object *object);
/* The content of property `index` (< cls->property_count); the class default when the object has no
 * slot for it yet. Not to be changed. */
const sl_node *sl_object_at(const sl_object *object, uint32_t index);
/* Gives the object (not the embedded ones) a slot for every property of its class. False: no
 * memory, nothing changed. */
bool sl_object_complete(const sl_alloc *alloc, sl_object *object);
/* A copy of `key` in `to` with its own bytes. False: no memory. */
bool sl_key_copy(const sl_alloc *alloc, sl_key *to, const sl_key *key);
void sl_key_free(const sl_alloc *alloc, sl_key *key);

#endif
