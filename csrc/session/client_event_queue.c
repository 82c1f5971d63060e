#include "session/client_event_queue.h"

void sl_client_event_queue_init(sl_client_event_queue *queue, const sl_alloc *alloc) {
    memset(queue, 0, sizeof *queue);
    queue->alloc = alloc;
}

void sl_client_event_queue_free(sl_client_event_queue *queue) {
    for (size_t i = 0; i < queue->count; i++)
        sl_delete(queue->alloc, queue->slots[queue->first + i].owned);
    sl_delete(queue->alloc, queue->taken);
    sl_delete(queue->alloc, queue->slots);
    sl_client_event_queue_init(queue, queue->alloc);
}

bool sl_client_event_queue_reserve(sl_client_event_queue *queue, size_t more, sl_status *st) {
    if (queue->count == 0) queue->first = 0;
    if (queue->capacity - queue->first - queue->count >= more) return true;
    /* Half empty: what is left moves less often than it was added. */
    if (queue->first > queue->count) {
        memmove(queue->slots, queue->slots + queue->first, queue->count * sizeof *queue->slots);
        queue->first = 0;
        if (queue->capacity - queue->count >= more) return true;
    }
    size_t capacity = (queue->first + queue->count + more) * 2;
    sl_client_event_slot *slots =
        sl_resize(queue->alloc, queue->slots, capacity * sizeof *queue->slots);
    if (!slots) return sl_fail_memory(st);
    queue->slots = slots;
    queue->capacity = capacity;
    return true;
}

sl_client_event *sl_client_event_queue_push(sl_client_event_queue *queue) {
    sl_client_event_slot *slot = &queue->spare;
    if (queue->first + queue->count < queue->capacity)
        slot = &queue->slots[queue->first + queue->count++];
    memset(slot, 0, sizeof *slot);
    slot->event.delay_ms = -1;
    return &slot->event;
}

sl_str sl_client_event_queue_text(sl_client_event_queue *queue, sl_str text) {
    if (queue->count == 0 || text.size == 0) return SL_STR("");
    sl_client_event_slot *slot = &queue->slots[queue->first + queue->count - 1];
    if (slot->owned) return SL_STR("");
    slot->owned = sl_new(queue->alloc, text.size);
    if (!slot->owned) return SL_STR("");
    memcpy(slot->owned, text.data, text.size);
    return sl_str_of(slot->owned, text.size);
}

bool sl_client_event_queue_take(sl_client_event_queue *queue, sl_client_event *event) {
    sl_delete(queue->alloc, queue->taken);
    queue->taken = NULL;
    if (queue->count == 0) return false;
    sl_client_event_slot *slot = &queue->slots[queue->first++];
    queue->count--;
    *event = slot->event;
    queue->taken = slot->owned;
    return true;
}
