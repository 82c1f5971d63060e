/* Reception of UPLOAD (protocol/4-history-and-sessions.md, 3.5 and 6.1) and TRANSACT
 * (protocol/1-wire.md, 4.14). */
#include "protocol/entries.h"
#include "session/server_private.h"

/* What the checks of one message share. */
typedef struct upload_check {
    const sl_server_session *session;
    sl_cursor progress;
    sl_cursor last; /* cursor of the entry before; starts at P */
    size_t fresh;   /* entries that were not integrated before */
} upload_check;

static bool refuse(sl_status *st, int code, const char *why) {
    return sl_fail_code(st, SL_ERR_SESSION, code, "UPLOAD: %s", why);
}

static bool check_header(const upload_check *check, uint64_t locked, sl_status *st) {
    const sl_server_session *s = check->session;
    if (check->progress.own < s->upload.own)
        return refuse(st, 210, "the progress client version went back");
    if (check->progress.other > s->download.own)
        return refuse(st, 209, "the progress server version was never sent");
    if (!sl_cursor_consistent(check->progress) ||
        !sl_cursor_agrees(check->progress, s->threshold) ||
        !sl_cursor_agrees(check->progress, s->upload))
        return refuse(st, 209, "the progress contradicts an earlier one");
    if (locked < s->locked) return refuse(st, 209, "the locked server version went back");
    if (locked > s->download.own)
        return refuse(st, 209, "the locked server version was never sent");
    return true;
}

static bool check_entry(upload_check *check, const sl_upload_entry *entry, sl_status *st) {
    const sl_server_session *s = check->session;
    sl_cursor cursor = {entry->client_version, entry->server_version};
    if (cursor.own <= check->last.own) return refuse(st, 210, "a client version does not grow");
    if (!sl_cursor_consistent(cursor) || !sl_cursor_agrees(cursor, check->last) ||
        !sl_cursor_agrees(cursor, s->threshold))
        return refuse(st, 209, "a changeset's position contradicts an earlier one");
    check->last = cursor;
    if (cursor.own > s->threshold.own) check->fresh++;
    return true;
}

static bool check_entries(upload_check *check, sl_str entries, sl_status *st) {
    sl_entry_reader reader;
    sl_upload_entry entry;
    bool more = true;
    sl_entry_reader_init(&reader, entries);
    for (;;) {
        if (!sl_entry_reader_upload(&reader, &entry, &more, st)) return false;
        if (!more) break;
        if (!check_entry(check, &entry, st)) return false;
    }
    if (entries.size == 0) return true;
    if (check->last.own > check->progress.own)
        return refuse(st, 210, "a client version lies beyond the progress");
    if (!sl_cursor_agrees(check->last, check->progress))
        return refuse(st, 209, "the last changeset's position contradicts the progress");
    return true;
}

static sl_schema_right schema_right(const sl_server_session *s) {
    return s->access == SL_ACCESS_WRITE            ? SL_SCHEMA_OWNER
           : s->access == SL_ACCESS_WRITE_ADDITIVE ? SL_SCHEMA_ADDITIVE
                                                   : SL_SCHEMA_LOCKED;
}

static bool queue(sl_server_session *s, const upload_check *check, sl_str entries, uint64_t locked,
                  sl_status *st) {
    sl_queued_upload upload = {entries, s->threshold.own, check->progress, locked, schema_right(s)};
    if (check->fresh && s->access < SL_ACCESS_WRITE_OBJECTS)
        return sl_fail_code(st, SL_ERR_SESSION, 230, "the user may not write to this partition");
    if (check->progress.own <= s->threshold.own) {
        if (locked <= s->locked) return true; /* nothing new */
        upload.progress = s->threshold;
    }
    return sl_file_member_upload(&s->member, &upload, st);
}

static bool process(sl_server_session *s, const sl_msg_upload *msg, sl_status *st) {
    sl_server_connection *c = s->connection;
    upload_check check = {s, {msg->progress_cv, msg->progress_sv}, s->upload, 0};
    sl_str entries;
    if (!sl_body_open(&msg->body, c->options.max_inflated, &c->inflated, &entries, st) ||
        !check_header(&check, msg->locked_sv, st) || !check_entries(&check, entries, st) ||
        !queue(s, &check, entries, msg->locked_sv, st))
        return false;
    s->upload = check.progress;
    s->locked = msg->locked_sv;
    return true;
}

bool sl_server_session_upload(sl_server_session *session, const sl_msg_upload *msg, sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    bool ok = process(session, msg, &why);
    sl_buf_free(&session->connection->inflated); /* large uploads are rare; idle memory is not */
    if (ok || sl_server_session_fail_with(session, &why)) return true;
    if (st) *st = why;
    return false;
}

/* ---- TRANSACT -------------------------------------------------------------------------------- */

/* Everything up to the client version was uploaded before, everything behind it comes after. */
static bool check_transact(const sl_server_session *s, const sl_msg_client_transact *msg,
                           sl_status *st) {
    sl_cursor known = s->upload.own > s->threshold.own ? s->upload : s->threshold;
    if (s->access < SL_ACCESS_WRITE_OBJECTS)
        return sl_fail_code(st, SL_ERR_SESSION, 230, "the user may not write to this partition");
    if (msg->client_version > known.own)
        return sl_fail_code(st, SL_ERR_SESSION, 221,
                            "TRANSACT: upload everything it is based on first");
    if (msg->client_version < known.own)
        return sl_fail_code(st, SL_ERR_SESSION, 210,
                            "TRANSACT: changes that it is not based on were uploaded before it");
    if (msg->server_version > s->download.own)
        return sl_fail_code(st, SL_ERR_SESSION, 209,
                            "TRANSACT: it is based on a server version that was never sent");
    if (msg->server_version < known.other)
        return sl_fail_code(st, SL_ERR_SESSION, 209,
                            "TRANSACT: its server version contradicts an earlier one");
    return true;
}

bool sl_server_session_transact(sl_server_session *s, const sl_msg_client_transact *msg,
                                sl_status *st) {
    sl_status why = SL_STATUS_INIT;
    if (s->transact_waits || s->transact_ready || s->transact_refused) {
        sl_server_connection_fail(s->connection, 109, "TRANSACT while another one waits");
        return true;
    }
    if (s->connection->options.switched_off & SL_FEATURE_TRANSACT) {
        s->transact_refused = true;
        sl_server_connection_enlist(s);
        return true;
    }
    sl_server_transact request = {.client_version = msg->client_version,
                                  .server_version = msg->server_version,
                                  .schema = schema_right(s),
                                  .changeset = msg->changeset};
    if (check_transact(s, msg, &why) && sl_file_member_transact(&s->member, &request, &why)) {
        s->transact_waits = true;
        return true;
    }
    if (sl_server_session_fail_with(s, &why)) return true;
    if (st) *st = why;
    return false;
}
