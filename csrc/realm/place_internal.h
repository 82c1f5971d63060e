/* place_internal.h - places as the application names them; shared by read.c and record.c. */
#ifndef SL_REALM_PLACE_INTERNAL_H
#define SL_REALM_PLACE_INTERNAL_H

#include "realm/path.h"

/* Hands `cause` on as SL_ERR_USAGE if it was a bad changeset, else as it is. Returns false. */
bool sl_usage(sl_status *st, const sl_status *cause);
/* Whether the application does not see dangling entries of this collection (10.3). */
bool sl_hides_dangling(const sl_property *property, const sl_node *node);
/* The raw index for a visible one (12.6); beyond the end it is the raw size or more. */
bool sl_raw_index(sl_realm *realm, const sl_list *list, uint32_t visible, uint32_t *raw,
                  sl_status *st);
bool sl_visible_count(sl_realm *realm, const sl_list *list, uint32_t *count, sl_status *st);

/* The settled cell of an object; SL_ERR_USAGE for an unknown class or a key that does not fit. */
bool sl_place_cell(sl_realm *realm, sl_str class_name, const sl_key *key, sl_cell **cell,
                   sl_status *st);
/* Follows the place inside the existing object; a visible index becomes raw. SL_ERR_USAGE with the
 * A-... id when it cannot be followed. */
bool sl_place_follow(sl_realm *realm, sl_cell *cell, const sl_place *place, bool write,
                     sl_target *target, sl_status *st);

#endif
