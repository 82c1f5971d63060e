/* States of the in-memory store: the keys and values of the tables that a new client needs, one
 * after another. The values are what they are in this process, so a state is good for clients in
 * the same process only: a hash in front keeps what was damaged on the way out, not what was
 * forged. */
#include "base/strmap.h"
#include "store/memory_internal.h"

/* Small segments, so that small tests have many. */
enum { SEGMENT = 2 * SL_STATE_BLOCK, HEAD = 16, ITEM_HEAD = 8 };

/* ---- making ---------------------------------------------------------------------------------- */

static void make_stop(void *ctx) {
    sl_memory_store *store = ctx;
    sl_memory_maker *m = store->maker;
    if (!m) return;
    sl_memory_tree_release(&store->disk->alloc, &m->tree);
    sl_buf_free(&m->plain);
    sl_buf_free(&m->packed);
    sl_delete(&store->disk->alloc, m);
    store->maker = NULL;
}

static bool make_begin(void *ctx, sl_status *st) {
    sl_memory_store *store = ctx;
    make_stop(store);
    if (!sl_memory_step(store, st) || !sl_memory_catalogue_need(store, st)) return false;
    sl_memory_key end = sl_memory_key_1(SL_MEMORY_ENTRY + 1, 0);
    const sl_memory_item *last =
        sl_memory_tree_before(&store->disk->committed, sl_memory_key_str(&end));
    if (!last || last->bytes[0] != SL_MEMORY_ENTRY)
        return sl_fail(st, SL_ERR_USAGE, "", "an empty history has no state");
    sl_memory_maker *m = sl_new_zero(&store->disk->alloc, 1, sizeof *m);
    if (!m) return sl_fail_memory(st);
    sl_history_entry entry;
    memcpy(&entry, sl_memory_item_value(last).data, sizeof entry);
    m->facts = (sl_state_facts){
        .version = entry.version, .salt = entry.salt, .history = entry.cumulative_size};
    m->tree = sl_memory_tree_share(&store->disk->committed);
    sl_buf_init(&m->plain, &store->disk->alloc);
    sl_buf_init(&m->packed, &store->disk->alloc);
    store->maker = m;
    return true;
}

/* Objects of asymmetric classes are for the server only. */
static bool drop_asymmetric(sl_memory_store *store, sl_status *st) {
    sl_memory_tree *tree = &store->maker->tree;
    for (uint32_t id = 0; id < store->catalogue.capacity; id++) {
        const sl_cat_class *cls = store->catalogue.by_id[id];
        if (!cls || cls->def.kind != SL_TABLE_ASYMMETRIC) continue;
        sl_memory_key prefix = sl_memory_key_1(SL_MEMORY_OBJECT, id);
        const sl_memory_item *item;
        while (sl_memory_item_has_prefix(
            item = sl_memory_tree_seek(tree, sl_memory_key_str(&prefix), false),
            sl_memory_key_str(&prefix))) {
            if (!sl_memory_object_erase(&store->disk->alloc, tree, item)) return sl_fail_memory(st);
        }
    }
    return true;
}

static bool belongs(char table) {
    return table != SL_MEMORY_CLIENT && table != SL_MEMORY_ENTRY && table != SL_MEMORY_META &&
           table != SL_MEMORY_RECIPROCAL;
}

static void put_u32(sl_buf *out, uint32_t number) {
    sl_buf_add(out, &number, sizeof number);
}

static void put_u64(char *out, uint64_t number) {
    memcpy(out, &number, sizeof number);
}

static bool write_plain(sl_memory_store *store, sl_status *st) {
    static const char zero[SL_STATE_BLOCK] = {0};
    sl_memory_maker *m = store->maker;
    sl_buf *out = &m->plain;
    if (!drop_asymmetric(store, st)) return false;
    sl_buf_add(out, zero, HEAD);
    const sl_memory_item *item = sl_memory_tree_seek(&m->tree, sl_str_of("", 0), false);
    for (; item; item = sl_memory_tree_seek(&m->tree, sl_memory_item_key(item), true)) {
        if (!belongs(item->bytes[0])) continue;
        put_u32(out, item->key_size);
        put_u32(out, item->value_size);
        sl_buf_add(out, item->bytes, (size_t)item->key_size + item->value_size);
    }
    if (out->failed) return sl_fail_memory(st);
    put_u64(out->data, out->size);
    put_u64(out->data + 8, sl_hash_bytes(out->data + HEAD, out->size - HEAD));
    sl_buf_add(out, zero, (SL_STATE_BLOCK - out->size % SL_STATE_BLOCK) % SL_STATE_BLOCK);
    return !out->failed || sl_fail_memory(st);
}

static bool pack_some(sl_memory_maker *m, sl_status *st) {
    size_t left = m->plain.size - m->at, size = left < SEGMENT ? left : SEGMENT;
    if (!sl_state_pack(&m->packed, sl_str_of(m->plain.data + m->at, size), st)) return false;
    m->at += size;
    return true;
}

static void keep(sl_memory_store *store) {
    sl_memory_maker *m = store->maker;
    sl_memory_disk *disk = store->disk;
    sl_buf_free(&disk->kept_bytes);
    disk->kept_bytes = m->packed;
    sl_buf_init(&m->packed, &disk->alloc);
    disk->kept = m->facts;
    disk->kept.size = disk->kept_bytes.size;
}

static bool make_step(void *ctx, bool *done, sl_status *st) {
    sl_memory_store *store = ctx;
    sl_memory_maker *m = store->maker;
    *done = false;
    if (!m) return sl_fail(st, SL_ERR_USAGE, "", "no state is being made");
    bool ok = sl_memory_step(store, st);
    if (ok && m->plain.size == 0)
        ok = write_plain(store, st);
    else if (ok && m->at < m->plain.size)
        ok = pack_some(m, st);
    else
        *done = ok;
    if (*done) keep(store);
    if (!ok || *done) make_stop(store);
    return ok;
}

/* ---- the kept state -------------------------------------------------------------------------- */

static void kept(void *ctx, sl_state_facts *facts) {
    *facts = ((sl_memory_store *)ctx)->disk->kept;
}

static size_t segment_size(const sl_memory_disk *disk, size_t at) {
    const unsigned char *head = (const unsigned char *)disk->kept_bytes.data + at;
    return 4 + ((size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3]);
}

static bool kept_at(void *ctx, uint64_t offset, bool *starts, sl_status *st) {
    sl_memory_store *store = ctx;
    size_t at = 0;
    if (!sl_memory_step(store, st)) return false;
    while (at < offset && at < store->disk->kept_bytes.size)
        at += segment_size(store->disk, at);
    *starts = at == offset;
    return true;
}

static bool kept_read(void *ctx, uint64_t offset, size_t limit, sl_buf *out, sl_status *st) {
    sl_memory_store *store = ctx;
    const sl_memory_disk *disk = store->disk;
    if (!sl_memory_step(store, st)) return false;
    size_t begin = (size_t)offset, end = begin;
    while (end < disk->kept_bytes.size) {
        size_t size = segment_size(disk, end);
        if (end > begin && end + size - begin > limit) break;
        end += size;
    }
    sl_buf_add(out, disk->kept_bytes.data + begin, end - begin);
    return !out->failed || sl_fail_memory(st);
}

static void kept_drop(void *ctx) {
    sl_memory_disk *disk = ((sl_memory_store *)ctx)->disk;
    sl_buf_free(&disk->kept_bytes);
    disk->kept = (sl_state_facts){0};
}

/* ---- the part -------------------------------------------------------------------------------- */

static void drop_incoming(sl_memory_disk *disk) {
    sl_memory_disk_free(disk->incoming);
    disk->incoming = NULL;
}

static bool part_begin(void *ctx, uint64_t size, bool *found, sl_status *st) {
    sl_memory_store *store = ctx;
    sl_memory_disk *disk = store->disk;
    if (!sl_memory_step(store, st)) return false;
    *found = size <= disk->part.size;
    if (!*found) return true;
    disk->part.size = (size_t)size;
    if (disk->part_durable > disk->part.size) disk->part_durable = disk->part.size;
    return true;
}

static bool part_add(void *ctx, sl_str blocks, sl_status *st) {
    sl_memory_store *store = ctx;
    sl_memory_disk *disk = store->disk;
    if (!sl_memory_step(store, st)) return false;
    if (disk->committed.bytes + disk->part.size + blocks.size > disk->limit)
        return sl_fail(st, SL_ERR_STORAGE, "FULL", "no space left for a state");
    sl_buf_str(&disk->part, blocks);
    if (!disk->part.failed) return true;
    disk->part.failed = false;
    return sl_fail_memory(st);
}

static bool part_sync(void *ctx, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!sl_memory_step(store, st)) return false;
    store->disk->part_durable = store->disk->part.size;
    return true;
}

static void part_drop(void *ctx) {
    sl_memory_disk *disk = ((sl_memory_store *)ctx)->disk;
    sl_buf_free(&disk->part);
    disk->part_durable = 0;
    drop_incoming(disk);
}

static bool damaged(sl_status *st) {
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "what was received is no state of a realm");
}

static bool read_items(sl_memory_disk *to, sl_str bytes, sl_status *st) {
    const char *at = bytes.data, *end = at + bytes.size;
    while (at < end) {
        uint32_t key, value;
        if (end - at < ITEM_HEAD) return damaged(st);
        memcpy(&key, at, sizeof key);
        memcpy(&value, at + 4, sizeof value);
        at += ITEM_HEAD;
        if (key == 0 || (uint64_t)key + value > (uint64_t)(end - at) || !belongs(at[0]))
            return damaged(st);
        if (!sl_memory_tree_put(&to->alloc, &to->committed, sl_str_of(at, key),
                                sl_str_of(at + key, value)))
            return sl_fail_memory(st);
        at += key + (size_t)value;
    }
    return true;
}

static bool read_part(const sl_buf *part, sl_memory_disk *to, sl_status *st) {
    uint64_t size = 0, hash = 0;
    if (part->size < HEAD) return damaged(st);
    memcpy(&size, part->data, sizeof size);
    memcpy(&hash, part->data + 8, sizeof hash);
    if (size < HEAD || size > part->size || part->size - size >= SL_STATE_BLOCK ||
        sl_hash_bytes(part->data + HEAD, (size_t)size - HEAD) != hash)
        return damaged(st);
    return read_items(to, sl_str_of(part->data + HEAD, (size_t)size - HEAD), st);
}

static bool part_open(void *ctx, sl_store **out, sl_status *st) {
    sl_memory_store *store = ctx;
    sl_memory_disk *disk = store->disk;
    if (!sl_memory_step(store, st)) return false;
    drop_incoming(disk);
    disk->incoming = sl_memory_disk_new(disk->given);
    if (!disk->incoming) return sl_fail_memory(st);
    if (read_part(&disk->part, disk->incoming, st) && sl_memory_disk_open(disk->incoming, out, st))
        return true;
    drop_incoming(disk);
    return false;
}

bool sl_memory_state_install(sl_memory_disk *disk) {
    if (!disk->incoming || disk->store) return false;
    sl_memory_tree_release(&disk->alloc, &disk->committed);
    sl_memory_tree_release(&disk->alloc, &disk->durable);
    disk->committed = sl_memory_tree_share(&disk->incoming->committed);
    disk->durable = sl_memory_tree_share(&disk->committed);
    sl_buf_free(&disk->part);
    disk->part_durable = 0;
    drop_incoming(disk);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

void sl_memory_states_init(sl_memory_store *store) {
    store->states = (sl_state_store){.format = SL_STATE_FORMAT_MEMORY + 1,
                                     .ctx = store,
                                     .make_begin = make_begin,
                                     .make_step = make_step,
                                     .make_stop = make_stop,
                                     .kept = kept,
                                     .kept_at = kept_at,
                                     .kept_read = kept_read,
                                     .kept_drop = kept_drop,
                                     .part_begin = part_begin,
                                     .part_add = part_add,
                                     .part_sync = part_sync,
                                     .part_open = part_open,
                                     .part_drop = part_drop};
}

void sl_memory_states_close(sl_memory_store *store) {
    make_stop(store);
}

void sl_memory_disk_free_states(sl_memory_disk *disk) {
    sl_buf_free(&disk->kept_bytes);
    sl_buf_free(&disk->part);
    drop_incoming(disk);
}

void sl_memory_disk_crash_states(sl_memory_disk *disk, sl_memory_crash kind) {
    if (disk->store) make_stop(disk->store);
    if (kind == SL_CRASH_POWER && disk->part.size > disk->part_durable)
        disk->part.size = disk->part_durable;
    drop_incoming(disk);
}
