/* object_maker.h - schemas, objects and values for tests of stores: by hand and at random, and a
 * comparison that takes every bit seriously. */
#ifndef SL_SPEC_OBJECT_MAKER_H
#define SL_SPEC_OBJECT_MAKER_H

#include "realm/dict.h"
#include "realm/list.h"
#include "realm/source.h"
#include "store_fixture.h"
#include "value/ejson.h"

/* A small generator, so that a failure can be repeated from its seed. */
typedef struct maker_random {
    uint64_t state;
} maker_random;

static inline uint64_t random_bits(maker_random *random) {
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint32_t random_below(maker_random *random, uint32_t limit) {
    return (uint32_t)(random_bits(random) % limit);
}

/* --- comparison --- */

static bool same_node(const sl_node *a, const sl_node *b);

static inline bool same_value(const sl_value *a, const sl_value *b) {
    if (a->type != b->type) return false;
    switch (a->type) {
    case SL_TYPE_NULL:
        return true;
    case SL_TYPE_INT:
        return a->integer == b->integer;
    case SL_TYPE_BOOL:
        return a->boolean == b->boolean;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return sl_str_eq(a->string, b->string);
    case SL_TYPE_TIMESTAMP:
        return a->timestamp.seconds == b->timestamp.seconds &&
               a->timestamp.nanoseconds == b->timestamp.nanoseconds;
    case SL_TYPE_FLOAT:
        return memcmp(&a->single, &b->single, sizeof a->single) == 0;
    case SL_TYPE_DOUBLE:
        return memcmp(&a->real, &b->real, sizeof a->real) == 0;
    case SL_TYPE_DECIMAL:
        return a->decimal.lo == b->decimal.lo && a->decimal.hi == b->decimal.hi;
    case SL_TYPE_LINK:
        return sl_str_eq(a->link->class_name, b->link->class_name) &&
               sl_key_eq(&a->link->key, &b->link->key);
    case SL_TYPE_OBJECTID:
        return memcmp(a->objectid, b->objectid, 12) == 0;
    case SL_TYPE_UUID:
        return memcmp(a->uuid, b->uuid, 16) == 0;
    default:
        return false;
    }
}

static inline bool same_object(const sl_object *a, const sl_object *b) {
    if (!sl_str_eq(a->cls->name, b->cls->name)) return false;
    for (uint32_t i = 0; i < a->value_count; i++) {
        const sl_property *property = &a->cls->properties[i];
        if (property->erased) continue;
        const sl_property *other = sl_class_find(b->cls, property->name);
        if (!other || !same_node(&a->values[i], &b->values[other->index])) return false;
    }
    return true;
}

static inline bool same_list(const sl_list *a, const sl_list *b) {
    uint32_t count = sl_list_count(a);
    if (sl_list_count(b) != count) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!same_node(sl_list_at(a, i), sl_list_at(b, i))) return false;
    }
    return true;
}

static inline bool same_dict(const sl_dict *a, const sl_dict *b) {
    uint32_t count = sl_dict_count(a);
    if (sl_dict_count(b) != count) return false;
    for (uint32_t i = 0; i < count; i++) {
        const sl_dict_entry *x = sl_dict_at(a, i), *y = sl_dict_at(b, i);
        if (!sl_str_eq(x->key, y->key) || !same_node(&x->node, &y->node)) return false;
    }
    return true;
}

static inline bool same_node(const sl_node *a, const sl_node *b) {
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case SL_NODE_VALUE:
        return same_value(&a->value, &b->value);
    case SL_NODE_DICT:
        return same_dict(a->dict, b->dict);
    case SL_NODE_OBJECT:
        return same_object(a->object, b->object);
    default:
        return same_list(a->list, b->list);
    }
}

/* A node as text, for messages. */
static inline void show_node(const sl_node *node, char *out, size_t size) {
    sl_buf text;
    sl_buf_init(&text, NULL);
    sl_ejson w = {.out = &text};
    if (node->kind == SL_NODE_VALUE)
        sl_ejson_value(&w, &node->value);
    else
        sl_buf_printf(&text, "kind %d", node->kind);
    if (node->kind == SL_NODE_LIST || node->kind == SL_NODE_SET) {
        for (uint32_t i = 0; i < sl_list_count(node->list); i++) {
            sl_buf_text(&text, " | ");
            const sl_node *item = sl_list_at(node->list, i);
            w.comma = false;
            if (item->kind == SL_NODE_VALUE) sl_ejson_value(&w, &item->value);
        }
    }
    snprintf(out, size, "%.*s", (int)text.size, text.data ? text.data : "");
    sl_buf_free(&text);
}

/* --- building --- */

/* A realm of the test's own: the schema in memory, and the source it is stored in. */
typedef struct maker {
    sl_schema schema;
    sl_store *store;
    const sl_realm_source *source;
    const sl_alloc *alloc;
} maker;

static inline void maker_open(maker *m, sl_store *store) {
    m->store = store;
    m->source = store->vtbl->source(store);
    m->alloc = m->source->alloc;
    sl_schema_init(&m->schema, m->alloc);
    OK(m->source->schema_load(m->source->ctx, &m->schema, st));
}

static inline void maker_close(maker *m) {
    sl_schema_free(&m->schema);
}

static inline sl_class *make_class(maker *m, sl_str name, sl_table_kind kind, int key_type) {
    sl_class def = {.name = name,
                    .kind = (uint8_t)kind,
                    .has_key = key_type != SL_TYPE_GLOBALKEY,
                    .key_type = (int8_t)key_type,
                    .id = 0};
    if (def.has_key) def.key_name = SL_STR("_id");
    def.key_nullable = key_type == SL_TYPE_STRING;
    sl_class *cls = sl_schema_add_class(&m->schema, &def);
    OK(m->source->class_added(m->source->ctx, cls, st));
    return cls;
}

static inline uint32_t make_property(maker *m, sl_class *cls, sl_str name, int type,
                                     sl_collection collection, bool nullable, sl_str target) {
    sl_property def = {.name = name,
                       .type = (int8_t)type,
                       .collection = (uint8_t)collection,
                       .nullable = nullable,
                       .target = target};
    sl_property *property = sl_schema_add_property(&m->schema, cls, &def);
    OK(m->source->property_added(m->source->ctx, cls, property, st));
    return property->index;
}

static inline void erase_property(maker *m, sl_class *cls, sl_str name) {
    sl_property *property = sl_class_find(cls, name);
    uint32_t index = property->index;
    OK(m->source->property_erased(m->source->ctx, cls, property, st));
    sl_class_hide_property(cls, index);
}

static inline sl_key int_key(int64_t number) {
    return (sl_key){.type = SL_TYPE_INT, .integer = number};
}

static inline sl_key string_key(sl_str text) {
    return (sl_key){.type = SL_TYPE_STRING, .string = text};
}

static inline sl_object *make_object(maker *m, const sl_class *cls, const sl_key *key) {
    sl_object *object = sl_object_new(m->alloc, cls, key);
    assert_non_null(object);
    assert_true(sl_object_complete(m->alloc, object));
    return object;
}

static inline void save_object(maker *m, const sl_object *object) {
    OK(m->source->object_save(m->source->ctx, object->cls, object, st));
}

/* NULL if there is no such object. */
static inline sl_object *load_object(maker *m, const sl_class *cls, const sl_key *key) {
    sl_object *object = make_object(m, cls, key);
    bool found = false;
    OK(m->source->object_load(m->source->ctx, cls, key, object, &found, st));
    if (found) return object;
    sl_object_free(m->alloc, object);
    return NULL;
}

static inline void set_value(maker *m, sl_node *node, sl_value value) {
    sl_node_clear(m->alloc, node);
    assert_true(sl_node_set_value(m->alloc, node, &value));
}

static inline void set_link(maker *m, sl_node *node, sl_str class_name, sl_key key) {
    sl_link link = {class_name, key};
    set_value(m, node, (sl_value){.type = SL_TYPE_LINK, .link = &link});
}

static inline sl_node *add_item(maker *m, sl_node *list) {
    if (!list->list) list->list = sl_list_new(m->alloc);
    return sl_list_insert(m->alloc, list->list, sl_list_count(list->list));
}

static inline sl_node *add_entry(maker *m, sl_node *dict, sl_str key) {
    if (!dict->dict) dict->dict = sl_dict_new(m->alloc);
    return sl_dict_put(m->alloc, dict->dict, key);
}

static inline sl_object *set_embedded(maker *m, sl_node *node, const sl_class *cls) {
    sl_node_clear(m->alloc, node);
    node->kind = SL_NODE_OBJECT;
    node->object = make_object(m, cls, NULL);
    return node->object;
}

/* --- values at random, the awkward ones often --- */

static inline sl_str random_bytes(maker_random *random, char *room, bool text) {
    static const char *const texts[] = {"",
                                        "plain",
                                        "1",
                                        "null",
                                        "gr\xc3\xbc\xc3\x9f",
                                        "\"{}",
                                        "\xf0\x9f\x98\x80",
                                        "a\nb\t\\",
                                        "\x7f\xc2\x80",
                                        "1e5",
                                        "\xff",
                                        "nul\0inside",
                                        "\xed\xa0\x80",
                                        "\xc0\x80",
                                        "$oid"};
    if (random_below(random, 3)) {
        uint32_t i = random_below(random, sizeof texts / sizeof *texts);
        return i == 11 ? sl_str_of(texts[i], 10) : sl_str_c(texts[i]);
    }
    uint32_t size = random_below(random, 40);
    for (uint32_t i = 0; i < size; i++) {
        room[i] = (char)(text ? ' ' + random_below(random, 95) : random_below(random, 256));
    }
    return sl_str_of(room, size);
}

static inline int64_t random_integer(maker_random *random) {
    static const int64_t corners[] = {0,   1,      -1,    INT64_MAX,   INT64_MIN,
                                      255, -86400, 86399, 253402300800};
    if (random_below(random, 2)) return corners[random_below(random, 9)];
    return (int64_t)(random_bits(random) >> random_below(random, 64));
}

static inline double random_double(maker_random *random) {
    static const uint64_t corners[] = {0,
                                       UINT64_C(0x8000000000000000), /* -0 */
                                       UINT64_C(0x7ff0000000000000),
                                       UINT64_C(0xfff0000000000000),
                                       UINT64_C(0x7ff8000000000000),
                                       UINT64_C(0xfff8000000000001), /* NaNs */
                                       UINT64_C(0x7ff4000000000000),
                                       1,
                                       UINT64_C(0x3ff0000000000000),
                                       UINT64_C(0x43f0000000000000),
                                       UINT64_C(0xc3e0000000000000)};
    uint64_t bits =
        random_below(random, 2) ? corners[random_below(random, 11)] : random_bits(random);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float random_float(maker_random *random) {
    static const uint32_t corners[] = {0,           0x80000000u, 0x7f800000u,
                                       0xff800000u, 0x7fc00000u, 0xffc00001u,
                                       0x7f800001u, 1,           0x3dcccccdu};
    uint32_t bits =
        random_below(random, 2) ? corners[random_below(random, 9)] : (uint32_t)random_bits(random);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline sl_timestamp random_timestamp(maker_random *random) {
    sl_timestamp t = {random_integer(random), 0};
    if (random_below(random, 2)) t.nanoseconds = (int32_t)random_below(random, 1000000000);
    if (t.seconds < 0 || (t.seconds == 0 && random_below(random, 2)))
        t.nanoseconds = -t.nanoseconds;
    return t;
}

static inline sl_key random_key(maker_random *random, int type, char *room) {
    sl_key key;
    memset(&key, 0, sizeof key);
    key.type = (int8_t)type;
    switch (type) {
    case SL_TYPE_INT:
        key.integer = random_integer(random);
        break;
    case SL_TYPE_STRING:
        if (random_below(random, 12) == 0)
            key.type = SL_TYPE_NULL;
        else
            key.string = random_bytes(random, room, true);
        break;
    case SL_TYPE_OBJECTID:
        for (int i = 0; i < 12; i++)
            key.objectid[i] = (uint8_t)random_bits(random);
        break;
    case SL_TYPE_UUID:
        for (int i = 0; i < 16; i++)
            key.uuid[i] = (uint8_t)random_bits(random);
        break;
    default:
        key.global.hi = random_below(random, 2) ? random_below(random, 4) : random_bits(random);
        key.global.lo = random_bits(random) >> random_below(random, 64);
    }
    return key;
}

static inline void set_random_scalar(maker *m, maker_random *random, sl_node *node, int type,
                                     const sl_class *target) {
    char room[64], key_room[64];
    sl_value value;
    sl_link link;
    memset(&value, 0, sizeof value);
    value.type = (int8_t)type;
    switch (type) {
    case SL_TYPE_INT:
        value.integer = random_integer(random);
        break;
    case SL_TYPE_BOOL:
        value.boolean = random_below(random, 2);
        break;
    case SL_TYPE_STRING:
        value.string = random_bytes(random, room, true);
        break;
    case SL_TYPE_BINARY:
        value.string = random_bytes(random, room, false);
        break;
    case SL_TYPE_TIMESTAMP:
        value.timestamp = random_timestamp(random);
        break;
    case SL_TYPE_FLOAT:
        value.single = random_float(random);
        break;
    case SL_TYPE_DOUBLE:
        value.real = random_double(random);
        break;
    case SL_TYPE_DECIMAL:
        value.decimal.lo = random_bits(random) >> random_below(random, 64);
        value.decimal.hi = random_below(random, 2) ? UINT64_C(0x3040000000000000) -
                                                         ((uint64_t)random_below(random, 9) << 49)
                                                   : random_bits(random);
        break;
    case SL_TYPE_LINK:
        link.class_name = target->name;
        link.key =
            random_key(random, target->has_key ? target->key_type : SL_TYPE_GLOBALKEY, key_room);
        value.link = &link;
        break;
    case SL_TYPE_OBJECTID:
        for (int i = 0; i < 12; i++)
            value.objectid[i] = (uint8_t)random_bits(random);
        break;
    case SL_TYPE_UUID:
        for (int i = 0; i < 16; i++)
            value.uuid[i] = (uint8_t)random_bits(random);
        break;
    default:
        break;
    }
    set_value(m, node, value);
}

/* What a property of a random schema may hold: the classes links may go to. */
typedef struct maker_classes {
    sl_class *classes[16];
    uint32_t count; /* top-level ones, links go there */
    sl_class *embedded;
} maker_classes;

static void set_random_node(maker *m, maker_random *random, sl_node *node,
                            const sl_property *property, const maker_classes *classes, int depth);

static inline void set_random_object(maker *m, maker_random *random, sl_object *object,
                                     const maker_classes *classes, int depth) {
    for (uint32_t i = 0; i < object->value_count; i++) {
        const sl_property *property = &object->cls->properties[i];
        if (property->erased) continue;
        sl_node *node = &object->values[i];
        if (property->collection == SL_SINGLE) {
            set_random_node(m, random, node, property, classes, depth);
            continue;
        }
        sl_node_clear(m->alloc, node);
        sl_property_default(property, node);
        for (uint32_t n = random_below(random, 5); n > 0; n--) {
            if (property->collection == SL_SET) {
                sl_node item = {0};
                bool added;
                set_random_node(m, random, &item, property, classes, 99);
                if (item.kind == SL_NODE_VALUE) sl_set_add(m->alloc, node, &item.value, &added);
                sl_node_clear(m->alloc, &item);
            } else if (property->collection == SL_LIST) {
                set_random_node(m, random, add_item(m, node), property, classes, depth);
            } else {
                char room[64];
                sl_node *item = add_entry(m, node, random_bytes(random, room, true));
                set_random_node(m, random, item, property, classes, depth);
            }
        }
    }
}

static inline void set_random_mixed(maker *m, maker_random *random, sl_node *node,
                                    const maker_classes *classes, int depth) {
    uint32_t choice = random_below(random, depth < 3 ? 14 : 12);
    static const sl_property mixed = {.type = SL_TYPE_MIXED};
    sl_node_clear(m->alloc, node);
    if (choice == 12) {
        node->kind = SL_NODE_LIST;
        node->list = NULL;
        for (uint32_t n = random_below(random, 4); n > 0; n--) {
            set_random_node(m, random, add_item(m, node), &mixed, classes, depth + 1);
        }
    } else if (choice == 13) {
        node->kind = SL_NODE_DICT;
        node->dict = NULL;
        for (uint32_t n = random_below(random, 4); n > 0; n--) {
            char room[64];
            sl_node *item = add_entry(m, node, random_bytes(random, room, true));
            set_random_node(m, random, item, &mixed, classes, depth + 1);
        }
    } else {
        set_random_scalar(m, random, node, (int)choice,
                          classes->classes[random_below(random, classes->count)]);
    }
}

static inline void set_random_node(maker *m, maker_random *random, sl_node *node,
                                   const sl_property *property, const maker_classes *classes,
                                   int depth) {
    if (property->type == SL_TYPE_MIXED) {
        set_random_mixed(m, random, node, classes, depth);
    } else if (property->nullable && random_below(random, 4) == 0) {
        set_value(m, node, (sl_value){.type = SL_TYPE_NULL});
    } else if (property->type != SL_TYPE_LINK) {
        set_random_scalar(m, random, node, property->type, NULL);
    } else if (!property->embedded) {
        if (random_below(random, 4) == 0 && property->collection == SL_SINGLE) {
            set_value(m, node, (sl_value){.type = SL_TYPE_NULL});
        } else {
            set_random_scalar(m, random, node, SL_TYPE_LINK,
                              sl_schema_find(&m->schema, property->target));
        }
    } else if (property->collection == SL_SINGLE && (depth > 2 || random_below(random, 3) == 0)) {
        set_value(m, node, (sl_value){.type = SL_TYPE_NULL});
    } else {
        sl_object *object = set_embedded(m, node, sl_schema_find(&m->schema, property->target));
        if (depth < 3) set_random_object(m, random, object, classes, depth + 1);
    }
}

/* Classes of every kind of key and one embedded class, each with properties of every type. */
static inline void make_random_schema(maker *m, maker_random *random, maker_classes *out) {
    static const int keys[] = {SL_TYPE_INT, SL_TYPE_STRING, SL_TYPE_OBJECTID, SL_TYPE_UUID,
                               SL_TYPE_GLOBALKEY};
    *out = (maker_classes){.count = 5};
    out->embedded = make_class(m, SL_STR("Embedded"), SL_TABLE_EMBEDDED, SL_TYPE_GLOBALKEY);
    for (uint32_t i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "Class %u", i);
        out->classes[i] = make_class(m, sl_str_c(name), SL_TABLE_TOPLEVEL, keys[i]);
    }
    for (uint32_t c = 0; c <= out->count; c++) {
        sl_class *cls = c < out->count ? out->classes[c] : out->embedded;
        for (uint32_t i = 0; i < 24; i++) {
            int type = i < 12 ? (int)i : (int)random_below(random, 12);
            uint32_t shape = i < 12 ? SL_SINGLE : 1 + random_below(random, 3);
            sl_str target = {0};
            if (type == SL_TYPE_LINK) {
                bool embed = shape != SL_SET && random_below(random, 2);
                target = embed ? out->embedded->name
                               : out->classes[random_below(random, out->count)]->name;
            }
            char name[32];
            snprintf(name, sizeof name, "p%u", i);
            make_property(m, cls, sl_str_c(name), type, (sl_collection)shape,
                          type != SL_TYPE_LINK && random_below(random, 2), target);
        }
    }
}

#endif
