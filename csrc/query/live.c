#include "query/live.h"

#include "base/alloc.h"
#include "query/live_private.h"
#include "realm/read.h"

sl_live *sl_live_new(const sl_query *query, sl_live_filter filter, void *ctx) {
    sl_live *live = sl_new_zero(query->alloc, 1, sizeof *live);
    if (!live) return NULL;
    live->query = query;
    live->filter = filter;
    live->filter_ctx = ctx;
    live->by_key.compare = sl_live_row_compare_keys;
    live->by_order.compare = sl_live_row_compare;
    sl_arena_init(&live->arena, query->alloc);
    sl_arena_init(&live->touch_arena, query->alloc);
    return live;
}

void sl_live_free(sl_live *live) {
    if (!live) return;
    const sl_alloc *alloc = live->query->alloc;
    sl_live_drop_rows(live);
    sl_arena_free(&live->arena);
    sl_arena_free(&live->touch_arena);
    sl_live_delta_free(&live->delta, alloc);
    sl_delete(alloc, live->touches);
    sl_delete(alloc, live->nodes);
    sl_delete(alloc, live);
}

size_t sl_live_count(const sl_live *live) {
    return sl_rank_size(&live->by_key);
}

size_t sl_live_rank(const sl_live *live, const sl_live_row *row) {
    size_t rank = 0;
    if (live->query->order_count)
        sl_rank_find(&live->by_order, &row->by_order, &rank);
    else
        sl_rank_find(&live->by_key, &row->by_key, &rank);
    return rank;
}

sl_live_row *sl_live_find(const sl_live *live, const sl_key *key) {
    sl_live_row like = {.key = *key};
    const sl_rank_node *node = sl_rank_find(&live->by_key, &like.by_key, NULL);
    return node ? sl_live_row_by_key(node) : NULL;
}

/* --- after one transaction --- */

/* Whether the object belongs to the result now; then touch->after is a fresh row. */
static bool look(sl_live *live, sl_realm *realm, sl_live_touch *touch, sl_status *st) {
    const sl_query *query = live->query;
    const sl_selection *selection = &live->plan.selection;
    const sl_object *object;
    if (touch->erased) return true;
    if (!sl_realm_object(realm, query->class_name, &touch->key, &object, st)) return false;
    if (!object) return true;
    for (uint32_t i = 0; i < selection->slot_count; i++)
        live->nodes[i] = sl_object_at(object, selection->slots[i]);
    sl_match match = {realm, query, &live->plan};
    bool yes;
    if (!sl_match_holds(&match, &touch->key, live->nodes, &yes, st)) return false;
    if (!yes) return true;
    touch->after = sl_live_row_new(query, &live->plan, &touch->key, live->nodes);
    if (!touch->after) return sl_fail_memory(st);
    if (live->filter && !live->filter(live->filter_ctx, &touch->key)) {
        sl_live_row_free(touch->after);
        touch->after = NULL;
    }
    return true;
}

static bool look_at_touched(sl_live *live, sl_realm *realm, sl_status *st) {
    bool ok = true;
    for (size_t i = 0; ok && i < live->touch_count; i++)
        ok = look(live, realm, &live->touches[i], st);
    for (size_t i = 0; !ok && i < live->touch_count; i++)
        sl_live_row_free(live->touches[i].after);
    return ok;
}

static void put_in(sl_live *live, sl_live_row *row) {
    sl_rank_insert(&live->by_key, &row->by_key);
    if (live->query->order_count) sl_rank_insert(&live->by_order, &row->by_order);
}

static void take_out(sl_live *live, sl_live_row *row) {
    sl_rank_erase(&live->by_key, &row->by_key);
    if (live->query->order_count) sl_rank_erase(&live->by_order, &row->by_order);
}

/* Rows that keep their values stay in the trees, so that touch->before == touch->after. */
static void exchange(sl_live *live) {
    for (size_t i = 0; i < live->touch_count; i++) {
        sl_live_touch *touch = &live->touches[i];
        touch->before = sl_live_find(live, &touch->key);
        if (touch->before) touch->before->from = sl_live_rank(live, touch->before);
    }
    for (size_t i = 0; i < live->touch_count; i++) {
        sl_live_touch *touch = &live->touches[i];
        if (touch->before && touch->after && !sl_live_row_order(touch->before, touch->after)) {
            sl_live_row_free(touch->after);
            touch->after = touch->before;
            continue;
        }
        if (touch->before) take_out(live, touch->before);
        if (touch->after) put_in(live, touch->after);
    }
}

static void note(sl_live *live) {
    sl_live_delta *delta = &live->delta;
    for (size_t i = 0; i < live->touch_count; i++) {
        sl_live_touch *touch = &live->touches[i];
        sl_live_row *before = touch->before, *after = touch->after;
        size_t to = after ? sl_live_rank(live, after) : 0;
        if (before && after && (touch->modified || before != after))
            delta->pairs[delta->pair_count++] = (sl_live_pair){before->from, to, before != after};
        else if (before && !after)
            delta->deleted[delta->deleted_count++] = before->from;
        else if (after && !before)
            delta->inserted[delta->inserted_count++] = to;
        if (before != after) sl_live_row_free(before);
    }
}

/* Whether looking at what was touched is not enough. */
static bool must_refill(const sl_live *live, sl_realm *realm, bool unknown, bool *yes,
                        sl_status *st) {
    *yes = unknown || !live->filled || live->schema_version != sl_realm_schema_version(realm);
    if (*yes || !live->filter) return true;
    return sl_live_reaches(live, realm, yes, st);
}

bool sl_live_update(sl_live *live, sl_realm *realm, bool replaced, sl_live_change *change,
                    sl_status *st) {
    uint64_t commits = sl_realm_commits(realm), version = sl_realm_schema_version(realm);
    *change = (sl_live_change){0};
    if (live->filled && !replaced && live->commits == commits) return true;
    bool unknown = replaced || live->commits + 1 != commits || !sl_realm_changes_known(realm);
    bool refill;
    if (!must_refill(live, realm, unknown, &refill, st)) return false;
    if (!sl_live_gather(live, realm, st)) return false;
    if (refill) {
        if (!sl_live_refill(live, realm, unknown, change, st)) return false;
    } else if (live->planned && live->touch_count) {
        if (!sl_live_delta_start(live, live->touch_count, st)) return false;
        if (!look_at_touched(live, realm, st)) return false;
        exchange(live);
        note(live);
        sl_live_delta_tell(&live->delta, change);
    }
    live->filled = true;
    live->commits = commits;
    live->schema_version = version;
    return true;
}
