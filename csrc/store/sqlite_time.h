/* sqlite_time.h - timestamps as text that sorts and that SQLite's date functions understand. */
#ifndef SL_STORE_SQLITE_TIME_H
#define SL_STORE_SQLITE_TIME_H

#include "base/buf.h"
#include "value/value.h"

/* Appends "2015-01-31T12:00:00.000000001Z": always nine digits of fraction, Gregorian calendar in
 * both directions. Years outside 0000 to 9999 get a sign and at least six digits
 * ("+292277026596-..."). False, nothing appended: the signs of the parts differ or the nanoseconds
 * are a second or more, which is no timestamp. */
bool sl_sqlite_time_write(sl_buf *out, sl_timestamp t);
/* Reads exactly what the writer writes. False: something else. */
bool sl_sqlite_time_read(sl_str text, sl_timestamp *t);

#endif
