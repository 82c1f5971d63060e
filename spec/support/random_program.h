/* random_program.h - local writes at random on a schema with every kind of collection, chosen so
 * that conflicts are common. The known gaps of the merge rules (protocol/3-transform.md, 11) are
 * kept out: they diverge by definition. */
#ifndef SL_SPEC_RANDOM_PROGRAM_H
#define SL_SPEC_RANDOM_PROGRAM_H

#include "client_file.h"
#include "realm/read.h"

enum { PROGRAM_IDS = 4 };

/* The class Item, inside an open write. */
static inline bool program_record_schema(sl_realm *realm, sl_status *st) {
    sl_property properties[] = {
        {.name = SL_STR("name"), .type = SL_TYPE_STRING, .target = SL_STR("")},
        {.name = SL_STR("n"), .type = SL_TYPE_INT, .target = SL_STR("")},
        {.name = SL_STR("any"), .type = SL_TYPE_MIXED, .nullable = true, .target = SL_STR("")},
        {.name = SL_STR("friend"),
         .type = SL_TYPE_LINK,
         .nullable = true,
         .target = SL_STR("Item")},
        {.name = SL_STR("tags"),
         .type = SL_TYPE_STRING,
         .collection = SL_LIST,
         .target = SL_STR("")},
        {.name = SL_STR("marks"), .type = SL_TYPE_INT, .collection = SL_SET, .target = SL_STR("")},
        {.name = SL_STR("bag"),
         .type = SL_TYPE_INT,
         .collection = SL_DICTIONARY,
         .target = SL_STR("")},
        {.name = SL_STR("friends"),
         .type = SL_TYPE_LINK,
         .collection = SL_LIST,
         .target = SL_STR("Item")}};
    sl_class item = {.name = SL_STR("Item"),
                     .has_key = true,
                     .key_name = SL_STR("_id"),
                     .key_type = SL_TYPE_INT,
                     .properties = properties,
                     .property_count = sizeof properties / sizeof *properties};
    sl_schema_definition definition = {&item, 1};
    return sl_record_schema(realm, &definition, NULL, st);
}

static inline void program_schema(client_file *file) {
    FILE_WRITE(file, program_record_schema(realm, st));
}

/* Number of elements of a collection property; 0 when there is no such object. */
static inline bool program_size(sl_realm *realm, const sl_place *place, uint32_t *size,
                                sl_status *st) {
    sl_view view;
    bool found = false;
    if (!sl_realm_get(realm, place, &view, &found, st)) return false;
    *size = found ? view.size : 0;
    return true;
}

static inline sl_value program_int(test_env *env) {
    sl_value value = {.type = SL_TYPE_INT};
    value.integer = (int64_t)(test_random(env) % 5);
    return value;
}

static inline sl_value program_string(test_env *env) {
    static const char *const words[] = {"ash", "birch", "cedar", "daisy", "elm"};
    return string_value(words[test_random(env) % 5]);
}

static inline bool program_list(sl_realm *realm, test_env *env, const sl_place *place,
                                const sl_value *value, sl_status *st) {
    uint32_t size;
    if (!program_size(realm, place, &size, st)) return false;
    uint64_t dice = test_random(env) % 10;
    if (size == 0 || dice < 5)
        return sl_record_list_insert(realm, place, (uint32_t)(test_random(env) % (size + 1)), value,
                                     st);
    uint32_t a = (uint32_t)(test_random(env) % size), b = (uint32_t)(test_random(env) % size);
    if (dice < 7) return sl_record_list_erase(realm, place, a, st);
    if (dice < 8) return a == b || sl_record_list_move(realm, place, a, b, st);
    sl_step step = {.is_index = true, .index = a};
    sl_place element = *place;
    element.steps = &step;
    element.step_count = 1;
    return sl_record_set(realm, &element, value, false, st);
}

static inline bool program_bag(sl_realm *realm, test_env *env, sl_place place, sl_status *st) {
    static const char *const keys[] = {"k", "l", "m"};
    sl_step step = {.name = sl_str_c(keys[test_random(env) % 3])};
    sl_value value = program_int(env);
    place.steps = &step;
    place.step_count = 1;
    if (test_random(env) % 3 == 0) return sl_record_dict_erase(realm, &place, NULL, st);
    return sl_record_set(realm, &place, &value, false, st);
}

static inline bool program_change(sl_realm *realm, test_env *env, int64_t id, sl_status *st) {
    sl_value text = program_string(env), number = program_int(env);
    sl_link to = {SL_STR("Item"), int_key((int64_t)(test_random(env) % PROGRAM_IDS))};
    sl_value link = {.type = SL_TYPE_LINK};
    link.link = &to;
    sl_place place = item_place(id, "name");
    bool linkable = false;
    if (!sl_realm_exists(realm, SL_STR("Item"), &to.key, &linkable, st)) return false;
    switch (test_random(env) % 9) {
    case 0:
        return sl_record_set(realm, &place, &text, false, st);
    case 1:
        place.property = SL_STR("n");
        return sl_record_set(realm, &place, &number, false, st);
    case 2:
        return item_add(realm, id, number.integer, st);
    case 3:
        place.property = SL_STR("any");
        return sl_record_set(realm, &place, test_random(env) & 1 ? &text : &number, false, st);
    case 4:
        place.property = SL_STR("friend");
        if (!linkable) link = (sl_value){.type = SL_TYPE_NULL};
        return sl_record_set(realm, &place, &link, false, st);
    case 5:
        place.property = SL_STR("tags");
        return program_list(realm, env, &place, &text, st);
    case 6:
        place.property = SL_STR("marks");
        if (test_random(env) % 3 == 0) return sl_record_set_erase(realm, &place, &number, NULL, st);
        return sl_record_set_insert(realm, &place, &number, NULL, st);
    case 7:
        place.property = SL_STR("bag");
        return program_bag(realm, env, place, st);
    default:
        place.property = SL_STR("friends");
        return !linkable || program_list(realm, env, &place, &link, st);
    }
}

static inline bool program_body(sl_realm *realm, test_env *env, sl_status *st) {
    if (!sl_realm_class(realm, SL_STR("Item"))) return true;
    for (uint64_t k = 1 + test_random(env) % 3; k > 0; k--) {
        int64_t id = (int64_t)(test_random(env) % PROGRAM_IDS);
        sl_key key = int_key(id);
        bool exists = false, ok;
        if (!sl_realm_exists(realm, SL_STR("Item"), &key, &exists, st)) return false;
        if (!exists)
            ok = item_create(realm, id, st);
        else if (test_random(env) % 12 == 0)
            ok = item_erase(realm, id, st);
        else
            ok = program_change(realm, env, id, st);
        if (!ok) return false;
    }
    return true;
}

/* One transaction of one to three changes; chance comes from `env`. */
static inline void program_write(client_file *file, test_env *env) {
    FILE_WRITE(file, program_body(realm, env, st));
}

#endif
