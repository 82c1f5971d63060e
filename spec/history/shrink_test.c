/* What later history makes void (history/shrink.h): every rule by itself, what must not go, and
 * that pieces of any size come to the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "history/shrink.h"
#include "notation.h"

enum { MAX_ENTRIES = 16 };

/* Entries as lines "time/file instructions". */
typedef struct log_text {
    sl_changeset changesets[MAX_ENTRIES];
    sl_shrink_entry entries[MAX_ENTRIES];
    size_t count;
    char text[2048];
} log_text;

static void read_log(log_text *log, const char *text) {
    memset(log, 0, sizeof *log);
    snprintf(log->text, sizeof log->text, "%s", text);
    for (char *line = strtok(log->text, "\n"); line; line = strtok(NULL, "\n")) {
        sl_shrink_entry *e = &log->entries[log->count];
        char *rest = line;
        e->version = log->count + 1;
        e->timestamp = strtoull(rest, &rest, 10);
        e->file = strtoull(rest + 1, &rest, 10);
        e->changeset = &log->changesets[log->count++];
        sl_changeset_init(e->changeset, NULL);
        if (!notation_read(e->changeset, rest)) fail_msg("notation: %s", rest);
    }
}

static void free_log(log_text *log) {
    for (size_t i = 0; i < log->count; i++)
        sl_changeset_free(&log->changesets[i]);
}

static bool shrink_log(const sl_alloc *alloc, log_text *log, size_t piece, size_t memory) {
    sl_shrink *s = sl_shrink_new(alloc, memory);
    bool ok = s != NULL;
    for (size_t end = log->count; ok && end > 0;) {
        size_t first = end > piece ? end - piece : 0, sums = 0;
        ok = sl_shrink_piece(s, log->entries + first, end - first, NULL);
        const sl_shrink_sum *sum = sl_shrink_sums(s, &sums);
        for (size_t i = 0; ok && i < sums; i++) {
            sl_changeset *cs = &log->changesets[sum[i].version - 1];
            assert_true(sum[i].index < cs->count);
            assert_int_equal(cs->instructions[sum[i].index].op, SL_OP_ADD_INTEGER);
            cs->instructions[sum[i].index].value.integer += sum[i].delta;
        }
        end = first;
    }
    sl_shrink_free(s);
    return ok;
}

static void write_log(const log_text *log, sl_buf *out) {
    for (size_t i = 0; i < log->count; i++) {
        notation_write(&log->changesets[i], out);
        sl_buf_byte(out, '\n');
    }
    sl_buf_byte(out, 0);
}

static void expect(const char *before, const char *after) {
    for (size_t piece = 1; piece <= 3; piece++) {
        log_text log;
        sl_buf out;
        read_log(&log, before);
        sl_buf_init(&out, NULL);
        assert_true(shrink_log(NULL, &log, piece == 3 ? MAX_ENTRIES : piece, 1 << 20));
        write_log(&log, &out);
        assert_string_equal(out.data, after);
        sl_buf_free(&out);
        free_log(&log);
    }
}

static void stays(const char *text, const char *same) {
    expect(text, same);
}

static void an_update_ends_earlier_ones(void **state) {
    (void)state;
    expect("10/2 P1.x = 1\n20/2 P1.x = 2; P2.x = 5\n30/3 P1.x = 3", "\nP2.x = 5\nP1.x = 3\n");
    expect("10/2 P1.x = 1\n20/2 P1.x = null", "\nP1.x = null\n");
    expect("10/2 P1.d.k = 1\n20/2 P1.d.k = erased", "\nP1.d.k = erased\n");
    expect("10/2 P1.f[1] = 1 |3|\n20/2 P1.f[1] = 2 |3|", "\nP1.f[1] = 2 |3|\n");
    expect("10/2 P1.x += 1\n20/2 P1.x = 2", "\nP1.x = 2\n");
    stays("10/2 P1.x = 1\n20/2 Q1.x = 2", "P1.x = 1\nQ1.x = 2\n");
    stays("10/2 P1.x = 1\n20/2 P1.y = 2", "P1.x = 1\nP1.y = 2\n");
}

/* Who wrote last wins: a younger write that came earlier still decides against a third one. */
static void a_younger_update_stays(void **state) {
    (void)state;
    stays("30/2 P1.x = 1\n20/2 P1.x = 2", "P1.x = 1\nP1.x = 2\n");
    stays("20/3 P1.x = 1\n20/2 P1.x = 2", "P1.x = 1\nP1.x = 2\n");
    expect("20/2 P1.x = 1\n20/3 P1.x = 2", "\nP1.x = 2\n");
    expect("10/2 P1.x = 0\n30/2 P1.x = 1\n20/2 P1.x = 2", "\nP1.x = 1\nP1.x = 2\n");
    stays("30/2 P1.x += 1\n20/2 P1.x = 2", "P1.x += 1\nP1.x = 2\n");
    /* An increment that stays needs a number to be added to. */
    stays("10/2 P1.m = 1\n30/2 P1.m += 1\n20/2 P1.m = 2", "P1.m = 1\nP1.m += 1\nP1.m = 2\n");
}

static void a_default_ends_defaults_only(void **state) {
    (void)state;
    stays("10/2 P1.x = 1\n20/2 P1.x = 2 default", "P1.x = 1\nP1.x = 2 default\n");
    stays("10/2 P1.x += 1\n20/2 P1.x = 2 default", "P1.x += 1\nP1.x = 2 default\n");
    stays("10/2 P1.m.k = 1\n20/2 P1.m = 2 default", "P1.m.k = 1\nP1.m = 2 default\n");
    /* What stays below needs the collection. */
    stays("5/2 P1.m = dict default\n10/2 P1.m.k = 1\n20/2 P1.m = 2 default",
          "P1.m = dict default\nP1.m.k = 1\nP1.m = 2 default\n");
    expect("10/2 P1.x = 1 default\n20/2 P1.x = 2 default", "\nP1.x = 2 default\n");
    expect("10/2 P1.x = 1 default\n20/2 P1.x = 2", "\nP1.x = 2\n");
}

static void increments_are_summed_up(void **state) {
    (void)state;
    expect("10/2 P1.x += 1\n20/2 P1.x += 2\n30/3 P1.x += 4", "\n\nP1.x += 7\n");
    expect("10/2 P1.x += 1\n20/2 P1.x = 5\n25/2 P1.x += 2\n30/3 P1.x += 4",
           "\nP1.x = 5\n\nP1.x += 6\n");
    expect("10/2 P1.x += 1\n20/2 P2.x = 1; P1.x += 2; P2.x = 2; P1.x += 4\n30/2 P1.y = 1",
           "\nP2.x = 2; P1.x += 7\nP1.y = 1\n");
    /* What is added to another field, or to the same one of a new embedded object, is another
     * number. */
    stays("10/2 P1.e.n += 1\n20/2 P1.e = object\n30/2 P1.e.n += 2",
          "P1.e.n += 1\nP1.e = object\nP1.e.n += 2\n");
    stays("10/2 P1.f[0].n += 1\n20/2 ins P1.f[0] object |1|\n30/2 P1.f[0].n += 2",
          "P1.f[0].n += 1\nins P1.f[0] object |1|\nP1.f[0].n += 2\n");
}

static void what_is_erased_needs_no_content(void **state) {
    (void)state;
    expect("10/2 create P1; P1.x = 1; ins P1.f[0] 5 |0|\n20/3 P1.f[0] = 6 |1|\n30/2 erase P1",
           "\n\nerase P1\n");
    expect("10/2 create P1; P1.x = 1\n20/2 erase P1; create P1; P1.y = 2",
           "\nerase P1; create P1; P1.y = 2\n");
    expect("10/2 create P1\n20/2 erase P1\n30/2 create P1\n40/2 erase P1", "\n\n\nerase P1\n");
    /* A younger erasure decides against others who erase and create. */
    expect("10/2 create P1\n50/2 erase P1\n30/2 create P1; P1.x = 1\n40/2 erase P1",
           "\nerase P1\n\nerase P1\n");
    stays("10/2 create P1; P2.q = P1\n20/2 P2.x = 1", "create P1; P2.q = P1\nP2.x = 1\n");
}

static void a_clear_empties_what_is_inside(void **state) {
    (void)state;
    expect("10/2 ins P1.f[0] 5 |0|; ins P1.f[1] 6 |1|\n20/2 mov P1.f[0>1] |2|\n30/2 clr P1.f list; "
           "ins P1.f[0] 7 |0|",
           "\n\nclr P1.f list; ins P1.f[0] 7 |0|\n");
    expect("10/2 add P1.s 5\n20/2 rem P1.s 5\n30/2 clr P1.s set", "\n\nclr P1.s set\n");
    expect("10/2 P1.d.k = 5\n20/2 clr P1.d dict\n30/2 clr P1.d dict", "\n\nclr P1.d dict\n");
    stays("40/2 clr P1.d dict\n30/2 clr P1.d dict", "clr P1.d dict\nclr P1.d dict\n");
    /* The place itself may need what it was: a Clear needs the dictionary entry. */
    stays("10/2 P1.d.k = list\n20/2 clr P1.d.k list", "P1.d.k = list\nclr P1.d.k list\n");
}

static void collections_in_mixed_replace_one_another(void **state) {
    (void)state;
    expect("10/2 P1.m = list; clr P1.m list; ins P1.m[0] 1 |0|\n20/2 P1.m = dict; clr P1.m dict; "
           "P1.m.k = 1",
           "\nP1.m = dict; clr P1.m dict; P1.m.k = 1\n");
    expect("10/2 P1.m = list; clr P1.m list; ins P1.m[0] 1 |0|\n20/2 P1.m = 5", "\nP1.m = 5\n");
    /* Without the Clear the content may be kept. */
    stays("10/2 P1.m = list; ins P1.m[0] 1 |0|\n20/2 P1.m = list",
          "P1.m = list; ins P1.m[0] 1 |0|\nP1.m = list\n");
}

static void embedded_objects_go_with_their_place(void **state) {
    (void)state;
    expect(
        "10/2 P1.e = object; P1.e.x = 1; P1.e.l = 2\n20/2 P1.e = null; P1.e = object; P1.e.x = 3",
        "\nP1.e = null; P1.e = object; P1.e.x = 3\n");
    stays("10/2 P1.e = object; P1.e.x = 1\n20/2 P1.e = object",
          "P1.e = object; P1.e.x = 1\nP1.e = object\n");
}

/* An element has another place after each change of shape. */
static void lists_that_live_keep_their_shape(void **state) {
    (void)state;
    stays("10/2 P1.f[1] = 1 |3|\n20/2 del P1.f[0] |3|\n30/2 P1.f[1] = 2 |2|",
          "P1.f[1] = 1 |3|\ndel P1.f[0] |3|\nP1.f[1] = 2 |2|\n");
    stays("10/2 ins P1.f[0] 1 |0|\n20/2 del P1.f[0] |1|", "ins P1.f[0] 1 |0|\ndel P1.f[0] |1|\n");
    expect("10/2 P1.f[1].x = 1\n20/2 P1.f[0].x = 2\n30/2 P1.f[1].x = 3",
           "\nP1.f[0].x = 2\nP1.f[1].x = 3\n");
}

static void schema_changes_end_everything_behind_them(void **state) {
    (void)state;
    stays("10/2 P1.x = 1\n20/2 drop column P.x\n30/2 column P.x:int; P1.x = 2",
          "P1.x = 1\ndrop column P.x\ncolumn P.x:int; P1.x = 2\n");
    stays("10/2 P1.x += 1\n20/2 drop column P.x; column P.x:int\n30/2 P1.x += 2",
          "P1.x += 1\ndrop column P.x; column P.x:int\nP1.x += 2\n");
    expect("10/2 P1.x = 1\n20/2 column P.y:int\n30/2 P1.x = 2", "\ncolumn P.y:int\nP1.x = 2\n");
}

/* ---- objects without primary key, which notation cannot name --------------------------------- */

static sl_key global(uint64_t lo) {
    sl_key key = {.type = SL_TYPE_GLOBALKEY};
    key.global = (sl_global_key){2, lo};
    return key;
}

static void append(sl_changeset *cs, sl_op op, uint64_t lo) {
    sl_instruction *in = sl_changeset_append(cs, op);
    in->class_name = sl_changeset_intern(cs, SL_STR("N"));
    in->key = global(lo);
}

/* Creates N 1, sets a field, has something link to it if wanted, and erases it. */
static void make_keyless(log_text *log, bool referred) {
    read_log(log, "10/2 P1.x = 1\n20/2 P1.x = 2\n30/2 P1.x = 3\n40/2 P1.x = 4");
    for (size_t i = 0; i < log->count; i++)
        log->changesets[i].count = 0;
    append(&log->changesets[0], SL_OP_CREATE_OBJECT, 1);
    append(&log->changesets[1], SL_OP_UPDATE, 1);
    log->changesets[1].instructions[0].field =
        sl_changeset_intern(&log->changesets[1], SL_STR("i"));
    if (referred) {
        static sl_link link;
        append(&log->changesets[2], SL_OP_UPDATE, 2);
        sl_instruction *in = &log->changesets[2].instructions[0];
        in->field = sl_changeset_intern(&log->changesets[2], SL_STR("next"));
        link = (sl_link){SL_STR("N"), global(1)};
        in->value.type = SL_TYPE_LINK;
        in->value.link = &link;
    }
    append(&log->changesets[3], SL_OP_ERASE_OBJECT, 1);
}

static void unnamed_objects_go_without_a_trace(void **state) {
    (void)state;
    log_text log;
    make_keyless(&log, false);
    assert_true(shrink_log(NULL, &log, MAX_ENTRIES, 1 << 20));
    for (size_t i = 0; i < log.count; i++)
        assert_int_equal(log.changesets[i].count, 0);
    free_log(&log);
    make_keyless(&log, true);
    assert_true(shrink_log(NULL, &log, MAX_ENTRIES, 1 << 20));
    assert_int_equal(log.changesets[0].count, 1);
    assert_int_equal(log.changesets[1].count, 0);
    assert_int_equal(log.changesets[2].count, 1);
    assert_int_equal(log.changesets[3].count, 1);
    free_log(&log);
    /* In pieces the erasure is written down before the creation is seen. */
    make_keyless(&log, false);
    assert_true(shrink_log(NULL, &log, 1, 1 << 20));
    assert_int_equal(log.changesets[0].count, 0);
    assert_int_equal(log.changesets[3].count, 1);
    free_log(&log);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void with_little_memory_it_finds_less(void **state) {
    (void)state;
    log_text log;
    sl_buf out;
    read_log(&log, "10/2 P1.x = 1\n20/2 P1.x = 2; P2.x = 1; P3.x = 1; P4.x = 1\n30/2 P1.x = 3");
    sl_buf_init(&out, NULL);
    assert_true(shrink_log(NULL, &log, MAX_ENTRIES, 1));
    write_log(&log, &out);
    assert_string_equal(out.data, "P1.x = 1\nP1.x = 2; P2.x = 1; P3.x = 1; P4.x = 1\nP1.x = 3\n");
    sl_buf_free(&out);
    free_log(&log);
}

static void without_memory_nothing_leaks(void **state) {
    (void)state;
    for (size_t nth = 1;; nth++) {
        failing_alloc failing;
        log_text log;
        failing_alloc_init(&failing);
        failing.fail_at = nth;
        read_log(&log,
                 "10/2 create P1; P1.x = 1; P1.y += 1\n20/2 P1.x = 2; P1.y += 2\n30/2 P1.d.k = 2");
        bool ok = shrink_log(&failing.alloc, &log, 1, 1 << 20);
        free_log(&log);
        assert_int_equal(failing.live, 0);
        if (ok) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_ends_earlier_ones),
        cmocka_unit_test(a_younger_update_stays),
        cmocka_unit_test(a_default_ends_defaults_only),
        cmocka_unit_test(increments_are_summed_up),
        cmocka_unit_test(what_is_erased_needs_no_content),
        cmocka_unit_test(a_clear_empties_what_is_inside),
        cmocka_unit_test(collections_in_mixed_replace_one_another),
        cmocka_unit_test(embedded_objects_go_with_their_place),
        cmocka_unit_test(lists_that_live_keep_their_shape),
        cmocka_unit_test(schema_changes_end_everything_behind_them),
        cmocka_unit_test(unnamed_objects_go_without_a_trace),
        cmocka_unit_test(with_little_memory_it_finds_less),
        cmocka_unit_test(without_memory_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
