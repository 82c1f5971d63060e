#include "transform/stream.h"

#include "transform/quirks.h"
#include "transform/rules.h"

/* The one local instruction, and a node that serves for each incoming one in turn. */
typedef struct stream {
    sl_merge_node local, incoming, before;
    sl_str class_name;
    bool met, odd; /* some incoming instruction addresses the object; our value is a NaN */
    uint64_t local_path[SL_MAX_PATH], incoming_path[SL_MAX_PATH];
} stream;

static sl_merge_entry *only_entry(const sl_merge *m, uint32_t *number) {
    *number = 0;
    while (m->local.entries[*number].cs->count == 0)
        ++*number;
    return &m->local.entries[*number];
}

bool sl_stream_fits(const sl_merge *m) {
    uint32_t number;
    if (m->local.instructions != 1 || m->options.no_index) return false;
    uint8_t op = only_entry(m, &number)->cs->instructions[0].op;
    return op == SL_OP_CREATE_OBJECT || op == SL_OP_ERASE_OBJECT || sl_op_has_path(op);
}

static bool same_class(const stream *s, const sl_changeset *cs, const sl_instruction *in) {
    return in->class_name < cs->string_count &&
           sl_str_eq(cs->strings[in->class_name], s->class_name);
}

static bool same_key(const sl_key *a, const sl_key *b) {
    if (a->type != b->type) return false;
    return a->type == SL_TYPE_INT ? a->integer == b->integer : sl_key_eq(a, b);
}

/* Whether the incoming instruction can have anything to do with the local one; *object says that it
 * addresses the same object. */
static bool concerns(const stream *s, const sl_changeset *cs, const sl_instruction *in,
                     bool *object) {
    *object = false;
    if (in->op == SL_OP_ADD_TABLE || in->op == SL_OP_ADD_COLUMN) return false;
    if (in->op == SL_OP_ERASE_TABLE || in->op == SL_OP_ERASE_COLUMN) return same_class(s, cs, in);
    *object = same_key(&in->key, &s->local.in->key) && same_class(s, cs, in);
    return *object;
}

static bool merge_one(sl_merge *m, stream *s, uint32_t entry, sl_instruction *in, bool object) {
    sl_merge_node *node = &s->incoming;
    if (!sl_merge_load(m, &m->incoming, entry, in, s->incoming_path, node)) return false;
    if (object) node->object = s->local.object;
    node->previous = &s->before;
    if (!sl_merge_pair(m, &s->local, node)) return false;
    if (node->changed && !node->dropped) sl_merge_store(m, node);
    return true;
}

static bool visit(sl_merge *m, stream *s, uint32_t entry, sl_instruction *in) {
    const sl_merge_entry *e = &m->incoming.entries[entry];
    bool object, odd = sl_quirk_looks_modified(in);
    if (s->local.dropped && !odd && (!s->odd || s->met)) return true;
    if (!concerns(s, e->cs, in, &object)) return true;
    s->met |= object;
    if (odd && object) e->item->modified = true;
    return s->local.dropped || merge_one(m, s, entry, in, object);
}

bool sl_stream_merge(sl_merge *m) {
    stream s;
    uint32_t number;
    sl_merge_entry *entry = only_entry(m, &number);
    sl_instruction *in = &entry->cs->instructions[0];
    s.met = false;
    s.odd = sl_quirk_looks_modified(in);
    s.class_name =
        in->class_name < entry->cs->string_count ? entry->cs->strings[in->class_name] : SL_STR("");
    if (!sl_merge_load(m, &m->local, number, in, s.local_path, &s.local)) return false;
    s.local.object = 0;
    for (uint32_t e = 0; e < m->incoming.count; e++) {
        const sl_changeset *cs = m->incoming.entries[e].cs;
        for (uint32_t j = 0; j < cs->count; j++)
            if (!visit(m, &s, e, &cs->instructions[j])) return false;
    }
    if (s.met && s.odd) entry->item->modified = true;
    if (s.local.changed && !s.local.dropped) sl_merge_store(m, &s.local);
    return true;
}
