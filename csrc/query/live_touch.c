#include "base/alloc.h"
#include "query/live_private.h"
#include "realm/read.h"

#include <stdlib.h>

/* An object of any class that came or went. */
typedef struct target {
    sl_str class_name;
    sl_key key;
} target;

typedef struct gathering {
    sl_live *live;
    bool wants_targets, failed;
    target *targets;
    size_t target_count, target_room;
} gathering;

static bool copy_key(sl_arena *arena, sl_key *to, const sl_key *from) {
    *to = *from;
    if (from->type != SL_TYPE_STRING || !from->string.size) return true;
    to->string = sl_arena_str(arena, from->string);
    return to->string.data != NULL;
}

static bool add_touch(sl_live *live, const sl_key *key, bool modified, bool erased) {
    if (live->touch_count == live->touch_room) {
        size_t room = live->touch_room ? live->touch_room * 2 : 16;
        sl_live_touch *touches =
            sl_resize(live->query->alloc, live->touches, room * sizeof *touches);
        if (!touches) return false;
        live->touches = touches;
        live->touch_room = room;
    }
    sl_live_touch touch = {.modified = modified, .erased = erased};
    if (!copy_key(&live->touch_arena, &touch.key, key)) return false;
    live->touches[live->touch_count++] = touch;
    return true;
}

static bool add_target(gathering *g, const sl_change *change) {
    if (g->target_count == g->target_room) {
        size_t room = g->target_room ? g->target_room * 2 : 16;
        target *targets = sl_resize(g->live->query->alloc, g->targets, room * sizeof *targets);
        if (!targets) return false;
        g->targets = targets;
        g->target_room = room;
    }
    target *made = &g->targets[g->target_count];
    made->class_name = change->cls->name;
    if (!copy_key(&g->live->touch_arena, &made->key, change->key)) return false;
    g->target_count++;
    return true;
}

static bool visit_change(void *ctx, const sl_change *change) {
    gathering *g = ctx;
    bool ok = true;
    if (sl_str_eq(change->cls->name, g->live->query->class_name))
        ok = add_touch(g->live, change->key, true, change->kind == SL_CHANGE_ERASED);
    if (ok && g->wants_targets && change->kind != SL_CHANGE_MODIFIED) ok = add_target(g, change);
    if (!ok) g->failed = true;
    return ok;
}

/* The property that a condition looks at, if it may be a link. */
static const sl_property *link_of(const sl_class *cls, const sl_condition *condition) {
    if (cls->has_key && sl_str_eq(cls->key_name, condition->property)) return NULL;
    const sl_property *property = sl_class_find(cls, condition->property);
    bool links = property && (property->type == SL_TYPE_LINK || property->type == SL_TYPE_MIXED);
    return links ? property : NULL;
}

static bool visit_referrer(void *ctx, const sl_key *key, uint32_t count) {
    gathering *g = ctx;
    (void)count;
    if (!add_touch(g->live, key, false, false)) g->failed = true;
    return !g->failed;
}

static bool add_referrers(gathering *g, sl_realm *realm, const sl_class *cls, sl_status *st) {
    const sl_query *query = g->live->query;
    for (uint32_t i = 0; i < query->condition_count; i++) {
        const sl_property *property = link_of(cls, &query->conditions[i]);
        if (!property) continue;
        for (size_t j = 0; j < g->target_count && !g->failed; j++) {
            const target *to = &g->targets[j];
            if (property->target.size && !sl_str_eq(property->target, to->class_name)) continue;
            if (!sl_realm_backlinks(realm, to->class_name, &to->key, cls->name, property->name,
                                    visit_referrer, g, st))
                return false;
        }
    }
    return true;
}

/* Among equals: what was touched itself first. */
static int by_key(const void *a, const void *b) {
    const sl_live_touch *x = a, *y = b;
    int order = sl_key_cmp(&x->key, &y->key);
    return order ? order : (int)y->modified - (int)x->modified;
}

static void unite(sl_live *live) {
    if (!live->touch_count) return;
    qsort(live->touches, live->touch_count, sizeof *live->touches, by_key);
    size_t kept = 1;
    for (size_t i = 1; i < live->touch_count; i++) {
        if (sl_key_cmp(&live->touches[kept - 1].key, &live->touches[i].key) != 0)
            live->touches[kept++] = live->touches[i];
    }
    live->touch_count = kept;
}

bool sl_live_gather(sl_live *live, sl_realm *realm, sl_status *st) {
    const sl_class *cls = sl_realm_class(realm, live->query->class_name);
    gathering g = {.live = live};
    sl_arena_reset(&live->touch_arena);
    live->touch_count = 0;
    for (uint32_t i = 0; cls && i < live->query->condition_count; i++)
        if (link_of(cls, &live->query->conditions[i])) g.wants_targets = true;
    sl_realm_changes(realm, visit_change, &g);
    bool ok = g.failed || !g.target_count || add_referrers(&g, realm, cls, st);
    sl_delete(live->query->alloc, g.targets);
    if (g.failed) return sl_fail_memory(st);
    unite(live);
    return ok;
}

/* --- what a filter may look at --- */

typedef struct reach {
    sl_realm *realm;
    bool *seen; /* by class number */
    bool everything;
    bool touched;
} reach;

/* Marks what `cls` links to, the class itself only if something links to it. */
static void mark_targets(reach *r, const sl_class *cls) {
    for (uint32_t i = 0; i < cls->property_count && !r->everything; i++) {
        const sl_property *property = &cls->properties[i];
        if (property->erased) continue;
        if (property->type == SL_TYPE_MIXED) r->everything = true;
        if (property->type != SL_TYPE_LINK) continue;
        const sl_class *to = sl_realm_class(r->realm, property->target);
        if (!to || r->seen[to->id]) continue;
        r->seen[to->id] = true;
        mark_targets(r, to);
    }
}

static bool visit_touched(void *ctx, const sl_change *change) {
    reach *r = ctx;
    r->touched = r->everything || r->seen[change->cls->id];
    return !r->touched;
}

bool sl_live_reaches(const sl_live *live, sl_realm *realm, bool *yes, sl_status *st) {
    const sl_class *cls = sl_realm_class(realm, live->query->class_name);
    const sl_schema *schema = sl_realm_schema(realm);
    reach r = {.realm = realm};
    r.seen = sl_new_zero(live->query->alloc, schema->next_id + (size_t)1, sizeof *r.seen);
    if (!r.seen) return sl_fail_memory(st);
    if (cls) mark_targets(&r, cls);
    sl_realm_changes(realm, visit_touched, &r);
    sl_delete(live->query->alloc, r.seen);
    *yes = r.touched;
    return true;
}
