/* Server files and sessions when memory or storage fails, and what survives a crash
 * (protocol/4-history-and-sessions.md, 6.4 and 18.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

#define SCHEMA "table P(_id:int); column P.x:int; column P.l:int[]; create P1; P1.x = 1"

/* One conversation of two clients in small steps; every step may fail, and says so. */
static bool upload_text(raw_client *client, uint64_t cv, uint64_t sv, const char *text,
                        sl_status *st) {
    sl_buf body, wire;
    sl_buf_init(&body, NULL);
    sl_buf_init(&wire, NULL);
    raw_entry(&body, cv, sv, 1000 + cv, text);
    sl_client_message msg = {
        .type = SL_MSG_UPLOAD,
        .session = 1,
        .upload = {cv, sv, 0, {false, body.size, sl_str_of(body.data, body.size)}}};
    sl_client_message_write(&wire, client->dialect, &msg);
    bool ok = sl_server_connection_receive(client->connection, wire.data, wire.size, st);
    sl_buf_free(&body);
    sl_buf_free(&wire);
    return ok;
}

static bool say(raw_client *client, const char *text, sl_status *st) {
    return sl_server_connection_receive(client->connection, text, strlen(text), st);
}

static bool identify(raw_client *client, sl_status *st) {
    char text[100];
    if (!say(client, "bind 1 3 0 1 0\n\"p\"", st) || !rig_work(client->rig, st) ||
        !raw_try_take(client, st))
        return false;
    snprintf(text, sizeof text, "ident 1 %llu %lld 0 0 0 0\n", (unsigned long long)client->ident,
             (long long)client->salt);
    return say(client, text, st) && raw_try_take(client, st);
}

static bool converse(server_rig *rig, raw_client *a, raw_client *b, sl_status *st) {
    return raw_try_connect(a, rig, 14, st) && raw_try_connect(b, rig, 14, st) && identify(a, st) &&
           identify(b, st) && upload_text(a, 3, 0, SCHEMA, st) && rig_work(rig, st) &&
           raw_try_take(a, st) && raw_try_take(b, st) &&
           upload_text(a, 4, 1, "ins P1.l[0] 1 |0|", st) &&
           upload_text(b, 4, 1, "ins P1.l[0] 2 |0|", st) && rig_work(rig, st) &&
           raw_try_take(a, st) && raw_try_take(b, st) &&
           upload_text(b, 5, 1, "ins P1.l[1] 3 |1|; P1.x = 7", st) && rig_work(rig, st) &&
           raw_try_take(a, st) && say(b, "unbind 1\n", st) && raw_try_take(b, st);
}

static void end(server_rig *rig, raw_client *a, raw_client *b) {
    if (a->connection) raw_free(a);
    if (b->connection) raw_free(b);
    rig_free(rig);
}

static void memory_may_run_out_anywhere(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        server_rig rig;
        raw_client a = {0}, b = {0};
        sl_status st = SL_STATUS_INIT;
        rig_init(&rig);
        rig.memory.fail_at = n;
        bool ok = converse(&rig, &a, &b, &st);
        bool over = rig.memory.fail_at != 0;
        /* A failure may also have ended in a session error, or cost only the cache. */
        if (!ok && st.cls != SL_ERR_MEMORY) fail_msg("request %d: %s", (int)n, st.message);
        raw_clear(&a);
        raw_clear(&b);
        end(&rig, &a, &b); /* asserts that nothing leaked */
        if (over) break;
        assert_true(n < 100000);
    }
}

/* ---- storage --------------------------------------------------------------------------------- */

/* Content, version, and the stored progress of both clients: what one commit has to cover. */
static void fingerprint(server_rig *rig, sl_buf *out) {
    sl_server_file *file = rig->files[0].file;
    sl_server_history *history = sl_server_file_history(file);
    sl_buf_clear(out);
    sl_buf_printf(out, "version %llu ", (unsigned long long)sl_server_history_version(history));
    for (uint64_t ident = 2; ident < 5; ident++) {
        sl_client_file row;
        bool found = false;
        assert_true(sl_server_history_client(history, ident, &row, &found, NULL));
        if (!found) continue;
        sl_buf_printf(out, "%llu at %llu/%llu ", (unsigned long long)ident,
                      (unsigned long long)row.client_version,
                      (unsigned long long)row.reciprocal_base);
    }
    assert_true(sl_realm_state_text(sl_server_file_realm(file), out, NULL));
    sl_buf_byte(out, 0);
}

static void reopen(server_rig *rig) {
    sl_status st = SL_STATUS_INIT;
    sl_server_file_close(rig->files[0].file);
    rig->files[0].file = NULL;
    if (!rig_open_file(rig, &rig->files[0], &st)) fail_msg("%s", st.message);
}

/* Both clients identified, the schema there, and two concurrent uploads waiting. */
static void prepare(server_rig *rig, raw_client *a, raw_client *b) {
    rig_init(rig);
    raw_connect(a, rig, 14);
    raw_bind_new(a, "\"p\"");
    raw_connect(b, rig, 14);
    raw_bind_new(b, "\"p\"");
    raw_commit(a, 3, 0, SCHEMA);
    raw_take(b);
    raw_commit(a, 4, 1, "ins P1.l[0] 1 |0|");
    raw_take(b);
    raw_clear(a);
    raw_clear(b);
    assert_true(upload_text(b, 4, 1, "ins P1.l[0] 2 |0|; P1.x = 9", NULL));
    assert_true(upload_text(a, 5, 1, "P1.x = 8", NULL));
}

static void a_unit_happens_as_a_whole_or_not_at_all(void **state) {
    (void)state;
    sl_buf before, after, now;
    sl_buf_init(&before, NULL);
    sl_buf_init(&after, NULL);
    sl_buf_init(&now, NULL);
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        server_rig rig;
        raw_client a, b;
        sl_status st = SL_STATUS_INIT;
        prepare(&rig, &a, &b);
        if (n == 1) fingerprint(&rig, &before);
        sl_memory_disk_fail(rig.files[0].disk, n);
        failed = !rig_work(&rig, &st);
        sl_memory_disk_fail(rig.files[0].disk, 0);
        if (failed) {
            assert_int_equal(st.cls, SL_ERR_STORAGE);
            fingerprint(&rig, &now);
            assert_string_equal(now.data, before.data); /* in memory */
            raw_take(&a);
            raw_take(&b);
            assert_int_equal(a.count + b.count, 0); /* nothing was acknowledged */
            assert_true(sl_server_file_waiting(rig.files[0].file));
            assert_true(rig_work(&rig, &st)); /* the work still waits and can be done now */
        }
        raw_take(&a);
        raw_take(&b);
        assert_int_equal(a.ul_cv, 5);
        assert_int_equal(b.ul_cv, 4);
        fingerprint(&rig, &now);
        if (after.size == 0) sl_buf_str(&after, sl_str_of(now.data, now.size));
        assert_string_equal(now.data, after.data);
        raw_free(&a);
        raw_free(&b);
        reopen(&rig);
        fingerprint(&rig, &now); /* on disk */
        assert_string_equal(now.data, after.data);
        rig_free(&rig);
    }
    sl_buf_free(&before);
    sl_buf_free(&after);
    sl_buf_free(&now);
}

static void what_was_acknowledged_survives_a_loss_of_power(void **state) {
    (void)state;
    for (int moment = 0; moment < 3; moment++) {
        server_rig rig;
        raw_client a, b;
        sl_buf wanted, now;
        sl_buf_init(&wanted, NULL);
        sl_buf_init(&now, NULL);
        prepare(&rig, &a, &b);
        if (moment == 1) sl_memory_disk_fail(rig.files[0].disk, 5);
        if (moment) (void)rig_work(&rig, NULL);
        sl_memory_disk_fail(rig.files[0].disk, 0);
        raw_take(&a);
        raw_take(&b);
        uint64_t a_acknowledged = a.ul_cv, a_latest = a.latest_sv;
        int64_t a_salt = a.salt, a_latest_salt = a.latest_salt;
        fingerprint(&rig, &wanted);
        raw_free(&a);
        raw_free(&b);
        sl_memory_disk_crash(rig.files[0].disk, SL_CRASH_POWER);
        reopen(&rig);
        fingerprint(&rig, &now);
        assert_string_equal(now.data, wanted.data);
        /* The client comes back with what it knows, and is welcome. */
        raw_connect(&a, &rig, 14);
        raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
        raw_say(&a, "ident 1 2 %lld %llu %llu %llu %lld\n", (long long)a_salt,
                (unsigned long long)a_latest, (unsigned long long)a_acknowledged,
                (unsigned long long)a_latest, (long long)a_latest_salt);
        assert_int_equal(a.count, 1);
        assert_true(a.ul_cv >= a_acknowledged);
        assert_int_equal(raw_error(&a), 0);
        raw_free(&a);
        rig_free(&rig);
        sl_buf_free(&wanted);
        sl_buf_free(&now);
    }
}

static void idents_are_told_only_when_they_are_durable(void **state) {
    (void)state;
    server_rig rig;
    raw_client a;
    rig_init(&rig);
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 3 0 1 0\n\"p\"");
    for (uint64_t n = 1; n < 100; n++) {
        sl_memory_disk_fail(rig.files[0].disk, n);
        bool ok = rig_work(&rig, NULL);
        sl_memory_disk_fail(rig.files[0].disk, 0);
        raw_take(&a);
        if (ok) break;
        assert_int_equal(a.count, 0);
    }
    assert_int_equal(a.count, 1);
    assert_int_equal(a.ident, 2); /* none was wasted */
    raw_free(&a);
    sl_memory_disk_crash(rig.files[0].disk, SL_CRASH_POWER);
    reopen(&rig);
    raw_connect(&a, &rig, 14);
    raw_bind_new(&a, "\"p\"");
    assert_int_equal(a.ident, 3); /* and none is given twice */
    raw_free(&a);
    rig_free(&rig);
}

static void a_restored_backup_is_noticed(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    prepare(&rig, &a, &b);
    sl_memory_disk *backup = sl_memory_disk_copy(rig.files[0].disk);
    raw_work(&a);
    raw_take(&b);
    int64_t salt = a.salt, latest_salt = a.latest_salt;
    uint64_t latest = a.latest_sv;
    raw_free(&a);
    raw_free(&b);
    sl_server_file_close(rig.files[0].file);
    rig.files[0].file = NULL;
    sl_memory_disk_free(rig.files[0].disk);
    rig.files[0].disk = backup;
    /* The version number is unknown now ... */
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&a, "ident 1 2 %lld %llu 5 %llu %lld\n", (long long)salt, (unsigned long long)latest,
            (unsigned long long)latest, (long long)latest_salt);
    assert_int_equal(raw_error(&a), 209);
    raw_free(&a);
    /* ... and later means something else. */
    rig.env.seed = 4711;
    raw_connect(&b, &rig, 14);
    raw_bind_new(&b, "\"p\"");
    for (uint64_t v = 2; v < latest + 2; v++)
        raw_commit(&b, v, 0, "");
    raw_connect(&a, &rig, 14);
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    raw_say(&a, "ident 1 2 %lld %llu 4 %llu %lld\n", (long long)salt, (unsigned long long)latest,
            (unsigned long long)latest, (long long)latest_salt);
    assert_int_equal(raw_error(&a), 211);
    raw_free(&a);
    raw_free(&b);
    rig_free(&rig);
}

static void unreadable_storage_ends_sessions_for_a_while_only(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    prepare(&rig, &a, &b);
    raw_work(&a);
    raw_take(&b);
    raw_clear(&a);
    raw_say(&a, "unbind 1\n");
    raw_clear(&a);
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    sl_memory_disk_fail(rig.files[0].disk, 1);
    raw_say(&a, "ident 1 2 %lld 0 0 0 0\n", (long long)a.salt);
    sl_memory_disk_fail(rig.files[0].disk, 0);
    assert_int_equal(raw_error(&a), 201);
    assert_int_equal(rig.troubles, 1);
    raw_free(&a);
    raw_free(&b);
    rig_free(&rig);
}

static void damaged_entries_stop_only_those_who_need_them(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    prepare(&rig, &a, &b);
    raw_work(&a);
    raw_take(&b);
    raw_clear(&a);
    raw_clear(&b);
    /* Version 4 is of client 2; only client 3, which has not seen it, has to merge with it. */
    sl_store *store = sl_server_file_store(rig.files[0].file);
    sl_history_entry entry;
    bool found = false;
    assert_true(store->vtbl->begin(store, NULL));
    assert_true(store->vtbl->entry_get(store, 4, &entry, &found, NULL) && found);
    sl_history_entry broken = entry;
    assert_int_equal(broken.origin_file, 3);
    broken.changeset = SL_STR("@@@@");
    assert_true(store->vtbl->entry_replace(store, &broken, NULL));
    assert_true(store->vtbl->commit(store, true, NULL));
    raw_free(&a);
    raw_free(&b);
    reopen(&rig); /* so that nothing comes from memory */
    raw_client c;
    raw_connect(&c, &rig, 14);
    raw_bind_new(&c, "\"p\"");
    raw_connect(&a, &rig, 14);
    sl_client_file row;
    sl_server_history *history = sl_server_file_history(rig.files[0].file);
    assert_true(sl_server_history_client(history, 2, &row, &found, NULL) && found);
    raw_say(&a, "bind 1 3 0 0 0\n\"p\"");
    store = sl_server_file_store(rig.files[0].file);
    assert_true(store->vtbl->entry_get(store, 1, &entry, &found, NULL) && found);
    raw_say(&a, "ident 1 2 %lld 1 3 1 %lld\n", (long long)row.salt, (long long)entry.salt);
    assert_int_equal(a.count, 1);
    raw_clear(&a);
    assert_true(upload_text(&a, 9, 1, "P1.x = 8", NULL)); /* not seen: has to merge, cannot */
    raw_work(&c);
    raw_take(&a);
    assert_int_equal(raw_error(&a), 201);
    assert_false(sl_server_file_waiting(rig.files[0].file)); /* and nobody waits for it */
    raw_free(&a);
    raw_free(&c);
    rig_free(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(a_unit_happens_as_a_whole_or_not_at_all),
        cmocka_unit_test(what_was_acknowledged_survives_a_loss_of_power),
        cmocka_unit_test(idents_are_told_only_when_they_are_durable),
        cmocka_unit_test(a_restored_backup_is_noticed),
        cmocka_unit_test(damaged_entries_stop_only_those_who_need_them),
        cmocka_unit_test(unreadable_storage_ends_sessions_for_a_while_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
