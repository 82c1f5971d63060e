/* A state from a server that means no good: the pages of an SQLite file. Input: runs of three
 * octets of place and one octet to be put there, over a small sound file. Whatever it says, opening
 * it fails, or everything in it can be read. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "realm/realm.h"
#include "realm/record.h"
#include "realm/state.h"
#include "store/sqlite_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], server[128], client[128];
static sl_store *receiver;
static sl_buf sound;

static void require(int ok) {
    if (!ok) abort();
}

static const sl_state_store *states_of(sl_store *store) {
    return store->vtbl->states(store);
}

static void remove_all(void) {
    char command[128];
    receiver->vtbl->close(receiver);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) perror(command);
}

static void fill(sl_store *store) {
    sl_property properties[] = {
        {.name = SL_STR("s"), .type = SL_TYPE_STRING, .target = SL_STR("")},
        {.name = SL_STR("t"), .type = SL_TYPE_TIMESTAMP, .target = SL_STR("")},
        {.name = SL_STR("d"), .type = SL_TYPE_DECIMAL, .target = SL_STR("")},
        {.name = SL_STR("o"), .type = SL_TYPE_OBJECTID, .target = SL_STR("")},
        {.name = SL_STR("m"), .type = SL_TYPE_MIXED, .nullable = true, .target = SL_STR("")},
        {.name = SL_STR("l"), .type = SL_TYPE_INT, .collection = SL_LIST, .target = SL_STR("")},
        {.name = SL_STR("k"), .type = SL_TYPE_LINK, .nullable = true, .target = SL_STR("A")}};
    sl_class cls = {.name = SL_STR("A"),
                    .has_key = true,
                    .key_name = SL_STR("_id"),
                    .key_type = SL_TYPE_STRING,
                    .properties = properties,
                    .property_count = sizeof properties / sizeof *properties};
    sl_schema_definition definition = {&cls, 1};
    sl_realm *realm = NULL;
    sl_realm_options options = {.source = store->vtbl->source(store)};
    sl_changeset recorded;
    sl_changeset_init(&recorded, NULL);
    require(sl_realm_open(&realm, &options, NULL));
    require(store->vtbl->begin(store, NULL));
    require(sl_realm_begin_write(realm, &recorded, 1, NULL));
    require(sl_record_schema(realm, &definition, NULL, NULL));
    for (int i = 0; i < 20; i++) {
        char name[20];
        bool created;
        snprintf(name, sizeof name, "object %d", i);
        sl_key key = {.type = SL_TYPE_STRING};
        key.string = sl_str_c(name);
        require(sl_record_create(realm, SL_STR("A"), &key, NULL, &created, NULL));
    }
    sl_history_entry entry = {
        .version = 1, .salt = 5, .changeset = SL_STR(""), .original = SL_STR("")};
    require(sl_realm_flush(realm, NULL));
    require(store->vtbl->entry_append(store, &entry, NULL));
    require(store->vtbl->commit(store, true, NULL));
    sl_realm_commit(realm);
    sl_realm_close(realm);
    sl_changeset_free(&recorded);
}

/* The pages of the state of a sound file. */
static void prepare(void) {
    sl_store *store = NULL;
    bool done = false;
    static char blocks[SL_STATE_SEGMENT_BYTES];
    snprintf(folder, sizeof folder, "%s/syncline-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    require(mkdtemp(folder) != NULL);
    snprintf(server, sizeof server, "%s/server", folder);
    snprintf(client, sizeof client, "%s/client", folder);
    require(sl_sqlite_open(server, NULL, &store, NULL));
    require(sl_sqlite_open(client, NULL, &receiver, NULL));
    fill(store);
    const sl_state_store *states = states_of(store);
    sl_state_facts facts;
    sl_buf stream;
    sl_buf_init(&stream, NULL);
    sl_buf_init(&sound, NULL);
    require(states->make_begin(states->ctx, NULL));
    while (!done)
        require(states->make_step(states->ctx, &done, NULL));
    states->kept(states->ctx, &facts);
    require(states->kept_read(states->ctx, 0, SIZE_MAX / 2, &stream, NULL));
    sl_str left = sl_str_of(stream.data, stream.size);
    while (left.size > 0) {
        size_t size = 0;
        require(sl_state_unpack(NULL, &left, blocks, &size, NULL));
        sl_buf_add(&sound, blocks, size);
    }
    sl_buf_free(&stream);
    store->vtbl->close(store);
    atexit(remove_all);
}

static bool see(void *ctx, const sl_key *key) {
    (void)key;
    ++*(uint64_t *)ctx;
    return true;
}

static void read_everything(sl_store *store) {
    sl_realm *realm = NULL;
    uint64_t findings = 0, keys = 0;
    sl_status st = SL_STATUS_INIT;
    sl_buf text;
    sl_buf_init(&text, NULL);
    const sl_realm_source *source = store->vtbl->source(store);
    sl_realm_options options = {.source = source};
    if (sl_realm_open(&realm, &options, &st)) {
        sl_realm_state_text(realm, &text, &st);
        const sl_schema *schema = sl_realm_schema(realm);
        for (uint32_t i = 0; i < schema->count; i++)
            source->object_scan(source->ctx, schema->classes[i], see, &keys, &st);
    }
    sl_realm_close(realm);
    sl_sqlite_check(store, NULL, NULL, &findings, &st);
    sl_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!receiver) prepare();
    static char file[1 << 18];
    require(sound.size <= sizeof file);
    memcpy(file, sound.data, sound.size);
    for (; size >= 4; data += 4, size -= 4)
        file[((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % sound.size] = (char)data[3];
    const sl_state_store *states = states_of(receiver);
    sl_store *part = NULL;
    bool found = false;
    sl_status st = SL_STATUS_INIT;
    require(states->part_begin(states->ctx, 0, &found, NULL));
    require(states->part_add(states->ctx, sl_str_of(file, sound.size), NULL));
    if (!states->part_open(states->ctx, &part, &st)) {
        require(st.cls == SL_ERR_STORAGE);
        return 0;
    }
    read_everything(part);
    part->vtbl->close(part);
    return 0;
}
