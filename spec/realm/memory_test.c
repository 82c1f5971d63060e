/* Every allocation fails once: nothing leaks, and a discarded transaction leaves no trace. */
#include "failing_alloc.h"
#include "random_edit.h"
#include "realm/list.h"

typedef void (*scene)(fixture *f, bool *ok);

static const char *const filling =
    "create Q1; create Q2; create P1; create P2; P1.q = Q1; P1.e = object; P1.e.x = 2;"
    "ins P1.li[0] 1 |0|; ins P1.li[1] 2 |1|; P1.di.a = 1; P1.m = list; ins P1.m[0] \"text\" |0|;"
    "ins P1.le[0] object |0|; P1.le[0].eq = Q2; P1.de.h = object; add P1.sq Q1; add P1.sm \"x\";"
    "ins P1.lq[0] Q1 |0|; P1.dq.k = Q1; P1.dm.k = Q1";

static void apply_much(fixture *f, bool *ok) {
    static const char *const edits =
        "create P3; P3.s = \"words\"; P3.q = Q1; ins P1.li[1] 5 |2|; del P1.li[0] |3|;"
        "mov P1.li[0>1] |2|; P1.di.b = 2; P1.di.a = erased; P1.m.z = 1";
    *ok = !try_apply(f, edits) && f->st.cls == SL_ERR_CHANGESET;
    if (!*ok) return;
    *ok = try_apply(f, "P1.m = dict; P1.m.k = list; ins P1.m.k[0] 1 |0|; clr P1.li list;"
                       "P1.e = null; erase P2; create P2; column P.late:string[];"
                       "ins P1.late[0] \"a\" |0|; table Z(_id:string); column Z.z:->P;"
                       "drop column P.s; erase Q1; rem P1.sm \"x\"; del P1.le[0] |1|");
}

static bool write_much(fixture *f) {
    sl_link link;
    sl_key one = int_key(1), two = int_key(2);
    sl_value object = made(SL_TYPE_OBJECT), list = made(SL_TYPE_LIST), five = integer(5);
    sl_property late = {.name = SL_STR("late"), .type = SL_TYPE_STRING};
    sl_realm *r = f->realm;
    return sl_record_erase(r, SL_STR("Q"), &one, &f->st) &&
           sl_record_create(r, SL_STR("Q"), &one, NULL, NULL, &f->st) &&
           sl_record_create(r, SL_STR("N"), NULL, NULL, NULL, &f->st) &&
           sl_record_set(r, at("P", one, "e"), &object, false, &f->st) &&
           sl_record_set(r, at("P", one, "m"), &list, false, &f->st) &&
           write_insert(f, at("P", one, "m"), 0, link_to(&link, "Q", two)) &&
           sl_record_clear(r, at("P", one, "m"), &f->st) &&
           sl_record_list_swap(r, at("P", one, "li"), 0, 1, &f->st) &&
           sl_record_set_insert(r, at("P", one, "ss"),
                                &(sl_value){.type = SL_TYPE_STRING, .string = SL_STR("y")}, NULL,
                                &f->st) &&
           sl_record_set(r, at("P", two, "di/k"), &five, false, &f->st) &&
           sl_record_add_property(r, SL_STR("P"), &late, &f->st) &&
           sl_record_erase_all(r, SL_STR("Q"), &f->st) && sl_realm_adopt_ident(r, 9, &f->st);
}

static void record_much(fixture *f, bool *ok) {
    sl_changeset_reset(&f->cs);
    f->st = (sl_status)SL_STATUS_INIT;
    *ok = sl_realm_begin_write(f->realm, &f->cs, 0, &f->st) && write_much(f);
    if (*ok)
        sl_realm_commit(f->realm);
    else
        sl_realm_discard(f->realm);
}

static void read_much(fixture *f, bool *ok) {
    static const char *const paths[] = {"q", "lq", "m", "le/0/eq", "dm/k"};
    *ok = true;
    for (size_t i = 0; *ok && i < sizeof paths / sizeof *paths; i++) {
        sl_view view;
        bool found;
        *ok = sl_realm_get(f->realm, at("P", int_key(1), paths[i]), &view, &found, &f->st);
    }
    sl_buf out;
    sl_buf_init(&out, NULL);
    *ok = *ok && sl_realm_state_text(f->realm, &out, &f->st);
    sl_buf_free(&out);
}

/* `changes`: a success leaves another state. */
static void fail_everywhere(scene run, bool changes) {
    bool ok = false;
    for (uint64_t n = 1; !ok && n < 5000; n++) {
        failing_alloc memory;
        fixture f;
        failing_alloc_init(&memory);
        sl_realm_options options = {.alloc = &memory.alloc};
        open_fixture(&f, &options);
        APPLY(&f, random_schema);
        APPLY(&f, filling);
        char *before = state_of(f.realm);
        f.st = (sl_status)SL_STATUS_INIT;
        memory.fail_at = n;
        run(&f, &ok);
        memory.fail_at = 0;
        char *after = state_of(f.realm);
        if (!ok) {
            assert_int_equal(f.st.cls, SL_ERR_MEMORY);
            assert_string_equal(after, before);
        } else {
            assert_true(n > 5);
            assert_int_equal(changes, strcmp(after, before) != 0);
        }
        free(before);
        free(after);
        close_fixture(&f);
        assert_int_equal(memory.live, 0);
    }
    assert_true(ok);
}

static void applying(void **state) {
    (void)state;
    fail_everywhere(apply_much, true);
}

static void recording(void **state) {
    (void)state;
    fail_everywhere(record_much, true);
}

static void reading(void **state) {
    (void)state;
    fail_everywhere(read_much, false);
}

/* Undoing has to work without any memory. */
static void undoing_needs_no_memory(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        failing_alloc memory;
        fixture f;
        dice d = {seed};
        failing_alloc_init(&memory);
        sl_realm_options options = {.alloc = &memory.alloc};
        open_fixture(&f, &options);
        APPLY(&f, random_schema);
        begin(&f);
        random_edits(&f, &d, 60);
        commit(&f);
        char *before = state_of(f.realm);
        begin(&f);
        random_edits(&f, &d, 60);
        uint64_t requests = memory.requests;
        sl_realm_discard(f.realm);
        assert_int_equal(memory.requests, requests);
        char *after = state_of(f.realm);
        assert_string_equal(after, before);
        free(before);
        free(after);
        close_fixture(&f);
        assert_int_equal(memory.live, 0);
    }
}

static int64_t number_at(const sl_list *list, uint32_t i) {
    return sl_list_at(list, i)->value.integer;
}

static void *no_memory(void *ctx, void *block, size_t size) {
    (void)ctx, (void)block, (void)size;
    return NULL;
}

/* A long list whose elements are taken out and put back while there is no memory at all. */
static void a_list_takes_back_what_it_gave(void **state) {
    (void)state;
    enum { LENGTH = 3000, STEPS = 4000 };
    static int64_t taken[STEPS];
    static uint32_t places[STEPS];
    const sl_alloc nothing = {no_memory, NULL};
    failing_alloc memory;
    dice d = {7};
    failing_alloc_init(&memory);
    sl_list *list = sl_list_new(&memory.alloc);
    for (uint32_t i = 0; i < LENGTH; i++) {
        sl_node *node = sl_list_insert(&memory.alloc, list, roll(&d, i + 1));
        node->value = integer(i);
    }
    int64_t *before = calloc(LENGTH, sizeof *before);
    for (uint32_t i = 0; i < LENGTH; i++)
        before[i] = number_at(list, i);
    uint32_t steps = 0;
    while (sl_list_count(list) && steps < STEPS) {
        sl_node node;
        uint32_t count = sl_list_count(list);
        places[steps] = roll(&d, 3) ? count / 2 - (count / 2 > 0) : roll(&d, count);
        sl_list_take(&memory.alloc, list, places[steps], &node);
        taken[steps++] = node.value.integer;
    }
    while (steps-- > 0) {
        sl_node *node = sl_list_insert(&nothing, list, places[steps]);
        assert_non_null(node);
        node->value = integer(taken[steps]);
    }
    assert_int_equal(sl_list_count(list), LENGTH);
    for (uint32_t i = 0; i < LENGTH; i++)
        assert_int_equal(number_at(list, i), before[i]);
    free(before);
    sl_list_free(&memory.alloc, list);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applying),
        cmocka_unit_test(recording),
        cmocka_unit_test(reading),
        cmocka_unit_test(undoing_needs_no_memory),
        cmocka_unit_test(a_list_takes_back_what_it_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
