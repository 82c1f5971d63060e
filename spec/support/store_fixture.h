/* store_fixture.h - one store under test, of any kind. The conformance suites see only this. */
#ifndef SL_SPEC_STORE_FIXTURE_H
#define SL_SPEC_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/store.h"

/* `open` opens the same disk or file again each time it is called (after a close). `kind` is
 * whatever the implementation needs. */
typedef struct store_fixture {
    sl_store *store;
    sl_store *(*open)(struct store_fixture *fixture);
    void *kind;
} store_fixture;

static inline void fixture_reopen(store_fixture *fixture) {
    if (fixture->store) fixture->store->vtbl->close(fixture->store);
    fixture->store = fixture->open(fixture);
    assert_non_null(fixture->store);
}

/* Asserts that a call succeeded and shows why not. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        sl_status st_ = SL_STATUS_INIT, *st = &st_;                                                \
        (void)st;                                                                                  \
        if (!(call)) fail_msg("%s: %s", #call, st_.message);                                       \
    } while (0)

/* Asserts that a call failed in the class `cls`. */
#define FAILS(expected, call)                                                                      \
    do {                                                                                           \
        sl_status st_ = SL_STATUS_INIT, *st = &st_;                                                \
        if (call) fail_msg("%s: did not fail", #call);                                             \
        if (st_.cls != (expected)) fail_msg("%s: class %d: %s", #call, st_.cls, st_.message);      \
        assert_true(st_.message[0] != 0);                                                          \
    } while (0)

#define BEGIN(s)  OK((s)->vtbl->begin((s), st))
#define COMMIT(s) OK((s)->vtbl->commit((s), true, st))

static inline void assert_str(sl_str actual, const void *expected, size_t size) {
    assert_int_equal(actual.size, size);
    if (size) assert_memory_equal(actual.data, expected, size);
}

#endif
