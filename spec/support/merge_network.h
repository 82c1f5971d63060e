/* merge_network.h - one server and its clients in memory: histories, merge windows, reciprocals.
 * Source: protocol/3-transform.md, 1.6 to 1.9. */
#ifndef SPEC_SUPPORT_MERGE_NETWORK_H
#define SPEC_SUPPORT_MERGE_NETWORK_H

#include "merge_state.h"

enum { NET_PEERS = 8, NET_SERVER = 0, NET_SERVER_FILE = 1, NET_FIRST_VERSION = 2 };

/* A history entry. `reciprocal[p]` replaces `original` in merges with peer p once `has[p]`. `base`
 * is the last version of the other end that had been integrated when the entry was made. */
typedef struct net_entry {
    uint64_t timestamp, file, base;
    sl_buf original, reciprocal[NET_PEERS];
    bool has[NET_PEERS];
    uint64_t client_version; /* server: of the upload; client: 0 = received */
} net_entry;

/* Entry i has version NET_FIRST_VERSION + i. The server is peer 0 with file 1, client p has file
 * p + 1. `seen` and `seen_back`: a client's download cursor (server version, and the last version
 * of its own that the server had integrated by then). `sent`: number of own entries uploaded or
 * skipped; `integrated`: the last client version that the server has. */
typedef struct net_peer {
    sl_realm *realm;
    net_entry *entries;
    size_t count, capacity;
    uint64_t seen, seen_back, integrated;
    size_t sent;
} net_peer;

typedef struct net {
    net_peer peers[NET_PEERS];
    size_t clients;
    sl_merge_options options;
    uint64_t merges, instructions;
} net;

static inline uint64_t net_version(const net_peer *peer) {
    return NET_FIRST_VERSION - 1 + peer->count;
}

static inline bool net_open(net *n, size_t clients, const sl_merge_options *options) {
    *n = (net){.clients = clients, .options = *options};
    for (size_t p = 0; p <= clients; p++)
        if (!sl_realm_open(&n->peers[p].realm, NULL, NULL)) return false;
    return true;
}

static inline void net_close(net *n) {
    for (size_t p = 0; p <= n->clients; p++) {
        net_peer *peer = &n->peers[p];
        for (size_t i = 0; i < peer->count; i++) {
            sl_buf_free(&peer->entries[i].original);
            for (size_t k = 0; k < NET_PEERS; k++)
                sl_buf_free(&peer->entries[i].reciprocal[k]);
        }
        free(peer->entries);
        sl_realm_close(peer->realm);
    }
}

static inline net_entry *net_append(net_peer *peer, uint64_t timestamp, uint64_t file) {
    if (peer->count == peer->capacity) {
        peer->capacity = peer->capacity ? peer->capacity * 2 : 16;
        peer->entries = realloc(peer->entries, peer->capacity * sizeof *peer->entries);
        if (!peer->entries) abort();
    }
    net_entry *entry = &peer->entries[peer->count++];
    memset(entry, 0, sizeof *entry);
    entry->timestamp = timestamp;
    entry->file = file;
    sl_buf_init(&entry->original, NULL);
    for (size_t k = 0; k < NET_PEERS; k++)
        sl_buf_init(&entry->reciprocal[k], NULL);
    return entry;
}

/* Whether entry i of the local peer takes part when `remote`'s changesets with `base` come in. */
static inline bool net_in_window(const net *n, size_t local, size_t remote, uint64_t base,
                                 size_t i) {
    const net_entry *entry = &n->peers[local].entries[i];
    if (NET_FIRST_VERSION + i <= base || entry->original.size == 0) return false;
    return local == NET_SERVER ? entry->file != remote + 1 : entry->client_version != 0;
}

static inline bool net_parse_window(net *n, size_t local, size_t remote, uint64_t base,
                                    merge_side *side, size_t *index, sl_status *st) {
    net_peer *peer = &n->peers[local];
    size_t count = 0;
    for (size_t i = 0; i < peer->count; i++)
        if (net_in_window(n, local, remote, base, i)) index[count++] = i;
    side_open(side, count, NULL);
    for (size_t k = 0; k < count; k++) {
        net_entry *entry = &peer->entries[index[k]];
        const sl_buf *bytes = entry->has[remote] ? &entry->reciprocal[remote] : &entry->original;
        if (!side_parse(side, k, bytes->data, bytes->size, st)) return false;
        side->items[k].origin_file = entry->file;
        side->items[k].origin_timestamp = entry->timestamp;
    }
    return true;
}

static inline bool net_store_reciprocals(net_peer *peer, size_t remote, const merge_side *side,
                                         const size_t *index, sl_status *st) {
    for (size_t k = 0; k < side->count; k++) {
        if (!side->items[k].modified) continue;
        net_entry *entry = &peer->entries[index[k]];
        sl_buf_clear(&entry->reciprocal[remote]);
        entry->has[remote] = true;
        if (!sl_changeset_encode(&side->changesets[k], SL_ENCODE_UPFRONT,
                                 &entry->reciprocal[remote], st))
            return false;
    }
    return true;
}

/* Merges changesets of `remote`, all with one base, into the history of `local` and applies them.
 * `incoming` is then transformed. */
static inline bool net_integrate(net *n, size_t local, size_t remote, uint64_t base,
                                 merge_side *incoming, sl_status *st) {
    net_peer *peer = &n->peers[local];
    merge_side window;
    size_t *index = malloc((peer->count + 1) * sizeof *index);
    if (!index) abort();
    bool ok = net_parse_window(n, local, remote, base, &window, index, st) &&
              sl_transform(window.items, window.count, incoming->items, incoming->count,
                           &n->options, st) &&
              net_store_reciprocals(peer, remote, &window, index, st) &&
              sl_realm_begin(peer->realm, st);
    n->merges++;
    if (ok) {
        ok = state_apply(peer->realm, incoming, st);
        if (ok)
            sl_realm_commit(peer->realm);
        else
            sl_realm_discard(peer->realm);
    }
    free(index);
    side_free(&window);
    return ok;
}

/* A transaction of client p: applied to its realm and appended to its history. */
static inline bool net_commit(net *n, size_t p, const void *bytes, size_t size, uint64_t timestamp,
                              sl_status *st) {
    net_peer *peer = &n->peers[p];
    merge_side side;
    side_open(&side, 1, NULL);
    bool ok = side_parse(&side, 0, bytes, size, st) && sl_realm_begin(peer->realm, st);
    if (ok) {
        ok = state_apply(peer->realm, &side, st);
        if (ok)
            sl_realm_commit(peer->realm);
        else
            sl_realm_discard(peer->realm);
    }
    n->instructions += side.changesets[0].count;
    side_free(&side);
    if (!ok) return false;
    net_entry *entry = net_append(peer, timestamp, p + 1);
    sl_buf_add(&entry->original, bytes, size);
    entry->base = peer->seen;
    entry->client_version = net_version(peer);
    return true;
}

/* Appends the transformed changeset to the server's history. */
static inline bool net_append_upload(net *n, const merge_side *side, uint64_t client_version,
                                     sl_status *st) {
    net_entry *entry = net_append(&n->peers[NET_SERVER], side->items[0].origin_timestamp,
                                  side->items[0].origin_file);
    entry->client_version = client_version;
    return sl_changeset_encode(&side->changesets[0], SL_ENCODE_UPFRONT, &entry->original, st);
}

/* The server takes the entry with `version` of client p. `base` as sent with it. */
static inline bool net_upload(net *n, size_t p, uint64_t version, uint64_t base, sl_status *st) {
    net_peer *peer = &n->peers[p];
    if (version < NET_FIRST_VERSION || version > net_version(peer)) return false;
    const net_entry *own = &peer->entries[version - NET_FIRST_VERSION];
    merge_side side;
    side_open(&side, 1, NULL);
    side.items[0].origin_file = own->file;
    side.items[0].origin_timestamp = own->timestamp;
    bool ok = side_parse(&side, 0, own->original.data, own->original.size, st) &&
              net_integrate(n, NET_SERVER, p, base, &side, st) &&
              net_append_upload(n, &side, version, st);
    peer->integrated = version;
    side_free(&side);
    return ok;
}

/* One changeset of a download: server version and what it was based on. */
typedef struct net_download_item {
    uint64_t server_version, base;
} net_download_item;

/* Client p integrates server entries in one go, as one entry of its history; those with a common
 * base are merged together. `transformed` (may be NULL) gets what was applied, one per item. */
static inline bool net_download(net *n, size_t p, const net_download_item *items, size_t count,
                                sl_buf *transformed, sl_status *st) {
    net_peer *server = &n->peers[NET_SERVER], *peer = &n->peers[p];
    bool ok = true;
    for (size_t from = 0, to; ok && from < count; from = to) {
        merge_side side;
        for (to = from; to < count && items[to].base == items[from].base;)
            to++;
        side_open(&side, to - from, NULL);
        for (size_t k = 0; ok && k < to - from; k++) {
            const net_entry *e =
                &server->entries[items[from + k].server_version - NET_FIRST_VERSION];
            ok = side_parse(&side, k, e->original.data, e->original.size, st);
            side.items[k].origin_file = e->file;
            side.items[k].origin_timestamp = e->timestamp;
        }
        ok = ok && net_integrate(n, p, NET_SERVER, items[from].base, &side, st);
        for (size_t k = 0; ok && transformed && k < to - from; k++)
            ok = sl_changeset_encode(&side.changesets[k], SL_ENCODE_UPFRONT, &transformed[from + k],
                                     st);
        side_free(&side);
    }
    if (ok && count) {
        net_append(peer, 0, NET_SERVER_FILE);
        peer->seen = items[count - 1].server_version;
        peer->seen_back = items[count - 1].base;
    }
    return ok;
}

#endif
