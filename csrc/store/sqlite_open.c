#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_disk.h"
#include "store/sqlite_internal.h"

enum { DEFAULT_BUSY_MS = 5000, DEFAULT_CACHE_KIB = 8192, DEFAULT_WAL_PAGES = 4096 };
static const char MARK[] = ".making";

enum { HEADER_SIZE = 100, PAGE_SIZE = 4096 };

static bool is_memory(const char *path) {
    return strcmp(path, ":memory:") == 0;
}

/* --- looking at the file before SQLite does --- */

static uint32_t be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool fail_errno(const char *path, int error, sl_status *st) {
    bool denied = error == EACCES || error == EPERM || error == EROFS;
    return sl_fail(st, SL_ERR_STORAGE, denied ? "READONLY" : "IO", "%s: %s", path, strerror(error));
}

static bool has_log(const char *path, const sl_alloc *alloc) {
    size_t size = strlen(path);
    char *name = sl_new(alloc, size + sizeof "-wal");
    if (!name) return true;
    memcpy(name, path, size);
    memcpy(name + size, "-wal", sizeof "-wal");
    struct stat info;
    bool there = stat(name, &info) == 0 && info.st_size > 0;
    sl_delete(alloc, name);
    return there;
}

/* A file that is shorter than its own header says was cut off; with a log beside it the header may
 * simply be ahead of the file. */
static bool check_length(const char *path, const unsigned char *header, uint64_t size, bool log,
                         sl_status *st) {
    uint32_t page = (uint32_t)header[16] << 8 | header[17];
    if (page == 1) page = 65536;
    bool counted = be32(header + 24) == be32(header + 92);
    uint64_t wanted = (uint64_t)be32(header + 28) * page;
    if (log || !counted || size >= wanted) return true;
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                   "%s is cut off: %llu of %llu bytes; restore a backup, or see doc/store.md", path,
                   (unsigned long long)size, (unsigned long long)wanted);
}

/* A file that is being made has a mark beside it until its tables are on disk. Only then may it be
 * empty: what was cut to nothing is not taken for new. */
static bool check_empty(const char *path, const sl_alloc *alloc, sl_status *st) {
    struct stat info;
    char *mark = sl_sqlite_beside(alloc, path, MARK);
    if (!mark) return sl_fail_memory(st);
    bool making = stat(mark, &info) == 0;
    sl_delete(alloc, mark);
    return making || sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                             "%s is empty, its content is lost; restore a backup, or remove it to "
                             "begin anew",
                             path);
}

static bool check_header(const char *path, int fd, const sl_alloc *alloc, sl_status *st) {
    struct stat info;
    unsigned char header[HEADER_SIZE];
    if (fstat(fd, &info) != 0) return fail_errno(path, errno, st);
    if (S_ISDIR(info.st_mode)) return fail_errno(path, EISDIR, st);
    if (info.st_size == 0) return check_empty(path, alloc, st);
    ssize_t size = pread(fd, header, sizeof header, 0);
    if (size < 0) return fail_errno(path, errno, st);
    if (size < HEADER_SIZE || memcmp(header, "SQLite format 3", 16) != 0) {
        return sl_fail(st, SL_ERR_STORAGE, "FOREIGN",
                       "%s is not a realm file of ours: it is no SQLite database", path);
    }
    return check_length(path, header, (uint64_t)info.st_size, has_log(path, alloc), st);
}

/* Only a file that exists can be foreign or damaged. */
static bool check_file(const char *path, const sl_sqlite_options *options, const sl_alloc *alloc,
                       sl_status *st) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (!options->must_exist && !options->read_only) return true;
        return sl_fail(st, SL_ERR_STORAGE, "MISSING", "there is no file %s", path);
    }
    if (fd < 0) return fail_errno(path, errno, st);
    bool ok = check_header(path, fd, alloc, st);
    close(fd);
    return ok;
}

/* --- making the file --- */

/* For its owner only; SQLite gives its log the same permissions. */
static bool touch(const char *path, sl_status *st) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(path, errno, st);
    close(fd);
    return true;
}

static bool begin_file(sl_sqlite_store *store, sl_status *st) {
    char *mark = sl_sqlite_beside(&store->alloc, store->path, MARK);
    if (!mark) return sl_fail_memory(st);
    bool ok = touch(mark, st) && touch(store->path, st);
    sl_delete(&store->alloc, mark);
    return ok;
}

static bool end_file(sl_sqlite_store *store, sl_status *st) {
    char *mark = sl_sqlite_beside(&store->alloc, store->path, MARK);
    if (!mark) return sl_fail_memory(st);
    bool ok = unlink(mark) == 0 || errno == ENOENT || fail_errno(mark, errno, st);
    sl_delete(&store->alloc, mark);
    return ok;
}

/* --- opening --- */

static bool pragma_int(sl_sqlite_store *store, const char *sql, int64_t *value, sl_status *st) {
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, sl_str_c(sql), st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *value = sqlite3_column_int64(stmt, 0);
    else
        sl_sqlite_fail(store, rc, "reading the header", st);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW;
}

/* *version = that of the tables, 0 for an empty file. */
static bool identify(sl_sqlite_store *store, int *version, sl_status *st) {
    int64_t id = 0, user = 0, tables = 0;
    if (!pragma_int(store, "PRAGMA application_id", &id, st) ||
        !pragma_int(store, "PRAGMA user_version", &user, st) ||
        !pragma_int(store, "SELECT count(*) FROM sqlite_master", &tables, st)) {
        return false;
    }
    *version = (int)user;
    if (id == 0 && user == 0 && tables == 0) return true;
    if (id != SL_SQLITE_APPLICATION_ID || user < 1) {
        return sl_fail(st, SL_ERR_STORAGE, "FOREIGN",
                       "%s is an SQLite database, but not a realm file of ours", store->path);
    }
    if (user <= SL_SQLITE_VERSION) return true;
    return sl_fail(
        st, SL_ERR_STORAGE, "NEWER",
        "%s has tables of version %lld, this library knows up to %d: install a newer one",
        store->path, (long long)user, SL_SQLITE_VERSION);
}

static bool use_log(sl_sqlite_store *store, const sl_sqlite_options *options, sl_status *st) {
    char sql[160];
    sqlite3_stmt *stmt = sl_sqlite_prepare(store, SL_STR("PRAGMA journal_mode = WAL"), st);
    if (!stmt) return false;
    int rc = sqlite3_step(stmt);
    bool on = rc == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    if (!on) {
        if (rc != SQLITE_ROW)
            sl_sqlite_fail(store, rc, "switching to a write-ahead log", st);
        else
            sl_fail(st, SL_ERR_STORAGE, "IO", "%s: no write-ahead log possible", store->path);
    }
    sqlite3_finalize(stmt);
    uint32_t pages = options->wal_pages ? options->wal_pages : DEFAULT_WAL_PAGES;
    /* A log that a large transaction or a slow reader made grow is cut back when it starts over. */
    sqlite3_snprintf(sizeof sql, sql,
                     "PRAGMA wal_autocheckpoint = %u; PRAGMA journal_size_limit = %lld", pages,
                     (long long)pages * PAGE_SIZE * 2);
    return on && sl_sqlite_exec(store, sql, "configuring the write-ahead log", st);
}

static bool configure(sl_sqlite_store *store, const sl_sqlite_options *options, sl_status *st) {
    char sql[300];
    sqlite3_extended_result_codes(store->db, 1);
    if (store->untrusted) sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    store->busy_ms = (int)(options->busy_ms ? options->busy_ms : DEFAULT_BUSY_MS);
    sqlite3_busy_timeout(store->db, store->busy_ms);
    sqlite3_snprintf(sizeof sql, sql,
                     "PRAGMA cache_size = -%u; PRAGMA temp_store = MEMORY;"
                     "PRAGMA synchronous = NORMAL; PRAGMA secure_delete = %s;"
                     "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON",
                     options->cache_kib ? options->cache_kib : (uint32_t)DEFAULT_CACHE_KIB,
                     options->wipe ? "ON" : "FAST");
    return sl_sqlite_exec(store, sql, "opening", st);
}

/* A transaction can be taken back without a log on the disk. */
static bool use_scratch(sl_sqlite_store *store, sl_status *st) {
    return sl_sqlite_exec(store, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF",
                          "configuring", st);
}

static bool prepare_tables(sl_sqlite_store *store, const sl_sqlite_options *options,
                           sl_status *st) {
    int version = 0;
    /* The first read, in identify, fixes what is seen until the store is closed. */
    if (options->snapshot && !sl_sqlite_exec(store, "BEGIN", "opening", st)) return false;
    if (!identify(store, &version, st)) return false;
    if (options->read_only) {
        if (version == SL_SQLITE_VERSION) return true;
        return sl_fail(st, SL_ERR_STORAGE, "READONLY",
                       "%s has to be brought up to date first: open it for writing once",
                       store->path);
    }
    if (sqlite3_db_readonly(store->db, "main")) {
        return sl_fail(st, SL_ERR_STORAGE, "READONLY", "%s cannot be written", store->path);
    }
    bool logged = !store->in_memory && !options->scratch;
    if (options->scratch && !use_scratch(store, st)) return false;
    if (logged && !use_log(store, options, st)) return false;
    if (store->untrusted && version != SL_SQLITE_VERSION)
        return sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                       "%s: the tables that the server sent have version %d, not %d", store->path,
                       version, SL_SQLITE_VERSION);
    if (version == SL_SQLITE_VERSION) return true;
    /* The checkpoint flushes the file itself: SQLite throws the log of an empty file away. */
    return sl_sqlite_migrate(store, version, st) &&
           (!logged ||
            sl_sqlite_exec(store, "PRAGMA wal_checkpoint(TRUNCATE)", "flushing new tables", st));
}

/* "file:..." would be taken for a URI. */
static char *plain_path(const sl_alloc *alloc, const char *path) {
    const char *prefix = strncmp(path, "file:", 5) == 0 ? "./" : "";
    size_t size = strlen(prefix) + strlen(path) + 1;
    char *copy = sl_new(alloc, size);
    if (copy) sqlite3_snprintf((int)size, copy, "%s%s", prefix, path);
    return copy;
}

static bool connect(sl_sqlite_store *store, const sl_sqlite_options *options, sl_status *st) {
    int flags =
        options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int rc = sqlite3_open_v2(store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    return rc == SQLITE_OK || sl_sqlite_fail(store, rc, "opening", st);
}

static bool open_store(sl_sqlite_store *store, const char *path, const sl_sqlite_options *options,
                       sl_status *st) {
    store->path = plain_path(&store->alloc, path);
    if (!store->path) return sl_fail_memory(st);
    if (!store->in_memory) {
        if (!check_file(store->path, options, &store->alloc, st)) return false;
        if (!options->read_only && !options->scratch &&
            !sl_sqlite_lock_take(&store->lock, &store->alloc, store->path, st)) {
            return false;
        }
        if (access(store->path, F_OK) != 0 && !begin_file(store, st)) return false;
    }
    return connect(store, options, st) && configure(store, options, st) &&
           prepare_tables(store, options, st) &&
           (!store->untrusted || sl_sqlite_state_check(store, st)) &&
           sl_sqlite_catalogue_verify(store, st) &&
           (store->in_memory || options->read_only || end_file(store, st));
}

void sl_sqlite_close(sl_store *base) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    sl_sqlite_rollback(base);
    sl_sqlite_states_close(store);
    sl_sqlite_catalogue_drop(store);
    sl_sqlite_finalize_all(store);
    sqlite3_close_v2(store->db);
    sl_sqlite_lock_release(&store->lock, &store->alloc);
    sl_buf_free(&store->bytes);
    sl_buf_free(&store->scratch);
    sl_arena_free(&store->arena);
    sl_arena_free(&store->bound);
    sl_strmap_free(&store->links);
    sl_alloc alloc = store->alloc;
    sl_delete(&alloc, store->path);
    sl_delete(&alloc, store);
}

bool sl_sqlite_open(const char *path, const sl_sqlite_options *options, sl_store **out,
                    sl_status *st) {
    static const sl_sqlite_options defaults = {0};
    if (!options) options = &defaults;
    if (!path[0]) return sl_fail(st, SL_ERR_USAGE, "", "a realm file needs a name");
    const sl_alloc *alloc = options->alloc ? options->alloc : sl_alloc_default();
    sl_sqlite_store *store = sl_new_zero(alloc, 1, sizeof *store);
    if (!store) return sl_fail_memory(st);
    store->base.vtbl = &sl_sqlite_vtable;
    store->alloc = *alloc;
    store->lock = (sl_sqlite_lock)SL_SQLITE_LOCK_INIT;
    store->in_memory = is_memory(path);
    store->read_only = options->read_only;
    store->unlogged = options->scratch;
    store->untrusted = options->untrusted;
    sl_buf_init(&store->bytes, &store->alloc);
    sl_buf_init(&store->scratch, &store->alloc);
    sl_arena_init(&store->arena, &store->alloc);
    sl_arena_init(&store->bound, &store->alloc);
    sl_strmap_init(&store->links, &store->alloc);
    sl_sqlite_source_init(store);
    store->source.alloc = alloc;
    sl_sqlite_states_init(store);
    if (!open_store(store, path, options, st)) {
        sl_sqlite_close(&store->base);
        return false;
    }
    *out = &store->base;
    return true;
}

bool sl_sqlite_flush_log(sl_store *base, sl_status *st) {
    sl_sqlite_store *store = sl_sqlite_self(base);
    if (store->in_memory) return true;
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(store->db, 0);
        rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(store->db, store->busy_ms);
    }
    int kind = rc & 0xff;
    return rc == SQLITE_OK || kind == SQLITE_BUSY || kind == SQLITE_LOCKED ||
           sl_sqlite_fail(store, rc, "emptying the log", st);
}
