/* list.h - the elements of a list or a set. Opaque: large lists are kept in blocks so that an
 * insertion anywhere stays cheap. */
#ifndef SL_REALM_LIST_H
#define SL_REALM_LIST_H

#include "realm/object.h"

/* An empty list; NULL: no memory. */
sl_list *sl_list_new(const sl_alloc *alloc);
/* Frees the list with everything in it; NULL is allowed. */
void sl_list_free(const sl_alloc *alloc, sl_list *list);
/* Number of elements; 0 for NULL. */
uint32_t sl_list_count(const sl_list *list);
/* Element `at` (< count). The pointer is valid until the list is changed. Walking in either
 * direction costs a constant per step. */
sl_node *sl_list_at(const sl_list *list, uint32_t at);
/* Inserts a null node at `at` (<= count) and returns it; NULL: no memory, nothing changed. */
sl_node *sl_list_insert(const sl_alloc *alloc, sl_list *list, uint32_t at);
/* Removes the element and frees what it owns. */
void sl_list_erase(const sl_alloc *alloc, sl_list *list, uint32_t at);
/* Removes the element and hands its content over to *out. */
void sl_list_take(const sl_alloc *alloc, sl_list *list, uint32_t at, sl_node *out);

/* Position of a value in the list of a SET node (sorted by sl_value_cmp): true and *at = where it
 * is, or false and *at = where it would go. `list` may be NULL. */
bool sl_set_find(const sl_list *list, const sl_value *value, uint32_t *at);
/* Adds a copy of `value` to the SET node, creating its list when NULL; *added = false if it is
 * there already. False: no memory. */
bool sl_set_add(const sl_alloc *alloc, sl_node *set, const sl_value *value, bool *added);

#endif
