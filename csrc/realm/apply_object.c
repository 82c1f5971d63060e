#include "realm/apply_internal.h"

bool sl_apply_create_object(sl_applier *ap, const sl_instruction *in) {
    sl_cell *cell = sl_applier_cell(ap, in);
    if (!cell) return false;
    if (cell->object) return true;
    return sl_check_key_size(ap->realm, &in->key, ap->st) &&
           (sl_cell_create(ap->realm, cell) || sl_fail_memory(ap->st));
}

/* Links to the object stay where they are and dangle (protocol/2-changeset.md, 11.6). */
bool sl_apply_erase_object(sl_applier *ap, const sl_instruction *in) {
    sl_cell *cell = sl_applier_cell(ap, in);
    if (!cell) return false;
    return !cell->object || sl_cell_erase(ap->realm, cell) || sl_fail_memory(ap->st);
}
