#include "history/window.h"

/* One entry that takes part. `bytes` (in the arena) is what `changeset` was parsed from. */
typedef struct window_entry {
    uint64_t version;
    sl_merge_item item;
    bool modified; /* by any merge so far */
    sl_str bytes;
    sl_changeset changeset;
} window_entry;

/* Invariants: entries[0..count) are pointers into the arena, ascending by version, all above
 * `after`; parsed ones are those below `parsed`. */
struct sl_window {
    sl_window_options options;
    sl_arena arena;
    window_entry **entries;
    size_t count, capacity, parsed;
    bool loaded;
    uint64_t after; /* argument of the newest merge */
    bool failed;    /* inside the visitor: no memory */
    sl_buf scratch;
};

sl_window *sl_window_new(const sl_window_options *options) {
    sl_window *window = sl_new_zero(options->alloc, 1, sizeof(*window));
    if (!window) return NULL;
    window->options = *options;
    sl_arena_init(&window->arena, options->alloc);
    sl_buf_init(&window->scratch, options->alloc);
    return window;
}

void sl_window_free(sl_window *window) {
    if (!window) return;
    for (size_t i = 0; i < window->count; i++)
        sl_changeset_free(&window->entries[i]->changeset);
    const sl_alloc *alloc = window->options.alloc;
    sl_delete(alloc, window->entries);
    sl_arena_free(&window->arena);
    sl_buf_free(&window->scratch);
    sl_delete(alloc, window);
}

static bool make_room(sl_window *window) {
    if (window->count < window->capacity) return true;
    size_t capacity = window->capacity ? window->capacity * 2 : 16;
    void *grown =
        sl_resize(window->options.alloc, window->entries, capacity * sizeof(*window->entries));
    if (!grown) return false;
    window->entries = grown;
    window->capacity = capacity;
    return true;
}

static bool add_entry(void *ctx, const sl_history_entry *entry) {
    sl_window *window = ctx;
    if (entry->changeset.size == 0) return true;
    if (!window->options.takes_part(window->options.ctx, entry)) return true;
    window->failed = true;
    if (!make_room(window)) return false;
    window_entry *added = sl_arena_zero(&window->arena, 1, sizeof(*added));
    if (!added) return false;
    added->bytes = sl_arena_str(&window->arena, entry->changeset);
    if (!added->bytes.data) return false;
    added->version = entry->version;
    added->item.changeset = &added->changeset;
    added->item.origin_timestamp = entry->origin_timestamp;
    added->item.origin_file = entry->origin_file ? entry->origin_file : window->options.self;
    sl_changeset_init(&added->changeset, window->options.alloc);
    window->entries[window->count++] = added;
    window->failed = false;
    return true;
}

static bool load(sl_window *window, uint64_t after, sl_status *st) {
    const sl_window_options *o = &window->options;
    bool ok =
        o->scan ? o->scan(o->scan_ctx, after, o->last, add_entry, window, st)
                : o->store->vtbl->entry_scan(o->store, after, o->last, true, add_entry, window, st);
    if (ok && window->failed) ok = sl_fail_memory(st);
    window->loaded = ok;
    return ok;
}

/* The peer's own form of the entry replaces the one of the history, also when it is empty. */
static bool take_reciprocal(sl_window *window, window_entry *entry, sl_status *st) {
    sl_store *store = window->options.store;
    sl_str bytes = SL_STR("");
    bool found = false;
    if (!store->vtbl->reciprocal_get(store, window->options.peer, entry->version, &bytes, &found,
                                     st))
        return false;
    if (!found) return true;
    entry->bytes = sl_arena_str(&window->arena, bytes);
    return entry->bytes.data || entry->bytes.size == 0 || sl_fail_memory(st);
}

static bool parse_entry(sl_window *window, window_entry *entry, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    if (!take_reciprocal(window, entry, st)) return false;
    if (sl_changeset_parse(&entry->changeset, entry->bytes.data, entry->bytes.size, &inner))
        return true;
    if (inner.cls == SL_ERR_MEMORY) return sl_fail_memory(st);
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                   "the stored changeset of version %llu does not parse: %s",
                   (unsigned long long)entry->version, inner.message);
}

static bool parse_all(sl_window *window, sl_status *st) {
    while (window->parsed < window->count) {
        if (!parse_entry(window, window->entries[window->parsed], st)) return false;
        window->parsed++;
    }
    return true;
}

/* Index of the first entry above `after`. */
static size_t first_after(const sl_window *window, uint64_t after) {
    size_t low = 0, high = window->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (window->entries[middle]->version <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* sl_transform wants the local items side by side. */
static bool transform_suffix(sl_window *window, size_t first, sl_merge_item *incoming, size_t count,
                             sl_status *st) {
    size_t local_count = window->count - first;
    sl_merge_item *local = sl_new_zero(window->options.alloc, local_count, sizeof(*local));
    if (!local) return sl_fail_memory(st);
    for (size_t i = 0; i < local_count; i++) {
        local[i] = window->entries[first + i]->item;
        local[i].modified = false;
    }
    bool ok = sl_transform(local, local_count, incoming, count, window->options.merge, st);
    for (size_t i = 0; ok && i < local_count; i++)
        if (local[i].modified) window->entries[first + i]->modified = true;
    sl_delete(window->options.alloc, local);
    return ok;
}

bool sl_window_merge(sl_window *window, uint64_t after, sl_merge_item *incoming, size_t count,
                     sl_status *st) {
    if (window->loaded && after < window->after)
        return sl_fail(st, SL_ERR_INTERNAL, "WINDOW", "the base of a merge went back to %llu",
                       (unsigned long long)after);
    if (!window->loaded && !load(window, after, st)) return false;
    window->after = after;
    size_t first = first_after(window, after);
    if (first == window->count || count == 0) return true;
    if (!parse_all(window, st)) return false;
    return transform_suffix(window, first, incoming, count, st);
}

size_t sl_window_size(const sl_window *window) {
    return window->count;
}

bool sl_window_store(sl_window *window, sl_status *st) {
    sl_store *store = window->options.store;
    for (size_t i = 0; i < window->count; i++) {
        window_entry *entry = window->entries[i];
        if (!entry->modified) continue;
        sl_buf_clear(&window->scratch);
        if (!sl_changeset_encode(&entry->changeset, SL_ENCODE_UPFRONT, &window->scratch, st))
            return false;
        sl_str bytes = sl_str_of(window->scratch.data, window->scratch.size);
        if (!store->vtbl->reciprocal_put(store, window->options.peer, entry->version, bytes, st))
            return false;
        entry->modified = false;
    }
    return true;
}
