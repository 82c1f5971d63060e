/* The words in which a server says what it can do beyond the protocol. */
#include "protocol/features.h"
#include "test_support.h"

static unsigned read(const char *value) {
    return sl_features_read(sl_str_c(value));
}

static void every_set_is_read_back_as_it_was_written(void **state) {
    (void)state;
    for (unsigned set = 0; set < 8; set++) {
        sl_buf out;
        sl_buf_init(&out, NULL);
        sl_features_write(&out, set);
        assert_int_equal(sl_features_read(sl_str_of(out.size ? out.data : "", out.size)), set);
        sl_buf_free(&out);
    }
}

static void words_of_later_servers_are_skipped(void **state) {
    (void)state;
    assert_int_equal(read("transact, state, alloc"), 7);
    assert_int_equal(read("\talloc ,,later=1,  transact,"), SL_FEATURE_ALLOC | SL_FEATURE_TRANSACT);
    assert_int_equal(read("transactions, allo, Alloc"), 0);
    assert_int_equal(read(""), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_set_is_read_back_as_it_was_written),
                                       cmocka_unit_test(words_of_later_servers_are_skipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
