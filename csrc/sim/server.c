/* server.c - the server machine: one file, and the host of its connections. */
#include "sim/sim_private.h"

/* ---- host callbacks: ctx is the link --------------------------------------------------------- */

static bool open_file(void *ctx, const sl_bind_request *request, sl_server_file **file,
                      sl_access *access, sl_status *st) {
    sl_sim_link *link = ctx;
    (void)request;
    (void)st;
    *file = link->sim->file;
    *access = SL_ACCESS_WRITE;
    return true;
}

static void release_file(void *ctx, sl_server_file *file) {
    (void)ctx;
    (void)file;
}

static void trouble(void *ctx, const sl_status *status) {
    sl_sim_link *link = ctx;
    sl_sim_log(link->sim, "server: trouble with client %d: %s %d %s", link->client,
               sl_status_class_name(status->cls), status->code, status->message);
}

static void on_work(void *ctx, sl_server_file *file) {
    sl_sim *sim = ctx;
    int64_t soon = sl_sim_soon(sim);
    if (sl_sim_random(sim) & 1) soon += sl_server_file_rest(file); /* it may work earlier */
    if (soon < sim->works_at) sim->works_at = soon;
}

static void on_state(void *ctx, sl_server_file *file) {
    sl_sim *sim = ctx;
    (void)file;
    sim->makes_at = sl_sim_soon(sim);
}

/* ---- starting and stopping ------------------------------------------------------------------- */

void sl_sim_server_start(sl_sim *sim) {
    sl_status st = SL_STATUS_INIT;
    sl_store *store = NULL;
    sim->server_starts_at = SL_SIM_NEVER;
    sim->works_at = sim->cares_at = sim->makes_at = SL_SIM_NEVER;
    sim->host.open = open_file;
    sim->host.release = release_file;
    sim->host.trouble = trouble;
    sl_server_file_options options = {.alloc = sim->options.alloc,
                                      .env = &sim->clock.env,
                                      .on_work = on_work,
                                      .on_state = on_state,
                                      .min_state = 1,
                                      .state_age = 2000,
                                      .unit_bytes = 200, /* units are cut all the time */
                                      .ctx = sim};
    if (!sim->disk) sim->disk = sl_sim_disk_new(sim->options.alloc);
    bool opened = sim->disk ? sl_memory_disk_open(sim->disk, &store, &st) : sl_fail_memory(&st);
    if (opened) {
        if (sim->options.wrap) store = sim->options.wrap(sim->options.ctx, SL_SIM_SERVER, store);
        sim->file = sl_server_file_open(store, &options, &st);
        if (!sim->file) store->vtbl->close(store);
    }
    if (sim->file) {
        sl_sim_log(
            sim, "server: starts at version %llu",
            (unsigned long long)sl_server_history_version(sl_server_file_history(sim->file)));
        return;
    }
    sl_sim_log(sim, "server: its file does not open: %s", st.message);
    if (st.cls == SL_ERR_MEMORY) sl_sim_break(sim, &st);
    sim->server_starts_at = sim->now + 1000;
}

void sl_sim_server_stop(sl_sim *sim, sl_memory_crash kind, int64_t starts_at) {
    for (sl_sim_link *link = sim->links; link; link = link->next) {
        sl_sim_pipe_truncate(&link->down, sl_sim_random(sim) % (link->down.count + 1));
        sl_sim_link_drop_peer(link, sim->now + (int64_t)(sl_sim_random(sim) % 100));
    }
    sim->trap.set = false;
    sl_sim_crash_disk(sim, sim->disk, kind);
    sl_server_file_close(sim->file);
    sim->file = NULL;
    sim->works_at = sim->cares_at = sim->makes_at = SL_SIM_NEVER;
    sim->server_starts_at = starts_at;
}

void sl_sim_server_free(sl_sim *sim) {
    sl_server_file_close(sim->file);
    sl_memory_disk_free(sim->disk);
    sl_memory_disk_free(sim->backup);
}

/* ---- time ------------------------------------------------------------------------------------ */

int64_t sl_sim_server_next(const sl_sim *sim) {
    int64_t next = sim->works_at < sim->cares_at ? sim->works_at : sim->cares_at;
    if (sim->makes_at < next) next = sim->makes_at;
    return next < sim->server_starts_at ? next : sim->server_starts_at;
}

static void failed(sl_sim *sim, const char *what, const sl_status *st) {
    sl_sim_log(sim, "server: %s failed: %s %s", what, st->id, st->message);
    if (st->cls != SL_ERR_STORAGE) sl_sim_break(sim, st);
}

static void work(sl_sim *sim) {
    sl_status st = SL_STATUS_INIT;
    sim->works_at = SL_SIM_NEVER;
    if (!sl_server_file_work(sim->file, &st)) {
        failed(sim, "work", &st);
        sim->works_at = sim->now + 500;
    } else if (sl_server_file_waiting(sim->file)) {
        sim->works_at = sl_sim_soon(sim);
    }
}

static void make_state(sl_sim *sim) {
    sl_status st = SL_STATUS_INIT;
    bool more = false;
    sim->makes_at = SL_SIM_NEVER;
    if (!sl_server_file_make_state(sim->file, &more, &st)) failed(sim, "making a state", &st);
    if (more) sim->makes_at = sl_sim_soon(sim);
}

/* A step of a compaction; what failed has ended. */
static void care(sl_sim *sim) {
    sl_status st = SL_STATUS_INIT;
    bool more = false;
    sim->cares_at = SL_SIM_NEVER;
    if (!sl_server_file_care(sim->file, &more, &st)) {
        failed(sim, "care", &st);
        if (sl_server_file_caring(sim->file)) sim->cares_at = sim->now + 1000;
    } else if (more) {
        sim->cares_at = sl_sim_soon(sim);
    } else {
        sl_compactor_report done = sl_server_file_care_report(sim->file).compaction;
        sl_sim_log(sim, "server: compacted up to %llu, %llu of %llu instructions left",
                   (unsigned long long)done.limit.version,
                   (unsigned long long)done.instructions_after,
                   (unsigned long long)done.instructions_before);
    }
}

void sl_sim_server_step(sl_sim *sim) {
    if (sim->server_starts_at <= sim->now) sl_sim_server_start(sim);
    if (sim->file && sim->works_at <= sim->now) work(sim);
    if (sim->file && sim->cares_at <= sim->now) care(sim);
    if (sim->file && sim->makes_at <= sim->now) make_state(sim);
}
