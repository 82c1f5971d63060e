#include "history/gaps.h"
#include "changeset/varint.h"

enum { NUMBER_ROOM = 10 };

void sl_gaps_init(sl_gaps *gaps, const sl_alloc *alloc) {
    *gaps = (sl_gaps){.alloc = alloc};
}

void sl_gaps_free(sl_gaps *gaps) {
    sl_delete(gaps->alloc, gaps->list);
    *gaps = (sl_gaps){.alloc = gaps->alloc};
}

bool sl_gaps_add(sl_gaps *gaps, uint64_t first, uint64_t last) {
    if (last < first || last - first + 1 < SL_GAP_MIN) return true;
    if (gaps->count == gaps->capacity) {
        size_t capacity = gaps->capacity ? gaps->capacity * 2 : 16;
        sl_gap *grown = sl_resize(gaps->alloc, gaps->list, capacity * sizeof *grown);
        if (!grown) return false;
        gaps->list = grown;
        gaps->capacity = capacity;
    }
    gaps->list[gaps->count++] = (sl_gap){first, last};
    return true;
}

void sl_gaps_cut(sl_gaps *gaps, uint64_t version) {
    while (gaps->count && gaps->list[gaps->count - 1].last > version)
        gaps->count--;
}

/* Number of runs that end at or before `version`. */
static size_t ended(const sl_gaps *gaps, uint64_t version) {
    size_t low = 0, high = gaps->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (gaps->list[middle].last <= version)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const sl_gap *sl_gaps_after(const sl_gaps *gaps, uint64_t version) {
    size_t at = ended(gaps, version);
    return at < gaps->count ? &gaps->list[at] : NULL;
}

const sl_gap *sl_gaps_before(const sl_gaps *gaps, uint64_t version) {
    size_t at = ended(gaps, version);
    if (at < gaps->count && gaps->list[at].first <= version) return &gaps->list[at];
    return at ? &gaps->list[at - 1] : NULL;
}

static void put(sl_buf *out, uint64_t number) {
    uint8_t bytes[NUMBER_ROOM];
    sl_buf_add(out, bytes, (size_t)(sl_varint_put_u64(bytes, number) - bytes));
}

void sl_gaps_write(const sl_gaps *gaps, sl_buf *out) {
    uint64_t before = 0;
    for (size_t i = 0; i < gaps->count; i++) {
        put(out, gaps->list[i].first - before);
        put(out, gaps->list[i].last - gaps->list[i].first);
        before = gaps->list[i].last;
    }
}

bool sl_gaps_read(sl_gaps *gaps, sl_str bytes, sl_status *st) {
    const uint8_t *p = (const uint8_t *)bytes.data, *end = p + bytes.size;
    uint64_t before = 0, skip, length;
    sl_varint_error error;
    gaps->count = 0;
    while (bytes.size && p < end) {
        p = sl_varint_u64(p, end, &skip, &error);
        if (p) p = sl_varint_u64(p, end, &length, &error);
        if (!p || skip == 0 || skip > INT64_MAX - before || length > INT64_MAX - before - skip)
            return sl_fail(st, SL_ERR_STORAGE, "DAMAGED", "the list of empty entries is broken");
        if (!sl_gaps_add(gaps, before + skip, before + skip + length)) return sl_fail_memory(st);
        before += skip + length;
    }
    return true;
}
