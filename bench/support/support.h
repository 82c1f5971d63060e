/* support.h - shared by the benchmark programs: workload containers, timing, an allocator that
 * counts, and one line of output per figure, as text or as JSON. */
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/str.h"

/* --- output */

/* One figure. Members that do not apply are 0 and left out of the output. */
typedef struct bench_result {
    const char *name;     /* workload and what was done: "codec_mixed_ops_500 parse" */
    const char *unit;     /* what one operation is: "instruction", "merge", "changeset" */
    uint64_t operations;  /* in one round */
    double seconds;       /* best round */
    uint64_t bytes;       /* handled in one round; 0 = no MB/s */
    uint64_t peak;        /* bytes of memory at the highest point of a round */
    uint64_t allocations; /* requests for memory in one round, once buffers are warm */
    bool has_memory;      /* peak and allocations were measured */
} bench_result;

/* The command line of every benchmark: `[--name TEXT] [--dir PATH] [--json]`. `name`: run only
 * workloads whose name has this text in it (NULL = all). `dir`: workload files, by default
 * $SYNCLINE_SHARED/bench, else ../shared/bench. */
typedef struct bench_options {
    const char *name, *dir;
    bool json;
} bench_options;

/* Ends the program with a usage text when the arguments are not understood. */
bench_options bench_parse(int argc, char **argv);
/* True if the workload is to be run. */
bool bench_selected(const bench_options *options, const char *workload);
/* Prints `name operations ns/op MB/s peak-memory allocations/op`, or the same as one JSON object.
 */
void bench_print(const bench_result *result, bool json);

/* --- timing */

/* Seconds of the monotonic clock. */
double bench_now(void);

/* One round of the thing to measure. */
typedef void (*bench_round)(void *ctx);
/* Repeats `round` in batches for at least `seconds`, at least three batches, and returns the time
 * of one round of the fastest batch. `prepare` (may be NULL) runs before every round, untimed; a
 * batch is then one round. */
double bench_time(bench_round round, bench_round prepare, void *ctx, double seconds);

/* --- memory */

/* Counts what goes through it. `alloc` is to be handed to what is measured. */
typedef struct bench_memory {
    sl_alloc alloc;
    uint64_t live, peak, requests;
} bench_memory;

void bench_memory_init(bench_memory *memory);
/* Peak = what is alive now, requests = 0. */
void bench_memory_mark(bench_memory *memory);

/* --- workloads */

/* A `RSB1` container: ASCII "RSB1", u32 count, then (u32 length, bytes) each, little endian. */
typedef struct bench_set {
    char *data; /* owned: the whole file */
    sl_str *entries;
    uint32_t count, capacity;
    uint64_t bytes; /* sum of the entries */
} bench_set;

/* Reads `dir`/`name`; false (reported on stderr) if it is missing or damaged. */
bool bench_load(bench_set *set, const char *dir, const char *name);
void bench_free(bench_set *set);

/* Calls `visit` with every file name in `dir` that starts with `prefix` and ends with `suffix`,
 * sorted. */
void bench_each(const char *dir, const char *prefix, const char *suffix,
                void (*visit)(void *ctx, const char *dir, const char *name), void *ctx);

#endif
