#include "history/server_transact.h"

#include "history/adopt_ident.h"
#include "history/server_history_private.h"
#include "realm/apply.h"
#include <stdio.h>

/* ---- accepted before ------------------------------------------------------------------------- */

/* Per client the store keeps what its last accepted transaction was called and what it became:
 * client version, server version, salt, timestamp, 8 octets each, low octet first. */
enum { NOTE_NUMBERS = 4, NOTE_SIZE = 8 * NOTE_NUMBERS };

static void note_name(char name[40], uint64_t ident) {
    snprintf(name, 40, "server.transact.%llu", (unsigned long long)ident);
}

static bool load_note(sl_server_history *h, const sl_server_transact *request,
                      sl_server_verdict *verdict, sl_status *st) {
    char name[40];
    sl_str bytes;
    uint64_t numbers[NOTE_NUMBERS] = {0};
    note_name(name, request->ident);
    if (!h->store->vtbl->meta_get_bytes(h->store, name, &bytes, st)) return false;
    if (bytes.size != NOTE_SIZE) return true;
    for (size_t i = 0; i < NOTE_SIZE; i++)
        numbers[i / 8] |= (uint64_t)(unsigned char)bytes.data[i] << (i % 8 * 8);
    if (numbers[0] != request->client_version) return true;
    verdict->accepted = true;
    verdict->version = verdict->seen = numbers[1];
    verdict->salt = (int64_t)numbers[2];
    verdict->timestamp = numbers[3];
    return true;
}

static bool save_note(sl_server_history *h, const sl_server_transact *request,
                      const sl_server_verdict *verdict, sl_status *st) {
    const uint64_t numbers[NOTE_NUMBERS] = {request->client_version, verdict->version,
                                            (uint64_t)verdict->salt, verdict->timestamp};
    char name[40], bytes[NOTE_SIZE];
    note_name(name, request->ident);
    for (size_t i = 0; i < NOTE_SIZE; i++)
        bytes[i] = (char)(unsigned char)(numbers[i / 8] >> (i % 8 * 8));
    return h->store->vtbl->meta_put_bytes(h->store, name, sl_str_of(bytes, NOTE_SIZE), st);
}

/* ---- the decision ---------------------------------------------------------------------------- */

typedef struct look {
    const sl_server_history *history;
    uint64_t ident;
    uint64_t next; /* version that has to come next */
    bool unrelated;
} look;

/* What has come to nothing in the merge is no obstacle; what is kept no longer might have been one.
 */
static bool see_entry(void *ctx, const sl_history_entry *entry) {
    look *l = ctx;
    bool own = sl_server_history_speaks_for(l->history, l->ident, entry->origin_file);
    l->unrelated = entry->version != l->next || (!own && entry->changeset.size > 0);
    l->next++;
    return !l->unrelated;
}

static bool decide(sl_server_history *h, const sl_server_transact *request,
                   sl_server_verdict *verdict, sl_status *st) {
    look l = {h, request->ident, request->server_version + 1, false};
    verdict->seen = h->unit.version;
    if (!sl_server_history_scan_entries(h, request->server_version, h->unit.version, see_entry, &l,
                                        st))
        return false;
    verdict->accepted = !l.unrelated && l.next == h->unit.version + 1;
    return true;
}

/* ---- integration ----------------------------------------------------------------------------- */

static bool blame(sl_status *st, int code, const char *why) {
    return sl_fail_code(st, SL_ERR_SESSION, code, "TRANSACT: %s", why);
}

/* Ids of keyless objects have to be final, for nobody could tell the author of new ones. */
static bool read_changeset(const sl_server_transact *request, sl_changeset *cs, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    bool provisional = false;
    if (!sl_changeset_parse(cs, request->changeset.data, request->changeset.size, &inner))
        return sl_server_history_blame(st, &inner, request->client_version);
    if (!sl_changeset_adopt_ident(cs, request->ident, &provisional, st)) return false;
    return !provisional || blame(st, 212, "it names objects without the ident of their author");
}

static bool note_author_level(sl_server_history *h, uint64_t ident, const sl_changeset *cs,
                              sl_status *st) {
    sl_client_file row;
    bool found = false;
    if (!sl_server_history_client(h, ident, &row, &found, st)) return false;
    uint64_t before = row.feature_level;
    if (!sl_server_history_note_level(h, cs, &row.feature_level, st)) return false;
    if (!found || row.feature_level == before) return true;
    /* The row's user is borrowed from the store only until its next call. */
    char *user = sl_new(h->alloc, (size_t)row.user.size + 1);
    if (!user) return sl_fail_memory(st);
    if (row.user.size) memcpy(user, row.user.data, row.user.size);
    row.user = sl_str_of(user, row.user.size);
    bool ok = h->store->vtbl->client_put(h->store, &row, st);
    sl_delete(h->alloc, user);
    return ok;
}

static bool integrate(sl_server_history *h, const sl_server_transact *request,
                      const sl_changeset *cs, sl_server_verdict *verdict, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    sl_history_entry entry = {.changeset = request->changeset, .original = SL_STR("")};
    if (!sl_server_history_now(h, &entry.origin_timestamp, st) ||
        !note_author_level(h, request->ident, cs, st))
        return false;
    uint32_t classes = sl_realm_schema(h->realm)->count;
    if (!sl_server_history_allows_schema(h, cs, request->schema, request->client_version, st))
        return false;
    if (!sl_realm_apply(h->realm, cs, &inner))
        return sl_server_history_blame(st, &inner, request->client_version);
    if (!sl_server_history_allows_classes(h, classes, request->client_version, st)) return false;
    if (!sl_server_history_append(h, &entry, cs, st)) return false;
    verdict->version = verdict->seen = entry.version;
    verdict->salt = entry.salt;
    verdict->timestamp = entry.origin_timestamp;
    return save_note(h, request, verdict, st);
}

static bool check(sl_server_history *h, const sl_server_transact *request, sl_status *st) {
    sl_client_file row;
    bool found = false;
    if (!sl_server_history_client(h, request->ident, &row, &found, st)) return false;
    if (!found) return blame(st, 208, "unknown client file");
    if (row.last_seen == 0) return blame(st, 222, "the client file has expired");
    if (request->client_version > row.client_version)
        return blame(st, 221, "changes it is based on were not uploaded");
    if (request->server_version > h->unit.version)
        return blame(st, 209, "it is based on a server version that does not exist");
    return true;
}

bool sl_server_history_transact(sl_server_history *h, const sl_server_transact *request,
                                sl_server_verdict *verdict, sl_status *st) {
    *verdict = (sl_server_verdict){0};
    if (!h->in_unit || h->recording)
        return sl_fail(st, SL_ERR_USAGE, "", "no unit of work for uploads is open");
    if (!check(h, request, st) || !load_note(h, request, verdict, st)) return false;
    if (verdict->accepted) return true;
    sl_changeset cs;
    sl_changeset_init(&cs, h->alloc);
    bool ok = read_changeset(request, &cs, st) && decide(h, request, verdict, st) &&
              (!verdict->accepted || integrate(h, request, &cs, verdict, st));
    sl_changeset_free(&cs);
    return ok;
}
