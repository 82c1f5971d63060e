/* tables.h - the two growing tables of a changeset; for this room only. */
#ifndef SL_CHANGESET_TABLES_H
#define SL_CHANGESET_TABLES_H

#include "changeset/changeset.h"

/* Makes `in` what an appended instruction starts as. In two pieces, because compilers turn one
 * assignment of this size into a string instruction that costs as much as parsing the rest. */
static inline void sl_instruction_clear(sl_instruction *in, uint8_t op) {
    enum { HALF = sizeof *in / 16 * 8 };
    memset(in, 0, HALF);
    memset((char *)in + HALF, 0, sizeof *in - HALF);
    in->op = op;
    in->class_name = in->field = in->target = SL_NO_SYM;
}

/* Makes room for `want` instructions (strings) in all; false when there is no memory. */
bool sl_changeset_reserve(sl_changeset *cs, uint32_t want);
bool sl_changeset_reserve_strings(sl_changeset *cs, uint32_t want);

/* The index of the first string in the table that repeats an earlier one, or SL_NO_SYM. *memory is
 * set false when there is no memory to find out. */
uint32_t sl_changeset_find_repeat(sl_changeset *cs, bool *memory);

#endif
