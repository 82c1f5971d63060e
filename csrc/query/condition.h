/* condition.h - what a query asks of one property, and whether a value fulfils it. */
#ifndef SL_QUERY_CONDITION_H
#define SL_QUERY_CONDITION_H

#include "base/status.h"
#include "realm/schema.h"
#include "value/value.h"

typedef enum sl_test {
    SL_TEST_EQUAL,   /* one value */
    SL_TEST_UNEQUAL, /* one value; exactly where EQUAL is not */
    SL_TEST_LESS,
    SL_TEST_AT_MOST,
    SL_TEST_GREATER,
    SL_TEST_AT_LEAST,
    SL_TEST_BETWEEN, /* two values, both included */
    SL_TEST_IN,      /* equal to any of the values, of which there may be none */
    SL_TEST_BEGINS,  /* strings and binaries, by bytes */
    SL_TEST_ENDS,
    SL_TEST_CONTAINS,
    SL_TEST_COUNT
} sl_test;

/* `property` may be the key property. Everything is borrowed.
 *
 * Equality: null equals null alone. Numbers compare by their numeric value whatever their types, as
 * sl_value_cmp has it; NaN equals nothing. Links are equal when class and key are. Values of other
 * types that differ are not equal. Order: numbers among themselves, strings, binaries, timestamps,
 * object ids and UUIDs each among their own by time or bytes; everything else, null and NaN too, is
 * neither before nor behind. */
typedef struct sl_condition {
    sl_str property;
    uint8_t test; /* sl_test */
    const sl_value *values;
    uint32_t count;
} sl_condition;

/* The name in messages: "=", "~=", "<", ..., "begins_with". */
const char *sl_test_name(sl_test test);
/* False: no test is called so. */
bool sl_test_named(sl_str name, sl_test *test);

/* Whether the condition makes sense for the class: the property is there and single, the values fit
 * it and the test. Else SL_ERR_USAGE "QUERY" with a message that says what is wrong. */
bool sl_condition_check(const sl_class *cls, const sl_condition *condition, sl_status *st);
/* A NaN of any type. */
bool sl_condition_is_nan(const sl_value *value);
/* Whether `value` fulfils the condition. Collections come as the types LIST, SET, DICTIONARY. */
bool sl_condition_holds(const sl_condition *condition, const sl_value *value);

#endif
