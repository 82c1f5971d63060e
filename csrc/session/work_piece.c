/* What of the queue goes into one unit of work: at most so many bytes of changesets, at least one
 * changeset, clients in turn. The rest is a later unit, between which others are served. */
#include "session/server_file_private.h"

/* What a unit has room for: bytes and changesets. */
typedef struct unit_room {
    size_t bytes, changesets;
} unit_room;

/* With a serialized transaction nothing is cut. */
static size_t weight(const sl_client_work *work) {
    return work->transact || work->piece == 0 ? 1 : work->piece;
}

static void choose_piece(sl_server_file *file, sl_client_work *work, unit_room *room) {
    work->chosen = room->bytes > 0 && room->changesets > 0;
    if (!work->chosen) return;
    size_t at = work->done, last = work->count;
    if (!work->transact && last - at > room->changesets) last = at + room->changesets;
    while (at < last && (room->bytes > 0 || work->transact)) {
        size_t cost = work->entries[at++].changeset.size + 1;
        room->bytes -= cost < room->bytes ? cost : room->bytes;
    }
    work->piece = at - work->done;
    room->changesets -= weight(work);
    file->last_chosen = work->ident;
}

void sl_work_choose(sl_server_file *file) {
    unit_room room = {file->options.unit_bytes, file->narrow ? file->narrow : SIZE_MAX};
    for (sl_client_work *w = file->work; w; w = w->next)
        if (w->ident > file->turn) choose_piece(file, w, &room);
    for (sl_client_work *w = file->work; w && w->ident <= file->turn; w = w->next)
        choose_piece(file, w, &room);
}

bool sl_work_narrow(sl_server_file *file) {
    size_t sum = 0;
    for (const sl_client_work *w = file->work; w; w = w->next)
        if (w->chosen) sum += weight(w);
    if (sum <= 1) return false;
    file->narrow = sum / 2;
    return true;
}

void sl_work_widen(sl_server_file *file) {
    enum { WIDE = 4096 };
    file->narrow = file->narrow < WIDE ? file->narrow * 2 : 0;
    file->strikes = 0;
}

/* A client may only have got as far as the last changeset of its piece. */
sl_server_upload sl_work_piece(const sl_client_work *work) {
    sl_server_upload upload = {.ident = work->ident,
                               .entries = work->entries + work->done,
                               .count = work->piece,
                               .progress = work->progress,
                               .schema = work->schema,
                               .locked = work->locked};
    if (work->done + work->piece == work->count) return upload;
    const sl_upload_entry *last = &upload.entries[work->piece - 1];
    upload.progress = (sl_cursor){last->client_version, last->server_version};
    upload.locked = 0;
    return upload;
}

/* Gives back the memory of what is done when it is more than what is left, so that the queue of a
 * client that goes on uploading is no larger than what waits. Without memory for it all stays. */
static void give_back(sl_server_file *file, sl_client_work *work) {
    const sl_alloc *alloc = file->options.alloc;
    size_t left = work->count - work->done;
    sl_arena fresh;
    if (work->done_bytes < work->bytes) return;
    sl_upload_entry *moved = sl_new(alloc, left * sizeof(*moved));
    if (!moved) return;
    sl_arena_init(&fresh, alloc);
    bool ok = true;
    for (size_t i = 0; ok && i < left; i++) {
        moved[i] = work->entries[work->done + i];
        moved[i].changeset = sl_arena_str(&fresh, moved[i].changeset);
        ok = moved[i].changeset.data || !moved[i].changeset.size;
    }
    if (!ok) {
        sl_arena_free(&fresh);
        sl_delete(alloc, moved);
        return;
    }
    sl_arena_free(&work->arena);
    sl_delete(alloc, work->entries);
    work->arena = fresh;
    work->entries = moved;
    work->count = work->capacity = left;
    work->done = work->done_bytes = 0;
}

bool sl_work_settle(sl_server_file *file, sl_client_work *work) {
    if (work->done + work->piece == work->count) return true;
    uint64_t bytes = 0;
    for (size_t i = 0; i < work->piece; i++)
        bytes += work->entries[work->done + i].changeset.size;
    work->done += work->piece;
    work->done_bytes += bytes;
    work->bytes -= bytes;
    file->backlog -= bytes;
    give_back(file, work);
    return false;
}
