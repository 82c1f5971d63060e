#include "base/alloc.h"
#include "query/live_private.h"
#include "realm/read.h"

#include <stdlib.h>

typedef struct row_list {
    sl_live_row **rows;
    size_t count, room;
} row_list;

typedef struct filling {
    sl_live *live;
    sl_realm *realm;
    sl_status *st;
    row_list fresh;
    bool failed;
} filling;

static bool append(const sl_alloc *alloc, row_list *list, sl_live_row *row) {
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        sl_live_row **rows = sl_resize(alloc, list->rows, room * sizeof *rows);
        if (!rows) return false;
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = row;
    return true;
}

static bool look(void *ctx, const sl_key *key, const sl_node *const *nodes) {
    filling *f = ctx;
    const sl_query *query = f->live->query;
    sl_match match = {f->realm, query, &f->live->plan};
    bool yes;
    f->failed = true; /* unless everything below goes well */
    if (!sl_match_holds(&match, key, nodes, &yes, f->st)) return false;
    if (yes) {
        sl_live_row *row = sl_live_row_new(query, &f->live->plan, key, nodes);
        if (!row || !append(query->alloc, &f->fresh, row)) {
            sl_live_row_free(row);
            return sl_fail_memory(f->st);
        }
    }
    f->failed = false;
    return true;
}

/* The filter is asked when nothing is being read from the source. */
static void filter_rows(const sl_live *live, row_list *list) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (live->filter(live->filter_ctx, &list->rows[i]->key))
            list->rows[kept++] = list->rows[i];
        else
            sl_live_row_free(list->rows[i]);
    }
    list->count = kept;
}

static int by_key(const void *a, const void *b) {
    return sl_live_row_compare_keys(&(*(sl_live_row *const *)a)->by_key,
                                    &(*(sl_live_row *const *)b)->by_key);
}

static int by_order(const void *a, const void *b) {
    return sl_live_row_compare(&(*(sl_live_row *const *)a)->by_order,
                               &(*(sl_live_row *const *)b)->by_order);
}

static sl_rank_node *key_node(void *ctx, size_t i) {
    return &((sl_live_row **)ctx)[i]->by_key;
}

static sl_rank_node *order_node(void *ctx, size_t i) {
    return &((sl_live_row **)ctx)[i]->by_order;
}

/* Leaves the rows in the order of the result. */
static void build(sl_live *live, row_list *list) {
    if (list->count) qsort(list->rows, list->count, sizeof *list->rows, by_key);
    sl_rank_build(&live->by_key, list->rows, key_node, list->count);
    if (!live->query->order_count) return;
    if (list->count) qsort(list->rows, list->count, sizeof *list->rows, by_order);
    sl_rank_build(&live->by_order, list->rows, order_node, list->count);
}

static void list_tree(const sl_live *live, const sl_rank_node *node, sl_live_row **rows,
                      size_t *count) {
    if (!node) return;
    list_tree(live, node->left, rows, count);
    rows[(*count)++] =
        live->query->order_count ? sl_live_row_by_order(node) : sl_live_row_by_key(node);
    list_tree(live, node->right, rows, count);
}

static size_t list_rows(const sl_live *live, sl_live_row **rows) {
    size_t count = 0;
    list_tree(live, live->query->order_count ? live->by_order.root : live->by_key.root, rows,
              &count);
    return count;
}

static void free_tree(sl_rank_node *node) {
    if (!node) return;
    free_tree(node->left);
    free_tree(node->right);
    sl_live_row_free(sl_live_row_by_key(node));
}

void sl_live_drop_rows(sl_live *live) {
    free_tree(live->by_key.root);
    live->by_key.root = live->by_order.root = NULL;
}

static bool make_plan(sl_live *live, sl_realm *realm, sl_status *st) {
    sl_status cause = SL_STATUS_INIT;
    const sl_query *query = live->query;
    live->planned = sl_query_check(realm, query, &cause);
    if (!live->planned) return true;
    sl_arena_reset(&live->arena);
    if (!sl_plan_make(&live->plan, sl_realm_class(realm, query->class_name), query, &live->arena))
        return sl_fail_memory(st);
    size_t room = live->plan.selection.slot_count + (size_t)1;
    const sl_node **nodes = sl_resize(query->alloc, live->nodes, room * sizeof *nodes);
    if (!nodes) return sl_fail_memory(st);
    live->nodes = nodes;
    return true;
}

static bool read_rows(filling *f) {
    sl_live *live = f->live;
    if (!make_plan(live, f->realm, f->st)) return false;
    if (!live->planned) return true;
    if (!sl_realm_select(f->realm, live->query->class_name, &live->plan.selection, look, f,
                         f->st) ||
        f->failed)
        return false;
    if (live->filter) filter_rows(live, &f->fresh);
    return true;
}

static void mark_touched(const sl_live *live) {
    for (size_t i = 0; i < live->touch_count; i++) {
        if (!live->touches[i].modified) continue;
        sl_live_row *row = sl_live_find(live, &live->touches[i].key);
        if (row) row->touched = true;
    }
}

/* `before`: the rows as they were, whose trees `was` holds; the new ones are in place. */
static void compare(sl_live *live, const sl_live *was, sl_live_row **before, size_t before_count,
                    const row_list *fresh, bool unknown) {
    sl_live_delta *delta = &live->delta;
    for (size_t i = 0; i < before_count; i++) {
        before[i]->from = i;
        before[i]->touched = false;
    }
    for (size_t i = 0; i < fresh->count; i++) {
        sl_live_row *now = fresh->rows[i], *old = sl_live_find(was, &now->key);
        if (!old) {
            delta->inserted[delta->inserted_count++] = i;
            continue;
        }
        bool candidate = sl_live_row_order(old, now) != 0;
        old->touched = true; /* still here */
        if (candidate || unknown || now->touched)
            delta->pairs[delta->pair_count++] = (sl_live_pair){old->from, i, candidate};
    }
    for (size_t i = 0; i < before_count; i++)
        if (!before[i]->touched) delta->deleted[delta->deleted_count++] = i;
}

static bool replace_rows(sl_live *live, row_list *fresh, bool unknown, sl_live_change *change,
                         sl_status *st) {
    const sl_alloc *alloc = live->query->alloc;
    size_t count = sl_live_count(live);
    sl_live_row **before = sl_new(alloc, (count + 1) * sizeof *before);
    if (!before) return sl_fail_memory(st);
    bool ok = sl_live_delta_start(live, count > fresh->count ? count : fresh->count, st);
    if (ok) {
        sl_live was = *live;
        list_rows(live, before);
        build(live, fresh);
        if (live->filled) {
            if (!unknown) mark_touched(live);
            compare(live, &was, before, count, fresh, unknown);
        }
        sl_live_delta_tell(&live->delta, change);
        for (size_t i = 0; i < count; i++)
            sl_live_row_free(before[i]);
    }
    sl_delete(alloc, before);
    return ok;
}

bool sl_live_refill(sl_live *live, sl_realm *realm, bool unknown, sl_live_change *change,
                    sl_status *st) {
    filling f = {.live = live, .realm = realm, .st = st};
    bool ok = read_rows(&f) && replace_rows(live, &f.fresh, unknown, change, st);
    for (size_t i = 0; !ok && i < f.fresh.count; i++)
        sl_live_row_free(f.fresh.rows[i]);
    sl_delete(live->query->alloc, f.fresh.rows);
    return ok;
}
