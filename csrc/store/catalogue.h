/* catalogue.h - what a store knows about classes and properties: which class number and property
 * number stand for what, and under which names their content is kept. Shared by all stores. */
#ifndef SL_STORE_CATALOGUE_H
#define SL_STORE_CATALOGUE_H

#include "base/arena.h"
#include "realm/schema.h"

#define SL_NO_SLOT UINT32_MAX

/* A property as stored. `number` is unique in its class. A retired property was erased but
 * its number and stored name stay taken, because old content may still carry them. */
typedef struct sl_cat_property {
    sl_property def; /* `index` unused; strings in the catalogue's arena */
    sl_str stored;   /* column, or member name in the text of an embedded object */
    uint32_t number;
    bool retired;
    int8_t target_key; /* single links: key type of the target when the column was made */
} sl_cat_property;

typedef struct sl_cat_class {
    uint32_t id;
    sl_class def; /* name, kind, key; no properties */
    sl_str table; /* name of the table; "" for embedded classes */
    sl_str key_column;
    sl_cat_property *properties; /* ascending numbers */
    uint32_t count, capacity;
    /* Slot of the realm's class -> position in `properties`; valid for `slots_of` while it has
     * `slot_count` properties and nothing was added or erased. */
    const sl_class *slots_of;
    uint32_t *slots;
    uint32_t slot_count;
    bool pending; /* its table is still to be made */
    void *extra;  /* what the store keeps per class */
} sl_cat_class;

typedef struct sl_catalogue {
    sl_arena arena; /* strings and classes; grows until the catalogue is cleared */
    const sl_alloc *alloc;
    sl_cat_class **by_id; /* NULL in gaps */
    uint32_t capacity;
    uint32_t next_id;
} sl_catalogue;

/* `alloc` borrowed (NULL = heap). Allocates nothing. */
void sl_catalogue_init(sl_catalogue *cat, const sl_alloc *alloc);
/* Forgets everything; `extra` must have been freed by its owner. The catalogue stays usable. */
void sl_catalogue_clear(sl_catalogue *cat);

/* The realm's classes are about to be replaced: slots are worked out again. */
void sl_catalogue_forget_slots(sl_catalogue *cat);

/* NULL if there is none. */
sl_cat_class *sl_catalogue_find(const sl_catalogue *cat, uint32_t id);
/* By name; NULL if there is none. */
sl_cat_class *sl_catalogue_named(const sl_catalogue *cat, sl_str name);
/* Adds a class under def->id (copied, without properties). NULL: no memory. */
sl_cat_class *sl_catalogue_add(sl_catalogue *cat, const sl_class *def, sl_str table,
                               sl_str key_column);
void sl_catalogue_remove(sl_catalogue *cat, uint32_t id);

/* Adds a property (copied) with a number above all others. NULL: no memory. */
sl_cat_property *sl_cat_class_add(sl_catalogue *cat, sl_cat_class *cls, const sl_property *def,
                                  sl_str stored, uint32_t number);
/* The number the next property gets; they start at 1. */
uint32_t sl_cat_class_next_number(const sl_cat_class *cls);
/* Not retired; NULL if there is none. */
sl_cat_property *sl_cat_class_find(const sl_cat_class *cls, sl_str name);
/* Takes a property out, or only marks it when `retire`. */
void sl_cat_class_drop(sl_cat_class *cls, sl_cat_property *property, bool retire);
/* For each slot of the realm's class its position in cls->properties, SL_NO_SLOT for erased slots.
 * NULL with `st`: no memory, or the classes do not fit together. Valid until the next change. */
const uint32_t *sl_cat_class_slots(sl_catalogue *cat, sl_cat_class *cls,
                                   const sl_class *realm_class, sl_status *st);
/* The property with this number, retired ones too; NULL if there is none. */
sl_cat_property *sl_cat_class_numbered(const sl_cat_class *cls, uint32_t number);

/* Hands everything over to the realm's empty schema. False: no memory. */
bool sl_catalogue_publish(const sl_catalogue *cat, sl_schema *schema);

#endif
