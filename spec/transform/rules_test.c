/* One example and more for every rule: what two concurrent instructions become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "merge_case.h"

/* Results "=" mean unchanged. Times: the left side is file 2, the right side file 3. */
typedef struct example {
    const char *rule;
    uint64_t left_time, right_time;
    const char *left, *right, *left_out, *right_out;
} example;

static const example examples[] = {
    {"F1", 10, 20, "table P(_id:int)", "table P(_id:int)", "", ""},
    {"F1", 10, 20, "table P()", "table P()", "", ""},
    {"F1", 10, 20, "embedded P", "embedded P", "", ""},
    {"F1", 10, 20, "asymmetric P(_id:int)", "asymmetric P(_id:int)", "", ""},
    {"F1", 10, 20, "table P(_id:int)", "table Q(_id:string)", "=", "="},
    {"F2", 10, 20, "table P(_id:int)", "drop table P", "", "="},
    {"F2", 30, 20, "table P(_id:int)", "drop table Q", "=", "="},
    {"F3", 10, 20, "drop table P", "drop table P", "", ""},
    {"F4", 10, 20, "drop table Q", "column P.a:->Q?; column P.b:->Q?; P1.a = Q1; P1.b = Q2",
     "drop column P.a; drop column P.b; drop table Q", ""},
    {"F4", 10, 20, "column P.a:->Q?; P1.a = Q1", "drop table Q", "",
     "drop column P.a; drop table Q"},
    {"F4", 10, 20, "drop table Q", "column P.a:->R?; column P.b:int", "=", "="},
    {"F5", 10, 20, "column P.x:int", "column P.x:int", "", ""},
    {"F5", 10, 20, "column P.x:int", "column P.y:int", "=", "="},
    {"F6", 10, 20, "column P.x:int", "drop column P.x", "", "="},
    {"F7", 10, 20, "drop column P.x", "drop column P.x", "", ""},
    {"F8", 10, 20, "drop column P.f", "P7.f.k.x = 1; ins P7.f[0] 1 |0|", "=", "ins P7.f[0] 1 |0|"},
    {"F8", 10, 20, "drop column P.f", "P7.g = 1; Q7.f = 1", "=", "="},
    {"F9", 10, 20, "erase P7", "create P7", "=", ""},
    {"F9", 30, 20, "erase P7", "create P7; create P8", "=", "create P8"},
    {"F10", 10, 20, "erase P7; create P7", "erase P7", "", "="},
    {"F10", 30, 20, "erase P7; create P7", "erase P7", "=", ""},
    {"F11", 10, 20, "P7.f[1] = 5 |3|", "P7.f[1] = 6 |3|", "", "="},
    {"F11", 30, 20, "P7.f[1] = 5 |3|", "P7.f[1] = 6 |3|", "=", ""},
    {"F11", 10, 20, "P7.i = 1", "P7.i = 2 default", "=", ""},
    {"F11", 10, 20, "P7.i = 1 default", "P7.i = 2 default", "", "="},
    {"F11", 10, 5, "P7.e = object", "P7.e = null", "", "="},
    {"F11", 10, 20, "P7.m = list", "P7.m = list", "=", "="},
    {"F11", 10, 20, "P7.m = dict", "P7.m = dict", "=", "="},
    {"F11", 10, 20, "P7.m = list", "P7.m = dict", "", "="},
    {"F11", 10, 20, "P7.d.k = 1", "P7.d.k = erased", "", "="},
    {"F11", 10, 20, "P7.d.k = 1", "P7.d.j = erased", "=", "="},
    {"F12", 20, 10, "P7.n += 3", "P7.n = 100", "=", "P7.n = 103"},
    {"F12", 5, 10, "P7.n += 3", "P7.n = 100", "", "="},
    {"F12", 10, 20, "P7.n += 3", "P7.n = 100 default", "=", "P7.n = 103 default"},
    {"F12", 20, 10, "P7.n += 3", "P7.n = null", "=", "="},
    {"F12", 20, 10, "P7.n += 3", "P7.n = \"x\"", "", "="},
    {"F12", 20, 10, "P7.n += 1", "P7.n = 9223372036854775807", "=", "P7.n = -9223372036854775808"},
    {"F13", 10, 20, "ins P7.f[1] 0 |3|", "P7.f[1] = 8 |3|; P7.f[0] = 9 |3|", "=",
     "P7.f[2] = 8 |4|; P7.f[0] = 9 |4|"},
    {"F14", 10, 20, "mov P7.f[0>2] |3|", "P7.f[0] = 1 |3|; P7.f[1] = 2 |3|; P7.f[2] = 3 |3|", "=",
     "P7.f[2] = 1 |3|; P7.f[0] = 2 |3|; P7.f[1] = 3 |3|"},
    {"F15", 10, 20, "del P7.f[1] |3|", "P7.f[0] = 1 |3|; P7.f[1] = 2 |3|; P7.f[2] = 3 |3|", "=",
     "P7.f[0] = 1 |2|; P7.f[1] = 3 |2|"},
    {"F16", 10, 20, "clr P7.m list", "P7.m = 1", "", "="},
    {"F16", 30, 20, "clr P7.m list", "P7.m = 1", "=", ""},
    {"F16", 10, 20, "clr P7.m list", "P7.m = list", "=", "="},
    {"F16", 10, 20, "clr P7.m dict", "P7.m = dict", "=", "="},
    {"F16", 10, 20, "clr P7.m single", "P7.m = list", "", "="},
    {"F17", 10, 20, "clr P7.m dict", "P7.m += 1", "=", ""},
    {"F18", 10, 20, "ins P7.f[1] 1 |3|", "ins P7.f[1] 2 |3|", "ins P7.f[1] 1 |4|",
     "ins P7.f[2] 2 |4|"},
    {"F18", 30, 20, "ins P7.f[1] 1 |3|", "ins P7.f[1] 2 |3|", "ins P7.f[2] 1 |4|",
     "ins P7.f[1] 2 |4|"},
    {"F18", 10, 20, "ins P7.f[0] 1 |3|", "ins P7.f[2] 2 |3|", "ins P7.f[0] 1 |4|",
     "ins P7.f[3] 2 |4|"},
    {"F19", 10, 20, "ins P7.f[2] 1 |3|", "mov P7.f[0>1] |3|", "=", "mov P7.f[0>1] |4|"},
    {"F19", 10, 20, "ins P7.f[3] 1 |3|", "mov P7.f[0>2] |3|", "=", "mov P7.f[0>2] |4|"},
    {"F19", 30, 20, "ins P7.f[3] 1 |3|", "mov P7.f[0>2] |3|", "ins P7.f[2] 1 |3|",
     "mov P7.f[0>3] |4|"},
    {"F20", 10, 20, "ins P7.f[1] 1 |3|", "del P7.f[1] |3|", "ins P7.f[1] 1 |2|", "del P7.f[2] |4|"},
    {"F20", 10, 20, "ins P7.f[2] 1 |3|", "del P7.f[1] |3|", "ins P7.f[1] 1 |2|", "del P7.f[1] |4|"},
    {"F21", 10, 20, "mov P7.f[0>1] |3|", "mov P7.f[0>2] |3|", "", "mov P7.f[1>2] |3|"},
    {"F21", 10, 20, "mov P7.f[0>2] |3|", "mov P7.f[0>2] |3|", "", ""},
    {"F21", 10, 20, "mov P7.f[0>1] |3|", "mov P7.f[2>1] |3|", "mov P7.f[0>2] |3|",
     "mov P7.f[2>0] |3|"},
    {"F21", 10, 20, "mov P7.f[0>3] |4|", "mov P7.f[2>0] |4|", "mov P7.f[1>3] |4|",
     "mov P7.f[1>0] |4|"},
    {"F21", 10, 20, "mov P7.f[0>1] |2|", "mov P7.f[1>0] |2|", "mov P7.f[1>0] |2|",
     "mov P7.f[0>1] |2|"},
    {"F22", 10, 20, "mov P7.f[0>2] |3|", "del P7.f[0] |3|", "", "del P7.f[2] |3|"},
    {"F22", 10, 20, "mov P7.f[0>2] |3|", "del P7.f[1] |3|", "mov P7.f[0>1] |2|", "del P7.f[0] |3|"},
    {"F22", 10, 20, "mov P7.f[0>1] |2|", "del P7.f[1] |2|", "", "del P7.f[0] |2|"},
    {"F23", 10, 20, "del P7.f[0] |3|", "del P7.f[2] |3|", "del P7.f[0] |2|", "del P7.f[1] |2|"},
    {"F23", 10, 20, "del P7.f[1] |3|", "del P7.f[1] |3|", "", ""},
    {"F24", 10, 20, "clr P7.f list; ins P7.f[0] 1 |0|", "clr P7.f list; ins P7.f[0] 2 |0|", "",
     "="},
    {"F24", 30, 20, "clr P7.f list; ins P7.f[0] 1 |0|", "clr P7.f list; ins P7.f[0] 2 |0|", "=",
     ""},
    {"F25 F26", 10, 20, "clr P7.s set", "add P7.s 1; rem P7.s 2", "=", ""},
    {"F27", 10, 20, "add P7.s 1; add P7.s 1.0", "add P7.s 1", "add P7.s 1.00", "="},
    {"F28", 10, 20, "rem P7.s 1", "add P7.s 1", "", "="},
    {"F28", 30, 20, "rem P7.s 1", "add P7.s 1", "=", ""},
    {"F29", 10, 20, "rem P7.s 1", "rem P7.s 1", "", "="},
    {"F29", 10, 20, "rem P7.s 1", "rem P7.s 2", "=", "="},
    {"N1", 10, 20, "drop table P", "create P7; column P.x:int; P7.x = 1", "=", ""},
    {"N2", 10, 20, "erase P7", "create P7; P7.x = 1; P7.l[0].y = 1", "=", ""},
    {"N2", 30, 20, "erase P7", "P8.x = 1; Q7.x = 1", "=", "="},
    {"N3", 10, 20, "P7.e = null", "P7.e.i = 1", "=", ""},
    {"N3", 10, 20, "P7.m = list", "P7.m.k = 1; ins P7.m[0] 1 |0|", "=", "ins P7.m[0] 1 |0|"},
    {"N3", 10, 20, "P7.m = dict", "P7.m.k = 1; ins P7.m[0] 1 |0|", "=", "P7.m.k = 1"},
    {"N3", 10, 20, "P7.e = object", "P7.e.i = 1", "=", "="},
    {"N3", 10, 20, "P7.d.k = erased", "P7.d.k.i = 1; P7.d.j.i = 1", "=", "P7.d.j.i = 1"},
    {"N4", 10, 20, "P7.m += 1", "ins P7.m[0] 1 |0|", "=", ""},
    {"N5", 10, 20, "ins P7.f[1] object |3|", "P7.f[0].x = 1; P7.f[1].x = 2; ins P7.f[2].g[0] 3 |0|",
     "=", "P7.f[0].x = 1; P7.f[2].x = 2; ins P7.f[3].g[0] 3 |0|"},
    {"N6", 10, 20, "mov P7.f[0>2] |3|", "P7.f[0].x = 1", "mov P7.f[2>2] |3|", "="},
    {"N6", 10, 20, "mov P7.f[1>2] |3|", "P7.f[0].x = 1", "mov P7.f[0>2] |3|", "="},
    {"N6", 10, 20, "mov P7.f[2>0] |3|", "P7.f[1].x = 1", "=", "="},
    {"N7", 10, 20, "del P7.f[1] |3|", "P7.f[0].x = 1; P7.f[1].x = 2; P7.f[2].x = 3", "=",
     "P7.f[0].x = 1; P7.f[1].x = 3"},
    {"N8", 10, 20, "clr P7.f list", "ins P7.f[0] 1 |2|; P7.f[1].x = 2", "=", ""},
    /* Gaps that must be reproduced (11, 12.2). */
    {"N6", 10, 20, "mov P7.le[0>1] |2|", "P7.le[0].i = 99", "mov P7.le[1>1] |2|", "="},
    {"G2", 10, 20, "ins P7.lm[0] 5 |1|", "clr P7.lm[0] dict", "=", "="},
    {"G3", 10, 20, "P7.d.k = erased", "clr P7.d.k dict", "", "="},
    {"G1", 10, 20, "P7.m = 3", "P7.m = dict", "", "="},
    {"G4", 10, 20, "P7.d.k = object; P7.d.k.i = 7", "P7.d.k = object", "P7.d.k.i = 7", "="},
    {"G6", 10, 20, "drop column P.x", "ins P1.x[0] 5 |0|", "=", "="},
};

static const char *expected(const char *out, const char *in) {
    return strcmp(out, "=") == 0 ? in : out;
}

/* Pads a side with unrelated work, so that the merge is large enough for the index. */
static char *padded(const char *text, int first) {
    char *out = malloc(strlen(text) + 16 * 24 + 1);
    assert_non_null(out);
    strcpy(out, text);
    for (int i = 0; i < 16; i++)
        sprintf(out + strlen(out), "; create X%d", first + i);
    return out;
}

static void check(const example *e, bool swapped, const sl_merge_options *options, bool pad) {
    sl_buf left_out, right_out;
    sl_status st = SL_STATUS_INIT;
    char *left_text = pad ? padded(e->left, 100) : strdup(e->left);
    char *right_text = pad ? padded(e->right, 200) : strdup(e->right);
    case_changeset left = {e->left_time, 2, left_text}, right = {e->right_time, 3, right_text};
    sl_buf_init(&left_out, NULL);
    sl_buf_init(&right_out, NULL);
    bool ok = swapped ? case_merge(right, left, options, &right_out, &left_out, &st)
                      : case_merge(left, right, options, &left_out, &right_out, &st);
    if (!ok) fail_msg("%s: %s · %s: %s %s", e->rule, e->left, e->right, st.id, st.message);
    if (pad) {
        char *cut = strstr(left_out.data, "create X");
        if (cut) cut[cut > left_out.data ? -2 : 0] = 0;
        cut = strstr(right_out.data, "create X");
        if (cut) cut[cut > right_out.data ? -2 : 0] = 0;
    }
    assert_string_equal(left_out.data, expected(e->left_out, e->left));
    assert_string_equal(right_out.data, expected(e->right_out, e->right));
    sl_buf_free(&left_out);
    sl_buf_free(&right_out);
    free(left_text);
    free(right_text);
}

static void every_rule_does_what_its_examples_say(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        check(&examples[i], false, NULL, false);
        check(&examples[i], true, NULL, false);
        check(&examples[i], false, &(sl_merge_options){.no_index = true}, false);
        check(&examples[i], false, NULL, true);
        check(&examples[i], true, NULL, true);
    }
    print_message("%zu examples\n", sizeof examples / sizeof *examples);
}

typedef struct mistake {
    const char *id, *left, *right;
} mistake;

static const mistake mistakes[] = {
    {"S1", "table P(_id:int)", "table P(id:int)"},
    {"S2", "table P(_id:int)", "table P(_id:string)"},
    {"S3", "table P(_id:int)", "table P(_id:int?)"},
    {"S4", "table P(_id:int)", "asymmetric P(_id:int)"},
    {"S5", "table P(_id:int)", "embedded P"},
    {"S6", "column P.x:int", "column P.x:string"},
    {"S7", "column P.x:int", "column P.x:int?"},
    {"S8", "column P.x:int", "column P.x:int[]"},
    {"S9", "column P.x:->Q?", "column P.x:->R?"},
    {"V1", "ins P7.f[0] 1 |3|", "ins P7.f[0] 1 |2|"},
    {"V1", "P7.f[0] = 1 |3|", "P7.f[0] = 1 |2|"},
    {"V1", "P7.f[0] = 1 |3|", "ins P7.f[0] 1 |2|"},
    {"V1", "P7.f[0] = 1 |3|", "del P7.f[0] |2|"},
    {"V1", "mov P7.f[0>1] |3|", "del P7.f[0] |2|"},
    {"V1", "mov P7.f[0>1] |3|", "mov P7.f[0>1] |2|"},
    {"V1", "del P7.f[0] |3|", "del P7.f[0] |2|"},
    {"V1", "ins P7.f[0] 1 |3|", "del P7.f[0] |2|"},
    {"V2", "ins P7.f[4] 1 |3|", "P7.f[0] = 1 |3|"},
    {"V2", "ins P7.f[4] 1 |3|", "del P7.f[0] |3|"},
    {"V3", "ins P7.f[0] 1 |3|", "P7.f[3] = 1 |3|"},
    {"V3", "mov P7.f[0>1] |3|", "P7.f[3] = 1 |3|"},
    {"V3", "del P7.f[0] |3|", "P7.f[3] = 1 |3|"},
    {"V4", "del P7.f[3] |3|", "P7.f[0] = 1 |3|"},
    {"V4", "del P7.f[3] |3|", "ins P7.f[0] 1 |3|"},
    {"V4", "del P7.f[3] |3|", "mov P7.f[0>1] |3|"},
    {"V4", "del P7.f[3] |3|", "del P7.f[0] |3|"},
    {"V5", "mov P7.f[3>0] |3|", "P7.f[0] = 1 |3|"},
    {"V5", "mov P7.f[3>0] |3|", "mov P7.f[0>1] |3|"},
    {"V5", "mov P7.f[3>0] |3|", "del P7.f[0] |3|"},
    {"V6", "mov P7.f[0>3] |3|", "mov P7.f[1>0] |3|"},
    {"V7", "ins P7.f[0] 1 |0|", "P7.f.k.x = 1"},
    {"V7", "mov P7.f[0>1] |2|", "P7.f.k.x = 1"},
    {"V7", "del P7.f[0] |2|", "P7.f.k.x = 1"},
    {"V8", "ins P7.f[0] 1 |0|", "P7.f.k = 1"},
    {"V8", "mov P7.f[0>1] |2|", "P7.f.k = 1"},
    {"V8", "del P7.f[0] |2|", "P7.f.k = 1"},
    {"V9", "clr P7.f list", "P7.f = set"},
};

static void check_mistake(const mistake *m, bool swapped, bool pad, bool no_index) {
    sl_buf a, b;
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.no_index = no_index};
    char *left_text = pad ? padded(m->left, 100) : strdup(m->left);
    char *right_text = pad ? padded(m->right, 200) : strdup(m->right);
    case_changeset left = {10, 2, left_text}, right = {20, 3, right_text};
    sl_buf_init(&a, NULL);
    sl_buf_init(&b, NULL);
    bool ok = swapped ? case_merge(right, left, &options, &a, &b, &st)
                      : case_merge(left, right, &options, &a, &b, &st);
    assert_false(ok);
    assert_string_equal(st.id, m->id);
    assert_int_equal(st.cls, SL_ERR_CHANGESET);
    assert_true(strlen(st.message) > 20);
    sl_buf_free(&a);
    sl_buf_free(&b);
    free(left_text);
    free(right_text);
}

static void contradicting_instructions_are_refused_with_the_id_of_the_check(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        for (int variant = 0; variant < 8; variant++)
            check_mistake(&mistakes[i], variant & 1, variant & 2, variant & 4);
}

static void equal_timestamp_and_file_on_both_sides_is_refused(void **state) {
    (void)state;
    sl_buf a, b;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&a, NULL);
    sl_buf_init(&b, NULL);
    case_changeset left = {10, 2, "P7.i = 1"}, right = {10, 2, "P7.i = 2"};
    assert_false(case_merge(left, right, NULL, &a, &b, &st));
    assert_string_equal(st.id, "EQUAL");
    /* With the tie notes of the rules: the incoming update goes. */
    sl_merge_options options = {.allow_equal = true};
    assert_true(case_merge(left, right, &options, &a, &b, &st));
    assert_string_equal(a.data, "P7.i = 1");
    assert_string_equal(b.data, "");
    sl_buf_free(&a);
    sl_buf_free(&b);
}

static void check_policy(sl_set_erase_policy policy, const char *left, const char *right,
                         const char *left_out) {
    sl_buf a, b;
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.set_erase = policy};
    sl_buf_init(&a, NULL);
    sl_buf_init(&b, NULL);
    assert_true(case_merge((case_changeset){10, 2, left}, (case_changeset){20, 3, right}, &options,
                           &a, &b, &st));
    assert_string_equal(a.data, left_out);
    assert_string_equal(b.data, right);
    sl_buf_free(&a);
    sl_buf_free(&b);
}

/* Different strings of equal length at equal places; equal strings at different places. */
static void set_erasures_of_strings_follow_the_chosen_policy(void **state) {
    (void)state;
    const char *ab = "rem P7.s \"ab\"", *cd = "rem P7.s \"cd\"";
    const char *later = "P7.t = \"zz\"; rem P7.s \"ab\"";
    check_policy(SL_SET_ERASE_LITERAL, ab, cd, "");
    check_policy(SL_SET_ERASE_BOTH, ab, cd, ab);
    check_policy(SL_SET_ERASE_CONTENT, ab, cd, ab);
    check_policy(SL_SET_ERASE_LITERAL, later, ab, later);
    check_policy(SL_SET_ERASE_BOTH, later, ab, later);
    check_policy(SL_SET_ERASE_CONTENT, later, ab, "P7.t = \"zz\"");
    check_policy(SL_SET_ERASE_LITERAL, ab, ab, "");
    check_policy(SL_SET_ERASE_BOTH, ab, ab, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_does_what_its_examples_say),
        cmocka_unit_test(contradicting_instructions_are_refused_with_the_id_of_the_check),
        cmocka_unit_test(equal_timestamp_and_file_on_both_sides_is_refused),
        cmocka_unit_test(set_erasures_of_strings_follow_the_chosen_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
