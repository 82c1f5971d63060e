/* client_file.h - a client's realm file in a test: memory disk, store, realm, history, on clocks
 * and chance that the test owns. */
#ifndef SL_SPEC_CLIENT_FILE_H
#define SL_SPEC_CLIENT_FILE_H

#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "history/client_history.h"
#include "realm/record.h"
#include "realm/state.h"
#include "store/memory_store.h"

/* Clocks that stand still until told otherwise, and a seeded generator. */
typedef struct test_env {
    sl_env env;
    int64_t wall, mono;
    uint64_t seed;
} test_env;

static inline int64_t test_wall(void *ctx) {
    return ((test_env *)ctx)->wall;
}
static inline int64_t test_mono(void *ctx) {
    return ((test_env *)ctx)->mono;
}
static inline uint64_t test_random(test_env *env) {
    uint64_t z = (env->seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static inline void test_fill(void *ctx, void *data, size_t size) {
    unsigned char *out = data;
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)test_random(ctx);
}
static inline void test_env_init(test_env *env, uint64_t seed) {
    env->env = (sl_env){test_wall, test_mono, test_fill, env};
    env->wall = INT64_C(1700000000000);
    env->mono = 1000;
    env->seed = seed;
}

typedef struct client_file {
    const sl_alloc *alloc;
    test_env *env;
    bool fast_commits;
    sl_memory_disk *disk;
    sl_store *store;
    sl_realm *realm;
    sl_client_history *history;
} client_file;

static inline void file_fatal(const char *what, const sl_status *st) {
    fprintf(stderr, "%s: %s %d %s %s\n", what, sl_status_class_name(st->cls), st->code, st->id,
            st->message);
    abort();
}

/* Closes what is open; the disk stays. */
static inline void file_close(client_file *file) {
    sl_client_history_close(file->history);
    sl_realm_close(file->realm);
    if (file->store) file->store->vtbl->close(file->store);
    file->history = NULL;
    file->realm = NULL;
    file->store = NULL;
}

/* Opens store, realm and history on the disk, which is made if there is none. */
static inline bool file_try_open(client_file *file, sl_status *st) {
    if (!file->disk) file->disk = sl_memory_disk_new(file->alloc);
    if (!file->disk) return sl_fail_memory(st);
    if (!sl_memory_disk_open(file->disk, &file->store, st)) return false;
    sl_realm_options realm = {.alloc = file->alloc,
                              .source = file->store->vtbl->source(file->store)};
    sl_client_history_options history = {
        .alloc = file->alloc, .env = &file->env->env, .fast_commits = file->fast_commits};
    if (sl_realm_open(&file->realm, &realm, st))
        file->history = sl_client_history_open(file->store, file->realm, &history, st);
    if (file->history) return true;
    file_close(file);
    return false;
}

static inline void file_open(client_file *file, test_env *env) {
    sl_status st = SL_STATUS_INIT;
    file->env = env;
    if (!file_try_open(file, &st)) file_fatal("open", &st);
}

static inline void file_free(client_file *file) {
    file_close(file);
    sl_memory_disk_free(file->disk);
    file->disk = NULL;
}

/* The process or the machine ends; then it starts again. */
static inline void file_crash(client_file *file, sl_memory_crash kind) {
    sl_memory_disk_crash(file->disk, kind);
    file_close(file);
    file_open(file, file->env);
}

/* ---- local writes: class Item with _id, name, n, tags (list of strings) ---------------------- */

static inline bool item_schema(sl_realm *realm, sl_status *st) {
    sl_property properties[3] = {
        {.name = SL_STR("name"), .type = SL_TYPE_STRING, .target = SL_STR("")},
        {.name = SL_STR("n"), .type = SL_TYPE_INT, .target = SL_STR("")},
        {.name = SL_STR("tags"),
         .type = SL_TYPE_STRING,
         .collection = SL_LIST,
         .target = SL_STR("")}};
    sl_class item = {.name = SL_STR("Item"),
                     .has_key = true,
                     .key_name = SL_STR("_id"),
                     .key_type = SL_TYPE_INT,
                     .properties = properties,
                     .property_count = 3};
    sl_schema_definition definition = {&item, 1};
    return sl_record_schema(realm, &definition, NULL, st);
}

static inline sl_key int_key(int64_t id) {
    sl_key key = {.type = SL_TYPE_INT};
    key.integer = id;
    return key;
}

static inline sl_place item_place(int64_t id, const char *property) {
    return (sl_place){
        .class_name = SL_STR("Item"), .key = int_key(id), .property = sl_str_c(property)};
}

static inline sl_value string_value(const char *text) {
    sl_value value = {.type = SL_TYPE_STRING};
    value.string = sl_str_c(text);
    return value;
}

static inline bool item_create(sl_realm *realm, int64_t id, sl_status *st) {
    sl_key key = int_key(id);
    bool created;
    return sl_record_create(realm, SL_STR("Item"), &key, NULL, &created, st);
}

static inline bool item_name(sl_realm *realm, int64_t id, const char *name, sl_status *st) {
    sl_place place = item_place(id, "name");
    sl_value value = string_value(name);
    return sl_record_set(realm, &place, &value, false, st);
}

static inline bool item_add(sl_realm *realm, int64_t id, int64_t delta, sl_status *st) {
    sl_place place = item_place(id, "n");
    return sl_record_add_integer(realm, &place, delta, st);
}

static inline bool item_tag(sl_realm *realm, int64_t id, uint32_t at, const char *tag,
                            sl_status *st) {
    sl_place place = item_place(id, "tags");
    sl_value value = string_value(tag);
    return sl_record_list_insert(realm, &place, at, &value, st);
}

static inline bool item_untag(sl_realm *realm, int64_t id, uint32_t at, sl_status *st) {
    sl_place place = item_place(id, "tags");
    return sl_record_list_erase(realm, &place, at, st);
}

static inline bool item_erase(sl_realm *realm, int64_t id, sl_status *st) {
    sl_key key = int_key(id);
    return sl_record_erase(realm, SL_STR("Item"), &key, st);
}

/* One transaction around `body`, which uses `realm` and `st`; ends the program if it fails. */
#define FILE_WRITE(file, body)                                                                     \
    do {                                                                                           \
        sl_status write_st = SL_STATUS_INIT, *st = &write_st;                                      \
        sl_realm *realm = (file)->realm;                                                           \
        (void)realm;                                                                               \
        if (!sl_client_history_begin((file)->history, st)) file_fatal("begin", st);                \
        if (!(body)) file_fatal(#body, st);                                                        \
        if (!sl_client_history_commit((file)->history, NULL, st)) file_fatal("commit", st);        \
    } while (0)

/* The content of the realm as text; the caller frees `out`. */
static inline void file_state(client_file *file, sl_buf *out) {
    sl_status st = SL_STATUS_INIT;
    sl_buf_clear(out);
    if (!sl_realm_state_text(file->realm, out, &st)) file_fatal("state", &st);
    sl_buf_byte(out, 0);
}

#endif
