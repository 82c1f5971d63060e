/* server_rig.h - server connections over one or two files in a test, and clients that the test
 * plays by hand, octet by octet. Include after cmocka.h. */
#ifndef SL_SPEC_SERVER_RIG_H
#define SL_SPEC_SERVER_RIG_H

#include <stdarg.h>

#include "client_file.h"
#include "failing_alloc.h"
#include "notation.h"
#include "protocol/entries.h"
#include "protocol/server_message.h"
#include "session/server_connection.h"

enum { RIG_FILES = 4, RIG_MESSAGES = 64 };

typedef struct server_rig {
    test_env env;
    failing_alloc memory;
    sl_server_host host;
    struct rig_file {
        char name[128];
        sl_memory_disk *disk;
        sl_server_file *file;
        int lent, work_calls;
    } files[RIG_FILES];
    sl_access access; /* what `open` answers */
    int open_code;    /* or this session error */
    int wakes, troubles;
    int trouble_code;
    const char *token; /* legacy token that is good; "" = none */
    uint64_t max_backlog;
    size_t unit_bytes;
    sl_realm_limits limits;
    unsigned switched_off; /* features of the next connections */
} server_rig;

/* One client. `messages` are what it has received, oldest first, since the last clear. */
typedef struct raw_client {
    server_rig *rig;
    sl_dialect dialect;
    sl_server_connection *connection;
    sl_buf messages[RIG_MESSAGES];
    size_t count;
    uint64_t ident;
    int64_t salt;
    uint64_t latest_sv, dl_sv, dl_cv, ul_cv;
    int64_t latest_salt;
} raw_client;

static inline struct rig_file *rig_file_named(server_rig *rig, const char *name) {
    struct rig_file *f = rig->files;
    while (f->name[0] && strcmp(f->name, name) != 0)
        f++;
    if (!f->name[0]) snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

static inline void rig_on_work(void *ctx, sl_server_file *file) {
    (void)file;
    ((struct rig_file *)ctx)->work_calls++;
}

static inline bool rig_open_file(server_rig *rig, struct rig_file *f, sl_status *st) {
    sl_store *store = NULL;
    sl_server_file_options options = {.alloc = &rig->memory.alloc,
                                      .env = &rig->env.env,
                                      .max_backlog = rig->max_backlog,
                                      .unit_bytes = rig->unit_bytes,
                                      .limits = rig->limits,
                                      .on_work = rig_on_work,
                                      .ctx = f};
    if (!f->disk) f->disk = sl_memory_disk_new(&rig->memory.alloc);
    if (!f->disk) return sl_fail_memory(st);
    if (!sl_memory_disk_open(f->disk, &store, st)) return false;
    f->file = sl_server_file_open(store, &options, st);
    if (!f->file) store->vtbl->close(store);
    return f->file != NULL;
}

static inline bool rig_host_open(void *ctx, const sl_bind_request *request, sl_server_file **file,
                                 sl_access *access, sl_status *st) {
    server_rig *rig = ctx;
    char name[128];
    if (rig->open_code) return sl_fail_code(st, SL_ERR_SESSION, rig->open_code, "as told");
    *access = rig->access;
    snprintf(name, sizeof name, "%.*s", (int)request->partition.size, request->partition.data);
    struct rig_file *f = rig_file_named(rig, name);
    if (!f->file && !rig_open_file(rig, f, st)) return false;
    f->lent++;
    *file = f->file;
    return true;
}

static inline void rig_host_release(void *ctx, sl_server_file *file) {
    server_rig *rig = ctx;
    for (int i = 0; i < RIG_FILES; i++)
        if (rig->files[i].file == file) rig->files[i].lent--;
}

static inline void rig_host_wake(void *ctx) {
    ((server_rig *)ctx)->wakes++;
}

static inline bool rig_host_token(void *ctx, sl_str token, sl_str now, sl_str *user) {
    server_rig *rig = ctx;
    (void)now;
    *user = SL_STR("ann");
    return rig->token && sl_str_eq(token, sl_str_c(rig->token));
}

static inline void rig_host_trouble(void *ctx, const sl_status *st) {
    server_rig *rig = ctx;
    rig->troubles++;
    rig->trouble_code = st->code;
}

static inline void rig_init(server_rig *rig) {
    memset(rig, 0, sizeof *rig);
    test_env_init(&rig->env, 7);
    failing_alloc_init(&rig->memory);
    rig->host = (sl_server_host){rig_host_open, rig_host_release, rig_host_wake, rig_host_token,
                                 rig_host_trouble};
    rig->access = SL_ACCESS_WRITE;
}

/* Closes everything and asserts that nothing is left. */
static inline void rig_free(server_rig *rig) {
    for (int i = 0; i < RIG_FILES; i++) {
        assert_int_equal(rig->files[i].lent, 0);
        sl_server_file_close(rig->files[i].file);
        if (rig->files[i].disk) sl_memory_disk_free(rig->files[i].disk);
    }
    assert_int_equal(rig->memory.live, 0);
}

/* Does all work that waits in all files. */
static inline bool rig_work(server_rig *rig, sl_status *st) {
    for (int i = 0; i < RIG_FILES; i++)
        if (rig->files[i].file && !sl_server_file_work(rig->files[i].file, st)) return false;
    return true;
}

/* ---- clients --------------------------------------------------------------------------------- */

static inline bool raw_try_connect(raw_client *client, server_rig *rig, int version,
                                   sl_status *st) {
    memset(client, 0, sizeof *client);
    client->rig = rig;
    client->dialect = (sl_dialect){version, false};
    sl_server_connection_options options = {.alloc = &rig->memory.alloc,
                                            .env = &rig->env.env,
                                            .host = &rig->host,
                                            .ctx = rig,
                                            .dialect = client->dialect,
                                            .switched_off = rig->switched_off,
                                            .authenticated = rig->token == NULL};
    client->connection = sl_server_connection_new(&options, st);
    return client->connection != NULL;
}

static inline void raw_connect(raw_client *client, server_rig *rig, int version) {
    assert_true(raw_try_connect(client, rig, version, NULL));
}

static inline void raw_clear(raw_client *client) {
    for (size_t i = 0; i < client->count; i++)
        sl_buf_free(&client->messages[i]);
    client->count = 0;
}

static inline void raw_free(raw_client *client) {
    raw_clear(client);
    sl_server_connection_free(client->connection);
    client->connection = NULL;
}

static inline void raw_note(raw_client *client, const sl_server_message *msg) {
    if (msg->type == SL_MSG_IDENT) {
        client->ident = msg->ident.file_ident;
        client->salt = msg->ident.salt;
    }
    if (msg->type != SL_MSG_DOWNLOAD) return;
    client->dl_sv = msg->download.dl_sv;
    client->dl_cv = msg->download.dl_cv;
    client->latest_sv = msg->download.latest_sv;
    client->latest_salt = msg->download.latest_salt;
    client->ul_cv = msg->download.ul_cv;
}

/* Takes everything the server has to send now; every message has to parse. */
static inline bool raw_try_take(raw_client *client, sl_status *st) {
    for (bool any = true; any;) {
        sl_buf out;
        sl_server_message msg;
        sl_buf_init(&out, NULL);
        if (!sl_server_connection_send(client->connection, &out, &any, st)) {
            sl_buf_free(&out);
            return false;
        }
        if (!any) {
            sl_buf_free(&out);
            break;
        }
        if (!sl_server_message_parse(&msg, client->dialect, out.data, out.size, NULL))
            fail_msg("the server sent %.*s", (int)out.size, out.data);
        raw_note(client, &msg);
        assert_true(client->count < RIG_MESSAGES);
        client->messages[client->count++] = out;
    }
    return true;
}

static inline void raw_take(raw_client *client) {
    sl_status st = SL_STATUS_INIT;
    if (!raw_try_take(client, &st)) fail_msg("%s", st.message);
}

/* Sends a message given like printf, then takes the answers. */
static inline void raw_say(raw_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void raw_say(raw_client *client, const char *format, ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    assert_true(sl_server_connection_receive(client->connection, text, (size_t)size, NULL));
    raw_take(client);
}

/* Let the files work, then takes what came of it. */
static inline void raw_work(raw_client *client) {
    sl_status st = SL_STATUS_INIT;
    if (!rig_work(client->rig, &st)) fail_msg("%s", st.message);
    raw_take(client);
}

/* The messages received since the last look, joined with "|"; bodies of entries as they are.
 * Clears. */
static inline const char *raw_heard(raw_client *client) {
    static char text[8192];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < client->count; i++) {
        const sl_buf *m = &client->messages[i];
        int size = (int)m->size;
        if (m->data[size - 1] == '\n') size--;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", i ? "|" : "", size, m->data);
    }
    raw_clear(client);
    return text;
}

/* The number of the one error heard (connection or session level), 0 if none. Clears. */
static inline int raw_error(raw_client *client) {
    int code = 0;
    for (size_t i = 0; i < client->count; i++) {
        sl_server_message msg;
        const sl_buf *m = &client->messages[i];
        assert_true(sl_server_message_parse(&msg, client->dialect, m->data, m->size, NULL));
        if (msg.type == SL_MSG_ERROR) code = msg.error.code;
        if (msg.type == SL_MSG_JSON_ERROR) code = msg.json_error.code;
    }
    raw_clear(client);
    return code;
}

/* BIND and IDENT of a new file, up to the first DOWNLOAD. */
static inline void raw_bind_new(raw_client *client, const char *partition) {
    raw_say(client, "bind 1 %zu 0 1 0\n%s", strlen(partition), partition);
    raw_work(client);
    assert_true(client->ident >= 2);
    raw_say(client, "ident 1 %llu %lld 0 0 0 0\n", (unsigned long long)client->ident,
            (long long)client->salt);
    raw_clear(client);
}

/* Appends an UPLOAD entry made of notation to `body`. */
static inline void raw_entry(sl_buf *body, uint64_t cv, uint64_t sv, uint64_t timestamp,
                             const char *instructions) {
    sl_changeset cs;
    sl_buf bytes;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&bytes, NULL);
    if (!notation_read(&cs, instructions)) fail_msg("notation: %s", instructions);
    assert_true(sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, &bytes, NULL));
    sl_upload_entry entry = {cv, sv, timestamp, 0, sl_str_of(bytes.data, bytes.size)};
    sl_upload_entry_write(body, &entry);
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
}

/* Sends UPLOAD with `body` (freed) as it is. */
static inline void raw_upload(raw_client *client, uint64_t cv, uint64_t sv, uint64_t locked,
                              sl_buf *body) {
    sl_client_message msg = {
        .type = SL_MSG_UPLOAD,
        .session = 1,
        .upload = {cv, sv, locked, {false, body->size, sl_str_of(body->data, body->size)}}};
    sl_buf wire;
    sl_buf_init(&wire, NULL);
    sl_client_message_write(&wire, client->dialect, &msg);
    assert_true(sl_server_connection_receive(client->connection, wire.data, wire.size, NULL));
    sl_buf_free(&wire);
    sl_buf_free(body);
    raw_take(client);
}

/* Uploads one changeset and has it integrated. */
static inline void raw_commit(raw_client *client, uint64_t cv, uint64_t sv, const char *text) {
    sl_buf body;
    sl_buf_init(&body, NULL);
    raw_entry(&body, cv, sv, 1000 + cv, text);
    raw_upload(client, cv, sv, 0, &body);
    raw_work(client);
}

/* Sends TRANSACT with a changeset in notation. */
static inline void raw_transact(raw_client *client, uint64_t cv, uint64_t sv, const char *text) {
    sl_changeset cs;
    sl_buf bytes, wire;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&bytes, NULL);
    sl_buf_init(&wire, NULL);
    if (!notation_read(&cs, text)) fail_msg("notation: %s", text);
    assert_true(sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, &bytes, NULL));
    sl_client_message msg = {.type = SL_MSG_TRANSACT,
                             .session = 1,
                             .transact = {cv, sv, sl_str_of(bytes.data, bytes.size)}};
    sl_client_message_write(&wire, client->dialect, &msg);
    assert_true(sl_server_connection_receive(client->connection, wire.data, wire.size, NULL));
    sl_buf_free(&wire);
    sl_buf_free(&bytes);
    sl_changeset_free(&cs);
    raw_take(client);
}

/* ---- small words
 * --------------------------------------------------------------------------------- */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CHANGE       "table P(_id:int); column P.x:int; create P1; P1.x = 1"

static inline void hears(raw_client *client, const char *expected) {
    assert_string_equal(raw_heard(client), expected);
}

/* A rig with one identified client on protocol 14. */
typedef struct one {
    server_rig rig;
    raw_client a;
} one;

static inline void one_start(one *o) {
    rig_init(&o->rig);
    raw_connect(&o->a, &o->rig, 14);
    raw_bind_new(&o->a, "\"p\"");
}

static inline void one_end(one *o) {
    raw_free(&o->a);
    rig_free(&o->rig);
}

/* IDENT of session 1: `fields` with S for the salt of client `of` and L for its latest salt. */
static inline void say_ident(raw_client *client, const char *fields, const raw_client *of) {
    char text[300];
    size_t at = 0;
    for (const char *p = fields; *p; p++) {
        if (*p == 'S')
            at += (size_t)snprintf(text + at, sizeof text - at, "%lld", (long long)of->salt);
        else if (*p == 'L')
            at += (size_t)snprintf(text + at, sizeof text - at, "%lld", (long long)of->latest_salt);
        else
            text[at++] = *p;
    }
    text[at] = 0;
    raw_say(client, "ident 1 %s\n", text);
}

#endif
