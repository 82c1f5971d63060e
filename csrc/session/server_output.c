/* What a session has to say, made when the connection is asked for output. */
#include "session/server_private.h"

#include <stdio.h>

/* Scratch memory above this size is given back after use. */
enum { KEEP_SCRATCH = 16 * 1024 };

/* One message under construction. */
typedef struct turn {
    sl_server_session *session;
    sl_server_connection *connection;
    sl_buf *out;
    bool any, more, gone;
} turn;

static void put(turn *t, sl_server_message *msg) {
    msg->session = t->session->number;
    sl_server_message_write(t->out, t->connection->options.dialect, msg);
    t->any = true;
}

/* ---- DOWNLOAD -------------------------------------------------------------------------------- */

static bool download_is_due(const sl_server_session *s) {
    return !s->download_sent ||
           sl_server_history_version(sl_server_file_history(s->file)) > s->download.own;
}

static void put_download(turn *t, const sl_server_scan *scan, const sl_body *body) {
    sl_server_session *s = t->session;
    const sl_server_history *history = sl_server_file_history(s->file);
    sl_server_message msg = {.type = SL_MSG_DOWNLOAD};
    msg.download = (sl_msg_download){.dl_sv = scan->cursor.own,
                                     .dl_cv = scan->cursor.other,
                                     .latest_sv = sl_server_history_version(history),
                                     .latest_salt = sl_server_history_salt(history),
                                     .ul_cv = s->member.progress.own,
                                     .ul_sv = s->member.progress.other,
                                     .downloadable = scan->downloadable,
                                     .body = *body};
    put(t, &msg);
    s->download = scan->cursor;
    s->download_sent = true;
    s->sent_latest = msg.download.latest_sv;
}

static bool produce_download(turn *t, sl_status *st) {
    sl_server_session *s = t->session;
    sl_server_connection *c = t->connection;
    sl_server_scan scan;
    sl_body body;
    sl_status why = SL_STATUS_INIT;
    sl_buf_clear(&c->entries);
    bool ok = sl_server_history_scan(sl_server_file_history(s->file), s->member.ident, s->download,
                                     c->options.max_download, &c->entries, &scan, &why) &&
              sl_body_pack(c->options.packer, sl_str_of(c->entries.data, c->entries.size),
                           &c->packed, &body, &why);
    if (ok) put_download(t, &scan, &body);
    if (c->entries.capacity > KEEP_SCRATCH) {
        sl_buf_free(&c->entries);
        sl_buf_free(&c->packed);
    }
    if (ok) return true;
    if (sl_server_session_fail_with(s, &why)) return true;
    if (st) *st = why;
    return false;
}

/* ---- MARK ------------------------------------------------------------------------------------ */

/* The client takes the newest version it heard of as fully received, so the last DOWNLOAD must have
 * reached it (part 4, 7.2). */
static bool mark_is_due(const sl_server_session *s) {
    return s->mark && s->download_sent && s->download.own >= s->mark_target &&
           s->download.own == s->sent_latest;
}

static void produce_mark(turn *t) {
    sl_server_message msg = {.type = SL_MSG_MARK, .mark = t->session->mark};
    t->session->mark = 0;
    put(t, &msg);
}

/* ---- TRANSACT -------------------------------------------------------------------------------- */

/* The answer comes behind the DOWNLOADs that the decision rests on, so whoever is refused can try
 * again at once on what the server has, and whoever is accepted has the change already. */
static bool transact_is_due(const sl_server_session *s) {
    return s->transact_refused || (s->transact_ready && s->download.own >= s->verdict.seen);
}

static void produce_transact(turn *t) {
    sl_server_session *s = t->session;
    const sl_server_verdict *v = &s->verdict;
    sl_server_message msg = {.type = SL_MSG_TRANSACT};
    msg.transact = (sl_msg_server_transact){.status = s->transact_refused ? 3 : 2,
                                            .substitutions = SL_STR("")};
    if (!s->transact_refused && v->accepted)
        msg.transact = (sl_msg_server_transact){.status = 1,
                                                .server_version = v->version,
                                                .server_salt = v->salt,
                                                .origin_timestamp = v->timestamp,
                                                .origin_ident = SL_SERVER_FILE_IDENT,
                                                .substitutions = SL_STR("")};
    s->transact_refused = s->transact_ready = false;
    put(t, &msg);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void produce_test_reply(turn *t) {
    sl_server_session *s = t->session;
    sl_server_message msg = {
        .type = SL_MSG_TEST_COMMAND,
        .test = {.request = s->test_replies[0], .json = SL_STR("{\"error\":\"unsupported\"}")}};
    s->test_count--;
    memmove(s->test_replies, s->test_replies + 1, s->test_count * sizeof(s->test_replies[0]));
    put(t, &msg);
}

/* Replies that are due whatever the phase. */
static bool produce_reply(turn *t) {
    sl_server_session *s = t->session;
    if (s->version_wanted) {
        sl_server_message msg = {.type = SL_MSG_CLIENT_VERSION,
                                 .client_version = s->version_answer};
        s->version_wanted = false;
        put(t, &msg);
    } else if (s->test_count) {
        produce_test_reply(t);
    }
    return t->any;
}

static void produce_log(turn *t) {
    sl_server_session *s = t->session;
    char text[120];
    snprintf(text, sizeof(text),
             "session bound as client file %llu, at server version %llu of %llu",
             (unsigned long long)s->member.ident, (unsigned long long)s->download.own,
             (unsigned long long)sl_server_history_version(sl_server_file_history(s->file)));
    sl_log_message log = {SL_STR(""), SL_STR("debug"), sl_str_c(text)};
    s->log_wanted = false;
    sl_server_connection_write_log(t->connection, s->number, &log, t->out);
    t->any = true;
}

static bool produce_active(turn *t, sl_status *st) {
    sl_server_session *s = t->session;
    if (!sl_server_session_check_level(s)) return true;
    if (s->log_wanted) {
        produce_log(t);
    } else if (s->alloc_ready) {
        sl_server_message msg = {.type = SL_MSG_ALLOC, .alloc = s->alloc_ident};
        s->alloc_ready = false;
        put(t, &msg);
    } else if (transact_is_due(s)) {
        produce_transact(t);
    } else if (mark_is_due(s)) {
        produce_mark(t);
    } else if (download_is_due(s)) {
        return produce_download(t, st);
    }
    return true;
}

static void produce_ident(turn *t) {
    sl_server_session *s = t->session;
    sl_server_message msg = {.type = SL_MSG_IDENT,
                             .ident = {.file_ident = s->ident, .salt = s->salt}};
    s->phase = SL_PHASE_WAIT_IDENT;
    put(t, &msg);
}

static void put_empty_state(turn *t) {
    sl_server_message msg = {.type = SL_MSG_STATE, .state = {.segments = SL_STR("")}};
    t->session->phase = SL_PHASE_WAIT_IDENT;
    t->session->member.state_reads = false;
    put(t, &msg);
}

static void put_state(turn *t, const sl_buf *segments) {
    sl_server_session *s = t->session;
    sl_server_message msg = {.type = SL_MSG_STATE,
                             .state = {.server_version = s->state.facts.version,
                                       .server_salt = s->state.facts.salt,
                                       .begin_offset = s->state.offset,
                                       .end_offset = s->state.offset + segments->size,
                                       .max_offset = s->state.facts.size,
                                       .segments = sl_str_of(segments->data, segments->size)}};
    put(t, &msg);
    s->state.offset += segments->size;
    if (s->state.offset < s->state.facts.size) return;
    s->phase = SL_PHASE_WAIT_IDENT;
    s->member.state_reads = false;
}

/* Sends what is kept, piece by piece. A state that was replaced meanwhile starts over (5.12: begin
 * 0). */
static bool send_state(turn *t, sl_status *st) {
    sl_server_session *s = t->session;
    sl_server_connection *c = t->connection;
    bool found = false;
    if (s->state.answer != SL_STATE_HERE &&
        !sl_file_member_state(&s->member, &s->state_request, &s->state, st))
        return false;
    if (s->state.answer == SL_STATE_NONE) put_empty_state(t);
    if (s->state.answer != SL_STATE_HERE) return true;
    sl_buf_clear(&c->entries);
    if (!sl_file_member_read_state(&s->member, &s->state, c->options.max_download, &c->entries,
                                   &found, st))
        return false;
    if (found) {
        put_state(t, &c->entries);
    } else {
        s->state.answer = SL_STATE_NONE;
        s->state_request.partial_sv = 0;
        t->more = true;
    }
    if (c->entries.capacity > KEEP_SCRATCH) sl_buf_free(&c->entries);
    return true;
}

/* Without a state that the client can take it starts from the beginning (4.9): so it does when
 * something is wrong with ours. */
static bool produce_state(turn *t, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    if (!sl_server_session_check_level(t->session)) return true;
    if (send_state(t, &why)) return true;
    if (why.cls == SL_ERR_MEMORY) {
        if (st) *st = why;
        return false;
    }
    sl_server_connection_trouble(t->connection, &why);
    put_empty_state(t);
    return true;
}

static void produce_error(turn *t) {
    sl_server_session *s = t->session;
    sl_pending_error_write(&s->error, t->connection->options.dialect, s->number, t->out);
    s->phase = SL_PHASE_ERROR_SENT;
    t->any = true;
}

static void produce_unbound(turn *t) {
    sl_server_message msg = {.type = SL_MSG_UNBOUND};
    put(t, &msg);
    sl_server_connection_remove(t->session);
    t->gone = true;
}

static bool produce(turn *t, sl_status *st) {
    switch (t->session->phase) {
    case SL_PHASE_SEND_ERROR:
        produce_error(t);
        return true;
    case SL_PHASE_SEND_UNBOUND:
        produce_unbound(t);
        return true;
    case SL_PHASE_ERROR_SENT:
        return true;
    case SL_PHASE_SEND_IDENT:
        produce_ident(t);
        return true;
    default:
        break;
    }
    if (produce_reply(t)) return true;
    if (t->session->phase == SL_PHASE_SEND_STATE)
        return produce_state(t, st);
    else if (t->session->phase == SL_PHASE_ACTIVE)
        return produce_active(t, st);
    return true;
}

bool sl_server_session_produce(sl_server_session *session, sl_buf *out, bool *any, bool *more,
                               bool *gone, sl_status *st) {
    turn t = {.session = session, .connection = session->connection, .out = out};
    if (!produce(&t, st)) return false;
    *any = t.any;
    *gone = t.gone;
    /* Whether there is more is found out on the next turn, which costs nothing if there is not. */
    *more = (t.any || t.more) && !t.gone;
    return true;
}
