/* client_rig.h - a client connection with one session in a test, against a server that the test
 * plays by hand. Include after cmocka.h. */
#ifndef SL_SPEC_CLIENT_RIG_H
#define SL_SPEC_CLIENT_RIG_H

#include "client_file.h"
#include "session/client_session.h"

enum { RIG_EVENTS = 256 };

typedef struct client_rig {
    test_env env;
    client_file file;
    sl_client_connection *connection;
    sl_client_session *session;
    int64_t ack_delay_ms;
    uint64_t attempt; /* of the newest CONNECT event */
    char target[512], offer[512];
    int closed; /* close code of the newest DISCONNECT event, 0 = none */
    sl_buf out; /* last message taken */
    sl_client_event events[RIG_EVENTS];
    size_t event_count;
} client_rig;

static inline void rig_drain(client_rig *rig) {
    sl_client_event event;
    while (sl_client_connection_next_event(rig->connection, &event)) {
        if (event.type == SL_CLIENT_CONNECT) {
            rig->attempt = event.attempt;
            snprintf(rig->target, sizeof rig->target, "%.*s", (int)event.target.size,
                     event.target.data);
            snprintf(rig->offer, sizeof rig->offer, "%.*s", (int)event.offer.size,
                     event.offer.data);
        }
        if (event.type == SL_CLIENT_DISCONNECT) rig->closed = event.code;
        event.target = event.offer = event.text = event.level = SL_STR("");
        event.error.json = SL_STR("");
        if (rig->event_count < RIG_EVENTS) rig->events[rig->event_count++] = event;
    }
}

static inline void rig_init(client_rig *rig) {
    memset(rig, 0, sizeof *rig);
    test_env_init(&rig->env, 1);
    sl_buf_init(&rig->out, NULL);
    file_open(&rig->file, &rig->env);
}

/* Makes the connection and, unless `path` is NULL, a session. */
static inline void rig_start(client_rig *rig, const char *path, bool no_upload_delay) {
    sl_status st = SL_STATUS_INIT;
    sl_client_connection_options options = {.alloc = rig->file.alloc,
                                            .env = &rig->env.env,
                                            .route = SL_STR("/realm-sync"),
                                            .token = SL_STR("dummy-token"),
                                            .ack_delay_ms = rig->ack_delay_ms,
                                            .route_verified = true};
    rig->connection = sl_client_connection_new(&options, &st);
    if (!rig->connection) file_fatal("connection", &st);
    if (!path) return;
    sl_client_session_options session = {.path = sl_str_c(path),
                                         .no_upload_delay = no_upload_delay};
    rig->session = sl_client_session_open(rig->connection, rig->file.history, &session, &st);
    if (!rig->session) file_fatal("session", &st);
    rig_drain(rig);
}

static inline void rig_stop(client_rig *rig) {
    sl_client_connection_free(rig->connection);
    rig->connection = NULL;
    rig->session = NULL;
    rig->event_count = 0;
}

static inline void rig_free(client_rig *rig) {
    rig_stop(rig);
    file_free(&rig->file);
    sl_buf_free(&rig->out);
}

static inline void rig_step(client_rig *rig) {
    assert_true(sl_client_connection_step(rig->connection, NULL));
    rig_drain(rig);
}

static inline void rig_wait(client_rig *rig, int64_t ms) {
    rig->env.mono += ms;
    rig->env.wall += ms;
    rig_step(rig);
}

/* The server accepts the upgrade with protocol `version`. */
static inline void rig_connect(client_rig *rig, int version) {
    char token[64];
    rig_step(rig);
    assert_int_equal(sl_client_connection_state(rig->connection), SL_CONNECTION_CONNECTING);
    snprintf(token, sizeof token, "com.mongodb.realm-sync#%d", version);
    assert_true(sl_client_connection_opened(rig->connection, rig->attempt, sl_str_c(token), NULL));
    rig_drain(rig);
}

/* Takes the next message; false if there is none. */
static inline bool rig_take(client_rig *rig) {
    bool any = false;
    sl_status st = SL_STATUS_INIT;
    sl_buf_clear(&rig->out);
    if (!sl_client_connection_send(rig->connection, &rig->out, &any, &st)) file_fatal("send", &st);
    rig_drain(rig);
    sl_buf_byte(&rig->out, 0);
    rig->out.size--;
    return any;
}

static inline void rig_expect(client_rig *rig, const char *message) {
    if (!rig_take(rig)) fail_msg("nothing to send, expected: %s", message);
    if (rig->out.size != strlen(message) || memcmp(rig->out.data, message, rig->out.size) != 0)
        fail_msg("sent: %s\nexpected: %s", rig->out.data, message);
}

static inline void rig_expect_nothing(client_rig *rig) {
    if (rig_take(rig)) fail_msg("sent, expected nothing: %s", rig->out.data);
}

static inline void rig_give_bytes(client_rig *rig, const void *data, size_t size) {
    sl_status st = SL_STATUS_INIT;
    if (!sl_client_connection_receive(rig->connection, rig->attempt, data, size, &st))
        file_fatal("receive", &st);
    rig_drain(rig);
}

static inline void rig_give(client_rig *rig, const char *message) {
    rig_give_bytes(rig, message, strlen(message));
}

/* A JSON_ERROR with the six mandatory keys; `extra` is "" or starts with a comma. */
static inline void rig_give_error(client_rig *rig, int session, int code, const char *action,
                                  bool try_again, const char *extra) {
    char json[512], message[700];
    snprintf(json, sizeof json,
             "{\"action\":\"%s\",\"isRecoveryModeDisabled\":false,\"logURL\":\"\",\"message\":"
             "\"words\",\"shouldClientReset\":false,\"tryAgain\":%s%s}",
             action, try_again ? "true" : "false", extra);
    snprintf(message, sizeof message, "json_error %d %zu %d\n%s", code, strlen(json), session,
             json);
    rig_give(rig, message);
}

/* Number of events of a type since rig_forget, and the last of them. */
static inline size_t rig_count(const client_rig *rig, sl_client_event_type type,
                               const sl_client_event **last) {
    size_t count = 0;
    for (size_t i = 0; i < rig->event_count; i++)
        if (rig->events[i].type == type) {
            count++;
            if (last) *last = &rig->events[i];
        }
    return count;
}

static inline void rig_forget(client_rig *rig) {
    rig->event_count = 0;
    rig->closed = 0;
}

/* BIND, ident 2 with salt 77, IDENT, first DOWNLOAD of an empty server. */
static inline void rig_bind_new(client_rig *rig) {
    rig_connect(rig, 14);
    rig_expect(rig, "bind 1 5 0 1 0\n/test");
    rig_give(rig, "ident 1 2 77\n");
    rig_expect(rig, "ident 1 2 77 0 0 0 0\n");
    rig_give(rig, "download 1 0 0 0 0 0 0 0 0 0 0\n");
}

#endif
