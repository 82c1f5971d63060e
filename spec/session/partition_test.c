/* Spellings of partition values (protocol/5-app-services-http.md, 17.1; 1-wire.md, 9.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "session/partition.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UUID_JSON    "{\"$binary\":{\"base64\":\"AQIDBAUGBwgJCgsMDQ4PEA==\",\"subType\":\"04\"}}"

static const struct {
    const char *sent, *canonical;
    sl_partition_kind kind;
} good[] = {
    {"\"abc\"", "\"abc\"", SL_PARTITION_TEXT},
    {" \"a\\u0062c\" ", "\"abc\"", SL_PARTITION_TEXT},
    {"\"\"", "\"\"", SL_PARTITION_TEXT},
    {"\"../../x\\u0000\\n\\\"\\/\"", "\"../../x\\u0000\\n\\\"/\"", SL_PARTITION_TEXT},
    {"\"42\"", "\"42\"", SL_PARTITION_TEXT},
    {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", SL_PARTITION_TEXT},
    {"42", "{\"$numberLong\":\"42\"}", SL_PARTITION_INT},
    {"{\"$numberLong\":\"42\"}", "{\"$numberLong\":\"42\"}", SL_PARTITION_INT},
    {"{ \"$numberLong\" : \"42\" }", "{\"$numberLong\":\"42\"}", SL_PARTITION_INT},
    {"{\"$numberInt\":\"42\"}", "{\"$numberLong\":\"42\"}", SL_PARTITION_INT},
    {"{\"$numberLong\":\"-9223372036854775808\"}", "{\"$numberLong\":\"-9223372036854775808\"}",
     SL_PARTITION_INT},
    {"{\"$oid\":\"0102030405060708090A0b0c\"}", "{\"$oid\":\"0102030405060708090a0b0c\"}",
     SL_PARTITION_OID},
    {UUID_JSON, UUID_JSON, SL_PARTITION_UUID},
    {"{\"$binary\": {\"subType\": \"4\", \"base64\": \"AQIDBAUGBwgJCgsMDQ4PEA==\"}}", UUID_JSON,
     SL_PARTITION_UUID},
    {"{\"$uuid\":\"01020304-0506-0708-090A-0b0c0d0e0f10\"}", UUID_JSON, SL_PARTITION_UUID},
    {"null", "null", SL_PARTITION_NULL},
    {"/test", "/test", SL_PARTITION_PATH},
    {"test", "/test", SL_PARTITION_PATH},
    {"/a-b/c_d.e/F9", "/a-b/c_d.e/F9", SL_PARTITION_PATH},
    {"/a/__partial/user", "/a/__partial/user", SL_PARTITION_PATH},
};

static const char *const bad[] = {
    "",
    "\"",
    "\"abc",
    "\"abc\" x",
    "\"abc\"1",
    "4.5",
    "1e3",
    "true",
    "[1]",
    "{}",
    "{\"a\":1}",
    "9223372036854775808",
    "{\"$numberLong\":42}",
    "{\"$numberLong\":\"9223372036854775808\"}",
    "{\"$numberLong\":\"\"}",
    "{\"$numberLong\":\" 4\"}",
    "{\"$numberLong\":\"+4\"}",
    "{\"$numberLong\":\"4x\"}",
    "{\"$numberLong\":\"4\\u0000\"}",
    "{\"$numberInt\":\"2147483648\"}",
    "{\"$numberDouble\":\"4\"}",
    "{\"$numberLong\":\"4\",\"x\":1}",
    "{\"$oid\":\"0102030405060708090a0b0\"}",
    "{\"$oid\":\"0102030405060708090a0b0g\"}",
    "{\"$oid\":5}",
    "{\"$binary\":{\"base64\":\"AQIDBAUGBwgJCgsMDQ4PEA==\",\"subType\":\"00\"}}",
    "{\"$binary\":{\"base64\":\"AQIDBAUGBwgJCgsMDQ4PEB==\",\"subType\":\"04\"}}",
    "{\"$binary\":{\"base64\":\"AQIDBAUGBwgJCgsMDQ4P\",\"subType\":\"04\"}}",
    "{\"$binary\":{\"base64\":\"AQIDBAUGBwgJCgsMDQ4PEA==\"}}",
    "{\"$uuid\":\"0102030405060708090a0b0c0d0e0f10\"}",
    "{\"$uuid\":\"01020304-0506-0708-090A-0b0c0d0e0f1\"}",
    "/",
    "//a",
    "/a/",
    "/.a",
    "/..",
    "/a/../b",
    "/a.realm",
    "/a.realm.lock",
    "/a.realm.management",
    "/a b",
    "/a%2f",
    "/__partial/u",
    "/a/__partial",
    "/a/__partial/b/__partial/c",
    "/\xc3\xa9",
    "../x",
    "-5x",
};

static bool canonical(const char *text, size_t size, sl_buf *out, sl_partition_kind *kind,
                      sl_status *st) {
    sl_buf_clear(out);
    return sl_partition_canonical(sl_str_of(text, size), out, kind, st);
}

static void spellings_of_one_value_meet(void **state) {
    (void)state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    for (size_t i = 0; i < COUNT(good); i++) {
        sl_partition_kind kind = SL_PARTITION_NULL;
        sl_status st = SL_STATUS_INIT;
        if (!canonical(good[i].sent, strlen(good[i].sent), &out, &kind, &st))
            fail_msg("%s: %s", good[i].sent, st.message);
        if (!sl_str_eq(sl_str_of(out.data, out.size), sl_str_c(good[i].canonical)))
            fail_msg("%s became %.*s", good[i].sent, (int)out.size, out.data);
        assert_int_equal(kind, good[i].kind);
    }
    sl_buf_free(&out);
}

static void everything_else_is_refused(void **state) {
    (void)state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        sl_partition_kind kind;
        sl_status st = SL_STATUS_INIT;
        if (canonical(bad[i], strlen(bad[i]), &out, &kind, &st)) fail_msg("%s: accepted", bad[i]);
        assert_int_equal(st.code, 204);
        assert_int_equal(out.size, 0);
    }
    sl_partition_kind kind;
    assert_false(canonical("/a\0b", 4, &out, &kind, NULL));
    sl_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_value_meet),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
