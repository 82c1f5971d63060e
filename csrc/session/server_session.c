/* What a session makes of the client's messages (protocol/1-wire.md, sections 4 and 6.3). */
#include "session/server_private.h"

#include <stdio.h>

/* ---- errors ---------------------------------------------------------------------------------- */

void sl_server_session_release(sl_server_session *session) {
    sl_server_connection *c = session->connection;
    sl_server_file *file = session->file;
    sl_file_member_leave(&session->member);
    session->file = NULL;
    session->phase = SL_PHASE_ERROR_SENT; /* nothing but UNBIND means anything from here on */
    if (file && c->options.host->release) c->options.host->release(c->options.ctx, file);
}

static void raise_error(sl_server_session *session, int code, const sl_pending_error *as,
                        const char *text) {
    sl_server_connection *c = session->connection;
    int close_code;
    if (session->phase >= SL_PHASE_SEND_ERROR) return;
    sl_pending_error_set(&session->error, code, c->options.dialect.version, text, &close_code);
    if (as && session->error.code == code) {
        session->error.action = as->action;
        session->error.try_again = as->try_again;
    }
    if (close_code) {
        sl_server_connection_close(c, close_code, text);
        return;
    }
    if (sl_error_is_connection(session->error.code)) {
        sl_server_connection_fail(c, session->error.code, text);
        return;
    }
    sl_server_session_release(session);
    session->phase = SL_PHASE_SEND_ERROR;
    sl_server_connection_enlist(session);
}

void sl_server_session_fail(sl_server_session *session, int code, const char *text) {
    raise_error(session, code, NULL, text);
}

/* Neither a reset nor another try would make the change smaller. */
void sl_server_session_too_big(sl_server_session *session, const sl_body *body) {
    static const sl_pending_error as = {.action = SL_ACTION_APPLICATION_BUG};
    char text[sizeof session->error.text];
    if (session->phase >= SL_PHASE_SEND_ERROR) return;
    snprintf(text, sizeof text,
             "a change of %llu bytes (%llu before compression) is larger than max_message of the "
             "server, %zu bytes; it stays on the device",
             (unsigned long long)body->bytes.size, (unsigned long long)body->uncompressed_size,
             session->connection->options.max_message);
    sl_status st = SL_STATUS_INIT;
    sl_fail_code(&st, SL_ERR_SESSION, 201, "%s", text);
    sl_server_connection_trouble(session->connection, &st);
    raise_error(session, 201, &as, text);
}

bool sl_server_session_fail_with(sl_server_session *session, const sl_status *st) {
    if (st->cls == SL_ERR_MEMORY) return false;
    if (st->cls == SL_ERR_PROTOCOL) {
        sl_server_connection_fail(session->connection, st->code, st->message);
        return true;
    }
    if (st->cls == SL_ERR_SESSION) {
        sl_server_session_fail(session, st->code, st->message);
        return true;
    }
    sl_server_connection_trouble(session->connection, st);
    sl_server_session_fail(session, 201, "the server could not read its data; try again");
    return true;
}

/* A refusal that a fresh copy heals; the second time without taking local changes along. */
static void demand_reset(sl_server_session *session, int code, bool repeated, const char *text) {
    sl_pending_error as = {.action = repeated ? SL_ACTION_CLIENT_RESET_NO_RECOVERY
                                              : SL_ACTION_CLIENT_RESET};
    raise_error(session, code, &as, text);
}

static void wrong_order(sl_server_session *session, const char *text) {
    sl_server_connection_fail(session->connection, 109, text);
}

/* ---- news from the file ---------------------------------------------------------------------- */

static sl_server_session *session_of(sl_file_member *member) {
    return (sl_server_session *)(void *)member;
}

static void on_ident(sl_file_member *member, uint64_t ident, int64_t salt) {
    sl_server_session *session = session_of(member);
    if (session->phase != SL_PHASE_ALLOCATING) return;
    session->ident = ident;
    session->salt = salt;
    session->phase = SL_PHASE_SEND_IDENT;
    sl_server_connection_enlist(session);
    sl_server_connection_wake(session->connection);
}

static void on_alloc(sl_file_member *member, uint64_t ident) {
    sl_server_session *session = session_of(member);
    session->alloc_waits = false;
    session->alloc_ready = true;
    session->alloc_ident = ident;
    sl_server_connection_enlist(session);
    sl_server_connection_wake(session->connection);
}

static void on_transacted(sl_file_member *member, const sl_server_verdict *verdict) {
    sl_server_session *session = session_of(member);
    session->transact_waits = false;
    session->transact_ready = true;
    session->verdict = *verdict;
    sl_server_connection_enlist(session);
    sl_server_connection_wake(session->connection);
}

static void on_news(sl_file_member *member) {
    sl_server_session *session = session_of(member);
    if (session->phase != SL_PHASE_ACTIVE) return;
    sl_server_connection_enlist(session);
    sl_server_connection_wake(session->connection);
}

static void on_failed(sl_file_member *member, int code, sl_refusal kind, const char *text) {
    static const sl_pending_error final = {.action = SL_ACTION_APPLICATION_BUG};
    sl_server_session *session = session_of(member);
    if (code == 212)
        demand_reset(session, code, kind == SL_REFUSAL_REPEATED, text);
    else if (kind == SL_REFUSAL_FINAL)
        raise_error(session, code, &final, text);
    else
        sl_server_session_fail(session, code, text);
    sl_server_connection_wake(session->connection);
}

static void on_superseded(sl_file_member *member) {
    sl_server_connection *c = session_of(member)->connection;
    sl_server_connection_drop(c);
    sl_server_connection_wake(c);
}

static void on_state(sl_file_member *member) {
    sl_server_session *session = session_of(member);
    sl_server_connection_enlist(session);
    sl_server_connection_wake(session->connection);
}

static void on_closing(sl_file_member *member) {
    sl_server_session *session = session_of(member);
    sl_server_session_fail(session, 200, "the file is being closed");
    sl_server_connection_wake(session->connection);
}

const sl_member_vtbl sl_server_session_member = {.ident = on_ident,
                                                 .alloc = on_alloc,
                                                 .transacted = on_transacted,
                                                 .news = on_news,
                                                 .failed = on_failed,
                                                 .superseded = on_superseded,
                                                 .state = on_state,
                                                 .closing = on_closing};

/* ---- BIND ------------------------------------------------------------------------------------ */

/* Clients before 11.10 carry their token in BIND; it counts only if the upgrade had none (4.1). */
static bool check_token(sl_server_session *session, sl_str token, bool *ok, sl_status *st) {
    sl_server_connection *c = session->connection;
    sl_str user = SL_STR("");
    *ok = true;
    if (c->options.authenticated) return true;
    if (c->options.host->token &&
        c->options.host->token(c->options.ctx, token, c->options.user, &user))
        return sl_server_connection_set_user(c, user) || sl_fail_memory(st);
    *ok = false;
    sl_server_session_fail(session, 203, "the token is not valid");
    return true;
}

static bool open_file(sl_server_session *session, const sl_msg_bind *bind, sl_buf *name,
                      sl_status *st) {
    sl_server_connection *c = session->connection;
    sl_bind_request request = {
        .session = session->number, .path = bind->path, .user = c->options.user};
    if (bind->path.size > c->options.max_partition)
        return sl_fail_code(st, SL_ERR_SESSION, 204,
                            "illegal partition: it has %u octets, the server takes at most %zu",
                            bind->path.size, c->options.max_partition);
    if (!sl_partition_canonical(bind->path, name, &request.kind, st)) return false;
    request.partition = sl_str_of(name->data, name->size);
    if (!c->options.host->open(c->options.ctx, &request, &session->file, &session->access, st))
        return false;
    if (session->access == SL_ACCESS_NONE || !session->file)
        return sl_fail_code(st, SL_ERR_SESSION, 206, "no permission to read this partition");
    sl_file_member_join(&session->member, session->file);
    return true;
}

static bool begin_session(sl_server_session *session, const sl_msg_bind *bind, sl_status *st) {
    sl_server_connection *c = session->connection;
    sl_status why = SL_STATUS_INIT;
    sl_buf name;
    sl_buf_init(&name, c->options.alloc);
    bool ok = open_file(session, bind, &name, &why);
    sl_buf_free(&name);
    if (ok && bind->need_ident) {
        uint8_t type = bind->is_subserver ? SL_CLIENT_SUBSERVER : SL_CLIENT_REGULAR;
        session->phase = SL_PHASE_ALLOCATING;
        ok = sl_file_member_request_ident(&session->member, type, 0, c->options.user, &why);
    }
    if (ok || sl_server_session_fail_with(session, &why)) return true;
    if (st) *st = why;
    return false;
}

bool sl_server_session_bind(sl_server_connection *c, const sl_client_message *msg, sl_status *st) {
    bool token_ok;
    if (sl_server_connection_find(c, msg->session)) {
        sl_server_connection_fail(c, 107, "the session number of a BIND is in use");
        return true;
    }
    if (c->options.dialect.flx) {
        sl_server_connection_fail(c, 114, "the app on this server uses partition-based sync");
        return true;
    }
    if (c->session_count >= c->options.max_sessions) {
        sl_server_connection_fail(c, 100, "too many sessions on one connection");
        return true;
    }
    sl_server_session *session = sl_server_connection_add(c, msg->session);
    if (!session) return sl_fail_memory(st);
    session->phase = SL_PHASE_WAIT_IDENT;
    session->subserver = msg->bind.is_subserver;
    if (!check_token(session, msg->bind.token, &token_ok, st)) return false;
    return !token_ok || begin_session(session, &msg->bind, st);
}

/* ---- IDENT ----------------------------------------------------------------------------------- */

static bool level_is_too_high(const sl_server_session *session) {
    int level = sl_server_history_level(sl_server_file_history(session->file));
    int version = session->connection->options.dialect.version;
    return level > 3 && version < level && session->member.feature_level < (uint64_t)level;
}

bool sl_server_session_check_level(sl_server_session *session) {
    static const sl_pending_error as = {.action = SL_ACTION_APPLICATION_BUG};
    if (!level_is_too_high(session)) return true;
    raise_error(session, 201, &as,
                "the file holds data that this version of the client cannot read; update it");
    return false;
}

/* Rows 15 and 16 of 4.2: in this connection it is an error, elsewhere it is a dead connection. */
static bool take_over(sl_server_session *session, uint64_t ident) {
    sl_file_member *other = sl_server_file_member(session->file, ident);
    if (!other) return true;
    if (session_of(other)->connection == session->connection) {
        sl_server_connection_fail(session->connection, 108,
                                  "the client file is bound in another session");
        return false;
    }
    other->vtbl->superseded(other);
    return true;
}

static bool receive_ident(sl_server_session *session, const sl_msg_client_ident *msg,
                          sl_status *st) {
    sl_server_connection *c = session->connection;
    sl_status why = SL_STATUS_INIT;
    sl_client_file row;
    if (session->phase != SL_PHASE_WAIT_IDENT) {
        wrong_order(session, "IDENT before the server's IDENT or STATE, or for the second time");
        return true;
    }
    sl_ident_claim claim = {.file_ident = msg->file_ident,
                            .salt = msg->salt,
                            .download = {msg->dl_sv, msg->dl_cv},
                            .latest_sv = msg->latest_sv,
                            .latest_salt = msg->latest_salt,
                            .subserver = session->subserver,
                            .check_user = c->options.users,
                            .user = c->options.user};
    sl_server_history *history = sl_server_file_history(session->file);
    if (!sl_server_history_check_ident(history, &claim, &row, &why)) {
        if (sl_server_session_fail_with(session, &why)) return true;
        if (st) *st = why;
        return false;
    }
    if (!take_over(session, msg->file_ident)) return true;
    session->member.feature_level = row.feature_level;
    if (!sl_server_session_check_level(session)) return true;
    session->phase = SL_PHASE_ACTIVE;
    session->log_wanted = sl_server_connection_logs(c);
    session->download = claim.download;
    session->sent_latest = msg->latest_sv;
    session->locked = row.locked_version;
    sl_file_member_identify(&session->member, &row, &session->threshold);
    sl_server_connection_enlist(session);
    return true;
}

/* ---- the smaller messages -------------------------------------------------------------------- */

static void receive_unbind(sl_server_session *session) {
    if (session->phase == SL_PHASE_ERROR_SENT) {
        sl_server_connection_remove(session);
        return;
    }
    sl_server_session_release(session); /* the file ident is free for the next session at once */
    session->phase = SL_PHASE_SEND_UNBOUND;
    sl_server_connection_enlist(session);
}

static void receive_mark(sl_server_session *session, uint64_t request) {
    session->mark = request;
    session->mark_target = sl_server_history_version(sl_server_file_history(session->file));
    sl_server_connection_enlist(session);
}

static bool receive_error(sl_server_session *session, const sl_msg_client_error *msg) {
    sl_status why = SL_STATUS_INIT;
    int code = sl_error_is_session(msg->code) && sl_error_find(msg->code) ? msg->code : 201;
    sl_str user = session->connection->options.user;
    bool repeated =
        code != 225 && sl_server_file_note_trouble(session->file, user, session->member.ident);
    sl_fail_code(&why, SL_ERR_SESSION, msg->code, "the client could not integrate a DOWNLOAD: %.*s",
                 (int)(msg->json.size < 160 ? msg->json.size : 160), msg->json.data);
    sl_server_connection_trouble(session->connection, &why);
    if (code == 225)
        sl_server_session_fail(session, code,
                               "the schema of the app contradicts that of the realm");
    else
        demand_reset(session, code, repeated, "the client could not integrate what it received");
    return true;
}

static bool receive_test(sl_server_session *session, uint64_t request) {
    if (session->test_count == SL_MAX_TEST_REPLIES) {
        sl_server_connection_fail(session->connection, 101, "too many test commands wait");
        return true;
    }
    session->test_replies[session->test_count++] = request;
    sl_server_connection_enlist(session);
    return true;
}

static bool receive_version_request(sl_server_session *session, const sl_msg_version_request *msg,
                                    sl_status *st) {
    sl_client_file row;
    bool found = false;
    sl_status why = SL_STATUS_INIT;
    sl_server_history *history = sl_server_file_history(session->file);
    if (!sl_server_history_client(history, msg->file_ident, &row, &found, &why)) {
        if (sl_server_session_fail_with(session, &why)) return true;
        if (st) *st = why;
        return false;
    }
    bool known = found && row.salt != 0 && row.salt == msg->salt;
    session->version_wanted = true;
    session->version_answer = known ? row.client_version : 0;
    sl_server_connection_enlist(session);
    return true;
}

static bool receive_alloc(sl_server_session *session, sl_status *st) {
    if (session->phase != SL_PHASE_ACTIVE || session->alloc_waits || session->alloc_ready) {
        wrong_order(session, "ALLOC before IDENT, or while another one waits");
        return true;
    }
    if (!session->subserver) {
        sl_server_session_fail(session, 206, "ALLOC is for second-tier servers");
        return true;
    }
    session->alloc_waits = true;
    return sl_file_member_request_ident(&session->member, SL_CLIENT_INDIRECT, session->member.ident,
                                        SL_STR(""), st);
}

static bool receive_refresh(sl_server_session *session, sl_str token, sl_status *st) {
    sl_server_connection *c = session->connection;
    sl_str user = SL_STR("");
    if (c->options.dialect.version > SL_PROTOCOL_LAST_LEGACY) {
        sl_server_connection_fail(c, 102, "REFRESH is not part of this protocol version");
        return true;
    }
    if (!c->options.host->token ||
        !c->options.host->token(c->options.ctx, token, c->options.user, &user) ||
        (c->options.user.size && !sl_str_eq(user, c->options.user))) {
        sl_server_session_fail(session, 203, "the token is not valid");
        return true;
    }
    return sl_server_connection_set_user(c, user) || sl_fail_memory(st);
}

static void receive_state_request(sl_server_session *session, const sl_msg_state_request *msg) {
    if (session->phase != SL_PHASE_WAIT_IDENT || session->state_requested) {
        wrong_order(session, "STATE_REQUEST out of order");
        return;
    }
    session->state_requested = true;
    session->state_request = *msg;
    session->state.answer = SL_STATE_NONE;
    session->phase = SL_PHASE_SEND_STATE;
    sl_server_connection_enlist(session);
}

/* ---- the order of messages ------------------------------------------------------------------- */

static bool needs_active(sl_message_type type) {
    return type == SL_MSG_UPLOAD || type == SL_MSG_MARK || type == SL_MSG_QUERY ||
           type == SL_MSG_TRANSACT || type == SL_MSG_JSON_ERROR;
}

static bool receive_in_order(sl_server_session *session, const sl_client_message *msg,
                             sl_status *st) {
    switch (msg->type) {
    case SL_MSG_IDENT:
        return receive_ident(session, &msg->ident, st);
    case SL_MSG_UPLOAD:
        return sl_server_session_upload(session, &msg->upload, st);
    case SL_MSG_MARK:
        receive_mark(session, msg->mark);
        return true;
    case SL_MSG_JSON_ERROR:
        return receive_error(session, &msg->error);
    case SL_MSG_TEST_COMMAND:
        return receive_test(session, msg->test.request);
    case SL_MSG_CLIENT_VERSION_REQUEST:
        return receive_version_request(session, &msg->version_request, st);
    case SL_MSG_ALLOC:
        return receive_alloc(session, st);
    case SL_MSG_REFRESH:
        return receive_refresh(session, msg->refresh, st);
    case SL_MSG_STATE_REQUEST:
        receive_state_request(session, &msg->state_request);
        return true;
    case SL_MSG_TRANSACT:
        return sl_server_session_transact(session, &msg->transact, st);
    default:
        sl_server_connection_fail(session->connection, 102, "a message that is not for a server");
        return true;
    }
}

bool sl_server_session_receive(sl_server_session *session, const sl_client_message *msg,
                               sl_status *st) {
    if (session->phase == SL_PHASE_SEND_UNBOUND) {
        wrong_order(session, "a message after UNBIND");
        return true;
    }
    if (msg->type == SL_MSG_UNBIND) {
        receive_unbind(session);
        return true;
    }
    if (session->phase >= SL_PHASE_SEND_ERROR) return true;
    if (needs_active(msg->type) && session->phase != SL_PHASE_ACTIVE) {
        wrong_order(session, "a message that is legal only after IDENT");
        return true;
    }
    return receive_in_order(session, msg, st);
}
