/* Golden vectors of the merge: transform*.jsonl and transform_gaps*.jsonl. Every case is merged
 * with and without the index, with an observer, and with the roles exchanged. */
#include <string.h>

#include "merge_side.h"
#include "vectors.h"

typedef struct variant {
    const char *name;
    bool no_index, explain, swapped;
} variant;

static const variant variants[] = {{"index", false, false, false},
                                   {"no index", true, false, false},
                                   {"explained", false, true, false},
                                   {"roles exchanged", false, false, true}};

typedef struct runner {
    vec_count count;
    sl_buf hex, expected, got;
} runner;

static bool load_side(runner *r, const json_t *json, merge_side *side) {
    const json_t *files = json_object_get(json, "origin_file_idents");
    const json_t *times = json_object_get(json, "origin_timestamps");
    const json_t *hex = json_object_get(json, "changesets");
    side_open(side, json_array_size(hex), NULL);
    for (size_t i = 0; i < side->count; i++) {
        sl_buf_clear(&r->hex);
        if (!vec_hex_json(json_array_get(hex, i), &r->hex) ||
            !side_parse(side, i, r->hex.data, r->hex.size, NULL))
            return false;
        side->items[i].origin_file = (uint64_t)json_integer_value(json_array_get(files, i));
        side->items[i].origin_timestamp = (uint64_t)json_integer_value(json_array_get(times, i));
    }
    return true;
}

static bool expected_text(runner *r, const json_t *row, const char *out, const char *flags) {
    merge_side side;
    const json_t *hex = json_object_get(row, out), *modified = json_object_get(row, flags);
    bool ok = true;
    side_open(&side, json_array_size(hex), NULL);
    for (size_t i = 0; ok && i < side.count; i++) {
        sl_buf_clear(&r->hex);
        ok = vec_hex_json(json_array_get(hex, i), &r->hex) &&
             side_parse(&side, i, r->hex.data, r->hex.size, NULL);
        side.items[i].modified = json_is_true(json_array_get(modified, i));
    }
    side_text(&side, true, &r->expected);
    side_free(&side);
    return ok;
}

static void ignore_event(void *ctx, const sl_merge_event *event) {
    unsigned *events = ctx;
    *events += event->before || event->after;
}

/* The reference's message does not tell V2 to V6 apart. */
static bool error_fits(const char *got, const char *want) {
    if (strcmp(want, "V2-V6") == 0) return got[0] == 'V' && got[1] >= '2' && got[1] <= '6';
    return strcmp(got, want) == 0;
}

static bool check_error(runner *r, const char *name, const variant *v, const json_t *row, bool ok,
                        const sl_status *st) {
    const char *want = vec_text(row, "error_id");
    if (!want || (!ok && error_fits(st->id, want))) return true;
    return vec_check(&r->count, name, false, "%s: got %s, expected %s", v->name,
                     ok ? "no error" : st->id, want);
}

static bool check_variant(runner *r, const char *name, const json_t *row, const variant *v) {
    merge_side left, right;
    unsigned events = 0;
    sl_status st = SL_STATUS_INIT;
    sl_merge_options options = {.set_erase = SL_SET_ERASE_LITERAL,
                                .no_index = v->no_index,
                                .explain = v->explain ? ignore_event : NULL,
                                .explain_ctx = &events};
    side_init(&left);
    side_init(&right);
    bool good = load_side(r, json_object_get(row, "left"), &left) &&
                load_side(r, json_object_get(row, "right"), &right);
    if (!good) vec_check(&r->count, name, false, "the input does not parse");
    if (good) {
        merge_side *local = v->swapped ? &right : &left, *incoming = v->swapped ? &left : &right;
        bool ok = sl_transform(local->items, local->count, incoming->items, incoming->count,
                               &options, &st);
        good = check_error(r, name, v, row, ok, &st);
        if (good && !vec_text(row, "error_id")) {
            sl_buf_clear(&r->expected);
            sl_buf_clear(&r->got);
            good = ok && expected_text(r, row, "left_out", "left_modified") &&
                   expected_text(r, row, "right_out", "right_modified");
            side_text(&left, true, &r->got);
            side_text(&right, true, &r->got);
            good = good && buf_same(&r->expected, &r->got);
            if (!good)
                vec_check(&r->count, name, false, "%s: %s\nexpected\n%.*sgot\n%.*s", v->name,
                          st.message, (int)r->expected.size, r->expected.data, (int)r->got.size,
                          r->got.data);
        }
    }
    side_free(&left);
    side_free(&right);
    return good;
}

static bool row(void *ctx, const char *file, unsigned line, const json_t *json) {
    runner *r = ctx;
    const char *name = vec_text(json, "name");
    (void)line;
    if (strcmp(r->count.kind, "transform") == 0 && strncmp(file, "transform_gaps", 14) == 0)
        return true;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (!check_variant(r, name, json, &variants[i])) return true;
    vec_check(&r->count, name, true, "%s", "");
    return true;
}

static int run(const char *dir, const char *kind) {
    runner r = {.count = {kind, 0, 0}};
    sl_buf_init(&r.hex, NULL);
    sl_buf_init(&r.expected, NULL);
    sl_buf_init(&r.got, NULL);
    bool read = vec_each(dir, kind, row, &r);
    int code = vec_finish(&r.count);
    sl_buf_free(&r.hex);
    sl_buf_free(&r.expected);
    sl_buf_free(&r.got);
    return read ? code : 1;
}

int main(int argc, char **argv) {
    const char *dir = vec_dir(argc, argv);
    int code = run(dir, "transform");
    return run(dir, "transform_gaps") | code;
}
