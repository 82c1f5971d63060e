/* The complete truth tables of two list instructions on a list of three elements
 * (protocol/3-transform.md, appendix A). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "merge_case.h"
#include "transform/quirks.h"
#include "transform/slot.h"

/* "0>1" is a move, "@2" an insertion, "1" an erasure, "x" nothing; `size` as the instruction has it
 * after the merge. */
static void spell(const char *cell, unsigned size, char *out) {
    if (cell[0] == 'x')
        out[0] = 0;
    else if (cell[0] == '@')
        sprintf(out, "ins P1.f[%c] 0 |%u|", cell[1], size);
    else if (cell[1] == '>')
        sprintf(out, "mov P1.f[%c>%c] |%u|", cell[0], cell[2], size);
    else
        sprintf(out, "del P1.f[%c] |%u|", cell[0], size);
}

static void check(const char *row, const char *column, bool row_older, const char *row_out,
                  unsigned row_size, const char *column_out, unsigned column_size) {
    char a[64], b[64], want_a[64], want_b[64];
    sl_buf got_a, got_b;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&got_a, NULL);
    sl_buf_init(&got_b, NULL);
    spell(row, 3, a);
    spell(column, 3, b);
    spell(row_out, row_size, want_a);
    spell(column_out, column_size, want_b);
    case_changeset left = {row_older ? 10 : 30, 2, a}, right = {20, 3, b};
    assert_true(case_merge(left, right, NULL, &got_a, &got_b, &st));
    assert_string_equal(got_a.data, want_a);
    assert_string_equal(got_b.data, want_b);
    assert_true(case_merge(right, left, NULL, &got_b, &got_a, &st));
    assert_string_equal(got_a.data, want_a);
    assert_string_equal(got_b.data, want_b);
    sl_buf_free(&got_a);
    sl_buf_free(&got_b);
}

static const char *const moves[] = {"0>1", "0>2", "1>0", "1>2", "2>0", "2>1"};

static void two_moves(void **state) {
    static const char *const table[6][6][2] = {
        {{"x", "x"}, {"x", "1>2"}, {"1>0", "0>1"}, {"x", "0>2"}, {"1>2", "2>0"}, {"0>2", "2>0"}},
        {{"x", "2>1"}, {"x", "x"}, {"1>2", "x"}, {"0>1", "0>2"}, {"1>2", "1>0"}, {"0>2", "1>0"}},
        {{"x", "x"}, {"x", "1>2"}, {"x", "x"}, {"x", "0>2"}, {"2>0", "2>1"}, {"2>0", "x"}},
        {{"0>2", "x"}, {"0>1", "0>2"}, {"x", "2>0"}, {"x", "x"}, {"x", "1>0"}, {"2>1", "1>2"}},
        {{"2>0", "1>2"}, {"1>0", "1>2"}, {"2>0", "2>1"}, {"1>0", "x"}, {"x", "x"}, {"x", "0>1"}},
        {{"2>0", "0>2"}, {"1>0", "0>2"}, {"x", "2>0"}, {"x", "x"}, {"x", "1>0"}, {"x", "x"}},
    };
    (void)state;
    for (int row = 0; row < 6; row++)
        for (int column = 0; column < 6; column++)
            check(moves[row], moves[column], true, table[row][column][0], 3, table[row][column][1],
                  3);
}

static void a_move_and_an_insertion(void **state) {
    /* Each cell: move older, insertion older. */
    static const char *const table[6][4][4] = {
        {{"1>2", "@0", "1>2", "@0"},
         {"0>2", "@0", "0>2", "@0"},
         {"0>2", "@1", "0>1", "@2"},
         {"0>1", "@3", "0>1", "@3"}},
        {{"1>3", "@0", "1>3", "@0"},
         {"0>3", "@0", "0>3", "@0"},
         {"0>3", "@1", "0>3", "@1"},
         {"0>3", "@2", "0>2", "@3"}},
        {{"2>1", "@0", "2>0", "@1"},
         {"2>0", "@2", "2>0", "@2"},
         {"1>0", "@2", "1>0", "@2"},
         {"1>0", "@3", "1>0", "@3"}},
        {{"2>3", "@0", "2>3", "@0"},
         {"2>3", "@1", "2>3", "@1"},
         {"1>3", "@1", "1>3", "@1"},
         {"1>3", "@2", "1>2", "@3"}},
        {{"3>1", "@0", "3>0", "@1"},
         {"3>0", "@2", "3>0", "@2"},
         {"3>0", "@3", "3>0", "@3"},
         {"2>0", "@3", "2>0", "@3"}},
        {{"3>2", "@0", "3>2", "@0"},
         {"3>2", "@1", "3>1", "@2"},
         {"3>1", "@3", "3>1", "@3"},
         {"2>1", "@3", "2>1", "@3"}},
    };
    static const char *const insertions[] = {"@0", "@1", "@2", "@3"};
    (void)state;
    for (int row = 0; row < 6; row++)
        for (int column = 0; column < 4; column++) {
            const char *const *cell = table[row][column];
            check(moves[row], insertions[column], true, cell[0], 4, cell[1], 3);
            check(moves[row], insertions[column], false, cell[2], 4, cell[3], 3);
        }
}

static void a_move_and_an_erasure(void **state) {
    static const char *const table[6][3][2] = {
        {{"x", "1"}, {"x", "0"}, {"0>1", "2"}},   {{"x", "2"}, {"0>1", "0"}, {"0>1", "1"}},
        {{"x", "1"}, {"x", "0"}, {"1>0", "2"}},   {{"0>1", "0"}, {"x", "2"}, {"x", "1"}},
        {{"1>0", "1"}, {"1>0", "2"}, {"x", "0"}}, {{"1>0", "0"}, {"x", "2"}, {"x", "1"}},
    };
    static const char *const erasures[] = {"0", "1", "2"};
    (void)state;
    for (int row = 0; row < 6; row++)
        for (int column = 0; column < 3; column++)
            for (int older = 0; older < 2; older++)
                check(moves[row], erasures[column], older, table[row][column][0], 2,
                      table[row][column][1], 3);
}

static void an_erasure_and_an_insertion(void **state) {
    static const char *const table[3][4][2] = {
        {{"1", "@0"}, {"0", "@0"}, {"0", "@1"}, {"0", "@2"}},
        {{"2", "@0"}, {"2", "@1"}, {"1", "@1"}, {"1", "@2"}},
        {{"3", "@0"}, {"3", "@1"}, {"3", "@2"}, {"2", "@2"}},
    };
    static const char *const erasures[] = {"0", "1", "2"};
    static const char *const insertions[] = {"@0", "@1", "@2", "@3"};
    (void)state;
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++)
            for (int older = 0; older < 2; older++)
                check(erasures[row], insertions[column], older, table[row][column][0], 4,
                      table[row][column][1], 2);
}

static void where_an_element_ends_up_after_a_move(void **state) {
    static const uint32_t table[3][6] = {
        {1, 2, 1, 0, 1, 0}, {0, 0, 0, 2, 2, 2}, {2, 1, 2, 1, 0, 1}};
    (void)state;
    for (uint32_t at = 0; at < 3; at++)
        for (int move = 0; move < 6; move++)
            assert_int_equal(sl_slot_moved(at, (uint32_t)(moves[move][0] - '0'),
                                           (uint32_t)(moves[move][2] - '0')),
                             table[at][move]);
}

static void an_outer_move_after_meeting_something_inside_an_element(void **state) {
    static const char *const table[6][3] = {{"1>1", "0>1", "0>1"}, {"2>2", "0>2", "0>2"},
                                            {"1>0", "0>0", "2>0"}, {"0>2", "2>2", "1>2"},
                                            {"2>0", "2>0", "0>0"}, {"2>1", "2>1", "1>1"}};
    (void)state;
    for (int move = 0; move < 6; move++)
        for (uint32_t inside = 0; inside < 3; inside++) {
            uint32_t from = (uint32_t)(moves[move][0] - '0'), to = (uint32_t)(moves[move][2] - '0');
            assert_int_equal(sl_quirk_outer_move(from, to, inside), table[move][inside][0] - '0');
            assert_int_equal(to, table[move][inside][2] - '0');
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_moves),
        cmocka_unit_test(a_move_and_an_insertion),
        cmocka_unit_test(a_move_and_an_erasure),
        cmocka_unit_test(an_erasure_and_an_insertion),
        cmocka_unit_test(where_an_element_ends_up_after_a_move),
        cmocka_unit_test(an_outer_move_after_meeting_something_inside_an_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
