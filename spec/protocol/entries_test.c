/* Changeset entries and body compression (protocol/1-wire.md, 3.2, 4.3, 5.3). */
#include "failing_alloc.h"
#include "protocol/entries.h"
#include "test_support.h"

static const sl_dialect pbs14 = {14, false};

/* The compressed body of the example in 4.3. */
static const char packed_hex[] =
    "7801b35030b4543036363333343131303230305030503034353653701c05233a04"
    "9c46c1880e01e75130a243000003d690ae";

static size_t unhex(const char *hex, char *out) {
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (char)strtol(pair, NULL, 16);
    }
    return n;
}

static void the_compressed_example_inflates(void **state) {
    (void)state;
    char wire[77];
    memcpy(wire, "upload 1 1 1561 50 8 19 19\n", 27);
    assert_int_equal(unhex(packed_hex, wire + 27), 50);
    sl_client_message msg;
    sl_status st = SL_STATUS_INIT;
    sl_buf buf;
    sl_str entries;
    sl_buf_init(&buf, NULL);
    assert_true(sl_client_message_parse(&msg, pbs14, wire, 77, &st));
    assert_true(sl_body_open(&msg.upload.body, 0, &buf, &entries, &st));
    assert_int_equal(entries.size, 1561);
    sl_entry_reader reader;
    sl_upload_entry entry;
    bool more;
    sl_entry_reader_init(&reader, entries);
    assert_true(sl_entry_reader_upload(&reader, &entry, &more, &st) && more);
    assert_int_equal(entry.client_version, 8);
    assert_int_equal(entry.server_version, 19);
    assert_int_equal(entry.changeset.size, 1536);
    assert_int_equal(entry.changeset.data[1535], 'C');
    assert_true(sl_entry_reader_upload(&reader, &entry, &more, &st) && !more);
    sl_buf_free(&buf);
}

static bool opens(const char *data, size_t size, uint64_t declared, uint64_t limit, int *code) {
    sl_body body = {true, declared, sl_str_of(data, size)};
    sl_status st = SL_STATUS_INIT;
    sl_buf buf;
    sl_str entries;
    sl_buf_init(&buf, NULL);
    bool ok = sl_body_open(&body, limit, &buf, &entries, &st);
    sl_buf_free(&buf);
    *code = st.code;
    return ok;
}

static void damaged_streams_are_refused(void **state) {
    (void)state;
    char data[64];
    int code = 0;
    size_t n = unhex(packed_hex, data);
    data[n] = 0;
    assert_true(opens(data, n, 1561, 0, &code));
    assert_false(opens(data, n, 1560, 0, &code)); /* longer than declared */
    assert_int_equal(code, 110);
    assert_false(opens(data, n, 1562, 0, &code)); /* shorter */
    assert_int_equal(code, 110);
    assert_false(opens(data, n + 1, 1561, 0, &code)); /* octets after it */
    assert_int_equal(code, 110);
    assert_false(opens(data, n - 1, 1561, 0, &code)); /* cut */
    assert_int_equal(code, 110);
    assert_false(opens(data, 0, 0, 0, &code));
    assert_int_equal(code, 110);
    int accepted = 0; /* unused bits at the end of the deflate data mean nothing */
    for (size_t i = 0; i < n; i++) {
        data[i] = (char)(data[i] ^ 0x10);
        accepted += opens(data, n, 1561, 0, &code);
        data[i] = (char)(data[i] ^ 0x10);
    }
    assert_true(accepted <= 1);
}

static void bombs_take_no_memory(void **state) {
    (void)state;
    char data[64];
    int code = 0;
    size_t n = unhex(packed_hex, data);
    assert_false(opens(data, n, 1561, 1560, &code));
    assert_int_equal(code, 112);
    assert_false(opens(data, n, UINT64_C(268435457), 0, &code));
    assert_int_equal(code, 112);
    failing_alloc counting;
    failing_alloc_init(&counting);
    sl_buf buf;
    sl_str entries;
    sl_body body = {true, SL_MAX_INFLATED, sl_str_of(data, n)};
    sl_buf_init(&buf, &counting.alloc);
    assert_false(sl_body_open(&body, 0, &buf, &entries, NULL));
    assert_int_equal(counting.requests, 0);
    sl_buf_free(&buf);
}

static void bodies_above_1024_octets_are_compressed_if_that_helps(void **state) {
    (void)state;
    char same[4096], noise[4096];
    uint32_t x = 1;
    memset(same, 'a', sizeof(same));
    for (size_t i = 0; i < sizeof(noise); i++) {
        x = x * 1664525u + 1013904223u;
        noise[i] = (char)(x >> 24);
    }
    sl_buf packed;
    sl_body body;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&packed, NULL);
    assert_true(sl_body_pack(NULL, sl_str_of(same, 1024), &packed, &body, &st));
    assert_false(body.compressed);
    assert_true(sl_body_pack(NULL, sl_str_of(same, 1025), &packed, &body, &st));
    assert_true(body.compressed);
    assert_int_equal(body.uncompressed_size, 1025);
    assert_int_equal((uint8_t)body.bytes.data[0], 0x78);
    assert_int_equal((uint8_t)body.bytes.data[1], 0x01);
    assert_true(sl_body_pack(NULL, sl_str_of(noise, 4096), &packed, &body, &st));
    assert_false(body.compressed);
    assert_int_equal(body.bytes.size, 4096);
    sl_buf_free(&packed);
}

static void a_packer_makes_of_every_body_what_a_new_one_would(void **state) {
    (void)state;
    char data[9000];
    uint32_t x = 7;
    sl_packer *packer = sl_packer_new(NULL);
    sl_buf packed, again;
    sl_buf_init(&packed, NULL);
    sl_buf_init(&again, NULL);
    for (int round = 0; round < 12; round++) {
        size_t size = 1100 + 600 * (size_t)round;
        for (size_t i = 0; i < size; i++) {
            x = x * 1664525u + 1013904223u;
            /* Every third one does not get smaller, and deflate is stopped in the middle. */
            data[i] = (char)(round % 3 == 2 ? x >> 24 : 'a' + (x >> 30));
        }
        sl_body body, expected;
        assert_true(sl_body_pack(packer, sl_str_of(data, size), &packed, &body, NULL));
        assert_true(sl_body_pack(NULL, sl_str_of(data, size), &again, &expected, NULL));
        assert_int_equal(body.compressed, round % 3 != 2);
        assert_int_equal(body.compressed, expected.compressed);
        assert_true(sl_str_eq(body.bytes, expected.bytes));
    }
    sl_buf_free(&packed);
    sl_buf_free(&again);
    sl_packer_free(packer);
}

static bool round_trip(const sl_alloc *alloc) {
    char data[3000];
    memset(data, 'q', sizeof(data));
    sl_buf packed, inflated;
    sl_body body;
    sl_str entries;
    sl_buf_init(&packed, alloc);
    sl_buf_init(&inflated, alloc);
    sl_packer *packer = sl_packer_new(alloc);
    bool ok = packer && sl_body_pack(packer, sl_str_of(data, sizeof(data)), &packed, &body, NULL) &&
              sl_body_pack(NULL, sl_str_of(data, sizeof(data)), &packed, &body, NULL) &&
              sl_body_open(&body, 0, &inflated, &entries, NULL) &&
              sl_str_eq(entries, sl_str_of(data, sizeof(data)));
    sl_packer_free(packer);
    sl_buf_free(&packed);
    sl_buf_free(&inflated);
    return ok;
}

static void running_out_of_memory_anywhere_is_reported(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        failing_alloc failing;
        failing_alloc_init(&failing);
        failing.fail_at = n;
        bool ok = round_trip(&failing.alloc);
        assert_int_equal(failing.live, 0);
        if (ok) {
            assert_true(n > 3);
            break;
        }
    }
}

typedef struct bad_entry_case {
    const char *body;
    int code;
} bad_entry_case;

static void malformed_entries_are_refused(void **state) {
    (void)state;
    const bad_entry_case cases[] = {
        {"x", 111},
        {"1", 111},
        {"1 0 5 0 2", 111},
        {"1 0 5 0 x ab", 111},
        {"1  5 0 2 ab", 111},
        {"0 0 5 0 2 ab", 111},
        {"1 0 5 0 3 ab", 112},
        {"1 -1 5 0 2 ab", 111},
        {"1 0 5 0 2 ab1 0 5", 111},
        {"1 0 9223372036854775808 0 2 ab", 111},
        {"1 0 5 0 9223372036854775807 ab", 112},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        sl_entry_reader reader;
        sl_upload_entry entry;
        sl_status st = SL_STATUS_INIT;
        bool more = true, ok = true;
        sl_entry_reader_init(&reader, sl_str_c(cases[i].body));
        while (ok && more)
            ok = sl_entry_reader_upload(&reader, &entry, &more, &st);
        assert_false(ok);
        if (st.code != cases[i].code) fail_msg("%s: %d", cases[i].body, st.code);
    }
}

static void entries_are_written_as_they_are_read(void **state) {
    (void)state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    sl_upload_entry up = {5, 0, 336614400123, 0, SL_STR("CHANGESET-A")};
    sl_upload_entry_write(&out, &up);
    assert_text(sl_str_of(out.data, out.size), "5 0 336614400123 0 11 CHANGESET-A");
    sl_buf_clear(&out);
    sl_download_entry down = {19, 5, 336614401999, 12, 14, SL_STR("CHANGESET-Y")};
    sl_download_entry_write(&out, &down);
    assert_text(sl_str_of(out.data, out.size), "19 5 336614401999 12 14 11 CHANGESET-Y");
    sl_entry_reader reader;
    sl_download_entry again;
    sl_status st = SL_STATUS_INIT;
    bool more;
    sl_entry_reader_init(&reader, sl_str_of(out.data, out.size));
    assert_true(sl_entry_reader_download(&reader, &again, &more, &st) && more);
    assert_int_equal(again.original_size, 14);
    assert_int_equal(again.origin_file, 12);
    sl_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_compressed_example_inflates),
        cmocka_unit_test(damaged_streams_are_refused),
        cmocka_unit_test(bombs_take_no_memory),
        cmocka_unit_test(bodies_above_1024_octets_are_compressed_if_that_helps),
        cmocka_unit_test(a_packer_makes_of_every_body_what_a_new_one_would),
        cmocka_unit_test(running_out_of_memory_anywhere_is_reported),
        cmocka_unit_test(malformed_entries_are_refused),
        cmocka_unit_test(entries_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
