/* The server's history: units, cache, windows, what is stored of an upload
 * (protocol/4-history-and-sessions.md, 4 to 7; 3-transform.md, 1.7 to 1.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_file.h"
#include "history/adopt_ident.h"
#include "history/cursor.h"
#include "history/entry_cache.h"
#include "history/server_history_private.h"
#include "notation.h"

#define SCHEMA "table P(_id:int); column P.x:int; column P.l:int[]; create P1; P1.x = 1"

typedef struct server {
    test_env env;
    sl_store *store;
    sl_realm *realm;
    sl_server_history *history;
} server;

static void open_over(server *s, size_t cache_bytes, bool originals) {
    sl_status st = SL_STATUS_INIT;
    sl_realm_options realm = {.source = s->store->vtbl->source(s->store), .keep_asymmetric = true};
    sl_server_history_options options = {
        .env = &s->env.env, .cache_bytes = cache_bytes, .keep_originals = originals};
    if (!sl_realm_open(&s->realm, &realm, &st)) fail_msg("%s", st.message);
    s->history = sl_server_history_open(s->store, s->realm, &options, &st);
    if (!s->history) fail_msg("%s", st.message);
}

static void add_clients(server *s, int count) {
    assert_true(sl_server_history_begin(s->history, NULL));
    for (int i = 0; i < count; i++) {
        sl_client_file row = {.type = SL_CLIENT_REGULAR, .user = SL_STR("ann")};
        assert_true(sl_server_history_allocate(s->history, &row, NULL));
        assert_true(row.salt > 0);
    }
    assert_true(sl_server_history_commit(s->history, NULL, NULL));
}

static void start(server *s, bool originals) {
    memset(s, 0, sizeof *s);
    test_env_init(&s->env, 3);
    assert_true(sl_memory_open(NULL, &s->store, NULL));
    open_over(s, 0, originals);
    add_clients(s, 2);
}

static void close_history(server *s) {
    sl_server_history_close(s->history);
    sl_realm_close(s->realm);
}

static void stop(server *s) {
    close_history(s);
    s->store->vtbl->close(s->store);
}

static void encode(const char *text, sl_buf *out) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    if (!notation_read(&cs, text)) fail_msg("notation: %s", text);
    assert_true(sl_changeset_encode(&cs, SL_ENCODE_UPFRONT, out, NULL));
    sl_changeset_free(&cs);
}

/* One changeset inside the open unit. */
static bool put(server *s, uint64_t ident, uint64_t cv, uint64_t sv, const char *text,
                sl_status *st) {
    sl_buf bytes;
    sl_buf_init(&bytes, NULL);
    encode(text, &bytes);
    sl_upload_entry entry = {cv, sv, 1000 + cv, 0, sl_str_of(bytes.data, bytes.size)};
    sl_server_upload upload = {ident, &entry, 1, {cv, sv}, 0, SL_SCHEMA_OWNER};
    bool ok = sl_server_history_integrate(s->history, &upload, st);
    sl_buf_free(&bytes);
    return ok;
}

static void commit_one(server *s, uint64_t ident, uint64_t cv, uint64_t sv, const char *text) {
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_server_history_begin(s->history, &st));
    if (!put(s, ident, cv, sv, text, &st)) fail_msg("%s: %s", text, st.message);
    if (!sl_server_history_commit(s->history, NULL, &st)) fail_msg("%s", st.message);
}

static sl_history_entry entry_at(server *s, uint64_t version) {
    sl_history_entry entry;
    bool found = false;
    assert_true(s->store->vtbl->entry_get(s->store, version, &entry, &found, NULL) && found);
    return entry;
}

static sl_client_file row_of(server *s, uint64_t ident) {
    sl_client_file row;
    bool found = false;
    assert_true(sl_server_history_client(s->history, ident, &row, &found, NULL) && found);
    return row;
}

/* -1 = no form stored, else its size. */
static int64_t form_size(server *s, uint64_t peer, uint64_t version) {
    sl_str bytes;
    bool found = false;
    assert_true(s->store->vtbl->reciprocal_get(s->store, peer, version, &bytes, &found, NULL));
    return found ? (int64_t)bytes.size : -1;
}

/* ---- cursors --------------------------------------------------------------------------------- */

static void cursors_agree_as_the_rules_say(void **state) {
    (void)state;
    assert_true(sl_cursor_consistent((sl_cursor){0, 0}));
    assert_false(sl_cursor_consistent((sl_cursor){0, 1}));
    assert_true(sl_cursor_agrees((sl_cursor){1, 1}, (sl_cursor){2, 1}));
    assert_true(sl_cursor_agrees((sl_cursor){2, 3}, (sl_cursor){1, 1}));
    assert_false(sl_cursor_agrees((sl_cursor){1, 2}, (sl_cursor){2, 1}));
    assert_false(sl_cursor_agrees((sl_cursor){2, 1}, (sl_cursor){1, 2}));
    assert_false(sl_cursor_agrees((sl_cursor){2, 1}, (sl_cursor){2, 2}));
}

/* ---- what is stored -------------------------------------------------------------------------- */

static void entries_carry_author_time_and_version(void **state) {
    (void)state;
    server s;
    start(&s, false);
    commit_one(&s, 3, 7, 0, SCHEMA);
    sl_history_entry entry = entry_at(&s, 1);
    assert_int_equal(entry.peer_version, 7);
    assert_int_equal(entry.origin_file, 3);
    assert_int_equal(entry.origin_timestamp, 1007);
    assert_true(entry.salt > 0);
    assert_int_equal(entry.cumulative_size, entry.changeset.size);
    assert_int_equal(entry.original.size, 0);
    assert_int_equal(sl_server_history_version(s.history), 1);
    assert_true(sl_server_history_salt(s.history) == entry.salt);
    stop(&s);
}

static void untouched_changesets_keep_their_octets_and_changed_ones_their_original(void **state) {
    (void)state;
    server s;
    sl_buf sent;
    sl_buf_init(&sent, NULL);
    start(&s, true);
    commit_one(&s, 2, 2, 0, SCHEMA);
    encode(SCHEMA, &sent);
    sl_history_entry entry = entry_at(&s, 1);
    assert_int_equal(entry.changeset.size, sent.size);
    assert_memory_equal(entry.changeset.data, sent.data, sent.size);
    assert_int_equal(entry.original.size, 0);
    commit_one(&s, 2, 3, 1, "P1.x = 5");
    commit_one(&s, 3, 2, 1, "P1.x = 4"); /* older: loses, nothing is left */
    sl_buf_clear(&sent);
    encode("P1.x = 4", &sent);
    entry = entry_at(&s, 3);
    assert_int_equal(entry.changeset.size, 0);
    assert_int_equal(entry.original.size, sent.size);
    assert_memory_equal(entry.original.data, sent.data, sent.size);
    sl_buf_free(&sent);
    stop(&s);
}

static void empty_and_absent_forms_are_different(void **state) {
    (void)state;
    server s;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    commit_one(&s, 2, 3, 1, "P1.x = 5");
    commit_one(&s, 2, 4, 1, "ins P1.l[0] 5 |0|");
    /* Newer than version 2, so that entry means nothing any more to client 3. */
    commit_one(&s, 3, 9, 1, "P1.x = 7");
    assert_int_equal(form_size(&s, 3, 2), 0);
    assert_int_equal(form_size(&s, 3, 3), -1); /* never had to be changed */
    assert_int_equal(form_size(&s, 2, 2), -1);
    /* The next change of client 3 does not meet the entry again. */
    commit_one(&s, 3, 10, 1, "P1.x += 1");
    assert_true(entry_at(&s, 5).changeset.size > 0);
    stop(&s);
}

static void progress_trims_forms_only_when_the_client_version_grows(void **state) {
    (void)state;
    server s;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    commit_one(&s, 2, 3, 1, "P1.x = 5");
    commit_one(&s, 3, 9, 1, "P1.x = 7");
    assert_int_equal(row_of(&s, 3).reciprocal_base, 1);
    assert_int_equal(form_size(&s, 3, 2), 0);
    sl_server_upload same = {3,      NULL, 0,
                             {9, 2}, 2,    SL_SCHEMA_OWNER}; /* client version did not grow */
    assert_true(sl_server_history_begin(s.history, NULL));
    assert_true(sl_server_history_integrate(s.history, &same, NULL));
    assert_true(sl_server_history_commit(s.history, NULL, NULL));
    assert_int_equal(row_of(&s, 3).reciprocal_base, 1);
    assert_int_equal(row_of(&s, 3).locked_version, 2);
    assert_int_equal(form_size(&s, 3, 2), 0);
    sl_server_upload next = {3, NULL, 0, {12, 3}, 1, SL_SCHEMA_OWNER};
    uint64_t added = 99;
    assert_true(sl_server_history_begin(s.history, NULL));
    assert_true(sl_server_history_integrate(s.history, &next, NULL));
    assert_true(sl_server_history_commit(s.history, &added, NULL));
    assert_int_equal(added, 0);
    assert_int_equal(row_of(&s, 3).client_version, 12);
    assert_int_equal(row_of(&s, 3).reciprocal_base, 3);
    assert_int_equal(row_of(&s, 3).locked_version, 2);
    assert_int_equal(form_size(&s, 3, 2), -1);
    assert_true(sl_str_eq(row_of(&s, 3).user, SL_STR("ann")));
    stop(&s);
}

static void clients_of_one_unit_see_each_other(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    assert_true(sl_server_history_begin(s.history, &st));
    assert_true(put(&s, 2, 5, 1, "P1.x = 5", &st));
    assert_true(put(&s, 3, 4, 1, "P1.x = 4", &st)); /* older than the one before it in the unit */
    assert_true(sl_server_history_commit(s.history, NULL, &st));
    assert_int_equal(entry_at(&s, 3).changeset.size, 0);
    stop(&s);
}

static void a_unit_that_is_rolled_back_leaves_nothing(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    sl_buf before, after;
    sl_buf_init(&before, NULL);
    sl_buf_init(&after, NULL);
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    assert_true(sl_realm_state_text(s.realm, &before, NULL));
    assert_true(sl_server_history_begin(s.history, &st));
    sl_client_file row = {.type = SL_CLIENT_REGULAR, .user = SL_STR("")};
    assert_true(sl_server_history_allocate(s.history, &row, &st));
    assert_true(put(&s, 3, 4, 1, "P1.x = 44; column P.y:int; create P2", &st));
    assert_false(put(&s, 2, 4, 1, "P7.x = 1", &st));
    assert_int_equal(st.code, 212);
    sl_server_history_rollback(s.history);
    assert_true(sl_realm_state_text(s.realm, &after, NULL));
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    assert_int_equal(sl_server_history_version(s.history), 1);
    assert_int_equal(row_of(&s, 3).client_version, 0);
    add_clients(&s, 1);
    assert_int_equal(row_of(&s, 4).type, SL_CLIENT_REGULAR); /* the number was not used up */
    commit_one(&s, 3, 4, 1, "P1.x = 44");
    sl_server_scan scan;
    sl_buf entries;
    sl_buf_init(&entries, NULL);
    assert_true(
        sl_server_history_scan(s.history, 9, (sl_cursor){1, 0}, 1000, &entries, &scan, NULL));
    assert_int_equal(scan.count, 1); /* nothing of the lost unit is in the cache */
    sl_buf_free(&entries);
    sl_buf_free(&before);
    sl_buf_free(&after);
    stop(&s);
}

static void keyless_objects_get_their_author(void **state) {
    (void)state;
    sl_changeset cs;
    bool changed = false;
    sl_link link = {.class_name = SL_STR("P")};
    link.key = (sl_key){.type = SL_TYPE_GLOBALKEY, .global = {0, 5}};
    sl_changeset_init(&cs, NULL);
    link.class_name.sym = sl_changeset_intern(&cs, SL_STR("P"));
    for (int op = 0; op < 3; op++) {
        static const sl_op ops[] = {SL_OP_CREATE_OBJECT, SL_OP_SET_INSERT, SL_OP_ADD_TABLE};
        sl_instruction *in = sl_changeset_append(&cs, ops[op]);
        assert_non_null(in);
        in->class_name = 0;
        in->key = (sl_key){.type = SL_TYPE_GLOBALKEY, .global = {op == 1 ? 9 : 0, 5}};
        if (op == 1) in->value = (sl_value){.type = SL_TYPE_LINK, .link = &link};
    }
    assert_true(sl_changeset_adopt_ident(&cs, 77, &changed, NULL));
    assert_true(changed);
    assert_int_equal(cs.instructions[0].key.global.hi, 77);
    assert_int_equal(cs.instructions[1].key.global.hi, 9); /* had one already */
    assert_int_equal(cs.instructions[1].value.link->key.global.hi, 77);
    assert_int_equal(link.key.global.hi, 0);               /* shared links are left alone */
    assert_int_equal(cs.instructions[2].key.global.hi, 0); /* names no object */
    assert_true(sl_changeset_adopt_ident(&cs, 78, &changed, NULL));
    assert_false(changed);
    sl_changeset_free(&cs);
}

static void history_says(server *s, uint64_t version, const char *text) {
    sl_buf expected;
    sl_buf_init(&expected, NULL);
    encode(text, &expected);
    sl_history_entry entry = entry_at(s, version);
    assert_int_equal(entry.changeset.size, expected.size);
    assert_memory_equal(entry.changeset.data, expected.data, expected.size);
    sl_buf_free(&expected);
}

/* As SDKs record them: an insertion, a Clear of the new collection, its content. */
static void void_clears_are_left_out(void **state) {
    (void)state;
    server s;
    start(&s, true);
    commit_one(&s, 2, 2, 0, SCHEMA "; column P.m:mixed[]; ins P1.m[0] 7 |0|; ins P1.m[1] 8 |1|");
    commit_one(&s, 3, 2, 1, "del P1.m[0] |2|");
    commit_one(&s, 2, 3, 1, "ins P1.m[0] dict |2|; clr P1.m[0] dict; P1.m[0].k = 4");
    history_says(&s, 3, "ins P1.m[0] dict |1|; P1.m[0].k = 4");
    assert_true(entry_at(&s, 3).original.size > entry_at(&s, 3).changeset.size);
    const char *kept[] = {
        "ins P1.m[0] list |2|; clr P1.m[0] dict", "ins P1.m[0] list |3|; clr P1.m[1] dict",
        "ins P1.m[0] list |4|; ins P1.m[0] 1 |5|; clr P1.m[1] list", "clr P1.m[0] list"};
    for (uint64_t i = 0; i < 4; i++) {
        commit_one(&s, 2, 4 + i, 3 + i, kept[i]);
        history_says(&s, 4 + i, kept[i]);
    }
    stop(&s);
}

/* Applied to a dictionary, the younger creation would empty the object that both have filled (G4).
 */
static void two_creations_under_one_key_are_one(void **state) {
    (void)state;
    server s;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA "; embedded E; column E.n:string[]; column P.d:->E{}");
    commit_one(&s, 2, 3, 1, "P1.d.k = object; ins P1.d.k.n[0] \"a\" |0|");
    commit_one(&s, 3, 4, 1, "P1.d.k = object; ins P1.d.k.n[0] \"b\" |0|");
    history_says(&s, 3, "ins P1.d.k.n[1] \"b\" |1|");
    commit_one(&s, 2, 5, 3, "P1.d.k = object"); /* knows what it replaces */
    history_says(&s, 4, "P1.d.k = object");
    commit_one(&s, 3, 6, 3, "P1.d.k = erased");
    commit_one(&s, 2, 6, 4, "P1.d.k = object; ins P1.d.k.n[0] \"c\" |0|");
    history_says(&s, 6, "");
    stop(&s);
}

/* ---- scan and cache -------------------------------------------------------------------------- */

static void scan_text(server *s, uint64_t peer, sl_cursor from, size_t limit, sl_buf *out,
                      sl_server_scan *scan) {
    sl_buf_clear(out);
    assert_true(sl_server_history_scan(s->history, peer, from, limit, out, scan, NULL));
}

static void scans_are_the_same_with_and_without_the_cache(void **state) {
    (void)state;
    server s;
    sl_buf cached, stored;
    sl_server_scan a, b;
    sl_buf_init(&cached, NULL);
    sl_buf_init(&stored, NULL);
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    for (uint64_t v = 3; v < 40; v++)
        commit_one(&s, 2 + v % 2, v, v - 2, v % 5 ? "P1.x = 5" : "");
    for (uint64_t from = 0; from <= 38; from++) {
        for (size_t limit = 1; limit < 1000; limit += 190) {
            server other = s;
            open_over(&other, 1, false); /* a cache that holds next to nothing */
            for (uint64_t peer = 2; peer < 5; peer++) {
                scan_text(&s, peer, (sl_cursor){from, 0}, limit, &cached, &a);
                scan_text(&other, peer, (sl_cursor){from, 0}, limit, &stored, &b);
                assert_int_equal(a.cursor.own, b.cursor.own);
                assert_int_equal(a.cursor.other, b.cursor.other);
                assert_int_equal(a.downloadable, b.downloadable);
                assert_int_equal(a.count, b.count);
                assert_int_equal(cached.size, stored.size);
                if (cached.size) assert_memory_equal(cached.data, stored.data, cached.size);
                assert_true(a.cursor.own > from || from == 38);
            }
            close_history(&other);
        }
    }
    sl_buf_free(&cached);
    sl_buf_free(&stored);
    stop(&s);
}

static bool count_entry(void *ctx, const sl_history_entry *entry) {
    (void)entry;
    ++*(int *)ctx;
    return true;
}

static void the_cache_forgets_the_oldest_first(void **state) {
    (void)state;
    sl_entry_cache cache;
    sl_history_entry entry = {.changeset = SL_STR("0123456789")};
    int count = 0;
    sl_entry_cache_init(&cache, NULL, 100);
    assert_false(sl_entry_cache_covers(&cache, 0));
    for (entry.version = 1; entry.version <= 50; entry.version++)
        sl_entry_cache_push(&cache, &entry);
    assert_true(sl_entry_cache_covers(&cache, 40));
    assert_false(sl_entry_cache_covers(&cache, 39));
    sl_entry_cache_scan(&cache, 42, 47, count_entry, &count);
    assert_int_equal(count, 5);
    sl_entry_cache_truncate(&cache, 45);
    count = 0;
    sl_entry_cache_scan(&cache, 40, 50, count_entry, &count);
    assert_int_equal(count, 5);
    entry.version = 60; /* a gap: starts over */
    sl_entry_cache_push(&cache, &entry);
    assert_false(sl_entry_cache_covers(&cache, 45));
    assert_true(sl_entry_cache_covers(&cache, 59));
    sl_entry_cache_free(&cache);
}

static void classes_have_a_limit(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    s.history->max_classes = 2;
    commit_one(&s, 2, 3, 0, "table Q(_id:int)");
    assert_true(sl_server_history_begin(s.history, &st));
    assert_false(put(&s, 2, 4, 0, "table R(_id:int)", &st));
    assert_int_equal(st.cls, SL_ERR_SESSION);
    assert_int_equal(st.code, 225);
    sl_server_history_rollback(s.history);
    /* Who says again what is there, or adds objects, is not held up by a file that has too many. */
    s.history->max_classes = 1;
    commit_one(&s, 2, 4, 0, "table Q(_id:int); create Q1");
    stop(&s);
}

static void merges_have_a_limit(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    commit_one(&s, 2, 3, 0, "P1.x = 1; P1.x = 2");
    s.history->max_merge_steps = 2;
    assert_true(sl_server_history_begin(s.history, &st));
    assert_false(put(&s, 3, 2, 1, "P1.x = 3; P1.x = 4", &st));
    assert_int_equal(st.cls, SL_ERR_SESSION);
    assert_int_equal(st.code, 222);
    sl_server_history_rollback(s.history);
    assert_true(sl_server_history_begin(s.history, &st));
    if (!put(&s, 3, 2, 2, "P1.x = 3; P1.x = 4", &st)) fail_msg("%s", st.message);
    sl_server_history_rollback(s.history);
    stop(&s);
}

/* Uploads that each stay below the limit: together they are refused, until time has passed. */
static void many_long_merges_share_a_limit(void **state) {
    (void)state;
    enum { LIMIT = 1000 };
    static sl_merge_budget budget;
    int64_t now = 5000;
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now) == LIMIT);
    sl_merge_budget_take(&budget, 7, 400, LIMIT, false, now);
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now) == 600);
    sl_merge_budget_end(&budget, false); /* rolled back, it will be done again */
    sl_merge_budget_take(&budget, 7, 400, LIMIT, false, now);
    sl_merge_budget_end(&budget, true);
    sl_merge_budget_take(&budget, 7, 601, LIMIT, true, now);
    sl_merge_budget_end(&budget, false); /* the refusal stays */
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now) == LIMIT / SL_MERGE_FLOOR);
    assert_true(sl_merge_budget_left(&budget, 8, LIMIT, now) == LIMIT);
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now + SL_MERGE_REFILL_MS / 2) == 500);
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now + SL_MERGE_REFILL_MS) == LIMIT);
    /* Those who use much are not pushed out by many who use little. */
    for (uint64_t who = 100; who < 1000; who++) {
        sl_merge_budget_take(&budget, who, 1, LIMIT, false, now);
        sl_merge_budget_end(&budget, true);
    }
    assert_true(sl_merge_budget_left(&budget, 7, LIMIT, now) == LIMIT / SL_MERGE_FLOOR);
}

static void small_uploads_of_a_device_share_its_limit(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA);
    s.history->max_merge_steps = 40;
    bool refused = false;
    for (uint64_t cv = 3; cv < 100 && !refused; cv++) {
        uint64_t now = sl_server_history_version(s.history);
        commit_one(&s, 2, cv, now, "P1.x = 1; P1.x = 2; P1.x = 3");
        assert_true(sl_server_history_begin(s.history, &st));
        refused = !put(&s, 3, cv, now, "P1.x = 4; P1.x = 5", &st);
        assert_true(refused ? st.code == 222 : sl_server_history_commit(s.history, NULL, &st));
    }
    assert_true(refused);
    sl_server_history_rollback(s.history);
    stop(&s);
}

static void a_reopened_history_knows_everything(void **state) {
    (void)state;
    server s;
    start(&s, false);
    commit_one(&s, 2, 2, 0, SCHEMA "; asymmetric A(_id:int)");
    int64_t salt = sl_server_history_salt(s.history);
    uint64_t size = sl_server_history_size(s.history);
    close_history(&s);
    open_over(&s, 0, false);
    assert_int_equal(sl_server_history_version(s.history), 1);
    assert_true(sl_server_history_salt(s.history) == salt);
    assert_int_equal(sl_server_history_size(s.history), size);
    assert_int_equal(sl_server_history_level(s.history), 6);
    assert_int_equal(row_of(&s, 2).feature_level, 6);
    add_clients(&s, 1);
    assert_int_equal(row_of(&s, 4).type, SL_CLIENT_REGULAR);
    stop(&s);
}

static void calls_in_the_wrong_order_are_refused(void **state) {
    (void)state;
    server s;
    sl_status st = SL_STATUS_INIT;
    start(&s, false);
    sl_client_file row = {.type = SL_CLIENT_REGULAR, .user = SL_STR("")};
    assert_false(sl_server_history_allocate(s.history, &row, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    assert_false(sl_server_history_commit(s.history, NULL, &st));
    assert_false(put(&s, 2, 2, 0, SCHEMA, &st));
    assert_true(sl_server_history_begin(s.history, &st));
    assert_false(sl_server_history_begin(s.history, &st));
    assert_false(put(&s, 99, 2, 0, SCHEMA, &st));
    assert_int_equal(st.code, 208);
    assert_false(put(&s, 2, 2, 5, SCHEMA, &st)); /* a base that does not exist */
    assert_int_equal(st.code, 209);
    sl_server_history_rollback(s.history);
    sl_server_history_rollback(s.history);
    stop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursors_agree_as_the_rules_say),
        cmocka_unit_test(entries_carry_author_time_and_version),
        cmocka_unit_test(untouched_changesets_keep_their_octets_and_changed_ones_their_original),
        cmocka_unit_test(empty_and_absent_forms_are_different),
        cmocka_unit_test(progress_trims_forms_only_when_the_client_version_grows),
        cmocka_unit_test(clients_of_one_unit_see_each_other),
        cmocka_unit_test(a_unit_that_is_rolled_back_leaves_nothing),
        cmocka_unit_test(keyless_objects_get_their_author),
        cmocka_unit_test(void_clears_are_left_out),
        cmocka_unit_test(two_creations_under_one_key_are_one),
        cmocka_unit_test(scans_are_the_same_with_and_without_the_cache),
        cmocka_unit_test(the_cache_forgets_the_oldest_first),
        cmocka_unit_test(classes_have_a_limit),
        cmocka_unit_test(merges_have_a_limit),
        cmocka_unit_test(many_long_merges_share_a_limit),
        cmocka_unit_test(small_uploads_of_a_device_share_its_limit),
        cmocka_unit_test(a_reopened_history_knows_everything),
        cmocka_unit_test(calls_in_the_wrong_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
