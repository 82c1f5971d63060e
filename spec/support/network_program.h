/* network_program.h - random programs for a server and its devices in memory (merge_network.h):
 * everything a device can do, uploads and downloads in batches of random size, offline periods,
 * clocks that go back. The known gaps of the merge rules (protocol/3-transform.md, 11) are kept
 * out. */
#ifndef SPEC_SUPPORT_NETWORK_PROGRAM_H
#define SPEC_SUPPORT_NETWORK_PROGRAM_H

#include <stdarg.h>

#include "merge_network.h"
#include "notation.h"
#include "realm/read.h"
#include "realm/record.h"

enum { MAX_ACTIONS = 160, MAX_OPS = 5, KEYS = 4 };

typedef enum action_kind { EDIT, UPLOAD, DOWNLOAD } action_kind;

/* One step of a program. What an edit does follows from its numbers and from the state of the
 * device, so that a program with a step removed is still a program. */
typedef struct action {
    action_kind kind;
    uint8_t peer, count;
    int32_t clock; /* milliseconds added to the common time; may be negative */
    uint32_t ops[MAX_OPS];
} action;

typedef struct program {
    uint64_t seed;
    size_t clients, count;
    bool content;   /* policy for erasures from sets, and sets of strings */
    bool backwards; /* clocks may go back; a Mixed then keeps its type, see edit_mixed */
    bool hot;       /* few places are written again and again */
    action actions[MAX_ACTIONS];
} program;

static uint64_t random_state;

static inline uint32_t roll(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % limit;
}

static inline program make_program(uint64_t seed) {
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (int i = 0; i < 8; i++)
        roll(2);
    program p = {
        .seed = seed, .clients = 2 + roll(5), .content = seed % 2, .backwards = seed % 4 < 2};
    p.count = 10 + roll(MAX_ACTIONS - 10);
    uint32_t editing = 30 + roll(60);
    for (size_t i = 0; i < p.count; i++) {
        action *a = &p.actions[i];
        a->peer = (uint8_t)(1 + roll((uint32_t)p.clients));
        a->kind = roll(100) < editing ? EDIT : roll(2) ? UPLOAD : DOWNLOAD;
        a->count = (uint8_t)(1 + roll(a->kind == EDIT ? MAX_OPS : 8));
        a->clock = (int32_t)roll(40) - (p.backwards && roll(4) == 0 ? 60 : 0);
        for (int k = 0; k < MAX_OPS; k++)
            a->ops[k] = roll(UINT32_MAX);
    }
    return p;
}

/* ---- edits through the recorder, as a device makes them ---- */

typedef struct hand {
    sl_realm *realm;
    uint64_t bits; /* numbers still to be used */
    bool content, backwards, hot;
} hand;

static inline uint32_t pick(hand *h, uint32_t limit) {
    h->bits = h->bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(h->bits >> 33) % limit;
}

static inline sl_value number(int64_t n) {
    return (sl_value){.type = SL_TYPE_INT, .integer = n};
}

static inline sl_key key_of(int64_t n) {
    return (sl_key){.type = SL_TYPE_INT, .integer = n};
}

static inline sl_place at(hand *h, const char *property) {
    return (sl_place){.class_name = SL_STR("A"),
                      .key = key_of(pick(h, h->hot ? 2 : KEYS)),
                      .property = sl_str_c(property)};
}

static inline uint32_t size_at(hand *h, const sl_place *place, int *kind) {
    sl_view view;
    bool found = false;
    *kind = -1;
    if (!sl_realm_get(h->realm, place, &view, &found, NULL) || !found) return 0;
    *kind = view.kind;
    return view.kind == SL_NODE_LIST ? view.size : 0;
}

static inline sl_value some_value(hand *h) {
    static const char *const texts[] = {"ab", "cd", "longer"};
    switch (pick(h, 5)) {
    case 0:
        return (sl_value){.type = SL_TYPE_NULL};
    case 1:
        return (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(texts[pick(h, 3)])};
    case 2:
        return (sl_value){.type = SL_TYPE_DOUBLE, .real = pick(h, 3)};
    default:
        return number(pick(h, 5));
    }
}

static inline void set_scalar(hand *h) {
    static const char *const names[] = {"i", "q", "i", "m", "p0", "p1"};
    sl_place place = at(h, names[pick(h, 6)]);
    if (h->backwards && place.property.data[0] == 'm') return;
    sl_value value = place.property.data[0] == 'm' ? some_value(h) : number(pick(h, 100));
    if (place.property.data[0] == 'q' && pick(h, 3) == 0) value.type = SL_TYPE_NULL;
    /* SDKs write defaults only into new objects, never over a collection (gap G1 again). */
    bool is_default = place.property.data[0] != 'm' && pick(h, 6) == 0;
    sl_record_set(h->realm, &place, &value, is_default, NULL);
}

static inline void count_up(hand *h) {
    static const char *const names[] = {"i", "q", "m"};
    sl_place place = at(h, names[pick(h, 3)]);
    sl_record_add_integer(h->realm, &place, (int64_t)pick(h, 9) - 4, NULL);
}

/* Any edit of the list at `place`; `moves` if moving is safe there (gap G5). */
static inline void edit_list(hand *h, const sl_place *place, const sl_value *value, bool moves) {
    int kind;
    uint32_t size = size_at(h, place, &kind);
    sl_step steps[4];
    if (kind != SL_NODE_LIST) return;
    uint32_t dice = pick(h, 10);
    if (dice < 4 || size == 0) {
        sl_record_list_insert(h->realm, place, pick(h, size + 1), value, NULL);
    } else if (dice < 6) {
        sl_record_list_erase(h->realm, place, pick(h, size), NULL);
    } else if (dice < 8 && moves && size > 1) {
        uint32_t from = pick(h, size);
        sl_record_list_move(h->realm, place, from, (from + 1 + pick(h, size - 1)) % size, NULL);
    } else if (dice == 9 && pick(h, 4) == 0) {
        sl_record_clear(h->realm, place, NULL);
    } else if (value->type != SL_TYPE_OBJECT && place->step_count < 4) {
        sl_place element = *place;
        if (place->step_count) memcpy(steps, place->steps, place->step_count * sizeof *steps);
        steps[element.step_count++] = (sl_step){true, pick(h, size), SL_STR("")};
        element.steps = steps;
        sl_record_set(h->realm, &element, value, false, NULL);
    }
}

static inline void edit_plain_list(hand *h) {
    sl_place place = at(h, pick(h, 2) ? "li" : "lm");
    sl_value value = place.property.data[1] == 'i' ? number(pick(h, 50)) : some_value(h);
    edit_list(h, &place, &value, true);
}

static inline void edit_links(hand *h) {
    sl_link link = {SL_STR("B"), key_of(pick(h, KEYS))};
    sl_value value = {.type = SL_TYPE_LINK, .link = &link};
    bool exists = false;
    if (!sl_realm_exists(h->realm, link.class_name, &link.key, &exists, NULL) || !exists) return;
    if (pick(h, 3)) {
        sl_place list = at(h, "ll");
        edit_list(h, &list, &value, true);
    } else {
        sl_place single = at(h, "lk");
        sl_record_set(h->realm, &single, &value, false, NULL);
    }
}

static inline void edit_set(hand *h) {
    static const char *const texts[] = {"ab", "cd", "longer"};
    bool strings = h->content && pick(h, 2);
    sl_place place = at(h, strings ? "ss" : "s");
    sl_value value = number(pick(h, 4));
    if (strings) value = (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(texts[pick(h, 3)])};
    uint32_t dice = pick(h, 9);
    if (dice < 4)
        sl_record_set_insert(h->realm, &place, &value, NULL, NULL);
    else if (dice < 8)
        sl_record_set_erase(h->realm, &place, &value, NULL, NULL);
    else
        sl_record_clear(h->realm, &place, NULL);
}

static inline void edit_dictionary(hand *h) {
    static const char *const keys[] = {"k", "l", "other"};
    sl_place place = at(h, "d");
    sl_step step = {false, 0, sl_str_c(keys[pick(h, 3)])};
    uint32_t dice = pick(h, 9);
    if (dice == 8) {
        sl_record_clear(h->realm, &place, NULL);
        return;
    }
    place.steps = &step;
    place.step_count = 1;
    sl_value value = some_value(h);
    if (dice < 4)
        sl_record_set(h->realm, &place, &value, false, NULL);
    else if (dice < 6)
        sl_record_dict_erase(h->realm, &place, NULL, NULL);
    else
        sl_record_add_integer(h->realm, &place, pick(h, 5), NULL);
}

static inline void edit_embedded(hand *h) {
    sl_place place = at(h, "e");
    sl_value object = {.type = SL_TYPE_OBJECT}, null = {.type = SL_TYPE_NULL};
    sl_step step = {false, 0, pick(h, 2) ? SL_STR("i") : SL_STR("l")};
    uint32_t dice = pick(h, 8);
    if (dice < 2) {
        sl_record_set(h->realm, &place, dice ? &object : &null, false, NULL);
        return;
    }
    place.steps = &step;
    place.step_count = 1;
    sl_value value = number(pick(h, 30));
    if (step.name.data[0] == 'l')
        edit_list(h, &place, &value, true);
    else if (dice < 5)
        sl_record_set(h->realm, &place, &value, false, NULL);
    else
        sl_record_add_integer(h->realm, &place, 1, NULL);
}

static inline void edit_embedded_list(hand *h) {
    sl_place place = at(h, "le");
    int kind;
    uint32_t size = size_at(h, &place, &kind);
    sl_value object = {.type = SL_TYPE_OBJECT}, value = number(pick(h, 30));
    if (size == 0 || pick(h, 2)) {
        edit_list(h, &place, &object, false);
        return;
    }
    sl_step steps[2] = {{true, pick(h, size), SL_STR("")},
                        {false, 0, pick(h, 2) ? SL_STR("i") : SL_STR("l")}};
    place.steps = steps;
    place.step_count = 2;
    if (steps[1].name.data[0] == 'l')
        edit_list(h, &place, &value, true);
    else
        sl_record_set(h->realm, &place, &value, false, NULL);
}

/* A Mixed that holds a list or a dictionary of plain values; assigned with a Clear behind, as SDKs
 * do (gap G1 needs an assignment without it). */
static inline void edit_mixed(hand *h) {
    sl_place place = at(h, "m");
    sl_value collection = {.type = pick(h, 2) ? SL_TYPE_LIST : SL_TYPE_DICTIONARY};
    sl_value value = some_value(h);
    int kind;
    if (h->backwards) collection.type = place.key.integer % 2 ? SL_TYPE_LIST : SL_TYPE_DICTIONARY;
    size_at(h, &place, &kind);
    sl_step step = {false, 0, pick(h, 2) ? SL_STR("k") : SL_STR("l")};
    if (pick(h, 4) == 0) {
        if (sl_record_set(h->realm, &place, &collection, false, NULL))
            sl_record_clear(h->realm, &place, NULL);
    } else if (kind == SL_NODE_LIST) {
        edit_list(h, &place, &value, true);
    } else if (kind == SL_NODE_DICT) {
        place.steps = &step;
        place.step_count = 1;
        if (pick(h, 4))
            sl_record_set(h->realm, &place, &value, false, NULL);
        else
            sl_record_dict_erase(h->realm, &place, NULL, NULL);
    }
}

/* Inside a collection that is an element of a list, without the Clear that gap G2 is about. */
static inline void edit_inside(hand *h, sl_place *place, sl_step *last) {
    sl_value value = some_value(h);
    int kind;
    uint32_t size = size_at(h, place, &kind);
    if (kind == SL_NODE_LIST) {
        if (size == 0 || pick(h, 3))
            sl_record_list_insert(h->realm, place, pick(h, size + 1), &value, NULL);
        else
            sl_record_list_erase(h->realm, place, pick(h, size), NULL);
    } else if (kind == SL_NODE_DICT) {
        *last = (sl_step){false, 0, pick(h, 2) ? SL_STR("k") : SL_STR("l")};
        place->step_count++;
        if (pick(h, 4))
            sl_record_set(h->realm, place, &value, false, NULL);
        else
            sl_record_dict_erase(h->realm, place, NULL, NULL);
    }
}

/* A list of collections without moves (gap G5). A collection takes the place of an element by
 * erasing and inserting, as the Lua binding does it (gap G1). */
static inline void edit_nested(hand *h) {
    sl_place place = at(h, "lc");
    sl_value value = some_value(h);
    sl_value collection = {.type = pick(h, 2) ? SL_TYPE_LIST : SL_TYPE_DICTIONARY};
    int kind;
    uint32_t size = size_at(h, &place, &kind), dice = pick(h, 8), index;
    if (size == 0 || dice < 2) {
        sl_record_list_insert(h->realm, &place, pick(h, size + 1), &collection, NULL);
    } else if (dice == 2) {
        edit_list(h, &place, &value, false);
    } else if (dice == 3) {
        index = pick(h, size);
        sl_record_list_erase(h->realm, &place, index, NULL);
        sl_record_list_insert(h->realm, &place, index, &collection, NULL);
    } else {
        sl_step steps[2] = {{true, pick(h, size), SL_STR("")}};
        place.steps = steps;
        place.step_count = 1;
        edit_inside(h, &place, &steps[1]);
    }
}

static inline void edit_objects(hand *h) {
    sl_str cls = pick(h, 3) ? SL_STR("A") : SL_STR("B");
    sl_key key = key_of(pick(h, KEYS));
    if (pick(h, 5) < 3)
        sl_record_create(h->realm, cls, &key, NULL, NULL, NULL);
    else
        sl_record_erase(h->realm, cls, &key, NULL);
}

/* Finds one of the objects without primary key. */
typedef struct keyless_search {
    uint32_t left;
    bool found;
    sl_key key;
} keyless_search;

static inline bool see_keyless(void *ctx, const sl_key *key) {
    keyless_search *s = ctx;
    s->found = true;
    s->key = *key;
    return s->left-- > 0;
}

/* Objects of class N have no primary key; A.ln and A.nk link to them. */
static inline void edit_keyless(hand *h) {
    keyless_search s = {.left = pick(h, 4)};
    uint32_t dice = pick(h, 10);
    if (dice < 3) {
        sl_record_create(h->realm, SL_STR("N"), NULL, NULL, NULL, NULL);
        return;
    }
    if (!sl_realm_scan(h->realm, SL_STR("N"), see_keyless, &s, NULL) || !s.found) return;
    sl_link link = {SL_STR("N"), s.key};
    sl_value value = {.type = SL_TYPE_LINK, .link = &link}, plain = number(pick(h, 20));
    sl_place place = at(h, dice < 8 ? "ln" : "nk");
    sl_place inner = {.class_name = SL_STR("N"), .key = s.key, .property = SL_STR("i")};
    if (dice < 5)
        sl_record_set(h->realm, &inner, &plain, false, NULL);
    else if (dice < 6)
        sl_record_erase(h->realm, SL_STR("N"), &s.key, NULL);
    else if (dice < 8)
        edit_list(h, &place, &value, true);
    else
        sl_record_set(h->realm, &place, &value, false, NULL);
}

/* Properties that come and go are only ever assigned to (gap G6). */
static inline void edit_schema(hand *h) {
    sl_property property = {.name = pick(h, 2) ? SL_STR("p0") : SL_STR("p1"),
                            .type = SL_TYPE_INT,
                            .target = SL_STR("")};
    sl_class cls = {
        .name = SL_STR("T"), .has_key = true, .key_name = SL_STR("_id"), .key_type = SL_TYPE_INT};
    sl_key key = key_of(pick(h, 2));
    switch (pick(h, 6)) {
    case 0:
        sl_record_erase_property(h->realm, SL_STR("A"), property.name, NULL);
        break;
    case 1:
        sl_record_erase_class(h->realm, SL_STR("T"), NULL);
        break;
    case 2:
        sl_record_add_class(h->realm, &cls, NULL);
        break;
    case 3:
        sl_record_create(h->realm, SL_STR("T"), &key, NULL, NULL, NULL);
        break;
    default:
        sl_record_add_property(h->realm, SL_STR("A"), &property, NULL);
    }
}

static inline void edit(hand *h) {
    static void (*const edits[])(hand *) = {
        set_scalar,      set_scalar,      count_up,      count_up,           edit_plain_list,
        edit_plain_list, edit_plain_list, edit_links,    edit_set,           edit_set,
        edit_dictionary, edit_embedded,   edit_embedded, edit_embedded_list, edit_embedded_list,
        edit_mixed,      edit_mixed,      edit_objects,  edit_objects,       edit_schema,
        edit_keyless,    edit_keyless,    edit_nested,   edit_nested};
    static void (*const few[])(hand *) = {
        set_scalar,    set_scalar, count_up,   edit_dictionary, count_up,     edit_embedded,
        edit_embedded, edit_mixed, edit_mixed, edit_plain_list, edit_objects, edit_keyless};
    if (h->hot)
        few[pick(h, sizeof few / sizeof *few)](h);
    else
        edits[pick(h, sizeof edits / sizeof *edits)](h);
}

/* ---- running a program ---- */

static const char schema_text[] =
    "table A(_id:int); embedded E; table B(_id:int); column E.i:int; column E.l:int[];"
    "column A.i:int; column A.q:int?; column A.m:mixed; column A.li:int[]; column A.lm:mixed[];"
    "column A.s:int(); column A.ss:string(); column A.d:mixed{}; column A.e:->E?;"
    "column A.le:->E[]; column A.ll:->B[]; column A.lk:->B?; table N(); column N.i:int;"
    "column A.ln:->N[]; column A.nk:->N?; column A.lc:mixed[]; create A0; create A1; create B0;"
    "A1.m = list";

/* Where the events of a program go if somebody wants to see them; NULL = nowhere. */
static FILE *events;
static bool first_event;

static inline void tell(const char *format, ...) {
    va_list arguments;
    if (!events) return;
    if (!first_event) fputc(',', events);
    first_event = false;
    va_start(arguments, format);
    vfprintf(events, format, arguments);
    va_end(arguments);
}

static inline void tell_hex(const sl_buf *bytes) {
    for (size_t i = 0; events && i < bytes->size; i++)
        fprintf(events, "%02x", (unsigned)(unsigned char)bytes->data[i]);
}

static inline void append_own(net *n, size_t p, const sl_buf *bytes, uint64_t timestamp) {
    net_peer *peer = &n->peers[p];
    net_entry *entry = net_append(peer, timestamp, p + 1);
    sl_buf_add(&entry->original, bytes->data, bytes->size);
    entry->base = peer->seen;
    entry->client_version = net_version(peer);
    tell("{\"ev\":\"commit\",\"client\":%zu,\"client_version\":%llu,\"origin_timestamp\":%llu,"
         "\"last_integrated_server_version\":%llu,\"changeset\":\"",
         p + 1, (unsigned long long)entry->client_version, (unsigned long long)timestamp,
         (unsigned long long)entry->base);
    tell_hex(bytes);
    if (events) fputs("\"}", events);
}

static inline bool run_edit(net *n, const program *p, const action *a, uint64_t timestamp,
                            sl_status *st) {
    net_peer *peer = &n->peers[a->peer];
    sl_changeset cs;
    sl_buf bytes;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&bytes, NULL);
    bool ok = sl_realm_begin_write(peer->realm, &cs, a->peer + 1u, st);
    for (int k = 0; ok && k < a->count; k++) {
        hand h = {peer->realm, a->ops[k], p->content, p->backwards, p->hot};
        edit(&h);
    }
    if (ok) {
        ok = sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, &bytes, st);
        sl_realm_commit(peer->realm);
        if (ok && cs.count) append_own(n, a->peer, &bytes, timestamp);
        n->instructions += cs.count;
    }
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
    return ok;
}

/* Uploads up to `count` transactions of client p; returns how many, or -1. */
static inline int upload(net *n, size_t p, unsigned count, sl_status *st) {
    net_peer *peer = &n->peers[p];
    int done = 0;
    for (; peer->sent < peer->count && count; peer->sent++) {
        const net_entry *entry = &peer->entries[peer->sent];
        if (entry->client_version == 0) continue;
        uint64_t version = entry->client_version, based = entry->base;
        if (!net_upload(n, p, version, based, st)) return -1;
        tell("{\"ev\":\"upload\",\"client\":%zu,\"client_version\":%llu,"
             "\"last_integrated_server_version\":%llu,\"server_version\":%llu}",
             p + 1, (unsigned long long)version, (unsigned long long)based,
             (unsigned long long)net_version(&n->peers[NET_SERVER]));
        done++;
        count--;
    }
    return done;
}

static inline void tell_download(size_t p, const net_download_item *items, size_t count,
                                 uint64_t version) {
    tell("{\"ev\":\"download\",\"client\":%zu,\"client_version\":%llu,\"changesets\":[", p + 1,
         (unsigned long long)version);
    for (size_t i = 0; events && i < count; i++)
        fprintf(events, "%s{\"server_version\":%llu,\"last_integrated_client_version\":%llu}",
                i ? "," : "", (unsigned long long)items[i].server_version,
                (unsigned long long)items[i].base);
    if (events) fputs("]}", events);
}

/* Downloads up to `count` entries to client p; returns how many, or -1. */
static inline int download(net *n, size_t p, unsigned count, sl_status *st) {
    const net_peer *server = &n->peers[NET_SERVER];
    net_download_item items[64];
    size_t found = 0;
    uint64_t integrated = 0;
    for (size_t i = 0; i < server->count && found < count && found < 64; i++) {
        const net_entry *entry = &server->entries[i];
        if (entry->file == p + 1) integrated = entry->client_version;
        if (NET_FIRST_VERSION + i <= n->peers[p].seen || entry->file == p + 1) continue;
        items[found++] = (net_download_item){NET_FIRST_VERSION + i, integrated};
    }
    if (found == 0) return 0;
    if (!net_download(n, p, items, found, NULL, st)) return -1;
    tell_download(p, items, found, net_version(&n->peers[p]));
    return (int)found;
}

static inline bool exchange_everything(net *n, sl_status *st) {
    bool again = true;
    while (again) {
        again = false;
        for (size_t p = 1; p <= n->clients; p++) {
            int sent = upload(n, p, 1000, st), received = download(n, p, 64, st);
            if (sent < 0 || received < 0) return false;
            again |= sent > 0 || received > 0;
        }
    }
    return true;
}

static inline bool all_equal(net *n, sl_status *st) {
    char first[65], other[65];
    if (!state_hash(n->peers[0].realm, first, st)) return false;
    for (size_t p = 1; p <= n->clients; p++) {
        if (!state_hash(n->peers[p].realm, other, st)) return false;
        if (strcmp(first, other) != 0)
            return sl_fail(st, SL_ERR_INTERNAL, "DIVERGED", "client %zu differs from the server",
                           p + 1);
    }
    return true;
}

/* Client 1 brings the schema; every other client has it before the program starts. */
static inline bool start(net *n, sl_status *st) {
    sl_changeset cs;
    sl_buf bytes;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&bytes, NULL);
    bool ok = notation_read(&cs, schema_text) &&
              sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, &bytes, st) &&
              sl_realm_begin(n->peers[1].realm, st) && sl_realm_apply(n->peers[1].realm, &cs, st);
    if (ok) {
        sl_realm_commit(n->peers[1].realm);
        append_own(n, 1, &bytes, 1);
        ok = exchange_everything(n, st);
    }
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
    return ok;
}

#endif
