/* A realm on SQLite that was updated a million times: what a new client costs, before and after the
 * history was compacted, and what the compaction itself costs. The disk is not waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/system_env.h"
#include "protocol/entries.h"
#include "realm/apply.h"
#include "session/server_file.h"
#include "store/sqlite_store.h"
#include "support.h"

enum { UPDATES = 1000000, UNIT = 1000, MESSAGE = 1 << 20, FIELDS = 50 };

static const char workload[] = "million_updates";

typedef struct world {
    char path[64];
    sl_server_file *file;
    sl_server_history *history;
    sl_client_file writer;
    uint64_t client_version;
    sl_buf bytes;
} world;

static void need(bool ok, const char *what, const sl_status *st) {
    if (ok) return;
    fprintf(stderr, "%s: %s\n", what, st ? st->message : "failed");
    exit(1);
}

static void open_file(world *w) {
    const char *root = getenv("TMPDIR");
    sl_status st = SL_STATUS_INIT;
    sl_store *store = NULL;
    snprintf(w->path, sizeof w->path, "%s/syncline-bench-XXXXXX", root ? root : "/tmp");
    need(mkdtemp(w->path) != NULL, w->path, NULL);
    char name[96];
    snprintf(name, sizeof name, "%s/file.realm", w->path);
    need(sl_sqlite_open(name, NULL, &store, &st), "store", &st);
    sl_server_file_options options = {.env = sl_system_env()};
    w->file = sl_server_file_open(store, &options, &st);
    need(w->file != NULL, "file", &st);
    w->history = sl_server_file_history(w->file);
    w->writer = (sl_client_file){.type = SL_CLIENT_REGULAR, .user = SL_STR("")};
    need(sl_server_history_begin(w->history, &st) &&
             sl_server_history_allocate(w->history, &w->writer, &st) &&
             sl_server_history_commit(w->history, NULL, &st),
         "client", &st);
}

static void close_file(world *w) {
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    sl_server_file_close(w->file);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s/file.realm%s", w->path, tails[i]);
        unlink(name);
    }
    rmdir(w->path);
}

static double megabytes(const world *w) {
    char name[96];
    struct stat info;
    snprintf(name, sizeof name, "%s/file.realm", w->path);
    return stat(name, &info) == 0 ? (double)info.st_size / 1e6 : 0;
}

static void encode(world *w, sl_changeset *cs) {
    sl_buf_clear(&w->bytes);
    need(sl_changeset_encode(cs, SL_ENCODE_UPFRONT, &w->bytes, NULL), "encode", NULL);
    sl_changeset_free(cs);
}

static sl_instruction *append(sl_changeset *cs, sl_op op) {
    sl_instruction *in = sl_changeset_append(cs, op);
    in->class_name = sl_changeset_intern(cs, SL_STR("Item"));
    if (op != SL_OP_ADD_TABLE && op != SL_OP_ADD_COLUMN) in->key.type = SL_TYPE_INT;
    return in;
}

/* The class, its objects, and then an update of one field of one of them. */
static void make_schema(world *w) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_instruction *in = append(&cs, SL_OP_ADD_TABLE);
    in->field = sl_changeset_intern(&cs, SL_STR("_id"));
    in->type = SL_TYPE_INT;
    in = append(&cs, SL_OP_ADD_COLUMN);
    in->field = sl_changeset_intern(&cs, SL_STR("value"));
    in->type = SL_TYPE_INT;
    for (int i = 0; i < FIELDS; i++)
        append(&cs, SL_OP_CREATE_OBJECT)->key.integer = i;
    encode(w, &cs);
}

static void make_update(world *w, int number) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    sl_instruction *in = append(&cs, SL_OP_UPDATE);
    in->key.integer = number % FIELDS;
    in->field = sl_changeset_intern(&cs, SL_STR("value"));
    in->value = (sl_value){.type = SL_TYPE_INT, .integer = number};
    encode(w, &cs);
}

static void upload(world *w) {
    sl_status st = SL_STATUS_INIT;
    uint64_t base = sl_server_history_version(w->history);
    w->client_version++;
    sl_upload_entry entry = {w->client_version, base, 1000 + w->client_version, 0,
                             sl_str_of(w->bytes.data, w->bytes.size)};
    sl_server_upload given = {w->writer.ident,
                              &entry,
                              1,
                              {w->client_version, base},
                              sl_server_history_version(w->history)};
    need(sl_server_history_integrate(w->history, &given, &st), "upload", &st);
}

static void write_all(world *w) {
    for (int i = 0; i <= UPDATES; i += UNIT) {
        need(sl_server_history_begin(w->history, NULL), "begin", NULL);
        for (int k = 0; k < UNIT && i + k <= UPDATES; k++) {
            if (i + k == 0)
                make_schema(w);
            else
                make_update(w, i + k);
            upload(w);
        }
        sl_status st = SL_STATUS_INIT;
        need(sl_server_history_commit(w->history, NULL, &st), "commit", &st);
    }
}

/* What a new client is sent, and applies. */
typedef struct newcomer {
    uint64_t messages, entries, bytes;
    double server, client;
} newcomer;

static void apply_all(sl_realm *realm, sl_str entries) {
    sl_status st = SL_STATUS_INIT;
    sl_entry_reader reader;
    sl_download_entry entry;
    sl_changeset cs;
    bool more = true;
    sl_changeset_init(&cs, NULL);
    sl_entry_reader_init(&reader, entries);
    need(sl_realm_begin(realm, &st), "begin", &st);
    for (;;) {
        need(sl_entry_reader_download(&reader, &entry, &more, &st), "entry", &st);
        if (!more) break;
        sl_changeset_reset(&cs);
        need(sl_changeset_parse(&cs, entry.changeset.data, entry.changeset.size, &st) &&
                 sl_realm_apply(realm, &cs, &st),
             "apply", &st);
    }
    sl_realm_commit(realm);
    sl_changeset_free(&cs);
}

static newcomer download(world *w) {
    newcomer n = {0};
    sl_status st = SL_STATUS_INIT;
    sl_realm *realm;
    sl_buf out;
    sl_cursor from = {0, 0};
    sl_buf_init(&out, NULL);
    need(sl_realm_open(&realm, NULL, &st), "realm", &st);
    do {
        sl_server_scan scan;
        double start = bench_now();
        sl_buf_clear(&out);
        need(sl_server_history_scan(w->history, 99, from, MESSAGE, &out, &scan, &st), "scan", &st);
        double middle = bench_now();
        apply_all(realm, sl_str_of(out.data, out.size));
        n.server += middle - start;
        n.client += bench_now() - middle;
        n.messages++;
        n.entries += scan.count;
        n.bytes += out.size;
        from = scan.cursor;
    } while (from.own < sl_server_history_version(w->history));
    sl_realm_close(realm);
    sl_buf_free(&out);
    return n;
}

static void show(const bench_options *options, const char *what, uint64_t operations,
                 double seconds, uint64_t bytes) {
    char name[80];
    snprintf(name, sizeof name, "%s %s", workload, what);
    bench_result result = {.name = name,
                           .unit = "changeset",
                           .operations = operations,
                           .seconds = seconds,
                           .bytes = bytes};
    bench_print(&result, options->json);
}

static void show_newcomer(const bench_options *options, const world *w, const char *when) {
    newcomer n = download((world *)(uintptr_t)w);
    char what[60];
    snprintf(what, sizeof what, "sent %s", when);
    show(options, what, n.entries, n.server, n.bytes);
    snprintf(what, sizeof what, "applied %s", when);
    show(options, what, n.entries, n.client, n.bytes);
    if (!options->json)
        printf("    %s: %llu messages, %.3f MB, %.1f ms on the server, %.1f ms on the client; file "
               "%.1f MB\n",
               when, (unsigned long long)n.messages, (double)n.bytes / 1e6, n.server * 1e3,
               n.client * 1e3, megabytes(w));
}

static void compact(world *w, const bench_options *options) {
    sl_status st = SL_STATUS_INIT;
    bool more = true;
    double longest = 0, begin = bench_now();
    uint64_t steps = 0;
    sl_server_file_compact(w->file, -1);
    while (more) {
        double start = bench_now();
        need(sl_server_file_care(w->file, &more, &st), "care", &st);
        double took = bench_now() - start;
        if (took > longest) longest = took;
        steps++;
    }
    sl_compactor_report done = sl_server_file_care_report(w->file).compaction;
    show(options, "compacted", done.entries, bench_now() - begin, done.bytes_before);
    if (!options->json)
        printf("    %llu of %llu instructions left; %llu steps, the longest %.1f ms\n",
               (unsigned long long)done.instructions_after,
               (unsigned long long)done.instructions_before, (unsigned long long)steps,
               longest * 1e3);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    world w = {0};
    if (!bench_selected(&options, workload)) return 0;
    sl_buf_init(&w.bytes, NULL);
    open_file(&w);
    double start = bench_now();
    write_all(&w);
    show(&options, "written", UPDATES, bench_now() - start, sl_server_history_size(w.history));
    show_newcomer(&options, &w, "before");
    compact(&w, &options);
    show_newcomer(&options, &w, "after");
    compact(&w, &options);
    close_file(&w);
    sl_buf_free(&w.bytes);
    return 0;
}
