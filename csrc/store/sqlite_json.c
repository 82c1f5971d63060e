#include "store/sqlite_json.h"

#include "realm/dict.h"
#include "realm/list.h"
#include "value/ejson.h"
#include "value/number.h"

/* --- writing --- */

/* `target`: the class of links at this place, or "". */
static bool write_node(sl_sqlite_store *store, sl_ejson *w, const sl_node *node, sl_str target,
                       sl_status *st);

static void write_value(sl_ejson *w, const sl_value *value) {
    if (value->type != SL_TYPE_INT) {
        sl_ejson_value(w, value);
        return;
    }
    /* A whole number reads back as an int, so the plain form loses nothing. */
    if (w->comma) sl_buf_byte(w->out, ',');
    w->comma = true;
    sl_number_put_i64(value->integer, w->out);
}

/* A link whose class the property names is written as its key alone. A null key would read as no
 * link, so it gets the long form. */
static void write_link(sl_ejson *w, const sl_link *link) {
    sl_value whole = {.type = SL_TYPE_INT};
    if (link->key.type == SL_TYPE_INT) {
        whole.integer = link->key.integer;
        write_value(w, &whole);
    } else if (link->key.type != SL_TYPE_NULL) {
        sl_ejson_key(w, &link->key);
    } else {
        whole = (sl_value){.type = SL_TYPE_LINK, .link = link};
        sl_ejson_value(w, &whole);
    }
}

static bool write_list(sl_sqlite_store *store, sl_ejson *w, const sl_list *list, sl_str target,
                       sl_status *st) {
    uint32_t count = sl_list_count(list);
    sl_ejson_begin_array(w);
    for (uint32_t i = 0; i < count; i++) {
        if (!write_node(store, w, sl_list_at(list, i), target, st)) return false;
    }
    sl_ejson_end_array(w);
    return true;
}

static bool write_dict(sl_sqlite_store *store, sl_ejson *w, const sl_dict *dict, sl_str target,
                       sl_status *st) {
    uint32_t count = sl_dict_count(dict);
    sl_ejson_begin_object(w);
    for (uint32_t i = 0; i < count; i++) {
        const sl_dict_entry *entry = sl_dict_at(dict, i);
        sl_ejson_name(w, entry->key);
        if (!write_node(store, w, &entry->node, target, st)) return false;
    }
    sl_ejson_end_object(w);
    return true;
}

static const uint32_t *slots_of(sl_sqlite_store *store, const sl_class *cls, sl_cat_class **cat,
                                sl_status *st) {
    *cat = sl_catalogue_find(&store->catalogue, cls->id);
    if (*cat) return sl_cat_class_slots(&store->catalogue, *cat, cls, st);
    sl_fail(st, SL_ERR_INTERNAL, "", "the store does not know class %.*s", (int)cls->name.size,
            cls->name.data);
    return NULL;
}

static bool write_object(sl_sqlite_store *store, sl_ejson *w, const sl_object *object,
                         sl_status *st) {
    sl_cat_class *cat;
    const uint32_t *slots = slots_of(store, object->cls, &cat, st);
    if (!slots) return false;
    sl_ejson_begin_object(w);
    for (uint32_t i = 0; i < object->cls->property_count; i++) {
        if (slots[i] == SL_NO_SLOT) continue;
        const sl_cat_property *property = &cat->properties[slots[i]];
        sl_ejson_name(w, property->stored);
        if (!write_node(store, w, sl_object_at(object, i), property->def.target, st)) return false;
    }
    sl_ejson_end_object(w);
    return true;
}

static bool write_node(sl_sqlite_store *store, sl_ejson *w, const sl_node *node, sl_str target,
                       sl_status *st) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        if (node->value.type == SL_TYPE_LINK && target.size &&
            sl_str_eq(node->value.link->class_name, target)) {
            write_link(w, node->value.link);
        } else {
            write_value(w, &node->value);
        }
        return true;
    case SL_NODE_DICT:
        return write_dict(store, w, node->dict, target, st);
    case SL_NODE_OBJECT:
        return write_object(store, w, node->object, st);
    default:
        return write_list(store, w, node->list, target, st);
    }
}

bool sl_sqlite_json_write(sl_sqlite_store *store, const sl_node *node, sl_str target, sl_buf *out,
                          sl_status *st) {
    sl_ejson w = {.out = out};
    if (!write_node(store, &w, node, target, st)) return false;
    return out->failed ? sl_fail_memory(st) : true;
}

/* --- reading: the file may have been edited or damaged, so nothing is taken for granted --- */

static bool fail_content(sl_sqlite_store *store, const char *what, sl_status *st) {
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "%s: %s", store->path, what);
}

/* Reading errors are the file's fault, except for memory. */
static bool content_error(sl_sqlite_store *store, const sl_status *inner, sl_status *st) {
    return inner->cls == SL_ERR_MEMORY ? sl_fail_memory(st)
                                       : fail_content(store, inner->message, st);
}

/* What may be at a place: embedded objects of class `part` (or NULL), links to class `target` as
 * keys alone (or ""). */
typedef struct place {
    const sl_class *part;
    sl_str target;
} place;

static bool read_node(sl_sqlite_store *store, const json_t *json, const place *at, sl_node *node,
                      sl_status *st);

/* A scalar, or the key of a link. `link` is room for it. */
static bool read_scalar(sl_sqlite_store *store, const json_t *json, sl_str target, sl_value *value,
                        sl_link *link, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    bool key = target.size && !json_is_null(json) &&
               !(json_is_object(json) && json_object_get(json, "$link"));
    if (!key) {
        return sl_ejson_read_value(json, &store->arena, value, &inner) ||
               content_error(store, &inner, st);
    }
    *value = (sl_value){.type = SL_TYPE_LINK, .link = link};
    link->class_name = target;
    return sl_ejson_read_key(json, &store->arena, &link->key, &inner) ||
           content_error(store, &inner, st);
}

static bool read_name(sl_sqlite_store *store, const char *name, sl_str *s, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    return sl_ejson_read_name(name, &store->arena, s, &inner) || content_error(store, &inner, st);
}

static bool read_list(sl_sqlite_store *store, const json_t *json, const place *at, sl_node *node,
                      sl_status *st) {
    node->kind = SL_NODE_LIST;
    node->list = NULL;
    size_t count = json_array_size(json);
    if (count && !(node->list = sl_list_new(&store->alloc))) return sl_fail_memory(st);
    for (size_t i = 0; i < count; i++) {
        sl_node *item = sl_list_insert(&store->alloc, node->list, (uint32_t)i);
        if (!item) return sl_fail_memory(st);
        if (!read_node(store, json_array_get(json, i), at, item, st)) return false;
    }
    return true;
}

static bool read_dict(sl_sqlite_store *store, const json_t *json, const place *at, sl_node *node,
                      sl_status *st) {
    node->kind = SL_NODE_DICT;
    node->dict = NULL;
    if (json_object_size(json) && !(node->dict = sl_dict_new(&store->alloc))) {
        return sl_fail_memory(st);
    }
    /* Only reads; jansson wants the object without const. */
    for (void *i = json_object_iter((json_t *)(uintptr_t)json); i;
         i = json_object_iter_next((json_t *)(uintptr_t)json, i)) {
        sl_str key;
        if (!read_name(store, json_object_iter_key(i), &key, st)) return false;
        sl_node *item = sl_dict_put(&store->alloc, node->dict, key);
        if (!item) return sl_fail_memory(st);
        if (!read_node(store, json_object_iter_value(i), at, item, st)) return false;
    }
    return true;
}

static bool read_set(sl_sqlite_store *store, const json_t *json, sl_str target, sl_node *node,
                     sl_status *st) {
    node->kind = SL_NODE_SET;
    node->list = NULL;
    for (size_t i = 0; i < json_array_size(json); i++) {
        sl_value value;
        sl_link link;
        bool added;
        if (!read_scalar(store, json_array_get(json, i), target, &value, &link, st)) return false;
        if (!sl_set_add(&store->alloc, node, &value, &added)) return sl_fail_memory(st);
    }
    return true;
}

/* The content of a property: of a column, or of a member of an embedded object. */
static bool read_property(sl_sqlite_store *store, const json_t *json, const sl_property *property,
                          sl_node *node, sl_status *st) {
    place at = {NULL, SL_STR("")};
    if (property->embedded)
        at.part = sl_schema_find(store->schema, property->target);
    else if (property->type == SL_TYPE_LINK)
        at.target = property->target;
    if (property->collection == SL_SINGLE) return read_node(store, json, &at, node, st);
    bool dict = property->collection == SL_DICTIONARY;
    if (dict ? !json_is_object(json) : !json_is_array(json)) {
        return fail_content(store, "a collection is no JSON array or object", st);
    }
    if (dict) return read_dict(store, json, &at, node, st);
    if (property->collection == SL_SET) return read_set(store, json, at.target, node, st);
    return read_list(store, json, &at, node, st);
}

/* The slot that has the stored name; members come in the order of slots, so look from `from` on
 * first. */
static uint32_t find_slot(const sl_cat_class *cat, const uint32_t *slots, uint32_t count,
                          uint32_t from, sl_str name) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (from + i) % count;
        if (slots[slot] == SL_NO_SLOT) continue;
        if (sl_str_eq(cat->properties[slots[slot]].stored, name)) return slot;
    }
    return SL_NO_SLOT;
}

static bool read_member(sl_sqlite_store *store, sl_object *object, sl_str name, const json_t *json,
                        uint32_t *next, sl_status *st) {
    sl_cat_class *cat;
    const uint32_t *slots = slots_of(store, object->cls, &cat, st);
    if (!slots) return false;
    uint32_t slot = find_slot(cat, slots, object->value_count, *next, name);
    if (slot == SL_NO_SLOT) return true; /* erased since it was written */
    *next = slot + 1;
    sl_node *node = &object->values[slot];
    sl_node_clear(&store->alloc, node);
    return read_property(store, json, &object->cls->properties[slot], node, st);
}

static bool read_object(sl_sqlite_store *store, const json_t *json, const sl_class *part,
                        sl_node *node, sl_status *st) {
    sl_object *object = sl_object_new(&store->alloc, part, NULL);
    if (!object) return sl_fail_memory(st);
    node->kind = SL_NODE_OBJECT;
    node->object = object;
    if (!sl_object_complete(&store->alloc, object)) return sl_fail_memory(st);
    uint32_t next = 0;
    for (void *at = json_object_iter((json_t *)(uintptr_t)json); at;
         at = json_object_iter_next((json_t *)(uintptr_t)json, at)) {
        sl_str name;
        if (!read_name(store, json_object_iter_key(at), &name, st) ||
            !read_member(store, object, name, json_object_iter_value(at), &next, st)) {
            return false;
        }
    }
    return true;
}

static bool read_node(sl_sqlite_store *store, const json_t *json, const place *at, sl_node *node,
                      sl_status *st) {
    static const place anything = {NULL, {"", 0, SL_NO_SYM}};
    if (at->part && json_is_object(json)) return read_object(store, json, at->part, node, st);
    if (json_is_array(json)) return read_list(store, json, &anything, node, st);
    if (json_is_object(json) && !sl_ejson_is_scalar(json)) {
        return read_dict(store, json, &anything, node, st);
    }
    sl_value value;
    sl_link link;
    return read_scalar(store, json, at->target, &value, &link, st) &&
           (sl_node_set_value(&store->alloc, node, &value) || sl_fail_memory(st));
}

bool sl_sqlite_json_read(sl_sqlite_store *store, sl_str text, const sl_property *property,
                         sl_node *node, sl_status *st) {
    sl_status inner = SL_STATUS_INIT;
    json_t *json = sl_ejson_parse(text.data, text.size, &inner);
    if (!json) return content_error(store, &inner, st);
    bool ok = read_property(store, json, property, node, st);
    json_decref(json);
    return ok;
}
