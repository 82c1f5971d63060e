#include "transform/order.h"

#include <inttypes.h>

typedef struct ordered {
    uint64_t timestamp, file;
    sl_merge_entry *entry;
    bool local;
} ordered;

static int compare(const ordered *a, const ordered *b) {
    if (a->timestamp != b->timestamp) return a->timestamp < b->timestamp ? -1 : 1;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    return 0;
}

static size_t run_end(const ordered *items, size_t from, size_t count) {
    size_t end = from + 1;
    while (end < count && compare(&items[end - 1], &items[end]) <= 0)
        end++;
    return end;
}

static void merge_runs(const ordered *from, size_t a, size_t b, size_t end, ordered *to) {
    size_t middle = b;
    for (size_t at = a; at < end; at++) {
        bool first = a < middle && (b == end || compare(&from[a], &from[b]) <= 0);
        to[at] = first ? from[a++] : from[b++];
    }
}

/* Merges neighbouring runs until one is left: linear when each side comes in order, as it nearly
 * always does. Returns the array that holds the result. */
static ordered *sort(ordered *items, ordered *other, size_t count) {
    while (run_end(items, 0, count) < count) {
        for (size_t at = 0; at < count;) {
            size_t middle = run_end(items, at, count);
            size_t end = middle < count ? run_end(items, middle, count) : count;
            merge_runs(items, at, middle, end, other);
            at = end;
        }
        ordered *swap = items;
        items = other;
        other = swap;
    }
    return items;
}

static size_t collect(const sl_merge_side *side, bool local, ordered *to) {
    size_t count = 0;
    for (size_t e = 0; e < side->count; e++) {
        sl_merge_entry *entry = &side->entries[e];
        if (entry->cs->count == 0) continue;
        to[count++] =
            (ordered){entry->item->origin_timestamp, entry->item->origin_file, entry, local};
    }
    return count;
}

static bool reject_equal(sl_merge *m, const ordered *item) {
    m->failed = true;
    return sl_fail(m->st, SL_ERR_CHANGESET, "EQUAL",
                   "both sides have a changeset of file %" PRIu64 " with timestamp %" PRIu64
                   "; changesets of one file must not be merged with each other",
                   item->file, item->timestamp);
}

bool sl_order_entries(sl_merge *m) {
    size_t room = m->local.count + m->incoming.count;
    ordered *items = sl_arena_alloc(&m->scratch, 2 * room * sizeof *items);
    if (!items) return sl_merge_no_memory(m) == 0;
    size_t count = collect(&m->local, true, items);
    count += collect(&m->incoming, false, items + count);
    if (count == 0) return true;
    items = sort(items, items + room, count);
    uint32_t age = 0;
    bool has_local = false, has_incoming = false;
    for (size_t j = 0; j < count; j++) {
        if (j > 0 && compare(&items[j - 1], &items[j]) != 0) {
            age++;
            has_local = has_incoming = false;
        }
        *(items[j].local ? &has_local : &has_incoming) = true;
        if (has_local && has_incoming && !m->options.allow_equal) return reject_equal(m, &items[j]);
        items[j].entry->age = age;
    }
    return true;
}
