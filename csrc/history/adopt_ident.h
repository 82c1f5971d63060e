/* adopt_ident.h - giving an author to GlobalKeys that were made without one
 * (protocol/2-changeset.md, 13.4). */
#ifndef SL_HISTORY_ADOPT_IDENT_H
#define SL_HISTORY_ADOPT_IDENT_H

#include "changeset/changeset.h"

/* Puts `ident` in the place of hi = 0 in every object key and link target of `cs` (changed in
 * place). *changed tells whether there was one. Fails with SL_ERR_MEMORY only; `cs` is then half
 * done. */
bool sl_changeset_adopt_ident(sl_changeset *cs, uint64_t ident, bool *changed, sl_status *st);

#endif
