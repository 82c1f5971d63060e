/* Care of a server's history (session/server_file.h, history/compactor.h): what is compacted, for
 * whom it waits, who expires; with the sessions of real clients, through crashes and full disks.
 * protocol/4-history-and-sessions.md, 8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "history/server_care.h"
#include "pair_world.h"
#include "random_program.h"

enum { DAY = 86400 };

/* ---- helpers --------------------------------------------------------------------------------- */

static void item_begin(world_client *c) {
    FILE_WRITE(&c->file, item_schema(realm, st) && item_create(realm, 1, st));
}

/* One change of one field. */
static void rename_item(world_client *c, int number) {
    char name[32];
    snprintf(name, sizeof name, "name %d", number);
    FILE_WRITE(&c->file, item_name(c->file.realm, 1, name, st));
}

static void count_item(world_client *c) {
    FILE_WRITE(&c->file, item_add(c->file.realm, 1, 1, st));
}

/* A whole run of care, begun by hand; -1 = never expires anybody. */
static sl_care_report compact(world *w, int64_t ttl) {
    sl_status st = SL_STATUS_INIT;
    bool more = true;
    sl_server_file_compact(w->file, ttl);
    while (more)
        if (!sl_server_file_care(w->file, &more, &st)) file_fatal("care", &st);
    assert_false(sl_server_file_caring(w->file));
    sl_care_report report = sl_server_file_care_report(w->file);
    assert_true(report.ran);
    return report;
}

/* What the history holds. */
typedef struct contents {
    uint64_t entries, full, bytes, sum;
    bool sums_are_right;
} contents;

static bool see_content(void *ctx, const sl_history_entry *entry) {
    contents *c = ctx;
    c->entries++;
    c->full += entry->changeset.size > 0;
    c->bytes += entry->changeset.size;
    assert_true(entry->salt != 0);
    assert_int_equal(entry->version, c->entries);
    if (entry->cumulative_size != c->bytes) c->sums_are_right = false;
    return true;
}

static contents content_of(world *w) {
    sl_store *store = sl_server_file_store(w->file);
    contents c = {.sums_are_right = true};
    assert_true(store->vtbl->entry_scan(store, 0, INT64_MAX, false, see_content, &c, NULL));
    return c;
}

static uint64_t ident_of(world_client *c) {
    return sl_client_history_ident(c->file.history);
}

static void all_are_same(world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        assert_true(world_same(w, i));
}

/* ---- compaction ------------------------------------------------------------------------------ */

static void many_updates_come_to_one(void **state) {
    (void)state;
    world w;
    world_init(&w, 1, 1);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    for (int i = 0; i < 400; i++) {
        rename_item(&w.clients[0], i);
        count_item(&w.clients[0]);
        if (i % 50 == 0) world_settle(&w, 2);
    }
    world_settle(&w, 5);
    contents before = content_of(&w);
    sl_care_report report = compact(&w, -1);
    contents after = content_of(&w);
    assert_int_equal(report.compaction.limit.version, before.entries);
    assert_int_equal(report.compaction.emptied, before.full - after.full);
    assert_int_equal(report.compaction.bytes_before - report.compaction.bytes_after,
                     before.bytes - after.bytes);
    assert_int_equal(before.entries, after.entries);
    assert_true(before.full > 800);
    assert_in_range(after.full, 1, 3);
    assert_true(after.sums_are_right);
    assert_true(sl_server_history_size(sl_server_file_history(w.file)) == after.bytes);
    world_client *late = world_add_client(&w);
    world_settle(&w, 5);
    assert_in_range(late->integrated, 1, 3);
    rename_item(&w.clients[0], 1000);
    world_settle(&w, 3);
    assert_true(content_of(&w).sums_are_right);
    all_are_same(&w);
    assert_int_equal(w.clients[0].errors + late->errors, 0);
    world_free(&w);
}

/* IDENT names a version and its salt; the entry must still have both. */
static void clients_come_back_after_a_compaction(void **state) {
    (void)state;
    world w;
    world_init(&w, 2, 2);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    for (int i = 0; i < 50; i++)
        rename_item(&w.clients[0], i);
    world_settle(&w, 5);
    compact(&w, -1);
    world_crash_server(&w, SL_CRASH_POWER);
    world_reconnect(&w);
    world_settle(&w, 5);
    rename_item(&w.clients[1], 99);
    world_settle(&w, 5);
    all_are_same(&w);
    assert_int_equal(w.clients[0].errors + w.clients[1].errors, 0);
    world_free(&w);
}

static void nothing_that_a_client_needs_is_touched(void **state) {
    (void)state;
    world w;
    world_init(&w, 3, 2);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    world_settle(&w, 5);
    world_client *away = &w.clients[1];
    sl_client_session_pause(away->session, NULL);
    world_drain(away);
    for (int i = 0; i < 20; i++) {
        rename_item(&w.clients[0], i);
        rename_item(away, 100 + i);
        count_item(away);
    }
    world_settle(&w, 5);
    uint64_t full = content_of(&w).full;
    sl_care_report report = compact(&w, -1);
    assert_int_equal(report.compaction.limit.holder, ident_of(away));
    assert_true(report.compaction.limit.version < 5);
    assert_in_range(content_of(&w).full, full - 2, full);
    sl_client_session_resume(away->session, NULL);
    world_drain(away);
    world_settle(&w, 5);
    all_are_same(&w);
    compact(&w, -1);
    assert_in_range(content_of(&w).full, 1, 4);
    world_add_client(&w);
    world_settle(&w, 5);
    all_are_same(&w);
    assert_int_equal(away->errors, 0);
    world_free(&w);
}

/* A client that comes while a run is on its way reads some entries as they are now. */
static void a_newcomer_stops_a_run(void **state) {
    (void)state;
    world w;
    bool more;
    world_init(&w, 4, 1);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    for (int i = 0; i < 1500; i++)
        rename_item(&w.clients[0], i);
    world_settle(&w, 5);
    sl_server_file_compact(w.file, -1);
    for (int i = 0; i < 2; i++)
        assert_true(sl_server_file_care(w.file, &more, NULL) && more);
    uint64_t full = content_of(&w).full;
    assert_in_range(full, 900, 1100);
    world_client *late = world_add_client(&w);
    FILE_WRITE(&late->file, item_schema(realm, st) && item_create(realm, 1, st) &&
                                item_name(realm, 1, "from before", st));
    world_step_connect(late);
    for (int i = 0; i < 3; i++) { /* it has an ident, but nothing yet */
        world_step_client_send(late);
        world_step_server_receive(late);
    }
    world_step_server_work(&w);
    while (more)
        assert_true(sl_server_file_care(w.file, &more, NULL));
    assert_int_equal(content_of(&w).full, full);
    assert_true(content_of(&w).sums_are_right);
    world_settle(&w, 5);
    all_are_same(&w);
    compact(&w, -1);
    assert_in_range(content_of(&w).full, 1, 5);
    world_free(&w);
}

/* ---- expiry ---------------------------------------------------------------------------------- */

static void who_stays_away_expires(void **state) {
    (void)state;
    world w;
    world_init(&w, 5, 3);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    world_settle(&w, 5);
    world_client *away = &w.clients[1];
    sl_client_session_pause(away->session, NULL);
    world_drain(away);
    rename_item(away, 7);
    world_settle(&w, 5);
    w.env.wall += INT64_C(1000) * 20 * DAY;
    compact(&w, 30 * DAY);
    w.env.wall += INT64_C(1000) * 20 * DAY;
    rename_item(&w.clients[0], 8);
    world_settle(&w, 5);
    sl_care_report report = compact(&w, 30 * DAY);
    assert_int_equal(report.expired, 1);
    /* Nobody holds it back any more. */
    assert_int_equal(report.compaction.limit.version,
                     sl_server_history_version(sl_server_file_history(w.file)));
    sl_client_session_resume(away->session, NULL);
    world_drain(away);
    world_settle(&w, 5);
    assert_int_equal(away->resets, 1);
    assert_non_null(strstr(away->last_error, "222"));
    /* Those that were bound all the time did nothing but be there. */
    assert_int_equal(w.clients[0].errors + w.clients[2].errors, 0);
    assert_true(world_same(&w, 0) && world_same(&w, 2));
    /* It is for ever. */
    w.env.wall -= INT64_C(1000) * 40 * DAY;
    report = compact(&w, 30 * DAY);
    assert_int_equal(report.expired, 0);
    world_free(&w);
}

/* A client that was bound for a long time and has just gone is not old. */
static void time_counts_from_the_last_session(void **state) {
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        world w;
        bool more;
        world_init(&w, 6, 2);
        world_settle(&w, 5);
        item_begin(&w.clients[0]);
        world_settle(&w, 5);
        w.env.wall += INT64_C(1000) * 40 * DAY;
        if (crash) {
            assert_true(sl_server_file_care(w.file, &more, NULL));
            world_crash_server(&w, SL_CRASH_PROCESS);
        } else {
            sl_client_session_pause(w.clients[1].session, NULL);
            world_drain(&w.clients[1]);
            world_settle(&w, 3);
        }
        assert_int_equal(compact(&w, 30 * DAY).expired, 0);
        w.env.wall += INT64_C(1000) * 40 * DAY;
        assert_int_equal(compact(&w, 30 * DAY).expired, crash ? 2 : 1);
        world_free(&w);
    }
}

static void an_expired_upload_is_refused(void **state) {
    (void)state;
    world w;
    size_t expired = 0;
    world_init(&w, 7, 1);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    world_settle(&w, 5);
    sl_server_history *history = sl_server_file_history(w.file);
    rename_item(&w.clients[0], 1);
    while (!sl_server_file_waiting(w.file)) { /* the upload waits */
        world_step_client_send(&w.clients[0]);
        world_step_server_receive(&w.clients[0]);
        world_pass(&w, 100);
    }
    assert_true(sl_server_history_begin(history, NULL));
    assert_true(sl_server_history_expire(history, INT64_MAX, NULL, NULL, &expired, NULL));
    assert_true(sl_server_history_commit(history, NULL, NULL));
    assert_int_equal(expired, 1);
    world_settle(&w, 3);
    assert_int_equal(w.clients[0].resets, 1);
    assert_non_null(strstr(w.clients[0].last_error, "222"));
    world_free(&w);
}

/* ---- its own time ---------------------------------------------------------------------------- */

static void care_comes_once_in_an_interval(void **state) {
    (void)state;
    world w;
    bool more;
    world_init(&w, 8, 1);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    for (int i = 0; i < 300; i++)
        rename_item(&w.clients[0], i);
    world_settle(&w, 5);
    assert_true(sl_server_file_care(w.file, &more, NULL));
    assert_true(more); /* never before */
    while (more)
        assert_true(sl_server_file_care(w.file, &more, NULL));
    for (int i = 0; i < 300; i++)
        rename_item(&w.clients[0], i);
    world_settle(&w, 5);
    w.env.wall += 3600 * 999;
    assert_true(sl_server_file_care(w.file, &more, NULL) && !more);
    world_crash_server(&w, SL_CRASH_PROCESS); /* the time of the last run is kept */
    world_reconnect(&w);
    world_settle(&w, 5);
    assert_true(sl_server_file_care(w.file, &more, NULL) && !more);
    w.env.wall += 3600 * 600;
    assert_true(sl_server_file_care(w.file, &more, NULL) && more);
    while (more)
        assert_true(sl_server_file_care(w.file, &more, NULL));
    rename_item(&w.clients[0], 1); /* not worth a run */
    world_settle(&w, 5);
    w.env.wall += 3600 * 2000;
    assert_true(sl_server_file_care(w.file, &more, NULL) && !more);
    world_free(&w);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void fill(world *w, uint64_t seed) {
    world_init(w, seed, 2);
    world_settle(w, 5);
    program_schema(&w->clients[0].file);
    world_settle(w, 5);
    for (int i = 0; i < 120; i++) {
        world_client *c = &w->clients[test_random(&w->env) % 2];
        program_write(&c->file, &w->env);
        if (i % 10 == 0) world_settle(w, 2);
    }
    world_settle(w, 5);
}

/* The history serves newcomers wherever a run ends. */
static void check_newcomer(world *w) {
    world_reconnect(w);
    world_settle(w, 5);
    all_are_same(w);
    world_client *late = world_add_client(w);
    program_schema(&late->file);
    program_write(&late->file, &w->env);
    world_settle(w, 8);
    all_are_same(w);
    for (size_t i = 0; i < w->client_count; i++)
        assert_int_equal(w->clients[i].errors, 0);
}

static void a_run_may_end_anywhere(void **state) {
    (void)state;
    for (int steps = 1; steps < 8; steps++)
        for (int kind = 0; kind < 2; kind++) {
            world w;
            bool more;
            fill(&w, 20 + (uint64_t)steps);
            sl_server_file_compact(w.file, -1);
            for (int i = 0; i < steps; i++)
                assert_true(sl_server_file_care(w.file, &more, NULL));
            world_crash_server(&w, kind ? SL_CRASH_POWER : SL_CRASH_PROCESS);
            check_newcomer(&w);
            compact(&w, -1);
            assert_true(content_of(&w).sums_are_right);
            world_free(&w);
        }
}

static void storage_may_fail_anywhere(void **state) {
    (void)state;
    world w;
    sl_status st = SL_STATUS_INIT;
    for (uint64_t nth = 1;; nth += 3) {
        bool more = true, ok = true;
        fill(&w, 40);
        sl_server_file_compact(w.file, -1);
        sl_memory_disk_fail(w.disk, nth);
        uint64_t last = sl_memory_disk_operations(w.disk) + nth;
        while (ok && more)
            ok = sl_server_file_care(w.file, &more, &st);
        bool reached = sl_memory_disk_operations(w.disk) >= last;
        sl_memory_disk_fail(w.disk, 0);
        check_newcomer(&w);
        compact(&w, -1);
        assert_true(content_of(&w).sums_are_right);
        world_free(&w);
        if (!reached) break;
    }
}

/* ---- random programs ------------------------------------------------------------------------- */

static void random_step(world *w) {
    uint64_t dice = test_random(&w->env) % 1000;
    world_client *c = &w->clients[test_random(&w->env) % w->client_count];
    bool more;
    if (dice < 60) {
        c->env.wall += (int64_t)(test_random(&w->env) % 50);
        program_write(&c->file, &w->env);
    } else if (dice < 70) {
        world_cut(c);
    } else if (dice < 130) {
        world_pass(w, (int64_t)(test_random(&w->env) % 3000));
    } else if (dice < 135) {
        sl_server_file_compact(w->file, -1);
    } else if (dice < 200) {
        if (!sl_server_file_care(w->file, &more, NULL)) abort();
    } else if (dice < 202) {
        world_crash_server(w, SL_CRASH_POWER);
    } else if (dice < 205 && w->client_count < WORLD_CLIENTS) {
        world_client *late = world_add_client(w);
        program_schema(&late->file);
        program_write(&late->file, &w->env);
    } else {
        world_step(w, (size_t)(c - w->clients), (unsigned)(test_random(&w->env) % 7));
    }
}

static void random_programs_converge(void **state) {
    (void)state;
    const char *seeds = getenv("SEEDS");
    for (uint64_t seed = 1; seed <= (seeds ? strtoull(seeds, NULL, 10) : 60); seed++) {
        world w;
        world_init(&w, seed, 2);
        world_settle(&w, 3);
        program_schema(&w.clients[0].file);
        for (int i = 0; i < 3000; i++)
            random_step(&w);
        world_reconnect(&w);
        world_settle(&w, 70);
        compact(&w, -1);
        while (w.client_count < WORLD_CLIENTS)
            world_add_client(&w);
        world_settle(&w, 8);
        for (size_t i = 0; i < w.client_count; i++) {
            if (w.clients[i].errors)
                fail_msg("seed %llu, client %zu: %s", (unsigned long long)seed, i,
                         w.clients[i].last_error);
            if (!world_same(&w, i))
                fail_msg("seed %llu: client %zu differs", (unsigned long long)seed, i);
        }
        assert_true(content_of(&w).sums_are_right);
        world_free(&w);
    }
}

/* ---- reciprocal forms ------------------------------------------------------------------------ */

static size_t forms(world *w) {
    sl_store *store = sl_server_file_store(w->file);
    uint64_t last = sl_server_history_version(sl_server_file_history(w->file));
    size_t count = 0;
    for (uint64_t peer = 2; peer <= 3; peer++)
        for (uint64_t version = 1; version <= last; version++) {
            sl_str bytes;
            bool found = false;
            assert_true(store->vtbl->reciprocal_get(store, peer, version, &bytes, &found, NULL));
            count += found;
        }
    return count;
}

static void forms_go_with_clients_that_keep_up(void **state) {
    (void)state;
    world w;
    size_t most = 0;
    world_init(&w, 9, 2);
    world_settle(&w, 5);
    item_begin(&w.clients[0]);
    world_settle(&w, 5);
    for (int i = 0; i < 100; i++) {
        /* Both write before they hear of one another. */
        for (int k = 0; k < 2; k++) {
            rename_item(&w.clients[k], 1000 * k + i);
            FILE_WRITE(&w.clients[k].file, item_tag(w.clients[k].file.realm, 1, 0, "tag", st));
        }
        for (int k = 0; k < 2; k++) {
            while (world_step_client_send(&w.clients[k]) ||
                   world_step_server_receive(&w.clients[k]))
                continue;
            world_step_server_work(&w);
            size_t count = forms(&w);
            if (count > most) most = count;
        }
        world_settle(&w, 2);
    }
    all_are_same(&w);
    assert_true(most > 0); /* there was something to trim */
    assert_true(most < 12);
    assert_true(forms(&w) < 6);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_updates_come_to_one),
        cmocka_unit_test(clients_come_back_after_a_compaction),
        cmocka_unit_test(nothing_that_a_client_needs_is_touched),
        cmocka_unit_test(a_newcomer_stops_a_run),
        cmocka_unit_test(who_stays_away_expires),
        cmocka_unit_test(time_counts_from_the_last_session),
        cmocka_unit_test(an_expired_upload_is_refused),
        cmocka_unit_test(care_comes_once_in_an_interval),
        cmocka_unit_test(a_run_may_end_anywhere),
        cmocka_unit_test(storage_may_fail_anywhere),
        cmocka_unit_test(random_programs_converge),
        cmocka_unit_test(forms_go_with_clients_that_keep_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
