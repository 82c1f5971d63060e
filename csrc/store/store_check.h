/* store_check.h - what every store checks the same way and says in the same words. */
#ifndef SL_STORE_STORE_CHECK_H
#define SL_STORE_STORE_CHECK_H

#include "store/store.h"

/* Each returns false with `st` (SL_ERR_USAGE) filled if the rule is broken. */

/* Numbers are at most 2^63-1 (protocol/4-history-and-sessions.md, 1.1). `what` names the number. */
bool sl_store_check_number(const char *what, uint64_t number, sl_status *st);
bool sl_store_check_entry(const sl_history_entry *entry, sl_status *st);
/* A new entry's version is above `last`, the newest one held (0 = none). */
bool sl_store_check_append(const sl_history_entry *entry, uint64_t last, sl_status *st);
bool sl_store_check_client(const sl_client_file *row, sl_status *st);
/* 1 to 64 bytes of printable ASCII. */
bool sl_store_check_meta_name(const char *name, sl_status *st);

/* These always return false. */
bool sl_store_fail_no_transaction(sl_status *st);
bool sl_store_fail_nested(sl_status *st);
bool sl_store_fail_no_entry(uint64_t version, sl_status *st);

#endif
