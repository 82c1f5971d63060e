#include "store/sqlite_links.h"

#include "store/key_code.h"
#include "store/node_links.h"
#include "store/sqlite_cell.h"

/* One distinct link of the object being saved, or of its rows. */
typedef struct link_note {
    sl_link link;
    bool stored;
    struct link_note *next;
} link_note;

/* `store->links` maps encoded links to their number, the notes hold them; both, and the bytes, live
 * in store->arena until the next object. */
typedef struct link_writer {
    sl_sqlite_store *store;
    const sl_cat_class *cls;
    const sl_object *object;
    sl_status *st;
    link_note **notes;
    uint32_t count, capacity;
    link_note *stale;
} link_writer;

bool sl_sqlite_hides_links(const sl_sqlite_store *store, const sl_property *property) {
    if (property->type == SL_TYPE_MIXED) return true;
    return property->type == SL_TYPE_LINK && !sl_sqlite_has_link_column(store, property);
}

static sl_str encode(sl_sqlite_store *store, const sl_link *link) {
    sl_buf *buf = &store->scratch;
    sl_buf_clear(buf);
    sl_buf_add(buf, &link->class_name.size, sizeof link->class_name.size);
    sl_buf_str(buf, link->class_name);
    sl_key_encode(buf, &link->key);
    return sl_str_of(buf->data, buf->failed ? 0 : buf->size);
}

static bool grow(link_writer *work) {
    if (work->count < work->capacity) return true;
    uint32_t capacity = work->capacity ? work->capacity * 2 : 16;
    link_note **notes = sl_arena_alloc(&work->store->arena, capacity * sizeof *notes);
    if (!notes) return false;
    if (work->count) memcpy(notes, work->notes, work->count * sizeof *notes);
    work->notes = notes;
    work->capacity = capacity;
    return true;
}

static bool collect(void *ctx, const sl_link *link) {
    link_writer *work = ctx;
    sl_sqlite_store *store = work->store;
    uint32_t number = work->count;
    sl_str code = encode(store, link);
    if (code.size == 0) return sl_fail_memory(work->st);
    if (sl_strmap_get(&store->links, code, &number)) return true;
    code = sl_arena_str(&store->arena, code);
    link_note *note = sl_arena_alloc(&store->arena, sizeof *note);
    bool added;
    if (!code.data || !note || !grow(work) ||
        !sl_strmap_put(&store->links, code, &number, &added)) {
        return sl_fail_memory(work->st);
    }
    *note = (link_note){*link, false, NULL};
    work->notes[work->count++] = note;
    return true;
}

/* Remembers a row that has no link in the object any more; the bytes of the statement go away. */
static bool note_stale(link_writer *work, sl_link link) {
    sl_arena *arena = &work->store->arena;
    link_note *note = sl_arena_alloc(arena, sizeof *note);
    link.class_name = sl_arena_str(arena, link.class_name);
    if (link.key.type == SL_TYPE_STRING) link.key.string = sl_arena_str(arena, link.key.string);
    bool lost = !note || (link.class_name.size && !link.class_name.data) ||
                (link.key.type == SL_TYPE_STRING && link.key.string.size && !link.key.string.data);
    if (lost) return sl_fail_memory(work->st);
    *note = (link_note){link, true, work->stale};
    work->stale = note;
    return true;
}

static bool compare_row(link_writer *work, sqlite3_stmt *stmt) {
    sl_sqlite_store *store = work->store;
    sl_link link = {.class_name = sl_sqlite_column_str(stmt, 0)};
    uint32_t number;
    if (!sl_sqlite_column_any_key(store, stmt, 1, &link.key, work->st)) return false;
    sl_str code = encode(store, &link);
    if (code.size == 0) return sl_fail_memory(work->st);
    if (!sl_strmap_get(&store->links, code, &number)) return note_stale(work, link);
    work->notes[number]->stored = true;
    return true;
}

static bool compare_rows(link_writer *work) {
    sl_sqlite_store *store = work->store;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_LINK_LIST, work->st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, work->cls->id);
    bool ok = sl_sqlite_bind_any_key(store, stmt, 2, &work->object->key, work->st);
    int rc = SQLITE_DONE;
    while (ok && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        ok = compare_row(work, stmt);
    if (ok && rc != SQLITE_DONE) ok = sl_sqlite_fail(store, rc, "indexing links", work->st);
    sl_sqlite_query_release(store, SL_Q_LINK_LIST, stmt);
    return ok;
}

static bool change_row(link_writer *work, sl_sqlite_query query, const sl_link *link) {
    sl_sqlite_store *store = work->store;
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, query, work->st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, work->cls->id);
    sl_sqlite_bind_str(stmt, 3, link->class_name);
    return sl_sqlite_bind_any_key(store, stmt, 2, &work->object->key, work->st) &&
           sl_sqlite_bind_any_key(store, stmt, 4, &link->key, work->st) &&
           sl_sqlite_query_run(store, query, stmt, "indexing a link", work->st);
}

bool sl_sqlite_links_save(sl_sqlite_store *store, const sl_cat_class *cls, const sl_object *object,
                          bool added, sl_status *st) {
    link_writer work = {.store = store, .cls = cls, .object = object, .st = st};
    sl_arena_reset(&store->arena);
    /* A map that a huge list made large would cost more to clear than to make anew. */
    if (store->links.capacity > 1024) sl_strmap_free(&store->links);
    sl_strmap_clear(&store->links);
    for (uint32_t i = 0; i < object->cls->property_count; i++) {
        const sl_property *property = &object->cls->properties[i];
        if (property->erased || !sl_sqlite_hides_links(store, property)) continue;
        if (!sl_store_node_links(sl_object_at(object, i), collect, &work)) return false;
    }
    if (!added && !compare_rows(&work)) return false;
    for (const link_note *note = work.stale; note; note = note->next) {
        if (!change_row(&work, SL_Q_LINK_DROP, &note->link)) return false;
    }
    for (uint32_t i = 0; i < work.count; i++) {
        if (work.notes[i]->stored) continue;
        if (!change_row(&work, SL_Q_LINK_PUT, &work.notes[i]->link)) return false;
    }
    return true;
}

bool sl_sqlite_links_clear(sl_sqlite_store *store, const sl_cat_class *cls, const sl_key *key,
                           sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_query_take(store, SL_Q_LINK_CLEAR, st);
    if (!stmt) return false;
    sqlite3_bind_int64(stmt, 1, cls->id);
    return sl_sqlite_bind_any_key(store, stmt, 2, key, st) &&
           sl_sqlite_query_run(store, SL_Q_LINK_CLEAR, stmt, "indexing links", st);
}
