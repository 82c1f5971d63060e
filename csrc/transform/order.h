/* order.h - who is older; private to the transform room. */
#ifndef SL_TRANSFORM_ORDER_H
#define SL_TRANSFORM_ORDER_H

#include "transform/merge.h"

/* Gives every entry of both sides its age: the rank of its (timestamp, file ident) pair, so that
 * rules compare one number (protocol/3-transform.md, 1.4). Fails with "EQUAL" if changesets of
 * different sides have the same pair, unless the options allow it. False: failed. */
bool sl_order_entries(sl_merge *m);

#endif
