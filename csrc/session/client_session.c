#include "session/client_private.h"

#include <stdio.h>

/* ---- making and freeing ---------------------------------------------------------------------- */

static bool check_open(const sl_client_connection *c, const sl_client_history *history,
                       const sl_client_session_options *options, sl_status *st) {
    if (options->path.size == 0 || options->path.size > SL_MAX_PBS_PATH)
        return sl_fail(st, SL_ERR_USAGE, "", "the path of a session has 1 to %d bytes",
                       SL_MAX_PBS_PATH);
    if (c->session_count >= SL_MAX_SESSIONS)
        return sl_fail(st, SL_ERR_USAGE, "", "a connection carries at most %d sessions",
                       SL_MAX_SESSIONS);
    for (size_t i = 0; i < c->session_count; i++)
        if (c->sessions[i]->history == history)
            return sl_fail(st, SL_ERR_USAGE, "", "the file has a session already");
    if (sl_client_history_is_local(history))
        return sl_fail(st, SL_ERR_USAGE, "LOCAL",
                       "the realm keeps no history (local_only) and cannot be synchronised");
    return true;
}

static bool make_room(sl_client_connection *c) {
    if (c->session_count < c->session_capacity) return true;
    size_t capacity = c->session_capacity ? c->session_capacity * 2 : 4;
    void *grown = sl_resize(c->alloc, c->sessions, capacity * sizeof *c->sessions);
    if (!grown) return false;
    c->sessions = grown;
    c->session_capacity = capacity;
    return true;
}

static void set_defaults(sl_client_session *s, const sl_client_session_options *options) {
    s->no_upload = options->no_upload;
    s->no_upload_delay = options->no_upload_delay;
    s->paused = options->paused;
    s->subserver = options->subserver;
    s->want_state = options->state_transfer;
    s->max_message = options->max_message ? options->max_message : SL_MAX_CLIENT_MESSAGE;
    s->resume_at = s->ack_at = SL_CLIENT_NEVER;
    s->next_request = 1;
    s->reported_state = SL_SESSION_CLOSED;
    s->reported_delay = -1;
    s->reported_progress = *sl_client_history_progress(s->history);
    sl_backoff_init(&s->backoff);
}

sl_client_session *sl_client_session_open(sl_client_connection *c, sl_client_history *history,
                                          const sl_client_session_options *options, sl_status *st) {
    if (!check_open(c, history, options, st) || !sl_client_enter(c, st)) return NULL;
    sl_client_session *s = sl_new_zero(c->alloc, 1, sizeof *s);
    if (s) s->path = sl_new(c->alloc, options->path.size);
    if (!s || !s->path || !make_room(c)) {
        if (s) sl_delete(c->alloc, s->path);
        sl_delete(c->alloc, s);
        sl_fail_memory(st);
        return NULL;
    }
    memcpy(s->path, options->path.data, options->path.size);
    s->path_size = options->path.size;
    s->connection = c;
    s->history = history;
    s->number = c->next_number++;
    sl_buf_init(&s->transact.changeset, c->alloc);
    set_defaults(s, options);
    if (!s->no_upload) sl_client_history_limit(history, s->max_message);
    c->sessions[c->session_count++] = s;
    sl_client_session_disconnected(s);
    if (c->state == SL_CONNECTION_CONNECTED) sl_client_session_connected(s);
    sl_client_settle(c);
    return s;
}

void sl_client_session_delete(sl_client_session *s) {
    const sl_alloc *alloc = s->connection->alloc;
    sl_delete(alloc, s->waits);
    sl_buf_free(&s->transact.changeset);
    sl_delete(alloc, s->path);
    sl_delete(alloc, s);
}

void sl_client_session_close(sl_client_session *s) {
    if (!s || s->closing) return;
    sl_client_connection *c = s->connection;
    s->closing = true;
    s->history = NULL;
    s->fail_waits = true;
    s->resume_at = SL_CLIENT_NEVER;
    sl_status ignored = SL_STATUS_INIT;
    /* Without memory for the events now, the next call of the host makes up for it. */
    if (sl_client_enter(c, &ignored)) sl_client_settle(c);
}

/* ---- state ----------------------------------------------------------------------------------- */

bool sl_client_session_wants_bind(const sl_client_session *s) {
    return !s->closing && !s->paused && !s->suspended && !s->inactive;
}

sl_session_state sl_client_session_compute_state(const sl_client_session *s) {
    const sl_client_binding *b = &s->binding;
    if (s->closing) return SL_SESSION_CLOSED;
    if (s->inactive) return SL_SESSION_INACTIVE;
    if (s->paused) return SL_SESSION_PAUSED;
    if (s->suspended) return SL_SESSION_SUSPENDED;
    if (!b->bind_sent || b->unbind_sent || b->broken) return SL_SESSION_UNBOUND;
    if (b->failure) return SL_SESSION_FAILED;
    return b->ident_sent ? SL_SESSION_ACTIVE : SL_SESSION_BINDING;
}

void sl_client_session_mute(sl_client_session *s, bool integrated, bool progress) {
    s->mute_integrated = integrated;
    s->mute_progress = progress;
}

sl_session_state sl_client_session_state(const sl_client_session *s) {
    return sl_client_session_compute_state(s);
}

uint64_t sl_client_session_number(const sl_client_session *s) {
    return s->number;
}

sl_client_history *sl_client_session_history(const sl_client_session *s) {
    return s->history;
}

const char *sl_connection_state_name(sl_connection_state state) {
    static const char *const names[] = {"disconnected", "connecting", "connected"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *sl_session_state_name(sl_session_state state) {
    static const char *const names[] = {"unbound", "binding",  "active", "suspended",
                                        "paused",  "inactive", "failed", "closed"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

/* ---- connection events ----------------------------------------------------------------------- */

void sl_client_session_connected(sl_client_session *s) {
    sl_client_connection *c = s->connection;
    if (s->closing) return;
    bool fast = c->ever_connected && s->allow_upload &&
                sl_client_now(c) - c->lost_at <= c->options.fast_reconnect_ms;
    if (s->no_upload_delay) {
        s->allow_upload = true;
    } else if (!fast) {
        /* Merge here first: uploads wait for one answered MARK (part 4, 9.5). */
        s->allow_upload = false;
        s->gate_mark = ++s->target_mark;
    }
}

static void report_error(sl_client_session *s, const sl_client_error *error);

/* The reason may never come through: a server that refuses the upload closes while it still comes
 * in. So the application hears of it, after 5 times, 10 times, 20 times and so on. */
static void count_cut(sl_client_session *s, uint64_t confirmed) {
    enum { CUTS_TO_TELL = 5 };
    bool cut = s->binding.uploaded && s->binding.largest_version > confirmed;
    if (s->cut_at != confirmed) s->cuts = 0;
    s->cut_at = confirmed;
    if (!cut) return;
    uint32_t times = ++s->cuts;
    while (times > CUTS_TO_TELL && times % 2 == 0)
        times /= 2;
    if (times != CUTS_TO_TELL) return;
    char text[240];
    snprintf(text, sizeof text,
             "the connection ended %u times in a row before the server had confirmed what follows "
             "version %llu of this file; the largest message had %llu bytes",
             (unsigned)s->cuts, (unsigned long long)confirmed,
             (unsigned long long)s->binding.largest);
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_SESSION, 0);
    sl_client_error_text(&error, sl_str_c(text));
    error.name = "upload cut";
    error.advice =
        "Nothing is lost, and it is tried again. If the message is large, look whether "
        "the server or a proxy refuses it for its size (max_message), or cuts slow ones.";
    error.action = SL_ACTION_WARNING;
    error.try_again = true;
    report_error(s, &error);
}

void sl_client_session_disconnected(sl_client_session *s) {
    if (s->history) count_cut(s, sl_client_history_cursors(s->history)->ul_cv);
    memset(&s->binding, 0, sizeof s->binding);
    s->ack_at = SL_CLIENT_NEVER;
    s->last_mark_sent = s->last_mark_received;
    sl_client_transact_disconnected(s);
    if (!s->history) return;
    const sl_client_cursors *cursors = sl_client_history_cursors(s->history);
    s->cursor = (sl_upload_cursor){cursors->ul_cv, cursors->ul_sv};
}

void sl_client_session_tick(sl_client_session *s, int64_t now) {
    if (!s->suspended || now < s->resume_at || !sl_client_binding_over(s)) return;
    s->suspended = s->wants_token = false;
    s->resume_at = SL_CLIENT_NEVER;
}

/* ---- reporting ------------------------------------------------------------------------------- */

static int64_t delay_to_resume(const sl_client_session *s) {
    if (!s->suspended || s->resume_at == SL_CLIENT_NEVER) return -1;
    int64_t delay = s->resume_at - sl_client_now(s->connection);
    return delay > 0 ? delay : 0;
}

static void report_state(sl_client_session *s) {
    sl_session_state state = sl_client_session_compute_state(s);
    if (state == s->reported_state) return;
    s->reported_state = state;
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_SESSION_STATE, s->number);
    event->state = (int)state;
    event->delay_ms = delay_to_resume(s);
}

static void report_progress(sl_client_session *s) {
    if (s->mute_progress || !s->history || sl_client_history_writing(s->history)) return;
    const sl_client_progress *progress = sl_client_history_progress(s->history);
    if (memcmp(progress, &s->reported_progress, sizeof *progress) == 0) return;
    s->reported_progress = *progress;
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_PROGRESS, s->number);
    event->progress = *progress;
}

/* Whether the wait has come to an end; a store that cannot be read leaves it open. */
static bool wait_over(const sl_client_session *s, const sl_client_wait *wait) {
    if (!s->history) return false;
    if (wait->kind == SL_WAIT_IDENT) return false;
    if (wait->kind == SL_WAIT_DOWNLOAD)
        return s->last_mark_received >= wait->target && !s->binding.failure;
    bool done = false;
    sl_status ignored = SL_STATUS_INIT;
    return sl_client_history_confirmed(s->history, wait->target, &done, &ignored) && done;
}

static void report_wait(sl_client_session *s, const sl_client_wait *wait, bool ok, uint64_t ident) {
    sl_client_event_type type =
        wait->kind == SL_WAIT_IDENT ? SL_CLIENT_ALLOCATED : SL_CLIENT_WAIT_DONE;
    sl_client_event *event = sl_client_emit(s->connection, type, s->number);
    event->request = wait->request;
    event->ok = ok;
    event->ident = ident;
}

bool sl_client_session_wants_alloc(const sl_client_session *s) {
    for (size_t i = 0; i < s->wait_count; i++)
        if (s->waits[i].kind == SL_WAIT_IDENT) return true;
    return false;
}

void sl_client_session_allocated(sl_client_session *s, uint64_t ident) {
    for (size_t i = 0; i < s->wait_count; i++) {
        sl_client_wait wait = s->waits[i];
        if (wait.kind != SL_WAIT_IDENT) continue;
        s->wait_count--;
        memmove(s->waits + i, s->waits + i + 1, (s->wait_count - i) * sizeof *s->waits);
        report_wait(s, &wait, ident != 0, ident);
        return;
    }
}

static void report_waits(sl_client_session *s) {
    if (!s->check_waits && !s->fail_waits) return;
    size_t kept = 0;
    for (size_t i = 0; i < s->wait_count; i++) {
        sl_client_wait wait = s->waits[i];
        bool ok = !s->closing && wait_over(s, &wait);
        if (!ok && !s->fail_waits) {
            s->waits[kept++] = wait;
            continue;
        }
        report_wait(s, &wait, ok, 0);
    }
    s->wait_count = kept;
    s->check_waits = s->fail_waits = false;
}

bool sl_client_session_settle(sl_client_session *s) {
    if (s->binding.bind_sent && sl_client_binding_over(s)) sl_client_session_disconnected(s);
    if (s->inactive) s->fail_waits = true;
    sl_client_transact_settle(s, s->fail_waits);
    report_waits(s);
    if (s->closing && !sl_client_binding_over(s)) return false;
    report_progress(s);
    report_state(s);
    return s->closing;
}

/* ---- errors ---------------------------------------------------------------------------------- */

void sl_client_session_deactivate(sl_client_session *s) {
    if (s->closing) return;
    s->inactive = true;
    s->suspended = s->wants_token = false;
    s->resume_at = SL_CLIENT_NEVER;
    s->fail_waits = true;
}

void sl_client_session_suspend(sl_client_session *s, int reason, const sl_backoff_rule *rule,
                               bool retry) {
    s->suspended = true;
    s->resume_at = SL_CLIENT_NEVER;
    if (!retry) return;
    sl_backoff_note(&s->backoff, reason, rule);
    /* "Please bind again" is no failure: always one second (part 4, 11.3). */
    int64_t delay = reason == 200 ? 1000 : sl_backoff_next(&s->backoff, s->connection->env);
    if (delay != SL_BACKOFF_NEVER) s->resume_at = sl_client_now(s->connection) + delay;
}

static void report_error(sl_client_session *s, const sl_client_error *error) {
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_ERROR, s->number);
    event->error = *error;
    event->error.json = sl_client_event_queue_text(&s->connection->events, error->json);
}

void sl_client_session_fail(sl_client_session *s, const sl_client_error *error,
                            const sl_backoff_rule *rule) {
    sl_client_connection *c = s->connection;
    bool silent = error->action == SL_ACTION_TRANSIENT || error->action == SL_ACTION_REFRESH_USER ||
                  error->action == SL_ACTION_REFRESH_LOCATION;
    if (!silent) report_error(s, error);
    sl_client_session_suspend(s, error->code, rule, error->try_again);
    switch (error->action) {
    case SL_ACTION_PROTOCOL_VIOLATION:
    case SL_ACTION_APPLICATION_BUG:
    case SL_ACTION_DELETE_REALM:
    case SL_ACTION_CLIENT_RESET:
    case SL_ACTION_CLIENT_RESET_NO_RECOVERY:
    case SL_ACTION_MIGRATE_TO_FLX:
    case SL_ACTION_REVERT_TO_PBS:
    case SL_ACTION_MIGRATE_SCHEMA:
        sl_client_session_deactivate(s);
        break;
    case SL_ACTION_REFRESH_USER:
        s->wants_token = true;
        sl_client_emit(c, SL_CLIENT_TOKEN_WANTED, 0);
        break;
    case SL_ACTION_REFRESH_LOCATION:
        if (s->resume_at == SL_CLIENT_NEVER) s->resume_at = sl_client_now(c);
        sl_client_emit(c, SL_CLIENT_LOCATION_WANTED, 0);
        break;
    case SL_ACTION_LOG_OUT_USER:
        sl_client_emit(c, SL_CLIENT_LOG_OUT, 0);
        sl_client_session_deactivate(s);
        break;
    default:
        break;
    }
    /* Fatal: nothing brings it back but the host. */
    if (s->resume_at == SL_CLIENT_NEVER && !s->wants_token) sl_client_session_deactivate(s);
}

void sl_client_session_too_big(sl_client_session *s, sl_client_error *error, uint64_t size,
                               uint64_t version) {
    char text[240];
    snprintf(text, sizeof text,
             "version %llu of this file makes a message of %llu bytes, more than the server takes",
             (unsigned long long)version, (unsigned long long)size);
    sl_client_error_text(error, sl_str_c(text));
    error->name = "message too big";
    error->advice = "Nothing is lost: the change waits here with everything after it. Raise "
                    "max_message of the server and of this client, or copy the objects into a new "
                    "file in smaller transactions (syncline export, import).";
    report_error(s, error);
    sl_client_session_deactivate(s);
}

/* ---- wishes of the host ---------------------------------------------------------------------- */

bool sl_client_session_pause(sl_client_session *s, sl_status *st) {
    if (!sl_client_enter(s->connection, st)) return false;
    s->paused = true;
    sl_client_settle(s->connection);
    return true;
}

bool sl_client_session_resume(sl_client_session *s, sl_status *st) {
    if (!sl_client_enter(s->connection, st)) return false;
    if (s->paused) {
        s->paused = false;
        if (s->connection->state == SL_CONNECTION_CONNECTED) sl_client_session_connected(s);
    }
    sl_client_settle(s->connection);
    return true;
}

bool sl_client_session_restart(sl_client_session *s, sl_status *st) {
    if (!sl_client_enter(s->connection, st)) return false;
    s->inactive = s->suspended = s->wants_token = false;
    s->resume_at = SL_CLIENT_NEVER;
    sl_backoff_reset(&s->backoff);
    /* Whoever restarts a session wants it to come to something, whatever the server said. */
    s->connection->forbidden = false;
    if (sl_client_binding_over(s)) sl_client_session_disconnected(s);
    sl_client_settle(s->connection);
    return true;
}

bool sl_client_session_transact(sl_client_session *s, uint64_t *request, sl_status *st) {
    sl_client_transact *t = &s->transact;
    *request = 0;
    if (!s->history) return sl_fail(st, SL_ERR_USAGE, "", "the session has no file at the moment");
    bool ok = sl_client_session_may_transact(s) ||
              sl_fail(st, SL_ERR_USAGE, "",
                      s->no_upload ? "this session only downloads"
                                   : "a serialized transaction is on its way already; wait for it");
    if (!ok || !sl_client_enter(s->connection, st)) {
        sl_client_history_rollback(s->history);
        return false;
    }
    if (!sl_client_history_withdraw(s->history, &t->changeset, &t->base, st)) return false;
    if (t->changeset.size == 0) return true;
    t->request = *request = s->next_request++;
    t->phase = SL_TRANSACT_WAITING;
    t->based = t->told = t->forgotten = false;
    t->version = t->mark = 0;
    sl_client_settle(s->connection);
    return true;
}

static bool add_wait(sl_client_session *s, sl_wait_kind kind, uint64_t target, uint64_t *request,
                     sl_status *st) {
    if (s->wait_count == s->wait_capacity) {
        size_t capacity = s->wait_capacity ? s->wait_capacity * 2 : 4;
        void *grown = sl_resize(s->connection->alloc, s->waits, capacity * sizeof *s->waits);
        if (!grown) return sl_fail_memory(st);
        s->waits = grown;
        s->wait_capacity = capacity;
    }
    if (!sl_client_enter(s->connection, st)) return false;
    *request = s->next_request++;
    s->waits[s->wait_count++] = (sl_client_wait){*request, kind, target};
    s->check_waits = true;
    return true;
}

bool sl_client_session_wait_upload(sl_client_session *s, uint64_t *request, sl_status *st) {
    if (!s->history) return sl_fail(st, SL_ERR_USAGE, "", "the session has no file at the moment");
    if (!add_wait(s, SL_WAIT_UPLOAD, sl_client_history_version(s->history), request, st))
        return false;
    sl_client_settle(s->connection);
    return true;
}

bool sl_client_session_wait_download(sl_client_session *s, uint64_t *request, sl_status *st) {
    if (!add_wait(s, SL_WAIT_DOWNLOAD, s->target_mark + 1, request, st)) return false;
    s->target_mark++;
    sl_client_settle(s->connection);
    return true;
}

bool sl_client_session_allocate(sl_client_session *s, uint64_t *request, sl_status *st) {
    if (!s->subserver)
        return sl_fail(st, SL_ERR_USAGE, "",
                       "only the session of a server's file allocates idents: open it with the "
                       "option 'subserver'");
    if (!add_wait(s, SL_WAIT_IDENT, 0, request, st)) return false;
    sl_client_settle(s->connection);
    return true;
}
