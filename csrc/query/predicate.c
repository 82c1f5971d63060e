#include "query/predicate.h"

#include <stdlib.h>
#include <string.h>

#include "query/binder.h"
#include "realm/read.h"

struct sl_predicate {
    const sl_alloc *alloc;
    sl_arena arena; /* the tree and the text */
    sl_parsed parsed;
    sl_str class_name;
};

static bool parse(sl_predicate *p, const sl_schema *schema, sl_str class_name, sl_str text,
                  const sl_query_argument *args, uint32_t arg_count, sl_status *st) {
    const sl_class *cls = sl_schema_find(schema, class_name);
    if (!cls)
        return sl_fail(st, SL_ERR_USAGE, "QUERY-TYPE", "there is no class '%.*s'",
                       class_name.size > 60 ? 60 : (int)class_name.size, class_name.data);
    /* Before the text is copied. */
    if (text.size > SL_QUERY_MAX_TEXT)
        return sl_query_parse(text, args, arg_count, &p->arena, &p->parsed, st);
    sl_str copy = sl_arena_str(&p->arena, text);
    p->class_name = sl_arena_str(&p->arena, cls->name);
    if ((text.size && !copy.data) || !p->class_name.data) return sl_fail_memory(st);
    return sl_query_parse(copy, args, arg_count, &p->arena, &p->parsed, st) &&
           sl_query_bind(&p->parsed, schema, cls, &p->arena, st);
}

bool sl_predicate_parse(const sl_schema *schema, sl_str class_name, sl_str text,
                        const sl_query_argument *args, uint32_t arg_count, const sl_alloc *alloc,
                        sl_predicate **predicate, sl_status *st) {
    sl_predicate *p = sl_resize(alloc, NULL, sizeof *p);
    *predicate = NULL;
    if (!p) return sl_fail_memory(st);
    *p = (sl_predicate){.alloc = alloc};
    sl_arena_init(&p->arena, alloc);
    if (!parse(p, schema, class_name, text, args, arg_count, st)) {
        sl_predicate_free(p);
        return false;
    }
    *predicate = p;
    return true;
}

void sl_predicate_free(sl_predicate *p) {
    if (!p) return;
    sl_arena_free(&p->arena);
    sl_delete(p->alloc, p);
}

const sl_ordering *sl_predicate_orderings(const sl_predicate *p, uint32_t *count) {
    *count = p->parsed.ordering_count;
    return p->parsed.orderings;
}

const sl_expr *sl_predicate_tree(const sl_predicate *p) {
    return p->parsed.predicate;
}

bool sl_predicate_holds(const sl_predicate *p, sl_realm *realm, const sl_object *object,
                        uint64_t *budget, bool *yes, sl_status *st) {
    sl_evaluation ev = {.realm = realm, .budget = *budget, .st = st};
    sl_arena_init(&ev.arena, p->alloc);
    bool ok = sl_evaluate(&ev, p->parsed.predicate, object, yes);
    *budget = ev.budget;
    sl_arena_free(&ev.arena);
    return ok;
}

/* --- all objects of the class --- */

typedef struct run {
    const sl_predicate *p;
    sl_evaluation ev;
    sl_arena keep; /* keys, and the values that orderings look at */
    sl_key *keys;
    size_t count, capacity;
    bool failed;
} run;

/* A key that was found, with the values of one SORT or DISTINCT. */
typedef struct row {
    sl_key key;
    size_t place; /* before sorting: equal rows stay as they were */
    const sl_value *values;
    const sl_ordering *ordering;
} row;

static bool note_key(void *ctx, const sl_key *key) {
    run *r = ctx;
    r->failed = true;
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 64;
        sl_key *keys = sl_resize(r->p->alloc, r->keys, capacity * sizeof *keys);
        if (!keys) return sl_fail_memory(r->ev.st);
        r->keys = keys;
        r->capacity = capacity;
    }
    sl_key *copy = &r->keys[r->count];
    *copy = *key;
    if (key->type == SL_TYPE_STRING) {
        copy->string = sl_arena_str(&r->keep, key->string);
        if (key->string.size && !copy->string.data) return sl_fail_memory(r->ev.st);
    }
    r->count++;
    r->failed = false;
    return true;
}

static int compare_keys(const void *a, const void *b) {
    return sl_key_cmp(a, b);
}

static bool object_of(run *r, const sl_key *key, const sl_object **object) {
    sl_arena_reset(&r->ev.arena);
    return sl_realm_object(r->ev.realm, r->p->class_name, key, object, r->ev.st);
}

/* Leaves the keys of the objects that fulfil the predicate. */
static bool filter(run *r) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        const sl_object *object;
        bool yes = false;
        if (!object_of(r, &r->keys[i], &object)) return false;
        if (object && !sl_evaluate(&r->ev, r->p->parsed.predicate, object, &yes)) return false;
        if (yes) r->keys[kept++] = r->keys[i];
    }
    r->count = kept;
    return true;
}

/* --- orderings --- */

static int compare_values(const row *a, const row *b) {
    for (uint32_t i = 0; i < a->ordering->count; i++) {
        int order = sl_value_cmp(&a->values[i], &b->values[i]);
        if (order) return a->ordering->descending[i] ? -order : order;
    }
    return 0;
}

static int compare_rows(const void *a, const void *b) {
    const row *x = a, *y = b;
    int order = compare_values(x, y);
    return order ? order : x->place < y->place ? -1 : x->place > y->place;
}

static int compare_places(const void *a, const void *b) {
    const row *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool copy_bytes(run *r, sl_value *value) {
    if (value->type != SL_TYPE_STRING && value->type != SL_TYPE_BINARY) return true;
    value->string = sl_arena_str(&r->keep, value->string);
    return value->string.data || !value->string.size || sl_fail_memory(r->ev.st);
}

static bool fill_row(run *r, row *one, const sl_ordering *o, size_t place) {
    const sl_object *object;
    sl_value *values = sl_arena_zero(&r->keep, o->count, sizeof *values);
    if (!values) return sl_fail_memory(r->ev.st);
    *one = (row){r->keys[place], place, values, o};
    if (!object_of(r, &one->key, &object)) return false;
    for (uint32_t i = 0; object && i < o->count; i++)
        if (!sl_evaluate_path(&r->ev, o->paths[i], object, &values[i]) ||
            !copy_bytes(r, &values[i]))
            return false;
    return true;
}

/* DISTINCT keeps the first of those with equal values, in the order that was there. */
static size_t first_of_equals(row *rows, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!i || compare_values(&rows[i - 1], &rows[i]) != 0) rows[kept++] = rows[i];
    qsort(rows, kept, sizeof *rows, compare_places);
    return kept;
}

static bool apply_ordering(run *r, const sl_ordering *o) {
    if (o->kind == SL_ORDERING_LIMIT) {
        if (r->count > o->limit) r->count = (size_t)o->limit;
        return true;
    }
    if (!r->count) return true;
    row *rows = sl_resize(r->p->alloc, NULL, r->count * sizeof *rows);
    if (!rows) return sl_fail_memory(r->ev.st);
    bool ok = true;
    for (size_t i = 0; ok && i < r->count; i++)
        ok = fill_row(r, &rows[i], o, i);
    if (ok) {
        qsort(rows, r->count, sizeof *rows, compare_rows);
        if (o->kind == SL_ORDERING_DISTINCT) r->count = first_of_equals(rows, r->count);
        for (size_t i = 0; i < r->count; i++)
            r->keys[i] = rows[i].key;
    }
    sl_delete(r->p->alloc, rows);
    return ok;
}

static bool gather(run *r, sl_realm *realm) {
    if (!sl_realm_scan(realm, r->p->class_name, note_key, r, r->ev.st) || r->failed) return false;
    if (r->count) qsort(r->keys, r->count, sizeof *r->keys, compare_keys);
    if (!filter(r)) return false;
    for (uint32_t i = 0; i < r->p->parsed.ordering_count; i++)
        if (!apply_ordering(r, &r->p->parsed.orderings[i])) return false;
    return true;
}

bool sl_predicate_run(const sl_predicate *p, sl_realm *realm, uint64_t *budget,
                      sl_key_visitor visit, void *ctx, sl_status *st) {
    run r = {.p = p, .ev = {.realm = realm, .budget = *budget, .st = st}};
    sl_arena_init(&r.ev.arena, p->alloc);
    sl_arena_init(&r.keep, p->alloc);
    bool ok = gather(&r, realm);
    *budget = r.ev.budget;
    for (size_t i = 0; ok && i < r.count && visit(ctx, &r.keys[i]);)
        i++;
    sl_delete(p->alloc, r.keys);
    sl_arena_free(&r.keep);
    sl_arena_free(&r.ev.arena);
    return ok;
}
