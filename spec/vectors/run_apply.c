/* Golden vectors of the applier: bases*.jsonl and apply*.jsonl, on realms in memory and ("stored")
 * on realms over an SQLite store that have to fetch every object from it. */
#include <string.h>

#include <openssl/evp.h>

#include "realm/apply.h"
#include "realm/state.h"
#include "store/sqlite_store.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    sl_changeset cs;
    sl_buf bytes, before, after;
    bool stored;
    sl_store *store; /* of the realm that is open */
} runner;

/* The reference accepts these; protocol/2-changeset.md demands a rejection. */
static bool stricter(const char *name) {
    static const char *const names[] = {
        "hand/Update/list_prior_size_mismatch_ignored",
        "hand/Update/object_into_int",
        "hand/Update/primary_key_field",
        "hand/AddTable/existing_other_pk_type",
        "hand/AddTable/nopk_over_pk",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static bool apply_hex(runner *r, sl_realm *realm, const json_t *hex, sl_status *st) {
    sl_buf_clear(&r->bytes);
    if (!vec_hex_json(hex, &r->bytes)) return sl_fail(st, SL_ERR_INTERNAL, "", "no hex");
    sl_changeset_reset(&r->cs);
    return sl_changeset_parse(&r->cs, r->bytes.data, r->bytes.size, st) &&
           sl_realm_apply(realm, &r->cs, st);
}

static void give_up(runner *r, sl_realm *realm) {
    if (r->store) r->store->vtbl->rollback(r->store);
    sl_realm_discard(realm);
}

static bool finish(runner *r, sl_realm *realm, sl_status *st) {
    if (!sl_realm_flush(realm, st)) return false;
    if (r->store && !r->store->vtbl->commit(r->store, false, st)) return false;
    sl_realm_commit(realm);
    /* What comes next has to find everything in the store. */
    sl_realm_trim(realm, 0);
    return sl_realm_reload(realm, st);
}

/* All changesets in one transaction. */
static bool apply_all(runner *r, sl_realm *realm, const json_t *changesets, sl_status *st) {
    size_t i;
    json_t *hex;
    if ((r->store && !r->store->vtbl->begin(r->store, st)) || !sl_realm_begin(realm, st))
        return false;
    json_array_foreach(changesets, i, hex) {
        if (apply_hex(r, realm, hex, st)) continue;
        give_up(r, realm);
        return false;
    }
    return finish(r, realm, st);
}

static bool state(sl_realm *realm, sl_buf *out) {
    sl_buf_clear(out);
    return sl_realm_state_text(realm, out, NULL);
}

static bool same(const sl_buf *a, const sl_buf *b) {
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static bool hash_is(const sl_buf *text, const char *expected) {
    unsigned char digest[32];
    char hex[65];
    unsigned size = sizeof digest;
    if (!EVP_Digest(text->data, text->size, digest, &size, EVP_sha256(), NULL)) return false;
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return strcmp(hex, expected) == 0;
}

/* Without a hash: the same JSON, whatever the escapes. */
static bool json_is(const sl_buf *text, const json_t *expected) {
    json_t *got = json_loadb(text->data, text->size, JSON_ALLOW_NUL, NULL);
    bool equal = got && json_equal(got, expected);
    json_decref(got);
    return equal;
}

/* Prints both texts from shortly before the first difference. */
static void show(const char *name, const json_t *expected, const sl_buf *got) {
    char *text = json_dumps(expected, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t at = 0, from;
    while (at < got->size && text[at] == got->data[at])
        at++;
    from = at > 100 ? at - 100 : 0;
    fprintf(stderr, "%s differs at %zu:\n  expected ...%.300s\n  got      ...%.*s\n", name, at,
            text + from, (int)(got->size - from > 300 ? 300 : got->size - from), got->data + from);
    free(text);
}

static bool expect_state(runner *r, sl_realm *realm, const char *name, const json_t *expected,
                         const char *hash) {
    if (!state(realm, &r->after)) return vec_check(&r->count, name, false, "no state");
    bool equal = hash ? hash_is(&r->after, hash) : json_is(&r->after, expected);
    if (!equal) show(name, expected, &r->after);
    return vec_check(&r->count, name, equal, "the state differs");
}

/* The reference states were taken before asymmetric objects are dropped. */
static bool open_realm(runner *r, sl_realm **realm) {
    sl_realm_options options = {.keep_asymmetric = true};
    if (r->stored) {
        if (!sl_sqlite_open(":memory:", NULL, &r->store, NULL)) return false;
        options.source = r->store->vtbl->source(r->store);
    }
    return sl_realm_open(realm, &options, NULL);
}

static void close_realm(runner *r, sl_realm *realm) {
    sl_realm_close(realm);
    if (r->store) r->store->vtbl->close(r->store);
    r->store = NULL;
}

static bool base_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    runner *r = ctx;
    sl_realm *realm;
    sl_status st = SL_STATUS_INIT;
    const char *name = vec_text(row, "name");
    if (!open_realm(r, &realm)) return false;
    if (!apply_all(r, realm, json_object_get(row, "changesets"), &st))
        vec_check(&r->count, name, false, "%s: %s", st.id, st.message);
    else
        expect_state(r, realm, name, json_object_get(row, "state"), NULL);
    close_realm(r, realm);
    return true;
}

static void refused(runner *r, sl_realm *realm, const char *name, const sl_status *st) {
    bool unchanged = state(realm, &r->after) && same(&r->before, &r->after);
    bool bad = st->cls == SL_ERR_CHANGESET && st->id[0];
    vec_check(&r->count, name, bad && unchanged, "%s", bad ? "the realm was changed" : st->message);
}

static void apply_row_on(runner *r, sl_realm *realm, const json_t *row) {
    sl_status st = SL_STATUS_INIT;
    const char *name = vec_text(row, "name"), *hash = vec_text(row, "state_after_sha256");
    bool must_fail = vec_text(row, "error") || stricter(name);
    if (!apply_all(r, realm, json_object_get(row, "base"), &st)) {
        vec_check(&r->count, name, false, "base: %s: %s", st.id, st.message);
        return;
    }
    state(realm, &r->before);
    bool ok = apply_all(r, realm, json_object_get(row, "changesets"), &st);
    if (must_fail && !ok)
        refused(r, realm, name, &st);
    else if (must_fail)
        vec_check(&r->count, name, false, "was accepted");
    else if (!ok)
        vec_check(&r->count, name, false, "%s: %s", st.id, st.message);
    else
        expect_state(r, realm, name, json_object_get(row, "state_after"), hash);
}

static bool apply_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    sl_realm *realm;
    if (!open_realm(ctx, &realm)) return false;
    apply_row_on(ctx, realm, row);
    close_realm(ctx, realm);
    return true;
}

static int run(const char *dir, const char *kind, vec_row row, const char *label) {
    runner r = {.count = {label, 0, 0}, .stored = label != kind};
    sl_changeset_init(&r.cs, NULL);
    sl_buf_init(&r.bytes, NULL);
    sl_buf_init(&r.before, NULL);
    sl_buf_init(&r.after, NULL);
    bool read = vec_each(dir, kind, row, &r);
    sl_changeset_free(&r.cs);
    sl_buf_free(&r.bytes);
    sl_buf_free(&r.before);
    sl_buf_free(&r.after);
    return vec_finish(&r.count) || !read;
}

int main(int argc, char **argv) {
    const char *dir = vec_dir(argc, argv);
    int failed = run(dir, "bases", base_row, "bases stored");
    failed |= run(dir, "apply", apply_row, "apply stored");
    static const char bases[] = "bases", apply[] = "apply";
    failed |= run(dir, bases, base_row, bases);
    return run(dir, apply, apply_row, apply) || failed;
}
