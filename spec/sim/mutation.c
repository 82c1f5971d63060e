#include "mutation.h"
int mutation_count(void) {
    return 0;
}
const char *mutation_name(int number) {
    (void)number;
    return "";
}
void mutation_choose(int number) {
    (void)number;
}
bool mutation_active(void) {
    return false;
}
void mutation_run_begins(void) {}
sl_store *mutation_wrap_store(int who, sl_store *store) {
    (void)who;
    return store;
}
