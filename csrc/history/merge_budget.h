/* merge_budget.h - what merging costs each user of a server file over time, in steps. One upload
 * has a limit of its own; this one holds for many small ones. Private to this room. */
#ifndef SL_HISTORY_MERGE_BUDGET_H
#define SL_HISTORY_MERGE_BUDGET_H

#include "store/store.h"

enum {
    SL_MERGE_ACCOUNTS = 64,
    SL_MERGE_FLOOR = 100, /* this part of the limit is there for every upload */
    SL_MERGE_REFILL_MS = 60000
};

/* `used` drains to nothing in the time of a refill; `unit`: of the open unit of work, which may be
 * rolled back and done again. */
typedef struct sl_merge_account {
    uint64_t who, used, unit;
    int64_t at; /* when `used` was right */
} sl_merge_account;

/* The accounts of those who used most. */
typedef struct sl_merge_budget {
    sl_merge_account accounts[SL_MERGE_ACCOUNTS];
} sl_merge_budget;

/* Whose work it is: all devices of a user together, so that a client reset opens no new account. */
uint64_t sl_merge_budget_owner(const sl_client_file *row);
/* What an upload may take, at most `limit` (above 0), never 0. `now`: monotonic milliseconds. */
uint64_t sl_merge_budget_left(const sl_merge_budget *budget, uint64_t who, uint64_t limit,
                              int64_t now);
/* Notes what an upload took. `refused`: it is rolled back, and stays on the account all the same.
 */
void sl_merge_budget_take(sl_merge_budget *budget, uint64_t who, uint64_t steps, uint64_t limit,
                          bool refused, int64_t now);
/* The unit of work is over. */
void sl_merge_budget_end(sl_merge_budget *budget, bool committed);

#endif
