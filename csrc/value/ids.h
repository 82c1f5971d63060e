/* ids.h - text of object ids and UUIDs. */
#ifndef SL_VALUE_IDS_H
#define SL_VALUE_IDS_H

#include "base/buf.h"

/* 24 hexadecimal digits, first byte first; written lower-case, read in either case. */
void sl_objectid_to_text(const uint8_t id[12], sl_buf *out);
bool sl_objectid_from_text(sl_str text, uint8_t id[12]);

/* 8-4-4-4-12 hexadecimal digits, first byte first; written lower-case, read in either case. */
void sl_uuid_to_text(const uint8_t uuid[16], sl_buf *out);
bool sl_uuid_from_text(sl_str text, uint8_t uuid[16]);

#endif
