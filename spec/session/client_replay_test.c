/* Our client in the place of the reference client: the captured conversations 01 to 08, with the
 * server's messages as captured and the same local writes. Every message the reference client sent
 * must be sent by ours, in the same order and with the same octets. Only these may differ:
 *   - the pace and time of PING;
 *   - the progress of an UPLOAD where the reference client had not yet come to integrate a DOWNLOAD
 *     that stands before it (its integration runs beside the network, ours does not), and the
 *     acknowledgement that then follows alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "client_rig.h"
#include "history/client_history_private.h"
#include "protocol/client_message.h"
#include "protocol/entries.h"
#include "realm/apply.h"

enum { MAX_CLIENTS = 4, MAX_WRITES = 64 };

/* A local write of the reference client, as its UPLOAD shows it. */
typedef struct replay_write {
    uint64_t version, timestamp;
    sl_str changeset;
    bool done;
} replay_write;

typedef struct replay_client {
    client_rig rig;
    bool started;
    uint64_t session_number; /* on the wire */
    uint64_t acknowledged;   /* greatest server version in an UPLOAD of ours */
    replay_write writes[MAX_WRITES];
    size_t write_count;
} replay_client;

typedef struct replay {
    json_t *messages;
    replay_client clients[MAX_CLIENTS];
    sl_arena arena;
    size_t compared, differing;
} replay;

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static unsigned nibble(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Head and body of a captured message. */
static sl_str octets(replay *r, const json_t *message) {
    const char *head = text_of(message, "head"), *hex = text_of(message, "body_hex");
    size_t head_size = strlen(head), body_size = strlen(hex) / 2;
    char *data = sl_arena_bytes(&r->arena, head_size + body_size);
    memcpy(data, head, head_size);
    for (size_t i = 0; i < body_size; i++)
        data[head_size + i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return sl_str_of(data, head_size + body_size);
}

static replay_client *client_of(replay *r, const json_t *message) {
    return &r->clients[json_integer_value(json_object_get(message, "conn"))];
}

static sl_str open_upload(replay *r, sl_str message, sl_client_message *msg) {
    sl_buf inflated;
    sl_str entries;
    sl_buf_init(&inflated, NULL);
    assert_true(
        sl_client_message_parse(msg, (sl_dialect){14, false}, message.data, message.size, NULL));
    assert_true(sl_body_open(&msg->upload.body, 0, &inflated, &entries, NULL));
    entries = sl_arena_str(&r->arena, entries);
    sl_buf_free(&inflated);
    return entries;
}

/* Learns from the uploads which local writes there were. */
static void collect_writes(replay *r, const json_t *message) {
    replay_client *client = client_of(r, message);
    sl_client_message msg;
    sl_entry_reader reader;
    sl_upload_entry entry;
    bool more;
    sl_entry_reader_init(&reader, open_upload(r, octets(r, message), &msg));
    while (sl_entry_reader_upload(&reader, &entry, &more, NULL) && more) {
        replay_write *write = &client->writes[client->write_count++];
        *write =
            (replay_write){entry.client_version, entry.origin_timestamp, entry.changeset, false};
    }
}

/* A commit with exactly these bytes, as if they had been recorded. */
static void commit_bytes(client_rig *rig, const replay_write *write) {
    sl_status st = SL_STATUS_INIT;
    sl_client_history *history = rig->file.history;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_client_state state = history->state;
    sl_history_entry entry = {.peer_version = state.cursors.dl_sv,
                              .origin_timestamp = write->timestamp,
                              .changeset = write->changeset};
    if (!sl_changeset_parse(&cs, write->changeset.data, write->changeset.size, &st) ||
        !sl_client_history_begin_private(history, &st) ||
        !sl_realm_apply(history->realm, &cs, &st) ||
        !sl_client_history_finish(history, &state, &entry, true, &st))
        file_fatal("local write", &st);
    sl_changeset_free(&cs);
}

/* Makes the writes up to `last` whose turn it is by their version. */
static void write_due(replay_client *client, uint64_t last) {
    for (size_t i = 0; i < client->write_count; i++) {
        replay_write *write = &client->writes[i];
        if (write->done) continue;
        if (write->version > last) return;
        if (write->version != sl_client_state_next_version(&client->rig.file.history->state))
            return;
        commit_bytes(&client->rig, write);
        write->done = true;
    }
}

static void start(replay_client *client) {
    rig_start(&client->rig, "/test", true);
    assert_string_equal(client->rig.target, "/realm-sync?baas_at=dummy-token");
    client->started = true;
    client->session_number = 1;
}

static void offer_equals(const replay_client *client, const char *head) {
    const char *at = strstr(head, "Sec-WebSocket-Protocol: ");
    assert_non_null(at);
    at += strlen("Sec-WebSocket-Protocol: ");
    assert_memory_equal(at, client->rig.offer, strlen(client->rig.offer));
    assert_memory_equal(at + strlen(client->rig.offer), "\r\n", 2);
}

static void note_acknowledged(replay *r, replay_client *client, sl_str actual) {
    sl_client_message a;
    if (strncmp(actual.data, "upload ", 7) != 0) return;
    open_upload(r, actual, &a);
    client->acknowledged = a.upload.progress_sv;
}

/* An acknowledgement that ours has sent already, with an UPLOAD that came further. */
static bool acknowledged_before(replay *r, const replay_client *client, sl_str expected) {
    sl_client_message e;
    if (strncmp(expected.data, "upload ", 7) != 0 || open_upload(r, expected, &e).size > 0)
        return false;
    return client->acknowledged >= e.upload.progress_sv;
}

/* Same entries; the progress may have come further than the reference client's. */
static void compare_upload(replay *r, sl_str expected, sl_str actual) {
    sl_client_message e, a;
    sl_str e_entries = open_upload(r, expected, &e), a_entries = open_upload(r, actual, &a);
    if (!sl_str_eq(e_entries, a_entries) || e.session != a.session ||
        a.upload.progress_cv < e.upload.progress_cv ||
        a.upload.progress_sv < e.upload.progress_sv || a.upload.locked_sv < e.upload.locked_sv)
        fail_msg("sent: %.*s\nexpected: %.*s", (int)actual.size, actual.data, (int)expected.size,
                 expected.data);
    r->differing++;
}

/* Client version of the last changeset of an UPLOAD, 0 if it has none. */
static uint64_t last_entry(replay *r, sl_str message) {
    sl_client_message msg;
    sl_entry_reader reader;
    sl_upload_entry entry;
    bool more;
    uint64_t last = 0;
    sl_entry_reader_init(&reader, open_upload(r, message, &msg));
    while (sl_entry_reader_upload(&reader, &entry, &more, NULL) && more)
        last = entry.client_version;
    return last;
}

static void expect_ping(replay_client *client) {
    client_rig *rig = &client->rig;
    rig_wait(rig, sl_client_connection_deadline(rig->connection) - rig->env.mono);
    assert_true(rig_take(rig));
    assert_memory_equal(rig->out.data, "ping ", 5);
}

static void prepare(replay_client *client, const char *head) {
    client_rig *rig = &client->rig;
    uint64_t session = 0, request = 0;
    unsigned long long a = 0, b = 0;
    if (sscanf(head, "mark %llu %llu", &a, &b) == 2)
        assert_true(sl_client_session_wait_download(rig->session, &request, NULL));
    if (sscanf(head, "unbind %llu", &a) == 1 &&
        sl_client_session_state(rig->session) == SL_SESSION_ACTIVE)
        sl_client_session_close(rig->session);
    if (sscanf(head, "bind %llu", &a) == 1 && a != client->session_number) {
        sl_status st = SL_STATUS_INIT;
        sl_client_session_options options = {.path = SL_STR("/test"), .no_upload_delay = true};
        rig->session = sl_client_session_open(rig->connection, rig->file.history, &options, &st);
        assert_non_null(rig->session);
        client->session_number = a;
    }
    (void)session;
    rig_drain(rig);
}

static void client_message(replay *r, const json_t *message) {
    replay_client *client = client_of(r, message);
    const char *head = text_of(message, "head");
    if (strncmp(head, "ping ", 5) == 0) {
        expect_ping(client);
        return;
    }
    prepare(client, head);
    sl_str expected = octets(r, message);
    if (acknowledged_before(r, client, expected)) {
        r->differing++;
        return;
    }
    if (strncmp(head, "upload ", 7) == 0) write_due(client, last_entry(r, expected));
    if (!rig_take(&client->rig)) fail_msg("nothing to send, expected: %s", head);
    sl_str actual = sl_str_of(client->rig.out.data, client->rig.out.size);
    r->compared++;
    note_acknowledged(r, client, actual);
    if (sl_str_eq(expected, actual)) return;
    if (strncmp(head, "upload ", 7) != 0 || strncmp(actual.data, "upload ", 7) != 0)
        fail_msg("sent: %s\nexpected: %s", actual.data, head);
    compare_upload(r, expected, actual);
}

static void server_message(replay *r, const json_t *message) {
    replay_client *client = client_of(r, message);
    const char *head = text_of(message, "head");
    /* These make a version here: what was written before them is written now. */
    if (strncmp(head, "ident ", 6) == 0 || strncmp(head, "download ", 9) == 0)
        write_due(client, UINT64_MAX);
    if (strncmp(head, "pong ", 5) == 0) {
        char pong[64];
        unsigned long long time = 0;
        assert_int_equal(sscanf(client->rig.out.data, "ping %llu", &time), 1);
        snprintf(pong, sizeof pong, "pong %llu\n", time);
        rig_give(&client->rig, pong);
        return;
    }
    sl_str data = octets(r, message);
    rig_give_bytes(&client->rig, data.data, data.size);
}

static void http(replay *r, const json_t *message) {
    replay_client *client = client_of(r, message);
    const char *head = text_of(message, "head");
    if (strcmp(text_of(message, "dir"), "c2s") == 0) {
        if (!client->started) start(client);
        offer_equals(client, head);
        return;
    }
    const char *token = strstr(head, "Sec-WebSocket-Protocol: ") + 24;
    assert_true(sl_client_connection_opened(client->rig.connection, client->rig.attempt,
                                            sl_str_of(token, strcspn(token, "\r")), NULL));
    rig_drain(&client->rig);
}

/* Transcript 07 starts with a file that another server knows. */
static void make_foreign_file(replay_client *client) {
    sl_status st = SL_STATUS_INIT;
    sl_client_history *history = client->rig.file.history;
    sl_client_state state = {.version = 4, .base = 2, .ident = 2, .salt = 8992080031204953769};
    state.cursors = (sl_client_cursors){1, 8114908057541211521, 1, 2, 3, 0};
    sl_history_entry entry = {.peer_version = 1, .origin_file = 1};
    history->state.version = 4;
    if (!sl_client_history_begin_private(history, &st) ||
        !sl_client_history_finish(history, &state, &entry, true, &st))
        file_fatal("foreign file", &st);
}

static json_t *load(const char *name) {
    const char *shared = getenv("SYNCLINE_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/vectors/transcripts/%s.json", shared ? shared : "../shared",
             name);
    json_error_t error;
    json_t *document = json_load_file(path, 0, &error);
    if (!document) fail_msg("%s: %s", path, error.text);
    return document;
}

static void replay_transcript(const char *name, size_t messages, size_t differing) {
    replay *r = calloc(1, sizeof *r);
    json_t *document = load(name), *message;
    size_t i;
    sl_arena_init(&r->arena, NULL);
    r->messages = json_object_get(document, "messages");
    for (i = 0; i < MAX_CLIENTS; i++)
        rig_init(&r->clients[i].rig);
    if (strncmp(name, "07", 2) == 0) make_foreign_file(&r->clients[1]);
    json_array_foreach(r->messages, i, message) {
        if (strncmp(text_of(message, "head"), "upload ", 7) == 0) collect_writes(r, message);
    }
    json_array_foreach(r->messages, i, message) {
        const char *kind = text_of(message, "kind");
        bool from_client = strcmp(text_of(message, "dir"), "c2s") == 0;
        if (strcmp(kind, "http") == 0) http(r, message);
        if (strcmp(kind, "binary") == 0)
            from_client ? client_message(r, message) : server_message(r, message);
    }
    for (i = 0; i < MAX_CLIENTS; i++) {
        if (r->clients[i].started) {
            rig_expect_nothing(&r->clients[i].rig);
            assert_int_equal(r->clients[i].rig.closed, 0);
        }
        rig_free(&r->clients[i].rig);
    }
    assert_int_equal(r->compared, messages);
    assert_int_equal(r->differing, differing);
    sl_arena_free(&r->arena);
    json_decref(document);
    free(r);
}

static void first_connect_of_an_empty_realm(void **state) {
    (void)state;
    replay_transcript("01_first_connect_empty_realm", 4, 0);
}
static void two_clients_upload_and_download(void **state) {
    (void)state;
    replay_transcript("02_upload_download_two_clients", 27, 2);
}
static void compressed_bodies(void **state) {
    (void)state;
    replay_transcript("03_compressed_bodies", 9, 1);
}
static void marks(void **state) {
    (void)state;
    replay_transcript("04_mark", 5, 0);
}
static void unbind_and_rebind(void **state) {
    (void)state;
    replay_transcript("05_unbind_and_rebind", 12, 1);
}
static void token_that_nobody_checks(void **state) {
    (void)state;
    replay_transcript("06_bad_token", 3, 0);
}
static void file_of_another_server(void **state) {
    (void)state;
    replay_transcript("07_bad_client_file_ident", 5, 0);
}
static void heartbeats(void **state) {
    (void)state;
    replay_transcript("08_ping_pong", 3, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_connect_of_an_empty_realm),
        cmocka_unit_test(two_clients_upload_and_download),
        cmocka_unit_test(compressed_bodies),
        cmocka_unit_test(marks),
        cmocka_unit_test(unbind_and_rebind),
        cmocka_unit_test(token_that_nobody_checks),
        cmocka_unit_test(file_of_another_server),
        cmocka_unit_test(heartbeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
