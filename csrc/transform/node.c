#include "base/strmap.h"
#include "transform/run_table.h"
#include "transform/symbol.h"

unsigned sl_merge_no_memory(sl_merge *m) {
    if (!m->failed) sl_fail_memory(m->st);
    m->failed = true;
    return SL_MERGE_FAILED;
}

bool sl_merge_too_long(sl_merge *m) {
    if (!m->failed)
        sl_fail(m->st, SL_ERR_CHANGESET, SL_MERGE_TOO_LONG,
                "merging it with what others did meanwhile takes more than %llu steps",
                (unsigned long long)m->steps.limit);
    m->failed = true;
    return false;
}

static int width(sl_str s) {
    return s.size > 40 ? 40 : (int)s.size;
}

static sl_str name_of(const sl_merge *m, const sl_merge_node *node, uint32_t sym) {
    const sl_changeset *cs = sl_merge_entry_of(m, node)->cs;
    return sym < cs->string_count ? cs->strings[sym] : SL_STR("");
}

unsigned sl_merge_reject(sl_merge *m, const char *id, const char *why, const sl_merge_node *x,
                         const sl_merge_node *y) {
    sl_str cls = name_of(m, x, x->in->class_name), field = name_of(m, x, x->in->field);
    if (!m->failed)
        sl_fail(m->st, SL_ERR_CHANGESET, id, "%s and %s of %.*s%s%.*s cannot be merged: %s",
                sl_op_name(x->op), sl_op_name(y->op), width(cls), cls.data, field.size ? "." : "",
                width(field), field.data, why);
    m->failed = true;
    return SL_MERGE_FAILED;
}

static void unlink_node(sl_merge_node *node) {
    node->previous->next = node->next;
    if (node->next) node->next->previous = node->previous;
}

void sl_merge_drop(sl_merge *m, sl_merge_node *node) {
    sl_merge_entry *entry = sl_merge_entry_of(m, node);
    node->dropped = true;
    node->in->op |= SL_OP_DROPPED;
    entry->dropped = true;
    entry->item->modified = true;
    /* `next` stays, so that a traversal that stands here can go on. */
    if (node->local) return;
    unlink_node(node);
    if (node->table) node->table->purge = true;
}

static uint32_t hash_number(uint64_t bits) {
    return (uint32_t)((bits * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

/* Equal values (3-transform.md, 3.3) have equal hashes; -0 and +0 are equal, and so are decimals of
 * different exponents. */
static uint32_t value_hash(const sl_value *value) {
    uint64_t bits = 0;
    switch (value->type) {
    case SL_TYPE_INT:
        return hash_number((uint64_t)value->integer);
    case SL_TYPE_BOOL:
        return value->boolean;
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY:
        return (uint32_t)sl_hash_bytes(value->string.data, value->string.size);
    case SL_TYPE_TIMESTAMP:
        return hash_number((uint64_t)value->timestamp.seconds * 31u +
                           (uint64_t)value->timestamp.nanoseconds);
    case SL_TYPE_DOUBLE:
        if (value->real != 0) memcpy(&bits, &value->real, sizeof value->real);
        return hash_number(bits);
    case SL_TYPE_FLOAT:
        if (value->single != 0) memcpy(&bits, &value->single, sizeof value->single);
        return hash_number(bits);
    case SL_TYPE_OBJECTID:
        return (uint32_t)sl_hash_bytes(value->objectid, sizeof value->objectid);
    case SL_TYPE_UUID:
        return (uint32_t)sl_hash_bytes(value->uuid, sizeof value->uuid);
    default:
        return (uint32_t)value->type;
    }
}

static uint16_t depth_of(const sl_instruction *in) {
    if (sl_op_has_path(in->op)) return (uint16_t)(3 + in->path_size);
    return in->op <= SL_OP_ERASE_TABLE ? 1 : 2;
}

static bool load_path(sl_merge *m, sl_merge_entry *entry, sl_merge_node *node) {
    const sl_instruction *in = node->in;
    if (!node->path) node->path = sl_arena_alloc(&m->scratch, in->path_size * sizeof *node->path);
    if (!node->path) return sl_merge_no_memory(m) == 0;
    for (uint32_t k = 0; k < in->path_size; k++) {
        const sl_path_elem *step = &in->path[k];
        node->path[k] =
            step->is_index ? SL_STEP_INDEX | step->number : sl_symbol_of(m, entry, step->number);
    }
    return !m->failed;
}

bool sl_merge_load(sl_merge *m, const sl_merge_side *side, uint32_t number, sl_instruction *in,
                   uint64_t *path, sl_merge_node *node) {
    sl_merge_entry *entry = &side->entries[number];
    if (in->path_size > SL_MAX_PATH) {
        m->failed = true;
        return sl_fail(m->st, SL_ERR_USAGE, "P-PATH",
                       "a path has %u steps, at most %d are possible", in->path_size, SL_MAX_PATH);
    }
    sl_zero(node, sizeof *node);
    node->in = in;
    node->path = path;
    node->prior_size = in->prior_size;
    node->to = in->to;
    node->field = SL_NO_NUMBER;
    node->object = SL_NO_NUMBER;
    node->age = entry->age;
    node->entry = number;
    node->depth = depth_of(in);
    node->op = in->op;
    node->local = side == &m->local;
    node->class_name = sl_symbol_of(m, entry, in->class_name);
    if (sl_op_has_path(in->op)) {
        node->field = sl_symbol_of(m, entry, in->field);
        node->path_size = in->path_size;
        if (in->op >= SL_OP_SET_INSERT) node->value_hash = value_hash(&in->value);
        return (in->path_size == 0 || load_path(m, entry, node)) && !m->failed;
    }
    if (in->op == SL_OP_ADD_COLUMN || in->op == SL_OP_ERASE_COLUMN)
        node->field = sl_symbol_of(m, entry, in->field);
    if (in->op == SL_OP_ADD_COLUMN && in->type == SL_TYPE_LINK)
        node->target = sl_symbol_of(m, entry, in->target);
    return !m->failed;
}

void sl_merge_store(sl_merge *m, const sl_merge_node *node) {
    sl_instruction *in = node->in;
    sl_merge_entry_of(m, node)->item->modified = true;
    in->prior_size = node->prior_size;
    in->to = node->to;
    for (uint32_t k = 0; k < node->path_size; k++)
        if (in->path[k].is_index) in->path[k].number = (uint32_t)node->path[k];
}

void sl_merge_picture(const sl_merge_node *node, sl_instruction *picture, sl_path_elem *path) {
    *picture = *node->in;
    picture->op = node->op;
    picture->prior_size = node->prior_size;
    picture->to = node->to;
    if (node->path_size == 0) return;
    memcpy(path, node->in->path, node->path_size * sizeof *path);
    for (uint32_t k = 0; k < node->path_size; k++)
        if (path[k].is_index) path[k].number = (uint32_t)node->path[k];
    picture->path = path;
}
