#include "changeset/copy.h"

typedef struct copier {
    sl_changeset *to;
    const sl_changeset *from;
    bool failed;
} copier;

static void name(copier *c, uint32_t *sym) {
    if (*sym == SL_NO_SYM) return;
    *sym = sl_changeset_intern(c->to, sl_changeset_string(c->from, *sym));
    if (*sym == SL_NO_SYM) c->failed = true;
}

static void string(copier *c, sl_str *s) {
    uint32_t sym = s->sym;
    name(c, &sym);
    if (!c->failed) *s = c->to->strings[sym];
}

static void key(copier *c, sl_key *k) {
    if (k->type == SL_TYPE_STRING) string(c, &k->string);
}

static void path(copier *c, sl_instruction *in) {
    if (in->path_size == 0) return;
    sl_path_elem *copy = sl_arena_alloc(&c->to->arena, in->path_size * sizeof *copy);
    if (!copy) {
        c->failed = true;
        return;
    }
    memcpy(copy, in->path, in->path_size * sizeof *copy);
    in->path = copy;
    for (uint16_t i = 0; i < in->path_size; i++)
        if (!copy[i].is_index) name(c, &copy[i].number);
}

static void link(copier *c, sl_value *value) {
    sl_link *copy = sl_arena_alloc(&c->to->arena, sizeof *copy);
    if (!copy) {
        c->failed = true;
        return;
    }
    *copy = *value->link;
    string(c, &copy->class_name);
    key(c, &copy->key);
    value->link = copy;
}

bool sl_changeset_copy(sl_changeset *to, const sl_changeset *from, const sl_instruction *in,
                       sl_status *st) {
    copier c = {to, from, false};
    sl_instruction *copy = sl_changeset_append(to, (sl_op)in->op);
    if (!copy) return sl_fail_memory(st);
    *copy = *in;
    name(&c, &copy->class_name);
    name(&c, &copy->field);
    name(&c, &copy->target);
    if (sl_op_has_path(in->op)) path(&c, copy);
    if (sl_op_has_path(in->op) || in->op == SL_OP_CREATE_OBJECT || in->op == SL_OP_ERASE_OBJECT)
        key(&c, &copy->key);
    if (sl_op_has_path(in->op) && in->value.type == SL_TYPE_LINK) link(&c, &copy->value);
    if (!c.failed) return true;
    to->count--;
    return sl_fail_memory(st);
}
