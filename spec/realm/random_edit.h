/* random_edit.h - random local writes on a schema with every kind of container, for property tests.
 */
#ifndef SPEC_REALM_RANDOM_EDIT_H
#define SPEC_REALM_RANDOM_EDIT_H

#include "fixture.h"

typedef struct dice {
    uint64_t state;
} dice;

static inline uint32_t roll(dice *d, uint32_t sides) {
    uint64_t z = (d->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static const char *const random_schema =
    "table Q(_id:int?); embedded E; table P(_id:int); table N();"
    "column E.x:int; column E.eq:->Q; column E.sub:->E[]; column E.m:mixed;"
    "column P.i:int; column P.s:string?; column P.e:->E; column P.q:->Q; column P.self:->P;"
    "column P.m:mixed; column P.li:int[]; column P.lq:->Q[]; column P.le:->E[]; column P.de:->E{};"
    "column P.di:int{}; column P.dq:->Q{}; column P.sq:->Q(); column P.sm:mixed();"
    "column P.lm:mixed[]; column P.dm:mixed{}; column P.ss:string(); column Q.back:->P;"
    "column N.n:->N";

enum { RANDOM_KEYS = 6 };

static inline sl_value random_link(dice *d, sl_link *link, const char *cls) {
    return link_to(link, cls, int_key((int64_t)roll(d, RANDOM_KEYS)));
}

static inline sl_value random_mixed(dice *d, sl_link *link, bool plain) {
    switch (roll(d, plain ? 6 : 8)) {
    case 0:
        return null_value();
    case 1:
        return integer((int64_t)roll(d, 5));
    case 2:
        return real((double)roll(d, 4) / 2);
    case 3:
        return random_link(d, link, "Q");
    case 4:
        return random_link(d, link, "P");
    case 5:
        return text("in a mixed");
    case 6:
        return made(SL_TYPE_LIST);
    default:
        return made(SL_TYPE_DICTIONARY);
    }
}

/* Mostly a value that fits the property, sometimes any. */
static inline sl_value random_value(dice *d, const sl_property *property, sl_link *link) {
    static const char *const words[] = {"", "a", "some words", "a text longer than the others"};
    if (roll(d, 12) == 0) return random_mixed(d, link, false);
    if (property->nullable && roll(d, 5) == 0) return null_value();
    switch (property->type) {
    case SL_TYPE_INT:
        return integer((int64_t)roll(d, 8));
    case SL_TYPE_STRING:
        return text(words[roll(d, 4)]);
    case SL_TYPE_LINK:
        if (property->embedded) return made(SL_TYPE_OBJECT);
        return random_link(d, link, sl_str_eq(property->target, SL_STR("P")) ? "P" : "Q");
    default:
        return random_mixed(d, link, property->collection == SL_SET);
    }
}

/* A path that starts at one of the properties of P and goes down into what is there. */
static inline bool random_path(fixture *f, dice *d, sl_key key, char *path, sl_view *view) {
    static const char *const roots[] = {"i",  "s",  "e",  "q",  "self", "m",  "li", "lq", "le",
                                        "de", "di", "dq", "sq", "sm",   "lm", "dm", "ss"};
    static const char *const inner[] = {"x", "eq", "sub", "m"};
    strcpy(path, roots[roll(d, 17)]);
    if (roll(d, 10) == 0) sprintf(path, "z%u", roll(d, 10));
    for (;;) {
        bool found = false;
        if (!sl_realm_get(f->realm, at("P", key, path), view, &found, &f->st) || !found)
            return false;
        bool deeper = strlen(path) < 60 && roll(d, 3);
        char *end = path + strlen(path);
        if (view->kind == SL_NODE_OBJECT && deeper)
            sprintf(end, "/%s", inner[roll(d, 4)]);
        else if (view->kind == SL_NODE_OBJECT && roll(d, 8) == 0)
            sprintf(end, "/z%u", roll(d, 10));
        else if (view->kind == SL_NODE_LIST && view->size && deeper)
            sprintf(end, "/%u", roll(d, view->size));
        else if (view->kind == SL_NODE_DICT && view->size && deeper)
            sprintf(end, "/k%u", roll(d, 4));
        else
            return true;
    }
}

static inline bool edit_list(fixture *f, dice *d, const sl_place *place, const sl_view *view,
                             sl_value value) {
    uint32_t size = view->size + (roll(d, 20) == 0), a = size ? roll(d, size) : 0;
    uint32_t b = size ? roll(d, size) : 0;
    switch (roll(d, 14)) {
    case 0:
        return sl_record_clear(f->realm, place, &f->st);
    case 1:
    case 2:
        return sl_record_list_erase(f->realm, place, a, &f->st);
    case 3:
    case 4:
        return sl_record_list_move(f->realm, place, a, b, &f->st);
    case 5:
        return sl_record_list_swap(f->realm, place, a, b, &f->st);
    default:
        return write_insert(f, place, a, value);
    }
}

static inline bool edit_set(fixture *f, dice *d, const sl_place *place, sl_value value) {
    switch (roll(d, 8)) {
    case 0:
        return sl_record_clear(f->realm, place, &f->st);
    case 1:
    case 2:
        return sl_record_set_erase(f->realm, place, &value, NULL, &f->st);
    default:
        return write_add(f, place, value);
    }
}

static inline bool edit_dict(fixture *f, dice *d, sl_key key, char *path, sl_value value) {
    if (roll(d, 10) == 0) return sl_record_clear(f->realm, at("P", key, path), &f->st);
    sprintf(path + strlen(path), "/k%u", roll(d, 4));
    if (roll(d, 4) == 0) return sl_record_dict_erase(f->realm, at("P", key, path), NULL, &f->st);
    return write_value(f, at("P", key, path), value);
}

static inline bool edit_content(fixture *f, dice *d, sl_key key) {
    char path[200];
    sl_link link;
    sl_view view;
    if (!random_path(f, d, key, path, &view)) return false;
    sl_value value = random_value(d, view.property, &link);
    bool replace = roll(d, 8) == 0;
    if (view.kind == SL_NODE_LIST && !replace)
        return edit_list(f, d, at("P", key, path), &view, value);
    if (view.kind == SL_NODE_SET) return edit_set(f, d, at("P", key, path), value);
    if (view.kind == SL_NODE_DICT && !replace) return edit_dict(f, d, key, path, value);
    if (view.kind == SL_NODE_VALUE && view.value.type == SL_TYPE_INT && roll(d, 3) == 0)
        return sl_record_add_integer(f->realm, at("P", key, path), 3, &f->st);
    return sl_record_set(f->realm, at("P", key, path), &value, roll(d, 4) == 0, &f->st);
}

/* A property more, in P or in the embedded class. */
static inline bool add_property(fixture *f, dice *d) {
    char name[8];
    sprintf(name, "z%u", roll(d, 10));
    sl_property property = {.name = sl_str_c(name), .nullable = roll(d, 2)};
    static const int8_t types[] = {SL_TYPE_INT, SL_TYPE_STRING, SL_TYPE_MIXED, SL_TYPE_LINK};
    property.type = types[roll(d, 4)];
    property.collection = (uint8_t)roll(d, 4);
    if (property.type == SL_TYPE_LINK) property.target = roll(d, 2) ? SL_STR("E") : SL_STR("Q");
    sl_str cls = roll(d, 2) ? SL_STR("P") : SL_STR("E");
    return sl_record_add_property(f->realm, cls, &property, &f->st);
}

static inline bool create_new(fixture *f, const char *cls, sl_key key) {
    bool created = false;
    return sl_record_create(f->realm, sl_str_c(cls), &key, NULL, &created, &f->st) && created;
}

/* One write. False if it was refused, which has to leave no trace, or changed nothing. */
static inline bool random_edit(fixture *f, dice *d) {
    sl_key key = int_key((int64_t)roll(d, RANDOM_KEYS));
    f->st = (sl_status)SL_STATUS_INIT;
    switch (roll(d, 40)) {
    case 0:
        return roll(d, 6) == 0 && write_erase(f, "P", key);
    case 1:
        return roll(d, 4) == 0 && write_erase(f, "Q", key);
    case 2:
        return sl_record_create(f->realm, SL_STR("N"), NULL, NULL, NULL, &f->st);
    case 3:
    case 4:
    case 5:
        return create_new(f, "P", key);
    case 6:
    case 7:
    case 8:
        return create_new(f, "Q", roll(d, 8) ? key : null_key());
    case 9:
        return roll(d, 3) == 0 && add_property(f, d);
    default:
        return edit_content(f, d, key);
    }
}

/* About `count` writes that were done. */
static inline void random_edits(fixture *f, dice *d, uint32_t count) {
    for (uint32_t done = 0, tried = 0; done < count && tried < 40 * count; tried++) {
        bool ok = random_edit(f, d);
        done += ok;
        if (!ok && f->st.cls != SL_OK && f->st.cls != SL_ERR_USAGE)
            fail_msg("%s %s", f->st.id, f->st.message);
    }
}

#endif
