/* mutation.h - safeties switched off on purpose, one at a time, to see that the simulator misses
 * them. Nothing of this is in the library: stores are wrapped, and calls between object files are
 * redirected by the linker (--wrap) in the test program alone. */
#ifndef SL_SPEC_SIM_MUTATION_H
#define SL_SPEC_SIM_MUTATION_H

#include "store/store.h"

int mutation_count(void);
const char *mutation_name(int number);
/* Switches one off; -1 = everything works. */
void mutation_choose(int number);
bool mutation_active(void);
/* Forgets what earlier runs left. */
void mutation_run_begins(void);
/* `who`: client or -1 = server. */
sl_store *mutation_wrap_store(int who, sl_store *store);

#endif
