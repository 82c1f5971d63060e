/* client.c - one client machine: its file, its connection and session. */
#include "protocol/errors.h"
#include "sim/sim_private.h"

static const sl_str PARTITION = {"\"simulation\"", 12, SL_NO_SYM};

/* ---- starting and stopping ------------------------------------------------------------------- */

static bool open_session(sl_sim_client *client, sl_status *st) {
    sl_client_connection_options connection = {.alloc = client->sim->options.alloc,
                                               .env = &client->clock.env,
                                               .route = SL_STR("/realm-sync"),
                                               .route_verified = true};
    sl_client_session_options session = {.path = PARTITION,
                                         .paused = client->paused,
                                         .state_transfer = client->sim->options.state_transfer};
    client->connection = sl_client_connection_new(&connection, st);
    if (!client->connection) return false;
    client->session =
        sl_client_session_open(client->connection, client->file.history, &session, st);
    return client->session != NULL;
}

static bool open_file(sl_sim_client *client, sl_status *st) {
    sl_sim *sim = client->sim;
    sl_client_history_options history = {.alloc = sim->options.alloc,
                                         .env = &client->clock.env,
                                         .fast_commits = sim->options.fast_commits};
    return sl_sim_file_open(&client->file, &sim->options, &history, client->number, st);
}

void sl_sim_client_start(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    client->starts_at = SL_SIM_NEVER;
    if (!open_file(client, &st)) {
        sl_sim_log(sim, "client %d: its file does not open: %s", client->number, st.message);
        if (st.cls == SL_ERR_MEMORY) sl_sim_break(sim, &st);
        client->starts_at = sim->now + 1000;
        return;
    }
    if (client->started && sim->options.opened)
        sim->options.opened(sim->options.ctx, client->number, client->file.history);
    client->started = true;
    if (!open_session(client, &st)) {
        sl_sim_break(sim, &st);
        return;
    }
    sl_sim_log(sim, "client %d: starts at version %llu", client->number,
               (unsigned long long)sl_client_history_version(client->file.history));
    sl_sim_client_drain(client);
    sl_sim_reset_resume(client);
}

static void on_transacted(sl_sim_client *client, uint64_t request, sl_transact_outcome outcome) {
    sl_sim *sim = client->sim;
    client->asked = 0;
    sl_sim_log(sim, "client %d: serialized transaction %llu: %s", client->number,
               (unsigned long long)request, sl_transact_outcome_name(outcome));
    if (sim->options.transacted)
        sim->options.transacted(sim->options.ctx, client->number, request, outcome);
}

void sl_sim_client_stop(sl_sim_client *client, sl_memory_crash kind, int64_t starts_at) {
    sl_sim *sim = client->sim;
    if (client->link) {
        /* What the socket had taken still arrives. */
        sl_sim_pipe *up = &client->link->up;
        sl_sim_pipe_truncate(up, sl_sim_random(sim) % (up->count + 1));
        sl_sim_link_detach(client->link, sim->now + (int64_t)(sl_sim_random(sim) % 5000));
    }
    if (client->asked) on_transacted(client, client->asked, SL_TRANSACT_UNKNOWN);
    if (client->file.history && sim->options.closing)
        sim->options.closing(sim->options.ctx, client->number);
    sl_client_connection_free(client->connection);
    client->connection = NULL;
    client->session = NULL;
    client->fresh_session = NULL;
    client->connects_at = SL_SIM_NEVER;
    sl_sim_reset_drop(client);
    client->phase = SL_SIM_NO_RESET;
    client->trap.set = false;
    sl_sim_crash_disk(sim, client->file.disk, kind);
    sl_sim_file_close(&client->file);
    client->starts_at = starts_at;
}

void sl_sim_client_free(sl_sim_client *client) {
    sl_client_connection_free(client->connection);
    sl_sim_file_free(&client->fresh);
    sl_sim_file_free(&client->file);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_error(sl_sim_client *client, const sl_client_event *event) {
    const sl_client_error *error = &event->error;
    sl_sim *sim = client->sim;
    sl_sim_log(sim, "client %d: error %s %d%s: %s", client->number,
               sl_status_class_name(error->cls), error->code,
               error->client_reset ? " (client reset)" : "", error->message);
    if (sim->options.error) sim->options.error(sim->options.ctx, client->number, error);
    bool own = client->session && event->session == sl_client_session_number(client->session);
    bool fresh =
        client->fresh_session && event->session == sl_client_session_number(client->fresh_session);
    if (error->client_reset && (own || fresh)) sl_sim_reset_begin(client, error);
}

/* The state that came takes the place of the file. A storage that fails in the middle ends the
 * process, as it would in an app. */
static void install_state(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    if (sim->options.closing) sim->options.closing(sim->options.ctx, client->number);
    sl_sim_file_close(&client->file);
    if (!sl_memory_state_install(client->file.disk)) {
        sl_fail(&st, SL_ERR_INTERNAL, "", "client %d: there is no state to install",
                client->number);
        sl_sim_break(sim, &st);
        return;
    }
    client->states++;
    sl_sim_log(sim, "client %d: the state is in place", client->number);
    if (!open_file(client, &st)) {
        if (st.cls == SL_ERR_MEMORY) sl_sim_break(sim, &st);
        sl_sim_client_stop(client, SL_CRASH_PROCESS, sim->now + 1000);
        return;
    }
    if (!sl_client_session_adopt(client->session, client->file.history, &st)) {
        sl_sim_break(sim, &st);
        return;
    }
    sl_sim_link_client_talks(client->link);
    if (sim->options.opened)
        sim->options.opened(sim->options.ctx, client->number, client->file.history);
}

static void on_event(sl_sim_client *client, const sl_client_event *event) {
    sl_sim *sim = client->sim;
    switch (event->type) {
    case SL_CLIENT_CONNECT:
        client->attempt = event->attempt;
        client->connects_at = sl_sim_soon(sim);
        break;
    case SL_CLIENT_DISCONNECT:
        if (event->attempt != client->attempt) break;
        client->connects_at = SL_SIM_NEVER;
        if (client->link) sl_sim_link_detach(client->link, sl_sim_soon(sim));
        break;
    case SL_CLIENT_ERROR:
        on_error(client, event);
        break;
    case SL_CLIENT_INTEGRATED:
        if (event->changed && event->session == sl_client_session_number(client->session) &&
            sim->options.changed)
            sim->options.changed(sim->options.ctx, client->number);
        break;
    case SL_CLIENT_TRANSACTED:
        on_transacted(client, event->request, (sl_transact_outcome)event->code);
        break;
    case SL_CLIENT_STATE_READY:
        install_state(client);
        break;
    case SL_CLIENT_WAIT_DONE:
        sl_sim_reset_event(client, event);
        break;
    case SL_CLIENT_SESSION_STATE:
        sl_sim_log(sim, "client %d: session %llu %s", client->number,
                   (unsigned long long)event->session,
                   sl_session_state_name((sl_session_state)event->state));
        break;
    case SL_CLIENT_CONNECTION_STATE:
        sl_sim_log(sim, "client %d: %s", client->number,
                   sl_connection_state_name((sl_connection_state)event->state));
        break;
    default:
        break;
    }
}

void sl_sim_client_drain(sl_sim_client *client) {
    sl_client_event event;
    while (client->connection && sl_client_connection_next_event(client->connection, &event))
        on_event(client, &event);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void connect_now(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    client->connects_at = SL_SIM_NEVER;
    if (!client->offline && sim->file) {
        if (client->link) sl_sim_link_detach(client->link, sim->now);
        if (sl_sim_link_begin(client)) return;
        sl_fail_memory(&st);
        sl_sim_break(sim, &st);
        return;
    }
    if (!sl_client_connection_lost(client->connection, client->attempt, SL_CLOSE_CONNECT_FAILED,
                                   SL_STR("nobody answers"), &st))
        sl_sim_break(sim, &st);
    sl_sim_client_drain(client);
}

int64_t sl_sim_client_next(const sl_sim_client *client) {
    int64_t next = client->starts_at;
    if (!client->connection) return next;
    if (client->connects_at < next) next = client->connects_at;
    if (client->reset_at < next) next = client->reset_at;
    int64_t deadline = sl_client_connection_deadline(client->connection);
    return deadline < next ? deadline : next;
}

void sl_sim_client_step(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    if (!client->connection) {
        if (client->starts_at <= sim->now) sl_sim_client_start(client);
        return;
    }
    if (sl_client_connection_deadline(client->connection) <= sim->now) {
        if (!sl_client_connection_step(client->connection, &st)) sl_sim_break(sim, &st);
        sl_sim_client_drain(client);
        sl_sim_link_client_talks(client->link);
    }
    if (client->connects_at <= sim->now) connect_now(client);
    if (client->reset_at <= sim->now) sl_sim_reset_step(client);
}

bool sl_sim_client_quiet(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    bool confirmed = false;
    sl_status st = SL_STATUS_INIT;
    if (!client->session || !client->link || client->phase != SL_SIM_NO_RESET) return false;
    if (sl_client_session_state(client->session) != SL_SESSION_ACTIVE) return false;
    if (client->asked) return false;
    sl_client_history *history = client->file.history;
    if (!sl_client_history_confirmed(history, sl_client_history_version(history), &confirmed, &st))
        return false;
    uint64_t version = sl_server_history_version(sl_server_file_history(sim->file));
    return confirmed && sl_client_history_cursors(history)->dl_sv == version;
}
