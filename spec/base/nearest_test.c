/* The name that was meant. */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {"name",     "age",   "partition", "schema",
                                    "on_error", "Name2", NULL};

static sl_str nearest(const char *wanted) {
    sl_nearest found = {.wanted = sl_str_c(wanted)};
    for (const char *const *each = names; *each; each++)
        sl_nearest_try(&found, sl_str_c(*each));
    return found.best;
}

static void expect(const char *wanted, const char *meant) {
    sl_str best = nearest(wanted);
    assert_int_equal(best.size, strlen(meant));
    if (best.size) assert_memory_equal(best.data, meant, best.size);
}

static void a_slip_is_understood(void **state) {
    (void)state;
    expect("nmae", "name");
    expect("partitoin", "partition");
    expect("schem", "schema");
    expect("schemaa", "schema");
    expect("onerror", "on_error");
    expect("on-error", "on_error");
    expect("NAME", "name");
    expect("agw", "age");
}

static void another_word_is_not(void **state) {
    (void)state;
    expect("colour", "");
    expect("x", "");
    expect("", "");
    char longer[200];
    memset(longer, 'n', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    expect(longer, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_understood),
        cmocka_unit_test(another_word_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
