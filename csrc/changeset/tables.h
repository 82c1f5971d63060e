/* tables.h - the two growing tables of a changeset; for this room only. */
#ifndef SL_CHANGESET_TABLES_H
#define SL_CHANGESET_TABLES_H

#include "changeset/changeset.h"

/* What an appended instruction starts as. */
static const sl_instruction sl_instruction_blank = {
    .class_name = SL_NO_SYM, .field = SL_NO_SYM, .target = SL_NO_SYM};

/* Makes room for `want` instructions (strings) in all; false when there is no memory. */
bool sl_changeset_reserve(sl_changeset *cs, uint32_t want);
bool sl_changeset_reserve_strings(sl_changeset *cs, uint32_t want);

/* The index of the first string in the table that repeats an earlier one, or SL_NO_SYM. *memory is
 * set false when there is no memory to find out. */
uint32_t sl_changeset_find_repeat(sl_changeset *cs, bool *memory);

#endif
