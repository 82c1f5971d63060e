/* Client reset: a server that lost its recent history, clients that take its state over and bring
 * their own changes along, or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "history/client_reset.h"
#include "pair_world.h"
#include "random_program.h"

/* The server goes back to `backup`. */
static void restore(world *w, const sl_memory_disk *backup) {
    for (size_t i = 0; i < w->client_count; i++)
        world_cut(&w->clients[i]);
    sl_server_file_close(w->file);
    sl_memory_disk_free(w->disk);
    w->disk = sl_memory_disk_copy(backup);
    world_start_server(w);
}

/* A copy of the server's state in a session that does not upload, as the host of a reset makes it.
 * The caller closes it with free_fresh. */
static world_client *make_fresh(world *w) {
    sl_status st = SL_STATUS_INIT;
    uint64_t request;
    world_client *c = &w->clients[w->client_count++];
    memset(c, 0, sizeof *c);
    c->world = w;
    test_env_init(&c->env, test_random(&w->env));
    c->env.mono = w->env.mono;
    c->env.wall = w->env.wall;
    file_open(&c->file, &c->env);
    sl_client_connection_options options = {
        .env = &c->env.env, .route = SL_STR("/realm-sync"), .route_verified = true};
    sl_client_session_options session = {.path = SL_STR("\"world\""), .no_upload = true};
    c->connection = sl_client_connection_new(&options, &st);
    c->session = sl_client_session_open(c->connection, c->file.history, &session, &st);
    assert_non_null(c->session);
    assert_true(sl_client_session_wait_download(c->session, &request, NULL));
    world_drain(c);
    world_run(w);
    assert_int_equal(c->waits_done, 1);
    sl_server_connection_free(c->peer);
    c->peer = NULL;
    queue_clear(&c->to_server);
    queue_clear(&c->to_client);
    sl_client_connection_free(c->connection);
    c->connection = NULL;
    w->client_count--;
    return c;
}

static bool try_reset_for(int code, world *w, world_client *c, sl_reset_mode mode, bool no_recovery,
                          sl_reset_result *result, sl_status *st) {
    world_client *fresh = make_fresh(w);
    sl_reset_request request = {.mode = mode, .no_recovery = no_recovery, .code = code};
    bool ok = sl_client_reset_run(c->file.history, fresh->file.history, &request, result, st);
    file_free(&fresh->file);
    return ok;
}

static bool try_reset(world *w, world_client *c, sl_reset_mode mode, bool no_recovery,
                      sl_reset_result *result, sl_status *st) {
    return try_reset_for(211, w, c, mode, no_recovery, result, st);
}

static sl_reset_result reset(world *w, world_client *c, sl_reset_mode mode) {
    sl_status st = SL_STATUS_INIT;
    sl_reset_result result;
    if (!try_reset(w, c, mode, false, &result, &st)) file_fatal("reset", &st);
    if (!sl_client_session_restart(c->session, &st)) file_fatal("restart", &st);
    world_drain(c);
    world_settle(w, 3);
    if (!sl_client_reset_finish(c->file.history, &st)) file_fatal("finish", &st);
    c->errors = c->resets = 0;
    return result;
}

static bool holds(world_client *c, const char *text) {
    sl_buf out;
    sl_buf_init(&out, NULL);
    file_state(&c->file, &out);
    bool found = strstr(out.data, text) != NULL;
    if (!found && c->world->trace) fprintf(stderr, "%s\n", out.data);
    sl_buf_free(&out);
    return found;
}

typedef struct fixture {
    world w;
    sl_memory_disk *backup;
} fixture;

/* Client 0 holds Item 1 and 2 like the server's backup; the server knows more that it then forgets,
 * and the client has changes that the server never saw. */
static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    world_init(&f->w, 1, 1);
    world_client *c = &f->w.clients[0];
    program_schema(&c->file);
    FILE_WRITE(&c->file, item_create(realm, 1, st) && item_create(realm, 2, st) &&
                             item_tag(realm, 1, 0, "old", st) && item_add(realm, 1, 10, st));
    world_settle(&f->w, 2);
    f->backup = sl_memory_disk_copy(f->w.disk);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    world_free(&f->w);
    sl_memory_disk_free(f->backup);
    free(f);
    return 0;
}

static world_client *lose_and_ask(fixture *f) {
    world_client *c = &f->w.clients[0];
    restore(&f->w, f->backup);
    world_reconnect(&f->w);
    world_settle(&f->w, 2);
    assert_int_equal(c->resets, 1);
    assert_int_equal(sl_client_session_state(c->session), SL_SESSION_INACTIVE);
    return c;
}

/* One acknowledged change that the server forgets, so that it sees the client ahead of it. */
static void write_forgotten(fixture *f) {
    FILE_WRITE(&f->w.clients[0].file, item_name(realm, 2, "forgotten", st));
    world_settle(&f->w, 2);
}

static void go_offline(fixture *f) {
    assert_true(sl_client_connection_disconnect(f->w.clients[0].connection, NULL));
    world_drain(&f->w.clients[0]);
}

static void recovery_keeps_what_the_server_never_saw(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, item_create(realm, 3, st) && item_name(realm, 3, "mine", st));
    FILE_WRITE(&c->file, item_add(realm, 1, 5, st));
    uint64_t version = sl_client_history_version(c->file.history);
    lose_and_ask(f);
    sl_reset_result result = reset(&f->w, c, SL_RESET_RECOVER);
    assert_true(result.recovered);
    assert_int_equal(result.candidates, 2);
    assert_int_equal(result.kept, 2);
    assert_true(sl_client_history_version(c->file.history) > version);
    assert_true(holds(c, "mine"));
    assert_true(holds(c, "\"n\":{\"int\":\"15\"}"));
    assert_false(holds(c, "forgotten"));
    assert_true(world_same(&f->w, 0));
    assert_int_equal(c->errors, 0);
}

static void discarding_loses_them(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, item_create(realm, 3, st) && item_name(realm, 3, "mine", st));
    lose_and_ask(f);
    sl_reset_result result = reset(&f->w, c, SL_RESET_DISCARD);
    assert_false(result.recovered);
    assert_int_equal(result.kept, 0);
    assert_false(holds(c, "mine"));
    assert_false(holds(c, "forgotten"));
    assert_true(world_same(&f->w, 0));
    /* And it goes on. */
    FILE_WRITE(&c->file, item_name(realm, 1, "after", st));
    world_settle(&f->w, 2);
    assert_true(world_same(&f->w, 0));
    assert_int_equal(c->errors, 0);
}

static void a_schema_that_was_never_uploaded_survives_a_discard(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    sl_property colour = {
        .name = SL_STR("colour"), .type = SL_TYPE_STRING, .nullable = true, .target = SL_STR("")};
    FILE_WRITE(&c->file, sl_record_add_property(realm, SL_STR("Item"), &colour, st) &&
                             item_create(realm, 3, st));
    lose_and_ask(f);
    sl_reset_result result = reset(&f->w, c, SL_RESET_DISCARD);
    assert_int_equal(result.kept, 1);
    assert_true(holds(c, "colour"));
    assert_false(holds(c, "{\"int\":\"3\"}"));
    assert_true(world_same(&f->w, 0));
}

static void list_changes_at_known_positions_are_kept_precisely(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    /* In front of "old"; then only what was inserted is touched. */
    FILE_WRITE(&c->file, item_tag(realm, 1, 0, "a", st) && item_tag(realm, 1, 1, "c", st) &&
                             item_tag(realm, 1, 1, "b", st));
    FILE_WRITE(&c->file, item_untag(realm, 1, 2, st));
    lose_and_ask(f);
    /* Another client changes the list on the restored server. */
    sl_status why = SL_STATUS_INIT, *st = &why;
    assert_true(sl_server_file_begin_write(f->w.file, st));
    assert_true(item_tag(sl_server_file_realm(f->w.file), 1, 1, "server", st));
    assert_true(sl_server_file_commit_write(f->w.file, st));
    reset(&f->w, c, SL_RESET_RECOVER);
    assert_true(holds(c, "\"tags\":{\"list\":[{\"string\":\"a\"},{\"string\":\"b\"},{\"string\":"
                         "\"old\"},{\"string\":\"server\"}]}"));
    assert_true(world_same(&f->w, 0));
}

static void a_change_at_an_unknown_position_overwrites_the_list(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, item_tag(realm, 1, 1, "new", st));
    FILE_WRITE(&c->file, item_untag(realm, 1, 0, st)); /* "old": not ours */
    lose_and_ask(f);
    sl_status why = SL_STATUS_INIT, *st = &why;
    assert_true(sl_server_file_begin_write(f->w.file, st));
    assert_true(item_tag(sl_server_file_realm(f->w.file), 1, 0, "server", st));
    assert_true(sl_server_file_commit_write(f->w.file, st));
    reset(&f->w, c, SL_RESET_RECOVER);
    assert_true(holds(c, "\"tags\":{\"list\":[{\"string\":\"new\"}]}"));
    assert_true(world_same(&f->w, 0));
}

static void changes_of_vanished_objects_are_dropped(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, item_name(realm, 2, "mine", st));
    sl_key two = int_key(2);
    sl_link to = {SL_STR("Item"), two};
    sl_value link = {.type = SL_TYPE_LINK};
    link.link = &to;
    sl_place friend = item_place(1, "friend"), friends = item_place(1, "friends");
    FILE_WRITE(&c->file, sl_record_set(realm, &friend, &link, false, st) &&
                             sl_record_list_insert(realm, &friends, 0, &link, st));
    lose_and_ask(f);
    sl_status why = SL_STATUS_INIT, *st = &why;
    assert_true(sl_server_file_begin_write(f->w.file, st));
    assert_true(item_erase(sl_server_file_realm(f->w.file), 2, st));
    assert_true(sl_server_file_commit_write(f->w.file, st));
    sl_reset_result result = reset(&f->w, c, SL_RESET_RECOVER);
    assert_int_equal(result.candidates, 2);
    assert_int_equal(result.kept, 1); /* the link becomes null */
    assert_false(holds(c, "mine"));
    assert_true(holds(c, "\"friend\":null,\"friends\":{\"list\":[]}"));
    assert_true(world_same(&f->w, 0));
}

static void what_cannot_be_recovered_is_refused_and_nothing_changes(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    sl_reset_result result;
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, sl_record_erase_property(realm, SL_STR("Item"), SL_STR("bag"), st));
    lose_and_ask(f);
    sl_buf before, after;
    sl_buf_init(&before, NULL);
    sl_buf_init(&after, NULL);
    file_state(&c->file, &before);
    uint64_t ident = sl_client_history_ident(c->file.history);
    sl_status st = SL_STATUS_INIT;
    assert_false(try_reset(&f->w, c, SL_RESET_RECOVER_OR_DISCARD, false, &result, &st));
    assert_int_equal(st.cls, SL_ERR_SESSION);
    assert_string_equal(st.id, "SCHEMA");
    file_state(&c->file, &after);
    assert_string_equal(before.data, after.data);
    assert_int_equal(sl_client_history_ident(c->file.history), ident);
    /* The next attempt finds the note and discards. */
    reset(&f->w, c, SL_RESET_RECOVER_OR_DISCARD);
    assert_true(holds(c, "\"bag\""));
    assert_true(world_same(&f->w, 0));
    sl_buf_free(&before);
    sl_buf_free(&after);
}

static void a_foreign_schema_is_refused(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    sl_reset_result result;
    sl_status why = SL_STATUS_INIT;
    FILE_WRITE(&c->file, item_name(realm, 1, "x", st));
    world_settle(&f->w, 2);
    /* Another server, with another idea of Item. */
    fixture other = {.backup = NULL};
    world_init(&other.w, 2, 1);
    FILE_WRITE(&other.w.clients[0].file, item_schema(realm, st));
    world_settle(&other.w, 2);
    assert_false(try_reset(&other.w, c, SL_RESET_DISCARD, false, &result, &why));
    assert_string_equal(why.id, "SCHEMA");
    world_free(&other.w);
}

/* 12.3, the table; rows: note of the earlier attempt, columns: mode now. */
static void attempts_that_did_not_help_are_not_repeated(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    static const bool allowed[3][3] = {
        {true, true, true},    /* no note */
        {false, false, false}, /* after a discard */
        {true, false, true},   /* after a recovery */
    };
    for (int before = 0; before < 3; before++)
        for (int mode = 0; mode < 3; mode++) {
            sl_status st_ = SL_STATUS_INIT, *st = &st_;
            sl_reset_result result;
            assert_true(sl_client_reset_finish(c->file.history, st));
            if (before)
                assert_true(try_reset_for(212, &f->w, c,
                                          before == 1 ? SL_RESET_DISCARD : SL_RESET_RECOVER, false,
                                          &result, st));
            bool ok = try_reset_for(212, &f->w, c, (sl_reset_mode)mode, false, &result, st);
            if (ok != allowed[before][mode]) fail_msg("note %d, mode %d: %d", before, mode, ok);
            if (!ok) assert_string_equal(st->id, "LOOP");
            if (ok) assert_int_equal(result.recovered, mode && !(before == 2 && mode == 2));
        }
    sl_status st_ = SL_STATUS_INIT, *st = &st_;
    sl_reset_result result;
    assert_true(sl_client_reset_finish(c->file.history, st));
    assert_false(try_reset(&f->w, c, SL_RESET_RECOVER, true, &result, st));
    assert_true(try_reset(&f->w, c, SL_RESET_RECOVER_OR_DISCARD, true, &result, st));
    assert_false(result.recovered);
}

/* What was recovered is not to blame for another history of the server. */
static void a_second_backup_before_the_end_is_recovered_from_as_well(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    sl_status why = SL_STATUS_INIT;
    sl_reset_result result;
    write_forgotten(f);
    go_offline(f);
    FILE_WRITE(&c->file, item_create(realm, 3, st) && item_name(realm, 3, "mine", st));
    lose_and_ask(f);
    for (int mode = SL_RESET_RECOVER; mode <= SL_RESET_RECOVER_OR_DISCARD; mode++)
        for (int code = 208; code <= 211; code++) {
            assert_true(try_reset_for(code, &f->w, c, (sl_reset_mode)mode, false, &result, &why));
            assert_true(result.recovered);
            assert_int_equal(result.kept, 1);
            assert_int_equal(result.dropped, 0);
            assert_true(holds(c, "mine"));
        }
    /* A server that always answers so is given up at last, with everything. */
    int more = 0;
    while (more < 100 &&
           try_reset_for(208, &f->w, c, SL_RESET_RECOVER_OR_DISCARD, false, &result, &why))
        more++;
    assert_int_equal(more, 12);
    assert_string_equal(why.id, "LOOP");
    assert_true(holds(c, "mine"));
}

static void usage_is_checked(void **state) {
    fixture *f = *state;
    world_client *c = &f->w.clients[0];
    client_file empty = {0};
    sl_status st = SL_STATUS_INIT;
    sl_reset_result result;
    sl_reset_request request = {.mode = SL_RESET_DISCARD};
    file_open(&empty, &f->w.env);
    assert_false(sl_client_reset_run(c->file.history, empty.history, &request, &result, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    assert_true(sl_client_history_begin(c->file.history, &st));
    assert_false(sl_client_reset_run(c->file.history, empty.history, &request, &result, &st));
    assert_int_equal(st.cls, SL_ERR_USAGE);
    file_free(&empty);
}

/* Whatever fails, the file is either as before or reset; the note tells of the attempt. */
static void each_failure_of_the_disk_leaves_old_or_new(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        fixture f = {.backup = NULL};
        fixture *p = &f;
        void *made;
        assert_int_equal(setup(&made), 0);
        p = made;
        world_client *c = &p->w.clients[0];
        write_forgotten(p);
        go_offline(p);
        FILE_WRITE(&c->file, item_create(realm, 3, st) && item_name(realm, 3, "mine", st));
        lose_and_ask(p);
        world_client *fresh = make_fresh(&p->w);
        sl_reset_request request = {.mode = SL_RESET_RECOVER, .code = 211};
        sl_reset_result result;
        sl_status st = SL_STATUS_INIT;
        uint64_t ident = sl_client_history_ident(c->file.history);
        sl_memory_disk_fail(c->file.disk, n);
        bool ok = sl_client_reset_run(c->file.history, fresh->file.history, &request, &result, &st);
        sl_memory_disk_fail(c->file.disk, 0);
        world_cut(c);
        sl_client_session_close(c->session);
        sl_client_connection_free(c->connection);
        c->connection = NULL;
        file_crash(&c->file, SL_CRASH_POWER);
        if (!ok) {
            assert_int_equal(st.cls, SL_ERR_STORAGE);
            assert_int_equal(sl_client_history_ident(c->file.history), ident);
            assert_true(holds(c, "mine"));
            assert_true(holds(c, "forgotten"));
            assert_true(sl_client_reset_finish(c->file.history, &st));
            assert_true(
                sl_client_reset_run(c->file.history, fresh->file.history, &request, &result, &st));
        }
        file_free(&fresh->file);
        world_start_client(c);
        world_settle(&p->w, 3);
        assert_true(holds(c, "mine"));
        assert_false(holds(c, "forgotten"));
        assert_true(world_same(&p->w, 0));
        teardown(&made);
        if (ok) break;
        assert_true(n < 1000);
    }
}

/* A file that knows `changeset` as server version 1, on memory that may run out. */
static void open_synced(client_file *file, test_env *env, const sl_alloc *alloc, uint64_t ident,
                        sl_str changeset) {
    sl_status st = SL_STATUS_INIT;
    sl_client_integration result;
    memset(file, 0, sizeof *file);
    file->alloc = alloc;
    file_open(file, env);
    sl_download_entry entry = {
        .server_version = 1, .origin_timestamp = 5, .origin_file = 9, .changeset = changeset};
    sl_client_download download = {.cursors = {1, 5, 1, 0, 0, 0}, .entries = &entry, .count = 1};
    if (!sl_client_history_set_ident(file->history, ident, 7, &st) ||
        !sl_client_history_integrate(file->history, &download, &result, &st))
        file_fatal("download", &st);
}

static bool reset_short_of_memory(fixture *f, sl_str changeset, uint64_t fail_at) {
    failing_alloc memory;
    failing_alloc_init(&memory);
    client_file local, fresh;
    test_env env;
    test_env_init(&env, 1);
    open_synced(&local, &env, &memory.alloc, 2, changeset);
    open_synced(&fresh, &env, &memory.alloc, 3, changeset);
    FILE_WRITE(&local, item_create(realm, 3, st) && item_name(realm, 3, "mine", st) &&
                           item_tag(realm, 1, 0, "front", st));
    FILE_WRITE(&local, item_untag(realm, 1, 1, st));
    sl_status why = SL_STATUS_INIT;
    sl_reset_request request = {.mode = SL_RESET_RECOVER, .code = 211};
    sl_reset_result result;
    sl_buf text;
    sl_buf_init(&text, NULL);
    memory.requests = 0;
    memory.fail_at = fail_at;
    bool ok = sl_client_reset_run(local.history, fresh.history, &request, &result, &why);
    memory.fail_at = 0;
    bool reached = memory.requests >= fail_at;
    if (!ok) {
        assert_int_equal(why.cls, SL_ERR_MEMORY);
        assert_int_equal(sl_client_history_ident(local.history), 2);
        assert_true(sl_client_reset_finish(local.history, &why));
        assert_true(sl_client_reset_run(local.history, fresh.history, &request, &result, &why));
    }
    assert_int_equal(sl_client_history_ident(local.history), 3);
    file_state(&local, &text);
    assert_non_null(strstr(text.data, "mine"));
    assert_non_null(strstr(text.data, "\"tags\":{\"list\":[{\"string\":\"front\"}]}"));
    sl_buf_free(&text);
    file_free(&local);
    file_free(&fresh);
    assert_int_equal(memory.live, 0);
    (void)f;
    return reached;
}

static void each_failure_of_memory_leaves_old_or_new(void **state) {
    fixture *f = *state;
    sl_history_entry entry;
    bool found = false;
    sl_status why = SL_STATUS_INIT;
    client_file author = {0};
    sl_buf bytes;
    sl_buf_init(&bytes, NULL);
    file_open(&author, &f->w.env);
    FILE_WRITE(&author, item_schema(realm, st) && item_create(realm, 1, st) &&
                            item_tag(realm, 1, 0, "old", st));
    assert_true(author.store->vtbl->entry_get(author.store, 2, &entry, &found, &why) && found);
    sl_buf_str(&bytes, entry.changeset);
    file_free(&author);
    uint64_t n = 1;
    while (reset_short_of_memory(f, sl_str_of(bytes.data, bytes.size), n))
        n++;
    assert_true(n > 50);
    sl_buf_free(&bytes);
}

/* Random work, a server that forgets part of it, and clients that recover: all end up equal. */
static void random_recoveries_converge(void **state) {
    (void)state;
    const char *text = getenv("SYNCLINE_SEEDS");
    int seeds = text ? atoi(text) : 40;
    for (int seed = 1; seed <= seeds; seed++) {
        world w;
        world_init(&w, (uint64_t)seed, 2);
        program_schema(&w.clients[0].file);
        world_settle(&w, 2);
        sl_memory_disk *backup = NULL;
        for (int round = 0; round < 12; round++) {
            for (size_t i = 0; i < 2; i++)
                program_write(&w.clients[i].file, &w.env);
            if (round == 4) world_settle(&w, 2);
            if (round == 5) backup = sl_memory_disk_copy(w.disk);
            if (round < 8) world_settle(&w, 1);
        }
        restore(&w, backup);
        world_reconnect(&w);
        world_settle(&w, 3);
        for (size_t i = 0; i < 2; i++)
            if (w.clients[i].resets) reset(&w, &w.clients[i], SL_RESET_RECOVER);
        world_reconnect(&w);
        world_settle(&w, 4);
        for (size_t i = 0; i < 2; i++)
            if (w.clients[i].errors || !world_same(&w, i))
                fail_msg("seed %d, client %zu: %s", seed, i, w.clients[i].last_error);
        world_free(&w);
        sl_memory_disk_free(backup);
    }
}

int main(int argc, char **argv) {
    if (argc == 2) cmocka_set_test_filter(argv[1]);
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(recovery_keeps_what_the_server_never_saw),
        T(discarding_loses_them),
        T(a_schema_that_was_never_uploaded_survives_a_discard),
        T(list_changes_at_known_positions_are_kept_precisely),
        T(a_change_at_an_unknown_position_overwrites_the_list),
        T(changes_of_vanished_objects_are_dropped),
        T(what_cannot_be_recovered_is_refused_and_nothing_changes),
        T(a_foreign_schema_is_refused),
        T(attempts_that_did_not_help_are_not_repeated),
        T(a_second_backup_before_the_end_is_recovered_from_as_well),
        T(usage_is_checked),
        cmocka_unit_test(each_failure_of_the_disk_leaves_old_or_new),
        T(each_failure_of_memory_leaves_old_or_new),
        cmocka_unit_test(random_recoveries_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
