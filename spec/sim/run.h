/* run.h - runs a program and checks what must hold afterwards. */
#ifndef SL_SPEC_SIM_RUN_H
#define SL_SPEC_SIM_RUN_H

#include "program.h"

typedef struct run_result {
    bool ok;
    char why[400];
    size_t writes, messages;
    uint64_t resets;
} run_result;

/* `log`: where the events are printed; NULL = nowhere. */
void run_program(const program *p, FILE *log, run_result *result);

/* Makes a failing program smaller as long as it fails, with at most `tries` runs. */
void shrink_program(program *p, int tries, run_result *result);

#endif
