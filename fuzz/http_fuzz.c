/* HTTP heads and bodies as requests (first byte even) or answers; pieces by the second byte. What
 * is accepted whole must be accepted in pieces, with the same body size. */
#include <stdlib.h>

#include "net/http_reader.h"
#include "net/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sl_http_event run(bool request, const char *text, size_t size, size_t step, size_t *body) {
    sl_http_reader reader;
    sl_http_event end = SL_HTTP_MORE;
    sl_http_limits limits = {512, 2048, 20, 1024};
    sl_http_reader_init(&reader, request, &limits, NULL);
    *body = 0;
    for (size_t at = 0; at < size && end == SL_HTTP_MORE; at += step) {
        const char *piece = text + at;
        size_t left = size - at < step ? size - at : step;
        for (bool more = true; more;) {
            sl_http_event e = sl_http_reader_feed(&reader, &piece, &left, NULL);
            if (e == SL_HTTP_BODY) *body += reader.piece.size;
            if (e == SL_HTTP_MORE) more = left > 0;
            if (e == SL_HTTP_HEAD && request && reader.head.websocket)
                sl_ws_check_request(&reader.head, NULL);
            if (e == SL_HTTP_DONE || e == SL_HTTP_FAILED) {
                end = e;
                more = false;
            }
        }
    }
    sl_http_reader_free(&reader);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    bool request = (data[0] & 1) == 0;
    size_t step = data[1] ? data[1] : 1, body, body2;
    sl_http_event whole = run(request, (const char *)data + 2, size - 2, SIZE_MAX / 2, &body);
    sl_http_event parts = run(request, (const char *)data + 2, size - 2, step, &body2);
    if (whole == SL_HTTP_DONE && (parts != SL_HTTP_DONE || body != body2)) abort();
    if (parts == SL_HTTP_DONE && whole != SL_HTTP_DONE) abort();
    return 0;
}
