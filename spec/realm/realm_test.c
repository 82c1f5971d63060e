/* Transactions, savepoints, the cache over a source, and what they may never change. */
#include "random_edit.h"
#include "store/memory_store.h"

static uint64_t seed_of_test = 1;

/* A realm over an in-memory store. */
typedef struct stored {
    fixture f;
    sl_store *store;
} stored;

static void open_stored_realm(stored *s, size_t cache) {
    sl_realm_options options = {.source = s->store->vtbl->source(s->store)};
    options.cache_objects = cache;
    open_fixture(&s->f, &options);
}

static void open_stored(stored *s, size_t cache) {
    sl_status st = SL_STATUS_INIT;
    assert_true(sl_memory_open(NULL, &s->store, &st));
    open_stored_realm(s, cache);
}

static void close_stored(stored *s) {
    close_fixture(&s->f);
    s->store->vtbl->close(s->store);
}

static void begin_stored(stored *s) {
    MUST(&s->f, s->store->vtbl->begin(s->store, &s->f.st));
    MUST(&s->f, sl_realm_begin(s->f.realm, &s->f.st));
}

static void commit_stored(stored *s) {
    MUST(&s->f, sl_realm_flush(s->f.realm, &s->f.st));
    MUST(&s->f, s->store->vtbl->commit(s->store, false, &s->f.st));
    sl_realm_commit(s->f.realm);
}

static void discard_stored(stored *s) {
    s->store->vtbl->rollback(s->store);
    sl_realm_discard(s->f.realm);
}

static void apply_stored(stored *s, const sl_changeset *cs) {
    MUST(&s->f, sl_realm_apply(s->f.realm, cs, &s->f.st));
}

static void apply_text(stored *s, const char *text) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, text));
    begin_stored(s);
    apply_stored(s, &cs);
    commit_stored(s);
    sl_changeset_free(&cs);
}

static void expect_state(sl_realm *realm, const char *expected, const char *what) {
    char *got = state_of(realm);
    if (strcmp(got, expected) != 0) {
        print_error("%s, seed %llu:\nexpected %s\ngot      %s\n", what,
                    (unsigned long long)seed_of_test, expected, got);
        fail();
    }
    free(got);
}

static void a_discarded_transaction_leaves_no_trace(void **state) {
    (void)state;
    for (seed_of_test = 1; seed_of_test <= 150; seed_of_test++) {
        fixture f;
        dice d = {seed_of_test};
        open_fixture(&f, NULL);
        APPLY(&f, random_schema);
        begin(&f);
        random_edits(&f, &d, 40);
        commit(&f);
        char *before = state_of(f.realm);
        begin(&f);
        random_edits(&f, &d, 40);
        sl_realm_discard(f.realm);
        expect_state(f.realm, before, "discard");
        free(before);
        close_fixture(&f);
    }
}

static void savepoints_nest(void **state) {
    (void)state;
    for (seed_of_test = 1; seed_of_test <= 100; seed_of_test++) {
        fixture f;
        dice d = {seed_of_test};
        open_fixture(&f, NULL);
        APPLY(&f, random_schema);
        begin(&f);
        random_edits(&f, &d, 30);
        char *first = state_of(f.realm);
        sl_savepoint one = sl_realm_savepoint(f.realm);
        random_edits(&f, &d, 20);
        char *second = state_of(f.realm);
        sl_savepoint two = sl_realm_savepoint(f.realm);
        random_edits(&f, &d, 20);
        MUST(&f, sl_realm_rollback_to(f.realm, two, &f.st));
        expect_state(f.realm, second, "inner savepoint");
        random_edits(&f, &d, 20);
        MUST(&f, sl_realm_rollback_to(f.realm, one, &f.st));
        expect_state(f.realm, first, "outer savepoint");
        random_edits(&f, &d, 5);
        sl_realm_discard(f.realm);
        HAS(&f, "\"objects\":[]},{\"name\":\"Q\"");
        free(first);
        free(second);
        close_fixture(&f);
    }
}

/* What one file records, another one applies: with or without a store, a small cache or none. */
static void recorded_and_applied_states_agree(void **state) {
    (void)state;
    for (seed_of_test = 1; seed_of_test <= 60; seed_of_test++) {
        fixture f;
        stored s;
        dice d = {seed_of_test};
        open_fixture(&f, NULL);
        open_stored(&s, seed_of_test % 3 == 0 ? 1 : 3);
        APPLY(&f, random_schema);
        apply_text(&s, random_schema);
        for (int n = 0; n < 12; n++) {
            begin(&f);
            random_edits(&f, &d, 12);
            commit(&f);
            if (roll(&d, 4) == 0) { /* a transaction that is given up */
                begin_stored(&s);
                apply_stored(&s, &f.cs);
                if (roll(&d, 2)) MUST(&s.f, sl_realm_flush(s.f.realm, &s.f.st));
                discard_stored(&s);
            }
            begin_stored(&s);
            if (roll(&d, 3) == 0) { /* applied, taken back, applied again */
                sl_savepoint point = sl_realm_savepoint(s.f.realm);
                apply_stored(&s, &f.cs);
                if (roll(&d, 2)) MUST(&s.f, sl_realm_flush(s.f.realm, &s.f.st));
                MUST(&s.f, sl_realm_rollback_to(s.f.realm, point, &s.f.st));
            }
            apply_stored(&s, &f.cs);
            commit_stored(&s);
            char *expected = state_of(f.realm);
            expect_state(s.f.realm, expected, "applied over a store");
            if (roll(&d, 3) == 0) {
                close_fixture(&s.f);
                open_stored_realm(&s, 2);
                expect_state(s.f.realm, expected, "opened again");
            }
            free(expected);
        }
        close_fixture(&f);
        close_stored(&s);
    }
}

static bool count_key(void *ctx, const sl_key *key) {
    (void)key;
    ++*(uint64_t *)ctx;
    return true;
}

static void counts_and_scans_see_the_open_transaction(void **state) {
    (void)state;
    stored s;
    uint64_t count = 0, scanned = 0;
    open_stored(&s, 100);
    apply_text(&s, "table P(_id:int); column P.i:int; create P1; create P2; create P3");
    close_fixture(&s.f);
    open_stored_realm(&s, 100);
    begin_stored(&s);
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, "create P4; create P5; erase P1; P2.i = 7; erase P5"));
    apply_stored(&s, &cs);
    MUST(&s.f, sl_realm_count(s.f.realm, SL_STR("P"), &count, &s.f.st));
    MUST(&s.f, sl_realm_scan(s.f.realm, SL_STR("P"), count_key, &scanned, &s.f.st));
    assert_int_equal(count, 3);
    assert_int_equal(scanned, 3);
    commit_stored(&s);
    MUST(&s.f, sl_realm_count(s.f.realm, SL_STR("P"), &count, &s.f.st));
    assert_int_equal(count, 3);
    sl_changeset_free(&cs);
    close_stored(&s);
}

static void the_cache_keeps_its_bound(void **state) {
    (void)state;
    stored s;
    open_stored(&s, 10);
    apply_text(&s, "table P(_id:int); column P.i:int");
    for (int64_t k = 0; k < 100; k++) {
        char text[64];
        snprintf(text, sizeof text, "create P%lld; P%lld.i = 1", (long long)k, (long long)k);
        apply_text(&s, text);
        assert_true(sl_realm_cached(s.f.realm) <= 10);
    }
    sl_realm_trim(s.f.realm, 0);
    assert_int_equal(sl_realm_cached(s.f.realm), 0);
    MUST(&s.f, sl_realm_reload(s.f.realm, &s.f.st));
    HAS(&s.f, "{\"object\":{\"int\":\"99\"},\"values\":{\"i\":{\"int\":\"1\"}}}");
    close_stored(&s);
}

static void erased_properties_and_classes_are_really_gone(void **state) {
    (void)state;
    stored s;
    open_stored(&s, 100);
    apply_text(&s, "embedded F; embedded E; table N(); table P(_id:int); column E.x:int;"
                   "column E.f:->F[]; column P.e:->E; column P.le:->E[]; column P.i:int;"
                   "column P.n:->N; create P1; create P2; P1.e = object; ins P1.le[0] object |0|;"
                   "ins P1.le[0].f[0] object |0|; P2.e = object");
    apply_text(&s, "drop column P.e; drop column P.le; drop table E; drop table F; P1.i = 1");
    apply_text(&s, "P2.i = 2; table E(_id:int); create E1; column P.e:->E; P1.e = E1;"
                   "column P.more:string");
    HAS(&s.f, "{\"object\":{\"int\":\"1\"},\"values\":{\"e\":{\"link\":{\"table\":\"E\",\"object\":"
              "{\"int\":\"1\"}}},\"i\":{\"int\":\"1\"},\"more\":{\"string\":\"\"}");
    char *before = state_of(s.f.realm);
    close_fixture(&s.f);
    open_stored_realm(&s, 100);
    expect_state(s.f.realm, before, "opened again");
    begin_stored(&s);
    MUST(&s.f, sl_realm_adopt_ident(s.f.realm, 5, &s.f.st));
    discard_stored(&s);
    expect_state(s.f.realm, before, "discard");
    free(before);
    close_stored(&s);
}

/* One transaction; false when the store failed somewhere in it. */
static bool try_stored(stored *s, const sl_changeset *cs) {
    sl_status *st = &s->f.st;
    if (!s->store->vtbl->begin(s->store, st)) return false;
    bool ok = sl_realm_begin(s->f.realm, st) && sl_realm_apply(s->f.realm, cs, st) &&
              sl_realm_flush(s->f.realm, st) && s->store->vtbl->commit(s->store, false, st);
    if (ok) {
        sl_realm_commit(s->f.realm);
        return true;
    }
    s->store->vtbl->rollback(s->store);
    sl_realm_discard(s->f.realm);
    return false;
}

static void a_failing_store_leaves_the_realm_as_it_was(void **state) {
    (void)state;
    bool ok = false;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs,
                              "P1.i = 3; create P7; P7.m = dict; P7.m.k = Q1; erase Q1;"
                              "ins P2.lq[0] Q2 |0|; column P.late:int[]; ins P2.late[0] 1 |0|;"
                              "table Z(_id:int); create Z1; drop column P.ss; P1.dm.k = list"));
    for (uint64_t n = 1; !ok; n++) {
        stored s;
        open_stored(&s, 100);
        apply_text(&s, random_schema);
        apply_text(&s, "create P1; create P2; create Q1; create Q2; P1.q = Q1; P1.e = object");
        char *before = state_of(s.f.realm);
        sl_realm_trim(s.f.realm, 0);
        sl_memory_disk_fail(sl_memory_disk_of(s.store), n);
        ok = try_stored(&s, &cs);
        sl_memory_disk_fail(sl_memory_disk_of(s.store), 0);
        if (!ok) {
            assert_int_equal(s.f.st.cls, SL_ERR_STORAGE);
            expect_state(s.f.realm, before, "after a failure of the store");
        }
        free(before);
        close_stored(&s);
        assert_true(n < 500);
    }
    sl_changeset_free(&cs);
}

/* Objects loaded by a transaction that added a property and failed must not keep its slot, neither
 * top-level nor embedded ones: saving them later would go beyond their class. */
static void loaded_objects_forget_a_property_that_was_taken_back(void **state) {
    (void)state;
    stored s;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, "column E.late:string; column P.late:string; P1.e.x = 5;"
                                   "P1.d.k.x = 5; P1.le[0].x = 5; P1.missing = 1"));
    open_stored(&s, 100);
    apply_text(&s,
               "embedded E; table P(_id:int); column E.x:int; column P.e:->E; column P.le:->E[];"
               "column P.d:->E{}; column P.i:int; create P1; create P2; P1.e = object;"
               "ins P1.le[0] object |0|; P1.d.k = object");
    sl_realm_trim(s.f.realm, 0);
    assert_false(try_stored(&s, &cs));
    apply_text(&s, "P1.i = 7; P1.e.x = 8; P1.le[0].x = 9; P1.d.k.x = 10; P2.i = 1");
    char *text = state_of(s.f.realm);
    assert_null(strstr(text, "late"));
    close_fixture(&s.f);
    open_stored_realm(&s, 100);
    expect_state(s.f.realm, text, "opened again");
    free(text);
    close_stored(&s);
    sl_changeset_free(&cs);
}

typedef struct change_text {
    char text[500];
} change_text;

static bool note_change(void *ctx, const sl_change *change) {
    static const char *const kinds[] = {"created", "modified", "erased"};
    change_text *list = ctx;
    size_t size = strlen(list->text);
    snprintf(list->text + size, sizeof list->text - size, "%.*s%lld %s",
             (int)change->cls->name.size, change->cls->name.data, (long long)change->key->integer,
             kinds[change->kind]);
    for (uint32_t i = 0; change->kind == SL_CHANGE_MODIFIED && i < change->cls->property_count; i++)
        if (sl_change_touches(change, i)) {
            size = strlen(list->text);
            snprintf(list->text + size, sizeof list->text - size, " %.*s",
                     (int)change->cls->properties[i].name.size,
                     change->cls->properties[i].name.data);
        }
    strcat(list->text, ";");
    return true;
}

static void changes_tell_what_was_touched(void **state) {
    (void)state;
    fixture f;
    change_text list = {""};
    open_fixture(&f, NULL);
    APPLY(&f, random_schema);
    APPLY(&f, "create P1; create P2; P1.e = object; create Q1");
    APPLY(&f, "P1.e.x = 3; P1.i = 2; erase P2; create P3; create P4; erase P4; rem P1.sq Q1");
    sl_realm_changes(f.realm, note_change, &list);
    assert_string_equal(list.text, "P1 modified i e;P2 erased;P3 created;");
    assert_false(sl_realm_schema_changed(f.realm));
    close_fixture(&f);
}

static void idents_are_adopted_everywhere(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        stored s;
        fixture *f = &s.f;
        static sl_link link;
        sl_key a, b;
        open_stored(&s, 100);
        apply_text(&s, "table N(); embedded E; table P(_id:int); column N.n:->N; column N.m:mixed;"
                       "column N.l:->N[]; column N.s:->N(); column E.n:->N; column P.e:->E;"
                       "column P.d:->N{}; create P1; P1.e = object");
        begin_stored(&s);
        MUST(f, sl_record_create(f->realm, SL_STR("N"), NULL, &a, NULL, &f->st));
        MUST(f, sl_record_create(f->realm, SL_STR("N"), NULL, &b, NULL, &f->st));
        SET(f, at("N", a, "n"), link_to(&link, "N", b));
        SET(f, at("N", a, "m"), made(SL_TYPE_LIST));
        INSERT(f, at("N", a, "m"), 0, link_to(&link, "N", a));
        INSERT(f, at("N", a, "l"), 0, link_to(&link, "N", b));
        ADD(f, at("N", b, "s"), link_to(&link, "N", a));
        ADD(f, at("N", b, "s"), link_to(&link, "N", b));
        SET(f, at("P", int_key(1), "e/n"), link_to(&link, "N", b));
        SET(f, at("P", int_key(1), "d/k"), link_to(&link, "N", a));
        if (round) { /* the objects come back from the store */
            commit_stored(&s);
            sl_realm_trim(f->realm, 0);
            begin_stored(&s);
        }
        MUST(f, sl_realm_adopt_ident(f->realm, 7, &f->st));
        commit_stored(&s);
        char *text = state_of(f->realm);
        assert_null(strstr(text, "\"hi\":\"0\""));
        assert_null(strstr(text, "dangling"));
        free(text);
        close_fixture(f);
        open_stored_realm(&s, 100);
        HAS(f, "\"d\":{\"dictionary\":[[\"k\",{\"link\":{\"table\":\"N\",\"object\":{\"globalkey\":"
               "{\"hi\":\"7\",\"lo\":\"0\"}}}}]]}");
        HAS(f, "{\"object\":{\"globalkey\":{\"hi\":\"7\",\"lo\":\"1\"}}");
        begin_stored(&s);
        sl_key c;
        f->st = (sl_status)SL_STATUS_INIT;
        MUST(f, sl_record_create(f->realm, SL_STR("N"), NULL, &c, NULL, &f->st));
        assert_int_equal(c.global.lo, 2); /* numbers are not used twice */
        discard_stored(&s);
        close_stored(&s);
    }
}

typedef struct found {
    uint32_t holders, links;
} found;

static bool note_holder(void *ctx, sl_str class_name, const sl_key *key) {
    (void)class_name, (void)key;
    ((found *)ctx)->holders++;
    return true;
}

static bool note_backlink(void *ctx, const sl_key *key, uint32_t count) {
    (void)key;
    ((found *)ctx)->links += count;
    return true;
}

static void holders_of_links_are_found(void **state) {
    (void)state;
    stored s;
    found seen = {0, 0};
    open_stored(&s, 100);
    apply_text(&s, random_schema);
    apply_text(&s, "create Q1; create P1; create P2; create P3; P1.q = Q1; ins P2.lq[0] Q1 |0|;"
                   "ins P2.lq[1] Q1 |1|; P3.e = object; P3.e.eq = Q1");
    sl_realm_trim(s.f.realm, 0);
    begin_stored(&s);
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, "P1.q = null; create P4; P4.m = Q1"));
    apply_stored(&s, &cs);
    sl_key key = int_key(1);
    MUST(&s.f, sl_realm_referrers(s.f.realm, SL_STR("Q"), &key, note_holder, &seen, &s.f.st));
    assert_int_equal(seen.holders, 3);
    MUST(&s.f, sl_realm_backlinks(s.f.realm, SL_STR("Q"), &key, SL_STR("P"), SL_STR("lq"),
                                  note_backlink, &seen, &s.f.st));
    assert_int_equal(seen.links, 2);
    commit_stored(&s);
    sl_changeset_free(&cs);
    close_stored(&s);
}

static void misuse_is_refused(void **state) {
    (void)state;
    fixture f;
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    open_fixture(&f, NULL);
    assert_false(sl_realm_apply(f.realm, &cs, &f.st));
    assert_int_equal(f.st.cls, SL_ERR_USAGE);
    assert_false(write_create(&f, "P", int_key(1)));
    begin(&f);
    assert_false(sl_realm_begin(f.realm, &f.st));
    assert_false(write_create(&f, "P", int_key(1)));
    assert_string_equal(f.st.id, "A-NOCLASS");
    sl_realm_discard(f.realm);
    sl_realm_discard(f.realm);
    sl_realm_commit(f.realm);
    sl_changeset_free(&cs);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_discarded_transaction_leaves_no_trace),
        cmocka_unit_test(savepoints_nest),
        cmocka_unit_test(loaded_objects_forget_a_property_that_was_taken_back),
        cmocka_unit_test(recorded_and_applied_states_agree),
        cmocka_unit_test(counts_and_scans_see_the_open_transaction),
        cmocka_unit_test(the_cache_keeps_its_bound),
        cmocka_unit_test(erased_properties_and_classes_are_really_gone),
        cmocka_unit_test(a_failing_store_leaves_the_realm_as_it_was),
        cmocka_unit_test(changes_tell_what_was_touched),
        cmocka_unit_test(idents_are_adopted_everywhere),
        cmocka_unit_test(holders_of_links_are_found),
        cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
