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

static inline sl_value random_plain(dice *d, sl_link *link) {
    static const char *const words[] = {"", "a", "some words", "a text longer than the others"};
    switch (roll(d, 6)) {
    case 0:
        return null_value();
    case 1:
        return integer((int64_t)roll(d, 5));
    case 2:
        return real((double)roll(d, 4) / 2);
    case 3:
        return link_to(link, "Q", int_key((int64_t)roll(d, RANDOM_KEYS)));
    case 4:
        return link_to(link, "P", int_key((int64_t)roll(d, RANDOM_KEYS)));
    default:
        return text(words[roll(d, 4)]);
    }
}

static inline sl_value random_value(dice *d, sl_link *link) {
    static const int8_t kinds[] = {SL_TYPE_LIST, SL_TYPE_DICTIONARY, SL_TYPE_OBJECT};
    return roll(d, 3) ? random_plain(d, link) : made(kinds[roll(d, 3)]);
}

/* A place in P or Q, often one that exists. */
static inline const sl_place *random_place(dice *d, sl_key key) {
    static const char *const roots[] = {"i",  "s",  "e",  "q",  "self", "m",  "li", "lq", "le",
                                        "de", "di", "dq", "sq", "sm",   "lm", "dm", "ss"};
    static const char *const steps[] = {"0", "1", "2", "x", "eq", "sub", "m", "k", "l"};
    char path[200];
    snprintf(path, sizeof path, "%s", roots[roll(d, 17)]);
    for (uint32_t n = roll(d, 4); n > 0; n--) {
        strcat(path, "/");
        strcat(path, steps[roll(d, 9)]);
    }
    return at("P", key, path);
}

/* One write; most are refused, which has to leave no trace. True if it was done. */
static inline bool random_edit(fixture *f, dice *d) {
    sl_link link;
    sl_key key = int_key((int64_t)roll(d, RANDOM_KEYS));
    const sl_place *place = random_place(d, key);
    sl_value value = random_value(d, &link);
    uint32_t a = roll(d, 4), b = roll(d, 4);
    f->st = (sl_status)SL_STATUS_INIT;
    switch (roll(d, 16)) {
    case 0:
        return write_create(f, "P", key);
    case 1:
        return write_create(f, "Q", roll(d, 8) ? key : null_key());
    case 2:
        return roll(d, 3) == 0 && write_erase(f, "P", key);
    case 3:
        return roll(d, 2) == 0 && write_erase(f, "Q", key);
    case 4:
        return sl_record_create(f->realm, SL_STR("N"), NULL, NULL, NULL, &f->st);
    case 5:
        return write_insert(f, place, a, value);
    case 6:
        return sl_record_list_move(f->realm, place, a, b, &f->st);
    case 7:
        return sl_record_list_erase(f->realm, place, a, &f->st);
    case 8:
        return sl_record_clear(f->realm, place, &f->st);
    case 9:
        return sl_record_set_erase(f->realm, place, &value, NULL, &f->st);
    case 10:
        return sl_record_dict_erase(f->realm, place, NULL, &f->st);
    case 11:
        return sl_record_add_integer(f->realm, place, 3, &f->st);
    case 12:
    case 13:
        return write_add(f, place, value);
    default:
        return sl_record_set(f->realm, place, &value, roll(d, 4) == 0, &f->st);
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
