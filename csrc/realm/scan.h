/* scan.h - finding classes and keys; shared by the readers of this room. */
#ifndef SL_REALM_SCAN_H
#define SL_REALM_SCAN_H

#include "realm/internal.h"

/* The table of the class, or SL_ERR_USAGE. */
bool sl_realm_find_table(sl_realm *realm, sl_str name, sl_table **table, sl_status *st);
/* All keys of a class in the order of sl_key_cmp. *keys is owned by the caller (sl_delete with the
 * realm's alloc), the bytes of string keys are in `arena`. */
bool sl_realm_sorted_keys(sl_realm *realm, sl_str class_name, sl_arena *arena, sl_key **keys,
                          size_t *count, sl_status *st);

#endif
