#include "realm/state.h"

#include <stdlib.h>

#include "realm/read.h"
#include "realm/scan.h"
#include "value/text.h"

/* Names in the order of bytes, with what they stand for. */
typedef struct named {
    sl_str name;
    uint32_t index;
} named;

static int by_name(const void *a, const void *b) {
    return sl_str_cmp(((const named *)a)->name, ((const named *)b)->name);
}

/* A piece of text in the making: set elements are made apart, sorted, and appended. */
typedef struct piece {
    size_t at, size;
} piece;

typedef struct dump {
    sl_realm *realm;
    sl_buf *out;
    sl_status *st;
} dump;

static bool put_node(dump *d, const sl_node *node);

static bool put_link(dump *d, const sl_value *value) {
    bool alive;
    if (!sl_link_alive(d->realm, value->link, &alive, d->st)) return false;
    sl_buf_text(d->out, "{\"link\":{\"table\":");
    sl_text_str(value->link->class_name, d->out);
    sl_buf_text(d->out, ",\"object\":");
    sl_text_key(&value->link->key, d->out);
    sl_buf_text(d->out, alive ? "}}" : ",\"dangling\":true}}");
    return true;
}

static bool put_list(dump *d, const sl_list *list) {
    sl_buf_text(d->out, "{\"list\":[");
    for (uint32_t i = 0; i < sl_list_count(list); i++) {
        if (i) sl_buf_byte(d->out, ',');
        if (!put_node(d, sl_list_at(list, i))) return false;
    }
    sl_buf_text(d->out, "]}");
    return true;
}

static int by_text(const void *a, const void *b, void *base) {
    const piece *x = a, *y = b;
    return sl_str_cmp(sl_str_of((const char *)base + x->at, x->size),
                      sl_str_of((const char *)base + y->at, y->size));
}

static void put_sorted(dump *d, const sl_buf *text, const piece *pieces, uint32_t count) {
    sl_buf_text(d->out, "{\"set\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i) sl_buf_byte(d->out, ',');
        sl_buf_add(d->out, text->data + pieces[i].at, pieces[i].size);
    }
    sl_buf_text(d->out, "]}");
}

static bool put_set(dump *d, const sl_list *list) {
    uint32_t count = sl_list_count(list);
    piece *pieces = sl_new_zero(d->realm->alloc, count + 1, sizeof *pieces);
    if (!pieces) return sl_fail_memory(d->st);
    sl_buf text;
    sl_buf_init(&text, d->realm->alloc);
    dump inner = {d->realm, &text, d->st};
    bool ok = true;
    for (uint32_t i = 0; ok && i < count; i++) {
        pieces[i].at = text.size;
        ok = put_node(&inner, sl_list_at(list, i));
        pieces[i].size = text.size - pieces[i].at;
    }
    if (ok && text.failed) ok = sl_fail_memory(d->st);
    if (ok) {
        if (count) qsort_r(pieces, count, sizeof *pieces, by_text, text.data);
        put_sorted(d, &text, pieces, count);
    }
    sl_buf_free(&text);
    sl_delete(d->realm->alloc, pieces);
    return ok;
}

static bool put_dict(dump *d, const sl_dict *dict) {
    sl_buf_text(d->out, "{\"dictionary\":[");
    for (uint32_t i = 0; i < sl_dict_count(dict); i++) {
        const sl_dict_entry *entry = sl_dict_at(dict, i);
        sl_buf_text(d->out, i ? ",[" : "[");
        sl_text_str(entry->key, d->out);
        sl_buf_byte(d->out, ',');
        if (!put_node(d, &entry->node)) return false;
        sl_buf_byte(d->out, ']');
    }
    sl_buf_text(d->out, "]}");
    return true;
}

/* The properties that are not erased, sorted by name. NULL: no memory. Freed with sl_delete. */
static named *sorted_properties(dump *d, const sl_class *cls, uint32_t *count) {
    named *names = sl_new_zero(d->realm->alloc, cls->property_count + 1, sizeof *names);
    if (!names) {
        sl_fail_memory(d->st);
        return NULL;
    }
    *count = 0;
    for (uint32_t i = 0; i < cls->property_count; i++)
        if (!cls->properties[i].erased) names[(*count)++] = (named){cls->properties[i].name, i};
    qsort(names, *count, sizeof *names, by_name);
    return names;
}

static bool put_members(dump *d, const sl_object *object, const named *names, uint32_t count) {
    sl_buf_byte(d->out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i) sl_buf_byte(d->out, ',');
        sl_text_str(names[i].name, d->out);
        sl_buf_byte(d->out, ':');
        if (!put_node(d, sl_object_at(object, names[i].index))) return false;
    }
    sl_buf_byte(d->out, '}');
    return true;
}

static bool put_values(dump *d, const sl_object *object) {
    uint32_t count;
    named *names = sorted_properties(d, object->cls, &count);
    if (!names) return false;
    bool ok = put_members(d, object, names, count);
    sl_delete(d->realm->alloc, names);
    return ok;
}

static bool put_node(dump *d, const sl_node *node) {
    switch (node->kind) {
    case SL_NODE_VALUE:
        if (node->value.type == SL_TYPE_LINK) return put_link(d, &node->value);
        sl_text_value(&node->value, d->out);
        return true;
    case SL_NODE_LIST:
        return put_list(d, node->list);
    case SL_NODE_SET:
        return put_set(d, node->list);
    case SL_NODE_DICT:
        return put_dict(d, node->dict);
    default:
        sl_buf_text(d->out, "{\"object\":");
        if (!put_values(d, node->object)) return false;
        sl_buf_byte(d->out, '}');
        return true;
    }
}

static bool put_object(dump *d, const sl_object *object, const named *names, uint32_t count) {
    sl_buf_text(d->out, "{\"object\":");
    sl_text_key(&object->key, d->out);
    sl_buf_text(d->out, ",\"values\":");
    if (!put_members(d, object, names, count)) return false;
    sl_buf_byte(d->out, '}');
    return true;
}

bool sl_realm_state_object(sl_realm *realm, const sl_object *object, sl_buf *out, sl_status *st) {
    dump d = {realm, out, st};
    uint32_t count;
    named *names = sorted_properties(&d, object->cls, &count);
    if (!names) return false;
    bool ok = put_object(&d, object, names, count);
    sl_delete(realm->alloc, names);
    return ok && (!out->failed || sl_fail_memory(st));
}

static void put_bool(sl_buf *out, bool value) {
    sl_buf_text(out, value ? "true" : "false");
}

static void put_property(sl_buf *out, const sl_property *property) {
    sl_buf_text(out, "{\"field\":");
    sl_text_str(property->name, out);
    sl_buf_printf(out, ",\"type\":\"%s\",\"collection\":\"%s\",\"nullable\":",
                  property->type == SL_TYPE_MIXED ? "mixed" : sl_type_name(property->type),
                  sl_collection_name((sl_collection)property->collection));
    put_bool(out, property->nullable);
    if (property->type == SL_TYPE_LINK) {
        sl_buf_text(out, ",\"target\":");
        sl_text_str(property->target, out);
    }
    sl_buf_byte(out, '}');
}

static void put_class_head(sl_buf *out, const sl_class *cls, const named *names, uint32_t count) {
    static const char *const kinds[] = {"toplevel", "embedded", "asymmetric"};
    sl_buf_text(out, "{\"name\":");
    sl_text_str(cls->name, out);
    sl_buf_printf(out, ",\"kind\":\"%s\",\"pk\":", kinds[cls->kind < 3 ? cls->kind : 0]);
    if (cls->has_key) {
        sl_buf_text(out, "{\"field\":");
        sl_text_str(cls->key_name, out);
        sl_buf_printf(out, ",\"type\":\"%s\",\"nullable\":", sl_type_name(cls->key_type));
        put_bool(out, cls->key_nullable);
        sl_buf_byte(out, '}');
    } else {
        sl_buf_text(out, "null");
    }
    sl_buf_text(out, ",\"properties\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i) sl_buf_byte(out, ',');
        put_property(out, &cls->properties[names[i].index]);
    }
    sl_buf_byte(out, ']');
}

typedef struct stream {
    dump d;
    sl_text_sink sink;
    void *ctx;
    bool stopped;
} stream;

static bool send(stream *s) {
    sl_buf *out = s->d.out;
    if (out->failed) return sl_fail_memory(s->d.st);
    s->stopped = !s->sink(s->ctx, out->data, out->size);
    sl_buf_clear(out);
    return !s->stopped;
}

static bool send_objects(stream *s, const sl_class *cls, const named *names, uint32_t count,
                         const sl_key *keys, size_t key_count) {
    sl_realm *realm = s->d.realm;
    for (size_t i = 0; i < key_count; i++) {
        const sl_object *object;
        if (!sl_realm_object(realm, cls->name, &keys[i], &object, s->d.st)) return false;
        if (!object)
            return sl_fail(s->d.st, SL_ERR_STORAGE, "",
                           "an object of class \"%.*s\" is listed "
                           "but cannot be loaded",
                           (int)cls->name.size, cls->name.data);
        if (i) sl_buf_byte(s->d.out, ',');
        if (!put_object(&s->d, object, names, count)) return false;
        /* Objects are handed on one by one; a long dump need not keep what it has loaded. */
        enum { TRIM_EVERY = 4096 };
        if (i % TRIM_EVERY == TRIM_EVERY - 1) sl_realm_trim(realm, realm->cache_objects);
        if (!send(s)) return false;
    }
    return true;
}

static bool send_class(stream *s, const sl_class *cls) {
    sl_realm *realm = s->d.realm;
    uint32_t count;
    named *names = sorted_properties(&s->d, cls, &count);
    if (!names) return false;
    put_class_head(s->d.out, cls, names, count);
    bool ok = true;
    if (cls->kind != SL_TABLE_EMBEDDED) {
        sl_arena arena;
        sl_arena_init(&arena, realm->alloc);
        sl_key *keys = NULL;
        size_t key_count = 0;
        sl_buf_text(s->d.out, ",\"objects\":[");
        ok = sl_realm_sorted_keys(realm, cls->name, &arena, &keys, &key_count, s->d.st) &&
             send_objects(s, cls, names, count, keys, key_count);
        sl_buf_byte(s->d.out, ']');
        sl_delete(realm->alloc, keys);
        sl_arena_free(&arena);
    }
    sl_delete(realm->alloc, names);
    sl_buf_byte(s->d.out, '}');
    return ok && send(s);
}

static bool send_all(stream *s, const named *names) {
    const sl_schema *schema = &s->d.realm->schema;
    sl_buf_text(s->d.out, "{\"classes\":[");
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i) sl_buf_byte(s->d.out, ',');
        if (!send_class(s, schema->classes[names[i].index])) return false;
    }
    sl_buf_text(s->d.out, "]}");
    return send(s);
}

bool sl_realm_state(sl_realm *realm, sl_text_sink sink, void *ctx, sl_status *st) {
    const sl_schema *schema = &realm->schema;
    named *names = sl_new_zero(realm->alloc, schema->count + 1, sizeof *names);
    if (!names) return sl_fail_memory(st);
    for (uint32_t i = 0; i < schema->count; i++)
        names[i] = (named){schema->classes[i]->name, i};
    qsort(names, schema->count, sizeof *names, by_name);
    sl_buf buf;
    sl_buf_init(&buf, realm->alloc);
    stream s = {{realm, &buf, st}, sink, ctx, false};
    bool ok = send_all(&s, names) || s.stopped;
    sl_buf_free(&buf);
    sl_delete(realm->alloc, names);
    return ok;
}

static bool append(void *ctx, const char *text, size_t size) {
    sl_buf_add(ctx, text, size);
    return true;
}

bool sl_realm_state_text(sl_realm *realm, sl_buf *out, sl_status *st) {
    return sl_realm_state(realm, append, out, st) && (!out->failed || sl_fail_memory(st));
}
