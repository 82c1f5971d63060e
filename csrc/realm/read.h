/* read.h - what an application sees of a realm (protocol/2-changeset.md, 10.3). */
#ifndef SL_REALM_READ_H
#define SL_REALM_READ_H

#include "realm/place.h"
#include "realm/realm.h"

/* What is found at a place. Borrowed pointers, valid until the realm changes. */
typedef struct sl_view {
    uint8_t kind;                /* sl_node_kind */
    sl_value value;              /* VALUE; a link that dangles reads as null */
    uint32_t size;               /* LIST, SET, DICT: elements that the application sees */
    const sl_class *cls;         /* OBJECT: class of the embedded object */
    const sl_property *property; /* the property the value belongs to: type of the elements; NULL
                                  * for the key property */
    const sl_node *node;         /* as stored; NULL for the key property */
} sl_view;

/* Whether the object exists. False only on failure of the source. */
bool sl_realm_exists(sl_realm *realm, sl_str class_name, const sl_key *key, bool *exists,
                     sl_status *st);
/* The object or *object = NULL. A class that does not exist fails with SL_ERR_USAGE. */
bool sl_realm_object(sl_realm *realm, sl_str class_name, const sl_key *key,
                     const sl_object **object, sl_status *st);
/* Number of objects of a class. */
bool sl_realm_count(sl_realm *realm, sl_str class_name, uint64_t *count, sl_status *st);
/* Visits the keys of all objects of a class, in no order; keys are borrowed during the call. The
 * realm must not be changed meanwhile. */
bool sl_realm_scan(sl_realm *realm, sl_str class_name, sl_key_visitor visit, void *ctx,
                   sl_status *st);

/* Visits the key at `position` (from 0) in the order of sl_key_cmp, counted from the last one if
 * `backwards`; none beyond the end. Lists no keys if the source knows the order. */
bool sl_realm_nth(sl_realm *realm, sl_str class_name, uint64_t position, bool backwards,
                  sl_key_visitor visit, void *ctx, sl_status *st);

/* Visits the objects of a class with the properties that `selection` names, in no order, as they
 * are in the open transaction. Objects outside the bounds may be visited or not. Content is as
 * stored: a link that dangles is still a link. Nothing is loaded that was not in memory. Fails with
 * SL_ERR_USAGE for an embedded class. The visitor may read the realm, not change it. */
bool sl_realm_select(sl_realm *realm, sl_str class_name, const sl_selection *selection,
                     sl_row_visitor visit, void *ctx, sl_status *st);

/* What is at `place`. *found = false (and true returned) when the object, an embedded object on the
 * way, the list element or the dictionary entry does not exist. Fails with SL_ERR_USAGE and what is
 * wrong when class or property do not exist or the path cannot fit the schema. */
bool sl_realm_get(sl_realm *realm, const sl_place *place, sl_view *view, bool *found,
                  sl_status *st);
/* Element `index` of the collection at `place` as the application sees it: list elements in order,
 * set elements in the order of sl_value_cmp, dictionary entries in the order of keys (*key is set
 * when `key` is not NULL). *found = false beyond the end. */
bool sl_realm_element(sl_realm *realm, const sl_place *place, uint32_t index, sl_str *key,
                      sl_view *view, bool *found, sl_status *st);
/* Visits all visible elements of the collection at `place`; `key` is "" but in dictionaries. One
 * pass, also over lists with dangling links. The realm must not be changed meanwhile. */
typedef bool (*sl_element_visitor)(void *ctx, uint32_t index, sl_str key, const sl_view *view);
bool sl_realm_elements(sl_realm *realm, const sl_place *place, sl_element_visitor visit, void *ctx,
                       sl_status *st);
/* Whether the set at `place` holds `value`. */
bool sl_realm_set_contains(sl_realm *realm, const sl_place *place, const sl_value *value,
                           bool *contains, sl_status *st);

/* Top-level objects that hold a link to (class_name, key) anywhere, each once, in no order. The
 * target need not exist. */
bool sl_realm_referrers(sl_realm *realm, sl_str class_name, const sl_key *key,
                        sl_referrer_visitor visit, void *ctx, sl_status *st);
/* Objects of `origin` whose top-level property `property` (single, list, set, dictionary or Mixed)
 * holds a link to (class_name, key): `count` is how many. For back-link properties. */
typedef bool (*sl_backlink_visitor)(void *ctx, const sl_key *key, uint32_t count);
bool sl_realm_backlinks(sl_realm *realm, sl_str class_name, const sl_key *key, sl_str origin,
                        sl_str property, sl_backlink_visitor visit, void *ctx, sl_status *st);

#endif
