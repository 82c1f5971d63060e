/* internal.h - what the files of the realm room share; not for other rooms. */
#ifndef SL_REALM_INTERNAL_H
#define SL_REALM_INTERNAL_H

#include "realm/dict.h"
#include "realm/list.h"
#include "realm/place.h"
#include "realm/realm.h"

typedef struct sl_table sl_table;
typedef struct sl_cell sl_cell;

typedef enum sl_presence { SL_UNKNOWN, SL_HERE, SL_ABSENT } sl_presence;

/* All that the realm knows about one key of a class, whether the object exists or not.
 * Invariants: presence == SL_HERE exactly when object != NULL. touched == realm->tx exactly when
 * the cell is in realm->touched (until the next begin). `dirty` = differs from the source. */
struct sl_cell {
    sl_key key; /* owns its bytes */
    sl_table *table;
    sl_object *object;
    uint32_t hash;
    uint8_t presence;
    bool dirty;
    bool in_source;
    bool was_here;       /* at the first touch of the transaction */
    uint64_t touched;    /* transaction of the last touch */
    uint64_t used;       /* transaction of the last use */
    uint64_t created;    /* transaction that created `object`, or 0 */
    size_t created_undo; /* length of the undo log then */
    uint64_t properties; /* touched ones, see sl_change */
    uint64_t stamp;
    /* Cells whose object may hold a link to this key; a superset, checked when used. */
    sl_cell **referrers;
    uint32_t referrer_count, referrer_capacity;
};

typedef struct sl_cell_slot {
    sl_cell *cell;
    uint32_t hash;
} sl_cell_slot;

/* The objects of one class. `detached`: the class was erased. */
struct sl_table {
    sl_class *cls;
    sl_cell_slot *slots; /* open addressing; capacity 0 or a power of two */
    uint32_t count, capacity;
    uint64_t live;  /* objects in memory */
    uint64_t added; /* transaction that added the class, or 0: the source holds no rows before */
    bool trimmed;   /* cells were forgotten; until then the class `added` has no row without one */
    uint64_t next_sequence;
    uint64_t can_link_version; /* schema version that `can_link` was computed for */
    bool can_link;             /* some property of the schema may hold a link to the class */
    bool sequence_known, sequence_dirty, detached;
};

typedef enum sl_undo_op {
    SL_UNDO_NODE,
    SL_UNDO_INSERT,
    SL_UNDO_TAKE,
    SL_UNDO_MOVE,
    SL_UNDO_DICT_INSERT,
    SL_UNDO_DICT_TAKE,
    SL_UNDO_EXTEND,
    SL_UNDO_CREATE,
    SL_UNDO_ERASE,
    SL_UNDO_CLASS_ADD,
    SL_UNDO_CLASS_ERASE,
    SL_UNDO_PROPERTY_ADD,
    SL_UNDO_PROPERTY_ERASE,
    SL_UNDO_PROPERTY_INDEX,
    SL_UNDO_SEQUENCE
} sl_undo_op;

/* Where a node lies. */
typedef enum sl_holder_kind { SL_SLOT, SL_ITEM, SL_ENTRY } sl_holder_kind;
typedef struct sl_holder {
    uint8_t kind;
    uint32_t index;
    union {
        sl_object *object; /* SLOT: object->values[index] */
        sl_list *list;     /* ITEM */
        sl_dict *dict;     /* ENTRY */
        void *any;
    };
} sl_holder;

/* How to take one step back. Owns `entry` or `node`. */
typedef struct sl_undo {
    uint8_t op;
    uint8_t holder;
    uint32_t a, b;
    void *target; /* object, list, dict, cell, table */
    union {
        sl_node node;
        sl_dict_entry *entry;
        sl_object *object;
        uint64_t number;
    };
} sl_undo;

struct sl_realm {
    const sl_alloc *alloc;
    const sl_realm_source *source;
    size_t cache_objects;
    bool keep_asymmetric;
    sl_realm_limits limits;
    sl_schema schema;
    sl_table **tables; /* by class id */
    uint32_t table_capacity;
    size_t cached; /* objects in memory */
    size_t cell_count;
    uint64_t schema_version;
    uint64_t stamp;
    /* What is known about the list of links that was read last: none of its entries dangles. Holds
     * until `content` is raised, which every change of any object does. */
    uint64_t content, whole_content;
    const sl_list *whole_list;

    bool open;
    bool schema_changed;
    uint64_t tx;           /* number of the open or last transaction */
    uint64_t commits;      /* transactions that changed something, and reloads */
    uint64_t committed_tx; /* the last of them, as long as `touched` is of it; else 0 */
    sl_undo *undo;
    size_t undo_count, undo_capacity, savepoint;
    sl_cell **touched;
    size_t touched_count, touched_capacity;
    sl_cell **linked; /* cells with referrers */
    size_t linked_count, linked_capacity;
    sl_table **graves; /* tables of erased classes, until nobody can point to them */
    size_t grave_count, grave_capacity;
    uint32_t first_id; /* number of the first class that the transaction may add */
    size_t class_ops;  /* classes added and erased in the transaction: graves it may need */

    sl_changeset *recording; /* NULL = off */
    uint64_t file_ident;
};

/* --- cells.c --- */

/* The table of a class; NULL: no memory. */
sl_table *sl_realm_table(sl_realm *realm, const sl_class *cls);
/* The table of the class called `name`; NULL with *missing = true if there is none, NULL with
 * *missing = false: no memory. */
sl_table *sl_realm_table_named(sl_realm *realm, sl_str name, bool *missing);
/* The cell of `key`, made if need be; NULL: no memory. */
sl_cell *sl_table_cell(sl_realm *realm, sl_table *table, const sl_key *key);
/* The cell of `key` or NULL. */
sl_cell *sl_table_peek(const sl_table *table, const sl_key *key);
/* Settles `presence`, loading the object from the source. */
bool sl_cell_load(sl_realm *realm, sl_cell *cell, sl_status *st);
/* `realm->cached` is left to the caller. */
void sl_table_free(sl_realm *realm, sl_table *table);
/* Grows an array of pointers so that one more fits. */
bool sl_reserve_pointer(const sl_alloc *alloc, void *array_of_pointers, size_t count,
                        size_t *capacity);

/* --- undo.c --- */

/* The next entry of the log, not yet counted: fill it, then sl_undo_push. NULL: no memory. */
sl_undo *sl_undo_next(sl_realm *realm);
static inline void sl_undo_push(sl_realm *realm) {
    realm->undo_count++;
}
void sl_undo_back(sl_realm *realm, size_t count);
/* Frees what the log holds. */
void sl_undo_forget(sl_realm *realm);

/* --- mutate.c: every change of content goes through these; each is undone by the log. All return
 * false only when there is no memory (nothing changed then). --- */

/* Notes that the cell's object is about to change. `index`: top-level property. */
bool sl_cell_touch(sl_realm *realm, sl_cell *cell, uint32_t index);
/* Gives `object` (of `cell`) all slots of its class. */
bool sl_cell_extend(sl_realm *realm, sl_cell *cell, sl_object *object);
bool sl_cell_create(sl_realm *realm, sl_cell *cell);
bool sl_cell_erase(sl_realm *realm, sl_cell *cell);
/* The node itself. */
sl_node *sl_holder_node(const sl_holder *holder);
/* Moves `node` in; on failure it is freed. */
bool sl_put_node(sl_realm *realm, sl_cell *cell, const sl_holder *holder, sl_node *node);
/* Copies a null, scalar or link in. */
bool sl_put_value(sl_realm *realm, sl_cell *cell, const sl_holder *holder, const sl_value *value);
/* Inserts a node (moved; freed on failure) or a copy of a value. */
bool sl_insert_node(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at, sl_node *node);
bool sl_insert_value(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at,
                     const sl_value *value);
bool sl_take_item(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t at);
bool sl_move_item(sl_realm *realm, sl_cell *cell, sl_list *list, uint32_t from, uint32_t to);
bool sl_insert_entry(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at, sl_str key,
                     sl_node *node);
bool sl_insert_entry_value(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at, sl_str key,
                           const sl_value *value);
bool sl_take_entry(sl_realm *realm, sl_cell *cell, sl_dict *dict, uint32_t at);
/* The list or dictionary of a collection node, made when it is still NULL. NULL: no memory. */
sl_list *sl_node_list(sl_realm *realm, sl_node *node);
sl_dict *sl_node_dict(sl_realm *realm, sl_node *node);

/* --- alter.c: schema changes, undone by the log, passed on to the source at once --- */

sl_class *sl_realm_add_class(sl_realm *realm, const sl_class *definition, sl_status *st);
bool sl_realm_erase_class(sl_realm *realm, sl_class *cls, sl_status *st);
sl_property *sl_realm_add_property(sl_realm *realm, sl_class *cls, const sl_property *definition,
                                   sl_status *st);
bool sl_realm_erase_property(sl_realm *realm, sl_class *cls, uint32_t index, sl_status *st);
/* Nothing if it is so already. */
bool sl_realm_index_property(sl_realm *realm, sl_class *cls, uint32_t index, bool indexed,
                             sl_status *st);

/* --- links.c --- */

/* Notes that `from` holds a link to (class, key). False: no memory. */
bool sl_link_note(sl_realm *realm, sl_cell *from, const sl_link *link);
/* Notes every link of the cell's object. */
bool sl_link_note_all(sl_realm *realm, sl_cell *from);
/* Whether the target exists. */
bool sl_link_alive(sl_realm *realm, const sl_link *link, bool *alive, sl_status *st);
/* Whether `link` names (class_name, key). */
bool sl_link_is(const sl_link *link, sl_str class_name, const sl_key *key);
/* How many links to (class_name, key) the node holds, embedded content included. */
uint32_t sl_node_links(const sl_node *node, sl_str class_name, const sl_key *key);
/* Collects the cells of existing objects that hold a link to the key, each once. *cells is owned by
 * the caller (sl_delete with the realm's alloc). */
bool sl_link_referrers(sl_realm *realm, sl_str class_name, const sl_key *key, sl_cell ***cells,
                       size_t *count, sl_status *st);
/* Whether any property of the schema could hold a link to an object of the table. */
bool sl_table_can_link(sl_realm *realm, sl_table *table);
/* Removes cells of detached tables from all lists of referrers. */
void sl_link_sweep(sl_realm *realm);
/* Empties all lists of referrers. */
void sl_link_forget(sl_realm *realm);

/* --- realm.c --- */

/* Fails with SL_ERR_USAGE outside a transaction. */
bool sl_realm_check_open(const sl_realm *realm, sl_status *st);

#endif
