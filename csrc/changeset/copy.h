/* copy.h - taking single instructions into another changeset. */
#ifndef SL_CHANGESET_COPY_H
#define SL_CHANGESET_COPY_H

#include "changeset/changeset.h"

/* Appends a copy of `in`, an instruction of `from`, to `to`, and interns the names it uses there.
 * Bytes of string and binary values stay where they are and must outlive `to`; everything else is
 * copied. Fails with SL_ERR_MEMORY only. */
bool sl_changeset_copy(sl_changeset *to, const sl_changeset *from, const sl_instruction *in,
                       sl_status *st);

#endif
