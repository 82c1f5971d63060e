/* apply.h - a changeset onto a realm (protocol/2-changeset.md, 11). */
#ifndef SL_REALM_APPLY_H
#define SL_REALM_APPLY_H

#include "changeset/changeset.h"
#include "realm/realm.h"

/* Applies all instructions of `cs` (borrowed, unchanged) inside the open transaction. Stricter than
 * the reference wherever section 11 says "ours". On a bad instruction it fails with
 * SL_ERR_CHANGESET, an A-... id, and status.offset = number of the instruction (from 0); the realm
 * is then as before the call (rolled back to a savepoint). SL_ERR_MEMORY and SL_ERR_STORAGE are
 * possible too. If the source could not undo a schema change, the status class is SL_ERR_STORAGE
 * with id "DISCARD": discard the transaction and apply again without the bad changeset. */
bool sl_realm_apply(sl_realm *realm, const sl_changeset *cs, sl_status *st);

#endif
