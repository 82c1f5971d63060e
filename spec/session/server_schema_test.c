/* What adds to the schema is merged with the schema of the history only, whatever else is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

#define SCHEMA "table P(_id:int); column P.x:int"

/* A file with a schema and `count` objects of one writer, and a client that has just come. */
static void start(one *o, raw_client *b, int count) {
    one_start(o);
    raw_commit(&o->a, 2, 0, SCHEMA);
    for (int i = 0; i < count; i++) {
        char text[60];
        snprintf(text, sizeof text, "create P%d; P%d.x = 1", i, i);
        raw_commit(&o->a, 3 + (uint64_t)i, 0, text);
    }
    raw_connect(b, &o->rig, 14);
    raw_bind_new(b, "\"p\"");
}

static void end(one *o, raw_client *b) {
    raw_free(b);
    one_end(o);
}

static void reopen(one *o) {
    sl_status st = SL_STATUS_INIT;
    sl_server_file_close(o->rig.files[0].file);
    o->rig.files[0].file = NULL;
    if (!rig_open_file(&o->rig, &o->rig.files[0], &st)) fail_msg("%s", st.message);
}

/* Requests for memory while the new client's schema is integrated. */
static uint64_t effort(int count, bool after_opening) {
    one o;
    raw_client b;
    start(&o, &b, count);
    if (after_opening) {
        raw_free(&o.a);
        raw_free(&b);
        reopen(&o);
        raw_connect(&o.a, &o.rig, 14);
        raw_connect(&b, &o.rig, 14);
        raw_bind_new(&b, "\"p\"");
    }
    sl_buf body;
    sl_buf_init(&body, NULL);
    raw_entry(&body, 2, 0, 9000, SCHEMA);
    raw_upload(&b, 2, 0, 0, &body);
    sl_status st = SL_STATUS_INIT;
    uint64_t before = o.rig.memory.requests;
    if (!rig_work(&o.rig, &st)) fail_msg("%s", st.message);
    uint64_t requests = o.rig.memory.requests - before;
    raw_take(&b);
    assert_int_equal(raw_error(&b), 0);
    assert_int_equal(b.ul_cv, 2);
    end(&o, &b);
    return requests;
}

static void a_new_device_costs_the_same_however_long_the_history_is(void **state) {
    (void)state;
    uint64_t few = effort(3, false), many = effort(60, false);
    assert_in_range(many, few, few + 20);
    few = effort(3, true);
    many = effort(60, true);
    assert_in_range(many, few, few + 20);
}

/* The error that B gets, or -1 if nothing of its upload goes into the history. */
static int outcome(const char *late, const char *uploaded, bool after_opening) {
    one o;
    raw_client b;
    start(&o, &b, 5);
    raw_commit(&o.a, 20, 0, late);
    raw_commit(&o.a, 21, 0, "create P77");
    if (after_opening) {
        raw_free(&o.a);
        raw_free(&b);
        reopen(&o);
        raw_connect(&o.a, &o.rig, 14);
        raw_connect(&b, &o.rig, 14);
        raw_bind_new(&b, "\"p\"");
    }
    raw_clear(&b);
    uint64_t size = sl_server_history_size(sl_server_file_history(o.rig.files[0].file));
    raw_commit(&b, 2, 0, uploaded);
    int error = raw_error(&b);
    if (!error && size == sl_server_history_size(sl_server_file_history(o.rig.files[0].file)))
        error = -1;
    end(&o, &b);
    return error;
}

static void late_changes_of_the_schema_are_met(void **state) {
    (void)state;
    for (int opened = 0; opened < 2; opened++) {
        assert_int_equal(outcome("column P.y:int", SCHEMA "; column P.y:string", opened), 225);
        assert_int_equal(outcome("column P.y:int", SCHEMA "; column P.y:int", opened), -1);
        assert_int_equal(outcome("column P.y:int", SCHEMA "; column P.z:int", opened), 0);
        assert_int_equal(outcome("table Q(_id:int)", "table Q(_id:string)", opened), 225);
        assert_int_equal(outcome("table Q(_id:int)", "table Q(_id:int)", opened), -1);
        assert_int_equal(outcome("drop column P.x", SCHEMA, opened), -1);
    }
}

static void data_behind_the_schema_is_merged_with_everything(void **state) {
    (void)state;
    one o;
    raw_client b;
    sl_buf body, text;
    start(&o, &b, 5);
    sl_buf_init(&body, NULL);
    raw_entry(&body, 2, 0, 10, SCHEMA);
    raw_entry(&body, 3, 0, 10, "create P1; P1.x = 7; create P90; P90.x = 8"); /* P1.x is older */
    raw_upload(&b, 3, 0, 0, &body);
    raw_work(&b);
    assert_int_equal(raw_error(&b), 0);
    assert_int_equal(b.ul_cv, 3);
    sl_buf_init(&text, NULL);
    assert_true(sl_realm_state_text(sl_server_file_realm(o.rig.files[0].file), &text, NULL));
    sl_buf_byte(&text, 0);
    assert_null(strstr(text.data, "7"));
    assert_non_null(strstr(text.data, "8"));
    sl_buf_free(&text);
    end(&o, &b);
}

/* ---- who may change it ----------------------------------------------------------------------- */

typedef struct right_case {
    sl_access access;
    const char *text;
    int error;
} right_case;

static const right_case right_cases[] = {
    {SL_ACCESS_WRITE, "drop column P.x", 0},
    {SL_ACCESS_WRITE, "drop table P", 0},
    {SL_ACCESS_WRITE_ADDITIVE, "drop column P.x", 225},
    {SL_ACCESS_WRITE_ADDITIVE, "drop table P", 225},
    {SL_ACCESS_WRITE_ADDITIVE, "table Q(_id:int); column Q.y:int; column P.y:int; create Q1", 0},
    {SL_ACCESS_WRITE_OBJECTS, "drop column P.x", 225},
    {SL_ACCESS_WRITE_OBJECTS, "drop table P", 225},
    {SL_ACCESS_WRITE_OBJECTS, "table Q(_id:int)", 225},
    {SL_ACCESS_WRITE_OBJECTS, "column P.y:int", 225},
    {SL_ACCESS_WRITE_OBJECTS, "column P.x:string", 225},
    {SL_ACCESS_WRITE_OBJECTS, SCHEMA "; create P7; P7.x = 2; erase P7", 0},
};

static void the_schema_has_its_own_right(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof right_cases / sizeof *right_cases; i++) {
        const right_case *c = &right_cases[i];
        one o;
        raw_client b;
        start(&o, &b, 1);
        raw_free(&b);
        o.rig.access = c->access;
        raw_connect(&b, &o.rig, 14);
        raw_bind_new(&b, "\"p\"");
        raw_take(&o.a);
        raw_clear(&o.a);
        raw_commit(&b, 2, 2, c->text);
        if (!c->error) assert_int_equal(b.ul_cv, 2);
        int error = raw_error(&b);
        if (error != c->error) fail_msg("%s: %d", c->text, error);
        /* Whoever is there notices nothing of what was refused. */
        raw_take(&o.a);
        if (c->error) assert_int_equal(o.a.count, 0);
        raw_free(&b);
        one_end(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_device_costs_the_same_however_long_the_history_is),
        cmocka_unit_test(late_changes_of_the_schema_are_met),
        cmocka_unit_test(data_behind_the_schema_is_merged_with_everything),
        cmocka_unit_test(the_schema_has_its_own_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
