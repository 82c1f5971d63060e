/* Equality and order of values and keys, decimals, and the small texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "value/base64.h"
#include "value/date.h"
#include "value/decimal.h"
#include "value/ids.h"
#include "value/number.h"
#include "value/utf8.h"

static sl_value integer(int64_t v) {
    return (sl_value){.type = SL_TYPE_INT, .integer = v};
}
static sl_value real(double v) {
    return (sl_value){.type = SL_TYPE_DOUBLE, .real = v};
}
static sl_value single(float v) {
    return (sl_value){.type = SL_TYPE_FLOAT, .single = v};
}
static sl_value text(const char *s) {
    return (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(s)};
}
static sl_value binary(const char *s) {
    return (sl_value){.type = SL_TYPE_BINARY, .string = sl_str_c(s)};
}
static sl_value decimal(const char *s) {
    sl_value v = {.type = SL_TYPE_DECIMAL};
    if (!sl_decimal_from_text(sl_str_c(s), &v.decimal)) fail_msg("no decimal: %s", s);
    return v;
}
static sl_value timestamp(int64_t s, int32_t ns) {
    return (sl_value){.type = SL_TYPE_TIMESTAMP, .timestamp = {s, ns}};
}
static sl_value plain(int type) {
    return (sl_value){.type = (int8_t)type};
}

static bool eq(sl_value a, sl_value b) {
    return sl_value_eq(&a, &b) && sl_value_eq(&b, &a);
}
static bool eq_mixed(sl_value a, sl_value b) {
    return sl_value_eq_mixed(&a, &b) && sl_value_eq_mixed(&b, &a);
}

static void merge_equality_needs_equal_types(void **state) {
    (void)state;
    assert_true(eq(integer(1), integer(1)));
    assert_false(eq(integer(1), real(1)));
    assert_false(eq(single(1), real(1)));
    assert_false(eq(text("a"), binary("a")));
    assert_true(eq(real(0.0), real(-0.0)));
    assert_false(eq(real((double)NAN), real((double)NAN)));
    assert_false(eq(single(NAN), single(NAN)));
    assert_true(eq(decimal("1.0"), decimal("1.00")));
    assert_true(eq(decimal("-0"), decimal("0")));
    assert_true(eq(decimal("NaN"), decimal("NaN")));
    sl_value payload = {.type = SL_TYPE_DECIMAL,
                        .decimal = sl_decimal_join((sl_decimal_parts){5, 0, 9696, false})};
    assert_false(eq(payload, decimal("NaN")));
    assert_true(eq(payload, payload));
    assert_false(eq(timestamp(1, 2), timestamp(1, 3)));
    assert_true(eq(plain(SL_TYPE_NULL), plain(SL_TYPE_NULL)));
    assert_true(eq(plain(SL_TYPE_ERASED), plain(SL_TYPE_ERASED)));
    assert_false(eq(plain(SL_TYPE_LIST), plain(SL_TYPE_DICTIONARY)));
}

static void links_are_equal_by_class_and_key(void **state) {
    (void)state;
    sl_link a = {SL_STR("A"), {.type = SL_TYPE_INT, .integer = 1}}, b = a;
    sl_value va = {.type = SL_TYPE_LINK, .link = &a}, vb = {.type = SL_TYPE_LINK, .link = &b};
    a.class_name.sym = 4;
    assert_true(eq(va, vb));
    b.key.integer = 2;
    assert_false(eq(va, vb));
    b.key.integer = 1;
    b.class_name = SL_STR("B");
    assert_false(eq(va, vb));
    assert_true(sl_value_cmp(&va, &vb) < 0);
}

static void numbers_in_a_mixed_set_compare_by_value(void **state) {
    (void)state;
    assert_true(eq_mixed(integer(1), real(1)));
    assert_true(eq_mixed(integer(1), single(1)));
    assert_true(eq_mixed(integer(1), decimal("1.00")));
    assert_true(eq_mixed(real(0.1), decimal("0.1")));
    assert_true(eq_mixed(single(0.1f), decimal("0.1")));
    assert_false(eq_mixed(single(0.1f), real(0.1)));
    assert_true(eq_mixed(single(0.5f), real(0.5)));
    assert_false(eq_mixed(integer(9007199254740993), real(9007199254740992.0)));
    assert_true(eq_mixed(integer(INT64_MIN), real(-9223372036854775808.0)));
    assert_false(eq_mixed(integer(INT64_MAX), real(9223372036854775808.0)));
    assert_true(eq_mixed(integer(INT64_MAX), decimal("9223372036854775807")));
    assert_false(eq_mixed(integer(1), plain(SL_TYPE_NULL)));
    assert_false(eq_mixed(integer(1), (sl_value){.type = SL_TYPE_BOOL, .boolean = true}));
    assert_false(eq_mixed(text("a"), binary("a")));
    assert_true(eq_mixed(real((double)NAN), real((double)NAN)));
}

static void values_have_the_order_of_the_store(void **state) {
    (void)state;
    static const sl_link link = {{"A", 1, SL_NO_SYM}, {.type = SL_TYPE_NULL}};
    sl_value ordered[] = {
        plain(SL_TYPE_NULL),
        {.type = SL_TYPE_BOOL, .boolean = false},
        {.type = SL_TYPE_BOOL, .boolean = true},
        real((double)NAN),
        real(-(double)INFINITY),
        integer(INT64_MIN),
        decimal("-1.5"),
        integer(-1),
        real(-0.5),
        integer(0),
        decimal("1E-6176"),
        single(0.25f),
        integer(1),
        decimal("9007199254740992"),
        integer(9007199254740993),
        integer(INT64_MAX),
        real(1e300),
        decimal("1E+6000"),
        decimal("Infinity"),
        text(""),
        text("a"),
        text("a "),
        text("b"),
        binary(""),
        binary("a"),
        timestamp(-1, -5),
        timestamp(-1, 0),
        timestamp(0, 0),
        timestamp(0, 1),
        {.type = SL_TYPE_OBJECTID, .objectid = {0}},
        {.type = SL_TYPE_OBJECTID, .objectid = {1}},
        {.type = SL_TYPE_UUID, .uuid = {0}},
        {.type = SL_TYPE_LINK, .link = &link},
    };
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int c = sl_value_cmp(&ordered[i], &ordered[k]);
            if ((i < k && c >= 0) || (i > k && c <= 0) || (i == k && c != 0))
                fail_msg("%zu against %zu gives %d", i, k, c);
        }
    }
}

static void null_patterns_are_recognised(void **state) {
    (void)state;
    uint32_t f = 0x7fc000aa;
    uint64_t d = UINT64_C(0x7ff80000000000aa);
    sl_value vf = single(0), vd = real(0);
    memcpy(&vf.single, &f, sizeof f);
    memcpy(&vd.real, &d, sizeof d);
    sl_value vm = {.type = SL_TYPE_DECIMAL,
                   .decimal = sl_decimal_join((sl_decimal_parts){0xaa, 0, 9696, false})};
    assert_true(sl_value_is_null_pattern(&vf));
    assert_true(sl_value_is_null_pattern(&vd));
    assert_true(sl_value_is_null_pattern(&vm));
    vf = single(NAN);
    vd = real((double)NAN);
    vm = decimal("NaN");
    assert_false(sl_value_is_null_pattern(&vf));
    assert_false(sl_value_is_null_pattern(&vd));
    assert_false(sl_value_is_null_pattern(&vm));
}

static void keys_are_ordered_by_kind_then_content(void **state) {
    (void)state;
    sl_key ordered[] = {
        {.type = SL_TYPE_NULL},
        {.type = SL_TYPE_INT, .integer = -5},
        {.type = SL_TYPE_INT, .integer = 5},
        {.type = SL_TYPE_STRING, .string = SL_STR("")},
        {.type = SL_TYPE_STRING, .string = SL_STR("b")},
        {.type = SL_TYPE_GLOBALKEY, .global = {1, UINT64_MAX}},
        {.type = SL_TYPE_GLOBALKEY, .global = {2, 0}},
        {.type = SL_TYPE_OBJECTID, .objectid = {1}},
        {.type = SL_TYPE_OBJECTID, .objectid = {2}},
        {.type = SL_TYPE_UUID, .uuid = {0}},
    };
    size_t n = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int c = sl_key_cmp(&ordered[i], &ordered[k]);
            assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
            assert_int_equal(sl_key_eq(&ordered[i], &ordered[k]), i == k);
            if (i != k) assert_true(sl_key_hash(&ordered[i]) != sl_key_hash(&ordered[k]));
        }
    }
    sl_key a = {.type = SL_TYPE_STRING, .string = {"x", 1, 4}};
    sl_key b = {.type = SL_TYPE_STRING, .string = {"x", 1, SL_NO_SYM}};
    assert_true(sl_key_eq(&a, &b));
    assert_true(sl_key_hash(&a) == sl_key_hash(&b));
}

static void names_go_both_ways(void **state) {
    (void)state;
    for (int i = -1; i <= 11; i++) {
        int type = 99;
        assert_true(sl_type_from_name(sl_str_c(sl_type_name(i)), &type));
        assert_int_equal(type, i);
    }
    int type;
    assert_null(sl_type_name(12));
    assert_null(sl_type_name(-7));
    assert_string_equal(sl_type_name(-5), "list");
    assert_false(sl_type_from_name(SL_STR("erased"), &type));
    for (int i = 0; i < 4; i++) {
        sl_collection c;
        assert_true(sl_collection_from_name(sl_str_c(sl_collection_name((sl_collection)i)), &c));
        assert_int_equal(c, i);
    }
    assert_null(sl_collection_name((sl_collection)4));
}

/* --- decimal */

typedef struct decimal_row {
    const char *read, *text, *triple;
} decimal_row;

static void decimals_have_two_texts(void **state) {
    (void)state;
    static const decimal_row rows[] = {
        {"0", "0", "0E0"},
        {"-0", "-0", "-0E0"},
        {"0.00", "0.00", "0E-2"},
        {"0E+3", "0E+3", "0E3"},
        {"1.5", "1.5", "15E-1"},
        {"1.50", "1.50", "150E-2"},
        {"+12", "12", "12E0"},
        {"1.5E+3", "1.5E+3", "15E2"},
        {"1500", "1500", "1500E0"},
        {".5", "0.5", "5E-1"},
        {"0.000001", "0.000001", "1E-6"},
        {"0.0000001", "1E-7", "1E-7"},
        {"1e6111", "1E+6111", "1E6111"},
        {"1E6144", "1.000000000000000000000000000000000E+6144",
         "1000000000000000000000000000000000E6111"},
        {"10E-6177", "1E-6176", "1E-6176"},
        {"0E9999999", "0E+6111", "0E6111"},
        {"9999999999999999999999999999999999E6111", "9.999999999999999999999999999999999E+6144",
         "9999999999999999999999999999999999E6111"},
        {"12345678901234567890123456789012340", "1.234567890123456789012345678901234E+34",
         "1234567890123456789012345678901234E1"},
        {"Infinity", "Infinity", "Infinity"},
        {"-inf", "-Infinity", "-Infinity"},
        {"nan", "NaN", "NaN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sl_decimal d, again;
        sl_buf out;
        sl_buf_init(&out, NULL);
        if (!sl_decimal_from_text(sl_str_c(rows[i].read), &d)) fail_msg("%s", rows[i].read);
        sl_decimal_to_text(d, &out);
        sl_buf_byte(&out, 0);
        assert_string_equal(out.data, rows[i].text);
        assert_true(sl_decimal_from_text(sl_str_c(out.data), &again));
        assert_memory_equal(&again, &d, sizeof d);
        sl_buf_clear(&out);
        sl_decimal_to_triple(d, &out);
        sl_buf_byte(&out, 0);
        assert_string_equal(out.data, rows[i].triple);
        assert_true(sl_decimal_from_triple(sl_str_c(out.data), &again));
        assert_memory_equal(&again, &d, sizeof d);
        assert_true(sl_decimal_is_canonical(d));
        sl_buf_free(&out);
    }
}

static void what_is_no_exact_decimal_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",        "-",    "+",  ".",  "e5",     "1e",      "1e+",
        "1.2.3",   "0x1",  "1 ", " 1", "1E6145", "1E-6177", "12345678901234567890123456789012345",
        "infinit", "nano", "1,5"};
    static const char *const triples[] = {"",
                                          "5",
                                          "5E",
                                          "E5",
                                          "05E1",
                                          "5E01",
                                          "5E-0",
                                          "5e1",
                                          "+5E1",
                                          "5E6176x",
                                          "5E10208",
                                          "5E-6177",
                                          "10384593717069655257060992658440192E0",
                                          "infinity",
                                          "5.0E1",
                                          "--5E1"};
    sl_decimal d;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (sl_decimal_from_text(sl_str_c(texts[i]), &d)) fail_msg("%s", texts[i]);
    }
    for (size_t i = 0; i < sizeof triples / sizeof *triples; i++) {
        if (sl_decimal_from_triple(sl_str_c(triples[i]), &d)) fail_msg("%s", triples[i]);
    }
    assert_true(sl_decimal_from_triple(SL_STR("10384593717069655257060992658440191E10207"), &d));
    assert_false(sl_decimal_is_canonical(d));
}

static void decimals_convert_to_and_from_doubles(void **state) {
    (void)state;
    static const double values[] = {0.0,       1.0, -1.5, 0.1, 1e-320, 1.7976931348623157e308,
                                    123456.789};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(sl_decimal_to_double(sl_decimal_from_double(values[i], 17)) == values[i]);
    assert_true(isnan(sl_decimal_to_double(sl_decimal_from_double((double)NAN, 15))));
    assert_true(sl_decimal_to_double(sl_decimal_from_double(-(double)INFINITY, 15)) < -1e308);
    assert_true(sl_decimal_to_double(sl_decimal_from_int(INT64_MIN)) == -9223372036854775808.0);
}

/* --- texts */

static void utf8_is_checked_strictly(void **state) {
    (void)state;
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(sl_utf8_valid(sl_str_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sl_utf8_valid(sl_str_c(bad[i])));
}

static void base64_goes_both_ways(void **state) {
    (void)state;
    sl_arena arena;
    sl_buf out;
    sl_arena_init(&arena, NULL);
    sl_buf_init(&out, NULL);
    uint8_t data[70];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 200);
    for (uint32_t n = 0; n <= sizeof data; n++) {
        sl_buf_clear(&out);
        sl_value_base64_encode(data, n, &out);
        sl_str back;
        bool memory;
        assert_true(sl_value_base64_decode(sl_str_of(out.data, out.size), &arena, &back, &memory));
        assert_int_equal(back.size, n);
        assert_memory_equal(back.data, data, n);
    }
    static const char *const bad[] = {"A",    "AA",       "AAA",  "AB==", "AAB=", "A===",
                                      "AA=A", "AA==AAAA", "AA A", "AA-_", "====", "A=AA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sl_str back;
        bool memory;
        if (sl_value_base64_decode(sl_str_c(bad[i]), &arena, &back, &memory))
            fail_msg("%s", bad[i]);
        assert_true(memory);
    }
    sl_buf_free(&out);
    sl_arena_free(&arena);
}

static void ids_go_both_ways(void **state) {
    (void)state;
    uint8_t uuid[16], id[12];
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_true(sl_uuid_from_text(SL_STR("00112233-4455-6677-8899-AABBCCDDEEFF"), uuid));
    sl_uuid_to_text(uuid, &out);
    assert_int_equal(out.size, 36);
    assert_memory_equal(out.data, "00112233-4455-6677-8899-aabbccddeeff", 36);
    assert_false(sl_uuid_from_text(SL_STR("00112233-4455-6677-8899_AABBCCDDEEFF"), uuid));
    assert_false(sl_uuid_from_text(SL_STR("0011223344556677-8899-AABBCCDDEEFF--"), uuid));
    assert_false(sl_uuid_from_text(SL_STR("00112233445566778899AABBCCDDEEFF"), uuid));
    assert_true(sl_objectid_from_text(SL_STR("0123456789abcdefABCDEF00"), id));
    assert_false(sl_objectid_from_text(SL_STR("0123456789abcdefABCDEF0"), id));
    assert_false(sl_objectid_from_text(SL_STR("0123456789abcdefABCDEF0g"), id));
    sl_buf_free(&out);
}

static void integers_are_read_in_canonical_form_only(void **state) {
    (void)state;
    int64_t i;
    uint64_t u;
    assert_true(sl_number_read_i64(SL_STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(sl_number_read_i64(SL_STR("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(sl_number_read_u64(SL_STR("18446744073709551615"), &u) && u == UINT64_MAX);
    static const char *const bad[] = {"",
                                      "-",
                                      "-0",
                                      "+1",
                                      "01",
                                      "1.0",
                                      "1e3",
                                      " 1",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_false(sl_number_read_i64(sl_str_c(bad[k]), &i));
    assert_false(sl_number_read_u64(SL_STR("18446744073709551616"), &u));
    assert_false(sl_number_read_u64(SL_STR("-1"), &u));
}

static void dates_go_both_ways(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
        int32_t ns;
        bool written; /* comes out again as it was */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0, true},
        {"2020-02-29T12:34:56.789Z", 1582979696, 789000000, true},
        {"1969-12-31T23:59:59.5Z", 0, -500000000, true},
        {"1969-12-31T23:59:58.5Z", -1, -500000000, true},
        {"0000-01-01T00:00:00Z", -62167219200, 0, true},
        {"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999, true},
        {"2020-01-01T01:00:00+01:00", 1577836800, 0, false},
        {"2019-12-31T23:00:00-0100", 1577836800, 0, false},
        {"2020-01-01T02:00:00.000+02", 1577836800, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sl_timestamp t;
        if (!sl_date_from_text(sl_str_c(rows[i].text), &t)) fail_msg("%s", rows[i].text);
        if (t.seconds != rows[i].s || t.nanoseconds != rows[i].ns)
            fail_msg("%s is %lld %d", rows[i].text, (long long)t.seconds, (int)t.nanoseconds);
        sl_buf out;
        sl_buf_init(&out, NULL);
        assert_true(sl_date_to_text(t, &out));
        sl_buf_byte(&out, 0);
        if (rows[i].written) assert_string_equal(out.data, rows[i].text);
        sl_buf_free(&out);
    }
    static const char *const bad[] = {"",
                                      "2020-01-01",
                                      "2020-01-01T00:00:00",
                                      "2021-02-29T00:00:00Z",
                                      "2020-13-01T00:00:00Z",
                                      "2020-01-01T24:00:00Z",
                                      "2020-01-01T00:00:60Z",
                                      "2020-01-01T00:00:00.Z",
                                      "2020-01-01T00:00:00.1234567890Z",
                                      "2020-01-01T00:00:00Zx",
                                      "2020-01-01 00:00:00Z"};
    sl_timestamp t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (sl_date_from_text(sl_str_c(bad[i]), &t)) fail_msg("%s", bad[i]);
    }
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_false(sl_date_to_text((sl_timestamp){INT64_MIN, -1}, &out));
    assert_false(sl_date_to_text((sl_timestamp){INT64_MAX, 0}, &out));
    assert_false(sl_date_normal(INT64_MAX, 1000000000, &t));
    assert_int_equal(out.size, 0);
    sl_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_equality_needs_equal_types),
        cmocka_unit_test(links_are_equal_by_class_and_key),
        cmocka_unit_test(numbers_in_a_mixed_set_compare_by_value),
        cmocka_unit_test(values_have_the_order_of_the_store),
        cmocka_unit_test(null_patterns_are_recognised),
        cmocka_unit_test(keys_are_ordered_by_kind_then_content),
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(decimals_have_two_texts),
        cmocka_unit_test(what_is_no_exact_decimal_is_refused),
        cmocka_unit_test(decimals_convert_to_and_from_doubles),
        cmocka_unit_test(utf8_is_checked_strictly),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(ids_go_both_ways),
        cmocka_unit_test(integers_are_read_in_canonical_form_only),
        cmocka_unit_test(dates_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
