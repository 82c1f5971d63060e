#include "transform/transform.h"

#include "transform/index.h"
#include "transform/order.h"
#include "transform/quirks.h"
#include "transform/run_table.h"
#include "transform/stream.h"
#include "transform/symbol.h"

/* ---- the two sides ---- */

static bool make_symbols(sl_merge *m, sl_merge_side *side, size_t strings) {
    uint32_t *symbols = sl_arena_zero(&m->scratch, strings, sizeof *symbols);
    if (!symbols) return sl_merge_no_memory(m) == 0;
    for (size_t e = 0; e < side->count; e++) {
        side->entries[e].symbols = symbols;
        symbols += side->entries[e].string_count;
    }
    return true;
}

static bool open_side(sl_merge *m, sl_merge_side *side, sl_merge_item *items, size_t count,
                      const sl_merge_entry *hint) {
    size_t strings = 0;
    side->count = count;
    side->entries = sl_arena_alloc(&m->scratch, count * sizeof *side->entries);
    if (!side->entries) return sl_merge_no_memory(m) == 0;
    for (size_t e = 0; e < count; e++) {
        sl_merge_entry *entry = &side->entries[e];
        sl_changeset *cs = items[e].changeset;
        *entry = (sl_merge_entry){
            .item = &items[e], .cs = cs, .hint = hint, .string_count = cs->string_count};
        entry->inserted_end = &entry->inserted;
        items[e].modified = false;
        side->instructions += cs->count;
        strings += cs->string_count;
        if (cs->count) hint = entry;
    }
    return make_symbols(m, side, strings);
}

/* ---- rule F4 ---- */

static sl_instruction *new_erase_column(sl_merge *m, sl_merge_entry *entry, sl_str class_name,
                                        sl_str field) {
    sl_instruction *in = sl_arena_zero(&entry->cs->arena, 1, sizeof *in);
    sl_merge_insertion *insertion = sl_arena_zero(&m->scratch, 1, sizeof *insertion);
    if (!in || !insertion) return NULL;
    in->op = SL_OP_ERASE_COLUMN;
    in->target = SL_NO_SYM;
    in->class_name = sl_changeset_intern(entry->cs, class_name);
    in->field = sl_changeset_intern(entry->cs, field);
    if (in->class_name == SL_NO_SYM || in->field == SL_NO_SYM) return NULL;
    insertion->in = in;
    *entry->inserted_end = insertion;
    entry->inserted_end = &insertion->next;
    return in;
}

static void report_added(sl_merge *m, const sl_merge_node *added, const sl_merge_node *add) {
    sl_merge_event event = {.rule = "F4",
                            .local = added->local,
                            .item = added->entry,
                            .other_item = add->entry,
                            .changeset = sl_merge_entry_of(m, added)->cs,
                            .other_changeset = sl_merge_entry_of(m, add)->cs,
                            .after = added->in,
                            .other = add->in};
    m->options.explain(m->options.explain_ctx, &event);
}

bool sl_merge_insert_erase_column(sl_merge *m, sl_merge_node *erase, const sl_merge_node *add) {
    sl_merge_entry *entry = sl_merge_entry_of(m, erase);
    const sl_changeset *from = sl_merge_entry_of(m, add)->cs;
    sl_merge_insertion **place = entry->inserted_end;
    sl_merge_node *node = sl_arena_alloc(&m->scratch, sizeof *node);
    sl_instruction *in = new_erase_column(m, entry, sl_changeset_string(from, add->in->class_name),
                                          sl_changeset_string(from, add->in->field));
    if (!node || !in) return sl_merge_no_memory(m) == 0;
    (*place)->before = erase->in;
    entry->item->modified = true;
    *node = (sl_merge_node){.in = in,
                            .class_name = add->class_name,
                            .field = add->field,
                            .object = SL_NO_NUMBER,
                            .age = erase->age,
                            .entry = erase->entry,
                            .depth = 2,
                            .op = SL_OP_ERASE_COLUMN,
                            .local = erase->local};
    if (m->options.explain) report_added(m, node, add);
    if (!erase->local) return sl_index_insert(m, node, erase);
    m->index->pending = node;
    return true;
}

/* ---- one local instruction against the incoming side ---- */

/* A pair that goes through the rules costs about as much as this many steps of a run. */
enum { PAIR = 4 };

/* Merges with every incoming instruction from `from` on: for schema erasures and without index. */
static bool visit_all(sl_merge *m, sl_merge_node *local, sl_merge_node *from) {
    for (sl_merge_node *node = from; node && !local->dropped; node = node->next) {
        if (!sl_merge_spend(m, PAIR)) return false;
        if (node->dropped) continue;
        if (!sl_merge_pair(m, local, node)) return false;
        sl_merge_node *added = m->index->pending;
        if (!added) continue;
        /* A new local instruction meets what comes after the one that caused it (2.3). */
        m->index->pending = NULL;
        if (!visit_all(m, added, node->next)) return false;
    }
    return true;
}

static uint64_t position_of(const sl_merge_node *node) {
    return node ? node->position : UINT64_MAX;
}

static sl_merge_node *earlier(sl_merge_node *a, sl_merge_node *b) {
    return position_of(a) <= position_of(b) ? a : b;
}

/* The schema instructions that a local one can have to do with, walked through together: those of
 * its class, of its property and of the class that the property links to. */
typedef struct schema_walk {
    const sl_merge_list *lists[3];
    uint32_t at[3];
} schema_walk;

static void add_list(schema_walk *walk, int k, const sl_merge_list *list) {
    walk->lists[k] = list;
    walk->at[k] = 0;
}

static schema_walk schema_of(const sl_merge_index *index, const sl_merge_node *local) {
    bool links = local->op == SL_OP_ADD_COLUMN && local->in->type == SL_TYPE_LINK &&
                 local->target != local->class_name;
    schema_walk walk;
    add_list(&walk, 0, sl_index_schema(index, local->class_name, SL_NO_NUMBER));
    add_list(&walk, 1,
             local->field == SL_NO_NUMBER
                 ? NULL
                 : sl_index_schema(index, local->class_name, local->field));
    add_list(&walk, 2, links ? sl_index_schema(index, local->target, SL_NO_NUMBER) : NULL);
    return walk;
}

static sl_merge_node *next_schema(schema_walk *walk) {
    int first = -1;
    for (int k = 0; k < 3; k++) {
        if (!walk->lists[k] || walk->at[k] == walk->lists[k]->count) continue;
        const sl_merge_node *node = walk->lists[k]->nodes[walk->at[k]];
        if (first < 0 || node->position < walk->lists[first]->nodes[walk->at[first]]->position)
            first = k;
    }
    return first < 0 ? NULL : walk->lists[first]->nodes[walk->at[first]++];
}

static bool visit_schema(sl_merge *m, sl_merge_node *local) {
    schema_walk walk = schema_of(m->index, local);
    for (sl_merge_node *node; !local->dropped && (node = next_schema(&walk)) != NULL;) {
        if (!sl_merge_spend(m, PAIR)) return false;
        if (!node->dropped && !sl_merge_pair(m, local, node)) return false;
    }
    return true;
}

/* The first incoming schema erasure that discards `local`, or NULL. */
static sl_merge_node *first_eraser(sl_merge *m, const sl_merge_node *local) {
    if (!m->index->has_erasers) return NULL;
    schema_walk walk = schema_of(m->index, local);
    for (sl_merge_node *node; (node = next_schema(&walk)) != NULL;) {
        if (!sl_merge_spend(m, 1)) return NULL;
        if (node->dropped) continue;
        if (node->op == SL_OP_ERASE_TABLE) return node;
        if (node->op == SL_OP_ERASE_COLUMN && sl_matrix_flat(node->op, local->op)->apply)
            return node;
    }
    return NULL;
}

/* An ERASE_OBJECT discards whatever it meets, so each visit pays for itself. */
static bool visit_object(sl_merge *m, sl_merge_node *local, sl_merge_object *object,
                         uint64_t limit) {
    sl_merge_node **link = &object->head;
    while (*link && !local->dropped) {
        sl_merge_node *node = *link;
        if (node->position >= limit) break;
        if (!sl_merge_spend(m, PAIR)) return false;
        if (!node->dropped && !sl_merge_pair(m, local, node)) return false;
        if (node->dropped)
            *link = node->next_in_object;
        else
            link = &node->next_in_object;
    }
    return true;
}

static bool expand_field(sl_merge *m, sl_merge_field *field) {
    sl_run_expand(&field->rest);
    for (sl_merge_branch *branch = field->branches; branch; branch = branch->next) {
        if (!sl_merge_spend(m, 1)) return false;
        sl_run_expand(&branch->run);
    }
    return true;
}

/* Where the instructions with a path are that `local` can have to do with. */
static sl_merge_run *rest_for(sl_merge_index *index, sl_merge_field *field,
                              const sl_merge_node *local) {
    if (local->path_size == 0 || (local->path[0] & SL_STEP_INDEX) || field->has_indexed)
        return &field->rest;
    sl_merge_branch *branch = sl_index_branch(index, field->number, local->path[0]);
    return branch ? &branch->run : NULL;
}

/* Merges with two runs in the order of their positions. */
static bool visit_runs(sl_merge *m, sl_merge_node *local, sl_merge_run *roots, sl_merge_run *rest,
                       uint64_t limit) {
    sl_merge_node *root = roots ? sl_run_first(roots) : NULL;
    sl_merge_node *other = rest ? sl_run_first(rest) : NULL;
    while ((root || other) && !local->dropped) {
        bool take_root = position_of(root) < position_of(other);
        sl_merge_node *node = take_root ? root : other;
        if (node->position >= limit) break;
        if (take_root)
            root = sl_run_after(roots, root);
        else
            other = sl_run_after(rest, other);
        if (!sl_merge_spend(m, PAIR) || !sl_merge_pair(m, local, node)) return false;
    }
    return true;
}

/* The first root before `limit` that discards `local`, which lies deeper: roots have no other
 * effect on it and it has none on them. */
static sl_merge_node *first_root(sl_merge *m, sl_merge_run *roots, sl_merge_node *local,
                                 uint64_t limit) {
    for (sl_merge_node *root = sl_run_first(roots); root && root->position < limit;
         root = sl_run_after(roots, root)) {
        if (!sl_merge_spend(m, 1)) return NULL;
        const sl_matrix_cell *cell = sl_matrix_nested(root->op);
        if (cell->apply && (cell->apply(m, root, local) & SL_DROP_Y)) return root;
    }
    return NULL;
}

static bool visit_field(sl_merge *m, sl_merge_node *local, sl_merge_field *field, uint64_t limit) {
    sl_merge_run *roots = &field->roots, *rest = rest_for(m->index, field, local);
    if (!sl_run_concerns(roots, local->op, local->path_size)) roots = NULL;
    if (rest && !sl_run_concerns(rest, local->op, local->path_size)) rest = NULL;
    if (rest && local->path_size > 0 && !m->options.explain && sl_run_accepts(rest, local)) {
        sl_merge_node *killer = roots ? first_root(m, roots, local, limit) : NULL;
        if (killer) limit = killer->position;
        if (m->failed || !sl_run_merge(m, rest, local, limit)) return false;
        return !killer || local->dropped || sl_merge_pair(m, local, killer);
    }
    if (rest) {
        if (rest != &field->rest)
            sl_run_expand(rest);
        else if (!expand_field(m, field))
            return false;
        /* An outer insertion or erasure moves the lists below it apart. */
        if (local->path_size > 0 && local->path_size < rest->longest) rest->siblings = false;
    }
    return visit_runs(m, local, roots, rest, limit);
}

static bool visit_path(sl_merge *m, sl_merge_node *local, sl_merge_object *object, uint64_t limit) {
    sl_merge_field *field = sl_index_field(m->index, object->number, local->field);
    return !field || visit_field(m, local, field, limit);
}

static bool visit_in_object(sl_merge *m, sl_merge_node *local, sl_merge_object *object) {
    sl_merge_node *killer = first_eraser(m, local);
    if (m->failed) return false;
    if (object && local->op != SL_OP_ERASE_OBJECT)
        killer = earlier(killer, sl_run_first(&object->erases));
    uint64_t limit = position_of(killer);
    if (object) {
        local->object = object->number;
        if (local->op == SL_OP_ERASE_OBJECT && !visit_object(m, local, object, limit)) return false;
        if (sl_op_has_path(local->op) && !visit_path(m, local, object, limit)) return false;
    }
    return !killer || local->dropped || sl_merge_pair(m, local, killer);
}

static bool visit(sl_merge *m, sl_merge_node *local, sl_merge_object *object) {
    if (m->index->plain || local->op == SL_OP_ERASE_TABLE || local->op == SL_OP_ERASE_COLUMN) {
        if (object) local->object = object->number;
        return visit_all(m, local, m->index->all.next);
    }
    if (local->op == SL_OP_ADD_TABLE || local->op == SL_OP_ADD_COLUMN)
        return visit_schema(m, local);
    return visit_in_object(m, local, object);
}

/* True if no incoming instruction can matter to a local one that addresses `object`. */
static bool is_free(const sl_merge *m, const sl_merge_object *object) {
    return !object && !m->index->has_erasers && !m->index->plain;
}

static void note_meeting(sl_merge *m, uint32_t entry, sl_merge_object *object,
                         const sl_instruction *in) {
    object->met = true;
    if (sl_quirk_looks_modified(in)) m->local.entries[entry].item->modified = true;
}

static bool merge_instruction(sl_merge *m, uint32_t entry, sl_instruction *in, uint32_t hash) {
    uint64_t path[SL_MAX_PATH];
    sl_merge_node local;
    sl_merge_object *object = NULL;
    if (in->op >= SL_OP_CREATE_OBJECT && in->op != SL_OP_ADD_COLUMN &&
        in->op != SL_OP_ERASE_COLUMN) {
        uint32_t class_name = sl_symbol_of(m, &m->local.entries[entry], in->class_name);
        object = sl_index_object(m->index, class_name, &in->key, hash);
        if (is_free(m, object)) return true;
        if (object) note_meeting(m, entry, object, in);
    }
    if (!sl_merge_load(m, &m->local, entry, in, path, &local)) return false;
    if (!visit(m, &local, object)) return false;
    if (local.changed && !local.dropped) sl_merge_store(m, &local);
    return true;
}

static bool merge_sides(sl_merge *m) {
    const uint32_t *hashes = m->index->local_hashes;
    size_t number = 0;
    for (uint32_t e = 0; e < m->local.count; e++) {
        const sl_changeset *cs = m->local.entries[e].cs;
        for (uint32_t j = 0; j < cs->count; j++, number++)
            if (!merge_instruction(m, e, &cs->instructions[j], hashes ? hashes[number] : 0))
                return false;
    }
    return true;
}

/* ---- writing the results ---- */

static void mark_oddities(sl_merge *m) {
    for (const sl_merge_object *o = m->index->odd_objects; o; o = o->next_odd)
        for (const sl_merge_node *node = o->met ? o->head : NULL; node; node = node->next_in_object)
            if (sl_quirk_looks_modified(node->in))
                sl_merge_entry_of(m, node)->item->modified = true;
}

static void store_incoming(sl_merge *m) {
    mark_oddities(m);
    for (sl_run_table *table = m->index->tables; table; table = table->next)
        sl_run_expand(table->run);
    for (const sl_merge_node *node = m->index->all.next; node; node = node->next)
        if (node->changed) sl_merge_store(m, node);
}

static void close_gaps(sl_changeset *cs) {
    uint32_t kept = 0;
    for (uint32_t j = 0; j < cs->count; j++) {
        if (cs->instructions[j].op & SL_OP_DROPPED) continue;
        if (kept != j) cs->instructions[kept] = cs->instructions[j];
        kept++;
    }
    cs->count = kept;
}

static uint32_t insertions_of(const sl_merge_entry *entry) {
    uint32_t count = 0;
    for (const sl_merge_insertion *i = entry->inserted; i; i = i->next)
        count++;
    return count;
}

/* A changeset with insertions gets a new array. There are few of them: one for each pair of an
 * erased class and a property that links to it. */
static bool rebuild(sl_merge *m, sl_merge_entry *entry) {
    sl_changeset *cs = entry->cs;
    uint32_t room = cs->count + insertions_of(entry), count = 0;
    sl_instruction *list = sl_arena_alloc(&cs->arena, room * sizeof *list);
    if (!list) return sl_merge_no_memory(m) == 0;
    for (uint32_t j = 0; j < cs->count; j++) {
        const sl_instruction *in = &cs->instructions[j];
        bool target = (in->op & ~SL_OP_DROPPED) == SL_OP_ERASE_TABLE;
        for (const sl_merge_insertion *i = target ? entry->inserted : NULL; i; i = i->next) {
            if (!sl_merge_spend(m, 1)) return false;
            if (i->before == in && !(i->in->op & SL_OP_DROPPED)) list[count++] = *i->in;
        }
        if (!(in->op & SL_OP_DROPPED)) list[count++] = *in;
    }
    cs->instructions = list;
    cs->count = count;
    cs->capacity = room;
    return true;
}

/* Places between instructions mean nothing any more. */
static void strings_first(sl_changeset *cs) {
    if (cs->string_at && cs->string_count)
        memset(cs->string_at, 0, cs->string_count * sizeof *cs->string_at);
}

static bool close_side(sl_merge *m, sl_merge_side *side) {
    for (size_t e = 0; e < side->count; e++) {
        sl_merge_entry *entry = &side->entries[e];
        if (!entry->dropped && !entry->inserted) continue;
        strings_first(entry->cs);
        if (entry->inserted) {
            if (!rebuild(m, entry)) return false;
        } else {
            close_gaps(entry->cs);
        }
    }
    return true;
}

static bool run_merge(sl_merge *m) {
    if (!sl_order_entries(m)) return false;
    if (m->local.instructions == 0 || m->incoming.instructions == 0) return true;
    if (!sl_merge_spend(m, m->local.instructions + m->incoming.instructions)) return false;
    if (sl_stream_fits(m)) {
        if (!sl_stream_merge(m)) return false;
    } else {
        if (!sl_index_build(m) || !merge_sides(m)) return false;
        store_incoming(m);
    }
    return close_side(m, &m->local) && close_side(m, &m->incoming);
}

/* The first piece of scratch memory, which is all that a small merge needs, comes from the stack.
 */
typedef struct first_memory {
    sl_alloc alloc;
    const sl_alloc *rest;
    bool taken;
    _Alignas(16) char block[4096];
} first_memory;

static void *first_memory_realloc(void *ctx, void *block, size_t size) {
    first_memory *self = ctx;
    if (block == self->block) return NULL; /* only ever freed */
    if (!block && !self->taken && size <= sizeof self->block) {
        self->taken = true;
        return self->block;
    }
    return sl_resize(self->rest, block, size);
}

static const sl_alloc *first_memory_init(first_memory *self, const sl_alloc *rest) {
    self->alloc = (sl_alloc){first_memory_realloc, self};
    self->rest = rest;
    self->taken = false;
    return &self->alloc;
}

bool sl_transform(sl_merge_item *local, size_t local_count, sl_merge_item *incoming,
                  size_t incoming_count, const sl_merge_options *options, sl_status *st) {
    sl_merge_index index;
    sl_merge m;
    first_memory first;
    sl_zero(&index, sizeof index);
    sl_zero(&m, sizeof m);
    m.st = st;
    m.index = &index;
    if (options) m.options = *options;
    if (m.options.steps) m.steps = *m.options.steps;
    sl_arena_init(&m.scratch, first_memory_init(&first, m.options.alloc));
    bool ok = open_side(&m, &m.local, local, local_count, NULL) &&
              open_side(&m, &m.incoming, incoming, incoming_count,
                        local_count ? &m.local.entries[0] : NULL) &&
              run_merge(&m);
    if (m.options.steps) m.options.steps->taken = m.steps.taken;
    sl_arena_free(&m.scratch);
    return ok;
}
