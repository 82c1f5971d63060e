#include "realm/state.h"
#include "sim/sim_private.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    DEFAULT_JITTER = 3,
    DEFAULT_BUFFER = 65536,
    DEFAULT_LATENCY = 5,
    ENCOURAGE_MS = 60000,
    MAX_STEPS_AT_ONCE = 200000 /* without time passing: somebody is turning in circles */
};
static const int64_t DEFAULT_START = INT64_C(1700000000000);

/* ---- chance and clocks ----------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sl_sim_random(sl_sim *sim) {
    return draw(&sim->random);
}

int64_t sl_sim_soon(sl_sim *sim) {
    return sim->now + (int64_t)(draw(&sim->random) % (uint64_t)(sim->options.jitter_ms + 1));
}

/* A disk has written what it was told to flush, and by chance some of what came after it. */
void sl_sim_crash_disk(sl_sim *sim, sl_memory_disk *disk, sl_memory_crash kind) {
    uint64_t chance = sl_sim_random(sim);
    if (kind == SL_CRASH_POWER && (chance & 1))
        sl_memory_disk_tear(disk, (size_t)((chance >> 1) % (sl_memory_disk_unflushed(disk) + 1)));
    else
        sl_memory_disk_crash(disk, kind);
}

static int64_t clock_wall(void *ctx) {
    const sl_sim_clock *clock = ctx;
    return clock->sim->options.start_ms + clock->sim->now + clock->skew;
}

static int64_t clock_mono(void *ctx) {
    const sl_sim_clock *clock = ctx;
    return clock->sim->now;
}

static void clock_random(void *ctx, void *data, size_t size) {
    sl_sim_clock *clock = ctx;
    unsigned char *out = data;
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)draw(&clock->random);
}

void sl_sim_clock_init(sl_sim_clock *clock, const sl_sim *sim, uint64_t seed) {
    *clock = (sl_sim_clock){{clock_wall, clock_mono, clock_random, clock}, sim, 0, seed};
}

void sl_sim_log(const sl_sim *sim, const char *format, ...) {
    char line[400];
    if (!sim->options.log) return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    sim->options.log(sim->options.ctx, sim->now, line);
}

void sl_sim_break(sl_sim *sim, const sl_status *why) {
    sl_sim_log(sim, "broken: %s %d %s", sl_status_class_name(why->cls), why->code, why->message);
    if (!sim->broken) sim->failure = *why;
    if (sim->failure.cls != SL_ERR_MEMORY) sim->failure.cls = SL_ERR_INTERNAL;
    sim->broken = true;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void client_init(sl_sim_client *client, sl_sim *sim, int number) {
    *client = (sl_sim_client){.sim = sim, .number = number};
    sl_sim_clock_init(&client->clock, sim, sim->options.seed * 1000 + (uint64_t)number + 1);
    client->link_options.latency_ms = DEFAULT_LATENCY;
    client->connects_at = client->starts_at = client->reset_at = SL_SIM_NEVER;
}

static bool result(const sl_sim *sim, sl_status *st) {
    if (!sim->broken) return true;
    if (st) *st = sim->failure;
    return false;
}

sl_sim *sl_sim_new(const sl_sim_options *options, sl_status *st) {
    if (options->clients < 1 || options->clients > SL_SIM_MAX_CLIENTS) {
        sl_fail(st, SL_ERR_USAGE, "", "a simulation has 1 to %d clients", SL_SIM_MAX_CLIENTS);
        return NULL;
    }
    sl_sim *sim = sl_new_zero(options->alloc, 1, sizeof *sim);
    sl_sim_client *clients = sl_new_zero(options->alloc, (size_t)options->clients, sizeof *clients);
    if (!sim || !clients) {
        sl_delete(options->alloc, sim);
        sl_delete(options->alloc, clients);
        sl_fail_memory(st);
        return NULL;
    }
    sim->options = *options;
    if (!sim->options.start_ms) sim->options.start_ms = DEFAULT_START;
    if (!sim->options.jitter_ms) sim->options.jitter_ms = DEFAULT_JITTER;
    if (!sim->options.buffer) sim->options.buffer = DEFAULT_BUFFER;
    sim->random = options->seed;
    sim->clients = clients;
    sim->client_count = options->clients;
    sl_sim_clock_init(&sim->clock, sim, options->seed * 1000);
    for (int i = 0; i < sim->client_count; i++)
        client_init(&clients[i], sim, i);
    sl_sim_server_start(sim);
    for (int i = 0; i < sim->client_count && !sim->broken; i++)
        sl_sim_client_start(&clients[i]);
    if (result(sim, st)) return sim;
    sl_sim_free(sim);
    return NULL;
}

void sl_sim_free(sl_sim *sim) {
    if (!sim) return;
    while (sim->links)
        sl_sim_link_free(sim->links);
    for (int i = 0; i < sim->client_count; i++)
        sl_sim_client_free(&sim->clients[i]);
    sl_sim_server_free(sim);
    const sl_alloc *alloc = sim->options.alloc;
    sl_delete(alloc, sim->clients);
    sl_delete(alloc, sim);
}

/* ---- time ------------------------------------------------------------------------------------ */

int64_t sl_sim_now(const sl_sim *sim) {
    return sim->now;
}

static int64_t next_time(const sl_sim *sim) {
    int64_t next = sl_sim_server_next(sim);
    for (int i = 0; i < sim->client_count; i++) {
        int64_t at = sl_sim_client_next(&sim->clients[i]);
        if (at < next) next = at;
    }
    for (const sl_sim_link *link = sim->links; link; link = link->next) {
        int64_t at = sl_sim_link_next(link);
        if (at < next) next = at;
    }
    return next;
}

/* A crash that was due in the middle of a storage operation. */
static void spring_traps(sl_sim *sim) {
    if (sim->trap.set && sl_memory_disk_operations(sim->disk) >= sim->trap.operation) {
        sl_sim_log(sim, "server: crashes in the middle of a storage operation");
        sl_sim_server_stop(sim, sim->trap.kind, sim->now + 200);
    }
    for (int i = 0; i < sim->client_count; i++) {
        sl_sim_client *client = &sim->clients[i];
        if (!client->trap.set ||
            sl_memory_disk_operations(client->file.disk) < client->trap.operation)
            continue;
        sl_sim_log(sim, "client %d: crashes in the middle of a storage operation", i);
        sl_sim_client_stop(client, client->trap.kind, sim->now + 200);
    }
}

/* A step may end any link, so the list is walked anew after each. */
static bool step_one_link(sl_sim *sim) {
    for (sl_sim_link *link = sim->links; link; link = link->next) {
        if (sl_sim_link_next(link) > sim->now) continue;
        sl_sim_link_step(link);
        return true;
    }
    return false;
}

static void do_due(sl_sim *sim) {
    for (int guard = 0; !sim->broken; guard++) {
        bool any = false;
        if (sl_sim_server_next(sim) <= sim->now) {
            sl_sim_server_step(sim);
            spring_traps(sim);
            any = true;
        }
        for (int i = 0; i < sim->client_count && !sim->broken; i++) {
            if (sl_sim_client_next(&sim->clients[i]) > sim->now) continue;
            sl_sim_client_step(&sim->clients[i]);
            spring_traps(sim);
            any = true;
        }
        if (!sim->broken && step_one_link(sim)) {
            spring_traps(sim);
            any = true;
        }
        if (!any) return;
        if (guard == MAX_STEPS_AT_ONCE) {
            sl_status st = SL_STATUS_INIT;
            sl_fail(&st, SL_ERR_INTERNAL, "CIRCLE", "no end of events at %lld ms",
                    (long long)sim->now);
            sl_sim_break(sim, &st);
        }
    }
}

bool sl_sim_advance(sl_sim *sim, int64_t ms, sl_status *st) {
    int64_t end = sim->now + (ms > 0 ? ms : 0);
    spring_traps(sim);
    while (!sim->broken) {
        int64_t next = next_time(sim);
        if (next > end) break;
        if (next > sim->now) sim->now = next;
        do_due(sim);
    }
    sim->now = end;
    return result(sim, st);
}

bool sl_sim_quiet(sl_sim *sim) {
    if (!sim->file || sl_server_file_waiting(sim->file)) return false;
    if (sl_server_file_caring(sim->file)) return false;
    for (const sl_sim_link *link = sim->links; link; link = link->next)
        if (link->up.count || link->down.count || !link->attached || !link->peer) return false;
    for (int i = 0; i < sim->client_count; i++)
        if (!sl_sim_client_quiet(&sim->clients[i])) return false;
    return true;
}

static void end_faults(sl_sim *sim) {
    spring_traps(sim);
    if (sim->server_starts_at < SL_SIM_NEVER) sim->server_starts_at = sim->now;
    if (sim->resets_clients) sim->version = 0;
    sim->trap.set = false;
    sl_memory_disk_fail(sim->disk, 0);
    sl_memory_disk_limit(sim->disk, UINT64_MAX);
    if (sim->file && sl_server_file_waiting(sim->file)) sim->works_at = sim->now;
    for (int i = 0; i < sim->client_count && !sim->broken; i++) {
        sl_sim_client *client = &sim->clients[i];
        client->trap.set = false;
        client->link_options = (sl_sim_link_options){.latency_ms = DEFAULT_LATENCY};
        sl_memory_disk_fail(client->file.disk, 0);
        sl_memory_disk_limit(client->file.disk, UINT64_MAX);
        if (client->starts_at < SL_SIM_NEVER) client->starts_at = sim->now;
        client->offline = false;
        sl_sim_pause(sim, i, false, NULL);
        if (!sim->resets_clients) continue;
        client->version = 0;
        if (client->link && client->link->version < SL_PROTOCOL_MAX)
            sl_sim_cut_link(sim, i, SL_SIM_CUT_BOTH, 0, NULL);
    }
}

/* Ends delays that have grown to minutes, and sessions that wait for a person. */
static void encourage(sl_sim *sim) {
    for (int i = 0; i < sim->client_count && !sim->broken; i++) {
        sl_sim_client *client = &sim->clients[i];
        if (!client->connection) continue;
        sl_session_state state = sl_client_session_state(client->session);
        sl_status st = SL_STATUS_INIT;
        bool resets = client->phase != SL_SIM_NO_RESET && client->phase != SL_SIM_RESET_TRACKED;
        if (!resets && (state == SL_SESSION_SUSPENDED || state == SL_SESSION_INACTIVE) &&
            !sl_client_session_restart(client->session, &st))
            sl_sim_break(sim, &st);
        sl_sim_connect(sim, i, NULL);
    }
}

bool sl_sim_settle(sl_sim *sim, int64_t limit_ms, bool *quiet, sl_status *st) {
    int64_t end = sim->now + limit_ms;
    *quiet = false;
    end_faults(sim);
    if (!sl_sim_advance(sim, 10, st)) return false;
    encourage(sim);
    for (int64_t again = sim->now + ENCOURAGE_MS; result(sim, st) && sim->now < end;) {
        if (sim->now >= again) {
            encourage(sim);
            again = sim->now + ENCOURAGE_MS;
        }
        if (!sl_sim_advance(sim, 200, st)) return false;
        *quiet = sl_sim_quiet(sim);
        if (*quiet) return true;
    }
    return result(sim, st);
}

/* ---- both sides ------------------------------------------------------------------------------ */

int sl_sim_clients(const sl_sim *sim) {
    return sim->client_count;
}

static sl_sim_client *client_at(sl_sim *sim, int client, sl_status *st) {
    if (client >= 0 && client < sim->client_count) return &sim->clients[client];
    sl_fail(st, SL_ERR_USAGE, "", "there is no client %d", client);
    return NULL;
}

static bool is_somebody(sl_sim *sim, int who, sl_status *st) {
    return who == SL_SIM_SERVER || client_at(sim, who, st) != NULL;
}

sl_client_history *sl_sim_history(sl_sim *sim, int client) {
    sl_sim_client *c = client_at(sim, client, NULL);
    return c ? c->file.history : NULL;
}

bool sl_sim_wrote(sl_sim *sim, int client, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    sl_sim_link_client_talks(c->link);
    spring_traps(sim);
    return result(sim, st);
}

bool sl_sim_transact(sl_sim *sim, int client, uint64_t *request, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    sl_status why = SL_STATUS_INIT;
    *request = 0;
    if (!c) return false;
    if (!c->session) return sl_fail(st, SL_ERR_USAGE, "", "the machine is down");
    bool ok = sl_client_session_transact(c->session, request, &why);
    if (ok) c->asked = *request;
    sl_sim_client_drain(c);
    sl_sim_link_client_talks(c->link);
    spring_traps(sim);
    if (!result(sim, st)) return false;
    if (!ok && st) *st = why;
    return ok || why.cls == SL_ERR_USAGE || why.cls == SL_ERR_STORAGE;
}

bool sl_sim_may_transact(const sl_sim *sim, int client) {
    const sl_client_session *session = sim->clients[client].session;
    return session && sl_client_session_may_transact(session);
}

sl_server_file *sl_sim_server(sl_sim *sim) {
    return sim->file;
}

bool sl_sim_server_wrote(sl_sim *sim, sl_status *st) {
    spring_traps(sim);
    return result(sim, st);
}

static sl_realm *realm_of(sl_sim *sim, int who, sl_status *st) {
    sl_realm *realm = NULL;
    if (who == SL_SIM_SERVER) {
        if (sim->file) realm = sl_server_file_realm(sim->file);
    } else {
        sl_sim_client *client = client_at(sim, who, st);
        if (!client) return NULL;
        realm = client->file.realm;
    }
    if (!realm) sl_fail(st, SL_ERR_USAGE, "", "the machine is down");
    return realm;
}

bool sl_sim_state(sl_sim *sim, int who, sl_buf *out, sl_status *st) {
    sl_realm *realm = realm_of(sim, who, st);
    return realm && sl_realm_state_text(realm, out, st);
}

/* Takes objects of asymmetric classes out of a state: only the server keeps them. */
static void forget_events(sl_buf *text) {
    static const char kind[] = "\"kind\":\"asymmetric\"", objects[] = "\"objects\":[";
    char *at = text->data, *end = at + text->size;
    while ((at = memmem(at, (size_t)(end - at), kind, sizeof kind - 1)) &&
           (at = memmem(at, (size_t)(end - at), objects, sizeof objects - 1))) {
        char *from = at += sizeof objects - 1;
        bool quoted = false;
        for (int depth = 1; at < end; at++) {
            if (quoted && *at == '\\') {
                at++;
            } else if (*at == '"') {
                quoted = !quoted;
            } else if (!quoted && (*at == '[' || *at == ']')) {
                depth += *at == '[' ? 1 : -1;
                if (depth == 0) break;
            }
        }
        memmove(from, at, (size_t)(end - at));
        end -= at - from;
        at = from;
    }
    text->size = (size_t)(end - text->data);
}

bool sl_sim_equal(sl_sim *sim, bool *equal, sl_status *st) {
    sl_buf server, client;
    sl_buf_init(&server, sim->options.alloc);
    sl_buf_init(&client, sim->options.alloc);
    bool ok = sl_sim_state(sim, SL_SIM_SERVER, &server, st);
    if (ok && !server.failed) forget_events(&server);
    *equal = true;
    for (int i = 0; ok && *equal && i < sim->client_count; i++) {
        sl_buf_clear(&client);
        ok = sl_sim_state(sim, i, &client, st);
        *equal = client.size == server.size && memcmp(client.data, server.data, client.size) == 0;
    }
    if (ok && (server.failed || client.failed)) ok = sl_fail_memory(st);
    sl_buf_free(&server);
    sl_buf_free(&client);
    return ok;
}

uint64_t sl_sim_resets(const sl_sim *sim, int client) {
    return client >= 0 && client < sim->client_count ? sim->clients[client].resets : 0;
}

uint64_t sl_sim_states(const sl_sim *sim, int client) {
    return client >= 0 && client < sim->client_count ? sim->clients[client].states : 0;
}

size_t sl_sim_peak(const sl_sim *sim) {
    size_t peak = sim->peak;
    for (const sl_sim_link *link = sim->links; link; link = link->next) {
        if (link->up.peak > peak) peak = link->up.peak;
        if (link->down.peak > peak) peak = link->down.peak;
    }
    return peak;
}

const char *sl_sim_session_state(const sl_sim *sim, int client) {
    const sl_sim_client *c = &sim->clients[client];
    return c->session ? sl_session_state_name(sl_client_session_state(c->session)) : "down";
}

/* ---- the network ----------------------------------------------------------------------------- */

bool sl_sim_set_link(sl_sim *sim, int client, const sl_sim_link_options *options, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    c->link_options = *options;
    if (c->link_options.latency_ms == 0) c->link_options.latency_ms = DEFAULT_LATENCY;
    return true;
}

bool sl_sim_set_version(sl_sim *sim, int who, int version, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    if (version != 0 && (version < SL_PROTOCOL_MIN || version > SL_PROTOCOL_MAX))
        return sl_fail(st, SL_ERR_USAGE, "", "protocol versions go from %d to %d", SL_PROTOCOL_MIN,
                       SL_PROTOCOL_MAX);
    *(who == SL_SIM_SERVER ? &sim->version : &sim->clients[who].version) = version;
    return true;
}

static void lose_some(sl_sim *sim, sl_sim_pipe *pipe) {
    sl_sim_pipe_truncate(pipe, sl_sim_random(sim) % (pipe->count + 1));
}

bool sl_sim_cut_link(sl_sim *sim, int client, sl_sim_cut cut, int64_t linger_ms, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    sl_sim_link *link = c->link;
    if (!link) return true;
    sl_sim_log(sim, "client %d: link cut", client);
    link->cut = true;
    lose_some(sim, &link->up);
    lose_some(sim, &link->down);
    if (cut == SL_SIM_CUT_CLIENT) {
        link->server_lost_at = sim->now + linger_ms;
        link->client_lost_at = sim->now;
    } else {
        sl_sim_link_drop_peer(link, sim->now + (cut == SL_SIM_CUT_SERVER ? linger_ms : 0));
    }
    return sl_sim_advance(sim, 0, st);
}

bool sl_sim_disconnect(sl_sim *sim, int client, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    c->offline = true;
    return sl_sim_cut_link(sim, client, SL_SIM_CUT_BOTH, 0, st);
}

bool sl_sim_connect(sl_sim *sim, int client, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    c->offline = false;
    if (c->connection && !c->link) {
        sl_status why = SL_STATUS_INIT;
        if (!sl_client_connection_reconnect_now(c->connection, &why)) sl_sim_break(sim, &why);
        sl_sim_client_drain(c);
    }
    return result(sim, st);
}

bool sl_sim_pause(sl_sim *sim, int client, bool paused, sl_status *st) {
    sl_sim_client *c = client_at(sim, client, st);
    if (!c) return false;
    if (c->paused == paused) return true;
    c->paused = paused;
    if (!c->session) return true;
    sl_status why = SL_STATUS_INIT;
    bool ok = paused ? sl_client_session_pause(c->session, &why)
                     : sl_client_session_resume(c->session, &why);
    if (!ok) sl_sim_break(sim, &why);
    sl_sim_client_drain(c);
    sl_sim_link_client_talks(c->link);
    return result(sim, st);
}

/* ---- machines -------------------------------------------------------------------------------- */

static sl_memory_disk *disk_of(sl_sim *sim, int who) {
    return who == SL_SIM_SERVER ? sim->disk : sim->clients[who].file.disk;
}

static sl_sim_trap *trap_of(sl_sim *sim, int who) {
    return who == SL_SIM_SERVER ? &sim->trap : &sim->clients[who].trap;
}

bool sl_sim_crash(sl_sim *sim, int who, sl_memory_crash kind, int64_t down_ms, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    if (who == SL_SIM_SERVER) {
        if (!sim->file) return true;
        sl_sim_log(sim, "server: crashes");
        sl_sim_server_stop(sim, kind, sim->now + down_ms);
    } else {
        if (!sim->clients[who].connection) return true;
        sl_sim_log(sim, "client %d: crashes", who);
        sl_sim_client_stop(&sim->clients[who], kind, sim->now + down_ms);
    }
    return sl_sim_advance(sim, 0, st);
}

bool sl_sim_renew(sl_sim *sim, int client, int64_t down_ms, sl_status *st) {
    if (client == SL_SIM_SERVER)
        return sl_fail(st, SL_ERR_USAGE, "", "the server's file is not thrown away");
    if (!is_somebody(sim, client, st)) return false;
    sl_sim_client *c = &sim->clients[client];
    sl_sim_log(sim, "client %d: loses its file", client);
    if (c->connection) sl_sim_client_stop(c, SL_CRASH_PROCESS, sim->now + down_ms);
    sl_sim_file_free(&c->file);
    c->started = false;
    c->file.disk = sl_sim_disk_new(sim->options.alloc);
    return c->file.disk ? sl_sim_advance(sim, 0, st) : sl_fail_memory(st);
}

bool sl_sim_crash_at(sl_sim *sim, int who, uint64_t nth, sl_memory_crash kind, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    spring_traps(sim);
    sl_memory_disk *disk = disk_of(sim, who);
    *trap_of(sim, who) = (sl_sim_trap){true, sl_memory_disk_operations(disk) + nth, kind};
    sl_memory_disk_die(disk, nth, sl_sim_random(sim) & 1);
    return true;
}

bool sl_sim_fail_at(sl_sim *sim, int who, uint64_t nth, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    spring_traps(sim);
    trap_of(sim, who)->set = false;
    sl_memory_disk_fail(disk_of(sim, who), nth);
    return true;
}

bool sl_sim_limit_disk(sl_sim *sim, int who, uint64_t room, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    sl_memory_disk *disk = disk_of(sim, who);
    uint64_t size = sl_memory_disk_size(disk);
    sl_memory_disk_limit(disk, room > UINT64_MAX - size ? UINT64_MAX : size + room);
    return true;
}

bool sl_sim_set_clock(sl_sim *sim, int who, int64_t ms, sl_status *st) {
    if (!is_somebody(sim, who, st)) return false;
    (who == SL_SIM_SERVER ? &sim->clock : &sim->clients[who].clock)->skew = ms;
    return true;
}

bool sl_sim_compact(sl_sim *sim, int64_t client_ttl, sl_status *st) {
    if (!sim->file) return true;
    sl_server_file_compact(sim->file, client_ttl);
    if (client_ttl >= 0) sim->resets_clients = true;
    sim->cares_at = sim->now;
    return sl_sim_advance(sim, 0, st);
}

bool sl_sim_backup(sl_sim *sim, sl_status *st) {
    sl_memory_disk *copy = sl_memory_disk_copy(sim->disk);
    if (!copy) return sl_fail_memory(st);
    sl_memory_disk_free(sim->backup);
    sim->backup = copy;
    sl_sim_log(sim, "server: backup taken");
    return true;
}

bool sl_sim_restore(sl_sim *sim, sl_status *st) {
    if (!sim->backup) return sl_fail(st, SL_ERR_USAGE, "", "no backup was taken");
    sl_memory_disk *copy = sl_memory_disk_copy(sim->backup);
    if (!copy) return sl_fail_memory(st);
    sl_sim_log(sim, "server: restored from the backup");
    for (sl_sim_link *link = sim->links; link; link = link->next)
        sl_sim_pipe_truncate(&link->down, 0);
    if (sim->file) sl_sim_server_stop(sim, SL_CRASH_PROCESS, sim->now);
    sl_memory_disk_free(sim->disk);
    sim->disk = copy;
    sim->resets_clients = true;
    sim->server_starts_at = sim->now;
    return sl_sim_advance(sim, 0, st);
}
