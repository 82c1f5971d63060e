/* The same random life of a realm on two stores - schema changes, objects, rollbacks, reopening -
 * must leave the same content. The in-memory store and the SQLite store have nothing in common but
 * their contract, so a mistake in one shows as a difference. */
#include "object_maker.h"
#include "store/memory_store.h"
#include "store/node_links.h"
#include "store/sqlite_store.h"
#include "temp_dir.h"

typedef struct side {
    store_fixture base;
    maker m;
    sl_memory_disk *disk; /* NULL: SQLite */
    char path[300];
    uint32_t names;
} side;

static sl_store *open_side(store_fixture *base) {
    side *s = (side *)base;
    sl_store *store = NULL;
    if (s->disk)
        OK(sl_memory_disk_open(s->disk, &store, st));
    else
        OK(sl_sqlite_open(s->path, NULL, &store, st));
    return store;
}

static void reload(side *s, bool reopen) {
    maker_close(&s->m);
    if (reopen) fixture_reopen(&s->base);
    maker_open(&s->m, s->base.store);
}

static maker_classes targets_of(const maker *m) {
    maker_classes classes = {.count = 0};
    for (uint32_t i = 0; i < m->schema.count && classes.count < 16; i++) {
        sl_class *cls = m->schema.classes[i];
        if (cls->kind == SL_TABLE_TOPLEVEL) classes.classes[classes.count++] = cls;
    }
    return classes;
}

static void add_class(side *s, maker_random *random) {
    static const int keys[] = {SL_TYPE_INT, SL_TYPE_STRING, SL_TYPE_OBJECTID, SL_TYPE_UUID,
                               SL_TYPE_GLOBALKEY};
    if (s->m.schema.count >= 7) return;
    char name[32];
    /* Names that differ in case only. */
    snprintf(name, sizeof name, random_below(random, 2) ? "Thing%u" : "thing%u", s->names++ / 2);
    if (sl_schema_find(&s->m.schema, sl_str_c(name))) return;
    bool embedded = random_below(random, 3) == 0;
    make_class(&s->m, sl_str_c(name), embedded ? SL_TABLE_EMBEDDED : SL_TABLE_TOPLEVEL,
               embedded ? SL_TYPE_GLOBALKEY : keys[random_below(random, 5)]);
}

static sl_class *any_class(side *s, maker_random *random) {
    uint32_t count = s->m.schema.count;
    return count ? s->m.schema.classes[random_below(random, count)] : NULL;
}

static void add_property(side *s, maker_random *random) {
    sl_class *cls = any_class(s, random), *target = any_class(s, random);
    int type = (int)random_below(random, 12);
    uint32_t shape = random_below(random, 2) ? SL_SINGLE : 1 + random_below(random, 3);
    char name[8];
    snprintf(name, sizeof name, "%c", "aAbBcdefgh"[random_below(random, 10)]);
    if (!cls || sl_class_find(cls, sl_str_c(name))) return;
    if (type == SL_TYPE_LINK && target->kind == SL_TABLE_EMBEDDED && shape == SL_SET) return;
    make_property(&s->m, cls, sl_str_c(name), type, (sl_collection)shape,
                  type != SL_TYPE_LINK && random_below(random, 2),
                  type == SL_TYPE_LINK ? target->name : sl_str_of("", 0));
}

static void drop_property(side *s, maker_random *random) {
    sl_class *cls = any_class(s, random);
    if (!cls || cls->property_count == 0) return;
    const sl_property *property = &cls->properties[random_below(random, cls->property_count)];
    if (!property->erased) erase_property(&s->m, cls, property->name);
}

static bool is_target(const side *s, const sl_class *cls) {
    for (uint32_t i = 0; i < s->m.schema.count; i++) {
        const sl_class *other = s->m.schema.classes[i];
        for (uint32_t p = 0; other != cls && p < other->property_count; p++) {
            const sl_property *property = &other->properties[p];
            if (!property->erased && sl_str_eq(property->target, cls->name)) return true;
        }
    }
    return false;
}

static void drop_class(side *s, maker_random *random) {
    sl_class *cls = any_class(s, random);
    if (!cls || is_target(s, cls)) return;
    OK(s->m.source->class_erased(s->m.source->ctx, cls, st));
    sl_schema_remove_class(&s->m.schema, cls);
}

/* One of few keys, so that objects are met again. */
static sl_key some_key(const sl_class *cls, maker_random *random, char *room) {
    maker_random few = {random_below(random, 6)};
    return random_key(&few, cls->has_key ? cls->key_type : SL_TYPE_GLOBALKEY, room);
}

static sl_class *any_table(side *s, maker_random *random) {
    maker_classes classes = targets_of(&s->m);
    return classes.count ? classes.classes[random_below(random, classes.count)] : NULL;
}

static void save_one(side *s, maker_random *random) {
    char room[64];
    sl_class *cls = any_table(s, random);
    if (!cls) return;
    maker_classes classes = targets_of(&s->m);
    sl_key key = some_key(cls, random, room);
    sl_object *object = load_object(&s->m, cls, &key);
    if (!object) object = make_object(&s->m, cls, &key);
    if (random_below(random, 4)) set_random_object(&s->m, random, object, &classes, 1);
    save_object(&s->m, object);
    sl_object_free(s->m.alloc, object);
}

/* Some properties of an object that is there, time and again, so that statements of their own are
 * worth while; as a realm has it, what is not among them is as it was stored. */
static void update_some(side *s, maker_random *random) {
    char room[64];
    const sl_realm_source *source = s->m.source;
    sl_class *cls = any_table(s, random);
    sl_key key = cls ? some_key(cls, random, room) : (sl_key){0};
    sl_object *object = cls ? load_object(&s->m, cls, &key) : NULL;
    if (!object) return;
    maker_classes classes = targets_of(&s->m);
    uint64_t some = random_bits(random) & random_bits(random);
    for (int n = 0; n < 20; n++) {
        sl_object *made = make_object(&s->m, cls, &key);
        set_random_object(&s->m, random, made, &classes, 1);
        for (uint32_t i = 0; i < cls->property_count; i++) {
            if (!(some >> i & 1)) continue;
            sl_node old = object->values[i];
            object->values[i] = made->values[i];
            made->values[i] = old;
        }
        sl_object_free(s->m.alloc, made);
        if (source->object_update)
            OK(source->object_update(source->ctx, cls, object, some, st));
        else
            save_object(&s->m, object);
    }
    sl_object_free(s->m.alloc, object);
}

static void erase_one(side *s, maker_random *random) {
    char room[64];
    sl_class *cls = any_table(s, random);
    if (!cls) return;
    sl_key key = some_key(cls, random, room);
    OK(s->m.source->object_erase(s->m.source->ctx, cls, &key, st));
    OK(s->m.source->sequence_put(s->m.source->ctx, cls, random_bits(random), st));
}

static void live(side *s, uint64_t seed) {
    maker_random random = {seed};
    BEGIN(s->base.store);
    for (uint32_t n = 3 + random_below(&random, 25); n > 0; n--) {
        /* Each step has chance of its own: the number of draws inside one may differ. */
        maker_random step = {random_bits(&random)};
        uint32_t what = random_below(&random, 20);
        if (what < 2)
            add_class(s, &step);
        else if (what < 6)
            add_property(s, &step);
        else if (what < 7)
            drop_property(s, &step);
        else if (what < 8 && random_below(&random, 4) == 0)
            drop_class(s, &step);
        else if (what < 14)
            save_one(s, &step);
        else if (what < 17)
            update_some(s, &step);
        else
            erase_one(s, &step);
    }
    uint32_t end = random_below(&random, 6);
    if (end < 2)
        s->base.store->vtbl->rollback(s->base.store);
    else
        OK(s->base.store->vtbl->commit(s->base.store, false, st));
    if (end < 4) reload(s, end % 2 == 0);
}

typedef struct key_set {
    sl_key keys[64];
    char text[64][64];
    uint32_t count;
} key_set;

static bool keep_key(void *ctx, const sl_key *key) {
    key_set *set = ctx;
    sl_key *copy = &set->keys[set->count];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy->string.data = set->text[set->count];
        if (key->string.size) memcpy(set->text[set->count], key->string.data, key->string.size);
    }
    set->count++;
    return true;
}

typedef struct referrer_search {
    const sl_class *cls;
    const sl_key *key;
    bool found;
} referrer_search;

static bool is_referrer(void *ctx, sl_str class_name, const sl_key *key) {
    referrer_search *search = ctx;
    search->found = sl_str_eq(class_name, search->cls->name) && sl_key_eq(key, search->key);
    return !search->found;
}

typedef struct link_check {
    side *s;
    const sl_object *object;
    uint64_t seed;
} link_check;

static bool check_link(void *ctx, const sl_link *link) {
    link_check *check = ctx;
    const sl_realm_source *source = check->s->m.source;
    referrer_search search = {check->object->cls, &check->object->key, false};
    OK(source->referrers(source->ctx, link->class_name, &link->key, is_referrer, &search, st));
    if (!search.found)
        fail_msg("seed %llu: a referrer is missing", (unsigned long long)check->seed);
    return true;
}

static void compare_object(side *a, side *b, const sl_class *x, const sl_class *y,
                           const sl_key *key, uint64_t seed) {
    sl_object *one = load_object(&a->m, x, key), *two = load_object(&b->m, y, key);
    assert_non_null(one);
    if (!two || !same_object(one, two)) {
        fail_msg("seed %llu: an object of %.*s differs", (unsigned long long)seed,
                 (int)x->name.size, x->name.data);
    }
    link_check checks[2] = {{a, one, seed}, {b, two, seed}};
    sl_store_object_links(one, check_link, &checks[0]);
    sl_store_object_links(two, check_link, &checks[1]);
    sl_object_free(a->m.alloc, one);
    sl_object_free(b->m.alloc, two);
}

static void compare(side *a, side *b, uint64_t seed) {
    assert_int_equal(a->m.schema.count, b->m.schema.count);
    assert_int_equal(a->m.schema.next_id, b->m.schema.next_id);
    for (uint32_t i = 0; i < a->m.schema.count; i++) {
        const sl_class *x = a->m.schema.classes[i], *y = b->m.schema.classes[i];
        assert_true(sl_str_eq(x->name, y->name) && x->id == y->id && x->kind == y->kind);
        assert_int_equal(x->property_count, y->property_count);
        for (uint32_t p = 0; p < x->property_count; p++) {
            assert_true(sl_str_eq(x->properties[p].name, y->properties[p].name));
        }
        if (x->kind == SL_TABLE_EMBEDDED) continue;
        uint64_t one, two;
        OK(a->m.source->sequence_get(a->m.source->ctx, x, &one, st));
        OK(b->m.source->sequence_get(b->m.source->ctx, y, &two, st));
        assert_true(one == two);
        key_set *keys = calloc(1, sizeof *keys);
        OK(a->m.source->object_scan(a->m.source->ctx, x, keep_key, keys, st));
        OK(b->m.source->object_count(b->m.source->ctx, y, &two, st));
        if (two != keys->count) fail_msg("seed %llu: counts differ", (unsigned long long)seed);
        for (uint32_t k = 0; k < keys->count; k++) {
            compare_object(a, b, x, y, &keys->keys[k], seed);
        }
        free(keys);
    }
}

static void finding(void *ctx, const char *text) {
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)*(uint64_t *)ctx, text);
}

static void run_seed(uint64_t seed) {
    temp_dir dir;
    side a = {.base.open = open_side, .disk = sl_memory_disk_new(NULL)};
    side b = {.base.open = open_side};
    temp_dir_make(&dir);
    temp_dir_file(&dir, "one.realm", b.path);
    side *const sides[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        sides[i]->base.store = open_side(&sides[i]->base);
        maker_open(&sides[i]->m, sides[i]->base.store);
    }
    maker_random random = {seed};
    for (int round = 0; round < 12; round++) {
        uint64_t part = random_bits(&random);
        live(&a, part);
        live(&b, part);
        compare(&a, &b, seed);
    }
    uint64_t findings = 9;
    OK(sl_sqlite_check(b.base.store, finding, &seed, &findings, st));
    assert_int_equal(findings, 0);
    for (int i = 0; i < 2; i++) {
        maker_close(&sides[i]->m);
        sides[i]->base.store->vtbl->close(sides[i]->base.store);
    }
    sl_memory_disk_free(a.disk);
    temp_dir_remove(&dir);
}

static void both_stores_hold_the_same_after_the_same_life(void **state) {
    (void)state;
    const char *wanted = getenv("SEEDS");
    uint64_t seeds = wanted ? strtoull(wanted, NULL, 10) : 40;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_seed(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_stores_hold_the_same_after_the_same_life)};
    return cmocka_run_group_tests_name("two stores", tests, NULL, NULL);
}
