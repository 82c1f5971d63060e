/* Units of work of a server file (protocol/4-history-and-sessions.md, 6.2 and 6.3). */
#include "base/strmap.h"
#include "session/server_file_private.h"

#include <stdio.h>

enum {
    MAX_OFFENDERS = 1024,
    MEMORY_TRIES = 3, /* for what needs more memory than there is, alone in its unit */
};

bool sl_server_file_note_trouble(sl_server_file *file, sl_str user, uint64_t ident) {
    uint64_t hash =
        user.size ? sl_hash_bytes(user.data, user.size) : sl_hash_bytes(&ident, sizeof(ident));
    for (size_t i = 0; i < file->offender_count; i++)
        if (file->offenders[i] == hash) return true;
    if (file->offender_count == MAX_OFFENDERS) return false;
    uint64_t *grown = sl_resize(file->options.alloc, file->offenders,
                                (file->offender_count + 1) * sizeof(*grown));
    if (!grown) return false; /* only the advice to the client becomes weaker */
    file->offenders = grown;
    file->offenders[file->offender_count++] = hash;
    return false;
}

void sl_work_failures_clear(sl_server_file *file) {
    while (file->failures) {
        sl_work_failure *failure = file->failures;
        file->failures = failure->next;
        sl_delete(file->options.alloc, failure);
    }
}

/* *refused: the request that failed. */
static bool allocate_all(sl_server_file *file, sl_ident_request ***refused, sl_status *st) {
    for (sl_ident_request **link = &file->requests, *r; (r = *link); link = &r->next) {
        sl_client_file row = {
            .type = r->type, .proxy = r->proxy, .user = sl_str_of(r->user, r->user_size)};
        if (!r->member) continue;
        *refused = link;
        if (!sl_server_history_allocate(file->history, &row, st)) return false;
        r->made = row.ident;
        r->salt = row.salt;
    }
    *refused = NULL;
    return true;
}

/* In the order in which it came: uploads, the serialized transaction, later uploads. */
static bool integrate_one(sl_server_file *file, sl_client_work *work, sl_status *st) {
    sl_queued_transact *t = work->transact;
    sl_server_upload upload = sl_work_piece(work);
    if (!t) return sl_server_history_integrate(file->history, &upload, st);
    size_t before = t->before - work->done;
    sl_server_upload later = upload;
    upload.count = before;
    upload.progress = t->progress;
    upload.locked = t->locked;
    if (!sl_server_history_integrate(file->history, &upload, st) ||
        !sl_server_history_transact(file->history, &t->request, &t->verdict, st))
        return false;
    if (later.count == before && later.progress.own == t->progress.own) return true;
    later.entries += before;
    later.count -= before;
    return sl_server_history_integrate(file->history, &later, st);
}

/* *culprit: the work that failed, or NULL. */
static bool integrate_all(sl_server_file *file, sl_client_work ***culprit, sl_status *st) {
    for (sl_client_work **link = &file->work; *link; link = &(*link)->next) {
        if (!(*link)->chosen || integrate_one(file, *link, st)) continue;
        *culprit = link;
        return false;
    }
    return true;
}

static bool user_of(sl_server_file *file, uint64_t ident, sl_str *user) {
    sl_client_file row;
    bool found = false;
    *user = SL_STR("");
    if (!sl_server_history_client(file->history, ident, &row, &found, NULL) || !found) return false;
    *user = row.user;
    return true;
}

/* More than realm or store can hold. */
static bool is_limit(const sl_status *why) {
    return why->cls == SL_ERR_STORAGE && strcmp(why->id, "LIMIT") == 0;
}

/* Failures that would come back with every attempt: the client's own fault, or something of ours
 * that only its work runs into. Passing trouble (disk, memory) is no reason to leave anybody out.
 */
static bool will_repeat(const sl_status *why) {
    return why->cls == SL_ERR_SESSION || why->cls == SL_ERR_INTERNAL || why->cls == SL_ERR_USAGE ||
           (why->cls == SL_ERR_STORAGE && strcmp(why->id, "DAMAGED") == 0) || is_limit(why);
}

static void describe(sl_server_file *file, sl_work_failure *failure, const sl_status *why) {
    bool blamed = why->cls == SL_ERR_SESSION;
    bool passes = !blamed && !is_limit(why) && why->cls != SL_ERR_INTERNAL;
    const char *text = is_limit(why)
                           ? "the server cannot store what was uploaded: an object, a key "
                             "or a class is too large"
                       : passes ? "the server could not integrate the upload; try again later"
                                : "the server could not integrate the upload";
    failure->code = blamed ? why->code : 201;
    failure->kind = failure->code == 201 && !passes ? SL_REFUSAL_FINAL : SL_REFUSAL_USUAL;
    snprintf(failure->text, sizeof(failure->text), "%s", blamed ? why->message : text);
    if (!blamed && file->options.on_trouble) file->options.on_trouble(file->options.ctx, file, why);
}

/* Takes the client out of the queue and remembers what to tell its session. */
static bool exclude(sl_server_file *file, sl_client_work **link, const sl_status *why,
                    sl_status *st) {
    sl_work_failure *failure = sl_new_zero(file->options.alloc, 1, sizeof(*failure));
    if (!failure) return sl_fail_memory(st);
    sl_str user;
    failure->ident = (*link)->ident;
    describe(file, failure, why);
    if (failure->code == 212 && user_of(file, failure->ident, &user) &&
        sl_server_file_note_trouble(file, user, failure->ident))
        failure->kind = SL_REFUSAL_REPEATED;
    failure->next = file->failures;
    file->failures = failure;
    sl_client_work_drop(file, link);
    return true;
}

/* Tells a session that its file ident cannot be made. */
static bool refuse_request(sl_server_file *file, sl_ident_request **link, const sl_status *why) {
    sl_work_failure failure = {0};
    sl_file_member *member = (*link)->member;
    describe(file, &failure, why);
    sl_ident_request_drop(file, link);
    if (member) member->vtbl->failed(member, failure.code, failure.kind, failure.text);
    return true;
}

/* A unit that failed as a whole says not who is to blame: it is halved until one changeset of one
 * client is left, which then is. What takes too much memory gets some tries alone. */
static bool narrow(sl_server_file *file, const sl_status *why, bool *again, sl_status *st) {
    bool memory = why->cls == SL_ERR_MEMORY;
    bool smaller = sl_work_narrow(file);
    *again = !memory || (!smaller && ++file->strikes >= MEMORY_TRIES);
    if (!*again) {
        if (st) *st = *why;
        return false;
    }
    if (smaller) return true;
    file->strikes = 0;
    sl_client_work **link = &file->work;
    while (*link && !(*link)->chosen)
        link = &(*link)->next;
    if (*link) return exclude(file, link, why, st);
    return !file->requests || refuse_request(file, &file->requests, why);
}

/* After a unit was rolled back: *again, if there is less to do now. Passing trouble (disk) is a
 * failure. */
static bool set_aside(sl_server_file *file, sl_client_work **culprit, sl_ident_request **refused,
                      const sl_status *why, bool *again, sl_status *st) {
    *again = will_repeat(why);
    if (*again && culprit) return exclude(file, culprit, why, st);
    if (*again && refused) return refuse_request(file, refused, why);
    if (*again || why->cls == SL_ERR_MEMORY) return narrow(file, why, again, st);
    if (st) *st = *why;
    return false;
}

/* One attempt: everything, or nothing. *again: somebody was taken out, or the unit made smaller. */
static bool attempt(sl_server_file *file, uint64_t *added, bool *again, sl_status *st) {
    sl_client_work **culprit = NULL;
    sl_ident_request **refused = NULL;
    sl_status why = SL_STATUS_INIT;
    *again = false;
    if (!sl_server_history_begin(file->history, st)) return false;
    if (allocate_all(file, &refused, &why) && integrate_all(file, &culprit, &why)) {
        if (sl_server_history_commit(file->history, added, &why)) return true;
    } else {
        sl_server_history_rollback(file->history);
    }
    return set_aside(file, culprit, refused, &why, again, st);
}

static void tell_failures(sl_server_file *file) {
    for (sl_work_failure *f = file->failures; f; f = f->next) {
        sl_file_member *member = sl_server_file_member(file, f->ident);
        if (member) member->vtbl->failed(member, f->code, f->kind, f->text);
    }
    sl_work_failures_clear(file);
}

static void tell_idents(sl_server_file *file) {
    while (file->requests) {
        sl_ident_request *r = file->requests;
        if (r->member && r->type == SL_CLIENT_INDIRECT)
            r->member->vtbl->alloc(r->member, r->made);
        else if (r->member)
            r->member->vtbl->ident(r->member, r->made, r->salt);
        sl_ident_request_drop(file, &file->requests);
    }
}

static void tell_verdict(const sl_client_work *work) {
    sl_queued_transact *t = work->transact;
    if (t && t->member) t->member->vtbl->transacted(t->member, &t->verdict);
}

/* Progress as the history has stored it (6.3, step 7). */
static void settle_progress(sl_server_file *file, const sl_client_work *work) {
    sl_file_member *member = sl_server_file_member(file, work->ident);
    sl_cursor progress = sl_work_piece(work).progress;
    if (!member || progress.own <= member->progress.own) return;
    member->progress.own = progress.own;
    if (progress.other > member->progress.other) member->progress.other = progress.other;
}

/* Who has raised the level of the file can read what it wrote (7.6). */
static void settle_level(sl_server_file *file, uint64_t ident) {
    sl_file_member *member = sl_server_file_member(file, ident);
    sl_client_file row;
    bool found = false;
    if (member && sl_server_history_client(file->history, ident, &row, &found, NULL) && found)
        member->feature_level = row.feature_level;
}

static void tell_news(sl_server_file *file, uint64_t added) {
    if (added == 0) return;
    for (sl_file_member *m = file->members, *next; m; m = next) {
        next = m->next;
        m->vtbl->news(m);
    }
    if (file->options.on_commit)
        file->options.on_commit(file->options.ctx, file, sl_server_history_version(file->history));
}

/* Several uploads in one unit: they come faster than they can be integrated one by one. */
static void settle_pace(sl_server_file *file) {
    const sl_env *env = file->options.env;
    if (file->uploads > 1) file->stream_until_ms = env->mono_ms(env->ctx) + SL_STREAM_MS;
    file->cut = file->work != NULL;
    file->uploads = file->cut;
    file->turn = file->cut ? file->last_chosen : 0;
}

static void settle_work(sl_server_file *file, bool new_level) {
    for (sl_client_work **link = &file->work; *link;) {
        sl_client_work *work = *link;
        bool over = false;
        if (work->chosen) {
            settle_progress(file, work);
            tell_verdict(work);
            if (new_level) settle_level(file, work->ident);
            over = sl_work_settle(file, work);
        }
        if (over)
            sl_client_work_drop(file, link);
        else
            link = &work->next;
    }
}

bool sl_server_file_work(sl_server_file *file, sl_status *st) {
    uint64_t added = 0;
    bool again = true, ok = true;
    int level = sl_server_history_level(file->history);
    while (ok && again && sl_server_file_waiting(file)) {
        sl_work_choose(file);
        ok = attempt(file, &added, &again, st);
    }
    if (ok) {
        sl_work_widen(file);
        settle_work(file, sl_server_history_level(file->history) != level);
        settle_pace(file);
        tell_idents(file);
        tell_news(file, added);
    }
    tell_failures(file);
    return ok;
}

bool sl_server_file_begin_write(sl_server_file *file, sl_status *st) {
    return sl_server_history_begin_write(file->history, st);
}

bool sl_server_file_commit_write(sl_server_file *file, sl_status *st) {
    uint64_t added = 0;
    if (!sl_server_history_commit(file->history, &added, st)) return false;
    tell_news(file, added);
    return true;
}

void sl_server_file_rollback_write(sl_server_file *file) {
    sl_server_history_rollback(file->history);
}
