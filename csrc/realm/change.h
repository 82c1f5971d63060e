/* change.h - what a transaction touched, for notifications, queries and mirrors. */
#ifndef SL_REALM_CHANGE_H
#define SL_REALM_CHANGE_H

#include "realm/realm.h"

typedef enum sl_change_kind {
    SL_CHANGE_CREATED,
    SL_CHANGE_MODIFIED,
    SL_CHANGE_ERASED
} sl_change_kind;

/* One top-level object. Borrowed pointers. A change inside an embedded object or nested collection
 * counts for the top-level property that holds it. */
typedef struct sl_change {
    const sl_class *cls;
    const sl_key *key;
    sl_change_kind kind;
    uint64_t properties; /* MODIFIED: bit i = property index i; bit 63 = "63 and above" */
} sl_change;

/* Return false to stop. The realm must not be changed meanwhile. */
typedef bool (*sl_change_visitor)(void *ctx, const sl_change *change);

/* Visits the objects touched by the open transaction, or by the last one until the next begin, trim
 * or reload. Order of first touch. Objects created and erased in the same transaction are left out.
 * Changes undone by sl_realm_rollback_to may still be listed as MODIFIED. */
void sl_realm_changes(const sl_realm *realm, sl_change_visitor visit, void *ctx);
/* How many objects sl_realm_changes looks at. */
size_t sl_realm_touched(const sl_realm *realm);
/* How often the content has changed: committed transactions that touched something, and reloads. */
uint64_t sl_realm_commits(const sl_realm *realm);
/* Whether sl_realm_changes tells of the last of them: nothing was begun since. */
bool sl_realm_changes_known(const sl_realm *realm);
/* True if the open or last transaction changed the schema. */
bool sl_realm_schema_changed(const sl_realm *realm);
/* Whether change->properties covers property `index`. */
static inline bool sl_change_touches(const sl_change *change, uint32_t index) {
    return change->properties >> (index < 63 ? index : 63) & 1;
}

#endif
