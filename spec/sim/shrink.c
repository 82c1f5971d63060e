#include "run.h"

#include <string.h>

typedef struct shrinker {
    program *best;
    run_result *result;
    int tries;
} shrinker;

/* Whether `candidate` still fails; if so it becomes the best one. */
static bool keep_if_it_fails(shrinker *s, program *candidate) {
    run_result result;
    if (s->tries-- <= 0) {
        program_free(candidate);
        return false;
    }
    run_program(candidate, NULL, &result);
    if (result.ok) {
        program_free(candidate);
        return false;
    }
    program_free(s->best);
    *s->best = *candidate;
    *s->result = result;
    return true;
}

static bool without(shrinker *s, size_t first, size_t count) {
    program candidate;
    program_copy(&candidate, s->best);
    size_t rest = candidate.count - first - count;
    memmove(candidate.steps + first, candidate.steps + first + count,
            rest * sizeof *candidate.steps);
    candidate.count -= count;
    return keep_if_it_fails(s, &candidate);
}

static bool drop_client(shrinker *s, int number) {
    program candidate;
    program_copy(&candidate, s->best);
    size_t kept = 0;
    for (size_t i = 0; i < candidate.count; i++) {
        sim_step one = candidate.steps[i];
        if (one.who == number) continue;
        if (one.who > number) one.who--;
        candidate.steps[kept++] = one;
    }
    candidate.count = kept;
    candidate.clients--;
    return keep_if_it_fails(s, &candidate);
}

static void simplify(shrinker *s) {
    program candidate;
    program_copy(&candidate, s->best);
    candidate.buffer = 65536;
    candidate.jitter = 1;
    keep_if_it_fails(s, &candidate);
    program_copy(&candidate, s->best);
    candidate.fast_commits = false;
    keep_if_it_fails(s, &candidate);
}

void shrink_program(program *p, int tries, run_result *result) {
    shrinker s = {p, result, tries};
    simplify(&s);
    for (bool progress = true; progress && s.tries > 0;) {
        progress = false;
        for (int number = p->clients - 1; number >= 0 && p->clients > 2; number--)
            if (drop_client(&s, number)) progress = true;
        for (size_t chunk = (p->count + 1) / 2; chunk > 0 && s.tries > 0; chunk /= 2)
            for (size_t at = 0; at + chunk <= p->count && s.tries > 0;) {
                if (without(&s, at, chunk))
                    progress = true;
                else
                    at += chunk;
            }
    }
}
