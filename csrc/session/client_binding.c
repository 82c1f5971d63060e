#include "session/client_private.h"

#include "protocol/entries.h"
#include <stdio.h>

static sl_dialect dialect_of(const sl_client_session *s) {
    return (sl_dialect){s->connection->version, false};
}

bool sl_client_binding_over(const sl_client_session *s) {
    const sl_client_binding *b = &s->binding;
    if (!b->bind_sent) return true;
    return b->unbind_sent && (b->unbound_received || b->error_received);
}

bool sl_client_binding_unbind_due(const sl_client_session *s) {
    const sl_client_binding *b = &s->binding;
    if (!b->bind_sent || b->unbind_sent) return false;
    return b->error_received || b->broken || !sl_client_session_wants_bind(s);
}

/* The store of this file does not work: no fault of the server's. The session lets go and tries
 * again later; nothing is lost (part 4, 11.6 would blame the changeset and cost a client reset).
 * What the store can never hold would be fetched again and again: then it stays ended. */
void sl_client_binding_fail_locally(sl_client_session *s, const sl_status *why) {
    sl_client_error error;
    bool limit = why->cls == SL_ERR_STORAGE && strcmp(why->id, "LIMIT") == 0;
    s->binding.broken = true;
    sl_client_error_init(&error, why->cls, 0);
    error.name = "local failure";
    error.advice = "The file of this realm could not be read or written. Check the disk (space, "
                   "permissions); synchronisation goes on by itself afterwards.";
    if (limit)
        error.advice =
            "The file of this realm cannot hold what is to be stored, however often it is "
            "tried: an object, a key or a class is too large.";
    error.action = limit ? SL_ACTION_APPLICATION_BUG : SL_ACTION_WARNING;
    error.try_again = !limit;
    sl_client_error_text(&error, sl_str_c(why->message));
    sl_client_session_fail(s, &error, NULL);
}

bool sl_client_binding_absorb(sl_client_session *s, sl_status *why, sl_status *st) {
    if (why->cls == SL_ERR_STORAGE || why->cls == SL_ERR_INTERNAL || why->cls == SL_ERR_CHANGESET) {
        sl_client_binding_fail_locally(s, why);
        return true;
    }
    if (st) *st = *why;
    return false;
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool write_message(sl_client_session *s, sl_client_message *msg, sl_buf *out, bool *any,
                          sl_status *st) {
    size_t before = out->size;
    msg->session = s->number;
    sl_client_message_write(out, dialect_of(s), msg);
    if (out->failed) {
        out->size = before;
        out->failed = false;
        return sl_fail_memory(st);
    }
    *any = true;
    return true;
}

static bool send_bind(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_message msg = {.type = SL_MSG_BIND};
    msg.bind.path = sl_str_of(s->path, s->path_size);
    msg.bind.token = SL_STR("");
    msg.bind.is_subserver = s->subserver;
    msg.bind.need_ident = sl_client_history_ident(s->history) == 0;
    if (!write_message(s, &msg, out, any, st)) return false;
    s->binding.bind_sent = true;
    return true;
}

/* Nothing of the history may be told before it would survive power loss (part 4, 18.2). */
static bool flush_history(sl_client_session *s, bool *ready, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    *ready = sl_client_history_sync(s->history, &why);
    if (*ready || why.cls == SL_ERR_USAGE) return true; /* an open write: next time */
    return sl_client_binding_absorb(s, &why, st);
}

static bool send_ident(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    bool ready = false;
    if (!flush_history(s, &ready, st)) return false;
    if (!ready) return true;
    const sl_client_cursors *c = sl_client_history_cursors(s->history);
    sl_client_message msg = {.type = SL_MSG_IDENT};
    msg.ident.file_ident = sl_client_history_ident(s->history);
    msg.ident.salt = sl_client_history_salt(s->history);
    msg.ident.dl_sv = c->dl_sv;
    msg.ident.dl_cv = c->dl_cv;
    msg.ident.latest_sv = c->latest_sv;
    msg.ident.latest_salt = c->latest_salt;
    if (!write_message(s, &msg, out, any, st)) return false;
    s->binding.ident_sent = true;
    s->cursor = (sl_upload_cursor){c->ul_cv, c->ul_sv};
    return true;
}

/* May find that nothing is left to ask for. */
static bool send_state_request(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_message msg;
    bool wanted = false;
    if (!sl_client_transfer_send(s, &msg, &wanted, st)) return false;
    if (!wanted) return true;
    if (!write_message(s, &msg, out, any, st)) return false;
    s->binding.state_sent = true;
    return true;
}

static bool send_failure(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_connection *c = s->connection;
    sl_buf_clear(&c->entries);
    sl_client_error_write(&c->entries, sl_str_c(s->binding.failure_text));
    if (c->entries.failed) return sl_fail_memory(st);
    sl_client_message msg = {.type = SL_MSG_JSON_ERROR};
    msg.error.code = s->binding.failure;
    msg.error.json = sl_str_of(c->entries.data, c->entries.size);
    if (!write_message(s, &msg, out, any, st)) return false;
    s->binding.failure_sent = true;
    return true;
}

static bool send_mark(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_message msg = {.type = SL_MSG_MARK};
    msg.mark = s->target_mark;
    if (!write_message(s, &msg, out, any, st)) return false;
    s->last_mark_sent = s->target_mark;
    return true;
}

/* A change that this server cannot read stays here; the application has to know (2-changeset.md,
 * 9.2). */
static void stop_at_gate(sl_client_session *s, const sl_upload_batch *batch) {
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_SESSION, 0);
    error.name = "protocol too old";
    error.advice = "The server speaks an older protocol than a local change needs. Nothing is "
                   "lost: the change waits here. Connect to a newer server.";
    error.action = SL_ACTION_APPLICATION_BUG;
    char text[160];
    snprintf(text, sizeof text,
             "version %llu of this file needs protocol %d, the server agreed "
             "on %d; uploading has stopped",
             (unsigned long long)batch->gate_version, batch->gate_level, s->connection->version);
    sl_client_error_text(&error, sl_str_c(text));
    sl_client_session_fail(s, &error, NULL);
}

/* Old files may hold changesets from before there was a limit; every server of ours takes a little
 * more than what is written today. */
static uint64_t longest_message(const sl_client_session *s) {
    return s->max_message > SL_MAX_SERVER_MESSAGE ? s->max_message : SL_MAX_SERVER_MESSAGE;
}

static bool write_upload(sl_client_session *s, const sl_upload_batch *batch, sl_buf *out, bool *any,
                         sl_status *st) {
    sl_client_connection *c = s->connection;
    sl_client_message msg = {.type = SL_MSG_UPLOAD};
    msg.upload.progress_cv = batch->cursor.client_version;
    msg.upload.progress_sv = batch->cursor.server_version;
    msg.upload.locked_sv = sl_client_history_cursors(s->history)->dl_sv;
    if (!sl_body_pack(NULL, sl_str_of(c->entries.size ? c->entries.data : "", c->entries.size),
                      &c->packed, &msg.upload.body, st))
        return false;
    uint64_t size = msg.upload.body.bytes.size + SL_MAX_HEAD;
    if (size > longest_message(s)) {
        sl_client_error error;
        sl_client_error_init(&error, SL_ERR_SESSION, SL_CLOSE_TOO_BIG);
        sl_client_session_too_big(s, &error, size, batch->cursor.client_version);
        return true;
    }
    if (!write_message(s, &msg, out, any, st)) return false;
    if (batch->count > 0) s->binding.uploaded = true;
    if (size > s->binding.largest) {
        s->binding.largest = size;
        s->binding.largest_version = batch->cursor.client_version;
    }
    return true;
}

static bool upload_wanted(const sl_client_session *s) {
    if (s->no_upload || !s->allow_upload || sl_client_history_writing(s->history)) return false;
    uint64_t version = sl_client_history_version(s->history);
    bool wanted;
    if (sl_client_transact_blocks(s, &wanted)) return wanted;
    if (s->ack_at != SL_CLIENT_NEVER && s->idle_version == version &&
        sl_client_now(s->connection) < s->ack_at)
        return false;
    return s->cursor.client_version < version;
}

/* True while an UPLOAD without changesets should wait: each one costs a flush here and work there.
 */
static bool ack_can_wait(sl_client_session *s) {
    int64_t delay = s->connection->options.ack_delay_ms, now = sl_client_now(s->connection);
    if (delay <= 0) return false;
    if (s->ack_at == SL_CLIENT_NEVER) s->ack_at = now + delay;
    s->idle_version = sl_client_history_version(s->history);
    return now < s->ack_at;
}

/* Part 4, 9.4: an UPLOAD without changesets only to acknowledge a server version. */
static bool send_upload(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_connection *c = s->connection;
    sl_upload_batch batch;
    sl_status why = SL_STATUS_INIT;
    sl_buf_clear(&c->entries);
    if (!sl_client_history_scan_uploads(s->history, s->cursor, sl_client_transact_limit(s),
                                        c->version, &c->entries, &batch, &why))
        return sl_client_binding_absorb(s, &why, st);
    if (batch.gated && batch.count == 0) {
        stop_at_gate(s, &batch);
        return true;
    }
    bool complete = sl_client_transact_complete(s, &batch);
    if (batch.count == 0 && !complete) {
        if (batch.cursor.server_version <= s->cursor.server_version) {
            s->cursor = batch.cursor;
            return true;
        }
        if (ack_can_wait(s)) return true;
    }
    if (!sl_client_history_sync(s->history, &why)) return sl_client_binding_absorb(s, &why, st);
    if (!write_upload(s, &batch, out, any, st)) return false;
    if (s->inactive) return true;
    s->cursor = batch.cursor;
    s->ack_at = SL_CLIENT_NEVER;
    if (complete) s->transact.based = true;
    return true;
}

/* One at a time (1-wire.md, 4.13). */
static bool send_alloc(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_message msg = {.type = SL_MSG_ALLOC};
    if (!(s->connection->features & SL_FEATURE_ALLOC)) {
        while (sl_client_session_wants_alloc(s))
            sl_client_session_allocated(s, 0);
        return true;
    }
    if (!write_message(s, &msg, out, any, st)) return false;
    s->binding.alloc_sent = true;
    return true;
}

static bool send_transact(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    bool ready = false;
    if (!flush_history(s, &ready, st)) return false;
    if (!ready) return true;
    sl_client_message msg = {.type = SL_MSG_TRANSACT};
    sl_client_transact *t = &s->transact;
    msg.transact.client_version = t->base.client_version;
    msg.transact.server_version = t->base.server_version;
    msg.transact.changeset = sl_str_of(t->changeset.data, t->changeset.size);
    if (!write_message(s, &msg, out, any, st)) return false;
    t->phase = SL_TRANSACT_SENT;
    t->told = true;
    return true;
}

bool sl_client_binding_send(sl_client_session *s, sl_buf *out, bool *any, sl_status *st) {
    sl_client_binding *b = &s->binding;
    if (s->installing) return true;
    if (sl_client_binding_unbind_due(s)) {
        sl_client_message msg = {.type = SL_MSG_UNBIND};
        if (!write_message(s, &msg, out, any, st)) return false;
        b->unbind_sent = true;
        return true;
    }
    if (b->unbind_sent || !sl_client_session_wants_bind(s)) return true;
    if (!b->bind_sent) return send_bind(s, out, any, st);
    if (!b->ident_sent && sl_client_history_ident(s->history) == 0) return true;
    if (!b->ident_sent && sl_client_transfer_due(s)) {
        if (!send_state_request(s, out, any, st)) return false;
        if (*any || s->installing || !b->state_over) return true;
    }
    if (!b->ident_sent) return send_ident(s, out, any, st);
    sl_client_transact_check_support(s);
    if (b->failure) return b->failure_sent || send_failure(s, out, any, st);
    if (s->target_mark > s->last_mark_sent) return send_mark(s, out, any, st);
    if (!b->alloc_sent && sl_client_session_wants_alloc(s)) return send_alloc(s, out, any, st);
    if (upload_wanted(s)) return send_upload(s, out, any, st);
    if (sl_client_transact_due(s)) return send_transact(s, out, any, st);
    return true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool illegal(sl_status *st, const char *what) {
    return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "%s is not legal at this time", what);
}

static bool receive_ident(sl_client_session *s, const sl_msg_server_ident *msg, sl_status *st) {
    const sl_client_binding *b = &s->binding;
    if (b->ident_sent || sl_client_history_ident(s->history) != 0)
        return illegal(st, "IDENT without being asked for");
    sl_status why = SL_STATUS_INIT;
    if (sl_client_history_set_ident(s->history, msg->file_ident, msg->salt, &why)) return true;
    return sl_client_binding_absorb(s, &why, st);
}

static bool receive_mark(sl_client_session *s, uint64_t request, sl_status *st) {
    if (!s->binding.ident_sent) return illegal(st, "MARK before IDENT");
    if (request <= s->last_mark_received || request > s->last_mark_sent)
        return illegal(st, "MARK that was not asked for");
    s->last_mark_received = request;
    s->check_waits = true;
    if (!s->allow_upload && request >= s->gate_mark) s->allow_upload = true;
    return true;
}

/* 1-wire.md, 5.14. */
static bool receive_alloc(sl_client_session *s, uint64_t ident, sl_status *st) {
    if (!s->binding.alloc_sent) return illegal(st, "ALLOC that was not asked for");
    if (ident < 2 || ident == sl_client_history_ident(s->history))
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "ALLOC brings an ident that cannot be free");
    s->binding.alloc_sent = false;
    sl_client_session_allocated(s, ident);
    return true;
}

static bool receive_unbound(sl_client_session *s, sl_status *st) {
    sl_client_binding *b = &s->binding;
    if (!b->unbind_sent || b->error_received || b->unbound_received) return illegal(st, "UNBOUND");
    b->unbound_received = true;
    return true;
}

static bool receive_error(sl_client_session *s, const sl_client_error *error,
                          const sl_backoff_rule *rule, sl_status *st) {
    sl_client_binding *b = &s->binding;
    if (b->error_received || b->unbound_received) return illegal(st, "a second ERROR");
    const sl_error_info *info = sl_error_find(error->code);
    if (info && !info->ends) { /* 231, 236 */
        sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_ERROR, s->number);
        event->error = *error;
        event->error.json = sl_client_event_queue_text(&s->connection->events, error->json);
        return true;
    }
    b->error_received = true;
    if (s->closing) return true; /* it ends what was to end anyway */
    /* A pause or an earlier end stays; only the binding is over. */
    if (s->paused || s->inactive) return true;
    sl_client_session_fail(s, error, rule);
    return true;
}

static bool receive_json_error(sl_client_session *s, const sl_msg_json_error *msg, sl_status *st) {
    sl_client_connection *c = s->connection;
    sl_json_error json;
    if (!sl_json_error_parse(&json, msg->code, c->version, msg->json, &c->arena, st)) return false;
    sl_client_error error;
    sl_client_error_from_json(&error, msg->code, &json);
    error.json = msg->json;
    sl_backoff_rule rule = {json.backoff_interval_s * 1000, json.backoff_max_s * 1000,
                            json.backoff_multiplier, 4};
    return receive_error(s, &error, json.has_backoff ? &rule : NULL, st);
}

static bool receive_plain_error(sl_client_session *s, const sl_msg_error *msg, sl_status *st) {
    sl_client_error error;
    sl_client_error_from_plain(&error, msg->code, msg->try_again, msg->text);
    return receive_error(s, &error, NULL, st);
}

bool sl_client_binding_receive(sl_client_session *s, const sl_server_message *msg, sl_status *st) {
    const sl_client_binding *b = &s->binding;
    if (!b->bind_sent || sl_client_binding_over(s)) return illegal(st, "a message before BIND");
    if (msg->type == SL_MSG_UNBOUND) return receive_unbound(s, st);
    if (msg->type == SL_MSG_ERROR) return receive_plain_error(s, &msg->error, st);
    if (msg->type == SL_MSG_JSON_ERROR) return receive_json_error(s, &msg->json_error, st);
    if (b->error_received || b->unbound_received) return illegal(st, "a message after ERROR");
    /* Sent before the server saw UNBIND, or about to be answered with UNBIND. */
    if (b->unbind_sent || b->broken || !sl_client_session_wants_bind(s)) {
        s->binding.broken = true;
        return true;
    }
    if (s->installing) return illegal(st, "a message between STATE and IDENT");
    switch (msg->type) {
    case SL_MSG_STATE:
        return sl_client_transfer_take(s, &msg->state, st);
    case SL_MSG_IDENT:
        return receive_ident(s, &msg->ident, st);
    case SL_MSG_DOWNLOAD:
        return sl_client_download_receive(s, &msg->download, st);
    case SL_MSG_ALLOC:
        return receive_alloc(s, msg->alloc, st);
    case SL_MSG_TRANSACT:
        return sl_client_transact_receive(s, &msg->transact, st);
    case SL_MSG_MARK:
        return receive_mark(s, msg->mark, st);
    default:
        return illegal(st, "this message");
    }
}
