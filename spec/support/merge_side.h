/* merge_side.h - one side of a merge in tests: changesets with the bytes they were parsed from. */
#ifndef SPEC_SUPPORT_MERGE_SIDE_H
#define SPEC_SUPPORT_MERGE_SIDE_H

#include <stdlib.h>

#include "base/buf.h"
#include "changeset/json.h"
#include "transform/transform.h"

enum { SIDE_MAX = 2048 };

/* `items[i].changeset` is &changesets[i]. */
typedef struct merge_side {
    size_t count;
    sl_changeset *changesets;
    sl_merge_item *items;
    sl_buf *bytes;
} merge_side;

static inline void side_init(merge_side *side) {
    *side = (merge_side){0, NULL, NULL, NULL};
}

static inline void side_free(merge_side *side) {
    for (size_t i = 0; i < side->count; i++) {
        sl_changeset_free(&side->changesets[i]);
        sl_buf_free(&side->bytes[i]);
    }
    free(side->changesets);
    free(side->items);
    free(side->bytes);
    side_init(side);
}

/* Makes room for `count` empty changesets; the program ends when there is no memory. */
static inline void side_open(merge_side *side, size_t count, const sl_alloc *alloc) {
    side->count = count;
    side->changesets = calloc(count + 1, sizeof *side->changesets);
    side->items = calloc(count + 1, sizeof *side->items);
    side->bytes = calloc(count + 1, sizeof *side->bytes);
    if (!side->changesets || !side->items || !side->bytes) abort();
    for (size_t i = 0; i < count; i++) {
        sl_changeset_init(&side->changesets[i], alloc);
        sl_buf_init(&side->bytes[i], NULL);
        side->items[i].changeset = &side->changesets[i];
    }
}

static inline bool side_parse(merge_side *side, size_t i, const void *data, size_t size,
                              sl_status *st) {
    sl_buf_clear(&side->bytes[i]);
    sl_buf_add(&side->bytes[i], data, size);
    sl_changeset_reset(&side->changesets[i]);
    return sl_changeset_parse(&side->changesets[i], side->bytes[i].data, side->bytes[i].size, st);
}

/* An independent copy, made from the encoded form of the original. */
static inline void side_copy(merge_side *to, const merge_side *from, const sl_alloc *alloc) {
    side_open(to, from->count, alloc);
    for (size_t i = 0; i < from->count; i++) {
        sl_changeset *source = &from->changesets[i];
        if (!sl_changeset_encode(source, SL_ENCODE_AS_PARSED, &to->bytes[i], NULL) ||
            !sl_changeset_parse(&to->changesets[i], to->bytes[i].data, to->bytes[i].size, NULL))
            abort();
        to->items[i].origin_file = from->items[i].origin_file;
        to->items[i].origin_timestamp = from->items[i].origin_timestamp;
    }
}

/* Appends the text form of all changesets and, if wanted, their modified flags. */
static inline void side_text(const merge_side *side, bool flags, sl_buf *out) {
    for (size_t i = 0; i < side->count; i++) {
        if (flags) sl_buf_text(out, side->items[i].modified ? "modified " : "as it was ");
        if (!sl_changeset_to_json(&side->changesets[i], false, out, NULL)) abort();
        sl_buf_byte(out, '\n');
    }
}

static inline bool buf_same(const sl_buf *a, const sl_buf *b) {
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

#endif
