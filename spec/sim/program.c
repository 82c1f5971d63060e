#include "program.h"

#include "content.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int below(uint64_t *state, int limit) {
    return (int)(next_random(state) % (uint64_t)limit);
}

/* How likely each kind of step is, of about a thousand. A run has only some of the faults, so that
 * they do not hide one another. */
static const int usual[STEP_KINDS] = {
    [STEP_WRITE] = 350,       [STEP_TRANSACT] = 40, [STEP_EXPIRE] = 6,   [STEP_REPLACE] = 4,
    [STEP_SERVER_WRITE] = 15, [STEP_SCHEMA] = 8,    [STEP_PASS] = 350,   [STEP_CUT] = 50,
    [STEP_OFFLINE] = 25,      [STEP_ONLINE] = 35,   [STEP_PAUSE] = 8,    [STEP_RESUME] = 16,
    [STEP_CRASH] = 30,        [STEP_CRASH_AT] = 30, [STEP_FAIL_AT] = 20, [STEP_FULL] = 10,
    [STEP_ROOM] = 20,         [STEP_CLOCK] = 25,    [STEP_VERSION] = 20, [STEP_UPGRADE] = 10,
    [STEP_LINK] = 25,         [STEP_BACKUP] = 10,   [STEP_RESTORE] = 6};

static void choose_weights(uint64_t *random, int weights[STEP_KINDS]) {
    memcpy(weights, usual, sizeof usual);
    for (int kind = STEP_TRANSACT; kind < STEP_KINDS; kind++)
        if (kind != STEP_PASS && below(random, 2)) weights[kind] = 0;
    if (weights[STEP_OFFLINE]) weights[STEP_ONLINE] = usual[STEP_ONLINE];
    if (weights[STEP_PAUSE]) weights[STEP_RESUME] = usual[STEP_RESUME];
    if (weights[STEP_FULL]) weights[STEP_ROOM] = usual[STEP_ROOM];
    if (below(random, 3)) weights[STEP_RESTORE] = 0;
    /* A schema that a restored server does not know stops client resets (part 4, 12.6). */
    if (weights[STEP_RESTORE]) {
        weights[STEP_BACKUP] = usual[STEP_BACKUP];
        weights[STEP_SCHEMA] = 0;
    }
}

static step_kind choose_kind(uint64_t *random, const int weights[STEP_KINDS]) {
    int sum = 0;
    for (int kind = 0; kind < STEP_KINDS; kind++)
        sum += weights[kind];
    int dice = below(random, sum);
    for (int kind = 0; kind < STEP_KINDS; kind++)
        if ((dice -= weights[kind]) < 0) return (step_kind)kind;
    return STEP_PASS;
}

static int64_t choose_pass(uint64_t *random) {
    switch (below(random, 20)) {
    case 0:
        return 1000 + below(random, 60000);
    case 1:
    case 2:
        return 100 + below(random, 2000);
    default:
        return below(random, 40);
    }
}

static int64_t choose_skew(uint64_t *random) {
    static const int64_t ranges[] = {5, 1000, 3600 * 1000, INT64_C(400) * 86400 * 1000};
    int64_t range = ranges[below(random, 4)];
    return (int64_t)(next_random(random) % (uint64_t)(2 * range + 1)) - range;
}

static void fill_step(sim_step *s, uint64_t *random, int clients) {
    s->who = below(random, clients);
    s->chance = next_random(random);
    bool server = below(random, 3) == 0;
    switch (s->kind) {
    case STEP_PASS:
        s->b = choose_pass(random);
        break;
    case STEP_CUT:
        s->a = below(random, 3);
        s->b = below(random, 2) ? below(random, 200) : below(random, 20000);
        break;
    case STEP_CRASH:
        s->a = below(random, 2);
        s->b = below(random, 2) ? below(random, 20) : below(random, 3000);
        break;
    case STEP_CRASH_AT:
        s->a = below(random, 2);
        s->b = 1 + below(random, 60);
        break;
    case STEP_FAIL_AT:
        s->b = 1 + below(random, 60);
        break;
    case STEP_FULL:
        s->b = below(random, 2000);
        break;
    case STEP_CLOCK:
        s->b = choose_skew(random);
        break;
    case STEP_VERSION:
        s->a = 2 + below(random, 13);
        break;
    case STEP_UPGRADE:
        s->a = below(random, 3) ? 0 : 2 + below(random, 13);
        s->b = below(random, 500);
        break;
    case STEP_EXPIRE:
        s->b = 1 + below(random, 40);
        break;
    case STEP_REPLACE:
        s->b = below(random, 5000);
        break;
    case STEP_LINK:
        s->a = below(random, 6);
        break;
    default:
        server = false;
        break;
    }
    if (s->kind == STEP_ROOM) server = s->chance & 1;
    if (server && s->kind >= STEP_CRASH && s->kind <= STEP_CLOCK) s->who = -1;
    if (server && s->kind == STEP_UPGRADE) s->who = -1;
}

void program_make(program *p, uint64_t seed) {
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) + 77;
    int weights[STEP_KINDS];
    int size = below(&random, 20);
    *p = (program){.seed = seed};
    p->clients = size < 12   ? 2 + below(&random, 2)
                 : size < 19 ? 3 + below(&random, 3)
                             : 6 + below(&random, 5);
    p->count = size < 12   ? (size_t)(20 + below(&random, 300))
               : size < 19 ? (size_t)(300 + below(&random, 700))
                           : (size_t)(600 + below(&random, 1200));
    p->fast_commits = below(&random, 3) == 0;
    p->buffer = below(&random, 3) ? 65536 : (size_t)(300 + below(&random, 2000));
    static const int levels[] = {LEVEL_BASE, LEVEL_ASYMMETRIC, LEVEL_NESTED, LEVEL_NESTED};
    p->state_transfer = below(&random, 2);
    p->level = levels[below(&random, 4)];
    p->jitter = below(&random, 2) ? 3 : 1 + below(&random, 60);
    p->steps = calloc(p->count, sizeof *p->steps);
    if (!p->steps) abort();
    choose_weights(&random, weights);
    for (size_t i = 0; i < p->count; i++) {
        p->steps[i].kind = choose_kind(&random, weights);
        fill_step(&p->steps[i], &random, p->clients);
    }
}

void program_copy(program *to, const program *from) {
    *to = *from;
    to->steps = malloc(from->count * sizeof *to->steps + 1);
    if (!to->steps) abort();
    if (from->count) memcpy(to->steps, from->steps, from->count * sizeof *to->steps);
}

void program_free(program *p) {
    free(p->steps);
    p->steps = NULL;
}

static const char *const names[STEP_KINDS] = {
    "write",   "transact", "server_write", "schema",   "pass",    "cut",    "offline", "online",
    "pause",   "resume",   "crash",        "crash_at", "fail_at", "full",   "room",    "clock",
    "version", "upgrade",  "link",         "backup",   "restore", "expire", "replace"};

void program_print(const program *p, FILE *out) {
    fprintf(out,
            "seed %" PRIu64 ": %d clients, level %d, %s commits, buffers of %zu bytes, %zu steps\n",
            p->seed, p->clients, p->level, p->fast_commits ? "fast" : "durable", p->buffer,
            p->count);
    for (size_t i = 0; i < p->count; i++) {
        const sim_step *s = &p->steps[i];
        fprintf(out, "  %3zu %s", i, names[s->kind]);
        if (s->kind != STEP_PASS && s->kind != STEP_BACKUP && s->kind != STEP_RESTORE) {
            if (s->who < 0)
                fprintf(out, " server");
            else
                fprintf(out, " client %d", s->who);
        }
        fprintf(out, " %d %" PRId64 "\n", s->a, s->b);
    }
}
