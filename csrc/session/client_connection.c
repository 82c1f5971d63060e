#include "session/client_private.h"

#include "protocol/negotiate.h"
#include <stdarg.h>
#include <stdio.h>

/* ---- making and freeing ---------------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t fallback) {
    return value > 0 ? value : fallback;
}

static void take_options(sl_client_connection *c, const sl_client_connection_options *options) {
    c->options = *options;
    c->options.connect_timeout_ms = or_default(options->connect_timeout_ms, 120000);
    c->options.linger_ms = or_default(options->linger_ms, 30000);
    c->options.ping_period_ms = or_default(options->ping_period_ms, 60000);
    c->options.pong_timeout_ms = or_default(options->pong_timeout_ms, 120000);
    c->options.fast_reconnect_ms = or_default(options->fast_reconnect_ms, 60000);
    if (c->options.max_inflated == 0) c->options.max_inflated = SL_MAX_INFLATED;
    if (c->options.min_version == 0) c->options.min_version = SL_PROTOCOL_MIN;
    if (c->options.max_version == 0) c->options.max_version = SL_PROTOCOL_MAX;
    c->options.route = c->options.token = SL_STR("");
}

static bool set_string(sl_buf *buf, sl_str value, sl_status *st) {
    sl_buf copy;
    sl_buf_init(&copy, buf->alloc);
    sl_buf_str(&copy, value);
    if (copy.failed) {
        sl_buf_free(&copy);
        return sl_fail_memory(st);
    }
    sl_buf_free(buf);
    *buf = copy;
    return true;
}

static sl_str text_of(const sl_buf *buf) {
    return sl_str_of(buf->size ? buf->data : "", buf->size);
}

sl_client_connection *sl_client_connection_new(const sl_client_connection_options *options,
                                               sl_status *st) {
    if (!options->env) {
        sl_fail(st, SL_ERR_USAGE, "", "a connection needs clocks and chance: set options.env");
        return NULL;
    }
    sl_client_connection *c = sl_new_zero(options->alloc, 1, sizeof *c);
    if (!c) {
        sl_fail_memory(st);
        return NULL;
    }
    c->alloc = options->alloc;
    c->env = options->env;
    take_options(c, options);
    sl_buf *const bufs[] = {&c->route,    &c->token,   &c->target, &c->offer,
                            &c->inflated, &c->entries, &c->packed, &c->rest.body};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        sl_buf_init(bufs[i], c->alloc);
    sl_arena_init(&c->arena, c->alloc);
    sl_arena_init(&c->rest.arena, c->alloc);
    sl_client_event_queue_init(&c->events, c->alloc);
    sl_backoff_init(&c->backoff);
    c->route_verified = options->route_verified;
    c->retry_at = sl_client_now(c);
    c->connect_deadline = c->linger_at = c->ping_at = c->pong_deadline = SL_CLIENT_NEVER;
    c->last_rtt = -1;
    c->next_number = 1;
    if (!set_string(&c->route, options->route, st) || !set_string(&c->token, options->token, st)) {
        sl_client_connection_free(c);
        return NULL;
    }
    return c;
}

void sl_client_connection_free(sl_client_connection *c) {
    if (!c) return;
    for (size_t i = 0; i < c->session_count; i++)
        sl_client_session_delete(c->sessions[i]);
    sl_delete(c->alloc, c->sessions);
    sl_buf *const bufs[] = {&c->route,    &c->token,   &c->target, &c->offer,
                            &c->inflated, &c->entries, &c->packed, &c->rest.body};
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        sl_buf_free(bufs[i]);
    sl_arena_free(&c->arena);
    sl_arena_free(&c->rest.arena);
    sl_client_event_queue_free(&c->events);
    sl_delete(c->alloc, c);
}

int64_t sl_client_now(const sl_client_connection *c) {
    return c->env->mono_ms(c->env->ctx);
}

/* ---- events ---------------------------------------------------------------------------------- */

bool sl_client_enter(sl_client_connection *c, sl_status *st) {
    size_t more = 24;
    for (size_t i = 0; i < c->session_count; i++)
        more += 13 + c->sessions[i]->wait_count;
    return sl_client_event_queue_reserve(&c->events, more, st);
}

sl_client_event *sl_client_emit(sl_client_connection *c, sl_client_event_type type,
                                uint64_t session) {
    sl_client_event *event = sl_client_event_queue_push(&c->events);
    event->type = type;
    event->session = session;
    event->attempt = c->attempt;
    return event;
}

bool sl_client_connection_has_events(const sl_client_connection *c) {
    return c->events.count > 0;
}

bool sl_client_connection_next_event(sl_client_connection *c, sl_client_event *event) {
    return sl_client_event_queue_take(&c->events, event);
}

static void emit_error(sl_client_connection *c, uint64_t session, const sl_client_error *error) {
    sl_client_event *event = sl_client_emit(c, SL_CLIENT_ERROR, session);
    event->error = *error;
    event->error.json = sl_client_event_queue_text(&c->events, error->json);
}

static void set_state(sl_client_connection *c, sl_connection_state state, int64_t delay_ms) {
    c->state = state;
    sl_client_event *event = sl_client_emit(c, SL_CLIENT_CONNECTION_STATE, 0);
    event->state = (int)state;
    event->delay_ms = delay_ms;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static bool wanted(const sl_client_connection *c) {
    if (c->held || c->forbidden) return false;
    for (size_t i = 0; i < c->session_count; i++)
        if (sl_client_session_wants_bind(c->sessions[i])) return true;
    return false;
}

/* The token is appended as it is: a JWT needs no escaping (1-wire.md, 1.2). */
static bool build_request(sl_client_connection *c) {
    sl_buf_clear(&c->target);
    sl_buf_str(&c->target, text_of(&c->route));
    if (c->token.size > 0) {
        bool query = c->route.size > 0 && memchr(c->route.data, '?', c->route.size) != NULL;
        sl_buf_text(&c->target, query ? "&baas_at=" : "?baas_at=");
        sl_buf_str(&c->target, text_of(&c->token));
    }
    sl_buf_clear(&c->offer);
    sl_offer_write(&c->offer, false, c->options.min_version, c->options.max_version);
    return !c->target.failed && !c->offer.failed;
}

static void start_connect(sl_client_connection *c, int64_t now) {
    if (!build_request(c)) {
        c->retry_at = now + 1000; /* no memory: later */
        return;
    }
    c->attempt++;
    c->connect_deadline = now + c->options.connect_timeout_ms;
    c->retry_at = SL_CLIENT_NEVER;
    set_state(c, SL_CONNECTION_CONNECTING, -1);
    sl_client_event *event = sl_client_emit(c, SL_CLIENT_CONNECT, 0);
    event->target = text_of(&c->target);
    event->offer = text_of(&c->offer);
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static int64_t delay_after(sl_client_connection *c, const sl_client_end *end) {
    if (end->reason == SL_END_VOLUNTARY || c->forget_delay) {
        sl_backoff_reset(&c->backoff);
        return 0;
    }
    sl_backoff_note(&c->backoff, (int)end->reason, end->rule);
    return sl_backoff_next(&c->backoff, c->env);
}

static void stop_timers(sl_client_connection *c) {
    c->connect_deadline = c->linger_at = c->ping_at = c->pong_deadline = SL_CLIENT_NEVER;
    c->ping_due = c->ping_outstanding = c->forget_delay = false;
}

void sl_client_end_connection(sl_client_connection *c, const sl_client_end *end) {
    if (c->state == SL_CONNECTION_DISCONNECTED) return;
    int64_t now = sl_client_now(c);
    bool was_connected = c->state == SL_CONNECTION_CONNECTED;
    int64_t delay = delay_after(c, end);
    stop_timers(c);
    if (end->never) c->forbidden = true;
    c->retry_at = delay == SL_BACKOFF_NEVER ? SL_CLIENT_NEVER : now + delay;
    if (was_connected) c->lost_at = now;
    c->version = 0;
    c->features = 0;
    c->id[0] = 0;
    if (end->close_code) {
        sl_client_event *event = sl_client_emit(c, SL_CLIENT_DISCONNECT, 0);
        event->code = end->close_code;
    }
    for (size_t i = 0; i < c->session_count; i++)
        sl_client_session_disconnected(c->sessions[i]);
    set_state(c, SL_CONNECTION_DISCONNECTED, c->forbidden || c->held ? -1 : delay);
}

static void give_up_waits(sl_client_connection *c) {
    for (size_t i = 0; i < c->session_count; i++)
        c->sessions[i]->fail_waits = true;
}

void sl_client_violation(sl_client_connection *c, uint64_t session, const char *format, ...) {
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_PROTOCOL, 103);
    error.name = "protocol violation by the server";
    error.advice = "The server sent something that the protocol forbids. Compare its version with "
                   "this client's, and report the message text to whoever runs it.";
    error.action = SL_ACTION_PROTOCOL_VIOLATION;
    error.try_again = true;
    va_list args;
    va_start(args, format);
    vsnprintf(error.message, sizeof error.message, format, args);
    va_end(args);
    emit_error(c, session, &error);
    give_up_waits(c);
    sl_client_end_connection(c, &(sl_client_end){.reason = SL_END_PROTOCOL_VIOLATION,
                                                 .close_code = SL_CLOSE_PROTOCOL_ERROR});
}

static sl_client_session *largest_uploader(const sl_client_connection *c) {
    sl_client_session *found = NULL;
    for (size_t i = 0; i < c->session_count; i++) {
        sl_client_session *s = c->sessions[i];
        if (s->closing || !s->history || s->binding.largest == 0) continue;
        if (!found || s->binding.largest > found->binding.largest) found = s;
    }
    return found;
}

/* Close code 1009. A fresh copy would not make the changeset smaller: its session stops, with all
 * that was written, and tells the application. The others come back. */
static void stop_too_big(sl_client_connection *c, sl_client_error *error) {
    sl_client_session *s = largest_uploader(c);
    error->try_again = s == NULL;
    error->action = SL_ACTION_WARNING;
    error->client_reset = false;
    if (!s) {
        emit_error(c, 0, error);
        return;
    }
    sl_client_session_too_big(s, error, s->binding.largest, s->binding.largest_version);
}

static void deactivate_all(sl_client_connection *c) {
    for (size_t i = 0; i < c->session_count; i++)
        sl_client_session_deactivate(c->sessions[i]);
}

void sl_client_fail_connection(sl_client_connection *c, const sl_client_error *error,
                               const sl_client_end *end) {
    bool silent = error->action == SL_ACTION_TRANSIENT ||
                  (error->try_again && (error->action == SL_ACTION_REFRESH_USER ||
                                        error->action == SL_ACTION_REFRESH_LOCATION));
    if (!silent) emit_error(c, 0, error);
    if (!error->try_again) give_up_waits(c);
    switch (error->action) {
    case SL_ACTION_REFRESH_USER:
        c->refusals++;
        sl_client_emit(c, SL_CLIENT_TOKEN_WANTED, 0);
        break;
    case SL_ACTION_REFRESH_LOCATION:
        sl_client_emit(c, SL_CLIENT_LOCATION_WANTED, 0);
        break;
    case SL_ACTION_LOG_OUT_USER:
        sl_client_emit(c, SL_CLIENT_LOG_OUT, 0);
        deactivate_all(c);
        break;
    default:
        break;
    }
    sl_client_end_connection(c, end);
}

/* ---- what the socket does -------------------------------------------------------------------- */

static bool current(const sl_client_connection *c, uint64_t attempt) {
    return attempt == c->attempt && c->state != SL_CONNECTION_DISCONNECTED;
}

static void schedule_ping(sl_client_connection *c, int64_t now, int64_t waited) {
    int64_t period = c->options.ping_period_ms;
    int64_t jitter = c->first_ping ? period : period / 10;
    int64_t wait = period - (int64_t)sl_env_below(c->env, (uint64_t)jitter + 1) - waited;
    c->first_ping = false;
    c->ping_at = now + (wait > 0 ? wait : 0);
}

static void become_connected(sl_client_connection *c, int version) {
    int64_t now = sl_client_now(c);
    c->version = version;
    c->connect_deadline = SL_CLIENT_NEVER;
    c->first_ping = true;
    c->last_rtt = -1;
    c->route_verified = true;
    set_state(c, SL_CONNECTION_CONNECTED, -1);
    schedule_ping(c, now, 0);
    for (size_t i = 0; i < c->session_count; i++)
        sl_client_session_connected(c->sessions[i]);
    c->ever_connected = true;
}

void sl_client_connection_set_features(sl_client_connection *c, uint64_t attempt,
                                       unsigned features) {
    if (current(c, attempt) && c->state == SL_CONNECTION_CONNECTING) c->features = features;
}

bool sl_client_connection_opened(sl_client_connection *c, uint64_t attempt, sl_str subprotocol,
                                 sl_status *st) {
    if (!current(c, attempt) || c->state != SL_CONNECTION_CONNECTING) return true;
    if (!sl_client_enter(c, st)) return false;
    int version;
    sl_status why = SL_STATUS_INIT;
    if (sl_offer_accept(subprotocol, false, c->options.min_version, c->options.max_version,
                        &version, &why)) {
        become_connected(c, version);
    } else {
        sl_client_error error;
        sl_client_error_init(&error, SL_ERR_CONNECTION, 0);
        error.name = "no common protocol";
        error.advice = "The server did not answer with one of the protocol versions this client "
                       "offers. Check that the address belongs to a sync server, and that no proxy "
                       "drops the Sec-WebSocket-Protocol header.";
        sl_client_error_text(&error, sl_str_c(why.message));
        sl_client_fail_connection(c, &error,
                                  &(sl_client_end){.reason = SL_END_MISSING_PROTOCOL,
                                                   .close_code = SL_CLOSE_PROTOCOL_ERROR});
    }
    sl_client_settle(c);
    return true;
}

/* All ways in which the network side ends a connection meet here. */
static void end_by_code(sl_client_connection *c, int code, bool received, int shown, sl_str text) {
    sl_close_info info = sl_close_info_of(code, received, c->route_verified);
    if (info.ignored) return;
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_CONNECTION, shown);
    error.name = info.name;
    error.advice = "";
    error.action = info.action;
    error.try_again = !info.fatal;
    sl_client_error_text(&error, text);
    /* A lost link is daily business: the state event tells of it. */
    if (info.action == SL_ACTION_NONE && !info.fatal && !received && shown != SL_CLOSE_TLS)
        error.action = SL_ACTION_TRANSIENT;
    sl_client_end end = {.reason = info.reason};
    if (code != SL_CLOSE_TOO_BIG) {
        sl_client_fail_connection(c, &error, &end);
        return;
    }
    stop_too_big(c, &error);
    sl_client_end_connection(c, &end);
}

bool sl_client_connection_closed(sl_client_connection *c, uint64_t attempt, int code, sl_str reason,
                                 sl_status *st) {
    if (!current(c, attempt)) return true;
    if (!sl_client_enter(c, st)) return false;
    end_by_code(c, code, true, code, reason);
    sl_client_settle(c);
    return true;
}

bool sl_client_connection_lost(sl_client_connection *c, uint64_t attempt, int code, sl_str text,
                               sl_status *st) {
    if (!current(c, attempt)) return true;
    if (!sl_client_enter(c, st)) return false;
    end_by_code(c, code, false, code, text);
    sl_client_settle(c);
    return true;
}

/* protocol/1-wire.md, 1.6. */
static int code_of_http(int status) {
    if (status == 301 || status == 308) return SL_CLOSE_MOVED;
    if (status >= 300 && status < 400) return SL_CLOSE_RETRY;
    if (status == 401) return SL_CLOSE_UNAUTHORIZED;
    if (status == 403) return SL_CLOSE_FORBIDDEN;
    if (status >= 500 && status < 600) return SL_CLOSE_SERVER_ERROR;
    return SL_CLOSE_FATAL;
}

bool sl_client_connection_refused(sl_client_connection *c, uint64_t attempt, int status,
                                  sl_str text, sl_status *st) {
    if (!current(c, attempt)) return true;
    if (!sl_client_enter(c, st)) return false;
    end_by_code(c, code_of_http(status), false, status, text);
    sl_client_settle(c);
    return true;
}

bool sl_client_connection_receive(sl_client_connection *c, uint64_t attempt, const void *data,
                                  size_t size, sl_status *st) {
    if (!current(c, attempt) || c->state != SL_CONNECTION_CONNECTED) return true;
    if (!sl_client_enter(c, st)) return false;
    sl_arena_reset(&c->arena);
    bool ok = sl_client_dispatch(c, data, size, st);
    sl_client_settle(c);
    return ok;
}

bool sl_client_connection_receive_some(sl_client_connection *c, uint64_t attempt,
                                       const sl_str *messages, size_t count, sl_steps *steps,
                                       size_t *done, sl_status *st) {
    *done = count;
    if (!current(c, attempt) || c->state != SL_CONNECTION_CONNECTED) return true;
    *done = 0;
    if (!sl_client_enter(c, st)) return false;
    sl_arena_reset(&c->arena);
    bool ok = true;
    c->steps = steps;
    if (!c->alone && !c->rest.session) *done = sl_client_download_group(c, messages, count);
    if (c->alone) c->alone--;
    if (*done == 0) {
        sl_arena_reset(&c->arena);
        c->rest.resumed = false;
        ok = sl_client_dispatch(c, messages[0].data, messages[0].size, st);
        if (!c->rest.resumed) sl_client_download_forget(c);
        *done = ok && !c->rest.session;
    }
    c->steps = NULL;
    sl_client_settle(c);
    return ok;
}

bool sl_client_connection_received_text(sl_client_connection *c, uint64_t attempt, sl_status *st) {
    if (!current(c, attempt)) return true;
    if (!sl_client_enter(c, st)) return false;
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_PROTOCOL, SL_CLOSE_UNSUPPORTED);
    error.name = "text message";
    error.try_again = true;
    sl_client_error_text(&error, SL_STR("the server sent a text message; sync is binary"));
    sl_client_fail_connection(
        c, &error,
        &(sl_client_end){.reason = SL_END_WEBSOCKET_VIOLATION, .close_code = SL_CLOSE_UNSUPPORTED});
    sl_client_settle(c);
    return true;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_ping(sl_client_connection *c, sl_buf *out) {
    c->ping_time = sl_client_now(c);
    sl_client_message msg = {.type = SL_MSG_PING};
    msg.ping.timestamp_ms = c->ping_time < 0 ? 0 : c->ping_time;
    msg.ping.rtt_ms = c->last_rtt < 0 ? 0 : c->last_rtt;
    c->ping_time = msg.ping.timestamp_ms;
    sl_client_message_write(out, (sl_dialect){c->version, false}, &msg);
    c->ping_due = false;
    c->ping_outstanding = true;
}

static bool send_unbind(sl_client_connection *c, sl_buf *out, bool *any, sl_status *st) {
    for (size_t i = 0; i < c->session_count && !*any; i++)
        if (sl_client_binding_unbind_due(c->sessions[i]) &&
            !sl_client_binding_send(c->sessions[i], out, any, st))
            return false;
    return true;
}

static bool send_one(sl_client_connection *c, sl_buf *out, bool *any, sl_status *st) {
    if (c->ping_due) {
        if (!sl_buf_reserve(out, 64)) return sl_fail_memory(st);
        send_ping(c, out);
        *any = true;
        return true;
    }
    if (!send_unbind(c, out, any, st)) return false;
    for (size_t i = 0; i < c->session_count && !*any; i++) {
        if (c->turn >= c->session_count) c->turn = 0;
        sl_client_session *s = c->sessions[c->turn++];
        if (!sl_client_binding_send(s, out, any, st)) return false;
    }
    /* A session that found something wrong on its turn has to say so now: the host asks again only
     * when there is news. */
    return send_unbind(c, out, any, st);
}

bool sl_client_connection_send(sl_client_connection *c, sl_buf *out, bool *any, sl_status *st) {
    *any = false;
    if (c->state != SL_CONNECTION_CONNECTED) return true;
    if (!sl_client_enter(c, st)) return false;
    size_t before = out->size;
    sl_arena_reset(&c->arena);
    bool ok = send_one(c, out, any, st);
    if (!*any) out->size = before;
    sl_client_settle(c);
    return ok;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void ping_timers(sl_client_connection *c, int64_t now) {
    if (now >= c->pong_deadline) {
        sl_client_error error;
        sl_client_error_init(&error, SL_ERR_CONNECTION, 0);
        error.name = "no answer to PING";
        error.action = SL_ACTION_TRANSIENT;
        error.try_again = true;
        sl_client_fail_connection(
            c, &error,
            &(sl_client_end){.reason = SL_END_PONG_TIMEOUT, .close_code = SL_CLOSE_GOING_AWAY});
        return;
    }
    if (now < c->ping_at) return;
    c->ping_at = SL_CLIENT_NEVER;
    c->ping_due = true;
    c->pong_deadline = now + c->options.pong_timeout_ms;
}

static void linger_timer(sl_client_connection *c, int64_t now) {
    if (wanted(c)) {
        c->linger_at = SL_CLIENT_NEVER;
        return;
    }
    if (c->linger_at == SL_CLIENT_NEVER) c->linger_at = now + c->options.linger_ms;
    if (now < c->linger_at) return;
    sl_client_end_connection(
        c, &(sl_client_end){.reason = SL_END_VOLUNTARY, .close_code = SL_CLOSE_NORMAL});
}

static void connect_timeout(sl_client_connection *c) {
    bool ask = !c->route_verified;
    sl_client_error error;
    sl_client_error_init(&error, SL_ERR_CONNECTION, 0);
    error.name = "connect timeout";
    error.action = ask ? SL_ACTION_REFRESH_LOCATION : SL_ACTION_TRANSIENT;
    error.try_again = true;
    sl_client_fail_connection(
        c, &error,
        &(sl_client_end){.reason = SL_END_CONNECT_FAILED, .close_code = SL_CLOSE_GOING_AWAY});
}

static void run_timers(sl_client_connection *c, int64_t now) {
    for (size_t i = 0; i < c->session_count; i++)
        sl_client_session_tick(c->sessions[i], now);
    if (c->state == SL_CONNECTION_CONNECTING && now >= c->connect_deadline) connect_timeout(c);
    if (c->state == SL_CONNECTION_CONNECTED) ping_timers(c, now);
    if (c->state == SL_CONNECTION_CONNECTED) linger_timer(c, now);
    if (c->state == SL_CONNECTION_DISCONNECTED && now >= c->retry_at && wanted(c))
        start_connect(c, now);
}

void sl_client_settle(sl_client_connection *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->session_count; i++) {
        if (sl_client_session_settle(c->sessions[i]))
            sl_client_session_delete(c->sessions[i]);
        else
            c->sessions[kept++] = c->sessions[i];
    }
    c->session_count = kept;
    run_timers(c, sl_client_now(c));
    /* A timer may have changed a state; sessions that end here are gone at the next call. */
    for (size_t i = 0; i < c->session_count; i++)
        if (!c->sessions[i]->closing) sl_client_session_settle(c->sessions[i]);
}

bool sl_client_connection_step(sl_client_connection *c, sl_status *st) {
    if (!sl_client_enter(c, st)) return false;
    sl_client_settle(c);
    return true;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t sl_client_connection_deadline(const sl_client_connection *c) {
    int64_t at = SL_CLIENT_NEVER;
    for (size_t i = 0; i < c->session_count; i++) {
        const sl_client_session *s = c->sessions[i];
        /* Until the binding is over its end is waited for, not the time. */
        if (sl_client_binding_over(s)) at = earlier(at, s->resume_at);
        at = earlier(at, s->ack_at);
    }
    if (c->state == SL_CONNECTION_DISCONNECTED) return wanted(c) ? earlier(at, c->retry_at) : at;
    if (c->state == SL_CONNECTION_CONNECTING) return earlier(at, c->connect_deadline);
    return earlier(at, earlier(c->linger_at, earlier(c->ping_at, c->pong_deadline)));
}

/* ---- wishes of the host ---------------------------------------------------------------------- */

static void retry_now(sl_client_connection *c) {
    sl_backoff_reset(&c->backoff);
    c->forbidden = false;
    if (c->state == SL_CONNECTION_DISCONNECTED) c->retry_at = sl_client_now(c);
}

bool sl_client_connection_set_token(sl_client_connection *c, sl_str token, sl_status *st) {
    if (!sl_client_enter(c, st) || !set_string(&c->token, token, st)) return false;
    for (size_t i = 0; i < c->session_count; i++) {
        sl_client_session *s = c->sessions[i];
        if (s->suspended && s->wants_token) s->resume_at = sl_client_now(c);
    }
    /* A second refusal in a row means that fresh tokens do not help: keep the pace down
     * (5-app-services-http.md, 13.4). */
    if (c->refusals < 2) retry_now(c);
    sl_client_settle(c);
    return true;
}

bool sl_client_connection_set_route(sl_client_connection *c, sl_str route, bool verified,
                                    sl_status *st) {
    if (!sl_client_enter(c, st) || !set_string(&c->route, route, st)) return false;
    c->route_verified = verified;
    sl_client_end_connection(
        c, &(sl_client_end){.reason = SL_END_VOLUNTARY, .close_code = SL_CLOSE_NORMAL});
    retry_now(c);
    sl_client_settle(c);
    return true;
}

bool sl_client_connection_reconnect_now(sl_client_connection *c, sl_status *st) {
    if (!sl_client_enter(c, st)) return false;
    c->held = false;
    retry_now(c);
    if (c->state == SL_CONNECTION_CONNECTED) {
        c->forget_delay = true;
        if (!c->ping_outstanding && !c->ping_due) c->ping_at = sl_client_now(c);
    }
    sl_client_settle(c);
    return true;
}

bool sl_client_connection_disconnect(sl_client_connection *c, sl_status *st) {
    if (!sl_client_enter(c, st)) return false;
    c->held = true;
    sl_client_end_connection(
        c, &(sl_client_end){.reason = SL_END_VOLUNTARY, .close_code = SL_CLOSE_NORMAL});
    sl_client_settle(c);
    return true;
}

sl_connection_state sl_client_connection_state(const sl_client_connection *c) {
    return c->state;
}

int sl_client_connection_version(const sl_client_connection *c) {
    return c->version;
}

unsigned sl_client_connection_features(const sl_client_connection *c) {
    return c->state == SL_CONNECTION_CONNECTED ? c->features : 0;
}

int64_t sl_client_connection_rtt(const sl_client_connection *c) {
    return c->last_rtt;
}

sl_str sl_client_connection_id(const sl_client_connection *c) {
    return sl_str_c(c->id);
}
