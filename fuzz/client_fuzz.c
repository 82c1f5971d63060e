/* A server that says anything in any order to one client. Input: runs of one octet (what happens
 * first: a local write, a lost link, time), two octets of length, and a message. Whatever comes,
 * the client's messages have to parse, and what it stored has to make sense after a restart. */
#include <stdlib.h>
#include <string.h>

#include "protocol/client_message.h"
#include "protocol/errors.h"
#include "realm/record.h"
#include "session/client_session.h"
#include "store/memory_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    sl_env env;
    int64_t now;
    uint64_t chance;
    sl_memory_disk *disk;
    sl_store *store;
    sl_realm *realm;
    sl_client_history *history;
    sl_client_connection *connection;
    sl_client_session *session;
    uint64_t attempt;
    int64_t written;
    bool resets;
} world;

static void require(int ok) {
    if (!ok) abort();
}

static int64_t clock_of(void *ctx) {
    return ((world *)ctx)->now;
}

static void chance_of(void *ctx, void *data, size_t size) {
    world *w = ctx;
    uint64_t value = ++w->chance;
    memset(data, 0, size);
    memcpy(data, &value, size < sizeof value ? size : sizeof value);
}

static void open_history(world *w) {
    sl_client_history_options options = {.env = &w->env};
    require(sl_memory_disk_open(w->disk, &w->store, NULL));
    sl_realm_options realm = {.source = w->store->vtbl->source(w->store)};
    require(sl_realm_open(&w->realm, &realm, NULL));
    w->history = sl_client_history_open(w->store, w->realm, &options, NULL);
    require(w->history != NULL);
}

static void close_history(world *w) {
    sl_client_history_close(w->history);
    sl_realm_close(w->realm);
    w->store->vtbl->close(w->store);
}

static void install_state(world *w) {
    close_history(w);
    require(sl_memory_state_install(w->disk));
    open_history(w);
    require(sl_client_session_adopt(w->session, w->history, NULL));
}

static void open_connection(world *w) {
    sl_client_connection_options options = {
        .env = &w->env, .route = SL_STR("/r"), .max_inflated = 1 << 20};
    sl_client_session_options session = {.path = SL_STR("\"p\""),
                                         .no_upload_delay = true,
                                         .subserver = true,
                                         .state_transfer = true};
    w->connection = sl_client_connection_new(&options, NULL);
    require(w->connection != NULL);
    w->session = sl_client_session_open(w->connection, w->history, &session, NULL);
    require(w->session != NULL);
}

static void drain(world *w) {
    sl_client_event event;
    while (sl_client_connection_next_event(w->connection, &event)) {
        if (event.type == SL_CLIENT_CONNECT) w->attempt = event.attempt;
        if (event.type == SL_CLIENT_STATE_READY) install_state(w);
        if (event.type == SL_CLIENT_ERROR) require(event.error.message[239] == 0);
        if (event.type == SL_CLIENT_ERROR && event.error.client_reset) w->resets = true;
    }
}

static void write_locally(world *w) {
    sl_class item = {.name = SL_STR("Item"),
                     .has_key = true,
                     .key_name = SL_STR("_id"),
                     .key_type = SL_TYPE_INT};
    sl_schema_definition definition = {&item, 1};
    sl_key key = {.type = SL_TYPE_INT};
    bool created;
    key.integer = w->written++;
    require(sl_client_history_begin(w->history, NULL));
    if (sl_record_schema(w->realm, &definition, NULL, NULL) &&
        sl_record_create(w->realm, item.name, &key, NULL, &created, NULL))
        require(sl_client_history_commit(w->history, NULL, NULL));
    else
        sl_client_history_rollback(w->history);
}

/* Asks the server to create an object, if the class is there. */
static void transact(world *w) {
    sl_key key = {.type = SL_TYPE_INT};
    bool created;
    uint64_t request;
    key.integer = 1000 + w->written++;
    if (!sl_client_session_may_transact(w->session)) return;
    require(sl_client_history_begin(w->history, NULL));
    if (sl_record_create(w->realm, SL_STR("Item"), &key, NULL, &created, NULL))
        (void)sl_client_session_transact(w->session, &request, NULL);
    else
        sl_client_history_rollback(w->history);
    require(!sl_client_history_writing(w->history));
}

/* Waits until the client is connected again, on protocol 14 or an old one, to a server that has
 * states or not. */
static void connect(world *w, bool old, bool states) {
    for (int i = 0; i < 4; i++) {
        drain(w);
        if (sl_client_connection_state(w->connection) == SL_CONNECTION_CONNECTED) return;
        unsigned features =
            SL_FEATURE_TRANSACT | SL_FEATURE_ALLOC | (states ? SL_FEATURE_STATE : 0u);
        sl_client_connection_set_features(w->connection, w->attempt, features);
        if (sl_client_connection_state(w->connection) == SL_CONNECTION_CONNECTING)
            require(sl_client_connection_opened(w->connection, w->attempt,
                                                old ? SL_STR("com.mongodb.realm-sync#5")
                                                    : SL_STR("com.mongodb.realm-sync#14"),
                                                NULL));
        else
            require(sl_client_connection_reconnect_now(w->connection, NULL));
    }
}

static void take(world *w) {
    sl_buf out;
    bool any = true;
    sl_buf_init(&out, NULL);
    for (int i = 0; any && i < 64; i++) {
        sl_client_message msg;
        sl_dialect dialect = {sl_client_connection_version(w->connection), false};
        sl_buf_clear(&out);
        require(sl_client_connection_send(w->connection, &out, &any, NULL));
        require(!any || sl_client_message_parse(&msg, dialect, out.data, out.size, NULL));
        drain(w);
    }
    require(!any);
    sl_buf_free(&out);
}

static void happen(world *w, uint8_t what) {
    if (what & 1) write_locally(w);
    uint64_t request;
    if (what & 64) transact(w);
    if (what & 128) require(sl_client_session_allocate(w->session, &request, NULL));
    if (what & 2)
        require(sl_client_connection_lost(w->connection, w->attempt, SL_CLOSE_READ_ERROR,
                                          SL_STR("lost"), NULL));
    if (what & 4) w->now += 70000;
    if (what & 8) require(sl_client_session_restart(w->session, NULL));
    require(sl_client_connection_step(w->connection, NULL));
    connect(w, what & 16, what & 32);
    take(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w = {.now = INT64_C(1700000000000)};
    w.env = (sl_env){clock_of, clock_of, chance_of, &w};
    w.disk = sl_memory_disk_new(NULL);
    require(w.disk != NULL);
    open_history(&w);
    open_connection(&w);
    while (size >= 3) {
        size_t length = (size_t)data[1] << 8 | data[2];
        happen(&w, data[0]);
        data += 3;
        size -= 3;
        if (length > size) length = size;
        require(sl_client_connection_receive(w.connection, w.attempt, data, length, NULL));
        drain(&w);
        take(&w);
        data += length;
        size -= length;
    }
    uint64_t version = sl_client_history_version(w.history);
    sl_client_connection_free(w.connection);
    close_history(&w);
    open_history(&w);
    require(sl_client_history_version(w.history) == version);
    close_history(&w);
    sl_memory_disk_free(w.disk);
    return 0;
}
