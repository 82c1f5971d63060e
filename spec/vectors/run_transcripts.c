/* Recorded conversations (transcripts/NAME.json): every message is read in its direction and
 * version and written again octet for octet; then the client's side is replayed against our own
 * server and the kinds of answers are compared with the recorded ones. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "net/system_env.h"
#include "protocol/entries.h"
#include "protocol/json_error.h"
#include "protocol/log_message.h"
#include "protocol/negotiate.h"
#include "protocol/server_message.h"
#include "session/server_connection.h"
#include "store/memory_store.h"
#include "vectors.h"

enum { MAX_CONNECTIONS = 8, MAX_FILES = 4, MAX_SALTS = 64 };

/* What was sent or heard on one connection: "download", "error 211", ... joined by spaces. */
typedef struct kinds {
    char text[1024];
} kinds;

typedef struct replay_file {
    char name[256];
    sl_server_file *file;
} replay_file;

typedef struct runner {
    vec_count count;
    const char *name;
    sl_dialect dialect[MAX_CONNECTIONS];
    bool negotiated[MAX_CONNECTIONS];
    sl_server_connection *connection[MAX_CONNECTIONS];
    kinds recorded[MAX_CONNECTIONS], heard[MAX_CONNECTIONS];
    replay_file files[MAX_FILES];
    /* Salts the reference server drew, in order, and those that ours drew in the same places. */
    uint64_t their_salts[MAX_SALTS], our_salts[MAX_SALTS];
    size_t their_count, our_count;
    /* Ours is drawn anew for every version, theirs once: index = version. */
    int64_t version_salts[MAX_SALTS];
} runner;

/* ---- reading and writing again --------------------------------------------------------------- */

static bool copy_entry(bool upload, sl_entry_reader *reader, sl_buf *out, bool *more,
                       sl_status *st) {
    if (upload) {
        sl_upload_entry entry;
        if (!sl_entry_reader_upload(reader, &entry, more, st)) return false;
        if (*more) sl_upload_entry_write(out, &entry);
        return true;
    }
    sl_download_entry entry;
    if (!sl_entry_reader_download(reader, &entry, more, st)) return false;
    if (*more) sl_download_entry_write(out, &entry);
    return true;
}

/* The entries survive, and our compression decides and compresses as the reference does. */
static bool body_again(bool upload, const sl_body *body, sl_status *st) {
    sl_buf inflated, out, packed;
    sl_str entries;
    sl_body again;
    sl_entry_reader reader;
    bool more = true;
    sl_buf_init(&inflated, NULL);
    sl_buf_init(&out, NULL);
    sl_buf_init(&packed, NULL);
    bool ok = sl_body_open(body, 0, &inflated, &entries, st);
    if (ok) sl_entry_reader_init(&reader, entries);
    while (ok && more)
        ok = copy_entry(upload, &reader, &out, &more, st);
    if (ok && !sl_str_eq(entries, sl_str_of(out.data, out.size)))
        ok = sl_fail(st, SL_ERR_INTERNAL, "", "the entries are written differently");
    if (ok) ok = sl_body_pack(NULL, entries, &packed, &again, st);
    if (ok && (again.compressed != body->compressed || !sl_str_eq(again.bytes, body->bytes)))
        ok = sl_fail(st, SL_ERR_INTERNAL, "", "the body is compressed differently");
    sl_buf_free(&inflated);
    sl_buf_free(&out);
    sl_buf_free(&packed);
    return ok;
}

static bool json_again(const sl_server_message *msg, int version, sl_status *st) {
    sl_arena arena;
    sl_log_message log;
    sl_json_error error;
    bool ok = true;
    sl_arena_init(&arena, NULL);
    if (msg->type == SL_MSG_LOG_MESSAGE) ok = sl_log_message_parse(&log, msg->log, &arena, st);
    if (msg->type == SL_MSG_JSON_ERROR)
        ok = sl_json_error_parse(&error, msg->json_error.code, version, msg->json_error.json,
                                 &arena, st);
    sl_arena_free(&arena);
    return ok;
}

static bool client_again(sl_dialect dialect, sl_str wire, sl_buf *out, sl_status *st) {
    sl_client_message msg;
    if (!sl_client_message_parse(&msg, dialect, wire.data, wire.size, st)) return false;
    sl_client_message_write(out, dialect, &msg);
    return msg.type != SL_MSG_UPLOAD || body_again(true, &msg.upload.body, st);
}

static bool server_again(sl_dialect dialect, sl_str wire, sl_buf *out, sl_status *st) {
    sl_server_message msg;
    if (!sl_server_message_parse(&msg, dialect, wire.data, wire.size, st)) return false;
    sl_server_message_write(out, dialect, &msg);
    if (msg.type == SL_MSG_DOWNLOAD) return body_again(false, &msg.download.body, st);
    return json_again(&msg, dialect.version, st);
}

/* Some recordings hold a message that is wrong on purpose: these have to be refused. */
static int wanted_refusal(const char *name, bool from_client) {
    if (!from_client) return 0;
    if (strncmp(name, "12_", 3) == 0) return 102;
    if (strncmp(name, "13_", 3) == 0 || strncmp(name, "14_", 3) == 0) return 103;
    return 0;
}

static void check_message(runner *r, size_t index, sl_dialect dialect, bool from_client,
                          sl_str wire) {
    char what[160];
    sl_status st = SL_STATUS_INIT;
    sl_buf out;
    sl_buf_init(&out, NULL);
    snprintf(what, sizeof what, "%s message %zu", r->name, index);
    bool ok = from_client ? client_again(dialect, wire, &out, &st)
                          : server_again(dialect, wire, &out, &st);
    int refusal = wanted_refusal(r->name, from_client);
    if (refusal)
        vec_check(&r->count, what, !ok && st.code == refusal, "%d instead of refusal %d", st.code,
                  refusal);
    else if (!ok)
        vec_check(&r->count, what, false, "%s", st.message);
    else
        vec_check(&r->count, what, sl_str_eq(wire, sl_str_of(out.data, out.size)),
                  "written differently");
    sl_buf_free(&out);
}

/* ---- our server ------------------------------------------------------------------------------ */

static bool open_file(void *ctx, const sl_bind_request *request, sl_server_file **file,
                      sl_access *access, sl_status *st) {
    runner *r = ctx;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)request->partition.size, request->partition.data);
    *access = SL_ACCESS_WRITE;
    for (size_t i = 0; i < MAX_FILES; i++) {
        replay_file *f = &r->files[i];
        if (f->file && strcmp(f->name, name) != 0) continue;
        if (!f->file) {
            sl_store *store = NULL;
            sl_server_file_options options = {.env = sl_system_env()};
            if (!sl_memory_open(NULL, &store, st)) return false;
            f->file = sl_server_file_open(store, &options, st);
            memcpy(f->name, name, sizeof name);
        }
        *file = f->file;
        return f->file != NULL;
    }
    return sl_fail(st, SL_ERR_INTERNAL, "", "too many files");
}

static void note_kind(kinds *list, const char *word, int code) {
    size_t at = strlen(list->text);
    if (at + 40 > sizeof list->text) return;
    if (code)
        snprintf(list->text + at, 40, "%s %d; ", word, code);
    else
        snprintf(list->text + at, 40, "%s; ", word);
}

/* Both servers give idents, and with them salts, in the same order. */
static void note_salt(uint64_t *salts, size_t *count, uint64_t salt) {
    if (salt == 0 || *count == MAX_SALTS) return;
    for (size_t i = 0; i < *count; i++)
        if (salts[i] == salt) return;
    salts[(*count)++] = salt;
}

/* Notes what a server said; logs are free talk, and the two forms of errors mean the same. */
static void note_server(sl_dialect dialect, sl_str wire, kinds *list, uint64_t *salts,
                        size_t *count) {
    sl_server_message msg;
    if (!sl_server_message_parse(&msg, dialect, wire.data, wire.size, NULL)) return;
    switch (msg.type) {
    case SL_MSG_LOG_MESSAGE:
        return;
    case SL_MSG_ERROR:
        note_kind(list, "error", msg.error.code);
        return;
    case SL_MSG_JSON_ERROR:
        note_kind(list, "error", msg.json_error.code);
        return;
    case SL_MSG_IDENT:
        note_salt(salts, count, (uint64_t)msg.ident.salt);
        break;
    default:
        break;
    }
    note_kind(list, sl_message_name(msg.type), 0);
}

static void note_version_salt(runner *r, size_t c, sl_str wire) {
    sl_server_message msg;
    if (!sl_server_message_parse(&msg, r->dialect[c], wire.data, wire.size, NULL)) return;
    if (msg.type == SL_MSG_DOWNLOAD && msg.download.latest_sv < MAX_SALTS)
        r->version_salts[msg.download.latest_sv] = msg.download.latest_salt;
}

static void take_all(runner *r) {
    for (size_t i = 0; i < MAX_FILES; i++)
        if (r->files[i].file) sl_server_file_work(r->files[i].file, NULL);
    for (size_t c = 0; c < MAX_CONNECTIONS; c++) {
        bool any = r->connection[c] != NULL;
        while (any) {
            sl_buf out;
            sl_buf_init(&out, NULL);
            sl_server_connection_send(r->connection[c], &out, &any, NULL);
            if (any) {
                sl_str wire = sl_str_of(out.data, out.size);
                note_server(r->dialect[c], wire, &r->heard[c], r->our_salts, &r->our_count);
                note_version_salt(r, c, wire);
            }
            sl_buf_free(&out);
        }
    }
}

/* Puts our salts in the place of theirs. */
static void with_our_salts(runner *r, sl_dialect dialect, sl_str wire, sl_buf *out) {
    sl_client_message msg;
    if (!sl_client_message_parse(&msg, dialect, wire.data, wire.size, NULL) ||
        msg.type != SL_MSG_IDENT) {
        sl_buf_str(out, wire);
        return;
    }
    for (size_t i = 0; i < r->their_count && i < r->our_count; i++) {
        if (r->their_salts[i] != (uint64_t)msg.ident.salt) continue;
        msg.ident.salt = (int64_t)r->our_salts[i];
        break;
    }
    if (msg.ident.latest_sv < MAX_SALTS)
        msg.ident.latest_salt = r->version_salts[msg.ident.latest_sv];
    sl_client_message_write(out, dialect, &msg);
}

static const sl_server_host host = {.open = open_file};

static void replay_client(runner *r, size_t c, sl_str wire) {
    sl_buf out;
    if (!r->connection[c]) {
        sl_server_connection_options options = {.env = sl_system_env(),
                                                .host = &host,
                                                .ctx = r,
                                                .dialect = r->dialect[c],
                                                .authenticated = true};
        r->connection[c] = sl_server_connection_new(&options, NULL);
    }
    sl_buf_init(&out, NULL);
    with_our_salts(r, r->dialect[c], wire, &out);
    sl_server_connection_receive(r->connection[c], out.data, out.size, NULL);
    sl_buf_free(&out);
    take_all(r);
}

/* ---- one conversation ------------------------------------------------------------------------ */

/* Where we follow the documents and not the reference, or a recording depends on timing. */
static const struct {
    const char *name, *ours;
} differences[] = {
    /* 102 is the exact number for an unknown type */
    {"12_", "error 102; "},
    /* the reference does not look at octets after the body */
    {"14_", "error 103; "},
};

static const char *expected(const runner *r, size_t c) {
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (strncmp(r->name, differences[i].name, 3) == 0) return differences[i].ours;
    return r->recorded[c].text;
}

/* Downloads may be cut differently, so repeated ones count as one. */
static void squeeze(char *text) {
    char *to = text;
    const char *from = text;
    while (*from) {
        if (strncmp(from, "download; download; ", 20) == 0) from += 10;
        *to++ = *from++;
    }
    *to = 0;
}

static void compare(runner *r) {
    for (size_t c = 0; c < MAX_CONNECTIONS; c++) {
        if (!r->connection[c]) continue;
        char what[160];
        kinds want;
        snprintf(what, sizeof what, "%s replay of connection %zu", r->name, c);
        snprintf(want.text, sizeof want.text, "%s", expected(r, c));
        squeeze(want.text);
        squeeze(r->heard[c].text);
        vec_check(&r->count, what, strcmp(want.text, r->heard[c].text) == 0, "[%s] heard [%s]",
                  want.text, r->heard[c].text);
    }
}

static void note_http(runner *r, size_t c, const char *head) {
    static const char field[] = "Sec-WebSocket-Protocol: ";
    const char *token = strstr(head, field);
    sl_negotiated n;
    if (!token || strncmp(head, "HTTP/1.1 101", 12) != 0) return;
    token += sizeof field - 1;
    if (!sl_negotiate(&n, sl_str_of(token, strcspn(token, "\r")), 1, SL_PROTOCOL_MAX, NULL)) return;
    r->dialect[c] = n.dialect;
    r->negotiated[c] = true;
}

static void one_message(runner *r, size_t index, const json_t *row) {
    const char *kind = vec_text(row, "kind"), *head = vec_text(row, "head");
    size_t c = (size_t)vec_int(row, "conn") % MAX_CONNECTIONS;
    bool from_client = strcmp(vec_text(row, "dir"), "c2s") == 0;
    sl_buf wire;
    if (kind && head && strcmp(kind, "http") == 0) note_http(r, c, head);
    if (!kind || !head || strcmp(kind, "binary") != 0 || !r->negotiated[c]) return;
    sl_buf_init(&wire, NULL);
    sl_buf_text(&wire, head);
    bool hex = vec_hex(vec_text(row, "body_hex"), &wire);
    sl_str bytes = sl_str_of(wire.data, wire.size);
    if (hex) check_message(r, index, r->dialect[c], from_client, bytes);
    if (!from_client)
        note_server(r->dialect[c], bytes, &r->recorded[c], r->their_salts, &r->their_count);
    else if (!r->dialect[c].flx)
        replay_client(r, c, bytes);
    sl_buf_free(&wire);
}

static void one_conversation(runner *r, const json_t *root) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(root, "messages"), i, row) one_message(r, i, row);
    take_all(r);
    compare(r);
    for (size_t c = 0; c < MAX_CONNECTIONS; c++)
        sl_server_connection_free(r->connection[c]);
    for (i = 0; i < MAX_FILES; i++)
        sl_server_file_close(r->files[i].file);
}

static int is_json(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".json") == 0;
}

int main(int argc, char **argv) {
    char dir[2000], path[4000];
    struct dirent **list = NULL;
    vec_count count = {"transcripts", 0, 0};
    bool readable = true;
    snprintf(dir, sizeof dir, "%s/transcripts", vec_dir(argc, argv));
    int n = scandir(dir, &list, is_json, alphasort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, list[i]->d_name);
        json_t *root = json_load_file(path, 0, NULL);
        runner *r = calloc(1, sizeof *r);
        if (root && r) {
            r->name = list[i]->d_name;
            r->count = count;
            one_conversation(r, root);
            count = r->count;
        } else {
            fprintf(stderr, "%s cannot be read\n", path);
            readable = false;
        }
        free(r);
        json_decref(root);
        free(list[i]);
    }
    free(list);
    return vec_finish(&count) || !readable;
}
