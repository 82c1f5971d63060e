/* realm.h - the working set of one realm: schema and objects in memory, over an optional source.
 *
 * How the files of this room fit together:
 *   realm.h   opening, transactions, savepoints, cache
 *   apply.h   a changeset onto the realm               (protocol/2-changeset.md, 11)
 *   record.h  local writes onto the realm and into a changeset          (12)
 *   read.h    what an application sees: values, collections, links, back-links
 *   change.h  what the open or the last transaction touched
 *   state.h   the text dump STATE
 *
 * A realm is used by one thread at a time. It has at most one open transaction. A failing call
 * leaves the realm as it was before the call, unless its comment says that the transaction must be
 * discarded. */
#ifndef SL_REALM_REALM_H
#define SL_REALM_REALM_H

#include "base/status.h"
#include "changeset/changeset.h"
#include "realm/object.h"
#include "realm/schema.h"
#include "realm/source.h"

typedef struct sl_realm sl_realm;

/* What a realm takes, from whomever; 0 = no limit but those of the format. Classes, keys
 * and collections that are there already stay and can be used; an object that is larger has to
 * become smaller when it is changed. */
typedef struct sl_realm_limits {
    uint32_t properties;   /* of one class; above: "A-SCHEMA" */
    uint32_t key_bytes;    /* of the string that is an object's key; above: "A-LIMIT" */
    uint32_t nesting;      /* of collections in a mixed property, at most 100; above: "A-DEPTH" */
    uint64_t object_bytes; /* values of one object, embedded ones included; above, sl_realm_flush
                            * fails with SL_ERR_STORAGE "LIMIT" */
} sl_realm_limits;

typedef struct sl_realm_options {
    const sl_alloc *alloc;         /* borrowed; NULL = heap */
    const sl_realm_source *source; /* borrowed; NULL = the realm lives in memory only */
    size_t cache_objects;          /* unchanged objects kept after a transaction; 0 = 100,000 */
    bool keep_asymmetric;          /* true: objects of asymmetric classes stay after the commit (a
                                    * server that hands them on); false: they are dropped (12.9) */
    sl_realm_limits limits;
} sl_realm_options;

/* Creates a realm and loads the schema. `options` borrowed during the call, NULL = in memory with
 * defaults. On success *out is owned by the caller. */
bool sl_realm_open(sl_realm **out, const sl_realm_options *options, sl_status *st);
/* Frees everything; an open transaction is discarded. NULL is allowed. */
void sl_realm_close(sl_realm *realm);

/* The schema; borrowed, changes with transactions. */
const sl_schema *sl_realm_schema(const sl_realm *realm);
/* NULL if there is none. */
const sl_class *sl_realm_class(const sl_realm *realm, sl_str name);
/* Raised by every schema change; for caches above. */
uint64_t sl_realm_schema_version(const sl_realm *realm);

/* Transactions. Order of calls with a store:
 *
 *   store begin, sl_realm_begin, apply or record..., sl_realm_flush, store entry_append..., store
 *   commit, sl_realm_commit
 *
 * and after any failure: store rollback, sl_realm_discard. Schema changes go to the source at once
 * and in order, each touched object once, by sl_realm_flush. Without a source flush does nothing.
 */
bool sl_realm_begin(sl_realm *realm, sl_status *st);
bool sl_realm_in_transaction(const sl_realm *realm);
/* Writes what the transaction changed to the source. May be called again after more changes. After
 * a failure the transaction must be discarded. */
bool sl_realm_flush(sl_realm *realm, sl_status *st);
/* Makes the transaction final: forgets how to undo it, drops asymmetric objects, trims the cache.
 * Cannot fail. Ends recording. */
void sl_realm_commit(sl_realm *realm);
/* Undoes the transaction in memory: schema, objects, counters and changes are as at sl_realm_begin.
 * Cannot fail. Ends recording. The source must be rolled back by its owner. */
void sl_realm_discard(sl_realm *realm);

/* A point inside the open transaction. */
typedef struct sl_savepoint {
    size_t undo;
} sl_savepoint;
sl_savepoint sl_realm_savepoint(sl_realm *realm);
/* Undoes everything after `point` in memory, and in the source as far as it has seen it. False: the
 * source cannot undo it (a class or property was erased from it); the whole transaction must be
 * discarded. */
bool sl_realm_rollback_to(sl_realm *realm, sl_savepoint point, sl_status *st);

/* Pointers to objects, nodes, lists and dictionaries handed out by any function of this room are
 * valid until the next call that changes the realm, commits, discards or trims. */

/* Forgets unchanged objects, and keys known to be absent, until at most `keep` are in memory: first
 * what the last transaction did not use, then everything. Nothing without a source or in a
 * transaction. sl_realm_commit does the first half when there are more than options.cache_objects.
 */
void sl_realm_trim(sl_realm *realm, size_t keep);
/* Forgets everything and loads the schema again, after the source was changed behind the realm's
 * back. Not in a transaction. */
bool sl_realm_reload(sl_realm *realm, sl_status *st);
/* Objects in memory. */
size_t sl_realm_cached(const sl_realm *realm);

/* Replaces hi = 0 by `ident` in all GlobalKeys of objects and links (13.4), inside an open
 * transaction. The source sees an erased and a new object each. */
bool sl_realm_adopt_ident(sl_realm *realm, uint64_t ident, sl_status *st);
/* From now on keyless objects of `class_name` that are made here get numbers of at least `next`
 * (13.2), inside an open transaction. SL_ERR_USAGE if there is no such class. */
bool sl_realm_skip_numbers(sl_realm *realm, sl_str class_name, uint64_t next, sl_status *st);

#endif
