/* server_member.h - how a session stands in its server file. Private to this room. */
#ifndef SL_SESSION_SERVER_MEMBER_H
#define SL_SESSION_SERVER_MEMBER_H

#include "history/server_transact.h"
#include "protocol/client_message.h"
#include "session/server_file.h"

typedef struct sl_file_member sl_file_member;

/* What can be said of a refused upload beside the number. */
typedef enum sl_refusal {
    SL_REFUSAL_USUAL,    /* what the number means */
    SL_REFUSAL_REPEATED, /* the same client or user failed with a bad changeset before */
    SL_REFUSAL_FINAL     /* the same would be refused again, and so would it be after a reset */
} sl_refusal;

/* What a file tells a session. None of them may call back into the file, except leave. */
typedef struct sl_member_vtbl {
    /* The ident it asked for, now durable. */
    void (*ident)(sl_file_member *member, uint64_t ident, int64_t salt);
    /* The ident for an indirect client, now durable. */
    void (*alloc)(sl_file_member *member, uint64_t ident);
    /* What became of its serialized transaction, durable if accepted. */
    void (*transacted)(sl_file_member *member, const sl_server_verdict *verdict);
    /* New versions are exposed. */
    void (*news)(sl_file_member *member);
    /* Its upload was refused with a session-level error number. */
    void (*failed)(sl_file_member *member, int code, sl_refusal kind, const char *text);
    /* Another connection has bound the same client file. */
    void (*superseded)(sl_file_member *member);
    /* It waited for a state: ask again (sl_file_member_state). */
    void (*state)(sl_file_member *member);
    /* The file closes; the member has left already. */
    void (*closing)(sl_file_member *member);
} sl_member_vtbl;

/* Part of a session. `file` is NULL when it belongs to none; `ident` is 0 until IDENT was accepted;
 * `progress`, `feature_level` (7.6) and `seen` are what the client's row says then. */
struct sl_file_member {
    const sl_member_vtbl *vtbl;
    sl_server_file *file;
    sl_file_member *next, *previous;
    uint64_t ident;
    sl_cursor progress;
    uint64_t feature_level;
    bool state_waits;  /* until a state has been made */
    bool state_reads;  /* it is being sent the kept state */
    bool state_denied; /* the state it waited for could not be made */
    int64_t seen;
};

/* What a client gets that has asked for a state. */
typedef enum sl_state_answer {
    SL_STATE_NONE, /* the empty STATE */
    SL_STATE_SOON, /* it is being made; the member will be told */
    SL_STATE_HERE
} sl_state_answer;

typedef struct sl_state_offer {
    sl_state_answer answer;
    sl_state_facts facts; /* HERE */
    uint64_t offset;      /* where to go on in its stream */
} sl_state_offer;

void sl_file_member_join(sl_file_member *member, sl_server_file *file);
/* Also forgets its requests for idents and its serialized transaction; uploads stay queued. No
 * effect without a file. */
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

/* Decides about a STATE_REQUEST. */
bool sl_file_member_state(sl_file_member *member, const sl_msg_state_request *request,
                          sl_state_offer *offer, sl_status *st);
/* Appends segments from offer->offset on, about `limit` octets of them; *found = false if the state
 * is no longer kept: ask again. */
bool sl_file_member_read_state(sl_file_member *member, const sl_state_offer *offer, size_t limit,
                               sl_buf *out, bool *found, sl_status *st);

/* What one UPLOAD adds to the queue. `entries` iterates over all entries; those up to `skip` were
 * integrated before and are left out. */
typedef struct sl_queued_upload {
    sl_str entries; /* borrowed; checked before, so it parses */
    uint64_t skip;
    sl_cursor progress;
    uint64_t locked;
    sl_schema_right schema;
} sl_queued_upload;

/* Copies it into the queue. Fails with SL_ERR_PROTOCOL code 100 when the backlog is full, or
 * SL_ERR_MEMORY; the queue is then unchanged. */
bool sl_file_member_upload(sl_file_member *member, const sl_queued_upload *upload, sl_status *st);

/* The same for a serialized transaction, which is decided behind everything queued so far and
 * before everything queued later; `ident` is put in. One at a time. */
bool sl_file_member_transact(sl_file_member *member, const sl_server_transact *request,
                             sl_status *st);

#endif
