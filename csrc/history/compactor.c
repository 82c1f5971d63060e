#include "history/compactor.h"
#include "changeset/copy.h"
#include "history/server_history_private.h"
#include "history/shrink.h"

enum { DEFAULT_MEMORY = 64 << 20, DEFAULT_ENTRIES = 512, DEFAULT_BYTES = 256 << 10 };

/* An entry of the piece at hand; its bytes are in the arena. */
typedef struct loaded {
    sl_history_entry entry;
    uint32_t instructions;
    sl_changeset changeset;
} loaded;

/* Invariants: entries above `next` have been looked at, from the limit downwards; then `summed`
 * rises from below the first entry that was changed. `total` is the sum of sizes up to `summed`. */
struct sl_compactor {
    sl_server_history *history;
    sl_compactor_options options;
    sl_compactor_report report;
    sl_shrink *shrink;
    uint64_t next_ident; /* when the limit was found */
    uint64_t before;     /* what had been compacted before the run */
    uint64_t next;
    bool summing;
    bool wrote, stopped; /* something was changed; a newcomer ended the run early */
    uint64_t changed;    /* the first entry whose size is not what the sums say; 0 = none */
    uint64_t summed, total;
    uint64_t run; /* where the run of empty entries that ends at `summed` begins; 0 = none */
    sl_gaps gaps; /* as they will be */
    /* The piece. */
    sl_arena arena;
    loaded **piece;
    size_t count, capacity;
    bool failed; /* inside a visitor: no memory */
    sl_buf sizes, encoded;
};

sl_compactor *sl_compactor_new(sl_server_history *h, const sl_compactor_options *options,
                               sl_status *st) {
    sl_compactor *c = sl_new_zero(h->alloc, 1, sizeof *c);
    if (!c) {
        sl_fail_memory(st);
        return NULL;
    }
    c->history = h;
    if (options) c->options = *options;
    if (c->options.memory == 0) c->options.memory = DEFAULT_MEMORY;
    if (c->options.entries == 0) c->options.entries = DEFAULT_ENTRIES;
    if (c->options.bytes == 0) c->options.bytes = DEFAULT_BYTES;
    sl_gaps_init(&c->gaps, h->alloc);
    sl_arena_init(&c->arena, h->alloc);
    sl_buf_init(&c->sizes, h->alloc);
    sl_buf_init(&c->encoded, h->alloc);
    int64_t changed = 0;
    bool ok = sl_server_history_limit(h, &c->report.limit, st) &&
              h->store->vtbl->meta_get_int(h->store, SL_META_SUMS_FROM, &changed, st);
    c->changed = (uint64_t)changed;
    c->next_ident = h->now.next_ident;
    c->before = h->compacted;
    c->next = c->report.limit.version;
    c->shrink = ok ? sl_shrink_new(h->alloc, c->options.memory) : NULL;
    if (ok && !c->shrink) ok = sl_fail_memory(st);
    if (ok) return c;
    sl_compactor_free(c);
    return NULL;
}

static void clear_piece(sl_compactor *c) {
    for (size_t i = 0; i < c->count; i++)
        sl_changeset_free(&c->piece[i]->changeset);
    c->count = 0;
    sl_arena_reset(&c->arena);
}

void sl_compactor_free(sl_compactor *c) {
    if (!c) return;
    clear_piece(c);
    sl_delete(c->history->alloc, c->piece);
    sl_arena_free(&c->arena);
    sl_gaps_free(&c->gaps);
    sl_buf_free(&c->sizes);
    sl_buf_free(&c->encoded);
    sl_shrink_free(c->shrink);
    sl_delete(c->history->alloc, c);
}

sl_compactor_report sl_compactor_report_of(const sl_compactor *c) {
    return c->report;
}

/* ---- reading a piece ------------------------------------------------------------------------- */

static bool see_size(void *ctx, const sl_history_entry *entry) {
    sl_compactor *c = ctx;
    uint64_t pair[2] = {entry->version, entry->changeset.size};
    if (pair[1]) sl_buf_add(&c->sizes, pair, sizeof pair);
    return !c->sizes.failed;
}

/* The lower end (exclusive) of the next piece: at most so many entries, at most so many bytes. */
static bool find_piece(sl_compactor *c, uint64_t *after, sl_status *st) {
    sl_server_history *h = c->history;
    const sl_gap *gap = sl_gaps_before(&h->gaps, c->next);
    if (gap && gap->last >= c->next) {
        *after = gap->first - 1;
        sl_buf_clear(&c->sizes);
        return true;
    }
    *after = c->next > c->options.entries ? c->next - c->options.entries : 0;
    if (gap && gap->last > *after) *after = gap->last;
    sl_buf_clear(&c->sizes);
    if (!h->store->vtbl->entry_scan(h->store, *after, c->next, false, see_size, c, st))
        return false;
    if (c->sizes.failed) return sl_fail_memory(st);
    size_t bytes = 0, at = c->sizes.size;
    while (at > 0) {
        uint64_t pair[2];
        memcpy(pair, c->sizes.data + at - sizeof pair, sizeof pair);
        bytes += (size_t)pair[1];
        if (bytes > c->options.bytes && at < c->sizes.size) {
            *after = pair[0];
            return true;
        }
        at -= sizeof pair;
    }
    return true;
}

static bool piece_room(sl_compactor *c) {
    if (c->count < c->capacity) return true;
    size_t capacity = c->capacity ? c->capacity * 2 : 64;
    void *grown = sl_resize(c->history->alloc, c->piece, capacity * sizeof *c->piece);
    if (!grown) return false;
    c->piece = grown;
    c->capacity = capacity;
    return true;
}

static bool keep(sl_arena *arena, sl_str *s) {
    if (s->size == 0) return true;
    *s = sl_arena_str(arena, *s);
    return s->data != NULL;
}

static bool see_full(void *ctx, const sl_history_entry *entry) {
    sl_compactor *c = ctx;
    if (entry->changeset.size == 0) return true;
    c->failed = true;
    loaded *l = sl_arena_zero(&c->arena, 1, sizeof *l);
    if (!l || !piece_room(c)) return false;
    l->entry = *entry;
    if (!keep(&c->arena, &l->entry.changeset) || !keep(&c->arena, &l->entry.original)) return false;
    sl_changeset_init(&l->changeset, c->history->alloc);
    c->piece[c->count++] = l;
    c->failed = false;
    return true;
}

static bool parse(sl_changeset *cs, const sl_history_entry *entry, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    if (sl_changeset_parse(cs, entry->changeset.data, entry->changeset.size, &inner)) return true;
    if (inner.cls == SL_ERR_MEMORY) return sl_fail_memory(st);
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                   "the stored changeset of version %llu does not parse: %s",
                   (unsigned long long)entry->version, inner.message);
}

static bool load_piece(sl_compactor *c, uint64_t after, sl_status *st) {
    sl_store *store = c->history->store;
    clear_piece(c);
    c->failed = false;
    if (!store->vtbl->entry_scan(store, after, c->next, true, see_full, c, st)) return false;
    if (c->failed) return sl_fail_memory(st);
    for (size_t i = 0; i < c->count; i++) {
        if (!parse(&c->piece[i]->changeset, &c->piece[i]->entry, st)) return false;
        c->piece[i]->instructions = c->piece[i]->changeset.count;
    }
    return true;
}

/* From the first change on nothing up to the limit is what it was. */
static uint64_t until(const sl_compactor *c) {
    uint64_t limit = c->report.limit.version;
    return limit > c->before && (c->wrote || !c->stopped) ? limit : c->before;
}

/* ---- rewriting ------------------------------------------------------------------------------- */

/* With the names that are still used, and no others. */
static bool encode(sl_compactor *c, const sl_changeset *cs, sl_status *st) {
    sl_changeset lean;
    sl_changeset_init(&lean, c->history->alloc);
    sl_buf_clear(&c->encoded);
    bool ok = true;
    for (uint32_t i = 0; ok && i < cs->count; i++)
        ok = sl_changeset_copy(&lean, cs, &cs->instructions[i], st);
    ok = ok && sl_changeset_encode(&lean, SL_ENCODE_UPFRONT, &c->encoded, st);
    sl_changeset_free(&lean);
    return ok;
}

static bool replace(sl_compactor *c, sl_history_entry *entry, const sl_changeset *cs,
                    sl_status *st) {
    sl_store *store = c->history->store;
    if (!encode(c, cs, st)) return false;
    /* The entry as it came has to be kept only if nobody has looked at it before. */
    if (c->history->keep_originals && entry->original.size == 0 && entry->version > c->before)
        entry->original = entry->changeset;
    c->report.bytes_after += c->encoded.size;
    c->report.bytes_after -= entry->changeset.size;
    entry->changeset = sl_str_of(c->encoded.data, c->encoded.size);
    if (c->changed == 0 || entry->version < c->changed) c->changed = entry->version;
    c->wrote = true;
    return store->vtbl->entry_replace(store, entry, st);
}

static bool add_sum(sl_compactor *c, const sl_shrink_sum *sum, sl_status *st) {
    sl_store *store = c->history->store;
    sl_history_entry entry;
    sl_changeset cs;
    bool found = false;
    if (!store->vtbl->entry_get(store, sum->version, &entry, &found, st)) return false;
    if (!keep(&c->arena, &entry.changeset) || !keep(&c->arena, &entry.original))
        return sl_fail_memory(st);
    sl_changeset_init(&cs, c->history->alloc);
    bool ok = found && parse(&cs, &entry, st);
    if (ok && (sum->index >= cs.count || cs.instructions[sum->index].op != SL_OP_ADD_INTEGER))
        ok = sl_fail(st, SL_ERR_INTERNAL, "SUM", "version %llu holds no increment to add to",
                     (unsigned long long)sum->version);
    if (ok) {
        sl_value *value = &cs.instructions[sum->index].value;
        value->integer = (int64_t)((uint64_t)value->integer + (uint64_t)sum->delta);
        ok = replace(c, &entry, &cs, st);
    }
    sl_changeset_free(&cs);
    return ok;
}

static bool write_piece(sl_compactor *c, const sl_shrink_entry *entries, sl_status *st) {
    sl_store *store = c->history->store;
    size_t sums;
    const sl_shrink_sum *sum = sl_shrink_sums(c->shrink, &sums);
    for (size_t i = 0; i < c->count; i++) {
        if (!entries[i].changed) continue;
        if (!replace(c, &c->piece[i]->entry, &c->piece[i]->changeset, st)) return false;
    }
    for (size_t i = 0; i < sums; i++)
        if (!add_sum(c, &sum[i], st)) return false;
    return store->vtbl->meta_put_int(store, SL_META_SUMS_FROM, (int64_t)c->changed, st) &&
           store->vtbl->meta_put_int(store, SL_META_COMPACTED, (int64_t)until(c), st);
}

static bool commit(sl_compactor *c, sl_status *st) {
    /* What lies in memory is out of date with the commit, not before. */
    sl_entry_cache_forget(&c->history->cache, c->report.limit.version);
    return sl_server_history_commit(c->history, NULL, st);
}

static void count_piece(sl_compactor *c) {
    for (size_t i = 0; i < c->count; i++) {
        const loaded *l = c->piece[i];
        c->report.entries++;
        c->report.instructions_before += l->instructions;
        c->report.instructions_after += l->changeset.count;
        c->report.emptied += l->changeset.count == 0;
    }
}

static bool shrink_piece(sl_compactor *c, sl_status *st) {
    sl_shrink_entry *entries =
        sl_arena_zero(&c->arena, c->count + 1, sizeof *entries); /* lives as long as the piece */
    bool any = false;
    size_t sums;
    if (!entries) return sl_fail_memory(st);
    for (size_t i = 0; i < c->count; i++) {
        const sl_history_entry *e = &c->piece[i]->entry;
        entries[i] =
            (sl_shrink_entry){.version = e->version,
                              .timestamp = e->origin_timestamp,
                              .file = e->origin_file ? e->origin_file : SL_SERVER_FILE_IDENT,
                              .changeset = &c->piece[i]->changeset};
        c->report.bytes_before += e->changeset.size;
        c->report.bytes_after += e->changeset.size;
    }
    if (!sl_shrink_piece(c->shrink, entries, c->count, st)) return false;
    count_piece(c);
    sl_shrink_sums(c->shrink, &sums);
    for (size_t i = 0; i < c->count; i++)
        any = any || entries[i].changed;
    if (!any && sums == 0) return true;
    if (!sl_server_history_begin(c->history, st)) return false;
    if (!write_piece(c, entries, st)) {
        sl_server_history_rollback(c->history);
        return false;
    }
    if (!commit(c, st)) return false;
    c->history->compacted = until(c);
    return true;
}

/* ---- sums and gaps --------------------------------------------------------------------------- */

static bool begin_sums(sl_compactor *c, sl_status *st) {
    sl_store *store = c->history->store;
    sl_history_entry entry;
    bool found = false;
    c->summing = true;
    /* Entries may come in before the next step. */
    c->summed = c->changed ? c->changed - 1 : c->history->now.version;
    c->total = c->changed ? 0 : c->history->now.size;
    if (c->summed && c->changed) {
        if (!store->vtbl->entry_get(store, c->summed, &entry, &found, st)) return false;
        c->total = found ? entry.cumulative_size : 0;
    }
    for (size_t i = 0; i < c->history->gaps.count; i++) {
        sl_gap gap = c->history->gaps.list[i];
        if (!sl_gaps_add(&c->gaps, gap.first, gap.last)) return sl_fail_memory(st);
    }
    /* A run that ends just before goes on, maybe. */
    const sl_gap *last = sl_gaps_before(&c->gaps, c->summed);
    if (last && last->last == c->summed) c->run = last->first;
    sl_gaps_cut(&c->gaps, c->run ? c->run - 1 : c->summed);
    return true;
}

static bool see_sum(void *ctx, const sl_history_entry *entry) {
    sl_compactor *c = ctx;
    c->total += entry->changeset.size;
    c->failed = true;
    if (entry->changeset.size == 0 && c->run == 0 && entry->version <= c->report.limit.version)
        c->run = entry->version;
    if ((entry->changeset.size || entry->version > c->report.limit.version) && c->run) {
        if (!sl_gaps_add(&c->gaps, c->run, entry->version - 1)) return false;
        c->run = 0;
    }
    c->summed = entry->version;
    if (entry->cumulative_size != c->total) {
        loaded *l = sl_arena_zero(&c->arena, 1, sizeof *l);
        if (!l || !piece_room(c)) return false;
        sl_changeset_init(&l->changeset, c->history->alloc);
        l->entry = *entry;
        if (!keep(&c->arena, &l->entry.changeset) || !keep(&c->arena, &l->entry.original))
            return false;
        l->entry.cumulative_size = c->total;
        c->piece[c->count++] = l;
    }
    c->failed = false;
    return true;
}

static bool write_gaps(sl_compactor *c, sl_status *st) {
    sl_store *store = c->history->store;
    sl_buf_clear(&c->encoded);
    sl_gaps_write(&c->gaps, &c->encoded);
    if (c->encoded.failed) return sl_fail_memory(st);
    return store->vtbl->meta_put_bytes(store, SL_META_GAPS,
                                       sl_str_of(c->encoded.data, c->encoded.size), st);
}

/* Everything is in step: the numbers of the history follow. */
static bool end_sums(sl_compactor *c, sl_status *st) {
    sl_server_history *h = c->history;
    sl_store *store = h->store;
    if (c->run && !sl_gaps_add(&c->gaps, c->run, c->summed)) return sl_fail_memory(st);
    c->run = 0;
    if (!write_gaps(c, st) || !store->vtbl->meta_put_int(store, SL_META_SUMS_FROM, 0, st) ||
        !store->vtbl->meta_put_int(store, SL_META_COMPACTED, (int64_t)until(c), st))
        return false;
    if (c->changed) h->unit.size = c->total;
    return true;
}

static bool write_sums(sl_compactor *c, bool last, sl_status *st) {
    sl_store *store = c->history->store;
    for (size_t i = 0; i < c->count; i++)
        if (!store->vtbl->entry_replace(store, &c->piece[i]->entry, st)) return false;
    return !last || end_sums(c, st);
}

static void adopt(sl_compactor *c) {
    sl_server_history *h = c->history;
    sl_gaps old = h->gaps;
    h->gaps = c->gaps;
    c->gaps = old;
    h->compacted = until(c);
}

static bool sum_step(sl_compactor *c, bool *more, sl_status *st) {
    sl_server_history *h = c->history;
    sl_store *store = h->store;
    uint64_t last = c->summed + c->options.entries;
    if (last > h->now.version) last = h->now.version;
    clear_piece(c);
    c->failed = false;
    /* Sums may come late for a DOWNLOAD that tells them, but never wrong for a commit that goes on
     * from them: the last step reaches the newest entry inside its own unit. */
    if (!sl_server_history_begin(h, st)) return false;
    bool ok = store->vtbl->entry_scan(store, c->summed, last, true, see_sum, c, st);
    if (ok && c->failed) ok = sl_fail_memory(st);
    c->summed = last;
    *more = last < h->now.version;
    ok = ok && write_sums(c, !*more, st);
    if (!ok) {
        sl_server_history_rollback(h);
        return false;
    }
    sl_entry_cache_forget(&h->cache, h->now.version);
    if (!sl_server_history_commit(h, NULL, st)) return false;
    if (!*more) adopt(c);
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* A client that came meanwhile may be reading what has not been looked at yet. */
static bool limit_stands(sl_compactor *c, bool *stands, sl_status *st) {
    sl_server_limit limit;
    *stands = true;
    if (c->history->now.next_ident == c->next_ident) return true;
    c->next_ident = c->history->now.next_ident;
    if (!sl_server_history_limit(c->history, &limit, st)) return false;
    *stands = limit.version >= c->report.limit.version;
    return true;
}

bool sl_compactor_step(sl_compactor *c, bool *more, sl_status *st) {
    bool stands;
    *more = true;
    if (c->summing) return sum_step(c, more, st);
    if (!limit_stands(c, &stands, st)) return false;
    c->stopped = !stands;
    if (!stands || c->next == 0) return begin_sums(c, st);
    uint64_t after;
    if (!find_piece(c, &after, st)) return false;
    if (c->sizes.size && (!load_piece(c, after, st) || !shrink_piece(c, st))) return false;
    c->next = after;
    return true;
}
