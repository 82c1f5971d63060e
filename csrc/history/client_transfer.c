#include "history/client_transfer.h"

#include <inttypes.h>
#include <stdio.h>

#include "history/client_history_private.h"
#include "protocol/message.h"

/* A line of text like that of the file's state. */
static const char note_name[] = "state_transfer";

static const sl_state_store *states_of(const sl_client_history *h) {
    return h->store->vtbl->states(h->store);
}

bool sl_client_transfer_possible(const sl_client_history *h) {
    const sl_client_state *s = &h->state;
    return states_of(h) && !h->writing && s->cursors.dl_sv == 0 && s->cursors.latest_sv == 0 &&
           s->progress.uploadable_changesets == 0 && s->progress.downloaded_changesets == 0 &&
           sl_realm_schema(h->realm)->count == 0;
}

int sl_client_transfer_format(const sl_client_history *h) {
    return states_of(h)->format;
}

/* ---- the note -------------------------------------------------------------------------------- */

static bool write_note(sl_client_history *h, const sl_client_transfer *t, sl_status *st) {
    char text[160];
    int size = 0;
    if (t->version)
        size = snprintf(text, sizeof text,
                        "version=%" PRIu64 " salt=%" PRId64 " offset=%" PRIu64 " max=%" PRIu64
                        " plain=%" PRIu64,
                        t->version, t->salt, t->offset, t->max, t->plain);
    if (!h->store->vtbl->begin(h->store, st)) return false;
    if (!h->store->vtbl->meta_put_bytes(h->store, note_name, sl_str_of(text, (size_t)size), st)) {
        h->store->vtbl->rollback(h->store);
        return false;
    }
    return h->store->vtbl->commit(h->store, true, st);
}

static bool read_note(sl_client_history *h, sl_client_transfer *t, sl_status *st) {
    sl_str note;
    char text[160];
    *t = (sl_client_transfer){0};
    if (!h->store->vtbl->meta_get_bytes(h->store, note_name, &note, st)) return false;
    if (note.size == 0 || note.size >= sizeof text) return true;
    memcpy(text, note.data, note.size);
    text[note.size] = 0;
    int found = sscanf(text,
                       "version=%" SCNu64 " salt=%" SCNd64 " offset=%" SCNu64 " max=%" SCNu64
                       " plain=%" SCNu64,
                       &t->version, &t->salt, &t->offset, &t->max, &t->plain);
    if (found != 5 || t->version == 0 || t->offset > t->max) *t = (sl_client_transfer){0};
    return true;
}

bool sl_client_transfer_load(sl_client_history *h, sl_client_transfer *t, sl_status *st) {
    bool found = false;
    if (!read_note(h, t, st)) return false;
    if (t->version == 0) return true;
    const sl_state_store *states = states_of(h);
    if (!states->part_begin(states->ctx, t->plain, &found, st)) return false;
    if (!found) *t = (sl_client_transfer){0};
    return true;
}

bool sl_client_transfer_forget(sl_client_history *h, sl_status *st) {
    const sl_state_store *states = states_of(h);
    sl_client_transfer t;
    if (states) states->part_drop(states->ctx);
    if (!read_note(h, &t, st)) return false;
    return t.version == 0 || write_note(h, &(sl_client_transfer){0}, st);
}

static bool is_damage(const sl_status *why) {
    return why->cls == SL_ERR_STORAGE && strcmp(why->id, "DAMAGED") == 0;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool violation(sl_status *st, const char *what) {
    return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "%s", what);
}

/* 5.12: begin 0 starts over, anything else goes on with the same state where it stood. */
static bool check_place(const sl_client_transfer *t, const sl_msg_state *msg, bool *restart,
                        sl_status *st) {
    *restart = msg->begin_offset == 0 && t->offset != 0;
    bool fresh = *restart || t->version == 0;
    if (msg->server_version == 0 || msg->server_salt == 0)
        return violation(st, "a state without a version");
    if (msg->begin_offset != (*restart ? 0 : t->offset))
        return violation(st, "a state does not go on where it stood");
    if (!fresh && (msg->server_version != t->version || msg->server_salt != t->salt ||
                   msg->max_offset != t->max))
        return violation(st, "a state became another one on its way");
    if (msg->end_offset <= msg->begin_offset || msg->end_offset > msg->max_offset ||
        msg->segments.size == 0)
        return violation(st, "a part of a state ends at an impossible place");
    return true;
}

static bool add_segments(sl_client_history *h, sl_client_transfer *t, sl_str segments,
                         sl_status *st) {
    const sl_state_store *states = states_of(h);
    char *blocks = sl_new(h->alloc, SL_STATE_SEGMENT_BYTES);
    if (!blocks) return sl_fail_memory(st);
    bool ok = true;
    while (ok && segments.size > 0) {
        size_t size = 0;
        ok = sl_state_unpack(h->alloc, &segments, blocks, &size, st) &&
             states->part_add(states->ctx, sl_str_of(blocks, size), st);
        t->plain += size;
    }
    sl_delete(h->alloc, blocks);
    return ok;
}

/* Puts the part back to where *t says, after a failure in the middle. */
static void rewind_part(sl_client_history *h, const sl_client_transfer *t) {
    const sl_state_store *states = states_of(h);
    bool found = false;
    sl_status ignored = SL_STATUS_INIT;
    states->part_begin(states->ctx, t->plain, &found, &ignored);
}

bool sl_client_transfer_receive(sl_client_history *h, sl_client_transfer *t,
                                const sl_msg_state *msg, sl_status *st) {
    const sl_state_store *states = states_of(h);
    bool restart = false, found = true;
    if (h->writing)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "finish the open write transaction before messages of "
                       "the server are handed in");
    sl_status why = SL_STATUS_INIT;
    sl_client_transfer next = *t;
    bool ok = check_place(t, msg, &restart, &why);
    if (ok && (restart || t->version == 0)) {
        next = (sl_client_transfer){
            .version = msg->server_version, .salt = msg->server_salt, .max = msg->max_offset};
        ok = states->part_begin(states->ctx, 0, &found, &why);
    }
    next.offset = msg->end_offset;
    ok = ok && add_segments(h, &next, msg->segments, &why) &&
         states->part_sync(states->ctx, &why) && write_note(h, &next, &why);
    if (ok) {
        *t = next;
        return true;
    }
    if (why.cls == SL_ERR_PROTOCOL || is_damage(&why)) {
        sl_status ignored = SL_STATUS_INIT;
        *t = (sl_client_transfer){0};
        sl_client_transfer_forget(h, &ignored);
    } else {
        if (restart) *t = (sl_client_transfer){0};
        rewind_part(h, t);
    }
    if (st) *st = why;
    return false;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* The one entry tells the server, with the first upload, what was received. */
static bool write_state(const sl_client_history *h, const sl_client_transfer *t, sl_store *store,
                        sl_status *st) {
    sl_client_state state = {.version = sl_client_state_next_version(&h->state),
                             .ident = h->state.ident,
                             .salt = h->state.salt};
    sl_status clock = SL_STATUS_INIT;
    sl_history_entry entry = {.version = state.version, .peer_version = t->version};
    if (!sl_client_history_now(h, &entry.origin_timestamp, &clock)) entry.origin_timestamp = 0;
    state.base = state.version - 1;
    state.cursors.latest_sv = state.cursors.dl_sv = t->version;
    state.cursors.latest_salt = t->salt;
    if (!store->vtbl->begin(store, st)) return false;
    if (store->vtbl->entry_append(store, &entry, st) && sl_client_state_save(&state, store, st))
        return store->vtbl->commit(store, true, st);
    store->vtbl->rollback(store);
    return false;
}

/* The schema has to be one that a realm can be made of. */
static bool write_into(const sl_client_history *h, const sl_client_transfer *t, sl_store *store,
                       sl_status *st) {
    sl_realm *realm = NULL;
    sl_realm_options options = {.alloc = h->alloc, .source = store->vtbl->source(store)};
    bool ok = sl_realm_open(&realm, &options, st);
    sl_realm_close(realm);
    return ok && write_state(h, t, store, st);
}

bool sl_client_transfer_finish(sl_client_history *h, const sl_client_transfer *t, sl_status *st) {
    const sl_state_store *states = states_of(h);
    sl_store *store = NULL;
    sl_status why = SL_STATUS_INIT;
    bool ok = states->part_open(states->ctx, &store, &why);
    if (ok) {
        ok = write_into(h, t, store, &why);
        store->vtbl->close(store);
    }
    if (ok) return true;
    if (is_damage(&why)) {
        sl_status ignored = SL_STATUS_INIT;
        sl_client_transfer_forget(h, &ignored);
    }
    if (st) *st = why;
    return false;
}
