/* Live results: the tree of positions, what a transaction costs, and what happens without memory.
 * That the changes are right is checked by random programs in spec/lua/observe_spec.lua. */
#include "../realm/fixture.h"
#include "failing_alloc.h"
#include "query/live.h"
#include "query/rank_tree.h"

/* --- the tree --- */

typedef struct number {
    sl_rank_node node;
    int value;
} number;

static uint64_t compared;

static int compare(const sl_rank_node *a, const sl_rank_node *b) {
    compared++;
    return ((const number *)(const void *)a)->value - ((const number *)(const void *)b)->value;
}

enum { COUNT = 2000 };

static size_t height(const sl_rank_node *node) {
    if (!node) return 0;
    size_t left = height(node->left), right = height(node->right);
    return 1 + (left > right ? left : right);
}

static void check_tree(const sl_rank_tree *tree, number *numbers, const bool *in) {
    size_t rank = 0, found;
    for (int i = 0; i < COUNT; i++) {
        const sl_rank_node *node = sl_rank_find(tree, &numbers[i].node, &found);
        assert_ptr_equal(node, in[i] ? &numbers[i].node : NULL);
        if (in[i]) assert_int_equal(found, rank++);
    }
    assert_int_equal(sl_rank_size(tree), rank);
    assert_true(height(tree->root) <= 27); /* 2.41 log2 n */
}

static sl_rank_node *number_at(void *ctx, size_t i) {
    return &((number *)ctx)[i].node;
}

static void the_tree_knows_positions(void **state) {
    (void)state;
    static number numbers[COUNT];
    static bool in[COUNT];
    sl_rank_tree tree = {NULL, compare};
    for (int i = 0; i < COUNT; i++)
        numbers[i].value = i;
    for (int i = 0; i < COUNT; i++) { /* the worst order for a tree that is not balanced */
        sl_rank_insert(&tree, &numbers[i].node);
        in[i] = true;
    }
    check_tree(&tree, numbers, in);
    uint32_t random = 12345;
    for (int round = 0; round < 20000; round++) {
        random = random * 1103515245u + 12345u;
        int i = (int)(random >> 8) % COUNT;
        if (in[i])
            sl_rank_erase(&tree, &numbers[i].node);
        else
            sl_rank_insert(&tree, &numbers[i].node);
        in[i] = !in[i];
        if (round % 4000 == 0) check_tree(&tree, numbers, in);
    }
    check_tree(&tree, numbers, in);
    for (int i = 0; i < COUNT; i++)
        in[i] = true;
    sl_rank_build(&tree, numbers, number_at, COUNT);
    check_tree(&tree, numbers, in);
    for (int i = 0; i < COUNT; i += 2) {
        sl_rank_erase(&tree, &numbers[i].node);
        in[i] = false;
    }
    check_tree(&tree, numbers, in);
    compared = 0;
    sl_rank_erase(&tree, &numbers[1].node);
    assert_true(compared < 30);
}

/* --- a realm --- */

static void apply(fixture *f, const char *text) {
    sl_changeset cs;
    sl_changeset_init(&cs, NULL);
    assert_true(notation_read(&cs, text));
    MUST(f, sl_realm_begin(f->realm, &f->st));
    MUST(f, sl_realm_apply(f->realm, &cs, &f->st));
    sl_realm_commit(f->realm);
    sl_changeset_free(&cs);
}

static const char items[] = "table I(_id:int); column I.n:int; column I.s:string;"
                            "create I1; I1.n = 5; I1.s = \"a\"; create I2; I2.n = 3; I2.s = \"b\";"
                            "create I3; I3.n = 9; I3.s = \"c\"; create I4; I4.n = 7; I4.s = \"d\"";

static size_t asked;

static bool count_filter(void *ctx, const sl_key *key) {
    (void)ctx;
    (void)key;
    asked++;
    return true;
}

static void show(const sl_live_change *change, char *text) {
    const size_t *lists[] = {change->deletions, change->insertions, change->old_modifications,
                             change->modifications};
    size_t counts[] = {change->deletion_count, change->insertion_count, change->modification_count,
                       change->modification_count};
    text[0] = 0;
    for (int i = 0; i < 4; i++) {
        for (size_t j = 0; j < counts[i]; j++)
            snprintf(text + strlen(text), 8, "%d ", (int)lists[i][j]);
        strcat(text, "/");
    }
}

static void a_change_costs_what_was_touched(void **state) {
    (void)state;
    fixture f = {.st = SL_STATUS_INIT};
    open_fixture(&f, &(sl_realm_options){0});
    apply(&f, items);
    sl_order order = {SL_STR("n"), false};
    sl_query query = {.class_name = SL_STR("I"), .orders = &order, .order_count = 1};
    sl_live *live = sl_live_new(&query, count_filter, NULL);
    sl_live_change change;
    char text[200];
    MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st));
    assert_int_equal(sl_live_count(live), 4);
    assert_int_equal(asked, 4);
    asked = 0;
    MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st)); /* nothing happened */
    assert_int_equal(asked, 0);
    apply(&f, "I3.n = 4"); /* 2 1 4 3 -> 2 3 1 4 */
    MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st));
    show(&change, text);
    assert_string_equal(text, "3 /1 ///");
    assert_int_equal(asked, 1);
    apply(&f, "I1.s = \"z\"");
    apply(&f, "I2.s = \"z\""); /* the first of the two was missed: all count as modified */
    MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st));
    show(&change, text);
    assert_string_equal(text, "//0 1 2 3 /0 1 2 3 /");
    sl_live_free(live);
    close_fixture(&f);
}

static void without_memory_nothing_is_lost(void **state) {
    (void)state;
    for (int n = 1, ok = 0; !ok; n++) {
        assert_true(n < 1000);
        failing_alloc memory;
        failing_alloc_init(&memory);
        fixture f = {.st = SL_STATUS_INIT};
        open_fixture(&f, &(sl_realm_options){0});
        apply(&f, items);
        sl_order order = {SL_STR("s"), true};
        sl_query query = {
            .class_name = SL_STR("I"), .orders = &order, .order_count = 1, .alloc = &memory.alloc};
        sl_live *live = sl_live_new(&query, NULL, NULL);
        sl_live_change change;
        char text[200];
        MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st));
        apply(&f, "I2.s = \"x\"; erase I4; create I5; I5.s = \"bb\"; I1.n = 1");
        memory.fail_at = (uint64_t)n;
        ok = sl_live_update(live, f.realm, false, &change, &f.st);
        memory.fail_at = 0;
        if (!ok) {
            assert_int_equal(f.st.cls, SL_ERR_MEMORY);
            f.st = (sl_status)SL_STATUS_INIT;
            MUST(&f, sl_live_update(live, f.realm, false, &change, &f.st));
        }
        show(&change, text); /* 4 3 2 1 -> 2 3 5 1 */
        assert_string_equal(text, "0 2 /0 2 /3 /3 /");
        sl_live_free(live);
        assert_int_equal(memory.live, 0);
        close_fixture(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_knows_positions),
        cmocka_unit_test(a_change_costs_what_was_touched),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
