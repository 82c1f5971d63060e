/* index.h - finds the incoming instructions that a local one can have anything to do with; private
 * to the transform room. Source: protocol/3-transform.md, 13.2.
 *
 * A pair that the index does not offer is a pair without effect at the time when it would have been
 * visited: class, object, field and names never change during a merge, and list indices are never
 * used as keys. */
#ifndef SL_TRANSFORM_INDEX_H
#define SL_TRANSFORM_INDEX_H

#include "transform/idmap.h"
#include "transform/run.h"

/* The instructions of a field whose path starts with one name: one key of a dictionary, one
 * property of an embedded object. */
typedef struct sl_merge_branch {
    sl_merge_run run;
    struct sl_merge_branch *next;
} sl_merge_branch;

/* The path instructions of one property of one object. */
typedef struct sl_merge_field {
    sl_merge_run roots;        /* empty path */
    sl_merge_run rest;         /* all others */
    sl_merge_branch *branches; /* of `rest`; only complete while !has_indexed */
    uint32_t number;
    bool has_named, has_indexed; /* how paths in `rest` start */
} sl_merge_field;

typedef struct sl_merge_object {
    const sl_key *key;
    struct sl_merge_object *next; /* plain index: all objects */
    uint32_t class_name, number, hash;
    sl_merge_node *head, *tail; /* all its instructions, by next_in_object */
    struct sl_merge_object *next_odd;
    bool odd; /* has an instruction that sl_quirk_looks_modified */
    bool met; /* a local instruction addresses it */
    sl_merge_run erases;
} sl_merge_object;

typedef struct sl_merge_list {
    sl_merge_node **nodes;
    uint32_t count, capacity;
} sl_merge_list;

typedef struct sl_merge_index {
    sl_merge_node all; /* sentinel: the incoming side from all.next on, dropped ones excluded */
    sl_merge_node *last;
    sl_idmap schema;               /* schema instructions of each class and each property */
    bool has_erasers;              /* ERASE_TABLE or ERASE_COLUMN among them */
    sl_merge_object *first_object; /* plain: the objects in a row */
    sl_merge_object **objects;     /* else: open addressing by hash, at most half full */
    uint32_t object_count, object_capacity, field_count;
    sl_idmap fields, branches;
    struct sl_run_table *tables;
    sl_merge_object *odd_objects;
    sl_merge_node *pending; /* local ERASE_COLUMN just made by F4, to be merged with the rest */
    uint32_t *local_hashes; /* of the object of each local instruction; NULL if plain */
    bool local_erasers;
    bool plain; /* every pair is visited: on demand, or because there are only a few */
} sl_merge_index;

/* Looks through both sides and files the incoming instructions that matter. False: failed. */
bool sl_index_build(sl_merge *m);

/* The object that a local instruction addresses, or NULL if no incoming one does. `hash`: from
 * local_hashes; not used by a plain index. */
sl_merge_object *sl_index_object(const sl_merge_index *index, uint32_t class_name,
                                 const sl_key *key, uint32_t hash);
sl_merge_field *sl_index_field(const sl_merge_index *index, uint32_t object, uint32_t field);
sl_merge_branch *sl_index_branch(const sl_merge_index *index, uint32_t field, uint64_t name);

/* The schema instructions of a property by position; with SL_NO_NUMBER as `field` those of the
 * class itself. NULL if there are none. */
sl_merge_list *sl_index_schema(const sl_merge_index *index, uint32_t class_name, uint32_t field);

/* Files `node`, just made, in front of the incoming `before`. False: no memory (reported). */
bool sl_index_insert(sl_merge *m, sl_merge_node *node, sl_merge_node *before);

#endif
