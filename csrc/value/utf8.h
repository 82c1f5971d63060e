/* utf8.h - is it text? */
#ifndef SL_VALUE_UTF8_H
#define SL_VALUE_UTF8_H

#include "base/str.h"

/* True if the bytes are valid UTF-8: shortest forms, no surrogates, at most U+10FFFF (RFC 3629).
 * The empty string and U+0000 are valid. */
bool sl_utf8_valid(sl_str s);

#endif
