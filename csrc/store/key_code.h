/* key_code.h - object keys as self-describing bytes: the type code as one byte, then the content.
 */
#ifndef SL_STORE_KEY_CODE_H
#define SL_STORE_KEY_CODE_H

#include "base/buf.h"
#include "value/value.h"

/* Appends: null nothing, int and global key big endian with the sign bit of an int flipped (so that
 * ints sort), string and ids their bytes. */
void sl_key_encode(sl_buf *out, const sl_key *key);
/* Reads all of `bytes`; the bytes of a string are borrowed from it. False: not an encoded key. */
bool sl_key_decode(sl_str bytes, sl_key *key);

#endif
