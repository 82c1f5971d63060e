/* Large uploads into a server file on SQLite, one unit of work each: the first upload of an app
 * (100,000 objects together with their schema), and updates of objects that are there. The disk is
 * not waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/system_env.h"
#include "session/server_file.h"
#include "store/sqlite_store.h"
#include "support.h"

enum { OBJECTS = 100000, UPDATES = 20000 };

typedef struct world {
    char folder[64], path[96];
    sl_server_file *file;
    sl_server_history *history;
    sl_client_file writer;
    uint64_t client_version;
    sl_buf first, updates;
} world;

static void need(bool ok, const char *what, const sl_status *st) {
    if (ok) return;
    fprintf(stderr, "%s: %s\n", what, st ? st->message : "failed");
    exit(1);
}

static void close_file(world *w) {
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    if (!w->file) return;
    sl_server_file_close(w->file);
    w->file = NULL;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", w->path, tails[i]);
        unlink(name);
    }
    rmdir(w->folder);
}

/* An empty file with one client. */
static void open_file(void *ctx) {
    world *w = ctx;
    const char *root = getenv("TMPDIR");
    sl_status st = SL_STATUS_INIT;
    sl_store *store = NULL;
    close_file(w);
    snprintf(w->folder, sizeof w->folder, "%s/syncline-bench-XXXXXX", root ? root : "/tmp");
    need(mkdtemp(w->folder) != NULL, w->folder, NULL);
    snprintf(w->path, sizeof w->path, "%s/file.realm", w->folder);
    need(sl_sqlite_open(w->path, NULL, &store, &st), "store", &st);
    sl_server_file_options options = {.env = sl_system_env()};
    w->file = sl_server_file_open(store, &options, &st);
    need(w->file != NULL, "file", &st);
    w->history = sl_server_file_history(w->file);
    w->client_version = 1;
    w->writer = (sl_client_file){.type = SL_CLIENT_REGULAR, .user = SL_STR("")};
    need(sl_server_history_begin(w->history, &st) &&
             sl_server_history_allocate(w->history, &w->writer, &st) &&
             sl_server_history_commit(w->history, NULL, &st),
         "client", &st);
}

static void upload(world *w, const sl_buf *changeset) {
    sl_status st = SL_STATUS_INIT;
    sl_upload_entry entry = {++w->client_version, 0, 1000 + w->client_version, 0,
                             sl_str_of(changeset->data, changeset->size)};
    sl_server_upload one = {w->writer.ident, &entry, 1, {w->client_version, 0}, 0};
    need(sl_server_history_begin(w->history, &st) &&
             sl_server_history_integrate(w->history, &one, &st) &&
             sl_server_history_commit(w->history, NULL, &st),
         "upload", &st);
}

/* ---- the changesets ---- */

static sl_instruction *append(sl_changeset *cs, sl_op op, const char *field) {
    sl_instruction *in = sl_changeset_append(cs, op);
    need(in != NULL, "append", NULL);
    in->class_name = sl_changeset_intern(cs, SL_STR("Item"));
    if (field) in->field = sl_changeset_intern(cs, sl_str_c(field));
    return in;
}

static void add_column(sl_changeset *cs, const char *name, int type, int collection) {
    sl_instruction *in = append(cs, SL_OP_ADD_COLUMN, name);
    in->type = (int8_t)type;
    in->collection = (uint8_t)collection;
    in->key_type = SL_TYPE_STRING;
}

static sl_instruction *at_object(sl_changeset *cs, sl_op op, const char *field, int number) {
    sl_instruction *in = append(cs, op, field);
    in->key.type = SL_TYPE_INT;
    in->key.integer = number;
    return in;
}

static void set_int(sl_changeset *cs, const char *field, int number, int64_t value) {
    sl_instruction *in = at_object(cs, SL_OP_UPDATE, field, number);
    in->value.type = SL_TYPE_INT;
    in->value.integer = value;
}

static void add_to_list(sl_changeset *cs, int number) {
    sl_instruction *in = at_object(cs, SL_OP_ARRAY_INSERT, "scores", number);
    in->path = sl_arena_zero(&cs->arena, 1, sizeof *in->path);
    need(in->path != NULL, "path", NULL);
    in->path->is_index = true;
    in->path_size = 1;
    in->value.type = SL_TYPE_INT;
    in->value.integer = number;
}

static void make_first(sl_changeset *cs) {
    sl_instruction *in = append(cs, SL_OP_ADD_TABLE, "_id");
    in->type = SL_TYPE_INT;
    add_column(cs, "count", SL_TYPE_INT, SL_SINGLE);
    add_column(cs, "rank", SL_TYPE_INT, SL_SINGLE);
    add_column(cs, "scores", SL_TYPE_INT, SL_LIST);
    for (int i = 0; i < OBJECTS; i++) {
        at_object(cs, SL_OP_CREATE_OBJECT, NULL, i);
        set_int(cs, "count", i, i * 3);
        add_to_list(cs, i);
    }
}

static void make_updates(sl_changeset *cs) {
    for (int i = 0; i < UPDATES; i++)
        set_int(cs, "rank", (int)((int64_t)i * 7919 % OBJECTS), i);
}

static void encode(void (*make)(sl_changeset *), sl_buf *out) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(out, NULL);
    make(&cs);
    need(sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, out, NULL), "encode", NULL);
    sl_changeset_free(&cs);
}

/* ---- measuring ---- */

static void first_upload(void *ctx) {
    world *w = ctx;
    upload(w, &w->first);
}

static void with_objects(void *ctx) {
    open_file(ctx);
    first_upload(ctx);
}

/* The objects are not in memory any more. */
static void update(void *ctx) {
    world *w = ctx;
    upload(w, &w->updates);
}

static void measure(world *w, const bench_options *options, const char *name, uint64_t operations,
                    bench_round round, bench_round prepare, const sl_buf *bytes) {
    if (!bench_selected(options, name)) return;
    double seconds = bench_time(round, prepare, w, 1);
    bench_result result = {.name = name,
                           .unit = "object",
                           .operations = operations,
                           .seconds = seconds,
                           .bytes = bytes->size};
    bench_print(&result, options->json);
    close_file(w);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    world w = {.file = NULL};
    encode(make_first, &w.first);
    encode(make_updates, &w.updates);
    measure(&w, &options, "first_upload", OBJECTS, first_upload, open_file, &w.first);
    measure(&w, &options, "upload_updates", UPDATES, update, with_objects, &w.updates);
    sl_buf_free(&w.first);
    sl_buf_free(&w.updates);
    return 0;
}
