/* memory_blob.h - objects as bytes for the in-memory store. Not a file format: native byte order.
 */
#ifndef SL_STORE_MEMORY_BLOB_H
#define SL_STORE_MEMORY_BLOB_H

#include "store/memory_internal.h"

/* Appends all properties of `object`. False: no memory, or unknown to the catalogue. */
bool sl_memory_blob_write(sl_memory_store *store, const sl_object *object, sl_buf *out,
                          sl_status *st);
/* Fills the fresh `object` from such bytes; memory of the disk's allocator. */
bool sl_memory_blob_read(sl_memory_store *store, sl_str bytes, sl_object *object, sl_status *st);

#endif
