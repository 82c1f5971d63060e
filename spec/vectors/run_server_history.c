/* Golden sessions (convergence*.jsonl) through the server history over a store: every upload has to
 * become the recorded entry, every client has to be offered exactly what is not its own, and the
 * file has to end in the recorded state. Each session runs twice: uploads one by one, and again in
 * units of several clients, which may order entries differently but must integrate all of them. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "changeset/json.h"
#include "history/server_history.h"
#include "net/system_env.h"
#include "realm/state.h"
#include "store/memory_store.h"
#include "vectors.h"

enum { MAX_CLIENTS = 16 };

/* One changeset a client has made. */
typedef struct made {
    uint64_t version, base, timestamp;
    sl_buf bytes;
} made;

typedef struct client {
    made *list;
    size_t count;
} client;

typedef struct runner {
    vec_count count;
    const char *name;
    sl_store *store;
    sl_realm *realm;
    sl_server_history *history;
    client clients[MAX_CLIENTS];
    sl_buf hex;
} runner;

static bool open_all(runner *r, int clients, sl_status *st) {
    sl_server_history_options options = {.env = sl_system_env()};
    if (!sl_memory_open(NULL, &r->store, st)) return false;
    sl_realm_options realm = {.source = r->store->vtbl->source(r->store), .keep_asymmetric = true};
    if (!sl_realm_open(&r->realm, &realm, st)) return false;
    r->history = sl_server_history_open(r->store, r->realm, &options, st);
    if (!r->history || !sl_server_history_begin(r->history, st)) return false;
    for (int i = 0; i < clients; i++) {
        sl_client_file row = {.type = SL_CLIENT_REGULAR, .user = SL_STR("")};
        if (!sl_server_history_allocate(r->history, &row, st)) return false;
    }
    return sl_server_history_commit(r->history, NULL, st);
}

static void close_all(runner *r) {
    sl_server_history_close(r->history);
    sl_realm_close(r->realm);
    if (r->store) r->store->vtbl->close(r->store);
    for (size_t c = 0; c < MAX_CLIENTS; c++) {
        for (size_t i = 0; i < r->clients[c].count; i++)
            sl_buf_free(&r->clients[c].list[i].bytes);
        free(r->clients[c].list);
    }
    memset(r->clients, 0, sizeof r->clients);
    r->history = NULL;
    r->realm = NULL;
    r->store = NULL;
}

/* Versions of the recording count from 1 = nothing; on the wire from 0. */
static uint64_t wire_version(long long recorded) {
    return recorded > 0 ? (uint64_t)recorded - 1 : 0;
}

static bool note_commit(runner *r, const json_t *event) {
    client *c = &r->clients[vec_int(event, "client") % MAX_CLIENTS];
    made *grown = realloc(c->list, (c->count + 1) * sizeof *grown);
    if (!grown) return false;
    c->list = grown;
    made *one = &c->list[c->count++];
    one->version = wire_version(vec_int(event, "client_version"));
    one->base = wire_version(vec_int(event, "last_integrated_server_version"));
    one->timestamp = (uint64_t)vec_int(event, "origin_timestamp");
    sl_buf_init(&one->bytes, NULL);
    return vec_hex_json(json_object_get(event, "changeset"), &one->bytes);
}

static bool integrate(runner *r, const json_t *event, sl_status *st) {
    uint64_t ident = (uint64_t)vec_int(event, "client");
    uint64_t version = wire_version(vec_int(event, "client_version"));
    uint64_t base = wire_version(vec_int(event, "last_integrated_server_version"));
    const client *c = &r->clients[ident % MAX_CLIENTS];
    for (size_t i = 0; i < c->count; i++) {
        if (c->list[i].version != version) continue;
        sl_upload_entry entry = {version, base, c->list[i].timestamp, 0,
                                 sl_str_of(c->list[i].bytes.data, c->list[i].bytes.size)};
        sl_server_upload upload = {ident, &entry, 1, {version, base}, base, SL_SCHEMA_OWNER};
        return sl_server_history_integrate(r->history, &upload, st);
    }
    return sl_fail(st, SL_ERR_INTERNAL, "", "an upload of nothing");
}

static bool to_text(const void *bytes, size_t size, sl_buf *text) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    bool ok =
        sl_changeset_parse(&cs, bytes, size, NULL) && sl_changeset_to_json(&cs, false, text, NULL);
    sl_changeset_free(&cs);
    return ok;
}

static bool newest_is(runner *r, const json_t *event, sl_status *st) {
    sl_history_entry entry;
    bool found = false;
    sl_buf want, got;
    uint64_t version = wire_version(vec_int(event, "server_version"));
    if (sl_server_history_version(r->history) != version)
        return sl_fail(st, SL_ERR_INTERNAL, "", "the server is at another version");
    if (!r->store->vtbl->entry_get(r->store, version, &entry, &found, st) || !found) return false;
    sl_buf_init(&want, NULL);
    sl_buf_init(&got, NULL);
    sl_buf_clear(&r->hex);
    bool ok = vec_hex_json(json_object_get(event, "transformed"), &r->hex) &&
              to_text(r->hex.data, r->hex.size, &want) &&
              to_text(entry.changeset.data, entry.changeset.size, &got) && want.size == got.size &&
              memcmp(want.data ? want.data : "", got.data ? got.data : "", want.size) == 0;
    if (!ok) sl_fail(st, SL_ERR_INTERNAL, "", "another transformed changeset");
    sl_buf_free(&want);
    sl_buf_free(&got);
    return ok;
}

static bool state_is(runner *r, const char *sha256, sl_status *st) {
    sl_buf text;
    unsigned char hash[32];
    char hex[65];
    sl_buf_init(&text, NULL);
    bool ok = sl_realm_state_text(r->realm, &text, st) &&
              EVP_Digest(text.data, text.size, hash, NULL, EVP_sha256(), NULL) == 1;
    sl_buf_free(&text);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    return (ok && strcmp(hex, sha256) == 0) ||
           sl_fail(st, SL_ERR_INTERNAL, "", "the final state differs");
}

/* A fresh client is offered every entry that is not empty, an author none of its own. */
static bool offers_are_right(runner *r, sl_status *st) {
    sl_buf all, others;
    sl_server_scan fresh, author;
    sl_cursor start = {0, 0};
    sl_buf_init(&all, NULL);
    sl_buf_init(&others, NULL);
    bool ok = sl_server_history_scan(r->history, MAX_CLIENTS, start, SIZE_MAX, &all, &fresh, st) &&
              sl_server_history_scan(r->history, 2, start, SIZE_MAX, &others, &author, st);
    ok = ok && fresh.cursor.own == author.cursor.own && fresh.downloadable == 0 &&
         fresh.cursor.other == 0 && author.count <= fresh.count;
    sl_entry_reader reader;
    sl_download_entry entry;
    bool more = true;
    sl_entry_reader_init(&reader, sl_str_of(others.data, others.size));
    while (ok && more) {
        ok = sl_entry_reader_download(&reader, &entry, &more, st);
        if (ok && more) ok = entry.origin_file != 2 && entry.changeset.size > 0;
    }
    sl_buf_free(&all);
    sl_buf_free(&others);
    return ok || sl_fail(st, SL_ERR_INTERNAL, "", "a download offers the wrong entries");
}

/* `unit`: uploads per transaction. */
static bool play(runner *r, const json_t *row, size_t unit, sl_status *st) {
    size_t i, open = 0;
    json_t *event;
    json_array_foreach(json_object_get(row, "events"), i, event) {
        const char *kind = vec_text(event, "ev");
        if (strcmp(kind, "commit") == 0 && !note_commit(r, event)) return false;
        if (strcmp(kind, "download") == 0 && open) {
            /* What the client then bases its changes on has to be there first. */
            if (!sl_server_history_commit(r->history, NULL, st)) return false;
            open = 0;
        }
        if (strcmp(kind, "upload") != 0) continue;
        if (open == 0 && !sl_server_history_begin(r->history, st)) return false;
        if (!integrate(r, event, st)) return false;
        if (++open < unit) continue;
        open = 0;
        if (!sl_server_history_commit(r->history, NULL, st)) return false;
        if (unit == 1 && !newest_is(r, event, st)) return false;
    }
    if (open && !sl_server_history_commit(r->history, NULL, st)) return false;
    return state_is(r, vec_text(row, "final_state_sha256"), st) && offers_are_right(r, st);
}

static bool session_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    runner *r = ctx;
    static const size_t units[] = {1, 3};
    r->name = vec_text(row, "name");
    for (size_t u = 0; u < 2; u++) {
        sl_status st = SL_STATUS_INIT;
        bool ok = open_all(r, (int)vec_int(row, "clients"), &st) && play(r, row, units[u], &st);
        vec_check(&r->count, r->name, ok, "units of %zu: %s", units[u], st.message);
        close_all(r);
    }
    return true;
}

int main(int argc, char **argv) {
    runner r = {.count = {"server history", 0, 0}};
    sl_buf_init(&r.hex, NULL);
    bool read = vec_each(vec_dir(argc, argv), "convergence", session_row, &r);
    sl_buf_free(&r.hex);
    return vec_finish(&r.count) || !read;
}
