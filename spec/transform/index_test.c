/* The index is an optimisation: with it and without it, in either role, in one piece or in several,
 * a merge gives the same instructions and flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "merge_case.h"
#include "merge_soup.h"

typedef struct outcome {
    bool ok;
    sl_status st;
    sl_buf local, incoming;
} outcome;

static void outcome_free(outcome *o) {
    sl_buf_free(&o->local);
    sl_buf_free(&o->incoming);
}

static outcome merged(const merge_side *local, const merge_side *incoming,
                      const sl_merge_options *options) {
    outcome o = {.st = SL_STATUS_INIT};
    merge_side a, b;
    sl_buf_init(&o.local, NULL);
    sl_buf_init(&o.incoming, NULL);
    side_copy(&a, local, NULL);
    side_copy(&b, incoming, NULL);
    o.ok = sl_transform(a.items, a.count, b.items, b.count, options, &o.st);
    if (o.ok) {
        side_text(&a, true, &o.local);
        side_text(&b, true, &o.incoming);
    }
    side_free(&a);
    side_free(&b);
    return o;
}

static void same(uint64_t seed, const char *what, const outcome *want, const outcome *got,
                 bool swapped) {
    if (want->ok != got->ok)
        fail_msg("seed %llu, %s: %s, but %s", (unsigned long long)seed, what,
                 want->ok ? "merges" : want->st.message, got->ok ? "merges" : got->st.message);
    if (!want->ok) return;
    const sl_buf *local = swapped ? &got->incoming : &got->local;
    const sl_buf *incoming = swapped ? &got->local : &got->incoming;
    if (buf_same(&want->local, local) && buf_same(&want->incoming, incoming)) return;
    fail_msg("seed %llu, %s:\nexpected\n%.*s· %.*s\ngot\n%.*s· %.*s", (unsigned long long)seed,
             what, (int)want->local.size, want->local.data, (int)want->incoming.size,
             want->incoming.data, (int)local->size, local->data, (int)incoming->size,
             incoming->data);
}

static void ignore_event(void *ctx, const sl_merge_event *event) {
    (void)event;
    ++*(unsigned *)ctx;
}

/* One changeset at a time: first all of the local side with the first incoming one, and so on. */
static outcome piecewise(const merge_side *local, const merge_side *incoming) {
    outcome o = {.st = SL_STATUS_INIT, .ok = true};
    merge_side a, b;
    sl_buf_init(&o.local, NULL);
    sl_buf_init(&o.incoming, NULL);
    side_copy(&a, local, NULL);
    side_copy(&b, incoming, NULL);
    bool *modified = calloc(a.count + 1, sizeof *modified);
    assert_non_null(modified);
    for (size_t i = 0; o.ok && i < b.count; i++) {
        sl_merge_options options = {.set_erase = SL_SET_ERASE_CONTENT};
        o.ok = sl_transform(a.items, a.count, &b.items[i], 1, &options, &o.st);
        for (size_t k = 0; k < a.count; k++)
            a.items[k].modified = modified[k] |= a.items[k].modified;
    }
    if (o.ok) {
        side_text(&a, true, &o.local);
        side_text(&b, true, &o.incoming);
    }
    free(modified);
    side_free(&a);
    side_free(&b);
    return o;
}

static bool check_seed(uint64_t seed, bool consistent, size_t instructions, bool schema) {
    soup s = soup_of(seed, consistent);
    merge_side local, incoming;
    unsigned events = 0;
    soup_side(&s, &local, 1 + soup_below(&s, 3), 1 + soup_below(&s, (uint32_t)instructions), 2,
              schema);
    soup_side(&s, &incoming, 1 + soup_below(&s, 3), 1 + soup_below(&s, (uint32_t)instructions), 3,
              schema);
    sl_merge_options plain = {.no_index = true, .set_erase = SL_SET_ERASE_CONTENT};
    sl_merge_options indexed = {.set_erase = SL_SET_ERASE_CONTENT};
    sl_merge_options explained = {
        .explain = ignore_event, .explain_ctx = &events, .set_erase = SL_SET_ERASE_CONTENT};
    outcome want = merged(&local, &incoming, &plain), got = merged(&local, &incoming, &indexed);
    same(seed, "index", &want, &got, false);
    outcome_free(&got);
    got = merged(&local, &incoming, &explained);
    same(seed, "explained", &want, &got, false);
    outcome_free(&got);
    got = merged(&incoming, &local, &indexed);
    same(seed, "roles exchanged", &want, &got, true);
    outcome_free(&got);
    got = piecewise(&local, &incoming);
    same(seed, "piecewise", &want, &got, false);
    outcome_free(&got);
    outcome_free(&want);
    side_free(&local);
    side_free(&incoming);
    return want.ok;
}

static void check_seeds(bool consistent, size_t instructions, bool schema, uint64_t count) {
    uint64_t merges = 0;
    for (uint64_t seed = 1; seed <= count; seed++)
        merges += check_seed(seed, consistent, instructions, schema);
    print_message("%llu of %llu sides merge\n", (unsigned long long)merges,
                  (unsigned long long)count);
}

static void few_instructions_of_any_kind(void **state) {
    (void)state;
    check_seeds(true, 6, true, 8000);
}
static void many_instructions_of_any_kind(void **state) {
    (void)state;
    check_seeds(true, 60, true, 2500);
}
static void many_instructions_without_schema_changes(void **state) {
    (void)state;
    check_seeds(true, 120, false, 1500);
}
static void instructions_that_contradict_each_other(void **state) {
    (void)state;
    check_seeds(false, 12, true, 8000);
}
static void many_instructions_that_contradict_each_other(void **state) {
    (void)state;
    check_seeds(false, 50, true, 1500);
}

/* Sides without a common object stay as they are, flags included. */
static void unrelated_sides_come_back_unchanged(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        soup s = soup_of(seed, true);
        merge_side local, incoming;
        sl_buf before, after;
        soup_side(&s, &local, 2, 30, 2, false);
        soup_side(&s, &incoming, 2, 30, 3, false);
        for (size_t i = 0; i < incoming.count; i++)
            for (uint32_t j = 0; j < incoming.changesets[i].count; j++)
                incoming.changesets[i].instructions[j].key.integer += 100;
        sl_buf_init(&before, NULL);
        sl_buf_init(&after, NULL);
        side_text(&local, true, &before);
        side_text(&incoming, true, &before);
        assert_true(
            sl_transform(local.items, local.count, incoming.items, incoming.count, NULL, NULL));
        side_text(&local, true, &after);
        side_text(&incoming, true, &after);
        assert_true(buf_same(&before, &after));
        sl_buf_free(&before);
        sl_buf_free(&after);
        side_free(&local);
        side_free(&incoming);
    }
}

/* An insertion into the outer list that a Clear stops half-way: inner lists before the Clear move,
 * those behind it do not. */
static void lists_below_an_outer_list_are_told_apart(void **state) {
    (void)state;
    char left[1024] = "ins P1.m[0] 1 |2|; ins P1.m[2][0] 2 |1|; del P1.m[2][0] |2|;"
                      "ins P1.m[1][0] 3 |1|; P1.m[1][1] = 4 |2|";
    char right[1024] = "ins P1.m[1][0] 5 |1|; clr P1.m list; ins P1.m[1][0] 6 |1|;"
                       "ins P1.m[1][1] 7 |2|; del P1.m[1][0] |3|";
    for (int i = 0; i < 10; i++) {
        sprintf(left + strlen(left), "; create X%d", i);
        sprintf(right + strlen(right), "; create Y%d", i);
    }
    merge_side local, incoming;
    case_side(&local, (case_changeset[]){{10, 2, left}, {0, 0, NULL}});
    case_side(&incoming, (case_changeset[]){{20, 3, right}, {0, 0, NULL}});
    sl_merge_options plain = {.no_index = true};
    outcome want = merged(&local, &incoming, &plain), got = merged(&local, &incoming, NULL);
    same(0, "index", &want, &got, false);
    outcome_free(&got);
    outcome_free(&want);
    want = merged(&incoming, &local, &plain);
    got = merged(&incoming, &local, NULL);
    same(0, "index, roles exchanged", &want, &got, false);
    outcome_free(&got);
    outcome_free(&want);
    side_free(&local);
    side_free(&incoming);
}

/* Every allocation fails in turn: a clean error each time, and nothing is left behind. */
static void check_faults(uint64_t seed, size_t instructions) {
    soup s = soup_of(seed, true);
    merge_side local, incoming;
    failing_alloc memory;
    failing_alloc_init(&memory);
    soup_side(&s, &local, 3, instructions, 2, true);
    soup_side(&s, &incoming, 3, instructions, 3, true);
    bool done = false;
    for (uint64_t n = 1; !done && n < 1000; n++) {
        merge_side a, b;
        sl_status st = SL_STATUS_INIT;
        sl_merge_options options = {.alloc = &memory.alloc};
        memory.fail_at = 0;
        side_copy(&a, &local, &memory.alloc);
        side_copy(&b, &incoming, &memory.alloc);
        memory.fail_at = n;
        bool ok = sl_transform(a.items, a.count, b.items, b.count, &options, &st);
        done = memory.fail_at != 0;
        memory.fail_at = 0;
        if (!done) {
            assert_false(ok);
            assert_int_equal(st.cls, SL_ERR_MEMORY);
        }
        side_free(&a);
        side_free(&b);
        assert_int_equal(memory.live, 0);
    }
    assert_true(done);
    side_free(&local);
    side_free(&incoming);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        check_faults(seed, 10);
        check_faults(seed, 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_instructions_of_any_kind),
        cmocka_unit_test(many_instructions_of_any_kind),
        cmocka_unit_test(many_instructions_without_schema_changes),
        cmocka_unit_test(instructions_that_contradict_each_other),
        cmocka_unit_test(many_instructions_that_contradict_each_other),
        cmocka_unit_test(unrelated_sides_come_back_unchanged),
        cmocka_unit_test(lists_below_an_outer_list_are_told_apart),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
