/* http_head.h - the first part of an HTTP/1.1 message, checked strictly. */
#ifndef SL_NET_HTTP_HEAD_H
#define SL_NET_HTTP_HEAD_H

#include "base/alloc.h"
#include "base/status.h"
#include "base/str.h"

typedef struct sl_http_header {
    sl_str name, value; /* value without white space around it */
} sl_http_header;

/* Limits of protocol/5-app-services-http.md, 18, row 13. */
typedef struct sl_http_limits {
    size_t request_line; /* 16 KiB, CRLF included; beyond: 414 */
    size_t head;         /* 32 KiB for all header fields; beyond: 431 */
    size_t fields;       /* 100; beyond: 431 */
    size_t body;         /* 1 MiB; beyond: 413 */
} sl_http_limits;

extern const sl_http_limits sl_http_default_limits;

/* Views into the bytes the head was parsed from, which must outlive it. */
typedef struct sl_http_head {
    bool request;
    sl_str method;      /* requests */
    sl_str target;      /* as it came */
    sl_str path, query; /* path starts with '/', or is "*"; query without '?' */
    sl_str authority;   /* host[:port] of an absolute-form target, else of Host */
    unsigned status;    /* responses */
    sl_str reason;
    unsigned minor;         /* HTTP/1.minor */
    sl_http_header *fields; /* owned */
    size_t count;
    bool keep_alive; /* what version and Connection say */
    bool chunked, has_length;
    bool expect_continue;
    bool websocket; /* a complete RFC 6455 upgrade request, or a 101 answer */
    uint64_t length;
    const sl_alloc *alloc;
} sl_http_head;

/* Looks for the end of the head in `data`. Returns its size (with the empty line), 0 if it is not
 * there yet, or SIZE_MAX with `st` (code = HTTP status to answer) if it can be refused already.
 * *scanned is 0 at first and kept between calls with more data. */
size_t sl_http_head_find(const char *data, size_t size, bool request, const sl_http_limits *limits,
                         size_t *scanned, sl_status *st);

/* Parses `data`, exactly one head. Refuses (SL_ERR_CONNECTION, code = HTTP status to answer: 400,
 * 414, 431, 501, 505): bare CR or LF, folding, NUL, both Content-Length and Transfer-Encoding,
 * repeated ones, a coding other than chunked, a missing or repeated Host, a bad target. On failure
 * nothing is to be freed. `alloc` borrowed. */
bool sl_http_head_parse(sl_http_head *head, const sl_alloc *alloc, const char *data, size_t size,
                        bool request, const sl_http_limits *limits, sl_status *st);
void sl_http_head_free(sl_http_head *head);

/* The first field of that name (any case), or NULL. */
const sl_http_header *sl_http_head_get(const sl_http_head *head, const char *name);
/* Whether the comma list in the fields of that name has `token` (any case). */
bool sl_http_head_has_token(const sl_http_head *head, const char *name, const char *token);
/* Compare without regard to ASCII case. */
bool sl_http_same(sl_str a, const char *b);
/* Whether `s` can be sent as a field name, or as a field value. */
bool sl_http_valid_name(sl_str s);
bool sl_http_valid_value(sl_str s);
/* The usual phrase, or "Status". Static storage. */
const char *sl_http_reason(unsigned status);

#endif
