/* http_client.h - one HTTP/1.1 request, one answer. */
#ifndef SL_NET_HTTP_CLIENT_H
#define SL_NET_HTTP_CLIENT_H

#include "net/http_head.h"
#include "net/loop.h"
#include "net/tls.h"

typedef struct sl_http_call sl_http_call;

typedef struct sl_http_call_options {
    const char *url;              /* http, https (or the other schemes of url.h) */
    const char *method;           /* NULL = GET */
    const sl_http_header *fields; /* further header fields */
    size_t count;
    sl_str body;        /* with a length, also when empty, unless the method is GET or HEAD */
    sl_tls_client tls;  /* used for the schemes with TLS */
    int timeout_ms;     /* for all of it; 0 = 60 s */
    size_t max_body;    /* of the answer; 0 = 16 MiB */
    bool public_only;   /* see sl_stream_options */
    const char *socket; /* likewise */
} sl_http_call_options;

/* Sends the request over a connection of its own; redirects are not followed. `on_done` runs once,
 * inside a step: either `head` and `body` (borrowed) and `why` NULL, whatever the HTTP status, or
 * `head` NULL and `why` (SL_ERR_CONNECTION with a code of stream.h; SL_ERR_MEMORY). `options`
 * borrowed for the call. NULL: SL_ERR_USAGE, SL_ERR_CONNECTION (CA file), SL_ERR_MEMORY. */
sl_http_call *sl_http_call_new(sl_loop *loop, const sl_http_call_options *options,
                               void (*on_done)(void *ctx, const sl_http_head *head, sl_str body,
                                               const sl_status *why),
                               void *ctx, sl_status *st);
/* Gives up before on_done, which is not called any more. */
void sl_http_call_cancel(sl_http_call *call);

#endif
