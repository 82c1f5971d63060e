#include "transform/index.h"

#include "base/strmap.h"
#include "transform/quirks.h"
#include "transform/symbol.h"

/* ---- objects ---- */

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

/* Equal keys of one class have equal hashes. */
static uint32_t hash_of(uint32_t class_name, const sl_key *key) {
    uint64_t h;
    switch (key->type) {
    case SL_TYPE_INT:
        h = (uint64_t)key->integer;
        break;
    case SL_TYPE_STRING:
        h = sl_hash_bytes(key->string.data, key->string.size);
        break;
    case SL_TYPE_OBJECTID:
        h = sl_hash_bytes(key->objectid, sizeof key->objectid);
        break;
    case SL_TYPE_UUID:
        h = sl_hash_bytes(key->uuid, sizeof key->uuid);
        break;
    case SL_TYPE_GLOBALKEY:
        h = mix(key->global.hi) + key->global.lo;
        break;
    default:
        h = 0;
    }
    return (uint32_t)mix(h * UINT64_C(0x9e3779b97f4a7c15) + class_name);
}

static inline bool same_key(const sl_key *a, const sl_key *b) {
    if (a->type != b->type) return false;
    if (a->type == SL_TYPE_INT) return a->integer == b->integer;
    return sl_key_eq(a, b);
}

static sl_merge_object **object_slot(const sl_merge_index *index, uint32_t class_name,
                                     const sl_key *key, uint32_t hash) {
    uint32_t mask = index->object_capacity - 1, at = hash & mask;
    for (;; at = (at + 1) & mask) {
        sl_merge_object *object = index->objects[at];
        if (!object) return &index->objects[at];
        if (object->hash == hash && object->class_name == class_name && same_key(object->key, key))
            return &index->objects[at];
    }
}

sl_merge_object *sl_index_object(const sl_merge_index *index, uint32_t class_name,
                                 const sl_key *key, uint32_t hash) {
    if (!index->plain)
        return index->object_count ? *object_slot(index, class_name, key, hash) : NULL;
    sl_merge_object *object = index->first_object;
    while (object && (object->class_name != class_name || !same_key(object->key, key)))
        object = object->next;
    return object;
}

static bool grow_objects(sl_merge *m) {
    sl_merge_index *index = m->index;
    uint32_t old_capacity = index->object_capacity;
    sl_merge_object **old = index->objects;
    uint32_t capacity = old_capacity ? old_capacity * 4 : 16;
    sl_merge_object **objects = sl_arena_zero(&m->scratch, capacity, sizeof *objects);
    if (!objects) return sl_merge_no_memory(m) == 0;
    index->objects = objects;
    index->object_capacity = capacity;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i]) *object_slot(index, old[i]->class_name, old[i]->key, old[i]->hash) = old[i];
    return true;
}

static sl_merge_object *new_object(sl_merge *m, uint32_t class_name, const sl_key *key,
                                   uint32_t hash) {
    sl_merge_object *object = sl_arena_zero(&m->scratch, 1, sizeof *object);
    if (!object) {
        sl_merge_no_memory(m);
        return NULL;
    }
    object->key = key;
    object->class_name = class_name;
    object->hash = hash;
    object->number = m->index->object_count++;
    return object;
}

static sl_merge_object *find_or_add_object(sl_merge *m, uint32_t class_name, const sl_key *key,
                                           uint32_t hash) {
    sl_merge_index *index = m->index;
    sl_merge_object *object;
    if (index->plain) {
        object = sl_index_object(index, class_name, key, hash);
        if (object || !(object = new_object(m, class_name, key, hash))) return object;
        object->next = index->first_object;
        index->first_object = object;
        return object;
    }
    if (index->object_count >= index->object_capacity / 2 && !grow_objects(m)) return NULL;
    sl_merge_object **slot = object_slot(index, class_name, key, hash);
    if (!*slot) *slot = new_object(m, class_name, key, hash);
    return *slot;
}

/* ---- fields and branches ---- */

static uint64_t pair_key(uint32_t a, uint64_t b) {
    return ((uint64_t)a + 1) << 32 | (uint32_t)b;
}

sl_merge_field *sl_index_field(const sl_merge_index *index, uint32_t object, uint32_t field) {
    return sl_idmap_get(&index->fields, pair_key(object, field));
}

sl_merge_branch *sl_index_branch(const sl_merge_index *index, uint32_t field, uint64_t name) {
    return sl_idmap_get(&index->branches, pair_key(field, name));
}

static sl_merge_field *find_or_add_field(sl_merge *m, uint32_t object, uint32_t name) {
    sl_merge_index *index = m->index;
    sl_merge_field *field = sl_index_field(index, object, name);
    if (field) return field;
    field = sl_arena_zero(&m->scratch, 1, sizeof *field);
    if (!field || !sl_idmap_add(&index->fields, pair_key(object, name), field)) {
        sl_merge_no_memory(m);
        return NULL;
    }
    field->number = index->field_count++;
    return field;
}

static bool file_in_branch(sl_merge *m, sl_merge_field *field, sl_merge_node *node) {
    sl_merge_branch *branch = sl_index_branch(m->index, field->number, node->path[0]);
    if (!branch) {
        branch = sl_arena_zero(&m->scratch, 1, sizeof *branch);
        if (!branch ||
            !sl_idmap_add(&m->index->branches, pair_key(field->number, node->path[0]), branch))
            return sl_merge_no_memory(m) == 0;
        branch->run.branch = true;
        branch->next = field->branches;
        field->branches = branch;
    }
    sl_run_add(&branch->run, node);
    return true;
}

static bool file_path(sl_merge *m, sl_merge_node *node) {
    sl_merge_field *field = find_or_add_field(m, node->object, node->field);
    if (!field) return false;
    if (node->path_size == 0) {
        sl_run_add(&field->roots, node);
        return true;
    }
    sl_run_add(&field->rest, node);
    if (node->path[0] & SL_STEP_INDEX) {
        field->has_indexed = true;
        return true;
    }
    field->has_named = true;
    return field->has_indexed || file_in_branch(m, field, node);
}

static void file_in_object(sl_merge_object *object, sl_merge_node *node) {
    if (object->tail)
        object->tail->next_in_object = node;
    else
        object->head = node;
    object->tail = node;
    node->object = object->number;
    if (node->op == SL_OP_ERASE_OBJECT) sl_run_add(&object->erases, node);
}

static void note_oddity(sl_merge_index *index, sl_merge_object *object, const sl_instruction *in) {
    if (object->odd || !sl_quirk_looks_modified(in)) return;
    object->odd = true;
    object->next_odd = index->odd_objects;
    index->odd_objects = object;
}

/* ---- schema instructions ---- */

sl_merge_list *sl_index_schema(const sl_merge_index *index, uint32_t class_name, uint32_t field) {
    return sl_idmap_get(&index->schema, pair_key(class_name, field));
}

/* Puts `node` where it belongs by its position; mostly that is the end. */
static bool list_insert(sl_merge *m, sl_merge_list *list, sl_merge_node *node) {
    uint32_t at = list->count;
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
        sl_merge_node **nodes = sl_arena_alloc(&m->scratch, capacity * sizeof *nodes);
        if (!nodes) return sl_merge_no_memory(m) == 0;
        if (list->count) memcpy(nodes, list->nodes, list->count * sizeof *nodes);
        list->nodes = nodes;
        list->capacity = capacity;
    }
    for (; at > 0 && list->nodes[at - 1]->position > node->position; at--)
        list->nodes[at] = list->nodes[at - 1];
    list->nodes[at] = node;
    list->count++;
    return sl_merge_spend(m, list->count - at);
}

static bool is_schema(uint8_t op) {
    return op <= SL_OP_ERASE_TABLE || op == SL_OP_ADD_COLUMN || op == SL_OP_ERASE_COLUMN;
}

static bool is_eraser(uint8_t op) {
    return op == SL_OP_ERASE_TABLE || op == SL_OP_ERASE_COLUMN;
}

static bool file_schema(sl_merge *m, sl_merge_node *node) {
    sl_idmap *map = &m->index->schema;
    sl_merge_list *list = sl_index_schema(m->index, node->class_name, node->field);
    if (!list) {
        list = sl_arena_zero(&m->scratch, 1, sizeof *list);
        if (!list || !sl_idmap_add(map, pair_key(node->class_name, node->field), list))
            return sl_merge_no_memory(m) == 0;
    }
    m->index->has_erasers |= is_eraser(node->op);
    return list_insert(m, list, node);
}

bool sl_index_insert(sl_merge *m, sl_merge_node *node, sl_merge_node *before) {
    /* Behind everything that was put in front of `before` earlier, in front of `before` itself. */
    node->position = before->position - UINT32_MAX + before->inserted++;
    node->previous = before->previous;
    node->next = before;
    before->previous->next = node;
    before->previous = node;
    return file_schema(m, node);
}

/* ---- looking through both sides ---- */

/* The hash of the object an instruction addresses; successive instructions mostly have the same. */
typedef struct object_hasher {
    const sl_instruction *last;
    sl_merge_object *object; /* the one of `last`, if it has been looked up */
    uint32_t entry, hash;
} object_hasher;

static bool hash_object(sl_merge *m, const sl_merge_side *side, uint32_t entry,
                        const sl_instruction *in, object_hasher *hasher) {
    const sl_instruction *last = hasher->last;
    bool same = last && hasher->entry == entry && last->class_name == in->class_name &&
                same_key(&last->key, &in->key);
    hasher->last = in;
    if (same) return true;
    hasher->object = NULL;
    uint32_t class_name = sl_symbol_of(m, &side->entries[entry], in->class_name);
    hasher->entry = entry;
    if (!m->index->plain) hasher->hash = hash_of(class_name, &in->key);
    return !m->failed;
}

/* A set of hashes with one bit each. */
typedef struct hash_filter {
    uint64_t *words;
    uint32_t mask; /* number of bits - 1 */
} hash_filter;

static bool filter_init(sl_merge *m, hash_filter *filter, size_t count) {
    uint32_t bits = 1024;
    while (bits < count * 16 && bits < (1u << 22))
        bits *= 2;
    filter->mask = bits - 1;
    filter->words = sl_arena_zero(&m->scratch, bits / 64, sizeof *filter->words);
    return filter->words || sl_merge_no_memory(m) == 0;
}

static inline void filter_add(const hash_filter *filter, uint32_t hash) {
    uint32_t bit = hash & filter->mask;
    filter->words[bit >> 6] |= UINT64_C(1) << (bit & 63);
}

static inline bool filter_has(const hash_filter *filter, uint32_t hash) {
    uint32_t bit = hash & filter->mask;
    return filter->words[bit >> 6] >> (bit & 63) & 1;
}

static bool scan_local(sl_merge *m, const hash_filter *filter) {
    sl_merge_index *index = m->index;
    uint32_t *hash = index->local_hashes;
    object_hasher hasher = {NULL, NULL, 0, 0};
    for (uint32_t e = 0; e < m->local.count; e++) {
        const sl_changeset *cs = m->local.entries[e].cs;
        for (uint32_t j = 0; j < cs->count; j++, hash++) {
            const sl_instruction *in = &cs->instructions[j];
            *hash = 0;
            if (is_schema(in->op)) {
                index->local_erasers |= is_eraser(in->op);
                continue;
            }
            if (!hash_object(m, &m->local, e, in, &hasher)) return false;
            *hash = hasher.hash;
            filter_add(filter, *hash);
        }
    }
    return true;
}

static void append(sl_merge_index *index, sl_merge_node *node, uint32_t number) {
    node->position = ((uint64_t)number + 1) << 32;
    node->previous = index->last;
    index->last->next = node;
    index->last = node;
}

static bool file_node(sl_merge *m, uint32_t entry, sl_instruction *in, object_hasher *hasher,
                      uint32_t number) {
    sl_merge_node *node = sl_arena_alloc(&m->scratch, sizeof *node);
    if (!node) return sl_merge_no_memory(m) == 0;
    if (!sl_merge_load(m, &m->incoming, entry, in, NULL, node)) return false;
    append(m->index, node, number);
    if (is_schema(in->op)) return file_schema(m, node);
    sl_merge_object *object = hasher->object;
    if (!object) object = find_or_add_object(m, node->class_name, &in->key, hasher->hash);
    if (!object) return false;
    hasher->object = object;
    file_in_object(object, node);
    note_oddity(m->index, object, in);
    if (!sl_op_has_path(in->op) || m->index->plain) return true;
    return file_path(m, node);
}

static bool scan_incoming(sl_merge *m, const hash_filter *filter) {
    bool everything = m->index->plain || m->index->local_erasers;
    object_hasher hasher = {NULL, NULL, 0, 0};
    uint32_t number = 0;
    for (uint32_t e = 0; e < m->incoming.count; e++) {
        sl_changeset *cs = m->incoming.entries[e].cs;
        for (uint32_t j = 0; j < cs->count; j++, number++) {
            sl_instruction *in = &cs->instructions[j];
            bool schema = is_schema(in->op);
            if (!schema && !hash_object(m, &m->incoming, e, in, &hasher)) return false;
            if (!everything && !schema && !filter_has(filter, hasher.hash)) continue;
            if (!file_node(m, e, in, &hasher, number)) return false;
        }
    }
    return true;
}

/* Below this many pairs, looking at each of them is cheaper than any index. */
enum { FEW_PAIRS = 48 };

static bool few_pairs(const sl_merge *m) {
    size_t n = m->local.instructions, k = m->incoming.instructions;
    return n <= FEW_PAIRS && k <= FEW_PAIRS && n * k <= FEW_PAIRS;
}

bool sl_index_build(sl_merge *m) {
    hash_filter filter = {NULL, 0};
    sl_merge_index *index = m->index;
    index->last = &index->all;
    index->plain = m->options.no_index || few_pairs(m);
    index->fields.arena = index->branches.arena = index->schema.arena = &m->scratch;
    if (index->plain) return scan_incoming(m, &filter);
    index->local_hashes =
        sl_arena_alloc(&m->scratch, m->local.instructions * sizeof *index->local_hashes);
    if (!index->local_hashes) return sl_merge_no_memory(m) == 0;
    return filter_init(m, &filter, m->local.instructions) && scan_local(m, &filter) &&
           scan_incoming(m, &filter);
}
