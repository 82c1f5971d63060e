/* A serialized transaction from the side of the client (protocol/1-wire.md, 4.14 and 5.15). */
#include "session/client_private.h"

const char *sl_transact_outcome_name(sl_transact_outcome outcome) {
    static const char *const names[] = {"accepted", "conflict", "unsupported", "given_up",
                                        "unknown"};
    return (size_t)outcome < sizeof names / sizeof *names ? names[outcome] : "unknown";
}

bool sl_client_session_may_transact(const sl_client_session *s) {
    return s->history && !s->no_upload && s->transact.phase == SL_TRANSACT_NONE;
}

static bool unanswered(const sl_client_transact *t) {
    return t->phase == SL_TRANSACT_WAITING || t->phase == SL_TRANSACT_SENT;
}

/* ---- the outcome ----------------------------------------------------------------------------- */

static void finish(sl_client_session *s, sl_transact_outcome outcome) {
    sl_client_transact *t = &s->transact;
    t->phase = SL_TRANSACT_NONE;
    sl_buf_free(&t->changeset);
    if (t->forgotten) return;
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_TRANSACTED, s->number);
    event->request = t->request;
    event->code = (int)outcome;
}

bool sl_client_session_forget_transact(sl_client_session *s, uint64_t request) {
    sl_client_transact *t = &s->transact;
    if (t->phase == SL_TRANSACT_NONE || t->request != request) return true;
    t->forgotten = true;
    bool certain = !t->told || (t->phase == SL_TRANSACT_ANSWERED && t->version == 0);
    /* While it is under way the next one has to wait for its answer. */
    if (t->phase != SL_TRANSACT_SENT) finish(s, SL_TRANSACT_GIVEN_UP);
    return certain;
}

/* What is certain when nothing more will be heard. */
static sl_transact_outcome last_word(const sl_client_transact *t) {
    if (t->phase == SL_TRANSACT_ANSWERED)
        return t->version ? SL_TRANSACT_ACCEPTED : SL_TRANSACT_CONFLICT;
    return t->told ? SL_TRANSACT_UNKNOWN : SL_TRANSACT_GIVEN_UP;
}

/* Whether what the answer is about has been integrated here. */
static bool arrived(const sl_client_session *s) {
    const sl_client_transact *t = &s->transact;
    uint64_t here = sl_client_history_cursors(s->history)->dl_sv;
    if (t->version) return here >= t->version;
    return here > t->base.server_version || (t->mark && s->last_mark_received >= t->mark);
}

void sl_client_transact_settle(sl_client_session *s, bool end) {
    const sl_client_transact *t = &s->transact;
    if (t->phase == SL_TRANSACT_NONE) return;
    if (end || s->closing)
        finish(s, last_word(t));
    else if (t->phase == SL_TRANSACT_ANSWERED && arrived(s))
        finish(s, last_word(t));
}

void sl_client_transact_disconnected(sl_client_session *s) {
    sl_client_transact *t = &s->transact;
    t->based = false;
    if (t->phase != SL_TRANSACT_SENT) return;
    t->phase = SL_TRANSACT_WAITING;
    if (t->forgotten) finish(s, SL_TRANSACT_UNKNOWN);
}

/* The server would refuse it; that round trip can be saved. */
void sl_client_transact_overtaken(sl_client_session *s) {
    if (s->transact.phase == SL_TRANSACT_WAITING && !s->transact.told)
        finish(s, SL_TRANSACT_CONFLICT);
}

/* ---- sending --------------------------------------------------------------------------------- */

uint64_t sl_client_transact_limit(const sl_client_session *s) {
    return unanswered(&s->transact) ? s->transact.base.client_version : UINT64_MAX;
}

/* In every binding: a server that was restored may have forgotten progress without changesets. */
bool sl_client_transact_blocks(const sl_client_session *s, bool *wanted) {
    *wanted = s->transact.phase == SL_TRANSACT_WAITING && !s->transact.based;
    return unanswered(&s->transact);
}

bool sl_client_transact_complete(const sl_client_session *s, sl_upload_batch *batch) {
    if (!unanswered(&s->transact) || batch->more || batch->gated) return false;
    batch->cursor =
        (sl_upload_cursor){s->transact.base.client_version, s->transact.base.server_version};
    return true;
}

void sl_client_transact_check_support(sl_client_session *s) {
    const sl_client_transact *t = &s->transact;
    if (t->phase == SL_TRANSACT_WAITING && !(s->connection->features & SL_FEATURE_TRANSACT))
        finish(s, t->told ? SL_TRANSACT_UNKNOWN : SL_TRANSACT_UNSUPPORTED);
}

bool sl_client_transact_due(const sl_client_session *s) {
    const sl_client_transact *t = &s->transact;
    return t->phase == SL_TRANSACT_WAITING && t->based && !sl_client_history_writing(s->history);
}

/* ---- the answer ------------------------------------------------------------------------------ */

bool sl_client_transact_receive(sl_client_session *s, const sl_msg_server_transact *msg,
                                sl_status *st) {
    sl_client_transact *t = &s->transact;
    if (t->phase != SL_TRANSACT_SENT)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "nobody asked for a TRANSACT");
    if (msg->status == 1 && msg->server_version <= t->base.server_version)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103,
                            "the server version of an accepted transaction does not grow");
    if (msg->status == 3) {
        finish(s, SL_TRANSACT_UNSUPPORTED);
        return true;
    }
    t->phase = SL_TRANSACT_ANSWERED;
    t->version = msg->status == 1 ? msg->server_version : 0;
    if (t->forgotten) {
        finish(s, SL_TRANSACT_GIVEN_UP);
    } else if (t->version == 0 && !arrived(s)) {
        t->mark = ++s->target_mark;
    }
    return true;
}
