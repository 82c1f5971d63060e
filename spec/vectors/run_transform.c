/* Golden vectors of the merge: transform*.jsonl and transform_gaps*.jsonl. Every case is merged
 * with and without the index, with an observer, and with the roles exchanged. */
#include <string.h>

#include "merge_state.h"
#include "vectors.h"

typedef struct variant {
    const char *name;
    bool no_index, explain, swapped;
} variant;

static const variant variants[] = {{"index", false, false, false},
                                   {"no index", true, false, false},
                                   {"explained", false, true, false},
                                   {"roles exchanged", false, false, true}};

enum { MAX_BASES = 512 };

/* A realm per base; cases run in transactions that are discarded. */
typedef struct base_realm {
    char *name;
    sl_realm *realm;
} base_realm;

typedef struct runner {
    vec_count count;
    base_realm bases[MAX_BASES];
    size_t base_count;
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

/* ---- states ---- */

static bool load_base(void *ctx, const char *file, unsigned line, const json_t *json) {
    runner *r = ctx;
    base_realm *base = &r->bases[r->base_count];
    const json_t *hex = json_object_get(json, "changesets");
    merge_side side;
    sl_status st = SL_STATUS_INIT;
    if (r->base_count == MAX_BASES) return false;
    side_open(&side, json_array_size(hex), NULL);
    bool ok = sl_realm_open(&base->realm, NULL, &st) && sl_realm_begin(base->realm, &st);
    for (size_t i = 0; ok && i < side.count; i++) {
        sl_buf_clear(&r->hex);
        ok = vec_hex_json(json_array_get(hex, i), &r->hex) &&
             side_parse(&side, i, r->hex.data, r->hex.size, &st);
    }
    ok = ok && state_apply(base->realm, &side, &st);
    if (ok) sl_realm_commit(base->realm);
    side_free(&side);
    if (!ok) fprintf(stderr, "%s:%u: %s %s\n", file, line, st.id, st.message);
    base->name = strdup(vec_text(json, "name"));
    r->base_count++;
    return ok && base->name;
}

static sl_realm *find_base(const runner *r, const char *name) {
    for (size_t i = 0; i < r->base_count; i++)
        if (name && strcmp(r->bases[i].name, name) == 0) return r->bases[i].realm;
    return NULL;
}

/* Applies one side and the other's transformed form. `want`: hash of the state, or NULL. `fails`:
 * the reference could not apply it. */
static bool check_order(runner *r, const char *name, sl_realm *realm, const merge_side *first,
                        const merge_side *second, const char *want, bool fails) {
    char hash[65] = "";
    sl_status st = SL_STATUS_INIT;
    if (!sl_realm_begin(realm, &st)) return vec_check(&r->count, name, false, "%s", st.message);
    bool ok = state_apply(realm, first, &st) && state_apply(realm, second, &st) &&
              state_hash(realm, hash, &st);
    sl_realm_discard(realm);
    if (fails) return !ok || vec_check(&r->count, name, false, "applies, but should not");
    if (!ok) return vec_check(&r->count, name, false, "does not apply: %s %s", st.id, st.message);
    return !want || strcmp(hash, want) == 0 ||
           vec_check(&r->count, name, false, "state %s, expected %s", hash, want);
}

static bool check_both_orders(runner *r, const char *name, const json_t *json, sl_realm *realm,
                              merge_side side[4]) {
    sl_merge_options options = {.set_erase = SL_SET_ERASE_LITERAL};
    const json_t *error = json_object_get(json, "apply_error");
    const char *want = vec_text(json, "state_after_sha256");
    const char *want_left = vec_text(json, "state_left_then_right_out_sha256");
    const char *want_right = vec_text(json, "state_right_then_left_out_sha256");
    const json_t *left_error = json_object_get(error, "left_then_right_out");
    const json_t *right_error = json_object_get(error, "right_then_left_out");
    if (!sl_transform(side[2].items, side[2].count, side[3].items, side[3].count, &options, NULL))
        return vec_check(&r->count, name, false, "does not merge");
    return check_order(r, name, realm, &side[0], &side[3], want ? want : want_left,
                       json_is_string(left_error)) &&
           check_order(r, name, realm, &side[1], &side[2], want ? want : want_right,
                       json_is_string(right_error));
}

static bool check_states(runner *r, const char *name, const json_t *json) {
    sl_realm *realm = find_base(r, vec_text(json, "base"));
    merge_side side[4];
    if (vec_text(json, "error_id")) return true;
    if (!realm) return vec_check(&r->count, name, false, "no such base");
    bool ok = true;
    for (int i = 0; i < 4; i++)
        ok &= load_side(r, json_object_get(json, i % 2 ? "right" : "left"), &side[i]);
    ok = ok && check_both_orders(r, name, json, realm, side);
    for (int i = 0; i < 4; i++)
        side_free(&side[i]);
    return ok;
}

static bool row(void *ctx, const char *file, unsigned line, const json_t *json) {
    runner *r = ctx;
    const char *name = vec_text(json, "name");
    (void)line;
    if (strcmp(r->count.kind, "transform") == 0 && strncmp(file, "transform_gaps", 14) == 0)
        return true;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (!check_variant(r, name, json, &variants[i])) return true;
    if (check_states(r, name, json)) vec_check(&r->count, name, true, "%s", "");
    return true;
}

static int run(const char *dir, const char *kind) {
    static runner r;
    memset(&r, 0, sizeof r);
    r.count.kind = kind;
    sl_buf_init(&r.hex, NULL);
    sl_buf_init(&r.expected, NULL);
    sl_buf_init(&r.got, NULL);
    bool read = vec_each(dir, "bases", load_base, &r) && vec_each(dir, kind, row, &r);
    int code = vec_finish(&r.count);
    for (size_t i = 0; i < r.base_count; i++) {
        sl_realm_close(r.bases[i].realm);
        free(r.bases[i].name);
    }
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
