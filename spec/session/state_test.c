/* State transfer between our client and our server in memory: a new file receives the present
 * content instead of the history, whatever is cut or crashes meanwhile (protocol/1-wire.md, 4.9 and
 * 5.12). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "history/client_transfer.h"
#include "history/server_care.h"
#include "pair_world.h"

/* A server with some content that changed often, so that its history is larger than its state. */
static void fill(world *w, uint64_t seed, int objects, int changes) {
    world_init(w, seed, 1);
    w->max_download = 1; /* one segment in each message */
    client_file *a = &w->clients[0].file;
    FILE_WRITE(a, item_schema(realm, st));
    for (int k = 1; k <= objects; k++)
        FILE_WRITE(a, item_create(realm, k, st));
    char name[200];
    for (int k = 0; k < changes; k++) {
        for (size_t i = 0; i < sizeof name - 1; i++)
            name[i] = (char)('a' + test_random(&w->env) % 26);
        name[sizeof name - 1] = 0;
        FILE_WRITE(a, item_name(realm, k % objects + 1, name, st) &&
                          item_tag(realm, k % objects + 1, 0, "tag", st));
    }
    world_settle(w, 3);
}

static void no_errors(const world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (w->clients[i].errors) fail_msg("client %zu: %s", i, w->clients[i].last_error);
}

static void same_everywhere(world *w) {
    for (size_t i = 0; i < w->client_count; i++)
        if (!world_same(w, i)) fail_msg("client %zu differs from the server", i);
}

static void a_new_file_receives_the_state_and_goes_on_from_it(void **state) {
    (void)state;
    world w;
    fill(&w, 1, 200, 300);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(b->states, 1);
    assert_true(b->state_parts > 3);
    assert_int_equal(b->integrated, 0); /* nothing came as history */
    same_everywhere(&w);
    const sl_client_cursors *c = sl_client_history_cursors(b->file.history);
    uint64_t version = sl_server_history_version(sl_server_file_history(w.file));
    assert_int_equal(c->dl_sv, version);
    assert_int_equal(c->dl_cv, 0);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "afterwards", st));
    FILE_WRITE(&b->file, item_tag(realm, 1, 0, "here, too", st) && item_add(realm, 2, 5, st));
    world_settle(&w, 3);
    assert_int_equal(b->integrated, 1);
    same_everywhere(&w);
    world_crash_client(b, SL_CRASH_POWER);
    world_settle(&w, 3);
    FILE_WRITE(&b->file, item_name(realm, 3, "after the crash", st));
    world_settle(&w, 3);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void the_state_is_made_once_for_many(void **state) {
    (void)state;
    world w;
    fill(&w, 2, 40, 100);
    w.state_age = 1 << 20;
    world_crash_server(&w, SL_CRASH_POWER);
    world_settle(&w, 3);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    uint64_t version = sl_client_history_cursors(b->file.history)->dl_sv;
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    world_run(&w);
    world_client *c = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(c->states, 1);
    assert_int_equal(c->integrated, 1); /* the state was the old one */
    assert_int_equal(sl_client_history_cursors(c->file.history)->dl_sv, version + 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void an_old_state_is_made_anew(void **state) {
    (void)state;
    world w;
    fill(&w, 3, 40, 100);
    world_client *b = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(b->states, 1);
    w.state_age = 1;
    world_crash_server(&w, SL_CRASH_PROCESS);
    world_settle(&w, 3);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    world_run(&w);
    world_client *c = world_add_client_with(&w, true);
    world_run(&w);
    assert_int_equal(c->states, 1);
    assert_int_equal(c->integrated, 0);
    same_everywhere(&w);
    world_free(&w);
}

/* Who cannot or may not receive a state gets the history. */
static void otherwise_the_history_comes(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        world w;
        fill(&w, 4, 20, 50);
        if (way == 0) w.features = SL_FEATURE_ALLOC; /* a server that does not know STATE_REQUEST */
        if (way == 1) w.no_states = true;            /* a host that makes none */
        if (way == 2) w.min_state = 1 << 30;         /* too small to be worth it */
        world_crash_server(&w, SL_CRASH_PROCESS);
        world_client *b = world_add_client_with(&w, true);
        if (way == 3) FILE_WRITE(&b->file, item_schema(realm, st) && item_create(realm, 1, st));
        world_settle(&w, 5);
        assert_int_equal(b->states, 0);
        assert_int_equal(b->state_parts, 0);
        assert_true(b->integrated > 50);
        same_everywhere(&w);
        no_errors(&w);
        world_free(&w);
    }
}

/* Runs until the new client has received `messages` messages, then `harm` comes over it. */
static size_t receive_some(world *w, world_client *c, size_t messages) {
    size_t received = 0;
    for (bool busy = true; busy && received < messages;) {
        busy = false;
        for (unsigned which = 0; which < 7 && received < messages; which++)
            while (received < messages && world_step(w, 1, which)) {
                busy = true;
                if (which == 5) received++;
            }
    }
    (void)c;
    return received;
}

static void a_cut_loses_nothing_that_has_come(void **state) {
    (void)state;
    for (size_t after = 1;; after++) {
        world w;
        fill(&w, 5, 200, 300);
        world_client *b = world_add_client_with(&w, true);
        bool all = receive_some(&w, b, after) < after;
        world_cut(b);
        world_reconnect(&w);
        world_settle(&w, 5);
        if (b->integrated) fail_msg("after %zu messages the history came", after);
        same_everywhere(&w);
        no_errors(&w);
        assert_int_equal(b->states, 1);
        sl_state_facts kept;
        const sl_state_store *states =
            sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
        states->kept(states->ctx, &kept);
        /* Heads of the messages included, and nothing twice. */
        assert_in_range(b->state_octets, kept.size, kept.size + 100 * b->state_parts);
        world_free(&w);
        if (all) break;
    }
}

static void a_crash_of_the_client_loses_nothing_that_has_come(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        for (size_t after = 1;; after++) {
            world w;
            fill(&w, 6, 200, 300);
            world_client *b = world_add_client_with(&w, true);
            bool all = receive_some(&w, b, after) < after;
            world_crash_client(b, kind ? SL_CRASH_POWER : SL_CRASH_PROCESS);
            world_settle(&w, 5);
            assert_int_equal(b->states, 1);
            assert_int_equal(b->integrated, 0);
            sl_state_facts kept;
            const sl_state_store *states =
                sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
            states->kept(states->ctx, &kept);
            assert_in_range(b->state_octets, kept.size, kept.size + 100 * b->state_parts);
            same_everywhere(&w);
            no_errors(&w);
            world_free(&w);
            if (all) break;
        }
    }
}

/* The note of what has come outlives the bytes themselves, which somebody has deleted. */
static void a_part_that_is_gone_is_received_again(void **state) {
    (void)state;
    world w;
    fill(&w, 15, 200, 300);
    world_client *b = world_add_client_with(&w, true);
    receive_some(&w, b, 4);
    assert_true(b->state_parts > 0 && b->states == 0);
    world_cut(b);
    const sl_state_store *states = b->file.store->vtbl->states(b->file.store);
    states->part_drop(states->ctx);
    world_reconnect(&w);
    world_settle(&w, 5);
    assert_int_equal(b->states, 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void a_crash_of_the_server_does_no_harm(void **state) {
    (void)state;
    for (size_t after = 1; after < 12; after++) {
        world w;
        fill(&w, 7, 200, 300);
        world_client *b = world_add_client_with(&w, true);
        receive_some(&w, b, after);
        world_crash_server(&w, after & 1 ? SL_CRASH_POWER : SL_CRASH_PROCESS);
        world_reconnect(&w);
        world_settle(&w, 5);
        assert_int_equal(b->states, 1);
        same_everywhere(&w);
        no_errors(&w);
        world_free(&w);
    }
}

/* The state that a client is receiving is thrown away, and another one is made. */
static void a_state_that_is_gone_starts_over(void **state) {
    (void)state;
    world w;
    fill(&w, 8, 200, 300);
    w.state_age = 1;
    world_crash_server(&w, SL_CRASH_PROCESS);
    world_settle(&w, 3);
    world_client *b = world_add_client_with(&w, true);
    receive_some(&w, b, 4);
    assert_true(b->state_parts > 0 && b->states == 0);
    FILE_WRITE(&w.clients[0].file, item_name(realm, 1, "later", st));
    const sl_state_store *states =
        sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
    world_cut(b);
    world_settle(&w, 1);
    states->kept_drop(states->ctx);
    world_reconnect(&w);
    world_settle(&w, 5);
    assert_int_equal(b->states, 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

/* What follows a state may lose changes to objects that never were, if one looks from the beginning
 * of the history; who begins at the state would miss them. */
static void a_state_before_a_compaction_is_not_handed_out(void **state) {
    (void)state;
    world w;
    fill(&w, 16, 60, 100);
    w.state_age = 1 << 30;
    world_crash_server(&w, SL_CRASH_PROCESS);
    world_settle(&w, 3);
    world_client *b = world_add_client_with(&w, true);
    world_settle(&w, 3);
    assert_int_equal(b->states, 1);
    uint64_t version = sl_client_history_cursors(b->file.history)->dl_sv;
    for (int k = 1; k <= 40; k++)
        FILE_WRITE(&w.clients[0].file, item_erase(realm, k, st));
    world_settle(&w, 5);
    bool more = true;
    sl_server_file_compact(w.file, -1);
    while (more) {
        sl_status st = SL_STATUS_INIT;
        if (!sl_server_file_care(w.file, &more, &st)) file_fatal("care", &st);
    }
    assert_true(sl_server_history_compacted(sl_server_file_history(w.file)) > version);
    world_client *c = world_add_client_with(&w, true);
    world_settle(&w, 3);
    assert_int_equal(c->integrated, 0); /* it was made anew */
    assert_int_equal(c->states, 1);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

static void a_state_of_another_history_is_not_handed_out(void **state) {
    (void)state;
    world w;
    fill(&w, 9, 20, 50);
    world_client *b = world_add_client_with(&w, true);
    world_settle(&w, 2);
    assert_int_equal(b->states, 1);
    const sl_state_store *states =
        sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
    sl_state_facts facts;
    states->kept(states->ctx, &facts);
    bool holds = true;
    uint64_t after = 1;
    sl_status st = SL_STATUS_INIT;
    sl_server_history *history = sl_server_file_history(w.file);
    assert_true(sl_server_history_holds(history, facts.version, facts.salt, &holds, &after, &st));
    assert_true(holds);
    assert_int_equal(after, 0);
    assert_true(
        sl_server_history_holds(history, facts.version, facts.salt + 1, &holds, &after, &st));
    assert_false(holds);
    assert_true(
        sl_server_history_holds(history, facts.version + 1, facts.salt, &holds, &after, &st));
    assert_false(holds);
    world_free(&w);
}

/* ---- one side played by hand ----------------------------------------------------------------- */

static void hear(world_client *c, const char *head, const sl_buf *body) {
    sl_buf message;
    sl_status st = SL_STATUS_INIT;
    sl_buf_init(&message, NULL);
    sl_buf_text(&message, head);
    if (body) sl_buf_add(&message, body->data, body->size);
    if (!sl_client_connection_receive(c->connection, c->attempt, message.data, message.size, &st))
        file_fatal(head, &st);
    sl_buf_free(&message);
    world_drain(c);
}

/* The next message of the client; "" if it has none. */
static const char *said(world_client *c) {
    static char text[400];
    sl_buf out;
    bool any = false;
    sl_buf_init(&out, NULL);
    assert_true(sl_client_connection_send(c->connection, &out, &any, NULL));
    snprintf(text, sizeof text, "%.*s", any ? (int)out.size : 0, any ? out.data : "");
    sl_buf_free(&out);
    world_drain(c);
    return text;
}

/* A client that has said BIND to nobody. */
static world_client *bound_client(world *w, unsigned features) {
    world_client *c = world_add_client_with(w, true);
    sl_client_connection_set_features(c->connection, c->attempt, features);
    assert_true(sl_client_connection_opened(c->connection, c->attempt,
                                            SL_STR("com.mongodb.realm-sync#14"), NULL));
    world_drain(c);
    assert_string_equal(said(c), "bind 1 7 0 1 0\n\"world\"");
    return c;
}

static void pack(sl_buf *out, size_t blocks) {
    char *plain = calloc(blocks + 1, SL_STATE_BLOCK);
    sl_buf_init(out, NULL);
    assert_true(sl_state_pack(out, sl_str_of(plain, blocks * SL_STATE_BLOCK), NULL));
    free(plain);
}

static const char *state_head(char *room, const char *numbers, const sl_buf *body) {
    snprintf(room, 200, "state 1 %s %zu\n", numbers, body ? body->size : 0);
    return room;
}

static void a_client_accepts_nothing_but_what_it_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *first, *second; /* version, salt, begin, end, max */
        bool asked, body;
    } cases[] = {
        {"1 5 0 30 30", NULL, false, true},          /* not asked for */
        {"1 5 10 30 30", NULL, true, true},          /* begins in the middle */
        {"1 5 0 0 30", NULL, true, true},            /* ends where it begins */
        {"1 5 0 31 30", NULL, true, true},           /* ends behind the end */
        {"1 5 0 30 30", NULL, true, false},          /* nothing in it */
        {"1 0 0 30 30", NULL, true, true},           /* no salt */
        {"0 5 0 0 0", NULL, true, false},            /* no version but a salt */
        {"0 0 0 30 30", NULL, true, true},           /* no version but a body */
        {"1 5 0 30 60", "2 5 30 60 60", true, true}, /* another version on the way */
        {"1 5 0 30 60", "1 6 30 60 60", true, true}, /* another salt */
        {"1 5 0 30 60", "1 5 30 60 61", true, true}, /* another end */
        {"1 5 0 30 60", "1 5 20 60 60", true, true}, /* not where the first one ended */
    };
    sl_buf body;
    pack(&body, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        char room[200];
        sl_client_transfer left;
        world_init(&w, 10, 0);
        world_client *c = bound_client(&w, cases[i].asked ? SL_FEATURE_STATE : 0);
        hear(c, "ident 1 2 77\n", NULL);
        if (cases[i].asked) assert_string_equal(said(c), "state_request 1 0 0 0 0 2001 2001 1 1\n");
        const sl_buf *given = cases[i].body ? &body : NULL;
        hear(c, state_head(room, cases[i].first, given), given);
        if (cases[i].second) {
            assert_int_equal(c->errors, 0);
            assert_int_equal(c->state_done, 30);
            hear(c, state_head(room, cases[i].second, given), given);
        }
        if (c->errors != 1) fail_msg("case %zu was accepted", i);
        assert_int_equal(sl_client_connection_state(c->connection), SL_CONNECTION_DISCONNECTED);
        assert_true(sl_client_transfer_load(c->file.history, &left, NULL));
        assert_int_equal(left.version, 0);
        world_free(&w);
    }
    sl_buf_free(&body);
}

static void an_unusable_state_makes_way_for_the_history(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        world w;
        char room[200];
        sl_buf body;
        world_init(&w, 11, 0);
        world_client *c = bound_client(&w, SL_FEATURE_STATE);
        hear(c, "ident 1 2 77\n", NULL);
        assert_string_equal(said(c), "state_request 1 0 0 0 0 2001 2001 1 1\n");
        pack(&body, way == 0 ? SL_STATE_SEGMENT_BLOCKS + 1 : 1); /* a bomb */
        if (way == 1) body.data[8] ^= 1;                         /* does not inflate */
        hear(c, state_head(room, "1 5 0 30 60", &body), &body);
        if (way < 2) assert_int_equal(c->errors, 1);
        assert_string_equal(said(c), ""); /* the rest is still owed */
        hear(c, state_head(room, "1 5 30 60 60", &body), &body);
        assert_string_equal(said(c), "ident 1 2 77 0 0 0 0\n");
        assert_int_equal(c->errors, 1); /* two blocks of nothing are no state either */
        assert_int_equal(sl_client_connection_state(c->connection), SL_CONNECTION_CONNECTED);
        hear(c, "download 1 1 0 1 5 0 0 0 0 0 0\n", NULL);
        assert_int_equal(c->errors, 1);
        assert_int_equal(sl_client_history_cursors(c->file.history)->dl_sv, 1);
        sl_buf_free(&body);
        world_free(&w);
    }
}

static void a_state_after_ident_is_a_breach(void **state) {
    (void)state;
    world w;
    world_init(&w, 12, 0);
    world_client *c = bound_client(&w, SL_FEATURE_STATE);
    hear(c, "ident 1 2 77\n", NULL);
    said(c);
    hear(c, "state 1 0 0 0 0 0 0\n", NULL);
    assert_int_equal(c->errors, 0);
    assert_string_equal(said(c), "ident 1 2 77 0 0 0 0\n");
    hear(c, "state 1 0 0 0 0 0 0\n", NULL);
    assert_int_equal(c->errors, 1);
    world_free(&w);
}

static void a_write_meanwhile_goes_before(void **state) {
    (void)state;
    world w;
    fill(&w, 13, 200, 300);
    world_client *b = world_add_client_with(&w, true);
    receive_some(&w, b, 4);
    assert_true(b->state_parts > 0 && b->states == 0);
    FILE_WRITE(&b->file, item_schema(realm, st) && item_create(realm, 5000, st));
    world_settle(&w, 5);
    assert_int_equal(b->states, 0);
    same_everywhere(&w);
    no_errors(&w);
    world_free(&w);
}

/* ---- without memory -------------------------------------------------------------------------- */

static bool took_state(client_file *file, sl_client_connection *c, sl_client_session *session,
                       uint64_t *attempt) {
    sl_client_event event;
    sl_status st = SL_STATUS_INIT;
    bool took = false;
    while (sl_client_connection_next_event(c, &event)) {
        if (event.type == SL_CLIENT_CONNECT) *attempt = event.attempt;
        if (event.type == SL_CLIENT_ERROR) fail_msg("%s", event.error.message);
        if (event.type != SL_CLIENT_STATE_READY) continue;
        file_close(file);
        assert_true(sl_memory_state_install(file->disk));
        while (!file_try_open(file, &st)) {
        }
        while (!sl_client_session_adopt(session, file->history, &st)) {
        }
        took = true;
    }
    return took;
}

/* Every call that finds no memory is made again. True: the n-th allocation was not needed. */
static bool transfer_without(const sl_buf *stream, const sl_state_facts *facts, uint64_t n) {
    failing_alloc memory;
    test_env env;
    failing_alloc_init(&memory);
    test_env_init(&env, 1);
    client_file file = {.alloc = &memory.alloc, .env = &env};
    sl_status st = SL_STATUS_INIT;
    sl_buf out, state;
    char head[200];
    bool any = false, took = false;
    uint64_t attempt = 0;
    snprintf(head, sizeof head, "state 1 %llu %lld 0 %zu %zu %zu\n",
             (unsigned long long)facts->version, (long long)facts->salt, stream->size, stream->size,
             stream->size);
    sl_buf_init(&out, NULL);
    sl_buf_init(&state, NULL);
    sl_buf_text(&state, head);
    sl_buf_add(&state, stream->data, stream->size);
    assert_true(file_try_open(&file, &st));
    sl_client_connection_options options = {
        .alloc = &memory.alloc, .env = &env.env, .route = SL_STR("/r"), .route_verified = true};
    sl_client_session_options wanted = {.path = SL_STR("\"p\""), .state_transfer = true};
    sl_client_connection *c = sl_client_connection_new(&options, &st);
    sl_client_session *session = sl_client_session_open(c, file.history, &wanted, &st);
    took_state(&file, c, session, &attempt);
    sl_client_connection_set_features(c, attempt, SL_FEATURE_STATE);
    assert_true(sl_client_connection_opened(c, attempt, SL_STR("com.mongodb.realm-sync#14"), &st));
    assert_true(sl_client_connection_send(c, &out, &any, &st));
    memory.fail_at = n;
    while (!sl_client_connection_receive(c, attempt, "ident 1 2 77\n", 13, &st)) {
    }
    for (int round = 0; round < 8 && !took; round++) {
        sl_buf_clear(&out);
        while (!sl_client_connection_send(c, &out, &any, &st)) {
        }
        took = took_state(&file, c, session, &attempt);
        if (any && memcmp(out.data, "state_request", 13) == 0)
            while (!sl_client_connection_receive(c, attempt, state.data, state.size, &st)) {
            }
    }
    bool over = memory.fail_at != 0;
    memory.fail_at = 0;
    if (!took) fail_msg("allocation %llu: no state", (unsigned long long)n);
    sl_buf_clear(&out);
    assert_true(sl_client_connection_send(c, &out, &any, &st) && any);
    assert_memory_equal(out.data, "ident 1 2 77 ", 13);
    sl_client_connection_free(c);
    file_free(&file);
    sl_buf_free(&out);
    sl_buf_free(&state);
    assert_int_equal(memory.live, 0);
    return over;
}

static void a_client_without_memory_tries_again(void **state) {
    (void)state;
    world w;
    fill(&w, 17, 60, 60);
    world_client *b = world_add_client_with(&w, true);
    world_settle(&w, 2);
    assert_int_equal(b->states, 1);
    const sl_state_store *states =
        sl_server_file_store(w.file)->vtbl->states(sl_server_file_store(w.file));
    sl_state_facts facts;
    sl_buf stream;
    sl_buf_init(&stream, NULL);
    states->kept(states->ctx, &facts);
    assert_true(states->kept_read(states->ctx, 0, 1 << 30, &stream, NULL));
    for (uint64_t n = 1; !transfer_without(&stream, &facts, n); n++) {
    }
    sl_buf_free(&stream);
    world_free(&w);
}

static void raw(world_client *c, const char *text) {
    assert_true(sl_server_connection_receive(c->peer, text, strlen(text), NULL));
}

static void a_server_keeps_to_the_order(void **state) {
    (void)state;
    static const struct {
        const char *request, *then, *answer;
    } cases[] = {
        /* IDENT while STATE is owed */
        {"state_request 1 0 0 0 0 2001 2001 1 1\n", "ident 1 2 77 0 0 0 0\n", "json_error 109 "},
        {"state_request 1 0 0 0 0 2001 2001 1 1\n", "state_request 1 0 0 0 0 2001 2001 1 1\n",
         "json_error 109 "},
        {"state_request 1 0 0 0 0 2001 2001 1 1\n", "unbind 1\n", "unbound 1\n"},
        /* formats and history schemas that do not include ours */
        {"state_request 1 0 0 0 0 2 24 0 11\n", NULL, "state 1 0 0 0 0 0 0\n"},
        {"state_request 1 0 0 0 0 2002 2002 1 1\n", NULL, "state 1 0 0 0 0 0 0\n"},
        {"state_request 1 0 0 0 0 1 3000 2 11\n", NULL, "state 1 0 0 0 0 0 0\n"},
        /* a maximum below the minimum stands for the minimum */
        {"state_request 1 0 0 0 0 2001 0 1 0\n", "work", "state 1 "},
        {"state_request 1 7 8 9 1 1 3000 1 11\n", "work", "state 1 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world w;
        fill(&w, 14, 20, 30);
        world_client *b = world_add_client_with(&w, true);
        world_step_connect(b);
        queue_clear(&b->to_server);
        raw(b, "bind 1 7 0 0 0\n\"world\"");
        while (world_step_server_send(b)) {
        }
        queue_clear(&b->to_client);
        raw(b, cases[i].request);
        if (cases[i].then && strcmp(cases[i].then, "work") != 0) raw(b, cases[i].then);
        for (bool busy = true; busy;) {
            busy = world_step_server_send(b);
            if (cases[i].then && strcmp(cases[i].then, "work") == 0)
                while (world_step_server_work(&w))
                    busy = true;
        }
        assert_true(b->to_client.count > 0);
        size_t size = strlen(cases[i].answer);
        const sl_buf *last = &b->to_client.items[b->to_client.count - 1];
        if (last->size < size || memcmp(last->data, cases[i].answer, size) != 0)
            fail_msg("case %zu: %.*s", i, (int)last->size, last->data);
        if (cases[i].then && strcmp(cases[i].then, "work") == 0) assert_true(last->size > 100);
        queue_clear(&b->to_client);
        world_free(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_receives_the_state_and_goes_on_from_it),
        cmocka_unit_test(the_state_is_made_once_for_many),
        cmocka_unit_test(an_old_state_is_made_anew),
        cmocka_unit_test(otherwise_the_history_comes),
        cmocka_unit_test(a_cut_loses_nothing_that_has_come),
        cmocka_unit_test(a_crash_of_the_client_loses_nothing_that_has_come),
        cmocka_unit_test(a_part_that_is_gone_is_received_again),
        cmocka_unit_test(a_crash_of_the_server_does_no_harm),
        cmocka_unit_test(a_state_that_is_gone_starts_over),
        cmocka_unit_test(a_state_before_a_compaction_is_not_handed_out),
        cmocka_unit_test(a_state_of_another_history_is_not_handed_out),
        cmocka_unit_test(a_client_accepts_nothing_but_what_it_asked_for),
        cmocka_unit_test(an_unusable_state_makes_way_for_the_history),
        cmocka_unit_test(a_state_after_ident_is_a_breach),
        cmocka_unit_test(a_write_meanwhile_goes_before),
        cmocka_unit_test(a_server_keeps_to_the_order),
        cmocka_unit_test(a_client_without_memory_tries_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
