/* What the parser accepts, what it refuses, with which id and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "changeset/changeset.h"
#include "changeset/varint.h"
#include "failing_alloc.h"
#include "vectors.h"

typedef struct input {
    const char *hex;
    const char *id; /* NULL: accepted */
    size_t offset;
} input;

/* Bytes 3f 00 01 41 intern "A". */
static const input inputs[] = {
    {"", NULL, 0},
    {"3f000141", NULL, 0},
    {"3f0000", NULL, 0},
    {"0e", "P-OP", 0},
    {"c000", "P-OP", 0},
    {"3f000141810000", NULL, 0},
    {"3f000141810200", "P-OP", 4},
    {"bf80000001410100", NULL, 0},
    {"3f010141", "P-INTERN-INDEX", 1},
    {"3f0001413f000142", "P-INTERN-INDEX", 5},
    {"3f0001413f010141", "P-INTERN-DUP", 7},
    {"3f0001413f0101410e", "P-INTERN-DUP", 7},
    {"3f0001410101", "P-INTERN-REF", 5},
    {"3f000241", "P-EOF", 4},
    {"3f0001413f", "P-EOF", 5},
    {"3f0040", "P-INT", 2},
    {"3f0080", "P-EOF", 2},
    {"3f00f0ffff07", "P-STR-LEN", 2},
    {"3f00efffff07", "P-EOF", 6},
    {"3f00014102000201", "P-KEYTYPE", 6},
    {"3f000141020000", NULL, 0},
    {"3f00014102008000", NULL, 0},
    {"3f0001410200810405", "P-TYPE", 6},
    {"3f00014102000301", "P-INTERN-REF", 7},
    {"3f000141000003", "P-TABLEKIND", 6},
    {"3f000141000040", "P-INT", 6},
    {"3f00014100000000"
     "0000",
     "P-PKTYPE", 8},
    {"3f0001410000000045", "P-PKTYPE", 8},
    {"3f0001410000000001", "P-EOF", 9},
    {"3f000141060000010004", "P-COLLECTION", 9},
    {"3f000141060000410000", "P-TYPE", 7},
    {"3f0001410600000c0000", "P-TYPE", 7},
    {"3f0001410400010100004001"
     "0200",
     "P-PAYLOAD", 10},
    {"3f0001410400010100000c00", "P-TYPE", 10},
    {"3f0001410400010100004600", "P-TYPE", 10},
    {"3f00014104000101000005008080808008"
     "00",
     "P-TS", 12},
    {"3f000141040001010000050141"
     "00",
     "P-TS", 12},
    {"3f0001410400010100000500ffabdb"
     "ed0d00",
     "P-TS", 12},
    {"3f00014104000101000005"
     "00ff93ebdc0300",
     NULL, 0},
    {"3f000141040001010001410000"
     "00",
     "P-PATH", 10},
    {"3f0001410400010100018080808010"
     "00",
     "P-PATH", 10},
    {"3f00014104000101008102", "P-PATH", 9},
    {"3f000141080001010000"
     "0000",
     "P-NOINDEX", 9},
    {"3f0001410a00010100014000"
     "00",
     "P-NOINDEX", 9},
    {"3f0001410b00010100"
     "0005",
     "P-COLLECTION", 10},
    {"3f0001410b00010100"
     "0000",
     NULL, 0},
    {"3f00014104000101000002"
     "0200",
     NULL, 0},
    {"3f000141040001010000028002"
     "00",
     "P-INT", 11},
    {"3f0001410400010100000880808080808080808080808080808080000000"
     "00",
     NULL, 0},
    {"3f000141040001010000088080808080808080808080808080808080000000"
     "00",
     "P-DEC", 11},
    {"3f00014104000101000008ffffffffffffffffffffffffffffffff7f000000", "P-DEC", 11},
    {"3f0001410400010100000801dfcf000000", NULL, 0},
    {"3f0001410400010100000801e0cf000000", "P-DEC", 12},
    {"3f00014104000101000004f1ffff0700", "P-BIN-LEN", 11},
    {"3f00014104000101000006000000", "P-EOF", 14},
    {"3f0001410400010100000b00", "P-EOF", 12},
};

static void every_check_has_its_id_and_place(void **state) {
    (void)state;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_buf bytes;
    sl_buf_init(&bytes, NULL);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const input *in = &inputs[i];
        sl_status st = SL_STATUS_INIT;
        sl_buf_clear(&bytes);
        assert_true(vec_hex(in->hex, &bytes));
        sl_changeset_reset(&cs);
        bool ok = sl_changeset_parse(&cs, bytes.data, bytes.size, &st);
        if (ok != (in->id == NULL) || (in->id && strcmp(in->id, st.id) != 0) ||
            (in->id && st.offset != in->offset))
            fail_msg("%s: got %s at %zu (%s), expected %s at %zu", in->hex, ok ? "success" : st.id,
                     st.offset, st.message, in->id ? in->id : "success", in->offset);
        if (in->id) {
            assert_int_equal(st.cls, SL_ERR_CHANGESET);
            assert_int_equal(cs.count, 0);
            assert_int_equal(cs.string_count, 0);
        }
    }
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
}

/* `count` strings of `width` bytes that differ in their middle only, the last equal to number
 * `repeat`, or all different. */
static void put_strings(sl_buf *out, uint32_t count, uint32_t width, uint32_t repeat) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t head[32], *p = head;
        *p++ = 63;
        p = sl_varint_put_u64(p, i);
        p = sl_varint_put_u64(p, width);
        sl_buf_add(out, head, (size_t)(p - head));
        char *at = sl_buf_reserve(out, width);
        memset(at, 'x', width);
        uint32_t number = i == count - 1 && repeat < count ? repeat : i;
        memcpy(at + (width - 4) / 2, &number, 4);
        out->size += width;
    }
}

static void repeats_are_found_among_many_and_few(void **state) {
    (void)state;
    const uint32_t counts[] = {2, 11, 12, 13, 14, 40, 5000}, widths[] = {4, 5, 12, 40};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (size_t w = 0; w < 4; w++) {
            sl_changeset cs;
            sl_buf bytes;
            sl_status st = SL_STATUS_INIT;
            sl_changeset_init(&cs, NULL);
            sl_buf_init(&bytes, NULL);
            put_strings(&bytes, counts[c], widths[w], UINT32_MAX);
            assert_true(sl_changeset_parse(&cs, bytes.data, bytes.size, &st));
            assert_int_equal(cs.string_count, counts[c]);
            sl_buf_clear(&bytes);
            sl_changeset_reset(&cs);
            put_strings(&bytes, counts[c], widths[w], counts[c] / 2 - 1);
            assert_false(sl_changeset_parse(&cs, bytes.data, bytes.size, &st));
            assert_string_equal(st.id, "P-INTERN-DUP");
            assert_int_equal(st.offset, bytes.size - widths[w]);
            sl_buf_free(&bytes);
            sl_changeset_free(&cs);
        }
    }
}

static void paths_may_have_256_elements(void **state) {
    (void)state;
    for (uint32_t size = 255; size <= 257; size++) {
        sl_buf bytes;
        sl_buf_init(&bytes, NULL);
        sl_buf_clear(&bytes);
        vec_hex("3f0001410400010100", &bytes);
        uint8_t head[8], *end = sl_varint_put_u64(head, size);
        sl_buf_add(&bytes, head, (size_t)(end - head));
        for (uint32_t i = 0; i < size; i++)
            sl_buf_byte(&bytes, 5);
        vec_hex("000c", &bytes);
        sl_changeset cs;
        sl_changeset_init(&cs, NULL);
        assert_true(sl_changeset_parse(&cs, bytes.data, bytes.size, NULL) == (size <= 256));
        if (size <= 256) {
            assert_int_equal(cs.instructions[0].path_size, size);
            assert_true(sl_path_ends_with_index(&cs.instructions[0]));
            assert_int_equal(cs.instructions[0].prior_size, 12);
        }
        sl_changeset_free(&cs);
        sl_buf_free(&bytes);
    }
}

/* Reads every example; calls `visit` with its bytes. */
static bool keep(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file;
    (void)line;
    sl_buf *all = ctx;
    sl_buf_clear(all);
    vec_hex_json(json_object_get(row, "hex"), all);
    return line < 19; /* all scalar payloads */
}

static void example(sl_buf *bytes) {
    sl_buf_init(bytes, NULL);
    assert_true(vec_each("spec/changeset", "examples", keep, bytes));
    assert_true(bytes->size > 300);
}

static void every_truncation_ends_at_an_instruction_or_fails(void **state) {
    (void)state;
    sl_buf bytes;
    example(&bytes);
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    unsigned whole = 0;
    for (size_t size = 0; size <= bytes.size; size++) {
        /* A block of its own, so that a sanitizer sees every byte read too far. */
        char *copy = malloc(size ? size : 1);
        memcpy(copy, bytes.data, size);
        sl_status st = SL_STATUS_INIT;
        sl_changeset_reset(&cs);
        if (sl_changeset_parse(&cs, copy, size, &st)) {
            whole++;
        } else {
            assert_string_equal(st.id, "P-EOF");
            assert_true(st.offset <= size);
        }
        free(copy);
    }
    assert_true(whole > 20);
    sl_changeset_free(&cs);
    sl_buf_free(&bytes);
}

static void mutations_never_break_the_round_trip(void **state) {
    (void)state;
    sl_buf bytes, out;
    example(&bytes);
    sl_buf_init(&out, NULL);
    sl_changeset cs, again;
    sl_changeset_init(&cs, NULL);
    sl_changeset_init(&again, NULL);
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 20000; round++) {
        char *copy = malloc(bytes.size);
        memcpy(copy, bytes.data, bytes.size);
        for (unsigned n = 0; n <= round % 3; n++) {
            seed = seed * 1664525 + 1013904223;
            copy[(seed >> 8) % bytes.size] = (char)(seed >> 24 ^ seed);
        }
        sl_changeset_reset(&cs);
        if (sl_changeset_parse(&cs, copy, bytes.size, NULL)) {
            sl_buf_clear(&out);
            assert_true(sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, &out, NULL));
            sl_changeset_reset(&again);
            assert_true(sl_changeset_parse(&again, out.data, out.size, NULL));
            assert_int_equal(again.count, cs.count);
        }
        free(copy);
    }
    sl_changeset_free(&cs);
    sl_changeset_free(&again);
    sl_buf_free(&bytes);
    sl_buf_free(&out);
}

static void a_failed_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    sl_buf bytes;
    example(&bytes);
    put_strings(&bytes, 0, 4, 0);
    failing_alloc memory;
    for (uint64_t n = 1;; n++) {
        failing_alloc_init(&memory);
        memory.fail_at = n;
        sl_changeset cs;
        sl_buf out;
        sl_status st = SL_STATUS_INIT;
        sl_changeset_init(&cs, &memory.alloc);
        sl_buf_init(&out, &memory.alloc);
        bool parsed = sl_changeset_parse(&cs, bytes.data, bytes.size, &st);
        bool encoded = parsed && sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, &out, &st);
        if (!encoded) assert_int_equal(st.cls, SL_ERR_MEMORY);
        if (!parsed) assert_int_equal(cs.count, 0);
        sl_changeset_free(&cs);
        sl_buf_free(&out);
        assert_int_equal(memory.live, 0);
        if (encoded) break;
    }
    sl_buf_free(&bytes);
}

static void nothing_is_allocated_once_warm(void **state) {
    (void)state;
    sl_buf bytes;
    example(&bytes);
    failing_alloc memory;
    failing_alloc_init(&memory);
    sl_changeset cs;
    sl_changeset_init(&cs, &memory.alloc);
    uint64_t after_first = 0;
    for (int round = 0; round < 50; round++) {
        sl_changeset_reset(&cs);
        assert_true(sl_changeset_parse(&cs, bytes.data, bytes.size, NULL));
        if (round == 4) after_first = memory.requests;
    }
    assert_int_equal(memory.requests, after_first);
    sl_changeset_free(&cs);
    sl_buf_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_has_its_id_and_place),
        cmocka_unit_test(repeats_are_found_among_many_and_few),
        cmocka_unit_test(paths_may_have_256_elements),
        cmocka_unit_test(every_truncation_ends_at_an_instruction_or_fails),
        cmocka_unit_test(mutations_never_break_the_round_trip),
        cmocka_unit_test(a_failed_allocation_leaves_nothing_behind),
        cmocka_unit_test(nothing_is_allocated_once_warm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
