/* client_download.c - DOWNLOAD messages on their way into the history: one by one, or several that
 * have come together as one commit. */
#include "session/client_private.h"

#include "protocol/entries.h"
#include <stdio.h>

/* The two schemas contradict each other, which a fresh copy would not heal. */
static bool is_clash(const sl_status *why) {
    return why->cls == SL_ERR_CHANGESET &&
           (strcmp(why->id, "A-SCHEMA") == 0 ||
            (why->id[0] == 'S' && why->id[1] >= '1' && why->id[1] <= '9'));
}

/* What a client tells the server about a DOWNLOAD it cannot use (part 4, 11.6). */
static int failure_code(const sl_status *why) {
    if (is_clash(why)) return 225;
    if (why->cls == SL_ERR_CHANGESET) return 212;
    if (why->cls == SL_ERR_SESSION && why->code != 0) return why->code;
    return 201;
}

static bool fail_integration(sl_client_session *s, const sl_status *why, sl_status *st) {
    sl_client_error error;
    sl_client_error_init(&error, why->cls, failure_code(why));
    error.name = "integration failed";
    error.advice = "Changes of others could not be brought into this file. The server answers with "
                   "what is to be done, normally a client reset.";
    sl_client_error_text(&error, sl_str_c(why->message));
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_ERROR, s->number);
    event->error = error;
    s->binding.failure = error.code;
    snprintf(s->binding.failure_text, sizeof s->binding.failure_text, "%s", why->message);
    if (s->connection->version >= 7) return true;
    return sl_fail_code(st, SL_ERR_PROTOCOL, error.code, "%s", why->message);
}

/* Reads the entries of an opened body. */
static bool read_entries(sl_arena *arena, sl_str bytes, sl_client_download *d, sl_status *st) {
    sl_entry_reader reader;
    sl_download_entry entry;
    bool more;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        sl_download_entry *entries = NULL;
        if (pass == 1 && count > 0) {
            entries = sl_arena_zero(arena, count, sizeof *entries);
            if (!entries) return sl_fail_memory(st);
            d->entries = entries;
        }
        sl_entry_reader_init(&reader, bytes);
        for (d->count = 0;; d->count++) {
            if (!sl_entry_reader_download(&reader, &entry, &more, st)) return false;
            if (!more) break;
            if (pass == 1) entries[d->count] = entry;
        }
        count = d->count;
    }
    return true;
}

/* The acknowledgement may have overtaken the scan: what a lost connection had uploaded. */
static void advance_cursor(sl_client_session *s) {
    const sl_client_cursors *c = sl_client_history_cursors(s->history);
    if (c->ul_cv > s->cursor.client_version) s->cursor = (sl_upload_cursor){c->ul_cv, c->ul_sv};
}

static void report_integration(sl_client_session *s, const sl_client_integration *result) {
    sl_client_connection *c = s->connection;
    if (c->steps) sl_steps_take(c->steps, result->steps);
    sl_backoff_reset(&s->backoff);
    c->refusals = 0;
    advance_cursor(s);
    s->check_waits = true;
    if (result->changesets == 0) return;
    if (!s->mute_integrated) {
        sl_client_event *event = sl_client_emit(c, SL_CLIENT_INTEGRATED, s->number);
        event->changesets = result->changesets;
        event->changed = result->changed;
        event->request = result->version;
    }
    sl_client_transact_overtaken(s);
}

/* A server that went back to a backup may have lost how far we had got with uploads that held no
 * changeset. Those with one made a version; had it lost that, IDENT would have been refused (209,
 * 211). So nothing has to be sent again, and what we know stays; within one binding it must not
 * decrease (part 4, 3.6). */
static void keep_progress(sl_client_session *s, sl_client_cursors *told) {
    const sl_client_cursors *held = sl_client_history_cursors(s->history);
    uint64_t before = s->binding.confirmed;
    if (told->ul_cv > before) s->binding.confirmed = told->ul_cv;
    if (told->ul_cv >= held->ul_cv || told->ul_cv < before) return;
    told->ul_cv = held->ul_cv;
    if (told->ul_sv < held->ul_sv) told->ul_sv = held->ul_sv;
}

static sl_client_download header_of(const sl_msg_download *msg) {
    return (sl_client_download){.cursors = {msg->latest_sv, msg->latest_salt, msg->dl_sv,
                                            msg->dl_cv, msg->ul_cv, msg->ul_sv},
                                .downloadable = msg->downloadable};
}

/* ---- one message, in slices ------------------------------------------------------------------ */

/* How many bytes of changesets the running call may still take; at least 1. What a step is in bytes
 * before they are parsed, the last changesets tell; at first a little, so that it errs to the side
 * of short slices. */
static uint64_t bytes_left(const sl_client_connection *c) {
    enum { BYTES_PER_STEP = 4 };
    const sl_steps *steps = c->steps;
    if (!steps || steps->limit == 0) return UINT64_MAX;
    if (steps->taken >= steps->limit) return 1;
    double ratio =
        c->paced_steps ? (double)c->paced_bytes / (double)c->paced_steps : BYTES_PER_STEP;
    double left = (double)(steps->limit - steps->taken) * ratio;
    return left < 1 ? 1 : left > 1e15 ? UINT64_MAX : (uint64_t)left;
}

/* What was integrated is the measure of what comes. */
static void learn_pace(sl_client_connection *c, const sl_client_download *d, uint64_t steps) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < d->count; i++)
        bytes += d->entries[i].changeset.size;
    if (steps == 0 || bytes == 0) return;
    c->paced_bytes = bytes;
    c->paced_steps = steps;
}

void sl_client_download_forget(sl_client_connection *c) {
    sl_client_rest *rest = &c->rest;
    rest->session = 0;
    rest->download = (sl_client_download){.count = 0};
    sl_buf_free(&rest->body);
    sl_arena_reset(&rest->arena);
}

/* Opens the body at a place where it stays until all of it is integrated. */
static bool open_message(sl_client_session *s, const sl_msg_download *msg, sl_status *st) {
    sl_client_connection *c = s->connection;
    sl_client_rest *rest = &c->rest;
    bool small = msg->body.uncompressed_size <= bytes_left(c);
    sl_client_download_forget(c);
    rest->download = header_of(msg);
    keep_progress(s, &rest->download.cursors);
    sl_str bytes;
    if (!sl_body_open(&msg->body, c->options.max_inflated, small ? &c->inflated : &rest->body,
                      &bytes, st))
        return false;
    if (!small && !msg->body.compressed) {
        sl_buf_str(&rest->body, bytes);
        if (rest->body.failed) return sl_fail_memory(st);
        bytes = sl_str_of(rest->body.data, bytes.size);
    }
    return read_entries(&rest->arena, bytes, &rest->download, st) &&
           sl_client_history_check_download(s->history, &rest->download, st);
}

/* Takes the changesets that fit into the budget, at least one, off the rest. Where the server stood
 * at the last of them is known; what it says about uploads holds for all of them. */
static sl_client_download next_slice(sl_client_connection *c) {
    sl_client_download *all = &c->rest.download, slice = *all;
    uint64_t most = bytes_left(c), bytes = 0;
    for (slice.count = 0; slice.count < all->count; slice.count++) {
        bytes += all->entries[slice.count].changeset.size;
        if (slice.count > 0 && bytes > most) break;
    }
    uint64_t stands =
        slice.count ? all->entries[slice.count - 1].server_version : all->cursors.dl_sv;
    if (slice.count == all->count || stands < all->cursors.ul_sv) {
        slice.count = all->count;
    } else {
        slice.cursors.dl_sv = stands;
        slice.cursors.dl_cv = all->entries[slice.count - 1].client_version;
    }
    all->count -= slice.count;
    all->entries += slice.count;
    for (size_t i = 0; i < all->count; i++)
        slice.downloadable += all->entries[i].original_size;
    return slice;
}

/* A local failure ends the binding, others are told to the server. */
static bool fail_receive(sl_client_session *s, const sl_status *why, sl_status *st) {
    if (why->cls == SL_ERR_STORAGE) {
        sl_client_binding_fail_locally(s, why);
        return true;
    }
    if (why->cls == SL_ERR_MEMORY || why->cls == SL_ERR_USAGE) {
        if (st) *st = *why;
        return false;
    }
    return fail_integration(s, why, st);
}

static bool integrate_slices(sl_client_session *s, sl_status *st) {
    sl_client_connection *c = s->connection;
    do {
        sl_client_integration result;
        sl_status why = SL_STATUS_INIT;
        sl_client_download slice = next_slice(c);
        if (!sl_client_history_integrate(s->history, &slice, &result, &why)) {
            sl_client_download_forget(c);
            return fail_receive(s, &why, st);
        }
        learn_pace(c, &slice, result.steps);
        report_integration(s, &result);
    } while (c->rest.download.count > 0 && c->steps->taken < c->steps->limit);
    if (c->rest.download.count == 0) {
        sl_client_download_forget(c);
        return true;
    }
    c->rest.session = s->number;
    c->rest.attempt = c->attempt;
    c->rest.resumed = true;
    return true;
}

bool sl_client_download_receive(sl_client_session *s, const sl_msg_download *msg, sl_status *st) {
    sl_client_connection *c = s->connection;
    if (!s->binding.ident_sent)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "DOWNLOAD is not legal before IDENT");
    if (s->binding.failure) return true;
    if (sl_client_history_writing(s->history))
        return sl_fail(st, SL_ERR_USAGE, "",
                       "finish the open write transaction before messages of "
                       "the server are handed in");
    bool resumes = c->rest.session == s->number && c->rest.attempt == c->attempt;
    if (!resumes && !open_message(s, msg, st)) {
        sl_client_download_forget(c);
        return false;
    }
    return integrate_slices(s, st);
}

/* ---- several at once ------------------------------------------------------------------------- */

enum { GROUP_MESSAGES = 64, GROUP_BYTES = 1 << 20 };

/* The messages that are joined. Everything is in the connection's arena. */
typedef struct group {
    sl_client_session *session;
    sl_client_cursors cursors; /* after the last one */
    sl_client_download parts[GROUP_MESSAGES];
    size_t count, entries, bytes;
    uint64_t limit; /* of bytes */
} group;

/* What receiving DOWNLOAD asks of a session, without a message to refuse. */
static bool can_receive(const sl_client_session *s) {
    const sl_client_binding *b = &s->binding;
    return s->history && b->ident_sent && !b->unbind_sent && !b->broken && !b->failure &&
           !b->error_received && !b->unbound_received && !sl_client_binding_over(s) &&
           sl_client_session_wants_bind(s) && !sl_client_history_writing(s->history);
}

/* The entries of the body, at a place where they stay until all is done. */
static bool keep_body(sl_client_connection *c, const sl_body *body, sl_str *bytes) {
    if (!sl_body_open(body, c->options.max_inflated, &c->inflated, bytes, NULL)) return false;
    if (body->compressed) *bytes = sl_arena_str(&c->arena, *bytes);
    return bytes->size == 0 || bytes->data;
}

/* Adds a message if nothing at all is wrong with it. */
static bool join(group *g, const sl_msg_download *msg) {
    sl_client_connection *c = g->session->connection;
    sl_client_download part = header_of(msg);
    sl_str bytes;
    if (g->bytes + msg->body.uncompressed_size > g->limit) return false;
    if (!keep_body(c, &msg->body, &bytes) || !read_entries(&c->arena, bytes, &part, NULL) ||
        !sl_client_history_check_next(g->session->history, &g->cursors, &part))
        return false;
    uint64_t ul_sv = part.cursors.ul_sv ? part.cursors.ul_sv : g->cursors.ul_sv;
    g->cursors = part.cursors;
    g->cursors.ul_sv = ul_sv;
    g->parts[g->count++] = part;
    g->entries += part.count;
    g->bytes += bytes.size;
    return true;
}

/* The messages as one: all entries, and where the last one stands. */
static bool make_one(group *g, sl_client_download *one) {
    sl_download_entry *entries = NULL;
    *one = (sl_client_download){.cursors = g->cursors,
                                .downloadable = g->parts[g->count - 1].downloadable};
    if (g->entries == 0) return true;
    entries = sl_arena_zero(&g->session->connection->arena, g->entries, sizeof *entries);
    if (!entries) return false;
    one->entries = entries;
    for (size_t i = 0; i < g->count; i++) {
        if (g->parts[i].count == 0) continue;
        memcpy(entries + one->count, g->parts[i].entries, g->parts[i].count * sizeof *entries);
        one->count += g->parts[i].count;
    }
    return true;
}

static void collect(group *g, const sl_str *messages, size_t count) {
    sl_client_connection *c = g->session->connection;
    sl_server_message msg;
    for (size_t i = 0; i < count && i < GROUP_MESSAGES; i++) {
        if (!sl_server_message_parse(&msg, (sl_dialect){c->version, false}, messages[i].data,
                                     messages[i].size, NULL) ||
            msg.type != SL_MSG_DOWNLOAD || msg.session != g->session->number ||
            !join(g, &msg.download))
            return;
    }
}

size_t sl_client_download_group(sl_client_connection *c, const sl_str *messages, size_t count) {
    sl_server_message msg;
    group g = {.count = 0};
    if (count < 2 ||
        !sl_server_message_parse(&msg, (sl_dialect){c->version, false}, messages[0].data,
                                 messages[0].size, NULL) ||
        msg.type != SL_MSG_DOWNLOAD)
        return 0;
    g.session = sl_client_find_session(c, msg.session);
    if (!g.session || !can_receive(g.session)) return 0;
    g.cursors = *sl_client_history_cursors(g.session->history);
    g.limit = bytes_left(c) < GROUP_BYTES ? bytes_left(c) : GROUP_BYTES;
    collect(&g, messages, count);
    sl_client_download one;
    sl_client_integration result;
    if (g.count < 2 || !make_one(&g, &one)) return 0;
    if (!sl_client_history_integrate(g.session->history, &one, &result, NULL)) {
        c->alone = g.count; /* so that it shows which one is bad, and those before it count */
        return 0;
    }
    learn_pace(c, &one, result.steps);
    sl_client_binding *b = &g.session->binding;
    if (g.cursors.ul_cv > b->confirmed) b->confirmed = g.cursors.ul_cv;
    report_integration(g.session, &result);
    return g.count;
}
