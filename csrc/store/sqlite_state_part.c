/* A state on its way into a client file. What comes from the network is an SQLite file, which may
 * be anything; nothing of it is believed before the check. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_disk.h"
#include "store/sqlite_internal.h"

static char *part_path(const sl_sqlite_store *store) {
    return sl_sqlite_beside(&store->alloc, store->path, SL_SQLITE_STATE_PART);
}

static void close_part(sl_sqlite_store *store) {
    if (store->states.part_fd >= 0) close(store->states.part_fd);
    store->states.part_fd = -1;
}

bool sl_sqlite_part_begin(void *ctx, uint64_t size, bool *found, sl_status *st) {
    sl_sqlite_store *store = ctx;
    struct stat info;
    close_part(store);
    *found = false;
    char *path = part_path(store);
    if (!path) return sl_fail_memory(st);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && fstat(fd, &info) == 0;
    if (ok && (uint64_t)info.st_size >= size) {
        ok = ftruncate(fd, (off_t)size) == 0;
        *found = ok;
    }
    if (!ok) sl_sqlite_fail_errno(path, errno, st);
    sl_delete(&store->alloc, path);
    store->states.part_size = size;
    store->states.part_fd = fd;
    if (!*found) close_part(store);
    return ok;
}

bool sl_sqlite_part_add(void *ctx, sl_str blocks, sl_status *st) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_states *states = &store->states;
    if (states->part_fd < 0) return sl_fail(st, SL_ERR_USAGE, "", "no state is being received");
    if (!sl_sqlite_write_at(states->part_fd, store->path, blocks.data, blocks.size,
                            states->part_size, st))
        return false;
    states->part_size += blocks.size;
    return true;
}

bool sl_sqlite_part_sync(void *ctx, sl_status *st) {
    sl_sqlite_store *store = ctx;
    if (store->states.part_fd < 0 || fdatasync(store->states.part_fd) == 0) return true;
    return sl_sqlite_fail_errno(store->path, errno, st);
}

void sl_sqlite_part_drop(void *ctx) {
    sl_sqlite_store *store = ctx;
    close_part(store);
    char *path = part_path(store);
    if (path) unlink(path);
    sl_delete(&store->alloc, path);
}

/* --- opening --- */

static uint32_t be32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A file of 4096-octet pages, in rollback mode, with nothing reserved, that does not vacuum itself
 * and holds UTF-8: what a server of ours makes. */
static bool check_head(const char *path, sl_status *st) {
    unsigned char head[100];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sl_sqlite_fail_errno(path, errno, st);
    bool ok = sl_sqlite_read_at(fd, path, head, sizeof head, 0, st);
    uint64_t size = ok && fstat(fd, &info) == 0 ? (uint64_t)info.st_size : 0;
    close(fd);
    if (!ok) return false;
    ok = memcmp(head, "SQLite format 3", 16) == 0 && head[16] == 16 && head[17] == 0 &&
         head[18] == 1 && head[19] == 1 && head[20] == 0 &&
         (uint64_t)be32(head + 28) * SL_STATE_BLOCK == size && be32(head + 52) == 0 &&
         be32(head + 56) == 1;
    return ok || sl_fail(st, SL_ERR_STORAGE, "DAMAGED",
                         "%s: what the server sent is no state of a realm", path);
}

/* Whatever else a file makes SQLite say, the file is to blame: trying again would not help. */
static bool is_our_trouble(const sl_status *why) {
    return why->cls != SL_ERR_STORAGE || strcmp(why->id, "FULL") == 0 ||
           strcmp(why->id, "READONLY") == 0 || strcmp(why->id, "LOCKED") == 0;
}

bool sl_sqlite_part_open(void *ctx, sl_store **out, sl_status *st) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_options options = {
        .alloc = &store->alloc, .must_exist = true, .scratch = true, .untrusted = true};
    close_part(store);
    char *path = part_path(store);
    if (!path) return sl_fail_memory(st);
    sl_status why = SL_STATUS_INIT;
    bool ok = check_head(path, &why) && sl_sqlite_open(path, &options, out, &why);
    if (!ok && !is_our_trouble(&why)) snprintf(why.id, sizeof why.id, "DAMAGED");
    if (!ok && st) *st = why;
    sl_delete(&store->alloc, path);
    return ok;
}

/* --- putting it in place --- */

/* A log that is left of the file before would be taken for the log of the new one. */
static bool remove_log(const char *path, sl_status *st) {
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof suffixes / sizeof *suffixes; i++) {
        char *name = sl_sqlite_beside(NULL, path, suffixes[i]);
        if (!name) return sl_fail_memory(st);
        ok = unlink(name) == 0 || errno == ENOENT || sl_sqlite_fail_errno(name, errno, st);
        sl_delete(NULL, name);
    }
    return ok;
}

bool sl_sqlite_state_install(const char *path, sl_status *st) {
    const sl_alloc *alloc = sl_alloc_default();
    sl_sqlite_lock lock = SL_SQLITE_LOCK_INIT;
    if (!sl_sqlite_lock_take(&lock, alloc, path, st)) return false;
    char *part = sl_sqlite_beside(alloc, path, SL_SQLITE_STATE_PART);
    bool ok = part || sl_fail_memory(st);
    ok = ok && remove_log(path, st) && sl_sqlite_publish(part, path, st);
    sl_delete(alloc, part);
    sl_sqlite_lock_release(&lock, alloc);
    return ok;
}
