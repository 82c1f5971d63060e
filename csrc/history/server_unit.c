/* Units of work of a server history: beginning, ending, idents, and writes of the server itself. */
#include "history/server_history_private.h"
#include "realm/record.h"

/* Objects that stay in memory between units: a large upload leaves no more than that behind. */
enum { KEPT_OBJECTS = 10000 };

static void forget_unit(sl_server_history *h) {
    h->in_unit = false;
    h->recording = false;
    h->unit = h->now;
    h->indirect_count = h->indirect_before;
    sl_entry_cache_truncate(&h->cache, h->now.version);
    sl_changeset_reset(&h->recorded);
}

static bool begin_store(sl_server_history *h, sl_status *st) {
    if (h->in_unit) return sl_fail(st, SL_ERR_USAGE, "", "a unit of work is open already");
    if (!h->store->vtbl->begin(h->store, st)) return false;
    h->unit = h->now;
    h->indirect_before = h->indirect_count;
    return true;
}

bool sl_server_history_begin(sl_server_history *h, sl_status *st) {
    if (!begin_store(h, st)) return false;
    if (!sl_realm_begin(h->realm, st)) {
        h->store->vtbl->rollback(h->store);
        return false;
    }
    h->in_unit = true;
    return true;
}

bool sl_server_history_begin_write(sl_server_history *h, sl_status *st) {
    if (!begin_store(h, st)) return false;
    if (!sl_realm_begin_write(h->realm, &h->recorded, SL_SERVER_FILE_IDENT, st)) {
        h->store->vtbl->rollback(h->store);
        sl_changeset_reset(&h->recorded);
        return false;
    }
    h->in_unit = true;
    h->recording = true;
    return true;
}

void sl_server_history_rollback(sl_server_history *h) {
    if (!h->in_unit) return;
    h->store->vtbl->rollback(h->store);
    sl_realm_discard(h->realm);
    sl_merge_budget_end(&h->merged, false);
    forget_unit(h);
}

bool sl_server_history_append(sl_server_history *h, sl_history_entry *entry, const sl_changeset *cs,
                              sl_status *st) {
    entry->version = h->unit.version + 1;
    entry->salt = sl_env_salt(h->env);
    entry->cumulative_size = h->unit.size + entry->changeset.size;
    if (entry->version > SL_MAX_NUMBER)
        return sl_fail(st, SL_ERR_STORAGE, "FULL", "there are no more server versions");
    if (!h->store->vtbl->entry_append(h->store, entry, st)) return false;
    sl_entry_cache_push(&h->cache, entry);
    h->unit.version = entry->version;
    h->unit.salt = entry->salt;
    h->unit.size = entry->cumulative_size;
    if (sl_changeset_touches_schema(cs)) h->unit.schema = entry->version;
    return true;
}

bool sl_server_history_now(const sl_server_history *h, uint64_t *now, sl_status *st) {
    int64_t wall = h->env->wall_ms(h->env->ctx);
    if (wall < SL_SYNC_EPOCH_MS)
        return sl_fail(st, SL_ERR_USAGE, "CLOCK", "the clock stands before 2015: set it first");
    *now = (uint64_t)(wall - SL_SYNC_EPOCH_MS);
    return true;
}

static bool append_recorded(sl_server_history *h, sl_status *st) {
    uint64_t now = 0;
    if (h->recorded.count == 0) return true;
    if (!sl_server_history_now(h, &now, st)) return false;
    int level;
    if (!sl_feature_level(&h->recorded, sl_realm_schema(h->realm), &level, NULL, st)) return false;
    if (level > h->unit.level) h->unit.level = level;
    sl_buf_clear(&h->encoded);
    if (!sl_changeset_encode(&h->recorded, SL_ENCODE_AS_PARSED, &h->encoded, st)) return false;
    sl_history_entry entry = {.origin_timestamp = now,
                              .changeset = sl_str_of(h->encoded.data, h->encoded.size),
                              .original = SL_STR("")};
    return sl_server_history_append(h, &entry, &h->recorded, st);
}

static bool store_numbers(sl_server_history *h, sl_status *st) {
    const sl_store_vtbl *v = h->store->vtbl;
    if (h->unit.level != h->now.level &&
        !v->meta_put_int(h->store, SL_META_LEVEL, h->unit.level, st))
        return false;
    if (h->unit.schema != h->now.schema &&
        !v->meta_put_int(h->store, SL_META_SCHEMA, (int64_t)h->unit.schema, st))
        return false;
    return h->unit.next_ident == h->now.next_ident ||
           v->meta_put_int(h->store, SL_META_NEXT_IDENT, (int64_t)h->unit.next_ident, st);
}

bool sl_server_history_commit(sl_server_history *h, uint64_t *added, sl_status *st) {
    if (!h->in_unit) return sl_fail(st, SL_ERR_USAGE, "", "no unit of work is open");
    if ((h->recording && !append_recorded(h, st)) || !store_numbers(h, st) ||
        !sl_realm_flush(h->realm, st)) {
        sl_server_history_rollback(h);
        return false;
    }
    bool durable = h->unit.version != h->now.version || h->unit.next_ident != h->now.next_ident;
    if (!h->store->vtbl->commit(h->store, durable, st)) {
        /* The store has rolled itself back. */
        sl_realm_discard(h->realm);
        sl_merge_budget_end(&h->merged, false);
        forget_unit(h);
        return false;
    }
    h->unsynced = !durable;
    sl_realm_commit(h->realm);
    sl_realm_trim(h->realm, KEPT_OBJECTS);
    if (added) *added = h->unit.version - h->now.version;
    h->now = h->unit;
    h->indirect_before = h->indirect_count;
    sl_merge_budget_end(&h->merged, true);
    forget_unit(h);
    return true;
}

/* Only files with indirect clients carry their number. */
static bool count_indirect(sl_server_history *h, const sl_client_file *row, sl_status *st) {
    if (row->type != SL_CLIENT_INDIRECT) return true;
    if (!sl_server_history_note_indirect(h, row->ident, row->proxy)) return sl_fail_memory(st);
    return h->store->vtbl->meta_put_int(h->store, SL_META_INDIRECT, (int64_t)h->indirect_count, st);
}

bool sl_server_history_allocate(sl_server_history *h, sl_client_file *row, sl_status *st) {
    if (!h->in_unit) return sl_fail(st, SL_ERR_USAGE, "", "no unit of work is open");
    if (h->unit.next_ident > SL_MAX_NUMBER)
        return sl_fail(st, SL_ERR_STORAGE, "FULL", "there are no more client file idents");
    sl_client_file fresh = {.ident = h->unit.next_ident,
                            .type = row->type,
                            .proxy = row->proxy,
                            .last_seen = h->env->wall_ms(h->env->ctx) / 1000,
                            .user = row->user};
    if (fresh.type != SL_CLIENT_INDIRECT) fresh.salt = sl_env_salt(h->env);
    if (fresh.last_seen < 1) fresh.last_seen = 1;
    if (!h->store->vtbl->client_put(h->store, &fresh, st) || !count_indirect(h, &fresh, st))
        return false;
    h->unit.next_ident++;
    *row = fresh;
    return true;
}
