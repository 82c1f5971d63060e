/* memory_internal.h - what the files of the in-memory store share. Not for other rooms. */
#ifndef SL_STORE_MEMORY_INTERNAL_H
#define SL_STORE_MEMORY_INTERNAL_H

#include "base/buf.h"
#include "store/catalogue.h"
#include "store/memory_store.h"
#include "store/memory_tree.h"

/* First byte of a key in the tree: which table it belongs to. */
enum {
    SL_MEMORY_CLASS = 'A',  /* class id */
    SL_MEMORY_CLIENT = 'C', /* ident */
    SL_MEMORY_ENTRY = 'E',  /* version */
    SL_MEMORY_LINK = 'L',   /* target class name, target key, class id, key */
    SL_MEMORY_META = 'M',
    SL_MEMORY_NEXT_ID = 'N',    /* name */
    SL_MEMORY_OBJECT = 'O',     /* class id, key */
    SL_MEMORY_PROPERTY = 'P',   /* class id, number */
    SL_MEMORY_RECIPROCAL = 'R', /* peer, version */
    SL_MEMORY_SEQUENCE = 'S'    /* class id */
};

struct sl_memory_disk {
    sl_alloc alloc;
    const sl_alloc *given;         /* the same, as the maker handed it over */
    uint32_t refs;                 /* the maker's, and the open store's */
    struct sl_memory_store *store; /* the open one, or NULL */
    sl_memory_tree committed, durable;
    /* States between `durable` (left out) and `committed` (the last one), oldest first; only while
     * `keeps_unflushed`. */
    sl_memory_tree *unflushed;
    size_t unflushed_count, unflushed_capacity;
    bool keeps_unflushed;
    uint64_t operations, fail_at; /* fail_at: number of the operation, 0 = none */
    bool dies, dead;              /* that operation is the machine's last; it was */
    bool last_commit_stays;
    uint64_t limit;
    uint64_t value_limit; /* of one value */
    bool refuses;         /* what fails next is a "LIMIT" */
    sl_state_facts kept;  /* the kept state, `kept_bytes` its segments */
    sl_buf kept_bytes;
    sl_buf part;              /* what was received of a state */
    size_t part_durable;      /* so much of it survives a loss of power */
    sl_memory_disk *incoming; /* the state that was received, checked; or NULL */
};

/* A state being made: the tables that go into it, as a stream, and how far it is packed. */
typedef struct sl_memory_maker {
    sl_memory_tree tree;
    sl_buf plain, packed;
    size_t at;
    sl_state_facts facts;
} sl_memory_maker;

/* `work` is the state seen by calls: a share of disk->committed, plus the open transaction. */
typedef struct sl_memory_store {
    sl_store base;
    sl_memory_disk *disk;
    sl_memory_tree work;
    bool writing;
    sl_buf key, value, scratch; /* of one call */
    sl_realm_source source;
    /* The catalogue mirrors the class and property tables of `work`; `catalogue_stale`: it has to
     * be read again; `schema_changed`: the open transaction changed both. */
    sl_catalogue catalogue;
    bool catalogue_stale, schema_changed;
    sl_schema *schema; /* the realm's, from the last schema_load */
    sl_state_store states;
    sl_memory_maker *maker; /* NULL: no state is being made */
} sl_memory_store;

/* A key under construction: table byte, then numbers big endian, so that bytes sort like numbers.
 */
typedef struct sl_memory_key {
    char bytes[17];
    uint32_t size;
} sl_memory_key;

sl_memory_key sl_memory_key_1(char table, uint64_t number);
sl_memory_key sl_memory_key_2(char table, uint64_t first, uint64_t second);
static inline sl_str sl_memory_key_str(const sl_memory_key *key) {
    return sl_str_of(key->bytes, key->size);
}

static inline bool sl_memory_item_has_prefix(const sl_memory_item *item, sl_str prefix) {
    return item && item->key_size >= prefix.size &&
           memcmp(item->bytes, prefix.data, prefix.size) == 0;
}

/* First line of every function that reads: counts, and fails when it is this one's turn. */
bool sl_memory_step(sl_memory_store *store, sl_status *st);
/* First line of every function that changes: as above, and checks for an open transaction. */
bool sl_memory_change(sl_memory_store *store, sl_status *st);
/* Writes and removals under the limit of the disk. */
bool sl_memory_put(sl_memory_store *store, sl_str key, sl_str value, sl_status *st);
bool sl_memory_erase(sl_memory_store *store, sl_str key, sl_status *st);
/* Removes every key that begins with `prefix`. */
bool sl_memory_erase_prefix(sl_memory_store *store, sl_str prefix, sl_status *st);

/* --- memory_state.c --- */

void sl_memory_states_init(sl_memory_store *store);
/* Gives up what is being made. */
void sl_memory_states_close(sl_memory_store *store);
void sl_memory_disk_free_states(sl_memory_disk *disk);
void sl_memory_disk_crash_states(sl_memory_disk *disk, sl_memory_crash kind);

/* --- memory_source.c --- */

/* Reads the catalogue if it is stale. */
bool sl_memory_catalogue_need(sl_memory_store *store, sl_status *st);
/* Removes an object and its links from a tree of the same store; false: no memory. */
bool sl_memory_object_erase(const sl_alloc *alloc, sl_memory_tree *tree,
                            const sl_memory_item *item);

/* Fills store->source and sets the catalogue up; the catalogue is freed with the store. */
void sl_memory_source_init(sl_memory_store *store);

#endif
