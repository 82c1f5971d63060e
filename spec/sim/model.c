#include "model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "content.h"
#include "random_program.h"
#include "session/server_file_private.h"

typedef unsigned long long ull;

void model_free(model *m) {
    free(m->writes);
    free(m->idents);
}

void model_violated(model *m, const char *format, ...) {
    if (m->why[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(m->why, sizeof m->why, format, args);
    va_end(args);
}

static void *grow(void *items, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return items;
    *capacity = *capacity ? *capacity * 2 : 32;
    items = realloc(items, *capacity * size);
    if (!items) abort();
    return items;
}

/* ---- writing --------------------------------------------------------------------------------- */

static sl_place count_place(const char *property) {
    return (sl_place){
        .class_name = SL_STR("Count"), .key = int_key(0), .property = sl_str_c(property)};
}

static bool record_schema(sl_realm *realm, sl_status *st) {
    sl_property write[] = {{.name = SL_STR("author"), .type = SL_TYPE_INT, .target = SL_STR("")}};
    sl_property count[] = {{.name = SL_STR("n"), .type = SL_TYPE_INT, .target = SL_STR("")},
                           {.name = SL_STR("serial"), .type = SL_TYPE_INT, .target = SL_STR("")},
                           {.name = SL_STR("journal"),
                            .type = SL_TYPE_INT,
                            .collection = SL_LIST,
                            .target = SL_STR("")}};
    sl_class classes[] = {{.name = SL_STR("Write"),
                           .has_key = true,
                           .key_name = SL_STR("_id"),
                           .key_type = SL_TYPE_INT,
                           .properties = write,
                           .property_count = 1},
                          {.name = SL_STR("Count"),
                           .has_key = true,
                           .key_name = SL_STR("_id"),
                           .key_type = SL_TYPE_INT,
                           .properties = count,
                           .property_count = 3}};
    sl_schema_definition definition = {classes, 2};
    return sl_record_schema(realm, &definition, NULL, st);
}

static bool record_journal(sl_realm *realm, int64_t id, uint64_t chance, sl_status *st) {
    sl_place journal = count_place("journal");
    sl_value value = {.type = SL_TYPE_INT};
    sl_view view;
    bool found = false;
    value.integer = id;
    if (!sl_realm_get(realm, &journal, &view, &found, st)) return false;
    uint32_t size = found ? view.size : 0;
    return sl_record_list_insert(realm, &journal, (uint32_t)(chance % (size + 1)), &value, st);
}

static bool record_write(const model *m, sl_realm *realm, int64_t id, int who, test_env *env,
                         sl_status *st) {
    sl_key key = int_key(id), zero = int_key(0);
    sl_place author = {.class_name = SL_STR("Write"), .key = key, .property = SL_STR("author")};
    sl_place n = count_place("n");
    sl_value value = {.type = SL_TYPE_INT};
    bool created;
    value.integer = who;
    if (!sl_realm_class(realm, SL_STR("Count")) &&
        (!record_schema(realm, st) || !program_record_schema(realm, st) ||
         !content_record_schema(realm, m->level, st)))
        return false;
    return sl_record_create(realm, SL_STR("Write"), &key, NULL, &created, st) &&
           sl_record_set(realm, &author, &value, false, st) &&
           sl_record_create(realm, SL_STR("Count"), &zero, NULL, &created, st) &&
           sl_record_add_integer(realm, &n, 1, st) &&
           record_journal(realm, id, test_random(env), st) &&
           content_record_account(realm, m->level, id, st) &&
           (test_random(env) % 3 == 0 || program_body(realm, env, st)) &&
           (test_random(env) % 3 == 0 || content_body(realm, env, m->level, who, st));
}

static void refused(model *m, const char *what, const sl_status *st) {
    if (st->cls == SL_ERR_STORAGE && m->faults) return;
    model_violated(m, "%s failed: %s %s", what, sl_status_class_name(st->cls), st->message);
}

/* A transaction of one change that is not accounted for, so that a merge may leave nothing of it.
 */
static bool record_little(sl_realm *realm, test_env *env, sl_status *st) {
    int64_t id = (int64_t)(test_random(env) % PROGRAM_IDS);
    sl_key key = int_key(id);
    bool exists = false;
    if (!sl_realm_exists(realm, SL_STR("Item"), &key, &exists, st)) return false;
    return exists ? program_change(realm, env, id, st) : item_create(realm, id, st);
}

/* A machine that took the place of a lost one is another writer. */
static int writer(const model *m, const sim_step *s) {
    return s->who + SL_SIM_MAX_CLIENTS * m->replacements;
}

void model_do_write(model *m, sl_sim *sim, const sim_step *s) {
    sl_client_history *history = sl_sim_history(sim, s->who);
    sl_status st = SL_STATUS_INIT;
    uint64_t version = 0;
    int64_t id = ++m->next_id;
    test_env env;
    if (!history) return;
    sl_realm *realm = sl_client_history_realm(history);
    bool little = s->chance % 3 == 0 && sl_realm_class(realm, SL_STR("Item"));
    test_env_init(&env, s->chance);
    if (!sl_client_history_begin(history, &st)) {
        refused(m, "begin", &st);
        return;
    }
    if (little ? !record_little(realm, &env, &st)
               : !record_write(m, realm, id, writer(m, s), &env, &st)) {
        sl_client_history_rollback(history);
        refused(m, "write", &st);
        return;
    }
    bool done = sl_client_history_commit(history, &version, &st);
    if (!done) refused(m, "commit", &st);
    if (!little && (done || m->dying[s->who])) {
        m->writes = grow(m->writes, m->count, &m->capacity, sizeof *m->writes);
        m->writes[m->count++] =
            (model_write){.id = id, .client = s->who, .version = version, .unknown = !done};
    }
    if (!done) return;
    if (!sl_sim_wrote(sim, s->who, &st)) model_violated(m, "%s", st.message);
}

static int64_t number_at(sl_realm *realm, const sl_place *place, bool size);

static void look_at_client(model *m, sl_sim *sim, int client);

static bool record_serial(const model *m, sl_realm *realm, int64_t id, int who, test_env *env,
                          sl_status *st) {
    sl_place serial = count_place("serial");
    sl_value value = {.type = SL_TYPE_INT};
    value.integer = number_at(realm, &serial, false) + 1;
    return record_write(m, realm, id, who, env, st) &&
           sl_record_set(realm, &serial, &value, false, st);
}

void model_do_transact(model *m, sl_sim *sim, const sim_step *s) {
    sl_client_history *history = sl_sim_history(sim, s->who);
    sl_status st = SL_STATUS_INIT;
    uint64_t request = 0;
    int64_t id = ++m->next_id;
    test_env env;
    if (!history || !sl_sim_may_transact(sim, s->who) || sl_client_history_ident(history) == 0)
        return;
    sl_realm *realm = sl_client_history_realm(history);
    test_env_init(&env, s->chance);
    if (!sl_realm_class(realm, SL_STR("Count"))) return;
    if (!sl_client_history_begin(history, &st)) {
        refused(m, "begin", &st);
        return;
    }
    if (!record_serial(m, realm, id, writer(m, s), &env, &st)) {
        sl_client_history_rollback(history);
        refused(m, "write", &st);
        return;
    }
    /* The answer may come at once. */
    m->writes = grow(m->writes, m->count, &m->capacity, sizeof *m->writes);
    model_write *w = &m->writes[m->count++];
    *w = (model_write){.id = id,
                       .client = s->who,
                       .serial = true,
                       .transacted = true,
                       .unknown = true,
                       .request = UINT64_MAX};
    size_t index = m->count - 1;
    if (!sl_sim_transact(sim, s->who, &request, &st)) {
        model_violated(m, "%s", st.message);
        return;
    }
    w = &m->writes[index];
    if (request == 0) {
        if (st.cls) refused(m, "transact", &st);
        w->unknown = m->dying[s->who];
        w->lost = !w->unknown;
    }
    if (w->request == UINT64_MAX) w->request = request;
}

void model_on_outcome(model *m, int client, uint64_t request, sl_transact_outcome outcome) {
    for (size_t i = 0; i < m->count; i++) {
        model_write *w = &m->writes[i];
        if (w->client != client || w->request == 0) continue;
        if (w->request != request && w->request != UINT64_MAX) continue;
        w->request = 0;
        w->unknown = outcome == SL_TRANSACT_UNKNOWN;
        w->acknowledged = outcome == SL_TRANSACT_ACCEPTED;
        w->lost = !w->unknown && !w->acknowledged;
        return;
    }
    if (outcome == SL_TRANSACT_UNKNOWN) return; /* of a machine that is gone */
    model_violated(m, "client %d: an outcome of request %llu, which nobody waits for", client,
                   (ull)request);
}

/* Nobody will hear what becomes of it. */
static void forget_requests(model *m, int client) {
    for (size_t i = 0; i < m->count; i++)
        if (m->writes[i].client == client) m->writes[i].request = 0;
}

void model_on_replace(model *m, sl_sim *sim, int client) {
    look_at_client(m, sim, client);
    forget_requests(m, client);
    m->replacements++;
    for (size_t i = 0; i < m->count; i++) {
        model_write *w = &m->writes[i];
        if (w->client != client) continue;
        w->version = 0; /* the new machine counts anew */
        if (w->acknowledged || w->lost) continue;
        w->unknown = w->serial = true; /* it may be on its way */
    }
    m->seen[client] = (model_seen){.resets = m->seen[client].resets};
}

void model_do_server_write(model *m, sl_sim *sim, const sim_step *s) {
    sl_server_file *file = sl_sim_server(sim);
    sl_status st = SL_STATUS_INIT;
    test_env env;
    if (!file) return;
    test_env_init(&env, s->chance);
    if (!sl_server_file_begin_write(file, &st)) {
        refused(m, "begin on the server", &st);
        return;
    }
    if (!program_body(sl_server_file_realm(file), &env, &st) ||
        !content_body(sl_server_file_realm(file), &env, m->level, -1, &st)) {
        sl_server_file_rollback_write(file);
        refused(m, "write on the server", &st);
        return;
    }
    if (!sl_server_file_commit_write(file, &st)) refused(m, "commit on the server", &st);
    if (!sl_sim_server_wrote(sim, &st)) model_violated(m, "%s", st.message);
}

void model_do_schema(model *m, sl_sim *sim, const sim_step *s) {
    static const char *const properties[] = {"extra one", "extra two", "extra three"};
    sl_client_history *history = sl_sim_history(sim, s->who);
    sl_status st = SL_STATUS_INIT;
    sl_property extra = {
        .name = sl_str_c(properties[s->chance % 3]), .type = SL_TYPE_INT, .target = SL_STR("")};
    if (!history) return;
    sl_realm *realm = sl_client_history_realm(history);
    const sl_class *item = sl_realm_class(realm, SL_STR("Item"));
    if (!item || sl_class_find(item, extra.name)) return;
    if (!sl_client_history_begin(history, &st)) {
        refused(m, "begin", &st);
        return;
    }
    if (!sl_record_add_property(realm, SL_STR("Item"), &extra, &st)) {
        sl_client_history_rollback(history);
        refused(m, "schema", &st);
        return;
    }
    if (!sl_client_history_commit(history, NULL, &st)) refused(m, "commit", &st);
    if (!sl_sim_wrote(sim, s->who, &st)) model_violated(m, "%s", st.message);
}

/* ---- on the way ------------------------------------------------------------------------------ */

static void look_at_ident(model *m, int client, uint64_t ident, int64_t salt) {
    for (size_t i = 0; i < m->ident_count; i++) {
        const model_ident *known = &m->idents[i];
        if (known->ident != ident || known->client == client) continue;
        if (known->salt == salt || m->restores == 0)
            model_violated(m, "file ident %llu was given to clients %d and %d", (ull)ident,
                           known->client, client);
    }
    m->idents = grow(m->idents, m->ident_count, &m->ident_capacity, sizeof *m->idents);
    m->idents[m->ident_count++] = (model_ident){ident, salt, client};
}

static void look_at_client(model *m, sl_sim *sim, int client) {
    const sl_client_history *h = sl_sim_history(sim, client);
    if (!h) return;
    model_seen *seen = &m->seen[client];
    const sl_client_cursors *c = sl_client_history_cursors(h);
    model_seen now = {sl_sim_resets(sim, client),
                      sl_client_history_ident(h),
                      sl_client_history_version(h),
                      c->latest_sv,
                      c->dl_sv,
                      c->ul_cv};
    if (now.ident != seen->ident && now.ident != 0)
        look_at_ident(m, client, now.ident, sl_client_history_salt(h));
    if (now.resets == seen->resets &&
        (now.latest < seen->latest || now.downloaded < seen->downloaded ||
         now.uploaded < seen->uploaded || now.version < seen->version))
        model_violated(m, "client %d: a cursor went back", client);
    if (now.downloaded > now.latest || now.uploaded > now.version)
        model_violated(m, "client %d: a cursor lies beyond the history", client);
    *seen = now;
    for (size_t i = 0; i < m->count; i++) {
        model_write *w = &m->writes[i];
        if (w->client == client && !w->lost && !w->unknown && !w->serial &&
            w->version <= now.uploaded)
            w->acknowledged = true;
    }
}

/* Part 4, 3.4, row 11. */
static void look_at_server(model *m, sl_sim *sim) {
    const sl_server_file *file = sl_sim_server(sim);
    if (!file) return;
    for (const sl_file_member *one = file->members; one; one = one->next)
        for (const sl_file_member *other = one->next; other; other = other->next)
            if (one->ident != 0 && one->ident == other->ident)
                model_violated(m, "two sessions are bound to file ident %llu", (ull)one->ident);
}

void model_look(model *m, sl_sim *sim) {
    look_at_server(m, sim);
    for (int i = 0; i < sl_sim_clients(sim); i++)
        look_at_client(m, sim, i);
}

static bool server_has(sl_sim *sim, int64_t id) {
    sl_realm *realm = sl_server_file_realm(sl_sim_server(sim));
    sl_key key = int_key(id);
    bool exists = false;
    if (!sl_realm_class(realm, SL_STR("Write"))) return false;
    sl_realm_exists(realm, SL_STR("Write"), &key, &exists, NULL);
    return exists;
}

bool model_server_ready(sl_sim *sim) {
    const sl_realm *realm = sl_server_file_realm(sl_sim_server(sim));
    return sl_realm_class(realm, SL_STR("Item")) && sl_realm_class(realm, SL_STR("Count"));
}

void model_on_backup(model *m, sl_sim *sim) {
    for (size_t i = 0; i < m->count; i++)
        m->writes[i].in_backup = server_has(sim, m->writes[i].id);
}

void model_on_restore(model *m, sl_sim *sim) {
    model_look(m, sim);
    m->restores++;
    for (size_t i = 0; i < m->count; i++) {
        model_write *w = &m->writes[i];
        if (w->in_backup)
            w->may_lose = false;
        else if (w->acknowledged)
            w->may_lose = true;
    }
}

/* The commit of `w` failed: is it there nevertheless? Only a crash leaves that open. */
static void resolve(model_write *w, sl_realm *realm, uint64_t version) {
    sl_key key = int_key(w->id);
    bool exists = false;
    if (sl_realm_class(realm, SL_STR("Write")) &&
        !sl_realm_exists(realm, SL_STR("Write"), &key, &exists, NULL))
        return;
    w->unknown = false;
    w->lost = !exists;
    w->version = version;
}

void model_after_crash(model *m, const program *p, int client, const sl_client_history *h) {
    uint64_t version = sl_client_history_version(h);
    model_seen *seen = &m->seen[client];
    forget_requests(m, client);
    for (size_t i = 0; i < m->count; i++) {
        model_write *w = &m->writes[i];
        if (w->client == client && w->unknown && !w->serial)
            resolve(w, sl_client_history_realm(h), version);
        if (w->client != client || w->version <= version || w->lost) continue;
        if (!p->fast_commits)
            model_violated(m, "client %d lost version %llu, which was durable", client,
                           (ull)w->version);
        else if (w->acknowledged)
            model_violated(m, "client %d lost version %llu, which the server had confirmed", client,
                           (ull)w->version);
        w->lost = true;
    }
    /* What was not flushed is gone: what came from the server will come again. */
    const sl_client_cursors *c = sl_client_history_cursors(h);
    seen->version = version;
    seen->latest = c->latest_sv;
    seen->downloaded = c->dl_sv;
    seen->uploaded = c->ul_cv;
}

/* ---- in the end ------------------------------------------------------------------------------ */

static void check_writes(model *m, sl_sim *sim, int64_t *present) {
    *present = 0;
    for (size_t i = 0; i < m->count; i++) {
        const model_write *w = &m->writes[i];
        bool there = server_has(sim, w->id);
        if (there) ++*present;
        if (there && w->lost)
            model_violated(m, "write %lld of client %d is there, but its machine never had it safe",
                           (long long)w->id, w->client);
        if (!there && !w->lost && !w->may_lose && !w->unknown)
            model_violated(m, "write %lld of client %d (version %llu) is lost", (long long)w->id,
                           w->client, (ull)w->version);
    }
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The objects without key and the events of the transactions. A client reset makes objects without
 * key anew (part 4, 12.4). */
static void check_accounts(model *m, sl_sim *sim) {
    sl_realm *realm = sl_server_file_realm(sl_sim_server(sim));
    size_t count = 0, accounted = 0, there = 0;
    int64_t *numbers = content_loose_numbers(realm, &count);
    qsort(numbers, count, sizeof *numbers, by_number);
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] <= 0) continue;
        accounted++;
        if (i > 0 && numbers[i] == numbers[i - 1] && m->restores + m->expiries == 0)
            model_violated(m, "the object without key of write %lld is there twice",
                           (long long)numbers[i]);
    }
    for (size_t i = 0; i < m->count; i++) {
        bool here = server_has(sim, m->writes[i].id);
        there += here;
        if (m->level >= LEVEL_ASYMMETRIC && here != content_has_event(realm, m->writes[i].id))
            model_violated(m, "write %lld is %s, its event not", (long long)m->writes[i].id,
                           here ? "there" : "lost");
    }
    if (accounted != there && m->restores + m->expiries == 0)
        model_violated(m, "%zu objects without key after %zu writes", accounted, there);
    free(numbers);
}

static int64_t number_at(sl_realm *realm, const sl_place *place, bool size) {
    sl_view view;
    bool found = false;
    sl_status st = SL_STATUS_INIT;
    if (!sl_realm_class(realm, SL_STR("Count"))) return 0;
    if (!sl_realm_get(realm, place, &view, &found, &st) || !found) return 0;
    return size ? (int64_t)view.size : view.value.integer;
}

/* Client resets may do an addition twice whose acknowledgement was on its way, and overwrite lists
 * (part 4, 12.4); without them every number fits. */
static void check_numbers(model *m, sl_sim *sim, int64_t present) {
    sl_realm *realm = sl_server_file_realm(sl_sim_server(sim));
    sl_place n = count_place("n"), journal = count_place("journal"), serial = count_place("serial");
    int64_t serials = 0;
    for (size_t i = 0; i < m->count; i++) {
        const model_write *w = &m->writes[i];
        if (w->request)
            model_violated(m, "client %d never heard of request %llu", w->client, (ull)w->request);
        serials += w->transacted && server_has(sim, w->id);
    }
    if (m->restores || m->expiries) return;
    if (number_at(realm, &serial, false) != serials)
        model_violated(m, "%lld serialized transactions counted to %lld", (long long)serials,
                       (long long)number_at(realm, &serial, false));
    if (number_at(realm, &n, false) != present)
        model_violated(m, "the counter is %lld after %lld additions",
                       (long long)number_at(realm, &n, false), (long long)present);
    if (number_at(realm, &journal, true) != present)
        model_violated(m, "the journal has %lld lines after %lld additions",
                       (long long)number_at(realm, &journal, true), (long long)present);
}

/* Reciprocal forms a store keeps for a peer. */
static uint64_t forms_of(sl_store *store, uint64_t peer) {
    uint64_t first = 0, last = 0, count = 0;
    store->vtbl->entry_range(store, &first, &last, NULL);
    for (uint64_t version = first; version <= last && last > 0; version++) {
        sl_str bytes;
        bool found = false;
        store->vtbl->reciprocal_get(store, peer, version, &bytes, &found, NULL);
        count += found;
    }
    return count;
}

/* What may wait for the next acknowledgement, and what a client takes away together. */
enum { KEPT_LIMIT = 8, STALE_LIMIT = 128 };

static bool count_entry(void *ctx, const sl_history_entry *entry) {
    (void)entry;
    ++*(uint64_t *)ctx;
    return true;
}

static uint64_t entries_of(sl_sim *sim, int client) {
    sl_store *store = sl_client_history_store(sl_sim_history(sim, client));
    uint64_t entries = 0;
    store->vtbl->entry_scan(store, 0, INT64_MAX, false, count_entry, &entries, NULL);
    return entries;
}

void model_check_trimmed(model *m, sl_sim *sim) {
    for (int i = 0; i < sl_sim_clients(sim); i++)
        if (entries_of(sim, i) > KEPT_LIMIT)
            model_violated(m, "client %d keeps %llu changesets after a restart", i,
                           (ull)entries_of(sim, i));
}

/* What both sides keep for one another does not grow with what was done. */
static void check_growth(model *m, sl_sim *sim, int client) {
    sl_client_history *h = sl_sim_history(sim, client);
    sl_store *store = sl_client_history_store(h);
    sl_store *server = sl_server_file_store(sl_sim_server(sim));
    uint64_t entries = entries_of(sim, client);
    if (entries > KEPT_LIMIT + STALE_LIMIT)
        model_violated(m, "client %d keeps %llu changesets", client, (ull)entries);
    if (sl_client_history_version(h) - sl_client_history_base(h) > KEPT_LIMIT)
        model_violated(m, "client %d needs its history from %llu to %llu", client,
                       (ull)sl_client_history_base(h), (ull)sl_client_history_version(h));
    if (forms_of(store, 1) > KEPT_LIMIT + STALE_LIMIT)
        model_violated(m, "client %d keeps %llu reciprocal forms", client, (ull)forms_of(store, 1));
    uint64_t forms = forms_of(server, sl_client_history_ident(h));
    if (forms > KEPT_LIMIT)
        model_violated(m, "the server keeps %llu reciprocal forms for client %d", (ull)forms,
                       client);
}

static void check_memory(model *m, sl_sim *sim) {
    if (sl_server_file_backlog(sl_sim_server(sim)) != 0)
        model_violated(m, "the server keeps uploads that it has integrated");
    if (sl_server_file_sessions(sl_sim_server(sim)) != (size_t)sl_sim_clients(sim))
        model_violated(m, "the server has %zu sessions for %d clients",
                       sl_server_file_sessions(sl_sim_server(sim)), sl_sim_clients(sim));
    for (int i = 0; i < sl_sim_clients(sim); i++)
        check_growth(m, sim, i);
}

static void check_idents(model *m, sl_sim *sim) {
    for (int i = 0; i < sl_sim_clients(sim); i++)
        for (int k = 0; k < i; k++)
            if (sl_client_history_ident(sl_sim_history(sim, i)) ==
                sl_client_history_ident(sl_sim_history(sim, k)))
                model_violated(m, "clients %d and %d have the same file ident", k, i);
}

void model_check(model *m, sl_sim *sim) {
    sl_status st = SL_STATUS_INIT;
    bool equal = false;
    int64_t present = 0;
    model_look(m, sim);
    if (!sl_sim_equal(sim, &equal, &st)) model_violated(m, "%s", st.message);
    if (!equal) model_violated(m, "the copies differ");
    check_writes(m, sim, &present);
    check_numbers(m, sim, present);
    check_accounts(m, sim);
    check_memory(m, sim);
    check_idents(m, sim);
}
