/* Parsing and encoding of changesets: every codec_*.bin of the directory and two made-up
 * workloads. One changeset object is reused for all entries. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "changeset/changeset.h"
#include "support.h"

/* Parsed entries of a workload, kept for encoding. */
typedef struct workload {
    const bench_set *set;
    sl_changeset one;
    sl_changeset *all;
    sl_buf out;
    sl_encoding how;
    uint64_t instructions;
} workload;

static void parse_round(void *ctx) {
    workload *w = ctx;
    w->instructions = 0;
    for (uint32_t i = 0; i < w->set->count; i++) {
        sl_status st = SL_STATUS_INIT;
        sl_changeset_reset(&w->one);
        if (!sl_changeset_parse(&w->one, w->set->entries[i].data, w->set->entries[i].size, &st)) {
            fprintf(stderr, "entry %u: %s\n", i, st.message);
            exit(1);
        }
        w->instructions += w->one.count;
    }
}

static void encode_round(void *ctx) {
    workload *w = ctx;
    for (uint32_t i = 0; i < w->set->count; i++) {
        sl_buf_clear(&w->out);
        if (!sl_changeset_encode(&w->all[i], w->how, &w->out, NULL)) exit(1);
    }
}

/* What was parsed and encoded again has to be what was there. */
static void verify(workload *w, const char *name) {
    for (uint32_t i = 0; i < w->set->count; i++) {
        sl_str entry = w->set->entries[i];
        sl_buf_clear(&w->out);
        if (!sl_changeset_encode(&w->all[i], SL_ENCODE_AS_PARSED, &w->out, NULL)) exit(1);
        if (w->out.size == entry.size && memcmp(w->out.data, entry.data, entry.size) == 0) continue;
        fprintf(stderr, "%s: entry %u comes out differently\n", name, i);
        exit(1);
    }
}

static void report(const char *name, const char *what, workload *w, bench_round round,
                   bench_memory *memory, const bench_options *options) {
    char title[300];
    snprintf(title, sizeof title, "%s %s", name, what);
    round(w);
    bench_memory_mark(memory);
    round(w);
    bench_result result = {.name = title,
                           .unit = "instruction",
                           .operations = w->instructions,
                           .bytes = w->set->bytes,
                           .peak = memory->peak,
                           .allocations = memory->requests,
                           .has_memory = true};
    result.seconds = bench_time(round, NULL, w, 0.5);
    bench_print(&result, options->json);
}

static void run(const bench_set *set, const char *name, const bench_options *options) {
    bench_memory memory;
    bench_memory_init(&memory);
    workload w = {.set = set};
    sl_changeset_init(&w.one, &memory.alloc);
    sl_buf_init(&w.out, NULL);
    report(name, "parse", &w, parse_round, &memory, options);
    sl_changeset_free(&w.one);
    w.all = calloc(set->count ? set->count : 1, sizeof *w.all);
    if (!w.all) exit(1);
    for (uint32_t i = 0; i < set->count; i++) {
        sl_changeset_init(&w.all[i], NULL);
        if (!sl_changeset_parse(&w.all[i], set->entries[i].data, set->entries[i].size, NULL))
            exit(1);
    }
    verify(&w, name);
    sl_buf_free(&w.out);
    sl_buf_init(&w.out, &memory.alloc);
    w.how = SL_ENCODE_AS_PARSED;
    report(name, "encode", &w, encode_round, &memory, options);
    w.how = SL_ENCODE_UPFRONT;
    report(name, "encode upfront", &w, encode_round, &memory, options);
    for (uint32_t i = 0; i < set->count; i++)
        sl_changeset_free(&w.all[i]);
    free(w.all);
    sl_buf_free(&w.out);
}

static void run_file(void *ctx, const char *dir, const char *name) {
    bench_set set;
    char title[256];
    snprintf(title, sizeof title, "%.*s", (int)(strlen(name) - 4), name);
    if (!bench_selected(ctx, title)) return;
    if (!bench_load(&set, dir, name)) exit(1);
    run(&set, title, ctx);
    bench_free(&set);
}

static sl_instruction *update(sl_changeset *cs, uint32_t cls, uint32_t field, int64_t key) {
    sl_instruction *in = sl_changeset_append(cs, SL_OP_UPDATE);
    if (!in) exit(1);
    in->class_name = cls;
    in->field = field;
    in->key.type = SL_TYPE_INT;
    in->key.integer = key;
    return in;
}

/* Create object k of class Item and set four of its properties: five instructions. */
static void add_item(sl_changeset *cs, int64_t k) {
    uint32_t cls = sl_changeset_intern(cs, SL_STR("Item"));
    sl_instruction *in = sl_changeset_append(cs, SL_OP_CREATE_OBJECT);
    if (!in) exit(1);
    in->class_name = cls;
    in->key.type = SL_TYPE_INT;
    in->key.integer = k;
    in = update(cs, cls, sl_changeset_intern(cs, SL_STR("i")), k);
    in->value.type = SL_TYPE_INT;
    in->value.integer = 7 * k;
    char text[48];
    int n = snprintf(text, sizeof text, "name of item %lld", (long long)k);
    sl_str name = sl_arena_str(&cs->arena, sl_str_of(text, (size_t)n));
    in = update(cs, cls, sl_changeset_intern(cs, SL_STR("name")), k);
    in->value.type = SL_TYPE_STRING;
    in->value.string = name;
    in = update(cs, cls, sl_changeset_intern(cs, SL_STR("d")), k);
    in->value.type = SL_TYPE_DOUBLE;
    in->value.real = (double)k / 3;
    in = update(cs, cls, sl_changeset_intern(cs, SL_STR("ts")), k);
    in->value.type = SL_TYPE_TIMESTAMP;
    in->value.timestamp.seconds = 1700000000 + k;
}

/* `count` changesets that create `objects` items each. */
static void run_made(const char *name, uint32_t count, uint32_t objects,
                     const bench_options *options) {
    if (!bench_selected(options, name)) return;
    bench_set set = {NULL, calloc(count, sizeof(sl_str)), 0, count, 0};
    sl_buf *bytes = calloc(count, sizeof *bytes);
    if (!set.entries || !bytes) exit(1);
    for (int64_t k = 0; set.count < count; set.count++) {
        sl_changeset cs;
        sl_changeset_init(&cs, NULL);
        sl_buf *out = &bytes[set.count];
        sl_buf_init(out, NULL);
        for (uint32_t i = 0; i < objects; i++)
            add_item(&cs, k++);
        if (!sl_changeset_encode(&cs, SL_ENCODE_AS_PARSED, out, NULL)) exit(1);
        set.entries[set.count] = sl_str_of(out->data, out->size);
        set.bytes += out->size;
        sl_changeset_free(&cs);
    }
    run(&set, name, options);
    for (uint32_t i = 0; i < count; i++)
        sl_buf_free(&bytes[i]);
    free(bytes);
    bench_free(&set);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    bench_each(options.dir, "codec_", ".bin", run_file, &options);
    run_made("codec_made_2000x5", 2000, 1, &options);
    run_made("codec_made_1x100000", 1, 20000, &options);
    return 0;
}
