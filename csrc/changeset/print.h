/* print.h - changesets for people: one short line per instruction. Not to be read back. */
#ifndef SL_CHANGESET_PRINT_H
#define SL_CHANGESET_PRINT_H

#include "changeset/changeset.h"

/* Appends lines such as
 *   AddColumn    Member.nick: string?
 *   CreateObject Member["k01"]
 *   Update       Member["k01"].nick = "Hello"
 *   ArrayInsert  Member["k01"].nums[0] = 5  (size was 0)
 * A name that is no UTF-8 or has control characters is quoted. `raw`: interned strings, with their
 * indices, at their places. Fails only when memory runs out. */
bool sl_changeset_to_text(const sl_changeset *cs, bool raw, sl_buf *out, sl_status *st);

#endif
