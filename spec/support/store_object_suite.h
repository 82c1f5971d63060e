/* store_object_suite.h - what every store promises about schema and objects. Include once, after
 * object_maker.h. */
#ifndef SL_SPEC_STORE_OBJECT_SUITE_H
#define SL_SPEC_STORE_OBJECT_SUITE_H

#include "object_maker.h"

/* Closes the store, opens it again, and loads the schema anew. */
static void reopen(store_fixture *fixture, maker *m) {
    maker_close(m);
    fixture_reopen(fixture);
    maker_open(m, fixture->store);
}

static void commit_and_reopen(store_fixture *fixture, maker *m) {
    COMMIT(m->store);
    reopen(fixture, m);
}

static uint64_t count_objects(maker *m, const sl_class *cls) {
    uint64_t count = 99;
    OK(m->source->object_count(m->source->ctx, cls, &count, st));
    return count;
}

static void the_schema_comes_back_as_it_was(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *embedded = make_class(&m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_class *thing = make_class(&m, SL_STR("Thing"), SL_TABLE_TOPLEVEL, SL_TYPE_STRING);
    sl_class *event = make_class(&m, SL_STR("Event"), SL_TABLE_ASYMMETRIC, SL_TYPE_OBJECTID);
    make_property(&m, thing, SL_STR("b"), SL_TYPE_LINK, SL_LIST, false, SL_STR("Part"));
    make_property(&m, thing, SL_STR("a"), SL_TYPE_DECIMAL, SL_SET, true, sl_str_of("", 0));
    make_property(&m, thing, SL_STR("self"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Thing"));
    make_property(&m, embedded, SL_STR("x"), SL_TYPE_MIXED, SL_DICTIONARY, true, sl_str_of("", 0));
    uint32_t last_id = event->id;
    commit_and_reopen(fixture, &m);
    assert_int_equal(m.schema.count, 3);
    thing = sl_schema_find(&m.schema, SL_STR("Thing"));
    embedded = sl_schema_find(&m.schema, SL_STR("Part"));
    event = sl_schema_find(&m.schema, SL_STR("Event"));
    assert_int_equal(event->id, last_id);
    assert_int_equal(event->kind, SL_TABLE_ASYMMETRIC);
    assert_int_equal(event->key_type, SL_TYPE_OBJECTID);
    assert_false(event->key_nullable);
    assert_int_equal(embedded->kind, SL_TABLE_EMBEDDED);
    assert_false(embedded->has_key);
    assert_true(thing->has_key && thing->key_nullable);
    assert_str(thing->key_name, "_id", 3);
    assert_int_equal(thing->property_count, 3);
    const sl_property *b = &thing->properties[0], *a = &thing->properties[1];
    assert_str(b->name, "b", 1);
    assert_int_equal(b->type, SL_TYPE_LINK);
    assert_int_equal(b->collection, SL_LIST);
    assert_true(b->embedded && !b->nullable);
    assert_str(b->target, "Part", 4);
    assert_str(a->name, "a", 1);
    assert_int_equal(a->type, SL_TYPE_DECIMAL);
    assert_int_equal(a->collection, SL_SET);
    assert_true(a->nullable);
    assert_int_equal(a->target.size, 0);
    maker_close(&m);
}

static void class_numbers_are_never_used_again(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    make_class(&m, SL_STR("One"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    sl_class *two = make_class(&m, SL_STR("Two"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    uint32_t id = two->id;
    OK(m.source->class_erased(m.source->ctx, two, st));
    commit_and_reopen(fixture, &m);
    assert_int_equal(m.schema.count, 1);
    BEGIN(m.store);
    sl_class *again = make_class(&m, SL_STR("Two"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    assert_true(again->id > id);
    assert_int_equal(count_objects(&m, again), 0);
    commit_and_reopen(fixture, &m);
    assert_int_equal(m.schema.count, 2);
    maker_close(&m);
}

static void new_properties_have_their_defaults_in_old_rows(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_class(&m, SL_STR("E"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_key key = int_key(1);
    sl_object *object = make_object(&m, cls, &key);
    save_object(&m, object);
    sl_object_free(m.alloc, object);
    char name[40];
    for (int type = 0; type <= 11; type++) {
        for (int shape = 0; shape <= 3; shape++) {
            for (int nullable = 0; nullable <= 1; nullable++) {
                sl_str target = sl_str_c(type == SL_TYPE_LINK ? (nullable ? "C" : "E") : "");
                if (type == SL_TYPE_LINK && shape == SL_SET) target = SL_STR("C");
                snprintf(name, sizeof name, "%d.%d.%d", type, shape, nullable);
                make_property(&m, cls, sl_str_c(name), type, (sl_collection)shape, nullable,
                              target);
            }
        }
    }
    commit_and_reopen(fixture, &m);
    cls = sl_schema_find(&m.schema, SL_STR("C"));
    object = load_object(&m, cls, &key);
    sl_object *expected = make_object(&m, cls, &key);
    assert_int_equal(object->value_count, 96);
    for (uint32_t i = 0; i < object->value_count; i++) {
        if (same_node(&object->values[i], &expected->values[i])) continue;
        fail_msg("property %.*s has no default content", (int)cls->properties[i].name.size,
                 cls->properties[i].name.data);
    }
    sl_object_free(m.alloc, object);
    sl_object_free(m.alloc, expected);
    maker_close(&m);
}

static void an_erased_property_does_not_come_back_with_its_old_content(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *part = make_class(&m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(&m, part, SL_STR("gone"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, part, SL_STR("stays"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, cls, SL_STR("gone"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, cls, SL_STR("stays"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, cls, SL_STR("part"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    sl_key key = int_key(1);
    sl_object *object = make_object(&m, cls, &key);
    sl_object *inner = set_embedded(&m, &object->values[2], part);
    for (int i = 0; i < 2; i++) {
        set_value(&m, &object->values[i], (sl_value){.type = SL_TYPE_INT, .integer = 10 + i});
        set_value(&m, &inner->values[i], (sl_value){.type = SL_TYPE_INT, .integer = 20 + i});
    }
    save_object(&m, object);
    sl_object_free(m.alloc, object);
    for (int round = 0; round < 2; round++) {
        erase_property(&m, cls, SL_STR("gone"));
        erase_property(&m, part, SL_STR("gone"));
        uint32_t outer_slot =
            make_property(&m, cls, SL_STR("gone"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
        uint32_t inner_slot = make_property(&m, part, SL_STR("gone"), SL_TYPE_INT, SL_SINGLE, false,
                                            sl_str_of("", 0));
        object = load_object(&m, cls, &key);
        inner = object->values[2].object;
        assert_int_equal(object->values[1].value.integer, 11);
        assert_int_equal(inner->values[1].value.integer, 21);
        assert_int_equal(object->values[outer_slot].value.integer, 0);
        assert_int_equal(inner->values[inner_slot].value.integer, 0);
        set_value(&m, &object->values[outer_slot], (sl_value){.type = SL_TYPE_INT, .integer = 5});
        set_value(&m, &inner->values[inner_slot], (sl_value){.type = SL_TYPE_INT, .integer = 6});
        save_object(&m, object);
        sl_object_free(m.alloc, object);
    }
    commit_and_reopen(fixture, &m);
    cls = sl_schema_find(&m.schema, SL_STR("C"));
    assert_int_equal(cls->property_count, 3);
    object = load_object(&m, cls, &key);
    inner = object->values[1].object;
    assert_int_equal(object->values[0].value.integer, 11);
    assert_int_equal(object->values[2].value.integer, 5);
    assert_int_equal(inner->values[0].value.integer, 21);
    assert_int_equal(inner->values[1].value.integer, 6);
    sl_object_free(m.alloc, object);
    maker_close(&m);
}

static void a_rolled_back_schema_change_leaves_no_trace(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *kept = make_class(&m, SL_STR("Kept"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_property(&m, kept, SL_STR("a"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    make_property(&m, kept, SL_STR("b"), SL_TYPE_STRING, SL_SINGLE, false, sl_str_of("", 0));
    sl_key key = int_key(1);
    sl_object *object = make_object(&m, kept, &key);
    set_value(&m, &object->values[1], (sl_value){.type = SL_TYPE_STRING, .string = SL_STR("text")});
    save_object(&m, object);
    COMMIT(m.store);
    sl_object_free(m.alloc, object);
    BEGIN(m.store);
    make_class(&m, SL_STR("New"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    erase_property(&m, kept, SL_STR("a"));
    make_property(&m, kept, SL_STR("c"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
    m.store->vtbl->rollback(m.store);
    maker_close(&m);
    maker_open(&m, fixture->store);
    assert_int_equal(m.schema.count, 1);
    kept = sl_schema_find(&m.schema, SL_STR("Kept"));
    assert_int_equal(kept->property_count, 2);
    object = load_object(&m, kept, &key);
    assert_str(object->values[1].value.string, "text", 4);
    sl_object_free(m.alloc, object);
    BEGIN(m.store);
    OK(m.source->class_erased(m.source->ctx, kept, st));
    m.store->vtbl->rollback(m.store);
    assert_int_equal(count_objects(&m, kept), 1);
    maker_close(&m);
}

typedef struct seen_keys {
    sl_key keys[300];
    char text[300][64];
    uint32_t count, stop_after;
} seen_keys;

static bool see_key(void *ctx, const sl_key *key) {
    seen_keys *seen = ctx;
    sl_key *copy = &seen->keys[seen->count];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy->string.data = seen->text[seen->count];
        if (key->string.size) memcpy(seen->text[seen->count], key->string.data, key->string.size);
    }
    return ++seen->count != seen->stop_after;
}

static bool see_referrer(void *ctx, sl_str class_name, const sl_key *key) {
    (void)class_name;
    return see_key(ctx, key);
}

static bool saw(const seen_keys *seen, const sl_key *key) {
    for (uint32_t i = 0; i < seen->count; i++) {
        if (sl_key_eq(&seen->keys[i], key)) return true;
    }
    return false;
}

static void keys_of_every_type_find_their_objects(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    static const int types[] = {SL_TYPE_INT, SL_TYPE_STRING, SL_TYPE_OBJECTID, SL_TYPE_UUID,
                                SL_TYPE_GLOBALKEY};
    maker_random random = {7};
    for (int t = 0; t < 5; t++) {
        BEGIN(m.store);
        char name[40], rooms[100][64];
        snprintf(name, sizeof name, "T%d", t);
        sl_class *cls = make_class(&m, sl_str_c(name), SL_TABLE_TOPLEVEL, types[t]);
        make_property(&m, cls, SL_STR("n"), SL_TYPE_INT, SL_SINGLE, false, sl_str_of("", 0));
        sl_key keys[100];
        uint64_t distinct = 0;
        for (int64_t i = 0; i < 100; i++) {
            keys[i] = random_key(&random, types[t], rooms[i]);
            sl_object *old = load_object(&m, cls, &keys[i]);
            if (!old)
                distinct++;
            else
                sl_object_free(m.alloc, old);
            sl_object *object = make_object(&m, cls, &keys[i]);
            set_value(&m, &object->values[0], (sl_value){.type = SL_TYPE_INT, .integer = i});
            save_object(&m, object);
            sl_object_free(m.alloc, object);
        }
        assert_int_equal(count_objects(&m, cls), distinct);
        commit_and_reopen(fixture, &m);
        cls = sl_schema_find(&m.schema, sl_str_c(name));
        seen_keys *seen = calloc(1, sizeof *seen);
        OK(m.source->object_scan(m.source->ctx, cls, see_key, seen, st));
        assert_int_equal(seen->count, distinct);
        seen->count = 0;
        seen->stop_after = 2;
        OK(m.source->object_scan(m.source->ctx, cls, see_key, seen, st));
        assert_int_equal(seen->count, 2);
        seen->count = seen->stop_after = 0;
        OK(m.source->object_scan(m.source->ctx, cls, see_key, seen, st));
        for (int i = 0; i < 100; i++)
            assert_true(saw(seen, &keys[i]));
        free(seen);
        for (int i = 99; i >= 0; i--) {
            sl_object *object = load_object(&m, cls, &keys[i]);
            assert_non_null(object);
            assert_true(object->values[0].value.integer >= i);
            sl_object_free(m.alloc, object);
        }
        BEGIN(m.store);
        for (int i = 0; i < 100; i++)
            OK(m.source->object_erase(m.source->ctx, cls, &keys[i], st));
        assert_int_equal(count_objects(&m, cls), 0);
        assert_null(load_object(&m, cls, &keys[0]));
        COMMIT(m.store);
    }
    maker_close(&m);
}

static uint32_t referrers_of(maker *m, sl_str class_name, sl_key key, seen_keys *seen) {
    memset(seen, 0, sizeof *seen);
    OK(m->source->referrers(m->source->ctx, class_name, &key, see_referrer, seen, st));
    return seen->count;
}

/* One object per way of holding a link, all to the same target. */
enum { LINK_PLACES = 10 };

static void link_from_place(maker *m, sl_object *object, const sl_class *part, uint32_t place,
                            sl_str target, sl_key key) {
    sl_node *values = object->values, *node = NULL;
    sl_object *inner;
    switch (place) {
    case 0:
        node = &values[0];
        break; /* link column */
    case 1:
        node = add_item(m, &values[1]);
        break; /* list of links */
    case 2:
        node = add_entry(m, &values[2], SL_STR("k"));
        break; /* dictionary of links */
    case 3: {  /* set of links */
        sl_link link = {target, key};
        sl_value value = {.type = SL_TYPE_LINK, .link = &link};
        bool added;
        assert_true(sl_set_add(m->alloc, &values[3], &value, &added));
        return;
    }
    case 4:
        node = &values[4];
        break; /* Mixed */
    case 5:    /* list in a Mixed */
        values[4].kind = SL_NODE_LIST;
        values[4].list = NULL;
        node = add_item(m, &values[4]);
        break;
    case 6: /* dictionary in list in Mixed */
        values[4].kind = SL_NODE_LIST;
        values[4].list = NULL;
        node = add_item(m, &values[4]);
        node->kind = SL_NODE_DICT;
        node->dict = NULL;
        node = add_entry(m, node, SL_STR("k"));
        break;
    case 7:
        node = &set_embedded(m, &values[5], part)->values[0];
        break;
    case 8: /* embedded in embedded */
        inner = set_embedded(m, &values[5], part);
        node = &set_embedded(m, &inner->values[1], part)->values[0];
        break;
    default:
        node = add_item(m, &values[6]);
        break; /* list of Mixed */
    }
    set_link(m, node, target, key);
}

static sl_class *make_link_classes(maker *m, sl_class **part) {
    sl_str none = sl_str_of("", 0);
    *part = make_class(m, SL_STR("Part"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    sl_class *cls = make_class(m, SL_STR("Source"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    make_class(m, SL_STR("Target"), SL_TABLE_TOPLEVEL, SL_TYPE_STRING);
    sl_str target = SL_STR("Target");
    make_property(m, *part, SL_STR("link"), SL_TYPE_LINK, SL_SINGLE, true, target);
    make_property(m, *part, SL_STR("inner"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    make_property(m, cls, SL_STR("one"), SL_TYPE_LINK, SL_SINGLE, true, target);
    make_property(m, cls, SL_STR("list"), SL_TYPE_LINK, SL_LIST, false, target);
    make_property(m, cls, SL_STR("dict"), SL_TYPE_LINK, SL_DICTIONARY, true, target);
    make_property(m, cls, SL_STR("set"), SL_TYPE_LINK, SL_SET, false, target);
    make_property(m, cls, SL_STR("mixed"), SL_TYPE_MIXED, SL_SINGLE, true, none);
    make_property(m, cls, SL_STR("part"), SL_TYPE_LINK, SL_SINGLE, true, SL_STR("Part"));
    make_property(m, cls, SL_STR("mixeds"), SL_TYPE_MIXED, SL_LIST, true, none);
    return cls;
}

static void referrers_are_found_wherever_the_link_is(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *part, *cls = make_link_classes(&m, &part);
    sl_str target = SL_STR("Target");
    /* Targets that do not exist: a number as text, and bytes that are not UTF-8. */
    sl_key keys[3] = {
        string_key(SL_STR("7")), string_key(SL_STR("\xff\xfe")), {.type = SL_TYPE_NULL}};
    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t place = 0; place < LINK_PLACES; place++) {
            sl_key key = int_key(100 * k + place);
            sl_object *object = make_object(&m, cls, &key);
            link_from_place(&m, object, part, place, target, keys[k]);
            if (place == 1) link_from_place(&m, object, part, 1, target, keys[k]);
            save_object(&m, object);
            save_object(&m, object);
            sl_object_free(m.alloc, object);
        }
    }
    commit_and_reopen(fixture, &m);
    cls = sl_schema_find(&m.schema, SL_STR("Source"));
    seen_keys *seen = malloc(sizeof *seen);
    for (uint32_t k = 0; k < 3; k++) {
        referrers_of(&m, target, keys[k], seen);
        for (uint32_t place = 0; place < LINK_PLACES; place++) {
            sl_key key = int_key(100 * k + place);
            if (!saw(seen, &key)) fail_msg("key %u, place %u: referrer not found", k, place);
        }
        assert_int_equal(seen->count, LINK_PLACES);
    }
    assert_int_equal(referrers_of(&m, target, int_key(7), seen), 0);
    assert_int_equal(referrers_of(&m, SL_STR("Other"), keys[0], seen), 0);
    /* Half of them let go, one is erased. */
    BEGIN(m.store);
    for (uint32_t place = 0; place < LINK_PLACES; place += 2) {
        sl_key key = int_key(place);
        sl_object *object = make_object(&m, cls, &key);
        save_object(&m, object);
        sl_object_free(m.alloc, object);
    }
    sl_key erased = int_key(1);
    OK(m.source->object_erase(m.source->ctx, cls, &erased, st));
    assert_int_equal(referrers_of(&m, target, keys[0], seen), 4);
    m.store->vtbl->rollback(m.store);
    assert_int_equal(referrers_of(&m, target, keys[0], seen), LINK_PLACES);
    BEGIN(m.store);
    OK(m.source->class_erased(m.source->ctx, cls, st));
    COMMIT(m.store);
    assert_int_equal(referrers_of(&m, target, keys[0], seen), 0);
    free(seen);
    maker_close(&m);
}

static void the_number_of_objects_ever_made_is_kept(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_GLOBALKEY);
    uint64_t next = 9;
    OK(m.source->sequence_get(m.source->ctx, cls, &next, st));
    assert_true(next == 0);
    OK(m.source->sequence_put(m.source->ctx, cls, INT64_MAX, st));
    commit_and_reopen(fixture, &m);
    cls = sl_schema_find(&m.schema, SL_STR("C"));
    OK(m.source->sequence_get(m.source->ctx, cls, &next, st));
    assert_true(next == INT64_MAX);
    maker_close(&m);
}

static void object_changes_need_a_transaction(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    COMMIT(m.store);
    sl_key key = int_key(1);
    sl_object *object = make_object(&m, cls, &key);
    FAILS(SL_ERR_USAGE, m.source->object_save(m.source->ctx, cls, object, st));
    FAILS(SL_ERR_USAGE, m.source->object_erase(m.source->ctx, cls, &key, st));
    FAILS(SL_ERR_USAGE, m.source->class_erased(m.source->ctx, cls, st));
    FAILS(SL_ERR_USAGE, m.source->sequence_put(m.source->ctx, cls, 1, st));
    sl_object_free(m.alloc, object);
    assert_int_equal(count_objects(&m, cls), 0);
    maker_close(&m);
}

typedef struct visiting {
    maker *m;
    const sl_class *cls;
    uint32_t count;
} visiting;

static bool erase_visited(void *ctx, const sl_key *key) {
    visiting *work = ctx;
    sl_object *object = load_object(work->m, work->cls, key);
    assert_non_null(object);
    sl_object_free(work->m->alloc, object);
    OK(work->m->source->object_erase(work->m->source->ctx, work->cls, key, st));
    work->count++;
    return true;
}

static void a_scan_may_erase_what_it_visits(void **state) {
    store_fixture *fixture = *state;
    maker m;
    maker_open(&m, fixture->store);
    BEGIN(m.store);
    sl_class *cls = make_class(&m, SL_STR("C"), SL_TABLE_TOPLEVEL, SL_TYPE_INT);
    for (int64_t i = 0; i < 50; i++) {
        sl_key key = int_key(i * 3);
        sl_object *object = make_object(&m, cls, &key);
        save_object(&m, object);
        sl_object_free(m.alloc, object);
    }
    visiting work = {&m, cls, 0};
    OK(m.source->object_scan(m.source->ctx, cls, erase_visited, &work, st));
    assert_int_equal(work.count, 50);
    assert_int_equal(count_objects(&m, cls), 0);
    COMMIT(m.store);
    maker_close(&m);
}

enum { RANDOM_OBJECTS = 60 };

/* Objects of a random schema come back bit by bit: in the transaction, after it, after reopening.
 */
static void check_random_objects(store_fixture *fixture, uint64_t seed) {
    maker m;
    maker_open(&m, fixture->store);
    maker_random random = {seed};
    maker_classes classes;
    BEGIN(m.store);
    make_random_schema(&m, &random, &classes);
    sl_object *objects[RANDOM_OBJECTS];
    sl_schema first;
    char name[32], room[64];
    for (uint32_t i = 0; i < RANDOM_OBJECTS; i++) {
        sl_class *cls = classes.classes[i % classes.count];
        sl_key key = random_key(&random, cls->key_type, room);
        /* Distinct keys: the second object of a key would replace the first. */
        if (key.type == SL_TYPE_INT) key.integer = (int64_t)i - 30;
        if (key.type == SL_TYPE_STRING || (key.type == SL_TYPE_NULL && i > 2)) {
            snprintf(room, sizeof room, "%u", i);
            key = string_key(sl_str_c(room));
        }
        objects[i] = make_object(&m, cls, &key);
        set_random_object(&m, &random, objects[i], &classes, 0);
        save_object(&m, objects[i]);
    }
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < RANDOM_OBJECTS; i++) {
            snprintf(name, sizeof name, "Class %u", i % classes.count);
            const sl_class *cls = sl_schema_find(&m.schema, sl_str_c(name));
            sl_object *loaded = load_object(&m, cls, &objects[i]->key);
            if (!loaded) fail_msg("seed %llu: object %u is gone", (unsigned long long)seed, i);
            for (uint32_t p = 0; p < loaded->value_count; p++) {
                if (same_node(&loaded->values[p], &objects[i]->values[p])) continue;
                char is[900], was[900];
                show_node(&loaded->values[p], is, sizeof is);
                show_node(&objects[i]->values[p], was, sizeof was);
                fail_msg("seed %llu: object %u, property %u: %s was %s", (unsigned long long)seed,
                         i, p, is, was);
            }
            sl_object_free(m.alloc, loaded);
        }
        if (round == 0) {
            for (uint32_t i = 0; i < RANDOM_OBJECTS; i += 2) {
                set_random_object(&m, &random, objects[i], &classes, 0);
                save_object(&m, objects[i]);
            }
            COMMIT(m.store);
        } else if (round == 1) {
            /* The first schema stays for the objects that point into it. */
            first = m.schema;
            fixture_reopen(fixture);
            maker_open(&m, fixture->store);
        }
    }
    for (uint32_t i = 0; i < RANDOM_OBJECTS; i++)
        sl_object_free(m.alloc, objects[i]);
    sl_schema_free(&first);
    maker_close(&m);
}

static void random_objects_come_back_bit_by_bit(void **state) {
    check_random_objects(*state, 1);
}

#define STORE_OBJECT_TESTS(setup, teardown)                                                        \
    cmocka_unit_test_setup_teardown(the_schema_comes_back_as_it_was, setup, teardown),             \
        cmocka_unit_test_setup_teardown(class_numbers_are_never_used_again, setup, teardown),      \
        cmocka_unit_test_setup_teardown(new_properties_have_their_defaults_in_old_rows, setup,     \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(                                                           \
            an_erased_property_does_not_come_back_with_its_old_content, setup, teardown),          \
        cmocka_unit_test_setup_teardown(a_rolled_back_schema_change_leaves_no_trace, setup,        \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(keys_of_every_type_find_their_objects, setup, teardown),   \
        cmocka_unit_test_setup_teardown(referrers_are_found_wherever_the_link_is, setup,           \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(the_number_of_objects_ever_made_is_kept, setup, teardown), \
        cmocka_unit_test_setup_teardown(object_changes_need_a_transaction, setup, teardown),       \
        cmocka_unit_test_setup_teardown(a_scan_may_erase_what_it_visits, setup, teardown),         \
        cmocka_unit_test_setup_teardown(random_objects_come_back_bit_by_bit, setup, teardown)

#endif
