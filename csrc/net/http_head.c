#include "net/http_head.h"

#include <http_parser.h>
#include <strings.h>

const sl_http_limits sl_http_default_limits = {16 * 1024, 32 * 1024, 100, 1024 * 1024};

enum { BAD = 400, TOO_LONG = 414, TOO_LARGE = 431, NOT_SUPPORTED = 501, BAD_VERSION = 505 };

static bool refuse(sl_status *st, int status, const char *why) {
    return sl_fail_code(st, SL_ERR_CONNECTION, status, "HTTP: %s", why);
}

/* ---- finding the end ------------------------------------------------------------------------- */

size_t sl_http_head_find(const char *data, size_t size, bool request, const sl_http_limits *limits,
                         size_t *scanned, sl_status *st) {
    size_t at = *scanned;
    const char *newline;
    if (size > 0 && (unsigned char)data[0] <= ' ') {
        refuse(st, BAD, "the message starts with white space");
        return SIZE_MAX;
    }
    while (at < size && (newline = memchr(data + at, '\n', size - at))) {
        at = (size_t)(newline - data);
        if (at == 0 || data[at - 1] != '\r') {
            refuse(st, BAD, "a line ends without CR");
            return SIZE_MAX;
        }
        if (at >= 3 && data[at - 2] == '\n') return at + 1;
        at++;
    }
    *scanned = size;
    const char *first = memchr(data, '\n', size);
    size_t line = first ? (size_t)(first - data) + 1 : size;
    if (line > limits->request_line) {
        refuse(st, request ? TOO_LONG : BAD, "the first line is too long");
        return SIZE_MAX;
    }
    if (size - line > limits->head) {
        refuse(st, TOO_LARGE, "the header fields are too large");
        return SIZE_MAX;
    }
    return 0;
}

/* ---- what the packaged parser tells ---------------------------------------------------------- */

typedef struct collector {
    sl_http_head *head;
    size_t capacity;
    bool in_value;
} collector;

static void extend(sl_str *s, const char *at, size_t size) {
    if (s->data)
        s->size += (uint32_t)size;
    else
        *s = sl_str_of(at, size);
}

static int on_url(http_parser *p, const char *at, size_t size) {
    collector *c = p->data;
    extend(&c->head->target, at, size);
    return 0;
}

static int on_status(http_parser *p, const char *at, size_t size) {
    collector *c = p->data;
    extend(&c->head->reason, at, size);
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t size) {
    collector *c = p->data;
    if (c->in_value || c->head->count == 0) {
        if (c->head->count == c->capacity) return 1;
        c->head->fields[c->head->count++] = (sl_http_header){{NULL, 0, 0}, {NULL, 0, 0}};
        c->in_value = false;
    }
    extend(&c->head->fields[c->head->count - 1].name, at, size);
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t size) {
    collector *c = p->data;
    if (c->head->count == 0) return 1;
    c->in_value = true;
    extend(&c->head->fields[c->head->count - 1].value, at, size);
    return 0;
}

static int on_complete(http_parser *p) {
    collector *c = p->data;
    c->head->status = p->status_code;
    c->head->minor = p->http_minor;
    if (c->head->request) {
        const char *name = http_method_str((enum http_method)p->method);
        c->head->method = sl_str_c(name);
    }
    c->head->keep_alive = http_should_keep_alive(p) != 0;
    return 1; /* the body is read elsewhere */
}

/* ---- our own checks -------------------------------------------------------------------------- */

static sl_str trim(sl_str s) {
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = sl_str_of(s.data + 1, s.size - 1);
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

/* What the packaged parser forgives. *fields becomes the number of header lines. */
static bool check_lines(const char *data, size_t size, const sl_http_limits *limits, bool request,
                        size_t *fields, sl_status *st) {
    size_t lines = 0, at = 0;
    if (memchr(data, '\0', size)) return refuse(st, BAD, "a NUL byte");
    while (at < size) {
        const char *newline = memchr(data + at, '\n', size - at);
        size_t end = newline ? (size_t)(newline - data) : size;
        if (end == size || end == at || data[end - 1] != '\r')
            return refuse(st, BAD, "a line ends without CR");
        if (memchr(data + at, '\r', end - at - 1)) return refuse(st, BAD, "CR inside a line");
        if (lines == 0 && end + 1 > limits->request_line)
            return refuse(st, request ? TOO_LONG : BAD, "the first line is too long");
        if (lines > 0 && (data[at] == ' ' || data[at] == '\t'))
            return refuse(st, BAD, "a folded header line");
        if (lines == 0 && size - (end + 1) > limits->head)
            return refuse(st, TOO_LARGE, "the header fields are too large");
        at = end + 1;
        lines++;
    }
    if (lines < 2) return refuse(st, BAD, "the head is not complete");
    *fields = lines - 2; /* without the first line and the empty one */
    return *fields <= limits->fields || refuse(st, TOO_LARGE, "too many header fields");
}

/* Method, target and version, one blank between them. */
static bool two_blanks(const char *line) {
    size_t blanks = 0;
    for (; *line != '\r'; line++) {
        if (*line == '\t') return false;
        if (*line == ' ') blanks++;
    }
    return blanks == 2;
}

static bool read_length(sl_str value, uint64_t *length) {
    uint64_t n = 0;
    if (value.size == 0 || value.size > 15) return false;
    for (uint32_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return false;
        n = n * 10 + (uint64_t)(value.data[i] - '0');
    }
    *length = n;
    return true;
}

static bool check_body_fields(sl_http_head *h, sl_status *st) {
    unsigned lengths = 0, codings = 0, hosts = 0;
    for (size_t i = 0; i < h->count; i++) {
        sl_http_header *f = &h->fields[i];
        f->value = trim(f->value);
        if (sl_http_same(f->name, "Content-Length")) {
            if (!read_length(f->value, &h->length)) return refuse(st, BAD, "bad Content-Length");
            h->has_length = true;
            lengths++;
        } else if (sl_http_same(f->name, "Transfer-Encoding")) {
            if (!sl_http_same(f->value, "chunked"))
                return refuse(st, NOT_SUPPORTED, "a transfer coding other than chunked");
            h->chunked = true;
            codings++;
        } else if (sl_http_same(f->name, "Host")) {
            if (hosts++ == 0 && h->authority.size == 0) h->authority = f->value;
        } else if (sl_http_same(f->name, "Expect") && sl_http_same(f->value, "100-continue")) {
            h->expect_continue = h->minor >= 1;
        }
    }
    if (lengths > 1 || codings > 1) return refuse(st, BAD, "a repeated body length");
    if (lengths && codings) return refuse(st, BAD, "both Content-Length and Transfer-Encoding");
    if (codings && h->minor == 0) return refuse(st, BAD, "Transfer-Encoding in HTTP/1.0");
    if (h->request && (hosts > 1 || (hosts == 0 && h->minor >= 1)))
        return refuse(st, BAD, "exactly one Host is needed");
    return true;
}

static bool split_target(sl_http_head *h, sl_status *st) {
    struct http_parser_url url;
    sl_str t = h->target;
    if (t.size == 1 && t.data[0] == '*' && sl_http_same(h->method, "OPTIONS")) {
        h->path = t;
        return true;
    }
    if (sl_http_same(h->method, "CONNECT")) return refuse(st, NOT_SUPPORTED, "CONNECT");
    http_parser_url_init(&url);
    /* A path that begins with two slashes is a path here, not an authority: old clients send it
     * (protocol/5-app-services-http.md, 2.1). */
    if (http_parser_parse_url(t.data, t.size, 0, &url) != 0)
        return refuse(st, BAD, "a malformed target");
    if (url.field_set & ((1 << UF_FRAGMENT) | (1 << UF_USERINFO)))
        return refuse(st, BAD, "a fragment or user info in the target");
    if (url.field_set & (1 << UF_HOST)) {
        size_t start = url.field_data[UF_HOST].off, end = start + url.field_data[UF_HOST].len;
        if (start > 0 && t.data[start - 1] == '[') start--;
        if (end < t.size && t.data[end] == ']') end++;
        if (url.field_set & (1 << UF_PORT))
            end = (size_t)url.field_data[UF_PORT].off + url.field_data[UF_PORT].len;
        h->authority = sl_str_of(t.data + start, end - start);
    }
    h->path = url.field_set & (1 << UF_PATH)
                  ? sl_str_of(t.data + url.field_data[UF_PATH].off, url.field_data[UF_PATH].len)
                  : SL_STR("/");
    if (url.field_set & (1 << UF_QUERY))
        h->query = sl_str_of(t.data + url.field_data[UF_QUERY].off, url.field_data[UF_QUERY].len);
    if (h->path.data[0] != '/') return refuse(st, BAD, "a target that is no path");
    return true;
}

static void judge_upgrade(sl_http_head *h) {
    bool asks = sl_http_head_has_token(h, "Connection", "upgrade") &&
                sl_http_head_has_token(h, "Upgrade", "websocket");
    if (h->request)
        h->websocket = asks && h->minor >= 1 && sl_http_same(h->method, "GET") &&
                       sl_http_head_get(h, "Sec-WebSocket-Key") && !h->chunked && h->length == 0;
    else
        h->websocket = asks && h->status == 101;
}

static bool run_parser(sl_http_head *h, const char *data, size_t size, size_t lines,
                       sl_status *st) {
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_status = on_status,
                                                  .on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_complete};
    http_parser parser;
    collector c = {h, lines, true};
    http_parser_init(&parser, h->request ? HTTP_REQUEST : HTTP_RESPONSE);
    parser.data = &c;
    /* Length and coding are judged below; the packaged parser would give a vaguer answer. */
    parser.allow_chunked_length = 1;
    http_parser_execute(&parser, &settings, data, size);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    if (error == HPE_INVALID_VERSION) return refuse(st, BAD_VERSION, "not HTTP/1.0 or 1.1");
    if (error == HPE_INVALID_METHOD) return refuse(st, NOT_SUPPORTED, "an unknown method");
    if (error == HPE_INVALID_TRANSFER_ENCODING)
        return refuse(st, NOT_SUPPORTED, "a transfer coding other than chunked");
    if (error != HPE_OK && error != HPE_PAUSED)
        return refuse(st, BAD, http_errno_description(error));
    if (parser.http_major != 1) return refuse(st, BAD_VERSION, "not HTTP/1.0 or 1.1");
    return true;
}

bool sl_http_head_parse(sl_http_head *h, const sl_alloc *alloc, const char *data, size_t size,
                        bool request, const sl_http_limits *limits, sl_status *st) {
    memset(h, 0, sizeof *h);
    h->request = request;
    h->alloc = alloc;
    size_t lines = 0;
    if (!check_lines(data, size, limits, request, &lines, st)) return false;
    if (request && !two_blanks(data)) return refuse(st, BAD, "a malformed request line");
    h->fields = sl_new(alloc, (lines + 1) * sizeof *h->fields);
    if (!h->fields) return sl_fail_memory(st);
    bool ok = run_parser(h, data, size, lines, st);
    if (ok && request) ok = split_target(h, st);
    if (ok) ok = check_body_fields(h, st);
    if (ok)
        judge_upgrade(h);
    else
        sl_http_head_free(h);
    return ok;
}

void sl_http_head_free(sl_http_head *h) {
    if (h->fields) sl_delete(h->alloc, h->fields);
    memset(h, 0, sizeof *h);
}

/* ---- questions ------------------------------------------------------------------------------- */

bool sl_http_same(sl_str a, const char *b) {
    return strlen(b) == a.size && (a.size == 0 || strncasecmp(a.data, b, a.size) == 0);
}

const sl_http_header *sl_http_head_get(const sl_http_head *h, const char *name) {
    for (size_t i = 0; i < h->count; i++)
        if (sl_http_same(h->fields[i].name, name)) return &h->fields[i];
    return NULL;
}

static bool list_has(sl_str list, const char *token) {
    uint32_t at = 0;
    while (at <= list.size) {
        const char *comma = at < list.size ? memchr(list.data + at, ',', list.size - at) : NULL;
        uint32_t end = comma ? (uint32_t)(comma - list.data) : list.size;
        if (end > at && sl_http_same(trim(sl_str_of(list.data + at, end - at)), token)) return true;
        at = end + 1;
    }
    return false;
}

bool sl_http_head_has_token(const sl_http_head *h, const char *name, const char *token) {
    for (size_t i = 0; i < h->count; i++)
        if (sl_http_same(h->fields[i].name, name) && list_has(h->fields[i].value, token))
            return true;
    return false;
}

bool sl_http_valid_name(sl_str s) {
    static const char extra[] = "!#$%&'*+-.^_`|~";
    for (uint32_t i = 0; i < s.size; i++) {
        char c = s.data[i];
        bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && (c == '\0' || !strchr(extra, c))) return false;
    }
    return s.size > 0;
}

bool sl_http_valid_value(sl_str s) {
    for (uint32_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

const char *sl_http_reason(unsigned status) {
    switch (status) {
#define NAME(number, name, text)                                                                   \
    case number:                                                                                   \
        return #text;
        HTTP_STATUS_MAP(NAME)
#undef NAME
    default:
        return "Status";
    }
}
