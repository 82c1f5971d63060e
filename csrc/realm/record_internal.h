/* record_internal.h - what the files of the recorder share. */
#ifndef SL_REALM_RECORD_INTERNAL_H
#define SL_REALM_RECORD_INTERNAL_H

#include "realm/place_internal.h"
#include "realm/record.h"

/* A place found, and the raw path to it as it goes on the wire. */
typedef struct sl_spot {
    sl_target target;
    uint32_t count;
    sl_step steps[SL_MAX_PATH];
} sl_spot;

/* --- emit.c: instructions into the changeset; nothing when recording is off --- */

/* Each interns in the order of 12.3 and appends. False: no memory. */
bool sl_emit_add_table(sl_realm *realm, const sl_class *cls, sl_status *st);
bool sl_emit_erase_table(sl_realm *realm, sl_str class_name, sl_status *st);
bool sl_emit_add_column(sl_realm *realm, const sl_class *cls, const sl_property *property,
                        sl_status *st);
bool sl_emit_erase_column(sl_realm *realm, sl_str class_name, sl_str property, sl_status *st);
bool sl_emit_object(sl_realm *realm, sl_op op, const sl_cell *cell, sl_status *st);
/* A path instruction at the spot. `number`: prior_size where the path ends with an index, the
 * collection kind for CLEAR, the target index for ARRAY_MOVE (prior size: the list's). `value` may
 * be NULL. */
typedef struct sl_emission {
    sl_op op;
    const sl_value *value;
    uint32_t prior_size, to;
    uint8_t collection;
    bool is_default;
} sl_emission;
bool sl_emit_path(sl_realm *realm, const sl_spot *spot, const sl_emission *what, sl_status *st);
/* Interns the name of the innermost object's class: what a suppressed default leaves behind. */
bool sl_emit_class_name(sl_realm *realm, const sl_spot *spot, sl_status *st);

/* --- record.c --- */

/* Fails unless a transaction is open. */
bool sl_record_ready(const sl_realm *realm, sl_status *st);
/* Opens the place of an existing object for writing. */
bool sl_spot_open(sl_realm *realm, const sl_place *place, sl_spot *spot, sl_status *st);
/* Follows the raw path of `spot` again from its cell and top-level property. */
bool sl_spot_refresh(sl_realm *realm, sl_spot *spot, sl_status *st);
/* Turns a spot that holds a list into the spot of its raw element `index`. */
bool sl_spot_element(sl_realm *realm, sl_spot *spot, uint32_t index, sl_status *st);
/* Whether the application may store this value there: types, size limits, live targets (12.10). */
bool sl_record_check_value(sl_realm *realm, const sl_target *target, const sl_value *value,
                           sl_status *st);

/* --- record_links.c --- */

/* Takes every link to the cell's object out of the other objects (12.7). `spare`: a class whose
 * objects are left alone, or NULL. */
bool sl_record_unlink(sl_realm *realm, const sl_cell *target, const sl_class *spare, sl_status *st);
/* Records every dangling link to the new object again (12.8). */
bool sl_record_relink(sl_realm *realm, const sl_cell *target, sl_status *st);

#endif
