/* What a user sees who opens a realm file with any SQLite tool: tables, columns, values. */
#include "object_maker.h"
#include "store/sqlite_store.h"
#include "store/sqlite_time.h"
#include "store_sql.h"
#include "temp_dir.h"

typedef struct world {
    temp_dir dir;
    char path[300];
    sl_store *store;
    maker m;
} world;

static void open_world(world *w) {
    OK(sl_sqlite_open(w->path, NULL, &w->store, st));
    maker_open(&w->m, w->store);
}

static void close_world(world *w) {
    maker_close(&w->m);
    w->store->vtbl->close(w->store);
    w->store = NULL;
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    temp_dir_make(&w->dir);
    temp_dir_file(&w->dir, "one.realm", w->path);
    open_world(w);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    if (w->store) close_world(w);
    temp_dir_remove(&w->dir);
    free(w);
    return 0;
}

#define NONE sl_str_of("", 0)

static void assert_sql(world *w, const char *sql, const char *expected) {
    assert_string_equal(sql_text(w->path, sql), expected);
}

static void scalars_are_kept_in_the_types_of_sqlite(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *cls = make_class(m, SL_STR("Country"), SL_TABLE_TOPLEVEL, SL_TYPE_STRING);
    static const char *const names[] = {"any",   "whole",  "yes",   "text", "bytes", "time",
                                        "small", "number", "money", "link", "oid",   "uuid"};
    for (int type = 0; type < 12; type++) {
        make_property(m, cls, sl_str_c(names[type]), type, SL_SINGLE, type != SL_TYPE_LINK,
                      type == SL_TYPE_LINK ? SL_STR("Country") : NONE);
    }
    sl_key key = string_key(SL_STR("DE"));
    sl_object *object = make_object(m, cls, &key);
    sl_node *v = object->values;
    set_value(m, &v[0], (sl_value){.type = SL_TYPE_INT, .integer = 5});
    set_value(m, &v[1], (sl_value){.type = SL_TYPE_INT, .integer = INT64_MIN});
    set_value(m, &v[2], (sl_value){.type = SL_TYPE_BOOL, .boolean = true});
    set_value(m, &v[3], (sl_value){.type = SL_TYPE_STRING, .string = SL_STR("M\xc3\xbcnchen")});
    set_value(m, &v[4], (sl_value){.type = SL_TYPE_BINARY, .string = sl_str_of("\0\xff", 2)});
    set_value(m, &v[5], (sl_value){.type = SL_TYPE_TIMESTAMP, .timestamp = {1420070400, 5}});
    set_value(m, &v[6], (sl_value){.type = SL_TYPE_FLOAT, .single = 0.5f});
    set_value(m, &v[7], (sl_value){.type = SL_TYPE_DOUBLE, .real = -1.5});
    set_value(m, &v[8],
              (sl_value){.type = SL_TYPE_DECIMAL, .decimal = {150, UINT64_C(0x303c000000000000)}});
    set_link(m, &v[9], SL_STR("Country"), string_key(SL_STR("FR")));
    sl_value oid = {.type = SL_TYPE_OBJECTID}, uuid = {.type = SL_TYPE_UUID};
    for (int i = 0; i < 12; i++)
        oid.objectid[i] = (uint8_t)(i * 16 + 1);
    for (int i = 0; i < 16; i++)
        uuid.uuid[i] = (uint8_t)(255 - i);
    set_value(m, &v[10], oid);
    set_value(m, &v[11], uuid);
    save_object(m, object);
    COMMIT(w->store);
    assert_sql(w, "SELECT _id, \"any\", whole, yes, text, hex(bytes), time FROM Country",
               "DE|5|-9223372036854775808|1|M\xc3\xbcnchen|00FF|2015-01-01T00:00:00.000000005Z\n");
    assert_sql(w, "SELECT small, number, money, link, oid, uuid FROM Country",
               "0.5|-1.5|1.50|FR|0111213141516171"
               "8191a1b1|fffefdfc-fbfa-f9f8-f7f6-f5f4f3f2f1f0\n");
    assert_sql(w,
               "SELECT typeof(whole), typeof(yes), typeof(text), typeof(bytes), typeof(time),"
               " typeof(small), typeof(number), typeof(money), typeof(link) FROM Country",
               "integer|integer|text|blob|text|real|real|text|text\n");
    assert_sql(w, "SELECT datetime(time), unixepoch(time) FROM Country",
               "2015-01-01 00:00:00|1420070400\n");
    sl_object_free(m->alloc, object);
}

static void what_sqlite_cannot_hold_is_kept_as_bytes(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *cls = make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_STRING);
    make_property(m, cls, SL_STR("text"), SL_TYPE_STRING, SL_SINGLE, true, NONE);
    make_property(m, cls, SL_STR("number"), SL_TYPE_DOUBLE, SL_SINGLE, true, NONE);
    make_property(m, cls, SL_STR("small"), SL_TYPE_FLOAT, SL_SINGLE, true, NONE);
    make_property(m, cls, SL_STR("link"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    sl_key key = string_key(SL_STR("\xff"));
    sl_object *object = make_object(m, cls, &key);
    set_value(m, &object->values[0],
              (sl_value){.type = SL_TYPE_STRING, .string = sl_str_of("a\0b", 3)});
    set_value(m, &object->values[1], (sl_value){.type = SL_TYPE_DOUBLE, .real = -0.0});
    float nan;
    uint32_t bits = 0x7fc00001u;
    memcpy(&nan, &bits, sizeof nan);
    set_value(m, &object->values[2], (sl_value){.type = SL_TYPE_FLOAT, .single = nan});
    set_link(m, &object->values[3], SL_STR("C"), (sl_key){.type = SL_TYPE_NULL});
    save_object(m, object);
    sl_object_free(m->alloc, object);
    COMMIT(w->store);
    assert_sql(w, "SELECT hex(_id), hex(text), hex(number), hex(small), hex(link) FROM C",
               "03FF|610062|8000000000000000|7FC00001|00\n");
    object = load_object(m, cls, &key);
    assert_str(object->values[0].value.string, "a\0b", 3);
    assert_int_equal(object->values[3].value.link->key.type, SL_TYPE_NULL);
    sl_object_free(m->alloc, object);
}

static void collections_and_embedded_objects_are_json(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *part = make_class(m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    make_property(m, part, SL_STR("name"), SL_TYPE_STRING, SL_SINGLE, true, NONE);
    make_property(m, part, SL_STR("of"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    sl_class *cls = make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(m, cls, SL_STR("numbers"), SL_TYPE_INT, SL_LIST, false, NONE);
    make_property(m, cls, SL_STR("words"), SL_TYPE_STRING, SL_DICTIONARY, true, NONE);
    make_property(m, cls, SL_STR("others"), SL_TYPE_LINK, SL_LIST, false, SL_STR("C"));
    make_property(m, cls, SL_STR("part"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    make_property(m, cls, SL_STR("any"), SL_TYPE_MIXED, SL_SINGLE, true, NONE);
    sl_key key = int_key(1);
    sl_object *object = make_object(m, cls, &key);
    for (int i = 1; i < 4; i++) {
        set_value(m, add_item(m, &object->values[0]),
                  (sl_value){.type = SL_TYPE_INT, .integer = i});
        set_link(m, add_item(m, &object->values[2]), SL_STR("C"), int_key(10 * i));
    }
    set_value(m, add_entry(m, &object->values[1], SL_STR("a")),
              (sl_value){.type = SL_TYPE_STRING, .string = SL_STR("x")});
    add_entry(m, &object->values[1], SL_STR("b"));
    sl_object *inner = set_embedded(m, &object->values[3], part);
    set_value(m, &inner->values[0], (sl_value){.type = SL_TYPE_STRING, .string = SL_STR("wheel")});
    set_link(m, &inner->values[1], SL_STR("C"), int_key(1));
    set_link(m, &object->values[4], SL_STR("C"), int_key(7));
    save_object(m, object);
    sl_object_free(m->alloc, object);
    COMMIT(w->store);
    assert_sql(w, "SELECT numbers, words, others, part, \"any\" FROM C",
               "[1,2,3]|{\"a\":\"x\",\"b\":null}|[10,20,30]|{\"name\":\"wheel\",\"of\":1}|"
               "{\"$link\":{\"class\":\"C\",\"key\":{\"$numberLong\":\"7\"}}}\n");
    assert_sql(w, "SELECT j.value FROM C, json_each(C.numbers) j", "1\n2\n3\n");
    assert_sql(w, "SELECT target, target_key FROM _sl_links ORDER BY target_key",
               "C|1\nC|7\nC|10\nC|20\nC|30\n");
    assert_sql(w, "SELECT class, property, type, collection FROM _sl_schema WHERE class = 'C'",
               "C|numbers|int|list\nC|words|string|dictionary\nC|others|link|list\n"
               "C|part|link|single\nC|any|mixed|single\n");
}

/* Saves the object with `key` anew, with nothing but a link to C `target` in its Mixed property. */
static void save_linking(maker *m, const sl_class *cls, const sl_key *key, int64_t target) {
    sl_object *object = make_object(m, cls, key);
    set_link(m, &object->values[0], SL_STR("C"), int_key(target));
    save_object(m, object);
    sl_object_free(m->alloc, object);
}

static void links_inside_json_follow_new_and_old_objects(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    const sl_class *classes[] = {
        make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT),
        make_class(m, SL_STR("S"), SL_TABLE_TOPLEVEL, SL_TYPE_STRING),
    };
    for (size_t i = 0; i < 2; i++)
        make_property(m, (sl_class *)(uintptr_t)classes[i], SL_STR("any"), SL_TYPE_MIXED, SL_SINGLE,
                      true, NONE);
    /* The smallest number doubles as a mark in the store; NULL keys are replaced by hand. */
    const sl_key keys[] = {int_key(1), int_key(INT64_MIN), {.type = SL_TYPE_NULL}};
    for (size_t i = 0; i < 3; i++) {
        save_linking(m, classes[i == 2], &keys[i], (int64_t)i + 10);
        save_linking(m, classes[i == 2], &keys[i], (int64_t)i + 20);
    }
    COMMIT(w->store);
    assert_sql(w, "SELECT target_key FROM _sl_links ORDER BY 1", "20\n21\n22\n");
}

static void an_update_writes_no_other_columns(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *cls = make_class(m, SL_STR("Thing"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(m, cls, SL_STR("a"), SL_TYPE_INT, SL_SINGLE, true, NONE);
    make_property(m, cls, SL_STR("b"), SL_TYPE_INT, SL_SINGLE, true, NONE);
    sl_key key = int_key(1);
    sl_object *object = make_object(m, cls, &key);
    object->values[1].value = (sl_value){.type = SL_TYPE_INT, .integer = 7};
    save_object(m, object);
    /* Whole rows until a statement is worth while. */
    for (int i = 0; i < 40; i++) {
        object->values[0].value = (sl_value){.type = SL_TYPE_INT, .integer = i};
        if (i == 39) object->values[1].value.integer = 8;
        OK(m->source->object_update(m->source->ctx, cls, object, 1, st));
    }
    /* A row that is not there is made, as a whole. */
    key = object->key = int_key(2);
    OK(m->source->object_update(m->source->ctx, cls, object, 1, st));
    OK(w->store->vtbl->commit(w->store, false, st));
    sl_object_free(m->alloc, object);
    assert_sql(w, "SELECT _id, a, b FROM Thing ORDER BY _id", "1|39|7\n2|39|8\n");
}

static void indexes_of_links_hold_no_nulls_and_find_referrers(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *cls = make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(m, cls, SL_STR("parent"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    COMMIT(w->store);
    assert_sql(w, "SELECT substr(sql, -26) FROM sqlite_master WHERE name = '_sl_index_1_1'",
               "WHERE \"parent\" IS NOT NULL\n");
    const char *plan = sql_text(w->path, "EXPLAIN QUERY PLAN SELECT _id FROM C WHERE parent = ?1");
    assert_non_null(strstr(plan, "_sl_index_1_1"));
}

static void add_named_class(maker *m, const char *bytes, size_t size) {
    sl_class *cls = make_class(m, sl_str_of(bytes, size), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(m, cls, SL_STR("n"), SL_TYPE_INT, SL_SINGLE, false, NONE);
    sl_key key = int_key((int64_t)cls->id);
    sl_object *object = make_object(m, cls, &key);
    set_value(m, &object->values[0], (sl_value){.type = SL_TYPE_INT, .integer = cls->id});
    save_object(m, object);
    sl_object_free(m->alloc, object);
}

static void class_names_of_every_kind_get_tables_of_their_own(void **state) {
    world *w = *state;
    maker *m = &w->m;
    static const struct {
        const char *name;
        size_t size;
        const char *table;
    } names[] = {
        {"Person", 6, "Person"},
        {"person", 6, "person~2"},
        {"PERSON", 6, "PERSON~3"},
        {"select", 6, "select"},
        {"sqlite_sequence", 15, "xsqlite_sequence~5"},
        {"_sl_history", 11, "x_sl_history~6"},
        {"a \"quoted\" name", 15, "a \"quoted\" name"},
        {"it's; DROP TABLE x", 18, "it's; DROP TABLE x"},
        {"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", 12,
         "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
        {"bad\xff", 4, "bad?~10"},
        {"nul\0nul", 7, "nul?nul~11"},
        {"", 0, "x~12"},
        {"person~2", 8, "person~2~13"},
        {"Person~14", 9, "Person~14"},
        {"%s%n", 4, "%s%n"},
    };
    BEGIN(w->store);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        add_named_class(m, names[i].name, names[i].size);
    }
    COMMIT(w->store);
    close_world(w);
    open_world(w);
    char expected[2000];
    size_t size = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size += (size_t)snprintf(expected + size, sizeof expected - size, "%s\n", names[i].table);
        const sl_class *cls = sl_schema_find(&m->schema, sl_str_of(names[i].name, names[i].size));
        assert_non_null(cls);
        sl_key key = int_key((int64_t)cls->id);
        sl_object *object = load_object(m, cls, &key);
        assert_int_equal(object->values[0].value.integer, cls->id);
        sl_object_free(m->alloc, object);
    }
    assert_sql(w, "SELECT table_name FROM _sl_classes ORDER BY id", expected);
}

static void property_names_of_every_kind_get_columns_of_their_own(void **state) {
    world *w = *state;
    maker *m = &w->m;
    static const char *const names[] = {"name", "Name",    "_ID",          "rowid", "order",
                                        "a\"b", "_sl_key", "\xff\xfe",     "oid",   "sqlite_x",
                                        "'",    "a.b",     "\xe2\x82\xac", "$oid",  "[x]"};
    enum { COUNT = sizeof names / sizeof *names };
    BEGIN(w->store);
    sl_class *part = make_class(m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_class *cls = make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    for (int i = 0; i < COUNT; i++) {
        make_property(m, cls, sl_str_c(names[i]), SL_TYPE_INT, SL_SINGLE, false, NONE);
        make_property(m, part, sl_str_c(names[i]), SL_TYPE_INT, SL_SINGLE, false, NONE);
    }
    make_property(m, cls, SL_STR("part"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    sl_key key = int_key(1);
    sl_object *object = make_object(m, cls, &key);
    sl_object *inner = set_embedded(m, &object->values[COUNT], part);
    for (int i = 0; i < COUNT; i++) {
        set_value(m, &object->values[i], (sl_value){.type = SL_TYPE_INT, .integer = i});
        set_value(m, &inner->values[i], (sl_value){.type = SL_TYPE_INT, .integer = -i});
    }
    save_object(m, object);
    sl_object_free(m->alloc, object);
    COMMIT(w->store);
    close_world(w);
    open_world(w);
    cls = sl_schema_find(&m->schema, SL_STR("C"));
    object = load_object(m, cls, &key);
    for (int i = 0; i < COUNT; i++) {
        assert_str(cls->properties[i].name, names[i], strlen(names[i]));
        assert_int_equal(object->values[i].value.integer, i);
        assert_int_equal(object->values[COUNT].object->values[i].value.integer, -i);
    }
    sl_object_free(m->alloc, object);
    assert_sql(w, "SELECT \"name\", \"Name~2\", \"_ID~3\", \"rowid\", \"a\"\"b\" FROM C",
               "0|1|2|3|5\n");
}

static void timestamps_of_the_whole_range_have_text(void **state) {
    (void)state;
    static const struct {
        sl_timestamp time;
        const char *text;
    } cases[] = {
        {{0, 0}, "1970-01-01T00:00:00.000000000Z"},
        {{-1, 0}, "1969-12-31T23:59:59.000000000Z"},
        {{0, -1}, "1969-12-31T23:59:59.999999999Z"},
        {{-1, -100000000}, "1969-12-31T23:59:58.900000000Z"},
        {{951782400, 1}, "2000-02-29T00:00:00.000000001Z"},
        {{253402300799, 999999999}, "9999-12-31T23:59:59.999999999Z"},
        {{253402300800, 0}, "+010000-01-01T00:00:00.000000000Z"},
        {{-62167219200, 0}, "0000-01-01T00:00:00.000000000Z"},
        {{-62167219200, -1}, "-000001-12-31T23:59:59.999999999Z"},
        {{INT64_MAX, 999999999}, "+292277026596-12-04T15:30:07.999999999Z"},
        {{INT64_MIN, -999999999}, "-292277022657-01-27T08:29:51.000000001Z"},
        {{INT64_MIN, 0}, "-292277022657-01-27T08:29:52.000000000Z"},
    };
    sl_buf text;
    sl_buf_init(&text, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sl_buf_clear(&text);
        assert_true(sl_sqlite_time_write(&text, cases[i].time));
        sl_buf_byte(&text, 0);
        assert_string_equal(text.data, cases[i].text);
        sl_timestamp back;
        assert_true(sl_sqlite_time_read(sl_str_c(cases[i].text), &back));
        assert_true(back.seconds == cases[i].time.seconds);
        assert_int_equal(back.nanoseconds, cases[i].time.nanoseconds);
    }
    sl_buf_clear(&text);
    assert_false(sl_sqlite_time_write(&text, (sl_timestamp){1, -1}));
    assert_false(sl_sqlite_time_write(&text, (sl_timestamp){-1, 1}));
    assert_false(sl_sqlite_time_write(&text, (sl_timestamp){0, 1000000000}));
    static const char *const wrong[] = {"",
                                        "2015-01-01",
                                        "2015-13-01T00:00:00.000000000Z",
                                        "2015-01-01T24:00:00.000000000Z",
                                        "2015-01-01T00:00:00.00000000Z",
                                        "2015-01-01T00:00:00.000000000",
                                        "2015-01-01T00:00:00.000000000Zx",
                                        "+292277026596-12-04T15:30:08.000000000Z",
                                        "-292277022657-01-27T08:29:50.999999999Z",
                                        "+9999999999999-01-01T00:00:00.000000000Z",
                                        "+1-01-01T00:00:00.000000000Z"};
    sl_timestamp t;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (sl_sqlite_time_read(sl_str_c(wrong[i]), &t)) fail_msg("%s was read", wrong[i]);
    }
    sl_buf_free(&text);
}

static void values_edited_by_hand_are_damage_not_a_crash(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *part = make_class(m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    make_property(m, part, SL_STR("n"), SL_TYPE_INT, SL_SINGLE, false, NONE);
    sl_class *cls = make_class(m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    static const int types[] = {SL_TYPE_INT,      SL_TYPE_TIMESTAMP, SL_TYPE_DECIMAL,
                                SL_TYPE_OBJECTID, SL_TYPE_UUID,      SL_TYPE_MIXED};
    for (int i = 0; i < 6; i++) {
        char name[24];
        snprintf(name, sizeof name, "p%d", i);
        make_property(m, cls, sl_str_c(name), types[i], SL_SINGLE, true, NONE);
    }
    make_property(m, cls, SL_STR("p6"), SL_TYPE_INT, SL_LIST, true, NONE);
    make_property(m, cls, SL_STR("p7"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    make_property(m, cls, SL_STR("p8"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("C"));
    sl_key key = int_key(1);
    sl_object *object = make_object(m, cls, &key);
    save_object(m, object);
    sl_object_free(m->alloc, object);
    COMMIT(w->store);
    static const char *const edits[] = {
        "p0 = 'x'",  "p1 = 'yesterday'", "p1 = x'00'", "p2 = 'much'", "p2 = x''",
        "p3 = 'zz'", "p4 = ''",          "p5 = '{'",   "p5 = ''",     "p5 = '{\"$oid\":1}'",
        "p6 = '5'",  "p6 = '{}'",        "p6 = x''",   "p7 = '[1'",   "p7 = '{\"n\":{\"$x\":1}}'",
        "p8 = 'a'",  "p8 = x'0B00'",     "p8 = x''"};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE C SET %s", edits[i]);
        sql_run(w->path, sql);
        object = make_object(m, cls, &key);
        sl_status status = SL_STATUS_INIT;
        bool found;
        bool ok = m->source->object_load(m->source->ctx, cls, &key, object, &found, &status);
        if (ok) fail_msg("%s was read", edits[i]);
        assert_int_equal(status.cls, SL_ERR_STORAGE);
        assert_string_equal(status.id, "DAMAGED");
        sl_object_free(m->alloc, object);
        snprintf(sql, sizeof sql, "UPDATE C SET %.2s = NULL", edits[i]);
        sql_run(w->path, sql);
    }
    object = load_object(m, cls, &key);
    assert_non_null(object);
    sl_object_free(m->alloc, object);
}

static void too_many_properties_are_refused_clearly(void **state) {
    world *w = *state;
    maker *m = &w->m;
    BEGIN(w->store);
    sl_class *part = make_class(m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_class *cls = make_class(m, SL_STR("Wide"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    for (int i = 0; i < 1990; i++) {
        char name[24];
        snprintf(name, sizeof name, "p%d", i);
        make_property(m, part, sl_str_c(name), SL_TYPE_INT, SL_SINGLE, false, NONE);
        make_property(m, cls, sl_str_c(name), SL_TYPE_INT, SL_SINGLE, false, NONE);
    }
    make_property(m, part, SL_STR("more"), SL_TYPE_INT, SL_SINGLE, false, NONE);
    sl_key key = int_key(1);
    sl_object *object = make_object(m, cls, &key);
    set_value(m, &object->values[1989], (sl_value){.type = SL_TYPE_INT, .integer = 7});
    save_object(m, object);
    sl_object_free(m->alloc, object);
    object = load_object(m, cls, &key);
    assert_int_equal(object->values[1989].value.integer, 7);
    sl_object_free(m->alloc, object);
    sl_property more = {.name = SL_STR("more"), .type = SL_TYPE_INT, .target = NONE};
    const sl_property *property = sl_schema_add_property(&m->schema, cls, &more);
    FAILS(SL_ERR_STORAGE, m->source->property_added(m->source->ctx, cls, property, st));
    w->store->vtbl->rollback(w->store);
    maker_close(m);
    maker_open(m, w->store);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(scalars_are_kept_in_the_types_of_sqlite),
        T(what_sqlite_cannot_hold_is_kept_as_bytes),
        T(collections_and_embedded_objects_are_json),
        T(links_inside_json_follow_new_and_old_objects),
        T(an_update_writes_no_other_columns),
        T(indexes_of_links_hold_no_nulls_and_find_referrers),
        T(class_names_of_every_kind_get_tables_of_their_own),
        T(property_names_of_every_kind_get_columns_of_their_own),
        T(timestamps_of_the_whole_range_have_text),
        T(values_edited_by_hand_are_damage_not_a_crash),
        T(too_many_properties_are_refused_clearly),
    };
    return cmocka_run_group_tests_name("sqlite tables", tests, NULL, NULL);
}
