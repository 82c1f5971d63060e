/* When a server file wants its work done: at once, with company, or some time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

static int64_t rest(one *o) {
    return sl_server_file_rest(o->rig.files[0].file);
}

static int calls(one *o) {
    return o->rig.files[0].work_calls;
}

static void pass(one *o, int64_t ms) {
    o->rig.env.mono += ms;
}

static void change(one *o, uint64_t cv, const char *text) {
    sl_buf body;
    sl_buf_init(&body, NULL);
    raw_entry(&body, cv, 0, 1000 + cv, text);
    raw_upload(&o->a, cv, 0, 0, &body);
}

static void nothing_rests_where_nothing_waits(void **state) {
    (void)state;
    one o;
    one_start(&o);
    assert_int_equal(rest(&o), -1);
    one_end(&o);
}

static void single_uploads_are_never_kept_waiting(void **state) {
    (void)state;
    one o;
    one_start(&o);
    for (uint64_t cv = 2; cv < 6; cv++) {
        change(&o, cv, cv == 2 ? CHANGE : "P1.x = 2");
        assert_int_equal(rest(&o), 0);
        raw_work(&o.a);
    }
    one_end(&o);
}

static void uploads_that_stream_in_wait_for_company_for_a_moment(void **state) {
    (void)state;
    one o;
    one_start(&o);
    change(&o, 2, CHANGE);
    change(&o, 3, "P1.x = 2");
    assert_int_equal(rest(&o), 0);
    raw_work(&o.a);
    change(&o, 4, "P1.x = 3");
    int64_t wait = rest(&o);
    assert_in_range(wait, 1, 5);
    pass(&o, 1);
    change(&o, 5, "P1.x = 4"); /* does not begin the wait again */
    assert_int_equal(rest(&o), wait - 1);
    pass(&o, wait);
    assert_int_equal(rest(&o), 0);
    one_end(&o);
}

static void who_waits_for_answers_is_served_at_once_soon_after_a_stream(void **state) {
    (void)state;
    one o;
    one_start(&o);
    change(&o, 2, CHANGE);
    change(&o, 3, "P1.x = 2");
    raw_work(&o.a);
    int64_t slow = 0;
    for (uint64_t cv = 4; cv < 40; cv++) {
        change(&o, cv, "P1.x = 3");
        slow += rest(&o);
        pass(&o, rest(&o) + 1);
        raw_work(&o.a);
    }
    assert_in_range(slow, 1, 50);
    change(&o, 40, "P1.x = 4");
    assert_int_equal(rest(&o), 0);
    one_end(&o);
}

static uint64_t version(one *o) {
    return sl_server_history_version(sl_server_file_history(o->rig.files[0].file));
}

/* One changeset fits into a unit: each is a commit of its own, and others can be served between. */
static void a_long_queue_is_worked_off_in_bites(void **state) {
    (void)state;
    one o;
    sl_buf body;
    rig_init(&o.rig);
    o.rig.unit_bytes = 1;
    raw_connect(&o.a, &o.rig, 14);
    raw_bind_new(&o.a, "\"p\"");
    sl_buf_init(&body, NULL);
    for (uint64_t cv = 5; cv < 9; cv++)
        raw_entry(&body, cv, 0, 1000 + cv, cv == 5 ? CHANGE : "P1.x = 2");
    raw_upload(&o.a, 8, 0, 0, &body);
    sl_server_file *file = o.rig.files[0].file;
    uint64_t before = version(&o), backlog = sl_server_file_backlog(file);
    for (uint64_t i = 1; i <= 4; i++) {
        assert_true(sl_server_file_waiting(file));
        assert_int_equal(rest(&o), 0);
        raw_work(&o.a);
        assert_int_equal(version(&o), before + i);
        assert_true(sl_server_file_backlog(file) < backlog);
        backlog = sl_server_file_backlog(file);
    }
    assert_false(sl_server_file_waiting(file));
    assert_int_equal(backlog, 0);
    assert_int_equal(raw_error(&o.a), 0);
    one_end(&o);
}

static void mere_progress_waits_until_an_upload_takes_it_along(void **state) {
    (void)state;
    one o;
    one_start(&o);
    change(&o, 2, CHANGE);
    raw_work(&o.a);
    int before = calls(&o);
    raw_say(&o.a, "upload 1 0 0 0 3 1 0\n");
    assert_int_equal(calls(&o), before + 1);
    int64_t wait = rest(&o);
    assert_in_range(wait, 10, 200);
    pass(&o, 3);
    raw_say(&o.a, "upload 1 0 0 0 4 1 0\n");
    assert_int_equal(calls(&o), before + 1);
    assert_int_equal(rest(&o), wait - 3);
    sl_buf body;
    sl_buf_init(&body, NULL);
    raw_entry(&body, 5, 1, 1005, "P1.x = 2");
    raw_upload(&o.a, 5, 1, 0, &body);
    assert_int_equal(calls(&o), before + 2); /* due earlier than was said */
    assert_int_equal(rest(&o), 0);
    raw_work(&o.a);
    assert_int_equal(rest(&o), -1);
    one_end(&o);
}

static void progress_alone_is_kept_in_the_end(void **state) {
    (void)state;
    one o;
    one_start(&o);
    change(&o, 2, CHANGE);
    raw_work(&o.a);
    raw_say(&o.a, "upload 1 0 0 0 3 1 0\n");
    pass(&o, rest(&o));
    assert_int_equal(rest(&o), 0);
    one_end(&o);
}

static void idents_wait_for_nobody(void **state) {
    (void)state;
    one o;
    raw_client b;
    one_start(&o);
    change(&o, 2, CHANGE);
    raw_work(&o.a);
    raw_say(&o.a, "upload 1 0 0 0 3 1 0\n");
    int before = calls(&o);
    raw_connect(&b, &o.rig, 14);
    raw_say(&b, "bind 1 3 0 1 0\n\"p\"");
    assert_int_equal(calls(&o), before + 1);
    assert_int_equal(rest(&o), 0);
    raw_free(&b);
    one_end(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_rests_where_nothing_waits),
        cmocka_unit_test(single_uploads_are_never_kept_waiting),
        cmocka_unit_test(uploads_that_stream_in_wait_for_company_for_a_moment),
        cmocka_unit_test(who_waits_for_answers_is_served_at_once_soon_after_a_stream),
        cmocka_unit_test(a_long_queue_is_worked_off_in_bites),
        cmocka_unit_test(mere_progress_waits_until_an_upload_takes_it_along),
        cmocka_unit_test(progress_alone_is_kept_in_the_end),
        cmocka_unit_test(idents_wait_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
