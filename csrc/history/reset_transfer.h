/* reset_transfer.h - making one realm equal to another, with as few changes as that takes
 * (protocol/4-history-and-sessions.md, 12.6). Private to the client side. */
#ifndef SL_HISTORY_RESET_TRANSFER_H
#define SL_HISTORY_RESET_TRANSFER_H

#include "history/reset_writer.h"

/* Changes `to` (in an open transaction) so that it holds what `from` holds: adds missing classes
 * and properties, erases and creates objects by key, writes properties that differ. `from` is only
 * read. *taken: objects of `to` that are not any more, or not as they were. Fails with
 * SL_ERR_SESSION id "SCHEMA" when `to` has a class or property that `from` lacks or has with
 * another type, nullability, key, collection or target; or with SL_ERR_MEMORY, SL_ERR_STORAGE. The
 * transaction must then be discarded. */
bool sl_reset_transfer(sl_realm *to, sl_realm *from, const sl_alloc *alloc, uint64_t *taken,
                       sl_status *st);

/* Writes the classes and properties of `from` that `to` lacks; classes first, because links name
 * them. */
void sl_reset_write_schema(sl_reset_writer *writer, const sl_schema *to, const sl_schema *from);

/* Whether a property has the same type, nullability, collection and target; with a reason in `st`
 * if not. */
bool sl_reset_same_property(sl_str class_name, const sl_property *a, const sl_property *b,
                            sl_status *st);
/* The same for two classes without their properties. */
bool sl_reset_same_class(const sl_class *a, const sl_class *b, sl_status *st);

#endif
