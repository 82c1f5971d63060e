#include "realm/object.h"

#include "realm/dict.h"
#include "realm/list.h"

static char *copy_bytes(const sl_alloc *alloc, const char *data, uint32_t size) {
    char *copy = sl_new(alloc, size);
    if (copy) memcpy(copy, data, size);
    return copy;
}

/* Link, class name and the bytes of a string key in one block. */
static sl_link *copy_link(const sl_alloc *alloc, const sl_link *link) {
    uint32_t name = link->class_name.size;
    uint32_t key = link->key.type == SL_TYPE_STRING ? link->key.string.size : 0;
    sl_link *copy = sl_new(alloc, sizeof *copy + name + key);
    if (!copy) return NULL;
    char *bytes = (char *)(copy + 1);
    copy->class_name = sl_str_of(bytes, name);
    if (name) memcpy(bytes, link->class_name.data, name);
    copy->key = link->key;
    if (link->key.type == SL_TYPE_STRING) {
        if (key) memcpy(bytes + name, link->key.string.data, key);
        copy->key.string = sl_str_of(bytes + name, key);
    }
    return copy;
}

bool sl_node_set_value(const sl_alloc *alloc, sl_node *node, const sl_value *value) {
    node->kind = SL_NODE_VALUE;
    node->value = *value;
    switch (value->type) {
    case SL_TYPE_STRING:
    case SL_TYPE_BINARY: {
        uint32_t size = value->string.size;
        const char *bytes = size ? copy_bytes(alloc, value->string.data, size) : "";
        if (!bytes) break;
        node->value.string = sl_str_of(bytes, size);
        return true;
    }
    case SL_TYPE_LINK:
        node->value.link = copy_link(alloc, value->link);
        if (!node->value.link) break;
        return true;
    case SL_TYPE_FLOAT:
    case SL_TYPE_DOUBLE:
    case SL_TYPE_DECIMAL:
        if (sl_value_is_null_pattern(value)) node->value.type = SL_TYPE_NULL;
        return true;
    default:
        return true;
    }
    node->value.type = SL_TYPE_NULL;
    return false;
}

void sl_node_clear(const sl_alloc *alloc, sl_node *node) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        if (node->value.type == SL_TYPE_LINK)
            sl_delete(alloc, (sl_link *)(uintptr_t)node->value.link);
        else if ((node->value.type == SL_TYPE_STRING || node->value.type == SL_TYPE_BINARY) &&
                 node->value.string.size)
            sl_delete(alloc, (char *)(uintptr_t)node->value.string.data);
        break;
    case SL_NODE_LIST:
    case SL_NODE_SET:
        sl_list_free(alloc, node->list);
        break;
    case SL_NODE_DICT:
        sl_dict_free(alloc, node->dict);
        break;
    case SL_NODE_OBJECT:
        sl_object_free(alloc, node->object);
        break;
    default:
        break;
    }
    node->kind = SL_NODE_VALUE;
    node->value.type = SL_TYPE_NULL;
}

static bool copy_list(const sl_alloc *alloc, sl_node *to, const sl_list *from) {
    if (!sl_list_count(from)) return true;
    to->list = sl_list_new(alloc);
    if (!to->list) return false;
    for (uint32_t i = 0; i < sl_list_count(from); i++) {
        sl_node *node = sl_list_insert(alloc, to->list, i);
        if (!node || !sl_node_copy(alloc, node, sl_list_at(from, i))) return false;
    }
    return true;
}

static bool copy_dict(const sl_alloc *alloc, sl_node *to, const sl_dict *from) {
    if (!sl_dict_count(from)) return true;
    to->dict = sl_dict_new(alloc);
    if (!to->dict) return false;
    for (uint32_t i = 0; i < sl_dict_count(from); i++) {
        const sl_dict_entry *entry = sl_dict_at(from, i);
        sl_dict_entry *copy = sl_dict_insert(alloc, to->dict, i, entry->key);
        if (!copy || !sl_node_copy(alloc, &copy->node, &entry->node)) return false;
    }
    return true;
}

static bool copy_object(const sl_alloc *alloc, sl_node *to, const sl_object *from) {
    sl_object *object = sl_object_new(alloc, from->cls, NULL);
    if (!object) return false;
    to->kind = SL_NODE_OBJECT;
    to->object = object;
    for (uint32_t i = 0; i < from->value_count && i < object->value_count; i++)
        if (!sl_node_copy(alloc, &object->values[i], &from->values[i])) return false;
    return true;
}

bool sl_node_copy(const sl_alloc *alloc, sl_node *to, const sl_node *from) {
    memset(to, 0, sizeof *to);
    if (from->kind == SL_NODE_VALUE) return sl_node_set_value(alloc, to, &from->value);
    bool ok;
    if (from->kind == SL_NODE_OBJECT) {
        ok = copy_object(alloc, to, from->object);
    } else {
        to->kind = from->kind;
        ok = from->kind == SL_NODE_DICT ? copy_dict(alloc, to, from->dict)
                                        : copy_list(alloc, to, from->list);
    }
    if (!ok) sl_node_clear(alloc, to);
    return ok;
}

bool sl_key_copy(const sl_alloc *alloc, sl_key *to, const sl_key *key) {
    *to = *key;
    if (key->type != SL_TYPE_STRING) return true;
    const char *bytes = "";
    if (key->string.size) {
        bytes = copy_bytes(alloc, key->string.data, key->string.size);
        if (!bytes) {
            to->type = SL_TYPE_NULL;
            return false;
        }
    }
    to->string = sl_str_of(bytes, key->string.size);
    return true;
}

void sl_key_free(const sl_alloc *alloc, sl_key *key) {
    if (key->type == SL_TYPE_STRING && key->string.size)
        sl_delete(alloc, (char *)(uintptr_t)key->string.data);
    key->type = SL_TYPE_NULL;
}

/* The first slots lie behind the object in the same block. */
static sl_node *inline_values(const sl_object *object) {
    return (sl_node *)(uintptr_t)(object + 1);
}

sl_object *sl_object_new_borrowed(const sl_alloc *alloc, const sl_class *cls, const sl_key *key) {
    size_t values = cls->property_count * sizeof(sl_node);
    sl_object *object = sl_new(alloc, sizeof *object + values);
    if (!object) return NULL;
    object->cls = cls;
    if (key)
        object->key = *key;
    else
        memset(&object->key, 0, sizeof object->key);
    object->values = inline_values(object);
    object->value_count = cls->property_count;
    object->key_owned = false;
    if (values) memcpy(object->values, cls->defaults, values);
    return object;
}

sl_object *sl_object_new(const sl_alloc *alloc, const sl_class *cls, const sl_key *key) {
    sl_key copy = {0};
    if (key && !sl_key_copy(alloc, &copy, key)) return NULL;
    sl_object *object = sl_object_new_borrowed(alloc, cls, &copy);
    if (object)
        object->key_owned = true;
    else
        sl_key_free(alloc, &copy);
    return object;
}

void sl_object_free(const sl_alloc *alloc, sl_object *object) {
    if (!object) return;
    for (uint32_t i = 0; i < object->value_count; i++)
        sl_node_clear(alloc, &object->values[i]);
    if (object->values != inline_values(object)) sl_delete(alloc, object->values);
    if (object->key_owned) sl_key_free(alloc, &object->key);
    sl_delete(alloc, object);
}

const sl_node *sl_object_at(const sl_object *object, uint32_t index) {
    return index < object->value_count ? &object->values[index] : &object->cls->defaults[index];
}

bool sl_object_complete(const sl_alloc *alloc, sl_object *object) {
    uint32_t have = object->value_count, want = object->cls->property_count;
    if (have >= want) return true;
    sl_node *old = object->values == inline_values(object) ? NULL : object->values;
    sl_node *values = sl_resize(alloc, old, want * sizeof *values);
    if (!values) return false;
    if (!old && have) memcpy(values, object->values, have * sizeof *values);
    memcpy(values + have, object->cls->defaults + have, (want - have) * sizeof *values);
    object->values = values;
    object->value_count = want;
    return true;
}
