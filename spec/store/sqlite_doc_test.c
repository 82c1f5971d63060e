/* The SQL of doc/store.md, run against a realm like the one the page speaks of. */
#include "object_maker.h"
#include "store/sqlite_store.h"
#include "store_samples.h"
#include "store_sql.h"
#include "temp_dir.h"

#define NONE sl_str_of("", 0)

static sl_value text_value(const char *text) {
    sl_value value = {.type = SL_TYPE_STRING};
    value.string = sl_str_c(text);
    return value;
}

static sl_class *class_with_key(maker *m, const char *name, const char *key, int type) {
    sl_class def = {.name = sl_str_c(name),
                    .has_key = true,
                    .key_name = sl_str_c(key),
                    .key_type = (int8_t)type};
    sl_class *cls = sl_schema_add_class(&m->schema, &def);
    OK(m->source->class_added(m->source->ctx, cls, st));
    return cls;
}

static void make_country(maker *m, sl_class *cls, const char *code, const char *name,
                         const char *const *neighbours) {
    sl_key key = string_key(sl_str_c(code));
    sl_object *object = make_object(m, cls, &key);
    set_value(m, &object->values[0], text_value(name));
    for (; *neighbours; neighbours++) {
        set_link(m, add_item(m, &object->values[1]), SL_STR("Country"),
                 string_key(sl_str_c(*neighbours)));
    }
    save_object(m, object);
    sl_object_free(m->alloc, object);
}

static sl_object *start_city(maker *m, sl_class *cls, int64_t id, const char *name,
                             const char *country, int64_t people) {
    sl_key key = int_key(id);
    sl_object *object = make_object(m, cls, &key);
    set_value(m, &object->values[0], text_value(name));
    set_link(m, &object->values[1], SL_STR("Country"), string_key(sl_str_c(country)));
    set_value(m, &object->values[2], (sl_value){.type = SL_TYPE_INT, .integer = people});
    return object;
}

static void finish_city(maker *m, sl_object *object) {
    save_object(m, object);
    sl_object_free(m->alloc, object);
}

static void make_cities(maker *m, sl_class *point, sl_class *city) {
    sl_object *berlin = start_city(m, city, 1, "Berlin", "DE", 3677472);
    sl_object *place = set_embedded(m, &berlin->values[3], point);
    set_value(m, &place->values[0], text_value("Mitte"));
    set_value(m, &place->values[1], (sl_value){.type = SL_TYPE_DOUBLE, .real = 52.52});
    finish_city(m, berlin);
    sl_object *porto = start_city(m, city, 2, "Porto", "PT", 231800);
    set_link(m, &porto->values[5], SL_STR("Country"), string_key(SL_STR("DE")));
    finish_city(m, porto);
}

static void make_history(sl_store *store) {
    uint64_t noon = UINT64_C(1709208000000) - UINT64_C(1420070400000);
    sl_history_entry first = {
        .version = 1, .origin_timestamp = noon, .changeset = SL_STR("changeset")};
    sl_history_entry second = {.version = 2,
                               .origin_file = 7,
                               .origin_timestamp = noon + 1500,
                               .changeset = SL_STR("one")};
    OK(store->vtbl->entry_append(store, &first, st));
    OK(store->vtbl->entry_append(store, &second, st));
}

static void make_realm(const char *path) {
    static const char *const of_germany[] = {"FR", "PL", NULL}, *const of_portugal[] = {"ES", NULL};
    sl_store *store = NULL;
    maker m;
    OK(sl_sqlite_open(path, NULL, &store, st));
    maker_open(&m, store);
    BEGIN(store);
    sl_class *country = class_with_key(&m, "Country", "code", SL_TYPE_STRING);
    make_property(&m, country, SL_STR("name"), SL_TYPE_STRING, SL_SINGLE, false, NONE);
    make_property(&m, country, SL_STR("neighbours"), SL_TYPE_LINK, SL_LIST, false,
                  SL_STR("Country"));
    sl_class *point = make_class(&m, SL_STR("Point"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    make_property(&m, point, SL_STR("place"), SL_TYPE_STRING, SL_SINGLE, true, NONE);
    make_property(&m, point, SL_STR("north"), SL_TYPE_DOUBLE, SL_SINGLE, false, NONE);
    sl_class *city = class_with_key(&m, "City", "_id", SL_TYPE_INT);
    make_property(&m, city, SL_STR("name"), SL_TYPE_STRING, SL_SINGLE, false, NONE);
    make_property(&m, city, SL_STR("country"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Country"));
    make_property(&m, city, SL_STR("people"), SL_TYPE_INT, SL_SINGLE, false, NONE);
    make_property(&m, city, SL_STR("location"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Point"));
    make_property(&m, city, SL_STR("founded"), SL_TYPE_TIMESTAMP, SL_SINGLE, true, NONE);
    make_property(&m, city, SL_STR("notes"), SL_TYPE_MIXED, SL_SINGLE, true, NONE);
    make_country(&m, country, "DE", "Germany", of_germany);
    make_country(&m, country, "PT", "Portugal", of_portugal);
    make_cities(&m, point, city);
    make_history(store);
    COMMIT(store);
    maker_close(&m);
    store->vtbl->close(store);
}

static char *read_page(void) {
    FILE *file = fopen("doc/store.md", "r");
    if (!file) fail_msg("doc/store.md: run the tests in the directory of the project");
    char *text = calloc(1, 100000);
    assert_true(fread(text, 1, 99999, file) > 0);
    fclose(file);
    return text;
}

/* The block that starts with ``` and `kind` at or after `from`; *end = behind it. NULL: none. */
static char *next_block(char *from, const char *kind, char **end) {
    char fence[20];
    snprintf(fence, sizeof fence, "```%s\n", kind);
    char *start = strstr(from, fence);
    if (!start) return NULL;
    start += strlen(fence);
    char *stop = strstr(start, "```");
    assert_non_null(stop);
    *stop = 0;
    *end = stop + 1;
    return start;
}

static void every_example_prints_what_the_page_says(void **state) {
    (void)state;
    temp_dir dir;
    char path[300];
    temp_dir_make(&dir);
    make_realm(temp_dir_file(&dir, "countries.realm", path));
    char *page = read_page(), *at = page, *sql;
    int count = 0;
    while ((sql = next_block(at, "sql", &at))) {
        char *expected = next_block(at, "text", &at);
        assert_non_null(expected);
        assert_string_equal(sql_text(path, sql), expected);
        count++;
    }
    assert_int_equal(count, 6);
    free(page);
    temp_dir_remove(&dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_example_prints_what_the_page_says)};
    return cmocka_run_group_tests_name("sqlite examples", tests, NULL, NULL);
}
