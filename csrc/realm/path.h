/* path.h - finding a place and checking what may be put there; shared by apply.c and record.c, not
 * for other rooms. Failures have class SL_ERR_CHANGESET and an A-... id (protocol/2-changeset.md,
 * 11.2); record.c turns them into SL_ERR_USAGE. */
#ifndef SL_REALM_PATH_H
#define SL_REALM_PATH_H

#include "realm/internal.h"

/* The terminals of 11.7. */
typedef enum sl_terminal {
    SL_AT_PROPERTY,
    SL_AT_LIST,
    SL_AT_DICT,
    SL_AT_SET,
    SL_AT_ELEMENT,
    SL_AT_ENTRY
} sl_terminal;

/* A place that was found. PROPERTY, LIST, DICT, SET: `holder` is the slot. ELEMENT, ENTRY: `owner`
 * is the node of the collection; `holder` names the element or entry if `node` is not NULL.
 * Pointers are valid until the object changes. */
typedef struct sl_target {
    uint8_t at;
    uint32_t top;   /* index of the top-level property */
    uint32_t depth; /* collections above the place, inside the innermost object */
    sl_cell *cell;
    sl_object *object;           /* innermost object */
    const sl_property *property; /* of `object`; its type is that of elements and entries */
    sl_holder holder;
    sl_node *owner;
    sl_node *node;  /* what is there; NULL: no such element or entry */
    uint32_t index; /* ELEMENT */
    sl_str key;     /* ENTRY */
} sl_target;

/* Follows `steps` from property `index` of the object in `cell` (which exists). `write`: objects
 * get all slots first, so that `holder` can be used. */
bool sl_path_follow(sl_realm *realm, sl_cell *cell, uint32_t index, const sl_step *steps,
                    uint32_t count, bool write, sl_target *target, sl_status *st);

/* The property's index, or A-NOFIELD; the key property is A-PATH. */
bool sl_path_property(const sl_class *cls, sl_str name, uint32_t *index, sl_status *st);

/* Whether a key of this kind fits the class (11.3), else A-KEY. */
bool sl_check_key(const sl_class *cls, const sl_key *key, sl_status *st);
/* Whether the key of a new object is not too long, else A-LIMIT. */
bool sl_check_key_size(const sl_realm *realm, const sl_key *key, sl_status *st);
/* Whether null, a scalar or a link fits the property or its elements (11.8): A-NULL, A-TYPE,
 * A-TARGET, A-KEY. A number that means null counts as null. Values that create or erase something:
 * A-TYPE. */
bool sl_check_value(const sl_realm *realm, const sl_property *property, const sl_value *value,
                    sl_status *st);
/* A-DICTKEY (10.7). */
bool sl_check_dict_key(sl_str key, sl_status *st);
/* A-DEPTH: whether one more collection may lie at the target. */
bool sl_check_depth(const sl_realm *realm, const sl_target *target, sl_status *st);
/* A-NAME. */
bool sl_check_class_name(sl_str name, sl_status *st);
bool sl_check_property_name(sl_str name, sl_status *st);

/* Makes the place hold an empty collection (LIST or DICT), or, with `cls`, a new embedded object.
 * The place is a property, an existing element, or an entry that may be absent. */
bool sl_target_put_new(sl_realm *realm, const sl_target *target, uint8_t kind, const sl_class *cls,
                       sl_status *st);
/* Makes the place hold a null, scalar or link. */
bool sl_target_put_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                         sl_status *st);
/* Inserts before `target->index`: a value, or something new as above. */
bool sl_target_insert_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                            sl_status *st);
bool sl_target_insert_new(sl_realm *realm, const sl_target *target, uint8_t kind,
                          const sl_class *cls, sl_status *st);
/* Empties the collection at LIST, DICT, SET; or makes a Mixed an empty collection of `kind`. */
bool sl_target_clear(sl_realm *realm, const sl_target *target, uint8_t kind, sl_status *st);
/* The embedded class of the target's property; NULL if it has none. */
const sl_class *sl_target_class(const sl_realm *realm, const sl_target *target);

/* Printable start of a string, for messages: "%.*s" with sl_shown. */
static inline int sl_shown(sl_str s) {
    return s.size > 60 ? 60 : (int)s.size;
}

/* Schema checks of 11.4 and 11.5, shared by apply.c and record.c. */

/* Whether the class exists with the same definition (*exists), or with another: A-SCHEMA. */
bool sl_check_add_class(const sl_realm *realm, const sl_class *definition, bool *exists,
                        sl_status *st);
/* As above for a property; `definition->nullable` is brought into the form that is stored. */
bool sl_check_add_property(const sl_realm *realm, const sl_class *cls, sl_property *definition,
                           int key_type, bool *exists, sl_status *st);
bool sl_check_erase_class(const sl_realm *realm, const sl_class *cls, sl_status *st);
bool sl_check_erase_property(const sl_class *cls, sl_str name, uint32_t *index, sl_status *st);

#endif
