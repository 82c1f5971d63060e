/* pair_world.h - a server file and some clients in one process, joined by queues of messages: every
 * step is chosen by the test, so every schedule can be made and repeated. Include after cmocka.h.
 *
 * Links carry whole messages in both directions and can be cut between any two. Server and clients
 * can crash; what survives is what their disks kept. */
#ifndef SL_SPEC_PAIR_WORLD_H
#define SL_SPEC_PAIR_WORLD_H

#include "client_file.h"
#include "protocol/errors.h"
#include "session/client_session.h"
#include "session/server_connection.h"

enum { WORLD_CLIENTS = 4 };

/* Messages on the way, oldest first. */
typedef struct world_queue {
    sl_buf *items;
    size_t count;
} world_queue;

typedef struct world_client {
    struct world *world;
    test_env env;
    client_file file;
    sl_client_connection *connection;
    sl_client_session *session;
    sl_server_connection *peer; /* the server's end of the link, NULL = no link */
    uint64_t attempt;
    bool wants_link;
    world_queue to_server, to_client;
    size_t errors, resets, integrated, waits_done, waits_failed;
    bool subserver;      /* its file is a server's; set before world_add_client */
    uint64_t idents[16]; /* that were allocated for it, in order; 0 = given up */
    size_t ident_count;
    bool asks_for_state; /* its session asks for a state; set before world_start_client */
    size_t state_parts, states;
    uint64_t state_done, state_octets;        /* progress, and octets of all STATE bodies */
    size_t outcomes[SL_TRANSACT_UNKNOWN + 1]; /* of serialized transactions */
    char last_error[240];
} world_client;

typedef struct world {
    test_env env;
    sl_memory_disk *disk;
    sl_server_file *file;
    sl_server_host host;
    world_client clients[WORLD_CLIENTS];
    size_t client_count;
    int version;
    unsigned switched_off; /* set of sl_feature that the server has not */
    sl_access access;
    bool trace;
    bool making_state, no_states;
    uint64_t min_state, state_age;
    size_t max_download;
    unsigned features;
} world;

/* ---- queues ---------------------------------------------------------------------------------- */

static inline void queue_push(world_queue *queue, const sl_buf *message) {
    queue->items = realloc(queue->items, (queue->count + 1) * sizeof *queue->items);
    sl_buf *item = &queue->items[queue->count++];
    sl_buf_init(item, NULL);
    sl_buf_add(item, message->data, message->size);
}

static inline sl_buf queue_pop(world_queue *queue) {
    sl_buf item = queue->items[0];
    queue->count--;
    memmove(queue->items, queue->items + 1, queue->count * sizeof *queue->items);
    return item;
}

static inline void queue_clear(world_queue *queue) {
    for (size_t i = 0; i < queue->count; i++)
        sl_buf_free(&queue->items[i]);
    free(queue->items);
    *queue = (world_queue){0};
}

/* ---- server ---------------------------------------------------------------------------------- */

static inline bool world_open_file(void *ctx, const sl_bind_request *request, sl_server_file **file,
                                   sl_access *access, sl_status *st) {
    (void)request;
    (void)st;
    *file = ((world *)ctx)->file;
    *access = ((world *)ctx)->access;
    return true;
}
static inline void world_release_file(void *ctx, sl_server_file *file) {
    (void)ctx;
    (void)file;
}
static inline void world_wake(void *ctx) {
    (void)ctx;
}
static inline void world_trouble(void *ctx, const sl_status *status) {
    if (((world *)ctx)->trace) fprintf(stderr, "server trouble: %s\n", status->message);
}

static inline void world_on_state(void *ctx, sl_server_file *file) {
    (void)file;
    ((world *)ctx)->making_state = true;
}

static inline void world_start_server(world *w) {
    sl_status st = SL_STATUS_INIT;
    sl_store *store = NULL;
    if (!w->disk) w->disk = sl_memory_disk_new(NULL);
    if (!sl_memory_disk_open(w->disk, &store, &st)) file_fatal("server store", &st);
    sl_server_file_options options = {.env = &w->env.env,
                                      .on_state = w->no_states ? NULL : world_on_state,
                                      .min_state = w->min_state ? w->min_state : 1,
                                      .state_age = w->state_age,
                                      .ctx = w};
    w->making_state = false;
    w->file = sl_server_file_open(store, &options, &st);
    if (!w->file) file_fatal("server file", &st);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* The state that was received becomes the file. */
static inline void world_install(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    file_close(&c->file);
    if (!sl_memory_state_install(c->file.disk)) abort();
    file_open(&c->file, &c->env);
    if (!sl_client_session_adopt(c->session, c->file.history, &st)) file_fatal("adopt", &st);
    c->states++;
}

static inline void world_drain(world_client *c) {
    sl_client_event event;
    while (c->connection && sl_client_connection_next_event(c->connection, &event)) {
        if (c->world->trace &&
            (event.type == SL_CLIENT_CONNECTION_STATE || event.type == SL_CLIENT_SESSION_STATE))
            fprintf(stderr, "%d at %lld: state %s, delay %lld\n", (int)(c - c->world->clients),
                    (long long)c->env.mono,
                    event.type == SL_CLIENT_SESSION_STATE
                        ? sl_session_state_name((sl_session_state)event.state)
                        : sl_connection_state_name((sl_connection_state)event.state),
                    (long long)event.delay_ms);
        if (event.type == SL_CLIENT_CONNECT) {
            c->attempt = event.attempt;
            c->wants_link = true;
        }
        if (event.type == SL_CLIENT_DISCONNECT && event.attempt == c->attempt) {
            sl_server_connection_free(c->peer);
            c->peer = NULL;
            c->wants_link = false;
            queue_clear(&c->to_server);
            queue_clear(&c->to_client);
        }
        if (event.type == SL_CLIENT_STATE_READY) world_install(c);
        if (event.type == SL_CLIENT_STATE_PROGRESS) {
            c->state_parts++;
            c->state_done = event.done;
        }
        if (event.type == SL_CLIENT_INTEGRATED) c->integrated += event.changesets;
        if (event.type == SL_CLIENT_ALLOCATED && c->ident_count < 16)
            c->idents[c->ident_count++] = event.ident;
        if (event.type == SL_CLIENT_TRANSACTED) c->outcomes[event.code]++;
        if (event.type == SL_CLIENT_WAIT_DONE) event.ok ? c->waits_done++ : c->waits_failed++;
        /* That uploads are cut is only told; programs that cut connections hear it often. */
        bool told = event.type == SL_CLIENT_ERROR && event.error.name &&
                    !strcmp(event.error.name, "upload cut");
        if (event.type == SL_CLIENT_ERROR && !told) {
            c->errors++;
            if (event.error.client_reset) c->resets++;
            snprintf(c->last_error, sizeof c->last_error, "%d %.200s", event.error.code,
                     event.error.message);
            if (c->world->trace) fprintf(stderr, "client error: %s\n", c->last_error);
        }
    }
}

static inline void world_start_client(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    sl_client_connection_options options = {
        .env = &c->env.env, .route = SL_STR("/realm-sync"), .route_verified = true};
    sl_client_session_options session = {.path = SL_STR("\"world\""),
                                         .subserver = c->subserver,
                                         .state_transfer = c->asks_for_state};
    c->connection = sl_client_connection_new(&options, &st);
    if (!c->connection) file_fatal("connection", &st);
    c->session = sl_client_session_open(c->connection, c->file.history, &session, &st);
    if (!c->session) file_fatal("session", &st);
    world_drain(c);
}

static inline world_client *world_add_client_with(world *w, bool asks_for_state) {
    world_client *c = &w->clients[w->client_count++];
    c->world = w;
    c->asks_for_state = asks_for_state;
    test_env_init(&c->env, w->env.seed + 1000 * w->client_count);
    c->env.mono = w->env.mono;
    c->env.wall = w->env.wall;
    file_open(&c->file, &c->env);
    world_start_client(c);
    return c;
}

static inline world_client *world_add_client(world *w) {
    return world_add_client_with(w, false);
}

static inline void world_init(world *w, uint64_t seed, size_t clients) {
    memset(w, 0, sizeof *w);
    test_env_init(&w->env, seed);
    w->version = 14;
    w->features = SL_SERVER_FEATURES;
    w->access = SL_ACCESS_WRITE;
    w->trace = getenv("SYNCLINE_TRACE") != NULL;
    w->host = (sl_server_host){.open = world_open_file,
                               .release = world_release_file,
                               .wake = world_wake,
                               .trouble = world_trouble};
    world_start_server(w);
    for (size_t i = 0; i < clients; i++)
        world_add_client(w);
}

/* The link of a client breaks; messages on the way are lost. */
static inline void world_cut(world_client *c) {
    sl_server_connection_free(c->peer);
    c->peer = NULL;
    queue_clear(&c->to_server);
    queue_clear(&c->to_client);
    c->wants_link = false;
    if (c->connection)
        sl_client_connection_lost(c->connection, c->attempt, SL_CLOSE_READ_ERROR, SL_STR("cut"),
                                  NULL);
    world_drain(c);
}

static inline void world_crash_client(world_client *c, sl_memory_crash kind) {
    sl_server_connection_free(c->peer);
    c->peer = NULL;
    queue_clear(&c->to_server);
    queue_clear(&c->to_client);
    sl_client_connection_free(c->connection);
    c->connection = NULL;
    c->wants_link = false;
    file_crash(&c->file, kind);
    world_start_client(c);
}

static inline void world_crash_server(world *w, sl_memory_crash kind) {
    for (size_t i = 0; i < w->client_count; i++)
        world_cut(&w->clients[i]);
    sl_memory_disk_crash(w->disk, kind);
    sl_server_file_close(w->file);
    world_start_server(w);
}

static inline void world_free(world *w) {
    for (size_t i = 0; i < w->client_count; i++) {
        world_client *c = &w->clients[i];
        sl_server_connection_free(c->peer);
        queue_clear(&c->to_server);
        queue_clear(&c->to_client);
        sl_client_connection_free(c->connection);
        file_free(&c->file);
    }
    sl_server_file_close(w->file);
    sl_memory_disk_free(w->disk);
}

/* ---- single steps; each returns whether there was anything to do ------------------------------
 */

static inline bool world_step_connect(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    world *w = c->world;
    if (!c->wants_link || c->peer) return false;
    char token[64];
    snprintf(token, sizeof token, "com.mongodb.realm-sync#%d", w->version);
    sl_server_connection_options options = {.env = &w->env.env,
                                            .host = &w->host,
                                            .ctx = w,
                                            .dialect = {w->version, false},
                                            .max_download = w->max_download,
                                            .switched_off = w->switched_off,
                                            .authenticated = true};
    c->wants_link = false;
    c->peer = sl_server_connection_new(&options, &st);
    if (!c->peer) file_fatal("server connection", &st);
    sl_client_connection_set_features(c->connection, c->attempt, w->features & ~w->switched_off);
    if (!sl_client_connection_opened(c->connection, c->attempt, sl_str_c(token), &st))
        file_fatal("opened", &st);
    world_drain(c);
    return true;
}

static inline void world_show(const world_client *c, const char *arrow, const sl_buf *message) {
    if (!c->world->trace) return;
    int head = 0;
    while ((size_t)head < message->size && message->data[head] != '\n')
        head++;
    fprintf(stderr, "%d%s %.*s\n", (int)(c - c->world->clients), arrow, head, message->data);
}

static inline bool world_step_client_send(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    sl_buf out;
    bool any = false;
    size_t states = c->states;
    if (!c->peer) return false;
    sl_buf_init(&out, NULL);
    if (!sl_client_connection_send(c->connection, &out, &any, &st)) file_fatal("send", &st);
    if (any) {
        world_show(c, ">", &out);
        if (c->peer) queue_push(&c->to_server, &out);
    }
    sl_buf_free(&out);
    world_drain(c);
    return any || c->states > states;
}

/* The server's end of the link closes: the client sees a close frame or the bare end. */
static inline bool world_step_wish(world_client *c) {
    if (!c->peer || c->to_client.count > 0) return false;
    sl_wish wish = sl_server_connection_wish(c->peer);
    if (wish.kind == SL_WISH_STAY) return false;
    if (wish.kind == SL_WISH_CLOSE)
        sl_client_connection_closed(c->connection, c->attempt, wish.code, wish.reason, NULL);
    world_cut(c);
    return true;
}

static inline bool world_step_server_receive(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    if (!c->peer || c->to_server.count == 0) return false;
    sl_buf message = queue_pop(&c->to_server);
    if (!sl_server_connection_receive(c->peer, message.data, message.size, &st))
        file_fatal("server receive", &st);
    sl_buf_free(&message);
    return true;
}

static inline bool world_step_server_send(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    sl_buf out;
    bool any = false;
    if (!c->peer) return false;
    sl_buf_init(&out, NULL);
    if (!sl_server_connection_send(c->peer, &out, &any, &st)) file_fatal("server send", &st);
    if (any) {
        world_show(c, "<", &out);
        queue_push(&c->to_client, &out);
    }
    sl_buf_free(&out);
    return any;
}

static inline bool world_step_client_receive(world_client *c) {
    sl_status st = SL_STATUS_INIT;
    if (!c->peer || c->to_client.count == 0) return false;
    sl_buf message = queue_pop(&c->to_client);
    if (message.size > 6 && memcmp(message.data, "state ", 6) == 0) c->state_octets += message.size;
    if (!sl_client_connection_receive(c->connection, c->attempt, message.data, message.size, &st))
        file_fatal("receive", &st);
    sl_buf_free(&message);
    world_drain(c);
    return true;
}

static inline bool world_step_server_work(world *w) {
    sl_status st = SL_STATUS_INIT;
    if (w->making_state) {
        if (!sl_server_file_make_state(w->file, &w->making_state, &st)) file_fatal("state", &st);
        return true;
    }
    if (!sl_server_file_waiting(w->file)) return false;
    if (!sl_server_file_work(w->file, &st)) file_fatal("server work", &st);
    return true;
}

static inline bool world_step(world *w, size_t client, unsigned which) {
    world_client *c = &w->clients[client];
    switch (which) {
    case 0:
        return world_step_connect(c);
    case 1:
        return world_step_client_send(c);
    case 2:
        return world_step_server_receive(c);
    case 3:
        return world_step_server_work(w);
    case 4:
        return world_step_server_send(c);
    case 5:
        return world_step_client_receive(c);
    default:
        return world_step_wish(c);
    }
}

/* ---- time and quiet -------------------------------------------------------------------------- */

static inline void world_pass(world *w, int64_t ms) {
    w->env.mono += ms;
    w->env.wall += ms;
    for (size_t i = 0; i < w->client_count; i++) {
        world_client *c = &w->clients[i];
        c->env.mono += ms;
        c->env.wall += ms;
        if (!sl_client_connection_step(c->connection, NULL)) abort();
        world_drain(c);
        if (c->peer) sl_server_connection_step(c->peer);
    }
}

/* Does everything that can be done without time passing. */
static inline void world_run(world *w) {
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < w->client_count; i++)
            for (unsigned which = 0; which < 7; which++)
                while (world_step(w, i, which))
                    busy = true;
    }
}

/* Lets delays end and everything settle: `rounds` seconds at least. */
static inline void world_settle(world *w, int rounds) {
    for (int i = 0; i < rounds; i++) {
        world_run(w);
        world_pass(w, 1000);
    }
    world_run(w);
}

/* Ends the delays of all clients: after many cuts they have grown to minutes. */
static inline void world_reconnect(world *w) {
    for (size_t i = 0; i < w->client_count; i++) {
        sl_client_connection_reconnect_now(w->clients[i].connection, NULL);
        world_drain(&w->clients[i]);
    }
}

/* Whether a client's realm equals the server's; the texts are shown if not. */
static inline bool world_same(world *w, size_t client) {
    sl_status st = SL_STATUS_INIT;
    sl_buf a, b;
    sl_buf_init(&a, NULL);
    sl_buf_init(&b, NULL);
    if (!sl_realm_state_text(sl_server_file_realm(w->file), &a, &st) ||
        !sl_realm_state_text(w->clients[client].file.realm, &b, &st))
        file_fatal("state", &st);
    bool same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
    if (!same)
        fprintf(stderr, "server: %.*s\nclient %zu: %.*s\n", (int)a.size, a.data, client,
                (int)b.size, b.data);
    sl_buf_free(&a);
    sl_buf_free(&b);
    return same;
}

#endif
