#include "store/store_check.h"

bool sl_store_check_number(const char *what, uint64_t number, sl_status *st) {
    if (number <= (uint64_t)INT64_MAX) return true;
    return sl_fail(st, SL_ERR_USAGE, "", "%s %llu does not fit 63 bits", what,
                   (unsigned long long)number);
}

bool sl_store_check_entry(const sl_history_entry *entry, sl_status *st) {
    return sl_store_check_number("version", entry->version, st) &&
           sl_store_check_number("peer version", entry->peer_version, st) &&
           sl_store_check_number("origin file ident", entry->origin_file, st) &&
           sl_store_check_number("origin timestamp", entry->origin_timestamp, st) &&
           sl_store_check_number("cumulative size", entry->cumulative_size, st);
}

bool sl_store_check_append(const sl_history_entry *entry, uint64_t last, sl_status *st) {
    if (!sl_store_check_entry(entry, st)) return false;
    if (entry->version > last) return true;
    return sl_fail(st, SL_ERR_USAGE, "",
                   "history entry %llu cannot follow %llu: versions must increase",
                   (unsigned long long)entry->version, (unsigned long long)last);
}

bool sl_store_check_client(const sl_client_file *row, sl_status *st) {
    return sl_store_check_number("client file ident", row->ident, st) &&
           sl_store_check_number("proxy ident", row->proxy, st) &&
           sl_store_check_number("client version", row->client_version, st) &&
           sl_store_check_number("reciprocal base", row->reciprocal_base, st) &&
           sl_store_check_number("locked version", row->locked_version, st) &&
           sl_store_check_number("feature level", row->feature_level, st);
}

bool sl_store_check_meta_name(const char *name, sl_status *st) {
    size_t size = strlen(name);
    bool ok = size >= 1 && size <= 64;
    for (size_t i = 0; ok && i < size; i++)
        ok = name[i] > 0x20 && name[i] < 0x7f;
    if (ok) return true;
    return sl_fail(st, SL_ERR_USAGE, "",
                   "the name of a stored fact must be 1 to 64 printable ASCII characters");
}

bool sl_store_fail_no_transaction(sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "",
                   "no transaction is open: changes belong between begin and commit");
}

bool sl_store_fail_nested(sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "",
                   "a transaction is open already: commit it or roll it back first");
}

bool sl_store_fail_no_entry(uint64_t version, sl_status *st) {
    return sl_fail(st, SL_ERR_USAGE, "", "there is no history entry %llu to replace",
                   (unsigned long long)version);
}
