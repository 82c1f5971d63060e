/* merge_state.h - realms in memory as the judge of a merge: applying changesets, hashing the STATE.
 */
#ifndef SPEC_SUPPORT_MERGE_STATE_H
#define SPEC_SUPPORT_MERGE_STATE_H

#include <openssl/evp.h>

#include "merge_side.h"
#include "realm/apply.h"
#include "realm/state.h"

/* SHA-256 of the STATE text in lower-case hex. */
static inline bool state_hash(sl_realm *realm, char hex[65], sl_status *st) {
    sl_buf text;
    unsigned char digest[32];
    sl_buf_init(&text, NULL);
    bool ok = sl_realm_state_text(realm, &text, st) &&
              EVP_Digest(text.data, text.size, digest, NULL, EVP_sha256(), NULL) == 1;
    sl_buf_free(&text);
    for (int i = 0; ok && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return ok;
}

static inline bool state_apply(sl_realm *realm, const merge_side *side, sl_status *st) {
    for (size_t i = 0; i < side->count; i++)
        if (!sl_realm_apply(realm, &side->changesets[i], st)) return false;
    return true;
}

#endif
