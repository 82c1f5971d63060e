/* base64.h - RFC 4648, sections 4 and 8: base64 and hexadecimal text of bytes. */
#ifndef SL_VALUE_BASE64_H
#define SL_VALUE_BASE64_H

#include "base/arena.h"
#include "base/buf.h"

/* Appends base64 with padding, without line breaks. */
void sl_value_base64_encode(const void *data, size_t size, sl_buf *out);
/* Decodes `text` into `arena`. Strict: padding required, no other characters, unused bits zero.
 * False when malformed; *memory is set false (else true) when memory ran out instead. */
bool sl_value_base64_decode(sl_str text, sl_arena *arena, sl_str *bytes, bool *memory);

/* Appends two lower-case digits per byte. */
void sl_value_hex_encode(const void *data, size_t size, sl_buf *out);
/* Reads exactly 2 * size digits of either case; false when malformed. */
bool sl_value_hex_decode(sl_str text, void *data, size_t size);

#endif
