/* Queries by value: what the source is asked for, what the open transaction adds, what memory
 * allows. */
#include "../realm/fixture.h"
#include "failing_alloc.h"
#include "query/query.h"
#include "store/memory_store.h"
#include "store/sqlite_internal.h"
#include "store/sqlite_store.h"
#include "temp_dir.h"

/* --- worlds: without a source, over the memory store, over SQLite --- */

typedef enum where { ALONE, MEMORY, SQLITE, PLACES } where;

typedef struct world {
    temp_dir dir;
    char path[300];
    sl_store *store;
    fixture f;
    char sql[2000]; /* the last SELECT that SQLite ran */
} world;

static int keep_sql(unsigned type, void *ctx, void *stmt, void *text) {
    world *w = ctx;
    (void)type;
    (void)stmt;
    if (strncmp(text, "SELECT", 6) == 0) snprintf(w->sql, sizeof w->sql, "%s", (char *)text);
    return 0;
}

static void open_world(world *w, where place, const sl_alloc *alloc) {
    sl_realm_options options = {.alloc = alloc};
    w->store = NULL;
    w->f.st = (sl_status)SL_STATUS_INIT;
    if (place == MEMORY) MUST(&w->f, sl_memory_open(alloc, &w->store, &w->f.st));
    if (place == SQLITE) {
        sl_sqlite_options how = {.alloc = alloc};
        MUST(&w->f, sl_sqlite_open(w->path, &how, &w->store, &w->f.st));
        sqlite3_trace_v2(sl_sqlite_self(w->store)->db, SQLITE_TRACE_STMT, keep_sql, w);
    }
    if (w->store) options.source = w->store->vtbl->source(w->store);
    open_fixture(&w->f, &options);
}

static void close_world(world *w) {
    close_fixture(&w->f);
    if (w->store) w->store->vtbl->close(w->store);
    w->store = NULL;
}

static void start(world *w) {
    if (w->store) MUST(&w->f, w->store->vtbl->begin(w->store, &w->f.st));
    MUST(&w->f, sl_realm_begin(w->f.realm, &w->f.st));
}

static void finish(world *w) {
    MUST(&w->f, sl_realm_flush(w->f.realm, &w->f.st));
    if (w->store) MUST(&w->f, w->store->vtbl->commit(w->store, false, &w->f.st));
    sl_realm_commit(w->f.realm);
}

/* Inside of a transaction. */
static void apply(world *w, const char *text) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, text));
    MUST(&w->f, sl_realm_apply(w->f.realm, &cs, &w->f.st));
    sl_changeset_free(&cs);
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    temp_dir_make(&w->dir);
    temp_dir_file(&w->dir, "one.realm", w->path);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    temp_dir_remove(&w->dir);
    free(w);
    return 0;
}

static void next_file(world *w, int number) {
    char name[40];
    snprintf(name, sizeof name, "%d.realm", number);
    temp_dir_file(&w->dir, name, w->path);
}

/* --- asking --- */

static const char people[] =
    "table P(_id:int); column P.i:int?; column P.s:string?; column P.m:mixed; column P.q:->P;"
    "column P.li:int[];"
    "create P1; P1.i = 5; P1.s = \"one\"; P1.m = 1; P1.q = P2;"
    "create P2; P2.i = 7; P2.s = \"two\"; P2.m = \"one\"; P2.q = P9;" /* P9 does not exist */
    "create P3; P3.i = 5; P3.s = \"three\"; P3.m = P9;"
    "create P4; P4.m = list";

static bool add_key(void *ctx, const sl_key *key) {
    char *text = ctx;
    size_t size = strlen(text);
    snprintf(text + size, 200 - size, "%s%lld", size ? " " : "", (long long)key->integer);
    return true;
}

static bool try_ask(world *w, const sl_query *query, char *keys) {
    keys[0] = 0;
    return sl_query_run(w->f.realm, query, add_key, keys, &w->f.st);
}

static void ask(world *w, const char *property, sl_test test, sl_value value,
                const char *expected) {
    sl_condition condition = {sl_str_c(property), (uint8_t)test, &value, 1};
    sl_query query = {.class_name = SL_STR("P"), .conditions = &condition, .condition_count = 1};
    char keys[200];
    uint64_t count;
    MUST(&w->f, try_ask(w, &query, keys));
    assert_string_equal(keys, expected);
    MUST(&w->f, sl_query_count(w->f.realm, &query, &count, &w->f.st));
    uint64_t words = keys[0] != 0;
    for (const char *at = keys; *at; at++)
        words += *at == ' ';
    assert_int_equal(count, words);
}

static void every_kind_of_realm_answers_alike(void **state) {
    world *w = *state;
    for (int place = 0; place < PLACES; place++) {
        open_world(w, (where)place, NULL);
        start(w);
        apply(w, people);
        for (int round = 0; round < 2; round++) { /* before and after it is stored */
            ask(w, "i", SL_TEST_EQUAL, integer(5), "1 3");
            ask(w, "i", SL_TEST_GREATER, real(4.5), "1 2 3");
            ask(w, "i", SL_TEST_EQUAL, null_value(), "4");
            ask(w, "s", SL_TEST_BEGINS, text("t"), "2 3");
            ask(w, "_id", SL_TEST_AT_LEAST, integer(3), "3 4");
            ask(w, "m", SL_TEST_EQUAL, text("one"), "2");
            ask(w, "m", SL_TEST_UNEQUAL, null_value(), "1 2 4");
            if (round == 0) finish(w);
        }
        /* What the open transaction changed counts, and what it erased does not. */
        start(w);
        apply(w, "P1.i = 6; erase P3; create P5; P5.i = 5");
        ask(w, "i", SL_TEST_EQUAL, integer(5), "5");
        ask(w, "i", SL_TEST_EQUAL, integer(6), "1");
        ask(w, "i", SL_TEST_UNEQUAL, integer(5), "1 2 4");
        sl_realm_discard(w->f.realm);
        if (w->store) w->store->vtbl->rollback(w->store);
        ask(w, "i", SL_TEST_EQUAL, integer(5), "1 3");
        close_world(w);
    }
}

static void a_link_to_what_does_not_exist_is_null(void **state) {
    world *w = *state;
    for (int place = 0; place < PLACES; place++) {
        open_world(w, (where)place, NULL);
        start(w);
        apply(w, people);
        finish(w);
        sl_link link;
        ask(w, "q", SL_TEST_EQUAL, null_value(), "2 3 4");
        ask(w, "q", SL_TEST_UNEQUAL, null_value(), "1");
        ask(w, "q", SL_TEST_EQUAL, link_to(&link, "P", int_key(2)), "1");
        ask(w, "q", SL_TEST_EQUAL, link_to(&link, "P", int_key(9)), "");
        ask(w, "q", SL_TEST_UNEQUAL, link_to(&link, "P", int_key(9)), "1 2 3 4");
        ask(w, "m", SL_TEST_EQUAL, null_value(), "3");
        ask(w, "m", SL_TEST_EQUAL, link_to(&link, "P", int_key(9)), "");
        start(w);
        apply(w, "create P9");
        ask(w, "q", SL_TEST_EQUAL, link_to(&link, "P", int_key(9)), "2");
        ask(w, "m", SL_TEST_EQUAL, link_to(&link, "P", int_key(9)), "3");
        ask(w, "q", SL_TEST_EQUAL, null_value(), "3 4 9");
        finish(w);
        close_world(w);
    }
}

static void orders_and_limits_give_the_first_ones(void **state) {
    world *w = *state;
    open_world(w, SQLITE, NULL);
    start(w);
    apply(w, "table P(_id:int); column P.i:int?; column P.s:string");
    uint32_t dice = 1;
    for (int id = 0; id < 400; id++) {
        char line[80];
        dice = dice * 1103515245u + 12345u;
        snprintf(line, sizeof line, "create P%d; P%d.i = %u; P%d.s = \"%u\"", id, id,
                 dice >> 16 & 15, id, dice >> 20 & 31);
        apply(w, line);
    }
    finish(w);
    sl_order orders[] = {{SL_STR("i"), true}, {SL_STR("s"), false}};
    sl_query query = {.class_name = SL_STR("P"), .orders = orders};
    for (query.order_count = 0; query.order_count <= 2; query.order_count++) {
        char all[200], some[200];
        query.limit = 0;
        MUST(&w->f, try_ask(w, &query, all)); /* what fits into it */
        for (uint64_t limit = 1; limit < 45; limit += 7) {
            query.limit = limit;
            MUST(&w->f, try_ask(w, &query, some));
            size_t words = 1;
            for (const char *at = some; *at; at++)
                words += *at == ' ';
            assert_int_equal(words, limit);
            assert_memory_equal(all, some, strlen(some));
        }
    }
    close_world(w);
}

static void what_makes_no_sense_is_refused(void **state) {
    world *w = *state;
    open_world(w, ALONE, NULL);
    start(w);
    apply(w, "embedded E; column E.x:int;");
    apply(w, people);
    apply(w, "column P.e:->E");
    finish(w);
    static const char *const properties[] = {"none", "li", "e", "s", "i"};
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        sl_value value = i == 4 ? text("x") : integer(1);
        sl_condition condition = {sl_str_c(properties[i]), SL_TEST_EQUAL, &value, 1};
        sl_query query = {
            .class_name = SL_STR("P"), .conditions = &condition, .condition_count = 1};
        char keys[200];
        assert_false(try_ask(w, &query, keys));
        assert_int_equal(w->f.st.cls, SL_ERR_USAGE);
        assert_string_equal(w->f.st.id, "QUERY");
        w->f.st = (sl_status)SL_STATUS_INIT;
    }
    sl_query query = {.class_name = SL_STR("E")};
    char keys[200];
    assert_false(try_ask(w, &query, keys));
    assert_int_equal(w->f.st.cls, SL_ERR_USAGE);
    w->f.st = (sl_status)SL_STATUS_INIT;
    query.class_name = SL_STR("Nothing");
    assert_false(try_ask(w, &query, keys));
    close_world(w);
}

/* --- indexes --- */

static const char *const hostile[] = {"plain", "a\"b",  "select",       "x'); DROP TABLE t; --",
                                      "~",     "Plain", "_sl_index_1_1"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* A class with a hostile name whose properties have hostile names, one for each kind that can have
 * an index. */
static const int8_t index_types[] = {SL_TYPE_INT,       SL_TYPE_BOOL,     SL_TYPE_STRING,
                                     SL_TYPE_TIMESTAMP, SL_TYPE_OBJECTID, SL_TYPE_UUID,
                                     SL_TYPE_MIXED};

static void declare(world *w, const char *cls_name, bool indexed) {
    sl_property properties[HOSTILE];
    memset(properties, 0, sizeof properties);
    for (int i = 0; i < HOSTILE; i++) {
        properties[i].name = sl_str_c(hostile[i]);
        properties[i].type = index_types[i];
        properties[i].nullable = true;
        properties[i].indexed = indexed;
    }
    sl_class cls = {.name = sl_str_c(cls_name),
                    .has_key = true,
                    .key_name = SL_STR("_id"),
                    .key_type = SL_TYPE_INT,
                    .properties = properties,
                    .property_count = HOSTILE};
    sl_schema_definition definition = {&cls, 1};
    start(w);
    MUST(&w->f, sl_record_schema(w->f.realm, &definition, NULL, &w->f.st));
    finish(w);
}

static sl_value sample(int8_t type) {
    sl_value value = {.type = type};
    switch (type) {
    case SL_TYPE_INT:
        value.integer = 5;
        break;
    case SL_TYPE_STRING:
        value.string = SL_STR("five");
        break;
    case SL_TYPE_TIMESTAMP:
        value.timestamp.seconds = 5;
        break;
    case SL_TYPE_MIXED:
        return text("mixed");
    default:
        break;
    }
    return value;
}

/* How SQLite goes about the last query, asked on a connection of its own. */
static const char *plan_of(world *w) {
    static char plan[2000];
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    char sql[2100];
    assert_true(w->sql[0] != 0);
    snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", w->sql);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    plan[0] = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        size_t size = strlen(plan);
        snprintf(plan + size, sizeof plan - size, "%s\n",
                 (const char *)sqlite3_column_text(stmt, 3));
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return plan;
}

static void expect_index(world *w, const char *cls, int property, sl_test test,
                         const sl_value *values, uint32_t count, bool index) {
    sl_condition condition = {sl_str_c(hostile[property]), (uint8_t)test, values, count};
    sl_query query = {.class_name = sl_str_c(cls), .conditions = &condition, .condition_count = 1};
    char keys[200];
    MUST(&w->f, try_ask(w, &query, keys));
    const char *plan = plan_of(w);
    bool searched = strstr(plan, "SEARCH ") && strstr(plan, "INDEX _sl_index_");
    if (searched != index || (strstr(plan, "SCAN ") != NULL) == index)
        fail_msg("class %s, property %s, %s: %s\n%s", cls, hostile[property], sl_test_name(test),
                 w->sql, plan);
}

static void an_index_is_used_where_there_is_one(void **state) {
    world *w = *state;
    open_world(w, SQLITE, NULL);
    for (int c = 0; c < HOSTILE; c++)
        declare(w, hostile[c], true);
    for (int pass = 0; pass < 2; pass++) { /* as declared, and as read from the file again */
        for (int c = 0; c < HOSTILE; c++) {
            for (int i = 0; i < HOSTILE; i++) {
                sl_value values[] = {sample(index_types[i]), sample(index_types[i])};
                bool order = index_types[i] != SL_TYPE_BOOL && index_types[i] != SL_TYPE_MIXED;
                expect_index(w, hostile[c], i, SL_TEST_EQUAL, values, 1, true);
                expect_index(w, hostile[c], i, SL_TEST_IN, values, 2, true);
                expect_index(w, hostile[c], i, SL_TEST_UNEQUAL, values, 1, false);
                if (order) expect_index(w, hostile[c], i, SL_TEST_GREATER, values, 1, true);
                if (order) expect_index(w, hostile[c], i, SL_TEST_BETWEEN, values, 2, true);
                if (index_types[i] == SL_TYPE_STRING)
                    expect_index(w, hostile[c], i, SL_TEST_BEGINS, values, 1, true);
            }
        }
        close_world(w);
        open_world(w, SQLITE, NULL);
    }
    sl_value value = sample(SL_TYPE_INT);
    declare(w, hostile[1], false);
    expect_index(w, hostile[1], 0, SL_TEST_EQUAL, &value, 1, false);
    expect_index(w, hostile[2], 0, SL_TEST_EQUAL, &value, 1, true);
    declare(w, hostile[1], true);
    expect_index(w, hostile[1], 0, SL_TEST_EQUAL, &value, 1, true);
    close_world(w);
}

static void names_cannot_reach_into_the_sql(void **state) {
    world *w = *state;
    open_world(w, SQLITE, NULL);
    for (int c = 0; c < HOSTILE; c++)
        declare(w, hostile[c], c % 2 == 0);
    start(w);
    for (int c = 0; c < HOSTILE; c++) {
        for (int id = 1; id <= 2; id++) {
            sl_key key = int_key(id);
            sl_value value = text(id == 1 ? "x'); DROP TABLE plain; --" : "other");
            sl_place place = {sl_str_c(hostile[c]), key, SL_STR("select"), NULL, 0};
            MUST(&w->f, sl_record_create(w->f.realm, place.class_name, &key, NULL, NULL, &w->f.st));
            MUST(&w->f, sl_record_set(w->f.realm, &place, &value, false, &w->f.st));
        }
    }
    finish(w);
    for (int c = 0; c < HOSTILE; c++) {
        sl_value value = text("x'); DROP TABLE plain; --");
        sl_condition condition = {SL_STR("select"), SL_TEST_EQUAL, &value, 1};
        sl_query query = {
            .class_name = sl_str_c(hostile[c]), .conditions = &condition, .condition_count = 1};
        char keys[200];
        MUST(&w->f, try_ask(w, &query, keys));
        assert_string_equal(keys, "1");
        assert_null(strstr(w->sql, "DROP TABLE plain"));
    }
    close_world(w);
}

static void a_rolled_back_index_is_not_there(void **state) {
    world *w = *state;
    open_world(w, SQLITE, NULL);
    declare(w, "C", false);
    const sl_class *cls = sl_realm_class(w->f.realm, SL_STR("C"));
    sl_property wanted = cls->properties[0];
    wanted.indexed = true;
    sl_class narrow = *cls;
    narrow.properties = &wanted;
    narrow.property_count = 1;
    sl_schema_definition definition = {&narrow, 1};
    sl_value value = sample(SL_TYPE_INT);
    for (int partly = 0; partly < 2; partly++) {
        start(w);
        sl_savepoint point = sl_realm_savepoint(w->f.realm);
        MUST(&w->f, sl_record_schema(w->f.realm, &definition, NULL, &w->f.st));
        assert_true(cls->properties[0].indexed);
        if (partly) {
            MUST(&w->f, sl_realm_rollback_to(w->f.realm, point, &w->f.st));
            finish(w);
        } else {
            w->store->vtbl->rollback(w->store);
            sl_realm_discard(w->f.realm);
        }
        assert_false(cls->properties[0].indexed);
        expect_index(w, "C", 0, SL_TEST_EQUAL, &value, 1, false);
    }
    close_world(w);
}

/* --- faults --- */

static bool ask_much(world *w, const sl_alloc *alloc, char *keys) {
    sl_link link;
    sl_value values[] = {text("t"), link_to(&link, "P", int_key(9)), integer(7), null_value()};
    sl_condition conditions[] = {{SL_STR("s"), SL_TEST_BEGINS, &values[0], 1},
                                 {SL_STR("q"), SL_TEST_UNEQUAL, &values[1], 1},
                                 {SL_STR("i"), SL_TEST_IN, &values[2], 2},
                                 {SL_STR("m"), SL_TEST_UNEQUAL, &values[3], 1}};
    sl_order orders[] = {{SL_STR("m"), false}, {SL_STR("s"), true}, {SL_STR("_id"), false}};
    sl_query query = {SL_STR("P"), conditions, 4, orders, 3, 0, alloc};
    uint64_t count;
    return try_ask(w, &query, keys) && sl_query_count(w->f.realm, &query, &count, &w->f.st);
}

static void every_allocation_may_fail(void **state) {
    world *w = *state;
    for (int place = 0; place < PLACES; place++) {
        bool ok = false;
        int n = 0;
        while (!ok && n++ < 2000) {
            failing_alloc memory;
            failing_alloc_init(&memory);
            next_file(w, place * 10000 + n);
            open_world(w, (where)place, &memory.alloc);
            start(w);
            apply(w, people);
            finish(w);
            start(w);
            apply(w, "P3.s = \"tea\"; create P6; P6.s = \"toe\"");
            char keys[200];
            memory.fail_at = (uint64_t)n;
            ok = ask_much(w, &memory.alloc, keys);
            memory.fail_at = 0;
            if (!ok) assert_int_equal(w->f.st.cls, SL_ERR_MEMORY);
            w->f.st = (sl_status)SL_STATUS_INIT;
            MUST(&w->f, ask_much(w, NULL, keys)); /* nothing is broken by it */
            assert_string_equal(keys, "2");
            finish(w);
            close_world(w);
            assert_int_equal(memory.live, 0);
            unlink(w->path);
        }
        assert_true(ok && n > 5);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(every_kind_of_realm_answers_alike),     T(a_link_to_what_does_not_exist_is_null),
        T(orders_and_limits_give_the_first_ones), T(what_makes_no_sense_is_refused),
        T(an_index_is_used_where_there_is_one),   T(names_cannot_reach_into_the_sql),
        T(a_rolled_back_index_is_not_there),      T(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
