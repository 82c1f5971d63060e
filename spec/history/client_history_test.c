/* The history of a client file: versions, uploads, idents, integration, what crashes and faults
 * leave behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "changeset/json.h"
#include "client_file.h"
#include "failing_alloc.h"
#include "history/own_changes.h"
#include "realm/read.h"

typedef struct fixture {
    test_env env;
    client_file file;
    client_file author; /* another client whose changes are downloaded */
    sl_arena arena;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    test_env_init(&f->env, 1);
    file_open(&f->file, &f->env);
    file_open(&f->author, &f->env);
    sl_arena_init(&f->arena, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    file_free(&f->file);
    file_free(&f->author);
    sl_arena_free(&f->arena);
    free(f);
    return 0;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        sl_status st_ = SL_STATUS_INIT, *st = &st_;                                                \
        (void)st;                                                                                  \
        if (!(call)) fail_msg("%s: %s", #call, st_.message);                                       \
    } while (0)

/* The changeset of a version of a file, as a copy. */
static sl_str entry_bytes(fixture *f, client_file *file, uint64_t version) {
    sl_history_entry entry;
    bool found = false;
    OK(file->store->vtbl->entry_get(file->store, version, &entry, &found, st));
    assert_true(found);
    return sl_arena_str(&f->arena, entry.changeset);
}

/* What the author wrote last, as an entry of a DOWNLOAD. */
static sl_download_entry written(fixture *f, uint64_t server, uint64_t client, uint64_t timestamp) {
    sl_download_entry entry = {.server_version = server,
                               .client_version = client,
                               .origin_timestamp = timestamp,
                               .origin_file = 9};
    entry.changeset = entry_bytes(f, &f->author, sl_client_history_version(f->author.history));
    entry.original_size = entry.changeset.size;
    return entry;
}

static sl_client_download download_of(const sl_download_entry *entries, size_t count,
                                      uint64_t server, uint64_t dl_cv, uint64_t ul_cv,
                                      uint64_t ul_sv) {
    sl_client_download d = {.entries = entries, .count = count};
    d.cursors = (sl_client_cursors){server, server ? 5 : 0, server, dl_cv, ul_cv, ul_sv};
    return d;
}

static void integrate(fixture *f, const sl_client_download *d) {
    sl_client_integration result;
    OK(sl_client_history_check_download(f->file.history, d, st));
    OK(sl_client_history_integrate(f->file.history, d, &result, st));
    assert_int_equal(result.version, sl_client_history_version(f->file.history));
}

static bool state_contains(client_file *file, const char *text) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    file_state(file, &out);
    bool found = strstr(out.data, text) != NULL;
    sl_buf_free(&out);
    return found;
}

static sl_upload_batch scan(client_file *file, uint64_t from, int protocol, sl_buf *out) {
    sl_upload_batch batch;
    sl_buf_clear(out);
    OK(sl_client_history_scan_uploads(file->history, (sl_upload_cursor){from, 0}, UINT64_MAX,
                                      protocol, out, &batch, st));
    return batch;
}

static bool same_ts_body(sl_realm *realm, sl_status *st) {
    return item_schema(realm, st) && item_create(realm, 1, st);
}

/* Both files hold Item 1; the author's schema is known to the file under test by DOWNLOAD 1. */
static void share_item(fixture *f) {
    OK(sl_client_history_set_ident(f->file.history, 2, 77, st));
    FILE_WRITE(&f->author, same_ts_body(realm, st));
    sl_download_entry entry = written(f, 1, 0, 1000);
    sl_client_download d = download_of(&entry, 1, 1, 0, 0, 0);
    integrate(f, &d);
}

/* ---- versions -------------------------------------------------------------------------------- */

static void versions_count_commits_and_start_at_two(void **state) {
    fixture *f = *state;
    sl_client_history *h = f->file.history;
    assert_int_equal(sl_client_history_version(h), 0);
    FILE_WRITE(&f->file, item_schema(realm, st));
    assert_int_equal(sl_client_history_version(h), 2);
    FILE_WRITE(&f->file, true); /* nothing recorded: no version */
    assert_int_equal(sl_client_history_version(h), 2);
    OK(sl_client_history_set_ident(h, 2, 77, st));
    assert_int_equal(sl_client_history_version(h), 3);
    file_crash(&f->file, SL_CRASH_POWER);
    assert_int_equal(sl_client_history_version(f->file.history), 3);
    assert_int_equal(sl_client_history_ident(f->file.history), 2);
    assert_int_equal(sl_client_history_salt(f->file.history), 77);
}

static void a_clock_before_2015_refuses_writes(void **state) {
    fixture *f = *state;
    sl_status why = SL_STATUS_INIT;
    f->env.wall = SL_SYNC_EPOCH_MS - 1;
    assert_false(sl_client_history_begin(f->file.history, &why));
    assert_int_equal(why.cls, SL_ERR_USAGE);
    assert_string_equal(why.id, "CLOCK");
    f->env.wall = SL_SYNC_EPOCH_MS;
    FILE_WRITE(&f->file, item_schema(realm, st));
    /* It may also jump during the transaction. */
    OK(sl_client_history_begin(f->file.history, st));
    OK(item_create(f->file.realm, 1, st));
    f->env.wall = 0;
    assert_false(sl_client_history_commit(f->file.history, NULL, &why));
    assert_false(sl_client_history_writing(f->file.history));
    assert_false(state_contains(&f->file, "\"int\":\"1\""));
    f->env.wall = SL_SYNC_EPOCH_MS + 5;
    FILE_WRITE(&f->file, item_create(realm, 2, st));
}

static void one_ident_for_life(void **state) {
    fixture *f = *state;
    sl_status why = SL_STATUS_INIT;
    assert_false(sl_client_history_set_ident(f->file.history, 0, 5, &why));
    assert_int_equal(why.cls, SL_ERR_PROTOCOL);
    assert_false(sl_client_history_set_ident(f->file.history, 3, 0, &why));
    OK(sl_client_history_set_ident(f->file.history, 3, 9, st));
    assert_false(sl_client_history_set_ident(f->file.history, 4, 9, &why));
    assert_int_equal(why.cls, SL_ERR_USAGE);
}

static void a_damaged_record_is_reported(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {"nonsense", "version=3 base=9",
                                        "version=", "version=99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sl_status why = SL_STATUS_INIT;
        sl_store *store = f->file.store;
        OK(store->vtbl->begin(store, st));
        OK(store->vtbl->meta_put_bytes(store, "client_state", sl_str_c(texts[i]), st));
        OK(store->vtbl->commit(store, true, st));
        file_close(&f->file);
        assert_false(file_try_open(&f->file, &why));
        assert_int_equal(why.cls, SL_ERR_STORAGE);
        sl_memory_disk_free(f->file.disk);
        f->file.disk = NULL;
        file_open(&f->file, &f->env);
    }
}

/* ---- global keys ----------------------------------------------------------------------------- */

static bool keyless(sl_realm *realm, sl_status *st) {
    sl_property properties[] = {
        {.name = SL_STR("next"), .type = SL_TYPE_LINK, .nullable = true, .target = SL_STR("Node")},
        {.name = SL_STR("set"),
         .type = SL_TYPE_LINK,
         .collection = SL_SET,
         .target = SL_STR("Node")}};
    sl_class node = {.name = SL_STR("Node"),
                     .key_type = SL_TYPE_GLOBALKEY,
                     .key_name = SL_STR(""),
                     .properties = properties,
                     .property_count = 2};
    sl_schema_definition definition = {&node, 1};
    sl_key a, b;
    bool created;
    if (!sl_record_schema(realm, &definition, NULL, st) ||
        !sl_record_create(realm, SL_STR("Node"), NULL, &a, &created, st) ||
        !sl_record_create(realm, SL_STR("Node"), NULL, &b, &created, st))
        return false;
    sl_link link = {SL_STR("Node"), b};
    sl_value value = {.type = SL_TYPE_LINK};
    value.link = &link;
    sl_place place = {.class_name = SL_STR("Node"), .key = a, .property = SL_STR("next")};
    if (!sl_record_set(realm, &place, &value, false, st)) return false;
    place.property = SL_STR("set");
    return sl_record_set_insert(realm, &place, &value, NULL, st);
}

static void the_ident_is_put_into_keys_made_without_one(void **state) {
    fixture *f = *state;
    FILE_WRITE(&f->file, keyless(realm, st));
    OK(sl_client_history_set_ident(f->file.history, 11, 77, st));
    sl_changeset cs;
    sl_buf text;
    sl_changeset_init(&cs, NULL);
    sl_buf_init(&text, NULL);
    sl_str bytes = entry_bytes(f, &f->file, 2);
    OK(sl_changeset_parse(&cs, bytes.data, bytes.size, st));
    size_t seen = 0;
    for (uint32_t i = 0; i < cs.count; i++) {
        const sl_instruction *in = &cs.instructions[i];
        if (in->op == SL_OP_CREATE_OBJECT || sl_op_has_path(in->op)) {
            assert_int_equal(in->key.global.hi, 11);
            seen++;
        }
        if (sl_op_has_path(in->op) && in->value.type == SL_TYPE_LINK)
            assert_int_equal(in->value.link->key.global.hi, 11);
    }
    assert_int_equal(seen, 4);
    OK(sl_changeset_to_json(&cs, false, &text, st));
    assert_true(state_contains(&f->file, "\"hi\":\"11\",\"lo\":\"1\""));
    assert_false(state_contains(&f->file, "\"hi\":\"0\""));
    /* The same after a restart: the store was told too. */
    sl_buf before, after;
    sl_buf_init(&before, NULL);
    sl_buf_init(&after, NULL);
    file_state(&f->file, &before);
    file_crash(&f->file, SL_CRASH_POWER);
    file_state(&f->file, &after);
    assert_string_equal(before.data, after.data);
    sl_buf_free(&before);
    sl_buf_free(&after);
    sl_buf_free(&text);
    sl_changeset_free(&cs);
}

/* ---- upload ---------------------------------------------------------------------------------- */

static bool long_name(sl_realm *realm, size_t size, sl_status *st) {
    char *text = malloc(size + 1);
    memset(text, 'a', size);
    text[size] = 0;
    bool ok = item_name(realm, 1, text, st);
    free(text);
    return ok;
}

static void an_upload_stops_after_131072_bytes(void **state) {
    fixture *f = *state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    FILE_WRITE(&f->file, item_schema(realm, st) && item_create(realm, 1, st));
    for (int i = 0; i < 5; i++)
        FILE_WRITE(&f->file, long_name(realm, 60000, st));
    sl_upload_batch batch = scan(&f->file, 0, 14, &out);
    assert_int_equal(batch.count, 4); /* schema and three: 180 000 bytes */
    assert_true(batch.more);
    assert_int_equal(batch.cursor.client_version, 5);
    batch = scan(&f->file, batch.cursor.client_version, 14, &out);
    assert_int_equal(batch.count, 2);
    assert_false(batch.more);
    assert_int_equal(batch.cursor.client_version, 7);
    batch = scan(&f->file, 7, 14, &out);
    assert_int_equal(batch.count, 0);
    assert_int_equal(out.size, 0);
    sl_buf_free(&out);
}

static void an_upload_never_reaches_16_mib_unless_one_changeset_does(void **state) {
    fixture *f = *state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    FILE_WRITE(&f->file, item_schema(realm, st) && item_create(realm, 1, st));
    FILE_WRITE(&f->file, long_name(realm, 16777199, st));
    sl_upload_batch batch = scan(&f->file, 0, 14, &out);
    assert_int_equal(batch.count, 1);
    assert_true(batch.more);
    batch = scan(&f->file, batch.cursor.client_version, 14, &out);
    assert_int_equal(batch.count, 1);
    assert_true(out.size > 16777216);
    sl_buf_free(&out);
}

static bool nested(sl_realm *realm, sl_status *st) {
    sl_property any = {
        .name = SL_STR("any"), .type = SL_TYPE_MIXED, .nullable = true, .target = SL_STR("")};
    if (!sl_record_add_property(realm, SL_STR("Item"), &any, st)) return false;
    sl_place place = item_place(1, "any");
    sl_value list = {.type = SL_TYPE_LIST};
    return sl_record_set(realm, &place, &list, false, st);
}

static void what_an_old_peer_cannot_read_stays_here(void **state) {
    fixture *f = *state;
    sl_buf out;
    sl_buf_init(&out, NULL);
    FILE_WRITE(&f->file, item_schema(realm, st) && item_create(realm, 1, st));
    FILE_WRITE(&f->file, item_name(realm, 1, "plain", st));
    FILE_WRITE(&f->file, nested(realm, st));
    sl_upload_batch batch = scan(&f->file, 0, 12, &out);
    assert_int_equal(batch.count, 2);
    assert_true(batch.gated);
    assert_int_equal(batch.gate_version, 4);
    assert_int_equal(batch.gate_level, 13);
    assert_int_equal(batch.cursor.client_version, 3);
    batch = scan(&f->file, 0, 13, &out);
    assert_int_equal(batch.count, 3);
    assert_false(batch.gated);
    sl_buf_free(&out);
}

static void uploads_carry_originals_after_a_merge(void **state) {
    fixture *f = *state;
    share_item(f);
    FILE_WRITE(&f->file, item_tag(realm, 1, 0, "mine", st));
    uint64_t version = sl_client_history_version(f->file.history);
    sl_str before = entry_bytes(f, &f->file, version);
    f->env.wall += 1000;
    FILE_WRITE(&f->author, item_tag(realm, 1, 0, "theirs", st));
    sl_download_entry entry = written(f, 2, 0, 1);
    sl_client_download d = download_of(&entry, 1, 2, 0, 0, 0);
    integrate(f, &d);
    sl_str form;
    bool found = false;
    OK(f->file.store->vtbl->reciprocal_get(f->file.store, 1, version, &form, &found, st));
    assert_true(found);
    sl_str after = entry_bytes(f, &f->file, version);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
}

/* ---- integration ----------------------------------------------------------------------------- */

/* A local write that lost against a first download must not come back when a second one is merged,
 * also not after a restart (3-transform.md, 1.9). */
static void an_empty_form_is_not_the_original(void **state) {
    fixture *f = *state;
    share_item(f);
    f->env.wall = SL_SYNC_EPOCH_MS + 100;
    FILE_WRITE(&f->file, item_name(realm, 1, "mine", st));
    FILE_WRITE(&f->author, item_name(realm, 1, "younger", st));
    sl_download_entry entry = written(f, 2, 0, 200);
    sl_client_download d = download_of(&entry, 1, 2, 0, 0, 0);
    integrate(f, &d);
    assert_true(state_contains(&f->file, "younger"));
    OK(sl_client_history_sync(f->file.history, st));
    file_crash(&f->file, SL_CRASH_POWER);
    FILE_WRITE(&f->author, item_name(realm, 1, "older", st));
    entry = written(f, 3, 0, 50);
    d = download_of(&entry, 1, 3, 0, 0, 0);
    integrate(f, &d);
    assert_true(state_contains(&f->file, "older"));
}

static void entries_are_kept_until_the_download_cursor_passed_them(void **state) {
    fixture *f = *state;
    sl_buf out;
    bool done = true;
    sl_buf_init(&out, NULL);
    share_item(f);
    FILE_WRITE(&f->file, item_name(realm, 1, "a", st));
    uint64_t version = sl_client_history_version(f->file.history);
    OK(sl_client_history_confirmed(f->file.history, version, &done, st));
    assert_false(done);
    /* Confirmed, but downloads may still be based on a state before it. */
    sl_client_download d = download_of(NULL, 0, 2, 0, version, 1);
    integrate(f, &d);
    OK(sl_client_history_confirmed(f->file.history, version, &done, st));
    assert_true(done);
    assert_true(sl_client_history_base(f->file.history) < version);
    assert_int_equal(sl_client_history_progress(f->file.history)->uploaded_changesets, 1);
    d = download_of(NULL, 0, 3, version, version, 1);
    integrate(f, &d);
    assert_true(sl_client_history_base(f->file.history) >= version);
    uint64_t first, last;
    OK(f->file.store->vtbl->entry_range(f->file.store, &first, &last, st));
    assert_true(first == 0 || first > version);
    sl_buf_free(&out);
}

/* Every change that is listed for upload after `from`. */
static uint64_t count_uploads(fixture *f, uint64_t from) {
    sl_upload_cursor cursor = {from, 0};
    sl_upload_batch batch = {.more = true};
    uint64_t count = 0;
    sl_buf out;
    sl_buf_init(&out, NULL);
    for (; batch.more; cursor = batch.cursor) {
        sl_buf_clear(&out);
        OK(sl_client_history_scan_uploads(f->file.history, cursor, UINT64_MAX, 14, &out, &batch,
                                          st));
        count += batch.count;
    }
    sl_buf_free(&out);
    assert_int_equal(cursor.client_version, sl_client_history_version(f->file.history));
    return count;
}

static void a_reopened_file_knows_what_its_entries_tell(void **state) {
    fixture *f = *state;
    share_item(f);
    uint64_t first = sl_client_history_version(f->file.history);
    for (uint64_t i = 1; i <= 530; i++) {
        FILE_WRITE(&f->file, item_add(realm, 1, 1, st));
        if (i % 53 && i != 254 && i != 255 && i != 256 && i != 257) continue;
        uint64_t version = sl_client_history_version(f->file.history);
        sl_client_progress progress = *sl_client_history_progress(f->file.history);
        assert_int_equal(version, first + i);
        assert_int_equal(progress.uploadable_changesets, i);
        file_crash(&f->file, SL_CRASH_POWER);
        assert_int_equal(sl_client_history_version(f->file.history), version);
        assert_memory_equal(sl_client_history_progress(f->file.history), &progress,
                            sizeof progress);
        assert_int_equal(count_uploads(f, 0), i);
    }
}

static bool count_entry(void *ctx, const sl_history_entry *entry) {
    (void)entry;
    ++*(size_t *)ctx;
    return true;
}

static void entries_that_count_no_more_leave_the_store_in_groups(void **state) {
    fixture *f = *state;
    share_item(f);
    size_t most = 0;
    for (uint64_t i = 1; i <= 600; i++) {
        FILE_WRITE(&f->file, item_add(realm, 1, 1, st));
        uint64_t version = sl_client_history_version(f->file.history);
        assert_int_equal(count_uploads(f, 0), 1);
        sl_client_download d = download_of(NULL, 0, 1 + i, version, version, 1);
        integrate(f, &d);
        assert_int_equal(count_uploads(f, 0), 0);
        assert_int_equal(sl_client_history_progress(f->file.history)->uploaded_changesets, i);
        if (i % 100 == 0) file_crash(&f->file, SL_CRASH_PROCESS);
        size_t held = 0;
        OK(f->file.store->vtbl->entry_scan(f->file.store, 0, UINT64_MAX, false, count_entry, &held,
                                           st));
        if (held > most) most = held;
    }
    assert_in_range(most, 2, 200);
}

static void progress_behind_the_stored_one_is_error_233(void **state) {
    fixture *f = *state;
    share_item(f);
    sl_client_download d = download_of(NULL, 0, 5, 3, 3, 4);
    integrate(f, &d);
    sl_client_cursors good = *sl_client_history_cursors(f->file.history);
    for (int i = 0; i < 5; i++) {
        sl_client_integration result;
        sl_status why = SL_STATUS_INIT;
        d.cursors = good;
        if (i == 0) d.cursors.latest_sv--;
        if (i == 1) d.cursors.dl_sv--;
        if (i == 2) d.cursors.dl_cv--;
        if (i == 3) d.cursors.ul_cv--;
        if (i == 4) d.cursors.ul_sv--;
        assert_false(sl_client_history_integrate(f->file.history, &d, &result, &why));
        assert_int_equal(why.cls, SL_ERR_SESSION);
        assert_int_equal(why.code, 233);
    }
    /* What a server says of an ident that a reset took over is not stored. */
    d.cursors = good;
    d.cursors.ul_sv = 0;
    integrate(f, &d);
    assert_int_equal(sl_client_history_cursors(f->file.history)->ul_sv, 4);
}

static void changes_of_one_download_are_one_commit(void **state) {
    fixture *f = *state;
    share_item(f);
    sl_download_entry entries[3];
    FILE_WRITE(&f->author, item_add(realm, 1, 1, st));
    entries[0] = written(f, 2, 0, 10);
    FILE_WRITE(&f->author, item_add(realm, 1, 2, st));
    entries[1] = written(f, 4, 0, 11);
    FILE_WRITE(&f->author, item_add(realm, 1, 4, st));
    entries[2] = written(f, 7, 0, 12);
    uint64_t before = sl_client_history_version(f->file.history);
    sl_client_download d = download_of(entries, 3, 9, 0, 0, 0);
    d.downloadable = 100;
    integrate(f, &d);
    assert_int_equal(sl_client_history_version(f->file.history), before + 1);
    assert_true(state_contains(&f->file, "\"n\":{\"int\":\"7\"}"));
    const sl_client_progress *p = sl_client_history_progress(f->file.history);
    assert_int_equal(p->downloaded_changesets, 4);
    assert_int_equal(p->downloadable_bytes, p->downloaded_bytes + 100);
    /* New writes are based on what was downloaded. */
    FILE_WRITE(&f->file, item_add(realm, 1, 100, st));
    sl_history_entry entry;
    bool found;
    OK(f->file.store->vtbl->entry_get(f->file.store, before + 2, &entry, &found, st));
    assert_int_equal(entry.peer_version, 9);
}

static void a_bad_changeset_leaves_everything_as_it_was(void **state) {
    fixture *f = *state;
    share_item(f);
    sl_buf before, after;
    sl_buf_init(&before, NULL);
    sl_buf_init(&after, NULL);
    file_state(&f->file, &before);
    uint64_t version = sl_client_history_version(f->file.history);
    FILE_WRITE(&f->author, item_name(realm, 1, "hello", st) && item_tag(realm, 1, 0, "t", st));
    sl_download_entry entries[2] = {written(f, 2, 0, 10), written(f, 3, 0, 11)};
    char *bytes = (char *)(uintptr_t)entries[1].changeset.data;
    for (int round = 0; round < 3000; round++) {
        sl_client_integration result;
        sl_status why = SL_STATUS_INIT;
        size_t at = test_random(&f->env) % entries[1].changeset.size;
        char saved = bytes[at];
        bytes[at] = (char)test_random(&f->env);
        sl_client_download d = download_of(entries, 2, 3, 0, 0, 0);
        bool ok = sl_client_history_integrate(f->file.history, &d, &result, &why);
        bytes[at] = saved;
        if (ok) { /* still a changeset: start over */
            file_free(&f->file);
            file_open(&f->file, &f->env);
            OK(sl_client_history_set_ident(f->file.history, 2, 77, st));
            sl_download_entry first = {.server_version = 1,
                                       .origin_timestamp = 1000,
                                       .origin_file = 9,
                                       .changeset = entry_bytes(f, &f->author, 2)};
            d = download_of(&first, 1, 1, 0, 0, 0);
            integrate(f, &d);
            continue;
        }
        assert_int_equal(why.cls, SL_ERR_CHANGESET);
        assert_int_equal(sl_client_history_version(f->file.history), version);
        file_state(&f->file, &after);
        assert_string_equal(before.data, after.data);
    }
    sl_buf_free(&before);
    sl_buf_free(&after);
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* One life of a file; `insist` repeats what failed until it goes through. Ends in the same state
 * however often something fails on the way. */
static void live(client_file *file, const sl_download_entry *entry, sl_status_class expected) {
    sl_client_integration result;
    sl_status st = SL_STATUS_INIT;
    for (bool done = false; !done;) {
        if (!file->history && !file_try_open(file, &st)) {
            assert_int_equal(st.cls, expected);
            continue;
        }
        switch (sl_client_history_version(file->history)) {
        case 0:
            sl_client_history_set_ident(file->history, 2, 77, &st);
            break;
        case 2:
        case 4:
            if (!sl_client_history_begin(file->history, &st)) break;
            if ((sl_realm_class(file->realm, SL_STR("Item")) || item_schema(file->realm, &st)) &&
                (sl_client_history_version(file->history) == 4 ||
                 item_create(file->realm, 1, &st)) &&
                item_tag(file->realm, 1, 0, "local", &st))
                sl_client_history_commit(file->history, NULL, &st);
            else
                sl_client_history_rollback(file->history);
            break;
        case 3: {
            sl_client_download d = download_of(entry, 1, 1, 0, 3, 0);
            sl_client_history_integrate(file->history, &d, &result, &st);
            break;
        }
        default:
            done = true;
        }
        if (st.cls != SL_OK) assert_int_equal(st.cls, expected);
        st.cls = SL_OK;
    }
}

static void each_failure_of_the_disk_can_be_retried(void **state) {
    fixture *f = *state;
    FILE_WRITE(&f->author, item_schema(realm, st) && item_create(realm, 2, st));
    sl_download_entry entry = written(f, 1, 0, 10);
    live(&f->file, &entry, SL_OK);
    sl_buf expected, actual;
    sl_buf_init(&expected, NULL);
    sl_buf_init(&actual, NULL);
    file_state(&f->file, &expected);
    uint64_t operations = sl_memory_disk_operations(f->file.disk);
    for (uint64_t n = 1; n <= operations; n++) {
        client_file file = {.env = &f->env};
        file.disk = sl_memory_disk_new(NULL);
        sl_memory_disk_fail(file.disk, n);
        live(&file, &entry, SL_ERR_STORAGE);
        sl_memory_disk_fail(file.disk, 0);
        file_crash(&file, SL_CRASH_POWER);
        file_state(&file, &actual);
        assert_string_equal(expected.data, actual.data);
        file_free(&file);
    }
    assert_true(operations > 10);
    sl_buf_free(&expected);
    sl_buf_free(&actual);
}

static void each_failure_of_memory_can_be_retried(void **state) {
    fixture *f = *state;
    FILE_WRITE(&f->author, item_schema(realm, st) && item_create(realm, 2, st));
    sl_download_entry entry = written(f, 1, 0, 10);
    live(&f->file, &entry, SL_OK);
    sl_buf expected, actual;
    sl_buf_init(&expected, NULL);
    sl_buf_init(&actual, NULL);
    file_state(&f->file, &expected);
    failing_alloc memory;
    for (uint64_t n = 1, reached = 1; reached; n++) {
        failing_alloc_init(&memory);
        client_file file = {.env = &f->env, .alloc = &memory.alloc};
        memory.fail_at = n;
        live(&file, &entry, SL_ERR_MEMORY);
        reached = memory.requests >= n;
        memory.fail_at = 0;
        file_state(&file, &actual);
        assert_string_equal(expected.data, actual.data);
        file_free(&file);
        assert_int_equal(memory.live, 0);
        assert_true(n < 5000);
    }
    sl_buf_free(&expected);
    sl_buf_free(&actual);
}

static void unflushed_commits_go_with_the_power_flushed_ones_stay(void **state) {
    fixture *f = *state;
    file_free(&f->file);
    f->file.fast_commits = true;
    file_open(&f->file, &f->env);
    FILE_WRITE(&f->file, item_schema(realm, st));
    file_crash(&f->file, SL_CRASH_PROCESS);
    assert_int_equal(sl_client_history_version(f->file.history), 2);
    file_crash(&f->file, SL_CRASH_POWER);
    assert_int_equal(sl_client_history_version(f->file.history), 0);
    FILE_WRITE(&f->file, item_schema(realm, st));
    OK(sl_client_history_sync(f->file.history, st));
    file_crash(&f->file, SL_CRASH_POWER);
    assert_int_equal(sl_client_history_version(f->file.history), 2);
}

/* ---- realms that are never synchronised ------------------------------------------------------ */

static size_t entries_of(client_file *file) {
    uint64_t first = 0, last = 0;
    assert_true(file->store->vtbl->entry_range(file->store, &first, &last, NULL));
    return last ? (size_t)(last - first + 1) : 0;
}

static bool open_local(client_file *file, sl_status *st) {
    sl_client_history_options options = {.env = &file->env->env, .local_only = true};
    sl_client_history_close(file->history);
    file->history = sl_client_history_open(file->store, file->realm, &options, st);
    return file->history != NULL;
}

static void a_local_realm_keeps_its_content_and_no_history(void **state) {
    (void)state;
    test_env env;
    client_file file = {0};
    sl_status why = SL_STATUS_INIT;
    bool exists = false;
    test_env_init(&env, 1);
    file_open(&file, &env);
    FILE_WRITE(&file, item_schema(realm, st) && item_create(realm, 1, st));
    assert_int_equal(entries_of(&file), 1);
    assert_true(open_local(&file, &why));
    assert_true(sl_client_history_is_local(file.history));
    for (int i = 0; i < 300; i++)
        FILE_WRITE(&file, item_name(realm, 1, i % 2 ? "a" : "b", st));
    assert_int_equal(entries_of(&file), 0);
    file_crash(&file, SL_CRASH_POWER); /* durable, and the file knows what it is */
    assert_true(sl_client_history_is_local(file.history));
    sl_key key = int_key(1);
    assert_true(sl_realm_exists(file.realm, SL_STR("Item"), &key, &exists, NULL) && exists);
    FILE_WRITE(&file, item_name(realm, 1, "c", st));
    assert_int_equal(entries_of(&file), 0);
    file_free(&file);
}

static void a_realm_with_an_ident_keeps_its_history(void **state) {
    (void)state;
    test_env env;
    client_file file = {0};
    sl_status why = SL_STATUS_INIT;
    test_env_init(&env, 1);
    file_open(&file, &env);
    FILE_WRITE(&file, item_schema(realm, st));
    assert_true(sl_client_history_set_ident(file.history, 5, 77, &why));
    assert_false(open_local(&file, &why));
    assert_int_equal(why.cls, SL_ERR_USAGE);
    assert_string_equal(why.id, "LOCAL");
    assert_true(entries_of(&file) > 0);
    file_free(&file);
}

/* However many wait, confirming them one by one moves each but a few times. */
static void confirmed_changes_do_not_move_what_waits(void **state) {
    (void)state;
    enum { CHANGES = 4096 };
    sl_own_changes own;
    uint64_t moved = 0;
    sl_own_changes_init(&own, NULL);
    own.known = true;
    for (uint64_t v = 1; v <= CHANGES; v++) {
        sl_history_entry entry = {.version = v, .changeset = SL_STR("x")};
        OK(sl_own_changes_reserve(&own, st));
        sl_own_changes_add(&own, &entry);
    }
    for (uint64_t v = 1; v <= CHANGES; v++) {
        assert_int_equal(sl_own_changes_drop(&own, v), 1);
        if (own.first == 0) moved += own.count;
        size_t next = sl_own_changes_after(&own, v);
        assert_true(v == CHANGES ? next == own.count : own.items[next].version == v + 1);
    }
    assert_in_range(moved, 0, CHANGES);
    sl_own_changes_forget(&own);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(versions_count_commits_and_start_at_two),
        T(a_clock_before_2015_refuses_writes),
        T(one_ident_for_life),
        T(a_damaged_record_is_reported),
        T(the_ident_is_put_into_keys_made_without_one),
        T(an_upload_stops_after_131072_bytes),
        T(an_upload_never_reaches_16_mib_unless_one_changeset_does),
        T(what_an_old_peer_cannot_read_stays_here),
        T(uploads_carry_originals_after_a_merge),
        T(an_empty_form_is_not_the_original),
        T(entries_are_kept_until_the_download_cursor_passed_them),
        T(a_reopened_file_knows_what_its_entries_tell),
        T(entries_that_count_no_more_leave_the_store_in_groups),
        T(progress_behind_the_stored_one_is_error_233),
        T(changes_of_one_download_are_one_commit),
        T(a_bad_changeset_leaves_everything_as_it_was),
        T(each_failure_of_the_disk_can_be_retried),
        T(each_failure_of_memory_can_be_retried),
        T(unflushed_commits_go_with_the_power_flushed_ones_stay),
        cmocka_unit_test(confirmed_changes_do_not_move_what_waits),
        cmocka_unit_test(a_local_realm_keeps_its_content_and_no_history),
        cmocka_unit_test(a_realm_with_an_ident_keeps_its_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
