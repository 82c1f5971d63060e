/* gaps.h - long runs of empty entries in a history, so that reading it can step over them. Private
 * to this room. An entry that is empty stays empty, so a run once known is true for ever. */
#ifndef SL_HISTORY_GAPS_H
#define SL_HISTORY_GAPS_H

#include "base/buf.h"
#include "base/status.h"

/* Entries `first` to `last`. */
typedef struct sl_gap {
    uint64_t first, last;
} sl_gap;

/* Ascending, apart from each other. */
typedef struct sl_gaps {
    const sl_alloc *alloc; /* borrowed */
    sl_gap *list;
    size_t count, capacity;
} sl_gaps;

/* Shorter runs are not worth a note. */
enum { SL_GAP_MIN = 16 };

void sl_gaps_init(sl_gaps *gaps, const sl_alloc *alloc);
void sl_gaps_free(sl_gaps *gaps);
/* Adds a run behind all others; short ones are left out. False without memory. */
bool sl_gaps_add(sl_gaps *gaps, uint64_t first, uint64_t last);
/* Forgets runs that reach beyond `version`. */
void sl_gaps_cut(sl_gaps *gaps, uint64_t version);
/* The first run that ends after `version`, or NULL. */
const sl_gap *sl_gaps_after(const sl_gaps *gaps, uint64_t version);
/* The last run that begins at or before `version`, or NULL. */
const sl_gap *sl_gaps_before(const sl_gaps *gaps, uint64_t version);

/* As bytes for the store, and back. Bytes that make no sense are SL_ERR_STORAGE "DAMAGED". */
void sl_gaps_write(const sl_gaps *gaps, sl_buf *out);
bool sl_gaps_read(sl_gaps *gaps, sl_str bytes, sl_status *st);

#endif
