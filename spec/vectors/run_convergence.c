/* Golden sessions of one server and several clients: convergence*.jsonl. Every event is carried out
 * again; what was applied has to have the recorded instructions, and all peers the final state. */
#include "merge_network.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    const char *name;
    sl_buf hex;
    net net;
} runner;

static bool wrong(runner *r, size_t event, const char *what, const sl_status *st) {
    return vec_check(&r->count, r->name, false, "event %zu: %s: %s %s", event, what, st->id,
                     st->message);
}

static bool same_instructions(const void *a, size_t a_size, const void *b, size_t b_size) {
    merge_side side;
    sl_buf left, right;
    side_open(&side, 2, NULL);
    sl_buf_init(&left, NULL);
    sl_buf_init(&right, NULL);
    bool ok = side_parse(&side, 0, a, a_size, NULL) && side_parse(&side, 1, b, b_size, NULL) &&
              sl_changeset_to_json(&side.changesets[0], false, &left, NULL) &&
              sl_changeset_to_json(&side.changesets[1], false, &right, NULL) &&
              buf_same(&left, &right);
    sl_buf_free(&left);
    sl_buf_free(&right);
    side_free(&side);
    return ok;
}

static bool matches(runner *r, const json_t *hex, const sl_buf *got) {
    sl_buf_clear(&r->hex);
    return vec_hex_json(hex, &r->hex) &&
           same_instructions(r->hex.data, r->hex.size, got->data, got->size);
}

static bool commit(runner *r, size_t p, const json_t *event, sl_status *st) {
    sl_buf_clear(&r->hex);
    r->net.peers[p].seen = (uint64_t)vec_int(event, "last_integrated_server_version");
    return vec_hex_json(json_object_get(event, "changeset"), &r->hex) &&
           net_commit(&r->net, p, r->hex.data, r->hex.size,
                      (uint64_t)vec_int(event, "origin_timestamp"), st) &&
           net_version(&r->net.peers[p]) == (uint64_t)vec_int(event, "client_version");
}

static bool upload(runner *r, size_t p, const json_t *event, sl_status *st) {
    net_peer *server = &r->net.peers[NET_SERVER];
    return net_upload(&r->net, p, (uint64_t)vec_int(event, "client_version"),
                      (uint64_t)vec_int(event, "last_integrated_server_version"), st) &&
           net_version(server) == (uint64_t)vec_int(event, "server_version") &&
           matches(r, json_object_get(event, "transformed"),
                   &server->entries[server->count - 1].original);
}

static bool download(runner *r, size_t p, const json_t *event, sl_status *st) {
    const json_t *list = json_object_get(event, "changesets");
    const json_t *transformed = json_object_get(event, "transformed");
    size_t count = json_array_size(list);
    net_download_item *items = calloc(count + 1, sizeof *items);
    sl_buf *out = calloc(count + 1, sizeof *out);
    if (!items || !out) abort();
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        items[i].server_version = (uint64_t)vec_int(item, "server_version");
        items[i].base = (uint64_t)vec_int(item, "last_integrated_client_version");
        sl_buf_init(&out[i], NULL);
    }
    bool ok = net_download(&r->net, p, items, count, out, st);
    for (size_t i = 0; i < count; i++) {
        ok = ok && matches(r, json_array_get(transformed, i), &out[i]);
        sl_buf_free(&out[i]);
    }
    free(items);
    free(out);
    return ok && net_version(&r->net.peers[p]) == (uint64_t)vec_int(event, "client_version");
}

static bool replay(runner *r, const json_t *events) {
    size_t number;
    const json_t *event;
    json_array_foreach(events, number, event) {
        const char *kind = vec_text(event, "ev");
        size_t p = (size_t)vec_int(event, "client") - 1;
        sl_status st = SL_STATUS_INIT;
        if (!kind || p == 0 || p > r->net.clients) return wrong(r, number, "malformed", &st);
        bool ok = strcmp(kind, "commit") == 0   ? commit(r, p, event, &st)
                  : strcmp(kind, "upload") == 0 ? upload(r, p, event, &st)
                                                : download(r, p, event, &st);
        if (!ok) return wrong(r, number, kind, &st);
    }
    return true;
}

static bool check_final(runner *r, const json_t *json) {
    const char *want = vec_text(json, "final_state_sha256");
    sl_status st = SL_STATUS_INIT;
    for (size_t p = 0; p <= r->net.clients; p++) {
        char hash[65] = "";
        if (!state_hash(r->net.peers[p].realm, hash, &st)) return wrong(r, 0, "state", &st);
        if (json_is_true(json_object_get(json, "converged")) && strcmp(hash, want) != 0)
            return vec_check(&r->count, r->name, false, "peer %zu ends with state %s, expected %s",
                             p, hash, want);
    }
    return true;
}

static bool row(void *ctx, const char *file, unsigned line, const json_t *json) {
    runner *r = ctx;
    sl_merge_options options = {.set_erase = SL_SET_ERASE_LITERAL};
    (void)file;
    (void)line;
    r->name = vec_text(json, "name");
    if (!net_open(&r->net, (size_t)vec_int(json, "clients"), &options)) abort();
    if (replay(r, json_object_get(json, "events")) && check_final(r, json))
        vec_check(&r->count, r->name, true, "%s", "");
    net_close(&r->net);
    return true;
}

int main(int argc, char **argv) {
    static runner r = {.count = {"convergence", 0, 0}};
    sl_buf_init(&r.hex, NULL);
    bool read = vec_each(vec_dir(argc, argv), "convergence", row, &r);
    int code = vec_finish(&r.count);
    sl_buf_free(&r.hex);
    return read ? code : 1;
}
