/* What a session does to receive a state in place of a history (protocol/1-wire.md, 4.9, 5.12). */
#include "session/client_private.h"

#include <stdio.h>

/* The only history schema there is: none, for a state carries no history. */
enum { HISTORY_SCHEMA = 1 };

bool sl_client_transfer_due(sl_client_session *s) {
    sl_client_binding *b = &s->binding;
    if (b->state_over) return false;
    if (b->state_sent) return true; /* IDENT has to wait for the last STATE in any case */
    if (!s->want_state) return false;
    bool can = sl_client_connection_features(s->connection) & SL_FEATURE_STATE;
    if (can && sl_client_transfer_possible(s->history)) return true;
    b->state_over = true;
    return false;
}

static void report(sl_client_session *s) {
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_STATE_PROGRESS, s->number);
    event->done = s->transfer.offset;
    event->total = s->transfer.max;
}

/* The state is no good. The history will do, after the rest of the state has gone by. */
static void fall_back(sl_client_session *s, const sl_status *why) {
    sl_client_error error;
    s->want_state = false;
    sl_client_error_init(&error, why->cls, 0);
    error.name = "state not usable";
    error.advice = "The copy of the file that the server sent could not be used, so its history is "
                   "downloaded instead. Report the message text to whoever runs the server.";
    error.action = SL_ACTION_WARNING;
    error.try_again = true;
    sl_client_error_text(&error, sl_str_c(why->message));
    sl_client_event *event = sl_client_emit(s->connection, SL_CLIENT_ERROR, s->number);
    event->error = error;
}

static bool is_damage(const sl_status *why) {
    return why->cls == SL_ERR_STORAGE && strcmp(why->id, "DAMAGED") == 0;
}

static bool finish(sl_client_session *s, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    if (!sl_client_transfer_possible(s->history)) { /* something was written at the last moment */
        s->binding.state_over = true;
        s->want_state = false;
        return sl_client_transfer_forget(s->history, &why) || sl_client_binding_absorb(s, &why, st);
    }
    if (sl_client_transfer_finish(s->history, &s->transfer, &why)) {
        s->binding.state_over = true;
        s->want_state = false;
        s->installing = true;
        s->history = NULL; /* the host's, until it gives us another one */
        sl_client_emit(s->connection, SL_CLIENT_STATE_READY, s->number);
        return true;
    }
    if (is_damage(&why)) {
        fall_back(s, &why);
        s->binding.state_over = true;
        return true;
    }
    return sl_client_binding_absorb(s, &why, st);
}

bool sl_client_transfer_send(sl_client_session *s, sl_client_message *msg, bool *any,
                             sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    *any = false;
    if (s->binding.state_sent) {
        bool complete = s->transfer.version && s->transfer.offset == s->transfer.max;
        return !s->want_state || !complete || finish(s, st);
    }
    if (!sl_client_transfer_load(s->history, &s->transfer, &why))
        return sl_client_binding_absorb(s, &why, st);
    if (s->transfer.version && s->transfer.offset == s->transfer.max) return finish(s, st);
    int format = sl_client_transfer_format(s->history);
    *msg = (sl_client_message){.type = SL_MSG_STATE_REQUEST,
                               .state_request = {.partial_sv = s->transfer.version,
                                                 .partial_salt = s->transfer.salt,
                                                 .offset = s->transfer.offset,
                                                 .min_file_format = format,
                                                 .max_file_format = format,
                                                 .min_history_schema = HISTORY_SCHEMA,
                                                 .max_history_schema = HISTORY_SCHEMA}};
    *any = true;
    return true;
}

/* The server has no state: everything comes as history. */
static bool receive_none(sl_client_session *s, const sl_msg_state *msg, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    if (msg->server_salt || msg->begin_offset || msg->end_offset || msg->max_offset ||
        msg->segments.size)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "a state without a version");
    s->binding.state_over = true;
    s->want_state = false;
    return sl_client_transfer_forget(s->history, &why) || sl_client_binding_absorb(s, &why, st);
}

bool sl_client_transfer_take(sl_client_session *s, const sl_msg_state *msg, sl_status *st) {
    sl_client_binding *b = &s->binding;
    if (!b->state_sent || b->state_over)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 103, "STATE without being asked for");
    if (sl_client_history_writing(s->history))
        return sl_fail(st, SL_ERR_USAGE, "",
                       "finish the open write transaction before messages of "
                       "the server are handed in");
    if (msg->server_version == 0) return receive_none(s, msg, st);
    /* Somebody may have written into the file meanwhile, and that goes before. */
    if (!s->want_state || !sl_client_transfer_possible(s->history)) {
        b->state_over = msg->end_offset == msg->max_offset;
        return true;
    }
    sl_status why = SL_STATUS_INIT;
    if (!sl_client_transfer_receive(s->history, &s->transfer, msg, &why)) {
        if (!is_damage(&why)) return sl_client_binding_absorb(s, &why, st);
        fall_back(s, &why);
        b->state_over = msg->end_offset == msg->max_offset;
        return true;
    }
    report(s);
    if (s->transfer.offset < s->transfer.max || finish(s, &why)) return true;
    /* What was received is stored, so the message must not come again: without memory the next turn
     * to send finishes. */
    if (why.cls == SL_ERR_MEMORY) return true;
    if (st) *st = why;
    return false;
}

bool sl_client_session_adopt(sl_client_session *s, sl_client_history *history, sl_status *st) {
    if (!s->installing)
        return sl_fail(st, SL_ERR_USAGE, "", "the session does not wait for a history");
    if (!sl_client_enter(s->connection, st)) return false;
    const sl_client_cursors *cursors = sl_client_history_cursors(history);
    s->installing = false;
    s->history = history;
    sl_client_history_limit(history, s->max_message);
    s->cursor = (sl_upload_cursor){cursors->ul_cv, cursors->ul_sv};
    s->reported_progress = *sl_client_history_progress(history);
    sl_client_settle(s->connection);
    return true;
}
