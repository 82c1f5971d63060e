/* date.h - timestamps as ISO 8601 text and milliseconds. */
#ifndef SL_VALUE_DATE_H
#define SL_VALUE_DATE_H

#include "base/buf.h"
#include "value/value.h"

/* True with *ms set if the timestamp is a whole number of milliseconds that fits. */
bool sl_date_to_ms(sl_timestamp t, int64_t *ms);
sl_timestamp sl_date_from_ms(int64_t ms);
/* Seconds and nanoseconds of any sign (|nanoseconds| < 2^31) in the form of a timestamp: both of
 * one sign, less than a second of nanoseconds. False if the seconds overflow. */
bool sl_date_normal(int64_t seconds, int64_t nanoseconds, sl_timestamp *t);

/* Reads "2020-01-31T12:00:00", up to nine digits of fraction, "Z" or an offset such as "+01:00",
 * "+0100", "+01"; years 0000 to 9999, no leap seconds. False if it is no such text. */
bool sl_date_from_text(sl_str text, sl_timestamp *t);
/* Appends "2020-01-31T12:00:00.5Z" with as many digits of fraction as needed; years outside 0000 to
 * 9999 are refused (false, nothing appended). */
bool sl_date_to_text(sl_timestamp t, sl_buf *out);

#endif
