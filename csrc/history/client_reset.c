#include "history/client_reset.h"

#include "history/client_history_private.h"
#include "history/reseed.h"
#include "history/reset_replay.h"
#include "history/reset_transfer.h"
#include "realm/read.h"

#include <stdio.h>

enum { SERVER_PEER = 1 };

/* ---- the note -------------------------------------------------------------------------------- */

/* Written by another version of this code, a note means nothing (12.3, 3). */
static const char note_name[] = "client_reset";
static const char note_format[] = "format=2 mode=%7s code=%d tries=%d failed=%d";

bool sl_client_reset_trace(sl_client_history *history, sl_reset_trace *trace, sl_status *st) {
    sl_str text;
    char line[80], mode[8];
    int code = 0, tries = 0, failed = 0;
    *trace = (sl_reset_trace){0};
    if (!history->store->vtbl->meta_get_bytes(history->store, note_name, &text, st)) return false;
    if (text.size == 0 || text.size >= sizeof line) return true;
    memcpy(line, text.data, text.size);
    line[text.size] = 0;
    if (sscanf(line, note_format, mode, &code, &tries, &failed) != 4) return true;
    trace->recovery = strcmp(mode, "recover") == 0;
    trace->found = trace->recovery || strcmp(mode, "discard") == 0;
    trace->code = code;
    trace->tries = tries;
    trace->failed = failed != 0;
    return true;
}

/* A commit of its own, which makes a version like every other (17.7). */
static bool write_note(sl_client_history *history, sl_str text, sl_status *st) {
    uint64_t now = 0;
    sl_status clock = SL_STATUS_INIT;
    if (!sl_client_history_now(history, &now, &clock)) now = 0;
    if (!sl_client_history_begin_private(history, st)) return false;
    sl_client_state state = history->state;
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv, .origin_timestamp = now};
    if (!history->store->vtbl->meta_put_bytes(history->store, note_name, text, st))
        return sl_client_history_abandon(history);
    return sl_client_history_finish(history, &state, &entry, true, st);
}

bool sl_client_reset_finish(sl_client_history *history, sl_status *st) {
    sl_str text;
    if (!history->store->vtbl->meta_get_bytes(history->store, note_name, &text, st)) return false;
    return text.size == 0 || write_note(history, SL_STR(""), st);
}

/* Errors about the server's history or its knowledge of this file as a whole: what was recovered
 * cannot have caused them, so they tell of another backup that was put back, and not of a reset
 * that does not help. */
static bool is_about_history(int code) {
    static const int codes[] = {208, 209, 210, 211, 217, 222, 228};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (code == codes[i]) return true;
    return false;
}

static bool loops(sl_status *st) {
    return sl_fail(st, SL_ERR_SESSION, "LOOP",
                   "a client reset of the same kind was tried before and did not help; save local "
                   "changes by hand and delete the file");
}

/* The table of 12.3, which is about resets that were asked for by what is in a changeset. */
static bool decide(const sl_reset_request *request, const sl_reset_trace *before, bool *recover,
                   sl_status *st) {
    enum { MOST_TRIES = 20 };
    *recover = request->mode != SL_RESET_DISCARD;
    if (request->reseed && request->mode != SL_RESET_RECOVER)
        return sl_fail(st, SL_ERR_USAGE, "", "what is given back is recovered, not discarded");
    if (*recover && request->no_recovery) {
        if (request->mode == SL_RESET_RECOVER)
            return sl_fail(st, SL_ERR_SESSION, "LOOP",
                           "the server forbids to recover local changes, and the application "
                           "demands it; save them by hand and delete the file");
        *recover = false;
    }
    if (!before->found || (before->failed && request->mode == SL_RESET_RECOVER)) return true;
    /* A server that has no other answer must come to an end all the same. */
    if (!before->failed && is_about_history(request->code))
        return before->tries < MOST_TRIES || loops(st);
    if (before->recovery && request->mode == SL_RESET_RECOVER_OR_DISCARD) {
        *recover = false;
        return true;
    }
    return (before->recovery && !*recover) || loops(st);
}

typedef struct note_text {
    char bytes[80];
    sl_str text;
} note_text;

static void format_note(note_text *note, const sl_reset_trace *trace) {
    int size =
        snprintf(note->bytes, sizeof note->bytes, "format=2 mode=%s code=%d tries=%d failed=%d",
                 trace->recovery ? "recover" : "discard", trace->code, trace->tries, trace->failed);
    note->text = sl_str_of(note->bytes, trace->found ? (size_t)size : 0);
}

/* A full disk says nothing about whether a reset helps; a change that cannot be recovered does. */
static void note_failure(sl_client_history *history, const sl_reset_trace *before,
                         const sl_reset_trace *attempt, const sl_status *why) {
    note_text note;
    sl_status ignored = SL_STATUS_INIT;
    sl_reset_trace failed = *attempt;
    failed.failed = true;
    format_note(&note, why->cls == SL_ERR_SESSION ? &failed : before);
    write_note(history, note.text, &ignored);
}

/* ---- local changes the server does not know -------------------------------------------------- */

typedef struct candidate {
    uint64_t version, origin_timestamp;
    sl_str changeset; /* what is left of it, in the arena */
} candidate;

/* A change that is made by a reset which gives back what is here. */
typedef struct given_change {
    struct given_change *next;
    uint64_t origin_timestamp;
    sl_str changeset;
} given_change;

typedef struct reset {
    sl_client_history *history, *fresh;
    sl_arena arena;
    candidate *candidates;
    size_t count, capacity;
    sl_reseed *reseed;         /* NULL: nothing is given back */
    given_change *given, *end; /* in the arena; then no candidate has a changeset any more */
    uint64_t given_bytes, given_count, now;
    uint64_t taken;
    sl_reset_trace trace; /* as it is noted before the reset */
    uint64_t dropped;
    bool failed;
} reset;

static bool add_candidate(void *ctx, const sl_history_entry *entry) {
    reset *r = ctx;
    if (entry->origin_file != 0 || entry->changeset.size == 0) return true;
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 16;
        void *grown = sl_resize(r->history->alloc, r->candidates, capacity * sizeof *r->candidates);
        if (!grown) {
            r->failed = true;
            return false;
        }
        r->candidates = grown;
        r->capacity = capacity;
    }
    r->candidates[r->count++] = (candidate){entry->version, entry->origin_timestamp, SL_STR("")};
    return true;
}

static bool list_candidates(reset *r, sl_status *st) {
    sl_client_history *h = r->history;
    if (!h->store->vtbl->entry_scan(h->store, h->state.cursors.ul_cv, h->state.version, false,
                                    add_candidate, r, st))
        return false;
    return r->failed ? sl_fail_memory(st) : true;
}

/* The reciprocal form, if there is one, is based on all that was downloaded. */
static bool load_candidate(reset *r, uint64_t version, sl_str *bytes, sl_status *st) {
    sl_store *store = r->history->store;
    sl_history_entry entry;
    bool found = false;
    if (!store->vtbl->reciprocal_get(store, SERVER_PEER, version, bytes, &found, st)) return false;
    if (!found) {
        if (!store->vtbl->entry_get(store, version, &entry, &found, st)) return false;
        if (!found) return sl_fail(st, SL_ERR_STORAGE, "RESET", "a history entry vanished");
        *bytes = entry.changeset;
    }
    *bytes = sl_arena_str(&r->arena, *bytes);
    return !(bytes->size && !bytes->data) || sl_fail_memory(st);
}

static bool give(reset *r, sl_str changeset, uint64_t origin_timestamp) {
    given_change *given = sl_arena_zero(&r->arena, 1, sizeof *given);
    if (!given) return false;
    given->changeset = changeset;
    given->origin_timestamp = origin_timestamp;
    if (r->end)
        r->end->next = given;
    else
        r->given = given;
    r->end = given;
    r->given_bytes += changeset.size;
    r->given_count++;
    return true;
}

/* The encoding, in the arena; empty if there are no instructions. */
static bool encode(reset *r, const sl_changeset *cs, sl_str *out, sl_status *st) {
    sl_buf encoded;
    sl_buf_init(&encoded, r->history->alloc);
    bool ok = sl_changeset_encode(cs, SL_ENCODE_UPFRONT, &encoded, st);
    *out = SL_STR("");
    if (ok && encoded.size) {
        *out = sl_arena_str(&r->arena, sl_str_of(encoded.data, encoded.size));
        if (!out->data) ok = sl_fail_memory(st);
    }
    sl_buf_free(&encoded);
    return ok;
}

static bool take_given(void *ctx, const sl_changeset *cs, sl_status *st) {
    reset *r = ctx;
    sl_str bytes;
    return encode(r, cs, &bytes, st) && (give(r, bytes, r->now) || sl_fail_memory(st));
}

static bool replay_candidate(reset *r, sl_reset_replay *replay, candidate *c, sl_status *st) {
    sl_str bytes;
    sl_changeset cs, out;
    if (!load_candidate(r, c->version, &bytes, st)) return false;
    sl_changeset_init(&cs, r->history->alloc);
    sl_changeset_init(&out, r->history->alloc);
    bool ok = sl_changeset_parse(&cs, bytes.data, bytes.size, st) &&
              (!r->reseed || sl_reseed_rename(r->reseed, &cs, st)) &&
              sl_reset_replay_changeset(replay, &cs, &out, st) && encode(r, &out, &bytes, st);
    if (ok && !r->reseed) c->changeset = bytes;
    if (ok && r->reseed && bytes.size && !give(r, bytes, c->origin_timestamp))
        ok = sl_fail_memory(st);
    sl_changeset_free(&cs);
    sl_changeset_free(&out);
    return ok;
}

/* On the copy's realm, in a transaction there that is never committed. */
static bool replay_all(reset *r, bool schema_only, sl_status *st) {
    sl_reset_replay_options options = {.alloc = r->history->alloc,
                                       .fresh = r->fresh->realm,
                                       .local = r->history->realm,
                                       .schema_only = schema_only};
    sl_reset_replay *replay = sl_reset_replay_new(&options);
    if (!replay) return sl_fail_memory(st);
    bool ok = !r->reseed || sl_reseed_objects(r->reseed, st);
    for (size_t i = 0; ok && i < r->count; i++)
        ok = replay_candidate(r, replay, &r->candidates[i], st);
    ok = ok && (!r->reseed || sl_reseed_content(r->reseed, st));
    r->dropped = sl_reset_replay_dropped(replay);
    sl_reset_replay_free(replay);
    return ok;
}

/* ---- the new history (12.5) ------------------------------------------------------------------ */

static uint64_t first_kept(const reset *r) {
    for (size_t i = 0; i < r->count; i++)
        if (r->candidates[i].changeset.size) return r->candidates[i].version;
    return r->history->state.version + 1;
}

static const candidate *find_candidate(const reset *r, uint64_t version) {
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->candidates[middle].version < version)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->count && r->candidates[low].version == version ? &r->candidates[low] : NULL;
}

static bool next_version(void *ctx, const sl_history_entry *entry) {
    *(uint64_t *)ctx = entry->version;
    return false;
}

static bool rewrite_entry(reset *r, uint64_t version, sl_client_state *state, sl_status *st) {
    sl_store *store = r->history->store;
    sl_history_entry entry;
    bool found = false;
    if (!store->vtbl->entry_get(store, version, &entry, &found, st)) return false;
    if (!found) return sl_fail(st, SL_ERR_STORAGE, "RESET", "a history entry vanished");
    const candidate *c = find_candidate(r, version);
    entry.peer_version = state->cursors.dl_sv;
    entry.original = SL_STR("");
    entry.salt = 0; /* idents that were allocated belong to the old file */
    if (entry.origin_file == 0) entry.changeset = c ? c->changeset : SL_STR("");
    if (c && c->changeset.size) {
        state->progress.uploadable_bytes += c->changeset.size;
        state->progress.uploadable_changesets++;
    }
    return store->vtbl->entry_replace(store, &entry, st);
}

static bool rewrite_history(reset *r, sl_client_state *state, sl_status *st) {
    sl_store *store = r->history->store;
    uint64_t first = first_kept(r), last = r->history->state.version;
    state->base = first - 1;
    if (!store->vtbl->entry_drop(store, first - 1, st) ||
        !store->vtbl->reciprocal_drop(store, SERVER_PEER, last, st))
        return false;
    for (uint64_t at = first - 1; at < last;) {
        uint64_t next = 0;
        if (!store->vtbl->entry_scan(store, at, last, false, next_version, &next, st)) return false;
        if (next == 0) break;
        if (!rewrite_entry(r, next, state, st)) return false;
        at = next;
    }
    return true;
}

/* As commits of their own, after everything that was here. */
static bool append_given(reset *r, sl_client_state *state, sl_status *st) {
    sl_client_history *h = r->history;
    for (const given_change *given = r->given; given; given = given->next) {
        state->size += given->changeset.size;
        sl_history_entry entry = {.version = sl_client_state_next_version(&h->state),
                                  .peer_version = state->cursors.dl_sv,
                                  .origin_timestamp = given->origin_timestamp,
                                  .cumulative_size = state->size,
                                  .changeset = given->changeset};
        if (entry.version >= SL_MAX_NUMBER)
            return sl_fail(st, SL_ERR_USAGE, "", "the history of this file is full");
        if (!h->store->vtbl->entry_append(h->store, &entry, st)) return false;
        h->state.version = entry.version;
    }
    state->progress.uploadable_bytes += r->given_bytes;
    state->progress.uploadable_changesets += r->given_count;
    return true;
}

/* What the copy knows becomes what the file knows. */
static sl_client_state state_after(const reset *r) {
    const sl_client_state *fresh = &r->fresh->state;
    sl_client_state state = r->history->state;
    state.ident = fresh->ident;
    state.salt = fresh->salt;
    state.cursors = (sl_client_cursors){.latest_sv = fresh->cursors.latest_sv,
                                        .latest_salt = fresh->cursors.latest_salt,
                                        .dl_sv = fresh->cursors.latest_sv,
                                        .ul_sv = fresh->cursors.latest_sv};
    state.progress = (sl_client_progress){0};
    return state;
}

static bool note_done(const reset *r, sl_status *st) {
    sl_store *store = r->history->store;
    sl_reset_trace done = r->trace;
    note_text note;
    done.tries++;
    format_note(&note, &done);
    return store->vtbl->meta_put_bytes(store, note_name, note.text, st);
}

/* State, history, ident, cursors and the note of it in one commit. */
static bool commit_reset(reset *r, sl_status *st) {
    sl_client_history *h = r->history;
    const uint64_t version = h->state.version;
    if (!sl_client_history_begin_private(h, st)) return false;
    sl_client_state state = state_after(r);
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv, .origin_timestamp = r->now};
    if (!sl_reset_transfer(h->realm, r->fresh->realm, h->alloc, &r->taken, st) ||
        !rewrite_history(r, &state, st) || !append_given(r, &state, st) || !note_done(r, st)) {
        h->state.version = version;
        return sl_client_history_abandon(h);
    }
    sl_own_changes_forget(&h->own);
    if (sl_client_history_finish(h, &state, &entry, true, st)) return true;
    h->state.version = version;
    return false;
}

/* ---- the procedure --------------------------------------------------------------------------- */

static bool check_parties(const sl_client_history *history, const sl_client_history *fresh,
                          sl_status *st) {
    if (history->writing || fresh->writing)
        return sl_fail(st, SL_ERR_USAGE, "", "finish the open write transaction first");
    if (fresh->state.ident == 0)
        return sl_fail(st, SL_ERR_USAGE, "", "the fresh copy was never synchronised");
    if (fresh->state.cursors.dl_sv != fresh->state.cursors.latest_sv)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "the fresh copy does not hold all the server has; wait for its download");
    return true;
}

static bool prepare_reseed(reset *r, const sl_reset_request *request, sl_status *st) {
    sl_reseed_options options = {.alloc = r->history->alloc,
                                 .fresh = r->fresh->realm,
                                 .local = r->history->realm,
                                 .lost = request->lost,
                                 .schema_only = !request->reseed,
                                 .take = take_given,
                                 .ctx = r};
    if (!request->reseed && !request->lost) return true;
    r->reseed = sl_reseed_new(&options);
    return r->reseed ? true : sl_fail_memory(st);
}

static bool run(reset *r, bool recover, sl_status *st) {
    sl_status clock = SL_STATUS_INIT;
    if (!sl_client_history_now(r->history, &r->now, &clock)) r->now = 0;
    if (!list_candidates(r, st)) return false;
    if (!sl_client_history_begin_private(r->fresh, st)) return false;
    bool ok = replay_all(r, !recover, st) && commit_reset(r, st);
    sl_client_history_abandon(r->fresh);
    return ok;
}

bool sl_client_reset_run(sl_client_history *history, sl_client_history *fresh,
                         const sl_reset_request *request, sl_reset_result *result, sl_status *st) {
    sl_reset_trace before;
    note_text note;
    reset r = {.history = history, .fresh = fresh, .trace = {.found = true, .code = request->code}};
    if (!check_parties(history, fresh, st) || !sl_client_reset_trace(history, &before, st) ||
        !decide(request, &before, &r.trace.recovery, st))
        return false;
    r.trace.tries = before.tries;
    format_note(&note, &r.trace);
    if (!write_note(history, note.text, st)) return false;
    sl_status why = SL_STATUS_INIT;
    sl_arena_init(&r.arena, history->alloc);
    bool ok = prepare_reseed(&r, request, &why) && run(&r, r.trace.recovery, &why);
    if (ok) {
        *result = (sl_reset_result){.recovered = r.trace.recovery,
                                    .candidates = r.count,
                                    .kept = r.given_count,
                                    .dropped = r.dropped,
                                    .taken = request->reseed ? sl_reseed_taken(r.reseed) : r.taken};
        for (size_t i = 0; i < r.count; i++)
            if (r.candidates[i].changeset.size) result->kept++;
    } else {
        note_failure(history, &before, &r.trace, &why);
        if (st) *st = why;
    }
    sl_reseed_free(r.reseed);
    sl_delete(history->alloc, r.candidates);
    sl_arena_free(&r.arena);
    return ok;
}

/* ---- what would become of the objects here --------------------------------------------------- */

typedef struct comparison {
    sl_reset_facts *facts;
    sl_realm *fresh;
    sl_str class_name;
    bool known; /* the server has the class */
    bool ok;
    sl_status *st;
} comparison;

static bool compare_key(void *ctx, const sl_key *key) {
    comparison *c = ctx;
    bool exists = false;
    c->facts->known++;
    if (c->known) c->ok = sl_realm_exists(c->fresh, c->class_name, key, &exists, c->st);
    if (!exists) c->facts->missing++;
    return c->ok;
}

static bool count_creations(reset *r, const candidate *c, uint64_t *count, sl_status *st) {
    sl_str bytes;
    sl_changeset cs;
    if (!load_candidate(r, c->version, &bytes, st)) return false;
    sl_changeset_init(&cs, r->history->alloc);
    bool ok = sl_changeset_parse(&cs, bytes.data, bytes.size, st);
    for (uint32_t i = 0; ok && i < cs.count; i++)
        if (cs.instructions[i].op == SL_OP_CREATE_OBJECT) ++*count;
    sl_changeset_free(&cs);
    return ok;
}

/* Objects that the server never had say nothing about the server. */
static bool leave_out_unsent(reset *r, sl_reset_facts *facts, sl_status *st) {
    uint64_t created = 0;
    if (!list_candidates(r, st)) return false;
    for (size_t i = 0; i < r->count; i++)
        if (!count_creations(r, &r->candidates[i], &created, st)) return false;
    facts->unsent = r->count;
    facts->known -= created < facts->known ? created : facts->known;
    facts->missing -= created < facts->missing ? created : facts->missing;
    return true;
}

bool sl_client_reset_compare(sl_client_history *history, sl_client_history *fresh,
                             sl_reset_facts *facts, sl_status *st) {
    *facts = (sl_reset_facts){0};
    if (!check_parties(history, fresh, st)) return false;
    facts->younger = fresh->state.cursors.latest_sv < history->state.cursors.latest_sv;
    const sl_schema *schema = sl_realm_schema(history->realm);
    comparison c = {.facts = facts, .fresh = fresh->realm, .ok = true, .st = st};
    for (uint32_t i = 0; c.ok && i < schema->count; i++) {
        const sl_class *cls = schema->classes[i];
        if (cls->kind != SL_TABLE_TOPLEVEL) continue;
        c.class_name = cls->name;
        c.known = sl_schema_find(sl_realm_schema(fresh->realm), cls->name) != NULL;
        if (!sl_realm_scan(history->realm, cls->name, compare_key, &c, st)) return false;
    }
    if (!c.ok) return false;
    reset r = {.history = history, .fresh = fresh};
    sl_arena_init(&r.arena, history->alloc);
    bool ok = leave_out_unsent(&r, facts, st);
    sl_delete(history->alloc, r.candidates);
    sl_arena_free(&r.arena);
    return ok;
}

bool sl_reset_mode_from_name(sl_str name, sl_reset_mode *mode) {
    static const char *const names[] = {[SL_RESET_DISCARD] = "discard",
                                        [SL_RESET_RECOVER] = "recover",
                                        [SL_RESET_RECOVER_OR_DISCARD] = "recover_or_discard"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sl_str_eq(name, sl_str_c(names[i]))) {
            *mode = (sl_reset_mode)i;
            return true;
        }
    return false;
}
