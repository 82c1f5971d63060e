/* status.h - why an operation failed: class, code, text and place. */
#ifndef SL_BASE_STATUS_H
#define SL_BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sl_status_class {
    SL_OK = 0,
    SL_ERR_USAGE,      /* the caller broke a contract; the text says which */
    SL_ERR_MEMORY,     /* an allocation failed; nothing was changed */
    SL_ERR_CHANGESET,  /* a changeset does not parse, merge or apply */
    SL_ERR_PROTOCOL,   /* a message or WebSocket frame is malformed or misplaced; `code` = error
                          number */
    SL_ERR_SESSION,    /* a session ended; `code` = protocol error number (2xx) */
    SL_ERR_CONNECTION, /* socket, TLS, HTTP or WebSocket; `code` = close code or HTTP status, or 0
                        */
    SL_ERR_STORAGE,    /* the store: damaged, locked, newer, full */
    SL_ERR_AUTH,       /* a token or password was refused */
    SL_ERR_INTERNAL    /* an invariant of ours does not hold */
} sl_status_class;

#define SL_STATUS_NO_OFFSET SIZE_MAX

/* Filled by a function that returns false (or NULL); untouched on success, so one status may be
 * passed through many calls. `id` is a short stable name from the protocol documents ("P-INT",
 * "A-BOUNDS", "S2", "V1") or "" if there is none. */
typedef struct sl_status {
    sl_status_class cls;
    int code;
    size_t offset; /* byte offset in the input, or SL_STATUS_NO_OFFSET */
    char id[16];
    char message[240];
} sl_status;

#define SL_STATUS_INIT                                                                             \
    { SL_OK, 0, SL_STATUS_NO_OFFSET, "", "" }

/* Fills `st` (borrowed, may be NULL) and returns false, so that it can be the operand of return.
 * `format` is printf-like; the text says what is wrong, where, and what to do. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
bool sl_fail(sl_status *st, sl_status_class cls, const char *id, const char *format, ...);

/* As sl_fail, with the byte offset in the input. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
bool sl_fail_at(sl_status *st, sl_status_class cls, const char *id, size_t offset,
                const char *format, ...);

/* As sl_fail, with a protocol error number, HTTP status or close code. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
bool sl_fail_code(sl_status *st, sl_status_class cls, int code, const char *format, ...);

/* Fills `st` with SL_ERR_MEMORY; returns false. */
bool sl_fail_memory(sl_status *st);

/* The lower-case name of a class: "ok", "usage", "memory", "changeset", ... Static storage. */
const char *sl_status_class_name(sl_status_class cls);

#endif
