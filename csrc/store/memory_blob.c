#include "store/memory_blob.h"

#include "realm/dict.h"
#include "realm/list.h"
#include "store/key_code.h"

/* --- writing --- */

static void add_u32(sl_buf *out, uint32_t number) {
    sl_buf_add(out, &number, sizeof number);
}

static void add_str(sl_buf *out, sl_str s) {
    add_u32(out, s.size);
    sl_buf_str(out, s);
}

/* Leaves room for a size that is known later; returns where. */
static size_t open_size(sl_buf *out) {
    add_u32(out, 0);
    return out->size;
}

static void close_size(sl_buf *out, size_t from) {
    if (out->failed) return;
    uint32_t size = (uint32_t)(out->size - from);
    memcpy(out->data + from - sizeof size, &size, sizeof size);
}

static void write_value(sl_buf *out, const sl_value *value) {
    sl_buf_byte(out, (uint8_t)value->type);
    if (value->type == SL_TYPE_STRING || value->type == SL_TYPE_BINARY) {
        add_str(out, value->string);
    } else if (value->type == SL_TYPE_LINK) {
        add_str(out, value->link->class_name);
        size_t from = open_size(out);
        sl_key_encode(out, &value->link->key);
        close_size(out, from);
    } else {
        sl_buf_add(out, value, sizeof *value);
    }
}

static bool write_node(sl_memory_store *store, const sl_node *node, sl_buf *out, sl_status *st);

static bool write_list(sl_memory_store *store, const sl_list *list, sl_buf *out, sl_status *st) {
    uint32_t count = sl_list_count(list);
    add_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!write_node(store, sl_list_at(list, i), out, st)) return false;
    }
    return true;
}

static bool write_dict(sl_memory_store *store, const sl_dict *dict, sl_buf *out, sl_status *st) {
    uint32_t count = sl_dict_count(dict);
    add_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const sl_dict_entry *entry = sl_dict_at(dict, i);
        add_str(out, entry->key);
        if (!write_node(store, &entry->node, out, st)) return false;
    }
    return true;
}

static bool write_embedded(sl_memory_store *store, const sl_object *object, sl_buf *out,
                           sl_status *st) {
    add_u32(out, object->cls->id);
    size_t from = open_size(out);
    if (!sl_memory_blob_write(store, object, out, st)) return false;
    close_size(out, from);
    return true;
}

static bool write_node(sl_memory_store *store, const sl_node *node, sl_buf *out, sl_status *st) {
    sl_buf_byte(out, node->kind);
    switch (node->kind) {
    case SL_NODE_VALUE:
        write_value(out, &node->value);
        return true;
    case SL_NODE_DICT:
        return write_dict(store, node->dict, out, st);
    case SL_NODE_OBJECT:
        return write_embedded(store, node->object, out, st);
    default:
        return write_list(store, node->list, out, st);
    }
}

/* Slots and properties of the class of `object`, or NULL with `st`. */
static const uint32_t *slots_of(sl_memory_store *store, const sl_class *cls, sl_cat_class **cat,
                                sl_status *st) {
    *cat = sl_catalogue_find(&store->catalogue, cls->id);
    if (*cat) return sl_cat_class_slots(&store->catalogue, *cat, cls, st);
    sl_fail(st, SL_ERR_INTERNAL, "", "the store does not know class %.*s", (int)cls->name.size,
            cls->name.data);
    return NULL;
}

bool sl_memory_blob_write(sl_memory_store *store, const sl_object *object, sl_buf *out,
                          sl_status *st) {
    sl_cat_class *cat;
    const uint32_t *slots = slots_of(store, object->cls, &cat, st);
    if (!slots) return false;
    for (uint32_t i = 0; i < object->value_count; i++) {
        if (slots[i] == SL_NO_SLOT) continue;
        add_u32(out, cat->properties[slots[i]].number);
        size_t from = open_size(out);
        if (!write_node(store, &object->values[i], out, st)) return false;
        close_size(out, from);
        /* An embedded object of the same class may have moved the table of slots. */
        if (!(slots = slots_of(store, object->cls, &cat, st))) return false;
    }
    return out->failed ? sl_fail_memory(st) : true;
}

/* --- reading: the bytes are our own, so there is nothing to check but memory --- */

typedef struct blob_reader {
    sl_memory_store *store;
    const char *at;
} blob_reader;

static uint32_t get_u32(blob_reader *in) {
    uint32_t number;
    memcpy(&number, in->at, sizeof number);
    in->at += sizeof number;
    return number;
}

static sl_str get_str(blob_reader *in) {
    uint32_t size = get_u32(in);
    sl_str s = sl_str_of(in->at, size);
    in->at += size;
    return s;
}

static bool read_value(blob_reader *in, sl_node *node) {
    sl_value value;
    sl_link link;
    memset(&value, 0, sizeof value);
    value.type = (int8_t)*in->at++;
    if (value.type == SL_TYPE_STRING || value.type == SL_TYPE_BINARY) {
        value.string = get_str(in);
    } else if (value.type == SL_TYPE_LINK) {
        link.class_name = get_str(in);
        sl_key_decode(get_str(in), &link.key);
        value.link = &link;
    } else {
        memcpy(&value, in->at, sizeof value);
        in->at += sizeof value;
    }
    return sl_node_set_value(&in->store->disk->alloc, node, &value);
}

static bool read_node(blob_reader *in, sl_node *node, sl_status *st);

static bool read_list(blob_reader *in, sl_node *node, sl_status *st) {
    const sl_alloc *alloc = &in->store->disk->alloc;
    uint32_t count = get_u32(in);
    node->list = NULL;
    if (count && !(node->list = sl_list_new(alloc))) return sl_fail_memory(st);
    for (uint32_t i = 0; i < count; i++) {
        sl_node *item = sl_list_insert(alloc, node->list, i);
        if (!item) return sl_fail_memory(st);
        if (!read_node(in, item, st)) return false;
    }
    return true;
}

static bool read_dict(blob_reader *in, sl_node *node, sl_status *st) {
    const sl_alloc *alloc = &in->store->disk->alloc;
    uint32_t count = get_u32(in);
    node->dict = NULL;
    if (count && !(node->dict = sl_dict_new(alloc))) return sl_fail_memory(st);
    for (uint32_t i = 0; i < count; i++) {
        sl_dict_entry *entry = sl_dict_insert(alloc, node->dict, i, get_str(in));
        if (!entry) return sl_fail_memory(st);
        if (!read_node(in, &entry->node, st)) return false;
    }
    return true;
}

static bool read_embedded(blob_reader *in, sl_node *node, sl_status *st) {
    uint32_t id = get_u32(in);
    sl_str bytes = get_str(in);
    const sl_cat_class *cat = sl_catalogue_find(&in->store->catalogue, id);
    const sl_class *cls = cat ? sl_schema_find(in->store->schema, cat->def.name) : NULL;
    node->kind = SL_NODE_VALUE;
    if (!cls) return sl_fail(st, SL_ERR_INTERNAL, "", "an embedded object of no known class");
    sl_object *object = sl_object_new(&in->store->disk->alloc, cls, NULL);
    if (!object) return sl_fail_memory(st);
    node->kind = SL_NODE_OBJECT;
    node->object = object;
    return sl_memory_blob_read(in->store, bytes, object, st);
}

static bool read_node(blob_reader *in, sl_node *node, sl_status *st) {
    memset(node, 0, sizeof *node);
    node->kind = (uint8_t)*in->at++;
    switch (node->kind) {
    case SL_NODE_VALUE:
        return read_value(in, node) || sl_fail_memory(st);
    case SL_NODE_DICT:
        return read_dict(in, node, st);
    case SL_NODE_OBJECT:
        return read_embedded(in, node, st);
    default:
        return read_list(in, node, st);
    }
}

/* The slot that holds property `number`; the properties come in the order of slots. */
static uint32_t next_slot(const sl_cat_class *cat, const uint32_t *slots, uint32_t from,
                          uint32_t count, uint32_t number) {
    for (uint32_t i = from; i < count; i++) {
        if (slots[i] != SL_NO_SLOT && cat->properties[slots[i]].number == number) return i;
    }
    return SL_NO_SLOT;
}

bool sl_memory_blob_read(sl_memory_store *store, sl_str bytes, sl_object *object, sl_status *st) {
    blob_reader in = {store, bytes.data};
    const char *end = bytes.data + bytes.size;
    for (uint32_t slot = 0; in.at < end;) {
        sl_cat_class *cat;
        const uint32_t *slots = slots_of(store, object->cls, &cat, st);
        if (!slots) return false;
        uint32_t number = get_u32(&in);
        sl_str content = get_str(&in);
        uint32_t found = next_slot(cat, slots, slot, object->value_count, number);
        if (found == SL_NO_SLOT) continue; /* erased since it was written */
        slot = found + 1;
        blob_reader inside = {store, content.data};
        sl_node_clear(&store->disk->alloc, &object->values[found]);
        if (!read_node(&inside, &object->values[found], st)) return false;
    }
    return true;
}
