/* Two to six devices and a server in memory: random programs over everything a device can do,
 * random uploads and downloads in batches of random size, offline periods, clocks that go back.
 * After a full exchange all of them must have the same state.
 *
 *   network_test                      thousands of seeds, at most 20 seconds
 *   network_test --seeds N --first K  any number
 *
 * A program that fails is shrunk and printed as a line in the form of the convergence vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "network_program.h"

static bool run_program(const program *p, uint64_t *merges, uint64_t *instructions, sl_status *st) {
    net n;
    sl_merge_options options = {.set_erase = p->content ? SL_SET_ERASE_CONTENT : SL_SET_ERASE_BOTH};
    uint64_t now = 1000000;
    bool ok = net_open(&n, p->clients, &options) && start(&n, st);
    for (size_t i = 0; ok && i < p->count; i++) {
        const action *a = &p->actions[i];
        now += (uint64_t)(int64_t)a->clock;
        if (a->kind == EDIT)
            ok = run_edit(&n, p, a, now, st);
        else if (a->kind == UPLOAD)
            ok = upload(&n, a->peer, a->count, st) >= 0;
        else
            ok = download(&n, a->peer, a->count, st) >= 0;
    }
    ok = ok && exchange_everything(&n, st) && all_equal(&n, st);
    *merges += n.merges;
    *instructions += n.instructions;
    net_close(&n);
    return ok;
}

/* ---- when one fails ---- */

static bool still_fails(const program *p) {
    uint64_t merges = 0, instructions = 0;
    sl_status st = SL_STATUS_INIT;
    return !run_program(p, &merges, &instructions, &st);
}

static void remove_actions(program *p, size_t from, size_t count) {
    memmove(&p->actions[from], &p->actions[from + count],
            (p->count - from - count) * sizeof *p->actions);
    p->count -= count;
}

static void remove_op(action *a, int k) {
    memmove(&a->ops[k], &a->ops[k + 1], (size_t)(a->count - 1 - k) * sizeof *a->ops);
    a->count--;
}

/* Removes actions and single edits as long as the program keeps failing. */
static void shrink(program *p) {
    for (size_t size = p->count / 2; size >= 1; size /= 2)
        for (size_t at_action = 0; at_action + size <= p->count;) {
            program smaller = *p;
            remove_actions(&smaller, at_action, size);
            if (still_fails(&smaller))
                *p = smaller;
            else
                at_action += size;
        }
    for (size_t i = 0; i < p->count; i++)
        for (int k = 0; p->actions[i].kind == EDIT && k < p->actions[i].count;) {
            program smaller = *p;
            if (p->actions[i].count == 1) break;
            remove_op(&smaller.actions[i], k);
            if (still_fails(&smaller))
                *p = smaller;
            else
                k++;
        }
}

static void print_vector(const program *p, FILE *out) {
    uint64_t merges = 0, instructions = 0;
    sl_status st = SL_STATUS_INIT;
    events = out;
    first_event = true;
    fprintf(out, "{\"name\":\"seed/%llu\",\"clients\":%zu,\"converged\":false,\"events\":[",
            (unsigned long long)p->seed, p->clients);
    run_program(p, &merges, &instructions, &st);
    fprintf(out, "],\"failure\":\"%s %s\"}\n", st.id, st.message);
    events = NULL;
}

static bool check_seed(uint64_t seed, uint64_t *merges, uint64_t *instructions) {
    program p = make_program(seed);
    sl_status st = SL_STATUS_INIT;
    if (run_program(&p, merges, instructions, &st)) return true;
    printf("seed %llu fails: %s %s; smallest program found:\n", (unsigned long long)seed, st.id,
           st.message);
    shrink(&p);
    print_vector(&p, stdout);
    return false;
}

static uint64_t run_seeds(uint64_t first, uint64_t count, double seconds) {
    uint64_t merges = 0, instructions = 0, failed = 0, seed = first;
    clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
    for (; seed - first < count && (seconds == 0 || clock() < end); seed++)
        failed += !check_seed(seed, &merges, &instructions);
    printf("%llu programs, %llu instructions recorded, %llu merges, %llu failed\n",
           (unsigned long long)(seed - first), (unsigned long long)instructions,
           (unsigned long long)merges, (unsigned long long)failed);
    return failed;
}

static void all_devices_converge(void **state) {
    (void)state;
    assert_int_equal(run_seeds(1, 12000, 20), 0);
}

/* Guards the test itself. */
static void the_programs_reach_every_kind_of_instruction(void **state) {
    (void)state;
    uint32_t seen = 0;
    for (uint64_t seed = 1; seed < 60; seed++) {
        program p = make_program(seed);
        net n;
        sl_status st = SL_STATUS_INIT;
        sl_changeset cs;
        sl_changeset_init(&cs, NULL);
        assert_true(net_open(&n, p.clients, &(sl_merge_options){.no_index = false}));
        assert_true(start(&n, &st));
        for (size_t i = 0; i < p.count; i++)
            if (p.actions[i].kind == EDIT) run_edit(&n, &p, &p.actions[i], 1, &st);
        for (size_t c = 1; c <= n.clients; c++)
            for (size_t i = 0; i < n.peers[c].count; i++) {
                const sl_buf *bytes = &n.peers[c].entries[i].original;
                sl_changeset_reset(&cs);
                sl_changeset_parse(&cs, bytes->data, bytes->size, NULL);
                for (uint32_t j = 0; j < cs.count; j++)
                    seen |= 1u << cs.instructions[j].op;
            }
        sl_changeset_free(&cs);
        net_close(&n);
    }
    assert_int_equal(seen, (1u << SL_OP_COUNT) - 1);
}

int main(int argc, char **argv) {
    uint64_t seeds = 0, first = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) seeds = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--first") == 0) first = strtoull(argv[i + 1], NULL, 10);
    }
    if (seeds) return run_seeds(first, seeds, 0) != 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_programs_reach_every_kind_of_instruction),
        cmocka_unit_test(all_devices_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
