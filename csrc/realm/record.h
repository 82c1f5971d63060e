/* record.h - local writes: each changes the realm and appends the instructions that a peer has to
 * see, byte for byte as the reference recorder does (protocol/2-changeset.md, 12).
 *
 * In a transaction begun with sl_realm_begin the same calls write without recording (the write of a
 * client reset, a realm that is not synchronized).
 *
 * Refused writes (12.10 and wrong types, missing objects, ...) fail with SL_ERR_USAGE and leave
 * realm and changeset as they were. After SL_ERR_MEMORY or SL_ERR_STORAGE the transaction must be
 * discarded. */
#ifndef SL_REALM_RECORD_H
#define SL_REALM_RECORD_H

#include "realm/place.h"
#include "realm/realm.h"

/* Begins a transaction whose writes are recorded into `cs` (borrowed until commit or discard;
 * initialised and empty). `file_ident`: own client file ident, 0 before the server assigned one; it
 * becomes hi of new GlobalKeys. Encode `cs` with SL_ENCODE_AS_PARSED for the recorder's bytes. */
bool sl_realm_begin_write(sl_realm *realm, sl_changeset *cs, uint64_t file_ident, sl_status *st);

/* --- schema (12.4) --- */

/* What the application declares. `classes[i].properties[0 .. property_count)` in declaration order,
 * without the key property. */
typedef struct sl_schema_definition {
    const sl_class *classes;
    uint32_t count;
} sl_schema_definition;

/* Checks the rules of 12.4 for synchronized files without touching anything. `sdk_rules`: also
 * those that only SDK clients need: a key property named `_id` in every top-level class, no ring of
 * embedded classes. */
bool sl_schema_validate(const sl_schema_definition *definition, bool sdk_rules, sl_status *st);
/* Additive migration: adds what is missing in the order of the SDKs, leaves what is surplus, and
 * refuses with SL_ERR_USAGE "SCHEMA" a change of type, nullability, collection, target, kind or
 * key. Indexes are made and dropped as the declared properties say; that is not recorded. *changed
 * (may be NULL) tells whether anything changed, indexes included. */
bool sl_record_schema(sl_realm *realm, const sl_schema_definition *definition, bool *changed,
                      sl_status *st);
bool sl_record_add_class(sl_realm *realm, const sl_class *definition, sl_status *st);
bool sl_record_add_property(sl_realm *realm, sl_str class_name, const sl_property *definition,
                            sl_status *st);
bool sl_record_erase_property(sl_realm *realm, sl_str class_name, sl_str property, sl_status *st);
bool sl_record_erase_class(sl_realm *realm, sl_str class_name, sl_status *st);

/* --- objects --- */

/* Creates an object with default content. `key`: borrowed; NULL for a keyless class, whose new key
 * is put into *new_key (may be NULL). *created = false if it was there: nothing is recorded. Links
 * that dangled to the key are recorded again (12.8). */
bool sl_record_create(sl_realm *realm, sl_str class_name, const sl_key *key, sl_key *new_key,
                      bool *created, sl_status *st);
/* Erases an object after taking out every link to it (12.7). Fails if it does not exist. */
bool sl_record_erase(sl_realm *realm, sl_str class_name, const sl_key *key, sl_status *st);
/* Erases all objects of a class; links inside the class are not mentioned. */
bool sl_record_erase_all(sl_realm *realm, sl_str class_name, sl_status *st);

/* --- values (12.5, 12.6) --- */

/* Sets the property, list element or dictionary entry at `place`. value->type:
 *   NULL, scalar, LINK   the value; no conversion between types
 *   OBJECT               a new embedded object with defaults; one that is there is replaced
 *   LIST, DICTIONARY     Mixed only: an empty collection, or the one that is there if of that kind
 * `is_default`: the value comes from the schema's defaults, not from the application (12.5); null
 * as default of a link is not recorded. */
bool sl_record_set(sl_realm *realm, const sl_place *place, const sl_value *value, bool is_default,
                   sl_status *st);
/* Adds to an Int property (wraps), or to a Mixed holding an Int. Refused on null. */
bool sl_record_add_integer(sl_realm *realm, const sl_place *place, int64_t delta, sl_status *st);

/* Lists; `place` names the list. `index` may be the size to append; values as for sl_record_set. */
bool sl_record_list_insert(sl_realm *realm, const sl_place *place, uint32_t index,
                           const sl_value *value, sl_status *st);
bool sl_record_list_move(sl_realm *realm, const sl_place *place, uint32_t from, uint32_t to,
                         sl_status *st);
bool sl_record_list_swap(sl_realm *realm, const sl_place *place, uint32_t a, uint32_t b,
                         sl_status *st);
bool sl_record_list_erase(sl_realm *realm, const sl_place *place, uint32_t index, sl_status *st);
/* Sets; *changed (may be NULL) = false if it was there (insert) or was not there (erase). */
bool sl_record_set_insert(sl_realm *realm, const sl_place *place, const sl_value *value,
                          bool *changed, sl_status *st);
bool sl_record_set_erase(sl_realm *realm, const sl_place *place, const sl_value *value,
                         bool *changed, sl_status *st);
/* Dictionaries; the last step of `place` is the key. *changed (may be NULL) = false if there was no
 * entry. Entries are written with sl_record_set. */
bool sl_record_dict_erase(sl_realm *realm, const sl_place *place, bool *changed, sl_status *st);
/* Empties the list, set or dictionary at `place`. */
bool sl_record_clear(sl_realm *realm, const sl_place *place, sl_status *st);

#endif
