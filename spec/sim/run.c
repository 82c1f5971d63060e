#include "run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "content.h"
#include "model.h"
#include "mutation.h"
#include "protocol/errors.h"

/* The heap, and how much of it is in use. */
typedef struct counted_heap {
    sl_alloc alloc;
    size_t live;
} counted_heap;

enum { HEAD = 16 }; /* in front of each block: its size */

static void *counted_realloc(void *ctx, void *block, size_t size) {
    counted_heap *heap = ctx;
    char *old = block ? (char *)block - HEAD : NULL;
    if (old) heap->live -= *(size_t *)(void *)old;
    if (size == 0) {
        free(old);
        return NULL;
    }
    char *made = realloc(old, size + HEAD);
    if (!made) abort();
    *(size_t *)(void *)made = size;
    heap->live += size;
    return made + HEAD;
}

typedef struct run_world {
    counted_heap heap;
    const program *program;
    sl_sim *sim;
    model model;
    FILE *log;
} run_world;

enum {
    QUIET_LIMIT_MS = 2 * 3600 * 1000,
    MAX_MESSAGE_SLACK = 300000,
    HEAP_SLACK = 3000000,
    ACKNOWLEDGE_MS = 5000
};

/* ---- callbacks ------------------------------------------------------------------------------- */

static void on_log(void *ctx, int64_t now, const char *line) {
    run_world *w = ctx;
    fprintf(w->log, "%9" PRId64 " %s\n", now, line);
}

/* Errors that the faults of the run explain. All others are found bugs. */
static bool explained(const run_world *w, const sl_client_error *error) {
    const model *m = &w->model;
    switch (error->cls) {
    case SL_ERR_STORAGE:
        return m->faults;
    case SL_ERR_SESSION:
        if (error->code == 222) return m->expiries > 0;
        if (error->client_reset) return m->restores > 0 && error->code != 212;
        if (m->restores > 0 && error->code >= 208 && error->code <= 211) return true;
        if (m->old_versions && (error->code == 201 || strcmp(error->name, "protocol too old") == 0))
            return true;
        return error->try_again && (m->faults || m->crashes);
    case SL_ERR_CONNECTION:
        return error->try_again;
    default:
        return false;
    }
}

static void on_error(void *ctx, int client, const sl_client_error *error) {
    run_world *w = ctx;
    if (!explained(w, error))
        model_violated(&w->model, "client %d was told: %s %d %s: %s", client,
                       sl_status_class_name(error->cls), error->code, error->name, error->message);
}

static void on_opened(void *ctx, int client, const sl_client_history *history) {
    run_world *w = ctx;
    model_after_crash(&w->model, w->program, client, history);
}

static void on_transacted(void *ctx, int client, uint64_t request, sl_transact_outcome outcome) {
    run_world *w = ctx;
    model_on_outcome(&w->model, client, request, outcome);
}

static sl_store *on_wrap(void *ctx, int who, sl_store *store) {
    (void)ctx;
    return mutation_wrap_store(who, store);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void set_link(run_world *w, const sim_step *s, sl_status *st) {
    static const sl_sim_link_options kinds[] = {
        {5, 0, 0, 0},     {20, 60, 0, 0},   {5, 300, 0, 0},
        {10, 10, 500, 0}, {5, 5, 0, 20000}, {5, 0, 30000, 0} /* does not read for long */};
    sl_sim_set_link(w->sim, s->who, &kinds[s->a], st);
}

static void back_up(run_world *w, bool restore, sl_status *st) {
    if (!sl_sim_server(w->sim)) return;
    if (!restore && !model_server_ready(w->sim)) return;
    if (!restore) {
        model_on_backup(&w->model, w->sim);
        sl_sim_backup(w->sim, st);
        return;
    }
    sl_status none = SL_STATUS_INIT;
    model_on_restore(&w->model, w->sim);
    if (!sl_sim_restore(w->sim, &none)) {
        if (none.cls == SL_ERR_USAGE)
            w->model.restores--;
        else
            *st = none;
    }
}

static void do_step(run_world *w, const sim_step *s, sl_status *st) {
    sl_sim *sim = w->sim;
    model *m = &w->model;
    if (s->kind >= STEP_CRASH && s->kind <= STEP_CRASH_AT) m->crashes = true;
    if (s->kind == STEP_FAIL_AT || s->kind == STEP_FULL || s->kind == STEP_CRASH_AT)
        m->faults = true;
    if (s->who >= 0 && s->kind == STEP_CRASH_AT) m->dying[s->who] = true;
    switch (s->kind) {
    case STEP_WRITE:
        model_do_write(m, sim, s);
        break;
    case STEP_TRANSACT:
        model_do_transact(m, sim, s);
        break;
    case STEP_EXPIRE:
        m->expiries++;
        sl_sim_compact(sim, s->b, st);
        break;
    case STEP_REPLACE:
        model_on_replace(m, sim, s->who);
        sl_sim_renew(sim, s->who, s->b, st);
        break;
    case STEP_SERVER_WRITE:
        model_do_server_write(m, sim, s);
        break;
    case STEP_SCHEMA:
        model_do_schema(m, sim, s);
        break;
    case STEP_PASS:
        sl_sim_advance(sim, s->b, st);
        break;
    case STEP_CUT:
        sl_sim_cut_link(sim, s->who, (sl_sim_cut)s->a, s->b, st);
        break;
    case STEP_OFFLINE:
        sl_sim_disconnect(sim, s->who, st);
        break;
    case STEP_ONLINE:
        sl_sim_connect(sim, s->who, st);
        break;
    case STEP_PAUSE:
    case STEP_RESUME:
        sl_sim_pause(sim, s->who, s->kind == STEP_PAUSE, st);
        break;
    case STEP_CRASH:
        sl_sim_crash(sim, s->who, (sl_memory_crash)s->a, s->b, st);
        break;
    case STEP_CRASH_AT:
        sl_sim_crash_at(sim, s->who, (uint64_t)s->b, (sl_memory_crash)s->a, st);
        break;
    case STEP_FAIL_AT:
        sl_sim_fail_at(sim, s->who, (uint64_t)s->b, st);
        break;
    case STEP_FULL:
        sl_sim_limit_disk(sim, s->who, (uint64_t)s->b, st);
        break;
    case STEP_ROOM:
        sl_sim_limit_disk(sim, s->who, UINT64_MAX, st);
        break;
    case STEP_CLOCK:
        sl_sim_set_clock(sim, s->who, s->b, st);
        break;
    case STEP_VERSION:
        if (s->a < m->level) m->old_versions = true;
        sl_sim_set_version(sim, s->who, s->a, st);
        break;
    case STEP_UPGRADE:
        if (s->a < m->level) m->old_versions = true;
        if (sl_sim_set_version(sim, s->who, s->a, st))
            sl_sim_crash(sim, s->who, SL_CRASH_PROCESS, s->b, st);
        break;
    case STEP_LINK:
        set_link(w, s, st);
        break;
    default:
        back_up(w, s->kind == STEP_RESTORE, st);
        break;
    }
}

/* Now and then the server compacts its history besides. */
static void do_care(run_world *w, const sim_step *s, sl_status *st) {
    if (st->cls != SL_OK || (s->chance >> 32 & 15)) return;
    sl_sim_compact(w->sim, -1, st);
}

static void show_step(const run_world *w, size_t i) {
    program one = *w->program;
    one.steps += i;
    one.count = 1;
    fprintf(w->log, "--- ");
    program_print(&one, w->log);
}

/* Clients that could not read the realm are replaced by newer ones. */
static bool upgrade(run_world *w, sl_status *st) {
    for (int i = 0; i < w->program->clients; i++)
        if (!sl_sim_set_version(w->sim, SL_SIM_SERVER, 0, st) ||
            !sl_sim_set_version(w->sim, i, 0, st) ||
            !sl_sim_cut_link(w->sim, i, SL_SIM_CUT_BOTH, 0, st))
            return false;
    return true;
}

/* Processes that have run for long hold no more than those that have just started. */
static void check_heap(run_world *w, sl_status *st) {
    bool quiet = false, equal = false;
    size_t before = w->heap.live;
    for (int who = SL_SIM_SERVER; who < w->program->clients; who++)
        if (!sl_sim_crash(w->sim, who, SL_CRASH_PROCESS, 0, st)) return;
    if (!sl_sim_settle(w->sim, QUIET_LIMIT_MS, &quiet, st)) return;
    if (quiet && !sl_sim_equal(w->sim, &equal, st)) return; /* loads all objects, as before */
    if (!quiet)
        model_violated(&w->model, "stuck after a restart");
    else if (!equal)
        model_violated(&w->model, "the copies differ after a restart");
    else if (before > w->heap.live + HEAP_SLACK)
        model_violated(&w->model, "%zu bytes in use, %zu after a restart", before, w->heap.live);
    /* The first change after a restart takes away what was left of history. */
    for (int i = 0; i < w->program->clients; i++)
        model_do_write(&w->model, w->sim, &(sim_step){.who = i, .chance = 1});
    if (!sl_sim_settle(w->sim, QUIET_LIMIT_MS, &quiet, st) || !quiet) return;
    if (!sl_sim_advance(w->sim, ACKNOWLEDGE_MS, st)) return;
    model_check(&w->model, w->sim);
    model_check_trimmed(&w->model, w->sim);
}

static void end(run_world *w, sl_status *st) {
    bool quiet = false;
    if (w->model.old_versions && !upgrade(w, st)) return;
    if (!sl_sim_settle(w->sim, QUIET_LIMIT_MS, &quiet, st)) return;
    model_look(&w->model, w->sim);
    if (!quiet) {
        char states[200] = "";
        for (int i = 0; i < w->program->clients; i++)
            snprintf(states + strlen(states), sizeof states - strlen(states), " %s",
                     sl_sim_session_state(w->sim, i));
        model_violated(&w->model, "stuck; sessions:%s", states);
        return;
    }
    /* Acknowledgements of what was received wait for company. */
    if (!sl_sim_advance(w->sim, ACKNOWLEDGE_MS, st)) return;
    model_check(&w->model, w->sim);
    if (sl_sim_peak(w->sim) > w->program->buffer + MAX_MESSAGE_SLACK)
        model_violated(&w->model, "%zu bytes were on their way at once", sl_sim_peak(w->sim));
    if (w->program->seed % 4 == 0) check_heap(w, st);
}

/* The states of all sides, to be compared by a person. */
static void show_states(run_world *w) {
    for (int who = SL_SIM_SERVER; who < w->program->clients; who++) {
        sl_buf text;
        sl_buf_init(&text, NULL);
        if (sl_sim_state(w->sim, who, &text, NULL))
            fprintf(w->log, "state of %d: %.*s\n", who, (int)text.size, text.data);
        sl_buf_free(&text);
    }
}

void run_program(const program *p, FILE *log, run_result *result) {
    run_world w = {.program = p, .log = log, .model = {.level = p->level}};
    sl_status st = SL_STATUS_INIT;
    w.heap.alloc = (sl_alloc){counted_realloc, &w.heap};
    sl_sim_options options = {.alloc = &w.heap.alloc,
                              .seed = p->seed,
                              .clients = p->clients,
                              .fast_commits = p->fast_commits,
                              .jitter_ms = p->jitter,
                              .buffer = p->buffer,
                              .ctx = &w,
                              .log = log ? on_log : NULL,
                              .error = on_error,
                              .opened = on_opened,
                              .transacted = on_transacted,
                              .state_transfer = p->state_transfer,
                              .wrap = mutation_active() ? on_wrap : NULL};
    *result = (run_result){.ok = false};
    mutation_run_begins();
    w.sim = sl_sim_new(&options, &st);
    for (size_t i = 0; w.sim && i < p->count && !st.cls && !w.model.why[0]; i++) {
        if (log) show_step(&w, i);
        do_step(&w, &p->steps[i], &st);
        do_care(&w, &p->steps[i], &st);
        model_look(&w.model, w.sim);
    }
    if (w.sim && !st.cls && !w.model.why[0]) end(&w, &st);
    if (st.cls) model_violated(&w.model, "broken: %s", st.message);
    result->ok = w.model.why[0] == 0;
    if (log && w.sim && !result->ok) show_states(&w);
    memcpy(result->why, w.model.why, sizeof result->why);
    result->writes = w.model.count;
    for (int i = 0; w.sim && i < p->clients; i++)
        result->resets += sl_sim_resets(w.sim, i);
    sl_sim_free(w.sim);
    model_free(&w.model);
}
