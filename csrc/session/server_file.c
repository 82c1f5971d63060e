#include "session/server_file_private.h"

enum { DEFAULT_BACKLOG = 1 << 30, DEFAULT_UNIT = 128 * 1024 };

static void set_limits(sl_realm_limits *limits) {
    if (limits->properties == 0) limits->properties = 1000;
    if (limits->key_bytes == 0) limits->key_bytes = 16384;
    if (limits->object_bytes == 0) limits->object_bytes = 64 << 20;
}

static bool open_parts(sl_server_file *file, sl_store *store, const sl_server_file_options *options,
                       sl_status *st) {
    sl_realm_options realm_options = {.alloc = options->alloc,
                                      .source = store->vtbl->source(store),
                                      .keep_asymmetric = true,
                                      .limits = file->options.limits};
    sl_server_history_options history_options = {.alloc = options->alloc,
                                                 .env = options->env,
                                                 .cache_bytes = options->cache_bytes,
                                                 .keep_originals = options->keep_originals,
                                                 .max_merge_steps = options->max_merge_steps,
                                                 .max_classes = options->max_classes};
    if (!sl_realm_open(&file->realm, &realm_options, st)) return false;
    file->history = sl_server_history_open(store, file->realm, &history_options, st);
    file->store = store;
    return file->history && sl_file_care_open(file, st);
}

sl_server_file *sl_server_file_open(sl_store *store, const sl_server_file_options *options,
                                    sl_status *st) {
    sl_server_file *file = sl_new_zero(options->alloc, 1, sizeof(*file));
    if (!file) {
        sl_fail_memory(st);
        return NULL;
    }
    file->options = *options;
    if (file->options.max_backlog == 0) file->options.max_backlog = DEFAULT_BACKLOG;
    if (file->options.unit_bytes == 0) file->options.unit_bytes = DEFAULT_UNIT;
    set_limits(&file->options.limits);
    if (open_parts(file, store, options, st)) return file;
    sl_server_history_close(file->history);
    sl_realm_close(file->realm);
    sl_delete(options->alloc, file);
    return NULL;
}

static void drop_queue(sl_server_file *file) {
    while (file->requests)
        sl_ident_request_drop(file, &file->requests);
    while (file->work)
        sl_client_work_drop(file, &file->work);
    sl_work_failures_clear(file);
}

void sl_server_file_close(sl_server_file *file) {
    if (!file) return;
    while (file->members) {
        sl_file_member *member = file->members;
        sl_file_member_leave(member);
        member->vtbl->closing(member);
    }
    drop_queue(file);
    sl_file_care_close(file);
    sl_delete(file->options.alloc, file->offenders);
    sl_server_history_close(file->history);
    sl_realm_close(file->realm);
    file->store->vtbl->close(file->store);
    sl_delete(file->options.alloc, file);
}

sl_server_history *sl_server_file_history(const sl_server_file *file) {
    return file->history;
}

sl_realm *sl_server_file_realm(const sl_server_file *file) {
    return file->realm;
}

sl_store *sl_server_file_store(const sl_server_file *file) {
    return file->store;
}

size_t sl_server_file_sessions(const sl_server_file *file) {
    return file->member_count;
}

uint64_t sl_server_file_backlog(const sl_server_file *file) {
    return file->backlog;
}

bool sl_server_file_waiting(const sl_server_file *file) {
    return file->requests || file->work;
}

/* ---- members --------------------------------------------------------------------------------- */

void sl_file_member_join(sl_file_member *member, sl_server_file *file) {
    member->file = file;
    member->previous = NULL;
    member->next = file->members;
    if (file->members) file->members->previous = member;
    file->members = member;
    file->member_count++;
}

void sl_file_member_leave(sl_file_member *member) {
    sl_server_file *file = member->file;
    if (!file) return;
    if (member->previous)
        member->previous->next = member->next;
    else
        file->members = member->next;
    if (member->next) member->next->previous = member->previous;
    file->member_count--;
    if (member->ident) sl_file_care_depart(file, member);
    for (sl_ident_request *r = file->requests; r; r = r->next)
        if (r->member == member) r->member = NULL;
    /* Whoever comes back asks again, and must not find it done behind the back of that answer. */
    for (sl_client_work *w = file->work; w; w = w->next)
        if (w->transact && w->transact->member == member) w->transact = NULL;
    member->file = NULL;
    member->next = member->previous = NULL;
    member->ident = 0;
    member->state_waits = member->state_reads = false;
}

sl_file_member *sl_server_file_member(const sl_server_file *file, uint64_t ident) {
    for (sl_file_member *m = file->members; m; m = m->next)
        if (m->ident == ident) return m;
    return NULL;
}

void sl_file_member_identify(sl_file_member *member, const sl_client_file *row,
                             sl_cursor *threshold) {
    member->ident = row->ident;
    member->progress = (sl_cursor){row->client_version, row->reciprocal_base};
    member->feature_level = row->feature_level;
    member->seen = row->last_seen;
    *threshold = member->progress;
    for (sl_client_work *w = member->file->work; w; w = w->next)
        if (w->ident == row->ident && w->progress.own > threshold->own) *threshold = w->progress;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static int64_t now_ms(const sl_server_file *file) {
    return file->options.env->mono_ms(file->options.env->ctx);
}

/* True if nothing waits but progress, or nothing at all: what comes now may be due earlier. */
static bool is_calm(const sl_server_file *file) {
    return !file->requests && file->uploads == 0;
}

int64_t sl_server_file_rest(const sl_server_file *file) {
    if (!sl_server_file_waiting(file)) return -1;
    int64_t now = now_ms(file), due = now;
    if (file->cut) return 0;
    if (is_calm(file))
        due = file->since_ms + SL_PROGRESS_WAIT_MS;
    else if (now < file->stream_until_ms)
        due = file->since_ms + SL_COMPANY_WAIT_MS;
    return due > now ? due - now : 0;
}

/* `first`: nothing waited that is as urgent as what came now. */
static void announce(sl_server_file *file, bool first) {
    if (!first) return;
    file->since_ms = now_ms(file);
    if (file->options.on_work) file->options.on_work(file->options.ctx, file);
}

bool sl_file_member_request_ident(sl_file_member *member, uint8_t type, uint64_t proxy, sl_str user,
                                  sl_status *st) {
    sl_server_file *file = member->file;
    bool calm = is_calm(file);
    sl_ident_request *request = sl_new(file->options.alloc, sizeof(*request) + (size_t)user.size);
    if (!request) return sl_fail_memory(st);
    *request =
        (sl_ident_request){.member = member, .type = type, .proxy = proxy, .user_size = user.size};
    if (user.size) memcpy(request->user, user.data, user.size);
    sl_ident_request **end = &file->requests;
    while (*end)
        end = &(*end)->next;
    *end = request;
    announce(file, calm);
    return true;
}

void sl_ident_request_drop(sl_server_file *file, sl_ident_request **link) {
    sl_ident_request *request = *link;
    *link = request->next;
    sl_delete(file->options.alloc, request);
}

void sl_client_work_drop(sl_server_file *file, sl_client_work **link) {
    sl_client_work *work = *link;
    *link = work->next;
    file->backlog -= work->bytes;
    sl_delete(file->options.alloc, work->entries);
    sl_arena_free(&work->arena);
    sl_delete(file->options.alloc, work);
}

/* The list is ascending by ident; the order of integration follows it. */
static sl_client_work *work_of(sl_server_file *file, uint64_t ident) {
    sl_client_work **link = &file->work;
    while (*link && (*link)->ident < ident)
        link = &(*link)->next;
    sl_client_work *next = *link;
    if (next && next->ident == ident) return next;
    sl_client_work *work = sl_new_zero(file->options.alloc, 1, sizeof(*work));
    if (!work) return NULL;
    work->ident = ident;
    work->next = next;
    sl_arena_init(&work->arena, file->options.alloc);
    *link = work;
    return work;
}

static bool work_room(sl_server_file *file, sl_client_work *work) {
    if (work->count < work->capacity) return true;
    size_t capacity = work->capacity ? work->capacity * 2 : 8;
    void *grown = sl_resize(file->options.alloc, work->entries, capacity * sizeof(*work->entries));
    if (!grown) return false;
    work->entries = grown;
    work->capacity = capacity;
    return true;
}

static bool copy_entries(sl_server_file *file, sl_client_work *work, const sl_queued_upload *upload,
                         sl_status *st) {
    sl_entry_reader reader;
    sl_upload_entry entry;
    bool more = true;
    sl_entry_reader_init(&reader, upload->entries);
    for (;;) {
        if (!sl_entry_reader_upload(&reader, &entry, &more, st)) return false;
        if (!more) return true;
        if (entry.client_version <= upload->skip) continue;
        if (!work_room(file, work)) return sl_fail_memory(st);
        sl_str bytes = sl_arena_str(&work->arena, entry.changeset);
        if (entry.changeset.size && !bytes.data) return sl_fail_memory(st);
        entry.changeset = bytes;
        work->entries[work->count++] = entry;
    }
}

static sl_client_work *work_for(sl_file_member *member, size_t size, sl_status *st) {
    sl_server_file *file = member->file;
    if (file->backlog + size > file->options.max_backlog) {
        sl_fail_code(st, SL_ERR_PROTOCOL, 100,
                     "too many uploads wait for this file; try again later");
        return NULL;
    }
    sl_client_work *work = work_of(file, member->ident);
    if (!work) sl_fail_memory(st);
    return work;
}

static void count_bytes(sl_server_file *file, sl_client_work *work, size_t size) {
    work->bytes += size;
    file->backlog += size;
}

bool sl_file_member_transact(sl_file_member *member, const sl_server_transact *request,
                             sl_status *st) {
    sl_server_file *file = member->file;
    bool calm = is_calm(file);
    sl_client_work *work = work_for(member, request->changeset.size, st);
    if (!work) return false;
    sl_queued_transact *queued = sl_arena_zero(&work->arena, 1, sizeof(*queued));
    sl_str bytes = sl_arena_str(&work->arena, request->changeset);
    if (!queued || (request->changeset.size && !bytes.data)) return sl_fail_memory(st);
    queued->request = *request;
    queued->request.ident = member->ident;
    queued->request.changeset = bytes;
    queued->member = member;
    queued->before = work->count;
    queued->progress = work->progress;
    queued->locked = work->locked;
    work->transact = queued;
    count_bytes(file, work, request->changeset.size);
    file->uploads++;
    announce(file, calm);
    return true;
}

bool sl_file_member_upload(sl_file_member *member, const sl_queued_upload *upload, sl_status *st) {
    sl_server_file *file = member->file;
    bool calm = is_calm(file), idle = !sl_server_file_waiting(file);
    sl_client_work *work = work_for(member, upload->entries.size, st);
    if (!work) return false;
    size_t count = work->count;
    if (!copy_entries(file, work, upload, st)) {
        /* The bytes stay in the arena until the work is done; only the entries count. An empty
         * work item changes nothing when it is done. */
        work->count = count;
        return false;
    }
    work->progress = upload->progress;
    if (upload->schema > work->schema) work->schema = upload->schema;
    if (upload->locked > work->locked) work->locked = upload->locked;
    count_bytes(file, work, upload->entries.size);
    bool fresh = work->count > count;
    if (fresh) file->uploads++;
    announce(file, idle || (fresh && calm));
    return true;
}
