/* The query language beside its golden vectors: places of errors, limits, budgets, orderings, and
 * what memory allows. */
#include "../realm/fixture.h"
#include "failing_alloc.h"
#include "query/predicate.h"

typedef struct people {
    sl_realm *realm;
    sl_status st;
} people;

static void add_class(people *p, const char *name) {
    sl_class cls = {.name = sl_str_c(name),
                    .has_key = true,
                    .key_name = sl_str_c("_id"),
                    .key_type = SL_TYPE_INT};
    assert_true(sl_record_add_class(p->realm, &cls, &p->st));
}

static void add_property(people *p, const char *name, int type, sl_collection collection,
                         const char *target) {
    sl_property property = {.name = sl_str_c(name),
                            .type = (int8_t)type,
                            .collection = (uint8_t)collection,
                            .nullable = collection == SL_SINGLE,
                            .target = sl_str_c(target)};
    assert_true(sl_record_add_property(p->realm, sl_str_c("Person"), &property, &p->st));
}

static void set(people *p, int64_t key, const char *property, sl_value value) {
    sl_place place = {.class_name = sl_str_c("Person"),
                      .key = {.type = SL_TYPE_INT, .integer = key},
                      .property = sl_str_c(property)};
    assert_true(sl_record_set(p->realm, &place, &value, false, &p->st));
}

/* Ten people; each but the first has the one before as friend, ages 0 to 4 twice. */
static int setup(void **state) {
    people *p = calloc(1, sizeof *p);
    sl_realm_options options = {0};
    p->st = (sl_status)SL_STATUS_INIT;
    assert_true(sl_realm_open(&p->realm, &options, &p->st));
    assert_true(sl_realm_begin(p->realm, &p->st));
    add_class(p, "Person");
    add_property(p, "name", SL_TYPE_STRING, SL_SINGLE, "");
    add_property(p, "age", SL_TYPE_INT, SL_SINGLE, "");
    add_property(p, "friend", SL_TYPE_LINK, SL_SINGLE, "Person");
    add_property(p, "marks", SL_TYPE_INT, SL_LIST, "");
    for (int64_t i = 0; i < 10; i++) {
        sl_key key = {.type = SL_TYPE_INT, .integer = i};
        sl_link link = {.class_name = sl_str_c("Person"),
                        .key = {.type = SL_TYPE_INT, .integer = i - 1}};
        char name[16];
        snprintf(name, sizeof name, "n%d", (int)i);
        assert_true(sl_record_create(p->realm, sl_str_c("Person"), &key, NULL, NULL, &p->st));
        set(p, i, "name", (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(name)});
        set(p, i, "age", (sl_value){.type = SL_TYPE_INT, .integer = i % 5});
        if (i) set(p, i, "friend", (sl_value){.type = SL_TYPE_LINK, .link = &link});
    }
    *state = p;
    return 0;
}

static int teardown(void **state) {
    people *p = *state;
    sl_realm_commit(p->realm);
    sl_realm_close(p->realm);
    free(p);
    return 0;
}

static bool parse_with(people *p, const char *text, const sl_query_argument *args, uint32_t count,
                       const sl_alloc *alloc, sl_predicate **out) {
    p->st = (sl_status)SL_STATUS_INIT;
    return sl_predicate_parse(sl_realm_schema(p->realm), sl_str_c("Person"), sl_str_c(text), args,
                              count, alloc, out, &p->st);
}

static bool add_key(void *ctx, const sl_key *key) {
    sl_buf *out = ctx;
    sl_buf_printf(out, "%s%lld", out->size ? " " : "", (long long)key->integer);
    return true;
}

/* The keys that the query finds, in its order. */
static void finds(people *p, const char *text, const char *keys) {
    sl_predicate *predicate;
    uint64_t budget = 100000;
    sl_buf out;
    sl_buf_init(&out, NULL);
    if (!parse_with(p, text, NULL, 0, NULL, &predicate)) fail_msg("%s: %s", text, p->st.message);
    assert_true(sl_predicate_run(predicate, p->realm, &budget, add_key, &out, &p->st));
    sl_buf_byte(&out, 0);
    assert_string_equal(keys, out.data);
    sl_predicate_free(predicate);
    sl_buf_free(&out);
}

static void refused(people *p, const char *text, const char *id, size_t offset, const char *part) {
    sl_predicate *predicate;
    assert_false(parse_with(p, text, NULL, 0, NULL, &predicate));
    assert_null(predicate);
    assert_string_equal(id, p->st.id);
    assert_int_equal(offset, p->st.offset);
    if (!strstr(p->st.message, part)) fail_msg("%s: %s", text, p->st.message);
}

static void errors_say_where_and_what_was_expected(void **state) {
    people *p = *state;
    refused(p, "", "QUERY-SYNTAX", 0, "a property or a value was expected");
    refused(p, "age == ", "QUERY-SYNTAX", 7, "the query ends where a property or a value");
    refused(p, "age == 1 name", "QUERY-SYNTAX", 9, "'name' where AND, OR or the end");
    refused(p, "age == 'it", "QUERY-SYNTAX", 7, "does not end");
    refused(p, "age = 1 AND (age", "QUERY-SYNTAX", 16, "')'");
    refused(p, "age = #", "QUERY-SYNTAX", 6, "begins no word");
    refused(p, "age == 1 AND wage == 2", "QUERY-TYPE", 13, "class Person has no property 'wage'");
    refused(p, "friend.agee == 2", "QUERY-TYPE", 7, "'agee'");
    refused(p, "age == true", "QUERY-TYPE", 7, "bool");
    refused(p, "age == $0", "QUERY-TYPE", 7, "$0");
    refused(p, "ANY age == 1", "QUERY-TYPE", 0, "not a collection");
}

static void hostile_texts_meet_limits(void **state) {
    people *p = *state;
    sl_buf text;
    sl_buf_init(&text, NULL);
    for (int i = 0; i < 200000; i++)
        sl_buf_byte(&text, '(');
    sl_buf_byte(&text, 0);
    refused(p, text.data, "QUERY-SYNTAX", SL_QUERY_MAX_NESTING, "more than 400");
    sl_buf_clear(&text);
    for (int i = 0; i < 5000; i++)
        sl_buf_text(&text, "!");
    sl_buf_byte(&text, 0);
    refused(p, text.data, "QUERY-SYNTAX", SL_QUERY_MAX_NESTING, "more than 400");
    sl_buf_clear(&text);
    for (int i = 0; i < 150; i++)
        sl_buf_text(&text, "!");
    sl_buf_text(&text, "age == 1");
    sl_buf_byte(&text, 0);
    refused(p, text.data, "QUERY-SYNTAX", SL_STATUS_NO_OFFSET, "more than 100 levels");
    sl_buf_clear(&text);
    sl_buf_text(&text, "friend");
    for (int i = 0; i < 100; i++)
        sl_buf_text(&text, ".friend");
    sl_buf_text(&text, ".age == 1");
    sl_buf_byte(&text, 0);
    sl_predicate *predicate;
    assert_false(parse_with(p, text.data, NULL, 0, NULL, &predicate));
    sl_buf_clear(&text);
    while (text.size <= SL_QUERY_MAX_TEXT)
        sl_buf_text(&text, "age == 1 OR ");
    sl_buf_text(&text, "age == 1");
    sl_buf_byte(&text, 0);
    refused(p, text.data, "QUERY-SYNTAX", SL_STATUS_NO_OFFSET, "at most 262144");
    sl_buf_free(&text);
}

static void a_query_that_costs_too_much_ends(void **state) {
    people *p = *state;
    sl_predicate *predicate;
    uint64_t budget = 40;
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_true(parse_with(p, "friend.friend.friend.age == 1", NULL, 0, NULL, &predicate));
    assert_false(sl_predicate_run(predicate, p->realm, &budget, add_key, &out, &p->st));
    assert_string_equal("QUERY-COST", p->st.id);
    assert_int_equal(0, budget);
    assert_int_equal(0, out.size);
    sl_predicate_free(predicate);
    sl_buf_free(&out);
}

/* A long list of constants is searched, not walked through: the steps do not grow with it. */
static void long_lists_cost_no_more(void **state) {
    people *p = *state;
    uint64_t steps[2];
    for (int round = 0; round < 2; round++) {
        uint32_t count = round ? 40000 : 100;
        sl_value *values = calloc(count, sizeof *values);
        for (uint32_t i = 0; i < count; i++)
            values[i] = (sl_value){.type = SL_TYPE_INT, .integer = (int64_t)(count - i)};
        sl_query_argument arg = {values, count, true};
        sl_predicate *predicate;
        uint64_t budget = 100000;
        sl_buf out;
        sl_buf_init(&out, NULL);
        assert_true(parse_with(p, "age IN $0", &arg, 1, NULL, &predicate));
        assert_true(sl_predicate_run(predicate, p->realm, &budget, add_key, &out, &p->st));
        steps[round] = 100000 - budget;
        sl_buf_byte(&out, 0);
        assert_string_equal("1 2 3 4 6 7 8 9", out.data);
        sl_predicate_free(predicate);
        sl_buf_free(&out);
        free(values);
    }
    assert_int_equal(steps[0], steps[1]);
}

static void orderings_follow_one_another(void **state) {
    people *p = *state;
    finds(p, "TRUEPREDICATE SORT(age DESC, _id ASC) LIMIT(3)", "4 9 3");
    finds(p, "TRUEPREDICATE LIMIT(3) SORT(age DESC)", "2 1 0");
    finds(p, "_id > 2 DISTINCT(age) SORT(_id DESC)", "7 6 5 4 3");
    finds(p, "friend.age == 1", "2 7");
    finds(p, "@links.Person.friend._id == 3", "2");
    finds(p, "@links.@count == 0", "9");
}

/* No matter which allocation fails, nothing leaks and the answer is an error. */
static void without_memory_it_fails_cleanly(void **state) {
    people *p = *state;
    static const char text[] =
        "(age IN {1, 2, 3, 4, 5, 6, 7, 8} OR name LIKE 'a*') AND friend.age >= 0 SORT(name DESC)";
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        failing_alloc memory;
        failing_alloc_init(&memory);
        memory.fail_at = n;
        sl_predicate *predicate;
        uint64_t budget = 100000;
        sl_buf out;
        sl_buf_init(&out, NULL);
        done = parse_with(p, text, NULL, 0, &memory.alloc, &predicate);
        if (done) {
            done = sl_predicate_run(predicate, p->realm, &budget, add_key, &out, &p->st);
            sl_predicate_free(predicate);
        }
        if (!done) assert_int_equal(SL_ERR_MEMORY, p->st.cls);
        sl_buf_free(&out);
        assert_int_equal(0, memory.live);
        assert_true(n < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(errors_say_where_and_what_was_expected, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_texts_meet_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_that_costs_too_much_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lists_cost_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(orderings_follow_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_it_fails_cleanly, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
