/* Applying changesets to a realm, in memory and over the SQLite store (commits that do not wait for
 * the disk), and recording local writes. Every apply_*.bin workload of the directory, whose state
 * is compared before a figure is printed, and some made with our own recorder. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "realm/apply.h"
#include "realm/record.h"
#include "realm/state.h"
#include "store/sqlite_store.h"
#include "support.h"

static void die(const char *what, const sl_status *st) {
    fprintf(stderr, "%s: %s %s\n", what, st->id, st->message);
    exit(1);
}

/* A realm, with a store or without. */
typedef struct spot {
    sl_realm *realm;
    sl_store *store;
    char path[64];
} spot;

static void open_place(spot *p, bool stored, const sl_alloc *alloc) {
    sl_status st = SL_STATUS_INIT;
    sl_realm_options options = {.alloc = alloc};
    *p = (spot){0};
    if (stored) {
        strcpy(p->path, P_tmpdir "/syncline-bench-XXXXXX");
        int fd = mkstemp(p->path);
        if (fd < 0) exit(1);
        close(fd);
        unlink(p->path);
        if (!sl_sqlite_open(p->path, NULL, &p->store, &st)) die("open", &st);
        options.source = p->store->vtbl->source(p->store);
    }
    if (!sl_realm_open(&p->realm, &options, &st)) die("realm", &st);
}

static void close_place(spot *p) {
    sl_realm_close(p->realm);
    if (p->store) {
        static const char *const tails[] = {"", "-wal", "-shm", ".lock", "-lock"};
        p->store->vtbl->close(p->store);
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            char name[96];
            snprintf(name, sizeof name, "%s%s", p->path, tails[i]);
            unlink(name);
        }
    }
    *p = (spot){0};
}

static void apply_entry(spot *p, sl_changeset *cs, sl_str entry, uint64_t *instructions) {
    sl_status st = SL_STATUS_INIT;
    sl_changeset_reset(cs);
    bool ok = (!p->store || p->store->vtbl->begin(p->store, &st)) &&
              sl_realm_begin(p->realm, &st) &&
              sl_changeset_parse(cs, entry.data, entry.size, &st) &&
              sl_realm_apply(p->realm, cs, &st) && sl_realm_flush(p->realm, &st) &&
              (!p->store || p->store->vtbl->commit(p->store, false, &st));
    if (!ok) die("apply", &st);
    sl_realm_commit(p->realm);
    *instructions += cs->count;
}

typedef struct workload {
    const bench_set *base, *set;
    const char *hash; /* of the state, or NULL */
    const sl_alloc *alloc;
    bool stored;
    spot place;
    sl_changeset cs;
    uint64_t instructions;
} workload;

static void prepare(void *ctx) {
    workload *w = ctx;
    uint64_t ignored = 0;
    if (w->place.realm) close_place(&w->place);
    open_place(&w->place, w->stored, w->alloc);
    for (uint32_t i = 0; i < w->base->count; i++)
        apply_entry(&w->place, &w->cs, w->base->entries[i], &ignored);
}

static void round_of(void *ctx) {
    workload *w = ctx;
    w->instructions = 0;
    for (uint32_t i = 0; i < w->set->count; i++)
        apply_entry(&w->place, &w->cs, w->set->entries[i], &w->instructions);
}

static void check_state(workload *w, const char *name) {
    sl_buf text;
    unsigned char digest[32];
    unsigned size = sizeof digest;
    char hex[65];
    sl_status st = SL_STATUS_INIT;
    if (!w->hash) return;
    sl_buf_init(&text, NULL);
    if (!sl_realm_state_text(w->place.realm, &text, &st)) die(name, &st);
    EVP_Digest(text.data, text.size, digest, &size, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    sl_buf_free(&text);
    if (strncmp(hex, w->hash, 64) == 0) return;
    fprintf(stderr, "%s: the state is another one than the reference's\n", name);
    exit(1);
}

static void measure(const bench_set *base, const bench_set *set, const char *hash, const char *name,
                    bool stored, const bench_options *options) {
    char title[300];
    snprintf(title, sizeof title, "%s %s", name, stored ? "sqlite" : "memory");
    if (!bench_selected(options, title)) return;
    bench_memory memory;
    bench_memory_init(&memory);
    workload w = {.base = base, .set = set, .hash = hash, .alloc = &memory.alloc};
    w.stored = stored;
    sl_changeset_init(&w.cs, &memory.alloc);
    prepare(&w);
    bench_memory_mark(&memory);
    round_of(&w);
    bench_result result = {.name = title,
                           .unit = "instruction",
                           .operations = w.instructions,
                           .bytes = set->bytes,
                           .peak = memory.peak,
                           .allocations = memory.requests,
                           .has_memory = true};
    check_state(&w, name);
    result.seconds = bench_time(round_of, prepare, &w, stored ? 1.0 : 0.5);
    bench_print(&result, options->json);
    close_place(&w.place);
    sl_changeset_free(&w.cs);
}

static void run_file(void *ctx, const char *dir, const char *file) {
    static const char tail[] = ".changesets.bin";
    char name[256], path[600], hash[80] = "";
    int length = (int)(strlen(file) - (sizeof tail - 1));
    snprintf(name, sizeof name, "%.*s.base.bin", length, file);
    bench_set base, set;
    if (!bench_load(&base, dir, name) || !bench_load(&set, dir, file)) exit(1);
    snprintf(path, sizeof path, "%s/%.*s.state.sha256", dir, length, file);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(hash, sizeof hash, f)) exit(1);
    fclose(f);
    snprintf(name, sizeof name, "%.*s", length, file);
    measure(&base, &set, hash, name, false, ctx);
    measure(&base, &set, hash, name, true, ctx);
    bench_free(&base);
    bench_free(&set);
}

/* --- workloads made with the recorder ----------------------------------------------------------
 */

typedef struct maker {
    sl_realm *realm;
    sl_changeset cs;
    sl_status st;
} maker;

static void must(bool ok, const maker *m) {
    if (!ok) die("record", &m->st);
}

static void start(maker *m) {
    must(sl_realm_begin_write(m->realm, &m->cs, 0, &m->st), m);
}

/* Commits, and appends what was recorded to `set` (when not NULL). */
static void finish(maker *m, bench_set *set) {
    sl_realm_commit(m->realm);
    if (set) {
        sl_buf out;
        sl_buf_init(&out, NULL);
        must(sl_changeset_encode(&m->cs, SL_ENCODE_AS_PARSED, &out, &m->st), m);
        set->entries = realloc(set->entries, (set->count + 1) * sizeof *set->entries);
        set->entries[set->count++] = sl_str_of(out.data, out.size);
        set->bytes += out.size;
    }
    sl_changeset_reset(&m->cs);
}

static void drop(bench_set *set) {
    for (uint32_t i = 0; i < set->count; i++)
        free((char *)(uintptr_t)set->entries[i].data);
    free(set->entries);
    *set = (bench_set){0};
}

static void schema(maker *m) {
    sl_property properties[] = {
        {.name = SL_STR("i"), .type = SL_TYPE_INT},
        {.name = SL_STR("counter"), .type = SL_TYPE_INT},
        {.name = SL_STR("name"), .type = SL_TYPE_STRING},
        {.name = SL_STR("text"), .type = SL_TYPE_STRING, .nullable = true},
        {.name = SL_STR("d"), .type = SL_TYPE_DOUBLE},
        {.name = SL_STR("ts"), .type = SL_TYPE_TIMESTAMP},
        {.name = SL_STR("m"), .type = SL_TYPE_MIXED},
        {.name = SL_STR("list"), .type = SL_TYPE_INT, .collection = SL_LIST},
        {.name = SL_STR("lines"), .type = SL_TYPE_STRING, .collection = SL_LIST},
        {.name = SL_STR("attrs"), .type = SL_TYPE_STRING, .collection = SL_DICTIONARY},
        {.name = SL_STR("numbers"), .type = SL_TYPE_INT, .collection = SL_SET},
        {.name = SL_STR("parent"), .type = SL_TYPE_LINK, .target = SL_STR("Item")},
    };
    sl_class item = {.name = SL_STR("Item"),
                     .has_key = true,
                     .key_name = SL_STR("_id"),
                     .key_type = SL_TYPE_INT,
                     .properties = properties,
                     .property_count = sizeof properties / sizeof *properties};
    sl_schema_definition definition = {&item, 1};
    must(sl_record_schema(m->realm, &definition, NULL, &m->st), m);
}

static sl_place of(int64_t key, sl_str property) {
    sl_place place = {.class_name = SL_STR("Item"), .property = property};
    place.key = (sl_key){.type = SL_TYPE_INT, .integer = key};
    return place;
}

static void set_value(maker *m, int64_t key, sl_str property, sl_value value) {
    sl_place place = of(key, property);
    must(sl_record_set(m->realm, &place, &value, false, &m->st), m);
}

static void create(maker *m, int64_t k) {
    char text[40];
    sl_key key = {.type = SL_TYPE_INT, .integer = k};
    must(sl_record_create(m->realm, SL_STR("Item"), &key, NULL, NULL, &m->st), m);
    int n = snprintf(text, sizeof text, "name of item %lld", (long long)k);
    set_value(m, k, SL_STR("i"), (sl_value){.type = SL_TYPE_INT, .integer = 7 * k});
    set_value(m, k, SL_STR("name"),
              (sl_value){.type = SL_TYPE_STRING, .string = sl_str_of(text, (size_t)n)});
    set_value(m, k, SL_STR("d"), (sl_value){.type = SL_TYPE_DOUBLE, .real = (double)k / 3});
    set_value(m, k, SL_STR("ts"),
              (sl_value){.type = SL_TYPE_TIMESTAMP, .timestamp = {1700000000 + k, 0}});
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

enum { OBJECTS = 20000, ELEMENTS = 10000 };

static void make_create(maker *m) {
    for (int64_t k = 0; k < OBJECTS; k++)
        create(m, k);
}

static void make_erase(maker *m) {
    sl_key key = {.type = SL_TYPE_INT};
    for (key.integer = 0; key.integer < OBJECTS; key.integer++)
        must(sl_record_erase(m->realm, SL_STR("Item"), &key, &m->st), m);
}

static void insert(maker *m, uint32_t at, int64_t number) {
    sl_place place = of(0, SL_STR("list"));
    sl_value value = {.type = SL_TYPE_INT, .integer = number};
    must(sl_record_list_insert(m->realm, &place, at, &value, &m->st), m);
}

static void make_append(maker *m) {
    for (uint32_t i = 0; i < ELEMENTS; i++)
        insert(m, i, i);
}

static void make_front(maker *m) {
    for (uint32_t i = 0; i < ELEMENTS; i++)
        insert(m, 0, i);
}

static void make_random(maker *m) {
    uint64_t state = 1;
    for (uint32_t i = 0; i < ELEMENTS; i++)
        insert(m, (uint32_t)(next_random(&state) % (i + 1)), i);
}

static void make_dictionary(maker *m) {
    uint64_t state = 2;
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        char key[32];
        int n = snprintf(key, sizeof key, "key %llu", (unsigned long long)next_random(&state));
        sl_step step = {.name = sl_str_of(key, (size_t)n)};
        sl_place place = of(0, SL_STR("attrs"));
        place.steps = &step;
        place.step_count = 1;
        sl_value value = {.type = SL_TYPE_STRING, .string = SL_STR("some text")};
        must(sl_record_set(m->realm, &place, &value, false, &m->st), m);
    }
}

static void make_set(maker *m) {
    uint64_t state = 3;
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        sl_place place = of(0, SL_STR("numbers"));
        sl_value value = {.type = SL_TYPE_INT, .integer = (int64_t)next_random(&state)};
        must(sl_record_set_insert(m->realm, &place, &value, NULL, &m->st), m);
    }
}

static void make_links(maker *m) {
    for (int64_t k = 0; k < OBJECTS; k++) {
        sl_link link = {SL_STR("Item"), {.type = SL_TYPE_INT, .integer = (k * 7919) % OBJECTS}};
        set_value(m, k, SL_STR("parent"), (sl_value){.type = SL_TYPE_LINK, .link = &link});
    }
}

typedef struct made {
    const char *name;
    void (*before)(maker *m); /* part of the base; may be NULL */
    void (*make)(maker *m);
} made;

static void make_one(maker *m) {
    create(m, 0);
}

static const made all_made[] = {
    {"create_20000_objects", NULL, make_create},
    {"erase_20000_objects", make_create, make_erase},
    {"link_20000_objects", make_create, make_links},
    {"append_10000_to_list", make_one, make_append},
    {"insert_10000_at_front", make_one, make_front},
    {"insert_10000_at_random", make_one, make_random},
    {"dictionary_10000_entries", make_one, make_dictionary},
    {"set_10000_elements", make_one, make_set},
};

static void record_base(maker *m, const made *work, bench_set *base) {
    must(sl_realm_open(&m->realm, NULL, &m->st), m);
    sl_changeset_init(&m->cs, NULL);
    start(m);
    schema(m);
    if (work->before) work->before(m);
    finish(m, base);
}

static void close_maker(maker *m) {
    sl_realm_close(m->realm);
    sl_changeset_free(&m->cs);
}

typedef struct recording {
    maker maker;
    const made *work;
    bool open;
} recording;

static void prepare_record(void *ctx) {
    recording *r = ctx;
    if (r->open) close_maker(&r->maker);
    r->open = true;
    record_base(&r->maker, r->work, NULL);
}

static void record_round(void *ctx) {
    recording *r = ctx;
    start(&r->maker);
    r->work->make(&r->maker);
    finish(&r->maker, NULL);
}

static void measure_record(const made *work, uint64_t instructions, uint64_t bytes,
                           const bench_options *options) {
    char title[200];
    snprintf(title, sizeof title, "record_%s", work->name);
    if (!bench_selected(options, title)) return;
    recording r = {.work = work};
    bench_result result = {.name = title, .unit = "instruction", .operations = instructions};
    result.bytes = bytes;
    result.seconds = bench_time(record_round, prepare_record, &r, 0.5);
    bench_print(&result, options->json);
    close_maker(&r.maker);
}

/* Making a workload takes longer than measuring it. */
static bool wanted(const made *work, const bench_options *options) {
    static const char *const forms[] = {"apply_made_%s memory", "apply_made_%s sqlite",
                                        "record_%s"};
    char title[200];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(title, sizeof title, forms[i], work->name);
        if (bench_selected(options, title)) return true;
    }
    return false;
}

static void run_made(const made *work, const bench_options *options) {
    if (!wanted(work, options)) return;
    maker m = {.st = SL_STATUS_INIT};
    bench_set base = {0}, set = {0};
    record_base(&m, work, &base);
    start(&m);
    work->make(&m);
    uint64_t instructions = m.cs.count;
    finish(&m, &set);
    close_maker(&m);
    char title[200];
    snprintf(title, sizeof title, "apply_made_%s", work->name);
    measure(&base, &set, NULL, title, false, options);
    measure(&base, &set, NULL, title, true, options);
    measure_record(work, instructions, set.bytes, options);
    drop(&base);
    drop(&set);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    bench_each(options.dir, "apply_", ".changesets.bin", run_file, &options);
    for (size_t i = 0; i < sizeof all_made / sizeof *all_made; i++)
        run_made(&all_made[i], &options);
    return 0;
}
