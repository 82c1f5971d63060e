/* window.h - the local side of merges during one integration: history entries the author of the
 * incoming changesets had not seen, in the form this peer knows them (reciprocal forms).
 * Source: protocol/3-transform.md, 1.6 to 1.10. Used by client and server histories. */
#ifndef SL_HISTORY_WINDOW_H
#define SL_HISTORY_WINDOW_H

#include "store/store.h"
#include "transform/transform.h"

/* What a window is made of. Everything is borrowed and must outlive the window. */
typedef struct sl_window_options {
    const sl_alloc *alloc; /* NULL = heap */
    sl_store *store;       /* entries and reciprocal forms; inside a transaction */
    uint64_t peer;         /* whose reciprocal forms (client: 1, the server) */
    uint64_t self;         /* the real file ident that origin 0 stands for */
    uint64_t last;         /* newest version of the window; later entries do not take part */
    /* Whether an entry takes part (its changeset is not empty: the window checks that itself). */
    bool (*takes_part)(void *ctx, const sl_history_entry *entry);
    void *ctx;
    /* Where entries are read from; NULL: from the store. Same contract as store->entry_scan with
     * bytes; `scan_ctx` is its first argument. */
    bool (*scan)(void *scan_ctx, uint64_t after, uint64_t last, sl_entry_visitor visit, void *ctx,
                 sl_status *st);
    void *scan_ctx;
    const sl_merge_options *merge; /* NULL = defaults */
} sl_window_options;

typedef struct sl_window sl_window;

/* Makes a window without reading anything. NULL without memory. Free with sl_window_free. */
sl_window *sl_window_new(const sl_window_options *options);
void sl_window_free(sl_window *window);

/* Merges `count` incoming changesets, all based on version `after` of this history, with the
 * entries in (after, last] that take part. `incoming` is transformed in place and may then be
 * applied. Later calls see what earlier ones made of the entries; `after` never decreases from call
 * to call (SL_ERR_INTERNAL). Entries and forms are read and parsed on first use. Fails with the
 * status of sl_transform, of parsing (SL_ERR_STORAGE: a stored changeset is damaged) or of the
 * store; the window must then be freed and the transaction rolled back. */
bool sl_window_merge(sl_window *window, uint64_t after, sl_merge_item *incoming, size_t count,
                     sl_status *st);

/* Number of entries read so far that take part; for cost accounting. */
size_t sl_window_size(const sl_window *window);

/* Writes the forms that the merges changed to the store (reciprocal_put); an entry of which nothing
 * is left gets the empty form. Call once, after the last merge. */
bool sl_window_store(sl_window *window, sl_status *st);

#endif
