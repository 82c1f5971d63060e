#include "history/merge_budget.h"

#include "base/strmap.h"

uint64_t sl_merge_budget_owner(const sl_client_file *row) {
    return row->user.size ? sl_hash_bytes(row->user.data, row->user.size)
                          : sl_hash_bytes(&row->ident, sizeof row->ident);
}

/* What is left of `used` by now. */
static uint64_t drained(const sl_merge_account *account, uint64_t limit, int64_t now) {
    int64_t passed = now - account->at;
    if (passed <= 0) return account->used;
    if (passed >= SL_MERGE_REFILL_MS) return 0;
    uint64_t gone = limit / SL_MERGE_REFILL_MS * (uint64_t)passed +
                    limit % SL_MERGE_REFILL_MS * (uint64_t)passed / SL_MERGE_REFILL_MS;
    return account->used > gone ? account->used - gone : 0;
}

uint64_t sl_merge_budget_left(const sl_merge_budget *budget, uint64_t who, uint64_t limit,
                              int64_t now) {
    uint64_t floor = limit / SL_MERGE_FLOOR ? limit / SL_MERGE_FLOOR : 1;
    for (size_t i = 0; i < SL_MERGE_ACCOUNTS; i++) {
        const sl_merge_account *account = &budget->accounts[i];
        if (account->who != who) continue;
        uint64_t used = drained(account, limit, now) + account->unit;
        return used + floor < limit ? limit - used : floor;
    }
    return limit;
}

/* The account of `who`, or the one with least on it, which is given up. */
static sl_merge_account *account_of(sl_merge_budget *budget, uint64_t who, uint64_t limit,
                                    int64_t now) {
    sl_merge_account *least = NULL;
    uint64_t amount = 0;
    for (size_t i = 0; i < SL_MERGE_ACCOUNTS; i++) {
        sl_merge_account *account = &budget->accounts[i];
        account->used = drained(account, limit, now);
        account->at = now;
        if (account->who == who) return account;
        if (least && account->used + account->unit >= amount) continue;
        least = account;
        amount = account->used + account->unit;
    }
    *least = (sl_merge_account){.who = who, .at = now};
    return least;
}

void sl_merge_budget_take(sl_merge_budget *budget, uint64_t who, uint64_t steps, uint64_t limit,
                          bool refused, int64_t now) {
    if (steps == 0) return;
    sl_merge_account *account = account_of(budget, who, limit, now);
    if (steps > limit) steps = limit;
    if (refused)
        account->used = account->used + steps < limit ? account->used + steps : limit;
    else
        account->unit += steps;
}

void sl_merge_budget_end(sl_merge_budget *budget, bool committed) {
    for (size_t i = 0; i < SL_MERGE_ACCOUNTS; i++) {
        if (committed) budget->accounts[i].used += budget->accounts[i].unit;
        budget->accounts[i].unit = 0;
    }
}
