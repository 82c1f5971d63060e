/* reset.c - what the host of a client does in a client reset (history/client_reset.h). */
#include "history/client_reset.h"
#include "sim/sim_private.h"

enum { RETRY_MS = 1000 };

void sl_sim_reset_begin(sl_sim_client *client, const sl_client_error *error) {
    if (client->sim->options.reset == SL_SIM_RESET_MANUAL) return;
    client->phase = SL_SIM_RESET_WANTED;
    client->reset_code = error->code;
    client->no_recovery = error->no_recovery;
    client->reset_at = client->sim->now;
}

void sl_sim_reset_drop(sl_sim_client *client) {
    sl_client_session_close(client->fresh_session);
    client->fresh_session = NULL;
    client->reset_at = SL_SIM_NEVER;
    sl_sim_file_free(&client->fresh);
}

static void fetch(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    sl_client_history_options history = {.alloc = sim->options.alloc, .env = &client->clock.env};
    sl_client_session_options session = {.path = SL_STR("\"simulation\""), .no_upload = true};
    sl_sim_options plain = sim->options;
    plain.wrap = NULL;
    sl_sim_reset_drop(client);
    if (!sl_sim_file_open(&client->fresh, &plain, &history, client->number, &st)) {
        sl_sim_break(sim, &st);
        return;
    }
    client->fresh_session =
        sl_client_session_open(client->connection, client->fresh.history, &session, &st);
    if (!client->fresh_session ||
        !sl_client_session_wait_download(client->fresh_session, &client->fresh_wait, &st)) {
        sl_sim_break(sim, &st);
        return;
    }
    client->phase = SL_SIM_RESET_FETCHING;
    sl_sim_log(sim, "client %d: fetches a fresh copy", client->number);
}

static void track(sl_sim_client *client) {
    sl_status st = SL_STATUS_INIT;
    client->phase = SL_SIM_RESET_TRACKED;
    client->reset_at = SL_SIM_NEVER;
    client->upload_wait = client->download_wait = 0;
    if (!sl_client_session_wait_upload(client->session, &client->upload_wait, &st) ||
        !sl_client_session_wait_download(client->session, &client->download_wait, &st))
        sl_sim_break(client->sim, &st);
}

static void run(sl_sim_client *client) {
    sl_sim *sim = client->sim;
    sl_status st = SL_STATUS_INIT;
    sl_reset_result result = {0};
    bool discard = sim->options.reset == SL_SIM_RESET_DISCARD;
    sl_reset_request request = {.mode = discard ? SL_RESET_DISCARD : SL_RESET_RECOVER,
                                .no_recovery = client->no_recovery,
                                .code = client->reset_code};
    sl_client_session_close(client->fresh_session);
    client->fresh_session = NULL;
    bool ok =
        sl_client_reset_run(client->file.history, client->fresh.history, &request, &result, &st);
    if (!ok) {
        sl_sim_log(sim, "client %d: client reset failed: %s %s", client->number, st.id, st.message);
        /* Without a way out it is a person's turn, as with SL_SIM_RESET_MANUAL. */
        bool again = st.cls != SL_ERR_SESSION;
        sl_sim_reset_drop(client);
        client->phase = again ? SL_SIM_RESET_WANTED : SL_SIM_NO_RESET;
        client->reset_at = again ? sim->now + RETRY_MS : SL_SIM_NEVER;
        return;
    }
    client->resets++;
    sl_sim_log(sim, "client %d: client reset done, %llu of %llu changesets kept", client->number,
               (unsigned long long)result.kept, (unsigned long long)result.candidates);
    sl_sim_reset_drop(client);
    if (!sl_client_session_restart(client->session, &st)) sl_sim_break(sim, &st);
    track(client);
    if (sim->options.changed) sim->options.changed(sim->options.ctx, client->number);
}

static void finish(sl_sim_client *client) {
    sl_status st = SL_STATUS_INIT;
    if (sl_client_reset_finish(client->file.history, &st)) {
        client->phase = SL_SIM_NO_RESET;
        client->reset_at = SL_SIM_NEVER;
    } else {
        client->reset_at = client->sim->now + RETRY_MS;
    }
}

void sl_sim_reset_step(sl_sim_client *client) {
    client->reset_at = SL_SIM_NEVER;
    if (client->phase == SL_SIM_RESET_WANTED) fetch(client);
    if (client->phase == SL_SIM_RESET_READY) run(client);
    if (client->phase == SL_SIM_RESET_TRACKED) {
        if (client->upload_wait == 0 && client->download_wait == 0) finish(client);
    }
    sl_sim_client_drain(client);
    sl_sim_link_client_talks(client->link);
}

void sl_sim_reset_event(sl_sim_client *client, const sl_client_event *event) {
    bool fresh =
        client->fresh_session && event->session == sl_client_session_number(client->fresh_session);
    bool own = client->session && event->session == sl_client_session_number(client->session);
    if (client->phase == SL_SIM_RESET_FETCHING && fresh && event->request == client->fresh_wait) {
        client->phase = event->ok ? SL_SIM_RESET_READY : SL_SIM_RESET_WANTED;
        client->reset_at = client->sim->now + (event->ok ? 0 : RETRY_MS);
    }
    if (client->phase != SL_SIM_RESET_TRACKED || !own) return;
    if (event->request == client->upload_wait) client->upload_wait = 0;
    if (event->request == client->download_wait) client->download_wait = 0;
    if (client->upload_wait == 0 && client->download_wait == 0) client->reset_at = client->sim->now;
}

void sl_sim_reset_resume(sl_sim_client *client) {
    sl_status st = SL_STATUS_INIT;
    sl_reset_trace trace = {0};
    if (!client->file.history || client->sim->broken) return;
    if (sl_client_reset_trace(client->file.history, &trace, &st) && trace.found) track(client);
}
