/* json.h - the text form of changesets, values and keys (protocol/2-changeset.md, section 15). */
#ifndef SL_CHANGESET_JSON_H
#define SL_CHANGESET_JSON_H

#include <jansson.h>

#include "changeset/changeset.h"
#include "value/text.h"

/* Appends the text form to `out`. `raw`: with InternString objects at their places; otherwise the
 * resolved profile. Fails only when memory runs out. */
bool sl_changeset_to_json(const sl_changeset *cs, bool raw, sl_buf *out, sl_status *st);
/* One instruction without the trailing comma and LF. */
bool sl_instruction_to_json(const sl_changeset *cs, const sl_instruction *in, sl_buf *out,
                            sl_status *st);
/* Reads the text form (either profile) into `cs` (initialised or reset); lazy interning as in 15.5.
 * Unknown, missing or duplicate members fail with SL_ERR_USAGE and what was expected. */
bool sl_changeset_from_json(sl_changeset *cs, const char *text, size_t size, sl_status *st);
/* The same from parsed JSON (borrowed; nothing refers to it afterwards). It has to come from a
 * reader that keeps 64-bit integers and refuses duplicate members, such as sl_text_parse. */
bool sl_changeset_from_json_value(sl_changeset *cs, const json_t *array, sl_status *st);

#endif
