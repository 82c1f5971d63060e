/* scan.h - reading and writing the fields of a message head. Private to this room.
 * Source: protocol/1-wire.md, 3.1. */
#ifndef SL_PROTOCOL_SCAN_H
#define SL_PROTOCOL_SCAN_H

#include "protocol/message.h"

/* Walks over one message. The first error sticks: later reads return 0 and change nothing.
 * Invariant: at <= head_end < size; data[head_end] is the LF. */
typedef struct sl_scan {
    const char *data; /* borrowed */
    size_t size;
    size_t at;
    size_t head_end;
    const char *problem; /* NULL while all is well */
    int code;
    size_t problem_at;
} sl_scan;

/* Finds the head (at most SL_MAX_HEAD octets, LF included). False if there is none. */
bool sl_scan_init(sl_scan *scan, const void *data, size_t size);
/* The message type: lower-case letters and "_" up to the first SP or LF. */
sl_str sl_scan_word(sl_scan *scan);
/* SP and a decimal number of at most `max`. */
uint64_t sl_scan_uint(sl_scan *scan, uint64_t max);
/* SP and a number as the protocol has them: at most SL_MAX_NUMBER. */
uint64_t sl_scan_number(sl_scan *scan);
/* SP, an optional "-", and a number that fits int32. */
int32_t sl_scan_int32(sl_scan *scan);
bool sl_scan_bool(sl_scan *scan);
/* SP and a real in 0 .. 1. */
double sl_scan_fraction(sl_scan *scan);
/* Takes the rest of the message as body parts: `size` octets must be there. After the last part
 * sl_scan_finish checks that nothing is left. */
sl_str sl_scan_body(sl_scan *scan, uint64_t size);
/* The size (at most `max`) as the last field of the head, then the body. */
sl_str sl_scan_sized_body(sl_scan *scan, uint64_t max);
/* Marks the scan as failed. */
void sl_scan_fail(sl_scan *scan, int code, const char *problem);
/* Checks the end of the message and turns a problem into `st`; `name` is the message type. */
bool sl_scan_finish(sl_scan *scan, sl_str name, sl_status *st);

/* The body of UPLOAD and DOWNLOAD, whose members `compressed` and `uncompressed_size` have been
 * read: checks them against the limit and each other, and takes the octets. */
void sl_scan_packed_body(sl_scan *scan, sl_body *body, uint64_t compressed_size);

/* Reads digits at data[*at]; false if there are none or the number exceeds `max`. */
bool sl_scan_digits(const char *data, size_t size, size_t *at, uint64_t max, uint64_t *value);

/* Appends a decimal number. */
void sl_put_uint(sl_buf *out, uint64_t value);
/* Appends SP and the number. */
void sl_put_field(sl_buf *out, uint64_t value);
void sl_put_int_field(sl_buf *out, int64_t value);
/* Appends the size as the last field of the head, and the body. */
void sl_put_sized_body(sl_buf *out, sl_str body);
/* Appends the fields of a JSON_ERROR, which both sides send. */
void sl_put_json_error(sl_buf *out, int code, sl_str json, uint64_t session);

#endif
