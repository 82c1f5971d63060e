/* link.c - one WebSocket between a client and the server. */
#include "protocol/errors.h"
#include "sim/sim_private.h"

#include <stdio.h>

static sl_sim_client *client_of(const sl_sim_link *link) {
    return &link->sim->clients[link->client];
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

bool sl_sim_link_begin(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_sim_link *link = sl_new_zero(sim->options.alloc, 1, sizeof *link);
    if (!link) return false;
    link->sim = sim;
    link->client = client->number;
    link->attempt = client->attempt;
    link->attached = true;
    link->version = client->version ? client->version : SL_PROTOCOL_MAX;
    if (sim->version && sim->version < link->version) link->version = sim->version;
    link->opens_at = sim->now + 2 * client->link_options.latency_ms;
    link->client_lost_at = link->server_lost_at = SL_SIM_NEVER;
    link->client_sends_at = link->server_sends_at = SL_SIM_NEVER;
    sl_sim_pipe_init(&link->up, sim->options.alloc);
    sl_sim_pipe_init(&link->down, sim->options.alloc);
    link->next = sim->links;
    sim->links = link;
    client->link = link;
    return true;
}

static void note_peak(sl_sim_link *link) {
    if (link->up.peak > link->sim->peak) link->sim->peak = link->up.peak;
    if (link->down.peak > link->sim->peak) link->sim->peak = link->down.peak;
}

void sl_sim_link_free(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    sl_sim_link **at = &sim->links;
    while (*at && *at != link)
        at = &(*at)->next;
    if (*at) *at = link->next;
    note_peak(link);
    if (client_of(link)->link == link) client_of(link)->link = NULL;
    sl_server_connection_free(link->peer);
    sl_sim_pipe_free(&link->up);
    sl_sim_pipe_free(&link->down);
    sl_delete(sim->options.alloc, link);
}

void sl_sim_link_detach(sl_sim_link *link, int64_t server_lost_at) {
    sl_sim_client *client = client_of(link);
    if (client->link == link) client->link = NULL;
    link->attached = false;
    link->client_sends_at = link->client_lost_at = link->opens_at = SL_SIM_NEVER;
    sl_sim_pipe_truncate(&link->down, 0);
    link->server_lost_at = link->peer ? server_lost_at : link->sim->now;
}

void sl_sim_link_drop_peer(sl_sim_link *link, int64_t client_lost_at) {
    sl_server_connection_free(link->peer);
    link->peer = NULL;
    link->server_sends_at = link->server_lost_at = SL_SIM_NEVER;
    link->opens_at = SL_SIM_NEVER;
    sl_sim_pipe_truncate(&link->up, 0);
    if (link->attached)
        link->client_lost_at = earlier(link->client_lost_at, client_lost_at);
    else
        link->server_lost_at = link->sim->now; /* nobody is left */
}

void sl_sim_link_client_talks(sl_sim_link *link) {
    if (link && link->opens_at == SL_SIM_NEVER)
        link->client_sends_at = earlier(link->client_sends_at, sl_sim_soon(link->sim));
}

static void server_talks(sl_sim_link *link) {
    if (link->peer) link->server_sends_at = earlier(link->server_sends_at, sl_sim_soon(link->sim));
}

static void wake(void *ctx) {
    server_talks(ctx);
}

/* The host's callbacks of server.c get the link as ctx; `wake` is replaced here, because only the
 * link knows when it sends. */
static void open_link(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    sl_sim_client *client = client_of(link);
    sl_status st = SL_STATUS_INIT;
    link->opens_at = SL_SIM_NEVER;
    if (!sim->file) {
        link->client_lost_at = sim->now;
        return;
    }
    sim->host.wake = wake;
    sl_server_connection_options options = {.alloc = sim->options.alloc,
                                            .env = &sim->clock.env,
                                            .host = &sim->host,
                                            .ctx = link,
                                            .dialect = {link->version, false},
                                            .max_download = sim->options.state_transfer ? 4000 : 0,
                                            .authenticated = true};
    link->peer = sl_server_connection_new(&options, &st);
    char token[64];
    snprintf(token, sizeof token, "com.mongodb.realm-sync#%d", link->version);
    sl_client_connection_set_features(client->connection, link->attempt, SL_SERVER_FEATURES);
    if (!link->peer ||
        !sl_client_connection_opened(client->connection, link->attempt, sl_str_c(token), &st)) {
        sl_sim_break(sim, &st);
        return;
    }
    sl_sim_log(sim, "client %d: connected, protocol %d", client->number, link->version);
    sl_sim_client_drain(client);
    sl_sim_link_client_talks(client->link);
    server_talks(link);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void log_message(const sl_sim_link *link, const char *arrow, const sl_buf *message) {
    if (!link->sim->options.log) return;
    int head = 0;
    while ((size_t)head < message->size && message->data[head] != '\n')
        head++;
    sl_sim_log(link->sim, "%d %s %.*s", link->client, arrow, head, message->data);
}

static bool push(sl_sim_link *link, sl_sim_pipe *pipe, sl_buf *message) {
    sl_sim *sim = link->sim;
    sl_status st = SL_STATUS_INIT;
    if (sl_sim_pipe_push(pipe, message, sim->now, &client_of(link)->link_options,
                         sl_sim_random(sim)))
        return true;
    sl_fail_memory(&st);
    sl_sim_break(sim, &st);
    return false;
}

static void client_sends(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    sl_sim_client *client = client_of(link);
    link->client_sends_at = SL_SIM_NEVER;
    while (!sim->broken && client->link == link && link->up.bytes < sim->options.buffer) {
        sl_status st = SL_STATUS_INIT;
        sl_buf out;
        bool any = false;
        sl_buf_init(&out, sim->options.alloc);
        if (!sl_client_connection_send(client->connection, &out, &any, &st)) sl_sim_break(sim, &st);
        if (any) log_message(link, ">", &out);
        if (any && link->peer && !link->cut && !push(link, &link->up, &out)) return;
        sl_buf_free(&out);
        sl_sim_client_drain(client); /* may end the link */
        if (!any) return;
    }
}

/* What the server wants of the socket once its output is gone. */
static void obey_wish(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    if (!link->peer || link->down.count > 0) return;
    sl_wish wish = sl_server_connection_wish(link->peer);
    if (wish.kind == SL_WISH_STAY) return;
    sl_sim_client *client = client_of(link);
    sl_sim_log(sim, "server ends the link of client %d: %s %d %.*s", link->client,
               wish.kind == SL_WISH_CLOSE ? "close" : "drop", wish.code, (int)wish.reason.size,
               wish.reason.size ? wish.reason.data : "");
    sl_status st = SL_STATUS_INIT;
    if (link->attached && wish.kind == SL_WISH_CLOSE &&
        !sl_client_connection_closed(client->connection, link->attempt, wish.code, wish.reason,
                                     &st))
        sl_sim_break(sim, &st);
    sl_sim_link_drop_peer(link, sim->now + client->link_options.latency_ms);
    if (link->attached) sl_sim_client_drain(client);
}

static void server_sends(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    link->server_sends_at = SL_SIM_NEVER;
    while (!sim->broken && link->peer && link->down.bytes < sim->options.buffer) {
        sl_status st = SL_STATUS_INIT;
        sl_buf out;
        bool any = false;
        sl_buf_init(&out, sim->options.alloc);
        if (!sl_server_connection_send(link->peer, &out, &any, &st)) sl_sim_break(sim, &st);
        if (any) log_message(link, "<", &out);
        if (any && link->attached && !link->cut && !push(link, &link->down, &out)) return;
        sl_buf_free(&out);
        if (!any) break;
    }
    obey_wish(link);
}

/* ---- receiving ------------------------------------------------------------------------------- */

enum { BURST = 8, BURST_MS = 50 };

/* Takes what a client finds when it looks: often one message, sometimes several that have piled up.
 */
static size_t take_burst(sl_sim_link *link, sl_buf *bytes, sl_str *messages) {
    size_t most = sl_sim_random(link->sim) % 2 ? BURST : 1, count = 0;
    do {
        bytes[count] = sl_sim_pipe_pop(&link->down);
        messages[count] = sl_str_of(bytes[count].data, bytes[count].size);
        count++;
    } while (count < most && sl_sim_pipe_due(&link->down) <= link->sim->now + BURST_MS);
    return count;
}

static void client_receives(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    sl_sim_client *client = client_of(link);
    sl_buf bytes[BURST];
    sl_str messages[BURST];
    size_t count = take_burst(link, bytes, messages), done = 0;
    for (size_t at = 0; at < count && client->link == link && !sim->broken; at += done) {
        sl_status st = SL_STATUS_INIT;
        /* Budgets of every size, from one changeset at a time to none. */
        sl_steps steps = {.limit = (uint64_t)(sim->now % 5) * 40};
        if (!sl_client_connection_receive_some(client->connection, link->attempt, messages + at,
                                               count - at, &steps, &done, &st))
            sl_sim_break(sim, &st);
        sl_sim_client_drain(client);
    }
    if (client->link == link) sl_sim_link_client_talks(client->link);
    for (size_t i = 0; i < count; i++)
        sl_buf_free(&bytes[i]);
    server_talks(link);
}

static void server_receives(sl_sim_link *link) {
    sl_sim *sim = link->sim;
    sl_status st = SL_STATUS_INIT;
    sl_buf message = sl_sim_pipe_pop(&link->up);
    if (link->peer) {
        if (!sl_server_connection_receive(link->peer, message.data, message.size, &st))
            sl_sim_break(sim, &st);
        server_talks(link);
    }
    sl_buf_free(&message);
    if (link->attached) sl_sim_link_client_talks(link);
}

static void client_notices(sl_sim_link *link) {
    sl_sim_client *client = client_of(link);
    sl_status st = SL_STATUS_INIT;
    uint64_t attempt = link->attempt;
    bool lingers = link->server_lost_at != SL_SIM_NEVER;
    sl_sim_link_detach(link, lingers ? link->server_lost_at : link->sim->now);
    if (!sl_client_connection_lost(client->connection, attempt, SL_CLOSE_READ_ERROR,
                                   SL_STR("link cut"), &st))
        sl_sim_break(link->sim, &st);
    sl_sim_client_drain(client);
}

/* ---- time ------------------------------------------------------------------------------------ */

int64_t sl_sim_link_next(const sl_sim_link *link) {
    int64_t next = earlier(link->opens_at, link->client_lost_at);
    next = earlier(next, link->server_lost_at);
    next = earlier(next, earlier(link->client_sends_at, link->server_sends_at));
    next = earlier(next, earlier(sl_sim_pipe_due(&link->up), sl_sim_pipe_due(&link->down)));
    if (link->peer) next = earlier(next, sl_server_connection_deadline(link->peer));
    return next;
}

void sl_sim_link_step(sl_sim_link *link) {
    int64_t now = link->sim->now;
    if (link->peer && sl_server_connection_deadline(link->peer) <= now) {
        sl_server_connection_step(link->peer);
        server_talks(link);
    }
    if (link->opens_at <= now) open_link(link);
    if (sl_sim_pipe_due(&link->up) <= now) server_receives(link);
    if (sl_sim_pipe_due(&link->down) <= now) client_receives(link);
    if (link->client_sends_at <= now) client_sends(link);
    if (link->server_sends_at <= now) server_sends(link);
    if (link->client_lost_at <= now) client_notices(link);
    if (link->server_lost_at <= now && !link->attached) sl_sim_link_free(link);
}
