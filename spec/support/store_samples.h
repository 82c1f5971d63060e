/* store_samples.h - entries, client rows and facts to put into a store, and to compare. */
#ifndef SL_SPEC_STORE_SAMPLES_H
#define SL_SPEC_STORE_SAMPLES_H

#include "store_fixture.h"

static inline sl_history_entry an_entry(uint64_t version, const char *changeset,
                                        const char *original) {
    sl_history_entry entry = {0};
    entry.version = version;
    entry.peer_version = version / 2;
    entry.origin_file = 7;
    entry.origin_timestamp = 1000 + version;
    entry.salt = (int64_t)(INT64_MAX - (int64_t)version);
    entry.cumulative_size = 10 * version;
    entry.changeset = sl_str_c(changeset);
    entry.original = sl_str_c(original);
    return entry;
}

/* The sum of sizes before a new entry. */
static inline uint64_t size_so_far(sl_store *store) {
    uint64_t first, last;
    sl_history_entry entry = {0};
    bool found = false;
    OK(store->vtbl->entry_range(store, &first, &last, st));
    OK(store->vtbl->entry_get(store, last, &entry, &found, st));
    return found ? entry.cumulative_size : 0;
}

static inline void append(sl_store *store, uint64_t version, const char *changeset) {
    sl_history_entry entry = an_entry(version, changeset, "o");
    entry.cumulative_size = size_so_far(store) + entry.changeset.size;
    OK(store->vtbl->entry_append(store, &entry, st));
}

static inline void assert_entry(const sl_history_entry *a, const sl_history_entry *b) {
    assert_true(a->version == b->version);
    assert_true(a->peer_version == b->peer_version);
    assert_true(a->origin_file == b->origin_file);
    assert_true(a->origin_timestamp == b->origin_timestamp);
    assert_true(a->salt == b->salt);
    assert_true(a->cumulative_size == b->cumulative_size);
    assert_str(a->changeset, b->changeset.data, b->changeset.size);
    assert_str(a->original, b->original.data, b->original.size);
}

static inline bool has_entry(sl_store *store, uint64_t version) {
    sl_history_entry entry;
    bool found = false;
    OK(store->vtbl->entry_get(store, version, &entry, &found, st));
    return found;
}

static inline void assert_range(sl_store *store, uint64_t first, uint64_t last) {
    uint64_t a = 99, b = 99;
    OK(store->vtbl->entry_range(store, &a, &b, st));
    assert_true(a == first);
    assert_true(b == last);
}

static inline sl_client_file a_client(uint64_t ident) {
    return (sl_client_file){.ident = ident,
                            .salt = INT64_MAX,
                            .type = 2,
                            .proxy = 3,
                            .client_version = INT64_MAX,
                            .reciprocal_base = 5,
                            .locked_version = 6,
                            .feature_level = 9,
                            .last_seen = -7,
                            .user = SL_STR("someone")};
}

static inline void assert_client(const sl_client_file *a, const sl_client_file *b) {
    assert_true(a->ident == b->ident);
    assert_true(a->salt == b->salt);
    assert_int_equal(a->type, b->type);
    assert_true(a->proxy == b->proxy);
    assert_true(a->client_version == b->client_version);
    assert_true(a->reciprocal_base == b->reciprocal_base);
    assert_true(a->locked_version == b->locked_version);
    assert_true(a->feature_level == b->feature_level);
    assert_true(a->last_seen == b->last_seen);
    assert_str(a->user, b->user.data, b->user.size);
}

static inline void fill_every_table(sl_store *store, uint64_t version, const char *text) {
    append(store, version, text);
    OK(store->vtbl->reciprocal_put(store, 1, version, sl_str_c(text), st));
    sl_client_file row = a_client(version);
    OK(store->vtbl->client_put(store, &row, st));
    OK(store->vtbl->meta_put_int(store, "version", (int64_t)version, st));
}

static inline void assert_newest(sl_store *store, uint64_t version) {
    uint64_t first, last;
    OK(store->vtbl->entry_range(store, &first, &last, st));
    assert_true(last == version);
    int64_t number;
    OK(store->vtbl->meta_get_int(store, "version", &number, st));
    assert_true(number == (int64_t)version);
    for (uint64_t v = version; v <= version + 1; v++) {
        bool found;
        sl_client_file row;
        OK(store->vtbl->client_get(store, v, &row, &found, st));
        assert_true(found == (v == version && v > 0));
        sl_str bytes;
        OK(store->vtbl->reciprocal_get(store, 1, v, &bytes, &found, st));
        assert_true(found == (v == version && v > 0));
    }
}

#endif
