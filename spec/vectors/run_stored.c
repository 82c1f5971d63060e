/* Golden vectors of the applier through a realm on the SQLite store: everything is written to a
 * file and read back from it between the base, the changesets and the comparison. */
#include <openssl/evp.h>
#include <string.h>

#include "realm/apply.h"
#include "realm/state.h"
#include "store/sqlite_store.h"
#include "temp_dir.h"
#include "vectors.h"

typedef struct runner {
    vec_count count;
    sl_changeset cs;
    sl_buf bytes, before, after;
    temp_dir dir;
    char path[300];
    sl_store *store;
    sl_realm *realm;
} runner;

static bool open_all(runner *r, sl_status *st) {
    if (!sl_sqlite_open(r->path, NULL, &r->store, st)) return false;
    const sl_realm_options options = {.keep_asymmetric = true,
                                      .source = r->store->vtbl->source(r->store)};
    return sl_realm_open(&r->realm, &options, st);
}

static void close_all(runner *r) {
    sl_realm_close(r->realm);
    if (r->store) r->store->vtbl->close(r->store);
    r->realm = NULL;
    r->store = NULL;
}

static bool reopen(runner *r, sl_status *st) {
    close_all(r);
    return open_all(r, st);
}

static bool apply_hex(runner *r, const json_t *hex, sl_status *st) {
    sl_buf_clear(&r->bytes);
    if (!vec_hex_json(hex, &r->bytes)) return sl_fail(st, SL_ERR_INTERNAL, "", "no hex");
    sl_changeset_reset(&r->cs);
    return sl_changeset_parse(&r->cs, r->bytes.data, r->bytes.size, st) &&
           sl_realm_apply(r->realm, &r->cs, st);
}

static bool apply_and_flush(runner *r, const json_t *changesets, sl_status *st) {
    size_t i;
    json_t *hex;
    json_array_foreach(changesets, i, hex) {
        if (!apply_hex(r, hex, st)) return false;
    }
    return sl_realm_flush(r->realm, st);
}

static bool apply_all(runner *r, const json_t *changesets, sl_status *st) {
    if (!r->store->vtbl->begin(r->store, st)) return false;
    if (sl_realm_begin(r->realm, st) && apply_and_flush(r, changesets, st) &&
        r->store->vtbl->commit(r->store, false, st)) {
        sl_realm_commit(r->realm);
        return true;
    }
    r->store->vtbl->rollback(r->store);
    sl_realm_discard(r->realm);
    return false;
}

static bool state(runner *r, sl_buf *out, sl_status *st) {
    sl_buf_clear(out);
    return sl_realm_state_text(r->realm, out, st);
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

static void finding(void *ctx, const char *text) {
    fprintf(stderr, "%s: %s\n", (const char *)ctx, text);
}

/* Reads the file again and compares; *why = what is wrong. */
static bool matches(runner *r, const char *name, const char *hash, const char **why,
                    sl_status *st) {
    char label[200];
    uint64_t findings = 0;
    snprintf(label, sizeof label, "%s", name);
    *why = st->message;
    if (!reopen(r, st) || !state(r, &r->after, st)) return false;
    if (!sl_sqlite_check(r->store, finding, label, &findings, st)) return false;
    *why = hash ? "the state differs" : "the file was changed";
    bool same = hash ? hash_is(&r->after, hash)
                     : r->before.size == r->after.size &&
                           memcmp(r->before.data, r->after.data, r->after.size) == 0;
    if (same && findings) *why = "the check found faults";
    return same && !findings;
}

static void run_row(runner *r, const json_t *row) {
    sl_status st = SL_STATUS_INIT;
    const char *name = vec_text(row, "name"), *hash = vec_text(row, "state_after_sha256");
    const char *why = st.message;
    bool ok = open_all(r, &st) && apply_all(r, json_object_get(row, "base"), &st) &&
              reopen(r, &st) && state(r, &r->before, &st) && reopen(r, &st);
    if (ok && apply_all(r, json_object_get(row, "changesets"), &st)) {
        /* Whether a changeset may be accepted is for the runner without a store to say. */
        ok = !hash || matches(r, name, hash, &why, &st);
    } else if (ok && st.cls == SL_ERR_CHANGESET) {
        ok = matches(r, name, NULL, &why, &st);
    } else {
        ok = false;
    }
    vec_check(&r->count, name, ok, "%s", why);
    close_all(r);
    remove(r->path);
}

static bool visit_row(void *ctx, const char *file, unsigned line, const json_t *row) {
    (void)file, (void)line;
    run_row(ctx, row);
    return true;
}

int main(int argc, char **argv) {
    runner r = {.count = {"apply (SQLite)", 0, 0}};
    sl_changeset_init(&r.cs, NULL);
    sl_buf_init(&r.bytes, NULL);
    sl_buf_init(&r.before, NULL);
    sl_buf_init(&r.after, NULL);
    temp_dir_make(&r.dir);
    temp_dir_file(&r.dir, "vector.realm", r.path);
    bool read = vec_each(vec_dir(argc, argv), "apply", visit_row, &r);
    temp_dir_remove(&r.dir);
    sl_changeset_free(&r.cs);
    sl_buf_free(&r.bytes);
    sl_buf_free(&r.before);
    sl_buf_free(&r.after);
    return vec_finish(&r.count) || !read;
}
