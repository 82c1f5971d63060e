#include "changeset/json.h"
#include "value/text.h"

/* Reads one instruction. `used` counts the members that were looked at, so that unknown ones show.
 */
typedef struct element {
    sl_changeset *cs;
    const json_t *json;
    size_t number; /* place in the array, for messages */
    size_t used;
    sl_status *st;
} element;

static bool wrong(const element *e, const char *what) {
    return sl_fail(e->st, SL_ERR_USAGE, "", "instruction %zu: %s", e->number, what);
}

/* The member, which has to be there. */
static const json_t *member(element *e, const char *name) {
    const json_t *json = json_object_get(e->json, name);
    if (!json) {
        sl_fail(e->st, SL_ERR_USAGE, "", "instruction %zu: member \"%s\" is missing", e->number,
                name);
        return NULL;
    }
    e->used++;
    return json;
}

/* Puts the place in front of what a reader of the value room reported. */
static bool located(const element *e, const char *name, bool ok) {
    if (ok || !e->st || e->st->cls == SL_ERR_MEMORY) return ok;
    char text[160];
    memcpy(text, e->st->message, sizeof text - 1);
    text[sizeof text - 1] = 0;
    return sl_fail(e->st, SL_ERR_USAGE, "", "instruction %zu, \"%s\": %s", e->number, name, text);
}

static bool intern(const element *e, sl_str s, uint32_t *sym) {
    *sym = sl_changeset_intern(e->cs, s);
    return *sym != SL_NO_SYM || sl_fail_memory(e->st);
}

static bool read_json_name(const element *e, const json_t *json, const char *label, uint32_t *sym) {
    sl_str s;
    return located(e, label, sl_text_read_str(json, &e->cs->arena, &s, e->st)) && intern(e, s, sym);
}

static bool read_name(element *e, const char *name, uint32_t *sym) {
    const json_t *json = member(e, name);
    return json && read_json_name(e, json, name, sym);
}

static bool intern_key(const element *e, sl_key *key) {
    if (key->type != SL_TYPE_STRING) return true;
    if (!intern(e, key->string, &key->string.sym)) return false;
    key->string = e->cs->strings[key->string.sym];
    return true;
}

static bool read_key(element *e, sl_key *key) {
    const json_t *json = member(e, "object");
    return json && located(e, "object", sl_text_read_key(json, &e->cs->arena, key, e->st)) &&
           intern_key(e, key);
}

static bool read_u32(element *e, const char *name, uint32_t *value) {
    const json_t *json = member(e, name);
    if (!json) return false;
    json_int_t v = json_integer_value(json);
    if (!json_is_integer(json) || v < 0 || v > UINT32_MAX)
        return wrong(e, "expected a number from 0 to 4294967295");
    *value = (uint32_t)v;
    return true;
}

static bool read_bool(element *e, const char *name, bool *value) {
    const json_t *json = member(e, name);
    if (!json) return false;
    *value = json_is_true(json);
    return json_is_boolean(json) || wrong(e, "expected true or false");
}

static sl_str word(const json_t *json) {
    return json_is_string(json) ? sl_str_of(json_string_value(json), json_string_length(json))
                                : SL_STR("");
}

static bool read_type(element *e, const char *name, int low, int8_t *type) {
    const json_t *json = member(e, name);
    if (!json) return false;
    sl_str text = word(json);
    for (int code = low; code <= SL_TYPE_UUID; code++) {
        if (!sl_str_eq(text, sl_str_c(sl_type_name(code)))) continue;
        *type = (int8_t)code;
        return true;
    }
    return wrong(e, "expected the name of a type");
}

static bool read_collection(element *e, uint8_t *kind) {
    const json_t *json = member(e, "collection");
    sl_collection collection;
    if (!json) return false;
    if (!sl_collection_from_name(word(json), &collection))
        return wrong(e, "expected one of \"single\", \"list\", \"dictionary\", \"set\"");
    *kind = (uint8_t)collection;
    return true;
}

/* The strings of a link are interned after everything else of the instruction, which is the order
 * in which the members are read here. */
static bool read_value(element *e, sl_value *value) {
    const json_t *json = member(e, "value");
    if (!json) return false;
    if (!located(e, "value", sl_text_read_value(json, &e->cs->arena, value, e->st))) return false;
    if (value->type != SL_TYPE_LINK) return true;
    sl_link *link = sl_arena_alloc(&e->cs->arena, sizeof *link);
    if (!link) return sl_fail_memory(e->st);
    *link = *value->link;
    if (!intern(e, link->class_name, &link->class_name.sym)) return false;
    link->class_name = e->cs->strings[link->class_name.sym];
    value->link = link;
    return intern_key(e, &link->key);
}

static bool read_element(element *e, const json_t *json, sl_path_elem *elem) {
    elem->is_index = json_is_integer(json);
    if (!elem->is_index) return read_json_name(e, json, "path", &elem->number);
    json_int_t v = json_integer_value(json);
    if (v < 0 || v > UINT32_MAX) return wrong(e, "a list index is from 0 to 4294967295");
    elem->number = (uint32_t)v;
    return true;
}

static bool read_path(element *e, sl_instruction *in) {
    const json_t *json = member(e, "path");
    if (!json) return false;
    size_t size = json_array_size(json);
    if (!json_is_array(json) || size > SL_MAX_PATH)
        return wrong(e, "expected a path: an array of at most 256 names and indices");
    if (size == 0) return true;
    in->path = sl_arena_zero(&e->cs->arena, size, sizeof *in->path);
    if (!in->path) return sl_fail_memory(e->st);
    in->path_size = (uint16_t)size;
    for (size_t i = 0; i < size; i++) {
        if (!read_element(e, json_array_get(json, i), &in->path[i])) return false;
    }
    return true;
}

static bool read_head(element *e, sl_instruction *in) {
    return read_key(e, &in->key) && read_name(e, "field", &in->field) && read_path(e, in);
}

static bool read_pk(element *e, sl_instruction *in) {
    const json_t *json = member(e, "pk");
    if (!json) return false;
    element pk = {e->cs, json, e->number, 0, e->st};
    if (!read_name(&pk, "field", &in->field)) return false;
    if (!read_type(&pk, "type", SL_TYPE_GLOBALKEY, &in->type)) return false;
    if (!read_bool(&pk, "nullable", &in->nullable)) return false;
    if (json_object_size(json) != 3) return wrong(e, "\"pk\" has an unknown member");
    switch (in->type) {
    case SL_TYPE_INT:
    case SL_TYPE_STRING:
    case SL_TYPE_OBJECTID:
    case SL_TYPE_UUID:
    case SL_TYPE_GLOBALKEY:
        return true;
    default:
        return wrong(e, "a key property cannot have this type");
    }
}

static bool read_add_table(element *e, sl_instruction *in) {
    static const char *const kinds[] = {"toplevel", "embedded", "asymmetric"};
    const json_t *json = member(e, "kind");
    if (!json) return false;
    sl_str text = word(json);
    in->table_kind = 0;
    while (in->table_kind < 3 && !sl_str_eq(text, sl_str_c(kinds[in->table_kind])))
        in->table_kind++;
    if (in->table_kind == 3)
        return wrong(e, "expected one of \"toplevel\", \"embedded\", \"asymmetric\"");
    return in->table_kind == SL_TABLE_EMBEDDED || read_pk(e, in);
}

static bool read_add_column(element *e, sl_instruction *in) {
    return read_name(e, "field", &in->field) && read_type(e, "type", SL_TYPE_MIXED, &in->type) &&
           read_bool(e, "nullable", &in->nullable) && read_collection(e, &in->collection) &&
           (in->type != SL_TYPE_LINK || read_name(e, "target", &in->target)) &&
           (in->collection != SL_DICTIONARY ||
            read_type(e, "key_type", SL_TYPE_SET, &in->key_type));
}

static bool read_update(element *e, sl_instruction *in) {
    if (!read_value(e, &in->value)) return false;
    return sl_path_ends_with_index(in) ? read_u32(e, "prior_size", &in->prior_size)
                                       : read_bool(e, "default", &in->is_default);
}

static bool read_tail(element *e, sl_instruction *in) {
    switch (in->op) {
    case SL_OP_UPDATE:
        return read_update(e, in);
    case SL_OP_ADD_INTEGER:
        return read_value(e, &in->value) &&
               (in->value.type == SL_TYPE_INT || wrong(e, "AddInteger takes an int"));
    case SL_OP_CLEAR:
        return read_collection(e, &in->collection);
    case SL_OP_SET_INSERT:
    case SL_OP_SET_ERASE:
        return read_value(e, &in->value);
    default:
        break;
    }
    if (!sl_path_ends_with_index(in)) return wrong(e, "the path has to end with an index");
    if (in->op == SL_OP_ARRAY_INSERT && !read_value(e, &in->value)) return false;
    if (in->op == SL_OP_ARRAY_MOVE && !read_u32(e, "to", &in->to)) return false;
    return read_u32(e, "prior_size", &in->prior_size);
}

static bool read_members(element *e, sl_instruction *in) {
    if (!read_name(e, "table", &in->class_name)) return false;
    if (sl_op_has_path(in->op)) return read_head(e, in) && read_tail(e, in);
    switch (in->op) {
    case SL_OP_ADD_TABLE:
        return read_add_table(e, in);
    case SL_OP_ADD_COLUMN:
        return read_add_column(e, in);
    case SL_OP_ERASE_COLUMN:
        return read_name(e, "field", &in->field);
    case SL_OP_ERASE_TABLE:
        return true;
    default:
        return read_key(e, &in->key);
    }
}

static bool read_intern_string(element *e) {
    uint32_t index, sym, count = e->cs->string_count;
    if (!read_u32(e, "index", &index) || !read_name(e, "string", &sym)) return false;
    if (index != count) return wrong(e, "interned strings have to be numbered 0, 1, 2, ...");
    return sym == count || wrong(e, "this string is interned already");
}

static bool read_instruction(element *e) {
    if (!json_is_object(e->json)) return wrong(e, "expected an object");
    const json_t *json = member(e, "op");
    if (!json) return false;
    sl_str name = word(json);
    if (sl_str_eq(name, SL_STR("InternString"))) return read_intern_string(e);
    int op = 0;
    while (op < SL_OP_COUNT && !sl_str_eq(name, sl_str_c(sl_op_name(op))))
        op++;
    if (op == SL_OP_COUNT) return wrong(e, "no such kind of instruction");
    /* Interned first, then appended: the strings belong before it. */
    sl_changeset *cs = e->cs;
    sl_instruction local = {
        .op = (uint8_t)op, .class_name = SL_NO_SYM, .field = SL_NO_SYM, .target = SL_NO_SYM};
    if (!read_members(e, &local)) return false;
    sl_instruction *in = sl_changeset_append(cs, (sl_op)op);
    if (!in) return sl_fail_memory(e->st);
    *in = local;
    return true;
}

static bool read_all(sl_changeset *cs, const json_t *array, sl_status *st) {
    if (!json_is_array(array))
        return sl_fail(st, SL_ERR_USAGE, "", "a changeset is a JSON array of instructions");
    for (size_t i = 0; i < json_array_size(array); i++) {
        element e = {cs, json_array_get(array, i), i, 0, st};
        if (!read_instruction(&e)) return false;
        if (e.used != json_object_size(e.json)) return wrong(&e, "unknown member");
    }
    return true;
}

bool sl_changeset_from_json_value(sl_changeset *cs, const json_t *array, sl_status *st) {
    if (read_all(cs, array, st)) return true;
    sl_changeset_reset(cs);
    return false;
}

bool sl_changeset_from_json(sl_changeset *cs, const char *text, size_t size, sl_status *st) {
    json_t *json = sl_text_parse(text, size, st);
    if (!json) return false;
    bool ok = sl_changeset_from_json_value(cs, json, st);
    json_decref(json);
    return ok;
}
