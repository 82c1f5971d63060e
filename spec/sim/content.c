#include "content.h"

#include <string.h>

#include "realm/read.h"

enum { KEYS = 3, EMBEDDED_LIMIT = 6 };

static uint32_t below(test_env *env, uint32_t limit) {
    return (uint32_t)(test_random(env) % limit);
}

/* ---- schema ---------------------------------------------------------------------------------- */

typedef struct field {
    const char *name;
    int8_t type;
    uint8_t collection;
    bool nullable;
    const char *target;
} field;

static const field rich_fields[] = {
    {"b", SL_TYPE_BOOL, SL_SINGLE, false, ""},
    {"i", SL_TYPE_INT, SL_SINGLE, true, ""},
    {"f", SL_TYPE_FLOAT, SL_SINGLE, false, ""},
    {"d", SL_TYPE_DOUBLE, SL_SINGLE, false, ""},
    {"s", SL_TYPE_STRING, SL_SINGLE, true, ""},
    {"bin", SL_TYPE_BINARY, SL_SINGLE, false, ""},
    {"t", SL_TYPE_TIMESTAMP, SL_SINGLE, true, ""},
    {"dec", SL_TYPE_DECIMAL, SL_SINGLE, false, ""},
    {"oid", SL_TYPE_OBJECTID, SL_SINGLE, true, ""},
    {"u", SL_TYPE_UUID, SL_SINGLE, false, ""},
    {"m", SL_TYPE_MIXED, SL_SINGLE, true, ""},
    {"item", SL_TYPE_LINK, SL_SINGLE, true, "Item"},
    {"doc", SL_TYPE_LINK, SL_SINGLE, true, "Doc"},
    {"loose", SL_TYPE_LINK, SL_SINGLE, true, "Loose"},
    {"l doubles", SL_TYPE_DOUBLE, SL_LIST, true, ""},
    {"l mixed", SL_TYPE_MIXED, SL_LIST, true, ""},
    {"l uuids", SL_TYPE_UUID, SL_LIST, false, ""},
    {"l marks", SL_TYPE_LINK, SL_LIST, false, "Mark"},
    {"s doubles", SL_TYPE_DOUBLE, SL_SET, false, ""},
    {"s ids", SL_TYPE_OBJECTID, SL_SET, false, ""},
    {"s times", SL_TYPE_TIMESTAMP, SL_SET, true, ""},
    {"s texts", SL_TYPE_STRING, SL_SET, false, ""},
    {"s marks", SL_TYPE_LINK, SL_SET, false, "Mark"},
    {"d texts", SL_TYPE_STRING, SL_DICTIONARY, true, ""},
    {"d mixed", SL_TYPE_MIXED, SL_DICTIONARY, true, ""},
    {"d marks", SL_TYPE_LINK, SL_DICTIONARY, true, "Mark"},
};
/* Places for embedded objects and for collections inside Mixed. */
static const field deep_fields[] = {
    {"part", SL_TYPE_LINK, SL_SINGLE, true, "Part"},
    {"parts", SL_TYPE_LINK, SL_LIST, false, "Part"},
    {"named", SL_TYPE_LINK, SL_DICTIONARY, true, "Part"},
    {"m list", SL_TYPE_MIXED, SL_SINGLE, true, ""},
    {"m dict", SL_TYPE_MIXED, SL_SINGLE, true, ""},
};
static const field doc_fields[] = {{"n", SL_TYPE_INT, SL_SINGLE, false, ""},
                                   {"rich", SL_TYPE_LINK, SL_SINGLE, true, "Rich"}};
static const field mark_fields[] = {{"text", SL_TYPE_STRING, SL_SINGLE, false, ""}};
static const field loose_fields[] = {{"n", SL_TYPE_INT, SL_SINGLE, false, ""},
                                     {"next", SL_TYPE_LINK, SL_SINGLE, true, "Loose"}};
static const field part_fields[] = {{"x", SL_TYPE_INT, SL_SINGLE, false, ""},
                                    {"s", SL_TYPE_STRING, SL_SINGLE, false, ""},
                                    {"list", SL_TYPE_INT, SL_LIST, false, ""},
                                    {"item", SL_TYPE_LINK, SL_SINGLE, true, "Item"},
                                    {"grain", SL_TYPE_LINK, SL_SINGLE, true, "Grain"}};
static const field grain_fields[] = {{"n", SL_TYPE_INT, SL_SINGLE, false, ""},
                                     {"set", SL_TYPE_INT, SL_SET, false, ""}};
static const field event_fields[] = {{"kind", SL_TYPE_STRING, SL_SINGLE, false, ""}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct class_of {
    const char *name;
    uint8_t kind;
    int8_t key_type; /* GLOBALKEY: none */
    bool key_nullable;
    const field *fields;
    size_t count;
} class_of;

static const class_of classes[] = {
    {"Grain", SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY, false, grain_fields, COUNT(grain_fields)},
    {"Part", SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY, false, part_fields, COUNT(part_fields)},
    {"Loose", SL_TABLE_TOPLEVEL, SL_TYPE_GLOBALKEY, false, loose_fields, COUNT(loose_fields)},
    {"Mark", SL_TABLE_TOPLEVEL, SL_TYPE_UUID, true, mark_fields, COUNT(mark_fields)},
    {"Doc", SL_TABLE_TOPLEVEL, SL_TYPE_OBJECTID, false, doc_fields, COUNT(doc_fields)},
    {"Rich", SL_TABLE_TOPLEVEL, SL_TYPE_STRING, true, rich_fields, COUNT(rich_fields)},
    {"Item", SL_TABLE_TOPLEVEL, SL_TYPE_INT, false, NULL, 0}, /* of random_program.h */
    {"Event", SL_TABLE_ASYMMETRIC, SL_TYPE_INT, false, event_fields, COUNT(event_fields)},
};

static sl_property property_of(const field *f) {
    return (sl_property){.name = sl_str_c(f->name),
                         .type = f->type,
                         .collection = f->collection,
                         .nullable = f->nullable,
                         .target = sl_str_c(f->target)};
}

bool content_record_schema(sl_realm *realm, int level, sl_status *st) {
    sl_property properties[COUNT(classes)][COUNT(rich_fields) + COUNT(deep_fields)];
    sl_class all[COUNT(classes)];
    memset(all, 0, sizeof all);
    for (size_t i = 0; i < COUNT(classes); i++) {
        const class_of *c = &classes[i];
        uint32_t count = 0;
        for (size_t k = 0; k < c->count; k++)
            properties[i][count++] = property_of(&c->fields[k]);
        for (size_t k = 0; c->fields == rich_fields && k < COUNT(deep_fields); k++)
            properties[i][count++] = property_of(&deep_fields[k]);
        all[i] =
            (sl_class){.name = sl_str_c(c->name),
                       .kind = c->kind,
                       .has_key = c->key_type != SL_TYPE_GLOBALKEY,
                       .key_name = c->key_type == SL_TYPE_GLOBALKEY ? SL_STR("") : SL_STR("_id"),
                       .key_type = c->key_type,
                       .key_nullable = c->key_nullable,
                       .properties = properties[i],
                       .property_count = count};
    }
    sl_schema_definition definition = {
        all, (uint32_t)(level >= LEVEL_ASYMMETRIC ? COUNT(classes) : COUNT(classes) - 1)};
    return sl_record_schema(realm, &definition, NULL, st);
}

/* ---- keys and values ------------------------------------------------------------------------- */

static const char *const words[] = {"", "alder", "beech", "a text longer than the others",
                                    "\xc3\xa9"};

static sl_key key_of(const char *class_name, uint32_t number) {
    sl_key key = {.type = SL_TYPE_NULL};
    if (strcmp(class_name, "Item") == 0) return int_key((int64_t)number);
    if (strcmp(class_name, "Doc") == 0) {
        key.type = SL_TYPE_OBJECTID;
        memset(key.objectid, (int)(17 * number + 1), sizeof key.objectid);
    } else if (number == 0) {
        return key; /* Mark and Rich have an object with the key null */
    } else if (strcmp(class_name, "Mark") == 0) {
        key.type = SL_TYPE_UUID;
        memset(key.uuid, (int)(31 * number), sizeof key.uuid);
    } else {
        key.type = SL_TYPE_STRING;
        key.string = sl_str_c(words[number]);
    }
    return key;
}

static bool first_key(void *ctx, const sl_key *key) {
    *(sl_key *)ctx = *key;
    return false;
}

/* An object of the class that exists; *found = false if there is none. */
static bool pick(sl_realm *realm, test_env *env, const char *class_name, sl_key *key, bool *found,
                 sl_status *st) {
    uint64_t count = 0;
    *found = false;
    if (!sl_realm_class(realm, sl_str_c(class_name))) return true;
    if (strcmp(class_name, "Loose") == 0) {
        if (!sl_realm_count(realm, SL_STR("Loose"), &count, st)) return false;
        *found = count > 0;
        return count == 0 || sl_realm_scan(realm, SL_STR("Loose"), first_key, key, st);
    }
    *key = key_of(class_name, below(env, KEYS));
    return sl_realm_exists(realm, sl_str_c(class_name), key, found, st);
}

/* A scalar for a property of this type. */
static sl_value scalar(test_env *env, int type) {
    sl_value v = {.type = (int8_t)type};
    uint32_t n = below(env, 4);
    switch (type) {
    case SL_TYPE_INT:
        v.integer = (int64_t)n - 1;
        break;
    case SL_TYPE_BOOL:
        v.boolean = n & 1;
        break;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        v.string = sl_str_c(words[n]);
        break;
    case SL_TYPE_TIMESTAMP:
        v.timestamp = (sl_timestamp){(int64_t)n * 1000, (int32_t)n};
        break;
    case SL_TYPE_FLOAT:
        v.single = (float)n / 4;
        break;
    case SL_TYPE_DOUBLE:
        v.real = (double)n / 8 - 1;
        break;
    case SL_TYPE_DECIMAL:
        v.decimal = (sl_decimal){n, UINT64_C(0x3040000000000000)};
        break;
    case SL_TYPE_OBJECTID:
        memset(v.objectid, (int)n, sizeof v.objectid);
        break;
    default:
        memset(v.uuid, (int)n, sizeof v.uuid);
        break;
    }
    return v;
}

static int mixed_type(test_env *env) {
    static const int8_t types[] = {SL_TYPE_INT,    SL_TYPE_BOOL,    SL_TYPE_STRING,
                                   SL_TYPE_DOUBLE, SL_TYPE_BINARY,  SL_TYPE_TIMESTAMP,
                                   SL_TYPE_UUID,   SL_TYPE_OBJECTID};
    return types[below(env, COUNT(types))];
}

/* A value for the property; *usable = false if there is none (no object to link to). */
static bool value_for(sl_realm *realm, test_env *env, const field *f, sl_link *link, sl_value *v,
                      bool *usable, sl_status *st) {
    bool links = f->type == SL_TYPE_LINK || (f->type == SL_TYPE_MIXED && below(env, 6) == 0);
    *usable = true;
    *v = (sl_value){.type = SL_TYPE_NULL};
    if (f->nullable && below(env, 6) == 0) return true;
    if (!links) {
        *v = scalar(env, f->type == SL_TYPE_MIXED ? mixed_type(env) : f->type);
        return true;
    }
    const char *target = f->type == SL_TYPE_LINK ? f->target : "Mark";
    link->class_name = sl_str_c(target);
    if (!pick(realm, env, target, &link->key, usable, st)) return false;
    *v = (sl_value){.type = SL_TYPE_LINK};
    v->link = link;
    return true;
}

/* ---- changes of one place -------------------------------------------------------------------- */

static bool size_at(sl_realm *realm, const sl_place *place, uint8_t kind, uint32_t *size,
                    bool *there, sl_status *st) {
    sl_view view;
    bool found = false;
    if (!sl_realm_get(realm, place, &view, &found, st)) return false;
    *there = found && view.kind == kind;
    *size = *there ? view.size : 0;
    return true;
}

static sl_place below_place(const sl_place *place, sl_step *steps, sl_step last) {
    sl_place deeper = *place;
    if (place->step_count) memcpy(steps, place->steps, place->step_count * sizeof *steps);
    steps[place->step_count] = last;
    deeper.steps = steps;
    deeper.step_count = place->step_count + 1;
    return deeper;
}

static bool change_list(sl_realm *realm, test_env *env, const sl_place *place, const sl_value *v,
                        sl_status *st) {
    uint32_t size;
    bool there;
    sl_step steps[8];
    if (!size_at(realm, place, SL_NODE_LIST, &size, &there, st)) return false;
    uint32_t dice = below(env, 12), a = size ? below(env, size) : 0,
             b = size ? below(env, size) : 0;
    if (!there) return true;
    if (size == 0 || dice < 5)
        return sl_record_list_insert(realm, place, below(env, size + 1), v, st);
    if (dice < 7) return sl_record_list_erase(realm, place, a, st);
    if (dice < 9) return a == b || sl_record_list_move(realm, place, a, b, st);
    if (dice < 10 && size > 3) return sl_record_clear(realm, place, st);
    sl_place element = below_place(place, steps, (sl_step){.is_index = true, .index = a});
    return sl_record_set(realm, &element, v, false, st);
}

static bool change_set(sl_realm *realm, test_env *env, const sl_place *place, int type,
                       const sl_value *v, sl_status *st) {
    /* Erasing strings, binaries and links twice is gap G7. */
    bool erases = type != SL_TYPE_STRING && type != SL_TYPE_BINARY && type != SL_TYPE_LINK;
    uint32_t dice = below(env, 16);
    if (dice == 0 && erases) return sl_record_clear(realm, place, st);
    if (dice < 6 && erases) return sl_record_set_erase(realm, place, v, NULL, st);
    return sl_record_set_insert(realm, place, v, NULL, st);
}

static const char *const names[] = {"north", "east", "south"};

static bool change_dict(sl_realm *realm, test_env *env, const sl_place *place, const sl_value *v,
                        sl_status *st) {
    sl_step steps[8];
    uint32_t dice = below(env, 20);
    if (dice == 0) return sl_record_clear(realm, place, st);
    sl_place entry = below_place(place, steps, (sl_step){.name = sl_str_c(names[below(env, 3)])});
    if (dice < 7) return sl_record_dict_erase(realm, &entry, NULL, st);
    return sl_record_set(realm, &entry, v, false, st);
}

static bool change_field(sl_realm *realm, test_env *env, sl_place place, const field *f,
                         sl_status *st) {
    sl_value v;
    sl_link link;
    bool usable = false;
    if (!value_for(realm, env, f, &link, &v, &usable, st)) return false;
    if (!usable) return true;
    place.property = sl_str_c(f->name);
    switch (f->collection) {
    case SL_LIST:
        return change_list(realm, env, &place, &v, st);
    case SL_SET:
        return change_set(realm, env, &place, f->type, &v, st);
    case SL_DICTIONARY:
        return change_dict(realm, env, &place, &v, st);
    default:
        return sl_record_set(realm, &place, &v, false, st);
    }
}

/* ---- embedded objects ------------------------------------------------------------------------ */

static const sl_value new_object = {.type = SL_TYPE_OBJECT};

/* A change inside the Part at `place`. */
static bool change_part(sl_realm *realm, test_env *env, const sl_place *place, sl_status *st) {
    sl_step steps[8], more[8];
    const field *f = &part_fields[below(env, COUNT(part_fields))];
    sl_place inside = below_place(place, steps, (sl_step){.name = sl_str_c(f->name)});
    sl_value v = scalar(env, f->type == SL_TYPE_STRING ? SL_TYPE_STRING : SL_TYPE_INT);
    sl_link link = {SL_STR("Item"), int_key(0)};
    sl_view view;
    bool found = false;
    if (f->collection == SL_LIST) return change_list(realm, env, &inside, &v, st);
    if (strcmp(f->name, "item") == 0) {
        if (!pick(realm, env, "Item", &link.key, &found, st)) return false;
        v = (sl_value){.type = found ? SL_TYPE_LINK : SL_TYPE_NULL};
        if (found) v.link = &link;
    }
    if (strcmp(f->name, "grain") != 0) return sl_record_set(realm, &inside, &v, false, st);
    if (!sl_realm_get(realm, &inside, &view, &found, st)) return false;
    if (!found || view.kind != SL_NODE_OBJECT)
        return sl_record_set(realm, &inside, &new_object, false, st);
    bool set = below(env, 2);
    sl_place grain =
        below_place(&inside, more, (sl_step){.name = set ? SL_STR("set") : SL_STR("n")});
    return set ? change_set(realm, env, &grain, SL_TYPE_INT, &v, st)
               : sl_record_add_integer(realm, &grain, 1, st);
}

/* No moves: gap G5. */
static bool change_parts(sl_realm *realm, test_env *env, const sl_place *place, sl_status *st) {
    sl_step steps[8];
    uint32_t size, dice = below(env, 10);
    bool there;
    if (!size_at(realm, place, SL_NODE_LIST, &size, &there, st)) return false;
    if (size == 0 || (dice < 4 && size < EMBEDDED_LIMIT))
        return sl_record_list_insert(realm, place, below(env, size + 1), &new_object, st);
    uint32_t at = below(env, size);
    if (dice < 5) return sl_record_list_erase(realm, place, at, st);
    sl_place element = below_place(place, steps, (sl_step){.is_index = true, .index = at});
    return change_part(realm, env, &element, st);
}

/* Each key is created once, by one writer: else gap G4. */
static bool change_named(sl_realm *realm, test_env *env, const sl_place *place, int who,
                         sl_status *st) {
    char own[16];
    sl_step steps[8];
    sl_view view;
    bool found = false;
    snprintf(own, sizeof own, "w%d", who);
    sl_place entry = below_place(place, steps, (sl_step){.name = sl_str_c(own)});
    if (!sl_realm_get(realm, &entry, &view, &found, st)) return false;
    if (!found) return sl_record_set(realm, &entry, &new_object, false, st);
    return change_part(realm, env, &entry, st);
}

/* ---- collections inside Mixed ---------------------------------------------------------------- */

/* Assigning a collection is setting it and emptying it, as the SDKs do: else gap G1. */
static bool assign(sl_realm *realm, const sl_place *place, int8_t type, sl_status *st) {
    sl_value v = {.type = type};
    return sl_record_set(realm, place, &v, false, st) && sl_record_clear(realm, place, st);
}

static bool change_mixed_list(sl_realm *realm, test_env *env, const sl_place *place,
                              sl_status *st) {
    uint32_t size;
    bool there;
    sl_value v = scalar(env, mixed_type(env));
    if (!size_at(realm, place, SL_NODE_LIST, &size, &there, st)) return false;
    if (!there || below(env, 12) == 0) return assign(realm, place, SL_TYPE_LIST, st);
    if (below(env, 12) == 0) return sl_record_set(realm, place, &v, false, st);
    return change_list(realm, env, place, &v, st);
}

/* The key "deep" holds a dictionary, "row" a list, neither ever removed: else gap G3. */
static bool change_mixed_dict(sl_realm *realm, test_env *env, const sl_place *place,
                              sl_status *st) {
    sl_step steps[8];
    uint32_t size, dice = below(env, 10);
    bool there;
    sl_value v = scalar(env, mixed_type(env));
    if (!size_at(realm, place, SL_NODE_DICT, &size, &there, st)) return false;
    if (!there) return assign(realm, place, SL_TYPE_DICTIONARY, st);
    if (dice < 3) {
        sl_place row = below_place(place, steps, (sl_step){.name = SL_STR("row")});
        return change_mixed_list(realm, env, &row, st);
    }
    if (dice < 5 && place->step_count < 2) {
        sl_place deep = below_place(place, steps, (sl_step){.name = SL_STR("deep")});
        return change_mixed_dict(realm, env, &deep, st);
    }
    sl_place entry = below_place(place, steps, (sl_step){.name = sl_str_c(names[below(env, 3)])});
    if (dice == 5) return sl_record_dict_erase(realm, &entry, NULL, st);
    return sl_record_set(realm, &entry, &v, false, st);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool change_deep(sl_realm *realm, test_env *env, sl_place place, int level, int who,
                        sl_status *st) {
    uint32_t which = below(env, level >= LEVEL_NESTED ? 5 : 3);
    sl_view view;
    bool found = false;
    place.property = sl_str_c(deep_fields[which].name);
    switch (which) {
    case 0:
        if (!sl_realm_get(realm, &place, &view, &found, st)) return false;
        if (!found || view.kind != SL_NODE_OBJECT || below(env, 10) == 0)
            return sl_record_set(realm, &place, &new_object, false, st);
        return change_part(realm, env, &place, st);
    case 1:
        return change_parts(realm, env, &place, st);
    case 2:
        return change_named(realm, env, &place, who, st);
    case 3:
        return change_mixed_list(realm, env, &place, st);
    default:
        return change_mixed_dict(realm, env, &place, st);
    }
}

static bool change_loose(sl_realm *realm, test_env *env, sl_status *st) {
    sl_place next = {.class_name = SL_STR("Loose"), .property = SL_STR("next")};
    sl_link link = {.class_name = SL_STR("Loose")};
    sl_value v = {.type = SL_TYPE_LINK};
    sl_key made;
    bool found = false, created;
    if (!pick(realm, env, "Loose", &link.key, &found, st)) return false;
    if (!sl_record_create(realm, SL_STR("Loose"), NULL, &made, &created, st)) return false;
    next.key = made;
    v.link = &link;
    if (found && !sl_record_set(realm, &next, &v, false, st)) return false;
    next.property = SL_STR("n");
    v = scalar(env, SL_TYPE_INT);
    v.integer = -v.integer - 2; /* accounted ones are positive */
    if (!sl_record_set(realm, &next, &v, false, st)) return false;
    return below(env, 3) || sl_record_erase(realm, SL_STR("Loose"), &made, st);
}

static bool change_object(sl_realm *realm, test_env *env, int level, int who, sl_status *st) {
    static const char *const kinds[] = {"Rich", "Rich", "Rich", "Rich", "Doc", "Mark"};
    const char *name = kinds[below(env, COUNT(kinds))];
    sl_place place = {.class_name = sl_str_c(name), .key = key_of(name, below(env, KEYS))};
    bool exists = false, created;
    if (!sl_realm_exists(realm, place.class_name, &place.key, &exists, st)) return false;
    if (!exists) return sl_record_create(realm, place.class_name, &place.key, NULL, &created, st);
    if (below(env, 25) == 0) return sl_record_erase(realm, place.class_name, &place.key, st);
    if (strcmp(name, "Doc") == 0)
        return change_field(realm, env, place, &doc_fields[below(env, COUNT(doc_fields))], st);
    if (strcmp(name, "Mark") == 0) return change_field(realm, env, place, mark_fields, st);
    if (below(env, 2)) return change_deep(realm, env, place, level, who, st);
    return change_field(realm, env, place, &rich_fields[below(env, COUNT(rich_fields))], st);
}

bool content_body(sl_realm *realm, test_env *env, int level, int who, sl_status *st) {
    if (!sl_realm_class(realm, SL_STR("Rich"))) return true;
    for (uint32_t k = 1 + below(env, 4); k > 0; k--) {
        bool loose = below(env, 8) == 0;
        if (loose ? !change_loose(realm, env, st) : !change_object(realm, env, level, who, st))
            return false;
    }
    return true;
}

/* ---- accounts -------------------------------------------------------------------------------- */

bool content_record_account(sl_realm *realm, int level, int64_t id, sl_status *st) {
    sl_place n = {.class_name = SL_STR("Loose"), .property = SL_STR("n")};
    sl_value v = {.type = SL_TYPE_INT};
    sl_key key = int_key(id);
    bool created;
    v.integer = id;
    if (!sl_record_create(realm, n.class_name, NULL, &n.key, &created, st) ||
        !sl_record_set(realm, &n, &v, false, st))
        return false;
    return level < LEVEL_ASYMMETRIC ||
           sl_record_create(realm, SL_STR("Event"), &key, NULL, &created, st);
}

typedef struct key_list {
    sl_key *keys;
    size_t count;
} key_list;

static bool take_key(void *ctx, const sl_key *key) {
    key_list *all = ctx;
    all->keys[all->count++] = *key;
    return true;
}

int64_t *content_loose_numbers(sl_realm *realm, size_t *count) {
    sl_place n = {.class_name = SL_STR("Loose"), .property = SL_STR("n")};
    key_list all = {0};
    uint64_t objects = 0;
    *count = 0;
    if (sl_realm_class(realm, n.class_name)) sl_realm_count(realm, n.class_name, &objects, NULL);
    all.keys = calloc(objects + 1, sizeof *all.keys);
    int64_t *numbers = calloc(objects + 1, sizeof *numbers);
    if (!all.keys || !numbers) abort();
    if (objects) sl_realm_scan(realm, n.class_name, take_key, &all, NULL);
    for (size_t i = 0; i < all.count; i++) {
        sl_view view;
        bool found = false;
        n.key = all.keys[i];
        if (sl_realm_get(realm, &n, &view, &found, NULL) && found)
            numbers[(*count)++] = view.value.integer;
    }
    free(all.keys);
    return numbers;
}

bool content_has_event(sl_realm *realm, int64_t id) {
    sl_key key = int_key(id);
    bool exists = false;
    return sl_realm_class(realm, SL_STR("Event")) &&
           sl_realm_exists(realm, SL_STR("Event"), &key, &exists, NULL) && exists;
}
