/* The named scenarios of protocol/3-transform.md, 12.2: what two devices end up with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario.h"

static const char schema[] =
    "table A(_id:int); embedded E; table B(_id:int); column E.i:int; column E.j:int;"
    "column A.i:int; column A.q:int?; column A.m:mixed; column A.li:int[]; column A.lm:mixed[];"
    "column A.s:int(); column A.d:mixed{}; column A.e:->E?; column A.le:->E[]; column A.ll:->B[];"
    "column B.x:int";

#define L(text)                                                                                    \
    {                                                                                              \
        { 10, 2, text }                                                                            \
    }
#define R(text)                                                                                    \
    {                                                                                              \
        { 20, 3, text }                                                                            \
    }
#define ABC "create A1; ins A1.li[0] 10 |0|; ins A1.li[1] 11 |1|; ins A1.li[2] 12 |2|"
#define DE                                                                                         \
    "create A1; ins A1.le[0] object |0|; A1.le[0].i = 10; ins A1.le[1] object |1|; A1.le[1].i = "  \
    "11"
#define E(n) "create A1; A1.e = object; A1.e.i = " #n

static const scenario scenarios[] = {
    {"set_vs_set_later_wins", NULL, "create A1", L("A1.i = 1"), R("A1.i = 2"), "A1: i=2"},
    {"set_vs_set_same_time_larger_ident_wins",
     NULL,
     "create A1",
     {{10, 3, "A1.i = 1"}},
     {{10, 2, "A1.i = 2"}},
     "A1: i=1"},
    {"default_loses_to_explicit", NULL, "create A1", L("A1.i = 1"), R("A1.i = 2 default"),
     "A1: i=1"},
    {"default_vs_default_later_wins", NULL, "create A1", L("A1.i = 1 default"),
     R("A1.i = 2 default"), "A1: i=2"},
    {"increments_add_up", NULL, "create A1", L("A1.i += 5"), R("A1.i += 4"), "A1: i=9"},
    {"increment_after_set", NULL, "create A1", L("A1.i = 100"), R("A1.i += 3"), "A1: i=103"},
    {"increment_before_set", NULL, "create A1", L("A1.i += 3"), R("A1.i = 100"), "A1: i=100"},
    {"increment_before_later_default", NULL, "create A1", L("A1.i += 3"), R("A1.i = 100 default"),
     "A1: i=103"},
    {"increment_after_null", NULL, "create A1; A1.q = 0", L("A1.q = null"), R("A1.q += 3"),
     "A1: q=null"},
    {"increment_after_string_in_mixed", NULL, "create A1; A1.m = 0", L("A1.m = \"x\""),
     R("A1.m += 3"), "A1: m=\"x\""},
    {"increment_wraps", NULL, "create A1", L("A1.i = 9223372036854775807"), R("A1.i += 1"),
     "A1: i=-9223372036854775808"},
    {"create_vs_create_merges_fields", NULL, "create B1", L("create A1; A1.i = 1"),
     R("create A1; A1.q = 2"), "A1: i=1 q=2"},
    {"erase_beats_later_create_and_set", NULL, "create A1", L("erase A1"), R("create A1; A1.i = 5"),
     "A1: none"},
    {"create_set_erase_vs_create", NULL, "create B1", L("create A1; A1.i = 5; erase A1"),
     R("create A1"), "A1: none"},
    {"erase_create_cycles_youngest_survives", NULL, "create A1; A1.i = 9",
     L("erase A1; create A1; A1.i = 1; erase A1; create A1; A1.i = 11"),
     R("erase A1; create A1; A1.i = 2"), "A1: i=2"},
    {"list_insert_same_place_older_first", NULL, "create A1",
     L("ins A1.li[0] 1 |0|; ins A1.li[1] 2 |1|"), R("ins A1.li[0] 3 |0|; ins A1.li[1] 4 |1|"),
     "A1: li=[1,2,3,4]"},
    {"list_append_three_changesets",
     NULL,
     "create A1",
     {{10, 2, "ins A1.li[0] 1 |0|"}, {30, 2, "ins A1.li[1] 2 |1|"}},
     R("ins A1.li[0] 3 |0|"),
     "A1: li=[1,3,2]"},
    {"list_erase_same", NULL, ABC, L("del A1.li[1] |3|"), R("del A1.li[1] |3|"), "A1: li=[10,12]"},
    {"list_erase_vs_update_same", NULL, ABC, L("del A1.li[1] |3|"), R("A1.li[1] = 99 |3|"),
     "A1: li=[10,12]"},
    {"list_insert_vs_erase_before", NULL, ABC, L("ins A1.li[2] 99 |3|"), R("del A1.li[0] |3|"),
     "A1: li=[11,99,12]"},
    {"list_insert_at_erased_index", NULL, ABC, L("ins A1.li[1] 99 |3|"), R("del A1.li[1] |3|"),
     "A1: li=[10,99,12]"},
    {"list_move_same_element_later_wins", NULL, ABC, L("mov A1.li[0>1] |3|"),
     R("mov A1.li[0>2] |3|"), "A1: li=[11,12,10]"},
    {"list_move_ends_swapped", NULL, ABC, L("mov A1.li[0>2] |3|"), R("mov A1.li[2>0] |3|"),
     "A1: li=[12,11,10]"},
    {"list_move_same_target", NULL, ABC, L("mov A1.li[0>1] |3|"), R("mov A1.li[2>1] |3|"),
     "A1: li=[12,11,10]"},
    {"list_move_vs_erase_moved", NULL, ABC, L("mov A1.li[0>2] |3|"), R("del A1.li[0] |3|"),
     "A1: li=[11,12]"},
    {"list_move_vs_update_moved", NULL, ABC, L("mov A1.li[0>2] |3|"), R("A1.li[0] = 99 |3|"),
     "A1: li=[11,12,99]"},
    {"list_move_vs_insert", NULL, ABC, L("mov A1.li[0>2] |3|"), R("ins A1.li[2] 99 |3|"),
     "A1: li=[11,99,12,10]"},
    {"clear_beats_later_insert", NULL, ABC, L("clr A1.li list"), R("ins A1.li[3] 99 |3|"),
     "A1: li=[]"},
    {"clear_vs_clear_younger_side_survives", NULL, ABC,
     L("clr A1.li list; ins A1.li[0] 3 |0|; ins A1.li[1] 4 |1|"),
     R("clr A1.li list; ins A1.li[0] 5 |0|; ins A1.li[1] 6 |1|"), "A1: li=[5,6]"},
    {"set_insert_vs_erase", NULL, "create A1; add A1.s 1", L("rem A1.s 1"), R("add A1.s 1"),
     "A1: s={1}"},
    {"set_clear_vs_insert", NULL, "create A1; add A1.s 1", L("clr A1.s set; add A1.s 1"),
     R("add A1.s 2"), "A1: s={1}"},
    {"set_clear_readd_vs_erase", NULL, "create A1; add A1.s 1; add A1.s 2",
     L("clr A1.s set; add A1.s 2"), R("rem A1.s 2"), "A1: s={2}"},
    {"dict_update_vs_later_removal", NULL, "create A1; A1.d.k = 1", L("A1.d.k = 2"),
     R("A1.d.k = erased"), "A1: d={}"},
    {"dict_clear_vs_later_update", NULL, "create A1; A1.d.k = 1", L("clr A1.d dict"),
     R("A1.d.k = 2"), "A1: d={}"},
    {"dict_different_keys", NULL, "create A1", L("A1.d.a = 1"), R("A1.d.b = 2"), "A1: d={a:1,b:2}"},
    {"embedded_create_vs_create", NULL, "create A1", L("A1.e = object; A1.e.i = 1"),
     R("A1.e = object; A1.e.j = 2"), "A1: e={i:1,j:2}"},
    {"embedded_null_beats_create", NULL, "create A1", L("A1.e = object; A1.e.i = 5"),
     R("A1.e = null"), "A1: e=null"},
    {"embedded_older_null_beats_inner_update", NULL, E(5), L("A1.e = null"), R("A1.e.i = 10"),
     "A1: e=null"},
    {"embedded_recreate_cycle_vs_later_create", NULL, "create A1",
     L("A1.e = object; A1.e.i = 1; A1.e = null; A1.e = object; A1.e.i = 2"),
     R("A1.e = object; A1.e.i = 3"), "A1: e={i:2,j:0}"},
    {"embedded_list_insert_shifts_inner", NULL, DE, L("ins A1.le[0] object |2|; A1.le[0].i = 1"),
     R("A1.le[0].i = 99"), "A1: le=[{i:1,j:0},{i:99,j:0},{i:11,j:0}]"},
    {"embedded_list_erase_discards_inner", NULL, DE, L("del A1.le[0] |2|"), R("A1.le[0].i = 99"),
     "A1: le=[{i:11,j:0}]"},
    {"embedded_list_erase_shifts_sibling", NULL, DE, L("del A1.le[0] |2|"), R("A1.le[1].i = 99"),
     "A1: le=[{i:99,j:0}]"},
    {"mixed_list_vs_list", NULL, "create A1",
     L("A1.m = list; ins A1.m[0] \"a\" |0|; ins A1.m[1] \"b\" |1|"),
     R("A1.m = list; ins A1.m[0] \"c\" |0|; ins A1.m[1] \"d\" |1|"),
     "A1: m=[\"a\",\"b\",\"c\",\"d\"]"},
    {"mixed_list_vs_dict_later_wins", NULL, "create A1", L("A1.m = list; ins A1.m[0] \"a\" |0|"),
     R("A1.m = dict; A1.m.k = 1"), "A1: m={k:1}"},
    {"mixed_list_insert_vs_older_overwrite",
     NULL,
     "create A1; A1.m = list",
     {{20, 2, "ins A1.m[0] 42 |0|"}},
     {{10, 3, "A1.m = dict"}},
     "A1: m={}"},
    {"mixed_clear_vs_later_scalar", NULL, "create A1; A1.m = list; ins A1.m[0] 1 |0|",
     L("clr A1.m list"), R("A1.m = 42"), "A1: m=42"},
    {"mixed_clear_vs_older_scalar",
     NULL,
     "create A1; A1.m = list; ins A1.m[0] 1 |0|",
     {{20, 2, "clr A1.m list; ins A1.m[0] 7 |0|"}},
     {{10, 3, "A1.m = 42"}},
     "A1: m=[7]"},
    {"mixed_clear_vs_same_type", NULL, "create A1; A1.m = dict; A1.m.k1 = 1",
     L("A1.m = list; ins A1.m[0] 1 |0|; clr A1.m list; ins A1.m[0] 2 |0|"),
     R("A1.m = list; ins A1.m[0] 4 |0|"), "A1: m=[2]"},
    {"mixed_clear_vs_increment", NULL, "create A1; A1.m = 42",
     L("A1.m = dict; A1.m.a = 1; clr A1.m dict; A1.m.b = 2"), R("A1.m += 1"), "A1: m={b:2}"},
    {"add_table_twice", NULL, "create A1",
     L("table C(_id:int); column C.x:int; create C1; C1.x = 1"),
     R("table C(_id:int); column C.x:int; create C2"), "C1: x=1; C2: x=0"},
    {"erase_table_vs_create", NULL, "table C(_id:int); column C.x:int", L("drop table C"),
     R("create C1; C1.x = 1"), "C1: none"},
    {"erase_table_vs_new_link_column", NULL, "table C(_id:int); column C.x:int", L("drop table C"),
     R("column B.c:->C?; create B5; create C7; B5.c = C7"), "B5: x=0; C7: none"},
    {"erase_column_vs_update", NULL, "table C(_id:int); column C.x:int; column C.y:int; create C1",
     L("drop column C.x"), R("C1.x = 5; C1.y = 6"), "C1: x=null y=6"},
    {"link_insert_vs_target_erased", NULL, "create B1; create A1; ins A1.ll[0] B1 |0|",
     L("erase B1"), R("ins A1.ll[1] B1 |1|"), "A1: ll=[B1?,B1?]; B1: none"},
};

static void devices_end_up_with_what_the_scenario_says(void **state) {
    (void)state;
    sl_buf seen[2];
    size_t count = sizeof scenarios / sizeof *scenarios;
    sl_buf_init(&seen[0], NULL);
    sl_buf_init(&seen[1], NULL);
    for (size_t i = 0; i < count; i++)
        for (int swapped = 0; swapped < 2; swapped++) {
            scenario s = scenarios[i];
            sl_status st = SL_STATUS_INIT;
            s.schema = schema;
            if (!scenario_run(&s, swapped, seen, &st))
                fail_msg("%s: %s %s", s.name, st.id, st.message);
            for (int device = 0; device < 2; device++)
                if (strcmp(seen[device].data, s.expect) != 0)
                    fail_msg("%s: device %d has %s, expected %s", s.name, device, seen[device].data,
                             s.expect);
        }
    sl_buf_free(&seen[0]);
    sl_buf_free(&seen[1]);
    print_message("%zu scenarios\n", count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_end_up_with_what_the_scenario_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
