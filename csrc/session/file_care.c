/* Care of a file's history: who was there when, who has expired, and compaction in small steps
 * (protocol/4-history-and-sessions.md, 8.2). */
#include "history/server_care.h"
#include "session/server_file_private.h"

/* Wall clock of the end of the last run. */
#define META_CARED_AT "server.compacted_at"

enum {
    DEFAULT_INTERVAL = 3600,
    DEFAULT_MIN = 256,
    TOUCH_INTERVAL = 3600,
    LIVE_SHARE = 16,
    MANY_DEPARTURES = 1000
};

static int64_t now_s(const sl_server_file *file) {
    int64_t now = file->options.env->wall_ms(file->options.env->ctx) / 1000;
    return now < 1 ? 1 : now;
}

static int64_t interval_of(const sl_server_file *file) {
    return file->options.compact_interval ? file->options.compact_interval : DEFAULT_INTERVAL;
}

/* The interval and up to half of it more, so that files do not all begin at once. */
static void draw_pause(sl_server_file *file) {
    int64_t interval = interval_of(file);
    file->care.pause = interval;
    if (interval > 1)
        file->care.pause += (int64_t)sl_env_below(file->options.env, (uint64_t)interval / 2 + 1);
}

bool sl_file_care_open(sl_server_file *file, sl_status *st) {
    sl_file_care *care = &file->care;
    care->ttl = -1;
    care->touched = now_s(file);
    draw_pause(file);
    return file->store->vtbl->meta_get_int(file->store, META_CARED_AT, &care->last, st);
}

/* ---- who was there --------------------------------------------------------------------------- */

void sl_file_care_depart(sl_server_file *file, const sl_file_member *member) {
    sl_file_care *care = &file->care;
    int64_t now = now_s(file);
    if (now - member->seen < TOUCH_INTERVAL) return;
    if (care->departure_count == care->departure_capacity) {
        size_t capacity = care->departure_capacity ? care->departure_capacity * 2 : 16;
        sl_departure *grown =
            sl_resize(file->options.alloc, care->departures, capacity * sizeof *grown);
        if (!grown) return;
        care->departures = grown;
        care->departure_capacity = capacity;
    }
    care->departures[care->departure_count++] = (sl_departure){member->ident, now};
}

/* Inside a unit. */
static bool write_seen(sl_server_file *file, sl_status *st) {
    const sl_file_care *care = &file->care;
    int64_t now = now_s(file);
    for (size_t i = 0; i < care->departure_count; i++)
        if (!sl_server_history_touch(file->history, care->departures[i].ident,
                                     care->departures[i].seen, st))
            return false;
    for (const sl_file_member *m = file->members; m; m = m->next)
        if (m->ident && !sl_server_history_touch(file->history, m->ident, now, st)) return false;
    return true;
}

static bool end_unit(sl_server_file *file, bool ok, sl_status *st) {
    if (ok) return sl_server_history_commit(file->history, NULL, st);
    sl_server_history_rollback(file->history);
    return false;
}

/* A commit of its own, once an hour, that need not be flushed. */
static bool touch(sl_server_file *file, sl_status *st) {
    sl_file_care *care = &file->care;
    care->touched = now_s(file);
    if (!sl_server_history_begin(file->history, st)) return false;
    if (!end_unit(file, write_seen(file, st), st)) return false;
    care->departure_count = 0;
    return true;
}

void sl_file_care_close(sl_server_file *file) {
    sl_compactor_free(file->care.compactor);
    file->care.compactor = NULL;
    sl_server_history_rollback(file->history);
    /* Lost at worst is the knowledge of when a client was last here, by a day of its life. */
    if (file->care.departure_count) touch(file, NULL);
    sl_delete(file->options.alloc, file->care.departures);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Bound clients are there; those whose upload waits have just been. */
static bool is_here(void *ctx, uint64_t ident) {
    const sl_server_file *file = ctx;
    if (sl_server_file_member(file, ident)) return true;
    for (const sl_client_work *w = file->work; w; w = w->next)
        if (w->ident == ident) return true;
    return false;
}

static bool expire(sl_server_file *file, int64_t ttl, sl_status *st) {
    sl_file_care *care = &file->care;
    if (!sl_server_history_begin(file->history, st)) return false;
    bool ok = write_seen(file, st) &&
              (ttl <= 0 || sl_server_history_expire(file->history, now_s(file) - ttl, is_here, file,
                                                    &care->report.expired, st));
    if (!end_unit(file, ok, st)) return false;
    care->departure_count = 0;
    care->touched = now_s(file);
    return true;
}

/* A run reads all of the history that is left, so it waits until enough has come up. */
static bool is_worth_it(const sl_server_file *file, const sl_server_limit *limit) {
    uint64_t min = file->options.compact_min ? file->options.compact_min : DEFAULT_MIN;
    uint64_t done = sl_server_history_compacted(file->history);
    uint64_t fresh = limit->version > done ? limit->version - done : 0;
    return fresh >= min && fresh >= sl_server_history_live(file->history) / LIVE_SHARE;
}

static bool begin_run(sl_server_file *file, bool *more, sl_status *st) {
    sl_file_care *care = &file->care;
    bool asked = care->asked;
    int64_t ttl = asked && care->ttl >= 0 ? care->ttl : file->options.client_ttl;
    care->asked = false;
    care->last = now_s(file);
    draw_pause(file);
    care->report = (sl_care_report){.ran = care->report.ran};
    if (!expire(file, ttl, st)) return false;
    sl_compactor *run = sl_compactor_new(file->history, NULL, st);
    if (!run) return false;
    care->report.compaction = sl_compactor_report_of(run);
    if (asked || is_worth_it(file, &care->report.compaction.limit)) {
        care->compactor = run;
        *more = true;
        return true;
    }
    sl_compactor_free(run);
    return true;
}

static bool keep_time(sl_server_file *file, sl_status *st) {
    if (!sl_server_history_begin(file->history, st)) return false;
    return end_unit(
        file, file->store->vtbl->meta_put_int(file->store, META_CARED_AT, file->care.last, st), st);
}

static bool step_run(sl_server_file *file, bool *more, sl_status *st) {
    sl_file_care *care = &file->care;
    bool ok = sl_compactor_step(care->compactor, more, st);
    care->report.compaction = sl_compactor_report_of(care->compactor);
    if (ok && *more) return true;
    sl_compactor_free(care->compactor);
    care->compactor = NULL;
    *more = care->asked;
    if (!ok) return false;
    care->report.ran = true;
    return keep_time(file, st);
}

/* A clock that was put back does not put care off. */
static bool is_due(const sl_server_file *file) {
    const sl_file_care *care = &file->care;
    if (care->asked) return true;
    int64_t passed = now_s(file) - care->last;
    return file->options.compact_interval >= 0 && (passed >= care->pause || passed < 0);
}

bool sl_server_file_care(sl_server_file *file, bool *more, sl_status *st) {
    sl_file_care *care = &file->care;
    *more = false;
    if (sl_server_history_in_unit(file->history)) {
        *more = sl_server_file_caring(file);
        return true;
    }
    if (care->compactor) return step_run(file, more, st);
    /* Cheap, and the way a store that cannot go on is noticed while nothing else is done. */
    if (!file->store->vtbl->sync(file->store, st)) return false;
    if (is_due(file)) return begin_run(file, more, st);
    int64_t passed = now_s(file) - care->touched;
    bool fresh = passed >= 0 && passed < TOUCH_INTERVAL && care->departure_count < MANY_DEPARTURES;
    return fresh || touch(file, st);
}

void sl_server_file_compact(sl_server_file *file, int64_t client_ttl) {
    file->care.asked = true;
    file->care.ttl = client_ttl;
}

bool sl_server_file_caring(const sl_server_file *file) {
    return file->care.compactor || file->care.asked;
}

sl_care_report sl_server_file_care_report(const sl_server_file *file) {
    return file->care.report;
}
