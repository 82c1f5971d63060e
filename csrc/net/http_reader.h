/* http_reader.h - HTTP/1.1 messages out of a stream of bytes, without I/O. */
#ifndef SL_NET_HTTP_READER_H
#define SL_NET_HTTP_READER_H

#include "base/buf.h"
#include "net/http_head.h"

#include <http_parser.h>

typedef enum sl_http_event {
    SL_HTTP_MORE,  /* all bytes taken, nothing complete yet */
    SL_HTTP_HEAD,  /* `head` is there */
    SL_HTTP_BODY,  /* `piece` of the body, borrowed from the input */
    SL_HTTP_DONE,  /* the message is complete (also after an upgrade head); bytes may be left */
    SL_HTTP_FAILED /* refused; code = HTTP status to answer with. The reader is of no use any more
                    */
} sl_http_event;

/* Invariant: `head` is valid from SL_HTTP_HEAD until sl_http_reader_next or _free. */
typedef struct sl_http_reader {
    bool request;
    bool no_body; /* set by the caller before or at SL_HTTP_HEAD: the answer to a HEAD request */
    int state;
    sl_http_limits limits; /* `body` may be changed at SL_HTTP_HEAD */
    sl_http_head head;
    sl_str piece;
    sl_buf bytes; /* what the head is made of */
    size_t scanned;
    uint64_t left, seen; /* body bytes to come (by length), so far */
    http_parser chunks;
} sl_http_reader;

/* `limits` NULL = sl_http_default_limits; `alloc` borrowed. Allocates nothing. */
void sl_http_reader_init(sl_http_reader *reader, bool request, const sl_http_limits *limits,
                         const sl_alloc *alloc);
void sl_http_reader_free(sl_http_reader *reader);
/* Takes bytes from the front of *data (which moves) up to the next event. After SL_HTTP_DONE call
 * sl_http_reader_next first. */
sl_http_event sl_http_reader_feed(sl_http_reader *reader, const char **data, size_t *size,
                                  sl_status *st);
/* Ready for the next message; the old head is gone. */
void sl_http_reader_next(sl_http_reader *reader);
/* The peer has ended its side. True if that completes the message (an answer without length). */
bool sl_http_reader_eof(sl_http_reader *reader, sl_status *st);
/* Whether nothing of a message has come yet. */
bool sl_http_reader_idle(const sl_http_reader *reader);

#endif
