#include "history/own_changes.h"

/* Changesets kept in memory: enough for what is on its way to the server on a busy line. */
enum { HOLD_AT_MOST = 4 << 20 };

void sl_own_changes_init(sl_own_changes *own, const sl_alloc *alloc) {
    *own = (sl_own_changes){.alloc = alloc};
}

static void free_bytes(sl_own_changes *own, sl_own_change *change) {
    if (!change->bytes) return;
    own->held -= change->size;
    sl_delete(own->alloc, change->bytes);
    change->bytes = NULL;
}

void sl_own_changes_forget(sl_own_changes *own) {
    for (size_t i = own->first; i < own->count; i++)
        free_bytes(own, &own->items[i]);
    sl_delete(own->alloc, own->items);
    sl_own_changes_init(own, own->alloc);
}

static bool grow(sl_own_changes *own) {
    if (own->count < own->capacity) return true;
    size_t capacity = own->capacity ? own->capacity * 2 : 16;
    sl_own_change *items = sl_resize(own->alloc, own->items, capacity * sizeof *items);
    if (!items) return false;
    own->items = items;
    own->capacity = capacity;
    return true;
}

static bool belongs(const sl_history_entry *entry) {
    return entry->origin_file == 0 && entry->changeset.size > 0;
}

static void append(sl_own_changes *own, const sl_history_entry *entry) {
    own->items[own->count++] = (sl_own_change){.version = entry->version,
                                               .peer_version = entry->peer_version,
                                               .origin_timestamp = entry->origin_timestamp,
                                               .cumulative_size = entry->cumulative_size,
                                               .author = (uint64_t)entry->salt,
                                               .size = entry->changeset.size};
}

typedef struct reading {
    sl_own_changes *own;
    bool failed;
} reading;

static bool list_entry(void *ctx, const sl_history_entry *entry) {
    reading *r = ctx;
    if (!belongs(entry)) return true;
    r->failed = !grow(r->own);
    if (!r->failed) append(r->own, entry);
    return !r->failed;
}

bool sl_own_changes_need(sl_own_changes *own, sl_store *store, uint64_t base, uint64_t last,
                         sl_status *st) {
    reading r = {own, false};
    if (own->known) return true;
    sl_own_changes_forget(own);
    if (!store->vtbl->entry_scan(store, base, last, false, list_entry, &r, st)) return false;
    if (r.failed) return sl_fail_memory(st);
    own->known = true;
    return true;
}

bool sl_own_changes_reserve(sl_own_changes *own, sl_status *st) {
    return !own->known || grow(own) || sl_fail_memory(st);
}

void sl_own_changes_add(sl_own_changes *own, const sl_history_entry *entry) {
    if (!own->known || !belongs(entry)) return;
    append(own, entry);
    if (own->held + entry->changeset.size > HOLD_AT_MOST) return;
    sl_own_change *added = &own->items[own->count - 1];
    /* Without memory for the copy the store is asked. */
    added->bytes = sl_new(own->alloc, added->size);
    if (!added->bytes) return;
    memcpy(added->bytes, entry->changeset.data, added->size);
    own->held += added->size;
}

size_t sl_own_changes_after(const sl_own_changes *own, uint64_t version) {
    size_t low = own->first, high = own->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (own->items[middle].version <= version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What is left moves to the front when it is no more than what went: each item moves but once on
 * average, however many wait behind those that are dropped. */
size_t sl_own_changes_drop(sl_own_changes *own, uint64_t last) {
    size_t end = sl_own_changes_after(own, last), gone = end - own->first;
    for (size_t i = own->first; i < end; i++)
        free_bytes(own, &own->items[i]);
    own->first = end;
    size_t left = own->count - own->first;
    if (left <= own->first) {
        if (left) memmove(own->items, own->items + own->first, left * sizeof *own->items);
        own->count = left;
        own->first = 0;
    }
    return gone;
}

bool sl_own_changes_scan(sl_own_changes *own, sl_store *store, uint64_t after, uint64_t last,
                         sl_entry_visitor visit, void *ctx, sl_status *st) {
    for (size_t i = sl_own_changes_after(own, after); i < own->count; i++) {
        const sl_own_change *change = &own->items[i];
        if (change->version > last) break;
        sl_history_entry entry = {.version = change->version,
                                  .peer_version = change->peer_version,
                                  .origin_timestamp = change->origin_timestamp,
                                  .cumulative_size = change->cumulative_size,
                                  .changeset = sl_str_of(change->bytes, change->size)};
        bool found = true;
        if (!change->bytes && !store->vtbl->entry_get(store, change->version, &entry, &found, st))
            return false;
        if (!found)
            return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                           "the history entry of version %llu is gone; restore the file from a "
                           "copy, or delete it and synchronise anew",
                           (unsigned long long)change->version);
        entry.origin_file = change->author;
        if (!visit(ctx, &entry)) break;
    }
    return true;
}
