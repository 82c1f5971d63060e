/* Every example of doc/merge.md does what the page says, in both roles and on both devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario.h"

enum { MAX_TEXT = 4096 };

/* One fenced block, taken apart. Ann is file 2, Bob is file 3. */
typedef struct page {
    char schema[MAX_TEXT], start[MAX_TEXT], ann[MAX_TEXT], bob[MAX_TEXT], both[MAX_TEXT];
    char refused[16];
    unsigned hours[2], minutes[2], line, examples;
} page;

static void take_line(page *p, char *line) {
    char *colon;
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "start: ", 7) == 0) {
        strcpy(p->start, line + 7);
    } else if (strncmp(line, "Ann ", 4) == 0 || strncmp(line, "Bob ", 4) == 0) {
        bool bob = line[0] == 'B';
        assert_int_equal(sscanf(line + 4, "%u:%u", &p->hours[bob], &p->minutes[bob]), 2);
        colon = strstr(line, ": ");
        assert_non_null(colon);
        strcpy(bob ? p->bob : p->ann, colon + 2);
    } else if (strncmp(line, "both: ", 6) == 0) {
        strcpy(p->both, line + 6);
    } else if (strncmp(line, "refused: ", 9) == 0) {
        snprintf(p->refused, sizeof p->refused, "%.15s", line + 9);
    } else {
        fail_msg("doc/merge.md:%u: not understood: %s", p->line, line);
    }
}

static uint64_t time_of(const page *p, int who) {
    return (p->hours[who] * 60u + p->minutes[who]) * 60000u;
}

static void run_example(page *p) {
    scenario s = {.name = p->both,
                  .schema = p->schema,
                  .base = p->start,
                  .left = {{time_of(p, 0), 2, p->ann}},
                  .right = {{time_of(p, 1), 3, p->bob}},
                  .expect = p->both};
    sl_buf seen[2];
    sl_buf_init(&seen[0], NULL);
    sl_buf_init(&seen[1], NULL);
    for (int swapped = 0; swapped < 2; swapped++) {
        sl_status st = SL_STATUS_INIT;
        bool ok = scenario_run(&s, swapped, seen, &st);
        if (p->refused[0]) {
            assert_false(ok);
            assert_string_equal(st.id, p->refused);
            continue;
        }
        if (!ok) fail_msg("doc/merge.md:%u: %s %s", p->line, st.id, st.message);
        for (int device = 0; device < 2; device++)
            if (strcmp(seen[device].data, p->both) != 0)
                fail_msg("doc/merge.md:%u: %s sees %s", p->line, device ? "Bob" : "Ann",
                         seen[device].data);
    }
    sl_buf_free(&seen[0]);
    sl_buf_free(&seen[1]);
    p->examples++;
}

static void the_examples_of_the_page_are_true(void **state) {
    (void)state;
    static page p;
    char line[MAX_TEXT], inside = 0;
    FILE *file = fopen("doc/merge.md", "r");
    assert_non_null(file);
    for (p.line = 1; fgets(line, sizeof line, file); p.line++) {
        if (strncmp(line, "```", 3) == 0) {
            if (inside == 'm') run_example(&p);
            inside = inside ? 0 : line[3] == 'm' ? 'm' : line[3] == 's' ? 's' : 'x';
            if (inside == 'm') p.start[0] = p.ann[0] = p.bob[0] = p.both[0] = p.refused[0] = 0;
        } else if (inside == 'm') {
            take_line(&p, line);
        } else if (inside == 's') {
            line[strcspn(line, "\n")] = ';';
            strcat(p.schema, line);
        }
    }
    fclose(file);
    assert_true(p.examples >= 30);
    print_message("%u examples\n", p.examples);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_page_are_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
