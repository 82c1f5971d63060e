/* Making a state: the content at one moment is copied into a small file row by row, then the file
 * is packed segment by segment. A second connection with an open read transaction sees that one
 * moment however long it takes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "store/sqlite_class.h"
#include "store/sqlite_disk.h"
#include "store/sqlite_names.h"
#include "store/sqlite_state.h"

/* One step: rows of so many bytes, or one segment. */
enum { STEP_BYTES = 64 * 1024 };

/* Invariants: `to` is open while rows are copied, `in` and `out` afterwards. */
struct sl_sqlite_maker {
    sqlite3 *from;
    sl_sqlite_store *to;
    sl_sqlite_copy copy;
    uint32_t next_class;
    bool links_copied;
    char *db_path, *new_path;
    int in, out;
    uint64_t read, total; /* octets of the small file */
    sl_state_facts facts;
    char *blocks; /* SL_STATE_SEGMENT_BYTES */
    sl_buf packed;
};

static bool read_facts(sl_sqlite_store *store, sl_sqlite_maker *m, sl_status *st) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(m->from,
                                "SELECT version, salt, cumulative_size FROM _sl_history"
                                " ORDER BY version DESC LIMIT 1",
                                -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        m->facts.version = (uint64_t)sqlite3_column_int64(stmt, 0);
        m->facts.salt = sqlite3_column_int64(stmt, 1);
        m->facts.history = (uint64_t)sqlite3_column_int64(stmt, 2);
    }
    sqlite3_finalize(stmt);
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE)
        return sl_sqlite_fail_db(m->from, store->path, rc, "reading for a state", st);
    return sl_fail(st, SL_ERR_USAGE, "", "%s: an empty history has no state", store->path);
}

static bool open_source(sl_sqlite_store *store, sl_sqlite_maker *m, sl_status *st) {
    int rc =
        sqlite3_open_v2(store->path, &m->from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(m->from, "PRAGMA trusted_schema = OFF; BEGIN", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return sl_sqlite_fail_db(m->from, store->path, rc, "reading for a state", st);
    return read_facts(store, m, st);
}

static bool open_target(sl_sqlite_store *store, sl_sqlite_maker *m, sl_status *st) {
    sl_store *to = NULL;
    /* With a small cache the pages go out bit by bit, and not all at the end. */
    sl_sqlite_options options = {.alloc = &store->alloc, .scratch = true, .cache_kib = 2048};
    if (!sl_sqlite_open(m->db_path, &options, &to, st)) return false;
    m->to = sl_sqlite_self(to);
    return sl_sqlite_exec(m->to, "BEGIN", "beginning a state", st) &&
           sl_sqlite_copy_catalogue(m->from, m->to, st);
}

bool sl_sqlite_make_begin(void *ctx, sl_status *st) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_make_stop(store);
    if (!sl_sqlite_reading(store, st)) return false;
    sl_sqlite_maker *m = sl_new_zero(&store->alloc, 1, sizeof *m);
    if (!m) return sl_fail_memory(st);
    store->states.maker = m;
    m->in = m->out = -1;
    sl_buf_init(&m->packed, &store->alloc);
    m->blocks = sl_new(&store->alloc, SL_STATE_SEGMENT_BYTES);
    m->db_path = sl_sqlite_beside(&store->alloc, store->path, SL_SQLITE_STATE_DB);
    m->new_path = sl_sqlite_beside(&store->alloc, store->path, SL_SQLITE_STATE_NEW);
    bool ok = (m->blocks && m->db_path && m->new_path) || sl_fail_memory(st);
    if (ok) unlink(m->db_path);
    ok = ok && open_source(store, m, st) && open_target(store, m, st);
    if (!ok) sl_sqlite_make_stop(store);
    return ok;
}

void sl_sqlite_make_stop(void *ctx) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_maker *m = store->states.maker;
    if (!m) return;
    sl_sqlite_copy_end(&m->copy);
    if (m->to) sl_sqlite_close(&m->to->base);
    sqlite3_close_v2(m->from);
    if (m->in >= 0) close(m->in);
    if (m->out >= 0) close(m->out);
    if (m->db_path) unlink(m->db_path);
    if (m->new_path) unlink(m->new_path);
    sl_delete(&store->alloc, m->db_path);
    sl_delete(&store->alloc, m->new_path);
    sl_delete(&store->alloc, m->blocks);
    sl_buf_free(&m->packed);
    sl_delete(&store->alloc, m);
    store->states.maker = NULL;
}

/* --- rows --- */

static bool begin_class(sl_sqlite_maker *m, const sl_cat_class *cls, sl_status *st) {
    sl_buf select, table;
    sl_buf_init(&select, &m->to->alloc);
    sl_buf_init(&table, &m->to->alloc);
    sl_buf_text(&select, "SELECT t.");
    sl_sqlite_quote(&select, cls->key_column);
    for (uint32_t i = 0; i < cls->count; i++) {
        sl_buf_text(&select, ", t.");
        sl_sqlite_quote(&select, cls->properties[i].stored);
    }
    sl_buf_text(&select, " FROM ");
    sl_sqlite_quote(&table, cls->table);
    sl_buf_add(&select, table.data, table.size);
    sl_buf_text(&select, " t");
    sl_buf_byte(&select, 0);
    bool ok = (!select.failed && !table.failed) || sl_fail_memory(st);
    ok = ok && sl_sqlite_copy_begin(&m->copy, m->from, select.data, m->to,
                                    sl_str_of(table.data, table.size), st);
    sl_buf_free(&select);
    sl_buf_free(&table);
    return ok;
}

/* Objects of asymmetric classes are for the server only; nobody downloads them twice. */
static bool begin_next(sl_sqlite_maker *m, sl_status *st) {
    while (m->next_class < m->to->catalogue.capacity) {
        const sl_cat_class *cls = m->to->catalogue.by_id[m->next_class++];
        if (cls && cls->table.size && cls->def.kind != SL_TABLE_ASYMMETRIC)
            return begin_class(m, cls, st);
    }
    if (m->links_copied) return true;
    m->links_copied = true;
    return sl_sqlite_copy_begin(&m->copy, m->from,
                                "SELECT * FROM _sl_links WHERE class NOT IN"
                                " (SELECT id FROM _sl_classes WHERE kind = 'asymmetric')",
                                m->to, SL_STR("_sl_links"), st);
}

static bool open_plain(sl_sqlite_maker *m, sl_status *st) {
    m->in = open(m->db_path, O_RDONLY | O_CLOEXEC);
    if (m->in < 0) return sl_sqlite_fail_errno(m->db_path, errno, st);
    m->out = open(m->new_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (m->out < 0) return sl_sqlite_fail_errno(m->new_path, errno, st);
    off_t size = lseek(m->in, 0, SEEK_END);
    if (size < 0) return sl_sqlite_fail_errno(m->db_path, errno, st);
    m->total = (uint64_t)size;
    return true;
}

static bool end_rows(sl_sqlite_maker *m, sl_status *st) {
    if (!sl_sqlite_exec(m->to, "COMMIT", "completing a state", st)) return false;
    sl_sqlite_close(&m->to->base);
    m->to = NULL;
    sqlite3_close_v2(m->from); /* the moment is no longer needed */
    m->from = NULL;
    return open_plain(m, st);
}

static bool copy_rows(sl_sqlite_maker *m, sl_status *st) {
    bool done = false;
    if (!m->copy.read && !begin_next(m, st)) return false;
    if (!m->copy.read) return end_rows(m, st);
    if (!sl_sqlite_copy_some(&m->copy, m->to, STEP_BYTES, &done, st)) return false;
    if (done) sl_sqlite_copy_end(&m->copy);
    return true;
}

/* --- segments --- */

static bool pack_segment(sl_sqlite_maker *m, sl_status *st) {
    uint64_t left = m->total - m->read;
    size_t size = left < SL_STATE_SEGMENT_BYTES ? (size_t)left : SL_STATE_SEGMENT_BYTES;
    sl_buf_clear(&m->packed);
    if (!sl_sqlite_read_at(m->in, m->db_path, m->blocks, size, m->read, st) ||
        !sl_state_pack(&m->packed, sl_str_of(m->blocks, size), st) ||
        !sl_sqlite_write_at(m->out, m->new_path, m->packed.data, m->packed.size,
                            SL_SQLITE_STATE_HEAD + m->facts.size, st))
        return false;
    m->read += size;
    m->facts.size += m->packed.size;
    return true;
}

static bool publish(sl_sqlite_store *store, sl_sqlite_maker *m, sl_status *st) {
    char head[SL_SQLITE_STATE_HEAD + 1];
    int used = snprintf(head, sizeof head,
                        "syncline state %d version %" PRIu64 " salt %" PRId64 " history %" PRIu64
                        " size %" PRIu64,
                        store->states.vtbl.format, m->facts.version, m->facts.salt,
                        m->facts.history, m->facts.size);
    if (used < 0 || used >= SL_SQLITE_STATE_HEAD)
        return sl_fail(st, SL_ERR_INTERNAL, "", "the head of a state is too long");
    memset(head + used, ' ', (size_t)(SL_SQLITE_STATE_HEAD - used));
    head[SL_SQLITE_STATE_HEAD - 1] = '\n';
    char *kept = sl_sqlite_beside(&store->alloc, store->path, SL_SQLITE_STATE_KEPT);
    bool ok = kept || sl_fail_memory(st);
    ok = ok && sl_sqlite_write_at(m->out, m->new_path, head, SL_SQLITE_STATE_HEAD, 0, st) &&
         sl_sqlite_publish(m->new_path, kept, st);
    sl_delete(&store->alloc, kept);
    return ok;
}

bool sl_sqlite_make_step(void *ctx, bool *done, sl_status *st) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_maker *m = store->states.maker;
    *done = false;
    if (!m) return sl_fail(st, SL_ERR_USAGE, "", "no state is being made");
    bool ok = true;
    if (m->in < 0)
        ok = copy_rows(m, st);
    else if (m->read < m->total)
        ok = pack_segment(m, st);
    else
        ok = *done = publish(store, m, st);
    if (*done) {
        if (store->states.kept_fd >= 0) close(store->states.kept_fd);
        store->states.kept_fd = -1;
        store->states.kept_known = false;
    }
    if (!ok || *done) sl_sqlite_make_stop(store);
    return ok;
}
