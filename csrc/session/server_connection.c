#include "session/server_private.h"

#include <stdio.h>

enum { IDLE_MS = 10 * 60 * 1000, SOFT_CLOSE_MS = 30 * 1000 };

static int64_t now_ms(const sl_server_connection *c) {
    return c->options.env->mono_ms(c->options.env->ctx);
}

static int64_t after(int64_t start, int64_t delay) {
    return start > INT64_MAX - delay ? INT64_MAX : start + delay;
}

static bool copy_string(const sl_alloc *alloc, sl_str from, char **copy, sl_str *view) {
    *copy = NULL;
    *view = SL_STR("");
    if (from.size == 0) return true;
    *copy = sl_new(alloc, from.size);
    if (!*copy) return false;
    memcpy(*copy, from.data, from.size);
    *view = sl_str_of(*copy, from.size);
    return true;
}

static void apply_defaults(sl_server_connection_options *o) {
    if (!o->max_message) o->max_message = SL_MAX_SERVER_MESSAGE;
    if (!o->max_inflated) o->max_inflated = SL_MAX_INFLATED;
    if (!o->max_download) o->max_download = SL_MAX_DOWNLOAD_BODY;
    if (!o->max_sessions) o->max_sessions = SL_MAX_SESSIONS;
    if (!o->max_partition) o->max_partition = SL_MAX_PARTITION;
    if (!o->idle_ms) o->idle_ms = IDLE_MS;
    if (!o->soft_close_ms) o->soft_close_ms = SOFT_CLOSE_MS;
}

sl_server_connection *sl_server_connection_new(const sl_server_connection_options *options,
                                               sl_status *st) {
    sl_server_connection *c = sl_new_zero(options->alloc, 1, sizeof(*c));
    if (!c) {
        sl_fail_memory(st);
        return NULL;
    }
    c->options = *options;
    apply_defaults(&c->options);
    sl_strmap_init(&c->numbers, options->alloc);
    sl_buf_init(&c->inflated, options->alloc);
    sl_buf_init(&c->entries, options->alloc);
    sl_buf_init(&c->packed, options->alloc);
    c->last_heard_ms = now_ms(c);
    c->expires_ms = c->end_ms = INT64_MAX;
    c->log_wanted = sl_server_connection_logs(c);
    bool ok = copy_string(options->alloc, options->user, &c->user, &c->options.user) &&
              copy_string(options->alloc, options->co_id, &c->co_id, &c->options.co_id);
    if (!ok) {
        sl_server_connection_free(c);
        sl_fail_memory(st);
        return NULL;
    }
    if (options->mismatch)
        sl_server_connection_fail(c, 105, "client and server have no protocol version in common");
    return c;
}

static void remove_all(sl_server_connection *c) {
    while (c->session_count)
        sl_server_connection_remove(c->sessions[c->session_count - 1]);
}

void sl_server_connection_free(sl_server_connection *c) {
    if (!c) return;
    const sl_alloc *alloc = c->options.alloc;
    remove_all(c);
    sl_delete(alloc, c->sessions);
    sl_delete(alloc, c->user);
    sl_delete(alloc, c->co_id);
    sl_strmap_free(&c->numbers);
    sl_buf_free(&c->inflated);
    sl_buf_free(&c->entries);
    sl_buf_free(&c->packed);
    sl_delete(alloc, c);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static sl_str key_of(const uint64_t *number) {
    return sl_str_of((const char *)number, sizeof(*number));
}

sl_server_session *sl_server_connection_find(const sl_server_connection *c, uint64_t number) {
    uint32_t slot = 0;
    return sl_strmap_get(&c->numbers, key_of(&number), &slot) ? c->sessions[slot] : NULL;
}

static bool room_for_session(sl_server_connection *c) {
    if (c->session_count < c->session_capacity) return true;
    size_t capacity = c->session_capacity ? c->session_capacity * 2 : 4;
    void *grown = sl_resize(c->options.alloc, c->sessions, capacity * sizeof(*c->sessions));
    if (!grown) return false;
    c->sessions = grown;
    c->session_capacity = capacity;
    return true;
}

sl_server_session *sl_server_connection_add(sl_server_connection *c, uint64_t number) {
    uint32_t slot = (uint32_t)c->session_count;
    bool added = false;
    if (!room_for_session(c)) return NULL;
    sl_server_session *session = sl_new_zero(c->options.alloc, 1, sizeof(*session));
    if (!session) return NULL;
    session->number = number;
    if (!sl_strmap_put(&c->numbers, key_of(&session->number), &slot, &added)) {
        sl_delete(c->options.alloc, session);
        return NULL;
    }
    session->connection = c;
    session->slot = slot;
    session->member.vtbl = &sl_server_session_member;
    c->sessions[c->session_count++] = session;
    return session;
}

static void delist(sl_server_session *session) {
    sl_server_connection *c = session->connection;
    sl_server_session *previous = NULL, **link = &c->ready;
    if (!session->enlisted) return;
    while (*link != session) {
        previous = *link;
        link = &(*link)->next;
    }
    *link = session->next;
    if (c->ready_last == session) c->ready_last = previous;
    session->next = NULL;
    session->enlisted = false;
}

void sl_server_connection_remove(sl_server_session *session) {
    sl_server_connection *c = session->connection;
    delist(session);
    sl_server_session_release(session);
    sl_strmap_remove(&c->numbers, key_of(&session->number));
    sl_server_session *last = c->sessions[--c->session_count];
    if (last != session) { /* the last one moves into the gap */
        uint32_t slot = (uint32_t)session->slot;
        bool added = false;
        sl_strmap_remove(&c->numbers, key_of(&last->number));
        last->slot = session->slot;
        c->sessions[last->slot] = last;
        /* Cannot fail: two places have just become free. */
        sl_strmap_put(&c->numbers, key_of(&last->number), &slot, &added);
    }
    sl_delete(c->options.alloc, session);
}

void sl_server_connection_enlist(sl_server_session *session) {
    sl_server_connection *c = session->connection;
    if (session->enlisted) return;
    session->enlisted = true;
    session->next = NULL;
    if (c->ready)
        c->ready_last->next = session;
    else
        c->ready = session;
    c->ready_last = session;
}

void sl_server_connection_wake(sl_server_connection *c) {
    if (c->options.host->wake) c->options.host->wake(c->options.ctx);
}

void sl_server_connection_trouble(sl_server_connection *c, const sl_status *st) {
    if (c->options.host->trouble) c->options.host->trouble(c->options.ctx, st);
}

bool sl_server_connection_set_user(sl_server_connection *c, sl_str user) {
    char *copy;
    sl_str view;
    if (!copy_string(c->options.alloc, user, &copy, &view)) return false;
    sl_delete(c->options.alloc, c->user);
    c->user = copy;
    c->options.user = view;
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Sessions let go of their files at once but stay in memory: one of them may be on the call stack.
 */
static void release_all(sl_server_connection *c) {
    for (size_t i = 0; i < c->session_count; i++)
        sl_server_session_release(c->sessions[i]);
}

static void set_wish(sl_server_connection *c, sl_wish_kind kind, int code, const char *reason) {
    if (c->wish.kind != SL_WISH_STAY) return;
    snprintf(c->reason, sizeof(c->reason), "%s", reason);
    c->wish = (sl_wish){kind, code, sl_str_c(c->reason)};
    release_all(c);
}

void sl_server_connection_close(sl_server_connection *c, int code, const char *reason) {
    set_wish(c, SL_WISH_CLOSE, code, reason);
}

void sl_server_connection_drop(sl_server_connection *c) {
    set_wish(c, SL_WISH_DROP, 0, "");
}

void sl_server_connection_fail(sl_server_connection *c, int code, const char *text) {
    int close_code;
    if (c->ending || c->wish.kind != SL_WISH_STAY) return;
    sl_status st = SL_STATUS_INIT;
    sl_fail_code(&st, SL_ERR_PROTOCOL, code, "connection error %d: %s", code, text);
    sl_server_connection_trouble(c, &st);
    sl_pending_error_set(&c->error, code, c->options.dialect.version, text, &close_code);
    if (close_code) {
        sl_server_connection_close(c, close_code, text);
        return;
    }
    c->ending = true;
    c->error_wanted = true;
    c->pong_wanted = false;
    release_all(c);
    c->end_ms = after(now_ms(c), c->options.soft_close_ms);
}

/* Peers below 8 do not understand the codes of our own (part 5, 13.5). */
static void close_or_drop(sl_server_connection *c, int code, const char *reason) {
    if (c->options.dialect.version >= 8)
        sl_server_connection_close(c, code, reason);
    else
        sl_server_connection_drop(c);
}

void sl_server_connection_expire_at(sl_server_connection *c, int64_t mono_ms) {
    c->expires_ms = mono_ms;
}

void sl_server_connection_revoke(sl_server_connection *c, const char *reason) {
    close_or_drop(c, SL_CLOSE_UNAUTHORIZED, reason);
}

void sl_server_connection_shutdown(sl_server_connection *c) {
    close_or_drop(c, SL_CLOSE_SERVER_ERROR, "server is shutting down");
}

sl_wish sl_server_connection_wish(const sl_server_connection *c) {
    return c->wish;
}

size_t sl_server_connection_sessions(const sl_server_connection *c) {
    return c->ending || c->wish.kind != SL_WISH_STAY ? 0 : c->session_count;
}

sl_dialect sl_server_connection_dialect(const sl_server_connection *c) {
    return c->options.dialect;
}

sl_str sl_server_connection_user(const sl_server_connection *c) {
    return c->options.user;
}

/* ---- time ------------------------------------------------------------------------------------ */

void sl_server_connection_step(sl_server_connection *c) {
    int64_t now = now_ms(c);
    if (now >= c->end_ms)
        sl_server_connection_close(c, SL_CLOSE_NORMAL, "");
    else if (now >= c->expires_ms)
        close_or_drop(c, SL_CLOSE_UNAUTHORIZED, "token expired");
    else if (now >= after(c->last_heard_ms, c->options.idle_ms))
        sl_server_connection_drop(c);
}

int64_t sl_server_connection_deadline(const sl_server_connection *c) {
    if (c->wish.kind != SL_WISH_STAY) return INT64_MAX;
    int64_t deadline = after(c->last_heard_ms, c->options.idle_ms);
    if (c->expires_ms < deadline) deadline = c->expires_ms;
    return c->end_ms < deadline ? c->end_ms : deadline;
}

/* ---- input ----------------------------------------------------------------------------------- */

void sl_server_connection_receive_text(sl_server_connection *c) {
    sl_server_connection_close(c, SL_CLOSE_UNSUPPORTED, "messages have to be binary");
}

void sl_server_connection_receive_ping(sl_server_connection *c, const void *payload, size_t size) {
    const char *text = payload;
    size_t at = 0, numbers = 0;
    for (; numbers < 2; numbers++) {
        size_t start = at;
        while (at < size && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == start || at == size || text[at] != (numbers ? '\n' : ' ')) return;
        at++;
    }
    if (at == size) c->last_heard_ms = now_ms(c);
}

static bool dispatch(sl_server_connection *c, const sl_client_message *msg, sl_status *st) {
    if (msg->type == SL_MSG_PING) {
        /* One is outstanding at most, so the newest is the only one (4.11). */
        c->pong_wanted = true;
        c->pong_timestamp = msg->ping.timestamp_ms;
        return true;
    }
    if (msg->type == SL_MSG_BIND) return sl_server_session_bind(c, msg, st);
    sl_server_session *session = sl_server_connection_find(c, msg->session);
    if (!session) {
        sl_server_connection_fail(c, 106, "message for a session that is not bound");
        return true;
    }
    return sl_server_session_receive(session, msg, st);
}

bool sl_server_connection_receive(sl_server_connection *c, const void *data, size_t size,
                                  sl_status *st) {
    sl_client_message msg;
    sl_status bad = SL_STATUS_INIT;
    c->last_heard_ms = now_ms(c);
    if (c->ending || c->wish.kind != SL_WISH_STAY) return true;
    if (size > c->options.max_message) {
        sl_server_connection_close(c, SL_CLOSE_TOO_BIG, "message larger than the limit");
        return true;
    }
    if (!sl_client_message_parse(&msg, c->options.dialect, data, size, &bad)) {
        sl_server_connection_fail(c, bad.code, bad.message);
        return true;
    }
    if (dispatch(c, &msg, st)) return true;
    sl_server_connection_close(c, SL_CLOSE_SERVER_ERROR, "out of memory");
    return false;
}

void sl_server_connection_receive_skipped(sl_server_connection *c, const void *front, size_t size) {
    sl_client_message msg;
    c->last_heard_ms = now_ms(c);
    if (c->ending || c->wish.kind != SL_WISH_STAY) return;
    if (!sl_client_message_upload_front(&msg, front, size)) {
        sl_server_connection_close(c, SL_CLOSE_TOO_BIG, "message larger than the limit");
        return;
    }
    sl_server_session *session = sl_server_connection_find(c, msg.session);
    if (session)
        sl_server_session_too_big(session, &msg.upload.body);
    else
        sl_server_connection_fail(c, 106, "message for a session that is not bound");
}

/* ---- output ---------------------------------------------------------------------------------- */

bool sl_server_connection_logs(const sl_server_connection *c) {
    return c->options.co_id.size > 0 && c->options.dialect.version >= 10;
}

void sl_server_connection_write_log(const sl_server_connection *c, uint64_t session,
                                    const sl_log_message *log, sl_buf *out) {
    sl_buf body;
    sl_buf_init(&body, c->options.alloc);
    sl_log_message_write(&body, log);
    sl_server_message msg = {
        .type = SL_MSG_LOG_MESSAGE, .session = session, .log = sl_str_of(body.data, body.size)};
    if (body.failed)
        out->failed = true;
    else
        sl_server_message_write(out, c->options.dialect, &msg);
    sl_buf_free(&body);
}

/* What goes before the sessions' messages. */
static bool produce_own(sl_server_connection *c, sl_buf *out) {
    if (c->error_wanted) {
        c->error_wanted = false;
        sl_pending_error_write(&c->error, c->options.dialect, 0, out);
        return true;
    }
    if (c->log_wanted && !c->ending) {
        c->log_wanted = false;
        sl_log_message log = {c->options.co_id, SL_STR("info"), SL_STR("connection accepted")};
        sl_server_connection_write_log(c, 0, &log, out);
        return true;
    }
    if (!c->pong_wanted) return false;
    c->pong_wanted = false;
    sl_server_message msg = {.type = SL_MSG_PONG, .pong = c->pong_timestamp};
    sl_server_message_write(out, c->options.dialect, &msg);
    return true;
}

/* One message per turn; a session with more goes to the end of the queue. */
static bool produce_session(sl_server_connection *c, sl_buf *out, bool *any, sl_status *st) {
    while (!*any && c->ready && c->wish.kind == SL_WISH_STAY && !c->ending) {
        sl_server_session *session = c->ready;
        bool more = false, gone = false;
        delist(session);
        if (!sl_server_session_produce(session, out, any, &more, &gone, st)) return false;
        if (more && !gone) sl_server_connection_enlist(session);
    }
    return true;
}

bool sl_server_connection_send(sl_server_connection *c, sl_buf *out, bool *any, sl_status *st) {
    size_t start = out->size;
    *any = false;
    if (c->wish.kind != SL_WISH_STAY) return true;
    *any = produce_own(c, out);
    bool ok = *any || produce_session(c, out, any, st);
    /* A session's turn may have ended in a connection-level error. */
    if (ok && !*any && c->error_wanted) *any = produce_own(c, out);
    if (ok && out->failed) ok = sl_fail_memory(st);
    if (ok) return true;
    out->size = start;
    out->failed = false;
    *any = false;
    sl_server_connection_close(c, SL_CLOSE_SERVER_ERROR, "out of memory");
    return false;
}
