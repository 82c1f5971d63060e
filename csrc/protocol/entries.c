#include "protocol/entries.h"

#include <zlib.h>

#include "protocol/scan.h"

enum { COMPRESS_ABOVE = 1024, HEADER_MAX = 6 * 20 + 6 };

static void *zalloc_from(void *ctx, unsigned items, unsigned size) {
    return sl_new_zero(ctx, items, size);
}

static void zfree_to(void *ctx, void *block) {
    sl_delete(ctx, block);
}

static z_stream stream_with(const sl_alloc *alloc) {
    if (!alloc) alloc = sl_alloc_default();
    return (z_stream){.zalloc = zalloc_from, .zfree = zfree_to, .opaque = (void *)(uintptr_t)alloc};
}

static bool inflate_failed(sl_status *st, const char *why) {
    return sl_fail_code(st, SL_ERR_PROTOCOL, 110, "the compressed body is damaged: %s", why);
}

static bool inflate_exactly(const sl_body *body, const sl_alloc *alloc, char *to, sl_status *st) {
    z_stream z = stream_with(alloc);
    if (inflateInit(&z) != Z_OK) return sl_fail_memory(st);
    z.next_in = (Bytef *)(uintptr_t)body->bytes.data;
    z.avail_in = body->bytes.size;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)body->uncompressed_size;
    int rc = inflate(&z, Z_FINISH);
    bool input_left = z.avail_in != 0, room_left = z.avail_out != 0;
    inflateEnd(&z);
    if (rc == Z_MEM_ERROR) return sl_fail_memory(st);
    if (rc == Z_STREAM_END && !input_left && !room_left) return true;
    if (rc == Z_STREAM_END && input_left) return inflate_failed(st, "octets follow the stream");
    if (rc == Z_STREAM_END) return inflate_failed(st, "it is shorter than declared");
    if (rc == Z_BUF_ERROR && !room_left) return inflate_failed(st, "it is longer than declared");
    return inflate_failed(st, "not a complete zlib stream");
}

/* A hostile header may announce 256 MiB for a stream of a few octets. Deflate cannot shrink by more
 * than 1032:1, so memory is only taken for sizes that are possible at all. */
static bool size_is_possible(const sl_body *body) {
    return body->uncompressed_size / 1032 <= body->bytes.size;
}

bool sl_body_open(const sl_body *body, uint64_t limit, sl_buf *inflated, sl_str *entries,
                  sl_status *st) {
    if (limit == 0 || limit > SL_MAX_INFLATED) limit = SL_MAX_INFLATED;
    if (body->uncompressed_size > limit)
        return sl_fail_code(st, SL_ERR_PROTOCOL, 112,
                            "a body of %llu octets is larger than the limit of %llu",
                            (unsigned long long)body->uncompressed_size, (unsigned long long)limit);
    if (!body->compressed) {
        *entries = body->bytes;
        return true;
    }
    sl_buf_clear(inflated);
    if (!size_is_possible(body)) return inflate_failed(st, "it is shorter than declared");
    /* One octet more, because a size of 0 needs a place for the output pointer too. */
    char *to = sl_buf_reserve(inflated, (size_t)body->uncompressed_size + 1);
    if (!to) return sl_fail_memory(st);
    if (!inflate_exactly(body, inflated->alloc, to, st)) return false;
    inflated->size = (size_t)body->uncompressed_size;
    *entries = sl_str_of(inflated->data, inflated->size);
    return true;
}

/* *smaller says whether `packed` holds a result worth sending. */
static void deflate_smaller(z_stream *z, sl_str entries, sl_buf *packed, bool *smaller) {
    z->next_in = (Bytef *)(uintptr_t)entries.data;
    z->avail_in = entries.size;
    z->next_out = (Bytef *)packed->data;
    z->avail_out = entries.size - 1; /* anything longer is not wanted */
    *smaller = deflate(z, Z_FINISH) == Z_STREAM_END;
    if (*smaller) packed->size = z->total_out;
}

/* Invariant: `z` is initialised iff `ready`. */
struct sl_packer {
    const sl_alloc *alloc;
    z_stream z;
    bool ready;
};

sl_packer *sl_packer_new(const sl_alloc *alloc) {
    sl_packer *packer = sl_new_zero(alloc, 1, sizeof(*packer));
    if (packer) packer->alloc = alloc;
    return packer;
}

void sl_packer_free(sl_packer *packer) {
    if (!packer) return;
    if (packer->ready) deflateEnd(&packer->z);
    sl_delete(packer->alloc, packer);
}

static bool make_ready(sl_packer *packer) {
    if (packer->ready) return deflateReset(&packer->z) == Z_OK;
    packer->z = stream_with(packer->alloc);
    packer->ready = deflateInit(&packer->z, 1) == Z_OK;
    return packer->ready;
}

bool sl_body_pack(sl_packer *packer, sl_str entries, sl_buf *packed, sl_body *body, sl_status *st) {
    sl_packer once = {.alloc = packed->alloc};
    bool smaller = false;
    *body = (sl_body){false, entries.size, entries};
    if (entries.size <= COMPRESS_ABOVE) return true;
    sl_buf_clear(packed);
    if (!packer) packer = &once;
    if (!sl_buf_reserve(packed, entries.size) || !make_ready(packer)) return sl_fail_memory(st);
    deflate_smaller(&packer->z, entries, packed, &smaller);
    if (once.ready) deflateEnd(&once.z);
    if (smaller) *body = (sl_body){true, entries.size, sl_str_of(packed->data, packed->size)};
    return true;
}

void sl_entry_reader_init(sl_entry_reader *reader, sl_str entries) {
    *reader = (sl_entry_reader){entries, 0};
}

static bool bad_entry(size_t offset, int code, const char *what, sl_status *st) {
    sl_fail_code(st, SL_ERR_PROTOCOL, code, "changeset entry at octet %zu: %s", offset, what);
    if (st) st->offset = offset;
    return false;
}

/* `count` numbers, each followed by SP; the last one is the size of the changeset after them. */
static bool read_entry(sl_entry_reader *reader, uint64_t *numbers, size_t count, sl_str *changeset,
                       sl_status *st) {
    const char *data = reader->bytes.data;
    size_t size = reader->bytes.size, at = reader->at;
    for (size_t i = 0; i < count; i++) {
        if (!sl_scan_digits(data, size, &at, SL_MAX_NUMBER, &numbers[i]))
            return bad_entry(at, 111, "a number is malformed or out of range", st);
        if (at >= size || data[at] != ' ')
            return bad_entry(at, 111, "a number is not followed by a space", st);
        at++;
    }
    uint64_t wanted = numbers[count - 1];
    if (wanted > size - at) return bad_entry(at, 112, "the changeset reaches beyond the body", st);
    *changeset = sl_str_of(data + at, (size_t)wanted);
    reader->at = at + (size_t)wanted;
    return true;
}

bool sl_entry_reader_upload(sl_entry_reader *reader, sl_upload_entry *entry, bool *more,
                            sl_status *st) {
    uint64_t n[5];
    *more = reader->at < reader->bytes.size;
    if (!*more) return true;
    size_t start = reader->at;
    if (!read_entry(reader, n, 5, &entry->changeset, st)) return false;
    if (n[0] == 0) return bad_entry(start, 111, "the client version is 0", st);
    entry->client_version = n[0];
    entry->server_version = n[1];
    entry->origin_timestamp = n[2];
    entry->origin_file = n[3];
    return true;
}

bool sl_entry_reader_download(sl_entry_reader *reader, sl_download_entry *entry, bool *more,
                              sl_status *st) {
    uint64_t n[6];
    *more = reader->at < reader->bytes.size;
    if (!*more) return true;
    size_t start = reader->at;
    if (!read_entry(reader, n, 6, &entry->changeset, st)) return false;
    if (n[0] == 0) return bad_entry(start, 111, "the server version is 0", st);
    if (n[3] == 0) return bad_entry(start, 111, "the origin file ident is 0", st);
    entry->server_version = n[0];
    entry->client_version = n[1];
    entry->origin_timestamp = n[2];
    entry->origin_file = n[3];
    entry->original_size = n[4];
    return true;
}

static void put_entry(sl_buf *out, const uint64_t *numbers, size_t count, sl_str changeset) {
    if (!sl_buf_reserve(out, HEADER_MAX + (size_t)changeset.size)) return;
    for (size_t i = 0; i < count; i++) {
        sl_put_uint(out, numbers[i]);
        sl_buf_byte(out, ' ');
    }
    sl_buf_str(out, changeset);
}

void sl_upload_entry_write(sl_buf *out, const sl_upload_entry *entry) {
    const uint64_t numbers[] = {entry->client_version, entry->server_version,
                                entry->origin_timestamp, entry->origin_file, entry->changeset.size};
    put_entry(out, numbers, 5, entry->changeset);
}

void sl_download_entry_write(sl_buf *out, const sl_download_entry *entry) {
    const uint64_t numbers[] = {entry->server_version,   entry->client_version,
                                entry->origin_timestamp, entry->origin_file,
                                entry->original_size,    entry->changeset.size};
    put_entry(out, numbers, 6, entry->changeset);
}
