/* Clients that say anything in any order to one server file. Input: runs of one octet (which
 * client, and whether the file works afterwards), two octets of length, and a message. Whatever
 * comes, the server's answers have to parse and nobody may crash, leak or hang. */
#include <stdlib.h>
#include <string.h>

#include "protocol/server_message.h"
#include "session/server_connection.h"
#include "store/memory_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 4 };

typedef struct world {
    sl_env env;
    int64_t now;
    uint64_t chance;
    sl_server_file *file;
    sl_server_connection *clients[CLIENTS];
} world;

static void require(int ok) {
    if (!ok) abort();
}

static int64_t clock_of(void *ctx) {
    return ((world *)ctx)->now;
}

/* Salts are small, so that the fuzzer can guess them. */
static void chance_of(void *ctx, void *data, size_t size) {
    world *w = ctx;
    uint64_t value = ++w->chance << 1;
    memset(data, 0, size);
    memcpy(data, &value, size < sizeof value ? size : sizeof value);
}

static bool open_file(void *ctx, const sl_bind_request *request, sl_server_file **file,
                      sl_access *access, sl_status *st) {
    world *w = ctx;
    (void)st;
    *file = w->file;
    *access = request->kind == SL_PARTITION_NULL  ? SL_ACCESS_NONE
              : request->kind == SL_PARTITION_INT ? SL_ACCESS_READ
                                                  : SL_ACCESS_WRITE;
    return true;
}

static const sl_server_host host = {.open = open_file};
static const int versions[CLIENTS] = {14, 13, 8, 3};

static void connect_client(world *w, int i) {
    sl_server_connection_options options = {.env = &w->env,
                                            .host = &host,
                                            .ctx = w,
                                            .dialect = {versions[i], false},
                                            .authenticated = true,
                                            .max_inflated = 1 << 20,
                                            .max_sessions = 4};
    sl_server_connection_free(w->clients[i]);
    w->clients[i] = sl_server_connection_new(&options, NULL);
    require(w->clients[i] != NULL);
}

static void take(world *w, int i) {
    for (bool any = true; any;) {
        sl_buf out;
        sl_server_message msg;
        sl_buf_init(&out, NULL);
        require(sl_server_connection_send(w->clients[i], &out, &any, NULL));
        sl_dialect dialect = {versions[i], false};
        require(!any || sl_server_message_parse(&msg, dialect, out.data, out.size, NULL));
        sl_buf_free(&out);
    }
}

static void open_world(world *w) {
    sl_store *store = NULL;
    w->now = INT64_C(1700000000000);
    w->env = (sl_env){clock_of, clock_of, chance_of, w};
    sl_server_file_options options = {.env = &w->env, .max_backlog = 1 << 20};
    require(sl_memory_open(NULL, &store, NULL));
    w->file = sl_server_file_open(store, &options, NULL);
    require(w->file != NULL);
    for (int i = 0; i < CLIENTS; i++)
        connect_client(w, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w = {0};
    open_world(&w);
    while (size >= 3) {
        int i = data[0] % CLIENTS;
        size_t length = (size_t)data[1] << 8 | data[2];
        bool work = data[0] & 128;
        data += 3;
        size -= 3;
        if (length > size) length = size;
        require(sl_server_connection_receive(w.clients[i], data, length, NULL));
        data += length;
        size -= length;
        if (work) require(sl_server_file_work(w.file, NULL));
        for (int c = 0; c < CLIENTS; c++)
            take(&w, c);
        if (sl_server_connection_wish(w.clients[i]).kind != SL_WISH_STAY) connect_client(&w, i);
    }
    for (int i = 0; i < CLIENTS; i++)
        sl_server_connection_free(w.clients[i]);
    sl_server_file_close(w.file);
    return 0;
}
