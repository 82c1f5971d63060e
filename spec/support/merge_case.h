/* merge_case.h - one merge written in the notation of notation.h. */
#ifndef SPEC_SUPPORT_MERGE_CASE_H
#define SPEC_SUPPORT_MERGE_CASE_H

#include "merge_side.h"
#include "notation.h"

/* Changesets of a side: "10/2: P7.i = 1; ... | 30/2: ..." is too easily confused with sizes, so
 * they are given as an array that ends with a NULL text. */
typedef struct case_changeset {
    uint64_t timestamp, file;
    const char *text;
} case_changeset;

static inline void case_side(merge_side *side, const case_changeset *list) {
    size_t count = 0;
    while (list[count].text)
        count++;
    side_open(side, count, NULL);
    for (size_t i = 0; i < count; i++) {
        if (!notation_read(&side->changesets[i], list[i].text)) abort();
        side->items[i].origin_timestamp = list[i].timestamp;
        side->items[i].origin_file = list[i].file;
    }
}

/* The instructions of all changesets of a side in one line. */
static inline void case_text(const merge_side *side, sl_buf *out) {
    sl_buf_clear(out);
    for (size_t i = 0; i < side->count; i++) {
        if (side->changesets[i].count == 0) continue;
        if (out->size) sl_buf_text(out, "; ");
        notation_write(&side->changesets[i], out);
    }
    sl_buf_byte(out, 0);
    out->size--;
}

/* Merges one changeset with another. `left_out` and `right_out` (initialised buffers) become the
 * results, NUL-terminated. False: `st` says why. */
static inline bool case_merge(case_changeset left, case_changeset right,
                              const sl_merge_options *options, sl_buf *left_out, sl_buf *right_out,
                              sl_status *st) {
    merge_side l, r;
    case_side(&l, (case_changeset[]){left, {0, 0, NULL}});
    case_side(&r, (case_changeset[]){right, {0, 0, NULL}});
    bool ok = sl_transform(l.items, 1, r.items, 1, options, st);
    if (ok) {
        case_text(&l, left_out);
        case_text(&r, right_out);
    }
    side_free(&l);
    side_free(&r);
    return ok;
}

#endif
