/* The SQLite store by itself: history entries, transactions, objects in and out. No changesets, no
 * realm. Commits do not wait for the disk unless the name says "durable". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "realm/list.h"
#include "store/sqlite_store.h"
#include "support.h"

enum { ROWS = 10000, ENTRIES = 10000, COMMITS = 1000, DURABLE = 50 };

typedef struct place {
    char path[64];
    sl_store *store;
    const sl_realm_source *source;
    sl_schema schema;
    sl_class *cls;
    sl_object *object;
    uint64_t version;
    const sl_alloc *alloc;
} place;

#define DO(call)                                                                                   \
    do {                                                                                           \
        sl_status st_ = SL_STATUS_INIT, *st = &st_;                                                \
        if (!(call)) {                                                                             \
            fprintf(stderr, "%s: %s\n", #call, st_.message);                                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void remove_files(const char *path) {
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char name[96];
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
    }
}

static void add_property(place *p, const char *name, int type, int collection) {
    sl_property def = {.name = sl_str_c(name),
                       .type = (int8_t)type,
                       .collection = (uint8_t)collection,
                       .target = sl_str_c(type == SL_TYPE_LINK ? "Thing" : "")};
    sl_property *property = sl_schema_add_property(&p->schema, p->cls, &def);
    DO(p->source->property_added(p->source->ctx, p->cls, property, st));
}

/* A class with eight properties, and optionally a list that can hold links. */
static void open_place(place *p, const sl_alloc *alloc, bool links) {
    *p = (place){.alloc = alloc};
    const char *root = getenv("TMPDIR");
    snprintf(p->path, sizeof p->path, "%s/syncline-bench-XXXXXX", root ? root : "/tmp");
    int fd = mkstemp(p->path);
    if (fd < 0) exit(1);
    close(fd);
    unlink(p->path);
    sl_sqlite_options options = {.alloc = alloc};
    DO(sl_sqlite_open(p->path, &options, &p->store, st));
    p->source = p->store->vtbl->source(p->store);
    sl_schema_init(&p->schema, alloc);
    DO(p->source->schema_load(p->source->ctx, &p->schema, st));
    sl_class def = {.name = SL_STR("Thing"),
                    .has_key = true,
                    .key_name = SL_STR("_id"),
                    .key_type = SL_TYPE_INT};
    DO(p->store->vtbl->begin(p->store, st));
    p->cls = sl_schema_add_class(&p->schema, &def);
    DO(p->source->class_added(p->source->ctx, p->cls, st));
    static const int types[] = {SL_TYPE_STRING, SL_TYPE_INT,       SL_TYPE_BOOL,     SL_TYPE_DOUBLE,
                                SL_TYPE_STRING, SL_TYPE_TIMESTAMP, SL_TYPE_OBJECTID, SL_TYPE_INT};
    for (int i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "p%d", i % 10);
        add_property(p, name, types[i], SL_SINGLE);
    }
    if (links) {
        add_property(p, "parent", SL_TYPE_LINK, SL_SINGLE);
        add_property(p, "links", SL_TYPE_LINK, SL_LIST);
    }
    DO(p->store->vtbl->commit(p->store, false, st));
    sl_key key = {.type = SL_TYPE_INT};
    p->object = sl_object_new(alloc, p->cls, &key);
    sl_object_complete(alloc, p->object);
}

static void close_place(place *p) {
    sl_object_free(p->alloc, p->object);
    sl_schema_free(&p->schema);
    p->store->vtbl->close(p->store);
    remove_files(p->path);
}

static void set(place *p, uint32_t index, sl_value value) {
    sl_node_clear(p->alloc, &p->object->values[index]);
    sl_node_set_value(p->alloc, &p->object->values[index], &value);
}

static void fill(place *p, int64_t id) {
    char text[32];
    int size = snprintf(text, sizeof text, "the name of %d", (int)id);
    p->object->key.integer = id;
    sl_value value = {.type = SL_TYPE_STRING};
    value.string = sl_str_of(text, (size_t)size);
    set(p, 0, value);
    set(p, 4, value);
    value = (sl_value){.type = SL_TYPE_INT};
    value.integer = id * 7;
    set(p, 1, value);
    value = (sl_value){.type = SL_TYPE_TIMESTAMP};
    value.timestamp.seconds = 1700000000 + id;
    set(p, 5, value);
    if (p->object->value_count < 10) return;
    sl_link link = {SL_STR("Thing"), {.type = SL_TYPE_INT, .integer = id / 2}};
    value = (sl_value){.type = SL_TYPE_LINK, .link = &link};
    set(p, 8, value);
    sl_node *list = &p->object->values[9];
    if (!list->list) list->list = sl_list_new(p->alloc);
    while (sl_list_count(list->list))
        sl_list_erase(p->alloc, list->list, 0);
    for (uint32_t i = 0; i < 2; i++) {
        link.key.integer = id / 3 + i;
        sl_node_set_value(p->alloc, sl_list_insert(p->alloc, list->list, i), &value);
    }
}

static void append(place *p) {
    static char changeset[100];
    sl_history_entry entry = {.version = ++p->version, .changeset = {changeset, 100, SL_NO_SYM}};
    DO(p->store->vtbl->entry_append(p->store, &entry, st));
}

static void append_many(void *ctx) {
    place *p = ctx;
    DO(p->store->vtbl->begin(p->store, st));
    for (int i = 0; i < ENTRIES; i++)
        append(p);
    DO(p->store->vtbl->commit(p->store, false, st));
}

static void commit_many(void *ctx) {
    place *p = ctx;
    for (int i = 0; i < COMMITS; i++) {
        DO(p->store->vtbl->begin(p->store, st));
        append(p);
        DO(p->store->vtbl->commit(p->store, false, st));
    }
}

static void commit_durable(void *ctx) {
    place *p = ctx;
    for (int i = 0; i < DURABLE; i++) {
        DO(p->store->vtbl->begin(p->store, st));
        append(p);
        DO(p->store->vtbl->commit(p->store, true, st));
    }
}

static bool visit_entry(void *ctx, const sl_history_entry *entry) {
    *(uint64_t *)ctx += entry->changeset.size;
    return true;
}

static void scan_many(void *ctx) {
    place *p = ctx;
    uint64_t bytes = 0;
    DO(p->store->vtbl->entry_scan(p->store, 0, ENTRIES, true, visit_entry, &bytes, st));
}

static void save_many(void *ctx) {
    place *p = ctx;
    DO(p->store->vtbl->begin(p->store, st));
    for (int i = 0; i < ROWS; i++) {
        fill(p, i);
        DO(p->source->object_save(p->source->ctx, p->cls, p->object, st));
    }
    DO(p->store->vtbl->commit(p->store, false, st));
}

static void load_many(void *ctx) {
    place *p = ctx;
    bool found;
    for (int i = 0; i < ROWS; i++) {
        sl_key key = {.type = SL_TYPE_INT, .integer = (i * 7919) % ROWS};
        DO(p->source->object_load(p->source->ctx, p->cls, &key, p->object, &found, st));
    }
}

static bool visit_referrer(void *ctx, sl_str class_name, const sl_key *key) {
    (void)class_name, (void)key;
    ++*(uint64_t *)ctx;
    return true;
}

static void find_referrers(void *ctx) {
    place *p = ctx;
    uint64_t count = 0;
    for (int i = 0; i < ROWS / 10; i++) {
        sl_key key = {.type = SL_TYPE_INT, .integer = i};
        DO(p->source->referrers(p->source->ctx, SL_STR("Thing"), &key, visit_referrer, &count, st));
    }
}

static void erase_many(void *ctx) {
    place *p = ctx;
    DO(p->store->vtbl->begin(p->store, st));
    for (int i = 0; i < ROWS; i++) {
        sl_key key = {.type = SL_TYPE_INT, .integer = i};
        DO(p->source->object_erase(p->source->ctx, p->cls, &key, st));
    }
    DO(p->store->vtbl->commit(p->store, false, st));
}

static void rebuild(void *ctx) {
    erase_many(ctx);
}

static void schema_many(void *ctx) {
    place p;
    open_place(&p, ((place *)ctx)->alloc, true);
    close_place(&p);
}

typedef struct measure {
    const char *name, *unit;
    bench_round round, prepare;
    uint64_t operations;
    bool links;
} measure;

static const measure measures[] = {
    {"store history append", "entry", append_many, NULL, ENTRIES, false},
    {"store history scan", "entry", scan_many, NULL, ENTRIES, false},
    {"store commit of one entry", "commit", commit_many, NULL, COMMITS, false},
    {"store durable commit of one entry", "commit", commit_durable, NULL, DURABLE, false},
    {"store object insert", "object", save_many, rebuild, ROWS, false},
    {"store object update", "object", save_many, NULL, ROWS, false},
    {"store object load", "object", load_many, NULL, ROWS, false},
    {"store object insert with 3 links", "object", save_many, rebuild, ROWS, true},
    {"store object update with 3 links", "object", save_many, NULL, ROWS, true},
    {"store object load with 3 links", "object", load_many, NULL, ROWS, true},
    {"store referrers", "lookup", find_referrers, NULL, ROWS / 10, true},
    {"store open, 10 properties, close", "file", schema_many, NULL, 1, false},
};

static void run(const measure *what, const bench_options *options) {
    bench_memory memory;
    place p;
    if (!bench_selected(options, what->name)) return;
    bench_memory_init(&memory);
    open_place(&p, &memory.alloc, what->links);
    save_many(&p);
    append_many(&p);
    bench_memory_mark(&memory);
    if (what->prepare) what->prepare(&p);
    uint64_t requests = memory.requests;
    what->round(&p);
    bench_result result = {.name = what->name,
                           .unit = what->unit,
                           .operations = what->operations,
                           .allocations = memory.requests - requests,
                           .peak = memory.peak,
                           .has_memory = true};
    result.seconds = bench_time(what->round, what->prepare, &p, 0.5);
    bench_print(&result, options->json);
    close_place(&p);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        run(&measures[i], &options);
    return 0;
}
