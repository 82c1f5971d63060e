/* What a store or a realm cannot hold: whoever sent it is found and left out, others go on, and
 * nothing is tried for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_rig.h"

#define SCHEMA                                                                                     \
    "table P(_id:int); column P.x:int; column P.a:string; column P.b:string; column P.c:string; "  \
    "create P1; create P2"

static void connect_new(raw_client *client, server_rig *rig) {
    raw_connect(client, rig, 14);
    raw_bind_new(client, "\"p\"");
}

/* Queues one UPLOAD with an entry for each of `count` texts. */
static void upload(raw_client *client, uint64_t cv, uint64_t sv, size_t count,
                   const char *const *texts) {
    sl_buf body, wire;
    sl_buf_init(&body, NULL);
    sl_buf_init(&wire, NULL);
    for (size_t i = 0; i < count; i++)
        raw_entry(&body, cv + i, sv, 1000 + cv + i, texts[i]);
    sl_client_message msg = {
        .type = SL_MSG_UPLOAD,
        .session = 1,
        .upload = {cv + count - 1, sv, 0, {false, body.size, sl_str_of(body.data, body.size)}}};
    sl_client_message_write(&wire, client->dialect, &msg);
    assert_true(sl_server_connection_receive(client->connection, wire.data, wire.size, NULL));
    sl_buf_free(&body);
    sl_buf_free(&wire);
}

static void upload_one(raw_client *client, uint64_t cv, uint64_t sv, const char *text) {
    upload(client, cv, sv, 1, &text);
}

/* Works until nothing waits; how many units that took. */
static int settle(server_rig *rig) {
    int units = 0;
    for (sl_status st = SL_STATUS_INIT; sl_server_file_waiting(rig->files[0].file); units++) {
        assert_true(units < 20);
        if (!rig_work(rig, &st)) fail_msg("%s", st.message);
    }
    return units;
}

/* Sets `text` to instructions that give P2 a string of `size` bytes in `property`. */
static void long_string(sl_buf *text, char property, size_t size) {
    sl_buf_clear(text);
    sl_buf_printf(text, "P2.%c = \"", property);
    for (size_t i = 0; i < size; i++)
        sl_buf_byte(text, 't');
    sl_buf_str(text, SL_STR("\""));
    sl_buf_byte(text, 0);
}

static bool mentions(raw_client *client, const char *what) {
    return strstr(raw_heard(client), what) != NULL;
}

/* The store takes every changeset, but not the object that they make together: the unit fails as a
 * whole. */
static void whoever_spoils_a_unit_is_found(void **state) {
    (void)state;
    for (int bad = 0; bad < 3; bad++) {
        server_rig rig;
        raw_client clients[3];
        sl_buf texts[3];
        rig_init(&rig);
        for (int i = 0; i < 3; i++) {
            connect_new(&clients[i], &rig);
            sl_buf_init(&texts[i], NULL);
            long_string(&texts[i], (char)('a' + i), 1000);
        }
        raw_commit(&clients[0], 3, 0, SCHEMA);
        for (int i = 0; i < 3; i++) {
            raw_take(&clients[i]);
            raw_clear(&clients[i]);
        }
        sl_memory_disk_limit_values(rig.files[0].disk, 2500);
        const char *spoils[] = {"P1.x = 5", texts[0].data, texts[1].data, texts[2].data};
        const char *honest[] = {"P1.x = 1", "P1.x = 2", "P1.x = 3"};
        for (int i = 0; i < 3; i++)
            if (i == bad)
                upload(&clients[i], 4, 1, 4, spoils);
            else
                upload(&clients[i], 4, 1, 3, honest);
        settle(&rig);
        for (int i = 0; i < 3; i++) {
            raw_take(&clients[i]);
            if (i != bad) assert_int_equal(clients[i].ul_cv, 6);
            if (i == bad) assert_true(mentions(&clients[i], "\"action\":\"ApplicationBug\""));
            raw_free(&clients[i]);
            sl_buf_free(&texts[i]);
        }
        rig_free(&rig);
    }
}

static void a_refusal_at_any_call_ends(void **state) {
    (void)state;
    for (uint64_t n = 1;; n++) {
        server_rig rig;
        raw_client a, b;
        rig_init(&rig);
        connect_new(&a, &rig);
        connect_new(&b, &rig);
        raw_commit(&a, 3, 0, SCHEMA);
        raw_take(&b);
        raw_clear(&a);
        raw_clear(&b);
        raw_client fresh;
        raw_connect(&fresh, &rig, 14);
        raw_say(&fresh, "bind 1 3 0 1 0\n\"p\"");
        upload_one(&a, 4, 1, "table Q(_id:int); P1.x = 8; P2.a = \"t\"");
        upload_one(&b, 4, 1, "P1.x = 9");
        uint64_t before = sl_memory_disk_operations(rig.files[0].disk);
        sl_memory_disk_refuse(rig.files[0].disk, n);
        /* The first call may fail where a unit begins. */
        (void)rig_work(&rig, NULL);
        settle(&rig);
        bool over = sl_memory_disk_operations(rig.files[0].disk) < before + n;
        raw_take(&a);
        raw_take(&b);
        raw_take(&fresh);
        /* Nobody is left without a word: an acknowledgement or an error. */
        assert_true((a.ul_cv == 4) != (raw_error(&a) != 0));
        assert_true((b.ul_cv == 4) != (raw_error(&b) != 0));
        assert_true((fresh.ident != 0) != (raw_error(&fresh) != 0));
        raw_free(&a);
        raw_free(&b);
        raw_free(&fresh);
        rig_free(&rig);
        if (over) break;
        assert_true(n < 1000);
    }
}

static void limits_of_the_realm_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {"column P.d:int", 0},
        {"column P.d:int; column P.e:int", 225},
        {"column P.x:int; column P.a:string", 0}, /* what is there already */
        {"P2.a = \"12345678901234567890\"; P2.b = \"12345678901234567890\"", 201},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        server_rig rig;
        raw_client a;
        rig_init(&rig);
        rig.limits = (sl_realm_limits){.properties = 5, .object_bytes = 50};
        connect_new(&a, &rig);
        raw_commit(&a, 3, 0, SCHEMA);
        raw_clear(&a);
        upload_one(&a, 4, 1, cases[i].text);
        settle(&rig);
        raw_take(&a);
        assert_int_equal(raw_error(&a), cases[i].error);
        raw_free(&a);
        rig_free(&rig);
    }
}

/* Memory that is refused for good: some tries, then the client is told to come back later. */
static void what_takes_too_much_memory_is_left_out(void **state) {
    (void)state;
    server_rig rig;
    raw_client a, b;
    rig_init(&rig);
    connect_new(&a, &rig);
    connect_new(&b, &rig);
    raw_commit(&a, 3, 0, SCHEMA);
    raw_take(&b);
    raw_clear(&a);
    raw_clear(&b);
    sl_buf text;
    sl_buf_init(&text, NULL);
    long_string(&text, 'a', 100000);
    upload_one(&a, 4, 1, text.data);
    upload_one(&b, 4, 1, "P1.x = 9");
    rig.memory.largest = 90000;
    int failures = 0;
    for (int units = 0; sl_server_file_waiting(rig.files[0].file); units++) {
        assert_true(units < 20);
        failures += !rig_work(&rig, NULL);
    }
    rig.memory.largest = 0;
    assert_true(failures > 0);
    raw_take(&a);
    raw_take(&b);
    assert_int_equal(raw_error(&a), 201);
    assert_int_equal(b.ul_cv, 4);
    sl_buf_free(&text);
    raw_free(&a);
    raw_free(&b);
    rig_free(&rig);
}

/* The host skips what is beyond the limit of a message and shows its front. */
static void only_the_session_of_a_skipped_upload_ends(void **state) {
    static const struct {
        const char *front;
        int error, close;
    } cases[] = {{"upload 1 1 30000000 20000000 4 1 0\nxyz", 201, 0},
                 {"upload 1 0 20000000 0 4 1 0\n", 201, 0},
                 {"upload 7 0 20000000 0 4 1 0\n", 106, 0},
                 {"upload 1 0 20000000 0 4 1 0", 0, 1009},
                 {"upload 1 0 20000000 0 4 1\n", 0, 1009},
                 {"transact 1 4 1 0 20000000\n", 0, 1009}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        server_rig rig;
        raw_client a;
        rig_init(&rig);
        connect_new(&a, &rig);
        sl_server_connection_receive_skipped(a.connection, cases[i].front, strlen(cases[i].front));
        raw_take(&a);
        sl_wish wish = sl_server_connection_wish(a.connection);
        assert_int_equal(wish.code, cases[i].close);
        if (cases[i].error) assert_int_equal(raw_error(&a), cases[i].error);
        if (cases[i].error == 201) {
            raw_say(&a, "unbind 1\n");
            raw_clear(&a);
            raw_say(&a, "ping 5 0\n");
            hears(&a, "pong 5");
        }
        raw_free(&a);
        rig_free(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_spoils_a_unit_is_found),
        cmocka_unit_test(a_refusal_at_any_call_ends),
        cmocka_unit_test(limits_of_the_realm_are_told_apart),
        cmocka_unit_test(only_the_session_of_a_skipped_upload_ends),
        cmocka_unit_test(what_takes_too_much_memory_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
