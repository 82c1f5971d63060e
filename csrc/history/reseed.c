#include "history/reseed.h"

#include "history/key_list.h"
#include "history/reset_transfer.h"
#include "realm/apply.h"
#include "realm/read.h"

/* Where a batch ends, so that it fits into a message. */
enum { BATCH_BYTES = 1 << 20 };

/* The objects of a class by their keys here; the first `given` are given back, the others are on
 * the server. */
typedef struct given_class {
    struct given_class *next;
    const sl_class *cls;
    sl_key_list list;
    size_t given;
} given_class;

struct sl_reseed {
    sl_reseed_options options;
    sl_arena arena;
    given_class *classes;
    sl_changeset cs;
    sl_changeset_size measured;
    sl_buf scratch;
    sl_reset_writer writer;
    uint64_t taken;
};

/* ---- keys ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

enum { NEW_KEYS = 1 << 29 };

/* In the upper half of the idents that keys can have, which no server comes to by counting; what is
 * there already stays. */
static void new_key(sl_key *key) {
    if (key->global.hi >= NEW_KEYS) return;
    uint64_t first = mix(key->global.hi * UINT64_C(0x9e3779b97f4a7c15) + key->global.lo);
    key->global.hi = NEW_KEYS | first >> 35;
    key->global.lo = mix(first) >> 32;
}

/* Whether the server has the object; `*key` becomes the key that it has there, or will have. Never
 * decided by what was added here: no new key is looked for under an old one. */
static bool on_server(sl_reseed *r, sl_str class_name, sl_key *key, bool *exists, sl_status *st) {
    const sl_key old = *key;
    const sl_class *theirs = sl_realm_class(r->options.fresh, class_name);
    *exists = false;
    if (theirs && !(r->options.lost && old.type == SL_TYPE_GLOBALKEY) &&
        !sl_realm_exists(r->options.fresh, class_name, &old, exists, st))
        return false;
    if (*exists || old.type != SL_TYPE_GLOBALKEY) return true;
    new_key(key);
    return !theirs || sl_realm_exists(r->options.fresh, class_name, key, exists, st);
}

static void rename_target(void *ctx, sl_str class_name, sl_key *key) {
    bool exists;
    sl_status ignored = SL_STATUS_INIT;
    if (key->type == SL_TYPE_GLOBALKEY) on_server(ctx, class_name, key, &exists, &ignored);
}

static bool names_object(const sl_instruction *in) {
    return sl_op_has_path(in->op) || in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT;
}

bool sl_reseed_rename(sl_reseed *r, sl_changeset *cs, sl_status *st) {
    bool exists;
    for (uint32_t i = 0; i < cs->count && !r->options.schema_only; i++) {
        sl_instruction *in = &cs->instructions[i];
        if (names_object(in) && in->key.type == SL_TYPE_GLOBALKEY &&
            !on_server(r, cs->strings[in->class_name], &in->key, &exists, st))
            return false;
        if (!sl_op_has_path(in->op) || in->value.type != SL_TYPE_LINK) continue;
        sl_link *link = sl_arena_alloc(&cs->arena, sizeof *link);
        if (!link) return sl_fail_memory(st);
        *link = *in->value.link;
        rename_target(r, link->class_name, &link->key);
        in->value.link = link;
    }
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

sl_reseed *sl_reseed_new(const sl_reseed_options *options) {
    sl_reseed *r = sl_new_zero(options->alloc, 1, sizeof *r);
    if (!r) return NULL;
    r->options = *options;
    sl_arena_init(&r->arena, options->alloc);
    sl_changeset_init(&r->cs, options->alloc);
    sl_buf_init(&r->scratch, options->alloc);
    sl_reset_writer_init(&r->writer, &r->cs);
    r->writer.rename = rename_target;
    r->writer.ctx = r;
    return r;
}

void sl_reseed_free(sl_reseed *r) {
    if (!r) return;
    for (given_class *given = r->classes; given; given = given->next)
        sl_key_list_free(&given->list);
    sl_changeset_free(&r->cs);
    sl_buf_free(&r->scratch);
    sl_arena_free(&r->arena);
    sl_delete(r->options.alloc, r);
}

/* ---- batches --------------------------------------------------------------------------------- */

static bool flush(sl_reseed *r, sl_status *st) {
    if (r->writer.failed) return sl_fail_memory(st);
    if (r->cs.count == 0) return true;
    bool ok =
        sl_realm_apply(r->options.fresh, &r->cs, st) && r->options.take(r->options.ctx, &r->cs, st);
    sl_changeset_reset(&r->cs);
    r->measured = (sl_changeset_size){0, 0, 0};
    return ok;
}

static bool flush_if_large(sl_reseed *r, sl_status *st) {
    if (r->writer.failed) return sl_fail_memory(st);
    if (!sl_changeset_measure(&r->cs, &r->measured, &r->scratch, st)) return false;
    return r->measured.bytes < BATCH_BYTES || flush(r, st);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool create_objects(sl_reseed *r, given_class *given, sl_status *st) {
    sl_key_list *list = &given->list;
    for (size_t i = 0; i < list->count; i++) {
        bool exists;
        const sl_key old = list->keys[i];
        sl_key key = old;
        if (!on_server(r, given->cls->name, &key, &exists, st)) return false;
        if (exists) continue;
        list->keys[i] = list->keys[given->given];
        list->keys[given->given++] = old;
        sl_reset_write_create(&r->writer, given->cls->name, &key);
        if (!flush_if_large(r, st)) return false;
    }
    return flush(r, st);
}

bool sl_reseed_objects(sl_reseed *r, sl_status *st) {
    const sl_schema *local = sl_realm_schema(r->options.local);
    sl_reset_write_schema(&r->writer, sl_realm_schema(r->options.fresh), local);
    if (!flush(r, st)) return false;
    for (uint32_t i = 0; i < local->count && !r->options.schema_only; i++) {
        if (local->classes[i]->kind != SL_TABLE_TOPLEVEL) continue;
        given_class *given = sl_arena_zero(&r->arena, 1, sizeof *given);
        if (!given) return sl_fail_memory(st);
        given->cls = local->classes[i];
        given->next = r->classes;
        sl_key_list_init(&given->list, r->options.alloc);
        r->classes = given;
        if (!sl_key_list_read(&given->list, r->options.local, given->cls->name, st) ||
            !create_objects(r, given, st))
            return false;
    }
    return true;
}

/* ---- content --------------------------------------------------------------------------------- */

/* Writes what differs, or counts the object if it stays as the server has it. */
static bool bring_object(sl_reseed *r, const sl_class *cls, const sl_key *old, bool write,
                         sl_status *st) {
    const sl_object *ours = NULL, *theirs = NULL;
    sl_key key = *old;
    bool exists;
    if (!on_server(r, cls->name, &key, &exists, st) ||
        !sl_realm_object(r->options.local, cls->name, old, &ours, st) ||
        !sl_realm_object(r->options.fresh, cls->name, &key, &theirs, st))
        return false;
    if (!ours || !theirs)
        return sl_fail(st, SL_ERR_INTERNAL, "RESET", "an object vanished while it was given back");
    for (uint32_t i = 0; i < cls->property_count; i++) {
        const sl_property *p = &cls->properties[i];
        if (p->erased) continue;
        const sl_property *q = sl_class_find(theirs->cls, p->name);
        const sl_node *node = sl_object_at(ours, p->index);
        if (q && sl_reset_is_written(&r->writer, node, sl_object_at(theirs, q->index))) continue;
        if (!write) {
            r->taken++;
            return true;
        }
        sl_reset_writer_at(&r->writer, cls->name, &key, p->name);
        sl_reset_write_node(&r->writer, node);
    }
    return flush_if_large(r, st);
}

bool sl_reseed_content(sl_reseed *r, sl_status *st) {
    for (given_class *given = r->classes; given; given = given->next)
        for (size_t i = 0; i < given->list.count; i++)
            if (!bring_object(r, given->cls, &given->list.keys[i], i < given->given, st))
                return false;
    return flush(r, st);
}

uint64_t sl_reseed_taken(const sl_reseed *r) {
    return r->taken;
}
