#include "store/key_code.h"
#include "store/memory_blob.h"
#include "store/memory_internal.h"
#include "store/node_links.h"

/* Tables: CLASS id -> definition; PROPERTY id, number -> definition; OBJECT id, key -> its links,
 * then its content; LINK target class, target key, id, key -> nothing; SEQUENCE id -> count;
 * NEXT_ID -> the next class number. Definitions are native structs followed by their strings. */

static void start_key(sl_buf *out, char table, uint32_t id) {
    sl_memory_key key = sl_memory_key_1(table, id);
    sl_buf_clear(out);
    sl_buf_str(out, sl_memory_key_str(&key));
}

static sl_str str_of(const sl_buf *buf) {
    return sl_str_of(buf->data, buf->size);
}

static void add_sized(sl_buf *out, sl_str s) {
    sl_buf_add(out, &s.size, sizeof s.size);
    sl_buf_str(out, s);
}

/* --- definitions --- */

typedef struct class_record {
    sl_class def;
    uint32_t name_size, key_name_size;
} class_record;

typedef struct property_record {
    sl_property def;
    uint32_t number, name_size, target_size;
    bool retired;
} property_record;

static bool put_buffers(sl_memory_store *store, sl_status *st) {
    if (store->key.failed || store->value.failed) return sl_fail_memory(st);
    return sl_memory_put(store, str_of(&store->key), str_of(&store->value), st);
}

static bool save_class(sl_memory_store *store, const sl_class *cls, sl_status *st) {
    class_record record;
    memset(&record, 0, sizeof record);
    record.def = *cls;
    record.name_size = cls->name.size;
    record.key_name_size = cls->key_name.size;
    start_key(&store->key, SL_MEMORY_CLASS, cls->id);
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &record, sizeof record);
    sl_buf_str(&store->value, cls->name);
    sl_buf_str(&store->value, cls->key_name);
    return put_buffers(store, st);
}

static bool save_property(sl_memory_store *store, uint32_t id, const sl_cat_property *property,
                          sl_status *st) {
    property_record record;
    memset(&record, 0, sizeof record);
    record.def = property->def;
    record.number = property->number;
    record.name_size = property->def.name.size;
    record.target_size = property->def.target.size;
    record.retired = property->retired;
    sl_memory_key key = sl_memory_key_2(SL_MEMORY_PROPERTY, id, property->number);
    sl_buf_clear(&store->key);
    sl_buf_str(&store->key, sl_memory_key_str(&key));
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &record, sizeof record);
    sl_buf_str(&store->value, property->def.name);
    sl_buf_str(&store->value, property->def.target);
    return put_buffers(store, st);
}

static bool save_next_id(sl_memory_store *store, sl_status *st) {
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &store->catalogue.next_id, sizeof store->catalogue.next_id);
    start_key(&store->key, SL_MEMORY_NEXT_ID, 0);
    return put_buffers(store, st);
}

static bool load_properties(sl_memory_store *store, sl_cat_class *cls) {
    sl_memory_key key = sl_memory_key_2(SL_MEMORY_PROPERTY, cls->id, 0);
    const sl_memory_item *item = sl_memory_tree_seek(&store->work, sl_memory_key_str(&key), false);
    for (; sl_memory_item_has_prefix(item, sl_str_of(key.bytes, 9));
         item = sl_memory_tree_seek(&store->work, sl_memory_item_key(item), true)) {
        const char *value = sl_memory_item_value(item).data;
        property_record record;
        memcpy(&record, value, sizeof record);
        record.def.name = sl_str_of(value + sizeof record, record.name_size);
        record.def.target = sl_str_of(record.def.name.data + record.name_size, record.target_size);
        sl_cat_property *property = sl_cat_class_add(&store->catalogue, cls, &record.def,
                                                     sl_str_of(NULL, 0), record.number);
        if (!property) return false;
        property->retired = record.retired;
    }
    return true;
}

static bool load_classes(sl_memory_store *store) {
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_CLASS, 0);
    const sl_memory_item *item = sl_memory_tree_seek(&store->work, sl_memory_key_str(&key), false);
    for (; sl_memory_item_has_prefix(item, sl_str_of(key.bytes, 1));
         item = sl_memory_tree_seek(&store->work, sl_memory_item_key(item), true)) {
        const char *value = sl_memory_item_value(item).data;
        class_record record;
        memcpy(&record, value, sizeof record);
        record.def.name = sl_str_of(value + sizeof record, record.name_size);
        record.def.key_name =
            sl_str_of(record.def.name.data + record.name_size, record.key_name_size);
        sl_cat_class *cls = sl_catalogue_add(&store->catalogue, &record.def, sl_str_of(NULL, 0),
                                             sl_str_of(NULL, 0));
        if (!cls || !load_properties(store, cls)) return false;
    }
    return true;
}

/* The catalogue follows the tables: it is read again after a rollback took a schema change back. */
bool sl_memory_catalogue_need(sl_memory_store *store, sl_status *st) {
    if (!store->catalogue_stale) return true;
    sl_catalogue_clear(&store->catalogue);
    if (!load_classes(store)) return sl_fail_memory(st);
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_NEXT_ID, 0);
    const sl_memory_item *item = sl_memory_tree_get(&store->work, sl_memory_key_str(&key));
    if (item) {
        memcpy(&store->catalogue.next_id, sl_memory_item_value(item).data,
               sizeof store->catalogue.next_id);
    }
    store->catalogue_stale = false;
    return true;
}

static bool read_step(sl_memory_store *store, sl_status *st) {
    return sl_memory_step(store, st) && sl_memory_catalogue_need(store, st);
}

static bool change_step(sl_memory_store *store, sl_status *st) {
    return sl_memory_change(store, st) && sl_memory_catalogue_need(store, st);
}

/* First line of a schema change: a failure later in it leaves catalogue and tables apart. */
static bool schema_step(sl_memory_store *store, sl_status *st) {
    if (!change_step(store, st)) return false;
    store->schema_changed = true;
    return true;
}

static sl_cat_class *known(sl_memory_store *store, const sl_class *cls, sl_status *st) {
    sl_cat_class *cat = sl_catalogue_find(&store->catalogue, cls->id);
    if (!cat) {
        sl_fail(st, SL_ERR_INTERNAL, "", "the store does not know class %.*s", (int)cls->name.size,
                cls->name.data);
    }
    return cat;
}

static bool schema_load(void *ctx, sl_schema *schema, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    store->schema = schema;
    sl_catalogue_forget_slots(&store->catalogue);
    return sl_catalogue_publish(&store->catalogue, schema) || sl_fail_memory(st);
}

static bool class_added(void *ctx, const sl_class *cls, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!schema_step(store, st)) return false;
    if (!sl_catalogue_add(&store->catalogue, cls, sl_str_of(NULL, 0), sl_str_of(NULL, 0))) {
        return sl_fail_memory(st);
    }
    return save_class(store, cls, st) && save_next_id(store, st);
}

static bool property_added(void *ctx, const sl_class *cls, const sl_property *prop, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = known(store, cls, st);
    if (!cat) return false;
    sl_cat_property *property = sl_cat_class_add(&store->catalogue, cat, prop, sl_str_of(NULL, 0),
                                                 sl_cat_class_next_number(cat));
    if (!property) return sl_fail_memory(st);
    return save_property(store, cat->id, property, st);
}

/* Erased properties stay known as retired, so that their numbers are never given to another one
 * while objects still carry them. */
static bool property_erased(void *ctx, const sl_class *cls, const sl_property *prop,
                            sl_status *st) {
    sl_memory_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = known(store, cls, st);
    sl_cat_property *property = cat ? sl_cat_class_find(cat, prop->name) : NULL;
    if (!property) return cat ? sl_fail(st, SL_ERR_INTERNAL, "", "no such property") : false;
    sl_cat_class_drop(cat, property, true);
    return save_property(store, cat->id, property, st);
}

static bool property_indexed(void *ctx, const sl_class *cls, const sl_property *prop, bool indexed,
                             sl_status *st) {
    sl_memory_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_cat_class *cat = known(store, cls, st);
    sl_cat_property *property = cat ? sl_cat_class_find(cat, prop->name) : NULL;
    if (!property) return cat ? sl_fail(st, SL_ERR_INTERNAL, "", "no such property") : false;
    property->def.indexed = indexed;
    return save_property(store, cat->id, property, st);
}

/* --- objects --- */

/* The links in front of an object's content: count, then each entry of the link table. */
static bool erase_links(sl_memory_store *store, const sl_memory_item *item, sl_str *content,
                        bool erase, sl_status *st) {
    const char *at = sl_memory_item_value(item).data;
    const char *end = at + item->value_size;
    uint32_t count;
    memcpy(&count, at, sizeof count);
    at += sizeof count;
    while (count-- > 0) {
        uint32_t size;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if (erase && !sl_memory_erase(store, sl_str_of(at, size), st)) return false;
        at += size;
    }
    if (content) *content = sl_str_of(at, (size_t)(end - at));
    return true;
}

static bool erase_item(sl_memory_store *store, const sl_memory_item *item, sl_status *st) {
    return erase_links(store, item, NULL, true, st) &&
           sl_memory_erase(store, sl_memory_item_key(item), st);
}

bool sl_memory_object_erase(const sl_alloc *alloc, sl_memory_tree *tree,
                            const sl_memory_item *item) {
    const char *at = sl_memory_item_value(item).data;
    uint32_t count, size;
    memcpy(&count, at, sizeof count);
    at += sizeof count;
    for (; count > 0; count--, at += size) {
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if (!sl_memory_tree_erase(alloc, tree, sl_str_of(at, size))) return false;
    }
    return sl_memory_tree_erase(alloc, tree, sl_memory_item_key(item));
}

static const sl_memory_item *find_object(sl_memory_store *store, const sl_class *cls,
                                         const sl_key *key) {
    start_key(&store->key, SL_MEMORY_OBJECT, cls->id);
    sl_key_encode(&store->key, key);
    return store->key.failed ? NULL : sl_memory_tree_get(&store->work, str_of(&store->key));
}

static bool class_erased(void *ctx, const sl_class *cls, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!schema_step(store, st)) return false;
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_OBJECT, cls->id);
    const sl_memory_item *item;
    while (sl_memory_item_has_prefix(
        item = sl_memory_tree_seek(&store->work, sl_memory_key_str(&key), false),
        sl_memory_key_str(&key))) {
        if (!erase_item(store, item, st)) return false;
    }
    static const char tables[] = {SL_MEMORY_CLASS, SL_MEMORY_PROPERTY, SL_MEMORY_SEQUENCE};
    for (size_t i = 0; i < sizeof tables; i++) {
        key = sl_memory_key_1(tables[i], cls->id);
        if (!sl_memory_erase_prefix(store, sl_memory_key_str(&key), st)) return false;
    }
    sl_catalogue_remove(&store->catalogue, cls->id);
    return true;
}

static bool object_load(void *ctx, const sl_class *cls, const sl_key *key, sl_object *object,
                        bool *found, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    const sl_memory_item *item = find_object(store, cls, key);
    if (store->key.failed) return sl_fail_memory(st);
    *found = item != NULL;
    if (!item) return true;
    sl_str content;
    erase_links(store, item, &content, false, st);
    return sl_memory_blob_read(store, content, object, st);
}

/* Starts an entry of the link table: everything up to the referrer. */
static void start_link(sl_buf *out, sl_str class_name, const sl_key *key, sl_buf *scratch) {
    sl_buf_clear(scratch);
    sl_key_encode(scratch, key);
    sl_buf_byte(out, SL_MEMORY_LINK);
    add_sized(out, class_name);
    add_sized(out, str_of(scratch));
}

typedef struct link_collector {
    sl_memory_store *store;
    const sl_object *object;
    uint32_t count;
    sl_status *st;
} link_collector;

static bool collect_link(void *ctx, const sl_link *link) {
    link_collector *work = ctx;
    sl_memory_store *store = work->store;
    sl_buf *entry = &store->key;
    sl_buf_clear(entry);
    start_link(entry, link->class_name, &link->key, &store->scratch);
    sl_buf_add(entry, &work->object->cls->id, sizeof work->object->cls->id);
    sl_key_encode(entry, &work->object->key);
    if (entry->failed || store->scratch.failed) return sl_fail_memory(work->st);
    add_sized(&store->value, str_of(entry));
    work->count++;
    return sl_memory_put(store, str_of(entry), sl_str_of(NULL, 0), work->st);
}

static bool object_save(void *ctx, const sl_class *cls, const sl_object *object, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!change_step(store, st)) return false;
    const sl_memory_item *old = find_object(store, cls, &object->key);
    if (store->key.failed) return sl_fail_memory(st);
    if (old && !erase_links(store, old, NULL, true, st)) return false;
    link_collector work = {store, object, 0, st};
    sl_buf_clear(&store->value);
    sl_buf_add(&store->value, &work.count, sizeof work.count);
    if (!sl_store_object_links(object, collect_link, &work)) return false;
    if (store->value.failed) return sl_fail_memory(st);
    memcpy(store->value.data, &work.count, sizeof work.count);
    if (!sl_memory_blob_write(store, object, &store->value, st)) return false;
    start_key(&store->key, SL_MEMORY_OBJECT, cls->id);
    sl_key_encode(&store->key, &object->key);
    return put_buffers(store, st);
}

static bool object_erase(void *ctx, const sl_class *cls, const sl_key *key, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!change_step(store, st)) return false;
    const sl_memory_item *item = find_object(store, cls, key);
    if (store->key.failed) return sl_fail_memory(st);
    return !item || erase_item(store, item, st);
}

static bool object_scan(void *ctx, const sl_class *cls, sl_key_visitor visit, void *visit_ctx,
                        sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    sl_memory_tree tree = sl_memory_tree_share(&store->work);
    sl_memory_key prefix = sl_memory_key_1(SL_MEMORY_OBJECT, cls->id);
    const sl_memory_item *item = sl_memory_tree_seek(&tree, sl_memory_key_str(&prefix), false);
    while (sl_memory_item_has_prefix(item, sl_memory_key_str(&prefix))) {
        sl_key key;
        sl_key_decode(sl_str_of(item->bytes + prefix.size, item->key_size - prefix.size), &key);
        if (!visit(visit_ctx, &key)) break;
        item = sl_memory_tree_seek(&tree, sl_memory_item_key(item), true);
    }
    sl_memory_tree_release(&store->disk->alloc, &tree);
    return true;
}

static bool select_item(sl_memory_store *store, const sl_class *cls, const sl_memory_item *item,
                        const sl_key *key, const sl_selection *selection, const sl_node **nodes,
                        sl_object **made, sl_status *st) {
    const sl_alloc *alloc = &store->disk->alloc;
    sl_str content;
    erase_links(store, item, &content, false, st);
    *made = sl_object_new_borrowed(alloc, cls, key);
    if (!*made) return sl_fail_memory(st);
    if (!sl_memory_blob_read(store, content, *made, st)) return false;
    for (uint32_t i = 0; i < selection->slot_count; i++)
        nodes[i] = sl_object_at(*made, selection->slots[i]);
    return true;
}

/* Reads every object: there is no index here, and the bounds are only a help. */
static bool object_select(void *ctx, const sl_class *cls, const sl_selection *selection,
                          sl_row_visitor visit, void *visit_ctx, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    const sl_alloc *alloc = &store->disk->alloc;
    const sl_node **nodes = sl_new(alloc, (selection->slot_count + (size_t)1) * sizeof *nodes);
    if (!nodes) return sl_fail_memory(st);
    sl_memory_tree tree = sl_memory_tree_share(&store->work);
    sl_memory_key prefix = sl_memory_key_1(SL_MEMORY_OBJECT, cls->id);
    const sl_memory_item *item = sl_memory_tree_seek(&tree, sl_memory_key_str(&prefix), false);
    bool ok = true, more = true;
    while (ok && more && sl_memory_item_has_prefix(item, sl_memory_key_str(&prefix))) {
        sl_key key;
        sl_object *object;
        sl_key_decode(sl_str_of(item->bytes + prefix.size, item->key_size - prefix.size), &key);
        ok = select_item(store, cls, item, &key, selection, nodes, &object, st);
        more = ok && visit(visit_ctx, &key, nodes);
        sl_object_free(alloc, object);
        item = sl_memory_tree_seek(&tree, sl_memory_item_key(item), true);
    }
    sl_memory_tree_release(alloc, &tree);
    sl_delete(alloc, nodes);
    return ok;
}

static bool count_key(void *ctx, const sl_key *key) {
    (void)key;
    ++*(uint64_t *)ctx;
    return true;
}

static bool object_count(void *ctx, const sl_class *cls, uint64_t *count, sl_status *st) {
    *count = 0;
    return object_scan(ctx, cls, count_key, count, st);
}

static bool visit_referrers(sl_memory_store *store, sl_memory_tree *tree, sl_str prefix,
                            sl_referrer_visitor visit, void *ctx) {
    const sl_memory_item *item = sl_memory_tree_seek(tree, prefix, false);
    for (; sl_memory_item_has_prefix(item, prefix);
         item = sl_memory_tree_seek(tree, sl_memory_item_key(item), true)) {
        const char *at = item->bytes + prefix.size;
        uint32_t id;
        memcpy(&id, at, sizeof id);
        at += sizeof id;
        sl_key key;
        sl_key_decode(sl_str_of(at, (size_t)(item->bytes + item->key_size - at)), &key);
        const sl_cat_class *cat = sl_catalogue_find(&store->catalogue, id);
        if (cat && !visit(ctx, cat->def.name, &key)) return false;
    }
    return true;
}

static bool referrers(void *ctx, sl_str class_name, const sl_key *key, sl_referrer_visitor visit,
                      void *visit_ctx, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    /* Buffers of its own: the visitor may call the store. */
    sl_buf prefix, scratch;
    sl_buf_init(&prefix, &store->disk->alloc);
    sl_buf_init(&scratch, &store->disk->alloc);
    start_link(&prefix, class_name, key, &scratch);
    bool ok = !prefix.failed && !scratch.failed;
    if (ok) {
        sl_memory_tree tree = sl_memory_tree_share(&store->work);
        visit_referrers(store, &tree, str_of(&prefix), visit, visit_ctx);
        sl_memory_tree_release(&store->disk->alloc, &tree);
    }
    sl_buf_free(&prefix);
    sl_buf_free(&scratch);
    return ok || sl_fail_memory(st);
}

static bool sequence_get(void *ctx, const sl_class *cls, uint64_t *next, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!read_step(store, st)) return false;
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_SEQUENCE, cls->id);
    const sl_memory_item *item = sl_memory_tree_get(&store->work, sl_memory_key_str(&key));
    *next = 0;
    if (item) memcpy(next, sl_memory_item_value(item).data, sizeof *next);
    return true;
}

static bool sequence_put(void *ctx, const sl_class *cls, uint64_t next, sl_status *st) {
    sl_memory_store *store = ctx;
    if (!change_step(store, st)) return false;
    sl_memory_key key = sl_memory_key_1(SL_MEMORY_SEQUENCE, cls->id);
    return sl_memory_put(store, sl_memory_key_str(&key),
                         sl_str_of((const char *)&next, sizeof next), st);
}

void sl_memory_source_init(sl_memory_store *store) {
    sl_catalogue_init(&store->catalogue, &store->disk->alloc);
    store->catalogue_stale = true;
    store->source = (sl_realm_source){
        .schema_load = schema_load,
        .class_added = class_added,
        .class_erased = class_erased,
        .property_added = property_added,
        .property_erased = property_erased,
        .property_indexed = property_indexed,
        .object_load = object_load,
        .object_save = object_save,
        .object_erase = object_erase,
        .object_scan = object_scan,
        .object_select = object_select,
        .object_count = object_count,
        .referrers = referrers,
        .sequence_get = sequence_get,
        .sequence_put = sequence_put,
        .ctx = store,
        .alloc = store->disk->given,
    };
}
