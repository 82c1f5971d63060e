/* schema.h - classes and properties (protocol/2-changeset.md, 10.1). */
#ifndef SL_REALM_SCHEMA_H
#define SL_REALM_SCHEMA_H

#include "base/arena.h"
#include "base/status.h"
#include "value/value.h"

enum { SL_MAX_CLASS_NAME = 57, SL_MAX_PROPERTY_NAME = 63 };

/* A property. `index` is its slot in sl_object.values and never changes while the class lives;
 * `erased` slots stay until the realm is reopened. */
typedef struct sl_property {
    sl_str name;
    int8_t type; /* sl_type 0..11; MIXED = 0 */
    uint8_t collection;
    bool nullable; /* of the elements, for collections */
    bool erased;
    sl_str target; /* links: class name; else "" */
    uint32_t index;
} sl_property;

/* A class. Pointers to classes stay valid until the class is erased and the realm flushed or
 * discarded; property pointers until the next property is added. */
typedef struct sl_class {
    sl_str name;
    uint8_t kind; /* sl_table_kind */
    bool has_key;
    sl_str key_name;
    int8_t key_type; /* INT, STRING, OBJECTID, UUID; GLOBALKEY if !has_key */
    bool key_nullable;
    sl_property *properties; /* in the order of creation, without the key property */
    uint32_t property_count, property_capacity;
    uint32_t id; /* number in the file, assigned by the realm, never reused */
} sl_class;

typedef struct sl_schema {
    sl_arena arena; /* names */
    sl_class **classes;
    uint32_t count, capacity;
    uint32_t next_id;
} sl_schema;

/* `alloc` borrowed (NULL = heap). */
void sl_schema_init(sl_schema *schema, const sl_alloc *alloc);
void sl_schema_free(sl_schema *schema);
/* NULL if there is none. */
sl_class *sl_schema_find(const sl_schema *schema, sl_str name);
/* Not the key property; erased ones are not found. */
sl_property *sl_class_find(const sl_class *cls, sl_str name);
/* Adds a class without properties (names copied). No check for duplicates. NULL: no memory. */
sl_class *sl_schema_add_class(sl_schema *schema, const sl_class *definition);
/* Adds a property (names copied); index is assigned. NULL: no memory. */
sl_property *sl_schema_add_property(sl_schema *schema, sl_class *cls, const sl_property *definition);

#endif
