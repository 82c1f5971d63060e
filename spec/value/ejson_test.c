/* Extended JSON: nothing is lost on the way out and back; relaxed forms are understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "value/decimal.h"
#include "value/ejson.h"
#include "value/text.h"

static sl_value float_of(uint32_t bits) {
    sl_value v = {.type = SL_TYPE_FLOAT};
    memcpy(&v.single, &bits, sizeof bits);
    return v;
}

static sl_value double_of(uint64_t bits) {
    sl_value v = {.type = SL_TYPE_DOUBLE};
    memcpy(&v.real, &bits, sizeof bits);
    return v;
}

static sl_value decimal_of(uint64_t lo, uint64_t hi, int32_t exponent, bool negative) {
    return (sl_value){.type = SL_TYPE_DECIMAL,
                      .decimal = sl_decimal_join((sl_decimal_parts){lo, hi, exponent, negative})};
}

static sl_value string_of(const char *data, size_t size) {
    return (sl_value){.type = SL_TYPE_STRING, .string = sl_str_of(data, size)};
}

static sl_value timestamp_of(int64_t s, int32_t ns) {
    return (sl_value){.type = SL_TYPE_TIMESTAMP, .timestamp = {s, ns}};
}

/* Bit for bit, unlike the equality of values. */
static bool identical(const sl_value *a, const sl_value *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case SL_TYPE_FLOAT:
        return memcmp(&a->single, &b->single, sizeof a->single) == 0;
    case SL_TYPE_DOUBLE:
        return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case SL_TYPE_DECIMAL:
        return memcmp(&a->decimal, &b->decimal, sizeof a->decimal) == 0;
    default:
        return sl_value_eq(a, b);
    }
}

static const sl_link links[] = {
    {{"Q", 1, SL_NO_SYM}, {.type = SL_TYPE_NULL}},
    {{"Q", 1, SL_NO_SYM}, {.type = SL_TYPE_INT, .integer = -7}},
    {{"\xff", 1, SL_NO_SYM}, {.type = SL_TYPE_STRING, .string = {"\xfe", 1, SL_NO_SYM}}},
    {{"Q", 1, SL_NO_SYM}, {.type = SL_TYPE_OBJECTID, .objectid = {1, 2}}},
    {{"Q", 1, SL_NO_SYM}, {.type = SL_TYPE_UUID, .uuid = {3, 4}}},
    {{"Q", 1, SL_NO_SYM}, {.type = SL_TYPE_GLOBALKEY, .global = {UINT64_MAX, 5}}},
};

static size_t samples(sl_value *v) {
    size_t n = 0;
    v[n++] = (sl_value){.type = SL_TYPE_NULL};
    const int64_t ints[] = {0, 1, -1, INT64_MIN, INT64_MAX, 9007199254740993};
    for (size_t i = 0; i < 6; i++)
        v[n++] = (sl_value){.type = SL_TYPE_INT, .integer = ints[i]};
    v[n++] = (sl_value){.type = SL_TYPE_BOOL, .boolean = true};
    v[n++] = (sl_value){.type = SL_TYPE_BOOL, .boolean = false};
    v[n++] = string_of("", 0);
    v[n++] = string_of("a\0\x01\"\\\n\xc3\xa9", 8);
    v[n++] = string_of("\xff\xc0", 2);
    v[n++] = string_of("$oid", 4);
    v[n++] = (sl_value){.type = SL_TYPE_BINARY, .string = {"", 0, SL_NO_SYM}};
    v[n++] = (sl_value){.type = SL_TYPE_BINARY, .string = {"\0\xff\x7f", 3, SL_NO_SYM}};
    const int64_t seconds[] = {0, 1, -1, 1700000000, -1700000000, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 7; i++)
        v[n++] = timestamp_of(seconds[i], 0);
    v[n++] = timestamp_of(1, 500000000);
    v[n++] = timestamp_of(0, -1000000);
    v[n++] = timestamp_of(-1, -999999999);
    v[n++] = timestamp_of(5, 1);
    const uint32_t floats[] = {0,          0x80000000, 0x3f800000, 0x7f800000,
                               0xff800000, 0x7fc00000, 0x7fc000aa, 0xffc00001,
                               0x7f800001, 1,          0x7f7fffff, 0x3dcccccd};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        v[n++] = float_of(floats[i]);
    const uint64_t doubles[] = {0,
                                UINT64_C(1) << 63,
                                UINT64_C(0x3ff0000000000000),
                                UINT64_C(0x7ff0000000000000),
                                UINT64_C(0xfff0000000000000),
                                UINT64_C(0x7ff8000000000000),
                                UINT64_C(0x7ff80000000000aa),
                                UINT64_C(0xfff8000000000000),
                                1,
                                UINT64_C(0x7fefffffffffffff),
                                UINT64_C(0x3fb999999999999a),
                                UINT64_C(0x4341c37937e08001)};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        v[n++] = double_of(doubles[i]);
    v[n++] = decimal_of(0, 0, 0, false);
    v[n++] = decimal_of(0, 0, -3, true);
    v[n++] = decimal_of(150, 0, -2, false);
    v[n++] = decimal_of(0, 0, 9184, true);
    v[n++] = decimal_of(0, 0, 9696, false);
    v[n++] = decimal_of(0, 0, 9696, true);
    v[n++] = decimal_of(0xaa, 0, 9696, false);
    v[n++] = decimal_of(UINT64_MAX, UINT64_C(0x1ffffffffffff), 10207, true);
    v[n++] = decimal_of(UINT64_C(0x378d8e63ffffffff), UINT64_C(0x1ed09bead87c0), 6111, false);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        v[n++] = (sl_value){.type = SL_TYPE_LINK, .link = &links[i]};
    v[n++] = (sl_value){.type = SL_TYPE_OBJECTID, .objectid = {9, 8, 7}};
    v[n++] = (sl_value){.type = SL_TYPE_UUID, .uuid = {6, 5, 4}};
    return n;
}

static void every_value_comes_back_identical(void **state) {
    (void)state;
    sl_value values[96];
    size_t n = samples(values);
    sl_buf out;
    sl_arena arena;
    sl_buf_init(&out, NULL);
    sl_arena_init(&arena, NULL);
    for (size_t i = 0; i < n; i++) {
        for (int form = 0; form < 2; form++) {
            sl_buf_clear(&out);
            sl_ejson w = {.out = &out};
            sl_status st = SL_STATUS_INIT;
            sl_value back;
            if (form) {
                sl_text_value(&values[i], &out);
            } else {
                sl_ejson_value(&w, &values[i]);
            }
            json_t *json = sl_ejson_parse(out.data, out.size, &st);
            if (!json) fail_msg("%.*s: %s", (int)out.size, out.data, st.message);
            if (!form) assert_true(sl_ejson_is_scalar(json));
            bool ok = form ? sl_text_read_value(json, &arena, &back, &st)
                           : sl_ejson_read_value(json, &arena, &back, &st);
            json_decref(json);
            if (!ok || !identical(&back, &values[i]))
                fail_msg("%.*s: %s", (int)out.size, out.data, st.message);
        }
    }
    sl_arena_free(&arena);
    sl_buf_free(&out);
}

static void expect_text(const sl_value *value, const char *expected) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    sl_ejson w = {.out = &out};
    sl_ejson_value(&w, value);
    sl_buf_byte(&out, 0);
    assert_string_equal(out.data, expected);
    sl_buf_free(&out);
}

static void the_forms_are_those_of_extended_json(void **state) {
    (void)state;
    sl_value v = {.type = SL_TYPE_INT, .integer = 5};
    expect_text(&v, "{\"$numberLong\":\"5\"}");
    v = timestamp_of(1700000000, 123000000);
    expect_text(&v, "{\"$date\":{\"$numberLong\":\"1700000000123\"}}");
    v = timestamp_of(0, -1);
    expect_text(&v, "{\"$dateNanos\":{\"seconds\":\"0\",\"nanoseconds\":-1}}");
    v = double_of(UINT64_C(0x3ff0000000000000));
    expect_text(&v, "{\"$numberDouble\":\"1.0\"}");
    v = double_of(UINT64_C(0x3fb999999999999a));
    expect_text(&v, "{\"$numberDouble\":\"0.1\"}");
    v = float_of(0x3dcccccd);
    expect_text(&v, "{\"$numberFloat\":\"0.1\"}");
    v = decimal_of(150, 0, -2, false);
    expect_text(&v, "{\"$numberDecimal\":\"1.50\"}");
    v = (sl_value){.type = SL_TYPE_UUID};
    expect_text(&v, "{\"$binary\":{\"base64\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"subType\":\"04\"}}");
    v = (sl_value){.type = SL_TYPE_LINK, .link = &links[1]};
    expect_text(&v, "{\"$link\":{\"class\":\"Q\",\"key\":{\"$numberLong\":\"-7\"}}}");
}

typedef struct relaxed_row {
    const char *text, *canonical;
} relaxed_row;

static void relaxed_and_older_forms_are_read(void **state) {
    (void)state;
    static const relaxed_row rows[] = {
        {"5", "{\"$numberLong\":\"5\"}"},
        {"-9223372036854775808", "{\"$numberLong\":\"-9223372036854775808\"}"},
        {"1.5", "{\"$numberDouble\":\"1.5\"}"},
        {"{\"$numberInt\":\"7\"}", "{\"$numberLong\":\"7\"}"},
        {"{\"$date\":\"1970-01-01T00:00:01.5Z\"}", "{\"$date\":{\"$numberLong\":\"1500\"}}"},
        {"{\"$date\":1500}", "{\"$date\":{\"$numberLong\":\"1500\"}}"},
        {"{\"$uuid\":\"00000000-0000-0000-0000-000000000000\"}",
         "{\"$binary\":{\"base64\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"subType\":\"04\"}}"},
        {"{\"$binary\":\"AAE=\",\"$type\":\"00\"}",
         "{\"$binary\":{\"base64\":\"AAE=\",\"subType\":\"00\"}}"},
        {"{\"$type\":\"00\",\"$binary\":\"AAE=\"}",
         "{\"$binary\":{\"base64\":\"AAE=\",\"subType\":\"00\"}}"},
        {"{\"$numberDecimal\":\"15e2\"}", "{\"$numberDecimal\":\"1.5E+3\"}"},
        {"{\"$numberDouble\":\"-Infinity\"}", "{\"$numberDouble\":\"-Infinity\"}"},
    };
    sl_arena arena;
    sl_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sl_status st = SL_STATUS_INIT;
        sl_value v;
        json_t *json = sl_ejson_parse(rows[i].text, strlen(rows[i].text), &st);
        assert_non_null(json);
        if (!sl_ejson_read_value(json, &arena, &v, &st))
            fail_msg("%s: %s", rows[i].text, st.message);
        json_decref(json);
        expect_text(&v, rows[i].canonical);
    }
    sl_arena_free(&arena);
}

static void malformed_values_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "[]",
        "{}",
        "{\"a\":1}",
        "{\"$nothing\":1}",
        "{\"$numberLong\":\"5\",\"x\":1}",
        "{\"$numberLong\":\"5.0\"}",
        "{\"$numberLong\":\"9223372036854775808\"}",
        "{\"$numberInt\":\"2147483648\"}",
        "{\"$numberDouble\":\"1,5\"}",
        "{\"$numberDouble\":1.5}",
        "{\"$numberDecimal\":\"12345678901234567890123456789012345\"}",
        "{\"$oid\":\"00\"}",
        "{\"$binary\":{\"base64\":\"AA==\"}}",
        "{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"05\"}}",
        "{\"$binary\":{\"base64\":\"AA==\",\"subType\":\"04\"}}",
        "{\"$binary\":{\"base64\":\"AA\",\"subType\":\"00\"}}",
        "{\"$date\":true}",
        "{\"$date\":{\"$numberLong\":\"x\"}}",
        "{\"$dateNanos\":{\"seconds\":\"1\",\"nanoseconds\":-1}}",
        "{\"$dateNanos\":{\"seconds\":\"1\",\"nanoseconds\":1000000000}}",
        "{\"$link\":{\"class\":\"Q\"}}",
        "{\"$link\":{\"class\":5,\"key\":null}}",
        "{\"$link\":{\"class\":\"Q\",\"key\":true}}",
        "{\"$link\":{\"class\":\"Q\",\"key\":{\"$globalKey\":{\"hi\":\"-1\",\"lo\":\"1\"}}}}",
        "{\"$globalKey\":{\"hi\":\"1\",\"lo\":\"1\"}}",
        "{\"$numberFloatBits\":\"7fc0000\"}",
        "{\"$stringBytes\":\"*\"}",
        "{\"$decimalTriple\":\"1\"}",
    };
    sl_arena arena;
    sl_arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sl_status st = SL_STATUS_INIT;
        sl_value v;
        json_t *json = sl_ejson_parse(texts[i], strlen(texts[i]), &st);
        if (!json) fail_msg("%s: %s", texts[i], st.message);
        if (sl_ejson_read_value(json, &arena, &v, &st)) fail_msg("accepted: %s", texts[i]);
        assert_int_equal(st.cls, SL_ERR_USAGE);
        json_decref(json);
    }
    sl_status st = SL_STATUS_INIT;
    assert_null(sl_ejson_parse("{\"a\":1,\"a\":2}", 13, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    sl_arena_free(&arena);
}

static void lists_and_dictionaries_nest(void **state) {
    (void)state;
    sl_buf out;
    sl_arena arena;
    sl_buf_init(&out, NULL);
    sl_arena_init(&arena, NULL);
    sl_ejson w = {.out = &out};
    sl_value five = {.type = SL_TYPE_INT, .integer = 5}, none = {.type = SL_TYPE_NULL};
    const sl_str names[] = {SL_STR(""), SL_STR("$x"), SL_STR("a\"b"), sl_str_of("n\0l", 3),
                            SL_STR("\xff")};
    sl_ejson_begin_array(&w);
    sl_ejson_value(&w, &five);
    sl_ejson_begin_object(&w);
    for (size_t i = 0; i < 5; i++) {
        sl_ejson_name(&w, names[i]);
        if (i == 1) {
            sl_ejson_begin_array(&w);
            sl_ejson_end_array(&w);
        } else {
            sl_ejson_value(&w, &none);
        }
    }
    sl_ejson_end_object(&w);
    sl_ejson_begin_object(&w);
    sl_ejson_end_object(&w);
    sl_ejson_end_array(&w);
    sl_buf_byte(&out, 0);
    assert_string_equal(out.data,
                        "[{\"$numberLong\":\"5\"},{\"\":null,\"$b64:JHg=\":[],\"a\\\"b\":null,"
                        "\"$b64:bgBs\":null,\"$b64:/w==\":null},{}]");
    json_t *json = sl_ejson_parse(out.data, out.size - 1, NULL);
    assert_non_null(json);
    assert_false(sl_ejson_is_scalar(json));
    assert_false(sl_ejson_is_scalar(json_array_get(json, 1)));
    assert_false(sl_ejson_is_scalar(json_array_get(json, 2)));
    size_t at = 0;
    const char *name;
    json_t *member;
    json_object_foreach(json_array_get(json, 1), name, member) {
        sl_str s;
        (void)member;
        assert_true(sl_ejson_read_name(name, &arena, &s, NULL));
        assert_true(sl_str_eq(s, names[at++]));
    }
    assert_int_equal(at, 5);
    sl_str s;
    assert_false(sl_ejson_read_name("$oid", &arena, &s, NULL));
    json_decref(json);
    sl_arena_free(&arena);
    sl_buf_free(&out);
}

static void a_failed_allocation_is_reported(void **state) {
    (void)state;
    sl_value values[96];
    size_t count = samples(values);
    for (size_t i = 0; i < count; i++) {
        for (uint64_t n = 1;; n++) {
            failing_alloc memory;
            failing_alloc_init(&memory);
            sl_buf out;
            sl_arena arena;
            sl_buf_init(&out, NULL);
            sl_arena_init(&arena, &memory.alloc);
            memory.fail_at = n;
            sl_ejson w = {.out = &out};
            sl_ejson_value(&w, &values[i]);
            json_t *json = sl_ejson_parse(out.data, out.size, NULL);
            sl_status st = SL_STATUS_INIT;
            sl_value back;
            bool ok = sl_ejson_read_value(json, &arena, &back, &st);
            if (!ok) assert_int_equal(st.cls, SL_ERR_MEMORY);
            json_decref(json);
            sl_arena_free(&arena);
            sl_buf_free(&out);
            assert_int_equal(memory.live, 0);
            if (ok) break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_comes_back_identical),
        cmocka_unit_test(the_forms_are_those_of_extended_json),
        cmocka_unit_test(relaxed_and_older_forms_are_read),
        cmocka_unit_test(malformed_values_are_refused),
        cmocka_unit_test(lists_and_dictionaries_nest),
        cmocka_unit_test(a_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
