/* The explanation of a merge: every decision has a record with a reason, and watching changes
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "merge_case.h"
#include "merge_soup.h"
#include "transform/explain.h"

/* Explains the merge of two texts; the explanation is to be freed. */
static sl_explanation explained(case_changeset left, case_changeset right) {
    merge_side l, r;
    sl_explanation e;
    sl_status st = SL_STATUS_INIT;
    case_side(&l, (case_changeset[]){left, {0, 0, NULL}});
    case_side(&r, (case_changeset[]){right, {0, 0, NULL}});
    sl_explanation_init(&e, NULL, l.items, r.items);
    sl_merge_options options = {.explain = sl_explanation_event, .explain_ctx = &e};
    assert_true(sl_transform(l.items, 1, r.items, 1, &options, &st));
    assert_false(e.failed);
    side_free(&l);
    side_free(&r);
    return e;
}

static void check_first(case_changeset left, case_changeset right, const char *rule, bool dropped,
                        bool by_age, const char *why) {
    sl_explanation e = explained(left, right);
    assert_true(e.count >= 1);
    assert_string_equal(e.records[0].rule, rule);
    assert_int_equal(e.records[0].dropped, dropped);
    assert_int_equal(e.records[0].by_age, by_age);
    assert_non_null(strstr(e.records[0].why, why));
    sl_explanation_free(&e);
}

#define OLD(text)   ((case_changeset){10, 2, text})
#define YOUNG(text) ((case_changeset){20, 3, text})

static void reasons_name_what_decided(void **state) {
    (void)state;
    check_first(OLD("P1.i = 1"), YOUNG("P1.i = 2"), "F11", true, true, "younger value");
    check_first(OLD("P1.i = 1"), YOUNG("P1.i = 2 default"), "F11", true, false, "default value");
    check_first(OLD("P1.e = null"), YOUNG("P1.e = object"), "F11", true, false, "embedded object");
    check_first(OLD("P1.i += 1"), YOUNG("P1.i = 2"), "F12", true, true, "younger assignment");
    check_first(YOUNG("P1.i += 1"), OLD("P1.i = 2"), "F12", false, false, "added to");
    check_first(YOUNG("P1.i += 1"), OLD("P1.i = true"), "F12", true, false, "not a number");
    check_first(OLD("erase P1"), YOUNG("P1.i = 2"), "N2", true, false, "object is erased");
    check_first(OLD("drop table Q"), YOUNG("column P.a:->Q?"), "F4", false, false, "lose it");
}

static void an_added_instruction_is_reported_too(void **state) {
    (void)state;
    sl_explanation e = explained(OLD("drop table Q"), YOUNG("column P.a:->Q?"));
    assert_int_equal(e.count, 2);
    assert_true(e.records[0].added);
    assert_int_equal(e.records[0].before.size, 0);
    assert_true(e.records[0].after.size > 0);
    assert_true(e.records[1].dropped);
    sl_explanation_free(&e);
}

static void the_text_tells_who_won(void **state) {
    (void)state;
    sl_explanation e = explained(OLD("P1.i = 1"), YOUNG("P1.i = 2"));
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_true(sl_explanation_text(&e, &out, NULL));
    sl_buf_byte(&out, 0);
    assert_non_null(strstr(out.data, "F11 left 1, dropped: Update       P[1].i = 1"));
    assert_non_null(strstr(out.data, "against  Update       P[1].i = 2 (right 1)"));
    assert_non_null(strstr(out.data, "younger  file 3, timestamp 20 = 2015-01-01T00:00:00.02Z"));
    sl_buf_free(&out);
    sl_explanation_free(&e);
}

/* Counts instructions: what is missing in the result is exactly what was reported as dropped, less
 * what was reported as added. */
static void every_loss_has_a_record(void **state) {
    (void)state;
    unsigned merged = 0;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        soup s = soup_of(seed, true);
        merge_side a, b;
        sl_explanation e;
        soup_side(&s, &a, 2, 1 + soup_below(&s, 12), 2, true);
        soup_side(&s, &b, 2, 1 + soup_below(&s, 12), 3, true);
        long before = 0, after = 0, lost = 0;
        for (int i = 0; i < 2; i++)
            before += (long)a.changesets[i].count + (long)b.changesets[i].count;
        sl_explanation_init(&e, NULL, a.items, b.items);
        sl_merge_options options = {.explain = sl_explanation_event, .explain_ctx = &e};
        if (sl_transform(a.items, a.count, b.items, b.count, &options, NULL)) {
            for (int i = 0; i < 2; i++)
                after += (long)a.changesets[i].count + (long)b.changesets[i].count;
            for (uint32_t i = 0; i < e.count; i++)
                lost += e.records[i].dropped - e.records[i].added;
            assert_int_equal(before - after, lost);
            merged++;
        }
        sl_explanation_free(&e);
        side_free(&a);
        side_free(&b);
    }
    assert_true(merged > 1000);
}

static void a_failing_allocation_is_noticed(void **state) {
    (void)state;
    for (uint64_t n = 1; n < 40; n++) {
        merge_side l, r;
        sl_explanation e;
        failing_alloc memory;
        failing_alloc_init(&memory);
        case_side(&l, (case_changeset[]){OLD("P1.i = 1; P2.i = 1"), {0, 0, NULL}});
        case_side(&r, (case_changeset[]){YOUNG("P1.i = 2; P2.i = 2"), {0, 0, NULL}});
        memory.fail_at = n;
        sl_explanation_init(&e, &memory.alloc, l.items, r.items);
        sl_merge_options options = {.explain = sl_explanation_event, .explain_ctx = &e};
        assert_true(sl_transform(l.items, 1, r.items, 1, &options, NULL));
        assert_int_equal(e.failed, memory.fail_at == 0);
        sl_explanation_free(&e);
        assert_int_equal(memory.live, 0);
        side_free(&l);
        side_free(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_name_what_decided),
        cmocka_unit_test(an_added_instruction_is_reported_too),
        cmocka_unit_test(the_text_tells_who_won),
        cmocka_unit_test(every_loss_has_a_record),
        cmocka_unit_test(a_failing_allocation_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
