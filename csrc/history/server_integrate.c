/* Integration of one client's uploads (protocol/4-history-and-sessions.md, 6.3). */
#include "history/adopt_ident.h"
#include "history/server_history_private.h"
#include "history/void_clear.h"
#include "history/window.h"
#include "realm/apply.h"

/* One uploaded changeset on its way into the history. */
typedef struct incoming {
    const sl_upload_entry *entry;
    sl_changeset changeset;
    bool rewritten; /* GlobalKeys were completed, or void Clears left out */
} incoming;

/* Invariant: changesets of batch[0 .. parsed) are initialised; items[i] belongs to batch[i]. */
typedef struct integration {
    sl_server_history *history;
    sl_client_file row;
    incoming *batch;
    sl_merge_item *items;
    size_t count, parsed;
    sl_schema_right schema;
    sl_steps steps; /* of all merges of the upload */
    sl_merge_options merge;
    sl_window *window;
    sl_buf encoded;
} integration;

static bool blame(sl_status *st, int code, const char *why) {
    return sl_fail_code(st, SL_ERR_SESSION, code, "%s", why);
}

/* Contradictions of the schema have a number of their own, because a fresh copy would not help the
 * client (6.5). What takes too long to merge is as if the client had been away for too long: on a
 * fresh copy its changes meet nothing. */
static int code_of(const sl_status *inner) {
    if (strcmp(inner->id, SL_MERGE_TOO_LONG) == 0) return 222;
    if (inner->id[0] == 'S' && inner->id[1] >= '1' && inner->id[1] <= '9') return 225;
    if (strcmp(inner->id, "A-LIMIT") == 0 || strcmp(inner->id, "LIMIT") == 0) return 201;
    return strcmp(inner->id, "A-SCHEMA") == 0 ? 225 : 212;
}

/* A realm that could not undo half of a bad changeset says "DISCARD": the unit is lost, but the
 * changeset is to blame. So it is for what the store cannot hold. */
static bool is_blamed(const sl_status *inner) {
    return inner->cls == SL_ERR_CHANGESET || strcmp(inner->id, "DISCARD") == 0 ||
           (inner->cls == SL_ERR_STORAGE && strcmp(inner->id, "LIMIT") == 0);
}

bool sl_server_history_blame(sl_status *st, const sl_status *inner, uint64_t client_version) {
    if (!is_blamed(inner)) {
        if (st) *st = *inner;
        return false;
    }
    return sl_fail_code(st, SL_ERR_SESSION, code_of(inner), "changeset of client version %llu: %s",
                        (unsigned long long)client_version, inner->message);
}

bool sl_server_history_allows_classes(const sl_server_history *h, uint32_t before,
                                      uint64_t client_version, sl_status *st) {
    uint32_t count = sl_realm_schema(h->realm)->count;
    if (count <= before || count <= h->max_classes) return true;
    return sl_fail_code(st, SL_ERR_SESSION, 225,
                        "changeset of client version %llu: the server takes %lu classes in a realm "
                        "at most",
                        (unsigned long long)client_version, (unsigned long)h->max_classes);
}

bool sl_server_history_note_level(sl_server_history *h, const sl_changeset *cs,
                                  uint64_t *level_of_author, sl_status *st) {
    int level;
    if (!sl_feature_level(cs, sl_realm_schema(h->realm), &level, NULL, st)) return false;
    if (level > h->unit.level) h->unit.level = level;
    if (level > SL_FEATURE_LEVEL_BASE && (uint64_t)level > *level_of_author)
        *level_of_author = (uint64_t)level;
    return true;
}

static bool takes_part(void *ctx, const sl_history_entry *entry) {
    const integration *in = ctx;
    return !sl_server_history_speaks_for(in->history, in->row.ident, entry->origin_file);
}

static bool check_origin(integration *in, uint64_t origin, sl_status *st) {
    if (origin == 0) return true;
    if (origin != in->row.ident && sl_server_history_speaks_for(in->history, in->row.ident, origin))
        return true;
    return blame(st, 216, "the origin of a changeset is not a file the client speaks for");
}

static bool read_one(integration *in, const sl_upload_entry *entry, sl_status *st) {
    sl_server_history *h = in->history;
    incoming *next = &in->batch[in->parsed];
    sl_status inner = SL_STATUS_INIT;
    if (!check_origin(in, entry->origin_file, st)) return false;
    if (entry->server_version < in->row.reciprocal_base || entry->server_version > h->unit.version)
        return blame(st, 209, "a changeset is based on a server version that is not kept");
    next->entry = entry;
    sl_changeset_init(&next->changeset, h->alloc);
    in->parsed++;
    if (!sl_changeset_parse(&next->changeset, entry->changeset.data, entry->changeset.size, &inner))
        return sl_server_history_blame(st, &inner, entry->client_version);
    if (!sl_changeset_adopt_ident(&next->changeset, in->row.ident, &next->rewritten, st) ||
        !sl_server_history_note_level(h, &next->changeset, &in->row.feature_level, st))
        return false;
    if (sl_changeset_drop_void_clears(&next->changeset)) next->rewritten = true;
    in->items[in->parsed - 1] =
        (sl_merge_item){.changeset = &next->changeset,
                        .origin_timestamp = entry->origin_timestamp,
                        .origin_file = entry->origin_file ? entry->origin_file : in->row.ident};
    return true;
}

static bool read_all(integration *in, const sl_server_upload *upload, sl_status *st) {
    size_t skip = 0;
    while (skip < upload->count && upload->entries[skip].client_version <= in->row.client_version)
        skip++;
    in->count = upload->count - skip;
    if (in->count == 0) return true;
    in->batch = sl_new_zero(in->history->alloc, in->count, sizeof(*in->batch));
    in->items = sl_new_zero(in->history->alloc, in->count, sizeof(*in->items));
    if (!in->batch || !in->items) return sl_fail_memory(st);
    for (size_t i = 0; i < in->count; i++)
        if (!read_one(in, &upload->entries[skip + i], st)) return false;
    return true;
}

static bool open_window(integration *in, uint64_t last, sl_status *st) {
    sl_window_options options = {.alloc = in->history->alloc,
                                 .store = in->history->store,
                                 .peer = in->row.ident,
                                 .self = SL_SERVER_FILE_IDENT,
                                 .last = last,
                                 .takes_part = takes_part,
                                 .ctx = in,
                                 .scan = sl_server_history_scan_full,
                                 .scan_ctx = in->history,
                                 .merge = &in->merge};
    in->window = sl_window_new(&options);
    return in->window || sl_fail_memory(st);
}

/* The bytes that go into the history: as they came when nothing was changed. */
static bool final_bytes(integration *in, size_t i, sl_str *bytes, sl_status *st) {
    const incoming *one = &in->batch[i];
    *bytes = SL_STR("");
    if (one->changeset.count == 0) return true;
    if (!in->items[i].modified && !one->rewritten) {
        *bytes = one->entry->changeset;
        return true;
    }
    sl_buf_clear(&in->encoded);
    if (!sl_changeset_encode(&one->changeset, SL_ENCODE_UPFRONT, &in->encoded, st)) return false;
    *bytes = sl_str_of(in->encoded.data, in->encoded.size);
    return true;
}

static bool append_one(integration *in, size_t i, sl_status *st) {
    const sl_upload_entry *from = in->batch[i].entry;
    sl_status inner = SL_STATUS_INIT;
    sl_str bytes;
    uint32_t classes = sl_realm_schema(in->history->realm)->count;
    if (!sl_server_history_allows_schema(in->history, &in->batch[i].changeset, in->schema,
                                         from->client_version, st))
        return false;
    if (!sl_realm_apply(in->history->realm, &in->batch[i].changeset, &inner))
        return sl_server_history_blame(st, &inner, from->client_version);
    if (!sl_server_history_allows_classes(in->history, classes, from->client_version, st))
        return false;
    if (!final_bytes(in, i, &bytes, st)) return false;
    bool same = sl_str_eq(bytes, from->changeset);
    sl_history_entry entry = {.peer_version = from->client_version,
                              .origin_file = in->items[i].origin_file,
                              .origin_timestamp = from->origin_timestamp,
                              .changeset = bytes,
                              .original = in->history->keep_originals && !same ? from->changeset
                                                                               : SL_STR("")};
    return sl_server_history_append(in->history, &entry, &in->batch[i].changeset, st);
}

/* Consecutive changesets with the same base are merged in one go (3-transform.md, 1.8). */
static bool merge_range(integration *in, size_t first, size_t count, sl_status *st) {
    const sl_upload_entry *entry = in->batch[first].entry;
    sl_status inner = SL_STATUS_INIT;
    if (!sl_window_merge(in->window, entry->server_version, in->items + first, count, &inner))
        return sl_server_history_blame(st, &inner, entry->client_version);
    for (size_t i = first; i < first + count; i++)
        if (!append_one(in, i, st)) return false;
    return true;
}

/* Merges batch[first .. end) with what the client had not seen up to version `last`. */
static bool merge_part(integration *in, size_t first, size_t end, uint64_t last, sl_status *st) {
    if (first == end) return true;
    if (!open_window(in, last, st)) return false;
    for (size_t next; first < end; first = next) {
        uint64_t base = in->batch[first].entry->server_version;
        for (next = first + 1; next < end; next++)
            if (in->batch[next].entry->server_version != base) break;
        if (!merge_range(in, first, next - first, st)) return false;
    }
    if (!sl_window_store(in->window, st)) return false;
    sl_window_free(in->window);
    in->window = NULL;
    return true;
}

/* What only adds to the schema meets nothing after the last version that touches it. */
static bool merge_all(integration *in, sl_status *st) {
    const sl_server_numbers before = in->history->unit;
    size_t adds = 0;
    while (adds < in->count && sl_changeset_only_adds_schema(&in->batch[adds].changeset))
        adds++;
    return merge_part(in, 0, adds, before.schema, st) &&
           merge_part(in, adds, in->count, before.version, st);
}

static bool store_progress(integration *in, const sl_server_upload *upload, sl_status *st) {
    sl_server_history *h = in->history;
    sl_client_file *row = &in->row;
    if (upload->progress.own > row->client_version) {
        row->client_version = upload->progress.own;
        if (upload->progress.other > row->reciprocal_base) {
            row->reciprocal_base = upload->progress.other;
            if (!h->store->vtbl->reciprocal_drop(h->store, row->ident, row->reciprocal_base, st))
                return false;
        }
    }
    if (upload->locked > row->locked_version) row->locked_version = upload->locked;
    row->last_seen = h->env->wall_ms(h->env->ctx) / 1000;
    if (row->last_seen < 1) row->last_seen = 1;
    return h->store->vtbl->client_put(h->store, row, st);
}

static void clean_up(integration *in) {
    for (size_t i = 0; i < in->parsed; i++)
        sl_changeset_free(&in->batch[i].changeset);
    sl_delete(in->history->alloc, in->batch);
    sl_delete(in->history->alloc, in->items);
    sl_window_free(in->window);
    sl_buf_free(&in->encoded);
    sl_delete(in->history->alloc, (void *)(uintptr_t)in->row.user.data);
}

/* The row's user is borrowed from the store, which will be called many times. */
static bool keep_user(integration *in, sl_status *st) {
    sl_str user = in->row.user;
    in->row.user = SL_STR("");
    in->row.user.data = NULL;
    if (user.size == 0) return true;
    char *copy = sl_new(in->history->alloc, user.size);
    if (!copy) return sl_fail_memory(st);
    memcpy(copy, user.data, user.size);
    in->row.user = sl_str_of(copy, user.size);
    return true;
}

static bool load_row(integration *in, uint64_t ident, sl_status *st) {
    bool found = false;
    bool ok = sl_server_history_client(in->history, ident, &in->row, &found, st);
    if (!ok || !found) in->row.user = (sl_str){0};
    if (!ok) return false;
    if (!found) return blame(st, 208, "unknown client file");
    if (!keep_user(in, st)) return false;
    return in->row.last_seen != 0 || blame(st, 222, "the client file has expired");
}

bool sl_server_history_integrate(sl_server_history *h, const sl_server_upload *upload,
                                 sl_status *st) {
    if (!h->in_unit || h->recording)
        return sl_fail(st, SL_ERR_USAGE, "", "no unit of work for uploads is open");
    int64_t now = h->env->mono_ms(h->env->ctx);
    integration in = {.history = h, .schema = upload->schema};
    in.merge.steps = &in.steps;
    in.merge.keep_created = true;
    sl_buf_init(&in.encoded, h->alloc);
    bool ok = load_row(&in, upload->ident, st);
    uint64_t owner = ok ? sl_merge_budget_owner(&in.row) : 0;
    in.steps.limit = sl_merge_budget_left(&h->merged, owner, h->max_merge_steps, now);
    ok = ok && read_all(&in, upload, st) && merge_all(&in, st) && store_progress(&in, upload, st);
    bool refused = in.steps.taken > in.steps.limit;
    sl_merge_budget_take(&h->merged, owner, in.steps.taken, h->max_merge_steps, refused, now);
    clean_up(&in);
    return ok;
}
