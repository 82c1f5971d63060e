/* Random bytes of the system: every request gets others, also many small ones and those of a child
 * process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/system_env.h"

enum { MANY = 2000 };

static uint64_t draw(void) {
    const sl_env *env = sl_system_env();
    uint64_t value;
    env->random(env->ctx, &value, sizeof value);
    return value;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void small_requests_never_repeat(void **state) {
    (void)state;
    static uint64_t values[MANY];
    for (size_t i = 0; i < MANY; i++)
        values[i] = draw();
    qsort(values, MANY, sizeof *values, ascending);
    for (size_t i = 1; i < MANY; i++)
        assert_true(values[i] != values[i - 1]);
}

static void a_child_process_draws_other_bytes(void **state) {
    (void)state;
    int ends[2];
    uint64_t of_child = 0, mine;
    draw(); /* some are kept from now on */
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t value = draw();
        _exit(write(ends[1], &value, sizeof value) == (ssize_t)sizeof value ? 0 : 1);
    }
    mine = draw();
    assert_int_equal(read(ends[0], &of_child, sizeof of_child), sizeof of_child);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(mine != of_child);
    close(ends[0]);
    close(ends[1]);
}

static void any_size_is_filled(void **state) {
    (void)state;
    const sl_env *env = sl_system_env();
    for (size_t size = 1; size <= 600; size++) {
        unsigned char bytes[608], seen = 0;
        memset(bytes, 0, sizeof bytes);
        for (int round = 0; round < 8; round++) {
            unsigned char drawn[608] = {0};
            env->random(env->ctx, drawn, size);
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] |= drawn[i];
        }
        for (size_t i = 0; i < size; i++)
            assert_int_not_equal(bytes[i], 0);
        for (size_t i = size; i < sizeof bytes; i++)
            seen |= bytes[i];
        assert_int_equal(seen, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_requests_never_repeat),
        cmocka_unit_test(a_child_process_draws_other_bytes),
        cmocka_unit_test(any_size_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
