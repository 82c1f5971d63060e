/* source.h - where a realm's schema and objects come from and go to. A store implements it; a realm
 * without a source lives in memory only. */
#ifndef SL_REALM_SOURCE_H
#define SL_REALM_SOURCE_H

#include "base/status.h"
#include "realm/object.h"
#include "realm/schema.h"

typedef bool (*sl_key_visitor)(void *ctx, const sl_key *key);
typedef bool (*sl_referrer_visitor)(void *ctx, sl_str class_name, const sl_key *key);

/* What the stored content X of a property must be for a row to matter: equal to one of `values` as
 * sl_value_eq_mixed has it (with value_count > 0), else not below `low` and not above `high` as
 * sl_value_cmp has it. An open end is NULL. No NaN among them; borrowed. */
typedef struct sl_bound {
    uint32_t slot; /* or SL_KEY_SLOT: the key */
    const sl_value *values;
    uint32_t value_count;
    const sl_value *low, *high;
} sl_bound;

#define SL_KEY_SLOT UINT32_MAX

/* Which properties a reader wants of the objects of a class, and which objects it wants. */
typedef struct sl_selection {
    const uint32_t *slots; /* of properties, each once */
    uint32_t slot_count;
    const sl_bound *bounds; /* all must hold */
    uint32_t bound_count;
} sl_selection;

/* nodes[i] is the content of selection->slots[i]; everything is borrowed during the call. */
typedef bool (*sl_row_visitor)(void *ctx, const sl_key *key, const sl_node *const *nodes);

/* `ctx` is the first argument of every function. Each returns false with `st` filled on failure.
 * Loads see what was saved earlier in the same transaction. Visitors return false to stop early;
 * they may call the source, but not change the schema. */
typedef struct sl_realm_source {
    /* Fills the empty `schema` from what is stored. The source keeps the pointer, to find the
     * classes of embedded objects, until the next schema_load. */
    bool (*schema_load)(void *ctx, sl_schema *schema, sl_status *st);
    /* Schema changes, in the order they happen. The store creates, alters and drops tables; new
     * columns get the default content of 2-changeset.md, 10.2 in existing rows. */
    bool (*class_added)(void *ctx, const sl_class *cls, sl_status *st);
    bool (*class_erased)(void *ctx, const sl_class *cls, sl_status *st);
    bool (*property_added)(void *ctx, const sl_class *cls, const sl_property *prop, sl_status *st);
    bool (*property_erased)(void *ctx, const sl_class *cls, const sl_property *prop, sl_status *st);
    /* Begins or ends to keep an index of the property, which fits sl_property_can_index and belongs
     * to a class that is not embedded. schema_load gives back what was asked for last. */
    bool (*property_indexed)(void *ctx, const sl_class *cls, const sl_property *prop, bool indexed,
                             sl_status *st);

    /* Fills `object` (allocated by the realm, all properties at their defaults) from the row with
     * `key`; *found = false if there is none. */
    bool (*object_load)(void *ctx, const sl_class *cls, const sl_key *key, sl_object *object,
                        bool *found, sl_status *st);
    /* Writes the whole object (insert or replace). Every property has a slot (value_count equals
     * cls->property_count), embedded objects included; slots of erased properties are to be
     * skipped. */
    bool (*object_save)(void *ctx, const sl_class *cls, const sl_object *object, sl_status *st);
    /* Writes some properties of an object that was loaded or saved before: bit i of `properties`
     * stands for property i, bit 63 for all from 63 on. The others are as they were stored. May be
     * NULL: object_save does as well. */
    bool (*object_update)(void *ctx, const sl_class *cls, const sl_object *object,
                          uint64_t properties, sl_status *st);
    /* The row may be absent. */
    bool (*object_erase)(void *ctx, const sl_class *cls, const sl_key *key, sl_status *st);
    /* All keys of a class, in any order. */
    bool (*object_scan)(void *ctx, const sl_class *cls, sl_key_visitor visit, void *visit_ctx,
                        sl_status *st);
    /* Visits the key at `position` (from 0) in the order of sl_key_cmp, counted from the last one
     * if `backwards`; none beyond the end. *ordered = false: the source does not keep this order,
     * and nothing was visited. May be NULL. */
    bool (*object_nth)(void *ctx, const sl_class *cls, uint64_t position, bool backwards,
                       sl_key_visitor visit, void *visit_ctx, bool *ordered, sl_status *st);
    /* The objects of a class that is not embedded, with some of their properties, in any order. The
     * bounds are a help: objects outside may be left out or not. */
    bool (*object_select)(void *ctx, const sl_class *cls, const sl_selection *selection,
                          sl_row_visitor visit, void *visit_ctx, sl_status *st);
    bool (*object_count)(void *ctx, const sl_class *cls, uint64_t *count, sl_status *st);
    /* Top-level objects that hold a link to (class_name, key) anywhere, embedded objects and nested
     * collections included; the target need not exist. May also name objects that held one in a
     * property erased since. */
    bool (*referrers)(void *ctx, sl_str class_name, const sl_key *key, sl_referrer_visitor visit,
                      void *visit_ctx, sl_status *st);
    /* The number of objects ever created in the class (GlobalKey counter), read and raised. */
    bool (*sequence_get)(void *ctx, const sl_class *cls, uint64_t *next, sl_status *st);
    bool (*sequence_put)(void *ctx, const sl_class *cls, uint64_t next, sl_status *st);
    void *ctx;
    /* Where object_load takes memory from; the realm must be opened with the same allocator. */
    const sl_alloc *alloc;
} sl_realm_source;

#endif
