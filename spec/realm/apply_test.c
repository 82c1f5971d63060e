/* What the applier refuses and what it must tolerate (protocol/2-changeset.md, 11 and 17.2). */
#include "fixture.h"

static const char *const base =
    "table Q(_id:int); embedded E; embedded F; table P(_id:int); asymmetric L(_id:int); table N();"
    "column E.x:int; column E.eq:->Q;"
    "column P.i:int; column P.in:int?; column P.s:string; column P.e:->E; column P.q:->Q;"
    "column P.m:mixed; column P.li:int[]; column P.lq:->Q[]; column P.le:->E[]; column P.de:->E{};"
    "column P.di:int{}; column P.dq:->Q{}; column P.sq:->Q(); column P.sm:mixed();"
    "column P.lm:mixed[]; column P.dm:mixed{}; column P.si:int(); column P.sn:int?(); create P1";

static void open_base(fixture *f, const sl_alloc *alloc) {
    sl_realm_options options = {.alloc = alloc};
    open_fixture(f, &options);
    APPLY(f, base);
}

/* Applies `before`, then `text`, which has to fail with `id` and to leave everything as it was. */
static void refuse(const char *before, const char *text, const char *id) {
    fixture f;
    open_base(&f, NULL);
    if (before) APPLY(&f, before);
    char *expected = state_of(f.realm);
    uint64_t version = sl_realm_schema_version(f.realm);
    bool ok = try_apply(&f, text);
    if (ok || strcmp(f.st.id, id) != 0) {
        print_error("%s: %s instead of %s\n", text, ok ? "accepted" : f.st.id, id);
        fail();
    }
    assert_int_equal(f.st.cls, SL_ERR_CHANGESET);
    char *got = state_of(f.realm);
    assert_string_equal(got, expected);
    assert_true(sl_realm_schema_version(f.realm) >= version);
    free(got);
    free(expected);
    close_fixture(&f);
}

static void values_that_do_not_fit(void **state) {
    (void)state;
    refuse(NULL, "P77.i = 1", "A-NOOBJECT");
    refuse(NULL, "P1.zzz = 1", "A-NOFIELD");
    refuse(NULL, "P1.i = null", "A-NULL");
    refuse(NULL, "P1.i = true", "A-TYPE");
    refuse(NULL, "P1._id = 9", "A-PATH");
    refuse(NULL, "P1.li = 5", "A-PATH");
    refuse(NULL, "P1.i = object", "A-TYPE");
    refuse(NULL, "P1.i = erased", "A-TYPE");
    refuse(NULL, "P1.i = list", "A-TYPE");
    refuse(NULL, "P1.m = set", "A-TYPE");
    refuse(NULL, "P1.m = object", "A-TYPE");
    refuse(NULL, "P1.s += 1", "A-TYPE");
    refuse("P1.m = \"x\"", "P1.m += 1", "A-TYPE");
    refuse("P1.m = list", "P1.m += 1", "A-TYPE");
    refuse(NULL, "P1.li += 1", "A-PATH");
    refuse(NULL, "P1.q = ZZ1", "A-TARGET");
    refuse(NULL, "P1.q = P1", "A-TARGET");
    refuse(NULL, "P1.q = N1", "A-KEY");
    refuse(NULL, "P1.m = E1", "A-TARGET");
    refuse(NULL, "P1.i = Q1", "A-TYPE");
    refuse(NULL, "P1.e = Q1", "A-TARGET");
}

static void same_state(const char *one, const char *other) {
    fixture a, b;
    open_base(&a, NULL);
    open_base(&b, NULL);
    APPLY(&a, one);
    APPLY(&b, other);
    char *got = state_of(a.realm), *expected = state_of(b.realm);
    assert_string_equal(got, expected);
    free(got);
    free(expected);
    close_fixture(&a);
    close_fixture(&b);
}

/* As in SDKs: what reads the same as the new value is not overwritten in a list of Mixed. */
static void null_does_not_overwrite_a_dangling_link_in_a_list(void **state) {
    (void)state;
    same_state("ins P1.lm[0] Q9 |0|; P1.lm[0] = null |1|; create Q9",
               "create Q9; ins P1.lm[0] Q9 |0|");
    same_state("P1.m = list; ins P1.m[0] Q9 |0|; P1.m[0] = null |1|; create Q9",
               "create Q9; P1.m = list; ins P1.m[0] Q9 |0|");
    same_state("create Q9; ins P1.lm[0] Q9 |0|; P1.lm[0] = null |1|",
               "create Q9; ins P1.lm[0] null |0|");
    same_state("P1.dm.k = Q9; P1.dm.k = null; P1.m = Q9; P1.m = null; create Q9",
               "create Q9; P1.dm.k = null");
}

static void paths_that_lead_nowhere(void **state) {
    (void)state;
    refuse(NULL, "P1.e.x = 1", "A-PATH");
    refuse("P1.e = object", "P1.e[0] = 1 |1|", "A-PATH");
    refuse("P1.e = object", "P1.e.zzz = 1", "A-NOFIELD");
    refuse("P1.m = dict; P1.m.k = 1", "P1.m.k.z = 1", "A-PATH");
    refuse("P1.m = dict", "P1.m[0] = 1 |1|", "A-PATH");
    refuse("P1.m = dict", "P1.m.q.z = 1", "A-PATH");
    refuse("P1.m = list", "P1.m.k = 1", "A-PATH");
    refuse("P1.de.h = null", "P1.de.h.x = 1", "A-PATH");
    refuse("ins P1.le[0] object |0|", "P1.le[3].x = 1", "A-BOUNDS");
    refuse(NULL, "P1.q.x = 1", "A-PATH");
    refuse(NULL, "P1.i.x = 1", "A-PATH");
    refuse(NULL, "P1.si.x = 1", "A-PATH");
    refuse("ins P1.li[0] 1 |0|", "P1.li[0].x = 1", "A-PATH");
    refuse(NULL, "E1.x = 1", "A-KEY");
}

static void lists_out_of_step(void **state) {
    (void)state;
    const char *one = "ins P1.li[0] 7 |0|";
    refuse(NULL, "ins P1.li[1] 1 |0|", "A-BOUNDS");
    refuse(NULL, "ins P1.li[0] 1 |1|", "A-PRIOR");
    refuse(NULL, "ins P1.li[1] 1 |1|", "A-BOUNDS");
    refuse(NULL, "ins P1.li[0] null |0|", "A-NULL");
    refuse(NULL, "ins P1.li[0] true |0|", "A-TYPE");
    refuse(NULL, "ins P1.li[0] object |0|", "A-TYPE");
    refuse(NULL, "ins P1.lq[0] object |0|", "A-TYPE");
    refuse(NULL, "ins P1.li[0] list |0|", "A-TYPE");
    refuse(NULL, "ins P1.lm[0] set |0|", "A-TYPE");
    refuse(NULL, "ins P1.lm[0] erased |0|", "A-TYPE");
    refuse(NULL, "ins P1.si[0] 1 |0|", "A-PATH");
    refuse(one, "P1.li[0] = 1 |99|", "A-PRIOR");
    refuse(one, "P1.li[5] = 1 |1|", "A-BOUNDS");
    refuse(one, "del P1.li[1] |2|", "A-BOUNDS");
    refuse(one, "del P1.li[0] |2|", "A-PRIOR");
    refuse(one, "mov P1.li[0>0] |1|", "A-MOVE");
    refuse(one, "mov P1.li[0>1] |1|", "A-BOUNDS");
    refuse(one, "mov P1.li[1>0] |1|", "A-BOUNDS");
    refuse("ins P1.le[0] object |0|", "P1.le[0] = null |1|", "A-NULL");
}

static void collections_of_another_kind(void **state) {
    (void)state;
    refuse(NULL, "clr P1.li dict", "A-TYPE");
    refuse(NULL, "clr P1.i list", "A-PATH");
    refuse(NULL, "clr P1.m set", "A-TYPE");
    refuse(NULL, "clr P1.m single", "A-TYPE");
    refuse(NULL, "clr P1.dm.k list", "A-PATH");
    refuse(NULL, "clr P1.lm[0] list", "A-BOUNDS");
    refuse("ins P1.li[0] 7 |0|", "clr P1.li[0] list", "A-PATH");
    refuse(NULL, "P1.di.a = true", "A-TYPE");
    refuse(NULL, "P1.di.a = null", "A-NULL");
    refuse(NULL, "P1.di.a = object", "A-TYPE");
    refuse(NULL, "add P1.si null", "A-NULL");
    refuse(NULL, "add P1.si true", "A-TYPE");
    refuse(NULL, "add P1.li 1", "A-PATH");
    refuse(NULL, "add P1.sm list", "A-TYPE");
    refuse(NULL, "add P1.sq P1", "A-TARGET");
    refuse(NULL, "add P1.m 1", "A-PATH");
}

static void schemas_that_contradict(void **state) {
    (void)state;
    refuse(NULL, "create ZZ1", "A-NOCLASS");
    refuse(NULL, "create E1", "A-KEY");
    refuse(NULL, "create N1", "A-KEY");
    refuse(NULL, "table P(key:int)", "A-SCHEMA");
    refuse(NULL, "table P(_id:int?)", "A-SCHEMA");
    refuse(NULL, "table P(_id:string)", "A-SCHEMA");
    refuse(NULL, "asymmetric P(_id:int)", "A-SCHEMA");
    refuse(NULL, "embedded P", "A-SCHEMA");
    refuse(NULL, "table E(_id:int)", "A-SCHEMA");
    refuse(NULL, "table P()", "A-SCHEMA");
    refuse(NULL, "column P.i:string", "A-SCHEMA");
    refuse(NULL, "column P.i:int[]", "A-SCHEMA");
    refuse(NULL, "column P.q:->P", "A-SCHEMA");
    refuse(NULL, "column P.new:->ZZ", "A-TARGET");
    refuse(NULL, "column P.new:->L", "A-SCHEMA");
    refuse(NULL, "column P.new:->E()", "A-SCHEMA");
    refuse(NULL, "drop column P.nope", "A-NOFIELD");
    refuse(NULL, "drop column P._id", "A-SCHEMA");
    refuse(NULL, "drop table ZZ", "A-NOCLASS");
    refuse(NULL, "drop table Q", "A-SCHEMA");
    refuse(NULL,
           "table Abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdef"
           "(_id:int)",
           "A-NAME");
    refuse(NULL, "column P.abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl:int",
           "A-NAME");
}

static void what_came_before_the_bad_instruction_is_undone(void **state) {
    (void)state;
    const char *before = "ins P1.li[0] 1 |0|; ins P1.li[1] 2 |1|; P1.dm.k = list; P1.e = object;"
                         "ins P1.dm.k[0] \"x\" |0|; add P1.si 5; create Q1; P1.q = Q1";
    refuse(before,
           "P1.i = 5; del P1.li[0] |2|; ins P1.li[1] 9 |1|; mov P1.li[0>1] |2|; P1.dm.k = 3;"
           "P1.dm.z = erased; P1.dm.k = erased; P1.e.x = 4; P1.e = null; rem P1.si 5; add P1.si 6;"
           "create Q2; erase Q1; create Q1; column P.late:string; P1.late = \"a\"; column E.y:int;"
           "P1.e = object; P1.e.y = 2; table Z(_id:int); column Z.a:int; create Z1; Z1.a = 1;"
           "drop column P.s; clr P1.li list; P1.nope = 1",
           "A-NOFIELD");
    refuse(before, "drop table L; drop table F; table F(_id:int); create F1; P1.nope = 1",
           "A-NOFIELD");
}

static void the_status_names_the_instruction(void **state) {
    (void)state;
    fixture f;
    open_base(&f, NULL);
    assert_false(try_apply(&f, "P1.i = 1; P1.i = 2; P1.i = null"));
    assert_int_equal(f.st.offset, 2);
    close_fixture(&f);
}

/* 11.11, row by row. */
static void the_worked_sequence(void **state) {
    (void)state;
    fixture f;
    open_base(&f, NULL);
    assert_false(try_apply(&f, "P1.e.x = 5"));
    APPLY(&f, "P1.e = object");
    HAS(&f, "\"e\":{\"object\":{\"eq\":null,\"x\":{\"int\":\"0\"}}}");
    APPLY(&f, "P1.e.x = 5; P1.e = object");
    HAS(&f, "\"e\":{\"object\":{\"eq\":null,\"x\":{\"int\":\"5\"}}}");
    APPLY(&f, "P1.e = null; P1.de.h = object; P1.de.h.x = 3");
    HAS(&f, "\"e\":null");
    HAS(&f, "\"de\":{\"dictionary\":[[\"h\",{\"object\":{\"eq\":null,\"x\":{\"int\":\"3\"}}}]]}");
    APPLY(&f, "P1.de.h = object");
    HAS(&f, "\"de\":{\"dictionary\":[[\"h\",{\"object\":{\"eq\":null,\"x\":{\"int\":\"0\"}}}]]}");
    APPLY(&f, "P1.de.h = null");
    HAS(&f, "\"de\":{\"dictionary\":[[\"h\",null]]}");
    APPLY(&f, "P1.q = Q1; ins P1.lq[0] Q1 |0|; ins P1.lq[1] Q2 |1|");
    HAS(&f, "\"q\":{\"link\":{\"table\":\"Q\",\"object\":{\"int\":\"1\"},\"dangling\":true}}");
    sl_view view;
    bool found;
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(1), "lq"), &view, &found, &f.st));
    assert_int_equal(view.size, 0);
    APPLY(&f, "create Q1");
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(1), "lq"), &view, &found, &f.st));
    assert_int_equal(view.size, 1);
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(1), "q"), &view, &found, &f.st));
    assert_int_equal(view.value.type, SL_TYPE_LINK);
    APPLY(&f, "erase Q1; erase Q1");
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(1), "q"), &view, &found, &f.st));
    assert_int_equal(view.value.type, SL_TYPE_NULL);
    APPLY(&f, "create Q1; del P1.lq[1] |2|");
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(1), "q"), &view, &found, &f.st));
    assert_int_equal(view.value.type, SL_TYPE_LINK);
    close_fixture(&f);
}

static void what_has_to_be_tolerated(void **state) {
    (void)state;
    fixture f;
    open_base(&f, NULL);
    APPLY(&f, "P1.i = 5; create P1; P1.in += 3; erase P9; table P(_id:int); embedded E; table N();"
              "column P.i:int?; P1.dm.none = erased; rem P1.si 4; add P1.si 4; add P1.si 4;"
              "add P1.sm 1; add P1.sm 1.0; rem P1.sn null; add P1.sn null; rem P1.sn null;"
              "P1.m = 7; P1.m += -10");
    HAS(&f, "\"i\":{\"int\":\"5\"},\"in\":null");
    HAS(&f, "\"m\":{\"int\":\"-3\"}");
    HAS(&f, "\"si\":{\"set\":[{\"int\":\"4\"}]},\"sm\":{\"set\":[{\"int\":\"1\"}]}");
    HAS(&f, "\"sn\":{\"set\":[]}");
    APPLY(&f, "P1.i = 9223372036854775807; P1.i += 1");
    HAS(&f, "\"i\":{\"int\":\"-9223372036854775808\"}");
    APPLY(&f, "P1.m = list; ins P1.m[0] 1 |0|; P1.m = list");
    HAS(&f, "\"m\":{\"list\":[{\"int\":\"1\"}]}");
    APPLY(&f, "clr P1.m dict; P1.m.k = dict; P1.m.k.z = 1; clr P1.m.k list");
    HAS(&f, "\"m\":{\"dictionary\":[[\"k\",{\"list\":[]}]]}");
    close_fixture(&f);
}

static void a_moved_collection_keeps_its_content(void **state) {
    (void)state;
    fixture f;
    open_base(&f, NULL);
    APPLY(&f,
          "ins P1.lm[0] list |0|; ins P1.lm[0][0] 7 |0|; ins P1.lm[1] 2 |1|; mov P1.lm[0>1] |2|");
    HAS(&f, "\"lm\":{\"list\":[{\"int\":\"2\"},{\"list\":[{\"int\":\"7\"}]}]}");
    close_fixture(&f);
}

static void nesting_ends_at_a_hundred(void **state) {
    (void)state;
    fixture f;
    open_base(&f, NULL);
    APPLY(&f, "P1.m = list");
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    uint32_t cls = sl_changeset_intern(&cs, SL_STR("P"));
    uint32_t field = sl_changeset_intern(&cs, SL_STR("m"));
    for (uint16_t depth = 1; depth <= 100; depth++) {
        sl_instruction *in = sl_changeset_append(&cs, SL_OP_ARRAY_INSERT);
        assert_non_null(in);
        in->class_name = cls;
        in->field = field;
        in->key = int_key(1);
        in->path_size = depth;
        in->path = sl_arena_zero(&cs.arena, depth, sizeof *in->path);
        for (uint16_t i = 0; i < depth; i++)
            in->path[i].is_index = true;
        in->value.type = SL_TYPE_LIST;
    }
    MUST(&f, sl_realm_begin(f.realm, &f.st));
    assert_false(sl_realm_apply(f.realm, &cs, &f.st));
    assert_string_equal(f.st.id, "A-DEPTH");
    assert_int_equal(f.st.offset, 99);
    sl_realm_discard(f.realm);
    sl_changeset_free(&cs);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_do_not_fit),
        cmocka_unit_test(null_does_not_overwrite_a_dangling_link_in_a_list),
        cmocka_unit_test(paths_that_lead_nowhere),
        cmocka_unit_test(lists_out_of_step),
        cmocka_unit_test(collections_of_another_kind),
        cmocka_unit_test(schemas_that_contradict),
        cmocka_unit_test(what_came_before_the_bad_instruction_is_undone),
        cmocka_unit_test(the_status_names_the_instruction),
        cmocka_unit_test(the_worked_sequence),
        cmocka_unit_test(what_has_to_be_tolerated),
        cmocka_unit_test(a_moved_collection_keeps_its_content),
        cmocka_unit_test(nesting_ends_at_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
