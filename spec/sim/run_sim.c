/* run_sim - random programs on a server and clients full of faults.
 *
 *   run_sim [--seeds N] [--first K] [--log]   runs seeds K .. K+N-1; the last line is
 *                                             "sim: N passed, N failed"
 *   run_sim --mutations [--seeds N]           switches off one safety after the other and looks for
 *                                             a seed that finds it
 *   run_sim --forever [--first K]             until somebody stops it
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mutation.h"
#include "run.h"

enum { SHRINK_TRIES = 400 };

static void report(const program *p, const run_result *result) {
    program small;
    run_result why = *result;
    program_copy(&small, p);
    printf("seed %" PRIu64 " failed: %s\n", p->seed, result->why);
    fflush(stdout);
    shrink_program(&small, SHRINK_TRIES, &why);
    printf("shrunk from %zu to %zu steps: %s\n", p->count, small.count, why.why);
    program_print(&small, stdout);
    printf("events:\n");
    run_program(&small, stdout, &why);
    program_free(&small);
    fflush(stdout);
}

static bool run_seed(uint64_t seed, bool log, bool quiet, run_result *result) {
    program p;
    program_make(&p, seed);
    if (log) program_print(&p, stdout);
    run_program(&p, log ? stdout : NULL, result);
    if (!result->ok && !quiet) report(&p, result);
    program_free(&p);
    return result->ok;
}

static int run_seeds(uint64_t first, uint64_t seeds, bool log) {
    uint64_t passed = 0, failed = 0, writes = 0, resets = 0;
    run_result result;
    for (uint64_t i = 0; i < seeds; i++) {
        if (run_seed(first + i, log, false, &result))
            passed++;
        else
            failed++;
        writes += result.writes;
        resets += result.resets;
        if (seeds == UINT64_MAX && (i + 1) % 1000 == 0) {
            printf("%" PRIu64 " passed, %" PRIu64 " failed, next seed %" PRIu64 "\n", passed,
                   failed, first + i + 1);
            fflush(stdout);
        }
    }
    printf("%" PRIu64 " transactions, %" PRIu64 " client resets\n", writes, resets);
    printf("sim: %" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    return failed != 0;
}

static int run_mutations(uint64_t first, uint64_t seeds) {
    int found = 0;
    for (int i = 0; i < mutation_count(); i++) {
        uint64_t seed = first, end = first + seeds;
        run_result result = {.ok = true};
        mutation_choose(i);
        while (seed < end && run_seed(seed, false, true, &result))
            seed++;
        if (!result.ok) {
            found++;
            printf("found: %s - seed %" PRIu64 ": %s\n", mutation_name(i), seed, result.why);
        } else {
            printf("missed: %s (%" PRIu64 " seeds)\n", mutation_name(i), seeds);
        }
        fflush(stdout);
    }
    mutation_choose(-1);
    printf("mutations: %d passed, %d failed\n", found, mutation_count() - found);
    return found != mutation_count();
}

int main(int argc, char **argv) {
    uint64_t seeds = 0, first = 1;
    bool log = false, mutations = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc)
            first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--log") == 0)
            log = true;
        else if (strcmp(argv[i], "--mutations") == 0)
            mutations = true;
        else if (strcmp(argv[i], "--forever") == 0)
            seeds = UINT64_MAX;
        else {
            fprintf(stderr, "usage: run_sim [--seeds N] [--first K] [--log] [--mutations] "
                            "[--forever]\n");
            return 2;
        }
    }
    if (mutations) return run_mutations(first, seeds ? seeds : 3000);
    return run_seeds(first, seeds ? seeds : 1000, log);
}
