/* Every pair of kinds has the rule that the protocol gives it, and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transform/rules.h"

/* protocol/3-transform.md, 4: rows and columns in this order; "." = no rule. */
static const uint8_t kinds[SL_OP_COUNT] = {
    SL_OP_ADD_TABLE,     SL_OP_ERASE_TABLE,  SL_OP_ADD_COLUMN,  SL_OP_ERASE_COLUMN,
    SL_OP_CREATE_OBJECT, SL_OP_ERASE_OBJECT, SL_OP_UPDATE,      SL_OP_ADD_INTEGER,
    SL_OP_ARRAY_INSERT,  SL_OP_ARRAY_MOVE,   SL_OP_ARRAY_ERASE, SL_OP_CLEAR,
    SL_OP_SET_INSERT,    SL_OP_SET_ERASE};

static const char *const rows[SL_OP_COUNT] = {
    "F1 F2 . . . . . . . . . . . .",
    "F3 F4 . . . . . . . . . . .",
    "F5 F6 . . . . . . . . . .",
    "F7 . . F8 . . . . . . .",
    ". F9 . . . . . . . .",
    "F10 . . . . . . . .",
    "F11 F12 F13 F14 F15 F16 . .",
    ". . . . F17 . .",
    "F18 F19 F20 . . .",
    "F21 F22 . . .",
    "F23 . . .",
    "F24 F25 F26",
    "F27 F28",
    "F29",
};

static void every_pair_has_its_rule(void **state) {
    (void)state;
    unsigned pairs = 0, empty = 0;
    for (unsigned row = 0; row < SL_OP_COUNT; row++) {
        char text[64], *rest = NULL;
        strcpy(text, rows[row]);
        unsigned column = row;
        for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            const sl_matrix_cell *cell = sl_matrix_flat(kinds[row], kinds[column]);
            assert_ptr_equal(cell, sl_matrix_flat(kinds[column], kinds[row]));
            assert_int_equal(cell->apply == NULL, word[0] == '.');
            if (cell->apply) assert_string_equal(cell->name, word);
            empty += !cell->apply;
            pairs++;
            column++;
        }
        assert_int_equal(column, SL_OP_COUNT);
    }
    assert_int_equal(pairs, 105);
    print_message("%u pairs, %u with a flat rule\n", pairs, pairs - empty);
}

static void every_outer_kind_has_its_nested_rule(void **state) {
    static const char *const names[SL_OP_COUNT] = {NULL, "N1", NULL, NULL, NULL, "N2", "N3",
                                                   "N4", "N5", "N6", "N7", "N8", NULL, NULL};
    (void)state;
    for (unsigned k = 0; k < SL_OP_COUNT; k++) {
        const sl_matrix_cell *cell = sl_matrix_nested(kinds[k]);
        assert_int_equal(cell->apply == NULL, names[k] == NULL);
        if (names[k]) assert_string_equal(cell->name, names[k]);
        assert_int_equal(sl_matrix_outers >> kinds[k] & 1, names[k] != NULL);
        assert_int_equal(sl_matrix_rank(kinds[k]), k);
    }
}

/* The index skips pairs by these sets. */
static void partner_sets_agree_with_the_matrix(void **state) {
    (void)state;
    for (uint8_t a = 0; a < SL_OP_COUNT; a++)
        for (uint8_t b = 0; b < SL_OP_COUNT; b++)
            assert_int_equal(sl_matrix_partners[a] >> b & 1, sl_matrix_flat(a, b)->apply != NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_has_its_rule),
        cmocka_unit_test(every_outer_kind_has_its_nested_rule),
        cmocka_unit_test(partner_sets_agree_with_the_matrix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
