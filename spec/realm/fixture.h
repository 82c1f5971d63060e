/* fixture.h - a realm with its changeset, and short ways to write, apply and compare. */
#ifndef SPEC_REALM_FIXTURE_H
#define SPEC_REALM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "notation.h"
#include "realm/apply.h"
#include "realm/change.h"
#include "realm/read.h"
#include "realm/record.h"
#include "realm/state.h"

typedef struct fixture {
    sl_realm *realm;
    sl_changeset cs;
    sl_status st;
    sl_buf bytes;
} fixture;

static inline void open_fixture(fixture *f, const sl_realm_options *options) {
    memset(f, 0, sizeof *f);
    f->st = (sl_status)SL_STATUS_INIT;
    sl_changeset_init(&f->cs, NULL);
    sl_buf_init(&f->bytes, NULL);
    assert_true(sl_realm_open(&f->realm, options, &f->st));
}

static inline void close_fixture(fixture *f) {
    sl_realm_close(f->realm);
    sl_changeset_free(&f->cs);
    sl_buf_free(&f->bytes);
}

/* Fails the test with the status' text. */
static inline void must_at(bool ok, const sl_status *st, int line) {
    if (ok) return;
    print_error("line %d: %s %s\n", line, st->id, st->message);
    fail();
}
#define MUST(f, call) must_at(call, &(f)->st, __LINE__)

/* --- applying --- */

/* Applies instructions in short notation in a transaction of their own. */
static inline bool try_apply(fixture *f, const char *text) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, text));
    f->st = (sl_status)SL_STATUS_INIT;
    bool ok = sl_realm_begin(f->realm, &f->st) && sl_realm_apply(f->realm, &cs, &f->st) &&
              sl_realm_flush(f->realm, &f->st);
    if (ok)
        sl_realm_commit(f->realm);
    else
        sl_realm_discard(f->realm);
    sl_changeset_free(&cs);
    return ok;
}
#define APPLY(f, text) MUST(f, try_apply(f, text))

/* --- state --- */

/* The STATE text; to be freed. */
static inline char *state_of(sl_realm *realm) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    assert_true(sl_realm_state_text(realm, &out, NULL));
    sl_buf_byte(&out, 0);
    return out.data;
}

/* Whether the state text contains `part`. */
static inline void expect_part(sl_realm *realm, const char *part, int line) {
    char *text = state_of(realm);
    if (!strstr(text, part)) {
        print_error("line %d: no %s in\n%s\n", line, part, text);
        fail();
    }
    free(text);
}
#define HAS(f, part) expect_part((f)->realm, part, __LINE__)

/* --- writing --- */

static inline sl_key int_key(int64_t number) {
    return (sl_key){.type = SL_TYPE_INT, .integer = number};
}
static inline sl_key text_key(const char *text) {
    return (sl_key){.type = SL_TYPE_STRING, .string = sl_str_c(text)};
}
static inline sl_key null_key(void) {
    return (sl_key){.type = SL_TYPE_NULL};
}
static inline sl_key global_key(uint64_t hi, uint64_t lo) {
    return (sl_key){.type = SL_TYPE_GLOBALKEY, .global = {hi, lo}};
}
/* The object id 5f 00 ... 00 `last`. */
static inline sl_key oid_key(uint8_t last) {
    sl_key key = {.type = SL_TYPE_OBJECTID};
    memset(key.objectid, 0, sizeof key.objectid);
    key.objectid[0] = 0x5f;
    key.objectid[11] = last;
    return key;
}
static inline void fill_uuid(uint8_t *uuid) {
    static const uint8_t digits[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    memcpy(uuid, digits, 8);
    memcpy(uuid + 8, digits, 8);
}

static inline sl_value null_value(void) {
    return (sl_value){.type = SL_TYPE_NULL};
}
static inline sl_value integer(int64_t number) {
    return (sl_value){.type = SL_TYPE_INT, .integer = number};
}
static inline sl_value text(const char *s) {
    return (sl_value){.type = SL_TYPE_STRING, .string = sl_str_c(s)};
}
static inline sl_value real(double number) {
    return (sl_value){.type = SL_TYPE_DOUBLE, .real = number};
}
static inline sl_value made(int8_t type) {
    return (sl_value){.type = type};
}
static inline sl_value link_to(sl_link *link, const char *cls, sl_key key) {
    *link = (sl_link){sl_str_c(cls), key};
    return (sl_value){.type = SL_TYPE_LINK, .link = link};
}

/* A place: property and steps separated by '/'; a step of digits is an index. Valid until the next
 * call. */
static inline const sl_place *at(const char *cls, sl_key key, const char *path) {
    static sl_place place;
    static sl_step steps[SL_MAX_PATH];
    static char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    place = (sl_place){.class_name = sl_str_c(cls), .key = key, .steps = steps};
    char *part = strtok(copy, "/");
    place.property = sl_str_c(part);
    while ((part = strtok(NULL, "/"))) {
        bool digits = strspn(part, "0123456789") == strlen(part);
        sl_step *step = &steps[place.step_count++];
        *step = (sl_step){.is_index = digits};
        if (digits)
            step->index = (uint32_t)strtoul(part, NULL, 10);
        else
            step->name = sl_str_c(part);
    }
    return &place;
}

static inline bool write_value(fixture *f, const sl_place *place, sl_value value) {
    return sl_record_set(f->realm, place, &value, false, &f->st);
}
#define SET(f, place, value) MUST(f, write_value(f, place, value))

static inline bool write_insert(fixture *f, const sl_place *place, uint32_t index, sl_value value) {
    return sl_record_list_insert(f->realm, place, index, &value, &f->st);
}
#define INSERT(f, place, index, value) MUST(f, write_insert(f, place, index, value))

static inline bool write_add(fixture *f, const sl_place *place, sl_value value) {
    return sl_record_set_insert(f->realm, place, &value, NULL, &f->st);
}
#define ADD(f, place, value) MUST(f, write_add(f, place, value))

static inline bool write_remove(fixture *f, const sl_place *place, sl_value value) {
    return sl_record_set_erase(f->realm, place, &value, NULL, &f->st);
}
#define REMOVE(f, place, value) MUST(f, write_remove(f, place, value))

static inline bool write_create(fixture *f, const char *cls, sl_key key) {
    return sl_record_create(f->realm, sl_str_c(cls), &key, NULL, NULL, &f->st);
}
#define CREATE(f, cls, key) MUST(f, write_create(f, cls, key))

static inline bool write_erase(fixture *f, const char *cls, sl_key key) {
    return sl_record_erase(f->realm, sl_str_c(cls), &key, &f->st);
}
#define ERASE(f, cls, key) MUST(f, write_erase(f, cls, key))

static inline void begin(fixture *f) {
    sl_changeset_reset(&f->cs);
    MUST(f, sl_realm_begin_write(f->realm, &f->cs, 0, &f->st));
}

static inline void commit(fixture *f) {
    MUST(f, sl_realm_flush(f->realm, &f->st));
    sl_realm_commit(f->realm);
}

/* Commits and compares the bytes recorded with `hex`. */
static inline void expect_bytes(fixture *f, const char *hex, int line) {
    commit(f);
    sl_buf_clear(&f->bytes);
    MUST(f, sl_changeset_encode(&f->cs, SL_ENCODE_AS_PARSED, &f->bytes, &f->st));
    char *got = calloc(f->bytes.size + 1, 2);
    assert_non_null(got);
    for (size_t i = 0; i < f->bytes.size; i++)
        snprintf(got + 2 * i, 3, "%02x", (unsigned char)f->bytes.data[i]);
    if (strcmp(got, hex) != 0) {
        print_error("line %d:\nexpected %s\ngot      %s\n", line, hex, got);
        fail();
    }
    free(got);
}
#define RECORDED(f, hex) expect_bytes(f, hex, __LINE__)

#endif
