/* server_file_private.h - the inside of a server file: its queue. Private to this room. */
#ifndef SL_SESSION_SERVER_FILE_PRIVATE_H
#define SL_SESSION_SERVER_FILE_PRIVATE_H

#include "session/server_member.h"

/* A wish for an ident. `member` is NULL once its session is gone; the ident is then wasted, or not
 * made at all. */
typedef struct sl_ident_request {
    struct sl_ident_request *next;
    sl_file_member *member;
    uint64_t proxy;
    uint64_t made; /* result of the open unit */
    int64_t salt;
    uint8_t type;
    uint32_t user_size;
    char user[];
} sl_ident_request;

/* A serialized transaction that waits: behind the first `before` entries of its client's work,
 * whose progress is `progress` and `locked`. `member` is who is told. */
typedef struct sl_queued_transact {
    sl_server_transact request;
    sl_file_member *member;
    size_t before;
    sl_cursor progress;
    uint64_t locked;
    sl_server_verdict verdict; /* result of the open unit */
} sl_queued_transact;

/* Everything of one client that waits, behind `done` entries that earlier units have taken. Entries
 * and `transact` (or NULL) point into the arena. `bytes` is what waits, `done_bytes` the size of
 * the changesets that are done and still in memory. With a serialized transaction nothing is cut.
 */
typedef struct sl_client_work {
    struct sl_client_work *next;
    uint64_t ident;
    sl_upload_entry *entries;
    size_t count, capacity;
    sl_arena arena;
    sl_cursor progress;
    uint64_t locked;
    sl_schema_right schema; /* the least of those its uploads came with */
    sl_queued_transact *transact;
    uint64_t bytes, done_bytes;
    size_t done, piece; /* `piece` entries are in the unit at hand, if `chosen` */
    bool chosen;
} sl_client_work;

/* A client that was left out of a unit. */
typedef struct sl_work_failure {
    struct sl_work_failure *next;
    uint64_t ident;
    int code;
    sl_refusal kind;
    char text[240];
} sl_work_failure;

/* A client that has gone; its row learns of it with the next care. */
typedef struct sl_departure {
    uint64_t ident;
    int64_t seen;
} sl_departure;

/* See file_care.c. Times are wall clock seconds. */
typedef struct sl_file_care {
    sl_compactor *compactor; /* the run at hand */
    bool asked;              /* for a run */
    int64_t ttl;             /* of the run asked for; -1 = that of the options */
    int64_t last;            /* run; 0 = never */
    int64_t pause;           /* this time, from one run to the next */
    int64_t touched;         /* when the rows were last told who is there */
    sl_departure *departures;
    size_t departure_count, departure_capacity;
    sl_care_report report;
} sl_file_care;

/* How long work waits for company. */
enum {
    SL_COMPANY_WAIT_MS = 2,   /* an upload while uploads stream in */
    SL_STREAM_MS = 30,        /* so long after a unit of several uploads they do */
    SL_PROGRESS_WAIT_MS = 50, /* mere progress, which nobody asks for */
};

/* Invariants: `work` ascends by ident; `backlog` is the sum of its bytes; `uploads` counts the
 * messages with changesets among it. */
struct sl_server_file {
    sl_server_file_options options;
    sl_store *store;
    sl_realm *realm;
    sl_server_history *history;
    sl_file_member *members;
    size_t member_count;
    sl_ident_request *requests; /* in order of arrival */
    sl_client_work *work;
    sl_work_failure *failures;
    uint64_t backlog;
    size_t uploads;   /* that wait */
    int64_t since_ms; /* when the first of the most urgent that waits came */
    int64_t stream_until_ms;
    uint64_t turn, last_chosen; /* clients behind `turn` come first in the next unit */
    bool cut;                   /* the last unit has left something */
    size_t narrow;    /* changesets in a unit, until the one that spoils units is found; 0 = any */
    unsigned strikes; /* failures for want of memory of a unit that cannot be smaller */
    /* Hashes of users (or idents, without users) that have sent a bad changeset: the second time
     * recovery is switched off, because it would send the same again. */
    uint64_t *offenders;
    size_t offender_count;
    bool making_state; /* the store makes a state, and the host has been told */
    bool state_recent; /* the kept state was made since the file was opened */
    sl_file_care care;
};

/* ---- work_piece.c ---------------------------------------------------------------------------- */

/* Chooses what goes into the next unit. */
void sl_work_choose(sl_server_file *file);
/* The chosen part of a client's work as an upload; without its serialized transaction. */
sl_server_upload sl_work_piece(const sl_client_work *work);
/* After a chosen unit failed: lets the next ones have half its changesets. False: it had one. */
bool sl_work_narrow(sl_server_file *file);
/* After a unit succeeded. */
void sl_work_widen(sl_server_file *file);
/* After the commit: true if nothing of it is left, so that it may be dropped. */
bool sl_work_settle(sl_server_file *file, sl_client_work *work);

/* ---- file_care.c ----------------------------------------------------------------------------- */

bool sl_file_care_open(sl_server_file *file, sl_status *st);
/* Keeps what can be kept. */
void sl_file_care_close(sl_server_file *file);
/* Notes that a client leaves, if its row says nothing like it. Without memory nothing is noted. */
void sl_file_care_depart(sl_server_file *file, const sl_file_member *member);

/* Each frees *link and moves it on. */
void sl_ident_request_drop(sl_server_file *file, sl_ident_request **link);
void sl_client_work_drop(sl_server_file *file, sl_client_work **link);
void sl_work_failures_clear(sl_server_file *file);

#endif
