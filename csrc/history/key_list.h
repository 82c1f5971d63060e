/* key_list.h - the keys of the objects of a class, gathered before the class is changed. Private to
 * the client side. */
#ifndef SL_HISTORY_KEY_LIST_H
#define SL_HISTORY_KEY_LIST_H

#include "realm/realm.h"

/* Strings of the keys are in the arena. */
typedef struct sl_key_list {
    sl_arena arena;
    sl_key *keys;
    size_t count, capacity;
} sl_key_list;

/* Allocates nothing. `alloc` borrowed, NULL = heap. */
void sl_key_list_init(sl_key_list *list, const sl_alloc *alloc);
void sl_key_list_free(sl_key_list *list);
/* Adds the key of every object of a class. SL_ERR_MEMORY, SL_ERR_STORAGE. */
bool sl_key_list_read(sl_key_list *list, sl_realm *realm, sl_str class_name, sl_status *st);

#endif
