/* What merges cost, in counted steps: four times the input takes less than five times the steps.
 * And that long runs of list instructions, which are merged in large parts, come out as they do
 * pair by pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "merge_side.h"
#include "transform/transform.h"

/* ---- edits of one list ---- */

/* A side while it is written: the list as this side sees it. */
typedef struct writer {
    merge_side side;
    sl_changeset *cs;
    uint64_t random;
    uint32_t size;
} writer;

enum { BASE = 40 };

static uint32_t below(writer *w, uint32_t limit) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w->random >> 33) % limit;
}

static sl_instruction *add(writer *w, sl_op op, const char *field) {
    sl_instruction *in = sl_changeset_append(w->cs, op);
    assert_non_null(in);
    in->class_name = sl_changeset_intern(w->cs, SL_STR("P"));
    if (field) in->field = sl_changeset_intern(w->cs, sl_str_c(field));
    in->key.type = SL_TYPE_INT;
    return in;
}

static void edit(writer *w, sl_op op, uint32_t at, uint32_t to) {
    sl_instruction *in = add(w, op, "l");
    in->path = sl_arena_zero(&w->cs->arena, 1, sizeof *in->path);
    assert_non_null(in->path);
    *in->path = (sl_path_elem){true, at};
    in->path_size = 1;
    in->prior_size = w->size;
    in->to = to;
    in->value.type = op == SL_OP_UPDATE || op == SL_OP_ARRAY_INSERT ? SL_TYPE_INT : SL_TYPE_NULL;
    in->value.integer = w->cs->count;
    if (op == SL_OP_ARRAY_INSERT) w->size++;
    if (op == SL_OP_ARRAY_ERASE) w->size--;
}

typedef void (*edit_kind)(writer *w, int number);

static void append(writer *w, int number) {
    (void)number;
    edit(w, SL_OP_ARRAY_INSERT, w->size, 0);
}
static void prepend(writer *w, int number) {
    (void)number;
    edit(w, SL_OP_ARRAY_INSERT, 0, 0);
}
static void into_the_middle(writer *w, int number) {
    edit(w, SL_OP_ARRAY_INSERT, BASE / 2 + (uint32_t)number, 0);
}
static void come_and_go(writer *w, int number) {
    edit(w, number % 2 ? SL_OP_ARRAY_ERASE : SL_OP_ARRAY_INSERT, 0, 0);
}
static void come_and_go_at_the_end(writer *w, int number) {
    bool erase = number % 2;
    edit(w, erase ? SL_OP_ARRAY_ERASE : SL_OP_ARRAY_INSERT, w->size - erase, 0);
}
static void erase_from_the_front(writer *w, int number) {
    (void)number;
    if (w->size == BASE) w->size = 100000;
    edit(w, SL_OP_ARRAY_ERASE, 0, 0);
}
static void erase_from_the_end(writer *w, int number) {
    (void)number;
    if (w->size == BASE) w->size = 100000;
    edit(w, SL_OP_ARRAY_ERASE, w->size - 1, 0);
}
static void update_in_order(writer *w, int number) {
    w->size = 100000;
    edit(w, SL_OP_UPDATE, (uint32_t)number, 0);
}
/* As people write: a few characters, some of them taken back, then somewhere else. */
static void type(writer *w, int number) {
    static uint32_t at;
    if (number % 12 == 0) at = below(w, w->size);
    if (at > w->size) at = w->size;
    if (at > 0 && below(w, 6) == 0)
        edit(w, SL_OP_ARRAY_ERASE, --at, 0);
    else
        edit(w, SL_OP_ARRAY_INSERT, at++, 0);
}
static void anything(writer *w, int number) {
    (void)number;
    uint32_t kind = below(w, 10);
    if (kind < 4 || w->size < 2)
        edit(w, SL_OP_ARRAY_INSERT, below(w, w->size + 1), 0);
    else if (kind < 7)
        edit(w, SL_OP_ARRAY_ERASE, below(w, w->size), 0);
    else if (kind < 9)
        edit(w, SL_OP_UPDATE, below(w, w->size), 0);
    else
        edit(w, SL_OP_ARRAY_MOVE, below(w, w->size), below(w, w->size));
}

/* ---- other edits ---- */

static void set_a_value(writer *w, int number) {
    sl_instruction *in = add(w, SL_OP_UPDATE, "x");
    in->value.type = SL_TYPE_INT;
    in->value.integer = number;
}
static void count_up(writer *w, int number) {
    sl_instruction *in = add(w, SL_OP_ADD_INTEGER, "x");
    in->value.type = SL_TYPE_INT;
    in->value.integer = number;
}
static void create_and_erase(writer *w, int number) {
    add(w, number % 2 ? SL_OP_ERASE_OBJECT : SL_OP_CREATE_OBJECT, NULL);
}
static void add_a_class(writer *w, int number) {
    char name[16];
    sl_instruction *in = add(w, SL_OP_ADD_TABLE, "_id");
    snprintf(name, sizeof name, "C%d", number);
    in->class_name = sl_changeset_intern(w->cs, sl_str_c(name));
    in->type = SL_TYPE_INT;
}
static void add_a_property(writer *w, int number) {
    char name[16];
    snprintf(name, sizeof name, "x%d", number);
    add(w, SL_OP_ADD_COLUMN, name)->type = SL_TYPE_INT;
}
static void erase_a_property(writer *w, int number) {
    char name[16];
    snprintf(name, sizeof name, "x%d", number);
    add(w, SL_OP_ERASE_COLUMN, name);
}

/* ---- merging ---- */

/* `count` edits in changesets of `each`, with times that go up by 2 from `time`. */
static writer write_side(edit_kind kind, int count, int each, uint64_t time, uint64_t file) {
    writer w = {.random = time * 977 + (uint64_t)count, .size = BASE};
    side_open(&w.side, (size_t)((count + each - 1) / each), NULL);
    for (size_t e = 0; e < w.side.count; e++) {
        w.side.items[e].origin_timestamp = time + 2 * e;
        w.side.items[e].origin_file = file;
        w.cs = &w.side.changesets[e];
        for (int k = 0; k < each && count > 0; k++, count--)
            kind(&w, (int)e * each + k);
    }
    return w;
}

static uint64_t steps_of(edit_kind left, edit_kind right, int count, int each) {
    writer a = write_side(left, count, each, 10, 2), b = write_side(right, count, each, 11, 3);
    sl_status st = SL_STATUS_INIT;
    sl_steps steps = {0, 0};
    sl_merge_options options = {.steps = &steps};
    if (!sl_transform(a.side.items, a.side.count, b.side.items, b.side.count, &options, &st))
        fail_msg("%s", st.message);
    side_free(&a.side);
    side_free(&b.side);
    return steps.taken;
}

typedef struct pairing {
    const char *name;
    edit_kind left, right;
} pairing;

static const pairing pairings[] = {
    {"append and append", append, append},
    {"append and prepend", append, prepend},
    {"prepend and prepend", prepend, prepend},
    {"one place and the same place", into_the_middle, into_the_middle},
    {"come and go", come_and_go, come_and_go},
    {"come and go at the end", come_and_go_at_the_end, come_and_go_at_the_end},
    {"come and go, append", come_and_go, append},
    {"append, come and go", append, come_and_go},
    {"erase from the front, both", erase_from_the_front, erase_from_the_front},
    {"erase from the front and from the end", erase_from_the_front, erase_from_the_end},
    {"erase from the end and from the front", erase_from_the_end, erase_from_the_front},
    {"update, both", update_in_order, update_in_order},
    {"values", set_a_value, set_a_value},
    {"counters", count_up, count_up},
    {"objects that come and go", create_and_erase, create_and_erase},
    {"objects that come and go, values", create_and_erase, set_a_value},
    {"classes", add_a_class, add_a_class},
    {"properties", add_a_property, add_a_property},
    {"properties, erased ones", add_a_property, erase_a_property},
    {"append, type", append, type},
    {"type, append", type, append},
};

static void four_times_the_input_takes_less_than_five_times_the_steps(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof pairings / sizeof *pairings; k++) {
        const pairing *p = &pairings[k];
        for (int one = 0; one < 2; one++) {
            int each = one ? 1 : 8000;
            uint64_t once = steps_of(p->left, p->right, 2000, each);
            uint64_t four = steps_of(p->left, p->right, 8000, each);
            if (four >= 5 * once)
                fail_msg("%s, changesets of %d: %llu steps, %llu for four times the input", p->name,
                         each, (unsigned long long)once, (unsigned long long)four);
        }
    }
}

static void a_merge_stops_at_its_limit(void **state) {
    (void)state;
    writer a = write_side(anything, 400, 400, 10, 2), b = write_side(anything, 400, 400, 11, 3);
    sl_status st = SL_STATUS_INIT;
    sl_steps steps = {0, 20000};
    sl_merge_options options = {.steps = &steps};
    assert_false(
        sl_transform(a.side.items, a.side.count, b.side.items, b.side.count, &options, &st));
    assert_int_equal(st.cls, SL_ERR_CHANGESET);
    assert_string_equal(st.id, SL_MERGE_TOO_LONG);
    assert_true(steps.taken > 20000 && steps.taken < 22000);
    side_free(&a.side);
    side_free(&b.side);
}

/* ---- the same result as pair by pair ---- */

static const edit_kind kinds[] = {append,
                                  prepend,
                                  into_the_middle,
                                  come_and_go,
                                  come_and_go_at_the_end,
                                  erase_from_the_front,
                                  erase_from_the_end,
                                  type,
                                  anything};
enum { KINDS = sizeof kinds / sizeof *kinds, RUN = 300 };

/* Clocks that go back now and then; the two sides never have the same time. */
static void shake_clocks(writer *w) {
    for (size_t e = 0; e < w->side.count; e++)
        w->side.items[e].origin_timestamp += 2 * (uint64_t)below(w, 40);
}

static void merged(const writer *a, const writer *b, bool no_index, sl_buf *out) {
    merge_side x, y;
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.no_index = no_index};
    side_copy(&x, &a->side, NULL);
    side_copy(&y, &b->side, NULL);
    sl_buf_clear(out);
    if (sl_transform(x.items, x.count, y.items, y.count, &options, &st)) {
        side_text(&x, true, out);
        side_text(&y, true, out);
    } else {
        sl_buf_text(out, st.id);
    }
    side_free(&x);
    side_free(&y);
}

static void compare(size_t left, size_t right, int each, int other_each) {
    writer a = write_side(kinds[left], RUN, each, 10, 2);
    writer b = write_side(kinds[right], RUN, other_each, 11 + 2 * (RUN / 3), 3);
    sl_buf want, got;
    sl_buf_init(&want, NULL);
    sl_buf_init(&got, NULL);
    shake_clocks(&a);
    shake_clocks(&b);
    for (int swapped = 0; swapped < 2; swapped++) {
        merged(swapped ? &b : &a, swapped ? &a : &b, true, &want);
        merged(swapped ? &b : &a, swapped ? &a : &b, false, &got);
        if (!buf_same(&want, &got))
            fail_msg("kinds %zu and %zu, changesets of %d and %d", left, right, each, other_each);
    }
    sl_buf_free(&want);
    sl_buf_free(&got);
    side_free(&a.side);
    side_free(&b.side);
}

static void long_runs_come_out_as_pair_by_pair(void **state) {
    static const int sizes[] = {1, 9, RUN};
    (void)state;
    for (size_t left = 0; left < KINDS; left++)
        for (size_t right = 0; right <= left; right++)
            for (int k = 0; k < 9; k++)
                compare(left, right, sizes[k / 3], sizes[k % 3]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_times_the_input_takes_less_than_five_times_the_steps),
        cmocka_unit_test(a_merge_stops_at_its_limit),
        cmocka_unit_test(long_runs_come_out_as_pair_by_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
