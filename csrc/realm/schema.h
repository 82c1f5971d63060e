/* schema.h - classes and properties (protocol/2-changeset.md, 10.1). */
#ifndef SL_REALM_SCHEMA_H
#define SL_REALM_SCHEMA_H

#include "base/alloc.h"
#include "base/status.h"
#include "base/strmap.h"
#include "value/value.h"

enum { SL_MAX_CLASS_NAME = 57, SL_MAX_PROPERTY_NAME = 63, SL_MAX_PROPERTIES = 65535 };

struct sl_node;

/* A property. `index` is its slot in sl_object.values and never changes while the class lives;
 * `erased` slots stay until the realm is reopened. */
typedef struct sl_property {
    sl_str name;
    int8_t type; /* sl_type 0..11; MIXED = 0 */
    uint8_t collection;
    bool nullable; /* of the elements, for collections */
    bool erased;
    bool embedded; /* link to an embedded class; kept up to date by sl_schema_add_property */
    bool indexed;  /* the source keeps an index for queries; a matter of this file, never synced */
    sl_str target; /* links: class name; else "" */
    uint32_t index;
} sl_property;

/* A class. Pointers to classes stay valid while the class exists and, after it was erased, until
 * the next transaction begins; property pointers until the next property is added. Strings live as
 * long as the class. `defaults[i]` is the default content of property i; it owns nothing and may be
 * copied bytewise.
 */
typedef struct sl_class {
    sl_str name;
    uint8_t kind; /* sl_table_kind */
    bool has_key;
    sl_str key_name;
    int8_t key_type; /* INT, STRING, OBJECTID, UUID; GLOBALKEY if !has_key */
    bool key_nullable;
    sl_property *properties; /* in the order of creation, without the key property */
    struct sl_node *defaults;
    uint32_t property_count, property_capacity;
    uint32_t id;     /* number in the file, assigned by the realm, never reused */
    sl_strmap names; /* property name -> index, without erased ones */
} sl_class;

typedef struct sl_schema {
    const sl_alloc *alloc; /* borrowed */
    sl_class **classes;    /* in the order of creation */
    uint32_t count, capacity;
    sl_class **by_id; /* classes with this number, also those taken out; NULL in gaps */
    uint32_t next_id, id_capacity;
    sl_strmap names; /* class name -> id */
} sl_schema;

/* `alloc` borrowed (NULL = heap). */
void sl_schema_init(sl_schema *schema, const sl_alloc *alloc);
void sl_schema_free(sl_schema *schema);
/* NULL if there is none. */
sl_class *sl_schema_find(const sl_schema *schema, sl_str name);
/* Not the key property; erased ones are not found. */
sl_property *sl_class_find(const sl_class *cls, sl_str name);
/* Adds a class without properties (names copied). No check for duplicates. `definition->id` is
 * taken over when it is at least schema->next_id (a store restoring its numbers), otherwise the
 * next free number is assigned; numbers start at 1. NULL: no memory. */
sl_class *sl_schema_add_class(sl_schema *schema, const sl_class *definition);
/* Adds a property (names copied); index is assigned. NULL: no memory. */
sl_property *sl_schema_add_property(sl_schema *schema, sl_class *cls,
                                    const sl_property *definition);
/* Whether an index may be asked for: a single int, bool, string, timestamp, objectid, uuid or
 * mixed. Floating point is left out as in the SDKs, links because they always have one. */
bool sl_property_can_index(const sl_property *property);
/* Sets `embedded` of every property; after classes were added in an order where targets came late.
 */
void sl_schema_resolve(sl_schema *schema);
/* What a property of this kind holds in a new object (10.2); owns nothing. */
void sl_property_default(const sl_property *property, struct sl_node *node);

/* For the realm's transactions: take a class out and put it back at `position`, take the last
 * property back, hide and show a property. None of them fails. */
uint32_t sl_schema_remove_class(sl_schema *schema, sl_class *cls);
void sl_schema_restore_class(sl_schema *schema, sl_class *cls, uint32_t position);
/* Frees a class that was taken out for good. */
void sl_schema_forget_class(sl_schema *schema, sl_class *cls);
void sl_class_drop_last_property(sl_schema *schema, sl_class *cls);
void sl_class_hide_property(sl_class *cls, uint32_t index);
void sl_class_show_property(sl_class *cls, uint32_t index);

#endif
