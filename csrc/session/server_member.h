/* server_member.h - how a session stands in its server file. Private to this room. */
#ifndef SL_SESSION_SERVER_MEMBER_H
#define SL_SESSION_SERVER_MEMBER_H

#include "session/server_file.h"

typedef struct sl_file_member sl_file_member;

/* What a file tells a session. None of them may call back into the file, except leave. */
typedef struct sl_member_vtbl {
    /* The ident it asked for, now durable. */
    void (*ident)(sl_file_member *member, uint64_t ident, int64_t salt);
    /* The ident for an indirect client, now durable. */
    void (*alloc)(sl_file_member *member, uint64_t ident);
    /* New versions are exposed. */
    void (*news)(sl_file_member *member);
    /* Its upload was refused with a session-level error number. */
    void (*failed)(sl_file_member *member, int code, bool repeated, const char *text);
    /* Another connection has bound the same client file. */
    void (*superseded)(sl_file_member *member);
    /* The file closes; the member has left already. */
    void (*closing)(sl_file_member *member);
} sl_member_vtbl;

/* Part of a session. `file` is NULL when it belongs to none; `ident` is 0 until IDENT was accepted;
 * `progress` and `feature_level` (7.6) are what the client's row says then. */
struct sl_file_member {
    const sl_member_vtbl *vtbl;
    sl_server_file *file;
    sl_file_member *next, *previous;
    uint64_t ident;
    sl_cursor progress;
    uint64_t feature_level;
};

void sl_file_member_join(sl_file_member *member, sl_server_file *file);
/* Also forgets its requests for idents; uploads stay queued. No effect without a file. */
void sl_file_member_leave(sl_file_member *member);
/* Makes it the one session of `ident`. `threshold`: what the queue will have made of `row`'s
 * progress (3.4, end). */
void sl_file_member_identify(sl_file_member *member, const sl_client_file *row,
                             sl_cursor *threshold);
/* The member bound to `ident`, or NULL. */
sl_file_member *sl_server_file_member(const sl_server_file *file, uint64_t ident);

/* Notes that `user` (or client file `ident`, if it is empty) needs a client reset because of a bad
 * changeset; true if it did before, since the file was opened. */
bool sl_server_file_note_trouble(sl_server_file *file, sl_str user, uint64_t ident);

/* Queues a request for an ident. `user` copied. type SL_CLIENT_INDIRECT: for a client of `proxy`.
 */
bool sl_file_member_request_ident(sl_file_member *member, uint8_t type, uint64_t proxy, sl_str user,
                                  sl_status *st);

/* What one UPLOAD adds to the queue. `entries` iterates over all entries; those up to `skip` were
 * integrated before and are left out. */
typedef struct sl_queued_upload {
    sl_str entries; /* borrowed; checked before, so it parses */
    uint64_t skip;
    sl_cursor progress;
    uint64_t locked;
} sl_queued_upload;

/* Copies it into the queue. Fails with SL_ERR_PROTOCOL code 100 when the backlog is full, or
 * SL_ERR_MEMORY; the queue is then unchanged. */
bool sl_file_member_upload(sl_file_member *member, const sl_queued_upload *upload, sl_status *st);

#endif
