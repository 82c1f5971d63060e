#include "history/reset_writer.h"

#include "realm/dict.h"
#include "realm/list.h"

void sl_reset_writer_init(sl_reset_writer *writer, sl_changeset *cs) {
    memset(writer, 0, sizeof *writer);
    writer->cs = cs;
}

/* ---- copies ---------------------------------------------------------------------------------- */

static uint32_t intern(sl_reset_writer *w, sl_str s) {
    uint32_t sym = sl_changeset_intern(w->cs, s);
    if (sym == SL_NO_SYM) w->failed = true;
    return sym;
}

/* A name of an instruction: the table's own copy of it. */
static sl_str named(sl_reset_writer *w, sl_str s) {
    uint32_t sym = intern(w, s);
    return sym == SL_NO_SYM ? SL_STR("") : sl_changeset_string(w->cs, sym);
}

static sl_key copy_key(sl_reset_writer *w, const sl_key *key) {
    sl_key copy = *key;
    if (key->type == SL_TYPE_STRING) copy.string = named(w, key->string);
    return copy;
}

static void copy_value(sl_reset_writer *w, sl_value *to, const sl_value *from) {
    *to = *from;
    if (from->type == SL_TYPE_STRING || from->type == SL_TYPE_BINARY) {
        to->string = sl_arena_str(&w->cs->arena, from->string);
        to->string.sym = SL_NO_SYM;
        if (to->string.size && !to->string.data) w->failed = true;
    } else if (from->type == SL_TYPE_LINK) {
        sl_link *link = sl_arena_alloc(&w->cs->arena, sizeof *link);
        if (!link) {
            w->failed = true;
            to->type = SL_TYPE_NULL;
            return;
        }
        link->class_name = named(w, from->link->class_name);
        link->key = copy_key(w, &from->link->key);
        if (w->rename) w->rename(w->ctx, link->class_name, &link->key);
        to->link = link;
    }
}

static sl_instruction *append(sl_reset_writer *w, sl_op op) {
    if (w->failed) return NULL;
    sl_instruction *in = sl_changeset_append(w->cs, op);
    if (!in) w->failed = true;
    return in;
}

/* ---- places ---------------------------------------------------------------------------------- */

void sl_reset_writer_at(sl_reset_writer *w, sl_str class_name, const sl_key *key, sl_str field) {
    w->class_name = intern(w, class_name);
    w->field = intern(w, field);
    w->key = copy_key(w, key);
    w->path_size = 0;
}

static bool push_index(sl_reset_writer *w, uint32_t index) {
    if (w->path_size == SL_MAX_PATH) return false;
    w->path[w->path_size++] = (sl_path_elem){true, index};
    return true;
}

static bool push_name(sl_reset_writer *w, sl_str name) {
    if (w->path_size == SL_MAX_PATH) return false;
    w->path[w->path_size++] = (sl_path_elem){false, intern(w, name)};
    return true;
}

/* An instruction at the present place. */
static sl_instruction *at_place(sl_reset_writer *w, sl_op op) {
    sl_path_elem *path = NULL;
    if (w->path_size && !w->failed) {
        path = sl_arena_alloc(&w->cs->arena, w->path_size * sizeof *path);
        if (!path) w->failed = true;
    }
    sl_instruction *in = append(w, op);
    if (!in) return NULL;
    in->class_name = w->class_name;
    in->field = w->field;
    in->key = w->key;
    in->path_size = w->path_size;
    in->path = path;
    if (path) memcpy(path, w->path, w->path_size * sizeof *path);
    return in;
}

/* ---- schema and objects ---------------------------------------------------------------------- */

void sl_reset_write_class(sl_reset_writer *w, const sl_class *cls) {
    uint32_t name = intern(w, cls->name);
    uint32_t key = cls->kind == SL_TABLE_EMBEDDED
                       ? SL_NO_SYM
                       : intern(w, cls->has_key ? cls->key_name : SL_STR(""));
    sl_instruction *in = append(w, SL_OP_ADD_TABLE);
    if (!in) return;
    in->class_name = name;
    in->table_kind = cls->kind;
    in->field = key;
    if (cls->kind == SL_TABLE_EMBEDDED) return;
    in->type = cls->has_key ? cls->key_type : SL_TYPE_GLOBALKEY;
    in->nullable = cls->has_key && cls->key_nullable;
}

void sl_reset_write_property(sl_reset_writer *w, sl_str class_name, const sl_property *prop) {
    uint32_t name = intern(w, class_name), field = intern(w, prop->name);
    uint32_t target = prop->type == SL_TYPE_LINK ? intern(w, prop->target) : SL_NO_SYM;
    sl_instruction *in = append(w, SL_OP_ADD_COLUMN);
    if (!in) return;
    in->class_name = name;
    in->field = field;
    in->type = prop->type;
    in->nullable = prop->nullable;
    in->collection = prop->collection;
    in->target = target;
    if (prop->collection == SL_DICTIONARY) in->key_type = SL_TYPE_STRING;
}

static void write_object(sl_reset_writer *w, sl_op op, sl_str class_name, const sl_key *key) {
    uint32_t name = intern(w, class_name);
    sl_key copy = copy_key(w, key);
    sl_instruction *in = append(w, op);
    if (!in) return;
    in->class_name = name;
    in->key = copy;
}

void sl_reset_write_create(sl_reset_writer *w, sl_str class_name, const sl_key *key) {
    write_object(w, SL_OP_CREATE_OBJECT, class_name, key);
}

void sl_reset_write_erase(sl_reset_writer *w, sl_str class_name, const sl_key *key) {
    write_object(w, SL_OP_ERASE_OBJECT, class_name, key);
}

/* ---- content --------------------------------------------------------------------------------- */

static bool allowed(const sl_reset_writer *w, const sl_value *value) {
    return value->type != SL_TYPE_LINK || !w->link_allowed || w->link_allowed(w->ctx, value->link);
}

/* How the beginning of a list element, entry or field is written: the value itself, or the empty
 * thing that its content then goes into. */
static sl_value head_of(const sl_node *node) {
    static const int8_t types[] = {[SL_NODE_LIST] = SL_TYPE_LIST,
                                   [SL_NODE_DICT] = SL_TYPE_DICTIONARY,
                                   [SL_NODE_OBJECT] = SL_TYPE_OBJECT};
    if (node->kind == SL_NODE_VALUE) return node->value;
    return (sl_value){.type = types[node->kind]};
}

static void write_update(sl_reset_writer *w, const sl_value *value, uint32_t prior_size) {
    sl_value copy;
    copy_value(w, &copy, value);
    sl_instruction *in = at_place(w, SL_OP_UPDATE);
    if (!in) return;
    in->value = copy;
    if (sl_path_ends_with_index(in)) in->prior_size = prior_size;
}

static void write_clear(sl_reset_writer *w, sl_collection collection) {
    sl_instruction *in = at_place(w, SL_OP_CLEAR);
    if (in) in->collection = (uint8_t)collection;
}

static void write_inside(sl_reset_writer *w, const sl_node *node, bool fresh);

static void write_elements(sl_reset_writer *w, const sl_list *list) {
    uint32_t written = 0;
    for (uint32_t i = 0; i < sl_list_count(list) && !w->failed; i++) {
        const sl_node *element = sl_list_at(list, i);
        sl_value head = head_of(element), copy;
        if (!allowed(w, &head) || !push_index(w, written)) continue;
        copy_value(w, &copy, &head);
        sl_instruction *in = at_place(w, SL_OP_ARRAY_INSERT);
        if (in) {
            in->value = copy;
            in->prior_size = written++;
        }
        write_inside(w, element, true);
        w->path_size--;
    }
}

static void write_entries(sl_reset_writer *w, const sl_dict *dict) {
    for (uint32_t i = 0; i < sl_dict_count(dict) && !w->failed; i++) {
        const sl_dict_entry *entry = sl_dict_at(dict, i);
        sl_value head = head_of(&entry->node);
        if (!allowed(w, &head)) head = (sl_value){.type = SL_TYPE_NULL};
        if (!push_name(w, entry->key)) continue;
        write_update(w, &head, 0);
        write_inside(w, &entry->node, true);
        w->path_size--;
    }
}

static void write_members(sl_reset_writer *w, const sl_list *list) {
    for (uint32_t i = 0; i < sl_list_count(list) && !w->failed; i++) {
        const sl_node *element = sl_list_at(list, i);
        sl_value copy;
        if (!allowed(w, &element->value)) continue;
        copy_value(w, &copy, &element->value);
        sl_instruction *in = at_place(w, SL_OP_SET_INSERT);
        if (in) in->value = copy;
    }
}

/* True if a new object has this content by itself. */
static bool is_default(const sl_property *prop, const sl_node *node) {
    if (node->kind == SL_NODE_VALUE)
        return node->value.type == SL_TYPE_NULL && prop->collection == SL_SINGLE &&
               (prop->nullable || prop->type == SL_TYPE_MIXED || prop->type == SL_TYPE_LINK);
    if (prop->collection == SL_SINGLE) return false;
    if (node->kind == SL_NODE_DICT) return sl_dict_count(node->dict) == 0;
    return sl_list_count(node->list) == 0;
}

static void write_fields(sl_reset_writer *w, const sl_object *object, bool fresh) {
    const sl_class *cls = object->cls;
    for (uint32_t i = 0; i < cls->property_count && !w->failed; i++) {
        const sl_property *prop = &cls->properties[i];
        if (prop->erased) continue;
        const sl_node *node = sl_object_at(object, prop->index);
        if ((fresh && is_default(prop, node)) || !push_name(w, prop->name)) continue;
        sl_reset_write_node(w, node);
        w->path_size--;
    }
}

/* What is in the thing that was just made (`fresh`) or may have stood here before. */
static void write_inside(sl_reset_writer *w, const sl_node *node, bool fresh) {
    switch (node->kind) {
    case SL_NODE_LIST:
        if (!fresh) write_clear(w, SL_LIST);
        write_elements(w, node->list);
        break;
    case SL_NODE_DICT:
        if (!fresh) write_clear(w, SL_DICTIONARY);
        write_entries(w, node->dict);
        break;
    case SL_NODE_SET:
        if (!fresh) write_clear(w, SL_SET);
        write_members(w, node->list);
        break;
    case SL_NODE_OBJECT:
        write_fields(w, node->object, fresh);
        break;
    default:
        break;
    }
}

/* A collection property exists whatever happens; everything else is put in place first. Clear makes
 * a collection of its kind inside a Mixed too. */
void sl_reset_write_node(sl_reset_writer *w, const sl_node *node) {
    if (node->kind == SL_NODE_VALUE || node->kind == SL_NODE_OBJECT) {
        sl_value head = head_of(node);
        if (!allowed(w, &head)) head = (sl_value){.type = SL_TYPE_NULL};
        write_update(w, &head, 0);
    }
    write_inside(w, node, false);
}

sl_instruction *sl_reset_write_copy(sl_reset_writer *w, const sl_changeset *from,
                                    const sl_instruction *in) {
    sl_instruction copy = *in;
    const uint32_t *const symbols[] = {&in->class_name, &in->field, &in->target};
    uint32_t *const copies[] = {&copy.class_name, &copy.field, &copy.target};
    for (size_t i = 0; i < 3; i++)
        if (*symbols[i] != SL_NO_SYM) *copies[i] = intern(w, from->strings[*symbols[i]]);
    copy.key = copy_key(w, &in->key);
    copy_value(w, &copy.value, &in->value);
    if (in->path_size && !w->failed) {
        copy.path = sl_arena_alloc(&w->cs->arena, in->path_size * sizeof *copy.path);
        if (!copy.path) w->failed = true;
    }
    for (uint16_t i = 0; i < in->path_size && !w->failed; i++) {
        copy.path[i] = in->path[i];
        if (!in->path[i].is_index)
            copy.path[i].number = intern(w, from->strings[in->path[i].number]);
    }
    sl_instruction *out = append(w, (sl_op)in->op);
    if (out) *out = copy;
    return out;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool node_eq(const sl_reset_writer *w, const sl_node *a, const sl_node *b);

static bool object_eq(const sl_reset_writer *w, const sl_object *a, const sl_object *b) {
    for (uint32_t i = 0; i < b->cls->property_count; i++) {
        const sl_property *pb = &b->cls->properties[i];
        if (pb->erased) continue;
        const sl_property *pa = sl_class_find(a->cls, pb->name);
        if (!pa || !node_eq(w, sl_object_at(a, pa->index), sl_object_at(b, pb->index)))
            return false;
    }
    return true;
}

static bool value_eq(const sl_reset_writer *w, const sl_value *a, const sl_value *b) {
    if (w && w->rename && a->type == SL_TYPE_LINK && b->type == SL_TYPE_LINK) {
        sl_key key = a->link->key;
        w->rename(w->ctx, a->link->class_name, &key);
        return sl_str_eq(a->link->class_name, b->link->class_name) &&
               sl_key_eq(&key, &b->link->key);
    }
    return sl_value_eq(a, b) || sl_value_cmp(a, b) == 0;
}

static bool node_eq(const sl_reset_writer *w, const sl_node *a, const sl_node *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == SL_NODE_OBJECT) return object_eq(w, a->object, b->object);
    if (a->kind == SL_NODE_VALUE) return value_eq(w, &a->value, &b->value);
    if (a->kind == SL_NODE_DICT) {
        uint32_t count = sl_dict_count(a->dict);
        if (count != sl_dict_count(b->dict)) return false;
        for (uint32_t i = 0; i < count; i++) {
            const sl_dict_entry *x = sl_dict_at(a->dict, i), *y = sl_dict_at(b->dict, i);
            if (!sl_str_eq(x->key, y->key) || !node_eq(w, &x->node, &y->node)) return false;
        }
        return true;
    }
    uint32_t count = sl_list_count(a->list);
    if (count != sl_list_count(b->list)) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!node_eq(w, sl_list_at(a->list, i), sl_list_at(b->list, i))) return false;
    return true;
}

bool sl_reset_node_eq(const sl_node *a, const sl_node *b) {
    return node_eq(NULL, a, b);
}

bool sl_reset_is_written(const sl_reset_writer *writer, const sl_node *node, const sl_node *there) {
    return node_eq(writer, node, there);
}
