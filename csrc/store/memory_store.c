#include "store/memory_store.h"

#include "store/memory_internal.h"
#include "store/store_check.h"

static sl_memory_store *self(sl_store *store) {
    return (sl_memory_store *)store;
}

/* --- the disk --- */

sl_memory_disk *sl_memory_disk_new(const sl_alloc *alloc) {
    if (!alloc) alloc = sl_alloc_default();
    sl_memory_disk *disk = sl_new_zero(alloc, 1, sizeof *disk);
    if (!disk) return NULL;
    disk->alloc = *alloc;
    disk->given = alloc;
    sl_buf_init(&disk->kept_bytes, alloc);
    sl_buf_init(&disk->part, alloc);
    disk->refs = 1;
    disk->limit = disk->value_limit = UINT64_MAX;
    return disk;
}

/* Forgets all but the first `keep` states that were not flushed. */
static void forget_unflushed(sl_memory_disk *disk, size_t keep) {
    while (disk->unflushed_count > keep)
        sl_memory_tree_release(&disk->alloc, &disk->unflushed[--disk->unflushed_count]);
}

/* Without memory the state cannot come out of a loss of power by itself, which is no failure. */
static void remember_unflushed(sl_memory_disk *disk) {
    if (!disk->keeps_unflushed) return;
    if (disk->unflushed_count == disk->unflushed_capacity) {
        size_t capacity = disk->unflushed_capacity ? disk->unflushed_capacity * 2 : 8;
        void *grown = sl_resize(&disk->alloc, disk->unflushed, capacity * sizeof *disk->unflushed);
        if (!grown) return;
        disk->unflushed = grown;
        disk->unflushed_capacity = capacity;
    }
    disk->unflushed[disk->unflushed_count++] = sl_memory_tree_share(&disk->committed);
}

void sl_memory_disk_free(sl_memory_disk *disk) {
    if (!disk || --disk->refs > 0) return;
    sl_alloc alloc = disk->alloc;
    sl_memory_tree_release(&alloc, &disk->committed);
    sl_memory_tree_release(&alloc, &disk->durable);
    sl_memory_disk_free_states(disk);
    forget_unflushed(disk, 0);
    sl_delete(&alloc, disk->unflushed);
    sl_delete(&alloc, disk);
}

sl_memory_disk *sl_memory_disk_copy(const sl_memory_disk *disk) {
    /* Versions may be shared only by trees that change one after the other, never concurrently;
     * all stores of a disk and its copies belong to one thread. */
    sl_memory_disk *copy = sl_memory_disk_new(disk->given);
    if (!copy) return NULL;
    copy->committed = sl_memory_tree_share(&disk->committed);
    copy->durable = sl_memory_tree_share(&disk->committed);
    copy->keeps_unflushed = disk->keeps_unflushed;
    return copy;
}

/* Drops what the open store changed since `disk->committed`. */
static void reset_work(sl_memory_store *store) {
    sl_memory_tree_release(&store->disk->alloc, &store->work);
    store->work = sl_memory_tree_share(&store->disk->committed);
    store->writing = false;
    if (store->schema_changed) store->catalogue_stale = true;
    store->schema_changed = false;
}

static void lose_power(sl_memory_disk *disk, size_t keep) {
    const sl_memory_tree *left = &disk->durable;
    if (keep > disk->unflushed_count) keep = disk->unflushed_count;
    if (keep > 0) left = &disk->unflushed[keep - 1];
    sl_memory_tree_release(&disk->alloc, &disk->committed);
    disk->committed = sl_memory_tree_share(left);
    forget_unflushed(disk, keep);
}

static void come_back(sl_memory_disk *disk) {
    disk->dead = disk->dies = false;
    disk->fail_at = 0;
    if (!disk->store) return;
    reset_work(disk->store);
    disk->store->catalogue_stale = true;
}

void sl_memory_disk_crash(sl_memory_disk *disk, sl_memory_crash kind) {
    if (kind == SL_CRASH_POWER) lose_power(disk, 0);
    sl_memory_disk_crash_states(disk, kind);
    come_back(disk);
}

void sl_memory_disk_keep_unflushed(sl_memory_disk *disk) {
    disk->keeps_unflushed = true;
}

size_t sl_memory_disk_unflushed(const sl_memory_disk *disk) {
    return disk->unflushed_count;
}

void sl_memory_disk_tear(sl_memory_disk *disk, size_t keep) {
    lose_power(disk, keep);
    sl_memory_disk_crash_states(disk, SL_CRASH_POWER);
    come_back(disk);
}

void sl_memory_disk_die(sl_memory_disk *disk, uint64_t nth, bool stays) {
    sl_memory_disk_fail(disk, nth);
    disk->dies = nth != 0;
    disk->last_commit_stays = stays;
}

void sl_memory_disk_fail(sl_memory_disk *disk, uint64_t nth) {
    disk->dies = disk->refuses = false;
    disk->fail_at = nth ? disk->operations + nth : 0;
}

void sl_memory_disk_refuse(sl_memory_disk *disk, uint64_t nth) {
    sl_memory_disk_fail(disk, nth);
    disk->refuses = true;
}

uint64_t sl_memory_disk_operations(const sl_memory_disk *disk) {
    return disk->operations;
}

void sl_memory_disk_limit(sl_memory_disk *disk, uint64_t bytes) {
    disk->limit = bytes;
}

void sl_memory_disk_limit_values(sl_memory_disk *disk, uint64_t bytes) {
    disk->value_limit = bytes;
}

uint64_t sl_memory_disk_size(const sl_memory_disk *disk) {
    return disk->committed.bytes;
}

sl_memory_disk *sl_memory_disk_of(sl_store *store) {
    return self(store)->disk;
}

/* --- helpers of all tables --- */

static void put_be64(char *out, uint64_t number) {
    for (int i = 0; i < 8; i++)
        out[i] = (char)(unsigned char)(number >> (56 - 8 * i));
}

static uint64_t get_be64(const char *in) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)in[i];
    return number;
}

sl_memory_key sl_memory_key_1(char table, uint64_t number) {
    sl_memory_key key = {{table}, 9};
    put_be64(key.bytes + 1, number);
    return key;
}

sl_memory_key sl_memory_key_2(char table, uint64_t first, uint64_t second) {
    sl_memory_key key = {{table}, 17};
    put_be64(key.bytes + 1, first);
    put_be64(key.bytes + 9, second);
    return key;
}

bool sl_memory_step(sl_memory_store *store, sl_status *st) {
    sl_memory_disk *disk = store->disk;
    if (++disk->operations != disk->fail_at && !disk->dead) return true;
    disk->dead = disk->dead || disk->dies;
    disk->fail_at = 0;
    return sl_fail(st, SL_ERR_STORAGE, disk->refuses ? "LIMIT" : "IO",
                   "the storage failed at operation %llu, as planned",
                   (unsigned long long)disk->operations);
}

bool sl_memory_change(sl_memory_store *store, sl_status *st) {
    if (!store->writing) return sl_store_fail_no_transaction(st);
    return sl_memory_step(store, st);
}

bool sl_memory_put(sl_memory_store *store, sl_str key, sl_str value, sl_status *st) {
    const sl_memory_item *old = sl_memory_tree_get(&store->work, key);
    uint64_t before = old ? (uint64_t)old->key_size + old->value_size : 0;
    uint64_t after = (uint64_t)key.size + value.size;
    if (value.size > store->disk->value_limit)
        return sl_fail(st, SL_ERR_STORAGE, "LIMIT", "one value has %u of %llu bytes", value.size,
                       (unsigned long long)store->disk->value_limit);
    if (after > before && store->work.bytes - before + after > store->disk->limit) {
        return sl_fail(
            st, SL_ERR_STORAGE, "FULL", "no space left: the disk holds %llu of %llu bytes",
            (unsigned long long)store->work.bytes, (unsigned long long)store->disk->limit);
    }
    if (!sl_memory_tree_put(&store->disk->alloc, &store->work, key, value)) {
        return sl_fail_memory(st);
    }
    return true;
}

bool sl_memory_erase(sl_memory_store *store, sl_str key, sl_status *st) {
    if (!sl_memory_tree_erase(&store->disk->alloc, &store->work, key)) return sl_fail_memory(st);
    return true;
}

bool sl_memory_erase_prefix(sl_memory_store *store, sl_str prefix, sl_status *st) {
    const sl_memory_item *item;
    while (sl_memory_item_has_prefix(item = sl_memory_tree_seek(&store->work, prefix, false),
                                     prefix)) {
        if (!sl_memory_erase(store, sl_memory_item_key(item), st)) return false;
    }
    return true;
}

/* --- transactions --- */

static void close_store(sl_store *base) {
    sl_memory_store *store = self(base);
    sl_memory_disk *disk = store->disk;
    sl_alloc alloc = disk->alloc;
    sl_memory_states_close(store);
    sl_memory_tree_release(&alloc, &store->work);
    sl_buf_free(&store->key);
    sl_buf_free(&store->value);
    sl_buf_free(&store->scratch);
    sl_catalogue_clear(&store->catalogue);
    sl_delete(&alloc, store);
    disk->store = NULL;
    sl_memory_disk_free(disk);
}

static bool begin(sl_store *base, sl_status *st) {
    sl_memory_store *store = self(base);
    if (store->writing) return sl_store_fail_nested(st);
    if (!sl_memory_step(store, st)) return false;
    store->writing = true;
    return true;
}

static void make_durable(sl_memory_disk *disk) {
    forget_unflushed(disk, 0);
    sl_memory_tree_release(&disk->alloc, &disk->durable);
    disk->durable = sl_memory_tree_share(&disk->committed);
}

static void keep_work(sl_memory_store *store, bool durable) {
    sl_memory_disk *disk = store->disk;
    sl_memory_tree_release(&disk->alloc, &disk->committed);
    disk->committed = sl_memory_tree_share(&store->work);
    if (durable)
        make_durable(disk);
    else
        remember_unflushed(disk);
}

static bool commit(sl_store *base, bool durable, sl_status *st) {
    sl_memory_store *store = self(base);
    sl_memory_disk *disk = store->disk;
    bool alive = !disk->dead;
    if (!sl_memory_change(store, st)) {
        if (store->writing && alive && disk->dead && disk->last_commit_stays)
            keep_work(store, durable);
        if (store->writing) reset_work(store);
        return false;
    }
    keep_work(store, durable);
    store->writing = store->schema_changed = false;
    return true;
}

static void rollback(sl_store *base) {
    if (self(base)->writing) reset_work(self(base));
}

static bool sync_store(sl_store *base, sl_status *st) {
    if (!sl_memory_step(self(base), st)) return false;
    make_durable(self(base)->disk);
    return true;
}

static const sl_realm_source *get_source(sl_store *base) {
    return &self(base)->source;
}

static const sl_state_store *get_states(sl_store *base) {
    return &self(base)->states;
}

/* --- history: value = the struct, then changeset, then original --- */

static void entry_read(const sl_memory_item *item, bool bytes, sl_history_entry *entry) {
    sl_str value = sl_memory_item_value(item);
    memcpy(entry, value.data, sizeof *entry);
    const char *changeset = value.data + sizeof *entry;
    const char *original = changeset + entry->changeset.size;
    entry->changeset.data = bytes ? changeset : NULL;
    entry->original.data = bytes ? original : NULL;
}

static bool entry_write(sl_memory_store *store, const sl_history_entry *entry, sl_status *st) {
    sl_history_entry head;
    memset(&head, 0, sizeof head);
    head = *entry;
    head.changeset = sl_str_of(NULL, entry->changeset.size);
    head.original = sl_str_of(NULL, entry->original.size);
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &head, sizeof head);
    sl_buf_str(&store->value, entry->changeset);
    sl_buf_str(&store->value, entry->original);
    if (store->value.failed) return sl_fail_memory(st);
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_ENTRY, entry->version);
    return sl_memory_put(store, sl_memory_key_str(&key),
                         sl_str_of(store->value.data, store->value.size), st);
}

static uint64_t last_version(sl_memory_store *store) {
    sl_memory_key end = sl_memory_key_1(SL_MEMORY_ENTRY + 1, 0);
    const sl_memory_item *item = sl_memory_tree_before(&store->work, sl_memory_key_str(&end));
    return item && item->bytes[0] == SL_MEMORY_ENTRY ? get_be64(item->bytes + 1) : 0;
}

static bool entry_append(sl_store *base, const sl_history_entry *entry, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_change(store, st)) return false;
    if (!sl_store_check_append(entry, last_version(store), st)) return false;
    return entry_write(store, entry, st);
}

static const sl_memory_item *entry_find(sl_memory_store *store, uint64_t version) {
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_ENTRY, version);
    return sl_memory_tree_get(&store->work, sl_memory_key_str(&key));
}

static bool entry_get(sl_store *base, uint64_t version, sl_history_entry *entry, bool *found,
                      sl_status *st) {
    if (!sl_memory_step(self(base), st)) return false;
    const sl_memory_item *item = entry_find(self(base), version);
    *found = item != NULL;
    if (item) entry_read(item, true, entry);
    return true;
}

static bool entry_scan(sl_store *base, uint64_t after, uint64_t last, bool bytes,
                       sl_entry_visitor visit, void *ctx, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_step(store, st)) return false;
    /* A share of its own: the visitor may change the store. */
    sl_memory_tree tree = sl_memory_tree_share(&store->work);
    for (;;) {
        sl_memory_key key = sl_memory_key_1(SL_MEMORY_ENTRY, after);
        const sl_memory_item *item = sl_memory_tree_seek(&tree, sl_memory_key_str(&key), true);
        if (!item || item->bytes[0] != SL_MEMORY_ENTRY) break;
        after = get_be64(item->bytes + 1);
        if (after > last) break;
        sl_history_entry entry;
        entry_read(item, bytes, &entry);
        if (!visit(ctx, &entry)) break;
    }
    sl_memory_tree_release(&store->disk->alloc, &tree);
    return true;
}

static bool entry_replace(sl_store *base, const sl_history_entry *entry, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_change(store, st)) return false;
    const sl_memory_item *item = entry_find(store, entry->version);
    if (!item) return sl_store_fail_no_entry(entry->version, st);
    if (!sl_store_check_entry(entry, st)) return false;
    sl_history_entry merged;
    entry_read(item, false, &merged);
    merged.changeset = entry->changeset;
    merged.original = entry->original;
    merged.peer_version = entry->peer_version;
    merged.cumulative_size = entry->cumulative_size;
    return entry_write(store, &merged, st);
}

/* Removes the keys from `from` to `to`, both of one table. */
static bool erase_range(sl_memory_store *store, sl_str from, sl_str to, sl_status *st) {
    const sl_memory_item *item;
    while ((item = sl_memory_tree_seek(&store->work, from, false)) &&
           sl_str_cmp(sl_memory_item_key(item), to) <= 0) {
        if (!sl_memory_erase(store, sl_memory_item_key(item), st)) return false;
    }
    return true;
}

static bool entry_drop(sl_store *base, uint64_t last, sl_status *st) {
    if (!sl_memory_change(self(base), st)) return false;
    sl_memory_key from = sl_memory_key_1(SL_MEMORY_ENTRY, 0);
    sl_memory_key to = sl_memory_key_1(SL_MEMORY_ENTRY, last);
    return erase_range(self(base), sl_memory_key_str(&from), sl_memory_key_str(&to), st);
}

static bool entry_range(sl_store *base, uint64_t *first, uint64_t *last, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_step(store, st)) return false;
    sl_memory_key from = sl_memory_key_1(SL_MEMORY_ENTRY, 0);
    const sl_memory_item *item = sl_memory_tree_seek(&store->work, sl_memory_key_str(&from), false);
    *first = item && item->bytes[0] == SL_MEMORY_ENTRY ? get_be64(item->bytes + 1) : 0;
    *last = last_version(store);
    return true;
}

/* --- reciprocal forms --- */

static bool reciprocal_put(sl_store *base, uint64_t peer, uint64_t version, sl_str bytes,
                           sl_status *st) {
    if (!sl_memory_change(self(base), st)) return false;
    if (!sl_store_check_number("peer", peer, st) ||
        !sl_store_check_number("version", version, st)) {
        return false;
    }
    sl_memory_key key = sl_memory_key_2(SL_MEMORY_RECIPROCAL, peer, version);
    return sl_memory_put(self(base), sl_memory_key_str(&key), bytes, st);
}

static bool reciprocal_get(sl_store *base, uint64_t peer, uint64_t version, sl_str *bytes,
                           bool *found, sl_status *st) {
    if (!sl_memory_step(self(base), st)) return false;
    sl_memory_key key = sl_memory_key_2(SL_MEMORY_RECIPROCAL, peer, version);
    const sl_memory_item *item = sl_memory_tree_get(&self(base)->work, sl_memory_key_str(&key));
    *found = item != NULL;
    if (item) *bytes = sl_memory_item_value(item);
    return true;
}

static bool reciprocal_drop(sl_store *base, uint64_t peer, uint64_t last, sl_status *st) {
    if (!sl_memory_change(self(base), st)) return false;
    sl_memory_key from = sl_memory_key_2(SL_MEMORY_RECIPROCAL, peer, 0);
    sl_memory_key to = sl_memory_key_2(SL_MEMORY_RECIPROCAL, peer, last);
    return erase_range(self(base), sl_memory_key_str(&from), sl_memory_key_str(&to), st);
}

/* --- client table: value = the struct, then the user --- */

static void client_read(const sl_memory_item *item, sl_client_file *row) {
    sl_str value = sl_memory_item_value(item);
    memcpy(row, value.data, sizeof *row);
    row->user.data = value.data + sizeof *row;
}

static bool client_put(sl_store *base, const sl_client_file *row, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_change(store, st) || !sl_store_check_client(row, st)) return false;
    sl_client_file head = *row;
    head.user = sl_str_of(NULL, row->user.size);
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &head, sizeof head);
    sl_buf_str(&store->value, row->user);
    if (store->value.failed) return sl_fail_memory(st);
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_CLIENT, row->ident);
    return sl_memory_put(store, sl_memory_key_str(&key),
                         sl_str_of(store->value.data, store->value.size), st);
}

static bool client_get(sl_store *base, uint64_t ident, sl_client_file *row, bool *found,
                       sl_status *st) {
    if (!sl_memory_step(self(base), st)) return false;
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_CLIENT, ident);
    const sl_memory_item *item = sl_memory_tree_get(&self(base)->work, sl_memory_key_str(&key));
    *found = item != NULL;
    if (item) client_read(item, row);
    return true;
}

static bool client_scan(sl_store *base, sl_client_visitor visit, void *ctx, sl_status *st) {
    sl_memory_store *store = self(base);
    if (!sl_memory_step(store, st)) return false;
    sl_memory_tree tree = sl_memory_tree_share(&store->work);
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_CLIENT, 0);
    const sl_memory_item *item = sl_memory_tree_seek(&tree, sl_memory_key_str(&key), false);
    while (item && item->bytes[0] == SL_MEMORY_CLIENT) {
        sl_client_file row;
        client_read(item, &row);
        if (!visit(ctx, &row)) break;
        item = sl_memory_tree_seek(&tree, sl_memory_item_key(item), true);
    }
    sl_memory_tree_release(&store->disk->alloc, &tree);
    return true;
}

/* --- metadata: value = 'I' and eight bytes, or 'B' and the bytes --- */

static bool meta_key(sl_memory_store *store, const char *name, sl_str *key, sl_status *st) {
    if (!sl_store_check_meta_name(name, st)) return false;
    sl_buf_clear(&store->key);
    sl_buf_byte(&store->key, SL_MEMORY_META);
    sl_buf_text(&store->key, name);
    *key = sl_str_of(store->key.data, store->key.size);
    return store->key.failed ? sl_fail_memory(st) : true;
}

static bool meta_put(sl_memory_store *store, const char *name, uint8_t kind, sl_str bytes,
                     sl_status *st) {
    sl_str key;
    if (!sl_memory_change(store, st) || !meta_key(store, name, &key, st)) return false;
    sl_buf_clear(&store->value);
    sl_buf_byte(&store->value, kind);
    sl_buf_str(&store->value, bytes);
    if (store->value.failed) return sl_fail_memory(st);
    return sl_memory_put(store, key, sl_str_of(store->value.data, store->value.size), st);
}

static bool meta_get(sl_memory_store *store, const char *name, char kind, sl_str *bytes,
                     sl_status *st) {
    sl_str key;
    if (!sl_memory_step(store, st) || !meta_key(store, name, &key, st)) return false;
    const sl_memory_item *item = sl_memory_tree_get(&store->work, key);
    *bytes = sl_str_of("", 0);
    if (!item || sl_memory_item_value(item).data[0] != kind) return true;
    *bytes = sl_str_of(sl_memory_item_value(item).data + 1, item->value_size - 1);
    return true;
}

static bool meta_put_int(sl_store *base, const char *name, int64_t value, sl_status *st) {
    char bytes[8];
    put_be64(bytes, (uint64_t)value);
    return meta_put(self(base), name, 'I', sl_str_of(bytes, sizeof bytes), st);
}

static bool meta_get_int(sl_store *base, const char *name, int64_t *value, sl_status *st) {
    sl_str bytes;
    if (!meta_get(self(base), name, 'I', &bytes, st)) return false;
    *value = bytes.size ? (int64_t)get_be64(bytes.data) : 0;
    return true;
}

static bool meta_put_bytes(sl_store *base, const char *name, sl_str value, sl_status *st) {
    return meta_put(self(base), name, 'B', value, st);
}

static bool meta_get_bytes(sl_store *base, const char *name, sl_str *value, sl_status *st) {
    return meta_get(self(base), name, 'B', value, st);
}

static const sl_store_vtbl vtable = {
    .close = close_store,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .sync = sync_store,
    .source = get_source,
    .states = get_states,
    .entry_append = entry_append,
    .entry_get = entry_get,
    .entry_scan = entry_scan,
    .entry_replace = entry_replace,
    .entry_drop = entry_drop,
    .entry_range = entry_range,
    .reciprocal_put = reciprocal_put,
    .reciprocal_get = reciprocal_get,
    .reciprocal_drop = reciprocal_drop,
    .client_put = client_put,
    .client_get = client_get,
    .client_scan = client_scan,
    .meta_put_int = meta_put_int,
    .meta_get_int = meta_get_int,
    .meta_put_bytes = meta_put_bytes,
    .meta_get_bytes = meta_get_bytes,
};

bool sl_memory_disk_open(sl_memory_disk *disk, sl_store **out, sl_status *st) {
    if (disk->store) {
        return sl_fail(st, SL_ERR_STORAGE, "LOCKED", "the disk is in use by another open store");
    }
    sl_memory_store *store = sl_new_zero(&disk->alloc, 1, sizeof *store);
    if (!store) return sl_fail_memory(st);
    store->base.vtbl = &vtable;
    store->disk = disk;
    store->work = sl_memory_tree_share(&disk->committed);
    sl_buf_init(&store->key, &disk->alloc);
    sl_buf_init(&store->value, &disk->alloc);
    sl_buf_init(&store->scratch, &disk->alloc);
    sl_memory_source_init(store);
    sl_memory_states_init(store);
    disk->store = store;
    disk->refs++;
    *out = &store->base;
    return true;
}

bool sl_memory_open(const sl_alloc *alloc, sl_store **store, sl_status *st) {
    sl_memory_disk *disk = sl_memory_disk_new(alloc);
    if (!disk) return sl_fail_memory(st);
    bool ok = sl_memory_disk_open(disk, store, st);
    sl_memory_disk_free(disk);
    return ok;
}
