/* The query language: whatever parses can be asked of objects within its budget, and what we print
 * parses again and finds the same objects. */
#include <stdlib.h>

#include "query/predicate.h"
#include "realm/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) abort();
}

static const char class_name[] = "Item";

static void add(sl_realm *realm, const char *name, int type, sl_collection collection,
                const char *target) {
    sl_property p = {.name = sl_str_c(name),
                     .type = (int8_t)type,
                     .collection = (uint8_t)collection,
                     .target = sl_str_c(target)};
    p.nullable = type == SL_TYPE_MIXED || collection == SL_SINGLE || collection == SL_DICTIONARY;
    require(sl_record_add_property(realm, sl_str_c(class_name), &p, NULL));
}

static sl_realm *make_realm(void) {
    sl_realm *realm;
    sl_realm_options options = {0};
    sl_class cls = {.name = sl_str_c(class_name),
                    .has_key = true,
                    .key_name = sl_str_c("_id"),
                    .key_type = SL_TYPE_INT};
    require(sl_realm_open(&realm, &options, NULL) && sl_realm_begin(realm, NULL));
    require(sl_record_add_class(realm, &cls, NULL));
    add(realm, "i", SL_TYPE_INT, SL_SINGLE, "");
    add(realm, "s", SL_TYPE_STRING, SL_SINGLE, "");
    add(realm, "d", SL_TYPE_DOUBLE, SL_SINGLE, "");
    add(realm, "t", SL_TYPE_TIMESTAMP, SL_SINGLE, "");
    add(realm, "m", SL_TYPE_MIXED, SL_SINGLE, "");
    add(realm, "lk", SL_TYPE_LINK, SL_SINGLE, class_name);
    add(realm, "li", SL_TYPE_INT, SL_LIST, "");
    add(realm, "lks", SL_TYPE_LINK, SL_LIST, class_name);
    add(realm, "di", SL_TYPE_INT, SL_DICTIONARY, "");
    for (int64_t n = 0; n < 4; n++) {
        sl_place place = {.class_name = sl_str_c(class_name),
                          .key = {.type = SL_TYPE_INT, .integer = n}};
        sl_value number = {.type = SL_TYPE_INT, .integer = n}, text = {.type = SL_TYPE_STRING};
        sl_link link = {sl_str_c(class_name), {.type = SL_TYPE_INT, .integer = n - 1}};
        sl_value to = {.type = SL_TYPE_LINK, .link = &link};
        text.string = sl_str_c("abc");
        require(sl_record_create(realm, place.class_name, &place.key, NULL, NULL, NULL));
        place.property = sl_str_c("i");
        require(sl_record_set(realm, &place, &number, false, NULL));
        place.property = sl_str_c("s");
        require(n == 3 || sl_record_set(realm, &place, &text, false, NULL));
        place.property = sl_str_c("lk");
        require(n == 0 || sl_record_set(realm, &place, &to, false, NULL));
        place.property = sl_str_c("li");
        require(sl_record_list_insert(realm, &place, 0, &number, NULL));
    }
    return realm;
}

typedef struct answer {
    uint64_t keys;
} answer;

static bool note(void *ctx, const sl_key *key) {
    ((answer *)ctx)->keys |= UINT64_C(1) << key->integer;
    return true;
}

static bool ask(sl_realm *realm, sl_str text, answer *found, sl_buf *printed) {
    sl_predicate *p;
    uint64_t budget = 100000;
    found->keys = 0;
    if (!sl_predicate_parse(sl_realm_schema(realm), sl_str_c(class_name), text, NULL, 0, NULL, &p,
                            NULL))
        return false;
    bool ok = sl_predicate_run(p, realm, &budget, note, found, NULL);
    if (ok && printed) require(sl_predicate_print(p, printed));
    sl_predicate_free(p);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static sl_realm *realm;
    if (!realm) realm = make_realm();
    answer first, second;
    sl_buf printed;
    sl_buf_init(&printed, NULL);
    if (size < 4000 && ask(realm, sl_str_of((const char *)data, size), &first, &printed)) {
        require(ask(realm, sl_str_of(printed.data, printed.size), &second, NULL));
        require(first.keys == second.keys);
    }
    sl_buf_free(&printed);
    return 0;
}
