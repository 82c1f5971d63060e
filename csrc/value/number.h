/* number.h - text of numbers, whatever the locale of the process is. */
#ifndef SL_VALUE_NUMBER_H
#define SL_VALUE_NUMBER_H

#include "base/buf.h"

/* Append a decimal integer. */
void sl_number_put_u64(uint64_t value, sl_buf *out);
void sl_number_put_i64(int64_t value, sl_buf *out);
/* Read a decimal integer in canonical form: no leading zero, no "+", no "-0", in range. */
bool sl_number_read_u64(sl_str text, uint64_t *value);
bool sl_number_read_i64(sl_str text, int64_t *value);

/* Appends what printf("%.<digits>g") prints in the C locale; `value` finite, digits 1-17. */
void sl_number_put_real(double value, int digits, sl_buf *out);
/* Reads a decimal literal with optional "-", fraction and exponent, to the nearest double (float);
 * one too large becomes infinite. False if it is no such literal. */
bool sl_number_read_double(sl_str text, double *value);
bool sl_number_read_float(sl_str text, float *value);

#endif
