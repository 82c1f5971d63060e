/* Declared schemas: what is refused, and what a second declaration may change (12.4). */
#include "fixture.h"

enum { MANY = 6 };

/* Classes under construction. */
typedef struct plan {
    sl_property properties[MANY][MANY];
    sl_class classes[MANY];
    sl_schema_definition definition;
} plan;

static sl_class *add(plan *p, const char *name, uint8_t kind, const char *key) {
    sl_class *cls = &p->classes[p->definition.count];
    *cls = (sl_class){.name = sl_str_c(name), .kind = kind};
    cls->properties = p->properties[p->definition.count++];
    if (key) {
        cls->has_key = true;
        cls->key_name = sl_str_c(key);
        cls->key_type = SL_TYPE_INT;
    }
    p->definition.classes = p->classes;
    return cls;
}

static sl_property *with(sl_class *cls, const char *name, int8_t type, sl_collection collection) {
    sl_property *property = &cls->properties[cls->property_count++];
    *property = (sl_property){.name = sl_str_c(name), .type = type};
    property->collection = (uint8_t)collection;
    return property;
}

static void to(sl_property *property, const char *target) {
    property->target = sl_str_c(target);
}

/* P -> Q, P holds E, E holds F. */
static void make_plan(plan *p) {
    memset(p, 0, sizeof *p);
    sl_class *P = add(p, "P", SL_TABLE_TOPLEVEL, "_id");
    with(P, "i", SL_TYPE_INT, SL_SINGLE);
    to(with(P, "q", SL_TYPE_LINK, SL_SINGLE), "Q");
    to(with(P, "e", SL_TYPE_LINK, SL_LIST), "E");
    add(p, "Q", SL_TABLE_TOPLEVEL, "_id");
    to(with(add(p, "E", SL_TABLE_EMBEDDED, NULL), "f", SL_TYPE_LINK, SL_DICTIONARY), "F");
    with(add(p, "F", SL_TABLE_EMBEDDED, NULL), "s", SL_TYPE_STRING, SL_SET);
    add(p, "L", SL_TABLE_ASYMMETRIC, "_id");
}

static void refused(const plan *p, bool sdk_rules, const char *part) {
    sl_status st = SL_STATUS_INIT;
    if (sl_schema_validate(&p->definition, sdk_rules, &st)) fail_msg("accepted, not: %s", part);
    assert_string_equal(st.id, "SCHEMA");
    if (!strstr(st.message, part)) fail_msg("%s instead of %s", st.message, part);
}

static void declarations_that_cannot_be(void **state) {
    (void)state;
    plan p;
    sl_status st = SL_STATUS_INIT;
    make_plan(&p);
    assert_true(sl_schema_validate(&p.definition, true, &st));

    make_plan(&p);
    p.classes[4].name = SL_STR("P");
    refused(&p, false, "declared twice");
    make_plan(&p);
    p.classes[4].name = SL_STR("");
    refused(&p, false, "name");
    make_plan(&p);
    p.classes[0].properties[1].target = SL_STR("Nowhere");
    refused(&p, false, "not in the schema");
    make_plan(&p);
    p.classes[0].properties[1].target = SL_STR("L");
    refused(&p, false, "asymmetric");
    make_plan(&p);
    p.classes[0].properties[2].collection = SL_SET;
    refused(&p, false, "cannot hold embedded");
    make_plan(&p);
    p.classes[0].properties[1].name = SL_STR("i");
    refused(&p, false, "declared twice");
    make_plan(&p);
    p.classes[0].properties[0].name = SL_STR("_id");
    refused(&p, false, "key property");
    make_plan(&p);
    p.classes[0].properties[0].type = 12;
    refused(&p, false, "type is unknown");
    make_plan(&p);
    p.classes[0].key_type = SL_TYPE_DOUBLE;
    refused(&p, false, "a key is");
    make_plan(&p);
    p.classes[2].has_key = true;
    refused(&p, false, "embedded class has no key");
    make_plan(&p);
    p.classes[0].key_name = SL_STR("key");
    refused(&p, true, "_id");
    assert_true(sl_schema_validate(&p.definition, false, &st));
    make_plan(&p);
    p.classes[1].has_key = false;
    refused(&p, true, "_id");
    make_plan(&p);
    to(with(&p.classes[3], "back", SL_TYPE_LINK, SL_SINGLE), "E");
    refused(&p, true, "ring");
    assert_true(sl_schema_validate(&p.definition, false, &st));
}

static bool declare(fixture *f, const plan *p, bool *changed) {
    sl_changeset_reset(&f->cs);
    f->st = (sl_status)SL_STATUS_INIT;
    MUST(f, sl_realm_begin_write(f->realm, &f->cs, 0, &f->st));
    bool ok = sl_record_schema(f->realm, &p->definition, changed, &f->st);
    if (!ok) assert_int_equal(f->cs.count + f->cs.string_count, 0);
    if (ok)
        sl_realm_commit(f->realm);
    else
        sl_realm_discard(f->realm);
    return ok;
}

static void only_additions_are_taken(void **state) {
    (void)state;
    fixture f;
    plan p;
    bool changed;
    open_fixture(&f, NULL);
    make_plan(&p);
    MUST(&f, declare(&f, &p, &changed));
    assert_true(changed);
    MUST(&f, declare(&f, &p, &changed));
    assert_false(changed);
    p.classes[0].property_count = 1; /* what is missing stays */
    with(&p.classes[1], "more", SL_TYPE_MIXED, SL_LIST);
    MUST(&f, declare(&f, &p, &changed));
    assert_true(changed);
    assert_int_equal(f.cs.count, 1);
    assert_non_null(sl_class_find(sl_realm_class(f.realm, SL_STR("P")), SL_STR("q")));

    make_plan(&p);
    p.classes[0].properties[0].type = SL_TYPE_STRING;
    assert_false(declare(&f, &p, &changed));
    assert_string_equal(f.st.id, "SCHEMA");
    make_plan(&p);
    p.classes[0].properties[0].nullable = true;
    assert_false(declare(&f, &p, &changed));
    make_plan(&p);
    p.classes[0].properties[0].collection = SL_LIST;
    assert_false(declare(&f, &p, &changed));
    make_plan(&p);
    p.classes[0].properties[1].target = SL_STR("P");
    assert_false(declare(&f, &p, &changed));
    make_plan(&p);
    p.classes[0].key_nullable = true;
    assert_false(declare(&f, &p, &changed));
    make_plan(&p);
    p.classes[4].kind = SL_TABLE_TOPLEVEL;
    assert_false(declare(&f, &p, &changed));
    close_fixture(&f);
}

static void new_properties_hold_their_defaults(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f, NULL);
    APPLY(&f, "embedded E; table P(_id:int); column P.e:->E; create P1; P1.e = object");
    APPLY(&f, "column P.i:int; column P.b:bool; column P.s:string; column P.bin:binary;"
              "column P.t:timestamp; column P.f:float; column P.d:double; column P.dec:decimal;"
              "column P.o:objectid; column P.u:uuid; column P.n:int?; column P.m:mixed;"
              "column P.l:int[]; column P.dict:string{}; column P.set:int(); column E.x:int");
    HAS(&f, "\"b\":{\"bool\":false},\"bin\":{\"binary\":\"\"},\"d\":{\"double\":\"0\"},"
            "\"dec\":{\"decimal\":\"0E0\"},\"dict\":{\"dictionary\":[]},"
            "\"e\":{\"object\":{\"x\":{\"int\":\"0\"}}},\"f\":{\"float\":\"0\"},"
            "\"i\":{\"int\":\"0\"},\"l\":{\"list\":[]},\"m\":null,\"n\":null,"
            "\"o\":{\"objectid\":\"000000000000000000000000\"},\"s\":{\"string\":\"\"},"
            "\"set\":{\"set\":[]},\"t\":{\"timestamp\":{\"s\":\"0\",\"ns\":0}},"
            "\"u\":{\"uuid\":\"00000000-0000-0000-0000-000000000000\"}");
    APPLY(&f, "P1.e.x = 4; P1.i = 1; column E.y:int?");
    HAS(&f, "\"e\":{\"object\":{\"x\":{\"int\":\"4\"},\"y\":null}}");
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declarations_that_cannot_be),
        cmocka_unit_test(only_additions_are_taken),
        cmocka_unit_test(new_properties_hold_their_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
