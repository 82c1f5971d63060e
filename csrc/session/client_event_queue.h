/* client_event_queue.h - events in order, with the strings they carry. Private to the client side.
 */
#ifndef SL_SESSION_CLIENT_EVENT_QUEUE_H
#define SL_SESSION_CLIENT_EVENT_QUEUE_H

#include "base/alloc.h"
#include "session/client_event.h"

typedef struct sl_client_event_slot {
    sl_client_event event;
    char *owned; /* bytes of the event's copied string; may be NULL */
} sl_client_event_slot;

/* Slots at first .. first + count - 1 hold what was not taken yet. `taken` are the bytes of the
 * event handed out last. */
typedef struct sl_client_event_queue {
    const sl_alloc *alloc; /* borrowed */
    sl_client_event_slot *slots;
    size_t first, count, capacity;
    char *taken;
    sl_client_event_slot spare; /* takes what no room was reserved for; never handed out */
} sl_client_event_queue;

void sl_client_event_queue_init(sl_client_event_queue *queue, const sl_alloc *alloc);
void sl_client_event_queue_free(sl_client_event_queue *queue);
/* Room for `more` events beyond those waiting. */
bool sl_client_event_queue_reserve(sl_client_event_queue *queue, size_t more, sl_status *st);
/* A zeroed event at the end; needs room reserved before. The pointer is valid until the next push.
 */
sl_client_event *sl_client_event_queue_push(sl_client_event_queue *queue);
/* Copies `text` for the event pushed last and returns the copy, "" when there is no memory: such
 * texts are for people. */
sl_str sl_client_event_queue_text(sl_client_event_queue *queue, sl_str text);
bool sl_client_event_queue_take(sl_client_event_queue *queue, sl_client_event *event);

#endif
