/* state.h - the content of a realm as canonical text, to compare two realms. */
#ifndef SL_REALM_STATE_H
#define SL_REALM_STATE_H

#include "base/buf.h"
#include "realm/realm.h"

/* Receives the text in pieces; false stops the dump (not an error). */
typedef bool (*sl_text_sink)(void *ctx, const char *text, size_t size);

/* Writes the STATE text: classes sorted by name, properties by name, objects by key, one piece at a
 * time, so that memory stays small for a realm with a source. */
bool sl_realm_state(sl_realm *realm, sl_text_sink sink, void *ctx, sl_status *st);
/* As above, appended to `out`. */
bool sl_realm_state_text(sl_realm *realm, sl_buf *out, sl_status *st);
/* Appends one object as {"object":KEY,"values":{...}}. */
bool sl_realm_state_object(sl_realm *realm, const sl_object *object, sl_buf *out, sl_status *st);

#endif
