/* node_links.h - the links inside a node. */
#ifndef SL_STORE_NODE_LINKS_H
#define SL_STORE_NODE_LINKS_H

#include "realm/object.h"

/* `link` is borrowed. Return false to stop. */
typedef bool (*sl_link_visitor)(void *ctx, const sl_link *link);

/* Visits every link in `node`, also inside collections and embedded objects; properties that were
 * erased are passed over. False if the visitor stopped. */
bool sl_store_node_links(const sl_node *node, sl_link_visitor visit, void *ctx);
bool sl_store_object_links(const sl_object *object, sl_link_visitor visit, void *ctx);

#endif
