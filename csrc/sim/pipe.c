#include "sim/pipe.h"

void sl_sim_pipe_init(sl_sim_pipe *pipe, const sl_alloc *alloc) {
    *pipe = (sl_sim_pipe){.alloc = alloc};
}

void sl_sim_pipe_free(sl_sim_pipe *pipe) {
    sl_sim_pipe_truncate(pipe, 0);
    sl_delete(pipe->alloc, pipe->packets);
    sl_sim_pipe_init(pipe, pipe->alloc);
}

static bool make_room(sl_sim_pipe *pipe) {
    if (pipe->first + pipe->count < pipe->capacity) return true;
    if (pipe->first > 0) {
        memmove(pipe->packets, pipe->packets + pipe->first, pipe->count * sizeof *pipe->packets);
        pipe->first = 0;
        return true;
    }
    size_t capacity = pipe->capacity ? pipe->capacity * 2 : 8;
    void *grown = sl_resize(pipe->alloc, pipe->packets, capacity * sizeof *pipe->packets);
    if (!grown) return false;
    pipe->packets = grown;
    pipe->capacity = capacity;
    return true;
}

static int64_t arrival(sl_sim_pipe *pipe, size_t size, int64_t now, const sl_sim_link_options *o,
                       uint64_t chance) {
    int64_t start = pipe->busy_until > now ? pipe->busy_until : now;
    if (o->rate > 0) start += (int64_t)size * 1000 / o->rate;
    pipe->busy_until = start;
    int64_t due = start + o->latency_ms;
    if (o->spread_ms > 0) due += (int64_t)(chance % (uint64_t)(o->spread_ms + 1));
    if (o->batch_ms > 0) due += o->batch_ms - due % o->batch_ms;
    if (due < pipe->last_due) due = pipe->last_due;
    pipe->last_due = due;
    return due;
}

bool sl_sim_pipe_push(sl_sim_pipe *pipe, sl_buf *bytes, int64_t now,
                      const sl_sim_link_options *options, uint64_t chance) {
    if (bytes->failed || !make_room(pipe)) {
        sl_buf_free(bytes);
        return false;
    }
    sl_sim_packet *packet = &pipe->packets[pipe->first + pipe->count++];
    packet->due = arrival(pipe, bytes->size, now, options, chance);
    packet->bytes = *bytes;
    sl_buf_init(bytes, bytes->alloc);
    pipe->bytes += packet->bytes.size;
    if (pipe->bytes > pipe->peak) pipe->peak = pipe->bytes;
    return true;
}

int64_t sl_sim_pipe_due(const sl_sim_pipe *pipe) {
    return pipe->count ? pipe->packets[pipe->first].due : INT64_MAX;
}

sl_buf sl_sim_pipe_pop(sl_sim_pipe *pipe) {
    sl_buf bytes = pipe->packets[pipe->first].bytes;
    pipe->first++;
    pipe->count--;
    pipe->bytes -= bytes.size;
    return bytes;
}

void sl_sim_pipe_truncate(sl_sim_pipe *pipe, size_t keep) {
    while (pipe->count > keep) {
        sl_buf *last = &pipe->packets[pipe->first + --pipe->count].bytes;
        pipe->bytes -= last->size;
        sl_buf_free(last);
    }
}
