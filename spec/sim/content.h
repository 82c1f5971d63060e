/* content.h - random writes on classes of every kind with properties of every kind: what
 * random_program.h leaves out. The known gaps of the merge rules (protocol/3-transform.md, 11) are
 * kept out here, too: they diverge by definition. */
#ifndef SL_SPEC_SIM_CONTENT_H
#define SL_SPEC_SIM_CONTENT_H

#include "client_file.h"
#include "realm/record.h"

/* What a realm holds: which protocol version its readers need (protocol/4-history-and-sessions.md,
 * 7.6). */
enum {
    LEVEL_BASE = 3,
    LEVEL_ASYMMETRIC = 6, /* with a class Event */
    LEVEL_NESTED = 13     /* and with collections inside Mixed */
};

/* Rich, Doc, Mark, Loose, Part and Grain, and from level 6 on Event; inside an open write. */
bool content_record_schema(sl_realm *realm, int level, sl_status *st);
/* Up to three changes by chance. `who` writes: some dictionary keys are its own. */
bool content_body(sl_realm *realm, test_env *env, int level, int who, sl_status *st);

/* What belongs to the accounted transaction `id`: an object without key, and an event. */
bool content_record_account(sl_realm *realm, int level, int64_t id, sl_status *st);
/* The numbers of all objects of the class Loose, *count of them; free with free(). */
int64_t *content_loose_numbers(sl_realm *realm, size_t *count);
bool content_has_event(sl_realm *realm, int64_t id);

#endif
