#include "history/reset_transfer.h"

#include "history/key_list.h"
#include "realm/apply.h"
#include "realm/read.h"

/* Instructions gathered before they are applied; keeps memory small for large realms. */
enum { BATCH = 4096 };

typedef struct transfer {
    sl_realm *to, *from;
    const sl_alloc *alloc;
    sl_changeset cs;
    sl_reset_writer writer;
    uint64_t taken;
} transfer;

/* ---- schema ---------------------------------------------------------------------------------- */

static bool differs(sl_status *st, sl_str class_name, sl_str property, const char *what) {
    return sl_fail(st, SL_ERR_SESSION, "SCHEMA",
                   "the server has %.*s%s%.*s with another %s; the file has to be deleted and "
                   "synchronised anew",
                   (int)class_name.size, class_name.data, property.size ? "." : "",
                   (int)property.size, property.data, what);
}

bool sl_reset_same_class(const sl_class *a, const sl_class *b, sl_status *st) {
    const sl_str none = SL_STR("");
    if (a->kind != b->kind) return differs(st, a->name, none, "kind");
    if (a->has_key != b->has_key) return differs(st, a->name, none, "primary key");
    if (a->has_key && (!sl_str_eq(a->key_name, b->key_name) || a->key_type != b->key_type ||
                       a->key_nullable != b->key_nullable))
        return differs(st, a->name, none, "primary key");
    return true;
}

bool sl_reset_same_property(sl_str class_name, const sl_property *a, const sl_property *b,
                            sl_status *st) {
    if (a->type != b->type) return differs(st, class_name, a->name, "type");
    if (a->nullable != b->nullable) return differs(st, class_name, a->name, "nullability");
    if (a->collection != b->collection) return differs(st, class_name, a->name, "collection kind");
    if (!sl_str_eq(a->target, b->target)) return differs(st, class_name, a->name, "target");
    return true;
}

static bool check_known(const sl_schema *to, const sl_schema *from, sl_status *st) {
    for (uint32_t i = 0; i < to->count; i++) {
        const sl_class *ours = to->classes[i], *theirs = sl_schema_find(from, ours->name);
        if (!theirs)
            return sl_fail(st, SL_ERR_SESSION, "SCHEMA", "the server has no class %.*s any more",
                           (int)ours->name.size, ours->name.data);
        if (!sl_reset_same_class(ours, theirs, st)) return false;
        for (uint32_t k = 0; k < ours->property_count; k++) {
            const sl_property *p = &ours->properties[k];
            if (p->erased) continue;
            const sl_property *q = sl_class_find(theirs, p->name);
            if (!q)
                return sl_fail(
                    st, SL_ERR_SESSION, "SCHEMA", "the server has no property %.*s.%.*s any more",
                    (int)ours->name.size, ours->name.data, (int)p->name.size, p->name.data);
            if (!sl_reset_same_property(ours->name, p, q, st)) return false;
        }
    }
    return true;
}

static bool flush(transfer *t, sl_status *st) {
    if (t->writer.failed) return sl_fail_memory(st);
    bool ok = sl_realm_apply(t->to, &t->cs, st);
    sl_changeset_reset(&t->cs);
    return ok;
}

void sl_reset_write_schema(sl_reset_writer *writer, const sl_schema *to, const sl_schema *from) {
    for (uint32_t i = 0; i < from->count; i++)
        if (!sl_schema_find(to, from->classes[i]->name))
            sl_reset_write_class(writer, from->classes[i]);
    for (uint32_t i = 0; i < from->count; i++) {
        const sl_class *theirs = from->classes[i], *ours = sl_schema_find(to, theirs->name);
        for (uint32_t k = 0; k < theirs->property_count; k++) {
            const sl_property *p = &theirs->properties[k];
            if (!p->erased && !(ours && sl_class_find(ours, p->name)))
                sl_reset_write_property(writer, theirs->name, p);
        }
    }
}

static bool add_missing(transfer *t, sl_status *st) {
    sl_reset_write_schema(&t->writer, sl_realm_schema(t->to), sl_realm_schema(t->from));
    return flush(t, st);
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool flush_if_large(transfer *t, sl_status *st) {
    return t->cs.count < BATCH || flush(t, st);
}

static bool read_both(transfer *t, sl_str class_name, const sl_key *key, const sl_object **ours,
                      const sl_object **theirs, sl_status *st) {
    if (!sl_realm_object(t->from, class_name, key, theirs, st) ||
        !sl_realm_object(t->to, class_name, key, ours, st))
        return false;
    if (*ours && *theirs) return true;
    return sl_fail(st, SL_ERR_INTERNAL, "RESET", "an object vanished during a client reset");
}

/* Whether the object will lose what it holds. */
static bool count_altered(transfer *t, sl_str class_name, const sl_key *key, sl_status *st) {
    const sl_object *ours, *theirs;
    if (!read_both(t, class_name, key, &ours, &theirs, st)) return false;
    for (uint32_t i = 0; i < ours->cls->property_count; i++) {
        const sl_property *p = &ours->cls->properties[i];
        const sl_property *q = p->erased ? NULL : sl_class_find(theirs->cls, p->name);
        if (!q || sl_reset_node_eq(sl_object_at(ours, p->index), sl_object_at(theirs, q->index)))
            continue;
        t->taken++;
        break;
    }
    return true;
}

static bool erase_object(transfer *t, const sl_class *cls, const sl_key *key, sl_status *st) {
    bool exists;
    if (!sl_realm_exists(t->from, cls->name, key, &exists, st)) return false;
    if (exists) return true;
    t->taken++;
    sl_reset_write_erase(&t->writer, cls->name, key);
    return flush_if_large(t, st);
}

static bool create_object(transfer *t, const sl_class *cls, const sl_key *key, sl_status *st) {
    bool exists;
    if (!sl_realm_exists(t->to, cls->name, key, &exists, st)) return false;
    if (exists) return count_altered(t, cls->name, key, st);
    sl_reset_write_create(&t->writer, cls->name, key);
    return flush_if_large(t, st);
}

static bool write_object(transfer *t, const sl_class *cls, const sl_key *key, sl_status *st) {
    const sl_object *ours, *theirs;
    if (!read_both(t, cls->name, key, &ours, &theirs, st)) return false;
    for (uint32_t i = 0; i < cls->property_count; i++) {
        const sl_property *p = &cls->properties[i];
        if (p->erased) continue;
        const sl_property *q = sl_class_find(ours->cls, p->name);
        const sl_node *node = sl_object_at(theirs, p->index);
        if (q && sl_reset_node_eq(sl_object_at(ours, q->index), node)) continue;
        sl_reset_writer_at(&t->writer, cls->name, key, p->name);
        sl_reset_write_node(&t->writer, node);
    }
    return flush_if_large(t, st);
}

typedef bool object_step(transfer *t, const sl_class *cls, const sl_key *key, sl_status *st);

/* Does one thing to all objects of a class in `realm`. */
static bool each_object(transfer *t, const sl_class *cls, sl_realm *realm, object_step *step,
                        sl_status *st) {
    sl_key_list list;
    sl_key_list_init(&list, t->alloc);
    bool ok = sl_key_list_read(&list, realm, cls->name, st);
    for (size_t i = 0; ok && i < list.count; i++)
        ok = step(t, cls, &list.keys[i], st);
    ok = ok && flush(t, st);
    sl_key_list_free(&list);
    return ok;
}

static bool transfer_objects(transfer *t, sl_status *st) {
    object_step *const steps[] = {erase_object, create_object, write_object};
    const sl_schema *schema = sl_realm_schema(t->from);
    for (int pass = 0; pass < 3; pass++)
        for (uint32_t i = 0; i < schema->count; i++) {
            const sl_class *cls = schema->classes[i];
            if (cls->kind != SL_TABLE_TOPLEVEL) continue;
            if (!each_object(t, cls, pass == 0 ? t->to : t->from, steps[pass], st)) return false;
        }
    return true;
}

bool sl_reset_transfer(sl_realm *to, sl_realm *from, const sl_alloc *alloc, uint64_t *taken,
                       sl_status *st) {
    transfer t = {.to = to, .from = from, .alloc = alloc};
    if (!check_known(sl_realm_schema(to), sl_realm_schema(from), st)) return false;
    sl_changeset_init(&t.cs, alloc);
    sl_reset_writer_init(&t.writer, &t.cs);
    bool ok = add_missing(&t, st) && transfer_objects(&t, st);
    sl_changeset_free(&t.cs);
    *taken = t.taken;
    return ok;
}
