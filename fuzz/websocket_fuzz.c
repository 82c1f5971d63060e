/* WebSocket frames, either role (first byte), in pieces by the second byte: the events must not
 * depend on the cuts, and nothing may be larger than the limit. */
#include <stdlib.h>

#include "net/system_env.h"
#include "net/ws_codec.h"

enum { LIMIT = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(bool server, const char *bytes, size_t size, size_t step) {
    sl_ws_codec codec;
    sl_status st = SL_STATUS_INIT;
    uint64_t sum = 17;
    bool over = false;
    sl_ws_codec_init(&codec, server, LIMIT, 4 * LIMIT, NULL, sl_system_env());
    for (size_t at = 0; at < size && !over; at += step) {
        const char *piece = bytes + at;
        size_t left = size - at < step ? size - at : step;
        for (bool more = true; more;) {
            sl_ws_event e = sl_ws_codec_feed(&codec, &piece, &left, &st);
            more = e != SL_WS_MORE;
            if (!more) break;
            sum = sum * 31 + (uint64_t)e;
            if (e == SL_WS_FAILED) {
                sum = sum * 31 + (uint64_t)st.code;
                over = true;
                break;
            }
            if (codec.payload.size > LIMIT) abort();
            for (uint32_t i = 0; i < codec.payload.size; i++)
                sum = sum * 31 + (uint8_t)codec.payload.data[i];
            if (e == SL_WS_CLOSE) over = true;
            if (over) break;
        }
    }
    sl_ws_codec_free(&codec);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    bool server = (data[0] & 1) == 0;
    size_t step = data[1] ? data[1] : 1;
    if (run(server, (const char *)data + 2, size - 2, SIZE_MAX / 2) !=
        run(server, (const char *)data + 2, size - 2, step))
        abort();
    return 0;
}
