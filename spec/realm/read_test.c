/* What an application sees (protocol/2-changeset.md, 10.3), and what it may not write (12.10). */
#include "fixture.h"

static void open_links(fixture *f) {
    open_fixture(f, NULL);
    APPLY(f,
          "embedded E; table Q(_id:int); table P(_id:int); asymmetric L(_id:int); column L.m:mixed;"
          "column E.x:int; column P.q:->Q; column P.m:mixed; column P.lq:->Q[]; column P.sq:->Q();"
          "column P.dq:->Q{}; column P.lm:mixed[]; column P.e:->E; column P.li:int[];"
          "column P.di:int{}; column P.i:int; column P.n:int?; create P1; create Q1; create Q3;"
          "P1.q = Q2; P1.m = Q2; ins P1.lq[0] Q1 |0|; ins P1.lq[1] Q2 |1|; ins P1.lq[2] Q3 |2|;"
          "ins P1.lq[3] Q4 |3|; add P1.sq Q1; add P1.sq Q2; P1.dq.a = Q1; P1.dq.b = Q2;"
          "ins P1.lm[0] Q1 |0|; ins P1.lm[1] Q2 |1|; ins P1.li[0] 5 |0|");
}

#define P1(path) at("P", int_key(1), path)

static sl_view look(fixture *f, const char *path, bool there) {
    sl_view view = {0};
    bool found = false;
    MUST(f, sl_realm_get(f->realm, P1(path), &view, &found, &f->st));
    assert_int_equal(found, there);
    return view;
}

static void dangling_links_are_hidden_or_null(void **state) {
    (void)state;
    fixture f;
    open_links(&f);
    assert_int_equal(look(&f, "q", true).value.type, SL_TYPE_NULL);
    assert_int_equal(look(&f, "m", true).value.type, SL_TYPE_NULL);
    assert_int_equal(look(&f, "lq", true).size, 2);
    assert_int_equal(look(&f, "sq", true).size, 1);
    assert_int_equal(look(&f, "dq", true).size, 2);
    assert_int_equal(look(&f, "lm", true).size, 2);
    assert_int_equal(look(&f, "lq/1", true).value.link->key.integer, 3);
    look(&f, "lq/2", false);
    assert_int_equal(look(&f, "dq/b", true).value.type, SL_TYPE_NULL);
    assert_int_equal(look(&f, "lm/1", true).value.type, SL_TYPE_NULL);
    APPLY(&f, "create Q2");
    assert_int_equal(look(&f, "lq", true).size, 3);
    assert_int_equal(look(&f, "lq/1", true).value.link->key.integer, 2);
    assert_int_equal(look(&f, "q", true).value.type, SL_TYPE_LINK);
    close_fixture(&f);
}

typedef struct sum {
    int64_t keys;
    uint32_t count;
} sum;

static bool add_up(void *ctx, uint32_t index, sl_str key, const sl_view *view) {
    sum *s = ctx;
    assert_int_equal(index, s->count++);
    (void)key;
    if (view->value.type == SL_TYPE_LINK) s->keys += view->value.link->key.integer;
    return true;
}

static void collections_are_walked_as_they_are_seen(void **state) {
    (void)state;
    fixture f;
    sum s = {0, 0};
    sl_view view;
    sl_str key;
    bool found, contains;
    open_links(&f);
    MUST(&f, sl_realm_elements(f.realm, P1("lq"), add_up, &s, &f.st));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.keys, 4);
    s = (sum){0, 0};
    MUST(&f, sl_realm_elements(f.realm, P1("dq"), add_up, &s, &f.st));
    assert_int_equal(s.count, 2);
    assert_int_equal(s.keys, 1);
    MUST(&f, sl_realm_element(f.realm, P1("lq"), 1, NULL, &view, &found, &f.st));
    assert_int_equal(view.value.link->key.integer, 3);
    MUST(&f, sl_realm_element(f.realm, P1("lq"), 2, NULL, &view, &found, &f.st));
    assert_false(found);
    MUST(&f, sl_realm_element(f.realm, P1("dq"), 1, &key, &view, &found, &f.st));
    assert_true(sl_str_eq(key, SL_STR("b")));
    sl_link link;
    sl_value value = link_to(&link, "Q", int_key(1));
    MUST(&f, sl_realm_set_contains(f.realm, P1("sq"), &value, &contains, &f.st));
    assert_true(contains);
    assert_false(sl_realm_elements(f.realm, P1("i"), add_up, &s, &f.st));
    assert_int_equal(f.st.cls, SL_ERR_USAGE);
    close_fixture(&f);
}

static void places_that_do_not_exist(void **state) {
    (void)state;
    fixture f;
    sl_view view;
    bool found;
    open_links(&f);
    look(&f, "e/x", false);
    look(&f, "li/1", false);
    look(&f, "di/k", false);
    look(&f, "m/k/z", false);
    MUST(&f, sl_realm_get(f.realm, at("P", int_key(9), "i"), &view, &found, &f.st));
    assert_false(found);
    MUST(&f, sl_realm_get(f.realm, P1("_id"), &view, &found, &f.st));
    assert_int_equal(view.value.integer, 1);
    assert_false(sl_realm_get(f.realm, P1("nope"), &view, &found, &f.st));
    assert_string_equal(f.st.id, "A-NOFIELD");
    assert_false(sl_realm_get(f.realm, at("Nope", int_key(1), "i"), &view, &found, &f.st));
    assert_false(sl_realm_get(f.realm, at("P", text_key("1"), "i"), &view, &found, &f.st));
    assert_int_equal(f.st.cls, SL_ERR_USAGE);
    close_fixture(&f);
}

static void refuse(fixture *f, bool ok, const char *id) {
    assert_false(ok);
    assert_int_equal(f->st.cls, SL_ERR_USAGE);
    assert_string_equal(f->st.id, id);
    assert_int_equal(f->cs.count + f->cs.string_count, 0);
}

static void refused_writes_leave_nothing_in_the_changeset(void **state) {
    (void)state;
    fixture f;
    sl_link link;
    open_links(&f);
    char *before = state_of(f.realm);
    begin(&f);
    sl_place dotted = *P1("di");
    sl_step step = {.name = SL_STR("a.b")};
    dotted.steps = &step;
    dotted.step_count = 1;
    refuse(&f, write_value(&f, &dotted, integer(1)), "A-DICTKEY");
    step.name = SL_STR("$a");
    refuse(&f, write_value(&f, &dotted, integer(1)), "A-DICTKEY");
    refuse(&f, write_value(&f, P1("i"), text("x")), "A-TYPE");
    refuse(&f, write_value(&f, P1("i"), null_value()), "A-NULL");
    refuse(&f, write_value(&f, P1("_id"), integer(2)), "A-PATH");
    refuse(&f, write_value(&f, P1("li"), integer(2)), "A-PATH");
    refuse(&f, write_value(&f, P1("li/1"), integer(2)), "A-BOUNDS");
    refuse(&f, write_value(&f, P1("i"), made(SL_TYPE_LIST)), "A-TYPE");
    refuse(&f, write_value(&f, P1("m"), made(SL_TYPE_SET)), "A-TYPE");
    refuse(&f, write_value(&f, P1("q"), link_to(&link, "Q", int_key(77))), "A-NOOBJECT");
    refuse(&f, write_value(&f, P1("m"), link_to(&link, "L", int_key(1))), "A-TARGET");
    refuse(&f, write_value(&f, P1("e/x"), integer(1)), "A-PATH");
    refuse(&f, write_value(&f, at("P", int_key(5), "i"), integer(1)), "A-NOOBJECT");
    refuse(&f, write_insert(&f, P1("lq"), 3, link_to(&link, "Q", int_key(1))), "A-BOUNDS");
    refuse(&f, write_insert(&f, P1("i"), 0, integer(1)), "A-PATH");
    refuse(&f, write_add(&f, P1("li"), integer(1)), "A-PATH");
    refuse(&f, write_erase(&f, "P", int_key(9)), "A-NOOBJECT");
    refuse(&f, write_create(&f, "P", text_key("a")), "A-KEY");
    refuse(&f, write_create(&f, "E", null_key()), "A-KEY");
    refuse(&f, sl_record_add_integer(f.realm, P1("n"), 1, &f.st), "A-TYPE");
    refuse(&f, sl_record_list_move(f.realm, P1("li"), 0, 1, &f.st), "A-BOUNDS");
    refuse(&f, sl_record_clear(f.realm, P1("m"), &f.st), "A-PATH");
    CREATE(&f, "L", int_key(1));
    assert_false(write_value(&f, at("L", int_key(1), "m"), link_to(&link, "Q", int_key(1))));
    commit(&f);
    char *after = state_of(f.realm);
    assert_string_equal(after, before);
    free(before);
    free(after);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dangling_links_are_hidden_or_null),
        cmocka_unit_test(collections_are_walked_as_they_are_seen),
        cmocka_unit_test(places_that_do_not_exist),
        cmocka_unit_test(refused_writes_leave_nothing_in_the_changeset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
