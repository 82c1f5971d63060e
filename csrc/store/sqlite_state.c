#include "store/sqlite_state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_disk.h"
#include "store/sqlite_internal.h"

/* No segment is larger: what cannot be compressed grows by less. */
enum { LARGEST_SEGMENT = SL_STATE_SEGMENT_BYTES + 4096 };

/* --- the kept state --- */

static bool read_head(int fd, const char *path, int format, sl_state_facts *facts) {
    char head[SL_SQLITE_STATE_HEAD + 1];
    int found = 0;
    struct stat info;
    if (!sl_sqlite_read_at(fd, path, head, SL_SQLITE_STATE_HEAD, 0, NULL)) return false;
    head[SL_SQLITE_STATE_HEAD] = 0;
    if (sscanf(head,
               "syncline state %d version %" SCNu64 " salt %" SCNd64 " history %" SCNu64
               " size %" SCNu64,
               &found, &facts->version, &facts->salt, &facts->history, &facts->size) != 5)
        return false;
    return found == format && fstat(fd, &info) == 0 &&
           (uint64_t)info.st_size == SL_SQLITE_STATE_HEAD + facts->size;
}

static void remove_beside(const sl_sqlite_store *store, const char *suffix) {
    char *path = sl_sqlite_beside(&store->alloc, store->path, suffix);
    if (path) unlink(path);
    sl_delete(&store->alloc, path);
}

static void look(sl_sqlite_store *store) {
    sl_sqlite_states *states = &store->states;
    if (states->kept_known) return;
    if (!states->maker) { /* what a process left that ended in the middle */
        remove_beside(store, SL_SQLITE_STATE_DB);
        remove_beside(store, SL_SQLITE_STATE_NEW);
    }
    states->kept = (sl_state_facts){0};
    char *path = sl_sqlite_beside(&store->alloc, store->path, SL_SQLITE_STATE_KEPT);
    if (!path) return;
    states->kept_known = true;
    states->kept_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (states->kept_fd >= 0 &&
        !read_head(states->kept_fd, path, states->vtbl.format, &states->kept)) {
        states->kept = (sl_state_facts){0};
        close(states->kept_fd);
        states->kept_fd = -1;
    }
    sl_delete(&store->alloc, path);
}

static void kept(void *ctx, sl_state_facts *facts) {
    sl_sqlite_store *store = ctx;
    look(store);
    *facts = store->states.kept;
}

static bool segment_size(sl_sqlite_store *store, uint64_t offset, uint64_t *size, sl_status *st) {
    const sl_sqlite_states *states = &store->states;
    unsigned char head[4];
    if (states->kept_fd < 0 || offset + sizeof head > states->kept.size)
        return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "%s: there is no such segment", store->path);
    if (!sl_sqlite_read_at(states->kept_fd, store->path, head, sizeof head,
                           SL_SQLITE_STATE_HEAD + offset, st))
        return false;
    *size =
        4 + ((uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3]);
    if (*size <= LARGEST_SEGMENT && *size <= states->kept.size - offset) return true;
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "%s: the state is damaged at octet %llu",
                   store->path, (unsigned long long)offset);
}

static bool kept_at(void *ctx, uint64_t offset, bool *starts, sl_status *st) {
    sl_sqlite_store *store = ctx;
    uint64_t at = 0, size = 0;
    look(store);
    while (at < offset && at < store->states.kept.size) {
        if (!segment_size(store, at, &size, st)) return false;
        at += size;
    }
    *starts = at == offset;
    return true;
}

static bool kept_read(void *ctx, uint64_t offset, size_t limit, sl_buf *out, sl_status *st) {
    sl_sqlite_store *store = ctx;
    uint64_t end = offset, size = 0;
    look(store);
    while (end < store->states.kept.size || end == offset) {
        if (!segment_size(store, end, &size, st)) return false;
        if (end > offset && end + size - offset > limit) break;
        end += size;
    }
    char *to = sl_buf_reserve(out, (size_t)(end - offset));
    if (!to) return sl_fail_memory(st);
    if (!sl_sqlite_read_at(store->states.kept_fd, store->path, to, (size_t)(end - offset),
                           SL_SQLITE_STATE_HEAD + offset, st))
        return false;
    out->size += (size_t)(end - offset);
    return true;
}

static void kept_drop(void *ctx) {
    sl_sqlite_store *store = ctx;
    sl_sqlite_states *states = &store->states;
    if (states->kept_fd >= 0) close(states->kept_fd);
    states->kept_fd = -1;
    states->kept = (sl_state_facts){0};
    states->kept_known = false;
    remove_beside(store, SL_SQLITE_STATE_KEPT);
}

void sl_sqlite_states_init(sl_sqlite_store *store) {
    store->states.vtbl = (sl_state_store){.format = SL_STATE_FORMAT_SQLITE + SL_SQLITE_VERSION,
                                          .ctx = store,
                                          .make_begin = sl_sqlite_make_begin,
                                          .make_step = sl_sqlite_make_step,
                                          .make_stop = sl_sqlite_make_stop,
                                          .kept = kept,
                                          .kept_at = kept_at,
                                          .kept_read = kept_read,
                                          .kept_drop = kept_drop,
                                          .part_begin = sl_sqlite_part_begin,
                                          .part_add = sl_sqlite_part_add,
                                          .part_sync = sl_sqlite_part_sync,
                                          .part_open = sl_sqlite_part_open,
                                          .part_drop = sl_sqlite_part_drop};
    store->states.kept_fd = store->states.part_fd = -1;
}

void sl_sqlite_states_close(sl_sqlite_store *store) {
    sl_sqlite_make_stop(store);
    if (store->states.kept_fd >= 0) close(store->states.kept_fd);
    if (store->states.part_fd >= 0) close(store->states.part_fd);
    store->states.kept_fd = store->states.part_fd = -1;
}
