/* program.h - what happens in one simulated run: a list of steps made from a seed before the run
 * begins. Every step carries its own chance, so that a run with some steps left out does the rest
 * unchanged; that is what makes failures shrink. */
#ifndef SL_SPEC_SIM_PROGRAM_H
#define SL_SPEC_SIM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum step_kind {
    STEP_WRITE,
    STEP_TRANSACT,
    STEP_SERVER_WRITE,
    STEP_SCHEMA,
    STEP_PASS, /* a: ms */
    STEP_CUT,  /* a: sl_sim_cut, b: linger */
    STEP_OFFLINE,
    STEP_ONLINE,
    STEP_PAUSE,
    STEP_RESUME,
    STEP_CRASH,    /* a: sl_memory_crash, b: down for ms */
    STEP_CRASH_AT, /* a: sl_memory_crash, b: operation */
    STEP_FAIL_AT,  /* b: operation */
    STEP_FULL,     /* b: room in bytes */
    STEP_ROOM,
    STEP_CLOCK,   /* b: ms */
    STEP_VERSION, /* a: protocol version of the next connections */
    STEP_UPGRADE, /* the same, and the process starts anew; b: down for ms */
    STEP_LINK,    /* a: kind of link */
    STEP_BACKUP,
    STEP_RESTORE,
    STEP_EXPIRE,  /* the history is compacted, and clients expire that were away for b seconds */
    STEP_REPLACE, /* b: down for ms */
    STEP_KINDS
} step_kind;

typedef struct sim_step {
    step_kind kind;
    int who; /* client; -1 = server */
    int a;
    int64_t b;
    uint64_t chance;
} sim_step;

typedef struct program {
    uint64_t seed;
    int clients;
    int level; /* of the content (content.h) */
    bool fast_commits;
    bool state_transfer;
    size_t buffer;
    int64_t jitter;
    sim_step *steps;
    size_t count;
} program;

uint64_t next_random(uint64_t *state);

/* `p` is filled; free with program_free. */
void program_make(program *p, uint64_t seed);
void program_copy(program *to, const program *from);
void program_free(program *p);
void program_print(const program *p, FILE *out);

#endif
