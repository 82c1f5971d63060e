/* Merging: made-up workloads and every transform_*.bin set of the directory. Timed is the merge of
 * parsed changesets, including the building of any index, without encoding and storing. */
#include <stdio.h>
#include <stdlib.h>

#include "changeset/json.h"
#include "support.h"
#include "transform/transform.h"

enum { LEFT_FILE = 2, RIGHT_FILE = 3, SMALL_ROUND = 2000 };

/* Encoded changesets of one side. */
typedef struct encoded {
    sl_buf *list;
    uint32_t count, capacity;
} encoded;

/* One side, parsed, ready to be merged. */
typedef struct side {
    sl_changeset *changesets;
    sl_merge_item *items;
} side;

/* `parts` independent pairs of sides which are merged one after the other in a round; a workload of
 * a single tiny merge consists of many equal parts. */
typedef struct workload {
    const char *name;
    encoded *left, *right;
    size_t parts;
    uint64_t merges; /* in one round */
    side *lefts, *rights;
    uint64_t instructions;
    bench_memory memory;
    sl_merge_options options;
} workload;

static void *must(void *block) {
    if (!block) {
        fprintf(stderr, "no memory\n");
        exit(1);
    }
    return block;
}

static sl_buf *add_entry(encoded *e) {
    if (e->count == e->capacity) {
        e->capacity = e->capacity ? e->capacity * 2 : 4;
        e->list = must(realloc(e->list, e->capacity * sizeof *e->list));
    }
    sl_buf_init(&e->list[e->count], NULL);
    return &e->list[e->count++];
}

static void add_changeset(encoded *e, sl_changeset *cs) {
    if (!sl_changeset_encode(cs, SL_ENCODE_UPFRONT, add_entry(e), NULL)) exit(1);
    sl_changeset_reset(cs);
}

static void free_encoded(encoded *e) {
    for (uint32_t i = 0; i < e->count; i++)
        sl_buf_free(&e->list[i]);
    free(e->list);
    *e = (encoded){NULL, 0, 0};
}

/* --- merging a workload --------------------------------------------------------------------- */

static uint64_t parse_side(const encoded *from, side *to, uint64_t file) {
    uint64_t instructions = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        sl_status st = SL_STATUS_INIT;
        sl_changeset_reset(&to->changesets[i]);
        if (!sl_changeset_parse(&to->changesets[i], from->list[i].data, from->list[i].size, &st)) {
            fprintf(stderr, "entry %u: %s\n", i, st.message);
            exit(1);
        }
        to->items[i] = (sl_merge_item){.changeset = &to->changesets[i],
                                       .origin_timestamp = 1000 + 2 * i + (file == RIGHT_FILE),
                                       .origin_file = file};
        instructions += to->changesets[i].count;
    }
    return instructions;
}

static void prepare(void *ctx) {
    workload *w = ctx;
    w->instructions = 0;
    for (size_t p = 0; p < w->parts; p++) {
        w->instructions += parse_side(&w->left[p], &w->lefts[p], LEFT_FILE);
        w->instructions += parse_side(&w->right[p], &w->rights[p], RIGHT_FILE);
    }
}

static void merge_all(void *ctx) {
    workload *w = ctx;
    for (size_t p = 0; p < w->parts; p++) {
        sl_status st = SL_STATUS_INIT;
        if (sl_transform(w->lefts[p].items, w->left[p].count, w->rights[p].items, w->right[p].count,
                         &w->options, &st))
            continue;
        fprintf(stderr, "%s: %s %s\n", w->name, st.id, st.message);
        exit(1);
    }
}

static side new_side(uint32_t count) {
    side s = {must(calloc(count + 1, sizeof *s.changesets)),
              must(calloc(count + 1, sizeof *s.items))};
    for (uint32_t i = 0; i < count; i++)
        sl_changeset_init(&s.changesets[i], NULL);
    return s;
}

static void free_side(side *s, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        sl_changeset_free(&s->changesets[i]);
    free(s->changesets);
    free(s->items);
}

static void print(const workload *w, double seconds, uint64_t allocations, uint64_t peak,
                  bool json) {
    double each = seconds / (double)w->merges, rate = (double)w->instructions / seconds;
    double requests = (double)allocations / (double)w->merges;
    if (json)
        printf("{\"name\":\"%s\",\"operations\":%llu,\"ns_per_operation\":%.1f,"
               "\"instructions_per_second\":%.0f,\"allocations_per_operation\":%.2f,"
               "\"peak_bytes\":%llu}\n",
               w->name, (unsigned long long)w->merges, each * 1e9, rate, requests,
               (unsigned long long)peak);
    else
        printf("%-52s %7llu merges %12.0f ns/merge %8.2f M instructions/s %6.1f allocations/merge "
               "%9.1f kB peak\n",
               w->name, (unsigned long long)w->merges, each * 1e9, rate / 1e6, requests,
               (double)peak / 1e3);
    fflush(stdout);
}

static void measure(workload *w, bool json) {
    w->lefts = must(calloc(w->parts, sizeof *w->lefts));
    w->rights = must(calloc(w->parts, sizeof *w->rights));
    for (size_t p = 0; p < w->parts; p++) {
        w->lefts[p] = new_side(w->left[p].count);
        w->rights[p] = new_side(w->right[p].count);
    }
    bench_memory_init(&w->memory);
    w->options.alloc = &w->memory.alloc;
    prepare(w);
    bench_memory_mark(&w->memory);
    merge_all(w);
    uint64_t peak = w->memory.peak, allocations = w->memory.requests;
    w->options.alloc = NULL;
    double seconds = bench_time(merge_all, prepare, w, 0.5);
    prepare(w);
    print(w, seconds, allocations, peak, json);
    for (size_t p = 0; p < w->parts; p++) {
        free_side(&w->lefts[p], w->left[p].count);
        free_side(&w->rights[p], w->right[p].count);
    }
    free(w->lefts);
    free(w->rights);
}

/* A single pair of sides; repeated in a round while it is small. */
static void run_pair(const char *name, encoded *left, encoded *right, bool json) {
    size_t bytes = 1;
    for (uint32_t i = 0; i < left->count; i++)
        bytes += left->list[i].size;
    for (uint32_t i = 0; i < right->count; i++)
        bytes += right->list[i].size;
    size_t parts = bytes < SMALL_ROUND ? SMALL_ROUND / bytes + 1 : 1;
    workload w = {.name = name, .parts = parts, .merges = parts};
    w.left = must(calloc(parts, sizeof *w.left));
    w.right = must(calloc(parts, sizeof *w.right));
    for (size_t p = 0; p < parts; p++) {
        w.left[p] = *left;
        w.right[p] = *right;
    }
    measure(&w, json);
    free(w.left);
    free(w.right);
    free_encoded(left);
    free_encoded(right);
}

/* --- workload files --------------------------------------------------------------------------- */

static void load(encoded *e, const char *dir, const char *stem, const char *what) {
    char name[512];
    bench_set set;
    snprintf(name, sizeof name, "%s.%s.bin", stem, what);
    if (!bench_load(&set, dir, name)) exit(1);
    for (uint32_t i = 0; i < set.count; i++)
        sl_buf_str(add_entry(e), set.entries[i]);
    bench_free(&set);
}

static void text_of(sl_changeset *cs, sl_buf *text) {
    sl_buf_clear(text);
    if (!sl_changeset_to_json(cs, false, text, NULL)) exit(1);
}

/* The instructions that came out have to be those of the reference. */
static void verify_side(const char *name, const side *got, const encoded *want) {
    sl_changeset cs;
    sl_buf a, b;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&a, NULL);
    sl_buf_init(&b, NULL);
    for (uint32_t i = 0; i < want->count; i++) {
        sl_changeset_reset(&cs);
        if (!sl_changeset_parse(&cs, want->list[i].data, want->list[i].size, NULL)) exit(1);
        text_of(&cs, &a);
        text_of(&got->changesets[i], &b);
        if (a.size == b.size && memcmp(a.data, b.data, a.size) == 0) continue;
        fprintf(stderr, "%s: changeset %u comes out differently\n", name, i);
        exit(1);
    }
    sl_changeset_free(&cs);
    sl_buf_free(&a);
    sl_buf_free(&b);
}

static void verify(const char *dir, const char *stem, encoded *left, encoded *right) {
    encoded left_out = {NULL, 0, 0}, right_out = {NULL, 0, 0};
    side l = new_side(left->count), r = new_side(right->count);
    workload w = {
        .name = stem, .left = left, .right = right, .parts = 1, .lefts = &l, .rights = &r};
    load(&left_out, dir, stem, "left_out");
    load(&right_out, dir, stem, "right_out");
    prepare(&w);
    merge_all(&w);
    verify_side(stem, &l, &left_out);
    verify_side(stem, &r, &right_out);
    free_side(&l, left->count);
    free_side(&r, right->count);
    free_encoded(&left_out);
    free_encoded(&right_out);
}

static void run_file(void *ctx, const char *dir, const char *name) {
    const bench_options *options = ctx;
    encoded left = {NULL, 0, 0}, right = {NULL, 0, 0};
    char stem[300];
    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(name) - strlen(".left.bin")), name);
    if (!bench_selected(options, stem)) return;
    load(&left, dir, stem, "left");
    load(&right, dir, stem, "right");
    verify(dir, stem, &left, &right);
    run_pair(stem, &left, &right, options->json);
}

/* --- made-up workloads --------------------------------------------------------------------------
 */

static uint64_t random_state;

static uint32_t below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static sl_instruction *add(sl_changeset *cs, sl_op op, const char *field, int64_t key) {
    uint32_t cls = sl_changeset_intern(cs, SL_STR("Item"));
    uint32_t name = field ? sl_changeset_intern(cs, sl_str_c(field)) : SL_NO_SYM;
    sl_instruction *in = must(sl_changeset_append(cs, op));
    in->class_name = cls;
    in->field = name;
    in->key.type = SL_TYPE_INT;
    in->key.integer = key;
    return in;
}

static void add_number(sl_changeset *cs, sl_op op, const char *field, int64_t key, int64_t number) {
    sl_instruction *in = add(cs, op, field, key);
    in->value.type = SL_TYPE_INT;
    in->value.integer = number;
}

static sl_instruction *add_slot(sl_changeset *cs, sl_op op, uint32_t at, uint32_t size) {
    sl_instruction *in = add(cs, op, "list", 1);
    in->path = must(sl_arena_zero(&cs->arena, 1, sizeof *in->path));
    in->path[0] = (sl_path_elem){true, at};
    in->path_size = 1;
    in->prior_size = size;
    if (op != SL_OP_ARRAY_ERASE && op != SL_OP_ARRAY_MOVE) in->value.type = SL_TYPE_INT;
    return in;
}

/* One operation on a list of `size` elements; returns the new size. */
static uint32_t add_list_op(sl_changeset *cs, uint32_t size) {
    uint32_t dice = below(10);
    if (dice < 5 || size < 4) {
        add_slot(cs, SL_OP_ARRAY_INSERT, below(size + 1), size);
        return size + 1;
    }
    if (dice < 7) {
        add_slot(cs, SL_OP_ARRAY_ERASE, below(size), size);
        return size - 1;
    }
    if (dice < 9) {
        add_slot(cs, SL_OP_UPDATE, below(size), size);
        return size;
    }
    uint32_t from = below(size), to = below(size);
    if (from == to) to = (to + 1) % size;
    add_slot(cs, SL_OP_ARRAY_MOVE, from, size)->to = to;
    return size;
}

/* Typing and deleting at a cursor that jumps now and then. */
static uint32_t add_text_op(sl_changeset *cs, uint32_t size, uint32_t *cursor) {
    if (*cursor > size || below(30) == 0) *cursor = below(size + 1);
    if (below(5) == 0 && *cursor > 0) {
        add_slot(cs, SL_OP_ARRAY_ERASE, --*cursor, size);
        return size - 1;
    }
    add_slot(cs, SL_OP_ARRAY_INSERT, (*cursor)++, size);
    return size + 1;
}

typedef void (*fill_side)(encoded *e, sl_changeset *cs, bool right);

static void fill_one(encoded *e, sl_changeset *cs, bool right) {
    add_number(cs, SL_OP_UPDATE, "i", 1, right);
    add_changeset(e, cs);
}

static void fill_one_or_thousand(encoded *e, sl_changeset *cs, bool right) {
    for (int i = 0; i < (right ? 1000 : 1); i++)
        add_number(cs, SL_OP_UPDATE, "i", i, right);
    add_changeset(e, cs);
}

static void add_item(sl_changeset *cs, int64_t key) {
    add(cs, SL_OP_CREATE_OBJECT, NULL, key);
    add_number(cs, SL_OP_UPDATE, "i", key, 7 * key);
    add_number(cs, SL_OP_UPDATE, "name", key, key);
    add_number(cs, SL_OP_UPDATE, "d", key, key);
    add_number(cs, SL_OP_UPDATE, "ts", key, key);
}

static void fill_disjoint(encoded *e, sl_changeset *cs, bool right) {
    for (int i = 0; i < 200; i++)
        add_item(cs, 2 * i + right);
    add_changeset(e, cs);
}

static void fill_disjoint_changesets(encoded *e, sl_changeset *cs, bool right) {
    for (int i = 0; i < 1000; i++) {
        add_number(cs, SL_OP_UPDATE, "i", 2 * i + right, i);
        add_changeset(e, cs);
    }
}

static void fill_same_objects(encoded *e, sl_changeset *cs, bool right) {
    for (int i = 0; i < 200; i++)
        add_item(cs, i + 0 * right);
    add_changeset(e, cs);
}

static void fill_list(encoded *e, sl_changeset *cs, bool right) {
    uint32_t size = 100;
    random_state = right ? 77 : 99;
    for (int i = 0; i < 1000; i++)
        size = add_list_op(cs, size);
    add_changeset(e, cs);
}

static void fill_short_list(encoded *e, sl_changeset *cs, bool right) {
    uint32_t size = 100;
    random_state = right ? 77 : 99;
    for (int i = 0; i < 100; i++)
        size = add_list_op(cs, size);
    add_changeset(e, cs);
}

static void fill_text(encoded *e, sl_changeset *cs, bool right) {
    uint32_t size = 1000, cursor = right ? 800 : 200;
    random_state = right ? 77 : 99;
    for (int i = 0; i < 1000; i++)
        size = add_text_op(cs, size, &cursor);
    add_changeset(e, cs);
}

static void fill_counters(encoded *e, sl_changeset *cs, bool right) {
    random_state = right ? 77 : 99;
    for (int i = 0; i < 1000; i++)
        add_number(cs, SL_OP_ADD_INTEGER, "counter", below(10), 1);
    add_changeset(e, cs);
}

static void fill_dictionary(encoded *e, sl_changeset *cs, bool right) {
    random_state = right ? 77 : 99;
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%u", below(300));
        uint32_t sym = sl_changeset_intern(cs, sl_str_c(key));
        sl_instruction *in = add(cs, SL_OP_UPDATE, "attrs", 1);
        in->path = must(sl_arena_zero(&cs->arena, 1, sizeof *in->path));
        in->path[0] = (sl_path_elem){false, sym};
        in->path_size = 1;
        in->value.type = below(4) ? SL_TYPE_INT : SL_TYPE_ERASED;
    }
    add_changeset(e, cs);
}

/* A thousand transactions on two hundred objects; a quarter erase their object. */
static void fill_erasing(encoded *e, sl_changeset *cs, bool right) {
    random_state = right ? 77 : 99;
    for (int i = 0; i < 1000; i++) {
        int64_t key = below(200);
        if (below(4) == 0) {
            add(cs, SL_OP_ERASE_OBJECT, NULL, key);
        } else {
            add(cs, SL_OP_CREATE_OBJECT, NULL, key);
            add_number(cs, SL_OP_UPDATE, "i", key, i);
            add_number(cs, SL_OP_ADD_INTEGER, "counter", key, 1);
        }
        add_changeset(e, cs);
    }
}

static void run_made(const char *name, fill_side fill, const bench_options *options) {
    if (!bench_selected(options, name)) return;
    encoded left = {NULL, 0, 0}, right = {NULL, 0, 0};
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    fill(&left, &cs, false);
    fill(&right, &cs, true);
    sl_changeset_free(&cs);
    run_pair(name, &left, &right, options->json);
}

static int64_t growth(const sl_changeset *cs) {
    int64_t n = 0;
    for (uint32_t j = 0; j < cs->count; j++)
        n += cs->instructions[j].op == SL_OP_ARRAY_INSERT ? 1 : -1;
    return n;
}

static void fill_session(encoded *left, encoded *right, uint32_t *size) {
    side l = new_side(1), r = new_side(1);
    uint32_t cursor = below(*size + 1), length = *size;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    for (int i = 0; i < 100; i++)
        length = add_text_op(&cs, length, &cursor);
    add_changeset(left, &cs);
    length = *size;
    cursor = below(*size + 1);
    for (int i = 0; i < 100; i++)
        length = add_text_op(&cs, length, &cursor);
    add_changeset(right, &cs);
    workload w = {
        .name = "session", .left = left, .right = right, .parts = 1, .lefts = &l, .rights = &r};
    prepare(&w);
    int64_t grown = growth(&l.changesets[0]);
    merge_all(&w);
    *size = (uint32_t)(*size + grown + growth(&r.changesets[0]));
    free_side(&l, 1);
    free_side(&r, 1);
    sl_changeset_free(&cs);
}

/* 50,000 operations by two writers who exchange their work whenever each has made 100. */
static void run_trace(const bench_options *options) {
    enum { SESSIONS = 250 };
    const char *name = "(g) text trace, 50000 operations, merges of 100 x 100";
    if (!bench_selected(options, name)) return;
    workload w = {.name = name, .parts = SESSIONS, .merges = SESSIONS};
    uint32_t size = 0;
    random_state = 12345;
    w.left = must(calloc(SESSIONS, sizeof *w.left));
    w.right = must(calloc(SESSIONS, sizeof *w.right));
    for (int i = 0; i < SESSIONS; i++)
        fill_session(&w.left[i], &w.right[i], &size);
    measure(&w, options->json);
    for (int i = 0; i < SESSIONS; i++) {
        free_encoded(&w.left[i]);
        free_encoded(&w.right[i]);
    }
    free(w.left);
    free(w.right);
}

int main(int argc, char **argv) {
    bench_options options = bench_parse(argc, argv);
    run_made("(a) 1 x 1 instructions", fill_one, &options);
    run_made("(b) 1 x 1000 instructions", fill_one_or_thousand, &options);
    run_made("(c) 1000 x 1000 instructions, disjoint objects", fill_disjoint, &options);
    run_made("(d) 1000 x 1000 on one list, random operations", fill_list, &options);
    run_made("(e) 1000 x 1000 increments on 10 objects", fill_counters, &options);
    run_made("(f) 1000 x 1000 transactions, a quarter erases", fill_erasing, &options);
    run_trace(&options);
    run_made("1000 x 1000 changesets, disjoint", fill_disjoint_changesets, &options);
    run_made("1000 x 1000 instructions, same objects", fill_same_objects, &options);
    run_made("1000 x 1000 on one text-like list", fill_text, &options);
    run_made("100 x 100 on one list", fill_short_list, &options);
    run_made("1000 x 1000 dictionary operations on 300 keys", fill_dictionary, &options);
    bench_each(options.dir, "transform_", ".left.bin", run_file, &options);
    return 0;
}
