#include "net/http_reader.h"

enum { IN_HEAD, AFTER_HEAD, BY_LENGTH, BY_CHUNKS, TO_THE_END, COMPLETE, BROKEN };

enum { BAD = 400, TOO_LARGE = 413 };

void sl_http_reader_init(sl_http_reader *r, bool request, const sl_http_limits *limits,
                         const sl_alloc *alloc) {
    memset(r, 0, sizeof *r);
    r->request = request;
    r->limits = limits ? *limits : sl_http_default_limits;
    sl_buf_init(&r->bytes, alloc);
}

void sl_http_reader_free(sl_http_reader *r) {
    sl_http_head_free(&r->head);
    sl_buf_free(&r->bytes);
}

void sl_http_reader_next(sl_http_reader *r) {
    sl_http_head_free(&r->head);
    sl_buf_free(&r->bytes); /* an idle connection keeps nothing */
    r->state = IN_HEAD;
    r->no_body = false;
    r->scanned = 0;
    r->left = r->seen = 0;
}

static sl_http_event broken(sl_http_reader *r) {
    r->state = BROKEN;
    return SL_HTTP_FAILED;
}

static void take(const char **data, size_t *size, size_t n) {
    *data += n;
    *size -= n;
}

/* ---- head ------------------------------------------------------------------------------------ */

static sl_http_event read_head(sl_http_reader *r, const char **data, size_t *size, sl_status *st) {
    size_t before = r->bytes.size;
    /* Empty lines before a request are forgiven (RFC 9112, 2.2). */
    while (before == 0 && r->request && *size > 0 && (**data == '\r' || **data == '\n'))
        take(data, size, 1);
    if (*size == 0) return SL_HTTP_MORE;
    size_t room = r->limits.request_line + r->limits.head + 1 - before;
    size_t n = *size < room ? *size : room;
    sl_buf_add(&r->bytes, *data, n);
    if (r->bytes.failed) {
        sl_fail_memory(st);
        return broken(r);
    }
    size_t end =
        sl_http_head_find(r->bytes.data, r->bytes.size, r->request, &r->limits, &r->scanned, st);
    if (end == SIZE_MAX) return broken(r);
    if (end == 0) {
        take(data, size, n);
        return SL_HTTP_MORE;
    }
    take(data, size, end - before);
    r->bytes.size = end;
    if (!sl_http_head_parse(&r->head, r->bytes.alloc, r->bytes.data, end, r->request, &r->limits,
                            st))
        return broken(r);
    r->state = AFTER_HEAD;
    return SL_HTTP_HEAD;
}

/* ---- body ------------------------------------------------------------------------------------ */

/* The packaged parser undoes the chunks; it is led to the body by a head of our own making. */
static bool start_chunks(sl_http_reader *r) {
    static const char lead[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const http_parser_settings settings;
    http_parser_init(&r->chunks, HTTP_REQUEST);
    http_parser_execute(&r->chunks, &settings, lead, sizeof lead - 1);
    return HTTP_PARSER_ERRNO(&r->chunks) == HPE_OK;
}

static bool answer_without_body(const sl_http_reader *r) {
    unsigned status = r->head.status;
    return !r->request && (r->no_body || status < 200 || status == 204 || status == 304);
}

static bool too_large(sl_status *st, size_t limit) {
    return sl_fail_code(st, SL_ERR_CONNECTION, TOO_LARGE, "HTTP: the body exceeds %zu bytes",
                        limit);
}

static sl_http_event after_head(sl_http_reader *r, sl_status *st) {
    const sl_http_head *h = &r->head;
    if (h->websocket || answer_without_body(r)) {
        r->state = COMPLETE;
    } else if (h->chunked) {
        if (!start_chunks(r)) return broken(r);
        r->state = BY_CHUNKS;
    } else if (h->has_length) {
        if (h->length > r->limits.body) {
            too_large(st, r->limits.body);
            return broken(r);
        }
        r->left = h->length;
        r->state = r->left ? BY_LENGTH : COMPLETE;
    } else {
        /* Neither length nor coding: no body in a request (protocol/5-app-services-http.md, 2.1),
         * everything until the end in an answer. */
        r->state = r->request ? COMPLETE : TO_THE_END;
    }
    return r->state == COMPLETE ? SL_HTTP_DONE : SL_HTTP_MORE;
}

static sl_http_event body_piece(sl_http_reader *r, const char *at, size_t size, sl_status *st) {
    r->seen += size;
    if (r->seen > r->limits.body) {
        too_large(st, r->limits.body);
        return broken(r);
    }
    r->piece = sl_str_of(at, size);
    return SL_HTTP_BODY;
}

static int on_chunk_data(http_parser *p, const char *at, size_t size) {
    sl_http_reader *r = p->data;
    r->piece = sl_str_of(at, size);
    http_parser_pause(p, 1);
    return 0;
}

static int on_chunks_end(http_parser *p) {
    sl_http_reader *r = p->data;
    r->state = COMPLETE;
    http_parser_pause(p, 1);
    return 0;
}

static sl_http_event read_chunks(sl_http_reader *r, const char **data, size_t *size,
                                 sl_status *st) {
    static const http_parser_settings settings = {.on_body = on_chunk_data,
                                                  .on_message_complete = on_chunks_end};
    r->piece = sl_str_of(NULL, 0);
    r->chunks.data = r;
    size_t n = http_parser_execute(&r->chunks, &settings, *data, *size);
    enum http_errno error = HTTP_PARSER_ERRNO(&r->chunks);
    if (error == HPE_PAUSED) {
        http_parser_pause(&r->chunks, 0);
    } else if (error != HPE_OK) {
        sl_fail_code(st, SL_ERR_CONNECTION, BAD, "HTTP: %s", http_errno_description(error));
        return broken(r);
    }
    take(data, size, n);
    if (r->piece.size > 0) return body_piece(r, r->piece.data, r->piece.size, st);
    return r->state == COMPLETE ? SL_HTTP_DONE : SL_HTTP_MORE;
}

sl_http_event sl_http_reader_feed(sl_http_reader *r, const char **data, size_t *size,
                                  sl_status *st) {
    if (r->state == AFTER_HEAD) {
        sl_http_event event = after_head(r, st);
        if (event != SL_HTTP_MORE) return event;
    }
    switch (r->state) {
    case IN_HEAD:
        return *size ? read_head(r, data, size, st) : SL_HTTP_MORE;
    case BY_LENGTH: {
        if (*size == 0) return SL_HTTP_MORE;
        if (r->left == 0) {
            r->state = COMPLETE;
            return SL_HTTP_DONE;
        }
        size_t n = *size < r->left ? *size : (size_t)r->left;
        const char *at = *data;
        take(data, size, n);
        r->left -= n;
        if (r->left == 0) r->state = COMPLETE;
        return body_piece(r, at, n, st);
    }
    case BY_CHUNKS:
        return *size ? read_chunks(r, data, size, st) : SL_HTTP_MORE;
    case TO_THE_END: {
        if (*size == 0) return SL_HTTP_MORE;
        const char *at = *data;
        size_t n = *size;
        take(data, size, n);
        return body_piece(r, at, n, st);
    }
    case COMPLETE:
        return SL_HTTP_DONE;
    default:
        sl_fail_code(st, SL_ERR_CONNECTION, BAD, "HTTP: the message was refused before");
        return SL_HTTP_FAILED;
    }
}

bool sl_http_reader_eof(sl_http_reader *r, sl_status *st) {
    if (r->state == TO_THE_END) {
        r->state = COMPLETE;
        return true;
    }
    if (r->state == COMPLETE) return true;
    return sl_fail_code(st, SL_ERR_CONNECTION, BAD, "HTTP: the message ends too early");
}

bool sl_http_reader_idle(const sl_http_reader *r) {
    return r->state == IN_HEAD && r->bytes.size == 0;
}
