#include "store/state.h"

#include <zlib.h>

/* Making a state competes with everything else a server does. On the pages of such files level 1
 * packs as well as any up to 6, which takes a third longer. */
enum { LEVEL = 1 };

static void *zalloc_from(void *ctx, unsigned items, unsigned size) {
    return sl_new_zero(ctx, items, size);
}

static void zfree_to(void *ctx, void *block) {
    sl_delete(ctx, block);
}

static z_stream stream_with(const sl_alloc *alloc, sl_str in, char *out, size_t room) {
    if (!alloc) alloc = sl_alloc_default();
    return (z_stream){.zalloc = zalloc_from,
                      .zfree = zfree_to,
                      .opaque = (void *)(uintptr_t)alloc,
                      .next_in = (Bytef *)(uintptr_t)in.data,
                      .avail_in = in.size,
                      .next_out = (Bytef *)out,
                      .avail_out = (uInt)room};
}

bool sl_state_pack(sl_buf *out, sl_str blocks, sl_status *st) {
    size_t room = (size_t)compressBound(blocks.size);
    char *to = sl_buf_reserve(out, 4 + room);
    if (!to) return sl_fail_memory(st);
    z_stream z = stream_with(out->alloc, blocks, to + 4, room);
    if (deflateInit(&z, LEVEL) != Z_OK) return sl_fail_memory(st);
    int rc = deflate(&z, Z_FINISH);
    size_t size = z.total_out;
    deflateEnd(&z);
    if (rc != Z_STREAM_END) return sl_fail_memory(st);
    for (int i = 0; i < 4; i++)
        to[i] = (char)(unsigned char)(size >> (24 - 8 * i));
    out->size += 4 + size;
    return true;
}

static bool refuse(sl_status *st, const char *what) {
    return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "a segment of the state %s", what);
}

static uint32_t read_size(const char *data) {
    const unsigned char *at = (const unsigned char *)data;
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool sl_state_unpack(const sl_alloc *alloc, sl_str *segments, char *blocks, size_t *size,
                     sl_status *st) {
    if (segments->size < 4 || read_size(segments->data) > segments->size - 4)
        return refuse(st, "is cut off");
    sl_str packed = sl_str_of(segments->data + 4, read_size(segments->data));
    z_stream z = stream_with(alloc, packed, blocks, SL_STATE_SEGMENT_BYTES);
    if (inflateInit(&z) != Z_OK) return sl_fail_memory(st);
    int rc = inflate(&z, Z_FINISH);
    size_t made = z.total_out;
    bool all_read = z.avail_in == 0;
    inflateEnd(&z);
    if (rc == Z_MEM_ERROR) return sl_fail_memory(st);
    if (rc == Z_BUF_ERROR && made == SL_STATE_SEGMENT_BYTES)
        return refuse(st, "inflates to more than 64 blocks");
    if (rc != Z_STREAM_END || !all_read) return refuse(st, "does not inflate");
    if (made == 0 || made % SL_STATE_BLOCK != 0) return refuse(st, "holds no whole blocks");
    *size = made;
    *segments = sl_str_of(packed.data + packed.size, segments->size - 4 - packed.size);
    return true;
}
