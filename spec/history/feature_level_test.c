/* Which protocol version a changeset asks for, and that finding out takes steps in proportion to
 * the changeset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "history/feature_level.h"
#include "notation.h"

static int level_of(const char *text) {
    sl_changeset cs;
    sl_schema schema;
    sl_status st = SL_STATUS_INIT;
    int level = 0;
    sl_changeset_init(&cs, NULL);
    sl_schema_init(&schema, NULL);
    if (!notation_read(&cs, text)) fail_msg("notation: %s", text);
    assert_true(sl_feature_level(&cs, &schema, &level, NULL, &st));
    sl_schema_free(&schema);
    sl_changeset_free(&cs);
    return level;
}

static void a_changeset_with_its_schema_is_understood(void **state) {
    (void)state;
    assert_int_equal(level_of("table P(_id:int); column P.x:int; P1.x = 5"), 3);
    assert_int_equal(level_of("asymmetric P(_id:int)"), 6);
    assert_int_equal(level_of("table P(_id:int); column P.m:mixed; P1.m = list"), 13);
    assert_int_equal(level_of("table P(_id:int); column P.m:mixed; P1.m = 5"), 3);
    assert_int_equal(level_of("table P(_id:int); column P.m:mixed; P1.m.k = 5"), 13);
    assert_int_equal(level_of("table P(_id:int); column P.m:mixed; clr P1.m list"), 13);
    assert_int_equal(level_of("table P(_id:int); column P.d:mixed{}; P1.d.k = 5"), 3);
    assert_int_equal(level_of("table P(_id:int); column P.d:mixed{}; P1.d.k.k = 5"), 13);
    assert_int_equal(level_of("table P(_id:int); embedded E; column P.e:->E?; column E.m:mixed;"
                              "P1.e.m.k = 5"),
                     13);
    assert_int_equal(level_of("P1.e.m.k = 5"), 3);
}

/* `count` objects and their values, in as many properties, together with the schema. */
static uint64_t steps_of(int count) {
    sl_changeset cs;
    sl_schema schema;
    sl_status st = SL_STATUS_INIT;
    char text[120];
    uint64_t steps = 0;
    int level = 0;
    sl_changeset_init(&cs, NULL);
    sl_schema_init(&schema, NULL);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "column P.d%d:int{}; create P%d; P%d.d%d.k = 5", i, i, i, i);
        assert_true(notation_read(&cs, text));
    }
    assert_true(sl_feature_level(&cs, &schema, &level, &steps, &st));
    assert_int_equal(level, 3);
    assert_true(steps >= cs.count);
    sl_schema_free(&schema);
    sl_changeset_free(&cs);
    return steps;
}

static void steps_grow_with_the_changeset(void **state) {
    (void)state;
    assert_true(steps_of(4000) < 5 * steps_of(1000));
}

static void without_memory_it_says_so(void **state) {
    (void)state;
    failing_alloc memory;
    sl_schema schema;
    sl_changeset cs;
    sl_schema_init(&schema, NULL);
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, "column P.d:int{}; P1.d.k = 5"));
    for (uint64_t nth = 1; nth <= 2; nth++) {
        sl_status st = SL_STATUS_INIT;
        int level = 0;
        failing_alloc_init(&memory);
        memory.fail_at = nth;
        const sl_alloc *before = cs.arena.alloc;
        cs.arena.alloc = &memory.alloc;
        assert_false(sl_feature_level(&cs, &schema, &level, NULL, &st));
        assert_int_equal(st.cls, SL_ERR_MEMORY);
        cs.arena.alloc = before;
    }
    sl_changeset_free(&cs);
    sl_schema_free(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_changeset_with_its_schema_is_understood),
        cmocka_unit_test(steps_grow_with_the_changeset),
        cmocka_unit_test(without_memory_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
