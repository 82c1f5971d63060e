#include "session/client_private.h"

#include "protocol/log_message.h"
#include <stdio.h>

static bool receive_pong(sl_client_connection *c, int64_t timestamp) {
    if (!c->ping_outstanding || timestamp != c->ping_time) {
        sl_client_violation(c, 0, "PONG without the PING it answers");
        return true;
    }
    int64_t now = sl_client_now(c);
    c->last_rtt = now > c->ping_time ? now - c->ping_time : 0;
    c->ping_outstanding = false;
    c->pong_deadline = SL_CLIENT_NEVER;
    c->forget_delay = false;
    c->refusals = 0;
    /* The link works: the next trouble starts with short delays again (1-wire.md, 8.2). */
    sl_backoff_reset(&c->backoff);
    int64_t period = c->options.ping_period_ms;
    int64_t wait =
        period - (int64_t)sl_env_below(c->env, (uint64_t)(period / 10) + 1) - c->last_rtt;
    c->ping_at = now + (wait > 0 ? wait : 0);
    return true;
}

static const char *level_name(sl_str level) {
    static const char *const names[] = {"fatal",  "error", "warn", "info",
                                        "detail", "debug", "trace"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sl_str_eq(level, sl_str_c(names[i]))) return names[i];
    return "debug";
}

static bool receive_log(sl_client_connection *c, uint64_t session, sl_str json, sl_status *st) {
    sl_log_message log;
    sl_status why = SL_STATUS_INIT;
    if (!sl_log_message_parse(&log, json, &c->arena, &why)) {
        if (why.cls == SL_ERR_MEMORY) return sl_fail_memory(st);
        sl_client_violation(c, session, "LOG_MESSAGE: %s", why.message);
        return true;
    }
    if (log.co_id.size > 0 && c->id[0] == 0)
        snprintf(c->id, sizeof c->id, "%.*s", (int)(log.co_id.size < 63 ? log.co_id.size : 63),
                 log.co_id.data);
    if (log.text.size == 0) return true;
    sl_client_event *event = sl_client_emit(c, SL_CLIENT_LOG, session);
    event->level = sl_str_c(level_name(log.level));
    event->text = sl_client_event_queue_text(&c->events, log.text);
    return true;
}

/* ---- errors of the whole connection ---------------------------------------------------------- */

static void fail_by_server(sl_client_connection *c, const sl_client_error *error,
                           const sl_backoff_rule *rule) {
    sl_client_end end = {.rule = rule, .close_code = SL_CLOSE_NORMAL};
    end.reason = error->try_again ? SL_END_SERVER_TRY_AGAIN : SL_END_SERVER_DO_NOT_RETRY;
    /* New credentials or a new address end the ban by themselves. */
    end.never = !error->try_again;
    sl_client_fail_connection(c, error, &end);
}

static bool receive_connection_error(sl_client_connection *c, const sl_server_message *msg,
                                     sl_status *st) {
    sl_client_error error;
    if (msg->type == SL_MSG_ERROR) {
        sl_client_error_from_plain(&error, msg->error.code, msg->error.try_again, msg->error.text);
        fail_by_server(c, &error, NULL);
        return true;
    }
    sl_json_error json;
    sl_status why = SL_STATUS_INIT;
    if (!sl_json_error_parse(&json, msg->json_error.code, c->version, msg->json_error.json,
                             &c->arena, &why)) {
        if (why.cls == SL_ERR_MEMORY) return sl_fail_memory(st);
        sl_client_violation(c, 0, "JSON_ERROR: %s", why.message);
        return true;
    }
    sl_client_error_from_json(&error, msg->json_error.code, &json);
    error.json = msg->json_error.json;
    sl_backoff_rule rule = {json.backoff_interval_s * 1000, json.backoff_max_s * 1000,
                            json.backoff_multiplier, 4};
    fail_by_server(c, &error, json.has_backoff ? &rule : NULL);
    return true;
}

/* A known number at the wrong level, or an unknown one of the connection, is a violation (part 4,
 * 16.1). Numbers that ended older clients are known ones like all others. */
static bool level_fits(uint64_t session, int code) {
    if (session == 0) return sl_error_is_connection(code) && sl_error_find(code) != NULL;
    return sl_error_is_session(code) || sl_error_find(code) == NULL;
}

/* ---- dispatch -------------------------------------------------------------------------------- */

sl_client_session *sl_client_find_session(const sl_client_connection *c, uint64_t number) {
    for (size_t i = 0; i < c->session_count; i++)
        if (c->sessions[i]->number == number) return c->sessions[i];
    return NULL;
}

static bool to_session(sl_client_connection *c, const sl_server_message *msg, sl_status *st) {
    sl_client_session *s = sl_client_find_session(c, msg->session);
    if (!s) {
        sl_client_violation(c, 0, "%s for session %llu, which does not exist",
                            sl_message_name(msg->type), (unsigned long long)msg->session);
        return true;
    }
    sl_status why = SL_STATUS_INIT;
    if (sl_client_binding_receive(s, msg, &why)) return true;
    if (why.cls == SL_ERR_MEMORY || why.cls == SL_ERR_USAGE) {
        if (st) *st = why;
        return false;
    }
    sl_client_violation(c, msg->session, "%s: %s", sl_message_name(msg->type), why.message);
    return true;
}

bool sl_client_dispatch(sl_client_connection *c, const void *data, size_t size, sl_status *st) {
    sl_server_message msg;
    sl_status why = SL_STATUS_INIT;
    if (!sl_server_message_parse(&msg, (sl_dialect){c->version, false}, data, size, &why)) {
        sl_client_violation(c, 0, "unreadable message: %s", why.message);
        return true;
    }
    if (msg.type == SL_MSG_PONG) return receive_pong(c, msg.pong);
    if (msg.type == SL_MSG_LOG_MESSAGE) return receive_log(c, msg.session, msg.log, st);
    if (msg.type == SL_MSG_ERROR || msg.type == SL_MSG_JSON_ERROR) {
        int code = msg.type == SL_MSG_ERROR ? msg.error.code : msg.json_error.code;
        if (!level_fits(msg.session, code)) {
            sl_client_violation(c, msg.session, "error number %d at the wrong level", code);
            return true;
        }
        if (msg.session == 0) return receive_connection_error(c, &msg, st);
    }
    return to_session(c, &msg, st);
}
