#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/status.h"
#include "base/strmap.h"

/* Fails when `left` allocations have been made; counts what is still held. */
typedef struct failing {
    long left, held;
} failing;

static void *failing_realloc(void *ctx, void *block, size_t size) {
    failing *f = ctx;
    if (size == 0) {
        if (block) f->held--;
        free(block);
        return NULL;
    }
    if (f->left == 0) return NULL;
    f->left--;
    if (!block) f->held++;
    return realloc(block, size);
}

static void arena_blocks_are_aligned_and_apart(void **state) {
    (void)state;
    sl_arena arena;
    sl_arena_init(&arena, NULL);
    char *last = NULL;
    for (size_t size = 1; size < 5000; size += 37) {
        char *block = sl_arena_alloc(&arena, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, (int)(size & 0xff), size);
        if (last) assert_int_equal((unsigned char)last[0], (size - 37) & 0xff);
        last = block;
    }
    sl_arena_free(&arena);
}

static void arena_reset_keeps_memory_for_reuse(void **state) {
    (void)state;
    failing f = {1000, 0};
    sl_alloc alloc = {failing_realloc, &f};
    sl_arena arena;
    sl_arena_init(&arena, &alloc);
    for (int i = 0; i < 1000; i++)
        assert_non_null(sl_arena_alloc(&arena, 100));
    sl_arena_reset(&arena);
    long before = f.left;
    for (int i = 0; i < 300; i++)
        assert_non_null(sl_arena_alloc(&arena, 100));
    assert_int_equal(f.left, before);
    sl_arena_free(&arena);
    assert_int_equal(f.held, 0);
}

static void arena_refuses_sizes_that_overflow(void **state) {
    (void)state;
    sl_arena arena;
    sl_arena_init(&arena, NULL);
    assert_null(sl_arena_zero(&arena, SIZE_MAX / 2, 3));
    assert_null(sl_arena_alloc(&arena, SIZE_MAX - 8));
    sl_str s = sl_arena_str(&arena, SL_STR("kept"));
    assert_true(sl_str_eq(s, SL_STR("kept")));
    sl_arena_free(&arena);
}

static void buffer_remembers_a_failed_allocation(void **state) {
    (void)state;
    failing f = {1, 0};
    sl_alloc alloc = {failing_realloc, &f};
    sl_buf buf;
    sl_buf_init(&buf, &alloc);
    sl_buf_text(&buf, "fits");
    assert_false(buf.failed);
    for (int i = 0; i < 100; i++)
        sl_buf_text(&buf, "does not fit");
    assert_true(buf.failed);
    sl_buf_free(&buf);
    assert_int_equal(f.held, 0);
}

static void buffer_appends_and_consumes(void **state) {
    (void)state;
    sl_buf buf;
    sl_buf_init(&buf, NULL);
    for (int i = 0; i < 1000; i++)
        sl_buf_printf(&buf, "%d,", i);
    assert_memory_equal(buf.data, "0,1,2,3,", 8);
    sl_buf_consume(&buf, 2);
    assert_memory_equal(buf.data, "1,2,3,", 6);
    sl_buf_consume(&buf, buf.size + 5);
    assert_int_equal(buf.size, 0);
    sl_buf_byte(&buf, 'x');
    sl_buf_str(&buf, SL_STR("yz"));
    assert_memory_equal(buf.data, "xyz", 3);
    sl_buf_free(&buf);
}

/* The map against a plain array, through many insertions and removals. */
static void string_map_agrees_with_a_model(void **state) {
    (void)state;
    enum { KEYS = 500 };
    static char names[KEYS][16];
    static bool present[KEYS];
    sl_strmap map;
    sl_strmap_init(&map, NULL);
    uint32_t seed = 12345;
    for (int i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof names[i], "key %d", i);
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t k = (seed >> 8) % KEYS;
        sl_str key = sl_str_c(names[k]);
        if (seed >> 31) {
            uint32_t value = k;
            bool added;
            assert_true(sl_strmap_put(&map, key, &value, &added));
            assert_int_equal(added, !present[k]);
            assert_int_equal(value, k);
            present[k] = true;
        } else {
            assert_int_equal(sl_strmap_remove(&map, key), present[k]);
            present[k] = false;
        }
    }
    uint32_t count = 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        uint32_t value = 0;
        assert_int_equal(sl_strmap_get(&map, sl_str_c(names[k]), &value), present[k]);
        if (present[k]) assert_int_equal(value, k);
        count += present[k];
    }
    assert_int_equal(map.count, count);
    sl_strmap_free(&map);
}

static void string_map_distinguishes_prefixes_and_nul(void **state) {
    (void)state;
    sl_strmap map;
    sl_strmap_init(&map, NULL);
    const sl_str keys[] = {SL_STR(""), SL_STR("\0"), SL_STR("a"), SL_STR("a\0"), SL_STR("a\0b")};
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t value = i;
        bool added;
        assert_true(sl_strmap_put(&map, keys[i], &value, &added));
        assert_true(added);
    }
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t value = 99;
        assert_true(sl_strmap_get(&map, keys[i], &value));
        assert_int_equal(value, i);
    }
    sl_strmap_free(&map);
}

static void counting_random(void *ctx, void *data, size_t size) {
    unsigned char *bytes = data;
    uint64_t *seed = ctx;
    for (size_t i = 0; i < size; i++) {
        *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (unsigned char)(*seed >> 56);
    }
}

static void random_draws_stay_in_range(void **state) {
    (void)state;
    uint64_t seed = 7;
    sl_env env = {NULL, NULL, counting_random, &seed};
    bool seen[6] = {false};
    for (int i = 0; i < 1000; i++) {
        assert_true(sl_env_salt(&env) > 0);
        uint64_t die = sl_env_below(&env, 6);
        assert_true(die < 6);
        seen[die] = true;
    }
    for (int i = 0; i < 6; i++)
        assert_true(seen[i]);
    assert_int_equal(sl_env_below(&env, 1), 0);
}

static void a_status_says_what_and_where(void **state) {
    (void)state;
    sl_status st = SL_STATUS_INIT;
    assert_false(sl_fail_at(&st, SL_ERR_CHANGESET, "P-INT", 17, "varint of %d bytes", 11));
    assert_int_equal(st.cls, SL_ERR_CHANGESET);
    assert_string_equal(st.id, "P-INT");
    assert_int_equal(st.offset, 17);
    assert_string_equal(st.message, "varint of 11 bytes");
    assert_string_equal(sl_status_class_name(st.cls), "changeset");
    assert_false(sl_fail_code(&st, SL_ERR_SESSION, 208, "unknown file"));
    assert_int_equal(st.code, 208);
    assert_int_equal(st.offset, SL_STATUS_NO_OFFSET);
    assert_false(sl_fail_memory(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_blocks_are_aligned_and_apart),
        cmocka_unit_test(arena_reset_keeps_memory_for_reuse),
        cmocka_unit_test(arena_refuses_sizes_that_overflow),
        cmocka_unit_test(buffer_remembers_a_failed_allocation),
        cmocka_unit_test(buffer_appends_and_consumes),
        cmocka_unit_test(string_map_agrees_with_a_model),
        cmocka_unit_test(string_map_distinguishes_prefixes_and_nul),
        cmocka_unit_test(random_draws_stay_in_range),
        cmocka_unit_test(a_status_says_what_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
