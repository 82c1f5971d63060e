/* The states of a server file: which one a new client gets, and when one is made
 * (protocol/1-wire.md, 4.9). */
#include "session/server_file_private.h"

enum {
    /* Below this much history a state saves nothing. */
    DEFAULT_MIN = 64 * 1024,
    /* A kept state is handed out until the history after it has grown by a quarter of it, or so
     * much. */
    DEFAULT_AGE = 256 * 1024,
    HISTORY_SCHEMA = 1
};

static const sl_state_store *states_of(const sl_server_file *file) {
    return file->store->vtbl->states ? file->store->vtbl->states(file->store) : NULL;
}

/* A range whose end lies before its beginning stands for the beginning (4.9). */
static bool within(int number, int32_t min, int32_t max) {
    return number >= min && number <= (max < min ? min : max);
}

static bool wanted(const sl_server_file *file, const sl_msg_state_request *request) {
    const sl_state_store *states = states_of(file);
    uint64_t min = file->options.min_state ? file->options.min_state : DEFAULT_MIN;
    return states && sl_server_history_version(file->history) > 0 &&
           sl_server_history_size(file->history) >= min &&
           within(states->format, request->min_file_format, request->max_file_format) &&
           within(HISTORY_SCHEMA, request->min_history_schema, request->max_history_schema);
}

static bool is_read(const sl_server_file *file) {
    for (const sl_file_member *m = file->members; m; m = m->next)
        if (m->state_reads) return true;
    return false;
}

/* Times that what came `after` the kept state is more than what is allowed. */
static uint64_t age_of(const sl_server_file *file, const sl_state_facts *kept, uint64_t after) {
    uint64_t allowed = file->options.state_age;
    if (allowed == 0) allowed = kept->size / 4 > DEFAULT_AGE ? kept->size / 4 : DEFAULT_AGE;
    return after / allowed;
}

/* Whether the kept state will do; *offset: where to begin. */
static bool use_kept(sl_server_file *file, const sl_msg_state_request *request,
                     sl_state_facts *kept, uint64_t *offset, bool *use, sl_status *st) {
    const sl_state_store *states = states_of(file);
    bool holds = false, starts = false;
    uint64_t after = 0;
    *use = false;
    *offset = 0;
    states->kept(states->ctx, kept);
    if (kept->version == 0) return true;
    if (!sl_server_history_holds(file->history, kept->version, kept->salt, &holds, &after, st))
        return false;
    /* Of another continuation of this history (a backup was put back), or from before a compaction:
     * what follows it now does not begin where it ends. */
    if (!holds) {
        if (!is_read(file)) states->kept_drop(states->ctx);
        return true;
    }
    /* Only what was made since the file was opened is certainly newer than a backup. */
    if (request->need_recent && !file->state_recent) return true;
    if (request->partial_sv == kept->version && request->partial_salt == kept->salt &&
        request->offset > 0 && request->offset < kept->size) {
        if (!states->kept_at(states->ctx, request->offset, &starts, st)) return false;
        if (starts) *offset = request->offset;
        *use = starts;
        if (*use) return true;
    }
    uint64_t age = age_of(file, kept, after);
    *use = age == 0 || (age < 4 && is_read(file)) || !file->options.on_state;
    return true;
}

static bool make(sl_server_file *file, sl_status *st) {
    const sl_state_store *states = states_of(file);
    if (file->making_state) return true;
    /* Nothing may be told that a loss of power could take back. */
    if (!file->store->vtbl->sync(file->store, st) || !states->make_begin(states->ctx, st))
        return false;
    file->making_state = true;
    file->options.on_state(file->options.ctx, file);
    return true;
}

bool sl_file_member_state(sl_file_member *member, const sl_msg_state_request *request,
                          sl_state_offer *offer, sl_status *st) {
    sl_server_file *file = member->file;
    bool use = false;
    *offer = (sl_state_offer){.answer = SL_STATE_NONE};
    if (!wanted(file, request)) return true;
    if (!use_kept(file, request, &offer->facts, &offer->offset, &use, st)) return false;
    if (use) {
        offer->answer = SL_STATE_HERE;
        member->state_reads = true;
        return true;
    }
    if (!file->options.on_state || member->state_denied) return true;
    if (!make(file, st)) return false;
    offer->answer = SL_STATE_SOON;
    member->state_waits = true;
    return true;
}

bool sl_file_member_read_state(sl_file_member *member, const sl_state_offer *offer, size_t limit,
                               sl_buf *out, bool *found, sl_status *st) {
    const sl_state_store *states = states_of(member->file);
    sl_state_facts kept;
    states->kept(states->ctx, &kept);
    *found = kept.version == offer->facts.version && kept.salt == offer->facts.salt &&
             kept.size == offer->facts.size;
    return !*found || states->kept_read(states->ctx, offer->offset, limit, out, st);
}

static void tell(sl_server_file *file, bool made) {
    file->making_state = false;
    if (made) file->state_recent = true;
    for (sl_file_member *m = file->members, *next; m; m = next) {
        next = m->next;
        if (!m->state_waits) continue;
        m->state_waits = false;
        m->state_denied = !made;
        m->vtbl->state(m);
    }
}

bool sl_server_file_make_state(sl_server_file *file, bool *more, sl_status *st) {
    const sl_state_store *states = states_of(file);
    bool done = false;
    *more = false;
    if (!file->making_state) return true;
    if (!states->make_step(states->ctx, &done, st)) {
        tell(file, false);
        return false;
    }
    *more = !done;
    if (done) tell(file, true);
    return true;
}
