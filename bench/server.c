/* Server files and sessions without sockets and disks: uploads integrated one per unit and all in
 * one, fan-out to many clients, and what a new client downloads. The changesets are those of the
 * workload apply_create_2000_changesets_1_object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/system_env.h"
#include "protocol/entries.h"
#include "protocol/server_message.h"
#include "session/server_connection.h"
#include "store/memory_store.h"
#include "support.h"

enum { READERS = 99 };

static const char workload[] = "apply_create_2000_changesets_1_object";

/* A server with one writer, and readers that hear everything. */
typedef struct world {
    bench_memory memory;
    bench_set base, changes;
    sl_server_host host;
    sl_server_file *file;
    sl_server_connection *writer, *readers[READERS];
    int reader_count;
    sl_buf out;
    uint64_t sent; /* octets to readers */
    bool one_unit;
} world;

static void need(bool ok, const char *what, const sl_status *st) {
    if (ok) return;
    fprintf(stderr, "%s: %s\n", what, st ? st->message : "failed");
    exit(1);
}

static bool open_file(void *ctx, const sl_bind_request *request, sl_server_file **file,
                      sl_access *access, sl_status *st) {
    (void)request, (void)st;
    *file = ((world *)ctx)->file;
    *access = SL_ACCESS_WRITE;
    return true;
}

static void say(sl_server_connection *c, const char *text) {
    need(sl_server_connection_receive(c, text, strlen(text), NULL), text, NULL);
}

static void work(world *w) {
    sl_status st = SL_STATUS_INIT;
    need(sl_server_file_work(w->file, &st), "work", &st);
}

/* Takes everything there is to send; *ident and *salt from an IDENT among it. */
static void take(world *w, sl_server_connection *c, uint64_t *ident, int64_t *salt) {
    for (bool any = true; any;) {
        sl_server_message msg;
        sl_buf_clear(&w->out);
        need(sl_server_connection_send(c, &w->out, &any, NULL), "send", NULL);
        if (!any) break;
        w->sent += w->out.size;
        if (!ident) continue;
        if (sl_server_message_parse(&msg, (sl_dialect){14, false}, w->out.data, w->out.size,
                                    NULL) &&
            msg.type == SL_MSG_IDENT) {
            *ident = msg.ident.file_ident;
            *salt = msg.ident.salt;
        }
    }
}

static sl_server_connection *add_client(world *w) {
    char text[100];
    uint64_t ident = 0;
    int64_t salt = 0;
    sl_server_connection_options options = {.alloc = &w->memory.alloc,
                                            .env = sl_system_env(),
                                            .host = &w->host,
                                            .ctx = w,
                                            .dialect = {14, false},
                                            .authenticated = true};
    sl_server_connection *c = sl_server_connection_new(&options, NULL);
    need(c != NULL, "connection", NULL);
    say(c, "bind 1 3 0 1 0\n\"p\"");
    work(w);
    take(w, c, &ident, &salt);
    snprintf(text, sizeof text, "ident 1 %llu %lld 0 0 0 0\n", (unsigned long long)ident,
             (long long)salt);
    say(c, text);
    take(w, c, NULL, NULL);
    return c;
}

static void upload(world *w, uint64_t version, sl_str changeset) {
    sl_buf body, wire;
    sl_client_message msg = {.type = SL_MSG_UPLOAD, .session = 1};
    sl_upload_entry entry = {version, 0, 1000 + version, 0, changeset};
    sl_buf_init(&body, &w->memory.alloc);
    sl_buf_init(&wire, &w->memory.alloc);
    sl_upload_entry_write(&body, &entry);
    msg.upload.progress_cv = version;
    msg.upload.body = (sl_body){false, body.size, sl_str_of(body.data, body.size)};
    sl_client_message_write(&wire, (sl_dialect){14, false}, &msg);
    need(sl_server_connection_receive(w->writer, wire.data, wire.size, NULL), "upload", NULL);
    sl_buf_free(&body);
    sl_buf_free(&wire);
}

static void close_world(world *w) {
    sl_server_connection_free(w->writer);
    for (int i = 0; i < w->reader_count; i++)
        sl_server_connection_free(w->readers[i]);
    sl_server_file_close(w->file);
    w->writer = NULL;
    w->file = NULL;
}

/* A fresh file with the schema in it. */
static void prepare(void *ctx) {
    world *w = ctx;
    sl_store *store = NULL;
    sl_status st = SL_STATUS_INIT;
    if (w->file) close_world(w);
    sl_server_file_options options = {.alloc = &w->memory.alloc, .env = sl_system_env()};
    need(sl_memory_open(&w->memory.alloc, &store, &st), "store", &st);
    w->file = sl_server_file_open(store, &options, &st);
    need(w->file != NULL, "file", &st);
    w->writer = add_client(w);
    for (int i = 0; i < w->reader_count; i++)
        w->readers[i] = add_client(w);
    for (uint32_t i = 0; i < w->base.count; i++)
        upload(w, 2 + i, w->base.entries[i]);
    work(w);
    for (int i = 0; i < w->reader_count; i++)
        take(w, w->readers[i], NULL, NULL);
    bench_memory_mark(&w->memory);
    w->sent = 0;
}

static void integrate_all(void *ctx) {
    world *w = ctx;
    for (uint32_t i = 0; i < w->changes.count; i++) {
        upload(w, 2 + w->base.count + i, w->changes.entries[i]);
        if (w->one_unit && i + 1 < w->changes.count) continue;
        work(w);
        take(w, w->writer, NULL, NULL);
        for (int k = 0; k < w->reader_count; k++)
            take(w, w->readers[k], NULL, NULL);
    }
    need(sl_server_history_version(sl_server_file_history(w->file)) ==
             w->base.count + w->changes.count,
         "integration", NULL);
}

static void download_all(void *ctx) {
    world *w = ctx;
    sl_server_connection *c = add_client(w);
    sl_server_connection_free(c);
}

static void report(world *w, const bench_options *options, const char *what, uint64_t operations,
                   double seconds, uint64_t bytes) {
    char name[120];
    snprintf(name, sizeof name, "server %s", what);
    bench_result result = {.name = name,
                           .unit = "changeset",
                           .operations = operations,
                           .seconds = seconds,
                           .bytes = bytes,
                           .peak = w->memory.peak,
                           .allocations = w->memory.requests,
                           .has_memory = true};
    bench_print(&result, options->json);
}

static void integrate(world *w, const bench_options *options, const char *what, int readers,
                      bool one_unit) {
    if (!bench_selected(options, what)) return;
    w->reader_count = readers;
    w->one_unit = one_unit;
    double seconds = bench_time(integrate_all, prepare, w, 1);
    report(w, options, what, w->changes.count, seconds, w->changes.bytes);
    close_world(w);
}

static void download(world *w, const bench_options *options) {
    static const char what[] = "initial_download";
    if (!bench_selected(options, what)) return;
    w->reader_count = 0;
    w->one_unit = true;
    prepare(w);
    integrate_all(w);
    bench_memory_mark(&w->memory);
    w->sent = 0;
    download_all(w);
    uint64_t bytes = w->sent;
    double seconds = bench_time(download_all, NULL, w, 1);
    report(w, options, what, w->changes.count, seconds, bytes);
    close_world(w);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    char name[120];
    world w = {.host = {.open = open_file}};
    bench_memory_init(&w.memory);
    sl_buf_init(&w.out, NULL);
    snprintf(name, sizeof name, "%s.base.bin", workload);
    bool ok = bench_load(&w.base, options.dir, name);
    snprintf(name, sizeof name, "%s.changesets.bin", workload);
    ok = ok && bench_load(&w.changes, options.dir, name);
    if (ok) {
        integrate(&w, &options, "unit_per_changeset", 0, false);
        integrate(&w, &options, "one_unit", 0, true);
        integrate(&w, &options, "fan_out_99", READERS, false);
        download(&w, &options);
    }
    bench_free(&w.base);
    bench_free(&w.changes);
    sl_buf_free(&w.out);
    return !ok;
}
